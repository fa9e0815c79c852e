//! B01–B08 and B12: whether the body is what it says it is, and has the members that its row asks for.

use http::Method;

use crate::contract::check::{Blame, Case, Found, quoted, shown};
use crate::contract::coding::{self, NotGzip};
use crate::contract::head::{Head, Known};
use crate::contract::header::trimmed;
use crate::contract::json::{Document, Encoding, Json, NotJson};
use crate::contract::name::is_same;
use crate::contract::rows::Asked;
use crate::contract::schema::{Outcome, Schema};
use crate::contract::{Contract, Field, Format, Kind, Level, Profile, Role, UnknownFields, ValueRule, identity, instant, relation, status};
use crate::severity::Severity;
use crate::wire::ResponseFacts;

/// Items of an array that are looked at.
const ITEMS: usize = 100;
/// Bytes of an error, at most.
const LARGEST: u64 = 16 * 1024;
/// Bytes that a body in gzip is unpacked to, at most.
const UNPACKED: usize = 1024 * 1024;
/// Media types of pages.
const MARKUP: [&str; 4] = ["text/html", "application/xhtml+xml", "application/xml", "text/xml"];

/// Where in the body a value stands, written out only when something is wrong there.
#[derive(Clone, Copy)]
struct Path<'p> {
    up: Option<&'p Path<'p>>,
    name: &'p str,
    /// Whether it is any item of an array: indices are dropped.
    item: bool,
}

impl<'p> Path<'p> {
    const ROOT: Path<'static> = Path { up: None, name: "$", item: false };

    fn member(&'p self, name: &'p str) -> Path<'p> {
        Path { up: Some(self), name, item: false }
    }

    fn words(&self) -> String {
        let above = self.up.map(|up| up.words() + ".").unwrap_or_default();
        format!("{above}{}{}", self.name, if self.item { "[]" } else { "" })
    }
}

/// Reads the body of an error answer into an empty document, and whether it is there to be looked at; what keeps it from
/// being JSON is written down.
pub(super) fn read<'a>(
    contract: &Contract,
    method: &Method,
    response: &ResponseFacts<'a>,
    head: &Head<'_>,
    asked: Asked<'_>,
    document: &mut Document<'a>,
    found: &mut Found,
) -> bool {
    if *method == Method::HEAD {
        return false;
    }
    if is_free(contract, asked, response, head) {
        return document.fill(response.body).is_ok() && matches!(document.value(), Json::Object(_));
    }
    if response.body_bytes == 0 && response.body.is_empty() {
        found.add("B01", Level::Must, || blame("a body that explains the error", "no body".to_owned(), "empty"));
        return false;
    }
    too_large(response, found);
    let encoding = head.text(Known::ContentEncoding).filter(|coding| !coding.eq_ignore_ascii_case("identity"));
    if let Some(coding) = encoding {
        coded(coding, response, found);
        return false;
    }
    let declared = head.text(Known::ContentType).map(essence);
    let json = if response.body_complete { document.fill(response.body).map_err(Some) } else { Err(None) };
    content_type(contract, declared, response.body, json.is_ok(), found);
    match json {
        Ok(()) => facts(document, found),
        // Said by B05 already: it is not a broken piece of JSON but something else.
        Err(_) if found.has("B05") => {}
        Err(why) => found.add("B02", Level::Must, || unreadable(why, response)),
    }
    json.is_ok()
}

/// B02 of a body in a content coding: it is not judged, but for gzip that is none.
fn coded(coding: &str, response: &ResponseFacts<'_>, found: &mut Found) {
    let is_gzip = ["gzip", "x-gzip"].iter().any(|name| coding.eq_ignore_ascii_case(name));
    let cause = match coding::gunzip(response.body, UNPACKED) {
        Err(NotGzip::Other) => "no gzip",
        Err(NotGzip::Truncated) => "gzip that ends too soon",
        Err(NotGzip::Spoiled) => "gzip that is spoiled",
        Ok(_) | Err(NotGzip::TooLong) => "",
    };
    if is_gzip && response.body_complete && !cause.is_empty() {
        let actual = || format!("{cause} ({} bytes)", response.body_bytes);
        found.add("B02", Level::Must, || blame("gzip, as Content-Encoding says", actual(), cause));
    } else {
        let blame = || blame("a body without a content coding", quoted(coding), "encoded: not judged");
        found.add_as("B02", Severity::Info, Level::Must, blame);
    }
}

/// Whether the document leaves the body open: any type, or none (`content_type = "*/*"`), or the type is another than JSON
/// and is the one that was sent.
fn is_free(contract: &Contract, asked: Asked<'_>, response: &ResponseFacts<'_>, head: &Head<'_>) -> bool {
    let Some(row) = contract.row_for(asked, response.status, None) else { return false };
    let documented = contract.row(row).envelope.content_type.as_str();
    let sent = || head.text(Known::ContentType).map(essence).is_some_and(|sent| is_type(sent, documented));
    documented == "*/*" || (!ends_with(documented, "json") && sent())
}

/// Looks at the members of the body.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    let Some(json) = case.body else { return };
    // Where there are no fields, the schema alone says what it must be.
    let by_fields = !case.fields.is_empty() || case.schema.is_none();
    if by_fields && !matches!(json, Json::Object(_)) {
        found.add("B03", Level::Must, || blame("an object", json.kind().to_owned(), "type"));
        return;
    }
    members(case, case.fields, &|ix, _| case.values.field(ix), &Path::ROOT, found);
    if by_fields {
        let closed = case.row.is_some_and(|row| case.contract.row(row).envelope.closed);
        unknown_members(case.contract.unknown_fields, closed, case, json, found);
    }
    if let Some(schema) = case.schema {
        by_schema(schema, json, found);
    }
}

/// B03 by a JSON Schema: one violation for each keyword and place.
fn by_schema(schema: &Schema, json: Json<'_>, found: &mut Found) {
    let outcome = schema.check(json, &mut |misfit| {
        found.add("B03", Level::Must, || Blame {
            path: misfit.instance_path.to_string(),
            expected: misfit.expected.to_owned(),
            actual: misfit.actual.to_owned(),
            cause: if misfit.schema_path.is_empty() { "schema" } else { misfit.schema_path }.to_owned(),
            source: Some(schema.source().clone()),
        });
    });
    let why = match outcome {
        Outcome::Fits | Outcome::Misfits => return,
        Outcome::TooCostly => "not judged: too costly",
        Outcome::TooLarge => "not judged: too many entries",
    };
    found.add_as("B03", Severity::Info, Level::Must, || Blame {
        source: Some(schema.source().clone()),
        ..blame("a body that can be held to its schema", why.to_owned(), why)
    });
}

/// B12. Of a body that was not kept whole B02 says so.
fn too_large(response: &ResponseFacts<'_>, found: &mut Found) {
    if response.body_bytes > LARGEST && response.body_complete {
        let actual = || format!("{} bytes", response.body_bytes);
        found.add("B12", Level::Must, || Blame { path: "body".to_owned(), ..blame("at most 16 KiB", actual(), "too large") });
    }
}

/// B06 and B07: what a reader that makes do with the body would not notice.
fn facts(document: &Document<'_>, found: &mut Found) {
    let encoding = document.encoding();
    if encoding != Encoding::Utf8 {
        found.add("B06", Level::Must, || blame("UTF-8 without a byte order mark", encoding.words().to_owned(), encoding.words()));
    }
    if let Some(name) = document.duplicate() {
        found.add("B07", Level::Must, || blame("every member once", format!("{} twice in one object", quoted(name)), "a member twice"));
    }
}

fn unreadable(why: Option<NotJson>, response: &ResponseFacts<'_>) -> Blame {
    let (actual, cause) = match why {
        Some(NotJson::Truncated) => ("JSON that ends inside a value", "truncated"),
        Some(NotJson::TooDeep) => ("JSON nested more than 128 deep", "too deep"),
        Some(NotJson::NotText) => ("text that is not UTF-8, or half a character", "not UTF-8"),
        Some(NotJson::Malformed) => ("no JSON", "malformed"),
        None => ("too long or cut: it was not kept whole", "not kept whole"),
    };
    blame("one JSON object", format!("{actual} ({} bytes)", response.body_bytes), cause)
}

/// B04: another type than the documented one. B05: the declared type and the bytes contradict each other.
fn content_type(contract: &Contract, declared: Option<&str>, body: &[u8], is_json: bool, found: &mut Found) {
    let documented = contract.envelopes.first().map_or("application/json", |base| base.content_type.as_str());
    let any = |fits: &dyn Fn(&str) -> bool| contract.envelopes.iter().any(|envelope| fits(&envelope.content_type));
    let at =
        |expected: &str, actual: String, cause: &str| Blame { path: "header:Content-Type".to_owned(), ..blame(expected, actual, cause) };
    let Some(declared) = declared else {
        found.add("B04", Level::Expected, || at(documented, "no Content-Type".to_owned(), "missing"));
        return;
    };
    let says_json = is_type(declared, "application/json") || ends_with(declared, "+json");
    let looks_json = matches!(body.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'[' | 0xef));
    let says_markup = MARKUP.iter().any(|markup| declared.eq_ignore_ascii_case(markup));
    match (says_json, is_json) {
        (true, false) if !looks_json => {
            let what = if body.trim_ascii_start().starts_with(b"<") { "markup" } else { "other text" };
            found.add("B05", Level::Must, || at("JSON, as declared", what.to_owned(), what));
        }
        (false, true) if says_markup => found.add("B05", Level::Must, || at("markup, as declared", "JSON".to_owned(), "JSON as markup")),
        _ if any(&|known| is_type(known, declared)) || (says_json && any(&|known| ends_with(known, "json"))) => {}
        _ => found.add("B04", Level::Must, || at(documented, quoted(declared), "another type")),
    }
}

/// Whether two media types are the same, in any case: most are written alike.
fn is_type(a: &str, b: &str) -> bool {
    is_same(a, b) || a.eq_ignore_ascii_case(b)
}

fn ends_with(text: &str, end: &str) -> bool {
    text.len().checked_sub(end.len()).and_then(|at| text.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// The type without its parameters; any charset parameter is fine here.
fn essence(value: &str) -> &str {
    let end = value.bytes().position(|byte| byte == b';').unwrap_or(value.len());
    trimmed(&value[..end])
}

/// Holds the members of one object to its fields; `value` says what stands for the field of an index.
fn members<'d>(case: &Case<'_, '_>, fields: &[Field], value: &dyn Fn(usize, &str) -> Option<Json<'d>>, path: &Path<'_>, found: &mut Found) {
    for (ix, field) in fields.iter().enumerate() {
        match value(ix, &field.name) {
            Some(value) => member(case, field, value, &path.member(&field.name), found),
            None => found.add(identity::missing_check(field.role), field.level, || Blame {
                path: path.member(&field.name).words(),
                expected: words(field),
                actual: "no such member".to_owned(),
                cause: "missing".to_owned(),
                source: Some(field.source.clone()),
            }),
        }
    }
}

fn member(case: &Case<'_, '_>, field: &Field, value: Json<'_>, path: &Path<'_>, found: &mut Found) {
    let at = || path.words();
    if field.nullable && matches!(value, Json::Null) {
        return;
    }
    if !is_kind(field.kind, value) {
        found.add("B03", Level::Must, || fault(field, at(), kind_word(field.kind).to_owned(), value, "type"));
        return;
    }
    value_rule(field, value, &at, found);
    if field.rule.is_reason_phrase {
        status::phrase(case.status(), field, &at, value, found);
    }
    if field.rule.is_status {
        status::is_the_status(case, field, &at, value, found);
    }
    if let Some(text) = value.text().filter(|_| !field.rule.statuses.is_empty()) {
        status::goes_with(case, field, &at, text, found);
    }
    let related = field.rule.equals.is_some() || field.rule.at_most.is_some();
    if related && !relation::has_equation(field.role) {
        let wrong = &mut |cause: &'static str, expected| found.add("B03", Level::Must, || fault(field, at(), expected, value, cause));
        relation::comparable(value).into_iter().for_each(|text| relation::check(case, &field.rule, &text, wrong));
    }
    match value {
        Json::Object(_) if !field.fields.is_empty() => members(case, &field.fields, &|_, name| value.get(name), path, found),
        Json::Array(items) => {
            if items.len() < field.min_items {
                found.add("B03", Level::Must, || fault(field, at(), format!("at least {} items", field.min_items), value, "too few items"));
            }
            for item in items.iter().take(if field.fields.is_empty() { 0 } else { ITEMS }) {
                let path = Path { item: true, ..*path };
                match item {
                    Json::Object(_) => members(case, &field.fields, &|_, name| item.get(name), &path, found),
                    _ => found.add("B03", Level::Must, || fault(field, path.words(), "an object".to_owned(), item, "item type")),
                }
            }
        }
        _ => {}
    }
}

/// Whether nothing can be said against a text in any profile, as far as its own bounds, pattern and format go.
pub(super) fn is_sound(field: &Field, text: &str) -> bool {
    // The profile that holds the most.
    let mut found = Found::new(Profile::Companion);
    value_rule(field, Json::Text(text), &String::new, &mut found);
    found.violations.is_empty()
}

/// Bounds, patterns and formats of one value.
fn value_rule(field: &Field, value: Json<'_>, at: &dyn Fn() -> String, found: &mut Found) {
    let rule = &field.rule;
    if let Json::Number(number) = value {
        if rule.min.is_some_and(|min| number < min) {
            found.add("B03", Level::Must, || fault(field, at(), format!("at least {}", rule.min.unwrap_or(0.0)), value, "minimum"));
        }
        if rule.max.is_some_and(|max| number > max) {
            found.add("B03", Level::Must, || fault(field, at(), format!("at most {}", rule.max.unwrap_or(0.0)), value, "maximum"));
        }
    }
    let text = match value {
        Json::Text(text) => text,
        Json::Number(number) if !(rule.one_of.is_empty() && rule.expected_values.is_empty()) => &number.to_string(),
        _ => return,
    };
    if rule.sound.as_deref() == Some(text) {
        return;
    }
    if rule.min_len.is_some_and(|min| is_shorter(text, min)) {
        let length = if rule.min_len == Some(1) { "a text that is not empty".to_owned() } else { lengths(rule) };
        found.add("B03", Level::Must, || fault(field, at(), length, value, "length"));
    } else if rule.max_len.is_some_and(|max| max < text.len() && text.chars().nth(max).is_some()) {
        found.add("B03", Level::Must, || fault(field, at(), lengths(rule), value, "longest"));
    } else if let Some(pattern) = rule.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        found.add(identity::value_check(field.role), rule.level, || {
            fault(field, at(), format!("a text that matches {pattern}"), value, "pattern")
        });
    }
    if !rule.one_of.is_empty() && !rule.one_of.iter().any(|word| word == text) {
        found.add("B03", Level::Must, || fault(field, at(), format!("one of {}", rule.one_of.join(", ")), value, "enum"));
    }
    if !rule.expected_values.is_empty() && !rule.expected_values.iter().any(|word| word == text) {
        found.add("B03", Level::Expected, || {
            fault(field, at(), format!("one of {}", rule.expected_values.join(", ")), value, "shown values")
        });
    }
    if let Some(format) = rule.format.filter(|&format| !is_format(format, text)) {
        found.add(identity::format_check(field.role), Level::Must, || fault(field, at(), format_word(format).to_owned(), value, "format"));
    }
}

/// Whether a text has fewer characters; most are told by their bytes, of which a character has four at most.
fn is_shorter(text: &str, least: usize) -> bool {
    text.len() < least || (text.len() / 4 < least && text.chars().take(least).count() < least)
}

fn lengths(rule: &ValueRule) -> String {
    match (rule.min_len, rule.max_len) {
        (Some(min), Some(max)) => format!("a text of {min} to {max} characters"),
        (_, Some(max)) => format!("a text of at most {max} characters"),
        (min, None) => format!("a text of at least {} characters", min.unwrap_or(0)),
    }
}

/// B08: members the contract does not name; asked for only where the contract says so.
fn unknown_members(unknown: UnknownFields, closed: bool, case: &Case<'_, '_>, json: Json<'_>, found: &mut Found) {
    let severity = match unknown {
        _ if closed => Severity::Medium,
        UnknownFields::Allowed => return,
        UnknownFields::Info => Severity::Info,
        UnknownFields::Violation => Severity::Medium,
    };
    let Json::Object(members) = json else { return };
    let known =
        |name: &str| case.fields.iter().any(|field| field.name == name) || case.schema.is_some_and(|schema| schema.names_member(name));
    if let Some((name, _)) = members.iter().find(|(name, _)| !known(name)) {
        found.add_as("B08", severity, Level::Must, || Blame {
            path: "$.*".to_owned(),
            ..blame("only members that the contract names", quoted(name), "unknown member")
        });
    }
}

fn is_kind(kind: Kind, value: Json<'_>) -> bool {
    match kind {
        Kind::String => matches!(value, Json::Text(_)),
        // 60.0 is an integer: JSON Schema 2020-12 §6.1.1.
        Kind::Integer => matches!(value, Json::Number(number) if number.fract() == 0.0),
        Kind::Number => matches!(value, Json::Number(_)),
        Kind::Boolean => matches!(value, Json::Bool(_)),
        Kind::Object => matches!(value, Json::Object(_)),
        Kind::Array => matches!(value, Json::Array(_)),
        Kind::Any => true,
    }
}

/// Whether a text is in a format.
pub(super) fn is_format(format: Format, text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match format {
        Format::Rfc3339 => instant::rfc3339(text).is_some(),
        Format::HttpDate => instant::http_date(text).is_some(),
        Format::DelaySeconds | Format::EpochSeconds | Format::EpochMillis | Format::DeltaSeconds => digits,
        Format::Uri => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()),
    }
}

/// A format in words.
pub(super) const fn format_word(format: Format) -> &'static str {
    match format {
        Format::Rfc3339 => "an RFC 3339 date and time with offset",
        Format::HttpDate => "an HTTP-date",
        Format::DelaySeconds => "a whole number of seconds",
        Format::EpochSeconds => "Unix time in seconds",
        Format::EpochMillis => "Unix time in milliseconds",
        Format::DeltaSeconds => "seconds from now",
        Format::Uri => "a URI",
    }
}

const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "a string",
        Kind::Integer => "an integer",
        Kind::Number => "a number",
        Kind::Boolean => "a boolean",
        Kind::Object => "an object",
        Kind::Array => "an array",
        Kind::Any => "a value",
    }
}

fn words(field: &Field) -> String {
    match field.role {
        Some(Role::RequestId) => "a request id".to_owned(),
        _ => kind_word(field.kind).to_owned(),
    }
}

fn fault(field: &Field, path: String, expected: String, value: Json<'_>, cause: &str) -> Blame {
    Blame { path, expected, actual: shown(value), cause: cause.to_owned(), source: Some(field.source.clone()) }
}

fn blame(expected: &str, actual: String, cause: &str) -> Blame {
    Blame { path: "$".to_owned(), expected: expected.to_owned(), actual, cause: cause.to_owned(), source: None }
}
