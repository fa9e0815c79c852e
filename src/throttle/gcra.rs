//! The generic cell rate algorithm: one instant instead of a level.
//!
//! It remembers when, by the steady rate, the next request would be due, and lets requests run ahead of it by as much as
//! the burst allows (ITU-T I.371; "leaky bucket as a meter", RFC 4115 has the like). It admits what a token bucket of the
//! same rate and size admits; the tests say so. Instants count *L*ths of a microsecond for a limit of *L*, so that no
//! rounding ever favours or hurts a client.

use super::{Allowance, Standing};
use crate::units::{Micros, Offset};

/// When the next request is due, for one key. A new one is due at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gcra {
    due: u64,
}

impl Gcra {
    /// Asks for `cost` units now; `take` them if they are there.
    pub fn ask(&mut self, allowance: Allowance, cost: u32, now: Offset, take: bool) -> Standing {
        let limit = u64::from(allowance.limit);
        let now = now.0.0.saturating_mul(limit);
        let cost = u64::from(cost.min(allowance.limit)) * allowance.window.0;
        let ahead = self.due.saturating_sub(now);
        let admitted = ahead + cost <= allowance.capacity();
        if admitted && take {
            self.due = now.max(self.due) + cost;
        }
        let ahead = self.due.saturating_sub(now);
        let left = allowance.capacity() - ahead.min(allowance.capacity());
        Standing {
            admitted: admitted || !take,
            limit: allowance.limit,
            remaining: u32::try_from(left / cost.max(1) * cost.max(1) / allowance.window.0).unwrap_or(u32::MAX),
            wait: Micros((ahead + cost).saturating_sub(allowance.capacity()).div_ceil(limit)),
            whole_in: Micros(ahead.div_ceil(limit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::throttle::bucket::Bucket;

    #[test]
    fn it_admits_and_tells_what_a_token_bucket_does() {
        for case in 0..500u64 {
            let draw = Seed(3).draw("gcra").with(case);
            let allowance = Allowance { limit: 1 + draw.with(1).below(300) as u32, window: Micros(1_000 + draw.with(2).below(90_000_000)) };
            let (mut gcra, mut bucket, mut now) = (Gcra::default(), Bucket::full(allowance), Offset::START);
            for step in 0..100 {
                let draw = draw.with(3).with(step);
                now = now + Micros(draw.with(1).below(allowance.window.0 / 2));
                let cost = 1 + draw.with(2).below(u64::from(allowance.limit)) as u32;
                assert_eq!(gcra.ask(allowance, cost, now, true), bucket.take(allowance, cost, now), "case {case} step {step}");
            }
        }
    }

    #[test]
    fn to_look_takes_nothing() {
        let allowance = Allowance { limit: 1, window: Micros::from_secs(10) };
        let mut gcra = Gcra::default();
        assert!((0..3).all(|_| gcra.ask(allowance, 1, Offset::START, false).admitted));
        assert!(gcra.ask(allowance, 1, Offset::START, true).admitted);
        assert!(!gcra.ask(allowance, 1, Offset::START, true).admitted);
    }
}
