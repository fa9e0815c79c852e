//! Faults that strike connections.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::proxy::rig::{Broken, Rig, get, rule, wait_until};
use crate::proxy::spoken::authority;
use crate::support::program::{Scrap, curl, python};
use crate::support::upstream::{Upstream, answer};
use brownout::fault::{Effect, Fault, Window};
use brownout::id::RuleIx;
use brownout::proxy::ServerTls;
use brownout::units::{Micros, Offset};

#[test]
fn connections_are_refused_while_the_window_is_open_and_on_the_same_port_again_after_it() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let at = |ms| Offset(Micros::from_millis(ms));
    let mut closed = rule("down", Effect::Fault(Fault::Refuse));
    closed.windows = vec![Window::between(at(400), at(1_000)), Window::between(at(1_300), at(1_500))];
    let begun = Instant::now();
    let rig = Rig::new(upstream.address(), vec![closed]);
    let addr = rig.addr;
    let mut old = rig.connect();
    assert_eq!(old.ask(&get(1, 2)).status(), 200, "before the window");
    let connect = || TcpStream::connect(addr).map(drop).map_err(|error| error.kind());
    wait_until("the port is closed", || connect() == Err(ErrorKind::ConnectionRefused));
    assert!(begun.elapsed() >= Duration::from_millis(400));
    for _ in 0..200 {
        assert_eq!(connect(), Err(ErrorKind::ConnectionRefused), "not one connection is made or reset");
    }
    let answer = old.ask(&get(2, 2));
    assert_eq!((answer.head.as_str(), answer.broken), ("", Some(Broken::Reset)), "on a connection made before");
    assert_eq!(rig.noted(2, 2).map(|note| (note.rule, note.forwarded)), Some((Some(RuleIx(0)), false)));
    wait_until("the port is open", || connect().is_ok());
    assert!(begun.elapsed() >= Duration::from_millis(990));
    assert_eq!(rig.ask(&get(3, 2)).status(), 200, "after the window");
    wait_until("the port is closed again", || connect() == Err(ErrorKind::ConnectionRefused));
    wait_until("the port is open again", || connect().is_ok());
    let tally = rig.stop();
    assert_eq!((tally.rules[0].planned, tally.rules[0].fired), (3, 3), "two closings and one request on an old connection");
    assert_eq!(tally.seen, 3);
}

#[test]
fn a_proxy_stops_at_once_while_it_refuses_connections() {
    let mut closed = rule("down", Effect::Fault(Fault::Refuse));
    closed.windows = vec![Window::between(Offset::START, Offset(Micros::HOUR))];
    let rig = Rig::new("127.0.0.1:9".parse().expect("an address"), vec![closed]);
    let addr = rig.addr;
    wait_until("the port is closed", || TcpStream::connect(addr).is_err());
    let begun = Instant::now();
    rig.stop();
    assert!(begun.elapsed() < Duration::from_millis(900));
}

#[test]
fn a_tls_handshake_fails_with_an_alert_while_the_window_is_open() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let authority = authority();
    let mut failing = rule("handshake", Effect::Fault(Fault::TlsFailure));
    failing.windows = vec![Window::between(Offset(Micros::from_millis(700)), Offset(Micros::HOUR))];
    let begun = Instant::now();
    let rig = Rig::with(upstream.address(), vec![failing], |settings| {
        settings.downstream.tls = Some(ServerTls::vouched(Arc::clone(&authority), "127.0.0.1"));
    });
    let ca = Scrap::new("failing-tls.pem", authority.pem().as_bytes());
    let (port, url) = (rig.addr.port().to_string(), format!("https://localhost:{}/", rig.addr.port()));
    let before = curl(&["--cacert", ca.path(), &url]);
    assert!(before.is_none_or(|ran| ran.out == "ok" || begun.elapsed() > Duration::from_millis(600)), "before the window");
    std::thread::sleep(Duration::from_millis(750).saturating_sub(begun.elapsed()));
    let mut struck = 1;
    let mut socket = TcpStream::connect(rig.addr).expect("a listener");
    socket.write_all(&[22, 3, 1, 0, 1, 0]).expect("a socket");
    let mut said = Vec::new();
    socket.read_to_end(&mut said).expect("an orderly end");
    assert_eq!(said, [21, 3, 3, 0, 2, 2, 40], "fatal, handshake_failure");
    if let Some(ran) = curl(&["--cacert", ca.path(), &url]) {
        assert_eq!(ran.code, 35, "curl: SSL connect error: {}", ran.err);
        struck += 1;
    }
    let program = "
import http.client, ssl, sys
try:
    http.client.HTTPSConnection('localhost', int(sys.argv[1]), timeout=20, context=ssl.create_default_context(cafile=sys.argv[2])).request('GET', '/')
except ssl.SSLError as error:
    print(error.reason)
";
    if let Some(ran) = python(program, &[&port, ca.path()]) {
        assert!(ran.out.contains("HANDSHAKE_FAILURE"), "{} {}", ran.out, ran.err);
        struck += 1;
    }
    let tally = rig.stop();
    assert_eq!((tally.rules[0].planned, tally.rules[0].fired), (struck, struck));
}
