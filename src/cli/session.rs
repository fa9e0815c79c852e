//! A plan as `brownout proxy` carries it out: its faults and its contract, and routes in the place of scenarios.

use std::sync::{Arc, Mutex, PoisonError};

use http::Method;

use crate::analysis::{Analysis, Tally};
use crate::fault::FaultRule;
use crate::id::ScenarioIx;
use crate::lineage::MOST_ROUTES;
use crate::plan::{Plan, Scenario, Shape, StatusRange, Step, Template};
use crate::proxy::NewRules;
use crate::record::SessionTally;
use crate::units::{Micros, Offset};

/// As good as without end.
pub const ENDLESS: Micros = Micros(7 * 24 * Micros::HOUR.0);

/// The plan for clients that are not ours, and what of it cannot apply to them.
pub fn of_strangers(mut plan: Plan, bound: Option<Micros>) -> (Plan, Vec<String>) {
    let mut warnings = Vec::new();
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
        && stage.length >= ENDLESS
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
        window.end = Offset::START + ENDLESS + ENDLESS;
    }
}

/// Rules for a session that goes on.
pub struct Rules {
    pub plan: Arc<Plan>,
    pub tally: Arc<Mutex<Tally>>,
}

impl NewRules for Rules {
    fn read(&self, text: &str) -> Result<FaultRule, String> {
        let mut rule = self.plan.read_fault(text).map_err(|problems| problems.render(false))?;
        last_as_long(&mut rule, self.plan.schedule_end() + self.plan.load.drain);
        Ok(rule)
    }

    fn added(&self, rule: &FaultRule) {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).add_rule(rule.clone());
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
