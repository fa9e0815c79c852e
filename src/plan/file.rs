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

mod value;

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem, Problems};
use super::source::SourceText;

pub use self::value::{Part, Value, View, pieces};

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
    /// Whether it is one of `[[path]]`.
    listed: bool,
    asked: RefCell<Vec<&'static str>>,
}

impl<'t> Table<'t> {
    fn new(cx: Context<'t>, table: &'t DeTable<'t>, span: Range<usize>, path: String) -> Table<'t> {
        Table { cx, table, span, path, listed: false, asked: RefCell::default() }
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

    /// What messages call this table: `[target.tls]`, `[[scenario]]`, or `the document`.
    pub fn shown(&self) -> String {
        match (self.path.as_str(), self.listed) {
            ("", _) => "the document".to_owned(),
            (path, true) => format!("[[{path}]]"),
            (path, false) => format!("[{path}]"),
        }
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
            assert_eq!((scenario.place().line(), scenario.shown()), (1, "[[scenario]]".to_owned()));
            let step = scenario.tables("step").remove(0);
            assert_eq!((step.place().line(), step.path()), (3, "scenario.step"));
            let x = root.table("tls").expect("a table").table("x").expect("a table");
            assert_eq!((x.place().to_words(), x.shown()), ("t:6:5".to_owned(), "[tls.x]".to_owned()));
            step.finish();
        });
        assert_eq!(found, ["t:4:3 unknown key `name` in [[scenario.step]]"]);
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
