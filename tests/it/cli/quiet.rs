//! What is printed, where it goes, and what the options change about it.

use crate::cli::{Draft, sound};
use crate::support::golden::assert_golden;
use crate::support::shell::Folder;

#[test]
fn help_and_version_are_results_and_an_unknown_option_is_a_mistake() {
    let folder = Folder::new();
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["proxy", "--help"],
        &["check", "--help"],
        &["serve", "--help"],
        &["report", "--help"],
        &["replay", "--help"],
    ] {
        let ended = folder.brownout(args).ended().exits(0);
        assert_golden(&format!("cli/help-{}.txt", args[0].trim_start_matches('-')), &ended.stdout);
        assert_eq!(ended.stderr, "");
    }
    folder.brownout(["--version"]).ended().exits(0).prints(&format!("brownout {}\n", env!("CARGO_PKG_VERSION")));
    let said: String =
        [&["run", "plan.toml", "--sed", "1"][..], &["walk"], &["run"], &[], &["run", "p", "--set", "x"], &["run", "p", "--seed", "-1"]]
            .iter()
            .map(|args| format!("$ brownout {}\n{}\n", args.join(" "), folder.brownout(*args).ended().exits(2).stderr))
            .collect();
    assert_golden("cli/usage.txt", &said);
}

#[test]
fn nothing_but_text_is_written_to_a_pipe_and_results_are_apart_from_progress() {
    // That no control character is among it is looked at for every command that a test starts.
    let upstream = sound();
    let folder = Folder::with_plan(&Draft::at(&upstream).gate("error.rate < 90%").text());
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "xterm-256color")] {
        let ended = folder.run().args(["--force"]).env(name, value).ended();
        assert!(ended.stderr.contains("steady") && ended.stdout.contains("error.rate < 90%"), "{ended}");
        assert!(!ended.stdout.contains("in flight"), "progress is no result: {ended}");
    }
}

#[test]
fn names_of_a_plan_do_not_move_the_cursor() {
    let plan = Draft::embedded().steady("200ms", "20/s").text().replace("name = \"steady\"", "name = \"st\\u001b[2J\\u202e\"");
    let folder = Folder::with_plan(&plan);
    for line in [folder.check(), folder.check().args(["--print"]), folder.run()] {
        // A colour that is asked for is not taken out on the way to a pipe, and so neither is anything else.
        let ended = line.env("CLICOLOR_FORCE", "1").start().ended_with_colour().exits(0);
        let said = ended.stdout + &ended.stderr;
        assert!(said.contains("st␛[2J") || said.contains("st\\u001b"), "{said}");
        assert!(!said.contains("\u{1b}[2J") && !said.contains('\u{202e}'), "{said:?}");
    }
}

#[test]
fn a_quiet_run_says_one_line() {
    let upstream = sound();
    let folder = Folder::with_plan(&Draft::at(&upstream).text());
    let ended = folder.run().args(["--quiet"]).ended().exits(0);
    assert_eq!((ended.stderr.as_str(), ended.stdout.lines().count()), ("", 1), "{ended}");
    assert!(ended.stdout.starts_with("pass: "), "{ended}");
}

#[test]
fn options_are_found_again_in_the_report() {
    let upstream = sound();
    let plan = Draft::at(&upstream).steady("200ms", "${rate}/s").more("[vars]\nrate = { default = 1, max = 100 }");
    let folder = Folder::with_plan(&plan.text());
    let line = folder.run().args(["--set", "rate=40", "--seed", "99", "--label", "build=12=34", "--label", "who=me"]);
    line.ended().exits(0);
    let report = folder.report();
    assert_eq!((report.run.seed, report.stages[0].load.as_str()), (99, "40/s"));
    let labels: Vec<_> = report.run.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("build", "12=34"), ("who", "me")]);
    assert!(report.plan.normalised.contains("rate = \"40/s\""), "{}", report.plan.normalised);
}

#[test]
fn another_target_can_be_named_on_the_command_line() {
    let upstream = sound();
    let folder = Folder::with_plan(&Draft::embedded().text());
    let url = format!("http://{}", upstream.address());
    folder.run().args(["--target", &url]).ended().exits(0);
    assert_eq!(folder.report().target.base_url, url);
    assert!(!upstream.requests().is_empty());
}

#[test]
fn nobody_who_listens_is_no_reason_to_lose_a_run() {
    let upstream = sound();
    let folder = Folder::with_plan(&Draft::at(&upstream).text());
    folder.run().into_closed_pipe().with_errors_into_closed_pipe().ended().exits(0);
    assert_eq!(folder.report().accounting.ok, 10);
    folder.brownout(["run", "missing.toml"]).with_errors_into_closed_pipe().ended().exits(2);
    folder.check().into_closed_pipe().ended().exits(0);
    folder.brownout(["--help"]).into_closed_pipe().ended().exits(0);
}

#[test]
fn only_the_formats_asked_for_are_written_and_named() {
    let upstream = sound();
    let plan = Draft { formats: "\"junit\"", ..Draft::at(&upstream) };
    let folder = Folder::with_plan(&plan.text());
    let ended = folder.run().ended().exits(0).prints("run/report.json");
    let mut names: Vec<_> = folder.all_bytes("run").iter().map(|(path, _)| path.file_name().expect("a name").to_owned()).collect();
    names.sort();
    assert_eq!(names, ["SHA256SUMS", "junit.xml", "report.json"], "{ended}");
    assert!(!ended.stdout.contains("report.html"), "no file is named that is not there: {ended}");
}
