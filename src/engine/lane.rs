//! Lanes: the places in which sessions are played, as many as may be in flight at once.
//!
//! A lane is a task that plays one session after another, with buffers it keeps, so that a new arrival costs no
//! new task. What is open in a lane is kept outside its future: when the run is cut off, the futures are
//! dropped and what they were doing is still known ([`Loose`]).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Poll, Waker};

use http::Method;

use crate::id::{AttemptNumber, ExchangeId, PolicyIx, StageIx};
use crate::plan::{Plan, Shape};
use crate::record::{Attempt, Board, Exchange, Outcome, Recorder};
use crate::units::{Micros, Offset};
use crate::wire::{Ending, Stamps};
use crate::workload::Visit;

/// How many sessions one worker may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// For arrivals of open stages: its share of `max_in_flight`, at least one.
    pub(crate) open: usize,
    /// For users of the largest closed stage.
    pub(crate) closed: usize,
    /// The slots of workers before this one.
    pub(crate) before: usize,
}

impl Shares {
    pub(crate) fn of(plan: &Plan, worker: u32, workers: u32) -> Shares {
        let share = |total: u32, worker: u32| (total / workers + u32::from(worker < total % workers)) as usize;
        let users =
            plan.load.stages.iter().map(|stage| if let Shape::Closed { users } = stage.shape { users } else { 0 }).max().unwrap_or(0);
        let of = |worker| (share(plan.load.max_in_flight, worker).max(1), share(users, worker));
        let before = (0..worker).map(of).map(|(open, closed)| open + closed).sum();
        let (open, closed) = of(worker);
        Shares { open, closed, before }
    }

    pub(crate) fn total(self) -> usize {
        self.open + self.closed
    }
}

/// One lane, as its worker and its own task see it.
pub(crate) struct Lane {
    /// Its place on the board, over all workers.
    pub(crate) slot: u32,
    visit: Cell<Option<Visit>>,
    waker: RefCell<Option<Waker>>,
    pub(crate) open: RefCell<Open>,
}

/// The exchange that a lane has open, with buffers that are used again.
#[derive(Default)]
pub(crate) struct Open {
    pub(crate) exchange: Option<(ExchangeId, StageIx, Option<PolicyIx>)>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) attempts: Vec<Attempt>,
    /// The attempt under way: when it began, and the wait before it.
    pub(crate) under_way: Option<(Offset, Option<Micros>)>,
    pub(crate) steps_after: u32,
}

impl Lane {
    pub(crate) fn new(slot: u32) -> Rc<Lane> {
        Rc::new(Lane { slot, visit: Cell::new(None), waker: RefCell::default(), open: RefCell::default() })
    }

    /// Gives the lane its next session; it must be free.
    pub(crate) fn give(&self, visit: Visit) {
        self.visit.set(Some(visit));
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// The session it was given and has not begun.
    pub(crate) fn take(&self) -> Option<Visit> {
        self.visit.take()
    }

    /// The lane's next session.
    pub(crate) async fn next(&self) -> Visit {
        std::future::poll_fn(|cx| match self.take() {
            Some(visit) => Poll::Ready(visit),
            None => {
                *self.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// What was open when the lane's future was dropped.
    pub(crate) fn cut(&self, outcome: Outcome, at: Offset) -> Option<Loose> {
        let mut open = self.open.borrow_mut();
        let (id, stage, policy) = open.exchange.take()?;
        Some(Loose {
            id,
            stage,
            policy,
            method: std::mem::take(&mut open.method),
            path: std::mem::take(&mut open.path),
            attempts: std::mem::take(&mut open.attempts),
            under_way: open.under_way.take(),
            steps_after: open.steps_after,
            outcome,
            at,
        })
    }
}

/// An exchange that was open when the run was cut off.
#[derive(Debug)]
pub struct Loose {
    id: ExchangeId,
    stage: StageIx,
    policy: Option<PolicyIx>,
    method: Method,
    path: String,
    attempts: Vec<Attempt>,
    under_way: Option<(Offset, Option<Micros>)>,
    steps_after: u32,
    outcome: Outcome,
    at: Offset,
}

impl Loose {
    /// Records the exchange as cut off. Its last attempt counts as sent if the proxy saw it, so the proxy must
    /// have stopped; without a proxy it counts as sent.
    pub fn record(mut self, board: Option<&Board>, recorder: &mut impl Recorder) {
        if let Some((started_at, waited)) = self.under_way {
            let number = AttemptNumber(self.attempts.last().map_or(1, |last| last.number.0 + 1));
            let proxy = board.and_then(|board| board.read(self.id.slot, number));
            self.attempts.push(Attempt {
                number,
                stamps: Stamps { started_at, ended_at: self.at, ..Stamps::default() },
                ending: Ending::Unfinished,
                sent: board.is_none() || proxy.is_some(),
                proxy,
                asked_to_wait: None,
                waited,
            });
        }
        recorder.exchange(&Exchange {
            id: self.id,
            stage: self.stage,
            policy: self.policy,
            path: &self.path,
            method: &self.method,
            outcome: self.outcome,
            ended_at: self.at,
            attempts: &self.attempts,
            skipped_steps: self.steps_after,
            stream: None,
            budget_refused: false,
        });
    }
}
