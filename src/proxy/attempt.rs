//! One request through the proxy: known or a stranger, decided about, disturbed or passed on, answered.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use http::header::EXPECT;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, request, response};
use hyper::body::{Body, Incoming};
use tokio_rustls::TlsAcceptor;

use super::ProxySettings;
use super::control::{Control, Ended, Ending};
use super::counters::Counters;
use super::effect;
use super::effect::corrupt::{Asked, Corrupted};
use super::effect::course::{Course, Whole};
use super::effect::raw::{self, RawAnswer, RawBody, Relayed};
use super::effect::respond::Made;
use super::effect::throttle::Spent;
use super::effect::turn::{Given, INTERNAL_ERROR, Turn, turn, unframe};
use super::forward;
use super::identity::{self, Identity};
use super::mark::Mark;
use super::passage::{self, Astray, Passage};
use super::peek::peek;
use super::relay::{AnswerBody, Relay, ending_of};
use super::routes::Routes;
use super::session::{Begun, Session};
use super::upload::Upload;
use super::upstream::Lease;
use super::watched::watch;
use crate::clock::Timer;
use crate::fault::{Action, After, Decision, Fault, FaultRule, FaultRules, Sighting, key_of};
use crate::id::{AttemptNumber, RuleIx, StepIx};
use crate::record::{ProxyNote, Unfired};
use crate::units::{Micros, Offset};
use crate::wire::{FAULT_HEADER, Failure, INJECTED_HEADER};

/// How long a stranger's body is waited for before its request is looked at without the rest.
const PATIENCE: Micros = Micros::from_millis(250);

/// Everything the connections of the proxy share.
pub(super) struct Proxy {
    pub(super) settings: ProxySettings,
    pub(super) timer: Timer,
    pub(super) counters: RefCell<Counters>,
    /// The plan's rules, as they have been changed since.
    pub(super) rules: RefCell<Rc<FaultRules>>,
    /// With whom it is, where strangers are clients.
    pub(super) session: Option<Session>,
    pub(super) routes: Routes,
    /// TLS on the listener.
    pub(super) tls: Option<TlsAcceptor>,
}

/// Serves one request. An error is for hyper alone: the connection ends as its control says.
pub(super) async fn serve(proxy: Rc<Proxy>, control: Rc<Control>, request: Request<Incoming>) -> Result<Response<AnswerBody>, Ended> {
    control.head_complete();
    let head_at = proxy.timer.clock().now();
    let (mut head, body) = request.into_parts();
    let ordered = proxy.ordered(&head.headers);
    let identity = identity::take(&mut head.headers, &proxy.settings.run_id);
    match (&proxy.session, identity) {
        (_, Some(identity)) => {
            let rules = proxy.rules();
            let seen = sighting(&proxy, &control, &identity, &head);
            let (beginning, body) = match rules.wants_body(&seen) {
                true => match Box::pin(peek(body, None)).await {
                    Ok((beginning, body)) => (Some(beginning), body),
                    Err(_) => return passage::without_body(&control),
                },
                false => (None, Upload::of(body)),
            };
            let decision = decide(&proxy, &rules, None, &Sighting { body: beginning.as_deref(), ..seen });
            let body = body.patient(&control, &proxy.timer, proxy.settings.head_timeout);
            answer(&proxy, &control, identity, decision, head, body).await
        }
        (Some(session), None) if head.method != Method::CONNECT => {
            let (beginning, body) = match body.is_end_stream() {
                true => (Bytes::new(), Upload::of(body)),
                false => match Box::pin(peek(body, Some((&proxy.timer, PATIENCE)))).await {
                    Ok(peeked) => peeked,
                    Err(_) => return passage::without_body(&control),
                },
            };
            let met = session.meet(&proxy, &control, &head, Begun { head_at, body: beginning.clone() });
            let identity = met.identity;
            let rules = proxy.rules();
            let seen = sighting(&proxy, &control, &identity, &head);
            let decision = decide(&proxy, &rules, ordered, &Sighting { body: Some(&beginning), ..seen });
            let body = body.patient(&control, &proxy.timer, proxy.settings.head_timeout);
            let answer = answer(&proxy, &control, identity, decision, head, body).await;
            watch(answer, met, &control)
        }
        (_, None) => {
            proxy.counters.borrow_mut().stranger();
            let body = Upload::of(body).patient(&control, &proxy.timer, proxy.settings.head_timeout);
            pass(&proxy, &control, None, None, head, body).await
        }
    }
}

/// Answers a known attempt as was decided, and says what a limiter that let it pass has to say.
async fn answer(
    proxy: &Rc<Proxy>,
    control: &Rc<Control>,
    identity: Identity,
    decision: Option<Decision<'_>>,
    head: request::Parts,
    body: Upload,
) -> Result<Response<AnswerBody>, Ended> {
    proxy.note(&identity, decision.as_ref().map(|decision| decision.rule), false, None);
    let told = proxy.counters.borrow_mut().ledger.take_told();
    let mut answer = match decision {
        None => pass(proxy, control, Some(identity), None, head, body).await?,
        Some(decision) => Box::pin(carry_out(proxy, control, identity, decision, head, body)).await?,
    };
    if let Some(told) = told {
        effect::throttle::tell(proxy, &told, answer.headers_mut());
    }
    Ok(answer)
}

/// Does to the attempt what was decided.
///
/// This future and others that few attempts need are boxed: what every attempt needs is then small, for it is moved
/// about, and every connection holds one.
async fn carry_out(
    proxy: &Rc<Proxy>,
    control: &Rc<Control>,
    identity: Identity,
    decision: Decision<'_>,
    head: request::Parts,
    body: Upload,
) -> Result<Response<AnswerBody>, Ended> {
    let mut mark = Mark::new(proxy, decision.rule);
    if let Some(delay) = decision.delay {
        effect::delay::wait(&proxy.timer, delay).await;
        mark.fire();
    }
    let ending = match decision.action {
        Action::Fault(Fault::Respond(respond)) => {
            let made = effect::respond::answer(proxy, &identity, mark.rule, respond, None, &head);
            return answer_ourselves(proxy, control, identity, mark, made, head, body).await;
        }
        Action::Refuse(limiter, standing) => {
            let spent = Spent::new(limiter, standing, proxy.unix_us());
            let made = effect::respond::answer(proxy, &identity, mark.rule, &limiter.refusal, Some(&spent), &head);
            return answer_ourselves(proxy, control, identity, mark, made, head, body).await;
        }
        Action::Fault(Fault::BlackHole) => return effect::black_hole::swallow(body, head.headers.contains_key(EXPECT), mark).await,
        Action::Fault(fault) => at_once(fault, control.is_http2()),
        Action::Forward => None,
    };
    match ending {
        Some(ending) => {
            mark.fire();
            control.flushed().await;
            let gives_up = control.is_http2() && matches!(ending, Ending::GoAway(_));
            let ended = control.end(ending);
            if gives_up {
                // An error would reset the stream first, as if it had been looked at.
                std::future::pending::<()>().await;
            }
            Err(ended)
        }
        None => {
            let asked = matches!(decision.action, Action::Fault(Fault::Corrupt(_))).then(|| Asked::of(&head));
            let touch = Touch { mark, action: decision.action, delay_after: decision.delay_after, asked };
            pass(proxy, control, Some(identity), Some(touch), head, body).await
        }
    }
}

/// Sends an answer of ours; where there is none the request is passed on.
async fn answer_ourselves(
    proxy: &Rc<Proxy>,
    control: &Rc<Control>,
    identity: Identity,
    mut mark: Mark,
    made: Result<Made, Unfired>,
    head: request::Parts,
    body: Upload,
) -> Result<Response<AnswerBody>, Ended> {
    match made {
        Ok(mut made) => {
            effect::respond::take_in(body).await;
            mark.fire();
            proxy.sign(&mut made.head.headers, &identity, mark.rule);
            made.send(control).await
        }
        Err(why) => {
            mark.unfired(why);
            let delayed = mark.done().is_some();
            let touch = delayed.then_some(Touch { mark, action: Action::Forward, delay_after: None, asked: None });
            pass(proxy, control, Some(identity), touch, head, body).await
        }
    }
}

/// How the connection or stream ends where the request is not even passed on.
fn at_once(fault: &Fault, http2: bool) -> Option<Ending> {
    match fault {
        Fault::Reset { after: After::Nothing } | Fault::Refuse => Some(Ending::Reset),
        Fault::Cut { after: After::Nothing } => Some(Ending::Cut),
        Fault::HalfClose { after: After::Nothing } if !http2 => Some(Ending::HalfClose),
        Fault::ResetStream { after: After::Nothing } if http2 => Some(Ending::ResetStream(INTERNAL_ERROR)),
        Fault::RefusedStream if http2 => Some(Ending::RefuseStream),
        Fault::GoAway if http2 => Some(Ending::GoAway(NO_ERROR)),
        _ => None,
    }
}

/// The code of a connection that is given up without a fault of the client's (RFC 9113 §7).
const NO_ERROR: u32 = 0;

/// What a rule does to the attempt at hand.
struct Touch<'r> {
    mark: Mark,
    action: Action<'r>,
    delay_after: Option<Micros>,
    /// What was asked, where the answer is to be made wrong.
    asked: Option<Asked>,
}

/// The attempt as rules see it, before anything of its body was read.
fn sighting<'a>(proxy: &Proxy, control: &Control, identity: &Identity, head: &'a request::Parts) -> Sighting<'a> {
    let Identity { exchange, attempt, overall } = *identity;
    let now = proxy.timer.clock().now();
    Sighting {
        scenario: exchange.scenario,
        step: exchange.step,
        arrival: exchange.arrival,
        ordinal: exchange.ordinal,
        overall,
        attempt,
        at: proxy.moment(if attempt == AttemptNumber::FIRST { exchange.scheduled_at } else { now }),
        method: &head.method,
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
        body: None,
        key: key_of(&head.headers),
        address: control.address(),
        now,
    }
}

/// Decides about an attempt, by the rules or as the client orders, and remembers it.
fn decide<'r>(proxy: &Proxy, faults: &'r FaultRules, ordered: Option<RuleIx>, seen: &Sighting<'_>) -> Option<Decision<'r>> {
    let mut counters = proxy.counters.borrow_mut();
    counters.seen();
    let decision = match ordered {
        Some(rule) => faults.ordered(rule, seen, &mut counters.ledger),
        None => faults.decide(seen, &mut counters.ledger),
    };
    counters.write_down();
    // Who comes while connections are refused is seen or not as connections happen to be used again; whom a limiter
    // refuses is decided by the clock.
    let refused = |action| matches!(action, Action::Fault(Fault::Refuse) | Action::Refuse(..));
    let refused = decision.as_ref().is_some_and(|decision| refused(decision.action));
    if seen.attempt == AttemptNumber::FIRST && seen.step == StepIx(0) && !refused {
        counters.decided(faults.fingerprint(seen, decision.as_ref()));
    }
    decision
}

/// Sends the request on and the answer back, as far and as far changed as the touch wants it.
async fn pass(
    proxy: &Rc<Proxy>,
    control: &Rc<Control>,
    identity: Option<Identity>,
    touch: Option<Touch<'_>>,
    mut head: request::Parts,
    body: Upload,
) -> Result<Response<AnswerBody>, Ended> {
    let version = head.version;
    let passage = match Passage::open(proxy, control, &mut head).await {
        Ok(passage) => passage,
        Err(astray) => return Box::pin(stray(proxy, control, identity, touch, astray)).await,
    };
    if let Some(identity) = &identity {
        proxy.counters.borrow_mut().forwarded();
        proxy.note(identity, touch.as_ref().map(|touch| touch.mark.rule), true, None);
    }
    let reply = match passage.send(control, Request::from_parts(head, body)).await {
        Ok(reply) => reply,
        Err(astray) => return Box::pin(stray(proxy, control, identity, touch, astray)).await,
    };
    let (mut head, body) = reply.response.into_parts();
    if identity.is_some() {
        proxy.counters.borrow_mut().upstream_answered(reply.took);
    }
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        if let (Some(identity), Some(touch)) = (identity, touch)
            && let Some(ending) = switched(proxy, &identity, touch, &mut head).await
        {
            drop(reply.lease);
            control.flushed().await;
            return Err(control.end(ending));
        }
        return Passage::switch(control, head, reply.lease);
    }
    head.version = Version::HTTP_11;
    forward::strip(&mut head.headers);
    if body.is_end_stream() {
        forward::keep_one_length(&mut head.headers);
    }
    match (identity, touch) {
        (Some(identity), Some(touch)) => Box::pin(disturb(proxy, control, identity, touch, version, head, body, reply.lease)).await,
        (Some(identity), None) => {
            let relay = Relay::new(&head, body, reply.lease, Rc::clone(proxy), Rc::clone(control));
            let relay = relay.of(identity, None, Course::Whole(Whole::default()));
            Ok(Response::from_parts(head, AnswerBody::Relayed(relay)))
        }
        (None, _) => {
            let relay = Relay::new(&head, body, reply.lease, Rc::clone(proxy), Rc::clone(control));
            Ok(Response::from_parts(head, AnswerBody::Relayed(relay)))
        }
    }
}

/// Does to the target's answer what the rule asks for, or finds that it cannot be done.
#[expect(clippy::too_many_arguments, reason = "one answer, where it came from and where it goes, which no type groups otherwise")]
async fn disturb(
    proxy: &Rc<Proxy>,
    control: &Rc<Control>,
    identity: Identity,
    touch: Touch<'_>,
    version: Version,
    mut head: response::Parts,
    body: Incoming,
    lease: Lease,
) -> Result<Response<AnswerBody>, Ended> {
    let Touch { mut mark, action, delay_after, asked } = touch;
    let status = head.status.as_u16();
    proxy.note(&identity, Some(mark.rule), true, Some(status));
    if let Some(delay) = delay_after {
        effect::delay::wait(&proxy.timer, delay).await;
        mark.fire();
    }
    if let (Action::Fault(Fault::Corrupt(mutation)), Some(asked)) = (action, asked) {
        let corrupted = effect::corrupt::corrupt(proxy, mutation, &asked, head, body, lease).await;
        return spoiled(proxy, control, identity, mark, status, corrupted).await;
    }
    let turn = match action {
        Action::Forward | Action::Refuse(..) => Ok(Turn::Course(Course::Whole(Whole::default()))),
        Action::Fault(fault) => turn(fault, &Given::of(&head, &body, version), |row| effect::respond::body_of(proxy, &identity, row)),
    };
    let (mark, course) = match turn {
        Ok(Turn::Lose(ending)) => {
            effect::lost::take_in(body, lease, &proxy.timer).await;
            mark.fire();
            proxy.counters.borrow_mut().lost(mark.rule, status);
            control.flushed().await;
            return Err(control.end(ending));
        }
        Ok(Turn::Raw(framing)) => {
            unframe(&mut head.headers);
            proxy.sign(&mut head.headers, &identity, mark.rule);
            let relayed = RawBody::Relayed(Box::new(Relayed { framing, body, lease, identity, mark }));
            control.flushed().await;
            let answer = RawAnswer { head: raw::head(&head, framing), body: relayed, then: Ending::Cut };
            return Err(control.end(Ending::Raw(Box::new(answer))));
        }
        Ok(Turn::Course(course)) => (mark, course),
        Err(why) => {
            mark.unfired(why);
            (mark, Course::Whole(Whole::default()))
        }
    };
    let done = mark.done().is_some();
    let rule = mark.rule;
    let relay = Relay::new(&head, body, lease, Rc::clone(proxy), Rc::clone(control));
    if course.reframes() {
        unframe(&mut head.headers);
    }
    if done || course.is_certain() {
        proxy.sign(&mut head.headers, &identity, rule);
    } else {
        proxy.note(&identity, None, true, Some(status));
    }
    let pending = done || !course.is_whole();
    let relay = relay.of(identity, pending.then_some(mark), course);
    Ok(Response::from_parts(head, AnswerBody::Relayed(relay)))
}

/// Does to a change of protocol what can be done to it: it is late, or the client never hears of it. What comes after it are
/// bytes that no rule looks at.
async fn switched(proxy: &Rc<Proxy>, identity: &Identity, touch: Touch<'_>, head: &mut response::Parts) -> Option<Ending> {
    let Touch { mut mark, action, delay_after, .. } = touch;
    let status = head.status.as_u16();
    if let Some(delay) = delay_after {
        effect::delay::wait(&proxy.timer, delay).await;
        mark.fire();
    }
    let ending = match action {
        Action::Fault(Fault::DropAfterUpstream) => Some(Ending::Cut),
        Action::Fault(Fault::ResetAfterUpstream) => Some(Ending::Reset),
        _ => None,
    };
    if ending.is_some() {
        mark.fire();
        proxy.counters.borrow_mut().lost(mark.rule, status);
    }
    mark.unfired(Unfired::OverBefore);
    proxy.note(identity, mark.done(), true, Some(status));
    if let Some(rule) = mark.done() {
        proxy.sign(&mut head.headers, identity, rule);
    }
    ending
}

/// There is no answer that could be disturbed.
fn spared(proxy: &Proxy, identity: Option<Identity>, touch: Option<Touch<'_>>, why: Unfired) {
    if let (Some(identity), Some(touch)) = (identity, touch) {
        touch.mark.unfired(why);
        proxy.note(&identity, touch.mark.done(), true, None);
    }
}

/// Sends what became of an answer that was to be made wrong.
async fn spoiled(
    proxy: &Rc<Proxy>,
    control: &Rc<Control>,
    identity: Identity,
    mut mark: Mark,
    status: u16,
    corrupted: Corrupted,
) -> Result<Response<AnswerBody>, Ended> {
    match &corrupted {
        Corrupted::Wrong(_) => mark.fire(),
        Corrupted::AsItWas(_, why) => mark.unfired(*why),
        Corrupted::Passing(..) => mark.unfired(Unfired::TooLong),
        Corrupted::Broken(_) => {}
    }
    let rule = mark.done();
    proxy.note(&identity, rule, true, Some(status));
    match corrupted {
        Corrupted::Wrong(mut made) | Corrupted::AsItWas(mut made, _) => {
            if let Some(rule) = rule {
                proxy.sign(&mut made.head.headers, &identity, rule);
            }
            made.send(control).await
        }
        Corrupted::Passing(read, mut head, body, lease) => {
            if let Some(rule) = rule {
                proxy.sign(&mut head.headers, &identity, rule);
            }
            let relay = Relay::new(&head, body, lease, Rc::clone(proxy), Rc::clone(control));
            let relay = relay.of(identity, rule.map(|_| mark), Course::Whole(Whole::default()));
            let body = if read.is_empty() { AnswerBody::Relayed(relay) } else { AnswerBody::Begun(read, relay) };
            Ok(Response::from_parts(head, body))
        }
        Corrupted::Broken(failure) => {
            mark.upstream_failed(identity, failure);
            control.flushed().await;
            Err(control.end(ending_of(failure)))
        }
    }
}

/// What becomes of a request that has no answer of the target's.
async fn stray(
    proxy: &Proxy,
    control: &Control,
    identity: Option<Identity>,
    touch: Option<Touch<'_>>,
    astray: Astray,
) -> Result<Response<AnswerBody>, Ended> {
    match astray {
        Astray::Answered(response) => {
            spared(proxy, identity, touch, Unfired::NoAnswer);
            control.answered();
            Ok(*response)
        }
        Astray::Ended(ended) => Err(ended),
        Astray::Failed(failure) => {
            match (touch, identity) {
                (Some(touch), Some(identity)) => touch.mark.upstream_failed(identity, failure),
                (_, identity) => proxy.upstream_failed(identity, None, failure),
            }
            control.flushed().await;
            Err(control.end(ending_of(failure)))
        }
    }
}

impl Proxy {
    /// The rules as they are now.
    pub(super) fn rules(&self) -> Rc<FaultRules> {
        Rc::clone(&self.rules.borrow())
    }

    /// Changes the rules; attempts under way keep those they were decided by.
    pub(super) fn change_rules(&self, change: impl FnOnce(&mut Vec<FaultRule>)) {
        change(&mut Rc::make_mut(&mut self.rules.borrow_mut()).rules);
    }

    /// The rule that a request asks for by name, where that is allowed.
    fn ordered(&self, headers: &HeaderMap) -> Option<RuleIx> {
        self.session.as_ref().filter(|session| session.takes_orders())?;
        let name = headers.get(FAULT_HEADER)?.to_str().ok()?.trim();
        self.rules().rules.iter().position(|rule| rule.name == name).map(RuleIx::from)
    }

    /// The moment of the run that a moment of the clock is.
    fn moment(&self, at: Offset) -> Offset {
        self.session.as_ref().map_or(at, |session| session.moment(at))
    }

    /// The wall clock, in microseconds since the Unix epoch.
    pub(super) fn unix_us(&self) -> i64 {
        self.settings.clock.unix_us(self.settings.clock.now())
    }

    /// Notes what is done to the attempt, before anything of it reaches the client, and what the target answered.
    pub(super) fn note(&self, identity: &Identity, rule: Option<RuleIx>, forwarded: bool, upstream: Option<u16>) {
        let note = ProxyNote { attempt: identity.attempt, rule, forwarded, failure: None, upstream };
        self.settings.board.note(&identity.exchange, note);
    }

    /// Notes a failure between proxy and target, with the rule that had been done to the attempt before.
    pub(super) fn upstream_failed(&self, identity: Option<Identity>, rule: Option<RuleIx>, failure: Failure) {
        self.counters.borrow_mut().upstream_failed();
        if let Some(identity) = identity {
            let note = ProxyNote { attempt: identity.attempt, rule, forwarded: true, failure: Some(failure), upstream: None };
            self.settings.board.note(&identity.exchange, note);
        }
    }

    /// Tells the client what was done to its request, unless that is to be a secret.
    fn sign(&self, headers: &mut http::HeaderMap, identity: &Identity, rule: RuleIx) {
        if self.settings.stealth {
            return;
        }
        let rules = self.rules();
        let name = &rules.rules[rule.at()].name;
        let shown: String = name.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '_' }).collect();
        let value = HeaderValue::try_from(format!("{shown};attempt={}", identity.attempt.0)).expect("printable ASCII is a header value");
        headers.insert(HeaderName::from_static(INJECTED_HEADER), value);
    }
}
