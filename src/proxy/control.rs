//! What the parts of the proxy tell each other about one connection to a client, or one stream of it.
//!
//! hyper owns the socket while it speaks HTTP on it. What hyper has no words for goes past it through a
//! [`Control`]: that everything written so far has left for the kernel, that a request has been under way for too
//! long, and how the connection is to end. On HTTP/1.1 an attempt has its connection to itself and is given the
//! connection's control; on HTTP/2 it is given one of its own, whose parent is the connection's.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use h2::Reason;
use http::uri::Authority;

use super::effect::raw::RawAnswer;
use super::guard::Pending;
use super::routes::Origin;
use super::session::Met;
use super::socket::ClientStream;
use super::tunnel::FarEnd;
use crate::clock::Clock;
use crate::units::{Micros, Offset};

/// How a connection ends, or on HTTP/2 a stream.
///
/// On HTTP/1.1 it is carried out by `effect::carry_out` after hyper has let go of the connection. On HTTP/2 a
/// stream that is to end is reset with the code that [`Ending::code`] gives; the connection and its other streams
/// go on, but for [`Ending::GoAway`].
#[derive(Debug, Default)]
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
            Ending::Plain | Ending::Cut | Ending::HalfClose | Ending::Raw(_) => Reason::INTERNAL_ERROR,
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

/// How an attempt was told to end, as far as whoever records it wants to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Told {
    /// In order, early.
    #[default]
    Closed,
    Reset,
    /// By bytes that are no sound answer.
    Raw,
}

impl Told {
    const fn of(ending: &Ending) -> Told {
        match ending {
            Ending::Plain | Ending::Cut | Ending::HalfClose | Ending::GoAway(_) => Told::Closed,
            Ending::Reset | Ending::RefuseStream | Ending::ResetStream(_) => Told::Reset,
            Ending::Raw(_) => Told::Raw,
        }
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

/// What of a request has come and what has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arriving {
    /// What has come ends where a request ends.
    Nothing,
    /// A head whose first byte came then.
    Head(Offset),
    /// A body whose last byte so far came then.
    Body(Offset),
}

/// What follows when HTTP is over on a connection, other than its end.
pub(super) enum Next {
    /// Bytes, both ways, between the client and this end.
    Tunnel(FarEnd),
    /// HTTP again, with requests that go there.
    Origin(Authority),
}

/// What the parts of the proxy tell each other about one connection or stream.
pub(super) struct Control {
    /// The connection's, where this one is a stream's.
    parent: Option<Rc<Control>>,
    /// The client's.
    address: Cell<IpAddr>,
    clock: Clock,
    ending: RefCell<Ending>,
    told: Cell<Told>,
    /// An attempt that ends with the connection or stream.
    kept: RefCell<Option<Met>>,
    /// Its number among connections.
    number: Cell<u64>,
    order: Cell<Order>,
    task: RefCell<Option<Waker>>,
    arriving: Cell<Arriving>,
    /// Whether the socket had nothing to read when it was looked at last.
    starved: Cell<bool>,
    /// Whether a request is being served.
    serving: Cell<bool>,
    /// Whether what the client sends was refused.
    refused: Cell<bool>,
    /// Whether the rest of the body was waited for in vain.
    stalled: Cell<bool>,
    /// Streams of HTTP/2 that are open.
    streams: Cell<u32>,
    /// Since when there were none when that was so last; `None` where HTTP/2 is not spoken.
    silent_since: Cell<Option<Offset>>,
    /// Requests so far; of a stream those up to its own.
    requests: Cell<u32>,
    /// Whether the last of them gives up the connection, and was not processed.
    spared: Cell<bool>,
    /// The same when the connection was looked after last.
    requests_before: Cell<u32>,
    /// Whether the connection is to give up its buffers.
    doze: Cell<bool>,
    /// Whether everything that was written has been given to the kernel.
    settled: Cell<bool>,
    /// How often it had been.
    flushes: Cell<u64>,
    /// The same when this attempt began to wait for it.
    flushes_before: Cell<Option<u64>>,
    /// Who waits for it.
    unflushed: RefCell<Vec<Waker>>,
    next: RefCell<Option<Box<Next>>>,
    /// Where the requests on this connection go, if not to the target.
    origin: RefCell<Option<Origin>>,
    /// What HTTP/2 has let go of.
    released: RefCell<Option<ClientStream>>,
}

impl Control {
    /// The control of a connection.
    pub(super) fn new(clock: Clock) -> Control {
        Control::below(None, clock)
    }

    /// The control of a stream of HTTP/2 on this connection.
    pub(super) fn stream(connection: &Rc<Control>) -> Control {
        connection.requests.set(connection.requests.get() + 1);
        connection.streams.set(connection.streams.get() + 1);
        let stream = Control::below(Some(Rc::clone(connection)), connection.clock);
        stream.requests.set(connection.requests.get());
        stream
    }

    fn below(parent: Option<Rc<Control>>, clock: Clock) -> Control {
        let address = Cell::new(parent.as_ref().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |connection| connection.address()));
        Control {
            parent,
            address,
            clock,
            ending: RefCell::default(),
            told: Cell::default(),
            kept: RefCell::default(),
            number: Cell::new(0),
            order: Cell::new(Order::GoOn),
            task: RefCell::new(None),
            arriving: Cell::new(Arriving::Nothing),
            starved: Cell::new(false),
            serving: Cell::new(false),
            refused: Cell::new(false),
            stalled: Cell::new(false),
            streams: Cell::new(0),
            silent_since: Cell::new(None),
            requests: Cell::new(0),
            spared: Cell::new(false),
            requests_before: Cell::new(0),
            doze: Cell::new(false),
            settled: Cell::new(true),
            flushes: Cell::new(0),
            flushes_before: Cell::new(None),
            unflushed: RefCell::default(),
            next: RefCell::new(None),
            origin: RefCell::new(None),
            released: RefCell::new(None),
        }
    }

    /// Whose connection this is.
    pub(super) fn comes_from(&self, address: IpAddr) {
        self.address.set(address);
    }

    /// The client's address; of a client that was gone before it could be asked for, none in particular.
    pub(super) fn address(&self) -> IpAddr {
        self.address.get()
    }

    fn connection(&self) -> &Control {
        self.parent.as_deref().unwrap_or(self)
    }

    /// Whether the attempt has a stream of HTTP/2, and not a connection to itself.
    pub(super) fn is_http2(&self) -> bool {
        self.parent.is_some()
    }

    /// Says how the connection or stream is to end. hyper is then given the error returned, as the result of the
    /// service or of a body's frame, which makes it let go.
    pub(super) fn end(&self, ending: Ending) -> Ended {
        self.told.set(Told::of(&ending));
        let Some(connection) = &self.parent else {
            self.ending.replace(ending);
            return Ended { code: None };
        };
        let code = ending.code();
        if matches!(ending, Ending::GoAway(_)) {
            connection.spared.set(self.requests.get() == connection.requests.get());
            connection.ending.replace(ending);
            connection.wake();
        }
        Ended { code: Some(h2::Error::from(code)) }
    }

    /// How the attempt was told to end.
    pub(super) fn told(&self) -> Told {
        self.told.get()
    }

    /// Keeps an attempt until the connection or stream is over.
    pub(super) fn keep(&self, met: Met) {
        self.kept.replace(Some(met));
    }

    /// Gives the connection its number.
    pub(super) fn numbered(&self, number: u64) {
        self.number.set(number);
    }

    /// The connection's number, and whether the request at hand is the first on it.
    pub(super) fn number_of_request(&self) -> (u64, bool) {
        (self.connection().number.get(), self.requests.get() <= 1)
    }

    /// HTTP is over while the client may still be writing: what it sends is taken in, so that it can read what it was told.
    pub(super) fn end_in_order(&self) {
        let mut ending = self.ending.borrow_mut();
        if matches!(*ending, Ending::Plain) {
            *ending = Ending::Cut;
        }
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

    /// Bytes have come; this is still missing.
    pub(super) fn received(&self, pending: Pending) {
        self.starved.set(false);
        self.arriving.set(match (pending, self.arriving.get()) {
            (Pending::Nothing, _) => Arriving::Nothing,
            (Pending::Head, Arriving::Head(since)) => Arriving::Head(since),
            (Pending::Head, _) => Arriving::Head(self.clock.now()),
            (Pending::Body, _) => Arriving::Body(self.clock.now()),
        });
    }

    /// There was nothing to read.
    pub(super) fn starved(&self) {
        self.starved.set(true);
    }

    /// What the client sends can be read in two ways, or in none.
    pub(super) fn refuse(&self) {
        self.refused.set(true);
    }

    /// The rest of the body was waited for in vain.
    pub(super) fn stall(&self) {
        self.stalled.set(true);
    }

    /// Whether the rest of the body was waited for in vain.
    pub(super) fn has_stalled(&self) -> bool {
        self.stalled.get()
    }

    /// HTTP/2 is spoken from now on.
    pub(super) fn multiplexes(&self) {
        self.silent_since.set(Some(self.clock.now()));
    }

    /// For how long a connection of HTTP/2 has had no stream; `None` where it has one, or is none.
    pub(super) fn silent_for(&self, now: Offset) -> Option<Micros> {
        self.silent_since.get().filter(|_| self.streams.get() == 0).map(|since| now.since(since))
    }

    /// Whether what the client sends was refused.
    pub(super) fn has_refused(&self) -> bool {
        self.refused.get()
    }

    /// A request head is complete.
    pub(super) fn head_complete(&self) {
        self.serving.set(true);
        if self.parent.is_none() {
            self.requests.set(self.requests.get().wrapping_add(1));
        }
    }

    /// The answer is complete: the next bytes begin another request.
    pub(super) fn answered(&self) {
        self.serving.set(false);
        if let Arriving::Head(_) = self.arriving.get() {
            // The next head has begun to come meanwhile; its time runs from here.
            self.arriving.set(Arriving::Head(self.clock.now()));
        }
    }

    /// Whether the client is in the middle of a request.
    pub(super) fn is_arriving(&self) -> bool {
        self.arriving.get() != Arriving::Nothing
    }

    /// Whether a request head, or the next piece of a body that is waited for, has been missing since before `limit`.
    pub(super) fn is_overdue(&self, limit: Offset) -> bool {
        match self.arriving.get() {
            Arriving::Nothing => false,
            Arriving::Head(since) => !self.serving.get() && since < limit,
            Arriving::Body(since) => self.starved.get() && since < limit,
        }
    }

    /// Looks whether the connection has been idle since it was looked at last; if so, it is told to doze.
    pub(super) fn look_after(&self) {
        let requests = self.requests.get();
        if self.requests_before.replace(requests) == requests && requests > 0 && self.is_idle() {
            self.doze.set(true);
            self.wake();
        }
    }

    /// Whether the connection is to doze now.
    pub(super) fn falls_asleep(&self) -> bool {
        self.doze.take() && self.is_idle()
    }

    fn is_idle(&self) -> bool {
        !self.serving.get() && self.settled.get() && self.arriving.get() == Arriving::Nothing
    }

    /// The identifier of the last stream of HTTP/2 that may have been processed, by the order in which clients open
    /// them; 0 for none.
    pub(super) fn last_stream(&self) -> u32 {
        let processed = self.requests.get().saturating_sub(u32::from(self.spared.get()));
        processed.saturating_mul(2).saturating_sub(1)
    }

    /// Says what follows when HTTP is over on this connection.
    pub(super) fn follow(&self, next: Next) {
        self.next.replace(Some(Box::new(next)));
    }

    /// Whether HTTP is about to be over on this connection: what the client sends is no request.
    pub(super) fn is_changing(&self) -> bool {
        self.next.borrow().is_some()
    }

    /// What follows when HTTP is over on this connection.
    pub(super) fn take_next(&self) -> Option<Next> {
        self.next.take().map(|next| *next)
    }

    /// From now on requests go there.
    pub(super) fn lead_to(&self, origin: Origin) {
        self.origin.replace(Some(origin));
    }

    /// Where the requests on this connection go, if not to the target.
    pub(super) fn origin(&self) -> Option<Origin> {
        self.connection().origin.borrow().clone()
    }

    /// HTTP/2 lets go of the connection.
    pub(super) fn release(&self, stream: ClientStream) {
        self.released.replace(Some(stream));
    }

    /// What HTTP/2 has let go of.
    pub(super) fn take_released(&self) -> Option<ClientStream> {
        self.released.take()
    }

    /// Ready once everything written so far has been given to the kernel; to be asked by a service or a body.
    pub(super) fn poll_flushed(&self, cx: &Context<'_>) -> Poll<()> {
        let connection = self.connection();
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

    /// Something is about to be written.
    pub(super) fn writes(&self) {
        self.settled.set(false);
    }

    /// Whether everything that was written has been given to the kernel.
    pub(super) fn is_settled(&self) -> bool {
        self.settled.get()
    }

    /// Everything that was written has been given to the kernel: those who waited for it go on.
    pub(super) fn has_flushed(&self) {
        self.settled.set(true);
        self.flushes.set(self.flushes.get() + 1);
        self.unflushed.borrow_mut().drain(..).for_each(Waker::wake);
    }
}

/// A stream of HTTP/2 is over when nobody needs its control any more.
impl Drop for Control {
    fn drop(&mut self) {
        if let Some(connection) = &self.parent {
            connection.streams.set(connection.streams.get().saturating_sub(1));
            connection.silent_since.set(Some(self.clock.now()));
        }
    }
}
