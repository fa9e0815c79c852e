//! Q01–Q07: a contract held to itself, and to HTTP, without any traffic. What is found is a warning on the document, with
//! its line; it never enters the verdict on a live answer.
//!
//! Findings of one kind are told together wherever one change mends them all. A declared deviation silences what it is
//! about.

mod deviation;
mod entry;
mod envelope;
mod example;
mod retry;
mod status;

use std::fmt::Display;

use crate::contract::{Contract, Row, Source};

/// Something that is wrong with a contract document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// `Q01`.
    pub check: &'static str,
    pub message: String,
    /// The key of the row it is about, where it is about one.
    pub entry: Option<String>,
    pub contract_ref: Source,
}

impl Lint {
    fn of_row(check: &'static str, row: &Row, message: impl Display) -> Lint {
        Lint { check, message: format!("{}: {message}", name(row)), entry: Some(row.key.clone()), contract_ref: row.source.clone() }
    }
}

impl Contract {
    /// What is wrong with the document itself, by check, then in file order.
    pub fn lint(&self) -> Vec<Lint> {
        let groups = [example::lint, entry::twice, entry::two_statuses, envelope::lint, status::lint, retry::lint, deviation::lint];
        groups.into_iter().flat_map(|lint| lint(self)).collect()
    }

    /// The lints that no waiver in force at this moment (microseconds since the Unix epoch) covers.
    pub fn lint_at(&self, now_unix_us: i64) -> Vec<Lint> {
        let in_force = || self.waivers.iter().filter(|waiver| !waiver.is_over(now_unix_us));
        let waived = |lint: &Lint| in_force().any(|waiver| waiver.covers(lint.check, lint.entry.as_deref().unwrap_or("*/*/*/*"), ""));
        self.lint().into_iter().filter(|lint| !waived(lint)).collect()
    }
}

/// What people call a row: its status and code, and whose it is where it is somebody's own.
fn name(row: &Row) -> String {
    let code = if row.any_code { String::new() } else { format!(" {}", row.code) };
    let whose = row.key.split('/').next().filter(|service| *service != "*").map(|service| format!(" of {service}"));
    let operation = row.operation.as_ref().map(|operation| format!(" at {operation}"));
    format!("{}{code}{}{}", row.statuses, whose.unwrap_or_default(), operation.unwrap_or_default())
}

/// Words as a list for people: `a, b and c`; at most six of them.
fn listed<T: Display>(words: &[T]) -> String {
    const NAMED: usize = 6;
    let shown: Vec<String> = words.iter().take(NAMED).map(T::to_string).collect();
    match shown.as_slice() {
        _ if words.len() > NAMED => format!("{} and {} more", shown.join(", "), words.len() - NAMED),
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
