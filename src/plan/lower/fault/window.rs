//! `during`: when a rule is open.

use super::{Surroundings, one_or_many};
use crate::fault::{Requests, Window};
use crate::plan::file::Table;
use crate::plan::lower::resolve;
use crate::plan::problem::Problem;
use crate::units::{Micros, Offset};

/// `during = { stage, from, for, requests }` or a list of these; the whole run without it.
pub(super) fn windows(table: &Table<'_>, around: &Surroundings<'_>) -> Option<Vec<Window>> {
    let given = one_or_many(table, "during");
    let end = around.load.and_then(|load| load.stages.last().map(|stage| stage.start + stage.length + load.drain));
    if given.is_empty() {
        return Some(vec![Window::between(Offset::START, end?)]);
    }
    let windows: Vec<Option<Window>> = given.iter().map(|value| value.table().and_then(|table| window(table, around))).collect();
    windows.into_iter().collect()
}

fn window(table: Table<'_>, around: &Surroundings<'_>) -> Option<Window> {
    let stage = table.take("stage");
    let from = table.take("from");
    let start = from.as_ref().map(|value| value.parsed::<Micros>());
    let length_value = table.take("for");
    let length = length_value.as_ref().map(|value| value.parsed::<Micros>());
    let requests = table.take("requests").map(|value| value.parsed::<Requests>());
    let (place, problems) = (table.place(), table.problems());
    table.finish();
    let timeless = stage.is_none() && from.is_none() && length_value.is_none();
    let stages = around.names.stages.iter().map(|(name, _)| name.as_str());
    let index = match stage {
        Some(value) if around.names.stages_known => Some(resolve(value.place(), problems, "stage", &value.string()?, stages)?),
        Some(_) => return None,
        None => None,
    };
    let load = around.load?;
    let whole = load.stages.iter().fold(Micros::ZERO, |whole, stage| whole + stage.length);
    let (begin, room, what) = match index.map(|index| &load.stages[index]) {
        Some(stage) => (stage.start, stage.length, format!("the stage `{}`", stage.name)),
        None => (Offset::START, whole, "the run".to_owned()),
    };
    let start = start.map_or(Some(Micros::ZERO), |start| start)?;
    let length = length.map_or(Some(room.saturating_sub(start)), |length| length)?;
    if start >= room || start + length > room {
        let value = if start >= room { from } else { length_value };
        let place = value.map_or(place, |value| value.place());
        let what = format!("this window, from {start} to {}, lies outside {what}, which lasts {room}", start + length);
        problems.add(Problem::at(place, what).help("windows count from the beginning of their stage"));
        return None;
    }
    if length == Micros::ZERO {
        problems.add(Problem::at(place, "a window of no length").help("write for example { from = \"5s\", for = \"10s\" }"));
        return None;
    }
    let requests = requests.map_or(Some(None), |requests| requests.map(Some))?;
    // What counts requests alone is open for as long as any may come.
    let drain = if requests.is_some() && timeless { load.drain } else { Micros::ZERO };
    Some(Window { requests, ..Window::between(begin + start, begin + start + length + drain) })
}
