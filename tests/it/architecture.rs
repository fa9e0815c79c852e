//! The module table of `src/lib.rs` holds: which module may use which, who owns a crate, who may print or exit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What each module may use, beside itself. The vocabulary may be used by all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("severity", &[]),
    ("secret", &[]),
    ("id", &["units"]),
    ("seed", &["units"]),
    ("wire", &["units"]),
    ("arrival", &["id", "seed", "units"]),
    ("contract", &VOCABULARY),
    ("fault", &["id", "secret", "seed", "severity", "units", "wire", "contract", "throttle"]),
    ("throttle", &["units", "seed"]),
    ("retry", &VOCABULARY),
    ("lineage", &VOCABULARY),
    ("gate", &VOCABULARY),
    (
        "plan",
        &["id", "secret", "seed", "severity", "units", "wire", "arrival", "contract", "fault", "throttle", "retry", "lineage", "gate"],
    ),
    ("import", &["id", "secret", "seed", "severity", "units", "wire", "contract"]),
    ("record", &["id", "secret", "seed", "severity", "units", "wire", "contract", "lineage"]),
    ("workload", &["id", "secret", "seed", "severity", "units", "wire", "arrival", "plan"]),
    ("probe", &["id", "secret", "seed", "severity", "units", "wire", "contract", "plan", "workload", "record"]),
    ("analysis", &["id", "secret", "seed", "severity", "units", "wire", "contract", "retry", "gate", "plan", "record", "fault"]),
    ("report", &["id", "secret", "seed", "severity", "units", "wire", "contract", "gate", "record", "analysis"]),
    ("clock", &["units"]),
    ("client", &["id", "units", "wire", "clock", "record"]),
    (
        "proxy",
        &[
            "id", "secret", "seed", "severity", "units", "wire", "contract", "fault", "throttle", "retry", "lineage", "record", "clock",
            "client",
        ],
    ),
    ("target", &["id", "secret", "seed", "severity", "units", "wire", "contract", "throttle", "clock"]),
    (
        "engine",
        &[
            "id", "secret", "seed", "severity", "units", "wire", "contract", "retry", "plan", "probe", "workload", "record", "clock",
            "client",
        ],
    ),
    ("cli", &[]),
];
const VOCABULARY: [&str; 6] = ["id", "secret", "seed", "severity", "units", "wire"];

/// Crates that one module owns (or a few that have the same need), since what they do is that module's business.
const OWNED: [(&str, &[&str]); 9] = [
    ("toml", &["plan"]),
    ("annotate_snippets", &["plan"]),
    ("csv", &["plan"]),
    ("reqwest", &["client"]),
    ("rustls", &["client", "proxy"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("quick_junit", &["report"]),
    ("serde_saphyr", &["import"]),
];

fn sources() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a source folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let inside = path.strip_prefix(&src).expect("below src").to_owned();
                let first = inside.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
                let module = first.strip_suffix(".rs").unwrap_or(&first).to_owned();
                let text = std::fs::read_to_string(&path).expect("UTF-8");
                // Tests at the end of a file may use what they like.
                let code = text.split("#[cfg(test)]\nmod tests").next().expect("a first part").to_owned();
                let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
                found.push((module, inside, code));
            }
        }
    }
    found
}

/// The modules named in `crate::…` paths, groups of `use crate::{a, b}` included.
fn used(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => {
                names.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>());
            }
            Some(group) => {
                let mut depth = 0;
                let mut name = String::new();
                let mut fresh = true;
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            names.insert(std::mem::take(&mut name));
                            fresh = true;
                        }
                        ':' if depth == 0 => fresh = false,
                        c if depth == 0 && fresh && (c.is_alphanumeric() || c == '_') => name.push(c),
                        _ => {}
                    }
                }
                names.insert(name);
            }
        }
    }
    names.remove("");
    names
}

#[test]
fn a_module_uses_only_what_the_table_permits() {
    let table: std::collections::BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut broken = Vec::new();
    for (module, path, code) in sources() {
        if module == "lib" || module == "main" || module == "cli" {
            continue;
        }
        let Some(allowed) = table.get(module.as_str()) else { panic!("{module} is not in the table") };
        for name in used(&code) {
            if name != module && !allowed.contains(&name.as_str()) {
                broken.push(format!("{}: {module} may not use {name}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_crate_with_one_owner_is_used_by_no_other_module() {
    let mut broken = Vec::new();
    for (module, path, code) in sources() {
        for (name, owners) in OWNED {
            let paths = [format!("{name}::"), format!("use {name};")];
            let named = paths.iter().any(|text| {
                code.match_indices(text.as_str())
                    .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
            });
            if named && !owners.contains(&module.as_str()) {
                broken.push(format!("{}: {name} belongs to {owners:?}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn only_the_clock_reads_time_only_the_shell_prints_and_only_main_exits() {
    let rules: [(&[&str], &[&str]); 3] = [
        (&["Instant::now", "SystemTime::now", "UtcNow", "Timestamp::now", "Zoned::now"], &["clock"]),
        (&["println!", "eprintln!", "print!(", "eprint!("], &["cli"]),
        (&["process::exit", "process::abort"], &["main"]),
    ];
    let mut broken = Vec::new();
    for (module, path, code) in sources() {
        for (words, owners) in rules {
            for word in words.iter().filter(|word| code.contains(**word)) {
                if !owners.contains(&module.as_str()) {
                    broken.push(format!("{}: `{word}` belongs to {owners:?}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn modules_that_decide_do_no_io() {
    let mut broken = Vec::new();
    for (module, path, code) in sources() {
        if ["contract", "fault", "retry", "gate", "arrival", "import", "analysis", "report"].contains(&module.as_str()) {
            for word in ["std::fs", "std::net", "tokio::", "std::thread", "async fn"] {
                if code.contains(word) {
                    broken.push(format!("{}: `{word}`", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn unsafe_code_stands_in_exactly_one_place() {
    let places: Vec<PathBuf> = sources().into_iter().filter(|(_, _, code)| code.contains("unsafe {")).map(|(_, path, _)| path).collect();
    assert_eq!(places, [PathBuf::from("clock.rs")]);
    let exceptions: usize = sources().iter().map(|(_, _, code)| code.matches("#[expect(unsafe_code").count()).sum();
    assert_eq!(exceptions, 1);
}

#[test]
fn no_code_knows_a_product() {
    for (_, path, code) in sources() {
        let lower = code.to_lowercase();
        // The shipped contract has a name, and so has the first month.
        let named = lower.replace("jan-server", "").replace("jan_server", "").replace("b\"jan\"", "");
        assert!(!named.contains("jan server") && !named.contains("\"jan"), "{}", path.display());
    }
}
