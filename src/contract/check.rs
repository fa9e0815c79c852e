//! One answer held to the contract: what is looked at, in which order, and how what is wrong is written down.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use crate::contract::head::Head;
use crate::contract::json::{Document, Json};
use crate::contract::leak::Look;
use crate::contract::rows::Asked;
use crate::contract::schema::Schema;
use crate::contract::values::{Named, Values};
use crate::contract::{
    Contract, Envelope, Field, Header, Judged, Level, Profile, Role, Row, Source, Terms, Violation, body, cache, catalogue, header,
    identity, leak, placeholder, protocol, ratelimit, standard, status, vocabulary,
};
use crate::id::RowIx;
use crate::severity::Severity;
use crate::wire::{Failure, RequestFacts, ResponseFacts};

/// Violations kept of one answer.
const KEPT: usize = 32;
/// The tolerance between two clocks, or two roundings to whole seconds, in microseconds.
pub(super) const SECOND_US: i64 = 1_000_000;

impl Contract {
    /// Holds one answer to the contract. Success answers are inspected, too: their status, their framing, the headers
    /// every answer has, and whether they are errors in disguise (S08).
    pub fn check<'a>(&self, terms: &Terms, request: &RequestFacts<'_>, response: &ResponseFacts<'a>) -> Judged<'a> {
        self.judge(terms, request, response, self.asked(request, response), Clock::Ours)
    }

    /// What is wrong where there is no complete answer (P03: a body shorter than its Content-Length; P08: nothing at all).
    pub fn check_failure(&self, terms: &Terms, request: &RequestFacts<'_>, failure: Failure) -> Vec<Violation> {
        let mut found = Found::new(terms.profile);
        protocol::failure(self, self.asked_of(request), failure, &mut found);
        found.violations
    }

    /// The same for an answer of which it is known whose it is, and whose time may not be (an example in a document has none).
    pub(super) fn judge<'a>(
        &self,
        terms: &Terms,
        request: &RequestFacts<'_>,
        response: &ResponseFacts<'a>,
        asked: Asked<'_>,
        clock: Clock,
    ) -> Judged<'a> {
        let mut found = Found::new(terms.profile);
        let head = Head::of(response.headers);
        let now = if clock == Clock::Ours { Some(Moment::of(&head, response)) } else { None };
        protocol::answer(request.method, response, &head, &mut found);
        let mut read = None;
        let is_read = response.status >= 400 && {
            let document = read.insert(Document::null());
            body::read(self, request.method, response, &head, asked, document, &mut found)
        };
        let document = read.as_ref().filter(|_| is_read);
        let json = document.map(Document::value);
        let code = json.and_then(|json| self.code_in(json));
        let row = if response.status < 400 { None } else { self.row_for(asked, response.status, code) };
        let (fields, headers) = self.clauses(asked, response.status, row);
        let mut values = Values::none(fields, json, headers, response.headers);
        values.fill(&head);
        let case = Case {
            contract: self,
            terms,
            request,
            response,
            head: &head,
            asked,
            row,
            code,
            fields,
            headers,
            values: &values,
            schema: self.schema_of(asked, response.status, row),
            body: json,
            look: document.map_or(Look::NONE, |_| leak::look(response.body)),
            now,
        };
        status::check(&case, &mut found);
        body::check(&case, &mut found);
        placeholder::check(&case, &mut found);
        header::check(&case, &mut found);
        standard::check(&case, &mut found);
        cache::check(&case, &mut found);
        protocol::check(&case, &mut found);
        ratelimit::check(&case, &mut found);
        vocabulary::check(&case, &mut found);
        identity::check(&case, &mut found);
        leak::check(&case, &mut found);
        let request_id = identity::unique_id(&case);
        let lasting = |text: Option<&str>| document.zip(text).map(|(document, text)| document.lasting(text));
        Judged {
            service: asked.service,
            gateway: asked.gateway,
            row,
            code: lasting(code),
            request_id: lasting(request_id),
            shape: document.map(Document::shape),
            violations: found.violations,
            head,
        }
    }

    /// What an answer is held to: the fields of its row, else of its service's envelope, else of the first one; the headers
    /// of its row, else of the row that asks for the least among those of its status, else of the same envelope. (Without a
    /// known code nobody can say which fields it should have, but every 429 has to say when to come back.)
    fn clauses(&self, asked: Asked<'_>, status: u16, row: Option<RowIx>) -> (&[Field], &[Header]) {
        if let Some(row) = row {
            let envelope = &self.row(row).envelope;
            return (&envelope.fields, &envelope.headers);
        }
        if status < 400 {
            return (&[], &self.every_answer);
        }
        let base = self.base_envelope(asked);
        let demands = |row: &&Row| row.envelope.fields.iter().filter(|field| field.level == Level::Must).count();
        let same = self.rows_of(status).filter(|row| asked.may_be(row)).min_by_key(demands);
        let headers = same.map(|row| &row.envelope.headers).or(base.map(|base| &base.headers));
        (base.map_or(&[], |base| &base.fields), headers.map_or(&[], Vec::as_slice))
    }

    /// The schema an error is held to: its row's, else that of the service's envelope, or of the first one.
    fn schema_of(&self, asked: Asked<'_>, status: u16, row: Option<RowIx>) -> Option<&Schema> {
        let base = || self.base_envelope(asked).filter(|_| status >= 400);
        row.map(|row| &self.row(row).envelope).or_else(base)?.schema.as_deref()
    }

    /// What an error is held to that no row lists.
    fn base_envelope(&self, asked: Asked<'_>) -> Option<&Envelope> {
        let own = asked.responder().and_then(|service| self.services[service.at()].envelope);
        own.map_or(self.envelopes.first(), |own| self.envelopes.get(own.at()))
    }

    /// The error code of a body: the text at the place where any envelope has it.
    fn code_in<'d>(&self, body: Json<'d>) -> Option<&'d str> {
        self.index.codes.iter().find_map(|names| body.at(names)?.text())
    }
}

/// Everything the checks look at.
pub(super) struct Case<'c, 'a> {
    pub(super) contract: &'c Contract,
    pub(super) terms: &'c Terms,
    pub(super) request: &'c RequestFacts<'c>,
    pub(super) response: &'c ResponseFacts<'a>,
    pub(super) head: &'c Head<'c>,
    /// Whose answer it is.
    pub(super) asked: Asked<'c>,
    pub(super) row: Option<RowIx>,
    pub(super) code: Option<&'c str>,
    pub(super) fields: &'c [Field],
    pub(super) headers: &'c [Header],
    pub(super) values: &'c Values<'c>,
    pub(super) schema: Option<&'c Schema>,
    /// The body of an error answer, where it is JSON.
    pub(super) body: Option<Json<'c>>,
    /// What a look at its bytes tells.
    pub(super) look: Look,
    pub(super) now: Option<Moment>,
}

impl<'c> Case<'c, '_> {
    /// The status.
    pub(super) fn status(&self) -> u16 {
        self.response.status
    }

    /// Whether it is an error answer.
    pub(super) fn is_error(&self) -> bool {
        self.response.status >= 400
    }

    /// Every header that the contract names, in file order.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'c Header, Named<'c>)> {
        self.values.headers(self.head)
    }

    /// The first header that the contract gives a role, and what it says; of several fields the first.
    pub(super) fn header_with(&self, role: Role) -> Option<(&'c Header, Option<Cow<'c, str>>)> {
        let (header, named) = self.named().find(|(header, _)| header.role == Some(role))?;
        Some((header, named.text()))
    }

    /// The value of a header; several fields of one name are one list, as RFC 9110 §5.3 has it.
    pub(super) fn header(&self, name: &HeaderName) -> Option<Cow<'_, str>> {
        header_text(self.response.headers, name)
    }
}

/// The value of a header; several fields of one name are joined by commas.
pub(super) fn header_text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Cow<'h, str>> {
    let mut values = headers.get_all(name).iter().map(|value| text_of(value.as_bytes()));
    let first = values.next()?;
    Some(values.fold(first, |list, next| Cow::Owned(format!("{list}, {next}"))))
}

/// Bytes as text, what is not UTF-8 replaced. Most bytes are: that is seen faster than where they are not.
pub(super) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// When an answer was made, as far as known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Microseconds since the Unix epoch.
    pub(super) us: i64,
    /// How far off it may be: one second for rounding, and half the round trip where it is by our clock.
    pub(super) slack_us: i64,
}

/// Whether the time of an answer is known without its Date header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// It was received, and we know when.
    Ours,
    /// It stands in a document.
    None,
}

impl Moment {
    /// The Date header; where there is none, our clock half a round trip before the head arrived.
    fn of(head: &Head<'_>, response: &ResponseFacts<'_>) -> Moment {
        head.date_us.map(|us| Moment { us, slack_us: SECOND_US }).unwrap_or_else(|| {
            let half = i64::try_from(response.round_trip.0 / 2).unwrap_or(i64::MAX / 4);
            let us = response.received_at_unix_us.saturating_sub(half);
            Moment { us, slack_us: SECOND_US.saturating_add(half) }
        })
    }
}

/// Why an answer is blamed, in words.
pub(super) struct Blame {
    pub(super) path: String,
    pub(super) expected: String,
    pub(super) actual: String,
    /// What tells causes apart: no value of the answer may be in it that differs from one answer to the next.
    pub(super) cause: String,
    pub(super) source: Option<Source>,
}

/// What was found wrong with one answer.
#[derive(Debug)]
pub(super) struct Found {
    profile: Profile,
    pub(super) violations: Vec<Violation>,
}

impl Found {
    pub(super) fn new(profile: Profile) -> Found {
        Found { profile, violations: Vec::new() }
    }

    /// Writes down a violation of the catalogue's severity, as far as the profile holds this level; `blame` is only
    /// asked where it does.
    pub(super) fn add(&mut self, check: &'static str, level: Level, blame: impl FnOnce() -> Blame) {
        // Most of what is absent was never asked for: nothing need be looked up for it.
        if self.holds(level) {
            let severity = catalogue::find(check).map_or(Severity::Medium, |check| check.severity);
            self.add_as(check, severity, level, blame);
        }
    }

    /// Whether anything that is asked for at this level is written down.
    pub(super) fn holds(&self, level: Level) -> bool {
        held(level, self.profile, Severity::Info).is_some()
    }

    /// The same, of another severity.
    pub(super) fn add_as(&mut self, check: &'static str, severity: Severity, level: Level, blame: impl FnOnce() -> Blame) {
        let Some(severity) = held(level, self.profile, severity) else { return };
        if self.violations.len() >= KEPT {
            return;
        }
        let Blame { path, expected, actual, cause, source } = blame();
        let known = |v: &Violation| v.check == check && v.instance_path == path && v.cause == cause;
        if !self.violations.iter().any(known) {
            self.violations.push(Violation { check, severity, instance_path: path, expected, actual, cause, contract_ref: source });
        }
    }

    /// Whether something is wrong at a place already: one cause is one finding.
    pub(super) fn is_blamed(&self, path: &str) -> bool {
        self.violations.iter().any(|violation| violation.instance_path == path)
    }

    /// Whether a check has found something.
    pub(super) fn has(&self, check: &str) -> bool {
        self.violations.iter().any(|violation| violation.check == check)
    }
}

/// The severity that a profile gives to the absence of something asked for at this level; `None`: it is not asked for.
fn held(level: Level, profile: Profile, severity: Severity) -> Option<Severity> {
    match (level, profile) {
        (Level::Must, _) | (Level::Expected, Profile::Strict | Profile::Companion) | (Level::Companion, Profile::Companion) => {
            Some(severity)
        }
        (Level::Expected, Profile::Core) | (Level::Rfc, _) => Some(Severity::Info),
        (Level::Companion, _) | (Level::Optional, _) => None,
    }
}

/// A text of the answer as messages show it: in quotes, cut, control characters visible.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

/// A JSON value as messages show it.
pub(super) fn shown(json: Json<'_>) -> String {
    match json {
        Json::Text(text) => quoted(text),
        Json::Number(number) => number.to_string(),
        Json::Bool(truth) => truth.to_string(),
        other => other.kind().to_owned(),
    }
}
