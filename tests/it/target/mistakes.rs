//! A client mistake that the document describes causes the error that it describes, and all documented errors can be had.

use std::collections::BTreeSet;

use brownout::plan::Limits;

use crate::support::contract::shipped;
use crate::support::served::{Served, Wish};

const USER: &str = "user-token";
const ADMIN: &str = "admin-token";

/// Makes a conversation and answers its path.
fn conversation(served: &mut Served, token: &str, title: &str) -> String {
    let made = served.ask("POST", "/v1/conversations", token, &format!(r#"{{"title":"{title}"}}"#));
    assert_eq!(made.status, 201, "{}", made.text());
    format!("/v1/conversations/{}", made.json()["data"]["id"].as_str().expect("an id"))
}

/// Asks, expects an error, and answers the key of the row it is, having held it to the contract under all profiles.
fn error(served: &mut Served, request: &str, token: &str, body: &str) -> (String, serde_json::Value) {
    let (method, path) = request.split_once(' ').expect("method and path");
    let answer = served.ask(method, path, token, body);
    served.assert_conforms(method, path, &answer);
    let json = answer.json();
    let code = json["code"].as_str().unwrap_or_else(|| panic!("{request}: {}", answer.text()));
    let service = served.contract.service_of(path.split('?').next().expect("a path"));
    let row = served.contract.row_of(service, answer.status, code).unwrap_or_else(|| panic!("{request}: {} {code}", answer.status));
    (served.contract.row(row).key.clone(), json)
}

#[test]
fn every_documented_mistake_causes_the_documented_error() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let mine = conversation(&mut served, USER, "mine");
    let long = "x".repeat(201);
    let longer = "x".repeat(40_000);
    let table: &[(&str, &str, String, &str)] = &[
        // request, token, body, the error
        ("POST /v1/conversations", USER, r#"{"title":""}"#.into(), "*/*/400/INVALID_REQUEST"), // the document's own example
        ("POST /v1/conversations", USER, "{}".into(), "*/*/400/INVALID_REQUEST"),              // missing field
        ("POST /v1/conversations", USER, r#"{"title":7}"#.into(), "*/*/400/INVALID_REQUEST"),  // type
        ("POST /v1/conversations", USER, r#"{"title":"#.into(), "*/*/400/INVALID_REQUEST"),    // not JSON
        ("POST /v1/conversations", USER, "[]".into(), "*/*/400/INVALID_REQUEST"),              // not an object
        ("PATCH /v1/users/me/settings", USER, r#"{"language":"xx"}"#.into(), "*/*/400/INVALID_REQUEST"), // enum
        ("GET /v1/conversations?limit=many", USER, String::new(), "*/*/400/INVALID_REQUEST"),  // parameter type
        ("GET /v1/conversations", "", String::new(), "*/*/401/INVALID_TOKEN"),
        ("GET /v1/conversations", "wrong", String::new(), "*/*/401/INVALID_TOKEN"),
        ("DELETE /v1/admin/users/user_123", USER, String::new(), "*/*/403/INSUFFICIENT_PERMISSION"), // role
        ("GET MINE", "other-token", String::new(), "*/*/403/INSUFFICIENT_PERMISSION"),               // another user's
        ("GET /v1/nothing/here", USER, String::new(), "*/*/404/RESOURCE_NOT_FOUND"),                 // endpoint
        ("PUT /v1/conversations", USER, "{}".into(), "*/*/404/RESOURCE_NOT_FOUND"),                  // method
        ("DELETE /v1/admin/users/nobody", ADMIN, String::new(), "*/*/404/RESOURCE_NOT_FOUND"),
        ("POST /v1/responses", USER, r#"{"model":"none","input":"x"}"#.into(), "*/*/404/RESOURCE_NOT_FOUND"), // model not in catalog
        ("POST /v1/conversations", USER, r#"{"title":"mine"}"#.into(), "*/*/409/RESOURCE_ALREADY_EXISTS"),
        ("POST /v1/conversations", USER, format!(r#"{{"title":"{long}"}}"#), "*/*/422/VALIDATION_FAILED"), // too long
        ("PATCH /v1/users/me", USER, r#"{"age":17}"#.into(), "*/*/422/VALIDATION_FAILED"),                 // the document's own example
        ("PATCH /v1/users/me", USER, r#"{"email":"nobody"}"#.into(), "*/*/422/VALIDATION_FAILED"),
        ("PATCH /v1/users/me", USER, r#"{"birth_date":"tomorrow"}"#.into(), "*/*/422/VALIDATION_FAILED"),
        ("GET /v1/conversations?limit=1000", USER, String::new(), "*/*/422/VALIDATION_FAILED"),
        ("GET /v1/conversations/conv_missing", USER, String::new(), "llm-api/*/404/CONVERSATION_NOT_FOUND"),
        ("POST /v1/conversations/conv_missing/items", USER, "{}".into(), "llm-api/*/404/CONVERSATION_NOT_FOUND"),
        ("DELETE MINE/items/msg_missing", USER, String::new(), "llm-api/*/404/MESSAGE_NOT_FOUND"),
        ("POST /v1/chat/completions", USER, chat("none", "hi", ""), "llm-api/*/400/MODEL_NOT_AVAILABLE"),
        ("POST /v1/chat/completions", USER, chat("jan-v1-4b", &longer, ""), "llm-api/*/400/CONTEXT_LENGTH_EXCEEDED"),
        ("POST /v1/chat/completions", USER, chat("jan-v1-4b", "hi", r#","temperature":2.5"#), "llm-api/*/422/INVALID_PARAMETERS"),
        ("POST /v1/chat/completions", USER, chat("jan-v1-4b", "", ""), "*/*/400/INVALID_REQUEST"),
        ("POST /v1/mcp/tools/none/execute", USER, r#"{"arguments":{}}"#.into(), "mcp-tools/*/404/TOOL_NOT_FOUND"),
        ("POST /v1/mcp/tools/code-runner/execute", USER, r#"{"arguments":{}}"#.into(), "mcp-tools/*/403/TOOL_DISABLED"),
        ("POST /v1/mcp/tools/calculator/execute", USER, r#"{"arguments":{"count":99}}"#.into(), "mcp-tools/*/422/INVALID_PARAMETERS"),
        ("POST /v1/mcp/tools/calculator/execute", USER, r#"{"arguments":3}"#.into(), "*/*/400/INVALID_REQUEST"),
    ];
    for (request, token, body, expected) in table {
        let request = request.replace("MINE", &mine);
        assert_eq!(error(&mut served, &request, token, body).0, *expected, "{request} {body:.60}");
    }
}

fn chat(model: &str, content: &str, more: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"{content}"}}]{more}}}"#)
}

#[test]
fn every_documented_error_can_be_had_by_a_request() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let mine = conversation(&mut served, USER, "taken");
    let mut seen = BTreeSet::new();
    for (request, token, body) in [
        // The client's mistakes, one for each row.
        ("POST /v1/conversations", USER, "{}".to_owned()),
        ("GET /v1/conversations", "", String::new()),
        ("GET /v1/admin/mcp/tools", USER, String::new()),
        ("GET /v1/nowhere", USER, String::new()),
        ("POST /v1/conversations", USER, r#"{"title":"taken"}"#.to_owned()),
        ("PATCH /v1/users/me", USER, r#"{"age":121}"#.to_owned()),
        ("GET /v1/conversations/conv_missing", USER, String::new()),
        ("DELETE MINE/items/msg_missing", USER, String::new()),
        ("POST /v1/chat/completions", USER, chat("none", "hi", "")),
        ("POST /v1/chat/completions", USER, chat("jan-v1-4b", &"x".repeat(40_000), "")),
        ("POST /v1/chat/completions", USER, chat("jan-v1-4b", "hi", r#","top_p":-1"#)),
        ("POST /v1/mcp/tools/none/execute", USER, r#"{"arguments":{}}"#.to_owned()),
        ("POST /v1/mcp/tools/code-runner/execute", USER, r#"{"arguments":{}}"#.to_owned()),
        ("POST /v1/mcp/tools/calculator/execute", USER, r#"{"arguments":{"count":0}}"#.to_owned()),
        // The server's own, by the names that the contract file declares for them.
        ("POST /v1/chat/completions", USER, chat("fail-generation", "hi", "")),
        ("POST /v1/chat/completions", USER, chat("upstream-down", "hi", "")),
        ("POST /v1/responses", USER, r#"{"model":"fail-generation","input":"x"}"#.to_owned()),
        ("POST /v1/responses", USER, r#"{"model":"upstream-down","input":"x"}"#.to_owned()),
        ("POST /v1/responses", USER, r#"{"model":"slow","input":"x"}"#.to_owned()),
        ("POST /v1/responses", USER, r#"{"model":"over-quota","input":"x"}"#.to_owned()),
        ("POST /v1/mcp/tools/broken-tool/execute", USER, r#"{"arguments":{}}"#.to_owned()),
        ("POST /v1/mcp/tools/slow-tool/execute", USER, r#"{"arguments":{}}"#.to_owned()),
    ] {
        seen.insert(error(&mut served, &request.replace("MINE", &mine), token, &body).0);
    }
    // Uploads: the file is the body. Eleven of 10 MB are more than the quota of 100 MB.
    let file = vec![b'x'; 10_000_000];
    let upload = |served: &mut Served, path: &str, media_type: &str, body: &[u8]| {
        let headers = [("Authorization", "Bearer user-token"), ("Content-Type", media_type)];
        let answer = served.client.send("POST", path, &headers, body);
        served.assert_conforms("POST", path, &answer);
        answer
    };
    for (path, media_type, body) in [
        ("/v1/media/upload", "application/x-msdownload", &b"MZ"[..]),
        ("/v1/media/upload?filename=corrupt.png", "image/png", b"PNG"),
        ("/v1/media/upload", "image/png", &[b'x'; 10_000_001]),
    ] {
        let answer = upload(&mut served, path, media_type, body);
        seen.insert(format!("media-api/*/{}/{}", answer.status, answer.json()["code"].as_str().expect("a code")));
    }
    let statuses: Vec<u16> = (0..11).map(|_| upload(&mut served, "/v1/media/upload", "image/png", &file).status).collect();
    assert_eq!(statuses, [[201; 10].as_slice(), &[507]].concat());
    seen.insert("media-api/*/507/STORAGE_FULL".to_owned());
    // Rate limits, on a server that has them.
    let limits = Limits::Documented;
    let mut limited = Served::new(shipped(), &Wish { limits, ..Wish::STRICT });
    for (request, body) in
        [("POST /v1/conversations/bulk-delete", r#"{"ids":["x"]}"#), ("POST /v1/responses", r#"{"model":"jan-v1-4b","input":"x"}"#)]
    {
        let (method, path) = request.split_once(' ').expect("method and path");
        while limited.ask(method, path, USER, body).status != 429 {}
        seen.insert(error(&mut limited, request, USER, body).0);
    }
    let documented: BTreeSet<String> = served.contract.rows.iter().map(|row| row.key.clone()).collect();
    assert_eq!(documented.len(), 28);
    assert_eq!(seen, documented);
}

#[test]
fn answers_say_what_is_wrong_and_with_what() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let mine = conversation(&mut served, USER, "mine");
    let told = |served: &mut Served, request: &str, token: &str, body: &str| error(served, request, token, body).1;
    let empty = told(&mut served, "POST /v1/conversations", USER, r#"{"title":""}"#);
    assert_eq!(empty["details"], serde_json::json!({ "field": "title", "issue": "Cannot be empty" }));
    let both = told(&mut served, "PATCH /v1/users/me", USER, r#"{"email":"x","age":12}"#);
    let errors = serde_json::json!([
        { "field": "age", "message": "Must be between 18 and 120" },
        { "field": "email", "message": "Invalid email format" },
    ]);
    assert_eq!(both["errors"], errors);
    let missing = told(&mut served, "GET /v1/conversations/conv_missing", USER, "");
    assert_eq!((&missing["resource"], &missing["id"]), (&"conversation".into(), &"conv_missing".into()));
    assert_eq!(told(&mut served, "DELETE /v1/admin/users/user_123", USER, "")["required_role"], "admin");
    assert_eq!(
        told(&mut served, "POST /v1/conversations", USER, r#"{"title":"mine"}"#)["message"],
        "A conversation with this title already exists"
    );
    let role = told(&mut served, &format!("POST {mine}/items"), USER, r#"{"role":"robot","content":"x"}"#);
    assert_eq!(role["details"]["field"], "role");
    let nested = told(
        &mut served,
        "POST /v1/chat/completions",
        USER,
        r#"{"model":"jan-v1-4b","messages":[{"role":"user","content":"x"},{"role":"x","content":"y"}]}"#,
    );
    assert_eq!(nested["details"]["field"], "messages.1.role");
    // Hostile text is text.
    let hostile = told(&mut served, "GET /v1/conversations/%22%3E%3Cscript%3E", USER, "");
    assert_eq!(hostile["id"], "%22%3E%3Cscript%3E");
}

#[test]
fn a_challenge_goes_with_a_token_that_is_missing_or_wrong() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let (bare, refused) = (r#"Bearer realm="api""#, r#"Bearer realm="api", error="invalid_token""#);
    for (headers, challenge) in [
        (&[][..], bare),
        (&[("Authorization", "Bearer")], bare),
        (&[("Authorization", "Basic dXNlcg==")], bare),
        (&[("Authorization", "Bearer user-token2")], refused),
    ] {
        let answer = served.client.send("GET", "/v1/conversations", headers, b"");
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, challenge), "{headers:?}");
        assert_eq!(answer.headers.get_all("www-authenticate").iter().count(), 1);
    }
    let answer = served.client.send("GET", "/v1/conversations", &[("Authorization", "bearer  user-token")], b"");
    assert_eq!(answer.status, 200, "a scheme has no case");
}

#[test]
fn a_maintenance_begins_and_ends_by_a_switch_that_only_admins_reach() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let switch = "/v1/admin/switches/maintenance";
    assert_eq!(served.ask("PATCH", switch, USER, r#"{"enabled":true}"#).status, 403);
    assert_eq!(served.ask("PATCH", switch, ADMIN, r#"{"enabled":true}"#).status, 200);
    for (method, path) in [("GET", "/v1/conversations"), ("POST", "/v1/chat/completions"), ("GET", "/v1/health"), ("GET", "/nowhere")] {
        let answer = served.ask(method, path, USER, "");
        assert_eq!((answer.status, answer.header("retry-after")), (503, "300"), "{path}");
        assert_eq!(answer.json()["retry_after"], 300);
        served.assert_conforms(method, path, &answer);
    }
    assert_eq!(served.ask("PATCH", switch, ADMIN, r#"{"enabled":false}"#).status, 200);
    assert_eq!(served.ask("GET", "/v1/conversations", USER, "").status, 200);
}

#[test]
fn a_tool_that_an_admin_switches_on_can_be_used() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let execute = |served: &mut Served| served.ask("POST", "/v1/mcp/tools/code-runner/execute", USER, r#"{"arguments":{}}"#).status;
    assert_eq!(execute(&mut served), 403);
    assert_eq!(served.ask("PATCH", "/v1/admin/mcp/tools/code-runner", ADMIN, r#"{"enabled":true}"#).status, 200);
    assert_eq!(execute(&mut served), 200);
    let made = served.ask("POST", "/v1/admin/mcp/tools", ADMIN, r#"{"id":"mine","name":"Mine"}"#);
    assert_eq!((made.status, &made.json()["data"]["enabled"]), (201, &true.into()));
    assert_eq!(served.ask("POST", "/v1/mcp/tools/mine/execute", USER, r#"{"arguments":{}}"#).status, 200);
    let again = served.ask("POST", "/v1/admin/mcp/tools", ADMIN, r#"{"id":"mine","name":"Other"}"#);
    assert_eq!(again.status, 409);
}
