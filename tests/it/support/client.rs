//! A tiny blocking HTTP/1.1 client that shows what is on the wire and forgives nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Nothing on loopback takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
pub struct Client {
    addr: SocketAddr,
    reader: BufReader<TcpStream>,
}

/// An answer as it arrived.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Client {
    /// Connects.
    pub fn connect(addr: SocketAddr) -> Client {
        let stream = TcpStream::connect(addr).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Client { addr, reader: BufReader::new(stream) }
    }

    /// Sends a request and reads its answer. `Host` and, where there is a body, `Content-Length` are added.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.write_head(method, path, headers, body.len());
        self.write(body);
        self.answer(method)
    }

    /// Writes a request's head, and nothing of its body.
    pub fn write_head(&mut self, method: &str, path: &str, headers: &[(&str, &str)], length: usize) {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.addr);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if length > 0 {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        self.write(format!("{head}\r\n").as_bytes());
    }

    /// Writes bytes as they are. A connection that the other side has closed is noticed when the answer is read.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.reader.get_mut().write_all(bytes);
    }

    /// Reads one answer; interim answers (1xx) are passed over.
    pub fn answer(&mut self, method: &str) -> Answer {
        loop {
            let (status, headers) = self.head().expect("an answer");
            if status >= 200 {
                let body = self.body(method, status, &headers);
                return Answer { status, headers, body };
            }
        }
    }

    /// Whether the other side has closed the connection and nothing is left to read.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.reader.fill_buf(), Ok([]) | Err(_))
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(n) if n > 0 => Some(line.strip_suffix("\r\n").expect("lines end with CRLF").to_owned()),
            _ => None,
        }
    }

    fn head(&mut self) -> Option<(u16, HeaderMap)> {
        let status_line = self.line()?;
        let status = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|status| status.parse().ok());
        let mut headers = HeaderMap::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some((status.expect("a status line"), headers));
            }
            let (name, value) = line.split_once(": ").expect("a header line");
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"));
        }
    }

    fn body(&mut self, method: &str, status: u16, headers: &HeaderMap) -> Vec<u8> {
        if method == "HEAD" || status == 204 || status == 304 {
            return Vec::new();
        }
        if headers.get("transfer-encoding").is_some_and(|value| value == "chunked") {
            return self.chunks();
        }
        match headers.get("content-length") {
            Some(length) => self.exactly(length.to_str().ok().and_then(|length| length.parse().ok()).expect("a length")),
            None => {
                let mut body = Vec::new();
                self.reader.read_to_end(&mut body).expect("the rest");
                body
            }
        }
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line().expect("a chunk"), 16).expect("a chunk's size");
            body.extend(self.exactly(size));
            assert_eq!(self.line().expect("the end of a chunk"), "");
            if size == 0 {
                return body;
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).expect("the whole body");
        body
    }
}

impl Answer {
    /// A header as text; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a readable header"))
    }

    /// A header as a number.
    pub fn number(&self, name: &str) -> i64 {
        self.header(name).parse().unwrap_or_else(|_| panic!("{name} is no number: {self:?}"))
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
