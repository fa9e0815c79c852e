//! What the words of a contract file come to: which row is meant, whose answer it is, and what an answer is held to.

use std::time::{Duration, Instant};

use brownout::contract::{Contract, Profile, Provoke, Statuses};
use brownout::plan::contract_file;
use brownout::wire::RequestFacts;
use http::{HeaderMap, Method};

use crate::support::contract::{Trial, now, read};
use crate::support::shell::Folder;

const WHOLE: &str = r##"
name = "whole"
other_statuses = [200]

[service.models]
match = { path = "/v1/models**" }
envelope = "other"
[service.media]
match = { host = ["media.example.com"] }
[service.kong]
gateway = true
when = { header = "Via", matches = "^kong" }
envelope = "edge"
[service.waf]
gateway = true
when = { header = "Server", matches = "waf" }
envelope = "edge"

[envelope.standard.fields]
code = { required = true }
[envelope.other.fields]
code = { required = true }
hint = { required = true }
[envelope.edge.fields]
message = { required = true, min_len = 3, max_len = 5 }

[[operation]]
request = "GET /v1/models/{id}"
statuses = [206, 418]

[[error]]
status = 404
code = "A"
[[error]]
status = "4xx"
excluded = "whatever"
[[error]]
status = "default"
[[error]]
service = "models"
status = 404
code = "A"
[[error]]
service = "models"
status = 404
[[error]]
operation = "GET /v1/models/{id}"
status = 404
code = "A"
[[error]]
operation = "* /v1/models/{id}"
status = 404
code = "A"
[[error]]
service = "models"
status = "5xx"
code = "A"
provoke = { fault = "slow" }
[[error]]
service = "waf"
status = 403
code = "BLOCKED"
provoke = { hook = "attack" }

[stream]
must_not_match = "sorry"

[[waiver]]
check = "H04"
entry = "*/*/401/*"
finding = "79AFFAB2E747684A"
reason = "API-123"
expires = 2026-12-31
"##;

fn whole() -> Contract {
    read("whole.toml", WHOLE).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The key of the row that an answer is found to be, and the gateway that gave it.
fn judged(
    contract: &Contract,
    method: Method,
    path: &str,
    via: &[(&'static str, &str)],
    status: u16,
    body: &str,
) -> (Option<String>, Option<String>) {
    let mut trial = Trial::new(contract, path, contract.compose(contract.row_named("*/*/404/A", None).expect("a row"), &now()));
    trial = trial.status(status).body(body.as_bytes());
    trial.answer.headers.remove(http::header::CONTENT_LENGTH);
    for (name, value) in via {
        trial = trial.header(name, Some(value));
    }
    trial.method = method;
    let terms = brownout::contract::Terms {
        profile: Profile::Core,
        undocumented: brownout::severity::Severity::High,
        secrets: std::sync::Arc::default(),
    };
    let request = RequestFacts { method: &trial.method, path, query: None, headers: &trial.request_headers, body: b"" };
    let judged = contract.check(&terms, &request, &trial.response());
    let row = judged.row.map(|row| contract.row(row).key.clone());
    (row, judged.gateway.map(|ix| contract.services[ix.at()].id.clone()))
}

/// Every key at the root of a contract file that has a value of its own kind.
const ROOT_KEYS: [&str; 16] = [
    "name",
    "version",
    "unknown_fields",
    "examples",
    "other_statuses",
    "service",
    "envelope",
    "error",
    "example",
    "operation",
    "waiver",
    "stream",
    "deviation",
    "every_answer",
    "import",
    "server",
];

#[test]
fn the_most_specific_row_counts_status_first_then_whose_it_is_then_the_code() {
    let contract = whole();
    for (method, path, status, code, row) in [
        ("GET", "/v1/models/m", 404, "A", "*/GET /v1/models/{id}/404/A"),
        ("HEAD", "/v1/models/m", 404, "A", "models/*/404/*"),
        ("DELETE", "/v1/models/m", 404, "A", "*/* /v1/models/{id}/404/A"),
        ("GET", "/v1/models", 404, "A", "models/*/404/A"),
        ("GET", "/v1/models", 404, "B", "models/*/404/*"),
        ("GET", "/v1/other", 404, "A", "*/*/404/A"),
        ("GET", "/v1/other", 404, "B", "*/*/4xx/*"),
        ("GET", "/v1/models", 500, "A", "models/*/5xx/A"),
        ("GET", "/v1/models", 500, "B", "*/*/default/*"),
        ("GET", "/v1/models", 429, "A", "*/*/4xx/*"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        // The answer to a HEAD has no body, and so no code.
        let body = if method == Method::HEAD { String::new() } else { format!("{{\"code\":\"{code}\",\"hint\":\"x\"}}") };
        assert_eq!(judged(&contract, method.clone(), path, &[], status, &body).0.as_deref(), Some(row), "{method} {path} {status} {code}");
    }
}

#[test]
fn what_a_gateway_answers_is_held_to_its_own_envelope_and_rows() {
    let contract = whole();
    let kong = [("via", "kong/3.4")];
    assert_eq!(judged(&contract, Method::GET, "/v1/models/m", &kong, 404, "{\"code\":\"A\"}"), (None, Some("kong".to_owned())));
    assert_eq!(judged(&contract, Method::GET, "/v1/models/m", &[("via", "1.1 kong")], 500, "{}").1, None, "the whole pattern must fit");
    let answer = contract.compose(contract.row_named("A", None).expect("the general row"), &now());
    let of = |via: (&'static str, &str), status: u16, body: &str| {
        let trial = Trial::new(&contract, "/v1/models/m", answer.clone()).status(status).body(body.as_bytes()).header(via.0, Some(via.1));
        let found = trial.held_to(Profile::Core).found();
        found.into_iter().filter(|line| line.starts_with('S') || line.starts_with("B03")).collect::<Vec<_>>()
    };
    // A gateway without rows may answer anything in its shape.
    assert_eq!(of(kong[0], 418, "{\"message\":\"none\"}"), Vec::<String>::new());
    assert_eq!(of(kong[0], 404, "{\"code\":\"A\"}"), ["B03 high $.message: missing"]);
    assert_eq!(of(kong[0], 404, "{\"message\":\"too long\"}"), ["B03 high $.message: longest"]);
    // One with rows is held to them.
    let waf = ("server", "waf");
    assert_eq!(of(waf, 403, "{\"code\":\"BLOCKED\"}"), Vec::<String>::new());
    assert_eq!(of(waf, 404, "{\"message\":\"none\"}"), ["S01 high status: undocumented"]);
    // The service's own envelope is that of errors that no row lists: here every error has a row.
    assert_eq!(contract.services[0].envelope.map(|ix| contract.envelopes[ix.at()].name.as_str()), Some("other"));
}

#[test]
fn a_service_is_known_by_its_host_before_its_path() {
    let contract = whole();
    let service = |host: Option<&str>, path: &str| contract.service_at(host, path).map(|ix| contract.services[ix.at()].id.as_str());
    assert_eq!(service(Some("media.example.com:8443"), "/v1/models"), Some("media"));
    assert_eq!(service(Some("api.example.com"), "/v1/models"), Some("models"));
    assert_eq!(service(Some("api.example.com"), "/v2"), None);
    let mut headers = HeaderMap::new();
    headers.insert("host", "media.example.com".parse().expect("a value"));
    let request = RequestFacts { method: &Method::GET, path: "/v1/models", query: None, headers: &headers, body: b"" };
    assert_eq!(contract.service_for(&request).map(|ix| contract.services[ix.at()].id.as_str()), Some("media"));
}

#[test]
fn rows_say_what_they_are_about_and_how_they_come_about() {
    let contract = whole();
    let row = |key: &str| contract.row(contract.row_named(key, None).unwrap_or_else(|near| panic!("{key}: {near:?}")));
    assert_eq!((row("*/*/4xx/*").statuses, row("*/*/4xx/*").status), (Statuses::Class(4), 400));
    assert_eq!((row("*/*/default/*").statuses, row("*/*/default/*").status), (Statuses::Default, 500));
    assert_eq!(row("*/*/4xx/*").excluded.as_deref(), Some("whatever"));
    assert!(row("*/*/4xx/*").any_code && !row("*/*/404/A").any_code);
    assert_eq!(row("models/*/5xx/A").provoke, Some(Provoke::Fault(Some("slow".to_owned()))));
    assert_eq!(row("BLOCKED").provoke, Some(Provoke::Hook(Some("attack".to_owned()))));
    assert_eq!(contract.forbidden_texts.len(), 1);
    assert_eq!(contract.operations[0].statuses, [Statuses::Exact(206), Statuses::Exact(418)]);
    let [waiver] = contract.waivers.as_slice() else { panic!("one waiver") };
    assert!(waiver.covers("H04", "models/GET /v1/models/{id}/401/X", "79affab2e747684a"));
}

#[test]
fn a_plan_names_a_row_by_its_code_its_service_or_its_key() {
    let contract = whole();
    let named = |name: &str| contract.row_named(name, None).map(|ix| contract.row(ix).key.as_str());
    assert_eq!(named("A"), Ok("*/*/404/A"));
    assert_eq!(named("waf/BLOCKED"), Ok("waf/*/403/BLOCKED"));
    assert_eq!(named("models/*/404/*"), Ok("models/*/404/*"));
    assert_eq!(named("*/GET /v1/models/{id}/404/A"), Ok("*/GET /v1/models/{id}/404/A"));
    assert_eq!(named("*"), Err(Vec::new()), "a row for any code has no code to be named by");
    assert_eq!(named("models/A"), Ok("models/*/404/A"), "the first of the service's rows for any operation");
}

#[test]
fn a_row_for_any_code_is_composed_with_one_and_conforms() {
    let contract = whole();
    for key in ["*/*/4xx/*", "*/*/default/*", "models/*/404/*"] {
        let row = contract.row_named(key, None).expect("a row");
        let answer = contract.compose(row, &now());
        let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        let code = body["code"].as_str().expect("a code").to_owned();
        assert!(["BAD_REQUEST", "INTERNAL_SERVER_ERROR", "NOT_FOUND"].contains(&code.as_str()), "{code}");
    }
}

#[test]
fn statuses_that_an_operation_lists_are_documented() {
    let contract = whole();
    let answer = contract.compose(contract.row_named("A", None).expect("a row"), &now());
    let s01 = |path: &str, status: u16| {
        let trial = Trial::new(&contract, path, answer.clone()).status(status).body(b"{}").held_to(Profile::Core);
        trial.found().iter().any(|line| line.starts_with("S01"))
    };
    assert!(!s01("/v1/models/m", 206) && s01("/v1/models", 206), "successes");
    assert!(!s01("/v1/models", 200) && s01("/v1/models/m", 204));
    assert!(!s01("/v1/models", 599), "the default documents any error");
}

#[test]
fn files_beside_the_contract_are_read_and_their_mistakes_are_shown() {
    let folder = Folder::new();
    folder.put(
        "404.http",
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nX-Request-Id: 7\r\n\r\n{\"code\":\"A\",\"details\":{}}",
    );
    folder.put("schema.json", r#"{ "$defs": { "error": { "type": "object", "required": ["code"] } } }"#);
    folder.put("broken.json", "{ \"type\": \"object\",\n  \"required\": [\"code\" }\n");
    let contract = |text: &str| {
        folder.put("c.toml", text);
        contract_file::load(&folder.at("c.toml"))
    };
    let head = "name = \"t\"\n[envelope.e]\nfields.code = { required = true }\nheaders.X-Request-Id = { level = \"expected\" }\n";
    let sound = contract(&format!(
        "{head}schema = \"schema.json#/$defs/error\"\n[[error]]\nstatus = 404\ncode = \"A\"\nexample = {{ file = \"404.http\" }}\n"
    ));
    let sound = sound.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    assert_eq!(sound.rows[0].envelope.headers[0].sample.as_deref(), Some("7"), "the row learns from its example");
    assert!(sound.rows[0].envelope.schema.as_ref().is_some_and(|schema| schema.accepts(b"{}") == Some(false)));
    assert_eq!((sound.examples[0].status, sound.examples[0].header_lines[1].1), (404, 3));

    let broken = contract(&format!(
        "{head}schema = \"broken.json\"\n[[error]]\nstatus = 409\ncode = \"A\"\nexample = {{ file = \"404.http\", body = \"{{}}\" }}\n\
         [[error]]\nstatus = 409\ncode = \"B\"\nexample = {{ file = \"404.http\" }}\n[[error]]\nstatus = 409\ncode = \"C\"\nexample = {{ file = \"schema.json\" }}\n\
         [[error]]\nstatus = 409\ncode = \"D\"\nschema = \"schema.json#/nowhere\"\n"
    ));
    let shown = broken.expect_err("it is broken").render(false);
    for said in [
        "is not JSON",
        "an example is in the file or in the contract, not in both",
        "the file shows a 404, and this is the example of 409",
        "`schema.json` does not begin with a status line",
        "/nowhere",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
}

#[test]
fn hostile_contracts_are_refused_or_read_in_bounded_time() {
    let many = |n: usize, line: &dyn Fn(usize) -> String| (0..n).map(line).collect::<String>();
    let deep = format!("name = \"x\"\nx = {}1{}\n", "[".repeat(200), "]".repeat(200));
    let texts = [
        ("deep", deep),
        ("deep tables", format!("name = \"x\"\n[{}]\n", vec!["a"; 400].join("."))),
        (
            "many envelopes that do not exist",
            many(9_000, &|n| format!("[[error]]\nstatus = 404\ncode = \"C{n}\"\nenvelope = \"envelope{n}\"\n")),
        ),
        ("many services", many(9_000, &|n| format!("[service.s{n}]\nmatch = {{ path = \"/s{n}/**\" }}\n"))),
        ("many rows of many services that do not exist", many(9_000, &|n| format!("[[error]]\nservice = \"servicee{n}\"\nstatus = 404\n"))),
        ("rows without end", format!("name = \"x\"\n{}", many(20_000, &|n| format!("[[error]]\nstatus = 404\ncode = \"C{n}\"\n")))),
        ("many unknown keys", many(20_000, &|n| format!("key{n} = 1\n"))),
        (
            "operations that overlap",
            format!(
                "name = \"x\"\n[service.a]\nmatch = {{ path = \"/**\" }}\n{}",
                many(4_000, &|n| format!("[[error]]\nservice = \"a\"\noperation = \"GET /a/{{id}}/{n}/*\"\nstatus = 404\ncode = \"C\"\n"))
            ),
        ),
        ("a pattern that explodes", "name = \"x\"\n[envelope.e.fields]\na = { pattern = \"((a{100}){100}){100}\" }\n".to_owned()),
        ("everything of the wrong kind", many(1, &|_| ROOT_KEYS.map(|key| format!("{key} = 2026-01-01\n")).concat())),
    ];
    for (what, text) in texts {
        let begun = Instant::now();
        if let Ok(contract) = read("hostile.toml", &text) {
            let _ = contract.lint();
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "{what}: {:?}", begun.elapsed());
    }
    let folder = Folder::new();
    folder.put("large.toml", "#".repeat(20_000_000));
    let problems = contract_file::load(&folder.at("large.toml")).expect_err("too large").render(false);
    assert!(problems.contains("larger than 8 MiB"), "{problems}");
}

#[test]
fn a_contract_of_the_wrong_kinds_tells_all_of_them_at_once() {
    let text = ROOT_KEYS.map(|key| format!("{key} = 2026-01-01\n")).concat();
    let problems = read("kinds.toml", &text).expect_err("nothing is right");
    crate::support::golden::assert_golden("contract/kinds.txt", &problems);
    assert_eq!(problems.matches("error: ").count(), ROOT_KEYS.len());
}
