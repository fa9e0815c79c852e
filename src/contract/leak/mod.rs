//! L01–L05: what an error answer must not give away. All patterns run in time linear in the body.
//!
//! Most answers give nothing away, and are seen to without any pattern: a leak has an odd slash, dot or colon, or one of
//! [`TRIGGERS`]. Only where one is found, or where the body has escapes or is no JSON, the patterns of the checks are tried. One cause
//! is one finding: what a stack trace or a database's message shows beside itself is not blamed again.

mod credential;
mod database;
mod exception;
mod internal;
mod pattern;
mod trace;

use std::borrow::Cow;
use std::sync::LazyLock;

use http::header::HOST;
use regex::bytes::Regex;

use crate::contract::check::{self, Blame, Case, Found, quoted};
use crate::contract::json::Json;
use crate::contract::{Contract, Field, Level};

pub(super) use credential::mask;

/// Bytes of a body that are searched.
const SEARCHED: usize = 256 * 1024;

/// Pieces of text one of which every leak has, unless it has one of the [`is_odd`] places, or escapes, or is no JSON; rare in
/// messages for people.
const TRIGGERS: &[&str] = &[
    // exceptions
    "xception",
    "Error:",
    "Errno",
    "Traceback",
    "panicked",
    "NoneType",
    "Cannot read prop",
    "is not a function",
    "Object reference",
    "undefined method",
    "nil pointer",
    "Segmentation",
    "has no len",
    "unsupported operand",
    "atal error",
    "nhandled",
    "ncaught",
    "runtime error",
    "lineno",
    "\"line",
    "   at ",
    "Native Method",
    "Unknown Source",
    "Whoops",
    "Whitelabel",
    "<pre>",
    "DEBUG",
    "URLconf",
    "Django",
    // databases
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE ",
    "from `",
    "into `",
    "update `",
    "SQL",
    "syntax",
    "constraint",
    "pq: ",
    "psycopg",
    "pymysql",
    "password authentication",
    "transaction is aborted",
    "Duplicate entry",
    "Unknown column",
    "Table '",
    "ER_",
    "Error 1",
    "Access denied for",
    "no such ",
    "is locked",
    "quotation mark",
    "object name",
    "Msg ",
    "ORA-",
    "PLS-",
    "TNS-",
    "E11000",
    "Mongo",
    "ObjectId",
    "WRONGTYPE",
    "NOAUTH",
    "MOVED ",
    "Prisma",
    "Sequelize",
    "ibernate",
    "JDBC",
    "could not execute",
    "QueryFailed",
    "ECONNREFUSED",
    "EHOSTUNREACH",
    "ENOTFOUND",
    "gone away",
    "MariaDB",
    "Microsoft",
    // credentials
    "-----",
    "AKIA",
    "ASIA",
    "AIza",
    "k_live_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "xox",
    "glpat-",
    "sk-",
    "npm_",
    "hf_",
    "assword=",
    "asswd=",
    "pwd=",
    "Pwd=",
    "PWD=",
    "uthorization:",
    "UTHORIZATION:",
];

/// Literals of one search: up to so many are looked for in many bytes at a time (Teddy, in `aho-corasick`).
const TOGETHER: usize = 32;

static SUSPECT: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let any_of = |literals: &[&str]| literals.iter().map(|literal| regex::escape(literal)).collect::<Vec<_>>().join("|");
    TRIGGERS.chunks(TOGETHER).map(|literals| Regex::new(&any_of(literals)).expect("literals are a regular expression")).collect()
});

/// Whether any pattern could match: whether there is a path, an address, a dotted name, a place in a file, or a trigger.
fn is_suspect(body: &[u8]) -> bool {
    memchr::memchr3_iter(b'/', b'.', b':', body).any(|at| is_odd(body, at)) || SUSPECT.iter().any(|literals| literals.is_match(body))
}

/// Whether a slash, dot or colon is not one of a sentence, of a time, or of JSON itself.
fn is_odd(body: &[u8], at: usize) -> bool {
    let (before, after) = (at.checked_sub(1).map_or(b' ', |before| body[before]), body.get(at + 1).copied().unwrap_or(b' '));
    match body[at] {
        b'/' => true,
        // Between digits it is that of a fraction, unless another one follows, as in addresses.
        b'.' if before.is_ascii_digit() && after.is_ascii_digit() => body[at + 2..body.len().min(at + 5)].contains(&b'.'),
        b'.' => before.is_ascii_alphanumeric() && after.is_ascii_alphanumeric(),
        _ => after == b':' || (after.is_ascii_digit() && !before.is_ascii_digit() && before != b'"'),
    }
}

/// Looks for what an error answer gives away.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    if !case.is_error() {
        return;
    }
    let body = &case.response.body[..case.response.body.len().min(SEARCHED)];
    if credential::is_ours(&case.terms.secrets, case.request.headers, case.response, body) {
        found.add("L04", Level::Must, || blame("no credential", "a credential of our own".to_owned(), "own credential"));
    }
    if body.is_empty() || (case.body.is_some() && memchr::memchr(b'\\', body).is_none() && !is_suspect(body)) {
        return;
    }
    suspect(case, &text_of(body, case.body), found);
}

/// Tries the patterns of every check; the more particular ones first, for one cause is one finding.
fn suspect(case: &Case<'_, '_>, text: &str, found: &mut Found) {
    let Case { contract, .. } = case;
    for (what, _) in credential::FORMS.found(text, |_, hit| !is_documented(contract, hit.as_str())) {
        found.add("L04", Level::Must, || blame("no credential", what.to_owned(), what));
    }
    let traced = trace::is_in(text, case.body);
    if traced {
        found.add("L01", Level::Must, || blame("no stack trace", "lines of a stack trace".to_owned(), "stack trace"));
    }
    let may_be_shown =
        |hit: &str| contract.leaks_allowed.iter().any(|allowed| hit.contains(allowed.as_str())) || is_documented(contract, hit);
    let databases = database::FORMS.found(text, |_, hit| !may_be_shown(hit.as_str()));
    for (what, hit) in &databases {
        found.add("L03", Level::Must, || blame("nothing of a database", format!("{what}: {}", quoted(hit)), what));
    }
    if traced {
        return;
    }
    let mut handled = true;
    for (what, hit) in exception::FORMS.found(text, |_, hit| databases.is_empty() && !may_be_shown(hit.as_str())) {
        handled = false;
        found.add("L02", Level::Must, || blame("an error that was handled", format!("{what}: {}", quoted(hit)), what));
    }
    let host = case.request.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let path = case.asked.path();
    let internal = |what: &str, hit: regex::Match<'_>| {
        let echo = internal::is_of(host, hit.as_str()) || path.starts_with(hit.as_str());
        handled && internal::is_whole(what, text, hit) && !echo && !may_be_shown(hit.as_str())
    };
    for (what, hit) in internal::FORMS.found(text, internal) {
        found.add("L05", Level::Must, || blame("nothing of the inside", format!("{what}: {}", quoted(hit)), what));
    }
}

/// Whether the contract itself says it: in a meaning, a shown value, or an example.
fn is_documented(contract: &Contract, hit: &str) -> bool {
    fn in_fields(fields: &[Field], hit: &str) -> bool {
        fields.iter().any(|field| {
            let shown = field.sample.as_ref().is_some_and(|sample| in_sample(sample, hit));
            shown
                || field.rule.expected_values.iter().chain(&field.rule.one_of).any(|value| value.contains(hit))
                || in_fields(&field.fields, hit)
        })
    }
    let rows = || contract.rows.iter();
    rows().any(|row| row.meaning.contains(hit) || row.code.contains(hit) || in_fields(&row.envelope.fields, hit))
        || contract.examples.iter().any(|example| check::text_of(&example.body).contains(hit))
}

fn in_sample(sample: &serde_json::Value, hit: &str) -> bool {
    match sample {
        serde_json::Value::String(text) => text.contains(hit),
        serde_json::Value::Array(items) => items.iter().any(|item| in_sample(item, hit)),
        serde_json::Value::Object(members) => members.values().any(|value| in_sample(value, hit)),
        _ => false,
    }
}

/// The body as text, its JSON strings unescaped where there are escapes.
fn text_of<'t>(body: &'t [u8], json: Option<Json<'_>>) -> Cow<'t, str> {
    match json {
        Some(json) if memchr::memchr(b'\\', body).is_some() => {
            let mut text = String::with_capacity(body.len());
            strings(json, &mut text);
            Cow::Owned(text)
        }
        _ => check::text_of(body),
    }
}

fn strings(json: Json<'_>, into: &mut String) {
    match json {
        Json::Text(text) => {
            into.push_str(text);
            into.push('\n');
        }
        Json::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Json::Object(members) => members.iter().for_each(|(name, value)| {
            into.push_str(name);
            into.push('\n');
            strings(value, into);
        }),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

fn blame(expected: &str, actual: String, cause: &str) -> Blame {
    Blame { path: "body".to_owned(), expected: expected.to_owned(), actual, cause: cause.to_owned(), source: None }
}
