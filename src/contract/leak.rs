//! L01 and L04: what an error answer must not give away. All patterns run in time linear in the body.
//!
//! Words and word boundaries in them are ASCII (`(?-u:\b)`): a Unicode boundary would take the regex engine off its fast
//! path for every body with an umlaut in it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;

use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE};
use regex::{Captures, Regex, RegexSet};

use crate::contract::Level;
use crate::contract::check::{self, Blame, Case, Found};
use crate::contract::json::Json;
use crate::wire::OWN_HEADERS;

/// Bytes of a body that are searched.
const SEARCHED: usize = 256 * 1024;
/// Credentials shorter than this are words that any text may hold.
const SHORTEST: usize = 8;

/// One line of a stack trace, in the ways that languages write them.
static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?-u:\b)at [0-9A-Za-z_$.<>/]+\((?:[0-9A-Za-z_$]+\.(?:java|kt|scala|groovy|clj):[0-9]+|Native Method|Unknown Source)\)",
        r#"File "[^"\n]+", line [0-9]+"#,
        r"(?-u:\b)at (?:[^\n()]+ \()?(?:file://|node:|webpack:|[A-Za-z]:\\|/)[^\n()\s]+:[0-9]+:[0-9]+\)?",
        r"[0-9A-Za-z_./@~+-]+\.go:[0-9]+(?-u:\b)",
        r"(?-u:\b)at [^\n(]+\([^\n)]*\) in [^\n]+:line [0-9]+",
        r"[0-9A-Za-z_./-]+\.rb:[0-9]+:in ",
        r"#[0-9]+ [^\n]+\.php\([0-9]+\)",
        r"(?-u:\b)at [^\s]+\.rs:[0-9]+:[0-9]+",
        r"[0-9A-Za-z_./\\-]+\.(?:java|kt|py|js|ts|mjs|cs|php|cc|cpp|exs?):[0-9]+(?-u:\b)",
    ])
});

/// The words with which a stack trace begins or goes on.
static TROUBLE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"Traceback \(most recent",
        r"(?-u:\b)[0-9A-Za-z_]*(?:Error|Exception|Panic)(?-u:\b): ",
        r"(?i)(?-u:\b)panic(?:ked)?(?-u:\b)",
        r"(?i)caused by",
        r"(?i)stack ?trace",
        r"(?i)unhandled",
        r"goroutine [0-9]+ \[",
    ])
});

/// Credentials that anyone knows by their form, and what they are.
const SECRETS: [(&str, &str); 5] = [
    ("a JSON Web Token", r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[A-Za-z0-9+/=\s]*"),
    ("a cloud access key", r"(?-u:\b)(?:AKIA|ASIA)[0-9A-Z]{16}(?-u:\b)"),
    ("an API key", r"(?-u:\b)(?:AIza[0-9A-Za-z_-]{35}|sk_live_[0-9A-Za-z]{16,}|ghp_[0-9A-Za-z]{36}|xox[abprs]-[0-9A-Za-z-]{10,})"),
    ("a URI with a password", r"(?-u:\b)[a-z][a-z0-9+.-]*://[^\s/:@\x22']+:[^\s/@\x22']+@[0-9A-Za-z_.-]"),
];

/// Whether there is anything to look at: one pass over the body, where most answers end.
static SUSPECT: LazyLock<Regex> = LazyLock::new(|| pattern(&[FRAME.as_str(), ANY_SECRET.as_str()]));

static SECRET_FORMS: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(SECRETS.map(|(_, form)| form)).expect("the forms are regular expressions"));
static ANY_SECRET: LazyLock<Regex> = LazyLock::new(|| pattern(&SECRETS.map(|(_, form)| form)));

fn pattern(any_of: &[&str]) -> Regex {
    let grouped: Vec<String> = any_of.iter().map(|one| format!("(?:{one})")).collect();
    Regex::new(&grouped.join("|")).expect("the patterns are regular expressions")
}

/// Looks for what an error answer gives away.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    if !case.is_error() || case.response.body.is_empty() {
        return;
    }
    let body = &case.response.body[..case.response.body.len().min(SEARCHED)];
    let text = text_of(body, case.body);
    let suspect = SUSPECT.is_match(&text);
    stack_trace(if suspect { &text } else { "" }, case.body, found);
    secret(case, &text, suspect, found);
}

/// The text with every secret of a known form replaced by what it is.
pub(super) fn mask(text: &str) -> Cow<'_, str> {
    ANY_SECRET.replace_all(text, |captures: &Captures<'_>| {
        let what = SECRET_FORMS.matches(&captures[0]).iter().next().map_or("a secret", |ix| SECRETS[ix].0);
        format!("[{what}]")
    })
}

/// The body as text, its JSON strings unescaped where there are escapes.
fn text_of<'t>(body: &'t [u8], json: Option<Json<'_>>) -> Cow<'t, str> {
    match json {
        Some(json) if body.contains(&b'\\') => {
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

/// L01: two lines of a stack trace with a word of trouble, or three without.
fn stack_trace(text: &str, json: Option<Json<'_>>, found: &mut Found) {
    let mut taken_apart = String::new();
    if let Some(json) = json {
        recombined(json, &mut taken_apart);
    }
    if text.is_empty() && taken_apart.is_empty() {
        return;
    }
    let frames = FRAME.find_iter(text).take(3).count() + FRAME.find_iter(&taken_apart).take(3).count();
    if frames >= 3 || (frames == 2 && TROUBLE.is_match(text)) {
        found.add("L01", Level::Must, || blame("no stack trace", "lines of a stack trace".to_owned(), "stack trace"));
    }
}

/// Frames taken apart, `{"file": "a.py", "line": 3}`, put together again as `a.py:3`.
fn recombined(json: Json<'_>, into: &mut String) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| recombined(item, into)),
        Json::Object(members) => {
            let named = |names: &[&str]| names.iter().find_map(|name| json.get(name));
            if let (Some(Json::Text(file)), Some(Json::Number(line))) =
                (named(&["file", "filename", "fileName"]), named(&["line", "lineno", "lineNumber"]))
            {
                let _ = writeln!(into, "{file}:{line}");
            }
            members.iter().for_each(|(_, value)| recombined(value, into));
        }
        _ => {}
    }
}

/// L04: the value is never shown, only what it is.
fn secret(case: &Case<'_, '_>, text: &str, suspect: bool, found: &mut Found) {
    let headers = case.response.headers;
    let theirs = |name: &HeaderName| !name.as_str().starts_with(OWN_HEADERS);
    let in_header = |secret: &str| headers.iter().any(|(name, value)| theirs(name) && contains(value.as_bytes(), secret.as_bytes()));
    let own = |secret: &&str| secret.len() >= SHORTEST && (text.contains(*secret) || in_header(secret));
    let sent = [AUTHORIZATION, COOKIE].into_iter().filter_map(|name| case.request.headers.get(name)?.to_str().ok());
    let mut sent = sent.map(|value| value.split_once(' ').map_or(value, |(_, credential)| credential.trim()));
    if case.terms.secrets.values().find(own).is_some() || sent.any(|value| own(&value)) {
        found.add("L04", Level::Must, || blame("no credential", "a credential of our own".to_owned(), "own credential"));
    }
    if !suspect {
        return;
    }
    for ix in SECRET_FORMS.matches(text).iter() {
        found.add("L04", Level::Must, || blame("no credential", SECRETS[ix].0.to_owned(), SECRETS[ix].0));
    }
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

fn blame(expected: &str, actual: String, cause: &str) -> Blame {
    Blame { path: "body".to_owned(), expected: expected.to_owned(), actual, cause: cause.to_owned(), source: None }
}
