//! Which attempts serve the same logical request, judged from the outside.
//!
//! Our own generator says which attempt of which exchange a request is. A client that is not ours says so at best
//! in headers meant for somebody else, and most say nothing: then a request that looks the same as one that failed
//! shortly before is taken for its repetition. A [`Lineage`] keeps the exchanges that may still see another
//! attempt, in bounded memory, and tells of every attempt which exchange it belongs to, by what it was recognised,
//! and how sure that is.
//!
//! The order of evidence: a header that the plan's author names; `Idempotency-Key` with method and route;
//! `amz-sdk-invocation-id`; `gccl-invocation-id`; `x-ms-client-request-id`; the retry count of `x-stainless-…` with
//! the fingerprint; the fingerprint in a window after a failure, narrowed by `X-Request-ID` once that was seen to
//! stay the same over a retry, and by the trace of `traceparent`. A connection alone proves nothing.
//!
//! It does no I/O and reads no clock: moments are told to it.

pub mod digest;
mod evidence;
mod route;

use std::collections::{HashMap, VecDeque};

use http::{HeaderMap, HeaderName, Method};

use crate::id::AttemptNumber;
use crate::units::{Micros, Offset};
pub use evidence::{Basis, Confidence};
use evidence::{Evidence, read};
pub use route::{MOST_ROUTES, Route, RouteIx, Routes};

/// Exchanges kept open at most while no attempt of theirs is under way; beyond, the one that was quiet for longest is taken to
/// be over. Those under way are never closed: there are as many as the client has requests open.
pub const MOST_OPEN: usize = 4_096;
/// How long an exchange that the client names itself is waited for after a failed attempt, at least.
const NAMED_WITHIN: Micros = Micros::from_secs(600);
/// Exchanges looked at for one request at most.
const MOST_ALIKE: usize = 256;

/// How attempts of one logical request are recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identify {
    /// Headers whose value the author knows to be constant over the attempts of an exchange and different between
    /// exchanges, in order; where there are any, no other header is believed.
    pub headers: Vec<HeaderName>,
    /// Whether requests that look the same, soon after a failure, count as attempts of one exchange.
    pub fingerprint: bool,
    /// How long after a failed attempt its repetition is expected, where nothing else is known.
    pub within: Micros,
}

impl Default for Identify {
    fn default() -> Identify {
        Identify { headers: Vec::new(), fingerprint: true, within: Micros::from_secs(35) }
    }
}

/// One attempt as it comes, before anything is done.
#[derive(Clone, Copy, Debug)]
pub struct Sighted<'a> {
    pub at: Offset,
    pub method: &'a Method,
    /// Host and port as asked for; empty where the request names none.
    pub authority: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    /// [`digest::body`] of the body, or of its beginning and its length.
    pub body: u64,
    /// The client's connection.
    pub connection: u64,
}

/// An exchange that is open, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExchangeRef {
    /// Its place among those that are open, the lowest that are free; given to another once it is closed.
    pub place: u32,
    /// Its number over the session, from 0.
    pub number: u64,
}

/// What an attempt was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    pub exchange: ExchangeRef,
    pub attempt: AttemptNumber,
    pub route: RouteIx,
    /// The same in every session for the same method and path.
    pub route_key: u64,
    /// The number of the exchange among those of its route, from 0.
    pub ordinal: u64,
    /// A number of the identifier that the client itself gives, where it gives one.
    pub stated: Option<u64>,
    pub basis: Basis,
    pub confidence: Confidence,
    /// Several exchanges could have been meant; counts hold all the same, gaps do not.
    pub ambiguous: bool,
    /// The client names the exchange as before, and sends another body.
    pub changed: bool,
}

/// How an attempt came out, as far as it matters for what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// The exchange has what it wanted.
    Well,
    /// It failed in a way that clients repeat: 408, 409, 425, 429, 5xx, or no complete answer.
    Badly,
    /// It was refused in a way that a repetition does not mend.
    Refused,
}

impl Came {
    /// By the status of a complete answer; `None` where there was none.
    pub const fn of(status: Option<u16>) -> Came {
        match status {
            Some(100..=399) => Came::Well,
            Some(408 | 409 | 425 | 429 | 500..) | None => Came::Badly,
            Some(_) => Came::Refused,
        }
    }
}

/// The exchanges of a session that may see another attempt.
#[derive(Debug)]
pub struct Lineage {
    identify: Identify,
    routes: Routes,
    open: Vec<Option<Open>>,
    free: Vec<u32>,
    /// The exchange of this key that began last.
    latest: HashMap<u64, u32>,
    /// Open exchanges that have an attempt under way.
    busy: usize,
    exchanges: u64,
    /// Open exchanges of which no attempt is under way: those that another may belong to.
    waiting: usize,
    /// How often a request id stayed the same over a retry known by other evidence, and how often it did not.
    request_ids: (u64, u64),
    closed: VecDeque<ExchangeRef>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    number: u64,
    evidence: Evidence,
    route: RouteIx,
    route_key: u64,
    ordinal: u64,
    attempts: u32,
    under_way: u32,
    /// No more attempts join it: it is over with those under way.
    sealed: bool,
    body: u64,
    connection: u64,
    /// Of the attempt that came last.
    seen_at: Offset,
    ended_at: Offset,
    came: Option<Came>,
    gap: Micros,
    hint: Micros,
    /// The one before it with the same key, and the one after it.
    before: Option<u32>,
    after: Option<u32>,
}

impl Lineage {
    /// No exchange yet.
    pub fn new(identify: Identify) -> Lineage {
        Lineage {
            identify,
            routes: Routes::default(),
            open: Vec::new(),
            free: Vec::new(),
            latest: HashMap::new(),
            busy: 0,
            exchanges: 0,
            request_ids: (0, 0),
            closed: VecDeque::new(),
            waiting: 0,
        }
    }

    /// Which exchange an attempt belongs to; it is under way until [`Lineage::ended`] is told.
    pub fn join(&mut self, seen: &Sighted<'_>) -> Joined {
        let route = self.routes.of(seen.method, seen.path);
        let evidence = read(seen, &self.identify, u64::from(route.0));
        let found = if evidence.basis.is_id() { self.named(&evidence) } else { self.alike(seen, &evidence) };
        let (place, basis, confidence, ambiguous) = match found {
            Some(Found { place, basis, confidence, ambiguous }) => (place, basis, confidence, ambiguous),
            None => {
                let sure = if evidence.basis.is_id() { Confidence::Exact } else { Confidence::High };
                (self.begin(seen, evidence, route), evidence.basis, sure, false)
            }
        };
        let known = self.request_ids;
        let open = self.open[place as usize].as_mut().expect("what was found or begun is open");
        let retry = open.attempts > 0;
        if retry && !matches!(basis, Basis::RequestId) {
            self.request_ids = match (open.evidence.request_id, evidence.request_id) {
                (Some(before), Some(now)) if before == now => (known.0 + 1, known.1),
                (Some(_), Some(_)) => (known.0, known.1 + 1),
                _ => known,
            };
        }
        let changed = retry && open.body != seen.body;
        open.attempts = open.attempts.saturating_add(1);
        if retry && open.under_way == 0 {
            self.waiting -= 1;
        }
        open.under_way += 1;
        self.busy += usize::from(open.under_way == 1);
        if retry && open.under_way == 1 {
            open.gap = seen.at.since(open.ended_at);
        }
        open.evidence = Evidence { stated: open.evidence.stated, key: open.evidence.key, ..evidence };
        (open.seen_at, open.connection, open.body) = (seen.at, seen.connection, seen.body);
        Joined {
            exchange: ExchangeRef { place, number: open.number },
            attempt: AttemptNumber(open.attempts),
            route: open.route,
            route_key: open.route_key,
            ordinal: open.ordinal,
            stated: open.evidence.stated,
            basis,
            confidence,
            ambiguous,
            changed,
        }
    }

    /// An attempt has ended; the exchange with it, where it has what it wanted. `hint` is how long the client was
    /// asked to wait.
    pub fn ended(&mut self, exchange: ExchangeRef, at: Offset, came: Came, hint: Option<Micros>) {
        let Some(open) = self.open.get_mut(exchange.place as usize).and_then(Option::as_mut) else { return };
        if open.number != exchange.number {
            return;
        }
        if open.under_way == 1 {
            self.waiting += 1;
        }
        self.busy -= usize::from(open.under_way == 1);
        open.under_way = open.under_way.saturating_sub(1);
        (open.ended_at, open.hint) = (open.ended_at.max(at), hint.unwrap_or_default());
        if open.came != Some(Came::Well) {
            open.came = Some(came);
        }
        let over = open.sealed || open.came == Some(Came::Well) || open.evidence.basis == Basis::Alone;
        if over && open.under_way == 0 {
            self.shut(exchange.place);
        }
    }

    /// Closes exchanges for which no attempt came in time.
    pub fn expire(&mut self, now: Offset) {
        for place in 0..self.open.len() {
            if self.open[place].as_ref().is_some_and(|open| open.under_way == 0 && now.since(open.ended_at) > self.window(open)) {
                self.shut(place as u32);
            }
        }
    }

    /// Closes everything: the session is over. Those under way when it ended are closed too.
    pub fn close_all(&mut self) {
        for place in 0..self.open.len() {
            if self.open[place].is_some() {
                self.shut(place as u32);
            }
        }
    }

    /// Closes one exchange: nothing that comes belongs to it any more. Where attempts of it are under way, it is over with
    /// the last of them.
    pub fn close(&mut self, exchange: ExchangeRef) {
        let open = self.open.get_mut(exchange.place as usize).and_then(Option::as_mut);
        let Some(open) = open.filter(|open| open.number == exchange.number && !open.sealed) else { return };
        if open.under_way == 0 {
            return self.shut(exchange.place);
        }
        open.sealed = true;
        let (key, before, after) = (open.evidence.key, open.before.take(), open.after.take());
        self.unlink(key, before, after);
    }

    /// The exchange that was closed first of those that this has not told yet.
    pub fn next_closed(&mut self) -> Option<ExchangeRef> {
        self.closed.pop_front()
    }

    /// The routes seen so far.
    pub fn routes(&self) -> &[Route] {
        self.routes.all()
    }

    /// Exchanges that are open now.
    pub fn open(&self) -> usize {
        self.open.len() - self.free.len()
    }

    /// The exchange that the client itself names. Whether its last attempt failed does not matter: several at once are
    /// hedges.
    fn named(&self, evidence: &Evidence) -> Option<Found> {
        let (place, open) = self.chain(evidence.key).find(|(_, open)| open.evidence.basis == evidence.basis)?;
        let counted = evidence.index.is_none_or(|index| index == open.attempts);
        let confidence = if counted { Confidence::Exact } else { Confidence::High };
        Some(Found { place, basis: evidence.basis, confidence, ambiguous: false })
    }

    /// The exchange that failed shortly before and looks the same: the oldest of them.
    fn alike(&self, seen: &Sighted<'_>, evidence: &Evidence) -> Option<Found> {
        if evidence.basis == Basis::Alone || evidence.index == Some(0) || self.waiting == 0 {
            return None;
        }
        let id_stays = self.request_ids.0 > 0 && self.request_ids.1 == 0;
        let mut found: Option<(u32, &Open)> = None;
        let (mut fitting, mut under_way) = (0, false);
        for (place, open) in self.chain(evidence.key) {
            under_way |= open.under_way > 0;
            let failed = matches!(open.came, Some(Came::Badly | Came::Refused));
            let in_time = seen.at.since(open.ended_at) <= self.window(open);
            let counted = evidence.index.is_none_or(|index| open.evidence.index.is_none_or(|before| before + 1 == index));
            let same_id = !id_stays || open.evidence.request_id == evidence.request_id;
            if open.under_way > 0 || !failed || !in_time || !counted || !same_id {
                continue;
            }
            fitting += 1;
            // The chain runs from the latest to the oldest; one of the same trace goes before any other.
            let same_trace = |open: &Open| evidence.trace.is_some() && open.evidence.trace == evidence.trace;
            if found.is_none_or(|(_, best)| same_trace(open) || !same_trace(best)) {
                found = Some((place, open));
            }
        }
        let (place, open) = found?;
        let ambiguous = fitting > 1 || under_way;
        let told = evidence.index.is_some() && open.evidence.index.is_some();
        let by_id = id_stays && evidence.request_id.is_some();
        let basis = match (told, by_id) {
            (true, _) => Basis::RetryCount,
            (_, true) => Basis::RequestId,
            _ => Basis::Fingerprint,
        };
        let near = open.connection == seen.connection || (evidence.trace.is_some() && open.evidence.trace == evidence.trace);
        let confidence = match basis {
            _ if ambiguous && !by_id => Confidence::Low,
            Basis::RetryCount | Basis::RequestId => Confidence::High,
            _ if open.came == Some(Came::Refused) => Confidence::Low,
            _ if near => Confidence::High,
            _ => Confidence::Medium,
        };
        Some(Found { place, basis, confidence, ambiguous })
    }

    /// How long after its last attempt another one still belongs to it.
    fn window(&self, open: &Open) -> Micros {
        let least = if open.evidence.basis.is_id() { NAMED_WITHIN } else { Micros::ZERO };
        let twice = |span: Micros| Micros(span.0.saturating_mul(2));
        self.identify.within.max(twice(open.hint)).max(twice(twice(open.gap))).max(least)
    }

    /// The open exchanges of a key, the latest first.
    fn chain(&self, key: u64) -> impl Iterator<Item = (u32, &Open)> {
        let step = |place: u32| self.open.get(place as usize).and_then(Option::as_ref).map(|open| (place, open));
        std::iter::successors(self.latest.get(&key).and_then(|place| step(*place)), move |(_, open)| open.before.and_then(step))
            .take(MOST_ALIKE)
    }

    fn begin(&mut self, seen: &Sighted<'_>, evidence: Evidence, route: RouteIx) -> u32 {
        let place = self.room();
        let (ordinal, route_key) = self.routes.begin(route);
        let before = self.latest.insert(evidence.key, place);
        self.open[place as usize] = Some(Open {
            number: self.exchanges,
            evidence,
            route,
            route_key,
            ordinal,
            attempts: 0,
            under_way: 0,
            sealed: false,
            body: seen.body,
            connection: seen.connection,
            seen_at: seen.at,
            ended_at: seen.at,
            came: None,
            gap: Micros::ZERO,
            hint: Micros::ZERO,
            before,
            after: None,
        });
        if let Some(before) = before.and_then(|before| self.open[before as usize].as_mut()) {
            before.after = Some(place);
        }
        self.exchanges += 1;
        place
    }

    /// A place for one more.
    fn room(&mut self) -> u32 {
        if self.open() >= MOST_OPEN && self.busy < self.open() {
            self.make_room();
        }
        self.free.pop().unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() as u32 - 1
        })
    }

    /// Closes those that were quiet for longest, several at once, so that not every request has to look for one.
    fn make_room(&mut self) {
        let idle = |open: &&Open| open.under_way == 0;
        let of = |(place, open): (usize, &Option<Open>)| open.as_ref().filter(idle).map(|open| (open.seen_at, place as u32));
        let mut quiet: Vec<_> = self.open.iter().enumerate().filter_map(of).collect();
        quiet.sort_unstable();
        for (_, place) in quiet.into_iter().take(MOST_OPEN / 16) {
            self.shut(place);
        }
    }

    fn shut(&mut self, place: u32) {
        let Some(open) = self.open[place as usize].take() else { return };
        self.free.push(place);
        self.closed.push_back(ExchangeRef { place, number: open.number });
        if open.under_way == 0 {
            self.waiting -= 1;
        } else {
            self.busy -= 1;
        }
        if !open.sealed {
            self.unlink(open.evidence.key, open.before, open.after);
        }
    }

    /// Takes an exchange out of the chain of its key, in which it has these neighbours.
    fn unlink(&mut self, key: u64, before: Option<u32>, after: Option<u32>) {
        let at = |place: Option<u32>| place.map(|place| place as usize);
        if let Some(before) = at(before).and_then(|before| self.open[before].as_mut()) {
            before.after = after;
        }
        match (at(after).and_then(|after| self.open[after].as_mut()), before) {
            (Some(after), before) => after.before = before,
            (None, Some(before)) => {
                self.latest.insert(key, before);
            }
            (None, None) => {
                self.latest.remove(&key);
            }
        }
    }
}

/// An exchange that an attempt was found to belong to.
struct Found {
    place: u32,
    basis: Basis,
    confidence: Confidence,
    ambiguous: bool,
}

#[cfg(test)]
mod tests;
