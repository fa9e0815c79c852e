//! Which exchanges a gate reads: `where = {…}` against one exchange.

use http::Method;

use crate::fault::{FaultRule, FaultRules};
use crate::gate::{FaultScope, OutcomeScope, Scope};
use crate::id::{ExchangeId, RuleIx, StageIx};
use crate::plan::Plan;
use crate::record::{Attempt, Exchange};

/// A gate's scope, made quick to ask.
#[derive(Clone, Debug)]
pub struct Filter {
    scope: Scope,
    /// By stage.
    stages: Vec<bool>,
}

impl Filter {
    /// The scope of a gate of this plan; all judged stages where it names none.
    pub fn new(plan: &Plan, scope: &Scope) -> Filter {
        let inside = |(ix, judged): (usize, bool)| if scope.stages.is_empty() { judged } else { scope.stages.contains(&StageIx::from(ix)) };
        let stages = plan.load.stages.iter().map(|stage| stage.judged).enumerate().map(inside).collect();
        Filter { scope: scope.clone(), stages }
    }

    pub fn stage(&self, stage: StageIx) -> bool {
        self.stages.get(stage.at()).copied().unwrap_or(false)
    }

    /// The stages it reads, by index.
    pub fn stages(&self) -> impl Iterator<Item = usize> {
        self.stages.iter().enumerate().filter_map(|(ix, inside)| inside.then_some(ix))
    }

    pub fn outcome(&self, ok: bool) -> bool {
        match self.scope.outcome {
            OutcomeScope::Ok => ok,
            OutcomeScope::Error => !ok,
            OutcomeScope::Any => true,
        }
    }

    /// Whether it reads success at all.
    pub fn reads_ok(&self) -> bool {
        self.scope.outcome != OutcomeScope::Error
    }

    /// Whether it reads everything in its stages: what is counted without an exchange (dropped arrivals) belongs to it.
    pub fn is_whole(&self) -> bool {
        self.scope.scenarios.is_empty() && self.scope.steps.is_empty() && self.scope.fault == FaultScope::Any
    }

    /// The fault rule it is about, where it is about one.
    pub fn rule(&self) -> Option<RuleIx> {
        match self.scope.fault {
            FaultScope::During(rule) | FaultScope::TouchedBy(rule) => Some(rule),
            FaultScope::Any | FaultScope::Untouched => None,
        }
    }

    /// Whether it reads this exchange, whatever its outcome.
    pub fn exchange(&self, rules: &FaultRules, exchange: &Exchange<'_>) -> bool {
        let id = &exchange.id;
        self.stage(exchange.stage) && self.anywhere(rules, exchange) && self.place(id)
    }

    /// Whether it reads this exchange in whatever stage.
    pub fn anywhere(&self, rules: &FaultRules, exchange: &Exchange<'_>) -> bool {
        self.place(&exchange.id)
            && match self.scope.fault {
                FaultScope::Any => true,
                FaultScope::Untouched => exchange.attempts.iter().all(|attempt| touched_by(attempt).is_none()),
                FaultScope::TouchedBy(rule) => exchange.attempts.iter().any(|attempt| touched_by(attempt) == Some(rule)),
                FaultScope::During(rule) => {
                    rules.rules.get(rule.at()).is_some_and(|rule| aims_at(rule, &exchange.id, exchange.method, exchange.path))
                }
            }
    }

    fn place(&self, id: &ExchangeId) -> bool {
        (self.scope.scenarios.is_empty() || self.scope.scenarios.contains(&id.scenario))
            && (self.scope.steps.is_empty() || self.scope.steps.contains(&(id.scenario, id.step)))
    }
}

/// The rule that touched an attempt.
pub fn touched_by(attempt: &Attempt) -> Option<RuleIx> {
    attempt.proxy.and_then(|note| note.rule)
}

/// Whether the rule was open at the scheduled start and matches, touched or not. Headers, query and body
/// are not known here: a rule that matches by them counts every exchange that it matches otherwise.
fn aims_at(rule: &FaultRule, id: &ExchangeId, method: &Method, path: &str) -> bool {
    let matcher = &rule.matcher;
    rule.open_at(id.scheduled_at)
        && (matcher.scenarios.is_empty() || matcher.scenarios.contains(&id.scenario))
        && (matcher.methods.is_empty() || matcher.methods.contains(method))
        && matcher.path.as_ref().is_none_or(|pattern| pattern.matches(path))
}
