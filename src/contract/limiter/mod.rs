//! What a rate limiter says of itself, and what it does: told apart from a burst and a trickle.
//!
//! A [`Trail`] is what one identity was answered, in order. From trails alone it is decided which algorithm fits,
//! how much it lets through and how fast that comes back, and whether what is advertised is what is done.

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
    /// Whether the limiter let the request pass: anything but 429.
    pub const fn admitted(&self) -> bool {
        self.status != 429
    }
}

/// What was done to make a limiter show itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// As fast as the connection allows, until refused or out of budget.
    Burst,
    /// At an even pace after a burst, to see when requests are admitted again.
    Trickle,
    /// One request after the wait that was advertised.
    Waited,
    /// What load happened to see.
    Load,
}

/// What one operation's limiter was answered with, in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// Method and path pattern.
    pub operation: String,
    pub observations: Vec<(Step, Observation)>,
}
