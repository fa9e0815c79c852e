//! Compares text with a golden copy under `tests/golden`, or rewrites the copy with `UPDATE_GOLDEN=1`.

use std::path::PathBuf;

/// Panics with both texts where `actual` differs from the golden copy `name` (a path below `tests/golden`).
pub fn assert_golden(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().expect("a golden copy lies in a folder")).expect("the golden folder can be made");
        std::fs::write(&path, actual).expect("the golden copy can be written");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|_| {
        panic!("no golden copy {name}; run the test with UPDATE_GOLDEN=1 and review what it writes. The text:\n{actual}")
    });
    assert!(golden == actual, "{name} differs from its golden copy.\n--- golden\n{golden}\n--- actual\n{actual}\n---");
}
