//! Which headers tell of limits: those the contract gives a role, and else the names that are usual.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Observation;
use crate::contract::check::{header_text, text_of};
use crate::contract::head::{Head, Known};
use crate::contract::header::trimmed;
use crate::contract::{Contract, Header, Role};
use crate::units::{Micros, Offset};
use crate::wire::ResponseFacts;

/// Header names by role, the most telling first.
#[derive(Clone, Debug)]
pub struct Names {
    limit: Vec<Name>,
    remaining: Vec<Name>,
    reset: Vec<Name>,
    retry_after: Vec<Name>,
}

/// The name of one header.
#[derive(Clone, Debug)]
struct Name {
    name: HeaderName,
    /// Where it stands in a [`Head`]: looking it up by name costs far more.
    known: Option<Known>,
}

impl Name {
    /// The value; of several fields the first.
    fn first<'h>(&self, head: &Head<'h>, headers: &'h HeaderMap) -> Option<&'h HeaderValue> {
        self.known.map_or_else(|| headers.get(&self.name), |known| head.value(known))
    }

    /// The value as text; several fields are one list.
    fn text<'h>(&self, head: &Head<'h>, headers: &'h HeaderMap) -> Option<Cow<'h, str>> {
        match self.known.filter(|&known| !head.is_repeated(known)) {
            Some(known) => head.value(known).map(|value| text_of(value.as_bytes())),
            None => header_text(headers, &self.name),
        }
    }
}

impl Names {
    /// Those of a contract, and the usual ones.
    pub fn new(contract: &Contract) -> Names {
        let rows = contract.rows.iter().flat_map(|row| &row.envelope.headers);
        let all: Vec<&Header> = rows.chain(&contract.every_answer).collect();
        let names = |role: Role, usual: &[&'static str]| {
            let mut names: Vec<Name> = Vec::new();
            let own = all.iter().filter(|header| header.role == Some(role)).map(|header| header.name.clone());
            for name in own.chain(usual.iter().map(|name| HeaderName::from_static(name))) {
                if names.iter().all(|known| known.name != name) {
                    names.push(Name { known: Known::of(name.as_str()), name });
                }
            }
            names
        };
        Names {
            limit: names(Role::Limit, &["x-ratelimit-limit", "ratelimit-limit", "x-rate-limit-limit"]),
            remaining: names(Role::Remaining, &["x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining"]),
            reset: names(Role::Reset, &["x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset"]),
            retry_after: names(Role::RetryAfter, &["retry-after"]),
        }
    }

    /// What an answer says of its limiter. `sent_at` and `at` are of the run's clock, `identity` is whose request it was.
    pub fn observe(&self, identity: u16, sent_at: Offset, at: Offset, response: &ResponseFacts<'_>) -> Observation {
        let headers = response.headers;
        let head = Head::of(headers);
        Observation {
            sent_at,
            at,
            identity,
            status: response.status,
            cost: 1,
            limit: whole(&self.limit, &head, headers),
            remaining: whole(&self.remaining, &head, headers),
            reset: text(&self.reset, &head, headers),
            retry_after: text(&self.retry_after, &head, headers),
            unix_us: head.date_us.unwrap_or(response.received_at_unix_us),
        }
    }

    /// The same of an answer under load, whose head was read already, without an allocation: the request was sent a round
    /// trip before its answer was there.
    pub(super) fn seen(&self, at: Offset, response: &ResponseFacts<'_>, head: &Head<'_>) -> Seen {
        let headers = response.headers;
        Seen {
            sent_at: Offset(Micros(at.0.0.saturating_sub(response.round_trip.0))),
            at,
            status: response.status,
            limit: whole(&self.limit, head, headers),
            remaining: whole(&self.remaining, head, headers),
            reset: short(&self.reset, head, headers),
            retry_after: short(&self.retry_after, head, headers),
            unix_us: head.date_us.unwrap_or(response.received_at_unix_us),
        }
    }

    /// Whether an answer says anything of a limiter.
    pub(super) fn any(&self, response: &ResponseFacts<'_>, head: &Head<'_>) -> bool {
        let mut names = self.limit.iter().chain(&self.remaining);
        response.status == 429 || names.any(|name| name.first(head, response.headers).is_some())
    }
}

/// An observation under load, of which many are kept.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) sent_at: Offset,
    pub(super) at: Offset,
    pub(super) status: u16,
    pub(super) limit: Option<u64>,
    pub(super) remaining: Option<u64>,
    pub(super) reset: Option<Short>,
    pub(super) retry_after: Option<Short>,
    pub(super) unix_us: i64,
}

impl Seen {
    /// The same in full.
    pub(super) fn observation(&self) -> Observation {
        Observation {
            sent_at: self.sent_at,
            at: self.at,
            identity: 0,
            status: self.status,
            cost: 1,
            limit: self.limit,
            remaining: self.remaining,
            reset: self.reset.as_ref().map(|text| text.text().to_owned()),
            retry_after: self.retry_after.as_ref().map(|text| text.text().to_owned()),
            unix_us: self.unix_us,
        }
    }
}

/// A text of a header that says when: an HTTP-date has 29 bytes, RFC 3339 with an offset and milliseconds as many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Short {
    bytes: [u8; 31],
    length: u8,
}

impl Short {
    fn of(text: &str) -> Option<Short> {
        let mut bytes = [0; 31];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Short { bytes, length: u8::try_from(text.len()).ok()? })
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

fn short(names: &[Name], head: &Head<'_>, headers: &HeaderMap) -> Option<Short> {
    Short::of(trimmed(&names.iter().find_map(|name| name.text(head, headers))?))
}

/// Texts longer than this say nothing that we could read.
const LONGEST: usize = 64;

fn text(names: &[Name], head: &Head<'_>, headers: &HeaderMap) -> Option<String> {
    let text = names.iter().find_map(|name| name.text(head, headers))?;
    (text.len() <= LONGEST).then(|| text.trim().to_owned())
}

/// A whole number; of `100, 100;w=60` the first, and of several fields that of the first.
fn whole(names: &[Name], head: &Head<'_>, headers: &HeaderMap) -> Option<u64> {
    let value = names.iter().find_map(|name| name.first(head, headers))?.as_bytes();
    let end = value.iter().position(|byte| matches!(byte, b',' | b';')).unwrap_or(value.len());
    str::from_utf8(value[..end].trim_ascii()).ok()?.parse().ok()
}
