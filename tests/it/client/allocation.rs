//! An attempt allocates what hyper allocates, and nothing of ours.

use std::net::SocketAddr;

use allocation_counter::measure;
use brownout::client::{Outbound, Transport};
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

use super::{direct, on_a_worker, settings};
use crate::support::upstream::{Act, Upstream};

const REQUESTS: u64 = 500;

/// What we may allocate per attempt beyond a bare loop over one hyper connection, which also builds its request
/// from a path and a header map: not a single allocation. The fraction is hyper's read buffer, which it makes anew
/// whenever the last answer is still held, and so now and then once more or less, depending on who polls when.
const OURS: f64 = 0.5;

#[test]
fn an_attempt_allocates_nothing_beyond_what_hyper_does() {
    let answer = "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 2\r\nContent-Length: 2\r\n\r\n{}";
    let upstream = Upstream::always(Act::write(answer));
    let headers: HeaderMap = [("host", "target.test"), ("authorization", "Bearer 1"), ("x-own", "2")]
        .into_iter()
        .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
        .collect();
    let bare = bare_loop(upstream.address(), &headers);
    let ours = our_loop(upstream.address(), &headers);
    assert_eq!(upstream.connections(), 4, "each loop runs twice, on one connection");
    assert!(bare > 1.0, "the counter counts: {bare}");
    assert!(ours <= bare + OURS, "{ours} allocations per attempt, where a bare hyper connection makes {bare}");
}

/// Allocations per request of hyper alone, its connection driven as usual by a task of its own.
fn bare_loop(address: SocketAddr, headers: &HeaderMap) -> f64 {
    on_the_counter(async |count| {
        let socket = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.expect("a connection");
        tokio::task::spawn_local(connection);
        let path: http::uri::PathAndQuery = "/v1/items?q=1".parse().expect("a path");
        for _ in 0..count {
            let mut request = Request::new(Full::new(Bytes::from_static(b"{}")));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = path.clone().into();
            *request.headers_mut() = headers.clone();
            sender.ready().await.expect("an open connection");
            let mut answer = sender.send_request(request).await.expect("an answer");
            let mut read = 0;
            while let Some(frame) = answer.frame().await {
                read += frame.expect("a frame").data_ref().map_or(0, Bytes::len);
            }
            assert_eq!((answer.status().as_u16(), read), (429, 2));
        }
    })
}

/// Allocations per attempt of the direct transport.
fn our_loop(address: SocketAddr, headers: &HeaderMap) -> f64 {
    on_the_counter(async |count| {
        let transport: Transport = direct(address, settings()).await;
        let path = "/v1/items?q=1".parse().expect("a path");
        let mut kept = Vec::new();
        for _ in 0..count {
            let outbound = Outbound {
                method: &Method::POST,
                path: &path,
                headers,
                body: &Bytes::from_static(b"{}"),
                keep_success_body: true,
                stream: None,
            };
            let reply = transport.send(&outbound, &mut kept).await;
            assert_eq!((reply.ending.status(), kept.as_slice()), (Some(429), &b"{}"[..]));
        }
    })
}

/// Allocations per request: what further requests cost beyond the first few, which fill buffers and tables.
fn on_the_counter(requests: impl AsyncFn(u64)) -> f64 {
    let allocations = |count| measure(|| on_a_worker(requests(count))).count_total;
    let (few, many) = (allocations(100), allocations(100 + REQUESTS));
    (many - few) as f64 / REQUESTS as f64
}
