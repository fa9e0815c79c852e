//! `probe = { … }` of a row, and of a plan's `[[probe.aim]]`: the requests that bring an error about.

use std::path::Path;

use crate::contract::provoke::{Ask, AskBody, Burst, Found, Preparation, ProbeSpec, Who};
use crate::plan::file::{Part, Table, Value, Variables, View, pieces};
use crate::plan::nearest;
use crate::plan::problem::Problem;
use crate::plan::source::read_bounded;
use crate::units::Size;

/// A probe's body is no larger than this.
const LARGEST_BODY: usize = 64 * 1024 * 1024;
/// `${x:N}` and preparations are repeated at most so often.
const MOST: u32 = 10_000;
/// A burst sends no more than this.
const LARGEST_BURST: u32 = 100_000;
/// Names that have a value when a probe is sent.
const BUILT_IN: [&str; 2] = ["uuid", "run.id"];

/// What the texts of a probe may refer to, and where its files are.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Where files are; `None` where there is no folder, as in a contract that is built in.
    pub folder: Option<&'a Path>,
    /// The plan's variables; a contract has none.
    pub vars: Option<&'a dyn Variables>,
    /// The plan's identities; which ones there will be, a contract does not know.
    pub identities: Option<&'a [String]>,
}

/// Reads a row's `probe`; its files are beside the contract. `None` after problems.
pub fn lower(table: Table<'_>) -> Option<ProbeSpec> {
    let place = table.place();
    let folder = Some(place.source.name())
        .filter(|name| !name.ends_with("(built in)"))
        .map(|name| Path::new(name).parent().unwrap_or(Path::new("")));
    let spec = spec(&table, &Around { folder, vars: None, identities: None });
    table.finish();
    spec
}

/// Reads the keys of a probe out of a table that may have others. `None` after problems.
pub fn spec(table: &Table<'_>, around: &Around<'_>) -> Option<ProbeSpec> {
    let mut known: Vec<String> = Vec::new();
    let mut setup = Some(Vec::new());
    for table in table.take("setup").map(|value| one_or_more(&value)).unwrap_or_default() {
        let prepared = preparation(&table, around, &mut known);
        table.finish();
        setup = setup.zip(prepared).map(|(mut all, one)| {
            all.push(one);
            all
        });
    }
    let burst = table.table("burst").map(burst);
    let request = match (table.has("request"), &burst) {
        (false, Some(_)) => Some(None),
        _ => ask(table, around, &known).map(Some),
    };
    let repeat = match table.take("repeat") {
        Some(value) => value.whole(1..=MOST),
        None => Some(1),
    };
    let accept: Vec<Option<u16>> = table.list("accept").iter().map(|status| status.whole(100..=599)).collect();
    let field = table.string("field");
    let writes = table.take("writes").map(|value| value.boolean());
    let (setup, request, repeat) = (setup?, request?, repeat?);
    let changes =
        !setup.iter().all(|one: &Preparation| one.ask.reads()) || (repeat > 1 && request.as_ref().is_some_and(|ask| !ask.reads()));
    Some(ProbeSpec {
        setup,
        request,
        repeat,
        burst: burst.map_or(Some(None), |burst| burst.map(Some))?,
        accept: accept.into_iter().collect::<Option<_>>()?,
        field,
        writes: writes.map_or(Some(changes), |said| said)?,
        source: super::source_of(&table.place()),
    })
}

/// The tables of a list; one alone stands for a list of one.
fn one_or_more<'t>(value: &Value<'t>) -> Vec<Table<'t>> {
    match value.view() {
        View::List(items) => items.iter().filter_map(Value::table).collect(),
        _ => value.table().into_iter().collect(),
    }
}

fn preparation(table: &Table<'_>, around: &Around<'_>, known: &mut Vec<String>) -> Option<Preparation> {
    let ask = ask(table, around, known);
    let times = match table.take("times") {
        Some(value) => value.whole(1..=MOST),
        None => Some(1),
    };
    let mut captures = Some(Vec::new());
    for (name, value) in table.table("capture").iter().flat_map(Table::entries) {
        let found = value.string().and_then(|text| match found(&text) {
            Some(found) => Some(found),
            None => value.refuse(format!("`{text}` is no place of an answer"), "write `json:$.data.id` or `header:Location`"),
        });
        if BUILT_IN.contains(&name.as_str()) || filler(&name).is_some() {
            value.problems().add(Problem::at(value.key_place(), format!("`${{{name}}}` is built in")).help("call the capture otherwise"));
        }
        known.push(name.clone());
        captures = captures.zip(found).map(|(mut all, found)| {
            all.push((name, found));
            all
        });
    }
    Some(Preparation { ask: ask?, times: times?, captures: captures? })
}

/// `json:$.data.id`, `header:Location`
fn found(text: &str) -> Option<Found> {
    let header = |name: &str| http::HeaderName::from_bytes(name.as_bytes()).ok().map(|name| Found::Header(name.as_str().to_owned()));
    match text.split_once(':')? {
        ("header", name) => header(name.trim()),
        ("json", path) => {
            let path = path.trim().strip_prefix('$')?.replace('[', ".").replace([']', '"', '\''], "");
            let members: Vec<String> = path.split('.').skip(1).map(str::to_owned).collect();
            members.iter().all(|member| !member.is_empty()).then_some(Found::Json(members))
        }
        _ => None,
    }
}

fn burst(table: Table<'_>) -> Option<Burst> {
    let budget = table.required("budget").and_then(|value| value.whole(1..=LARGEST_BURST));
    let stop_on = match table.take("stop_on") {
        Some(value) => value.whole(400..=599u16),
        None => Some(429),
    };
    let recover = table.boolean("recover").unwrap_or(true);
    let tell = table.boolean("tell").unwrap_or(false);
    table.finish();
    Some(Burst { budget: budget?, stop_on: stop_on?, recover, tell })
}

/// A hook's request, or a preparation's, or the probe itself.
pub fn ask(table: &Table<'_>, around: &Around<'_>, known: &[String]) -> Option<Ask> {
    let line = table.required("request");
    let request = line.as_ref().and_then(|line| request(line, around, known));
    let mut headers = Some(Vec::new());
    for (name, value) in table.table("headers").iter().flat_map(Table::entries) {
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            value.refuse::<()>(format!("`{name}` is no name of a header"), "a name has letters, digits and hyphens");
            headers = None;
        }
        let text = text(&value, value.raw().unwrap_or_default(), around, known);
        headers = headers.zip(text).map(|(mut all, text)| {
            all.push((name, text));
            all
        });
    }
    let who = table.take("as").and_then(|value| Some(who(&value, &value.string()?, around))).unwrap_or_default();
    let body = body(table, around, known);
    let (method, target) = request?;
    Some(Ask { method, target, headers: headers?, body: body?, who })
}

fn who(value: &Value<'_>, name: &str, around: &Around<'_>) -> Who {
    match name {
        "plan" => return Who::Plan,
        "none" => return Who::Nobody,
        _ => {}
    }
    if let Some(known) = around.identities.filter(|known| known.iter().all(|known| known != name)) {
        let problem = Problem::at(value.place(), format!("there is no identity `{name}`"));
        value.problems().add(match nearest(name, known.iter().map(String::as_str)) {
            Some(meant) => problem.help(format!("did you mean `{meant}`?")),
            None => problem.help(format!("declare it: `[probe.identity.{name}]` with `headers = {{ … }}`")),
        });
    }
    Who::Named(name.to_owned())
}

fn request(line: &Value<'_>, around: &Around<'_>, known: &[String]) -> Option<(String, String)> {
    let raw = line.raw()?;
    match raw.split_once(' ').map(|(method, target)| (method, target.trim())) {
        Some((method, target)) if is_token(method) && target.starts_with('/') && !target.contains([' ', '#']) => {
            text(line, target, around, known).map(|target| (method.to_owned(), target))
        }
        _ => line.refuse(format!("`{raw}` is not a request line"), "write the method and the path: `POST /v1/conversations`"),
    }
}

fn is_token(method: &str) -> bool {
    !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

/// At most one of `json`, `body` and `body_file`.
fn body(table: &Table<'_>, around: &Around<'_>, known: &[String]) -> Option<AskBody> {
    let given: Vec<Value<'_>> = ["json", "body", "body_file"].into_iter().filter_map(|key| table.take(key)).collect();
    match given.as_slice() {
        [] => Some(AskBody::None),
        [value] if value.key() == "json" => json(value, around, known).map(AskBody::Json),
        [value] if value.key() == "body_file" => file(value, around),
        [value] => match value.view() {
            View::Table(table) => {
                let file = table.take("file").map(|value| file(&value, around));
                let size = table.take("size").map(|value| size(&value));
                table.finish();
                file.or(size)
                    .unwrap_or_else(|| value.refuse("`body` is a text, `{ file = \"…\" }` or `{ size = \"11MB\" }`", "write one of them"))
            }
            _ => text(value, value.raw()?, around, known).map(AskBody::Text),
        },
        [_, second, ..] => second.refuse("a request has at most one of `json`, `body` and `body_file`", "remove the others"),
    }
}

fn file(value: &Value<'_>, around: &Around<'_>) -> Option<AskBody> {
    let name = value.string()?;
    let Some(folder) = around.folder else {
        return value.refuse("a contract that is built in has no files beside it", "write the body itself: `body = \"…\"`");
    };
    match read_bounded(&folder.join(&name), LARGEST_BODY) {
        Ok(bytes) => Some(AskBody::Bytes(bytes)),
        Err(why) => value.refuse(format!("the file `{name}`: {why}"), "files are relative to the document that names them"),
    }
}

fn size(value: &Value<'_>) -> Option<AskBody> {
    let size = value.parsed::<Size>()?;
    match size.0 <= LARGEST_BODY as u64 {
        true => Some(AskBody::Filled(size)),
        false => value.refuse("a body of more than 64 MiB", "make it smaller"),
    }
}

fn json(value: &Value<'_>, around: &Around<'_>, known: &[String]) -> Option<serde_json::Value> {
    match value.view() {
        View::String(raw) => text(value, raw, around, known).map(serde_json::Value::from),
        View::Integer(whole) => {
            i64::try_from(whole).ok().map(serde_json::Value::from).or_else(|| value.refuse("JSON has no such number", "make it smaller"))
        }
        View::Float(number) => serde_json::Number::from_f64(number)
            .map(serde_json::Value::from)
            .or_else(|| value.refuse("JSON has no such number", "write a finite number")),
        View::Boolean(truth) => Some(truth.into()),
        View::Datetime(date) => Some(date.into()),
        View::List(items) => items.iter().map(|item| json(item, around, known)).collect::<Vec<_>>().into_iter().collect(),
        View::Table(table) => {
            let members = table.entries().into_iter().map(|(name, member)| Some((name, json(&member, around, known)?)));
            members.collect::<Vec<_>>().into_iter().collect::<Option<serde_json::Map<_, _>>>().map(serde_json::Value::Object)
        }
    }
}

/// A text with the plan's variables replaced; what only has a value when the probe is sent stays as it is.
fn text(value: &Value<'_>, raw: &str, around: &Around<'_>, known: &[String]) -> Option<String> {
    let (mut whole, mut sound) = (String::with_capacity(raw.len()), true);
    let mut refuse = |place: &str, problem: Problem| {
        value.problems().add(Problem { place: Some(value.place_of(place)), ..problem });
        sound = false;
    };
    for piece in pieces(raw) {
        match piece {
            Part::Text(text) => whole.push_str(text),
            Part::Open(rest) => refuse(rest, Problem::nowhere("`${` without its `}`").help("a place to fill in is written `${name}`")),
            Part::Name(name) if BUILT_IN.contains(&name) || known.iter().any(|known| known == name) => {
                whole.push_str(&format!("${{{name}}}"))
            }
            Part::Name(name) if name.starts_with("x:") => match filler(name) {
                Some(_) => whole.push_str(&format!("${{{name}}}")),
                None => refuse(name, Problem::nowhere(format!("`${{{name}}}` is not `${{x:N}}` with N up to 16777216"))),
            },
            Part::Name(name) => {
                let shown = format!("${{{name}}}");
                match around.vars.map(|vars| vars.value(name)) {
                    Some(Ok(text)) => whole.push_str(&text),
                    Some(Err(problem)) => refuse(&shown, problem.unwrap_or_else(|| Problem::nowhere(format!("`{shown}` has no value")))),
                    None => {
                        let help = "a probe knows `${uuid}`, `${run.id}`, `${x:N}` and what its `setup` captures";
                        refuse(&shown, Problem::nowhere(format!("`{shown}` is captured by nothing before this request")).help(help));
                    }
                }
            }
        }
    }
    sound.then_some(whole)
}

/// N of `x:N`.
pub fn filler(name: &str) -> Option<usize> {
    name.strip_prefix("x:")?.parse().ok().filter(|&n| n <= 16 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::file::{Document, Reading};
    use crate::plan::problem::Problems;
    use crate::plan::source::SourceText;

    fn read(text: &str) -> (Option<ProbeSpec>, Vec<String>) {
        let problems = Problems::new();
        let source = SourceText::new("c", text);
        let document = Document::parse(&source, &problems).expect("TOML");
        let spec = lower(document.root(Reading::new(&problems)).table("probe").expect("a table"));
        (spec, problems.sorted().iter().map(|problem| problem.what.clone()).collect())
    }

    #[test]
    fn a_probe_is_read_with_everything_before_it() {
        let (spec, problems) = read(
            "[probe]\nrequest = \"PATCH /v1/c/${id}\"\njson = { title = \"${uuid}${x:300}\" }\nas = \"weak\"\nrepeat = 2\naccept = [403]\n\
             setup = [{ request = \"POST /v1/c\", json = { title = \"${uuid}\" }, capture = { id = \"json:$.data[0].id\" } }]\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let spec = spec.expect("a probe");
        assert_eq!(spec.setup[0].captures, [("id".to_owned(), Found::Json(vec!["data".into(), "0".into(), "id".into()]))]);
        let ask = spec.request.expect("a request");
        assert_eq!((ask.method.as_str(), ask.target.as_str(), ask.who), ("PATCH", "/v1/c/${id}", Who::Named("weak".into())));
        assert_eq!((spec.repeat, spec.accept.as_slice(), spec.writes), (2, &[403][..], true));
    }

    #[test]
    fn a_burst_needs_no_request_of_its_own() {
        let (spec, problems) = read("probe = { burst = { budget = 200, stop_on = 429 } }\n");
        assert_eq!(problems, Vec::<String>::new());
        let spec = spec.expect("a probe");
        assert_eq!((spec.request, spec.burst), (None, Some(Burst { budget: 200, stop_on: 429, recover: true, tell: false })));
        assert!(!spec.writes);
    }

    #[test]
    fn what_is_wrong_with_a_probe_is_said_all_at_once() {
        let text = "[probe]\nrequest = \"POST v1\"\njson = { a = \"${nobody}\" }\nbody = \"x\"\nrepeat = 0\nburts = 1\n\
                    setup = [{ request = \"GET /${x:99999999999}\", capture = { uuid = \"json:data\" } }]\n";
        let (spec, problems) = read(text);
        assert_eq!(spec, None);
        assert_eq!(problems.len(), 7, "{problems:#?}");
    }
}
