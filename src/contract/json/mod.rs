//! JSON as it came, read once, within bounds, without copying it.
//!
//! A body of an answer is read into a [`Document`]: its values stand in one flat table of places in the text, so that a
//! body of ordinary size takes no allocation at all, and a [`Json`] is a small copyable view of one of them. What lies
//! beyond the bounds is read over, and still has to be JSON: a container keeps its first [`KEPT`] entries, a body its
//! first [`NODES`] values. Nesting is limited to [`DEEPEST`].
//!
//! The reader stands in `reader`, how bytes become text in `encoding`.

mod encoding;
mod reader;

use std::borrow::Cow;
use std::fmt;

pub use encoding::Encoding;
use reader::{Entry, Node, Nodes, Text};

use crate::contract::name::is_same;
use crate::contract::shape::Shape;

/// Entries kept of one array or object.
pub const KEPT: usize = 256;
/// Values kept of one body.
pub const NODES: usize = 16_384;
/// Arrays and objects inside each other, at most.
pub const DEEPEST: usize = 128;

/// A body that is one JSON value.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// The body, where texts can be borrowed from it.
    body: &'a str,
    /// The texts that have escapes, without them, one after the other; all texts of a body that is not UTF-8.
    copied: String,
    nodes: Nodes<'a>,
    duplicate: Option<Text<'a>>,
    /// Whether some array has several items.
    has_lists: bool,
    encoding: Encoding,
}

/// One value of a document: a view, as cheap to copy as a reference.
#[derive(Clone, Copy)]
pub enum Json<'d> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'d str),
    Array(Items<'d>),
    Object(Members<'d>),
}

/// The items of an array.
#[derive(Clone, Copy)]
pub struct Items<'d>(Container<'d>);

/// The members of an object, in the order of the text, duplicates included.
#[derive(Clone, Copy)]
pub struct Members<'d>(Container<'d>);

/// Why a body is not one JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotJson {
    /// It ends inside a value.
    Truncated,
    /// It is nested more than 128 deep.
    TooDeep,
    /// Its texts are not in any encoding of Unicode, or have escapes of half a character.
    NotText,
    Malformed,
}

impl<'a> Document<'a> {
    /// Reads one value; a byte order mark before it and white space around it are no obstacle.
    ///
    /// # Errors
    /// Says why the body is not one JSON value.
    pub fn read(body: &'a [u8]) -> Result<Document<'a>, NotJson> {
        let mut document = Document::null();
        document.fill(body)?;
        Ok(document)
    }

    /// The document of the value null, to be filled where it stands: one that is read and handed on is copied, which
    /// costs as much as reading it.
    pub(in crate::contract) const fn null() -> Document<'a> {
        let encoding = Encoding::Utf8;
        Document { body: "", copied: String::new(), nodes: Nodes::new(), duplicate: None, has_lists: false, encoding }
    }

    /// Reads one value into the document of null.
    ///
    /// # Errors
    /// As [`Document::read`]; the document is of no use then.
    pub(in crate::contract) fn fill(&mut self, body: &'a [u8]) -> Result<(), NotJson> {
        let (text, encoding) = encoding::text_of(body);
        self.encoding = encoding;
        let lasting = match text {
            Cow::Borrowed(text) => Some(text),
            Cow::Owned(_) => None,
        };
        self.body = lasting.unwrap_or_default();
        reader::read(&text, lasting, self).map_err(|why| if encoding == Encoding::Other { NotJson::NotText } else { why })
    }

    /// The value.
    pub fn value(&self) -> Json<'_> {
        self.json(0, self.nodes.entry(0))
    }

    /// The first member name that stands twice in one object.
    pub fn duplicate(&self) -> Option<&str> {
        self.duplicate.map(|name| self.text(name))
    }

    /// The encoding its bytes are in: UTF-8 is the only one that RFC 8259 §8.1 allows, without a byte order mark.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// What it is made of.
    pub fn shape(&self) -> Shape {
        // In the order of its words.
        let type_ix = |node| match node {
            Node::Array { .. } => 0,
            Node::Bool(_) => 1,
            Node::Null => 2,
            Node::Number(_) => 3,
            Node::Object { .. } => 4,
            Node::Text(_) => 5,
        };
        let places = self.nodes.iter().map(|entry| entry.place.mixed(type_ix(entry.node)).0);
        if self.has_lists || self.duplicate.is_some() { Shape::of_repeated(places) } else { Shape::of_distinct(places) }
    }

    /// A text of this document for as long as the body lasts: borrowed from it where it stands there as it is.
    pub fn lasting(&self, text: &str) -> Cow<'a, str> {
        let offset = (text.as_ptr() as usize).wrapping_sub(self.body.as_ptr() as usize);
        let borrowed = if offset <= self.body.len() { self.body.get(offset..offset + text.len()) } else { None };
        borrowed.map_or_else(|| Cow::Owned(text.to_owned()), Cow::Borrowed)
    }

    #[inline]
    fn text(&self, text: Text<'a>) -> &str {
        match text {
            Text::Plain(text) => text,
            Text::Copied { start, len } => &self.copied[start as usize..][..len as usize],
        }
    }

    /// The value at an index, which is this entry.
    #[inline]
    fn json(&self, at: usize, entry: &Entry<'a>) -> Json<'_> {
        let container = |len| Container { document: self, at: at as u32, len };
        match entry.node {
            Node::Null => Json::Null,
            Node::Bool(truth) => Json::Bool(truth),
            Node::Number(number) => Json::Number(number),
            Node::Text(text) => Json::Text(self.text(text)),
            Node::Array { len, .. } => Json::Array(Items(container(len))),
            Node::Object { len, .. } => Json::Object(Members(container(len))),
        }
    }
}

// === impl Json ===

impl<'d> Json<'d> {
    /// A member of an object; of several with one name the last counts.
    pub fn get(self, name: &str) -> Option<Json<'d>> {
        match self {
            Json::Object(members) => members.get(name),
            _ => None,
        }
    }

    /// The value at the end of a path of members.
    pub fn at(self, path: &[String]) -> Option<Json<'d>> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The text, where it is one.
    pub fn text(self) -> Option<&'d str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a text in it, however deep, is such a one; names of members are none.
    pub(in crate::contract) fn has_text(self, mut such: impl FnMut(&'d str) -> bool) -> bool {
        match self {
            Json::Text(text) => such(text),
            Json::Array(Items(all)) | Json::Object(Members(all)) => {
                all.document.nodes.all_in(all.at as usize).any(|entry| match entry.node {
                    Node::Text(text) => such(all.document.text(text)),
                    _ => false,
                })
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
        }
    }

    /// Its type in JSON Schema's words, but that an integer is a number like any other: 1 and 1.5 have one shape.
    pub fn type_word(self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::Text(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }

    /// What kind of value it is, for people.
    pub fn kind(self) -> &'static str {
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

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(truth) => truth.fmt(f),
            Json::Number(number) => number.fmt(f),
            Json::Text(text) => text.fmt(f),
            Json::Array(items) => f.debug_list().entries(items.iter()).finish(),
            Json::Object(members) => f.debug_map().entries(members.iter()).finish(),
        }
    }
}

impl<'d> Items<'d> {
    /// Items in the text, those beyond the bounds included.
    pub fn len(self) -> usize {
        self.0.len as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The items that are kept: the first [`KEPT`], as long as the document had room.
    pub fn iter(self) -> impl Iterator<Item = Json<'d>> {
        self.0.entries().map(move |(at, entry)| self.0.document.json(at, entry))
    }
}

impl<'d> Members<'d> {
    /// Members in the text, those beyond the bounds included.
    pub fn len(self) -> usize {
        self.0.len as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The members that are kept: the first [`KEPT`], as long as the document had room.
    pub fn iter(self) -> impl Iterator<Item = (&'d str, Json<'d>)> {
        let document = self.0.document;
        self.0.entries().map(move |(at, entry)| (document.text(entry.name), document.json(at, entry)))
    }

    /// Tells of every member that has one of some names which it is. Members that come in the order of the names, as most
    /// documented ones do, are each compared with little else; of several with one name the last is told last.
    pub fn matched<'n>(self, names: usize, name: impl Fn(usize) -> &'n str, mut found: impl FnMut(usize, Json<'d>)) {
        let document = self.0.document;
        let mut next = 0;
        for (at, entry) in self.0.entries() {
            let own = document.text(entry.name);
            let is_own = |ix: &usize| is_same(own, name(*ix));
            if let Some(ix) = (next..names).find(is_own).or_else(|| (0..next).find(is_own)) {
                found(ix, document.json(at, entry));
                next = ix + 1;
            }
        }
    }

    /// The last member of this name.
    pub fn get(self, name: &str) -> Option<Json<'d>> {
        let document = self.0.document;
        let mut named = self.0.entries().filter(|(_, entry)| is_same(document.text(entry.name), name));
        let found = if document.duplicate.is_some() { named.last() } else { named.next() };
        found.map(|(at, entry)| document.json(at, entry))
    }
}

/// An array or object.
#[derive(Clone, Copy)]
struct Container<'d> {
    document: &'d Document<'d>,
    at: u32,
    len: u32,
}

impl<'d> Container<'d> {
    /// Where each kept entry stands.
    fn entries(self) -> impl Iterator<Item = (usize, &'d Entry<'d>)> {
        self.document.nodes.entries(self.at as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_borrowed_from_the_body_and_the_last_of_two_members_counts() {
        let body = b"\xef\xbb\xbf {\"a\": \"x\", \"b\": [1, 2.5, null, true], \"a\": \"y\\n\", \"c\": {}} ";
        let document = Document::read(body).expect("JSON");
        let json = document.value();
        assert_eq!(json.get("a").and_then(Json::text), Some("y\n"));
        assert_eq!(json.at(&["a".into(), "b".into()]).map(Json::kind), None);
        assert_eq!(format!("{json:?}"), r#"{"a": "x", "b": [1.0, 2.5, null, true], "a": "y\n", "c": {}}"#);
        let Json::Object(members) = json else { panic!("an object") };
        let lasting = |text| matches!(document.lasting(text), Cow::Borrowed(_));
        assert_eq!(members.iter().filter_map(|(_, value)| value.text()).map(lasting).collect::<Vec<_>>(), [true, false]);
        assert_eq!((document.duplicate(), document.encoding()), (Some("a"), Encoding::Utf8WithMark));
    }

    #[test]
    fn what_is_not_json_says_why() {
        for (body, why) in [
            (&b"{\"a\": "[..], NotJson::Truncated),
            (b"", NotJson::Truncated),
            (b"  ", NotJson::Truncated),
            (b"{\"a\": \"\\ud800\"}", NotJson::NotText),
            (b"{\"a\": \"\\ud800\\u0020\"}", NotJson::NotText),
            (b"{\"a\": \"\\udc00\"}", NotJson::NotText),
            (b"<html>\xff", NotJson::NotText),
            (b"<html>", NotJson::Malformed),
            (b"{} {}", NotJson::Malformed),
            (b"{'a': 1}", NotJson::Malformed),
            (b"{\"a\": 1,}", NotJson::Malformed),
            (b"{\"a\" 1}", NotJson::Malformed),
            (b"[1,]", NotJson::Malformed),
            (b"[1 2]", NotJson::Malformed),
            (b"[", NotJson::Truncated),
            (b"[1,", NotJson::Truncated),
            (b"{\"a", NotJson::Truncated),
            (b"{\"a\":\"\\u12", NotJson::Truncated),
            (b"\"\\x\"", NotJson::Malformed),
            (b"\"\\u12x4\"", NotJson::Malformed),
            (b"\"a\nb\"", NotJson::Malformed),
            (b"tru", NotJson::Truncated),
            (b"trua", NotJson::Malformed),
            (b"NaN", NotJson::Malformed),
            (b"01", NotJson::Malformed),
            (b"+1", NotJson::Malformed),
            (b"-", NotJson::Truncated),
            (b"1.", NotJson::Truncated),
            (b"1.x", NotJson::Malformed),
            (b".5", NotJson::Malformed),
            (b"1e", NotJson::Truncated),
            (b"1e+", NotJson::Truncated),
        ] {
            assert_eq!(Document::read(body).map(|_| ()), Err(why), "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(Document::read("[".repeat(1 << 20).as_bytes()).map(|_| ()), Err(NotJson::TooDeep));
    }

    #[test]
    fn the_reader_agrees_with_another_one() {
        for text in [
            "null",
            " true ",
            "false",
            "0",
            "-0",
            "12",
            "-7.25e-3",
            "1E5",
            "123456789012345678",
            "12345678901234567890123",
            "0.1",
            r#""""#,
            r#""plain text, longer than eight bytes""#,
            r#""a\"b\\c\/d\b\f\n\r\t""#,
            r#""\u00e9\ud834\udd1e é𝄞""#,
            "[]",
            "{}",
            "[[],[[]],{}]",
            r#"{"a":{"b":[{"c":null}]},"":1,"\u0061b":2}"#,
            "\t\r\n[ 1 , 2 ]\n",
        ] {
            let document = Document::read(text.as_bytes()).unwrap_or_else(|why| panic!("{text}: {why:?}"));
            let theirs: serde_json::Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(owned(document.value()), floats(theirs), "{text}");
            // Every beginning of an object or array ends too soon.
            for cut in (0..text.trim_end().len()).filter(|&cut| text.is_char_boundary(cut) && text.starts_with(['[', '{'])) {
                assert_eq!(Document::read(&text.as_bytes()[..cut]).map(|_| ()), Err(NotJson::Truncated), "{}", &text[..cut]);
            }
        }
    }

    fn owned(json: Json<'_>) -> serde_json::Value {
        use serde_json::Value;
        match json {
            Json::Null => Value::Null,
            Json::Bool(truth) => truth.into(),
            Json::Number(number) => number.into(),
            Json::Text(text) => text.into(),
            Json::Array(items) => items.iter().map(owned).collect(),
            Json::Object(members) => members.iter().map(|(name, value)| (name.to_owned(), owned(value))).collect(),
        }
    }

    /// Whole numbers are another kind of number to them.
    fn floats(value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::Number(number) => number.as_f64().into(),
            Value::Array(items) => items.into_iter().map(floats).collect(),
            Value::Object(members) => members.into_iter().map(|(name, value)| (name, floats(value))).collect(),
            other => other,
        }
    }

    #[test]
    fn a_member_that_stands_twice_is_named_wherever_it_is() {
        let many: String = (0..200).map(|k| format!("\"k{k}\":{k},")).collect();
        let late = format!("{{{many}\"k7\":1}}");
        for (text, name) in [
            (r#"{"a":1,"b":2}"#, None),
            (r#"{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}"#, None),
            (r#"{"a":1,"b":2,"a":3}"#, Some("a")),
            (r#"{"a":1,"\u0061":3}"#, Some("a")),
            (r#"{"x":[{"b":1},{"b":1,"b":2}]}"#, Some("b")),
            (&late, Some("k7")),
        ] {
            assert_eq!(Document::read(text.as_bytes()).expect("JSON").duplicate(), name, "{text}");
        }
    }

    #[test]
    fn a_hostile_body_is_kept_only_in_part_and_counted_in_full() {
        let wide = format!("[{}0]", "[0,0,0,0,0,0,0,0,0,0],".repeat(40_000));
        let document = Document::read(wide.as_bytes()).expect("JSON");
        let Json::Array(items) = document.value() else { panic!("an array") };
        assert_eq!((items.iter().count(), items.len()), (KEPT, 40_001));
        let members: String = (0..50_000).map(|k| format!("\"k{k}\":1,")).collect();
        let text = format!("{{{members}\"z\":1}}");
        let document = Document::read(text.as_bytes()).expect("JSON");
        let Json::Object(kept) = document.value() else { panic!("an object") };
        assert_eq!((kept.iter().count(), kept.len()), (KEPT, 50_001));
        let nested = format!("[{}0]", format!("[{}0],", "[1,1,1,1],".repeat(250)).repeat(250));
        fn count(json: Json<'_>) -> usize {
            1 + if let Json::Array(items) = json { items.iter().map(count).sum() } else { 0 }
        }
        assert!(count(Document::read(nested.as_bytes()).expect("JSON").value()) <= NODES);
        let unkept = format!("[{}{{\"a\": x}}]", "0,".repeat(1_000));
        assert_eq!(Document::read(unkept.as_bytes()).map(|_| ()), Err(NotJson::Malformed), "what is read over is read");
    }
}
