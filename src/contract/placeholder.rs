//! B09: values that stand where a value should have been filled in.
//!
//! Words such as `undefined` may well be meant where an error describes a value, so they count only in members that the
//! contract names, and in those that every error has. A format directive or `[object Object]` is wrong anywhere.

use crate::contract::check::{Blame, Case, Found, quoted};
use crate::contract::json::Json;
use crate::contract::{Field, Kind, Level};

/// Members of an error whose values are never meant to be words of this kind.
const OF_ANY_ERROR: [&str; 9] = ["code", "detail", "error", "error_description", "message", "request_id", "requestId", "title", "trace_id"];
/// Members in which those stand.
const HOLDERS: [&str; 2] = ["error", "errors"];
/// Words that stand for a value.
const WORDS: [&str; 9] =
    ["undefined", "null", "nan", "todo", "tbd", "fixme", "string", "auto-generated-uuid", "00000000-0000-0000-0000-000000000000"];
/// A bit for the length of each.
const LENGTHS: u64 = {
    let (mut lengths, mut ix) = (0, 0);
    while ix < WORDS.len() {
        lengths |= 1 << WORDS[ix].len();
        ix += 1;
    }
    lengths
};
/// Items of an array, and levels, that are looked at.
const ITEMS: usize = 100;
const LEVELS: usize = 8;

/// Looks at every text of the body.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    if let Some(body) = case.body {
        // One look at the whole body instead of one at each text.
        let marked = case.look.marked;
        // Where a text stands is only asked where one is no value.
        if body.has_text(|text| placeholder(text, marked).is_some()) {
            walk(case, body, &Place { up: None, name: "$", level: 0, marked }, found);
        }
    }
}

/// Where a value stands; an item of an array stands where the array does.
struct Place<'p> {
    up: Option<&'p Place<'p>>,
    name: &'p str,
    level: usize,
    /// Whether the body has a byte that a directive or an object made text begins with.
    marked: bool,
}

impl Place<'_> {
    fn words(&self) -> String {
        self.up.map_or_else(|| self.name.to_owned(), |up| format!("{}.{}", up.words(), self.name))
    }

    /// The names from the top to here.
    fn names(&self) -> Vec<&str> {
        let mut names = self.up.map_or_else(Vec::new, Place::names);
        if self.up.is_some() {
            names.push(self.name);
        }
        names
    }
}

fn walk(case: &Case<'_, '_>, value: Json<'_>, place: &Place<'_>, found: &mut Found) {
    match value {
        Json::Text(text) => look(case, text, place, found),
        Json::Object(members) if place.level < LEVELS => {
            for (name, value) in members.iter() {
                walk(case, value, &Place { up: Some(place), name, level: place.level + 1, marked: place.marked }, found);
            }
        }
        Json::Array(items) if place.level < LEVELS => {
            let place = Place { level: place.level + 1, ..*place };
            items.iter().take(ITEMS).for_each(|item| walk(case, item, &place, found));
        }
        _ => {}
    }
}

fn look(case: &Case<'_, '_>, text: &str, place: &Place<'_>, found: &mut Found) {
    let Some(kind) = placeholder(text, place.marked) else { return };
    let path = place.words();
    if (kind.is_a_word() && !is_a_value(case.fields, &place.names())) || found.is_blamed(&path) {
        return;
    }
    found.add("B09", Level::Must, || Blame {
        path: known_path(case.fields, &place.names()),
        expected: "a value".to_owned(),
        actual: quoted(text),
        cause: kind.words().to_owned(),
        source: None,
    });
}

/// The path with `*` for every name that neither the contract nor custom knows: such names may be values themselves, and
/// would make a cause of each answer.
fn known_path(fields: &[Field], names: &[&str]) -> String {
    let mut path = "$".to_owned();
    let mut fields = fields;
    for name in names {
        let field = fields.iter().find(|field| field.name == *name);
        let known = field.is_some() || OF_ANY_ERROR.contains(name) || HOLDERS.contains(name);
        path.push('.');
        path.push_str(if known { name } else { "*" });
        fields = field.map_or(&[], |field| &field.fields);
    }
    path
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    Blank,
    Word,
    Template,
    Directive,
    Object,
}

impl Placeholder {
    /// Whether it may be meant, depending on where it stands.
    const fn is_a_word(self) -> bool {
        matches!(self, Placeholder::Blank | Placeholder::Word | Placeholder::Template)
    }

    const fn words(self) -> &'static str {
        match self {
            Placeholder::Blank => "blank",
            Placeholder::Word => "a word that stands for a value",
            Placeholder::Template => "an unfilled template",
            Placeholder::Directive => "a format directive",
            Placeholder::Object => "an object made text",
        }
    }
}

/// What a text is, if it is no value. Almost every text is told by its length and its ends; `marked`: it may have more to it.
fn placeholder(text: &str, marked: bool) -> Option<Placeholder> {
    let bytes = text.as_bytes();
    if bytes.first().is_none_or(u8::is_ascii_whitespace) && text.trim().is_empty() {
        return Some(Placeholder::Blank);
    }
    let as_long_as_a_word =
        u32::try_from(bytes.len()).ok().and_then(|length| LENGTHS.checked_shr(length)).is_some_and(|bits| bits & 1 == 1);
    if as_long_as_a_word && WORDS.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        return Some(Placeholder::Word);
    }
    let enclosed = |open: &str, close: &str| text.starts_with(open) && text.ends_with(close);
    if bytes.last() == Some(&b'}') && (enclosed("{{", "}}") || enclosed("${", "}")) {
        return Some(Placeholder::Template);
    }
    match marked {
        true if has_directive(bytes) => Some(Placeholder::Directive),
        true if text.contains("[object Object]") => Some(Placeholder::Object),
        _ => None,
    }
}

/// `%s` and its like; `100%s` and `%20` are none.
fn has_directive(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text).any(|at| {
        let follows = |ahead: usize| text.get(at + ahead);
        matches!(follows(1), Some(b's' | b'd' | b'v' | b'q'))
            && !follows(2).is_some_and(u8::is_ascii_alphanumeric)
            && !(at > 0 && (text[at - 1].is_ascii_digit() || text[at - 1] == b'%'))
    })
}

/// Whether a member is one whose value is never such a word: of any error, or a text of the contract.
fn is_a_value(fields: &[Field], names: &[&str]) -> bool {
    let of_any_error = match names {
        [name] => OF_ANY_ERROR.contains(name),
        [holder, name] => HOLDERS.contains(holder) && OF_ANY_ERROR.contains(name),
        _ => false,
    };
    of_any_error || field_at(fields, names).is_some_and(|field| matches!(field.kind, Kind::String))
}

fn field_at<'f>(fields: &'f [Field], names: &[&str]) -> Option<&'f Field> {
    let (first, rest) = names.split_first()?;
    let field = fields.iter().find(|field| field.name == *first)?;
    if rest.is_empty() { Some(field) } else { field_at(&field.fields, rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_values() {
        for (text, expected) in [
            ("", Some(Placeholder::Blank)),
            (" \t\n", Some(Placeholder::Blank)),
            ("undefined", Some(Placeholder::Word)),
            ("NULL", Some(Placeholder::Word)),
            ("auto-generated-uuid", Some(Placeholder::Word)),
            ("{{message}}", Some(Placeholder::Template)),
            ("${request.id}", Some(Placeholder::Template)),
            ("cannot open %s", Some(Placeholder::Directive)),
            ("%d of %d", Some(Placeholder::Directive)),
            ("not found: [object Object]", Some(Placeholder::Object)),
            ("The variable x is undefined", None),
            ("null is not allowed here", None),
            ("100%sure", None),
            ("50%s", None),
            ("https://example.com/%d0%b0?x=%20y", None),
            ("100 %", None),
            ("use {{name}} in a template, or ${name}", None),
            ("100%%s", None),
            ("a", None),
        ] {
            assert_eq!(placeholder(text, true), expected, "{text:?}");
        }
    }
}
