//! Values, units and comparisons as people read them.

use super::{Latency, Metric, Op, Point, Unit};
use crate::units::{Micros, three_digits};

impl Latency {
    pub const ALL: [Latency; 5] = [Latency::Response, Latency::Service, Latency::Session, Latency::FirstByte, Latency::Lag];

    /// The word of plans and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Latency::Response => "response",
            Latency::Service => "service",
            Latency::Session => "session",
            Latency::FirstByte => "first_byte",
            Latency::Lag => "lag",
        }
    }
}

impl Point {
    /// All points that can be asked for.
    pub const WORDS: [&'static str; 7] = ["p50", "p90", "p95", "p99", "p999", "max", "mean"];

    pub(super) fn named(word: &str) -> Option<Point> {
        Some(match word {
            "p50" => Point::Quantile(0.5),
            "p90" => Point::Quantile(0.9),
            "p95" => Point::Quantile(0.95),
            "p99" => Point::Quantile(0.99),
            "p999" => Point::Quantile(0.999),
            "max" => Point::Max,
            "mean" => Point::Mean,
            _ => return None,
        })
    }

    /// The word of plans and reports; a quantile without a word of its own is written as a share.
    pub fn word(self) -> String {
        let known = Point::WORDS.iter().find(|word| Point::named(word) == Some(self));
        match (known, self) {
            (Some(word), _) => (*word).to_owned(),
            (None, Point::Quantile(q)) => format!("p{}", three_digits(q * 100.0)),
            (None, Point::Max | Point::Mean) => unreachable!("both have a word"),
        }
    }
}

impl Op {
    /// As written in a plan.
    pub const fn word(self) -> &'static str {
        match self {
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Gt => ">",
            Op::Ge => ">=",
            Op::Eq => "==",
            Op::Ne => "!=",
        }
    }
}

impl Metric {
    /// As written in a plan, but that a fault's name, which only the plan knows, is left out.
    pub fn word(&self) -> String {
        match self {
            Metric::Latency(latency, point) => format!("{}.{}", latency.word(), point.word()),
            Metric::ContractViolations(severity) => format!("contract.violations({severity})"),
            Metric::ContractFindings(severity) => format!("contract.findings({severity})"),
            Metric::ContractNewViolations(severity) => format!("contract.new_violations({severity})"),
            Metric::ContractNewFindings(severity) => format!("contract.new_findings({severity})"),
            Metric::ErrorRate => "error.rate".to_owned(),
            Metric::DropRate => "drop.rate".to_owned(),
            Metric::Goodput => "goodput".to_owned(),
            Metric::Throughput => "throughput".to_owned(),
            Metric::ContractCoverage => "contract.coverage".to_owned(),
            Metric::ContractCoverageAbsolute => "contract.coverage_absolute".to_owned(),
            Metric::ContractConformance => "contract.conformance".to_owned(),
            Metric::RetryAmplification => "retry.amplification".to_owned(),
            Metric::RetryEarly => "retry.early".to_owned(),
            Metric::RetryMaxAttempts => "retry.max_attempts".to_owned(),
            Metric::RetrySuccess => "retry.success".to_owned(),
            Metric::RecoveryTime => "recovery.time".to_owned(),
            Metric::FaultFired(_) => "fault.fired".to_owned(),
        }
    }

    /// What its samples are, in the plural.
    pub const fn samples(&self) -> &'static str {
        match self {
            Metric::Latency(Latency::Service | Latency::FirstByte, _) => "attempts",
            Metric::Latency(Latency::Session, _) => "sessions",
            Metric::Latency(Latency::Response | Latency::Lag, _) => "exchanges",
            Metric::ErrorRate | Metric::Throughput | Metric::RetryAmplification | Metric::RetryMaxAttempts => "exchanges",
            Metric::DropRate => "arrivals",
            Metric::Goodput => "offered requests",
            Metric::ContractViolations(_) | Metric::ContractFindings(_) => "answers",
            Metric::ContractNewViolations(_) | Metric::ContractNewFindings(_) => "answers",
            Metric::ContractCoverage | Metric::ContractCoverageAbsolute | Metric::ContractConformance => "documented errors",
            Metric::RetryEarly => "retries that were asked to wait",
            Metric::RetrySuccess => "exchanges that met a failure",
            Metric::RecoveryTime => "outages",
            Metric::FaultFired(_) => "attempts it could have touched",
        }
    }
}

/// A value with its unit: `412 ms`, `0.4 %`, `8 120`, `40/s`, `1.31`.
pub fn value_words(value: f64, unit: Unit) -> String {
    let (number, unit) = parts(value, unit);
    format!("{number}{unit}")
}

/// An interval with its unit, written once where both ends share it: `398 … 431 ms`.
pub fn interval_words((low, high): (f64, f64), unit: Unit) -> String {
    let ((low, low_unit), (high, high_unit)) = (parts(low, unit), parts(high, unit));
    if low_unit == high_unit { format!("{low} … {high}{high_unit}") } else { format!("{low}{low_unit} … {high}{high_unit}") }
}

/// A count with its thousands apart: `12 480`.
pub fn count_words(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn parts(value: f64, unit: Unit) -> (String, String) {
    match unit {
        Unit::Us => {
            let text = Micros(value.round().max(0.0) as u64).to_string();
            // `2 min 5 s` is all number: it has units of its own.
            match text.split_once(' ') {
                Some((number, unit)) if !unit.contains(' ') => (number.to_owned(), format!(" {unit}")),
                _ => (text, String::new()),
            }
        }
        Unit::Ratio => (share_digits(value * 100.0), " %".to_owned()),
        Unit::Count => (count_words(value.round().max(0.0) as u64), String::new()),
        Unit::PerS => (three_digits(value), "/s".to_owned()),
        Unit::None => (three_digits(value), String::new()),
    }
}

/// Three digits, but more where a share would become nothing or all: `0.012`, `99.988`.
fn share_digits(value: f64) -> String {
    let rest = if value < 50.0 { value } else { 100.0 - value };
    if rest > 0.0 && rest < 0.1 {
        let decimals = (1 - rest.log10().floor() as i32).clamp(2, 6) as usize;
        let text = format!("{value:.decimals$}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    three_digits(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_with_their_unit() {
        for (value, unit, words) in [
            (412_345.0, Unit::Us, "412 ms"),
            (125_000_000.0, Unit::Us, "2 min 5 s"),
            (0.0, Unit::Us, "0 µs"),
            (0.004, Unit::Ratio, "0.4 %"),
            (0.000_123, Unit::Ratio, "0.012 %"),
            (1.0, Unit::Ratio, "100 %"),
            (0.999_88, Unit::Ratio, "99.988 %"),
            (0.999, Unit::Ratio, "99.9 %"),
            (12_480.0, Unit::Count, "12 480"),
            (1_234_567.0, Unit::Count, "1 234 567"),
            (999.0, Unit::Count, "999"),
            (40.0, Unit::PerS, "40/s"),
            (1.314, Unit::None, "1.31"),
        ] {
            assert_eq!(value_words(value, unit), words);
        }
    }

    #[test]
    fn an_interval_names_a_common_unit_once() {
        assert_eq!(interval_words((398_000.0, 431_000.0), Unit::Us), "398 … 431 ms");
        assert_eq!(interval_words((998_000.0, 1_100_000.0), Unit::Us), "998 ms … 1.1 s");
        assert_eq!(interval_words((0.0, 0.0037), Unit::Ratio), "0 … 0.37 %");
    }

    #[test]
    fn points_read_back_from_their_words() {
        for word in Point::WORDS {
            assert_eq!(Point::named(word).expect(word).word(), word);
        }
    }
}
