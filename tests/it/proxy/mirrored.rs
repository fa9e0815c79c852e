//! What fails between proxy and target fails in the same way for the client, and the board says what it was.

use std::time::Duration;

use super::rig::{Broken, Rig, get, identity, rule};
use crate::support::upstream::{Act, Upstream, answer, refused_address};
use brownout::fault::{After, Effect, Fault};
use brownout::id::RuleIx;
use brownout::seed::Distribution;
use brownout::units::{Micros, Size};
use brownout::wire::Failure;

#[test]
fn every_failure_of_the_target_reaches_the_client_as_itself() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let in_body = |reset| Failure::BodyCutShort { received: 0, reset };
    for (acts, failure, broken, body, why) in [
        (vec![Act::ReadRequest, Act::Close], Failure::Closed, Broken::Closed, "", "closed without an answer"),
        (vec![Act::ReadRequest, Act::write("HTTP/1.1 200"), Act::Close], Failure::Closed, Broken::Closed, "", "closed within the head"),
        (vec![Act::ReadRequest, Act::Reset], Failure::Reset, Broken::Reset, "", "reset before the head"),
        (vec![Act::ReadRequest, Act::write("SSH-2.0-x\r\n\r\n"), Act::Close], Failure::BadProtocol, Broken::Closed, "", "not HTTP"),
        (vec![Act::ReadRequest, Act::write(cut), Act::Close], in_body(false), Broken::Closed, "hello", "closed within the body"),
        (vec![Act::ReadRequest, Act::write(chunked), Act::Close], in_body(false), Broken::Closed, "hello", "closed between chunks"),
        (
            vec![Act::ReadRequest, Act::write(cut), Act::Wait(Duration::from_millis(30)), Act::Reset],
            in_body(true),
            Broken::Reset,
            "hello",
            "reset within the body",
        ),
        (
            vec![Act::ReadRequest, Act::write(format!("{chunked}zz\r\n")), Act::WaitForClose],
            Failure::BadProtocol,
            Broken::Closed,
            "hello",
            "a chunk size that is none",
        ),
        (
            vec![
                Act::ReadRequest,
                Act::write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
                Act::WaitForClose,
            ],
            Failure::BadProtocol,
            Broken::Closed,
            "",
            "an upgrade that nobody asked for",
        ),
    ] {
        let upstream = Upstream::play(vec![acts]);
        let rig = Rig::new(upstream.address(), vec![]);
        let answer = rig.ask(&get(1, 1));
        assert_eq!(String::from_utf8_lossy(&answer.body), body, "{why}");
        assert_eq!(answer.broken, Some(broken), "{why}");
        let note = rig.noted(1, 1).expect("it was seen");
        assert_eq!((note.rule, note.forwarded, note.failure), (None, true, Some(failure)), "{why}");
        assert_eq!(upstream.requests().len(), 1, "{why}: never sent twice");
        assert_eq!(rig.stop().upstream_failures, 1, "{why}");
    }
}

#[test]
fn a_target_that_refuses_is_a_closed_connection_and_a_true_note() {
    let rig = Rig::new(refused_address(), vec![]);
    let answer = rig.ask(&get(1, 1));
    assert_eq!((answer.head.as_str(), answer.broken), ("", Some(Broken::Closed)));
    assert_eq!(rig.noted(1, 1).map(|note| (note.forwarded, note.failure)), Some((true, Some(Failure::Refused))));
    let upload = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n{}\r\n{}", identity(2, 1), "x".repeat(300_000));
    assert_eq!(rig.ask(&upload).broken, Some(Broken::Closed), "not a reset, though the upload was not read");
}

#[test]
fn a_rule_that_was_done_before_the_target_failed_stays_noted() {
    let mut slow = rule("slow", Effect::DelayOnly);
    slow.delay = Some(Distribution::Fixed(Micros(100)));
    let rig = Rig::new(refused_address(), vec![slow]);
    assert_eq!(rig.ask(&get(1, 1)).broken, Some(Broken::Closed));
    assert_eq!(rig.noted(1, 1).map(|note| (note.rule, note.failure)), Some((Some(RuleIx(0)), Some(Failure::Refused))));
}

#[test]
fn a_rule_that_the_targets_failure_forestalled_is_not_noted() {
    let upstream =
        Upstream::play(vec![vec![Act::ReadRequest, Act::write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"), Act::Close]]);
    let rig = Rig::new(upstream.address(), vec![rule("reset", Effect::Fault(Fault::Reset { after: After::Bytes(Size(50)) }))]);
    let answer = rig.ask(&get(1, 1));
    assert_eq!((answer.body.len(), answer.broken), (5, Some(Broken::Closed)), "the target's failure, not ours");
    let cut = Failure::BodyCutShort { received: 0, reset: false };
    assert_eq!(rig.noted(1, 1).map(|note| (note.rule, note.failure)), Some((None, Some(cut))));
    assert_eq!(rig.stop().rules[0].fired, 0);
}

#[test]
fn a_request_that_was_written_is_never_written_again() {
    let upstream = Upstream::play(vec![
        vec![Act::ReadRequest, answer("200 OK", "ok"), Act::ReadRequest, Act::Close],
        vec![Act::ReadRequest, answer("200 OK", "ok"), Act::WaitForClose],
    ]);
    let rig = Rig::new(upstream.address(), vec![]);
    let mut client = rig.connect();
    assert_eq!(client.ask(&get(1, 1)).status(), 200);
    assert_eq!(client.ask(&get(2, 1)).broken, Some(Broken::Closed), "it was sent on a pooled connection, and failed there");
    assert_eq!(upstream.requests().len(), 2);
    assert_eq!(rig.ask(&get(3, 1)).status(), 200);
}
