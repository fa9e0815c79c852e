//! Q06: what is said about repeating a request contradicts the status, or itself.

use crate::contract::lint::Lint;
use crate::contract::{Contract, Level, RetryClass, Role, Row, Statuses};

/// Rows whose retry class cannot be meant; a declared deviation says that it is.
pub(super) fn lint(contract: &Contract) -> Vec<Lint> {
    let rows = contract.rows.iter().filter(|row| row.deviation.is_none());
    rows.filter_map(|row| contradiction(row).map(|said| Lint::of_row("Q06", row, said))).collect()
}

/// Source: RFC 9110 §15.5 (an error of the client is not repeated unchanged), §15.5.9 for 408, §15.5.14 for 413, §15.5.20 for
/// 421, §15.6.4 for 503; RFC 6585 §4 for 429; RFC 8470 §5.2 for 425.
fn contradiction(row: &Row) -> Option<String> {
    let (client, status) = match row.statuses {
        Statuses::Exact(status) => (status < 500, status),
        Statuses::Class(class) => (class == 4, 0),
        Statuses::Default => return None,
    };
    let passing = matches!(status, 408 | 421 | 423 | 425 | 429);
    let says_when = |level: Level| level != Level::Optional;
    let header =
        row.envelope.headers.iter().find(|header| header.role == Some(Role::RetryAfter) || header.name == http::header::RETRY_AFTER);
    let field = row.envelope.fields.iter().find(|field| field.role == Some(Role::RetryAfter));
    let demanded = header.is_some_and(|header| header.level == Level::Must);
    match row.retry {
        RetryClass::Follow => Some("there is nothing to follow in an error: `retry = \"follow\"` is for redirects".to_owned()),
        RetryClass::Never if matches!(status, 408 | 425 | 429 | 503) => {
            Some(format!("`retry = \"never\"`, and {status} says that the same request may do later"))
        }
        RetryClass::Never | RetryClass::AfterChange if demanded => {
            Some("Retry-After is required, and waiting does not help: the error is not repeated unchanged".to_owned())
        }
        RetryClass::Backoff if client && !passing => {
            Some(format!("`retry = \"backoff\"`, and {} says that the request itself is wrong", row.statuses))
        }
        RetryClass::AfterHeader if client && !passing && status != 413 => {
            Some(format!("`retry = \"after-header\"`, and {} says that the request itself is wrong", row.statuses))
        }
        RetryClass::AfterHeader
            if !header.is_some_and(|header| says_when(header.level)) && !field.is_some_and(|field| says_when(field.level)) =>
        {
            Some("`retry = \"after-header\"`, and nothing in the answer is asked to say when".to_owned())
        }
        RetryClass::AfterRefreshOnce if !matches!(status, 401 | 403 | 407) => {
            Some(format!("`retry = \"after-refresh-once\"`, and {} is not about credentials", row.statuses))
        }
        _ => None,
    }
}
