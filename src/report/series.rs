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

    /// One column, an entry per interval; all `None` where there is no such column.
    pub fn column(&self, name: &str) -> Vec<Option<f64>> {
        let series = &self.report.timeseries;
        let place = series.columns.iter().position(|column| column == name);
        series.data.iter().map(|row| place.and_then(|place| *row.get(place)?).filter(|value| value.is_finite())).collect()
    }

    /// How many intervals a rate is counted over: shorter ones than a second are joined, unless the run is short.
    fn joined(&self) -> usize {
        let second = (1000.0 / self.interval_ms).floor().max(1.0) as usize;
        if self.report.timeseries.data.len() / second >= 8 { second } else { 1 }
    }

    /// A column of counts as events per second, one for each step of [`Series::rate_steps`].
    pub fn per_second(&self, name: &str) -> Vec<Option<f64>> {
        let counts = self.column(name);
        let rate = |part: &[Option<f64>]| {
            let seconds = part.len() as f64 * self.interval_ms / 1e3;
            part.iter().flatten().copied().reduce(|a, b| a + b).map(|count| count / seconds)
        };
        counts.chunks(self.joined()).map(rate).collect()
    }

    /// The beginning of each step of a rate, and the end of the last.
    pub fn rate_steps(&self) -> Vec<f64> {
        let (starts, every) = (self.starts(), self.joined());
        starts.iter().copied().step_by(every).chain(self.end()).collect()
    }

    /// The beginning of each interval, and the end of the last.
    pub fn steps(&self) -> Vec<f64> {
        self.starts().into_iter().chain(self.end()).collect()
    }

    /// When the last interval ends.
    pub fn end(&self) -> Option<f64> {
        self.starts().last().map(|start| start + self.interval_ms)
    }

    /// The beginning of each interval, in milliseconds of the run.
    fn starts(&self) -> Vec<f64> {
        self.column("t_ms").into_iter().map(Option::unwrap_or_default).collect()
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
