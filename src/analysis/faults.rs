//! What became of every fault rule: what it touched, and whether it fired as often as it should have.

use super::mutations::Shown;
use super::readings::{Surroundings, recovery_after};
use super::timeline::Recovery;
use super::{DecisionFacts, FaultFacts, FollowedFacts, LogLines, UnfiredFacts, UpstreamFacts, WindowFacts};
use crate::fault::{Effect, Element, FaultRule, Trigger};
use crate::gate::count_words;
use crate::record::{Exchange, Followed, LogFacts, RuleTally, Unfired};

use super::scope::touched_by;

/// What one rule touched, as the generator saw it.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    attempts: u64,
    exchanges: u64,
    pub shown: Shown,
}

impl Touched {
    pub fn merge(&mut self, other: Touched) {
        self.attempts += other.attempts;
        self.exchanges += other.exchanges;
        self.shown.merge(other.shown);
    }
}

/// Counts one exchange for the rules that touched it.
pub fn exchange(touched: &mut [Touched], exchange: &Exchange<'_>) {
    for (index, attempt) in exchange.attempts.iter().enumerate() {
        let Some(rule) = touched_by(attempt) else { continue };
        let Some(one) = touched.get_mut(rule.at()) else { continue };
        one.attempts += 1;
        let before = &exchange.attempts[..index];
        if before.iter().any(|earlier| touched_by(earlier) == Some(rule)) {
            continue;
        }
        one.exchanges += 1;
    }
}

/// The report's table.
pub fn facts(touched: &[Touched], around: &Surroundings<'_>) -> Vec<FaultFacts> {
    let rules = around.plan.faults.rules.iter().enumerate();
    rules
        .map(|(ix, rule)| {
            let tally = tally(around, ix);
            let touched = touched.get(ix).cloned().unwrap_or_default();
            let infidelities = around.proxy.map_or(&[][..], |proxy| &proxy.infidelities);
            let last = rule.windows.iter().map(|window| window.end).max();
            FaultFacts {
                id: format!("f{}", ix + 1),
                name: rule.name.clone(),
                effect: effect_word(rule).to_owned(),
                spec: rule.spec.clone(),
                windows: rule
                    .windows
                    .iter()
                    .map(|window| WindowFacts { start_ms: window.start.as_millis(), end_ms: window.end.as_millis() })
                    .collect(),
                eligible: tally.eligible,
                planned: tally.planned,
                fired: tally.fired,
                unfired: unfired(&tally),
                upstream: loses_answers(rule).then_some(UpstreamFacts { answered: tally.lost, succeeded: tally.lost_successes }),
                unreached: tally.unreached,
                held_back: tally.held_back,
                level: around.plan.level_of(rule).0.word().to_owned(),
                attempts_touched: touched.attempts,
                exchanges_touched: touched.exchanges,
                recovery_ms: last.and_then(|end| match recovery_after(around, end)? {
                    Recovery::After(time) => Some(time.as_millis()),
                    Recovery::NotWithin(_) => None,
                }),
                fidelity_findings: infidelities.iter().filter(|one| one.rule.at() == ix).map(|one| one.count).sum(),
                mutations: touched.shown.facts(rule),
            }
        })
        .collect()
}

/// How far the decisions repeat, and where they stand.
pub fn decisions(around: &Surroundings<'_>) -> Option<DecisionFacts> {
    let plan = around.plan;
    if plan.faults.rules.is_empty() {
        return None;
    }
    let (level, because) = plan.level();
    let log = around.proxy.and_then(|proxy| proxy.log.clone());
    let followed = around.proxy.and_then(|proxy| proxy.followed);
    Some(DecisionFacts {
        level: level.word().to_owned(),
        reason: because.map(|(rule, why)| format!("the fault `{rule}` {why}")),
        log: log.map(|LogFacts { lines, missing, error }| LogLines { lines, missing, error }),
        followed: followed.map(|Followed { known, unknown, unmet }| FollowedFacts { known, unknown, unmet }),
    })
}

/// What is to be said about the log, and about the one that the run followed.
pub fn log_warnings(around: &Surroundings<'_>) -> Vec<String> {
    let Some(DecisionFacts { log, followed, .. }) = decisions(around) else { return Vec::new() };
    let mut warnings = Vec::new();
    if let Some(error) = log.as_ref().and_then(|log| log.error.as_ref()) {
        warnings.push(format!("the log of fault decisions could not be written: {error}"));
    } else if let Some(log) = log.filter(|log| log.missing > 0) {
        let (missing, lines) = (count_words(log.missing), count_words(log.lines));
        warnings.push(format!("the log of fault decisions was cut: {missing} attempts have no line beside {lines} that have"));
    }
    let followed = followed.unwrap_or_default();
    if followed.unknown > 0 {
        warnings
            .push(format!("{} attempts passed about which the decisions that the run followed say nothing", count_words(followed.unknown)));
    }
    if followed.unmet > 0 {
        warnings.push(format!("for {} of the decisions that the run followed no attempt came", count_words(followed.unmet)));
    }
    warnings
}

/// Limits that had too many keys to keep all of them apart, for a warning.
pub fn crowded(around: &Surroundings<'_>) -> Vec<String> {
    let rules = around.plan.faults.rules.iter().enumerate().map(|(ix, rule)| (rule, tally(around, ix).crowded));
    let words = rules.filter(|(_, shared)| *shared > 0).map(|(rule, shared)| {
        format!(
            "{} requests had to share a limit of the fault `{}`, which has too many keys to keep all apart",
            count_words(shared),
            rule.name
        )
    });
    words.collect()
}

/// Rules that should have fired, and did not: at least five hits were to be expected of what they saw.
pub fn never_fired(around: &Surroundings<'_>) -> Vec<String> {
    let Some(proxy) = around.proxy else { return Vec::new() };
    let followed = proxy.followed.is_some();
    let silent = around.plan.faults.rules.iter().enumerate().filter_map(|(ix, rule)| {
        let tally = tally(around, ix);
        // A run that follows a log fires what the log says; a sequence that begins with `pass` waits for retries.
        let drawn = !followed && !matches!(&rule.effect, Effect::Sequence(elements) if matches!(elements.first(), Some(Element::Pass)));
        let of_eligible = if drawn { tally.eligible as f64 * of_attempts(rule) } else { 0.0 };
        let expected = of_eligible.max((tally.planned - tally.held_back.min(tally.planned)) as f64);
        (tally.fired == 0 && expected >= 5.0).then(|| {
            let why = unfired(&tally).first().map(|reason| format!(": {}", reason.why)).unwrap_or_default();
            let expected = count_words(expected as u64);
            format!("the fault `{}` never fired, though about {expected} hits were to be expected{why}", rule.name)
        })
    });
    silent.collect()
}

/// Answers that were made wrong, and in which no check found what it should have, for a warning.
pub fn not_found(touched: &[Touched], around: &Surroundings<'_>) -> Vec<String> {
    let (Some(_), Some(_)) = (around.proxy, &around.plan.contract) else { return Vec::new() };
    let rules = around.plan.faults.rules.iter().enumerate().zip(touched).filter(|((ix, _), _)| tally(around, *ix).fired > 0);
    let missed = rules.flat_map(|((_, rule), touched)| touched.shown.missed(rule).into_iter().map(move |mutation| (rule, mutation)));
    let words = missed.map(|(rule, mutation)| {
        let stream = if mutation.in_stream { ": only a step that reads a `stream` can" } else { "" };
        format!("`{}` of the fault `{}` was not found by {}{stream}", mutation.name, rule.name, mutation.expects.join(" and "))
    });
    words.collect()
}

/// Rules that saw no request at all, for a warning.
pub fn unmet(around: &Surroundings<'_>) -> Vec<String> {
    let Some(_) = around.proxy else { return Vec::new() };
    let rules = around.plan.faults.rules.iter().enumerate();
    let unmet = rules.filter(|(ix, _)| tally(around, *ix).eligible == 0);
    unmet.map(|(_, rule)| format!("the fault `{}` met no request: nothing in its windows matches it", rule.name)).collect()
}

fn tally(around: &Surroundings<'_>, ix: usize) -> RuleTally {
    around.proxy.and_then(|proxy| proxy.rules.get(ix)).copied().unwrap_or_default()
}

/// The share of eligible attempts that a rule is to disturb; of `first_attempts` at least every second one of a retried
/// exchange, so that a half errs to the side of silence. Of a limiter none need be.
fn of_attempts(rule: &FaultRule) -> f64 {
    let share = rule.share().unwrap_or(0.0);
    if let Trigger::FirstAttempts(_) = rule.trigger { share / 2.0 } else { share }
}

/// Why what was planned was not done, most frequent first.
fn unfired(tally: &RuleTally) -> Vec<UnfiredFacts> {
    let told: u64 = tally.unfired.iter().sum();
    let left = tally.planned.saturating_sub(tally.fired + told);
    let reasons = Unfired::ALL.iter().zip(tally.unfired).map(|(why, count)| (why.words(), count));
    let reasons = reasons.chain([("the client left, or the run ended, before", left)]).filter(|(_, count)| *count > 0);
    let mut reasons: Vec<UnfiredFacts> = reasons.map(|(why, count)| UnfiredFacts { why: why.to_owned(), count }).collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    reasons
}

fn loses_answers(rule: &FaultRule) -> bool {
    match &rule.effect {
        Effect::DelayOnly | Effect::Limiter(_) => false,
        Effect::Fault(fault) => fault.loses_the_answer(),
        Effect::Sequence(elements) => elements.iter().any(|element| matches!(element, Element::Fault(fault) if fault.loses_the_answer())),
    }
}

fn effect_word(rule: &FaultRule) -> &'static str {
    match rule.effect {
        Effect::DelayOnly => "delay",
        Effect::Fault(ref fault) => fault.kind(),
        Effect::Sequence(_) => "sequence",
        Effect::Limiter(_) => "limiter",
    }
}
