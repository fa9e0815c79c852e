//! Targets that are not there, are something else, or answer as nobody should: an exit code, a report, no panic.

use brownout::analysis::Status;
use brownout::report::{EndedBy, Report};

use crate::cli::{Draft, assert_accounts, sound};
use crate::support::shell::{Ended, Folder, at_once};
use crate::support::upstream::{Act, Upstream, answer, refused_address};

/// Runs a plan to its end; the report must be there, valid, and say the exit code that the shell saw.
#[track_caller]
fn ran(draft: &Draft) -> (Ended, Report) {
    let folder = Folder::with_plan(&draft.text());
    let ended = folder.run().ended();
    let report = folder.report();
    assert_eq!(i32::from(report.run.exit_code), ended.code, "{ended}");
    assert_accounts(&report);
    for file in ["report.html", "junit.xml", "summary.md", "latency.hgrm", "SHA256SUMS"] {
        assert!(folder.at("run").join(file).is_file(), "{file} is missing: {ended}");
    }
    (ended, report)
}

/// Nothing was sent: the target was found unusable before the first request.
#[track_caller]
fn assert_never_began(draft: &Draft, said: &str) {
    let (ended, report) = ran(draft);
    let ended = ended.exits(3).says(said).says("help: ").prints("Nothing was sent");
    assert_eq!((report.verdict.status, report.run.ended_by), (Status::Error, EndedBy::TargetLost), "{ended}");
    assert_eq!((report.run.complete, report.accounting.attempts), (false, 0));
}

#[test]
fn a_target_that_cannot_be_reached_is_found_before_the_first_request() {
    let refused = Draft::of(&format!("url = \"http://{}\"", refused_address()));
    assert_never_began(&refused.gate("error.rate < 1%"), "cannot connect to 127.0.0.1:");
    let unresolvable = Draft::of("url = \"http://something.invalid\"\nallow_hosts = [\"something.invalid\"]");
    assert_never_began(&unresolvable, "`something.invalid` does not resolve");
    let plain = Upstream::play(vec![vec![Act::write("HTTP/1.1 400 Bad Request\r\n\r\n"), Act::WaitForClose]]);
    assert_never_began(&Draft::of(&format!("url = \"https://{}\"", plain.address())), "does not speak TLS");
    let mute = Upstream::play(vec![vec![Act::WaitForClose]]);
    assert_never_began(&Draft::of(&format!("url = \"https://{}\"", mute.address())), "no TLS handshake with");
    assert!(plain.requests().is_empty() && mute.requests().is_empty());
}

#[test]
fn a_target_that_never_answers_in_http_is_a_target_error() {
    let banner = Upstream::play(vec![vec![Act::write("SSH-2.0-OpenSSH_9.6\r\n"), Act::WaitForClose]]);
    let closing = Upstream::play(vec![vec![Act::Close]]);
    let resetting = Upstream::play(vec![vec![Act::ReadRequest, Act::Reset]]);
    at_once(
        [(&banner, false), (&banner, true), (&closing, false), (&closing, true), (&resetting, false), (&resetting, true)],
        |(upstream, proxied)| {
            let proxy = if proxied { "[proxy]\nstealth = true" } else { "" };
            let (ended, report) = ran(&Draft::at(upstream).gate("error.rate < 1%").more(proxy));
            let ended = ended.exits(3);
            assert_eq!((report.accounting.failed, report.accounting.ok), (10, 0), "{ended}\n{:?}", report.accounting);
            assert!(report.verdict.status != Status::Pass, "{ended}");
        },
    );
}

#[test]
fn an_endless_body_ends_with_the_total_timeout_and_in_bounded_memory() {
    let head = Act::write("HTTP/1.1 500 Endless\r\nContent-Type: application/json\r\n\r\n");
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, head, Act::WriteForever(vec![b'['; 16 * 1024])]]);
    at_once(["", "[proxy]"], |more| {
        let (ended, report) = ran(&Draft::at(&upstream).contract().gate("error.rate < 1%").steady("500ms", "4/s").more(more));
        assert!(report.accounting.timed_out > 0 && report.accounting.ok == 0, "{ended}\n{:?}", report.accounting);
        assert_ne!(ended.code, 0);
        let memory = report.data_quality.generator.peak_rss_bytes.unwrap_or(0);
        assert!(memory < 200_000_000, "{memory} bytes of memory");
    });
}

#[test]
fn hostile_answers_are_findings_and_leave_a_whole_report() {
    let large = format!("{{\"error\":\"{}\"}}", "x".repeat(10_000_000));
    let bytes = |head: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {head}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        Act::write([head.as_bytes(), body].concat())
    };
    let obs_text = Act::write(
        b"HTTP/1.1 429 Too \x80Many\r\nX-RateLimit-Limit: \x80\xff\xfe\r\nRetry-After: \xe9\r\nContent-Length: 2\r\n\r\n{}".as_slice(),
    );
    let deep = "[".repeat(200_000);
    at_once(
        [
            ("a body of ten megabytes", bytes("500 Large", large.as_bytes())),
            ("invalid UTF-8", bytes("429 Too Many", b"{\"error\":\"\xff\xfe\xc0\x80\"}")),
            ("obs-text in headers", obs_text),
            ("escapes for a terminal", bytes("503 Down", b"{\"error\":{\"code\":\"\\u001b[31m\\u0007\",\"message\":\"\x1b]0;x\x07\"}}")),
            ("markup", bytes("503 Down", b"{\"error\":{\"code\":\"<script>alert(1)</script>\",\"message\":\"]]>&\"}}")),
            ("a deep body", bytes("500 Deep", deep.as_bytes())),
            ("a status nobody knows", bytes("799 Odd", b"")),
        ],
        |(what, act)| {
            let upstream = Upstream::always(act);
            for more in ["", "[proxy]"] {
                let gate = "contract.violations(high) == 0";
                let (ended, report) = ran(&Draft::at(&upstream).contract().gate(gate).steady("400ms", "10/s").more(more));
                assert_eq!(ended.code, 1, "{what}: {ended}");
                assert!(!report.findings.is_empty() && report.accounting.error_answers > 0, "{what}: {ended}\n{:?}", report.accounting);
                let memory = report.data_quality.generator.peak_rss_bytes.unwrap_or(0);
                assert!(memory < 300_000_000, "{what}: {memory} bytes of memory");
            }
        },
    );
}

#[test]
fn an_answer_that_is_not_http_any_more_is_a_failure_and_not_the_end_of_the_run() {
    at_once(
        [
            Act::write("HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 0\r\n\r\n"),
            Act::write("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
            Act::write("HTTP/1.1 99999 OK\r\n\r\n"),
            Act::write(format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(2_000_000))),
        ],
        |act| {
            // One connection is answered soundly, so that the target counts as one.
            let upstream = Upstream::play(vec![
                vec![Act::WaitForClose],
                vec![Act::ReadRequest, answer("200 OK", ""), Act::Close],
                vec![Act::ReadRequest, act, Act::Close],
            ]);
            let draft = Draft::at(&upstream).target("connections = { reuse = \"none\" }").gate("error.rate < 1%").steady("1s", "40/s");
            let (ended, report) = ran(&draft);
            assert!(report.accounting.failed > 0, "{ended}\n{:?}", report.accounting);
            assert_eq!((ended.code, report.verdict.status), (1, Status::Fail), "{:?}", report.verdict);
        },
    );
}

#[test]
fn a_target_that_dies_during_the_run_fails_its_gate() {
    at_once(["", "[proxy]"], |more| {
        let upstream = sound();
        let draft =
            Draft::at(&upstream).target("connections = { reuse = \"none\" }").gate("error.rate < 5%").steady("1500ms", "60/s").more(more);
        let folder = Folder::with_plan(&draft.text());
        let mut started = folder.run().start();
        started.wait_until("some requests", |_| upstream.requests().len() > 10);
        drop(upstream);
        started.ended().exits(1).prints("error.rate < 5%");
        let report = folder.report();
        assert_accounts(&report);
        assert!(report.accounting.ok > 0 && report.accounting.failed > 0, "{:?}", report.accounting);
    });
}
