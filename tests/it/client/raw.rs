//! The raw client over real sockets: what goes out is what was given, and what is broken on the wire is seen.

use std::borrow::Cow;
use std::time::Duration;

use brownout::client::{HttpVersion, RawBody, RawClient, RawHeader, RawLimits, RawReply, RawRequest, RawTimeouts, TlsSettings};
use brownout::clock::Clock;
use brownout::contract::{Contract, Judged, Profile, Terms};
use brownout::secret::Secrets;
use brownout::severity::Severity;
use brownout::units::Micros;
use brownout::wire::{Ending, Failure, Phase, RequestFacts};
use http::{HeaderMap, Method};

use super::{connector, on_a_worker};
use crate::support::certificates::Authority;
use crate::support::contract::shipped;
use crate::support::upstream::{Act, Upstream, answer, refused_address};

/// Short enough that a test of what never comes does not last.
const TIMEOUTS: RawTimeouts = RawTimeouts {
    connect: Micros::from_secs(10),
    first_byte: Micros::from_secs(10),
    total: Micros::from_secs(20),
    expect: Micros::from_secs(5),
    linger: Micros::from_millis(200),
};

fn header<'a>(name: &'a str, value: &'a [u8]) -> RawHeader<'a> {
    (Cow::from(name), Cow::from(value))
}

fn get<'a>(headers: &'a [RawHeader<'a>]) -> RawRequest<'a> {
    RawRequest { method: "GET", target: "/", headers, body: RawBody::None, expect_continue: false }
}

fn send_within(upstream: &Upstream, timeouts: RawTimeouts, limits: RawLimits, request: &RawRequest<'_>) -> RawReply {
    on_a_worker(async {
        let url = format!("http://{}", upstream.address());
        let connector = connector(&url, &TlsSettings::default(), HttpVersion::Http1).await;
        RawClient::new(&connector, Clock::new(), timeouts, limits).send(request).await
    })
}

fn send(upstream: &Upstream, request: &RawRequest<'_>) -> RawReply {
    send_within(upstream, TIMEOUTS, RawLimits::default(), request)
}

/// What a request gets from a target that answers with these bytes and then stays.
fn answered(request: &RawRequest<'_>, bytes: impl AsRef<[u8]>) -> RawReply {
    let upstream = Upstream::play(vec![vec![Act::ReadHead, Act::write(bytes), Act::WaitForClose]]);
    send(&upstream, request)
}

/// The checks that an answer violates, in profile core, each once.
fn found(contract: &Contract, method: Method, reply: &RawReply) -> Vec<&'static str> {
    let secrets = std::sync::Arc::new(Secrets::default());
    let terms = Terms { profile: Profile::Core, undocumented: Severity::High, secrets };
    let headers = HeaderMap::new();
    let request = RequestFacts { method: &method, path: "/v1/conversations", query: None, headers: &headers, body: b"" };
    let judged = match (reply.ending, reply.facts()) {
        (Ending::Answered(_), Some(response)) => {
            let judged = contract.check(&terms, &request, &response);
            return unique(
                judged.violations.iter().filter(|v| v.severity > Severity::Low || v.check == "B06").map(|violation| violation.check),
            );
        }
        (Ending::Failed(failure), _) => Judged { violations: contract.check_failure(&terms, &request, failure), ..Judged::default() },
        _ => Judged::default(),
    };
    unique(judged.violations.iter().map(|violation| violation.check))
}

fn unique(checks: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    checks.fold(Vec::new(), |mut all, check| {
        if !all.contains(&check) {
            all.push(check);
        }
        all
    })
}

#[test]
fn a_request_goes_out_byte_for_byte() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, answer("200 OK", "")]]);
    let headers = [header("hOsT", b"a.test"), header("X Y", b"  caf\xe9\x01 "), header("x-twice", b"1"), header("x-twice", b"2")];
    let body = RawBody::Bytes(b"\x00\xff");
    let request = RawRequest { method: "fo'o", target: "/a/../b?x= #f", headers: &headers, body, expect_continue: false };
    assert_eq!(send(&upstream, &request).ending, Ending::Answered(200));
    let [received] = upstream.requests().try_into().expect("one request");
    let expected =
        "fo'o /a/../b?x= #f HTTP/1.1\r\nhOsT: a.test\r\nX Y:   caf\u{fffd}\u{1} \r\nx-twice: 1\r\nx-twice: 2\r\nContent-Length: 2";
    assert_eq!((received.head.as_str(), received.body.as_slice()), (expected, &b"\x00\xff"[..]));
}

#[test]
fn every_kind_of_body_is_framed_as_asked_unless_its_framing_is_given() {
    let own = [header("content-length", b"7")];
    for (headers, body, framing, bytes) in [
        (&[][..], RawBody::None, None, &b""[..]),
        (&[], RawBody::Bytes(b""), Some("Content-Length: 0"), b""),
        (&[], RawBody::Bytes(b"abc"), Some("Content-Length: 3"), b"abc"),
        (&[], RawBody::Unframed(b"abc"), None, b"abc"),
        (&[], RawBody::Declared { length: 99, bytes: b"abc" }, Some("Content-Length: 99"), b"abc"),
        (&[], RawBody::Chunked(b"abc"), Some("Transfer-Encoding: chunked"), b"3\r\nabc\r\n0\r\n\r\n"),
        (&[], RawBody::Chunked(b""), Some("Transfer-Encoding: chunked"), b"0\r\n\r\n"),
        (&[], RawBody::Slow { bytes: b"abc", piece: 0, pause: Micros(1) }, Some("Content-Length: 3"), b"abc"),
        (&own, RawBody::Bytes(b"abc"), Some("content-length: 7"), b"abc"),
    ] {
        let head = format!("POST / HTTP/1.1\r\n{}\r\n", framing.map(|line| format!("{line}\r\n")).unwrap_or_default());
        let expected = [head.as_bytes(), bytes].concat();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let want = expected.len();
        let reader = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut socket, _) = listener.accept().expect("a connection");
            let mut got = vec![0; want];
            socket.read_exact(&mut got).expect("all of it");
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("it listens");
            got
        });
        let reply = on_a_worker(async {
            let connector = connector(&format!("http://{address}"), &TlsSettings::default(), HttpVersion::Http1).await;
            let client = RawClient::new(&connector, Clock::new(), TIMEOUTS, RawLimits::default());
            client.send(&RawRequest { method: "POST", target: "/", headers, body, expect_continue: false }).await
        });
        assert_eq!(String::from_utf8(reader.join().expect("no panic")), String::from_utf8(expected), "{body:?}");
        assert_eq!((reply.ending, reply.request_complete), (Ending::Answered(200), true), "{body:?}");
    }
}

#[test]
fn a_body_is_sent_when_the_target_says_so_or_says_nothing() {
    let request = RawRequest { method: "POST", target: "/", headers: &[], body: RawBody::Bytes(b"abc"), expect_continue: true };
    let agrees =
        vec![Act::ReadHead, Act::write("HTTP/1.1 100 Continue\r\n\r\n"), Act::Wait(Duration::from_millis(50)), answer("200 OK", "")];
    let upstream = Upstream::play(vec![agrees]);
    let reply = send(&upstream, &request);
    assert_eq!((reply.ending, reply.interim.as_slice(), reply.request_complete), (Ending::Answered(200), &[100][..], true));
    assert_eq!(upstream.requests()[0].header("expect"), Some("100-continue"));
    let silent = Upstream::play(vec![vec![Act::ReadRequest, answer("200 OK", "")]]);
    let reply = send_within(&silent, RawTimeouts { expect: Micros::from_millis(40), ..TIMEOUTS }, RawLimits::default(), &request);
    assert_eq!((reply.ending, silent.requests()[0].body.as_slice()), (Ending::Answered(200), &b"abc"[..]));
}

#[test]
fn a_body_that_the_target_refuses_is_not_sent() {
    let refuses = vec![Act::ReadHead, answer("413 Content Too Large", "no"), Act::ReadHead, Act::Close];
    let upstream = Upstream::play(vec![refuses]);
    let body = vec![b'x'; 1 << 20];
    let request = RawRequest { method: "POST", target: "/", headers: &[], body: RawBody::Bytes(&body), expect_continue: true };
    let reply = send(&upstream, &request);
    assert_eq!((reply.ending, reply.request_complete, reply.sent), (Ending::Answered(413), false, true));
    assert_eq!((reply.body.as_slice(), reply.surplus), (&b"no"[..], 0));
}

#[test]
fn an_answer_that_comes_before_the_body_is_read_is_heard() {
    // More than any socket buffers: it is never all written.
    let body = vec![b'x'; 64 << 20];
    let upstream =
        Upstream::play(vec![vec![Act::ReadHead, answer("413 Content Too Large", "no"), Act::Wait(Duration::from_secs(1)), Act::Reset]]);
    let request = RawRequest { method: "POST", target: "/", headers: &[], body: RawBody::Bytes(&body), expect_continue: false };
    let reply = send(&upstream, &request);
    assert_eq!((reply.ending, reply.request_complete, reply.body.as_slice()), (Ending::Answered(413), false, &b"no"[..]));
}

#[test]
fn a_slow_body_is_slow_and_ends_with_the_total_time() {
    let bytes = [b'x'; 1000];
    let body = RawBody::Slow { bytes: &bytes, piece: 1, pause: Micros::from_millis(20) };
    let request = RawRequest { method: "POST", target: "/", headers: &[], body, expect_continue: false };
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, answer("200 OK", "")]]);
    let reply = send_within(&upstream, RawTimeouts { total: Micros::from_millis(300), ..TIMEOUTS }, RawLimits::default(), &request);
    assert_eq!(reply.ending, Ending::Failed(Failure::TimedOut(Phase::FirstByte)));
    let took = reply.stamps.ended_at.since(reply.stamps.started_at);
    assert!((300_000..5_000_000).contains(&took.0), "{took}");
    assert!(!reply.request_complete);
}

#[test]
fn what_breaks_the_wire_is_found_with_its_check_and_no_other() {
    let contract = shipped();
    let row = contract.row_named("CONVERSATION_NOT_FOUND", None).expect("it is documented");
    let answer = contract.compose(row, &crate::support::contract::now());
    let head: String = answer.headers.iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().expect("text"))).collect();
    let body = String::from_utf8(answer.body).expect("JSON");
    let error =
        |more: &str, length: usize, body: &str| format!("HTTP/1.1 404 Not Found\r\n{head}{more}Content-Length: {length}\r\n\r\n{body}");
    let size = body.len();
    let twice = body.replacen('{', "{\"code\":\"CONVERSATION_NOT_FOUND\",", 1);
    let no_utf8 = {
        let changed = body.replacen('{', "{\"x\":\"?\",", 1);
        let mut bytes = error("", changed.len(), &changed).into_bytes();
        let at = bytes.windows(4).position(|four| four == b"\"?\",").expect("a place") + 1;
        bytes[at] = 0xff;
        bytes
    };
    for (what, method, bytes, expected) in [
        ("nothing is broken", Method::GET, error("", size, &body).into_bytes(), &[][..]),
        ("nothing is broken after HEAD", Method::HEAD, error("", size, "").into_bytes(), &[]),
        ("a body after HEAD", Method::HEAD, error("", size, &body).into_bytes(), &["P01"]),
        ("content on 204", Method::GET, b"HTTP/1.1 204 No Content\r\n\r\nhello".to_vec(), &["P02"]),
        ("content on 304", Method::GET, b"HTTP/1.1 304 Not Modified\r\n\r\nhello".to_vec(), &["P02"]),
        ("a length on 204", Method::GET, b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n".to_vec(), &["P02"]),
        ("more than Content-Length says", Method::GET, error("", size, &format!("{body}surplus")).into_bytes(), &["P03"]),
        ("duplicate members", Method::GET, error("", twice.len(), &twice).into_bytes(), &["B07"]),
        ("a singleton header twice", Method::GET, error("Content-Type: application/json\r\n", size, &body).into_bytes(), &["H03"]),
    ] {
        let request = RawRequest { method: method.as_str(), ..get(&[]) };
        let reply = answered(&request, bytes);
        let found: Vec<_> = found(&contract, method, &reply).into_iter().filter(|check| *check != "S01").collect();
        assert_eq!(found, expected, "{what}: {reply:?}");
    }
    let reply = answered(&get(&[]), no_utf8);
    let found_there = found(&contract, Method::GET, &reply);
    assert!(matches!(found_there.as_slice(), ["B02"] | ["B06"]), "{found_there:?}");
    let cut = Upstream::play(vec![vec![Act::ReadHead, Act::write(error("", size + 9, &body)), Act::Close]]);
    let reply = send(&cut, &get(&[]));
    assert_eq!(reply.ending, Ending::Failed(Failure::BodyCutShort { received: size as u64, reset: false }));
    assert_eq!(found(&contract, Method::GET, &reply), ["P03"]);
}

#[test]
fn surplus_is_seen_when_it_comes_late_and_not_waited_for_longer() {
    let head = Act::write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    let late = vec![Act::ReadHead, head.clone(), Act::Wait(Duration::from_millis(40)), Act::write("bc"), Act::WaitForClose];
    let reply = send(&Upstream::play(vec![late]), &get(&[]));
    assert_eq!((reply.surplus, reply.body_bytes, reply.body.as_slice(), reply.body_complete), (2, 3, &b"a"[..], true));
    let never = Upstream::play(vec![vec![Act::ReadHead, head, Act::WaitForClose]]);
    let reply = send(&never, &get(&[]));
    let took = reply.stamps.ended_at.since(reply.stamps.started_at);
    assert!((reply.surplus, reply.ending) == (0, Ending::Answered(200)) && took < Micros::from_secs(5), "{took}");
}

#[test]
fn every_way_to_fail_is_told_apart() {
    let in_time = RawTimeouts { first_byte: Micros::from_millis(60), total: Micros::from_millis(300), ..TIMEOUTS };
    let within = |script: Vec<Act>| send_within(&Upstream::play(vec![script]), in_time, RawLimits::default(), &get(&[]));
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcd";
    let settle = || Act::Wait(Duration::from_millis(50));
    for (what, script, failure) in [
        ("closed", vec![Act::ReadHead, Act::Close], Failure::Closed),
        ("reset", vec![Act::ReadHead, Act::Reset], Failure::Reset),
        ("silent", vec![Act::ReadHead, Act::WaitForClose], Failure::TimedOut(Phase::FirstByte)),
        ("half a head", vec![Act::ReadHead, Act::write("HTTP/1.1 2"), Act::WaitForClose], Failure::TimedOut(Phase::FirstByte)),
        ("half a body", vec![Act::ReadHead, Act::write(cut), Act::WaitForClose], Failure::TimedOut(Phase::Total)),
        ("a body reset", vec![Act::ReadHead, Act::write(cut), settle(), Act::Reset], Failure::BodyCutShort { received: 4, reset: true }),
        ("no HTTP", vec![Act::write("SSH-2.0-x\r\n"), Act::WaitForClose], Failure::BadProtocol),
    ] {
        let reply = within(script);
        assert_eq!((reply.ending, reply.sent), (Ending::Failed(failure), true), "{what}");
        assert_eq!(reply.head.is_some(), matches!(failure, Failure::TimedOut(Phase::Total) | Failure::BodyCutShort { .. }), "{what}");
    }
    let refused = on_a_worker(async {
        let connector = connector(&format!("http://{}", refused_address()), &TlsSettings::default(), HttpVersion::Http1).await;
        RawClient::new(&connector, Clock::new(), TIMEOUTS, RawLimits::default()).send(&get(&[])).await
    });
    assert_eq!((refused.ending, refused.sent, refused.head.is_none()), (Ending::Failed(Failure::Refused), false, true));
}

#[test]
fn answers_without_end_end_in_time_and_in_bounded_memory() {
    let in_time = RawTimeouts { linger: Micros::from_millis(20), ..TIMEOUTS };
    let limits = RawLimits { keep_body: 1000, most: 1 << 20 };
    let endless = |head: &str, rest: &str| {
        let script = vec![Act::ReadHead, Act::write(head), Act::WriteForever(rest.repeat(16 * 1024 / rest.len()).into_bytes())];
        let reply = send_within(&Upstream::play(vec![script]), in_time, limits, &get(&[]));
        let took = reply.stamps.ended_at.since(reply.stamps.started_at);
        assert!(took < Micros::from_secs(10) && reply.body.len() <= 1000, "{head:?}: {took}");
        reply
    };
    let nonsense = Ending::Failed(Failure::BadProtocol);
    assert_eq!(endless("HTTP/1.1 200 OK\r\n", "X-A: b\r\n").ending, nonsense);
    assert_eq!(endless("HTTP/1.1 200 OK\r\nX-A: ", "b").ending, nonsense);
    assert_eq!(endless("", "HTTP/1.1 102 Processing\r\n\r\n").ending, nonsense);
    assert_eq!(endless("", "\r\n").ending, nonsense);
    let body = endless("HTTP/1.1 200 OK\r\n\r\n", "x");
    assert_eq!((body.ending, body.body_complete), (Ending::Answered(200), false));
    let chunks = endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n");
    assert_eq!((chunks.ending, chunks.body_complete), (Ending::Answered(200), false));
    assert_eq!(endless("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "b").ending, Ending::Answered(200));
    let trailers = endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-A: b\r\n");
    assert_eq!(trailers.ending, nonsense);
}

#[test]
fn a_dribble_ends_with_the_total_time() {
    let dribble = |head: &str, byte: &str| {
        let mut script = vec![Act::ReadHead, Act::write(head)];
        script.extend((0..200).flat_map(|_| [Act::write(byte), Act::Wait(Duration::from_millis(10))]));
        let in_time = RawTimeouts { total: Micros::from_millis(200), linger: Micros::from_millis(30), ..TIMEOUTS };
        let reply = send_within(&Upstream::play(vec![script]), in_time, RawLimits::default(), &get(&[]));
        assert!(reply.stamps.ended_at.since(reply.stamps.started_at) < Micros::from_millis(1_900), "{head:?}");
        reply.ending
    };
    assert_eq!(dribble("HTTP/1.1 200 OK\r\nX-A: ", "b"), Ending::Failed(Failure::TimedOut(Phase::FirstByte)));
    assert_eq!(dribble("HTTP/1.1 200 OK\r\n\r\n", "b"), Ending::Failed(Failure::TimedOut(Phase::Total)));
    assert_eq!(dribble("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "b"), Ending::Failed(Failure::TimedOut(Phase::Total)));
    assert_eq!(dribble("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "b"), Ending::Answered(200), "surplus is not waited for");
}

#[test]
fn a_length_that_makes_no_sense_ends_in_silence() {
    let reply = answered(&get(&[]), "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc");
    assert_eq!((reply.ending, reply.body.as_slice()), (Ending::Answered(200), &b"abc"[..]));
    assert_eq!(reply.oddities, ["a Content-Length that is no number"]);
}

#[test]
fn tls_is_spoken_with_http_1_1_and_nothing_else() {
    let authority = Authority::new("A");
    let script = vec![vec![Act::ReadHead, Act::write("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nabc"), Act::Close]];
    let upstream = Upstream::play_tls(authority.server("localhost", &["h2", "http/1.1"], None), script);
    let ca = authority.pem();
    let tls = TlsSettings { ca: Some(ca.as_bytes()), ..TlsSettings::default() };
    let reply = on_a_worker(async {
        // The run's own connector would rather have HTTP/2.
        let connector = connector(&format!("https://localhost:{}", upstream.address().port()), &tls, HttpVersion::Auto).await;
        RawClient::new(&connector, Clock::new(), TIMEOUTS, RawLimits::default()).send(&get(&[header("host", b"localhost")])).await
    });
    assert_eq!((reply.ending, reply.surplus, reply.body.as_slice()), (Ending::Answered(404), 1, &b"ab"[..]));
    assert!(reply.stamps.connect.tls > Micros::ZERO);
    let stranger = on_a_worker(async {
        let other = Authority::new("B").pem();
        let tls = TlsSettings { ca: Some(other.as_bytes()), ..TlsSettings::default() };
        let connector = connector(&format!("https://localhost:{}", upstream.address().port()), &tls, HttpVersion::Auto).await;
        RawClient::new(&connector, Clock::new(), TIMEOUTS, RawLimits::default()).send(&get(&[])).await
    });
    assert_eq!((stranger.ending, stranger.sent), (Ending::Failed(Failure::Tls), false));
}
