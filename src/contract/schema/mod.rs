//! JSON Schema 2020-12, compiled once and run over a borrowed answer.
//!
//! A general validator works on values that own their texts and reports whatever it finds. Here a [`Schema`] is a list of
//! small nodes, an answer that fits costs one walk without an allocation, and one that does not is walked again to say
//! why: a handful of misfits, of several alternatives only those of the closest, each with the keyword's place.
//!
//! All assertions of the specification are understood, `unevaluated…` exactly, and `$ref` within the document, recursive
//! ones included. Formats that clients rely on are asserted; annotations and formats of other names say nothing. What
//! would be passed over in silence although somebody meant it (keywords of older drafts, remote `$ref`s, patterns that
//! cannot be run in linear time) is refused when the schema is read.
//!
//! Numbers are doubles, as most clients read them: integers beyond 2⁵³ are compared as the nearest double, so that
//! `const: 9007199254740993` is also met by …992. A number beyond all doubles is infinite, and no integer.
//! Members that are there twice are each looked at.
//!
//! Everything is bounded: the number of schemas, their nesting, patterns and listed values where a schema is read, and
//! steps where an answer is judged; where they do not suffice nothing is said about the answer ([`Outcome::TooCostly`]),
//! nor where it would take the part of a long array or object that is not kept ([`Outcome::TooLarge`]).
//!
//! `compile` reads documents (with `reference`, `cycle`, `pattern`) into `node`; `fit` judges (with `format`, `number`),
//! `blame` tells why (with `path`); `sample` makes a value that fits (with `text`).

mod blame;
mod compile;
mod cycle;
mod fit;
mod format;
mod node;
mod number;
mod path;
mod pattern;
mod reference;
mod sample;
mod text;

use serde_json::Value;

use self::blame::Blame;
use self::fit::{Run, Unjudged};
use self::node::{NodeIx, Tree};
pub use self::path::InstancePath;
use crate::contract::Source;
use crate::contract::json::{Document, Json};

/// The root's place in its list.
const ROOT: NodeIx = NodeIx(0);

/// A compiled schema.
#[derive(Clone, Debug)]
pub struct Schema {
    tree: Tree,
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

/// What came out of holding a value to a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Fits,
    /// The misfits were told.
    Misfits,
    /// It took more steps than one answer may take: nothing is said about it.
    TooCostly,
    /// What matters may stand in the part of it that is not kept ([`crate::contract::json::KEPT`]): nothing is said.
    TooLarge,
}

impl Schema {
    /// Compiles a schema; `$ref`s are looked up in the same document.
    ///
    /// # Errors
    /// Everything that is wrong with it, at most a handful.
    pub fn compile(document: &Value) -> Result<Schema, Vec<SchemaProblem>> {
        Schema::compile_at(document, "")
    }

    /// Compiles the schema that stands at a JSON Pointer of a larger document: `/components/schemas/Error`.
    ///
    /// # Errors
    /// As [`Schema::compile`].
    pub fn compile_at(document: &Value, pointer: &str) -> Result<Schema, Vec<SchemaProblem>> {
        Ok(Schema { tree: compile::compile(document, pointer)?, source: Source::default() })
    }

    /// The schema with the place of the contract that names it.
    #[must_use]
    pub fn with_source(self, source: Source) -> Schema {
        Schema { source, ..self }
    }

    /// The place of the contract that names it.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether the schema names a member of the value itself, whatever it says about it.
    pub fn names_member(&self, name: &str) -> bool {
        self.tree.members.contains(name)
    }

    /// A value that fits: as near to the wish as possible, with what the document shows, else as small as possible.
    /// `None` where none was found; there may be one all the same.
    pub fn sample(&self, wish: Option<&Value>) -> Option<Value> {
        sample::make(&self.tree, ROOT, wish)
    }

    /// Whether a JSON text fits; `None` where it is no JSON, or too costly to say.
    pub fn accepts(&self, body: &[u8]) -> Option<bool> {
        let document = Document::read(body).ok()?;
        let mut run = Run::new(&self.tree);
        let fits = run.fits(ROOT, document.value());
        run.unjudged.is_none().then_some(fits)
    }

    /// Holds a value to the schema, and tells a handful of its misfits at most. A value that fits costs no allocation.
    pub fn check(&self, value: Json<'_>, misfit: &mut dyn FnMut(&Misfit<'_>)) -> Outcome {
        let mut run = Run::new(&self.tree);
        let fits = run.fits(ROOT, value);
        match run.unjudged {
            Some(Unjudged::TooCostly) => return Outcome::TooCostly,
            Some(Unjudged::TooLarge) => return Outcome::TooLarge,
            None => {}
        }
        if !fits {
            let mut told = false;
            let mut run = Run::new(&self.tree);
            let mut tell = |one: &Misfit<'_>| {
                told = true;
                misfit(one);
            };
            Blame { run: &mut run, left: blame::MOST, tell: &mut tell }.node(ROOT, value, &InstancePath::ROOT);
            if !told {
                self.in_short(misfit);
            }
        }
        if fits { Outcome::Fits } else { Outcome::Misfits }
    }

    /// To say why took more steps than to say that it does not fit.
    fn in_short(&self, misfit: &mut dyn FnMut(&Misfit<'_>)) {
        let schema_path = &self.tree.node(ROOT).at;
        let (expected, actual) = ("a value that fits the schema", "one that does not (why would be too costly to say)");
        misfit(&Misfit { instance_path: InstancePath::ROOT, schema_path, keyword: "", expected, actual });
    }
}
