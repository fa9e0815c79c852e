//! Which documented errors were seen, and whether they were in order.

use std::collections::BTreeMap;

use crate::contract::findings::{Findings, Place, Sighting, shown_code};
use crate::contract::rows::Asked;
use crate::contract::{Contract, Provoke, Row, Statuses};
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
    /// Out of scope, for a reason: the contract's own, or that a `default` stands for no error in particular.
    Excluded,
}

/// What brought an answer about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    Load,
    Probe,
    /// A fault: one behind the target, or our own proxy in its place.
    Fault,
    Hook,
}

impl Cause {
    /// A stable word for reports.
    pub const fn word(self) -> &'static str {
        match self {
            Cause::Load => "load",
            Cause::Probe => "probe",
            Cause::Fault => "fault",
            Cause::Hook => "hook",
        }
    }
}

/// One documented error, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub row: RowIx,
    pub state: State,
    /// What it was seen by, our own proxy's answers included.
    pub how_seen: Vec<Cause>,
    /// Answers of the target.
    pub target: u64,
    /// Answers of our own proxy.
    pub injected: u64,
    /// Of medium severity or worse.
    pub findings: u64,
    /// Whether it can be covered at all: a `default` stands for no error in particular.
    pub coverable: bool,
}

/// n of N, twice: in scope, and of all that is documented, so that exclusions cannot flatter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Documented errors that are not excluded.
    pub in_scope: u64,
    /// Of them, answered by the target.
    pub seen: u64,
    /// Of them, always in order.
    pub conformant: u64,
    /// Documented errors, excluded ones included.
    pub absolute_total: u64,
    /// Of them, answered by the target.
    pub absolute_seen: u64,
}

impl Totals {
    /// Counted over all entries.
    pub fn of(entries: &[Entry]) -> Totals {
        let count = |counted: fn(&&Entry) -> bool| entries.iter().filter(counted).count() as u64;
        Totals {
            in_scope: count(|entry| entry.state != State::Excluded),
            seen: count(|entry| matches!(entry.state, State::Conformant | State::Violating)),
            conformant: count(|entry| entry.state == State::Conformant),
            absolute_total: entries.len() as u64,
            absolute_seen: count(|entry| entry.target > 0 && entry.coverable),
        }
    }

    /// seen / in scope; `None` where nothing is in scope.
    pub fn coverage(&self) -> Option<f64> {
        (self.in_scope > 0).then(|| self.seen as f64 / self.in_scope as f64)
    }

    /// Seen / documented, exclusions included; `None` where nothing is documented.
    pub fn absolute(&self) -> Option<f64> {
        (self.absolute_total > 0).then(|| self.absolute_seen as f64 / self.absolute_total as f64)
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
    load: u64,
    probe: u64,
    fault: u64,
    hook: u64,
    injected: u64,
    violating: u64,
    tried: bool,
}

impl Seen {
    fn target(&self) -> u64 {
        self.load + self.probe + self.fault + self.hook
    }

    fn causes(&self) -> impl Iterator<Item = Cause> {
        let all =
            [(Cause::Load, self.load), (Cause::Probe, self.probe), (Cause::Fault, self.fault + self.injected), (Cause::Hook, self.hook)];
        all.into_iter().filter_map(|(cause, count)| (count > 0).then_some(cause))
    }
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
        if let Some((row, seen)) = judged.row.and_then(|row| Some((row, self.rows.get_mut(row.at())?))) {
            let violating = judged.violations.iter().any(|violation| violation.severity >= VIOLATING);
            match (injected, cause_of(contract.row(row), sighting)) {
                (true, _) => seen.injected += 1,
                (false, Cause::Load) => seen.load += 1,
                (false, Cause::Probe) => seen.probe += 1,
                (false, Cause::Fault) => seen.fault += 1,
                (false, Cause::Hook) => seen.hook += 1,
            }
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
            let ix = RowIx::from(ix);
            let row = contract.row(ix);
            let findings = findings.of_row(ix, VIOLATING);
            let target = seen.target();
            let state = if why_excluded(row).is_some() {
                State::Excluded
            } else if target > 0 {
                if seen.violating == 0 && findings == 0 { State::Conformant } else { State::Violating }
            } else if seen.injected > 0 {
                State::SyntheticOnly
            } else if seen.tried {
                State::Unreached
            } else if matches!(row.provoke, Some(Provoke::Hook(_))) {
                State::NeedsHook
            } else {
                State::NotTried
            };
            let how_seen = seen.causes().collect();
            let coverable = row.statuses != Statuses::Default;
            Entry { row: ix, state, how_seen, target, injected: seen.injected, findings, coverable }
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
            mine.load += theirs.load;
            mine.probe += theirs.probe;
            mine.fault += theirs.fault;
            mine.hook += theirs.hook;
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

/// Why a documented error is out of scope, where it is.
pub fn why_excluded(row: &Row) -> Option<&str> {
    let default = (row.statuses == Statuses::Default).then_some("a default documents errors in general, and none that could be covered");
    row.excluded.as_deref().or(default)
}

/// What brought the target's answer about: under a fault only where the contract says that a fault brings it about.
fn cause_of(row: &Row, sighting: &Sighting<'_>) -> Cause {
    match sighting.place {
        Place::Probe(_) => Cause::Probe,
        Place::Hook(_) => Cause::Hook,
        Place::Load { .. } if !sighting.open_faults.is_empty() && needs_faults(row) => Cause::Fault,
        Place::Load { .. } => Cause::Load,
    }
}

/// Whether it matters for a row which faults were open when it was answered.
pub fn needs_faults(row: &Row) -> bool {
    matches!(row.provoke, Some(Provoke::Fault(_)))
}

/// An error whose status is documented and whose code could not be read is broken, not undocumented.
fn is_undocumented(contract: &Contract, asked: Asked<'_>, status: u16, has_code: bool) -> bool {
    match status {
        0..200 => false,
        200..400 => !contract.documents_success(asked, status),
        _ => has_code || !contract.documents(asked, status),
    }
}
