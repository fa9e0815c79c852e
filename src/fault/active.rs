//! What was decided so far: counted, and remembered where a later decision depends on it.
//!
//! Most decisions depend on nothing but the attempt itself. Those that do not stand here: windows that count
//! requests, sequences over a route, a key or the run, and rules that disturb only so many attempts at once.

use std::collections::HashMap;

use super::log::{Entry, Verdict};
use super::{Effect, FaultRule, FaultRules, Limiter, Per, Sighting, Told};
use crate::id::RuleIx;
use crate::throttle::Standing;
use crate::throttle::keyed::Keyed;
use crate::units::{Micros, Offset};

/// Sequences by key or route that are counted apart; those beyond share one count, so that memory is bounded.
const MOST_SEQUENCES: usize = 65_536;

/// The memory of one run's decisions; one thread's, so that nothing is locked.
#[derive(Debug, Default)]
pub struct Ledger {
    rules: Vec<OfRule>,
    /// How many requests were hit, by rule and by route or key.
    hit: HashMap<(RuleIx, u64), u64>,
    /// What the first limiter said that let the last attempt pass.
    told: Option<Told>,
    /// What was decided about the attempt at hand.
    entry: Option<Entry>,
    followed: Followed,
    /// The entries of the script for which an attempt came, a bit each.
    met: Vec<u64>,
}

/// How a run and the script it follows fit together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Attempts that the script knows.
    pub known: u64,
    /// Attempts that it does not know though a rule of the plan is open for them and matches: they passed.
    pub unknown: u64,
    /// Its entries for which no attempt came.
    pub unmet: u64,
}

/// What is counted and remembered of one rule.
#[derive(Debug, Default)]
struct OfRule {
    eligible: u64,
    planned: u64,
    held_back: u64,
    /// Elements of sequences over exchanges that were planned and for which no attempt came yet.
    outstanding: i64,
    /// Requests that matched while a window's time ran, by window; empty where no window counts.
    seen: Vec<u64>,
    active: u32,
    /// What is left of the rule's limit, by key.
    limits: Option<Keyed>,
}

impl OfRule {
    fn new(rule: &FaultRule) -> OfRule {
        let counts = rule.windows.iter().any(|window| window.requests.is_some());
        let limits = match &rule.effect {
            Effect::Limiter(limiter) => Some(Keyed::new(limiter.algorithm, limiter.allowance)),
            _ => None,
        };
        OfRule { seen: vec![0; if counts { rule.windows.len() } else { 0 }], limits, ..OfRule::default() }
    }
}

/// What became of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCount {
    /// Attempts that matched inside a window.
    pub eligible: u64,
    /// Attempts that the rule was to disturb: the draw said yes, and the sequence did not say `pass`.
    pub planned: u64,
    /// Planned, and passed since one more would have been too many at once.
    pub held_back: u64,
    /// Elements of sequences for which no request came.
    pub unreached: u64,
    /// Requests that shared a limit with others for want of room for more keys.
    pub crowded: u64,
}

impl Ledger {
    pub(super) fn new(faults: &FaultRules) -> Ledger {
        let entries = faults.script.as_ref().map_or(0, |script| script.len());
        Ledger {
            rules: faults.rules.iter().map(OfRule::new).collect(),
            followed: Followed { unmet: entries as u64, ..Followed::default() },
            met: vec![0; entries.div_ceil(64)],
            ..Ledger::default()
        }
    }

    /// What was decided about the latest attempt, for the log; `None` where no rule was eligible for it.
    pub fn entry(&self) -> Option<&Entry> {
        self.entry.as_ref().filter(|entry| entry.eligible != 0)
    }

    /// How the run and its script fit together, so far; all zero where there is no script.
    pub fn followed(&self) -> Followed {
        self.followed
    }

    /// Another attempt is looked at.
    pub(super) fn open(&mut self, seen: &Sighting<'_>) {
        self.entry = Some(Entry {
            arrival: seen.arrival,
            scenario: seen.scenario,
            step: seen.step,
            attempt: seen.attempt,
            eligible: 0,
            verdict: Verdict::Spared,
            rule: RuleIx(0),
            element: 0,
            delay: None,
            delay_after: None,
        });
    }

    fn decided(&mut self, verdict: Verdict, rule: RuleIx, element: usize) {
        if let Some(entry) = &mut self.entry {
            (entry.verdict, entry.rule, entry.element) = (verdict, rule, u16::try_from(element).unwrap_or(u16::MAX));
        }
    }

    /// The script knows this attempt.
    pub(super) fn follow(&mut self, place: usize, entry: &Entry, rules: usize, limited: bool) {
        let (word, bit) = (&mut self.met[place / 64], 1 << (place % 64));
        if *word & bit == 0 {
            *word |= bit;
            self.followed.unmet = self.followed.unmet.saturating_sub(1);
        }
        self.followed.known += 1;
        entry.admitted(rules).for_each(|ix| self.rules[ix.at()].eligible += 1);
        let of = &mut self.rules[entry.rule.at()];
        of.planned += u64::from(matches!(entry.verdict, Verdict::Disturbed | Verdict::HeldBack));
        of.held_back += u64::from(entry.verdict == Verdict::HeldBack);
        of.active += u32::from(limited && entry.verdict == Verdict::Disturbed);
        self.entry = Some(*entry);
    }

    /// The script does not know this attempt.
    pub(super) fn unknown(&mut self, of_mine: bool) {
        self.followed.unknown += u64::from(of_mine);
    }

    /// There is one rule more, after all others.
    pub fn added(&mut self, rule: &FaultRule) {
        self.rules.push(OfRule::new(rule));
    }

    /// What became of a rule, so far.
    pub fn count(&self, ix: RuleIx, rule: &FaultRule) -> RuleCount {
        let Some(of) = self.rules.get(ix.at()) else { return RuleCount::default() };
        let length = if let Effect::Sequence(elements) = &rule.effect { elements.len() as u64 } else { 0 };
        let counted = self.hit.iter().filter(|((of, _), _)| *of == ix).map(|(_, hits)| length.saturating_sub(*hits));
        let unreached = u64::try_from(of.outstanding).unwrap_or(0) + counted.sum::<u64>();
        RuleCount {
            eligible: of.eligible,
            planned: of.planned,
            held_back: of.held_back,
            unreached,
            crowded: of.limits.as_ref().map_or(0, Keyed::crowded),
        }
    }

    /// What the first limiter that let the last attempt pass has to say on the answer to it; to be asked once.
    pub fn take_told(&mut self) -> Option<Told> {
        self.told.take()
    }

    /// Spends from a limit; where it refuses, how.
    pub(super) fn refuses(&mut self, ix: RuleIx, limiter: &Limiter, seen: &Sighting<'_>) -> Option<Standing> {
        let standing = self.rules[ix.at()].limits.as_mut()?.take(limiter.key_of(seen), limiter.cost, seen.now);
        if standing.admitted {
            self.told.get_or_insert(Told { rule: ix, standing });
            return None;
        }
        self.told = None;
        Some(standing)
    }

    /// A rule is about to strike connections: there is no request yet that it could look at.
    pub fn strikes(&mut self, rule: RuleIx) {
        let of = &mut self.rules[rule.at()];
        of.eligible += 1;
        of.planned += 1;
    }

    /// An attempt that a rule disturbed is over.
    pub fn ended(&mut self, rule: RuleIx) {
        if let Some(of) = self.rules.get_mut(rule.at()) {
            of.active = of.active.saturating_sub(1);
        }
    }

    /// How much of the first open window is over, now that a request matches; `None` where none is open.
    pub(super) fn admit(&mut self, ix: RuleIx, rule: &FaultRule, at: Offset) -> Option<f64> {
        let seen = &mut self.rules[ix.at()].seen;
        let mut open = None;
        for (index, window) in rule.windows.iter().enumerate().filter(|(_, window)| window.holds(at)) {
            let before = seen.get(index).copied().unwrap_or(0);
            open = open.or_else(|| window.progress(at, before));
            seen.iter_mut().skip(index).take(1).for_each(|seen| *seen += 1);
        }
        open
    }

    pub(super) fn eligible(&mut self, ix: RuleIx) {
        self.rules[ix.at()].eligible += 1;
        if let Some(entry) = &mut self.entry {
            entry.admit(ix);
        }
    }

    /// The rule's sequence says that the attempt passes.
    pub(super) fn passed(&mut self, ix: RuleIx, element: usize) {
        self.decided(Verdict::Passed, ix, element);
    }

    /// The rule disturbs the attempt, unless that would be one too many at once; then it is false.
    pub(super) fn planned(&mut self, ix: RuleIx, element: usize, most: Option<u32>) -> bool {
        let of = &mut self.rules[ix.at()];
        of.planned += 1;
        let free = most.is_none_or(|most| of.active < most);
        of.active += u32::from(free && most.is_some());
        of.held_back += u64::from(!free);
        self.decided(if free { Verdict::Disturbed } else { Verdict::HeldBack }, ix, element);
        free
    }

    pub(super) fn delayed(&mut self, delay: Option<Micros>, delay_after: Option<Micros>) {
        if let Some(entry) = &mut self.entry {
            (entry.delay, entry.delay_after) = (delay, delay_after);
        }
    }

    /// The place in the rule's sequence that this attempt takes, from 0.
    pub(super) fn place(&mut self, ix: RuleIx, rule: &FaultRule, seen: &Sighting<'_>) -> u64 {
        let by_attempt = u64::from(seen.attempt.0.saturating_sub(1));
        let Effect::Sequence(elements) = &rule.effect else { return by_attempt };
        let unit = match rule.per {
            Per::Attempt | Per::Exchange => {
                let length = elements.len() as u64;
                let outstanding = &mut self.rules[ix.at()].outstanding;
                match by_attempt {
                    0 => *outstanding += i64::try_from(length.saturating_sub(1)).unwrap_or(i64::MAX),
                    place if place < length => *outstanding -= 1,
                    _ => {}
                }
                return by_attempt;
            }
            Per::Key => seen.key,
            Per::Route => u64::from(seen.scenario.0) << 16 | u64::from(seen.step.0),
            Per::Global => 0,
        };
        let known = self.hit.len() < MOST_SEQUENCES || self.hit.contains_key(&(ix, unit));
        let hits = self.hit.entry((ix, if known { unit } else { u64::MAX })).or_default();
        *hits += 1;
        *hits - 1
    }
}
