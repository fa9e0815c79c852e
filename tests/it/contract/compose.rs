//! An answer that we make is an answer that we accept, whatever it is made of.

use brownout::contract::{Circumstances, Contract, Profile, RetryClass};
use brownout::id::RowIx;
use brownout::seed::Seed;
use serde_json::{Value, json};

use crate::support::contract::{NOW_US, Trial, now, read, shipped};

const PROFILES: [Profile; 3] = [Profile::Core, Profile::Strict, Profile::Companion];

#[test]
fn every_row_composes_to_an_answer_that_conforms_under_every_profile() {
    let contract = shipped();
    for (ix, row) in contract.rows.iter().enumerate() {
        for profile in PROFILES {
            let path = match row.service.map(|ix| contract.services[ix.at()].id.as_str()) {
                Some("response-api") => "/v1/responses",
                Some("media-api") => "/v1/media/upload",
                Some("mcp-tools") => "/v1/mcp/tools",
                _ => "/v1/conversations",
            };
            let trial = Trial::new(&contract, path, contract.compose(RowIx::from(ix), &now())).held_to(profile);
            assert_eq!(trial.found(), [""; 0], "{} {profile:?}\n{}", row.key, String::from_utf8_lossy(&trial.answer.body));
        }
    }
}

#[test]
fn circumstances_of_any_kind_compose_to_an_answer_that_conforms() {
    let contract = shipped();
    let path = |ix: usize| match contract.rows[ix].service.map(|ix| contract.services[ix.at()].id.as_str()) {
        Some("response-api") => "/v1/responses",
        Some("media-api") => "/v1/media/upload",
        Some("mcp-tools") => "/v1/mcp/tools",
        _ => "/v1/conversations",
    };
    for k in 0..3_000u64 {
        let draw = Seed(11).draw("circumstances").with(k);
        let pick = |what: u64, n: u64| draw.with(what).below(n);
        let some = |what: u64, n: u64| (pick(what, 3) > 0).then(|| pick(what + 100, n));
        let message = format!("a \"message\" \\ with ü and \n {k}");
        let circumstances = Circumstances {
            now_unix_us: NOW_US,
            unique: draw.bits(),
            retry_after_s: some(1, 61),
            limit: some(2, 2_000),
            remaining: some(3, 5_000),
            message: (pick(4, 2) == 0).then_some(message.as_str()),
            fields: if pick(5, 2) == 0 { vec![("extra", json!([1, { "a": null }])), ("id", json!("x"))] } else { Vec::new() },
            retry_after_as_date: false,
        };
        let ix = pick(6, contract.rows.len() as u64) as usize;
        let profile = PROFILES[pick(7, 3) as usize];
        let trial = Trial::new(&contract, path(ix), contract.compose(RowIx::from(ix), &circumstances)).held_to(profile);
        assert_eq!(trial.found(), [""; 0], "{} {circumstances:?}", contract.rows[ix].key);
    }
}

#[test]
fn all_values_of_a_429_are_derived_from_one_moment() {
    let contract = shipped();
    let circumstances = Circumstances { retry_after_s: Some(2), limit: Some(50), remaining: Some(9), ..now() };
    let answer = Trial::of(&contract, "RATE_LIMIT_EXCEEDED", &circumstances).answer;
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(
        body,
        json!({ "error": "Too Many Requests", "code": "RATE_LIMIT_EXCEEDED", "message": "You have exceeded the rate limit",
            "limit": 50, "remaining": 0, "reset_at": "2026-11-22T12:00:02Z", "retry_after": 2 })
    );
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("date"), Some("Sun, 22 Nov 2026 12:00:00 GMT"));
    assert_eq!(header("retry-after"), Some("2"));
    assert_eq!(header("x-ratelimit-limit"), Some("50"));
    assert_eq!(header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(header("x-ratelimit-reset"), Some("1795348802"));
    assert_eq!(header("content-length"), None, "that is the HTTP library's");
}

#[test]
fn what_the_document_shows_is_what_is_composed() {
    let contract = shipped();
    let body = |name: &str| -> Value { serde_json::from_slice(&Trial::of(&contract, name, &now()).answer.body).expect("JSON") };
    assert_eq!(body("SERVICE_UNAVAILABLE")["retry_after"], 300);
    assert_eq!(body("VALIDATION_FAILED")["error"], "Unprocessable Entity", "the document's spelling");
    assert_eq!(body("FILE_TOO_LARGE")["error"], "Content Too Large", "the document gives none: RFC 9110's");
    assert_eq!(body("INSUFFICIENT_PERMISSION")["required_role"], "admin");
    assert_eq!(body("INVALID_REQUEST")["details"], json!({ "field": "conversation_title", "issue": "Cannot be empty" }));
    assert_eq!(body("INTERNAL_ERROR")["request_id"], "req_0000000000000007");
    assert_eq!(body("INTERNAL_ERROR")["timestamp"], "2026-11-22T12:00:00Z");
    assert_eq!(body("TOOL_NOT_FOUND").get("id"), None, "only allowed");
    let challenge = Trial::of(&contract, "INVALID_TOKEN", &now()).answer.headers.remove("www-authenticate");
    assert_eq!(challenge.expect("a challenge"), "Bearer realm=\"api\"");
}

#[test]
fn members_that_are_given_replace_what_would_be_invented() {
    let contract = shipped();
    let fields = vec![("resource", json!("message")), ("id", json!("msg_1")), ("hint", json!(true))];
    let trial = Trial::of(&contract, "RESOURCE_NOT_FOUND", &Circumstances { message: Some("Message not found"), fields, ..now() });
    let body: Value = serde_json::from_slice(&trial.answer.body).expect("JSON");
    assert_eq!((&body["resource"], &body["id"], &body["hint"]), (&json!("message"), &json!("msg_1"), &json!(true)));
    assert_eq!(body["message"], "Message not found");
    assert_eq!(trial.found(), [""; 0]);
}

#[test]
fn an_http_date_is_composed_on_request_and_noted_as_info() {
    let contract = shipped();
    let circumstances = Circumstances { retry_after_s: Some(3), retry_after_as_date: true, ..now() };
    let trial = Trial::of(&contract, "RATE_LIMIT_EXCEEDED", &circumstances);
    assert_eq!(trial.answer.headers["retry-after"], "Sun, 22 Nov 2026 12:00:03 GMT");
    assert_eq!(trial.found(), ["H02 info header:Retry-After: an HTTP-date"]);
}

#[test]
fn a_wait_beyond_the_declared_window_stays_as_asked_and_is_noted_in_companion_alone() {
    let contract = shipped();
    let circumstances = Circumstances { retry_after_s: Some(120), ..now() };
    let found = |profile| Trial::of(&contract, "RATE_LIMIT_EXCEEDED", &circumstances).held_to(profile).found();
    assert_eq!(found(Profile::Companion), ["R09 medium header:X-RateLimit-Reset: beyond the window"]);
    assert_eq!((found(Profile::Core), found(Profile::Strict)), (Vec::new(), Vec::new()));
}

#[test]
fn numbers_out_of_all_bounds_still_compose() {
    let contract = shipped();
    for (retry, now_us) in [(u64::MAX, i64::MAX), (0, i64::MIN), (u64::MAX, 0), (1, -1)] {
        let circumstances =
            Circumstances { now_unix_us: now_us, retry_after_s: Some(retry), limit: Some(u64::MAX), remaining: Some(u64::MAX), ..now() };
        for row in 0..contract.rows.len() {
            let answer = contract.compose(RowIx::from(row), &circumstances);
            assert!(serde_json::from_slice::<Value>(&answer.body).is_ok());
        }
    }
    assert!(contract.rows.iter().any(|row| row.retry == RetryClass::AfterHeader));
}

/// A contract with one error whose envelope has a schema, and fields beside it.
fn with_schema(schema: &Value, fields: &str) -> Contract {
    let text = format!("name = \"x\"\n[envelope.own]\nschema = '''{schema}'''\n{fields}\n[[error]]\nstatus = 404\ncode = \"NOT_FOUND\"\n");
    read("x.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

const CODE: &str = "fields.code = { type = \"string\", required = true }\nfields.message = { type = \"string\", required = true }";

#[test]
fn an_answer_is_completed_to_fit_its_schema() {
    for (schema, expected) in [
        (json!({ "type": "object" }), json!({ "code": "NOT_FOUND", "message": "not found" })),
        // What is asked for besides, as small as it may be.
        (
            json!({ "required": ["code", "trace", "at", "n"], "properties": {
                "trace": { "type": "string", "pattern": "^[0-9a-f]{8}$" },
                "at": { "type": "string", "format": "date-time" },
                "n": { "type": "integer", "exclusiveMinimum": 3, "multipleOf": 5 },
            } }),
            json!({ "code": "NOT_FOUND", "message": "not found", "trace": "00000000", "at": "2026-01-01T00:00:00Z", "n": 5 }),
        ),
        // What the document shows, listed values, defaults.
        (
            json!({ "required": ["a", "b", "c", "d"], "properties": {
                "a": { "examples": ["shown"] }, "b": { "enum": ["z", "y"] }, "c": { "const": 7 }, "d": { "type": "boolean", "default": true },
            } }),
            json!({ "code": "NOT_FOUND", "message": "not found", "a": "shown", "b": "z", "c": 7, "d": true }),
        ),
        // An example of the whole, with what is this answer's in place.
        (
            json!({ "examples": [{ "code": "OTHER", "message": "other", "hint": "h" }], "required": ["hint"] }),
            json!({ "code": "NOT_FOUND", "message": "not found", "hint": "h" }),
        ),
        // Nested objects and arrays, through references.
        (
            json!({ "required": ["error"], "properties": { "error": { "$ref": "#/$defs/error" } }, "$defs": {
                "error": { "type": "object", "required": ["errors"], "properties": { "errors": { "type": "array", "minItems": 2, "items": { "$ref": "#/$defs/one" } } } },
                "one": { "type": "object", "required": ["field"], "properties": { "field": { "type": "string", "minLength": 3 } } },
            } }),
            json!({ "code": "NOT_FOUND", "message": "not found", "error": { "errors": [{ "field": "---" }, { "field": "---" }] } }),
        ),
        // Alternatives: the first that can be met.
        (
            json!({ "oneOf": [{ "required": ["a"], "properties": { "a": false } }, { "required": ["b"], "properties": { "b": { "type": "null" } } }] }),
            json!({ "code": "NOT_FOUND", "message": "not found", "b": null }),
        ),
        (
            json!({ "allOf": [{ "required": ["a"] }, { "anyOf": [{ "properties": { "a": { "type": "integer", "minimum": 2 } } }] }] }),
            json!({ "code": "NOT_FOUND", "message": "not found", "a": 2 }),
        ),
        // A closed object drops what was only wished for.
        (json!({ "properties": { "code": {} }, "additionalProperties": false }), json!({ "code": "NOT_FOUND" })),
        // Conditions.
        (
            json!({ "if": { "properties": { "code": { "const": "NOT_FOUND" } } }, "then": { "required": ["what"] } }),
            json!({ "code": "NOT_FOUND", "message": "not found", "what": "-" }),
        ),
        (
            json!({ "dependentRequired": { "code": ["why"] }, "properties": { "why": { "type": "array", "contains": { "const": "x" }, "uniqueItems": true } } }),
            json!({ "code": "NOT_FOUND", "message": "not found", "why": ["x"] }),
        ),
        (
            json!({ "required": ["when"], "properties": { "when": { "type": ["integer", "null"], "maximum": -1 } } }),
            json!({ "code": "NOT_FOUND", "message": "not found", "when": -1 }),
        ),
        // Recursive, but not without end.
        (
            json!({ "required": ["inner"], "properties": { "inner": { "$ref": "#/$defs/i" } }, "$defs": { "i": { "type": "object", "properties": { "inner": { "$ref": "#/$defs/i" } } } } }),
            json!({ "code": "NOT_FOUND", "message": "not found", "inner": {} }),
        ),
        (json!({ "minProperties": 4 }), json!({ "code": "NOT_FOUND", "message": "not found", "x0": "-", "x1": "-" })),
    ] {
        let contract = with_schema(&schema, CODE);
        let answer = contract.compose(RowIx::from(0), &now());
        assert_eq!(serde_json::from_slice::<Value>(&answer.body).expect("JSON"), expected, "{schema}");
        assert_eq!(contract.why_not_composed(RowIx::from(0)), None, "{schema}");
        if expected.get("message").is_some() {
            for profile in PROFILES {
                let trial = Trial::new(&contract, "/", answer.clone()).held_to(profile);
                assert_eq!(trial.found(), [""; 0], "{schema}");
            }
        }
    }
}

#[test]
fn a_schema_alone_is_enough_to_compose() {
    let schema = json!({ "type": "object", "required": ["title"], "properties": { "title": { "type": "string" } } });
    let contract = with_schema(&schema, "");
    let trial = Trial::new(&contract, "/", contract.compose(RowIx::from(0), &now()));
    assert_eq!(trial.answer.body, br#"{"title":"-"}"#);
}

#[test]
fn an_error_that_cannot_be_made_says_why() {
    for (schema, why) in [
        (json!({ "properties": { "code": { "const": "OTHER" } }, "required": ["code"], "not": {} }), "$.code must be \"OTHER\", by"),
        (
            json!({ "type": "object", "required": ["inner"], "properties": { "inner": { "$ref": "#" } } }),
            "$.inner must be an object, by /required",
        ),
        (json!({ "required": ["a"], "properties": { "a": false } }), "$.a must be a value, by /required"),
        (
            json!({ "required": ["a"], "properties": { "a": { "type": "string", "pattern": "^\\p{Greek}$" } } }),
            "$.a must be a string, by /required",
        ),
    ] {
        let found = with_schema(&schema, CODE).why_not_composed(RowIx::from(0)).unwrap_or_default();
        assert!(found.starts_with(why), "{schema}: {found}");
    }
}
