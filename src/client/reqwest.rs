//! The client a Rust service really uses, for plans that study such a client.
//!
//! Its own retries, redirects, environment proxies and decompression are switched off. What stays is its pool,
//! which connects inside the time to the first byte and silently replaces dead connections, and its habit of
//! sending `Accept: */*` where the plan gives none, and its URLs, in which `/a/../b` is `/b`. Over HTTP/2 the authority is taken from the connection, so a
//! plan that combines `connect_to` with HTTP/2 wants the direct transport.

use std::net::IpAddr;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use url::Url;

use super::connect::{Connector, unconnected};
use super::direct::says_no_content;
use super::failure::{Broken, before_the_head, chain, inside_the_body};
use super::receive::{Attempt, Pieces};
use super::{ClientSettings, Head, HttpVersion, Outbound, Reply, SetupError, tls};
use crate::clock::Timer;
use crate::wire::{Failure, Phase};

/// The host in URLs for plain HTTP: resolved to the pinned addresses, never sent, since `Host` is given.
const PINNED: &str = "pinned.invalid";

/// The reqwest transport of one worker. Cheap to clone; not `Send`.
#[derive(Clone)]
pub struct Reqwest {
    shared: Rc<Shared>,
}

struct Shared {
    client: reqwest::Client,
    base: Url,
    settings: ClientSettings,
    timer: Timer,
    /// reqwest has no limit of its own; requests under way are limited instead, first come first served.
    places: Semaphore,
}

impl Reqwest {
    /// A transport without connections yet. `settings` are those of this worker alone.
    ///
    /// # Errors
    /// Where `connect_to` is combined with a TLS target named by its IP address, which reqwest cannot redirect.
    pub fn new(connector: &Connector, settings: ClientSettings, timer: Timer) -> Result<Reqwest, SetupError> {
        let base = base(connector)?;
        let host = base.host_str().unwrap_or(PINNED).to_owned();
        let idle = if settings.keep_alive { settings.connections as usize } else { 0 };
        let builder = reqwest::Client::builder()
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(settings.connect.as_duration())
            .pool_idle_timeout(settings.idle_timeout.as_duration())
            .pool_max_idle_per_host(idle)
            .resolve_to_addrs(&host, connector.addresses())
            .tls_backend_preconfigured(connector.tls_config().map_or_else(nobody_trusted, |config| ClientConfig::clone(config)));
        let builder = match connector.version() {
            HttpVersion::Http1 => builder.http1_only(),
            HttpVersion::Http2 => builder.http2_prior_knowledge(),
            HttpVersion::Auto => builder,
        };
        let client = builder.build().map_err(|error| SetupError::Transport { reason: error.to_string() })?;
        let streams = if connector.expects_http2() { settings.streams.max(1) as usize } else { 1 };
        let places = Semaphore::new((settings.connections.max(1) as usize * streams).min(Semaphore::MAX_PERMITS));
        Ok(Reqwest { shared: Rc::new(Shared { client, base, settings, timer, places }) })
    }

    /// Sends one attempt and reads its answer; `kept` receives the kept part of the body.
    pub async fn send(&self, request: &Outbound<'_>, kept: &mut Vec<u8>) -> Reply {
        kept.clear();
        let shared = &*self.shared;
        let now = || shared.timer.clock().now();
        let started_at = now();
        let mut attempt = Attempt::new(started_at, started_at + shared.settings.total);
        let Some(_place) = shared.timer.within(attempt.limit, shared.places.acquire()).await else {
            return attempt.failed(Failure::TimedOut(Phase::Connect), now());
        };
        attempt.stamps.ready_at = Some(now());
        let limit = attempt.limit.min(now() + shared.settings.first_byte);
        let answer = shared.timer.within(limit, shared.client.execute(shared.request(request))).await;
        attempt.sent = true;
        match answer {
            None => attempt.failed(Failure::TimedOut(Phase::FirstByte), now()),
            Some(Err(error)) => {
                let failure = failure(&error);
                attempt.sent = !error.is_connect();
                if error.is_connect() {
                    attempt.stamps.ready_at = None;
                }
                attempt.failed(failure, now())
            }
            Some(Ok(answer)) => {
                let (head, body) = http::Response::<reqwest::Body>::from(answer).into_parts();
                let head = Head { status: head.status.as_u16(), version: head.version, headers: head.headers, at: now() };
                let keep = shared.settings.keep_body.0;
                attempt.read(head, &mut ReqwestBody(body), request, keep, &shared.timer, kept).await.0
            }
        }
    }
}

impl Shared {
    fn request(&self, outbound: &Outbound<'_>) -> reqwest::Request {
        let mut url = self.base.clone();
        url.set_path(outbound.path.path());
        url.set_query(outbound.path.query());
        let mut request = reqwest::Request::new(outbound.method.clone(), url);
        *request.headers_mut() = outbound.headers.clone();
        says_no_content(request.headers_mut(), outbound);
        if !outbound.body.is_empty() {
            *request.body_mut() = Some(outbound.body.clone().into());
        }
        request
    }
}

/// The URL all requests begin with. Its host stands for the pinned addresses, ports included.
fn base(connector: &Connector) -> Result<Url, SetupError> {
    let text = match connector.tls_name() {
        None => format!("http://{PINNED}/"),
        Some(name) => {
            let name = name.to_str();
            match (name.parse::<IpAddr>(), connector.addresses()) {
                (Err(_), _) => format!("https://{name}/"),
                (Ok(ip), [address]) if address.ip() == ip => format!("https://{address}/"),
                _ => {
                    return Err(SetupError::Transport {
                        reason: "it cannot connect elsewhere than to an IP address it verifies".to_owned(),
                    });
                }
            }
        }
    };
    Url::parse(&text).map_err(|error| SetupError::NotATarget { text, reason: error.to_string() })
}

/// For plain HTTP: reqwest wants a TLS configuration all the same, and must not load the platform's roots for it.
fn nobody_trusted() -> ClientConfig {
    ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS 1.2 and 1.3")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

fn failure(error: &reqwest::Error) -> Failure {
    if !error.is_connect() {
        return before_the_head(error);
    }
    if error.is_timeout() {
        return Failure::TimedOut(Phase::Connect);
    }
    let tls = chain(error).any(|error| error.is::<rustls::Error>());
    let io = || chain(error).filter_map(|error| error.downcast_ref::<std::io::Error>()).last().map_or(Failure::Refused, unconnected);
    if tls { Failure::Tls } else { io() }
}

/// A body that comes by itself: reqwest drives its connection.
struct ReqwestBody(reqwest::Body);

impl Pieces for ReqwestBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            return match ready!(std::pin::Pin::new(&mut self.0).poll_frame(cx)) {
                None => Poll::Ready(None),
                Some(Err(error)) => Poll::Ready(Some(Err(inside_the_body(&error)))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Poll::Ready(Some(Ok(data))),
                    Err(_trailers) => continue,
                },
            };
        }
    }
}
