//! The answer on its way out: its body, and what shields the server from its own mistakes.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::clock::{Sleep, Timer};
use crate::seed::{Distribution, Draw};

/// The body of an answer.
pub enum AnswerBody {
    /// All of it, until it was handed over.
    Whole(Option<Bytes>),
    Events(Events),
}

/// Server-sent events, each after its pause.
pub struct Events {
    pub left: VecDeque<Bytes>,
    pub gap: Option<Distribution>,
    pub draw: Draw,
    pub timer: Timer,
    pub pause: Option<Sleep>,
}

impl AnswerBody {
    /// A body that is there at once.
    pub fn whole(bytes: Vec<u8>) -> AnswerBody {
        AnswerBody::Whole((!bytes.is_empty()).then(|| Bytes::from(bytes)))
    }
}

impl Events {
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(pause) = &mut self.pause {
            ready!(Pin::new(pause).poll(cx));
            self.pause = None;
        }
        let event = self.left.pop_front();
        if let Some(gap) = self.gap.filter(|_| !self.left.is_empty()) {
            self.pause = Some(self.timer.sleep(gap.sample(self.draw.with(self.left.len() as u64))));
        }
        Poll::Ready(event)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let data = match self.get_mut() {
            AnswerBody::Whole(bytes) => bytes.take(),
            AnswerBody::Events(events) => ready!(events.next(cx)),
        };
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Whole(bytes) => bytes.is_none(),
            AnswerBody::Events(events) => events.left.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            AnswerBody::Events(_) => SizeHint::default(),
        }
    }
}

/// The output of a future, or `None` where it panicked.
pub async fn unharmed<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_a_future_is_its_end_and_nothing_more() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ended = runtime.block_on(unharmed(async {
            tokio::task::yield_now().await;
            assert!(std::hint::black_box(false), "on purpose");
        }));
        assert_eq!(ended, None);
        assert_eq!(runtime.block_on(unharmed(async { 7 })), Some(7));
    }
}
