//! `brownout explain`: what a check demands, why, where that comes from, and what to change.

use std::fmt::Write;

use crate::contract::catalogue::{self, Check, Kind, example};
use crate::fault::mutation::Mutation;
use crate::plan::nearest;

use super::args::ExplainArgs;
use super::{Exit, terminal};

/// Columns of a line.
const WIDTH: usize = 92;
/// Where texts begin.
const INDENT: usize = 14;

/// The groups, by the letter of their ids.
const GROUPS: [(char, &str); 11] = [
    ('S', "Status and code"),
    ('B', "Body"),
    ('H', "Headers"),
    ('R', "Retry and rate limit"),
    ('I', "Identity"),
    ('T', "Time"),
    ('L', "Leaks"),
    ('P', "Protocol"),
    ('C', "Cache"),
    ('X', "The whole run"),
    ('Q', "The contract document"),
];

/// Explains the checks that are named, by id or by name; lists all of them where none is.
pub fn explain(args: &ExplainArgs) -> Exit {
    if args.checks.is_empty() {
        terminal::print(&list());
        return Exit::Pass;
    }
    let mut exit = Exit::Pass;
    let mut texts = Vec::new();
    for word in &args.checks {
        match find(word) {
            Some(check) => texts.push(text(check)),
            None => {
                terminal::error(&format!("there is no check `{}`", word.escape_debug()));
                terminal::help(&meant(word));
                exit = Exit::Usage;
            }
        }
    }
    terminal::print(&texts.join("\n"));
    exit
}

/// A check by its id or its name, however they are spelt.
fn find(word: &str) -> Option<&'static Check> {
    catalogue::ALL.iter().find(|check| check.id.eq_ignore_ascii_case(word) || check.name.eq_ignore_ascii_case(word))
}

fn meant(word: &str) -> String {
    let known = catalogue::ALL.iter().flat_map(|check| [check.id, check.name]);
    let near = nearest(word, known).and_then(find);
    near.map_or_else(
        || "`brownout explain` lists all of them".to_owned(),
        |check| format!("did you mean {} {}? `brownout explain` lists all of them", check.id, check.name),
    )
}

/// Every check, by group, one line each.
fn list() -> String {
    let mut text = String::new();
    for (letter, title) in GROUPS {
        let of_group = || catalogue::ALL.iter().filter(move |check| check.id.starts_with(letter));
        if of_group().next().is_none() {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "{title}");
        for check in of_group() {
            let _ = writeln!(text, "  {}  {:<26} {:<8}  {}", check.id, check.name, check.severity.word(), check.complaint);
        }
    }
    text.push_str("\n`brownout explain ID` says what a check demands, why, and how to mend what it finds.\n");
    text
}

/// One check, for people.
fn text(check: &Check) -> String {
    let mut text = format!("{} {}\n\n", check.id, check.name);
    for (label, said) in [
        ("demands", check.rule),
        ("finds", check.complaint),
        ("because", check.rationale),
        ("severity", severity(check)),
        ("decided on", kind(check.kind)),
        ("source", check.source),
        ("to mend it", check.how_to_fix),
    ] {
        entry(&mut text, label, said);
    }
    let mutations: Vec<&str> = Mutation::found_by(check.id).map(|mutation| mutation.name).collect();
    if !mutations.is_empty() {
        entry(&mut text, "tried by", &format!("{} (`mutation` and `corrupt` in [[fault]])", mutations.join(", ")));
    }
    if let Some(example) = example::of(check.id) {
        for (label, said) in [("request", example.request.as_str()), ("keeps it", &example.keeps), ("breaks it", &example.breaks)] {
            if !said.is_empty() {
                text.push('\n');
                passage(&mut text, label, said);
            }
        }
    }
    text
}

/// A label and several lines, each wrapped by itself.
fn passage(text: &mut String, label: &str, said: &str) {
    for (at, line) in said.lines().enumerate() {
        match line.is_empty() {
            true => text.push('\n'),
            false => entry(text, if at == 0 { label } else { "" }, line),
        }
    }
}

/// A label and its text, wrapped.
fn entry(text: &mut String, label: &str, said: &str) {
    let mut line = format!("  {label:<width$}", width = INDENT - 2);
    let mut used = INDENT;
    for (at, word) in said.split(' ').enumerate() {
        let length = word.chars().count();
        if at > 0 && used + 1 + length > WIDTH {
            text.push_str(line.trim_end());
            text.push('\n');
            (line, used) = (" ".repeat(INDENT), INDENT);
        } else if at > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn severity(check: &Check) -> &'static str {
    check.severity.word()
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::OneAnswer => "one answer",
        Kind::WholeRun => "the answers of a run, compared",
        Kind::Probe => "one answer to a request that was wrong on purpose (`brownout probe`)",
        Kind::Document => "the contract document, without traffic (`brownout check`)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_listed_once_and_fits_its_line() {
        let listed = list();
        for check in catalogue::ALL {
            assert_eq!(listed.matches(&format!("  {}  ", check.id)).count(), 1, "{}", check.id);
        }
        assert!(listed.lines().all(|line| line.chars().count() <= 120), "{listed}");
    }

    #[test]
    fn a_check_is_found_by_id_and_by_name_in_any_case() {
        for word in ["R04", "r04", "reset-vs-body", "Reset-Vs-Body"] {
            assert_eq!(find(word).map(|check| check.id), Some("R04"), "{word}");
        }
        assert_eq!(meant("reset-vs-bdy"), "did you mean R04 reset-vs-body? `brownout explain` lists all of them");
        assert_eq!(meant("zzzzzzzz"), "`brownout explain` lists all of them");
    }
}
