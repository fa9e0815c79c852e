//! A contract file → [`Contract`], or every problem in it.
//!
//! A contract is a document of its own, reviewed with the API and not with the load. Its parts, in the order in which
//! they are read: services (whose errors), envelopes (shapes that errors share), errors (one row for each documented
//! pair of status and code), examples, and the part of the embedded target. An envelope may extend one above it, and a
//! row may refine its envelope; a refinement names only the keys that differ.

mod clause;
mod example;
pub mod probe;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use self::clause::Clauses;
use super::file::{Document, Reading, Table, Value, View};
use super::problem::{Place, Problem, Problems};
use super::source::SourceText;
use crate::contract::{Contract, Envelope, Field, Header, Provoke, RetryClass, Role, Row, Service, Source, Statuses, UnknownFields};
use crate::id::ServiceIx;
use crate::wire::PathPattern;

/// Rows and services at most: indices are 16 bits, and no API documents more.
const MOST: usize = 10_000;

/// The contract that is compiled in, so that an installed binary needs no checkout: its file name and text.
const SHIPPED: (&str, &str) = ("jan-server.toml", include_str!("../../plans/contracts/jan-server.toml"));

const RETRY: [(&str, RetryClass); 6] = [
    ("never", RetryClass::Never),
    ("follow", RetryClass::Follow),
    ("after-change", RetryClass::AfterChange),
    ("after-refresh-once", RetryClass::AfterRefreshOnce),
    ("after-header", RetryClass::AfterHeader),
    ("backoff", RetryClass::Backoff),
];

/// Lowers the text of a contract file. `None` where it has problems, which are in `problems` then.
pub fn lower(source: &Arc<SourceText>, problems: &Problems) -> Option<Contract> {
    let before = problems.errors();
    let document = Document::parse(source, problems)?;
    let contract = root(document.root(Reading::new(problems)), source);
    if problems.errors() == before { contract } else { None }
}

/// Reads a contract file; where there is none, the contract of that name that is compiled in.
///
/// # Errors
/// All problems of the file at once.
pub fn load(path: &Path) -> Result<Contract, Problems> {
    let problems = Problems::new();
    let shown = path.display().to_string();
    let built_in = || {
        let name = if path.extension().is_some() { shown.clone() } else { format!("{shown}.toml") };
        shipped(&name).filter(|_| !path.exists()).map(|text| SourceText::new(&format!("{name} (built in)"), text))
    };
    let source = match SourceText::read(path, &shown) {
        Ok(source) => Some(source),
        Err(why) => built_in().or_else(|| {
            let problem = Problem::nowhere(format!("the contract file `{shown}`: {why}"));
            problems.add(problem.help(format!("name a contract file, or the one that is built in: `{}`", SHIPPED.0)));
            None
        }),
    };
    match source.and_then(|source| lower(&source, &problems)) {
        Some(contract) if problems.errors() == 0 => Ok(contract),
        _ => Err(problems),
    }
}

/// The text of a contract that is compiled in, by its file name (`contracts/NAME.toml`, or its last part).
pub fn shipped(file: &str) -> Option<&'static str> {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    (name == SHIPPED.0).then_some(SHIPPED.1)
}

/// The file name of the contract that is compiled in: what is served where nobody names a contract.
pub fn shipped_name() -> &'static str {
    SHIPPED.0
}

fn root(root: Table<'_>, source: &Arc<SourceText>) -> Option<Contract> {
    let name = root.required("name").and_then(|value| value.string());
    let version = root.string("version").unwrap_or_default();
    let unknown_fields = root.one_of(
        "unknown_fields",
        &[("allowed", UnknownFields::Allowed), ("info", UnknownFields::Info), ("violation", UnknownFields::Violation)],
    );
    let lint = root.one_of("examples", &[("lint", true), ("ignore", false)]).unwrap_or(true);
    let other_statuses = root.list("other_statuses").iter().filter_map(|status| status.whole(100..=599)).collect();
    root.not_yet("import");
    root.not_yet("waiver");
    let services = services(&root);
    let every_answer = every_answer(&root);
    let envelopes = envelopes(&root, &every_answer);
    let errors = root.tables("error");
    let rows = rows(&errors, &services, &envelopes);
    let shown = example::examples(&root, &errors, &services);
    errors.into_iter().for_each(Table::finish);
    let server = root.table("server");
    root.finish();

    let base = ("standard".to_owned(), Clauses::default());
    let drafts = if envelopes.is_empty() { vec![base] } else { envelopes };
    let mut contract = Contract {
        name: name?,
        version,
        source: Source { file: source.name().to_owned(), line: 1 },
        services: services.into_iter().map(|(service, _)| service).collect(),
        envelopes: drafts.iter().map(|(name, clauses)| clauses.settle(name, 0, "")).collect(),
        rows,
        other_statuses,
        every_answer: every_answer.settle("", 0, "").headers,
        examples: Vec::new(),
        unknown_fields: unknown_fields.unwrap_or(UnknownFields::Allowed),
        waivers: Vec::new(),
        operations: Vec::new(),
        forbidden_texts: Vec::new(),
        server: None,
    };
    mark_generic(&mut contract.rows);
    example::attach(&mut contract, shown, lint);
    // Resolved last: it names rows and services.
    contract.server = server.and_then(|table| super::server_file::lower(table, &contract)).map(Arc::new);
    Some(contract)
}

/// Services with the place of each.
fn services(root: &Table<'_>) -> Vec<(Service, Place)> {
    let Some(table) = root.table("service") else { return Vec::new() };
    let entries = table.entries();
    if let Some((_, value)) = entries.get(MOST) {
        value.refuse::<()>(format!("more than {MOST} services"), "split the contract");
    }
    entries.into_iter().take(MOST).filter_map(|(id, value)| service(id, &value)).collect()
}

fn service(id: String, value: &Value<'_>) -> Option<(Service, Place)> {
    let table = value.table()?;
    let title = table.string("title").unwrap_or_else(|| id.clone());
    table.not_yet("when");
    table.not_yet("envelope");
    let mut paths = Vec::new();
    if let Some(matching) = table.required("match").and_then(|value| value.table()) {
        matching.not_yet("host");
        if let Some(value) = matching.required("path") {
            paths = one_or_more(&value).iter().filter_map(path).collect();
        }
        matching.finish();
    }
    table.finish();
    Some((Service { id, title, paths, hosts: Vec::new(), when: None, envelope: None, gateway: false }, value.key_place()))
}

fn path(value: &Value<'_>) -> Option<PathPattern> {
    match PathPattern::new(&value.string()?) {
        Ok(pattern) => Some(pattern),
        Err(said) => value.refuse(said, "a path pattern is `/v1/**` or `/v1/*/items`"),
    }
}

/// A value alone stands for a list of one.
fn one_or_more<'t>(value: &Value<'t>) -> Vec<Value<'t>> {
    match value.view() {
        View::List(items) => items,
        _ => vec![value.clone()],
    }
}

/// What is asked for on every answer, successes included.
fn every_answer(root: &Table<'_>) -> Clauses {
    let mut clauses = Clauses::default();
    if let Some(table) = root.table("every_answer") {
        clauses.read_headers(&table);
        table.finish();
    }
    clauses
}

/// Envelopes in file order, each with what it inherits.
fn envelopes(root: &Table<'_>, every_answer: &Clauses) -> Vec<(String, Clauses)> {
    let mut drafts: Vec<(String, Clauses)> = Vec::new();
    let Some(table) = root.table("envelope") else { return drafts };
    for (name, value) in table.entries() {
        let Some(table) = value.table() else { continue };
        table.not_yet("schema");
        let mut clauses = match table.take("extends") {
            Some(base) => named(&base, &drafts).cloned().unwrap_or_else(|| every_answer.clone()),
            None => every_answer.clone(),
        };
        clauses.read(&table);
        table.finish();
        drafts.push((name, clauses));
    }
    drafts
}

fn named<'d>(value: &Value<'_>, drafts: &'d [(String, Clauses)]) -> Option<&'d Clauses> {
    let name = value.string()?;
    let found = drafts.iter().find(|(known, _)| *known == name).map(|(_, clauses)| clauses);
    if found.is_none() {
        let problem = value.problem(format!("there is no envelope `{name}` above this line"));
        value.problems().add(problem.did_you_mean(&name, drafts.iter().map(|(known, _)| known.as_str())));
    }
    found
}

fn rows(errors: &[Table<'_>], services: &[(Service, Place)], envelopes: &[(String, Clauses)]) -> Vec<Row> {
    if let Some(table) = errors.get(MOST) {
        table.problems().add(Problem::at(table.place(), format!("more than {MOST} errors")).help("split the contract"));
    }
    let mut seen: HashMap<(Option<ServiceIx>, u16, String), Place> = HashMap::new();
    let mut rows = Vec::new();
    for table in errors.iter().take(MOST) {
        let Some(row) = row(table, services, envelopes) else { continue };
        match seen.insert((row.service, row.status, row.code.clone()), table.place()) {
            None => rows.push(row),
            Some(first) => {
                let what = format!("{} {} is documented twice", row.status, row.code);
                table.problems().add(Problem::at(table.place(), what).also(first, "first here").help("remove one, or give it a service"));
            }
        }
    }
    rows
}

fn row(table: &Table<'_>, services: &[(Service, Place)], envelopes: &[(String, Clauses)]) -> Option<Row> {
    let service = table.take("service").map(|value| service_ix(&value, services));
    table.not_yet("operation");
    let status = table.required("status").and_then(|value| status(&value));
    let code = table.required("code").and_then(|value| value.string());
    let meaning = table.string("meaning");
    let retry = table.one_of("retry", &RETRY);
    let provoke = provoke(table);
    let probe = table.table("probe").map(probe::lower);
    let deviation = table.string("deviation");
    let base = table.take("envelope").map(|value| (value.string(), named(&value, envelopes).cloned()));
    let (envelope, base) = match base {
        Some((name, clauses)) => (name.unwrap_or_default(), clauses),
        None => envelopes
            .first()
            .map(|(name, clauses)| (name.clone(), Some(clauses.clone())))
            .unwrap_or(("standard".to_owned(), Some(Clauses::default()))),
    };
    let mut clauses = base.unwrap_or_default();
    clauses.refine(table);
    // Read by `example`, later: it must be known which row it belongs to.
    let _ = table.take("example");
    let service = match service {
        Some(named) => Some(named?),
        None => None,
    };
    let (status, code) = (status?, code?);
    let place = service.map_or("*", |service| services[service.at()].0.id.as_str());
    Some(Row {
        key: format!("{place}/*/{status}/{code}"),
        service,
        operation: None,
        statuses: Statuses::Exact(status),
        status,
        any_code: false,
        meaning: meaning.unwrap_or_else(|| code.to_lowercase().replace('_', " ")),
        retry: retry.unwrap_or(if status < 500 { RetryClass::AfterChange } else { RetryClass::Backoff }),
        envelope: clauses.settle(&envelope, status, &code),
        provoke,
        probe: probe.flatten(),
        excluded: None,
        deviation,
        generic: false,
        source: source_of(&table.place()),
        code,
    })
}

/// The status of an error. Classes (`"5xx"`) are for a later version.
fn status(value: &Value<'_>) -> Option<u16> {
    match value.view() {
        View::Integer(_) => value.whole(400..=599),
        _ => value.refuse(
            "`status` must be a whole number from 400 to 599",
            "write one row for each status; classes are not supported in this version",
        ),
    }
}

fn service_ix(value: &Value<'_>, services: &[(Service, Place)]) -> Option<ServiceIx> {
    let id = value.string()?;
    let found = services.iter().position(|(service, _)| service.id == id).map(ServiceIx::from);
    if found.is_none() {
        let problem = value.problem(format!("there is no service `{id}`"));
        value.problems().add(problem.did_you_mean(&id, services.iter().map(|(service, _)| service.id.as_str())));
    }
    found
}

/// How a row can be provoked: a word, or the name of the rule or hook that does it.
fn provoke(table: &Table<'_>) -> Option<Provoke> {
    const HELP: &str = "write `\"probe\"`, `\"fault\"`, `\"hook\"`, `\"none\"`, `{ fault = \"NAME\" }` or `{ hook = \"NAME\" }`";
    let probe = table.has("probe").then_some(Provoke::Probe);
    let Some(value) = table.take("provoke") else { return probe };
    let View::Table(way) = value.view() else {
        let words =
            [("probe", &Provoke::Probe), ("fault", &Provoke::Fault(None)), ("hook", &Provoke::Hook(None)), ("none", &Provoke::None)];
        return value.one_of(&words).cloned();
    };
    let (fault, hook) = (way.string("fault"), way.string("hook"));
    way.finish();
    match (fault, hook) {
        (Some(name), None) => Some(Provoke::Fault(Some(name))),
        (None, Some(name)) => Some(Provoke::Hook(Some(name))),
        _ => value.refuse("`provoke` says in one way how the error comes about", HELP),
    }
}

/// A general row is specialised where a service documents the same code.
fn mark_generic(rows: &mut [Row]) {
    let special: Vec<String> = rows.iter().filter(|row| row.service.is_some()).map(|row| row.code.clone()).collect();
    for row in rows.iter_mut().filter(|row| row.service.is_none()) {
        row.generic = special.contains(&row.code);
    }
}

/// File and line of a place, as contracts keep them for every clause.
fn source_of(place: &Place) -> Source {
    place.source.source_of(&place.span)
}

/// A member named `code` or `message` has the role of that name, unless the file gives the role to another.
fn usual_roles(fields: &mut [Field]) {
    for (name, role) in [("code", Role::Code), ("message", Role::Message)] {
        let taken = fields.iter().any(|field| field.role == Some(role) || field.fields.iter().any(|inner| inner.role == Some(role)));
        if !taken && let Some(field) = fields.iter_mut().find(|field| field.name == name && field.role.is_none()) {
            field.role = Some(role);
        }
    }
}

/// An envelope with its usual roles.
fn settled(name: &str, content_type: &str, closed: bool, mut fields: Vec<Field>, headers: Vec<Header>, source: Source) -> Envelope {
    usual_roles(&mut fields);
    Envelope { name: name.to_owned(), content_type: content_type.to_owned(), fields, headers, schema: None, closed, source }
}
