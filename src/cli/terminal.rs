//! Standard output and standard error: coloured on a terminal, plain elsewhere, `NO_COLOR` honoured.
//!
//! Results go to standard output, everything else to standard error. A pipe that nobody reads any more is no
//! reason to end a run: writing to it fails silently.

use std::io::Write;

use anstream::{AutoStream, ColorChoice};

/// Prints a result.
pub fn print(text: &str) {
    let _ = anstream::stdout().write_all(text.as_bytes());
}

/// Prints a message.
pub fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints what is wrong.
pub fn error(text: &str) {
    say(&format!("\x1b[1;31merror\x1b[0m: {text}"));
}

/// Prints what to do about it.
pub fn help(text: &str) {
    say(&format!("  \x1b[36mhelp\x1b[0m: {text}"));
}

/// Whether standard output takes colour.
pub fn colour_out() -> bool {
    AutoStream::choice(&std::io::stdout()) != ColorChoice::Never
}

/// Whether standard error takes colour.
pub fn colour_err() -> bool {
    AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
}
