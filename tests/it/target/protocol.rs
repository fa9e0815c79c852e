//! Connections, both HTTP versions, bodies that are hostile, latency, the end.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::client::Client;
use crate::support::contract::{read, shipped};
use crate::support::served::{Served, Wish};

const USER: &str = "user-token";

#[test]
fn head_has_the_head_of_get_and_no_body() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let got = served.ask("GET", "/v1/models/catalogs", USER, "");
    let head = served.ask("HEAD", "/v1/models/catalogs", USER, "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), got.header("content-length"));
    let missing = served.ask("HEAD", "/v1/nowhere", USER, "");
    assert_eq!((missing.status, missing.body.len()), (404, 0));
    for method in ["OPTIONS", "PUT", "TRACE", "BREW"] {
        let answer = served.ask(method, "/v1/models/catalogs", USER, "");
        assert_eq!((answer.status, &answer.json()["code"]), (404, &"RESOURCE_NOT_FOUND".into()), "{method}");
    }
}

#[test]
fn a_connection_goes_on_after_an_error_whatever_was_sent_with_it() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let large = "x".repeat(300_000);
    for (method, path, token, body, status) in [
        ("POST", "/v1/conversations", "wrong", large.as_str(), 401), // refused before its body is read
        ("POST", "/v1/nowhere", USER, large.as_str(), 404),
        ("GET", "/v1/conversations", USER, large.as_str(), 200), // a body where none belongs
        ("POST", "/v1/conversations", USER, large.as_str(), 400),
        ("POST", "/v1/conversations", USER, r#"{"title":"ok"}"#, 201),
    ] {
        assert_eq!(served.ask(method, path, token, body).status, status, "{method} {path}");
    }
}

#[test]
fn hostile_bodies_are_documented_errors() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let deep = "[".repeat(100_000);
    let bodies: [&[u8]; 6] = [b"\xff\xfe", b"\x00", deep.as_bytes(), b"null", br#"{"title":"\ud800"}"#, br#"{"title":1e999}"#];
    for body in bodies {
        let headers = [("Authorization", "Bearer user-token")];
        let answer = served.client.send("POST", "/v1/conversations", &headers, body);
        assert_eq!(answer.status, 400, "{}", answer.text());
        served.assert_conforms("POST", "/v1/conversations", &answer);
    }
    let over = served.ask("POST", "/v1/conversations", USER, &format!(r#"{{"title":"{}"}}"#, "x".repeat(1024 * 1024)));
    assert_eq!((over.status, &over.json()["details"]["issue"]), (400, &"Must be at most 1 MiB".into()));
}

#[test]
fn who_asks_before_sending_too_much_is_told_not_to() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let headers = [("Authorization", "Bearer user-token"), ("Content-Type", "image/png"), ("Expect", "100-continue")];
    served.client.write_head("POST", "/v1/media/upload", &headers, 50_000_000);
    let answer = served.client.answer("POST");
    assert_eq!((answer.status, &answer.json()["code"]), (413, &"FILE_TOO_LARGE".into()));
}

#[test]
fn clients_that_break_off_or_speak_nonsense_disturb_nobody() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    for bytes in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET\r\n\r\n",
        b"\x00\x00\x00\x00",
        b"POST /v1/conversations HTTP/1.1\r\nContent-Length: 9999\r\n\r\n{",
    ] {
        let mut stream = TcpStream::connect(served.target.addr).expect("it listens");
        stream.write_all(bytes).expect("it is sent");
        drop(stream);
    }
    assert_eq!(served.ask("GET", "/v1/health", "", "").status, 200);
}

#[test]
fn http_2_is_spoken_without_negotiation() {
    let served = Served::new(shipped(), &Wish::STRICT);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(served.target.addr).await.expect("it listens");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        let connection = tokio::spawn(connection);
        let request = |body: &'static str| {
            let request = http::Request::post("http://127.0.0.1/v1/conversations").header("authorization", "Bearer user-token");
            request.body(Full::new(bytes::Bytes::from(body))).expect("a request")
        };
        let (made, wrong) = tokio::join!(sender.clone().send_request(request(r#"{"title":"two"}"#)), sender.send_request(request("{}")));
        let (made, wrong) = (made.expect("an answer"), wrong.expect("an answer"));
        assert_eq!((made.status().as_u16(), wrong.status().as_u16(), made.version()), (201, 400, http::Version::HTTP_2));
        let body = made.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).expect("JSON")["data"]["title"], "two");
        connection.abort();
    });
}

#[test]
fn a_stopped_server_ends_its_connections_and_leaves_its_port() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    assert_eq!(served.ask("GET", "/v1/health", "", "").status, 200);
    let Served { target, mut client, .. } = served;
    let addr = target.addr;
    let before = Instant::now();
    target.stop();
    assert!(before.elapsed() < Duration::from_secs(10), "{:?}", before.elapsed());
    assert!(client.is_closed());
    assert!(TcpStream::connect(addr).is_err());
    drop(std::net::TcpListener::bind(addr).expect("the port is free"));
}

#[test]
fn a_request_that_is_being_answered_when_the_server_stops_gets_its_answer() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    // This one takes half a second.
    let body = r#"{"model":"slow","input":"x"}"#;
    let headers = [("Authorization", "Bearer user-token")];
    served.client.write_head("POST", "/v1/responses", &headers, body.len());
    served.client.write(body.as_bytes());
    // The server has the request once it has answered another that was sent later.
    assert_eq!(Client::connect(served.target.addr).send("GET", "/v1/health", &[], b"").status, 200);
    let Served { target, mut client, .. } = served;
    let stopping = std::thread::spawn(move || target.stop());
    assert_eq!(client.answer("POST").status, 504);
    stopping.join().expect("it stops");
}

#[test]
fn answers_take_as_long_as_the_contract_says() {
    let text = SLOW.replace("LATENCY", r#"{ fixed = "60ms" }"#);
    let contract = read("slow.toml", &text).unwrap_or_else(|problems| panic!("{problems}"));
    let mut served = Served::new(contract, &Wish { latency: true, ..Wish::STRICT });
    for path in ["/a", "/nowhere"] {
        let before = Instant::now();
        served.ask("GET", path, "", "");
        let took = before.elapsed();
        assert!(took >= Duration::from_millis(60) && took < Duration::from_secs(5), "{path}: {took:?}");
    }
}

const SLOW: &str = r#"
name = "slow"
[[error]]
status = 404
code = "NOT_FOUND"
[server]
latency = LATENCY
errors = { malformed = "NOT_FOUND", no_route = "NOT_FOUND", internal = "NOT_FOUND" }
[[server.route]]
request = "GET /a"
kind = "action"
answer = { a = 1 }
"#;
