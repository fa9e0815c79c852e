//! What can be said about a rewritten schema: smaller forms of it, what fits it, which codes it names, its shape.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::pointer;

/// Values in a schema whose references were written out at most; a larger one keeps them.
const LARGEST_INLINED: usize = 400;
/// How far a shape is looked into.
const DEEPEST_SHAPE: usize = 6;
/// Compositions looked into at most, one inside the other.
const DEEPEST: usize = 64;
/// Schemas that one question may look at: references that branch could lead anywhere.
const MOST_STEPS: usize = 20_000;

/// Steps that are left for a question.
pub(super) struct Steps(Cell<usize>);

impl Steps {
    pub(super) const fn new() -> Steps {
        Steps(Cell::new(MOST_STEPS))
    }

    /// One more; `None` where there are none left.
    pub(super) fn take(&self) -> Option<()> {
        self.0.set(self.0.get().checked_sub(1)?);
        Some(())
    }
}

/// Keywords that a merged object may have.
const MERGEABLE: [&str; 5] = ["type", "properties", "required", "title", "discriminator"];

/// The schema with its references written out, where that stays small and ends; else as it is.
pub(super) fn inlined(schema: &Value) -> Value {
    let Some(definitions) = schema.get("$defs").and_then(Value::as_object) else { return schema.clone() };
    let mut left = LARGEST_INLINED;
    let mut open = Vec::new();
    let Value::Object(mut members) = schema.clone() else { return schema.clone() };
    members.remove("$defs");
    written_out(&Value::Object(members), definitions, &mut open, &mut left).unwrap_or_else(|| schema.clone())
}

fn written_out<'d>(value: &'d Value, definitions: &'d Map<String, Value>, open: &mut Vec<&'d str>, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    match value {
        Value::Array(items) => {
            items.iter().map(|item| written_out(item, definitions, open, left)).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        Value::Object(members) => {
            let mut out = Map::new();
            for (name, value) in members {
                if name != "$ref" || !value.is_string() {
                    out.insert(name.clone(), written_out(value, definitions, open, left)?);
                }
            }
            let Some(name) = members.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix("#/$defs/")) else {
                return Some(Value::Object(out));
            };
            if open.contains(&name) {
                return None;
            }
            open.push(name);
            let target = written_out(definitions.get(name)?, definitions, open, left)?;
            open.pop();
            Some(beside(out, target))
        }
        other => Some(other.clone()),
    }
}

/// A reference's target with what stood beside the reference.
fn beside(mut out: Map<String, Value>, target: Value) -> Value {
    if out.is_empty() {
        return target;
    }
    match out.get_mut("allOf") {
        Some(Value::Array(parts)) => parts.push(target),
        _ => _ = out.insert("allOf".to_owned(), Value::Array(vec![target])),
    }
    Value::Object(out)
}

/// The schema with an `allOf` of plain objects made into one object, where they do not contradict each other.
pub(super) fn merged(schema: &Value) -> Value {
    merged_at(schema, DEEPEST)
}

fn merged_at(schema: &Value, depth: usize) -> Value {
    let (Value::Object(members), Some(depth)) = (schema, depth.checked_sub(1)) else { return schema.clone() };
    let mut out = members.clone();
    if let Some(Value::Object(properties)) = out.get_mut("properties") {
        properties.values_mut().for_each(|inner| *inner = merged_at(inner, depth));
    }
    if let Some(items) = out.get_mut("items") {
        *items = merged_at(items, depth);
    }
    let Some(Value::Array(parts)) = out.get("allOf") else { return Value::Object(out) };
    let parts: Vec<Value> = parts.iter().map(|part| merged_at(part, depth)).collect();
    let mut own = out.clone();
    own.remove("allOf");
    let rules = |part: &Value| part.as_object().is_some_and(|part| part.keys().any(|key| key != "title"));
    match parts.as_slice() {
        // One part alone stands for itself, whatever it is.
        [only] if !rules(&Value::Object(own.clone())) => only.clone(),
        parts => joined(&own, parts).unwrap_or_else(|| {
            out.insert("allOf".to_owned(), parts.to_vec().into());
            Value::Object(out)
        }),
    }
}

fn joined(own: &Map<String, Value>, parts: &[Value]) -> Option<Value> {
    let mut all = own.clone();
    if !all.keys().all(|key| MERGEABLE.contains(&key.as_str())) {
        return None;
    }
    for part in parts {
        if *part == Value::Bool(true) {
            continue;
        }
        for (key, value) in part.as_object()? {
            match (key.as_str(), all.get_mut(key)) {
                (key, _) if !MERGEABLE.contains(&key) => return None,
                ("title" | "discriminator", Some(_)) => {}
                (_, None) => _ = all.insert(key.clone(), value.clone()),
                ("properties", Some(Value::Object(known))) => {
                    for (name, schema) in value.as_object()? {
                        let before = known.insert(name.clone(), schema.clone());
                        if before.is_some_and(|before| bare(&before) != bare(schema)) {
                            return None;
                        }
                    }
                }
                ("required", Some(Value::Array(known))) => {
                    known.extend(value.as_array()?.iter().filter(|name| !known.contains(name)).cloned().collect::<Vec<_>>());
                }
                (_, Some(known)) if known == value => {}
                _ => return None,
            }
        }
    }
    Some(Value::Object(all))
}

/// The schema without what is there for names and codes only: as it is written into a contract.
pub(super) fn bare(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut out = Map::new();
            for (name, value) in members {
                let value = match name.as_str() {
                    "title" | "discriminator" | "x-extensible-enum" => continue,
                    // Values, and members by name: nothing in them is a keyword.
                    "enum" | "const" | "required" | "dependentRequired" => value.clone(),
                    "properties" | "patternProperties" | "dependentSchemas" | "$defs" => match value {
                        Value::Object(inner) => Value::Object(inner.iter().map(|(name, schema)| (name.clone(), bare(schema))).collect()),
                        other => other.clone(),
                    },
                    _ => bare(value),
                };
                out.insert(name.clone(), value);
            }
            Value::Object(out)
        }
        Value::Array(items) => items.iter().map(bare).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

/// Whether any JSON fits.
pub(super) fn is_anything(schema: &Value) -> bool {
    match bare(schema) {
        Value::Bool(truth) => truth,
        Value::Object(members) => members.keys().all(|key| key == "$defs"),
        _ => false,
    }
}

/// Whether `{}` fits. Where that is hard to say, it does not.
pub(super) fn accepts_empty(schema: &Value) -> bool {
    fits_empty(schema, schema, DEEPEST, &Steps::new())
}

fn fits_empty(schema: &Value, root: &Value, depth: usize, steps: &Steps) -> bool {
    let (Some(depth), Some(())) = (depth.checked_sub(1), steps.take()) else { return false };
    let members = match schema {
        Value::Bool(truth) => return *truth,
        Value::Object(members) => members,
        _ => return false,
    };
    let inner = |schema: &Value| fits_empty(schema, root, depth, steps);
    members.iter().all(|(keyword, value)| match keyword.as_str() {
        "type" => value == "object" || value.as_array().is_some_and(|types| types.iter().any(|name| name == "object")),
        "required" => value.as_array().is_some_and(Vec::is_empty),
        "minProperties" => value.as_u64() == Some(0),
        "enum" => value.as_array().is_some_and(|values| values.contains(&Value::Object(Map::new()))),
        "const" => *value == Value::Object(Map::new()),
        "$ref" => value.as_str().and_then(|text| target(root, text)).is_some_and(inner),
        "allOf" => value.as_array().is_some_and(|parts| parts.iter().all(inner)),
        "anyOf" => value.as_array().is_some_and(|parts| parts.iter().any(inner)),
        "oneOf" => value.as_array().is_some_and(|parts| parts.iter().filter(|part| inner(part)).count() == 1),
        "not" | "if" => false,
        // The rest is about other types, or about members that `{}` does not have.
        _ => true,
    })
}

fn target<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    pointer::find(root, reference.strip_prefix('#')?)
}

/// The codes that a schema names at a member, and whether there may be others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Codes {
    pub(super) words: Vec<String>,
    pub(super) open: bool,
}

impl Codes {
    /// The codes in an order of their own, to be compared.
    pub(super) fn sorted(&self) -> Vec<String> {
        let mut words = self.words.clone();
        words.sort_unstable();
        words
    }

    /// What both say together: a code that either rules out is none. Two that contradict each other are taken for the first.
    fn and(self, other: Codes) -> Codes {
        match (self.open, other.open) {
            (true, false) => other,
            (_, true) => self,
            (false, false) => {
                let both: Vec<String> = self.words.iter().filter(|word| other.words.contains(word)).cloned().collect();
                if both.is_empty() { self } else { Codes { words: both, open: false } }
            }
        }
    }
}

/// What a schema says about the values of the member at `path` (`["error", "code"]`); `None` where it names none.
pub(super) fn codes(schema: &Value, path: &[String]) -> Option<Codes> {
    let mut codes = codes_at(schema, schema, path, DEEPEST, &Steps::new())?;
    let mut known = std::collections::BTreeSet::new();
    codes.words.retain(|word| known.insert(word.clone()));
    (!codes.words.is_empty()).then_some(codes)
}

fn codes_at(schema: &Value, root: &Value, path: &[String], depth: usize, steps: &Steps) -> Option<Codes> {
    let depth = depth.checked_sub(1)?;
    steps.take()?;
    let inner = |schema: &Value, path: &[String]| codes_at(schema, root, path, depth, steps);
    let behind = schema.get("$ref").and_then(Value::as_str).and_then(|text| target(root, text)).and_then(|schema| inner(schema, path));
    let own = || match path.split_first() {
        None => values(schema),
        Some((name, rest)) => {
            let mapping = || schema.get("discriminator").filter(|_| rest.is_empty()).and_then(|by| mapped(by, name));
            mapping().or_else(|| schema.get("properties")?.get(name).and_then(|schema| inner(schema, rest)))
        }
    };
    let parts = |keyword: &str| schema.get(keyword).and_then(Value::as_array);
    let all = || parts("allOf")?.iter().filter_map(|part| inner(part, path)).reduce(Codes::and);
    let either = || {
        let all: Vec<Option<Codes>> = ["oneOf", "anyOf"]
            .into_iter()
            .filter_map(parts)
            .flatten()
            .filter(|part| !is_null(part))
            .map(|part| inner(part, path))
            .collect();
        let open = all.iter().any(Option::is_none);
        let union = all.into_iter().flatten().reduce(|mut a, b| {
            a.words.extend(b.words);
            Codes { words: a.words, open: a.open || b.open }
        })?;
        Some(Codes { open: union.open || open, ..union })
    };
    [behind, own(), all(), either()].into_iter().flatten().reduce(Codes::and)
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|name| name == "null")
}

fn values(schema: &Value) -> Option<Codes> {
    let texts =
        |values: &Value| values.as_array().map(|values| values.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>());
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        return Some(Codes { words: vec![word.to_owned()], open: false });
    }
    match schema.get("enum").and_then(texts) {
        Some(words) => Some(Codes { words, open: false }),
        None => schema.get("x-extensible-enum").and_then(texts).map(|words| Codes { words, open: true }),
    }
}

/// A discriminator's mapping names codes where it is the code that discriminates.
fn mapped(discriminator: &Value, name: &str) -> Option<Codes> {
    if discriminator.get("propertyName")?.as_str()? != name {
        return None;
    }
    let words: Vec<String> = discriminator.get("mapping")?.as_object()?.keys().cloned().collect();
    Some(Codes { words, open: false })
}

/// Which members of which types a schema names, as one text: two schemas of one shape differ in their rules only.
pub(super) fn shape(schema: &Value) -> String {
    let mut lines = Vec::new();
    shape_of(schema, "$", DEEPEST_SHAPE, &mut lines);
    lines.sort_unstable();
    lines.dedup();
    lines.join(" ")
}

fn shape_of(schema: &Value, path: &str, depth: usize, lines: &mut Vec<String>) {
    let types = match schema.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
        _ if schema.get("properties").is_some() => "object".to_owned(),
        _ => "any".to_owned(),
    };
    lines.push(format!("{path}:{types}"));
    let Some(depth) = depth.checked_sub(1) else { return };
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        shape_of(inner, &format!("{path}.{name}"), depth, lines);
    }
    if let Some(items) = schema.get("items") {
        shape_of(items, &format!("{path}[]"), depth, lines);
    }
    for part in ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten() {
        shape_of(part, path, depth, lines);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_written_out_where_that_ends() {
        let schema = json!({ "properties": { "a": { "$ref": "#/$defs/A" }, "b": { "$ref": "#/$defs/A", "minLength": 1 } },
            "$defs": { "A": { "type": "string" } } });
        let wanted = json!({ "properties": { "a": { "type": "string" }, "b": { "minLength": 1, "allOf": [{ "type": "string" }] } } });
        assert_eq!(inlined(&schema), wanted);
        let circle = json!({ "properties": { "a": { "$ref": "#/$defs/A" } }, "$defs": { "A": { "items": { "$ref": "#/$defs/A" } } } });
        assert_eq!(inlined(&circle), circle);
        let wide = json!({ "allOf": vec![json!({ "$ref": "#/$defs/A" }); 500], "$defs": { "A": { "type": "string" } } });
        assert_eq!(inlined(&wide), wide);
    }

    #[test]
    fn plain_objects_become_one_unless_they_contradict_each_other() {
        let a = json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": "string" } } });
        let b = json!({ "type": "object", "required": ["b"], "properties": { "b": { "type": "string" } } });
        let both =
            json!({ "type": "object", "required": ["a", "b"], "properties": { "a": { "type": "string" }, "b": { "type": "string" } } });
        assert_eq!(merged(&json!({ "allOf": [a, b] })), both);
        let odd = json!({ "allOf": [a, { "properties": { "a": { "type": "integer" } } }] });
        assert_eq!(merged(&odd), odd);
        assert_eq!(merged(&json!({ "allOf": [{ "type": "string" }] })), json!({ "type": "string" }));
    }

    #[test]
    fn it_is_seen_what_an_empty_object_fits() {
        for (schema, empty, anything) in [
            (json!(true), true, true),
            (json!({ "title": "x" }), true, true),
            (json!({ "type": "object", "properties": { "a": { "type": "string" } } }), true, false),
            (json!({ "required": ["a"] }), false, false),
            (json!({ "type": "string" }), false, false),
            (json!({ "type": ["object", "null"] }), true, false),
            (json!({ "allOf": [{ "type": "object" }, { "required": ["a"] }] }), false, false),
            (json!({ "anyOf": [{ "type": "string" }, { "type": "object" }] }), true, false),
            (json!({ "$ref": "#/$defs/A", "$defs": { "A": { "type": "object" } } }), true, false),
            (json!({ "$ref": "#/$defs/A", "$defs": { "A": { "$ref": "#/$defs/A" } } }), false, false),
        ] {
            assert_eq!((accepts_empty(&schema), is_anything(&schema)), (empty, anything), "{schema}");
        }
    }

    #[test]
    fn codes_come_from_enumerations_constants_mappings_and_branches() {
        let path = ["error".to_owned(), "code".to_owned()];
        let at = |schema: Value| codes(&json!({ "properties": { "error": { "properties": { "code": schema } } } }), &path);
        let of = |words: &[&str], open| Some(Codes { words: words.iter().map(|word| (*word).to_owned()).collect(), open });
        assert_eq!(at(json!({ "enum": ["A", "B", null] })), of(&["A", "B"], false));
        assert_eq!(at(json!({ "const": "A" })), of(&["A"], false));
        assert_eq!(at(json!({ "x-extensible-enum": ["A"] })), of(&["A"], true));
        assert_eq!(at(json!({ "type": "string" })), None);
        let branches = json!({ "oneOf": [
            { "properties": { "error": { "properties": { "code": { "const": "A" } } } } },
            { "properties": { "error": { "properties": { "code": { "const": "B" } } } } },
        ] });
        assert_eq!(codes(&branches, &path), of(&["A", "B"], false));
        let part = |word: &[&str]| json!({ "properties": { "error": { "properties": { "code": { "enum": word } } } } });
        let narrowed = json!({ "allOf": [part(&["A", "B", "C"]), part(&["C", "A"])] });
        assert_eq!(codes(&narrowed, &path), of(&["A", "C"], false), "a part that allows less counts, whichever comes first");
        let beside = json!({ "allOf": [part(&["A", "B"])], "properties": part(&["B"])["properties"] });
        assert_eq!(codes(&beside, &path), of(&["B"], false));
        let mapped = json!({ "discriminator": { "propertyName": "code", "mapping": { "X": "#/a", "Y": "#/b" } }, "oneOf": [] });
        assert_eq!(codes(&mapped, &path[1..]), of(&["X", "Y"], false));
    }

    #[test]
    fn rules_do_not_change_a_shape() {
        let a = json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": "string", "minLength": 1 } } });
        let b = json!({ "properties": { "a": { "type": "string" } } });
        assert_eq!(shape(&a), shape(&b));
        assert_eq!(shape(&a), "$.a:string $:object");
    }
}
