//! Answers that break off, and answers whose framing lies.

use std::time::Duration;

use super::{Seen, judges, unfired};
use crate::proxy::rig::{Broken, Rig, get, rule, wait_until};
use crate::support::upstream::{Act, Upstream, answer, refused_address};
use brownout::fault::{After, Effect, Fault};
use brownout::id::RuleIx;
use brownout::record::Unfired;
use brownout::units::Size;

const BODY: &str = "0123456789abcdefghij";

/// Long enough for what is to come on a loaded machine, and waited for only where nothing more comes.
const SILENCE: Duration = Duration::from_millis(1_500);

const SEVEN: After = After::Bytes(Size(7));

/// How a fault looks: what the head says of the framing, the bytes after it, the end; what curl exits with, and what
/// Python's http.client says.
type Row = (Fault, Option<&'static str>, &'static str, Broken, i32, &'static str);

const LENGTH: Option<&str> = Some("content-length: 20");
const CHUNKS: Option<&str> = Some("transfer-encoding: chunked");

fn rows() -> Vec<Row> {
    vec![
        (Fault::Cut { after: After::Nothing }, None, "", Broken::Closed, 52, "RemoteDisconnected"),
        (Fault::Cut { after: After::Headers }, LENGTH, "", Broken::Closed, 18, "IncompleteRead 0"),
        (Fault::Cut { after: SEVEN }, LENGTH, "0123456", Broken::Closed, 18, "IncompleteRead 7"),
        (Fault::Reset { after: After::Nothing }, None, "", Broken::Reset, 56, "ConnectionResetError"),
        (Fault::Reset { after: After::Headers }, LENGTH, "", Broken::Reset, 56, "ConnectionResetError"),
        (Fault::Reset { after: SEVEN }, LENGTH, "0123456", Broken::Reset, 56, "ConnectionResetError"),
        (Fault::HalfClose { after: After::Nothing }, None, "", Broken::Closed, 52, "RemoteDisconnected"),
        (Fault::HalfClose { after: After::Headers }, LENGTH, "", Broken::Closed, 18, "IncompleteRead 0"),
        (Fault::HalfClose { after: SEVEN }, LENGTH, "0123456", Broken::Closed, 18, "IncompleteRead 7"),
        (Fault::TruncateChunked { after: None }, CHUNKS, "14\r\n0123456789abcdefghij\r\n", Broken::Closed, 18, "IncompleteRead 20"),
        (Fault::TruncateChunked { after: Some(Size(7)) }, CHUNKS, "7\r\n0123456\r\n", Broken::Closed, 18, "IncompleteRead 7"),
        (Fault::ContentLength { off_by: 10 }, Some("content-length: 30"), BODY, Broken::Closed, 18, "IncompleteRead 20"),
        (Fault::ContentLength { off_by: -10 }, Some("content-length: 10"), BODY, Broken::Closed, 0, "ok 10"),
        (Fault::ContentLength { off_by: -50 }, Some("content-length: 0"), BODY, Broken::Closed, 0, "ok 0"),
        (Fault::BadChunk { after: Size(0) }, CHUNKS, "not-a-size\r\n", Broken::Closed, 56, "IncompleteRead 0"),
        (Fault::BadChunk { after: Size(7) }, CHUNKS, "7\r\n0123456\r\nnot-a-size\r\n", Broken::Closed, 56, "IncompleteRead 7"),
        (Fault::DropAfterUpstream, None, "", Broken::Closed, 52, "RemoteDisconnected"),
        (Fault::ResetAfterUpstream, None, "", Broken::Reset, 56, "ConnectionResetError"),
    ]
}

#[test]
fn every_byte_of_a_broken_answer_is_as_decided_for_clients_that_are_not_ours() {
    let upstream = Upstream::always(answer("200 OK", BODY));
    for (fault, framing, body, end, exit, python) in rows() {
        let what = format!("{fault:?}");
        let rig = Rig::new(upstream.address(), vec![rule("broken", Effect::Fault(fault.clone()))]);
        let seen = Seen::of(&mut rig.connect(), &get(1, 1), SILENCE);
        let (head, came) = seen.parts();
        assert_eq!((came.as_str(), seen.end), (body, Some(end)), "{what}: {head}");
        match framing {
            None => assert_eq!(head, "", "{what}"),
            Some(framing) => {
                let head = head.to_ascii_lowercase();
                assert!(head.starts_with("http/1.1 200 ok\r\n") && head.contains(framing), "{what}: {head}");
                let other = if framing == CHUNKS.expect("chunks") { "content-length" } else { "transfer-encoding" };
                assert!(!head.contains(other), "{what}: {head}");
                assert!(head.contains("x-brownout-injected: broken;attempt=1"), "{what}: {head}");
            }
        }
        let note = rig.noted(1, 1).expect("it was seen");
        let asked = !matches!(
            fault,
            Fault::Cut { after: After::Nothing } | Fault::Reset { after: After::Nothing } | Fault::HalfClose { after: After::Nothing }
        );
        assert_eq!((note.rule, note.forwarded, note.failure), (Some(RuleIx(0)), asked, None), "{what}");
        assert_eq!(note.upstream, asked.then_some(200), "{what}");
        let code = judges::curl(rig.addr, 2);
        assert!(code.is_none_or(|code| code == exit), "{what}: curl exits with {code:?}, not {exit}");
        let said = judges::python(rig.addr, 3);
        assert!(said.as_deref().is_none_or(|said| said == python), "{what}: Python says {said:?}, not {python}");
        let judged = u64::from(judges::curl(rig.addr, 4).is_some()) * 2 + u64::from(said.is_some());
        wait_until("all are counted", || rig.noted(1, 1).is_some());
        let tally = rig.stop();
        assert_eq!((tally.rules[0].planned, tally.rules[0].fired), (1 + judged, 1 + judged), "{what}");
        let lost = if fault.loses_the_answer() { 1 + judged } else { 0 };
        assert_eq!((tally.rules[0].lost, tally.rules[0].lost_successes), (lost, lost), "{what}");
    }
}

#[test]
fn a_body_in_chunks_breaks_like_one_with_a_length() {
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{BODY}\r\n0\r\n\r\n");
    let upstream = Upstream::always(Act::write(chunked));
    for (fault, body) in [
        (Fault::TruncateChunked { after: None }, "14\r\n0123456789abcdefghij\r\n"),
        (Fault::TruncateChunked { after: Some(Size(99)) }, "14\r\n0123456789abcdefghij\r\n"),
        (Fault::BadChunk { after: Size(99) }, "14\r\n0123456789abcdefghij\r\nnot-a-size\r\n"),
    ] {
        let rig = Rig::new(upstream.address(), vec![rule("broken", Effect::Fault(fault.clone()))]);
        let seen = Seen::of(&mut rig.connect(), &get(1, 1), SILENCE);
        assert_eq!((seen.parts().1.as_str(), seen.end), (body, Some(Broken::Closed)), "{fault:?}");
        assert_eq!(rig.stop().rules[0].fired, 1, "{fault:?}");
    }
}

#[test]
fn a_large_body_whose_length_lies_streams_through_and_arrives_whole() {
    let body = "x".repeat(3_000_000);
    let upstream = Upstream::always(answer("200 OK", &body));
    for (fault, came) in [(Fault::ContentLength { off_by: 1 }, 3_000_000), (Fault::ContentLength { off_by: -1 }, 3_000_000)] {
        let rig = Rig::new(upstream.address(), vec![rule("lies", Effect::Fault(fault.clone()))]);
        for arrival in 0..3 {
            let seen = Seen::of(&mut rig.connect(), &get(arrival, 1), Duration::from_secs(10));
            assert_eq!((seen.parts().1.len(), seen.end), (came, Some(Broken::Closed)), "{fault:?}");
        }
    }
}

#[test]
fn a_half_closed_connection_stays_open_for_the_client_until_it_leaves() {
    let upstream = Upstream::always(answer("200 OK", BODY));
    let rig = Rig::new(upstream.address(), vec![rule("half", Effect::Fault(Fault::HalfClose { after: After::Headers }))]);
    let mut client = rig.connect();
    assert_eq!(Seen::of(&mut client, &get(1, 1), SILENCE).end, Some(Broken::Closed));
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(300));
        std::io::Write::write_all(&mut client.socket, b"still here").expect("nobody resets us");
    }
    let begun = std::time::Instant::now();
    rig.stop();
    assert!(begun.elapsed() < Duration::from_millis(900), "a proxy that stops does not wait for it");
}

#[test]
fn what_cannot_be_broken_passes_whole_and_the_reason_is_counted() {
    let sized = answer("200 OK", BODY);
    let chunked = Act::write(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{BODY}\r\n0\r\n\r\n"));
    let empty = answer("200 OK", "");
    for (target, fault, why, what) in [
        (&chunked, Fault::ContentLength { off_by: 10 }, Unfired::NoLength, "no length that could be wrong"),
        (&empty, Fault::ContentLength { off_by: 10 }, Unfired::OverBefore, "no body"),
        (&empty, Fault::BadChunk { after: Size(0) }, Unfired::OverBefore, "no body for a chunk"),
        (&empty, Fault::Stall { after: Size(0), lasting: None }, Unfired::OverBefore, "nothing to stall"),
        (&sized, Fault::Cut { after: After::Bytes(Size(20)) }, Unfired::OverBefore, "complete by then"),
        (&sized, Fault::Stall { after: Size(20), lasting: None }, Unfired::OverBefore, "complete by then"),
        (&sized, Fault::GoAway, Unfired::OtherHttp, "HTTP/2 only"),
        (&sized, Fault::RefusedStream, Unfired::OtherHttp, "HTTP/2 only"),
        (&sized, Fault::ResetStream { after: After::Nothing }, Unfired::OtherHttp, "HTTP/2 only"),
        (&sized, Fault::Stream(brownout::fault::StreamFault::CutAfterEvents(1)), Unfired::NoEvents, "no events"),
    ] {
        let upstream = Upstream::always(target.clone());
        let rig = Rig::new(upstream.address(), vec![rule("no", Effect::Fault(fault.clone()))]);
        let mut client = rig.connect();
        for attempt in 1..=2 {
            let answer = client.ask(&get(1, attempt));
            assert_eq!((answer.status(), answer.broken, answer.head.contains("injected")), (200, None, false), "{fault:?}: {what}");
            assert!([0, 20].contains(&answer.body.len()));
            assert_eq!(rig.noted(1, attempt).map(|note| (note.rule, note.forwarded)), Some((None, true)), "{fault:?}: {what}");
        }
        let tally = rig.stop();
        assert_eq!((tally.rules[0].planned, tally.rules[0].fired, unfired(&tally, why)), (2, 0, 2), "{fault:?}: {what}");
    }
}

#[test]
fn an_answer_that_never_came_is_not_lost_by_us() {
    let rig = Rig::new(refused_address(), vec![rule("lost", Effect::Fault(Fault::DropAfterUpstream))]);
    let answer = rig.ask(&get(1, 1));
    assert_eq!((answer.head.as_str(), answer.broken), ("", Some(Broken::Closed)));
    assert_eq!(rig.noted(1, 1).map(|note| (note.rule, note.upstream)), Some((None, None)));
    let tally = rig.stop();
    assert_eq!((tally.rules[0].fired, tally.rules[0].lost, unfired(&tally, Unfired::NoAnswer)), (0, 0, 1));
}

#[test]
fn an_answer_that_is_lost_was_heard_to_its_end_and_its_status_is_known() {
    for (status, successes) in [("201 Created", 1), ("503 Service Unavailable", 0)] {
        let upstream = Upstream::always(answer(status, &"x".repeat(300_000)));
        let rig = Rig::new(upstream.address(), vec![rule("lost", Effect::Fault(Fault::ResetAfterUpstream))]);
        assert_eq!(rig.ask(&get(1, 1)).broken, Some(Broken::Reset));
        assert_eq!(rig.ask(&get(2, 1)).broken, Some(Broken::Reset));
        assert_eq!(rig.noted(1, 1).and_then(|note| note.upstream), status[..3].parse().ok());
        assert_eq!((upstream.requests().len(), upstream.connections()), (2, 1), "its connection was used again");
        let tally = rig.stop();
        assert_eq!((tally.rules[0].lost, tally.rules[0].lost_successes), (2, 2 * successes));
    }
}
