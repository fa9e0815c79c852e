//! `[[fault]]`: which requests are disturbed, when, and how.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::contract::Lowered as ContractLowered;
use super::{Names, distinct, resolve, spread};
use crate::contract::Contract;
use crate::fault::{Effect, Element, FaultRule, Matcher, Per, Respond, RetryAfterForm, Trigger, Window};
use crate::id::{ScenarioIx, ServiceIx};
use crate::plan::Load;
use crate::plan::file::{Table, Value, View};
use crate::plan::problem::Problem;
use crate::seed::Distribution;
use crate::units::{Micros, Offset, Ratio, Size};
use crate::wire::PathPattern;

/// What a fault may refer to.
struct Surroundings<'s> {
    names: &'s Names,
    load: Option<&'s Load>,
    contract: &'s ContractLowered,
    /// The service that the rule's path belongs to, for codes that several services have.
    service: Option<ServiceIx>,
}

/// Reads all rules in file order; `None` for those with problems, whose names count all the same.
pub fn lower(tables: Vec<Table<'_>>, names: &Names, load: Option<&Load>, contract: &ContractLowered) -> Vec<(String, Option<FaultRule>)> {
    let mut seen = Vec::new();
    let one = |table: Table<'_>| {
        let name = table.required("name");
        let text = name.as_ref().and_then(|name| name.string()).unwrap_or_default();
        if let Some(name) = name.filter(|_| !text.is_empty()) {
            distinct(&mut seen, "fault", &text, name.place(), table.problems());
        }
        let rule = rule(&table, &text, Surroundings { names, load, contract, service: None });
        table.finish();
        (text, rule)
    };
    tables.into_iter().map(one).collect()
}

fn rule(table: &Table<'_>, name: &str, mut around: Surroundings<'_>) -> Option<FaultRule> {
    let matcher = match table.table("match") {
        Some(table) => matcher(table, &around),
        None => Some(Matcher::default()),
    };
    if let (ContractLowered::Sound(using), Some(path)) = (around.contract, matcher.as_ref().and_then(|m| m.path.as_ref())) {
        around.service = using.contract.service_of(path.as_str().split(['*', '{']).next().unwrap_or_default());
    }
    let windows = windows(table, &around);
    let delay = table.take("delay").map(|value| spread::lower(&value));
    let effect = effect(table, delay.is_some(), &around);
    let trigger = trigger(table);
    let sequence = matches!(effect, Some(Effect::Sequence(_)));
    let per = trigger.and_then(|trigger| per(table, trigger, sequence));
    for key in ["limiter", "drop_after_upstream"] {
        table.not_yet(key);
    }
    let delay = delay.map_or(Some(None), |delay| delay.map(Some))?;
    let (matcher, windows, trigger, per, effect) = (matcher?, windows?, trigger?, per?, effect?);
    let spec = in_words(&matcher, trigger, delay.as_ref(), &effect, &around);
    Some(FaultRule { name: name.to_owned(), matcher, windows, trigger, per, delay, effect, spec })
}

fn matcher(table: Table<'_>, around: &Surroundings<'_>) -> Option<Matcher> {
    let methods: Vec<Option<Method>> = one_or_many(&table, "method").iter().map(method).collect();
    let path = table.take("path").map(|value| match PathPattern::new(&value.string()?) {
        Ok(pattern) => Some(pattern),
        Err(what) => value.refuse(what, "`*` is one segment, `**` any rest: `/v1/conversations**`"),
    });
    let headers: Vec<Option<(HeaderName, String)>> = table.table("header").iter().flat_map(Table::entries).map(header).collect();
    let names = around.names.scenarios.iter().map(|(name, _)| name.as_str());
    let scenario =
        |value: &Value<'_>| resolve(value.place(), value.problems(), "scenario", &value.string()?, names.clone()).map(ScenarioIx::from);
    let scenarios: Vec<Option<ScenarioIx>> = one_or_many(&table, "scenario").iter().map(scenario).collect();
    table.finish();
    Some(Matcher {
        methods: methods.into_iter().collect::<Option<_>>()?,
        path: path.map_or(Some(None), |path| path.map(Some))?,
        headers: headers.into_iter().collect::<Option<_>>()?,
        scenarios: scenarios.into_iter().collect::<Option<_>>()?,
    })
}

/// The items of an array, or the one value that stands in its place.
pub fn one_or_many<'t>(table: &Table<'t>, key: &'static str) -> Vec<Value<'t>> {
    match table.take(key) {
        Some(value) => match value.view() {
            View::List(items) => items,
            _ => vec![value],
        },
        None => Vec::new(),
    }
}

fn method(value: &Value<'_>) -> Option<Method> {
    let text = value.string()?;
    match text.parse::<Method>() {
        Ok(method) if text.bytes().all(|b| b.is_ascii_uppercase()) => Some(method),
        _ => value.refuse(format!("`{text}` is not a method"), "methods are written in capitals: \"POST\""),
    }
}

fn header((name, value): (String, Value<'_>)) -> Option<(HeaderName, String)> {
    let glob = value.string();
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(header) => Some((header, glob?)),
        Err(_) => value.refuse(format!("`{name}` is not the name of a header"), "write for example `X-Tenant`"),
    }
}

/// `during = { stage, from, for }` or a list of these; the whole run without it.
fn windows(table: &Table<'_>, around: &Surroundings<'_>) -> Option<Vec<Window>> {
    let given = one_or_many(table, "during");
    let end = around.load.and_then(|load| load.stages.last().map(|stage| stage.start + stage.length + load.drain));
    if given.is_empty() {
        return Some(vec![Window { start: Offset::START, end: end? }]);
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
    let (place, problems) = (table.place(), table.problems());
    table.finish();
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
    Some(Window { start: begin + start, end: begin + start + length })
}

fn trigger(table: &Table<'_>) -> Option<Trigger> {
    let (chance, every) = (table.take("chance"), table.take("every"));
    let (first, always) = (table.take("first_attempts"), table.take("always"));
    let given: Vec<&Value<'_>> = [&chance, &every, &first, &always].into_iter().flatten().collect();
    if let [a, b, ..] = given[..] {
        let problem = Problem::at(b.key_place(), format!("a fault has one trigger, and this one has `{}` and `{}`", a.key(), b.key()));
        table.problems().add(problem.also(a.key_place(), "the first one").help("remove one of them"));
        return None;
    }
    if let Some(value) = chance {
        let View::Table(exact) = value.view() else { return value.parsed().map(Trigger::Chance) };
        let share = exact.required("exactly").and_then(|value| value.parsed::<Ratio>());
        exact.finish();
        return share.map(Trigger::Exactly);
    }
    if let Some(value) = every {
        return value.whole(1..=u64::MAX).map(Trigger::Every);
    }
    if let Some(value) = first {
        return value.whole(1..=1_000).map(Trigger::FirstAttempts);
    }
    match always.map(|value| (value.boolean(), value)) {
        Some((Some(false), value)) => value.refuse("a fault that never fires", "remove `always`, or the fault"),
        Some((None, _)) => None,
        _ => Some(Trigger::Always),
    }
}

fn per(table: &Table<'_>, trigger: Trigger, sequence: bool) -> Option<Per> {
    let by_exchange = sequence || matches!(trigger, Trigger::Exactly(_) | Trigger::FirstAttempts(_));
    let Some(value) = table.take("per") else {
        return Some(if by_exchange { Per::Exchange } else { Per::Attempt });
    };
    let words = [("attempt", Per::Attempt), ("exchange", Per::Exchange), ("route", Per::Route), ("global", Per::Global)];
    match value.one_of(&words)? {
        per if by_exchange && per != Per::Exchange => value.refuse(
            "a sequence, an exact share and `first_attempts` are drawn per exchange",
            "write `per = \"exchange\"`, or leave it out",
        ),
        per => Some(per),
    }
}

fn effect(table: &Table<'_>, delayed: bool, around: &Surroundings<'_>) -> Option<Effect> {
    let given = ["respond", "reset", "cut", "sequence"].map(|key| table.take(key));
    let all: Vec<&Value<'_>> = given.iter().flatten().collect();
    if let [a, b, ..] = all[..] {
        let problem = Problem::at(b.key_place(), format!("a fault has one effect, and this one has `{}` and `{}`", a.key(), b.key()));
        table.problems().add(problem.also(a.key_place(), "the first one").help("write two faults, or a `sequence`"));
        return None;
    }
    match given {
        [Some(value), ..] => value.table().and_then(|table| respond(table, around)).map(Effect::Respond),
        [_, Some(value), ..] => after(&value).map(|after| Effect::Reset { after }),
        [_, _, Some(value), _] => after(&value).map(|after| Effect::Cut { after }),
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
        let words = [("pass", Element::Pass), ("reset", Element::Reset { after: Size(0) }), ("cut", Element::Cut { after: Size(0) })];
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
        [] => respond(table, around).map(Element::Respond),
        [kind] => {
            let element = table.take(kind).and_then(|value| match kind {
                "delay" => spread::lower(&value).map(Element::Delay),
                "reset" => after(&value).map(|after| Element::Reset { after }),
                _ => after(&value).map(|after| Element::Cut { after }),
            });
            table.finish();
            element
        }
        _ => value.refuse("an element of a sequence has one effect", "split it into several elements"),
    }
}

/// `{ error, retry_after, retry_after_form }` or `{ status, headers, body }`.
fn respond(table: Table<'_>, around: &Surroundings<'_>) -> Option<Respond> {
    let respond = match (table.take("error"), table.take("status")) {
        (Some(error), None) => documented(&table, &error, around),
        (None, Some(status)) => literal(&table, &status),
        _ => {
            let problem = Problem::at(table.place(), "an injected answer is an `error` of the contract or a `status`");
            table
                .problems()
                .add(problem.help("{ error = \"CODE\", retry_after = \"2s\" } or { status = 503, headers = {…}, body = \"…\" }"));
            None
        }
    };
    table.finish();
    respond
}

fn documented(table: &Table<'_>, error: &Value<'_>, around: &Surroundings<'_>) -> Option<Respond> {
    let retry_after = table.take("retry_after").map(|value| match value.parsed::<Micros>()? {
        wait if wait.0 % 1_000_000 != 0 => {
            value.refuse(format!("`Retry-After` counts whole seconds, and this is {wait}"), "write for example `2s`")
        }
        wait => Some(wait),
    });
    let forms = [("seconds", RetryAfterForm::Seconds), ("date", RetryAfterForm::Date)];
    let retry_after_form = table.one_of("retry_after_form", &forms).unwrap_or_default();
    let name = error.string()?;
    let using = match around.contract {
        ContractLowered::Sound(using) => using,
        ContractLowered::Broken => return None,
        ContractLowered::Absent => {
            return error.refuse(
                "an error is injected by its name in the contract, and the plan names no contract",
                "add [contract], or write { status = … }",
            );
        }
    };
    let row = match using.contract.row_named(&name, around.service) {
        Ok(row) => row,
        Err(candidates) => {
            let contract = &using.contract.name;
            let ambiguous = candidates.iter().any(|candidate| candidate.ends_with(&format!("/{name}")) || *candidate == name);
            let problem = match ambiguous {
                true => error
                    .problem(format!("the contract `{contract}` has several errors `{name}`"))
                    .help(format!("say which: {}", candidates.join(", "))),
                false if name == "*" => error
                    .problem("a row for any code is named by its key")
                    .help("write `service/operation/status/*`, as the contract's report and `*/*/5xx/*` have it"),
                false => {
                    error.problem(format!("the contract `{contract}` has no error `{name}`")).did_you_mean(&name, codes(&using.contract))
                }
            };
            error.problems().add(problem);
            return None;
        }
    };
    if let Some(why) = using.contract.why_not_composed(row) {
        return error.refuse(
            format!("no answer can be made for `{name}` that fits its schema: {why}"),
            "give the schema `examples`, or write { status = …, headers = {…}, body = \"…\" }",
        );
    }
    Some(Respond::Error { row, retry_after: retry_after.map_or(Some(None), |wait| wait.map(Some))?, retry_after_form })
}

fn codes(contract: &Contract) -> impl Iterator<Item = &str> {
    let mut codes: Vec<&str> = contract.rows.iter().filter(|row| !row.any_code).map(|row| row.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.into_iter()
}

fn literal(table: &Table<'_>, status: &Value<'_>) -> Option<Respond> {
    let status = status.whole(200..=599);
    let body = table.string("body").unwrap_or_default().into_bytes();
    let mut headers = HeaderMap::new();
    let mut sound = true;
    for (name, value) in table.table("headers").iter().flat_map(Table::entries) {
        let text = value.string();
        let pair = text.as_ref().and_then(|text| Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(text).ok()?)));
        match pair {
            Some((name, value)) => _ = headers.append(name, value),
            None => {
                sound = false;
                if text.is_some() {
                    value.refuse::<()>(format!("`{name}` cannot be sent as a header"), "names are tokens, values stand on one line");
                }
            }
        }
    }
    let status = status?;
    sound.then_some(Respond::Literal { status, headers, body })
}

/// `30 % of POST /v1/conversations**: RATE_LIMIT_EXCEEDED, Retry-After 2 s`
fn in_words(matcher: &Matcher, trigger: Trigger, delay: Option<&Distribution>, effect: &Effect, around: &Surroundings<'_>) -> String {
    let mut what: Vec<String> = delay.iter().map(|delay| format!("delay {}", spread::in_words(delay))).collect();
    match effect {
        Effect::DelayOnly => {}
        Effect::Respond(respond) => what.push(respond_in_words(respond, around)),
        Effect::Reset { after } => what.push(cut_in_words("reset", *after)),
        Effect::Cut { after } => what.push(cut_in_words("cut", *after)),
        Effect::Sequence(elements) => {
            let words = elements.iter().map(|element| match element {
                Element::Pass => "pass".to_owned(),
                Element::Respond(respond) => respond_in_words(respond, around),
                Element::Reset { after } => cut_in_words("reset", *after),
                Element::Cut { after } => cut_in_words("cut", *after),
                Element::Delay(delay) => format!("delay {}", spread::in_words(delay)),
            });
            what.push(words.collect::<Vec<_>>().join(" → "));
        }
    }
    let share = match trigger {
        Trigger::Always => "all".to_owned(),
        Trigger::Chance(share) => share.to_string(),
        Trigger::Exactly(share) => format!("exactly {share}"),
        Trigger::Every(n) => format!("every {n}th"),
        Trigger::FirstAttempts(n) => format!("the first {n} attempts"),
    };
    let methods = matcher.methods.iter().map(Method::as_str).collect::<Vec<_>>().join("|");
    let path = matcher.path.as_ref().map_or("", PathPattern::as_str);
    let scenarios = matcher.scenarios.iter().map(|ix| around.names.scenarios[ix.at()].0.as_str()).collect::<Vec<_>>().join("|");
    let of: Vec<&str> = [methods.as_str(), path, scenarios.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
    let of = if of.is_empty() { "requests".to_owned() } else { of.join(" ") };
    format!("{share} of {of}: {}", what.join(", "))
}

fn respond_in_words(respond: &Respond, around: &Surroundings<'_>) -> String {
    match (respond, around.contract) {
        (Respond::Error { row, retry_after, .. }, ContractLowered::Sound(using)) => {
            let row = &using.contract.rows[row.at()];
            let hint = retry_after.map(|wait| format!(", Retry-After {wait}")).unwrap_or_default();
            if row.any_code { format!("{}{hint}", row.status) } else { format!("{} {}{hint}", row.status, row.code) }
        }
        (Respond::Error { .. }, _) => "an error".to_owned(),
        (Respond::Literal { status, .. }, _) => status.to_string(),
    }
}

fn cut_in_words(verb: &str, after: Size) -> String {
    if after == Size(0) { verb.to_owned() } else { format!("{verb} after {after}") }
}
