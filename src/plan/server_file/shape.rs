//! Shapes: JSON or header text with `${…}` places.

use http::HeaderName;

use super::Lowering;
use crate::contract::server::{Known, Lookup, Part, Shape};
use crate::plan::file::{Part as Piece, Value, View, pieces};
use crate::plan::problem::{Place, Problem};

/// `${item}`
pub(super) fn whole_item() -> Shape {
    Shape { parts: vec![Part::Value(Lookup::Known(Known::Item))] }
}

/// `${items}`
pub(super) fn whole_list() -> Shape {
    Shape { parts: vec![Part::Value(Lookup::Known(Known::Items))] }
}

impl Lowering<'_> {
    /// A JSON body: a text that is only `${name}` becomes that value of whatever type; else names are text within text.
    pub(super) fn json_shape(&self, value: &Value<'_>) -> Option<Shape> {
        let mut writing = Writing::default();
        self.write_json(value, &mut writing)?;
        Some(writing.finish())
    }

    /// The value of a header.
    pub(super) fn text_shape(&self, value: &Value<'_>) -> Option<Shape> {
        let mut writing = Writing::default();
        let text = value.string()?;
        for piece in pieces(&text) {
            match piece {
                Piece::Text(text) => writing.text.extend_from_slice(text.as_bytes()),
                Piece::Name(name) => writing.part(Part::Raw(self.lookup(name, &value.place_of(name))?)),
                Piece::Open(_) => return value.refuse("`${` without its `}`", "a place to fill in is written `${name}`"),
            }
        }
        Some(writing.finish())
    }

    fn write_json(&self, value: &Value<'_>, writing: &mut Writing) -> Option<()> {
        match value.view() {
            View::String(text) => self.write_string(value, text, writing)?,
            View::List(items) => {
                writing.text.push(b'[');
                for (n, item) in items.iter().enumerate() {
                    writing.comma(n);
                    self.write_json(item, writing)?;
                }
                writing.text.push(b']');
            }
            View::Table(table) => {
                writing.text.push(b'{');
                for (n, (key, member)) in table.entries().iter().enumerate() {
                    writing.comma(n);
                    writing.literal(&serde_json::Value::from(key.as_str()));
                    writing.text.push(b':');
                    self.write_json(member, writing)?;
                }
                writing.text.push(b'}');
            }
            _ => writing.literal(&super::json(value)),
        }
        Some(())
    }

    fn write_string(&self, value: &Value<'_>, text: &str, writing: &mut Writing) -> Option<()> {
        let all: Vec<Piece<'_>> = pieces(text).collect();
        let lookup = |name: &str| self.lookup(name, &value.place_of(name));
        if let [Piece::Name(name)] = all[..] {
            writing.part(Part::Value(lookup(name)?));
            return Some(());
        }
        writing.text.push(b'"');
        for piece in all {
            match piece {
                Piece::Text(text) => writing.inside(text),
                Piece::Name(name) => writing.part(Part::Quoted(lookup(name)?)),
                Piece::Open(_) => return value.refuse("`${` without its `}`", "a place to fill in is written `${name}`"),
            }
        }
        writing.text.push(b'"');
        Some(())
    }

    /// What a name in `${…}`, or in a trigger's `when`, stands for.
    pub(super) fn lookup(&self, text: &str, place: &Place) -> Option<Lookup> {
        if let Some((_, known)) = Known::ALL.iter().find(|(name, _)| *name == text) {
            return Some(Lookup::Known(*known));
        }
        let (head, rest) = text.split_once('.').unwrap_or((text, ""));
        let members = || rest.split('.').filter(|member| !member.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let resource = |name: &str| self.names.iter().position(|known| known == name);
        let found = match (head, head.split_once('/')) {
            ("body", _) => Some(Lookup::Body(members())),
            ("header", _) => rest.parse::<HeaderName>().ok().map(Lookup::Header),
            ("query", _) if !rest.is_empty() => Some(Lookup::Query(rest.to_owned())),
            (_, Some((name, id))) => resource(name).map(|resource| Lookup::Fixed(resource, id.to_owned(), members())),
            (name, None) => resource(name).map(|resource| Lookup::Item(resource, members())),
        };
        if found.is_none() {
            let known =
                Known::ALL.iter().map(|(name, _)| *name).chain(self.names.iter().map(String::as_str)).chain(["body", "header", "query"]);
            self.problems
                .add(Problem::at(place.clone(), format!("`{text}` is nothing that a request or the server has")).did_you_mean(head, known));
        }
        found
    }
}

/// Parts being written; text that follows text is one part.
#[derive(Default)]
struct Writing {
    parts: Vec<Part>,
    text: Vec<u8>,
}

impl Writing {
    fn part(&mut self, part: Part) {
        self.flush();
        self.parts.push(part);
    }

    fn comma(&mut self, place: usize) {
        if place > 0 {
            self.text.push(b',');
        }
    }

    fn literal(&mut self, value: &serde_json::Value) {
        self.text.extend_from_slice(value.to_string().as_bytes());
    }

    /// Text inside a JSON string, without the quotes around it.
    fn inside(&mut self, text: &str) {
        let quoted = serde_json::Value::from(text).to_string();
        self.text.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(Part::Text(std::mem::take(&mut self.text).into_boxed_slice()));
        }
    }

    fn finish(mut self) -> Shape {
        self.flush();
        Shape { parts: self.parts }
    }
}
