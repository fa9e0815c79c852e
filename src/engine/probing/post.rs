//! Single requests, paced and bounded.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Ended, Probing};
use crate::client::{RawBody, RawClient, RawHeader, RawReply, RawRequest};
use crate::probe::{Wire, WireBody};
use crate::units::{Micros, Offset};
use crate::wire::{Ending, Failure, RequestFacts};

/// After so many requests in a row that found nobody, the target is lost.
const LOST_AFTER: u32 = 4;

/// When a request may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// When its turn comes.
    Even,
    /// At once: part of a burst.
    AtOnce,
    /// At once, and even where everything else has to stop: it switches off what was switched on.
    Whatever,
}

/// Sends requests one after the other, until a bound is met.
pub struct Post<'p> {
    probing: &'p Probing,
    /// No request before this.
    next_at: Offset,
    /// No request after this.
    deadline: Offset,
    /// Requests in a row that found nobody.
    nobody: u32,
    pub requests: u32,
    pub answered: u32,
    /// What the first request without an answer came to, and what was odd about it.
    pub silence: Option<(Failure, Option<&'static str>)>,
    pub ended: Option<Ended>,
}

impl<'p> Post<'p> {
    pub fn new(probing: &'p Probing) -> Post<'p> {
        let now = probing.clock.now();
        let deadline = now + probing.settings.max_time;
        Post { probing, next_at: now, deadline, nobody: 0, requests: 0, answered: 0, silence: None, ended: None }
    }

    /// Whether nothing more may be sent.
    pub fn is_over(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = match () {
                () if *self.probing.stop.borrow() => Some(Ended::Stopped),
                () if self.requests >= self.probing.settings.max_requests => Some(Ended::OutOfRequests),
                () if self.probing.clock.now() >= self.deadline => Some(Ended::OutOfTime),
                () => None,
            };
        }
        self.ended.is_some()
    }

    /// Sends one request and waits for its answer; `None` where it may not be sent, or was cut off.
    pub async fn send(&mut self, wire: &Wire, pace: Pace) -> Option<RawReply> {
        let client = self.probing.client.clone();
        self.send_by(&client, wire, pace).await
    }

    /// The same by another client.
    pub async fn send_by(&mut self, client: &RawClient, wire: &Wire, pace: Pace) -> Option<RawReply> {
        if pace == Pace::Even {
            let wait = self.next_at.since(self.probing.clock.now());
            self.pause(wait).await;
        }
        if pace != Pace::Whatever && self.is_over() {
            return None;
        }
        let now = self.probing.clock.now();
        self.next_at = now + Micros::from_secs_f64(1.0 / self.probing.settings.rate.get().max(1e-3));
        self.requests += 1;
        let headers: Vec<RawHeader<'_>> =
            wire.headers.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_slice()))).collect();
        let request = RawRequest {
            method: &wire.method,
            target: &wire.target,
            headers: &headers,
            body: match &wire.body {
                WireBody::None => RawBody::None,
                WireBody::Bytes(bytes) => RawBody::Bytes(bytes),
                WireBody::Declared { length, bytes } => RawBody::Declared { length: *length, bytes },
            },
            expect_continue: wire.expect_continue,
        };
        // The bound on the whole holds inside a request, too; switching off has bounds of its own.
        let left = if pace == Pace::Whatever { Micros(u64::MAX) } else { self.time_left() };
        let (usual, client) = (client, client.within(left));
        let mut stop = self.probing.stop.clone();
        let reply = tokio::select! {
            reply = client.send(&request) => reply,
            _ = stop.wait_for(|stop| *stop), if pace != Pace::Whatever => {
                self.ended = Some(Ended::Stopped);
                return None;
            }
        };
        self.answered += u32::from(reply.head.is_some());
        if matches!(reply.ending, Ending::Failed(Failure::TimedOut(phase)) if left < usual.patience(phase)) {
            // What ran out is our time: that says nothing about the target.
            self.ended = Some(Ended::OutOfTime);
            return None;
        }
        if let (Ending::Failed(failure), None) = (reply.ending, &self.silence) {
            self.silence = Some((failure, reply.oddities.last().copied()));
        }
        match reply.ending {
            Ending::Failed(failure) if failure.before_the_request() => {
                self.nobody += 1;
                if self.nobody >= LOST_AFTER {
                    self.ended = Some(Ended::TargetLost(failure));
                }
            }
            _ => self.nobody = 0,
        }
        Some(reply)
    }

    /// Waits, unless it is over before; true if the whole time went by.
    pub async fn pause(&mut self, span: Micros) -> bool {
        let left = self.deadline.since(self.probing.clock.now());
        let mut stop = self.probing.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(span.min(left).as_duration()) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        !self.is_over() && span <= left
    }

    /// What is left of the time.
    pub fn time_left(&self) -> Micros {
        self.deadline.since(self.probing.clock.now())
    }
}

/// A request as checks look at it.
pub struct Facts {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Facts {
    /// Of what goes on the wire; a header that no `HeaderMap` can hold is left out.
    pub fn of(wire: &Wire) -> Facts {
        let mut headers = HeaderMap::new();
        for (name, value) in &wire.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
        let (path, query) = match wire.target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (wire.target.clone(), None),
        };
        Facts { method: Method::from_bytes(wire.method.as_bytes()).unwrap_or_default(), path, query, headers, body: wire.bytes().to_vec() }
    }

    /// As they are passed on.
    pub fn request(&self) -> RequestFacts<'_> {
        RequestFacts { method: &self.method, path: &self.path, query: self.query.as_deref(), headers: &self.headers, body: &self.body }
    }
}
