//! How far a plan's faults are the same in every run, and what the decision log calls things.

use super::forecast::looks_at;
use super::{Plan, Shape};
use crate::fault::log::{Head, Names};
use crate::fault::{Course, FaultRule, Level};
use crate::id::ScenarioIx;

impl Plan {
    /// How far one rule's decisions repeat, and why no further; the reason goes on after the rule's name.
    pub fn level_of(&self, rule: &FaultRule) -> (Level, &'static str) {
        let best = self.proxy.as_ref().filter(|_| self.foreign).map_or(Level::Exact, |proxy| proxy.repeatable);
        let closed = self.load.stages.iter().any(|stage| matches!(stage.shape, Shape::Closed { .. }));
        let end = self.schedule_end() + self.load.drain;
        rule.level(&Course { best, end, unscheduled: self.foreign || closed || self.meets_unscheduled(rule) })
    }

    /// Whether a rule meets retries or later steps.
    fn meets_unscheduled(&self, rule: &FaultRule) -> bool {
        self.scenarios.iter().enumerate().any(|(index, scenario)| {
            let mut met = scenario.steps.iter().enumerate().filter(|(_, step)| looks_at(rule, ScenarioIx::from(index), step));
            met.any(|(place, _)| place > 0 || scenario.policy.is_some())
        })
    }

    /// How far the decisions of all rules repeat: as far as those of the loosest, with its name and the reason.
    pub fn level(&self) -> (Level, Option<(&str, &'static str)>) {
        let levels = self.faults.rules.iter().map(|rule| (self.level_of(rule), rule.name.as_str()));
        // Of several that are equally loose the first is named.
        let loosest = levels.rev().max_by_key(|((level, _), _)| *level);
        match loosest {
            Some(((level, why), name)) => (level, (level > Level::Exact).then_some((name, why))),
            None => (Level::Exact, None),
        }
    }

    /// What the decision log begins with.
    pub fn log_head(&self) -> Head {
        Head {
            brownout_faults: Head::VERSION,
            plan: self.name.clone(),
            seed: self.seed.0,
            level: self.level().0.word().to_owned(),
            rules: self.faults.rules.iter().map(|rule| rule.name.clone()).collect(),
        }
    }

    /// What the decision log calls scenarios, steps and rules.
    pub fn log_names(&self) -> Names {
        let steps = |of: &super::Scenario| of.steps.iter().map(|step| step.name.clone()).collect();
        Names {
            scenarios: self.scenarios.iter().map(|scenario| (scenario.name.clone(), steps(scenario))).collect(),
            rules: self.faults.rules.iter().map(|rule| (rule.name.clone(), rule.words.clone())).collect(),
        }
    }
}
