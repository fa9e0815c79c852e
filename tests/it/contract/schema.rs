//! JSON Schema, held to the official test suite (draft 2020-12; `tests/data/json-schema-test-suite`) and to another judge.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use brownout::contract::schema::Schema;
use brownout::seed::{Draw, Seed};
use serde_json::{Value, json};

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
