//! A session with a client that is not ours: which exchange each of its requests belongs to, and what became of it.
//!
//! The plan's own generator says of every request which attempt of which exchange it is; of a stranger's, a
//! [`Lineage`] has to find out. From then on both are treated alike: rules decide about them, the board is noted.
//! What the generator would tell the recorder of its own attempts, the session tells from where the proxy stands.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header, request};
use serde_json::{Value, json};

use super::api::ApiSettings;
use super::attempt::Proxy;
use super::control::{Control, Told};
use super::identity::Identity;
use crate::contract::Judged;
use crate::fault::{FaultRule, Level};
use crate::id::{AttemptNumber, ExchangeId, ScenarioIx, StageIx, StepIx};
use crate::lineage::{Basis, Came, Identify, Joined, Lineage, Sighted, digest};
use crate::record::{Answered, Attempt, Exchange, KEPT_ATTEMPTS, Observed, Outcome, Recorder, SessionTally};
use crate::units::{Micros, Offset};
use crate::wire::{self, Ending, Failure, Phase, RequestFacts, ResponseFacts, RetryAfter, Stamps};

/// Attempts under way that have a place on the board; those beyond are not noted.
pub const PLACES: usize = 16_384;
/// Attempts of one exchange that are kept until it ends; then it is taken to be another.
const MOST_ATTEMPTS: usize = 500;
/// Of a body, as much is kept for checks.
const KEPT_BODY: usize = 1024 * 1024;

/// Told what a session sees, on the proxy's own thread. It is dropped there when the session is over: what it has
/// heard it must have given away by then.
pub trait SessionRecorder: Recorder + Send {
    /// There is one rule more, after all others.
    fn rule_added(&mut self, rule: &FaultRule);
    /// A moment to say elsewhere what there is to show: four a second.
    fn show(&mut self);
}

/// What the proxy needs to know to treat strangers as clients.
pub struct SessionSettings {
    pub identify: Identify,
    /// What their draws depend on, and with that how far they repeat.
    pub repeatable: Level,
    pub recorder: Box<dyn SessionRecorder>,
    /// When each stage begins, the first at the start.
    pub stages: Vec<(String, Offset)>,
    /// Whether a request may name the rule that is to hit it.
    pub select_by_header: bool,
    /// The control API, where there is to be one.
    pub api: Option<ApiSettings>,
}

/// A session at work.
pub(super) struct Session {
    repeatable: Level,
    stages: Vec<(String, Offset)>,
    select_by_header: bool,
    inner: RefCell<Inner>,
    /// Gone once the session is over.
    recorder: RefCell<Option<Box<dyn SessionRecorder>>>,
    /// How far the session is ahead of the clock: it may be told to jump.
    ahead: Cell<i64>,
    /// No more attempts: what is under way now is cut off by us.
    over: Cell<bool>,
}

struct Inner {
    lineage: Lineage,
    /// The open exchanges, by their place in the lineage.
    kept: Vec<Option<Kept>>,
    places: Vec<u32>,
    tally: SessionTally,
    /// The next place of `tally.attempts` to be written, once it is full.
    next: usize,
    recognised: [(u64, u64); Basis::ALL.len()],
}

/// What is kept of an exchange until it ends.
struct Kept {
    number: u64,
    id: ExchangeId,
    stage: StageIx,
    method: Method,
    path: String,
    attempts: Vec<Attempt>,
}

impl Session {
    /// The session, and the control API that it is to have.
    pub(super) fn new(settings: SessionSettings) -> (Session, Option<ApiSettings>) {
        let SessionSettings { identify, repeatable, recorder, stages, select_by_header, api } = settings;
        let inner = Inner {
            lineage: Lineage::new(identify),
            kept: Vec::new(),
            places: (0..PLACES as u32).rev().collect(),
            tally: SessionTally::default(),
            next: 0,
            recognised: Default::default(),
        };
        let session = Session {
            repeatable,
            stages,
            select_by_header,
            inner: RefCell::new(inner),
            recorder: RefCell::new(Some(recorder)),
            ahead: Cell::new(0),
            over: Cell::new(false),
        };
        (session, api)
    }

    /// The moment of the session that a moment of the clock is.
    pub(super) fn moment(&self, at: Offset) -> Offset {
        Offset::micros(at.0.0.saturating_add_signed(self.ahead.get()))
    }

    /// Goes on at the beginning of a stage; false where there is none of this name.
    pub(super) fn jump(&self, stage: &str, now: Offset) -> bool {
        let Some((_, start)) = self.stages.iter().find(|(name, _)| name == stage) else { return false };
        self.ahead.set(start.0.0 as i64 - now.0.0 as i64);
        true
    }

    /// What the session is doing, for the control API.
    pub(super) fn state(&self, now: Offset) -> Value {
        let inner = self.inner.borrow();
        let stage = self.stages.get(self.stage_at(now).at()).map(|(name, _)| name);
        let glance = self.recorder.borrow().as_ref().map(|recorder| recorder.glance()).unwrap_or_default();
        let routes = inner.lineage.routes().iter();
        json!({
            "stage": stage,
            "moment_ms": self.moment(now).as_millis(),
            "connections": inner.tally.connections,
            "exchanges": glance.started,
            "attempts_of_closed_exchanges": glance.attempts,
            "open_exchanges": inner.lineage.open(),
            "client_left": inner.tally.client_left,
            "routes": routes.map(|route| json!({ "route": route.name, "exchanges": route.exchanges })).collect::<Vec<_>>(),
        })
    }

    /// The attempts of an exchange that are kept, for the control API; `None` where none is.
    pub(super) fn exchange(&self, number: u64) -> Option<Value> {
        let inner = self.inner.borrow();
        let mut attempts: Vec<&Observed> = inner.tally.attempts.iter().filter(|seen| seen.exchange == number).collect();
        attempts.sort_by_key(|seen| seen.attempt);
        let first = attempts.first()?;
        let route = inner.lineage.routes().get(usize::from(first.route)).map(|route| &route.name);
        let shown = attempts.iter().map(|seen| {
            json!({
                "attempt": seen.attempt.0,
                "basis": seen.basis.word(),
                "confidence": seen.confidence.word(),
                "head_ms": seen.head_at.as_millis(),
                "ended_ms": seen.ended_at.as_millis(),
                "status": seen.ending.status(),
                "forwarded": seen.forwarded,
                "rule": seen.rule.map(|rule| rule.0),
                "client_left": seen.client_left,
            })
        });
        Some(json!({ "exchange": number, "route": route, "attempts": shown.collect::<Vec<_>>() }))
    }

    /// Whether requests may name the rule that is to hit them.
    pub(super) fn takes_orders(&self) -> bool {
        self.select_by_header
    }

    /// Closes exchanges for which no attempt came in time.
    pub(super) fn look_after(&self, now: Offset) {
        let mut inner = self.inner.borrow_mut();
        inner.lineage.expire(now);
        self.tell_closed(&mut inner);
    }

    /// No more attempts are told apart from those that we cut off.
    pub(super) fn ending(&self) {
        self.over.set(true);
    }

    /// Closes all exchanges; what the session came to.
    pub(super) fn finish(&self) -> SessionTally {
        let mut inner = self.inner.borrow_mut();
        inner.lineage.close_all();
        self.tell_closed(&mut inner);
        let all = Basis::ALL.into_iter().zip(inner.recognised);
        inner.tally.recognised = all.map(|(basis, (first, retries))| (basis, first, retries)).filter(|(_, a, b)| a + b > 0).collect();
        inner.tally.routes = inner.lineage.routes().iter().map(|route| (route.name.clone(), route.exchanges)).collect();
        // Whoever was told has heard everything.
        drop(self.recorder.take());
        let mut tally = std::mem::take(&mut inner.tally);
        let oldest = if tally.attempts.len() == KEPT_ATTEMPTS { inner.next } else { 0 };
        tally.attempts.rotate_left(oldest);
        tally
    }

    /// Whoever is told; nobody once the session is over.
    fn recorder(&self) -> Option<RefMut<'_, Box<dyn SessionRecorder>>> {
        RefMut::filter_map(self.recorder.borrow_mut(), Option::as_mut).ok()
    }

    /// There is one rule more.
    pub(super) fn rule_added(&self, rule: &FaultRule) {
        if let Some(mut recorder) = self.recorder() {
            recorder.rule_added(rule);
        }
    }

    /// A moment to show what there is.
    pub(super) fn show(&self) {
        if let Some(mut recorder) = self.recorder() {
            recorder.show();
        }
    }

    fn stage_at(&self, at: Offset) -> StageIx {
        let later = self.stages.partition_point(|(_, start)| *start <= self.moment(at));
        StageIx::from(later.saturating_sub(1))
    }

    /// What the draws about an exchange are made of.
    fn drawn_by(&self, joined: &Joined) -> u64 {
        match (self.repeatable, joined.stated) {
            (Level::Exact, Some(stated)) => stated,
            (Level::Exact | Level::Ordinal, _) => joined.ordinal,
            (Level::Realtime, _) => joined.exchange.number,
        }
    }

    /// Finds out which attempt of which exchange a request is. It is under way until what is returned is dropped.
    pub(super) fn meet(&self, proxy: &Rc<Proxy>, control: &Control, head: &request::Parts, begun: Begun) -> Met {
        let now = proxy.timer.clock().now();
        let (connection, connection_new) = control.number_of_request();
        let content_type = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let body = digest::body(content_type, &begun.body);
        let authority = match head.headers.get(header::HOST) {
            Some(host) => host.to_str().unwrap_or_default(),
            None => head.uri.authority().map_or("", |authority| authority.as_str()),
        };
        let mut inner = self.inner.borrow_mut();
        let joined = inner.lineage.join(&Sighted {
            at: begun.head_at,
            method: &head.method,
            authority,
            path: head.uri.path(),
            query: head.uri.query(),
            headers: &head.headers,
            body,
            connection,
        });
        // Joining may have closed another exchange to make room.
        self.tell_closed(&mut inner);
        let id = ExchangeId {
            arrival: joined.exchange.number,
            ordinal: joined.ordinal,
            scenario: ScenarioIx(joined.route.0),
            step: StepIx(0),
            scheduled_at: begun.head_at,
            slot: joined.exchange.place,
        };
        let first = joined.attempt == AttemptNumber::FIRST;
        inner.count(&joined, first, connection_new);
        if first {
            let stage = self.stage_at(begun.head_at);
            inner.keep_open(
                joined.exchange.place,
                Kept {
                    number: joined.exchange.number,
                    id,
                    stage,
                    method: head.method.clone(),
                    path: head.uri.path().to_owned(),
                    attempts: Vec::with_capacity(1),
                },
            );
            if let Some(mut recorder) = self.recorder() {
                recorder.started(stage, begun.head_at, begun.head_at);
            }
        }
        let place = inner.places.pop();
        // The board and the draws know the exchange by what is the same in every session.
        let route = joined.route_key;
        let noted = ExchangeId {
            arrival: self.drawn_by(&joined),
            scenario: ScenarioIx((route ^ route >> 16 ^ route >> 32 ^ route >> 48) as u16),
            slot: place.unwrap_or(u32::MAX),
            ..id
        };
        proxy.settings.board.claim(&noted);
        Met {
            proxy: Rc::clone(proxy),
            identity: Identity { exchange: noted, attempt: joined.attempt, overall: joined.exchange.number },
            joined,
            place,
            request: Asked { method: head.method.clone(), uri: head.uri.clone(), headers: head.headers.clone(), body: begun.body },
            digest: body,
            head_at: begun.head_at,
            request_end_at: now,
            connection,
            connection_new,
            answer: None,
            ending: None,
            ended_at: None,
        }
    }

    fn ended(&self, proxy: &Proxy, met: &mut Met) {
        let clock = proxy.timer.clock();
        let ended_at = met.ended_at.unwrap_or_else(|| clock.now());
        let note = met.place.and_then(|place| proxy.settings.board.read(place, met.joined.attempt));
        let cut_by_us = self.over.get() && met.ending.is_none();
        let client_left = met.ending.is_none() && !cut_by_us;
        let ending = match (met.ending, note.and_then(|note| note.failure)) {
            (Some(Ending::Failed(_)), Some(failure)) => Ending::Failed(failure),
            (Some(ending), _) => ending,
            (None, _) if cut_by_us => Ending::Unfinished,
            (None, _) => Ending::Failed(Failure::TimedOut(if met.answer.is_some() { Phase::Total } else { Phase::FirstByte })),
        };
        let hint = met.answer.as_ref().and_then(|answer| wire::retry_after(&answer.headers));
        let ended_unix_us = clock.unix_us(ended_at);
        let attempt = Attempt {
            number: met.joined.attempt,
            stamps: Stamps {
                started_at: met.head_at,
                ready_at: Some(met.head_at),
                first_byte_at: met.answer.as_ref().map(|answer| answer.at),
                ended_at,
                ..Stamps::default()
            },
            ending,
            sent: true,
            proxy: note,
            asked_to_wait: hint,
            waited: None,
        };
        let mut inner = self.inner.borrow_mut();
        if let Some(place) = met.place {
            inner.places.push(place);
        }
        inner.tally.client_left += u64::from(client_left);
        let observed = Observed {
            exchange: met.joined.exchange.number,
            attempt: met.joined.attempt,
            basis: met.joined.basis,
            confidence: met.joined.confidence,
            ambiguous: met.joined.ambiguous,
            changed: met.joined.changed,
            route: met.joined.route.0,
            ordinal: met.joined.ordinal,
            connection: met.connection,
            connection_new: met.connection_new,
            method: met.request.method.clone(),
            body: met.digest,
            head_at: met.head_at,
            request_end_at: met.request_end_at,
            answer_at: met.answer.as_ref().map(|answer| answer.at),
            ended_at,
            ended_unix_us,
            ending,
            client_left,
            rule: note.and_then(|note| note.rule),
            forwarded: note.is_some_and(|note| note.forwarded),
            upstream: note.and_then(|note| note.upstream),
            hint,
        };
        let place = met.joined.exchange.place as usize;
        let kept = inner.kept[place].as_mut().filter(|kept| kept.number == met.joined.exchange.number);
        // The lineage closes none that has an attempt under way; all are closed at the end alone.
        let Some(kept) = kept else { return inner.keep(observed) };
        self.judge(proxy, kept, met, &attempt);
        if let Some(mut recorder) = self.recorder() {
            recorder.observed(&observed);
        }
        kept.attempts.push(attempt);
        let full = kept.attempts.len() == MOST_ATTEMPTS;
        inner.keep(observed);
        let wait = hint.map(|hint| match hint {
            RetryAfter::Delay(wait) => wait,
            RetryAfter::Date(at) => Micros(u64::try_from(at - ended_unix_us).unwrap_or(0)),
        });
        inner.lineage.ended(met.joined.exchange, ended_at, Came::of(ending.status()), wait);
        if full {
            inner.tally.split += 1;
            inner.lineage.close(met.joined.exchange);
        }
        self.tell_closed(&mut inner);
    }

    /// Holds the answer to the contract and tells the recorder, as the generator does of its own.
    fn judge(&self, proxy: &Proxy, kept: &Kept, met: &Met, attempt: &Attempt) {
        let request = RequestFacts {
            method: &met.request.method,
            path: met.request.uri.path(),
            query: met.request.uri.query(),
            headers: &met.request.headers,
            body: &met.request.body,
        };
        let whole: Vec<u8>;
        let body: &[u8] = match met.answer.as_ref().map(|answer| &answer.body[..]) {
            None | Some([]) => &[],
            Some([one]) => one,
            Some(many) => {
                whole = many.concat();
                &whole
            }
        };
        let clock = proxy.timer.clock();
        let response = met.answer.as_ref().map(|answer| ResponseFacts {
            status: answer.status,
            headers: &answer.headers,
            body,
            body_complete: matches!(attempt.ending, Ending::Answered(_)) && body.len() as u64 == answer.passed,
            body_bytes: answer.passed,
            received_at_unix_us: clock.unix_us(answer.at),
            round_trip: answer.at.since(met.head_at),
        });
        let judged = proxy.settings.contract.as_ref().map(|(contract, terms)| match (attempt.ending, &response) {
            (Ending::Answered(_), Some(response)) => contract.check(terms, &request, response),
            (Ending::Failed(failure), _) if !failure.is_timeout() => Judged {
                service: contract.service_for(&request),
                violations: contract.check_failure(terms, &request, failure),
                ..Judged::default()
            },
            _ => Judged::default(),
        });
        let Some(mut recorder) = self.recorder() else { return };
        recorder.answered(&Answered {
            exchange: &kept.id,
            stage: kept.stage,
            attempt: attempt.number,
            at: attempt.stamps.ended_at,
            ending: attempt.ending,
            request: &request,
            response: response.as_ref(),
            judged: judged.as_ref(),
            injected: attempt.proxy.and_then(|note| note.rule),
        });
    }

    fn tell_closed(&self, inner: &mut Inner) {
        while let Some(exchange) = inner.lineage.next_closed() {
            let kept = &mut inner.kept[exchange.place as usize];
            let Some(kept) = kept.take_if(|kept| kept.number == exchange.number) else { continue };
            let mut attempts = kept.attempts;
            attempts.sort_by_key(|attempt| attempt.number);
            let last = attempts.last().map(|attempt| attempt.ending);
            let outcome = attempts.iter().find_map(|attempt| ok(attempt.ending)).unwrap_or_else(|| outcome_of(last));
            let ended_at = attempts.iter().map(|attempt| attempt.stamps.ended_at).max().unwrap_or(kept.id.scheduled_at);
            let Some(mut recorder) = self.recorder() else { return };
            recorder.exchange(&Exchange {
                id: kept.id,
                stage: kept.stage,
                policy: None,
                path: &kept.path,
                method: &kept.method,
                outcome,
                ended_at,
                attempts: &attempts,
                skipped_steps: 0,
                stream: None,
                budget_refused: false,
            });
            recorder.session(kept.stage, kept.id.scheduled_at, ended_at, outcome == Outcome::Ok);
        }
    }
}

fn ok(ending: Ending) -> Option<Outcome> {
    matches!(Came::of(ending.status()), Came::Well).then_some(Outcome::Ok)
}

fn outcome_of(last: Option<Ending>) -> Outcome {
    match last {
        Some(Ending::Answered(status)) => Outcome::ErrorAnswer(status),
        Some(Ending::Failed(failure)) if failure.is_timeout() => Outcome::TimedOut,
        Some(Ending::Failed(failure)) => Outcome::Failed(failure),
        Some(Ending::Unfinished) | None => Outcome::InFlightAtEnd,
    }
}

impl Inner {
    fn count(&mut self, joined: &Joined, first: bool, connection_new: bool) {
        let of = Basis::ALL.iter().position(|basis| *basis == joined.basis).map(|index| &mut self.recognised[index]);
        if let Some((firsts, retries)) = of {
            *if first { firsts } else { retries } += 1;
        }
        self.tally.connections += u64::from(connection_new);
        if !first {
            self.tally.ambiguous += u64::from(joined.ambiguous);
            self.tally.changed += u64::from(joined.changed);
            self.tally.confidence[joined.confidence as usize] += 1;
        }
    }

    /// Keeps an exchange that begins.
    fn keep_open(&mut self, place: u32, exchange: Kept) {
        let place = place as usize;
        if place >= self.kept.len() {
            self.kept.resize_with(place + 1, || None);
        }
        self.kept[place] = Some(exchange);
    }

    /// Keeps an attempt, in place of the oldest where there is no more room.
    fn keep(&mut self, observed: Observed) {
        if self.tally.attempts.len() < KEPT_ATTEMPTS {
            self.tally.attempts.push(observed);
        } else {
            self.tally.attempts[self.next] = observed;
            self.next = (self.next + 1) % KEPT_ATTEMPTS;
        }
    }
}

/// A request whose body has been looked at.
pub(super) struct Begun {
    pub(super) head_at: Offset,
    /// The beginning of its body.
    pub(super) body: Bytes,
}

/// A stranger's attempt under way; dropped, it is over.
pub(super) struct Met {
    proxy: Rc<Proxy>,
    /// What the board and the rules know it by.
    pub(super) identity: Identity,
    joined: Joined,
    place: Option<u32>,
    request: Asked,
    digest: u64,
    head_at: Offset,
    request_end_at: Offset,
    connection: u64,
    connection_new: bool,
    answer: Option<Given>,
    /// How it ended; as long as nobody has said so, by the client's leaving.
    ending: Option<Ending>,
    ended_at: Option<Offset>,
}

struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// The answer as it was given to the client.
struct Given {
    status: u16,
    headers: HeaderMap,
    at: Offset,
    body: Vec<Bytes>,
    kept: usize,
    passed: u64,
}

impl Met {
    /// The head of an answer is on its way to the client.
    pub(super) fn answered(&mut self, status: u16, headers: &HeaderMap) {
        let at = self.proxy.timer.clock().now();
        self.answer = Some(Given { status, headers: headers.clone(), at, body: Vec::new(), kept: 0, passed: 0 });
    }

    /// So has a part of its body.
    pub(super) fn passed(&mut self, data: &Bytes) {
        let Some(answer) = &mut self.answer else { return };
        answer.passed += data.len() as u64;
        let room = KEPT_BODY - answer.kept;
        if room > 0 {
            let part = data.slice(..data.len().min(room));
            answer.kept += part.len();
            answer.body.push(part);
        }
    }

    /// Whether as much of the body has passed as its head declares, or as there can be.
    pub(super) fn is_complete(&self) -> bool {
        let Some(answer) = &self.answer else { return false };
        let declared = answer.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let without = self.request.method == Method::HEAD || matches!(answer.status, 100..=199 | 204 | 304);
        without || declared.is_some_and(|declared| answer.passed >= declared)
    }

    /// The answer is complete.
    pub(super) fn complete(&mut self) {
        if let (Some(answer), None) = (&self.answer, self.ending) {
            self.ending = Some(Ending::Answered(answer.status));
            self.ended_at = Some(self.proxy.timer.clock().now());
        }
    }

    /// The connection ends in place of an answer, or inside it. Where that waits for the client, its leaving is the end.
    pub(super) fn cut(&mut self, told: Told) {
        let received = self.answer.as_ref().map_or(0, |answer| answer.passed);
        let inside = self.answer.is_some();
        self.ending = match told {
            Told::Reset if inside => Some(Ending::Failed(Failure::BodyCutShort { received, reset: true })),
            Told::Reset => Some(Ending::Failed(Failure::Reset)),
            Told::Raw if inside => Some(Ending::Failed(Failure::BodyCutShort { received, reset: false })),
            Told::Raw => Some(Ending::Failed(Failure::BadProtocol)),
            Told::Closed if inside => Some(Ending::Failed(Failure::BodyCutShort { received, reset: false })),
            Told::Closed => Some(Ending::Failed(Failure::Closed)),
        };
    }
}

impl Drop for Met {
    fn drop(&mut self) {
        let proxy = Rc::clone(&self.proxy);
        if let Some(session) = &proxy.session
            && !std::thread::panicking()
        {
            session.ended(&proxy, self);
        }
    }
}
