//! Send one attempt, stamp it, add nothing.
//!
//! A tester that reports retry and error behaviour must have no behaviour of its own: no hidden retries, no
//! redirects, no environment proxies, no cookies. Two transports stand behind one type, [`Transport`]: [`direct`] on hyper's
//! `client::conn`, the measured path, where every phase is timed and the number of connections is exact; and
//! [`mod@reqwest`], the client a Rust service really uses, for plans that study such a client.

pub mod connect;
pub mod direct;
pub(crate) mod failure;
mod http1;
mod http2;
mod pool;
pub mod raw;
mod receive;
pub mod reqwest;
pub mod setup;
mod sse;
pub mod stream;
pub mod tls;

use std::fmt;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};

pub use connect::{Connected, Connector, Destination};
pub use direct::Direct;
pub use raw::{RawBody, RawClient, RawHead, RawHeader, RawLimits, RawReply, RawRequest, RawTimeouts};
pub use reqwest::Reqwest;
pub use setup::SetupError;
pub use stream::{MaybeTls, Stream};
pub use tls::TlsSettings;

use crate::units::{Micros, Offset, Size};
use crate::wire::{Ending, SseRule, Stamps, StreamFacts};

/// The HTTP version spoken to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpVersion {
    Http1,
    /// By prior knowledge on plain TCP, by ALPN on TLS.
    Http2,
    /// HTTP/2 where TLS negotiates it, else HTTP/1.1.
    #[default]
    Auto,
}

/// How one worker's transport uses connections and time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClientSettings {
    /// Sockets at most; at least 1.
    pub connections: u32,
    /// Requests at a time on one HTTP/2 connection; a further connection is made when all carry that many. At least 1.
    pub streams: u32,
    /// False: one connection per request.
    pub keep_alive: bool,
    /// How long a connection may lie idle.
    pub idle_timeout: Micros,
    /// For a new connection, TLS included.
    pub connect: Micros,
    /// From the connection being ready to the head of the answer.
    pub first_byte: Micros,
    /// For the whole attempt, waiting for a connection included.
    pub total: Micros,
    /// Bodies are kept up to this size; the rest is counted and thrown away.
    pub keep_body: Size,
}

/// Whichever client sends the measured requests of one worker.
#[derive(Clone)]
pub enum Transport {
    Direct(Direct),
    Reqwest(Reqwest),
}

impl Transport {
    /// Sends one attempt and reads its answer; `kept` receives the kept part of the body.
    pub async fn send(&self, request: &Outbound<'_>, kept: &mut Vec<u8>) -> Reply {
        match self {
            Transport::Direct(direct) => direct.send(request, kept).await,
            Transport::Reqwest(reqwest) => reqwest.send(request, kept).await,
        }
    }
}

/// One request, complete but for the connection it goes out on.
#[derive(Clone, Copy, Debug)]
pub struct Outbound<'a> {
    pub method: &'a Method,
    /// Path and query, as they go on the request line.
    pub path: &'a PathAndQuery,
    /// All headers, `Host` included; nothing is added but `Content-Length`.
    pub headers: &'a HeaderMap,
    pub body: &'a Bytes,
    /// Keep the body of a success too (captures need it); the body of an error answer is always kept.
    pub keep_success_body: bool,
    /// Read the answer as server-sent events if it is a success.
    pub stream: Option<Listening<'a>>,
}

/// How a stream of server-sent events is listened to.
#[derive(Clone, Copy, Debug)]
pub struct Listening<'a> {
    pub rule: &'a SseRule,
    /// Hears what the events say, where somebody wants to know.
    pub ear: Option<&'a dyn Ear>,
}

/// Whoever wants to know what the events of a stream say.
pub trait Ear: fmt::Debug {
    /// The data of one event, as it came; neither the terminator nor what is longer than 64 KiB.
    fn event(&self, data: &[u8]);
}

/// What came of one attempt.
#[derive(Clone, Debug)]
pub struct Reply {
    pub stamps: Stamps,
    pub ending: Ending,
    /// Whether any byte of the request was written.
    pub sent: bool,
    /// The head of the answer, where one came, even if its body did not.
    pub head: Option<Head>,
    /// Bytes of the body that arrived, those not kept included.
    pub body_bytes: u64,
    /// Whether the kept body is all of it.
    pub body_complete: bool,
    pub stream: Option<StreamFacts>,
}

/// Status and headers of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    pub status: u16,
    pub version: http::Version,
    pub headers: HeaderMap,
    pub at: Offset,
}
