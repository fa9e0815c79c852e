//! Watches a run until it ends: shows progress, hears signals, and stops it where a gate says so.
//!
//! The first Ctrl-C (or SIGTERM) ends the run in order: no further arrivals, what is in flight may finish within
//! the drain. A second one cuts it off at once. Either way the report is written, marked incomplete.

use std::collections::VecDeque;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::clock::Clock;
use crate::engine::{Running, Stop};
use crate::gate::{Gate, Metric};
use crate::record::Glance;
use crate::report::EndedBy;
use crate::units::{Micros, Offset};

use super::progress::Progress;

/// How often the run is looked at.
const LOOK_EVERY: Micros = Micros::from_millis(125);

/// Signals that end a run; listened to from before anything is sent.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen; the default action of both signals is off from here on.
    ///
    /// # Errors
    /// Where the system does not let us.
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next one, as what it makes of the run.
    pub async fn next(&mut self) -> EndedBy {
        tokio::select! {
            _ = self.interrupt.recv() => EndedBy::Sigint,
            _ = self.terminate.recv() => EndedBy::Sigterm,
        }
    }
}

/// Watches until every worker is done; returns what ended the run.
pub async fn watch<R>(running: &Running<R>, clock: Clock, gates: &[Gate], signals: &mut Signals, mut progress: Progress) -> EndedBy {
    let mut ended_by = EndedBy::Schedule;
    let mut aborts = Aborts::new(gates);
    let mut looks = tokio::time::interval(LOOK_EVERY.as_duration());
    while !running.is_finished() {
        tokio::select! {
            _ = looks.tick() => {
                let (now, glance) = (clock.now(), running.glance());
                progress.show(now, glance);
                if ended_by == EndedBy::Schedule && let Some(gate) = aborts.look(now, glance) {
                    progress.say(&format!("stopped by the gate `{gate}`: what is in flight is cut off"));
                    ended_by = EndedBy::AbortGate;
                    running.stop(Stop::Cut);
                }
            }
            signal = signals.next() => {
                let first = ended_by == EndedBy::Schedule;
                ended_by = signal;
                if first {
                    progress.say("stopping: no further arrivals, what is in flight may finish; once more cuts it off");
                    running.stop(Stop::Drain);
                } else {
                    progress.say("cut off: writing the report");
                    running.stop(Stop::Cut);
                }
            }
        }
    }
    progress.finish();
    ended_by
}

/// Gates that stop a run: each looks at a sliding stretch of time.
struct Aborts<'g> {
    gates: Vec<(&'g Gate, Micros)>,
    seen: VecDeque<(Offset, Glance)>,
    longest: Micros,
}

/// An abort gate decides on no fewer exchanges than this: two failures of two are no outage.
const FEWEST: u64 = 20;

impl<'g> Aborts<'g> {
    fn new(gates: &'g [Gate]) -> Aborts<'g> {
        let gates: Vec<_> = gates.iter().filter_map(|gate| gate.abort_over.map(|over| (gate, over))).collect();
        let longest = gates.iter().map(|(_, over)| *over).max().unwrap_or_default();
        Aborts { gates, seen: VecDeque::new(), longest }
    }

    /// The requirement of a gate that is violated over its whole stretch.
    fn look(&mut self, now: Offset, glance: Glance) -> Option<&'g str> {
        if self.gates.is_empty() {
            return None;
        }
        self.seen.push_back((now, glance));
        while self.seen.len() > 2 && self.seen.get(1).is_some_and(|(at, _)| now.since(*at) >= self.longest) {
            self.seen.pop_front();
        }
        self.gates.iter().find(|(gate, over)| self.violated(gate, *over, now, glance)).map(|(gate, _)| gate.require.as_str())
    }

    fn violated(&self, gate: &Gate, over: Micros, now: Offset, glance: Glance) -> bool {
        let Some((_, before)) = self.seen.iter().rev().find(|(at, _)| now.since(*at) >= over) else { return false };
        let grown = |now: u64, before: u64| now.saturating_sub(before);
        let (part, whole) = match gate.metric {
            Metric::ErrorRate => (grown(glance.not_ok, before.not_ok), grown(glance.ok + glance.not_ok, before.ok + before.not_ok)),
            Metric::DropRate => {
                (grown(glance.dropped, before.dropped), grown(glance.started + glance.dropped, before.started + before.dropped))
            }
            _ => return false,
        };
        whole >= FEWEST && !gate.op.holds(part as f64 / whole as f64, gate.limit)
    }
}
