//! The proxy speaks what its clients speak: HTTP/1.1 and HTTP/2, plain and under TLS.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::rig::{Rig, connector, get, identity, rule, wait_until};
use crate::support::certificates;
use crate::support::program::{Scrap, curl, python};
use crate::support::upstream::{Act, Upstream, answer};
use brownout::client::HttpVersion;
use brownout::clock::Clock;
use brownout::fault::{After, Effect, Fault};
use brownout::proxy::{Authority, HttpVersions, ServerTls};
use brownout::units::Size;

pub fn authority() -> Arc<Authority> {
    let clock = Clock::new();
    Arc::new(Authority::generate(clock.unix_us(clock.now())).expect("an authority"))
}

/// A client that speaks HTTP/2 by prior knowledge, and what drives it.
pub fn http2(addr: SocketAddr) -> (tokio::runtime::Runtime, SendRequest<Full<Bytes>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let sender = runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(addr).await.expect("a listener");
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(socket)).await.expect("HTTP/2");
        tokio::spawn(connection);
        sender
    });
    (runtime, sender)
}

fn request(addr: SocketAddr, path: &str) -> http::request::Builder {
    Request::builder().uri(format!("http://{addr}{path}"))
}

/// The same as an attempt of the run.
pub fn attempt(addr: SocketAddr, path: &str, arrival: u64) -> Request<Full<Bytes>> {
    let mut request = request(addr, path);
    for line in identity(arrival, 1).lines() {
        let (name, value) = line.split_once(": ").expect("a header");
        request = request.header(name, value);
    }
    request.body(Full::default()).expect("a request")
}

/// The code of the reset that an error tells of.
pub fn reset(error: &hyper::Error) -> Option<h2::Reason> {
    let mut error = error as &(dyn Error + 'static);
    loop {
        if let Some(reset) = error.downcast_ref::<h2::Error>().filter(|error| error.is_reset()) {
            return reset.reason();
        }
        error = error.source()?;
    }
}

#[test]
fn a_client_that_is_not_ours_speaks_http_2_to_an_http_1_1_target() {
    let upstream = Upstream::always(Act::write(
        "HTTP/1.1 201 Created\r\nX-Odd-Case: 1\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n\r\nhello",
    ));
    let rig = Rig::new(upstream.address(), vec![]);
    let url = format!("http://{}/a/%20b?c=d", rig.addr);
    let body = "x".repeat(100_000);
    let told = "%{http_version} %{http_code} %header{x-odd-case}%header{keep-alive}";
    let Some(ran) = curl(&["--http2-prior-knowledge", "-w", told, "-b", "a=1", "--data-binary", &body, &url]) else { return };
    assert_eq!((ran.out.as_str(), ran.code), ("hello2 201 1", 0), "{}", ran.err);
    let seen = upstream.requests();
    assert_eq!(seen[0].head.lines().next(), Some("POST /a/%20b?c=d HTTP/1.1"));
    assert_eq!(seen[0].header("host"), Some(rig.addr.to_string().as_str()));
    assert_eq!((seen[0].header("content-length"), seen[0].header("transfer-encoding")), (Some("100000"), None));
    assert!(seen[0].body == body.as_bytes());
    // The same client in HTTP/1.1, on the same port.
    let ran = curl(&["--http1.1", "-w", told, &url]).expect("curl was there");
    assert_eq!((ran.out.as_str(), ran.code), ("hello1.1 201 1", 0), "{}", ran.err);
}

#[test]
fn the_first_bytes_may_come_one_by_one() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![]);
    let mut client = rig.connect();
    for piece in ["P", "R", "OPFIND / HTTP/1.1\r\nHost: h\r\n\r\n"] {
        client.socket.write_all(piece.as_bytes()).expect("a socket");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(client.read(false).body, b"ok");
    let mut client = rig.connect();
    for piece in [&b"P"[..], b"R", b"I * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0, 0, 0, 4, 0, 0, 0, 0, 0]] {
        client.socket.write_all(piece).expect("a socket");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut frame = [0; 9];
    client.socket.read_exact(&mut frame).expect("a frame");
    assert_eq!(frame[3], 4, "a settings frame");
}

#[test]
fn a_hundred_streams_are_served_at_once_and_none_of_them_loses_a_byte() {
    let body: String = (0..200_000).map(|k| char::from(b'a' + (k % 23) as u8)).collect();
    let upstream = Upstream::always(answer("200 OK", &body));
    let rig = Rig::new(upstream.address(), vec![]);
    let (runtime, sender) = http2(rig.addr);
    let addr = rig.addr;
    let bodies = runtime.block_on(async {
        let asked: Vec<_> = (0..100)
            .map(|k| {
                let mut sender = sender.clone();
                tokio::spawn(async move {
                    let answer = sender.send_request(attempt(addr, "/", k)).await.expect("an answer");
                    answer.into_body().collect().await.expect("a body").to_bytes()
                })
            })
            .collect();
        let mut bodies = Vec::new();
        for asked in asked {
            bodies.push(asked.await.expect("no panic"));
        }
        bodies
    });
    assert!(bodies.iter().all(|received| received == body.as_bytes()));
    assert_eq!(rig.stop().seen, 100);
}

#[test]
fn a_fault_ends_its_stream_and_no_other() {
    let upstream = Upstream::always(answer("200 OK", &"x".repeat(300_000)));
    let on = |path: &str, fault| {
        let mut rule = rule(path, Effect::Fault(fault));
        rule.matcher.path = Some(brownout::wire::PathPattern::new(path).expect("a pattern"));
        rule
    };
    let rules = vec![
        on("/reset", Fault::Reset { after: After::Nothing }),
        on("/reset-late", Fault::Reset { after: After::Bytes(Size(100_000)) }),
        on("/cut-late", Fault::Cut { after: After::Bytes(Size(200_000)) }),
    ];
    let rig = Rig::new(upstream.address(), rules);
    let (runtime, mut sender) = http2(rig.addr);
    runtime.block_on(async {
        let refused = sender.send_request(attempt(rig.addr, "/reset", 1)).await.expect_err("a reset");
        assert_eq!(reset(&refused), Some(h2::Reason::CANCEL));
        for (path, passes, code) in [("/reset-late", 100_000, h2::Reason::CANCEL), ("/cut-late", 200_000, h2::Reason::INTERNAL_ERROR)] {
            let answer = sender.send_request(attempt(rig.addr, path, 2)).await.expect("an answer");
            let (received, error) = until_broken(answer).await;
            assert_eq!((received, error), (passes, Some(code)), "{path}");
        }
        let answer = sender.send_request(attempt(rig.addr, "/", 3)).await.expect("an answer on the same connection");
        assert_eq!(until_broken(answer).await, (300_000, None));
    });
    let fired: Vec<_> = rig.stop().rules.iter().map(|rule| rule.fired).collect();
    assert_eq!(fired, [1, 1, 1]);
}

pub async fn until_broken(answer: Response<Incoming>) -> (usize, Option<h2::Reason>) {
    let (mut body, mut received) = (answer.into_body(), 0);
    loop {
        match body.frame().await {
            Some(Ok(frame)) => received += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(error)) => return (received, Some(reset(&error).unwrap_or(h2::Reason::NO_ERROR))),
            None => return (received, None),
        }
    }
}

#[test]
fn a_target_that_fails_fails_its_stream_alone() {
    let upstream = Upstream::play(vec![
        vec![Act::ReadRequest, Act::write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"), Act::Close],
        vec![Act::ReadRequest, Act::Reset],
        vec![Act::ReadRequest, answer("200 OK", "ok"), Act::WaitForClose],
    ]);
    let rig = Rig::new(upstream.address(), vec![]);
    let (runtime, mut sender) = http2(rig.addr);
    runtime.block_on(async {
        let answer = sender.send_request(attempt(rig.addr, "/", 1)).await.expect("a head");
        assert_eq!(until_broken(answer).await, (5, Some(h2::Reason::INTERNAL_ERROR)), "cut");
        let refused = sender.send_request(attempt(rig.addr, "/", 2)).await.expect_err("a reset");
        assert_eq!(reset(&refused), Some(h2::Reason::CANCEL), "reset");
        let answer = sender.send_request(attempt(rig.addr, "/", 3)).await.expect("an answer");
        assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "ok");
    });
    assert_eq!(rig.stop().upstream_failures, 2);
}

#[test]
fn a_stream_that_its_client_gives_up_takes_its_connection_to_the_target_with_it() {
    let upstream = Upstream::play(vec![
        vec![Act::ReadRequest, Act::WaitForClose],
        vec![
            Act::ReadRequest,
            Act::write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Act::WriteForever(format!("1000\r\n{}\r\n", "x".repeat(4_096)).into_bytes()),
        ],
        vec![Act::ReadRequest, answer("200 OK", "ok"), Act::Close],
    ]);
    let rig = Rig::new(upstream.address(), vec![]);
    let (runtime, mut sender) = http2(rig.addr);
    runtime.block_on(async {
        let waiting = sender.send_request(attempt(rig.addr, "/", 1));
        assert!(tokio::time::timeout(Duration::from_millis(300), waiting).await.is_err(), "nobody answers");
        let mut answer = sender.send_request(attempt(rig.addr, "/", 2)).await.expect("a head");
        for _ in 0..20 {
            answer.body_mut().frame().await.expect("an endless body").expect("a frame");
        }
        drop(answer);
        let answer = sender.send_request(attempt(rig.addr, "/", 3)).await.expect("the connection goes on");
        assert_eq!(answer.status(), 200);
        // The client's library says so when its connection is driven next.
        tokio::time::sleep(Duration::from_millis(100)).await;
    });
    upstream.wait_until_idle();
}

#[test]
fn a_slow_reader_of_one_stream_holds_back_its_target_and_not_the_proxys_memory() {
    let upstream = Upstream::play(vec![vec![
        Act::ReadRequest,
        Act::write("HTTP/1.1 200 OK\r\nContent-Length: 400000000\r\n\r\n"),
        Act::WriteForever(vec![b'x'; 1 << 20]),
    ]]);
    let rig = Rig::new(upstream.address(), vec![]);
    let (runtime, mut sender) = http2(rig.addr);
    let before = super::sturdy::resident();
    let _unread = runtime.block_on(async {
        let answer = sender.send_request(attempt(rig.addr, "/", 1)).await.expect("a head");
        tokio::time::sleep(Duration::from_millis(300)).await;
        answer
    });
    let grown = super::sturdy::resident().saturating_sub(before);
    assert!(grown < 60_000, "{grown} KiB more for a body that nobody reads");
}

#[test]
fn trailers_pass_from_http_1_1_to_http_2_and_back() {
    let upstream = Upstream::always(Act::write(
        "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n",
    ));
    let rig = Rig::new(upstream.address(), vec![]);
    let (runtime, mut sender) = http2(rig.addr);
    let body = runtime.block_on(async {
        let asked = request(rig.addr, "/").header("te", "trailers").body(Full::default()).expect("a request");
        sender.send_request(asked).await.expect("an answer").into_body().collect().await.expect("a body")
    });
    assert_eq!(body.trailers().and_then(|trailers| trailers.get("x-sum")).map(http::HeaderValue::as_bytes), Some(&b"42"[..]));
}

#[test]
fn http_2_on_both_sides() {
    let (target, seen) = super::untouched::http2_target();
    let rig = Rig::with(target, vec![], |settings| settings.connector = connector(target, HttpVersion::Http2, settings.clock));
    let url = format!("http://{}/a?b", rig.addr);
    let Some(ran) = curl(&["--http2-prior-knowledge", "-w", " %{http_version} %{http_code}", "-d", "hello", &url]) else { return };
    assert_eq!((ran.out.as_str(), ran.code), ("hello 2 201", 0), "{}", ran.err);
    let seen = seen.recv().expect("a request");
    assert!(seen.starts_with(&format!("HTTP/2.0 POST http://{}/a?b ", rig.addr)), "{seen}");
}

#[test]
fn a_stop_ends_an_idle_http_2_connection_in_order() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![]);
    let (runtime, mut sender) = http2(rig.addr);
    runtime.block_on(async {
        let answer = sender.send_request(attempt(rig.addr, "/", 1)).await.expect("an answer");
        assert_eq!(until_broken(answer).await, (2, None));
    });
    let driving = std::thread::spawn(move || {
        runtime.block_on(async {
            while sender.ready().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    });
    let before = Instant::now();
    rig.stop();
    driving.join().expect("no panic");
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
}

#[test]
fn a_client_told_to_trust_the_sessions_authority_speaks_tls() {
    let authority = authority();
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::with(upstream.address(), vec![], |settings| {
        settings.downstream.tls = Some(ServerTls::vouched(Arc::clone(&authority), "127.0.0.1"));
    });
    let ca = Scrap::new("session-ca.pem", authority.pem().as_bytes());
    let (port, told) = (rig.addr.port(), " %{http_version}");
    for (host, options, shown, why) in [
        ("localhost", &["--http2"][..], "ok 2", "HTTP/2 by agreement"),
        ("localhost", &["--http1.1"], "ok 1.1", "HTTP/1.1 by agreement"),
        ("localhost", &["--no-alpn"], "ok 1.1", "no agreement"),
        ("127.0.0.1", &["--http2"], "ok 2", "an address instead of a name"),
        ("other.test", &["--tls-max", "1.2"], "ok 2", "another name, and TLS 1.2"),
    ] {
        let (url, resolve) = (format!("https://{host}:{port}/"), format!("{host}:{port}:127.0.0.1"));
        let Some(ran) = curl(&[options, &["--cacert", ca.path(), "--resolve", &resolve, "-w", told, &url]].concat()) else { return };
        assert_eq!((ran.out.as_str(), ran.code), (shown, 0), "{why}: {}", ran.err);
    }
    let ran = curl(&[&format!("https://localhost:{port}/")]).expect("curl was there");
    assert_eq!(ran.code, 60, "who does not trust it is not served: {}", ran.err);
    let program = "
import http.client, ssl, sys
c = http.client.HTTPSConnection('localhost', int(sys.argv[1]), timeout=20, context=ssl.create_default_context(cafile=sys.argv[2]))
for _ in range(3):
    c.request('GET', '/'); r = c.getresponse(); print(r.status, r.read().decode())
";
    let Some(ran) = python(program, &[&port.to_string(), ca.path()]) else { return };
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), ["200 ok"; 3], "{}", ran.err);
    // Who does not speak TLS, or does not finish the handshake, harms nobody.
    let mut plain = TcpStream::connect(rig.addr).expect("a listener");
    plain.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").expect("a socket");
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP/"), "{said:?}");
}

#[test]
fn a_handshake_or_a_frame_that_stops_coming_is_given_up() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let waits = |tls: bool| {
        Rig::with(upstream.address(), vec![], |settings| {
            settings.head_timeout = brownout::units::Micros::from_millis(300);
            settings.downstream.tls = tls.then(|| ServerTls::vouched(authority(), "127.0.0.1"));
        })
    };
    for (tls, bytes, why) in [
        (true, &[22, 3, 1, 0, 100, 1][..], "a part of a handshake"),
        (false, b"PR", "a part of a preface, or of a method"),
        (false, b"PRI * HTTP/2.0\r\n\r\nSM", "a part of a preface"),
        (false, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x20\x01\x04\0\0\0\x01\x82", "a part of a head"),
    ] {
        let rig = waits(tls);
        let mut client = rig.connect();
        client.socket.write_all(bytes).expect("a socket");
        let mut said = Vec::new();
        // Until it is closed: what a server says first may come before.
        let read = client.socket.read_to_end(&mut said);
        assert!(!matches!(&read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock), "{why}: {read:?}");
        assert_eq!(upstream.requests().len(), 0, "{why}");
    }
}

#[test]
fn a_connection_that_is_given_up_says_so_and_nothing_after_it() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![rule("away", Effect::Fault(Fault::GoAway))]);
    let (runtime, mut sender) = http2(rig.addr);
    let error = runtime.block_on(sender.send_request(attempt(rig.addr, "/", 1))).expect_err("the connection is given up");
    assert_eq!(reset(&error), None, "not the stream alone: {error:?}");
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(rig.stop().rules[0].fired, 1);
}

#[test]
fn a_given_certificate_is_shown_as_it_is() {
    let maker = certificates::Authority::new("given");
    let identity = maker.client();
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::with(upstream.address(), vec![], |settings| {
        settings.downstream.tls = Some(ServerTls::given(identity.cert.as_bytes(), identity.key.as_bytes()).expect("a certificate"));
        settings.downstream.http = HttpVersions::Http1;
    });
    let ca = Scrap::new("given-ca.pem", maker.pem().as_bytes());
    let port = rig.addr.port();
    let (url, resolve) = (format!("https://client.test:{port}/"), format!("client.test:{port}:127.0.0.1"));
    let Some(ran) = curl(&["--cacert", ca.path(), "--resolve", &resolve, "-w", " %{http_version}", &url]) else { return };
    assert_eq!((ran.out.as_str(), ran.code), ("ok 1.1", 0), "{}", ran.err);
}

#[test]
fn a_connection_under_tls_ends_below_tls() {
    for (fault, kind, why) in [
        (Fault::Reset { after: After::Nothing }, std::io::ErrorKind::ConnectionReset, "a reset"),
        (Fault::Cut { after: After::Bytes(Size(1)) }, std::io::ErrorKind::UnexpectedEof, "an end without close_notify"),
    ] {
        let authority = authority();
        let upstream = Upstream::always(answer("200 OK", "hello"));
        let rig = Rig::with(upstream.address(), vec![rule("end", Effect::Fault(fault))], |settings| {
            settings.downstream.tls = Some(ServerTls::vouched(Arc::clone(&authority), "127.0.0.1"));
        });
        let mut roots = rustls::RootCertStore::empty();
        let pem = authority.pem();
        roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).expect("a certificate")).expect("a root");
        let config = rustls::ClientConfig::builder_with_provider(brownout::client::tls::provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let session = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().expect("a name")).expect("a session");
        let mut stream = rustls::StreamOwned::new(session, TcpStream::connect(rig.addr).expect("a listener"));
        stream.write_all(get(1, 1).as_bytes()).expect("a connection");
        let mut said = Vec::new();
        let error = stream.read_to_end(&mut said).expect_err(why);
        assert_eq!(error.kind(), kind, "{why}: {error}");
        wait_until("the rule is counted", || rig.noted(1, 1).is_some());
    }
}

#[test]
fn an_upload_that_stalls_between_two_frames_ends_its_stream_and_no_other() {
    let upstream = Upstream::always(answer("200 OK", "hello"));
    let rig = Rig::with(upstream.address(), vec![], |settings| settings.head_timeout = brownout::units::Micros::from_millis(300));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let addr = rig.addr;
    runtime.block_on(async move {
        let socket = tokio::net::TcpStream::connect(addr).await.expect("a listener");
        let (sender, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
        tokio::spawn(connection);
        let mut sender = sender.ready().await.expect("a stream");
        let ask = |method| Request::builder().method(method).uri(format!("http://{addr}/")).body(()).expect("a request");
        let before = Instant::now();
        let (stalled, mut body) = sender.send_request(ask("POST"), false).expect("a stream");
        body.send_data(Bytes::from_static(b"half of it"), false).expect("a window");
        let error = tokio::time::timeout(Duration::from_secs(10), stalled).await.expect("an end").expect_err("half a request");
        assert_eq!(error.reason(), Some(h2::Reason::CANCEL), "{error}");
        assert!(before.elapsed() >= Duration::from_millis(300), "{:?}", before.elapsed());
        let mut sender = sender.ready().await.expect("the connection lives on");
        let (answered, _) = sender.send_request(ask("GET"), true).expect("a stream");
        assert_eq!(answered.await.expect("an answer").status(), 200);
    });
}

#[test]
fn a_connection_of_http_2_without_streams_is_closed_in_order_after_a_while() {
    let upstream = Upstream::always(answer("200 OK", "hello"));
    let rig = Rig::with(upstream.address(), vec![], |settings| settings.downstream.silence = brownout::units::Micros::from_millis(300));
    let (runtime, mut sender) = http2(rig.addr);
    let answer = runtime.block_on(sender.send_request(attempt(rig.addr, "/", 1))).expect("an answer");
    assert_eq!(answer.status(), 200);
    drop(answer);
    wait_until("the connection has ended", || {
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        sender.is_closed()
    });
}
