//! One value of a document: read as what its reader expects, or a problem at its place.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use toml::Spanned;
use toml::de::DeValue;

use super::{Context, Table};
use crate::plan::problem::{Place, Problem, Problems};

/// A value being read.
#[derive(Clone)]
pub struct Value<'t> {
    pub(super) cx: Context<'t>,
    pub(super) value: &'t DeValue<'t>,
    pub(super) span: Range<usize>,
    pub(super) key_span: Range<usize>,
    pub(super) path: String,
}

/// A value by its kind, for readers that accept several.
pub enum View<'t> {
    /// A text; `${…}` is still in it.
    String(&'t str),
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// A date, as written.
    Datetime(String),
    /// An array.
    List(Vec<Value<'t>>),
    /// A table.
    Table(Table<'t>),
}

impl<'t> Value<'t> {
    /// The value's place.
    pub fn place(&self) -> Place {
        self.cx.place(self.span.clone())
    }

    /// The place of the key.
    pub fn key_place(&self) -> Place {
        self.cx.place(self.key_span.clone())
    }

    /// The place of a part of the value as written, or of the whole value where it is not written so.
    pub fn place_of(&self, part: &str) -> Place {
        let written = self.cx.source.text().get(self.span.clone()).unwrap_or("");
        let span = written.find(part).map(|at| self.span.start + at..self.span.start + at + part.len());
        self.cx.place(span.unwrap_or(self.span.clone()))
    }

    /// The last key of the path: what the author calls it.
    pub fn key(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }

    /// The path of keys from the document's root: `load.stage.for`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where problems of this document go.
    pub fn problems(&self) -> &'t Problems {
        self.cx.reading.problems
    }

    /// A new problem at this value.
    pub fn problem(&self, what: impl Into<String>) -> Problem {
        Problem::at(self.place(), what)
    }

    /// Adds a problem at this value; `None`, so that a reader can end with it.
    pub fn refuse<T>(&self, what: impl Into<String>, help: impl Into<String>) -> Option<T> {
        self.problems().add(self.problem(what).help(help));
        None
    }

    /// The value by its kind.
    pub fn view(&self) -> View<'t> {
        match self.value {
            DeValue::String(text) => View::String(text),
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(whole) => View::Integer(whole),
                Err(_) => View::Float(number.as_str().parse().unwrap_or(f64::INFINITY)),
            },
            DeValue::Float(number) => View::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(truth) => View::Boolean(*truth),
            DeValue::Datetime(date) => View::Datetime(date.to_string()),
            DeValue::Array(items) => View::List(items.iter().map(|item| self.item(item)).collect()),
            DeValue::Table(table) => View::Table(Table::new(self.cx, table, self.span.clone(), self.path.clone())),
        }
    }

    /// The text as written, `${…}` still in it.
    pub fn raw(&self) -> Option<&'t str> {
        match self.value {
            DeValue::String(text) => Some(text),
            _ => self.wrong_kind("a string"),
        }
    }

    /// The text, its variables replaced.
    pub fn string(&self) -> Option<String> {
        self.raw().and_then(|raw| self.expand(raw))
    }

    /// True or false.
    pub fn boolean(&self) -> Option<bool> {
        match self.view() {
            View::Boolean(truth) => Some(truth),
            View::String(text) if self.has_variable(text) => match self.expand(text)?.as_str() {
                "true" => Some(true),
                "false" => Some(false),
                other => self.refuse(format!("`{other}` is not `true` or `false`"), "give the variable one of these"),
            },
            _ => self.wrong_kind("`true` or `false`"),
        }
    }

    /// A whole number in a range.
    pub fn whole<T: TryFrom<i128> + PartialOrd + Display>(&self, range: RangeInclusive<T>) -> Option<T> {
        let whole = match self.view() {
            View::Integer(whole) => Some(whole),
            View::String(text) if self.has_variable(text) => {
                let text = self.expand(text)?;
                let Ok(number) = text.parse::<f64>() else { return self.wrong_number(&text, "a whole number") };
                (number.fract() == 0.0 && number.abs() < 1e18).then_some(number as i128)
            }
            View::Float(number) if number.fract() == 0.0 && number.abs() < 1e18 => Some(number as i128),
            View::Float(_) => None,
            _ => return self.wrong_kind("a whole number"),
        };
        let fitting = whole.and_then(|whole| T::try_from(whole).ok()).filter(|value| range.contains(value));
        if fitting.is_none() {
            let what = format!("`{}` must be a whole number from {} to {}", self.key(), range.start(), range.end());
            self.problems().add(self.problem(what));
        }
        fitting
    }

    /// A number in a range.
    pub fn number(&self, range: RangeInclusive<f64>) -> Option<f64> {
        let number = match self.view() {
            View::Integer(whole) => whole as f64,
            View::Float(number) => number,
            View::String(text) if self.has_variable(text) => {
                let text = self.expand(text)?;
                let Ok(number) = text.parse::<f64>() else { return self.wrong_number(&text, "a number") };
                number
            }
            _ => return self.wrong_kind("a number"),
        };
        if !range.contains(&number) {
            let what = format!("`{}` must be a number from {} to {}", self.key(), range.start(), range.end());
            self.problems().add(self.problem(what));
            return None;
        }
        Some(number)
    }

    /// A value with a text form of its own: a span, a rate, a size. A bare number is offered to it as text, and it is for
    /// the type to refuse it.
    pub fn parsed<T: FromStr<Err = String>>(&self) -> Option<T> {
        let text = match self.view() {
            View::String(text) => self.expand(text)?,
            View::Integer(whole) => whole.to_string(),
            View::Float(number) => number.to_string(),
            _ => return self.wrong_kind("a string"),
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(said) => {
                // What to write instead is help, not part of what is wrong.
                let (what, help) = said.split_once("; ").unwrap_or((&said, ""));
                let problem = self.problem(what);
                self.problems().add(if help.is_empty() { problem } else { problem.help(help) });
                None
            }
        }
    }

    /// One of a few words.
    pub fn one_of<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.string()?;
        let known = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if known.is_none() {
            let problem = self.problem(format!("`{text}` is no value of `{}`", self.key()));
            self.problems().add(problem.did_you_mean(&text, words.iter().map(|(word, _)| *word)));
        }
        known
    }

    /// A table.
    pub fn table(&self) -> Option<Table<'t>> {
        match self.view() {
            View::Table(table) => Some(table),
            View::List(_) => self.refuse(
                format!("`{}` is one table, and this is a list", self.path),
                format!("write `[{}]` with single brackets", self.path),
            ),
            _ => self.wrong_kind("a table"),
        }
    }

    /// The tables of a list; a single one is taken for a list of one, with a problem.
    pub fn tables(&self) -> Vec<Table<'t>> {
        match self.view() {
            View::List(items) => items.iter().filter_map(Value::table).map(|table| Table { listed: true, ..table }).collect(),
            View::Table(table) => {
                let problem = Problem::at(self.key_place(), format!("`{}` is a list of tables", self.path));
                self.problems().add(problem.help(format!("write `[[{}]]` with double brackets", self.path)));
                vec![table]
            }
            _ => self.wrong_kind("a list of tables").unwrap_or_default(),
        }
    }

    /// The items of an array.
    pub fn list(&self) -> Option<Vec<Value<'t>>> {
        match self.view() {
            View::List(items) => Some(items),
            _ => self.wrong_kind("an array"),
        }
    }

    /// What kind of value this is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        }
    }

    fn item(&self, item: &'t Spanned<DeValue<'t>>) -> Value<'t> {
        Value { cx: self.cx, value: item.get_ref(), span: item.span(), key_span: item.span(), path: self.path.clone() }
    }

    fn wrong_kind<T>(&self, wanted: &str) -> Option<T> {
        self.problems().add(self.problem(format!("`{}` must be {wanted}, and this is {}", self.key(), self.kind())));
        None
    }

    fn wrong_number<T>(&self, text: &str, wanted: &str) -> Option<T> {
        self.problems().add(self.problem(format!("`{}` must be {wanted}, and `{text}` is none", self.key())));
        None
    }

    fn has_variable(&self, text: &str) -> bool {
        self.cx.reading.variables.is_some() && text.contains("${")
    }

    /// The text with its variables replaced; `None` where one cannot be, after all of them were looked at.
    pub(in crate::plan) fn expand(&self, raw: &str) -> Option<String> {
        let Some(variables) = self.cx.reading.variables else { return Some(raw.to_owned()) };
        let mut text = String::with_capacity(raw.len());
        let mut sound = true;
        for piece in pieces(raw) {
            match piece {
                Part::Text(literal) => text.push_str(literal),
                Part::Name(name) => match variables.value(name) {
                    Ok(value) => text.push_str(&value),
                    Err(problem) => {
                        let place = Some(self.place_of(&format!("${{{name}}}")));
                        problem.into_iter().for_each(|problem| self.problems().add(Problem { place: place.clone(), ..problem }));
                        sound = false;
                    }
                },
                Part::Open(rest) => {
                    self.problems().add(Problem::at(self.place_of(rest), "`${` without its `}`").help("a variable is written `${name}`"));
                    sound = false;
                }
            }
        }
        sound.then_some(text)
    }
}

/// A part of a text that may have `${name}` in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'r> {
    /// As it is.
    Text(&'r str),
    /// `${name}`, without its braces.
    Name(&'r str),
    /// `${` that is never closed, to the end.
    Open(&'r str),
}

/// The parts of a text, in order.
pub fn pieces(raw: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let piece = match rest.find("${") {
            Some(0) => match rest.find('}') {
                Some(end) => {
                    let name = &rest[2..end];
                    rest = &rest[end + 1..];
                    return Some(Part::Name(name.trim()));
                }
                None => Part::Open(rest),
            },
            Some(at) => {
                let (text, later) = rest.split_at(at);
                rest = later;
                return Some(Part::Text(text));
            }
            None => Part::Text(rest),
        };
        rest = "";
        Some(piece)
    })
}
