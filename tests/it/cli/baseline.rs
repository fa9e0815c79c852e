//! `--baseline`: findings of an earlier report are known, others are new, and a gate may be about the new ones alone.

use brownout::severity::Severity;

use crate::cli::Draft;
use crate::support::shell::Folder;

/// A server with this preset's defect, which is asked for a conversation that nobody has; no new finding is allowed.
fn plan(preset: &str) -> String {
    Draft::of(&format!("embedded = {{ preset = \"{preset}\", limits = \"off\" }}"))
        .target("headers = { Authorization = \"Bearer user-token\" }")
        .step("request = \"GET /v1/conversations/none\"\nexpect = { status = [404] }")
        .steady("500ms", "20/s")
        .contract()
        .gate("contract.new_findings(medium) == 0")
        .text()
}

#[test]
fn findings_of_an_earlier_report_are_known_and_others_are_new() {
    let folder = Folder::with_plan(&plan("content-type"));
    folder.run().ended().exits(1);
    let first = folder.report();
    let wrong = first.findings.iter().find(|finding| finding.severity >= Severity::Medium).expect("a wrong type");
    assert_eq!((wrong.baseline.as_deref(), first.contract.as_ref().and_then(|contract| contract.baseline.as_ref())), (None, None));
    std::fs::rename(folder.at("run"), folder.at("before")).expect("it moves");

    // The same defect again: nothing is new.
    let ended = folder.run().args(["--baseline", "before/report.json"]).ended().exits(0);
    assert!(ended.stdout.contains("baseline") && ended.stdout.contains("0 new · 1 known"), "{ended}");
    let again = folder.report();
    let known = again.findings.iter().find(|finding| finding.id == wrong.id).expect("the same finding has the same id");
    assert_eq!((known.baseline.as_deref(), &known.isolated_replay), (Some("known"), &None));

    // Another defect instead: it is new, and the first one is gone.
    folder.put("plan.toml", plan("code-foreign-service"));
    folder.run().args(["--baseline", "before/report.json", "--force"]).ended().exits(1);
    let other = folder.report();
    let compared = other.contract.as_ref().and_then(|contract| contract.baseline.as_ref()).expect("a comparison");
    assert!(compared.new > 0 && compared.known == 0, "{compared:#?}");
    assert!(compared.fixed.iter().any(|fixed| fixed.id == wrong.id), "{compared:#?}");
    assert_eq!(other.verdict.gates[0].actual, Some(compared.new as f64));
}

#[test]
fn a_baseline_that_is_no_report_ends_with_2_before_anything_is_sent() {
    let folder = Folder::with_plan(&plan("strict"));
    folder.run().args(["--baseline", "nowhere.json"]).ended().exits(2).says("the baseline `nowhere.json`: there is no such file");
    folder.put("odd.json", "{}");
    folder.run().args(["--baseline", "odd.json"]).ended().exits(2).says("the baseline `odd.json`");
    assert!(!folder.at("run").exists());
}
