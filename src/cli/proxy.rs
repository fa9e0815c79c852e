//! `brownout proxy`: the fault proxy alone, for a client that exists already.

use std::sync::Arc;

use serde_json::json;

use crate::analysis::{RunFacts, Tally};
use crate::clock::Clock;
use crate::fault::Level;
use crate::lineage::Confidence;
use crate::plan::{LONGEST, Plan};
use crate::proxy::{NewRules, SessionRecorder, TOKEN_HEADER};
use crate::record::{Observed, ProxyTally, SessionTally};
use crate::report::session::{ClientFacts, ConfidenceFacts, RecognisedFacts, RouteFacts, SessionFacts};
use crate::report::{self, EndedBy, escape};
use crate::units::{Micros, Offset};
use crate::wire::{Ending, RetryAfter};

use super::args::ProxyArgs;
use super::child::{Left, Program};
use super::folder::Folder;
use super::live::Live;
use super::rig::{Gate, Rig};
use super::run::{Outcome, fault_log, folder_of, in_report, never_began, one_line, refuse, report_of, run_id, unreachable_target};
use super::session::{Home, Lent};
use super::watch::Signals;
use super::{Exit, load, panics, session, surroundings, terminal};

/// A client that is started and of which no bound is known may go on for so long.
const LONGEST_CLIENT: Micros = Micros::from_secs(600);
/// A client that has sent nothing for so long is spoken of.
const SILENCE: Micros = Micros::from_secs(15);
/// How often is looked.
const LOOK_EVERY: Micros = Micros::from_millis(50);
/// The certificate of the session's authority, in the run's folder.
const CA_FILE: &str = "ca.pem";
/// The last attempts with all their clocks, one a line.
const ATTEMPTS_FILE: &str = "attempts.jsonl";

/// Stands between a client and the plan's target until the client ends, the time is over, or a signal comes.
pub fn proxy(args: &ProxyArgs) -> Exit {
    let plan = match load(&args.plan, &args.change) {
        Ok(plan) => plan,
        Err(problems) => {
            terminal::say(problems.render(terminal::colour_err()).trim_end());
            return Exit::Usage;
        }
    };
    let command = match &args.command[..] {
        [] => plan.client.as_ref().map(|client| client.command.clone()).unwrap_or_default(),
        given => given.to_vec(),
    };
    let bound = bound(&plan, args.length, !command.is_empty());
    let (plan, warnings) = session::of_strangers(plan, bound);
    for warning in &warnings {
        terminal::say(&format!("warning: {warning}"));
    }
    let plan = Arc::new(plan);
    let clock = Clock::new();
    let id = run_id(clock.unix_us(Offset::START));
    let folder = match Folder::create(&folder_of(args.out.as_deref(), &plan, &id), args.force) {
        Ok(folder) => folder,
        Err(error) => return refuse(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::error(&format!("the system gives no event loop: {error}"));
            return Exit::Setup;
        }
    };
    let job = Job { plan: &plan, id: &id, command: &command, bound, quiet: args.quiet, folder: &folder };
    let mut seen = runtime.block_on(job.carry_out());
    runtime.shutdown_background();
    seen.outcome.analysis.data_quality.warnings.extend(warnings);
    let mut report = report_of(&plan, &id, &args.label, clock, seen.outcome);
    report.set_session(&seen.facts);
    write(&mut report, &plan, &folder, &seen.attempts, args.quiet)
}

/// How long the session lasts at most; `None` until somebody ends it.
fn bound(plan: &Plan, asked: Option<Micros>, started: bool) -> Option<Micros> {
    let planned = (!plan.has_load()).then(|| plan.schedule_end().since(Offset::START)).filter(|length| *length < LONGEST);
    asked.or(planned).or(started.then_some(LONGEST_CLIENT))
}

struct Job<'j> {
    plan: &'j Arc<Plan>,
    id: &'j str,
    command: &'j [String],
    bound: Option<Micros>,
    quiet: bool,
    folder: &'j Folder,
}

/// What a session came to.
struct Seen {
    outcome: Outcome,
    /// `extra.session` of the report.
    facts: SessionFacts,
    attempts: Vec<u8>,
}

/// How the client came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    /// It is somebody else's.
    NotOurs,
    NeverStarted,
    Left(Left),
    /// It was still at work when the time was over, or a signal came.
    Ended(&'static str),
}

impl Job<'_> {
    async fn carry_out(&self) -> Seen {
        let nothing = |outcome: Outcome, ended: &str| {
            let client = ClientFacts { ended: ended.to_owned(), ..ClientFacts::default() };
            Seen { outcome, facts: SessionFacts { client, ..SessionFacts::default() }, attempts: Vec::new() }
        };
        let mut signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => {
                return nothing(
                    never_began(self.plan, EndedBy::TargetLost, &format!("cannot listen to signals: {error}")),
                    "never-started",
                );
            }
        };
        let rules: Arc<dyn NewRules> = Arc::new(session::Rules { plan: Arc::clone(self.plan) });
        let home = Arc::new(Home::default());
        let recorder = |rig: &Rig| -> Box<dyn SessionRecorder> {
            let tally = Tally::new(self.plan, rig.clock.unix_us(Offset::START)).aimed_at(&rig.base_url);
            Box::new(Lent::new(tally, &home))
        };
        let raised = tokio::select! {
            raised = Rig::stand_alone(self.plan, self.id, recorder, rules, self.folder.path()) => raised,
            signal = signals.next() => {
                return nothing(never_began(self.plan, signal, "interrupted before the proxy listened"), "never-started");
            }
        };
        let (mut rig, gate) = match raised {
            Ok(raised) => raised,
            Err(error) => return nothing(unreachable_target(self.plan, &error), "never-started"),
        };
        let variables = match self.variables(&gate) {
            Ok(variables) => variables,
            Err(why) => {
                terminal::error(&why);
                return nothing(never_began(self.plan, EndedBy::TargetLost, &why), "never-started");
            }
        };
        self.introduce(&gate, &rig.path, &variables);
        let (client, ended_by) = self.attend(&gate, &variables, rig.clock, &home, &mut signals).await;
        let ended_at = rig.clock.now();
        let proxy = rig.lower_proxy();
        rig.lower_target();
        // The proxy's thread has ended, and has let go of it.
        let Some(mut tally) = home.tally() else {
            return nothing(never_began(self.plan, EndedBy::Internal, "the record of the session is lost"), "unknown");
        };
        let ended_by =
            if panics::first().is_some() || proxy.as_ref().is_some_and(|proxy| proxy.panics > 0) { EndedBy::Internal } else { ended_by };
        let sessions = proxy.as_ref().and_then(|proxy| proxy.session.clone()).unwrap_or_default();
        let named = Arc::new(session::with_routes(tally.plan(), &sessions));
        tally.replan(&named);
        // A target is not to be blamed for what was done to its answers, or for a client that did not wait for them.
        let excused = proxy.as_ref().is_some_and(ProxyTally::disturbed) || sessions.client_left > 0;
        let any_answer = tally.any_answer() || excused;
        let decisions_digest = proxy.as_ref().map_or(0, |proxy| proxy.decisions_digest);
        let (warnings, facts) = (self.warnings(client, &sessions, proxy.as_ref()), self.facts(&gate, client, &sessions));
        let run = RunFacts {
            interrupted: ended_by != EndedBy::Schedule,
            ended_at,
            proxy,
            workers: 1,
            peak_rss_bytes: surroundings::peak_memory(),
            connections_made: sessions.connections,
            ..RunFacts::default()
        };
        let mut analysis = tally.finish(&named, &run);
        session::cut_at(&mut analysis, ended_at);
        analysis.data_quality.warnings.extend(warnings);
        let any_request = analysis.accounting.started > 0;
        let attempts = attempts(&sessions, &named);
        let mut path = rig.path.clone();
        if let Some(first) = path.first_mut() {
            "client".clone_into(first);
        }
        let base_url = rig.base_url.clone();
        let outcome = Outcome {
            analysis,
            probes: Vec::new(),
            any_answer,
            any_request,
            ended_by: if client == Client::NeverStarted { EndedBy::TargetLost } else { ended_by },
            base_url,
            path,
            started_unix_us: rig.clock.unix_us(Offset::START),
            arrivals_digest: 0,
            decisions_digest,
        };
        Seen { outcome, facts, attempts }
    }

    /// What a client needs to know, and the certificate it is to trust, written beside the report.
    fn variables(&self, gate: &Gate) -> Result<Vec<(String, String)>, String> {
        let mut variables = vec![("BROWNOUT_URL".to_owned(), gate.url.clone())];
        let mut set = |names: &[&str], value: &str| variables.extend(names.iter().map(|name| ((*name).to_owned(), value.to_owned())));
        if gate.forward {
            set(&["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"], &gate.origin);
            // A client that exempts this machine would never come by.
            set(&["NO_PROXY", "no_proxy"], "");
        }
        if let Some(pem) = &gate.ca {
            self.folder.write(CA_FILE, pem.as_bytes()).map_err(|error| error.to_string())?;
            let path = std::path::absolute(self.folder.path().join(CA_FILE)).map_err(|error| error.to_string())?;
            let path = path.display().to_string();
            set(&["BROWNOUT_CA", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"], &path);
        }
        Ok(variables)
    }

    /// Says where the proxy is, and what a client is to be told.
    fn introduce(&self, gate: &Gate, path: &[String], variables: &[(String, String)]) {
        if self.quiet {
            return;
        }
        let target = self.plan.secrets.mask(path.last().map_or("", String::as_str)).into_owned();
        terminal::say(&format!("fault proxy on {} → {}", gate.url, escape::line(&target, 120)));
        let rules = self.plan.faults.rules.len();
        let rules = if rules == 1 { "1 fault rule".to_owned() } else { format!("{rules} fault rules") };
        terminal::say(&format!("  {rules}, seed {}, repeatable by {}", self.plan.seed.0, self.repeatable()));
        for (name, value) in variables.iter().filter(|(name, _)| name.chars().all(|c| !c.is_ascii_lowercase())) {
            terminal::say(&format!("  {name}={value}"));
        }
        if let Some((address, token)) = &gate.control {
            terminal::say(&format!("  control API on http://{address}, with the header {TOKEN_HEADER}: {token}"));
        }
        match (self.command, self.bound) {
            ([], None) => terminal::say("  until Ctrl-C"),
            ([], Some(bound)) => terminal::say(&format!("  for {bound}, or until Ctrl-C")),
            (_, Some(bound)) => terminal::say(&format!("  until the client ends, {bound} at most")),
            (_, None) => terminal::say("  until the client ends"),
        }
    }

    /// Starts the client where there is one to be started, and waits for the end.
    async fn attend(
        &self,
        gate: &Gate,
        variables: &[(String, String)],
        clock: Clock,
        home: &Home,
        signals: &mut Signals,
    ) -> (Client, EndedBy) {
        let command: Vec<String> = self.command.iter().map(|word| word.replace("{url}", &gate.url)).collect();
        let mut program = match command.is_empty() {
            true => None,
            false => match Program::start(&command, variables) {
                Ok(program) => Some(program),
                Err(error) => {
                    terminal::error(&format!("the client `{}` could not be started: {error}", escape::line(&command[0], 120)));
                    terminal::help("what follows `--` is a program and its arguments; a shell's line is written: -- sh -c '…'");
                    return (Client::NeverStarted, EndedBy::TargetLost);
                }
            },
        };
        let mut live = Live::new(self.quiet, program.is_some());
        let mut spoken = self.quiet || program.is_none();
        let mut looks = tokio::time::interval(LOOK_EVERY.as_duration());
        let ended = loop {
            tokio::select! {
                _ = looks.tick() => {
                    let now = clock.now();
                    let glance = home.glance();
                    live.show(now, glance);
                    if let Some(left) = program.as_mut().and_then(Program::left) {
                        break (Client::Left(left), EndedBy::Schedule);
                    }
                    if self.bound.is_some_and(|bound| now.since(Offset::START) >= bound) {
                        break (if program.is_some() { Client::Ended("time-bound") } else { Client::NotOurs }, EndedBy::Schedule);
                    }
                    if !spoken && glance.started == 0 && now.since(Offset::START) >= SILENCE {
                        spoken = true;
                        live.say("the client has sent nothing to the proxy yet: does it use BROWNOUT_URL, or {url} in its arguments?");
                    }
                }
                signal = signals.next() => {
                    break match program {
                        Some(_) => (Client::Ended("interrupted"), signal),
                        // Ending the proxy is what the signal is for.
                        None => (Client::NotOurs, EndedBy::Schedule),
                    };
                }
            }
        };
        live.finish();
        if let Some(program) = &mut program
            && program.end().await
            && matches!(ended.0, Client::Left(_))
            && !self.quiet
        {
            terminal::say(&format!("the client (process {}) left processes behind; they were ended", program.id()));
        }
        ended
    }

    /// What whoever reads the report should know.
    fn warnings(&self, client: Client, session: &SessionTally, proxy: Option<&ProxyTally>) -> Vec<String> {
        let mut said = Vec::new();
        let requests = proxy.map_or(0, |proxy| proxy.seen);
        match client {
            Client::NeverStarted => said.push("the client could not be started".to_owned()),
            Client::Left(left) if left != Left::Exit(0) => said.push(format!("the client {}", left.in_words())),
            Client::Ended("time-bound") => {
                let bound = self.bound.unwrap_or_default();
                said.push(format!("the client was still at work after {bound}, and was ended"));
            }
            _ => {}
        }
        if requests == 0 && matches!(client, Client::Left(_) | Client::Ended(_)) {
            said.push(
                "no request came through the proxy: the client does not use BROWNOUT_URL (a program that cannot be told its base URL may \
                 go through `forward = true` in [proxy])"
                    .to_owned(),
            );
        }
        if session.split > 0 {
            said.push(format!("{} exchanges had more attempts than are kept of one, and count as several", session.split));
        }
        if session.ambiguous > 0 {
            said.push(format!("of {} retries it is not sure to which of several like exchanges they belong", session.ambiguous));
        }
        said
    }

    fn facts(&self, gate: &Gate, client: Client, session: &SessionTally) -> SessionFacts {
        let mask = |text: &str| self.plan.secrets.mask(text).into_owned();
        let (ended, exit_code, signal) = match client {
            Client::NotOurs => ("not-ours", None, None),
            Client::NeverStarted => ("never-started", None, None),
            Client::Left(Left::Exit(code)) => ("by-itself", Some(i64::from(code)), None),
            Client::Left(Left::Signal(signal)) => ("by-itself", None, Some(i64::from(signal))),
            Client::Ended(why) => (why, None, None),
        };
        let of = |confidence: Confidence| session.confidence[confidence as usize];
        let routes = session.routes.iter();
        let recognised = session.recognised.iter();
        SessionFacts {
            listen: gate.url.clone(),
            forward: gate.forward,
            repeatable: self.repeatable().to_owned(),
            client: ClientFacts {
                command: self.command_in_words().iter().map(|word| mask(word)).collect(),
                ended: ended.to_owned(),
                exit_code,
                signal,
            },
            connections: session.connections,
            client_left: session.client_left,
            routes: routes.map(|(name, exchanges)| RouteFacts { route: mask(name), exchanges: *exchanges }).collect(),
            recognised: recognised
                .map(|&(basis, first, retries)| RecognisedFacts { basis: basis.word().to_owned(), first, retries })
                .collect(),
            confidence: ConfidenceFacts {
                exact: of(Confidence::Exact),
                high: of(Confidence::High),
                medium: of(Confidence::Medium),
                low: of(Confidence::Low),
            },
            ambiguous: session.ambiguous,
            changed: session.changed,
            split: session.split,
        }
    }

    /// The client, without its arguments: what stands in them is the client's business, credentials perhaps.
    fn command_in_words(&self) -> Vec<String> {
        let Some((program, arguments)) = self.command.split_first() else { return Vec::new() };
        let more = (!arguments.is_empty()).then(|| format!("… ({} arguments)", arguments.len()));
        std::iter::once(program.clone()).chain(more).collect()
    }

    /// What the plan says that draws depend on.
    fn repeatable(&self) -> &'static str {
        self.plan.proxy.as_ref().map_or(Level::Ordinal, |proxy| proxy.repeatable).word()
    }
}

/// The attempts that are kept, one a line.
fn attempts(session: &SessionTally, plan: &Plan) -> Vec<u8> {
    let mut lines = Vec::new();
    for seen in &session.attempts {
        let line = attempt(seen, session, plan);
        lines.extend_from_slice(plan.secrets.mask(&line.to_string()).as_bytes());
        lines.push(b'\n');
    }
    lines
}

fn attempt(seen: &Observed, session: &SessionTally, plan: &Plan) -> serde_json::Value {
    let us = |at: Offset| at.0.0;
    let (status, failure) = match seen.ending {
        Ending::Answered(status) => (Some(status), None),
        Ending::Failed(failure) => (None, Some(failure.word())),
        Ending::Unfinished => (None, Some("unfinished")),
    };
    let hint = seen.hint.map(|hint| match hint {
        RetryAfter::Delay(wait) => json!({ "wait_us": wait.0 }),
        RetryAfter::Date(at) => json!({ "unix_us": at }),
    });
    json!({
        "exchange": seen.exchange,
        "attempt": seen.attempt.0,
        "basis": seen.basis.word(),
        "confidence": seen.confidence.word(),
        "ambiguous": seen.ambiguous,
        "changed": seen.changed,
        "route": session.routes.get(usize::from(seen.route)).map(|(name, _)| name),
        "ordinal": seen.ordinal,
        "connection": seen.connection,
        "connection_new": seen.connection_new,
        "method": seen.method.as_str(),
        "body": format!("{:016x}", seen.body),
        "head_us": us(seen.head_at),
        "request_end_us": us(seen.request_end_at),
        "answer_us": seen.answer_at.map(us),
        "ended_us": us(seen.ended_at),
        "ended_unix_us": seen.ended_unix_us,
        "status": status,
        "failure": failure,
        "client_left": seen.client_left,
        "fault": seen.rule.and_then(|rule| plan.faults.rules.get(rule.at())).map(|rule| &rule.name),
        "forwarded": seen.forwarded,
        "upstream": seen.upstream,
        "hint": hint,
    })
}

/// Writes every file and says the verdict; on standard error, since standard output is the client's.
fn write(report: &mut report::Report, plan: &Plan, folder: &Folder, attempts: &[u8], quiet: bool) -> Exit {
    let mut written = Ok(());
    if !attempts.is_empty() {
        report.artifacts.push(report::Artifact::of(ATTEMPTS_FILE, "application/jsonl", attempts));
        written = folder.write(ATTEMPTS_FILE, attempts);
    }
    report.artifacts.extend(fault_log(report, folder));
    let formats: Vec<report::Format> = plan.report.formats.iter().map(|format| in_report(*format)).collect();
    let written =
        written.and_then(|()| report::files(report, &formats).into_iter().try_for_each(|(name, bytes)| folder.write(&name, &bytes)));
    let text = if quiet { one_line(report) } else { report::text::render(report, terminal::colour_err()) };
    terminal::say(text.trim_end());
    let exit = Exit::from_code(report.run.exit_code);
    if let Err(error) = written {
        terminal::error(&error.to_string());
        return exit.without_report();
    }
    if !quiet {
        let first = if formats.contains(&report::Format::Html) { "report.html" } else { "report.json" };
        terminal::say(&format!("  report    {}", folder.path().join(first).display()));
    }
    exit
}

/// `5m`, for `--for`.
pub(super) fn length(text: &str) -> Result<Micros, String> {
    match text.parse::<Micros>()? {
        Micros::ZERO => Err("a session of no length".to_owned()),
        length if length >= LONGEST => Err("a session of more than a week".to_owned()),
        length => Ok(length),
    }
}
