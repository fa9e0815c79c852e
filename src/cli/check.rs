//! `brownout check`: what is wrong with a plan, or what a run of it can show. Sends nothing.

use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::contract::lint::Lint;
use crate::contract::{Contract, Source, catalogue};
use crate::plan::problem::{Place, Problem};
use crate::plan::source::SourceText;
use crate::plan::{Plan, Problems, contract_file};
use crate::probe::battery;
use crate::report::escape;
use crate::units::Offset;

use super::args::CheckArgs;
use super::{Exit, load, terminal};

/// Checks every plan named; all are looked at, whatever is wrong with the first.
pub fn check(args: &CheckArgs) -> Exit {
    let mut exit = Exit::Pass;
    for (index, path) in args.plans.iter().enumerate() {
        if index > 0 {
            terminal::print("\n");
        }
        match load(path, &args.change) {
            Err(problems) => {
                terminal::say(problems.render(terminal::colour_err()).trim_end());
                exit = Exit::Usage;
            }
            Ok(plan) => {
                warn(&plan);
                let text = if args.print { plan.normalised } else { format!("{}{}", plan.forecast(), probes(plan)) };
                // Names in a plan are anybody's text.
                terminal::print(&escape::lines(&text, usize::MAX));
            }
        }
    }
    exit
}

/// What the plan's battery will come to; nothing without one.
fn probes(plan: Plan) -> String {
    let (Some(settings), Some(used)) = (plan.probe.clone(), plan.contract.clone()) else { return String::new() };
    battery(&Arc::new(plan), &settings).forecast(&used.contract, &settings)
}

/// Warnings of one check that are shown in full.
const SHOWN: usize = 3;

/// Shows what is wrong with the plan's contract as a document: it stops nothing.
fn warn(plan: &Plan) {
    let Some(used) = &plan.contract else { return };
    let contract = &used.contract;
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
