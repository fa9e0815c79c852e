//! What a rule that fires does to one attempt of the exchange it hit.

use super::mutation::Mutation;
use super::{Action, Effect, Element, Fault, FaultRule};
use crate::id::AttemptNumber;
use crate::seed::Distribution;

impl FaultRule {
    /// How the answer to this attempt is wrong, where the rule hits it.
    pub fn mutation_at(&self, attempt: AttemptNumber) -> Option<&'static Mutation> {
        match self.done_to(attempt)?.0 {
            Action::Fault(fault) => fault.mutation(),
            Action::Forward => None,
        }
    }

    /// Every mutation that the rule makes, once.
    pub fn mutations(&self) -> Vec<&'static Mutation> {
        let of = |element: &Element| if let Element::Fault(fault) = element { fault.mutation() } else { None };
        let mut all: Vec<&'static Mutation> = match &self.effect {
            Effect::DelayOnly => Vec::new(),
            Effect::Fault(fault) => fault.mutation().into_iter().collect(),
            Effect::Sequence(elements) => elements.iter().filter_map(of).collect(),
        };
        all.dedup();
        all
    }

    /// The action on this attempt and the delay before it; `None` where the attempt is to pass.
    ///
    /// Attempt *n* of a sequence takes element *n*, and the last element repeats. A delay that is an element
    /// takes the place of the rule's own; a `pass` has none.
    pub(super) fn done_to(&self, attempt: AttemptNumber) -> Option<(Action<'_>, Option<&Distribution>)> {
        let delay = self.delay.as_ref();
        Some(match &self.effect {
            Effect::DelayOnly => (Action::Forward, delay),
            Effect::Fault(fault) => (Action::Fault(fault), delay),
            Effect::Sequence(elements) => match nth(elements, attempt)? {
                Element::Pass => return None,
                Element::Fault(fault) => (Action::Fault(fault), delay),
                Element::Delay(own) => (Action::Forward, Some(own)),
            },
        })
    }
}

/// The element of a sequence that an attempt takes; `None` only where the sequence is empty.
fn nth(elements: &[Element], attempt: AttemptNumber) -> Option<&Element> {
    let index = attempt.0.saturating_sub(1) as usize;
    elements.get(index).or(elements.last())
}

impl Effect {
    /// Whether it strikes connections and not requests.
    pub fn is_of_connection(&self) -> bool {
        matches!(self, Effect::Fault(fault) if fault.is_of_connection())
    }
}

impl Action<'_> {
    /// How long the answer is to wait once the target has given it.
    pub(super) fn delay_after(&self) -> Option<&Distribution> {
        match self {
            Action::Fault(Fault::DelayAfterUpstream(spread)) => Some(spread),
            _ => None,
        }
    }

    /// The action as two numbers for the digest of decisions: its kind, and what distinguishes it from its like.
    pub(super) fn word(&self) -> (u64, u64) {
        match self {
            Action::Forward => (1, 0),
            Action::Fault(fault) => fault.word(),
        }
    }
}
