//! Connections to the target: made when needed, used again, replaced unnoticed only while nothing was written.
//!
//! An HTTP/1.1 connection is driven by whoever uses it, the task of the client's connection: an attempt costs no
//! switch between tasks, and a client that goes away takes its connection to the target with it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::TokioIo;

use super::forward;
use super::tunnel::FarEnd;
use super::upload::{self, Upload};
use crate::client::failure::before_the_head;
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
    line: Line,
    since: Offset,
}

/// A connection in use. Whoever sees the answer complete gives it [back](Lease::give_back); dropped, it is closed.
pub(super) struct Lease {
    line: Line,
    upstream: Rc<Upstream>,
}

/// The answer to a request that was sent on.
pub(super) struct Reply {
    pub(super) response: Response<Incoming>,
    pub(super) lease: Lease,
    /// From the request given to the connection to the head of the answer.
    pub(super) took: Micros,
}

enum Line {
    Http1(Box<Http1>),
    /// One request at a time, as on HTTP/1.1: how many streams share a connection is not the proxy's to decide.
    Http2 {
        sender: http2::SendRequest<Upload>,
        tls: bool,
    },
}

struct Http1 {
    sender: http1::SendRequest<Upload>,
    connection: http1::Connection<TokioIo<Stream>, Upload>,
    over: bool,
}

type Unsent = TrySendError<Request<Upload>>;

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
    pub(super) async fn send(self: Rc<Self>, mut request: Request<Upload>) -> Result<Reply, Failure> {
        loop {
            let idle = self.idle();
            let pooled = idle.is_some();
            let mut line = match idle {
                Some(line) => line,
                // TLS and all: large, and rarely needed.
                None => Box::pin(self.connect()).await?,
            };
            let sent_at = self.timer.clock().now();
            match line.send(request, &self.timer).await {
                Ok(response) => {
                    let took = self.timer.clock().now().since(sent_at);
                    return Ok(Reply { response, lease: Lease { line, upstream: self }, took });
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if pooled => request = unsent,
                    _ => return Err(before_the_head(error.error())),
                },
            }
        }
    }

    /// The same for another place.
    pub(super) fn elsewhere(&self, connector: Connector) -> Upstream {
        Upstream::new(connector, self.timer.clone(), self.connect_timeout, self.keep_alive, self.idle_timeout)
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    pub(super) fn timer(&self) -> &Timer {
        &self.timer
    }

    /// Closes connections that have been idle for too long, or that the target has closed.
    pub(super) fn tidy(&self) {
        let now = self.timer.clock().now();
        self.idle.borrow_mut().retain_mut(|idle| now.since(idle.since) < self.idle_timeout && idle.line.is_ready());
    }

    fn idle(&self) -> Option<Line> {
        let now = self.timer.clock().now();
        let mut pool = self.idle.borrow_mut();
        while let Some(mut idle) = pool.pop() {
            if now.since(idle.since) >= self.idle_timeout {
                // Those below it have been idle for longer.
                pool.clear();
            } else if idle.line.is_ready() {
                return Some(idle.line);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Line, Failure> {
        let deadline = self.timer.clock().now() + self.connect_timeout;
        let made = self.timer.within(deadline, async {
            let connected = self.connector.connect(&mut ConnectTimes::default()).await?;
            let tls = matches!(connected.stream, Stream::Tls(_));
            let stream = TokioIo::new(connected.stream);
            if connected.http2 {
                let (sender, connection) = http2::handshake(Local, stream).await.map_err(|error| before_the_head(&error))?;
                tokio::task::spawn_local(async move {
                    // What becomes of the connection is learnt from the requests sent on it.
                    let _ = connection.await;
                });
                Ok(Line::Http2 { sender, tls })
            } else {
                let handshake = http1::Builder::new().preserve_header_case(true).handshake(stream).await;
                let (sender, connection) = handshake.map_err(|error| before_the_head(&error))?;
                Ok(Line::Http1(Box::new(Http1 { sender, connection, over: false })))
            }
        });
        made.await.unwrap_or(Err(Failure::TimedOut(Phase::Connect)))
    }
}

impl Lease {
    /// The next frame of the answer that came on this connection.
    pub(super) fn poll_frame(&mut self, body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.line {
            Line::Http1(line) => {
                line.advance(cx);
                Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
            }
            Line::Http2 { .. } => Pin::new(body).poll_frame(cx),
        }
    }

    /// The connection as bytes, once the target has changed the protocol; `None` on HTTP/2, where none can.
    pub(super) fn into_tunnel(self) -> Option<FarEnd> {
        match self.line {
            Line::Http1(line) => {
                let parts = line.connection.into_parts();
                Some(FarEnd { stream: parts.io.into_inner(), unread: parts.read_buf })
            }
            Line::Http2 { .. } => None,
        }
    }

    /// The answer is complete: the connection may be used again.
    pub(super) fn give_back(self) {
        let Lease { mut line, upstream } = self;
        if upstream.keep_alive && line.is_ready() {
            let since = upstream.timer.clock().now();
            upstream.idle.borrow_mut().push(Idle { line, since });
        }
    }
}

impl Line {
    /// Whether a request can be sent: what the target has said or done meanwhile is heard first.
    fn is_ready(&mut self) -> bool {
        match self {
            Line::Http1(line) => {
                line.advance(&mut Context::from_waker(Waker::noop()));
                !line.over && line.sender.is_ready()
            }
            Line::Http2 { sender, .. } => sender.is_ready(),
        }
    }

    async fn send(&mut self, mut request: Request<Upload>, timer: &Timer) -> Result<Response<Incoming>, Unsent> {
        match self {
            Line::Http1(line) => {
                upload::wait_to_be_asked(&mut request, timer);
                line.send(request).await
            }
            Line::Http2 { sender, tls } => {
                let (mut head, body) = request.into_parts();
                forward::absolute(&mut head, *tls);
                sender.try_send_request(Request::from_parts(head, body)).await
            }
        }
    }
}

impl Http1 {
    /// Lets the connection read and write what it can.
    fn advance(&mut self, cx: &mut Context<'_>) {
        if !self.over {
            self.over = Pin::new(&mut self.connection).poll(cx).is_ready();
        }
    }

    /// Sends a request and waits for the head of the answer. The connection wakes us; the sender needs no waker.
    async fn send(&mut self, request: Request<Upload>) -> Result<Response<Incoming>, Unsent> {
        let mut answer = pin!(self.sender.try_send_request(request));
        std::future::poll_fn(|cx| {
            if !self.over {
                self.over = Pin::new(&mut self.connection).poll(cx).is_ready();
            }
            answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        })
        .await
    }
}

/// Runs the tasks of HTTP/2 connections on this thread.
#[derive(Clone, Copy)]
pub(super) struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}
