//! Gates, validity, and the exit code of a run that came to its end.

use brownout::analysis::Status;
use brownout::gate::Decision;
use brownout::report::{EndedBy, Report};

use crate::cli::{Draft, assert_accounts, sound};
use crate::support::shell::{Ended, Folder, at_once};
use crate::support::upstream::{Upstream, answer};

fn ran(draft: &Draft) -> (Ended, Report) {
    let folder = Folder::with_plan(&draft.text());
    let ended = folder.run().ended();
    let report = folder.report();
    assert_eq!(i32::from(report.run.exit_code), ended.code, "{ended}");
    assert_accounts(&report);
    (ended, report)
}

#[test]
fn without_a_gate_a_run_passes_and_says_that_nothing_was_asked() {
    let upstream = sound();
    let (ended, report) = ran(&Draft::at(&upstream));
    let ended = ended.exits(0).prints("no gates");
    assert!(report.verdict.gates.is_empty() && report.verdict.headline.contains("no gates"), "{ended}");
}

#[test]
fn a_run_of_no_requests_decides_nothing() {
    let upstream = sound();
    let (ended, report) = ran(&Draft::at(&upstream).steady("300ms", "0/s").gate("error.rate < 1%").gate("throughput >= 0/s"));
    let ended = ended.exits(5).prints("Nothing was sent: the schedule held no arrivals.");
    assert!(report.verdict.gates.iter().all(|gate| gate.decision == Decision::Inconclusive), "{ended}");
    assert_eq!((report.verdict.gates.len(), report.accounting.scheduled, upstream.requests().len()), (2, 0, 0));
    assert!(report.run.complete);
}

#[test]
fn a_gate_that_fails_is_named_and_ends_with_1() {
    let upstream = Upstream::always(answer("500 Broken", ""));
    let (ended, report) = ran(&Draft::at(&upstream).steady("1s", "60/s").gate("error.rate < 5%").gate("retry.amplification < 2"));
    let ended = ended.exits(1).prints("error.rate < 5%");
    assert_eq!(report.verdict.gates[0].decision, Decision::Fail, "{ended}");
    assert!(report.verdict.headline.contains("error.rate < 5%"), "{}", report.verdict.headline);
}

#[test]
fn a_run_that_is_not_to_be_believed_decides_nothing_and_ends_with_4() {
    let upstream = Upstream::always(answer("500 Broken", ""));
    let (ended, report) =
        ran(&Draft::at(&upstream).steady("1s", "200/s").gate("error.rate < 5%").more("[validity]\nschedule_lag_p99 = \"1us\""));
    let ended = ended.exits(4).prints("INVALID");
    assert_eq!(report.verdict.gates[0].decision, Decision::NotDecided, "{ended}");
    assert!(!report.verdict.invalid.is_empty());
}

#[test]
fn a_gate_with_too_few_samples_ends_with_5() {
    let upstream = sound();
    let (ended, report) = ran(&Draft::at(&upstream).gate("response.p99 < 10s"));
    let ended = ended.exits(5);
    assert_eq!(report.verdict.gates[0].decision, Decision::Inconclusive, "{ended}");
}

#[test]
fn an_abort_gate_stops_the_run_early_and_fails_it() {
    let upstream = Upstream::always(answer("500 Broken", ""));
    let abort = "[[gate]]\nname = \"stop\"\nrequire = \"error.rate < 50%\"\nover = \"500ms\"\nabort = true";
    let (ended, report) = ran(&Draft::at(&upstream).steady("50s", "80/s").more(abort));
    let ended = ended.exits(1).says("stopped by the gate `error.rate < 50%`");
    assert_eq!((report.run.ended_by, report.run.complete), (EndedBy::AbortGate, false), "{ended}");
    assert!(report.run.duration_ms < 20_000 && report.accounting.unstarted > 0, "{:?}", report.accounting);
    assert_eq!(report.verdict.gates[0].decision, Decision::Fail);
}

#[test]
fn a_wrong_token_is_never_a_green_run() {
    at_once([("", 5), ("error.rate < 5%", 1), ("response.p50 < 1s", 5), ("contract.violations(high) == 0", 5)], |(gate, code)| {
        let mut draft =
            Draft::of("embedded = \"strict\"").target("headers = { Authorization = \"Bearer wrong\" }").contract().steady("1s", "60/s");
        draft.step = "request = \"GET /v1/conversations\"\n".to_owned();
        let draft = if gate.is_empty() { draft } else { draft.gate(gate) };
        let (ended, report) = ran(&draft);
        let ended = ended.exits(code).prints("every answer was 401 INVALID_TOKEN");
        assert_ne!(report.verdict.status, Status::Pass, "{ended}");
    });
}

#[test]
fn a_broken_reset_header_fails_the_gate_and_is_named() {
    let folder = Folder::new();
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/broken-reset.toml");
    let ended = folder.brownout(["run", plan, "--out", "run"]).ended().exits(1).prints("X-RateLimit-Reset");
    let report = folder.report();
    let named = report.findings.iter().any(|finding| finding.instance_path == "header:X-RateLimit-Reset" && finding.check == "R04");
    assert!(named && report.verdict.headline.contains("X-RateLimit-Reset"), "{ended}\n{:?}", report.findings);
}
