//! How good a document is at saying what its errors look like: counts, and the places of what it leaves open.
//!
//! The report says what is there to be seen, and judges nothing: an API may well have no 429. As text it is one line and
//! a table; as JSON it has the places, too.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

pub use super::defect::Kind;

use super::defect::{Defect, KINDS};
use super::fold::Folded;
use super::roles;
use super::spec::{Answer, Api, Body, Operation, Status};
use super::{schema, words};
use crate::contract::Role;

/// Places that are kept of one kind.
const KEPT: usize = 20;
/// Places that the text shows of one kind.
const SHOWN: usize = 2;

/// What a document says about errors, and what it leaves open.
#[derive(Clone, Debug, Serialize)]
pub struct Quality {
    /// The document's file name.
    pub document: String,
    pub title: String,
    pub version: String,
    /// `OpenAPI 3.0.3`
    pub written_as: String,
    pub operations: usize,
    /// Pairs of an operation and an error status, classes and `default` included.
    pub error_responses: usize,
    /// Of those: without a schema of their own.
    pub untyped: usize,
    /// Headers declared on error responses, each time counted.
    pub headers: usize,
    /// Of those: required.
    pub required_headers: usize,
    /// Members that error schemas require, each schema counted once.
    pub required_members: usize,
    /// Distinct error schemas.
    pub schemas: usize,
    /// Distinct shapes of errors: members and their types, whatever their rules.
    pub shapes: usize,
    /// Distinct error codes, enumerated or shown in examples.
    pub codes: usize,
    /// Rows that the contract has.
    pub entries: usize,
    /// Statuses in use, with how many operations document each.
    pub statuses: BTreeMap<String, usize>,
    /// What is left open or wrong, by kind; kinds that were not met are left out.
    pub defects: Vec<Found>,
}

/// All defects of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// `no-429`
    pub id: String,
    /// `operations without 429`
    pub what: String,
    pub count: usize,
    /// The first places, at most 20.
    pub places: Vec<Where>,
}

/// Where a defect is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Where {
    /// `spec.json#/paths/~1pets/get`
    pub place: String,
    /// More about it; may be empty.
    pub detail: String,
}

impl Quality {
    /// How many defects of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        let id = KINDS.iter().find(|(known, ..)| *known == kind).map_or("", |(_, id, _)| id);
        self.defects.iter().find(|found| found.id == id).map_or(0, |found| found.count)
    }

    /// One line: `101 operations, 249 error responses: 53 untyped, …`.
    pub fn summary(&self) -> String {
        format!(
            "{}, {}: {} untyped, {} accept `{{}}`, {}, {}, {}; missing: 401 on {}, 404 on {}, 429 on {}, 5xx on {}",
            words::count(self.operations, "operation"),
            words::count(self.error_responses, "error response"),
            words::thousands(self.untyped),
            words::thousands(self.count(Kind::AcceptsEmpty) + self.count(Kind::AcceptsAnything)),
            words::count(self.shapes, "shape"),
            words::count(self.codes, "code"),
            words::count(self.headers, "header"),
            words::thousands(self.count(Kind::No401)),
            words::thousands(self.count(Kind::No404)),
            words::thousands(self.count(Kind::No429)),
            words::thousands(self.count(Kind::No5xx)),
        )
    }

    /// The line, the statuses, and a table of what is left open.
    pub fn text(&self) -> String {
        let mut text = format!("{} {} ({}, {})\n", words::printable(&self.title), self.version, self.document, self.written_as);
        let _ = writeln!(text, "{}", self.summary());
        if !self.statuses.is_empty() {
            let statuses: Vec<String> = self.statuses.iter().map(|(status, n)| format!("{status} ×{}", words::thousands(*n))).collect();
            let _ = writeln!(text, "errors by status: {}", statuses.join(", "));
        }
        let _ = writeln!(
            text,
            "contract: {} for {}",
            if self.entries == 1 { "1 entry".to_owned() } else { format!("{} entries", words::thousands(self.entries)) },
            words::count(self.error_responses, "error response")
        );
        if self.defects.is_empty() {
            return text + "nothing is left open\n";
        }
        text.push('\n');
        for found in &self.defects {
            let _ = writeln!(text, "{:>7}  {}", words::thousands(found.count), found.what);
            for Where { place, detail } in found.places.iter().take(SHOWN) {
                let detail = if detail.is_empty() { String::new() } else { format!(": {}", words::printable(detail)) };
                let _ = writeln!(text, "{:>9}{}{detail}", "", words::printable(place));
            }
            if found.count > SHOWN {
                let _ = writeln!(text, "{:>9}… and {} more", "", words::thousands(found.count - SHOWN));
            }
        }
        text
    }

    /// The whole report as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).map(|json| json + "\n").unwrap_or_default()
    }
}

/// Judges what was read.
pub(super) fn of(api: &Api, folded: &Folded, file: &str) -> Quality {
    let answers = || api.operations.iter().flat_map(Operation::errors);
    let schemas: BTreeSet<usize> = answers().filter_map(|answer| schema_of(&answer.body)).collect();
    let shapes: BTreeSet<String> = schemas.iter().map(|&ix| schema::shape(&api.schemas[ix].value)).collect();
    let mut codes: BTreeSet<&str> = folded.rows.iter().filter_map(|row| row.code.as_deref()).collect();
    codes.extend(
        folded.envelopes.iter().filter_map(|envelope| envelope.codes.as_ref()).flat_map(|codes| codes.words.iter().map(String::as_str)),
    );
    let mut statuses = BTreeMap::new();
    for answer in answers() {
        *statuses.entry(answer.status.to_string().trim_matches('"').to_owned()).or_insert(0) += 1;
    }
    Quality {
        document: words::printable(file),
        title: api.title.clone(),
        version: api.version.clone(),
        written_as: api.written_as.clone(),
        operations: api.operations.len(),
        error_responses: answers().count(),
        untyped: answers().filter(|answer| is_untyped(answer)).count(),
        headers: answers().map(|answer| answer.headers.len()).sum(),
        required_headers: answers().flat_map(|answer| &answer.headers).filter(|header| header.required).count(),
        required_members: schemas.iter().map(|&ix| required_members(&api.schemas[ix].value)).sum(),
        schemas: schemas.len(),
        shapes: shapes.len(),
        codes: codes.len(),
        entries: folded.rows.len(),
        statuses,
        defects: gathered(defects(api, folded, &schemas)),
    }
}

const fn schema_of(body: &Body) -> Option<usize> {
    match body {
        Body::Json { schema, .. } => *schema,
        Body::Undocumented | Body::Other { .. } => None,
    }
}

const fn is_untyped(answer: &Answer) -> bool {
    matches!(answer.body, Body::Undocumented | Body::Json { schema: None, .. })
}

fn required_members(schema: &Value) -> usize {
    schema.get("required").and_then(Value::as_array).map_or(0, Vec::len)
}

fn defects(api: &Api, folded: &Folded, schemas: &BTreeSet<usize>) -> Vec<Defect> {
    let mut found = api.defects.clone();
    let mut shown = HashSet::new();
    for operation in &api.operations {
        operation_defects(operation, &mut found);
        operation.errors().for_each(|answer| answer_defects(answer, &mut found));
        operation.errors().for_each(|answer| example_defects(answer, api, &mut shown, &mut found));
    }
    for &ix in schemas {
        let place = &api.schemas[ix].place;
        let value = &api.schemas[ix].value;
        match () {
            () if schema::is_anything(value) => found.push(Defect::new(Kind::AcceptsAnything, place, "")),
            () if schema::accepts_empty(value) => found.push(Defect::new(Kind::AcceptsEmpty, place, "")),
            () => {}
        }
        contradictions(value, place, &mut found);
    }
    shape_defects(api, schemas, &mut found);
    code_defects(api, folded, &mut found);
    found
}

fn operation_defects(operation: &Operation, found: &mut Vec<Defect>) {
    let mut add = |kind| found.push(Defect::new(kind, &operation.place, ""));
    let errors: Vec<Status> = operation.statuses.iter().copied().filter(|status| status.is_error()).collect();
    let covered = |status: u16| errors.iter().any(|known| known.covers(status));
    let default = errors.contains(&Status::Default);
    match errors.as_slice() {
        [] => add(Kind::NoErrors),
        [Status::Default] => add(Kind::DefaultOnly),
        _ => {}
    }
    if operation.secured && !default && !covered(401) {
        add(Kind::No401);
    }
    if operation.templated && !default && !covered(404) {
        add(Kind::No404);
    }
    if !covered(429) {
        add(Kind::No429);
    }
    if !default && !errors.iter().any(|status| matches!(status, Status::Exact(500..=599) | Status::Class(5))) {
        add(Kind::No5xx);
    }
}

fn answer_defects(answer: &Answer, found: &mut Vec<Defect>) {
    let declares = |name: &str| answer.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
    match &answer.body {
        _ if is_untyped(answer) => found.push(Defect::new(Kind::Untyped, &answer.place, "")),
        Body::Other { media } => found.push(Defect::new(Kind::NotJson, &answer.place, media)),
        Body::Json { .. } | Body::Undocumented => {}
    }
    match answer.status {
        Status::Exact(429 | 503) if !declares("Retry-After") => found.push(Defect::new(Kind::RetryAfterUndeclared, &answer.place, "")),
        Status::Exact(401) if !declares("WWW-Authenticate") => found.push(Defect::new(Kind::ChallengeUndeclared, &answer.place, "")),
        _ => {}
    }
}

/// Examples that the document's own schema refuses; each is told once, however many operations show it.
fn example_defects<'a>(answer: &'a Answer, api: &Api, shown: &mut HashSet<&'a str>, found: &mut Vec<Defect>) {
    let Some(schema) = schema_of(&answer.body).map(|ix| &api.schemas[ix].compiled) else { return };
    for example in &answer.examples {
        if shown.insert(&example.place) && schema.accepts(example.value.to_string().as_bytes()) == Some(false) {
            found.push(Defect::new(Kind::ExampleMisfit, &example.place, ""));
        }
    }
}

/// Members that are required and nowhere described; bounds and enumerations that nothing fits.
fn contradictions(schema: &Value, place: &str, found: &mut Vec<Defect>) {
    let mut add = |detail: String| found.push(Defect::new(Kind::Contradiction, place, detail));
    let mut open = vec![schema];
    while let Some(schema) = open.pop() {
        let Value::Object(members) = schema else { continue };
        let required = members.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        if let Some(properties) = members.get("properties").and_then(Value::as_object) {
            required.filter(|name| !properties.contains_key(*name)).for_each(|name| add(format!("`{name}` is required and not described")));
            open.extend(properties.values());
        }
        for (least, most) in
            [("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties")]
        {
            let number = |name: &str| members.get(name).and_then(Value::as_f64);
            if number(least).zip(number(most)).is_some_and(|(least, most)| least > most) {
                add(format!("`{least}` is more than `{most}`"));
            }
        }
        let parts = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|keyword| members.get(keyword)?.as_array()).flatten();
        open.extend(parts);
        open.extend(members.get("items"));
        open.extend(members.get("$defs").and_then(Value::as_object).into_iter().flat_map(|definitions| definitions.values()));
    }
}

/// One shape is what clients hope for: each further one is told with how many answers have it.
fn shape_defects(api: &Api, schemas: &BTreeSet<usize>, found: &mut Vec<Defect>) {
    let shapes: BTreeMap<usize, String> = schemas.iter().map(|&ix| (ix, schema::shape(&api.schemas[ix].value))).collect();
    let mut uses: BTreeMap<&str, (usize, usize)> = shapes.iter().rev().map(|(&ix, shape)| (shape.as_str(), (0, ix))).collect();
    for answer in api.operations.iter().flat_map(Operation::errors) {
        if let Some(ix) = schema_of(&answer.body)
            && let Some((count, _)) = shapes.get(&ix).and_then(|shape| uses.get_mut(shape.as_str()))
        {
            *count += 1;
        }
    }
    let mut uses: Vec<(&str, (usize, usize))> = uses.into_iter().collect();
    uses.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (_, (count, ix)) in uses.into_iter().skip(1) {
        found.push(Defect::new(Kind::ManyShapes, &api.schemas[ix].place, words::count(count, "answer")));
    }
}

fn code_defects(api: &Api, folded: &Folded, found: &mut Vec<Defect>) {
    for envelope in &folded.envelopes {
        let Some(ix) = schema_of(&envelope.body) else { continue };
        let place = &api.schemas[ix].place;
        match roles::path_of(&envelope.outline, Role::Code) {
            None => found.push(Defect::new(Kind::NoCode, place, "")),
            Some(path) if envelope.codes.as_ref().is_none_or(|codes| codes.open) => {
                found.push(Defect::new(Kind::CodesOpen, place, format!("`{}`", path.join("."))));
            }
            Some(_) => {}
        }
    }
}

/// Defects by kind, in the order of the kinds.
fn gathered(defects: Vec<Defect>) -> Vec<Found> {
    let mut found: Vec<Found> =
        KINDS.iter().map(|(_, id, what)| Found { id: (*id).to_owned(), what: (*what).to_owned(), count: 0, places: Vec::new() }).collect();
    for Defect { kind, place, detail } in defects {
        let Some(at) = KINDS.iter().position(|(known, ..)| *known == kind) else { continue };
        found[at].count += 1;
        if found[at].places.len() < KEPT {
            found[at].places.push(Where { place, detail });
        }
    }
    found.retain(|found| found.count > 0);
    found
}
