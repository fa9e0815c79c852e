//! Carry out a plan: pacing, sessions, exchanges, drain.
//!
//! Every worker is a thread with a runtime of its own, its own connections, its own recorder: nothing is shared
//! per request. A worker takes every n-th arrival of the one schedule ([`pacer`]), gives it to a free lane
//! ([`lane`]), and the lane plays the session ([`session`]), one exchange after another ([`exchange`]): send,
//! judge, record, and repeat where the policy says so. At the end of the schedule what is in flight may finish
//! for the plan's `drain`; what is then still open is counted, never lost.
//!
//! [`start`] returns at once. The shell watches [`Running::glance`], may [`Running::stop`], and joins.

mod events;
mod exchange;
mod lane;
mod pacer;
pub mod probing;
pub mod replay;
mod session;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::client::Transport;
use crate::clock::{Clock, Timer};
use crate::plan::Plan;
use crate::record::{Board, Glance, Recorder};
use crate::units::{Micros, Offset};

pub use lane::Loose;

/// What a run needs beside its plan.
#[derive(Clone)]
pub struct Setup {
    pub plan: Arc<Plan>,
    /// Part of the identity headers and of `${run.id}`.
    pub run_id: String,
    /// Written in `Host`: the target's, even where the proxy stands between.
    pub authority: String,
    pub clock: Clock,
    /// Where the in-process proxy notes what it did; identity headers are sent exactly when it is there.
    pub board: Option<Arc<Board>>,
    /// One thread each, at least one.
    pub workers: u32,
    pub transports: Transports,
}

/// Makes the transport of one worker on its own thread: told the worker's timer, its number, and how many there are.
pub type Transports = Arc<dyn Fn(&Timer, u32, u32) -> std::io::Result<Transport> + Send + Sync>;

impl Setup {
    /// How many sessions can be open at once, over all workers: the size the board needs.
    pub fn sessions(plan: &Plan, workers: u32) -> usize {
        (0..workers.max(1)).map(|worker| lane::Shares::of(plan, worker, workers.max(1)).total()).sum()
    }
}

/// How a run is asked to end before its schedule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// It is not.
    #[default]
    No,
    /// No further arrivals; what is in flight may finish within the drain.
    Drain,
    /// At once.
    Cut,
}

/// A run under way.
pub struct Running<R> {
    threads: Vec<JoinHandle<std::io::Result<WorkerResult<R>>>>,
    stop: watch::Sender<Stop>,
    glances: Arc<Vec<Mutex<Glance>>>,
    in_flight: Arc<InFlight>,
}

/// What a run leaves behind.
pub struct Ran<R> {
    /// One per worker that did not die.
    pub recorders: Vec<R>,
    /// Exchanges that were open when the run was cut off. What the proxy noted about them is complete only
    /// once the proxy has stopped, so they are recorded after that: see [`Loose::record`].
    pub loose: Vec<Loose>,
    pub workers: Vec<WorkerUse>,
    /// When the last worker was done.
    pub ended_at: Offset,
    pub peak_in_flight: u64,
    /// Order-free sum over all arrivals of open stages: equal for two runs of one plan and seed.
    pub arrivals_digest: u64,
    /// Whether a worker panicked or could not start.
    pub broken: Vec<String>,
}

/// What one worker used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WorkerUse {
    /// Processor time of its thread in that time, where the system tells.
    pub cpu: Option<Micros>,
    /// From the starting shot to its last moment.
    pub wall: Micros,
    pub connections_made: u64,
}

pub(crate) struct WorkerResult<R> {
    recorder: R,
    loose: Vec<Loose>,
    used: WorkerUse,
    ended_at: Offset,
    arrivals_digest: u64,
}

/// Sessions begun and not ended, now and at most, over all workers.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    now: AtomicU64,
    peak: AtomicU64,
}

impl InFlight {
    pub(crate) fn begin(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        if now > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(now, Ordering::Relaxed);
        }
    }

    pub(crate) fn end(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts a run; `recorder` makes one recorder per worker.
///
/// # Errors
/// Where the system gives no thread.
pub fn start<R: Recorder + Send + 'static>(setup: &Setup, recorder: impl Fn() -> R) -> std::io::Result<Running<R>> {
    let workers = setup.workers.max(1);
    let (stop, _) = watch::channel(Stop::No);
    let glances: Arc<Vec<Mutex<Glance>>> = Arc::new((0..workers).map(|_| Mutex::default()).collect());
    let in_flight = Arc::new(InFlight::default());
    let mut threads = Vec::new();
    for worker in 0..workers {
        let job = worker::Job {
            setup: setup.clone(),
            worker,
            workers,
            stop: stop.subscribe(),
            glances: Arc::clone(&glances),
            in_flight: Arc::clone(&in_flight),
        };
        let recorder = recorder();
        threads.push(std::thread::Builder::new().name(format!("generator-{worker}")).spawn(move || worker::run(job, recorder))?);
    }
    Ok(Running { threads, stop, glances, in_flight })
}

impl<R> Running<R> {
    /// Asks the run to end; a later request can only be more urgent.
    pub fn stop(&self, how: Stop) {
        self.stop.send_if_modified(|now| {
            let urgent = how > *now;
            *now = (*now).max(how);
            urgent
        });
    }

    /// The running totals of all workers, at most a quarter of a second old.
    pub fn glance(&self) -> Glance {
        let mut total = Glance::default();
        for glance in self.glances.iter() {
            let one = glance.lock().map(|glance| *glance).unwrap_or_default();
            total.started += one.started;
            total.dropped += one.dropped;
            total.ok += one.ok;
            total.not_ok += one.not_ok;
            total.attempts += one.attempts;
            total.p99 = total.p99.max(one.p99);
        }
        total.in_flight = self.in_flight.now.load(Ordering::Relaxed);
        total
    }

    /// Whether every worker is done.
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Waits for every worker and takes what they leave.
    pub fn join(self) -> Ran<R> {
        let peak_in_flight = self.in_flight.peak.load(Ordering::Relaxed);
        let mut ran = Ran {
            recorders: Vec::new(),
            loose: Vec::new(),
            workers: Vec::new(),
            ended_at: Offset::START,
            peak_in_flight,
            arrivals_digest: 0,
            broken: Vec::new(),
        };
        for thread in self.threads {
            match thread.join() {
                Ok(Ok(result)) => {
                    ran.recorders.push(result.recorder);
                    ran.loose.extend(result.loose);
                    ran.workers.push(result.used);
                    ran.ended_at = ran.ended_at.max(result.ended_at);
                    ran.arrivals_digest = ran.arrivals_digest.wrapping_add(result.arrivals_digest);
                }
                Ok(Err(error)) => ran.broken.push(format!("a worker could not start: {error}")),
                Err(_) => ran.broken.push("a worker panicked".to_owned()),
            }
        }
        ran.peak_in_flight = self.in_flight.peak.load(Ordering::Relaxed);
        ran
    }
}
