//! What a run came to: the numbers and the verdict, as they stand in `report.json`.
//!
//! [`Analysis`] is made by folding what the recorders heard (`Tally`) and is pure data: every figure that any
//! report shows is in it. Names are the report's keys; `_us` and `_ms` are integers, a ratio is a float from 0
//! to 1, a percentile without samples is `null`.

mod accounting;
mod answers;
mod conformance;
mod faults;
mod finish;
mod latencies;
mod limiters;
mod measures;
mod mutations;
mod readings;
mod retries;
mod scope;
mod series;
mod standing;
pub mod statistics;
mod tally;
mod timeline;
mod verdict;
mod waterfalls;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::accounting::identity_problems;
pub use self::finish::{ProbesAlone, RunFacts};
pub use self::tally::Tally;
use crate::contract::replay::Replayed;
use crate::contract::resend::Resend;
use crate::contract::{Profile, Source};
use crate::gate::{Decision, Unit};
use crate::severity::Severity;

/// Everything that was found out about a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    pub verdict: Verdict,
    pub accounting: Accounting,
    pub stages: Vec<StageFacts>,
    pub faults: Vec<FaultFacts>,
    /// `None` where the plan has no faults.
    pub decisions: Option<DecisionFacts>,
    pub metrics: Metrics,
    pub histograms: Vec<HistogramFacts>,
    pub timeseries: Timeseries,
    pub retries: Retries,
    pub contract: Option<ContractFacts>,
    pub findings: Vec<FindingFacts>,
    /// The contract's waivers, expired ones included, which do not apply.
    pub suppressions: Vec<WaiverFacts>,
    pub data_quality: DataQuality,
}

/// The outcome of a run; the order is not the order of exit codes, which `cli` decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Pass,
    Fail,
    Inconclusive,
    Invalid,
    Error,
}

/// Pass or fail, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub status: Status,
    /// One or two sentences: what happened, and what decided.
    pub headline: String,
    /// Why the run is not to be believed; empty for a valid one.
    pub invalid: Vec<String>,
    pub gates: Vec<GateFacts>,
}

/// One gate, decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateFacts {
    pub id: String,
    pub name: String,
    pub require: String,
    /// The scope in words; `null` for the whole judged run.
    #[serde(rename = "where")]
    pub scope: Option<String>,
    pub metric: String,
    pub op: String,
    pub limit: f64,
    pub actual: Option<f64>,
    pub unit: Unit,
    pub ci: Option<[f64; 2]>,
    pub n: u64,
    pub n_eff: Option<u64>,
    pub decision: Decision,
    pub reason: String,
    pub severity: Option<Severity>,
}

/// The identity: every arrival, exchange and attempt is somewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounting {
    pub scheduled: u64,
    pub started: u64,
    pub dropped: u64,
    pub unstarted: u64,
    pub later_steps: u64,
    pub skipped_steps: u64,
    pub exchanges: u64,
    pub ok: u64,
    pub error_answers: u64,
    pub failed: u64,
    pub timed_out: u64,
    pub cancelled: u64,
    pub in_flight_at_end: u64,
    pub attempts: u64,
    pub retries: u64,
    /// `null` without the proxy in the path.
    pub seen_by_proxy: Option<u64>,
    pub never_sent: u64,
    pub hidden_resends: u64,
}

/// One stage as it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageFacts {
    pub name: String,
    pub judged: bool,
    pub start_ms: u64,
    pub end_ms: u64,
    /// As written in the plan.
    pub load: String,
    /// Arrivals the schedule held.
    pub offered: u64,
    pub started: u64,
}

/// One fault rule as it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultFacts {
    pub id: String,
    pub name: String,
    /// The key of the effect, `delay` or `sequence`.
    pub effect: String,
    pub spec: String,
    pub windows: Vec<WindowFacts>,
    pub eligible: u64,
    pub planned: u64,
    pub fired: u64,
    /// Planned and not fired, by reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfired: Vec<UnfiredFacts>,
    /// What the target had answered where the client never heard of it; absent for a rule that loses no answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamFacts>,
    pub unreached: u64,
    pub attempts_touched: u64,
    pub exchanges_touched: u64,
    /// Planned, and passed since one more would have been too many at once.
    #[serde(default)]
    pub held_back: u64,
    /// How far its decisions are the same in every run: `exact`, `ordinal`, `realtime`.
    #[serde(default)]
    pub level: String,
    /// From the end of its last window until the run was back in its earlier band (M38).
    pub recovery_ms: Option<u64>,
    /// Injected answers that violate the contract (X05).
    pub fidelity_findings: u64,
    /// Ways in which the rule makes answers wrong, and whether that was found; absent in reports of older versions.
    #[serde(default)]
    pub mutations: Vec<MutationFacts>,
}

/// One way in which a rule makes answers wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MutationFacts {
    pub name: String,
    /// The checks that have to find it.
    pub expects: Vec<String>,
    /// Answers in which each of them found something.
    pub seen: u64,
    /// Other checks that found more than a remark in answers of the same rule, with the number of answers.
    pub others: BTreeMap<String, u64>,
}

/// The decisions about all faults: how far they repeat, and where they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionFacts {
    /// That of the loosest rule.
    pub level: String,
    /// Why no stricter; `null` where it is `exact`.
    pub reason: Option<String>,
    /// `null` where nothing was logged.
    pub log: Option<LogLines>,
    /// How the run and the log fit together that it followed; `null` where it decided by itself.
    pub followed: Option<FollowedFacts>,
}

/// The decision log, `faults.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLines {
    pub lines: u64,
    /// Attempts without a line.
    pub missing: u64,
    /// Why the file is not there.
    pub error: Option<String>,
}

/// A run that followed the decisions of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedFacts {
    /// Attempts about which the log says something.
    pub known: u64,
    /// Attempts about which it says nothing, though a rule was open for them and matches: they passed.
    pub unknown: u64,
    /// Lines for which no attempt came.
    pub unmet: u64,
}

/// Why a fault that was decided was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfiredFacts {
    pub why: String,
    pub count: u64,
}

/// Answers of the target that the client never heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamFacts {
    pub answered: u64,
    /// Those with a status of success (2xx): what the client asked for was done.
    pub succeeded: u64,
}

/// An open stretch of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowFacts {
    pub start_ms: u64,
    pub end_ms: u64,
}

/// Counts and latencies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Judged stages only.
    pub overall: MetricSet,
    /// In order of time.
    pub by_stage: Vec<NamedMetrics>,
    /// By `scenario/step`, judged stages only, in plan order.
    pub by_operation: Vec<NamedMetrics>,
    pub by_status_code: Vec<StatusCount>,
    /// Failed attempts by kind, most frequent first.
    pub by_failure: Vec<FailureCount>,
    /// Whole sessions, from the scheduled start of the arrival; judged stages only.
    pub session_us: ByOutcome,
    /// What the proxy measured towards the target; `null` without a proxy.
    pub upstream_us: Option<Summary>,
}

/// A metric set with the name of what it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedMetrics {
    pub name: String,
    #[serde(flatten)]
    pub metrics: MetricSet,
}

/// Counts and latencies of one scope.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricSet {
    pub exchanges: u64,
    pub attempts: u64,
    pub ok: u64,
    pub error_answers: u64,
    pub failed: u64,
    pub timed_out: u64,
    /// Exchanges per second.
    pub rate_per_s: f64,
    pub response_us: ByOutcome,
    pub service_us: ByOutcome,
    pub first_byte_us: ByOutcome,
    pub lag_us: ByOutcome,
}

/// Success and error apart: fast errors must not flatter a percentile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ByOutcome {
    pub ok: Summary,
    pub error: Summary,
}

/// A distribution in a few numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub n: u64,
    pub min: Option<u64>,
    pub mean: Option<u64>,
    pub p50: Option<u64>,
    pub p90: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
    pub p999: Option<u64>,
    pub max: Option<u64>,
    /// Samples that are lower bounds: attempts that ended by a timeout.
    pub censored: u64,
}

/// Answers with one status and code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusCount {
    pub status: u16,
    pub code: Option<String>,
    pub service: Option<String>,
    pub count: u64,
    /// How many of them our own proxy made.
    pub injected: u64,
}

/// Failed attempts of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureCount {
    /// A word of [`crate::wire::Failure::word`].
    pub kind: String,
    pub count: u64,
    pub injected: u64,
}

/// One histogram, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistogramFacts {
    pub id: String,
    /// `judged`, a stage, an operation.
    pub scope: String,
    /// response | service | session | first_byte | lag | backoff
    pub kind: String,
    /// ok | error
    pub outcome: String,
    pub unit: String,
    pub encoding: String,
    pub co_corrected: bool,
    pub data: String,
}

/// What happened when, in columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeseries {
    pub interval_ms: u64,
    pub columns: Vec<String>,
    /// One array per interval, in the order of `columns`.
    pub data: Vec<Vec<Option<f64>>>,
}

/// How failures were repeated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retries {
    pub exchanges: u64,
    pub attempts: u64,
    /// Attempts per exchange (M2).
    pub amplification: Option<f64>,
    pub attempts_per_exchange: Vec<AttemptsCount>,
    pub success_after_retry: SuccessAfterRetry,
    pub goodput: Goodput,
    pub retry_after: HintFacts,
    pub by_policy: Vec<PolicyFacts>,
    /// Waits before each retry.
    pub backoff: Vec<BackoffFacts>,
    pub waterfalls: Vec<Waterfall>,
}

/// How many exchanges took so many attempts (M1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptsCount {
    pub attempts: u32,
    pub exchanges: u64,
}

/// Exchanges that met a failure and still came out well (M27).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SuccessAfterRetry {
    pub touched: u64,
    pub recovered: u64,
    pub ratio: Option<f64>,
}

/// Useful work against offered work (M30).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Goodput {
    pub ok_per_s: f64,
    pub offered_per_s: f64,
    pub ratio: Option<f64>,
}

/// What was done with the server's Retry-After (M11).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HintFacts {
    /// Failed attempts that carried one and were followed by another attempt.
    pub seen: u64,
    pub obeyed: u64,
    pub early: u64,
    pub late: u64,
    pub early_max_us: u64,
}

/// One retry policy as it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyFacts {
    pub name: String,
    pub spec: String,
    pub exchanges: u64,
    pub attempts: u64,
    pub amplification: Option<f64>,
    pub max_attempts: u32,
    pub touched: u64,
    pub recovered: u64,
    pub success_ratio: Option<f64>,
    pub hints: HintFacts,
    pub budget_refused: u64,
}

/// Waits before retry number `retry`, without a hint and with one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackoffFacts {
    pub policy: String,
    pub retry: u32,
    pub waits_us: Summary,
    pub hinted_us: Summary,
}

/// One exchange attempt by attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waterfall {
    pub exchange: String,
    pub operation: String,
    /// Why it was chosen: `most attempts`, `slowest`, `recovered`.
    pub chosen: String,
    pub scheduled_ms: u64,
    pub outcome: String,
    pub attempts: Vec<WaterfallAttempt>,
}

/// One bar of a waterfall; times are from the scheduled start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaterfallAttempt {
    pub start_us: u64,
    pub end_us: u64,
    /// `429`, `reset`…
    pub ending: String,
    pub injected: Option<String>,
    /// When the server said to come back.
    pub asked_until_us: Option<u64>,
}

/// What was seen of the documented errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContractFacts {
    pub name: String,
    pub version: String,
    pub profile: Profile,
    pub sources: Vec<String>,
    pub entries: Vec<EntryFacts>,
    pub coverage: CoverageFacts,
    /// Statuses and codes that were answered and are not documented.
    pub undocumented: Vec<UndocumentedFacts>,
    /// What is wrong with the contract itself (Q checks).
    pub lints: Vec<LintFacts>,
    /// The structures of error bodies, by service, the most frequent first.
    #[serde(default)]
    pub shapes: Vec<ShapeFacts>,
    /// Rate limiters that were met.
    #[serde(default)]
    pub limiters: Vec<LimiterFacts>,
    /// What became of an earlier report's findings; `null` without a baseline.
    #[serde(default)]
    pub baseline: Option<BaselineFacts>,
    /// Answers inspected, successes included; injected ones apart.
    pub inspected: u64,
    pub inspected_injected: u64,
}

/// One documented error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryFacts {
    /// `service/operation/status/code`.
    pub key: String,
    pub service: Option<String>,
    pub status: u16,
    pub code: String,
    pub state: EntryState,
    /// load | probe | fault | hook
    pub how_seen: Vec<String>,
    /// Answers of the target, not injected.
    pub count: u64,
    pub injected: u64,
    /// Of medium severity or worse.
    pub findings: u64,
    pub reason: Option<String>,
    pub contract_ref: Option<Source>,
}

/// What is known of a documented error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryState {
    Conformant,
    Violating,
    Unreached,
    NotTried,
    NeedsHook,
    SyntheticOnly,
    Excluded,
}

/// n of N.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageFacts {
    /// Documented errors that are not excluded.
    pub in_scope: u64,
    /// Of them, answered by the target.
    pub seen: u64,
    /// Of them, always in order.
    pub conformant: u64,
    /// Documented errors, excluded ones included.
    pub absolute_total: u64,
    /// Of them, answered by the target.
    #[serde(default)]
    pub absolute_seen: u64,
}

/// Something answered that the document does not list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndocumentedFacts {
    pub status: u16,
    pub code: Option<String>,
    pub service: Option<String>,
    pub count: u64,
}

/// One structure of error bodies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapeFacts {
    pub service: Option<String>,
    /// `$.code: string, $.message: string`; long ones are cut.
    pub shape: String,
    pub count: u64,
    pub statuses: Vec<u16>,
}

/// One rate limiter: what it says, what is documented of it, what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimiterFacts {
    /// Method and path.
    pub operation: String,
    /// probe | load
    pub seen_by: String,
    pub requests: u64,
    pub refused: u64,
    /// The limit its headers name most often.
    pub advertised_limit: Option<u64>,
    /// The units in which all its resets make sense.
    pub reset_units: Vec<String>,
    pub documented_limit: Option<u64>,
    pub documented_window_ms: Option<u64>,
    /// token-bucket | fixed-window | sliding-window; `null`: it cannot be told.
    pub algorithm: Option<String>,
    /// All that explain what was seen.
    pub fits: Vec<String>,
    /// The evidence, or why it is not enough.
    pub reason: String,
    /// Requests admitted at once.
    pub capacity: Option<EstimateFacts>,
    /// Requests admitted in the long run.
    pub per_second: Option<EstimateFacts>,
    pub window_ms: Option<EstimateFacts>,
    /// What would tell, where it cannot be told.
    pub experiment: Option<String>,
    pub waits: WaitFacts,
}

/// A number, and what it may be as well.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EstimateFacts {
    pub low: f64,
    pub best: f64,
    pub high: f64,
}

/// What came of the waits that a limiter asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WaitFacts {
    /// Waits that were kept, by somebody of whom nothing else was admitted meanwhile.
    pub kept: u64,
    pub refused_again: u64,
    /// Of the share that was refused again.
    pub ci: Option<[f64; 2]>,
    /// Refusals after which somebody who came earlier than asked was admitted.
    pub overlong: u64,
}

/// One waiver of the contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaiverFacts {
    pub check: String,
    pub entry: Option<String>,
    pub finding: Option<String>,
    pub reason: String,
    /// Its last day.
    pub expires: String,
    /// It does not apply any more.
    pub expired: bool,
    /// What it covers of this run.
    pub findings: u64,
    pub violations: u64,
    pub contract_ref: Source,
}

/// An earlier report's findings, compared with this run's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineFacts {
    pub path: String,
    pub run: String,
    /// Findings that it does not have, and that it has; waived ones aside.
    pub new: u64,
    pub known: u64,
    /// Its findings that were not seen again.
    pub fixed: Vec<FixedFacts>,
}

/// A finding of the baseline that was not seen again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FixedFacts {
    pub id: String,
    pub check: String,
    pub severity: Severity,
    pub title: String,
    /// `fixed`: such answers came and were in order. `not-met`: none came, so nobody knows.
    pub state: String,
}

/// Something wrong with the contract document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LintFacts {
    pub check: String,
    pub message: String,
    pub contract_ref: Source,
}

/// Violations with one cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingFacts {
    pub id: String,
    pub check: String,
    pub severity: Severity,
    /// `certain` | `likely`
    pub confidence: String,
    pub title: String,
    pub expected: String,
    pub actual: String,
    pub instance_path: String,
    pub contract_ref: Option<Source>,
    pub service: Option<String>,
    pub status: Option<u16>,
    pub code: Option<String>,
    pub operations: Vec<String>,
    pub count: u64,
    pub first_at_ms: u64,
    pub last_at_ms: u64,
    pub stages: Vec<String>,
    /// Faults that were open when it was seen.
    pub faults: Vec<String>,
    /// `origin` | `gateway` | `injector` | `transport`
    pub responder: String,
    /// What came of sending its request again, alone, after the run; `null` where it was not.
    pub isolated_replay: Option<Replayed>,
    /// At most three.
    pub evidence: Vec<Evidence>,
    pub how_to_fix: String,
    pub sources: Vec<String>,
    /// new | known: against the baseline, `null` without one. suppressed: a waiver covers it, and it counts in no gate.
    pub baseline: Option<String>,
    /// Why it is suppressed, and until when.
    #[serde(default)]
    pub waiver: Option<String>,
    /// Probes that met it.
    #[serde(default)]
    pub probes: Vec<String>,
}

/// A sample of a violating answer; secrets are masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub at_ms: u64,
    pub request: String,
    pub response: String,
    pub curl: String,
    /// The request for `brownout replay`; `null` in reports of older versions.
    #[serde(default)]
    pub replay: Option<Resend>,
}

/// Whether the numbers can be believed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataQuality {
    pub generator: GeneratorFacts,
    pub dropped: u64,
    pub skipped_validations: u64,
    pub truncated: BTreeMap<String, u64>,
    pub warnings: Vec<String>,
}

/// The generator's own health.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorFacts {
    pub workers: u32,
    pub transport: String,
    pub lag_us: Summary,
    pub wait_us: Summary,
    /// Share of its threads' time the generator used; `null` where the system does not tell.
    pub cpu: Option<f64>,
    pub peak_rss_bytes: Option<u64>,
    pub connections_made: u64,
    pub saturated_samples: u64,
    pub peak_in_flight: u64,
}
