//! The time series of a report by column, as charts need it.

use super::Report;

/// The intervals of a run.
pub struct Series<'a> {
    report: &'a Report,
    /// The length of each interval.
    interval_ms: f64,
}

/// The most intervals that one line is drawn from.
const POINTS: usize = 1000;

impl<'a> Series<'a> {
    /// The series of a report; `None` where it has no intervals.
    pub fn of(report: &'a Report) -> Option<Series<'a>> {
        let series = &report.timeseries;
        let has_time = series.columns.iter().any(|column| column == "t_ms");
        (has_time && !series.data.is_empty() && series.interval_ms > 0).then_some(Series { report, interval_ms: series.interval_ms as f64 })
    }

    /// The number of intervals.
    pub fn len(&self) -> usize {
        self.report.timeseries.data.len()
    }

    /// One column, an entry per interval; all `None` where there is no such column.
    pub fn column(&self, name: &str) -> Vec<Option<f64>> {
        let series = &self.report.timeseries;
        let place = series.columns.iter().position(|column| column == name);
        series.data.iter().map(|row| place.and_then(|place| *row.get(place)?).filter(|value| value.is_finite())).collect()
    }

    /// A column of counts as events per second.
    pub fn per_second(&self, name: &str) -> Vec<Option<f64>> {
        let seconds = self.interval_ms / 1e3;
        self.column(name).into_iter().map(|count| count.map(|count| count / seconds)).collect()
    }

    /// The beginning of each interval, in milliseconds of the run.
    pub fn starts(&self) -> Vec<f64> {
        self.column("t_ms").into_iter().map(Option::unwrap_or_default).collect()
    }

    /// The length of each interval, in milliseconds.
    pub const fn interval_ms(&self) -> f64 {
        self.interval_ms
    }
}

/// The places of at most about [`POINTS`] values: all of them, or the lowest and highest of each stretch, in order.
pub fn thinned(values: &[Option<f64>]) -> Vec<usize> {
    if values.len() <= POINTS {
        return (0..values.len()).collect();
    }
    let stretch = values.len().div_ceil(POINTS / 2);
    let mut places = Vec::with_capacity(POINTS);
    for (number, part) in values.chunks(stretch).enumerate() {
        let key = |at: &usize| part[*at].unwrap_or(f64::NEG_INFINITY);
        let low = (0..part.len()).min_by(|a, b| key(a).total_cmp(&key(b))).unwrap_or_default();
        let high = (0..part.len()).max_by(|a, b| key(a).total_cmp(&key(b))).unwrap_or_default();
        let first = number * stretch;
        places.push(first + low.min(high));
        if low != high {
            places.push(first + low.max(high));
        }
    }
    places
}

/// The largest value and its place.
pub fn peak(values: &[Option<f64>]) -> Option<(usize, f64)> {
    let known = values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?)));
    known.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_keeps_its_extremes() {
        let mut values: Vec<Option<f64>> = (0..100_000).map(|k| Some(f64::from(k % 7))).collect();
        values[54_321] = Some(1e9);
        values[99_999] = None;
        let places = thinned(&values);
        assert!(places.len() <= POINTS && places.contains(&54_321));
        assert!(places.is_sorted_by(|a, b| a < b));
        assert_eq!(thinned(&values[..10]).len(), 10);
    }

    #[test]
    fn the_first_of_equal_peaks_counts() {
        assert_eq!(peak(&[None, Some(3.0), Some(3.0), Some(1.0)]), Some((1, 3.0)));
        assert_eq!(peak(&[None]), None);
    }
}
