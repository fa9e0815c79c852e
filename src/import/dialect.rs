//! Schemas of Swagger 2.0 and OpenAPI 3.x, rewritten to JSON Schema 2020-12, once.
//!
//! The older dialects look like JSON Schema and are not: `nullable`, boolean `exclusiveMinimum`, `$ref` whose siblings
//! do not count, `writeOnly` members that must not be in an answer. A rewritten schema stands alone: what it refers to
//! is in its `$defs`. Descriptions and examples are left out; `title`, `discriminator` and `x-extensible-enum` stay for
//! those who look for names and codes, and are taken out before a schema is written.

use std::collections::{HashMap, HashSet, VecDeque};

use regex::RegexBuilder;
use serde_json::{Map, Value, json};

use super::defect::{Defect, Kind};
use super::library::{Broken, Library, Spot};
use super::{Problem, pointer, words};

/// Definitions of one schema at most; what is further away is not looked into.
const MOST_DEFINITIONS: usize = 200;
/// Schemas inside one schema at most.
const MOST_PARTS: usize = 5_000;
/// Schemas in all of them at most.
const MOST_IN_ALL: usize = 1_000_000;
/// Problems that are kept.
const MOST_PROBLEMS: usize = 20;
/// A pattern's compiled size at most, as for the patterns of contract files.
const LARGEST_PATTERN: usize = 1 << 20;

const TYPES: [&str; 7] = ["string", "integer", "number", "boolean", "object", "array", "null"];
/// Formats that JSON Schema 2020-12 names; the others (`int32`, `password`) say nothing that could be checked.
const FORMATS: [&str; 10] = ["date-time", "date", "time", "email", "uri", "uri-reference", "uuid", "hostname", "ipv4", "ipv6"];

/// Which JSON Schema a document means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Swagger2,
    OpenApi30,
    OpenApi31,
}

/// Rewrites schemas, and keeps what was wrong with them.
pub(super) struct Rewriter<'l> {
    library: &'l Library,
    dialect: Dialect,
    parts: usize,
    known: HashMap<(usize, String), Value>,
    noted: HashSet<(Kind, String)>,
    pub(super) defects: Vec<Defect>,
    pub(super) problems: Vec<Problem>,
}

/// The definitions of one schema while it is rewritten.
#[derive(Default)]
struct Definitions<'l> {
    names: HashMap<(usize, String), String>,
    given: words::Names,
    open: VecDeque<(String, Spot<'l>)>,
    parts: usize,
}

impl<'l> Rewriter<'l> {
    pub(super) fn new(library: &'l Library, dialect: Dialect) -> Rewriter<'l> {
        Rewriter { library, dialect, parts: 0, known: HashMap::new(), noted: HashSet::new(), defects: Vec::new(), problems: Vec::new() }
    }

    /// The schema at a spot as JSON Schema 2020-12 that stands alone; `true` where there is none to be had.
    pub(super) fn schema(&mut self, spot: &Spot<'l>) -> Value {
        let Some(spot) = self.start(spot) else { return Value::Bool(true) };
        let key = (spot.file, spot.pointer.clone());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let mut definitions = Definitions::default();
        let mut schema = self.part(&spot, &mut definitions);
        let mut written = Map::new();
        while let Some((name, spot)) = definitions.open.pop_front() {
            let far = written.len() >= MOST_DEFINITIONS;
            let definition = if far { Value::Bool(true) } else { self.part(&spot, &mut definitions) };
            written.insert(name, definition);
        }
        if let (Value::Object(members), false) = (&mut schema, written.is_empty()) {
            members.insert("$defs".to_owned(), Value::Object(written));
        }
        self.known.insert(key, schema.clone());
        schema
    }

    /// Where a schema begins: behind its references, unless what stands beside them counts.
    fn start(&mut self, spot: &Spot<'l>) -> Option<Spot<'l>> {
        let counts =
            self.dialect == Dialect::OpenApi31 && spot.value.as_object().is_some_and(|members| members.keys().any(|key| is_rule(key)));
        if spot.value.get("$ref").is_none() || counts {
            return Some(spot.clone());
        }
        self.followed(spot)
    }

    fn followed(&mut self, spot: &Spot<'l>) -> Option<Spot<'l>> {
        match self.library.follow(spot.clone()) {
            Ok(spot) => Some(spot),
            Err(Broken::Dangling { to, at }) => {
                self.note(Defect::new(Kind::Unresolved, at, format!("`{to}`")));
                None
            }
            Err(Broken::Refused(problem)) => {
                if self.problems.len() < MOST_PROBLEMS && !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
                None
            }
        }
    }

    fn note(&mut self, defect: Defect) {
        if self.noted.insert((defect.kind, defect.place.clone())) {
            self.defects.push(defect);
        }
    }

    fn part(&mut self, spot: &Spot<'l>, definitions: &mut Definitions<'l>) -> Value {
        definitions.parts += 1;
        self.parts += 1;
        if definitions.parts > MOST_PARTS || self.parts > MOST_IN_ALL {
            return Value::Bool(true);
        }
        let members = match spot.value {
            Value::Object(members) => members,
            Value::Bool(truth) => return Value::Bool(*truth),
            _ => {
                self.note(Defect::new(Kind::Uncheckable, self.library.shown(spot), "not a schema"));
                return Value::Bool(true);
            }
        };
        if members.get("$ref").is_some_and(Value::is_string) {
            return self.reference(spot, definitions);
        }
        self.rules(spot, members, definitions)
    }

    fn reference(&mut self, spot: &Spot<'l>, definitions: &mut Definitions<'l>) -> Value {
        let Some(target) = self.followed(spot) else { return Value::Bool(true) };
        let key = (target.file, target.pointer.clone());
        let name = match definitions.names.get(&key) {
            Some(name) => name.clone(),
            None => {
                let base = words::name(&pointer::last(&target.pointer), "schema");
                let name = definitions.given.give(&base);
                definitions.names.insert(key, name.clone());
                definitions.open.push_back((name.clone(), target));
                name
            }
        };
        let mut schema = Map::new();
        if self.dialect == Dialect::OpenApi31
            && let Value::Object(members) = spot.value
            && members.keys().any(|key| is_rule(key))
            && let Value::Object(beside) = self.rules(spot, members, definitions)
        {
            schema = beside;
        }
        schema.insert("$ref".to_owned(), Value::String(format!("#/$defs/{name}")));
        Value::Object(schema)
    }

    fn rules(&mut self, spot: &Spot<'l>, members: &'l Map<String, Value>, definitions: &mut Definitions<'l>) -> Value {
        let mut out = Map::new();
        for (name, value) in members {
            let place = || Spot { file: spot.file, pointer: pointer::join(&spot.pointer, name), value };
            match name.as_str() {
                "type" => self.types(&place(), &mut out),
                "properties" => self.properties(&place(), members, definitions, &mut out),
                "patternProperties" | "dependentSchemas" => {
                    let inner = place().members().map(|(key, spot)| (key.to_owned(), self.part(&spot, definitions))).collect();
                    out.insert(name.clone(), Value::Object(inner));
                }
                "items" if value.is_array() => {
                    let items: Vec<Value> = place().items().map(|spot| self.part(&spot, definitions)).collect();
                    out.insert("prefixItems".to_owned(), items.into());
                    if let Some(more) = spot.member("additionalItems") {
                        let more = self.part(&more, definitions);
                        out.insert("items".to_owned(), more);
                    }
                }
                "items"
                | "additionalProperties"
                | "not"
                | "if"
                | "then"
                | "else"
                | "contains"
                | "propertyNames"
                | "unevaluatedProperties"
                | "unevaluatedItems" => {
                    let inner = self.part(&place(), definitions);
                    out.insert(name.clone(), inner);
                }
                "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                    let parts: Vec<Value> = place().items().map(|spot| self.part(&spot, definitions)).collect();
                    match parts.is_empty() {
                        true => self.uncheckable(&place(), "an empty list"),
                        false => _ = out.insert(name.clone(), parts.into()),
                    }
                }
                "pattern" => self.pattern(&place(), &mut out),
                "format" => {
                    if value.as_str().is_some_and(|format| FORMATS.contains(&format)) {
                        out.insert(name.clone(), value.clone());
                    }
                }
                "$dynamicRef" | "$recursiveRef" => self.uncheckable(&place(), "a dynamic reference"),
                _ => self.plain(name, &place(), &mut out),
            }
        }
        exclusive(members, &mut out);
        self.nullable(members, out)
    }

    /// Keywords whose value is no schema.
    fn plain(&mut self, name: &str, spot: &Spot<'l>, out: &mut Map<String, Value>) {
        let value = spot.value;
        let sound = match name {
            "enum" => value.as_array().is_some_and(|words| !words.is_empty()),
            "const" | "discriminator" => true,
            "multipleOf" => value.as_f64().is_some_and(|number| number > 0.0),
            "minimum" | "maximum" => value.is_number(),
            // Booleans are looked at beside `minimum` and `maximum`.
            "exclusiveMinimum" | "exclusiveMaximum" => match value {
                Value::Bool(_) => return,
                value => value.is_number(),
            },
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" | "minContains" | "maxContains" => {
                value.is_u64()
            }
            "uniqueItems" => value.is_boolean(),
            "required" => value.as_array().is_some_and(|names| names.iter().all(Value::is_string)),
            "dependentRequired" => value.is_object(),
            "title" => value.is_string(),
            "x-extensible-enum" => value.is_array(),
            _ => return,
        };
        match sound {
            // `required` may have been cleared of what must not be sent.
            true if name == "required" && out.contains_key(name) => {}
            true => _ = out.insert(name.to_owned(), value.clone()),
            false => self.uncheckable(spot, "a value that this keyword cannot have"),
        }
    }

    fn uncheckable(&mut self, spot: &Spot<'l>, why: &str) {
        self.note(Defect::new(Kind::Uncheckable, self.library.shown(spot), why));
    }

    fn types(&mut self, spot: &Spot<'l>, out: &mut Map<String, Value>) {
        let known = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
        match spot.value {
            value @ Value::String(_) if known(value) => _ = out.insert("type".to_owned(), value.clone()),
            Value::Array(types) if !types.is_empty() && types.iter().all(known) => {
                out.insert("type".to_owned(), spot.value.clone());
            }
            Value::String(name) if name == "file" => {}
            _ => self.uncheckable(spot, "no type of JSON"),
        }
    }

    /// Members; one that may only be sent to the server must not come back (`writeOnly`).
    fn properties(
        &mut self,
        spot: &Spot<'l>,
        beside: &Map<String, Value>,
        definitions: &mut Definitions<'l>,
        out: &mut Map<String, Value>,
    ) {
        let secret = |value: &Value| value.get("writeOnly") == Some(&Value::Bool(true));
        let mut inner = Map::new();
        for (name, spot) in spot.members() {
            let schema = if secret(spot.value) { Value::Bool(false) } else { self.part(&spot, definitions) };
            inner.insert(name.to_owned(), schema);
        }
        let required = beside.get("required").and_then(Value::as_array).filter(|names| names.iter().all(Value::is_string));
        if let Some(required) = required.filter(|_| inner.values().any(|schema| *schema == Value::Bool(false))) {
            let asked = |name: &&Value| name.as_str().and_then(|name| spot.value.get(name)).is_none_or(|schema| !secret(schema));
            let left: Vec<Value> = required.iter().filter(asked).cloned().collect();
            out.insert("required".to_owned(), left.into());
        }
        out.insert("properties".to_owned(), Value::Object(inner));
    }

    fn pattern(&mut self, spot: &Spot<'l>, out: &mut Map<String, Value>) {
        let compiles = |text: &str| RegexBuilder::new(text).size_limit(LARGEST_PATTERN).build().is_ok();
        match spot.value.as_str() {
            Some(text) if compiles(text) => _ = out.insert("pattern".to_owned(), spot.value.clone()),
            Some(_) => self.uncheckable(spot, "a pattern with look-around or other things that cost unbounded time"),
            None => self.uncheckable(spot, "a pattern that is no text"),
        }
    }

    /// `nullable` of 3.0, `x-nullable` of 2.0.
    fn nullable(&self, members: &Map<String, Value>, mut out: Map<String, Value>) -> Value {
        let word = match self.dialect {
            Dialect::Swagger2 => "x-nullable",
            Dialect::OpenApi30 => "nullable",
            Dialect::OpenApi31 => return Value::Object(out),
        };
        if members.get(word) != Some(&Value::Bool(true)) {
            return Value::Object(out);
        }
        if let Some(Value::Array(words)) = out.get_mut("enum")
            && !words.contains(&Value::Null)
        {
            words.push(Value::Null);
        }
        match out.remove("type") {
            Some(Value::String(name)) if name != "null" => {
                out.insert("type".to_owned(), json!([name, "null"]));
                Value::Object(out)
            }
            Some(other) => {
                out.insert("type".to_owned(), other);
                Value::Object(out)
            }
            None if out.keys().all(|key| !is_rule(key)) => Value::Object(out),
            None => json!({ "anyOf": [Value::Object(out), { "type": "null" }] }),
        }
    }
}

/// `exclusiveMinimum: true` beside `minimum: 1` becomes `exclusiveMinimum: 1`.
fn exclusive(members: &Map<String, Value>, out: &mut Map<String, Value>) {
    for (word, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if members.get(word) == Some(&Value::Bool(true))
            && let Some(limit) = out.remove(bound)
        {
            out.insert(word.to_owned(), limit);
        }
    }
}

/// Whether a keyword restricts a value: `description` does not, nor do extensions.
fn is_rule(keyword: &str) -> bool {
    const NOTES: [&str; 16] = [
        "$ref",
        "$id",
        "$schema",
        "$comment",
        "$anchor",
        "$defs",
        "definitions",
        "title",
        "description",
        "summary",
        "default",
        "example",
        "examples",
        "deprecated",
        "externalDocs",
        "xml",
    ];
    const SIDES: [&str; 4] = ["readOnly", "writeOnly", "nullable", "discriminator"];
    !NOTES.contains(&keyword) && !SIDES.contains(&keyword) && !keyword.starts_with("x-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(dialect: Dialect, schema: &Value) -> (Value, Vec<Defect>) {
        let text = json!({ "s": schema, "components": { "schemas": {
            "A": { "type": "string", "description": "a" },
            "Tree": { "type": "object", "properties": { "child": { "$ref": "#/components/schemas/Tree" } } },
        } } });
        let library = Library::open("spec.json", text.to_string().as_bytes(), None).expect("a document");
        let mut rewriter = Rewriter::new(&library, dialect);
        let schema = rewriter.schema(&library.root().member("s").expect("a schema"));
        (schema, rewriter.defects)
    }

    #[test]
    fn what_the_older_dialects_say_is_said_in_the_newest() {
        let old = Dialect::OpenApi30;
        for (what, dialect, given, wanted) in [
            ("nullable joins the types", old, json!({ "type": "string", "nullable": true }), json!({ "type": ["string", "null"] })),
            (
                "a nullable enumeration has null",
                old,
                json!({ "type": "string", "enum": ["a"], "nullable": true }),
                json!({ "type": ["string", "null"], "enum": ["a", null] }),
            ),
            (
                "a composition may be null, too",
                old,
                json!({ "nullable": true, "allOf": [{ "type": "object" }] }),
                json!({ "anyOf": [{ "allOf": [{ "type": "object" }] }, { "type": "null" }] }),
            ),
            (
                "2.0 says it with an extension",
                Dialect::Swagger2,
                json!({ "type": "integer", "x-nullable": true }),
                json!({ "type": ["integer", "null"] }),
            ),
            ("an exclusive bound", old, json!({ "minimum": 1, "exclusiveMinimum": true }), json!({ "exclusiveMinimum": 1 })),
            ("a bound that is not", old, json!({ "minimum": 1, "exclusiveMinimum": false }), json!({ "minimum": 1 })),
            ("a tuple", old, json!({ "items": [{ "type": "string" }] }), json!({ "prefixItems": [{ "type": "string" }] })),
            ("notes are left out", old, json!({ "description": "x", "example": 1, "x-y": 2, "format": "int32" }), json!({})),
            (
                "a member that must not come back",
                old,
                json!({ "required": ["a", "b"], "properties": { "a": { "writeOnly": true }, "b": {} } }),
                json!({ "required": ["b"], "properties": { "a": false, "b": {} } }),
            ),
            (
                "siblings of a reference do not count in 3.0",
                old,
                json!({ "$ref": "#/components/schemas/A", "minLength": 1 }),
                json!({ "type": "string" }),
            ),
            (
                "and do in 3.1",
                Dialect::OpenApi31,
                json!({ "$ref": "#/components/schemas/A", "minLength": 1 }),
                json!({ "$ref": "#/$defs/A", "minLength": 1, "$defs": { "A": { "type": "string" } } }),
            ),
            (
                "a description beside a reference is no rule",
                Dialect::OpenApi31,
                json!({ "$ref": "#/components/schemas/A", "description": "b" }),
                json!({ "type": "string" }),
            ),
        ] {
            let (schema, defects) = rewritten(dialect, &given);
            assert_eq!(schema, wanted, "{what}");
            assert!(defects.is_empty(), "{what}: {defects:?}");
        }
    }

    #[test]
    fn what_refers_to_itself_stays_a_reference() {
        let (schema, _) = rewritten(Dialect::OpenApi30, &json!({ "$ref": "#/components/schemas/Tree" }));
        let tree = json!({ "type": "object", "properties": { "child": { "$ref": "#/$defs/Tree" } } });
        let mut wanted = tree.clone();
        wanted["$defs"] = json!({ "Tree": tree });
        assert_eq!(schema, wanted);
    }

    #[test]
    fn what_cannot_be_held_against_an_answer_is_noted_and_left_out() {
        for given in [
            json!({ "pattern": "^(?!x)" }),
            json!({ "type": "int" }),
            json!({ "required": true }),
            json!({ "enum": [] }),
            json!({ "minLength": -1 }),
            json!({ "allOf": [] }),
        ] {
            let (schema, defects) = rewritten(Dialect::OpenApi30, &given);
            assert_eq!((schema, defects.len()), (json!({}), 1), "{given}");
        }
        assert_eq!(rewritten(Dialect::OpenApi30, &json!("string")).0, json!(true));
        let (schema, defects) = rewritten(Dialect::OpenApi30, &json!({ "items": { "$ref": "#/nowhere" } }));
        assert_eq!((schema, defects[0].kind), (json!({ "items": true }), Kind::Unresolved));
    }
}
