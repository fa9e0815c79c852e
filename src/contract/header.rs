//! H01, H02, R01, R02, and the relations of headers that have no role: what an answer says outside its body.

use crate::contract::body::{format_word, is_format};
use crate::contract::check::{Blame, Case, Found, quoted};
use crate::contract::head::Known;
use crate::contract::json::Json;
use crate::contract::{Field, Format, Header, Kind, Level, Role, instant, relation, standard};
use crate::severity::Severity;

/// Looks at every header the contract names, alone.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    for (header, named) in case.named() {
        let Some(first) = named.text() else {
            missing(case, header, named.known, found);
            continue;
        };
        // Of a repeated field with one value, H03 says that it is repeated: the first is looked at.
        let alone = standard::is_single(header, named.known) || named.known.is_some_and(|known| !case.head.is_repeated(known));
        let text = if alone { first } else { case.header(&header.name).unwrap_or_default() };
        let text = trimmed(&text);
        if header.role == Some(Role::RetryAfter) {
            retry_after(header, text, found);
        } else {
            value(case, header, text, found);
        }
    }
}

/// The severity of an absent Retry-After is that of the status: a 429 without it leaves a client guessing.
fn missing(case: &Case<'_, '_>, header: &Header, known: Option<Known>, found: &mut Found) {
    let absent = || blame(header, "to be there".to_owned(), "no such header".to_owned(), "missing");
    if header.role != Some(Role::RetryAfter) {
        let check = standard::absence_check(known, case.status());
        found.add(check, header.level, absent);
        return;
    }
    let severity = match case.status() {
        429 => Severity::High,
        503 => Severity::Medium,
        _ => Severity::Info,
    };
    found.add_as("R01", severity, header.level, absent);
}

/// R02, or H02 for a form that HTTP allows and the contract does not declare. Source: RFC 9110 §10.2.3.
fn retry_after(header: &Header, text: &str, found: &mut Found) {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let date = !digits && instant::http_date(text).is_some();
    let wants_date = header.rule.format == Some(Format::HttpDate);
    if (date && !wants_date && header.rule.format.is_some()) || (digits && wants_date) {
        let declared = header.rule.format.map_or("", format_word);
        let form = if date { "an HTTP-date" } else { "a number of seconds" };
        found.add_as("H02", Severity::Info, Level::Must, || blame(header, declared.to_owned(), format!("{form}: {}", quoted(text)), form));
    } else if !digits && !date {
        let what = misread(text);
        found.add("R02", Level::Must, || {
            blame(header, "whole seconds or an HTTP-date".to_owned(), format!("{what}: {}", quoted(text)), what)
        });
    }
}

/// What a Retry-After is that is neither of the two forms.
fn misread(text: &str) -> &'static str {
    match text.parse::<f64>() {
        Ok(number) if number < 0.0 => "a negative number",
        Ok(_) => "a fraction",
        Err(_) if text.is_empty() => "nothing",
        Err(_) if instant::rfc3339(text).is_some() => "an ISO 8601 date",
        Err(_) if text.contains(',') => "several values",
        Err(_) => "neither",
    }
}

fn value(case: &Case<'_, '_>, header: &Header, text: &str, found: &mut Found) {
    let rule = &header.rule;
    // Said by R04, which knows which unit would fit, where the body has the same moment.
    let told_by_r04 = || header.role == Some(Role::Reset) && said(case, Role::Reset).is_some();
    let mut wrong = |cause: &'static str, level: Level, expected: String| {
        found.add("H02", level, || blame(header, expected, quoted(text), cause));
    };
    let counts = header.kind == Kind::Integer || rule.min.is_some() || rule.max.is_some();
    let whole = if counts { whole(text) } else { None };
    if header.kind == Kind::Integer && whole.is_none() {
        return wrong("type", Level::Must, "an integer".to_owned());
    }
    if let Some(format) = rule.format.filter(|&format| !is_format(format, text) && !told_by_r04()) {
        return wrong("format", Level::Must, format_word(format).to_owned());
    }
    // A negative remainder is R06's.
    if let Some(whole) = whole.filter(|_| header.role != Some(Role::Remaining)) {
        if rule.min.is_some_and(|min| whole < min) {
            wrong("minimum", Level::Must, format!("at least {}", rule.min.unwrap_or(0.0)));
        } else if rule.max.is_some_and(|max| whole > max) {
            wrong("maximum", Level::Must, format!("at most {}", rule.max.unwrap_or(0.0)));
        }
    }
    if rule.min_len.is_some_and(|min| text.len() < min) {
        wrong("length", Level::Must, format!("at least {} characters", rule.min_len.unwrap_or(0)));
    }
    if let Some(max) = rule.max_len.filter(|&max| text.len() > max) {
        wrong("longest", Level::Must, format!("at most {max} characters"));
    }
    if let Some(pattern) = rule.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        wrong("pattern", rule.level, format!("a text that matches {pattern}"));
    }
    if !rule.one_of.is_empty() && !rule.one_of.iter().any(|word| word == text) {
        wrong("enum", Level::Must, format!("one of {}", rule.one_of.join(", ")));
    }
    if !rule.expected_values.is_empty() && !rule.expected_values.iter().any(|word| word == text) {
        wrong("shown values", Level::Expected, format!("one of {}", rule.expected_values.join(", ")));
    }
    if !relation::has_equation(header.role) {
        relation::check(case, rule, text, &mut |cause, expected| wrong(cause, Level::Must, expected));
    }
}

/// A whole number; most have few digits.
fn whole(text: &str) -> Option<f64> {
    let plain = || text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    digits(text).map(|few| few as f64).or_else(|| text.parse::<i128>().ok().filter(|_| plain()).map(|many| many as f64))
}

/// A number of digits alone; `None` where it is anything else, or too large.
pub(super) fn digits(text: &str) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0i64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 { number.checked_mul(10)?.checked_add(i64::from(digit)) } else { None }
    })
}

/// A text without white space around it: most have none, which two bytes show.
pub(super) fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// What the body says in the field with a role: nothing where it is absent, or not of the field's type and format.
pub(super) fn said<'c>(case: &Case<'c, '_>, role: Role) -> Option<(&'c Field, Json<'c>)> {
    let is_in = |format: Format, value: Json<'_>| value.text().is_none_or(|text| is_format(format, text));
    typed(case, role).filter(|(field, value)| field.rule.format.is_none_or(|format| is_in(format, *value)))
}

/// The same whatever its format, for readers of that format.
pub(super) fn typed<'c>(case: &Case<'c, '_>, role: Role) -> Option<(&'c Field, Json<'c>)> {
    let (field, value) = case.values.member(role)?;
    let value = value?;
    let is_typed = matches!((field.kind, value), (Kind::String, Json::Text(_)) | (Kind::Integer | Kind::Number, Json::Number(_)));
    is_typed.then_some((field, value))
}

fn blame(header: &Header, expected: String, actual: String, cause: &str) -> Blame {
    Blame { path: format!("header:{}", header.shown), expected, actual, cause: cause.to_owned(), source: Some(header.source.clone()) }
}
