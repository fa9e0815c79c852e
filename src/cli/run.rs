//! `brownout run`: the main job. Its functions, read in order, are the table of contents of the program.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::analysis::{Analysis, FindingFacts, RunFacts, Status, Tally};
use crate::clock::Clock;
use crate::contract::replay::{Replayed, without_sending};
use crate::engine::replay::{self, Replayer};
use crate::engine::{self, Ran, Setup};
use crate::fault::Script;
use crate::plan::{self, Place, Plan};
use crate::record::ProxyTally;
use crate::report::{self, Artifact, EndedBy, Format, PlanFacts, ProbeFacts, Report, Run, Setting, TargetFacts, Tool};
use crate::seed::Seed;
use crate::units::{Micros, Offset};

use super::args::RunArgs;
use super::folder::{Folder, FolderError};
use super::probe::{self, Idle, Told};
use super::progress::Progress;
use super::rig::{FAULT_LOG, Rig, RigError};
use super::watch::{Signals, watch};
use super::{Exit, load, panics, surroundings, terminal};

/// How a plan is carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    /// Load and faults, after the battery where the plan has one.
    Run,
    /// The battery alone.
    Probe,
}

/// Runs a plan: text → plan → what happened → analysis → report → exit code.
pub fn run(args: &RunArgs) -> Exit {
    match load(&args.plan, &args.change) {
        Ok(plan) if !plan.has_load() => {
            terminal::error("there is nothing to send: the plan has no scenario, since its requests come from a client");
            terminal::help(&format!("carry it out with `brownout proxy {}`", args.plan.display()));
            Exit::Usage
        }
        Ok(plan) => perform(Arc::new(plan), args, Job::Run),
        Err(problems) => {
            terminal::say(problems.render(terminal::colour_err()).trim_end());
            Exit::Usage
        }
    }
}

/// Carries a plan out in one way or another, and writes the report.
pub(super) fn perform(mut plan: Arc<Plan>, args: &RunArgs, job: Job) -> Exit {
    if let Some(path) = &args.baseline
        && let Err(why) = take_baseline(Arc::make_mut(&mut plan), path)
    {
        terminal::say(&format!("error: {why}"));
        return Exit::Usage;
    }
    if let Some(path) = &args.faults
        && let Err(why) = take_script(Arc::make_mut(&mut plan), path)
    {
        terminal::error(&why);
        terminal::help("a log of decisions is the faults.jsonl of a run of the same plan");
        return Exit::Usage;
    }
    let clock = Clock::new();
    let id = run_id(clock.unix_us(Offset::START));
    let folder = match Folder::create(&folder_of(args.out.as_deref(), &plan, &id), args.force) {
        Ok(folder) => folder,
        Err(error) => return refuse(&error),
    };
    let outcome = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(carry_out(&plan, &id, args, &folder, job));
            // A name that is still being resolved when a signal comes must not keep the report waiting.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => {
            terminal::error(&format!("the system gives no event loop: {error}"));
            return Exit::Setup;
        }
    };
    let mut report = report_of(&plan, &id, &args.label, clock, outcome);
    report.artifacts.extend(fault_log(&report, &folder));
    finish(&report, &plan, &folder, args)
}

/// Takes the decisions of an earlier run.
fn take_script(plan: &mut Plan, path: &Path) -> Result<(), String> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| format!("the log `{shown}`: {error}"))?;
    let lines = BufReader::new(file).lines().map(|line| line.map_err(|error| error.to_string()));
    let script = Script::read(lines, &plan.log_names()).map_err(|(line, why)| format!("the log `{shown}`, line {line}: {why}"))?;
    plan.faults.script = Some(Arc::new(script));
    Ok(())
}

/// Takes the findings of an earlier report for known ones.
fn take_baseline(plan: &mut Plan, path: &Path) -> Result<(), String> {
    let Some(used) = &mut plan.contract else {
        return Err("--baseline needs a contract, and the plan names none: without one there are no findings".to_owned());
    };
    let baseline = plan::read_baseline(path).map_err(|why| format!("the baseline `{}`: {why}", path.display()))?;
    used.baseline = Some(Arc::new(baseline));
    Ok(())
}

/// The folder of a run or session: the one asked for, else the plan's.
pub(super) fn folder_of(asked: Option<&Path>, plan: &Plan, id: &str) -> PathBuf {
    asked.map_or_else(|| PathBuf::from(plan.report.dir.replace("${run.id}", id)), Path::to_owned)
}

pub(super) fn refuse(error: &FolderError) -> Exit {
    terminal::error(&error.to_string());
    match error {
        FolderError::HoldsReport(_) => Exit::Usage,
        FolderError::NotWritable { .. } | FolderError::NotWritten { .. } => Exit::Setup,
    }
}

/// What became of a run, before it is a report.
pub(super) struct Outcome {
    pub analysis: Analysis,
    pub probes: Vec<ProbeFacts>,
    /// Whether any attempt was answered, whatever became of its exchange.
    pub any_answer: bool,
    /// Whether anything was to be answered.
    pub any_request: bool,
    pub ended_by: EndedBy,
    pub base_url: String,
    pub path: Vec<String>,
    pub started_unix_us: i64,
    pub arrivals_digest: u64,
    pub decisions_digest: u64,
}

async fn carry_out(plan: &Arc<Plan>, id: &str, args: &RunArgs, folder: &Folder, job: Job) -> Outcome {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return never_began(plan, EndedBy::TargetLost, &format!("cannot listen to signals: {error}")),
    };
    let battery = match job {
        Job::Probe => true,
        Job::Run => plan.probe.as_ref().is_some_and(|settings| settings.idle),
    };
    let idle = match battery {
        true => match probe::idle(plan, id, args.quiet, &mut signals).await {
            Ok(idle) => Some(idle),
            Err(error) => return unreachable_target(plan, &error),
        },
        false => None,
    };
    let idle = match idle {
        Some(idle) if job == Job::Probe || idle.ended_by != EndedBy::Schedule => return idle.outcome(plan),
        other => other,
    };
    let rig = tokio::select! {
        rig = Rig::raise(plan, id, Some(folder.path())) => rig,
        signal = signals.next() => return never_began(plan, signal, "interrupted before the first request"),
    };
    match rig {
        Ok(rig) => under_load(plan, id, args, rig, idle, &mut signals).await,
        Err(error) => unreachable_target(plan, &error),
    }
}

/// The run itself: start the workers, watch them, take everything down in order.
async fn under_load(plan: &Arc<Plan>, id: &str, args: &RunArgs, mut rig: Rig, idle: Option<Idle>, signals: &mut Signals) -> Outcome {
    let setup = Setup {
        plan: Arc::clone(plan),
        run_id: id.to_owned(),
        authority: rig.authority.clone(),
        clock: rig.clock,
        board: rig.board.clone(),
        workers: rig.workers,
        transports: Arc::clone(&rig.transports),
    };
    let started_unix_us = rig.clock.unix_us(Offset::START);
    let base_url = rig.base_url.clone();
    let tally = || Tally::new(plan, started_unix_us).aimed_at(&base_url);
    let running = match engine::start(&setup, tally) {
        Ok(running) => running,
        Err(error) => return unreachable_target(plan, &RigError::System { what: "a worker could not start", error }),
    };
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let watching = async {
        let ended_by = watch(&running, rig.clock, &plan.gates, &mut *signals, Progress::new(plan, args.quiet)).await;
        let _ = stop.send(true);
        ended_by
    };
    let (mut ended_by, meanwhile) = tokio::join!(watching, probe::under_load(plan, id, &rig, stopped));
    let ran = running.join();
    let (mut before, idle) = idle.map_or_else(|| (tally(), None), Idle::heard);
    before.merge(meanwhile);
    let (ran, tally) = heard(ran, before);
    let replays = look_again(plan, &rig, &tally, ended_by, signals).await;
    // The proxy has the last word about requests that were cut off on their way to it.
    let proxy = rig.lower_proxy();
    rig.lower_target();
    let proxy_panics = proxy.as_ref().map_or(0, |proxy| proxy.panics);
    if panics::first().is_some() || !ran.broken.is_empty() || proxy_panics > 0 {
        ended_by = EndedBy::Internal;
    }
    let (arrivals_digest, decisions_digest) = (ran.arrivals_digest, proxy.as_ref().map_or(0, |proxy| proxy.decisions_digest));
    let (mut analysis, any_answer) = analyse(plan, &rig, ran, proxy, ended_by, idle.as_ref().and_then(Told::cut), tally);
    for finding in &mut analysis.findings {
        finding.isolated_replay = replays.get(&finding.id).cloned();
    }
    not_sent_again(&mut analysis, false);
    let probes = idle.map(|idle| idle.told(plan, &mut analysis)).unwrap_or_default();
    let any_request = analysis.accounting.started > 0;
    let path = rig.path.clone();
    Outcome { analysis, probes, any_answer, any_request, ended_by, base_url, path, started_unix_us, arrivals_digest, decisions_digest }
}

/// What the workers heard, in one tally.
fn heard(mut ran: Ran<Tally>, mut tally: Tally) -> (Ran<Tally>, Tally) {
    for other in ran.recorders.drain(..) {
        tally.merge(other);
    }
    (ran, tally)
}

/// Sends the request of each new finding once more, without load, while the target is still there.
async fn look_again(plan: &Plan, rig: &Rig, tally: &Tally, ended_by: EndedBy, signals: &mut Signals) -> BTreeMap<String, Replayed> {
    let findings = tally.new_findings();
    let Some(used) = plan.contract.as_ref().filter(|_| !findings.is_empty()) else { return BTreeMap::new() };
    if ended_by != EndedBy::Schedule {
        return replay::skipped(&findings);
    }
    let replayer = Replayer::new(&rig.direct, rig.clock, plan.target.timeouts);
    tokio::select! {
        seen = replayer.look_at_all(used, &findings) => seen,
        _ = signals.next() => replay::skipped(&findings),
    }
}

/// Says of every new finding that nothing was sent for why that would say nothing.
pub(super) fn not_sent_again(analysis: &mut Analysis, only_probes: bool) {
    let is_new = |finding: &&mut FindingFacts| {
        finding.waiver.is_none() && finding.responder != "injector" && finding.baseline.as_deref().is_none_or(|state| state == "new")
    };
    for finding in analysis.findings.iter_mut().filter(is_new).filter(|finding| finding.isolated_replay.is_none()) {
        finding.isolated_replay = without_sending(&finding.check, only_probes);
    }
}

/// The analysis, and whether any attempt was answered.
fn analyse(
    plan: &Plan,
    rig: &Rig,
    ran: Ran<Tally>,
    proxy: Option<ProxyTally>,
    ended_by: EndedBy,
    battery_cut: Option<&'static str>,
    mut tally: Tally,
) -> (Analysis, bool) {
    for loose in ran.loose {
        loose.record(rig.board.as_deref(), &mut tally);
    }
    let cpu = ran.workers.iter().filter_map(|used| Some(used.cpu?.as_secs_f64() / used.wall.max(Micros(1)).as_secs_f64())).reduce(f64::max);
    // A target is not to be blamed for what was done to its answers.
    let disturbed = proxy.as_ref().is_some_and(ProxyTally::disturbed);
    let facts = RunFacts {
        interrupted: ended_by != EndedBy::Schedule,
        aborted: ended_by == EndedBy::AbortGate,
        ended_at: ran.ended_at,
        proxy,
        workers: rig.workers,
        generator_cpu: cpu,
        peak_rss_bytes: surroundings::peak_memory(),
        connections_made: ran.workers.iter().map(|used| used.connections_made).sum(),
        peak_in_flight: ran.peak_in_flight,
        only_probes: None,
        battery_cut,
        broken: ran.broken,
    };
    let any_answer = tally.any_answer() || disturbed;
    (tally.finish(plan, &facts), any_answer)
}

/// The report of a run that sent nothing.
pub(super) fn never_began(plan: &Arc<Plan>, ended_by: EndedBy, why: &str) -> Outcome {
    let clock = Clock::new();
    let started_unix_us = clock.unix_us(Offset::START);
    let facts = RunFacts { interrupted: true, peak_rss_bytes: surroundings::peak_memory(), ..RunFacts::default() };
    let mut analysis = Tally::new(plan, started_unix_us).finish(plan, &facts);
    analysis.verdict.status = Status::Error;
    analysis.verdict.headline = format!("Nothing was sent: {why}.");
    let base_url = match &plan.target.place {
        Place::Url(url) => url.as_str().trim_end_matches('/').to_owned(),
        Place::Embedded(_) => String::new(),
    };
    Outcome {
        analysis,
        probes: Vec::new(),
        any_answer: false,
        any_request: false,
        ended_by,
        base_url,
        path: Vec::new(),
        started_unix_us,
        arrivals_digest: 0,
        decisions_digest: 0,
    }
}

pub(super) fn unreachable_target(plan: &Arc<Plan>, error: &RigError) -> Outcome {
    let error_text = error.to_string();
    let why = plan.secrets.mask(&error_text);
    terminal::error(&why);
    terminal::help(error.help());
    never_began(plan, EndedBy::TargetLost, &why)
}

pub(super) fn report_of(plan: &Plan, id: &str, labels: &[(String, String)], clock: Clock, outcome: Outcome) -> Report {
    let exit = Exit::of_run(outcome.analysis.verdict.status, outcome.ended_by, outcome.any_answer, outcome.any_request);
    let finished_unix_us = clock.unix_us(clock.now());
    let mask = |text: &str| plan.secrets.mask(text).into_owned();
    let run = Run {
        id: id.to_owned(),
        started_at: rfc3339(outcome.started_unix_us),
        finished_at: rfc3339(finished_unix_us),
        duration_ms: u64::try_from((finished_unix_us - outcome.started_unix_us) / 1_000).unwrap_or(0),
        seed: plan.seed.0,
        complete: outcome.ended_by == EndedBy::Schedule,
        ended_by: outcome.ended_by,
        exit_code: exit as u8,
        labels: labels.iter().map(|(name, value)| (mask(name), mask(value))).collect::<BTreeMap<_, _>>(),
        arrivals_digest: format!("{:016x}", outcome.arrivals_digest),
        decisions_digest: format!("{:016x}", outcome.decisions_digest),
        host: surroundings::host(),
        ci: surroundings::ci(&|name| std::env::var(name).ok()),
    };
    let setting = Setting {
        tool: Tool { name: "brownout".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), commit: None },
        run,
        plan: PlanFacts {
            path: plan.path.clone(),
            sha256: plan.sha256.clone(),
            name: plan.name.clone(),
            normalised: plan.normalised.clone(),
            redactions: plan.redactions.clone(),
        },
        target: target_facts(plan, outcome.base_url, outcome.path),
    };
    Report { probes: outcome.probes, ..Report::new(setting, outcome.analysis) }
}

fn target_facts(plan: &Plan, base_url: String, path: Vec<String>) -> TargetFacts {
    TargetFacts {
        base_url: plan.secrets.mask(&base_url).into_owned(),
        embedded: match &plan.target.place {
            Place::Embedded(embedded) => Some(embedded.preset.clone()),
            Place::Url(_) => None,
        },
        services: plan.contract.iter().flat_map(|used| used.contract.services.iter().map(|service| service.id.clone())).collect(),
        http_versions: vec![
            match plan.target.http {
                plan::HttpVersion::Http1 => "1.1",
                plan::HttpVersion::Http2 => "2",
                plan::HttpVersion::Auto => "auto",
            }
            .to_owned(),
        ],
        clock_skew_ms: None,
        responders: Vec::new(),
        path: path.iter().map(|stop| plan.secrets.mask(stop).into_owned()).collect(),
    }
}

/// Writes every file and prints the verdict. A disk that is full at the end is said, and the verdict still shown.
fn finish(report: &Report, plan: &Plan, folder: &Folder, args: &RunArgs) -> Exit {
    let formats: Vec<Format> = plan.report.formats.iter().map(|format| in_report(*format)).collect();
    let written = report::files(report, &formats).into_iter().try_for_each(|(name, bytes)| folder.write(&name, &bytes));
    let text = if args.quiet { one_line(report) } else { report::text::render(report, terminal::colour_out()) };
    terminal::print(&text);
    let exit = Exit::from_code(report.run.exit_code);
    if let Err(error) = written {
        terminal::error(&error.to_string());
        terminal::help("what is printed above is all that is left of the run; make room, or choose another folder with --out");
        return exit.without_report();
    }
    if !args.quiet {
        let first = if formats.contains(&Format::Html) { "report.html" } else { "report.json" };
        terminal::print(&format!("  report    {}\n", folder.path().join(first).display()));
    }
    exit
}

/// The decision log as a file of the report.
pub(super) fn fault_log(report: &Report, folder: &Folder) -> Option<Artifact> {
    let log = report.decisions.as_ref()?.log.as_ref()?;
    let file = File::open(folder.path().join(FAULT_LOG)).ok().filter(|_| log.error.is_none())?;
    Artifact::of_file(FAULT_LOG, "application/jsonl", file).ok()
}

/// The verdict of a quiet run.
pub(super) fn one_line(report: &Report) -> String {
    let word = match report.verdict.status {
        Status::Pass => "pass",
        Status::Fail => "fail",
        Status::Inconclusive => "inconclusive",
        Status::Invalid => "invalid",
        Status::Error => "error",
    };
    format!("{word}: {}\n", report.verdict.headline)
}

pub(super) fn in_report(format: plan::Format) -> Format {
    match format {
        plan::Format::Json => Format::Json,
        plan::Format::Html => Format::Html,
        plan::Format::Junit => Format::Junit,
        plan::Format::Markdown => Format::Markdown,
        plan::Format::Hgrm => Format::Hgrm,
    }
}

/// The moment the run began, and four digits that tell two runs of one second apart.
pub(super) fn run_id(unix_us: i64) -> String {
    let moment = rfc3339(unix_us).replace(['-', ':'], "");
    let moment = moment.split('.').next().unwrap_or(&moment).trim_end_matches('Z');
    let digits = Seed(unix_us.unsigned_abs()).draw("run").with(u64::from(std::process::id())).bits() & 0xffff;
    format!("{moment}Z-{digits:04x}")
}

fn rfc3339(unix_us: i64) -> String {
    jiff::Timestamp::from_microsecond(unix_us).map_or_else(|_| "1970-01-01T00:00:00Z".to_owned(), |at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_its_beginning() {
        let id = run_id(1_795_370_652_123_456);
        assert!(id.starts_with("20261122T"), "{id}");
        assert_eq!(id.len(), "20261122T180412Z-abcd".len(), "{id}");
    }

    #[test]
    fn times_are_printed_to_the_millisecond() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
    }
}
