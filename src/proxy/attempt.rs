//! One request through the proxy: known or a stranger, decided about, disturbed or passed on, answered.

use std::cell::RefCell;
use std::rc::Rc;

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, request};
use hyper::body::{Body, Incoming};

use super::ProxySettings;
use super::control::{Control, Ended, Ending};
use super::counters::Counters;
use super::effect;
use super::effect::corrupt::{Asked, Corrupted};
use super::forward;
use super::identity::{self, Identity};
use super::relay::{AnswerBody, Relay, Strike, ending_of};
use super::upload::Upload;
use super::upstream::Upstream;
use crate::clock::Timer;
use crate::fault::mutation::Mutation;
use crate::fault::{Action, After, Decision, Fault, Sighting, key_of};
use crate::id::{AttemptNumber, RuleIx, StepIx};
use crate::record::{ProxyNote, Unfired};
use crate::wire::{Failure, INJECTED_HEADER};

/// Everything the connections of the proxy share.
pub(super) struct Proxy {
    pub(super) settings: ProxySettings,
    pub(super) timer: Timer,
    pub(super) counters: RefCell<Counters>,
    pub(super) upstream: Rc<Upstream>,
}

/// Serves one request. An error is for hyper alone: the connection ends as its control says.
pub(super) async fn serve(proxy: Rc<Proxy>, control: Rc<Control>, request: Request<Incoming>) -> Result<Response<AnswerBody>, Ended> {
    control.head_complete();
    let (mut head, body) = request.into_parts();
    let identity = identity::take(&mut head.headers, &proxy.settings.run_id);
    let Some(identity) = identity else {
        proxy.counters.borrow_mut().stranger();
        return pass(&proxy, &control, None, None, head, body).await;
    };
    let decision = decide(&proxy, &identity, &head);
    proxy.note(&identity, decision.as_ref().map(|decision| decision.rule), false, None);
    let Some(decision) = decision else {
        return pass(&proxy, &control, Some(identity), None, head, body).await;
    };
    let mut touch = Touch { rule: decision.rule, action: decision.action, fired: false };
    if let Some(delay) = decision.delay {
        effect::delay::wait(&proxy.timer, delay).await;
        touch.fired = true;
        proxy.counters.borrow_mut().fired(touch.rule);
    }
    match touch.action {
        Action::Fault(Fault::Respond(respond)) => match effect::respond::answer(&proxy, &identity, touch.rule, respond, &head) {
            Ok(mut made) => {
                effect::respond::take_in(body).await;
                touch.fire(&proxy);
                proxy.sign(&mut made.head.headers, &identity, touch.rule);
                made.send(&control).await
            }
            // There is no contract to make the answer from: the attempt passes, the rule has not fired.
            Err(why) => {
                proxy.counters.borrow_mut().unfired(touch.rule, why);
                pass(&proxy, &control, Some(identity), None, head, body).await
            }
        },
        Action::Fault(Fault::Reset { after: After::Nothing }) => {
            touch.fire(&proxy);
            control.flushed().await;
            Err(control.end(Ending::Reset))
        }
        Action::Forward | Action::Fault(_) => pass(&proxy, &control, Some(identity), Some(touch), head, body).await,
    }
}

/// What a rule does to the attempt at hand.
#[derive(Clone, Copy)]
struct Touch<'r> {
    rule: RuleIx,
    action: Action<'r>,
    /// Whether it has been done, at least in part.
    fired: bool,
}

impl Touch<'_> {
    /// How the target's answer is to be wrong.
    fn mutation(self) -> Option<&'static Mutation> {
        match self.action {
            Action::Fault(Fault::Corrupt(mutation)) => Some(mutation),
            _ => None,
        }
    }

    fn fire(&mut self, proxy: &Proxy) {
        if !self.fired {
            self.fired = true;
            proxy.counters.borrow_mut().fired(self.rule);
        }
    }
}

fn decide<'p>(proxy: &'p Proxy, identity: &Identity, head: &request::Parts) -> Option<Decision<'p>> {
    let Identity { exchange, attempt } = *identity;
    let first = attempt == AttemptNumber::FIRST;
    let seen = Sighting {
        scenario: exchange.scenario,
        step: exchange.step,
        arrival: exchange.arrival,
        ordinal: exchange.ordinal,
        attempt,
        at: if first { exchange.scheduled_at } else { proxy.timer.clock().now() },
        method: &head.method,
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
        body: None,
        key: key_of(&head.headers),
    };
    let faults = &proxy.settings.faults;
    let mut counters = proxy.counters.borrow_mut();
    counters.seen();
    let decision = faults.decide(&seen, &mut counters.ledger);
    if first && exchange.step == StepIx(0) {
        counters.decided(faults.fingerprint(&seen, decision.as_ref()));
    }
    decision
}

/// Sends the request on and the answer back, up to where the touch ends it.
async fn pass(
    proxy: &Rc<Proxy>,
    control: &Rc<Control>,
    identity: Option<Identity>,
    touch: Option<Touch<'_>>,
    mut head: request::Parts,
    body: Incoming,
) -> Result<Response<AnswerBody>, Ended> {
    // A tunnel is none of our business, and there is no answer to invent.
    if head.method == Method::CONNECT {
        return Err(control.end(Ending::Cut));
    }
    let spoiled = touch.and_then(|touch| touch.mutation()).map(|mutation| (mutation, Asked::of(&head)));
    forward::onward(&mut head);
    if let Some(identity) = &identity {
        proxy.counters.borrow_mut().forwarded();
        proxy.note(identity, touch.map(|touch| touch.rule), true, None);
    }
    let reply = match Rc::clone(&proxy.upstream).send(Request::from_parts(head, Upload::of(body))).await {
        Ok(reply) if reply.response.status() == StatusCode::SWITCHING_PROTOCOLS => Err(Failure::BadProtocol),
        other => other,
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(failure) => {
            proxy.upstream_failed(identity, touch.filter(|touch| touch.fired).map(|touch| touch.rule), failure);
            control.flushed().await;
            return Err(control.end(ending_of(failure)));
        }
    };
    let (mut head, body) = reply.response.into_parts();
    head.version = Version::HTTP_11;
    forward::strip(&mut head.headers);
    if body.is_end_stream() {
        forward::keep_one_length(&mut head.headers);
    }
    if let (Some((mutation, asked)), Some(touch), Some(identity)) = (spoiled, touch, identity) {
        proxy.counters.borrow_mut().upstream_answered(reply.took);
        let corrupted = effect::corrupt::corrupt(proxy, mutation, &asked, head, body, reply.lease).await;
        return corrupt(proxy, control, identity, touch, corrupted).await;
    }
    let (mut rule, mut strike) = (None, None);
    if let Some(identity) = &identity {
        proxy.counters.borrow_mut().upstream_answered(reply.took);
        if let Some(touch) = touch {
            strike = Strike::of(&touch.action, touch.rule, &body, !touch.fired);
            if touch.fired || strike.is_some() {
                rule = Some(touch.rule);
                proxy.sign(&mut head.headers, identity, touch.rule);
            } else {
                proxy.note(identity, None, true, None);
            }
        }
    }
    let relay = Relay::new(&head, body, reply.lease, Rc::clone(proxy), Rc::clone(control)).of(identity, rule, strike);
    Ok(Response::from_parts(head, AnswerBody::Relayed(relay)))
}

/// Sends what became of an answer that was to be made wrong.
async fn corrupt(
    proxy: &Rc<Proxy>,
    control: &Rc<Control>,
    identity: Identity,
    mut touch: Touch<'_>,
    corrupted: Corrupted,
) -> Result<Response<AnswerBody>, Ended> {
    let as_it_was = |why: Unfired| {
        if touch.fired {
            return Some(touch.rule);
        }
        proxy.counters.borrow_mut().unfired(touch.rule, why);
        proxy.note(&identity, None, true, None);
        None
    };
    match corrupted {
        Corrupted::Wrong(mut made) => {
            touch.fire(proxy);
            proxy.sign(&mut made.head.headers, &identity, touch.rule);
            made.send(control).await
        }
        Corrupted::AsItWas(mut made, why) => {
            if let Some(rule) = as_it_was(why) {
                proxy.sign(&mut made.head.headers, &identity, rule);
            }
            made.send(control).await
        }
        Corrupted::Passing(read, mut head, body, lease) => {
            let rule = as_it_was(Unfired::TooLong);
            if let Some(rule) = rule {
                proxy.sign(&mut head.headers, &identity, rule);
            }
            let relay = Relay::new(&head, body, lease, Rc::clone(proxy), Rc::clone(control)).of(Some(identity), rule, None);
            let body = if read.is_empty() { AnswerBody::Relayed(relay) } else { AnswerBody::Begun(read, relay) };
            Ok(Response::from_parts(head, body))
        }
        Corrupted::Broken(failure) => {
            proxy.upstream_failed(Some(identity), touch.fired.then_some(touch.rule), failure);
            control.flushed().await;
            Err(control.end(ending_of(failure)))
        }
    }
}

impl Proxy {
    /// Notes what is done to the attempt, before anything of it reaches the client.
    fn note(&self, identity: &Identity, rule: Option<RuleIx>, forwarded: bool, failure: Option<Failure>) {
        let note = ProxyNote { attempt: identity.attempt, rule, forwarded, failure, upstream: None };
        self.settings.board.note(&identity.exchange, note);
    }

    /// Notes a failure between proxy and target, with the rule that had been done to the attempt before.
    pub(super) fn upstream_failed(&self, identity: Option<Identity>, rule: Option<RuleIx>, failure: Failure) {
        self.counters.borrow_mut().upstream_failed();
        if let Some(identity) = identity {
            self.note(&identity, rule, true, Some(failure));
        }
    }

    /// Tells the client what was done to its request, unless that is to be a secret.
    fn sign(&self, headers: &mut http::HeaderMap, identity: &Identity, rule: RuleIx) {
        if self.settings.stealth {
            return;
        }
        let name = &self.settings.faults.rules[rule.at()].name;
        let shown: String = name.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '_' }).collect();
        let value = HeaderValue::try_from(format!("{shown};attempt={}", identity.attempt.0)).expect("printable ASCII is a header value");
        headers.insert(HeaderName::from_static(INJECTED_HEADER), value);
    }
}
