//! Connections to the target: made when needed, used again, replaced unnoticed only while nothing was written.

use std::cell::RefCell;
use std::error::Error as _;
use std::future::Future;
use std::io;
use std::rc::Rc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::TokioIo;

use super::forward;
use crate::client::{Connector, Stream};
use crate::clock::Timer;
use crate::units::{Micros, Offset};
use crate::wire::{ConnectTimes, Failure, Phase};

/// How connections to the target are made and kept.
pub(super) struct Upstream {
    connector: Connector,
    timer: Timer,
    connect_timeout: Micros,
    keep_alive: bool,
    idle_timeout: Micros,
    /// The one used last is used next, so that the others can grow old.
    idle: RefCell<Vec<Idle>>,
}

struct Idle {
    sender: Sender,
    since: Offset,
}

/// A connection in use. Whoever sees the answer complete gives it [back](Lease::give_back); dropped, it is closed.
pub(super) struct Lease {
    sender: Sender,
    upstream: Rc<Upstream>,
}

/// The answer to a request that was sent on.
pub(super) struct Reply {
    pub(super) response: Response<Incoming>,
    pub(super) lease: Lease,
    /// From the request given to the connection to the head of the answer.
    pub(super) took: Micros,
}

enum Sender {
    Http1(http1::SendRequest<Incoming>),
    /// One request at a time, as on HTTP/1.1: how many streams share a connection is not the proxy's to decide.
    Http2 {
        sender: http2::SendRequest<Incoming>,
        tls: bool,
    },
}

impl Upstream {
    pub(super) fn new(connector: Connector, timer: Timer, connect_timeout: Micros, keep_alive: bool, idle_timeout: Micros) -> Upstream {
        Upstream { connector, timer, connect_timeout, keep_alive, idle_timeout, idle: RefCell::default() }
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// A pooled connection that turns out to be dead before the request was written is replaced by another; once
    /// a byte was written there is no second try.
    ///
    /// # Errors
    /// How it failed between the proxy and the target.
    pub(super) async fn send(self: Rc<Self>, mut request: Request<Incoming>) -> Result<Reply, Failure> {
        loop {
            let idle = self.idle();
            let pooled = idle.is_some();
            let mut sender = match idle {
                Some(sender) => sender,
                None => self.connect().await?,
            };
            let sent_at = self.timer.clock().now();
            match sender.send(request).await {
                Ok(response) => {
                    let took = self.timer.clock().now().since(sent_at);
                    return Ok(Reply { response, lease: Lease { sender, upstream: self }, took });
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if pooled => request = unsent,
                    _ => return Err(failure(error.error())),
                },
            }
        }
    }

    /// Closes connections that have been idle for too long.
    pub(super) fn tidy(&self) {
        let now = self.timer.clock().now();
        self.idle.borrow_mut().retain(|idle| now.since(idle.since) < self.idle_timeout && idle.sender.is_ready());
    }

    fn idle(&self) -> Option<Sender> {
        let now = self.timer.clock().now();
        let mut pool = self.idle.borrow_mut();
        while let Some(idle) = pool.pop() {
            if now.since(idle.since) >= self.idle_timeout {
                // Those below it have been idle for longer.
                pool.clear();
            } else if idle.sender.is_ready() {
                return Some(idle.sender);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Sender, Failure> {
        let deadline = self.timer.clock().now() + self.connect_timeout;
        let made = self.timer.within(deadline, async {
            let connected = self.connector.connect(&mut ConnectTimes::default()).await?;
            let tls = matches!(connected.stream, Stream::Tls(_));
            let stream = TokioIo::new(connected.stream);
            if connected.http2 {
                let (sender, connection) = http2::handshake(Local, stream).await.map_err(|error| failure(&error))?;
                drive(connection);
                Ok(Sender::Http2 { sender, tls })
            } else {
                let handshake = http1::Builder::new().preserve_header_case(true).handshake(stream).await;
                let (sender, connection) = handshake.map_err(|error| failure(&error))?;
                drive(connection);
                Ok(Sender::Http1(sender))
            }
        });
        made.await.unwrap_or(Err(Failure::TimedOut(Phase::Connect)))
    }
}

impl Lease {
    /// The answer is complete: the connection may be used again.
    pub(super) fn give_back(self) {
        let Lease { sender, upstream } = self;
        if upstream.keep_alive && !sender.is_closed() {
            let since = upstream.timer.clock().now();
            upstream.idle.borrow_mut().push(Idle { sender, since });
        }
    }
}

impl Sender {
    fn is_ready(&self) -> bool {
        match self {
            Sender::Http1(sender) => sender.is_ready(),
            Sender::Http2 { sender, .. } => sender.is_ready(),
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2 { sender, .. } => sender.is_closed(),
        }
    }

    async fn send(&mut self, request: Request<Incoming>) -> Result<Response<Incoming>, TrySendError<Request<Incoming>>> {
        match self {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2 { sender, tls } => {
                let (mut head, body) = request.into_parts();
                forward::absolute(&mut head, *tls);
                sender.try_send_request(Request::from_parts(head, body)).await
            }
        }
    }
}

/// A connection does its work in a task of its own; what becomes of it is learnt from the requests sent on it.
fn drive<E>(connection: impl Future<Output = Result<(), E>> + 'static) {
    tokio::task::spawn_local(async move {
        let _ = connection.await;
    });
}

/// Runs the tasks of HTTP/2 connections on this thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// How an exchange with the target failed.
pub(super) fn failure(error: &hyper::Error) -> Failure {
    if error.is_parse() {
        return Failure::BadProtocol;
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => Failure::Reset,
                io::ErrorKind::InvalidData => Failure::BadProtocol,
                _ => Failure::Closed,
            };
        }
        if let Some(error) = inner.downcast_ref::<hyper::Error>() {
            return failure(error);
        }
        cause = inner.source();
    }
    Failure::Closed
}
