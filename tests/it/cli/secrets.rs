//! What the plan declares secret is in no file and in no message, whatever the target does with it.

use crate::cli::Draft;
use crate::support::shell::{Ended, Folder, at_once};
use crate::support::upstream::{Act, Upstream};

/// A secret with everything that an encoding writes otherwise.
const SECRET: &str = "t0k/en+\"s3cr\\et\" <&>é=%";

/// How it may come back.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let percent: String =
        SECRET.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    let json = serde_json::to_string(SECRET).expect("JSON");
    vec![
        ("as it is", SECRET.as_bytes().to_vec()),
        ("percent-encoded", percent.clone().into_bytes()),
        ("percent-encoded in lower case", percent.to_lowercase().into_bytes()),
        ("as a form writes it", percent.replace("%20", "+").into_bytes()),
        ("in JSON", json.trim_matches('"').as_bytes().to_vec()),
        ("in JSON with solidus", json.trim_matches('"').replace('/', "\\/").into_bytes()),
        ("in JSON, all ASCII", json.trim_matches('"').replace('é', "\\u00e9").into_bytes()),
    ]
}

const VARS: &str = "[vars]\ntoken = { env = \"TOKEN\", secret = true, required = true }";

/// Runs with the secret in the environment; no byte of it may be found in any form.
#[track_caller]
fn assert_kept(draft: &Draft, secret: &str, forms: &[(&str, Vec<u8>)]) -> Ended {
    let folder = Folder::with_plan(&draft.text());
    let ended = folder.run().args(["--label", &format!("token={secret}")]).env("TOKEN", secret).ended();
    assert!(!folder.report().run.id.is_empty());
    let mut seen = folder.all_bytes("run");
    seen.push(("stdout".into(), ended.stdout.clone().into_bytes()));
    seen.push(("stderr".into(), ended.stderr.clone().into_bytes()));
    for (path, bytes) in &seen {
        for (how, form) in forms {
            if let Some(at) = bytes.windows(form.len()).position(|window| window.eq_ignore_ascii_case(form)) {
                let around = String::from_utf8_lossy(&bytes[at.saturating_sub(300)..(at + form.len() + 40).min(bytes.len())]);
                panic!("{} holds the secret {how}:\n{around}", path.display());
            }
        }
    }
    ended
}

#[test]
fn a_secret_that_the_target_echoes_is_in_no_file_and_no_message() {
    at_once(forms(), |(how, form)| {
        // Everywhere an answer has room: body, code, message, headers.
        let body = [b"{\"error\":{\"code\":\"".as_slice(), &form, b"\",\"message\":\"bad token ", &form, b"\"},\"raw\":\"", &form, b"\"}"]
            .concat();
        let head = [b"HTTP/1.1 429 No\r\nX-Echo: ".as_slice(), &form, b"\r\nRetry-After: ", &form, b"\r\nX-Request-ID: ", &form].concat();
        let head = [head, format!("\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes()].concat();
        let upstream = Upstream::always(Act::write([head, body].concat()));
        let step = "request = \"POST /v1/responses?key=${token}\"\nheaders = { X-Key = \"${token}\" }\njson = { input = \"${token}\" }";
        let draft = Draft::at(&upstream).contract().step(step).more(VARS).gate("contract.violations(high) == 0").steady("300ms", "20/s");
        let ended = assert_kept(&draft, SECRET, &forms());
        assert_eq!(ended.code, 1, "{how}: {ended}");
        assert!(upstream.requests().iter().any(|request| String::from_utf8_lossy(&request.body).contains("s3cr")), "it was sent");
    });
}

#[test]
fn a_secret_is_in_no_message_about_a_target_or_a_plan() {
    let secret = "sekret-host";
    let forms = [("as it is", secret.as_bytes().to_vec())];
    let draft = Draft::of("url = \"http://${token}.invalid:81/${token}\"\nallow_hosts = [\"*.invalid\"]").more(VARS);
    assert_kept(&draft, secret, &forms).exits(3);
    let draft = Draft::of("url = \"http://${token}.example\"").more(VARS);
    let folder = Folder::with_plan(&draft.text());
    let ended = folder.run().env("TOKEN", secret).ended().exits(2);
    assert!(!ended.stderr.contains(secret), "{ended}");
}

#[test]
fn bearer_tokens_of_a_plan_are_masked_though_nobody_declared_them() {
    let upstream = Upstream::always(Act::write("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}"));
    let draft = Draft::at(&upstream).contract().target("headers = { Authorization = \"Bearer undeclared-token-1\" }");
    let folder = Folder::with_plan(&draft.gate("contract.violations(high) == 0").text());
    folder.run().ended().exits(1);
    let report = folder.report();
    let evidence: Vec<_> = report.findings.iter().flat_map(|finding| &finding.evidence).collect();
    assert!(
        !evidence.is_empty() && evidence.iter().all(|sample| !sample.curl.contains("undeclared") && !sample.request.contains("undeclared"))
    );
}
