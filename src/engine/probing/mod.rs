//! Sends the battery: each probe once, at an even pace, within its bounds, and whatever was switched on is switched off.
//!
//! Probes go to the target itself, never through the fault proxy: what comes back is the target's. The steps of a scenario
//! are sent in order as they are, so that their captures are there and it is known that the valid request works; the
//! mistakes in a step follow right after it (before it, where it deletes). Then comes what the contract and the plan spell
//! out, and last what uses up a limit. A request is never repeated to get a better answer, but for one that a limiter
//! refused.

mod burst;
mod post;
mod round;

use std::sync::Arc;

use tokio::sync::watch;

use self::post::Post;
use self::round::Round;
use crate::client::RawClient;
use crate::clock::Clock;
use crate::contract::compared::During;
use crate::id::{ProbeIx, RowIx};
use crate::plan::{Plan, ProbeSettings};
use crate::probe::Battery;
use crate::record::Recorder;
use crate::units::Offset;
use crate::wire::Failure;
use crate::workload::Workload;

/// What probing needs.
#[derive(Clone)]
pub struct Probing {
    pub plan: Arc<Plan>,
    pub settings: ProbeSettings,
    pub run_id: String,
    /// Written in `Host`.
    pub authority: String,
    pub clock: Clock,
    pub client: RawClient,
    /// The same client with less patience, for requests that a target may well leave unanswered.
    pub hasty: RawClient,
    /// The same client without looking for bytes after the end of an answer, for bursts.
    pub swift: RawClient,
    /// Turns true when it is to end.
    pub stop: watch::Receiver<bool>,
    /// What else is going on.
    pub during: During,
}

/// What became of a battery.
#[derive(Clone, Debug, Default)]
pub struct Probed {
    /// One for each probe, in the battery's order.
    pub sent: Vec<Sent>,
    /// Requests sent, preparations and valid ones included.
    pub requests: u32,
    /// Of them, answered.
    pub answered: u32,
    /// What the first request without an answer came to, and what was odd about it.
    pub silence: Option<(Failure, Option<&'static str>)>,
    pub ended: Ended,
    /// Whether every probe had its turn once, whatever became of further rounds.
    pub complete: bool,
    /// What the author should know: hooks that could not be switched off, waits that were too long.
    pub warnings: Vec<String>,
}

/// What ended it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ended {
    /// Every probe had its turn.
    #[default]
    Done,
    /// Somebody stopped it.
    Stopped,
    /// The bound on requests.
    OutOfRequests,
    /// The bound on time.
    OutOfTime,
    /// The target was not there any more.
    TargetLost(Failure),
}

/// What became of one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub probe: ProbeIx,
    /// How often it was sent, all rounds together.
    pub times: u32,
    /// When the first answer was there.
    pub at: Option<Offset>,
    /// Of the first time.
    pub outcome: Outcome,
}

/// How one probe came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered.
    Answered { status: u16, code: Option<String>, row: Option<RowIx>, verdict: Verdict },
    /// No complete answer.
    Failed(Failure),
    /// Nothing was sent, for this reason.
    NotSent(String),
}

/// What an answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// By a status that would do.
    Expected,
    /// By another error.
    Unexpected,
    /// Taken as if it were in order, and it is not.
    Accepted,
    /// Taken as if it were in order, which a server may do here.
    Tolerated,
    /// Refused by a limiter, which says nothing about the mistake.
    Limited,
}

impl Verdict {
    /// A stable word for reports.
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Expected => "expected",
            Verdict::Unexpected => "unexpected",
            Verdict::Accepted => "accepted",
            Verdict::Tolerated => "tolerated",
            Verdict::Limited => "limited",
        }
    }
}

impl Probing {
    /// Sends the battery, as often as the plan says.
    pub async fn carry_out(&self, battery: &Battery, recorder: &mut impl Recorder) -> Probed {
        let workload = Workload::new(&self.plan, &self.run_id, &self.authority).with_ids_of_its_own();
        let mut post = Post::new(self);
        let mut probed = Probed::default();
        let rounds = if self.during == During::Idle { self.settings.repeat } else { 1 };
        for number in 0..rounds {
            let mut round = Round::new(self, battery, &workload, &mut post, &mut *recorder, number);
            round.carry_out().await;
            probed.warnings.append(&mut round.warnings);
            let sent = round.sent;
            probed.complete = probed.complete || post.ended.is_none();
            match probed.sent.is_empty() {
                true => probed.sent = sent,
                false => probed.sent.iter_mut().zip(sent).for_each(|(all, one)| all.times += one.times),
            }
        }
        probed.requests = post.requests;
        probed.answered = post.answered;
        probed.silence = post.silence;
        probed.ended = post.ended.take().unwrap_or_default();
        probed
    }
}
