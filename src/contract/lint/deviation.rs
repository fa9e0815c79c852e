//! Q07: where the document deviates from HTTP without saying so.

use http::HeaderName;
use http::header::{ALLOW, CONTENT_RANGE, PROXY_AUTHENTICATE, UPGRADE, WWW_AUTHENTICATE};

use crate::contract::lint::Lint;
use crate::contract::{Contract, Level, Row, phrase};

/// Words of a code that name a status, all of which it must have: with the status, and the statuses that will do as well.
///
/// Source: the sections of RFC 9110 that are named; RFC 6585 §4 for 429.
const NAMED: &[(&[&str], u16, &[u16], &str)] = &[
    (&["UNSUPPORTED", "FORMAT"], 415, &[], "RFC 9110 §15.5.16"),
    (&["UNSUPPORTED", "MEDIA"], 415, &[], "RFC 9110 §15.5.16"),
    (&["UNSUPPORTED", "CONTENT"], 415, &[], "RFC 9110 §15.5.16"),
    (&["TOO", "LARGE"], 413, &[414, 431], "RFC 9110 §15.5.14"),
    (&["RATE", "LIMIT"], 429, &[503], "RFC 6585 §4"),
    (&["TOO", "MANY", "REQUESTS"], 429, &[503], "RFC 6585 §4"),
    (&["METHOD", "NOT", "ALLOWED"], 405, &[501], "RFC 9110 §15.5.6"),
    (&["NOT", "ACCEPTABLE"], 406, &[], "RFC 9110 §15.5.7"),
    (&["NOT", "FOUND"], 404, &[410], "RFC 9110 §15.5.5"),
    (&["UNAUTHENTICATED"], 401, &[407], "RFC 9110 §15.5.2"),
    (&["INVALID", "TOKEN"], 401, &[407], "RFC 9110 §15.5.2"),
    (&["TOKEN", "EXPIRED"], 401, &[407], "RFC 9110 §15.5.2"),
    (&["FORBIDDEN"], 403, &[404], "RFC 9110 §15.5.4"),
    (&["PERMISSION", "DENIED"], 403, &[404], "RFC 9110 §15.5.4"),
    (&["ALREADY", "EXISTS"], 409, &[412], "RFC 9110 §15.5.10"),
    (&["SERVICE", "UNAVAILABLE"], 503, &[502, 504], "RFC 9110 §15.6.4"),
    (&["NOT", "IMPLEMENTED"], 501, &[405], "RFC 9110 §15.6.2"),
];

/// Rows and statuses that deviate; those whose deviation is declared do not.
pub(super) fn lint(contract: &Contract) -> Vec<Lint> {
    let silent = |row: &&Row| row.deviation.is_none() && contract.deviation_of(row.status).is_none();
    let mut lints: Vec<Lint> = Vec::new();
    for row in contract.rows.iter().filter(silent) {
        let said = [unregistered(row), header(row), suggested(row)];
        lints.extend(said.into_iter().flatten().map(|said| Lint::of_row("Q07", row, said)));
    }
    lints.extend(partial(contract));
    lints
}

fn unregistered(row: &Row) -> Option<String> {
    let status = row.statuses.exact()?;
    phrase::phrases(status)
        .is_empty()
        .then(|| "nobody registered this status: clients take it for the general one of its class (RFC 9110 §15)".to_owned())
}

/// A header that HTTP demands of the status.
fn header(row: &Row) -> Option<String> {
    let (name, shown, section): (HeaderName, &str, &str) = match row.statuses.exact()? {
        401 => (WWW_AUTHENTICATE, "WWW-Authenticate", "§15.5.2"),
        405 => (ALLOW, "Allow", "§15.5.6"),
        407 => (PROXY_AUTHENTICATE, "Proxy-Authenticate", "§15.5.8"),
        426 => (UPGRADE, "Upgrade", "§15.5.22"),
        _ => return None,
    };
    let asked = row.envelope.headers.iter().any(|header| header.name == name && header.level != Level::Optional);
    (!asked).then(|| format!("{shown} is not asked for, and RFC 9110 {section} demands it"))
}

/// A code that names another status than its own.
fn suggested(row: &Row) -> Option<String> {
    let own = row.statuses.exact().filter(|_| !row.any_code)?;
    let words: Vec<String> = row.code.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_uppercase).collect();
    let named = NAMED.iter().find(|(needed, ..)| needed.iter().all(|word| words.iter().any(|known| known == word)))?;
    let (_, status, others, source) = named;
    (own != *status && !others.contains(&own)).then(|| format!("its name is that of {status} ({source})"))
}

/// 206 is the answer to a range, and says which.
fn partial(contract: &Contract) -> Option<Lint> {
    let asked = contract.every_answer.iter().any(|header| header.name == CONTENT_RANGE);
    let silent = contract.other_statuses.contains(&206) && !asked && contract.deviation_of(206).is_none();
    let message = "206 is listed, and Content-Range is not asked for, which RFC 9110 §15.3.7 demands".to_owned();
    silent.then(|| Lint { check: "Q07", message, entry: None, contract_ref: contract.source.clone() })
}
