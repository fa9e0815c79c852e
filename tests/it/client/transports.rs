//! Both transports tell the same story about the same target.

use std::time::Duration;

use brownout::client::{ClientSettings, Direct, HttpVersion, Reqwest, TlsSettings, Transport};
use brownout::units::Micros;
use brownout::wire::{Ending, Failure, Phase};

use super::{Ask, connector, direct, get, on_a_worker, settings, through_reqwest, timer};
use crate::support::certificates::Authority;
use crate::support::upstream::{Act, Upstream, answer, refused_address};

/// What a plan's author would see of one attempt.
#[derive(Debug, PartialEq)]
struct Story {
    ending: Ending,
    sent: bool,
    status: Option<u16>,
    field: Option<String>,
    body: Vec<u8>,
    body_bytes: u64,
    body_complete: bool,
    connections: usize,
    requests: usize,
}

fn story(script: &[Act], settings: ClientSettings, reqwest: bool) -> Story {
    let upstream = Upstream::play(vec![script.to_vec()]);
    let (reply, body) = on_a_worker(async {
        let transport =
            if reqwest { through_reqwest(upstream.address(), settings).await } else { direct(upstream.address(), settings).await };
        Ask::post("/v1/items?q=1", "{}").send(&transport).await
    });
    let stamps = reply.stamps;
    assert!(stamps.started_at <= stamps.ended_at && stamps.ready_at.is_none_or(|at| stamps.started_at <= at && at <= stamps.ended_at));
    assert_eq!(stamps.first_byte_at, reply.head.as_ref().map(|head| head.at));
    let field = reply.head.as_ref().and_then(|head| head.headers.get("x-field")).map(|value| value.to_str().expect("text").to_owned());
    Story {
        ending: reply.ending,
        sent: reply.sent,
        status: reply.head.map(|head| head.status),
        field,
        body,
        body_bytes: reply.body_bytes,
        body_complete: reply.body_complete,
        connections: upstream.connections(),
        requests: upstream.requests().len(),
    }
}

#[test]
fn both_transports_tell_the_same_story() {
    let short = ClientSettings { first_byte: Micros::from_millis(150), total: Micros::from_millis(300), ..settings() };
    let pause = || Act::Wait(Duration::from_millis(50));
    let after = |acts: Vec<Act>| [vec![Act::ReadRequest], acts].concat();
    let scripts = [
        ("an answer", after(vec![answer("200 OK", "hello")])),
        ("an answer with a field", after(vec![Act::write("HTTP/1.1 429 Slow Down\r\nX-Field: 1\r\nContent-Length: 2\r\n\r\nno")])),
        ("an answer until the end", after(vec![Act::write("HTTP/1.0 500 Oops\r\n\r\nuntil the end"), Act::Close])),
        ("a redirect, not followed", after(vec![Act::write("HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")])),
        (
            "compressed, not unpacked",
            after(vec![Act::write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x08x")]),
        ),
        ("closed", after(vec![Act::Close])),
        ("closed inside the head", after(vec![Act::write("HTTP/1.1 200 OK\r\nConte"), Act::Close])),
        ("reset", after(vec![Act::Reset])),
        ("cut", after(vec![Act::write("HTTP/1.1 503 No\r\nContent-Length: 10\r\n\r\nabcd"), Act::Close])),
        ("cut by a reset", after(vec![Act::write("HTTP/1.1 503 No\r\nContent-Length: 10\r\n\r\nabcd"), pause(), Act::Reset])),
        ("cut inside a chunk", after(vec![Act::write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nabcd"), Act::Close])),
        ("a bad chunk", after(vec![Act::write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), pause(), Act::Close])),
        ("not HTTP", after(vec![Act::write("SSH-2.0-OpenSSH_9.2\r\n"), Act::WaitForClose])),
        ("no answer in time", after(vec![Act::WaitForClose])),
        ("no end in time", after(vec![Act::write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), Act::WaitForClose])),
    ];
    for (what, script) in scripts {
        let told = story(&script, short, false);
        assert_eq!(told, story(&script, short, true), "{what}");
        assert_eq!((told.connections, told.requests), (1, 1), "{what}: sent once");
    }
}

#[test]
fn both_transports_know_a_refusal_from_a_failed_handshake() {
    let authority = Authority::new("A");
    let upstream = Upstream::play_tls(authority.server("elsewhere.test", &[], None), vec![vec![Act::Close]]);
    let ca = authority.pem();
    let tls = TlsSettings { ca: Some(ca.as_bytes()), ..TlsSettings::default() };
    let secure = format!("https://localhost:{}", upstream.address().port());
    for (url, failure) in [(format!("http://{}", refused_address()), Failure::Refused), (secure, Failure::Tls)] {
        on_a_worker(async {
            let connector = connector(&url, &tls, HttpVersion::Http1).await;
            let through_reqwest = Reqwest::new(&connector, settings(), timer()).expect("a transport");
            for transport in [Transport::Direct(Direct::new(connector, settings(), timer())), Transport::Reqwest(through_reqwest)] {
                let reply = get(&transport).await.0;
                assert_eq!((reply.ending, reply.sent, reply.stamps.ready_at), (Ending::Failed(failure), false, None));
            }
        });
    }
}

#[test]
fn both_transports_give_up_connecting_in_time() {
    let upstream = Upstream::play(vec![vec![Act::WaitForClose]]);
    let authority = Authority::new("A");
    let ca = authority.pem();
    let tls = TlsSettings { ca: Some(ca.as_bytes()), ..TlsSettings::default() };
    let settings = ClientSettings { connect: Micros::from_millis(80), ..settings() };
    on_a_worker(async {
        let connector = connector(&format!("https://localhost:{}", upstream.address().port()), &tls, HttpVersion::Http1).await;
        let through_reqwest = Reqwest::new(&connector, settings, timer()).expect("a transport");
        for transport in [Transport::Direct(Direct::new(connector, settings, timer())), Transport::Reqwest(through_reqwest)] {
            let reply = get(&transport).await.0;
            assert_eq!((reply.ending, reply.sent), (Ending::Failed(Failure::TimedOut(Phase::Connect)), false));
        }
    });
}

#[test]
fn both_transports_use_a_connection_again_and_no_more_than_allowed() {
    for reqwest in [false, true] {
        let upstream =
            Upstream::play(vec![vec![Act::ReadRequest, Act::Wait(Duration::from_millis(20)), answer("200 OK", "x"), Act::Again]]);
        on_a_worker(async {
            let settings = ClientSettings { connections: 2, ..settings() };
            let transport =
                if reqwest { through_reqwest(upstream.address(), settings).await } else { direct(upstream.address(), settings).await };
            let attempts: Vec<_> = (0..6)
                .map(|_| {
                    let transport = transport.clone();
                    tokio::task::spawn_local(async move { get(&transport).await.0.ending })
                })
                .collect();
            for attempt in attempts {
                assert_eq!(attempt.await.expect("an attempt"), Ending::Answered(200));
            }
        });
        assert_eq!(upstream.requests().len(), 6);
        assert!(upstream.most_open() <= 2, "{}", upstream.most_open());
    }
}
