//! The target's own answer, made wrong by name as it passes.
//!
//! What is wrong with a whole can only be made of the whole: the answer is taken in first, up to [`MOST`] bytes. A longer
//! one, and a stream of events, which may have no end, passes as it is.

use std::collections::VecDeque;
use std::future::poll_fn;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, request, response};
use hyper::body::{Body, Incoming};

use super::respond::{Made, mutated};
use crate::client::failure::inside_the_body;
use crate::contract::{Answer, Contract, Terms};
use crate::fault::mutation::Mutation;
use crate::id::RowIx;
use crate::proxy::attempt::Proxy;
use crate::proxy::upstream::Lease;
use crate::record::Unfired;
use crate::units::Micros;
use crate::wire::{Failure, RequestFacts, ResponseFacts};

/// Bytes of an answer that are taken in.
const MOST: usize = 1024 * 1024;

/// What of an answer was taken in.
enum Taken {
    /// All of it.
    Whole(Vec<u8>),
    /// It is too long: what was read of it stands before the rest.
    Begun(VecDeque<Bytes>),
    /// It broke off.
    Broken(Failure),
}

/// What came of it.
pub(in crate::proxy) enum Corrupted {
    /// It is wrong now.
    Wrong(Made),
    /// It was taken in, and is as it was.
    AsItWas(Made, Unfired),
    /// It could not be taken in: what was read of it, and the rest.
    Passing(VecDeque<Bytes>, response::Parts, Incoming, Lease),
    /// The target broke it off.
    Broken(Failure),
}

/// Takes the answer in and makes it wrong, as far as both can be done.
pub(in crate::proxy) async fn corrupt(
    proxy: &Proxy,
    mutation: &Mutation,
    request: &Asked,
    head: response::Parts,
    mut body: Incoming,
    mut lease: Lease,
) -> Corrupted {
    if !is_bounded(&head, &body) {
        return Corrupted::Passing(VecDeque::new(), head, body, lease);
    }
    match take_in(&mut body, &mut lease).await {
        Taken::Broken(failure) => Corrupted::Broken(failure),
        Taken::Begun(read) => Corrupted::Passing(read, head, body, lease),
        Taken::Whole(bytes) => {
            lease.give_back();
            match corrupted(proxy, mutation, request, &head, &bytes) {
                Ok(made) => Corrupted::Wrong(made),
                Err(why) => Corrupted::AsItWas(unchanged(head, bytes), why),
            }
        }
    }
}

/// Whether an answer can be taken in whole, as far as its head says.
fn is_bounded(head: &response::Parts, body: &Incoming) -> bool {
    let events = head.headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    !events && body.size_hint().lower() <= MOST as u64
}

/// Takes in the body of an answer, up to the bound. Trailers are about a body that is no more.
async fn take_in(body: &mut Incoming, lease: &mut Lease) -> Taken {
    let (mut read, mut bytes) = (VecDeque::new(), 0);
    while !body.is_end_stream() {
        match poll_fn(|cx| lease.poll_frame(body, cx)).await {
            None => break,
            Some(Err(error)) => return Taken::Broken(inside_the_body(&error).after(bytes as u64)),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    bytes += data.len();
                    read.push_back(data);
                }
            }
        }
        if bytes > MOST {
            return Taken::Begun(read);
        }
    }
    Taken::Whole(read.iter().flat_map(|data| data.iter().copied()).collect())
}

/// The answer made wrong.
fn corrupted(proxy: &Proxy, mutation: &Mutation, request: &Asked, head: &response::Parts, body: &[u8]) -> Result<Made, Unfired> {
    let answer = Answer { status: head.status.as_u16(), headers: head.headers.clone(), body: body.to_vec() };
    let row = proxy.settings.contract.as_ref().and_then(|(contract, terms)| row_of(contract, terms, request, &answer));
    mutated(proxy, mutation, answer, row, &request.method, request.http2)
}

/// The same answer as it came; of an answer to HEAD, the length is what the target says it would be.
fn unchanged(mut head: response::Parts, body: Vec<u8>) -> Made {
    if !body.is_empty() {
        head.headers.remove(CONTENT_LENGTH);
    }
    Made::as_it_is(head, body.into())
}

/// What is to be remembered of a request until its answer comes.
pub(in crate::proxy) struct Asked {
    method: Method,
    path: String,
    headers: HeaderMap,
    http2: bool,
}

impl Asked {
    pub(in crate::proxy) fn of(head: &request::Parts) -> Asked {
        Asked {
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            headers: head.headers.clone(),
            http2: head.version == http::Version::HTTP_2,
        }
    }
}

/// The documented error that the answer is.
fn row_of(contract: &Contract, terms: &Terms, asked: &Asked, answer: &Answer) -> Option<RowIx> {
    let request = RequestFacts { method: &asked.method, path: &asked.path, query: None, headers: &asked.headers, body: &[] };
    let response = ResponseFacts {
        status: answer.status,
        headers: &answer.headers,
        body: &answer.body,
        body_complete: true,
        body_bytes: answer.body.len() as u64,
        received_at_unix_us: 0,
        round_trip: Micros::ZERO,
    };
    contract.check(terms, &request, &response).row
}
