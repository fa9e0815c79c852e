//! One pass / fail / inconclusive rule over one named metric.
//!
//! `response.p99 < 900ms` is a metric, an operator and a limit in the metric's unit. A gate is judged on what
//! was measured *and on how sure we are of it*; no measurement at all is inconclusive, never a pass.

mod parse;
mod words;

use serde::{Deserialize, Serialize};

pub use self::parse::{ParseError, metric_names, parse};
pub use self::words::{count_words, interval_words, value_words};
use crate::id::{RuleIx, ScenarioIx, StageIx, StepIx};
use crate::severity::Severity;
use crate::units::Micros;

/// One `[[gate]]` of the plan.
#[derive(Clone, Debug)]
pub struct Gate {
    /// `g1`, `g2`…, in plan order.
    pub id: String,
    /// The author's name for it, or the requirement itself.
    pub name: String,
    /// The requirement as written: `response.p99 < 900ms`.
    pub require: String,
    pub metric: Metric,
    pub op: Op,
    /// In the metric's unit: microseconds, a ratio, a count, or per second.
    pub limit: f64,
    pub scope: Scope,
    /// The scope as written, for the report (`chat · steady · no fault`).
    pub scope_words: String,
    /// Stop the run when it fails over this span (`abort = true`, `over = "10s"`).
    pub abort_over: Option<Micros>,
}

/// `where = {…}` of a gate; an empty list means all (stages: all judged ones).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    pub scenarios: Vec<ScenarioIx>,
    /// (scenario, step) pairs.
    pub steps: Vec<(ScenarioIx, StepIx)>,
    pub stages: Vec<StageIx>,
    pub outcome: OutcomeScope,
    pub fault: FaultScope,
}

/// Which outcomes a latency gate reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutcomeScope {
    #[default]
    Ok,
    Error,
    Any,
}

/// Which exchanges a gate reads, by what faults did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaultScope {
    /// Whatever faults did.
    #[default]
    Any,
    /// `fault = "none"`: no attempt was touched by any rule.
    Untouched,
    /// `fault = "NAME"`: the first attempt started while the rule's window was open and matches it, touched or not.
    During(RuleIx),
    /// `touched_by = "NAME"`.
    TouchedBy(RuleIx),
}

/// What a gate reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// A percentile, the maximum or the mean of one of the latencies, in microseconds.
    Latency(Latency, Point),
    ErrorRate,
    DropRate,
    Goodput,
    Throughput,
    /// Violations of this severity or worse, in answers that were not injected.
    ContractViolations(Severity),
    ContractFindings(Severity),
    /// The same, of findings that the baseline does not have; without a baseline all are new.
    ContractNewViolations(Severity),
    ContractNewFindings(Severity),
    /// Documented errors in scope that were seen.
    ContractCoverage,
    /// Documented errors that were seen, exclusions in the denominator.
    ContractCoverageAbsolute,
    ContractConformance,
    RetryAmplification,
    RetryEarly,
    RetryMaxAttempts,
    RetrySuccess,
    RecoveryTime,
    FaultFired(RuleIx),
}

/// Which span of time (MEASUREMENT.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Latency {
    Response,
    Service,
    Session,
    FirstByte,
    Lag,
}

/// Which point of a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Point {
    /// A quantile: 0.5, 0.9, 0.95, 0.99, 0.999.
    Quantile(f64),
    Max,
    Mean,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}

/// The unit of a metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    Us,
    Ratio,
    Count,
    PerS,
    None,
}

/// What a gate came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    Pass,
    Inconclusive,
    Fail,
    /// The run itself is not to be believed.
    NotDecided,
}

/// A measured value with what is known about its precision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    pub value: f64,
    /// The 95 % interval; none for facts, which are judged on the value.
    pub interval: Option<(f64, f64)>,
    pub n: u64,
    /// The effective sample size, where samples are correlated.
    pub n_eff: Option<u64>,
    /// The smallest n at which this may be judged at all.
    pub needed: u64,
}

/// A gate's decision, and why in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub decision: Decision,
    pub reason: String,
}

impl Gate {
    /// Pass where the whole interval satisfies the requirement, fail where all of it violates it, else inconclusive.
    ///
    /// A fact has no interval and is judged on its value. Too few samples, or none, are inconclusive whatever
    /// they say.
    pub fn judge(&self, measured: Option<&Measured>) -> Verdict {
        let inconclusive = |reason| Verdict { decision: Decision::Inconclusive, reason };
        let Some(measured) = measured.filter(|measured| measured.value.is_finite()) else {
            return inconclusive("nothing was measured".to_owned());
        };
        if let Some(reason) = self.too_few(measured) {
            return inconclusive(reason);
        }
        let decision = match measured.interval {
            None if self.op.holds(measured.value, self.limit) => Decision::Pass,
            None => Decision::Fail,
            Some(interval) => self.op.holds_throughout(interval, self.limit),
        };
        Verdict { decision, reason: self.reason(measured, decision) }
    }

    fn too_few(&self, measured: &Measured) -> Option<String> {
        let needed = measured.needed.max(1);
        let worth = measured.n_eff.unwrap_or(measured.n).min(measured.n);
        let samples = self.metric.samples();
        if measured.n == 0 {
            return Some(format!("there were no {samples} to judge"));
        }
        let had = count_words(measured.n);
        if measured.n < needed {
            return Some(format!("needs {} {samples}, had {had}", count_words(needed)));
        }
        let worth_it = format!(
            "needs {} independent {samples}; {had} that depend on each other are worth {}",
            count_words(needed),
            count_words(worth)
        );
        (worth < needed).then_some(worth_it)
    }

    fn reason(&self, measured: &Measured, decision: Decision) -> String {
        let unit = self.metric.unit();
        let (value, limit) = (value_words(measured.value, unit), value_words(self.limit, unit));
        let (n, samples) = (count_words(measured.n), self.metric.samples());
        let value = match unit {
            Unit::Ratio => format!("{value} of {n} {samples}"),
            Unit::Count => format!("{value} in {n} {samples}"),
            _ if self.metric == Metric::RecoveryTime && measured.value == 0.0 => format!("back at once after each of {n} {samples}"),
            _ if self.metric == Metric::RecoveryTime => format!("{value} in the worst of {n} {samples}"),
            Unit::Us | Unit::PerS | Unit::None => format!("{value} over {n} {samples}"),
        };
        match (measured.interval, decision) {
            (None, _) => match (self.op, decision == Decision::Pass) {
                (Op::Eq | Op::Ne, true) => value,
                (Op::Eq, false) => format!("{value}; {limit} is required"),
                (Op::Ne, false) => format!("{value}; it must not be {limit}"),
                (op, holds) => format!("{value}, {}", op.relation(holds, &limit)),
            },
            (Some((low, high)), Decision::Pass | Decision::Fail) if value_words(low, unit) == value_words(high, unit) => {
                format!("{value}, {}", self.op.relation(decision == Decision::Pass, &limit))
            }
            (Some(interval), Decision::Pass | Decision::Fail) => {
                let relation = self.op.relation(decision == Decision::Pass, &limit);
                format!("{value}; the interval {} lies {relation}", interval_words(interval, unit))
            }
            (Some(interval), Decision::Inconclusive | Decision::NotDecided) => {
                format!("{value}; the interval {} contains the limit {limit}", interval_words(interval, unit))
            }
        }
    }
}

impl Op {
    /// Whether the comparison holds for a value.
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Op::Lt => value < limit,
            Op::Le => value <= limit,
            Op::Gt => value > limit,
            Op::Ge => value >= limit,
            Op::Eq => value == limit,
            Op::Ne => value != limit,
        }
    }

    /// Whether it holds for every value from `low` to `high`, for none of them, or for some.
    fn holds_throughout(self, (low, high): (f64, f64), limit: f64) -> Decision {
        let within = low <= limit && limit <= high;
        let (all, some) = match self {
            Op::Eq => (low == limit && high == limit, within),
            Op::Ne => (!within, !(low == limit && high == limit)),
            Op::Lt | Op::Le | Op::Gt | Op::Ge => {
                let (at_low, at_high) = (self.holds(low, limit), self.holds(high, limit));
                (at_low && at_high, at_low || at_high)
            }
        };
        match (all, some) {
            (true, _) => Decision::Pass,
            (false, true) => Decision::Inconclusive,
            (false, false) => Decision::Fail,
        }
    }

    /// Where a value that holds, or does not, lies: `below 900 ms`, `not below 900 ms`.
    fn relation(self, holds: bool, limit: &str) -> String {
        match (self, holds) {
            (Op::Lt, true) | (Op::Ge, false) => format!("below {limit}"),
            (Op::Lt, false) | (Op::Ge, true) => format!("at or above {limit}"),
            (Op::Gt, true) | (Op::Le, false) => format!("above {limit}"),
            (Op::Gt, false) | (Op::Le, true) => format!("at or below {limit}"),
            (Op::Eq, true) | (Op::Ne, false) => format!("exactly at {limit}"),
            (Op::Eq, false) | (Op::Ne, true) => format!("apart from {limit}"),
        }
    }
}

impl Metric {
    /// Whether it is about answers and the contract alone, so that no load is needed to read it.
    pub const fn is_of_contract(&self) -> bool {
        matches!(
            self,
            Metric::ContractViolations(_)
                | Metric::ContractFindings(_)
                | Metric::ContractNewViolations(_)
                | Metric::ContractNewFindings(_)
                | Metric::ContractCoverage
                | Metric::ContractCoverageAbsolute
                | Metric::ContractConformance
        )
    }

    /// The keys of `where`.
    pub const NARROWING: [&'static str; 6] = ["scenario", "step", "stage", "outcome", "fault", "touched_by"];

    /// The keys of `where` that this metric heeds; any other would be ignored, and is refused.
    pub const fn narrowed_by(&self) -> &'static [&'static str] {
        match self {
            Metric::Latency(Latency::Session, _) => &["stage", "outcome"],
            Metric::Latency(..) => &Metric::NARROWING,
            Metric::ErrorRate
            | Metric::Goodput
            | Metric::Throughput
            | Metric::ContractViolations(_)
            | Metric::ContractFindings(_)
            | Metric::ContractNewViolations(_)
            | Metric::ContractNewFindings(_)
            | Metric::RetryAmplification
            | Metric::RetryEarly
            | Metric::RetryMaxAttempts
            | Metric::RetrySuccess => &["scenario", "step", "stage", "fault", "touched_by"],
            Metric::DropRate => &["stage"],
            Metric::RecoveryTime => &["fault"],
            Metric::ContractCoverage | Metric::ContractCoverageAbsolute | Metric::ContractConformance | Metric::FaultFired(_) => &[],
        }
    }

    /// The unit of its value and of a gate's limit.
    pub const fn unit(&self) -> Unit {
        match self {
            Metric::Latency(..) | Metric::RecoveryTime => Unit::Us,
            Metric::ErrorRate
            | Metric::DropRate
            | Metric::Goodput
            | Metric::ContractCoverage
            | Metric::ContractCoverageAbsolute
            | Metric::ContractConformance
            | Metric::RetryEarly
            | Metric::RetrySuccess => Unit::Ratio,
            Metric::Throughput => Unit::PerS,
            Metric::ContractViolations(_)
            | Metric::ContractFindings(_)
            | Metric::ContractNewViolations(_)
            | Metric::ContractNewFindings(_)
            | Metric::RetryMaxAttempts
            | Metric::FaultFired(_) => Unit::Count,
            Metric::RetryAmplification => Unit::None,
        }
    }

    /// The samples needed before it may be judged, with the effective number for samples that are correlated.
    ///
    /// For a percentile q, the fewest of which the largest lies above q with 97.5 % confidence, so that a
    /// two-sided 95 % interval exists: qⁿ ≤ 0.025 (MEASUREMENT.md's table). 30 for means and ratios, whose
    /// intervals rest on many; rates have Wilson's interval, honest for any number.
    pub fn needed(&self) -> u64 {
        match self {
            Metric::Latency(_, Point::Quantile(q)) => {
                let tail = q.max(1.0 - q);
                (0.025f64.ln() / tail.ln()).ceil().max(1.0) as u64
            }
            Metric::Latency(_, Point::Mean) | Metric::RetryAmplification | Metric::RetryEarly | Metric::Throughput => 30,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(require: &str) -> Gate {
        let (metric, op, limit) = parse(require, &|_| Some(RuleIx(0))).expect(require);
        Gate {
            id: "g1".to_owned(),
            name: require.to_owned(),
            require: require.to_owned(),
            metric,
            op,
            limit,
            scope: Scope::default(),
            scope_words: String::new(),
            abort_over: None,
        }
    }

    fn measured(value: f64, interval: Option<(f64, f64)>, n: u64) -> Measured {
        Measured { value, interval, n, n_eff: None, needed: 1 }
    }

    #[test]
    fn a_gate_passes_only_if_the_whole_interval_satisfies_it() {
        for (require, low, high, decision) in [
            ("error.rate < 1%", 0.003, 0.006, Decision::Pass),
            ("error.rate < 1%", 0.006, 0.013, Decision::Inconclusive),
            ("error.rate < 1%", 0.012, 0.020, Decision::Fail),
            // The ends count: 1 % is not below 1 %, but it is at most 1 %.
            ("error.rate < 1%", 0.003, 0.010, Decision::Inconclusive),
            ("error.rate < 1%", 0.010, 0.020, Decision::Fail),
            ("error.rate <= 1%", 0.003, 0.010, Decision::Pass),
            ("error.rate <= 1%", 0.010, 0.020, Decision::Inconclusive),
            ("goodput > 95%", 0.96, 0.98, Decision::Pass),
            ("goodput > 95%", 0.95, 0.98, Decision::Inconclusive),
            ("goodput >= 95%", 0.95, 0.98, Decision::Pass),
            ("goodput >= 95%", 0.90, 0.94, Decision::Fail),
            // Nothing but a single point can be equal; anything that leaves the limit out is not.
            ("error.rate == 0%", 0.0, 0.004, Decision::Inconclusive),
            ("retry.amplification == 1", 1.0, 1.0, Decision::Pass),
            ("retry.amplification == 1", 1.1, 1.3, Decision::Fail),
            ("retry.amplification != 1", 1.1, 1.3, Decision::Pass),
            ("retry.amplification != 1", 1.0, 1.0, Decision::Fail),
            ("retry.amplification != 1", 0.9, 1.3, Decision::Inconclusive),
        ] {
            let verdict = gate(require).judge(Some(&measured((low + high) / 2.0, Some((low, high)), 10_000)));
            assert_eq!(verdict.decision, decision, "{require} in {low} … {high}: {}", verdict.reason);
        }
    }

    #[test]
    fn facts_are_judged_on_their_value() {
        for (require, value, decision, reason) in [
            ("contract.violations(high) == 0", 0.0, Decision::Pass, "0 in 12 480 answers"),
            ("contract.violations(high) == 0", 6.0, Decision::Fail, "6 in 12 480 answers; 0 is required"),
            ("recovery.time < 15s", 0.0, Decision::Pass, "back at once after each of 12 480 outages, below 15 s"),
            ("recovery.time < 15s", 2_100_000.0, Decision::Pass, "2.1 s in the worst of 12 480 outages, below 15 s"),
            ("recovery.time < 15s", 15_000_000.0, Decision::Fail, "15 s in the worst of 12 480 outages, at or above 15 s"),
        ] {
            let verdict = gate(require).judge(Some(&measured(value, None, 12_480)));
            assert_eq!(verdict, Verdict { decision, reason: reason.to_owned() });
        }
    }

    #[test]
    fn reasons_say_what_was_measured_and_where_the_limit_lies() {
        for (require, value, interval, reason) in [
            ("error.rate < 1%", 0.004, (0.003, 0.006), "0.4 % of 8 120 exchanges; the interval 0.3 … 0.6 % lies below 1 %"),
            ("error.rate < 1%", 0.009, (0.007, 0.012), "0.9 % of 8 120 exchanges; the interval 0.7 … 1.2 % contains the limit 1 %"),
            ("response.p99 < 900ms", 1.2e6, (1.1e6, 1.4e6), "1.2 s over 8 120 exchanges; the interval 1.1 … 1.4 s lies at or above 900 ms"),
            ("retry.amplification < 1.6", 1.31, (1.28, 1.35), "1.31 over 8 120 exchanges; the interval 1.28 … 1.35 lies below 1.6"),
        ] {
            assert_eq!(gate(require).judge(Some(&measured(value, Some(interval), 8_120))).reason, reason);
        }
    }

    #[test]
    fn a_gate_without_samples_is_inconclusive() {
        let none = gate("response.p99 < 1s").judge(None);
        assert_eq!(none, Verdict { decision: Decision::Inconclusive, reason: "nothing was measured".to_owned() });
        let zero = gate("contract.violations(info) == 0").judge(Some(&measured(0.0, None, 0)));
        assert_eq!(zero, Verdict { decision: Decision::Inconclusive, reason: "there were no answers to judge".to_owned() });
        let undefined = gate("retry.success > 50%").judge(Some(&measured(f64::NAN, None, 9)));
        assert_eq!(undefined.decision, Decision::Inconclusive);
    }

    #[test]
    fn too_few_samples_are_inconclusive_however_clear_they_look() {
        let few = Measured { needed: 368, ..measured(10.0, Some((9.0, 11.0)), 120) };
        let verdict = gate("response.p99 < 1s").judge(Some(&few));
        assert_eq!(verdict, Verdict { decision: Decision::Inconclusive, reason: "needs 368 exchanges, had 120".to_owned() });
        let dependent = Measured { n_eff: Some(120), ..Measured { n: 4_000, ..few } };
        let reason = "needs 368 independent exchanges; 4 000 that depend on each other are worth 120";
        assert_eq!(gate("response.p99 < 1s").judge(Some(&dependent)).reason, reason);
    }

    #[test]
    fn the_samples_a_percentile_needs_are_those_of_the_table() {
        for (point, needed) in [("p50", 6), ("p90", 36), ("p95", 72), ("p99", 368), ("p999", 3_688)] {
            assert_eq!(gate(&format!("response.{point} < 1s")).metric.needed(), needed, "{point}");
        }
        assert_eq!(Metric::Latency(Latency::Response, Point::Quantile(0.9999)).needed(), 36_887);
    }
}
