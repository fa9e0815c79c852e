//! The shipped contract states the seed document, whole.

use brownout::contract::{Level, RetryClass, Role, Row};

use crate::support::contract::shipped;

/// Every documented error: service, status, code, when the request may be repeated.
const ROWS: [(&str, u16, &str, RetryClass); 28] = [
    ("*", 400, "INVALID_REQUEST", RetryClass::AfterChange),
    ("*", 401, "INVALID_TOKEN", RetryClass::AfterRefreshOnce),
    ("*", 403, "INSUFFICIENT_PERMISSION", RetryClass::AfterChange),
    ("*", 404, "RESOURCE_NOT_FOUND", RetryClass::AfterChange),
    ("*", 409, "RESOURCE_ALREADY_EXISTS", RetryClass::AfterChange),
    ("*", 422, "VALIDATION_FAILED", RetryClass::AfterChange),
    ("*", 429, "RATE_LIMIT_EXCEEDED", RetryClass::AfterHeader),
    ("*", 500, "INTERNAL_ERROR", RetryClass::Backoff),
    ("*", 503, "SERVICE_UNAVAILABLE", RetryClass::AfterHeader),
    ("llm-api", 404, "CONVERSATION_NOT_FOUND", RetryClass::AfterChange),
    ("llm-api", 404, "MESSAGE_NOT_FOUND", RetryClass::AfterChange),
    ("llm-api", 400, "MODEL_NOT_AVAILABLE", RetryClass::AfterChange),
    ("llm-api", 400, "CONTEXT_LENGTH_EXCEEDED", RetryClass::AfterChange),
    ("llm-api", 429, "RATE_LIMIT_EXCEEDED", RetryClass::AfterHeader),
    ("llm-api", 422, "INVALID_PARAMETERS", RetryClass::AfterChange),
    ("response-api", 500, "GENERATION_FAILED", RetryClass::Backoff),
    ("response-api", 504, "TIMEOUT", RetryClass::Backoff),
    ("response-api", 502, "MODEL_ERROR", RetryClass::Backoff),
    ("response-api", 429, "QUOTA_EXCEEDED", RetryClass::AfterHeader),
    ("media-api", 413, "FILE_TOO_LARGE", RetryClass::AfterChange),
    ("media-api", 400, "UNSUPPORTED_FORMAT", RetryClass::AfterChange),
    ("media-api", 507, "STORAGE_FULL", RetryClass::Backoff),
    ("media-api", 500, "UPLOAD_FAILED", RetryClass::Backoff),
    ("mcp-tools", 404, "TOOL_NOT_FOUND", RetryClass::AfterChange),
    ("mcp-tools", 403, "TOOL_DISABLED", RetryClass::AfterChange),
    ("mcp-tools", 500, "EXECUTION_FAILED", RetryClass::Backoff),
    ("mcp-tools", 504, "TIMEOUT", RetryClass::Backoff),
    ("mcp-tools", 422, "INVALID_PARAMETERS", RetryClass::AfterChange),
];

/// What a row asks for beyond `error`, `code`, `message`: (status, code, members demanded, members expected).
const MEMBERS: [(u16, &str, &[&str], &[&str]); 14] = [
    (400, "INVALID_REQUEST", &[], &["details", "details.field", "details.issue"]),
    (401, "INVALID_TOKEN", &[], &[]),
    (403, "INSUFFICIENT_PERMISSION", &[], &["required_role"]),
    (403, "TOOL_DISABLED", &[], &[]),
    (404, "RESOURCE_NOT_FOUND", &[], &["id", "resource"]),
    (422, "VALIDATION_FAILED", &["errors", "errors.field", "errors.message"], &[]),
    (429, "RATE_LIMIT_EXCEEDED", &["limit", "remaining", "reset_at", "retry_after"], &[]),
    (429, "QUOTA_EXCEEDED", &[], &[]),
    (500, "INTERNAL_ERROR", &[], &["request_id", "timestamp"]),
    (500, "GENERATION_FAILED", &[], &["request_id", "timestamp"]),
    (503, "SERVICE_UNAVAILABLE", &["retry_after"], &[]),
    (502, "MODEL_ERROR", &[], &[]),
    (507, "STORAGE_FULL", &[], &[]),
    (413, "FILE_TOO_LARGE", &[], &[]),
];

fn members(row: &Row, level: Level) -> Vec<String> {
    let mut names = Vec::new();
    for field in &row.envelope.fields {
        names.extend((field.level == level).then(|| field.name.clone()));
        let inner = field.fields.iter().filter(|inner| inner.level == level && field.level >= level);
        names.extend(inner.map(|inner| format!("{}.{}", field.name, inner.name)));
    }
    names.sort();
    names
}

#[test]
fn every_documented_error_is_a_row_with_its_retry_class() {
    let contract = shipped();
    let expected: Vec<_> = ROWS.iter().map(|(service, status, code, retry)| (format!("{service}/*/{status}/{code}"), *retry)).collect();
    let rows: Vec<_> = contract.rows.iter().map(|row| (row.key.clone(), row.retry)).collect();
    assert_eq!(rows, expected);
    let mut statuses: Vec<u16> = contract.rows.iter().map(|row| row.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504, 507]);
    assert_eq!(contract.other_statuses, [200, 201, 204, 206, 301, 302]);
    assert_eq!(contract.services.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["llm-api", "response-api", "media-api", "mcp-tools"]);
}

#[test]
fn a_code_has_one_status_in_every_service() {
    let contract = shipped();
    let mut codes: Vec<(&str, u16)> = contract.rows.iter().map(|row| (row.code.as_str(), row.status)).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), 25, "{codes:?}");
    assert!(codes.windows(2).all(|pair| pair[0].0 != pair[1].0), "{codes:?}");
}

#[test]
fn rows_ask_for_the_members_that_their_sections_show() {
    let contract = shipped();
    for row in &contract.rows {
        let base: Vec<String> =
            members(row, Level::Must).into_iter().filter(|name| ["code", "error", "message"].contains(&name.as_str())).collect();
        assert_eq!(base, ["code", "error", "message"], "{}", row.key);
    }
    for (status, code, demanded, expected) in MEMBERS {
        for row in contract.rows.iter().filter(|row| row.status == status && row.code == code) {
            let beyond: Vec<String> =
                members(row, Level::Must).into_iter().filter(|name| !["code", "error", "message"].contains(&name.as_str())).collect();
            assert_eq!(beyond, demanded, "{}", row.key);
            assert_eq!(members(row, Level::Expected), expected, "{}", row.key);
        }
    }
}

#[test]
fn headers_are_asked_for_where_the_document_asks() {
    let contract = shipped();
    let limits = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];
    for row in &contract.rows {
        let level = |name: &str| row.envelope.headers.iter().find(|header| header.shown == name).map(|header| header.level);
        let (limit, retry) = match row.status {
            429 => (Level::Must, Level::Must),
            503 => (Level::Companion, Level::Expected),
            _ => (Level::Companion, Level::Optional),
        };
        assert!(limits.iter().all(|name| level(name) == Some(limit)), "{}", row.key);
        assert_eq!(level("Retry-After"), Some(retry), "{}", row.key);
        assert_eq!(level("WWW-Authenticate"), (row.status == 401).then_some(Level::Rfc), "{}", row.key);
        assert_eq!(row.envelope.content_type, "application/json", "{}", row.key);
    }
    let names: Vec<&str> = contract.every_answer.iter().map(|header| header.shown.as_str()).collect();
    assert_eq!(names, limits);
}

#[test]
fn services_are_told_apart_by_their_longest_prefix() {
    let contract = shipped();
    for (path, service) in [
        ("/v1/conversations", Some("llm-api")),
        ("/v1/responses", Some("response-api")),
        ("/v1/responses/r1/cancel", Some("response-api")),
        ("/v1/media/upload", Some("media-api")),
        ("/v1/mcp/tools/t1/execute", Some("mcp-tools")),
        ("/v1/admin/mcp/tools", Some("llm-api")),
        ("/healthz", None),
    ] {
        let found = contract.service_of(path).map(|ix| contract.services[ix.at()].id.as_str());
        assert_eq!(found, service, "{path}");
    }
}

#[test]
fn an_answer_falls_under_its_services_row_and_else_under_the_general_one() {
    let contract = shipped();
    let row = |service: Option<&str>, status, code| {
        let service = service.map(|id| contract.service_named(id).expect("a service"));
        contract.row_of(service, status, code).map(|ix| contract.row(ix).key.as_str())
    };
    assert_eq!(row(Some("llm-api"), 429, "RATE_LIMIT_EXCEEDED"), Some("llm-api/*/429/RATE_LIMIT_EXCEEDED"));
    assert_eq!(row(Some("media-api"), 429, "RATE_LIMIT_EXCEEDED"), Some("*/*/429/RATE_LIMIT_EXCEEDED"));
    assert_eq!(row(Some("mcp-tools"), 504, "TIMEOUT"), Some("mcp-tools/*/504/TIMEOUT"));
    assert_eq!(row(Some("media-api"), 504, "TIMEOUT"), None);
    assert_eq!(row(Some("llm-api"), 404, "MODEL_NOT_AVAILABLE"), None, "the code has another status");
    assert_eq!(row(None, 504, "TIMEOUT"), Some("response-api/*/504/TIMEOUT"), "nobody knows whose path it is");
}

#[test]
fn a_plan_names_a_row_by_its_code_and_is_told_what_it_could_have_meant() {
    let contract = shipped();
    let named = |name: &str, service: Option<&str>| {
        let service = service.map(|id| contract.service_named(id).expect("a service"));
        contract.row_named(name, service).map(|ix| contract.row(ix).key.clone())
    };
    assert_eq!(named("RATE_LIMIT_EXCEEDED", None).as_deref(), Ok("*/*/429/RATE_LIMIT_EXCEEDED"));
    assert_eq!(named("RATE_LIMIT_EXCEEDED", Some("llm-api")).as_deref(), Ok("llm-api/*/429/RATE_LIMIT_EXCEEDED"));
    assert_eq!(named("QUOTA_EXCEEDED", None).as_deref(), Ok("response-api/*/429/QUOTA_EXCEEDED"));
    assert_eq!(named("mcp-tools/TIMEOUT", None).as_deref(), Ok("mcp-tools/*/504/TIMEOUT"));
    assert_eq!(named("media-api/INTERNAL_ERROR", None).as_deref(), Ok("*/*/500/INTERNAL_ERROR"));
    assert_eq!(named("TIMEOUT", None), Err(vec!["response-api/TIMEOUT".into(), "mcp-tools/TIMEOUT".into()]));
    assert_eq!(named("TIMEOUT", Some("media-api")), Err(vec!["response-api/TIMEOUT".into(), "mcp-tools/TIMEOUT".into()]));
    assert_eq!(named("no-such/TIMEOUT", None), Err(vec!["response-api/TIMEOUT".into(), "mcp-tools/TIMEOUT".into()]));
    let near = named("RATE_LIMIT_EXCEDED", None).unwrap_err();
    assert_eq!(near, ["RATE_LIMIT_EXCEEDED", "llm-api/RATE_LIMIT_EXCEEDED"]);
    assert_eq!(named("SOMETHING_ELSE_ENTIRELY", None), Err(vec![]));
}

#[test]
fn roles_and_relations_join_body_and_headers() {
    let contract = shipped();
    let row = contract.row(contract.row_named("RATE_LIMIT_EXCEEDED", None).expect("a row"));
    let role = |name: &str| row.envelope.fields.iter().find(|field| field.name == name).and_then(|field| field.role);
    assert_eq!(role("limit"), Some(Role::Limit));
    assert_eq!(role("reset_at"), Some(Role::Reset));
    assert_eq!((role("code"), role("message")), (Some(Role::Code), Some(Role::Message)), "by their names");
    assert!(row.envelope.headers.iter().filter(|header| header.role.is_some()).all(|header| header.rule.equals.is_some()));
    assert!(row.source.line > 100 && row.source.file.ends_with(".toml"));
    assert!(contract.rows.iter().flat_map(|row| &row.envelope.fields).all(|field| field.source.line > 0));
}
