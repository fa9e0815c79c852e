//! Bodies are read to their end, kept up to a limit, and counted beyond it; requests go out as they were given.

use std::time::Duration;

use brownout::client::ClientSettings;
use brownout::units::{Micros, Size};
use brownout::wire::{Ending, Failure, Phase, SseRule};
use http::HeaderValue;

use super::{Ask, direct, get, on_a_worker, settings};
use crate::support::upstream::{Act, Upstream, answer};

#[test]
fn a_request_goes_out_as_it_was_given_and_nothing_is_added_but_its_length() {
    let upstream = Upstream::always(answer("200 OK", "{}"));
    on_a_worker(async {
        let transport = direct(upstream.address(), settings()).await;
        let mut ask = Ask::post("/v1/items?q=a%20b&x={y}", "{\"title\":\"ö\"}");
        ask.headers.insert("x-obs", HeaderValue::from_bytes(b"caf\xe9").expect("obs-text"));
        ask.send(&transport).await;
        Ask::get("/plain").send(&transport).await;
        Ask::post("/empty", "").send(&transport).await;
    });
    let requests = upstream.requests();
    let lines: Vec<Vec<&str>> = requests.iter().map(|request| request.head.lines().collect()).collect();
    assert_eq!(
        lines,
        [
            vec!["POST /v1/items?q=a%20b&x={y} HTTP/1.1", "host: target.test", "x-obs: caf\u{fffd}", "content-length: 14"],
            vec!["GET /plain HTTP/1.1", "host: target.test"],
            vec!["POST /empty HTTP/1.1", "host: target.test", "content-length: 0"],
        ]
    );
    assert_eq!(requests[0].body, "{\"title\":\"ö\"}".as_bytes());
}

#[test]
fn stamps_are_in_order_and_the_answer_is_whole() {
    let upstream = Upstream::always(answer("404 Not Found", "{\"error\":1}"));
    let (reply, kept) = on_a_worker(async { get(&direct(upstream.address(), settings()).await).await });
    assert_eq!((reply.ending, reply.sent), (Ending::Answered(404), true));
    assert_eq!((kept.as_slice(), reply.body_bytes, reply.body_complete), (&b"{\"error\":1}"[..], 11, true));
    let stamps = reply.stamps;
    let (ready_at, first_byte_at) = (stamps.ready_at.expect("connected"), stamps.first_byte_at.expect("answered"));
    assert!(stamps.started_at <= ready_at && ready_at <= first_byte_at && first_byte_at <= stamps.ended_at, "{stamps:?}");
    assert!(stamps.connect.new && stamps.connect.connect <= ready_at.since(stamps.started_at));
    assert_eq!(reply.head.expect("a head").at, first_byte_at);
}

#[test]
fn a_success_is_kept_only_where_it_was_asked_for_and_an_error_always() {
    let ok = Upstream::always(answer("200 OK", "hello"));
    let error = Upstream::always(answer("500 Internal Server Error", "oops!"));
    on_a_worker(async {
        let (to_ok, to_error) = (direct(ok.address(), settings()).await, direct(error.address(), settings()).await);
        for (transport, keep, expected) in [(&to_ok, true, "hello"), (&to_ok, false, ""), (&to_error, false, "oops!")] {
            let (reply, kept) = Ask { keep, ..Ask::get("/") }.send(transport).await;
            assert_eq!((kept.as_slice(), reply.body_bytes), (expected.as_bytes(), 5));
            assert_eq!(reply.body_complete, !expected.is_empty());
        }
    });
}

#[test]
fn a_huge_error_body_is_kept_in_part_and_counted_whole() {
    let body = "x".repeat(10 * 1024 * 1024);
    let upstream = Upstream::always(answer("500 Internal Server Error", &body));
    on_a_worker(async {
        let transport = direct(upstream.address(), settings()).await;
        for _ in 0..2 {
            let (reply, kept) = get(&transport).await;
            assert_eq!(reply.ending, Ending::Answered(500));
            assert_eq!((kept.len(), reply.body_bytes, reply.body_complete), (1024 * 1024, 10 * 1024 * 1024, false));
        }
    });
    assert_eq!(upstream.connections(), 1, "a body read to its end leaves its connection usable");
}

#[test]
fn bytes_that_are_no_text_arrive_as_they_are() {
    let mut bytes = b"HTTP/1.1 400 Bad Request\r\nX-Text: caf\xe9\tau lait\r\nContent-Length: 4\r\n\r\n".to_vec();
    bytes.extend_from_slice(b"\xff\xfe\x00\xc3");
    let upstream = Upstream::always(Act::write(bytes));
    let (reply, kept) = on_a_worker(async { get(&direct(upstream.address(), settings()).await).await });
    assert_eq!((reply.ending, kept.as_slice()), (Ending::Answered(400), &b"\xff\xfe\x00\xc3"[..]));
    assert_eq!(reply.head.expect("a head").headers["x-text"].as_bytes(), b"caf\xe9\tau lait");
}

#[test]
fn a_hundred_fields_and_interim_answers_are_read() {
    let fields: String = (0..99).map(|n| format!("X-Field-{n}: {n}\r\n")).collect();
    let text = format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok"
    );
    let upstream = Upstream::always(Act::write(text));
    let (reply, kept) = on_a_worker(async { get(&direct(upstream.address(), settings()).await).await });
    assert_eq!((reply.ending, kept.as_slice()), (Ending::Answered(200), &b"ok"[..]));
    assert_eq!(reply.head.expect("a head").headers.len(), 100);
}

#[test]
fn a_switch_of_protocols_nobody_asked_for_is_an_answer_and_no_panic() {
    let switch = Act::write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello");
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, switch, Act::Close]]);
    let (reply, _) = on_a_worker(async { get(&direct(upstream.address(), settings()).await).await });
    assert!(matches!(reply.ending, Ending::Answered(101) | Ending::Failed(_)), "{:?}", reply.ending);
}

#[test]
fn an_endless_body_ends_with_the_attempts_time() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 99999999999999\r\n\r\n"] {
        let script = vec![Act::ReadRequest, Act::write(head), Act::WriteForever(vec![b'x'; 64 * 1024])];
        let upstream = Upstream::play(vec![script]);
        let (reply, kept) = on_a_worker(async {
            get(&direct(upstream.address(), ClientSettings { total: Micros::from_millis(150), ..settings() }).await).await
        });
        assert_eq!(reply.ending, Ending::Failed(Failure::TimedOut(Phase::Total)));
        assert!(reply.body_bytes > 0 && kept.len() <= 1024 * 1024 && !reply.body_complete);
        let took = reply.stamps.ended_at.since(reply.stamps.started_at);
        assert!((150_000..5_000_000).contains(&took.0), "{took}");
        upstream.wait_until_idle();
    }
}

#[test]
fn nothing_of_a_body_is_kept_beyond_the_limit() {
    let upstream = Upstream::always(answer("200 OK", "hello"));
    let (reply, kept) =
        on_a_worker(async { get(&direct(upstream.address(), ClientSettings { keep_body: Size(3), ..settings() }).await).await });
    assert_eq!((kept.as_slice(), reply.body_bytes, reply.body_complete), (&b"hel"[..], 5, false));
}

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(text: &str) -> Act {
    Act::write(format!("{:x}\r\n{text}\r\n", text.len()))
}

fn stream_of(done: &str, max_gap: Option<Micros>) -> Ask {
    Ask { stream: Some(SseRule { done: Some(done.to_owned()), max_gap }), keep: false, ..Ask::get("/stream") }
}

#[test]
fn a_stream_is_counted_timed_and_its_connection_used_again() {
    let pause = Act::Wait(Duration::from_millis(30));
    let script = vec![
        Act::ReadRequest,
        Act::write(STREAM),
        chunk("data: 1\n\nda"),
        pause.clone(),
        chunk("ta: 2\n\ndata: [DONE]\n\n"),
        pause,
        Act::write("0\r\n\r\n"),
        Act::Again,
    ];
    let upstream = Upstream::play(vec![script]);
    on_a_worker(async {
        let transport = direct(upstream.address(), settings()).await;
        for _ in 0..2 {
            let (reply, _) = stream_of("[DONE]", None).send(&transport).await;
            assert_eq!(reply.ending, Ending::Answered(200));
            let facts = reply.stream.expect("a stream");
            assert_eq!((facts.events, facts.terminated), (2, true));
            assert!((28_000..5_000_000).contains(&facts.longest_gap.0), "{facts:?}");
            assert!(facts.first_event.is_some_and(|first| first <= reply.stamps.ended_at.since(reply.stamps.started_at)));
        }
    });
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_stream_that_falls_silent_is_a_timeout() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, Act::write(STREAM), chunk("data: 1\n\n"), Act::WaitForClose]]);
    let (reply, _) =
        on_a_worker(async { stream_of("[DONE]", Some(Micros::from_millis(80))).send(&direct(upstream.address(), settings()).await).await });
    assert_eq!(reply.ending, Ending::Failed(Failure::TimedOut(Phase::Total)));
    let facts = reply.stream.expect("a stream");
    assert_eq!((facts.events, facts.terminated), (1, false));
    assert!((80_000..5_000_000).contains(&facts.longest_gap.0), "{facts:?}");
}

#[test]
fn a_stream_that_has_said_its_end_is_complete_even_if_its_body_never_ends() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, Act::write(STREAM), chunk("data: [DONE]\n\n"), Act::WaitForClose]]);
    let (reply, _) = on_a_worker(async {
        let settings = ClientSettings { total: Micros::from_millis(300), ..settings() };
        stream_of("[DONE]", None).send(&direct(upstream.address(), settings).await).await
    });
    assert_eq!(reply.ending, Ending::Answered(200));
    assert!(reply.stream.expect("a stream").terminated);
    assert!(reply.stamps.ended_at.since(reply.stamps.started_at).0 < 300_000, "it ended with its last event");
    upstream.wait_until_idle();
}

#[test]
fn an_error_instead_of_a_stream_is_an_ordinary_answer() {
    let upstream = Upstream::always(answer("429 Too Many Requests", "data: not an event\n\n"));
    let (reply, kept) = on_a_worker(async { stream_of("[DONE]", None).send(&direct(upstream.address(), settings()).await).await });
    assert_eq!((reply.ending, reply.stream, kept.len()), (Ending::Answered(429), None, 20));
}
