//! What a rule does: one effect, or a sequence of them.

use super::limiter::limiter;
use super::respond::{named, respond};
use super::{Surroundings, stream};
use crate::fault::{After, Effect, Element, Fault, Pace, Window};
use crate::plan::file::{Table, Value, View};
use crate::plan::lower::spread;
use crate::plan::problem::Problem;
use crate::units::{Micros, Size};

/// The keys of faults: each one an effect by itself, and the key of an element of a sequence.
const KEYS: [&str; 20] = [
    "respond",
    "corrupt",
    "reset",
    "cut",
    "half_close",
    "delay_after_upstream",
    "slow_body",
    "stall",
    "black_hole",
    "refuse",
    "tls_failure",
    "truncate_chunked",
    "content_length",
    "bad_chunk",
    "stream",
    "drop_after_upstream",
    "reset_after_upstream",
    "goaway",
    "refused_stream",
    "reset_stream",
];

/// The elements of a sequence that are written as one word.
const WORDS: [&str; 13] = [
    "pass",
    "reset",
    "cut",
    "half_close",
    "stall",
    "black_hole",
    "truncate_chunked",
    "bad_chunk",
    "drop_after_upstream",
    "reset_after_upstream",
    "goaway",
    "refused_stream",
    "reset_stream",
];

/// The furthest that a declared length can be off.
const FURTHEST: u64 = 1 << 30;

/// Refuses what cannot apply to a fault that strikes connections: there is no request yet.
pub(super) fn of_connection(table: &Table<'_>) {
    let Some(kind) = ["refuse", "tls_failure"].into_iter().find(|kind| table.has(kind)) else { return };
    for key in ["match", "chance", "every", "first_attempts", "per", "delay", "max_active"] {
        if let Some(value) = table.take(key) {
            let what = format!("`{key}` cannot apply to `{kind}`, which strikes connections: there is no request yet");
            table.problems().add(Problem::at(value.key_place(), what).help("remove it; `during` says when connections are struck"));
        }
    }
    if kind == "refuse" && !table.has("during") {
        let problem = Problem::at(table.place(), "a fault that refuses every connection of the run leaves nothing to test");
        table.problems().add(problem.help("say when: during = { from = \"5s\", for = \"10s\" }"));
    }
}

/// The same for windows that count requests.
pub(super) fn of_windows(table: &Table<'_>, effect: Option<&Effect>, windows: Option<&[Window]>) {
    if let Some(Effect::Fault(fault @ (Fault::Refuse | Fault::TlsFailure))) = effect
        && windows.unwrap_or_default().iter().any(|window| window.requests.is_some())
    {
        let what = format!("a window of `requests` cannot apply to `{}`, which strikes connections", fault.kind());
        table.problems().add(Problem::at(table.place(), what).help("windows of connections are stretches of time: `from` and `for`"));
    }
}

pub(super) fn effect(table: &Table<'_>, delayed: bool, around: &Surroundings<'_>) -> Option<Effect> {
    let given: Vec<Value<'_>> = KEYS.iter().chain(&["limiter", "sequence"]).filter_map(|key| table.take(key)).collect();
    match &given[..] {
        [] if delayed => Some(Effect::DelayOnly),
        [] => {
            let problem = Problem::at(table.place(), "this fault does nothing");
            table.problems().add(problem.help(format!("give it `delay`, `sequence` or one of {}", KEYS.join(", "))));
            None
        }
        [value] if value.key() == "sequence" => sequence(value, around).map(Effect::Sequence),
        [value] if value.key() == "limiter" => limiter(value, around).map(|limiter| Effect::Limiter(Box::new(limiter))),
        [value] => fault(value, around).map(Effect::Fault),
        [a, b, ..] => {
            let problem = Problem::at(b.key_place(), format!("a fault has one effect, and this one has `{}` and `{}`", a.key(), b.key()));
            table.problems().add(problem.also(a.key_place(), "the first one").help("write two faults, or a `sequence`"));
            None
        }
    }
}

/// The fault that a key names, with its argument.
fn fault(value: &Value<'_>, around: &Surroundings<'_>) -> Option<Fault> {
    match value.key() {
        "respond" => respond(value.table()?, around).map(Fault::Respond),
        "corrupt" => named(value).map(Fault::Corrupt),
        "delay_after_upstream" => spread::lower(value).map(Fault::DelayAfterUpstream),
        "slow_body" => pace(value).map(Fault::SlowBody),
        "stall" => stall(value),
        "content_length" => off_by(value).map(|off_by| Fault::ContentLength { off_by }),
        "stream" => stream::stream(value.table()?, around).map(Fault::Stream),
        "truncate_chunked" => bytes(value).map(|after| Fault::TruncateChunked { after }),
        "bad_chunk" => bytes(value).map(|after| Fault::BadChunk { after: after.unwrap_or_default() }),
        word @ ("reset" | "cut" | "half_close" | "reset_stream") => {
            let after = after(value)?;
            Some(match word {
                "reset" => Fault::Reset { after },
                "cut" => Fault::Cut { after },
                "half_close" => Fault::HalfClose { after },
                _ => Fault::ResetStream { after },
            })
        }
        _ => match value.view() {
            View::Boolean(true) => plain(value.key()),
            _ => value.refuse(format!("`{}` takes no argument", value.key()), format!("write `{} = true`, or remove it", value.key())),
        },
    }
}

/// The fault of a word that stands alone, in a sequence or as `word = true`.
fn plain(word: &str) -> Option<Fault> {
    Some(match word {
        "reset" => Fault::Reset { after: After::Nothing },
        "cut" => Fault::Cut { after: After::Nothing },
        "half_close" => Fault::HalfClose { after: After::Nothing },
        "reset_stream" => Fault::ResetStream { after: After::Nothing },
        "stall" => Fault::Stall { after: Size(0), lasting: None },
        "black_hole" => Fault::BlackHole,
        "refuse" => Fault::Refuse,
        "tls_failure" => Fault::TlsFailure,
        "truncate_chunked" => Fault::TruncateChunked { after: None },
        "bad_chunk" => Fault::BadChunk { after: Size(0) },
        "drop_after_upstream" => Fault::DropAfterUpstream,
        "reset_after_upstream" => Fault::ResetAfterUpstream,
        "goaway" => Fault::GoAway,
        "refused_stream" => Fault::RefusedStream,
        _ => return None,
    })
}

/// `true` (at once), `{ after = "headers" }` or `{ after = "2KiB" }`.
fn after(value: &Value<'_>) -> Option<After> {
    match value.view() {
        View::Boolean(true) => Some(After::Nothing),
        View::Table(table) => {
            let after = table.required("after").and_then(|after| match after.string()?.as_str() {
                "headers" => Some(After::Headers),
                _ => after.parsed().map(After::Bytes),
            });
            table.finish();
            after
        }
        _ => value.refuse(
            format!("`{}` is `true` or says after how many bytes of the answer", value.key()),
            format!("write `{0} = true`, `{0} = {{ after = \"headers\" }}` or `{0} = {{ after = \"2KiB\" }}`", value.key()),
        ),
    }
}

/// `true` (no bytes said) or `{ after = "2KiB" }`.
fn bytes(value: &Value<'_>) -> Option<Option<Size>> {
    match value.view() {
        View::Boolean(true) => Some(None),
        View::Table(table) => {
            let after = table.required("after").and_then(|after| after.parsed());
            table.finish();
            after.map(Some)
        }
        _ => value.refuse(
            format!("`{}` is `true` or says after how many bytes of the body", value.key()),
            format!("write `{0} = true` or `{0} = {{ after = \"2KiB\" }}`", value.key()),
        ),
    }
}

/// `true` or `{ after = "1KiB", for = "30s" }`, both of which may be left out.
fn stall(value: &Value<'_>) -> Option<Fault> {
    match value.view() {
        View::Boolean(true) => plain("stall"),
        View::Table(table) => {
            let after = table.take("after").map(|after| after.parsed());
            let lasting = table.take("for").map(|lasting| match lasting.parsed::<Micros>()? {
                span if span <= Micros::HOUR => Some(span),
                span => lasting
                    .refuse(format!("{span} is too long to wait"), "an hour is the most; without `for` it lasts until the client leaves"),
            });
            table.finish();
            Some(Fault::Stall {
                after: after.map_or(Some(Size(0)), |after| after)?,
                lasting: lasting.map_or(Some(None), |span| span.map(Some))?,
            })
        }
        _ => value.refuse(
            "`stall` is `true` or says after how many bytes, and for how long",
            "write `stall = { after = \"1KiB\", for = \"30s\" }`",
        ),
    }
}

/// `{ rate = "10KiB/s" }` or `{ chunk = "16B", every = "50ms" }`.
fn pace(value: &Value<'_>) -> Option<Pace> {
    const HELP: &str = "write `{ rate = \"10KiB/s\" }` or `{ chunk = \"16B\", every = \"50ms\" }`";
    let View::Table(table) = value.view() else { return value.refuse("`slow_body` says how slow", HELP) };
    let pace = match (table.take("rate"), table.take("chunk"), table.take("every")) {
        (Some(rate), None, None) => {
            let size = rate.string()?.strip_suffix("/s").and_then(|size| size.parse::<Size>().ok());
            size.and_then(|size| Pace::of_rate(size.0)).or_else(|| rate.refuse("this is no rate of bytes", "write for example `10KiB/s`"))
        }
        (None, Some(chunk), Some(every)) => match (chunk.parsed::<Size>()?, every.parsed::<Micros>()?) {
            (Size(0), _) => chunk.refuse("a piece of no bytes never comes to an end", "write for example `16B`"),
            (_, span) if span == Micros::ZERO || span > Micros::HOUR => {
                every.refuse(format!("{span} is no time between two pieces"), "more than nothing, and an hour at most")
            }
            (Size(bytes), every) => Some(Pace { bytes, every }),
        },
        _ => value.refuse("`slow_body` is a rate, or pieces and the time between them", HELP),
    };
    table.finish();
    pace
}

/// `"+10"` or `"-10"`.
fn off_by(value: &Value<'_>) -> Option<i64> {
    let text = value.string()?;
    let signed = text.starts_with(['+', '-']).then(|| text.parse::<i64>().ok()).flatten();
    match signed {
        Some(off_by) if off_by != 0 && off_by.unsigned_abs() <= FURTHEST => Some(off_by),
        _ => value.refuse("`content_length` says by how much the declared length is wrong", "write for example \"+10\" or \"-10\""),
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
    let View::Table(table) = value.view() else { return word(value) };
    let given: Vec<Value<'_>> = KEYS.iter().chain(&["delay"]).filter_map(|key| table.take(key)).collect();
    let element = match &given[..] {
        [] => return respond(table, around).map(Fault::Respond).map(Element::Fault),
        [value] if value.key() == "delay" => spread::lower(value).map(Element::Delay),
        [value] if ["refuse", "tls_failure"].contains(&value.key()) => value.refuse(
            format!("`{}` strikes connections, and a sequence is about the attempts of an exchange", value.key()),
            "write a fault of its own, with `during`",
        ),
        [value] => fault(value, around).map(Element::Fault),
        _ => value.refuse("an element of a sequence has one effect", "split it into several elements"),
    };
    table.finish();
    element
}

fn word(value: &Value<'_>) -> Option<Element> {
    let text = value.string()?;
    if text == "pass" {
        return Some(Element::Pass);
    }
    if WORDS.contains(&text.as_str()) {
        return plain(&text).map(Element::Fault);
    }
    let problem = value.problem(format!("`{text}` is no element of a sequence"));
    let problem = problem.did_you_mean(&text, WORDS);
    value.problems().add(problem.help("an error of the contract is written { error = \"CODE\" }, a status { status = 503 }"));
    None
}
