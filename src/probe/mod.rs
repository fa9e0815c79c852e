//! Requests that are wrong on purpose, and what each of them should be answered with.
//!
//! A [`Probe`] is one mistake in one request. [`battery`] lists those that a plan and its contract call for: what a row's
//! `probe` or the plan's `[[probe.aim]]` spells out, and mistakes made in the valid requests of the plan's scenarios.
//! [`spoil`] makes the request out of a valid one, and [`verify`] confirms after serialisation that the mistake is still
//! in it: a mistake that did not survive is not sent. Nothing is sent here; `engine::probing` does that.
//!
//! Three rules, each learnt from somebody else's false alarms: what a probe should be answered with comes from the
//! contract, and a list that is built in stands in only where the contract is silent; a mistake that a server may
//! overlook is *tolerated*; and nothing is called wrong that cannot be seen to be wrong.

mod aim;
mod battery;
mod fill;
mod forecast;
mod member;
mod request;
mod spoil;
mod verify;

pub use self::battery::{Battery, Unprovoked, battery};
pub use self::fill::{Filling, fill};
pub use self::request::{Valid, Wire, WireBody, carries_credentials};
pub use self::spoil::{Unwritten, random_like, spoil};
pub use self::verify::verify;
pub use crate::plan::probe::Mistake;

use crate::contract::probed::Credentials;
use crate::id::{RowIx, ScenarioIx, StepIx};
use crate::plan::ProbeSettings;
use crate::plan::probe::FieldRule;
use crate::record::How;

/// One request that is wrong on purpose.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The same in every run of the plan: `chat/create:truncated-json`, `row:*/*/409/RESOURCE_ALREADY_EXISTS`.
    pub id: String,
    /// Method and path as the plan or the contract writes them.
    pub operation: String,
    pub from: From,
    pub mistake: Mistake,
    pub detail: Detail,
    /// The documented errors it may bring about.
    pub aims: Vec<RowIx>,
    /// Statuses that would do; empty: any error.
    pub accept: Vec<u16>,
    /// Whether a server may also take the request as it is: then a success is no mistake of its own.
    pub tolerated: bool,
    /// Whether the mistake is the client's: false where a hook or the target itself makes the request fail.
    pub client_fault: bool,
    /// The member that is broken, as a dotted path without indices.
    pub field: Option<String>,
    /// Text in the request that must not come back raw.
    pub canary: Option<&'static str>,
    pub credentials: Credentials,
    pub needs: Needs,
    pub how: How,
    /// The plan's hook that is on meanwhile.
    pub hook: Option<usize>,
    /// Requests it takes at most.
    pub requests: u32,
}

/// What a probe is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum From {
    /// The valid request of a step.
    Step(ScenarioIx, StepIx),
    /// The request that the contract's row spells out.
    Row(RowIx),
    /// The request that the plan's `[[probe.aim]]` spells out, by its place in the plan.
    Aim(usize),
}

/// What exactly is wrong, where the kind of mistake does not say it all.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Detail {
    #[default]
    None,
    /// A member, by the names on the way to it; of an array, its first item.
    Member(Vec<String>),
    /// A member and the rule of the plan it breaks.
    Rule(usize),
    /// The method that is sent instead.
    Method(&'static str),
    /// The captured value that is replaced, by its slot.
    Slot(usize),
    /// The identity whose request it is, by its place in the plan.
    Identity(usize),
}

/// What a probe needs the author's consent for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// It changes the target's state.
    pub writes: bool,
    /// It uses up a limit.
    pub floods: bool,
}

/// The text that is planted where an answer might echo it raw.
pub const CANARY: &str = "<brownout>";

impl Probe {
    /// The rule of the plan that it breaks, where it breaks one.
    fn rule<'s>(&self, settings: &'s ProbeSettings) -> Option<&'s FieldRule> {
        match self.detail {
            Detail::Rule(ix) => settings.fields.get(ix),
            _ => None,
        }
    }

    /// The names on the way to the member that it changes; none where it changes no member.
    fn way(&self, settings: &ProbeSettings) -> Option<Vec<String>> {
        match &self.detail {
            Detail::Member(way) => Some(way.clone()),
            _ => self.rule(settings).map(|rule| member::way(&rule.name)),
        }
    }

    /// Whether its answers may be compared with each other: not where it changes the target's state or meets a limiter.
    pub fn repeatable(&self) -> bool {
        !self.needs.writes && !self.needs.floods && self.hook.is_none()
    }
}
