//! The documents of a real run: the page shows what report.json says, and every view can be made again from it.

use crate::cli::{Draft, sound};
use crate::support::golden::assert_golden;
use crate::support::markup::tags;
use crate::support::shell::Folder;

/// A run that has something of everything: faults, retries, errors, gates.
fn rich() -> Folder {
    let draft = Draft::embedded()
        .step("request = \"GET /v1/models/catalogs\"")
        .steady("1s", "60/s")
        .more("[[fault]]\nname = \"f\"\nchance = \"30%\"\nrespond = { error = \"SERVICE_UNAVAILABLE\", retry_after = \"1s\" }")
        .gate("error.rate < 90%")
        .gate("contract.violations(high) == 0");
    let folder = Folder::with_plan(&draft.text());
    let ended = folder.run().ended();
    assert!([0, 5].contains(&ended.code), "{ended}");
    folder
}

#[test]
fn the_page_shows_the_figures_of_report_json() {
    let folder = rich();
    let json: serde_json::Value = serde_json::from_slice(&folder.bytes("run/report.json")).expect("JSON");
    let page = folder.text("run/report.html");
    let mut figures = 0;
    for tag in tags(&page) {
        let Some(pointer) = tag.attribute("data-at") else { continue };
        let value = json.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not in report.json"));
        let shown: f64 = tag.attribute("data-value").expect("a figure has a value").parse().expect("a number");
        assert_eq!(Some(shown), value.as_f64(), "{pointer}");
        figures += 1;
    }
    assert!(figures > 100, "{figures} figures");
    assert!(!page.contains("http://www") && !page.contains("src=") && !page.contains("@import"), "the page needs no network");
}

#[test]
fn report_renders_every_view_again_to_the_same_bytes() {
    let folder = rich();
    let before = sorted(folder.all_bytes("run"));
    folder.brownout(["report", "run/report.json"]).ended().exits(0).says("wrote run/report.html");
    assert_eq!(names(&before), names(&sorted(folder.all_bytes("run"))));
    assert!(before == sorted(folder.all_bytes("run")), "every file is as it was");
    folder.brownout(["report", "run/report.json", "--out", "again"]).ended().exits(0);
    for (path, bytes) in folder.all_bytes("again") {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(name == "SHA256SUMS" || bytes == folder.bytes(&format!("run/{name}")), "{name} differs");
    }
    assert!(folder.at("again/report.html").is_file());
}

#[test]
fn the_sums_name_only_files_that_are_there() {
    let folder = rich();
    folder.brownout(["report", "run/report.json", "--out", "again", "--format", "html", "--format", "junit"]).ended().exits(0);
    folder.brownout(["report", "run/report.json", "--format", "html"]).ended().exits(0);
    for place in ["run", "again"] {
        let sums = std::fs::read_to_string(folder.at(place).join("SHA256SUMS")).unwrap_or_default();
        for line in sums.lines() {
            let name = line.split("  ").nth(1).expect("a hash and a name");
            assert!(folder.at(place).join(name).is_file(), "{place}/{name} is listed and not there");
        }
        let listed = |name: &str| sums.lines().any(|line| line.ends_with(name));
        assert!(place != "run" || (listed("junit.xml") && listed("latency.hgrm")), "a part of the views is no new list: {sums}");
    }
}

#[test]
fn report_prints_the_verdict_of_the_run() {
    let upstream = sound();
    let folder = Folder::with_plan(&Draft::at(&upstream).steady("100ms", "50/s").text());
    let ran = folder.run().ended().exits(0);
    let printed = folder.brownout(["report", "run/report.json", "--format", "text"]).ended().exits(0);
    assert!(ran.stdout.starts_with(&printed.stdout), "{ran}\n{printed}");
    assert_eq!(printed.stderr, "", "nothing is written");
}

#[test]
fn foreign_and_damaged_files_are_refused() {
    let folder = Folder::new();
    folder.put("foreign.json", "{\"schema_version\": \"1.0.0\", \"results\": []}");
    folder.put("not.json", "<html>");
    folder.put("newer.json", "{\"schema_version\": \"2.0.0\", \"kind\": \"run\"}");
    folder.put("damaged.json", "{\"schema_version\": \"1.0.0\", \"kind\": \"run\", \"tool\": 1}");
    folder.put("latin.json", b"{\"schema_version\": \"\xff\"}");
    folder.put("empty.json", "");
    folder.put("deep.json", "[".repeat(100_000));
    let said: String = ["foreign", "not", "newer", "damaged", "latin", "empty", "deep", "missing"]
        .iter()
        .map(|name| folder.brownout(["report", &format!("{name}.json")]).ended().exits(2).stderr)
        .collect();
    assert_golden("cli/not-a-report.txt", &said);
    folder.brownout(["report", "."]).ended().exits(2);
}

fn sorted(mut files: Vec<(std::path::PathBuf, Vec<u8>)>) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    files.sort();
    files
}

fn names(files: &[(std::path::PathBuf, Vec<u8>)]) -> Vec<&std::path::Path> {
    files.iter().map(|(path, _)| path.as_path()).collect()
}
