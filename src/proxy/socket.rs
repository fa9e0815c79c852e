//! A client's connection as the proxy holds it: the socket, and what the parts of the proxy tell each other about it.
//!
//! hyper owns the socket while it speaks HTTP on it. Three things hyper has no words for go past it through a
//! [`Control`]: that everything written so far has left for the kernel, that a request head has been under way
//! for too long, and how the connection is to end.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::clock::Clock;
use crate::units::Offset;

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As hyper leaves it.
    Plain,
    /// Closed in order, early.
    Cut,
    /// Reset.
    Reset,
}

/// What a connection is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    GoOn,
    /// Finish the answer under way and close.
    WindDown,
    /// End at once.
    Abort,
}

/// What is known about the request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// No byte of the next one has come.
    Awaited,
    /// Its first byte came then.
    Since(Offset),
    /// It is complete, and its request is being served.
    Served,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flush {
    Unasked,
    Wanted,
    Done,
}

/// What the parts of the proxy tell each other about one connection.
pub(super) struct Control {
    ending: Cell<Ending>,
    order: Cell<Order>,
    head: Cell<Head>,
    flush: Cell<Flush>,
    task: RefCell<Option<Waker>>,
}

impl Control {
    pub(super) fn new() -> Control {
        Control {
            ending: Cell::new(Ending::Plain),
            order: Cell::new(Order::GoOn),
            head: Cell::new(Head::Awaited),
            flush: Cell::new(Flush::Unasked),
            task: RefCell::new(None),
        }
    }

    /// Says how the connection is to end; the caller then gives hyper an error, which makes it let go.
    pub(super) fn end(&self, ending: Ending) {
        self.ending.set(ending);
    }

    pub(super) fn ending(&self) -> Ending {
        self.ending.get()
    }

    /// Tells the connection's task what to do; a later order can only be more urgent.
    pub(super) fn order(&self, order: Order) {
        self.order.set(order);
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

    /// A request head is complete.
    pub(super) fn head_complete(&self) {
        self.head.set(Head::Served);
    }

    /// The answer is complete: the next bytes begin another request.
    pub(super) fn answered(&self) {
        self.head.set(Head::Awaited);
    }

    /// Whether a request head has been under way since before `limit`.
    pub(super) fn head_overdue(&self, limit: Offset) -> bool {
        matches!(self.head.get(), Head::Since(since) if since < limit)
    }

    /// Ready once everything written so far has been given to the kernel; to be asked by the answer's body alone,
    /// which is polled by the same task that flushes.
    pub(super) fn poll_flushed(&self) -> Poll<()> {
        if self.flush.get() == Flush::Done {
            self.flush.set(Flush::Unasked);
            return Poll::Ready(());
        }
        self.flush.set(Flush::Wanted);
        Poll::Pending
    }
}

/// The socket of one client.
pub(super) struct Socket {
    stream: TcpStream,
    clock: Clock,
    control: Rc<Control>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, clock: Clock, control: Rc<Control>) -> Socket {
        Socket { stream, clock, control }
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && self.control.head.get() == Head::Awaited {
            self.control.head.set(Head::Since(self.clock.now()));
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper calls this when its own buffer is empty: what the body has yielded so far has been written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.control.flush.get() == Flush::Wanted {
            self.control.flush.set(Flush::Done);
            cx.waker().wake_by_ref();
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
