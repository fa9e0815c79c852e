//! One token bucket: what is left of a rate limit, and when the next request is admitted.
//!
//! Whole numbers throughout, so that a client that waits exactly as long as it was told is admitted, always.
//! With a limit of *L* cost units per window of *W* microseconds, a level counts *W*ths of a unit: it grows by *L* per
//! microsecond, from 0 to the capacity *L* · *W*, and a cost *c* takes *c* · *W* away.

use super::{Allowance, Standing};
use crate::units::{Micros, Offset};

/// What is left, for one key on one route. A new bucket is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    level: u64,
    at: Offset,
}

impl Bucket {
    /// A full bucket.
    pub const fn full(allowance: Allowance) -> Bucket {
        Bucket { level: allowance.capacity(), at: Offset::START }
    }

    /// Asks for `cost` units now, and takes them if they are there. A cost above the capacity counts as the capacity.
    pub fn take(&mut self, allowance: Allowance, cost: u32, now: Offset) -> Standing {
        self.refill(allowance, now);
        let cost = u64::from(cost.min(allowance.limit)) * allowance.window.0;
        let admitted = self.level >= cost;
        if admitted {
            self.level -= cost;
        }
        self.standing(allowance, cost, admitted)
    }

    /// How a request of this cost would fare now; takes nothing.
    pub fn look(&mut self, allowance: Allowance, cost: u32, now: Offset) -> Standing {
        self.refill(allowance, now);
        self.standing(allowance, u64::from(cost.min(allowance.limit)) * allowance.window.0, true)
    }

    fn refill(&mut self, allowance: Allowance, now: Offset) {
        let Micros(elapsed) = now.since(self.at);
        let gained = elapsed.saturating_mul(u64::from(allowance.limit));
        self.level = self.level.saturating_add(gained).min(allowance.capacity());
        self.at = self.at.max(now);
    }

    fn standing(&self, allowance: Allowance, cost: u64, admitted: bool) -> Standing {
        let back_in = |missing: u64| Micros(missing.div_ceil(u64::from(allowance.limit)));
        let spendable = self.level / cost.max(1) * cost.max(1);
        Standing {
            admitted,
            limit: allowance.limit,
            remaining: u32::try_from(spendable / allowance.window.0).unwrap_or(u32::MAX),
            wait: back_in(cost.saturating_sub(self.level)),
            whole_in: back_in(allowance.capacity() - self.level),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn per_minute(limit: u32) -> Allowance {
        Allowance { limit, window: MINUTE }
    }

    const MINUTE: Micros = Micros::from_secs(60);

    #[test]
    fn a_limit_is_spent_at_once_and_comes_back_evenly() {
        let allowance = per_minute(50);
        let mut bucket = Bucket::full(allowance);
        let now = Offset::micros(7);
        let remaining: Vec<u32> = (0..5).map(|_| bucket.take(allowance, 10, now).remaining).collect();
        assert_eq!(remaining, [40, 30, 20, 10, 0]);
        // 10 units at 50 per minute take 12 s.
        let refused = bucket.take(allowance, 10, now);
        let seconds = Micros::from_secs;
        assert_eq!(refused, Standing { admitted: false, limit: 50, remaining: 0, wait: seconds(12), whole_in: seconds(60) });
        assert!(!bucket.take(allowance, 10, now + Micros(11_999_999)).admitted);
        assert!(bucket.take(allowance, 10, now + Micros(12_000_000)).admitted);
    }

    #[test]
    fn what_is_not_enough_for_the_request_is_not_shown_as_remaining() {
        let allowance = per_minute(25);
        let mut bucket = Bucket::full(allowance);
        assert_eq!(bucket.take(allowance, 10, Offset::START).remaining, 10);
        let second = bucket.take(allowance, 10, Offset::START);
        assert_eq!((second.admitted, second.remaining, second.retry_after_s()), (true, 0, 12));
        assert_eq!(bucket.look(allowance, 5, Offset::START).remaining, 5);
    }

    #[test]
    fn no_bucket_holds_more_than_its_limit() {
        let allowance = per_minute(3);
        let mut bucket = Bucket::full(allowance);
        for _ in 0..3 {
            assert!(bucket.take(allowance, 1, Offset::START + MINUTE + MINUTE).admitted);
        }
        assert!(!bucket.take(allowance, 1, Offset::START + MINUTE + MINUTE).admitted);
    }

    #[test]
    fn a_cost_above_the_limit_takes_all_of_it_and_is_not_refused_for_ever() {
        let allowance = per_minute(2);
        let mut bucket = Bucket::full(allowance);
        assert!(bucket.take(allowance, 9, Offset::START).admitted);
        assert_eq!(bucket.take(allowance, 9, Offset::START).retry_after_s(), 60);
        assert!(bucket.take(allowance, 9, Offset::START + MINUTE).admitted);
    }

    #[test]
    fn who_waits_as_long_as_told_is_admitted_and_no_whole_second_earlier() {
        // Any limit, any costs, any history: the announced wait is enough, and it is the least whole number that is.
        let mut refusals = 0;
        for case in 0..2_000u64 {
            let draw = Seed(11).draw("bucket").with(case);
            let largest = [10, 300, 6_000, 60_000_000][(case % 4) as usize];
            let allowance = per_minute(1 + draw.with(1).below(largest) as u32);
            let (mut bucket, mut now) = (Bucket::full(allowance), Offset::START);
            for step in 0..60 {
                let draw = draw.with(2).with(step);
                now = now + Micros(draw.with(1).below(5_000_000));
                let cost = 1 + draw.with(2).below(u64::from(allowance.limit / 3 + 1)) as u32;
                let standing = bucket.take(allowance, cost, now);
                if standing.admitted {
                    continue;
                }
                refusals += 1;
                let admitted_after = |seconds| bucket.clone().take(allowance, cost, now + Micros::from_secs(seconds)).admitted;
                assert!(standing.retry_after_s() >= 1 && standing.remaining == 0);
                assert!(admitted_after(standing.retry_after_s()), "case {case} step {step}: {standing:?}");
                assert!(!admitted_after(standing.retry_after_s() - 1), "case {case} step {step}: {standing:?}");
            }
        }
        assert!(refusals > 10_000, "{refusals}");
    }

    #[test]
    fn time_that_stands_still_or_steps_back_gives_nothing() {
        let allowance = per_minute(60);
        let mut bucket = Bucket::full(allowance);
        for _ in 0..60 {
            assert!(bucket.take(allowance, 1, Offset::micros(5_000_000)).admitted);
        }
        assert!(!bucket.take(allowance, 1, Offset::START).admitted);
        assert!(!bucket.take(allowance, 1, Offset::micros(5_000_000)).admitted);
        assert!(bucket.take(allowance, 1, Offset::micros(6_000_000)).admitted);
    }
}
