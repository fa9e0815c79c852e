//! Whether a rule fires for an attempt that it matches: the draws.
//!
//! | trigger | says yes to |
//! |---|---|
//! | `always` | every attempt |
//! | `chance` | a coin of its own for every unit of `per`; one that is a ramp weighs it by the place in the window |
//! | `exactly` | the drawn places of every block of arrivals, by their number within (scenario, step) |
//! | `every = n` | arrivals n, 2n, 3n… (counted from 1) within (scenario, step) |
//! | `first_attempts = n` | attempts 1 to n of every exchange |
//!
//! A retry is not a further arrival: `exactly` and `every` select exchanges, all attempts of them unless `per` is
//! `attempt`, which means their first attempt. A sequence selects exchanges; one that is counted over a key, a route
//! or the run selects attempts, and `per` says what it is counted over.

use super::{Effect, FaultRule, Per, Sighting, Trigger};
use crate::id::AttemptNumber;
use crate::seed::{Draw, Seed};
use crate::units::Ratio;

/// The longest block of an exact share; a share that no shorter block can hold is met over several blocks.
const LONGEST_BLOCK: u64 = 100;

impl FaultRule {
    /// Whether the rule fires for this attempt, given that it matches inside a window, at this share of its way.
    pub(super) fn says_yes(&self, seed: Seed, seen: &Sighting<'_>, progress: f64) -> bool {
        let per = match (&self.effect, self.per) {
            (Effect::Sequence(_), Per::Attempt) => Per::Exchange,
            (Effect::Sequence(_), Per::Key | Per::Route | Per::Global) => Per::Attempt,
            (_, per) => per,
        };
        let counts = || per != Per::Attempt || seen.attempt == AttemptNumber::FIRST;
        match self.trigger {
            Trigger::Always => true,
            Trigger::Chance(share) => unit(self.draw(seed, "fault"), per, seen).unit() < share.get(),
            Trigger::Ramp(from, to) => {
                let share = from.get() + (to.get() - from.get()) * progress;
                unit(self.draw(seed, "fault"), per, seen).unit() < share
            }
            Trigger::Exactly(share) => counts() && exactly(share, blocks(self.draw(seed, "fault-block"), per, seen), number(per, seen)),
            Trigger::Every(n) => counts() && n > 0 && number(per, seen).wrapping_add(1).is_multiple_of(n),
            Trigger::FirstAttempts(n) => seen.attempt.0 <= n,
        }
    }

    /// Of the exchanges that the rule matches inside a window, the share that it is to disturb; `None` where no draw decides
    /// that: a limiter refuses whoever has spent it, and that may be nobody.
    pub fn share(&self) -> Option<f64> {
        if let Effect::Limiter(_) = self.effect {
            return None;
        }
        Some(match self.trigger {
            Trigger::Always | Trigger::FirstAttempts(_) => 1.0,
            Trigger::Chance(share) | Trigger::Exactly(share) => share.get(),
            Trigger::Ramp(from, to) => (from.get() + to.get()) / 2.0,
            Trigger::Every(n) => 1.0 / n.max(1) as f64,
        })
    }

    /// The draw that decides how long this attempt is delayed.
    pub(super) fn delay_draw(&self, seed: Seed, seen: &Sighting<'_>) -> Draw {
        unit(self.draw(seed, "fault-delay"), Per::Attempt, seen)
    }

    /// The draw that decides how long the answer to this attempt is delayed.
    pub(super) fn delay_after_draw(&self, seed: Seed, seen: &Sighting<'_>) -> Draw {
        unit(self.draw(seed, "fault-delay-after"), Per::Attempt, seen)
    }

    /// What all draws of this rule begin with: its name, not its place.
    fn draw(&self, seed: Seed, purpose: &str) -> Draw {
        seed.draw(purpose).with(seed.draw(&self.name).bits())
    }
}

/// The draw for the unit that this attempt belongs to.
fn unit(rule: Draw, per: Per, seen: &Sighting<'_>) -> Draw {
    let route = || rule.with(u64::from(seen.scenario.0)).with(u64::from(seen.step.0));
    match per {
        Per::Global => rule,
        Per::Key => rule.with(seen.key),
        Per::Route => route(),
        Per::Exchange => route().with(seen.arrival),
        Per::Attempt => route().with(seen.arrival).with(u64::from(seen.attempt.0)),
    }
}

/// What is counted: the arrivals of the scenario, or of the whole run.
fn number(per: Per, seen: &Sighting<'_>) -> u64 {
    if per == Per::Global { seen.overall } else { seen.ordinal }
}

/// The draw from which blocks are permuted: one family of blocks for every (scenario, step), or one for the run.
fn blocks(rule: Draw, per: Per, seen: &Sighting<'_>) -> Draw {
    unit(rule, if per == Per::Global { Per::Global } else { Per::Route }, seen)
}

/// Whether this number is one of the hits of its block.
///
/// Permuted blocks (Zelen, *The randomization and stratification of patients to clinical trials*, J. Chronic
/// Diseases 27, 1974): the places of a block are put in a drawn order, and the first of that order are hit.
fn exactly(share: Ratio, blocks: Draw, number: u64) -> bool {
    let size = block_size(share);
    let (block, place) = (number / size, number % size);
    let hits = hits_before(share, size, block + 1) - hits_before(share, size, block);
    let order = blocks.with(block);
    let mine = (order.with(place).bits(), place);
    let ahead = (0..size).filter(|&other| (order.with(other).bits(), other) < mine).count() as u64;
    ahead < hits
}

/// The smallest block that holds the share as a whole number of hits, else the longest.
fn block_size(share: Ratio) -> u64 {
    let whole = |size: &u64| {
        let hits = share.get() * *size as f64;
        (hits - hits.round()).abs() < 1e-12 * *size as f64
    };
    (1..LONGEST_BLOCK).find(whole).unwrap_or(LONGEST_BLOCK)
}

/// Hits in the first so many blocks: the share of their places, rounded, so that no error accumulates.
fn hits_before(share: Ratio, size: u64, blocks: u64) -> u64 {
    (share.get() * blocks.saturating_mul(size) as f64).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(share: f64, n: u64) -> u64 {
        let (share, blocks) = (Ratio::new(share).expect("a share"), Seed(11).draw("block"));
        (0..n).filter(|&number| exactly(share, blocks, number)).count() as u64
    }

    #[test]
    fn the_block_is_the_smallest_that_holds_the_share() {
        for (share, size) in [(0.0, 1), (1.0, 1), (0.5, 2), (0.1, 10), (0.15, 20), (0.07, 100), (1.0 / 3.0, 3), (0.1234, 100), (0.001, 100)]
        {
            assert_eq!(block_size(Ratio::new(share).expect("a share")), size, "{share}");
        }
    }

    #[test]
    fn every_whole_block_holds_exactly_its_share() {
        for (share, size) in [(0.5, 2u64), (0.1, 10), (0.15, 20), (0.07, 100), (1.0 / 3.0, 3)] {
            let all: Vec<u64> = (0..=50).map(|blocks| hits(share, blocks * size)).collect();
            let each = (share * size as f64).round() as u64;
            assert!(all.iter().enumerate().all(|(blocks, &hits)| hits == blocks as u64 * each), "{share}: {all:?}");
        }
    }

    #[test]
    fn any_first_n_differ_from_the_share_by_less_than_a_block() {
        for share in [0.001, 0.0333, 0.1234, 0.5, 0.9, 0.999] {
            let size = block_size(Ratio::new(share).expect("a share")) as f64;
            for n in [1, 7, 99, 101, 1_234, 10_000] {
                let off = (hits(share, n) as f64 - share * n as f64).abs();
                assert!(off < size.min(100.0), "{share} of {n} is off by {off}");
            }
        }
    }

    #[test]
    fn a_share_finer_than_the_longest_block_is_met_over_several() {
        assert_eq!(hits(0.001, 10_000), 10);
        assert_eq!(hits(0.1234, 10_000), 1_234);
        assert_eq!((hits(0.0, 1_000), hits(1.0, 1_000)), (0, 1_000));
    }

    #[test]
    fn every_place_of_a_block_is_as_likely_as_any_other() {
        let (share, blocks) = (Ratio::new(0.1).expect("a share"), Seed(4).draw("block"));
        let mut places = [0u32; 10];
        for number in (0..100_000).filter(|&number| exactly(share, blocks, number)) {
            places[(number % 10) as usize] += 1;
        }
        assert!(places.iter().all(|&n| (880..1_120).contains(&n)), "{places:?}");
    }
}
