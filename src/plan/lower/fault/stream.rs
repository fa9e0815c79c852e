//! `stream`: what goes wrong in a stream of events.

use super::Surroundings;
use super::respond::documented;
use crate::fault::{EventData, Respond, StreamFault};
use crate::plan::file::{Table, Value, View};
use crate::plan::problem::Problem;
use crate::units::Micros;

/// The event that ends most streams of language models.
const DONE: &str = "[DONE]";

/// `{ cut_after = { events = 3 } }`, `{ cut_after = { time = "2s" } }`, `{ drop_done = true }` or
/// `{ error_event = { error = "CODE" }, at = 2 }`.
pub(super) fn stream(table: Table<'_>, around: &Surroundings<'_>) -> Option<StreamFault> {
    let given = (table.take("cut_after"), table.take("drop_done"), table.take("error_event"));
    let at = table.take("at");
    if let (Some(at), None) = (&at, &given.2) {
        at.refuse::<()>("`at` says which event is the error, and there is no `error_event`", "remove it");
    }
    let fault = match &given {
        (Some(cut), None, None) => cut.table().and_then(cut_after),
        (None, Some(done), None) => drop_done(done),
        (None, None, Some(event)) => error_event(event, at.as_ref(), around),
        _ => {
            let problem = Problem::at(table.place(), "`stream` needs one of `cut_after`, `drop_done` and `error_event`");
            table.problems().add(problem.help("for example { cut_after = { events = 3 } }"));
            None
        }
    };
    table.finish();
    fault
}

fn cut_after(table: Table<'_>) -> Option<StreamFault> {
    let (events, time) = (table.take("events"), table.take("time"));
    let (place, problems) = (table.place(), table.problems());
    table.finish();
    match (&events, &time) {
        (Some(events), None) => events.whole(0..=1_000_000).map(StreamFault::CutAfterEvents),
        (None, Some(time)) => match time.parsed::<Micros>() {
            Some(span) if span > Micros::HOUR => time.refuse(format!("{span} is too long to wait"), "an hour is the most"),
            span => span.map(StreamFault::CutAfterTime),
        },
        _ => {
            let problem = Problem::at(place, "a stream is cut after so many `events` or after a `time`");
            problems.add(problem.help("write { events = 3 } or { time = \"2s\" }"));
            None
        }
    }
}

/// `true`, or the data of the event that ends the stream.
fn drop_done(value: &Value<'_>) -> Option<StreamFault> {
    match value.view() {
        View::Boolean(true) => Some(StreamFault::DropDone(DONE.to_owned())),
        View::String(text) if !text.is_empty() && text.len() <= 1_000 => Some(StreamFault::DropDone(text.to_owned())),
        _ => value.refuse("`drop_done` is `true` or the data of the event that ends the stream", "`true` stands for \"[DONE]\""),
    }
}

/// `{ error = "CODE" }` or `{ data = "…" }`, both with an `event` name if wanted.
fn error_event(value: &Value<'_>, at: Option<&Value<'_>>, around: &Surroundings<'_>) -> Option<StreamFault> {
    let table = value.table()?;
    let event = table.take("event").map(|event| match event.string()? {
        name if name.contains(['\n', '\r', '\0']) => event.refuse("the name of an event stands on one line", "write for example \"error\""),
        name => Some(name),
    });
    let data = match (table.take("error"), table.take("data")) {
        (Some(error), None) => match documented(&table, &error, around) {
            Some(Respond::Error { row, .. }) => Some(EventData::Error(row)),
            _ => None,
        },
        (None, Some(data)) => data.string().map(EventData::Literal),
        _ => value.refuse(
            "an error event is an `error` of the contract or has its `data`",
            "{ error = \"CODE\" } or { event = \"error\", data = \"…\" }",
        ),
    };
    table.finish();
    let at = at.map_or(Some(2), |at| at.whole(1..=1_000_000))?;
    Some(StreamFault::ErrorEvent { at, event: event.map_or(Some(None), |event| event.map(Some))?, data: data? })
}
