//! What answers said about the contract: findings, coverage, and which finding a violation belongs to.

use super::measures::Pending;
use super::{ContractFacts, CoverageFacts, EntryFacts, EntryState, Evidence, FindingFacts, LintFacts, UndocumentedFacts};
use crate::contract::coverage::{self, Entry, State, Totals};
use crate::contract::evidence::Evidence as Sample;
use crate::contract::findings::{Finding, Place, Sighting, identity};
use crate::contract::ledger::Ledger;
use crate::contract::{Provoke, catalogue};
use crate::id::{RowIx, RuleIx, ScenarioIx, ServiceIx, StepIx};
use crate::plan::{ContractUse, Plan};
use crate::record::{Answered, How, Probed};
use crate::severity::Severity;
use crate::units::Offset;

/// Stands for the finding of request ids that two workers saw, which are known without an answer.
const BETWEEN_WORKERS: u64 = 0;

/// What was heard about the contract; nothing where the plan names none.
#[derive(Clone, Debug, Default)]
pub struct Conformance {
    ledger: Option<Ledger>,
}

impl Conformance {
    /// An empty one; `base_url` is the target's scheme and authority.
    pub fn new(plan: &Plan, base_url: &str) -> Conformance {
        let ledger = plan.contract.as_ref().map(|used| Ledger::new(&used.contract, base_url, plan.secrets.clone()));
        Conformance { ledger }
    }

    /// Takes one judged answer; `violated` is told what gates count of it: nothing of an injected one.
    pub fn answered(&mut self, plan: &Plan, answered: &Answered<'_>, mut violated: impl FnMut(Pending)) {
        let (Some(used), Some(ledger), Some(judged)) = (&plan.contract, &mut self.ledger, answered.judged) else { return };
        let by_fault = judged.row.is_some_and(|row| coverage::needs_faults(used.contract.row(row)));
        let open = if judged.violations.is_empty() && !by_fault { Vec::new() } else { open_faults(plan, answered.at) };
        let sighting = Sighting {
            at: answered.at,
            place: Place::Load { stage: answered.stage, scenario: answered.exchange.scenario, step: answered.exchange.step },
            open_faults: &open,
            injected: answered.injected,
            request: answered.request,
            response: answered.response,
            judged,
        };
        let again = ledger.note(&used.contract, &sighting);
        if answered.injected.is_some() {
            return;
        }
        for violation in judged.violations.iter().chain(&again) {
            violated(Pending { severity: violation.severity, finding: identity(&used.contract, &sighting, violation) });
        }
    }

    /// Takes one answer to a probe; `violated` is told what gates count of it.
    pub fn probed(&mut self, plan: &Plan, probed: &Probed<'_>, mut violated: impl FnMut(Pending)) {
        let (Some(used), Some(ledger), Some(judged)) = (&plan.contract, &mut self.ledger, probed.judged) else { return };
        let open = if judged.violations.is_empty() { Vec::new() } else { open_faults(plan, probed.at) };
        let sighting = Sighting {
            at: probed.at,
            place: match probed.how {
                How::Probe => Place::Probe(probed.probe),
                How::Hook => Place::Hook(probed.probe),
            },
            open_faults: &open,
            injected: None,
            request: probed.request,
            response: probed.response,
            judged,
        };
        let again = ledger.note(&used.contract, &sighting);
        for violation in judged.violations.iter().chain(&again) {
            violated(Pending { severity: violation.severity, finding: identity(&used.contract, &sighting, violation) });
        }
    }

    /// Somebody tries to bring this error about.
    pub fn tried(&mut self, row: RowIx) {
        if let Some(ledger) = &mut self.ledger {
            ledger.coverage.tried(row);
        }
    }

    /// Adds what another worker heard; returns violations that neither could see alone.
    pub fn merge(&mut self, other: Conformance) -> Vec<Pending> {
        let (Some(ours), Some(theirs)) = (&mut self.ledger, other.ledger) else { return Vec::new() };
        let count = |ledger: &Ledger, severity| ledger.findings.violations(severity);
        let before = Severity::ALL.map(|severity| count(ours, severity) + count(&theirs, severity));
        ours.merge(theirs);
        let mut between = Vec::new();
        let mut worse = 0;
        for (severity, before) in Severity::ALL.into_iter().zip(before).rev() {
            let grown = count(ours, severity).saturating_sub(before);
            let here = usize::try_from(grown - worse).unwrap_or(usize::MAX);
            between.extend(std::iter::repeat_n(Pending { severity, finding: BETWEEN_WORKERS }, here));
            worse = grown;
        }
        between
    }

    /// The findings so far, the worst first.
    pub fn findings(&self) -> Vec<&Finding> {
        self.ledger.as_ref().map(|ledger| ledger.findings.sorted()).unwrap_or_default()
    }

    /// What did not fit and was only counted: violations, undocumented answers, request ids.
    pub fn left_out(&self) -> [u64; 3] {
        self.ledger
            .as_ref()
            .map_or([0; 3], |ledger| [ledger.findings.overflow(), ledger.coverage.undocumented_overflow(), ledger.ids_not_compared()])
    }

    /// The report's tables.
    pub fn facts(&self, plan: &Plan) -> (Option<ContractFacts>, Vec<FindingFacts>) {
        let (Some(used), Some(ledger)) = (&plan.contract, &self.ledger) else { return (None, Vec::new()) };
        let findings = ledger.findings.sorted().into_iter().map(|finding| finding_facts(plan, used, finding)).collect();
        (Some(contract_facts(used, ledger)), findings)
    }
}

fn open_faults(plan: &Plan, at: Offset) -> Vec<RuleIx> {
    let rules = plan.faults.rules.iter().enumerate();
    rules.filter(|(_, rule)| rule.open_at(at)).map(|(ix, _)| RuleIx::from(ix)).collect()
}

fn contract_facts(used: &ContractUse, ledger: &Ledger) -> ContractFacts {
    let contract = &used.contract;
    let entries = ledger.coverage.entries(contract, &ledger.findings);
    let totals = Totals::of(&entries);
    let undocumented = ledger.coverage.undocumented().map(|(what, count)| UndocumentedFacts {
        status: what.status,
        code: what.code.as_deref().map(|code| used.terms.secrets.mask(code).into_owned()),
        service: service(used, what.service),
        count,
    });
    let lints = contract.lint().into_iter().map(|lint| LintFacts {
        check: lint.check.to_owned(),
        message: lint.message,
        contract_ref: lint.contract_ref,
    });
    ContractFacts {
        name: contract.name.clone(),
        version: contract.version.clone(),
        profile: used.terms.profile,
        sources: vec![contract.source.file.clone()],
        entries: entries.iter().map(|entry| entry_facts(used, entry)).collect(),
        coverage: CoverageFacts {
            in_scope: totals.in_scope,
            seen: totals.seen,
            conformant: totals.conformant,
            absolute_total: totals.absolute_total,
            absolute_seen: totals.absolute_seen,
        },
        undocumented: undocumented.collect(),
        lints: lints.collect(),
        inspected: ledger.coverage.inspected(),
        inspected_injected: ledger.coverage.inspected_injected(),
    }
}

fn entry_facts(used: &ContractUse, entry: &Entry) -> EntryFacts {
    let row = used.contract.row(entry.row);
    let hooked = || match &row.provoke {
        Some(Provoke::Hook(Some(name))) => format!("only a hook can bring it about: {name}"),
        _ => "only a hook in the target can bring it about".to_owned(),
    };
    let untried = || match &row.provoke {
        Some(Provoke::Fault(Some(name))) => format!("no fault {name} of this plan brings it about"),
        Some(Provoke::Fault(None)) => "no fault of this plan brings it about".to_owned(),
        _ => "nothing in this plan brings it about".to_owned(),
    };
    let (state, reason) = match entry.state {
        State::Conformant => (EntryState::Conformant, None),
        State::Violating => (EntryState::Violating, None),
        State::Unreached => (EntryState::Unreached, Some("it was tried for and did not come".to_owned())),
        State::NotTried => (EntryState::NotTried, Some(untried())),
        State::NeedsHook => (EntryState::NeedsHook, Some(hooked())),
        State::SyntheticOnly => (EntryState::SyntheticOnly, Some("only the fault proxy answered it, which does not count".to_owned())),
        State::Excluded => (EntryState::Excluded, coverage::why_excluded(row).map(|why| used.terms.secrets.mask(why).into_owned())),
    };
    EntryFacts {
        key: row.key.clone(),
        service: service(used, row.service),
        status: row.status,
        code: row.code.clone(),
        state,
        how_seen: entry.how_seen.iter().map(|cause| cause.word().to_owned()).collect(),
        count: entry.target,
        injected: entry.injected,
        findings: entry.findings,
        reason,
        contract_ref: Some(row.source.clone()),
    }
}

fn finding_facts(plan: &Plan, used: &ContractUse, finding: &Finding) -> FindingFacts {
    let check = catalogue::find(finding.check);
    let operation = |(scenario, step): &(ScenarioIx, StepIx)| {
        let step = plan.scenarios.get(scenario.at())?.steps.get(step.at())?;
        Some(step.operation.clone())
    };
    FindingFacts {
        id: finding.id.clone(),
        check: finding.check.to_owned(),
        severity: finding.severity,
        confidence: "certain".to_owned(),
        title: finding.title(),
        expected: finding.expected.clone(),
        actual: finding.actual.clone(),
        instance_path: finding.instance_path.clone(),
        contract_ref: finding.contract_ref.clone(),
        service: service(used, finding.service),
        status: finding.status,
        code: finding.code.clone(),
        operations: finding.operations.iter().filter_map(operation).collect(),
        count: finding.count,
        first_at_ms: finding.first_at.as_millis(),
        last_at_ms: finding.last_at.as_millis(),
        stages: finding.stages.iter().filter_map(|ix| Some(plan.load.stages.get(ix.at())?.name.clone())).collect(),
        faults: finding.faults.iter().filter_map(|ix| Some(plan.faults.rules.get(ix.at())?.name.clone())).collect(),
        responder: finding.responder.word().to_owned(),
        isolated_replay: None,
        evidence: finding.evidence.iter().map(evidence).collect(),
        how_to_fix: check.map_or_else(String::new, |check| check.how_to_fix.to_owned()),
        sources: check.map(|check| check.source.to_owned()).into_iter().collect(),
        baseline: None,
    }
}

fn evidence(sample: &Sample) -> Evidence {
    Evidence {
        at_ms: sample.at.as_millis(),
        request: sample.request.clone(),
        response: sample.response.clone(),
        curl: sample.curl.clone(),
        replay: Some(sample.resend.clone()),
    }
}

fn service(used: &ContractUse, ix: Option<ServiceIx>) -> Option<String> {
    Some(used.contract.services.get(ix?.at())?.id.clone())
}
