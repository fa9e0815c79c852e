//! Rate limits that are counted in windows: a fixed one, and one that slides.
//!
//! A fixed window begins at every whole multiple of its length on the run's clock, and gives everything back at once. A
//! sliding one holds whatever was taken in the last window, and gives each part back a window after it was taken; it
//! remembers at most 4 096 moments, so that what was taken between two of them counts as taken at the later one.

use std::collections::VecDeque;

use super::{Allowance, Standing};
use crate::units::{Micros, Offset};

/// Moments that a sliding window tells apart.
const MOMENTS: u64 = 4_096;

/// What was taken in the current window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedWindow {
    number: u64,
    used: u64,
}

/// What was taken when, in the last window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlidingWindow {
    /// Moments and costs, the oldest first; never empty costs.
    taken: VecDeque<(Offset, u64)>,
    used: u64,
}

impl FixedWindow {
    /// Asks for `cost` units now; `take` them if they are there.
    pub fn ask(&mut self, allowance: Allowance, cost: u32, now: Offset, take: bool) -> Standing {
        let window = allowance.window.0.max(1);
        let number = now.0.0 / window;
        if number > self.number {
            *self = FixedWindow { number, used: 0 };
        }
        let (limit, cost) = (u64::from(allowance.limit), u64::from(cost.min(allowance.limit)));
        let admitted = self.used + cost <= limit;
        if admitted && take {
            self.used += cost;
        }
        let ends = Offset(Micros((self.number + 1).saturating_mul(window)));
        let left_over = ends.since(now);
        let wait = if self.used + cost > limit { left_over } else { Micros::ZERO };
        standing(allowance, admitted || !take, limit - self.used, cost, (wait, left_over))
    }
}

impl SlidingWindow {
    /// Asks for `cost` units now; `take` them if they are there.
    pub fn ask(&mut self, allowance: Allowance, cost: u32, now: Offset, take: bool) -> Standing {
        while let Some(&(at, taken)) = self.taken.front().filter(|(at, _)| now.since(*at) >= allowance.window) {
            let _ = at;
            self.used -= taken;
            self.taken.pop_front();
        }
        let (limit, cost) = (u64::from(allowance.limit), u64::from(cost.min(allowance.limit)));
        let admitted = self.used + cost <= limit;
        if admitted && take {
            self.add(allowance, cost, now);
        }
        let wait = self.wait(allowance, cost, now);
        let whole_in = self.taken.back().map_or(Micros::ZERO, |&(at, _)| (at + allowance.window).since(now));
        standing(allowance, admitted || !take, limit - self.used, cost, (wait, whole_in))
    }

    fn add(&mut self, allowance: Allowance, cost: u64, now: Offset) {
        self.used += cost;
        let apart = Micros(allowance.window.0 / MOMENTS);
        match self.taken.back_mut().filter(|(at, _)| now.since(*at) < apart) {
            Some((at, taken)) => (*at, *taken) = (now.max(*at), *taken + cost),
            None => self.taken.push_back((now, cost)),
        }
    }

    /// How long until so much has been given back that the next request of this cost is admitted.
    fn wait(&self, allowance: Allowance, cost: u64, now: Offset) -> Micros {
        let mut missing = (self.used + cost).saturating_sub(u64::from(allowance.limit));
        for &(at, taken) in &self.taken {
            if missing == 0 {
                break;
            }
            missing = missing.saturating_sub(taken);
            if missing == 0 {
                return (at + allowance.window).since(now);
            }
        }
        Micros::ZERO
    }
}

fn standing(allowance: Allowance, admitted: bool, left: u64, cost: u64, (wait, whole_in): (Micros, Micros)) -> Standing {
    let spendable = left / cost.max(1) * cost.max(1);
    Standing { admitted, limit: allowance.limit, remaining: u32::try_from(spendable).unwrap_or(u32::MAX), wait, whole_in }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn allowance(limit: u32, seconds: u64) -> Allowance {
        Allowance { limit, window: Micros::from_secs(seconds) }
    }

    fn at(ms: u64) -> Offset {
        Offset::micros(ms * 1_000)
    }

    #[test]
    fn a_fixed_window_gives_everything_back_at_its_end() {
        let (mut window, allowance) = (FixedWindow::default(), allowance(3, 10));
        let asked: Vec<Standing> = (0..4).map(|k| window.ask(allowance, 1, at(7_000 + k), true)).collect();
        assert_eq!(asked.iter().map(|standing| standing.remaining).collect::<Vec<_>>(), [2, 1, 0, 0]);
        assert_eq!((asked[2].admitted, asked[3].admitted, asked[3].retry_after_s()), (true, false, 3));
        assert!(!window.ask(allowance, 1, at(9_999), true).admitted);
        assert_eq!(window.ask(allowance, 1, at(10_000), true).remaining, 2);
    }

    #[test]
    fn a_sliding_window_gives_each_part_back_when_its_time_is_over() {
        let (mut window, allowance) = (SlidingWindow::default(), allowance(3, 10));
        for ms in [1_000, 4_000, 4_500] {
            assert!(window.ask(allowance, 1, at(ms), true).admitted);
        }
        let refused = window.ask(allowance, 1, at(5_000), true);
        assert_eq!((refused.admitted, refused.remaining, refused.retry_after_s()), (false, 0, 6));
        assert_eq!(window.ask(allowance, 2, at(5_000), true).retry_after_s(), 9, "two of them are given back at 14 s");
        assert!(window.ask(allowance, 1, at(11_000), true).admitted);
        assert!(!window.ask(allowance, 1, at(11_001), true).admitted);
        assert!(window.ask(allowance, 1, at(14_000), true).admitted);
    }

    #[test]
    fn to_look_takes_nothing() {
        let allowance = allowance(1, 10);
        let (mut fixed, mut sliding) = (FixedWindow::default(), SlidingWindow::default());
        for _ in 0..3 {
            assert!(fixed.ask(allowance, 1, at(1), false).admitted && sliding.ask(allowance, 1, at(1), false).admitted);
        }
        assert!(fixed.ask(allowance, 1, at(1), true).admitted && sliding.ask(allowance, 1, at(1), true).admitted);
    }

    #[test]
    fn who_waits_as_long_as_told_is_admitted() {
        let mut refusals = 0;
        for case in 0..400u64 {
            let draw = Seed(12).draw("window").with(case);
            let allowance = allowance(1 + draw.with(1).below(9_000) as u32, 1 + draw.with(2).below(90));
            let (mut fixed, mut sliding, mut now) = (FixedWindow::default(), SlidingWindow::default(), at(0));
            for step in 0..80 {
                let draw = draw.with(3).with(step);
                now = now + Micros(draw.with(1).below(3_000_000));
                let cost = 1 + draw.with(2).below(u64::from(allowance.limit / 2 + 1)) as u32;
                let (one, other) = (fixed.ask(allowance, cost, now, true), sliding.ask(allowance, cost, now, true));
                for (standing, again) in [(one, None), (other, Some(&sliding))] {
                    if standing.admitted {
                        continue;
                    }
                    refusals += 1;
                    let then = now + Micros::from_secs(standing.retry_after_s());
                    let admitted = match again {
                        None => fixed.clone().ask(allowance, cost, then, true).admitted,
                        Some(sliding) => sliding.clone().ask(allowance, cost, then, true).admitted,
                    };
                    assert!(standing.retry_after_s() >= 1 && admitted, "case {case} step {step}: {standing:?}");
                }
                assert!(sliding.taken.len() as u64 <= MOMENTS + 1);
            }
        }
        assert!(refusals > 1_000, "{refusals}");
    }
}
