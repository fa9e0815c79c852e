//! One pass / fail / inconclusive rule over one named metric.
//!
//! `response.p99 < 900ms` is a metric, an operator and a limit in the metric's unit. A gate is judged on what
//! was measured *and on how sure we are of it*; no measurement at all is inconclusive, never a pass.

use serde::{Deserialize, Serialize};

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
    ContractCoverage,
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
