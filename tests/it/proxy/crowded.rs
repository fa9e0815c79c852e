//! Many clients at once, and what each of them costs.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::rig::{Client, Rig, get, rule};
use super::sturdy::resident;
use crate::support::upstream::{Upstream, answer};
use brownout::fault::{Effect, Fault, Respond};
use brownout::proxy::raise_descriptor_limit;
use brownout::seed::Distribution;
use brownout::units::Micros;

/// What tells another process of this program where to go.
const ADDR: &str = "BROWNOUT_TEST_ADDR";

/// Another process of this program that runs one test alone.
fn elsewhere(test: &str, addr: Option<SocketAddr>) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("a program"));
    command.args(["--exact", &format!("proxy::crowded::{test}"), "--ignored", "--nocapture"]).stdout(Stdio::piped());
    command.env(ADDR, addr.map_or(String::new(), |addr| addr.to_string()));
    command.spawn().expect("a process")
}

fn succeeded(child: Child) -> String {
    let output = child.wait_with_output().expect("a process");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{out}");
    out
}

#[test]
fn ten_thousand_connections_are_served_at_once() {
    let room = raise_descriptor_limit();
    if room.is_some_and(|room| room < 11_000) {
        let _ = writeln!(std::io::stderr(), "not shown: this system gives a process {room:?} descriptors");
        return;
    }
    let mut busy = rule(
        "busy",
        Effect::Fault(Fault::Respond(Respond::Literal { status: 503, headers: http::HeaderMap::new(), body: b"busy".to_vec() })),
    );
    busy.delay = Some(Distribution::Fixed(Micros::from_millis(500)));
    let rig = Rig::new("127.0.0.1:9".parse().expect("an address"), vec![busy]);
    let visitors = elsewhere("ten_thousand_visitors", Some(rig.addr));
    succeeded(visitors);
    assert_eq!(rig.stop().seen, 10_000);
}

#[test]
#[ignore = "the other half of the test above, in a process of its own"]
fn ten_thousand_visitors() {
    let Ok(addr) = std::env::var(ADDR).unwrap_or_default().parse::<SocketAddr>() else { return };
    raise_descriptor_limit();
    let mut clients: Vec<Client> = (0..10_000).map(|_| Client::connect(addr)).collect();
    for (k, client) in clients.iter_mut().enumerate() {
        std::io::Write::write_all(&mut client.socket, get(k as u64, 1).as_bytes()).expect("a socket");
    }
    for client in &mut clients {
        assert_eq!(client.read(false).status(), 503);
    }
}

#[test]
fn idle_connections_give_up_their_buffers() {
    succeeded(elsewhere("idle_connections", None));
}

#[test]
#[ignore = "the other half of the test above, in a process of its own: memory is the whole process's"]
fn idle_connections() {
    // Both ends are in this process.
    let most = raise_descriptor_limit().map_or(5_000, |room| usize::try_from(room / 2).unwrap_or(usize::MAX).saturating_sub(100));
    let count = most.min(5_000);
    let upstream = Upstream::always(answer("200 OK", &"x".repeat(3_000)));
    for (used, what) in [(false, "never used"), (true, "used once")] {
        let rig = Rig::new(upstream.address(), vec![]);
        let warm: Vec<Client> = (0..100).map(|_| rig.connect()).collect();
        let before = resident();
        let mut clients: Vec<Client> = (0..count).map(|_| rig.connect()).collect();
        if used {
            for (k, client) in clients.iter_mut().enumerate() {
                let answer = client.ask(&get(k as u64 % 900, 1));
                assert_eq!(answer.status(), 200);
            }
        }
        // Within a few rounds of looking after them, silent connections give up their buffers.
        let (deadline, mut each) = (Instant::now() + Duration::from_secs(15), u64::MAX);
        while each > 8_000 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(500));
            each = resident().saturating_sub(before) * 1_024 / count as u64;
        }
        // What is kept for each is measured by `benches/proxy.sh`; this is what no buffer would fit into.
        assert!(each < 30_000, "{each} bytes per idle connection, {what}");
        drop((warm, clients));
        rig.stop();
    }
}
