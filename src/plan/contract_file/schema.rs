//! `schema = …` of an envelope or a row: a file beside the contract, JSON in a text, or a table.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::clause::json;
use super::source_of;
use crate::contract::schema::Schema;
use crate::plan::file::{Value, View};
use crate::plan::problem::{Place, Problem};
use crate::plan::source::{SourceText, read_bounded};

/// Schema files larger than this are not read.
const LARGEST: usize = 8 * 1024 * 1024;
/// Problems of one schema that are shown.
const SHOWN: usize = 10;

/// The schemas of a contract: a file that several envelopes name is read and compiled once.
#[derive(Default)]
pub(super) struct Schemas {
    files: RefCell<HashMap<String, Option<Arc<serde_json::Value>>>>,
    compiled: RefCell<HashMap<String, Option<Arc<Schema>>>>,
}

impl Schemas {
    /// The schema that a value gives or names; `None` after problems.
    pub(super) fn lower(&self, value: &Value<'_>) -> Option<Arc<Schema>> {
        match value.view() {
            View::Table(_) => compile(value, &json(value)?, "").map(Arc::new),
            _ => {
                let text = value.string()?;
                match text.trim_start().starts_with('{') {
                    true => compile(value, &written(value, &text)?, "").map(Arc::new),
                    false => self.file(value, &text),
                }
            }
        }
    }

    /// `schemas/404.json`, or `schemas/errors.json#/components/schemas/Error` for a part of it.
    fn file(&self, value: &Value<'_>, name: &str) -> Option<Arc<Schema>> {
        if let Some(known) = self.compiled.borrow().get(name) {
            return known.clone();
        }
        let (file, pointer) = name.split_once('#').unwrap_or((name, ""));
        let known = self.files.borrow().get(file).cloned();
        let document = known.unwrap_or_else(|| {
            let read = document(value, file).map(Arc::new);
            self.files.borrow_mut().insert(file.to_owned(), read.clone());
            read
        });
        let schema = document.and_then(|document| compile(value, &document, pointer)).map(Arc::new);
        self.compiled.borrow_mut().insert(name.to_owned(), schema.clone());
        schema
    }
}

fn document(value: &Value<'_>, file: &str) -> Option<serde_json::Value> {
    if file.contains("://") {
        return value.refuse(format!("`{file}` is not a file: schemas are not fetched"), "save it beside the contract and name the file");
    }
    let place = value.place();
    let Some(folder) = place.source.folder() else {
        return value.refuse("a contract that is built in has no files beside it", "write the schema into the contract");
    };
    let path = folder.join(file);
    match read_bounded(&path, LARGEST) {
        Err(why) => value.refuse(format!("the schema `{}`: {why}", path.display()), "files are relative to the contract that names them"),
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(document) => Some(document),
            Err(error) => {
                // The file's own line is what its author looks for; the contract's is where it is named.
                let shown = SourceText::new(&path.display().to_string(), String::from_utf8_lossy(&bytes));
                let place = Place { span: shown.place_at(error.line(), error.column()), source: shown };
                let problem = value.problem(format!("the schema `{file}` is not JSON: {}", plain(&error)));
                value.problems().add(problem.also(place, "here"));
                None
            }
        },
    }
}

/// JSON in a text of the contract.
fn written(value: &Value<'_>, text: &str) -> Option<serde_json::Value> {
    match serde_json::from_str(text) {
        Ok(document) => Some(document),
        Err(error) => {
            let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or("").trim();
            let place = if line.is_empty() { value.place() } else { value.place_of(line) };
            value.problems().add(Problem::at(place, format!("the schema is not JSON: {}", plain(&error))));
            None
        }
    }
}

fn plain(error: &serde_json::Error) -> String {
    error.to_string().split(" at line ").next().unwrap_or_default().to_owned()
}

fn compile(value: &Value<'_>, document: &serde_json::Value, pointer: &str) -> Option<Schema> {
    match Schema::compile_at(document, pointer) {
        Ok(schema) => Some(schema.with_source(source_of(&value.place()))),
        Err(problems) => {
            for problem in problems.into_iter().take(SHOWN) {
                let at = if problem.pointer.is_empty() { "its root".to_owned() } else { format!("`{}`", problem.pointer) };
                value.refuse::<()>(
                    format!("the schema cannot be used: at {at}: {}", problem.what),
                    "a JSON Schema 2020-12 whose `$ref`s stay inside it",
                );
            }
            None
        }
    }
}
