//! `[[scenario]]`: what users do, step by step.

use std::path::Path;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, Method};

use super::template::{Builder, Scope};
use super::vars::BUILT_IN;
use super::{distinct, few, resolve, spread, target};
use crate::id::PolicyIx;
use crate::plan::file::{Table, Value, View};
use crate::plan::problem::{Place, Problem};
use crate::plan::source::read_bounded;
use crate::plan::{Capture, CaptureFrom, Escape, JsonStep, Piece, Scenario, StatusRange, Step, Template};
use crate::units::{Micros, Size};
use crate::wire::SseRule;

/// Bodies larger than this are not sent.
const LARGEST_BODY: usize = 64 * 1024 * 1024;
/// Scenarios share the arrivals in these proportions at most.
const HEAVIEST: u32 = 1_000_000;

/// A scenario with what other parts of the plan need of it, even where it has problems.
pub struct Lowered {
    /// Its name.
    pub name: String,
    /// The names of its steps.
    pub steps: Vec<String>,
    /// What its steps send, with the place of each.
    pub requests: Vec<(Method, Place)>,
    /// The scenario; `None` where it has problems.
    pub scenario: Option<Scenario>,
}

/// Reads all scenarios.
pub fn lower(root: &Table<'_>, policies: &[String], scope: &Scope<'_>, folder: &Path) -> Vec<Lowered> {
    let tables = few(root.tables("scenario"), "scenario");
    if tables.is_empty() {
        let problem = Problem::at(root.place(), "the plan has no scenario");
        let problem = problem.help("add `[[scenario]]` with `name`, and `[[scenario.step]]` with `request = \"GET /…\"`");
        root.problems().add(problem.help("a plan for a client of yours, with `brownout proxy`, needs none, but `[proxy]`"));
    }
    let elsewhere: Vec<(String, String)> = tables.iter().flat_map(captures_of).collect();
    let mut seen = Vec::new();
    let mut weights = Some(0u64);
    let all: Vec<Lowered> = tables
        .iter()
        .map(|table| {
            let (lowered, weight) = scenario(table, policies, &Scope { elsewhere: &elsewhere, ..*scope }, folder);
            if let Some(name) = table.take("name") {
                distinct(&mut seen, "scenario", &lowered.name, name.place(), table.problems());
            }
            weights = weights.zip(weight).map(|(sum, weight)| sum + u64::from(weight));
            lowered
        })
        .collect();
    if let (Some(0), Some(first)) = (weights, tables.first()) {
        let problem = Problem::at(first.place(), "no scenario has a weight, so there is nothing to start");
        root.problems().add(problem.help("give at least one a `weight` above 0"));
    }
    tables.into_iter().for_each(Table::finish);
    all
}

/// The names that a scenario captures, each with the scenario's name; nothing is reported.
fn captures_of(table: &Table<'_>) -> Vec<(String, String)> {
    let name = match table.take("name").map(|name| name.view()) {
        Some(View::String(name)) => name.to_owned(),
        _ => String::new(),
    };
    let Some(View::List(steps)) = table.take("step").map(|steps| steps.view()) else { return Vec::new() };
    let captures = steps.iter().filter_map(|step| match step.view() {
        View::Table(step) => step.take("capture"),
        _ => None,
    });
    let names = captures.filter_map(|capture| match capture.view() {
        View::Table(table) => Some(table.entries().into_iter().map(|(captured, _)| captured).collect::<Vec<_>>()),
        _ => None,
    });
    names.flatten().map(|captured| (captured, name.clone())).collect()
}

fn scenario(table: &Table<'_>, policies: &[String], scope: &Scope<'_>, folder: &Path) -> (Lowered, Option<u32>) {
    let name = table.required("name").and_then(|name| name.string());
    let weight = match table.take("weight") {
        Some(weight) => weight.whole(0..=HEAVIEST),
        None => Some(1),
    };
    let policy = match table.take("retry") {
        Some(retry) => retry
            .string()
            .and_then(|name| resolve(retry.place(), table.problems(), "retry policy", &name, policies.iter().map(String::as_str)))
            .map(|index| Some(PolicyIx::from(index))),
        None => Some(None),
    };
    let shown = name.clone().unwrap_or_default();
    let tables = few(table.tables("step"), "scenario.step");
    if tables.is_empty() {
        let problem = Problem::at(table.place(), format!("the scenario `{shown}` has no step"));
        table.problems().add(problem.help("add `[[scenario.step]]` with `request = \"GET /…\"`"));
    }
    let (mut captured, mut seen) = (Vec::new(), Vec::new());
    let (mut names, mut requests, mut steps) = (Vec::new(), Vec::new(), Some(Vec::new()));
    for table in tables {
        let request = table.required("request");
        let given = table.take("name");
        let step_name = given.as_ref().or(request.as_ref()).and_then(|value| value.raw()).unwrap_or_default().to_owned();
        let place = given.as_ref().or(request.as_ref()).map_or(table.place(), Value::place);
        distinct(&mut seen, "step", &step_name, place, table.problems());
        if let Some((method, request)) = request.as_ref().and_then(|value| Some((method_of(value)?, value))) {
            requests.push((method, request.place()));
        }
        let step = step(&table, request.as_ref(), &step_name, &shown, &Scope { captured: &captured, ..*scope }, folder);
        captured = new_captures(&table, captured, scope);
        table.finish();
        names.push(step_name);
        match (step, &mut steps) {
            (Some(step), Some(steps)) => steps.push(step),
            _ => steps = None,
        }
    }
    let sound = name.is_some() && weight.is_some() && policy.is_some();
    let steps = steps.filter(|steps| sound && !steps.is_empty());
    let scenario = steps.map(|steps| {
        let steps = with_slots(steps, &captured);
        Scenario { name: shown.clone(), weight: weight.unwrap_or(1), policy: policy.flatten(), steps }
    });
    (Lowered { name: shown, steps: names, requests, scenario }, weight)
}

/// Captures are numbered over the whole scenario, in order of their first appearance.
fn with_slots(mut steps: Vec<Step>, captured: &[String]) -> Vec<Step> {
    for capture in steps.iter_mut().flat_map(|step| &mut step.captures) {
        capture.slot = captured.iter().position(|name| *name == capture.name).unwrap_or_default();
    }
    steps
}

/// The captures known after a step: a name can be captured again, and not be that of anything else.
fn new_captures(table: &Table<'_>, mut captured: Vec<String>, scope: &Scope<'_>) -> Vec<String> {
    for (name, value) in table.take("capture").and_then(|value| value.table()).iter().flat_map(Table::entries) {
        let problem = || Problem::at(value.key_place(), format!("the capture `{name}` has the name of something else"));
        if let Some(place) = scope.vars.place(&name) {
            let problem = problem().also(place.clone(), "the variable");
            table.problems().add(problem.help("call one of them otherwise"));
        } else if BUILT_IN.contains(&name.as_str()) || name.starts_with("data.") {
            table.problems().add(problem().help(format!("`${{{name}}}` is built in")));
        }
        if !captured.contains(&name) {
            captured.push(name);
        }
    }
    captured
}

fn step(table: &Table<'_>, request: Option<&Value<'_>>, name: &str, scenario: &str, scope: &Scope<'_>, folder: &Path) -> Option<Step> {
    let method = request.and_then(|value| method(value));
    let path = request.and_then(|value| path(value, scope));
    let headers = target::headers(table.table("headers"), scope);
    let body = body(table, scope, folder);
    let expect = match table.table("expect") {
        Some(expect) => {
            let statuses = expect.required("status").and_then(|status| statuses(&status));
            expect.finish();
            statuses
        }
        None => Some(vec![StatusRange { first: 200, last: 399 }]),
    };
    let captures: Option<Vec<Capture>> =
        table.table("capture").iter().flat_map(Table::entries).map(capture).collect::<Vec<_>>().into_iter().collect();
    let think = table.take("think").map(|value| spread::lower(&value));
    let stream = table.table("stream").map(stream);
    let (mut headers, (body, is_json)) = (headers?, body?);
    if is_json && !headers.iter().any(|(name, _)| name == CONTENT_TYPE) {
        headers.push((CONTENT_TYPE, constant("application/json")));
    }
    Some(Step {
        name: name.to_owned(),
        operation: format!("{scenario}/{name}"),
        method: method?,
        path: path?,
        headers,
        body,
        expect: expect?,
        captures: captures?,
        think: think.map_or(Some(None), |think| think.map(Some))?,
        stream: stream.map_or(Some(None), |stream| stream.map(Some))?,
    })
}

fn constant(text: &'static str) -> Template {
    Template { pieces: vec![Piece::Text(Bytes::from_static(text.as_bytes()))] }
}

/// The method, if the request line begins with one; nothing is reported.
fn method_of(value: &Value<'_>) -> Option<Method> {
    let View::String(line) = value.view() else { return None };
    let method = line.split_once(' ')?.0;
    method.parse().ok().filter(|_| method.bytes().all(|b| b.is_ascii_uppercase()))
}

fn method(value: &Value<'_>) -> Option<Method> {
    let line = value.raw()?;
    let method = method_of(value).filter(|_| line.split_once(' ').is_some_and(|(_, path)| path.starts_with(['/', '$'])));
    match method {
        Some(Method::CONNECT) => value.refuse("CONNECT is no request of a user", "use another method"),
        Some(method) => Some(method),
        None => value.refuse(format!("`{line}` is not a request line"), "write the method and the path: `POST /v1/conversations`"),
    }
}

fn path(value: &Value<'_>, scope: &Scope<'_>) -> Option<Template> {
    let path = value.raw()?.split_once(' ')?.1.trim();
    let template = scope.compile_text(value, path, Escape::Url)?;
    let sound = matches!(template.pieces.first(), Some(Piece::Text(text)) if text.starts_with(b"/"));
    match sound {
        _ if path.contains('#') => value.refuse("a request has no `#…`: it is never sent", "remove it"),
        true => Some(template),
        false => value.refuse("the path of a request begins with `/`", "write for example `GET /v1/models`"),
    }
}

/// The body and whether it is JSON: at most one of `json` and `body`.
fn body(table: &Table<'_>, scope: &Scope<'_>, folder: &Path) -> Option<(Option<Template>, bool)> {
    match (table.take("json"), table.take("body")) {
        (None, None) => Some((None, false)),
        (Some(json), None) => {
            let mut built = Builder::default();
            write_json(&json, scope, &mut built).then(|| (Some(built.finish()), true))
        }
        (None, Some(body)) => raw_body(&body, scope, folder).map(|body| (Some(body), false)),
        (Some(_), Some(body)) => body.refuse("a step has at most one of `json` and `body`", "remove one of them"),
    }
}

/// Writes a TOML value as JSON, members in file order. False after problems.
fn write_json(value: &Value<'_>, scope: &Scope<'_>, out: &mut Builder) -> bool {
    match value.view() {
        View::String(_) => {
            out.text("\"");
            let template = scope.compile(value, Escape::Json);
            let sound = template.is_some();
            out.append(template.unwrap_or_default());
            out.text("\"");
            sound
        }
        View::Integer(whole) => written(out, &whole.to_string()),
        View::Float(number) => match serde_json::Number::from_f64(number) {
            Some(number) => written(out, &number.to_string()),
            None => value.refuse("JSON has no such number", "write a finite number").unwrap_or(false),
        },
        View::Boolean(truth) => written(out, &truth.to_string()),
        View::Datetime(date) => written(out, &format!("\"{date}\"")),
        View::List(items) => {
            let mut sound = written(out, "[");
            for (index, item) in items.iter().enumerate() {
                out.text(if index > 0 { "," } else { "" });
                sound &= write_json(item, scope, out);
            }
            written(out, "]") && sound
        }
        View::Table(table) => {
            let mut sound = written(out, "{");
            for (index, (name, member)) in table.entries().iter().enumerate() {
                out.text(if index > 0 { "," } else { "" });
                out.text(&format!("{}:", serde_json::Value::from(name.as_str())));
                sound &= write_json(member, scope, out);
            }
            written(out, "}") && sound
        }
    }
}

fn written(out: &mut Builder, text: &str) -> bool {
    out.text(text);
    true
}

/// `"text"`, `{ file = "…" }` or `{ size = "11MB" }`, which is that many bytes of no meaning.
fn raw_body(value: &Value<'_>, scope: &Scope<'_>, folder: &Path) -> Option<Template> {
    let View::Table(table) = value.view() else { return scope.compile(value, Escape::Raw) };
    let bytes = match (table.take("file"), table.take("size")) {
        (Some(file), None) => file.string().and_then(|name| match read_bounded(&folder.join(&name), LARGEST_BODY) {
            Ok(bytes) => Some(bytes),
            Err(why) => file.refuse(format!("the file `{name}`: {why}"), "files are relative to the plan that names them"),
        }),
        (None, Some(size)) => match size.parsed::<Size>() {
            Some(Size(bytes)) if bytes > LARGEST_BODY as u64 => size.refuse("a body of more than 64 MiB", "make it smaller"),
            bytes => bytes.map(|Size(bytes)| vec![b'x'; bytes as usize]),
        },
        _ => value.refuse("`body` is a text, `{ file = \"…\" }` or `{ size = \"1MiB\" }`", "write one of them"),
    };
    table.finish();
    bytes.map(|bytes| Template { pieces: vec![Piece::Text(Bytes::from(bytes))] })
}

/// `201`, `"2xx"`, `"200-204"`, or a list of these.
fn statuses(value: &Value<'_>) -> Option<Vec<StatusRange>> {
    match value.view() {
        View::List(items) if items.is_empty() => value.refuse("no status would be expected", "write for example [200, \"3xx\"]"),
        View::List(items) => items.iter().map(status).collect::<Vec<_>>().into_iter().collect(),
        _ => status(value).map(|range| vec![range]),
    }
}

fn status(value: &Value<'_>) -> Option<StatusRange> {
    let range = match value.view() {
        View::Integer(_) => return value.whole(100..=599u16).map(|status| StatusRange { first: status, last: status }),
        View::String(_) => value.string()?,
        _ => return value.refuse("a status is a number or a class", "write for example 201, \"2xx\" or \"200-204\""),
    };
    let class = range.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok()).filter(|class| (1..=5).contains(class));
    let ends = range.split_once('-').and_then(|(first, last)| Some((first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?)));
    match (class, ends, range.parse::<u16>()) {
        (Some(class), ..) => Some(StatusRange { first: class * 100, last: class * 100 + 99 }),
        (_, Some((first, last)), _) if 100 <= first && first <= last && last <= 599 => Some(StatusRange { first, last }),
        (_, _, Ok(status)) if (100..=599).contains(&status) => Some(StatusRange { first: status, last: status }),
        _ => value.refuse(format!("`{range}` is no status and no class of statuses"), "write for example 201, \"2xx\" or \"200-204\""),
    }
}

/// `json:$.data.id` or `header:Location`.
fn capture((name, value): (String, Value<'_>)) -> Option<Capture> {
    let text = value.string()?;
    let from = match text.split_once(':') {
        Some(("json", path)) => json_path(path).map(CaptureFrom::Json),
        Some(("header", header)) => HeaderName::from_bytes(header.trim().as_bytes()).ok().map(CaptureFrom::Header),
        _ => None,
    };
    match from {
        Some(from) => Some(Capture { name, slot: 0, from }),
        None => {
            value.refuse(format!("`{text}` is no place of an answer"), "write `json:$.data.id`, `json:$.items[0].id` or `header:Location`")
        }
    }
}

/// `$.a.b[0]["c d"]`: members and indices only.
fn json_path(text: &str) -> Option<Vec<JsonStep>> {
    let mut rest = text.trim().strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(member) = rest.strip_prefix('.') {
            let end = member.find(['.', '[']).unwrap_or(member.len());
            let (name, later) = member.split_at(end);
            let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-@".contains(c));
            steps.push(plain.then(|| JsonStep::Member(name.to_owned()))?);
            rest = later;
        } else {
            let (inside, later) = rest.strip_prefix('[')?.split_once(']')?;
            let quoted = [('"', '"'), ('\'', '\'')].iter().find_map(|&(a, b)| inside.strip_prefix(a)?.strip_suffix(b));
            steps.push(match quoted {
                Some(name) => JsonStep::Member(name.to_owned()),
                None => JsonStep::Index(inside.parse().ok()?),
            });
            rest = later;
        }
    }
    Some(steps)
}

fn stream(table: Table<'_>) -> Option<SseRule> {
    let rule = table.required("sse").and_then(|sse| sse.table()).map(|sse| {
        let done = sse.string("done");
        let gap = sse.take("max_gap").map(|gap| gap.parsed::<Micros>());
        sse.finish();
        gap.map_or(Some(None), |gap| gap.map(Some)).map(|max_gap| SseRule { done, max_gap })
    });
    table.finish();
    rule.flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_paths_are_members_and_indices() {
        let member = |name: &str| JsonStep::Member(name.to_owned());
        assert_eq!(json_path("$"), Some(vec![]));
        assert_eq!(json_path("$.data.id"), Some(vec![member("data"), member("id")]));
        assert_eq!(json_path("$.a[0][\"b c\"].d"), Some(vec![member("a"), JsonStep::Index(0), member("b c"), member("d")]));
        for bad in ["data.id", "$.", "$..a", "$.a[", "$[x]", "$.a b"] {
            assert_eq!(json_path(bad), None, "{bad}");
        }
    }
}
