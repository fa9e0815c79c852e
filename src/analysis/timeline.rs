//! The run on a time axis: arrivals, outcomes, attempts and latency per interval.
//!
//! Counts stand where they happened: `scheduled` at the intended start, `started` and `attempts` at the actual
//! one, outcomes at their end. Latency stands at the intended start, so that a stall shows where it hurt.

use super::Timeseries;
use super::latencies::Coarse;
use super::scope::touched_by;
use super::series::{Merge, Series};
use crate::record::{Exchange, Outcome};
use crate::units::{Micros, Offset};

/// One interval.
#[derive(Clone, Debug, Default)]
pub struct Interval {
    pub scheduled: u32,
    pub started: u32,
    pub dropped: u32,
    /// Sessions that ended.
    pub ended: u32,
    /// Exchanges whose first attempt began.
    pub begun: u32,
    pub ok: u32,
    pub error_answers: u32,
    /// Without a complete answer, timeouts included.
    pub failed: u32,
    pub attempts: u32,
    pub retries: u32,
    pub injected: u32,
    /// Response times of ok exchanges.
    pub response: Coarse,
}

impl Merge for Interval {
    fn merge(&mut self, other: &Interval) {
        self.scheduled += other.scheduled;
        self.started += other.started;
        self.dropped += other.dropped;
        self.ended += other.ended;
        self.begun += other.begun;
        self.ok += other.ok;
        self.error_answers += other.error_answers;
        self.failed += other.failed;
        self.attempts += other.attempts;
        self.retries += other.retries;
        self.injected += other.injected;
        self.response.merge(&other.response);
    }
}

/// The most intervals a report holds.
pub const MOST: usize = 1_800;

/// Notes one exchange in all the intervals it concerns.
pub fn exchange(timeline: &mut Series<Interval>, exchange: &Exchange<'_>) {
    for attempt in exchange.attempts {
        let first = attempt.number.0 == 1;
        let begun = timeline.at(attempt.stamps.started_at);
        begun.attempts += 1;
        begun.begun += u32::from(first);
        begun.retries += u32::from(!first);
        if touched_by(attempt).is_some() {
            timeline.at(attempt.stamps.ended_at).injected += 1;
        }
    }
    let ended = timeline.at(exchange.ended_at);
    match exchange.outcome {
        Outcome::Ok => ended.ok += 1,
        Outcome::ErrorAnswer(_) => ended.error_answers += 1,
        Outcome::Failed(_) | Outcome::TimedOut => ended.failed += 1,
        // The session ends with it, and says so in no other way.
        Outcome::Cancelled | Outcome::InFlightAtEnd => ended.ended += 1,
    }
    if exchange.outcome == Outcome::Ok {
        let response = exchange.ended_at.since(exchange.id.scheduled_at);
        timeline.at(exchange.id.scheduled_at).response.record(response);
    }
}

/// The columns of report.json.
pub fn columns(timeline: &Series<Interval>) -> Timeseries {
    const COLUMNS: [&str; 12] = [
        "t_ms",
        "scheduled",
        "started",
        "ok",
        "error_answers",
        "failed",
        "attempts",
        "retries",
        "injected",
        "in_flight",
        "p50_us",
        "p99_us",
    ];
    let mut in_flight = 0i64;
    let data = timeline.iter().map(|(start, now)| {
        in_flight += i64::from(now.started) - i64::from(now.ended);
        let count = |count: u32| Some(f64::from(count));
        let time = |q| now.response.quantile(q).map(|us| us as f64);
        vec![
            Some(start.as_millis() as f64),
            count(now.scheduled),
            count(now.started),
            count(now.ok),
            count(now.error_answers),
            count(now.failed),
            count(now.attempts),
            count(now.retries),
            count(now.injected),
            Some(in_flight.max(0) as f64),
            time(0.5),
            time(0.99),
        ]
    });
    Timeseries { interval_ms: timeline.interval().as_millis(), columns: COLUMNS.map(str::to_owned).to_vec(), data: data.collect() }
}

/// When a fault's end was followed by a return to the run's earlier band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// After this time.
    After(Micros),
    /// Not within this time, after which there was no load to see it by.
    NotWithin(Micros),
}

/// How the run behaves without faults, and where its load ends: what recovery is compared with (M38).
///
/// ```text
/// demand      exchanges begun, and arrivals dropped
/// goodput     exchanges that ended ok, per demand
/// attempts    attempts begun, per demand
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    goodput: f64,
    attempts: f64,
    /// The end of the schedule.
    end: Offset,
}

/// For how long the run must be back in its band.
const HELD: Micros = Micros::from_secs(5);
/// The shortest stretch of load that can show it.
const SHORTEST: Micros = Micros::from_secs(1);

impl Band {
    /// The band of a run before `first_fault`: of the intervals that lie whole before it. Where there was no
    /// demand, the ideal: every exchange ok at its first attempt.
    pub fn before(timeline: &Series<Interval>, first_fault: Offset, end: Offset) -> Band {
        let (demand, ok, attempts) = sums(timeline, Offset::START, first_fault);
        if demand == 0.0 {
            return Band { goodput: 1.0, attempts: 1.0, end };
        }
        Band { goodput: ok / demand, attempts: attempts / demand, end }
    }

    /// The first moment after `fault_end` from which, for 5 s, goodput is at least 95 % of the band's and attempts
    /// at most 110 %, one exchange either way being no matter (few are looked at where load is low).
    ///
    /// Moments are the beginnings of intervals; `fault_end` itself counts as one, so that a fault without an
    /// aftermath gives zero. Where less than 5 s of load are left, what is left decides, if it is at least 1 s.
    /// `None` where not even that much load came after the fault.
    ///
    /// Source: RETRIES.md M38; after Huang et al., *Metastable Failures in the Wild*, OSDI 2022.
    pub fn recovery(&self, timeline: &Series<Interval>, fault_end: Offset) -> Option<Recovery> {
        let interval = timeline.interval().0;
        let mut at = Offset::micros(fault_end.0.0.div_ceil(interval) * interval);
        let mut seen = false;
        while at + SHORTEST <= self.end {
            let until = Offset((at + HELD).0.min(self.end.0));
            let (demand, ok, attempts) = sums(timeline, at, until);
            seen |= demand > 0.0;
            let back = ok + 1.0 >= 0.95 * self.goodput * demand && attempts <= 1.10 * self.attempts * demand + 1.0;
            if demand > 0.0 && back {
                // Resolution is one interval: back in the first one means at once.
                let waited = at.since(fault_end);
                return Some(Recovery::After(if waited.0 < interval { Micros::ZERO } else { waited }));
            }
            at = at + Micros(interval);
        }
        seen.then(|| Recovery::NotWithin(self.end.since(fault_end)))
    }
}

/// Demand, ok and attempts in the intervals that begin in `[from, to)` and end by `to`.
fn sums(timeline: &Series<Interval>, from: Offset, to: Offset) -> (f64, f64, f64) {
    let inside = timeline.iter().filter(|(start, _)| *start >= from && *start + timeline.interval() <= to);
    inside.fold((0.0, 0.0, 0.0), |(demand, ok, attempts), (_, now)| {
        (demand + f64::from(now.begun) + f64::from(now.dropped), ok + f64::from(now.ok), attempts + f64::from(now.attempts))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of 20 s at 40/s: in each second so many exchanges end ok, and so many attempts are made.
    fn run(second: impl Fn(u64) -> (u32, u32)) -> Series<Interval> {
        let mut timeline = Series::new(Micros::from_secs(1), MOST);
        for s in 0..20 {
            let (ok, attempts) = second(s);
            let now: &mut Interval = timeline.at(at(s));
            (now.begun, now.ok, now.attempts) = (40, ok, attempts);
        }
        timeline
    }

    const fn at(s: u64) -> Offset {
        Offset(Micros::from_secs(s))
    }

    fn recovery(timeline: &Series<Interval>, fault: (u64, u64), end: u64) -> Option<Recovery> {
        Band::before(timeline, at(fault.0), at(end)).recovery(timeline, at(fault.1))
    }

    const fn after(s: u64) -> Option<Recovery> {
        Some(Recovery::After(Micros::from_secs(s)))
    }

    #[test]
    fn recovery_is_when_goodput_and_attempts_are_back_for_five_seconds() {
        // The fault lasts from 5 to 8 s; goodput is low for 2 s more, attempts are high for 3 s more.
        let timeline = run(|s| match s {
            5..8 => (20, 80),
            8..10 => (30, 80),
            10 => (40, 60),
            _ => (40, 40),
        });
        // From second 10 on, the 220 attempts of 5 s are within 110 % of 200, and one more.
        assert_eq!(recovery(&timeline, (5, 8), 20), after(2));
        let relapsing = run(|s| if (5..8).contains(&s) || s == 11 { (10, 90) } else { (40, 40) });
        assert_eq!(recovery(&relapsing, (5, 8), 20), after(4), "second 11 spoils every stretch that holds it");
    }

    #[test]
    fn a_fault_without_aftermath_is_over_at_once() {
        assert_eq!(recovery(&run(|_| (40, 40)), (5, 8), 20), after(0));
        // A run whose band is not ideal is held to its own.
        assert_eq!(recovery(&run(|_| (30, 60)), (5, 8), 20), after(0));
    }

    #[test]
    fn what_is_left_of_a_short_schedule_decides_if_it_is_a_second() {
        let timeline = run(|s| if (5..18).contains(&s) { (10, 90) } else { (40, 40) });
        assert_eq!(recovery(&timeline, (5, 17), 20), after(1), "the last two seconds");
        assert_eq!(recovery(&timeline, (5, 8), 18), Some(Recovery::NotWithin(Micros::from_secs(10))));
        assert_eq!(recovery(&timeline, (5, 20), 20), None, "no load after the fault");
    }

    #[test]
    fn a_fault_from_the_beginning_is_compared_with_the_ideal() {
        let timeline = run(|s| if s < 6 { (20, 60) } else { (40, 40) });
        assert_eq!(recovery(&timeline, (0, 4), 20), after(2));
    }

    #[test]
    fn sessions_in_flight_are_those_begun_and_not_ended() {
        let mut timeline = Series::<Interval>::new(Micros::from_millis(250), MOST);
        timeline.at(Offset::micros(0)).started = 3;
        timeline.at(Offset::micros(300_000)).ended = 1;
        timeline.at(Offset::micros(900_000)).ended = 2;
        let table = columns(&timeline);
        let in_flight: Vec<_> = table.data.iter().map(|row| row[9]).collect();
        assert_eq!(in_flight, [Some(3.0), Some(2.0), Some(2.0), Some(0.0)]);
        assert_eq!(table.data[1][0], Some(250.0));
        assert_eq!(table.data[0][10], None, "no answer, no percentile");
        assert_eq!(table.columns.len(), table.data[0].len());
    }
}
