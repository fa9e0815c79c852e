//! What a request says about the logical request it serves.

use http::{HeaderMap, HeaderName};

use super::digest::Digest;
use super::{Identify, Sighted};

/// By what an attempt was counted to its exchange, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// A header that the plan's author names.
    Named,
    /// `Idempotency-Key`, with method and route.
    IdempotencyKey,
    /// `amz-sdk-invocation-id`.
    AmzInvocation,
    /// `gccl-invocation-id` inside `X-Goog-Api-Client`.
    GcclInvocation,
    /// `x-ms-client-request-id` or `client-request-id`.
    MsClientRequest,
    /// `X-Request-ID` or `X-Correlation-ID`, once seen to stay the same over a retry, with the fingerprint.
    RequestId,
    /// `x-stainless-retry-count`, with the fingerprint.
    RetryCount,
    /// It looks the same as one that failed shortly before.
    Fingerprint,
    /// Nothing tells it from a first attempt.
    Alone,
}

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    Low,
    Medium,
    High,
    Exact,
}

impl Basis {
    /// Every basis, the strongest first.
    pub const ALL: [Basis; 9] = [
        Basis::Named,
        Basis::IdempotencyKey,
        Basis::AmzInvocation,
        Basis::GcclInvocation,
        Basis::MsClientRequest,
        Basis::RequestId,
        Basis::RetryCount,
        Basis::Fingerprint,
        Basis::Alone,
    ];

    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Basis::Named => "named-header",
            Basis::IdempotencyKey => "idempotency-key",
            Basis::AmzInvocation => "amz-sdk-invocation-id",
            Basis::GcclInvocation => "gccl-invocation-id",
            Basis::MsClientRequest => "x-ms-client-request-id",
            Basis::RequestId => "x-request-id",
            Basis::RetryCount => "x-stainless-retry-count",
            Basis::Fingerprint => "fingerprint",
            Basis::Alone => "alone",
        }
    }

    /// Whether the client itself says which logical request it is.
    pub(super) const fn is_id(self) -> bool {
        !matches!(self, Basis::RequestId | Basis::RetryCount | Basis::Fingerprint | Basis::Alone)
    }
}

impl Confidence {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
            Confidence::Exact => "exact",
        }
    }
}

/// What is known about one attempt from its own words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    pub(super) basis: Basis,
    /// What attempts of one exchange have in common on this basis.
    pub(super) key: u64,
    /// The client's own identifier alone, for draws that are to be the same in every run.
    pub(super) stated: Option<u64>,
    /// Retries before this one, as the client counts them.
    pub(super) index: Option<u32>,
    /// `X-Request-ID` or the like, on whatever basis the attempt is counted.
    pub(super) request_id: Option<u64>,
    /// The trace that the attempt belongs to.
    pub(super) trace: Option<u64>,
}

/// Reads what a request says; the route's key goes into that of an idempotency key.
pub(super) fn read(seen: &Sighted<'_>, identify: &Identify, route: u64) -> Evidence {
    let request_id = identify.headers.is_empty().then(|| first(seen.headers, &["x-request-id", "x-correlation-id"])).flatten();
    let request_id = request_id.map(|id| Digest::new(b'q').with(id).finish());
    let trace = one(seen.headers, "traceparent").and_then(|value| value.get(3..35)).map(|id| Digest::new(b't').with(id).finish());
    let index = one(seen.headers, "x-stainless-retry-count").and_then(number);
    let found = |basis: Basis, id: &[u8], index: Option<u32>| {
        let stated = Some(Digest::new(b'i').with(id).finish());
        let key = Digest::new(basis as u8).with(id);
        let key = if basis == Basis::IdempotencyKey { key.with(&route.to_le_bytes()) } else { key };
        Evidence { basis, key: key.finish(), stated, index, request_id, trace }
    };
    for name in &identify.headers {
        if let Some(id) = named(seen.headers, name) {
            return found(Basis::Named, id, None);
        }
    }
    if identify.headers.is_empty() {
        if let Some(id) = one(seen.headers, "idempotency-key") {
            return found(Basis::IdempotencyKey, id.trim_ascii().trim_quotes(), index);
        }
        if let Some(id) = one(seen.headers, "amz-sdk-invocation-id") {
            return found(Basis::AmzInvocation, id, one(seen.headers, "amz-sdk-request").and_then(amz_attempt));
        }
        if let Some(id) = one(seen.headers, "x-goog-api-client").and_then(gccl) {
            return found(Basis::GcclInvocation, id, None);
        }
        if let Some(id) = first(seen.headers, &["x-ms-client-request-id", "client-request-id"]) {
            return found(Basis::MsClientRequest, id, None);
        }
    }
    let (basis, key) = match (identify.fingerprint, index) {
        (false, _) => (Basis::Alone, 0),
        (true, Some(_)) if identify.headers.is_empty() => (Basis::RetryCount, fingerprint(seen)),
        (true, _) => (Basis::Fingerprint, fingerprint(seen)),
    };
    Evidence { basis, key, stated: None, index, request_id, trace }
}

/// What makes two requests look the same.
fn fingerprint(seen: &Sighted<'_>) -> u64 {
    let header = |name: &str| one(seen.headers, name).unwrap_or_default();
    Digest::new(b'f')
        .with(seen.method.as_str().as_bytes())
        .with(seen.authority.as_bytes())
        .with(seen.path.as_bytes())
        .with(&query(seen.query).to_le_bytes())
        .with(&seen.body.to_le_bytes())
        .with(header("authorization"))
        .with(header("user-agent"))
        .finish()
}

/// The query with its parameters in any order.
fn query(text: Option<&str>) -> u64 {
    let parts = text.into_iter().flat_map(|text| text.split('&'));
    parts.fold(0, |sum: u64, part| sum.wrapping_add(Digest::new(b'&').with(part.as_bytes()).finish()))
}

/// The value of a header that stands there once. A walk over the few that a request has costs less than to look one up
/// by its hash.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut values = headers.iter().filter(|(known, _)| known.as_str() == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Some(value.as_bytes()),
        _ => None,
    }
}

fn first<'h>(headers: &'h HeaderMap, names: &[&str]) -> Option<&'h [u8]> {
    names.iter().find_map(|name| one(headers, name))
}

fn named<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    one(headers, name.as_str())
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// `attempt=2; max=3`: one retry before this attempt.
fn amz_attempt(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    let attempt = text.split(';').find_map(|part| part.trim().strip_prefix("attempt="))?;
    attempt.trim().parse::<u32>().ok()?.checked_sub(1)
}

/// The id in `gl-python/3.12 gccl/2.14 gccl-invocation-id/UUID`.
fn gccl(text: &[u8]) -> Option<&[u8]> {
    text.split(|byte| *byte == b' ').find_map(|word| word.strip_prefix(b"gccl-invocation-id/")).filter(|id| !id.is_empty())
}

trait Quoted {
    fn trim_quotes(&self) -> &[u8];
}

impl Quoted for [u8] {
    /// A key is a string of RFC 9651 by its draft, and bare in practice.
    fn trim_quotes(&self) -> &[u8] {
        self.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(self)
    }
}
