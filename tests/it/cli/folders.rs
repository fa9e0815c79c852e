//! Where reports are written: refused before anything is sent, or said at the end with the verdict still shown.

use crate::cli::{Draft, sound};
use crate::support::golden::assert_golden;
use crate::support::shell::Folder;

#[test]
fn a_folder_that_cannot_be_made_is_said_before_anything_is_sent() {
    let upstream = sound();
    let folder = Folder::with_plan(&Draft::at(&upstream).text());
    folder.put("file", "not a folder");
    let ended = folder.brownout(["run", "plan.toml", "--out", "file/run"]).ended().exits(3);
    assert_golden("cli/folder-not-writable.txt", &ended.stderr);
    assert_eq!(ended.stdout, "");
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_folder_that_holds_a_report_is_not_written_to_unless_forced() {
    let upstream = sound();
    let folder = Folder::with_plan(&Draft::at(&upstream).steady("100ms", "50/s").text());
    folder.run().ended().exits(0);
    let (first, asked) = (folder.bytes("run/report.json"), upstream.connections());
    let ended = folder.run().ended().exits(2);
    assert_golden("cli/folder-holds-a-report.txt", &ended.stderr);
    assert_eq!((folder.bytes("run/report.json"), upstream.connections()), (first.clone(), asked), "nothing was touched or sent");
    folder.run().args(["--force"]).ended().exits(0);
    assert_ne!(folder.bytes("run/report.json"), first);
}

#[test]
fn the_plans_own_folder_is_named_after_the_run() {
    let upstream = sound();
    let folder = Folder::with_plan(&Draft::at(&upstream).steady("100ms", "50/s").text());
    let ended = folder.brownout(["run", "plan.toml"]).ended().exits(0);
    let made: Vec<_> = std::fs::read_dir(folder.at("reports")).expect("the folder").map(|entry| entry.expect("an entry")).collect();
    let [made] = &made[..] else { panic!("one folder: {made:?}") };
    let report = brownout::report::json::read(&std::fs::read(made.path().join("report.json")).expect("a file")).expect("a report");
    assert_eq!(Some(report.run.id.as_str()), made.file_name().to_str());
    ended.prints(&format!("reports/{}/report.html", report.run.id));
}

#[test]
fn a_folder_lost_during_the_run_loses_the_report_and_not_the_verdict() {
    // Full disks and lost mounts look like this: the folder was there, and at the end it is not.
    for becomes_a_file in [false, true] {
        let upstream = sound();
        let folder = Folder::with_plan(&Draft::at(&upstream).gate("error.rate < 50%").text());
        let mut started = folder.run().start();
        started.wait_until("the first request", |_| upstream.connections() > 1);
        std::fs::remove_dir_all(folder.at("run")).expect("the folder is there");
        if becomes_a_file {
            folder.put("run", "");
        }
        let ended = started.ended().exits(3).says("run/report.json");
        assert!(ended.stdout.contains("error.rate < 50%"), "the verdict is shown: {ended}");
        assert!(!ended.stdout.contains("report.html"), "no file is named that is not there: {ended}");
    }
}
