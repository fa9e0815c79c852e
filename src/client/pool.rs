//! The connections of one worker: at most so many, the last one used first, whoever waits first is served first.
//!
//! A socket is counted from the moment someone may open it until it is closed, so the number a target sees never
//! exceeds the plan's. Waiting for one is the generator's own queue: it is part of an attempt's `wait`, never hidden.
//! Idle connections that are past their time are closed when the pool is next used.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::http1::Http1;
use super::http2::{Http2, Slot};
use crate::units::{Micros, Offset};

/// The connections of one worker.
#[derive(Debug)]
pub(super) struct Pool {
    limits: Limits,
    state: RefCell<State>,
}

/// What a pool allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Sockets at most; at least 1.
    pub(super) sockets: usize,
    /// Streams at a time on one HTTP/2 connection; at least 1.
    pub(super) streams: u32,
    pub(super) idle_timeout: Micros,
}

#[derive(Debug, Default)]
struct State {
    /// Whether new connections are expected to speak HTTP/2, so that requests wait to share one.
    http2: bool,
    /// Sockets: idle, in use, being made.
    open: usize,
    /// Of these, being made.
    being_made: usize,
    /// Idle HTTP/1.1 connections and since when, the last used at the back.
    idle: VecDeque<(Box<Http1>, Offset)>,
    /// HTTP/2 connections.
    shared: Vec<Rc<Http2>>,
    /// Who waits, in order; numbers ascend.
    queue: VecDeque<(u64, Waker)>,
    next_ticket: u64,
}

/// What an attempt may use.
#[derive(Debug)]
pub(super) enum Lease {
    /// A connection that was used before.
    Reused(Box<Http1>, Permit),
    /// A stream on a shared connection.
    Stream(Slot),
    /// A socket may be opened.
    New(Permit),
}

impl Pool {
    pub(super) fn new(limits: Limits, http2: bool) -> Rc<Pool> {
        let limits = Limits { sockets: limits.sockets.max(1), streams: limits.streams.max(1), ..limits };
        Rc::new(Pool { limits, state: RefCell::new(State { http2, ..State::default() }) })
    }

    /// A lease at once, unless something must be waited for or others wait already.
    pub(super) fn try_lease(self: &Rc<Pool>, now: Offset) -> Option<Lease> {
        self.close_expired(now);
        if self.state.borrow().queue.is_empty() { self.take() } else { None }
    }

    /// A lease, when it is our turn. Dropping the future gives the turn to the next.
    pub(super) fn lease(self: &Rc<Pool>) -> Waiting<'_> {
        Waiting { pool: self, ticket: None }
    }

    fn take(self: &Rc<Pool>) -> Option<Lease> {
        let mut state = self.state.borrow_mut();
        if let Some((connection, _)) = state.idle.pop_back() {
            return Some(Lease::Reused(connection, self.permit()));
        }
        let shared = state.shared.iter().filter(|shared| shared.has_room(self.limits.streams)).min_by_key(|shared| shared.streams());
        if let Some(shared) = shared {
            return Some(Lease::Stream(Http2::occupy(shared, Rc::clone(self))));
        }
        // Requests that will share a connection wait for the one being made, rather than each make its own.
        let share_the_next = state.http2 && state.being_made > 0;
        if state.open < self.limits.sockets && !share_the_next {
            state.open += 1;
            state.being_made += 1;
            return Some(Lease::New(self.being_made()));
        }
        None
    }

    fn permit(self: &Rc<Pool>) -> Permit {
        Permit { pool: Rc::clone(self), being_made: false }
    }

    fn being_made(self: &Rc<Pool>) -> Permit {
        Permit { pool: Rc::clone(self), being_made: true }
    }

    /// Adds an HTTP/2 connection for others to share.
    pub(super) fn share(&self, connection: Rc<Http2>) {
        self.state.borrow_mut().shared.push(connection);
        self.wake_next();
    }

    /// Takes an HTTP/2 connection out of use; streams on it go on.
    pub(super) fn retire(&self, connection: &Rc<Http2>) {
        self.state.borrow_mut().shared.retain(|shared| !Rc::ptr_eq(shared, connection));
    }

    /// Lets the first in the queue look again.
    pub(super) fn wake_next(&self) {
        if let Some((_, waker)) = self.state.borrow().queue.front() {
            waker.wake_by_ref();
        }
    }

    /// Whether anyone waits; for tests.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.state.borrow().queue.len()
    }

    /// Closes what lies idle, and lets what is in use close after its last stream.
    pub(super) fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.open -= state.idle.len();
        state.idle.clear();
        state.shared.clear();
    }

    fn close_expired(&self, now: Offset) {
        let mut state = self.state.borrow_mut();
        let timeout = self.limits.idle_timeout;
        while state.idle.front().is_some_and(|(_, since)| now.since(*since) >= timeout) {
            state.idle.pop_front();
            state.open -= 1;
        }
        state.shared.retain(|shared| !shared.is_closed() && shared.idle_since().is_none_or(|since| now.since(since) < timeout));
    }
}

/// The right to one socket, from before it is opened until it is closed.
#[derive(Debug)]
pub(super) struct Permit {
    pool: Rc<Pool>,
    being_made: bool,
}

impl Permit {
    /// The connection is made; `http2` says what the next one is expected to speak.
    pub(super) fn made(&mut self, http2: bool) {
        let mut state = self.pool.state.borrow_mut();
        state.http2 = http2;
        if std::mem::take(&mut self.being_made) {
            state.being_made -= 1;
        }
    }

    /// Another connection is made in place of a dead one.
    pub(super) fn make_again(&mut self) {
        if !std::mem::replace(&mut self.being_made, true) {
            self.pool.state.borrow_mut().being_made += 1;
        }
    }

    /// Puts the connection back for others.
    pub(super) fn keep(self, connection: Box<Http1>, now: Offset) {
        let mut state = self.pool.state.borrow_mut();
        state.idle.push_back((connection, now));
        // The permit goes with it: dropping this one would otherwise count the socket as closed.
        state.open += 1;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.pool.state.borrow_mut();
        state.open -= 1;
        if self.being_made {
            state.being_made -= 1;
        }
        drop(state);
        self.pool.wake_next();
    }
}

/// A place in the queue.
pub(super) struct Waiting<'p> {
    pool: &'p Rc<Pool>,
    ticket: Option<u64>,
}

impl Future for Waiting<'_> {
    type Output = Lease;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Lease> {
        let pool = self.pool;
        let our_turn = {
            let state = pool.state.borrow();
            state.queue.front().is_none_or(|(first, _)| Some(*first) == self.ticket)
        };
        if our_turn && let Some(lease) = pool.take() {
            self.leave();
            return Poll::Ready(lease);
        }
        let mut state = pool.state.borrow_mut();
        match self.ticket {
            Some(ticket) => {
                if let Ok(at) = state.queue.binary_search_by_key(&ticket, |(ticket, _)| *ticket) {
                    state.queue[at].1.clone_from(cx.waker());
                }
            }
            None => {
                let ticket = state.next_ticket;
                state.next_ticket += 1;
                state.queue.push_back((ticket, cx.waker().clone()));
                drop(state);
                self.ticket = Some(ticket);
            }
        }
        Poll::Pending
    }
}

impl Waiting<'_> {
    /// Gives up the place; whoever is first then may look again.
    fn leave(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let mut state = self.pool.state.borrow_mut();
            if let Ok(at) = state.queue.binary_search_by_key(&ticket, |(ticket, _)| *ticket) {
                state.queue.remove(at);
            }
            drop(state);
            self.pool.wake_next();
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(sockets: usize, http2: bool) -> Rc<Pool> {
        Pool::new(Limits { sockets, streams: 2, idle_timeout: Micros::from_secs(1) }, http2)
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn no_more_sockets_are_given_than_allowed_and_a_closed_one_is_given_again() {
        let pool = pool(2, false);
        let first = pool.try_lease(Offset::START).expect("one");
        let _second = pool.try_lease(Offset::START).expect("two");
        assert!(pool.try_lease(Offset::START).is_none());
        drop(first);
        assert!(pool.try_lease(Offset::START).is_some());
    }

    #[test]
    fn who_waits_first_is_served_first_and_nobody_passes() {
        let pool = pool(1, false);
        let held = pool.try_lease(Offset::START);
        let mut first = std::pin::pin!(pool.lease());
        let mut second = std::pin::pin!(pool.lease());
        assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
        drop(held);
        assert!(pool.try_lease(Offset::START).is_none(), "a newcomer passes the queue");
        assert!(poll(second.as_mut()).is_pending(), "the second passes the first");
        assert!(poll(first.as_mut()).is_ready());
        assert!(poll(second.as_mut()).is_ready(), "the lease of the first was dropped at once");
        assert_eq!(pool.waiting(), 0);
    }

    #[test]
    fn who_gives_up_waiting_leaves_the_queue() {
        let pool = pool(1, false);
        let held = pool.try_lease(Offset::START);
        {
            let mut gone = std::pin::pin!(pool.lease());
            assert!(poll(gone.as_mut()).is_pending());
            assert_eq!(pool.waiting(), 1);
        }
        assert_eq!(pool.waiting(), 0);
        drop(held);
        assert!(pool.try_lease(Offset::START).is_some());
    }

    #[test]
    fn requests_that_will_share_a_connection_wait_for_it_to_be_made() {
        let pool = pool(8, true);
        let Some(Lease::New(mut permit)) = pool.try_lease(Offset::START) else { panic!("a socket may be opened") };
        assert!(pool.try_lease(Offset::START).is_none());
        permit.made(false);
        assert!(matches!(pool.try_lease(Offset::START), Some(Lease::New(_))), "it turned out that nothing can be shared");
    }
}
