//! What every gate measures: one accumulator per gate, with a scope of its own, filled as exchanges end.
//!
//! Beside totals and a histogram an accumulator keeps sums per interval, by which the end of the run knows how
//! far samples depend on each other and how ratios vary. Memory is bounded by the number of intervals kept.

use std::collections::BTreeSet;

use super::latencies::{Coarse, Latencies};
use super::retries::{Obedience, hints, met_a_failure};
use super::scope::{Filter, touched_by};
use super::series::{Merge, Series, base_interval};
use crate::gate::{Gate, Latency, Metric};
use crate::id::StageIx;
use crate::plan::Plan;
use crate::record::{Exchange, Outcome};
use crate::severity::Severity;
use crate::units::{Micros, Offset};
use crate::wire::Ending;

/// Intervals kept per gate; fewer than the timeline's, since each may hold a histogram.
const MOST: usize = 256;
/// Distinct findings told apart per gate.
const MOST_FINDINGS: usize = 4_096;

/// One gate's accumulator.
#[derive(Clone, Debug)]
pub struct Measure {
    pub metric: Metric,
    pub filter: Filter,
    /// Samples.
    pub n: u64,
    /// What was counted of them: failures, attempts, early retries, violations.
    pub hits: u64,
    /// The largest number of attempts.
    pub most: u64,
    pub times: Latencies,
    pub slots: Series<Slot>,
    /// Identities of the findings seen.
    pub findings: BTreeSet<u64>,
}

/// One interval of a measure.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub n: u32,
    /// Sum of what was counted, or of times in microseconds.
    pub sum: f64,
    pub times: Coarse,
}

impl Merge for Slot {
    fn merge(&mut self, other: &Slot) {
        self.n += other.n;
        self.sum += other.sum;
        self.times.merge(&other.times);
    }
}

/// A violation of an answer that was not injected, until its exchange has ended and its scope is known.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    pub severity: Severity,
    /// The identity of the finding it belongs to.
    pub finding: u64,
    /// Whether the baseline has that finding.
    pub known: bool,
}

impl Measure {
    pub fn new(plan: &Plan, gate: &Gate) -> Measure {
        Measure {
            metric: gate.metric,
            filter: Filter::new(plan, &gate.scope),
            n: 0,
            hits: 0,
            most: 0,
            times: Latencies::default(),
            slots: Series::new(base_interval(plan.schedule_end()), MOST),
            findings: BTreeSet::new(),
        }
    }

    /// Takes from an exchange that has ended what this gate measures.
    pub fn exchange(&mut self, plan: &Plan, unix_us_at_zero: i64, exchange: &Exchange<'_>, violations: &[Pending]) {
        if self.metric == Metric::Throughput {
            return self.throughput(plan, exchange);
        }
        if !self.filter.exchange(&plan.faults, exchange) {
            return;
        }
        let at = exchange.id.scheduled_at;
        let ok = exchange.outcome == Outcome::Ok;
        let over = exchange.outcome != Outcome::Cancelled;
        match self.metric {
            Metric::Latency(latency, _) => self.latency(latency, exchange),
            Metric::ErrorRate if over => self.count(at, 1, u32::from(!ok)),
            Metric::Goodput if over => self.count(at, exchange.skipped_steps.saturating_add(1), u32::from(ok)),
            Metric::RetryAmplification if over => self.count(at, 1, attempts(exchange)),
            Metric::RetrySuccess if over && met_a_failure(exchange) => self.count(at, 1, u32::from(ok)),
            Metric::RetryEarly => {
                for obedience in hints(exchange.attempts, unix_us_at_zero) {
                    self.count(at, 1, u32::from(matches!(obedience, Obedience::Early(_))));
                }
            }
            Metric::RetryMaxAttempts => {
                self.count(at, 1, 0);
                self.most = self.most.max(u64::from(attempts(exchange)));
            }
            Metric::ContractViolations(_)
            | Metric::ContractFindings(_)
            | Metric::ContractNewViolations(_)
            | Metric::ContractNewFindings(_) => self.contract(exchange, violations),
            _ => {}
        }
    }

    fn latency(&mut self, latency: Latency, exchange: &Exchange<'_>) {
        let scheduled_at = exchange.id.scheduled_at;
        let exchange_ok = exchange.outcome == Outcome::Ok;
        let cut = matches!(exchange.outcome, Outcome::Cancelled);
        let censored = matches!(exchange.outcome, Outcome::TimedOut | Outcome::InFlightAtEnd);
        match latency {
            Latency::Response if !cut => self.time(scheduled_at, exchange_ok, exchange.ended_at.since(scheduled_at), censored),
            Latency::Lag => {
                if let Some(first) = exchange.attempts.first() {
                    self.time(scheduled_at, exchange_ok, first.stamps.started_at.since(scheduled_at), false);
                }
            }
            Latency::Service | Latency::FirstByte => {
                let last = exchange.attempts.len().saturating_sub(1);
                for (index, attempt) in exchange.attempts.iter().enumerate() {
                    let until = if latency == Latency::Service { Some(attempt.stamps.ended_at) } else { attempt.stamps.first_byte_at };
                    let Some(until) = until.filter(|_| attempt.ending != Ending::Unfinished) else { continue };
                    let censored = matches!(attempt.ending, Ending::Failed(failure) if failure.is_timeout());
                    self.time(scheduled_at, exchange_ok && index == last, until.since(attempt.stamps.started_at), censored);
                }
            }
            Latency::Response | Latency::Session => {}
        }
    }

    /// Takes a session that has ended. It is known by its stage alone: `where` cannot ask for more of it.
    pub fn session(&mut self, stage: StageIx, scheduled_at: Offset, ended_at: Offset, ok: bool) {
        if matches!(self.metric, Metric::Latency(Latency::Session, _)) && self.filter.stage(stage) {
            self.time(scheduled_at, ok, ended_at.since(scheduled_at), false);
        }
    }

    /// Takes an arrival: `served` if it was started, else dropped or never started.
    pub fn arrival(&mut self, stage: StageIx, scheduled_at: Offset, served: bool, dropped: bool) {
        if !self.filter.stage(stage) {
            return;
        }
        match self.metric {
            Metric::DropRate => self.count(scheduled_at, 1, u32::from(dropped)),
            // One exchange at least was offered and not begun.
            Metric::Goodput if !served && self.filter.is_whole() => self.count(scheduled_at, 1, 0),
            _ => {}
        }
    }

    /// Answered exchanges by when they ended, whatever stage they were scheduled in.
    fn throughput(&mut self, plan: &Plan, exchange: &Exchange<'_>) {
        let answered = matches!(exchange.outcome, Outcome::Ok | Outcome::ErrorAnswer(_));
        let within = exchange.ended_at < plan.schedule_end() && self.filter.stage(plan.stage_at(exchange.ended_at));
        if answered && within && self.filter.anywhere(&plan.faults, exchange) {
            self.count(exchange.ended_at, 1, 1);
        }
    }

    fn contract(&mut self, exchange: &Exchange<'_>, violations: &[Pending]) {
        let own = exchange.attempts.iter().filter(|attempt| matches!(attempt.ending, Ending::Answered(_)) && touched_by(attempt).is_none());
        let bad = violations.iter().filter(|violation| counts(self.metric, violation));
        let inspected = u32::try_from(own.count()).unwrap_or(u32::MAX);
        let (hits, found) = (u32::try_from(bad.clone().count()).unwrap_or(u32::MAX), bad.map(|violation| violation.finding));
        self.findings.extend(found.take(MOST_FINDINGS.saturating_sub(self.findings.len())));
        self.count(exchange.id.scheduled_at, inspected, hits);
    }

    /// Takes answers that belong to no exchange, and their violations: those of probes, and those that only the
    /// whole run, or two workers together, can see.
    pub fn outside(&mut self, inspected: u64, violations: &[(Pending, u64)]) {
        let about_contract = matches!(
            self.metric,
            Metric::ContractViolations(_) | Metric::ContractFindings(_) | Metric::ContractNewViolations(_) | Metric::ContractNewFindings(_)
        );
        if about_contract && self.filter.is_whole() {
            let bad = violations.iter().filter(|(violation, _)| counts(self.metric, violation));
            self.n += inspected;
            self.hits += bad.clone().map(|(_, count)| count).sum::<u64>();
            self.findings.extend(bad.map(|(violation, _)| violation.finding));
        }
    }

    fn count(&mut self, at: Offset, n: u32, hits: u32) {
        self.n += u64::from(n);
        self.hits += u64::from(hits);
        let slot = self.slots.at(at);
        slot.n += n;
        slot.sum += f64::from(hits);
    }

    fn time(&mut self, at: Offset, ok: bool, time: Micros, censored: bool) {
        if !self.filter.outcome(ok) {
            return;
        }
        self.n += 1;
        self.times.record(time, censored);
        let slot = self.slots.at(at);
        slot.n += 1;
        slot.sum += time.0 as f64;
        slot.times.record(time);
    }

    pub fn merge(&mut self, other: Measure) {
        self.n += other.n;
        self.hits += other.hits;
        self.most = self.most.max(other.most);
        self.times.merge(&other.times);
        self.slots.merge(other.slots);
        self.findings.extend(other.findings);
    }
}

/// Whether a metric counts a violation.
fn counts(metric: Metric, violation: &Pending) -> bool {
    match metric {
        Metric::ContractViolations(least) | Metric::ContractFindings(least) => violation.severity >= least,
        Metric::ContractNewViolations(least) | Metric::ContractNewFindings(least) => violation.severity >= least && !violation.known,
        _ => false,
    }
}

fn attempts(exchange: &Exchange<'_>) -> u32 {
    u32::try_from(exchange.attempts.len().max(1)).unwrap_or(u32::MAX)
}
