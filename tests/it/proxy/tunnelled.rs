//! Upgrades pass, and bodies that wait to be asked for.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use super::rig::{Broken, Client, Rig, identity, rule};
use crate::support::program::curl;
use crate::support::upstream::{Act, Upstream, answer};
use brownout::fault::{Effect, Fault};
use brownout::seed::Distribution;
use brownout::units::Micros;

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A target that agrees to every upgrade, says `hi` at once, and then sends back what it is sent.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    (&socket).read_exact(&mut byte)?;
                    head.push(byte[0]);
                }
                assert!(String::from_utf8_lossy(&head).to_lowercase().contains("connection: upgrade\r\n"), "{head:?}");
                (&socket)
                    .write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-A: 1\r\n\r\nhi")?;
                std::io::copy(&mut &socket, &mut &socket)?;
                socket.shutdown(Shutdown::Write)
            });
        }
    });
    addr
}

fn tunnel(rig: &Rig) -> Client {
    let mut client = rig.connect();
    client.socket.write_all(UPGRADE.as_bytes()).expect("a socket");
    let answer = client.read(true);
    assert_eq!((answer.status(), answer.header("upgrade"), answer.header("x-a")), (101, Some("websocket"), Some("1")));
    assert!(answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")));
    assert_eq!((client.byte(), client.byte()), (Ok(b'h'), Ok(b'i')));
    client
}

#[test]
fn an_upgraded_connection_carries_any_bytes_both_ways_until_both_sides_close() {
    let rig = Rig::new(echo(), vec![]);
    let mut client = tunnel(&rig);
    // What no guard of HTTP would let pass, and more of it than any buffer holds.
    let bytes: Vec<u8> =
        b"GET / HTTP/1.1\nContent-Length: 1\r\nContent-Length: 2\0\r\r\n".iter().copied().cycle().take(3_000_000).collect();
    let (mut writer, sent) = (client.socket.try_clone().expect("a socket"), bytes.clone());
    let writing = std::thread::spawn(move || {
        writer.write_all(&sent).expect("a tunnel");
        writer.shutdown(Shutdown::Write).expect("a socket");
    });
    let mut back = Vec::new();
    client.socket.read_to_end(&mut back).expect("everything, and the end");
    writing.join().expect("no panic");
    assert!(back == bytes, "{} bytes came back of {}", back.len(), bytes.len());
}

#[test]
fn a_stop_ends_a_tunnel_that_nobody_closes() {
    let rig = Rig::new(echo(), vec![]);
    let mut client = tunnel(&rig);
    let before = Instant::now();
    rig.stop();
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    assert!(client.byte().is_err());
}

#[test]
fn a_tunnel_that_the_target_resets_is_reset() {
    let upstream = Upstream::play(vec![vec![
        Act::ReadHead,
        Act::write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-A: 1\r\n\r\nhi"),
        Act::Wait(Duration::from_millis(100)),
        Act::Reset,
    ]]);
    let rig = Rig::new(upstream.address(), vec![]);
    assert_eq!(tunnel(&rig).byte(), Err(Broken::Reset));
}

#[test]
fn an_upgrade_that_the_target_does_not_want_is_a_request_like_any_other() {
    let upstream = Upstream::always(answer("200 OK", "no"));
    let rig = Rig::new(upstream.address(), vec![]);
    let mut client = rig.connect();
    for _ in 0..2 {
        assert_eq!(client.ask(UPGRADE).body, b"no");
    }
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").body, b"no");
}

#[test]
fn an_upgrade_to_http_2_is_not_passed_on() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![]);
    let answer =
        rig.ask("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");
    assert_eq!(answer.body, b"ok");
    assert_eq!(upstream.requests()[0].head, "GET / HTTP/1.1\r\nHost: h");
}

#[test]
fn a_client_is_asked_for_its_body_when_the_target_asks() {
    let wait = Duration::from_millis(400);
    let upstream = Upstream::play(vec![vec![
        Act::ReadHead,
        Act::Wait(wait),
        Act::write("HTTP/1.1 100 Continue\r\n\r\n"),
        Act::Wait(Duration::from_millis(200)),
        answer("201 Created", "taken"),
        Act::WaitForClose,
    ]]);
    let rig = Rig::new(upstream.address(), vec![]);
    let mut client = rig.connect();
    let before = Instant::now();
    client.socket.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").expect("a socket");
    assert_eq!(client.read(true).status(), 100);
    assert!(before.elapsed() >= wait.mul_f64(0.9), "asked before the target asked: {:?}", before.elapsed());
    assert_eq!(client.ask("hello").body, b"taken");
    assert!(upstream.requests()[0].head.contains("Expect: 100-continue"));
}

#[test]
fn a_target_that_answers_without_asking_spares_the_client_its_body() {
    let upstream = Upstream::play(vec![vec![Act::ReadHead, answer("417 Expectation Failed", "no"), Act::WaitForClose]]);
    let rig = Rig::new(upstream.address(), vec![]);
    let answer = rig.ask("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 500000\r\n\r\n");
    assert_eq!((answer.status(), answer.body.as_slice()), (417, &b"no"[..]));
}

#[test]
fn a_target_that_knows_no_expectations_is_sent_the_body_all_the_same() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![]);
    let body = "x".repeat(200_000);
    let url = format!("http://{}/", rig.addr);
    let Some(ran) = curl(&["-H", "Expect: 100-continue", "--data-binary", &body[..100_000], &url]) else { return };
    assert_eq!((ran.out.as_str(), ran.code), ("ok", 0), "{}", ran.err);
    assert_eq!(upstream.requests()[0].body.len(), 100_000);
}

#[test]
fn a_tunnel_through_which_nothing_passes_is_closed_and_one_that_is_used_is_not() {
    let rig = Rig::with(echo(), vec![], |settings| settings.downstream.silence = Micros::from_millis(600));
    let mut silent = tunnel(&rig);
    let mut used = tunnel(&rig);
    for _ in 0..15 {
        std::thread::sleep(Duration::from_millis(100));
        used.socket.write_all(b"x").expect("a tunnel");
        assert_eq!(used.byte(), Ok(b'x'));
    }
    assert_eq!(silent.byte(), Err(Broken::Closed));
}

#[test]
fn a_change_of_protocol_is_counted_and_can_be_late() {
    let fault = Fault::DelayAfterUpstream(Distribution::Fixed(Micros::from_millis(300)));
    let rig = Rig::new(echo(), vec![rule("late", Effect::Fault(fault))]);
    let mut client = rig.connect();
    let before = Instant::now();
    let request = UPGRADE.replacen("Host: h\r\n", &format!("Host: h\r\n{}", identity(1, 1)), 1);
    client.socket.write_all(request.as_bytes()).expect("a socket");
    let answer = client.read(true);
    assert!(before.elapsed() >= Duration::from_millis(300), "{:?}", before.elapsed());
    assert_eq!((answer.status(), answer.header("x-brownout-injected")), (101, Some("late;attempt=1")));
    assert_eq!((client.byte(), client.byte()), (Ok(b'h'), Ok(b'i')));
    drop(client);
    let tally = rig.stop();
    assert_eq!((tally.rules[0].fired, tally.upstream_us.map(|times| times.len())), (1, Some(1)));
}

#[test]
fn a_change_of_protocol_can_be_lost_after_the_target_has_agreed() {
    let rig = Rig::new(echo(), vec![rule("lost", Effect::Fault(Fault::ResetAfterUpstream))]);
    let mut client = rig.connect();
    let request = UPGRADE.replacen("Host: h\r\n", &format!("Host: h\r\n{}", identity(1, 1)), 1);
    client.socket.write_all(request.as_bytes()).expect("a socket");
    assert_eq!(client.read(true).broken, Some(Broken::Reset));
    let tally = rig.stop();
    assert_eq!((tally.rules[0].fired, tally.rules[0].lost), (1, 1));
}
