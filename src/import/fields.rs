//! A plain object schema as the `fields` of a contract: what people read first.
//!
//! Only what `fields` can say exactly becomes fields; a schema with anything more stays JSON text.

use serde_json::{Map, Value};

use super::schema::Steps;
use crate::contract::Role;

/// How deep fields may be nested: deeper ones read worse than a schema.
const DEEPEST: usize = 4;

/// Compositions and references that are looked into one after another at most.
const MOST_LOOKED_INTO: usize = 8;

/// One member of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) required: bool,
    pub(super) nullable: bool,
    pub(super) pattern: Option<String>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) min_len: Option<u64>,
    pub(super) min_items: Option<u64>,
    pub(super) one_of: Vec<String>,
    pub(super) format: Option<&'static str>,
    pub(super) fields: Vec<Field>,
    /// Guessed from its name.
    pub(super) role: Option<Role>,
}

/// The members of an object, and whether there may be no others.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fields {
    pub(super) fields: Vec<Field>,
    pub(super) closed: bool,
}

impl Field {
    /// A member of which nothing but its type is known.
    pub(super) fn new(name: &str, kind: &'static str) -> Field {
        Field {
            name: name.to_owned(),
            kind,
            required: false,
            nullable: false,
            pattern: None,
            min: None,
            max: None,
            min_len: None,
            min_items: None,
            one_of: Vec::new(),
            format: None,
            fields: Vec::new(),
            role: None,
        }
    }
}

/// The fields that say what a schema says; `None` where fields cannot.
pub(super) fn fields(schema: &Value) -> Option<Fields> {
    let members = schema.as_object()?;
    if !members.contains_key("properties") {
        return None;
    }
    let closed = members.get("additionalProperties") == Some(&Value::Bool(false));
    let fields = object(members, DEEPEST, true)?;
    Some(Fields { fields, closed })
}

/// Members of any schema, on two levels by their type, for those who look for roles.
pub(super) fn outline(schema: &Value) -> Vec<Field> {
    outline_at(schema, schema, 2, MOST_LOOKED_INTO, &Steps::new())
}

fn outline_at(schema: &Value, root: &Value, depth: usize, left: usize, steps: &Steps) -> Vec<Field> {
    let (Some(left), Some(()), false) = (left.checked_sub(1), steps.take(), depth == 0) else { return Vec::new() };
    let mut found: Vec<Field> = Vec::new();
    let inherited = parts(schema, root).flat_map(|part| outline_at(part, root, depth, left, steps)).collect::<Vec<_>>();
    let own = schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, inner)| Field {
        fields: outline_at(inner, root, depth - 1, left, steps),
        nullable: inner.get("type").is_some_and(Value::is_array),
        ..Field::new(name, only_kind(inner, root, left, steps).unwrap_or("any"))
    });
    for field in own.chain(inherited) {
        match found.iter_mut().find(|known| known.name == field.name) {
            None => found.push(field),
            Some(known) => {
                known.kind = if known.kind == field.kind { known.kind } else { "any" };
                known.nullable |= field.nullable;
            }
        }
    }
    found
}

/// What a schema is composed of.
fn parts<'s>(schema: &'s Value, root: &'s Value) -> impl Iterator<Item = &'s Value> {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|text| root.pointer(text.strip_prefix('#')?));
    let branches = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten();
    target.into_iter().chain(branches)
}

/// The one type that a schema allows.
fn only_kind(schema: &Value, root: &Value, left: usize, steps: &Steps) -> Option<&'static str> {
    let left = left.checked_sub(1)?;
    steps.take()?;
    match schema.get("type") {
        Some(Value::String(name)) => return kind(name),
        Some(Value::Array(words)) => return or_null(words),
        Some(_) => return None,
        None if schema.get("properties").is_some() => return Some("object"),
        None => {}
    }
    let mut kinds = parts(schema, root).map(|part| only_kind(part, root, left, steps));
    let first = kinds.next()??;
    kinds.all(|kind| kind == Some(first)).then_some(first)
}

fn kind(name: &str) -> Option<&'static str> {
    ["string", "integer", "number", "boolean", "object", "array"].into_iter().find(|known| *known == name)
}

/// Members of an object schema. Only the outermost may be closed.
fn object(members: &Map<String, Value>, depth: usize, outermost: bool) -> Option<Vec<Field>> {
    let depth = depth.checked_sub(1)?;
    for (keyword, value) in members {
        match keyword.as_str() {
            "type" if value == "object" || (!outermost && value.is_array()) => {}
            "properties" | "required" | "title" | "discriminator" => {}
            "additionalProperties" if is_open(value) || (outermost && *value == Value::Bool(false)) => {}
            _ => return None,
        }
    }
    let properties = members.get("properties").and_then(Value::as_object);
    let required: Vec<&str> = members.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let named = |name: &&str| properties.is_some_and(|properties| properties.contains_key(*name));
    let missing = required.iter().filter(|name| !named(name)).map(|name| Field { required: true, ..Field::new(name, "any") });
    let known = properties.into_iter().flatten().map(|(name, schema)| {
        let field = field(name, schema, depth)?;
        Some(Field { required: required.contains(&name.as_str()), ..field })
    });
    known.chain(missing.map(Some)).collect()
}

fn is_open(value: &Value) -> bool {
    *value == Value::Bool(true) || value.as_object().is_some_and(Map::is_empty)
}

fn field(name: &str, schema: &Value, depth: usize) -> Option<Field> {
    let members = match schema {
        Value::Bool(true) => return Some(Field::new(name, "any")),
        Value::Object(members) => members,
        _ => return None,
    };
    let kind = match members.get("type") {
        Some(Value::String(word)) => kind(word)?,
        Some(Value::Array(words)) => or_null(words)?,
        None if members.contains_key("properties") => "object",
        None if members.keys().all(|key| key == "title") => "any",
        _ => return None,
    };
    let mut field = Field::new(name, kind);
    field.nullable = members.get("type").is_some_and(Value::is_array);
    match kind {
        "object" => field.fields = object(members, depth, false)?,
        "array" => items(&mut field, members, depth)?,
        _ => scalar(&mut field, members)?,
    }
    Some(field)
}

fn items(field: &mut Field, members: &Map<String, Value>, depth: usize) -> Option<()> {
    for (keyword, value) in members {
        match keyword.as_str() {
            "type" | "title" => {}
            "minItems" => field.min_items = Some(value.as_u64().filter(|least| *least <= 1_000)?),
            "items" if is_open(value) => {}
            // An item that may be null cannot be said.
            "items" if value.get("type").is_some_and(Value::is_array) => return None,
            "items" => field.fields = object(value.as_object().filter(|items| items.contains_key("properties"))?, depth, false)?,
            _ => return None,
        }
    }
    Some(())
}

fn scalar(field: &mut Field, members: &Map<String, Value>) -> Option<()> {
    let number = matches!(field.kind, "integer" | "number");
    let nullable = field.nullable;
    for (keyword, value) in members {
        match keyword.as_str() {
            "type" | "title" | "x-extensible-enum" => {}
            "pattern" if field.kind == "string" => field.pattern = Some(value.as_str()?.to_owned()),
            "minLength" if field.kind == "string" => field.min_len = Some(value.as_u64().filter(|least| *least <= 1_000_000)?),
            "minimum" if number => field.min = Some(bound(value)?),
            "maximum" if number => field.max = Some(bound(value)?),
            "enum" if field.kind != "boolean" => {
                let words = value.as_array()?.iter().filter(|value| !(nullable && value.is_null()));
                field.one_of = words.map(|value| word(field.kind, value)).collect::<Option<_>>()?;
            }
            "const" if field.kind != "boolean" => field.one_of = vec![word(field.kind, value)?],
            "format" if field.kind == "string" => field.format = format(value.as_str()?)?,
            _ => return None,
        }
    }
    Some(())
}

/// `["string", "null"]`
fn or_null(words: &[Value]) -> Option<&'static str> {
    match words {
        [Value::String(word), Value::String(null)] | [Value::String(null), Value::String(word)] if null == "null" => kind(word),
        _ => None,
    }
}

fn bound(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.abs() <= 1e15)
}

/// A value as `one_of` compares it: texts, and whole numbers by their digits.
fn word(kind: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) if kind == "string" => Some(text.clone()),
        Value::Number(number) if kind == "integer" => number.as_i64().map(|whole| whole.to_string()),
        _ => None,
    }
}

/// The inner `None` is a format that `fields` need not say: it would be no check.
#[expect(clippy::option_option, reason = "the outer one says whether fields can express it at all")]
fn format(name: &str) -> Option<Option<&'static str>> {
    match name {
        "date-time" => Some(Some("rfc3339")),
        "uri" => Some(Some("uri")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plain_object_becomes_fields() {
        let schema = json!({ "type": "object", "additionalProperties": false, "required": ["code", "trace"], "properties": {
            "code": { "type": "string", "pattern": "^[A-Z]+$", "enum": ["A", "B"], "minLength": 1 },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "at": { "type": "string", "format": "date-time" },
            "details": { "type": "array", "minItems": 1, "items": { "type": "object", "properties": { "field": { "type": "string" } } } },
            "any": {},
            "maybe": { "type": ["string", "null"], "enum": ["a", null] },
        } });
        let Fields { fields, closed } = fields(&schema).expect("fields");
        assert!(closed);
        let by = |name: &str| fields.iter().find(|field| field.name == name).expect("a field");
        assert_eq!(by("code").one_of, ["A", "B"]);
        assert_eq!((by("maybe").nullable, by("maybe").one_of.len()), (true, 1));
        assert!(by("code").required && !by("status").required);
        assert_eq!((by("status").min, by("status").max, by("at").format), (Some(400.0), Some(599.0), Some("rfc3339")));
        assert_eq!((by("details").fields.len(), by("details").min_items, by("any").kind), (1, Some(1), "any"));
        assert_eq!((by("trace").kind, by("trace").required), ("any", true), "required, and nowhere described");
    }

    #[test]
    fn what_fields_cannot_say_is_no_field() {
        for inner in [
            json!({ "type": ["string", "integer"] }),
            json!({ "type": "string", "maxLength": 3 }),
            json!({ "oneOf": [{ "type": "string" }] }),
            json!({ "type": "array", "items": { "type": "string" } }),
            json!({ "type": "object", "additionalProperties": false, "properties": {} }),
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            json!({ "type": "string", "format": "uuid" }),
            json!(false),
        ] {
            assert_eq!(fields(&json!({ "properties": { "a": inner } })), None, "{inner}");
        }
        assert_eq!(fields(&json!({ "type": "object" })), None, "nothing is said about its members");
    }

    #[test]
    fn an_outline_is_had_of_any_schema() {
        let schema = json!({ "oneOf": [
            { "properties": { "error": { "properties": { "code": { "type": "string" } } } } },
            { "properties": { "error": { "type": "object" }, "message": { "type": "string" } } },
        ] });
        let outline = outline(&schema);
        assert_eq!(
            outline.iter().map(|field| (field.name.as_str(), field.kind)).collect::<Vec<_>>(),
            [("error", "object"), ("message", "string")]
        );
        assert_eq!(outline[0].fields[0].name, "code");
        let schema = json!({ "$ref": "#/$defs/E", "$defs": { "E": { "properties": { "error": { "oneOf": [
            { "type": "object", "properties": { "type": { "const": "a" } } }, { "$ref": "#/$defs/E" },
        ] } } } } });
        let circular = super::outline(&schema);
        assert_eq!((circular[0].kind, circular[0].fields[0].name.as_str()), ("object", "type"));
    }
}
