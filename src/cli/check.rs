//! `brownout check`: what is wrong with a plan, or what a run of it can show. Sends nothing.

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
            Ok(plan) if args.print => terminal::print(&plan.normalised),
            Ok(plan) => terminal::print(&plan.forecast().to_string()),
        }
    }
    exit
}
