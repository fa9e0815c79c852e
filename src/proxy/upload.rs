//! The body of a request on its way to the target: as it comes, after what was already read of it.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::header::EXPECT;
use http::{Request, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::control::Control;
use crate::clock::Timer;
use crate::units::Micros;

/// The body of a request.
#[derive(Debug)]
pub(super) struct Upload {
    /// What was read of it before it was sent on, for a rule that looks at it.
    read: VecDeque<Frame<Bytes>>,
    rest: Incoming,
    /// Closed while the target has not asked for the body.
    gate: Option<Box<Gate>>,
    /// How long its next piece is waited for, on HTTP/2; on HTTP/1.1 that is looked after for the whole connection.
    patience: Option<Box<Patience>>,
}

/// For how long a client may send nothing in the middle of a body.
struct Patience {
    limit: Micros,
    timer: Timer,
    control: Rc<Control>,
    waiting: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// Why a body comes to no end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Interrupted {
    #[error("the client is gone")]
    Gone(#[source] hyper::Error),
    #[error("the client sends nothing more")]
    Stalled,
}

/// Where a client waits to be asked for its body (`Expect: 100-continue`, RFC 9110 §10.1.1), so does the proxy.
struct Gate {
    asked: Arc<Asked>,
    /// A target that never asks is sent the body all the same.
    patience: Pin<Box<dyn Future<Output = ()>>>,
}

/// Whether the target has asked; the HTTP library wants to send this from thread to thread.
#[derive(Default)]
struct Asked {
    yes: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

/// How long a target may take to ask.
const PATIENCE: Micros = Micros::from_secs(1);

/// Lets the body of a request wait until its target asks for it, if the client waits, too.
pub(super) fn wait_to_be_asked(request: &mut Request<Upload>, timer: &Timer) {
    let expects = request.headers().get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if !expects || !request.body().read.is_empty() || request.body().is_end_stream() {
        return;
    }
    let asked = Arc::<Asked>::default();
    let (asks, timer) = (Arc::clone(&asked), timer.clone());
    hyper::ext::on_informational(request, move |answer| {
        if answer.status() == StatusCode::CONTINUE {
            asks.open();
        }
    });
    request.body_mut().gate = Some(Box::new(Gate { asked, patience: Box::pin(async move { timer.sleep(PATIENCE).await }) }));
}

impl Asked {
    fn open(&self) {
        self.yes.store(true, Ordering::Relaxed);
        if let Some(waiting) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waiting.wake();
        }
    }
}

impl Gate {
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.asked.yes.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        *self.asked.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        self.patience.as_mut().poll(cx)
    }
}

impl Patience {
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waiting = self.waiting.get_or_insert_with(|| {
            let (timer, limit) = (self.timer.clone(), self.limit);
            Box::pin(async move { timer.sleep(limit).await })
        });
        ready!(waiting.as_mut().poll(cx));
        self.control.stall();
        Poll::Ready(())
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patience").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Upload {
    /// A body of which nothing was read.
    pub(super) fn of(rest: Incoming) -> Upload {
        Upload { read: VecDeque::new(), rest, gate: None, patience: None }
    }

    /// A body whose beginning was read.
    pub(super) fn after(read: VecDeque<Frame<Bytes>>, rest: Incoming) -> Upload {
        Upload { read, rest, gate: None, patience: None }
    }

    /// The same, on this stream of HTTP/2, whose client may be silent for so long.
    pub(super) fn patient(mut self, control: &Rc<Control>, timer: &Timer, limit: Micros) -> Upload {
        if control.is_http2() && !self.rest.is_end_stream() {
            let patience = Patience { limit, timer: timer.clone(), control: Rc::clone(control), waiting: None };
            self.patience = Some(Box::new(patience));
        }
        self
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        match (Pin::new(&mut self.rest).poll_frame(cx), &mut self.patience) {
            (Poll::Ready(frame), patience) => {
                if let Some(patience) = patience {
                    patience.waiting = None;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Interrupted::Gone)))
            }
            (Poll::Pending, Some(patience)) => patience.poll_over(cx).map(|()| Some(Err(Interrupted::Stalled))),
            (Poll::Pending, None) => Poll::Pending,
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        if let Some(gate) = &mut self.gate {
            ready!(gate.poll_open(cx));
            self.gate = None;
        }
        match self.read.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => self.poll_rest(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.read.iter().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + read);
        }
        hint
    }
}
