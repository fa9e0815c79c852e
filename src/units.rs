//! Spans, offsets, rates, ratios and sizes: parsed from a plan, printed for people, computed with in between.
//!
//! Every time inside brownout is a whole number of microseconds ([`Micros`]), the unit the histograms
//! record. A moment of the run is an [`Offset`] from its beginning, so that two moments can be compared
//! without asking which clock they came from. A bare number where a unit is needed is an error, never a guess.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A span of time in whole microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl Micros {
    /// No time at all.
    pub const ZERO: Micros = Micros(0);
    /// One hour: the largest span the histograms record (larger ones saturate and are counted).
    pub const HOUR: Micros = Micros(3_600_000_000);

    /// A span of whole milliseconds.
    pub const fn from_millis(ms: u64) -> Micros {
        Micros(ms * 1_000)
    }

    /// A span of whole seconds.
    pub const fn from_secs(s: u64) -> Micros {
        Micros(s * 1_000_000)
    }

    /// A span of fractional seconds; negative and non-finite values become zero, huge ones saturate.
    pub fn from_secs_f64(s: f64) -> Micros {
        Micros((s * 1e6).round().max(0.0) as u64)
    }

    /// This span in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// This span in whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// This span for the standard library's timers.
    pub const fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0)
    }

    /// The difference, or zero where `other` is longer.
    pub const fn saturating_sub(self, other: Micros) -> Micros {
        Micros(self.0.saturating_sub(other.0))
    }

    /// This span multiplied by a factor ≥ 0, saturating.
    pub fn scale(self, factor: f64) -> Micros {
        Micros((self.0 as f64 * factor).round().max(0.0) as u64)
    }
}

impl Add for Micros {
    type Output = Micros;
    fn add(self, other: Micros) -> Micros {
        Micros(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Micros {
    fn add_assign(&mut self, other: Micros) {
        *self = *self + other;
    }
}

/// For people: three significant digits and the unit that fits (`210 µs`, `41.2 ms`, `1.38 s`, `2 min 5 s`).
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0 as f64;
        match self.0 {
            0..1_000 => write!(f, "{} µs", self.0),
            1_000..999_500 => write!(f, "{} ms", three_digits(us / 1e3)),
            999_500..120_000_000 => write!(f, "{} s", three_digits(us / 1e6)),
            _ => {
                let s = (us / 1e6).round() as u64;
                let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
                match (h, m, s) {
                    (0, m, 0) => write!(f, "{m} min"),
                    (0, m, s) => write!(f, "{m} min {s} s"),
                    (h, 0, _) => write!(f, "{h} h"),
                    (h, m, _) => write!(f, "{h} h {m} min"),
                }
            }
        }
    }
}

/// Three significant digits without trailing zeros: `41.2`, `1.38`, `412`.
pub fn three_digits(value: f64) -> String {
    let text = match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// From a plan: `250ms`, `2m30s`, `1.5s`, `1h`. Negative spans and bare numbers are refused.
impl FromStr for Micros {
    type Err = String;
    fn from_str(text: &str) -> Result<Micros, String> {
        let bare = text.trim().parse::<f64>().is_ok();
        if bare {
            return Err(format!("`{text}` has no unit; write for example `{}ms` or `{}s`", text.trim(), text.trim()));
        }
        let span: jiff::SignedDuration =
            text.trim().parse().map_err(|_| format!("`{text}` is not a time span; write for example `250ms`, `1.5s` or `2m30s`"))?;
        if span.is_negative() {
            return Err(format!("`{text}` is negative; a span of time cannot be"));
        }
        u64::try_from(span.as_micros()).map(Micros).map_err(|_| format!("`{text}` is too long"))
    }
}

/// A moment of the run: the time since it began, on the run's one monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub Micros);

impl Offset {
    /// The beginning of the run.
    pub const START: Offset = Offset(Micros(0));

    /// The moment `us` microseconds into the run.
    pub const fn micros(us: u64) -> Offset {
        Offset(Micros(us))
    }

    /// The span since an earlier moment; zero if `earlier` is in fact later.
    pub const fn since(self, earlier: Offset) -> Micros {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole milliseconds since the beginning.
    pub const fn as_millis(self) -> u64 {
        self.0.as_millis()
    }
}

impl Add<Micros> for Offset {
    type Output = Offset;
    fn add(self, span: Micros) -> Offset {
        Offset(self.0 + span)
    }
}

impl Sub<Micros> for Offset {
    type Output = Offset;
    fn sub(self, span: Micros) -> Offset {
        Offset(self.0.saturating_sub(span))
    }
}

/// A fraction from 0 to 1, written `15%` or `0.15` in a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ratio(f64);

impl Ratio {
    /// Nothing of it.
    pub const ZERO: Ratio = Ratio(0.0);
    /// All of it.
    pub const ONE: Ratio = Ratio(1.0);

    /// A fraction, if it lies from 0 to 1.
    pub fn new(value: f64) -> Option<Ratio> {
        (0.0..=1.0).contains(&value).then_some(Ratio(value))
    }

    /// The fraction as a number from 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", three_digits(self.0 * 100.0))
    }
}

impl FromStr for Ratio {
    type Err = String;
    fn from_str(text: &str) -> Result<Ratio, String> {
        let text = text.trim();
        let value = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().map(|p| p / 100.0),
            None => text.parse::<f64>(),
        };
        let value = value.map_err(|_| format!("`{text}` is not a share; write for example `15%` or `0.15`"))?;
        Ratio::new(value).ok_or_else(|| format!("`{text}` is not between 0 % and 100 %"))
    }
}

/// Events per second, zero or more and finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(f64);

impl Rate {
    /// A rate per second, if it is finite and not negative.
    pub fn per_second(value: f64) -> Option<Rate> {
        (value.is_finite() && value >= 0.0).then_some(Rate(value))
    }

    /// Events per second.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", three_digits(self.0))
    }
}

/// From a plan: `40/s`, `600/min`, `2.5/s`, `36000/h`.
impl FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Rate, String> {
        let help = || format!("`{text}` is not a rate; write for example `40/s` or `600/min`");
        let (count, unit) = text.trim().split_once('/').ok_or_else(help)?;
        let count: f64 = count.trim().parse().map_err(|_| help())?;
        let seconds = match unit.trim() {
            "s" => 1.0,
            "min" | "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(help()),
        };
        Rate::per_second(count / seconds).ok_or_else(|| format!("`{text}` is not a rate: it must be zero or more"))
    }
}

/// A number of bytes, written `2KiB`, `10MB` or `512B` in a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n < 1024 => write!(f, "{n} B"),
            n if n < 1024 * 1024 => write!(f, "{} KiB", three_digits(n as f64 / 1024.0)),
            n => write!(f, "{} MiB", three_digits(n as f64 / (1024.0 * 1024.0))),
        }
    }
}

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Size, String> {
        let help = || format!("`{text}` is not a size; write for example `512B`, `2KiB` or `10MB`");
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(help)?;
        let (count, unit) = text.split_at(split);
        let count: f64 = count.parse().map_err(|_| help())?;
        let factor = match unit.trim() {
            "B" => 1.0,
            "kB" | "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            _ => return Err(help()),
        };
        Ok(Size((count * factor).round() as u64))
    }
}

/// The interval of a rate of `hits` in `n`: Wilson's, and at the ends the rule of three.
///
/// "0 of n" reads "at most 3/n" (Hanley and Lippman-Hand, JAMA 1983), and "n of n" at least 1 − 3/n. Source of the
/// rest: Wilson, *Probable inference*, JASA 1927. With n = 0 anything is possible.
pub fn rate_interval(hits: u64, n: u64) -> (f64, f64) {
    /// The 97.5 % point of the standard normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return (0.0, 1.0);
    }
    let (k, n_f) = (hits.min(n) as f64, n as f64);
    let p = k / n_f;
    let denominator = 1.0 + Z * Z / n_f;
    let centre = p + Z * Z / (2.0 * n_f);
    let half = Z * (p * (1.0 - p) / n_f + Z * Z / (4.0 * n_f * n_f)).sqrt();
    let three = (3.0 / n_f).min(1.0);
    match hits {
        0 => (0.0, three),
        hits if hits >= n => (1.0 - three, 1.0),
        _ => ((centre - half) / denominator, (centre + half) / denominator),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit_and_printed_for_people() {
        for (text, us, printed) in [
            ("250ms", 250_000, "250 ms"),
            ("2m30s", 150_000_000, "2 min 30 s"),
            ("1.5s", 1_500_000, "1.5 s"),
            ("210us", 210, "210 µs"),
            ("41.2ms", 41_200, "41.2 ms"),
            ("1h", 3_600_000_000, "1 h"),
            ("999.9ms", 999_900, "1 s"),
            ("0s", 0, "0 µs"),
        ] {
            let span: Micros = text.parse().expect(text);
            assert_eq!(span, Micros(us), "{text}");
            assert_eq!(span.to_string(), printed, "{text}");
        }
    }

    #[test]
    fn a_bare_number_or_a_negative_span_is_refused_with_what_to_write() {
        assert_eq!("250".parse::<Micros>().unwrap_err(), "`250` has no unit; write for example `250ms` or `250s`");
        assert_eq!("-2s".parse::<Micros>().unwrap_err(), "`-2s` is negative; a span of time cannot be");
        assert!("soon".parse::<Micros>().unwrap_err().contains("not a time span"));
    }

    #[test]
    fn shares_are_percentages_or_fractions_between_zero_and_one() {
        assert_eq!("15%".parse::<Ratio>().unwrap(), "0.15".parse::<Ratio>().unwrap());
        assert_eq!("15%".parse::<Ratio>().unwrap().to_string(), "15 %");
        assert!("101%".parse::<Ratio>().unwrap_err().contains("between"));
        assert!("NaN".parse::<Ratio>().is_err());
    }

    #[test]
    fn rates_name_their_unit_of_time() {
        assert_eq!("40/s".parse::<Rate>().unwrap().get(), 40.0);
        assert_eq!("600/min".parse::<Rate>().unwrap().get(), 10.0);
        assert!("40".parse::<Rate>().is_err());
        assert!("-1/s".parse::<Rate>().is_err());
        assert!("inf/s".parse::<Rate>().is_err());
    }

    #[test]
    fn sizes_keep_decimal_and_binary_units_apart() {
        assert_eq!("2KiB".parse::<Size>().unwrap(), Size(2048));
        assert_eq!("10MB".parse::<Size>().unwrap(), Size(10_000_000));
        assert!("2048".parse::<Size>().is_err());
        assert_eq!(Size(2048).to_string(), "2 KiB");
    }
}
