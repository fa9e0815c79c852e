//! Plan → the requests of a session: which arrivals there are, whom each one plays, what it sends.
//!
//! Pure and seeded: the same plan and seed give the same arrivals, scenarios, data rows and identifiers. The
//! arrivals of all open stages are one sequence; a worker takes every n-th of it and leaves the rest to others.
//! What is constant in a step (headers, body, path without places to fill) is made once, not per request.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue};

use crate::arrival::{Arrival, Schedule, Segment};
use crate::id::{ScenarioIx, StageIx, StepIx};
use crate::plan::{CaptureFrom, DataSet, Escape, Fill, JsonStep, Pick, Piece, Place, Plan, Shape, Step, Template};
use crate::seed::{Draw, Seed};
use crate::units::Offset;

/// One arrival with the user it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Its number over the whole run.
    pub arrival: u64,
    /// Its number, from 0, among the arrivals of its scenario.
    pub ordinal: u64,
    /// Whom it plays.
    pub scenario: ScenarioIx,
    /// The stage it was scheduled in.
    pub stage: StageIx,
    /// When its session is meant to start.
    pub at: Offset,
}

/// The arrivals of all open stages, in order of time.
pub struct Visits {
    plan: Arc<Plan>,
    schedule: Schedule,
    ordinals: Vec<u64>,
}

impl Visits {
    /// All arrivals of the plan's open stages.
    pub fn new(plan: &Arc<Plan>) -> Visits {
        let segments: Vec<Segment> = plan.load.stages.iter().filter_map(|stage| open_segments(&stage.shape)).flatten().copied().collect();
        Visits {
            schedule: Schedule::new(segments, plan.load.process, plan.seed),
            ordinals: vec![0; plan.scenarios.len()],
            plan: Arc::clone(plan),
        }
    }
}

fn open_segments(shape: &Shape) -> Option<&Vec<Segment>> {
    match shape {
        Shape::Open(segments) => Some(segments),
        Shape::Closed { .. } => None,
    }
}

impl Iterator for Visits {
    type Item = Visit;

    fn next(&mut self) -> Option<Visit> {
        let Arrival { number, stage, at } = self.schedule.next()?;
        let scenario = self.plan.scenario_of(number);
        let ordinal = self.ordinals[scenario.at()];
        self.ordinals[scenario.at()] += 1;
        Some(Visit { arrival: number, ordinal, scenario, stage, at })
    }
}

/// The visit that user `user` of a closed stage makes in their `iteration`-th round.
///
/// A closed stage has no schedule, so its visits are numbered apart from the arrivals of open stages: by
/// stage, user and round, which is the same in every run as far as the rounds go.
pub fn closed_visit(plan: &Plan, stage: StageIx, users: u32, user: u32, iteration: u32, at: Offset) -> Visit {
    let arrival = 1 << 63 | u64::from(stage.0) << 52 | u64::from(user) << 32 | u64::from(iteration);
    let ordinal = u64::from(iteration) * u64::from(users) + u64::from(user);
    Visit { arrival, ordinal, scenario: plan.scenario_of(arrival), stage, at }
}

/// What a session has learnt: captured values, by slot.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    slots: Vec<Option<String>>,
}

impl Memory {
    /// Forgets everything; the memory of a new session.
    pub fn clear(&mut self) {
        self.slots.iter_mut().for_each(|slot| *slot = None);
    }

    /// The same memory with another value in one slot.
    pub fn with(&self, slot: usize, value: String) -> Memory {
        let mut memory = self.clone();
        memory.keep(slot, value);
        memory
    }

    fn keep(&mut self, slot: usize, value: String) {
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, None);
        }
        self.slots[slot] = Some(value);
    }

    /// The value in a slot; empty where none was captured.
    pub fn get(&self, slot: usize) -> &str {
        self.slots.get(slot).and_then(Option::as_deref).unwrap_or_default()
    }
}

/// One request, ready to be sent.
///
/// What is the same in every session is borrowed from the workload.
#[derive(Clone, Debug)]
pub struct Request<'w> {
    /// Path and query.
    pub path: PathAndQuery,
    /// `Host` included, identity headers not.
    pub headers: Cow<'w, HeaderMap>,
    pub body: Bytes,
}

/// The requests of a plan, with everything constant prepared.
pub struct Workload {
    plan: Arc<Plan>,
    run_id: String,
    /// The path prefix of the target's URL, without a trailing slash.
    prefix: String,
    /// By scenario, then step.
    steps: Vec<Vec<Prepared>>,
    /// Decides `${uuid}`.
    uuids: Draw,
}

/// What can be known of a step's request before any session.
struct Prepared {
    headers: HeaderMap,
    /// Headers with places to fill.
    filled_headers: Vec<(http::HeaderName, Template)>,
    body: Option<Bytes>,
    path: Option<PathAndQuery>,
}

/// A captured value longer than this is cut: a hostile answer must not fill the memory or the next request line.
const LONGEST_CAPTURE: usize = 8 * 1024;

impl Workload {
    /// The workload of a plan; `authority` is written in `Host`.
    pub fn new(plan: &Arc<Plan>, run_id: &str, authority: &str) -> Workload {
        let prefix = match &plan.target.place {
            Place::Url(url) => url.path().trim_end_matches('/').to_owned(),
            Place::Embedded(_) => String::new(),
        };
        let uuids = plan.seed.draw("uuid");
        let mut workload = Workload { plan: Arc::clone(plan), run_id: run_id.to_owned(), prefix, steps: Vec::new(), uuids };
        let steps =
            plan.scenarios.iter().map(|scenario| scenario.steps.iter().map(|step| workload.prepare(step, authority)).collect()).collect();
        workload.steps = steps;
        workload
    }

    /// The same workload with identifiers (`${uuid}`) that no other run makes: what it creates is new to a target that
    /// has kept what an earlier run of the same seed created.
    pub fn with_ids_of_its_own(mut self) -> Workload {
        self.uuids = self.uuids.with(self.plan.seed.draw(&self.run_id).bits());
        self
    }

    fn prepare(&self, step: &Step, authority: &str) -> Prepared {
        let mut headers = HeaderMap::new();
        let mut filled_headers = Vec::new();
        if let Ok(host) = HeaderValue::from_str(authority) {
            headers.insert(http::header::HOST, host);
        }
        for (name, template) in self.plan.target.headers.iter().chain(&step.headers) {
            // A step's header replaces the target's, whichever of them has places to fill.
            filled_headers.retain(|(filled, _)| filled != name);
            match self.constant(template).map(|text| header_value(&text)) {
                Some(value) => {
                    headers.insert(name, value);
                }
                None => filled_headers.push((name.clone(), template.clone())),
            }
        }
        let body = match &step.body {
            None => Some(Bytes::new()),
            Some(template) => self.constant(template).map(Bytes::from),
        };
        let path = self.constant(&step.path).map(|path| self.prefixed(&path));
        Prepared { headers, filled_headers, body, path }
    }

    /// Path and query behind the target's prefix; what cannot stand in a request line is percent-encoded.
    fn prefixed(&self, path: &[u8]) -> PathAndQuery {
        let mut text = self.prefix.clone().into_bytes();
        if !path.starts_with(b"/") {
            text.push(b'/');
        }
        for &byte in path {
            match byte {
                b'!'..=b'~' if !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#') => text.push(byte),
                _ => text.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            }
        }
        PathAndQuery::try_from(text).expect("visible ASCII that begins with a slash is a path")
    }

    /// The template's text, if it is the same in every session.
    fn constant(&self, template: &Template) -> Option<Vec<u8>> {
        let constant = |piece: &Piece| matches!(piece, Piece::Text(_) | Piece::Fill(Fill::RunId, _));
        template.pieces.iter().all(constant).then(|| {
            let nobody = Visit { arrival: 0, ordinal: 0, scenario: ScenarioIx(0), stage: StageIx(0), at: Offset::START };
            self.fill(template, &nobody, StepIx(0), &Memory::default())
        })
    }

    /// The request of one step of one session.
    pub fn request(&self, visit: &Visit, step: StepIx, memory: &Memory) -> Request<'_> {
        let prepared = &self.steps[visit.scenario.at()][step.at()];
        let planned = &self.plan.scenarios[visit.scenario.at()].steps[step.at()];
        let mut headers = Cow::Borrowed(&prepared.headers);
        for (name, template) in &prepared.filled_headers {
            headers.to_mut().insert(name, header_value(&self.fill(template, visit, step, memory)));
        }
        let body = match (&prepared.body, &planned.body) {
            (Some(body), _) => body.clone(),
            (None, Some(template)) => Bytes::from(self.fill(template, visit, step, memory)),
            (None, None) => Bytes::new(),
        };
        let path = match &prepared.path {
            Some(path) => path.clone(),
            None => self.prefixed(&self.fill(&planned.path, visit, step, memory)),
        };
        Request { path, headers, body }
    }

    /// The headers that every request carries, `Host` among them, as this visit would send them.
    pub fn usual_headers(&self, visit: &Visit, authority: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Ok(host) = HeaderValue::from_str(authority) {
            headers.insert(http::header::HOST, host);
        }
        for (name, template) in &self.plan.target.headers {
            headers.insert(name, header_value(&self.fill(template, visit, StepIx(0), &Memory::default())));
        }
        headers
    }

    /// The path that the target's URL ends with, without a trailing slash.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    fn fill(&self, template: &Template, visit: &Visit, step: StepIx, memory: &Memory) -> Vec<u8> {
        let mut text = Vec::with_capacity(64);
        for piece in &template.pieces {
            match piece {
                Piece::Text(bytes) => text.extend_from_slice(bytes),
                Piece::Fill(fill, escape) => escaped(&mut text, *escape, self.value(fill, visit, step, memory).as_bytes()),
            }
        }
        text
    }

    fn value<'v>(&'v self, fill: &Fill, visit: &Visit, step: StepIx, memory: &'v Memory) -> Cow<'v, str> {
        match *fill {
            Fill::Capture(slot) => Cow::Borrowed(memory.get(slot)),
            Fill::Data { set, field } => {
                let set = &self.plan.data[set];
                let row = row_of(set, self.plan.seed, visit.arrival);
                String::from_utf8_lossy(&set.rows[row][field])
            }
            Fill::RunId => Cow::Borrowed(&self.run_id),
            Fill::Arrival => Cow::Owned(visit.arrival.to_string()),
            Fill::Uuid(which) => {
                let draw = self.uuids.with(visit.arrival).with(u64::from(step.0)).with(which);
                Cow::Owned(uuid(draw))
            }
        }
    }
}

/// Keeps what later steps need from an answer; false if a captured value is not in it.
pub fn capture(step: &Step, headers: &HeaderMap, body: &[u8], memory: &mut Memory) -> bool {
    if step.captures.is_empty() {
        return true;
    }
    let json: Option<serde_json::Value> =
        step.captures.iter().any(|c| matches!(c.from, CaptureFrom::Json(_))).then(|| serde_json::from_slice(body).ok()).flatten();
    step.captures.iter().all(|capture| {
        let value = match &capture.from {
            CaptureFrom::Header(name) => headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned),
            CaptureFrom::Json(path) => json.as_ref().and_then(|json| member(json, path)),
        };
        value
            .map(|mut value| {
                value.truncate(value.floor_char_boundary(LONGEST_CAPTURE));
                memory.keep(capture.slot, value);
            })
            .is_some()
    })
}

fn member(json: &serde_json::Value, path: &[JsonStep]) -> Option<String> {
    let found = path.iter().try_fold(json, |value, step| match step {
        JsonStep::Member(name) => value.get(name),
        JsonStep::Index(index) => value.get(index),
    })?;
    match found {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The row of a data set that an arrival gets. Never called with an empty set.
fn row_of(set: &DataSet, seed: Seed, arrival: u64) -> usize {
    let rows = set.rows.len() as u64;
    let row = match set.pick {
        Pick::Sequential => arrival % rows,
        Pick::Random => seed.draw("row").with(arrival).below(rows),
        Pick::Shuffle | Pick::Unique => {
            let round = arrival / rows;
            permuted(seed.draw("shuffle").with(round), arrival % rows, rows)
        }
    };
    row as usize
}

/// Element `index` of a pseudo-random permutation of `0..n`, without making the permutation.
///
/// A four-round Feistel network over the smallest even number of bits that holds `n`, walked until it lands
/// below `n` (Black and Rogaway, *Ciphers with Arbitrary Finite Domains*, CT-RSA 2002).
fn permuted(key: Draw, index: u64, n: u64) -> u64 {
    let half = (u64::BITS - (n - 1).leading_zeros()).div_ceil(2).max(1);
    let mask = (1u64 << half) - 1;
    let mut value = index;
    loop {
        let (mut left, mut right) = (value >> half, value & mask);
        for round in 0..4 {
            (left, right) = (right, left ^ (key.with(round).with(right).bits() & mask));
        }
        value = left << half | right;
        if value < n {
            return value;
        }
    }
}

/// A version 4 UUID (RFC 9562 §5.4) whose random bits come from the draw.
pub fn uuid(draw: Draw) -> String {
    let (a, b) = (draw.with(0).bits(), draw.with(1).bits());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | (b >> 48) & 0x3fff,
        b & 0xffff_ffff_ffff
    )
}

fn escaped(out: &mut Vec<u8>, escape: Escape, value: &[u8]) {
    match escape {
        Escape::Raw => out.extend_from_slice(value),
        Escape::Header => out.extend(value.iter().filter(|byte| **byte >= 0x20 && **byte != 0x7f)),
        Escape::Url => {
            for &byte in value {
                match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte),
                    _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
                }
            }
        }
        Escape::Json => {
            let text = String::from_utf8_lossy(value);
            let quoted = serde_json::to_string(&text).expect("a string is always JSON");
            out.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
        }
    }
}

/// A header value; what cannot stand in one is dropped.
fn header_value(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).unwrap_or_else(|_| {
        let mut clean = Vec::new();
        escaped(&mut clean, Escape::Header, text);
        HeaderValue::from_bytes(&clean).expect("bytes from 0x20, without DEL, are a header value")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_meets_every_row_once_whatever_the_number_of_rows() {
        for n in [1u64, 2, 3, 7, 64, 100, 1_000] {
            let mut seen: Vec<u64> = (0..n).map(|i| permuted(Seed(4).draw("shuffle").with(9), i, n)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..n).collect::<Vec<_>>(), "{n}");
        }
    }

    #[test]
    fn a_shuffle_is_another_one_in_every_round() {
        let set = DataSet { name: "d".into(), fields: vec!["f".into()], rows: vec![vec![Bytes::new()]; 50], pick: Pick::Shuffle };
        let round = |r: u64| (0..50).map(|k| row_of(&set, Seed(1), r * 50 + k)).collect::<Vec<_>>();
        assert_ne!(round(0), round(1));
        assert_eq!(round(0), round(0));
    }

    #[test]
    fn hostile_values_stay_values_wherever_they_are_put() {
        let hostile = "a\"b\\\r\nX-Evil: 1 /../é";
        let put = |escape| {
            let mut out = Vec::new();
            escaped(&mut out, escape, hostile.as_bytes());
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(put(Escape::Json), "a\\\"b\\\\\\r\\nX-Evil: 1 /../é");
        assert_eq!(put(Escape::Url), "a%22b%5C%0D%0AX-Evil%3A%201%20%2F..%2F%C3%A9");
        assert_eq!(put(Escape::Header), "a\"b\\X-Evil: 1 /../é");
    }

    #[test]
    fn uuids_have_version_4_and_differ_by_arrival() {
        let one = uuid(Seed(1).draw("uuid").with(1));
        assert_eq!(one.len(), 36);
        assert_eq!(&one[14..15], "4");
        assert!(matches!(&one[19..20], "8" | "9" | "a" | "b"), "{one}");
        assert_ne!(one, uuid(Seed(1).draw("uuid").with(2)));
    }

    #[test]
    fn captured_members_are_found_by_path_and_missing_ones_are_told() {
        let json = serde_json::json!({ "data": { "items": [{ "id": 7 }, { "id": "x" }] } });
        let path = |index| {
            vec![JsonStep::Member("data".into()), JsonStep::Member("items".into()), JsonStep::Index(index), JsonStep::Member("id".into())]
        };
        assert_eq!(member(&json, &path(0)), Some("7".to_owned()));
        assert_eq!(member(&json, &path(1)), Some("x".to_owned()));
        assert_eq!(member(&json, &path(2)), None);
    }
}
