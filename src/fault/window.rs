//! When a rule may fire: stretches of the run, by time and by number of requests.

use crate::units::{Micros, Offset};

/// When a rule may fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Half-open: from `start` up to `end`.
    pub start: Offset,
    pub end: Offset,
    /// Of the requests that match while the window's time runs, only these.
    pub requests: Option<Requests>,
}

/// A stretch of requests in the order in which they come: those after the first `from`, up to the `to`-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    pub from: u64,
    /// `u64::MAX`: all that come.
    pub to: u64,
}

impl Window {
    /// A stretch of time.
    pub const fn between(start: Offset, end: Offset) -> Window {
        Window { start, end, requests: None }
    }

    /// Whether its time runs.
    pub fn holds(&self, at: Offset) -> bool {
        self.start <= at && at < self.end
    }

    /// How much of the window is over, from 0 to 1: of its requests where their number is bounded, else of its time.
    ///
    /// `before`: requests that matched while its time ran. `None` where the window is not open.
    pub(super) fn progress(&self, at: Offset, before: u64) -> Option<f64> {
        if !self.holds(at) || self.requests.is_some_and(|Requests { from, to }| before < from || before >= to) {
            return None;
        }
        Some(match self.requests {
            Some(Requests { from, to }) if to < u64::MAX => (before - from) as f64 / (to - from) as f64,
            _ => at.since(self.start).as_secs_f64() / self.end.since(self.start).as_secs_f64().max(f64::MIN_POSITIVE),
        })
    }
}

/// The span at this share of the way from one to the other.
pub(super) fn between(from: Micros, to: Micros, progress: f64) -> Micros {
    if to >= from { from + to.saturating_sub(from).scale(progress) } else { from.saturating_sub(from.saturating_sub(to).scale(progress)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_half_over_in_the_middle_of_its_time_or_of_its_requests() {
        let at = Offset::micros;
        let timed = Window::between(at(100), at(200));
        let counted = |from, to| Window { requests: Some(Requests { from, to }), ..timed };
        for (window, now, before, expected, why) in [
            (timed, 99, 7, None, "too early"),
            (timed, 100, 7, Some(0.0), "its first moment"),
            (timed, 150, 7, Some(0.5), "half of its time"),
            (timed, 200, 7, None, "its end is not part of it"),
            (counted(10, 20), 150, 9, None, "the tenth request comes too early"),
            (counted(10, 20), 199, 10, Some(0.0), "the eleventh is the first"),
            (counted(10, 20), 100, 15, Some(0.5), "half of its requests"),
            (counted(10, 20), 150, 20, None, "the twenty-first comes too late"),
            (counted(10, 20), 250, 15, None, "the time is over"),
            (counted(10, u64::MAX), 150, 1_000, Some(0.5), "requests without an end: time counts"),
        ] {
            assert_eq!(window.progress(at(now), before), expected, "{why}");
        }
    }

    #[test]
    fn a_ramp_goes_down_as_well_as_up() {
        let ramp = |from, to, progress| between(Micros(from), Micros(to), progress).0;
        assert_eq!((ramp(100, 200, 0.0), ramp(100, 200, 0.5), ramp(200, 100, 0.5), ramp(200, 100, 1.0)), (100, 150, 150, 100));
    }
}
