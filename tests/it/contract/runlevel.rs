//! What only the whole run shows: each check with answers that keep it and answers that break it.

use std::sync::Arc;

use brownout::contract::compared::{During, Question};
use brownout::contract::coverage::{Cause, State, Totals};
use brownout::contract::findings::{Confidence, Finding, Place, Responder, Sighting};
use brownout::contract::ledger::Ledger;
use brownout::contract::limiter::{Observation, Step, Trail};
use brownout::contract::{Circumstances, Contract, Provoke, Statuses, Terms};
use brownout::id::{ProbeIx, RowIx, RuleIx, ScenarioIx, StageIx, StepIx};
use brownout::severity::Severity;
use brownout::units::Offset;
use brownout::wire::RequestFacts;
use http::HeaderMap;
use serde_json::json;

use crate::support::contract::{NOW_US, Trial, now, read, shipped};

const LOAD: Place = Place::Load { stage: StageIx(0), scenario: ScenarioIx(0), step: StepIx(0) };

/// A ledger being told.
struct Book<'c> {
    contract: &'c Contract,
    ledger: Ledger,
}

impl<'c> Book<'c> {
    fn new(contract: &'c Contract) -> Book<'c> {
        Book { contract, ledger: Ledger::new(contract, "http://127.0.0.1:8000", Arc::default()) }
    }

    /// An answer at so many milliseconds.
    fn note(&mut self, trial: &Trial<'_>, at_ms: u64, place: Place) {
        self.told(trial, at_ms, place, &[], None);
    }

    fn told(&mut self, trial: &Trial<'_>, at_ms: u64, place: Place, open: &[RuleIx], asked: Option<(Question, During)>) {
        let terms = Terms { profile: trial.profile, undocumented: Severity::High, secrets: Arc::default() };
        let request = RequestFacts { method: &trial.method, path: &trial.path, query: None, headers: &trial.request_headers, body: b"" };
        let response = trial.response();
        let judged = self.contract.check(&terms, &request, &response);
        let at = Offset::micros(at_ms * 1_000);
        let sighting =
            Sighting { at, place, open_faults: open, injected: None, request: &request, response: Some(&response), judged: &judged };
        self.ledger.note(self.contract, &sighting);
        if let Some((question, during)) = asked {
            self.ledger.compare(question, during, &sighting);
        }
    }

    /// What the whole run shows, in short.
    fn concluded(&mut self) -> Vec<String> {
        self.ledger.conclude(self.contract);
        let whole = |finding: &&Finding| {
            brownout::contract::catalogue::find(finding.check)
                .is_some_and(|check| check.kind == brownout::contract::catalogue::Kind::WholeRun && finding.check != "I03")
        };
        let findings = self.ledger.findings.sorted();
        let mut shown: Vec<String> = findings
            .into_iter()
            .filter(whole)
            .map(|finding| format!("{} {}× {} {}: {}", finding.check, finding.count, finding.instance_path, finding.cause, finding.actual))
            .collect();
        shown.sort();
        shown
    }
}

fn hint<'c>(contract: &'c Contract, code: &str, hint: serde_json::Value, unique: u64) -> Trial<'c> {
    Trial::of(contract, code, &Circumstances { unique, ..now() }).member("hint", Some(hint))
}

// === coverage ===

#[test]
fn coverage_says_by_what_an_error_was_seen_and_what_is_out_of_scope() {
    let mut contract = shipped();
    let row = |contract: &Contract, name: &str| contract.row_named(name, None).expect("a row").at();
    let (excluded, default, fault) =
        (row(&contract, "TOOL_DISABLED"), row(&contract, "STORAGE_FULL"), row(&contract, "SERVICE_UNAVAILABLE"));
    contract.rows[excluded].excluded = Some("not offered yet".to_owned());
    contract.rows[default].statuses = Statuses::Default;
    contract.reindex();
    contract.rows[fault].provoke = Some(Provoke::Fault(Some("outage".to_owned())));
    let mut book = Book::new(&contract);
    let trial = |name: &str| Trial::of(&contract, name, &now());
    book.note(&trial("CONVERSATION_NOT_FOUND"), 1, LOAD);
    book.note(&trial("CONVERSATION_NOT_FOUND"), 2, Place::Probe(ProbeIx(3)));
    book.note(&trial("INTERNAL_ERROR"), 3, Place::Hook(ProbeIx(4)));
    book.told(&trial("SERVICE_UNAVAILABLE"), 4, LOAD, &[RuleIx(0)], None);
    book.note(&trial("TOOL_DISABLED"), 5, Place::Probe(ProbeIx(5)));
    let entries = book.ledger.coverage.entries(&contract, &book.ledger.findings);
    let of = |ix: usize| entries.iter().find(|entry| entry.row == RowIx::from(ix)).map(|entry| (entry.state, entry.how_seen.clone()));
    assert_eq!(of(row(&contract, "CONVERSATION_NOT_FOUND")), Some((State::Conformant, vec![Cause::Load, Cause::Probe])));
    assert_eq!(of(row(&contract, "INTERNAL_ERROR")), Some((State::Conformant, vec![Cause::Hook])));
    assert_eq!(of(fault), Some((State::Conformant, vec![Cause::Fault])));
    assert_eq!(of(excluded), Some((State::Excluded, vec![Cause::Probe])));
    assert_eq!(of(default), Some((State::Excluded, vec![])));
    let totals = Totals::of(&entries);
    assert_eq!(totals, Totals { in_scope: 26, seen: 3, conformant: 3, absolute_total: 28, absolute_seen: 4 });
    assert_eq!((totals.coverage(), totals.absolute()), (Some(3.0 / 26.0), Some(4.0 / 28.0)));
}

// === X01 ===

#[test]
fn members_that_are_sometimes_absent_or_null_are_no_drift() {
    let contract = shipped();
    let mut book = Book::new(&contract);
    for n in 0..20 {
        book.note(&hint(&contract, "CONVERSATION_NOT_FOUND", if n % 2 == 0 { json!("x") } else { json!(null) }, n), n, LOAD);
        book.note(&Trial::of(&contract, "VALIDATION_FAILED", &Circumstances { unique: n, ..now() }).at("/v1/conversations"), n, LOAD);
    }
    assert_eq!(book.concluded(), [""; 0]);
    assert!(book.ledger.drift.shapes().len() >= 3, "they are listed all the same");
}

#[test]
fn a_member_with_two_types_is_drift_and_counts_the_rarer_one() {
    let contract = shipped();
    let mut book = Book::new(&contract);
    for n in 0..30 {
        let value = if n % 10 == 0 { json!({ "text": "x" }) } else { json!("x") };
        book.note(&hint(&contract, if n % 2 == 0 { "CONVERSATION_NOT_FOUND" } else { "INVALID_REQUEST" }, value, n), n, LOAD);
    }
    assert_eq!(book.concluded(), ["X01 3× $.hint type differs: string in 27, object in 3 answers"]);
    let found = book.ledger.findings.sorted()[0].clone();
    assert_eq!((found.severity, found.responder, found.evidence.len()), (Severity::Medium, Responder::Origin, 2));
}

#[test]
fn what_two_workers_saw_apart_drifts_together() {
    let contract = shipped();
    let (mut one, mut other) = (Book::new(&contract), Book::new(&contract));
    one.note(&hint(&contract, "CONVERSATION_NOT_FOUND", json!("x"), 1), 1, LOAD);
    other.note(&hint(&contract, "CONVERSATION_NOT_FOUND", json!(1), 2), 2, LOAD);
    one.ledger.merge(other.ledger);
    assert_eq!(one.concluded(), ["X01 1× $.hint type differs: number in 1, string in 1 answers"]);
}

// === B13, T04 ===

#[test]
fn a_code_with_many_names_is_unstable_and_one_with_a_few_is_not() {
    let contract = shipped();
    for (names, found) in [(3, 0), (4, 1), (40, 1)] {
        let mut book = Book::new(&contract);
        for n in 0..40 {
            let trial = Trial::of(&contract, "CONVERSATION_NOT_FOUND", &Circumstances { unique: n, ..now() });
            book.note(&trial.member("title", Some(json!(format!("name {}", n % names)))), n * 10, LOAD);
        }
        let concluded = book.concluded();
        assert_eq!(concluded.len(), found, "{names}: {concluded:?}");
        assert!(concluded.iter().all(|line| line.starts_with("B13") && line.contains("$.title many names")), "{concluded:?}");
    }
}

#[test]
fn a_timestamp_that_stands_still_is_frozen_and_one_of_the_same_second_is_not() {
    let contract = shipped();
    let at = |s: u64| Circumstances { now_unix_us: NOW_US + i64::try_from(s).expect("small") * 1_000_000, unique: s, ..now() };
    for (frozen, lines) in [(false, 0), (true, 1)] {
        let mut book = Book::new(&contract);
        for s in 0..30 {
            let fresh = Trial::of(&contract, "INTERNAL_ERROR", &at(s));
            let trial = if frozen { fresh.member("timestamp", Some(json!("2026-11-22T12:00:00Z"))) } else { fresh };
            book.note(&trial, s * 1_000, LOAD);
            book.note(&trial, s * 1_000 + 300, LOAD);
        }
        let concluded = book.concluded();
        assert_eq!(concluded.len(), lines, "{concluded:?}");
        assert!(concluded.iter().all(|line| line.starts_with("T04 20× $.timestamp frozen")), "{concluded:?}");
    }
}

// === X02, X03 ===

fn probe(n: u16, during: During) -> Option<(Question, During)> {
    Some((Question::Probe(ProbeIx(n)), during))
}

#[test]
fn the_same_answer_in_every_phase_and_a_limit_under_load_are_no_difference() {
    let contract = shipped();
    let mut book = Book::new(&contract);
    let calm = Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now());
    let busy = Trial::of(&contract, "RATE_LIMIT_EXCEEDED", &Circumstances { retry_after_s: Some(3), ..now() });
    for during in [During::Idle, During::Idle, During::Load, During::Fault] {
        book.told(&calm, 1, Place::Probe(ProbeIx(0)), &[], probe(0, during));
    }
    book.told(&busy, 2, Place::Probe(ProbeIx(0)), &[], probe(0, During::Load));
    assert_eq!(book.concluded(), [""; 0]);
}

#[test]
fn another_status_under_load_is_one_finding_for_all_probes_that_met_it() {
    let contract = shipped();
    let mut book = Book::new(&contract);
    let calm = Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now());
    let failing = Trial::of(&contract, "INTERNAL_ERROR", &now());
    for n in 0..5 {
        book.told(&calm, 1, Place::Probe(ProbeIx(n)), &[], probe(n, During::Idle));
        book.told(&failing, 2, Place::Probe(ProbeIx(n)), &[], probe(n, During::Load));
    }
    assert_eq!(book.concluded(), ["X02 5× $ status under load: 500 INTERNAL_ERROR under load"]);
    let findings = book.ledger.findings.sorted();
    let found = findings.iter().find(|finding| finding.check == "X02").expect("it is found");
    assert_eq!((found.probes.len(), found.status, found.expected.as_str()), (5, Some(500), "404 CONVERSATION_NOT_FOUND, as when idle"));
}

#[test]
fn an_idle_target_that_answers_one_probe_in_two_ways_is_not_deterministic() {
    let contract = shipped();
    let mut book = Book::new(&contract);
    let one = Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now());
    let other = Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now()).member("replica", Some(json!(2)));
    for (trial, times) in [(&one, 3), (&other, 1)] {
        (0..times).for_each(|_| book.told(trial, 1, Place::Probe(ProbeIx(0)), &[], probe(0, During::Idle)));
    }
    let concluded = book.concluded();
    assert_eq!(concluded.len(), 1);
    assert!(
        concluded[0].starts_with("X03 1× $ shape: 404 CONVERSATION_NOT_FOUND in 3, 404 CONVERSATION_NOT_FOUND of shape "),
        "{concluded:?}"
    );
}

#[test]
fn a_step_that_fails_more_often_under_load_than_it_can_have_when_idle_differs() {
    let contract = shipped();
    let step = Question::Step(ScenarioIx(0), StepIx(0));
    let (good, bad) = (Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now()), Trial::of(&contract, "INTERNAL_ERROR", &now()));
    for (idle, bad_under_load, found) in [(200, 20, 1), (200, 2, 0), (10, 20, 0)] {
        let mut book = Book::new(&contract);
        (0..idle).for_each(|_| book.told(&good, 1, LOAD, &[], Some((step, During::Idle))));
        (0..200).for_each(|n| book.told(if n < bad_under_load { &bad } else { &good }, 2, LOAD, &[], Some((step, During::Load))));
        let concluded: Vec<String> = book.concluded().into_iter().filter(|line| line.starts_with("X02")).collect();
        assert_eq!(concluded.len(), found, "{idle} {bad_under_load}: {concluded:?}");
        assert!(concluded.iter().all(|line| line.contains("status more often under load: 500 in 20 of 200 under load")), "{concluded:?}");
    }
}

// === X04 and responders ===

#[test]
fn a_page_with_a_gateways_name_is_likely_the_gateways_and_nobody_else_is_guessed() {
    let contract = shipped();
    let page = |server: Option<&str>| {
        let trial = Trial::of(&contract, "SERVICE_UNAVAILABLE", &now()).status(502).body(b"<html>502 Bad Gateway</html>");
        trial.header("content-type", Some("text/html")).header("server", server)
    };
    for (server, responder, confidence, unattributed) in [
        (Some("nginx/1.25"), Responder::Gateway, Confidence::Likely, 1),
        (Some("awselb/2.0"), Responder::Gateway, Confidence::Likely, 1),
        (Some("uvicorn"), Responder::Origin, Confidence::Certain, 0),
        (None, Responder::Origin, Confidence::Certain, 0),
    ] {
        let mut book = Book::new(&contract);
        book.note(&page(server), 1, LOAD);
        let concluded = book.concluded();
        assert_eq!(concluded.len(), unattributed, "{server:?}: {concluded:?}");
        let all = book.ledger.findings.sorted();
        let blamed: Vec<_> = all.iter().filter(|finding| finding.check != "X04").map(|f| (f.responder, f.confidence)).collect();
        assert!(!blamed.is_empty() && blamed.iter().all(|found| *found == (responder, confidence)), "{server:?}: {blamed:?}");
    }
    let mut documented = Book::new(&contract);
    documented.note(&Trial::of(&contract, "SERVICE_UNAVAILABLE", &now()).header("server", Some("nginx")), 1, LOAD);
    assert_eq!(documented.concluded(), [""; 0], "a documented error behind a gateway is the origin's");
}

// === R10 – R13 ===

/// An answer that admits or refuses, with what it says of its limit.
fn limited<'c>(contract: &'c Contract, refused: bool, remaining: u64, reset_in_s: i64) -> Trial<'c> {
    let name = if refused { "RATE_LIMIT_EXCEEDED" } else { "CONVERSATION_NOT_FOUND" };
    let reset = (NOW_US / 1_000_000 + reset_in_s).to_string();
    let trial = Trial::of(contract, name, &Circumstances { retry_after_s: Some(3), ..now() });
    let trial = trial.header("x-ratelimit-limit", Some("60")).header("x-ratelimit-remaining", Some(&remaining.to_string()));
    trial.header("x-ratelimit-reset", Some(&reset)).header("date", None)
}

#[test]
fn what_remains_may_rise_as_fast_as_a_refill_and_no_faster() {
    let contract = shipped();
    for (counts, rises) in [(vec![50, 49, 48, 47], 0), (vec![50, 49, 50, 49], 0), (vec![50, 30, 55, 30], 1)] {
        let mut book = Book::new(&contract);
        for (n, remaining) in counts.iter().enumerate() {
            book.note(&limited(&contract, false, *remaining, 60), 1_000 + n as u64 * 100, LOAD);
        }
        let concluded: Vec<String> = book.concluded().into_iter().filter(|line| line.starts_with("R10")).collect();
        assert_eq!(concluded.len(), rises, "{counts:?}: {concluded:?}");
        assert!(concluded.iter().all(|line| line.contains("header:remaining rises: 55 after 30")), "{concluded:?}");
    }
}

#[test]
fn a_wait_that_was_kept_alone_and_refused_again_is_dishonest_and_one_in_company_is_not() {
    let contract = shipped();
    let place = (ScenarioIx(0), StepIx(0));
    for (kept, again, company, found) in [(20, 10, false, 1), (20, 1, false, 0), (9, 9, false, 0), (20, 20, true, 0)] {
        let mut book = Book::new(&contract);
        book.note(&limited(&contract, true, 0, 3), 0, LOAD);
        for n in 0..kept {
            let (from, to) = (n * 4_000, n * 4_000 + 3_000);
            book.ledger.limits.waited(place, Offset::micros(from * 1_000), Offset::micros(to * 1_000), n < again);
            if company {
                book.note(&limited(&contract, false, 1, 3), from + 1_500, LOAD);
            }
        }
        let concluded: Vec<String> = book.concluded().into_iter().filter(|line| line.starts_with("R11")).collect();
        assert_eq!(concluded.len(), found, "{kept} {again} {company}: {concluded:?}");
        assert!(
            concluded.iter().all(|line| line.contains("10 of 20 who waited as told were refused again (95 % interval")),
            "{concluded:?}"
        );
    }
}

fn trail(steps: &[(Step, u64, u16, Option<&str>)]) -> Trail {
    let one = |&(step, ms, status, wait): &(Step, u64, u16, Option<&str>)| {
        let seen = Observation {
            sent_at: Offset::micros(ms * 1_000),
            at: Offset::micros(ms * 1_000 + 500),
            status,
            cost: 1,
            limit: Some(50),
            retry_after: wait.map(str::to_owned),
            ..Observation::default()
        };
        (step, seen)
    };
    Trail { operation: "POST /v1/chat/completions".to_owned(), observations: steps.iter().map(one).collect() }
}

#[test]
fn a_probe_that_waited_as_told_knows_whether_that_was_honest_or_too_long() {
    let contract = shipped();
    let burst = [(Step::Burst, 0, 200, None), (Step::Burst, 1, 429, Some("5"))];
    for (after, found) in [
        (vec![(Step::Waited, 5_100, 200, None)], vec![]),
        (vec![(Step::Waited, 5_100, 429, Some("5"))], vec!["R11"]),
        (vec![(Step::Trickle, 2_000, 200, None), (Step::Waited, 5_100, 200, None)], vec!["R12"]),
        (vec![(Step::Trickle, 4_500, 200, None)], vec![]),
    ] {
        let mut book = Book::new(&contract);
        book.ledger.limits.trail(&trail(&[&burst[..], &after[..]].concat()));
        let concluded = book.concluded();
        let checks: Vec<&str> = concluded.iter().map(|line| &line[..3]).collect();
        assert_eq!(checks, found, "{after:?}");
    }
}

const LIMITED: &str = r#"
[[operation]]
request  = "POST /v1/chat/completions"
statuses = [200, 429]
limit    = 60
window   = "60s"
"#;

#[test]
fn a_limit_is_held_against_the_documented_one() {
    let name = brownout::plan::contract_file::shipped_name();
    let text = format!("{}\n{LIMITED}", brownout::plan::contract_file::shipped(name).expect("it is compiled in"));
    let contract = read("limited.toml", &text).unwrap_or_else(|problems| panic!("{problems}"));
    for (limit, found) in [("60", 0), ("50", 1)] {
        let mut book = Book::new(&contract);
        let mut trial = limited(&contract, false, 10, 60).header("x-ratelimit-limit", Some(limit)).at("/v1/chat/completions");
        trial.method = http::Method::POST;
        (0..3).for_each(|n| book.note(&trial, n, LOAD));
        let concluded: Vec<String> = book.concluded().into_iter().filter(|line| line.starts_with("R13")).collect();
        assert_eq!(concluded.len(), found, "{limit}: {concluded:?}");
        assert!(concluded.iter().all(|line| line == "R13 3× header:limit POST /v1/chat/completions: 50"), "{concluded:?}");
    }
    let mut probed = Book::new(&contract);
    probed.ledger.limits.trail(&trail(&[(Step::Burst, 0, 200, None), (Step::Burst, 1, 429, Some("1"))]));
    assert_eq!(probed.concluded(), ["R13 2× header:limit POST /v1/chat/completions: 50"]);
    let measured = probed.ledger.limits.measured(&contract);
    let told = (measured[0].advertised_limit, measured[0].documented_limit, measured[0].verdict.algorithm);
    assert_eq!(told, (Some(50), Some(60), None));
}

#[test]
fn many_answers_leave_a_ledger_of_constant_size() {
    let contract = shipped();
    let mut book = Book::new(&contract);
    let mut headers = HeaderMap::new();
    for n in 0..3_000u64 {
        headers.insert("authorization", format!("Bearer {n}").parse().expect("a value"));
        let mut trial = limited(&contract, n % 3 == 0, n % 50, 60).member(&format!("m{n}"), Some(json!(n)));
        trial.request_headers.clone_from(&headers);
        book.told(&trial, n * 20, LOAD, &[], probe((n % 60_000) as u16, During::Load));
    }
    assert!(book.ledger.drift.shapes().len() <= 128 && book.ledger.drift.overflow() > 2_000);
    assert!(book.ledger.limits.measured(&contract).len() <= 32);
    book.ledger.conclude(&contract);
    assert!(book.ledger.findings.sorted().len() < 50);
}
