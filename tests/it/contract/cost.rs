//! What judging costs: nothing on the heap for an answer in order, and constant memory however many are wrong.

use std::sync::Arc;

use allocation_counter::measure;
use brownout::contract::findings::{Place, Sighting};
use brownout::contract::ledger::Ledger;
use brownout::contract::{Circumstances, Judged, Profile, Terms};
use brownout::id::{ScenarioIx, StageIx, StepIx};
use brownout::secret::Secrets;
use brownout::severity::Severity;
use brownout::units::Offset;
use brownout::wire::RequestFacts;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use crate::support::contract::{Trial, now, shipped};

/// Violating answers, in a debug build; `cargo bench --bench contract -- million` notes fifty times as many.
const ANSWERS: u64 = 20_000;

fn terms() -> Terms {
    let mut secrets = Secrets::default();
    secrets.declare("token", "sk-Zx81kQw0bn3RtPu7LmVe92YcAd54");
    Terms { profile: Profile::Strict, undocumented: Severity::High, secrets: Arc::new(secrets) }
}

fn request_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer another-token-of-this-user"));
    headers.insert("host", HeaderValue::from_static("127.0.0.1:8080"));
    headers
}

fn judge<T>(terms: &Terms, headers: &HeaderMap, trial: &Trial<'_>, then: impl FnOnce(&Sighting<'_>) -> T) -> T {
    let request = RequestFacts { method: &Method::POST, path: &trial.path, query: None, headers, body: b"{}" };
    let response = trial.response();
    let judged: Judged<'_> = trial.contract.check(terms, &request, &response);
    then(&Sighting {
        at: Offset::START,
        place: Place::Load { stage: StageIx(0), scenario: ScenarioIx(0), step: StepIx(0) },
        open_faults: &[],
        injected: None,
        request: &request,
        response: Some(&response),
        judged: &judged,
    })
}

#[test]
fn an_answer_in_order_takes_no_allocation() {
    let (contract, terms, headers) = (shipped(), terms(), request_headers());
    for row in &contract.rows {
        let circumstances = Circumstances { retry_after_s: row.key.contains("429").then_some(30), ..now() };
        let trial = Trial::of(&contract, &row.key, &circumstances)
            .header("server", Some("gateway"))
            .header("cache-control", Some("no-store"))
            .header("vary", Some("origin, accept-encoding"))
            .header("x-content-type-options", Some("nosniff"));
        // A token that is refused asks for a challenge that says why: here there is none.
        let headers = if trial.answer.status == 401 { HeaderMap::new() } else { headers.clone() };
        let violations = || judge(&terms, &headers, &trial, |sighting| sighting.judged.violations.len());
        // The first answer of a kind makes the regular expressions' caches.
        let found = judge(&terms, &headers, &trial, |sighting| format!("{:?}", sighting.judged.violations));
        assert_eq!(violations(), 0, "{}: {found}", row.key);
        assert_eq!(measure(|| _ = violations()).count_total, 0, "{}", row.key);
    }
}

/// An answer with a mistake or two, in ids and numbers that no other one has.
fn spoiled<'c>(trial: &Trial<'c>, n: u64) -> Trial<'c> {
    let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let trial = Trial::new(trial.contract, &trial.path, trial.answer.clone()).member("request_id", Some(json!(format!("req_{id:016x}"))));
    match n % 10 {
        0 => trial.member("code", Some(json!(format!("MADE_UP_{n}")))),
        1 => trial.member("message", Some(json!(format!("at a.b.C{n}.d(C.java:{n})\n at e.F.g(F.java:{n})\n at h.I.j(I.java:1)")))),
        2 => trial.member("message", Some(json!(format!("cannot open /srv/app/tenants/{n}/settings-{id:x}.json")))),
        3 => trial.member("details", Some(json!(id))),
        4 => trial.member("error", Some(json!(format!("Failure {n}")))),
        5 => trial.member("message", None),
        6 => trial.header("x-ratelimit-reset", Some(&n.to_string())),
        7 => trial.member("code", Some(json!(format!("{id:016X}")))),
        8 => trial.member("code", Some(json!(format!("{id:08x}-{:04x}-4{:03x}-9abc-{id:012x}", n % 65_536, n % 4_096)))),
        _ => trial.member("details", Some(json!({ format!("key{n}"): "%s" }))),
    }
}

#[test]
fn violating_answers_without_end_become_few_findings_at_constant_memory() {
    let (contract, terms, headers) = (shipped(), terms(), request_headers());
    let limited = Circumstances { retry_after_s: Some(30), ..now() };
    let trials = [
        Trial::of(&contract, "INVALID_REQUEST", &now()),
        Trial::of(&contract, "RATE_LIMIT_EXCEEDED", &limited),
        Trial::of(&contract, "INTERNAL_ERROR", &now()),
    ];
    let mut ledger = Ledger::new(&contract, "http://127.0.0.1:1", Arc::clone(&terms.secrets));
    let mut kept = Vec::new();
    for tenth in 0..10 {
        let range = ANSWERS / 10 * tenth..ANSWERS / 10 * (tenth + 1);
        let memory = measure(|| {
            for n in range {
                let trial = spoiled(&trials[n as usize % trials.len()], n);
                judge(&terms, &headers, &trial, |sighting| {
                    assert!(!sighting.judged.violations.is_empty(), "{n}");
                    ledger.note(&contract, sighting);
                });
            }
        });
        kept.push(memory.bytes_current);
    }
    let found = ledger.findings.count(Severity::Info);
    assert!(found < 50, "{found}: {:#?}", ledger.findings.sorted().iter().map(|finding| finding.title()).collect::<Vec<_>>());
    assert_eq!(ledger.findings.overflow(), 0);
    assert!(ledger.findings.violations(Severity::Info) >= ANSWERS);
    // Request ids are remembered, 16 bytes and a slot each, up to a bound (`ledger::IDS`); nothing else may grow but samples
    // that take the place of shorter ones.
    let ids = i64::try_from(ANSWERS / 10 * 64).expect("a small number");
    assert!(kept[9] <= ids, "{kept:?}");
    assert!(kept[1..].iter().all(|bytes| *bytes <= 2 * 1024 * 1024 + ids), "{kept:?}");
}
