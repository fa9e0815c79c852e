//! The body of a request on its way to the target: as it comes, after what was already read of it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

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
