//! Faults that strike connections.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::proxy::rig::{Broken, Rig, get, rule, wait_until};
use crate::support::upstream::{Upstream, answer};
use brownout::fault::{Effect, Fault, Window};
use brownout::id::RuleIx;
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
