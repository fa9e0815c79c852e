//! The answers that a document shows, and what they teach: an answer that we make says what the document says.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{service_ix, source_of};
use crate::contract::{Contract, Example, Field, Row, Service};
use crate::id::{RowIx, ServiceIx};
use crate::plan::file::{Table, View};
use crate::plan::problem::Place;

/// An example, before its row is known.
pub(super) struct Shown {
    service: Option<ServiceIx>,
    example: Example,
}

/// The examples of the document: those of `[[error]]` rows first, then those of `[[example]]`.
pub(super) fn examples(root: &Table<'_>, errors: &[Table<'_>], services: &[(Service, Place)]) -> Vec<Shown> {
    let own = errors.iter().filter_map(|row| {
        let table = row.table("example")?;
        // Status and service were read with the row, problems included: here they are only looked at.
        let status =
            row.take("status").and_then(|value| if let View::Integer(status) = value.view() { u16::try_from(status).ok() } else { None });
        let service = row.take("service").and_then(|value| if let View::String(id) = value.view() { Some(id) } else { None });
        let service = service.and_then(|id| services.iter().position(|(service, _)| service.id == id)).map(ServiceIx::from);
        shown(table, service, status)
    });
    let mut all: Vec<Shown> = own.collect();
    for table in root.tables("example") {
        let service = table.take("service").and_then(|value| service_ix(&value, services));
        let status = table.required("status").and_then(|value| value.whole(100..=599u16));
        all.extend(shown(table, service, status));
    }
    all
}

fn shown(table: Table<'_>, service: Option<ServiceIx>, status: Option<u16>) -> Option<Shown> {
    let (mut headers, mut header_lines) = (HeaderMap::new(), Vec::new());
    table.not_yet("file");
    if let Some(written) = table.table("headers") {
        for (name, value) in written.entries() {
            let text = value.string()?;
            match (name.parse::<HeaderName>(), HeaderValue::from_str(&text)) {
                (Ok(name), Ok(text)) => {
                    header_lines.push((name.clone(), value.key_place().line()));
                    headers.insert(name, text);
                }
                _ => value
                    .refuse(format!("`{name}: {text}` is not a header"), "a name of letters, digits and hyphens, and one line of text")?,
            }
        }
    }
    let body = table.string("body").unwrap_or_default().into_bytes();
    let source = source_of(&table.place());
    table.finish();
    Some(Shown { service, example: Example { status: status?, headers, header_lines, body, row: None, source } })
}

/// Finds the row of each example, lets rows learn from them, and keeps them for the lint where it is wanted.
pub(super) fn attach(contract: &mut Contract, shown: Vec<Shown>, lint: bool) {
    let mut examples = Vec::new();
    for Shown { service, mut example } in shown {
        let body = serde_json::from_slice::<serde_json::Value>(&example.body).unwrap_or_default();
        let code = contract.rows.iter().find_map(|row| code_in(&row.envelope.fields, &body));
        example.row = code.and_then(|code| contract.row_of(service, example.status, &code));
        examples.push((example, body));
    }
    for ix in 0..contract.rows.len() {
        let row = &contract.rows[ix];
        let same_error =
            |other: RowIx| other.at() != ix && contract.row(other).status == row.status && contract.row(other).code == row.code;
        let own = examples.iter().find(|(example, _)| example.row == Some(RowIx::from(ix)));
        let similar = || examples.iter().find(|(example, _)| example.row.is_some_and(same_error));
        if let Some((example, body)) = own.or_else(similar) {
            let (headers, body) = (example.headers.clone(), body.clone());
            learn(&mut contract.rows[ix], &headers, &body);
        }
    }
    contract.examples = if lint { examples.into_iter().map(|(example, _)| example).collect() } else { Vec::new() };
}

/// The text under the field that holds the code.
fn code_in(fields: &[Field], body: &serde_json::Value) -> Option<String> {
    fields.iter().find_map(|field| {
        let value = body.get(&field.name)?;
        match field.role {
            Some(crate::contract::Role::Code) => value.as_str().map(str::to_owned),
            _ => code_in(&field.fields, value),
        }
    })
}

/// Fills the samples that the file does not give from the example.
fn learn(row: &mut Row, headers: &HeaderMap, body: &serde_json::Value) {
    for field in row.envelope.fields.iter_mut().filter(|field| field.sample.is_none()) {
        field.sample = body.get(&field.name).cloned();
    }
    for header in row.envelope.headers.iter_mut().filter(|header| header.sample.is_none()) {
        header.sample = headers.get(&header.name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    }
}
