//! Waived findings count in no gate, known ones not as new, and what was not seen again is said.

use std::sync::Arc;

use brownout::analysis::Analysis;
use brownout::contract::baseline::Baseline;
use brownout::contract::{Judged, Source, Violation, Waiver};
use brownout::gate::Decision;
use brownout::plan::Plan;
use brownout::severity::Severity;

use super::heard::{Run, answered, plan};

const GATES: &str = "[contract]\nfile = \"plans/contracts/jan-server.toml\"\n[[gate]]\nrequire = \"contract.violations(high) == 0\"\n\
                     [[gate]]\nrequire = \"contract.new_violations(high) == 0\"\n[[gate]]\nrequire = \"contract.new_findings(high) == 0\"\n";

fn violation(check: &'static str) -> Violation {
    Violation {
        check,
        severity: Severity::High,
        instance_path: "header:X".to_owned(),
        expected: "this".to_owned(),
        actual: "that".to_owned(),
        cause: "differs".to_owned(),
        contract_ref: None,
    }
}

/// A run in which R03 was broken ten times and R04 five times.
fn told(change: impl FnOnce(&mut Plan)) -> Analysis {
    let mut plan = plan(GATES);
    change(Arc::make_mut(&mut plan));
    let mut run = Run::new(plan);
    for (k, check) in (0..15).map(|k| (k, if k < 10 { "R03" } else { "R04" })) {
        run.judged(k * 25 + 12, &[answered(429, 2)], &Judged { violations: vec![violation(check)], ..Judged::default() });
    }
    run.exchange(1_000, &[answered(200, 2)]);
    run.finish()
}

fn waiver(check: &'static str, expires: &str) -> Waiver {
    let expires = expires.parse().expect("a date");
    Waiver {
        check,
        entry: None,
        finding: None,
        reason: "API-123".to_owned(),
        expires,
        source: Source { file: "c.toml".to_owned(), line: 7 },
    }
}

fn waive(plan: &mut Plan, waiver: Waiver) {
    let used = plan.contract.as_mut().expect("a contract");
    Arc::make_mut(&mut used.contract).waivers.push(waiver);
}

fn gates(analysis: &Analysis) -> Vec<String> {
    analysis.verdict.gates.iter().map(|gate| gate.reason.split(" in ").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn without_a_baseline_every_finding_is_new() {
    let analysis = told(|_| ());
    assert_eq!(gates(&analysis), ["15", "15", "2"]);
    assert!(analysis.findings.iter().all(|finding| finding.baseline.is_none()));
}

#[test]
fn a_waived_finding_is_shown_with_its_reason_and_counts_in_no_gate() {
    let analysis = told(|plan| waive(plan, waiver("R03", "2026-12-31")));
    assert_eq!(gates(&analysis), ["5", "5", "1"]);
    let waived: Vec<_> = analysis.findings.iter().filter(|finding| finding.check == "R03").collect();
    assert_eq!((waived[0].baseline.as_deref(), waived[0].waiver.as_deref()), (Some("suppressed"), Some("API-123, until 2026-12-31")));
    let suppression = &analysis.suppressions[0];
    assert_eq!((suppression.expired, suppression.findings, suppression.violations), (false, 1, 10));
    assert!(analysis.verdict.headline.contains("(5 times)"), "{}", analysis.verdict.headline);
}

#[test]
fn a_waiver_whose_last_day_is_over_does_not_apply_and_that_is_said() {
    let analysis = told(|plan| waive(plan, waiver("R03", "2026-11-21")));
    assert_eq!(gates(&analysis), ["15", "15", "2"]);
    assert!(analysis.suppressions[0].expired && analysis.findings.iter().all(|finding| finding.waiver.is_none()));
    assert!(
        analysis.data_quality.warnings.contains(&"the waiver of R03 at c.toml:7 expired on 2026-11-21: it does not apply".to_owned()),
        "{:?}",
        analysis.data_quality.warnings
    );
}

#[test]
fn findings_of_the_baseline_are_known_and_those_that_are_gone_are_listed() {
    let first = told(|_| ());
    let id = |check: &str| first.findings.iter().find(|finding| finding.check == check).expect("a finding").id.clone();
    let known = |id: &str, check: &str| format!(r#"{{"id":"{id}","check":"{check}","severity":"high","title":"t","responder":"target"}}"#);
    let findings = [known(&id("R03"), "R03"), known("00000000000000ff", "H01")].join(",");
    let text = format!(r#"{{"kind":"run","run":{{"id":"r0"}},"findings":[{findings}]}}"#);
    let baseline = Baseline::read(&text, "base.json").expect("a report");
    let analysis = told(|plan| plan.contract.as_mut().expect("a contract").baseline = Some(Arc::new(baseline)));
    assert_eq!(gates(&analysis), ["15", "5", "1"]);
    assert_eq!(analysis.verdict.gates[2].decision, Decision::Fail);
    let stands = |check: &str| analysis.findings.iter().find(|finding| finding.check == check).and_then(|found| found.baseline.clone());
    assert_eq!((stands("R03").as_deref(), stands("R04").as_deref()), (Some("known"), Some("new")));
    let facts = analysis.contract.as_ref().and_then(|contract| contract.baseline.as_ref()).expect("a baseline");
    assert_eq!((facts.new, facts.known, facts.fixed.len()), (1, 1, 1));
    assert_eq!((facts.fixed[0].id.as_str(), facts.fixed[0].state.as_str()), ("00000000000000ff", "not-met"));
}
