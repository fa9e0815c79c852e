//! Names given by the plan's author, numbers given by the run.
//!
//! What the plan names (scenarios, steps, stages, fault rules, retry policies) is referred to by its index in
//! plan order: an index is a small copyable number on the hot path, and the name is looked up when a report is
//! written. What the run counts (arrivals, exchanges, attempts) has a number of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::units::Offset;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u16);

        impl $name {
            /// This index for a slice.
            pub const fn at(self) -> usize {
                self.0 as usize
            }
        }

        impl From<usize> for $name {
            fn from(index: usize) -> $name {
                $name(u16::try_from(index).expect("a plan or contract has fewer than 65 536 of anything"))
            }
        }
    };
}

index! {
    /// A scenario, by its place in the plan.
    ScenarioIx
}
index! {
    /// A step, by its place in its scenario.
    StepIx
}
index! {
    /// A stage, by its place in the plan.
    StageIx
}
index! {
    /// A fault rule, by its place in the plan.
    RuleIx
}
index! {
    /// A retry policy, by its place in the plan (policies are sorted by name).
    PolicyIx
}
index! {
    /// A service of the contract, by its place in the contract file.
    ServiceIx
}
index! {
    /// A shape that errors share, by its place in the contract file.
    EnvelopeIx
}
index! {
    /// A documented error, one (service, status, code) row of the contract, by its place in the contract file.
    RowIx
}

index! {
    /// A probe, a request that is wrong on purpose, by its place in the battery.
    ProbeIx
}

/// Which attempt of its exchange: the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNumber(pub u32);

impl AttemptNumber {
    /// The attempt that is not a retry.
    pub const FIRST: AttemptNumber = AttemptNumber(1);

    /// The attempt after this one.
    pub const fn next(self) -> AttemptNumber {
        AttemptNumber(self.0.saturating_add(1))
    }
}

/// One logical request of the generator: which step of which arrival, and when it was meant to start.
///
/// Everything that a fault rule decides on is in here, so that the proxy reaches the same decision as anyone
/// else who knows the plan. On the wire it is the second half of `x-brownout-exchange: <run>/<exchange>`,
/// written `arrival.ordinal.scenario.step.scheduled_us.slot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExchangeId {
    /// The number of the arrival, from 0, in schedule order over the whole run.
    pub arrival: u64,
    /// The number of the arrival, from 0, among those of its scenario: what exact shares and `every` count.
    pub ordinal: u64,
    /// The scenario the arrival was given.
    pub scenario: ScenarioIx,
    /// The step of that scenario.
    pub step: StepIx,
    /// The scheduled start: of the arrival for a first step, the moment it became due for a later one.
    pub scheduled_at: Offset,
    /// The session's place on the [board](crate::record::Board) by which the proxy answers for resets too.
    pub slot: u32,
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}.{}.{}", self.arrival, self.ordinal, self.scenario.0, self.step.0, self.scheduled_at.0.0, self.slot)
    }
}

impl FromStr for ExchangeId {
    type Err = ();
    fn from_str(text: &str) -> Result<ExchangeId, ()> {
        let mut parts = text.split('.');
        let mut next = || parts.next().and_then(|part| part.parse::<u64>().ok()).ok_or(());
        let id = ExchangeId {
            arrival: next()?,
            ordinal: next()?,
            scenario: ScenarioIx(u16::try_from(next()?).map_err(drop)?),
            step: StepIx(u16::try_from(next()?).map_err(drop)?),
            scheduled_at: Offset::micros(next()?),
            slot: u32::try_from(next()?).map_err(drop)?,
        };
        parts.next().is_none().then_some(id).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_reads_back_from_the_wire_as_it_was_written() {
        let id = ExchangeId {
            arrival: 1204,
            ordinal: 300,
            scenario: ScenarioIx(1),
            step: StepIx(2),
            scheduled_at: Offset::micros(3_500_123),
            slot: 7,
        };
        assert_eq!(id.to_string(), "1204.300.1.2.3500123.7");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn a_forged_exchange_is_not_read() {
        for text in ["", "1", "1.2.3.4.5", "1.2.3.4.5.6.7", "x.1.1.2.3.4", "1.1.70000.0.0.0", "-1.0.0.0.0.0"] {
            assert_eq!(text.parse::<ExchangeId>(), Err(()), "{text}");
        }
    }
}
