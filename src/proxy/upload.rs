//! The body of a request on its way to the target: as it comes, after what was already read of it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::clock::Timer;
use crate::units::Micros;

/// The body of a request.
#[derive(Debug)]
pub(super) struct Upload {
    /// What was read of it before it was sent on, for a rule that looks at it.
    read: VecDeque<Bytes>,
    rest: Incoming,
}

impl Upload {
    /// A body of which nothing was read.
    pub(super) fn of(rest: Incoming) -> Upload {
        Upload { read: VecDeque::new(), rest }
    }

    /// Reads the beginning of a body, up to `limit` bytes and not longer than `patience` for what does not come.
    pub(super) async fn look(mut rest: Incoming, limit: usize, patience: Micros, timer: &Timer) -> (Upload, Bytes) {
        let mut read = VecDeque::new();
        let mut length = 0;
        let deadline = timer.clock().now() + patience;
        while length < limit && !rest.is_end_stream() {
            let frame = timer.within(deadline, std::future::poll_fn(|cx| Pin::new(&mut rest).poll_frame(cx))).await;
            let Some(Some(Ok(frame))) = frame else { break };
            match frame.into_data() {
                Ok(data) => {
                    length += data.len();
                    read.push_back(data);
                }
                // Trailers end the body; a request's are not passed on from here.
                Err(_) => break,
            }
        }
        let mut beginning = match (read.len(), read.front()) {
            (0, _) | (_, None) => Bytes::new(),
            (1, Some(one)) => one.clone(),
            _ => read.iter().flatten().copied().collect(),
        };
        beginning.truncate(limit);
        (Upload::after(read, rest), beginning)
    }

    /// A body whose beginning was read.
    pub(super) fn after(read: VecDeque<Bytes>, rest: Incoming) -> Upload {
        Upload { read, rest }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.read.pop_front() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.read.iter().map(|data| data.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + read);
        }
        hint
    }
}
