//! How long to wait before retry k, and how the wait is spread.
//!
//! Source: Brooker, *Exponential Backoff and Jitter*, AWS Architecture Blog, 2015, with base b, factor f, cap c
//! and wait w(k) = min(c, b · f^(k − 1)) before retry k = 1, 2, …
//!
//! ```text
//! none          w(k)
//! full          U(0, w(k))
//! equal         w(k)/2 + U(0, w(k)/2)
//! decorrelated  min(c, U(b, 3 · the wait before)), where the wait before the first retry is b
//! ```

use std::ops::RangeInclusive;

use super::{Backoff, Jitter};
use crate::seed::Draw;
use crate::units::Micros;

impl Backoff {
    /// The wait before retry `retry` (from 1), decided by the draw.
    pub(super) fn wait(&self, jitter: Jitter, retry: u32, previous: Option<Micros>, draw: Draw) -> Micros {
        let (from, to) = match jitter {
            Jitter::Decorrelated => {
                let base = self.base();
                (base, previous.unwrap_or(base).scale(3.0).max(base))
            }
            Jitter::None | Jitter::Full | Jitter::Equal => self.range(jitter, retry).into_inner(),
        };
        (from + to.saturating_sub(from).scale(draw.unit())).min(self.cap())
    }

    /// The shortest and the longest wait before retry `retry` (from 1).
    pub(super) fn range(&self, jitter: Jitter, retry: u32) -> RangeInclusive<Micros> {
        let wait = self.nominal(retry);
        match jitter {
            Jitter::None => wait..=wait,
            Jitter::Full => Micros::ZERO..=wait,
            Jitter::Equal => wait.scale(0.5)..=wait,
            Jitter::Decorrelated => {
                let longest = self.base().scale(3f64.powi(exponent(retry).saturating_add(1)));
                self.base().min(self.cap())..=longest.min(self.cap())
            }
        }
    }

    /// w(k): what the wait would be without jitter.
    fn nominal(&self, retry: u32) -> Micros {
        let wait = match *self {
            Backoff::Constant { base } => base,
            Backoff::Linear { base, step, .. } => base + step.scale(f64::from(retry.saturating_sub(1))),
            Backoff::Exponential { base, factor, .. } => base.scale(factor.powi(exponent(retry))),
        };
        wait.min(self.cap())
    }

    fn base(&self) -> Micros {
        match *self {
            Backoff::Constant { base } | Backoff::Linear { base, .. } | Backoff::Exponential { base, .. } => base,
        }
    }

    fn cap(&self) -> Micros {
        match *self {
            Backoff::Constant { .. } => Micros(u64::MAX),
            Backoff::Linear { cap, .. } | Backoff::Exponential { cap, .. } => cap.unwrap_or(Micros(u64::MAX)),
        }
    }
}

fn exponent(retry: u32) -> i32 {
    i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    const fn ms(ms: u64) -> Micros {
        Micros::from_millis(ms)
    }

    const EXPONENTIAL: Backoff = Backoff::Exponential { base: ms(100), factor: 2.0, cap: Some(ms(1_000)) };
    const LINEAR: Backoff = Backoff::Linear { base: ms(100), step: ms(50), cap: Some(ms(220)) };
    const CONSTANT: Backoff = Backoff::Constant { base: ms(70) };

    fn draw(k: u64) -> Draw {
        Seed(11).draw("jitter").with(k)
    }

    #[test]
    fn waits_grow_by_their_rule_up_to_the_cap() {
        for (backoff, waits) in
            [(EXPONENTIAL, [100, 200, 400, 800, 1_000, 1_000]), (LINEAR, [100, 150, 200, 220, 220, 220]), (CONSTANT, [70; 6])]
        {
            for (retry, wait) in (1..).zip(waits) {
                assert_eq!(backoff.wait(Jitter::None, retry, None, draw(0)), ms(wait), "{backoff:?} retry {retry}");
            }
        }
    }

    #[test]
    fn jitter_spreads_the_wait_evenly_over_its_range() {
        for (jitter, low, high) in [(Jitter::Full, 0, 400), (Jitter::Equal, 200, 400)] {
            assert_eq!(EXPONENTIAL.range(jitter, 3), ms(low)..=ms(high));
            let waits: Vec<u64> = (0..10_000).map(|k| EXPONENTIAL.wait(jitter, 3, None, draw(k)).0).collect();
            assert!(waits.iter().all(|wait| (ms(low).0..=ms(high).0).contains(wait)));
            let mean = waits.iter().sum::<u64>() as f64 / 1e4;
            assert!((mean / ((low + high) as f64 * 500.0) - 1.0).abs() < 0.02, "{jitter:?} {mean}");
            let width = waits.iter().max().unwrap() - waits.iter().min().unwrap();
            assert!(width as f64 > (high - low) as f64 * 990.0, "{jitter:?} {width}");
        }
    }

    #[test]
    fn decorrelated_jitter_grows_from_the_wait_before_and_keeps_to_the_cap() {
        for k in 0..1_000 {
            let first = EXPONENTIAL.wait(Jitter::Decorrelated, 1, None, draw(k));
            assert!((ms(100)..=ms(300)).contains(&first), "{first}");
            let second = EXPONENTIAL.wait(Jitter::Decorrelated, 2, Some(ms(250)), draw(k));
            assert!((ms(100)..=ms(750)).contains(&second), "{second}");
        }
        let capped = (0..1_000).filter(|k| EXPONENTIAL.wait(Jitter::Decorrelated, 5, Some(ms(900)), draw(*k)) == ms(1_000)).count();
        // U(100, 2 700) lies above the cap of 1 000 with probability 1 700 / 2 600.
        assert!((600..710).contains(&capped), "{capped}");
        assert_eq!(EXPONENTIAL.range(Jitter::Decorrelated, 1), ms(100)..=ms(300));
        assert_eq!(EXPONENTIAL.range(Jitter::Decorrelated, 2), ms(100)..=ms(900));
        assert_eq!(EXPONENTIAL.range(Jitter::Decorrelated, 3), ms(100)..=ms(1_000));
    }

    #[test]
    fn a_hint_of_zero_does_not_make_decorrelated_jitter_shrink_below_its_base() {
        let wait = EXPONENTIAL.wait(Jitter::Decorrelated, 2, Some(Micros::ZERO), draw(3));
        assert_eq!(wait, ms(100));
    }

    #[test]
    fn waits_beyond_all_numbers_saturate() {
        let uncapped = Backoff::Exponential { base: ms(100), factor: 10.0, cap: None };
        assert_eq!(uncapped.wait(Jitter::None, u32::MAX, None, draw(0)), Micros(u64::MAX));
        assert!(*uncapped.range(Jitter::Decorrelated, u32::MAX).end() > Micros::HOUR);
        assert_eq!(Backoff::Constant { base: Micros::ZERO }.wait(Jitter::Full, 9, None, draw(0)), Micros::ZERO);
    }
}
