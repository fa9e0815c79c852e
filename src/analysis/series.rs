//! What happened when: one value per interval of the run, in memory that does not grow with its length.
//!
//! Beyond a number of intervals neighbours are merged pairwise: the interval doubles, and memory stays.

use crate::units::{Micros, Offset};

/// What can stand for two intervals as well as for one.
pub trait Merge: Clone + Default {
    fn merge(&mut self, other: &Self);
}

/// One value per interval, from the beginning of the run.
#[derive(Clone, Debug)]
pub struct Series<T> {
    interval: Micros,
    most: usize,
    values: Vec<T>,
}

/// The interval of a run whose schedule lasts so long: 250 ms up to a minute, else 1 s.
pub fn base_interval(schedule_end: Offset) -> Micros {
    if schedule_end.0 <= Micros::from_secs(60) { Micros::from_millis(250) } else { Micros::from_secs(1) }
}

impl<T: Merge> Series<T> {
    /// An empty series; `most` intervals (at least 2) are kept.
    pub fn new(interval: Micros, most: usize) -> Series<T> {
        Series { interval: Micros(interval.0.max(1)), most: most.max(2), values: Vec::new() }
    }

    /// The value of the interval that holds this moment.
    pub fn at(&mut self, at: Offset) -> &mut T {
        let mut index = at.0.0 / self.interval.0;
        while index >= self.most as u64 {
            self.coarsen();
            index = at.0.0 / self.interval.0;
        }
        let index = index as usize;
        if index >= self.values.len() {
            self.values.resize(index + 1, T::default());
        }
        &mut self.values[index]
    }

    /// Adds what another recorder heard.
    pub fn merge(&mut self, mut other: Series<T>) {
        while self.interval < other.interval {
            self.coarsen();
        }
        while other.interval < self.interval {
            other.coarsen();
        }
        if self.values.len() < other.values.len() {
            self.values.resize(other.values.len(), T::default());
        }
        for (ours, theirs) in self.values.iter_mut().zip(&other.values) {
            ours.merge(theirs);
        }
    }

    fn coarsen(&mut self) {
        self.interval = self.interval + self.interval;
        self.values = self
            .values
            .chunks(2)
            .map(|pair| {
                let mut both = pair[0].clone();
                pair[1..].iter().for_each(|second| both.merge(second));
                both
            })
            .collect();
    }

    pub const fn interval(&self) -> Micros {
        self.interval
    }

    /// Each interval's beginning and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Offset, &T)> {
        self.values.iter().enumerate().map(|(index, value)| (Offset::micros(index as u64 * self.interval.0), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Merge for u32 {
        fn merge(&mut self, other: &u32) {
            *self += other;
        }
    }

    fn second(s: u64) -> Offset {
        Offset(Micros::from_secs(s))
    }

    fn values(series: &Series<u32>) -> Vec<u32> {
        series.iter().map(|(_, value)| *value).collect()
    }

    #[test]
    fn beyond_its_most_intervals_neighbours_are_merged() {
        let mut series = Series::<u32>::new(Micros::from_secs(1), 4);
        for s in 0..4 {
            *series.at(second(s)) += 1 + s as u32;
        }
        assert_eq!(values(&series), [1, 2, 3, 4]);
        *series.at(second(4)) += 5;
        assert_eq!((series.interval(), values(&series)), (Micros::from_secs(2), vec![3, 7, 5]));
        *series.at(second(31)) += 1;
        assert_eq!((series.interval(), values(&series)), (Micros::from_secs(8), vec![15, 0, 0, 1]));
    }

    #[test]
    fn series_of_different_coarseness_merge_at_the_coarser() {
        let mut fine = Series::<u32>::new(Micros::from_secs(1), 4);
        *fine.at(second(0)) += 1;
        *fine.at(second(3)) += 1;
        let mut coarse = Series::<u32>::new(Micros::from_secs(1), 4);
        *coarse.at(second(7)) += 10;
        let mut one = fine.clone();
        one.merge(coarse.clone());
        let mut other = coarse;
        other.merge(fine);
        assert_eq!(values(&one), [1, 1, 0, 10]);
        assert_eq!((values(&other), other.interval()), (values(&one), one.interval()));
    }

    #[test]
    fn short_runs_are_looked_at_in_quarters_of_a_second() {
        assert_eq!(base_interval(second(60)), Micros::from_millis(250));
        assert_eq!(base_interval(second(61)), Micros::from_secs(1));
    }
}
