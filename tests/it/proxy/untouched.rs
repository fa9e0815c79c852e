//! With no rule firing, everything passes as it is.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::rig::{Client, Rig, connector, get, identity, rule};
use crate::support::upstream::{Act, Upstream, answer};
use brownout::client::HttpVersion;
use brownout::fault::{After, Effect, Fault, Trigger};
use brownout::units::Ratio;

/// A rule that is looked at and never fires.
fn never() -> Vec<brownout::fault::FaultRule> {
    let mut never = rule("never", Effect::Fault(Fault::Reset { after: After::Nothing }));
    never.trigger = Trigger::Chance(Ratio::ZERO);
    vec![never]
}

#[test]
fn answers_pass_as_the_target_wrote_them() {
    for (method, answer, why) in [
        ("GET", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-ODD-Case: 1\r\nContent-Length: 5\r\n\r\nhello", "a body with a length"),
        ("GET", "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: x/1\r\nContent-Length: 0\r\n\r\n", "an empty body"),
        ("GET", "HTTP/1.1 404 Nothing Here\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\n{}", "a phrase of its own"),
        ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "a body in chunks"),
        ("GET", "HTTP/1.1 429 Too Many Requests\r\nretry-after: 2\r\nContent-Length: 2\r\nX-RateLimit-Limit: 60\r\n\r\n{}", "an error"),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"x\"\r\n\r\n", "an answer to HEAD"),
        ("GET", "HTTP/1.1 204 No Content\r\nX-After: 1\r\n\r\n", "no content"),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 77\r\n\r\n",
            "not modified, with the length of what was not sent",
        ),
        ("GET", "HTTP/1.1 599 Odd\r\nX-Bytes: \u{e9}t\u{e9}\r\nContent-Length: 3\r\n\r\nodd", "an unknown status and bytes beyond ASCII"),
    ] {
        let upstream = Upstream::always(Act::write(answer));
        let rig = Rig::new(upstream.address(), never());
        let request = format!("{method} /a HTTP/1.1\r\nHost: h\r\n{}\r\n", identity(1, 1));
        let (direct, through) = (Client::connect(upstream.address()).ask(&request), rig.ask(&request));
        assert_eq!((direct.head, direct.body), (through.head, through.body), "{why}");
        assert_eq!((direct.broken, through.broken), (None, None), "{why}");
    }
}

#[test]
fn of_two_lengths_without_a_body_one_passes() {
    let upstream = Upstream::always(Act::write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\nX-A: 1\r\n\r\n"));
    let rig = Rig::new(upstream.address(), vec![]);
    let answer = rig.ask(&get(1, 1).replacen("GET", "HEAD", 1));
    assert_eq!(answer.head, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1");
}

#[test]
fn a_target_that_speaks_http_2_is_spoken_to_in_http_2() {
    let (addr, seen) = http2_target();
    let rig = Rig::with(addr, never(), |settings| settings.connector = connector(addr, HttpVersion::Http2, settings.clock));
    let mut client = rig.connect();
    for arrival in 0..3 {
        let body = "hello";
        let answer = client
            .ask(&format!("POST /a?b=1 HTTP/1.1\r\nHost: api.example.test\r\nContent-Length: 5\r\n{}\r\n{body}", identity(arrival, 1)));
        assert_eq!((answer.status(), answer.header("x-a"), answer.body.as_slice()), (201, Some("1"), &b"hello"[..]));
    }
    assert_eq!(seen.recv().expect("a request"), "HTTP/2.0 POST http://api.example.test/a?b=1 content-length");
}

/// A target that answers every request over HTTP/2 with its own body, and tells what it was sent.
pub fn http2_target() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address");
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            listener.set_nonblocking(true).expect("a socket");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((socket, _)) = listener.accept().await {
                let tell = tell.clone();
                let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let names: Vec<_> = request.headers().keys().map(ToString::to_string).collect();
                    let _ = tell.send(format!("{:?} {} {} {}", request.version(), request.method(), request.uri(), names.join(" ")));
                    let answer = http::Response::builder().status(201).header("x-a", "1").body(request.into_body());
                    std::future::ready(answer)
                });
                let executor = hyper_util::rt::TokioExecutor::new();
                let connection =
                    hyper::server::conn::http2::Builder::new(executor).serve_connection(hyper_util::rt::TokioIo::new(socket), service);
                tokio::spawn(connection);
            }
        });
    });
    (addr, told)
}

#[test]
fn an_answer_framed_by_the_end_of_the_connection_passes_in_chunks() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, Act::write("HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nhello"), Act::Close]]);
    let answer = Rig::new(upstream.address(), vec![]).ask(&get(1, 1));
    assert_eq!((answer.head.as_str(), answer.body.as_slice()), ("HTTP/1.1 200 OK\r\nX-A: 1\r\ntransfer-encoding: chunked", &b"hello"[..]));
    assert_eq!(answer.broken, None);
}

#[test]
fn requests_pass_as_the_client_wrote_them_but_for_our_headers() {
    for (head, body, why) in [
        (
            "GET /a/%20b?c=d&e HTTP/1.1\r\nHost: api.example.test:8080\r\nACCEPT: */*\r\nx-y: 1\r\nX-Y: 2",
            "",
            "odd case, repeated fields, a query",
        ),
        ("POST /a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 7", "{\"a\":1}", "a body"),
        ("DELETE /a HTTP/1.1\r\nHost: h", "", "no body"),
        ("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0", "", "an empty body"),
        ("OPTIONS * HTTP/1.1\r\nHost: h", "", "no path"),
    ] {
        let upstream = Upstream::always(answer("200 OK", "ok"));
        let rig = Rig::new(upstream.address(), never());
        assert_eq!(rig.ask(&format!("{head}\r\n{}\r\n{body}", identity(1, 1))).status(), 200, "{why}");
        let received = &upstream.requests()[0];
        assert_eq!((received.head.as_str(), received.body.as_slice()), (head, body.as_bytes()), "{why}");
    }
}

#[test]
fn strangers_pass_untouched_and_are_counted_apart() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![rule("all", Effect::Fault(Fault::Reset { after: After::Nothing }))]);
    for (identity, why) in [
        ("", "no identity"),
        ("x-brownout-exchange: another-run/1.1.0.0.1.1\r\nx-brownout-attempt: 1\r\n", "another run's"),
        ("x-brownout-exchange: 2026-run/1.1.0.0.1.9999999999\r\nx-brownout-attempt: 1\r\n", "a forged one"),
    ] {
        assert_eq!(rig.ask(&format!("GET / HTTP/1.1\r\nHost: h\r\n{identity}\r\n")).status(), 200, "{why}");
    }
    assert!(upstream.requests().iter().all(|request| request.head == "GET / HTTP/1.1\r\nHost: h"), "our headers are removed from all");
    let tally = rig.stop();
    assert_eq!((tally.strangers, tally.seen, tally.forwarded, tally.rules[0].eligible), (3, 0, 0, 0));
}

#[test]
fn events_pass_when_they_come() {
    let gap = Duration::from_millis(300);
    let upstream = Upstream::play(vec![vec![
        Act::ReadRequest,
        Act::write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Act::write("9\r\ndata: 1\n\n\r\n"),
        Act::Wait(gap),
        Act::write("9\r\ndata: 2\n\n\r\n0\r\n\r\n"),
    ]]);
    let rig = Rig::new(upstream.address(), never());
    let mut client = rig.connect();
    client.socket.write_all(get(1, 1).as_bytes()).expect("a socket");
    let (mut seen, mut first) = (Vec::new(), None);
    while !seen.ends_with(b"0\r\n\r\n") {
        seen.push(client.byte().expect("a complete answer"));
        if first.is_none() && seen.ends_with(b"data: 1\n\n") {
            first = Some(Instant::now());
        }
    }
    let between = first.expect("a first event").elapsed();
    assert!(between >= gap.mul_f64(0.5), "the first event was held back: {between:?} before the second");
}

#[test]
fn trailers_pass_to_a_client_that_takes_them() {
    let upstream = Upstream::always(Act::write(
        "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n",
    ));
    let rig = Rig::new(upstream.address(), never());
    let answer = rig.ask(&format!("GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n{}\r\n", identity(1, 1)));
    assert_eq!(String::from_utf8_lossy(&answer.body).to_lowercase(), "hello[x-sum: 42]");
    assert!(upstream.requests()[0].head.contains("TE: trailers"));
}

#[test]
fn an_upload_passes_whole() {
    let upstream = Upstream::always(answer("201 Created", "taken"));
    let rig = Rig::new(upstream.address(), never());
    let body: String = (0..3_000_000).map(|k| char::from(b'a' + (k % 23) as u8)).collect();
    let answer = rig.ask(&format!("POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{}\r\n{body}", body.len(), identity(1, 1)));
    assert_eq!(answer.status(), 201);
    assert!(upstream.requests()[0].body == body.as_bytes());
}

#[test]
fn a_chunked_upload_passes_in_chunks() {
    let upstream =
        Upstream::play(vec![vec![Act::ReadHead, Act::Wait(Duration::from_millis(50)), answer("200 OK", "ok"), Act::WaitForClose]]);
    let rig = Rig::new(upstream.address(), never());
    let request = format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n{}\r\n5\r\nhello\r\n0\r\n\r\n", identity(1, 1));
    assert_eq!(rig.ask(&request).status(), 200);
    assert_eq!(upstream.requests()[0].head, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked");
}

#[test]
fn connections_to_the_target_are_used_again() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), never());
    let mut client = rig.connect();
    for arrival in 0..20 {
        assert_eq!(client.ask(&get(arrival, 1)).body, b"ok");
    }
    assert_eq!(upstream.connections(), 1);
    let tally = rig.stop();
    assert_eq!((tally.seen, tally.forwarded, tally.upstream_failures), (20, 20, 0));
    assert_eq!(tally.upstream_us.expect("answers").len(), 20);
}

#[test]
fn without_keep_alive_every_request_has_a_connection_of_its_own() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::with(upstream.address(), never(), |settings| settings.keep_alive = false);
    let mut client = rig.connect();
    for arrival in 0..5 {
        assert_eq!(client.ask(&get(arrival, 1)).body, b"ok");
    }
    assert_eq!(upstream.connections(), 5);
    upstream.wait_until_idle();
}

#[test]
fn a_connection_that_the_target_closed_while_idle_is_replaced_unnoticed() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, answer("200 OK", "ok"), Act::Close]]);
    let rig = Rig::new(upstream.address(), never());
    let mut client = rig.connect();
    for arrival in 0..5 {
        assert_eq!(client.ask(&get(arrival, 1)).body, b"ok", "{arrival}");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(upstream.connections(), 5);
}
