//! `[[waiver]]`: findings that are known, each with a reason and an end.

use jiff::civil::Date;

use super::{source_of, suggest};
use crate::contract::{Waiver, catalogue, waiver};
use crate::plan::file::{Table, Value, View};

/// Waivers in file order.
pub(super) fn waivers(root: &Table<'_>) -> Vec<Waiver> {
    root.tables("waiver").into_iter().filter_map(waiver).collect()
}

fn waiver(table: Table<'_>) -> Option<Waiver> {
    let check = table.required("check").and_then(|value| check(&value));
    let entry = table.take("entry").map(|value| entry(&value));
    let finding = table.take("finding").map(|value| finding(&value));
    let reason = table.required("reason").and_then(|value| said(&value, "say why it is accepted, and where it is followed up"));
    let expires = table.required("expires").and_then(|value| day(&value));
    let source = source_of(&table.place());
    table.finish();
    let (entry, finding) = (entry.map_or(Some(None), |entry| entry.map(Some))?, finding.map_or(Some(None), |finding| finding.map(Some))?);
    Some(Waiver { check: check?, entry, finding, reason: reason?, expires: expires?, source })
}

/// A text that says something.
pub(super) fn said(value: &Value<'_>, help: &str) -> Option<String> {
    let text = value.string()?;
    if text.trim().is_empty() { value.refuse(format!("`{}` is empty", value.key()), help) } else { Some(text) }
}

fn check(value: &Value<'_>) -> Option<&'static str> {
    let id = value.string()?;
    if let Some(check) = catalogue::find(&id) {
        return Some(check.id);
    }
    let problem = value.problem(format!("there is no check `{id}`"));
    match catalogue::ALL.iter().find(|check| check.name == id) {
        Some(check) => value.problems().add(problem.help(format!("that is the name of `{}`", check.id))),
        None => suggest(value, problem, &id, catalogue::ALL.iter().map(|check| check.id)),
    }
    None
}

fn entry(value: &Value<'_>) -> Option<String> {
    let key = value.string()?;
    match waiver::parts(&key) {
        Some(_) => Some(key),
        None => value
            .refuse(format!("`{key}` is no row's key"), "write `service/operation/status/code`, each of them whole or `*`: `*/*/401/*`"),
    }
}

fn finding(value: &Value<'_>) -> Option<String> {
    let id = value.string()?;
    match !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Some(id.to_ascii_lowercase()),
        false => value.refuse(format!("`{id}` is no finding's id"), "copy the id of the finding from the report: hexadecimal digits"),
    }
}

/// A day, as a TOML date or as text.
fn day(value: &Value<'_>) -> Option<Date> {
    let text = match value.view() {
        View::Datetime(date) => date,
        View::String(text) => text.to_owned(),
        _ => return value.refuse("`expires` must be a day", "write a date: `expires = \"2026-12-31\"`"),
    };
    let exact = text.len() == 10;
    match text.parse::<Date>().ok().filter(|_| exact) {
        Some(day) => Some(day),
        None => value.refuse(format!("`{text}` is not a day"), "write a date that exists: `expires = \"2026-12-31\"`"),
    }
}
