//! Violations are grouped by cause, at constant memory; documented errors are covered or not.

use std::sync::Arc;

use brownout::contract::coverage::{State, Totals};
use brownout::contract::evidence::LONGEST;
use brownout::contract::findings::{Finding, MOST, Place, Responder, SAMPLES, Sighting};
use brownout::contract::ledger::{IDS, Ledger};
use brownout::contract::{Circumstances, Contract, Profile, Terms};
use brownout::id::{RuleIx, ScenarioIx, StageIx, StepIx};
use brownout::secret::Secrets;
use brownout::seed::Seed;
use brownout::severity::Severity;
use brownout::units::Offset;
use brownout::wire::RequestFacts;
use serde_json::json;

use crate::support::contract::{NOW_US, Trial, now, shipped};

fn ledger(contract: &Contract) -> Ledger {
    let mut secrets = Secrets::default();
    secrets.declare("token", "top-secret-1");
    Ledger::new(contract, "http://127.0.0.1:8000", Arc::new(secrets))
}

/// Where in the run an answer stands: its number is its second.
fn note(ledger: &mut Ledger, trial: &Trial<'_>, at: u64, injected: Option<RuleIx>) -> Option<Severity> {
    let terms = Terms { profile: trial.profile, undocumented: Severity::High, secrets: Arc::new(trial.secrets.clone()) };
    let request =
        RequestFacts { method: &trial.method, path: &trial.path, query: None, headers: &trial.request_headers, body: b"{\"title\":\"x\"}" };
    let response = trial.response();
    let judged = trial.contract.check(&terms, &request, &response);
    let sighting = Sighting {
        at: Offset::micros(at * 1_000_000),
        place: Place::Load { stage: StageIx((at / 10) as u16), scenario: ScenarioIx(0), step: StepIx((at % 3) as u16) },
        open_faults: if at >= 20 { &[RuleIx(4)] } else { &[] },
        injected,
        request: &request,
        response: Some(&response),
        judged: &judged,
    };
    ledger.note(trial.contract, &sighting).map(|violation| violation.severity)
}

fn wrong_reset(contract: &Contract, at: u64) -> Trial<'_> {
    let reset = (NOW_US / 1_000_000 + 3_600 + at as i64).to_string();
    Trial::of(contract, "RATE_LIMIT_EXCEEDED", &Circumstances { retry_after_s: Some(at % 30), unique: at, ..now() })
        .header("x-ratelimit-reset", Some(&reset))
}

fn only(ledger: &Ledger) -> &Finding {
    let all = ledger.findings.sorted();
    assert_eq!(all.len(), 1, "{:#?}", all.iter().map(|finding| finding.title()).collect::<Vec<_>>());
    all[0]
}

#[test]
fn many_answers_with_one_cause_are_one_finding() {
    let contract = shipped();
    let mut ledger = ledger(&contract);
    for at in 0..30 {
        let mut trial = wrong_reset(&contract, at);
        trial.request_headers.insert("authorization", "Bearer top-secret-1".parse().expect("a header value"));
        note(&mut ledger, &trial, at, None);
    }
    let finding = only(&ledger);
    assert_eq!((finding.check, finding.severity, finding.count), ("R04", Severity::High, 30));
    assert_eq!((finding.first_at, finding.last_at), (Offset::START, Offset::micros(29_000_000)));
    assert_eq!((finding.stages.len(), finding.operations.len()), (3, 3));
    assert_eq!(finding.faults.iter().copied().collect::<Vec<_>>(), [RuleIx(4)]);
    assert_eq!((finding.status, finding.code.as_deref(), finding.responder), (Some(429), Some("RATE_LIMIT_EXCEEDED"), Responder::Origin));
    assert_eq!(finding.title(), "429 RATE_LIMIT_EXCEEDED: the reset header contradicts the body (X-RateLimit-Reset)");
    assert_eq!(finding.evidence.len(), SAMPLES);
    let sample = &finding.evidence[0];
    assert!(
        sample
            .curl
            .starts_with("curl -sS -i -H \"authorization: Bearer $TOKEN\" --data-raw '{\"title\":\"x\"}' 'http://127.0.0.1:8000/v1/"),
        "{}",
        sample.curl
    );
    assert!(!format!("{finding:?}").contains("top-secret-1"));
    assert_eq!((ledger.findings.violations(Severity::High), ledger.findings.violations(Severity::Critical)), (30, 0));
    assert_eq!((ledger.findings.count(Severity::Info), ledger.findings.count(Severity::Critical)), (1, 0));
}

#[test]
fn what_is_wrong_with_the_server_as_a_whole_is_one_finding_whatever_it_answers() {
    let contract = shipped();
    let mut ledger = ledger(&contract);
    for (at, code) in ["CONVERSATION_NOT_FOUND", "INTERNAL_ERROR", "VALIDATION_FAILED", "INVALID_REQUEST"].into_iter().enumerate() {
        let trial = Trial::of(&contract, code, &now()).header("x-content-type-options", None).header("server", Some("nginx/1.25.3"));
        note(&mut ledger, &trial, at as u64, None);
    }
    let facts = |finding: &Finding| (finding.check, finding.severity, finding.status, finding.code.clone(), finding.count);
    let mut found: Vec<_> = ledger.findings.sorted().into_iter().map(facts).collect();
    found.sort();
    assert_eq!(found, [("H09", Severity::Info, None, None, 4), ("H10", Severity::Info, None, None, 4)]);
    let titles: Vec<String> = ledger.findings.sorted().into_iter().map(Finding::title).collect();
    assert!(titles.contains(&"the error may be sniffed as another type (X-Content-Type-Options)".to_owned()), "{titles:?}");
}

#[test]
fn samples_are_spread_over_the_whole_run() {
    let contract = shipped();
    let mut ledger = ledger(&contract);
    for at in 0..3_000 {
        note(&mut ledger, &wrong_reset(&contract, at), at, None);
    }
    let mut at: Vec<u64> = only(&ledger).evidence.iter().map(|sample| sample.at.as_millis() / 1_000).collect();
    at.sort_unstable();
    assert_eq!(at.len(), SAMPLES);
    assert!(at[2] > 300, "not only the first ones: {at:?}");
}

#[test]
fn injected_answers_are_judged_and_never_counted_against_the_target() {
    let contract = shipped();
    let mut ledger = ledger(&contract);
    note(&mut ledger, &wrong_reset(&contract, 1), 1, Some(RuleIx(0)));
    assert_eq!(only(&ledger).responder, Responder::Injector);
    assert_eq!(
        (ledger.findings.violations(Severity::Info), ledger.findings.injected_violations(), ledger.findings.count(Severity::Info)),
        (0, 1, 0)
    );
    assert_eq!((ledger.coverage.inspected(), ledger.coverage.inspected_injected()), (0, 1));
    note(&mut ledger, &wrong_reset(&contract, 2), 2, None);
    assert_eq!(ledger.findings.sorted().len(), 2, "the target's own is another finding");
}

#[test]
fn the_id_of_a_finding_is_the_same_in_every_run() {
    let contract = shipped();
    let mut ledger = ledger(&contract);
    note(&mut ledger, &wrong_reset(&contract, 1), 1, None);
    assert_eq!(only(&ledger).id, "79affab2e747684a");
}

#[test]
fn ledgers_of_workers_merge_to_what_one_would_have_found() {
    let contract = shipped();
    let (mut one, mut first, mut second) = (ledger(&contract), ledger(&contract), ledger(&contract));
    for at in 0..40 {
        let trial = if at % 4 == 0 {
            wrong_reset(&contract, at)
        } else {
            Trial::of(&contract, "INTERNAL_ERROR", &Circumstances { unique: at, ..now() }).member("timestamp", None)
        };
        let trial = trial.held_to(Profile::Strict);
        note(&mut one, &trial, at, None);
        note(if at % 2 == 0 { &mut first } else { &mut second }, &trial, at, None);
    }
    first.merge(second);
    let facts = |ledger: &Ledger| -> Vec<_> {
        ledger
            .findings
            .sorted()
            .into_iter()
            .map(|f| (f.id.clone(), f.count, f.first_at, f.last_at, f.stages.clone(), f.operations.clone(), f.evidence.len()))
            .collect()
    };
    assert_eq!(facts(&first), facts(&one));
    assert_eq!(first.coverage.entries(&contract, &first.findings), one.coverage.entries(&contract, &one.findings));
    assert_eq!(first.findings.violations(Severity::Info), one.findings.violations(Severity::Info));
}

#[test]
fn a_request_id_that_comes_twice_is_a_finding_unless_it_is_an_echo() {
    let contract = shipped();
    let trial = |unique| Trial::of(&contract, "INTERNAL_ERROR", &Circumstances { unique, ..now() });
    let mut ledger = ledger(&contract);
    assert_eq!(note(&mut ledger, &trial(1), 1, None), None);
    assert_eq!(note(&mut ledger, &trial(2), 2, None), None);
    assert_eq!(note(&mut ledger, &trial(1), 3, Some(RuleIx(0))), None, "ours");
    assert_eq!(note(&mut ledger, &trial(1), 4, None), Some(Severity::High));
    let finding = only(&ledger);
    assert_eq!((finding.check, finding.instance_path.as_str(), finding.count), ("I03", "$.request_id", 1));
    assert_eq!(finding.actual, "\"req_0000000000000001\" again");
    let mut echo = trial(2);
    echo.request_headers.insert("x-request-id", "req_0000000000000002".parse().expect("a header value"));
    assert_eq!(note(&mut ledger, &echo, 5, None), None, "the client chose it");
    let state = |ledger: &Ledger| {
        let entries = ledger.coverage.entries(&contract, &ledger.findings);
        entries.into_iter().find(|entry| contract.row(entry.row).code == "INTERNAL_ERROR").map(|entry| (entry.state, entry.findings))
    };
    assert_eq!(state(&ledger), Some((State::Violating, 1)));
}

#[test]
fn a_request_id_that_two_workers_saw_is_found_when_they_merge() {
    let contract = shipped();
    let (mut first, mut second) = (ledger(&contract), ledger(&contract));
    for unique in [1, 2, 3] {
        let trial = Trial::of(&contract, "INTERNAL_ERROR", &Circumstances { unique, ..now() });
        note(&mut first, &trial, unique, None);
        if unique > 1 {
            note(&mut second, &trial, unique, None);
        }
    }
    first.merge(second);
    let finding = only(&first);
    assert_eq!((finding.check, finding.count, finding.evidence.len()), ("I03", 2, 0));
    assert_eq!(first.findings.violations(Severity::High), 2);
    const { assert!(IDS >= 250_000) };
}

#[test]
fn coverage_tells_seen_from_in_order_and_ours_from_theirs() {
    let contract = shipped();
    let mut ledger = ledger(&contract);
    note(&mut ledger, &Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now()), 1, None);
    note(&mut ledger, &wrong_reset(&contract, 2), 2, None);
    note(&mut ledger, &Trial::of(&contract, "SERVICE_UNAVAILABLE", &now()), 3, Some(RuleIx(0)));
    note(&mut ledger, &Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now()).member("code", Some(json!("E_17"))), 4, None);
    note(&mut ledger, &Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now()).member("code", Some(json!("E_18"))), 5, None);
    note(&mut ledger, &Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now()).status(418), 6, None);
    ledger.coverage.tried(contract.row_named("TOOL_DISABLED", None).expect("a row"));
    let entries = ledger.coverage.entries(&contract, &ledger.findings);
    let state = |key: &str| entries.iter().find(|entry| contract.row(entry.row).key == key).map(|entry| entry.state);
    assert_eq!(state("llm-api/*/404/CONVERSATION_NOT_FOUND"), Some(State::Conformant));
    assert_eq!(state("llm-api/*/429/RATE_LIMIT_EXCEEDED"), Some(State::Violating));
    assert_eq!(state("*/*/429/RATE_LIMIT_EXCEEDED"), Some(State::NotTried), "that row is for the other services");
    assert_eq!(state("*/*/503/SERVICE_UNAVAILABLE"), Some(State::SyntheticOnly));
    assert_eq!(state("mcp-tools/*/403/TOOL_DISABLED"), Some(State::Unreached));
    assert_eq!(state("media-api/*/507/STORAGE_FULL"), Some(State::NeedsHook));
    let totals = Totals::of(&entries);
    assert_eq!(totals, Totals { in_scope: 28, seen: 2, conformant: 1, absolute_total: 28, absolute_seen: 2 });
    assert_eq!((totals.conformance(), Totals::default().coverage(), Totals::default().conformance()), (Some(0.5), None, None));
    let undocumented: Vec<_> = ledger.coverage.undocumented().map(|(what, count)| (what.status, what.code.as_deref(), count)).collect();
    assert_eq!(undocumented, [(404, Some("E_#"), 2), (418, Some("CONVERSATION_NOT_FOUND"), 1)]);
    assert_eq!(ledger.coverage.inspected(), 5);
}

#[test]
fn two_hundred_thousand_violating_answers_are_a_few_findings_at_constant_memory() {
    let contract = shipped();
    let mut ledger = ledger(&contract);
    let terms = Terms { profile: Profile::Strict, undocumented: Severity::High, secrets: Arc::default() };
    // Every answer is wrong in one of a few ways and different in every value.
    let trials: Vec<Trial<'_>> = (0..500u64)
        .map(|k| match k % 5 {
            0 => wrong_reset(&contract, k),
            1 => Trial::of(&contract, "INTERNAL_ERROR", &now()).member("request_id", Some(json!(format!("id-{k}")))),
            2 => Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now()).member("code", Some(json!(format!("ERR_{k}")))),
            3 => Trial::of(&contract, "VALIDATION_FAILED", &now())
                .member("errors", Some(json!(vec![json!({ "message": format!("m{k}") }); 30]))),
            _ => Trial::of(&contract, "SERVICE_UNAVAILABLE", &now()).body(format!("<html>{}</html>", "x".repeat(20_000)).as_bytes()),
        })
        .collect();
    for n in 0..200_000u64 {
        let trial = &trials[Seed(1).draw("trial").with(n).below(500) as usize];
        let request = RequestFacts { method: &trial.method, path: &trial.path, query: None, headers: &trial.request_headers, body: b"" };
        let response = trial.response();
        // Judging is not what is measured here: one judgement serves many notes.
        if n < 500 || n % 50 == 0 {
            let judged = contract.check(&terms, &request, &response);
            let sighting = |at: u64| Sighting {
                at: Offset::micros(at),
                place: Place::Load { stage: StageIx(0), scenario: ScenarioIx(0), step: StepIx(0) },
                open_faults: &[],
                injected: None,
                request: &request,
                response: Some(&response),
                judged: &judged,
            };
            (0..50).for_each(|k| ledger.findings.note(&contract, &sighting(n + k)));
        }
    }
    let findings = ledger.findings.sorted();
    assert!(findings.len() < 50, "{}", findings.len());
    assert!(ledger.findings.violations(Severity::Info) > 200_000);
    assert_eq!(ledger.findings.overflow(), 0);
    for finding in findings {
        assert!(finding.evidence.len() <= SAMPLES);
        assert!(finding.evidence.iter().all(|sample| sample.response.len() <= LONGEST + 100), "{}", finding.title());
    }
}

#[test]
fn causes_without_end_overflow_into_a_number() {
    let contract = shipped();
    let mut ledger = ledger(&contract);
    for k in 0..1_500u64 {
        let letters: String = (0..6).map(|n| char::from(b'A' + Seed(k).draw("letter").with(n).below(26) as u8)).collect();
        note(&mut ledger, &Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now()).member("code", Some(json!(letters))), k, None);
    }
    assert_eq!(ledger.findings.sorted().len(), MOST);
    assert_eq!(ledger.findings.overflow(), 500);
    assert_eq!(ledger.findings.violations(Severity::High), 1_500, "every violation is counted");
    assert_eq!(ledger.coverage.undocumented().count(), 100);
    assert_eq!(ledger.coverage.undocumented_overflow(), 1_400);
}
