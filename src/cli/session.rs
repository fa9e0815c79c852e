//! A plan as `brownout proxy` carries it out: its faults and its contract, and routes in the place of scenarios.

use std::sync::{Arc, Mutex, PoisonError};

use http::Method;

use crate::analysis::{Analysis, Tally};
use crate::fault::FaultRule;
use crate::id::{ScenarioIx, StageIx};
use crate::lineage::MOST_ROUTES;
use crate::plan::{LONGEST, Plan, Scenario, Shape, StatusRange, Step, Template};
use crate::proxy::{NewRules, SessionRecorder};
use crate::record::{Answered, Exchange, Glance, Observed, Recorder, SessionTally};
use crate::units::{Micros, Offset};

/// The plan for clients that are not ours, and what of it cannot apply to them.
pub fn of_strangers(mut plan: Plan, bound: Option<Micros>) -> (Plan, Vec<String>) {
    let mut warnings = plan.unfit_faults(false);
    let end = plan.schedule_end() + plan.load.drain;
    for rule in &mut plan.faults.rules {
        last_as_long(rule, end);
        if !rule.matcher.scenarios.is_empty() {
            warnings.push(format!("the fault `{}` is for a scenario of the plan's own generator, and never applies here", rule.name));
            rule.matcher.scenarios = vec![ScenarioIx(u16::MAX)];
        }
    }
    plan.gates.retain(|gate| {
        let ours = gate.scope.scenarios.is_empty() && gate.scope.steps.is_empty();
        if !ours {
            warnings.push(format!("the gate `{}` is about a scenario of the plan's own generator, and is left out", gate.name));
        }
        ours
    });
    if plan.has_load() {
        for stage in &mut plan.load.stages {
            stage.shape = Shape::Open(Vec::new());
        }
    }
    if let (Some(bound), [stage]) = (bound, &mut plan.load.stages[..])
        && stage.length >= LONGEST
    {
        stage.length = bound;
    }
    plan.foreign = true;
    plan.policies.clear();
    plan.scenarios = (0..MOST_ROUTES).map(|_| route("")).collect();
    plan.proxy.get_or_insert_default();
    (plan, warnings)
}

/// A rule for the whole run, which ends there, is one for the whole session.
fn last_as_long(rule: &mut FaultRule, end: Offset) {
    for window in rule.windows.iter_mut().filter(|window| window.start == Offset::START && window.end >= end) {
        window.end = Offset::START + LONGEST + LONGEST;
    }
}

/// Rules for a session that goes on.
pub struct Rules {
    pub plan: Arc<Plan>,
}

/// Where the tally of a session comes home to, and what there is to show of it until then.
#[derive(Default)]
pub struct Home {
    tally: Mutex<Option<Tally>>,
    glance: Mutex<Glance>,
}

impl Home {
    /// The counters of the last quarter of a second.
    pub fn glance(&self) -> Glance {
        *self.glance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tally; `None` as long as the proxy has it.
    pub fn tally(&self) -> Option<Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The tally of a session while the proxy's thread has it to itself: nothing is locked per attempt. Dropped, it goes home.
pub struct Lent {
    tally: Option<Tally>,
    home: Arc<Home>,
}

impl Lent {
    /// To be given to the proxy.
    pub fn new(tally: Tally, home: &Arc<Home>) -> Lent {
        Lent { tally: Some(tally), home: Arc::clone(home) }
    }

    fn tally(&mut self) -> &mut Tally {
        self.tally.as_mut().expect("the tally is here until it goes home")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.show();
        *self.home.tally.lock().unwrap_or_else(PoisonError::into_inner) = self.tally.take();
    }
}

impl SessionRecorder for Lent {
    fn rule_added(&mut self, rule: &FaultRule) {
        self.tally().add_rule(rule.clone());
    }

    fn show(&mut self) {
        let glance = self.glance();
        *self.home.glance.lock().unwrap_or_else(PoisonError::into_inner) = glance;
    }
}

impl Recorder for Lent {
    fn started(&mut self, stage: StageIx, scheduled_at: Offset, started_at: Offset) {
        self.tally().started(stage, scheduled_at, started_at);
    }

    fn dropped(&mut self, stage: StageIx, scheduled_at: Offset) {
        self.tally().dropped(stage, scheduled_at);
    }

    fn unstarted(&mut self, stage: StageIx, scheduled_at: Offset) {
        self.tally().unstarted(stage, scheduled_at);
    }

    fn answered(&mut self, answered: &Answered<'_>) {
        self.tally().answered(answered);
    }

    fn exchange(&mut self, exchange: &Exchange<'_>) {
        self.tally().exchange(exchange);
    }

    fn session(&mut self, stage: StageIx, scheduled_at: Offset, ended_at: Offset, ok: bool) {
        self.tally().session(stage, scheduled_at, ended_at, ok);
    }

    fn observed(&mut self, observed: &Observed) {
        self.tally().observed(observed);
    }

    fn glance(&self) -> Glance {
        self.tally.as_ref().map(Recorder::glance).unwrap_or_default()
    }
}

impl NewRules for Rules {
    fn read(&self, text: &str) -> Result<FaultRule, String> {
        let mut rule = self.plan.read_fault(text).map_err(|problems| problems.render(false))?;
        last_as_long(&mut rule, self.plan.schedule_end() + self.plan.load.drain);
        Ok(rule)
    }
}

/// The same with the routes that were seen.
pub fn with_routes(plan: &Plan, session: &SessionTally) -> Plan {
    let scenarios = session.routes.iter().map(|(name, _)| route(name)).collect();
    Plan { scenarios, ..plan.clone() }
}

/// The same facts without what was open for longer than the session lasted: a client of somebody else's ends it.
pub fn cut_at(analysis: &mut Analysis, end: Offset) {
    let end_ms = end.as_millis().max(1);
    for stage in &mut analysis.stages {
        stage.end_ms = stage.end_ms.min(end_ms.max(stage.start_ms));
    }
    for window in analysis.faults.iter_mut().flat_map(|fault| &mut fault.windows) {
        // A window that never opened stands as it was planned.
        if window.start_ms < end_ms {
            window.end_ms = window.end_ms.min(end_ms);
        }
    }
}

/// A route as a report knows operations.
fn route(name: &str) -> Scenario {
    let step = Step {
        name: name.to_owned(),
        operation: name.to_owned(),
        method: Method::GET,
        path: Template::default(),
        headers: Vec::new(),
        body: None,
        expect: vec![StatusRange { first: 200, last: 399 }],
        captures: Vec::new(),
        think: None,
        stream: None,
    };
    Scenario { name: name.to_owned(), weight: 1, policy: None, steps: vec![step] }
}
