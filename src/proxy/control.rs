//! What the parts of the proxy tell each other about one connection to a client, or one stream of it.
//!
//! hyper owns the socket while it speaks HTTP on it. What hyper has no words for goes past it through a
//! [`Control`]: that everything written so far has left for the kernel, that a request has been under way for too
//! long, and how the connection is to end. On HTTP/1.1 an attempt has its connection to itself and is given the
//! connection's control; on HTTP/2 it is given one of its own, whose parent is the connection's.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use h2::Reason;

use super::effect::raw::RawAnswer;
use crate::units::Offset;

/// How a connection ends, or on HTTP/2 a stream.
///
/// On HTTP/1.1 it is carried out by `effect::carry_out` after hyper has let go of the connection. On HTTP/2 a
/// stream that is to end is reset with the code that [`Ending::code`] gives; the connection and its other streams
/// go on, but for [`Ending::GoAway`].
#[derive(Clone, Debug, Default)]
pub(super) enum Ending {
    /// As hyper leaves it.
    #[default]
    Plain,
    /// Closed in order, early.
    Cut,
    /// Reset.
    Reset,
    /// Our side is closed, the client's is read until it closes too.
    HalfClose,
    /// Nothing is said any more until the client goes away.
    Hold,
    /// Bytes that hyper would not write, in place of an answer.
    Raw(Box<RawAnswer>),
    /// HTTP/2: this request was not looked at, and may be sent again (RFC 9113 §8.7); elsewhere as [`Ending::Reset`].
    RefuseStream,
    /// HTTP/2: the stream is reset with this code (RFC 9113 §7); elsewhere as [`Ending::Reset`].
    ResetStream(u32),
    /// HTTP/2: the connection is given up with this code, and closed; elsewhere as [`Ending::Cut`].
    GoAway(u32),
}

impl Ending {
    /// The code that a stream of HTTP/2 is reset with.
    fn code(&self) -> Reason {
        match self {
            Ending::RefuseStream => Reason::REFUSED_STREAM,
            Ending::ResetStream(code) | Ending::GoAway(code) => Reason::from(*code),
            Ending::Reset => Reason::CANCEL,
            Ending::Plain | Ending::Cut | Ending::HalfClose | Ending::Hold | Ending::Raw(_) => Reason::INTERNAL_ERROR,
        }
    }
}

/// What hyper is told where a connection or stream ends before its answer does; the client sees the [`Ending`].
#[derive(Debug)]
pub(super) struct Ended {
    /// On HTTP/2 the code that the stream is reset with: hyper looks for it among the sources of an error.
    code: Option<h2::Error>,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection ends here")
    }
}

impl std::error::Error for Ended {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.code.as_ref().map(|code| code as &(dyn std::error::Error + 'static))
    }
}

/// What a connection is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    GoOn,
    /// Finish the answer under way and close.
    WindDown,
    /// End at once.
    Abort,
}

/// What is known about the request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// No byte of the next one has come.
    Awaited,
    /// Its first byte came then.
    Since(Offset),
    /// It is complete, and its request is being served.
    Served,
}

/// What the parts of the proxy tell each other about one connection or stream.
pub(super) struct Control {
    /// The connection's, where this one is a stream's.
    parent: Option<Rc<Control>>,
    ending: RefCell<Ending>,
    order: Cell<Order>,
    head: Cell<Head>,
    /// How often everything that was written had been given to the kernel.
    flushes: Cell<u64>,
    /// The same when this attempt began to wait for it.
    flushes_before: Cell<Option<u64>>,
    /// Who waits for it.
    unflushed: RefCell<Vec<Waker>>,
    task: RefCell<Option<Waker>>,
}

impl Control {
    /// The control of a connection.
    pub(super) fn new() -> Control {
        Control::below(None)
    }

    /// The control of a stream of HTTP/2 on this connection.
    pub(super) fn stream(connection: &Rc<Control>) -> Control {
        Control::below(Some(Rc::clone(connection)))
    }

    fn below(parent: Option<Rc<Control>>) -> Control {
        Control {
            parent,
            ending: RefCell::default(),
            order: Cell::new(Order::GoOn),
            head: Cell::new(Head::Awaited),
            flushes: Cell::new(0),
            flushes_before: Cell::new(None),
            unflushed: RefCell::default(),
            task: RefCell::new(None),
        }
    }

    /// Whether the attempt has a stream of HTTP/2, and not a connection to itself.
    pub(super) fn is_http2(&self) -> bool {
        self.parent.is_some()
    }

    /// Says how the connection or stream is to end. hyper is then given the error returned, as the result of the
    /// service or of a body's frame, which makes it let go.
    pub(super) fn end(&self, ending: Ending) -> Ended {
        let Some(connection) = &self.parent else {
            self.ending.replace(ending);
            return Ended { code: None };
        };
        let code = ending.code();
        if matches!(ending, Ending::GoAway(_)) {
            connection.ending.replace(ending);
            connection.wake();
        }
        Ended { code: Some(h2::Error::from(code)) }
    }

    /// How the connection is to end; to be asked once, when hyper has let go of it.
    pub(super) fn take_ending(&self) -> Ending {
        self.ending.take()
    }

    /// The code with which an HTTP/2 connection is to be given up.
    pub(super) fn giving_up(&self) -> Option<u32> {
        match *self.ending.borrow() {
            Ending::GoAway(code) => Some(code),
            _ => None,
        }
    }

    /// Tells the connection's task what to do; a later order can only be more urgent.
    pub(super) fn order(&self, order: Order) {
        self.order.set(self.order.get().max(order));
        self.wake();
    }

    fn wake(&self) {
        if let Some(task) = self.task.borrow().as_ref() {
            task.wake_by_ref();
        }
    }

    /// The order to follow; remembers whom to wake when it changes.
    pub(super) fn orders(&self, cx: &Context<'_>) -> Order {
        let mut task = self.task.borrow_mut();
        if task.as_ref().is_none_or(|task| !task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        self.order.get()
    }

    /// Waits until the connection is told to end at once, or, if it is of no use any more, to wind down.
    pub(super) async fn until(&self, order: Order) {
        std::future::poll_fn(|cx| if self.orders(cx) >= order { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// A byte of a request head has come.
    pub(super) fn head_begins(&self, now: Offset) {
        if self.head.get() == Head::Awaited {
            self.head.set(Head::Since(now));
        }
    }

    /// A request head is complete.
    pub(super) fn head_complete(&self) {
        self.head.set(Head::Served);
    }

    /// The answer is complete: the next bytes begin another request.
    pub(super) fn answered(&self) {
        self.head.set(Head::Awaited);
    }

    /// What is known about the request head.
    pub(super) fn head(&self) -> Head {
        self.head.get()
    }

    /// Whether a request head has been under way since before `limit`.
    pub(super) fn head_overdue(&self, limit: Offset) -> bool {
        matches!(self.head.get(), Head::Since(since) if since < limit)
    }

    /// Ready once everything written so far has been given to the kernel; to be asked by a service or a body.
    pub(super) fn poll_flushed(&self, cx: &Context<'_>) -> Poll<()> {
        let connection = self.parent.as_deref().unwrap_or(self);
        match self.flushes_before.get() {
            Some(before) if connection.flushes.get() > before => {
                self.flushes_before.set(None);
                return Poll::Ready(());
            }
            Some(_) => {}
            None => self.flushes_before.set(Some(connection.flushes.get())),
        }
        connection.unflushed.borrow_mut().push(cx.waker().clone());
        if self.parent.is_some() {
            connection.wake();
        }
        Poll::Pending
    }

    /// Waits until everything written so far has been given to the kernel.
    pub(super) async fn flushed(&self) {
        std::future::poll_fn(|cx| self.poll_flushed(cx)).await;
    }

    /// Everything that was written has been given to the kernel: those who waited for it go on.
    pub(super) fn has_flushed(&self) {
        self.flushes.set(self.flushes.get() + 1);
        self.unflushed.borrow_mut().drain(..).for_each(Waker::wake);
    }
}
