//! The rate limits of a server: one bucket for each key on each route.
//!
//! A key is a user; everyone without a token shares one. There are finitely many of both, so memory is too.

use super::bucket::{Allowance, Bucket, Standing};
use crate::contract::server::Limits;
use crate::contract::server::Server;
use crate::units::Offset;

/// All buckets of one server.
#[derive(Debug)]
pub struct Limiter {
    /// By route; the last is for requests that reach none.
    allowances: Vec<Option<Allowance>>,
    /// By key, then by route.
    buckets: Vec<Bucket>,
    enforced: bool,
}

/// Whose bucket: a user and a route, by their places in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub user: Option<usize>,
    pub route: Option<usize>,
}

impl Limiter {
    /// Full buckets for all users and routes.
    pub fn new(server: &Server, limits: Limits) -> Limiter {
        let scaled = |limit: u32| match limits {
            Limits::Off | Limits::Documented => limit,
            // A float as an integer saturates; what is not a number becomes the smallest limit.
            Limits::Factor(factor) => ((f64::from(limit) * factor).round() as u32).max(1),
        };
        let limits_of = server.routes.iter().map(|route| route.limit).chain([server.limit]);
        let allowances: Vec<_> = limits_of.map(|limit| limit.map(|limit| Allowance { per_minute: scaled(limit) })).collect();
        let keys = server.auth.as_ref().map_or(0, |auth| auth.users.len()) + 1;
        let full = allowances.iter().map(|allowance| Bucket::full(allowance.unwrap_or(Allowance { per_minute: 1 })));
        let buckets = (0..keys).flat_map(|_| full.clone()).collect();
        Limiter { allowances, buckets, enforced: limits != Limits::Off }
    }

    /// Takes the cost of a request. `None` where the route has no limit.
    pub fn take(&mut self, slot: Slot, cost: u32, now: Offset) -> Option<Standing> {
        let enforced = self.enforced;
        let (allowance, bucket) = self.bucket(slot)?;
        Some(if enforced { bucket.take(allowance, cost, now) } else { bucket.look(allowance, cost, now) })
    }

    /// How the next request of this cost would fare.
    pub fn look(&mut self, slot: Slot, cost: u32, now: Offset) -> Option<Standing> {
        let (allowance, bucket) = self.bucket(slot)?;
        Some(bucket.look(allowance, cost, now))
    }

    /// Cost units per minute, as enforced.
    pub fn limit(&self, route: Option<usize>) -> Option<u32> {
        self.allowances[self.column(route)].map(|allowance| allowance.per_minute)
    }

    fn column(&self, route: Option<usize>) -> usize {
        let last = self.allowances.len() - 1;
        route.map_or(last, |route| route.min(last))
    }

    fn bucket(&mut self, slot: Slot) -> Option<(Allowance, &mut Bucket)> {
        let column = self.column(slot.route);
        let allowance = self.allowances[column]?;
        let row = slot.user.map_or(0, |user| user + 1);
        let bucket = self.buckets.get_mut(row * self.allowances.len() + column)?;
        Some((allowance, bucket))
    }
}
