//! An answer that the proxy makes itself; the target never sees the request.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, request};
use http_body_util::BodyExt;
use hyper::body::Body;

use crate::contract::{Answer, Circumstances, Contract, Profile, Terms};
use crate::fault::{Respond, RetryAfterForm};
use crate::id::{RowIx, RuleIx};
use crate::proxy::attempt::Proxy;
use crate::proxy::identity::Identity;
use crate::proxy::relay::AnswerBody;
use crate::proxy::upload::Upload;
use crate::severity::Severity;
use crate::units::Micros;
use crate::wire::{RequestFacts, ResponseFacts};

/// The answer that a rule gives; `None` where it cannot be made, for want of a contract or of a status.
pub(in crate::proxy) fn answer(
    proxy: &Proxy,
    identity: &Identity,
    rule: RuleIx,
    respond: &Respond,
    head: &request::Parts,
) -> Option<Response<AnswerBody>> {
    match respond {
        Respond::Literal { status, headers, body } => response(*status, headers.clone(), Bytes::copy_from_slice(body)),
        Respond::Error { row, retry_after, retry_after_form } => {
            let (contract, terms) = proxy.settings.contract.as_ref()?;
            let now = proxy.settings.clock.unix_us(proxy.settings.clock.now());
            let answer = contract.compose(*row, &circumstances(proxy, identity, *row, now, *retry_after, *retry_after_form));
            let answer = dated(answer, now);
            inspect(proxy, contract, terms, rule, head, &answer, now);
            response(answer.status, answer.headers, answer.body.into())
        }
    }
}

/// Takes in the whole request, as a server would: an answer to a client that is still writing may be lost to it.
pub(in crate::proxy) async fn take_in(mut body: Upload) {
    while !body.is_end_stream() {
        match body.frame().await {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}

/// The body of a documented error, as it may stand somewhere else than in an answer of its own.
pub(in crate::proxy) fn body_of(proxy: &Proxy, identity: &Identity, row: RowIx) -> Option<Vec<u8>> {
    let (contract, _) = proxy.settings.contract.as_ref()?;
    let now = proxy.settings.clock.unix_us(proxy.settings.clock.now());
    Some(contract.compose(row, &circumstances(proxy, identity, row, now, None, RetryAfterForm::default())).body)
}

pub(super) fn circumstances(
    proxy: &Proxy,
    identity: &Identity,
    row: RowIx,
    now_unix_us: i64,
    retry_after: Option<Micros>,
    form: RetryAfterForm,
) -> Circumstances<'static> {
    let Identity { exchange, attempt } = *identity;
    let unique = proxy.settings.faults.seed.draw("answer").with(u64::from(row.0)).with(exchange.arrival);
    let unique = unique.with(u64::from(exchange.scenario.0)).with(u64::from(exchange.step.0)).with(u64::from(attempt.0));
    Circumstances {
        now_unix_us,
        unique: unique.bits(),
        // Rounded up: a client that obeys to the letter must not come back too early.
        retry_after_s: retry_after.map(|span| span.0.div_ceil(1_000_000)),
        retry_after_as_date: form == RetryAfterForm::Date,
        ..Circumstances::default()
    }
}

/// An origin server with a clock sends a Date (RFC 9110 §6.6.1).
pub(super) fn dated(mut answer: Answer, now_unix_us: i64) -> Answer {
    let since = Duration::from_micros(u64::try_from(now_unix_us).unwrap_or(0));
    if !answer.headers.contains_key(DATE)
        && let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(UNIX_EPOCH + since))
    {
        answer.headers.insert(DATE, date);
    }
    answer
}

/// Holds our own answer to the contract, strictly (X05), as the client will see it: without a body to HEAD. What is
/// worth a remark only, such as a date where seconds are declared, the plan may have asked for.
pub(super) fn inspect(proxy: &Proxy, contract: &Contract, terms: &Terms, rule: RuleIx, head: &request::Parts, answer: &Answer, now: i64) {
    let strict = Terms { profile: Profile::Strict, undocumented: terms.undocumented, secrets: std::sync::Arc::clone(&terms.secrets) };
    let request = RequestFacts { method: &head.method, path: head.uri.path(), query: head.uri.query(), headers: &head.headers, body: &[] };
    let body: &[u8] = if head.method == Method::HEAD { &[] } else { &answer.body };
    let response = ResponseFacts {
        status: answer.status,
        headers: &answer.headers,
        body,
        body_complete: true,
        body_bytes: body.len() as u64,
        received_at_unix_us: now,
        round_trip: Micros::ZERO,
    };
    let judged = contract.check(&strict, &request, &response);
    for violation in judged.violations.iter().filter(|violation| violation.severity != Severity::Info) {
        proxy.counters.borrow_mut().unfaithful(rule, violation);
    }
}

/// The answer as it is sent. Framing is the connection's business: a length that lies is what `cut` is for.
pub(super) fn response(status: u16, mut headers: HeaderMap, body: Bytes) -> Option<Response<AnswerBody>> {
    let status = StatusCode::from_u16(status).ok().filter(|status| !status.is_informational())?;
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let mut response = Response::new(AnswerBody::Made(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Some(response)
}
