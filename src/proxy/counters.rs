//! What the proxy counts by itself; one thread, so nothing is locked.

use hdrhistogram::Histogram;

use super::journal::Journal;
use crate::contract::Violation;
use crate::fault::{self, FaultRule, FaultRules, Ledger, RuleCount};
use crate::id::RuleIx;
use crate::record::{Followed, Infidelity, ProxyTally, RuleTally, Unfired};
use crate::units::Micros;

/// The tally while it grows.
pub(super) struct Counters {
    tally: ProxyTally,
    /// What was decided so far.
    pub(super) ledger: Ledger,
    journal: Option<Journal>,
}

impl Counters {
    pub(super) fn new(faults: &FaultRules) -> Counters {
        let tally = ProxyTally { rules: vec![RuleTally::default(); faults.rules.len()], ..ProxyTally::default() };
        Counters { tally, ledger: faults.ledger(), journal: None }
    }

    /// The same, with a log of what is decided.
    pub(super) fn logged(self, journal: Option<Journal>) -> Counters {
        Counters { journal, ..self }
    }

    /// Writes down what the ledger says was decided about an attempt.
    pub(super) fn write_down(&mut self) {
        if let (Some(journal), Some(entry)) = (&mut self.journal, self.ledger.entry()) {
            journal.note(entry);
        }
    }

    pub(super) fn stranger(&mut self) {
        self.tally.strangers += 1;
    }

    pub(super) fn seen(&mut self) {
        self.tally.seen += 1;
    }

    pub(super) fn forwarded(&mut self) {
        self.tally.forwarded += 1;
    }

    /// Adds what was decided about the first attempt of a first step.
    pub(super) fn decided(&mut self, fingerprint: u64) {
        self.tally.decisions_digest = self.tally.decisions_digest.wrapping_add(fingerprint);
    }

    /// The rule was done on the wire.
    pub(super) fn fired(&mut self, rule: RuleIx) {
        self.tally.rules[rule.at()].fired += 1;
    }

    /// The rule was to be done, and was not.
    pub(super) fn unfired(&mut self, rule: RuleIx, why: Unfired) {
        self.tally.rules[rule.at()].unfired[why as usize] += 1;
    }

    /// The target gave an answer of this status that the client never hears of.
    pub(super) fn lost(&mut self, rule: RuleIx, status: u16) {
        let rule = &mut self.tally.rules[rule.at()];
        rule.lost += 1;
        rule.lost_successes += u64::from((200..300).contains(&status));
    }

    pub(super) fn upstream_failed(&mut self) {
        self.tally.upstream_failures += 1;
    }

    /// The target took this long from the request to the head of its answer.
    pub(super) fn upstream_answered(&mut self, took: Micros) {
        let histogram = self
            .tally
            .upstream_us
            .get_or_insert_with(|| Histogram::new_with_bounds(1, Micros::HOUR.0, 3).expect("one microsecond to one hour in three digits"));
        histogram.saturating_record(took.0.max(1));
    }

    /// An answer of ours violates the contract (X05).
    pub(super) fn unfaithful(&mut self, rule: RuleIx, violation: &Violation) {
        let is_it = |known: &&mut Infidelity| known.rule == rule && known.check == violation.check && known.cause == violation.cause;
        match self.tally.infidelities.iter_mut().find(is_it) {
            Some(known) => known.count += 1,
            None => self.tally.infidelities.push(Infidelity { rule, check: violation.check, cause: violation.cause.clone(), count: 1 }),
        }
    }

    /// A connection's task panicked; the others go on.
    pub(super) fn panicked(&mut self) {
        self.tally.panics += 1;
    }

    /// There is one rule more.
    pub(super) fn added(&mut self, rule: &FaultRule) {
        self.tally.rules.push(RuleTally::default());
        self.ledger.added(rule);
        if let Some(journal) = &mut self.journal {
            journal.added(rule);
        }
    }

    /// What was counted of a rule so far: eligible, planned, fired.
    pub(super) fn of(&self, ix: RuleIx, rule: &FaultRule) -> [u64; 3] {
        let RuleCount { eligible, planned, .. } = self.ledger.count(ix, rule);
        [eligible, planned, self.tally.rules.get(ix.at()).map_or(0, |of| of.fired)]
    }

    pub(super) fn finish(&mut self, faults: &FaultRules, cpu: Micros) -> ProxyTally {
        self.tally.cpu = cpu;
        for ((index, rule), of) in faults.rules.iter().enumerate().zip(&mut self.tally.rules) {
            let RuleCount { eligible, planned, held_back, unreached, crowded } = self.ledger.count(RuleIx::from(index), rule);
            *of = RuleTally { eligible, planned, held_back, unreached, crowded, ..*of };
        }
        self.tally.log = self.journal.take().map(Journal::finish);
        self.tally.followed = faults.script.as_ref().map(|_| {
            let fault::Followed { known, unknown, unmet } = self.ledger.followed();
            Followed { known, unknown, unmet }
        });
        std::mem::take(&mut self.tally)
    }
}
