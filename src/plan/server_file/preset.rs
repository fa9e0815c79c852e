//! Presets: changes to answers that were in order.

use super::{header_name, json};
use crate::contract::server::{AnswerPart, Change, Edit, Preset, STRICT};
use crate::plan::file::{Table, Value};
use crate::plan::problem::Problem;

pub(super) fn presets(table: &Table<'_>) -> Vec<Preset> {
    let entries = table.table("preset").map(|presets| presets.entries()).unwrap_or_default();
    entries.into_iter().filter_map(|(name, value)| preset(name, &value)).collect()
}

fn preset(name: String, value: &Value<'_>) -> Option<Preset> {
    let table = value.table()?;
    if name == STRICT {
        return value.refuse("`strict` is the server as described and changes nothing", "choose another name");
    }
    let preset = Preset {
        name,
        about: table.string("about").unwrap_or_default(),
        changes: table.tables("changes").into_iter().filter_map(change).collect(),
    };
    table.finish();
    Some(preset)
}

fn change(table: Table<'_>) -> Option<Change> {
    let header = table.take("header").and_then(|value| header_name(&value)).map(AnswerPart::Header);
    let part = header.or(table.string("member").map(AnswerPart::Member));
    let shift = table.whole("shift", -1_000_000_000_000..=1_000_000_000_000i64).map(Edit::Shift);
    let remove = table.boolean("remove").filter(|remove| *remove).map(|_| Edit::Remove);
    let edit = shift.or(remove).or(table.take("set").map(|value| Edit::Set(json(&value))));
    let statuses = table.list("statuses").iter().filter_map(|status| status.whole(100..=599u16)).collect();
    if part.is_none() || edit.is_none() {
        let problem = Problem::at(table.place(), "a change names a `header` or `member`, and `shift`, `remove` or `set`");
        table.problems().add(problem.help("for example { header = \"Retry-After\", remove = true }"));
    }
    table.finish();
    Some(Change { part: part?, edit: edit?, statuses })
}
