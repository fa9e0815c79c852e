//! One HTTP/1.1 connection, driven by whoever uses it.
//!
//! hyper hands out a sender and a future that moves the bytes, and expects the future to run as a task of its own.
//! Here both live in one object and are polled together: an attempt costs no switch between two tasks, a
//! connection that is dropped is closed at once, and an idle one costs nothing. What the connection has to say is
//! always heard before the sender is asked, so the sender needs no waker of its own.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;

use super::failure::{Broken, Unanswered, before_the_head, inside_the_body};
use super::receive::Pieces;
use super::stream::Stream;
use crate::wire::Failure;

/// A connection for one request at a time. It is large and changes hands often: it lives in a box.
#[derive(Debug)]
pub(super) struct Http1 {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<TokioIo<Stream>, Full<Bytes>>,
    /// How the connection ended, once it has.
    over: Option<Failure>,
}

impl Http1 {
    /// HTTP/1.1 on a fresh connection. Nothing is sent yet.
    pub(super) async fn begin(stream: Stream) -> Result<Box<Http1>, Failure> {
        let (sender, connection) = Builder::new().handshake(TokioIo::new(stream)).await.map_err(|error| before_the_head(&error))?;
        Ok(Box::new(Http1 { sender, connection, over: None }))
    }

    /// Lets the connection read and write what it can.
    fn advance(&mut self, cx: &mut Context<'_>) {
        if self.over.is_none()
            && let Poll::Ready(end) = Pin::new(&mut self.connection).poll(cx)
        {
            self.over = Some(end.err().map_or(Failure::Closed, |error| before_the_head(&error)));
        }
    }

    /// Whether a request can be sent: the target has not closed the connection, nor said anything unasked.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        self.advance(&mut Context::from_waker(Waker::noop()));
        self.over.map_or(Ok(()), Err)
    }

    /// Whether another request can follow the one whose body has been read.
    pub(super) fn is_reusable(&mut self) -> bool {
        self.over.is_none() && (self.sender.is_ready() || (self.check().is_ok() && self.sender.is_ready()))
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Unanswered> {
        let mut answer = pin!(self.sender.try_send_request(request));
        std::future::poll_fn(|cx| {
            self.advance(cx);
            match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(answer) => Poll::Ready(answer.map_err(Unanswered::from)),
                // The connection ended without having taken the request.
                Poll::Pending => self.over.map_or(Poll::Pending, |failure| Poll::Ready(Err(Unanswered { failure, sent: false }))),
            }
        })
        .await
    }

    /// The body of an answer that came on this connection.
    pub(super) fn body<'c>(&'c mut self, incoming: &'c mut Incoming) -> Http1Body<'c> {
        Http1Body { connection: self, incoming }
    }
}

/// A body, and the connection it comes on.
pub(super) struct Http1Body<'c> {
    connection: &'c mut Http1,
    incoming: &'c mut Incoming,
}

impl Pieces for Http1Body<'_> {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.incoming.is_end_stream() {
            return Poll::Ready(None);
        }
        // A short body has come together with its head: only where it has not must the connection move.
        let unheard = &mut Context::from_waker(Waker::noop());
        match poll_incoming(self.incoming, unheard) {
            Poll::Pending => {
                self.connection.advance(cx);
                poll_incoming(self.incoming, unheard)
            }
            piece => piece,
        }
    }
}

/// The next piece of data; trailers are passed over.
pub(super) fn poll_incoming(incoming: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
    loop {
        return match std::task::ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
            None => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(inside_the_body(&error)))),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Poll::Ready(Some(Ok(data))),
                Err(_trailers) => continue,
            },
        };
    }
}
