//! `brownout probe`: the battery alone, and the battery before a run's load.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::analysis::{Analysis, EntryState, ProbesAlone, RunFacts, Tally};
use crate::client::{RawClient, RawLimits, RawTimeouts};
use crate::contract::compared::During;
use crate::engine::probing::{Ended, Outcome as Came, Probed, Probing, Verdict};
use crate::fault::FaultRules;
use crate::id::RowIx;
use crate::plan::{Place, Plan, ProbeSettings};
use crate::probe::{Battery, battery};
use crate::record::How;
use crate::report::{EndedBy, ProbeFacts, escape};
use crate::units::{Micros, Offset, Rate};
use crate::wire::Failure;

use super::args::RunArgs;
use super::rig::{Rig, RigError};
use super::run::{Job, Outcome, not_sent_again, perform};
use super::watch::Signals;
use super::{Exit, load, surroundings, terminal};

/// How long an answer is waited for where a target may well give none.
const HASTE: Micros = Micros::from_secs(3);
/// Under load, probes are so many times slower: they are to see the load, not to be it.
const SLOWER: f64 = 10.0;
/// Some probes need another request first.
const SPARE: f64 = 1.5;
/// How long is listened for bytes after the end of an answer.
const LINGER: Micros = Micros::from_millis(10);

/// Provokes the documented errors of a plan's contract; sends no load.
pub fn probe(args: &RunArgs) -> Exit {
    match load(&args.plan, &args.change) {
        Ok(plan) if plan.contract.is_none() => {
            terminal::error("there is nothing to probe: the plan names no contract");
            terminal::help("add `[contract]` with `file = \"…\"`: what is documented there is what is provoked");
            Exit::Usage
        }
        Ok(plan) => perform(Arc::new(without_load(plan)), args, Job::Probe),
        Err(problems) => {
            terminal::say(problems.render(terminal::colour_err()).trim_end());
            Exit::Usage
        }
    }
}

/// The plan with only what a battery is about: its contract's gates, and neither load nor faults.
fn without_load(mut plan: Plan) -> Plan {
    plan.probe = Some(settings_of(&plan));
    plan.load.stages.clear();
    plan.faults = FaultRules { rules: Vec::new(), ..plan.faults };
    plan.proxy = None;
    plan.gates.retain(|gate| gate.metric.is_of_contract() && gate.scope_words.is_empty());
    plan
}

/// What the plan says about probing; where it says nothing, what its target implies.
fn settings_of(plan: &Plan) -> ProbeSettings {
    plan.probe.clone().unwrap_or_else(|| ProbeSettings {
        writes: plan.target.writes,
        floods: matches!(plan.target.place, Place::Embedded(_)),
        ..ProbeSettings::default()
    })
}

/// A battery that was sent to an idle target.
pub struct Idle {
    tally: Tally,
    battery: Battery,
    probed: Probed,
    pub ended_by: EndedBy,
    base_url: String,
    path: Vec<String>,
    started_unix_us: i64,
    ended_at: Offset,
}

/// What is left to tell of a battery once its answers have been heard.
pub struct Told {
    battery: Battery,
    probed: Probed,
}

/// Sends the battery to a target that has nothing else to do, and takes everything down again.
///
/// # Errors
/// Where the target cannot be reached.
pub async fn idle(plan: &Arc<Plan>, id: &str, quiet: bool, signals: &mut Signals) -> Result<Idle, RigError> {
    // The battery goes to the target itself.
    let bare = Arc::new(Plan { proxy: None, ..Plan::clone(plan) });
    let mut rig = Rig::raise(&bare, id, None).await?;
    let settings = settings_of(plan);
    let battery = battery(plan, &settings);
    if !quiet {
        let (probes, requests) = (battery.probes.len(), battery.requests().saturating_mul(settings.repeat).min(settings.max_requests));
        terminal::say(&format!("probing {}: {probes} probes, {requests} requests at most", escape::line(&rig.authority, 80)));
    }
    let started_unix_us = rig.clock.unix_us(Offset::START);
    let mut tally = Tally::new(plan, started_unix_us).aimed_at(&rig.base_url);
    let (stop, stopped) = watch::channel(false);
    let probing = probing(plan, id, &rig, settings, stopped, During::Idle);
    let mut ended_by = EndedBy::Schedule;
    let probed = {
        let mut under_way = std::pin::pin!(probing.carry_out(&battery, &mut tally));
        loop {
            tokio::select! {
                probed = &mut under_way => break probed,
                signal = signals.next() => {
                    ended_by = signal;
                    if !quiet {
                        terminal::say("stopping: no further probes; what was switched on is switched off");
                    }
                    let _ = stop.send(true);
                }
            }
        }
    };
    if let (Ended::TargetLost(failure), EndedBy::Schedule) = (&probed.ended, ended_by) {
        terminal::error(&format!("the target is gone: {failure}"));
        terminal::help("look at what the last probes sent: report.json lists them in order");
        ended_by = EndedBy::TargetLost;
    } else if let (Some(why), true, EndedBy::Schedule) = (alone(&probed).nothing_heard(), probed.requests > 0, ended_by) {
        terminal::error(&format!("{}: {why}", escape::line(&rig.authority, 80)));
        terminal::help(help(&probed));
    }
    let ended_at = rig.clock.now();
    let (base_url, path) = (rig.base_url.clone(), rig.path.clone());
    rig.lower_target();
    Ok(Idle { tally, battery, probed, ended_by, base_url, path, started_unix_us, ended_at })
}

/// Sends the same probes once more, slowly, while the stages that the plan names are under load; what was heard.
///
/// Only probes whose answers can be compared with those of an idle target are sent (X02).
pub async fn under_load(plan: &Arc<Plan>, id: &str, rig: &Rig, mut stop: watch::Receiver<bool>) -> Tally {
    let mut tally = Tally::new(plan, rig.clock.unix_us(Offset::START)).aimed_at(&rig.base_url);
    let Some(settings) = plan.probe.as_ref().filter(|settings| !settings.during.is_empty()) else { return tally };
    let battery = battery(plan, settings);
    for stage in settings.during.iter().filter_map(|ix| plan.load.stages.get(ix.at())) {
        tokio::select! {
            () = tokio::time::sleep(stage.start.since(rig.clock.now()).as_duration()) => {}
            _ = stop.wait_for(|stop| *stop) => return tally,
        }
        let max_time = (stage.start + stage.length).since(rig.clock.now());
        let slow = Rate::per_second(pace_under_load(&battery, settings, max_time)).unwrap_or(settings.rate);
        let settings = ProbeSettings { rate: slow, max_time, ..settings.clone() };
        probing(plan, id, rig, settings, stop.clone(), During::Load).carry_out(&battery, &mut tally).await;
    }
    tally
}

/// Requests per second: a tenth of the idle rate, or what it takes to come to the end within the stage; never more than idle.
fn pace_under_load(battery: &Battery, settings: &ProbeSettings, within: Micros) -> f64 {
    let probes = battery.probes.iter().filter(|probe| probe.repeatable()).count();
    let needed = SPARE * probes as f64 / within.as_secs_f64().max(1.0);
    needed.max(settings.rate.get() / SLOWER).max(1.0).min(settings.rate.get())
}

/// What sends probes to a rig's target.
fn probing(plan: &Arc<Plan>, id: &str, rig: &Rig, settings: ProbeSettings, stop: watch::Receiver<bool>, during: During) -> Probing {
    let timeouts = RawTimeouts {
        connect: plan.target.timeouts.connect.min(settings.timeout),
        first_byte: settings.timeout,
        total: settings.timeout,
        linger: LINGER,
        ..RawTimeouts::default()
    };
    let swift = RawTimeouts { linger: Micros::ZERO, ..timeouts };
    let hasty = RawTimeouts { first_byte: HASTE.min(settings.timeout), total: HASTE.min(settings.timeout), ..timeouts };
    let client = |timeouts| RawClient::new(&rig.direct, rig.clock, timeouts, RawLimits::default());
    Probing {
        plan: Arc::clone(plan),
        settings,
        run_id: id.to_owned(),
        authority: rig.authority.clone(),
        clock: rig.clock,
        client: client(timeouts),
        hasty: client(hasty),
        swift: client(swift),
        stop,
        during,
    }
}

impl Idle {
    /// What was heard, for the run to go on with, and what is to be told at its end.
    pub fn heard(self) -> (Tally, Option<Told>) {
        (self.tally, Some(Told { battery: self.battery, probed: self.probed }))
    }

    /// The outcome of a run that ends here.
    pub fn outcome(self, plan: &Arc<Plan>) -> Outcome {
        let facts = RunFacts {
            interrupted: self.ended_by != EndedBy::Schedule,
            ended_at: self.ended_at,
            peak_rss_bytes: surroundings::peak_memory(),
            connections_made: u64::from(self.probed.requests),
            only_probes: Some(alone(&self.probed)),
            battery_cut: cut(&self.probed),
            ..RunFacts::default()
        };
        let (any_answer, any_request) = (self.probed.answered > 0, self.probed.requests > 0);
        let mut analysis = self.tally.finish(plan, &facts);
        not_sent_again(&mut analysis, true);
        let probes = Told { battery: self.battery, probed: self.probed }.told(plan, &mut analysis);
        Outcome {
            analysis,
            probes,
            any_answer,
            any_request,
            ended_by: self.ended_by,
            base_url: self.base_url,
            path: self.path,
            started_unix_us: self.started_unix_us,
            arrivals_digest: 0,
            decisions_digest: 0,
        }
    }
}

/// What became of a battery that has no load beside it.
fn alone(probed: &Probed) -> ProbesAlone {
    let silence = match (&probed.silence, &probed.ended) {
        (Some((failure, Some(odd))), _) => format!("{failure} ({odd})"),
        (Some((failure, None)), _) => failure.to_string(),
        (None, Ended::OutOfTime) => "`max_time` was over before".to_owned(),
        (None, _) => String::new(),
    };
    ProbesAlone { requests: u64::from(probed.requests), answered: u64::from(probed.answered), silence }
}

/// What ended a battery too early, where a bound of the plan did.
fn cut(probed: &Probed) -> Option<&'static str> {
    match probed.ended {
        Ended::OutOfRequests if !probed.complete => Some("`max_requests` was reached"),
        Ended::OutOfTime if !probed.complete => Some("`max_time` was over"),
        _ => None,
    }
}

/// What to do about a target that answers nothing.
fn help(probed: &Probed) -> &'static str {
    match probed.silence {
        Some((Failure::Closed | Failure::Reset, _)) => {
            "it takes connections and closes them: look at its log, and whether it wants `https://` or another port"
        }
        Some((Failure::BadProtocol, Some(_))) => {
            "look at what it sends with `curl -v --http1.1`: an answer is read only as HTTP/1.1, its head up to 64 KiB"
        }
        Some((Failure::BadProtocol, None)) => "check the port, and whether the target speaks HTTP/1.1 there",
        Some((Failure::TimedOut(_), _)) => "look whether the target hangs; if it is only slow, give it longer: `timeout` in [probe]",
        Some(_) => "check that the target is running and that host and port are right",
        None => "give the battery longer: `max_time` in [probe]",
    }
}

impl Told {
    /// What ended the battery before every probe had its turn, where a bound of the plan did.
    pub fn cut(&self) -> Option<&'static str> {
        cut(&self.probed)
    }

    /// Writes into the analysis why errors were not reached, and what the author should know; what became of each probe.
    pub fn told(self, plan: &Plan, analysis: &mut Analysis) -> Vec<ProbeFacts> {
        let mask = |text: &str| plan.secrets.mask(text).into_owned();
        if let Some(contract) = &mut analysis.contract {
            let why = self.why(plan);
            let silent =
                |state| matches!(state, EntryState::Unreached | EntryState::NotTried | EntryState::NeedsHook | EntryState::SyntheticOnly);
            for (ix, entry) in contract.entries.iter_mut().enumerate().filter(|(_, entry)| silent(entry.state)) {
                if let Some(why) = why.get(&RowIx::from(ix)) {
                    let before = entry.reason.take().filter(|_| entry.state == EntryState::SyntheticOnly);
                    entry.reason = Some(mask(&before.map_or_else(|| why.clone(), |before| format!("{before}; {why}"))));
                }
            }
        }
        let warnings = &mut analysis.data_quality.warnings;
        warnings.extend(self.probed.warnings.iter().map(|warning| mask(warning)));
        let unheard = alone(&self.probed).nothing_heard().filter(|_| self.probed.requests > 0);
        warnings.extend(unheard.map(|why| format!("the battery says nothing: {why}")));
        warnings.extend(match &self.probed.ended {
            Ended::OutOfRequests => Some("the battery is not complete: `max_requests` was reached".to_owned()),
            Ended::OutOfTime => Some("the battery is not complete: `max_time` was over".to_owned()),
            Ended::TargetLost(failure) => Some(format!("the battery is not complete: the target was gone ({failure})")),
            Ended::Done | Ended::Stopped => None,
        });
        self.facts(plan)
    }

    /// Why documented errors were not seen.
    fn why(&self, plan: &Plan) -> HashMap<RowIx, String> {
        let mut all: HashMap<RowIx, String> = self.battery.unprovoked.iter().map(|one| (one.row, one.why.clone())).collect();
        for (probe, sent) in self.battery.probes.iter().zip(&self.probed.sent) {
            let what = match &sent.outcome {
                Came::Answered { status, code, .. } => {
                    let code = code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
                    format!("`{}` was answered {status}{}", probe.id, escape::line(&code, 80))
                }
                Came::Failed(failure) => format!("`{}` got no answer: {failure}", probe.id),
                Came::NotSent(why) => format!("`{}` was not sent: {why}", probe.id),
            };
            for row in probe.aims.iter().filter(|row| plan.contract.as_ref().is_some_and(|used| row.at() < used.contract.rows.len())) {
                all.entry(*row).or_insert_with(|| what.clone());
            }
        }
        all
    }

    fn facts(&self, plan: &Plan) -> Vec<ProbeFacts> {
        let mask = |text: &str| plan.secrets.mask(text).into_owned();
        let key = |row: RowIx| plan.contract.as_ref().and_then(|used| Some(used.contract.rows.get(row.at())?.key.clone()));
        let one = |(probe, sent): (&crate::probe::Probe, &crate::engine::probing::Sent)| {
            let mut facts = ProbeFacts {
                id: mask(&probe.id),
                mistake: probe.mistake.word().to_owned(),
                what: probe.mistake.what().to_owned(),
                operation: mask(&probe.operation),
                target_entry: probe.aims.first().copied().and_then(key),
                accept: probe.accept.clone(),
                how: if probe.how == How::Hook { "hook" } else { "probe" }.to_owned(),
                sent: sent.times,
                at_ms: sent.at.map(Offset::as_millis),
                ..ProbeFacts::default()
            };
            match &sent.outcome {
                Came::Answered { status, code, row, verdict } => {
                    facts.outcome = verdict.word().to_owned();
                    facts.status = Some(*status);
                    facts.code = code.as_deref().map(|code| mask(&escape::line(code, 120)));
                    facts.answered_entry = row.and_then(key);
                    facts.reason = (*verdict == Verdict::Limited).then(|| "a limiter refused it first".to_owned());
                }
                Came::Failed(failure) => {
                    facts.outcome = "no-answer".to_owned();
                    facts.reason = Some(failure.to_string());
                }
                Came::NotSent(why) => {
                    facts.outcome = "not-sent".to_owned();
                    facts.reason = Some(mask(why));
                }
            }
            facts
        };
        self.battery.probes.iter().zip(&self.probed.sent).map(one).collect()
    }
}
