//! See `src/client`.
//!
//! Every test talks to a scripted target over real sockets. Times are exact downwards (nothing ends before its
//! limit) and generous upwards (the machine may be busy).

mod allocation;
mod body;
mod failures;
mod pool;
mod raw;
mod raw_fuzz;
mod secure;
mod shared;
mod transports;

use std::future::Future;
use std::net::SocketAddr;

use brownout::client::{
    ClientSettings, Connector, Destination, Direct, HttpVersion, Listening, Outbound, Reply, Reqwest, TlsSettings, Transport,
};
use brownout::clock::{Clock, Timer};
use brownout::units::{Micros, Size};
use brownout::wire::SseRule;
use bytes::Bytes;
use http::{HeaderMap, Method};

/// Runs a test on a thread of its own kind: one local runtime, as a worker has.
pub(crate) fn on_a_worker<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

/// Generous limits, so that only what a test shortens can run out.
fn settings() -> ClientSettings {
    ClientSettings {
        connections: 8,
        streams: 4,
        keep_alive: true,
        idle_timeout: Micros::from_secs(60),
        connect: Micros::from_secs(20),
        first_byte: Micros::from_secs(20),
        total: Micros::from_secs(30),
        keep_body: Size(1024 * 1024),
    }
}

fn destination(url: &str, connect_to: Option<&str>) -> Destination {
    Destination::of(&url.parse().expect("a URL"), connect_to).expect("a destination")
}

pub(crate) async fn connector(url: &str, tls: &TlsSettings<'_>, version: HttpVersion) -> Connector {
    Connector::resolve(&destination(url, None), tls, version, Clock::new()).await.expect("a connector")
}

fn timer() -> Timer {
    Timer::start(Clock::new()).expect("a timer")
}

async fn direct(address: SocketAddr, settings: ClientSettings) -> Transport {
    let connector = connector(&format!("http://{address}"), &TlsSettings::default(), HttpVersion::Http1).await;
    Transport::Direct(Direct::new(connector, settings, timer()))
}

async fn through_reqwest(address: SocketAddr, settings: ClientSettings) -> Transport {
    let connector = connector(&format!("http://{address}"), &TlsSettings::default(), HttpVersion::Http1).await;
    Transport::Reqwest(Reqwest::new(&connector, settings, timer()).expect("a transport"))
}

/// A request to send, with what a test wants to change.
struct Ask {
    method: Method,
    path: &'static str,
    headers: HeaderMap,
    body: Bytes,
    keep: bool,
    stream: Option<SseRule>,
}

impl Ask {
    fn get(path: &'static str) -> Ask {
        let mut headers = HeaderMap::new();
        headers.insert("host", "target.test".parse().expect("a value"));
        Ask { method: Method::GET, path, headers, body: Bytes::new(), keep: true, stream: None }
    }

    fn post(path: &'static str, body: &'static str) -> Ask {
        Ask { method: Method::POST, body: Bytes::from_static(body.as_bytes()), ..Ask::get(path) }
    }

    async fn send(&self, transport: &Transport) -> (Reply, Vec<u8>) {
        let path = self.path.parse().expect("a path");
        let outbound = Outbound {
            method: &self.method,
            path: &path,
            headers: &self.headers,
            body: &self.body,
            keep_success_body: self.keep,
            stream: self.stream.as_ref().map(|rule| Listening { rule, ear: None }),
        };
        let mut kept = b"left from before".to_vec();
        let reply = transport.send(&outbound, &mut kept).await;
        (reply, kept)
    }
}

async fn get(transport: &Transport) -> (Reply, Vec<u8>) {
    Ask::get("/").send(transport).await
}
