//! What a plan will come to, computed before anything is sent: what a reviewer of a plan wants to know.
//!
//! Arrivals and fault hits follow from the schedule; what is in flight follows from Little's law (Little 1961:
//! L = λ·W) and an assumed response time, which is stated. For each gate the expected samples stand beside the
//! samples its metric needs, so that a run that cannot decide its gates is seen before it is made.

mod words;

use crate::arrival::Segment;
use crate::contract::Contract;
use crate::contract::server::Server;
use crate::fault::{Effect, Element, Fault, FaultRule, Level, Respond, StreamFault, Trigger};
use crate::gate::{FaultScope, Gate, Latency, Metric, Op};
use crate::id::{RowIx, ScenarioIx, StageIx, StepIx};
use crate::plan::{Fill, Piece, Place, Plan, Scenario, Shape, Stage, Step};
use crate::retry::{Conditions, Methods, RetryPolicy};
use crate::units::{Micros, Offset};

/// Assumed where nothing is known about the target.
const USUAL_RESPONSE: Micros = Micros::from_millis(100);
/// (1.96)², for 95 % intervals.
const Z2: f64 = 3.841_458_8;

/// What a plan is expected to come to. Numbers of events are means over seeds.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// What an answer is assumed to take, on average over all steps.
    pub response: Micros,
    /// Whether that is what the embedded target declares, and not a guess.
    pub response_declared: bool,
    /// The length of the schedule.
    pub length: Micros,
    /// Logical requests in all.
    pub exchanges: f64,
    pub stages: Vec<StageForecast>,
    pub faults: Vec<FaultForecast>,
    /// How far the faults repeat, and the rule for which they do no further, with the reason; `None` without faults.
    pub repeats: Option<(Level, String)>,
    pub gates: Vec<GateForecast>,
}

/// One stage.
#[derive(Clone, Debug)]
pub struct StageForecast {
    pub name: String,
    pub spec: String,
    pub judged: bool,
    pub length: Micros,
    /// For a closed stage an estimate from the assumed response time.
    pub arrivals: f64,
    /// Sessions at once, at the stage's highest rate.
    pub in_flight: f64,
    /// Three standard deviations above that may meet `max_in_flight`.
    pub may_meet_limit: bool,
}

/// One fault rule, as if no rule stood before it.
#[derive(Clone, Debug)]
pub struct FaultForecast {
    pub name: String,
    pub spec: String,
    /// Exchanges that it looks at.
    pub eligible: f64,
    /// Exchanges that it disturbs; nothing where that is not drawn, but decided by what was spent of a limit.
    pub hits: f64,
    /// Whether draws decide what it disturbs, so that this can be foreseen.
    pub drawn: bool,
    /// Attempts more than without it, if every attempt of those fails.
    pub worst_retries: f64,
}

/// One gate.
#[derive(Clone, Debug)]
pub struct GateForecast {
    pub id: String,
    pub require: String,
    pub scope_words: String,
    /// What the samples are: `exchanges`.
    pub unit: &'static str,
    /// `None` where it depends on the target alone.
    pub samples: Option<f64>,
    pub needed: u64,
    pub outlook: Outlook,
}

/// Whether a gate will have the samples it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// In all but a few runs.
    Enough,
    /// In some runs.
    Perhaps,
    /// In hardly any run: the gate will be inconclusive.
    TooFew,
    /// It depends on the target.
    Unknown,
}

impl Plan {
    /// What the plan will come to.
    pub fn forecast(&self) -> Forecast {
        let cells = Cells { plan: self, server: self.served() };
        Forecast {
            response: Micros::from_secs_f64(cells.per_step(|step| cells.response(step).as_secs_f64())),
            response_declared: cells.server.is_some(),
            length: self.schedule_end().0,
            exchanges: cells.all().map(|cell| cells.exchanges(cell)).sum(),
            stages: self.load.stages.iter().map(|stage| cells.stage(stage)).collect(),
            faults: self.faults.rules.iter().map(|rule| cells.fault(rule)).collect(),
            repeats: (!self.faults.rules.is_empty()).then(|| self.repeats()),
            gates: self.gates.iter().map(|gate| cells.gate(gate)).collect(),
        }
    }

    fn repeats(&self) -> (Level, String) {
        let (level, because) = self.level();
        (level, because.map(|(rule, why)| format!("the fault `{rule}` {why}")).unwrap_or_default())
    }

    /// The server that is built in, if the plan asks for it.
    fn served(&self) -> Option<&Server> {
        let Place::Embedded(_) = self.target.place else { return None };
        self.contract.as_ref()?.contract.server.as_deref()
    }
}

/// A step of a scenario in a stage.
#[derive(Clone, Copy)]
struct Cell {
    stage: StageIx,
    scenario: ScenarioIx,
    step: StepIx,
}

struct Cells<'p> {
    plan: &'p Plan,
    server: Option<&'p Server>,
}

impl Cells<'_> {
    fn all(&self) -> impl Iterator<Item = Cell> {
        let stages = 0..self.plan.load.stages.len();
        stages.flat_map(move |stage| {
            self.plan.scenarios.iter().enumerate().flat_map(move |(scenario, of)| {
                (0..of.steps.len()).map(move |step| Cell { stage: stage.into(), scenario: scenario.into(), step: step.into() })
            })
        })
    }

    /// How much of the arrivals a scenario gets.
    fn share(&self, scenario: &Scenario) -> f64 {
        let whole: f64 = self.plan.scenarios.iter().map(|scenario| f64::from(scenario.weight)).sum();
        f64::from(scenario.weight) / whole.max(1.0)
    }

    /// How long a session takes, over all scenarios.
    fn session(&self) -> f64 {
        let step = |step: &Step| self.response(step).as_secs_f64() + step.think.map_or(0.0, |think| think.mean().as_secs_f64());
        self.per_session(step).max(1e-6)
    }

    /// The sum over the steps of a session, on average over sessions.
    fn per_session(&self, of: impl Fn(&Step) -> f64) -> f64 {
        self.plan.scenarios.iter().map(|scenario| self.share(scenario) * scenario.steps.iter().map(&of).sum::<f64>()).sum()
    }

    /// The average over steps as often as they are played.
    fn per_step(&self, of: impl Fn(&Step) -> f64) -> f64 {
        self.per_session(of) / self.per_session(|_| 1.0).max(1e-9)
    }

    /// What the embedded target declares for the step's route, or else what is usual.
    fn response(&self, step: &Step) -> Micros {
        let Some(server) = self.server else { return USUAL_RESPONSE };
        let path = sample_path(step);
        let route = server.routes.iter().find(|route| route.method == step.method && route.path.matches(&path));
        let latency = route.and_then(|route| route.latency).or(server.latency);
        // A millisecond for what is not declared: the way there and back.
        latency.map_or(Micros::ZERO, |latency| latency.mean()) + Micros::from_millis(1)
    }

    fn arrivals(&self, stage: &Stage, start: Offset, end: Offset) -> f64 {
        match &stage.shape {
            Shape::Open(segments) => segments.iter().map(|segment| between(segment, start, end)).sum(),
            Shape::Closed { users } => {
                let open = end.min(stage.start + stage.length).since(start.max(stage.start)).as_secs_f64();
                f64::from(*users) * open / self.session()
            }
        }
    }

    fn exchanges(&self, cell: Cell) -> f64 {
        let stage = &self.plan.load.stages[cell.stage.at()];
        self.share(&self.plan.scenarios[cell.scenario.at()]) * self.arrivals(stage, stage.start, stage.start + stage.length)
    }

    /// Exchanges of a cell that a rule looks at while it is open.
    fn eligible(&self, rule: &FaultRule, cell: Cell) -> f64 {
        let scenario = &self.plan.scenarios[cell.scenario.at()];
        let step = &scenario.steps[cell.step.at()];
        if !looks_at(rule, cell.scenario, step) {
            return 0.0;
        }
        let stage = &self.plan.load.stages[cell.stage.at()];
        let open: f64 = rule.windows.iter().map(|window| self.arrivals(stage, window.start, window.end)).sum();
        self.share(scenario) * open
    }

    fn hits(&self, rule: &FaultRule, cell: Cell) -> f64 {
        let share = rule.share().unwrap_or(0.0);
        self.eligible(rule, cell) * share
    }

    fn stage(&self, stage: &Stage) -> StageForecast {
        let in_flight = match &stage.shape {
            Shape::Open(segments) => segments.iter().map(|s| s.from.get().max(s.to.get())).fold(0.0, f64::max) * self.session(),
            Shape::Closed { users } => f64::from(*users),
        };
        let spread = if matches!(stage.shape, Shape::Open(_)) { 3.0 * in_flight.sqrt() } else { 0.0 };
        StageForecast {
            name: stage.name.clone(),
            spec: stage.spec.clone(),
            judged: stage.judged,
            length: stage.length,
            arrivals: self.arrivals(stage, stage.start, stage.start + stage.length),
            in_flight,
            may_meet_limit: in_flight + spread > f64::from(self.plan.load.max_in_flight),
        }
    }

    fn fault(&self, rule: &FaultRule) -> FaultForecast {
        FaultForecast {
            name: rule.name.clone(),
            spec: rule.spec.clone(),
            eligible: self.all().map(|cell| self.eligible(rule, cell)).sum(),
            hits: self.all().map(|cell| self.hits(rule, cell)).sum(),
            drawn: rule.share().is_some(),
            worst_retries: self.all().map(|cell| self.hits(rule, cell) * self.retries_at_most(rule, cell)).sum(),
        }
    }

    /// How often an exchange that the rule disturbs is repeated at most.
    fn retries_at_most(&self, rule: &FaultRule, cell: Cell) -> f64 {
        let scenario = &self.plan.scenarios[cell.scenario.at()];
        let Some(policy) = scenario.policy.map(|policy| &self.plan.policies[policy.at()]) else { return 0.0 };
        let contract = self.plan.contract.as_ref().map(|using| using.contract.as_ref());
        let step = &scenario.steps[cell.step.at()];
        match may_repeat(policy, step) {
            true => failures_in_a_row(rule, &policy.on, contract).min(u64::from(policy.attempts - 1)) as f64,
            false => 0.0,
        }
    }

    fn gate(&self, gate: &Gate) -> GateForecast {
        let samples = self.samples(gate);
        let needed = needed(gate);
        let outlook = match samples {
            None => Outlook::Unknown,
            Some(n) if n - 2.0 * n.sqrt() >= needed as f64 => Outlook::Enough,
            Some(n) if n + 2.0 * n.sqrt() < needed as f64 => Outlook::TooFew,
            Some(_) => Outlook::Perhaps,
        };
        GateForecast {
            id: gate.id.clone(),
            require: gate.require.clone(),
            scope_words: gate.scope_words.clone(),
            unit: gate.metric.samples(),
            samples,
            needed,
            outlook,
        }
    }

    fn samples(&self, gate: &Gate) -> Option<f64> {
        let rules = &self.plan.faults.rules;
        let cells = self.all().filter(|&cell| self.in_scope(gate, cell));
        let of_cell = |cell: Cell| match gate.scope.fault {
            FaultScope::Any => self.exchanges(cell),
            FaultScope::Untouched => (self.exchanges(cell) - rules.iter().map(|rule| self.hits(rule, cell)).sum::<f64>()).max(0.0),
            FaultScope::During(rule) => self.eligible(&rules[rule.at()], cell),
            FaultScope::TouchedBy(rule) => self.hits(&rules[rule.at()], cell),
        };
        // Sessions and arrivals are counted at their first step.
        let first = |cell: &Cell| cell.step == StepIx(0);
        let repeated = |cell: Cell, hinted: bool| {
            let rules = rules.iter().filter(|rule| !hinted || gives_hint(&rule.effect));
            rules.map(|rule| self.hits(rule, cell) * self.retries_at_most(rule, cell).min(1.0)).sum::<f64>()
        };
        let with_faults = |n: f64| (!rules.is_empty()).then_some(n);
        match gate.metric {
            Metric::Latency(Latency::Session, _) | Metric::DropRate => Some(cells.filter(first).map(of_cell).sum()),
            Metric::RetryEarly => with_faults(cells.map(|cell| repeated(cell, true)).sum()),
            Metric::RetrySuccess => with_faults(cells.map(|cell| repeated(cell, false)).sum()),
            Metric::RecoveryTime => Some(rules.len() as f64 * 10.0),
            Metric::FaultFired(rule) => Some(self.all().map(|cell| self.eligible(&rules[rule.at()], cell)).sum()),
            Metric::ContractCoverage | Metric::ContractCoverageAbsolute | Metric::ContractConformance => None,
            _ => Some(cells.map(of_cell).sum()),
        }
    }

    fn in_scope(&self, gate: &Gate, cell: Cell) -> bool {
        let scope = &gate.scope;
        (scope.scenarios.is_empty() || scope.scenarios.contains(&cell.scenario))
            && (scope.steps.is_empty() || scope.steps.contains(&(cell.scenario, cell.step)))
            && (if scope.stages.is_empty() { self.plan.load.stages[cell.stage.at()].judged } else { scope.stages.contains(&cell.stage) })
    }
}

/// The integral of a segment's rate from `start` to `end`.
fn between(segment: &Segment, start: Offset, end: Offset) -> f64 {
    let length = segment.length.as_secs_f64();
    let from = start.since(segment.start).as_secs_f64().min(length);
    let to = end.since(segment.start).as_secs_f64().min(length);
    let rate = |t: f64| segment.from.get() + (segment.to.get() - segment.from.get()) * t / length;
    if to > from { (rate(from) + rate(to)) / 2.0 * (to - from) } else { 0.0 }
}

/// Whether a rule looks at the requests of a step; headers, query and body are taken to match.
pub(super) fn looks_at(rule: &FaultRule, scenario: ScenarioIx, step: &Step) -> bool {
    let matcher = &rule.matcher;
    let path = matcher.path.as_ref().is_none_or(|pattern| pattern.matches(&sample_path(step)));
    path && (matcher.methods.is_empty() || matcher.methods.contains(&step.method))
        && (matcher.scenarios.is_empty() || matcher.scenarios.contains(&scenario))
}

/// The path of a step as it may look in a run, without its query.
fn sample_path(step: &Step) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Piece::Fill(Fill::Arrival, _) => "1".to_owned(),
        Piece::Fill(..) => "x".to_owned(),
    };
    let path: String = step.path.pieces.iter().map(piece).collect();
    path.split('?').next().unwrap_or_default().to_owned()
}

fn may_repeat(policy: &RetryPolicy, step: &Step) -> bool {
    policy.methods == Methods::Any || policy.idempotency_header.is_some() || step.method.is_idempotent()
}

/// How many attempts of one exchange a rule can make fail in a way that is worth repeating; `u64::MAX`: any number.
fn failures_in_a_row(rule: &FaultRule, on: &Conditions, contract: Option<&Contract>) -> u64 {
    let repeated = |element: &Element| match element {
        Element::Pass | Element::Delay(_) => false,
        Element::Fault(fault) => worth_repeating(fault, on, contract),
    };
    let most = if let Trigger::FirstAttempts(n) = rule.trigger { u64::from(n) } else { u64::MAX };
    let fails = match &rule.effect {
        Effect::DelayOnly => false,
        Effect::Limiter(limiter) => on_status(&limiter.refusal, on, contract),
        Effect::Fault(fault) => worth_repeating(fault, on, contract),
        // The last element repeats.
        Effect::Sequence(elements) => match elements.iter().position(|element| !repeated(element)) {
            Some(passed) => return most.min(passed as u64),
            None => true,
        },
    };
    if fails { most } else { 0 }
}

/// Whether the policy repeats an attempt to which this was done.
fn worth_repeating(fault: &Fault, on: &Conditions, contract: Option<&Contract>) -> bool {
    match fault {
        Fault::Respond(respond) => on_status(respond, on, contract),
        Fault::Reset { .. } | Fault::ResetAfterUpstream => on.reset,
        Fault::Cut { .. } | Fault::HalfClose { .. } | Fault::TruncateChunked { .. } | Fault::DropAfterUpstream => on.cut,
        Fault::Stream(StreamFault::CutAfterEvents(_) | StreamFault::CutAfterTime(_) | StreamFault::DropDone(_)) => on.cut,
        // A body that is longer than it says is read up to what it says.
        Fault::ContentLength { off_by } => *off_by > 0 && on.cut,
        // A longer wait than a time-out, and none without end, is for the time-outs to say.
        Fault::BlackHole | Fault::Stall { lasting: None, .. } => on.timeout,
        Fault::BadChunk { .. } => on.protocol,
        Fault::Refuse => on.refused || on.connect,
        Fault::TlsFailure => on.tls || on.connect,
        Fault::GoAway | Fault::RefusedStream | Fault::ResetStream { .. } => on.reset,
        // The answer comes, late or with its head in order.
        Fault::Corrupt(_) | Fault::DelayAfterUpstream(_) | Fault::SlowBody(_) | Fault::Stall { lasting: Some(_), .. } => false,
        Fault::Stream(StreamFault::ErrorEvent { .. }) => false,
    }
}

fn on_status(respond: &Respond, on: &Conditions, contract: Option<&Contract>) -> bool {
    let of_row = |row: RowIx| contract.and_then(|contract| contract.rows.get(row.at())).map(|row| row.status);
    let status = match respond {
        Respond::Error { row, .. } => of_row(*row),
        Respond::Literal { status, .. } => Some(*status),
        // What is wrong with it may be its status; mostly it is not.
        Respond::Wrong { answer, .. } => return on_status(answer, on, contract),
    };
    status.is_some_and(|status| on.statuses.contains(&status) || on.classes.contains(&((status / 100) as u8)))
}

fn answers_with_hint(respond: &Respond) -> bool {
    match respond {
        Respond::Error { retry_after, .. } => retry_after.is_some(),
        Respond::Literal { headers, .. } => headers.contains_key(http::header::RETRY_AFTER),
        Respond::Wrong { answer, .. } => answers_with_hint(answer),
    }
}

fn gives_hint(effect: &Effect) -> bool {
    let hint = |fault: &Fault| matches!(fault, Fault::Respond(respond) if answers_with_hint(respond));
    match effect {
        Effect::DelayOnly => false,
        Effect::Limiter(_) => true,
        Effect::Fault(fault) => hint(fault),
        Effect::Sequence(elements) => elements.iter().any(|element| matches!(element, Element::Fault(fault) if hint(fault))),
    }
}

/// The samples a gate needs; for a rate those at which even a run without a single event can be told from its limit
/// (Wilson 1927: none of n leaves an upper bound of z²/(n + z²)).
fn needed(gate: &Gate) -> u64 {
    let rate = matches!(gate.metric, Metric::ErrorRate | Metric::DropRate | Metric::RetryEarly | Metric::RetrySuccess);
    let far = match gate.op {
        Op::Lt | Op::Le => gate.limit,
        Op::Gt | Op::Ge => 1.0 - gate.limit,
        Op::Eq | Op::Ne => 1.0,
    };
    match rate && far > 0.0 && far < 1.0 {
        true => ((Z2 * (1.0 / far - 1.0)).ceil() as u64).max(gate.metric.needed()),
        false => gate.metric.needed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Rate;

    #[test]
    fn arrivals_of_a_part_of_a_ramp_are_the_integral_of_its_rate() {
        let rate = |r| Rate::per_second(r).expect("a rate");
        let ramp = Segment {
            stage: StageIx(0),
            start: Offset::micros(10_000_000),
            length: Micros::from_secs(10),
            from: rate(0.0),
            to: rate(10.0),
        };
        let at = |s: u64| Offset(Micros::from_secs(s));
        for (from, to, expected) in [(0, 99, 50.0), (10, 20, 50.0), (10, 15, 12.5), (15, 20, 37.5), (0, 10, 0.0), (20, 30, 0.0)] {
            assert!((between(&ramp, at(from), at(to)) - expected).abs() < 1e-9, "{from} to {to}");
        }
    }
}
