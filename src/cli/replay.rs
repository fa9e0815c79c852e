//! `brownout replay`: the request of one finding, sent once more, and what that says about it.
//!
//! The report is read as what it is, a file from somewhere: nothing in it chooses where a request goes (the plan does),
//! and a request that writes needs the plan's consent here, too.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};

use crate::analysis::FindingFacts;
use crate::clock::Clock;
use crate::contract::evidence;
use crate::contract::replay::{self, Outcome, Replayed, Wanted};
use crate::contract::resend::{Sent, Unsendable};
use crate::engine::replay::{Replayer, Seen};
use crate::plan::{ContractUse, Piece, Plan, Problems, Template};
use crate::report::escape::line;
use crate::report::{self, Report, number};
use crate::units::{Micros, Size};
use crate::wire::{Ending, Failure};

use super::args::ReplayArgs;
use super::rig::{Rig, RigError};
use super::{Exit, load, terminal};

/// A report larger than this is not read.
const LARGEST: Size = Size(256 * 1024 * 1024);
/// Findings listed where the one asked for is not there.
const LISTED: usize = 10;
/// Characters of a text from the report that are shown in a line.
const SHOWN: usize = 400;

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Report(String),
    #[error("{0}")]
    Finding(String),
    #[error("there is no plan at {0}, where the report says it was")]
    NoPlan(String),
    #[error("the plan has problems")]
    Plan(Box<Problems>),
    #[error("the plan names no contract, so there is nothing to hold the answer to")]
    NoContract,
    #[error("the finding's request is a {0}, and the plan does not consent to writing to this target")]
    Writes(Method),
    #[error("{0}")]
    Rig(RigError),
    #[error("{0}")]
    Unreached(Failure),
    #[error("the system gives no event loop: {0}")]
    NoLoop(std::io::Error),
}

/// Looks at a finding once more.
pub fn replay(args: &ReplayArgs) -> Exit {
    match look(args) {
        Ok(outcome) => match outcome {
            Outcome::NotReproduced => Exit::Pass,
            Outcome::Reproduced => Exit::Fail,
            Outcome::CannotTell | Outcome::NotApplicable => Exit::Inconclusive,
        },
        Err(refusal) => refuse(&refusal),
    }
}

fn look(args: &ReplayArgs) -> Result<Outcome, Refusal> {
    let report = read(&args.report)?;
    let finding = find(&report, &args.finding)?;
    let plan = plan(args, &report)?;
    let used = plan.contract.as_ref().ok_or(Refusal::NoContract)?;
    terminal::print(&format!("{} {}  {}\n\n", line(&finding.check, 8), line(&finding.id, 16), line(&finding.title, SHOWN)));
    let wanted = wanted(finding);
    if finding.responder == "injector" {
        return Ok(conclude(&Replayed::cannot_tell("it is about an answer of brownout's own, and the target has no part in it")));
    }
    if let Some(said) = replay::undecidable(&wanted) {
        return Ok(conclude(&Replayed { reason: format!("{}{}", said.reason, probes_of(finding)), ..said }));
    }
    let sent = match request(finding, &plan) {
        Ok(sent) => sent,
        Err(why) => return Ok(conclude(&Replayed::cannot_tell(why.to_string()))),
    };
    if !plan.target.writes && ![Method::GET, Method::HEAD, Method::OPTIONS].contains(&sent.method) {
        return Err(Refusal::Writes(sent.method));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Refusal::NoLoop)?;
    let (seen, base_url) = runtime.block_on(send(&plan, used, &wanted, &sent))?;
    runtime.shutdown_background();
    if args.change.target.is_none() && is_another(&report, &base_url) {
        let (then, now) = (line(&report.target.base_url, SHOWN), line(&base_url, SHOWN));
        terminal::print(&format!("  note   the run's target was {then}; {now} is the plan's: `--target {then}` asks that one\n"));
    }
    terminal::print(&answer(&plan, &base_url, &sent, &seen));
    Ok(conclude(&seen.replayed))
}

/// The probes that found it, where any did.
fn probes_of(finding: &FindingFacts) -> String {
    const NAMED: usize = 3;
    let named: Vec<String> = finding.probes.iter().take(NAMED).map(|probe| format!("`{}`", line(probe, 100))).collect();
    let more = if finding.probes.len() > NAMED { " and others" } else { "" };
    if named.is_empty() { String::new() } else { format!("; it was found by {}{more}", named.join(", ")) }
}

/// Whether the run had another target. An embedded one is made anew each time and is the same whatever its port.
fn is_another(report: &Report, base_url: &str) -> bool {
    report.target.embedded.is_none() && report.target.base_url.trim_end_matches('/') != base_url.trim_end_matches('/')
}

/// The report, or why it is none.
fn read(path: &Path) -> Result<Report, Refusal> {
    let file = if path.is_dir() { path.join("report.json") } else { path.to_owned() };
    let unreadable = |why: String| Refusal::Report(format!("{}: {why}", file.display()));
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(&file).map_err(|error| unreadable(error.to_string()))?;
    opened.take(LARGEST.0 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > LARGEST.0 {
        return Err(unreadable(format!("not a report: it is larger than {} MiB", LARGEST.0 >> 20)));
    }
    report::json::read(&bytes).map_err(|error| unreadable(error.to_string()))
}

/// The finding with this id, or the one whose id begins so.
fn find<'r>(report: &'r Report, id: &str) -> Result<&'r FindingFacts, Refusal> {
    let id = id.trim().to_ascii_lowercase();
    if let Some(exact) = report.findings.iter().find(|finding| finding.id == id) {
        return Ok(exact);
    }
    let begun: Vec<_> = report.findings.iter().filter(|finding| !id.is_empty() && finding.id.starts_with(&id)).collect();
    match begun.as_slice() {
        [one] => Ok(one),
        [] if report.findings.is_empty() => Err(Refusal::Finding("the report has no findings".to_owned())),
        [] => {
            let all: Vec<_> = report.findings.iter().collect();
            Err(Refusal::Finding(format!("the report has no finding `{}`; it has\n{}", line(&id, 40), listed(&all))))
        }
        several => Err(Refusal::Finding(format!("`{}` may be any of these findings:\n{}", line(&id, 40), listed(several)))),
    }
}

fn listed(findings: &[&FindingFacts]) -> String {
    let one =
        |finding: &&FindingFacts| format!("  {}  {:<4} {}", line(&finding.id, 16), line(&finding.check, 8), line(&finding.title, 100));
    let mut lines: Vec<String> = findings.iter().take(LISTED).map(one).collect();
    if findings.len() > LISTED {
        lines.push(format!("  … and {} more", findings.len() - LISTED));
    }
    lines.join("\n")
}

/// The plan named, or the one the report was made with.
fn plan(args: &ReplayArgs, report: &Report) -> Result<Plan, Refusal> {
    let path = args.plan.clone().unwrap_or_else(|| PathBuf::from(&report.plan.path));
    if args.plan.is_none() && !path.is_file() {
        return Err(Refusal::NoPlan(line(&report.plan.path, SHOWN)));
    }
    let plan = load(&path, &args.change).map_err(|problems| Refusal::Plan(Box::new(problems)))?;
    if plan.sha256 != report.plan.sha256 {
        terminal::say("note: the plan is not the one the report was made with, or it has changed since");
    }
    Ok(plan)
}

fn wanted(finding: &FindingFacts) -> Wanted<'_> {
    Wanted { id: &finding.id, check: &finding.check, status: finding.status, code: finding.code.as_deref(), place: &finding.instance_path }
}

/// The first of the finding's requests that can be sent again.
fn request(finding: &FindingFacts, plan: &Plan) -> Result<Sent, Unsendable> {
    let mut why = Unsendable::LeftOut("the report holds no request of this finding".to_owned());
    let kept = finding.evidence.iter().rev().filter_map(|sample| sample.replay.as_ref());
    for resend in kept {
        let operation = resend.operation.as_deref();
        match resend.refill(&plan.secrets, |name| spelled_out(plan, operation, name)) {
            Ok(sent) => return Ok(sent),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// The value of a header that the plan gives to a step, or to every request, as it stands in its text.
fn spelled_out(plan: &Plan, operation: Option<&str>, name: &HeaderName) -> Option<HeaderValue> {
    let mut steps = plan.scenarios.iter().flat_map(|scenario| &scenario.steps);
    let step = steps.find(|step| Some(step.operation.as_str()) == operation);
    let of_step = step.and_then(|step| step.headers.iter().find(|(given, _)| given == name));
    let (_, template) = of_step.or_else(|| plan.target.headers.iter().find(|(given, _)| given == name))?;
    HeaderValue::from_bytes(&literal(template)?).ok()
}

/// The text of a template in which nothing is filled in.
fn literal(template: &Template) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for piece in &template.pieces {
        match piece {
            Piece::Text(bytes) => text.extend_from_slice(bytes),
            Piece::Fill(..) => return None,
        }
    }
    Some(text)
}

/// Raises the target where it is ours, sends, and takes it down again.
async fn send(plan: &Plan, used: &ContractUse, wanted: &Wanted<'_>, sent: &Sent) -> Result<(Seen, String), Refusal> {
    // Straight to the target: what a fault proxy does to a request is no fault of the target's.
    let plan = Arc::new(Plan { proxy: None, ..plan.clone() });
    let mut rig = Rig::raise(&plan, "replay", None).await.map_err(Refusal::Rig)?;
    let replayer = Replayer::new(&rig.direct, Clock::new(), plan.target.timeouts);
    let seen = replayer.look(used, wanted, sent).await;
    rig.lower_target();
    match seen.reply.ending {
        Ending::Failed(failure) if failure.before_the_request() => Err(Refusal::Unreached(failure)),
        _ => Ok((seen, rig.base_url.clone())),
    }
}

/// What was sent and what came, with secrets masked.
fn answer(plan: &Plan, base_url: &str, sent: &Sent, seen: &Seen) -> String {
    let mask = |text: &str| line(&evidence::masked(text, &plan.secrets), SHOWN);
    let took = Micros(seen.reply.stamps.ended_at.since(seen.reply.stamps.started_at).0);
    let mut text = format!("  sent   {} {} to {}\n", sent.method, mask(&sent.target), mask(base_url));
    match (seen.reply.ending, seen.reply.facts()) {
        (Ending::Answered(_), Some(response)) => {
            text.push_str(&format!("  took   {}\n\n", number::plain(&number::span(took.0))));
            for shown in evidence::answer(&response, &plan.secrets).lines() {
                text.push_str(format!("  {shown}").trim_end());
                text.push('\n');
            }
        }
        (Ending::Failed(failure), _) => text.push_str(&format!("  ended  {failure}\n")),
        _ => text.push_str("  ended  without an answer\n"),
    }
    for odd in &seen.reply.oddities {
        text.push_str(&format!("\n  odd    {odd}"));
    }
    text.push('\n');
    text
}

/// Prints the outcome, and why.
fn conclude(replayed: &Replayed) -> Outcome {
    let (word, code) = match replayed.outcome {
        Outcome::NotReproduced => ("FIXED", "1;32"),
        Outcome::Reproduced => ("STILL FAILS", "1;31"),
        Outcome::CannotTell => ("CANNOT TELL", "1;33"),
        Outcome::NotApplicable => ("NOT APPLICABLE", "1;33"),
    };
    terminal::print(&format!("\x1b[{code}m{word}\x1b[0m  {}\n", line(&replayed.reason, SHOWN)));
    replayed.outcome
}

fn refuse(refusal: &Refusal) -> Exit {
    if let Refusal::Plan(problems) = refusal {
        terminal::say(problems.render(terminal::colour_err()).trim_end());
        return Exit::Usage;
    }
    terminal::error(&refusal.to_string());
    match refusal {
        Refusal::Report(_) => terminal::help("name a report.json that `brownout run` has written"),
        Refusal::Finding(_) => terminal::help("give the id of a finding, or its beginning, as the report shows it"),
        Refusal::NoPlan(_) => terminal::help("name the plan with --plan"),
        Refusal::NoContract | Refusal::Plan(_) => terminal::help("name the plan that the report was made with, with --plan"),
        Refusal::Writes(_) => terminal::help("if it may be written to, say so in the plan: `writes = true` in [target]"),
        Refusal::Rig(error) => terminal::help(error.help()),
        Refusal::Unreached(_) => terminal::help("check that the target is running and that host and port are right"),
        Refusal::NoLoop(_) => {}
    }
    match refusal {
        Refusal::Rig(_) | Refusal::Unreached(_) | Refusal::NoLoop(_) => Exit::Setup,
        _ => Exit::Usage,
    }
}
