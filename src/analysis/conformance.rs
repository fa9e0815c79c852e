//! What answers said about the contract: findings, coverage, and the identity of a violation for gates.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::measures::Pending;
use super::{ContractFacts, FindingFacts};
use crate::contract::Violation;
use crate::plan::Plan;
use crate::record::Answered;

/// What was heard about the contract.
#[derive(Clone, Debug, Default)]
pub struct Conformance {
    inspected: u64,
    inspected_injected: u64,
}

impl Conformance {
    pub fn new(_plan: &Plan) -> Conformance {
        Conformance::default()
    }

    /// Takes one judged answer.
    pub fn answered(&mut self, answered: &Answered<'_>) {
        if answered.judged.is_some() && answered.response.is_some() {
            *if answered.injected.is_some() { &mut self.inspected_injected } else { &mut self.inspected } += 1;
        }
    }

    pub fn merge(&mut self, other: Conformance) {
        self.inspected += other.inspected;
        self.inspected_injected += other.inspected_injected;
    }

    pub fn facts(&self, _plan: &Plan) -> (Option<ContractFacts>, Vec<FindingFacts>) {
        (None, Vec::new())
    }
}

/// What gates count of an answer's violations; nothing of an injected one.
pub fn pending<'a>(answered: &'a Answered<'_>) -> impl Iterator<Item = Pending> + 'a {
    let judged = answered.judged.filter(|_| answered.injected.is_none());
    let violations = judged.map_or(&[][..], |judged| &judged.violations);
    violations.iter().map(|violation| Pending { severity: violation.severity, finding: identity(answered, violation) })
}

/// What makes two violations one finding: the check, the answer's kind, the place and the cause.
fn identity(answered: &Answered<'_>, violation: &Violation) -> u64 {
    let judged = answered.judged;
    let mut hasher = DefaultHasher::new();
    violation.check.hash(&mut hasher);
    judged.and_then(|judged| judged.service).hash(&mut hasher);
    answered.ending.status().hash(&mut hasher);
    judged.and_then(|judged| judged.code.as_deref()).hash(&mut hasher);
    violation.instance_path.hash(&mut hasher);
    violation.cause.hash(&mut hasher);
    hasher.finish()
}
