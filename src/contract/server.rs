//! The `[server]` part of a contract file: what the embedded target serves. Values only; `target` acts on them.
//!
//! Five nouns carry it, and none of them belongs to a product:
//!
//! * a **resource** is a kind of thing the server keeps; a switch or a catalogue is a resource like any other;
//! * a **route** answers the requests of one method and path;
//! * a **mistake** is what a client can do wrong; every one of them is answered by a row of the contract;
//! * a **trigger** answers with a row of the contract although the client did nothing wrong;
//! * a **preset** is a list of changes to answers that were in order, so that a check has something to find.
//!
//! Everything in here is resolved: names are indices, error names are rows, texts with `${…}` are pieces.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};

use crate::contract::Kind;
use crate::contract::limiter::Algorithm;
use crate::id::{RowIx, ServiceIx};
use crate::seed::Distribution;
use crate::units::{Micros, Size};
use crate::wire::PathPattern;

/// The preset that changes nothing: the server as the contract describes it.
pub const STRICT: &str = "strict";

/// Everything the embedded target needs beside the contract's rows.
#[derive(Clone, Debug)]
pub struct Server {
    /// Bodies that are read as JSON may be this long; a route may say otherwise.
    pub max_body: Size,
    /// How long every answer takes; a route may say otherwise. None: no wait.
    pub latency: Option<Distribution>,
    /// None: every route is open to anyone.
    pub auth: Option<Auth>,
    /// Sent with every answer that does not have them already.
    pub headers: Vec<(HeaderName, Shape)>,
    /// The body of a success that is about one item.
    pub item: Shape,
    /// The body of a success that is a list.
    pub list: Shape,
    pub page: Page,
    /// Members of error bodies that say more, written where everything they name is known.
    pub explain: Vec<Explain>,
    pub resources: Vec<Resource>,
    pub routes: Vec<Route>,
    /// Cost units per minute for requests that reach no route; none: no limit.
    pub limit: Option<u32>,
    /// How limits are counted, and over what.
    pub counting: Counting,
    /// The first that applies wins.
    pub triggers: Vec<Trigger>,
    /// Without `strict`, which changes nothing and always exists.
    pub presets: Vec<Preset>,
    /// What requests are answered that reach no route.
    pub errors: Errors,
    /// Whether a known path under a method without a route is told apart from an unknown path.
    pub tells_methods: bool,
}

/// How rate limits are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counting {
    pub algorithm: Algorithm,
    /// What a limit is counted over.
    pub window: Micros,
}

/// Who may come in.
#[derive(Clone, Debug)]
pub struct Auth {
    /// The request header that carries the token.
    pub header: HeaderName,
    /// What stands before the token (`Bearer`); empty: nothing does.
    pub scheme: String,
    /// Sent as `WWW-Authenticate` where the token is missing or wrong.
    pub challenge: Option<HeaderValue>,
    /// The same where a token was sent and is wrong; the challenge where absent.
    pub rejection: Option<HeaderValue>,
    pub users: Vec<User>,
    /// The role whose users may see and change what others own.
    pub overseer: Option<String>,
}

impl Auth {
    /// How a request that was not let in may sign in. Source: RFC 6750 §3, which has `error` only where a token was sent.
    pub fn challenge_to(&self, request: &HeaderMap) -> Option<&HeaderValue> {
        let rejection = self.rejection.as_ref().filter(|_| self.token_of(request).is_some());
        rejection.or(self.challenge.as_ref())
    }

    /// The token of a request, good or not.
    pub fn token_of<'r>(&self, request: &'r HeaderMap) -> Option<&'r str> {
        let value = request.get(&self.header)?.to_str().ok()?.trim();
        if self.scheme.is_empty() {
            return Some(value);
        }
        let (given, token) = value.split_once(' ')?;
        given.eq_ignore_ascii_case(&self.scheme).then_some(token.trim_start())
    }
}

/// One who may come in. Each has a rate limit of their own.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub token: String,
    pub roles: Vec<String>,
}

/// How lists are cut into pages.
#[derive(Clone, Debug)]
pub struct Page {
    /// Items per page where the request does not say.
    pub size: usize,
    /// Items per page at most.
    pub max: usize,
    /// The query parameter that asks for a size.
    pub limit: String,
    /// The query parameter that asks for what follows a page.
    pub cursor: String,
    /// The status of a page that is not the last one.
    pub partial: u16,
}

/// A member of the error bodies of one status, and what is written into it.
#[derive(Clone, Debug)]
pub struct Explain {
    pub status: u16,
    pub name: String,
    pub shape: Shape,
    /// An array with one such value for each thing that is wrong.
    pub each: bool,
}

/// A kind of thing the server keeps.
#[derive(Clone, Debug)]
pub struct Resource {
    pub name: String,
    /// What its ids begin with.
    pub prefix: String,
    /// The resource each of these is a part of, and goes away with.
    pub within: Option<usize>,
    /// Only the user who made it, and overseers, may see it.
    pub owned: bool,
    /// Every user has exactly one, made from `also` when first looked at.
    pub singular: bool,
    /// Members whose values may not repeat (per owner and enclosing item).
    pub unique: Vec<String>,
    /// The member that is stamped at creation.
    pub created: Option<String>,
    /// The member that is stamped at each change.
    pub updated: Option<String>,
    /// Members that every one of them begins with.
    pub also: Map<String, Value>,
    /// What is there from the start; each has an `id`.
    pub items: Vec<Map<String, Value>>,
    /// Kept at most; the oldest goes first. Never 0.
    pub keep: usize,
    /// Bytes that one user's uploads may hold.
    pub quota: Option<Size>,
}

/// What answers the requests of one method and path.
#[derive(Clone, Debug)]
pub struct Route {
    /// As written: `GET /v1/conversations/{conversation}`.
    pub request: String,
    pub method: Method,
    pub path: PathPattern,
    pub service: Option<ServiceIx>,
    /// The items its path names, outermost first.
    pub items: Vec<PathItem>,
    /// Whether a token is asked for.
    pub auth: bool,
    /// The role a user needs.
    pub role: Option<String>,
    /// Cost units per minute; none: no limit.
    pub limit: Option<u32>,
    pub cost: Cost,
    pub latency: Option<Distribution>,
    pub max_body: Option<Size>,
    /// The members of the body; empty: the body is not looked at.
    pub body: Vec<FieldRule>,
    /// The parameters of the query.
    pub query: Vec<FieldRule>,
    pub act: Act,
    pub status: u16,
    /// The body of a success, where it is not the server's usual one.
    pub answer: Option<Shape>,
    /// What `${text}` is, and whose words `${word}` goes through.
    pub text: String,
    pub errors: Errors,
}

/// An item that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathItem {
    pub resource: usize,
    /// The answer where there is no such item.
    pub absent: RowIx,
    /// The answer where it is someone else's.
    pub forbidden: RowIx,
}

/// What a request takes from its rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// This many units.
    Units(u32),
    /// One unit for each MiB of the body that is begun, at least one.
    PerMebibyte,
}

/// What a route does once the request is in order.
#[derive(Clone, Debug)]
pub enum Act {
    List(usize),
    Create(usize),
    Read(usize),
    Update(usize),
    Delete(usize),
    /// Answers; `removes`: and deletes the items of a resource whose ids the request names.
    Answer {
        removes: Option<(usize, Lookup)>,
    },
    Stream(Stream),
    Upload(Upload),
}

/// An answer in server-sent events.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Streams where this is true in the request, else answers plainly. None: always streams.
    pub when: Option<Lookup>,
    /// One event for each word of the route's text.
    pub frame: Shape,
    /// The event after the words.
    pub last: Option<Shape>,
    /// The data of the event that ends the stream, as it is (`[DONE]`).
    pub done: Option<String>,
    /// The pause before each event but the first.
    pub gap: Option<Distribution>,
}

/// A body that is counted, not kept.
#[derive(Clone, Debug)]
pub struct Upload {
    pub resource: usize,
    /// Media types that are taken; empty: any.
    pub types: Vec<String>,
    pub max_size: Size,
    /// An object whose members the stored item has beside its id.
    pub stores: Option<Shape>,
}

/// What one member of a body, or one parameter, must be.
#[derive(Clone, Debug)]
pub struct FieldRule {
    pub name: String,
    pub kind: Kind,
    pub required: bool,
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// Characters of a string, items of an array. Too few: `empty` where there are none, else `length`.
    pub min_len: Option<usize>,
    pub max_len: Option<usize>,
    /// Characters of all strings inside, together.
    pub max_text: Option<usize>,
    pub one_of: Vec<String>,
    pub format: Option<TextFormat>,
    /// The value is the id of an item of this resource.
    pub refers: Option<usize>,
    /// Members of an object, or of each object of an array.
    pub fields: Vec<FieldRule>,
    pub errors: Errors,
}

/// How the text of a request's member must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    Email,
    /// `2025-12-23`
    Date,
    Rfc3339,
    Uri,
}

/// A documented error that needs no mistake.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// All of these hold.
    pub when: Vec<(Lookup, Value)>,
    /// Decided before anything else is looked at, because it asks for nothing but the server's own state.
    pub early: bool,
    /// The row on each route; none: it does not apply there.
    pub rows: Vec<Option<RowIx>>,
    /// The row for requests that reach no route.
    pub elsewhere: Option<RowIx>,
    /// How long the answer takes beside its latency.
    pub delay: Option<Distribution>,
    /// Seconds after which the client may come back.
    pub retry_after_s: Option<u64>,
    pub message: Option<String>,
}

/// Changes made to answers that were in order.
#[derive(Clone, Debug)]
pub struct Preset {
    pub name: String,
    pub about: String,
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Clone, Debug)]
pub struct Change {
    pub part: AnswerPart,
    pub edit: Edit,
    /// Answers with these statuses; empty: all.
    pub statuses: Vec<u16>,
    /// Answers to requests on these paths; empty: all.
    pub on: Vec<PathPattern>,
    /// Every n-th request of the server, from the n-th; 1: all.
    pub every: u64,
}

/// The part of an answer that is changed, where it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerPart {
    Status,
    Header(HeaderName),
    /// A member of the body's object, by its path.
    Member(Vec<String>),
    /// The body as bytes.
    Body,
    /// The events of a stream.
    Stream,
    /// How long the message says it is, and is.
    Framing,
}

/// How a part of an answer is changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// A whole number is made larger by this, an RFC 3339 text later by so many seconds.
    Shift(i64),
    /// Of a stream: its last event.
    Remove,
    /// Written whether or not it was there. Of a stream: one more event before the last.
    Set(Shape),
    /// A header or member is there once more, with this value.
    Repeat(Shape),
    /// The body loses this many bytes at its end, and says so.
    Cut(usize),
    /// The body's characters have another encoding.
    Encode(Encoding),
    Frame(Framing),
}

/// A character encoding that JSON must not have (RFC 8259 §8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Latin1,
    Utf16,
}

/// How a message breaks HTTP/1.1's framing (RFC 9112 §6). What is wrong with it only a client sees that looks at bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Content where there must be none: after HEAD, with 204 and 304.
    Content,
    /// Content-Length is larger than the body, and the connection ends.
    Short,
    /// More bytes follow than Content-Length says, and the connection ends.
    Long,
}

/// JSON, or a header value, with places to fill in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    pub parts: Vec<Part>,
}

/// A piece of a shape.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(Box<[u8]>),
    /// A whole JSON value; `null` where there is none.
    Value(Lookup),
    /// Text inside a JSON string, escaped.
    Quoted(Lookup),
    /// Text as it is.
    Raw(Lookup),
}

/// A value known while a request is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// A member of the request's body: `body.messages`.
    Body(Vec<String>),
    Header(HeaderName),
    Query(String),
    /// A member of the item that the path, or a member that refers to it, names: `tool.enabled`. No members: all of it.
    Item(usize, Vec<String>),
    /// A member of one certain item: `switch/maintenance.enabled`.
    Fixed(usize, String, Vec<String>),
    Known(Known),
}

/// Values that are always there, or whenever they mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Status,
    /// The wall clock, RFC 3339, UTC, whole seconds.
    Now,
    /// The wall clock, seconds since the Unix epoch.
    NowSeconds,
    /// A new id, the same within one answer.
    Id,
    User,
    /// The item the route is about.
    Item,
    /// The page of a list.
    Items,
    /// What to ask for the next page with; null on the last.
    Cursor,
    HasMore,
    /// The route's text.
    Text,
    /// The word of this event, with the space that follows it.
    Word,
    /// The number of this event, from 0.
    Index,
    /// Bytes of an upload.
    Size,
    /// The media type of an upload.
    MediaType,
    /// What is wrong: the member.
    Field,
    /// What is wrong with it.
    Issue,
    /// What kind of thing was not found, already exists, or is not yours.
    Resource,
    /// The role that is missing.
    Role,
    /// The rate limit, in cost units per minute.
    Limit,
    /// Cost units that can still be spent on requests like this one.
    Remaining,
    /// When the next request like this one is admitted, in seconds since the Unix epoch.
    Reset,
}

impl Known {
    /// All of them with the names they have in shapes.
    pub const ALL: [(&'static str, Known); 21] = [
        ("status", Known::Status),
        ("now", Known::Now),
        ("now_seconds", Known::NowSeconds),
        ("id", Known::Id),
        ("user", Known::User),
        ("item", Known::Item),
        ("items", Known::Items),
        ("cursor", Known::Cursor),
        ("has_more", Known::HasMore),
        ("text", Known::Text),
        ("word", Known::Word),
        ("index", Known::Index),
        ("size", Known::Size),
        ("media_type", Known::MediaType),
        ("field", Known::Field),
        ("issue", Known::Issue),
        ("resource", Known::Resource),
        ("role", Known::Role),
        ("limit", Known::Limit),
        ("remaining", Known::Remaining),
        ("reset", Known::Reset),
    ];
}

/// What a client can do wrong, or meet. The file's `errors` tables map these words to the contract's errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mistake {
    /// The body cannot be read as JSON.
    Malformed,
    /// A required member is not there.
    Missing,
    /// A member is there without content.
    Empty,
    /// A member has the wrong JSON type.
    Type,
    /// A member is none of the values it may have.
    Choice,
    /// A number is too small or too large.
    Range,
    /// A text or list is too short or too long.
    Length,
    /// A text is not written as it must be.
    Format,
    /// A member refers to something that does not exist.
    Unknown,
    /// The path names an item that does not exist.
    Absent,
    /// There is no such path.
    NoRoute,
    /// There is such a path, but not under this method.
    Method,
    /// The token is missing or wrong.
    Unauthorized,
    /// The role is missing, or the item is someone else's.
    Forbidden,
    /// A value that may not repeat does.
    Duplicate,
    /// The body is too long.
    TooLarge,
    /// The body has a media type that is not taken.
    Unsupported,
    /// The uploads' quota is used up.
    Full,
    /// The rate limit is used up.
    Limited,
    /// The server itself failed.
    Internal,
}

impl Mistake {
    /// How many there are.
    pub const COUNT: usize = 20;

    /// All of them in order, with their words in contract files.
    pub const ALL: [(&'static str, Mistake); Mistake::COUNT] = [
        ("malformed", Mistake::Malformed),
        ("missing", Mistake::Missing),
        ("empty", Mistake::Empty),
        ("type", Mistake::Type),
        ("choice", Mistake::Choice),
        ("range", Mistake::Range),
        ("length", Mistake::Length),
        ("format", Mistake::Format),
        ("unknown", Mistake::Unknown),
        ("absent", Mistake::Absent),
        ("no_route", Mistake::NoRoute),
        ("method", Mistake::Method),
        ("unauthorized", Mistake::Unauthorized),
        ("forbidden", Mistake::Forbidden),
        ("duplicate", Mistake::Duplicate),
        ("too_large", Mistake::TooLarge),
        ("unsupported", Mistake::Unsupported),
        ("full", Mistake::Full),
        ("limited", Mistake::Limited),
        ("internal", Mistake::Internal),
    ];

    /// The mistake whose error stands in where this one has none of its own; three must be declared.
    pub const fn stands_in(self) -> Option<Mistake> {
        use Mistake::{Absent, Duplicate, Empty, Forbidden, Format, Full, Internal, Length, Limited, Malformed};
        use Mistake::{Choice, Method, Missing, NoRoute, Range, TooLarge, Type, Unauthorized, Unknown, Unsupported};
        match self {
            Missing | Type | Choice | Range | Unknown | Duplicate | TooLarge | Unsupported | Unauthorized => Some(Malformed),
            Empty => Some(Missing),
            Length | Format => Some(Range),
            Absent | Method => Some(NoRoute),
            Forbidden => Some(Unauthorized),
            Full | Limited => Some(Internal),
            Malformed | NoRoute | Internal => None,
        }
    }
}

/// The row that each mistake is answered with, in one place of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors(pub [RowIx; Mistake::COUNT]);

impl Errors {
    /// The row of a mistake.
    pub const fn row(&self, mistake: Mistake) -> RowIx {
        self.0[mistake as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_stands_at_its_own_place_and_ends_at_one_that_must_be_declared() {
        for (place, (word, mistake)) in Mistake::ALL.into_iter().enumerate() {
            assert_eq!(mistake as usize, place, "{word}");
            let mut at = mistake;
            for _ in 0..Mistake::COUNT {
                at = at.stands_in().unwrap_or(at);
            }
            assert!(matches!(at, Mistake::Malformed | Mistake::NoRoute | Mistake::Internal), "{word}");
        }
    }
}

/// Whether the embedded target enforces rate limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limits {
    Off,
    Documented,
    /// Documented limits multiplied (`"x100"`).
    Factor(f64),
}

/// From a plan or the command line: `off`, `documented`, `x100`.
impl std::str::FromStr for Limits {
    type Err = String;
    fn from_str(text: &str) -> Result<Limits, String> {
        let factor = text.strip_prefix('x').and_then(|factor| factor.parse::<f64>().ok());
        match (text, factor) {
            ("off", _) => Ok(Limits::Off),
            ("documented", _) => Ok(Limits::Documented),
            (_, Some(factor)) if factor > 0.0 && factor.is_finite() => Ok(Limits::Factor(factor)),
            _ => Err(format!("`{text}` is no value of `limits`")),
        }
    }
}
