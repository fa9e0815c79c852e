//! What one attempt costs the generator: a closed loop of the direct transport on one thread.
//!
//! `benches/generator.sh` runs this beside `wrk` against the same responder and prints the ratio. By hand:
//!
//! ```text
//! cargo bench --bench generator -- load http://127.0.0.1:8429/ 64 5     # connections, seconds; prints the number of answers
//! cargo bench --bench generator -- bare http://127.0.0.1:8429/ 64 5     # the same over hyper alone: no pool, no stamps, no limits
//! cargo bench --bench generator -- respond 127.0.0.1:8429               # a small responder, where nginx is not at hand
//! ```

use std::io::{Read, Write};
use std::rc::Rc;

use brownout::client::{ClientSettings, Connector, Destination, Direct, HttpVersion, Outbound, TlsSettings};
use brownout::clock::{Clock, Timer};
use brownout::units::{Micros, Size};
use brownout::wire::Ending;
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

/// The answer of MEASUREMENT.md: a 429 of about 180 bytes with its four headers.
const BODY: &str = r#"{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"too many requests","retry_after":2,"limit":60,"remaining":0,"reset_at":1795374245},"request_id":"req_01HZX3J9W6Q4T8K2M5N7P0R1S3"}"#;

fn main() {
    // `cargo bench` adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["respond", address] => respond(address),
        [how @ ("load" | "bare"), url, connections, seconds] => {
            let (connections, seconds) = (connections.parse().expect("a number"), seconds.parse().expect("a number"));
            let answers = if *how == "load" { load(url, connections, seconds) } else { bare(url, connections, seconds) };
            say(&format!("{answers}\n"));
        }
        _ => say("usage: load|bare URL CONNECTIONS SECONDS | respond ADDRESS (see benches/generator.sh)\n"),
    }
}

fn say(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).expect("somewhere to write");
}

/// Sends as fast as the answers come and returns how many came.
fn load(url: &str, connections: u32, seconds: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let clock = Clock::new();
        let url: url::Url = url.parse().expect("a URL");
        let destination = Destination::of(&url, None).expect("a destination");
        let connector = Connector::resolve(&destination, &TlsSettings::default(), HttpVersion::Http1, clock).await.expect("an address");
        let settings = ClientSettings {
            connections,
            streams: 1,
            keep_alive: true,
            idle_timeout: Micros::from_secs(60),
            connect: Micros::from_secs(5),
            first_byte: Micros::from_secs(10),
            total: Micros::from_secs(30),
            keep_body: Size(1024 * 1024),
        };
        let direct = Direct::new(connector, settings, Timer::start(clock).expect("a timer"));
        let end = clock.now() + Micros::from_secs(seconds);
        let path = Rc::new(url.path().parse().expect("a path"));
        let mut headers = HeaderMap::new();
        headers.insert("host", url.authority().parse().expect("a value"));
        let headers = Rc::new(headers);
        let users: Vec<_> = (0..connections)
            .map(|_| {
                let (direct, path, headers) = (direct.clone(), Rc::clone(&path), Rc::clone(&headers));
                tokio::task::spawn_local(async move {
                    let (mut kept, mut answers) = (Vec::new(), 0);
                    let body = Bytes::new();
                    while clock.now() < end {
                        let outbound = Outbound {
                            method: &Method::GET,
                            path: &path,
                            headers: &headers,
                            body: &body,
                            keep_success_body: true,
                            stream: None,
                        };
                        let reply = direct.send(&outbound, &mut kept).await;
                        assert!(matches!(reply.ending, Ending::Answered(_)), "{:?}", reply.ending);
                        answers += 1;
                    }
                    answers
                })
            })
            .collect();
        let mut answers = 0;
        for user in users {
            answers += user.await.expect("a user");
        }
        answers
    })
}

/// The same over hyper alone: a connection per user, each driven by a task of its own.
fn bare(url: &str, connections: u32, seconds: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let clock = Clock::new();
        let end = clock.now() + Micros::from_secs(seconds);
        let url: url::Url = url.parse().expect("a URL");
        let address = url.socket_addrs(|| None).expect("an address")[0];
        let path: http::uri::PathAndQuery = url.path().parse().expect("a path");
        let mut headers = HeaderMap::new();
        headers.insert("host", url.authority().parse().expect("a value"));
        let users: Vec<_> = (0..connections)
            .map(|_| {
                let (path, headers) = (path.clone(), headers.clone());
                tokio::task::spawn_local(async move {
                    let socket = tokio::net::TcpStream::connect(address).await.expect("a connection");
                    socket.set_nodelay(true).expect("a socket");
                    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.expect("a connection");
                    tokio::task::spawn_local(connection);
                    let (mut kept, mut answers) = (Vec::new(), 0);
                    while clock.now() < end {
                        let mut request = Request::new(Full::new(Bytes::new()));
                        *request.uri_mut() = path.clone().into();
                        *request.headers_mut() = headers.clone();
                        sender.ready().await.expect("an open connection");
                        let mut answer = sender.send_request(request).await.expect("an answer");
                        kept.clear();
                        while let Some(frame) = answer.frame().await {
                            kept.extend_from_slice(frame.expect("a frame").data_ref().map_or(&[][..], |data| data));
                        }
                        answers += 1;
                    }
                    answers
                })
            })
            .collect();
        let mut answers = 0;
        for user in users {
            answers += user.await.expect("a user");
        }
        answers
    })
}

/// Answers everything that looks like a request head, on a thread per connection.
fn respond(address: &str) {
    let listener = std::net::TcpListener::bind(address).expect("a free port");
    let answer = format!(
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: {}\r\nRetry-After: 2\r\n\
         X-RateLimit-Limit: 60\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1795374245\r\n\r\n{BODY}",
        BODY.len()
    );
    for mut socket in listener.incoming().flatten() {
        let answer = answer.clone();
        std::thread::spawn(move || {
            let _ = socket.set_nodelay(true);
            let mut bytes = [0; 4096];
            while socket.read(&mut bytes).is_ok_and(|read| read > 0) {
                if socket.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        });
    }
}
