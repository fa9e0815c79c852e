//! Rate limits that are really kept: what is left for whom, when the next request is admitted, and how a server says so.
//!
//! Pure and on a monotonic clock; the embedded server and the fault proxy keep their limits here. Whole numbers
//! throughout: a client that waits exactly as long as it was told is admitted, always, where nobody else spends from the
//! same key meanwhile.

pub mod bucket;
pub mod dialect;
pub mod gcra;
pub mod keyed;
pub mod window;

use self::bucket::Bucket;
use self::gcra::Gcra;
use self::window::{FixedWindow, SlidingWindow};
use crate::units::{Micros, Offset};

/// A rate limit: this many cost units per window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Cost units per window, at least 1: what can be spent at once.
    pub limit: u32,
    /// In which so many are given back: at least a millisecond, at most a day.
    pub window: Micros,
}

/// How what was spent is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Evenly, unit by unit.
    TokenBucket,
    /// The same, kept as the instant at which the next request is due.
    Gcra,
    /// All at once, at every whole multiple of the window.
    FixedWindow,
    /// Each unit a window after it was spent.
    SlidingWindow,
}

/// How a request fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub admitted: bool,
    pub limit: u32,
    /// Units that can still be spent on requests of this cost: 0 as soon as the next one would be refused.
    pub remaining: u32,
    /// Until the next request of this cost is admitted; zero where it is now.
    pub wait: Micros,
    /// Until everything spent has been given back; with a fixed window until it ends.
    pub whole_in: Micros,
}

/// What is left of one limit, for one key.
#[derive(Clone, Debug)]
pub enum Count {
    Bucket(Bucket),
    Gcra(Gcra),
    Fixed(FixedWindow),
    Sliding(SlidingWindow),
}

impl Allowance {
    /// The level of a full bucket, and how far a request may run ahead of its time.
    const fn capacity(self) -> u64 {
        self.limit as u64 * self.window.0
    }
}

impl Standing {
    /// Whole seconds until the next request of this cost is admitted: never less than it takes, at least 1 where this
    /// one was not admitted, 0 where the next one is.
    pub const fn retry_after_s(&self) -> u64 {
        self.wait.0.div_ceil(1_000_000)
    }

    /// When a server says that the limit is *reset*: where the next request would be refused, when it is admitted; else
    /// when everything has been given back. So no reset is later than the Retry-After beside it, and who waits for
    /// either is admitted.
    pub const fn reset_in(&self) -> Micros {
        if self.wait.0 > 0 { self.wait } else { self.whole_in }
    }
}

impl Count {
    /// A limit of which nothing has been spent.
    pub fn full(algorithm: Algorithm, allowance: Allowance) -> Count {
        match algorithm {
            Algorithm::TokenBucket => Count::Bucket(Bucket::full(allowance)),
            Algorithm::Gcra => Count::Gcra(Gcra::default()),
            Algorithm::FixedWindow => Count::Fixed(FixedWindow::default()),
            Algorithm::SlidingWindow => Count::Sliding(SlidingWindow::default()),
        }
    }

    /// Asks for `cost` units now; `take` them if they are there. A cost above the limit counts as the limit.
    pub fn ask(&mut self, allowance: Allowance, cost: u32, now: Offset, take: bool) -> Standing {
        match self {
            Count::Bucket(bucket) if take => bucket.take(allowance, cost, now),
            Count::Bucket(bucket) => bucket.look(allowance, cost, now),
            Count::Gcra(gcra) => gcra.ask(allowance, cost, now, take),
            Count::Fixed(window) => window.ask(allowance, cost, now, take),
            Count::Sliding(window) => window.ask(allowance, cost, now, take),
        }
    }
}
