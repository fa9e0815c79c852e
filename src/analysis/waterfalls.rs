//! A few exchanges attempt by attempt, chosen by rule: those with the most attempts, the slowest, and those that
//! recovered after the most failures. Of equals the earlier arrival is taken, so that the choice depends on what
//! happened alone, not on which worker told it first.

use std::cmp::Reverse;

use super::retries::{asked_until, met_a_failure};
use super::scope::touched_by;
use super::{Waterfall, WaterfallAttempt};
use crate::id::ExchangeId;
use crate::plan::Plan;
use crate::record::{Attempt, Exchange, Outcome};
use crate::wire::Ending;

/// So many of each kind are shown, without repeating an exchange; three times as many are kept to choose from.
const SHOWN: usize = 4;
const KEPT: usize = 3 * SHOWN;
/// So many attempts of one are kept.
const MOST_ATTEMPTS: usize = 32;

/// The best of each kind so far, best first.
#[derive(Clone, Debug, Default)]
pub struct Gallery {
    most_attempts: Vec<Picture>,
    slowest: Vec<Picture>,
    recovered: Vec<Picture>,
}

/// Larger is better: what is asked for, then the earlier exchange.
type Rank = (u64, u64, Reverse<u64>, Reverse<u16>);

#[derive(Clone, Debug)]
struct Picture {
    rank: Rank,
    id: ExchangeId,
    outcome: Outcome,
    attempts: Vec<Attempt>,
}

impl Gallery {
    /// Keeps the exchange if it is among the best of a kind.
    pub fn exchange(&mut self, exchange: &Exchange<'_>) {
        let attempts = exchange.attempts.len() as u64;
        let took = exchange.ended_at.since(exchange.id.scheduled_at).0;
        if matches!(exchange.outcome, Outcome::Cancelled) || attempts == 0 {
            return;
        }
        let id = exchange.id;
        let rank = |first, second| (first, second, Reverse(id.arrival), Reverse(id.step.0));
        if attempts > 1 {
            keep(&mut self.most_attempts, rank(attempts, took), exchange);
        }
        keep(&mut self.slowest, rank(took, attempts), exchange);
        if exchange.outcome == Outcome::Ok && met_a_failure(exchange) {
            keep(&mut self.recovered, rank(attempts, took), exchange);
        }
    }

    pub fn merge(&mut self, other: Gallery) {
        for (ours, theirs) in
            [(&mut self.most_attempts, other.most_attempts), (&mut self.slowest, other.slowest), (&mut self.recovered, other.recovered)]
        {
            ours.extend(theirs);
            ours.sort_unstable_by_key(|picture| Reverse(picture.rank));
            ours.truncate(KEPT);
        }
    }

    /// As the report shows them.
    pub fn shown(&self, plan: &Plan, unix_us_at_zero: i64) -> Vec<Waterfall> {
        let mut shown: Vec<(ExchangeId, Waterfall)> = Vec::new();
        let kinds = [("most attempts", &self.most_attempts), ("slowest", &self.slowest), ("recovered", &self.recovered)];
        for (chosen, pictures) in kinds {
            let fresh = pictures.iter().filter(|picture| shown.iter().all(|(id, _)| *id != picture.id));
            let new: Vec<_> = fresh.take(SHOWN).map(|picture| (picture.id, picture.shown(chosen, plan, unix_us_at_zero))).collect();
            shown.extend(new);
        }
        shown.into_iter().map(|(_, waterfall)| waterfall).collect()
    }
}

fn keep(pictures: &mut Vec<Picture>, rank: Rank, exchange: &Exchange<'_>) {
    if pictures.len() == KEPT && pictures.last().is_some_and(|worst| worst.rank >= rank) {
        return;
    }
    let at = pictures.partition_point(|picture| picture.rank >= rank);
    let attempts = exchange.attempts.iter().take(MOST_ATTEMPTS).cloned().collect();
    pictures.insert(at, Picture { rank, id: exchange.id, outcome: exchange.outcome, attempts });
    pictures.truncate(KEPT);
}

impl Picture {
    fn shown(&self, chosen: &str, plan: &Plan, unix_us_at_zero: i64) -> Waterfall {
        let (id, start) = (self.id, self.id.scheduled_at);
        let scenario = plan.scenarios.get(id.scenario.at());
        let operation = scenario.and_then(|scenario| scenario.steps.get(id.step.at())).map(|step| step.operation.clone());
        let attempts = self.attempts.iter().map(|attempt| WaterfallAttempt {
            start_us: attempt.stamps.started_at.since(start).0,
            end_us: attempt.stamps.ended_at.since(start).0,
            ending: ending_word(attempt.ending),
            injected: touched_by(attempt).and_then(|rule| plan.faults.rules.get(rule.at())).map(|rule| rule.name.clone()),
            asked_until_us: asked_until(attempt, unix_us_at_zero).map(|(until, _)| until.since(start).0),
        });
        Waterfall {
            exchange: format!("{}.{}", id.arrival, id.step.0),
            operation: operation.unwrap_or_default(),
            chosen: chosen.to_owned(),
            scheduled_ms: start.as_millis(),
            outcome: outcome_word(self.outcome),
            attempts: attempts.collect(),
        }
    }
}

/// `429`, `reset`, `unfinished`.
pub fn ending_word(ending: Ending) -> String {
    match ending {
        Ending::Answered(status) => status.to_string(),
        Ending::Failed(failure) => failure.word().to_owned(),
        Ending::Unfinished => "unfinished".to_owned(),
    }
}

fn outcome_word(outcome: Outcome) -> String {
    match outcome {
        Outcome::Ok => "ok".to_owned(),
        Outcome::ErrorAnswer(status) => status.to_string(),
        Outcome::Failed(failure) => failure.word().to_owned(),
        Outcome::TimedOut => "timed out".to_owned(),
        Outcome::Cancelled => "cancelled".to_owned(),
        Outcome::InFlightAtEnd => "in flight at the end".to_owned(),
    }
}
