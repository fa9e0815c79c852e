//! Violations grouped by cause: a thousand answers with one mistake are one finding.
//!
//! The identity of a finding is its fingerprint: check, service, status, code, the place in the answer with array
//! indices dropped, and the cause with values normalised away. Memory is constant: so many fingerprints, so many
//! samples of each, so many bytes of samples in all; what does not fit is counted. Findings of workers merge.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::contract::evidence::{Evidence, masked};
use crate::contract::resend::Sent;
use crate::contract::{Contract, Judged, Source, Violation, attribution, catalogue, drift};
use crate::id::{ProbeIx, RowIx, RuleIx, ScenarioIx, ServiceIx, StageIx, StepIx};
use crate::secret::Secrets;
use crate::seed::Seed;
use crate::severity::Severity;
use crate::units::Offset;
use crate::wire::{RequestFacts, ResponseFacts};

/// Fingerprints kept at most.
pub const MOST: usize = 1_000;
/// Samples kept of one finding.
pub const SAMPLES: usize = 3;
/// Bytes of samples kept in all.
const SAMPLE_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of whole requests kept in all.
const REPLAY_BYTES: usize = 4 * 1024 * 1024;
/// Places kept of one finding: operations, stages, faults.
const PLACES: usize = 64;

/// One judged answer, and where in the run it stands.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    pub at: Offset,
    pub place: Place,
    /// Fault rules whose window was open.
    pub open_faults: &'a [RuleIx],
    /// The rule that made the answer, or spoiled it: then it says nothing about the target.
    pub injected: Option<RuleIx>,
    pub request: &'a RequestFacts<'a>,
    /// Absent where only a failure was judged.
    pub response: Option<&'a ResponseFacts<'a>>,
    pub judged: &'a Judged<'a>,
}

/// Where in the run an answer was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// To a step of a scenario, under load.
    Load { stage: StageIx, scenario: ScenarioIx, step: StepIx },
    /// To a request that is wrong on purpose.
    Probe(ProbeIx),
    /// To a request that a hook made fail.
    Hook(ProbeIx),
}

/// Who is to blame for a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Responder {
    /// The target itself.
    Origin,
    /// A proxy or gateway between us and the target.
    Gateway,
    /// Our own proxy (X05): never counted against the target.
    Injector,
    /// There was no complete answer.
    Transport,
}

impl Responder {
    /// The word in fingerprints: frozen, and older than the word in reports.
    const fn printed(self) -> &'static str {
        match self {
            Responder::Origin => "target",
            other => other.word(),
        }
    }

    /// A stable word for reports.
    pub const fn word(self) -> &'static str {
        match self {
            Responder::Origin => "origin",
            Responder::Gateway => "gateway",
            Responder::Injector => "injector",
            Responder::Transport => "transport",
        }
    }
}

/// How sure it is who is to blame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// By something only a part of: a signature that others may have, or a rate with an interval.
    Likely,
    #[default]
    Certain,
}

impl Confidence {
    /// A stable word for reports.
    pub const fn word(self) -> &'static str {
        match self {
            Confidence::Likely => "likely",
            Confidence::Certain => "certain",
        }
    }
}

/// What only the whole run shows, to be taken down at its end.
#[derive(Clone, Debug)]
pub struct RunFinding {
    pub violation: Violation,
    pub confidence: Confidence,
    pub service: Option<ServiceIx>,
    pub row: Option<RowIx>,
    pub status: Option<u16>,
    pub code: Option<String>,
    /// Answers that show it.
    pub count: u64,
    pub first_at: Offset,
    pub last_at: Offset,
    pub operations: BTreeSet<(ScenarioIx, StepIx)>,
    pub probes: BTreeSet<ProbeIx>,
    pub evidence: Vec<Evidence>,
}

/// About nothing: the violation is to be filled in.
impl Default for RunFinding {
    fn default() -> RunFinding {
        RunFinding {
            violation: drift::violation("", "$", String::new(), String::new(), ""),
            confidence: Confidence::Certain,
            service: None,
            row: None,
            status: None,
            code: None,
            count: 0,
            first_at: Offset::START,
            last_at: Offset::START,
            operations: BTreeSet::new(),
            probes: BTreeSet::new(),
            evidence: Vec::new(),
        }
    }
}

impl RunFinding {
    /// One of two with one cause.
    pub fn join(&mut self, other: RunFinding) {
        self.count += other.count;
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
        self.operations.extend(other.operations);
        self.probes.extend(other.probes);
        self.evidence.extend(other.evidence);
        self.evidence.truncate(SAMPLES);
    }
}

/// Violations with one cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The fingerprint in hex: the same in every run.
    pub id: String,
    pub check: &'static str,
    /// The worst of its violations.
    pub severity: Severity,
    pub responder: Responder,
    pub confidence: Confidence,
    pub service: Option<ServiceIx>,
    pub row: Option<RowIx>,
    pub status: Option<u16>,
    /// Digits of an undocumented code are normalised to `#`.
    pub code: Option<String>,
    pub instance_path: String,
    pub cause: String,
    /// Of the first violation, masked.
    pub expected: String,
    pub actual: String,
    pub contract_ref: Option<Source>,
    pub count: u64,
    pub first_at: Offset,
    pub last_at: Offset,
    pub operations: BTreeSet<(ScenarioIx, StepIx)>,
    pub stages: BTreeSet<StageIx>,
    /// Probes whose answers had it.
    pub probes: BTreeSet<ProbeIx>,
    /// Fault rules whose window was open at any of its violations.
    pub faults: BTreeSet<RuleIx>,
    /// At most three, each violation equally likely.
    pub evidence: Vec<Evidence>,
    /// The request of the first violation, to be sent again at the end of the run; `None` where it was too large to keep.
    pub replayable: Option<Box<Sent>>,
}

impl Finding {
    /// One line: what is wrong, with what.
    pub fn title(&self) -> String {
        let complaint = catalogue::find(self.check).map_or(self.check, |check| check.complaint);
        let status = self.status.map(|status| status.to_string());
        let answer = [status.as_deref(), self.code.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let answer = if answer.is_empty() { answer } else { format!("{answer}: ") };
        format!("{answer}{complaint}{}", self.place())
    }

    /// The member or header in question, where the complaint does not name it by itself.
    fn place(&self) -> String {
        let path = self.instance_path.strip_prefix("header:").unwrap_or(&self.instance_path);
        match (path, self.check) {
            ("$" | "status" | "", _) => String::new(),
            (path, "B03" | "H02") => format!(" ({path}, {})", self.cause),
            (path, _) => format!(" ({path})"),
        }
    }
}

/// Everything that was wrong, by cause.
#[derive(Clone, Debug)]
pub struct Findings {
    base_url: String,
    secrets: Arc<Secrets>,
    by_print: BTreeMap<u64, Finding>,
    sample_bytes: usize,
    replay_bytes: usize,
    /// Violations by severity, injected answers apart.
    violations: [u64; 5],
    injected_violations: u64,
    /// Violations whose fingerprint did not fit any more.
    overflow: u64,
}

impl Findings {
    /// None yet. `base_url` is the target's scheme and authority, for curl lines.
    pub fn new(base_url: &str, secrets: Arc<Secrets>) -> Findings {
        Findings {
            base_url: base_url.to_owned(),
            secrets,
            by_print: BTreeMap::new(),
            sample_bytes: 0,
            replay_bytes: 0,
            violations: [0; 5],
            injected_violations: 0,
            overflow: 0,
        }
    }

    /// Takes down every violation of one answer.
    pub fn note(&mut self, contract: &Contract, sighting: &Sighting<'_>) {
        for violation in &sighting.judged.violations {
            self.violation(contract, sighting, violation);
        }
    }

    /// Takes down one violation. Cheap but for the few that become samples.
    pub fn violation(&mut self, contract: &Contract, sighting: &Sighting<'_>, violation: &Violation) {
        let responder = responder_of(sighting);
        match responder {
            Responder::Injector => self.injected_violations += 1,
            _ => self.violations[violation.severity as usize] += 1,
        }
        let print = fingerprint(&Status::of(contract, sighting, violation), violation, responder);
        if !self.by_print.contains_key(&print) {
            if self.by_print.len() >= MOST {
                self.overflow += 1;
                return;
            }
            let mut finding = self.begin(print, sighting, violation, responder);
            let sent = Sent::of(sighting.request).filter(|sent| self.replay_bytes + sent.size() <= REPLAY_BYTES);
            self.replay_bytes += sent.as_ref().map_or(0, Sent::size);
            finding.replayable = sent.map(Box::new);
            self.by_print.insert(print, finding);
        }
        self.add(print, sighting, violation);
    }

    /// Takes down violations that are known only by their number: no answer can be shown for them.
    /// Returns the identity of their finding.
    pub fn unseen(&mut self, violation: Violation, count: u64, at: Offset) -> u64 {
        self.violations[violation.severity as usize] += count;
        let status = Status { service: "", status: 0, row: None, code: "" };
        let print = fingerprint(&status, &violation, Responder::Origin);
        if self.by_print.len() >= MOST && !self.by_print.contains_key(&print) {
            self.overflow += count;
            return print;
        }
        let finding = self.by_print.entry(print).or_insert_with(|| blank(print, &violation, Responder::Origin, at));
        finding.count += count;
        finding.last_at = finding.last_at.max(at);
        print
    }

    /// Takes down what only the whole run shows. Returns the identity of its finding.
    pub fn conclude(&mut self, contract: &Contract, found: RunFinding) -> u64 {
        let severity = found.violation.severity;
        self.violations[severity as usize] += found.count;
        let status = Status {
            service: found.service.map_or("", |ix| contract.services[ix.at()].id.as_str()),
            status: found.status.unwrap_or(0),
            row: found.row,
            code: found.code.as_deref().unwrap_or(""),
        };
        let print = fingerprint(&status, &found.violation, Responder::Origin);
        if self.by_print.len() >= MOST && !self.by_print.contains_key(&print) {
            self.overflow += found.count;
            return print;
        }
        let mut samples = found.evidence;
        samples.truncate(SAMPLES);
        self.sample_bytes += samples.iter().map(Evidence::size).sum::<usize>();
        let finding = Finding {
            confidence: found.confidence,
            service: found.service,
            row: found.row,
            status: found.status,
            code: found.code.map(|code| masked(&shown_code(found.row, &code), &self.secrets)),
            expected: masked(&found.violation.expected, &self.secrets),
            actual: masked(&found.violation.actual, &self.secrets),
            count: found.count,
            last_at: found.last_at,
            operations: found.operations.into_iter().take(PLACES).collect(),
            probes: found.probes.into_iter().take(PLACES).collect(),
            evidence: samples,
            ..blank(print, &found.violation, Responder::Origin, found.first_at)
        };
        match self.by_print.entry(print) {
            Entry::Vacant(vacant) => {
                vacant.insert(finding);
            }
            Entry::Occupied(mut known) => join(known.get_mut(), finding, print),
        }
        print
    }

    /// One answer as it is shown.
    pub fn sample(&self, sighting: &Sighting<'_>) -> Evidence {
        let nothing = drift::violation("", "", String::new(), "there was none".to_owned(), "");
        let sample = Evidence::of(sighting.at, &self.base_url, sighting.request, sighting.response, &nothing, &self.secrets);
        Evidence { place: Some(sighting.place), ..sample }
    }

    /// Violations of this severity or worse, injected answers excluded; those that overflowed are counted, too.
    pub fn violations(&self, at_least: Severity) -> u64 {
        self.violations[at_least as usize..].iter().sum()
    }

    /// Violations in answers of our own proxy (X05).
    pub fn injected_violations(&self) -> u64 {
        self.injected_violations
    }

    /// Findings of this severity or worse, injected answers excluded.
    pub fn count(&self, at_least: Severity) -> u64 {
        let counted = |finding: &&Finding| finding.severity >= at_least && finding.responder != Responder::Injector;
        self.by_print.values().filter(counted).count() as u64
    }

    /// Violations that belong to no finding, because there were too many different ones.
    pub fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Every finding: the worst first, then the most frequent, then by id.
    pub fn sorted(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> = self.by_print.values().collect();
        all.sort_by(|a, b| (b.severity, b.count).cmp(&(a.severity, a.count)).then_with(|| a.id.cmp(&b.id)));
        all
    }

    /// The finding with this identity.
    pub fn get(&self, print: u64) -> Option<&Finding> {
        self.by_print.get(&print)
    }

    /// Findings of a row, of this severity or worse, injected answers excluded.
    pub fn of_row(&self, row: RowIx, at_least: Severity) -> u64 {
        let counted = |f: &&Finding| f.row == Some(row) && f.severity >= at_least && f.responder != Responder::Injector;
        self.by_print.values().filter(counted).count() as u64
    }

    /// Joins what another worker found.
    pub fn merge(&mut self, other: Findings) {
        for (mine, theirs) in self.violations.iter_mut().zip(other.violations) {
            *mine += theirs;
        }
        self.injected_violations += other.injected_violations;
        self.overflow += other.overflow;
        for (print, theirs) in other.by_print {
            let full = self.by_print.len() >= MOST;
            match self.by_print.get_mut(&print) {
                Some(mine) => join(mine, theirs, print),
                None if !full => {
                    self.by_print.insert(print, theirs);
                }
                None => self.overflow += theirs.count,
            }
        }
        self.sample_bytes = self.by_print.values().flat_map(|finding| &finding.evidence).map(Evidence::size).sum();
    }

    fn begin(&self, print: u64, sighting: &Sighting<'_>, violation: &Violation, responder: Responder) -> Finding {
        let judged = sighting.judged;
        let own = !catalogue::is_of_the_server(violation.check);
        let code = judged.code.as_deref().filter(|_| own);
        Finding {
            confidence: attribution::of(sighting).1,
            service: judged.service,
            row: judged.row.filter(|_| own),
            status: sighting.response.map(|response| response.status).filter(|_| own),
            code: code.map(|code| masked(&shown_code(judged.row, code), &self.secrets)),
            expected: masked(&violation.expected, &self.secrets),
            actual: masked(&violation.actual, &self.secrets),
            ..blank(print, violation, responder, sighting.at)
        }
    }

    fn add(&mut self, print: u64, sighting: &Sighting<'_>, violation: &Violation) {
        let Some(finding) = self.by_print.get_mut(&print) else { return };
        finding.count += 1;
        finding.severity = finding.severity.max(violation.severity);
        finding.first_at = finding.first_at.min(sighting.at);
        finding.last_at = finding.last_at.max(sighting.at);
        match sighting.place {
            Place::Load { stage, scenario, step } => {
                insert(&mut finding.operations, (scenario, step));
                insert(&mut finding.stages, stage);
            }
            Place::Probe(probe) | Place::Hook(probe) => insert(&mut finding.probes, probe),
        }
        for &rule in sighting.open_faults {
            insert(&mut finding.faults, rule);
        }
        // Algorithm R (Vitter 1985): violation n is kept with probability SAMPLES / n.
        let slot = match finding.evidence.len() < SAMPLES && finding.count <= SAMPLES as u64 {
            true => finding.evidence.len(),
            false => usize::try_from(Seed(print).draw("sample").with(finding.count).below(finding.count)).unwrap_or(usize::MAX),
        };
        if slot < SAMPLES && self.sample_bytes < SAMPLE_BYTES {
            let sample = Evidence::of(sighting.at, &self.base_url, sighting.request, sighting.response, violation, &self.secrets);
            let sample = Evidence { place: Some(sighting.place), ..sample };
            self.sample_bytes += sample.size();
            if slot < finding.evidence.len() {
                self.sample_bytes -= finding.evidence[slot].size();
                finding.evidence[slot] = sample;
            } else {
                finding.evidence.push(sample);
            }
        }
    }
}

/// One finding out of two: each sample is drawn from either side in proportion to its violations.
fn join(mine: &mut Finding, theirs: Finding, print: u64) {
    let total = mine.count + theirs.count;
    let (mut own, mut other) = (std::mem::take(&mut mine.evidence).into_iter(), theirs.evidence.into_iter());
    for slot in 0..SAMPLES as u64 {
        let from_own = Seed(print).draw("join").with(total).with(slot).below(total) < mine.count;
        let next = if from_own { own.next().or_else(|| other.next()) } else { other.next().or_else(|| own.next()) };
        mine.evidence.extend(next);
    }
    mine.count = total;
    mine.replayable = mine.replayable.take().or(theirs.replayable);
    mine.severity = mine.severity.max(theirs.severity);
    mine.first_at = mine.first_at.min(theirs.first_at);
    mine.last_at = mine.last_at.max(theirs.last_at);
    theirs.operations.into_iter().for_each(|operation| insert(&mut mine.operations, operation));
    theirs.stages.into_iter().for_each(|stage| insert(&mut mine.stages, stage));
    theirs.probes.into_iter().for_each(|probe| insert(&mut mine.probes, probe));
    theirs.faults.into_iter().for_each(|rule| insert(&mut mine.faults, rule));
}

fn insert<T: Ord>(into: &mut BTreeSet<T>, value: T) {
    if into.len() < PLACES {
        into.insert(value);
    }
}

/// The identity of the finding that a violation belongs to, for those who count findings by themselves (gates).
pub fn identity(contract: &Contract, sighting: &Sighting<'_>, violation: &Violation) -> u64 {
    fingerprint(&Status::of(contract, sighting, violation), violation, responder_of(sighting))
}

fn responder_of(sighting: &Sighting<'_>) -> Responder {
    attribution::of(sighting).0
}

/// A finding that nothing was added to yet.
fn blank(print: u64, violation: &Violation, responder: Responder, at: Offset) -> Finding {
    Finding {
        id: format!("{print:016x}"),
        check: violation.check,
        severity: violation.severity,
        responder,
        confidence: Confidence::Certain,
        service: None,
        row: None,
        status: None,
        code: None,
        instance_path: violation.instance_path.clone(),
        cause: violation.cause.clone(),
        expected: violation.expected.clone(),
        actual: violation.actual.clone(),
        contract_ref: violation.contract_ref.clone(),
        count: 0,
        first_at: at,
        last_at: at,
        operations: BTreeSet::new(),
        stages: BTreeSet::new(),
        probes: BTreeSet::new(),
        faults: BTreeSet::new(),
        evidence: Vec::new(),
        replayable: None,
    }
}

/// What an answer was, as far as it tells findings apart.
struct Status<'a> {
    service: &'a str,
    status: u16,
    row: Option<RowIx>,
    code: &'a str,
}

impl<'a> Status<'a> {
    fn of(contract: &'a Contract, sighting: &Sighting<'a>, violation: &Violation) -> Status<'a> {
        let judged = sighting.judged;
        let service = judged.service.map_or("", |ix| contract.services[ix.at()].id.as_str());
        if catalogue::is_of_the_server(violation.check) {
            return Status { service, status: 0, row: None, code: "" };
        }
        Status {
            service,
            status: sighting.response.map_or(0, |response| response.status),
            row: judged.row,
            code: judged.code.as_deref().unwrap_or(""),
        }
    }
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): frozen, since the id of a finding must be the same in every run and version.
fn fingerprint(of: &Status<'_>, violation: &Violation, responder: Responder) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for part in [violation.check, of.service, &violation.instance_path, &violation.cause, responder.printed()] {
        part.bytes().chain([0]).for_each(&mut eat);
    }
    of.status.to_be_bytes().into_iter().for_each(&mut eat);
    normalised(of.row, of.code, &mut eat);
    hash
}

/// Tells a documented code as it is; of any other the first 64 bytes, each run of digits as one `#`, and so each word that is
/// a number in hexadecimal or a UUID: such codes are as many as there are answers.
fn normalised(row: Option<RowIx>, code: &str, mut tell: impl FnMut(u8)) {
    if row.is_some() {
        return code.bytes().for_each(tell);
    }
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    for word in code.as_bytes()[..code.len().min(64)].chunk_by(|a, b| in_word(a) == in_word(b)) {
        if is_random(word) {
            tell(b'#');
            continue;
        }
        for run in word.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
            if run[0].is_ascii_digit() { tell(b'#') } else { run.iter().for_each(|byte| tell(*byte)) }
        }
    }
}

/// Whether a word is one of digits and the letters A to F, with hyphens or without, and too long to be meant.
fn is_random(word: &[u8]) -> bool {
    let hexadecimal = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    word.len() >= 8 && word.iter().all(hexadecimal) && word.iter().any(u8::is_ascii_digit)
}

pub(super) fn shown_code(row: Option<RowIx>, code: &str) -> String {
    let mut shown = Vec::with_capacity(code.len());
    normalised(row, code, |byte| shown.push(byte));
    String::from_utf8_lossy(&shown).into_owned()
}
