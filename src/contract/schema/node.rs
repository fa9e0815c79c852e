//! The compiled form: schemas by index, their keywords sorted by the type of value they speak about.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use regex::Regex;
use serde_json::Value;

use super::format::Format;
use crate::contract::json::Json;

/// The index of a schema in its document's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeIx(pub(super) u32);

/// The index of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PatternIx(pub(super) u32);

/// Everything a document says that can be reached from its root.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) patterns: Vec<Pattern>,
    /// Names of `properties` that are said about the root itself.
    pub(super) members: BTreeSet<Box<str>>,
}

impl Tree {
    pub(super) fn node(&self, ix: NodeIx) -> &Node {
        &self.nodes[ix.0 as usize]
    }

    pub(super) fn pattern(&self, ix: PatternIx) -> &Pattern {
        &self.patterns[ix.0 as usize]
    }
}

/// A pattern as it was written, and compiled.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) written: Box<str>,
    pub(super) regex: Regex,
}

/// One schema.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// Where it stands in its document, as a JSON Pointer.
    pub(super) at: Box<str>,
    /// The schema `false`, which nothing fits.
    pub(super) never: bool,
    pub(super) types: Option<Types>,
    /// `const` and `enum`.
    pub(super) values: Box<[Values]>,
    pub(super) text: Option<Box<TextRules>>,
    pub(super) number: Option<Box<NumberRules>>,
    pub(super) object: Option<Box<ObjectRules>>,
    pub(super) array: Option<Box<ArrayRules>>,
    /// Schemas for the same value.
    pub(super) logic: Box<[Logic]>,
    /// `unevaluatedProperties`, `unevaluatedItems`.
    pub(super) unevaluated: Option<Box<Unevaluated>>,
    /// What the document shows for it: `default`, else the first of `examples`, else `example`.
    pub(super) sample: Option<Box<Value>>,
}

/// `type`: a set of JSON types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Types(u8);

impl Types {
    /// Names of the specification, and words for people.
    pub(super) const WORDS: [(&str, &str); 7] = [
        ("null", "null"),
        ("boolean", "a boolean"),
        ("integer", "an integer"),
        ("number", "a number"),
        ("string", "a string"),
        ("array", "an array"),
        ("object", "an object"),
    ];
    const NULL: u8 = 1;
    const BOOLEAN: u8 = 2;
    const INTEGER: u8 = 4;
    const NUMBER: u8 = 8;
    const STRING: u8 = 16;
    const ARRAY: u8 = 32;
    const OBJECT: u8 = 64;

    /// Adds a type by its name; false where there is none of this name.
    pub(super) fn add(&mut self, name: &str) -> bool {
        let at = Types::WORDS.iter().position(|(known, _)| *known == name);
        self.0 |= at.map_or(0, |at| 1 << at);
        at.is_some()
    }

    pub(super) fn has(self, name: &str) -> bool {
        Types::WORDS.iter().position(|(known, _)| *known == name).is_some_and(|at| self.0 & (1 << at) != 0)
    }

    /// Whether a value is of one of these types. 60.0 is an integer: JSON Schema 2020-12 §6.1.1.
    pub(super) fn fits(self, value: Json<'_>) -> bool {
        let own = match value {
            Json::Null => Types::NULL,
            Json::Bool(_) => Types::BOOLEAN,
            Json::Number(number) if number.fract() == 0.0 => Types::INTEGER | Types::NUMBER,
            Json::Number(_) => Types::NUMBER,
            Json::Text(_) => Types::STRING,
            Json::Array(_) => Types::ARRAY,
            Json::Object(_) => Types::OBJECT,
        };
        self.0 & own != 0
    }

    /// `a string or null`.
    pub(super) fn words(self) -> String {
        let mut words = String::new();
        // The more telling types first.
        for (at, (_, word)) in Types::WORDS.iter().enumerate().rev().filter(|(at, _)| self.0 & (1 << at) != 0) {
            let _ = at;
            words.push_str(if words.is_empty() { "" } else { " or " });
            words.push_str(word);
        }
        words
    }
}

/// `enum` and `const`: texts apart, in order, since most values are texts and some lists are long.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    /// `enum` or `const`.
    pub(super) keyword: &'static str,
    pub(super) texts: Box<[Box<str>]>,
    pub(super) others: Box<[Value]>,
    /// The first in the document's order; `None` where nothing is allowed.
    pub(super) first: Option<Value>,
}

impl Values {
    /// `one of "A", "B", …`.
    pub(super) fn words(&self) -> String {
        const NAMED: usize = 8;
        let all = self.texts.len() + self.others.len();
        let mut words = if all == 1 { String::new() } else { "one of ".to_owned() };
        let texts = self.texts.iter().map(|text| format!("\"{}\"", text.escape_debug()));
        for (ix, word) in texts.chain(self.others.iter().map(Value::to_string)).take(NAMED).enumerate() {
            let short: String = word.chars().take(80).collect();
            let _ = write!(words, "{}{short}", if ix == 0 { "" } else { ", " });
        }
        words.push_str(if all > NAMED { ", …" } else { "" });
        words
    }
}

/// What a text must be. Lengths are in characters, as RFC 8259 counts them.
#[derive(Clone, Debug, Default)]
pub(super) struct TextRules {
    pub(super) min: usize,
    pub(super) max: Option<usize>,
    pub(super) pattern: Option<PatternIx>,
    pub(super) format: Option<Format>,
}

/// What a number must be.
#[derive(Clone, Debug, Default)]
pub(super) struct NumberRules {
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) above: Option<f64>,
    pub(super) below: Option<f64>,
    pub(super) multiple_of: Option<f64>,
}

/// Names of members, in order.
pub(super) type Names = Box<[Box<str>]>;

/// What an object must be.
#[derive(Clone, Debug, Default)]
pub(super) struct ObjectRules {
    /// `properties`, by name in order.
    pub(super) properties: Box<[(Box<str>, NodeIx)]>,
    pub(super) patterns: Box<[(PatternIx, NodeIx)]>,
    /// `additionalProperties`.
    pub(super) others: Option<NodeIx>,
    /// `propertyNames`.
    pub(super) names: Option<NodeIx>,
    pub(super) required: Names,
    /// `dependentRequired`.
    pub(super) dependent: Box<[(Box<str>, Names)]>,
    pub(super) min: usize,
    pub(super) max: Option<usize>,
}

impl ObjectRules {
    /// The schema of a member by its name alone.
    pub(super) fn property(&self, name: &str) -> Option<NodeIx> {
        self.properties.binary_search_by(|(known, _)| (**known).cmp(name)).ok().map(|at| self.properties[at].1)
    }
}

/// What an array must be.
#[derive(Clone, Debug, Default)]
pub(super) struct ArrayRules {
    pub(super) first: Box<[NodeIx]>,
    /// `items`: those after `prefixItems`.
    pub(super) rest: Option<NodeIx>,
    pub(super) contains: Option<Contains>,
    pub(super) min: usize,
    pub(super) max: Option<usize>,
    pub(super) unique: bool,
}

/// `contains`, `minContains`, `maxContains`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contains {
    pub(super) item: NodeIx,
    pub(super) min: usize,
    pub(super) max: Option<usize>,
}

/// A keyword that holds the same value to other schemas.
#[derive(Clone, Debug)]
pub(super) enum Logic {
    Reference(NodeIx),
    All(Box<[NodeIx]>),
    Any(Box<[NodeIx]>),
    One(Box<[NodeIx]>),
    Not(NodeIx),
    If {
        condition: NodeIx,
        then: Option<NodeIx>,
        otherwise: Option<NodeIx>,
    },
    /// `dependentSchemas`: where the object has this member.
    With(Box<str>, NodeIx),
}

impl Logic {
    /// The schemas it applies to the same value.
    pub(super) fn targets(&self) -> Vec<NodeIx> {
        match self {
            Logic::Reference(one) | Logic::Not(one) | Logic::With(_, one) => vec![*one],
            Logic::All(all) | Logic::Any(all) | Logic::One(all) => all.to_vec(),
            Logic::If { condition, then, otherwise } => [Some(*condition), *then, *otherwise].into_iter().flatten().collect(),
        }
    }
}

/// What is left when all other keywords of a schema, and of those it applies in place, have had their say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unevaluated {
    pub(super) properties: Option<NodeIx>,
    pub(super) items: Option<NodeIx>,
}
