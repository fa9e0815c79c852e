//! How a finding stands: waived by the contract, known from a baseline, or new.
//!
//! A waived finding is shown with its reason and counts in no gate. A known one counts, but not as new. A waiver whose
//! last day is over does not apply, and the report says so.

use std::collections::BTreeMap;

use super::{BaselineFacts, FixedFacts, WaiverFacts};
use crate::contract::findings::{Finding, Responder, Sighting};
use crate::contract::{Contract, Waiver};
use crate::id::{RowIx, ServiceIx};
use crate::plan::ContractUse;

/// Findings whose standing is remembered.
const REMEMBERED: usize = 2_048;

/// How one finding stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The waiver that covers it, by its place in the contract.
    pub waiver: Option<usize>,
    /// Whether the baseline has it.
    pub known: bool,
}

/// How every finding of a run stands; of constant size.
#[derive(Clone, Debug, Default)]
pub struct Standings {
    now_unix_us: i64,
    of: BTreeMap<u64, Standing>,
}

impl Standings {
    /// As of a moment, in microseconds since the Unix epoch: waivers end.
    pub fn at(now_unix_us: i64) -> Standings {
        Standings { now_unix_us, of: BTreeMap::new() }
    }

    /// The wall clock as the run began.
    pub const fn now_unix_us(&self) -> i64 {
        self.now_unix_us
    }

    /// How the finding of a violation stands.
    pub fn of_violation(&mut self, used: &ContractUse, check: &str, print: u64, sighting: &Sighting<'_>) -> Standing {
        let known = self.of.get(&print).copied();
        known.unwrap_or_else(|| {
            let judged = sighting.judged;
            let key =
                key(&used.contract, judged.row, judged.service, sighting.response.map(|response| response.status), judged.code.as_deref());
            self.remember(used, check, print, &key)
        })
    }

    /// How a finding stands.
    pub fn of_finding(&self, used: &ContractUse, finding: &Finding) -> Standing {
        let key = key(&used.contract, finding.row, finding.service, finding.status, finding.code.as_deref());
        standing(used, self.now_unix_us, finding.check, &key, &finding.id)
    }

    fn remember(&mut self, used: &ContractUse, check: &str, print: u64, key: &str) -> Standing {
        let standing = standing(used, self.now_unix_us, check, key, &format!("{print:016x}"));
        if self.of.len() < REMEMBERED {
            self.of.insert(print, standing);
        }
        standing
    }

    /// Every waiver of the contract, with what it covers of these findings.
    pub fn waivers(&self, used: &ContractUse, findings: &[(&Finding, Standing)]) -> Vec<WaiverFacts> {
        let covered = |ix: usize| findings.iter().filter(move |(_, standing)| standing.waiver == Some(ix));
        let facts = used.contract.waivers.iter().enumerate().map(|(ix, waiver)| WaiverFacts {
            check: waiver.check.to_owned(),
            entry: waiver.entry.clone(),
            finding: waiver.finding.clone(),
            reason: used.terms.secrets.mask(&waiver.reason).into_owned(),
            expires: waiver.expires.to_string(),
            expired: waiver.is_over(self.now_unix_us),
            findings: covered(ix).count() as u64,
            violations: covered(ix).map(|(finding, _)| finding.count).sum(),
            contract_ref: waiver.source.clone(),
        });
        facts.collect()
    }
}

/// The key of the row of an answer; of an answer without one, as it would be.
fn key(contract: &Contract, row: Option<RowIx>, service: Option<ServiceIx>, status: Option<u16>, code: Option<&str>) -> String {
    if let Some(row) = row.and_then(|row| contract.rows.get(row.at())) {
        return row.key.clone();
    }
    let service = service.and_then(|ix| contract.services.get(ix.at())).map_or("*", |service| service.id.as_str());
    let status = status.map_or_else(|| "*".to_owned(), |status| status.to_string());
    format!("{service}/*/{status}/{}", code.filter(|code| !code.is_empty()).unwrap_or("*"))
}

fn standing(used: &ContractUse, now_unix_us: i64, check: &str, key: &str, id: &str) -> Standing {
    let holds = |waiver: &Waiver| !waiver.is_over(now_unix_us) && waiver.covers(check, key, id);
    Standing {
        waiver: used.contract.waivers.iter().position(holds),
        known: used.baseline.as_ref().is_some_and(|baseline| baseline.known.contains_key(id)),
    }
}

/// What became of a baseline's findings; none without a baseline.
pub fn compared(
    used: &ContractUse,
    findings: &[(&Finding, Standing)],
    was_seen: impl Fn(Option<&str>, u16, Option<&str>) -> bool,
) -> Option<BaselineFacts> {
    let baseline = used.baseline.as_ref()?;
    let own = || findings.iter().filter(|(finding, standing)| standing.waiver.is_none() && finding.responder != Responder::Injector);
    let gone = baseline.known.iter().filter(|(id, _)| !findings.iter().any(|(finding, _)| finding.id == **id));
    let gone = gone.map(|(id, known)| {
        let met = known.status.is_some_and(|status| was_seen(known.service.as_deref(), status, known.code.as_deref()));
        FixedFacts {
            id: id.clone(),
            check: known.check.clone(),
            severity: known.severity,
            title: used.terms.secrets.mask(&known.title).into_owned(),
            state: if met { "fixed" } else { "not-met" }.to_owned(),
        }
    });
    Some(BaselineFacts {
        path: baseline.path.clone(),
        run: baseline.run.clone(),
        new: own().filter(|(_, standing)| !standing.known).count() as u64,
        known: own().filter(|(_, standing)| standing.known).count() as u64,
        fixed: gone.collect(),
    })
}
