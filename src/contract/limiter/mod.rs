//! What a rate limiter says of itself, and what it does: told apart from a burst and a trickle.
//!
//! A [`Trail`] is what one identity was answered, in order. From trails alone it is decided which algorithm explains all
//! of it ([`classify`]), how much is let through and how fast that comes back, in which unit resets are written
//! ([`reset`]), and whether the waits that are asked for are honest. Where several algorithms explain what was seen, or
//! none does, that is the answer, with the [`Experiment`] that would tell.

mod classify;
mod experiment;
mod limits;
mod names;
pub mod reset;

pub use self::classify::{Algorithm, Estimate, Verdict, classify};
pub use self::experiment::{Experiment, Leg};
pub use self::limits::{Limits, Measured, Waits, documented};
pub use self::names::Names;
use crate::units::Offset;

/// One answer of a limiter: what was admitted, and what it said about its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// When the request was sent.
    pub sent_at: Offset,
    /// When the head of the answer had arrived: the limiter decided in between.
    pub at: Offset,
    /// Whose request it was: limits are counted apart for each identity.
    pub identity: u16,
    /// 0 where there was no answer.
    pub status: u16,
    /// What the request cost, in the limit's units; 1 where nothing else is known.
    pub cost: u32,
    /// The limit it names.
    pub limit: Option<u64>,
    /// What it says is left.
    pub remaining: Option<u64>,
    /// The reset as it was written, whatever its unit.
    pub reset: Option<String>,
    /// Retry-After as it was written.
    pub retry_after: Option<String>,
    /// The time of the answer: its Date header, else our clock; microseconds since the Unix epoch.
    pub unix_us: i64,
}

impl Observation {
    /// Whether the limiter let the request pass: anything but 429, and nothing at all is no answer of a limiter.
    pub const fn admitted(&self) -> bool {
        self.status != 429 && self.status != 0
    }

    /// The wait it asks for, in microseconds from the answer; an HTTP-date is compared with the time of the answer.
    pub fn wait_us(&self) -> Option<u64> {
        let text = self.retry_after.as_deref()?;
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(text.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000_000));
        }
        let until = crate::contract::instant::http_date(text)?;
        u64::try_from(until.saturating_sub(self.unix_us)).ok()
    }
}

/// What was done to make a limiter show itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// As fast as the connection allows, until refused or out of budget.
    Burst,
    /// At an even pace after a burst, to see when requests are admitted again.
    Trickle,
    /// One request after the wait that was advertised, and none before it.
    Waited,
    /// What load happened to see: other requests may have been counted that are not in the trail.
    Load,
}

/// What one operation's limiter was answered with, in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// Method and path pattern.
    pub operation: String,
    pub observations: Vec<(Step, Observation)>,
}
