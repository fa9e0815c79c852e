//! Distributions of times: what is recorded per attempt and exchange, in memory that does not grow with them.
//!
//! An HDR histogram with three digits from 1 µs to 1 h, made when first needed and grown when a longer time
//! comes; longer times than an hour are recorded as an hour and counted. Minimum, maximum and mean are exact.

use base64::Engine;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

use super::{ByOutcome, Summary};
use crate::units::Micros;

/// Times of one kind, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    histogram: Option<Box<Histogram<u32>>>,
    min: u64,
    max: u64,
    sum: u64,
    censored: u64,
    saturated: u64,
}

impl Latencies {
    /// Records one time. `censored`: it is only a lower bound, because waiting ended before the answer came.
    pub fn record(&mut self, time: Micros, censored: bool) {
        let us = time.0.min(Micros::HOUR.0);
        self.saturated += u64::from(time.0 > us);
        self.censored += u64::from(censored);
        let first = self.histogram.is_none();
        let histogram = self.histogram.get_or_insert_with(|| Box::new(fine()));
        if histogram.record(us).is_err() {
            // Only where there is no memory to grow into: better counted than lost in silence.
            self.saturated += 1;
            return;
        }
        self.min = if first { us } else { self.min.min(us) };
        self.max = self.max.max(us);
        self.sum = self.sum.saturating_add(us);
    }

    /// Adds what another recorder heard.
    pub fn merge(&mut self, other: &Latencies) {
        let Some(theirs) = &other.histogram else {
            self.saturated += other.saturated;
            return;
        };
        self.min = if self.histogram.is_none() { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
        self.censored += other.censored;
        self.saturated += other.saturated;
        let ours = self.histogram.get_or_insert_with(|| Box::new(fine()));
        if ours.add(theirs.as_ref()).is_err() {
            self.saturated += theirs.len();
        }
    }

    /// How many were recorded.
    pub fn n(&self) -> u64 {
        self.histogram.as_ref().map_or(0, |histogram| histogram.len())
    }

    /// How many were longer than an hour.
    pub const fn saturated(&self) -> u64 {
        self.saturated
    }

    pub fn max(&self) -> Option<u64> {
        self.histogram.as_ref().map(|_| self.max)
    }

    pub fn mean(&self) -> Option<f64> {
        (self.n() > 0).then(|| self.sum as f64 / self.n() as f64)
    }

    /// The standard deviation; 0 without samples.
    pub fn deviation(&self) -> f64 {
        self.histogram.as_ref().map_or(0.0, |histogram| histogram.stdev())
    }

    /// The time that this share of the samples does not exceed, to three digits and never beyond the maximum.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        self.histogram.as_ref().map(|histogram| histogram.value_at_quantile(q).clamp(self.min, self.max))
    }

    /// The lowest and highest time that the sample at a quantile may have had, given three digits.
    pub fn around(&self, q: f64) -> Option<(u64, u64)> {
        let histogram = self.histogram.as_ref()?;
        let value = histogram.value_at_quantile(q);
        let (low, high) = (histogram.lowest_equivalent(value), histogram.highest_equivalent(value));
        Some((low.clamp(self.min, self.max), high.clamp(self.min, self.max)))
    }

    /// In a few numbers.
    pub fn summary(&self) -> Summary {
        let n = self.n();
        if n == 0 {
            return Summary::default();
        }
        Summary {
            n,
            min: Some(self.min),
            mean: self.mean().map(|mean| mean.round() as u64),
            p50: self.quantile(0.5),
            p90: self.quantile(0.9),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
            p999: self.quantile(0.999),
            max: Some(self.max),
            censored: self.censored,
        }
    }

    /// The whole histogram as text (HdrHistogram V2, deflated, base64); `None` without samples.
    pub fn encoded(&self) -> Option<String> {
        // The head of the format tells the range, which here depends on the order in which times came; one range
        // for all makes equal counts equal bytes.
        let mut whole = Histogram::<u32>::new_with_bounds(1, Micros::HOUR.0, 3).expect("the range and digits are valid");
        whole.add(self.histogram.as_deref()?).ok()?;
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&whole, &mut bytes).ok()?;
        Some(base64::engine::general_purpose::STANDARD.encode(bytes))
    }
}

/// The encoding of [`Latencies::encoded`].
pub const ENCODING: &str = "hdr-v2-deflate-b64";

fn fine() -> Histogram<u32> {
    Histogram::new(3).expect("three digits are a valid precision")
}

/// Success and error apart.
#[derive(Clone, Debug, Default)]
pub struct Apart {
    pub ok: Latencies,
    pub error: Latencies,
}

impl Apart {
    pub fn record(&mut self, ok: bool, time: Micros, censored: bool) {
        if ok { &mut self.ok } else { &mut self.error }.record(time, censored);
    }

    pub fn merge(&mut self, other: &Apart) {
        self.ok.merge(&other.ok);
        self.error.merge(&other.error);
    }

    pub fn saturated(&self) -> u64 {
        self.ok.saturated() + self.error.saturated()
    }

    pub fn summaries(&self) -> ByOutcome {
        ByOutcome { ok: self.ok.summary(), error: self.error.summary() }
    }
}

/// A summary of someone else's histogram, in microseconds.
pub fn summary_of(histogram: &Histogram<u64>) -> Summary {
    if histogram.is_empty() {
        return Summary::default();
    }
    let at = |q| Some(histogram.value_at_quantile(q).min(histogram.max()));
    Summary {
        n: histogram.len(),
        min: Some(histogram.min()),
        mean: Some(histogram.mean().round() as u64),
        p50: at(0.5),
        p90: at(0.9),
        p95: at(0.95),
        p99: at(0.99),
        p999: at(0.999),
        max: Some(histogram.max()),
        censored: 0,
    }
}

/// A small histogram for one interval of a series: one digit, a kilobyte or so.
#[derive(Clone, Debug, Default)]
pub struct Coarse(Option<Box<Histogram<u32>>>);

impl Coarse {
    pub fn record(&mut self, time: Micros) {
        let histogram = self.0.get_or_insert_with(|| Box::new(Histogram::new(1).expect("one digit is a valid precision")));
        // It grows as needed; only where there is no memory left does an interval lose a sample.
        histogram.record(time.0.min(Micros::HOUR.0)).unwrap_or_default();
    }

    pub fn merge(&mut self, other: &Coarse) {
        match (&mut self.0, &other.0) {
            (_, None) => {}
            (None, Some(theirs)) => self.0 = Some(theirs.clone()),
            // Times are at most an hour, which any histogram that resizes can hold.
            (Some(ours), Some(theirs)) => ours.add(theirs.as_ref()).unwrap_or_default(),
        }
    }

    pub fn quantile(&self, q: f64) -> Option<u64> {
        self.0.as_ref().map(|histogram| histogram.median_equivalent(histogram.value_at_quantile(q)))
    }

    /// How many lie clearly above `us`: beyond all values that one digit cannot tell from it.
    pub fn above(&self, us: u64) -> u64 {
        self.0.as_ref().map_or(0, |histogram| histogram.count_between(histogram.next_non_equivalent(us), Micros::HOUR.0 * 2))
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;

    use super::*;

    fn of(times: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        times.into_iter().for_each(|us| latencies.record(Micros(us), false));
        latencies
    }

    #[test]
    fn a_summary_has_exact_ends_and_three_digits_between() {
        let summary = of(1..=100_000).summary();
        assert_eq!((summary.n, summary.min, summary.max, summary.mean), (100_000, Some(1), Some(100_000), Some(50_001)));
        for (actual, expected) in [(summary.p50, 50_000.0), (summary.p99, 99_000.0), (summary.p999, 99_900.0)] {
            assert!((actual.expect("samples") as f64 / expected - 1.0).abs() < 0.001, "{actual:?} against {expected}");
        }
    }

    #[test]
    fn nothing_recorded_has_no_percentiles() {
        assert_eq!(of([]).summary(), Summary::default());
        assert_eq!(of([]).encoded(), None);
        assert_eq!(of([]).quantile(0.5), None);
    }

    #[test]
    fn times_beyond_an_hour_are_recorded_as_an_hour_and_counted() {
        let latencies = of([5, 4_000_000_000, u64::MAX]);
        assert_eq!(latencies.saturated(), 2);
        assert_eq!(latencies.max(), Some(Micros::HOUR.0));
        assert_eq!(latencies.n(), 3);
    }

    #[test]
    fn two_recorders_together_are_as_one() {
        let mut merged = of((1..500).map(|k| k * 7));
        merged.merge(&of((500..1_000).map(|k| k * 7)));
        merged.merge(&of([]));
        assert_eq!(merged.summary(), of((1..1_000).map(|k| k * 7)).summary());
        let mut empty = of([]);
        empty.merge(&of([9]));
        assert_eq!(empty.summary(), of([9]).summary());
    }

    #[test]
    fn a_histogram_reads_back_from_the_report_whole() {
        let latencies = of((1..=1_000).map(|k| k * 37));
        let bytes = base64::engine::general_purpose::STANDARD.decode(latencies.encoded().expect("samples")).expect("base64");
        let back: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).expect("a V2 histogram");
        assert_eq!(back.len(), 1_000);
        assert_eq!(back.value_at_quantile(0.99).min(latencies.max), latencies.quantile(0.99).expect("samples"));
    }

    #[test]
    fn a_coarse_histogram_counts_what_lies_clearly_above() {
        let mut coarse = Coarse::default();
        for ms in [10, 10, 10, 500, 900] {
            coarse.record(Micros::from_millis(ms));
        }
        assert_eq!(coarse.above(100_000), 2);
        assert_eq!(coarse.above(10_000), 2);
        assert_eq!(coarse.above(3_000_000_000), 0);
        let p50 = coarse.quantile(0.5).expect("samples") as f64;
        assert!((p50 / 10_000.0 - 1.0).abs() < 0.07, "{p50}");
        assert_eq!(Coarse::default().above(0), 0);
    }
}
