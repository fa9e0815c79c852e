//! The text of a document → a JSON value, JSON and YAML alike, within limits.
//!
//! Both readers are driven by one visitor, so that the limits are the same: how many values there may be (an alias of
//! YAML counts as often as it is used), how deep they may be nested, and that no member stands twice. The path of what
//! is being read is kept, so that a problem has a place in the document as well as a line.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{Place, Problem, pointer};

/// Bytes of a document at most.
pub(super) const LARGEST: usize = 64 << 20;
/// Values in a document at most: a document of 20 MB has about one million.
const MOST_VALUES: usize = 4_000_000;
/// Values that aliases of YAML may repeat: more is no document but a bomb.
const MOST_REPEATED: usize = 200_000;
/// How deep values may be nested; a level costs stack.
const DEEPEST: usize = 64;

/// Reads a document. JSON where its first character is `{` or `[`, else YAML.
pub(super) fn read(file: &str, text: &[u8]) -> Result<Value, Problem> {
    if text.len() > LARGEST {
        let what = format!("the document has {} MB; more than {} MB are not read", text.len() >> 20, LARGEST >> 20);
        return Err(at_line(file, 1, 1, &what, "import a part of it, or the document before its references were written out"));
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => {
            let (line, column) = position(&text[..error.valid_up_to()]);
            return Err(at_line(file, line, column, "the document is not UTF-8", "a document is JSON or YAML text"));
        }
    };
    let reading = Reading::default();
    let first = text.trim_start().chars().next();
    let read = match first {
        None => Err(at_line(file, 1, 1, "the document is empty", "name an OpenAPI document, JSON or YAML")),
        Some('{' | '[') => match json(file, text, &reading) {
            // What looks like JSON may be YAML in its flow style; what is too large or too deep stays so.
            Err(problem) if is_yaml(file) && !reading.stopped.get() => yaml(file, text, &Reading::default()).map_err(|_| problem),
            other => other,
        },
        Some(_) => yaml(file, text, &reading),
    };
    read.map_err(|problem| reading.explain(problem))
}

fn is_yaml(file: &str) -> bool {
    let ending = file.rsplit('.').next().unwrap_or("").to_ascii_lowercase();
    ending == "yaml" || ending == "yml"
}

fn json(file: &str, text: &str, reading: &Reading) -> Result<Value, Problem> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Node { reading, depth: 0 }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| {
        let said = error.to_string();
        let what = said.split(" at line ").next().unwrap_or("").to_owned();
        let help = if reading.stopped.get() { "" } else { "a document is JSON or YAML text" };
        at_line(file, error.line(), error.column(), &what, help)
    })
}

fn yaml(file: &str, text: &str, reading: &Reading) -> Result<Value, Problem> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 4 * MOST_VALUES,
            max_nodes: MOST_VALUES,
            max_depth: DEEPEST,
            max_documents: 1,
            max_total_scalar_bytes: 2 * LARGEST,
            max_recorded_anchor_events: MOST_REPEATED,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_REPEATED },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        // `no`, `on` and `y` are texts, as in YAML 1.2.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    let read =
        serde_saphyr::with_deserializer_from_str_with_options(text, options, |reader| Node { reading, depth: 0 }.deserialize(reader));
    read.map_err(|error| {
        let at = error.location();
        let line = at.map_or(1, |at| usize::try_from(at.line()).unwrap_or(1));
        let column = at.map_or(1, |at| usize::try_from(at.column()).unwrap_or(1));
        let said = error.without_snippet().to_string();
        let said = said.split(" at line ").next().unwrap_or("");
        let (what, ours) = yaml_words(said);
        reading.stopped.set(reading.stopped.get() || ours);
        at_line(file, line, column, &what, if reading.stopped.get() { "" } else { "a document is JSON or YAML text" })
    })
}

/// What the reader says, in our words where it was a limit of ours that stopped it.
fn yaml_words(said: &str) -> (String, bool) {
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match () {
        () if says(&["recursion limit", "Depth"]) => (too_deep(), true),
        () if says(&["Anchor", "anchor", "alias", "Alias"]) && says(&["budget", "limit"]) => {
            (format!("aliases repeat more than {MOST_REPEATED} values"), true)
        }
        () if says(&["budget breached"]) => (format!("the document has more than {MOST_VALUES} values"), true),
        () => match said.strip_prefix("duplicate mapping key: ").and_then(|rest| rest.split(", set ").next()) {
            Some(name) => (twice(name), true),
            None => (super::words::first_line(said, 200), false),
        },
    }
}

fn at_line(file: &str, line: usize, column: usize, what: &str, help: &str) -> Problem {
    let place = Place::Line { file: file.to_owned(), line: line.max(1), column: column.max(1) };
    Problem { what: what.to_owned(), place, help: help.to_owned() }
}

fn twice(name: &str) -> String {
    format!("the member `{}` stands twice", super::words::first_line(name, 80))
}

fn too_deep() -> String {
    format!("values are nested more than {DEEPEST} deep")
}

/// Line and column after these bytes.
fn position(before: &[u8]) -> (usize, usize) {
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.len() - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1) + 1;
    (line, column)
}

/// How far a document has been read.
#[derive(Default)]
struct Reading {
    values: Cell<usize>,
    path: RefCell<Vec<Step>>,
    /// Whether it was ended by a rule of ours: the path says where.
    stopped: Cell<bool>,
}

enum Step {
    Member(String),
    Item(usize),
}

impl Reading {
    fn enter(&self, step: Step) {
        self.path.borrow_mut().push(step);
    }

    fn leave(&self) {
        self.path.borrow_mut().pop();
    }

    fn stop<E: Error>(&self, why: &str) -> E {
        self.stopped.set(true);
        E::custom(why)
    }

    /// A problem that our own rules found is told with the place in the document.
    fn explain(&self, mut problem: Problem) -> Problem {
        const LAST: usize = 8;
        let path = self.path.borrow();
        if self.stopped.get() && !path.is_empty() {
            let steps = path.iter().take(LAST).fold(String::new(), |pointer, step| match step {
                Step::Member(name) => pointer::join(&pointer, &name.chars().take(80).collect::<String>()),
                Step::Item(at) => pointer::join(&pointer, &at.to_string()),
            });
            let more = if path.len() > LAST { "/…" } else { "" };
            problem.what = format!("{} (in #{steps}{more})", problem.what);
        }
        problem
    }
}

/// One value that is to be read.
#[derive(Clone, Copy)]
struct Node<'r> {
    reading: &'r Reading,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let values = self.reading.values.get() + 1;
        self.reading.values.set(values);
        if values > MOST_VALUES {
            return Err(self.reading.stop(&format!("the document has more than {MOST_VALUES} values")));
        }
        if self.depth > DEEPEST {
            return Err(self.reading.stop(&too_deep()));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, whole: i64) -> Result<Value, E> {
        Ok(whole.into())
    }

    fn visit_u64<E>(self, whole: u64) -> Result<Value, E> {
        Ok(whole.into())
    }

    fn visit_i128<E>(self, whole: i128) -> Result<Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "beyond 64 bits a number of JSON is a float")]
        let float = whole as f64;
        Ok(Number::from_f64(float).map_or(Value::Null, Value::Number))
    }

    fn visit_u128<E>(self, whole: u128) -> Result<Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "beyond 64 bits a number of JSON is a float")]
        let float = whole as f64;
        Ok(Number::from_f64(float).map_or(Value::Null, Value::Number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            self.reading.enter(Step::Item(items.len()));
            let item = access.next_element_seed(Node { reading: self.reading, depth: self.depth + 1 })?;
            self.reading.leave();
            match item {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key_seed(Name(self.reading))? {
            if members.contains_key(&name) {
                return Err(self.reading.stop(&twice(&name)));
            }
            self.reading.enter(Step::Member(name.clone()));
            let value = access.next_value_seed(Node { reading: self.reading, depth: self.depth + 1 })?;
            self.reading.leave();
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

/// The name of a member: in YAML `200` and `true` may stand for texts.
struct Name<'r>(&'r Reading);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Name<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text as the name of a member")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<String, E> {
        Ok(text)
    }

    fn visit_u64<E>(self, whole: u64) -> Result<String, E> {
        Ok(whole.to_string())
    }

    fn visit_i64<E>(self, whole: i64) -> Result<String, E> {
        Ok(whole.to_string())
    }

    fn visit_f64<E>(self, number: f64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<String, E> {
        Ok(truth.to_string())
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok("null".to_owned())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _access: A) -> Result<String, A::Error> {
        Err(self.0.stop("a list is not the name of a member"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _access: A) -> Result<String, A::Error> {
        Err(self.0.stop("an object is not the name of a member"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str, text: &str) -> String {
        read(name, text.as_bytes()).expect_err("a problem").to_string()
    }

    #[test]
    fn json_and_yaml_become_the_same_value() {
        let json = read("a.json", br#"{"a":[1,-2,2.5,"x",null,true],"200":{"on":"no"}}"#).expect("JSON");
        let yaml = read("a.yaml", b"a: [1, -2, 2.5, x, ~, true]\n200:\n  on: no\n").expect("YAML");
        assert_eq!(json, yaml);
        assert_eq!(read("a.yaml", b"{a: 1}").expect("flow style"), serde_json::json!({ "a": 1 }));
        assert_eq!(read("a.json", b"\xef\xbb\xbf{}").expect("a byte order mark"), serde_json::json!({}));
    }

    #[test]
    fn anchors_are_read_and_count_as_often_as_they_are_used() {
        let value = read("a.yaml", b"a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n  l: 2\n").expect("YAML");
        assert_eq!(value, serde_json::json!({ "a": { "k": 1 }, "b": { "k": 1 }, "c": { "k": 1, "l": 2 } }));
        let mut bomb = "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol,lol]\n".to_owned();
        for n in 1..12 {
            let uses = vec![format!("*a{}", n - 1); 10].join(",");
            bomb += &format!("a{n}: &a{n} [{uses}]\n");
        }
        let said = problem("bomb.yaml", &bomb);
        assert!(said.contains("bomb.yaml:"), "{said}");
    }

    #[test]
    fn a_member_that_stands_twice_is_told_with_its_place() {
        assert_eq!(
            problem("a.json", "{\n \"a\": {\"b/c\": {\"x\": 1,\n \"x\": 2}}}"),
            "the member `x` stands twice (in #/a/b~1c)\n --> a.json:3:4"
        );
        let said = problem("a.yaml", "a:\n  x: 1\n  x: 2\n");
        assert!(said.starts_with("the member `x` stands twice (in #/a)\n --> a.yaml:3:"), "{said}");
    }

    #[test]
    fn what_is_too_deep_is_refused_before_it_costs_anything() {
        for (name, text) in [
            ("a.json", "[".repeat(100_000)),
            ("a.json", "{\"a\":".repeat(100_000)),
            ("a.yaml", "- ".repeat(100_000)),
            ("b.yaml", format!("a: {}", "[".repeat(100_000))),
            ("c.yaml", format!("a: {}", "{a: ".repeat(100_000))),
        ] {
            let said = problem(name, &text);
            assert!(said.contains(&format!(" --> {name}:1:")), "{said}");
        }
    }

    #[test]
    fn what_is_no_document_is_told_with_its_line() {
        for (name, text, line) in [("a.json", "{\n\"a\": }", 2), ("a.yaml", "a: b\n  c: [", 2), ("a.json", " \n", 1)] {
            let said = problem(name, text);
            assert!(said.contains(&format!(" --> {name}:{line}:")), "{said}");
        }
        let said = read("a.bin", b"a: 1\n\xff\xfe").expect_err("no UTF-8").to_string();
        assert!(said.contains("not UTF-8") && said.contains("a.bin:2:1"), "{said}");
    }
}
