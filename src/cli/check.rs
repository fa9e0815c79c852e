//! `brownout check`: what is wrong with a plan, or what a run of it can show. Sends nothing.

use std::path::Path;
use std::sync::Arc;

use crate::contract::{Contract, lint::Lint};
use crate::plan::problem::{Place, Problem};
use crate::plan::source::SourceText;
use crate::plan::{Plan, Problems, contract_file};
use crate::probe::battery;
use crate::report::escape;

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

/// Shows what is wrong with the plan's contract as a document: it stops nothing.
fn warn(plan: &Plan) {
    let Some(used) = &plan.contract else { return };
    let warnings = Problems::new();
    let text = source_of(&used.contract);
    used.contract.lint().iter().for_each(|lint| warnings.add(warning(lint, text.as_ref())));
    if !warnings.is_empty() {
        terminal::say(&format!("{}\n", warnings.render(terminal::colour_err()).trim_end()));
    }
}

/// The contract's text once more, as it was read.
fn source_of(contract: &Contract) -> Option<Arc<SourceText>> {
    let file = contract.source.file.as_str();
    let built_in = file.strip_suffix(" (built in)").and_then(contract_file::shipped).map(|text| SourceText::new(file, text));
    built_in.or_else(|| SourceText::read(Path::new(file), file).ok())
}

fn warning(lint: &Lint, text: Option<&Arc<SourceText>>) -> Problem {
    let what = format!("{} [{}]", lint.message, lint.check);
    let problem = match text {
        Some(source) => Problem::at(Place { source: Arc::clone(source), span: source.span_of_line(lint.contract_ref.line) }, what),
        None => Problem::nowhere(format!("{}:{}: {what}", lint.contract_ref.file, lint.contract_ref.line)),
    };
    problem.help("clients are written after examples: correct it in the document, and in the contract").warning()
}
