//! How many retries may be made, whatever the policy would like.
//!
//! A budget has two purses, after Finagle's `RetryBudget` (a share of the requests of the last ten seconds, plus
//! a minimum per second) and with what tower's `TpsBudget` teaches: there the minimum is saved up for ten seconds,
//! so that 20 % + 10/s lets 100 retries through before the share binds.
//!
//! ```text
//! earned    + ratio for every first attempt; fades as e^(−t / 10 s), so that it never holds more than
//!             ratio × the first attempts of about ten seconds
//! reserve   + min_per_second · t, up to one second of it (but at least one retry)
//! retry     takes 1 from the reserve, else from what was earned, else is refused
//! ```
//!
//! Every worker has a budget of its own and nothing is shared: of n workers each sees 1/n of the first attempts,
//! and so earns 1/n of the share by itself; the minimum per second is divided by n.

use super::BudgetRule;
use crate::units::{Micros, Offset};

/// How long what was earned lasts, on average.
const LASTS: Micros = Micros::from_secs(10);

/// The state of a retry budget: what it has earned and not spent.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Retries per first attempt.
    ratio: f64,
    /// This worker's part of the minimum.
    per_second: f64,
    earned: f64,
    reserve: f64,
    at: Offset,
}

impl Budget {
    /// One worker's budget where `workers` (at least 1) carry out the plan; its reserve begins full.
    pub fn new(rule: BudgetRule, workers: u32) -> Budget {
        let per_second = rule.min_per_second / f64::from(workers.max(1));
        Budget { ratio: rule.ratio.get(), per_second, earned: 0.0, reserve: full(per_second), at: Offset::START }
    }

    /// A first attempt is made.
    pub fn earn(&mut self, now: Offset) {
        self.pass(now);
        self.earned += self.ratio;
    }

    /// Pays for a retry; false if the budget allows none now.
    pub fn spend(&mut self, now: Offset) -> bool {
        self.pass(now);
        // What was earned in small parts may come to a hair less than one.
        for purse in [&mut self.reserve, &mut self.earned] {
            if *purse >= 1.0 - 1e-9 {
                *purse = (*purse - 1.0).max(0.0);
                return true;
            }
        }
        false
    }

    fn pass(&mut self, now: Offset) {
        let seconds = now.since(self.at).as_secs_f64();
        self.earned *= (-seconds / LASTS.as_secs_f64()).exp();
        self.reserve = (self.reserve + seconds * self.per_second).min(full(self.per_second));
        self.at = self.at.max(now);
    }
}

/// What the reserve holds at most.
fn full(per_second: f64) -> f64 {
    if per_second > 0.0 { per_second.max(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Ratio;

    fn rule(ratio: f64, min_per_second: f64) -> BudgetRule {
        BudgetRule { ratio: Ratio::new(ratio).expect("a ratio"), min_per_second }
    }

    /// Retries allowed in a total outage of `seconds` at `rate` first attempts per second, each asking for two.
    fn outage(budget: &mut Budget, rate: u64, seconds: u64) -> u64 {
        let mut allowed = 0;
        for k in 0..rate * seconds {
            let now = Offset::micros(k * 1_000_000 / rate);
            budget.earn(now);
            allowed += u64::from(budget.spend(now)) + u64::from(budget.spend(now));
        }
        allowed
    }

    #[test]
    fn in_an_outage_retries_are_the_share_plus_the_minimum() {
        let allowed = outage(&mut Budget::new(rule(0.2, 10.0), 1), 100, 60);
        // 20 % of 6 000 and 10 a second for 60 s; a reserve of 10 to begin with; a little fades unspent.
        assert!((1_750..=1_810).contains(&allowed), "{allowed}");
    }

    #[test]
    fn workers_share_the_minimum_and_each_earns_its_own_part_of_the_share() {
        let allowed = 2 * outage(&mut Budget::new(rule(0.2, 10.0), 2), 50, 60);
        assert!((1_750..=1_810).contains(&allowed), "{allowed}");
    }

    #[test]
    fn the_minimum_is_not_saved_up_for_longer_than_a_second() {
        let mut budget = Budget::new(rule(0.0, 10.0), 1);
        let late = Offset(Micros::from_secs(60));
        assert_eq!((0..100).filter(|_| budget.spend(late)).count(), 10);
        assert!(budget.spend(late + Micros::from_millis(101)));
        assert!(!budget.spend(late + Micros::from_millis(102)));
    }

    #[test]
    fn what_was_earned_long_ago_has_faded() {
        let mut budget = Budget::new(rule(1.0, 0.0), 1);
        for _ in 0..20 {
            budget.earn(Offset::START);
        }
        let mut later = budget.clone();
        assert_eq!((0..100).filter(|_| budget.spend(Offset::START)).count(), 20);
        assert_eq!((0..100).filter(|_| later.spend(Offset(Micros::from_secs(30)))).count(), 0, "20 · e⁻³ is less than one");
    }

    #[test]
    fn a_budget_of_nothing_allows_nothing() {
        assert_eq!(outage(&mut Budget::new(rule(0.0, 0.0), 1), 10, 10), 0);
    }

    #[test]
    fn a_clock_that_is_told_late_earns_nothing_twice() {
        let mut budget = Budget::new(rule(0.0, 1.0), 1);
        let (early, late) = (Offset(Micros::from_secs(1)), Offset(Micros::from_secs(2)));
        assert!(budget.spend(late));
        assert!(!budget.spend(early));
        assert!(!budget.spend(late));
    }
}
