//! Every check passes what conforms and finds what does not.

use brownout::contract::{Circumstances, Contract, Profile, Terms, Violation};
use brownout::secret::Secrets;
use brownout::severity::Severity;
use brownout::units::Micros;
use brownout::wire::{Failure, Phase, RequestFacts};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use crate::support::contract::{Trial, now, read, shipped};

/// What is done to an answer in order, and the one thing that is found then.
type Case = (&'static str, fn(&Contract) -> Trial<'_>, &'static str);

fn limited(contract: &Contract) -> Trial<'_> {
    Trial::of(contract, "RATE_LIMIT_EXCEEDED", &Circumstances { retry_after_s: Some(30), ..now() })
}

fn internal(contract: &Contract) -> Trial<'_> {
    Trial::of(contract, "INTERNAL_ERROR", &now())
}

fn unavailable(contract: &Contract) -> Trial<'_> {
    Trial::of(contract, "SERVICE_UNAVAILABLE", &Circumstances { retry_after_s: Some(3), ..now() })
}

fn missing(contract: &Contract) -> Trial<'_> {
    Trial::of(contract, "CONVERSATION_NOT_FOUND", &now())
}

fn success(contract: &Contract) -> Trial<'_> {
    missing(contract).status(200).body(br#"{"status":200,"data":{"id":"conv_1","code":"x"}}"#)
}

const VIOLATING: &[Case] = &[
    // status
    (
        "an undocumented status with a documented shape and no code",
        |c| missing(c).status(418).member("code", None).member("error", Some(json!("I'm a teapot"))),
        "S01 high status: undocumented | B03 high $.code: missing",
    ),
    ("an undocumented success status", |c| success(c).status(202), "S01 high status: undocumented"),
    ("an undocumented code", |c| missing(c).member("code", Some(json!("GONE_FISHING"))), "S02 high $.code: undocumented"),
    (
        "a documented code on another status",
        |c| missing(c).status(400).member("error", Some(json!("Bad Request"))),
        "S03 high status: other status",
    ),
    (
        "a model that is not in the catalogue, as the section on 404 has it",
        |c| missing(c).member("code", Some(json!("MODEL_NOT_AVAILABLE"))),
        "S03 high status: other status",
    ),
    ("a code of another service", |c| missing(c).member("code", Some(json!("TOOL_NOT_FOUND"))), "S04 medium $.code: other service"),
    ("an error under a success status", |c| missing(c).status(200), "S08 high $: error body"),
    ("another name of the status", |c| missing(c).member("error", Some(json!("not_found"))), "S10 low $.error: not the reason phrase"),
    // body
    ("no body", |c| missing(c).body(b""), "B01 high $: empty"),
    ("half a body", |c| missing(c).body(b"{\"error\": \"Not"), "B02 high $: truncated"),
    ("no text and no JSON", |c| missing(c).body(b"{\"error\": \xff\"}"), "B02 high $: not UTF-8"),
    (
        "a body in another encoding",
        |c| {
            let t = missing(c);
            let text = String::from_utf8_lossy(&t.answer.body).replacen("\"message\":\"", "\"message\":\"\u{e9}", 1);
            let latin1: Vec<u8> = text.chars().map(|c| c as u8).collect();
            t.body(&latin1)
        },
        "B06 low $: bytes that are not UTF-8",
    ),
    (
        "a body in UTF-16",
        |c| {
            let t = missing(c);
            let wide: Vec<u8> = t.answer.body.iter().flat_map(|byte| [*byte, 0]).collect();
            t.body(&wide)
        },
        "B06 low $: UTF-16",
    ),
    (
        "a byte order mark",
        |c| {
            let t = missing(c);
            let marked = [b"\xef\xbb\xbf", t.answer.body.as_slice()].concat();
            t.body(&marked)
        },
        "B06 low $: a byte order mark",
    ),
    (
        "a member twice",
        |c| {
            let t = missing(c);
            let text = String::from_utf8_lossy(&t.answer.body).replacen('{', "{\"code\":\"OTHER\",", 1);
            t.body(text.as_bytes())
        },
        "B07 medium $: a member twice",
    ),
    (
        "a member twice, inside",
        |c| missing(c).body(br#"{"error":"Not Found","code":"CONVERSATION_NOT_FOUND","message":"x","details":{"a":[{"b":1,"\u0062":2}]}}"#),
        "B07 medium $: a member twice",
    ),
    ("half a character", |c| missing(c).body(b"{\"error\": \"\\ud800\"}"), "B02 high $: not UTF-8"),
    ("a body nested without end", |c| missing(c).body("[".repeat(10_000).as_bytes()), "B02 high $: too deep"),
    ("an array", |c| missing(c).body(b"[]"), "B03 high $: type"),
    ("a missing member", |c| missing(c).member("message", None), "B03 high $.message: missing"),
    ("an empty message", |c| missing(c).member("message", Some(json!(""))), "B03 high $.message: length"),
    (
        "a code in lower case",
        |c| missing(c).member("code", Some(json!("not_found"))),
        "S02 high $.code: undocumented | B03 high $.code: pattern",
    ),
    ("details that are a text", |c| missing(c).member("details", Some(json!("no such thing"))), "B03 high $.details: type"),
    (
        "a missing inner member",
        |c| Trial::of(c, "VALIDATION_FAILED", &now()).member("errors", Some(json!([{ "message": "x" }, { "message": "y" }]))),
        "B03 high $.errors[].field: missing",
    ),
    ("no item", |c| Trial::of(c, "VALIDATION_FAILED", &now()).member("errors", Some(json!([]))), "B03 high $.errors: too few items"),
    (
        "items that are texts",
        |c| Trial::of(c, "VALIDATION_FAILED", &now()).member("errors", Some(json!(["age"]))),
        "B03 high $.errors[]: item type",
    ),
    (
        "a limit of 0",
        |c| limited(c).member("limit", Some(json!(0))).header("x-ratelimit-limit", Some("1")),
        "B03 high $.limit: minimum | R08 medium header:X-RateLimit-Limit: differs",
    ),
    ("a limit in quotes", |c| limited(c).member("limit", Some(json!("100"))), "B03 high $.limit: type"),
    ("a reset without offset", |c| limited(c).member("reset_at", Some(json!("2026-11-22T12:00:30"))), "B03 high $.reset_at: format"),
    ("no content type", |c| missing(c).header("content-type", None), "B04 medium header:Content-Type: missing"),
    ("another content type", |c| missing(c).header("content-type", Some("text/plain")), "B04 medium header:Content-Type: another type"),
    (
        "the default page of a proxy",
        |c| missing(c).header("content-type", Some("application/json")).body(b"<html><h1>502</h1></html>"),
        "B05 high header:Content-Type: markup",
    ),
    ("a text that calls itself JSON", |c| missing(c).body(b"upstream connect error"), "B05 high header:Content-Type: other text"),
    (
        "JSON that calls itself HTML",
        |c| missing(c).header("content-type", Some("text/html; charset=utf-8")),
        "B05 high header:Content-Type: JSON as markup",
    ),
    (
        "a page that says that it is one",
        |c| missing(c).header("content-type", Some("text/html")).body(b"<html></html>"),
        "B04 medium header:Content-Type: another type | B02 high $: malformed",
    ),
    // headers
    ("a header less", |c| limited(c).header("x-ratelimit-limit", None), "H01 medium header:X-RateLimit-Limit: missing"),
    (
        "no challenge",
        |c| Trial::of(c, "INVALID_TOKEN", &now()).header("www-authenticate", None),
        "H04 info header:WWW-Authenticate: missing",
    ),
    ("the headers of a success", |c| success(c).header("x-ratelimit-reset", None), "H01 medium header:X-RateLimit-Reset: missing"),
    ("a limit that is no number", |c| limited(c).header("x-ratelimit-limit", Some("many")), "H02 medium header:X-RateLimit-Limit: type"),
    (
        "a limit below 1",
        |c| success(c).header("x-ratelimit-limit", Some("0")).header("x-ratelimit-remaining", Some("0")),
        "H02 medium header:X-RateLimit-Limit: minimum",
    ),
    ("a reset that is no number", |c| success(c).header("x-ratelimit-reset", Some("soon")), "H02 medium header:X-RateLimit-Reset: format"),
    (
        "an HTTP-date for seconds",
        |c| limited(c).header("retry-after", Some("Sun, 22 Nov 2026 12:00:30 GMT")),
        "H02 info header:Retry-After: an HTTP-date",
    ),
    // limits
    ("a 429 that does not say when", |c| limited(c).header("retry-after", None), "R01 high header:Retry-After: missing"),
    ("a 503 that does not say when", |c| unavailable(c).header("retry-after", None), "R01 medium header:Retry-After: missing"),
    ("half a second", |c| limited(c).header("retry-after", Some("30.0")), "R02 medium header:Retry-After: a fraction"),
    ("a time long ago", |c| limited(c).header("retry-after", Some("-30")), "R02 medium header:Retry-After: a negative number"),
    ("an ISO date", |c| limited(c).header("retry-after", Some("2026-11-22T12:00:30Z")), "R02 medium header:Retry-After: an ISO 8601 date"),
    ("another wait in header and body", |c| limited(c).header("retry-after", Some("32")), "R03 high header:Retry-After: differs"),
    ("a reset one hour off", |c| limited(c).header("x-ratelimit-reset", Some("1795352430")), "R04 high header:X-RateLimit-Reset: differs"),
    (
        "a reset in milliseconds",
        |c| limited(c).header("x-ratelimit-reset", Some("1795348830000")),
        "R04 high header:X-RateLimit-Reset: fits as Unix time in milliseconds",
    ),
    (
        "a reset in seconds from now",
        |c| limited(c).header("x-ratelimit-reset", Some("30")),
        "R04 high header:X-RateLimit-Reset: fits as seconds from now",
    ),
    (
        "a reset as an ISO date",
        |c| limited(c).header("x-ratelimit-reset", Some("2026-11-22T12:00:30Z")),
        "R04 high header:X-RateLimit-Reset: fits as an ISO 8601 date",
    ),
    (
        "a wait that ends before the reset",
        |c| limited(c).header("retry-after", Some("10")).member("retry_after", Some(json!(10))),
        "R05 medium header:Retry-After: before the reset",
    ),
    (
        "more left than there was",
        |c| success(c).header("x-ratelimit-remaining", Some("101")),
        "R06 medium header:X-RateLimit-Remaining: above the limit",
    ),
    (
        "less than nothing left",
        |c| success(c).header("x-ratelimit-remaining", Some("-1")),
        "R06 medium header:X-RateLimit-Remaining: negative",
    ),
    (
        "something left on a 429",
        |c| limited(c).header("x-ratelimit-remaining", Some("3")).member("remaining", Some(json!(3))),
        "R07 low header:X-RateLimit-Remaining: not 0",
    ),
    (
        "another limit in header and body",
        |c| limited(c).header("x-ratelimit-limit", Some("99")),
        "R08 medium header:X-RateLimit-Limit: differs",
    ),
    (
        "another rest in header and body",
        |c| limited(c).member("remaining", Some(json!(1))),
        "R08 medium header:X-RateLimit-Remaining: differs",
    ),
    (
        "a reset in the past",
        |c| success(c).header("x-ratelimit-reset", Some("1795348700")),
        "R09 medium header:X-RateLimit-Reset: in the past",
    ),
    (
        "a reset beyond the window",
        |c| {
            limited(c)
                .header("retry-after", Some("90"))
                .member("retry_after", Some(json!(90)))
                .header("x-ratelimit-reset", Some("1795348890"))
                .member("reset_at", Some(json!("2026-11-22T12:01:30Z")))
        },
        "R09 medium header:X-RateLimit-Reset: beyond the window",
    ),
    // identity
    ("no request id on a 500", |c| internal(c).member("request_id", None), "I01 medium $.request_id: missing"),
    ("a request id of another form", |c| internal(c).member("request_id", Some(json!("abc-123"))), "I02 medium $.request_id: pattern"),
    (
        "another request id in the header",
        |c| internal(c).header("x-request-id", Some("req_other")),
        "I04 medium header:X-Request-Id: differs",
    ),
    (
        "a timestamp without offset",
        |c| internal(c).member("timestamp", Some(json!("2026-11-22T12:00:00"))),
        "T01 medium $.timestamp: format",
    ),
    (
        "a timestamp of yesterday",
        |c| internal(c).member("timestamp", Some(json!("2026-11-21T12:00:00Z"))),
        "T02 medium $.timestamp: before Date",
    ),
    // leaks
    (
        "a stack trace",
        |c| {
            internal(c).member("details", Some(json!({ "trace": "Traceback (most recent call last):\n  File \"/app/main.py\", line 3, in go\n  File \"/app/db.py\", line 9, in get\n" })))
        },
        "L01 critical body: stack trace",
    ),
    (
        "a stack trace taken apart",
        |c| {
            internal(c).member(
                "details",
                Some(json!({ "frames": [{ "file": "a.py", "line": 1 }, { "file": "b.py", "line": 2 }, { "file": "c.py", "line": 3 }] })),
            )
        },
        "L01 critical body: stack trace",
    ),
    (
        "a stack trace of another language",
        |c| internal(c).member("message", Some(json!("NullPointerException: x\n\tat com.a.B.c(B.java:12)\n\tat com.a.D.<init>(D.java:1)"))),
        "L01 critical body: stack trace",
    ),
    (
        "a token",
        |c| internal(c).member("message", Some(json!("bad token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghijklmnop"))),
        "L04 critical body: a JSON Web Token",
    ),
    (
        "a password in an address",
        |c| internal(c).member("message", Some(json!("cannot reach postgres://app:hunter22@db:5432/x"))),
        "L04 critical body: a URI with a password",
    ),
    (
        "a private key",
        |c| internal(c).member("message", Some(json!("-----BEGIN RSA PRIVATE KEY-----\nMIIEow"))),
        "L04 critical body: a private key",
    ),
    // protocol
    (
        "content after HEAD",
        |c| {
            let mut t = success(c);
            t.method = Method::HEAD;
            t
        },
        "P01 high body: content",
    ),
    ("content with 204", |c| success(c).status(204), "P02 high body: content"),
    (
        "a length with 204",
        |c| success(c).status(204).body(b"").header("content-length", Some("0")),
        "P02 high header:Content-Length: content-length",
    ),
    ("more bytes than announced", |c| missing(c).header("content-length", Some("10")), "P03 high body: length"),
];

#[test]
fn every_check_finds_what_it_is_there_for() {
    let contract = shipped();
    for (what, make, expected) in VIOLATING {
        assert_eq!(make(&contract).found().join(" | "), *expected, "{what}");
    }
    for base in [limited, internal, unavailable, missing, success] {
        assert_eq!(base(&contract).found(), [""; 0]);
    }
}

#[test]
fn what_conforms_in_an_unusual_way_raises_nothing() {
    type Unusual = (&'static str, fn(&Contract) -> Trial<'_>);
    let unusual: &[Unusual] = &[
        ("a charset", |c| missing(c).header("content-type", Some("Application/JSON; charset=\"utf-8\""))),
        ("a +json type", |c| missing(c).header("content-type", Some("application/problem+json"))),
        ("members nobody named", |c| missing(c).member("hint", Some(json!({ "deep": [1, 2, { "x": null }] })))),
        ("the new name of 422", |c| Trial::of(c, "VALIDATION_FAILED", &now()).member("error", Some(json!("Unprocessable Content")))),
        ("the old name of 413", |c| Trial::of(c, "FILE_TOO_LARGE", &now()).member("error", Some(json!("Payload Too Large")))),
        ("whole numbers with a fraction of nothing", |c| limited(c).member("limit", Some(json!(100.0)))),
        ("a reset with fractions and an offset", |c| limited(c).member("reset_at", Some(json!("2026-11-22T13:00:29.500+01:00")))),
        ("a second's rounding", |c| limited(c).header("retry-after", Some("31"))),
        ("white space around the body", |c| {
            let mut t = missing(c);
            t.answer.body = [b" \n", t.answer.body.as_slice(), b"\n"].concat();
            t
        }),
        ("a general code where the service has its own", |c| Trial::of(c, "RESOURCE_NOT_FOUND", &now())),
        ("a path that belongs to no service", |c| Trial::of(c, "mcp-tools/TIMEOUT", &now()).at("/elsewhere")),
        ("a timestamp a few seconds from Date", |c| internal(c).member("timestamp", Some(json!("2026-11-22T11:59:56.1Z")))),
        ("the same request id in the header", |c| internal(c).header("x-request-id", Some("req_0000000000000007"))),
        ("our own headers", |c| missing(c).header("x-brownout-injected", Some("0;attempt=1"))),
        ("no Date on a 503, and our clock instead", |c| unavailable(c).header("date", None)),
        ("a redirect", |c| success(c).status(302).body(b"")),
        ("an answer to HEAD", |c| {
            let mut t = missing(c).body(b"");
            t.method = Method::HEAD;
            t
        }),
        ("a length that is right", |c| {
            let t = missing(c);
            let n = t.answer.body.len().to_string();
            t.header("content-length", Some(&n))
        }),
        ("a success that mentions codes and errors", |c| success(c).body(br#"{"data":{"code":"INVALID_TOKEN","error":"x"}}"#)),
        ("a file and a line in a message", |c| internal(c).member("message", Some(json!("see handler.py:12 for the rule")))),
        ("an address without a password", |c| internal(c).member("message", Some(json!("see https://docs.example.com/errors#500")))),
        ("two hundred fields that are wrong", |c| {
            Trial::of(c, "VALIDATION_FAILED", &now()).member("errors", Some(json!(vec![json!({ "field": "a", "message": "b" }); 200])))
        }),
    ];
    let contract = shipped();
    for (what, make) in unusual {
        for profile in [Profile::Core, Profile::Strict, Profile::Companion] {
            assert_eq!(make(&contract).held_to(profile).found(), [""; 0], "{what} {profile:?}");
        }
    }
}

#[test]
fn a_profile_decides_how_firmly_presence_is_asked_for_and_never_excuses_a_contradiction() {
    let contract = shipped();
    type Make = fn(&Contract) -> Trial<'_>;
    let table: [(&str, Make, [&str; 3]); 6] = [
        ("must", |c| limited(c).header("retry-after", None), ["R01 high", "R01 high", "R01 high"]),
        ("expected", |c| unavailable(c).header("retry-after", None), ["R01 info", "R01 medium", "R01 medium"]),
        ("expected", |c| internal(c).member("request_id", None), ["I01 info", "I01 medium", "I01 medium"]),
        ("companion", |c| missing(c).header("x-ratelimit-limit", None), ["", "", "H01 medium"]),
        ("rfc", |c| Trial::of(c, "INVALID_TOKEN", &now()).header("www-authenticate", None), ["H04 info", "H04 info", "H04 info"]),
        ("relation", |c| unavailable(c).header("retry-after", Some("9")), ["R03 high", "R03 high", "R03 high"]),
    ];
    for (what, make, expected) in table {
        for (profile, expected) in [Profile::Core, Profile::Strict, Profile::Companion].into_iter().zip(expected) {
            let found = make(&contract).held_to(profile).found();
            let short: Vec<String> = found.iter().map(|one| one.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
            assert_eq!(short.join(" | "), expected, "{what} {profile:?}");
        }
    }
}

#[test]
fn our_own_clock_is_trusted_less_than_the_answers_date() {
    let contract = shipped();
    // The reset was 3 s before the Date header.
    let past = |c| success(c).header("x-ratelimit-reset", Some("1795348797"));
    assert_eq!(past(&contract).found(), ["R09 medium header:X-RateLimit-Reset: in the past"]);
    let undated = |seconds| {
        let mut trial = past(&contract).header("date", None);
        trial.round_trip = Micros::from_secs(seconds);
        trial
    };
    assert_eq!(undated(0).found(), ["R09 medium header:X-RateLimit-Reset: in the past"]);
    assert_eq!(undated(6).found(), [""; 0], "the answer may have been made 6 s ago");
}

#[test]
fn a_message_says_what_was_demanded_what_was_there_and_which_line_demands_it() {
    let contract = shipped();
    let of = |trial: Trial<'_>| trial.violations().remove(0);
    let Violation { expected, actual, contract_ref, .. } = of(limited(&contract).header("x-ratelimit-reset", Some("1795348830000")));
    assert_eq!(expected, "the moment of $.reset_at, 2026-11-22T12:00:30Z");
    assert!(actual.ends_with("it would fit as Unix time in milliseconds"), "{actual}");
    let line = contract_ref.expect("a line").line as usize;
    let text = brownout::plan::contract_file::shipped(brownout::plan::contract_file::shipped_name()).expect("compiled in");
    assert!(text.lines().nth(line - 1).expect("the line").starts_with("X-RateLimit-Reset"), "{line}");
    let off = of(limited(&contract).header("x-ratelimit-reset", Some("1795352430")));
    assert_eq!(off.actual, "1795352430, which is 2026-11-22T13:00:30Z, 3600 s later");
    let status = of(missing(&contract).at("/v1/media/x").status(418).member("code", None));
    assert_eq!(status.expected, "one of 400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 507");
    let hostile = of(missing(&contract).member("code", Some(json!(format!("\u{1b}[31m{}", "X".repeat(500))))));
    assert!(hostile.actual.len() < 200 && !hostile.actual.contains('\u{1b}'), "{}", hostile.actual);
}

#[test]
fn our_own_credentials_are_found_in_an_answer_and_never_shown() {
    let contract = shipped();
    let mut declared = internal(&contract).member("message", Some(json!("no user for top-secret-1")));
    declared.secrets = {
        let mut secrets = Secrets::default();
        secrets.declare("token", "top-secret-1");
        secrets
    };
    assert_eq!(declared.found(), ["L04 critical body: own credential"]);
    assert!(!format!("{:?}", declared.violations()).contains("top-secret-1"));
    let mut sent = internal(&contract).member("message", Some(json!("cannot decode abcdef123456")));
    sent.request_headers.insert("authorization", HeaderValue::from_static("Bearer abcdef123456"));
    assert_eq!(sent.found(), ["L04 critical body: own credential"]);
    let mut echoed = internal(&contract).header("x-debug", Some("abcdef123456"));
    echoed.request_headers.insert("authorization", HeaderValue::from_static("Bearer abcdef123456"));
    assert_eq!(echoed.found(), ["L04 critical body: own credential"]);
}

#[test]
fn a_body_cut_short_is_p03_and_no_answer_at_all_is_p08() {
    let contract = shipped();
    let terms = Terms { profile: Profile::Core, undocumented: Severity::High, secrets: Default::default() };
    let headers = HeaderMap::new();
    let request = RequestFacts { method: &Method::GET, path: "/v1/x", query: None, headers: &headers, body: b"" };
    let found = |failure| contract.check_failure(&terms, &request, failure).into_iter().map(|v| (v.check, v.actual)).collect::<Vec<_>>();
    assert_eq!(found(Failure::BodyCutShort { received: 10, reset: false }), [("P03", "connection closed after 10 bytes of it".to_owned())]);
    assert_eq!(found(Failure::Reset), [("P08", "connection reset".to_owned())]);
    for before in [Failure::Unresolved, Failure::Refused, Failure::Tls, Failure::TimedOut(Phase::Connect)] {
        assert_eq!(found(before), [], "the server never had the request");
    }
    let severity = |failure| contract.check_failure(&terms, &request, failure)[0].severity;
    assert_eq!((severity(Failure::Closed), severity(Failure::TimedOut(Phase::Total))), (Severity::Medium, Severity::Low));
    let bare = read("t.toml", "name = \"t\"\n[envelope.e.fields]\ncode = {}\n[[error]]\nstatus = 400\ncode = \"A\"\n");
    assert_eq!(bare.expect("a contract").check_failure(&terms, &request, Failure::Reset), [], "nothing is documented instead");
}

#[test]
fn the_severity_of_what_is_undocumented_is_the_plans() {
    let contract = shipped();
    let trial = missing(&contract).status(418).member("code", None).member("error", Some(json!("I'm a teapot")));
    let terms = Terms { profile: Profile::Core, undocumented: Severity::Low, secrets: Default::default() };
    let request = RequestFacts { method: &trial.method, path: &trial.path, query: None, headers: &trial.request_headers, body: b"" };
    let response = trial.response();
    let judged = contract.check(&terms, &request, &response);
    assert_eq!((judged.violations[0].check, judged.violations[0].severity), ("S01", Severity::Low));
}

#[test]
fn a_closed_contract_names_members_that_it_does_not_know() {
    let text = |unknown| {
        format!(
            "name = \"t\"\nunknown_fields = \"{unknown}\"\n[envelope.e.fields]\ncode = {{ required = true }}\n[[error]]\nstatus = 400\ncode = \"A\"\n"
        )
    };
    for (unknown, expected) in [("allowed", ""), ("info", "B08 info $.*: unknown member"), ("violation", "B08 medium $.*: unknown member")]
    {
        let contract = read("t.toml", &text(unknown)).unwrap_or_else(|problems| panic!("{problems}"));
        let trial = Trial::of(&contract, "A", &now()).member("more", Some(json!(1)));
        assert_eq!(trial.found().join(" | "), expected);
    }
}

#[test]
fn a_problem_envelope_with_its_code_inside_is_read_as_well() {
    let text = r#"
name = "nested"
[envelope.nested]
content_type = "application/problem+json"
[envelope.nested.fields.error]
type = "object"
required = true
fields = { code = { required = true, role = "code" }, message = { required = true }, request_id = { role = "request-id" } }
[[error]]
status = 404
code = "gone"
"#;
    let contract = read("t.toml", text).unwrap_or_else(|problems| panic!("{problems}"));
    let trial = Trial::of(&contract, "gone", &now());
    assert_eq!(String::from_utf8_lossy(&trial.answer.body), r#"{"error":{"code":"gone","message":"-"}}"#);
    assert_eq!(trial.found(), [""; 0]);
    assert_eq!(trial.body(br#"{"error":{"code":"lost","message":"x"}}"#).found(), ["S02 high $.error.code: undocumented"]);
}
