//! TLS: who is trusted, what is shown, and what a target that cannot be talked to is told about before the first request.

use std::net::SocketAddr;
use std::time::Duration;

use brownout::client::{ClientSettings, Connector, Direct, HttpVersion, SetupError, TlsSettings, Transport};
use brownout::clock::Clock;
use brownout::units::Micros;
use brownout::wire::{Ending, Failure, Phase};

use super::{connector, destination, get, on_a_worker, settings, timer};
use crate::support::certificates::Authority;
use crate::support::golden::assert_golden;
use crate::support::upstream::{Act, Upstream, answer, refused_address};

const WITHIN: Micros = Micros::from_secs(10);

fn ok() -> Vec<Vec<Act>> {
    vec![vec![Act::ReadRequest, answer("200 OK", "hello"), Act::Again]]
}

async fn secure(address: SocketAddr, tls: &TlsSettings<'_>, settings: ClientSettings) -> Transport {
    let connector = connector(&format!("https://localhost:{}", address.port()), tls, HttpVersion::Http1).await;
    Transport::Direct(Direct::new(connector, settings, timer()))
}

/// What the preflight says about a TLS target on this address.
fn preflight(address: SocketAddr, tls: &TlsSettings<'_>, version: HttpVersion) -> Result<bool, SetupError> {
    on_a_worker(async {
        let connector = connector(&format!("https://localhost:{}", address.port()), tls, version).await;
        connector.preflight(WITHIN).await.map(|times| times.new && times.tls > Micros::ZERO)
    })
}

#[test]
fn a_private_ca_is_trusted_where_it_is_given() {
    let authority = Authority::new("A");
    let upstream = Upstream::play_tls(authority.server("localhost", &["http/1.1"], None), ok());
    let ca = authority.pem();
    let tls = TlsSettings { ca: Some(ca.as_bytes()), ..TlsSettings::default() };
    on_a_worker(async {
        let transport = secure(upstream.address(), &tls, settings()).await;
        for n in 0..3 {
            let (reply, kept) = get(&transport).await;
            assert_eq!((reply.ending, kept.as_slice()), (Ending::Answered(200), &b"hello"[..]));
            assert_eq!(reply.stamps.connect.tls > Micros::ZERO, n == 0, "the handshake is timed, and made once");
        }
    });
    assert_eq!(upstream.connections(), 1);
    assert_eq!(preflight(upstream.address(), &tls, HttpVersion::Auto), Ok(true));
    assert_eq!(upstream.requests().len(), 3, "a preflight sends no request");
}

#[test]
fn a_certificate_of_someone_else_or_for_another_name_fails_before_anything_is_sent() {
    let (authority, other) = (Authority::new("A"), Authority::new("B"));
    let upstream = Upstream::play_tls(authority.server("elsewhere.test", &[], None), ok());
    let (ca, unknown) = (authority.pem(), other.pem());
    let wrong_name = TlsSettings { ca: Some(ca.as_bytes()), ..TlsSettings::default() };
    let unknown = TlsSettings { ca: Some(unknown.as_bytes()), server_name: Some("elsewhere.test"), ..TlsSettings::default() };
    for tls in [&wrong_name, &unknown] {
        let reply = on_a_worker(async { get(&secure(upstream.address(), tls, settings()).await).await.0 });
        assert_eq!((reply.ending, reply.sent), (Ending::Failed(Failure::Tls), false));
    }
    assert!(matches!(preflight(upstream.address(), &wrong_name, HttpVersion::Auto), Err(SetupError::WrongName { .. })));
    assert!(matches!(preflight(upstream.address(), &unknown, HttpVersion::Auto), Err(SetupError::UntrustedIssuer { .. })));
    let renamed = TlsSettings { server_name: Some("elsewhere.test"), ..wrong_name };
    assert_eq!(preflight(upstream.address(), &renamed, HttpVersion::Auto), Ok(true));
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_client_certificate_is_shown_where_the_target_wants_one() {
    let (authority, clients) = (Authority::new("A"), Authority::new("B"));
    let upstream = Upstream::play_tls(authority.server("localhost", &[], Some(&clients)), ok());
    let (ca, known, stranger) = (authority.pem(), clients.client(), authority.client());
    let nobody = TlsSettings { ca: Some(ca.as_bytes()), ..TlsSettings::default() };
    let as_known = TlsSettings { cert: Some(known.cert.as_bytes()), key: Some(known.key.as_bytes()), ..nobody };
    let as_stranger = TlsSettings { cert: Some(stranger.cert.as_bytes()), key: Some(stranger.key.as_bytes()), ..nobody };
    assert_eq!(preflight(upstream.address(), &as_known, HttpVersion::Http1), Ok(true));
    let reply = on_a_worker(async { get(&secure(upstream.address(), &as_known, settings()).await).await.0 });
    assert_eq!(reply.ending, Ending::Answered(200));
    for tls in [&nobody, &as_stranger] {
        let refused = preflight(upstream.address(), tls, HttpVersion::Http1);
        assert!(matches!(refused, Err(SetupError::ClientCertificate { .. })), "{refused:?}");
        let reply = on_a_worker(async { get(&secure(upstream.address(), tls, settings()).await).await.0 });
        assert!(matches!(reply.ending, Ending::Failed(Failure::Tls | Failure::Reset)), "{:?}", reply.ending);
    }
}

#[test]
fn a_handshake_that_does_not_end_is_a_connect_timeout() {
    let upstream = Upstream::play(vec![vec![Act::WaitForClose]]);
    let (authority, mut limits) = (Authority::new("A"), settings());
    let ca = authority.pem();
    limits.connect = Micros::from_millis(60);
    let tls = TlsSettings { ca: Some(ca.as_bytes()), ..TlsSettings::default() };
    let reply = on_a_worker(async { get(&secure(upstream.address(), &tls, limits).await).await.0 });
    assert_eq!((reply.ending, reply.sent), (Ending::Failed(Failure::TimedOut(Phase::Connect)), false));
    let took = reply.stamps.ended_at.since(reply.stamps.started_at);
    assert!((60_000..2_000_000).contains(&took.0), "{took}");
    assert!(reply.stamps.connect.connect > Micros::ZERO, "what TCP took is known all the same");
    upstream.wait_until_idle();
}

#[test]
fn every_way_to_miss_a_target_says_what_to_do() {
    let authority = Authority::new("A");
    let ca = authority.pem();
    let tls = TlsSettings { ca: Some(ca.as_bytes()), ..TlsSettings::default() };
    let plain = Upstream::play(vec![vec![Act::Wait(Duration::from_millis(20)), answer("400 Bad Request", ""), Act::WaitForClose]]);
    let silent = Upstream::play(vec![vec![Act::WaitForClose]]);
    let http1_only = Upstream::play_tls(authority.server("localhost", &["http/1.1"], None), ok());
    let without_alpn = Upstream::play_tls(authority.server("localhost", &[], None), ok());
    let stranger = Upstream::play_tls(Authority::new("C").server("localhost", &[], None), ok());
    let renewed = Upstream::play_tls(Authority::new("A").server("localhost", &[], None), ok());
    let misnamed = Upstream::play_tls(authority.server("elsewhere.test", &[], None), ok());
    let guarded = Upstream::play_tls(authority.server("localhost", &[], Some(&authority)), ok());
    let refused = refused_address();
    let short = Micros::from_millis(100);

    let resolve = |url: &'static str, tls: TlsSettings<'static>| {
        on_a_worker(async { Connector::resolve(&destination(url, None), &tls, HttpVersion::Auto, Clock::new()).await.err() })
    };
    let pem = |text: &'static str| Some(text.as_bytes());
    let in_vain = on_a_worker(async {
        connector(&format!("https://localhost:{}", silent.address().port()), &tls, HttpVersion::Auto).await.preflight(short).await.err()
    });
    let problems = [
        ("a name nobody knows", resolve("http://nowhere.invalid", TlsSettings::default())),
        ("a CA that is no PEM", resolve("https://localhost", TlsSettings { ca: pem("hello"), ..TlsSettings::default() })),
        ("a certificate without its key", {
            let cert: &'static str = authority.client().cert.leak();
            resolve("https://localhost", TlsSettings { ca: pem(authority.pem().leak()), cert: pem(cert), ..TlsSettings::default() })
        }),
        ("nobody listens", preflight(refused, &tls, HttpVersion::Auto).err()),
        ("no handshake", in_vain),
        ("plain HTTP", preflight(plain.address(), &tls, HttpVersion::Auto).err()),
        ("another issuer", preflight(stranger.address(), &tls, HttpVersion::Auto).err()),
        ("an issuer of the same name with another key", preflight(renewed.address(), &tls, HttpVersion::Auto).err()),
        ("another name", preflight(misnamed.address(), &tls, HttpVersion::Auto).err()),
        ("a client certificate wanted", preflight(guarded.address(), &tls, HttpVersion::Auto).err()),
        ("HTTP/2 wanted, HTTP/1.1 offered", preflight(http1_only.address(), &tls, HttpVersion::Http2).err()),
        ("HTTP/2 wanted, nothing offered", preflight(without_alpn.address(), &tls, HttpVersion::Http2).err()),
    ];
    let text: String = problems
        .into_iter()
        .map(|(what, problem)| {
            let problem = problem.unwrap_or_else(|| panic!("{what}: no problem"));
            format!("# {what}\nerror: {problem}\nhelp: {}\n\n", problem.help())
        })
        .collect();
    assert_golden("client/setup.txt", &without_ports(&text));
}

/// The text with every port number (and what the system's resolver says in its own words) replaced.
fn without_ports(text: &str) -> String {
    let ports = regex::Regex::new(r"(127\.0\.0\.1|\[::1\]):\d+").expect("a pattern");
    let resolver = regex::Regex::new(r"(does not resolve): .*").expect("a pattern");
    resolver.replace_all(&ports.replace_all(text, "LOOPBACK:PORT"), "$1: REASON").into_owned()
}

#[test]
fn a_refused_loopback_target_is_found_without_waiting() {
    let refused = refused_address();
    let problem = on_a_worker(async {
        connector(&format!("http://{refused}"), &TlsSettings::default(), HttpVersion::Http1).await.preflight(WITHIN).await
    });
    assert!(matches!(problem, Err(SetupError::Refused { .. })), "{problem:?}");
    let listening = Upstream::always(answer("200 OK", ""));
    let times = on_a_worker(async {
        tokio::time::timeout(Duration::from_secs(5), async {
            connector(&format!("http://{}", listening.address()), &TlsSettings::default(), HttpVersion::Http1).await.preflight(WITHIN).await
        })
        .await
    });
    assert!(times.expect("in time").is_ok_and(|times| times.new && times.tls == Micros::ZERO));
}
