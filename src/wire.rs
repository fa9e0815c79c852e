//! The words for one HTTP message as we saw it: request facts, response facts, failure.
//!
//! How a target behaved is a fact about it and never an `Err` of ours: an attempt is either answered, whatever
//! the answer says, or it failed in one of the ways of [`Failure`].

use std::fmt;

use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};

use crate::units::{Micros, Offset};

/// The header that tells the in-process proxy which exchange an attempt serves; removed before forwarding.
pub const EXCHANGE_HEADER: &str = "x-brownout-exchange";
/// The header that tells the in-process proxy which attempt of the exchange this is, from 1; removed likewise.
pub const ATTEMPT_HEADER: &str = "x-brownout-attempt";
/// The header by which the proxy tells a client what it injected: `<rule>;attempt=<n>`.
pub const INJECTED_HEADER: &str = "x-brownout-injected";
/// The header by which a request names the rule that is to hit it, where the plan allows it.
pub const FAULT_HEADER: &str = "x-brownout-fault";
/// What all headers of our own begin with; checks ignore them.
pub const OWN_HEADERS: &str = "x-brownout-";

/// What an attempt was waiting for when its time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Resolving, connecting or the TLS handshake: nothing had been sent.
    Connect,
    /// The head of the answer.
    FirstByte,
    /// The rest of the answer.
    Total,
}

/// Why an attempt has no complete answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The host name did not resolve. Nothing was sent.
    Unresolved,
    /// The connection was refused or could not be made. Nothing was sent.
    Refused,
    /// The TLS handshake failed. Nothing was sent.
    Tls,
    /// Time ran out.
    TimedOut(Phase),
    /// The connection was reset.
    Reset,
    /// The connection was closed, in order, without an answer.
    Closed,
    /// The connection ended, or was reset, inside the body.
    BodyCutShort {
        /// Bytes of the body that did arrive.
        received: u64,
        /// Whether it ended by a reset and not by an orderly close.
        reset: bool,
    },
    /// What arrived is not HTTP.
    BadProtocol,
}

impl Failure {
    /// Whether the request was never written: repeating it is safe whatever its method.
    pub const fn before_the_request(self) -> bool {
        matches!(self, Failure::Unresolved | Failure::Refused | Failure::Tls | Failure::TimedOut(Phase::Connect))
    }

    /// Whether time ran out.
    pub const fn is_timeout(self) -> bool {
        matches!(self, Failure::TimedOut(_))
    }

    /// A stable word for tables and maps.
    pub const fn word(self) -> &'static str {
        match self {
            Failure::Unresolved => "unresolved",
            Failure::Refused => "refused",
            Failure::Tls => "tls",
            Failure::TimedOut(Phase::Connect) => "connect-timeout",
            Failure::TimedOut(Phase::FirstByte) => "first-byte-timeout",
            Failure::TimedOut(Phase::Total) => "timeout",
            Failure::Reset | Failure::BodyCutShort { reset: true, .. } => "reset",
            Failure::Closed => "closed",
            Failure::BodyCutShort { reset: false, .. } => "cut",
            Failure::BadProtocol => "bad-protocol",
        }
    }
}

/// A sentence fragment for people.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Unresolved => "the host name did not resolve",
            Failure::Refused => "connection refused",
            Failure::Tls => "TLS handshake failed",
            Failure::TimedOut(Phase::Connect) => "timed out while connecting",
            Failure::TimedOut(Phase::FirstByte) => "timed out before the first byte of the answer",
            Failure::TimedOut(Phase::Total) => "timed out inside the answer",
            Failure::Reset => "connection reset",
            Failure::Closed => "connection closed without an answer",
            Failure::BodyCutShort { received, reset } => {
                return write!(f, "body {} after {received} bytes", if *reset { "reset" } else { "cut short" });
            }
            Failure::BadProtocol => "the answer is not HTTP",
        })
    }
}

/// A request, as far as contract checks look at it and a finding shows it.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path without the query.
    pub path: &'a str,
    /// The query without its question mark, where there is one.
    pub query: Option<&'a str>,
    /// The headers as sent, without our own.
    pub headers: &'a HeaderMap,
    /// The body as sent; empty where there was none.
    pub body: &'a [u8],
}

/// An answer, as far as contract checks look at it.
#[derive(Clone, Copy, Debug)]
pub struct ResponseFacts<'a> {
    /// The status code.
    pub status: u16,
    /// The headers; our own (`x-brownout-*`) are ignored by checks.
    pub headers: &'a HeaderMap,
    /// The body, or its beginning.
    pub body: &'a [u8],
    /// Whether `body` is all of it: neither cut by the target nor longer than we keep.
    pub body_complete: bool,
    /// Bytes of the body that arrived, those not kept included.
    pub body_bytes: u64,
    /// When the head arrived, by our wall clock, in microseconds since the Unix epoch.
    pub received_at_unix_us: i64,
    /// How long the attempt took: half of it is the tolerance where our clock is compared with theirs.
    pub round_trip: Micros,
}

/// When the server said the client may come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryAfter {
    /// `Retry-After: 2`: this long after the answer.
    Delay(Micros),
    /// `Retry-After: Sun, 22 Nov 2026 18:04:05 GMT`: that instant, given as microseconds since the Unix epoch.
    Date(i64),
}

/// What is expected of a stream of server-sent events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseRule {
    /// The data of the event that ends the stream in order (`[DONE]`).
    pub done: Option<String>,
    /// The longest silence between events; a longer one ends the attempt as a timeout.
    pub max_gap: Option<Micros>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// A complete answer with this status.
    Answered(u16),
    /// No complete answer.
    Failed(Failure),
    /// Still under way when the run was cut off: neither answered nor failed.
    Unfinished,
}

impl Ending {
    /// The status of a complete answer.
    pub const fn status(self) -> Option<u16> {
        match self {
            Ending::Answered(status) => Some(status),
            Ending::Failed(_) | Ending::Unfinished => None,
        }
    }
}

/// The stamps of one attempt, on the run's one clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamps {
    /// When we began: from here we look for a connection.
    pub started_at: Offset,
    /// When a connection was ready for the request; `None` if none ever was.
    pub ready_at: Option<Offset>,
    /// When the head of the answer had arrived.
    pub first_byte_at: Option<Offset>,
    /// When the last byte had arrived, or the failure was seen.
    pub ended_at: Offset,
    /// Of the time before `ready_at`, what a new connection took; all zero on a reused one.
    pub connect: ConnectTimes,
}

/// What making a connection took, phase by phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectTimes {
    /// Whether a new connection was made for this attempt.
    pub new: bool,
    /// Resolving the name.
    pub resolve: Micros,
    /// The TCP (or Unix socket) connect.
    pub connect: Micros,
    /// The TLS handshake.
    pub tls: Micros,
}

/// What a stream of server-sent events came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamFacts {
    pub events: u64,
    /// From the start of the attempt to the first event.
    pub first_event: Option<Micros>,
    pub longest_gap: Micros,
    pub terminated: bool,
}

/// A path with `*` or `{name}` for one segment and `**` for any rest: `/v1/conversations/{id}/items/**`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPattern {
    text: String,
    /// The length of the literal text before the first wildcard.
    literal: usize,
    form: Form,
}

/// How a pattern goes on behind its literal beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    /// Not at all.
    Exact,
    /// With any rest.
    Open,
    /// With segments, one by one.
    Segments,
}

impl PathPattern {
    /// A pattern; it must begin with `/`, and `**` may only be its end (`/v1/**`, `/v1/conversations**`).
    ///
    /// # Errors
    /// Says what is wrong, for a plan's author.
    pub fn new(text: &str) -> Result<PathPattern, String> {
        if !text.starts_with('/') {
            return Err(format!("`{text}` is not a path pattern: it must begin with `/`"));
        }
        if text.strip_suffix("**").unwrap_or(text).contains("**") {
            return Err(format!("`{text}` is not a path pattern: `**` may only be its end"));
        }
        let literal = text.find(['*', '{']).unwrap_or(text.len());
        let form = match &text[literal..] {
            "" => Form::Exact,
            "**" => Form::Open,
            _ => Form::Segments,
        };
        Ok(PathPattern { text: text.to_owned(), literal, form })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a path (without its query) matches.
    pub fn matches(&self, path: &str) -> bool {
        self.captures(path, |_, _| ())
    }

    /// Whether a path matches; `found` is told each named segment (`{id}`) and its text.
    pub fn captures<'p>(&self, path: &'p str, mut found: impl FnMut(&str, &'p str)) -> bool {
        // Most paths are told apart by their beginning, before anything is taken into segments; many need no more.
        let (literal, given) = (&self.text.as_bytes()[..self.literal], path.as_bytes());
        match self.form {
            Form::Exact => return given == literal,
            Form::Open => return given.starts_with(literal) || literal.strip_suffix(b"/") == Some(given),
            Form::Segments => {}
        }
        if !given.starts_with(literal.strip_suffix(b"/").unwrap_or(literal)) {
            return false;
        }
        let (pattern, open) = self.text.strip_suffix("**").map_or((self.text.as_str(), false), |stem| (stem, true));
        let (mut wanted, mut given) = (pattern.split('/').peekable(), path.split('/'));
        while let Some(want) = wanted.next() {
            let last = wanted.peek().is_none();
            let Some(give) = given.next() else {
                // `/v1/**` matches `/v1` itself.
                return open && last && want.is_empty();
            };
            let fits = match want {
                "*" => !give.is_empty(),
                _ if want.starts_with('{') && want.ends_with('}') => {
                    found(&want[1..want.len() - 1], give);
                    !give.is_empty()
                }
                _ if open && last => give.starts_with(want),
                _ => want == give,
            };
            if !fits {
                return false;
            }
        }
        open || given.next().is_none()
    }

    /// The length of the literal text before the first wildcard: the longer it is, the more specific the pattern.
    pub const fn literal_prefix(&self) -> usize {
        self.literal
    }
}

/// Reads `Retry-After` in both of its forms; `None` where it is absent or neither.
///
/// Source: RFC 9110 §10.2.3. A fraction, a negative number or a repeated field is not a valid value.
pub fn retry_after(headers: &HeaderMap) -> Option<RetryAfter> {
    let mut values = headers.get_all(http::header::RETRY_AFTER).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let text = value.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let seconds: u64 = text.parse().unwrap_or(u64::MAX);
        return Some(RetryAfter::Delay(Micros(seconds.saturating_mul(1_000_000))));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok().map(RetryAfter::Date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append("retry-after", value.parse().expect("a header value"));
        }
        map
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_nothing_else() {
        assert_eq!(retry_after(&headers(&["2"])), Some(RetryAfter::Delay(Micros::from_secs(2))));
        assert_eq!(retry_after(&headers(&["0"])), Some(RetryAfter::Delay(Micros::ZERO)));
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(retry_after(&headers(&[date])), Some(RetryAfter::Date(784_111_777_000_000)), "{date}");
        }
        for bad in ["1.5", "-5", "soon", ""] {
            assert_eq!(retry_after(&headers(&[bad])), None, "{bad}");
        }
        assert_eq!(retry_after(&headers(&["1", "2"])), None, "repeated");
        assert_eq!(retry_after(&headers(&[])), None, "absent");
    }

    #[test]
    fn path_patterns_match_segments_and_rests() {
        for (pattern, path, matches) in [
            ("/v1/models", "/v1/models", true),
            ("/v1/models", "/v1/models/", false),
            ("/v1/*/items", "/v1/c1/items", true),
            ("/v1/*/items", "/v1//items", false),
            ("/v1/{id}/items", "/v1/c1/items", true),
            ("/v1/**", "/v1/a/b/c", true),
            ("/v1/**", "/v1", true),
            ("/v1/**", "/v10", false),
            ("/v1/conversations**", "/v1/conversations", true),
            ("/v1/conversations**", "/v1/conversations/c1/items", true),
            ("/v1/conversations**", "/v1/models", false),
            ("/**", "/", true),
        ] {
            assert_eq!(PathPattern::new(pattern).unwrap().matches(path), matches, "{pattern} {path}");
        }
        assert!(PathPattern::new("v1").is_err() && PathPattern::new("/a/**/b").is_err());
    }

    #[test]
    fn named_segments_are_found() {
        let mut found = Vec::new();
        assert!(PathPattern::new("/v1/{a}/x/{b}").unwrap().captures("/v1/1/x/2", |name, text| found.push((name.to_owned(), text))));
        assert_eq!(found, [("a".to_owned(), "1"), ("b".to_owned(), "2")]);
    }

    #[test]
    fn a_delay_too_long_to_count_saturates() {
        assert_eq!(retry_after(&headers(&["99999999999999999999"])), Some(RetryAfter::Delay(Micros(u64::MAX))));
    }
}
