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
use super::effect::course::{Course, Hands, Next, Step, Whole};
use super::identity::Identity;
use super::mark::Mark;
use super::upstream::Lease;
use super::watched::Watched;
use crate::client::failure::inside_the_body;
use crate::record::Unfired;
use crate::wire::Failure;

/// The body of an answer.
pub(super) enum AnswerBody {
    /// Made by the proxy.
    Made(Bytes),
    /// The target's.
    Relayed(Relay),
    /// The target's, of which this was read before.
    Begun(VecDeque<Bytes>, Relay),
    /// Either, on its way to a stranger.
    Watched(Box<Watched>),
}

/// The target's answer body.
pub(super) struct Relay {
    /// Gone once the body is to end early: the connection to the target is closed with it.
    body: Option<(Incoming, Lease)>,
    /// The target has sent all of it.
    arrived: bool,
    complete: bool,
    declared: Option<u64>,
    status: u16,
    course: Course,
    passed: u64,
    ending: Option<Ending>,
    identity: Option<Identity>,
    /// The rule that touches the attempt.
    mark: Option<Mark>,
    proxy: Rc<Proxy>,
    control: Rc<Control>,
}

impl Relay {
    /// The body of an answer with this head, which came on this connection.
    pub(super) fn new(head: &response::Parts, body: Incoming, lease: Lease, proxy: Rc<Proxy>, control: Rc<Control>) -> Relay {
        let declared = declared(head, &body);
        Relay {
            body: Some((body, lease)),
            arrived: false,
            complete: false,
            declared,
            status: head.status.as_u16(),
            course: Course::Whole(Whole::default()),
            passed: 0,
            ending: None,
            identity: None,
            mark: None,
            proxy,
            control,
        }
    }

    /// The same for an attempt that is known, touched by this rule, its body taking this course.
    pub(super) fn of(mut self, identity: Identity, mark: Option<Mark>, course: Course) -> Relay {
        if course.reframes() {
            self.declared = None;
        }
        (self.identity, self.mark, self.course) = (Some(identity), mark, course);
        self
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        let frame = if self.ending.is_none() { ready!(self.poll_passing(cx)) } else { None };
        match self.ending {
            None => Poll::Ready(frame.map(Ok)),
            Some(_) => self.poll_ending(cx).map(|ended| Some(Err(ended))),
        }
    }

    /// What is next for the client; `None` at the body's end, and where an ending has begun.
    fn poll_passing(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        loop {
            let hands = Hands { control: &self.control, timer: &self.proxy.timer };
            match ready!(self.course.poll(&hands, cx)) {
                Step::Pass(frame) => {
                    self.passed += frame.data_ref().map_or(0, |data| data.len() as u64);
                    self.complete |= frame.is_trailers();
                    return Poll::Ready(Some(frame));
                }
                Step::More => {
                    let Some((body, lease)) = &mut self.body else { return Poll::Ready(None) };
                    match ready!(lease.poll_frame(body, cx)) {
                        Some(Ok(frame)) => {
                            self.arrived |= frame.is_trailers();
                            self.course.feed(Next::Frame(frame));
                        }
                        None => {
                            self.arrived = true;
                            self.course.feed(Next::End);
                        }
                        Some(Err(error)) => {
                            self.fail(&error);
                            return Poll::Ready(None);
                        }
                    }
                }
                Step::Fired => self.fired(),
                Step::Finish => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Step::End(ending) => {
                    self.end(ending);
                    return Poll::Ready(None);
                }
            }
        }
    }

    /// The fault has been done: noted before the client can see what comes of it.
    fn fired(&mut self) {
        let Some(mark) = &mut self.mark else { return };
        mark.fire();
        if let Some(identity) = &self.identity {
            self.proxy.note(identity, Some(mark.rule), true, Some(self.status));
        }
    }

    /// The body ends as HTTP wants it.
    fn finish(&mut self) {
        self.complete = true;
        if !self.arrived {
            self.body = None;
        }
        if let Some(mark) = self.mark.take() {
            mark.unfired(Unfired::OverBefore);
        }
    }

    /// Begins to end the connection: first, what has passed must really leave.
    fn end(&mut self, ending: Ending) {
        self.body = None;
        self.ending = Some(ending);
    }

    fn poll_ending(&mut self, cx: &Context<'_>) -> Poll<Ended> {
        ready!(self.control.poll_flushed(cx));
        self.fired();
        Poll::Ready(self.control.end(self.ending.take().unwrap_or_default()))
    }

    /// The target's answer ended before it was complete: so does ours, in the same way.
    fn fail(&mut self, error: &hyper::Error) {
        let failure = inside_the_body(error).after(self.passed);
        match (self.mark.take(), self.identity) {
            (Some(mark), Some(identity)) => mark.upstream_failed(identity, failure),
            (_, identity) => self.proxy.upstream_failed(identity, None, failure),
        }
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
            && (self.arrived || body.is_end_stream())
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
            AnswerBody::Watched(watched) => watched.poll_frame(cx),
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
            AnswerBody::Watched(watched) => watched.is_end_stream(),
            AnswerBody::Relayed(relay) => {
                let over = relay.complete || relay.body.as_ref().is_some_and(|(body, _)| body.is_end_stream());
                over && relay.course.is_whole() && (relay.declared.is_none() || relay.passed > 0)
            }
            // There is more to come than was read: that is why it was not taken in.
            AnswerBody::Begun(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Watched(watched) => watched.size_hint(),
            AnswerBody::Made(bytes) => SizeHint::with_exact(bytes.len() as u64),
            AnswerBody::Relayed(relay) => relay.declared.map_or_else(SizeHint::new, SizeHint::with_exact),
            AnswerBody::Begun(..) => SizeHint::new(),
        }
    }
}
