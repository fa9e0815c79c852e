//! Clients and targets that misbehave harm nobody else.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::rig::{Broken, Client, Rig, get, held, identity, rule, wait_until};
use crate::support::contract::shipped;
use crate::support::upstream::{Act, Upstream, answer};
use brownout::fault::{Effect, Fault, Respond, RetryAfterForm};
use brownout::id::RowIx;
use brownout::seed::Distribution;
use brownout::units::Micros;

#[test]
fn what_is_not_a_request_ends_its_own_connection_alone() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![]);
    let mut witness = rig.connect();
    for (bytes, status, why) in [
        ("\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03\r\n\r\n".to_owned(), 400, "a TLS greeting"),
        ("GET / HTTP/1.1\r\nbad header\r\n\r\n".to_owned(), 400, "a field without a colon"),
        (format!("GET / HTTP/1.1\r\nHost: h\r\nX-Big: {}\r\n\r\n", "x".repeat(2_000_000)), 431, "a huge head"),
        (format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "X-Many: 1\r\n".repeat(5_000)), 431, "many fields"),
        (format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(100_000)), 414, "a huge path"),
    ] {
        let answer = rig.ask(&bytes);
        // A head that is still being written when it is refused may also meet a reset.
        assert!(answer.status() == status || answer.broken.is_some(), "{why}: {answer:?}");
        assert_eq!(witness.ask(&get(1, 1)).status(), 200, "{why}");
    }
    assert_eq!(rig.ask("CONNECT example.test:443 HTTP/1.1\r\nHost: example.test\r\n\r\n").broken, Some(Broken::Closed));
}

#[test]
fn a_head_that_takes_too_long_is_given_up_and_an_idle_connection_is_not() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::with(upstream.address(), vec![], |settings| settings.head_timeout = Micros::from_millis(200));
    let (mut idle, mut used, mut slow) = (rig.connect(), rig.connect(), rig.connect());
    assert_eq!(used.ask(&get(1, 1)).status(), 200);
    slow.socket.write_all(b"GET / HTTP/1.1\r\nHost:").expect("a socket");
    assert_eq!(slow.byte(), Err(Broken::Closed));
    for client in [&mut idle, &mut used] {
        assert_eq!(client.ask(&get(2, 1)).status(), 200);
    }
}

#[test]
fn a_client_that_goes_away_takes_its_connection_to_the_target_with_it() {
    let upstream = Upstream::play(vec![vec![
        Act::ReadRequest,
        Act::write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Act::WriteForever(format!("1000\r\n{}\r\n", "x".repeat(4_096)).into_bytes()),
    ]]);
    let rig = Rig::new(upstream.address(), vec![]);
    let mut client = rig.connect();
    client.socket.write_all(get(1, 1).as_bytes()).expect("a socket");
    let mut some = vec![0; 100_000];
    client.socket.read_exact(&mut some).expect("an endless body");
    drop(client);
    upstream.wait_until_idle();
}

#[test]
fn a_client_that_gives_up_waiting_takes_its_connection_to_the_target_with_it() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, Act::WaitForClose]]);
    let rig = Rig::new(upstream.address(), vec![]);
    let mut client = rig.connect();
    client.socket.write_all(get(1, 1).as_bytes()).expect("a socket");
    wait_until("the request arrives", || upstream.requests().len() == 1);
    drop(client);
    upstream.wait_until_idle();
}

#[test]
fn a_slow_reader_holds_back_the_target_and_not_the_proxys_memory() {
    let upstream = Upstream::play(vec![vec![
        Act::ReadRequest,
        Act::write("HTTP/1.1 200 OK\r\nContent-Length: 400000000\r\n\r\n"),
        Act::WriteForever(vec![b'x'; 1 << 20]),
    ]]);
    let rig = Rig::new(upstream.address(), vec![]);
    let before = resident();
    let mut client = rig.connect();
    client.socket.write_all(get(1, 1).as_bytes()).expect("a socket");
    std::thread::sleep(Duration::from_millis(300));
    let grown = resident().saturating_sub(before);
    assert!(grown < 60_000, "{grown} KiB more for a body that nobody reads");
}

/// Memory of this process, in KiB; 0 where the system does not tell.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[test]
fn a_defect_of_ours_ends_its_own_connection_alone() {
    // No plan can name a row that the contract does not have; if one did, it would be our mistake.
    let effect =
        Effect::Fault(Fault::Respond(Respond::Error { row: RowIx(60_000), retry_after: None, retry_after_form: RetryAfterForm::Seconds }));
    let mut broken = rule("broken", effect);
    broken.matcher.methods = vec![http::Method::HEAD];
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::with(upstream.address(), vec![broken], |settings| settings.contract = held(shipped()));
    let mut witness = rig.connect();
    assert!(rig.ask(&get(1, 1).replacen("GET", "HEAD", 1)).broken.is_some());
    assert_eq!(witness.ask(&get(2, 1)).status(), 200);
    assert_eq!(rig.stop().panics, 1);
}

#[test]
fn a_thousand_connections_are_served_at_once() {
    let mut busy = rule(
        "busy",
        Effect::Fault(Fault::Respond(Respond::Literal { status: 503, headers: http::HeaderMap::new(), body: b"busy".to_vec() })),
    );
    busy.delay = Some(Distribution::Fixed(Micros::from_millis(300)));
    let rig = Rig::new("127.0.0.1:9".parse().expect("an address"), vec![busy]);
    let mut clients: Vec<Client> = (0..1_000).map(|_| rig.connect()).collect();
    for (k, client) in clients.iter_mut().enumerate() {
        client.socket.write_all(get(k as u64, 1).as_bytes()).expect("a socket");
    }
    for client in &mut clients {
        assert_eq!(client.read(false).status(), 503);
    }
    assert_eq!(rig.stop().seen, 1_000);
}

#[test]
fn a_hundred_connections_reach_the_target_at_once() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![]);
    let mut clients: Vec<Client> = (0..100).map(|_| rig.connect()).collect();
    for round in 1..=3 {
        for (k, client) in clients.iter_mut().enumerate() {
            client.socket.write_all(get(k as u64, round).as_bytes()).expect("a socket");
        }
        for client in &mut clients {
            assert_eq!(client.read(false).body, b"ok");
        }
    }
    assert!(upstream.connections() <= 100, "{}", upstream.connections());
    assert_eq!(rig.stop().seen, 300);
}

#[test]
fn a_stop_waits_for_answers_under_way_but_not_for_ever() {
    let upstream = Upstream::play(vec![
        vec![Act::ReadRequest, Act::Wait(Duration::from_millis(200)), answer("200 OK", "late"), Act::WaitForClose],
        vec![Act::ReadRequest, Act::WaitForClose],
    ]);
    let rig = Rig::new(upstream.address(), vec![]);
    let (mut late, mut never, idle) = (rig.connect(), rig.connect(), rig.connect());
    late.socket.write_all(get(1, 1).as_bytes()).expect("a socket");
    wait_until("the first arrives", || upstream.requests().len() == 1);
    never.socket.write_all(get(2, 1).as_bytes()).expect("a socket");
    wait_until("the second arrives", || upstream.requests().len() == 2);
    let before = Instant::now();
    let tally = rig.stop();
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    assert_eq!(tally.seen, 2);
    assert_eq!(late.read(false).body, b"late");
    assert!(never.read(false).broken.is_some());
    drop(idle);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![]);
    let mut client = rig.connect();
    let both = format!("{}HEAD / HTTP/1.1\r\nHost: h\r\n{}\r\n", get(1, 1), identity(2, 1));
    client.socket.write_all(both.as_bytes()).expect("a socket");
    assert_eq!(client.read(false).body, b"ok");
    assert_eq!(client.read(true).status(), 200);
}
