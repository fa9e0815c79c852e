//! An answer that the proxy makes itself; the target never sees the request.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, request, response};
use http_body_util::BodyExt;
use hyper::body::Body;

use super::misframed;
use super::throttle::Spent;
use crate::contract::draft::{Draft, Framing};
use crate::contract::{Answer, Circumstances, Contract, Profile, Terms};
use crate::fault::mutation::Mutation;
use crate::fault::{Respond, RetryAfterForm};
use crate::id::{RowIx, RuleIx};
use crate::proxy::attempt::Proxy;
use crate::proxy::control::{Control, Ended, Ending};
use crate::proxy::identity::Identity;
use crate::proxy::relay::AnswerBody;
use crate::proxy::upload::Upload;
use crate::record::Unfired;
use crate::severity::Severity;
use crate::units::Micros;
use crate::wire::{RequestFacts, ResponseFacts};

/// An answer of ours before it is sent.
pub(in crate::proxy) struct Made {
    pub(in crate::proxy) head: response::Parts,
    body: Bytes,
    framing: Framing,
}

/// The answer that a rule gives; where a limit was spent, with what there is to say of it.
///
/// # Errors
/// Says why it cannot be made: for want of a contract or of a status, or since nothing in it can be wrong as it should.
pub(in crate::proxy) fn answer(
    proxy: &Proxy,
    identity: &Identity,
    rule: RuleIx,
    respond: &Respond,
    spent: Option<&Spent<'_>>,
    head: &request::Parts,
) -> Result<Made, Unfired> {
    match respond {
        Respond::Wrong { answer, mutation } => {
            let right = right(proxy, identity, rule, answer, spent, head)?;
            let row = if let Respond::Error { row, .. } = **answer { Some(row) } else { None };
            mutated(proxy, mutation, right, row, &head.method, head.version == Version::HTTP_2)
        }
        sound => Made::of(right(proxy, identity, rule, sound, spent, head)?, Framing::Sound).ok_or(Unfired::NoContract),
    }
}

/// An answer made wrong by name; the one that was asked for is gone where it cannot be.
pub(in crate::proxy) fn mutated(
    proxy: &Proxy,
    mutation: &Mutation,
    answer: Answer,
    row: Option<RowIx>,
    method: &Method,
    http2: bool,
) -> Result<Made, Unfired> {
    if mutation.http1_only && http2 {
        return Err(Unfired::OtherHttp);
    }
    let contract = proxy.settings.contract.as_ref().map(|(contract, _)| &**contract);
    let now = proxy.unix_us();
    let mut draft = Draft::new(answer, contract, row, now);
    draft.to_head = Some(method == Method::HEAD);
    mutation.apply(&mut draft).ok_or(Unfired::Unfit)?;
    let Draft { status, headers, body, framing, .. } = draft;
    Made::of(Answer { status, headers, body }, framing).ok_or(Unfired::Unfit)
}

/// The answer as it should be.
fn right(
    proxy: &Proxy,
    identity: &Identity,
    rule: RuleIx,
    respond: &Respond,
    spent: Option<&Spent<'_>>,
    head: &request::Parts,
) -> Result<Answer, Unfired> {
    match respond {
        Respond::Literal { status, headers, body } => {
            let mut answer = Answer { status: *status, headers: headers.clone(), body: body.clone() };
            if let Some(spent) = spent {
                spent.tell_from_scratch(&mut answer.headers);
            }
            Ok(answer)
        }
        Respond::Error { row, retry_after, retry_after_form } => {
            let (contract, terms) = proxy.settings.contract.as_ref().ok_or(Unfired::NoContract)?;
            let now = proxy.unix_us();
            let usual = circumstances(proxy, identity, *row, now, *retry_after, *retry_after_form);
            let circumstances = if let Some(spent) = spent { spent.among(usual) } else { usual };
            let mut answer = contract.compose(*row, &circumstances);
            if let Some(spent) = spent {
                spent.tell_beside(&mut answer.headers);
            }
            inspect(proxy, contract, terms, rule, head, &answer, now);
            let wait = spent.map(Spent::wait).or(*retry_after);
            if let Some(wait) = wait.filter(|_| *retry_after_form == RetryAfterForm::Milliseconds) {
                in_milliseconds(&mut answer.headers, wait);
            }
            Ok(answer)
        }
        Respond::Wrong { answer, .. } => right(proxy, identity, rule, answer, spent, head),
    }
}

/// The two spellings that clients know beside Retry-After, of which neither is a standard.
fn in_milliseconds(headers: &mut HeaderMap, wait: Micros) {
    for name in ["retry-after-ms", "x-ms-retry-after-ms"] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(wait.0.div_ceil(1_000)));
    }
}

impl Made {
    /// `None` for a status that no final answer has. Framing is the connection's business.
    fn of(answer: Answer, framing: Framing) -> Option<Made> {
        let Answer { status, mut headers, body } = answer;
        let status = StatusCode::from_u16(status).ok().filter(|status| !status.is_informational())?;
        for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let (mut head, ()) = Response::new(()).into_parts();
        (head.status, head.headers) = (status, headers);
        Some(Made { head, body: body.into(), framing })
    }

    /// An answer that nothing is done to.
    pub(in crate::proxy) fn as_it_is(head: response::Parts, body: Bytes) -> Made {
        Made { head, body, framing: Framing::Sound }
    }

    /// Gives it to hyper, or, where hyper would refuse to write such a thing, past it.
    pub(in crate::proxy) async fn send(self, control: &Control) -> Result<Response<AnswerBody>, Ended> {
        if self.framing == Framing::Sound {
            control.answered();
            return Ok(Response::from_parts(self.head, AnswerBody::Made(self.body)));
        }
        let answer = misframed::answer(&self.head, &self.body, self.framing);
        control.flushed().await;
        Err(control.end(Ending::Raw(Box::new(answer))))
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
    let now = proxy.unix_us();
    Some(contract.compose(row, &circumstances(proxy, identity, row, now, None, RetryAfterForm::default())).body)
}

fn circumstances(
    proxy: &Proxy,
    identity: &Identity,
    row: RowIx,
    now_unix_us: i64,
    retry_after: Option<Micros>,
    form: RetryAfterForm,
) -> Circumstances<'static> {
    let Identity { exchange, attempt, .. } = *identity;
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

/// Holds our own answer to the contract, strictly (X05), as the client will see it: without a body to HEAD. What is
/// worth a remark only, such as a date where seconds are declared, the plan may have asked for.
fn inspect(proxy: &Proxy, contract: &Contract, terms: &Terms, rule: RuleIx, head: &request::Parts, answer: &Answer, now: i64) {
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
