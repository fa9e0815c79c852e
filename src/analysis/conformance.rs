//! What answers said about the contract: findings, coverage, and which finding a violation belongs to.

use std::collections::{BTreeMap, BTreeSet};

use super::measures::Pending;
use super::scope::touched_by;
use super::standing::{Standing, Standings, compared};
use super::{
    ContractFacts, CoverageFacts, EntryFacts, EntryState, Evidence, FindingFacts, LintFacts, ShapeFacts, UndocumentedFacts, WaiverFacts,
    limiters,
};
use crate::contract::compared::{During, Question};
use crate::contract::coverage::{self, Entry, State, Totals};
use crate::contract::evidence::Evidence as Sample;
use crate::contract::findings::{Finding, Place, Responder, Sighting, identity};
use crate::contract::ledger::Ledger;
use crate::contract::limiter::Trail;
use crate::contract::resend::Resend;
use crate::contract::{Provoke, catalogue};
use crate::id::{ProbeIx, RowIx, RuleIx, ScenarioIx, ServiceIx, StepIx};
use crate::plan::{ContractUse, Plan, Shape, Stage};
use crate::record::{Answered, Attempt, Exchange, How, Probed};
use crate::severity::Severity;
use crate::units::Offset;
use crate::wire::{Ending, RetryAfter};

/// What was heard about the contract; nothing where the plan names none.
#[derive(Clone, Debug, Default)]
pub struct Conformance {
    ledger: Option<Ledger>,
    /// By stage: whether its load is one user at most, and so the target otherwise idle.
    phases: Vec<During>,
    any_idle: bool,
    standings: Standings,
    probes: BTreeMap<ProbeIx, Asked>,
}

/// A probe, as reports name it.
#[derive(Clone, Debug)]
struct Asked {
    name: String,
    operation: String,
}

impl Conformance {
    /// An empty one; `base_url` is the target's scheme and authority.
    ///
    /// `now_unix_us` is the wall clock as the run begins: waivers end.
    pub fn new(plan: &Plan, base_url: &str, now_unix_us: i64) -> Conformance {
        let ledger = plan.contract.as_ref().map(|used| Ledger::new(&used.contract, base_url, plan.secrets.clone()));
        let phase = |stage: &Stage| match stage.shape {
            Shape::Closed { users: 0 | 1 } => During::Idle,
            _ => During::Load,
        };
        let phases: Vec<During> = plan.load.stages.iter().map(phase).collect();
        Conformance {
            ledger,
            any_idle: phases.contains(&During::Idle),
            phases,
            standings: Standings::at(now_unix_us),
            probes: BTreeMap::new(),
        }
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
        let place = Question::Step(answered.exchange.scenario, answered.exchange.step);
        if let Some(during) = self.phases.get(answered.stage.at()).filter(|_| self.any_idle) {
            // A fault that was open is no load: such answers are compared by probes alone.
            if !plan.faults.rules.iter().any(|rule| rule.open_at(answered.at)) {
                ledger.compare(place, *during, &sighting);
            }
        }
        for violation in judged.violations.iter().chain(&again) {
            let finding = identity(&used.contract, &sighting, violation);
            let standing = self.standings.of_violation(used, violation.check, finding, &sighting);
            if standing.waiver.is_none() {
                violated(Pending { severity: violation.severity, finding, known: standing.known });
            }
        }
    }

    /// Takes one answer to a probe; `violated` is told what gates count of it.
    pub fn probed(&mut self, plan: &Plan, probed: &Probed<'_>, mut violated: impl FnMut(Pending)) {
        let (Some(used), Some(ledger), Some(judged)) = (&plan.contract, &mut self.ledger, probed.judged) else { return };
        let idle = probed.during == During::Idle;
        let open = if idle || judged.violations.is_empty() { Vec::new() } else { open_faults(plan, probed.at) };
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
        if probed.repeatable {
            ledger.compare(Question::Probe(probed.probe), probed.during, &sighting);
        }
        self.probes.entry(probed.probe).or_insert_with(|| Asked { name: probed.name.to_owned(), operation: probed.operation.to_owned() });
        for violation in judged.violations.iter().chain(&again) {
            let finding = identity(&used.contract, &sighting, violation);
            let standing = self.standings.of_violation(used, violation.check, finding, &sighting);
            if standing.waiver.is_none() {
                violated(Pending { severity: violation.severity, finding, known: standing.known });
            }
        }
    }

    /// Takes what an exchange shows of the waits that were asked for: whoever waited as told, was he admitted?
    pub fn exchange(&mut self, exchange: &Exchange<'_>, unix_us_at_zero: i64) {
        let Some(ledger) = &mut self.ledger else { return };
        for pair in exchange.attempts.windows(2) {
            let [refused, next] = pair else { continue };
            let (Some(from), Some(refused_again)) = (asked_until(refused, unix_us_at_zero), refused_again(refused, next)) else { continue };
            if next.stamps.started_at >= from {
                let place = (exchange.id.scenario, exchange.id.step);
                ledger.limits.waited(place, refused.stamps.ended_at, next.stamps.started_at, refused_again);
            }
        }
    }

    /// Takes what a limiter answered to a probe.
    pub fn limited(&mut self, trail: &Trail) {
        if let Some(ledger) = &mut self.ledger {
            ledger.limits.trail(trail);
        }
    }

    /// Adds what only the whole run shows, once all workers have been merged; returns what gates count of it.
    pub fn conclude(&mut self, plan: &Plan) -> Vec<(Pending, u64)> {
        let (Some(used), Some(ledger)) = (&plan.contract, &mut self.ledger) else { return Vec::new() };
        let concluded = ledger.conclude(&used.contract);
        concluded.into_iter().filter_map(|found| self.counted(plan, found)).collect()
    }

    /// Somebody tries to bring this error about.
    pub fn tried(&mut self, row: RowIx) {
        if let Some(ledger) = &mut self.ledger {
            ledger.coverage.tried(row);
        }
    }

    /// Adds what another worker heard; returns violations that neither could see alone.
    pub fn merge(&mut self, plan: &Plan, other: Conformance) -> Vec<(Pending, u64)> {
        self.probes.extend(other.probes);
        let (Some(ours), Some(theirs)) = (&mut self.ledger, other.ledger) else { return Vec::new() };
        let between = ours.merge(theirs);
        between.and_then(|found| self.counted(plan, found)).into_iter().collect()
    }

    /// What gates count of a finding that is taken down as a whole; nothing of a waived one.
    fn counted(&self, plan: &Plan, (severity, print, count): (Severity, u64, u64)) -> Option<(Pending, u64)> {
        let (used, ledger) = (plan.contract.as_ref()?, self.ledger.as_ref()?);
        let standing = ledger.findings.get(print).map(|finding| self.standings.of_finding(used, finding)).unwrap_or_default();
        standing.waiver.is_none().then_some((Pending { severity, finding: print, known: standing.known }, count))
    }

    /// The findings so far that are new, the worst first: neither waived nor known from the baseline.
    pub fn new_findings(&self, plan: &Plan) -> Vec<&Finding> {
        let (Some(used), Some(ledger)) = (&plan.contract, &self.ledger) else { return Vec::new() };
        let is_new = |finding: &&Finding| self.standings.of_finding(used, finding) == Standing::default();
        ledger.findings.sorted().into_iter().filter(is_new).collect()
    }

    /// What did not fit and was only counted: violations, undocumented answers, request ids.
    pub fn left_out(&self) -> [u64; 3] {
        self.ledger
            .as_ref()
            .map_or([0; 3], |ledger| [ledger.findings.overflow(), ledger.coverage.undocumented_overflow(), ledger.ids_not_compared()])
    }

    /// The report's tables.
    pub fn facts(&self, plan: &Plan) -> (Option<ContractFacts>, Vec<FindingFacts>, Vec<WaiverFacts>) {
        let (Some(used), Some(ledger)) = (&plan.contract, &self.ledger) else { return (None, Vec::new(), Vec::new()) };
        let sorted = ledger.findings.sorted();
        let standing: Vec<(&Finding, Standing)> =
            sorted.into_iter().map(|finding| (finding, self.standings.of_finding(used, finding))).collect();
        let findings = standing.iter().map(|(finding, standing)| self.finding_facts(plan, used, finding, *standing)).collect();
        let mut contract = contract_facts(used, ledger, self.standings.now_unix_us());
        contract.baseline = compared(used, &standing, |service, status, code| {
            let same = |entry: &&EntryFacts| entry.status == status && code.is_none_or(|code| entry.code == code);
            contract
                .entries
                .iter()
                .filter(same)
                .any(|entry| entry.count > 0 && (service.is_none() || entry.service.is_none() || entry.service.as_deref() == service))
        });
        (Some(contract), findings, self.standings.waivers(used, &standing))
    }
}

/// When the server said to come back after a refusal; none where it was not the target that refused.
fn asked_until(refused: &Attempt, unix_us_at_zero: i64) -> Option<Offset> {
    let own = matches!(refused.ending, Ending::Answered(429 | 503)) && touched_by(refused).is_none();
    match refused.asked_to_wait.filter(|_| own)? {
        RetryAfter::Delay(wait) => Some(refused.stamps.ended_at + wait),
        RetryAfter::Date(unix_us) => u64::try_from(unix_us.saturating_sub(unix_us_at_zero)).ok().map(Offset::micros),
    }
}

/// Whether the next attempt was refused for the same reason; none where it says nothing.
fn refused_again(refused: &Attempt, next: &Attempt) -> Option<bool> {
    let Ending::Answered(status) = next.ending else { return None };
    touched_by(next).is_none().then_some(Some(status) == refused.ending.status())
}

fn open_faults(plan: &Plan, at: Offset) -> Vec<RuleIx> {
    let rules = plan.faults.rules.iter().enumerate();
    rules.filter(|(_, rule)| rule.open_at(at)).map(|(ix, _)| RuleIx::from(ix)).collect()
}

fn contract_facts(used: &ContractUse, ledger: &Ledger, now_unix_us: i64) -> ContractFacts {
    let contract = &used.contract;
    let entries = ledger.coverage.entries(contract, &ledger.findings);
    let totals = Totals::of(&entries);
    let undocumented = ledger.coverage.undocumented().map(|(what, count)| UndocumentedFacts {
        status: what.status,
        code: what.code.as_deref().map(|code| used.terms.secrets.mask(code).into_owned()),
        service: service(used, what.service),
        count,
    });
    let lints = contract.lint_at(now_unix_us).into_iter().map(|lint| LintFacts {
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
        shapes: shapes(used, ledger),
        limiters: ledger.limits.measured(contract).iter().map(limiters::facts).collect(),
        baseline: None,
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

impl Conformance {
    fn finding_facts(&self, plan: &Plan, used: &ContractUse, finding: &Finding, standing: Standing) -> FindingFacts {
        let check = catalogue::find(finding.check);
        let asked = || finding.probes.iter().filter_map(|probe| self.probes.get(probe));
        let waiver = standing.waiver.and_then(|ix| used.contract.waivers.get(ix));
        let of_target = finding.responder != Responder::Injector;
        let baseline = match (waiver, &used.baseline) {
            (Some(_), _) => Some("suppressed"),
            (None, Some(_)) if of_target => Some(if standing.known { "known" } else { "new" }),
            (None, _) => None,
        };
        FindingFacts {
            id: finding.id.clone(),
            check: finding.check.to_owned(),
            severity: finding.severity,
            confidence: finding.confidence.word().to_owned(),
            title: finding.title(),
            expected: finding.expected.clone(),
            actual: finding.actual.clone(),
            instance_path: finding.instance_path.clone(),
            contract_ref: finding.contract_ref.clone(),
            service: service(used, finding.service),
            status: finding.status,
            code: finding.code.clone(),
            operations: finding
                .operations
                .iter()
                .filter_map(|at| operation(plan, at))
                .chain(asked().map(|asked| asked.operation.clone()))
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            count: finding.count,
            first_at_ms: finding.first_at.as_millis(),
            last_at_ms: finding.last_at.as_millis(),
            stages: finding.stages.iter().filter_map(|ix| Some(plan.load.stages.get(ix.at())?.name.clone())).collect(),
            faults: finding.faults.iter().filter_map(|ix| Some(plan.faults.rules.get(ix.at())?.name.clone())).collect(),
            responder: finding.responder.word().to_owned(),
            isolated_replay: None,
            evidence: finding.evidence.iter().map(|sample| self.evidence(plan, sample)).collect(),
            how_to_fix: check.map_or_else(String::new, |check| check.how_to_fix.to_owned()),
            sources: check.map(|check| check.source.to_owned()).into_iter().collect(),
            baseline: baseline.map(str::to_owned),
            waiver: waiver.map(|waiver| format!("{}, until {}", used.terms.secrets.mask(&waiver.reason), waiver.expires)),
            probes: asked().map(|asked| asked.name.clone()).collect(),
        }
    }

    fn evidence(&self, plan: &Plan, sample: &Sample) -> Evidence {
        let (operation, probe) = match sample.place {
            Some(Place::Load { scenario, step, .. }) => (operation(plan, &(scenario, step)), None),
            Some(Place::Probe(ix) | Place::Hook(ix)) => {
                let probe = self.probes.get(&ix).map(|asked| asked.name.clone());
                (probe.as_deref().and_then(|probe| step_of(plan, probe)), probe)
            }
            None => (None, None),
        };
        Evidence {
            at_ms: sample.at.as_millis(),
            request: sample.request.clone(),
            response: sample.response.clone(),
            curl: sample.curl.clone(),
            replay: Some(Resend { operation, probe, ..sample.resend.clone() }),
        }
    }
}

/// The step that a probe is a mistake in, by their names: `chat/create` of `chat/create:no-credentials`.
fn step_of(plan: &Plan, probe: &str) -> Option<String> {
    let (step, _) = probe.rsplit_once(':')?;
    let mut steps = plan.scenarios.iter().flat_map(|scenario| &scenario.steps);
    steps.any(|known| known.operation == step).then(|| step.to_owned())
}

fn shapes(used: &ContractUse, ledger: &Ledger) -> Vec<ShapeFacts> {
    let facts = ledger.drift.shapes().into_iter().map(|(ix, seen)| ShapeFacts {
        service: service(used, ix),
        shape: used.terms.secrets.mask(&seen.words).into_owned(),
        count: seen.count,
        statuses: seen.statuses.iter().copied().collect(),
    });
    facts.collect()
}

fn operation(plan: &Plan, (scenario, step): &(ScenarioIx, StepIx)) -> Option<String> {
    let step = plan.scenarios.get(scenario.at())?.steps.get(step.at())?;
    Some(step.operation.clone())
}

fn service(used: &ContractUse, ix: Option<ServiceIx>) -> Option<String> {
    Some(used.contract.services.get(ix?.at())?.id.clone())
}
