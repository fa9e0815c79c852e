//! Answers that come late, slowly, in part, or never. Exact downwards; upwards as a loaded machine needs it.

use std::io::Write;
use std::time::{Duration, Instant};

use super::Seen;
use crate::proxy::rig::{Broken, Rig, get, identity, rule, wait_until};
use crate::support::upstream::{Act, Upstream, answer};
use brownout::fault::{Effect, Fault, Pace};
use brownout::id::RuleIx;
use brownout::seed::Distribution;
use brownout::units::{Micros, Size};

/// How much later than decided a loaded machine may be.
const LATE: Duration = Duration::from_millis(400);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn within(took: Duration, least: Duration) -> bool {
    (least..least + LATE).contains(&took)
}

#[test]
fn an_answer_waits_after_the_target_gave_it() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let fault = Fault::DelayAfterUpstream(Distribution::Fixed(Micros::from_millis(150)));
    let rig = Rig::new(upstream.address(), vec![rule("late", Effect::Fault(fault))]);
    let mut client = rig.connect();
    for arrival in 0..3 {
        let begun = Instant::now();
        client.socket.write_all(get(arrival, 1).as_bytes()).expect("a socket");
        wait_until("the target is asked", || upstream.requests().len() as u64 > arrival);
        assert!(begun.elapsed() < ms(150), "the target is asked at once");
        let answer = client.read(false);
        assert!(within(begun.elapsed(), ms(150)), "{:?}", begun.elapsed());
        assert_eq!((answer.status(), answer.header("x-brownout-injected")), (200, Some("late;attempt=1")));
        assert_eq!(rig.noted(arrival as u32, 1).and_then(|note| note.upstream), Some(200));
    }
    assert_eq!(rig.stop().rules[0].fired, 3);
}

#[test]
fn a_client_that_gives_up_while_its_answer_waits_was_not_hit() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let fault = Fault::DelayAfterUpstream(Distribution::Fixed(Micros::from_millis(300)));
    let rig = Rig::new(upstream.address(), vec![rule("late", Effect::Fault(fault))]);
    let mut client = rig.connect();
    client.socket.write_all(get(1, 1).as_bytes()).expect("a socket");
    wait_until("the target has answered", || rig.noted(1, 1).is_some_and(|note| note.upstream.is_some()));
    drop(client);
    upstream.wait_until_idle();
    let tally = rig.stop();
    assert_eq!((tally.rules[0].planned, tally.rules[0].fired), (1, 0));
}

#[test]
fn a_body_comes_at_its_rate() {
    let body = "x".repeat(20_000);
    let chunked = Act::write(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n{body}\r\n0\r\n\r\n"));
    for target in [answer("200 OK", &body), chunked] {
        let upstream = Upstream::always(target);
        // 20 000 B at 40 000 B/s are half a second.
        let pace = Pace::of_rate(40_000).expect("a pace");
        let rig = Rig::new(upstream.address(), vec![rule("narrow", Effect::Fault(Fault::SlowBody(pace)))]);
        let mut client = rig.connect();
        let begun = Instant::now();
        let answer = client.ask(&get(1, 1));
        assert!(within(begun.elapsed(), ms(500)), "{:?}", begun.elapsed());
        assert_eq!((answer.body.len(), answer.broken.is_none()), (20_000, true));
        assert_eq!(answer.header("x-brownout-injected"), Some("narrow;attempt=1"));
        assert_eq!(client.ask(&get(2, 1)).body.len(), 20_000, "the connection lives on");
        assert_eq!(rig.stop().rules[0].fired, 2);
    }
}

#[test]
fn a_body_dribbles_piece_by_piece() {
    let upstream = Upstream::always(answer("200 OK", "0123456789"));
    let fault = Fault::SlowBody(Pace { bytes: 2, every: Micros::from_millis(60) });
    let rig = Rig::new(upstream.address(), vec![rule("dribble", Effect::Fault(fault))]);
    let seen = Seen::of(&mut rig.connect(), &get(1, 1), ms(1_000));
    let head = seen.bytes().find("\r\n\r\n").expect("a head") + 4;
    assert_eq!(seen.parts().1, "0123456789");
    assert!(seen.when(head) < ms(60) + LATE, "the head is not held back");
    for piece in 1..=5_u32 {
        let came = seen.when(head + 2 * piece as usize);
        assert!(within(came, ms(60) * piece), "piece {piece} after {came:?}");
    }
    assert!(seen.pieces.len() >= 5, "in pieces: {:?}", seen.pieces.len());
}

#[test]
fn an_answer_stops_and_goes_on() {
    let upstream = Upstream::always(answer("200 OK", "0123456789"));
    let fault = Fault::Stall { after: Size(4), lasting: Some(Micros::from_millis(200)) };
    let rig = Rig::new(upstream.address(), vec![rule("stall", Effect::Fault(fault))]);
    let mut client = rig.connect();
    for arrival in 0..2 {
        let seen = Seen::of(&mut client, &get(arrival, 1), ms(800));
        let head = seen.bytes().find("\r\n\r\n").expect("a head") + 4;
        assert_eq!((seen.parts().1.as_str(), &seen.end), ("0123456789", &None), "whole, and the connection lives on");
        assert!(seen.when(head + 4) < ms(200), "what comes before comes at once: {:?}", seen.when(head + 4));
        assert!(within(seen.when(head + 5), ms(200)), "{:?}", seen.when(head + 5));
    }
    assert_eq!(rig.stop().rules[0].fired, 2);
}

#[test]
fn an_answer_stops_until_the_client_leaves() {
    let upstream = Upstream::always(answer("200 OK", "0123456789"));
    let fault = Fault::Stall { after: Size(4), lasting: None };
    let rig = Rig::new(upstream.address(), vec![rule("stall", Effect::Fault(fault))]);
    let mut client = rig.connect();
    let seen = Seen::of(&mut client, &get(1, 1), ms(700));
    assert_eq!((seen.parts().1.as_str(), &seen.end), ("0123", &None), "silent, and neither closed nor reset");
    assert!(seen.parts().0.contains("x-brownout-injected: stall;attempt=1"));
    drop(client);
    std::thread::sleep(ms(100));
    let begun = Instant::now();
    assert_eq!(rig.stop().rules[0].fired, 1);
    assert!(begun.elapsed() < ms(800), "nobody is waited for any more: {:?}", begun.elapsed());
}

#[test]
fn a_request_is_swallowed_whole_and_nothing_is_ever_said() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![rule("hole", Effect::Fault(Fault::BlackHole))]);
    let body = "x".repeat(2_000_000);
    let upload = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{}\r\n{body}", body.len(), identity(1, 1));
    let mut client = rig.connect();
    let seen = Seen::of(&mut client, &upload, ms(500));
    assert_eq!((seen.bytes().as_str(), &seen.end), ("", &None), "all of it was read, and not a byte came back");
    let asking = format!("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n{}\r\n", identity(2, 1));
    let mut second = rig.connect();
    assert_eq!(Seen::of(&mut second, &asking, ms(300)).bytes(), "", "not even that the body may come");
    assert_eq!(rig.noted(1, 1).map(|note| (note.rule, note.forwarded)), Some((Some(RuleIx(0)), false)));
    assert_eq!(upstream.connections(), 0);
    let begun = Instant::now();
    let tally = rig.stop();
    assert!(begun.elapsed() < ms(2_500), "silence ends with the run");
    assert_eq!((tally.rules[0].planned, tally.rules[0].fired), (2, 2));
    assert_eq!(Seen::of(&mut client, "", ms(300)).end, Some(Broken::Closed));
}
