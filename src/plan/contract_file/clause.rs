//! Clauses: what a member or a header must be, read in layers (what is inherited, then what is refined).

use std::sync::Arc;

use http::HeaderName;
use regex::{Regex, RegexBuilder};

use super::schema::Schemas;
use super::source_of;
use crate::contract::schema::Schema;
use crate::contract::{Envelope, Field, Format, Header, Kind, Level, Reference, Role, Source, ValueRule};
use crate::plan::file::{Table, Value, View};

const LEVELS: [(&str, Level); 5] = [
    ("must", Level::Must),
    ("expected", Level::Expected),
    ("companion", Level::Companion),
    ("rfc", Level::Rfc),
    ("optional", Level::Optional),
];

const FORMATS: [(&str, Format); 7] = [
    ("rfc3339", Format::Rfc3339),
    ("http-date", Format::HttpDate),
    ("delay-seconds", Format::DelaySeconds),
    ("epoch-seconds", Format::EpochSeconds),
    ("epoch-millis", Format::EpochMillis),
    ("delta-seconds", Format::DeltaSeconds),
    ("uri", Format::Uri),
];

/// A pattern's compiled size at most: patterns come from outside.
const LARGEST_PATTERN: usize = 1 << 20;

/// What is asked of an answer, before it is known which row asks.
#[derive(Clone, Default)]
pub(super) struct Clauses {
    content_type: Option<String>,
    closed: bool,
    fields: Vec<FieldClause>,
    headers: Vec<HeaderClause>,
    schema: Option<Arc<Schema>>,
    source: Source,
}

/// A member, with the statuses and codes that expect it.
#[derive(Clone)]
struct FieldClause {
    field: Field,
    expected_for: Vec<String>,
    inner: Vec<FieldClause>,
    /// Whether its role is given in the layer that is being read.
    new_role: bool,
}

/// A header, with the statuses and codes that expect it.
#[derive(Clone)]
struct HeaderClause {
    header: Header,
    expected_for: Vec<String>,
}

impl Clauses {
    /// Adds an envelope's own clauses to the inherited ones.
    pub(super) fn read(&mut self, table: &Table<'_>, schemas: &Schemas) {
        self.content_type = table.string("content_type").or(self.content_type.take());
        self.closed = table.boolean("closed").unwrap_or(self.closed);
        self.source = source_of(&table.place());
        self.refine(table, schemas);
    }

    /// Adds the `fields` and `headers` of a table; a `schema` takes the place of the inherited one.
    pub(super) fn refine(&mut self, table: &Table<'_>, schemas: &Schemas) {
        self.schema = table.take("schema").and_then(|value| schemas.lower(&value)).or(self.schema.take());
        if let Some(fields) = table.table("fields") {
            self.fields.iter_mut().for_each(FieldClause::settle_role);
            read_fields(&mut self.fields, &fields);
            give_up_roles(&mut self.fields);
        }
        self.read_headers(table);
    }

    /// Adds the `headers` of a table.
    pub(super) fn read_headers(&mut self, table: &Table<'_>) {
        let Some(headers) = table.table("headers") else { return };
        for (name, value) in headers.entries() {
            let Ok(parsed) = name.parse::<HeaderName>() else {
                value.refuse::<()>(format!("`{name}` is not a header name"), "letters, digits and hyphens");
                continue;
            };
            let known = self.headers.iter().position(|clause| clause.header.name == parsed);
            let base = known.map_or_else(|| new_header(parsed, name), |at| self.headers.remove(at));
            if let Some(clause) = read_header(base, &value) {
                self.headers.insert(known.unwrap_or(self.headers.len()), clause);
            }
        }
    }

    /// What these clauses ask of an answer with this status and code.
    pub(super) fn settle(&self, name: &str, status: u16, code: &str) -> Envelope {
        let fields = self.fields.iter().map(|clause| clause.settle(status, code)).collect();
        let raised = |clause: &HeaderClause| {
            let mut header = clause.header.clone();
            header.level = raise(header.level, &clause.expected_for, status, code);
            header
        };
        let headers = self.headers.iter().map(raised).collect();
        let mut envelope = Envelope {
            name: name.to_owned(),
            content_type: self.content_type.clone().unwrap_or_else(|| "application/json".to_owned()),
            fields,
            headers,
            schema: self.schema.clone(),
            closed: self.closed,
            source: self.source.clone(),
        };
        usual_roles(&mut envelope.fields);
        envelope
    }
}

impl FieldClause {
    /// Before another layer is read.
    fn settle_role(&mut self) {
        self.new_role = false;
        self.inner.iter_mut().for_each(FieldClause::settle_role);
    }

    fn new_roles(&self, into: &mut Vec<Role>) {
        into.extend(self.field.role.filter(|_| self.new_role));
        self.inner.iter().for_each(|clause| clause.new_roles(into));
    }

    fn give_up(&mut self, taken: &[Role]) {
        self.field.role = self.field.role.filter(|role| self.new_role || !taken.contains(role));
        self.inner.iter_mut().for_each(|clause| clause.give_up(taken));
    }

    fn settle(&self, status: u16, code: &str) -> Field {
        let mut field = self.field.clone();
        field.level = raise(field.level, &self.expected_for, status, code);
        field.fields = self.inner.iter().map(|clause| clause.settle(status, code)).collect();
        field
    }
}

/// A role given to a member is taken from the one that has it by inheritance.
fn give_up_roles(fields: &mut [FieldClause]) {
    let mut taken = Vec::new();
    fields.iter().for_each(|clause| clause.new_roles(&mut taken));
    fields.iter_mut().for_each(|clause| clause.give_up(&taken));
}

/// A member named `code` or `message` has the role of that name, unless the file gives the role to another.
fn usual_roles(fields: &mut [Field]) {
    for (name, role) in [("code", Role::Code), ("message", Role::Message)] {
        if !has_role(fields, role)
            && let Some(field) = fields.iter_mut().find(|field| field.name == name && field.role.is_none())
        {
            field.role = Some(role);
        }
    }
}

fn has_role(fields: &[Field], role: Role) -> bool {
    fields.iter().any(|field| field.role == Some(role) || has_role(&field.fields, role))
}

/// What is only allowed becomes expected for the statuses (`500`, `5xx`) and codes that are listed.
fn raise(level: Level, expected_for: &[String], status: u16, code: &str) -> Level {
    let class = format!("{}xx", status / 100);
    let listed = expected_for.iter().any(|word| word == code || *word == class || *word == status.to_string());
    if listed { level.max(Level::Expected) } else { level }
}

fn read_fields(into: &mut Vec<FieldClause>, table: &Table<'_>) {
    for (name, value) in table.entries() {
        let known = into.iter().position(|clause| clause.field.name == name);
        let base = known.map_or_else(|| new_field(name), |at| into.remove(at));
        if let Some(clause) = read_field(base, &value) {
            into.insert(known.unwrap_or(into.len()), clause);
        }
    }
}

fn new_field(name: String) -> FieldClause {
    let field = Field {
        name,
        kind: Kind::String,
        level: Level::Optional,
        role: None,
        nullable: false,
        rule: ValueRule::default(),
        fields: Vec::new(),
        min_items: 0,
        sample: None,
        source: Source::default(),
    };
    FieldClause { field, expected_for: Vec::new(), inner: Vec::new(), new_role: false }
}

fn new_header(name: HeaderName, shown: String) -> HeaderClause {
    HeaderClause { header: Header::new(name, shown), expected_for: Vec::new() }
}

fn read_field(mut clause: FieldClause, value: &Value<'_>) -> Option<FieldClause> {
    let table = value.table()?;
    let field = &mut clause.field;
    field.kind = table.one_of("type", &Kind::WORDS).unwrap_or(field.kind);
    if let Some(role) = table.one_of("role", &Role::WORDS) {
        (field.role, clause.new_role) = (Some(role), true);
    }
    field.nullable = table.boolean("nullable").unwrap_or(field.nullable);
    field.min_items = table.whole("min_items", 0..=1_000).unwrap_or(field.min_items);
    field.sample = table.take("example").and_then(|value| json(&value)).or(field.sample.take());
    field.source = source_of(&value.key_place());
    presence(&table, &mut field.level, &mut field.rule, &mut clause.expected_for);
    read_rule(&table, &mut field.rule);
    if let Some(inner) = table.table("fields") {
        read_fields(&mut clause.inner, &inner);
        if !matches!(field.kind, Kind::Object | Kind::Array) {
            value.refuse::<()>(format!("`{}` has members but is no object or array", field.name), "add `type = \"object\"`");
        }
    }
    consistent(value, &field.rule, field.sample.as_ref());
    table.finish();
    Some(clause)
}

fn read_header(mut clause: HeaderClause, value: &Value<'_>) -> Option<HeaderClause> {
    let table = value.table()?;
    let header = &mut clause.header;
    header.kind = table.one_of("type", &[("string", Kind::String), ("integer", Kind::Integer)]).unwrap_or(header.kind);
    header.role = table.one_of("role", &Role::WORDS).or(header.role);
    header.sample = table.string("example").or(header.sample.take());
    header.source = source_of(&value.key_place());
    presence(&table, &mut header.level, &mut header.rule, &mut clause.expected_for);
    read_rule(&table, &mut header.rule);
    header.rule.format = table.one_of("unit", &FORMATS).or(header.rule.format);
    consistent(value, &header.rule, header.sample.clone().map(serde_json::Value::from).as_ref());
    table.finish();
    Some(clause)
}

/// `required = true` demands presence, and `level` then says how firmly the value's own rule is asked for; without it
/// `level` is about presence, and `value_level` about the value.
fn presence(table: &Table<'_>, level: &mut Level, rule: &mut ValueRule, expected_for: &mut Vec<String>) {
    let required = table.boolean("required");
    let given = table.one_of("level", &LEVELS);
    rule.level = table.one_of("value_level", &LEVELS).unwrap_or(rule.level);
    match (required, given) {
        (Some(true), given) => {
            *level = Level::Must;
            rule.level = given.unwrap_or(rule.level);
        }
        (Some(false), _) => *level = Level::Optional,
        (None, Some(given)) => *level = given,
        (None, None) => {}
    }
    if table.has("expected_for") {
        *expected_for = table.list("expected_for").iter().filter_map(word).collect();
    }
}

/// A word of a list; a number stands for its digits.
fn word(value: &Value<'_>) -> Option<String> {
    match value.view() {
        View::Integer(status) => Some(status.to_string()),
        _ => value.string(),
    }
}

/// What a value repeats of the answer it stands in.
#[derive(Clone, Copy)]
enum Is {
    ReasonPhrase,
    Status,
}

fn read_rule(table: &Table<'_>, rule: &mut ValueRule) {
    const ANY: std::ops::RangeInclusive<f64> = -1e18..=1e18;
    rule.pattern = table.take("pattern").and_then(|value| compiled(&value)).or(rule.pattern.take());
    rule.min = table.number("min", ANY).or(rule.min);
    rule.max = table.number("max", ANY).or(rule.max);
    rule.min_len = table.whole("min_len", 0..=1_000_000).or(rule.min_len);
    rule.max_len = table.whole("max_len", 0..=1_000_000).or(rule.max_len);
    rule.format = table.one_of("format", &FORMATS).or(rule.format);
    rule.unique = table.boolean("unique").unwrap_or(rule.unique);
    rule.echo = table.boolean("echo").unwrap_or(rule.echo);
    rule.near_date = table.parsed("near_date").or(rule.near_date);
    rule.window = table.parsed("window").or(rule.window);
    rule.tolerance = table.parsed("tolerance").or(rule.tolerance);
    rule.equals = table.take("equals").and_then(|value| reference(&value)).or(rule.equals.take());
    rule.at_most = table.take("at_most").and_then(|value| reference(&value)).or(rule.at_most.take());
    match table.one_of("is", &[("reason-phrase", Is::ReasonPhrase), ("status", Is::Status)]) {
        Some(Is::ReasonPhrase) => rule.is_reason_phrase = true,
        Some(Is::Status) => rule.is_status = true,
        None => {}
    }
    if let Some(pairs) = table.table("statuses") {
        let pair = |(word, value): (String, Value<'_>)| Some((word, value.whole(100..=599)?));
        rule.statuses = pairs.entries().into_iter().filter_map(pair).collect();
    }
    for (key, words) in [("one_of", &mut rule.one_of), ("expected_values", &mut rule.expected_values)] {
        let Some(value) = table.take(key) else { continue };
        let Some(given) = value.list() else { continue };
        if given.is_empty() {
            value.refuse::<()>(format!("`{key}` is empty: no value would do"), "name the values, or remove the key");
        }
        *words = given.iter().filter_map(word).collect();
    }
}

/// What no value can keep, or the example does not.
fn consistent(value: &Value<'_>, rule: &ValueRule, example: Option<&serde_json::Value>) {
    if let (Some(min), Some(max)) = (rule.min, rule.max)
        && min > max
    {
        value.refuse::<()>(format!("no number is at least {min} and at most {max}"), "correct `min` or `max`; one may be inherited");
    }
    if let (Some(min), Some(max)) = (rule.min_len, rule.max_len)
        && min > max
    {
        value.refuse::<()>(
            format!("no text has at least {min} and at most {max} characters"),
            "correct `min_len` or `max_len`; one may be inherited",
        );
    }
    let Some(example) = example else { return };
    let text = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
    let number = example.as_f64().or_else(|| text.parse().ok());
    let length = text.chars().count();
    let misfit = match rule {
        _ if example.is_array() || example.is_object() => None,
        ValueRule { pattern: Some(pattern), .. } if !pattern.is_match(&text) => Some(format!("the pattern `{pattern}`")),
        ValueRule { min: Some(min), .. } if number.is_some_and(|number| number < *min) => Some(format!("the least value {min}")),
        ValueRule { max: Some(max), .. } if number.is_some_and(|number| number > *max) => Some(format!("the greatest value {max}")),
        ValueRule { min_len: Some(min), .. } if example.is_string() && length < *min => Some(format!("the least length {min}")),
        ValueRule { max_len: Some(max), .. } if example.is_string() && length > *max => Some(format!("the greatest length {max}")),
        ValueRule { one_of, .. } if !one_of.is_empty() && !one_of.contains(&text) => Some("the listed values".to_owned()),
        _ => None,
    };
    if let Some(rule) = misfit {
        value.refuse::<()>(format!("the example of `{}` does not fit {rule}", value.key()), "correct the example, or the rule");
    }
}

/// A regular expression of bounded size.
pub(super) fn compiled(value: &Value<'_>) -> Option<Regex> {
    match RegexBuilder::new(&value.string()?).size_limit(LARGEST_PATTERN).build() {
        Ok(regex) => Some(regex),
        Err(error) => {
            let said = error.to_string();
            let last = said.lines().last().unwrap_or("").trim_start_matches("error: ");
            value.refuse(format!("`{}` is not a regular expression: {last}", value.key()), "the syntax is that of the Rust crate `regex`")
        }
    }
}

fn reference(value: &Value<'_>) -> Option<Reference> {
    let text = value.string()?;
    if let Some(name) = text.strip_prefix("header:").filter(|name| name.parse::<HeaderName>().is_ok()) {
        return Some(Reference::Header(name.to_owned()));
    }
    match text.strip_prefix("$.").map(|path| path.split('.').map(str::to_owned).collect::<Vec<_>>()) {
        Some(path) if path.iter().all(|name| !name.is_empty()) => Some(Reference::Body(path)),
        _ => value.refuse(format!("`{text}` names no value of the answer"), "write `$.member` or `header:Name`"),
    }
}

/// The value as JSON.
pub(super) fn json(value: &Value<'_>) -> Option<serde_json::Value> {
    Some(match value.view() {
        View::String(text) => text.into(),
        View::Integer(whole) => i64::try_from(whole).ok()?.into(),
        View::Float(number) => number.into(),
        View::Boolean(truth) => truth.into(),
        View::Datetime(date) => date.into(),
        View::List(items) => items.iter().filter_map(json).collect::<Vec<_>>().into(),
        View::Table(table) => {
            let members = table.entries().into_iter().filter_map(|(key, value)| Some((key, json(&value)?)));
            serde_json::Value::Object(members.collect())
        }
    })
}
