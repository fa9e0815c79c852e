//! Every way an attempt can fail is told apart from the others, and counted once.

use std::time::Duration;

use brownout::client::ClientSettings;
use brownout::units::Micros;
use brownout::wire::{Ending, Failure, Phase};

use super::{direct, get, on_a_worker, settings};
use crate::support::upstream::{Act, Upstream, answer, refused_address};

/// What one attempt comes to against a connection that plays this script, and whether it was sent.
fn outcome(script: Vec<Act>, settings: ClientSettings) -> (Ending, bool, usize) {
    let upstream = Upstream::play(vec![script]);
    let reply = on_a_worker(async { get(&direct(upstream.address(), settings).await).await.0 });
    (reply.ending, reply.sent, upstream.connections())
}

fn failure(script: Vec<Act>) -> Failure {
    let (ending, sent, connections) = outcome(script, settings());
    let Ending::Failed(failure) = ending else { panic!("answered: {ending:?}") };
    assert!(sent, "{failure}: the request was written");
    assert_eq!(connections, 1, "{failure}: one attempt is one connection");
    failure
}

#[test]
fn a_port_nobody_listens_on_is_refused_and_nothing_is_sent() {
    let reply = on_a_worker(async { get(&direct(refused_address(), settings()).await).await.0 });
    assert_eq!((reply.ending, reply.sent), (Ending::Failed(Failure::Refused), false));
    assert!(reply.stamps.connect.new && reply.stamps.ready_at.is_none());
}

#[test]
fn a_connection_closed_without_an_answer_is_closed() {
    assert_eq!(failure(vec![Act::ReadRequest, Act::Close]), Failure::Closed);
    assert_eq!(failure(vec![Act::ReadRequest, Act::write("HTTP/1.1 200 OK\r\nContent-Le"), Act::Close]), Failure::Closed);
}

#[test]
fn a_connection_reset_without_an_answer_is_reset() {
    assert_eq!(failure(vec![Act::ReadRequest, Act::Reset]), Failure::Reset);
    assert_eq!(
        failure(vec![Act::ReadRequest, Act::write("HTTP/1.1 200"), Act::Wait(Duration::from_millis(50)), Act::Reset]),
        Failure::Reset
    );
}

#[test]
fn a_body_that_breaks_off_is_cut_short_with_what_arrived() {
    let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 10\r\n\r\nabcd";
    let settle = Act::Wait(Duration::from_millis(50));
    assert_eq!(failure(vec![Act::ReadRequest, Act::write(head), Act::Close]), Failure::BodyCutShort { received: 4, reset: false });
    assert_eq!(failure(vec![Act::ReadRequest, Act::write(head), settle, Act::Reset]), Failure::BodyCutShort { received: 4, reset: true });
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    assert_eq!(failure(vec![Act::ReadRequest, Act::write(chunked), Act::Close]), Failure::BodyCutShort { received: 3, reset: false });
}

#[test]
fn a_cut_body_keeps_its_head_and_what_arrived() {
    let cut = Act::write("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 10\r\n\r\nabcd");
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, cut, Act::Close]]);
    let (reply, kept) = on_a_worker(async { get(&direct(upstream.address(), settings()).await).await });
    let head = reply.head.expect("a head arrived");
    assert_eq!((head.status, head.headers["retry-after"].as_bytes()), (503, &b"2"[..]));
    assert_eq!((kept.as_slice(), reply.body_bytes, reply.body_complete), (&b"abcd"[..], 4, false));
}

#[test]
fn what_is_not_http_is_a_bad_protocol() {
    for (bytes, what) in [
        (&b"SSH-2.0-OpenSSH_9.2\r\n\r\n"[..], "another protocol"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "a TLS alert"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "a status that is no number"),
        (b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", "a field without a colon"),
        (b"HTTP/1.1 200 OK\r\nX-A: one\x00two\r\n\r\n", "a NUL in a field value"),
        (b"HTTP/1.1 200 OK\r\nX-A: one\x1btwo\r\n\r\n", "an escape in a field value"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "two lengths"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "a negative length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a chunk size that is no number"),
    ] {
        assert_eq!(failure(vec![Act::ReadRequest, Act::write(bytes), Act::WaitForClose]), Failure::BadProtocol, "{what}");
    }
}

#[test]
fn a_head_that_is_too_large_is_a_bad_protocol_and_no_panic() {
    let many: String = (0..200).map(|n| format!("X-Field-{n}: {n}\r\n")).collect();
    let huge = format!("X-Huge: {}\r\n", "x".repeat(2_000_000));
    for fields in [many, huge] {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        assert_eq!(failure(vec![Act::ReadRequest, Act::write(head), Act::WaitForClose]), Failure::BadProtocol);
    }
}

#[test]
fn a_target_that_talks_first_is_not_http_whether_or_not_we_were_faster() {
    let (ending, _, connections) = outcome(vec![Act::write("SSH-2.0-OpenSSH_9.2\r\n"), Act::WaitForClose], settings());
    assert_eq!((ending, connections), (Ending::Failed(Failure::BadProtocol), 1));
}

#[test]
fn a_target_that_closes_at_once_is_closed_or_reset_and_tried_once() {
    let (ending, _, connections) = outcome(vec![Act::Close], settings());
    assert!(matches!(ending, Ending::Failed(Failure::Closed | Failure::Reset)), "{ending:?}");
    assert_eq!(connections, 1);
}

#[test]
fn no_head_in_time_is_a_first_byte_timeout_and_the_connection_is_not_used_again() {
    let slow = vec![Act::ReadRequest, Act::write("HTTP/1.1 200 OK\r\n"), Act::WaitForClose];
    let upstream = Upstream::play(vec![slow, vec![Act::ReadRequest, answer("200 OK", "")]]);
    on_a_worker(async {
        let transport = direct(upstream.address(), ClientSettings { first_byte: Micros::from_millis(60), ..settings() }).await;
        let (reply, _) = get(&transport).await;
        assert_eq!(reply.ending, Ending::Failed(Failure::TimedOut(Phase::FirstByte)));
        let ready_at = reply.stamps.ready_at.expect("it was connected");
        let waited = reply.stamps.ended_at.since(ready_at);
        assert!((60_000..2_000_000).contains(&waited.0), "{waited}");
        assert_eq!(get(&transport).await.0.ending, Ending::Answered(200));
    });
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn an_answer_that_does_not_end_in_time_is_a_timeout() {
    let slow = vec![Act::ReadRequest, Act::write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), Act::WaitForClose];
    let upstream = Upstream::play(vec![slow]);
    let (reply, kept) = on_a_worker(async {
        get(&direct(upstream.address(), ClientSettings { total: Micros::from_millis(80), ..settings() }).await).await
    });
    assert_eq!(reply.ending, Ending::Failed(Failure::TimedOut(Phase::Total)));
    assert_eq!((kept.as_slice(), reply.body_complete), (&b"abc"[..], false));
    let took = reply.stamps.ended_at.since(reply.stamps.started_at);
    assert!((80_000..2_000_000).contains(&took.0), "{took}");
    upstream.wait_until_idle();
}
