//! How failures were repeated: attempts per exchange (M1), amplification (M2), what was done with the server's
//! Retry-After (M11), success after retry (M27), and the waits of every policy. Judged stages only.

use super::latencies::Latencies;
use super::{AttemptsCount, BackoffFacts, HintFacts, PolicyFacts, SuccessAfterRetry};
use crate::plan::Plan;
use crate::record::{Attempt, Exchange, Outcome};
use crate::units::{Micros, Offset};
use crate::wire::RetryAfter;

/// Attempts per exchange are counted one by one up to here.
const MOST_ATTEMPTS: usize = 64;
/// Waits are kept apart by retry number up to here.
const MOST_RETRIES: usize = 16;
/// What waits are told under that no policy of the plan rules.
const THE_CLIENT: &str = "the client";

/// What was heard of retries.
#[derive(Clone, Debug, Default)]
pub struct RetryTally {
    pub all: Group,
    /// Exchanges with 1, 2, … attempts; the last counts those with more, too.
    by_attempts: Vec<u64>,
    /// By policy.
    policies: Vec<PolicyTally>,
    /// Of exchanges without a policy: where they were repeated, a client of somebody else's did so of its own accord.
    unruled: Waits,
}

/// Counts of one group of exchanges.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub exchanges: u64,
    pub attempts: u64,
    max_attempts: u32,
    touched: u64,
    recovered: u64,
    hints: HintFacts,
    budget_refused: u64,
}

#[derive(Clone, Debug, Default)]
struct PolicyTally {
    group: Group,
    waits: Waits,
}

/// By retry number: waits without a hint, and with one.
#[derive(Clone, Debug, Default)]
struct Waits(Vec<(Latencies, Latencies)>);

/// What was done with one hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obedience {
    Obeyed,
    /// The next attempt came this long before the moment the server named.
    Early(Micros),
    /// It came clearly later: a back-off that is longer, or a slow generator. Never a violation.
    Late,
}

impl RetryTally {
    pub fn new(policies: usize) -> RetryTally {
        RetryTally { policies: vec![PolicyTally::default(); policies], ..RetryTally::default() }
    }

    /// Counts one exchange of a judged stage.
    pub fn exchange(&mut self, exchange: &Exchange<'_>, unix_us_at_zero: i64) {
        let attempts = exchange.attempts.len().max(1);
        let index = attempts.min(MOST_ATTEMPTS) - 1;
        if self.by_attempts.len() <= index {
            self.by_attempts.resize(index + 1, 0);
        }
        self.by_attempts[index] += 1;
        self.all.add(exchange, unix_us_at_zero);
        match exchange.policy {
            Some(ix) => {
                if let Some(policy) = self.policies.get_mut(ix.at()) {
                    policy.group.add(exchange, unix_us_at_zero);
                    policy.waits.add(exchange.attempts);
                }
            }
            None => self.unruled.add(exchange.attempts),
        }
    }

    pub fn merge(&mut self, other: &RetryTally) {
        self.all.merge(&other.all);
        if self.by_attempts.len() < other.by_attempts.len() {
            self.by_attempts.resize(other.by_attempts.len(), 0);
        }
        self.by_attempts.iter_mut().zip(&other.by_attempts).for_each(|(ours, theirs)| *ours += theirs);
        self.policies.iter_mut().zip(&other.policies).for_each(|(ours, theirs)| {
            ours.group.merge(&theirs.group);
            ours.waits.merge(&theirs.waits);
        });
        self.unruled.merge(&other.unruled);
    }

    pub fn attempts_per_exchange(&self) -> Vec<AttemptsCount> {
        let counts = (1..).zip(&self.by_attempts).filter(|(_, exchanges)| **exchanges > 0);
        counts.map(|(attempts, exchanges)| AttemptsCount { attempts, exchanges: *exchanges }).collect()
    }

    pub fn by_policy(&self, plan: &Plan) -> Vec<PolicyFacts> {
        let all = plan.policies.iter().zip(&self.policies);
        all.map(|(policy, PolicyTally { group, .. })| PolicyFacts {
            name: policy.name.clone(),
            spec: policy.spec.clone(),
            exchanges: group.exchanges,
            attempts: group.attempts,
            amplification: group.amplification(),
            max_attempts: group.max_attempts,
            touched: group.touched,
            recovered: group.recovered,
            success_ratio: group.success().ratio,
            hints: group.hints.clone(),
            budget_refused: group.budget_refused,
        })
        .collect()
    }

    pub fn backoff(&self, plan: &Plan) -> Vec<BackoffFacts> {
        let named = plan.policies.iter().map(|policy| policy.name.as_str()).zip(self.policies.iter().map(|tally| &tally.waits));
        named.chain([(THE_CLIENT, &self.unruled)]).flat_map(|(name, waits)| waits.facts(name)).collect()
    }
}

impl Group {
    fn add(&mut self, exchange: &Exchange<'_>, unix_us_at_zero: i64) {
        let attempts = u32::try_from(exchange.attempts.len().max(1)).unwrap_or(u32::MAX);
        self.exchanges += 1;
        self.attempts += u64::from(attempts);
        self.max_attempts = self.max_attempts.max(attempts);
        self.touched += u64::from(met_a_failure(exchange));
        self.recovered += u64::from(met_a_failure(exchange) && exchange.outcome == Outcome::Ok);
        self.budget_refused += u64::from(exchange.budget_refused);
        for obedience in hints(exchange.attempts, unix_us_at_zero) {
            self.hints.seen += 1;
            match obedience {
                Obedience::Obeyed => self.hints.obeyed += 1,
                Obedience::Late => self.hints.late += 1,
                Obedience::Early(by) => {
                    self.hints.early += 1;
                    self.hints.early_max_us = self.hints.early_max_us.max(by.0);
                }
            }
        }
    }

    fn merge(&mut self, other: &Group) {
        self.exchanges += other.exchanges;
        self.attempts += other.attempts;
        self.max_attempts = self.max_attempts.max(other.max_attempts);
        self.touched += other.touched;
        self.recovered += other.recovered;
        self.budget_refused += other.budget_refused;
        self.hints.seen += other.hints.seen;
        self.hints.obeyed += other.hints.obeyed;
        self.hints.early += other.hints.early;
        self.hints.late += other.hints.late;
        self.hints.early_max_us = self.hints.early_max_us.max(other.hints.early_max_us);
    }

    /// Attempts per exchange (M2).
    pub fn amplification(&self) -> Option<f64> {
        (self.exchanges > 0).then(|| self.attempts as f64 / self.exchanges as f64)
    }

    pub fn success(&self) -> SuccessAfterRetry {
        let ratio = (self.touched > 0).then(|| self.recovered as f64 / self.touched as f64);
        SuccessAfterRetry { touched: self.touched, recovered: self.recovered, ratio }
    }

    pub fn hints(&self) -> HintFacts {
        self.hints.clone()
    }
}

impl Waits {
    fn add(&mut self, attempts: &[Attempt]) {
        for (index, pair) in attempts.windows(2).enumerate().take(MOST_RETRIES) {
            if self.0.len() <= index {
                self.0.resize_with(index + 1, Default::default);
            }
            let (own, hinted) = &mut self.0[index];
            let gap = pair[1].stamps.started_at.since(pair[0].stamps.ended_at);
            if pair[0].asked_to_wait.is_some() { hinted } else { own }.record(gap, false);
        }
    }

    fn merge(&mut self, other: &Waits) {
        if self.0.len() < other.0.len() {
            self.0.resize_with(other.0.len(), Default::default);
        }
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            ours.0.merge(&theirs.0);
            ours.1.merge(&theirs.1);
        }
    }

    fn facts(&self, policy: &str) -> impl Iterator<Item = BackoffFacts> {
        (1..).zip(&self.0).map(move |(retry, (own, hinted))| BackoffFacts {
            policy: policy.to_owned(),
            retry,
            waits_us: own.summary(),
            hinted_us: hinted.summary(),
        })
    }
}

/// Whether any attempt of the exchange failed: all but the last did, and the last unless the exchange came out ok.
pub fn met_a_failure(exchange: &Exchange<'_>) -> bool {
    exchange.attempts.len() > 1 || !matches!(exchange.outcome, Outcome::Ok | Outcome::Cancelled | Outcome::InFlightAtEnd)
}

/// What was done with each hint that was followed by another attempt (M11).
///
/// A delay counts from the first byte of the answer that carried it; a date is that instant on the wall clock.
/// Early is more than max(10 ms, 1 % of the hint) before it; late is more than that, and than 50 ms, after it and
/// after the attempt's own end.
pub fn hints(attempts: &[Attempt], unix_us_at_zero: i64) -> impl Iterator<Item = Obedience> {
    attempts.windows(2).filter_map(move |pair| {
        let (until, asked) = asked_until(&pair[0], unix_us_at_zero)?;
        let tolerance = Micros::from_millis(10).max(Micros(asked.0 / 100));
        let next = pair[1].stamps.started_at;
        let early = until.since(next);
        Some(if early > tolerance {
            Obedience::Early(early)
        } else if next.since(until.max(pair[0].stamps.ended_at)) > tolerance.max(Micros::from_millis(50)) {
            Obedience::Late
        } else {
            Obedience::Obeyed
        })
    })
}

/// The moment the server asked the client to stay away until, and how long that was from its answer.
pub fn asked_until(attempt: &Attempt, unix_us_at_zero: i64) -> Option<(Offset, Micros)> {
    let answered_at = attempt.stamps.first_byte_at.unwrap_or(attempt.stamps.ended_at);
    match attempt.asked_to_wait? {
        RetryAfter::Delay(span) => Some((answered_at + span, span)),
        RetryAfter::Date(unix_us) => {
            let until = Offset::micros(u64::try_from(unix_us.saturating_sub(unix_us_at_zero)).unwrap_or(0));
            Some((until, until.since(answered_at)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AttemptNumber;
    use crate::wire::{Ending, Stamps};

    fn attempt(number: u32, started_ms: u64, first_byte_ms: u64, ended_ms: u64, asked: Option<RetryAfter>) -> Attempt {
        let at = |ms| Offset(Micros::from_millis(ms));
        Attempt {
            number: AttemptNumber(number),
            stamps: Stamps {
                started_at: at(started_ms),
                ready_at: Some(at(started_ms)),
                first_byte_at: Some(at(first_byte_ms)),
                ended_at: at(ended_ms),
                ..Stamps::default()
            },
            ending: Ending::Answered(429),
            sent: true,
            proxy: None,
            asked_to_wait: asked,
            waited: None,
        }
    }

    /// The wall clock at the run's zero: half a second after a full one.
    const ZERO: i64 = 1_700_000_000_500_000;

    fn done(asked: RetryAfter, next_ms: u64) -> Vec<Obedience> {
        let attempts = [attempt(1, 0, 90, 100, Some(asked)), attempt(2, next_ms, next_ms + 5, next_ms + 6, None)];
        hints(&attempts, ZERO).collect()
    }

    const fn ms(ms: u64) -> Micros {
        Micros::from_millis(ms)
    }

    #[test]
    fn a_delay_counts_from_the_first_byte_within_its_tolerance() {
        let two_seconds = RetryAfter::Delay(ms(2_000));
        for (next_ms, expected) in [
            (2_090, Obedience::Obeyed),
            // 1 % of 2 s is 20 ms.
            (2_070, Obedience::Obeyed),
            (2_069, Obedience::Early(ms(21))),
            (150, Obedience::Early(ms(1_940))),
            (2_140, Obedience::Obeyed),
            (2_141, Obedience::Late),
        ] {
            assert_eq!(done(two_seconds, next_ms), [expected], "{next_ms}");
        }
        // Of a short hint 10 ms are allowed.
        assert_eq!(done(RetryAfter::Delay(ms(100)), 180), [Obedience::Obeyed]);
        assert_eq!(done(RetryAfter::Delay(ms(100)), 179), [Obedience::Early(ms(11))]);
    }

    #[test]
    fn a_date_is_the_instant_itself() {
        // The full second after the run's zero plus two: 2.5 s into the run.
        let date = RetryAfter::Date(1_700_000_003_000_000);
        assert_eq!(done(date, 2_500), [Obedience::Obeyed]);
        assert_eq!(done(date, 2_090), [Obedience::Early(ms(410))]);
        let past = RetryAfter::Date(1_600_000_000_000_000);
        assert_eq!(done(past, 101), [Obedience::Obeyed], "no wait was asked for");
        assert_eq!(done(past, 400), [Obedience::Late]);
    }

    #[test]
    fn a_hint_that_no_attempt_followed_is_no_opportunity() {
        let alone = [attempt(1, 0, 90, 100, Some(RetryAfter::Delay(ms(10))))];
        assert_eq!(hints(&alone, ZERO).count(), 0);
        let without = [attempt(1, 0, 90, 100, None), attempt(2, 200, 210, 220, None)];
        assert_eq!(hints(&without, ZERO).count(), 0);
    }
}
