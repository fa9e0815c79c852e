//! What the limiters of a run said and did: R10–R13, and the trails that are classified at its end.
//!
//! Under load nobody knows all that counted against a limit: other clients may have been there. So what load saw is held
//! against a limiter only where this run alone would have to see it otherwise: a wait was kept by an identity of which
//! nothing else was admitted meanwhile, a count rose faster than any refill. Probes are alone by design.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use http::header::{AUTHORIZATION, COOKIE};

use super::names::{Seen, Short};
use super::{Algorithm, Names, Observation, Step, Trail, Verdict, classify, reset};
use crate::contract::drift::violation;
use crate::contract::evidence::Evidence;
use crate::contract::findings::{Confidence, Place, RunFinding, Sighting};
use crate::contract::{Contract, Role};
use crate::id::{RowIx, ScenarioIx, ServiceIx, StepIx};
use crate::units::{Micros, Offset, rate_interval};

/// Trails kept of load, and observations of each.
const TRAILS: usize = 32;
const OBSERVATIONS: usize = 768;
/// Trails kept of probes, and observations of each.
const PROBED: usize = 64;
const PROBED_OBSERVATIONS: usize = 4_096;
/// Waits that were kept, under load.
const WAITS: usize = 1_024;
/// Identities whose admissions are remembered, in intervals of a quarter of a second, for twenty minutes.
const IDENTITIES: usize = 64;
const INTERVAL: Micros = Micros(250_000);
const INTERVALS: usize = 4_800;
/// Fewer waits than this say nothing of a rate.
pub const FEWEST_WAITS: u64 = 10;
/// A limiter whose promise fails for less than this share of waits is honest: clocks and roundings differ.
pub const TOLERATED: f64 = 0.1;

/// Everything that was heard of limiters; of constant size.
#[derive(Clone, Debug)]
pub struct Limits {
    names: Names,
    /// Whether the contract documents any limit of an operation.
    documented: bool,
    /// By step and identity.
    trails: BTreeMap<(ScenarioIx, StepIx, u64), LoadTrail>,
    probed: Vec<Trail>,
    /// By identity: the intervals in which anything of it was admitted.
    admissions: BTreeMap<u64, Vec<u64>>,
    waits: Vec<Wait>,
    /// R13, by operation of the contract and limit that was sent.
    other_limits: BTreeMap<(usize, u64), Sent>,
}

/// What load saw of one step, for one identity.
#[derive(Clone, Debug, Default)]
struct LoadTrail {
    operation: String,
    /// That of its documented limit; 0 where there is none.
    window_us: i64,
    observations: Vec<Seen>,
    refused: u64,
    service: Option<ServiceIx>,
    /// Of a refusal.
    row: Option<RowIx>,
    last: Option<Last>,
    /// How often what remains rose inside a window (R10), how it did first, and when.
    rises: u64,
    rose: Option<(String, Offset, Evidence)>,
    /// Of a refusal.
    sample: Option<Evidence>,
}

/// The observation before.
#[derive(Clone, Copy, Debug)]
struct Last {
    at: Offset,
    remaining: u64,
    reset_us: i64,
    /// The furthest a reset was off: a window is at least so long.
    horizon_us: i64,
}

/// A wait that was kept under load.
#[derive(Clone, Copy, Debug)]
struct Wait {
    place: (ScenarioIx, StepIx),
    identity: u64,
    from: Offset,
    to: Offset,
    refused_again: bool,
}

#[derive(Clone, Debug)]
struct Sent {
    count: u64,
    service: Option<ServiceIx>,
    first_at: Offset,
    last_at: Offset,
    sample: Evidence,
}

/// Waits that were kept, and what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    pub kept: u64,
    pub refused_again: u64,
    /// Refusals after which somebody who came earlier than asked was admitted.
    pub overlong: u64,
}

/// One limiter: what it says, what is documented of it, and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub operation: String,
    /// Whether it was seen by a probe, which is alone, or by load.
    pub probed: bool,
    pub requests: u64,
    pub refused: u64,
    /// The limit it names most often.
    pub advertised_limit: Option<u64>,
    pub reset_units: Vec<reset::Unit>,
    pub documented_limit: Option<u64>,
    pub documented_window: Option<Micros>,
    pub verdict: Verdict,
    pub waits: Waits,
}

impl Limits {
    /// Nothing heard yet.
    pub fn new(contract: &Contract) -> Limits {
        Limits {
            names: Names::new(contract),
            documented: contract.operations.iter().any(|operation| operation.limit.is_some()),
            trails: BTreeMap::new(),
            probed: Vec::new(),
            admissions: BTreeMap::new(),
            waits: Vec::new(),
            other_limits: BTreeMap::new(),
        }
    }

    /// Takes down one answer of the origin to load.
    pub fn note(&mut self, contract: &Contract, sighting: &Sighting<'_>, sample: impl Fn() -> Evidence) {
        let (Some(response), Place::Load { scenario, step, .. }) = (sighting.response, sighting.place) else { return };
        let identity = identity_of(sighting);
        if response.status != 429 {
            self.admitted(identity, sighting.at);
        }
        let tells = self.names.any(response, &sighting.judged.head);
        // Half of the room is for those who tell of a limit.
        let room = self.trails.len() < if tells { TRAILS } else { TRAILS / 2 };
        let trail = match self.trails.entry((scenario, step, identity)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) if room => new.insert(LoadTrail::of(contract, sighting)),
            Entry::Vacant(_) => return,
        };
        if !tells && trail.observations.len() >= OBSERVATIONS {
            return;
        }
        let seen = self.names.seen(sighting.at, response, &sighting.judged.head);
        if seen.status == 429 {
            trail.refused += 1;
            trail.row = trail.row.or(sighting.judged.row);
            if trail.sample.is_none() {
                trail.sample = Some(sample());
            }
        }
        trail.count_down(&seen, &sample);
        if self.documented
            && let Some(limit) = seen.limit
        {
            other_limit(&mut self.other_limits, contract, sighting, limit, &sample);
        }
        if trail.observations.len() < OBSERVATIONS {
            trail.observations.push(seen);
        }
    }

    /// Takes down that a client of ours kept the wait it was asked for, from the refusal to the next attempt.
    pub fn waited(&mut self, place: (ScenarioIx, StepIx), from: Offset, to: Offset, refused_again: bool) {
        let identity = self.trails.keys().find(|(scenario, step, _)| (*scenario, *step) == place).map_or(0, |(_, _, identity)| *identity);
        if self.waits.len() < WAITS {
            self.waits.push(Wait { place, identity, from, to, refused_again });
        }
    }

    /// Takes down what a probe was answered.
    pub fn trail(&mut self, trail: &Trail) {
        if self.probed.len() < PROBED {
            let observations = trail.observations.iter().take(PROBED_OBSERVATIONS).cloned().collect();
            self.probed.push(Trail { operation: trail.operation.clone(), observations });
        }
    }

    fn admitted(&mut self, identity: u64, at: Offset) {
        let index = usize::try_from(at.0.0 / INTERVAL.0).unwrap_or(usize::MAX);
        if index >= INTERVALS {
            return;
        }
        let room = self.admissions.len() < IDENTITIES;
        let words = match self.admissions.entry(identity) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) if room => new.insert(vec![0; INTERVALS.div_ceil(64)]),
            Entry::Vacant(_) => return,
        };
        words[index / 64] |= 1 << (index % 64);
    }

    /// Whether nothing of this identity was admitted between two moments, as far as that is known.
    fn is_alone(&self, wait: &Wait) -> bool {
        let (from, to) = (wait.from.0.0 / INTERVAL.0 + 1, wait.to.0.0 / INTERVAL.0);
        let Some(words) = self.admissions.get(&wait.identity) else { return self.admissions.len() < IDENTITIES };
        to < INTERVALS as u64 && from < to && (from..to).all(|index| words[index as usize / 64] >> (index % 64) & 1 == 0)
    }

    /// Joins what another worker heard.
    pub fn merge(&mut self, other: Limits) {
        for (key, theirs) in other.trails {
            let full = self.trails.len() >= TRAILS;
            match self.trails.get_mut(&key) {
                Some(mine) => mine.merge(theirs),
                None if full => {}
                None => {
                    self.trails.insert(key, theirs);
                }
            }
        }
        self.probed.extend(other.probed);
        self.probed.truncate(PROBED);
        for (identity, theirs) in other.admissions {
            let mine = self.admissions.entry(identity).or_insert_with(|| vec![0; INTERVALS.div_ceil(64)]);
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine |= theirs);
        }
        self.waits.extend(other.waits);
        self.waits.truncate(2 * WAITS);
        for (key, theirs) in other.other_limits {
            match self.other_limits.get_mut(&key) {
                Some(mine) => {
                    mine.count += theirs.count;
                    mine.first_at = mine.first_at.min(theirs.first_at);
                    mine.last_at = mine.last_at.max(theirs.last_at);
                }
                None => {
                    self.other_limits.insert(key, theirs);
                }
            }
        }
    }

    /// What the whole run shows: R10, R11, R12, R13.
    pub fn conclude(&self, contract: &Contract) -> Vec<RunFinding> {
        let mut found: Vec<RunFinding> = Vec::new();
        for ((scenario, step, _), trail) in &self.trails {
            let rose = trail.rose();
            let waits = self.waits_of((*scenario, *step));
            let dishonest = dishonest(waits, FEWEST_WAITS, Confidence::Likely);
            let overlong = overlong(overlong_waits(&trail.observed()));
            for one in [rose, dishonest, overlong].into_iter().flatten() {
                found.push(RunFinding { operations: [(*scenario, *step)].into(), ..trail.about(one) });
            }
        }
        for trail in &self.probed {
            let waits = trail_waits(trail);
            let of = |one: RunFinding| about_probe(contract, trail, one);
            found.extend(dishonest(waits, 1, Confidence::Certain).map(of));
            found.extend(overlong(waits.overlong).map(of));
            found.extend(probed_limit(contract, trail));
        }
        found.extend(self.other_limits.iter().map(|((operation, limit), sent)| limit_finding(contract, *operation, *limit, sent)));
        found
    }

    /// The waits that were kept at a step; none where several identities took it, for then nobody knows whose they were.
    fn waits_of(&self, place: (ScenarioIx, StepIx)) -> Waits {
        if self.trails.keys().filter(|(scenario, step, _)| (*scenario, *step) == place).count() > 1 {
            return Waits::default();
        }
        let own = self.waits.iter().filter(|wait| wait.place == place && self.is_alone(wait));
        own.fold(Waits::default(), |sum, wait| Waits {
            kept: sum.kept + 1,
            refused_again: sum.refused_again + u64::from(wait.refused_again),
            ..sum
        })
    }

    /// Every limiter that refused somebody, probed ones first.
    pub fn measured(&self, contract: &Contract) -> Vec<Measured> {
        let probed = self.probed.iter().map(|trail| {
            let seen: Vec<Observation> = trail.observations.iter().map(|(_, seen)| seen.clone()).collect();
            measured(contract, &trail.operation, seen, true, trail_waits(trail))
        });
        let loaded = self.trails.iter().filter(|(_, trail)| trail.refused > 0).map(|((scenario, step, _), trail)| {
            let observed = trail.observed();
            let waits = Waits { overlong: overlong_waits(&observed), ..self.waits_of((*scenario, *step)) };
            measured(contract, &trail.operation, observed, false, waits)
        });
        probed.chain(loaded).collect()
    }
}

fn measured(contract: &Contract, operation: &str, mut seen: Vec<Observation>, probed: bool, waits: Waits) -> Measured {
    seen.sort_by_key(|seen| (seen.sent_at, seen.at));
    let (documented_limit, documented_window) = documented(contract, operation);
    let advertised_limit = commonest(seen.iter().filter_map(|seen| seen.limit));
    let cost = cost_of(&seen);
    seen.iter_mut().filter(|seen| seen.cost <= 1).for_each(|seen| seen.cost = cost);
    let mut verdict = classify(&seen);
    if !probed && verdict.algorithm.is_some_and(|algorithm| algorithm != Algorithm::TokenBucket) {
        verdict.reason.push_str("; under load, where others may have been counted");
    }
    Measured {
        operation: operation.to_owned(),
        probed,
        requests: seen.len() as u64,
        refused: seen.iter().filter(|seen| seen.status == 429).count() as u64,
        advertised_limit,
        reset_units: reset::units_that_fit(seen.iter()),
        documented_limit,
        documented_window,
        verdict,
        waits,
    }
}

/// The documented limit of an operation, and its window: the operation's own, else that of the contract's limit fields.
pub fn documented(contract: &Contract, operation: &str) -> (Option<u64>, Option<Micros>) {
    let found = operation.split_once(' ').and_then(|(method, path)| {
        let method = method.parse().ok()?;
        contract.operations.iter().find(|known| known.limit.is_some() && known.operation.matches(&method, path))
    });
    let rows = contract.rows.iter().flat_map(|row| &row.envelope.fields);
    let usual = rows.filter(|field| field.role == Some(Role::Limit)).find_map(|field| field.rule.window);
    (found.and_then(|known| known.limit), found.and_then(|known| known.window).or(usual))
}

/// What one request takes off the limit: the commonest step of what remains, from one admission to the next.
fn cost_of(seen: &[Observation]) -> u32 {
    let admitted: Vec<u64> = seen.iter().filter(|seen| seen.admitted()).filter_map(|seen| seen.remaining).collect();
    let steps = admitted.windows(2).filter_map(|pair| pair[0].checked_sub(pair[1])).filter(|step| *step > 0);
    commonest(steps).and_then(|step| u32::try_from(step).ok()).unwrap_or(1)
}

fn commonest(values: impl Iterator<Item = u64>) -> Option<u64> {
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(value, _)| value)
}

/// Whose request it was, as a hash of its credentials; 0 without any.
fn identity_of(sighting: &Sighting<'_>) -> u64 {
    let headers = sighting.request.headers;
    let value = headers.get(AUTHORIZATION).or_else(|| headers.get("x-api-key")).or_else(|| headers.get(COOKIE));
    value.map_or(0, |value| {
        value.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
    })
}

fn other_limit(
    known: &mut BTreeMap<(usize, u64), Sent>,
    contract: &Contract,
    sighting: &Sighting<'_>,
    limit: u64,
    sample: &impl Fn() -> Evidence,
) {
    let (method, path) = (sighting.request.method, sighting.request.path);
    let operations = contract.operations.iter().enumerate().filter(|(_, known)| known.limit.is_some());
    let Some((ix, _)) = operations.into_iter().find(|(_, known)| known.operation.matches(method, path) && known.limit != Some(limit))
    else {
        return;
    };
    if let Some(sent) = known.get_mut(&(ix, limit)) {
        sent.count += 1;
        sent.last_at = sent.last_at.max(sighting.at);
    } else if known.len() < TRAILS {
        let service = sighting.judged.service;
        known.insert((ix, limit), Sent { count: 1, service, first_at: sighting.at, last_at: sighting.at, sample: sample() });
    }
}

/// R13.
fn limit_finding(contract: &Contract, operation: usize, limit: u64, sent: &Sent) -> RunFinding {
    let known = &contract.operations[operation];
    let documented = known.limit.unwrap_or_default();
    let mut violation =
        violation("R13", "header:limit", format!("{documented} for {}", known.operation), limit.to_string(), &known.operation.to_string());
    violation.contract_ref = Some(known.source.clone());
    RunFinding {
        violation,
        service: sent.service,
        count: sent.count,
        first_at: sent.first_at,
        last_at: sent.last_at,
        evidence: vec![sent.sample.clone()],
        ..RunFinding::default()
    }
}

/// R13, of what a probe saw.
fn probed_limit(contract: &Contract, trail: &Trail) -> Option<RunFinding> {
    let (method, path) = trail.operation.split_once(' ')?;
    let method = method.parse().ok()?;
    let known = contract.operations.iter().find(|known| known.limit.is_some() && known.operation.matches(&method, path))?;
    let other = || trail.observations.iter().filter(|(_, seen)| seen.limit.is_some() && seen.limit != known.limit);
    let (first, last) = (other().next()?, other().next_back()?);
    let (documented, sent) = (known.limit?, first.1.limit?);
    let mut violation =
        violation("R13", "header:limit", format!("{documented} for {}", known.operation), sent.to_string(), &known.operation.to_string());
    violation.contract_ref = Some(known.source.clone());
    Some(RunFinding {
        violation,
        service: contract.service_of(path),
        count: other().count() as u64,
        first_at: first.1.at,
        last_at: last.1.at,
        ..RunFinding::default()
    })
}

/// R11: the promise failed too often to be an accident, or once where nobody else was there.
fn dishonest(waits: Waits, fewest: u64, confidence: Confidence) -> Option<RunFinding> {
    let (lowest, highest) = rate_interval(waits.refused_again, waits.kept);
    let certain = confidence == Confidence::Certain && waits.refused_again > 0;
    if waits.kept < fewest || !(certain || lowest > TOLERATED) {
        return None;
    }
    let share = format!("{} of {} who waited as told were refused again", waits.refused_again, waits.kept);
    let interval = format!("95 % interval {:.0} … {:.0} %", 100.0 * lowest, 100.0 * highest);
    let violation = violation(
        "R11",
        "header:Retry-After",
        "admission after the wait that was asked for".to_owned(),
        format!("{share} ({interval})"),
        "refused again",
    );
    Some(RunFinding { violation, confidence, count: waits.refused_again, ..RunFinding::default() })
}

/// R12.
fn overlong(count: u64) -> Option<RunFinding> {
    let violation = violation(
        "R12",
        "header:Retry-After",
        "a wait that is no longer than needed".to_owned(),
        format!("after {count} refusals a request that came earlier than asked was admitted"),
        "admitted earlier",
    );
    (count > 0).then(|| RunFinding { violation, count, ..RunFinding::default() })
}

/// Refusals after which the same identity was admitted before the wait was over, by more than rounding explains.
fn overlong_waits(observations: &[Observation]) -> u64 {
    const ROUNDED_UP: u64 = 1_000_000;
    let mut sorted: Vec<&Observation> = observations.iter().collect();
    sorted.sort_by_key(|seen| seen.sent_at);
    let refused = sorted.iter().enumerate().filter(|(_, seen)| seen.status == 429);
    let overlong = refused.filter(|(ix, seen)| {
        let Some(wait) = seen.wait_us().and_then(|wait| wait.checked_sub(ROUNDED_UP)) else { return false };
        let until = Offset(Micros(seen.at.0.0.saturating_add(wait)));
        let later = sorted[ix + 1..].iter().filter(|later| later.identity == seen.identity && later.sent_at >= seen.at);
        later.take_while(|later| later.at < until).any(|later| later.admitted())
    });
    overlong.count() as u64
}

fn trail_waits(trail: &Trail) -> Waits {
    let observed: Vec<Observation> = trail.observations.iter().map(|(_, seen)| seen.clone()).collect();
    let waited = || trail.observations.iter().filter(|(step, seen)| *step == Step::Waited && seen.status != 0);
    Waits {
        kept: waited().count() as u64,
        refused_again: waited().filter(|(_, seen)| !seen.admitted()).count() as u64,
        overlong: overlong_waits(&observed),
    }
}

fn about_probe(contract: &Contract, trail: &Trail, found: RunFinding) -> RunFinding {
    let refused = || trail.observations.iter().filter(|(_, seen)| seen.status == 429);
    let at = |seen: Option<&(Step, Observation)>| seen.map_or(Offset::START, |(_, seen)| seen.at);
    let mut violation = found.violation;
    violation.cause = format!("{} at {}", violation.cause, trail.operation);
    RunFinding {
        violation,
        service: trail.operation.split_once(' ').and_then(|(_, path)| contract.service_of(path)),
        status: Some(429),
        first_at: at(refused().next()),
        last_at: at(refused().next_back()),
        ..found
    }
}

impl LoadTrail {
    /// Without an observation yet.
    fn of(contract: &Contract, sighting: &Sighting<'_>) -> LoadTrail {
        let operation = format!("{} {}", sighting.request.method, sighting.request.path);
        let window = documented(contract, &operation).1;
        LoadTrail {
            window_us: window.map_or(0, |window| i64::try_from(window.0).unwrap_or(i64::MAX)),
            operation,
            service: sighting.judged.service,
            ..LoadTrail::default()
        }
    }

    fn observed(&self) -> Vec<Observation> {
        self.observations.iter().map(Seen::observation).collect()
    }

    /// R10: compares with the answer before, where that had come before this request was sent.
    fn count_down(&mut self, seen: &Seen, sample: &impl Fn() -> Evidence) {
        let (Some(remaining), Some(text)) = (seen.remaining, seen.reset.as_ref().map(Short::text)) else { return };
        // Which unit it is does not matter here, as long as it is always the same one.
        let Some(reset_us) = reset::Unit::ALL.iter().find_map(|unit| plausible(*unit, text, seen.unix_us)) else { return };
        let mut horizon_us = reset_us.saturating_sub(seen.unix_us).max(0);
        if let Some(last) = self.last {
            horizon_us = horizon_us.max(last.horizon_us);
            let same_window = (reset_us - last.reset_us).abs() <= 1_000_000 && reset_us > seen.unix_us + 1_000_000;
            let window = horizon_us.max(self.window_us).max(1_000_000);
            let passed = seen.at.since(last.at).0 as f64;
            let refilled = seen.limit.unwrap_or(0).max(remaining) as f64 * (passed + 1e6) / window as f64;
            if same_window && seen.sent_at >= last.at && remaining as f64 > last.remaining as f64 + refilled + 1.0 {
                self.rises += 1;
                if self.rose.is_none() {
                    let words = format!("{} after {}, and the same reset", remaining, last.remaining);
                    self.rose = Some((words, seen.at, sample()));
                }
            }
        }
        if self.last.is_none_or(|last| seen.at >= last.at) {
            self.last = Some(Last { at: seen.at, remaining, reset_us, horizon_us });
        }
    }

    fn rose(&self) -> Option<RunFinding> {
        let (words, at, sample) = self.rose.as_ref()?;
        let expected = "no rise before the reset that is faster than an even refill".to_owned();
        let violation = violation("R10", "header:remaining", expected, words.clone(), "rises");
        Some(RunFinding {
            violation,
            count: self.rises,
            first_at: *at,
            last_at: *at,
            evidence: vec![sample.clone()],
            ..RunFinding::default()
        })
    }

    fn about(&self, found: RunFinding) -> RunFinding {
        let refused = || self.observations.iter().filter(|seen| seen.status == 429);
        let of_refusal = found.violation.check != "R10";
        RunFinding {
            service: self.service,
            row: self.row.filter(|_| of_refusal),
            status: of_refusal.then_some(429),
            first_at: if of_refusal { refused().next().map_or(Offset::START, |seen| seen.at) } else { found.first_at },
            last_at: if of_refusal { refused().next_back().map_or(Offset::START, |seen| seen.at) } else { found.last_at },
            evidence: if found.evidence.is_empty() { self.sample.iter().cloned().collect() } else { found.evidence.clone() },
            ..found
        }
    }

    fn merge(&mut self, other: LoadTrail) {
        self.observations.extend(other.observations);
        self.observations.sort_by_key(|seen| seen.sent_at);
        self.observations.truncate(OBSERVATIONS);
        self.refused += other.refused;
        self.row = self.row.or(other.row);
        self.rises += other.rises;
        self.rose = self.rose.take().or(other.rose);
        self.sample = self.sample.take().or(other.sample);
    }
}

/// The moment a reset means in this unit, where that is soon.
fn plausible(unit: reset::Unit, text: &str, now_us: i64) -> Option<i64> {
    let at = unit.read(text, now_us)?;
    (-2_000_000..=24 * 3_600 * 1_000_000).contains(&at.saturating_sub(now_us)).then_some(at)
}
