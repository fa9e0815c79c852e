//! HTTP/2: several attempts share a connection, and each has its own outcome.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use brownout::client::{ClientSettings, Direct, HttpVersion, TlsSettings, Transport};
use brownout::units::Micros;
use brownout::wire::{Ending, Failure, Phase};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio_rustls::TlsAcceptor;

use super::{Ask, connector, get, on_a_worker, settings, timer};
use crate::support::certificates::Authority;
use crate::support::upstream::{Act, Upstream, answer};

/// A server that speaks HTTP/2 (and HTTP/1.1), with a behaviour per path.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
}

/// A body that says four bytes, and then either ends or, a little later, breaks.
struct Speech {
    said: bool,
    breaks: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl http_body::Body for Speech {
    type Data = Bytes;
    type Error = std::io::Error;
    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match (std::mem::replace(&mut self.said, true), &mut self.breaks) {
            (false, _) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"four"))))),
            (true, Some(later)) => later.as_mut().poll(cx).map(|()| Some(Err(std::io::Error::other("broken")))),
            (true, None) => Poll::Ready(None),
        }
    }
}

async fn behave(request: Request<Incoming>, seen: Arc<Mutex<Vec<String>>>) -> Result<Response<Speech>, std::io::Error> {
    let host = request.headers().get("host").map_or("-", |_| "host");
    let line = format!("{} {} {host} {:?}", request.method(), request.uri(), request.version());
    seen.lock().expect("no panic while locked").push(line);
    match request.uri().path() {
        "/slow" => tokio::time::sleep(Duration::from_millis(100)).await,
        "/never" => std::future::pending().await,
        "/reset" => return Err(std::io::Error::other("no")),
        _ => (),
    }
    let breaks = (request.uri().path() == "/cut").then(|| Box::pin(tokio::time::sleep(Duration::from_millis(30))));
    let status = if request.uri().path() == "/error" { 503 } else { 200 };
    Ok(Response::builder().status(status).body(Speech { said: false, breaks }).expect("an answer"))
}

impl Server {
    fn start(tls: Option<Arc<rustls::ServerConfig>>) -> Server {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let (connections, seen) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
        let closed = Arc::<AtomicUsize>::default();
        let (counter, ends, shared) = (Arc::clone(&connections), Arc::clone(&closed), Arc::clone(&seen));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((socket, _)) = listener.accept().await {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let (seen, tls, ends) = (Arc::clone(&shared), tls.clone(), Arc::clone(&ends));
                    tokio::spawn(async move {
                        let service = service_fn(move |request| behave(request, Arc::clone(&seen)));
                        let builder = Builder::new(TokioExecutor::new());
                        let _ = match tls {
                            None => builder.serve_connection(TokioIo::new(socket), service).await,
                            Some(config) => match TlsAcceptor::from(config).accept(socket).await {
                                Ok(socket) => builder.serve_connection(TokioIo::new(socket), service).await,
                                Err(error) => Err(error.into()),
                            },
                        };
                        ends.fetch_add(1, Ordering::SeqCst);
                    });
                }
            });
        });
        Server { address, connections, closed, seen }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no panic while locked").clone()
    }
}

async fn over_http2(address: SocketAddr, settings: ClientSettings) -> Transport {
    let connector = connector(&format!("http://{address}"), &TlsSettings::default(), HttpVersion::Http2).await;
    Transport::Direct(Direct::new(connector, settings, timer()))
}

async fn all_at_once(transport: &Transport, path: &'static str, count: usize) -> Vec<Ending> {
    let attempts: Vec<_> = (0..count)
        .map(|_| {
            let transport = transport.clone();
            tokio::task::spawn_local(async move { Ask::get(path).send(&transport).await.0.ending })
        })
        .collect();
    let mut endings = Vec::new();
    for attempt in attempts {
        endings.push(attempt.await.expect("an attempt"));
    }
    endings
}

#[test]
fn attempts_share_connections_up_to_the_limits_of_both() {
    let server = Server::start(None);
    on_a_worker(async {
        // Four streams on a connection, as settings() says, and two connections: eight at a time.
        let transport = over_http2(server.address, ClientSettings { connections: 2, ..settings() }).await;
        let begun = std::time::Instant::now();
        assert_eq!(all_at_once(&transport, "/slow", 16).await, vec![Ending::Answered(200); 16]);
        assert!(begun.elapsed() >= Duration::from_millis(200), "two rounds of 100 ms");
        assert_eq!(server.connections(), 2);
        assert_eq!(get(&transport).await.0.ending, Ending::Answered(200));
    });
    assert_eq!((server.connections(), server.seen().len()), (2, 17));
}

#[test]
fn few_attempts_at_a_time_need_one_connection() {
    let server = Server::start(None);
    on_a_worker(async {
        let transport = over_http2(server.address, settings()).await;
        assert_eq!(all_at_once(&transport, "/slow", 4).await, vec![Ending::Answered(200); 4]);
        let (reply, kept) = Ask::get("/error").send(&transport).await;
        assert_eq!((reply.ending, kept.as_slice(), reply.body_complete), (Ending::Answered(503), &b"four"[..], true));
        assert!(!reply.stamps.connect.new && reply.head.expect("a head").version == http::Version::HTTP_2);
    });
    assert_eq!(server.connections(), 1);
    assert_eq!(server.seen()[4], "GET http://target.test/error - HTTP/2.0", "the authority is the host that was given");
}

#[test]
fn a_stream_that_fails_fails_alone() {
    let server = Server::start(None);
    on_a_worker(async {
        let transport = over_http2(server.address, ClientSettings { first_byte: Micros::from_millis(300), ..settings() }).await;
        let slow = tokio::task::spawn_local({
            let transport = transport.clone();
            async move { Ask::get("/slow").send(&transport).await.0.ending }
        });
        assert_eq!(Ask::get("/reset").send(&transport).await.0.ending, Ending::Failed(Failure::Reset));
        let (cut, kept) = Ask::get("/cut").send(&transport).await;
        assert_eq!(cut.ending, Ending::Failed(Failure::BodyCutShort { received: 4, reset: true }));
        assert_eq!(kept, b"four");
        assert_eq!(slow.await.expect("an attempt"), Ending::Answered(200));
        let never = Ask::get("/never").send(&transport).await.0;
        assert_eq!(never.ending, Ending::Failed(Failure::TimedOut(Phase::FirstByte)));
        assert_eq!(get(&transport).await.0.ending, Ending::Answered(200));
    });
    assert_eq!(server.connections(), 1);
}

#[test]
fn without_keep_alive_every_stream_has_its_own_connection() {
    let server = Server::start(None);
    on_a_worker(async {
        let transport = over_http2(server.address, ClientSettings { keep_alive: false, ..settings() }).await;
        for _ in 0..3 {
            assert!(get(&transport).await.0.stamps.connect.new);
        }
    });
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_transport_that_is_dropped_closes_its_connections() {
    let server = Server::start(None);
    on_a_worker(async {
        let transport = over_http2(server.address, settings()).await;
        assert_eq!(get(&transport).await.0.ending, Ending::Answered(200));
        drop(transport);
        for _ in 0..1_000 {
            if server.closed.load(Ordering::SeqCst) == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the connection is still open after five seconds");
    });
}

#[test]
fn a_target_that_does_not_speak_http2_is_told_apart() {
    let close = vec![Act::ReadHead, Act::Close];
    for (script, failure) in [
        (vec![Act::ReadHead, answer("400 Bad Request", "speak HTTP/1.1, please"), Act::WaitForClose], Failure::BadProtocol),
        (close, Failure::Closed),
        (vec![Act::ReadHead, Act::Wait(Duration::from_millis(50)), Act::Reset], Failure::Reset),
    ] {
        let upstream = Upstream::play(vec![script]);
        let reply = on_a_worker(async { get(&over_http2(upstream.address(), settings()).await).await.0 });
        assert_eq!(reply.ending, Ending::Failed(failure));
        assert_eq!(upstream.connections(), 1);
    }
}

#[test]
fn tls_decides_between_the_versions() {
    let authority = Authority::new("A");
    let ca = authority.pem();
    let tls = TlsSettings { ca: Some(ca.as_bytes()), ..TlsSettings::default() };
    for (offered, asked, spoken) in [
        (&["h2", "http/1.1"][..], HttpVersion::Auto, http::Version::HTTP_2),
        (&["h2", "http/1.1"], HttpVersion::Http2, http::Version::HTTP_2),
        (&["h2", "http/1.1"], HttpVersion::Http1, http::Version::HTTP_11),
        (&["http/1.1"], HttpVersion::Auto, http::Version::HTTP_11),
        (&[], HttpVersion::Auto, http::Version::HTTP_11),
    ] {
        let server = Server::start(Some(authority.server("localhost", offered, None)));
        on_a_worker(async {
            let connector = connector(&format!("https://localhost:{}", server.address.port()), &tls, asked).await;
            connector.preflight(Micros::from_secs(10)).await.expect("a target");
            let transport = Transport::Direct(Direct::new(connector, settings(), timer()));
            let endings = all_at_once(&transport, "/slow", 3).await;
            assert_eq!(endings, vec![Ending::Answered(200); 3]);
            let reply = get(&transport).await.0;
            assert_eq!(reply.head.expect("a head").version, spoken);
        });
        let own = if spoken == http::Version::HTTP_2 { 1 } else { 3 };
        assert_eq!(server.connections(), 1 + own, "offered {offered:?}, asked {asked:?}: the preflight, and what three attempts need");
    }
}
