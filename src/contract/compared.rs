//! The same question asked more than once: answers to one probe, or to one step, in different phases of a run.
//!
//! X02 is an answer that differs under load or faults from the one an idle target gave; X03 one that differs although
//! nothing else was going on. Both compare status, code and shape, never texts or values.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::Violation;
use crate::contract::drift::violation;
use crate::contract::evidence::Evidence;
use crate::contract::findings::{RunFinding, Sighting, shown_code};
use crate::contract::shape::Shape;
use crate::id::{ProbeIx, RowIx, ScenarioIx, ServiceIx, StepIx};
use crate::units::{Offset, rate_interval};

/// What was going on when an answer was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum During {
    /// Nothing but the request itself.
    Idle,
    /// Other requests.
    Load,
    /// Other requests, while a fault was open.
    Fault,
}

impl During {
    /// A stable word for reports.
    pub const fn word(self) -> &'static str {
        match self {
            During::Idle => "idle",
            During::Load => "load",
            During::Fault => "fault",
        }
    }

    const fn clause(self) -> &'static str {
        match self {
            During::Idle => "when idle",
            During::Load => "under load",
            During::Fault => "while a fault was open",
        }
    }
}

/// Questions kept at most, and different answers of each.
const QUESTIONS: usize = 2_048;
const ANSWERS: usize = 8;
/// Answers that are shown.
const SAMPLES: usize = 64;
/// Bytes kept of a code.
const CODE: usize = 64;

/// What is asked again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// The same request every time: any difference is one.
    Probe(ProbeIx),
    /// Requests of one kind, about different things: only how often it ends in a server error can be compared.
    Step(ScenarioIx, StepIx),
}

/// An answer, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Answer {
    /// 0: none came.
    status: u16,
    code: String,
    shape: Option<Shape>,
}

#[derive(Clone, Debug)]
struct Times {
    count: u64,
    first_at: Offset,
    last_at: Offset,
    service: Option<ServiceIx>,
    row: Option<RowIx>,
    evidence: Option<Evidence>,
}

/// The answers to every question in every phase; of constant size.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    answers: BTreeMap<(Question, During), BTreeMap<Answer, Times>>,
    samples: usize,
}

impl Compared {
    /// Takes down one answer, or that none came; `sample` writes down the few that are kept.
    pub fn note(&mut self, question: Question, during: During, sighting: &Sighting<'_>, sample: impl Fn() -> Evidence) {
        let key = (question, during);
        if self.answers.len() >= QUESTIONS && !self.answers.contains_key(&key) {
            return;
        }
        let judged = sighting.judged;
        let status = sighting.response.map_or(0, |response| response.status);
        let answer = match question {
            Question::Probe(_) => {
                let code = judged.code.as_deref().map(|code| shown_code(judged.row, code)).unwrap_or_default();
                Answer { status, code: code.chars().take(CODE).collect(), shape: judged.shape }
            }
            Question::Step(..) => Answer { status: if is_failure(status) { status } else { 200 }, code: String::new(), shape: None },
        };
        let known = self.answers.entry(key).or_default();
        if known.len() >= ANSWERS && !known.contains_key(&answer) {
            return;
        }
        let samples = &mut self.samples;
        let times = known.entry(answer).or_insert_with(|| {
            let room = *samples < SAMPLES && status != 200;
            *samples += usize::from(room);
            Times {
                count: 0,
                first_at: sighting.at,
                last_at: sighting.at,
                service: judged.service,
                row: judged.row,
                evidence: room.then(sample),
            }
        });
        times.count += 1;
        times.last_at = times.last_at.max(sighting.at);
    }

    /// Joins what another worker saw.
    pub fn merge(&mut self, other: Compared) {
        self.samples += other.samples;
        for (key, theirs) in other.answers {
            if self.answers.len() >= QUESTIONS && !self.answers.contains_key(&key) {
                continue;
            }
            let known = self.answers.entry(key).or_default();
            for (answer, times) in theirs {
                let full = known.len() >= ANSWERS;
                match known.get_mut(&answer) {
                    Some(mine) => {
                        mine.count += times.count;
                        mine.first_at = mine.first_at.min(times.first_at);
                        mine.last_at = mine.last_at.max(times.last_at);
                        mine.evidence = mine.evidence.take().or(times.evidence);
                    }
                    None if full => {}
                    None => {
                        known.insert(answer, times);
                    }
                }
            }
        }
    }

    /// What the comparison shows: X02, X03. Equal differences of several questions are one finding.
    pub fn conclude(&self) -> Vec<RunFinding> {
        let questions: BTreeSet<Question> = self.answers.keys().map(|(question, _)| *question).collect();
        let mut found: BTreeMap<(&str, Option<ServiceIx>, Answer, String), RunFinding> = BTreeMap::new();
        for question in questions {
            for one in self.of(question) {
                let key = (one.violation.check, one.service, one.answer(), one.violation.cause.clone());
                match found.get_mut(&key) {
                    Some(known) => known.join(one),
                    None => {
                        found.insert(key, one);
                    }
                }
            }
        }
        found.into_values().collect()
    }

    fn of(&self, question: Question) -> Vec<RunFinding> {
        let phases = [During::Idle, During::Load, During::Fault].map(|during| (during, self.answers.get(&(question, during))));
        let mut phases = phases.into_iter().filter_map(|(during, answers)| Some((during, answers?)));
        let Some((calm, base)) = phases.next() else { return Vec::new() };
        match question {
            Question::Probe(probe) => {
                let idle = (calm == During::Idle).then(|| differs_alone(probe, base)).flatten();
                let other = phases.flat_map(|(during, answers)| differs(probe, (calm, base), (during, answers)));
                idle.into_iter().chain(other).collect()
            }
            Question::Step(scenario, step) if calm == During::Idle => {
                let loaded = phases.find(|(during, _)| *during == During::Load);
                loaded.map_or_else(Vec::new, |(_, answers)| fails_more(scenario, step, base, answers))
            }
            Question::Step(..) => Vec::new(),
        }
    }
}

/// Whether a status is a server's failure that says nothing of being busy.
const fn is_failure(status: u16) -> bool {
    status == 0 || (status >= 500 && status != 503)
}

/// Being busy is documented behaviour, and no difference: 429, and a 503 that is as documented.
fn is_busy(answer: &Answer, times: &Times) -> bool {
    answer.status == 429 || (answer.status == 503 && times.row.is_some())
}

/// X03.
fn differs_alone(probe: ProbeIx, answers: &BTreeMap<Answer, Times>) -> Option<RunFinding> {
    let mut own: Vec<_> = answers.iter().filter(|(answer, times)| !is_busy(answer, times)).collect();
    own.sort_by_key(|(_, times)| std::cmp::Reverse(times.count));
    let ((usual, first), rest) = own.split_first()?;
    if rest.is_empty() {
        return None;
    }
    let actual = own.iter().take(4).map(|(answer, times)| format!("{} in {}", words(answer, usual), times.count)).collect::<Vec<_>>();
    let violation = violation(
        "X03",
        "$",
        "the same answer to the same request, when nothing else is asked".to_owned(),
        format!("{} answers", actual.join(", ")),
        what_differs(rest[0].0, usual),
    );
    Some(finding(probe, violation, usual, first, rest))
}

/// X02, for a probe.
fn differs(
    probe: ProbeIx,
    (calm, base): (During, &BTreeMap<Answer, Times>),
    (during, answers): (During, &BTreeMap<Answer, Times>),
) -> Vec<RunFinding> {
    let usual = base.iter().filter(|(answer, times)| !is_busy(answer, times)).max_by_key(|(_, times)| times.count);
    let Some((usual, at_rest)) = usual else { return Vec::new() };
    let other = answers.iter().filter(|(answer, times)| !base.contains_key(*answer) && !is_busy(answer, times));
    other
        .map(|one| {
            let violation = violation(
                "X02",
                "$",
                format!("{}, as {}", words(usual, one.0), calm.clause()),
                format!("{} {}", words(one.0, usual), during.clause()),
                &format!("{} {}", what_differs(one.0, usual), during.clause()),
            );
            let mut found = finding(probe, violation, one.0, one.1, &[one]);
            found.evidence.extend(at_rest.evidence.clone());
            found
        })
        .collect()
}

/// X02, for a step: server errors are more frequent under load than they can have been at rest.
fn fails_more(scenario: ScenarioIx, step: StepIx, base: &BTreeMap<Answer, Times>, answers: &BTreeMap<Answer, Times>) -> Vec<RunFinding> {
    let all = |answers: &BTreeMap<Answer, Times>| answers.values().map(|times| times.count).sum::<u64>();
    let (at_rest, loaded) = (all(base), all(answers));
    let failures = answers.iter().filter(|(answer, _)| is_failure(answer.status));
    let worse = failures.filter_map(|(answer, times)| {
        let before = base.get(answer).map_or(0, |times| times.count);
        let (highest, lowest) = (rate_interval(before, at_rest).1, rate_interval(times.count, loaded).0);
        (lowest > highest).then(|| {
            let violation = violation(
                "X02",
                "status",
                format!("as often as when idle: {before} of {at_rest}"),
                format!("{} in {} of {loaded} under load", words(answer, answer), times.count),
                "more often under load",
            );
            RunFinding { operations: [(scenario, step)].into(), ..finding_of(violation, answer, times) }
        })
    });
    worse.collect()
}

/// What of two answers is different, the most telling first.
fn what_differs(one: &Answer, other: &Answer) -> &'static str {
    match (one.status == other.status, one.code == other.code) {
        (false, _) => "status",
        (true, false) => "code",
        (true, true) => "shape",
    }
}

/// An answer in words; its shape only where nothing else tells it from `other`.
fn words(answer: &Answer, other: &Answer) -> String {
    let status = if answer.status == 0 { "no answer".to_owned() } else { answer.status.to_string() };
    let code = if answer.code.is_empty() { String::new() } else { format!(" {}", answer.code) };
    let shape = match answer.shape {
        Some(Shape(hash)) if answer != other && what_differs(answer, other) == "shape" => format!(" of shape {hash:016x}"),
        _ => String::new(),
    };
    format!("{status}{code}{shape}")
}

fn finding(probe: ProbeIx, violation: Violation, answer: &Answer, times: &Times, counted: &[(&Answer, &Times)]) -> RunFinding {
    RunFinding {
        count: counted.iter().map(|(_, times)| times.count).sum(),
        first_at: counted.iter().map(|(_, times)| times.first_at).min().unwrap_or(times.first_at),
        last_at: counted.iter().map(|(_, times)| times.last_at).max().unwrap_or(times.last_at),
        evidence: counted.iter().filter_map(|(_, times)| times.evidence.clone()).take(2).collect(),
        probes: [probe].into(),
        ..finding_of(violation, answer, times)
    }
}

fn finding_of(violation: Violation, answer: &Answer, times: &Times) -> RunFinding {
    RunFinding {
        violation,
        service: times.service,
        row: times.row,
        status: (answer.status != 0).then_some(answer.status),
        code: (!answer.code.is_empty()).then(|| answer.code.clone()),
        count: times.count,
        first_at: times.first_at,
        last_at: times.last_at,
        evidence: times.evidence.iter().cloned().collect(),
        ..RunFinding::default()
    }
}

impl RunFinding {
    /// The answer it is about, by which equal differences are one.
    fn answer(&self) -> Answer {
        Answer { status: self.status.unwrap_or(0), code: self.code.clone().unwrap_or_default(), shape: None }
    }
}
