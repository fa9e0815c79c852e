//! What is wrong with a document, and where: collected, sorted by place, shown with the offending line.
//!
//! A [`Problem`] answers *where, what, what now*. Reading goes on after one, so that its author sees all of them
//! at once; whoever finds one adds it to the shared [`Problems`] and goes on with a default. Messages are lower
//! case fragments that read well after `error:`.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::nearest::nearest;
use super::source::SourceText;
use crate::secret::Secrets;

/// Problems kept at most; further ones are only counted.
const KEPT: usize = 100;
/// Two places further apart than this are shown one after the other.
const FURTHEST: usize = 64 * 1024;
/// Lines longer than this are named, not shown.
const LONGEST_LINE: usize = 2_000;

/// A stretch of a document.
#[derive(Clone, Debug)]
pub struct Place {
    /// The document.
    pub source: Arc<SourceText>,
    /// The bytes in it.
    pub span: Range<usize>,
}

impl Place {
    /// The line, from 1.
    pub fn line(&self) -> u32 {
        self.source.line_of(self.span.start)
    }

    /// `file:line:column`.
    pub fn to_words(&self) -> String {
        format!("{}:{}:{}", self.source.name(), self.line(), self.source.column_of(self.span.start))
    }
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What is wrong, as a fragment: `unknown key `wieght` in [[scenario]]`.
    pub what: String,
    /// Where; `None` where no document could be read at all.
    pub place: Option<Place>,
    /// A word or two at the place itself.
    pub label: String,
    /// A second place that explains the first (`first declared here`).
    pub also: Option<Box<(Place, String)>>,
    /// What to do, each a sentence fragment.
    pub help: Vec<String>,
    /// Does not stop anything.
    pub warning: bool,
}

impl Problem {
    /// A problem at a place.
    pub fn at(place: Place, what: impl Into<String>) -> Problem {
        Problem { place: Some(place), ..Problem::nowhere(what) }
    }

    /// A problem without a place in a document: the document itself is missing, an option is wrong.
    pub fn nowhere(what: impl Into<String>) -> Problem {
        Problem { what: printable(what.into()), place: None, label: String::new(), also: None, help: Vec::new(), warning: false }
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.help.push(printable(help.into()));
        self
    }

    /// Writes a word or two at the place itself.
    pub fn label(mut self, label: impl Into<String>) -> Problem {
        self.label = printable(label.into());
        self
    }

    /// Points at a second place.
    pub fn also(mut self, place: Place, label: impl Into<String>) -> Problem {
        self.also = Some(Box::new((place, printable(label.into()))));
        self
    }

    /// Offers the known word nearest to `word` (`did you mean …?`), or else lists all known ones if they are few.
    pub fn did_you_mean<'c>(self, word: &str, known: impl IntoIterator<Item = &'c str>) -> Problem {
        let mut known: Vec<&str> = known.into_iter().collect();
        known.dedup();
        match nearest(word, known.iter().copied()) {
            Some(meant) => self.help(format!("did you mean `{meant}`?")),
            None if known.is_empty() => self,
            None => {
                let more = if known.len() > 30 { "…" } else { "" };
                let listed: Vec<String> = known.iter().take(30).map(|word| format!("`{word}`")).collect();
                self.help(format!("known here: {}{more}", listed.join(", ")))
            }
        }
    }

    /// Makes it a warning.
    pub fn warning(mut self) -> Problem {
        self.warning = true;
        self
    }
}

/// Everything that is wrong with a set of documents (a plan and what it names).
///
/// Shared by everyone who reads them: problems are added through `&self`.
#[derive(Clone, Default)]
pub struct Problems {
    all: RefCell<Vec<Problem>>,
    more: Cell<usize>,
    secrets: RefCell<Secrets>,
}

impl Problems {
    /// None yet.
    pub fn new() -> Problems {
        Problems::default()
    }

    /// Adds one.
    pub fn add(&self, problem: Problem) {
        let mut all = self.all.borrow_mut();
        match all.len() < KEPT {
            true => all.push(problem),
            false => self.more.set(self.more.get() + 1),
        }
    }

    /// Secrets that messages must not show, although they quote values.
    pub fn hide(&self, secrets: &Secrets) {
        *self.secrets.borrow_mut() = secrets.clone();
    }

    /// How many there are that stop something; warnings do not count.
    pub fn errors(&self) -> usize {
        self.all.borrow().iter().filter(|problem| !problem.warning).count() + self.more.get()
    }

    /// Whether there is nothing to show at all.
    pub fn is_empty(&self) -> bool {
        self.all.borrow().is_empty()
    }

    /// All of them, by document in the order in which they were first read, then by place; those without a place first.
    pub fn sorted(&self) -> Vec<Problem> {
        let secrets = self.secrets.borrow();
        let masked = |text: &String| secrets.mask(text).into_owned();
        let mask =
            |problem: &Problem| Problem { what: masked(&problem.what), help: problem.help.iter().map(masked).collect(), ..problem.clone() };
        let mut all: Vec<Problem> = self.all.borrow().iter().map(mask).collect();
        let mut documents: Vec<*const SourceText> = Vec::new();
        for place in all.iter().filter_map(|problem| problem.place.as_ref()) {
            let document = Arc::as_ptr(&place.source);
            if !documents.contains(&document) {
                documents.push(document);
            }
        }
        all.sort_by_key(|problem| {
            problem.place.as_ref().map(|place| {
                let document = Arc::as_ptr(&place.source);
                (documents.iter().position(|&known| known == document), place.span.start)
            })
        });
        all
    }

    /// All of them as text for a terminal, with escapes for colour or without, and how many there are.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
        let mut text = String::new();
        for problem in self.sorted() {
            text.push_str(&render(&renderer, &problem));
            text.push_str("\n\n");
        }
        let errors = self.errors();
        if self.more.get() > 0 {
            text.push_str(&format!("only the first {KEPT} problems are shown\n"));
        }
        match errors {
            0 => {}
            1 => text.push_str("1 problem; nothing was sent\n"),
            n => text.push_str(&format!("{n} problems; nothing was sent\n")),
        }
        text
    }
}

/// As plain text.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Problems {}

fn render(renderer: &Renderer, problem: &Problem) -> String {
    let level = if problem.warning { Level::WARNING } else { Level::ERROR };
    let title = level.primary_title(problem.what.as_str());
    let mut group = match &problem.place {
        Some(place) => located(title.elements(std::iter::empty::<Origin<'_>>()), place, problem),
        None => Group::with_title(title),
    };
    for help in &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// The group with the place's own lines, or only their number where they are too long to be shown.
fn located<'p>(group: Group<'p>, place: &'p Place, problem: &'p Problem) -> Group<'p> {
    let primary = Mark { place, label: &problem.label, kind: AnnotationKind::Primary };
    let Some((also, label)) = problem.also.as_deref() else { return marked(group, &[primary]) };
    let also = Mark { place: also, label, kind: AnnotationKind::Context };
    let far = place.span.start.abs_diff(also.place.span.start) > FURTHEST;
    match far || !Arc::ptr_eq(&place.source, &also.place.source) {
        true => marked(marked(group, &[primary]), &[also]),
        false => marked(group, &[primary, also]),
    }
}

/// A place to underline.
#[derive(Clone, Copy)]
struct Mark<'p> {
    place: &'p Place,
    label: &'p str,
    kind: AnnotationKind,
}

/// One stretch of a document with all its marks.
fn marked<'p>(group: Group<'p>, marks: &[Mark<'p>]) -> Group<'p> {
    let Some(first) = marks.first() else { return group };
    let source = &first.place.source;
    // Only the first line of a longer stretch: a whole table under one problem would hide the others.
    let own_line = |mark: &Mark<'_>| source.lines_around(&(mark.place.span.start..mark.place.span.start + 1));
    let lines = marks.iter().map(own_line).reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or_default();
    if marks.iter().any(|mark| own_line(mark).len() > LONGEST_LINE) {
        let origin = Origin::path(source.name()).line(first.place.line() as usize);
        return group.element(origin.char_column(source.column_of(first.place.span.start) as usize));
    }
    let annotation = |mark: &Mark<'p>| {
        let end = own_line(mark).end;
        let (start, end) = (mark.place.span.start.min(end) - lines.start, mark.place.span.end.min(end) - lines.start);
        let annotation = mark.kind.span(start..end.max(start));
        if mark.label.is_empty() { annotation } else { annotation.label(mark.label) }
    };
    let snippet = Snippet::source(&source.text()[lines.clone()]).path(source.name()).line_start(source.line_of(lines.start) as usize);
    group.element(snippet.annotations(marks.iter().map(annotation)))
}

/// Control bytes of a hostile document must not reach a terminal by way of a message.
fn printable(text: String) -> String {
    if !text.chars().any(char::is_control) {
        return text;
    }
    text.chars().fold(String::new(), |mut shown, c| {
        if c.is_control() {
            shown.extend(c.escape_default())
        } else {
            shown.push(c)
        }
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(source: &Arc<SourceText>, word: &str) -> Place {
        let start = source.text().find(word).expect("the word is in the text");
        Place { source: Arc::clone(source), span: start..start + word.len() }
    }

    #[test]
    fn problems_are_shown_by_document_and_place_with_their_line_and_what_to_do() {
        let plan = SourceText::new("plans/a.toml", "name = \"x\"\n\n[load]\nwieght = 3\n");
        let contract = SourceText::new("c.toml", "bad = 1");
        let problems = Problems::new();
        problems.add(Problem::at(place(&plan, "wieght"), "unknown key `wieght` in [load]").did_you_mean("wieght", ["weight"]));
        problems.add(Problem::at(place(&contract, "bad"), "unknown key `bad`"));
        problems.add(Problem::at(place(&plan, "\"x\""), "a name needs more").label("here").also(place(&plan, "3"), "and here"));
        problems.add(Problem::nowhere("no file"));
        let shown = problems.render(false);
        let expected = "\
error: no file

error: a name needs more
 --> plans/a.toml:1:8
  |
1 | name = \"x\"
  |        ^^^ here
...
4 | wieght = 3
  |          - and here

error: unknown key `wieght` in [load]
 --> plans/a.toml:4:1
  |
4 | wieght = 3
  | ^^^^^^
  |
  = help: did you mean `weight`?

error: unknown key `bad`
 --> c.toml:1:1
  |
1 | bad = 1
  | ^^^

4 problems; nothing was sent
";
        assert_eq!(shown, expected, "\n{shown}");
        assert!(problems.render(true).contains("\u{1b}["), "colours on request");
    }

    #[test]
    fn hostile_text_is_bounded_and_reaches_no_terminal() {
        let problems = Problems::new();
        let long = SourceText::new("long", "x".repeat(1_000_000));
        for _ in 0..500 {
            problems.add(Problem::at(place(&long, "x"), "bad \u{1b}[31m name"));
        }
        let shown = problems.render(false);
        assert_eq!(problems.errors(), 500);
        assert!(!shown.contains('\u{1b}') && shown.len() < 20_000, "{} bytes", shown.len());
        assert!(shown.contains("--> long:1:1") && shown.contains("only the first 100 problems are shown"), "{}", &shown[..300]);
    }

    #[test]
    fn a_warning_stops_nothing() {
        let problems = Problems::new();
        problems.add(Problem::nowhere("odd").warning());
        assert_eq!((problems.errors(), problems.is_empty()), (0, false));
        assert_eq!(problems.render(false), "warning: odd\n\n");
    }

    #[test]
    fn an_empty_document_and_a_place_past_its_end_can_be_shown() {
        let problems = Problems::new();
        for text in ["", "a\n", "ü"] {
            problems.add(Problem::at(Place { source: SourceText::new("e", text), span: text.len()..text.len() }, "ends too soon"));
        }
        assert_eq!(problems.render(false).matches("ends too soon").count(), 3);
    }
}
