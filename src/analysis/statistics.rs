//! How sure a number is: intervals for rates, percentiles, means and ratios.
//!
//! All intervals are two-sided at 95 %. Nothing here assumes a distribution of latencies; what is assumed of
//! rates and counts is said at each function.

use crate::seed::Draw;
pub use crate::units::rate_interval;

/// The 97.5 % point of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The ranks (from 1 to n) of the order statistics that enclose quantile `q` of what `n` samples were drawn from.
///
/// Distribution-free: the number of samples below the quantile is binomial (n, q). A side is `None` where even
/// the outermost sample does not lie beyond the quantile with 97.5 % confidence: too few samples.
/// Source: David and Nagaraja, *Order Statistics*, 2003, §7.1.
pub fn percentile_ranks(n: u64, q: f64) -> (Option<u64>, Option<u64>) {
    if n == 0 || !(0.0..1.0).contains(&q) || q == 0.0 {
        return (None, None);
    }
    // Both sides look at the rarer side of the quantile, where few terms are needed.
    if q < 0.5 {
        let (low, high) = percentile_ranks(n, 1.0 - q);
        return (high.map(|rank| n + 1 - rank), low.map(|rank| n + 1 - rank));
    }
    let above = Above::of(n, 1.0 - q);
    // Rank u bounds the quantile from above if at most n − u samples lie above it with probability ≤ 2.5 %.
    let upper = above.largest_with_lower_tail().map(|k| n - k);
    // Rank l bounds it from below if at least n − l + 1 lie above it with probability ≤ 2.5 %.
    let lower = above.smallest_with_upper_tail().filter(|j| *j <= n).map(|j| n + 1 - j);
    (lower, upper)
}

const TAIL: f64 = 0.025;

/// How many of n samples lie above the quantile: binomial (n, p), exactly for small means, else its normal limit.
struct Above {
    n: u64,
    p: f64,
}

impl Above {
    const fn of(n: u64, p: f64) -> Above {
        Above { n, p }
    }

    /// The largest k with P(K ≤ k) ≤ 2.5 %.
    fn largest_with_lower_tail(&self) -> Option<u64> {
        if !self.exact() {
            return Some((self.mean() - 0.5 - Z * self.deviation()).floor() as u64);
        }
        let mut below = 0.0;
        let mut found = None;
        for (k, mass) in self.masses() {
            below += mass;
            if below > TAIL {
                break;
            }
            found = Some(k);
        }
        found
    }

    /// The smallest j with P(K ≥ j) ≤ 2.5 %; n + 1 where there is none below it.
    fn smallest_with_upper_tail(&self) -> Option<u64> {
        if !self.exact() {
            return Some((self.mean() + 0.5 + Z * self.deviation()).ceil() as u64);
        }
        let mut below = 0.0;
        for (j, mass) in self.masses() {
            // Before adding the mass at j, `below` is P(K < j) = 1 − P(K ≥ j).
            if 1.0 - below <= TAIL {
                return Some(j);
            }
            below += mass;
        }
        Some(self.n + 1)
    }

    fn exact(&self) -> bool {
        self.mean() <= 600.0
    }

    fn mean(&self) -> f64 {
        self.n as f64 * self.p
    }

    fn deviation(&self) -> f64 {
        (self.mean() * (1.0 - self.p)).sqrt()
    }

    /// P(K = 0), P(K = 1), … each from the one before.
    fn masses(&self) -> impl Iterator<Item = (u64, f64)> {
        let (n, p) = (self.n, self.p);
        let mut mass = (n as f64 * (1.0 - p).ln()).exp();
        (0..=n).map(move |k| {
            let now = mass;
            mass *= (n - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
            (k, now)
        })
    }
}

/// The interval of a mean by the central limit theorem, of `n` independent samples.
pub fn mean_interval(mean: f64, deviation: f64, n: u64) -> (f64, f64) {
    let half = Z * deviation / (n.max(1) as f64).sqrt();
    (mean - half, mean + half)
}

/// A stretch of time in which the plan changes nothing: how many samples it had, and the sum of what they measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Batch {
    /// Batches of one segment have the same stage and the same open faults.
    pub segment: u32,
    pub n: f64,
    pub sum: f64,
}

/// How many independent samples `n` samples are worth, from how their sums vary between batches.
///
/// Independent samples with variance σ² have batch sums with variance nσ²; samples that come in clumps vary
/// more, by a factor φ, and are worth n/φ (batch means; the variance inflation of a clustered sample). What the
/// plan itself changes (stages, faults) is no clumping: deviations are taken from the mean of each segment.
/// φ is believed only where chance alone would not reach it in 95 % of cases. `None` where fewer than 4 degrees
/// of freedom are left to see it by.
///
/// `variance` gives σ² from a segment's mean; `kurtosis` the excess kurtosis of one sample (0 where unknown),
/// by which chance makes sums of few samples vary more.
pub fn effective_size(batches: &[Batch], n: u64, variance: impl Fn(f64) -> f64, kurtosis: impl Fn(f64) -> f64) -> Option<u64> {
    let (mut statistic, mut spread, mut freedom) = (0.0, 0.0, 0.0);
    for segment in batches.chunk_by(|a, b| a.segment == b.segment) {
        let total: f64 = segment.iter().map(|batch| batch.n).sum();
        let used = segment.iter().filter(|batch| batch.n > 0.0);
        let mean = segment.iter().map(|batch| batch.sum).sum::<f64>() / total.max(1.0);
        let sigma2 = variance(mean);
        if sigma2 <= 0.0 || total == 0.0 {
            continue;
        }
        freedom -= 1.0;
        for batch in used {
            let deviation = batch.sum - batch.n * mean;
            statistic += deviation * deviation / (batch.n * sigma2);
            spread += 2.0 + kurtosis(mean) / batch.n;
            freedom += 1.0;
        }
    }
    if freedom < 4.0 {
        return None;
    }
    let phi = statistic / freedom;
    let by_chance = 1.0 + 1.645 * spread.max(0.0).sqrt() / freedom;
    if phi <= by_chance { Some(n) } else { Some((n as f64 / phi).round().max(1.0) as u64) }
}

/// The interval of Σ sum / Σ n by a bootstrap over batches, seeded, drawn within segments.
///
/// Each resample takes as many batches of every segment as there were, with replacement. `None` with fewer than 4
/// batches, or where n is zero.
/// Source: Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, §8 (stratified), §13 (percentile interval).
pub fn ratio_interval(batches: &[Batch], draw: Draw) -> Option<(f64, f64)> {
    const RESAMPLES: u64 = 2_000;
    if batches.len() < 4 || batches.iter().map(|batch| batch.n).sum::<f64>() <= 0.0 {
        return None;
    }
    let segments: Vec<&[Batch]> = batches.chunk_by(|a, b| a.segment == b.segment).collect();
    let mut ratios: Vec<f64> = (0..RESAMPLES)
        .filter_map(|resample| {
            let draw = draw.with(resample);
            let (mut n, mut sum, mut drawn) = (0.0, 0.0, 0);
            for segment in &segments {
                for _ in 0..segment.len() {
                    let batch = segment[draw.with(drawn).below(segment.len() as u64) as usize];
                    (n, sum, drawn) = (n + batch.n, sum + batch.sum, drawn + 1);
                }
            }
            (n > 0.0).then(|| sum / n)
        })
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| ratios.get(((ratios.len() as f64 * share) as usize).min(ratios.len().saturating_sub(1))).copied();
    Some((at(TAIL)?, at(1.0 - TAIL)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn close(actual: (f64, f64), expected: (f64, f64)) {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(actual.0, expected.0) && near(actual.1, expected.1), "{actual:?} against {expected:?}");
    }

    #[test]
    fn rates_have_the_interval_of_wilson() {
        // Computed in Python from the closed form, with z = 1.959963984540054.
        close(rate_interval(33, 8_120), (0.002_895_368_203_694, 0.005_701_729_508_603));
        close(rate_interval(1, 10), (0.017_876_213_095_073, 0.404_150_026_795_239));
        close(rate_interval(50, 100), (0.403_831_530_365_996, 0.596_168_469_634_004));
        close(rate_interval(812, 8_120), (0.093_662_783_939_494, 0.106_715_505_946_163));
        close(rate_interval(9, 10), (0.595_849_973_204_762, 0.982_123_786_904_927));
    }

    #[test]
    fn none_of_n_reads_at_most_three_in_n() {
        close(rate_interval(0, 1_000), (0.0, 0.003));
        close(rate_interval(1_000, 1_000), (0.997, 1.0));
        close(rate_interval(0, 2), (0.0, 1.0));
        close(rate_interval(0, 0), (0.0, 1.0));
    }

    #[test]
    fn percentiles_lie_between_the_order_statistics_of_the_exact_binomial() {
        // Computed in Python with integers: the outermost ranks whose binomial tails are at most 2.5 %.
        for (n, q, low, high) in [
            (6, 0.5, Some(1), Some(6)),
            (5, 0.5, None, None),
            (35, 0.9, Some(28), None),
            (36, 0.9, Some(29), Some(36)),
            (72, 0.95, Some(64), Some(72)),
            (71, 0.95, Some(63), None),
            (367, 0.99, Some(359), None),
            (368, 0.99, Some(360), Some(368)),
            (100, 0.5, Some(40), Some(61)),
            (1_000, 0.9, Some(881), Some(919)),
            (1_000, 0.99, Some(983), Some(997)),
            (5_000, 0.99, Some(4_936), Some(4_964)),
            (100_000, 0.999, Some(99_880), Some(99_920)),
        ] {
            assert_eq!(percentile_ranks(n, q), (low, high), "{n} samples, q = {q}");
        }
        assert_eq!(percentile_ranks(0, 0.5), (None, None));
        assert_eq!(percentile_ranks(6, 0.5), percentile_ranks(6, 0.5));
        assert_eq!(percentile_ranks(1_000, 0.1), (Some(82), Some(120)));
    }

    #[test]
    fn for_many_samples_the_normal_limit_agrees_with_the_exact_ranks() {
        for (n, q, low, high) in [(100_000, 0.99, 98_938, 99_062), (200_000, 0.9, 179_737, 180_264), (1_000_000, 0.5, 499_020, 500_981)] {
            let (l, h) = percentile_ranks(n, q);
            assert!(l.expect("a rank").abs_diff(low) <= 1 && h.expect("a rank").abs_diff(high) <= 1, "{n} {q}: {l:?} {h:?}");
        }
    }

    /// Batches of `size` coins with probability `p`, independent or all alike within a batch.
    fn coins(batches: u64, size: u64, p: f64, alike: bool) -> Vec<Batch> {
        let draw = Seed(77).draw("coins");
        (0..batches)
            .map(|batch| {
                let hits = (0..size).filter(|k| draw.with(batch).with(if alike { 0 } else { *k }).unit() < p).count();
                Batch { segment: 0, n: size as f64, sum: hits as f64 }
            })
            .collect()
    }

    fn coin_size(batches: &[Batch]) -> Option<u64> {
        let n = batches.iter().map(|batch| batch.n).sum::<f64>() as u64;
        effective_size(batches, n, |p| p * (1.0 - p), |p| (1.0 - 6.0 * p * (1.0 - p)) / (p * (1.0 - p)))
    }

    #[test]
    fn independent_samples_are_worth_their_number_and_clumps_count_once() {
        assert_eq!(coin_size(&coins(60, 40, 0.1, false)), Some(2_400));
        assert_eq!(coin_size(&coins(60, 40, 0.01, false)), Some(2_400), "rare hits vary much by chance");
        let clumped = coin_size(&coins(60, 40, 0.1, true)).expect("enough batches");
        // Forty alike in each of 60 batches are worth about 60.
        assert!((40..=90).contains(&clumped), "{clumped}");
    }

    #[test]
    fn one_stall_in_which_all_slow_answers_lie_is_one_event() {
        let mut batches = vec![Batch { segment: 0, n: 40.0, sum: 0.0 }; 30];
        batches[12].sum = 12.0;
        let worth = coin_size(&batches).expect("enough batches");
        assert!(worth < 200, "1 200 samples are worth {worth}");
    }

    #[test]
    fn what_the_plan_changes_is_no_clumping() {
        let mut batches = coins(30, 40, 0.02, false);
        batches.extend(coins(30, 40, 0.6, false).into_iter().map(|batch| Batch { segment: 1, ..batch }));
        assert_eq!(coin_size(&batches), Some(2_400));
        for batch in &mut batches {
            batch.segment = 0;
        }
        assert!(coin_size(&batches).expect("enough batches") < 1_000);
    }

    #[test]
    fn too_few_batches_say_nothing_about_clumping() {
        assert_eq!(coin_size(&coins(4, 40, 0.5, false)), None);
        assert_eq!(coin_size(&[]), None);
        assert_eq!(coin_size(&vec![Batch { segment: 0, n: 5.0, sum: 0.0 }; 40]), None, "nothing varies");
    }

    #[test]
    fn a_bootstrapped_ratio_covers_the_truth_and_is_the_same_for_the_same_seed() {
        let mut covered = 0;
        for trial in 0..100 {
            let draw = Seed(trial).draw("trial");
            // One to three attempts: 1 + two coins of 0.25, so that 1.5 is expected.
            let batches: Vec<Batch> = (0..30)
                .map(|batch| {
                    let attempts: u32 =
                        (0..40).map(|k| 1 + (0..2).filter(|c| draw.with(batch).with(k).with(*c).unit() < 0.25).count() as u32).sum();
                    Batch { segment: 0, n: 40.0, sum: f64::from(attempts) }
                })
                .collect();
            let interval = ratio_interval(&batches, draw).expect("enough batches");
            assert_eq!(Some(interval), ratio_interval(&batches, draw));
            covered += u32::from(interval.0 <= 1.5 && 1.5 <= interval.1);
        }
        assert!((85..=100).contains(&covered), "{covered} of 100 intervals cover the truth");
    }

    #[test]
    fn a_ratio_without_variation_is_certain_and_one_of_too_few_batches_unknown() {
        let batches = vec![Batch { segment: 0, n: 40.0, sum: 40.0 }; 10];
        assert_eq!(ratio_interval(&batches, Seed(1).draw("b")), Some((1.0, 1.0)));
        assert_eq!(ratio_interval(&batches[..3], Seed(1).draw("b")), None);
        assert_eq!(ratio_interval(&vec![Batch { segment: 0, n: 0.0, sum: 0.0 }; 9], Seed(1).draw("b")), None);
    }
}
