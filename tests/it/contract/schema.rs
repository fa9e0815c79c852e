//! JSON Schema, held to the official test suite (draft 2020-12; `tests/data/json-schema-test-suite`) and to another judge.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use brownout::contract::json::Document;
use brownout::contract::schema::{Outcome, Schema};
use brownout::seed::{Draw, Seed};
use serde_json::{Value, json};

use crate::support::contract::{Trial, now, read};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let inside = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    let mut files: Vec<PathBuf> = inside.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files
}

/// Why a schema of the suite is refused: documents within documents, each with its own `$id`, are not followed.
const REFUSED: [&str; 3] = ["is remote, and is not fetched", "an `$id` of its own below the root", "leads nowhere in this document"];

/// What is judged otherwise, and why: what a punycode label of a host name decodes to is not looked at.
const OTHERWISE: &str = "hostname: validation of A-label (punycode) host names";

#[test]
fn the_official_suite_is_agreed_with() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/json-schema-test-suite");
    let (mut refused, mut judged) = (BTreeSet::new(), 0);
    for file in files(&folder) {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let cases: Value = serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("JSON");
        for case in cases.as_array().expect("a list") {
            let title = format!("{name}: {}", case["description"].as_str().expect("a text"));
            let schema = match Schema::compile(&case["schema"]) {
                Ok(schema) => schema,
                Err(problems) => {
                    let why = &problems[0].what;
                    assert!(REFUSED.iter().any(|known| why.contains(known)), "{title}: {} {why}", problems[0].pointer);
                    refused.insert(title);
                    continue;
                }
            };
            for test in case["tests"].as_array().expect("a list").iter().filter(|_| title != OTHERWISE) {
                let what = format!("{title}: {}", test["description"].as_str().expect("a text"));
                assert_eq!(schema.accepts(test["data"].to_string().as_bytes()), test["valid"].as_bool(), "{what}");
                judged += 1;
            }
        }
    }
    assert!(judged > 1_500, "{judged}");
    assert!(refused.len() < 40, "{refused:#?}");
}

/// Schemas and values from a seed: small words, so that values often come near what schemas ask for.
struct Generator {
    draw: Draw,
    drawn: u64,
}

impl Generator {
    const NAMES: [&'static str; 5] = ["code", "error", "details", "x-a", "b"];
    const TEXTS: [&'static str; 8] = ["", "NOT_FOUND", "a", "b", "2026-01-01", "2026-01-01T00:00:00Z", "é😀", "req_1"];
    const PATTERNS: [&'static str; 6] = ["^[A-Z_]+$", r"^\w+$", "o", "^x-", r"^\d{4}-", "^(a|b)?$"];

    fn below(&mut self, n: u64) -> u64 {
        self.drawn += 1;
        self.draw.with(self.drawn).below(n)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).expect("an index")]
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.below(if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => Value::Bool(self.below(2) == 0),
            2 | 3 => self.number(),
            4 => self.one(&Generator::TEXTS).into(),
            5 | 6 => Value::Object((0..self.below(4)).map(|_| (self.one(&Generator::NAMES).to_owned(), self.value(depth - 1))).collect()),
            _ => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
        }
    }

    fn number(&mut self) -> Value {
        self.one(&[0.0, 1.0, 2.0, 3.5, -1.0, 0.3, 404.0, 1e20, 7.25]).into_json()
    }

    fn schema(&mut self, depth: u32) -> Value {
        if depth == 0 || self.below(12) == 0 {
            return match self.below(6) {
                0 => Value::Bool(self.below(2) == 0),
                1 => json!({ "$ref": self.one(&["#", "#/$defs/one", "#/$defs/two", "#two"]) }),
                _ => json!({ "type": self.one(&["string", "integer", "number", "object", "array", "null", "boolean"]) }),
            };
        }
        let mut schema = serde_json::Map::new();
        for _ in 0..=self.below(3) {
            let (keyword, value) = self.keyword(depth - 1);
            schema.insert(keyword.to_owned(), value);
        }
        Value::Object(schema)
    }

    fn keyword(&mut self, depth: u32) -> (&'static str, Value) {
        let all = [
            "type",
            "enum",
            "const",
            "properties",
            "properties",
            "patternProperties",
            "additionalProperties",
            "propertyNames",
            "required",
            "dependentRequired",
            "dependentSchemas",
            "minProperties",
            "maxProperties",
            "items",
            "prefixItems",
            "contains",
            "minContains",
            "maxContains",
            "minItems",
            "maxItems",
            "uniqueItems",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
            "minLength",
            "maxLength",
            "pattern",
            "format",
            "allOf",
            "anyOf",
            "oneOf",
            "not",
            "if",
            "then",
            "else",
            "unevaluatedProperties",
            "unevaluatedItems",
            "$ref",
        ];
        let keyword = self.one(&all);
        let value = match keyword {
            "type" => json!([self.one(&["string", "number", "object", "array"]), self.one(&["integer", "null", "boolean"])]),
            "enum" => (0..3).map(|_| self.value(1)).collect(),
            "const" => self.value(1),
            "properties" | "dependentSchemas" => {
                Value::Object((0..2).map(|_| (self.one(&Generator::NAMES).to_owned(), self.schema(depth))).collect())
            }
            "patternProperties" => json!({ self.one(&Generator::PATTERNS): self.schema(depth) }),
            "required" => json!([self.one(&Generator::NAMES)]),
            "dependentRequired" => json!({ self.one(&Generator::NAMES): [self.one(&Generator::NAMES)] }),
            "uniqueItems" => Value::Bool(true),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => self.number(),
            "multipleOf" => self.one(&[1.0, 0.1, 2.5, 0.25]).into(),
            "pattern" => self.one(&Generator::PATTERNS).into(),
            "format" => self.one(&["date", "date-time", "email", "uri", "uuid", "ipv4", "hostname", "no-such-format"]).into(),
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => (0..=self.below(3)).map(|_| self.schema(depth)).collect(),
            "$ref" => self.one(&["#/$defs/one", "#/$defs/two", "#two"]).into(),
            _ if keyword.starts_with("min") || keyword.starts_with("max") => self.below(4).into(),
            _ => self.schema(depth),
        };
        (keyword, value)
    }
}

trait IntoJson {
    fn into_json(self) -> Value;
}

impl IntoJson for f64 {
    /// Whole numbers as such: `2`, not `2.0`.
    fn into_json(self) -> Value {
        if self.fract() == 0.0 && self.abs() < 1e15 { Value::from(self as i64) } else { Value::from(self) }
    }
}

#[test]
fn another_judge_says_the_same_of_thousands_of_schemas_and_values() {
    let (mut compared, mut fitting, mut refused) = (0, 0, 0);
    for case in 0..3_000_u64 {
        let mut from = Generator { draw: Seed(20_261_122).draw("schema").with(case), drawn: 0 };
        let mut document = from.schema(3);
        let (one, mut two) = (from.schema(1), from.schema(2));
        let Some(root) = document.as_object_mut() else { continue };
        if let Some(two) = two.as_object_mut() {
            two.insert("$anchor".into(), "two".into());
        } else {
            two = json!({ "$anchor": "two" });
        }
        root.insert("$defs".into(), json!({ "one": one, "two": two }));
        let schema = match Schema::compile(&document) {
            Ok(schema) => schema,
            Err(problems) => {
                // The other judge may follow such a cycle for ever.
                assert!(problems.iter().all(|problem| problem.what.contains("leads back to itself")), "{document}: {problems:?}");
                refused += 1;
                continue;
            }
        };
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
        let other = options.build(&document).unwrap_or_else(|error| panic!("{document}: {error}"));
        for _ in 0..12 {
            let value = from.value(3);
            let theirs = other.is_valid(&value);
            assert_eq!(schema.accepts(value.to_string().as_bytes()), Some(theirs), "{document}\n{value}");
            compared += 1;
            fitting += usize::from(theirs);
        }
    }
    assert!(compared > 20_000, "{compared} compared, {refused} refused");
    assert!((compared / 10..compared * 9 / 10).contains(&fitting), "{fitting} of {compared} fit");
}

/// `$.path /keyword/path: what was wanted <> what was there`, of each misfit.
fn misfits(schema: &Value, value: &Value) -> Vec<String> {
    let schema = Schema::compile(schema).unwrap_or_else(|problems| panic!("{schema}: {problems:?}"));
    let text = value.to_string();
    let document = Document::read(text.as_bytes()).expect("JSON");
    let mut told = Vec::new();
    let outcome = schema.check(document.value(), &mut |misfit| {
        assert!(misfit.keyword == "false" || misfit.schema_path.ends_with(misfit.keyword), "{misfit:?}");
        told.push(format!("{} {}: {} <> {}", misfit.instance_path, misfit.schema_path, misfit.expected, misfit.actual));
    });
    assert_eq!(outcome, if told.is_empty() { Outcome::Fits } else { Outcome::Misfits }, "{value}");
    told
}

#[test]
fn every_keyword_says_what_it_wants_and_what_is_there() {
    let long = json!((0..30).collect::<Vec<_>>());
    for (schema, value, expected) in [
        (json!({ "type": ["string", "null"] }), json!(5), "$ /type: a string or null <> an integer"),
        (json!({ "type": "integer" }), json!(1.5), "$ /type: an integer <> a number"),
        (json!({ "enum": ["B", "A", 1] }), json!("C"), r#"$ /enum: one of "A", "B", 1 <> "C""#),
        (json!({ "const": { "a": 1 } }), json!({ "a": 2 }), r#"$ /const: {"a":1} <> an object"#),
        (json!({ "properties": { "a": { "type": "string" } } }), json!({ "a": 1 }), "$.a /properties/a/type: a string <> an integer"),
        (json!({ "properties": { "a": false } }), json!({ "a": 1 }), "$.a /properties/a: nothing here <> 1"),
        (
            json!({ "patternProperties": { "^x": { "minimum": 3 } } }),
            json!({ "x1": 2 }),
            "$.* /patternProperties/^x/minimum: at least 3 <> 2",
        ),
        (
            json!({ "properties": { "a": {} }, "additionalProperties": false }),
            json!({ "b": 1 }),
            r#"$.* /additionalProperties: only what the schema names <> "b""#,
        ),
        (
            json!({ "additionalProperties": { "type": "string" } }),
            json!({ "b": [] }),
            "$.* /additionalProperties/type: a string <> an array",
        ),
        (
            json!({ "propertyNames": { "maxLength": 2 } }),
            json!({ "abc": 1 }),
            r#"$.* /propertyNames: a name that fits `propertyNames` <> "abc""#,
        ),
        (json!({ "required": ["a"], "properties": { "a": { "type": "string" } } }), json!({}), "$.a /required: a string <> no such member"),
        (
            json!({ "dependentRequired": { "a": ["b"] } }),
            json!({ "a": 1 }),
            r#"$.b /dependentRequired: a value, since there is "a" <> no such member"#,
        ),
        (
            json!({ "dependentSchemas": { "a": { "required": ["b"] } } }),
            json!({ "a": 1 }),
            "$.b /dependentSchemas/a/required: a value <> no such member",
        ),
        (json!({ "minProperties": 2 }), json!({ "a": 1 }), "$ /minProperties: at least 2 members <> 1 members"),
        (json!({ "maxProperties": 0 }), json!({ "a": 1 }), "$ /maxProperties: at most 0 members <> 1 members"),
        (json!({ "items": { "type": "string" } }), json!(["a", 1]), "$[] /items/type: a string <> an integer"),
        (json!({ "prefixItems": [{ "const": 1 }], "items": false }), json!([1, 2]), "$[] /items: only what the schema names <> item 2"),
        (json!({ "prefixItems": [{ "const": 1 }] }), json!([2]), "$[] /prefixItems/0/const: 1 <> 2"),
        (json!({ "contains": { "const": 1 } }), json!([2, 3]), "$ /contains: an item that fits `contains` <> 0 of 2 items fit"),
        (
            json!({ "contains": { "const": 1 }, "minContains": 2 }),
            json!([1]),
            "$ /minContains: at least 2 items that fit `contains` <> 1 of 1 items fit",
        ),
        (
            json!({ "contains": { "const": 1 }, "maxContains": 1 }),
            json!([1, 1]),
            "$ /maxContains: at most 1 items that fit `contains` <> 2 of 2 items fit",
        ),
        (json!({ "minItems": 1 }), json!([]), "$ /minItems: at least 1 items <> 0 items"),
        (json!({ "maxItems": 3 }), long, "$ /maxItems: at most 3 items <> 30 items"),
        (json!({ "uniqueItems": true }), json!([1, "a", 1.0]), "$ /uniqueItems: items that differ <> items 1 and 3 are the same"),
        (json!({ "maximum": 3 }), json!(4), "$ /maximum: at most 3 <> 4"),
        (json!({ "exclusiveMinimum": 3 }), json!(3), "$ /exclusiveMinimum: more than 3 <> 3"),
        (json!({ "exclusiveMaximum": 3 }), json!(3), "$ /exclusiveMaximum: less than 3 <> 3"),
        (json!({ "multipleOf": 0.1 }), json!(0.25), "$ /multipleOf: a multiple of 0.1 <> 0.25"),
        (json!({ "minLength": 2 }), json!("é"), r#"$ /minLength: at least 2 characters <> 1 characters: "é""#),
        (json!({ "maxLength": 1 }), json!("ab"), r#"$ /maxLength: at most 1 characters <> 2 characters: "ab""#),
        (json!({ "pattern": "^[A-Z]+$" }), json!("x"), r#"$ /pattern: a text that matches ^[A-Z]+$ <> "x""#),
        (json!({ "format": "uuid" }), json!("x"), r#"$ /format: a text in the format uuid <> "x""#),
        (json!({ "allOf": [{}, { "type": "null" }] }), json!(1), "$ /allOf/1/type: null <> an integer"),
        (json!({ "anyOf": [{ "type": "null" }, { "type": "string" }] }), json!(1), "$ /anyOf: null or a string <> 1"),
        (
            json!({ "oneOf": [{ "minimum": 1 }, { "minimum": 2 }] }),
            json!(3),
            "$ /oneOf: exactly one of 2 alternatives <> it fits the alternatives 1 and 2",
        ),
        (json!({ "not": { "type": "string" } }), json!("x"), r#"$ /not: what does not fit the schema under `not` <> "x""#),
        (
            json!({ "if": { "required": ["a"] }, "then": { "required": ["b"] } }),
            json!({ "a": 1 }),
            "$.b /then/required: a value <> no such member",
        ),
        (json!({ "if": { "required": ["a"] }, "else": false }), json!({}), "$ /else: nothing here <> an object"),
        (json!({ "$ref": "#/$defs/e", "$defs": { "e": { "type": "string" } } }), json!(1), "$ /$defs/e/type: a string <> an integer"),
        (
            json!({ "allOf": [{ "properties": { "a": {} } }], "unevaluatedProperties": false }),
            json!({ "a": 1, "b": 2 }),
            r#"$.* /unevaluatedProperties: only what the schema names <> "b""#,
        ),
        (
            json!({ "allOf": [{ "prefixItems": [{}] }], "unevaluatedItems": false }),
            json!([1, 2]),
            "$[] /unevaluatedItems: only what the schema names <> item 2",
        ),
    ] {
        assert_eq!(misfits(&schema, &value), [expected], "{schema}");
    }
}

#[test]
fn of_several_alternatives_the_closest_is_spoken_about() {
    // By the member that tells them apart.
    let by_kind = json!({ "oneOf": [
        { "properties": { "kind": { "const": "field" }, "field": { "type": "string" } }, "required": ["kind", "field"] },
        { "properties": { "kind": { "const": "quota" }, "limit": { "type": "integer" }, "unit": { "type": "string" } }, "required": ["kind", "limit", "unit"] },
    ] });
    let value = json!({ "kind": "quota", "field": "x" });
    assert_eq!(
        misfits(&by_kind, &value),
        ["$.limit /oneOf/1/required: an integer <> no such member", "$.unit /oneOf/1/required: a string <> no such member",]
    );
    // By its type, though there is more wrong with it; else by the number of misfits.
    let by_count = json!({ "anyOf": [
        { "type": "null" },
        { "type": "object", "required": ["a", "b", "c"] },
        { "type": "object", "required": ["a", "d"] },
    ] });
    assert_eq!(misfits(&by_count, &json!({ "a": 1 })), ["$.d /anyOf/2/required: a value <> no such member"]);
    // By how far it got.
    let by_depth = json!({ "anyOf": [{ "maxProperties": 0 }, { "properties": { "a": { "properties": { "b": { "type": "string" } } } } }] });
    assert_eq!(misfits(&by_depth, &json!({ "a": { "b": 1 } })), ["$.a.b /anyOf/1/properties/a/properties/b/type: a string <> an integer"]);
}

#[test]
fn a_handful_of_misfits_is_told_of_one_answer() {
    let schema = json!({ "additionalProperties": { "type": "string" } });
    let value = Value::Object((0..200).map(|k| (format!("k{k}"), json!(1))).collect());
    assert_eq!(misfits(&schema, &value).len(), 8);
}

#[test]
fn what_cannot_be_held_against_an_answer_is_refused_with_its_place() {
    for (schema, pointer, said) in [
        (json!({ "$ref": "#" }), "", "leads back to itself"),
        (json!({ "$defs": { "a": { "$ref": "#/$defs/a" } }, "$ref": "#/$defs/a" }), "/$defs/a", "leads back to itself"),
        (json!({ "properties": { "x": { "allOf": [{ "not": { "$ref": "#/properties/x" } }] } } }), "/properties/x", "leads back to itself"),
        (json!({ "$ref": "https://example.com/e.json" }), "/$ref", "is remote, and is not fetched"),
        (json!({ "items": { "$ref": "other.json#/x" } }), "/items/$ref", "is remote, and is not fetched"),
        (json!({ "$ref": "#/$defs/missing" }), "/$ref", "leads nowhere"),
        (json!({ "$ref": "#nowhere" }), "/$ref", "there is no `$anchor`"),
        (json!({ "$ref": "#/required", "required": ["a"] }), "/$ref", "no schema"),
        (json!({ "properties": { "a/b": { "pattern": "(?=x)" } } }), "/properties/a~1b/pattern", "look-ahead"),
        (json!({ "pattern": r"(.)\1" }), "/pattern", "back-reference"),
        (json!({ "patternProperties": { "(": {} } }), "/patternProperties/(", "not a regular expression"),
        (json!({ "type": "text" }), "/type", "is no JSON type"),
        (json!({ "minimum": "1" }), "/minimum", "must be a number"),
        (json!({ "exclusiveMinimum": true }), "/exclusiveMinimum", "draft 4"),
        (json!({ "minLength": -1 }), "/minLength", "whole number"),
        (json!({ "multipleOf": 0 }), "/multipleOf", "more than 0"),
        (json!({ "required": true }), "/required", "list of names"),
        (json!({ "properties": [] }), "/properties", "object of schemas"),
        (json!({ "properties": { "a": 5 } }), "/properties/a", "a schema is"),
        (json!({ "items": [{}] }), "/items", "prefixItems"),
        (json!({ "dependencies": { "a": ["b"] } }), "/dependencies", "dependentRequired"),
        (json!({ "nullable": true }), "/nullable", "OpenAPI 3.0"),
        (json!({ "anyOf": [] }), "/anyOf", "one at least"),
        (json!({ "enum": "a" }), "/enum", "list of values"),
        (json!({ "uniqueItems": 1 }), "/uniqueItems", "true or false"),
        (json!({ "$defs": { "a": { "$id": "https://example.com/a" } }, "$ref": "#/$defs/a" }), "/$defs/a/$id", "below the root"),
        (json!([]), "", "a schema is"),
    ] {
        let problems = Schema::compile(&schema).map(|_| ()).expect_err(&schema.to_string());
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].pointer == pointer && problems[0].what.contains(said), "{problems:?}");
    }
    assert_eq!(Schema::compile_at(&json!({}), "/a").map(|_| ()).expect_err("no such place")[0].what, "there is nothing at this place");
}

#[test]
fn a_part_of_a_larger_document_is_a_schema_with_the_references_of_the_whole() {
    let document = json!({ "components": { "schemas": {
        "Error": { "properties": { "inner": { "$ref": "#/components/schemas/Error" }, "code": { "$ref": "#/components/schemas/Code" } } },
        "Code": { "type": "string" },
        "Broken": { "type": "strange" },
    } } });
    let schema = Schema::compile_at(&document, "/components/schemas/Error").expect("a schema");
    assert_eq!(schema.accepts(br#"{"inner":{"inner":{"code":"X"}}}"#), Some(true));
    assert_eq!(schema.accepts(br#"{"inner":{"inner":{"code":1}}}"#), Some(false));
    assert_eq!(schema.accepts(b"{"), None);
    assert!(schema.names_member("inner") && !schema.names_member("Error"));
}

#[test]
fn what_is_not_kept_of_a_long_answer_is_not_held_against_it() {
    let schema = Schema::compile(&json!({ "required": ["last"] })).expect("a schema");
    let members: String = (0..300).map(|k| format!("\"k{k}\":1,")).collect();
    assert_eq!(schema.accepts(format!("{{{members}\"last\":1}}").as_bytes()), None);
    assert_eq!(schema.accepts(format!("{{\"last\":1,{members}\"z\":1}}").as_bytes()), Some(true));
    let schema = Schema::compile(&json!({ "minItems": 300, "maxItems": 400 })).expect("a schema");
    assert_eq!(schema.accepts(format!("[{}0]", "0,".repeat(299)).as_bytes()), Some(true));
    assert_eq!(schema.accepts(format!("[{}0]", "0,".repeat(400)).as_bytes()), Some(false));
}

#[test]
fn an_error_is_held_to_the_schema_of_its_envelope() {
    let text = r##"name = "x"
[envelope.own]
schema = '''{ "type": "object", "required": ["code", "details"],
  "properties": { "code": { "type": "string" }, "details": { "type": "array", "items": { "$ref": "#/$defs/detail" } } },
  "$defs": { "detail": { "properties": { "field": { "type": "string" } }, "required": ["field"] } } }'''
fields.code = { type = "string", required = true }
[[error]]
status = 400
code = "BAD"
"##;
    let contract = read("x.toml", text).unwrap_or_else(|problems| panic!("{problems}"));
    let found = |body: &Value| Trial::of(&contract, "BAD", &now()).body(body.to_string().as_bytes()).found();
    assert_eq!(found(&json!({ "code": "BAD", "details": [{ "field": "a" }], "more": 1 })), [""; 0]);
    assert_eq!(
        found(&json!({ "code": "BAD", "details": [{ "field": 1 }, { "field": 2 }, {}] })),
        ["B03 high $.details[].field: /$defs/detail/properties/field/type", "B03 high $.details[].field: /$defs/detail/required",]
    );
    let trial = Trial::of(&contract, "BAD", &now()).body(br#"{"code":"BAD"}"#);
    let violation = trial.violations().into_iter().next().expect("a violation");
    assert_eq!((violation.check, violation.instance_path.as_str(), violation.cause.as_str()), ("B03", "$.details", "/required"));
    assert_eq!((violation.expected.as_str(), violation.actual.as_str()), ("an array", "no such member"));
    assert_eq!(violation.contract_ref.map(|source| (source.file, source.line)), Some(("x.toml".to_owned(), 3)));
}

#[test]
fn an_answer_that_fits_costs_no_allocation() {
    let schema = json!({
        "type": "object", "required": ["code", "at"], "additionalProperties": { "type": ["string", "array", "object"] },
        "properties": {
            "code": { "enum": ["NOT_FOUND", "GONE"] }, "at": { "format": "date-time" }, "id": { "pattern": "^req_" },
            "n": { "multipleOf": 0.1 }, "mail": { "format": "email" }, "link": { "format": "uri" }, "host": { "format": "hostname" },
        },
        "patternProperties": { "^x-": { "oneOf": [{ "type": "integer" }, { "type": "array", "uniqueItems": true, "items": { "maxLength": 3 } }] } },
        "propertyNames": { "maxLength": 8 }, "unevaluatedProperties": false,
    });
    let schema = Schema::compile(&schema).expect("a schema");
    let body = br#"{"code":"GONE","at":"2026-01-01T00:00:00Z","id":"req_1","n":0.7,"mail":"a@b.c","link":"https://a.b/c?d#e","host":"a.b","x-a":["a","b"],"x-b":7,"more":{}}"#;
    let document = Document::read(body).expect("JSON");
    let check = || assert_eq!(schema.check(document.value(), &mut |misfit| panic!("{misfit:?}")), Outcome::Fits);
    // A regular expression makes its caches at the first match of a thread.
    check();
    assert_eq!(allocation_counter::measure(check).count_total, 0);
}
