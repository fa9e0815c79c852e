//! One request, one connection, nothing tidied: for probes and replays only, never for load.
//!
//! An ordinary client hides what is broken on the wire: it never hands over bytes that follow the answer to a HEAD,
//! it stops where Content-Length says, it will not send a method or a header that is no HTTP. [`RawClient`] sends
//! the bytes it is given and reads the answer by a parser of its own, which notes what is odd and goes on as long as
//! anything can be understood. What comes after the end of the message within a short while is counted as surplus.
//!
//! It has no pool, follows no redirect, repeats nothing, decompresses nothing, and speaks HTTP/1.1 only.

pub mod answer;
mod head;
mod request;
mod talk;

use std::borrow::Cow;

use http::HeaderMap;

use self::answer::{Answer, End, Understood};
use self::talk::Talk;
use super::connect::Connector;
use crate::clock::Clock;
use crate::units::{Micros, Offset};
use crate::wire::{Ending, Failure, Phase, ResponseFacts, Stamps};

/// Sends single requests to one destination. Cheap to clone.
#[derive(Clone)]
pub struct RawClient {
    connector: Connector,
    clock: Clock,
    timeouts: RawTimeouts,
    limits: RawLimits,
}

/// How long one request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawTimeouts {
    /// For the connection, TLS included.
    pub connect: Micros,
    /// From the request being written to the head of the answer.
    pub first_byte: Micros,
    /// For everything, the connection included.
    pub total: Micros,
    /// How long `100 Continue` is waited for before the body is sent all the same.
    pub expect: Micros,
    /// How long is listened for surplus after the end of the message.
    pub linger: Micros,
}

impl Default for RawTimeouts {
    fn default() -> RawTimeouts {
        RawTimeouts {
            connect: Micros::from_secs(5),
            first_byte: Micros::from_secs(10),
            total: Micros::from_secs(30),
            expect: Micros::from_secs(1),
            linger: Micros::from_millis(50),
        }
    }
}

/// How much of an answer is kept, and read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLimits {
    /// Bytes of the body kept; the rest is counted.
    pub keep_body: usize,
    /// Bytes of an answer read at most; a longer one is let go.
    pub most: u64,
}

impl Default for RawLimits {
    fn default() -> RawLimits {
        RawLimits { keep_body: 256 * 1024, most: 16 * 1024 * 1024 }
    }
}

/// A header as it goes out: any bytes, in any spelling.
pub type RawHeader<'a> = (Cow<'a, str>, Cow<'a, [u8]>);

/// One request, as it goes on the wire.
#[derive(Clone, Copy, Debug)]
pub struct RawRequest<'a> {
    /// The method token, as given.
    pub method: &'a str,
    /// The request target in origin form (`/v1/x?a=b`), as given.
    pub target: &'a str,
    /// Every header, `Host` included, as given and in this order. Only what frames the body is added, and `Expect`,
    /// each unless it is given.
    pub headers: &'a [RawHeader<'a>],
    pub body: RawBody<'a>,
    /// Send `Expect: 100-continue`, and the body only once the target agrees or says nothing for a while.
    pub expect_continue: bool,
}

/// The body of a request, and how it is framed.
#[derive(Clone, Copy, Debug, Default)]
pub enum RawBody<'a> {
    /// No body and no header about it.
    #[default]
    None,
    /// With its Content-Length.
    Bytes(&'a [u8]),
    /// These bytes after the head, and no header about them.
    Unframed(&'a [u8]),
    /// With a Content-Length that may be another one than that of what is sent.
    Declared { length: u64, bytes: &'a [u8] },
    /// `Transfer-Encoding: chunked`, one chunk.
    Chunked(&'a [u8]),
    /// With its Content-Length, so many bytes at a time, with a pause between them; ends with the total timeout.
    Slow { bytes: &'a [u8], piece: usize, pause: Micros },
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct RawReply {
    pub stamps: Stamps,
    /// A cut body is a failure although there is a head; surplus is none.
    pub ending: Ending,
    /// Whether any byte of the request was written.
    pub sent: bool,
    /// Whether all of it was; the target may have answered before.
    pub request_complete: bool,
    /// The head of the final answer, where one came.
    pub head: Option<RawHead>,
    /// The content of the message, or its beginning.
    pub body: Vec<u8>,
    /// Everything up to the end of the message and after it, that not kept included.
    pub body_bytes: u64,
    /// Whether `body` is all of the message's content.
    pub body_complete: bool,
    /// Bytes after the end of the message; not counted where they begin another answer.
    pub surplus: u64,
    /// Statuses of the interim answers (1xx) that came before.
    pub interim: Vec<u16>,
    /// What was odd and could be understood all the same, each once, in the order it was met.
    pub oddities: Vec<&'static str>,
}

/// Status line and headers of an answer.
#[derive(Clone, Debug)]
pub struct RawHead {
    pub status: u16,
    pub version: http::Version,
    /// As sent, invalid UTF-8 replaced; often empty.
    pub reason: String,
    /// Those that a `HeaderMap` can hold; the others are oddities.
    pub headers: HeaderMap,
    pub at: Offset,
    /// When it arrived, in microseconds since the Unix epoch.
    pub received_at_unix_us: i64,
}

impl RawClient {
    /// A client for the connector's destination; TLS agrees to HTTP/1.1 only.
    pub fn new(connector: &Connector, clock: Clock, timeouts: RawTimeouts, limits: RawLimits) -> RawClient {
        RawClient { connector: connector.http1().on(clock), clock, timeouts, limits }
    }

    /// The same client for a request that may take this long at most, whatever the timeouts say.
    pub fn within(&self, most: Micros) -> RawClient {
        let timeouts = RawTimeouts { total: self.timeouts.total.min(most), ..self.timeouts };
        RawClient { timeouts, ..self.clone() }
    }

    /// How long it waits for one phase of a request.
    pub fn patience(&self, phase: Phase) -> Micros {
        let RawTimeouts { connect, first_byte, total, .. } = self.timeouts;
        match phase {
            Phase::Connect => connect.min(total),
            Phase::FirstByte => first_byte.min(total),
            Phase::Total => total,
        }
    }

    /// What belongs into `Host`.
    pub fn authority(&self) -> String {
        self.connector.authority().to_string()
    }

    /// Sends a request on a connection of its own and reads the answer.
    ///
    /// Writing and reading go on at the same time: a target may refuse a large body before it has read it.
    pub async fn send(&self, request: &RawRequest<'_>) -> RawReply {
        let started_at = self.clock.now();
        let mut stamps = Stamps { started_at, ..Stamps::default() };
        let connected = self.connector.connect(&mut stamps.connect);
        let within = self.timeouts.connect.min(self.timeouts.total);
        let stream = match tokio::time::timeout(within.as_duration(), connected).await {
            Ok(Ok(connected)) => connected.stream,
            Ok(Err(failure)) => return self.unsent(stamps, failure),
            Err(_) => return self.unsent(stamps, Failure::TimedOut(Phase::Connect)),
        };
        stamps.ready_at = Some(self.clock.now());
        let talk = Talk { clock: self.clock, timeouts: self.timeouts, limits: self.limits, started_at };
        talk.carry_on(stream, request, stamps).await
    }

    fn unsent(&self, stamps: Stamps, failure: Failure) -> RawReply {
        let nothing = Answer::new("", 0).finish(End::Closed);
        let stamps = Stamps { ended_at: self.clock.now(), ..stamps };
        let reply = RawReply::of(nothing, stamps, &self.clock, Request::Unsent);
        RawReply { ending: Ending::Failed(failure), ..reply }
    }
}

/// How far a request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Unsent,
    Begun,
    Complete,
}

impl RawReply {
    fn of(understood: Understood, stamps: Stamps, clock: &Clock, request: Request) -> RawReply {
        let at = stamps.first_byte_at.unwrap_or(stamps.ended_at);
        let head = understood.status_line.map(|(status, version, reason)| RawHead {
            status,
            version,
            reason,
            headers: understood.headers,
            at,
            received_at_unix_us: clock.unix_us(at),
        });
        RawReply {
            stamps,
            ending: understood.ending,
            sent: request != Request::Unsent,
            request_complete: request == Request::Complete,
            head,
            body: understood.body,
            body_bytes: understood.body_bytes,
            body_complete: understood.body_complete,
            surplus: understood.surplus,
            interim: understood.interim,
            oddities: understood.oddities,
        }
    }

    /// What contract checks look at; `None` without a head. Ask `ending` first: of a cut body there is a head, too.
    pub fn facts(&self) -> Option<ResponseFacts<'_>> {
        let head = self.head.as_ref()?;
        Some(ResponseFacts {
            status: head.status,
            headers: &head.headers,
            body: &self.body,
            body_complete: self.body_complete,
            body_bytes: self.body_bytes,
            received_at_unix_us: head.received_at_unix_us,
            // From the moment the connection was ready: making it is no part of their clock's tolerance.
            round_trip: head.at.since(self.stamps.ready_at.unwrap_or(self.stamps.started_at)),
        })
    }
}
