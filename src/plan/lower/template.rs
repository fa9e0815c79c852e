//! Texts with `${name}` in them, compiled to pieces: what is known now becomes bytes, the rest is filled in per
//! request, escaped for its place.

use std::borrow::Cow;
use std::cell::Cell;

use bytes::Bytes;

use super::vars::{BUILT_IN, Vars, undeclared};
use crate::plan::file::{Part, Value, Variables, pieces};
use crate::plan::problem::Problem;
use crate::plan::{DataSet, Escape, Fill, Piece, Template};

/// What a template may refer to.
pub struct Scope<'s> {
    /// The plan's variables.
    pub vars: &'s Vars,
    /// The plan's data sets.
    pub data: &'s [DataSet],
    /// Data sets that could not be read, and are not to be reported again wherever they are used.
    pub broken_data: &'s [String],
    /// Captures of earlier steps of this scenario; the slot is the place in the list.
    pub captured: &'s [String],
    /// All captures of the plan with their scenario, for what to say about one that is out of reach.
    pub elsewhere: &'s [(String, String)],
    /// Numbers `${uuid}`s.
    pub uuids: &'s Cell<u64>,
}

impl Scope<'_> {
    /// Compiles the text of a value.
    pub fn compile(&self, value: &Value<'_>, escape: Escape) -> Option<Template> {
        self.compile_text(value, value.raw()?, escape)
    }

    /// Compiles a text that stands in a value. `None` after all its problems were reported.
    pub fn compile_text(&self, value: &Value<'_>, raw: &str, escape: Escape) -> Option<Template> {
        let mut built = Builder::default();
        let mut sound = true;
        for piece in pieces(raw) {
            match piece {
                Part::Text(text) => built.text(&written(text, escape)),
                Part::Name(name) => match self.meaning(name) {
                    Ok(Meaning::Text(text)) => built.text(&written(&text, escape)),
                    Ok(Meaning::Fill(fill)) => built.fill(fill, escape),
                    Err(problem) => {
                        let place = Some(value.place_of(&format!("${{{name}}}")));
                        problem.into_iter().for_each(|problem| value.problems().add(Problem { place: place.clone(), ..problem }));
                        sound = false;
                    }
                },
                Part::Open(rest) => {
                    let problem = Problem::at(value.place_of(rest), "`${` without its `}`");
                    value.problems().add(problem.help("a place to fill in is written `${name}`"));
                    sound = false;
                }
            }
        }
        sound.then(|| built.finish())
    }

    fn meaning(&self, name: &str) -> Result<Meaning, Option<Problem>> {
        if let Some(slot) = self.captured.iter().position(|captured| captured == name) {
            return Ok(Meaning::Fill(Fill::Capture(slot)));
        }
        match name {
            "run.id" => return Ok(Meaning::Fill(Fill::RunId)),
            "arrival" => return Ok(Meaning::Fill(Fill::Arrival)),
            "uuid" => {
                self.uuids.set(self.uuids.get() + 1);
                return Ok(Meaning::Fill(Fill::Uuid(self.uuids.get())));
            }
            _ => {}
        }
        if let Some(field) = name.strip_prefix("data.") {
            return self.data_field(field).map(Meaning::Fill);
        }
        if self.vars.place(name).is_some() {
            return self.vars.value(name).map(Meaning::Text);
        }
        if let Some((_, scenario)) = self.elsewhere.iter().find(|(captured, _)| captured == name) {
            let problem = Problem::nowhere(format!("`${{{name}}}` is captured by no earlier step of this scenario"));
            return Err(Some(
                problem.help(format!("scenario `{scenario}` captures it; a capture lasts from its step to the end of its session")),
            ));
        }
        let known = self.captured.iter().map(String::as_str).chain(self.vars.names()).chain(BUILT_IN);
        Err(Some(undeclared(name, known)))
    }

    fn data_field(&self, name: &str) -> Result<Fill, Option<Problem>> {
        let (set, field) = name.split_once('.').unwrap_or((name, ""));
        if self.broken_data.iter().any(|broken| broken == set) {
            return Err(None);
        }
        let Some(index) = self.data.iter().position(|data| data.name == set) else {
            let problem = Problem::nowhere(format!("there is no data set `{set}`"));
            let names: Vec<&str> = self.data.iter().map(|data| data.name.as_str()).collect();
            return Err(Some(if names.is_empty() {
                problem.help(format!("declare it: `[data.{set}]` with `file = \"…\"` or `rows = […]`"))
            } else {
                problem.did_you_mean(set, names)
            }));
        };
        let fields = &self.data[index].fields;
        match fields.iter().position(|known| known == field) {
            Some(field) => Ok(Fill::Data { set: index, field }),
            None => {
                let problem = Problem::nowhere(format!("the data set `{set}` has no field `{field}`"));
                Err(Some(problem.did_you_mean(field, fields.iter().map(String::as_str))))
            }
        }
    }
}

enum Meaning {
    Text(String),
    Fill(Fill),
}

/// A template under construction; neighbouring texts become one piece.
#[derive(Default)]
pub struct Builder {
    pieces: Vec<Piece>,
    text: Vec<u8>,
}

impl Builder {
    /// Adds bytes as they are.
    pub fn text(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    /// Adds a place to fill in.
    pub fn fill(&mut self, fill: Fill, escape: Escape) {
        self.flush();
        self.pieces.push(Piece::Fill(fill, escape));
    }

    /// Adds a whole template.
    pub fn append(&mut self, template: Template) {
        for piece in template.pieces {
            match piece {
                Piece::Text(bytes) => self.text.extend_from_slice(&bytes),
                Piece::Fill(fill, escape) => self.fill(fill, escape),
            }
        }
    }

    /// The template.
    pub fn finish(mut self) -> Template {
        self.flush();
        Template { pieces: self.pieces }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text(Bytes::from(std::mem::take(&mut self.text))));
        }
    }
}

/// A text of the plan's author, written into its place.
fn written(text: &str, escape: Escape) -> Cow<'_, str> {
    match escape {
        Escape::Json => {
            let quoted = serde_json::Value::from(text).to_string();
            Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
        }
        // The author writes URLs, `/` and `?` included; only what no URL may contain is encoded.
        Escape::Url if text.bytes().any(|b| !is_url_byte(b)) => Cow::Owned(text.bytes().fold(String::new(), |mut out, b| {
            match is_url_byte(b) {
                true => out.push(char::from(b)),
                false => out.push_str(&format!("%{b:02X}")),
            }
            out
        })),
        Escape::Url | Escape::Header | Escape::Raw => Cow::Borrowed(text),
    }
}

/// RFC 3986 §2: unreserved, reserved and `%`.
fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}
