//! One limit kept for many keys apart, in bounded memory.

use std::collections::HashMap;

use super::{Algorithm, Allowance, Count, Standing};
use crate::units::{Micros, Offset};

/// Keys that are kept apart; the keys of clients that come later share one count, until others have rested.
const MOST: usize = 10_000;
/// The key that is shared where there is no room for another.
const SHARED: u64 = 0;

/// A limit, and what is left of it for each key. A key is a hash: what it was made of is not kept.
#[derive(Debug)]
pub struct Keyed {
    allowance: Allowance,
    algorithm: Algorithm,
    counts: HashMap<u64, Resting>,
    swept_at: Offset,
    /// Requests that had to share a count for want of room.
    crowded: u64,
}

/// A count, and from when on it is as good as new.
#[derive(Debug)]
struct Resting {
    count: Count,
    whole_at: Offset,
}

impl Keyed {
    pub fn new(algorithm: Algorithm, allowance: Allowance) -> Keyed {
        Keyed { allowance, algorithm, counts: HashMap::new(), swept_at: Offset::START, crowded: 0 }
    }

    /// Asks for `cost` units for this key, and takes them if they are there.
    pub fn take(&mut self, key: u64, cost: u32, now: Offset) -> Standing {
        let key = if self.has_room_for(key, now) { key } else { SHARED };
        let (algorithm, allowance) = (self.algorithm, self.allowance);
        let resting =
            self.counts.entry(key).or_insert_with(|| Resting { count: Count::full(algorithm, allowance), whole_at: Offset::START });
        let standing = resting.count.ask(allowance, cost, now, true);
        resting.whole_at = now + standing.whole_in;
        standing
    }

    /// Requests that had to share a count because more keys were in use than are kept apart.
    pub fn crowded(&self) -> u64 {
        self.crowded
    }

    /// Whether this key can have a count of its own. Counts that are whole again are forgotten when room is short,
    /// at most once a second, so that a flood of keys costs no more than its share.
    fn has_room_for(&mut self, key: u64, now: Offset) -> bool {
        if self.counts.len() < MOST || self.counts.contains_key(&key) {
            return true;
        }
        if now.since(self.swept_at) >= Micros::from_secs(1) {
            self.swept_at = now;
            self.counts.retain(|_, resting| resting.whole_at > now);
        }
        let room = self.counts.len() < MOST;
        self.crowded += u64::from(!room);
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn keyed(algorithm: Algorithm) -> Keyed {
        Keyed::new(algorithm, Allowance { limit: 2, window: Micros::from_secs(10) })
    }

    #[test]
    fn each_key_has_a_limit_of_its_own() {
        let mut limits = keyed(Algorithm::TokenBucket);
        let fared: Vec<bool> = [1, 1, 1, 2].map(|key| limits.take(key, 1, Offset::START).admitted).to_vec();
        assert_eq!(fared, [true, true, false, true]);
    }

    #[test]
    fn keys_beyond_the_most_share_one_count_and_are_counted() {
        let mut limits = keyed(Algorithm::FixedWindow);
        for key in 1..=MOST as u64 {
            assert!(limits.take(key, 1, Offset::micros(1)).admitted);
        }
        let late: Vec<bool> = (0..4).map(|late| limits.take(1_000_000 + late, 1, Offset::micros(2)).admitted).collect();
        assert_eq!((late, limits.crowded()), (vec![true, true, false, false], 4));
        assert!(limits.counts.len() <= MOST + 1);
        let later = Offset::micros(20_000_000);
        assert!(limits.take(2_000_000, 1, later).admitted, "those that rest have made room");
        assert!(limits.counts.len() < 10);
    }

    /// The property that a client relies on: waiting exactly as long as it was told is enough, whatever it did before.
    #[test]
    fn a_client_that_waits_exactly_what_it_is_told_is_never_refused_again() {
        let mut refusals = 0;
        for algorithm in [Algorithm::TokenBucket, Algorithm::Gcra, Algorithm::FixedWindow, Algorithm::SlidingWindow] {
            for case in 0..300u64 {
                let draw = Seed(17).draw("obedient").with(case);
                let limit = 1 + draw.with(1).below(500) as u32;
                let window = Micros(1_000 + draw.with(2).below([10_000, 1_000_000, 120_000_000][(case % 3) as usize]));
                let mut limits = Keyed::new(algorithm, Allowance { limit, window });
                let mut now = Offset::micros(draw.with(3).below(1_000_000));
                for step in 0..200 {
                    let draw = draw.with(4).with(step);
                    let cost = 1 + draw.with(1).below(u64::from(limit)) as u32;
                    let standing = limits.take(step % 3, cost, now);
                    assert!(standing.remaining <= limit);
                    if !standing.admitted {
                        refusals += 1;
                        assert!(standing.retry_after_s() >= 1 && standing.remaining == 0, "{algorithm:?} {case} {step}: {standing:?}");
                        // To the microsecond, in whole seconds, or until the reset: each is enough.
                        for wait in [standing.wait, Micros::from_secs(standing.retry_after_s()), standing.reset_in()] {
                            let count = &limits.counts[&(step % 3)].count;
                            let again = count.clone().ask(limits.allowance, cost, now + wait, true);
                            assert!(again.admitted, "{algorithm:?} {case} {step}: {standing:?}, then {again:?}");
                        }
                        let early = Micros(standing.wait.0 - 1);
                        let count = &limits.counts[&(step % 3)].count;
                        assert!(!count.clone().ask(limits.allowance, cost, now + early, true).admitted, "and not a microsecond early");
                        now = now + standing.wait;
                        assert!(limits.take(step % 3, cost, now).admitted);
                    }
                    now = now + Micros(draw.with(2).below(window.0 / 8 + 1));
                }
            }
        }
        assert!(refusals > 10_000, "{refusals}");
    }
}
