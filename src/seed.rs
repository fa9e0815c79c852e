//! One run seed, a draw per named event.
//!
//! A shared random generator makes every decision depend on the order in which tasks happen to run. Here a
//! decision is a pure function of the seed and of *what is decided*: `seed.draw("fault").with(rule).with(arrival)`
//! is the same number in every run, on any number of cores, and adding a rule shifts no other.
//!
//! The mixing function is SplitMix64's finaliser (Steele, Lea, Flood: *Fast splittable pseudorandom number
//! generators*, OOPSLA 2014) applied to each part in turn; its constants are frozen by a test.

use serde::{Deserialize, Serialize};

use crate::units::Micros;

/// The one number from which all randomness of a run is derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// Starts a draw for one purpose, such as `"arrival"` or `"jitter"`; purposes are independent of each other.
    pub fn draw(self, purpose: &str) -> Draw {
        let hash = purpose.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Draw(mix(self.0 ^ hash))
    }
}

/// A number that nobody can guess, for what must not be known beforehand; no decision of a run depends on it.
pub fn unguessable() -> u128 {
    use std::hash::{BuildHasher, RandomState};
    // Every such state has keys of its own from the system.
    let half = || u128::from(RandomState::new().hash_one(0u8) ^ RandomState::new().hash_one(1u8));
    half() << 64 | half()
}

/// A draw being keyed: add the parts that name the event, then take one number from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw(u64);

impl Draw {
    /// The same draw for one member of a family: an arrival, a rule, an attempt.
    pub fn with(self, part: u64) -> Draw {
        Draw(mix(self.0.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ mix(part.wrapping_add(0x632b_e59b_d9b4_e019))))
    }

    /// All 64 bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// A uniform number in `[0, 1)`, with 53 bits.
    pub fn unit(self) -> f64 {
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A uniform whole number below `n`; 0 where `n` is 0.
    pub fn below(self, n: u64) -> u64 {
        ((u128::from(self.0) * u128::from(n)) >> 64) as u64
    }

    /// An exponential number with mean 1: the gap between arrivals of a Poisson process of rate 1.
    pub fn exponential(self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// A standard normal number (Box and Muller 1958).
    pub fn normal(self) -> f64 {
        let radius = (-2.0 * (1.0 - self.with(1).unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.with(2).unit()).cos()
    }
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// How a span of time is drawn: a think time, an injected delay, the latency of the embedded target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Fixed(Micros),
    /// Anything from `min` to `max`, equally likely.
    Uniform { min: Micros, max: Micros },
    /// Log-normal with this median and `sigma`, the standard deviation of its logarithm.
    LogNormal { median: Micros, sigma: f64 },
}

impl Distribution {
    /// A log-normal from its median and one upper percentile (0.90, 0.95 or 0.99), which must not be smaller.
    pub fn log_normal(median: Micros, percentile: f64, value: Micros) -> Option<Distribution> {
        let z = match percentile {
            0.90 => 1.281_551_565_5,
            0.95 => 1.644_853_627_0,
            0.99 => 2.326_347_874_0,
            _ => return None,
        };
        (median > Micros::ZERO && value >= median)
            .then(|| Distribution::LogNormal { median, sigma: (value.0 as f64 / median.0 as f64).ln() / z })
    }

    /// One span, decided by the draw.
    pub fn sample(&self, draw: Draw) -> Micros {
        match *self {
            Distribution::Fixed(span) => span,
            Distribution::Uniform { min, max } => min + max.saturating_sub(min).scale(draw.unit()),
            Distribution::LogNormal { median, sigma } => median.scale((sigma * draw.normal()).exp()).min(Micros::HOUR),
        }
    }

    /// The mean, for forecasts.
    pub fn mean(&self) -> Micros {
        match *self {
            Distribution::Fixed(span) => span,
            Distribution::Uniform { min, max } => Micros(min.0 / 2 + max.0 / 2),
            Distribution::LogNormal { median, sigma } => median.scale((sigma * sigma / 2.0).exp()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_frozen_so_that_a_seed_means_the_same_in_every_version() {
        let draw = Seed(42).draw("arrival").with(7);
        assert_eq!(draw, Seed(42).draw("arrival").with(7));
        assert_eq!(draw.bits(), FROZEN);
    }
    const FROZEN: u64 = 8_349_360_838_775_682_371;

    #[test]
    fn different_purposes_parts_and_seeds_give_unrelated_numbers() {
        let all = [
            Seed(1).draw("a").with(1),
            Seed(1).draw("a").with(2),
            Seed(1).draw("b").with(1),
            Seed(2).draw("a").with(1),
            Seed(1).draw("a").with(1).with(0),
        ];
        let mut bits: Vec<u64> = all.iter().map(|d| d.bits()).collect();
        bits.sort_unstable();
        bits.dedup();
        assert_eq!(bits.len(), all.len());
    }

    #[test]
    fn units_are_uniform_over_consecutive_keys() {
        let n = 100_000;
        let (mut sum, mut deciles) = (0.0, [0u32; 10]);
        for k in 0..n {
            let u = Seed(3).draw("u").with(k).unit();
            sum += u;
            deciles[(u * 10.0) as usize] += 1;
        }
        assert!((sum / n as f64 - 0.5).abs() < 0.005);
        assert!(deciles.iter().all(|&d| (9_600..10_400).contains(&d)), "{deciles:?}");
    }

    #[test]
    fn a_log_normal_meets_its_median_and_its_percentile() {
        let spread = Distribution::log_normal(Micros::from_millis(100), 0.95, Micros::from_millis(300)).expect("p95 above the median");
        let mut drawn: Vec<u64> = (0..40_000).map(|k| spread.sample(Seed(5).draw("think").with(k)).0).collect();
        drawn.sort_unstable();
        let (p50, p95) = (drawn[20_000] as f64, drawn[38_000] as f64);
        assert!((p50 / 100_000.0 - 1.0).abs() < 0.03, "{p50}");
        assert!((p95 / 300_000.0 - 1.0).abs() < 0.05, "{p95}");
        assert!(Distribution::log_normal(Micros(10), 0.95, Micros(9)).is_none());
    }
}
