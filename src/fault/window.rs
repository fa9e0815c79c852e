//! When a rule may fire: stretches of the run, by time and by number of requests.

use std::fmt;
use std::str::FromStr;

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

impl FromStr for Requests {
    type Err = String;

    /// `100..200`, `100..` or `..200`.
    fn from_str(text: &str) -> Result<Requests, String> {
        let number = |part: &str, absent: u64| match part.trim() {
            "" => Ok(absent),
            digits => digits.replace('_', "").parse::<u64>().map_err(|_| format!("`{digits}` is not a number of requests")),
        };
        let Some((from, to)) = text.split_once("..") else { return Err(format!("`{text}` is not a stretch of requests")) };
        let requests = Requests { from: number(from, 0)?, to: number(to, u64::MAX)? };
        if requests.from >= requests.to {
            return Err(format!("`{text}` holds no request"));
        }
        Ok(requests)
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            u64::MAX => write!(f, "requests after the first {}", self.from),
            to => write!(f, "requests {} to {to}", self.from + 1),
        }
    }
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
    fn a_stretch_of_requests_is_written_as_a_range() {
        let read = |text: &str| text.parse::<Requests>();
        assert_eq!(read("100..200"), Ok(Requests { from: 100, to: 200 }));
        assert_eq!(read("1_000.."), Ok(Requests { from: 1_000, to: u64::MAX }));
        assert_eq!(read(" .. 10"), Ok(Requests { from: 0, to: 10 }));
        assert_eq!(read("0..10").expect("a stretch").to_string(), "requests 1 to 10");
        for wrong in ["", "100", "200..100", "5..5", "a..b", "-1..5", "1..2..3"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_ramp_goes_down_as_well_as_up() {
        let ramp = |from, to, progress| between(Micros(from), Micros(to), progress).0;
        assert_eq!((ramp(100, 200, 0.0), ramp(100, 200, 0.5), ramp(200, 100, 0.5), ramp(200, 100, 1.0)), (100, 150, 150, 100));
    }
}
