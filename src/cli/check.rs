//! `brownout check`: what is wrong with a plan, or what a run of it can show; what is wrong with a contract. Sends nothing.

use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::contract::lint::Lint;
use crate::contract::{Contract, Provoke, Source, catalogue};
use crate::plan::problem::{Place, Problem};
use crate::plan::source::SourceText;
use crate::plan::{Plan, Problems, contract_file};
use crate::probe::battery;
use crate::report::escape;
use crate::units::Offset;

use super::args::CheckArgs;
use super::{Exit, decisions, load, terminal};

/// Checks every plan named; all are looked at, whatever is wrong with the first.
pub fn check(args: &CheckArgs) -> Exit {
    let mut exit = Exit::Pass;
    let worse = |exit, other| if exit == Exit::Pass { other } else { exit };
    for (index, path) in args.plans.iter().enumerate() {
        if index > 0 {
            terminal::print("\n");
        }
        if contract_file::is_one(path) {
            exit = worse(exit, alone(path));
            continue;
        }
        match load(path, &args.change) {
            Err(problems) => {
                terminal::say(problems.render(terminal::colour_err()).trim_end());
                exit = Exit::Usage;
            }
            Ok(plan) => {
                if let Some(used) = &plan.contract {
                    warn(&used.contract);
                }
                warn_of_faults(&plan);
                let text = match (args.print, args.explain) {
                    (true, _) => plan.normalised,
                    (_, true) => decisions::explain(&Arc::new(plan), usize::try_from(args.arrivals).unwrap_or(usize::MAX)),
                    _ => foretold(plan),
                };
                // Names in a plan are anybody's text.
                terminal::print(&escape::lines(&text, usize::MAX));
            }
        }
    }
    exit
}

/// Says which faults can never be done.
fn warn_of_faults(plan: &Plan) {
    let warnings = Problems::new();
    for what in plan.unfit_faults(plan.has_load()) {
        warnings.add(Problem::nowhere(what).warning());
    }
    if !warnings.is_empty() {
        terminal::say(&format!("{}\n", warnings.render(terminal::colour_err()).trim_end()));
    }
}

/// What a run of the plan can show; of one whose requests come from a client, what awaits that.
fn foretold(plan: Plan) -> String {
    if plan.has_load() {
        return format!("{}{}", plan.forecast(), probes(plan));
    }
    let mut text = "the requests come from a client of yours: `brownout proxy`\n".to_owned();
    if let Some(listen) = plan.proxy.as_ref().and_then(|proxy| proxy.listen) {
        text += &format!("  listens on {listen}\n");
    }
    for rule in &plan.faults.rules {
        text += &format!("  {}: {}\n", rule.name, rule.spec);
    }
    for gate in &plan.gates {
        text += &format!("  gate {}\n", gate.require);
    }
    text
}

/// Checks a contract that no plan was named for.
fn alone(path: &Path) -> Exit {
    match contract_file::load(path) {
        Err(problems) => {
            terminal::say(problems.render(terminal::colour_err()).trim_end());
            Exit::Usage
        }
        Ok(contract) => {
            warn(&contract);
            terminal::print(&escape::lines(&summary(&contract, path), usize::MAX));
            Exit::Pass
        }
    }
}

/// What a contract documents, and how it is put to use.
fn summary(contract: &Contract, path: &Path) -> String {
    let rows = || contract.rows.iter();
    let excluded = rows().filter(|row| row.excluded.is_some()).count();
    let counts = [
        counted(contract.rows.len(), "documented error", "documented errors"),
        counted(contract.services.len(), "service", "services"),
        counted(contract.envelopes.len(), "envelope", "envelopes"),
        counted(contract.operations.len(), "operation", "operations"),
        counted(contract.examples.len(), "example", "examples"),
        counted(excluded, "excluded from coverage", "excluded from coverage"),
        counted(contract.waivers.len(), "waiver", "waivers"),
    ];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    let (probe, hook, fault) = rows().fold((0, 0, 0), |(probe, hook, fault), row| match (&row.probe, &row.provoke) {
        (Some(_), _) | (None, Some(Provoke::Probe)) => (probe + 1, hook, fault),
        (None, Some(Provoke::Hook(_))) => (probe, hook + 1, fault),
        (None, Some(Provoke::Fault(_))) => (probe, hook, fault + 1),
        (None, Some(Provoke::None) | None) => (probe, hook, fault),
    });
    let ways =
        [counted(probe, "by a probe", "by probes"), counted(hook, "by a hook", "by hooks"), counted(fault, "by a fault", "by faults")];
    let ways: Vec<String> = ways.into_iter().flatten().collect();
    let ways = if ways.is_empty() { "the contract does not say how".to_owned() } else { ways.join(" · ") };
    let name = escape::line(&contract.name, 120);
    let version = escape::line(&contract.version, 60);
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    format!(
        "contract  {name} {version}\ndocuments {}\nprovoked  {ways}\nuse       name it in a plan: `[contract]` with `file = \"{}\"`\n",
        counts.join(" · "),
        escape::line(&file, 120)
    )
}

fn counted(n: usize, one: &str, many: &str) -> Option<String> {
    (n > 0).then(|| format!("{n} {}", if n == 1 { one } else { many }))
}

/// What the plan's battery will come to; nothing without one.
fn probes(plan: Plan) -> String {
    let (Some(settings), Some(used)) = (plan.probe.clone(), plan.contract.clone()) else { return String::new() };
    battery(&Arc::new(plan), &settings).forecast(&used.contract, &settings)
}

/// Warnings of one check that are shown in full.
const SHOWN: usize = 3;

/// Shows what is wrong with a contract as a document: it stops nothing.
fn warn(contract: &Contract) {
    let now_us = Clock::new().unix_us(Offset::START);
    let warnings = Problems::new();
    let text = source_of(contract);
    let lints = contract.lint_at(now_us);
    for of_check in lints.chunk_by(|a, b| a.check == b.check) {
        of_check.iter().take(SHOWN).for_each(|lint| warnings.add(warning(lint, text.as_ref())));
        if let Some(more) = of_check.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            let lines: Vec<String> = of_check[SHOWN..].iter().take(20).map(|lint| lint.contract_ref.line.to_string()).collect();
            let lines = format!("{}{}", lines.join(", "), if more > lines.len() { ", …" } else { "" });
            let what = format!("{more} more of {} [{}], at lines {lines}", named(of_check[0].check), of_check[0].check);
            warnings.add(at(&of_check[SHOWN].contract_ref, text.as_ref(), what).warning());
        }
    }
    for waiver in contract.waivers.iter().filter(|waiver| waiver.is_over(now_us)) {
        let what = format!("the waiver of {} was over on {}: it no longer applies", waiver.check, waiver.expires);
        let problem = at(&waiver.source, text.as_ref(), what);
        warnings.add(problem.help("remove it, or give it another day and a reason that still holds").warning());
    }
    if !warnings.is_empty() {
        terminal::say(&format!("{}\n", warnings.render(terminal::colour_err()).trim_end()));
    }
    let declared = deviations(contract);
    if !declared.is_empty() {
        terminal::say(&format!("note: declared deviations, of which no warning tells\n{}", declared.concat()));
    }
}

/// What the contract declares to deviate from HTTP, a line each.
fn deviations(contract: &Contract) -> Vec<String> {
    const LISTED: usize = 20;
    let of_rows = contract.rows.iter().filter_map(|row| Some((row.key.clone(), row.deviation.as_deref()?)));
    let of_statuses = contract.deviations.iter().map(|deviation| (deviation.status.to_string(), deviation.reason.as_str()));
    let all: Vec<(String, &str)> = of_rows.chain(of_statuses).collect();
    let line = |(what, why): &(String, &str)| format!("  {}: {}\n", escape::line(what, 100), escape::line(why, 200));
    let mut lines: Vec<String> = all.iter().take(LISTED).map(line).collect();
    if all.len() > LISTED {
        lines.push(format!("  and {} more\n", all.len() - LISTED));
    }
    lines
}

fn named(check: &str) -> &'static str {
    catalogue::find(check).map_or("", |check| check.name)
}

/// The contract's text once more, as it was read.
fn source_of(contract: &Contract) -> Option<Arc<SourceText>> {
    let file = contract.source.file.as_str();
    let built_in = file.strip_suffix(" (built in)").and_then(contract_file::shipped).map(|text| SourceText::new(file, text));
    built_in.or_else(|| SourceText::read(Path::new(file), file).ok())
}

fn warning(lint: &Lint, text: Option<&Arc<SourceText>>) -> Problem {
    let problem = at(&lint.contract_ref, text, format!("{} [{}]", lint.message, lint.check));
    let fix = catalogue::find(lint.check).map_or("", |check| check.how_to_fix);
    problem.help(format!("{fix}; `brownout explain {}` says why", lint.check)).warning()
}

/// A problem at a line of the contract, or of a file that the contract names.
fn at(source: &Source, text: Option<&Arc<SourceText>>, what: String) -> Problem {
    match text.filter(|text| text.name() == source.file) {
        Some(text) => Problem::at(Place { source: Arc::clone(text), span: text.span_of_line(source.line) }, what),
        None => Problem::nowhere(format!("{}:{}: {what}", source.file, source.line)),
    }
}
