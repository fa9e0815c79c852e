//! Which headers tell of limits: those the contract gives a role, and else the names that are usual.

use http::header::DATE;
use http::{HeaderMap, HeaderName};

use super::Observation;
use crate::contract::check::header_text;
use crate::contract::{Contract, Header, Role, instant};
use crate::units::{Micros, Offset};
use crate::wire::ResponseFacts;

/// Header names by role, the most telling first.
#[derive(Clone, Debug)]
pub struct Names {
    limit: Vec<HeaderName>,
    remaining: Vec<HeaderName>,
    reset: Vec<HeaderName>,
    retry_after: Vec<HeaderName>,
}

impl Names {
    /// Those of a contract, and the usual ones.
    pub fn new(contract: &Contract) -> Names {
        let rows = contract.rows.iter().flat_map(|row| &row.envelope.headers);
        let all: Vec<&Header> = rows.chain(&contract.every_answer).collect();
        let names = |role: Role, usual: &[&'static str]| {
            let mut names: Vec<HeaderName> = Vec::new();
            let own = all.iter().filter(|header| header.role == Some(role)).map(|header| header.name.clone());
            for name in own.chain(usual.iter().map(|name| HeaderName::from_static(name))) {
                if !names.contains(&name) {
                    names.push(name);
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
        let unix_us = dated(headers).unwrap_or(response.received_at_unix_us);
        Observation {
            sent_at,
            at,
            identity,
            status: response.status,
            cost: 1,
            limit: whole(headers, &self.limit),
            remaining: whole(headers, &self.remaining),
            reset: text(headers, &self.reset),
            retry_after: text(headers, &self.retry_after),
            unix_us,
        }
    }

    /// The same of an answer under load, without an allocation: the request was sent a round trip before its answer was
    /// there.
    pub(super) fn seen(&self, at: Offset, response: &ResponseFacts<'_>) -> Seen {
        let headers = response.headers;
        Seen {
            sent_at: Offset(Micros(at.0.0.saturating_sub(response.round_trip.0))),
            at,
            status: response.status,
            limit: whole(headers, &self.limit),
            remaining: whole(headers, &self.remaining),
            reset: short(headers, &self.reset),
            retry_after: short(headers, &self.retry_after),
            unix_us: dated(headers).unwrap_or(response.received_at_unix_us),
        }
    }

    /// Whether an answer says anything of a limiter.
    pub(super) fn any(&self, response: &ResponseFacts<'_>) -> bool {
        response.status == 429 || self.limit.iter().chain(&self.remaining).any(|name| response.headers.contains_key(name))
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

fn short(headers: &HeaderMap, names: &[HeaderName]) -> Option<Short> {
    Short::of(names.iter().find_map(|name| header_text(headers, name))?.trim())
}

/// The Date header.
fn dated(headers: &HeaderMap) -> Option<i64> {
    instant::http_date(headers.get(DATE)?.to_str().ok()?)
}

/// Texts longer than this say nothing that we could read.
const LONGEST: usize = 64;

fn text(headers: &HeaderMap, names: &[HeaderName]) -> Option<String> {
    let text = names.iter().find_map(|name| header_text(headers, name))?;
    (text.len() <= LONGEST).then(|| text.trim().to_owned())
}

/// A whole number; of `100, 100;w=60` the first.
fn whole(headers: &HeaderMap, names: &[HeaderName]) -> Option<u64> {
    let text = names.iter().find_map(|name| header_text(headers, name))?;
    text.split([',', ';']).next()?.trim().parse().ok()
}
