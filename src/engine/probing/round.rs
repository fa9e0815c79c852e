//! One round: every probe of the battery, once.

use std::collections::{BTreeMap, HashMap};

use super::post::{Facts, Pace, Post};
use super::{Outcome, Probing, Sent, Verdict};
use crate::client::RawReply;
use crate::contract::compared::During;
use crate::contract::probed::{ProbeFacts, existence_oracle};
use crate::contract::provoke::{Ask, ProbeSpec};
use crate::contract::{Judged, Row};
use crate::id::{ProbeIx, ScenarioIx, StageIx, StepIx};
use crate::plan::{Plan, StatusRange};
use crate::probe::{self, Battery, Detail, Filling, From, Mistake, Probe, Unwritten, Valid, Wire, WireBody};
use crate::record::{self, Recorder};
use crate::seed::Draw;
use crate::units::{Micros, Offset};
use crate::wire::{Ending, Failure, Phase};
use crate::workload::{self, Memory, Visit, Workload};

/// Visits of probes are numbered apart from arrivals, so that what they create is not what the load creates.
const ARRIVALS: u64 = 1 << 62;
/// A wait that a limiter asks for is waited once, if it is no longer than this.
const PATIENCE: Micros = Micros::from_secs(20);
/// How often switching a hook off is tried.
const TRIES: u32 = 3;

/// A round under way.
pub struct Round<'r, 'p, R> {
    pub(super) probing: &'r Probing,
    battery: &'r Battery,
    workload: &'r Workload,
    pub(super) post: &'r mut Post<'p>,
    pub(super) recorder: &'r mut R,
    number: u32,
    /// Numbers the visits.
    visits: u64,
    /// Statuses that missing resources were answered with, by operation (L06).
    missing: HashMap<String, u16>,
    pub sent: Vec<Sent>,
    pub warnings: Vec<String>,
}

impl<'r, 'p, R: Recorder> Round<'r, 'p, R> {
    pub fn new(
        probing: &'r Probing,
        battery: &'r Battery,
        workload: &'r Workload,
        post: &'r mut Post<'p>,
        recorder: &'r mut R,
        number: u32,
    ) -> Round<'r, 'p, R> {
        let unsent = |ix: usize| Sent {
            probe: ProbeIx::from(ix),
            times: 0,
            at: None,
            outcome: Outcome::NotSent("its turn did not come".to_owned()),
        };
        Round {
            probing,
            battery,
            workload,
            post,
            recorder,
            number,
            visits: 0,
            missing: HashMap::new(),
            sent: (0..battery.probes.len()).map(unsent).collect(),
            warnings: Vec::new(),
        }
    }

    /// Everything there is to send.
    pub async fn carry_out(&mut self) {
        for scenario in 0..self.probing.plan.scenarios.len() {
            self.scenario(ScenarioIx::from(scenario)).await;
        }
        let later = |probe: &Probe| in_step(probe).is_none();
        for ix in self.of(|probe| later(probe) && probe.hook.is_none() && !probe.needs.floods) {
            self.spelled_out(ix).await;
        }
        for hook in 0..self.probing.settings.hooks.len() {
            let under = self.of(|probe| later(probe) && probe.hook == Some(hook));
            self.hooked(hook, &under).await;
        }
        for ix in self.of(|probe| later(probe) && probe.hook.is_none() && probe.needs.floods) {
            self.spelled_out(ix).await;
        }
    }

    /// Probes of this kind whose turn it is at all: to a busy target only those whose answers can be compared.
    fn of(&self, wanted: impl Fn(&Probe) -> bool) -> Vec<usize> {
        let idle = self.probing.during == During::Idle;
        let all = self.battery.probes.iter().enumerate();
        all.filter(|(_, probe)| wanted(probe) && (idle || probe.repeatable())).map(|(ix, _)| ix).collect()
    }

    // === mistakes in the steps of a scenario ===

    async fn scenario(&mut self, scenario: ScenarioIx) {
        let steps = self.of(|probe| in_step(probe).is_some_and(|(of, _)| of == scenario));
        let last = steps.iter().filter_map(|&ix| in_step(&self.battery.probes[ix])).map(|(_, step)| step.at()).max();
        let Some(last) = last else { return };
        let mut memory = Memory::default();
        for step in (0..=last).map(StepIx::from) {
            let mine = self.of(|probe| in_step(probe) == Some((scenario, step)));
            // What is deleted cannot be asked for in a wrong way afterwards.
            let first = self.probing.plan.scenarios[scenario.at()].steps[step.at()].method == http::Method::DELETE;
            if first {
                self.mistakes(&mine, &memory).await;
            }
            if let Err(why) = self.valid(scenario, step, &mut memory).await {
                let hopeless = |ix: &usize| in_step(&self.battery.probes[*ix]).is_some_and(|(_, at)| at > step || (at == step && !first));
                for ix in steps.iter().copied().filter(hopeless).collect::<Vec<_>>() {
                    self.not_sent(ix, why.clone());
                }
                return;
            }
            if !first {
                self.mistakes(&mine, &memory).await;
            }
        }
    }

    /// Sends a step as it is.
    async fn valid(&mut self, scenario: ScenarioIx, step: StepIx, memory: &mut Memory) -> Result<(), String> {
        let visit = self.visit(scenario);
        let planned = &self.probing.plan.scenarios[scenario.at()].steps[step.at()];
        let request = Valid::of(&planned.method, &self.workload.request(&visit, step, memory));
        let shown = &planned.operation;
        let Some(reply) = self.patiently(&request.as_wire(), &[]).await else { return Err(self.why_over()) };
        let status = match reply.ending {
            Ending::Answered(status) => status,
            Ending::Failed(failure) => return Err(format!("the valid request of `{shown}` got no answer: {failure}")),
            Ending::Unfinished => return Err(self.why_over()),
        };
        if !expected(&planned.expect, status) {
            return Err(format!("the valid request of `{shown}` was answered {status}"));
        }
        let captured = reply.head.as_ref().is_some_and(|head| workload::capture(planned, &head.headers, &reply.body, memory));
        if captured { Ok(()) } else { Err(format!("the answer to `{shown}` did not hold what later steps need")) }
    }

    async fn mistakes(&mut self, probes: &[usize], memory: &Memory) {
        for &ix in probes {
            self.mistake(ix, memory).await;
        }
    }

    async fn mistake(&mut self, ix: usize, memory: &Memory) {
        let probe = &self.battery.probes[ix];
        let Some((scenario, step)) = in_step(probe) else { return };
        let visit = self.visit(scenario);
        let (genuine, valid) = match self.requests(probe, &visit, step, memory) {
            Ok(both) => both,
            Err(why) => return self.not_sent(ix, why),
        };
        let wire = match probe::spoil(probe, &valid, &genuine, &self.probing.settings, self.draw(probe)) {
            Ok(wire) => wire,
            Err(Unwritten::NoRoom(why)) => return self.not_sent(ix, why.to_owned()),
            Err(Unwritten::NotWrong(why)) => return self.not_sent(ix, format!("it would not be wrong: {why}")),
        };
        match probe.mistake {
            Mistake::TooLarge => self.growing(ix, wire).await,
            Mistake::AnnouncedTooLarge => {
                let hasty = self.probing.hasty.clone();
                let reply = self.post.send_by(&hasty, &wire, Pace::Even).await;
                self.take(ix, &wire, reply, 1);
            }
            Mistake::CreatedTwice => {
                let first = self.patiently(&wire, &[]).await;
                match first.map(|reply| reply.ending) {
                    Some(Ending::Answered(200..400)) => self.one(ix, &wire).await,
                    Some(Ending::Answered(status)) => self.not_sent(ix, format!("creating it once was answered {status}")),
                    Some(Ending::Failed(failure)) => self.not_sent(ix, format!("creating it once got no answer: {failure}")),
                    Some(Ending::Unfinished) | None => self.not_sent(ix, self.why_over()),
                }
            }
            _ => self.one(ix, &wire).await,
        }
    }

    /// The step's request as it should be, and the one that the mistake is made in.
    fn requests(&self, probe: &Probe, visit: &Visit, step: StepIx, memory: &Memory) -> Result<(Valid, Valid), String> {
        let method = &self.probing.plan.scenarios[visit.scenario.at()].steps[step.at()].method;
        let genuine = Valid::of(method, &self.workload.request(visit, step, memory));
        let Detail::Slot(slot) = probe.detail else { return Ok((genuine.clone(), genuine)) };
        let known = memory.get(slot);
        if known.is_empty() {
            return Err("there is no id to make another of".to_owned());
        }
        let nobody = memory.with(slot, probe::random_like(known, self.draw(probe)));
        Ok((genuine, Valid::of(method, &self.workload.request(visit, step, &nobody))))
    }

    /// Bodies of one megabyte, two, four, until one is refused or the cap is met.
    async fn growing(&mut self, ix: usize, wire: Wire) {
        let WireBody::Bytes(whole) = &wire.body else { return };
        let mut size = 1 << 20;
        let mut last = None;
        while size <= whole.len() {
            let smaller = Wire { body: WireBody::Bytes(whole[..size].to_vec()), ..wire.clone() };
            let Some(reply) = self.post.send(&smaller, Pace::Even).await else { break };
            let taken = matches!(reply.ending, Ending::Answered(200..400));
            last = Some((smaller, reply));
            if !taken {
                break;
            }
            size *= 2;
        }
        match last {
            Some((wire, reply)) => self.take(ix, &wire, Some(reply), 1),
            None => self.not_sent(ix, self.why_over()),
        }
    }

    // === what the contract or the plan spells out ===

    async fn hooked(&mut self, hook: usize, probes: &[usize]) {
        if probes.is_empty() || self.post.is_over() {
            return;
        }
        let hook = &self.probing.settings.hooks[hook];
        let on = self.asked(&hook.on, &self.filling("hook"), Pace::Even).await;
        match &on {
            Ok((_, reply)) if succeeded(reply) => {
                for &ix in probes {
                    self.spelled_out(ix).await;
                }
            }
            Ok((_, reply)) => {
                let why = format!("switching the hook `{}` on {}", hook.name, in_words(reply));
                probes.iter().for_each(|&ix| self.not_sent(ix, why.clone()));
            }
            Err(why) => probes.iter().for_each(|&ix| self.not_sent(ix, why.clone())),
        }
        self.switch_off(hook).await;
    }

    /// Switches a hook off, whatever happened: even a request that was cut off may have switched it on.
    async fn switch_off(&mut self, hook: &crate::plan::probe::Hook) {
        let mut said = String::new();
        for _ in 0..TRIES {
            match self.asked(&hook.off, &self.filling("hook"), Pace::Whatever).await {
                Ok((_, reply)) if succeeded(&reply) => return,
                Ok((_, reply)) => said = in_words(&reply),
                Err(why) => said = why,
            }
            tokio::time::sleep(Micros::from_millis(200).as_duration()).await;
        }
        self.warnings.push(format!("the hook `{}` may still be on: switching it off {said}", hook.name));
    }

    async fn spelled_out(&mut self, ix: usize) {
        if self.post.is_over() {
            let why = self.why_over();
            return self.not_sent(ix, why);
        }
        let probe = &self.battery.probes[ix];
        let plan = &self.probing.plan;
        let spec = match probe.from {
            From::Row(row) => plan.contract.as_ref().and_then(|used| used.contract.row(row).probe.clone()),
            From::Aim(aim) => self.probing.settings.aims.get(aim).map(|aim| aim.spec.clone()),
            From::Step(..) => self.spec_of(probe),
        };
        let spec = spec.unwrap_or_default();
        let mut filling = self.filling(&probe.id);
        if let Err(why) = self.prepare(&spec, &mut filling).await {
            return self.not_sent(ix, why);
        }
        let wire = match (&spec.request, probe.from) {
            (Some(ask), _) => self.fill(ask, &filling),
            (None, From::Step(scenario, step)) => {
                let visit = self.visit(scenario);
                let method = &plan.scenarios[scenario.at()].steps[step.at()].method;
                Ok(Valid::of(method, &self.workload.request(&visit, step, &Memory::default())).as_wire())
            }
            (None, _) => Err("there is no request to send".to_owned()),
        };
        let wire = match wire {
            Ok(wire) => wire,
            Err(why) => return self.not_sent(ix, why),
        };
        if let Some(burst) = spec.burst {
            return self.burst(ix, &wire, burst).await;
        }
        for _ in 1..spec.repeat.max(1) {
            if self.post.send(&wire, Pace::Even).await.is_none() {
                let why = self.why_over();
                return self.not_sent(ix, why);
            }
        }
        self.one(ix, &wire).await;
    }

    /// The probe of a row that uses a step's request: a burst without a request of its own, or a hook's.
    fn spec_of(&self, probe: &Probe) -> Option<ProbeSpec> {
        let row = *probe.aims.first()?;
        let aim = self.probing.settings.aims.iter().find(|aim| aim.row == row).map(|aim| aim.spec.clone());
        aim.or_else(|| self.probing.plan.contract.as_ref()?.contract.row(row).probe.clone())
    }

    async fn prepare(&mut self, spec: &ProbeSpec, filling: &mut Filling<'_>) -> Result<(), String> {
        for preparation in &spec.setup {
            let mut last = None;
            for _ in 0..preparation.times {
                let (_, reply) = self.asked(&preparation.ask, filling, Pace::Even).await?;
                if !succeeded(&reply) {
                    return Err(format!("its preparation `{} {}` {}", preparation.ask.method, preparation.ask.target, in_words(&reply)));
                }
                last = Some(reply);
            }
            for (name, found) in &preparation.captures {
                let kept = last.as_ref().and_then(|reply| Some(filling.keep(name, found, &reply.head.as_ref()?.headers, &reply.body)));
                if kept != Some(true) {
                    return Err(format!(
                        "the answer to its preparation `{} {}` has no `{name}`",
                        preparation.ask.method, preparation.ask.target
                    ));
                }
            }
        }
        Ok(())
    }

    async fn asked(&mut self, ask: &Ask, filling: &Filling<'_>, pace: Pace) -> Result<(Wire, RawReply), String> {
        let wire = self.fill(ask, filling)?;
        let reply = match pace {
            Pace::Even => self.patiently(&wire, &[]).await,
            Pace::AtOnce => self.post.send(&wire, pace).await,
            Pace::Whatever => {
                let hasty = self.probing.hasty.clone();
                self.post.send_by(&hasty, &wire, pace).await
            }
        };
        reply.map(|reply| (wire, reply)).ok_or_else(|| self.why_over())
    }

    pub(super) fn fill(&self, ask: &Ask, filling: &Filling<'_>) -> Result<Wire, String> {
        let nobody = Visit { arrival: ARRIVALS, ordinal: 0, scenario: ScenarioIx(0), stage: StageIx(0), at: Offset::START };
        let usual = self.workload.usual_headers(&nobody, &self.probing.authority);
        let usual: Vec<(String, Vec<u8>)> =
            usual.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
        probe::fill(ask, filling, &usual, self.workload.prefix(), &self.probing.settings)
            .map(|valid| valid.as_wire())
            .map_err(|name| format!("the plan has no identity `{name}`"))
    }

    fn filling(&self, purpose: &str) -> Filling<'static> {
        Filling { run_id: self.probing.run_id.clone().into(), draw: self.draw_for(purpose), captured: BTreeMap::new() }
    }

    // === one request, judged ===

    async fn one(&mut self, ix: usize, wire: &Wire) {
        let accept = self.battery.probes[ix].accept.clone();
        let reply = self.patiently(wire, &accept).await;
        self.take(ix, wire, reply, 1);
    }

    /// Sends a request; where a limiter refuses it that should not, waits once as long as it says.
    async fn patiently(&mut self, wire: &Wire, accept: &[u16]) -> Option<RawReply> {
        let reply = self.post.send(wire, Pace::Even).await?;
        let limited = matches!(reply.ending, Ending::Answered(429)) && !accept.contains(&429);
        let wait = self.wait_of(&reply).filter(|wait| limited && *wait <= PATIENCE);
        match wait {
            Some(wait) if self.post.pause(wait).await => self.post.send(wire, Pace::Even).await,
            _ => Some(reply),
        }
    }

    /// What an answer's Retry-After asks for.
    pub(super) fn wait_of(&self, reply: &RawReply) -> Option<Micros> {
        let head = reply.head.as_ref()?;
        let text = head.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
        if let Ok(seconds) = text.trim().parse::<u32>() {
            return Some(Micros::from_secs(u64::from(seconds)));
        }
        let date = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        let now = self.probing.clock.unix_us(self.probing.clock.now());
        Some(Micros(u64::try_from(i64::try_from(date.as_micros()).ok()?.saturating_sub(now)).unwrap_or(0)))
    }

    /// Judges what came back, tells the recorder, and notes how the probe came out.
    pub(super) fn take(&mut self, ix: usize, wire: &Wire, reply: Option<RawReply>, times: u32) {
        let Some(reply) = reply else {
            let why = self.why_over();
            return self.not_sent(ix, why);
        };
        let plan: &Plan = &self.probing.plan;
        let Some(used) = &plan.contract else { return };
        let (contract, terms) = (&used.contract, &used.terms);
        let probe = &self.battery.probes[ix];
        let facts = Facts::of(wire);
        let request = facts.request();
        let response = reply.facts();
        probe.aims.iter().for_each(|&row| self.recorder.tried(row));
        let mut limited = false;
        let mut judged = match (reply.ending, &response) {
            (Ending::Answered(status), Some(response)) => {
                limited = status == 429 && !probe.accept.is_empty() && !probe.accept.contains(&429);
                let mut accept = probe.accept.clone();
                let tolerated = probe.tolerated && status < 400;
                if tolerated {
                    accept.push(status);
                }
                let known = ProbeFacts {
                    accept: &accept,
                    client_fault: probe.client_fault && !tolerated,
                    field: probe.field.as_deref(),
                    canary: probe.canary,
                    credentials: probe.credentials,
                };
                match limited {
                    true => contract.check(terms, &request, response),
                    false => contract.check_probe(terms, &request, response, &known),
                }
            }
            (Ending::Failed(failure), _) if !may_be_silent(probe.mistake, failure) => Judged {
                service: contract.service_for(&request),
                violations: contract.check_failure(terms, &request, failure),
                ..Judged::default()
            },
            _ => Judged::default(),
        };
        if let (Ending::Answered(status), false) = (reply.ending, limited) {
            match probe.mistake {
                Mistake::UnknownId => {
                    self.missing.entry(probe.operation.clone()).or_insert(status);
                }
                Mistake::ForeignIdentity => {
                    let oracle = self.missing.get(&probe.operation).and_then(|&missing| existence_oracle(missing, status));
                    judged.violations.extend(oracle);
                }
                _ => {}
            }
        }
        let outcome = match reply.ending {
            Ending::Answered(status) => Outcome::Answered {
                status,
                code: judged.code.as_deref().map(str::to_owned),
                row: judged.row,
                verdict: if limited { Verdict::Limited } else { verdict(probe, status, &judged) },
            },
            Ending::Failed(failure) => Outcome::Failed(failure),
            Ending::Unfinished => Outcome::NotSent(self.why_over()),
        };
        let answered = matches!(reply.ending, Ending::Answered(_));
        self.recorder.probed(&record::Probed {
            probe: ProbeIx::from(ix),
            name: &probe.id,
            operation: &probe.operation,
            at: reply.stamps.ended_at,
            how: probe.how,
            during: self.meanwhile(reply.stamps.ended_at),
            request: &request,
            response: response.as_ref().filter(|_| answered),
            judged: Some(&judged),
            repeatable: probe.repeatable() && !limited,
        });
        self.sent[ix].times += times;
        self.sent[ix].at = Some(reply.stamps.ended_at);
        self.sent[ix].outcome = outcome;
    }

    /// What a probe asks for.
    pub(super) fn operation(&self, ix: usize) -> &str {
        &self.battery.probes[ix].operation
    }

    /// The documented error a probe is aimed at.
    pub(super) fn row(&self, ix: usize) -> Option<&Row> {
        let row = *self.battery.probes[ix].aims.first()?;
        Some(self.probing.plan.contract.as_ref()?.contract.row(row))
    }

    /// A filling of nothing.
    pub(super) fn nothing(&self) -> Filling<'static> {
        self.filling("")
    }

    /// What else was going on at a moment.
    fn meanwhile(&self, at: Offset) -> During {
        let faulty = self.probing.plan.faults.rules.iter().any(|rule| rule.open_at(at));
        if self.probing.during != During::Idle && faulty { During::Fault } else { self.probing.during }
    }

    fn not_sent(&mut self, ix: usize, why: String) {
        self.sent[ix].outcome = Outcome::NotSent(why);
    }

    fn why_over(&self) -> String {
        match &self.post.ended {
            Some(super::Ended::Stopped) => "it was stopped before".to_owned(),
            Some(super::Ended::OutOfRequests) => "`max_requests` was reached before".to_owned(),
            Some(super::Ended::OutOfTime) => "`max_time` was over before".to_owned(),
            Some(super::Ended::TargetLost(failure)) => format!("the target was gone: {failure}"),
            Some(super::Ended::Done) | None => "it was cut off".to_owned(),
        }
    }

    fn visit(&mut self, scenario: ScenarioIx) -> Visit {
        self.visits += 1;
        let phase = u64::from(self.number) << 32 | u64::from(self.probing.during != During::Idle) << 40;
        let arrival = ARRIVALS | phase | u64::from(scenario.0) << 44 | self.visits;
        Visit { arrival, ordinal: self.visits, scenario, stage: StageIx(0), at: Offset::START }
    }

    fn draw(&self, probe: &Probe) -> Draw {
        self.draw_for(&probe.id)
    }

    fn draw_for(&self, purpose: &str) -> Draw {
        let seed = self.probing.plan.seed;
        let run = seed.draw(&self.probing.run_id).bits();
        seed.draw("probe").with(seed.draw(purpose).bits()).with(run).with(u64::from(self.number)).with(self.probing.during as u64)
    }
}

/// The step that a probe is a mistake in.
fn in_step(probe: &Probe) -> Option<(ScenarioIx, StepIx)> {
    match probe.from {
        From::Step(scenario, step) if !matches!(probe.mistake, Mistake::Hooked | Mistake::Burst) => Some((scenario, step)),
        _ => None,
    }
}

fn expected(ranges: &[StatusRange], status: u16) -> bool {
    ranges.iter().any(|range| (range.first..=range.last).contains(&status))
}

fn succeeded(reply: &RawReply) -> bool {
    matches!(reply.ending, Ending::Answered(200..400))
}

fn in_words(reply: &RawReply) -> String {
    match reply.ending {
        Ending::Answered(status) => format!("was answered {status}"),
        Ending::Failed(failure) => format!("got no answer: {failure}"),
        Ending::Unfinished => "was cut off".to_owned(),
    }
}

/// Whether a target may let a request unanswered: it may close instead of reading what is too large (RFC 9110 §15.5.14).
fn may_be_silent(mistake: Mistake, failure: Failure) -> bool {
    let closed = matches!(failure, Failure::Closed | Failure::Reset | Failure::TimedOut(Phase::FirstByte | Phase::Total));
    matches!(mistake, Mistake::AnnouncedTooLarge | Mistake::TooLarge) && closed
}

fn verdict(probe: &Probe, status: u16, judged: &Judged<'_>) -> Verdict {
    let spelled_out = probe.id.starts_with("row:");
    match status {
        0..400 if probe.tolerated => Verdict::Tolerated,
        0..400 if probe.client_fault => Verdict::Accepted,
        0..400 => Verdict::Unexpected,
        _ if spelled_out && judged.row.is_some_and(|row| probe.aims.contains(&row)) => Verdict::Expected,
        _ if spelled_out => {
            if probe.accept.iter().skip(1).any(|other| *other == status) {
                Verdict::Expected
            } else {
                Verdict::Unexpected
            }
        }
        _ if probe.accept.is_empty() || probe.accept.contains(&status) => Verdict::Expected,
        _ => Verdict::Unexpected,
    }
}
