//! The walker: reads any of our TOML documents key by key, keeps the place of everything, and never stops at a
//! problem.
//!
//! Derived deserialisation stops at the first problem and loses places inside tagged types. Here a reader asks a
//! [`Table`] for the keys it knows; what is of the wrong kind becomes a [`Problem`] at its place and the reader
//! goes on with `None`; [`Table::finish`] reports every key that nobody asked for.
//!
//! How a document is lowered:
//!
//! ```
//! use brownout::plan::file::{Document, Reading, Table};
//! use brownout::plan::problem::Problems;
//! use brownout::plan::source::SourceText;
//! use brownout::units::Micros;
//!
//! struct Cake { name: String, layers: u32, bake: Micros, toppings: Vec<String> }
//!
//! fn cake(table: Table<'_>) -> Option<Cake> {
//!     // Ask for every key before the first `?`, so that all problems are found.
//!     let name = table.required("name").and_then(|value| value.string());
//!     let layers = table.whole("layers", 1..=20).unwrap_or(3);
//!     let bake = table.required("bake").and_then(|value| value.parsed()); // anything with FromStr<Err = String>
//!     let toppings = table.list("toppings").iter().filter_map(|value| value.string()).collect();
//!     table.finish();                                                     // unknown keys, with "did you mean"
//!     Some(Cake { name: name?, layers, bake: bake?, toppings })
//! }
//!
//! let text = "[[cake]]\nname = \"Linz\"\nbake = 40\ntopings = [\"jam\"]\n";
//! let problems = Problems::new();
//! let source = SourceText::new("cakes.toml", text);
//! let document = Document::parse(&source, &problems).expect("the text is TOML");
//! let root = document.root(Reading::new(&problems));
//! let cakes: Vec<Option<Cake>> = root.tables("cake").into_iter().map(cake).collect();
//! root.finish();
//! assert_eq!(cakes.len(), 1);
//! assert_eq!(problems.errors(), 2); // `bake` has no unit, `topings` is unknown
//! ```

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem, Problems};
use super::source::SourceText;

/// Syntax errors shown at most, one per line: one slip makes many.
const SYNTAX_ERRORS: usize = 5;

/// What `${name}` stands for in the strings of a document.
pub trait Variables {
    /// The value, or what is wrong with the name (to which the place is added); `Err(None)` for a variable whose lack of
    /// a value has been reported already.
    fn value(&self, name: &str) -> Result<String, Option<Problem>>;
}

/// What a reader needs beside the document: where problems go, and what `${name}` stands for.
#[derive(Clone, Copy)]
pub struct Reading<'t> {
    /// Where problems go.
    pub problems: &'t Problems,
    /// What `${name}` stands for; without it strings are taken as they are.
    pub variables: Option<&'t dyn Variables>,
}

impl<'t> Reading<'t> {
    /// Strings are taken as they are.
    pub fn new(problems: &'t Problems) -> Reading<'t> {
        Reading { problems, variables: None }
    }

    /// `${name}` in strings is replaced.
    pub fn with(problems: &'t Problems, variables: &'t dyn Variables) -> Reading<'t> {
        Reading { problems, variables: Some(variables) }
    }
}

/// A parsed document.
#[derive(Debug)]
pub struct Document<'s> {
    source: &'s Arc<SourceText>,
    root: Spanned<DeTable<'s>>,
}

impl<'s> Document<'s> {
    /// Parses a text. Where it is not TOML, the first error of each line becomes a problem (at most 5) and there is no
    /// document: keys that were lost to a syntax error must not be reported as missing.
    pub fn parse(source: &'s Arc<SourceText>, problems: &Problems) -> Option<Document<'s>> {
        let (root, errors) = DeTable::parse_recoverable(source.text());
        let mut lines: Vec<u32> = Vec::new();
        for error in &errors {
            let span = error.span().unwrap_or(source.text().len()..source.text().len());
            let line = source.line_of(span.start);
            if lines.len() < SYNTAX_ERRORS && !lines.contains(&line) {
                lines.push(line);
                let place = Place { source: Arc::clone(source), span };
                problems.add(Problem::at(place, format!("this is not TOML: {}", error.message())).help(syntax_help(error.message())));
            }
        }
        errors.is_empty().then_some(Document { source, root })
    }

    /// The table of the whole document.
    pub fn root<'t>(&'t self, reading: Reading<'t>) -> Table<'t> {
        let cx = Context { source: self.source, reading };
        Table::new(cx, self.root.get_ref(), 0..0, String::new())
    }
}

fn syntax_help(message: &str) -> &'static str {
    match message {
        _ if message.contains("duplicate") => "a key or table can be given only once; lists of tables are written `[[name]]`",
        _ if message.contains("recursion") => "values can be nested at most 80 deep",
        _ if message.contains("quote") || message.contains("string") => "text stands in double quotes: key = \"value\"",
        _ => "a line is `key = value`, `[table]` or `[[table of a list]]`; text stands in double quotes",
    }
}

#[derive(Clone, Copy)]
struct Context<'t> {
    source: &'t Arc<SourceText>,
    reading: Reading<'t>,
}

impl Context<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place { source: Arc::clone(self.source), span }
    }
}

/// A table being read: it remembers which keys it was asked for.
pub struct Table<'t> {
    cx: Context<'t>,
    table: &'t DeTable<'t>,
    span: Range<usize>,
    path: String,
    asked: RefCell<Vec<&'static str>>,
}

impl<'t> Table<'t> {
    fn new(cx: Context<'t>, table: &'t DeTable<'t>, span: Range<usize>, path: String) -> Table<'t> {
        Table { cx, table, span, path, asked: RefCell::default() }
    }

    /// The table's own place: its header, or the braces of an inline table.
    pub fn place(&self) -> Place {
        self.cx.place(self.span.clone())
    }

    /// Where problems of this document go.
    pub fn problems(&self) -> &'t Problems {
        self.cx.reading.problems
    }

    /// The path of keys from the document's root: `target.tls`; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What messages call this table: `[target.tls]`, or `the document`.
    pub fn shown(&self) -> String {
        if self.path.is_empty() { "the document".to_owned() } else { format!("[{}]", self.path) }
    }

    /// The value of a key, of whatever kind; the key counts as known from now on.
    pub fn take(&self, key: &'static str) -> Option<Value<'t>> {
        self.asked.borrow_mut().push(key);
        let (key, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(self.value(key.span(), key.get_ref(), value))
    }

    /// The value of a key that must be there.
    pub fn required(&self, key: &'static str) -> Option<Value<'t>> {
        let value = self.take(key);
        if value.is_none() {
            self.problems().add(Problem::at(self.place(), format!("`{key}` is missing in {}", self.shown())));
        }
        value
    }

    /// Refuses a key that the format has and this version does not know how to carry out.
    pub fn not_yet(&self, key: &'static str) {
        if let Some(value) = self.take(key) {
            let problem = Problem::at(value.key_place(), format!("`{key}` in {} is not supported in this version", self.shown()));
            self.problems().add(problem.help("remove it, or wait for the version that brings it"));
        }
    }

    /// The text of a key, if it is there.
    pub fn string(&self, key: &'static str) -> Option<String> {
        self.take(key)?.string()
    }

    /// True or false, if the key is there.
    pub fn boolean(&self, key: &'static str) -> Option<bool> {
        self.take(key)?.boolean()
    }

    /// A whole number in a range, if the key is there.
    pub fn whole<T: TryFrom<i128> + PartialOrd + Display>(&self, key: &'static str, range: RangeInclusive<T>) -> Option<T> {
        self.take(key)?.whole(range)
    }

    /// A number in a range, if the key is there.
    pub fn number(&self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        self.take(key)?.number(range)
    }

    /// A value with a text form of its own (a span, a rate, a size), if the key is there.
    pub fn parsed<T: FromStr<Err = String>>(&self, key: &'static str) -> Option<T> {
        self.take(key)?.parsed()
    }

    /// One of a few words, if the key is there.
    pub fn one_of<T: Copy>(&self, key: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        self.take(key)?.one_of(words)
    }

    /// A table, if the key is there.
    pub fn table(&self, key: &'static str) -> Option<Table<'t>> {
        self.take(key)?.table()
    }

    /// The tables of `[[key]]`; empty if there is none.
    pub fn tables(&self, key: &'static str) -> Vec<Table<'t>> {
        self.take(key).map(|value| value.tables()).unwrap_or_default()
    }

    /// The items of an array; empty if the key is not there.
    pub fn list(&self, key: &'static str) -> Vec<Value<'t>> {
        self.take(key).and_then(|value| value.list()).unwrap_or_default()
    }

    /// Every key with its value, in file order, for tables whose keys are the author's own names. All count as known.
    pub fn entries(&self) -> Vec<(String, Value<'t>)> {
        self.asked.borrow_mut().clear();
        self.table.iter().map(|(key, value)| (key.get_ref().to_string(), self.value(key.span(), key.get_ref(), value))).collect()
    }

    /// Whether the key is there; it does not count as known by being looked for.
    pub fn has(&self, key: &str) -> bool {
        self.table.iter().any(|(name, _)| name.get_ref() == key)
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Reports every key that was never asked for. Not for tables read by [`Table::entries`].
    pub fn finish(self) {
        let asked = self.asked.borrow();
        for (key, _) in self.table.iter().filter(|(key, _)| !asked.contains(&key.get_ref().as_ref())) {
            let problem = Problem::at(self.cx.place(key.span()), format!("unknown key `{}` in {}", key.get_ref(), self.shown()));
            self.problems().add(problem.did_you_mean(key.get_ref(), asked.iter().copied()));
        }
    }

    fn value(&self, key_span: Range<usize>, key: &str, value: &'t Spanned<DeValue<'t>>) -> Value<'t> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Value { cx: self.cx, value: value.get_ref(), span: value.span(), key_span, path }
    }
}

/// A value being read.
#[derive(Clone)]
pub struct Value<'t> {
    cx: Context<'t>,
    value: &'t DeValue<'t>,
    span: Range<usize>,
    key_span: Range<usize>,
    path: String,
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
            View::List(items) => items.iter().filter_map(Value::table).collect(),
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
    pub(super) fn expand(&self, raw: &str) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Micros, Ratio};

    /// Reads a text by `read` and gives what was wrong, one line each: `line:column what | help`.
    fn wrong(text: &str, read: impl FnOnce(&Table<'_>)) -> Vec<String> {
        let problems = Problems::new();
        let source = SourceText::new("t", text);
        if let Some(document) = Document::parse(&source, &problems) {
            let root = document.root(Reading::new(&problems));
            read(&root);
            root.finish();
        }
        let line = |p: &Problem| {
            let place = p.place.as_ref().map_or("-".to_owned(), Place::to_words);
            format!("{place} {}{}", p.what, p.help.iter().map(|help| format!(" | {help}")).collect::<String>())
        };
        problems.sorted().iter().map(line).collect()
    }

    #[test]
    fn unknown_keys_are_reported_with_what_was_asked_for() {
        let found = wrong("nmae = 1\nname = \"x\"\n[target]\nurll = 1\n", |root| {
            assert_eq!(root.string("name").as_deref(), Some("x"));
            let target = root.table("target").expect("a table");
            assert_eq!(target.take("url").map(|v| v.kind()), None);
            target.finish();
        });
        assert_eq!(
            found,
            [
                "t:1:1 unknown key `nmae` in the document | did you mean `name`?",
                "t:4:1 unknown key `urll` in [target] | did you mean `url`?"
            ]
        );
    }

    #[test]
    fn wrong_kinds_and_ranges_are_problems_at_the_value_and_reading_goes_on() {
        let found = wrong("a = 1\nb = \"x\"\nc = 70000\nd = 2.5\ne = 250\nf = \"200%\"\ng = \"fst\"\nh = {}\ni = 0.25\n", |root| {
            assert_eq!(root.string("a"), None);
            assert_eq!(root.boolean("b"), None);
            assert_eq!(root.whole("c", 1..=65_535u16), None);
            assert_eq!(root.whole("d", 0..=9u64), None);
            assert_eq!(root.parsed::<Micros>("e"), None);
            assert_eq!(root.parsed::<Ratio>("f"), None);
            assert_eq!(root.one_of("g", &[("fast", 1), ("slow", 2)]), None);
            assert_eq!(root.list("h").len(), 0);
            assert_eq!(root.parsed::<Ratio>("i"), Ratio::new(0.25));
            assert_eq!(root.required("j").map(|_| ()), None);
        });
        assert_eq!(
            found,
            [
                "t:1:1 `j` is missing in the document",
                "t:1:5 `a` must be a string, and this is a whole number",
                "t:2:5 `b` must be `true` or `false`, and this is a string",
                "t:3:5 `c` must be a whole number from 1 to 65535",
                "t:4:5 `d` must be a whole number from 0 to 9",
                "t:5:5 `250` has no unit | write for example `250ms` or `250s`",
                "t:6:5 `200%` is not between 0 % and 100 %",
                "t:7:5 `fst` is no value of `g` | did you mean `fast`?",
                "t:8:5 `h` must be an array, and this is a table",
            ]
        );
    }

    #[test]
    fn lists_and_tables_are_told_apart_with_how_to_write_them() {
        let found = wrong("[stage]\nx = 1\n[[target]]\n", |root| {
            let stages = root.tables("stage");
            assert_eq!(stages[0].whole("x", 0..=1), Some(1), "a single table is read as a list of one");
            assert!(root.table("target").is_none());
        });
        assert_eq!(
            found,
            [
                "t:1:2 `stage` is a list of tables | write `[[stage]]` with double brackets",
                "t:3:1 `target` is one table, and this is a list | write `[target]` with single brackets"
            ]
        );
    }

    #[test]
    fn nested_tables_know_their_path_and_their_place() {
        let text = "[[scenario]]\nname = \"a\"\n  [[scenario.step]]\n  name = \"b\"\n[tls]\nx = { y = 1 }\n";
        let found = wrong(text, |root| {
            let scenario = root.tables("scenario").remove(0);
            assert_eq!((scenario.place().line(), scenario.shown()), (1, "[scenario]".to_owned()));
            let step = scenario.tables("step").remove(0);
            assert_eq!((step.place().line(), step.path()), (3, "scenario.step"));
            let x = root.table("tls").expect("a table").table("x").expect("a table");
            assert_eq!((x.place().to_words(), x.shown()), ("t:6:5".to_owned(), "[tls.x]".to_owned()));
            step.finish();
        });
        assert_eq!(found, ["t:4:3 unknown key `name` in [scenario.step]"]);
    }

    #[test]
    fn the_first_syntax_error_of_each_line_is_shown_and_five_at_most() {
        let found = wrong("a = \nb = 1\nc = = =\nb = 2\n", |_| ());
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("t:1:5 this is not TOML:") && found[2].contains("only once"), "{found:?}");
        assert_eq!(wrong(&"x = =\n".repeat(50), |_| ()).len(), 5);
    }

    #[test]
    fn hostile_documents_are_refused_without_a_panic() {
        for text in ["[".repeat(100_000), "a=".to_owned() + &"[".repeat(100_000), "a=".to_owned() + &"{a=".repeat(50_000), "\0\u{1}".into()]
        {
            assert!(!wrong(&text, |_| ()).is_empty());
        }
        let dotted = format!("{}x = 1", "a.".repeat(5_000));
        assert!(!wrong(&dotted, |_| ()).is_empty());
        assert_eq!(wrong("a = 99999999999999999999999999999999999999999999\n", |t| _ = t.whole("a", 0..=1u8)).len(), 1);
    }

    struct Rates;
    impl Variables for Rates {
        fn value(&self, name: &str) -> Result<String, Option<Problem>> {
            if name == "rate" { Ok("40".into()) } else { Err(Some(Problem::nowhere(format!("no `{name}`")))) }
        }
    }

    #[test]
    fn variables_are_replaced_in_strings_and_stand_for_numbers_too() {
        let problems = Problems::new();
        let source = SourceText::new("t", "a = \"${rate}/s\"\nb = \"${rate}\"\nc = \"x ${x} ${y}\"\nd = \"${rate\"\ne = \"40\"\n");
        let document = Document::parse(&source, &problems).expect("TOML");
        let root = document.root(Reading::with(&problems, &Rates));
        assert_eq!(root.string("a").as_deref(), Some("40/s"));
        assert_eq!(root.whole("b", 0..=100u32), Some(40));
        assert_eq!(root.number("b", 0.0..=100.0), Some(40.0));
        assert_eq!((root.string("c"), root.string("d")), (None, None));
        assert_eq!(root.whole("e", 0..=100u32), None, "text is no number unless a variable is in it");
        let what: Vec<String> =
            problems.sorted().iter().map(|p| format!("{} {}", p.place.as_ref().map_or("".into(), Place::to_words), p.what)).collect();
        assert_eq!(
            what,
            ["t:3:8 no `x`", "t:3:13 no `y`", "t:4:6 `${` without its `}`", "t:5:5 `e` must be a whole number, and this is a string"]
        );
    }
}
