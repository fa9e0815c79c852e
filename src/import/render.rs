//! The entries of a contract as TOML that people review: what it was made from, where each entry comes from, what was guessed.

mod clause;
mod text;

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest, Sha256};

use self::clause::{fields_lines, header_line};
use self::text::{key, literal, pretty, quoted};
use super::fields::{self, Field};
use super::fold::{self, Envelope, Folded, Row, Service};
use super::library::Library;
use super::spec::{self, Api, Body, Operation, Status};
use super::{Imported, Place, Problem, Quality, quality, schema, words};

/// Entries of a contract at most, as its reader has it.
const MOST_ROWS: usize = 10_000;
/// Success statuses that a class such as `2XX` stands for.
const REGISTERED: [u16; 22] =
    [100, 101, 102, 103, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308];

/// A document's contract, and how good the document is.
///
/// # Errors
/// Where it has more entries than a contract may have.
pub(super) fn imported(api: &Api, library: &Library, document: &[u8]) -> Result<Imported, Problem> {
    let folded = fold::fold(api);
    if folded.rows.len() > MOST_ROWS {
        let what =
            format!("{} distinct errors: a contract has at most {}", words::thousands(folded.rows.len()), words::thousands(MOST_ROWS));
        let place = Place::Pointer(format!("{}#/paths", library.file(0)));
        return Err(Problem { what, place, help: spec::TOO_MANY.to_owned() });
    }
    let quality = quality::of(api, &folded, library.file(0));
    let mut toml = head(api, library.file(0), document, &quality);
    toml += &services(&folded.services, api);
    for envelope in &folded.envelopes {
        toml += &envelope_text(envelope, api);
    }
    toml += &rows(&folded, api);
    toml += &operations(&folded, api);
    Ok(Imported { toml, quality })
}

fn head(api: &Api, file: &str, document: &[u8], quality: &Quality) -> String {
    let hash: String = Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect();
    let file = words::printable(file);
    let version = if api.version.is_empty() { String::new() } else { format!(" {}", api.version) };
    let mut text = format!("# Errors of {}{version}, as documented in {file} ({}).\n", quoted(&api.title), api.written_as);
    text += &format!("# sha256 of the document: {hash}\n");
    text += &format!("# Made by `brownout import openapi {file}`: {}.\n", quality.summary());
    text += "# Review it: each entry says where it comes from (`source`), and what the document does not say is marked `guessed`.\n\n";
    text += &format!("name = {}\n", quoted(&format!("{} errors", api.title)));
    if !api.version.is_empty() {
        text += &format!("version = {}\n", quoted(&api.version));
    }
    text += "unknown_fields = \"allowed\"\n";
    let statuses = successes(&api.operations);
    if !statuses.is_empty() {
        text += &format!("other_statuses = {:?}\n", statuses.iter().collect::<Vec<_>>());
    }
    text
}

/// The documented statuses below 400.
fn successes(operations: &[Operation]) -> BTreeSet<u16> {
    let mut found = BTreeSet::new();
    for status in operations.iter().flat_map(|operation| &operation.statuses).filter(|status| !status.is_error()) {
        match status {
            Status::Exact(status) => _ = found.insert(*status),
            Status::Class(class) => found.extend(REGISTERED.iter().filter(|status| **status / 100 == u16::from(*class))),
            Status::Default => {}
        }
    }
    found
}

fn services(services: &[Service], api: &Api) -> String {
    let mut text = String::new();
    for (at, service) in services.iter().enumerate() {
        let patterns: Vec<String> = service.bases.iter().map(|base| quoted(&super::spec::pattern(&format!("{base}/{{rest+}}")))).collect();
        let path = if let [only] = patterns.as_slice() { only.clone() } else { format!("[{}]", patterns.join(", ")) };
        text += &format!("\n[service.{}]\n", key(&service.id));
        if at == 0 {
            text += &format!("title = {}\n", quoted(&api.title));
        }
        text += &format!("match = {{ path = {path} }}\n");
        if service.bases.len() > 1 {
            text += "# it is served under several paths; the operations below are written with the first\n";
        }
    }
    text
}

fn envelope_text(envelope: &Envelope, api: &Api) -> String {
    let answers = words::count(envelope.answers, "answer");
    let mut text = String::new();
    let (media, schema) = match &envelope.body {
        Body::Undocumented => {
            text += &format!("\n# nothing is documented about the body of {answers}\n");
            ("*/*", None)
        }
        Body::Other { media } => {
            text += &format!("\n# {answers} of another type than JSON: only the type is checked\n");
            (media.as_str(), None)
        }
        Body::Json { media, schema: None } => {
            text += &format!("\n# {answers} without a schema: any JSON object\n");
            (media.as_str(), None)
        }
        Body::Json { media, schema: Some(ix) } => {
            text += &format!("\n# source: {} ({answers})\n", words::printable(&api.schemas[*ix].place));
            (media.as_str(), Some(&api.schemas[*ix].value))
        }
    };
    text += &format!("[envelope.{}]\n", key(&envelope.name));
    if let Some(ready) = envelope.ready {
        let sure = if ready == "rfc9457" && media == "application/problem+json" { "" } else { " # guessed from its members" };
        text += &format!("extends = \"{ready}\"{sure}\n");
    }
    if media != "application/json" || envelope.ready.is_some() {
        text += &format!("content_type = {}\n", quoted(media));
    }
    if let Some(schema) = schema {
        text += &body_rules(schema, envelope);
    }
    text
}

/// Fields where they say all that the schema says; else the schema, and fields for the roles.
fn body_rules(schema: &Value, envelope: &Envelope) -> String {
    if schema::is_anything(schema) {
        return "# its schema accepts any JSON\n".to_owned();
    }
    let extends = envelope.ready.is_some();
    match fields::fields(schema) {
        Some(mut plain) => {
            copy_roles(&envelope.outline, &mut plain.fields);
            let closed = if plain.closed { "closed = true\n" } else { "" };
            format!("{closed}{}", fields_lines("fields", &plain.fields, extends))
        }
        None => {
            let schema = pretty(&schema::bare(schema));
            let roles: Vec<Field> = with_roles(&envelope.outline);
            format!("schema = {}\n{}", literal(&schema), fields_lines("fields", &roles, false))
        }
    }
}

/// The roles that were guessed in the outline, given to the fields of the same names.
fn copy_roles(outline: &[Field], fields: &mut [Field]) {
    for field in fields {
        if let Some(known) = outline.iter().find(|known| known.name == field.name) {
            field.role = known.role;
            copy_roles(&known.fields, &mut field.fields);
        }
    }
}

/// Only the members that have a role, and what leads to them.
fn with_roles(outline: &[Field]) -> Vec<Field> {
    let kept = |field: &Field| {
        let fields = with_roles(&field.fields);
        (field.role.is_some() || !fields.is_empty()).then(|| Field { fields, ..field.clone() })
    };
    outline.iter().filter_map(kept).collect()
}

fn rows(folded: &Folded, api: &Api) -> String {
    let mut text = String::new();
    for row in &folded.rows {
        text += &row_text(row, folded, api);
    }
    text
}

fn row_text(row: &Row, folded: &Folded, api: &Api) -> String {
    let more = match row.answers {
        0 | 1 => String::new(),
        n => format!(" and {} more", words::thousands(n - 1)),
    };
    let mut text = format!("\n# source: {}{more}\n[[error]]\n", words::printable(&row.place));
    text += &format!("service = {}\n", quoted(&folded.services[row.service].id));
    if let Some(operation) = row.operation.map(|at| &api.operations[at]) {
        text += &format!("operation = {}\n", quoted(&format!("{} {}", operation.method, operation.path)));
    }
    text += &format!("status = {}\n", row.status);
    if let Some(code) = &row.code {
        text += &format!("code = {}\n", quoted(code));
    }
    text += &format!("envelope = {}\n", quoted(&folded.envelopes[row.envelope].name));
    if !row.meaning.is_empty() {
        text += &format!("meaning = {}\n", quoted(&row.meaning));
    }
    row.headers.iter().filter_map(header_line).for_each(|line| text += &line);
    text
}

fn operations(folded: &Folded, api: &Api) -> String {
    let mut text = String::new();
    for service in &folded.services {
        for operation in service.operations.iter().map(|&at| &api.operations[at]) {
            let statuses: Vec<String> = operation.statuses.iter().map(Status::to_string).collect();
            text += &format!("\n# source: {}\n[[operation]]\n", words::printable(&operation.place));
            text += &format!("service = {}\n", quoted(&service.id));
            text += &format!("request = {}\n", quoted(&format!("{} {}", operation.method, operation.path)));
            text += &match spec::has_success(&operation.statuses) {
                true => format!("statuses = [{}]\n", statuses.join(", ")),
                false => "# no success is documented for it, so that its statuses are not listed\n".to_owned(),
            };
        }
    }
    text
}
