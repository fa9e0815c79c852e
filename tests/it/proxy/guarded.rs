//! Nothing is forwarded that two parsers might read differently, and nobody is waited for without end.

use std::io::Write;
use std::time::{Duration, Instant};

use super::rig::{Broken, Rig, get};
use crate::support::program::python;
use crate::support::upstream::{Act, Upstream, answer};
use brownout::units::Micros;

/// What follows `POST / HTTP/1.1`, and what is wrong with it.
const SHAPES: [(&str, &str); 22] = [
    ("Host: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", "CL.TE"),
    ("Host: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n", "TE.CL"),
    ("Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", "TE.TE"),
    ("Host: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "a coding that nobody knows"),
    ("Host: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "a blank before the colon"),
    ("Host: h\r\nTransfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n", "a vertical tab"),
    ("Host: h\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "a folded line"),
    ("Host: h\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "a bare LF"),
    ("Host: h\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "a bare CR"),
    ("Host: h\r\nX: a\0b\r\n\r\n", "a NUL"),
    ("Host: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "two lengths"),
    ("Host: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "one length twice"),
    ("Host: h\r\nContent-Length: 5, 5\r\n\r\nhello", "a list of lengths"),
    ("Host: h\r\nContent-Length: +5\r\n\r\nhello", "a sign"),
    ("Host: h\r\nContent-Length: 0x5\r\n\r\nhello", "a length in another base"),
    ("Host: h\r\nContent-Length: -1\r\n\r\n", "a negative length"),
    ("Host: a\r\nHost: b\r\n\r\n", "two hosts"),
    ("X: y\r\n\r\n", "no host"),
    ("Host: h\r\nTransfer-Encoding: chunked\r\n\r\n5;\nhello\r\n0\r\n\r\n", "LF in a chunk's head"),
    ("Host: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n", "a chunk longer than it says"),
    ("Host: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello", "a size beyond all"),
    ("Host: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\nhello", "a length in a trailer"),
];

#[test]
fn no_shape_of_smuggling_reaches_the_target() {
    for (rest, why) in SHAPES {
        let upstream = Upstream::play(vec![vec![Act::ReadRequest, Act::WaitForClose]]);
        let rig = Rig::new(upstream.address(), vec![]);
        let mut client = rig.connect();
        let answer = client.ask(&format!("POST / HTTP/1.1\r\n{rest}"));
        assert_eq!(answer.status(), 400, "{why}: {answer:?}");
        assert_eq!(client.byte(), Err(Broken::Closed), "{why}: the connection must end");
        // A head in order may have been passed on before its chunks were seen; of its body nothing more came than was in order.
        let heads: Vec<_> = upstream.requests().iter().map(|request| request.head.clone()).collect();
        let in_order = rest.starts_with("Host: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(heads.is_empty() || in_order && heads.len() == 1, "{why}: {heads:?}");
        assert_eq!(rig.stop().upstream_failures, 0, "{why}: it was not the target's failure");
    }
}

#[test]
fn a_request_in_order_is_answered_before_the_one_behind_it_is_refused() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![]);
    let mut client = rig.connect();
    let both = format!("{}POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", get(1, 1));
    assert_eq!(client.ask(&both).body, b"ok");
    assert_eq!(client.read(false).status(), 400);
    assert_eq!(client.byte(), Err(Broken::Closed));
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_refused_client_that_goes_on_writing_can_still_read_why() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![]);
    let mut client = rig.connect();
    let body = "x".repeat(500_000);
    let answer = client.ask(&format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 500000\r\n\r\n{body}"));
    assert_eq!((answer.status(), answer.broken), (400, None));
}

#[test]
fn an_upload_that_is_answered_early_can_read_its_answer() {
    let upstream = Upstream::play(vec![vec![Act::ReadHead, answer("413 Content Too Large", "too large"), Act::WaitForClose]]);
    let rig = Rig::new(upstream.address(), vec![]);
    for _ in 0..3 {
        let body = "x".repeat(300_000);
        let mut client = rig.connect();
        client.socket.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n").expect("a socket");
        for _ in 0..2 {
            std::thread::sleep(Duration::from_millis(50));
            client.socket.write_all(body.as_bytes()).expect("nobody resets an upload");
        }
        assert_eq!(client.read(false).body, b"too large");
    }
}

#[test]
fn a_client_that_is_not_ours_is_understood_byte_by_byte() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![]);
    let program = "
import http.client, sys
c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=20)
for body, headers in [(None, {}), (b'hello', {}), (iter([b'one', b'two']), {'X-Odd': '1'})]:
    c.request('POST', '/a', body=body, headers=headers, encode_chunked=body is not None and not isinstance(body, bytes))
    r = c.getresponse()
    print(r.status, r.read().decode(), r.version)
c.putrequest('POST', '/b', skip_host=False); c.putheader('Content-Length', '2'); c.putheader('Transfer-Encoding', 'chunked'); c.endheaders(b'0\\r\\n\\r\\n')
print(c.getresponse().status)
";
    let Some(ran) = python(program, &[&rig.addr.port().to_string()]) else { return };
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), ["200 ok 11", "200 ok 11", "200 ok 11", "400"], "{}", ran.err);
}

#[test]
fn a_body_that_stops_coming_is_given_up() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, Act::WaitForClose]]);
    let rig = Rig::with(upstream.address(), vec![], |settings| settings.head_timeout = Micros::from_millis(300));
    let mut client = rig.connect();
    client.socket.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhello").expect("a socket");
    let before = Instant::now();
    assert_eq!(client.byte(), Err(Broken::Closed));
    assert!(before.elapsed() < Duration::from_secs(10), "{:?}", before.elapsed());
    upstream.wait_until_idle();
}

#[test]
fn a_head_that_stops_coming_behind_an_answer_is_given_up_too() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::with(upstream.address(), vec![], |settings| settings.head_timeout = Micros::from_millis(300));
    let mut client = rig.connect();
    assert_eq!(client.ask(&format!("{}GET / HT", get(1, 1))).body, b"ok");
    assert_eq!(client.byte(), Err(Broken::Closed));
}

#[test]
fn an_answer_that_takes_long_is_waited_for_whatever_the_limit_for_heads() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, Act::Wait(Duration::from_millis(2_500)), answer("200 OK", "late")]]);
    let rig = Rig::with(upstream.address(), vec![], |settings| settings.head_timeout = Micros::from_millis(100));
    assert_eq!(rig.ask(&get(1, 1)).body, b"late");
}

#[test]
fn a_silent_connection_is_served_again_after_it_has_dozed() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![]);
    let mut client = rig.connect();
    for round in 1..=2 {
        assert_eq!(client.ask(&get(1, round)).body, b"ok");
        std::thread::sleep(Duration::from_millis(3_200));
    }
    client.socket.write_all(b"GET / HTTP/1.1\r\nHo").expect("a socket");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(client.ask("st: h\r\n\r\n").body, b"ok");
}
