//! What becomes of an answer's body on its way: whole, or changed by a fault while it passes.

use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;

use super::slow_body::Slow;
use super::stall::Stall;
use super::stream::Events;
use super::strike::Strike;
use crate::clock::Timer;
use crate::proxy::control::{Control, Ending};

/// The way of a body through the proxy.
pub(in crate::proxy) enum Course {
    Whole(Whole),
    Strike(Strike),
    Slow(Slow),
    Stall(Stall),
    Events(Box<Events>),
}

/// What is next on the way of a body.
pub(in crate::proxy) enum Step {
    /// This goes to the client.
    Pass(Frame<Bytes>),
    /// More is needed from the target: it is to be fed.
    More,
    /// The fault has been done.
    Fired,
    /// The body ends here as HTTP wants it.
    Finish,
    /// The connection ends here, once what passed has left.
    End(Ending),
}

/// What a course may ask for.
pub(in crate::proxy) struct Hands<'p> {
    pub(in crate::proxy) control: &'p Control,
    pub(in crate::proxy) timer: &'p Timer,
}

/// What the target sent next: a frame, or the end of the body.
pub(in crate::proxy) enum Next {
    Frame(Frame<Bytes>),
    End,
}

/// Everything passes as it comes.
#[derive(Default)]
pub(in crate::proxy) struct Whole {
    next: Option<Next>,
}

impl Course {
    /// What is next. After [`Step::More`] it must be fed before it is asked again.
    pub(in crate::proxy) fn poll(&mut self, hands: &Hands<'_>, cx: &mut Context<'_>) -> Poll<Step> {
        match self {
            Course::Whole(whole) => Poll::Ready(pass(whole.next.take())),
            Course::Strike(strike) => Poll::Ready(strike.next()),
            Course::Slow(slow) => slow.poll(hands, cx),
            Course::Stall(stall) => stall.poll(hands, cx),
            Course::Events(events) => events.poll(hands, cx),
        }
    }

    /// Takes what the target sent.
    pub(in crate::proxy) fn feed(&mut self, next: Next) {
        match self {
            Course::Whole(whole) => whole.next = Some(next),
            Course::Strike(strike) => strike.feed(next),
            Course::Slow(slow) => slow.feed(next),
            Course::Stall(stall) => stall.feed(next),
            Course::Events(events) => events.feed(next),
        }
    }

    pub(in crate::proxy) fn is_whole(&self) -> bool {
        matches!(self, Course::Whole(_))
    }

    /// Whether the fault is sure to be done to a body that is not known to be over by then; only then may the
    /// answer's head say that it was.
    pub(in crate::proxy) fn is_certain(&self) -> bool {
        !matches!(self, Course::Whole(_) | Course::Events(_))
    }

    /// Whether the length of the body, or how it is framed, is another than the target's.
    pub(in crate::proxy) fn reframes(&self) -> bool {
        match self {
            Course::Strike(strike) => strike.in_chunks(),
            Course::Events(events) => events.changes_length(),
            Course::Whole(_) | Course::Slow(_) | Course::Stall(_) => false,
        }
    }
}

/// Passes what was fed, whatever it is.
pub(super) fn pass(next: Option<Next>) -> Step {
    match next {
        Some(Next::Frame(frame)) => Step::Pass(frame),
        Some(Next::End) => Step::Finish,
        None => Step::More,
    }
}
