//! The answers that a document shows, and what they teach: an answer that we make says what the document says.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::service::service_ix;
use super::source_of;
use crate::contract::{Contract, Example, Field, Row, Service, Source, Statuses};
use crate::id::{RowIx, ServiceIx};
use crate::plan::file::{Table, Value};
use crate::plan::problem::Problem;
use crate::plan::source::read_bounded;

/// Files with an example larger than this are not read.
const LARGEST: usize = 1024 * 1024;

/// An example, before it is known which row its code means.
pub(super) struct Shown {
    /// The row that it stands in.
    row: Option<RowIx>,
    service: Option<ServiceIx>,
    example: Example,
}

impl Shown {
    /// The example as one that stands in a row.
    pub(super) fn in_row(self, row: RowIx) -> Shown {
        Shown { row: Some(row), ..self }
    }

    /// The example as one of a service.
    pub(super) fn of_service(self, service: Option<ServiceIx>) -> Shown {
        Shown { service, ..self }
    }
}

/// The example of an `[[error]]`; its status is the row's, unless the row has several.
pub(super) fn of_row(table: Table<'_>, statuses: Option<Statuses>) -> Option<Shown> {
    let own = table.take("status").map(|value| value.whole(400..=599u16));
    let example = match own {
        Some(status) => shown(&table, status, statuses?),
        None => shown(&table, statuses?.exact(), statuses?),
    };
    table.finish();
    example
}

/// The examples of the document that stand in no row: those of `[[example]]`.
pub(super) fn examples(root: &Table<'_>, services: &[Service]) -> Vec<Shown> {
    let mut all = Vec::new();
    for table in root.tables("example") {
        let service = table.take("service").and_then(|value| service_ix(&value, services));
        let status = table.take("status").and_then(|value| value.whole(100..=599u16));
        if status.is_none() && !table.has("status") && !table.has("file") {
            table.problems().add(Problem::at(table.place(), format!("`status` is missing in {}", table.shown())));
        }
        all.extend(shown(&table, status, Statuses::Default).map(|example| example.of_service(service)));
        table.finish();
    }
    all
}

/// An answer of this status, or of the one that its file has.
fn shown(table: &Table<'_>, status: Option<u16>, statuses: Statuses) -> Option<Shown> {
    let mut headers = Vec::new();
    for (name, value) in table.table("headers").iter().flat_map(Table::entries) {
        let Some(text) = value.string() else { continue };
        match field(&name, &text) {
            Some(field) => headers.push((field, value.key_place().line())),
            None => {
                value.refuse::<()>(
                    format!("`{name}: {text}` is not a header"),
                    "a name of letters, digits and hyphens, and one line of text",
                );
            }
        }
    }
    let body = table.string("body");
    let mut source = source_of(&table.place());
    let (mut status, mut bytes) = (status, body.clone().unwrap_or_default().into_bytes());
    if let Some(file) = table.take("file") {
        let message = message(&file)?;
        if body.is_some() || !headers.is_empty() {
            return file.refuse("an example is in the file or in the contract, not in both", "remove `body` and `headers`, or `file`");
        }
        if let Some(own) = status.filter(|own| *own != message.status) {
            return file.refuse(format!("the file shows a {}, and this is the example of {own}", message.status), "show the same status");
        }
        (status, headers, bytes) = (Some(message.status), message.headers, message.body);
        source = Source { file: message.file, line: 1 };
    }
    let Some(status) = status else {
        if !table.has("status") {
            let problem = Problem::at(table.place(), format!("the example of {statuses} does not say which status it has"));
            table.problems().add(problem.help("add `status = 404`, or whichever it shows"));
        }
        return None;
    };
    if statuses != Statuses::Default && !statuses.holds(status) {
        let problem = Problem::at(table.place(), format!("the example shows a {status}, and the error is {statuses}"));
        table.problems().add(problem);
        return None;
    }
    let header_lines = headers.iter().map(|((name, _), line)| (name.clone(), *line)).collect();
    let mut map = HeaderMap::new();
    headers.into_iter().for_each(|((name, value), _)| _ = map.append(name, value));
    Some(Shown { row: None, service: None, example: Example { status, headers: map, header_lines, body: bytes, row: None, source } })
}

fn field(name: &str, text: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, HeaderValue::from_str(text).ok()?))
}

/// One answer as it was saved: `HTTP/1.1 429 Too Many Requests`, header lines, an empty line, the body.
struct Message {
    file: String,
    status: u16,
    /// With the line of each.
    headers: Vec<((HeaderName, HeaderValue), u32)>,
    body: Vec<u8>,
}

fn message(value: &Value<'_>) -> Option<Message> {
    const FORM: &str = "a file begins with `HTTP/1.1 429 Too Many Requests`, then headers, an empty line and the body";
    let name = value.string()?;
    let place = value.place();
    let Some(folder) = place.source.folder() else {
        return value.refuse("a contract that is built in has no files beside it", "write the example into the contract");
    };
    let path = folder.join(&name);
    let bytes = match read_bounded(&path, LARGEST) {
        Ok(bytes) => bytes,
        Err(why) => {
            return value.refuse(format!("the example `{}`: {why}", path.display()), "files are relative to the contract that names them");
        }
    };
    let end = bytes.windows(2).position(|two| two == b"\n\n").map(|at| (at, at + 2));
    let ends = [bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| (at, at + 4)), end];
    let (head, body) = ends.into_iter().flatten().min().unwrap_or((bytes.len(), bytes.len()));
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.lines();
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok());
    let Some(status) = status.filter(|status| (100..=599).contains(status)) else {
        return value.refuse(format!("`{name}` does not begin with a status line"), FORM);
    };
    let mut headers = Vec::new();
    for (line, number) in lines.zip(2..) {
        match line.split_once(':').and_then(|(name, text)| field(name, text.trim())) {
            Some(field) => headers.push((field, number)),
            None => return value.refuse(format!("line {number} of `{name}` is not a header"), FORM),
        }
    }
    Some(Message { file: path.display().to_string(), status, headers, body: bytes[body..].to_vec() })
}

/// Finds the row of each example, lets rows learn from them, and keeps them for the lint where it is wanted.
pub(super) fn attach(contract: &mut Contract, shown: Vec<Shown>, lint: bool) {
    let mut examples = Vec::new();
    for Shown { row, service, mut example } in shown {
        let body = serde_json::from_slice::<serde_json::Value>(&example.body).unwrap_or_default();
        let code = contract.rows.iter().find_map(|row| code_in(&row.envelope.fields, &body));
        let own = row.filter(|row| contract.row(*row).any_code || code.as_deref() == Some(contract.row(*row).code.as_str()));
        example.row = own.or_else(|| contract.row_of(service, example.status, code.as_deref()?));
        examples.push((example, body));
    }
    for ix in 0..contract.rows.len() {
        let row = &contract.rows[ix];
        let same_error = |other: RowIx| {
            let other_row = contract.row(other);
            other.at() != ix && !row.any_code && other_row.statuses == row.statuses && other_row.code == row.code
        };
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

fn learn_members(fields: &mut [Field], body: &serde_json::Value) {
    for field in fields {
        let shown = body.get(&field.name);
        match shown {
            Some(inner @ serde_json::Value::Object(_)) if !field.fields.is_empty() => learn_members(&mut field.fields, inner),
            _ if field.sample.is_none() => field.sample = shown.cloned(),
            _ => {}
        }
    }
}

/// Fills the samples that the file does not give from the example.
fn learn(row: &mut Row, headers: &HeaderMap, body: &serde_json::Value) {
    learn_members(&mut row.envelope.fields, body);
    for header in row.envelope.headers.iter_mut().filter(|header| header.sample.is_none()) {
        header.sample = headers.get(&header.name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    }
}
