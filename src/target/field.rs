//! Whether a request's members are what they must be.

use serde_json::{Map, Value as Json};

use super::facts::query_value;
use super::store::Store;
use crate::contract::Kind;
use crate::contract::server::{FieldRule, Mistake, TextFormat};
use crate::id::RowIx;

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    pub mistake: Mistake,
    pub row: RowIx,
    /// The member, with the members around it: `messages.0.role`.
    pub field: String,
    pub issue: String,
    /// Where the member refers to something: what, and which.
    pub refers: Option<(usize, String)>,
}

/// Everything that is wrong with an object; those flaws first that make it unreadable rather than unreasonable.
/// `partial`: members that are not there are not asked for.
pub fn flaws(rules: &[FieldRule], object: &Map<String, Json>, partial: bool, store: &Store) -> Vec<Flaw> {
    let mut looking = Looking { partial, store, found: Vec::new() };
    looking.object(rules, object, "");
    looking.in_order()
}

/// Everything that is wrong with the parameters of a query.
pub fn query_flaws(rules: &[FieldRule], query: &str, store: &Store) -> Vec<Flaw> {
    let mut looking = Looking { partial: false, store, found: Vec::new() };
    for rule in rules {
        let value = query_value(query, &rule.name).map(|text| typed(rule.kind, &text));
        looking.member(rule, value.as_ref(), "");
    }
    looking.in_order()
}

/// The items that a request's members refer to.
pub fn referred(rules: &[FieldRule], object: &Map<String, Json>, store: &Store) -> Vec<(usize, u64)> {
    let item = |rule: &FieldRule| {
        let resource = rule.refers?;
        Some((resource, store.number(resource, object.get(&rule.name)?.as_str()?)?))
    };
    rules.iter().filter_map(item).collect()
}

/// A parameter's text as the type it must have; as text where it is not written so.
fn typed(kind: Kind, text: &str) -> Json {
    let read = match kind {
        Kind::Integer => text.parse::<i64>().ok().map(Json::from),
        Kind::Number => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Json::from),
        Kind::Boolean => text.parse::<bool>().ok().map(Json::from),
        _ => None,
    };
    read.unwrap_or_else(|| Json::from(text))
}

struct Looking<'s> {
    partial: bool,
    store: &'s Store,
    found: Vec<Flaw>,
}

impl Looking<'_> {
    fn in_order(mut self) -> Vec<Flaw> {
        self.found.sort_by_key(|flaw| flaw.mistake as usize);
        self.found
    }

    fn object(&mut self, rules: &[FieldRule], object: &Map<String, Json>, around: &str) {
        for rule in rules {
            self.member(rule, object.get(&rule.name), around);
        }
    }

    fn member(&mut self, rule: &FieldRule, value: Option<&Json>, around: &str) {
        let Some(value) = value.filter(|value| !value.is_null()) else {
            if rule.required && !self.partial {
                self.add(rule, around, Mistake::Missing, "Is required".to_owned());
            }
            return;
        };
        if !is_of(rule.kind, value) {
            return self.add(rule, around, Mistake::Type, format!("Must be {}", kind_words(rule.kind)));
        }
        if let Some(refers) = rule.refers.filter(|&resource| value.as_str().is_some_and(|id| self.store.number(resource, id).is_none())) {
            let id = value.as_str().unwrap_or_default().to_owned();
            self.add(rule, around, Mistake::Unknown, "Does not exist".to_owned());
            if let Some(flaw) = self.found.last_mut() {
                flaw.refers = Some((refers, id));
            }
        }
        self.content(rule, value, around);
        match value {
            Json::Object(members) => self.object(&rule.fields, members, &inner(around, &rule.name)),
            Json::Array(items) if !rule.fields.is_empty() => self.items(rule, items, &inner(around, &rule.name)),
            _ => {}
        }
    }

    fn items(&mut self, rule: &FieldRule, items: &[Json], around: &str) {
        for (place, item) in items.iter().enumerate() {
            match item {
                Json::Object(members) => self.object(&rule.fields, members, &inner(around, &place.to_string())),
                _ => {
                    let field = inner(around, &place.to_string());
                    self.push(rule, field, Mistake::Type, "Must be an object".to_owned());
                }
            }
            if self.found.len() >= 20 {
                return; // enough to tell; a long list of wrong items must not make a longer answer
            }
        }
    }

    fn content(&mut self, rule: &FieldRule, value: &Json, around: &str) {
        if let Some(number) = value.as_f64() {
            let outside = rule.min.is_some_and(|min| number < min) || rule.max.is_some_and(|max| number > max);
            if outside {
                self.add(rule, around, Mistake::Range, bounds("", rule.min, rule.max));
            }
        }
        if let Some((length, what)) = length(value) {
            let short = rule.min_len.is_some_and(|min| length < min);
            if short && length == 0 {
                self.add(rule, around, Mistake::Empty, "Cannot be empty".to_owned());
            } else if short || rule.max_len.is_some_and(|max| length > max) {
                let (min, max) = (rule.min_len.map(|min| min as f64), rule.max_len.map(|max| max as f64));
                self.add(rule, around, Mistake::Length, bounds(what, min, max));
            }
        }
        if let Some(most) = rule.max_text.filter(|&most| text_inside(value) > most) {
            self.add(rule, around, Mistake::Length, format!("Must hold at most {most} characters in all"));
        }
        let Some(text) = value.as_str() else { return };
        if !rule.one_of.is_empty() && !rule.one_of.iter().any(|known| known == text) {
            self.add(rule, around, Mistake::Choice, format!("Must be one of: {}", rule.one_of.join(", ")));
        }
        if let Some((_, words)) =
            rule.format.map(|format| (format, format_words(format))).filter(|(format, _)| !is_written_as(*format, text))
        {
            self.add(rule, around, Mistake::Format, words.to_owned());
        }
    }

    fn add(&mut self, rule: &FieldRule, around: &str, mistake: Mistake, issue: String) {
        self.push(rule, inner(around, &rule.name), mistake, issue);
    }

    fn push(&mut self, rule: &FieldRule, field: String, mistake: Mistake, issue: String) {
        self.found.push(Flaw { mistake, row: rule.errors.row(mistake), field, issue, refers: None });
    }
}

fn inner(around: &str, name: &str) -> String {
    if around.is_empty() { name.to_owned() } else { format!("{around}.{name}") }
}

fn is_of(kind: Kind, value: &Json) -> bool {
    match kind {
        Kind::String => value.is_string(),
        Kind::Integer => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        Kind::Number => value.is_number(),
        Kind::Boolean => value.is_boolean(),
        Kind::Object => value.is_object(),
        Kind::Array => value.is_array(),
        Kind::Any => true,
    }
}

const fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "a string",
        Kind::Integer => "a whole number",
        Kind::Number => "a number",
        Kind::Boolean => "true or false",
        Kind::Object => "an object",
        Kind::Array => "an array",
        Kind::Any => "a value",
    }
}

fn length(value: &Json) -> Option<(usize, &'static str)> {
    match value {
        Json::String(text) => Some((text.chars().count(), " characters")),
        Json::Array(items) => Some((items.len(), " items")),
        _ => None,
    }
}

fn text_inside(value: &Json) -> usize {
    match value {
        Json::String(text) => text.chars().count(),
        Json::Array(items) => items.iter().map(text_inside).sum(),
        Json::Object(members) => members.values().map(text_inside).sum(),
        _ => 0,
    }
}

fn bounds(what: &str, min: Option<f64>, max: Option<f64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("Must be between {min} and {max}{what}"),
        (Some(min), None) => format!("Must be at least {min}{what}"),
        (None, Some(max)) => format!("Must be at most {max}{what}"),
        (None, None) => "Is out of range".to_owned(),
    }
}

const fn format_words(format: TextFormat) -> &'static str {
    match format {
        TextFormat::Email => "Invalid email format",
        TextFormat::Date => "Must be a date such as 2025-12-23",
        TextFormat::Rfc3339 => "Must be a time such as 2025-12-23T12:00:00Z",
        TextFormat::Uri => "Must be a URL such as https://example.com/",
    }
}

fn is_written_as(format: TextFormat, text: &str) -> bool {
    match format {
        TextFormat::Email => text.split_once('@').is_some_and(|(name, host)| {
            let plain = |part: &str| !part.is_empty() && part.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '@');
            plain(name) && plain(host) && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
        }),
        TextFormat::Date => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        TextFormat::Rfc3339 => text.parse::<jiff::Timestamp>().is_ok(),
        TextFormat::Uri => url::Url::parse(text).is_ok_and(|url| url.has_host()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::server::Errors;
    use serde_json::json;

    fn rule(name: &str, kind: Kind) -> FieldRule {
        FieldRule {
            name: name.to_owned(),
            kind,
            required: false,
            min: None,
            max: None,
            min_len: None,
            max_len: None,
            max_text: None,
            one_of: Vec::new(),
            format: None,
            refers: None,
            fields: Vec::new(),
            errors: Errors::default(),
        }
    }

    fn found(rules: &[FieldRule], body: Json, partial: bool) -> Vec<(Mistake, String, String)> {
        let object = body.as_object().expect("an object").clone();
        flaws(rules, &object, partial, &Store::new(&[])).into_iter().map(|flaw| (flaw.mistake, flaw.field, flaw.issue)).collect()
    }

    #[test]
    fn each_way_of_being_wrong_is_its_own_mistake() {
        let rules = [
            FieldRule { required: true, min_len: Some(1), max_len: Some(5), ..rule("title", Kind::String) },
            FieldRule { min: Some(0.0), max: Some(2.0), ..rule("heat", Kind::Number) },
            FieldRule { one_of: vec!["a".into(), "b".into()], ..rule("role", Kind::String) },
            FieldRule { format: Some(TextFormat::Email), ..rule("email", Kind::String) },
            FieldRule { min_len: Some(1), max_text: Some(10), ..rule("list", Kind::Array) },
        ];
        for (body, mistake, field, issue) in [
            (json!({}), Mistake::Missing, "title", "Is required"),
            (json!({ "title": null }), Mistake::Missing, "title", "Is required"),
            (json!({ "title": "" }), Mistake::Empty, "title", "Cannot be empty"),
            (json!({ "title": 3 }), Mistake::Type, "title", "Must be a string"),
            (json!({ "title": "xxxxxx" }), Mistake::Length, "title", "Must be between 1 and 5 characters"),
            (json!({ "title": "x", "heat": 2.5 }), Mistake::Range, "heat", "Must be between 0 and 2"),
            (json!({ "title": "x", "role": "c" }), Mistake::Choice, "role", "Must be one of: a, b"),
            (json!({ "title": "x", "email": "nobody" }), Mistake::Format, "email", "Invalid email format"),
            (json!({ "title": "x", "list": [] }), Mistake::Empty, "list", "Cannot be empty"),
            (
                json!({ "title": "x", "list": [{ "t": "123456" }, "12345"] }),
                Mistake::Length,
                "list",
                "Must hold at most 10 characters in all",
            ),
        ] {
            assert_eq!(found(&rules, body.clone(), false), [(mistake, field.to_owned(), issue.to_owned())], "{body}");
        }
        assert_eq!(found(&rules, json!({ "title": "x", "heat": 2, "role": "b", "email": "a@b.cd", "list": ["x"], "more": 1 }), false), []);
        assert_eq!(found(&rules, json!({}), true), [], "a partial body lacks nothing");
    }

    #[test]
    fn what_cannot_be_read_comes_before_what_is_out_of_range() {
        let rules = [FieldRule { max: Some(1.0), ..rule("a", Kind::Integer) }, rule("b", Kind::Boolean)];
        let mistakes: Vec<Mistake> = found(&rules, json!({ "a": 2, "b": "yes" }), false).into_iter().map(|flaw| flaw.0).collect();
        assert_eq!(mistakes, [Mistake::Type, Mistake::Range]);
    }

    #[test]
    fn members_of_items_are_named_by_their_place() {
        let inner = FieldRule { required: true, ..rule("role", Kind::String) };
        let rules = [FieldRule { fields: vec![inner], ..rule("messages", Kind::Array) }];
        let wrong = found(&rules, json!({ "messages": [{ "role": "x" }, {}, 3] }), false);
        let fields: Vec<(Mistake, &str)> = wrong.iter().map(|flaw| (flaw.0, flaw.1.as_str())).collect();
        assert_eq!(fields, [(Mistake::Missing, "messages.1.role"), (Mistake::Type, "messages.2")]);
        let many = found(&rules, json!({ "messages": vec![3; 10_000] }), false);
        assert_eq!(many.len(), 20);
    }

    #[test]
    fn parameters_are_read_as_the_type_they_must_have() {
        let rules = [FieldRule { min: Some(1.0), max: Some(100.0), ..rule("limit", Kind::Integer) }];
        let mistake = |query| query_flaws(&rules, query, &Store::new(&[])).first().map(|flaw| flaw.mistake);
        for (query, wrong) in [
            ("", None),
            ("limit=7", None),
            ("limit=0", Some(Mistake::Range)),
            ("limit=many", Some(Mistake::Type)),
            ("limit=1.5", Some(Mistake::Type)),
            ("other=0", None),
        ] {
            assert_eq!(mistake(query), wrong, "{query}");
        }
    }

    #[test]
    fn formats_are_told_apart_from_what_only_looks_like_them() {
        for (format, good, bad) in [
            (TextFormat::Email, "a.b+c@d.ef", ["a@b", "@b.cd", "a b@c.de"]),
            (TextFormat::Date, "2025-12-23", ["2025-13-01", "2025-12-23T00:00:00Z", "23.12.2025"]),
            (TextFormat::Rfc3339, "2025-12-23T12:00:00+01:00", ["2025-12-23T12:00:00", "now", "2025-12-23"]),
            (TextFormat::Uri, "https://example.com/a", ["example.com", "/a", "mailto:a@b.cd"]),
        ] {
            assert!(is_written_as(format, good), "{good}");
            for bad in bad {
                assert!(!is_written_as(format, bad), "{bad}");
            }
        }
    }
}
