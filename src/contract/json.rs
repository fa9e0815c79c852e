//! JSON as it came, within bounds, borrowing its texts from the body.
//!
//! `serde_json::Value` would copy every text and grow with what a hostile body holds. Here a text without escapes is a
//! slice of the body, and what lies beyond the bounds is read over: a container keeps its first [`KEPT`] entries, a
//! body its first [`NODES`] values. Nesting is limited by the parser, to 128.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Entries kept of one array or object.
const KEPT: usize = 256;
/// Values kept of one body.
const NODES: usize = 16_384;

/// One JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Why a body is not one JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotJson {
    /// It ends inside a value.
    Truncated,
    /// It is nested more than 128 deep.
    TooDeep,
    /// Its texts are not UTF-8, or have escapes of half a character.
    NotText,
    Malformed,
}

impl<'a> Json<'a> {
    /// Reads one value; a byte order mark before it and white space around it are allowed.
    pub(super) fn read(body: &'a [u8]) -> Result<Json<'a>, NotJson> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let budget = Cell::new(NODES);
        let mut parser = serde_json::Deserializer::from_slice(body);
        let value = Seed(&budget).deserialize(&mut parser);
        value.and_then(|value| parser.end().map(|()| value)).map_err(|error| why(&error, body))
    }

    /// A member of an object; of several with one name the last counts.
    pub(super) fn get(&self, name: &str) -> Option<&Json<'a>> {
        match self {
            Json::Object(members) => members.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value at the end of a path of members.
    pub(super) fn at(&self, path: &[String]) -> Option<&Json<'a>> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The text, where it is one.
    pub(super) fn text(&self) -> Option<&Cow<'a, str>> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What kind of value it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(number) if number.fract() == 0.0 => "an integer",
            Json::Number(_) => "a number",
            Json::Text(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

fn why(error: &serde_json::Error, body: &[u8]) -> NotJson {
    let said = error.to_string();
    match () {
        () if error.is_eof() => NotJson::Truncated,
        () if said.starts_with("recursion limit") => NotJson::TooDeep,
        () if said.contains("hex escape") || said.contains("unicode") || std::str::from_utf8(body).is_err() => NotJson::NotText,
        () => NotJson::Malformed,
    }
}

/// Reads a value for as long as the budget lasts.
struct Seed<'b>(&'b Cell<usize>);

impl<'a> DeserializeSeed<'a> for Seed<'_> {
    type Value = Json<'a>;
    fn deserialize<D: Deserializer<'a>>(self, parser: D) -> Result<Json<'a>, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Seed<'_> {
    type Value = Json<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'a>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Json<'a>, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Json<'a>, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json<'a>, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Json<'a>, E> {
        Ok(Json::Number(number))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Json<'a>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json<'a>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Json<'a>, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < KEPT && self.spend() {
            match items.next_element_seed(Seed(self.0))? {
                Some(item) => kept.push(item),
                None => return Ok(Json::Array(kept)),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::Array(kept))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<Json<'a>, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < KEPT && self.spend() {
            match members.next_key_seed(Name)? {
                Some(name) => kept.push((name, members.next_value_seed(Seed(self.0))?)),
                None => return Ok(Json::Object(kept)),
            }
        }
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Json::Object(kept))
    }
}

impl Seed<'_> {
    fn spend(&self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        left > 0
    }
}

/// The name of a member, borrowed where it has no escapes.
struct Name;

impl<'a> DeserializeSeed<'a> for Name {
    type Value = Cow<'a, str>;
    fn deserialize<D: Deserializer<'a>>(self, parser: D) -> Result<Cow<'a, str>, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Name {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_borrowed_from_the_body_and_the_last_of_two_members_counts() {
        let json = Json::read(b"\xef\xbb\xbf {\"a\": \"x\", \"b\": [1, 2.5, null, true], \"a\": \"y\\n\"} ").expect("JSON");
        assert_eq!(json.get("a"), Some(&Json::Text("y\n".into())));
        assert!(matches!(&json, Json::Object(members) if matches!(members[0].1, Json::Text(Cow::Borrowed("x")))));
        assert_eq!(json.at(&["a".into(), "b".into()]), None);
    }

    #[test]
    fn what_is_not_json_says_why() {
        for (body, why) in [
            (&b"{\"a\": "[..], NotJson::Truncated),
            (b"", NotJson::Truncated),
            (b"{\"a\": \"\\ud800\"}", NotJson::NotText),
            (b"{\"a\": \"\xff\"}", NotJson::NotText),
            (b"<html>", NotJson::Malformed),
            (b"{} {}", NotJson::Malformed),
            (b"{'a': 1}", NotJson::Malformed),
            (b"NaN", NotJson::Malformed),
        ] {
            assert_eq!(Json::read(body), Err(why), "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(Json::read("[".repeat(1 << 20).as_bytes()), Err(NotJson::TooDeep));
    }

    #[test]
    fn a_hostile_body_is_kept_only_in_part() {
        let wide = format!("[{}0]", "[0,0,0,0,0,0,0,0,0,0],".repeat(40_000));
        let Ok(Json::Array(items)) = Json::read(wide.as_bytes()) else { panic!("an array") };
        assert_eq!(items.len(), KEPT);
        let members: String = (0..50_000).map(|k| format!("\"k{k}\":1,")).collect();
        let text = format!("{{{members}\"z\":1}}");
        let Ok(Json::Object(kept)) = Json::read(text.as_bytes()) else { panic!("an object") };
        assert_eq!(kept.len(), KEPT);
        let nested = format!("[{}0]", format!("[{}0],", "[1,1,1,1],".repeat(250)).repeat(250));
        fn count(json: &Json<'_>) -> usize {
            1 + if let Json::Array(items) = json { items.iter().map(count).sum() } else { 0 }
        }
        assert!(count(&Json::read(nested.as_bytes()).expect("JSON")) <= NODES + 2);
    }
}
