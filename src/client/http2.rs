//! HTTP/2 connections, each shared by several attempts at a time.
//!
//! Unlike [`http1`](super::http1), a connection has to move while no attempt looks at it (pings, settings, flow
//! control), so a task of its own drives it. One that breaks fails every stream on it; one stream that runs out of
//! time is reset alone.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use super::failure::{Broken, Unanswered, before_the_head};
use super::http1::poll_incoming;
use super::pool::{Permit, Pool};
use super::receive::Pieces;
use super::stream::Stream;
use crate::clock::Clock;
use crate::units::Offset;
use crate::wire::Failure;

/// A connection for many requests at a time.
#[derive(Debug)]
pub(super) struct Http2 {
    sender: RefCell<SendRequest<Full<Bytes>>>,
    clock: Clock,
    streams: Cell<u32>,
    last_used: Cell<Offset>,
}

impl Http2 {
    /// HTTP/2 on a fresh connection, which keeps its permit until it is closed.
    pub(super) async fn begin(stream: Stream, permit: Permit, clock: Clock) -> Result<Rc<Http2>, Failure> {
        let handshake = Builder::new(LocalTasks).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| before_the_head(&error))?;
        tokio::task::spawn_local(async move {
            // What breaks a connection is told to each of its streams.
            let _ = connection.await;
            drop(permit);
        });
        Ok(Rc::new(Http2 { sender: RefCell::new(sender), clock, streams: Cell::new(0), last_used: Cell::new(clock.now()) }))
    }

    /// Whether another stream may be opened.
    pub(super) fn has_room(&self, streams: u32) -> bool {
        self.streams.get() < streams && !self.is_closed()
    }

    /// Streams in use.
    pub(super) fn streams(&self) -> u32 {
        self.streams.get()
    }

    /// Whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.borrow().is_closed()
    }

    /// Since when no stream has been in use.
    pub(super) fn idle_since(&self) -> Option<Offset> {
        (self.streams.get() == 0).then(|| self.last_used.get())
    }

    /// Takes a stream.
    pub(super) fn occupy(connection: &Rc<Http2>, pool: Rc<Pool>) -> Slot {
        connection.streams.set(connection.streams.get() + 1);
        Slot { connection: Rc::clone(connection), pool }
    }
}

/// A stream in use.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) connection: Rc<Http2>,
    pool: Rc<Pool>,
}

impl Slot {
    /// Sends a request and waits for the head of the answer.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Unanswered> {
        let answer = self.connection.sender.borrow_mut().try_send_request(request);
        answer.await.map_err(Unanswered::from)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connection.streams.set(self.connection.streams.get() - 1);
        self.connection.last_used.set(self.connection.clock.now());
        self.pool.wake_next();
    }
}

/// A body that comes by itself: the connection's own task drives it.
pub(super) struct Http2Body(pub(super) Incoming);

impl Pieces for Http2Body {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.0.is_end_stream() { Poll::Ready(None) } else { poll_incoming(&mut self.0, cx) }
    }
}

/// hyper's tasks of one connection stay on this thread.
#[derive(Clone, Copy, Debug)]
struct LocalTasks;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalTasks {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}
