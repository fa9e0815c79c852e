//! Q01: the contract's own examples, held to the contract. What a document shows is what clients are written after.
//!
//! An example has no clock and shows only the headers that matter to it: checks that need the time do not apply, and a
//! header that is not shown is not missing.

use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::contract::check::Clock;
use crate::contract::lint::Lint;
use crate::contract::rows::Asked;
use crate::contract::{Contract, Example, Operation, Profile, Source, Terms, Violation};
use crate::id::RowIx;
use crate::secret::Secrets;
use crate::severity::Severity;
use crate::units::Micros;
use crate::wire::{RequestFacts, ResponseFacts};

/// Q01.
pub(super) fn lint(contract: &Contract) -> Vec<Lint> {
    contract.examples.iter().flat_map(|example| contract.lint_example(example)).collect()
}

impl Contract {
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
        let row = example.row.map(|row| self.row(row));
        let service = row.and_then(|row| row.service);
        // Of an operation, the example is of a request that fits it.
        let operation = row.and_then(|row| row.operation.as_ref());
        let (method, path) =
            (operation.and_then(|operation| operation.method.clone()).unwrap_or_default(), operation.map(Operation::a_path));
        let asked = Asked { service, request: path.as_deref().map(|path| (&method, path)), ..Asked::default() };
        let judged = self.judge(&terms, &request, &response, asked, Clock::None);
        let shown = |violation: &&Violation| violation.severity > Severity::Info && !is_absent_header(violation);
        judged.violations.iter().filter(shown).map(|violation| self.lint_of(example, violation)).collect()
    }

    fn lint_of(&self, example: &Example, violation: &Violation) -> Lint {
        let of = |row: RowIx| format!("{} {}", example.status, self.row(row).code);
        let whose = example.row.map_or_else(|| example.status.to_string(), of);
        let Violation { check, instance_path, expected, actual, .. } = violation;
        let message = format!("the example of {whose} fails its own check {check}: {instance_path} must be {expected}, and is {actual}");
        let entry = example.row.map(|row| self.row(row).key.clone());
        Lint { check: "Q01", message, entry, contract_ref: Source { file: example.source.file.clone(), line: line_of(example, violation) } }
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
