//! Pass or fail, and why: gates decided, their order of precedence, and the verdict in words.
//!
//! Invalid comes before everything: then no gate is decided. A gate that failed comes before one that could not
//! be decided, and that before a pass. A run without arrivals decides nothing, and one in which a judged stage had no
//! success at all is no pass, whatever its gates read.

use super::accounting::Counts;
use super::finish::ProbesAlone;
use super::readings::Reading;
use super::retries::Group;
use super::{Accounting, ContractFacts, FindingFacts, GateFacts, Status, Verdict};
use crate::gate::{Decision, Gate, Metric, Unit, count_words, value_words};
use crate::plan::Plan;
use crate::severity::Severity;
use crate::units::Offset;

/// What a verdict is made of, beside the gates' readings.
pub struct Evidence<'a> {
    pub plan: &'a Plan,
    pub interrupted: bool,
    pub aborted: bool,
    /// What became of the probes, where the run has probes and no load.
    pub only_probes: Option<&'a ProbesAlone>,
    /// What ended the battery before every probe had its turn, where a bound of the plan did.
    pub battery_cut: Option<&'static str>,
    pub ended_at: Offset,
    /// Why the run is not to be believed.
    pub invalid: Vec<String>,
    /// The whole run.
    pub accounting: &'a Accounting,
    /// Judged stages.
    pub judged: &'a Counts,
    pub retries: &'a Group,
    /// What a judged stage was answered in which no exchange was ok.
    pub without_success: Option<&'a str>,
    pub contract: Option<&'a ContractFacts>,
    pub findings: &'a [FindingFacts],
}

/// The verdict; one reading per gate of the plan, in order.
pub fn decide(evidence: &Evidence<'_>, readings: Vec<Reading>) -> Verdict {
    let gates: Vec<GateFacts> = evidence.plan.gates.iter().zip(readings).map(|(gate, reading)| judge(evidence, gate, reading)).collect();
    let status = status(evidence, &gates);
    Verdict { status, headline: headline(evidence, status, &gates), invalid: evidence.invalid.clone(), gates }
}

fn judge(evidence: &Evidence<'_>, gate: &Gate, reading: Reading) -> GateFacts {
    let judged = gate.judge(reading.as_ref().ok());
    let (mut decision, mut reason) = (judged.decision, judged.reason);
    if let Err(why) = &reading {
        reason.clone_from(why);
    }
    if decision == Decision::Fail && grows(gate.metric) {
        let cut = match (evidence.interrupted, evidence.battery_cut) {
            (true, _) => Some("the run was cut short".to_owned()),
            (false, bound) => bound.map(|bound| format!("the battery is not complete: {bound}")),
        };
        if let Some(cut) = cut {
            (decision, reason) = (Decision::Inconclusive, format!("{reason}, and {cut}"));
        }
    }
    if evidence.aborted && stopped_the_run(evidence.plan, gate, decision) {
        (decision, reason) = (Decision::Fail, format!("it stopped the run after {}", evidence.ended_at.0));
    }
    if !evidence.invalid.is_empty() {
        (decision, reason) = (Decision::NotDecided, "not decided: the run is not to be believed".to_owned());
    } else if let Some(why) = nothing_heard(evidence) {
        (decision, reason) = (Decision::Inconclusive, why);
    }
    let measured = reading.ok().filter(|measured| measured.n > 0 && measured.value.is_finite());
    GateFacts {
        id: gate.id.clone(),
        name: gate.name.clone(),
        require: gate.require.clone(),
        scope: (!gate.scope_words.is_empty()).then(|| gate.scope_words.clone()),
        metric: gate.metric.word(),
        op: gate.op.word().to_owned(),
        limit: gate.limit,
        actual: measured.as_ref().map(|measured| measured.value),
        unit: gate.metric.unit(),
        // JSON has no infinity: an open interval is none.
        ci: measured.as_ref().and_then(|measured| measured.interval).filter(|(_, high)| high.is_finite()).map(|(low, high)| [low, high]),
        n: measured.as_ref().map_or(0, |measured| measured.n),
        n_eff: measured.as_ref().and_then(|measured| measured.n_eff),
        decision,
        reason,
        severity: match gate.metric {
            Metric::ContractViolations(severity)
            | Metric::ContractFindings(severity)
            | Metric::ContractNewViolations(severity)
            | Metric::ContractNewFindings(severity) => Some(severity),
            _ => None,
        },
    }
}

/// What can only grow while a run goes on: one that was cut short has not missed it.
const fn grows(metric: Metric) -> bool {
    matches!(metric, Metric::ContractCoverage | Metric::ContractCoverageAbsolute)
}

/// An abort gate that stopped the run: the only one, or one that does not pass over the whole run either.
fn stopped_the_run(plan: &Plan, gate: &Gate, decision: Decision) -> bool {
    let only = plan.gates.iter().filter(|gate| gate.abort_over.is_some()).count() == 1;
    gate.abort_over.is_some() && (only || decision != Decision::Pass)
}

fn status(evidence: &Evidence<'_>, gates: &[GateFacts]) -> Status {
    let any = |decision| gates.iter().any(|gate| gate.decision == decision);
    if !evidence.invalid.is_empty() {
        Status::Invalid
    } else if any(Decision::Fail) {
        Status::Fail
    } else if unanswered(evidence) && !evidence.interrupted {
        Status::Error
    } else if any(Decision::Inconclusive) || nothing_heard(evidence).is_some() || evidence.without_success.is_some() || evidence.interrupted
    {
        // A part of a run passes nothing: what was not seen might have failed.
        Status::Inconclusive
    } else {
        Status::Pass
    }
}

// === the headline: what happened, and what decided ===

fn headline(evidence: &Evidence<'_>, status: Status, gates: &[GateFacts]) -> String {
    let mut sentences: Vec<String> = Vec::new();
    sentences.extend(early_end(evidence));
    if let Some(why) = nothing_heard(evidence) {
        sentences.push(match evidence.only_probes {
            Some(_) => format!("{}.", capitalised(&why)),
            None => "Nothing was sent: the schedule held no arrivals.".to_owned(),
        });
    }
    match status {
        Status::Invalid => sentences.push(not_believed(&evidence.invalid)),
        Status::Fail => sentences.extend([failed(gates), happened(evidence)]),
        Status::Inconclusive if evidence.without_success.is_some() => sentences.push(undecided(evidence, gates)),
        Status::Inconclusive => sentences.extend([undecided(evidence, gates), happened(evidence)]),
        Status::Pass => sentences.extend([passed(gates), happened(evidence)]),
        Status::Error => {}
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences.join(" ")
}

/// Why there is nothing that a gate could be decided on.
fn nothing_heard(evidence: &Evidence<'_>) -> Option<String> {
    match evidence.only_probes {
        Some(probes) => probes.nothing_heard(),
        None => (evidence.accounting.scheduled == 0).then(|| "nothing was sent".to_owned()),
    }
}

/// Whether a battery found a target that answers nothing: that is an error of the surroundings, and no verdict.
fn unanswered(evidence: &Evidence<'_>) -> bool {
    evidence.only_probes.is_some_and(|probes| probes.requests > 0 && probes.answered == 0)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn early_end(evidence: &Evidence<'_>) -> Option<String> {
    if evidence.only_probes.is_some() {
        return evidence.interrupted.then(|| "Interrupted before every probe had its turn.".to_owned());
    }
    let (after, of) = (evidence.ended_at.0, evidence.plan.schedule_end().0);
    match (evidence.aborted, evidence.interrupted) {
        (true, _) => Some(format!("Stopped by a gate after {after} of {of}.")),
        (false, true) => Some(format!("Interrupted after {after} of {of}.")),
        (false, false) => None,
    }
}

fn not_believed(problems: &[String]) -> String {
    let first = problems.first().map_or("", String::as_str);
    let more = match problems.len() {
        0 | 1 => String::new(),
        2 => " (and one problem more)".to_owned(),
        n => format!(" (and {} problems more)", n - 1),
    };
    format!("The run is not to be believed: {first}{more}. No gate was decided.")
}

fn failed(gates: &[GateFacts]) -> String {
    let failed: Vec<&GateFacts> = gates.iter().filter(|gate| gate.decision == Decision::Fail).collect();
    let first = failed.first().map_or_else(String::new, |gate| format!("“{}”: {}", gate.name, gate.reason));
    match failed.len() {
        1 if gates.len() == 1 => format!("The gate failed. {first}."),
        2 if gates.len() == 2 => format!("Both gates failed. {first}."),
        n if n == gates.len() => format!("All {n} gates failed. {first}."),
        n => format!("{n} of {} gates failed. {first}.", gates.len()),
    }
}

fn undecided(evidence: &Evidence<'_>, gates: &[GateFacts]) -> String {
    let open: Vec<&GateFacts> = gates.iter().filter(|gate| gate.decision == Decision::Inconclusive).collect();
    if let Some(answer) = evidence.without_success {
        let open = if gates.is_empty() { " There are no gates." } else { " What a gate needs was not there to be measured." };
        return format!("Nothing succeeded: {answer}.{open}");
    }
    if nothing_heard(evidence).is_some() {
        return String::new();
    }
    let first = open.first().map_or_else(String::new, |gate| format!("“{}”: {}", gate.name, gate.reason));
    match (open.len(), gates.len()) {
        (0, 0) => "There are no gates: nothing was decided.".to_owned(),
        (0, all) => format!("No gate failed so far ({all} of {all} would have passed on this part)."),
        (1, 1) => format!("The gate could not be decided. {first}."),
        (n, all) => format!("No gate failed, but {n} of {all} could not be decided. {first}."),
    }
}

fn passed(gates: &[GateFacts]) -> String {
    match gates.len() {
        0 => "There are no gates: nothing was decided.".to_owned(),
        1 => "The gate passed.".to_owned(),
        2 => "Both gates passed.".to_owned(),
        n => format!("All {n} gates passed."),
    }
}

/// What happened in the judged stages: success, recovery, the worst finding.
fn happened(evidence: &Evidence<'_>) -> String {
    let judged = evidence.judged;
    if let Some(ProbesAlone { answered, .. }) = evidence.only_probes {
        let answered = *answered;
        let covered = evidence.contract.map(|contract| contract.coverage);
        let mut words = format!("{} requests were answered", count_words(answered));
        if let Some(coverage) = covered {
            words.push_str(&format!("; {} of {} documented errors were seen", coverage.seen, coverage.in_scope));
        }
        words.push('.');
        if let Some(lie) = worst_finding(evidence.findings) {
            words.push_str(&format!(" {lie}"));
        }
        return words;
    }
    if judged.exchanges == 0 {
        return if evidence.accounting.exchanges > 0 { "No exchange was judged.".to_owned() } else { String::new() };
    }
    let share = value_words(judged.ok as f64 / judged.exchanges as f64, Unit::Ratio);
    let mut words = format!("{share} of {} exchanges were ok", count_words(judged.exchanges));
    let success = evidence.retries.success();
    if let Some(ratio) = success.ratio.filter(|_| evidence.retries.attempts > evidence.retries.exchanges) {
        let touched = count_words(success.touched);
        words.push_str(&format!("; of {touched} that met a failure, {} recovered", value_words(ratio, Unit::Ratio)));
    }
    words.push('.');
    if let Some(answer) = evidence.without_success {
        words = format!("Nothing succeeded: {answer}.");
    }
    if let Some(lie) = worst_finding(evidence.findings) {
        words.push_str(&format!(" {lie}"));
    } else if let Some(contract) = evidence.contract.filter(|contract| contract.inspected > 0) {
        let waived = evidence.findings.iter().filter(|finding| finding.waiver.is_some()).count() as u64;
        if waived > 0 {
            let n = count_words(waived);
            return format!(
                "{words} Of {} answers nothing broke the contract that is not waived ({n} findings are).",
                count_words(contract.inspected)
            );
        }
        words.push_str(&format!(" {} answers kept the contract.", count_words(contract.inspected)));
    }
    words
}

fn worst_finding(findings: &[FindingFacts]) -> Option<String> {
    let of_target = findings
        .iter()
        .filter(|finding| finding.severity >= Severity::Medium && finding.responder != "injector" && finding.waiver.is_none());
    let worst = of_target.max_by_key(|finding| (finding.severity, finding.count))?;
    let title = worst.title.trim_end_matches('.');
    Some(format!("The contract is broken: {title} ({} times).", count_words(worst.count)))
}
