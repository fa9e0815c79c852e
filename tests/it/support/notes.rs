//! A recorder that keeps everything it hears, for tests that look at single events.

use brownout::id::{ExchangeId, StageIx};
use brownout::record::{Answered, Attempt, Exchange, Glance, Outcome, Recorder};
use brownout::units::Offset;

/// What was heard, in order.
#[derive(Default)]
pub struct Notes {
    pub started: Vec<(StageIx, Offset, Offset)>,
    pub dropped: usize,
    pub unstarted: usize,
    pub answered: usize,
    /// The checks that each answer failed.
    pub checks: Vec<Vec<&'static str>>,
    pub exchanges: Vec<Noted>,
    pub sessions: Vec<(Offset, Offset, bool)>,
}

/// An exchange with its attempts.
#[derive(Clone, Debug)]
pub struct Noted {
    pub id: ExchangeId,
    pub path: String,
    pub outcome: Outcome,
    pub ended_at: Offset,
    pub attempts: Vec<Attempt>,
    pub skipped_steps: u32,
    pub budget_refused: bool,
}

impl Notes {
    /// How many exchanges came out like this.
    pub fn outcomes(&self, wanted: impl Fn(Outcome) -> bool) -> usize {
        self.exchanges.iter().filter(|exchange| wanted(exchange.outcome)).count()
    }
}

impl Recorder for Notes {
    fn started(&mut self, stage: StageIx, scheduled_at: Offset, started_at: Offset) {
        self.started.push((stage, scheduled_at, started_at));
    }
    fn dropped(&mut self, _: StageIx, _: Offset) {
        self.dropped += 1;
    }
    fn unstarted(&mut self, _: StageIx, _: Offset) {
        self.unstarted += 1;
    }
    fn answered(&mut self, answered: &Answered<'_>) {
        self.checks.extend(answered.judged.map(|judged| judged.violations.iter().map(|violation| violation.check).collect()));
        self.answered += 1;
    }
    fn exchange(&mut self, exchange: &Exchange<'_>) {
        self.exchanges.push(Noted {
            id: exchange.id,
            path: exchange.path.to_owned(),
            outcome: exchange.outcome,
            ended_at: exchange.ended_at,
            attempts: exchange.attempts.to_vec(),
            skipped_steps: exchange.skipped_steps,
            budget_refused: exchange.budget_refused,
        });
    }
    fn session(&mut self, _: StageIx, scheduled_at: Offset, ended_at: Offset, ok: bool) {
        self.sessions.push((scheduled_at, ended_at, ok));
    }
    fn glance(&self) -> Glance {
        Glance::default()
    }
}
