//! What a route does with a request that is in order, and the answer that says so.

use std::collections::VecDeque;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value as Json};

use super::State;
use super::answer::{AnswerBody, Events};
use super::facts::{Facts, Found, query_value, rfc3339};
use super::refusal::{Refusal, Refused};
use super::store::{EVERYONE, NOWHERE, Taken};
use super::visit::Visit;
use crate::clock::Timer;
use crate::contract::server::{Act, FieldRule, Lookup, Mistake, Route, Stream, Upload};
use crate::units::Size;

/// What was done, for the answer.
#[derive(Default)]
struct Done {
    item: Option<(usize, u64)>,
    id: Option<String>,
    list: Option<Vec<u8>>,
    cursor: Option<u64>,
}

impl Visit<'_> {
    /// Does what the route does.
    pub fn act(&mut self, route: &Route, timer: &Timer) -> Refused<Response<AnswerBody>> {
        let api = self.api;
        let mut state = api.state.borrow_mut();
        let state = &mut *state;
        self.examine(route, &state.store)?;
        self.triggered(false, &state.store)?;
        let now_unix_s = api.now_unix_s();
        let done = match &route.act {
            Act::List(resource) => self.list(route, *resource, state)?,
            Act::Create(resource) => self.create(route, *resource, state, now_unix_s)?,
            Act::Read(resource) => self.read_item(*resource, state),
            Act::Update(resource) => self.update(route, *resource, state, now_unix_s)?,
            Act::Delete(resource) => self.delete(*resource, state),
            Act::Upload(upload) => self.store_upload(route, upload, state, now_unix_s)?,
            Act::Answer { removes } => {
                self.remove_all(removes.as_ref(), state);
                Done { id: Some(self.new_id(state)), ..Done::default() }
            }
            Act::Stream(_) => Done { id: Some(self.new_id(state)), ..Done::default() },
        };
        let cut = done.list.is_some() && done.cursor.is_some();
        let status = if cut { api.server.page.partial.max(route.status) } else { route.status };
        let facts = Facts {
            status,
            id: done.id.as_deref(),
            item: done.item,
            list: done.list.as_deref(),
            cursor: done.cursor,
            ..self.facts(&state.store, now_unix_s)
        };
        Ok(match &route.act {
            Act::Stream(stream) if stream.when.as_ref().is_none_or(|when| facts.is(when, &Json::Bool(true))) => {
                self.events(stream, &facts, timer)
            }
            _ => self.plain(route, &facts),
        })
    }

    fn plain(&self, route: &Route, facts: &Facts<'_>) -> Response<AnswerBody> {
        let usual = if matches!(route.act, Act::List(_)) { &self.api.server.list } else { &self.api.server.item };
        let mut body = Vec::new();
        if facts.status != 204 && facts.status != 205 {
            body.reserve(256);
            facts.json(route.answer.as_ref().unwrap_or(usual), &mut body);
        }
        let json = (!body.is_empty()).then(|| HeaderValue::from_static("application/json"));
        let mut response = Response::new(AnswerBody::whole(body));
        *response.status_mut() = StatusCode::from_u16(facts.status).unwrap_or(StatusCode::OK);
        response.headers_mut().extend(json.map(|json| (CONTENT_TYPE, json)));
        response
    }

    fn events(&self, stream: &Stream, facts: &Facts<'_>, timer: &Timer) -> Response<AnswerBody> {
        let event = |facts: &Facts<'_>, shape| {
            let mut data = b"data: ".to_vec();
            facts.json(shape, &mut data);
            data.extend_from_slice(b"\n\n");
            Bytes::from(data)
        };
        let words = facts.text.split_inclusive(' ').enumerate();
        let mut left: VecDeque<Bytes> = words.map(|word| event(&Facts { word: Some(word), ..*facts }, &stream.frame)).collect();
        left.extend(stream.last.as_ref().map(|last| event(facts, last)));
        left.extend(stream.done.as_ref().map(|done| Bytes::from(format!("data: {done}\n\n"))));
        let draw = self.api.seed.draw("target gap").with(self.number);
        let mut response = Response::new(AnswerBody::Events(Events { left, gap: stream.gap, draw, timer: timer.clone(), pause: None }));
        *response.status_mut() = StatusCode::from_u16(facts.status).unwrap_or(StatusCode::OK);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    // === the acts ===

    fn list(&self, route: &Route, resource: usize, state: &State) -> Refused<Done> {
        let page = &self.api.server.page;
        let query = self.head.uri.query().unwrap_or("");
        let wrong = |mistake, name: &str, issue: &str| Refusal::because(route.errors.row(mistake), mistake, name, issue).err();
        let size = match query_value(query, &page.limit).map(|text| text.parse::<usize>()) {
            None => page.size.min(page.max),
            Some(Ok(size)) if (1..=page.max).contains(&size) => size,
            Some(Ok(_)) => return wrong(Mistake::Range, &page.limit, &format!("Must be between 1 and {}", page.max)),
            Some(Err(_)) => return wrong(Mistake::Type, &page.limit, "Must be a whole number"),
        };
        let after = match query_value(query, &page.cursor).map(|text| text.parse::<u64>()) {
            None => 0,
            Some(Ok(after)) => after,
            Some(Err(_)) => return wrong(Mistake::Format, &page.cursor, "Must be a cursor of an earlier page"),
        };
        let (owner, parent) = self.place_in(resource);
        let (mut list, mut last, mut cursor) = (vec![b'['], 0, None);
        for (place, number) in state.store.list(resource, parent, owner, after).take(size + 1).enumerate() {
            if place == size {
                cursor = Some(last);
                break;
            }
            let Some(item) = state.store.item(resource, number) else { continue };
            if list.len() > 1 {
                list.push(b',');
            }
            // Writing JSON that is in memory into memory cannot fail.
            let _ = serde_json::to_writer(&mut list, &item.members);
            last = number;
        }
        list.push(b']');
        Ok(Done { list: Some(list), cursor, ..Done::default() })
    }

    fn create(&self, route: &Route, resource: usize, state: &mut State, now_unix_s: i64) -> Refused<Done> {
        let kind = &self.api.server.resources[resource];
        let (owner, parent) = self.place_in(resource);
        let mut members = kind.also.clone();
        members.insert("id".to_owned(), Json::from(format!("{}{}", kind.prefix, self.new_id(state))));
        members.extend(self.declared_members(&route.body));
        members.extend(kind.created.iter().map(|name| (name.clone(), Json::from(rfc3339(now_unix_s)))));
        self.put(route, resource, members, (owner, parent, 0), state)
    }

    fn put(
        &self,
        route: &Route,
        resource: usize,
        members: Map<String, Json>,
        (owner, parent, uploaded): (u32, u64, u64),
        state: &mut State,
    ) -> Refused<Done> {
        let added = state.store.add(resource, members, owner, parent, uploaded);
        let number = added.map_err(|taken| self.taken(route, resource, taken))?;
        Ok(self.done_with(resource, number, state))
    }

    fn read_item(&self, resource: usize, state: &mut State) -> Done {
        self.subject(resource, state).map(|number| self.done_with(resource, number, state)).unwrap_or_default()
    }

    fn update(&self, route: &Route, resource: usize, state: &mut State, now_unix_s: i64) -> Refused<Done> {
        let Some(number) = self.subject(resource, state) else { return Ok(Done::default()) };
        let mut members = self.declared_members(&route.body);
        members.remove("id");
        members.extend(self.api.server.resources[resource].updated.iter().map(|name| (name.clone(), Json::from(rfc3339(now_unix_s)))));
        state.store.change(resource, number, members).map_err(|taken| self.taken(route, resource, taken))?;
        Ok(self.done_with(resource, number, state))
    }

    fn delete(&self, resource: usize, state: &mut State) -> Done {
        let Some(number) = self.subject(resource, state) else { return Done::default() };
        let done = self.done_with(resource, number, state);
        state.store.remove(resource, number);
        Done { item: None, ..done }
    }

    fn remove_all(&self, removes: Option<&(usize, Lookup)>, state: &mut State) {
        let Some((resource, lookup)) = removes else { return };
        let ids = match self.facts(&state.store, 0).find(lookup) {
            Some(Found::Json(Json::Array(ids))) => ids.iter().filter_map(Json::as_str).collect::<Vec<_>>(),
            _ => return,
        };
        let numbers: Vec<u64> = ids.iter().filter_map(|id| state.store.number(*resource, id)).collect();
        for number in numbers {
            if state.store.item(*resource, number).is_some_and(|item| self.may_see(*resource, item)) {
                state.store.remove(*resource, number);
            }
        }
    }

    fn store_upload(&self, route: &Route, upload: &Upload, state: &mut State, now_unix_s: i64) -> Refused<Done> {
        let (size, media_type) = self.upload.as_ref().map(|(size, kind)| (*size, kind.as_str())).unwrap_or_default();
        let refuse = |mistake, field: &str, issue: &str| Refusal::because(route.errors.row(mistake), mistake, field, issue).err();
        if size == 0 {
            return refuse(Mistake::Empty, "body", "Cannot be empty");
        }
        if !upload.types.is_empty() && !upload.types.iter().any(|known| known == media_type) {
            return refuse(Mistake::Unsupported, "content-type", &format!("Must be one of: {}", upload.types.join(", ")));
        }
        let kind = &self.api.server.resources[upload.resource];
        let (owner, parent) = self.place_in(upload.resource);
        let used = state.store.uploaded(upload.resource, owner);
        if let Some(quota) = kind.quota.filter(|quota| used.saturating_add(size) > quota.0) {
            let issue = format!("Would hold more than {quota}; {} are in use", Size(used));
            return refuse(Mistake::Full, "body", &issue);
        }
        let id = format!("{}{}", kind.prefix, self.new_id(state));
        let facts = Facts { id: Some(&id), ..self.facts(&state.store, now_unix_s) };
        let stored = upload.stores.as_ref().and_then(|shape| facts.value(shape));
        let mut members = kind.also.clone();
        if let Some(Json::Object(stored)) = stored {
            members.extend(stored);
        }
        members.insert("id".to_owned(), Json::from(id.clone()));
        members.extend(kind.created.iter().map(|name| (name.clone(), Json::from(rfc3339(now_unix_s)))));
        self.put(route, upload.resource, members, (owner, parent, size), state)
    }

    // === what they share ===

    /// 16 hex digits that no other answer of this server has.
    fn new_id(&self, state: &mut State) -> String {
        state.ids += 1;
        format!("{:016x}", self.api.seed.draw("target id").with(state.ids).bits())
    }

    /// The owner and the enclosing item of what is made or listed here.
    fn place_in(&self, resource: usize) -> (u32, u64) {
        let kind = &self.api.server.resources[resource];
        let owner = self.user.filter(|_| kind.owned || kind.singular).map_or(EVERYONE, |user| user as u32);
        let parent = self.items.iter().find(|(known, _)| kind.within == Some(*known)).map_or(NOWHERE, |(_, number)| *number);
        (owner, parent)
    }

    /// The item that the route is about: the user's own one, or the one its path names.
    fn subject(&self, resource: usize, state: &mut State) -> Option<u64> {
        let kind = &self.api.server.resources[resource];
        if !kind.singular {
            return self.items.iter().find(|(known, _)| *known == resource).map(|(_, number)| *number);
        }
        let user = self.user.zip(self.api.server.auth.as_ref()).map_or("anyone", |(user, auth)| auth.users[user].name.as_str());
        let id = format!("{}{user}", kind.prefix);
        state.store.number(resource, &id).or_else(|| {
            let mut members = kind.also.clone();
            members.insert("id".to_owned(), Json::from(id.as_str()));
            let (owner, parent) = self.place_in(resource);
            state.store.add(resource, members, owner, parent, 0).ok()
        })
    }

    /// Members of the body that the route has rules for.
    fn declared_members(&self, rules: &[FieldRule]) -> Map<String, Json> {
        let value = |rule: &FieldRule| Some((rule.name.clone(), self.body.as_ref()?.get(&rule.name)?.clone()));
        rules.iter().filter_map(value).collect()
    }

    fn done_with(&self, resource: usize, number: u64, state: &State) -> Done {
        let id = state.store.item(resource, number).and_then(|item| Some(item.members.get("id")?.as_str()?.to_owned()));
        Done { item: Some((resource, number)), id, ..Done::default() }
    }

    fn taken(&self, route: &Route, resource: usize, taken: Taken) -> Box<Refusal> {
        let row = route.errors.row(Mistake::Duplicate);
        let name = self.api.server.resources[resource].name.clone();
        let refusal = Refusal::because(row, Mistake::Duplicate, &taken.member, "Is already in use");
        Box::new(Refusal { message: Some(format!("A {name} with this {} already exists", taken.member)), resource: Some(name), ..refusal })
    }
}
