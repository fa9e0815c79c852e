//! Faults of HTTP/2, and what those of HTTP/1.1 are there.

use http_body_util::BodyExt;

use super::unfired;
use crate::proxy::rig::{Rig, rule};
use crate::proxy::spoken::{attempt, http2, reset, until_broken};
use crate::support::program::curl;
use crate::support::upstream::{Upstream, answer};
use brownout::fault::{After, Effect, Fault, FaultRule, StreamFault};
use brownout::id::RuleIx;
use brownout::record::Unfired;
use brownout::units::Size;
use brownout::wire::PathPattern;

fn on(path: &str, fault: Fault) -> FaultRule {
    let mut rule = rule(path, Effect::Fault(fault));
    rule.matcher.path = Some(PathPattern::new(path).expect("a pattern"));
    rule
}

#[test]
fn streams_are_refused_and_reset_and_the_connection_lives_on() {
    let upstream = Upstream::always(answer("200 OK", &"x".repeat(300_000)));
    let rig = Rig::new(
        upstream.address(),
        vec![
            on("/refused", Fault::RefusedStream),
            on("/reset", Fault::ResetStream { after: After::Nothing }),
            on("/reset-late", Fault::ResetStream { after: After::Bytes(Size(100_000)) }),
            on("/lost", Fault::DropAfterUpstream),
        ],
    );
    let (runtime, mut sender) = http2(rig.addr);
    runtime.block_on(async {
        for (path, code) in
            [("/refused", h2::Reason::REFUSED_STREAM), ("/reset", h2::Reason::INTERNAL_ERROR), ("/lost", h2::Reason::INTERNAL_ERROR)]
        {
            let error = sender.send_request(attempt(rig.addr, path, 1)).await.expect_err(path);
            assert_eq!(reset(&error), Some(code), "{path}");
        }
        let answer = sender.send_request(attempt(rig.addr, "/reset-late", 2)).await.expect("a head");
        assert_eq!(answer.headers()["x-brownout-injected"], "/reset-late;attempt=1");
        assert_eq!(until_broken(answer).await, (100_000, Some(h2::Reason::INTERNAL_ERROR)));
        let answer = sender.send_request(attempt(rig.addr, "/", 3)).await.expect("an answer on the same connection");
        assert_eq!(until_broken(answer).await, (300_000, None));
    });
    assert_eq!(upstream.requests().len(), 3, "what is refused or reset at once, the target never sees");
    let url = format!("http://{}/refused", rig.addr);
    let headers = crate::proxy::rig::identity(9, 1);
    let mut options = vec!["--http2-prior-knowledge"];
    headers.lines().filter(|line| !line.is_empty()).for_each(|line| options.extend(["-H", line]));
    options.push(&url);
    if let Some(ran) = curl(&options) {
        // A refused stream may be sent again: older versions of curl do so five times.
        assert!([56, 92].contains(&ran.code), "curl has no answer: {} {}", ran.code, ran.err);
    }
    let tally = rig.stop();
    let late: Vec<_> = tally.rules.iter().map(|rule| rule.planned - rule.fired).collect();
    assert_eq!((late, tally.rules[1].fired, tally.rules[3].lost), (vec![0; 4], 1, 1));
}

#[test]
fn a_connection_is_given_up_and_the_client_knows_that_its_request_was_not_processed() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![on("/away", Fault::GoAway)]);
    for before in 0..3 {
        let (runtime, mut sender) = http2(rig.addr);
        runtime.block_on(async {
            for arrival in 0..before {
                let answer = sender.send_request(attempt(rig.addr, "/", 10 + arrival)).await.expect("an answer");
                assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "ok");
            }
            let error = sender.send_request(attempt(rig.addr, "/away", before)).await.expect_err("a connection given up");
            let mut source: &(dyn std::error::Error + 'static) = &error;
            let code = loop {
                match source.downcast_ref::<h2::Error>() {
                    Some(error) => break (error.is_go_away(), error.is_remote(), error.reason()),
                    None => source = std::error::Error::source(source).unwrap_or_else(|| panic!("{error:?}")),
                }
            };
            assert_eq!(code, (true, true, Some(h2::Reason::NO_ERROR)), "after {before} others: above the last stream processed");
            while !sender.is_closed() {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        });
        assert_eq!(rig.noted(before as u32, 1).map(|note| (note.rule, note.forwarded)), Some((Some(RuleIx(0)), false)));
    }
    assert_eq!(rig.stop().rules[0].fired, 3);
}

#[test]
fn what_exists_on_http_1_1_alone_passes_untouched_on_http_2() {
    let upstream = Upstream::always(answer("200 OK", "0123456789"));
    for fault in [
        Fault::TruncateChunked { after: None },
        Fault::ContentLength { off_by: 10 },
        Fault::BadChunk { after: Size(0) },
        Fault::HalfClose { after: After::Nothing },
        Fault::HalfClose { after: After::Headers },
    ] {
        let rig = Rig::new(upstream.address(), vec![rule("no", Effect::Fault(fault.clone()))]);
        let (runtime, mut sender) = http2(rig.addr);
        runtime.block_on(async {
            let answer = sender.send_request(attempt(rig.addr, "/", 1)).await.expect("an answer");
            assert!(!answer.headers().contains_key("x-brownout-injected"), "{fault:?}");
            assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "0123456789", "{fault:?}");
        });
        let tally = rig.stop();
        assert_eq!((tally.rules[0].fired, unfired(&tally, Unfired::OtherHttp)), (0, 1), "{fault:?}");
    }
}

#[test]
fn bodies_take_their_courses_on_http_2_too() {
    let upstream = Upstream::always(answer("200 OK", &"x".repeat(20_000)));
    let pace = brownout::fault::Pace::of_rate(100_000).expect("a pace");
    let stall = Fault::Stall { after: Size(100), lasting: Some(brownout::units::Micros::from_millis(200)) };
    for fault in [Fault::SlowBody(pace), stall] {
        let rig = Rig::new(upstream.address(), vec![rule("late", Effect::Fault(fault.clone()))]);
        let (runtime, mut sender) = http2(rig.addr);
        runtime.block_on(async {
            let begun = std::time::Instant::now();
            let answer = sender.send_request(attempt(rig.addr, "/", 1)).await.expect("an answer");
            assert_eq!(until_broken(answer).await, (20_000, None), "{fault:?}");
            assert!((200..900).contains(&begun.elapsed().as_millis()), "{fault:?}: {:?}", begun.elapsed());
        });
        assert_eq!(rig.stop().rules[0].fired, 1, "{fault:?}");
    }
    let events = "data: 1\n\ndata: 2\n\n";
    let upstream = Upstream::always(crate::support::upstream::Act::write(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {}\r\n\r\n{events}",
        events.len()
    )));
    let rig = Rig::new(upstream.address(), vec![rule("stream", Effect::Fault(Fault::Stream(StreamFault::CutAfterEvents(1))))]);
    let (runtime, mut sender) = http2(rig.addr);
    runtime.block_on(async {
        let answer = sender.send_request(attempt(rig.addr, "/", 1)).await.expect("an answer");
        assert_eq!(until_broken(answer).await, (9, Some(h2::Reason::INTERNAL_ERROR)));
    });
}
