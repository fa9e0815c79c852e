//! What a rule does: one effect, or a sequence of them.

use super::Surroundings;
use super::respond::respond;
use crate::fault::{Effect, Element, Fault};
use crate::plan::file::{Table, Value, View};
use crate::plan::lower::spread;
use crate::plan::problem::Problem;
use crate::units::Size;

pub(super) fn effect(table: &Table<'_>, delayed: bool, around: &Surroundings<'_>) -> Option<Effect> {
    let given = ["respond", "reset", "cut", "sequence"].map(|key| table.take(key));
    let all: Vec<&Value<'_>> = given.iter().flatten().collect();
    if let [a, b, ..] = all[..] {
        let problem = Problem::at(b.key_place(), format!("a fault has one effect, and this one has `{}` and `{}`", a.key(), b.key()));
        table.problems().add(problem.also(a.key_place(), "the first one").help("write two faults, or a `sequence`"));
        return None;
    }
    match given {
        [Some(value), ..] => value.table().and_then(|table| respond(table, around)).map(Fault::Respond).map(Effect::Fault),
        [_, Some(value), ..] => after(&value).map(|after| Effect::Fault(Fault::Reset { after })),
        [_, _, Some(value), _] => after(&value).map(|after| Effect::Fault(Fault::Cut { after })),
        [_, _, _, Some(value)] => sequence(&value, around).map(Effect::Sequence),
        _ if delayed || table.has("limiter") || table.has("drop_after_upstream") => Some(Effect::DelayOnly),
        _ => {
            let problem = Problem::at(table.place(), "this fault does nothing");
            table.problems().add(problem.help("give it one of `respond`, `delay`, `reset`, `cut` and `sequence`"));
            None
        }
    }
}

/// `true` (at once) or `{ after = "2KiB" }`.
fn after(value: &Value<'_>) -> Option<Size> {
    match value.view() {
        View::Boolean(true) => Some(Size(0)),
        View::Table(table) => {
            let size = table.required("after").and_then(|value| value.parsed());
            table.finish();
            size
        }
        _ => value.refuse(
            format!("`{}` is `true` or says after how many bytes of the answer", value.key()),
            format!("write `{} = true` or `{} = {{ after = \"2KiB\" }}`", value.key(), value.key()),
        ),
    }
}

fn sequence(value: &Value<'_>, around: &Surroundings<'_>) -> Option<Vec<Element>> {
    let items = value.list()?;
    if items.is_empty() {
        return value.refuse("a sequence without elements", "write for example [{ error = \"…\" }, \"reset\", \"pass\"]");
    }
    let elements: Vec<Option<Element>> = items.iter().map(|item| element(item, around)).collect();
    elements.into_iter().collect()
}

fn element(value: &Value<'_>, around: &Surroundings<'_>) -> Option<Element> {
    let View::Table(table) = value.view() else {
        let text = value.string()?;
        let words = [
            ("pass", Element::Pass),
            ("reset", Element::Fault(Fault::Reset { after: Size(0) })),
            ("cut", Element::Fault(Fault::Cut { after: Size(0) })),
        ];
        let known = words.iter().find(|(word, _)| *word == text).map(|(_, element)| element.clone());
        if known.is_none() {
            let problem = value.problem(format!("`{text}` is no element of a sequence"));
            let problem = problem.did_you_mean(&text, words.iter().map(|(word, _)| *word));
            value.problems().add(problem.help("an error of the contract is written { error = \"CODE\" }, a status { status = 503 }"));
        }
        return known;
    };
    let kinds: Vec<&'static str> = ["delay", "reset", "cut"].into_iter().filter(|key| table.has(key)).collect();
    match kinds[..] {
        [] => respond(table, around).map(Fault::Respond).map(Element::Fault),
        [kind] => {
            let element = table.take(kind).and_then(|value| match kind {
                "delay" => spread::lower(&value).map(Element::Delay),
                "reset" => after(&value).map(|after| Element::Fault(Fault::Reset { after })),
                _ => after(&value).map(|after| Element::Fault(Fault::Cut { after })),
            });
            table.finish();
            element
        }
        _ => value.refuse("an element of a sequence has one effect", "split it into several elements"),
    }
}
