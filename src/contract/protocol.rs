//! P01–P04, P07, P08: whether the message itself is in order, as far as a client that stops where HTTP says can see it, and
//! whether it is an answer of the API at all.

use http::Method;

use crate::contract::check::{Blame, Case, Found, quoted};
use crate::contract::head::{Head, Known};
use crate::contract::rows::Asked;
use crate::contract::{Contract, Level, Statuses};
use crate::severity::Severity;
use crate::wire::{Failure, ResponseFacts};

/// Segments of the paths at which people sign in.
const SIGN_IN: [&str; 9] = ["login", "log-in", "log_in", "signin", "sign-in", "sign_in", "sso", "authorize", "auth"];

/// Looks at the framing of an answer.
pub(super) fn answer(method: &Method, response: &ResponseFacts<'_>, head: &Head<'_>, found: &mut Found) {
    let bytes = response.body_bytes;
    if *method == Method::HEAD {
        if bytes > 0 {
            found.add("P01", Level::Must, || blame("no content after HEAD", format!("{bytes} bytes"), "content"));
        }
        return;
    }
    match response.status {
        204 | 205 | 304 if bytes > 0 => {
            found.add("P02", Level::Must, || blame(&format!("no content with {}", response.status), format!("{bytes} bytes"), "content"));
        }
        204 if head.has(Known::ContentLength) => {
            found.add("P02", Level::Must, || Blame {
                path: "header:Content-Length".to_owned(),
                ..blame("no Content-Length with 204", "a Content-Length".to_owned(), "content-length")
            });
        }
        204 | 205 | 304 => {}
        _ => {
            let declared = head.text(Known::ContentLength).and_then(|text| text.parse::<u64>().ok());
            if let Some(declared) = declared.filter(|&declared| declared != bytes && !head.has(Known::TransferEncoding)) {
                found.add("P03", Level::Must, || {
                    blame(&format!("{declared} bytes, as Content-Length says"), format!("{bytes} bytes"), "length")
                });
            }
        }
    }
}

/// Looks at what an answer says instead of a documented error.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    match case.status() {
        405 | 501 => unknown_operation(case, found),
        301..=303 | 307 | 308 => redirect(case, found),
        _ => {}
    }
}

/// P04, unless the contract documents this very status for the operation.
fn unknown_operation(case: &Case<'_, '_>, found: &mut Found) {
    let status = case.status();
    // An entry for any method documents none in particular.
    let mut documented = case.contract.operations_of(case.asked).filter(|one| one.operation.method.is_some());
    let Some(operation) = documented.next() else { return };
    let of_its_own = case.row.is_some_and(|row| case.contract.row(row).operation.is_some());
    if !of_its_own && !operation.statuses.contains(&Statuses::Exact(status)) {
        found.add("P04", Level::Must, || Blame {
            path: "status".to_owned(),
            source: Some(operation.source.clone()),
            ..blame(&format!("{} to be there, as documented", operation.operation), status.to_string(), "not implemented")
        });
    }
}

/// P07: to a page to sign in at, where the contract has an error for that; the page itself may redirect.
fn redirect(case: &Case<'_, '_>, found: &mut Found) {
    let Some(location) = case.head.text(Known::Location) else { return };
    if !signs_in(location) || signs_in(case.request.path) {
        return;
    }
    let refusal = case
        .contract
        .rows
        .iter()
        .find(|row| case.asked.may_be(row) && [401, 403].into_iter().any(|status| row.statuses == Statuses::Exact(status)));
    if let Some(row) = refusal {
        found.add("P07", Level::Must, || Blame {
            path: "header:Location".to_owned(),
            source: Some(row.source.clone()),
            // The rest of a location often holds a token or the way back: it is not shown.
            ..blame(&format!("{}, as documented", row.status), quoted(path_of(location)), "to a page to sign in at")
        });
    }
}

/// Whether a segment of the path of a location says so.
fn signs_in(location: &str) -> bool {
    path_of(location).split('/').any(|segment| SIGN_IN.iter().any(|word| segment.eq_ignore_ascii_case(word)))
}

/// The path of an absolute or relative location.
fn path_of(location: &str) -> &str {
    let rest = location.split_once("://").map_or(location, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
    rest.split(['?', '#', ';']).next().unwrap_or("")
}

/// Looks at an answer that ended too soon, or never came.
pub(super) fn failure(contract: &Contract, asked: Asked<'_>, failure: Failure, found: &mut Found) {
    if let Failure::BodyCutShort { received, reset } = failure {
        let how = if reset { "connection reset" } else { "connection closed" };
        found.add("P03", Level::Must, || blame("the whole body", format!("{how} after {received} bytes of it"), how));
    } else if !failure.before_the_request() {
        no_answer(contract, asked, failure, found);
    }
}

/// P08, where the contract has an error for a server that cannot answer. How long to wait is the plan's business and not
/// the contract's: silence is milder.
fn no_answer(contract: &Contract, asked: Asked<'_>, failure: Failure, found: &mut Found) {
    let documented = contract.rows.iter().find(|row| asked.may_be(row) && (row.status >= 500 || row.status == 408));
    let Some(row) = documented else { return };
    let severity = if failure.is_timeout() { Severity::Low } else { Severity::Medium };
    found.add_as("P08", severity, Level::Must, || Blame {
        path: "answer".to_owned(),
        source: Some(row.source.clone()),
        ..blame("an answer, if only a documented error", failure.to_string(), failure.word())
    });
}

fn blame(expected: &str, actual: String, cause: &str) -> Blame {
    Blame { path: "body".to_owned(), expected: expected.to_owned(), actual, cause: cause.to_owned(), source: None }
}
