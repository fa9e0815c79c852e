//! One request, from its head to its answer.

use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;
use serde_json::Value as Json;

use super::Api;
use super::answer::{AnswerBody, unharmed};
use super::body::{self, Unread};
use super::facts::{Facts, Shown};
use super::field::{flaws, query_flaws, referred};
use super::limits::Slot;
use super::refusal::{Refusal, Refused};
use super::router::Way;
use super::spoil::spoil;
use super::store::{Item, Store};
use crate::clock::Timer;
use crate::contract::server::{Act, Cost, Mistake, PathItem, Route};
use crate::id::RowIx;
use crate::throttle::Standing;

/// Answers a request, whatever it is: what goes wrong in here is one more documented error.
pub(super) async fn answer(api: &Api, timer: &Timer, request: Request<Incoming>) -> Response<AnswerBody> {
    let number = api.next_request();
    let (head, body) = request.into_parts();
    let mut visit = Visit::new(api, &head, number);
    let answered = unharmed(visit.answer(body, timer)).await;
    answered.unwrap_or_else(|| {
        let refusal = Refusal::new(visit.row(Mistake::Internal));
        visit.finish(refusal.err())
    })
}

/// What is known of a request, more with each step.
pub(super) struct Visit<'v> {
    pub api: &'v Api,
    pub head: &'v Parts,
    /// The number of the request, from 0.
    pub number: u64,
    route: Option<usize>,
    pub user: Option<usize>,
    /// Items by resource and number: those of the path, those that the body refers to.
    pub items: Vec<(usize, u64)>,
    pub body: Option<Json>,
    /// Bytes and media type.
    pub upload: Option<(u64, String)>,
    standing: Option<Standing>,
}

impl<'v> Visit<'v> {
    fn new(api: &'v Api, head: &'v Parts, number: u64) -> Visit<'v> {
        Visit { api, head, number, route: None, user: None, items: Vec::new(), body: None, upload: None, standing: None }
    }

    async fn answer(&mut self, body: Incoming, timer: &Timer) -> Response<AnswerBody> {
        let ready = match self.admit() {
            Ok(route) => self.read(route, body, timer).await.map(|()| route),
            Err(refusal) => {
                body::discard(self.head, body, timer).await;
                Err(refusal)
            }
        };
        if let Some(latency) = self.route().and_then(|route| route.latency).or(self.api.server.latency) {
            timer.sleep(latency.sample(self.api.seed.draw("target latency").with(self.number))).await;
        }
        let outcome = ready.and_then(|route| self.act(route, timer));
        if let Some(delay) = outcome.as_ref().err().and_then(|refusal| refusal.delay) {
            timer.sleep(delay.sample(self.api.seed.draw("target delay").with(self.number))).await;
        }
        self.finish(outcome)
    }

    /// The route, if there is one.
    pub fn route(&self) -> Option<&'v Route> {
        self.route.map(|route| &self.api.server.routes[route])
    }

    /// The row of a mistake, here.
    pub fn row(&self, mistake: Mistake) -> RowIx {
        if let Some(route) = self.route() {
            return route.errors.row(mistake);
        }
        // Requests that reach no route have a service all the same, which may have a row of its own.
        let contract = &self.api.contract;
        let general = contract.row(self.api.server.errors.row(mistake));
        let own = contract.row_of(contract.service_of(self.head.uri.path()), general.status, &general.code);
        own.unwrap_or(self.api.server.errors.row(mistake))
    }

    // === everything that is decided before the body is read ===

    fn admit(&mut self) -> Refused<&'v Route> {
        let api = self.api;
        let mut ids = Vec::new();
        let way = api.router.way(&self.head.method, self.head.uri.path(), &mut ids);
        if let Way::Route(route) = way {
            self.route = Some(route);
        }
        self.user = self.user_of_token();
        self.triggered(true, &api.state.borrow().store)?;
        let Some(route) = self.route() else {
            self.spend(1)?;
            return self.lost(way).err();
        };
        if route.auth && self.user.is_none() {
            return Refusal { challenge: true, ..Refusal::new(self.row(Mistake::Unauthorized)) }.err();
        }
        if let Cost::Units(cost) = route.cost {
            self.spend(cost)?;
        }
        if let Some(role) = route.role.as_ref().filter(|role| !self.has_role(role)) {
            return Refusal { role: Some(role.clone()), ..Refusal::new(self.row(Mistake::Forbidden)) }.err();
        }
        for (item, id) in route.items.iter().zip(ids) {
            let number = self.path_item(*item, id, &api.state.borrow().store)?;
            self.items.push((item.resource, number));
        }
        Ok(route)
    }

    fn lost(&self, way: Way<'_>) -> Refusal {
        match way {
            Way::OtherMethods(ends) if self.api.server.tells_methods => {
                let allow = ends.iter().map(|(method, _)| method.clone()).collect();
                Refusal { allow, ..Refusal::new(self.row(Mistake::Method)) }
            }
            _ => {
                let (resource, id) = (Some("endpoint".to_owned()), Some(self.head.uri.path().to_owned()));
                Refusal { resource, id, ..Refusal::new(self.row(Mistake::NoRoute)) }
            }
        }
    }

    fn user_of_token(&self) -> Option<usize> {
        let auth = self.api.server.auth.as_ref()?;
        let token = auth.token_of(&self.head.headers)?;
        auth.users.iter().position(|user| user.token == token)
    }

    fn has_role(&self, role: &str) -> bool {
        let user = self.user.zip(self.api.server.auth.as_ref()).map(|(user, auth)| &auth.users[user]);
        user.is_some_and(|user| user.roles.iter().any(|own| own == role))
    }

    fn slot(&self) -> Slot {
        Slot { user: self.user, route: self.route }
    }

    fn spend(&mut self, cost: u32) -> Refused<()> {
        let now = self.api.clock.now();
        self.standing = self.api.state.borrow_mut().limiter.take(self.slot(), cost, now);
        match self.standing.filter(|standing| !standing.admitted) {
            None => Ok(()),
            Some(standing) => {
                let limited = Refusal::new(self.row(Mistake::Limited));
                Refusal { retry_after_s: Some(standing.retry_after_s()), ..limited }.err()
            }
        }
    }

    fn path_item(&self, wanted: PathItem, id: &str, store: &Store) -> Refused<u64> {
        let resource = &self.api.server.resources[wanted.resource];
        let enclosing = self.items.iter().find(|(known, _)| resource.within == Some(*known)).map(|(_, number)| *number);
        let found = store.number(wanted.resource, id).and_then(|number| Some((number, store.item(wanted.resource, number)?)));
        match found {
            Some((number, item)) if enclosing.is_none_or(|enclosing| item.parent == enclosing) => match self.may_see(wanted.resource, item)
            {
                true => Ok(number),
                false => Refusal { role: self.overseer().map(str::to_owned), ..Refusal::new(wanted.forbidden) }.err(),
            },
            _ => {
                let words = Refusal { resource: Some(resource.name.clone()), id: Some(id.to_owned()), ..Refusal::default() };
                Refusal { row: wanted.absent, ..words }.err()
            }
        }
    }

    /// Whether the user may see and change an item.
    pub fn may_see(&self, resource: usize, item: &Item) -> bool {
        let mine = self.user.is_some_and(|user| item.owner == user as u32);
        !self.api.server.resources[resource].owned || mine || self.overseer().is_some_and(|role| self.has_role(role))
    }

    fn overseer(&self) -> Option<&'v str> {
        self.api.server.auth.as_ref()?.overseer.as_deref()
    }

    // === the body ===

    async fn read(&mut self, route: &'v Route, body: Incoming, timer: &Timer) -> Refused<()> {
        let limit = route.max_body.unwrap_or(self.api.server.max_body);
        let unread = |why: Unread, visit: &Visit<'_>, limit: crate::units::Size| match why {
            Unread::TooLarge => {
                Refusal::because(visit.row(Mistake::TooLarge), Mistake::TooLarge, "body", &format!("Must be at most {limit}"))
            }
            Unread::BrokenOff => Refusal::because(visit.row(Mistake::Malformed), Mistake::Malformed, "body", "Ends too soon"),
        };
        match &route.act {
            Act::Upload(upload) => {
                let (size, media_type) = body::count(self.head, body, upload.max_size.0, timer)
                    .await
                    .map_err(|why| Box::new(unread(why, self, upload.max_size)))?;
                self.upload = Some((size, media_type));
            }
            Act::Create(_) | Act::Update(_) | Act::Answer { .. } | Act::Stream(_) => {
                let bytes = body::read(self.head, body, limit.0, timer).await.map_err(|why| Box::new(unread(why, self, limit)))?;
                self.parse(route, &bytes)?;
            }
            Act::List(_) | Act::Read(_) | Act::Delete(_) => body::discard(self.head, body, timer).await,
        }
        if route.cost == Cost::PerMebibyte {
            let bytes = self.upload.as_ref().map_or(0, |(size, _)| *size);
            self.spend(u32::try_from(bytes.div_ceil(1024 * 1024)).unwrap_or(u32::MAX).max(1))?;
        }
        Ok(())
    }

    fn parse(&mut self, route: &Route, bytes: &[u8]) -> Refused<()> {
        let wanted = !route.body.is_empty();
        if bytes.is_empty() && !wanted {
            return Ok(());
        }
        match serde_json::from_slice(bytes) {
            Ok(body @ Json::Object(_)) => self.body = Some(body),
            _ if !wanted => {} // nobody asked for one
            Ok(_) => return self.malformed("Must be a JSON object").err(),
            Err(_) => return self.malformed("Must be valid JSON").err(),
        }
        Ok(())
    }

    fn malformed(&self, issue: &str) -> Refusal {
        Refusal::because(self.row(Mistake::Malformed), Mistake::Malformed, "body", issue)
    }

    /// Whether members and parameters are what they must be; finds the items they refer to.
    pub fn examine(&mut self, route: &Route, store: &Store) -> Refused<()> {
        let query = self.head.uri.query().unwrap_or("");
        let mut wrong = query_flaws(&route.query, query, store);
        if let Some(Json::Object(members)) = &self.body {
            wrong.extend(flaws(&route.body, members, matches!(route.act, Act::Update(_)), store));
            self.items.extend(referred(&route.body, members, store));
        }
        if wrong.is_empty() { Ok(()) } else { Refusal::flawed(wrong).err() }
    }

    /// The first trigger of the early or the late ones that applies.
    pub fn triggered(&self, early: bool, store: &Store) -> Refused<()> {
        let triggers = &self.api.server.triggers;
        let row_of = |rows: &[Option<RowIx>], elsewhere| self.route.map_or(elsewhere, |route| rows[route]);
        let mut candidates = triggers.iter().filter(|trigger| trigger.early == early).peekable();
        if candidates.peek().is_none() {
            return Ok(());
        }
        let facts = self.facts(store, 0);
        let fired = candidates.find_map(|trigger| {
            let row = row_of(&trigger.rows, trigger.elsewhere)?;
            trigger.when.iter().all(|(lookup, wanted)| facts.is(lookup, wanted)).then_some((trigger, row))
        });
        fired.map_or(Ok(()), |(trigger, row)| {
            let (delay, retry_after_s, message) = (trigger.delay, trigger.retry_after_s, trigger.message.clone());
            Refusal { delay, retry_after_s, message, ..Refusal::new(row) }.err()
        })
    }

    // === the answer ===

    /// What shapes are filled with at this point.
    pub fn facts<'f>(&'f self, store: &'f Store, now_unix_s: i64) -> Facts<'f> {
        let user = self.user.zip(self.api.server.auth.as_ref()).map(|(user, auth)| auth.users[user].name.as_str());
        Facts {
            query: self.head.uri.query().unwrap_or(""),
            body: self.body.as_ref(),
            items: &self.items,
            now_unix_s,
            user,
            text: self.route().map_or("", |route| route.text.as_str()),
            upload: self.upload.as_ref().map(|(size, media_type)| (*size, media_type.as_str())),
            ..Facts::bare(store, &self.head.headers)
        }
    }

    fn finish(&self, outcome: Refused<Response<AnswerBody>>) -> Response<AnswerBody> {
        let api = self.api;
        let now_unix_s = api.now_unix_s();
        let shown = self.shown(outcome.as_ref().err().map(Box::as_ref), now_unix_s);
        let state = api.state.borrow();
        let facts = Facts { allowance: shown, ..self.facts(&state.store, now_unix_s) };
        let unique = api.seed.draw("target request").with(self.number).bits();
        let mut response = outcome.unwrap_or_else(|refusal| refusal.answer(api, &facts, unique));
        let facts = Facts { status: response.status().as_u16(), ..facts };
        for (name, shape) in &api.server.headers {
            if let Some(value) = facts.header(shape) {
                response.headers_mut().insert(name, value);
            }
        }
        if !api.changes.is_empty() {
            spoil(&api.changes, self.head.uri.path(), self.number, &facts, &mut response);
        }
        response
    }

    /// The rate limit as this answer shows it: used up where the answer says that it is, else as the bucket stands.
    fn shown(&self, refusal: Option<&Refusal>, now_unix_s: i64) -> Option<Shown> {
        let mut state = self.api.state.borrow_mut();
        let limit = state.limiter.limit(self.route)?;
        let reset = |seconds: u64| now_unix_s.saturating_add_unsigned(seconds);
        if let Some(refusal) = refusal.filter(|refusal| refusal.is_of_a_limit(self.api)) {
            return Some(Shown { limit, remaining: 0, reset: reset(refusal.retry_after_s.unwrap_or(1)) });
        }
        let cost = match self.route().map(|route| route.cost) {
            Some(Cost::Units(cost)) => cost,
            Some(Cost::PerMebibyte) | None => 1,
        };
        let standing = match self.standing {
            Some(standing) => standing,
            None => state.limiter.look(self.slot(), cost, self.api.clock.now())?,
        };
        Some(Shown { limit, remaining: standing.remaining, reset: reset(standing.retry_after_s()) })
    }
}

impl Api {
    fn next_request(&self) -> u64 {
        let mut state = self.state.borrow_mut();
        state.requests += 1;
        state.requests - 1
    }

    /// The wall clock in whole seconds.
    pub(super) fn now_unix_s(&self) -> i64 {
        self.clock.unix_us(self.clock.now()).div_euclid(1_000_000)
    }
}
