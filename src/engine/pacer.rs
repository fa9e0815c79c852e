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

/// Plays the worker's share of the schedule to its end, or until the run is stopped.
///
/// Returns the order-free digest of the arrivals in its share.
pub(super) async fn pace<R: Recorder + 'static>(worker: &Rc<Worker<R>>) -> u64 {
    let mut digest = 0u64;
    let mut visits = Visits::new(&worker.plan).filter(|visit| visit.arrival % u64::from(worker.workers) == u64::from(worker.index));
    let mut stopped = false;
    for visit in &mut visits {
        digest = digest.wrapping_add(fingerprint(worker.plan.seed, &visit));
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

/// Waits until the visit is due, and has a lane where it may wait for one; false if the run was stopped.
async fn ready_for<R: Recorder + 'static>(worker: &Rc<Worker<R>>, visit: &Visit) -> bool {
    if worker.timer.clock().now() < visit.at && !worker.until(visit.at).await {
        return false;
    }
    if worker.stopped() != Stop::No {
        return false;
    }
    match worker.plan.load.at_limit {
        AtLimit::Drop => true,
        AtLimit::Queue => worker.lane_free().await,
    }
}

/// Plays the closed stages: each user begins again as soon as the last session has ended.
pub(super) async fn closed_stages<R: Recorder + 'static>(worker: &Rc<Worker<R>>) {
    for (ix, stage) in worker.plan.load.stages.iter().enumerate() {
        let Shape::Closed { users } = stage.shape else { continue };
        if !worker.until(stage.start).await {
            return;
        }
        let users_here: Vec<u32> = (0..users).filter(|user| user % worker.workers == worker.index).collect();
        let mut tasks = Vec::new();
        for user in users_here {
            let worker = Rc::clone(worker);
            let end = stage.start + stage.length;
            tasks.push(tokio::task::spawn_local(async move { one_user(&worker, StageIx::from(ix), users, user, end).await }));
        }
        for task in tasks {
            // A user that panicked has ended like any other; the panic itself is reported by the shell.
            let _ = task.await;
        }
    }
}

async fn one_user<R: Recorder + 'static>(worker: &Rc<Worker<R>>, stage: StageIx, users: u32, user: u32, end: Offset) {
    let mut room = Room::default();
    for iteration in 0.. {
        let now = worker.timer.clock().now();
        if now >= end || worker.stopped() != Stop::No {
            return;
        }
        worker.play_closed(closed_visit(&worker.plan, stage, users, user, iteration, now), user, &mut room).await;
    }
}
