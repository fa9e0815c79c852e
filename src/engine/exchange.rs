//! One exchange: send, judge, record, and repeat where the policy says so.

use http::{HeaderMap, HeaderValue};

use crate::client::{Ear, Listening, Outbound, Reply};
use crate::contract::Judged;
use crate::contract::stream::StreamJudge;
use crate::id::{AttemptNumber, ExchangeId, PolicyIx, StageIx, StepIx};
use crate::plan::{StatusRange, Step};
use crate::record::{self, Answered, Attempt, Outcome, ProxyNote, Recorder};
use crate::retry::{Decision, RetryPolicy, Situation, StopReason};
use crate::units::{Micros, Offset};
use crate::wire::{self, ATTEMPT_HEADER, EXCHANGE_HEADER, Ending, Failure, RequestFacts, ResponseFacts};
use crate::workload::{self, Request, Visit};

use super::events::Events;
use super::lane::Lane;
use super::session::Room;
use super::worker::Worker;

/// Which logical request is to be carried out.
pub(super) struct Exchange<'a> {
    pub(super) visit: &'a Visit,
    pub(super) step: StepIx,
    pub(super) policy: Option<PolicyIx>,
    /// Its scheduled start: of the arrival for a first step, the moment it became due for a later one.
    pub(super) due: Offset,
    /// Steps of the session that come after it.
    pub(super) steps_after: u32,
}

/// Carries one exchange out to its final outcome and records it.
///
/// Returns whether the session may go on: the outcome is ok, and what later steps need was in the answer.
pub(super) async fn carry_out<R: Recorder + 'static>(worker: &Worker<R>, lane: &Lane, room: &mut Room, exchange: &Exchange<'_>) -> bool {
    let plan = &worker.plan;
    let step = &plan.scenarios[exchange.visit.scenario.at()].steps[exchange.step.at()];
    let policy = exchange.policy.map(|ix| &plan.policies[ix.at()]);
    let stage = plan.stage_at(exchange.due);
    let id = ExchangeId {
        arrival: exchange.visit.arrival,
        ordinal: exchange.visit.ordinal,
        scenario: exchange.visit.scenario,
        step: exchange.step,
        scheduled_at: exchange.due,
        slot: lane.slot,
    };
    let mut request = worker.workload.request(exchange.visit, exchange.step, &room.memory);
    if let Some(name) = policy.and_then(|policy| policy.idempotency_header.as_ref()) {
        let key = workload::uuid(
            plan.seed.draw("idempotency").with(plan.seed.draw(&worker.run_id).bits()).with(id.arrival).with(u64::from(id.step.0)),
        );
        request.headers.to_mut().insert(name, HeaderValue::try_from(key).expect("a UUID is a header value"));
    }
    open(worker, lane, &id, stage, exchange, step, &request);
    let mut number = AttemptNumber::FIRST;
    let mut waited = None;
    let mut budget_refused = false;
    if let Some(budget) = budget(worker, exchange.policy).as_mut() {
        budget.earn(worker.timer.clock().now());
    }
    let (outcome, reply) = loop {
        lane.open.borrow_mut().under_way = Some((worker.timer.clock().now(), waited));
        let (reply, events) = send(worker, &id, number, step, &request, &mut room.body).await;
        let attempt = finished(worker, &id, number, waited, step, &reply);
        judge(worker, &id, stage, &attempt, step, &request, &reply, events, &room.body);
        let outcome = outcome_of(step, attempt.ending);
        let decision = match outcome {
            Outcome::Ok => Decision::Stop(StopReason::NotRetryable),
            _ => after(worker, policy, &id, &attempt, step, &request),
        };
        {
            let mut open = lane.open.borrow_mut();
            open.under_way = None;
            open.attempts.push(attempt);
        }
        let Decision::Wait(wait) = decision else { break (outcome, reply) };
        let allowed = budget(worker, exchange.policy).as_mut().is_none_or(|budget| budget.spend(worker.timer.clock().now()));
        if !allowed {
            budget_refused = true;
            break (outcome, reply);
        }
        worker.timer.sleep(wait).await;
        number = number.next();
        waited = Some(wait);
    };
    let goes_on = outcome == Outcome::Ok
        && reply.head.as_ref().is_none_or(|head| workload::capture(step, &head.headers, &room.body, &mut room.memory));
    let mut open = lane.open.borrow_mut();
    open.exchange = None;
    worker.recorder.borrow_mut().exchange(&record::Exchange {
        id,
        stage,
        policy: exchange.policy,
        path: &open.path,
        method: &step.method,
        outcome,
        ended_at: open.attempts.last().map_or(exchange.due, |last| last.stamps.ended_at),
        attempts: &open.attempts,
        skipped_steps: if goes_on { 0 } else { exchange.steps_after },
        stream: reply.stream,
        budget_refused,
    });
    goes_on
}

/// Notes what the lane has open, so that it is known even if the run is cut off.
fn open<R: Recorder>(
    worker: &Worker<R>,
    lane: &Lane,
    id: &ExchangeId,
    stage: StageIx,
    exchange: &Exchange<'_>,
    step: &Step,
    request: &Request<'_>,
) {
    if let Some(board) = &worker.board {
        board.claim(id);
    }
    let mut open = lane.open.borrow_mut();
    open.exchange = Some((*id, stage, exchange.policy));
    open.method.clone_from(&step.method);
    open.path.clear();
    open.path.push_str(request.path.path());
    open.attempts.clear();
    open.under_way = None;
    open.steps_after = exchange.steps_after;
}

/// The budget of a policy, where it has one.
fn budget<R>(worker: &Worker<R>, policy: Option<PolicyIx>) -> Option<std::cell::RefMut<'_, crate::retry::Budget>> {
    let budgets = worker.budgets.borrow_mut();
    std::cell::RefMut::filter_map(budgets, |budgets| policy.and_then(|ix| budgets[ix.at()].as_mut())).ok()
}
/// Sends one attempt; with the proxy in the path it says which. What a stream's events said comes with the reply.
async fn send<'w, R: Recorder>(
    worker: &'w Worker<R>,
    id: &ExchangeId,
    number: AttemptNumber,
    step: &Step,
    request: &Request<'_>,
    body: &mut Vec<u8>,
) -> (Reply, Option<StreamJudge<'w>>) {
    let identified;
    let headers: &HeaderMap = if worker.board.is_some() {
        identified = identify(&worker.run_id, id, number, &request.headers);
        &identified
    } else {
        &request.headers
    };
    let events = worker.plan.contract.as_ref().filter(|_| step.stream.is_some()).map(Events::new);
    let outbound = Outbound {
        method: &step.method,
        path: &request.path,
        headers,
        body: &request.body,
        // A success may be an error in disguise (S08), which only its body tells.
        keep_success_body: !step.captures.is_empty() || worker.plan.contract.is_some(),
        stream: step.stream.as_ref().map(|rule| Listening { rule, ear: events.as_ref().map(|events| events as &dyn Ear) }),
    };
    let reply = worker.transport.send(&outbound, body).await;
    (reply, events.map(Events::heard))
}

fn identify(run_id: &str, id: &ExchangeId, number: AttemptNumber, headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    let value = |text: String| HeaderValue::try_from(text).expect("a run id and numbers are a header value");
    headers.insert(EXCHANGE_HEADER, value(format!("{run_id}/{id}")));
    headers.insert(ATTEMPT_HEADER, HeaderValue::from(number.0));
    headers
}

/// The attempt as a fact, with what the proxy noted about it.
fn finished<R: Recorder>(
    worker: &Worker<R>,
    id: &ExchangeId,
    number: AttemptNumber,
    waited: Option<Micros>,
    step: &Step,
    reply: &Reply,
) -> Attempt {
    let proxy = worker.board.as_ref().and_then(|board| board.read(id.slot, number).or_else(|| refused(worker, number, reply)));
    worker.connections.set(worker.connections.get() + u64::from(reply.stamps.connect.new));
    Attempt {
        number,
        stamps: reply.stamps,
        ending: true_ending(step, reply, proxy),
        sent: reply.sent,
        proxy,
        asked_to_wait: reply.head.as_ref().and_then(|head| wire::retry_after(&head.headers)),
        waited,
    }
}

/// What the proxy did to an attempt that it never saw: where a rule has it refuse connections, that was it.
fn refused<R: Recorder>(worker: &Worker<R>, attempt: AttemptNumber, reply: &Reply) -> Option<ProxyNote> {
    let faults = &worker.plan.faults;
    let rule = match reply.ending {
        Ending::Failed(Failure::Refused) => faults.refusing_between(reply.stamps.started_at, worker.timer.clock().now()),
        _ => None,
    };
    rule.map(|rule| ProxyNote { attempt, rule: Some(rule), forwarded: false, failure: None, upstream: None })
}

/// How the attempt ended: where the proxy's own attempt failed, what we saw is its mirror image; and a stream that
/// stops without its terminator was cut, however orderly the connection ended.
fn true_ending(step: &Step, reply: &Reply, proxy: Option<ProxyNote>) -> Ending {
    let unterminated = || match (reply.stream, &step.stream) {
        (Some(stream), Some(rule)) => rule.done.is_some() && !stream.terminated,
        _ => false,
    };
    match (reply.ending, proxy.and_then(|note| note.failure)) {
        (Ending::Failed(Failure::BodyCutShort { received, .. }), Some(Failure::BodyCutShort { reset, .. })) => {
            Ending::Failed(Failure::BodyCutShort { received, reset })
        }
        (Ending::Failed(_), Some(failure)) => Ending::Failed(failure),
        (Ending::Answered(status), _) if expected(&step.expect, status) && unterminated() => {
            Ending::Failed(Failure::BodyCutShort { received: reply.body_bytes, reset: false })
        }
        (seen, _) => seen,
    }
}

/// Holds the answer to the contract and tells the recorder; every answer, none sampled.
#[expect(clippy::too_many_arguments, reason = "the facts of one answer, which no type groups otherwise")]
fn judge<R: Recorder>(
    worker: &Worker<R>,
    id: &ExchangeId,
    stage: StageIx,
    attempt: &Attempt,
    step: &Step,
    request: &Request<'_>,
    reply: &Reply,
    events: Option<StreamJudge<'_>>,
    body: &[u8],
) {
    let facts = RequestFacts {
        method: &step.method,
        path: request.path.path(),
        query: request.path.query(),
        headers: &request.headers,
        body: &request.body,
    };
    let clock = worker.timer.clock();
    let response = reply.head.as_ref().map(|head| ResponseFacts {
        status: head.status,
        headers: &head.headers,
        body,
        body_complete: reply.body_complete,
        body_bytes: reply.body_bytes,
        received_at_unix_us: clock.unix_us(head.at),
        // From the moment a connection was ready: our own queue is no part of their clock's tolerance.
        round_trip: head.at.since(reply.stamps.ready_at.unwrap_or(reply.stamps.started_at)),
    });
    let injected = attempt.proxy.and_then(|note| note.rule);
    let mut judged = worker.plan.contract.as_ref().map(|used| match (reply.ending, &response) {
        (Ending::Answered(_), Some(response)) => used.contract.check(&used.terms, &facts, response),
        (Ending::Failed(failure), _) => Judged {
            service: used.contract.service_for(&facts),
            violations: used.contract.check_failure(&used.terms, &facts, failure),
            ..Judged::default()
        },
        _ => Judged::default(),
    });
    if let (Some(events), Some(rule), Some(stream), Some(judged)) = (events, &step.stream, &reply.stream, &mut judged) {
        events.finish(rule, stream, reply.ending, judged);
    }
    worker.recorder.borrow_mut().answered(&Answered {
        exchange: id,
        stage,
        attempt: attempt.number,
        at: reply.stamps.ended_at,
        ending: attempt.ending,
        request: &facts,
        response: response.as_ref(),
        judged: judged.as_ref(),
        injected,
    });
}

/// How the exchange came out if this attempt was its last.
fn outcome_of(step: &Step, ending: Ending) -> Outcome {
    match ending {
        Ending::Answered(status) if expected(&step.expect, status) => Outcome::Ok,
        Ending::Answered(status) => Outcome::ErrorAnswer(status),
        Ending::Failed(failure) if failure.is_timeout() => Outcome::TimedOut,
        Ending::Failed(failure) => Outcome::Failed(failure),
        Ending::Unfinished => Outcome::InFlightAtEnd,
    }
}

fn expected(ranges: &[StatusRange], status: u16) -> bool {
    ranges.iter().any(|range| (range.first..=range.last).contains(&status))
}

/// What the policy says after this attempt.
fn after<R: Recorder>(
    worker: &Worker<R>,
    policy: Option<&RetryPolicy>,
    id: &ExchangeId,
    attempt: &Attempt,
    step: &Step,
    request: &Request<'_>,
) -> Decision {
    let Some(policy) = policy else { return Decision::Stop(StopReason::NotRetryable) };
    let clock = worker.timer.clock();
    policy.after(&Situation {
        attempt: attempt.number,
        ending: attempt.ending,
        method: &step.method,
        has_idempotency_key: policy.idempotency_header.as_ref().is_some_and(|name| request.headers.contains_key(name)),
        hint: attempt.asked_to_wait,
        now_unix_us: clock.unix_us(clock.now()),
        previous_wait: attempt.waited,
        draw: worker.plan.seed.draw("jitter").with(id.arrival).with(u64::from(id.step.0)).with(u64::from(attempt.number.0)),
    })
}
