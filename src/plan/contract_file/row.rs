//! `[[error]]`: one documented error each.

use std::collections::{HashMap, HashSet};

use super::envelope::Envelopes;
use super::example::{self, Shown};
use super::operation::{operation, statuses};
use super::service::service_ix;
use super::waiver::said;
use super::{MOST, probe, source_of};
use crate::contract::{Operation, Provoke, RetryClass, Row, Service, Statuses};
use crate::id::RowIx;
use crate::plan::file::{Table, Value, View};
use crate::plan::problem::{Place, Problem};

const RETRY: [(&str, RetryClass); 6] = [
    ("never", RetryClass::Never),
    ("follow", RetryClass::Follow),
    ("after-change", RetryClass::AfterChange),
    ("after-refresh-once", RetryClass::AfterRefreshOnce),
    ("after-header", RetryClass::AfterHeader),
    ("backoff", RetryClass::Backoff),
];

/// The documented errors, in file order, with the examples that they show.
pub(super) fn rows(root: &Table<'_>, services: &[Service], envelopes: &Envelopes<'_>) -> (Vec<Row>, Vec<Shown>) {
    let tables = root.tables("error");
    if let Some(table) = tables.get(MOST) {
        table.problems().add(Problem::at(table.place(), format!("more than {MOST} errors")).help("split the contract"));
    }
    let mut seen: HashMap<String, Place> = HashMap::new();
    let (mut rows, mut examples) = (Vec::new(), Vec::new());
    for table in tables.into_iter().take(MOST) {
        let (place, problems) = (table.place(), table.problems());
        let Some((row, example)) = row(table, services, envelopes) else { continue };
        if let Some(first) = seen.get(&row.key) {
            let problem = Problem::at(place, format!("{} {} is documented twice [Q02]", row.statuses, row.code));
            problems.add(problem.also(first.clone(), "first here").help("remove one, or give it a service or an operation"));
            continue;
        }
        seen.insert(row.key.clone(), place);
        examples.extend(example.map(|example| example.in_row(RowIx::from(rows.len()))));
        rows.push(row);
    }
    mark_generic(&mut rows);
    (rows, examples)
}

fn row(table: Table<'_>, services: &[Service], envelopes: &Envelopes<'_>) -> Option<(Row, Option<Shown>)> {
    let service = table.take("service").map(|value| service_ix(&value, services));
    let operation = table.take("operation").map(|value| operation(&value));
    let statuses = table.required("status").and_then(|value| statuses(&value, 400));
    let code = table.take("code").map(|value| code(&value));
    let meaning = table.string("meaning");
    let retry = table.one_of("retry", &RETRY);
    let probe = table.table("probe").map(probe::lower);
    let provoke = provoke(&table, probe.is_some());
    let excluded = table.take("excluded").and_then(|value| said(&value, "say why it is out of scope: the report shows it"));
    let deviation = table.take("deviation").and_then(|value| said(&value, "say from what it deviates: the report shows it"));
    let named = table.take("envelope").map(|value| (value.string().unwrap_or_default(), envelopes.named(&value)));
    let (envelope, base) = named.unwrap_or_else(|| {
        let (name, clauses) = envelopes.first();
        (name, Some(clauses))
    });
    let mut clauses = base.map(|base| (*base).clone()).unwrap_or_default();
    clauses.refine(&table, envelopes.schemas());
    let source = source_of(&table.place());
    let example = table.table("example").and_then(|example| example::of_row(example, statuses));
    table.finish();

    let service = service.map_or(Some(None), |named| named.map(Some))?;
    let operation = operation.map_or(Some(None), |named| named.map(Some))?;
    let (statuses, code) = (statuses?, code.map_or(Some(None), |code| code.map(Some))?);
    let status = statuses.example();
    let row = Row {
        key: key(service.map(|service| &services[service.at()]), operation.as_ref(), statuses, code.as_deref()),
        service,
        operation,
        statuses,
        status,
        meaning: meaning.unwrap_or_else(|| code.as_deref().map_or_else(|| usual_meaning(statuses), words_of)),
        retry: retry.unwrap_or_else(|| usual_retry(statuses)),
        envelope: clauses.settle(&envelope, status, code.as_deref().unwrap_or("")),
        provoke,
        probe: probe.flatten(),
        excluded,
        deviation,
        generic: false,
        source,
        any_code: code.is_none(),
        code: code.unwrap_or_else(|| "*".to_owned()),
    };
    let example = example.map(|example| example.of_service(row.service));
    Some((row, example))
}

/// `service/operation/status/code`, `*` where unspecified.
fn key(service: Option<&Service>, operation: Option<&Operation>, statuses: Statuses, code: Option<&str>) -> String {
    let service = service.map_or("*", |service| service.id.as_str());
    let operation = operation.map_or_else(|| "*".to_owned(), Operation::to_string);
    format!("{service}/{operation}/{statuses}/{}", code.unwrap_or("*"))
}

fn code(value: &Value<'_>) -> Option<String> {
    let code = value.string()?;
    match code.trim() {
        "" | "*" => value.refuse("`code` names one error code", "leave `code` out for any code"),
        _ => Some(code),
    }
}

fn words_of(code: &str) -> String {
    code.to_lowercase().replace('_', " ")
}

fn usual_meaning(statuses: Statuses) -> String {
    match statuses {
        Statuses::Default => "any other error".to_owned(),
        _ => format!("an error with status {statuses}"),
    }
}

/// What a status says about repeating the request, where the contract says nothing.
///
/// Source: RFC 6585 §4 and RFC 9110 §15.6.4 for 429 and 503, which may say when to come back; §15.5.9 for 408; RFC 8470 §5.2
/// for 425.
fn usual_retry(statuses: Statuses) -> RetryClass {
    match statuses {
        Statuses::Exact(429 | 503) => RetryClass::AfterHeader,
        Statuses::Exact(408 | 425 | 500..) | Statuses::Class(5..) => RetryClass::Backoff,
        _ => RetryClass::AfterChange,
    }
}

/// How a row can be provoked: a word, or the name of the rule or hook that does it; a `probe` says it, too.
fn provoke(table: &Table<'_>, has_probe: bool) -> Option<Provoke> {
    const HELP: &str = "write `\"probe\"`, `\"fault\"`, `\"hook\"`, `\"none\"`, `{ fault = \"NAME\" }` or `{ hook = \"NAME\" }`";
    let Some(value) = table.take("provoke") else { return has_probe.then_some(Provoke::Probe) };
    let View::Table(way) = value.view() else {
        let words =
            [("probe", &Provoke::Probe), ("fault", &Provoke::Fault(None)), ("hook", &Provoke::Hook(None)), ("none", &Provoke::None)];
        return value.one_of(&words).cloned();
    };
    let name = |key| way.take(key).map(|value| said(&value, "name the plan's fault rule or hook"));
    let (fault, hook) = (name("fault"), name("hook"));
    let one = (fault.is_some() || hook.is_some()) && !(fault.is_some() && hook.is_some());
    way.finish();
    match (fault, hook) {
        _ if !one => value.refuse("`provoke` says in one way how the error comes about", HELP),
        (Some(name), _) => name.map(|name| Provoke::Fault(Some(name))),
        (_, name) => name.flatten().map(|name| Provoke::Hook(Some(name))),
    }
}

/// A general row is specialised where a service or an operation documents the same code.
fn mark_generic(rows: &mut [Row]) {
    let is_general = |row: &Row| row.service.is_none() && row.operation.is_none();
    let special: HashSet<String> = rows.iter().filter(|row| !is_general(row) && !row.any_code).map(|row| row.code.clone()).collect();
    for row in rows.iter_mut().filter(|row| is_general(row)) {
        row.generic = special.contains(&row.code);
    }
}
