//! `.hgrm`: percentile distributions for the HdrHistogram plotter.
//!
//! The plotter (`GoogleChartsExample/plotFiles.html`) reads lines of exactly four fields, uses the first and the
//! fourth, and ignores lines that begin with `#`. The format is that of Java's `outputPercentileDistribution`,
//! in milliseconds; its last row, at 100 %, has three fields, since 1/(1−1) has no value.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use super::Report;
use super::histogram::{JUDGED, decode};

/// Steps for each halving of the distance to 100 %, as in Java.
const TICKS: u32 = 5;
/// Microseconds in the unit printed.
const MILLISECOND: f64 = 1000.0;

/// The distributions of the judged stages as files: `latency.hgrm` is `response` of ok exchanges, always present;
/// the others are `latency.<kind>.<outcome>.hgrm`.
pub fn render(report: &Report) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for facts in report.histograms.iter().filter(|facts| facts.scope == JUDGED) {
        let (Some(name), Some(histogram)) = (name(&facts.kind, &facts.outcome), decode(facts)) else { continue };
        if !files.iter().any(|(taken, _)| *taken == name) {
            files.push((name, distribution(&histogram)));
        }
    }
    if !files.iter().any(|(name, _)| name == MAIN) {
        let empty = Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("one hour at three digits is within bounds");
        files.insert(0, (MAIN.to_owned(), distribution(&empty)));
    }
    files
}

const MAIN: &str = "latency.hgrm";

/// The file of a kind and outcome; only words become parts of file names.
fn name(kind: &str, outcome: &str) -> Option<String> {
    let word = |text: &str| !text.is_empty() && text.len() < 32 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match (kind, outcome) {
        ("response", "ok") => Some(MAIN.to_owned()),
        _ if word(kind) && word(outcome) => Some(format!("latency.{kind}.{outcome}.hgrm")),
        _ => None,
    }
}

/// One histogram of microseconds, printed in milliseconds.
pub fn distribution(histogram: &Histogram<u64>) -> String {
    let mut out = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS) {
        total += step.count_since_last_iteration();
        let (value, quantile) = (step.value_iterated_to() as f64 / MILLISECOND, step.quantile_iterated_to());
        let _ = write!(out, "{value:12.3} {quantile:2.12} {total:10}");
        if quantile < 1.0 {
            let _ = write!(out, " {:14.2}", 1.0 / (1.0 - quantile));
        }
        out.push('\n');
    }
    let (mean, deviation) = (histogram.mean() / MILLISECOND, histogram.stdev() / MILLISECOND);
    let max = histogram.max() as f64 / MILLISECOND;
    let _ = writeln!(out, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(out, "#[Max     = {max:12.3}, Total count    = {:12}]", histogram.len());
    let _ = writeln!(out, "#[Buckets = {:12}, SubBuckets     = {:12}]", histogram.buckets(), sub_buckets(histogram.sigfig()));
    out
}

/// Counters per power of two: the smallest power of two that tells 2·10^digits values apart.
fn sub_buckets(digits: u8) -> u64 {
    (2 * 10u64.pow(u32::from(digits.min(5)))).next_power_of_two()
}
