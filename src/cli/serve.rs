//! `brownout serve`: the reference server alone, for client teams to develop against.

use std::sync::Arc;

use crate::clock::Clock;
use crate::seed::Seed;
use crate::target::{self, TargetSettings};

use super::args::ServeArgs;
use super::watch::Signals;
use super::{Exit, terminal};

/// Serves until a signal comes.
pub fn serve(args: &ServeArgs) -> Exit {
    let contract = match crate::plan::contract_file::load(&args.contract) {
        Ok(contract) => Arc::new(contract),
        Err(problems) => {
            terminal::say(problems.render(terminal::colour_err()).trim_end());
            return Exit::Usage;
        }
    };
    let presets = target::presets(&contract);
    if contract.server.is_none() {
        terminal::error(&format!("{} has no [server] part, so there is nothing to serve", args.contract.display()));
        return Exit::Usage;
    }
    if !presets.contains(&args.preset) {
        terminal::error(&format!("the contract has no preset `{}`", args.preset));
        let near = crate::plan::nearest(&args.preset, presets.iter().map(String::as_str));
        let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        terminal::help(&format!("{near}it has {}", presets.join(", ")));
        return Exit::Usage;
    }
    let limits = match args.limits.parse::<crate::contract::server::Limits>() {
        Ok(limits) => limits,
        Err(error) => {
            terminal::error(&error);
            terminal::help("write off, documented, or a factor such as x100");
            return Exit::Usage;
        }
    };
    let listener = match std::net::TcpListener::bind(&args.listen) {
        Ok(listener) => listener,
        Err(error) => {
            terminal::error(&format!("cannot listen on {}: {error}", args.listen));
            terminal::help("choose another address with --listen, for example --listen 127.0.0.1:0 for any free port");
            let no_address = error.kind() == std::io::ErrorKind::InvalidInput;
            return if no_address { Exit::Usage } else { Exit::Setup };
        }
    };
    let (name, version) = (contract.name.clone(), contract.version.clone());
    let settings = TargetSettings { contract, preset: args.preset.clone(), limits, seed: Seed(args.seed), clock: Clock::new() };
    let running = match target::start(listener, settings) {
        Ok(running) => running,
        Err(error) => {
            terminal::error(&format!("the server could not start: {error}"));
            return Exit::Setup;
        }
    };
    terminal::print(&format!("{}, preset {}, on http://{}\n", format!("{name} {version}").trim_end(), args.preset, running.addr));
    let ended = wait_for_signal();
    running.stop();
    ended
}

fn wait_for_signal() -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let waited = runtime.and_then(|runtime| runtime.block_on(async { Ok(Signals::listen()?.next().await) }));
    match waited {
        // Ending the server is what the signal is for: nothing was cut off.
        Ok(_) => Exit::Pass,
        Err(error) => {
            terminal::error(&format!("cannot wait for a signal: {error}"));
            Exit::Setup
        }
    }
}
