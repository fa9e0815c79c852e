//! L01–L05: what an error answer must not give away. All patterns run in time linear in the body.
//!
//! Most answers give nothing away, and are seen to without any pattern, by one look at their bytes ([`suspicion`]). Only where
//! something is odd, or where the body has escapes or is no JSON, the patterns of the checks are tried. One cause is one finding: what a stack trace or a database's message shows beside itself is not blamed again.

mod credential;
mod database;
mod exception;
mod internal;
mod pattern;
mod suspicion;
mod trace;

use std::borrow::Cow;

use http::header::HOST;

use crate::contract::check::{self, Blame, Case, Found, quoted};
use crate::contract::json::Json;
use crate::contract::{Contract, Field, Level};

pub(super) use credential::mask;
pub(super) use suspicion::Look;

/// Bytes of a body that are searched.
const SEARCHED: usize = 256 * 1024;

/// Looks at the bytes of a body that is JSON.
pub(super) fn look(body: &[u8]) -> Look {
    let searched = &body[..body.len().min(SEARCHED)];
    let look = Look::at(searched);
    Look { marked: look.marked || searched.len() < body.len(), ..look }
}

/// Looks for what an error answer gives away.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    if !case.is_error() {
        return;
    }
    let body = &case.response.body[..case.response.body.len().min(SEARCHED)];
    if credential::is_ours(case, body) {
        found.add("L04", Level::Must, || blame("no credential", "a credential of our own".to_owned(), "own credential"));
    }
    if body.is_empty() || !case.look.raised {
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
