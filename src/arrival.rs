//! When requests are meant to start.
//!
//! An open-model schedule is *computed*, never sampled from a clock: the k-th arrival lies where the integral
//! of the rate over time reaches a target value. For `even` arrivals the target is k + ½; for `poisson`
//! arrivals it is a sum of unit exponentials drawn from the seed, which makes the process an inhomogeneous
//! Poisson process with exactly the plan's rate (time-rescaling theorem; Çinlar, *Introduction to Stochastic
//! Processes*, 1975, §4.7). The sequence is one, whatever the number of workers that carry it out.

use crate::id::StageIx;
use crate::seed::Seed;
use crate::units::{Micros, Offset, Rate};

/// How arrivals are spread around the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// Independent users: exponential gaps.
    Poisson,
    /// Equal shares of the rate's integral: a metronome at constant rate.
    Even,
}

/// A stretch of time with a rate that goes in a straight line from one value to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// The stage it belongs to.
    pub stage: StageIx,
    /// When it begins.
    pub start: Offset,
    /// How long it lasts.
    pub length: Micros,
    /// The rate at its beginning.
    pub from: Rate,
    /// The rate at its end.
    pub to: Rate,
}

impl Segment {
    /// The expected number of arrivals: the integral of the rate.
    pub fn expected(&self) -> f64 {
        (self.from.get() + self.to.get()) / 2.0 * self.length.as_secs_f64()
    }

    /// The time into the segment at which the integral of the rate reaches `mass` (≤ `expected()`).
    ///
    /// With r(t) = a + s·t, the integral is a·t + s·t²/2; solved for t in the form that does not cancel.
    fn inverse(&self, mass: f64) -> Micros {
        let (a, length) = (self.from.get(), self.length.as_secs_f64());
        let slope = (self.to.get() - a) / length;
        let root = (a * a + 2.0 * slope * mass).max(0.0).sqrt();
        let t = 2.0 * mass / (a + root);
        Micros::from_secs_f64(t.clamp(0.0, length))
    }
}

/// One arrival: its number and when its session is meant to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its number, from 0, over the whole run.
    pub number: u64,
    /// The stage it belongs to.
    pub stage: StageIx,
    /// Its scheduled start.
    pub at: Offset,
}

/// The arrivals of a run in order of time; an iterator that never looks at a clock.
#[derive(Clone, Debug)]
pub struct Schedule {
    segments: Vec<Segment>,
    process: Process,
    seed: Seed,
    number: u64,
    /// The integral of the rate at the next arrival.
    target: f64,
    segment: usize,
    /// The integral of the rate at the beginning of the current segment.
    before: f64,
}

impl Schedule {
    /// The schedule of these segments, which are in order of time and do not overlap.
    pub fn new(segments: Vec<Segment>, process: Process, seed: Seed) -> Schedule {
        let mut schedule = Schedule { segments, process, seed, number: 0, target: 0.0, segment: 0, before: 0.0 };
        schedule.target = schedule.gap(0);
        schedule
    }

    /// The distance, in the integral of the rate, from arrival `number` − 1 to arrival `number`.
    fn gap(&self, number: u64) -> f64 {
        match (self.process, number) {
            (Process::Poisson, _) => self.seed.draw("arrival").with(number).exponential(),
            (Process::Even, 0) => 0.5,
            (Process::Even, _) => 1.0,
        }
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        loop {
            let segment = *self.segments.get(self.segment)?;
            let expected = segment.expected();
            if self.target - self.before < expected {
                let at = segment.start + segment.inverse(self.target - self.before);
                let arrival = Arrival { number: self.number, stage: segment.stage, at };
                self.number += 1;
                self.target += self.gap(self.number);
                return Some(arrival);
            }
            self.before += expected;
            self.segment += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(start_s: u64, length_s: u64, from: f64, to: f64) -> Segment {
        let rate = |r| Rate::per_second(r).expect("a rate");
        Segment {
            stage: StageIx(start_s as u16),
            start: Offset(Micros::from_secs(start_s)),
            length: Micros::from_secs(length_s),
            from: rate(from),
            to: rate(to),
        }
    }

    #[test]
    fn even_arrivals_at_a_constant_rate_are_a_metronome() {
        let at: Vec<u64> = Schedule::new(vec![segment(0, 1, 4.0, 4.0)], Process::Even, Seed(1)).map(|a| a.at.0.0).collect();
        assert_eq!(at, [125_000, 375_000, 625_000, 875_000]);
    }

    #[test]
    fn even_arrivals_on_a_ramp_follow_the_inverse_of_its_integral() {
        // r(t) = 10 t: the integral is 5 t², so arrival k lies at sqrt((k + ½) / 5).
        let at: Vec<u64> = Schedule::new(vec![segment(0, 2, 0.0, 20.0)], Process::Even, Seed(1)).map(|a| a.at.0.0).collect();
        assert_eq!(at.len(), 20);
        for (k, at) in at.iter().enumerate() {
            let expected = ((k as f64 + 0.5) / 5.0).sqrt() * 1e6;
            assert!((*at as f64 - expected).abs() < 1.0, "{k}: {at} against {expected}");
        }
    }

    #[test]
    fn a_stage_without_load_is_crossed_without_losing_the_remainder() {
        let stages = vec![segment(0, 1, 2.5, 2.5), segment(1, 5, 0.0, 0.0), segment(6, 1, 2.5, 2.5)];
        let at: Vec<u64> = Schedule::new(stages, Process::Even, Seed(1)).map(|a| a.at.0.0 / 1_000).collect();
        assert_eq!(at, [200, 600, 6_000, 6_400, 6_800]);
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_variance_of_a_poisson_process() {
        let arrivals: Vec<Arrival> = Schedule::new(vec![segment(0, 1_000, 50.0, 50.0)], Process::Poisson, Seed(7)).collect();
        let mut counts = vec![0f64; 1_000];
        for arrival in &arrivals {
            counts[(arrival.at.0.0 / 1_000_000) as usize] += 1.0;
        }
        let mean = counts.iter().sum::<f64>() / 1_000.0;
        let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / 999.0;
        assert!((mean - 50.0).abs() < 1.0, "{mean}");
        assert!((variance / mean - 1.0).abs() < 0.15, "{variance}");
    }

    #[test]
    fn arrivals_are_numbered_in_order_of_time_and_stay_within_their_stage() {
        let stages = vec![segment(0, 3, 1.0, 40.0), segment(3, 3, 40.0, 40.0), segment(6, 2, 40.0, 0.0)];
        let arrivals: Vec<Arrival> = Schedule::new(stages, Process::Poisson, Seed(9)).collect();
        assert!(arrivals.len() > 150);
        for (k, pair) in arrivals.windows(2).enumerate() {
            assert_eq!(pair[0].number, k as u64);
            assert!(pair[0].at <= pair[1].at);
        }
        for arrival in &arrivals {
            let second = arrival.at.0.0 as f64 / 1e6;
            let stage = if second < 3.0 {
                0
            } else if second < 6.0 {
                3
            } else {
                6
            };
            assert_eq!(arrival.stage, StageIx(stage), "{second}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_seed_another() {
        let schedule = |seed| Schedule::new(vec![segment(0, 10, 5.0, 50.0)], Process::Poisson, Seed(seed)).collect::<Vec<_>>();
        assert_eq!(schedule(1), schedule(1));
        assert_ne!(schedule(1), schedule(2));
    }

    #[test]
    fn no_segments_and_no_rate_give_no_arrivals() {
        assert_eq!(Schedule::new(vec![], Process::Poisson, Seed(1)).next(), None);
        assert_eq!(Schedule::new(vec![segment(0, 5, 0.0, 0.0)], Process::Even, Seed(1)).next(), None);
    }
}
