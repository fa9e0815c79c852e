//! `equals` and `at_most`: one value of an answer held to another one of the same answer.

use std::borrow::Cow;

use crate::contract::check::{Case, SECOND_US, quoted};
use crate::contract::json::Json;
use crate::contract::{Reference, Role, ValueRule, instant};

/// Whether values with this role are compared by equations of their own (R03–R09, I04, T02).
pub(super) const fn has_equation(role: Option<Role>) -> bool {
    !matches!(role, None | Some(Role::Code | Role::Message))
}

/// Tells which relations a value breaks, by a word and what was demanded. What is not there is not compared.
pub(super) fn check(case: &Case<'_, '_>, rule: &ValueRule, text: &str, wrong: &mut dyn FnMut(&'static str, String)) {
    if let Some((reference, other)) = other(case, rule.equals.as_ref()) {
        let tolerance = rule.tolerance.map_or(0.0, |tolerance| tolerance.as_secs_f64());
        let near = || numbers(text, &other).is_some_and(|(a, b)| (a - b).abs() <= tolerance);
        if text != other && !near() {
            wrong("differs", format!("the value of {}, {}", path_of(reference), quoted(&other)));
        }
    }
    if let Some((reference, other)) = other(case, rule.at_most.as_ref())
        && numbers(text, &other).is_some_and(|(a, b)| a > b)
    {
        wrong("more", format!("at most the value of {}, {}", path_of(reference), quoted(&other)));
    }
}

/// A value as text, where it is one that can be compared.
pub(super) fn comparable(value: Json<'_>) -> Option<Cow<'_, str>> {
    match value {
        Json::Text(text) => Some(Cow::Borrowed(text)),
        Json::Number(number) => Some(Cow::Owned(number.to_string())),
        Json::Bool(truth) => Some(Cow::Borrowed(if truth { "true" } else { "false" })),
        _ => None,
    }
}

fn other<'c, 'r>(case: &'c Case<'_, '_>, reference: Option<&'r Reference>) -> Option<(&'r Reference, Cow<'c, str>)> {
    let reference = reference?;
    let value = match reference {
        Reference::Header(name) => match case.header(&name.parse().ok()?)? {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        },
        Reference::Body(path) => comparable(case.body?.at(path)?)?,
    };
    Some((reference, value))
}

/// Two numbers, or two moments in seconds.
fn numbers(a: &str, b: &str) -> Option<(f64, f64)> {
    let moment = |text: &str| instant::rfc3339(text).or_else(|| instant::http_date(text)).map(|us| us as f64 / SECOND_US as f64);
    let number = |text: &str| text.parse().ok().or_else(|| moment(text));
    number(a).zip(number(b))
}

fn path_of(reference: &Reference) -> String {
    match reference {
        Reference::Header(name) => name.clone(),
        Reference::Body(path) => format!("$.{}", path.join(".")),
    }
}
