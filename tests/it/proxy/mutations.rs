//! Negative controls: every answer that is wrong by name is found by the checks that its name stands for, and by no other.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use brownout::client::{HttpVersion, RawBody, RawClient, RawHeader, RawLimits, RawRequest, RawTimeouts};
use brownout::clock::Clock;
use brownout::fault::mutation::{ALL, Mutation};
use brownout::fault::{Effect, Fault, FaultRule, Respond, RetryAfterForm};
use brownout::id::RuleIx;
use brownout::record::Unfired;
use brownout::severity::Severity;
use brownout::units::Micros;
use brownout::wire::{Ending, PathPattern, RequestFacts};
use http::{HeaderMap, Method};

use super::rig::{Rig, connector, get, held, identity, rule};
use super::spoken::{attempt, http2};
use crate::support::contract::shipped;
use crate::support::program;
use crate::support::shell::Folder;
use crate::support::upstream::{Act, Upstream, answer};

/// The documented error that a mutation is made of: its name, and a request that belongs to its service.
fn made_of(mutation: &Mutation) -> (&'static str, &'static str) {
    let of = |check: &str| mutation.expects.contains(&check);
    let limited = mutation.name.contains("retry") || mutation.name.contains("re") && mutation.expects.iter().any(|id| id.starts_with('R'));
    match mutation.name {
        "missing-www-authenticate" | "malformed-www-authenticate" => ("INVALID_TOKEN", "GET /v1/conversations"),
        "code-of-another-service" => ("CONVERSATION_NOT_FOUND", "GET /v1/conversations/none"),
        "gateway-html-page" => ("GENERATION_FAILED", "POST /v1/responses"),
        "body-after-head" => ("RESOURCE_NOT_FOUND", "HEAD /v1/conversations"),
        "drop-limit"
        | "drop-remaining"
        | "drop-reset"
        | "malformed-limit"
        | "two-vocabularies"
        | "cacheable-error"
        | "rate-limit-from-cache"
        | "limit-vs-body" => ("RATE_LIMIT_EXCEEDED", "GET /v1/conversations"),
        _ if limited => ("RATE_LIMIT_EXCEEDED", "GET /v1/conversations"),
        _ if of("I01") || of("I02") || of("I04") || of("T01") || of("T02") => ("INTERNAL_ERROR", "GET /v1/conversations"),
        _ => ("RESOURCE_NOT_FOUND", "GET /v1/conversations"),
    }
}

/// A plan with a scenario and a fault for each of these, told apart by nothing but the scenario's name.
fn plan(faults: &[(String, &str, &str, String)], seconds: u32) -> String {
    let mut text = format!(
        r#"
plan = 1
name = "negative controls"
seed = 11

[target]
embedded = {{ preset = "strict", limits = "off" }}
headers  = {{ Authorization = "Bearer user-token" }}

[contract]
file    = "jan-server.toml"
profile = "strict"

[validity]
schedule_lag_p99 = "30s"
generator_cpu    = "100%"

[[load.stage]]
name = "all"
for  = "{seconds}s"
rate = "200/s"

[[gate]]
require = "contract.violations(info) == 0"

[[scenario]]
name   = "the target's own"
weight = 5
  [[scenario.step]]
  request = "GET /v1/models/catalogs"

[report]
formats = ["json", "html"]
"#
    );
    for (name, request, error, extra) in faults {
        let (method, _) = request.split_once(' ').expect("a method");
        let body = if method == "POST" { "json = {}" } else { "" };
        let stream = if name.contains("stream") { "stream = { sse = { done = \"[DONE]\", max_gap = \"5s\" } }" } else { "" };
        let wait = if *error == "RATE_LIMIT_EXCEEDED" { "retry_after = \"5s\"," } else { "" };
        text.push_str(&format!(
            r#"
[[scenario]]
name = "{name}"
  [[scenario.step]]
  request = "{request}"
  expect  = {{ status = ["2xx", "3xx", "4xx", "5xx"] }}
  {body}
  {stream}

[[fault]]
name    = "{name}"
match   = {{ scenario = ["{name}"] }}
respond = {{ error = "{error}", {wait} {extra} }}
"#
        ));
    }
    text
}

#[test]
fn every_mutation_is_found_by_its_checks_and_by_no_other() {
    let faults: Vec<_> = ALL
        .iter()
        .map(|mutation| {
            let (error, request) = made_of(mutation);
            (mutation.name.to_owned(), request, error, format!("mutation = \"{}\"", mutation.name))
        })
        .collect();
    let folder = Folder::with_plan(&plan(&faults, 5));
    // A gate on violations of any kind holds: what is found of an answer of our own is not the target's.
    folder.run().ended().exits(0);
    let report = folder.report();
    assert!(report.findings.iter().all(|finding| finding.responder == "injector"), "{:#?}", report.findings);
    let mut wrong = Vec::new();
    for (fault, mutation) in report.faults.iter().zip(ALL) {
        let shown = &fault.mutations[0];
        assert_eq!((shown.name.as_str(), shown.expects.len()), (mutation.name, mutation.expects.len()));
        assert_eq!(fault.fidelity_findings, 0, "{}: the answer that was made wrong was right before", fault.name);
        let all = fault.fired > 0 && shown.seen == if mutation.expects.is_empty() { 0 } else { fault.fired };
        if !all || !shown.others.is_empty() {
            let (name, fired, seen, others) = (&fault.name, fault.fired, shown.seen, &shown.others);
            wrong.push(format!("{name}: {} in {seen} of {fired}, beside {others:?}", mutation.expects.join(" and ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unfound = |warning: &&String| warning.contains("was not found by");
    assert_eq!(report.data_quality.warnings.iter().find(unfound), None);
}

#[test]
fn nothing_is_found_of_the_same_answers_as_they_should_be() {
    let mut errors: BTreeMap<&str, &str> = ALL.iter().map(made_of).collect();
    errors.insert("RESOURCE_NOT_FOUND", "GET /v1/conversations");
    let faults: Vec<_> = errors.iter().map(|(error, request)| ((*error).to_owned(), *request, *error, String::new())).collect();
    let folder = Folder::with_plan(&plan(&faults, 2));
    folder.run().ended().exits(0);
    let report = folder.report();
    assert!(report.faults.iter().all(|fault| fault.fired > 0 && fault.mutations.is_empty()));
    let loud = report.findings.iter().find(|finding| finding.severity.word() != "info");
    assert_eq!(loud, None);
}

/// A rule that answers with a documented error made wrong.
fn wrong(name: &str, code: &str) -> FaultRule {
    let row = shipped().row_named(code, None).expect("a documented code");
    let retry_after = (code == "RATE_LIMIT_EXCEEDED").then_some(Micros::from_secs(5));
    let right = Respond::Error { row, retry_after, retry_after_form: RetryAfterForm::Seconds };
    let mutation = Mutation::named(name).expect("a mutation");
    rule(name, Effect::Fault(Fault::Respond(Respond::Wrong { answer: Box::new(right), mutation })))
}

/// A proxy that answers everything so; there is no target.
fn answering(name: &str, code: &str) -> Rig {
    Rig::with("127.0.0.1:9".parse().expect("an address"), vec![wrong(name, code)], |settings| settings.contract = held(shipped()))
}

/// The identity of an attempt as headers.
fn own_headers(arrival: u64) -> Vec<String> {
    identity(arrival, 1).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn what_only_bytes_show_is_found_by_the_client_that_looks_at_them() {
    let contract = shipped();
    for mutation in ALL.iter().filter(|mutation| mutation.http1_only) {
        let rig = answering(mutation.name, "RESOURCE_NOT_FOUND");
        let lines = own_headers(1);
        let headers: Vec<RawHeader<'_>> = lines
            .iter()
            .filter_map(|line| line.split_once(": "))
            .chain([("host", "api.example.test")])
            .map(|(name, value)| (Cow::from(name), Cow::from(value.as_bytes())))
            .collect();
        let method = if mutation.name == "body-after-head" { "HEAD" } else { "GET" };
        let request = RawRequest { method, target: "/v1/conversations", headers: &headers, body: RawBody::None, expect_continue: false };
        let clock = Clock::new();
        let client = RawClient::new(&connector(rig.addr, HttpVersion::Http1, clock), clock, RawTimeouts::default(), RawLimits::default());
        let reply = crate::client::on_a_worker(client.send(&request));
        let (_, terms) = held(shipped()).expect("terms");
        let none = HeaderMap::new();
        let method: Method = method.parse().expect("a method");
        let facts = RequestFacts { method: &method, path: "/v1/conversations", query: None, headers: &none, body: b"" };
        let violations = match (reply.ending, reply.facts()) {
            (Ending::Failed(failure), _) => contract.check_failure(&terms, &facts, failure),
            (_, Some(response)) => contract.check(&terms, &facts, &response).violations,
            _ => Vec::new(),
        };
        let loud = violations.iter().filter(|violation| violation.severity > Severity::Info).map(|violation| violation.check);
        let found: BTreeSet<&str> = loud.collect();
        let expected: BTreeSet<&str> = mutation.expects.iter().chain(mutation.bytewise).copied().collect();
        assert_eq!(found, expected, "{}", mutation.name);
        assert_eq!(rig.stop().rules[0].fired, 1);
    }
}

/// What becomes of the answers in a client whose author has never heard of us.
#[test]
fn python_and_curl_meet_what_the_names_say() {
    const SCRIPT: &str = r#"
import gzip, http.client, json, sys
host, port, *headers = sys.argv[1:]
connection = http.client.HTTPConnection(host, int(port), timeout=10)
def said():
    connection.request("GET", "/v1/conversations", headers=dict(header.split(": ", 1) for header in headers))
    answer = connection.getresponse()
    body = answer.read()
    if answer.getheader("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    waits = answer.headers.get_all("Retry-After") or []
    if answer.getheader("Content-Type") == "text/event-stream":
        return body.decode().count("data: "), "[DONE]" in body.decode()
    if answer.getheader("Content-Type") == "text/html" or not body:
        return answer.status, len(body) > 0
    pairs = []
    json.loads(body, object_pairs_hook=lambda found: pairs.extend(name for name, _ in found) or dict(found))
    return answer.status, waits, len(pairs) - len(set(pairs))
try:
    print(said())
except Exception as error:
    print(type(error).__name__)
"#;
    for (name, code, python_says, curl_exits) in [
        ("truncated-json", "RATE_LIMIT_EXCEEDED", "JSONDecodeError", 0),
        ("invalid-json", "RATE_LIMIT_EXCEEDED", "JSONDecodeError", 0),
        ("deep-nesting", "RATE_LIMIT_EXCEEDED", "(429, ['5'], 0)", 0),
        ("duplicate-members", "RATE_LIMIT_EXCEEDED", "(429, ['5'], 1)", 0),
        ("invalid-utf8", "RATE_LIMIT_EXCEEDED", "UnicodeDecodeError", 0),
        ("empty-body", "RATE_LIMIT_EXCEEDED", "(429, False)", 0),
        ("bad-gzip", "RATE_LIMIT_EXCEEDED", "BadGzipFile", 61),
        ("truncated-gzip", "RATE_LIMIT_EXCEEDED", "EOFError", 0),
        ("duplicate-retry-after", "RATE_LIMIT_EXCEEDED", "(429, ['5', '10'], 0)", 0),
        ("retry-after-fraction", "RATE_LIMIT_EXCEEDED", "(429, ['5.5'], 0)", 0),
        ("retry-after-empty", "RATE_LIMIT_EXCEEDED", "(429, [''], 0)", 0),
        ("drop-retry-after", "RATE_LIMIT_EXCEEDED", "(429, [], 0)", 0),
        ("gateway-html-page", "GENERATION_FAILED", "(502, True)", 0),
        ("body-on-204", "RESOURCE_NOT_FOUND", "(204, False)", 0),
        ("wrong-content-length-long", "RESOURCE_NOT_FOUND", "IncompleteRead", 18),
        ("wrong-content-length-short", "RESOURCE_NOT_FOUND", "JSONDecodeError", 0),
        ("truncated-chunked", "RESOURCE_NOT_FOUND", "IncompleteRead", 18),
        ("malformed-chunk", "RESOURCE_NOT_FOUND", "IncompleteRead", 56),
        ("error-inside-200-stream", "RESOURCE_NOT_FOUND", "(4, True)", 0),
        ("stream-without-terminator", "RESOURCE_NOT_FOUND", "(2, False)", 0),
    ] {
        let rig = answering(name, code);
        let (host, port) = (rig.addr.ip().to_string(), rig.addr.port().to_string());
        let headers = own_headers(1);
        let args: Vec<&str> = [host.as_str(), &port].into_iter().chain(headers.iter().map(String::as_str)).collect();
        if let Some(ran) = program::python(SCRIPT, &args) {
            assert_eq!((ran.out.trim(), ran.err.as_str()), (python_says, ""), "{name}");
        }
        let headers = own_headers(2);
        let url = format!("http://{}/v1/conversations", rig.addr);
        let mut args = vec!["--compressed", "--output", "/dev/null"];
        headers.iter().for_each(|header| args.extend(["--header", header]));
        args.push(&url);
        if let Some(ran) = program::curl(&args) {
            assert_eq!(ran.code, curl_exits, "{name}: {}", ran.err);
        }
    }
}

#[test]
fn a_wait_in_milliseconds_stands_beside_one_in_whole_seconds() {
    let row = shipped().row_named("RATE_LIMIT_EXCEEDED", None).expect("a row");
    let respond = Respond::Error { row, retry_after: Some(Micros(1_250_400)), retry_after_form: RetryAfterForm::Milliseconds };
    let rule = rule("soon", Effect::Fault(Fault::Respond(respond)));
    let rig = Rig::with("127.0.0.1:9".parse().expect("an address"), vec![rule], |settings| settings.contract = held(shipped()));
    let answer = rig.ask(&get(1, 1));
    assert_eq!(
        ["retry-after", "retry-after-ms", "x-ms-retry-after-ms"].map(|name| answer.header(name)),
        [Some("2"), Some("1251"), Some("1251")]
    );
    assert_eq!(rig.stop().infidelities, [], "two more headers are no violation");
}

fn corrupting(name: &str, upstream: &Upstream) -> Rig {
    let mutation = Mutation::named(name).expect("a mutation");
    let corrupt = rule(name, Effect::Fault(Fault::Corrupt(mutation)));
    Rig::with(upstream.address(), vec![corrupt], |settings| settings.contract = held(shipped()))
}

#[test]
fn the_targets_own_answer_is_made_wrong_as_it_passes() {
    let json = r#"{"error":"Not Found","code":"RESOURCE_NOT_FOUND","message":"no","resource":"x","id":"y"}"#;
    for (name, body) in [
        ("truncated-json", json[..json.len() - 5].to_owned()),
        ("unknown-code", json.replace("RESOURCE_NOT_FOUND", "RESOURCE_NOT_FOUND_ELSEWHERE")),
        ("empty-body", String::new()),
    ] {
        let upstream = Upstream::always(answer("404 Not Found", json));
        let rig = corrupting(name, &upstream);
        let mut client = rig.connect();
        // The connection lives on, ours and the target's.
        for arrival in 1..3 {
            let got = client.ask(&get(arrival, 1));
            let said: serde_json::Value = serde_json::from_slice(&got.body).unwrap_or_default();
            let wanted: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
            assert_eq!((got.status(), said), (404, wanted), "{name}: {}", String::from_utf8_lossy(&got.body));
            assert_eq!(got.header("x-brownout-injected"), Some(format!("{name};attempt=1").as_str()));
            let note = rig.noted(u32::try_from(arrival).expect("few"), 1).expect("it was seen");
            assert_eq!((note.rule, note.forwarded, note.upstream), (Some(RuleIx(0)), true, Some(404)));
        }
        assert_eq!(upstream.connections(), 1);
        assert_eq!(rig.stop().rules[0].fired, 2, "{name}");
    }
}

#[test]
fn what_cannot_be_made_wrong_passes_as_it_is() {
    let long = "x".repeat(1_200_000);
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: a\n\n";
    for (acts, body, why) in [
        (answer("200 OK", "plain"), "plain", Unfired::Unfit),
        (answer("200 OK", &long), long.as_str(), Unfired::TooLong),
        (Act::write(chunked), long.as_str(), Unfired::TooLong),
        (Act::write(events), "data: a\n\n", Unfired::TooLong),
    ] {
        let upstream = Upstream::always(acts);
        let rig = corrupting("truncated-json", &upstream);
        let got = rig.ask(&get(1, 1));
        assert_eq!((got.status(), got.broken.as_ref()), (200, None));
        assert!(got.body == body.as_bytes(), "{} bytes of {}", got.body.len(), body.len());
        assert_eq!(got.header("x-brownout-injected"), None);
        assert_eq!(rig.noted(1, 1).expect("it was seen").rule, None);
        let rule = &rig.stop().rules[0];
        assert_eq!((rule.planned, rule.fired, rule.unfired[why as usize]), (1, 0, 1), "{why:?}");
    }
}

#[test]
fn http2_has_every_mutation_but_those_that_break_the_framing_of_another_version() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rules = ["truncated-chunked", "truncated-json"].map(|name| {
        let mut rule = wrong(name, "RESOURCE_NOT_FOUND");
        rule.matcher.path = Some(PathPattern::new(&format!("/{name}")).expect("a pattern"));
        rule
    });
    let rig = Rig::with(upstream.address(), rules.to_vec(), |settings| settings.contract = held(shipped()));
    let (runtime, mut sender) = http2(rig.addr);
    let mut status = |path: &str, arrival| {
        runtime.block_on(async { sender.send_request(attempt(rig.addr, path, arrival)).await.expect("an answer").status().as_u16() })
    };
    assert_eq!([status("/truncated-chunked", 1), status("/truncated-json", 2)], [200, 404]);
    assert_eq!(rig.noted(1, 1).expect("it was seen").rule, None);
    let tally = rig.stop();
    assert_eq!((tally.rules[0].fired, tally.rules[0].unfired[Unfired::OtherHttp as usize], tally.rules[1].fired), (0, 1, 1));
}
