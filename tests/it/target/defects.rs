//! Every preset that spoils the server in one way is found by the check it is named after, and by no other.

use std::collections::BTreeSet;
use std::sync::Arc;

use brownout::client::{HttpVersion, RawBody, RawClient, RawHeader, RawLimits, RawRequest, RawTimeouts, TlsSettings};
use brownout::clock::Clock;
use brownout::contract::{Profile, Terms, catalogue};
use brownout::plan::Limits;
use brownout::secret::Secrets;
use brownout::severity::Severity;
use brownout::wire::{Ending, RequestFacts};
use http::HeaderMap;

use crate::client::{connector, on_a_worker};
use crate::support::client::Client;
use crate::support::contract::shipped;
use crate::support::served::{Served, Wish};

const USER: &str = "user-token";

/// Presets whose defect shows on the wire alone, in streams, or across answers: other tests look at these.
const ELSEWHERE: [&str; 7] = [
    "head-has-body",
    "no-content-has-body",
    "length-mismatch",
    "request-id-duplicate",
    "envelope-drift",
    "error-in-stream",
    "stream-unterminated",
];

/// The ids of everything that is wrong with a walk through the server's errors, in profile strict.
fn found(preset: &str) -> BTreeSet<&'static str> {
    let mut served = Served::new(shipped(), &Wish { preset, limits: Limits::Documented, ..Wish::STRICT });
    let requests = [
        ("GET", "/v1/conversations", USER, ""),
        ("POST", "/v1/conversations", USER, r#"{"title":"one"}"#),
        ("POST", "/v1/conversations", USER, r#"{"title":"one"}"#),
        ("POST", "/v1/conversations", USER, r#"{"title":""}"#),
        ("GET", "/v1/conversations/none", USER, ""),
        ("GET", "/v1/conversations", "no-such-token-at-all", ""),
        ("GET", "/v1/admin/mcp/tools", USER, ""),
        ("PATCH", "/v1/users/me", USER, r#"{"age":3}"#),
        ("POST", "/v1/responses", USER, r#"{"model":"fail-generation","input":"x"}"#),
        ("POST", "/v1/responses", USER, r#"{"model":"over-quota","input":"x"}"#),
        ("POST", "/v1/chat/completions", USER, r#"{"model":"fail-generation","messages":[{"role":"user","content":"x"}]}"#),
        ("POST", "/v1/chat/completions", USER, r#"{"model":"upstream-down","messages":[{"role":"user","content":"x"}]}"#),
    ];
    let mut found = BTreeSet::new();
    let bulk = ("POST", "/v1/conversations/bulk-delete", USER, r#"{"ids":["x"]}"#);
    for (method, path, token, body) in requests.into_iter().chain([bulk; 6]) {
        let answer = served.ask(method, path, token, body);
        found.extend(served.violations(method, path, &answer, Profile::Strict).into_iter().map(|violation| violation.check));
    }
    found
}

#[test]
fn each_preset_is_found_by_the_check_it_is_named_after_and_by_no_other() {
    let contract = shipped();
    let presets: Vec<String> = contract.server.iter().flat_map(|server| server.presets.iter().map(|preset| preset.name.clone())).collect();
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for preset in presets.iter().filter(|preset| !ELSEWHERE.contains(&preset.as_str())) {
        let Some(check) = catalogue::ALL.iter().find(|check| check.name == preset) else { continue };
        looked_at += 1;
        let found = found(preset);
        if found != BTreeSet::from([check.id]) {
            wrong.push(format!("{preset} is {} and was found as {found:?}", check.id));
        }
    }
    assert!(looked_at >= 30, "{looked_at} presets are named after checks");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The path of a file that was just uploaded.
fn a_file(served: &Served) -> String {
    let bearer = format!("Bearer {USER}");
    let headers = [("Content-Type", "text/plain"), ("Authorization", bearer.as_str())];
    let made = Client::connect(served.target.addr).send("POST", "/v1/media/upload", &headers, b"x");
    let made: serde_json::Value = serde_json::from_slice(&made.body).expect("JSON");
    format!("/v1/media/{}", made["data"]["id"].as_str().expect("an id"))
}

/// What the raw client sees of one answer of a preset, held to the contract.
fn on_the_wire(preset: &str, method: &str, target: &str) -> Vec<&'static str> {
    let served = Served::new(shipped(), &Wish { preset, limits: Limits::Off, ..Wish::STRICT });
    let path = if target == "{a file}" { a_file(&served) } else { target.to_owned() };
    let reply = on_a_worker(async {
        let connector = connector(&format!("http://{}", served.target.addr), &TlsSettings::default(), HttpVersion::Http1).await;
        let client = RawClient::new(&connector, Clock::new(), RawTimeouts::default(), RawLimits::default());
        let headers = [("host", served.target.addr.to_string()), ("authorization", format!("Bearer {USER}"))];
        let headers: Vec<RawHeader<'_>> = headers.iter().map(|(name, value)| ((*name).into(), value.as_bytes().into())).collect();
        client.send(&RawRequest { method, target: &path, headers: &headers, body: RawBody::None, expect_continue: false }).await
    });
    let terms = Terms { profile: Profile::Strict, undocumented: Severity::High, secrets: Arc::new(Secrets::default()) };
    let (method, sent) = (method.parse().expect("a method"), HeaderMap::new());
    let request = RequestFacts { method: &method, path: &path, query: None, headers: &sent, body: b"" };
    let violations = match (reply.ending, reply.facts()) {
        (Ending::Answered(_), Some(response)) => served.contract.check(&terms, &request, &response).violations,
        (Ending::Failed(failure), _) => served.contract.check_failure(&terms, &request, failure),
        other => panic!("{other:?}"),
    };
    violations.into_iter().filter(|violation| violation.severity > Severity::Info).map(|violation| violation.check).collect()
}

#[test]
fn what_is_wrong_with_the_framing_is_seen_by_a_client_that_looks_at_bytes() {
    assert_eq!(on_the_wire("head-has-body", "HEAD", "/v1/conversations/none"), ["P01"]);
    assert_eq!(on_the_wire("no-content-has-body", "DELETE", "{a file}"), ["P02"]);
    assert_eq!(on_the_wire("length-mismatch", "GET", "/v1/conversations/none"), ["P03"]);
    assert_eq!(on_the_wire("strict", "HEAD", "/v1/conversations/none"), [""; 0]);
}
