//! A body that stops, and goes on after a time or never.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::Frame;

use super::course::{Hands, Next, Step, pass};
use crate::clock::Sleep;
use crate::units::Micros;

/// Stops a body after so many bytes, or before what would complete it if there are fewer.
pub(in crate::proxy) struct Stall {
    /// Bytes of the body that still pass before.
    left: u64,
    lasting: Option<Micros>,
    state: State,
    next: Option<Next>,
}

enum State {
    Before,
    /// Silent, until then or for good.
    Silent(Option<Sleep>),
    After,
}

impl Stall {
    pub(in crate::proxy) fn new(after: u64, lasting: Option<Micros>) -> Stall {
        Stall { left: after, lasting, state: State::Before, next: None }
    }

    pub(super) fn feed(&mut self, next: Next) {
        self.next = Some(next);
    }

    pub(super) fn poll(&mut self, hands: &Hands<'_>, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            match &mut self.state {
                State::Before if self.left == 0 => {
                    ready!(hands.control.poll_flushed(cx));
                    self.state = State::Silent(self.lasting.map(|span| hands.timer.sleep(span)));
                    return Poll::Ready(Step::Fired);
                }
                State::Before => match self.next.take() {
                    None => return Poll::Ready(Step::More),
                    Some(Next::Frame(frame)) if frame.is_data() => return Poll::Ready(self.before(frame)),
                    // The body is shorter than hoped: it stops here, before what completes it.
                    other => (self.next, self.left) = (other, 0),
                },
                State::Silent(None) => return Poll::Pending,
                State::Silent(Some(sleep)) => {
                    ready!(Pin::new(sleep).poll(cx));
                    self.state = State::After;
                }
                State::After => return Poll::Ready(pass(self.next.take())),
            }
        }
    }

    fn before(&mut self, frame: Frame<bytes::Bytes>) -> Step {
        let mut data = frame.into_data().unwrap_or_default();
        let passing = data.split_to(usize::try_from(self.left).unwrap_or(usize::MAX).min(data.len()));
        self.left -= passing.len() as u64;
        if !data.is_empty() {
            self.next = Some(Next::Frame(Frame::data(data)));
        }
        Step::Pass(Frame::data(passing))
    }
}
