//! The book of a run: every judged answer is noted once, in each worker's own ledger, and ledgers merge.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::hash::Hasher;
use std::sync::Arc;

use crate::contract::attribution::{self, Unattributed};
use crate::contract::check::quoted;
use crate::contract::compared::{Compared, During, Question};
use crate::contract::coverage::Coverage;
use crate::contract::drift::Drift;
use crate::contract::findings::{Findings, Responder, Sighting};
use crate::contract::limiter::Limits;
use crate::contract::{Contract, Field, Judged, Violation, catalogue, role};
use crate::secret::Secrets;
use crate::severity::Severity;
use crate::units::Offset;

/// Request ids remembered by one ledger: a quarter of a million, 4 MiB at most. Later ones are not compared.
pub const IDS: usize = 1 << 18;

/// Findings, coverage, and the request ids that were seen.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub findings: Findings,
    pub coverage: Coverage,
    pub drift: Drift,
    pub limits: Limits,
    compared: Compared,
    unattributed: Unattributed,
    ids: RequestIds,
}

impl Ledger {
    /// An empty one. `base_url` is the target's scheme and authority, for curl lines.
    pub fn new(contract: &Contract, base_url: &str, secrets: Arc<Secrets>) -> Ledger {
        Ledger {
            findings: Findings::new(base_url, secrets),
            coverage: Coverage::new(contract),
            drift: Drift::default(),
            limits: Limits::new(contract),
            compared: Compared::default(),
            unattributed: Unattributed::default(),
            ids: RequestIds::default(),
        }
    }

    /// Takes down one judged answer, or one judged failure. Returns the violation that it has beyond those in `judged`:
    /// a request id that another answer had (I03).
    pub fn note(&mut self, contract: &Contract, sighting: &Sighting<'_>) -> Option<Violation> {
        self.coverage.note(contract, sighting);
        self.findings.note(contract, sighting);
        let findings = &self.findings;
        let sample = || findings.sample(sighting);
        self.unattributed.note(contract, sighting, sample);
        if attribution::of(sighting).0 == Responder::Origin {
            self.drift.note(contract, sighting, sample);
            self.limits.note(contract, sighting, sample);
        }
        let id = sighting.judged.request_id.as_deref().filter(|_| sighting.injected.is_none())?;
        if self.ids.is_new(id, sighting.at) {
            return None;
        }
        let violation = duplicate(unique_field(contract, sighting.judged), format!("{} again", quoted(id)));
        self.findings.violation(contract, sighting, &violation);
        Some(violation)
    }

    /// Takes down an answer, or that none came, to a question that is asked more than once.
    pub fn compare(&mut self, question: Question, during: During, sighting: &Sighting<'_>) {
        if matches!(attribution::of(sighting).0, Responder::Origin | Responder::Gateway | Responder::Transport) {
            let findings = &self.findings;
            self.compared.note(question, during, sighting, || findings.sample(sighting));
        }
    }

    /// Takes down what only the whole run shows, once all workers' ledgers have been merged. Returns for each finding its
    /// severity, its identity, and how many answers show it.
    pub fn conclude(&mut self, contract: &Contract) -> Vec<(Severity, u64, u64)> {
        let mut found = self.drift.conclude(contract);
        found.extend(self.compared.conclude());
        found.extend(self.limits.conclude(contract));
        found.extend(self.unattributed.conclude());
        let taken = found.into_iter().filter(|found| found.count > 0).map(|found| {
            let (severity, count) = (found.violation.severity, found.count);
            (severity, self.findings.conclude(contract, found), count)
        });
        taken.collect()
    }

    /// Joins another worker's. Request ids that both saw are duplicates, too: a finding with their number, and without
    /// samples, for only hashes were kept.
    ///
    /// Returns of violations that neither could see alone the severity, the identity of their finding, and their number.
    pub fn merge(&mut self, other: Ledger) -> Option<(Severity, u64, u64)> {
        self.findings.merge(other.findings);
        self.coverage.merge(other.coverage);
        self.drift.merge(other.drift);
        self.limits.merge(other.limits);
        self.compared.merge(other.compared);
        self.unattributed.merge(other.unattributed);
        let twice = self.ids.merge(other.ids);
        (twice > 0).then(|| {
            let violation = duplicate(None, "an id that another worker of this run had seen".to_owned());
            let severity = violation.severity;
            (severity, self.findings.unseen(violation, twice, self.ids.last_at), twice)
        })
    }

    /// Request ids that were not compared, because too many had been seen.
    pub fn ids_not_compared(&self) -> u64 {
        self.ids.not_compared
    }
}

fn duplicate(member: Option<(&[Field], &Field)>, actual: String) -> Violation {
    Violation {
        check: "I03",
        severity: catalogue::find("I03").map_or(Severity::High, |check| check.severity),
        instance_path: member.map_or_else(|| "$".to_owned(), |(fields, field)| role::path(fields, field)),
        expected: "a request id that no other answer has".to_owned(),
        actual,
        cause: "seen before".to_owned(),
        contract_ref: member.map(|(_, field)| field.source.clone()),
    }
}

fn unique_field<'c>(contract: &'c Contract, judged: &Judged<'_>) -> Option<(&'c [Field], &'c Field)> {
    let fields = contract.row(judged.row?).envelope.fields.as_slice();
    role::find(fields, &|field| field.rule.unique).map(|field| (fields, field))
}

/// The ids seen so far, as hashes: two different ids of a run of 250 000 have equal hashes once in 500 million runs.
#[derive(Clone, Debug, Default)]
struct RequestIds {
    seen: HashSet<u64, BuildHasherDefault<AsIs>>,
    not_compared: u64,
    last_at: Offset,
}

impl RequestIds {
    fn is_new(&mut self, id: &str, at: Offset) -> bool {
        self.last_at = self.last_at.max(at);
        let hash = crate::seed::Seed(0).draw(id).bits();
        if self.seen.len() >= IDS && !self.seen.contains(&hash) {
            self.not_compared += 1;
            return true;
        }
        self.seen.insert(hash)
    }

    fn merge(&mut self, other: RequestIds) -> u64 {
        let twice = other.seen.iter().filter(|hash| self.seen.contains(hash)).count() as u64;
        for hash in other.seen {
            if self.seen.len() < IDS {
                self.seen.insert(hash);
            }
        }
        self.not_compared += other.not_compared;
        self.last_at = self.last_at.max(other.last_at);
        twice
    }
}

/// The keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
