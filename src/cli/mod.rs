//! The shell: commands, progress, messages, exit codes. The only module that prints.

mod args;
mod check;
mod child;
mod decisions;
mod exit;
mod explain;
mod folder;
mod import;
mod live;
mod panics;
mod probe;
mod progress;
mod proxy;
mod render;
mod replay;
mod rig;
mod run;
mod serve;
mod session;
mod surroundings;
mod terminal;
mod watch;

use std::ffi::OsString;

use clap::Parser;

use crate::plan::{LoadOptions, Plan, Problems};
use args::{Cli, Command, PlanArgs};

pub use exit::Exit;

/// Carries out one command line; the exit code says how it went.
pub fn main(arguments: impl Iterator<Item = OsString>) -> u8 {
    panics::remember();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nowhere to print is no reason to fail differently.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8);
        }
    };
    let exit = std::panic::catch_unwind(|| match &cli.command {
        Command::Run(args) => run::run(args),
        Command::Probe(args) => probe::probe(args),
        Command::Proxy(args) => proxy::proxy(args),
        Command::Check(args) => check::check(args),
        Command::Serve(args) => serve::serve(args),
        Command::Report(args) => render::render(args),
        Command::Replay(args) => replay::replay(args),
        Command::Import(args::ImportCommand::Openapi(args)) => import::import(args),
        Command::Explain(args) => explain::explain(args),
    });
    match (exit, panics::first()) {
        (Ok(exit), None) => exit as u8,
        (_, panic) => {
            terminal::error(&format!("internal error: {}", panic.as_deref().unwrap_or("a panic")));
            terminal::help("this is a defect of brownout; please report it with the plan and this message");
            Exit::Internal as u8
        }
    }
}

/// Reads a plan with what the command line changes about it.
fn load(path: &std::path::Path, change: &PlanArgs) -> Result<Plan, Problems> {
    let env = |name: &str| std::env::var(name).ok();
    let options = LoadOptions { set: change.set.clone(), env: &env, target_override: change.target.clone(), seed_override: change.seed };
    Plan::load(path, &options)
}
