//! One request, one connection, nothing tidied: for probes and replays only, never for load.
//!
//! An ordinary client hides what is broken on the wire: it never hands over bytes that follow the answer to a HEAD,
//! it stops where Content-Length says, it will not send a method or a header that is no HTTP. [`RawClient`] sends
//! the bytes it is given and reads the answer by a parser of its own, which notes what is odd and goes on as long as
//! anything can be understood. What comes after the end of the message within a short while is counted as surplus.
//!
//! It has no pool, follows no redirect, repeats nothing, decompresses nothing, and speaks HTTP/1.1 only.

mod request;

use std::borrow::Cow;

use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
    /// With its Content-Length, so many bytes at a time, with a pause after each; ends with the total timeout.
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

    /// What belongs into `Host`.
    pub fn authority(&self) -> String {
        self.connector.authority().to_string()
    }

    /// Sends a request on a connection of its own and reads the answer.
    pub async fn send(&self, request: &RawRequest<'_>) -> RawReply {
        let started_at = self.clock.now();
        let mut reply = RawReply {
            stamps: Stamps { started_at, ..Stamps::default() },
            ending: Ending::Unfinished,
            sent: false,
            head: None,
            body: Vec::new(),
            body_bytes: 0,
            body_complete: false,
            surplus: 0,
            interim: Vec::new(),
            oddities: Vec::new(),
        };
        let connected = self.connector.connect(&mut reply.stamps.connect);
        let mut stream = match tokio::time::timeout(self.timeouts.connect.as_duration(), connected).await {
            Ok(Ok(connected)) => connected.stream,
            Ok(Err(failure)) => return reply.failed(failure, self.clock.now()),
            Err(_) => return reply.failed(Failure::TimedOut(Phase::Connect), self.clock.now()),
        };
        reply.stamps.ready_at = Some(self.clock.now());
        let mut bytes = request::head(request);
        bytes.extend_from_slice(&request::body(request.body));
        if stream.write_all(&bytes).await.is_err() {
            return reply.failed(Failure::Reset, self.clock.now());
        }
        reply.sent = true;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(self.timeouts.linger.as_duration() * 4, async {
            while let Ok(1..) = stream.read_buf(&mut answer).await {}
        })
        .await;
        let Some(at) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            return reply.failed(Failure::Closed, self.clock.now());
        };
        let text = String::from_utf8_lossy(&answer[..at]).into_owned();
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok()).unwrap_or(0);
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.trim().parse()) {
                headers.append(name, value);
            }
        }
        let now = self.clock.now();
        reply.body = answer[at + 4..].to_vec();
        reply.body_bytes = reply.body.len() as u64;
        reply.body_complete = true;
        reply.stamps.first_byte_at = Some(now);
        reply.stamps.ended_at = now;
        reply.ending = Ending::Answered(status);
        let received_at_unix_us = self.clock.unix_us(now);
        reply.head =
            Some(RawHead { status, version: http::Version::HTTP_11, reason: String::new(), headers, at: now, received_at_unix_us });
        reply
    }
}

impl RawReply {
    fn failed(mut self, failure: Failure, now: Offset) -> RawReply {
        self.stamps.ended_at = now;
        self.ending = Ending::Failed(failure);
        self
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
            round_trip: self.stamps.ended_at.since(self.stamps.started_at),
        })
    }
}
