//! The rate limits of a server: one count for each key on each route, kept as the contract's algorithm says.
//!
//! A key is a user; everyone without a token shares one. There are finitely many of both, so memory is too.

use crate::contract::limiter;
use crate::contract::server::{Limits, Server};
use crate::throttle::{Algorithm, Allowance, Count, Standing};
use crate::units::Offset;

/// All counts of one server.
#[derive(Debug)]
pub struct Limiter {
    /// By route; the last is for requests that reach none.
    allowances: Vec<Option<Allowance>>,
    /// By key, then by route.
    counts: Vec<Count>,
    enforced: bool,
}

/// Whose count: a user and a route, by their places in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub user: Option<usize>,
    pub route: Option<usize>,
}

impl Limiter {
    /// Full limits for all users and routes.
    pub fn new(server: &Server, limits: Limits) -> Limiter {
        let scaled = |limit: u32| match limits {
            Limits::Off | Limits::Documented => limit,
            // A float as an integer saturates; what is not a number becomes the smallest limit.
            Limits::Factor(factor) => ((f64::from(limit) * factor).round() as u32).max(1),
        };
        let limits_of = server.routes.iter().map(|route| route.limit).chain([server.limit]);
        let counting = server.counting;
        let allowance = |limit: u32| Allowance { limit: scaled(limit), window: counting.window };
        let algorithm = match counting.algorithm {
            limiter::Algorithm::TokenBucket => Algorithm::TokenBucket,
            limiter::Algorithm::FixedWindow => Algorithm::FixedWindow,
            limiter::Algorithm::SlidingWindow => Algorithm::SlidingWindow,
        };
        let allowances: Vec<_> = limits_of.map(|limit| limit.map(allowance)).collect();
        let keys = server.auth.as_ref().map_or(0, |auth| auth.users.len()) + 1;
        let full = allowances.iter().map(|limit| Count::full(algorithm, limit.unwrap_or(allowance(1))));
        let counts = (0..keys).flat_map(|_| full.clone()).collect();
        Limiter { allowances, counts, enforced: limits != Limits::Off }
    }

    /// Takes the cost of a request. `None` where the route has no limit.
    pub fn take(&mut self, slot: Slot, cost: u32, now: Offset) -> Option<Standing> {
        let enforced = self.enforced;
        let (allowance, count) = self.count(slot)?;
        Some(count.ask(allowance, cost, now, enforced))
    }

    /// How the next request of this cost would fare.
    pub fn look(&mut self, slot: Slot, cost: u32, now: Offset) -> Option<Standing> {
        let (allowance, count) = self.count(slot)?;
        Some(count.ask(allowance, cost, now, false))
    }

    /// Cost units per window, as enforced.
    pub fn limit(&self, route: Option<usize>) -> Option<u32> {
        self.allowances[self.column(route)].map(|allowance| allowance.limit)
    }

    fn column(&self, route: Option<usize>) -> usize {
        let last = self.allowances.len() - 1;
        route.map_or(last, |route| route.min(last))
    }

    fn count(&mut self, slot: Slot) -> Option<(Allowance, &mut Count)> {
        let column = self.column(slot.route);
        let allowance = self.allowances[column]?;
        let row = slot.user.map_or(0, |user| user + 1);
        let count = self.counts.get_mut(row * self.allowances.len() + column)?;
        Some((allowance, count))
    }
}
