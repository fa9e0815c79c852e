//! What the proxy saw of a client that is not ours: attempts with their clocks, and by what they were recognised.

use http::Method;

use crate::id::{AttemptNumber, RuleIx};
use crate::lineage::{Basis, Confidence};
use crate::units::Offset;
use crate::wire::{Ending, RetryAfter};

/// One attempt of an external client, as the proxy saw it.
///
/// All moments are of the run's monotonic clock, taken at the proxy. A gap between two attempts runs from `ended_at`
/// of the one to `head_at` of the next.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The number of the exchange over the session, from 0.
    pub exchange: u64,
    pub attempt: AttemptNumber,
    /// By what it was counted to its exchange, and how sure that is.
    pub basis: Basis,
    pub confidence: Confidence,
    /// Several exchanges could have been meant: gaps to its neighbours prove nothing.
    pub ambiguous: bool,
    /// The client named the exchange as before and sent another body.
    pub changed: bool,
    /// The route, by its place in [`SessionTally::routes`].
    pub route: u16,
    /// The number of the exchange among those of its route, from 0: with the route's key what draws are made of.
    pub ordinal: u64,
    /// The client's connection, by number, and whether this is the first request on it.
    pub connection: u64,
    pub connection_new: bool,
    pub method: Method,
    /// A number of the body, or of its beginning: equal for equal bodies.
    pub body: u64,
    /// When the request's head had been parsed.
    pub head_at: Offset,
    /// When its body was complete, or as much of it as is looked at.
    pub request_end_at: Offset,
    /// When the head of the answer was given to the client's connection; `None` where there was none.
    pub answer_at: Option<Offset>,
    /// When its last byte was, or the connection had been ended, or the client was seen to have gone.
    pub ended_at: Offset,
    /// The wall clock at `ended_at`, in microseconds since the Unix epoch: for hints that are dates.
    pub ended_unix_us: i64,
    /// How it ended, as the client sees it.
    pub ending: Ending,
    /// Whether it was the client that ended it.
    pub client_left: bool,
    pub rule: Option<RuleIx>,
    /// Whether the target was asked, and what it answered, as far as a rule touched the attempt.
    pub forwarded: bool,
    pub upstream: Option<u16>,
    /// When the client was asked to come back.
    pub hint: Option<RetryAfter>,
}

/// What a session with an external client came to, beside what the recorder was told.
#[derive(Clone, Debug, Default)]
pub struct SessionTally {
    /// Method and path, without what names one thing; in the order of their first appearance, with their exchanges.
    pub routes: Vec<(String, u64)>,
    /// Attempts by what they were recognised: first attempts, retries.
    pub recognised: Vec<(Basis, u64, u64)>,
    /// Retries of which it is not sure to which of several exchanges they belong.
    pub ambiguous: u64,
    /// Retries by confidence, from low to exact.
    pub confidence: [u64; 4],
    /// Retries that named their exchange as before and sent another body.
    pub changed: u64,
    /// Exchanges that were cut into several since they had more attempts than are kept.
    pub split: u64,
    /// Attempts that the client left before it had an answer.
    pub client_left: u64,
    pub connections: u64,
    /// The attempts that ended last, up to [`KEPT_ATTEMPTS`].
    pub attempts: Vec<Observed>,
}

/// Attempts kept with all their clocks.
pub const KEPT_ATTEMPTS: usize = 4_096;
