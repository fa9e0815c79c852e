//! A schema comes from outside: whatever it says, it is read, or refused with its place, in bounded time; and whatever it
//! makes of an answer costs bounded time, too.

use std::time::{Duration, Instant};

use brownout::contract::schema::{Schema, SchemaProblem};
use serde_json::{Map, Value, json};

/// Debug builds on a loaded machine: a bound against hangs, not a measurement.
const SOON: Duration = Duration::from_secs(20);

fn compile(schema: &Value) -> Result<Schema, Vec<SchemaProblem>> {
    let begun = Instant::now();
    let compiled = Schema::compile(schema);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    compiled
}

fn refused(schema: &Value, said: &str) {
    let problems = compile(schema).map(|_| ()).expect_err(said);
    assert!(problems.len() <= 16, "{}", problems.len());
    assert!(problems.iter().any(|problem| problem.what.contains(said)), "{said}: {:?}", problems[0]);
    assert!(problems.iter().all(|problem| problem.what.len() < 300), "{:?}", problems[0]);
}

/// An object with so many members.
fn many(count: usize, value: impl Fn(usize) -> Value) -> Value {
    Value::Object((0..count).map(|k| (format!("member-number-{k}"), value(k))).collect::<Map<_, _>>())
}

#[test]
fn schemas_beyond_all_measure_are_refused() {
    // 5 MB of members.
    refused(
        &json!({ "properties": many(60_000, |_| json!({ "type": "string", "minLength": 1, "description": "x".repeat(40) })) }),
        "more than 20000 schemas",
    );
    refused(&json!({ "enum": (0..50_000).map(|k| format!("value-{k}")).collect::<Vec<_>>() }), "more than 20000 values");
    refused(&json!({ "properties": many(300, |k| json!({ "pattern": format!("^{k}$") })) }), "more than 200 different patterns");
    let chain = many(200, |k| json!({ "$ref": format!("#/$defs/member-number-{}", k + 1) }));
    let mut chain = json!({ "$defs": chain, "$ref": "#/$defs/member-number-0" });
    chain["$defs"]["member-number-200"] = json!({});
    refused(&chain, "more than 100 schemas apply to one value");
    let many_wrong = json!({ "properties": many(5_000, |_| json!({ "type": "strange" })) });
    refused(&many_wrong, "is no JSON type");
}

/// `{ name: inner }`, without a copy of what is inside.
fn around(name: &str, inner: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), inner)]))
}

#[test]
fn a_schema_nested_ten_thousand_deep_is_refused_without_harm() {
    // Built, read and thrown away on a stack that has room for the document itself.
    let deep = std::thread::Builder::new().stack_size(256 << 20).spawn(|| {
        for keyword in ["not", "items", "additionalProperties", "if"] {
            let deep = (0..10_000).fold(json!({}), |inner, _| around(keyword, inner));
            refused(&deep, "nested more than 256 deep");
        }
        let deep = (0..10_000).fold(json!({}), |inner, _| around("properties", around("a", inner)));
        refused(&deep, "nested more than 256 deep");
    });
    deep.expect("a thread").join().expect("no panic");
}

#[test]
fn references_that_multiply_are_followed_once() {
    // Each doubles the one before: 2^60 if they were expanded.
    let mut defs = Map::new();
    for k in 0..60 {
        let next = format!("#/$defs/d{}", k + 1);
        defs.insert(format!("d{k}"), json!({ "properties": { "a": { "$ref": next }, "b": { "$ref": next } } }));
    }
    defs.insert("d60".into(), json!({ "type": "string" }));
    let schema = compile(&json!({ "$defs": defs, "$ref": "#/$defs/d0" })).expect("a schema");
    assert_eq!(schema.accepts(br#"{"a":{"b":{"a":{}}}}"#), Some(true));
}

#[test]
fn alternatives_that_multiply_are_given_up() {
    // Every level asks everything below it twice, on the same value: 2^30 questions.
    let mut defs = Map::new();
    for k in 0..30 {
        let next = format!("#/$defs/d{}", k + 1);
        defs.insert(format!("d{k}"), json!({ "anyOf": [{ "allOf": [{ "$ref": next }, { "type": "null" }] }, { "$ref": next }] }));
    }
    defs.insert("d30".into(), json!({ "not": {} }));
    let schema = compile(&json!({ "$defs": defs, "$ref": "#/$defs/d0" })).expect("a schema");
    let begun = Instant::now();
    assert_eq!(schema.accepts(b"1"), None);
    assert!(schema.sample(None).is_none());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn recursion_goes_as_deep_as_an_answer_may() {
    let schema = json!({ "anyOf": [{ "type": "null" }, { "type": "array", "items": { "$ref": "#" } }] });
    let schema = compile(&schema).expect("a schema");
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(schema.accepts(nested(127).as_bytes()), Some(true));
    assert_eq!(schema.accepts(nested(100).replace("[]", "[1]").as_bytes()), Some(false));
    assert_eq!(schema.accepts(nested(129).as_bytes()), None, "no such answer is read");
    // A dozen schemas for each level: deeper than any answer needs, and given up.
    let wrapped = (0..12).fold(json!({ "items": { "$ref": "#" } }), |inner, _| json!({ "allOf": [inner] }));
    let schema = compile(&wrapped).expect("a schema");
    assert_eq!(schema.accepts(nested(20).as_bytes()), Some(true));
    assert_eq!(schema.accepts(nested(120).as_bytes()), None);
}

#[test]
fn patterns_that_other_engines_choke_on_are_linear_here() {
    let begun = Instant::now();
    for pattern in ["^(a+)+$", "^(a|a)*$", "(x+x+)+y", "^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*$", "(.*a){12}"] {
        let schema = compile(&json!({ "pattern": pattern })).expect("a schema");
        for body in [format!("\"{}!\"", "a".repeat(50_000)), format!("\"{}!\"", "x".repeat(50_000))] {
            assert!(schema.accepts(body.as_bytes()).is_some(), "{pattern}");
        }
    }
    refused(&json!({ "pattern": "(((a{1000}){1000}){1000})" }), "shorten its repetitions");
    refused(&json!({ "pattern": "a".repeat(5_000) }), "5000 bytes");
    refused(&json!({ "pattern": "(".repeat(2_000) }), "not a regular expression");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn answers_built_to_be_slow_are_given_up_or_judged_soon() {
    let begun = Instant::now();
    let wide = |item: &str, count: usize| format!("[{}{item}]", format!("{item},").repeat(count - 1)).into_bytes();
    let unique = compile(&json!({ "items": { "uniqueItems": true } })).expect("a schema");
    let inner = format!("[{}]", (0..200).map(|k| k.to_string()).collect::<Vec<_>>().join(","));
    assert_eq!(unique.accepts(&wide(&inner, 60)), None, "60 times 20 000 comparisons");
    let members = compile(&json!({ "items": { "required": (0..5_000).map(|k| format!("k{k}")).collect::<Vec<_>>() } })).expect("a schema");
    assert_eq!(members.accepts(&wide("{}", 200)), Some(false));
    let contains = compile(&json!({ "contains": { "contains": { "contains": { "const": 1 } } } })).expect("a schema");
    let nested = wide(&String::from_utf8(wide(&String::from_utf8(wide("0", 20)).expect("text"), 20)).expect("text"), 20);
    assert_eq!(contains.accepts(&nested), Some(false));
    let texts =
        compile(&json!({ "allOf": (0..100).map(|k| json!({ "pattern": format!("^[^{k}]*$") })).collect::<Vec<_>>() })).expect("a schema");
    assert_eq!(texts.accepts(format!("\"{}\"", "x".repeat(1 << 20)).as_bytes()), None, "100 MB of text to match");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}
