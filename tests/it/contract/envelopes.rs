//! The ready envelopes, named by contract files as any other.

use brownout::contract::{Contract, Profile, envelopes};
use serde_json::{Value, json};

use crate::support::contract::{Trial, now, read};

fn contract(envelope: &str, rows: &str) -> Contract {
    let text = format!("name = \"x\"\n[envelope.own]\nextends = \"{envelope}\"\n{rows}");
    read("x.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn row(status: u16, code: &str) -> String {
    format!("[[error]]\nstatus = {status}\ncode = \"{code}\"\n")
}

/// What is found in the composed answer after one change to its body.
fn found(contract: &Contract, code: &str, change: impl Fn(&mut Value)) -> Vec<String> {
    let mut trial = Trial::of(contract, code, &now());
    let mut body: Value = serde_json::from_slice(&trial.answer.body).expect("JSON");
    change(&mut body);
    trial.answer.body = body.to_string().into_bytes();
    trial.found()
}

#[test]
fn an_answer_composed_for_a_ready_envelope_is_in_order() {
    for (envelope, status, code, expected) in [
        (
            "rfc9457",
            403,
            "https://example.com/out-of-credit",
            json!({ "type": "https://example.com/out-of-credit", "detail": "no credit" }),
        ),
        (
            "openai",
            401,
            "invalid_api_key",
            json!({ "error": { "message": "no credit", "type": "invalid_request_error", "param": "-", "code": "invalid_api_key" } }),
        ),
        ("google-aip-193", 404, "NOT_FOUND", json!({ "error": { "code": 404, "message": "no credit", "status": "NOT_FOUND" } })),
    ] {
        let rows = format!("[[error]]\nstatus = {status}\ncode = \"{code}\"\nmeaning = \"no credit\"\n");
        let contract = contract(envelope, &rows);
        for profile in [Profile::Core, Profile::Strict, Profile::Companion] {
            let trial = Trial::of(&contract, code, &now()).held_to(profile);
            assert_eq!(serde_json::from_slice::<Value>(&trial.answer.body).expect("JSON"), expected);
            assert_eq!(trial.found(), [""; 0], "{envelope}");
        }
    }
    assert_eq!(envelopes::names().count(), 3);
}

#[test]
fn a_row_of_any_code_has_an_answer_too() {
    for (envelope, status) in [("rfc9457", 404), ("openai", 500), ("google-aip-193", 503), ("google-aip-193", 404)] {
        let contract = contract(envelope, &format!("[[error]]\nstatus = {status}\n"));
        let row = contract.rows.iter().position(|row| row.any_code).expect("a row");
        let answer = contract.compose(brownout::id::RowIx::from(row), &now());
        let trial = Trial::new(&contract, "/v1/x", answer);
        assert_eq!(trial.found(), [""; 0], "{envelope}: {}", String::from_utf8_lossy(&trial.answer.body));
    }
}

#[test]
fn a_problem_document_that_contradicts_its_status_is_found() {
    let contract = contract("rfc9457", &row(403, "https://example.com/out-of-credit"));
    let code = "https://example.com/out-of-credit";
    assert_eq!(found(&contract, code, |body| body["status"] = json!(403)), [""; 0]);
    assert_eq!(found(&contract, code, |body| body["status"] = json!(400)), ["S09 medium $.status: another status"]);
    assert_eq!(found(&contract, code, |body| body["instance"] = json!("a b")), ["B03 high $.instance: format"]);
    assert_eq!(found(&contract, code, |body| body["title"] = json!(7)), ["B03 high $.title: type"]);
    assert_eq!(found(&contract, code, |body| body["type"] = json!("https://example.com/other")), ["S02 high $.type: undocumented"]);
    assert_eq!(found(&contract, code, |body| body["balance"] = json!(30)), [""; 0], "extension members are welcome (§3.2)");
}

#[test]
fn the_code_of_a_problem_document_may_be_an_extension_member() {
    let own = "[envelope.own.fields]\ncode = { type = \"string\", required = true, role = \"code\" }\n";
    let contract = contract("rfc9457", &format!("{own}{}", row(403, "NO_CREDIT")));
    let trial = Trial::of(&contract, "NO_CREDIT", &now());
    assert_eq!(serde_json::from_slice::<Value>(&trial.answer.body).expect("JSON"), json!({ "code": "NO_CREDIT", "detail": "no credit" }));
    assert_eq!(trial.found(), [""; 0]);
    assert_eq!(found(&contract, "NO_CREDIT", |body| body["type"] = json!("about:blank")), [""; 0]);
    assert_eq!(found(&contract, "NO_CREDIT", |body| body["code"] = json!("CREDIT")), ["S02 high $.code: undocumented"]);
}

#[test]
fn openai_errors_may_have_null_for_parameter_and_code() {
    let contract = contract("openai", &format!("{}[[error]]\nstatus = 401\n", row(401, "invalid_api_key")));
    let code = "invalid_api_key";
    assert_eq!(found(&contract, code, |body| body["error"]["param"] = Value::Null), [""; 0]);
    assert_eq!(found(&contract, code, |body| body["error"]["code"] = Value::Null), [""; 0]);
    assert_eq!(found(&contract, code, |body| body["error"]["type"] = Value::Null), ["B03 high $.error.type: type"]);
    assert_eq!(found(&contract, code, |body| body["error"]["code"] = json!(401)), ["B03 high $.error.code: type"]);
    let missing = |body: &mut Value| drop(body["error"].as_object_mut().expect("an object").remove("message"));
    assert_eq!(found(&contract, code, missing), ["B03 high $.error.message: missing"]);
}

#[test]
fn google_errors_pair_word_number_and_status() {
    let contract = contract("google-aip-193", &format!("{}{}", row(404, "NOT_FOUND"), "[[error]]\nstatus = 409\n"));
    assert_eq!(found(&contract, "NOT_FOUND", |body| body["error"]["code"] = json!(5)), ["S09 medium $.error.code: another status"]);
    assert_eq!(found(&contract, "NOT_FOUND", |body| body["error"]["code"] = json!(400)), ["S09 medium $.error.code: another status"]);
    // A word that no row lists, of a row for any code: known by its pair alone.
    let other = |body: &mut Value| {
        body["error"]["code"] = json!(409);
        body["error"]["status"] = json!("UNAVAILABLE");
    };
    let mut trial = Trial::of(&contract, "NOT_FOUND", &now()).status(409);
    let mut body: Value = serde_json::from_slice(&trial.answer.body).expect("JSON");
    other(&mut body);
    trial.answer.body = body.to_string().into_bytes();
    assert_eq!(trial.found(), ["S03 high status: other status"]);
    body["error"]["status"] = json!("CONFLICT");
    trial.answer.body = body.to_string().into_bytes();
    assert_eq!(trial.found(), ["B03 high $.error.status: enum"]);
    let untyped = |body: &mut Value| body["error"]["details"] = json!([{ "reason": "x" }]);
    assert_eq!(found(&contract, "NOT_FOUND", untyped), ["B03 high $.error.details[].@type: missing"]);
}

#[test]
fn a_ready_envelope_is_refined_as_any_other() {
    let own = "[envelope.own.fields.error.fields.code]\nrequired = true\nnullable = false\npattern = \"^[a-z_]+$\"\n";
    let contract = contract("openai", &format!("{own}{}", row(401, "invalid_api_key")));
    assert_eq!(found(&contract, "invalid_api_key", |body| body["error"]["code"] = Value::Null), ["B03 high $.error.code: type"]);
    let unknown = read("x.toml", "name = \"x\"\n[envelope.own]\nextends = \"rfc7807\"\n").expect_err("no such envelope");
    assert!(unknown.contains("rfc9457") && unknown.contains("google-aip-193"), "{unknown}");
}
