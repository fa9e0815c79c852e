//! The measured path: hyper's connections, our own pool, every phase stamped.
//!
//! One [`Direct`] belongs to one worker thread and is never shared with another. It sends a request exactly once:
//! a pooled connection that turns out to be dead *before* the request is written is replaced within the same
//! attempt, because nothing was sent; whatever happens after the write is the attempt's outcome.

use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, Parts, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;

use super::connect::Connector;
use super::failure::Unanswered;
use super::http1::Http1;
use super::http2::{Http2, Http2Body, Slot};
use super::pool::{Lease, Limits, Permit, Pool};
use super::receive::Attempt;
use super::{ClientSettings, Head, Outbound, Reply};
use crate::clock::Timer;
use crate::units::Offset;
use crate::wire::{Failure, Phase};

/// The direct transport of one worker. Cheap to clone; not `Send`.
#[derive(Clone)]
pub struct Direct {
    shared: Rc<Shared>,
}

struct Shared {
    connector: Connector,
    settings: ClientSettings,
    timer: Timer,
    pool: Rc<Pool>,
    scheme: Scheme,
    /// The target's, for a request over HTTP/2 that names no host.
    authority: Authority,
}

/// A connection, or a part of one, that a request can be sent on.
enum Line {
    Own(Box<Http1>, Permit),
    Shared(Slot),
}

impl Direct {
    /// A transport without connections yet. `settings` are those of this worker alone.
    pub fn new(connector: Connector, settings: ClientSettings, timer: Timer) -> Direct {
        let limits = Limits { sockets: settings.connections as usize, streams: settings.streams, idle_timeout: settings.idle_timeout };
        let pool = Pool::new(limits, connector.expects_http2() && settings.keep_alive);
        let scheme = if connector.tls_config().is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let authority = connector.authority();
        Direct { shared: Rc::new(Shared { connector, settings, timer, pool, scheme, authority }) }
    }

    /// Sends one attempt and reads its answer; `kept` receives the kept part of the body.
    ///
    /// Must be called on a local runtime (tokio's `LocalRuntime` or `LocalSet`). Dropping the future closes the
    /// attempt's connection, or resets its stream.
    pub async fn send(&self, request: &Outbound<'_>, kept: &mut Vec<u8>) -> Reply {
        kept.clear();
        let shared = &*self.shared;
        let started_at = shared.now();
        let mut attempt = Attempt::new(started_at, started_at + shared.settings.total);
        loop {
            attempt = match shared.line(&mut attempt).await {
                Err(failure) => return attempt.failed(failure, shared.now()),
                Ok((Line::Own(connection, permit), fresh)) => {
                    match shared.send_alone(attempt, connection, permit, fresh, request, kept).await {
                        Ok(reply) => return reply,
                        Err(unsent) => unsent,
                    }
                }
                Ok((Line::Shared(slot), fresh)) => match shared.send_shared(attempt, slot, fresh, request, kept).await {
                    Ok(reply) => return reply,
                    Err(unsent) => unsent,
                },
            };
        }
    }
}

/// The tasks that drive HTTP/2 connections know the pool: without this, neither would ever end.
impl Drop for Shared {
    fn drop(&mut self) {
        self.pool.close();
    }
}

impl Shared {
    fn now(&self) -> Offset {
        self.timer.clock().now()
    }

    /// A line that is ready for a request, and whether it was made for this attempt.
    async fn line(&self, attempt: &mut Attempt) -> Result<(Line, bool), Failure> {
        let (lease, ready_at) = match self.pool.try_lease(attempt.stamps.started_at) {
            Some(lease) => (lease, attempt.stamps.started_at),
            None => {
                let lease = self.timer.within(attempt.limit, self.pool.lease()).await;
                (lease.ok_or(Failure::TimedOut(Phase::Connect))?, self.now())
            }
        };
        let permit = match lease {
            Lease::New(permit) => permit,
            Lease::Stream(slot) => {
                attempt.stamps.ready_at = Some(ready_at);
                return Ok((Line::Shared(slot), false));
            }
            Lease::Reused(mut connection, mut permit) => match connection.check() {
                Ok(()) => {
                    attempt.stamps.ready_at = Some(ready_at);
                    return Ok((Line::Own(connection, permit), false));
                }
                // The target has closed it in the meantime: nothing was sent, and a new one takes its place.
                Err(_) => {
                    permit.make_again();
                    permit
                }
            },
        };
        let limit = attempt.limit.min(ready_at + self.settings.connect);
        let line = self.timer.within(limit, self.connect(attempt, permit)).await.ok_or(Failure::TimedOut(Phase::Connect))??;
        attempt.stamps.ready_at = Some(self.now());
        Ok((line, true))
    }

    async fn connect(&self, attempt: &mut Attempt, mut permit: Permit) -> Result<Line, Failure> {
        let connected = self.connector.connect(&mut attempt.stamps.connect).await?;
        permit.made(connected.http2 && self.settings.keep_alive);
        if !connected.http2 {
            return Ok(Line::Own(Http1::begin(connected.stream).await?, permit));
        }
        let connection = Http2::begin(connected.stream, permit, self.timer.clock()).await?;
        let slot = Http2::occupy(&connection, Rc::clone(&self.pool));
        if self.settings.keep_alive {
            self.pool.share(connection);
        }
        Ok(Line::Shared(slot))
    }

    /// One exchange over a connection of its own; gives the attempt back if nothing was sent.
    async fn send_alone(
        &self,
        mut attempt: Attempt,
        mut connection: Box<Http1>,
        permit: Permit,
        fresh: bool,
        request: &Outbound<'_>,
        kept: &mut Vec<u8>,
    ) -> Result<Reply, Attempt> {
        // A target that talks, or hangs up, before it was asked is answered nothing.
        if fresh && let Err(failure) = connection.check() {
            return Ok(attempt.failed(failure, self.now()));
        }
        let answer = {
            let answer = pin!(connection.send(alone(request)));
            self.timer.within(self.head_limit(&attempt), answer).await
        };
        let (head, mut incoming) = match self.head(&mut attempt, answer, fresh) {
            Ok(answer) => answer,
            Err(None) => return Err(attempt),
            Err(Some(failure)) => return Ok(attempt.failed(failure, self.now())),
        };
        let mut body = connection.body(&mut incoming);
        let keep = self.settings.keep_body.0;
        let (reply, complete) = attempt.read(head, &mut body, request, keep, &self.timer, kept).await;
        if complete && self.settings.keep_alive && connection.is_reusable() {
            permit.keep(connection, reply.stamps.ended_at);
        }
        Ok(reply)
    }

    /// One exchange over a stream of a shared connection; gives the attempt back if nothing was sent.
    async fn send_shared(
        &self,
        mut attempt: Attempt,
        slot: Slot,
        fresh: bool,
        request: &Outbound<'_>,
        kept: &mut Vec<u8>,
    ) -> Result<Reply, Attempt> {
        let answer = {
            let answer = pin!(slot.send(self.shared(request)));
            self.timer.within(self.head_limit(&attempt), answer).await
        };
        let (head, incoming) = match self.head(&mut attempt, answer, fresh) {
            Ok(answer) => answer,
            Err(None) => {
                self.pool.retire(&slot.connection);
                return Err(attempt);
            }
            Err(Some(failure)) => return Ok(attempt.failed(failure, self.now())),
        };
        let keep = self.settings.keep_body.0;
        let (reply, _) = attempt.read(head, &mut Http2Body(incoming), request, keep, &self.timer, kept).await;
        Ok(reply)
    }

    /// When the head of the answer is overdue.
    fn head_limit(&self, attempt: &Attempt) -> Offset {
        let ready_at = attempt.stamps.ready_at.unwrap_or(attempt.stamps.started_at);
        attempt.limit.min(ready_at + self.settings.first_byte)
    }

    /// The head of an answer, or the failure, or neither where a used connection did not take the request.
    fn head(
        &self,
        attempt: &mut Attempt,
        answer: Option<Result<Response<Incoming>, Unanswered>>,
        fresh: bool,
    ) -> Result<(Head, Incoming), Option<Failure>> {
        attempt.sent = true;
        match answer {
            None => Err(Some(Failure::TimedOut(Phase::FirstByte))),
            Some(Ok(answer)) => {
                let (head, incoming) = answer.into_parts();
                let head = Head { status: head.status.as_u16(), version: head.version, headers: head.headers, at: self.now() };
                Ok((head, incoming))
            }
            Some(Err(Unanswered { failure, sent })) => {
                attempt.sent = sent;
                Err((sent || fresh).then_some(failure))
            }
        }
    }

    /// A request as HTTP/2 wants it: scheme and authority apart, no `Host`.
    fn shared(&self, outbound: &Outbound<'_>) -> Request<Full<Bytes>> {
        let mut request = alone(outbound);
        let authority = match request.headers_mut().remove(HOST) {
            Some(host) if host.as_bytes() != self.authority.as_str().as_bytes() => Authority::try_from(host.as_bytes()).ok(),
            _ => None,
        };
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(authority.unwrap_or_else(|| self.authority.clone()));
        parts.path_and_query = Some(outbound.path.clone());
        *request.uri_mut() = Uri::from_parts(parts).expect("scheme, authority and path make a URI");
        request
    }
}

/// A request as it goes out: the headers given, and `Content-Length` where hyper would leave it out.
fn alone(outbound: &Outbound<'_>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(outbound.body.clone()));
    *request.method_mut() = outbound.method.clone();
    *request.uri_mut() = Uri::from(outbound.path.clone());
    *request.headers_mut() = outbound.headers.clone();
    says_no_content(request.headers_mut(), outbound);
    request
}

/// A method that is about its content says so even where there is none (RFC 9110 §8.6).
pub(super) fn says_no_content(headers: &mut HeaderMap, outbound: &Outbound<'_>) {
    let about_content = matches!(*outbound.method, Method::POST | Method::PUT | Method::PATCH);
    if about_content && outbound.body.is_empty() && !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}
