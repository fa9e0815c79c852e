//! One session: the steps of a scenario, in order, until one is not ok.

use crate::id::StepIx;
use crate::record::Recorder;
use crate::workload::{Memory, Visit};

use super::exchange::{self, Exchange};
use super::lane::Lane;
use super::worker::Worker;

/// What a lane keeps from session to session: buffers only.
#[derive(Default)]
pub(super) struct Room {
    pub(super) memory: Memory,
    pub(super) body: Vec<u8>,
}

/// Plays a session to its end.
pub(super) async fn play<R: Recorder + 'static>(worker: &Worker<R>, lane: &Lane, room: &mut Room, visit: Visit) {
    worker.recorder.borrow_mut().started(visit.stage, visit.at, worker.timer.clock().now());
    room.memory.clear();
    let scenario = &worker.plan.scenarios[visit.scenario.at()];
    let steps = scenario.steps.len();
    let mut due = visit.at;
    let mut ok = true;
    for index in 0..steps {
        let exchange = Exchange {
            visit: &visit,
            step: StepIx::from(index),
            policy: scenario.policy,
            due,
            steps_after: u32::try_from(steps - index - 1).unwrap_or(u32::MAX),
        };
        ok = exchange::carry_out(worker, lane, room, &exchange).await;
        if !ok {
            break;
        }
        if let (Some(think), true) = (&scenario.steps[index].think, index + 1 < steps) {
            let draw = worker.plan.seed.draw("think").with(visit.arrival).with(index as u64);
            worker.timer.sleep(think.sample(draw)).await;
        }
        due = worker.timer.clock().now();
    }
    let ended_at = worker.timer.clock().now();
    worker.recorder.borrow_mut().session(visit.stage, visit.at, ended_at, ok);
}
