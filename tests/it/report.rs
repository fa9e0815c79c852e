//! Documents show what report.json says, and nothing hostile survives.

use crate::support::sample_report as sample;

#[test]
#[ignore = "writes pages for a look in a browser"]
fn pages_to_look_at() {
    let dir = std::path::PathBuf::from(std::env::var("LOOK").expect("LOOK names a folder"));
    for (name, report) in [
        ("realistic", sample::realistic()),
        ("hostile", sample::hostile()),
        ("empty", sample::empty()),
        ("one", sample::one_sample()),
        ("interrupted", sample::interrupted()),
        ("invalid", sample::invalid()),
        ("down", sample::target_down()),
    ] {
        for (file, bytes) in brownout::report::files(&report, &brownout::report::Format::ALL) {
            std::fs::write(dir.join(format!("{name}-{file}")), bytes).expect("written");
        }
        std::fs::write(dir.join(format!("{name}.txt")), brownout::report::text::render(&report, false)).expect("written");
    }
}
