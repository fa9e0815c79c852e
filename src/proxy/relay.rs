//! The body of an answer on its way to the client: as it comes, frame by frame, up to where a fault ends it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::CONTENT_LENGTH;
use http::response;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::attempt::Proxy;
use super::control::{Control, Ended, Ending};
use super::identity::Identity;
use super::upstream::Lease;
use crate::client::failure::inside_the_body;
use crate::fault::{Action, Fault};
use crate::id::RuleIx;
use crate::wire::Failure;

/// The body of an answer.
pub(super) enum AnswerBody {
    /// Made by the proxy.
    Made(Bytes),
    /// The target's.
    Relayed(Relay),
    /// The target's, of which this was read before.
    Begun(VecDeque<Bytes>, Relay),
}

/// A fault that ends the body early.
#[derive(Debug)]
pub(super) struct Strike {
    /// Bytes of the body that still pass.
    left: u64,
    ending: Ending,
    rule: RuleIx,
    /// Whether the rule counts as fired only now: it has not delayed the attempt before.
    counts: bool,
}

impl Strike {
    /// The strike that an action asks for; `None` where it asks for none, or where the body is known to be over
    /// by then: a complete answer is not cut.
    pub(super) fn of(action: &Action<'_>, rule: RuleIx, body: &Incoming, counts: bool) -> Option<Strike> {
        let (after, ending) = match action {
            Action::Fault(Fault::Reset { after }) => (after.bytes()?, Ending::Reset),
            Action::Fault(Fault::Cut { after }) => (after.bytes()?, Ending::Cut),
            Action::Forward | Action::Fault(_) => return None,
        };
        let reachable = !body.is_end_stream() && body.size_hint().exact().is_none_or(|length| after < length);
        reachable.then_some(Strike { left: after, ending, rule, counts })
    }
}

/// The target's answer body.
pub(super) struct Relay {
    /// Gone once the body is to end early: the connection to the target is closed with it.
    body: Option<(Incoming, Lease)>,
    complete: bool,
    declared: Option<u64>,
    strike: Option<Strike>,
    passed: u64,
    ending: Option<Ending>,
    identity: Option<Identity>,
    /// The rule that touches the attempt.
    rule: Option<RuleIx>,
    proxy: Rc<Proxy>,
    control: Rc<Control>,
}

impl Relay {
    /// The body of an answer with this head, which came on this connection.
    pub(super) fn new(head: &response::Parts, body: Incoming, lease: Lease, proxy: Rc<Proxy>, control: Rc<Control>) -> Relay {
        let declared = declared(head, &body);
        Relay {
            body: Some((body, lease)),
            complete: false,
            declared,
            strike: None,
            passed: 0,
            ending: None,
            identity: None,
            rule: None,
            proxy,
            control,
        }
    }

    /// The same for an attempt that is known, touched by this rule, and perhaps to be ended early by it.
    pub(super) fn of(mut self, identity: Option<Identity>, rule: Option<RuleIx>, strike: Option<Strike>) -> Relay {
        (self.identity, self.rule, self.strike) = (identity, rule, strike);
        self
    }

    /// Begins to end the connection: first, what has passed must really leave.
    fn end(&mut self, ending: Ending) {
        self.body = None;
        self.ending = Some(ending);
    }

    fn poll_ending(&mut self, ending: &Ending, cx: &Context<'_>) -> Poll<Ended> {
        ready!(self.control.poll_flushed(cx));
        if let Some(strike) = self.strike.take_if(|strike| strike.counts) {
            self.proxy.counters.borrow_mut().fired(strike.rule);
        }
        Poll::Ready(self.control.end(ending.clone()))
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        let frame = if self.ending.is_none() { ready!(self.poll_passing(cx)) } else { None };
        match self.ending.clone() {
            None => Poll::Ready(frame.map(Ok)),
            Some(ending) => self.poll_ending(&ending, cx).map(|ended| Some(Err(ended))),
        }
    }

    fn poll_passing(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        if let Some(Strike { left: 0, ending, .. }) = &self.strike {
            self.end(ending.clone());
        }
        let Some((body, lease)) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(lease.poll_frame(body, cx));
        Poll::Ready(match (frame, self.strike.as_mut()) {
            (Some(Ok(frame)), None) => {
                self.passed += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.complete |= frame.is_trailers();
                Some(frame)
            }
            (Some(Ok(frame)), Some(strike)) => match frame.into_data() {
                Ok(mut data) => {
                    data.truncate(usize::try_from(strike.left).unwrap_or(usize::MAX));
                    strike.left -= data.len() as u64;
                    self.passed += data.len() as u64;
                    Some(Frame::data(data))
                }
                // The body is shorter than hoped: it ends here, before what would complete it.
                Err(_) => {
                    strike.left = 0;
                    return self.poll_passing(cx);
                }
            },
            (None, Some(strike)) => {
                strike.left = 0;
                return self.poll_passing(cx);
            }
            (None, None) => {
                self.complete = true;
                None
            }
            (Some(Err(error)), _) => {
                self.fail(&error);
                None
            }
        })
    }

    /// The target's answer ended before it was complete: so does ours, in the same way.
    fn fail(&mut self, error: &hyper::Error) {
        let failure = inside_the_body(error).after(self.passed);
        let undone = self.strike.take().is_some_and(|strike| strike.counts);
        self.proxy.upstream_failed(self.identity, self.rule.filter(|_| !undone), failure);
        self.end(ending_of(failure));
    }
}

/// How the client's connection ends where the one to the target failed.
pub(super) const fn ending_of(failure: Failure) -> Ending {
    match failure {
        Failure::Reset | Failure::BodyCutShort { reset: true, .. } => Ending::Reset,
        _ => Ending::Cut,
    }
}

/// The length that the head declares: the body's own, or the one that an answer without a body (304) speaks of,
/// which hyper would not write for a body that it takes for empty.
fn declared(head: &response::Parts, body: &Incoming) -> Option<u64> {
    let mut values = head.headers.get_all(CONTENT_LENGTH).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return body.size_hint().exact().filter(|_| !body.is_end_stream()) };
    if !body.is_end_stream() {
        return body.size_hint().exact();
    }
    let digits = Some(value.as_bytes()).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some((body, lease)) = self.body.take()
            && (self.complete || body.is_end_stream())
        {
            lease.give_back();
        }
        self.control.answered();
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        match self.get_mut() {
            AnswerBody::Made(bytes) => {
                let all = std::mem::take(bytes);
                Poll::Ready(all.has_remaining().then(|| Ok(Frame::data(all))))
            }
            AnswerBody::Relayed(relay) => relay.poll_answer(cx),
            AnswerBody::Begun(read, relay) => match read.pop_front() {
                Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
                None => relay.poll_answer(cx),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Made(bytes) => bytes.is_empty(),
            AnswerBody::Relayed(relay) => {
                let over = relay.complete || relay.body.as_ref().is_some_and(|(body, _)| body.is_end_stream());
                over && relay.strike.is_none() && (relay.declared.is_none() || relay.passed > 0)
            }
            // There is more to come than was read: that is why it was not taken in.
            AnswerBody::Begun(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Made(bytes) => SizeHint::with_exact(bytes.len() as u64),
            AnswerBody::Relayed(relay) => relay.declared.map_or_else(SizeHint::new, SizeHint::with_exact),
            AnswerBody::Begun(..) => SizeHint::new(),
        }
    }
}
