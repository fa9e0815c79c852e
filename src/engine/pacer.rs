//! The pacer: starts every arrival of its worker's share at its scheduled moment, or says why not.
//!
//! It waits on the precise timer for the next arrival and then starts everything that is due. An arrival that
//! finds no free lane is dropped and counted, or, where the plan says `queue`, waits its turn: the pacer
//! simply stands still, since the arrivals behind it are computed and need no queue of their own.

use std::rc::Rc;

use crate::id::StageIx;
use crate::plan::{AtLimit, Shape};
use crate::record::Recorder;
use crate::units::Offset;
use crate::workload::{Visit, Visits, closed_visit};

use super::Stop;
use super::session::Room;
use super::worker::Worker;

/// A run that is cut off counts the arrivals it never started, but not for longer than so many take (some tenths of a second).
const MOST_COUNTED: usize = 5_000_000;

/// After so many arrivals in one go the pacer lets the sessions have a turn.
const BREATH: usize = 64;

/// Plays the worker's share of the schedule to its end, or until the run is stopped.
///
/// Returns the order-free digest of the arrivals in its share.
pub(super) async fn pace<R: Recorder + 'static>(worker: &Rc<Worker<R>>) -> u64 {
    let mut digest = 0u64;
    let mut visits = Visits::new(&worker.plan).filter(|visit| visit.arrival % u64::from(worker.workers) == u64::from(worker.index));
    let mut stopped = false;
    for (count, visit) in (&mut visits).enumerate() {
        digest = digest.wrapping_add(fingerprint(worker.plan.seed, &visit));
        if count % BREATH == BREATH - 1 {
            // What is due, or only counted, is gone through without waiting: sessions must have their turn meanwhile.
            tokio::task::yield_now().await;
            if count > MOST_COUNTED && worker.stopped() == Stop::Cut {
                break;
            }
        }
        stopped = stopped || !ready_for(worker, &visit).await;
        if stopped {
            worker.recorder.borrow_mut().unstarted(visit.stage, visit.at);
        } else if !worker.begin(visit) {
            worker.recorder.borrow_mut().dropped(visit.stage, visit.at);
        }
    }
    digest
}

fn fingerprint(seed: crate::seed::Seed, visit: &Visit) -> u64 {
    seed.draw("digest").with(visit.arrival).with(u64::from(visit.scenario.0)).with(visit.at.0.0).bits()
}

/// Until when an arrival may wait for a lane: the queue ends with the drain, or a target that hangs would keep it for good.
fn queue_ends<R: Recorder + 'static>(worker: &Worker<R>) -> Offset {
    worker.plan.schedule_end() + worker.plan.load.drain
}

/// Waits until the visit is due, and has a lane where it may wait for one; false if the run was stopped, or is over.
async fn ready_for<R: Recorder + 'static>(worker: &Rc<Worker<R>>, visit: &Visit) -> bool {
    if worker.timer.clock().now() < visit.at && !worker.until(visit.at).await {
        return false;
    }
    if worker.stopped() != Stop::No {
        return false;
    }
    match worker.plan.load.at_limit {
        AtLimit::Drop => true,
        AtLimit::Queue => worker.lane_free(queue_ends(worker)).await,
    }
}

/// Plays the closed stages: each user begins again as soon as the last session has ended.
///
/// Users do not wait for one another: one that a slow answer holds beyond the end of a stage is late for the next alone.
pub(super) async fn closed_stages<R: Recorder + 'static>(worker: &Rc<Worker<R>>) {
    let users = worker.plan.load.stages.iter().filter_map(|stage| users_of(&stage.shape)).max().unwrap_or(0);
    let users_here = (0..users).filter(|user| user % worker.workers == worker.index);
    let tasks: Vec<_> = users_here
        .map(|user| {
            let worker = Rc::clone(worker);
            tokio::task::spawn_local(async move { one_user(&worker, user).await })
        })
        .collect();
    for task in tasks {
        // A user that panicked has ended like any other; the panic itself is reported by the shell.
        let _ = task.await;
    }
}

fn users_of(shape: &Shape) -> Option<u32> {
    match shape {
        Shape::Closed { users } => Some(*users),
        Shape::Open(_) => None,
    }
}

async fn one_user<R: Recorder + 'static>(worker: &Rc<Worker<R>>, user: u32) {
    let mut room = Room::default();
    for (ix, stage) in worker.plan.load.stages.iter().enumerate() {
        let Some(users) = users_of(&stage.shape).filter(|users| user < *users) else { continue };
        if !worker.until(stage.start).await {
            return;
        }
        for iteration in 0.. {
            let now = worker.timer.clock().now();
            if now >= stage.start + stage.length || worker.stopped() != Stop::No {
                break;
            }
            worker.play_closed(closed_visit(&worker.plan, StageIx::from(ix), users, user, iteration, now), user, &mut room).await;
        }
    }
}
