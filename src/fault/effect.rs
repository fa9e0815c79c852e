//! What a rule that fires does to one attempt of the exchange it hit.

use super::mutation::Mutation;
use super::{Action, Effect, Element, Fault, FaultRule, Rest};
use crate::seed::Distribution;

impl FaultRule {
    /// Every mutation that the rule makes, once.
    pub fn mutations(&self) -> Vec<&'static Mutation> {
        let faults: Vec<&Fault> = match &self.effect {
            Effect::Limiter(limiter) => return limiter.refusal.mutation().into_iter().collect(),
            Effect::DelayOnly => Vec::new(),
            Effect::Fault(fault) => vec![fault],
            Effect::Sequence(elements) => {
                elements.iter().filter_map(|element| if let Element::Fault(fault) = element { Some(fault) } else { None }).collect()
            }
        };
        let mut all: Vec<&'static Mutation> = Vec::new();
        for mutation in faults.into_iter().filter_map(Fault::mutation) {
            if !all.contains(&mutation) {
                all.push(mutation);
            }
        }
        all
    }

    /// The element of the sequence that the request at this place takes, both from 0; one that does not exist where the
    /// sequence is over and what comes after it passes. 0 where there is no sequence.
    pub(super) fn element_at(&self, place: u64) -> usize {
        let Effect::Sequence(elements) = &self.effect else { return 0 };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        match self.rest {
            Rest::RepeatLast => place.min(elements.len().saturating_sub(1)),
            Rest::Pass => place.min(elements.len()),
        }
    }

    /// The action of this element and the delay before it; `None` where the request is to pass. A delay that is an
    /// element takes the place of the rule's own; a `pass` has none.
    pub(super) fn done_by(&self, element: usize) -> Option<(Action<'_>, Option<&Distribution>)> {
        let delay = self.delay.as_ref();
        Some(match &self.effect {
            // A limiter is decided by what was spent, elsewhere; where nothing was, it passes.
            Effect::DelayOnly | Effect::Limiter(_) => (Action::Forward, delay),
            Effect::Fault(fault) => (Action::Fault(fault), delay),
            Effect::Sequence(elements) => match elements.get(element)? {
                Element::Pass => return None,
                Element::Fault(fault) => (Action::Fault(fault), delay),
                Element::Delay(own) => (Action::Forward, Some(own)),
            },
        })
    }
}

impl Effect {
    /// Whether it strikes connections before there is HTTP on them.
    pub fn is_of_handshake(&self) -> bool {
        matches!(self, Effect::Fault(Fault::TlsFailure))
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
            Action::Refuse(_, standing) => (99, standing.wait.0),
        }
    }
}
