//! What attempts ended with: answers by status and code, failures by kind. Judged stages only.
//!
//! Codes that the contract knows are counted by their row, without a look at the text. Codes it does not know
//! are the target's own words, so they are cut, and only so many different ones are told apart.

use std::collections::BTreeMap;

use super::{FailureCount, StatusCount};
use crate::contract::Contract;
use crate::id::{RowIx, ServiceIx, StageIx};
use crate::record::Answered;
use crate::secret::Secrets;
use crate::wire::{Ending, Failure};

/// Codes outside the contract are told apart up to here, and cut to this many characters.
const MOST_UNKNOWN: usize = 100;
const LONGEST_CODE: usize = 80;
/// Stands for the codes beyond.
const OTHER_CODES: &str = "(other codes)";

/// What attempts ended with.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    known: BTreeMap<Known, Count>,
    unknown: BTreeMap<Unknown, Count>,
    /// By stage and kind of failure.
    failures: BTreeMap<(StageIx, &'static str), Count>,
    /// Answers whose code was counted among the others.
    pub other_codes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    stage: StageIx,
    status: u16,
    service: Option<ServiceIx>,
    row: Option<RowIx>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Unknown {
    stage: StageIx,
    status: u16,
    service: Option<ServiceIx>,
    code: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    all: u64,
    injected: u64,
}

impl Count {
    fn add(&mut self, injected: bool) {
        self.all += 1;
        self.injected += u64::from(injected);
    }

    fn merge(&mut self, other: Count) {
        self.all += other.all;
        self.injected += other.injected;
    }
}

impl Answers {
    /// Counts one attempt of a judged stage by how it ended.
    pub fn answered(&mut self, answered: &Answered<'_>, secrets: &Secrets) {
        let injected = answered.injected.is_some();
        let (stage, status) = match answered.ending {
            Ending::Answered(status) => (answered.stage, status),
            Ending::Failed(failure) => return self.failed(answered.stage, failure, injected),
            Ending::Unfinished => return,
        };
        let (service, row) = answered.judged.map_or((None, None), |judged| (judged.service, judged.row));
        let code = answered.judged.and_then(|judged| judged.code.as_deref()).filter(|_| row.is_none());
        match code {
            None => self.known.entry(Known { stage, status, service, row }).or_default().add(injected),
            Some(code) => self.unknown(Unknown { stage, status, service, code: cut(&secrets.mask(code)) }, injected),
        }
    }

    fn failed(&mut self, stage: StageIx, failure: Failure, injected: bool) {
        self.failures.entry((stage, failure.word())).or_default().add(injected);
    }

    fn unknown(&mut self, mut key: Unknown, injected: bool) {
        if self.unknown.len() >= MOST_UNKNOWN && !self.unknown.contains_key(&key) {
            self.other_codes += 1;
            key.code = OTHER_CODES.to_owned();
        }
        self.unknown.entry(key).or_default().add(injected);
    }

    pub fn merge(&mut self, other: Answers) {
        other.known.into_iter().for_each(|(key, count)| self.known.entry(key).or_default().merge(count));
        other.failures.into_iter().for_each(|(key, count)| self.failures.entry(key).or_default().merge(count));
        self.other_codes += other.other_codes;
        for (mut key, count) in other.unknown {
            if self.unknown.len() >= MOST_UNKNOWN && !self.unknown.contains_key(&key) {
                self.other_codes += count.all;
                key.code = OTHER_CODES.to_owned();
            }
            self.unknown.entry(key).or_default().merge(count);
        }
    }

    /// By status, code and service, over all stages; most frequent first.
    pub fn by_status_code(&self, contract: Option<&Contract>) -> Vec<StatusCount> {
        self.rows(contract, |_| true)
    }

    fn rows(&self, contract: Option<&Contract>, inside: impl Fn(StageIx) -> bool) -> Vec<StatusCount> {
        let service = |ix: Option<ServiceIx>| Some(contract?.services.get(ix?.at())?.id.clone());
        let code = |ix: Option<RowIx>| Some(contract?.rows.get(ix?.at())?.code.clone());
        let known = self.known.iter().map(|(key, count)| (key.stage, key.status, code(key.row), key.service, *count));
        let unknown = self.unknown.iter().map(|(key, count)| (key.stage, key.status, Some(key.code.clone()), key.service, *count));
        let mut all: BTreeMap<_, Count> = BTreeMap::new();
        for (stage, status, code, ix, count) in known.chain(unknown) {
            if inside(stage) {
                all.entry((status, code, service(ix))).or_default().merge(count);
            }
        }
        let counts = all.into_iter().map(|((status, code, service), count)| StatusCount {
            status,
            code,
            service,
            count: count.all,
            injected: count.injected,
        });
        let mut counts: Vec<StatusCount> = counts.collect();
        counts.sort_by_key(|count| std::cmp::Reverse(count.count));
        counts
    }

    /// Failed attempts by kind, most frequent first.
    pub fn by_failure(&self) -> Vec<FailureCount> {
        let mut kinds: BTreeMap<&str, Count> = BTreeMap::new();
        self.failures.iter().for_each(|((_, kind), count)| kinds.entry(kind).or_default().merge(*count));
        let counts =
            kinds.into_iter().map(|(kind, count)| FailureCount { kind: kind.to_owned(), count: count.all, injected: count.injected });
        let mut counts: Vec<FailureCount> = counts.collect();
        counts.sort_by_key(|count| std::cmp::Reverse(count.count));
        counts
    }

    /// What a stage without success was answered: `every answer was 401 INVALID_TOKEN`. `None` without attempts.
    pub fn dominant(&self, contract: Option<&Contract>, stage: StageIx) -> Option<String> {
        let counts = self.rows(contract, |at| at == stage);
        let answers: u64 = counts.iter().map(|count| count.count).sum();
        let failures = self.failures.iter().filter(|((at, _), _)| *at == stage);
        let failed: u64 = failures.clone().map(|(_, count)| count.all).sum();
        let worst = failures.max_by_key(|(_, count)| count.all);
        match (counts.first(), worst) {
            (Some(first), _) if answers >= failed => {
                let words = match &first.code {
                    Some(code) => format!("{} {code}", first.status),
                    None => first.status.to_string(),
                };
                Some(if first.count == answers { format!("every answer was {words}") } else { format!("most answers were {words}") })
            }
            (_, Some(((_, kind), count))) => {
                let all = count.all == answers + failed;
                Some(format!("{} attempt ended with `{kind}`", if all { "every" } else { "almost every" }))
            }
            (Some(_) | None, None) => None,
        }
    }
}

/// The beginning of a code, without control characters.
fn cut(code: &str) -> String {
    code.chars().filter(|c| !c.is_control()).take(LONGEST_CODE).collect()
}
