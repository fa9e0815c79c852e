//! A contract file → [`Contract`], or every problem in it.
//!
//! A contract is a document of its own, reviewed with the API and not with the load. Its parts, in the order in which
//! they are read: envelopes (shapes that errors share), services (whose errors), operations, errors (one row for each
//! documented pair of status and code), examples, waivers, and the part of the embedded target. An envelope may extend
//! one above it or a ready one, and a row may refine its envelope; a refinement names only the keys that differ.

mod clause;
mod envelope;
mod example;
mod operation;
pub mod probe;
mod row;
mod schema;
mod service;
mod waiver;

use std::path::Path;
use std::sync::Arc;

use regex::Regex;

use self::clause::Clauses;
use self::envelope::Envelopes;
use self::operation::operations;
use self::row::rows;
use self::schema::Schemas;
use self::service::services;
use self::waiver::waivers;
use super::file::{Document, Reading, Table, Value, View};
use super::problem::{Place, Problem, Problems};
use super::source::SourceText;
use crate::contract::{Contract, Deviation, Index, Source, UnknownFields};

/// Rows and services at most: indices are 16 bits, and no API documents more.
const MOST: usize = 10_000;

/// The contract that is compiled in, so that an installed binary needs no checkout: its file name and text.
const SHIPPED: (&str, &str) = ("jan-server.toml", include_str!("../../plans/contracts/jan-server.toml"));

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

/// Whether a file is a contract where a plan is expected: it documents errors, and asks for no load. What cannot be read is
/// none.
pub fn is_one(path: &Path) -> bool {
    let text = SourceText::read(path, "").ok();
    text.is_some_and(|source| Document::parse(&source, &Problems::new()).is_some_and(|document| is_contract(&document)))
}

/// The same of a document that has been read.
pub(super) fn is_contract(document: &Document<'_>) -> bool {
    let problems = Problems::new();
    let root = document.root(Reading::new(&problems));
    let any = |keys: &[&str]| keys.iter().any(|key| root.has(key));
    any(&["error", "envelope", "operation"]) && !any(&["plan", "target", "scenario", "load"])
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
    imported(&root);
    let every_answer = every_answer(&root);
    let schemas = Schemas::default();
    let envelopes = Envelopes::read(&root, every_answer.clone(), &schemas);
    let services = services(&root, &envelopes);
    let operations = operations(&root, &services);
    let (rows, mut shown) = rows(&root, &services, &envelopes);
    shown.extend(example::examples(&root, &services));
    let deviations = deviations(&root);
    let waivers = waivers(&root);
    let forbidden_texts = forbidden_texts(&root);
    let leaks_allowed = leaks_allowed(&root);
    let server = root.table("server");
    root.finish();

    let mut contract = Contract {
        name: name?,
        version,
        source: Source { file: source.name().to_owned(), line: 1 },
        services,
        envelopes: envelopes.settled(),
        rows,
        other_statuses,
        every_answer: every_answer.settle("", 0, "").headers,
        examples: Vec::new(),
        unknown_fields: unknown_fields.unwrap_or(UnknownFields::Allowed),
        deviations,
        waivers,
        operations,
        forbidden_texts,
        leaks_allowed,
        server: None,
        index: Index::default(),
    };
    contract.reindex();
    example::attach(&mut contract, shown, lint);
    // Resolved last: it names rows and services.
    contract.server = server.and_then(|table| super::server_file::lower(table, &contract)).map(Arc::new);
    Some(contract)
}

/// What a specification says is reviewed before it is held against anybody: it comes in as a contract file.
fn imported(root: &Table<'_>) {
    if let Some(value) = root.take("import") {
        let problem = Problem::at(value.key_place(), "a contract does not read specifications while it is loaded");
        let help = "run `brownout import openapi SPEC --out contracts/FILE.toml`, review what it wrote, and name that file in the plan";
        value.problems().add(problem.help(help));
    }
}

/// `[deviation]`: statuses that are used otherwise than HTTP means them.
fn deviations(root: &Table<'_>) -> Vec<Deviation> {
    let Some(table) = root.table("deviation") else { return Vec::new() };
    let mut deviations = Vec::new();
    for (status, value) in table.entries() {
        let reason = waiver::said(&value, "say from what it deviates: the report shows it");
        match status.parse::<u16>().ok().filter(|status| (100..=599).contains(status)) {
            Some(status) => deviations.extend(reason.map(|reason| Deviation { status, reason, source: source_of(&value.key_place()) })),
            None => {
                let problem = Problem::at(value.key_place(), format!("`{status}` is no status"));
                value.problems().add(problem.help("write `206 = \"pages, not ranges: RFC 9110 §15.3.7\"`"));
            }
        }
    }
    deviations
}

/// `[stream] must_not_match`: what no success may say.
fn forbidden_texts(root: &Table<'_>) -> Vec<Regex> {
    let Some(table) = root.table("stream") else { return Vec::new() };
    let texts = table.required("must_not_match").map(|value| one_or_more(&value)).unwrap_or_default();
    table.finish();
    texts.iter().filter_map(clause::compiled).collect()
}

/// `[leaks] allow`: texts that look like leaks and are none.
fn leaks_allowed(root: &Table<'_>) -> Vec<String> {
    let Some(table) = root.table("leaks") else { return Vec::new() };
    let allowed = table.required("allow").map(|value| one_or_more(&value)).unwrap_or_default();
    table.finish();
    allowed.iter().filter_map(Value::string).filter(|text| !text.is_empty()).collect()
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

/// Offers the nearest of the known words; not for the thousandth problem of a hostile document.
fn suggest<'k>(value: &Value<'_>, problem: Problem, word: &str, known: impl IntoIterator<Item = &'k str>) {
    const PROBLEMS: usize = 200;
    const WORDS: usize = 2_000;
    let problem = if value.problems().errors() < PROBLEMS { problem.did_you_mean(word, known.into_iter().take(WORDS)) } else { problem };
    value.problems().add(problem);
}

/// File and line of a place, as contracts keep them for every clause.
fn source_of(place: &Place) -> Source {
    place.source.source_of(&place.span)
}
