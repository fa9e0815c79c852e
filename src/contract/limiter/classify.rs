//! Which limiter explains a trail: each algorithm is run over the very requests that were sent, and its decisions are
//! compared with those that were seen.
//!
//! The limiter decided somewhere between the sending of a request and the arrival of its answer, so a decision counts
//! against an algorithm only where no moment in between would explain it. State follows what was seen, not what was
//! predicted: one surprise is one error and does not spread. An algorithm explains a trail if it is wrong about few
//! requests; the verdict is given only where exactly one does.
//!
//! GCRA (generic cell rate algorithm) decides as a token bucket does and is called so.

use super::{Experiment, Observation};
use crate::units::Micros;

/// How admissions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// A stock that is refilled evenly.
    TokenBucket,
    /// So many in each window, all given back at once when the next begins.
    FixedWindow,
    /// So many in any stretch as long as the window: each is given back a window after it was taken.
    SlidingWindow,
}

impl Algorithm {
    /// All that are told apart.
    pub const ALL: [Algorithm; 3] = [Algorithm::TokenBucket, Algorithm::FixedWindow, Algorithm::SlidingWindow];

    /// The word of plans and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Algorithm::TokenBucket => "token-bucket",
            Algorithm::FixedWindow => "fixed-window",
            Algorithm::SlidingWindow => "sliding-window",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Algorithm::TokenBucket => "a token bucket",
            Algorithm::FixedWindow => "a fixed window",
            Algorithm::SlidingWindow => "a sliding window",
        }
    }
}

/// A number, and what it may be as well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub low: f64,
    pub best: f64,
    pub high: f64,
}

/// What a trail says of its limiter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The only one that explains what was seen; None: it cannot be told.
    pub algorithm: Option<Algorithm>,
    /// All that explain it.
    pub fits: Vec<Algorithm>,
    /// The evidence in words, or why it is not enough.
    pub reason: String,
    /// Requests admitted at once.
    pub capacity: Option<Estimate>,
    /// Requests admitted per second in the long run.
    pub per_second: Option<Estimate>,
    /// The window in microseconds; a bucket has none.
    pub window_us: Option<Estimate>,
    /// What would tell, where it cannot be told.
    pub experiment: Option<Experiment>,
}

/// One decision of the limiter, between two moments in seconds.
#[derive(Clone, Copy, Debug)]
struct Event {
    early: f64,
    late: f64,
    cost: f64,
    admitted: bool,
}

impl Event {
    fn middle(&self) -> f64 {
        f64::midpoint(self.early, self.late)
    }
}

/// How finely a server's clock is assumed to tick, in seconds.
const TICK: f64 = 0.001;
/// Decisions looked at, at most: the first ones.
const MOST: usize = 1_500;
/// The share of decisions that an explanation may be wrong about, and the least number.
const WRONG_SHARE: f64 = 0.03;
const WRONG: usize = 1;

/// What fits best of one algorithm.
#[derive(Clone, Copy, Debug)]
struct Fit {
    algorithm: Algorithm,
    wrong: usize,
    capacity: Estimate,
    per_second: Estimate,
    window_s: Option<Estimate>,
}

/// Decides which algorithm explains what one identity was answered. Answers that never came are left out.
///
/// The trail is assumed to hold every request that was counted, and to begin with a full limit.
pub fn classify(observations: &[Observation]) -> Verdict {
    let mut events: Vec<Event> = observations.iter().filter(|seen| seen.status != 0).map(event).collect();
    events.sort_by(|a, b| a.early.total_cmp(&b.early));
    events.truncate(MOST);
    if let Some(reason) = too_little(&events) {
        return Verdict { reason, experiment: suggestion(observations, None), ..Verdict::default() };
    }
    let fits = [token_bucket(&events), fixed_window(&events), sliding_window(&events)].into_iter().flatten().collect::<Vec<_>>();
    decide(observations, &events, fits)
}

fn event(seen: &Observation) -> Event {
    let second = |offset: crate::units::Offset| offset.0.0 as f64 / 1e6;
    let early = second(seen.sent_at);
    Event { early, late: second(seen.at).max(early), cost: f64::from(seen.cost.max(1)), admitted: seen.admitted() }
}

fn too_little(events: &[Event]) -> Option<String> {
    let Some(refused) = events.iter().position(|event| !event.admitted) else {
        return Some(format!("nothing was refused: {} requests were admitted", events.len()));
    };
    let after = &events[refused..];
    let span = after.last().map_or(0.0, |last| last.late - after[0].early);
    if !after.iter().any(|event| event.admitted) {
        return Some(format!("nothing was admitted again in the {span:.1} s after the first refusal"));
    }
    let turns = after.windows(2).filter(|pair| pair[0].admitted != pair[1].admitted).count();
    (after.len() < 6 || turns < 2).then(|| "too few requests were sent after the first refusal to see how admission comes back".to_owned())
}

fn decide(observations: &[Observation], events: &[Event], mut fits: Vec<Fit>) -> Verdict {
    fits.sort_by_key(|fit| fit.wrong);
    let n = events.len();
    let may_be_wrong = WRONG.max((n as f64 * WRONG_SHARE) as usize);
    let best = fits.first().map_or(0, |fit| fit.wrong);
    let explains = |fit: &&Fit| fit.wrong <= may_be_wrong && fit.wrong <= best + WRONG.max(n / 60);
    let explaining: Vec<Fit> = fits.iter().filter(explains).copied().collect();
    let words = |fit: &Fit| format!("{} is wrong about {}", fit.algorithm.name(), fit.wrong);
    let mut verdict = Verdict { fits: explaining.iter().map(|fit| fit.algorithm).collect(), ..Verdict::default() };
    let near = explaining.first().copied();
    if let Some(fit) = near {
        verdict.capacity = Some(fit.capacity);
        verdict.per_second = Some(fit.per_second);
    }
    match explaining.as_slice() {
        [only] => {
            let others: Vec<String> = fits.iter().filter(|fit| fit.algorithm != only.algorithm).map(words).collect();
            let wrong = if only.wrong == 0 { "all".to_owned() } else { format!("all but {}", only.wrong) };
            verdict.reason = format!("{} explains {wrong} of {n} decisions; {}", only.algorithm.name(), others.join(", "));
            verdict.algorithm = Some(only.algorithm);
            verdict.window_us =
                only.window_s.map(|window| Estimate { low: window.low * 1e6, best: window.best * 1e6, high: window.high * 1e6 });
        }
        [] => {
            let all: Vec<String> = fits.iter().map(words).collect();
            let why = "others may have been counted, or requests cost more than one";
            verdict.reason = format!("nothing explains these {n} decisions: {}; {why}", all.join(", "));
            verdict.experiment = suggestion(observations, near);
        }
        several => {
            let names: Vec<&str> = several.iter().map(|fit| fit.algorithm.name()).collect();
            verdict.reason = format!("{} explain these {n} decisions equally well", names.join(" and "));
            verdict.experiment = suggestion(observations, near);
        }
    }
    verdict
}

/// What would tell, by the limit that was seen or is advertised, and a window of a minute where none is known.
fn suggestion(observations: &[Observation], near: Option<Fit>) -> Option<Experiment> {
    let advertised = observations.iter().find_map(|seen| seen.limit);
    let burst = observations.iter().take_while(|seen| seen.admitted()).count() as u64;
    let limit = advertised.or(near.map(|fit| fit.capacity.best as u64)).unwrap_or(burst).max(1);
    let window = near.and_then(|fit| fit.window_s).map_or(60.0, |window| window.best);
    Some(Experiment::telling(limit, Micros((window * 1e6) as u64)))
}

// === token bucket ===

fn token_bucket(events: &[Event]) -> Option<Fit> {
    let refused = events.iter().position(|event| !event.admitted)?;
    let last_refused = events.iter().rposition(|event| !event.admitted)?;
    let (burst, after) = events.split_at(refused);
    let begun = burst.first().map_or(events[refused].early, |first| first.early);
    let saturated = &events[refused..=last_refused];
    let spent: f64 = saturated.iter().filter(|event| event.admitted).map(|event| event.cost).sum();
    let span = (events[last_refused].middle() - events[refused].middle()).max(TICK);
    let around = (spent / span).max(1e-6);
    let taken: f64 = burst.iter().map(|event| event.cost).sum();
    let burst_s = after[0].middle() - begun;
    let wrong = |rate: f64| {
        let left = (taken - rate * burst_s).max(1.0);
        let capacities = [left + 0.02, left + 0.3, left + 0.6, left + 0.95, left.round(), left.ceil()];
        let counted = capacities.map(|capacity| (wrong_about_bucket(events, capacity, rate), capacity));
        counted.into_iter().min_by_key(|(wrong, _)| *wrong).unwrap_or((events.len(), left))
    };
    let coarse = (0..=80).map(|step| around * 0.6 * (1.0 + f64::from(step) / 40.0));
    let (_, coarse) = best_of(coarse, |rate| wrong(rate).0);
    let fine = (-60..=60).map(|step| coarse * (1.0 + f64::from(step) / 2_000.0));
    let (least, rate) = best_of(fine.clone(), |rate| wrong(rate).0);
    let equal: Vec<f64> = fine.filter(|rate| wrong(*rate).0 == least).collect();
    let capacity = wrong(rate).1;
    let rates = Estimate { low: equal.iter().copied().fold(rate, f64::min), best: rate, high: equal.iter().copied().fold(rate, f64::max) };
    let spare = |rate: f64| (taken - rate * burst_s).max(1.0);
    Some(Fit {
        algorithm: Algorithm::TokenBucket,
        wrong: least,
        capacity: Estimate { low: spare(rates.high).floor(), best: capacity, high: (spare(rates.low) + 1.0).ceil() },
        per_second: rates,
        window_s: None,
    })
}

fn wrong_about_bucket(events: &[Event], capacity: f64, rate: f64) -> usize {
    let (mut level, mut at, mut wrong) = (capacity, events[0].middle(), 0);
    for event in events {
        let now = event.middle().max(at);
        level = (level + rate * (now - at)).min(capacity);
        at = now;
        let slack = rate * ((event.late - event.early) / 2.0 + TICK) + 0.01;
        // What costs more than all there is takes all there is.
        let cost = event.cost.min(capacity);
        match event.admitted {
            true => {
                wrong += usize::from(level + slack < cost);
                level = (level - cost).max(-cost);
            }
            false => wrong += usize::from(level - slack >= cost),
        }
    }
    wrong
}

/// The value that is least wrong; of a stretch of equals its middle.
fn best_of(values: impl Iterator<Item = f64>, wrong: impl Fn(f64) -> usize) -> (usize, f64) {
    let all: Vec<(usize, f64)> = values.map(|value| (wrong(value), value)).collect();
    let least = all.iter().map(|(wrong, _)| *wrong).min().unwrap_or(usize::MAX);
    let equal: Vec<f64> = all.iter().filter(|(wrong, _)| *wrong == least).map(|(_, value)| *value).collect();
    (least, equal.get(equal.len() / 2).copied().unwrap_or_default())
}

// === windows ===

/// Where refusals end: the last one of a row, and the first admission after it.
#[derive(Clone, Copy, Debug)]
struct Onset {
    low: f64,
    high: f64,
    /// How long refusals had lasted.
    lasted: f64,
}

/// The ends of the longest rows of refusals, in order of time.
fn onsets(events: &[Event]) -> Vec<Onset> {
    const MOST_ONSETS: usize = 8;
    let mut all = Vec::new();
    let mut since: Option<f64> = None;
    for pair in events.windows(2) {
        match (pair[0].admitted, pair[1].admitted) {
            (true, false) => since = Some(pair[1].early),
            (false, true) => {
                let begun = since.take().unwrap_or(events[0].early);
                all.push(Onset { low: pair[0].early, high: pair[1].late, lasted: pair[1].late - begun });
            }
            _ => {}
        }
    }
    all.sort_by(|a, b| b.lasted.total_cmp(&a.lasted));
    all.truncate(MOST_ONSETS);
    all.sort_by(|a, b| a.low.total_cmp(&b.low));
    all
}

/// What was admitted at a stretch before a refusal, or before a rest: the limit of a window is one of them, or nearly.
fn runs(events: &[Event]) -> Vec<f64> {
    const MOST_LIMITS: usize = 4;
    let rest = 10.0 * spacing(events);
    let (mut runs, mut run, mut last) = (Vec::new(), 0.0, events[0].late);
    for event in events {
        if event.early - last > rest && run > 0.0 {
            runs.push(run);
            run = 0.0;
        }
        last = event.late;
        if event.admitted {
            run += event.cost;
        } else if run > 0.0 {
            runs.push(run);
            run = 0.0;
        }
    }
    let first = runs.first().copied();
    runs.sort_by(|a: &f64, b| b.total_cmp(a));
    runs.dedup();
    runs.truncate(MOST_LIMITS);
    runs.extend(first.filter(|first| !runs.contains(first)));
    runs
}

/// Windows in which people count, in seconds.
const USUAL: [f64; 14] = [0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3_600.0];

/// Points of a stretch, its ends included.
fn points(low: f64, high: f64, count: u32) -> impl Iterator<Item = f64> {
    (0..count).map(move |step| low + (high - low) * f64::from(step) / f64::from(count - 1))
}

/// The window that is least wrong, out of candidates and then of what lies between them.
fn best_window(candidates: Vec<f64>, spacing: f64, wrong: impl Fn(f64) -> usize) -> (usize, Estimate) {
    let (mut least, mut best) = best_of(candidates.into_iter().filter(|window| *window > 2.0 * TICK), &wrong);
    let mut reach = spacing.max(2.0 * TICK);
    let mut tried: Vec<(usize, f64)> = Vec::new();
    for _ in 0..4 {
        tried.extend(points((best - reach).max(TICK), best + reach, 17).map(|window| (wrong(window), window)));
        let found = tried.iter().map(|(wrong, _)| *wrong).min().unwrap_or(least);
        if found < least {
            least = found;
            best = tried.iter().filter(|(wrong, _)| *wrong == found).map(|(_, window)| *window).next().unwrap_or(best);
        }
        reach /= 4.0;
    }
    let equal = tried.iter().filter(|(wrong, _)| *wrong == least).map(|(_, window)| *window);
    let (low, high) = equal.fold((best, best), |(low, high), window| (low.min(window), high.max(window)));
    (least, Estimate { low, best: f64::midpoint(low, high), high })
}

fn windowed(algorithm: Algorithm, wrong: usize, limit: f64, window: Estimate) -> Fit {
    Fit {
        algorithm,
        wrong,
        capacity: Estimate { low: limit, best: limit, high: limit },
        per_second: Estimate { low: limit / window.high, best: limit / window.best, high: limit / window.low },
        window_s: Some(window),
    }
}

fn spacing(events: &[Event]) -> f64 {
    let refused = events.iter().position(|event| !event.admitted).unwrap_or(0);
    let mut gaps: Vec<f64> = events[refused..].windows(2).map(|pair| pair[1].early - pair[0].early).collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).copied().unwrap_or(TICK)
}

fn span(events: &[Event]) -> f64 {
    events.last().map_or(0.0, |last| last.late - events[0].early)
}

fn fixed_window(events: &[Event]) -> Option<Fit> {
    let (onsets, spacing) = (onsets(events), spacing(events));
    let anchors: Vec<Onset> = onsets.iter().take(2).chain(onsets.last()).copied().collect();
    let mut windows: Vec<f64> = USUAL.into_iter().filter(|window| *window < 1.5 * span(events)).collect();
    for (ix, later) in onsets.iter().enumerate() {
        for earlier in &onsets[..ix] {
            let apart = points(later.low - earlier.high, later.high - earlier.low, 3);
            windows.extend(apart.flat_map(|apart| [apart, apart / 2.0, apart / 3.0]));
        }
    }
    // Where only one boundary was seen, the window is at least as long as the rest.
    windows.push(1.01 * span(events));
    let begins: Vec<f64> = anchors.iter().flat_map(|onset| points(onset.low, onset.high, 9)).collect();
    let fits = runs(events).into_iter().map(|limit| {
        let wrong =
            |window: f64| begins.iter().map(|begin| wrong_about_window(events, limit, window, *begin)).min().unwrap_or(events.len());
        let (least, window) = best_window(windows.clone(), spacing, wrong);
        windowed(Algorithm::FixedWindow, least, limit, window)
    });
    fits.min_by_key(|fit| fit.wrong)
}

fn wrong_about_window(events: &[Event], limit: f64, window: f64, begin: f64) -> usize {
    let number = |at: f64| ((at - begin) / window).floor();
    let (mut current, mut used, mut wrong) = (number(events[0].early - TICK), 0.0, 0);
    for event in events {
        let (first, last) = (number(event.early - TICK), number(event.late + TICK));
        // Where a boundary may have come before the decision, it came if that explains it.
        let full = used + event.cost > limit;
        if first > current || (last > current && event.admitted && full) {
            current = if first > current { first } else { last };
            used = 0.0;
        }
        match event.admitted {
            true => {
                wrong += usize::from(used + event.cost > limit);
                used += event.cost;
            }
            false => wrong += usize::from(used + event.cost <= limit),
        }
    }
    wrong
}

fn sliding_window(events: &[Event]) -> Option<Fit> {
    let (onsets, spacing) = (onsets(events), spacing(events));
    let first = events.iter().find(|event| event.admitted)?;
    let mut windows: Vec<f64> = USUAL.into_iter().filter(|window| *window < 1.5 * span(events)).collect();
    for onset in &onsets {
        windows.extend(points(onset.low - first.late, onset.high - first.early, 9));
    }
    let fits = runs(events).into_iter().map(|limit| {
        let (least, window) = best_window(windows.clone(), spacing, |window| wrong_about_sliding(events, limit, window));
        windowed(Algorithm::SlidingWindow, least, limit, window)
    });
    fits.min_by_key(|fit| fit.wrong)
}

fn wrong_about_sliding(events: &[Event], limit: f64, window: f64) -> usize {
    let taken: Vec<&Event> = events.iter().filter(|event| event.admitted).collect();
    // Those before `surely` have left the window whatever the moment, those before `maybe` may have.
    let (mut known, mut surely, mut maybe, mut wrong) = (0, 0, 0, 0);
    let (mut total, mut left_surely, mut left_maybe) = (0.0, 0.0, 0.0);
    for event in events {
        while maybe < known && taken[maybe].early + window <= event.late + TICK {
            left_maybe += taken[maybe].cost;
            maybe += 1;
        }
        while surely < known && taken[surely].late + window <= event.early - TICK {
            left_surely += taken[surely].cost;
            surely += 1;
        }
        match event.admitted {
            true => {
                wrong += usize::from(total - left_maybe + event.cost > limit);
                total += event.cost;
                known += 1;
            }
            false => wrong += usize::from(total - left_surely + event.cost <= limit),
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::limiter::Leg;
    use crate::seed::{Draw, Seed};
    use crate::units::Offset;

    /// A limiter with perfect knowledge of time, in microseconds.
    enum Server {
        Bucket { capacity: f64, rate: f64, level: f64, at: f64 },
        Fixed { limit: u64, window: u64, begin: u64, current: u64, used: u64 },
        Sliding { limit: usize, window: u64, taken: Vec<u64> },
    }

    impl Server {
        fn new(algorithm: Algorithm, limit: u64, window: u64, begin: u64) -> Server {
            match algorithm {
                Algorithm::TokenBucket => {
                    Server::Bucket { capacity: limit as f64, rate: limit as f64 / window as f64, level: limit as f64, at: 0.0 }
                }
                Algorithm::FixedWindow => Server::Fixed { limit, window, begin, current: 0, used: 0 },
                Algorithm::SlidingWindow => Server::Sliding { limit: limit as usize, window, taken: Vec::new() },
            }
        }

        fn admits(&mut self, now: u64) -> bool {
            match self {
                Server::Bucket { capacity, rate, level, at } => {
                    *level = (*level + *rate * (now as f64 - *at)).min(*capacity);
                    *at = now as f64;
                    let admitted = *level >= 1.0;
                    *level -= f64::from(u8::from(admitted));
                    admitted
                }
                Server::Fixed { limit, window, begin, current, used } => {
                    let number = (now + *window - *begin) / *window;
                    if number > *current {
                        (*current, *used) = (number, 0);
                    }
                    *used += 1;
                    *used <= *limit
                }
                Server::Sliding { limit, window, taken } => {
                    taken.retain(|at| at + *window > now);
                    let admitted = taken.len() < *limit;
                    if admitted {
                        taken.push(now);
                    }
                    admitted
                }
            }
        }
    }

    /// Walks an experiment: requests take 0.2 to 2 ms each way, and a trickle is late by up to 3 ms.
    fn walk(server: &mut Server, experiment: &Experiment, draw: Draw) -> Vec<Observation> {
        let mut seen: Vec<Observation> = Vec::new();
        let (mut now, mut n) = (5_000u64, 0u64);
        let mut ask = |sent: u64, seen: &mut Vec<Observation>| {
            n += 1;
            let there = 200 + draw.with(n).below(1_800);
            let back = 200 + draw.with(n).with(1).below(1_800);
            let admitted = server.admits(sent + there);
            seen.push(Observation {
                sent_at: Offset::micros(sent),
                at: Offset::micros(sent + there + back),
                status: if admitted { 200 } else { 429 },
                cost: 1,
                ..Observation::default()
            });
            (admitted, sent + there + back)
        };
        for leg in &experiment.legs {
            match *leg {
                Leg::Burst { most, beyond } => {
                    let (mut left, mut refused) = (most, 0);
                    while left > 0 && refused <= beyond {
                        let (admitted, back) = ask(now, &mut seen);
                        now = back + 50;
                        left -= 1;
                        refused += u32::from(!admitted);
                    }
                }
                Leg::Trickle { every, lasts } => {
                    let begun = now;
                    for step in 1..=lasts.0 / every.0 {
                        let due = begun + step * every.0 + draw.with(step).with(9).below(3_000);
                        now = ask(due.max(now), &mut seen).1;
                    }
                }
                Leg::Rest(lasts) => now += lasts.0,
            }
        }
        seen
    }

    #[test]
    fn each_algorithm_is_named_whatever_its_limit_window_and_phase() {
        let mut wrong = Vec::new();
        for case in 0..60u64 {
            let draw = Seed(7).draw("limiter").with(case);
            let algorithm = Algorithm::ALL[(case % 3) as usize];
            let limit = 4 + draw.with(1).below(60);
            let window = [1_000_000, 2_000_000, 10_000_000, 60_000_000, 1_700_000][draw.with(2).below(5) as usize];
            let begin = draw.with(3).below(window);
            let seen = walk(&mut Server::new(algorithm, limit, window, begin), &Experiment::telling(limit, Micros(window)), draw.with(4));
            let verdict = classify(&seen);
            assert!(verdict.algorithm.is_none_or(|named| named == algorithm), "{case}: {algorithm:?}: {}", verdict.reason);
            if verdict.algorithm.is_none() {
                wrong.push(format!("{case}: {algorithm:?} {limit} per {window} µs from {begin}: {:?} {}", verdict.fits, verdict.reason));
                continue;
            }
            let holds = |estimate: Estimate, truth: f64, slack: f64| estimate.low - slack <= truth && truth <= estimate.high + slack;
            let capacity = verdict.capacity.expect("a capacity");
            assert!(holds(capacity, limit as f64, 1.0), "{case}: {algorithm:?} {limit}: {capacity:?}");
            let per_second = verdict.per_second.expect("a rate");
            let truth = limit as f64 / (window as f64 / 1e6);
            assert!(holds(per_second, truth, truth * 0.05), "{case}: {algorithm:?} {truth}: {per_second:?}");
            if let Some(estimate) = verdict.window_us {
                assert!(holds(estimate, window as f64, window as f64 * 0.05), "{case}: {algorithm:?} {window}: {estimate:?}");
            }
        }
        // A window that happens to begin where a sliding one would end it explains the same: then nothing is claimed.
        assert!(wrong.len() <= 3, "{} of 60\n{}", wrong.len(), wrong.join("\n"));
    }

    #[test]
    fn a_slow_network_may_hide_an_algorithm_and_never_shows_another() {
        let mut told = 0;
        for case in 0..30u64 {
            let draw = Seed(8).draw("slow").with(case);
            let algorithm = Algorithm::ALL[(case % 3) as usize];
            let (limit, window) = (6 + draw.with(1).below(20), 2_000_000);
            let mut server = Server::new(algorithm, limit, window, draw.with(3).below(window));
            // One request in ten takes up to 60 ms more.
            let slow = |n: u64| if draw.with(n).below(10) == 0 { draw.with(n).with(1).below(60_000) } else { 0 };
            let mut seen = walk(&mut server, &Experiment::telling(limit, Micros(window)), draw.with(4));
            for (n, one) in (0..).zip(&mut seen) {
                one.at = Offset::micros(one.at.0.0 + slow(n));
            }
            let verdict = classify(&seen);
            assert!(verdict.algorithm.is_none_or(|named| named == algorithm), "{case}: {algorithm:?}: {}", verdict.reason);
            told += u64::from(verdict.algorithm.is_some());
        }
        assert!(told >= 24, "{told} of 30");
    }

    fn trail(decisions: &[(u64, u16)]) -> Vec<Observation> {
        let one = |&(ms, status): &(u64, u16)| Observation {
            sent_at: Offset::micros(ms * 1_000),
            at: Offset::micros(ms * 1_000 + 500),
            status,
            cost: 1,
            ..Observation::default()
        };
        decisions.iter().map(one).collect()
    }

    #[test]
    fn what_was_not_seen_is_not_claimed() {
        for (decisions, words) in [
            (vec![], "nothing was refused: 0 requests"),
            (vec![(0, 200), (1, 200)], "nothing was refused: 2 requests"),
            (vec![(0, 200), (1, 429), (500, 429)], "nothing was admitted again in the 0.5 s"),
            (vec![(0, 200), (1, 429), (1_000, 200)], "too few requests"),
        ] {
            let verdict = classify(&trail(&decisions));
            assert_eq!(verdict.algorithm, None, "{decisions:?}");
            assert!(verdict.reason.starts_with(words), "{}", verdict.reason);
            assert!(verdict.experiment.is_some());
        }
    }

    #[test]
    fn a_burst_and_its_repetition_alone_do_not_tell_a_fixed_window_from_a_sliding_one() {
        // Five at once, a second of refusals, five at once again: anchored at the first request, both do that.
        let burst = |at: u64| (0..7).map(move |n| (at + n, if n < 5 { 200 } else { 429 }));
        let verdict = classify(&trail(&burst(0).chain(burst(500).map(|(at, _)| (at, 429))).chain(burst(1_010)).collect::<Vec<_>>()));
        assert_eq!(verdict.algorithm, None, "{}", verdict.reason);
        assert!(verdict.fits.contains(&Algorithm::FixedWindow) && verdict.fits.contains(&Algorithm::SlidingWindow), "{verdict:?}");
        assert!(verdict.reason.contains("equally well") && verdict.experiment.is_some(), "{}", verdict.reason);
    }

    #[test]
    fn dice_are_no_limiter() {
        let draw = Seed(3).draw("dice");
        let dice: Vec<_> = (0..200).map(|n| (n * 20, if draw.with(n).below(2) == 0 { 429 } else { 200 })).collect();
        let verdict = classify(&trail(&dice));
        assert_eq!((verdict.algorithm, verdict.fits.len()), (None, 0), "{}", verdict.reason);
        assert!(verdict.reason.starts_with("nothing explains these 200 decisions"), "{}", verdict.reason);
    }
}
