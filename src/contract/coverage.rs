//! Which documented errors were seen, and whether they were in order.

use std::collections::BTreeMap;

use crate::contract::findings::{Findings, Sighting, shown_code};
use crate::contract::rows::Asked;
use crate::contract::{Contract, Provoke};
use crate::id::{RowIx, ServiceIx};
use crate::severity::Severity;

/// Different undocumented answers kept at most.
const UNDOCUMENTED: usize = 100;
/// An answer is in order with violations milder than this.
const VIOLATING: Severity = Severity::Medium;

/// What is known of a documented error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The target answered it, always in order.
    Conformant,
    /// The target answered it with violations of medium severity or worse.
    Violating,
    /// It was tried for and did not come.
    Unreached,
    /// Nobody tried.
    NotTried,
    /// The contract says that only a hook can bring it about.
    NeedsHook,
    /// Only our own proxy answered it: that does not count.
    SyntheticOnly,
}

/// One documented error, as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub row: RowIx,
    pub state: State,
    /// Answers of the target.
    pub target: u64,
    /// Answers of our own proxy.
    pub injected: u64,
    /// Of medium severity or worse.
    pub findings: u64,
}

/// n of N.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Documented errors.
    pub in_scope: u64,
    /// Of them, answered by the target.
    pub seen: u64,
    /// Of them, always in order.
    pub conformant: u64,
}

impl Totals {
    /// Counted over all entries.
    pub fn of(entries: &[Entry]) -> Totals {
        let count = |counted: fn(&&Entry) -> bool| entries.iter().filter(counted).count() as u64;
        Totals {
            in_scope: entries.len() as u64,
            seen: count(|entry| entry.target > 0),
            conformant: count(|entry| entry.state == State::Conformant),
        }
    }

    /// seen / in scope; `None` where nothing is documented.
    pub fn coverage(&self) -> Option<f64> {
        (self.in_scope > 0).then(|| self.seen as f64 / self.in_scope as f64)
    }

    /// conformant / seen; `None` where nothing was seen.
    pub fn conformance(&self) -> Option<f64> {
        (self.seen > 0).then(|| self.conformant as f64 / self.seen as f64)
    }
}

/// A status and code that the contract does not list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Undocumented {
    pub status: u16,
    /// Digits normalised to `#`.
    pub code: Option<String>,
    pub service: Option<ServiceIx>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    target: u64,
    injected: u64,
    violating: u64,
    tried: bool,
}

/// What was seen of the documented errors; of constant size.
#[derive(Clone, Debug)]
pub struct Coverage {
    rows: Vec<Seen>,
    undocumented: BTreeMap<Undocumented, u64>,
    undocumented_overflow: u64,
    inspected: u64,
    inspected_injected: u64,
}

impl Coverage {
    /// Nothing seen yet.
    pub fn new(contract: &Contract) -> Coverage {
        Coverage {
            rows: vec![Seen::default(); contract.rows.len()],
            undocumented: BTreeMap::new(),
            undocumented_overflow: 0,
            inspected: 0,
            inspected_injected: 0,
        }
    }

    /// Takes down one answer; a failure is none.
    pub fn note(&mut self, contract: &Contract, sighting: &Sighting<'_>) {
        let Some(response) = sighting.response else { return };
        let judged = sighting.judged;
        let injected = sighting.injected.is_some();
        *(if injected { &mut self.inspected_injected } else { &mut self.inspected }) += 1;
        if let Some(seen) = judged.row.and_then(|row| self.rows.get_mut(row.at())) {
            let violating = judged.violations.iter().any(|violation| violation.severity >= VIOLATING);
            seen.injected += u64::from(injected);
            seen.target += u64::from(!injected);
            seen.violating += u64::from(!injected && violating);
        } else if !injected && is_undocumented(contract, asked(sighting), response.status, judged.code.is_some()) {
            let code = judged.code.as_deref().map(|code| shown_code(None, code));
            self.add_undocumented(Undocumented { status: response.status, code, service: judged.service }, 1);
        }
    }

    /// Somebody tried to bring this error about.
    pub fn tried(&mut self, row: RowIx) {
        if let Some(seen) = self.rows.get_mut(row.at()) {
            seen.tried = true;
        }
    }

    /// Every row in file order.
    pub fn entries(&self, contract: &Contract, findings: &Findings) -> Vec<Entry> {
        let entry = |(ix, seen): (usize, &Seen)| {
            let row = RowIx::from(ix);
            let hook = matches!(contract.row(row).provoke, Some(Provoke::Hook(_)));
            let findings = findings.of_row(row, VIOLATING);
            let state = match seen {
                Seen { target: 1.., violating: 0, .. } if findings == 0 => State::Conformant,
                Seen { target: 1.., .. } => State::Violating,
                Seen { injected: 1.., .. } => State::SyntheticOnly,
                Seen { tried: true, .. } => State::Unreached,
                _ if hook => State::NeedsHook,
                _ => State::NotTried,
            };
            Entry { row, state, target: seen.target, injected: seen.injected, findings }
        };
        self.rows.iter().enumerate().map(entry).collect()
    }

    /// What the target answered that the contract does not list, with how often; at most 100 of them.
    pub fn undocumented(&self) -> impl Iterator<Item = (&Undocumented, u64)> {
        self.undocumented.iter().map(|(what, count)| (what, *count))
    }

    /// Undocumented answers beyond those that are listed.
    pub fn undocumented_overflow(&self) -> u64 {
        self.undocumented_overflow
    }

    /// Answers of the target that were inspected, successes included.
    pub fn inspected(&self) -> u64 {
        self.inspected
    }

    /// Answers of our own proxy that were inspected.
    pub fn inspected_injected(&self) -> u64 {
        self.inspected_injected
    }

    /// Joins what another worker saw.
    pub fn merge(&mut self, other: Coverage) {
        for (mine, theirs) in self.rows.iter_mut().zip(other.rows) {
            mine.target += theirs.target;
            mine.injected += theirs.injected;
            mine.violating += theirs.violating;
            mine.tried |= theirs.tried;
        }
        for (what, count) in other.undocumented {
            self.add_undocumented(what, count);
        }
        self.undocumented_overflow += other.undocumented_overflow;
        self.inspected += other.inspected;
        self.inspected_injected += other.inspected_injected;
    }

    fn add_undocumented(&mut self, what: Undocumented, count: u64) {
        let full = self.undocumented.len() >= UNDOCUMENTED;
        match self.undocumented.get_mut(&what) {
            Some(known) => *known += count,
            None if full => self.undocumented_overflow += count,
            None => {
                self.undocumented.insert(what, count);
            }
        }
    }
}

fn asked<'s>(sighting: &Sighting<'s>) -> Asked<'s> {
    let request = Some((sighting.request.method, sighting.request.path));
    Asked { service: sighting.judged.service, gateway: sighting.judged.gateway, request }
}

/// An error whose status is documented and whose code could not be read is broken, not undocumented.
fn is_undocumented(contract: &Contract, asked: Asked<'_>, status: u16, has_code: bool) -> bool {
    match status {
        0..200 => false,
        200..400 => !contract.documents_success(asked, status),
        _ => has_code || !contract.documents(asked, status),
    }
}
