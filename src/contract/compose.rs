//! Makes an answer that conforms to a row under every profile: for the fault proxy and the embedded target.
//!
//! Every member and header that any profile asks for is there; those that are only allowed are left out, unless the
//! circumstances give them. What belongs to a role is computed, so that all values of one answer agree; the rest is
//! what the document shows, and what it does not show is invented from its type.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, DATE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::contract::json::Document;
use crate::contract::schema::Outcome;
use crate::contract::{
    Answer, Circumstances, Contract, Field, Format, Header, Kind, Level, Reference, Role, Row, ValueRule, instant, phrase, role,
};
use crate::id::RowIx;

/// The reset of a limit whose window nobody declares, where the client need not wait: one minute from now.
const USUAL_WINDOW_S: u64 = 60;
/// The limit where nobody knows it.
const USUAL_LIMIT: u64 = 100;
/// Waits longer than a century are cut: no format expresses them all.
const LONGEST_WAIT_S: u64 = 100 * 366 * 86_400;

impl Contract {
    /// An answer that conforms to the row under every profile.
    ///
    /// Values of the circumstances are taken as they are, with two exceptions that keep the answer from contradicting
    /// itself: `remaining` is 0 on a 429 and never more than the limit. A wait longer than a declared window stays as
    /// it was asked for, and R09 says so in profile companion. Content-Length is left to the HTTP library.
    pub fn compose(&self, row: RowIx, circumstances: &Circumstances<'_>) -> Answer {
        let row = self.row(row);
        let values = Values::new(row, circumstances);
        let body = Value::Object(values.body());
        // What the fields come to is what the schema is asked to complete; where there are none, it alone says what is made.
        let wish = Some(&body).filter(|body| body.as_object().is_some_and(|members| !members.is_empty()));
        let body = row.envelope.schema.as_ref().and_then(|schema| schema.sample(wish)).unwrap_or_else(|| body.clone());
        let headers = values.headers(body.as_object().unwrap_or(&Map::new()));
        Answer { status: row.status, headers, body: serde_json::to_vec(&body).expect("a JSON value is written") }
    }

    /// Why no answer can be made for a row: where none was found that fits its schema, what is wrong with the nearest.
    pub fn why_not_composed(&self, row: RowIx) -> Option<String> {
        let schema = self.row(row).envelope.schema.as_ref()?;
        let answer = self.compose(row, &Circumstances::default());
        let document = Document::read(&answer.body).ok()?;
        let mut why = None;
        let outcome = schema.check(document.value(), &mut |misfit| {
            why.get_or_insert_with(|| format!("{} must be {}, by {}", misfit.instance_path, misfit.expected, misfit.schema_path));
        });
        match outcome {
            Outcome::Fits => None,
            Outcome::Misfits => why,
            Outcome::TooCostly | Outcome::TooLarge => Some("it is too costly to judge".to_owned()),
        }
    }
}

/// What the roles of one answer come to.
struct Values<'v> {
    row: &'v Row,
    given: &'v Circumstances<'v>,
    now_s: i64,
    retry_after_s: u64,
    limit: u64,
    remaining: u64,
    reset_s: i64,
}

impl<'v> Values<'v> {
    fn new(row: &'v Row, given: &'v Circumstances<'v>) -> Values<'v> {
        let now_s = given.now_unix_us.max(0) / 1_000_000;
        let shown = |role| sample_of(row, role);
        let asked = given.retry_after_s.or_else(|| given_whole(given, row, Role::RetryAfter));
        let retry_after_s = asked.or_else(|| shown(Role::RetryAfter)).unwrap_or(1).min(LONGEST_WAIT_S);
        let limit =
            given.limit.or_else(|| given_whole(given, row, Role::Limit)).or_else(|| shown(Role::Limit)).unwrap_or(USUAL_LIMIT).max(1);
        let remaining = given.remaining.or_else(|| given_whole(given, row, Role::Remaining));
        let remaining = if row.status == 429 { 0 } else { remaining.unwrap_or(limit - 1).min(limit) };
        let must_wait = asked.is_some() || has_role(row, Role::RetryAfter);
        let reset_in = if must_wait { retry_after_s } else { window_s(row).unwrap_or(USUAL_WINDOW_S) };
        let reset_s = now_s.saturating_add_unsigned(reset_in);
        Values { row, given, now_s, retry_after_s, limit, remaining, reset_s }
    }

    fn body(&self) -> Map<String, Value> {
        let fields = &self.row.envelope.fields;
        let mut body = self.members(fields, true);
        for (name, value) in &self.given.fields {
            if !fields.iter().any(|field| field.name == *name) {
                body.insert((*name).to_owned(), value.clone());
            }
        }
        body
    }

    fn members(&self, fields: &[Field], top: bool) -> Map<String, Value> {
        let mut members = Map::new();
        for field in fields {
            let given = self.given.fields.iter().find(|(name, _)| top && *name == field.name).map(|(_, value)| value);
            match (given, field.role) {
                // A role is computed, so that all values of the answer agree.
                (Some(value), None | Some(Role::RequestId | Role::Timestamp | Role::Message)) => {
                    members.insert(field.name.clone(), value.clone())
                }
                (None, _) if field.level == Level::Optional && !self.is_wanted(field) => None,
                _ => members.insert(field.name.clone(), self.field(field)),
            };
        }
        members
    }

    /// Whether a member that may be absent has something to say: which error it is, what happened, when to come back.
    fn is_wanted(&self, field: &Field) -> bool {
        match field.role {
            Some(Role::Code) => !self.row.any_code,
            Some(Role::Message) => true,
            Some(Role::RetryAfter) => self.given.retry_after_s.is_some(),
            _ => false,
        }
    }

    fn field(&self, field: &Field) -> Value {
        if let Some(role) = field.role {
            return self.role(role, field.kind, field.rule.format, field);
        }
        if field.rule.is_reason_phrase {
            return Value::from(self.phrase(field));
        }
        if field.rule.is_status {
            let text = || Value::from(self.row.status.to_string());
            return if field.kind == Kind::String { text() } else { Value::from(self.row.status) };
        }
        if field.kind == Kind::Object && !field.fields.is_empty() {
            return self.object(field);
        }
        field.sample.clone().unwrap_or_else(|| self.invented(field))
    }

    /// What the document shows of an object, with what belongs to this answer in place.
    fn object(&self, field: &Field) -> Value {
        let mut members = field.sample.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
        let own = self.members(&field.fields, false);
        let known = |name: &str| field.fields.iter().find(|inner| inner.name == name);
        for (name, value) in own {
            let computed = known(&name).is_some_and(|inner| inner.role.is_some() || inner.rule.is_status || inner.kind == Kind::Object);
            if computed || !members.contains_key(&name) {
                members.insert(name, value);
            }
        }
        Value::Object(members)
    }

    /// A code for a row that documents any: the one that goes with the status, else what the document shows.
    fn any_code(&self, field: &Field) -> Value {
        let paired = field.rule.statuses.iter().find(|(_, status)| *status == self.row.status);
        let shown = || field.sample.clone();
        let none = || field.nullable.then_some(Value::Null);
        paired.map(|(word, _)| Value::from(word.as_str())).or_else(shown).or_else(none).unwrap_or_else(|| match field.kind {
            Kind::String | Kind::Any => Value::from(self.code(None, &field.rule)),
            _ => self.invented(field),
        })
    }

    fn role(&self, role: Role, kind: Kind, format: Option<Format>, field: &Field) -> Value {
        let text = |value: u64| if kind == Kind::String { Value::from(value.to_string()) } else { Value::from(value) };
        match role {
            Role::Code if self.row.any_code => self.any_code(field),
            Role::Code => Value::from(self.row.code.as_str()),
            Role::Message => Value::from(self.given.message.filter(|text| !text.is_empty()).unwrap_or(&self.row.meaning)),
            Role::Limit => text(self.limit),
            Role::Remaining => text(self.remaining),
            Role::RetryAfter => text(self.retry_after_s),
            Role::RequestId => Value::from(self.request_id(field)),
            Role::Reset => moment(self.reset_s, self.now_s, kind, format),
            Role::Timestamp => moment(self.now_s, self.now_s, kind, format),
        }
    }

    /// The row's code; of a row for any code the one the document shows, else one made of the status's name.
    fn code(&self, sample: Option<&str>, rule: &ValueRule) -> String {
        if !self.row.any_code {
            return self.row.code.clone();
        }
        let shown = sample.or(rule.one_of.first().map(String::as_str)).map(str::to_owned);
        shown.unwrap_or_else(|| {
            let name = phrase::phrases(self.row.status).first().copied().unwrap_or("Error");
            let upper = name.to_ascii_uppercase().replace([' ', '-'], "_").replace('\'', "");
            let fits = |code: &str| rule.pattern.as_ref().is_none_or(|pattern| pattern.is_match(code));
            let spellings = [upper.to_ascii_lowercase(), upper.to_ascii_lowercase().replace('_', "-")];
            if fits(&upper) { upper } else { spellings.into_iter().find(|code| fits(code)).unwrap_or(upper) }
        })
    }

    /// The text before the first wildcard of the pattern, then 16 hex digits that no other answer has.
    fn request_id(&self, field: &Field) -> String {
        let pattern = field.rule.pattern.as_ref().map_or("", |pattern| pattern.as_str());
        let literal = pattern.strip_prefix('^').unwrap_or("");
        let end = literal.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(literal.len());
        format!("{}{:016x}", &literal[..end], self.given.unique)
    }

    /// The spelling the document shows, where it is one of this status; else RFC 9110's.
    fn phrase(&self, field: &Field) -> String {
        let shown = field.sample.as_ref().and_then(Value::as_str).filter(|text| phrase::names(self.row.status, text));
        shown.or_else(|| phrase::phrases(self.row.status).first().copied()).unwrap_or("Error").to_owned()
    }

    fn invented(&self, field: &Field) -> Value {
        let rule = &field.rule;
        let paired = rule.statuses.iter().find(|(_, status)| *status == self.row.status).or(rule.statuses.first());
        if let Some((word, _)) = paired {
            return Value::from(word.as_str());
        }
        if let Some(word) = rule.one_of.first().or(rule.expected_values.first()) {
            return match (field.kind, word.parse::<i64>()) {
                (Kind::Integer | Kind::Number, Ok(number)) => Value::from(number),
                _ => Value::from(word.as_str()),
            };
        }
        match field.kind {
            Kind::Integer => Value::from(rule.min.unwrap_or(0.0).max(0.0).ceil() as u64),
            Kind::Number => Value::from(rule.min.unwrap_or(0.0)),
            Kind::Boolean => Value::from(false),
            Kind::Object => Value::Object(self.members(&field.fields, false)),
            Kind::Array => Value::Array(vec![Value::Object(self.members(&field.fields, false)); field.min_items.max(1)]),
            Kind::String if rule.format.is_some() => moment(self.now_s, self.now_s, field.kind, rule.format),
            Kind::String | Kind::Any => Value::from("-".repeat(rule.min_len.unwrap_or(1).clamp(1, 64).min(rule.max_len.unwrap_or(64)))),
        }
    }

    fn headers(&self, body: &Map<String, Value>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        let content_type = HeaderValue::from_str(&self.row.envelope.content_type);
        headers.insert(CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/json")));
        headers.insert(DATE, text_value(instant::to_http_date(self.now_s)));
        for header in &self.row.envelope.headers {
            let asked = header.role == Some(Role::RetryAfter) && self.given.retry_after_s.is_some();
            if (header.level != Level::Optional || asked) && !headers.contains_key(&header.name) {
                headers.insert(header.name.clone(), text_value(self.header(header, body)));
            }
        }
        self.manners(&mut headers);
        headers
    }

    /// What HTTP asks for where the contract is silent: an error is neither kept nor sniffed, and a 401 says how to sign in.
    fn manners(&self, headers: &mut HeaderMap) {
        let mut usual = |name: HeaderName, value: &'static str| {
            if !self.row.envelope.headers.iter().any(|header| header.name == name) {
                headers.entry(name).or_insert(HeaderValue::from_static(value));
            }
        };
        usual(CACHE_CONTROL, "no-store");
        usual(X_CONTENT_TYPE_OPTIONS, "nosniff");
        if self.row.status == 401 {
            usual(WWW_AUTHENTICATE, "Bearer");
        }
    }

    fn header(&self, header: &Header, body: &Map<String, Value>) -> String {
        let number = |at: i64| match header.rule.format {
            Some(Format::EpochMillis) => at.saturating_mul(1_000).to_string(),
            Some(Format::DeltaSeconds | Format::DelaySeconds) => at.saturating_sub(self.now_s).max(0).to_string(),
            Some(Format::HttpDate) => instant::to_http_date(at),
            Some(Format::Rfc3339) => instant::to_rfc3339(at),
            Some(Format::EpochSeconds | Format::Uri) | None => at.to_string(),
        };
        let now = self.now_s;
        match (header.role, &header.rule.equals) {
            (Some(Role::RetryAfter), _) => match self.given.retry_after_as_date || header.rule.format == Some(Format::HttpDate) {
                true => instant::to_http_date(now.saturating_add_unsigned(self.retry_after_s)),
                false => self.retry_after_s.to_string(),
            },
            (Some(Role::Limit), _) => self.limit.to_string(),
            (Some(Role::Remaining), _) => self.remaining.to_string(),
            (Some(Role::Reset), _) => number(self.reset_s),
            (Some(Role::Timestamp), _) => number(now),
            (_, Some(Reference::Body(path))) if member(body, path).is_some() => {
                let value = member(body, path).unwrap_or(&Value::Null);
                value.as_str().map_or_else(|| value.to_string(), str::to_owned)
            }
            (Some(Role::Code), _) => self.code(header.sample.as_deref(), &header.rule),
            (Some(Role::RequestId), _) => format!("{:016x}", self.given.unique),
            _ => header.sample.clone().or_else(|| header.rule.one_of.first().cloned()).unwrap_or_else(|| match header.kind {
                Kind::Integer => header.rule.min.unwrap_or(0.0).max(0.0).to_string(),
                _ if header.rule.format == Some(Format::Uri) => "/".to_owned(),
                _ => "-".to_owned(),
            }),
        }
    }
}

fn member<'m>(body: &'m Map<String, Value>, path: &[String]) -> Option<&'m Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(body.get(first)?, |value, name| value.get(name))
}

fn moment(at_s: i64, now_s: i64, kind: Kind, format: Option<Format>) -> Value {
    let number = |value: i64| if kind == Kind::String { Value::from(value.to_string()) } else { Value::from(value) };
    match format {
        Some(Format::HttpDate) => Value::from(instant::to_http_date(at_s)),
        Some(Format::EpochSeconds) => number(at_s),
        Some(Format::EpochMillis) => number(at_s.saturating_mul(1_000)),
        Some(Format::DeltaSeconds | Format::DelaySeconds) => number(at_s.saturating_sub(now_s).max(0)),
        Some(Format::Uri) => Value::from("/"),
        None if kind != Kind::String => number(at_s),
        Some(Format::Rfc3339) | None => Value::from(instant::to_rfc3339(at_s)),
    }
}

fn text_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("-"))
}

fn has_role(row: &Row, role: Role) -> bool {
    let asked = |level: Level| level != Level::Optional;
    role::of(&row.envelope.fields, role).is_some_and(|field| asked(field.level))
        || row.envelope.headers.iter().any(|header| header.role == Some(role) && asked(header.level))
}

/// A whole number the circumstances give under the name of the field with this role.
fn given_whole(given: &Circumstances<'_>, row: &Row, role: Role) -> Option<u64> {
    let field = role::of(&row.envelope.fields, role)?;
    given.fields.iter().find(|(name, _)| *name == field.name)?.1.as_u64()
}

/// The number the document shows for a role.
fn sample_of(row: &Row, role: Role) -> Option<u64> {
    let field = role::of(&row.envelope.fields, role).and_then(|field| field.sample.as_ref()?.as_u64());
    let header =
        || row.envelope.headers.iter().find(|header| header.role == Some(role)).and_then(|header| header.sample.as_ref()?.parse().ok());
    field.or_else(header)
}

/// The shortest window declared for a limit.
fn window_s(row: &Row) -> Option<u64> {
    let fields = row.envelope.fields.iter().filter_map(|field| field.rule.window);
    let headers = row.envelope.headers.iter().filter_map(|header| header.rule.window);
    fields.chain(headers).min().map(|window| window.0 / 1_000_000)
}
