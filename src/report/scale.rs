//! From values to places on an axis, and where its ticks stand.

/// An axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    kind: Kind,
    domain: (f64, f64),
    range: (f64, f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Linear,
    Log,
}

impl Scale {
    /// A linear axis: `domain.0` lies at `range.0`. An empty domain is widened to 1.
    pub fn linear(domain: (f64, f64), range: (f64, f64)) -> Scale {
        let high = if domain.1 > domain.0 { domain.1 } else { domain.0 + 1.0 };
        Scale { kind: Kind::Linear, domain: (domain.0, high), range }
    }

    /// A linear axis from 0 to a round number not below `high`.
    pub fn from_zero(high: f64, range: (f64, f64)) -> Scale {
        let half = high.max(1e-9) / 2.0;
        let power = 10f64.powi(half.log10().floor() as i32);
        let digits = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
        let step = digits.into_iter().map(|digit| digit * power).find(|&step| step >= half * 0.999_999_9).unwrap_or(10.0 * power);
        Scale::linear((0.0, if high > 0.0 { 2.0 * step } else { 1.0 }), range)
    }

    /// A logarithmic axis whose ends are 1, 2 or 5 times a power of ten, around `low` and `high` (both made positive).
    pub fn log(low: f64, high: f64, range: (f64, f64)) -> Scale {
        let low = round_below(low.max(1.0));
        let high = round_above(high.max(low * 2.0));
        Scale { kind: Kind::Log, domain: (low, high), range }
    }

    /// Where a value lies; values outside lie at the ends.
    pub fn place(&self, value: f64) -> f64 {
        let (low, high) = self.domain;
        let share = match self.kind {
            Kind::Linear => (value - low) / (high - low),
            Kind::Log => (value.max(low) / low).ln() / (high / low).ln(),
        };
        self.range.0 + share.clamp(0.0, 1.0) * (self.range.1 - self.range.0)
    }

    /// The ticks: both ends and the middle of a linear axis; powers of ten of a logarithmic one, or 1-2-5 if it is short.
    pub fn ticks(&self) -> Vec<f64> {
        let (low, high) = self.domain;
        match self.kind {
            Kind::Linear => vec![low, (low + high) / 2.0, high],
            Kind::Log => {
                let all: Vec<f64> = steps_125(low, high).collect();
                let powers: Vec<f64> = all.iter().copied().filter(|tick| (tick.log10() - tick.log10().round()).abs() < 1e-9).collect();
                if powers.len() >= 3 { powers } else { all }
            }
        }
    }

    /// Round positions along a linear axis, at most about `n` of them, from its beginning.
    pub fn round_ticks(&self, n: f64) -> Vec<f64> {
        let (low, high) = self.domain;
        let step = round_step(high - low, n);
        (0..=1000).map(|k| low + step * f64::from(k)).take_while(|&tick| tick <= high + step * 1e-6).collect()
    }
}

/// The smallest 1, 2 or 5 times a power of ten that divides `span` into at most `n` parts.
fn round_step(span: f64, n: f64) -> f64 {
    round_above((span / n).max(1e-9))
}

fn steps_125(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let first = low.log10().floor() as i32;
    let last = high.log10().ceil() as i32;
    (first..=last)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)))
        .filter(move |&value| value >= low * 0.999_999 && value <= high * 1.000_001)
}

fn round_below(value: f64) -> f64 {
    let power = 10f64.powi(value.log10().floor() as i32);
    [5.0, 2.0, 1.0].into_iter().map(|digit| digit * power).find(|&round| round <= value * 1.000_000_1).unwrap_or(power)
}

fn round_above(value: f64) -> f64 {
    let power = 10f64.powi(value.log10().floor() as i32);
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|&round| round >= value * 0.999_999_9).unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_ends_at_a_round_number_with_a_tick_between() {
        for (high, ticks) in [(40.0, [0.0, 20.0, 40.0]), (43.0, [0.0, 25.0, 50.0]), (72.0, [0.0, 40.0, 80.0]), (1.0, [0.0, 0.5, 1.0])] {
            assert_eq!(Scale::from_zero(high, (100.0, 0.0)).ticks(), ticks, "{high}");
        }
        assert_eq!(Scale::from_zero(0.0, (100.0, 0.0)).ticks(), [0.0, 0.5, 1.0]);
        assert_eq!(Scale::from_zero(40.0, (100.0, 0.0)).place(10.0), 75.0);
    }

    #[test]
    fn a_logarithmic_axis_ends_at_one_two_or_five() {
        let scale = Scale::log(13_000.0, 2_100_000.0, (0.0, 100.0));
        assert_eq!(scale.domain, (10_000.0, 5_000_000.0));
        assert_eq!(scale.ticks(), [1e4, 1e5, 1e6]);
        assert_eq!(Scale::log(30.0, 90.0, (0.0, 1.0)).ticks(), [20.0, 50.0, 100.0]);
        assert_eq!(Scale::log(5.0, 5.0, (0.0, 1.0)).place(5.0), 0.0, "one value has a place too");
        assert_eq!(Scale::log(0.0, 0.0, (0.0, 1.0)).ticks(), [1.0, 2.0]);
    }

    #[test]
    fn values_outside_lie_at_the_ends() {
        assert_eq!(Scale::linear((0.0, 10.0), (0.0, 100.0)).place(50.0), 100.0);
        assert_eq!(Scale::linear((3.0, 3.0), (0.0, 100.0)).place(3.0), 0.0);
        assert_eq!(Scale::linear((0.0, 20_000.0), (0.0, 1.0)).round_ticks(8.0), [0.0, 5e3, 1e4, 1.5e4, 2e4]);
    }
}
