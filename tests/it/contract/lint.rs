//! The contract's own examples are held to the contract.

use brownout::contract::lint::Lint;

use crate::support::contract::{read, shipped};
use crate::support::golden::assert_golden;

#[test]
fn the_shipped_contract_has_exactly_one_broken_example_and_lacks_405() {
    let contract = shipped();
    assert_eq!(contract.examples.len(), 10);
    assert!(contract.examples.iter().all(|example| example.row.is_some()));
    let lints = contract.lint();
    let shown: Vec<String> = lints.iter().map(|lint| format!("{} {}", lint.check, lint.message)).collect();
    assert_eq!(shown.len(), 2, "{shown:#?}");
    assert_eq!(shown[1], "Q05 405 is not documented for any of the services");
    let Lint { check, message, contract_ref, .. } = &lints[0];
    assert_eq!(*check, "Q01");
    assert_eq!(
        message,
        "the example of 429 RATE_LIMIT_EXCEEDED fails its own check R04: header:X-RateLimit-Reset must be the moment of $.reset_at, \
         2025-12-23T12:05:00Z, and is 1703331900, which is 2023-12-23T11:45:00Z, 63159600 s earlier"
    );
    let text = brownout::plan::contract_file::shipped("contracts/jan-server.toml").expect("compiled in");
    let line = text.lines().nth(contract_ref.line as usize - 1).expect("the line");
    assert_eq!(line, "X-RateLimit-Reset     = \"1703331900\"");
    assert_eq!(contract_ref.file, "plans/contracts/jan-server.toml");
}

#[test]
fn an_example_that_breaks_its_rules_is_named_and_examples_can_be_ignored() {
    let text = |examples: &str| {
        format!(
            "name = \"t\"\nexamples = \"{examples}\"\n[envelope.e.fields]\ncode = {{ required = true }}\nmessage = {{ required = true }}\n\
             [[error]]\nstatus = 400\ncode = \"A\"\n[error.example]\nbody = '''{{\"code\": \"A\"}}'''\n\
             [[example]]\nstatus = 400\nbody = \"not JSON\"\n"
        )
    };
    let lints = read("t.toml", &text("lint")).expect("a contract").lint();
    let examples = lints.into_iter().filter(|lint| lint.check == "Q01");
    let short: Vec<(String, u32)> = examples.map(|lint| (lint.message, lint.contract_ref.line)).collect();
    assert_eq!(
        short,
        [
            ("the example of 400 A fails its own check B03: $.message must be a string, and is no such member".to_owned(), 9),
            ("the example of 400 fails its own check B02: $ must be one JSON object, and is no JSON (8 bytes)".to_owned(), 11),
        ]
    );
    let ignored = read("t.toml", &text("ignore")).expect("a contract").lint();
    assert!(ignored.iter().all(|lint| lint.check != "Q01"), "{ignored:?}");
}

/// A contract that is sound as TOML and doubtful as a document: every lint, and next to each what is no fault.
const DOUBTFUL: &str = r##"
name = "doubtful"
other_statuses = [200, 206]
[service.a]
match = { path = "/a/**" }
[service.b]
match = { path = "/b/**" }
[service.same]
match = { path = "/b/**" }
[service.kong]
gateway = true
when = { header = "Via", matches = "kong" }
[envelope.standard.fields]
code = { required = true }
[envelope.loose.fields]
code = {}
details = { type = "object", fields = { why = { required = true } } }
[envelope.open]
schema = { type = "object", properties = { code = { type = "string" } } }
[envelope.tight]
schema = { type = "object", required = ["code"] }

[[error]]                              # Q02: one operation, spelt twice
service = "a"
operation = "GET /a/{id}"
status = 404
code = "GONE"
[[error]]
service = "a"
operation = "GET /a/{name}"
status = 404
code = "GONE"
[[error]]                              # Q02: neither is more specific
service = "a"
operation = "GET /a/{id}/x/{y}"
status = 404
code = "LOST"
[[error]]
service = "a"
operation = "GET /a/{id}/*/{y}"
status = 404
code = "LOST"
[[error]]                              # Q02: never asked of this service
service = "a"
operation = "GET /b/{id}"
status = 404
code = "ELSEWHERE"

[[error]]                              # Q03: one code, two statuses; another service may differ
service = "a"
status = 400
code = "BAD"
[[error]]
service = "a"
status = 422
code = "BAD"
[[error]]
service = "b"
status = 400
code = "WORSE"
[[error]]
service = "a"
status = 422
code = "WORSE"
[[error]]                              # Q03: one meaning, two statuses
service = "b"
status = 409
code = "TAKEN"
meaning = "The name is in use"
[[error]]
service = "b"
status = 412
code = "USED"
meaning = "the name is in use"

[[error]]                              # Q04
status = 408
code = "LOOSE"
envelope = "loose"
[[error]]
status = 423
code = "OPEN"
envelope = "open"
[[error]]
status = 424
code = "TIGHT"
envelope = "tight"

[[error]]                              # Q05: 401 where something is forbidden, 405 and 500; 429 of b alone
status = 403
code = "NO"
[[error]]
service = "b"
status = 429
code = "SLOW"
headers.Retry-After = { required = true }

[[error]]                              # Q06
status = 410
code = "AGAIN"
retry = "backoff"
[[error]]
status = 503
code = "NEVER"
retry = "never"
[[error]]
status = 411
code = "WAIT"
retry = "after-change"
headers.Retry-After = { required = true }
[[error]]
status = 507
code = "WHEN"
retry = "after-header"
[[error]]
status = 402
code = "TOKEN"
retry = "after-refresh-once"
[[error]]
status = 502
code = "LOOK"
retry = "follow"
[[error]]
status = 451
code = "DECLARED"
retry = "backoff"
deviation = "the law changes daily"

[[error]]                              # Q07
service = "kong"
status = 401
code = "WHO"
[[error]]
service = "kong"
status = 407
code = "WHOSE"
headers.Proxy-Authenticate = { level = "rfc" }
[[error]]
service = "b"
status = 499
code = "ODD"
[[error]]
service = "b"
status = 400
code = "UNSUPPORTED_MEDIA"
[[error]]
service = "b"
status = 400
code = "file.not-found"
[[error]]
service = "b"
status = 400
code = "PAYLOAD_TOO_LARGE"
deviation = "RFC 9110 suggests 413"
"##;

#[test]
fn every_lint_is_told_with_its_line_and_nothing_else_is() {
    let contract = read("doubtful.toml", DOUBTFUL).unwrap_or_else(|problems| panic!("{problems}"));
    let line = |lint: &Lint| {
        let text = DOUBTFUL.lines().nth(lint.contract_ref.line as usize - 1).unwrap_or("");
        format!("{} line {} `{text}`\n    {}\n", lint.check, lint.contract_ref.line, lint.message)
    };
    assert_golden("contract/lints.txt", &contract.lint().iter().map(line).collect::<String>());
}

#[test]
fn a_waiver_silences_a_lint_until_its_last_day() {
    let text = "name = \"t\"\n[[error]]\nstatus = 404\nenvelope = \"standard\"\n[envelope.standard.fields]\ncode = { required = true }\n\
                [[waiver]]\ncheck = \"Q05\"\nreason = \"DOC-1\"\nexpires = \"2026-12-31\"\n";
    let contract = read("t.toml", text).unwrap_or_else(|problems| panic!("{problems}"));
    let at = |moment: &str| contract.lint_at(moment.parse::<jiff::Timestamp>().expect("a moment").as_microsecond()).len();
    assert_eq!((at("2026-12-31T23:00:00Z"), at("2027-01-01T00:00:00Z")), (0, 1));
}
