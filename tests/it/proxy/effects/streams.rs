//! Streams of events that go wrong.

use std::time::{Duration, Instant};

use super::{Seen, unfired};
use crate::proxy::rig::{Broken, Rig, get, held, rule};
use crate::support::contract::shipped;
use crate::support::upstream::{Act, Upstream};
use brownout::fault::{Effect, EventData, Fault, StreamFault};
use brownout::id::RuleIx;
use brownout::record::Unfired;
use brownout::units::Micros;

const EVENTS: [&str; 4] = ["data: {\"n\":1}\n\n", ": a comment\n\ndata: {\"n\":2}\n\n", "data: {\"n\":3}\r\n\r\n", "data: [DONE]\n\n"];

/// A stream whose events come 50 ms apart, each in a chunk of its own.
fn upstream() -> Upstream {
    let mut acts = vec![
        Act::ReadRequest,
        Act::write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ];
    for event in EVENTS {
        acts.push(Act::Wait(Duration::from_millis(50)));
        acts.push(Act::write(format!("{:x}\r\n{event}\r\n", event.len())));
    }
    acts.extend([Act::write("0\r\n\r\n"), Act::Again]);
    Upstream::play(vec![acts])
}

fn rig(upstream: &Upstream, fault: StreamFault) -> Rig {
    Rig::with(upstream.address(), vec![rule("stream", Effect::Fault(Fault::Stream(fault)))], |settings| {
        settings.contract = held(shipped());
    })
}

#[test]
fn a_stream_is_cut_after_so_many_events() {
    let upstream = upstream();
    for (events, body) in [(0, String::new()), (1, EVENTS[..1].concat()), (2, EVENTS[..2].concat()), (3, EVENTS[..3].concat())] {
        let rig = rig(&upstream, StreamFault::CutAfterEvents(events));
        let answer = rig.ask(&get(1, 1));
        assert_eq!((answer.status(), String::from_utf8_lossy(&answer.body).into_owned()), (200, body), "{events}");
        assert_eq!(answer.broken, Some(Broken::Closed), "{events}");
        assert_eq!(rig.noted(1, 1).map(|note| (note.rule, note.upstream)), Some((Some(RuleIx(0)), Some(200))), "{events}");
        assert_eq!(rig.stop().rules[0].fired, 1, "{events}");
    }
}

#[test]
fn a_stream_that_is_over_before_is_not_cut_and_nobody_says_so() {
    let upstream = upstream();
    for fault in
        [StreamFault::CutAfterEvents(9), StreamFault::CutAfterTime(Micros::from_secs(20)), StreamFault::DropDone("other".to_owned())]
    {
        let rig = rig(&upstream, fault.clone());
        let answer = rig.ask(&get(1, 1));
        assert_eq!((String::from_utf8_lossy(&answer.body).into_owned(), answer.broken), (EVENTS.concat(), None), "{fault:?}");
        assert!(!answer.head.contains("injected"), "{fault:?}");
        assert_eq!(rig.noted(1, 1).map(|note| note.rule), Some(None), "{fault:?}");
        let tally = rig.stop();
        assert_eq!((tally.rules[0].fired, unfired(&tally, Unfired::OverBefore)), (0, 1), "{fault:?}");
    }
}

#[test]
fn a_stream_is_cut_after_a_time() {
    let upstream = upstream();
    let rig = rig(&upstream, StreamFault::CutAfterTime(Micros::from_millis(75)));
    let begun = Instant::now();
    let answer = rig.ask(&get(1, 1));
    assert!((75..500).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    assert_eq!(answer.broken, Some(Broken::Closed));
    assert!(EVENTS.concat().starts_with(&*String::from_utf8_lossy(&answer.body)));
    assert_eq!(rig.noted(1, 1).and_then(|note| note.rule), Some(RuleIx(0)));
    assert_eq!(rig.stop().rules[0].fired, 1);
}

#[test]
fn a_stream_ends_in_order_without_its_terminator() {
    let upstream = upstream();
    let rig = rig(&upstream, StreamFault::DropDone("[DONE]".to_owned()));
    let mut client = rig.connect();
    for arrival in 0..2 {
        let answer = client.ask(&get(arrival, 1));
        assert_eq!((String::from_utf8_lossy(&answer.body).into_owned(), answer.broken), (EVENTS[..3].concat(), None));
        assert_eq!(rig.noted(arrival as u32, 1).and_then(|note| note.rule), Some(RuleIx(0)));
    }
    assert_eq!(rig.stop().rules[0].fired, 2);
}

#[test]
fn an_error_of_the_contract_comes_inside_a_stream() {
    let upstream = upstream();
    let row = shipped().row_named("RATE_LIMIT_EXCEEDED", None).expect("a documented code");
    for (at, data, event) in [
        (2, EventData::Error(row), None),
        (1, EventData::Literal("{\"error\":1}".to_owned()), Some("error".to_owned())),
        (4, EventData::Literal("{\"error\":1}".to_owned()), None),
    ] {
        let rig = rig(&upstream, StreamFault::ErrorEvent { at, event: event.clone(), data: data.clone() });
        let answer = rig.ask(&get(1, 1));
        assert_eq!((answer.status(), &answer.broken), (200, &None), "in order, as far as HTTP goes");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let before = EVENTS[..at as usize - 1].concat();
        let error = text.strip_prefix(&before).unwrap_or_else(|| panic!("{text}"));
        match (data, event) {
            (EventData::Error(_), _) => {
                let json: String = error.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
                let json: serde_json::Value = serde_json::from_str(&json).unwrap_or_else(|wrong| panic!("{wrong}: {error}"));
                assert!(json.to_string().contains("RATE_LIMIT_EXCEEDED"), "{json}");
            }
            (EventData::Literal(_), Some(_)) => assert_eq!(error, "event: error\ndata: {\"error\":1}\n\n"),
            (EventData::Literal(_), None) => assert_eq!(error, "data: {\"error\":1}\n\n"),
        }
        assert_eq!(rig.noted(1, 1).and_then(|note| note.rule), Some(RuleIx(0)));
        assert_eq!(rig.stop().rules[0].fired, 1);
    }
}

#[test]
fn a_compressed_stream_is_not_read_and_passes() {
    let act = Act::write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc");
    let upstream = Upstream::always(act);
    let rig = rig(&upstream, StreamFault::CutAfterEvents(0));
    let seen = Seen::of(&mut rig.connect(), &get(1, 1), Duration::from_millis(300));
    assert_eq!((seen.parts().1.as_str(), &seen.end), ("abc", &None));
    assert_eq!(unfired(&rig.stop(), Unfired::NoEvents), 1);
}
