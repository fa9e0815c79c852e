//! Q01: the contract's own examples, held to the contract. What a document shows is what clients are written after.
//!
//! An example has no clock and shows only the headers that matter to it: checks that need the time do not apply, and a
//! header that is not shown is not missing.

use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::contract::check::Clock;
use crate::contract::rows::Asked;
use crate::contract::{Contract, Example, Profile, Source, Terms, Violation};
use crate::id::RowIx;
use crate::secret::Secrets;
use crate::severity::Severity;
use crate::units::Micros;
use crate::wire::{RequestFacts, ResponseFacts};

/// Something that is wrong with a contract document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// `Q01`.
    pub check: &'static str,
    pub message: String,
    pub contract_ref: Source,
}

impl Contract {
    /// What is wrong with the document itself: warnings, never a part of the verdict on a live answer.
    pub fn lint(&self) -> Vec<Lint> {
        self.examples.iter().flat_map(|example| self.lint_example(example)).collect()
    }

    fn lint_example(&self, example: &Example) -> Vec<Lint> {
        let terms = Terms { profile: Profile::Strict, undocumented: Severity::High, secrets: Arc::new(Secrets::default()) };
        let none = HeaderMap::new();
        let request = RequestFacts { method: &Method::GET, path: "/", query: None, headers: &none, body: b"" };
        let response = ResponseFacts {
            status: example.status,
            headers: &example.headers,
            body: &example.body,
            body_complete: true,
            body_bytes: example.body.len() as u64,
            received_at_unix_us: 0,
            round_trip: Micros::ZERO,
        };
        let service = example.row.and_then(|row| self.row(row).service);
        let judged = self.judge(&terms, &request, &response, Asked { service, ..Asked::default() }, Clock::None);
        let shown = |violation: &&Violation| violation.severity > Severity::Info && !is_absent_header(violation);
        judged.violations.iter().filter(shown).map(|violation| self.lint_of(example, violation)).collect()
    }

    fn lint_of(&self, example: &Example, violation: &Violation) -> Lint {
        let of = |row: RowIx| format!("{} {}", example.status, self.row(row).code);
        let whose = example.row.map_or_else(|| example.status.to_string(), of);
        let Violation { check, instance_path, expected, actual, .. } = violation;
        let message = format!("the example of {whose} fails its own check {check}: {instance_path} must be {expected}, and is {actual}");
        Lint { check: "Q01", message, contract_ref: Source { file: example.source.file.clone(), line: line_of(example, violation) } }
    }
}

fn is_absent_header(violation: &Violation) -> bool {
    violation.instance_path.starts_with("header:") && violation.cause == "missing"
}

/// The line of the header that is wrong; else the example's own.
fn line_of(example: &Example, violation: &Violation) -> u32 {
    let header = violation.instance_path.strip_prefix("header:");
    let line = header.and_then(|header| example.header_lines.iter().find(|(name, _)| name.as_str().eq_ignore_ascii_case(header)));
    line.map_or(example.source.line, |(_, line)| *line)
}
