//! The `brownout` command: hand the arguments to the library, turn its answer into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(brownout::cli::main(std::env::args_os()))
}
