//! The recorder of a run: one per worker, without a lock, in memory that does not grow with the number of requests.
//!
//! What is heard is folded at once into counts, histograms and bounded samples; nothing is kept per request. At
//! the end the workers' tallies are [merged](Tally::merge) and [finished](Tally::finish).

use std::collections::HashMap;
use std::sync::Arc;

use hdrhistogram::Histogram;

use super::accounting::Counts;
use super::answers::Answers;
use super::conformance::Conformance;
use super::faults::{self, Touched};
use super::latencies::{Apart, Latencies};
use super::measures::{Measure, Pending};
use super::retries::RetryTally;
use super::series::{Series, base_interval};
use super::timeline::{self, Interval};
use super::waterfalls::Gallery;
use crate::contract::findings::Finding;
use crate::contract::limiter::Trail;
use crate::fault::FaultRule;
use crate::id::{ExchangeId, RowIx, StageIx};
use crate::plan::{Place, Plan};
use crate::record::{Answered, Attempt, Exchange, Glance, Outcome, Probed, Recorder};
use crate::units::{Micros, Offset};
use crate::wire::Ending;

/// What one worker heard.
pub struct Tally {
    pub(super) plan: Arc<Plan>,
    /// The wall clock when the run's clock read zero.
    pub(super) unix_us_at_zero: i64,
    /// By stage.
    pub(super) stages: Vec<StageTally>,
    /// By scenario and step, judged stages only.
    pub(super) operations: Vec<Vec<Heard>>,
    /// Whole sessions, judged stages only.
    pub(super) session: Apart,
    /// How late arrivals were started, and how long attempts waited for a connection; judged stages only.
    pub(super) lag: Latencies,
    pub(super) wait: Latencies,
    pub(super) timeline: Series<Interval>,
    pub(super) measures: Vec<Measure>,
    pub(super) answers: Answers,
    pub(super) retries: RetryTally,
    /// By fault rule.
    pub(super) touched: Vec<Touched>,
    pub(super) gallery: Gallery,
    pub(super) conformance: Conformance,
    /// Error answers of which more arrived than is kept for checks.
    pub(super) truncated_bodies: u64,
    /// Attempts of any stage that were answered.
    pub(super) answered: u64,
    /// Violations of exchanges that have not ended, by the session's slot.
    pending: HashMap<u32, (ExchangeId, Vec<Pending>)>,
    glance: Glance,
    /// Response times of ok exchanges, for the glance.
    so_far: Histogram<u32>,
}

/// One stage.
#[derive(Clone, Debug, Default)]
pub(super) struct StageTally {
    pub(super) judged: bool,
    pub(super) counts: Counts,
    pub(super) times: Times,
}

/// Counts and times of one operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    pub(super) counts: Counts,
    pub(super) times: Times,
}

/// The times of one scope (MEASUREMENT.md).
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    pub(super) response: Apart,
    pub(super) service: Apart,
    pub(super) first_byte: Apart,
    pub(super) lag: Apart,
}

/// Violations kept of one exchange until it ends.
const MOST_PENDING: usize = 256;

impl Tally {
    /// An empty tally; `unix_us_at_zero` is the wall clock when the run's clock read zero.
    pub fn new(plan: &Arc<Plan>, unix_us_at_zero: i64) -> Tally {
        Tally {
            plan: Arc::clone(plan),
            unix_us_at_zero,
            stages: plan.load.stages.iter().map(|stage| StageTally { judged: stage.judged, ..StageTally::default() }).collect(),
            operations: plan.scenarios.iter().map(|scenario| vec![Heard::default(); scenario.steps.len()]).collect(),
            session: Apart::default(),
            lag: Latencies::default(),
            wait: Latencies::default(),
            timeline: Series::new(base_interval(plan.schedule_end()), timeline::MOST),
            measures: plan.gates.iter().map(|gate| Measure::new(plan, gate)).collect(),
            answers: Answers::default(),
            retries: RetryTally::new(plan.policies.len()),
            touched: vec![Touched::default(); plan.faults.rules.len()],
            gallery: Gallery::default(),
            conformance: Conformance::new(plan, &base_url(plan), unix_us_at_zero),
            truncated_bodies: 0,
            answered: 0,
            pending: HashMap::new(),
            glance: Glance::default(),
            so_far: Histogram::new(2).expect("two digits are a valid precision"),
        }
    }

    /// The same tally of a target at this scheme and authority, which only a run knows of an embedded one: curl
    /// lines in findings name it. To be said before anything is recorded.
    pub fn aimed_at(mut self, base_url: &str) -> Tally {
        self.conformance = Conformance::new(&self.plan, base_url, self.unix_us_at_zero);
        self
    }

    /// Goes on with another plan of the same stages, rules and gates: one that knows what its operations are called.
    pub fn replan(&mut self, plan: &Arc<Plan>) {
        self.plan = Arc::clone(plan);
    }

    /// Goes on with one fault rule more, after all others.
    pub fn add_rule(&mut self, rule: FaultRule) {
        Arc::make_mut(&mut self.plan).faults.rules.push(rule);
        self.touched.push(Touched::default());
    }

    /// The plan it is made for.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Whether any attempt was answered: a run with arrivals and without an answer has met no target.
    pub const fn any_answer(&self) -> bool {
        self.answered > 0
    }

    /// The findings so far that are new, the worst first: neither waived nor known from the baseline.
    pub fn new_findings(&self) -> Vec<&Finding> {
        self.conformance.new_findings(&self.plan)
    }

    /// Whether the schedule held any arrivals.
    pub fn any_arrival(&self) -> bool {
        self.stages.iter().any(|stage| stage.counts.scheduled() > 0)
    }

    /// Adds what another worker heard of the same plan.
    pub fn merge(&mut self, other: Tally) {
        for (ours, theirs) in self.stages.iter_mut().zip(&other.stages) {
            ours.counts.merge(&theirs.counts);
            ours.times.merge(&theirs.times);
        }
        for (ours, theirs) in self.operations.iter_mut().flatten().zip(other.operations.iter().flatten()) {
            ours.counts.merge(&theirs.counts);
            ours.times.merge(&theirs.times);
        }
        self.session.merge(&other.session);
        self.lag.merge(&other.lag);
        self.wait.merge(&other.wait);
        self.timeline.merge(other.timeline);
        self.measures.iter_mut().zip(other.measures).for_each(|(ours, theirs)| ours.merge(theirs));
        self.answers.merge(other.answers);
        self.retries.merge(&other.retries);
        self.touched.iter_mut().zip(other.touched).for_each(|(ours, theirs)| ours.merge(theirs));
        self.gallery.merge(other.gallery);
        let violations = self.conformance.merge(&self.plan, other.conformance);
        self.measures.iter_mut().for_each(|measure| measure.outside(0, &violations));
        self.truncated_bodies += other.truncated_bodies;
        self.answered += other.answered;
        // Every slot belongs to one worker; exchanges that were cut off are told of after all have been merged.
        self.pending.extend(other.pending);
    }

    fn judged(&self, stage: StageIx) -> bool {
        self.stages.get(stage.at()).is_some_and(|stage| stage.judged)
    }

    fn counts(&mut self, stage: StageIx) -> Option<&mut Counts> {
        self.stages.get_mut(stage.at()).map(|stage| &mut stage.counts)
    }

    fn arrival(&mut self, stage: StageIx, scheduled_at: Offset, served: bool, dropped: bool) {
        self.timeline.at(scheduled_at).scheduled += 1;
        self.measures.iter_mut().for_each(|measure| measure.arrival(stage, scheduled_at, served, dropped));
    }

    fn show(&mut self, exchange: &Exchange<'_>) {
        self.glance.attempts += exchange.attempts.len() as u64;
        if exchange.outcome == Outcome::Ok {
            self.glance.ok += 1;
            let response = exchange.ended_at.since(exchange.id.scheduled_at).min(Micros::HOUR);
            // A sample that finds no memory is missing from the progress line alone.
            self.so_far.record(response.0).unwrap_or_default();
        } else {
            self.glance.not_ok += 1;
        }
    }
}

/// The target's scheme and authority, as far as the plan knows them.
fn base_url(plan: &Plan) -> String {
    match &plan.target.place {
        Place::Url(url) => url.as_str().trim_end_matches('/').to_owned(),
        Place::Embedded(_) => "http://127.0.0.1".to_owned(),
    }
}

impl Recorder for Tally {
    fn started(&mut self, stage: StageIx, scheduled_at: Offset, started_at: Offset) {
        self.glance.started += 1;
        if let Some(counts) = self.counts(stage) {
            counts.started += 1;
        }
        self.arrival(stage, scheduled_at, true, false);
        self.timeline.at(started_at).started += 1;
        if self.judged(stage) {
            self.lag.record(started_at.since(scheduled_at), false);
        }
    }

    fn dropped(&mut self, stage: StageIx, scheduled_at: Offset) {
        self.glance.dropped += 1;
        if let Some(counts) = self.counts(stage) {
            counts.dropped += 1;
        }
        self.arrival(stage, scheduled_at, false, true);
        self.timeline.at(scheduled_at).dropped += 1;
    }

    fn unstarted(&mut self, stage: StageIx, scheduled_at: Offset) {
        if let Some(counts) = self.counts(stage) {
            counts.unstarted += 1;
        }
        self.arrival(stage, scheduled_at, false, false);
    }

    fn answered(&mut self, answered: &Answered<'_>) {
        self.answered += u64::from(matches!(answered.ending, Ending::Answered(_)));
        if let Some(response) = answered.response {
            let error = response.status >= 400;
            self.truncated_bodies += u64::from(error && answered.ending.status().is_some() && !response.body_complete);
        }
        if self.judged(answered.stage) {
            self.answers.answered(answered, &self.plan.secrets);
        }
        let pending = &mut self.pending;
        if let Some((ix, rule)) = answered.injected.and_then(|ix| Some((ix, self.plan.faults.rules.get(ix.at())?)))
            && let Some(touched) = self.touched.get_mut(ix.at())
        {
            touched.shown.answered(rule, answered);
        }
        self.conformance.answered(&self.plan, answered, |violation| {
            let (id, violations) = pending.entry(answered.exchange.slot).or_insert_with(|| (*answered.exchange, Vec::new()));
            if id != answered.exchange {
                // The exchange before it in this slot never ended: what it left is of no scope.
                (*id, *violations) = (*answered.exchange, Vec::new());
            }
            if violations.len() < MOST_PENDING {
                violations.push(violation);
            }
        });
    }

    fn probed(&mut self, probed: &Probed<'_>) {
        let (measures, mut violations) = (&mut self.measures, Vec::new());
        self.conformance.probed(&self.plan, probed, |violation| violations.push((violation, 1)));
        let inspected = u64::from(probed.response.is_some());
        measures.iter_mut().for_each(|measure| measure.outside(inspected, &violations));
    }

    fn limited(&mut self, trail: &Trail) {
        self.conformance.limited(trail);
    }

    fn tried(&mut self, row: RowIx) {
        self.conformance.tried(row);
    }

    fn exchange(&mut self, exchange: &Exchange<'_>) {
        self.show(exchange);
        let violations = if self.pending.is_empty() { None } else { self.pending.remove(&exchange.id.slot) };
        let violations = violations.filter(|(id, _)| *id == exchange.id).map(|(_, violations)| violations).unwrap_or_default();
        timeline::exchange(&mut self.timeline, exchange);
        if exchange.attempts.len() > 1 {
            self.conformance.exchange(exchange, self.unix_us_at_zero);
        }
        faults::exchange(&mut self.touched, exchange);
        let judged = self.judged(exchange.stage);
        if let Some(stage) = self.stages.get_mut(exchange.stage.at()) {
            stage.counts.exchange(exchange);
            stage.times.exchange(exchange);
        }
        if judged {
            if let Some(operation) =
                self.operations.get_mut(exchange.id.scenario.at()).and_then(|steps| steps.get_mut(exchange.id.step.at()))
            {
                operation.counts.exchange(exchange);
                operation.times.exchange(exchange);
            }
            for attempt in exchange.attempts {
                if let Some(ready_at) = attempt.stamps.ready_at {
                    self.wait.record(ready_at.since(attempt.stamps.started_at), false);
                }
            }
            self.retries.exchange(exchange, self.unix_us_at_zero);
            self.gallery.exchange(exchange);
        }
        for measure in &mut self.measures {
            measure.exchange(&self.plan, self.unix_us_at_zero, exchange, &violations);
        }
    }

    fn session(&mut self, stage: StageIx, scheduled_at: Offset, ended_at: Offset, ok: bool) {
        self.timeline.at(ended_at).ended += 1;
        if self.judged(stage) {
            self.session.record(ok, ended_at.since(scheduled_at), false);
        }
        self.measures.iter_mut().for_each(|measure| measure.session(stage, scheduled_at, ended_at, ok));
    }

    fn glance(&self) -> Glance {
        let p99 = (!self.so_far.is_empty()).then(|| Micros(self.so_far.value_at_quantile(0.99)));
        Glance { p99, ..self.glance }
    }
}

impl Times {
    /// Records an exchange: response once, the rest per attempt. Only the last attempt of an ok exchange is ok.
    ///
    /// One that was cancelled says nothing about the target; one cut by the end of the drain took at least so long.
    fn exchange(&mut self, exchange: &Exchange<'_>) {
        let scheduled_at = exchange.id.scheduled_at;
        let ok = exchange.outcome == Outcome::Ok;
        if exchange.outcome != Outcome::Cancelled {
            let censored = matches!(exchange.outcome, Outcome::TimedOut | Outcome::InFlightAtEnd);
            self.response.record(ok, exchange.ended_at.since(scheduled_at), censored);
        }
        if let Some(first) = exchange.attempts.first() {
            self.lag.record(ok, first.stamps.started_at.since(scheduled_at), false);
        }
        let last = exchange.attempts.len().saturating_sub(1);
        for (index, attempt) in exchange.attempts.iter().enumerate() {
            self.attempt(ok && index == last, attempt);
        }
    }

    fn attempt(&mut self, ok: bool, attempt: &Attempt) {
        let stamps = &attempt.stamps;
        if attempt.ending != Ending::Unfinished {
            let censored = matches!(attempt.ending, Ending::Failed(failure) if failure.is_timeout());
            self.service.record(ok, stamps.ended_at.since(stamps.started_at), censored);
        }
        if let Some(first_byte_at) = stamps.first_byte_at {
            self.first_byte.record(ok, first_byte_at.since(stamps.started_at), false);
        }
    }

    pub(super) fn merge(&mut self, other: &Times) {
        self.response.merge(&other.response);
        self.service.merge(&other.service);
        self.first_byte.merge(&other.first_byte);
        self.lag.merge(&other.lag);
    }

    pub(super) fn saturated(&self) -> u64 {
        self.response.saturated() + self.service.saturated() + self.first_byte.saturated() + self.lag.saturated()
    }
}
