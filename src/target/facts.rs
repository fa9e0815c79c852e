//! What is known while a request is answered, and shapes filled with it.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use serde_json::Value as Json;

use super::store::Store;
use crate::contract::server::{Known, Lookup, Part, Shape};

/// Everything that shapes and triggers can ask for; what does not apply is `None`, zero or empty.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub store: &'a Store,
    pub headers: &'a HeaderMap,
    /// The query as sent, without its `?`.
    pub query: &'a str,
    pub body: Option<&'a Json>,
    /// Items by resource and number: those of the path, those that the body refers to.
    pub items: &'a [(usize, u64)],
    pub now_unix_s: i64,
    pub status: u16,
    pub user: Option<&'a str>,
    pub id: Option<&'a str>,
    /// The item the answer is about.
    pub item: Option<(usize, u64)>,
    /// A list, as JSON.
    pub list: Option<&'a [u8]>,
    pub cursor: Option<u64>,
    pub text: &'a str,
    pub word: Option<(usize, &'a str)>,
    pub upload: Option<(u64, &'a str)>,
    pub why: Why<'a>,
    pub allowance: Option<Shown>,
}

/// The rate limit as an answer shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    pub limit: u32,
    pub remaining: u32,
    /// Seconds since the Unix epoch.
    pub reset: i64,
}

/// What is wrong, for one thing that is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Why<'a> {
    pub field: Option<&'a str>,
    pub issue: Option<&'a str>,
    pub resource: Option<&'a str>,
    pub id: Option<&'a str>,
    pub role: Option<&'a str>,
}

/// A value that was found.
pub enum Found<'a> {
    Json(&'a Json),
    Text(Cow<'a, str>),
    Number(i64),
    Truth(bool),
    Members(&'a serde_json::Map<String, Json>),
    /// JSON, written already.
    Written(&'a [u8]),
}

impl<'a> Facts<'a> {
    /// Nothing is known but the request's head and what the server keeps.
    pub const fn bare(store: &'a Store, headers: &'a HeaderMap) -> Facts<'a> {
        Facts {
            store,
            headers,
            query: "",
            body: None,
            items: &[],
            now_unix_s: 0,
            status: 0,
            user: None,
            id: None,
            item: None,
            list: None,
            cursor: None,
            text: "",
            word: None,
            upload: None,
            why: Why { field: None, issue: None, resource: None, id: None, role: None },
            allowance: None,
        }
    }

    /// The value of a lookup, if there is one.
    pub fn find(&self, lookup: &Lookup) -> Option<Found<'a>> {
        match lookup {
            Lookup::Body(path) => member(self.body?, path).map(Found::Json),
            Lookup::Header(name) => self.headers.get(name)?.to_str().ok().map(|text| Found::Text(Cow::Borrowed(text))),
            Lookup::Query(name) => query_value(self.query, name).map(Found::Text),
            Lookup::Item(resource, path) => {
                let (_, number) = *self.items.iter().rev().find(|(known, _)| known == resource)?;
                self.stored(*resource, number, path)
            }
            Lookup::Fixed(resource, id, path) => self.stored(*resource, self.store.number(*resource, id)?, path),
            Lookup::Known(known) => self.known(*known),
        }
    }

    fn stored(&self, resource: usize, number: u64, path: &[String]) -> Option<Found<'a>> {
        let members = &self.store.item(resource, number)?.members;
        match path {
            [] => Some(Found::Members(members)),
            [first, rest @ ..] => member(members.get(first)?, rest).map(Found::Json),
        }
    }

    fn known(&self, known: Known) -> Option<Found<'a>> {
        let text = |text: Option<&'a str>| text.map(|text| Found::Text(Cow::Borrowed(text)));
        match known {
            Known::Status => Some(Found::Number(self.status.into())),
            Known::Now => Some(Found::Text(Cow::Owned(rfc3339(self.now_unix_s)))),
            Known::NowSeconds => Some(Found::Number(self.now_unix_s)),
            Known::Id => text(self.id.or(self.why.id)),
            Known::User => text(self.user),
            Known::Item => self.item.and_then(|(resource, number)| self.stored(resource, number, &[])),
            Known::Items => self.list.map(Found::Written),
            Known::Cursor => self.cursor.map(|cursor| Found::Text(Cow::Owned(cursor.to_string()))),
            Known::HasMore => Some(Found::Truth(self.cursor.is_some())),
            Known::Text => Some(Found::Text(Cow::Borrowed(self.text))),
            Known::Word => text(self.word.map(|(_, word)| word)),
            Known::Index => self.word.map(|(index, _)| Found::Number(index as i64)),
            Known::Size => self.upload.map(|(size, _)| Found::Number(size as i64)),
            Known::MediaType => text(self.upload.map(|(_, media_type)| media_type)),
            Known::Field => text(self.why.field),
            Known::Issue => text(self.why.issue),
            Known::Resource => text(self.why.resource),
            Known::Role => text(self.why.role),
            Known::Limit => self.allowance.map(|shown| Found::Number(shown.limit.into())),
            Known::Remaining => self.allowance.map(|shown| Found::Number(shown.remaining.into())),
            Known::Reset => self.allowance.map(|shown| Found::Number(shown.reset)),
        }
    }

    /// Whether a value is what a trigger waits for.
    pub fn is(&self, lookup: &Lookup, wanted: &Json) -> bool {
        match self.find(lookup) {
            None => wanted.is_null(),
            Some(Found::Json(value)) => value == wanted,
            Some(Found::Text(text)) => wanted.as_str() == Some(&text),
            Some(Found::Number(number)) => wanted.as_i64() == Some(number),
            Some(Found::Truth(truth)) => wanted.as_bool() == Some(truth),
            Some(Found::Members(_) | Found::Written(_)) => false,
        }
    }

    /// The shape as JSON.
    pub fn json(&self, shape: &Shape, out: &mut Vec<u8>) {
        for part in &shape.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Value(lookup) => match self.find(lookup) {
                    Some(found) => found.write(out),
                    None => out.extend_from_slice(b"null"),
                },
                Part::Quoted(lookup) => {
                    if let Some(found) = self.find(lookup) {
                        let quoted = Json::from(found.text()).to_string();
                        out.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
                    }
                }
                Part::Raw(lookup) => {
                    if let Some(found) = self.find(lookup) {
                        out.extend_from_slice(found.text().as_bytes());
                    }
                }
            }
        }
    }

    /// The shape as a JSON value; `None` where something it names is not known.
    pub fn value(&self, shape: &Shape) -> Option<Json> {
        let mut out = Vec::new();
        self.complete(shape).then(|| self.json(shape, &mut out))?;
        serde_json::from_slice(&out).ok()
    }

    /// The shape as a header's value; `None` where something it names is not known, or no header could carry it.
    pub fn header(&self, shape: &Shape) -> Option<HeaderValue> {
        if let [Part::Raw(lookup)] = shape.parts.as_slice() {
            return match self.find(lookup)? {
                Found::Number(number) => Some(HeaderValue::from(number)),
                found => HeaderValue::from_str(&found.text()).ok(),
            };
        }
        let mut out = Vec::new();
        self.complete(shape).then(|| self.json(shape, &mut out))?;
        HeaderValue::from_bytes(&out).ok()
    }

    /// Whether everything that the shape names is known.
    pub fn complete(&self, shape: &Shape) -> bool {
        shape.parts.iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Value(lookup) | Part::Quoted(lookup) | Part::Raw(lookup) => self.find(lookup).is_some(),
        })
    }
}

impl Found<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        // Writing JSON that is in memory into memory cannot fail.
        let _ = match self {
            Found::Json(value) => serde_json::to_writer(out, value),
            Found::Text(text) => serde_json::to_writer(out, text),
            Found::Number(number) => serde_json::to_writer(out, number),
            Found::Truth(truth) => serde_json::to_writer(out, truth),
            Found::Members(members) => serde_json::to_writer(out, members),
            Found::Written(json) => {
                out.extend_from_slice(json);
                Ok(())
            }
        };
    }

    fn text(&self) -> Cow<'_, str> {
        match self {
            Found::Text(text) => Cow::Borrowed(text),
            Found::Json(Json::String(text)) => Cow::Borrowed(text),
            other => {
                let mut out = Vec::new();
                other.write(&mut out);
                Cow::Owned(String::from_utf8(out).unwrap_or_default())
            }
        }
    }
}

/// A member of a member, and so on; an array's members are its places.
fn member<'a>(value: &'a Json, path: &[String]) -> Option<&'a Json> {
    path.iter().try_fold(value, |value, name| match value {
        Json::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => value.get(name),
    })
}

/// The first value of a parameter, decoded.
pub fn query_value<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    if query.is_empty() {
        return None;
    }
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
}

/// A wall-clock time as RFC 3339, UTC, whole seconds.
pub fn rfc3339(unix_s: i64) -> String {
    jiff::Timestamp::from_second(unix_s).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with<T>(body: &Json, test: impl FnOnce(&Facts<'_>) -> T) -> T {
        let (store, headers) = (Store::new(&[]), HeaderMap::new());
        test(&Facts {
            query: "a=1&name=one%20two",
            body: Some(body),
            now_unix_s: 1_766_491_500,
            status: 201,
            user: Some("ann"),
            ..Facts::bare(&store, &headers)
        })
    }

    fn body(path: &str) -> Lookup {
        Lookup::Body(path.split('.').map(str::to_owned).collect())
    }

    #[test]
    fn shapes_keep_types_and_hostile_text_stays_text() {
        let request = json!({ "n": 3, "deep": [{ "x": "a\"b\n</script>" }] });
        let shape = Shape {
            parts: vec![
                Part::Text(Box::from(*b"{\"n\":")),
                Part::Value(body("n")),
                Part::Text(Box::from(*b",\"t\":\"<")),
                Part::Quoted(body("deep.0.x")),
                Part::Text(Box::from(*b">\",\"none\":")),
                Part::Value(body("none")),
                Part::Text(Box::from(*b"}")),
            ],
        };
        let mut out = Vec::new();
        with(&request, |facts| facts.json(&shape, &mut out));
        let read: Json = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(read, json!({ "n": 3, "t": "<a\"b\n</script>>", "none": null }));
    }

    #[test]
    fn a_header_is_left_out_where_its_value_is_not_known_or_could_not_be_sent() {
        let request = json!({ "bad": "a\r\nb", "good": "a b" });
        let raw = |lookup| Shape { parts: vec![Part::Raw(lookup)] };
        with(&request, |facts| {
            assert_eq!(facts.header(&raw(Lookup::Known(Known::Status))).unwrap(), "201");
            assert_eq!(facts.header(&raw(body("good"))).unwrap(), "a b");
            assert_eq!(facts.header(&raw(body("bad"))), None);
            assert_eq!(facts.header(&raw(Lookup::Known(Known::Limit))), None);
            let both = Shape { parts: vec![Part::Text(Box::from(*b"u=")), Part::Raw(Lookup::Known(Known::User))] };
            assert_eq!(facts.header(&both).unwrap(), "u=ann");
        });
    }

    #[test]
    fn lookups_see_query_body_and_what_is_not_there() {
        with(&json!({ "on": true }), |facts| {
            assert!(facts.is(&Lookup::Query("name".into()), &json!("one two")));
            assert!(facts.is(&body("on"), &json!(true)) && !facts.is(&body("on"), &json!("true")));
            assert!(facts.is(&body("off"), &Json::Null) && !facts.is(&body("off"), &json!(false)));
        });
        assert_eq!(rfc3339(1_766_491_500), "2025-12-23T12:05:00Z");
    }
}
