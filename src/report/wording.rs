//! The words and orders that all renderings share.

use std::cmp::Reverse;

use super::escape::line;
use super::number::{self, NOTHING};
use super::{EndedBy, ProbeFacts, Report};
use crate::analysis::{
    ContractFacts, CoverageFacts, DecisionFacts, EntryFacts, EntryState, EstimateFacts, FaultFacts, FindingFacts, GateFacts, LimiterFacts,
    Status, UpstreamFacts,
};
use crate::contract::replay::{Outcome, Replayed};
use crate::gate::Decision;

/// Names longer than this are cut.
pub const NAME: usize = 120;
/// Sentences longer than this are cut.
pub const SENTENCE: usize = 400;

/// A sign and a word: what a reader sees even without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign {
    pub icon: &'static str,
    pub word: &'static str,
    pub tone: Tone,
}

/// Good, bad, or to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Doubtful,
    Bad,
    Quiet,
}

impl Tone {
    /// The class of the style sheet.
    pub const fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Doubtful => "doubtful",
            Tone::Bad => "bad",
            Tone::Quiet => "muted",
        }
    }
}

const fn sign(icon: &'static str, word: &'static str, tone: Tone) -> Sign {
    Sign { icon, word, tone }
}

/// The verdict in a word.
pub const fn status(status: Status) -> Sign {
    match status {
        Status::Pass => sign("✓", "PASS", Tone::Good),
        Status::Fail => sign("✗", "FAIL", Tone::Bad),
        Status::Inconclusive => sign("?", "INCONCLUSIVE", Tone::Doubtful),
        Status::Invalid => sign("!", "INVALID", Tone::Bad),
        Status::Error => sign("✗", "ERROR", Tone::Bad),
    }
}

/// A gate's decision in a word.
pub const fn decision(decision: Decision) -> Sign {
    match decision {
        Decision::Pass => sign("✓", "pass", Tone::Good),
        Decision::Inconclusive => sign("?", "inconclusive", Tone::Doubtful),
        Decision::Fail => sign("✗", "fail", Tone::Bad),
        Decision::NotDecided => sign("–", "not decided", Tone::Quiet),
    }
}

/// The state of a documented error in a word.
pub const fn state(state: EntryState) -> Sign {
    match state {
        EntryState::Conformant => sign("●", "conformant", Tone::Good),
        EntryState::Violating => sign("◆", "violating", Tone::Bad),
        EntryState::SyntheticOnly => sign("◇", "synthetic only", Tone::Doubtful),
        EntryState::NeedsHook => sign("○", "needs a hook", Tone::Doubtful),
        EntryState::Unreached => sign("□", "unreached", Tone::Doubtful),
        EntryState::NotTried => sign("◌", "not tried", Tone::Quiet),
        EntryState::Excluded => sign("×", "excluded", Tone::Quiet),
    }
}

/// Whether the target itself was seen to answer with this error.
pub const fn seen(state: EntryState) -> bool {
    matches!(state, EntryState::Conformant | EntryState::Violating)
}

/// How much of what is documented was seen: `24 of 26 documented errors seen, absolute 24 of 28`; the absolute figure
/// only where something is excluded.
pub fn covered(found: CoverageFacts) -> String {
    let seen = format!("{} of {} documented errors seen", number::count(found.seen), number::count(found.in_scope));
    match (found.absolute_seen, found.absolute_total) == (found.seen, found.in_scope) {
        true => seen,
        false => format!("{seen}, absolute {} of {}", number::count(found.absolute_seen), number::count(found.absolute_total)),
    }
}

/// The documented errors that the target was not seen to answer with, excluded ones last.
pub fn missing(contract: &ContractFacts) -> Vec<&EntryFacts> {
    let mut missing: Vec<&EntryFacts> = contract.entries.iter().filter(|entry| !seen(entry.state)).collect();
    missing.sort_by_key(|entry| entry.state == EntryState::Excluded);
    missing
}

/// How a probe came out.
pub const PROBE_OUTCOMES: [(&str, Sign); 7] = [
    ("accepted", sign("✗", "accepted", Tone::Bad)),
    ("no-answer", sign("✗", "no answer", Tone::Bad)),
    ("unexpected", sign("◆", "another error", Tone::Doubtful)),
    ("limited", sign("◇", "limited", Tone::Doubtful)),
    ("not-sent", sign("◌", "not sent", Tone::Quiet)),
    ("expected", sign("✓", "as expected", Tone::Good)),
    ("tolerated", sign("·", "tolerated", Tone::Quiet)),
];

/// The sign of a probe's outcome.
pub fn probe(probe: &ProbeFacts) -> Sign {
    PROBE_OUTCOMES.iter().find(|(word, _)| *word == probe.outcome).map_or(sign("?", "unknown", Tone::Doubtful), |(_, sign)| *sign)
}

/// The order of probes: what should be looked at first.
pub fn probe_weight(probe: &ProbeFacts) -> usize {
    PROBE_OUTCOMES.iter().position(|(word, _)| *word == probe.outcome).unwrap_or(0)
}

/// Whether a probe came out as it should, or as it may.
pub fn probe_is_fine(probe: &ProbeFacts) -> bool {
    matches!(probe.outcome.as_str(), "expected" | "tolerated")
}

/// What a probe was answered with, or why with nothing.
pub fn probe_answer(probe: &ProbeFacts) -> String {
    let reason = probe.reason.as_deref().map(|reason| line(reason, SENTENCE));
    match (probe.status, &probe.code) {
        (Some(status), Some(code)) => format!("{status} {}", line(code, NAME)),
        (Some(status), None) => status.to_string(),
        (None, _) => reason.unwrap_or_else(|| NOTHING.to_owned()),
    }
}

/// What should have come instead: the documented error that was aimed at, else the statuses that would do. Nothing where
/// it came.
pub fn probe_wanted(probe: &ProbeFacts) -> Option<String> {
    if probe.outcome == "expected" || probe.target_entry.is_some() && probe.target_entry == probe.answered_entry {
        return None;
    }
    let statuses: Vec<String> = probe.accept.iter().map(u16::to_string).collect();
    let statuses = if statuses.is_empty() { "any error".to_owned() } else { statuses.join(" or ") };
    Some(match &probe.target_entry {
        Some(key) => format!("aimed at {}", line(key, NAME)),
        None => format!("{statuses} would do"),
    })
}

/// `114 probes: 88 as expected, 26 tolerated`
pub fn probes(probes: &[ProbeFacts]) -> String {
    let of = |word: &str| probes.iter().filter(|probe| probe.outcome == word).count() as u64;
    let parts = PROBE_OUTCOMES.iter().map(|(word, sign)| (of(word), sign.word)).filter(|(n, _)| *n > 0);
    let parts: Vec<String> = parts.map(|(n, word)| format!("{} {word}", number::count(n))).collect();
    let all = number::count(probes.len() as u64);
    format!("{all} {}: {}", if probes.len() == 1 { "probe" } else { "probes" }, parts.join(", "))
}

/// What the verdict rests on, where it is not the gates: why a run is incomplete, in a sentence.
pub fn incomplete(report: &Report) -> Option<String> {
    if report.run.complete {
        return None;
    }
    if report.accounting.scheduled == 0 && report.accounting.attempts == 0 && report.probes.is_empty() {
        return Some("The run never began: there is nothing to be seen below.".to_owned());
    }
    let how = match report.run.ended_by {
        EndedBy::Schedule => "The run is incomplete",
        EndedBy::Sigint => "Interrupted from the keyboard",
        EndedBy::Sigterm => "Asked to stop by the system",
        EndedBy::AbortGate => "Stopped by a gate that aborts",
        EndedBy::TargetLost => "Stopped because the target was lost",
        EndedBy::Internal => "Stopped by an error of brownout's own",
    };
    let after = number::span(report.run.duration_ms.saturating_mul(1000));
    Some(format!("{how} after {after}: what follows is what was measured until then."))
}

/// `< 900 ms`
pub fn limit(gate: &GateFacts) -> String {
    let op = match gate.op.as_str() {
        "<" => "<",
        "<=" => "≤",
        ">" => ">",
        ">=" => "≥",
        "==" => "=",
        "!=" => "≠",
        _ => "?",
    };
    format!("{op}\u{a0}{}", number::in_unit(gate.limit, gate.unit))
}

/// `412 ms`
pub fn actual(gate: &GateFacts) -> String {
    gate.actual.map_or_else(|| NOTHING.to_owned(), |actual| number::in_unit(actual, gate.unit))
}

/// `398 … 431 ms`, nothing for facts.
pub fn interval(gate: &GateFacts) -> String {
    gate.ci.map_or_else(|| NOTHING.to_owned(), |ci| number::interval(ci, gate.unit))
}

/// Scope and reason in one line.
pub fn where_and_why(gate: &GateFacts) -> String {
    let parts = [gate.scope.as_deref().unwrap_or_default(), gate.reason.as_str()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// The gates as people want to read them: what failed first, then what could not be decided, in plan order otherwise.
pub fn gates_by_weight(report: &Report) -> Vec<(usize, &GateFacts)> {
    let mut gates: Vec<_> = report.verdict.gates.iter().enumerate().collect();
    gates.sort_by_key(|(_, gate)| match gate.decision {
        Decision::Fail => 0,
        Decision::Inconclusive => 1,
        Decision::NotDecided => 2,
        Decision::Pass => 3,
    });
    gates
}

/// The findings, the worst and the most frequent first, waived ones last.
pub fn findings_by_weight(report: &Report) -> Vec<(usize, &FindingFacts)> {
    let mut findings: Vec<_> = report.findings.iter().enumerate().collect();
    findings.sort_by_key(|(at, finding)| (finding.waiver.is_some(), Reverse(finding.severity), Reverse(finding.count), *at));
    findings
}

/// Where a finding was met: `llm-api · 429 RATE_LIMIT_EXCEEDED`.
pub fn met_where(finding: &FindingFacts) -> String {
    let status = finding.status.map(|status| status.to_string());
    let answer = [status.as_deref(), finding.code.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let parts = [finding.service.as_deref().unwrap_or_default(), &answer];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// When a finding was met: `first 12.4 s, last 18.1 s`.
pub fn met_when(finding: &FindingFacts) -> String {
    match (finding.first_at_ms, finding.last_at_ms) {
        (first, last) if first == last => format!("at {}", number::moment(first)),
        (first, last) => format!("first {}, last {}", number::moment(first), number::moment(last)),
    }
}

/// What came of sending a finding's request again, alone: `reproduced, the same finding in an answer of 500 INTERNAL_ERROR`.
pub fn idle_replay(replay: &Replayed) -> String {
    format!("{}, {}", replayed(replay.outcome), replay.reason)
}

/// What came of sending a finding's request again, in a word or two.
pub const fn replayed(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Reproduced => "reproduced",
        Outcome::NotReproduced => "not reproduced",
        Outcome::CannotTell => "cannot tell",
        Outcome::NotApplicable => "not applicable",
    }
}

/// `1 answer`, `12 answers`.
pub fn answers(n: u64) -> String {
    counted(n, "answer")
}

/// `1 thing`, `12 things`.
pub fn counted(n: u64, thing: &str) -> String {
    format!("{}\u{a0}{thing}{}", number::count(n), if n == 1 { "" } else { "s" })
}

/// A service's name in a table: rows without one apply to any.
pub fn service(entry: &EntryFacts) -> &str {
    entry.service.as_deref().unwrap_or("any service")
}

/// `22 Nov 2026 18:04 UTC`, or the text itself where it is no RFC 3339 time.
pub fn wall_clock(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%-d %b %Y %H:%M UTC").to_string(),
        Err(_) => line(text, NAME),
    }
}

/// `token-bucket: 10 at once, 0.98 … 1.02 per second`
pub fn does(limiter: &LimiterFacts) -> String {
    let Some(algorithm) = &limiter.algorithm else { return "cannot be told".to_owned() };
    let capacity = limiter.capacity.map(|capacity| format!("{} at once", between(capacity)));
    let window = limiter.window_ms.map(|window| format!("in {} ms", between(window)));
    let rate = limiter.per_second.filter(|_| limiter.window_ms.is_none()).map(|rate| format!("{} per second", between(rate)));
    let parts: Vec<String> = [capacity, window, rate].into_iter().flatten().collect();
    format!("{}: {}", line(algorithm, NAME), parts.join(", "))
}

fn between(estimate: EstimateFacts) -> String {
    let shown = |value: f64| if value >= 100.0 { format!("{value:.0}") } else { format!("{}", (value * 100.0).round() / 100.0) };
    match (shown(estimate.low), shown(estimate.high)) {
        (low, high) if low == high => low,
        (low, high) => format!("{low} … {high}"),
    }
}

/// `12 answers lost, 11 of them carried out by the target`: answers that a fault kept from the client, and the proof of
/// duplicates to come, where it repeats what was done.
pub fn lost(lost: UpstreamFacts) -> String {
    format!("{} lost, {} of them carried out by the target", answers(lost.answered), number::count(lost.succeeded))
}

/// The ways in which a fault made answers wrong that no check found, where there was a contract to check them by.
pub fn not_found(fault: &FaultFacts, report: &Report) -> Vec<String> {
    let missed = fault.mutations.iter().filter(|one| one.seen == 0 && !one.expects.is_empty());
    let missed = missed.filter(|_| fault.fired > 0 && report.contract.is_some());
    missed
        .map(|one| format!("{} of {}: not found by {}", line(&one.name, 60), line(&fault.name, 40), line(&one.expects.join(" and "), 60)))
        .collect()
}

/// How far the decisions of all faults would be the same again.
pub fn repeats(decisions: &DecisionFacts) -> String {
    match &decisions.reason {
        None => format!("{}: the same plan and seed disturb the same attempts", line(&decisions.level, 24)),
        Some(why) => format!("{}: {}", line(&decisions.level, 24), line(why, 300)),
    }
}

/// The services of the contract's entries in order of first appearance.
pub fn services(entries: &[EntryFacts]) -> Vec<Option<&str>> {
    let mut services: Vec<Option<&str>> = Vec::new();
    for entry in entries {
        let service = entry.service.as_deref();
        if !services.contains(&service) {
            services.push(service);
        }
    }
    services
}

/// Whether a finding is about this documented error: the service's own, else the general one of its status and code.
pub fn belongs(finding: &FindingFacts, entry: &EntryFacts, entries: &[EntryFacts]) -> bool {
    let same = |other: &EntryFacts| finding.status == Some(other.status) && finding.code.as_deref() == Some(&other.code);
    let own = |other: &EntryFacts| other.service.is_some() && other.service == finding.service;
    same(entry) && (own(entry) || entry.service.is_none() && !entries.iter().any(|other| same(other) && own(other)))
}
