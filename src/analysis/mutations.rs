//! What was found of the answers that a rule made wrong on purpose: its expected checks, and what else.

use std::collections::BTreeMap;

use super::MutationFacts;
use crate::fault::FaultRule;
use crate::fault::mutation::Mutation;
use crate::record::Answered;
use crate::severity::Severity;

/// What one rule's answers showed; nothing for a rule without mutations.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Answers in which every check found something that the mutation of this name expects.
    seen: BTreeMap<&'static str, u64>,
    /// Answers in which another check found more than a remark.
    others: BTreeMap<&'static str, u64>,
}

impl Shown {
    /// Takes down one answer of the rule.
    pub fn answered(&mut self, rule: &FaultRule, answered: &Answered<'_>) {
        let mutations = rule.mutations();
        let (false, Some(judged)) = (mutations.is_empty(), answered.judged) else { return };
        let found = |check: &str| judged.violations.iter().any(|violation| violation.check == check);
        for mutation in mutations.iter().filter(|mutation| is_shown(mutation, found)) {
            *self.seen.entry(mutation.name).or_default() += 1;
        }
        let expected = |check: &str| mutations.iter().any(|mutation| mutation.expects.contains(&check));
        let mut others: Vec<&'static str> = Vec::new();
        for violation in judged.violations.iter().filter(|violation| violation.severity > Severity::Info && !expected(violation.check)) {
            if !others.contains(&violation.check) {
                others.push(violation.check);
            }
        }
        for check in others {
            *self.others.entry(check).or_default() += 1;
        }
    }

    /// Adds what another worker saw.
    pub fn merge(&mut self, other: Shown) {
        for (name, count) in other.seen {
            *self.seen.entry(name).or_default() += count;
        }
        for (check, count) in other.others {
            *self.others.entry(check).or_default() += count;
        }
    }

    /// The report's table.
    pub fn facts(&self, rule: &FaultRule) -> Vec<MutationFacts> {
        let facts = rule.mutations().into_iter().map(|mutation| MutationFacts {
            name: mutation.name.to_owned(),
            expects: mutation.expects.iter().map(|check| (*check).to_owned()).collect(),
            seen: self.seen.get(mutation.name).copied().unwrap_or(0),
            others: self.others.iter().map(|(check, count)| ((*check).to_owned(), *count)).collect(),
        });
        facts.collect()
    }

    /// Mutations of a rule that was done, of which nothing was found though an answer shows it.
    pub fn missed(&self, rule: &FaultRule) -> Vec<&'static Mutation> {
        let missed = |mutation: &&'static Mutation| !mutation.expects.is_empty() && !self.seen.contains_key(mutation.name);
        rule.mutations().into_iter().filter(missed).collect()
    }
}

fn is_shown(mutation: &Mutation, found: impl Fn(&str) -> bool) -> bool {
    !mutation.expects.is_empty() && mutation.expects.iter().all(|check| found(check))
}
