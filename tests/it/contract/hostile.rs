//! Whatever a target sends is judged: without a panic, in bounded time and memory.

use brownout::contract::Profile;
use brownout::seed::Seed;
use http::{HeaderValue, StatusCode};

use crate::support::contract::{Trial, now, read, shipped};

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let mebibyte = 1 << 20;
    vec![
        ("nothing", Vec::new()),
        ("NULs", vec![0; 4_096]),
        ("every byte", (0..=255).collect()),
        ("brackets", b"[".repeat(mebibyte)),
        ("objects in objects", b"{\"a\":".repeat(mebibyte / 5)),
        ("a huge text", [b"{\"code\":\"", "A".repeat(mebibyte).as_bytes(), b"\"}"].concat()),
        ("a huge array", format!("{{\"errors\":[{}{{}}]}}", "{},".repeat(300_000)).into_bytes()),
        ("members without end", format!("{{{}\"z\":1}}", (0..60_000).map(|k| format!("\"k{k}\":{k},")).collect::<String>()).into_bytes()),
        ("one member again and again", format!("{{{}\"code\":\"X\"}}", "\"code\":1,".repeat(50_000)).into_bytes()),
        ("huge numbers", br#"{"code":"RATE_LIMIT_EXCEEDED","error":"x","message":"y","limit":1e308,"remaining":-1e308,"retry_after":1e300,"reset_at":"9999-12-31T23:59:60Z"}"#.to_vec()),
        ("numbers beyond all", b"{\"limit\":1e999}".to_vec()),
        ("a half character", b"{\"code\":\"\\udfff\\ud800\"}".to_vec()),
        ("bytes that are no text", b"{\"code\":\"\xc3\x28\xf0\x9f\"}".to_vec()),
        ("controls and directions", "{\"error\":\"\\u0000\\u001b[2J\u{202e}\",\"code\":\"\u{feff}\",\"message\":\"\\r\\nX: y\"}".into()),
        ("a page", b"<html><script>alert(1)</script></html>".repeat(1_000)),
        ("almost frames", "at a.b(C.java:1) ".repeat(60_000).into_bytes()),
        ("almost tokens", "eyJeyJeyJ.eyJ".repeat(80_000).into_bytes()),
        ("almost addresses", "a://b:c".repeat(150_000).into_bytes()),
        ("dashes", b"-----BEGIN ".repeat(90_000)),
    ]
}

#[test]
fn hostile_bodies_are_judged_within_bounds() {
    let contract = shipped();
    let begun = std::time::Instant::now();
    for (what, body) in bodies() {
        for status in [200, 204, 404, 429, 500, 599] {
            let trial = Trial::of(&contract, "RATE_LIMIT_EXCEEDED", &now()).status(status).body(&body);
            let violations = trial.violations();
            assert!(violations.len() <= 32, "{what}");
            assert!(status < 400 || !violations.is_empty(), "{what} at {status}");
            for violation in violations {
                assert!(
                    violation.actual.len() < 500 && violation.cause.len() < 80 && violation.instance_path.len() < 80,
                    "{what}: {violation:?}"
                );
                assert!(!violation.actual.contains(['\u{0}', '\u{1b}', '\u{202e}', '\r']), "{what}: {violation:?}");
            }
        }
    }
    // Debug builds on a loaded machine: linear in 20 MB, not a measurement.
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn answers_built_to_be_slow_to_look_through_are_looked_through_in_time() {
    let contract = shipped();
    let message = |text: &str| serde_json::json!({ "error": "Internal Server Error", "code": "INTERNAL_ERROR", "message": text });
    let texts = [
        ("backslashes", "\\".repeat(150_000)),
        ("percent signs", "%41%4".repeat(50_000)),
        ("entities", "&amp;&am".repeat(30_000)),
        ("dots", "a.b.".repeat(60_000)),
        ("places", "x:1:2 ".repeat(40_000)),
        ("slashes", "/a/var/log/".repeat(20_000)),
        ("almost SQL", "SELECT a UPDATE b ".repeat(14_000)),
        ("almost traces", "at a(b) at c.d(".repeat(17_000)),
        ("almost addresses", "10.0.0.".repeat(36_000)),
        ("almost pages", "You're seeing this error because you have ".repeat(6_000)),
        ("almost connection strings", "host=a;user=b;".repeat(18_000)),
        ("our own secret, almost", "top-secret-top-secret-%2".repeat(10_000)),
    ];
    let begun = std::time::Instant::now();
    for (what, text) in texts {
        let mut trial = Trial::of(&contract, "INTERNAL_ERROR", &now()).body(message(&text).to_string().as_bytes());
        trial.secrets.declare("token", "top-secret-1+2");
        trial.request_headers.insert("authorization", HeaderValue::from_static("Bearer aaaa.bbbb.cccc"));
        assert!(trial.violations().len() < 10, "{what}");
    }
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn ten_megabytes_in_one_line_are_read_once() {
    let contract = shipped();
    let begun = std::time::Instant::now();
    let size = 10 << 20;
    let members: String = (0..700_000).map(|k| format!("\"k{k}\":{k},")).collect();
    for body in [
        format!("{{\"code\":\"INTERNAL_ERROR\",\"message\":\"{}\"}}", "x".repeat(size)),
        format!("{{{members}\"code\":\"INTERNAL_ERROR\"}}"),
        format!("{{\"code\":\"INTERNAL_ERROR\",\"details\":[{}0]}}", "[{\"a\":[]}],".repeat(size / 12)),
        format!("{{\"message\":{}{}}}", "[".repeat(120), "]".repeat(120)),
    ] {
        let trial = Trial::of(&contract, "INTERNAL_ERROR", &now()).body(body.as_bytes());
        assert!((1..10).contains(&trial.violations().len()), "{} bytes", body.len());
    }
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn a_pattern_that_other_engines_choke_on_takes_linear_time() {
    let text = "name = \"t\"\n[stream]\nmust_not_match = \"(x+x+)+y\"\n[envelope.e.fields]\ncode = { required = true }\n\
                message = { required = true, pattern = \"^(a|aa)+$\" }\n[[error]]\nstatus = 500\ncode = \"A\"\n";
    let contract = read("t.toml", text).unwrap_or_else(|problems| panic!("{problems}"));
    let begun = std::time::Instant::now();
    let long = "a".repeat(300_000);
    let trial = Trial::of(&contract, "A", &now()).member("message", Some(serde_json::json!(format!("{long}b"))));
    assert_eq!(trial.found(), ["B03 high $.message: pattern"]);
    let success = Trial::of(&contract, "A", &now()).status(200).body(format!("{}z", "x".repeat(300_000)).as_bytes());
    assert_eq!(success.found(), [""; 0]);
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn a_body_longer_than_we_keep_is_said_to_be_so() {
    let contract = shipped();
    let mut trial = Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now()).body(&b"{\"message\":\"xxxxxxxxxx".repeat(1_000));
    (trial.body_complete, trial.body_bytes) = (false, Some(10_000_000));
    let found = trial.violations();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].check, found[0].actual.as_str()), ("B02", "too long or cut: it was not kept whole (10000000 bytes)"));
}

#[test]
fn hostile_headers_are_judged_whatever_they_are() {
    let contract = shipped();
    let names = [
        "retry-after",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "content-type",
        "content-length",
        "date",
        "x-request-id",
    ];
    let values: [&[u8]; 22] = [
        b"",
        b" ",
        b"0",
        b"-0",
        b"-1",
        b"1.5",
        b"1e9",
        b"99999999999999999999",
        b"-99999999999999999999",
        b"NaN",
        b"inf",
        b"\xff\xfe",
        b"1, 2",
        b"9223372036854775807",
        b"18446744073709551615",
        b"Thu, 01 Jan 1970 00:00:00 GMT",
        b"Fri, 31 Dec 9999 23:59:59 GMT",
        b"9999-12-31T23:59:59Z",
        b"Sun, 22 Nov 2026 12:00:00 GMT",
        b"text/html",
        b"application/json;;;",
        b"\t",
    ];
    for k in 0..5_000u64 {
        let draw = Seed(5).draw("headers").with(k);
        let mut trial = Trial::of(&contract, ["RATE_LIMIT_EXCEEDED", "SERVICE_UNAVAILABLE", "INTERNAL_ERROR"][k as usize % 3], &now());
        trial.profile = [Profile::Core, Profile::Strict, Profile::Companion][draw.with(0).below(3) as usize];
        for (n, name) in names.iter().enumerate() {
            match draw.with(1 + n as u64).below(4) {
                0 => drop(trial.answer.headers.remove(*name)),
                1 => {
                    let value = values[draw.with(50 + n as u64).below(values.len() as u64) as usize];
                    trial.answer.headers.insert(*name, HeaderValue::from_bytes(value).expect("a header value"));
                }
                2 if draw.with(90 + n as u64).below(4) == 0 => drop(trial.answer.headers.append(*name, HeaderValue::from_static("7"))),
                _ => {}
            }
        }
        assert!(trial.violations().iter().all(|violation| violation.actual.len() < 300));
    }
}

#[test]
fn every_status_there_is_can_be_judged() {
    let contract = shipped();
    for status in 100..1_000u16 {
        assert!(StatusCode::from_u16(status).is_ok());
        let found = Trial::of(&contract, "CONVERSATION_NOT_FOUND", &now()).status(status).found();
        assert!(status == 404 || status < 200 || [301, 302].contains(&status) || !found.is_empty(), "{status}");
    }
}

#[test]
fn waits_and_resets_at_both_ends_of_time_still_disagree() {
    let contract = shipped();
    let extreme = Trial::of(&contract, "RATE_LIMIT_EXCEEDED", &now())
        .header("retry-after", Some("99999999999999999999"))
        .header("x-ratelimit-reset", Some("9223372036854775807"))
        .member("retry_after", Some(serde_json::json!(-1e300)))
        .member("reset_at", Some(serde_json::json!("0001-01-01T00:00:00Z")));
    let found = extreme.violations();
    for check in ["R03", "R04"] {
        assert!(found.iter().any(|violation| violation.check == check), "{check}: {found:?}");
    }
}
