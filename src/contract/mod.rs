//! What an answer must look like: the documented errors of an API, and the judgement of one answer against them.
//!
//! A [`Contract`] is data, read from a contract file by `plan`. It knows no product: services, envelopes, rows
//! (one documented error each), headers, and the equations between them. [`Contract::check`] holds one answer
//! to it and says which row it claims to be and what is wrong; [`Contract::compose`] makes an answer that
//! conforms, for the fault proxy and the embedded target alike, so that what we send is checked by what we check.
//!
//! Where things are: `rows` finds the documented error, `compose` makes one, `check` says in which order an answer is
//! looked at, and each group of checks has its file: `status`, `body`, `header`, `ratelimit`, `identity`, `leak`,
//! `protocol`. [`catalogue`] explains every check. [`ledger`] is the book of a run: [`findings`] groups violations by
//! cause, [`coverage`] says which documented errors were seen. [`lint`] holds the document's own examples to itself.
//!
//! This module does no I/O and reads no clock.

pub mod attribution;
pub mod baseline;
mod body;
mod cache;
pub mod catalogue;
mod challenge;
mod check;
mod coding;
pub mod compared;
mod compose;
pub mod coverage;
pub mod draft;
pub mod drift;
pub mod envelopes;
pub mod evidence;
pub mod findings;
mod head;
mod header;
mod identity;
mod instant;
pub mod json;
mod leak;
pub mod ledger;
pub mod limiter;
pub mod lint;
mod name;
mod phrase;
mod placeholder;
mod pointer;
pub mod probed;
mod protocol;
pub mod provoke;
mod ratelimit;
mod relation;
pub mod replay;
pub mod resend;
mod role;
mod rows;
pub mod schema;
mod scope;
pub mod server;
pub mod shape;
mod standard;
mod status;
pub mod stream;
mod values;
mod vocabulary;
pub(crate) mod waiver;

use std::borrow::Cow;
use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Serialize};

pub use self::phrase::phrase_of;
pub use self::rows::Index;
pub use self::scope::{DocumentedOperation, HostPattern, Operation, Statuses, When};
pub use self::waiver::Waiver;

use self::provoke::ProbeSpec;
use self::shape::Shape;
use crate::id::{EnvelopeIx, RowIx, ServiceIx};
use crate::secret::Secrets;
use crate::severity::Severity;
use crate::units::Micros;
use crate::wire::PathPattern;

/// How much of the document is held against an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Only what the document demands.
    Core,
    /// What it shows, too.
    Strict,
    /// What its sibling documents claim, too.
    Companion,
}

/// How firmly the document asks for the presence of a field or header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Never required; its value is checked when it is there.
    Optional,
    /// Asked for by the HTTP specification alone: a missing one is info.
    Rfc,
    /// Claimed by sibling documents: held in profile companion only.
    Companion,
    /// Shown by the document: held in strict and companion, info in core.
    Expected,
    /// Demanded by the document: held in every profile.
    #[default]
    Must,
}

/// What a field or header is for; roles select the R, I and T checks, since names are data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The error code: the member by which a row is found. A member named `code` where the file gives no role.
    Code,
    /// The text for people. A member named `message` where the file gives no role.
    Message,
    Limit,
    Remaining,
    Reset,
    RetryAfter,
    RequestId,
    Timestamp,
}

impl Role {
    /// The words of contract files.
    pub const WORDS: [(&str, Role); Role::COUNT] = [
        ("code", Role::Code),
        ("message", Role::Message),
        ("limit", Role::Limit),
        ("remaining", Role::Remaining),
        ("reset", Role::Reset),
        ("retry-after", Role::RetryAfter),
        ("request-id", Role::RequestId),
        ("timestamp", Role::Timestamp),
    ];

    /// Its word in contract files.
    pub fn word(self) -> &'static str {
        Role::WORDS[self as usize].0
    }

    /// How many there are.
    pub(in crate::contract) const COUNT: usize = Role::Timestamp as usize + 1;
}

/// When the document allows the same request to be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryClass {
    Never,
    Follow,
    AfterChange,
    AfterRefreshOnce,
    AfterHeader,
    Backoff,
}

/// A place in a contract file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file as the plan names it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// The documented errors of one API.
#[derive(Clone, Debug)]
pub struct Contract {
    pub name: String,
    pub version: String,
    pub source: Source,
    pub services: Vec<Service>,
    /// Never empty: the first one is what an error is held to that the document does not list.
    pub envelopes: Vec<Envelope>,
    /// Documented errors in file order. Rows without a service apply wherever no service row does.
    pub rows: Vec<Row>,
    /// Statuses documented without an error body of their own: success and redirect statuses.
    pub other_statuses: Vec<u16>,
    /// Headers asked for on every answer, successes included; envelopes have them merged in.
    pub every_answer: Vec<Header>,
    /// What the contract's own examples say.
    pub examples: Vec<Example>,
    pub unknown_fields: UnknownFields,
    /// Statuses that are used otherwise than HTTP means them, or not at all, and why.
    pub deviations: Vec<Deviation>,
    /// Findings that are known, in file order.
    pub waivers: Vec<Waiver>,
    /// The operations the API documents, in file order; empty where the contract does not list them.
    pub operations: Vec<DocumentedOperation>,
    /// What no success may say, in its body or in an event of a stream (S11).
    pub forbidden_texts: Vec<Regex>,
    /// Texts that are no leak: what of an answer holds one of them may be shown (L02, L03, L05).
    pub leaks_allowed: Vec<String>,
    /// The embedded target's part, where the file has one.
    pub server: Option<Arc<server::Server>>,
    /// What errors are looked up in: [`Contract::reindex`] makes it.
    pub index: Index,
}

/// A status that the API uses in a way of its own, as the contract declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    pub status: u16,
    /// From what it deviates, and how.
    pub reason: String,
    pub source: Source,
}

/// What a field that the contract does not name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFields {
    Allowed,
    Info,
    Violation,
}

/// A part of the API with its own errors.
#[derive(Clone, Debug)]
pub struct Service {
    pub id: String,
    pub title: String,
    /// Path patterns (`*` one segment, `**` any rest); the longest literal prefix wins, then file order.
    pub paths: Vec<PathPattern>,
    /// The hosts it answers at; empty: any.
    pub hosts: Vec<HostPattern>,
    /// By what its answers tell that they are its own, whatever their path.
    pub when: Option<When>,
    /// The shape of its errors that no row lists; the contract's first one where absent.
    pub envelope: Option<EnvelopeIx>,
    /// Whether it stands between the client and the origin: what it answers is not the origin's.
    pub gateway: bool,
    pub source: Source,
}

/// A shape that error answers share.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub name: String,
    /// Essence of the expected media type; `+json` suffixes of it are understood.
    pub content_type: String,
    /// Fields of the body object, inherited ones included, in file order.
    pub fields: Vec<Field>,
    /// Headers, inherited ones included.
    pub headers: Vec<Header>,
    /// What the body must fit, beside its fields.
    pub schema: Option<Arc<schema::Schema>>,
    /// Closed: a field outside the contract is a violation.
    pub closed: bool,
    pub source: Source,
}

/// One documented error: what an answer with this status and code, from this service, must look like.
#[derive(Clone, Debug)]
pub struct Row {
    /// `service/operation/status/code`, `*` where unspecified.
    pub key: String,
    /// None: any service.
    pub service: Option<ServiceIx>,
    /// None: any operation of the service.
    pub operation: Option<Operation>,
    /// The statuses it documents.
    pub statuses: Statuses,
    /// The status of an answer that we make: the documented one, else the general one of a class, 500 for the default.
    pub status: u16,
    /// The error code; `*` where `any_code`.
    pub code: String,
    /// Whether it documents any code, and none in particular.
    pub any_code: bool,
    pub meaning: String,
    pub retry: RetryClass,
    /// Envelope with the row's own fields merged in: everything that applies, resolved.
    pub envelope: Envelope,
    /// How it can be brought about; None: the contract does not say.
    pub provoke: Option<Provoke>,
    /// The request that provokes it, where the contract has one.
    pub probe: Option<ProbeSpec>,
    /// Why it is out of scope, where it is.
    pub excluded: Option<String>,
    /// A declared deviation from the RFCs.
    pub deviation: Option<String>,
    /// A row that a service row of the same code specialises: strict prefers the service's.
    pub generic: bool,
    pub source: Source,
}

/// How a documented error can be brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provoke {
    /// By a request.
    Probe,
    /// By a fault between the target and what it depends on: the plan's rule of this name, where the contract names one.
    Fault(Option<String>),
    /// By a hook, a command outside brownout: the plan's hook of this name, where the contract names one.
    Hook(Option<String>),
    /// By nothing that is known.
    None,
}

/// One member of a body object.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
    pub level: Level,
    pub role: Option<Role>,
    /// Whether `null` will do in its place.
    pub nullable: bool,
    pub rule: ValueRule,
    /// Members, where `kind` is object (or the item object of an array).
    pub fields: Vec<Field>,
    /// Array: the smallest number of items.
    pub min_items: usize,
    /// The value the document shows; an answer that we make says the same.
    pub sample: Option<serde_json::Value>,
    pub source: Source,
}

/// A JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Object,
    Array,
    Any,
}

impl Kind {
    /// The words of contract files.
    pub const WORDS: [(&str, Kind); 7] = [
        ("string", Kind::String),
        ("integer", Kind::Integer),
        ("number", Kind::Number),
        ("boolean", Kind::Boolean),
        ("object", Kind::Object),
        ("array", Kind::Array),
        ("any", Kind::Any),
    ];
}

/// What a value must be, beyond its type.
#[derive(Clone, Debug, Default)]
pub struct ValueRule {
    /// How firmly `pattern` and `is_reason_phrase` are asked for; types, bounds and formats always are.
    pub level: Level,
    pub pattern: Option<Regex>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// Characters, both included.
    pub min_len: Option<usize>,
    pub max_len: Option<usize>,
    pub one_of: Vec<String>,
    /// The values the document shows; another value is a deviation only where a profile holds `expected`.
    pub expected_values: Vec<String>,
    pub format: Option<Format>,
    /// The value must equal the reason phrase of the status (both spellings of 413 and 422 count).
    pub is_reason_phrase: bool,
    /// The value must equal the status.
    pub is_status: bool,
    /// The values that there are, and the one status that each goes with (`NOT_FOUND` with 404). Empty: any.
    pub statuses: Vec<(String, u16)>,
    pub unique: bool,
    /// Request ids: the answer must have the id of its request, where the request had one (I05).
    pub echo: bool,
    /// A timestamp within this distance of the Date header.
    pub near_date: Option<Micros>,
    /// Limits: the window they are counted over.
    pub window: Option<Micros>,
    /// Header relations: `$.field` or `header:Name`.
    pub equals: Option<Reference>,
    pub at_most: Option<Reference>,
    pub tolerance: Option<Micros>,
    /// A text that is known to be in order, as the own code of a row is: most answers say just this.
    pub sound: Option<String>,
}

/// How a text value is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Rfc3339,
    HttpDate,
    DelaySeconds,
    EpochSeconds,
    EpochMillis,
    DeltaSeconds,
    Uri,
}

/// Another value of the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A member of the body: `$.retry_after`.
    Body(Vec<String>),
    /// A header field.
    Header(String),
}

/// One response header.
#[derive(Clone, Debug)]
pub struct Header {
    pub name: http::HeaderName,
    /// The name as the document writes it.
    pub shown: String,
    /// Which of those that HTTP defines it is, as its name says.
    known: Option<head::Known>,
    /// String or Integer.
    pub kind: Kind,
    pub level: Level,
    pub role: Option<Role>,
    pub rule: ValueRule,
    /// The value the document shows; an answer that we make says the same.
    pub sample: Option<String>,
    pub source: Source,
}

impl Header {
    /// A header of which nothing is said but its name.
    pub fn new(name: http::HeaderName, shown: String) -> Header {
        Header {
            known: head::Known::of(name.as_str()),
            name,
            shown,
            kind: Kind::String,
            level: Level::Optional,
            role: None,
            rule: ValueRule::default(),
            sample: None,
            source: Source::default(),
        }
    }
}

/// An example of the document: an answer it shows.
#[derive(Clone, Debug)]
pub struct Example {
    pub status: u16,
    pub headers: http::HeaderMap,
    /// The line of each header.
    pub header_lines: Vec<(http::HeaderName, u32)>,
    pub body: Vec<u8>,
    pub row: Option<RowIx>,
    pub source: Source,
}

/// How strictly answers are judged, and which secrets they must not contain.
#[derive(Clone, Debug)]
pub struct Terms {
    pub profile: Profile,
    /// The severity of a status or code that the document does not list.
    pub undocumented: Severity,
    pub secrets: Arc<Secrets>,
}

/// One answer, judged. An answer in order takes no allocation.
#[derive(Clone, Debug, Default)]
pub struct Judged<'a> {
    pub service: Option<ServiceIx>,
    /// The gateway that made the answer, where one of the contract's says so by its header.
    pub gateway: Option<ServiceIx>,
    /// The documented error that the answer claims to be.
    pub row: Option<RowIx>,
    /// The error code it carries, as sent.
    pub code: Option<Cow<'a, str>>,
    /// The request id of its body, where the contract calls it unique and it is not an echo of the request's own.
    pub request_id: Option<Cow<'a, str>>,
    /// What an error answer is made of, where its body is JSON.
    pub shape: Option<Shape>,
    /// Its header fields that are known by name, for those who read them again.
    pub head: head::Head<'a>,
    pub violations: Vec<Violation>,
}

/// One thing that is wrong with one answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The stable id of the check: `R04`.
    pub check: &'static str,
    pub severity: Severity,
    /// Where in the answer: `$.errors[].field` (indices dropped), `header:Retry-After`, `status`.
    pub instance_path: String,
    /// What was demanded, in words.
    pub expected: String,
    /// What was there, in words; the caller masks secrets.
    pub actual: String,
    /// The detail that distinguishes causes, with values normalised away; part of the finding's identity.
    pub cause: String,
    /// The line of the contract that demands it.
    pub contract_ref: Option<Source>,
}

/// The values an answer is made of when we make it.
#[derive(Clone, Debug, Default)]
pub struct Circumstances<'a> {
    /// The wall clock, in microseconds since the Unix epoch.
    pub now_unix_us: i64,
    /// A number that makes this answer's request id unique.
    pub unique: u64,
    /// Seconds until the client may come back.
    pub retry_after_s: Option<u64>,
    /// Retry-After as an HTTP-date instead of seconds.
    pub retry_after_as_date: bool,
    pub limit: Option<u64>,
    pub remaining: Option<u64>,
    /// The text of the message; the row's meaning where absent.
    pub message: Option<&'a str>,
    /// Further members, by field name, in place of invented ones: `resource`, `id`, `required_role`, `details`, `errors`.
    pub fields: Vec<(&'a str, serde_json::Value)>,
}

/// An answer made from the contract.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}
