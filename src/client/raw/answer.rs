//! An answer, read piece by piece as it arrives, by a parser that gives up late.
//!
//! [`Answer`] does no I/O: it is fed bytes and told how they ended. Whatever cuts the bytes into pieces, it comes to
//! the same. Memory is bounded by the kept part of the body and 64 KiB of head; each byte is looked at once.

use http::{HeaderMap, Version};

use super::head::{FIELDS, Framing, chunk_size, field, framing, status_line};
use crate::wire::{Ending, Failure, Phase};

/// Bytes of one head, its status line included, and of one trailer section.
pub const HEAD: usize = 64 * 1024;
/// Bytes of a line that begins a chunk.
const CHUNK_LINE: usize = 4 * 1024;
/// Interim answers before the final one, at most.
const INTERIM: usize = 16;
/// Bytes of surplus that are kept.
const SURPLUS: usize = 512;

/// What was odd and could be understood all the same, each once.
#[derive(Clone, Debug, Default)]
pub struct Oddities(Vec<&'static str>);

impl Oddities {
    pub(super) fn note(&mut self, what: &'static str) {
        if !self.0.contains(&what) {
            self.0.push(what);
        }
    }
}

/// How the bytes of an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The target closed the connection in order.
    Closed,
    /// The target reset it.
    Reset,
    /// Its encryption was spoiled.
    Spoiled,
    /// Nothing more came for a while after the end of the message, or where no end can be known.
    Silent,
    /// Time ran out.
    OutOfTime,
    /// More came than is read.
    TooMuch,
}

/// An answer under way.
#[derive(Debug)]
pub struct Answer {
    method: String,
    keep: usize,
    state: State,
    line: Vec<u8>,
    /// Bytes of the head, or of the trailers, so far.
    head_bytes: usize,
    status_line: Option<(u16, Version, String)>,
    headers: HeaderMap,
    fields: usize,
    /// The last field line: the next one may continue it.
    last_field: Option<Vec<u8>>,
    interim: Vec<u16>,
    body: Vec<u8>,
    content: u64,
    surplus: u64,
    surplus_begin: Vec<u8>,
    odd: Oddities,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    StatusLine,
    Fields,
    Content {
        left: u64,
    },
    UntilClose,
    /// The length makes no sense.
    UntilSilence,
    ChunkSize,
    ChunkData {
        left: u64,
    },
    ChunkEnd,
    Trailers,
    Over,
    Nonsense,
}

/// An answer that has ended.
#[derive(Clone, Debug)]
pub struct Understood {
    pub ending: Ending,
    /// Status, version and reason.
    pub status_line: Option<(u16, Version, String)>,
    pub headers: HeaderMap,
    /// The content, or its beginning.
    pub body: Vec<u8>,
    pub body_complete: bool,
    /// Content and surplus; where reading was given up, what the answer had announced.
    pub body_bytes: u64,
    pub surplus: u64,
    pub interim: Vec<u16>,
    pub oddities: Vec<&'static str>,
}

impl Answer {
    /// Nothing yet, to a request of this method; so many bytes of the body are kept.
    pub fn new(method: &str, keep: usize) -> Answer {
        Answer {
            method: method.to_owned(),
            keep,
            state: State::StatusLine,
            line: Vec::new(),
            head_bytes: 0,
            status_line: None,
            headers: HeaderMap::new(),
            fields: 0,
            last_field: None,
            interim: Vec::new(),
            body: Vec::new(),
            content: 0,
            surplus: 0,
            surplus_begin: Vec::new(),
            odd: Oddities::default(),
        }
    }

    /// Whether the head of the final answer is there.
    pub fn has_head(&self) -> bool {
        self.status_line.is_some() && !matches!(self.state, State::StatusLine | State::Fields)
    }

    /// Whether the target said to go on with the body (`100 Continue`).
    pub fn says_continue(&self) -> bool {
        self.interim.contains(&100)
    }

    /// Whether the message has ended: whatever still comes is surplus.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Whether only silence can end the message.
    pub fn ends_in_silence(&self) -> bool {
        self.state == State::UntilSilence
    }

    /// Whether it cannot be understood: there is no use in reading on.
    pub fn is_nonsense(&self) -> bool {
        self.state == State::Nonsense
    }

    /// Takes what arrived.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::StatusLine | State::Fields | State::ChunkSize | State::ChunkEnd | State::Trailers => self.feed_line(bytes),
                State::Content { left } => {
                    let (here, rest) = split(bytes, left);
                    let left = left - here.len() as u64;
                    self.state = if left == 0 { State::Over } else { State::Content { left } };
                    self.take(here);
                    rest
                }
                State::ChunkData { left } => {
                    let (here, rest) = split(bytes, left);
                    let left = left - here.len() as u64;
                    self.state = if left == 0 { State::ChunkEnd } else { State::ChunkData { left } };
                    self.take(here);
                    rest
                }
                State::UntilClose | State::UntilSilence => {
                    self.take(bytes);
                    &[]
                }
                State::Over => {
                    self.surplus += bytes.len() as u64;
                    let room = SURPLUS - self.surplus_begin.len();
                    self.surplus_begin.extend_from_slice(&bytes[..bytes.len().min(room)]);
                    &[]
                }
                State::Nonsense => &[],
            };
        }
    }

    /// What it came to.
    pub fn finish(mut self, end: End) -> Understood {
        let another = self.surplus_begin.starts_with(b"HTTP/1.");
        let empty_line = matches!(self.surplus_begin.as_slice(), b"\r\n" | b"\n");
        if another {
            self.odd.note("another answer behind this one");
        } else if empty_line {
            self.odd.note("an empty line behind the message");
        }
        let surplus = if another || empty_line { 0 } else { self.surplus };
        let ending = self.ending(end);
        let announced = match (end, self.state) {
            (End::TooMuch, State::Content { left }) => left,
            _ => 0,
        };
        let whole = matches!(ending, Ending::Answered(_)) && end != End::TooMuch;
        let has_head = self.has_head();
        Understood {
            ending,
            status_line: self.status_line.filter(|_| has_head),
            headers: if has_head { self.headers } else { HeaderMap::new() },
            body_complete: whole && self.body.len() as u64 == self.content,
            body: self.body,
            body_bytes: self.content.saturating_add(surplus).saturating_add(announced),
            surplus,
            interim: self.interim,
            oddities: self.odd.0,
        }
    }

    fn ending(&self, end: End) -> Ending {
        let status = self.status_line.as_ref().map_or(0, |(status, ..)| *status);
        let failure = match (self.state, end) {
            (State::Nonsense, _) => Failure::BadProtocol,
            (State::Over, _) | (State::UntilClose | State::UntilSilence, End::Closed | End::Silent) => return Ending::Answered(status),
            (_, End::TooMuch) if self.has_head() => return Ending::Answered(status),
            (_, End::TooMuch) => Failure::BadProtocol,
            (_, End::Spoiled) => Failure::Tls,
            (State::StatusLine | State::Fields, End::Closed) => Failure::Closed,
            (State::StatusLine | State::Fields, End::Reset) => Failure::Reset,
            (State::StatusLine | State::Fields, End::OutOfTime | End::Silent) => Failure::TimedOut(Phase::FirstByte),
            (_, End::Closed) => Failure::BodyCutShort { received: self.content, reset: false },
            (_, End::Reset) => Failure::BodyCutShort { received: self.content, reset: true },
            (_, End::OutOfTime | End::Silent) => Failure::TimedOut(Phase::Total),
        };
        Ending::Failed(failure)
    }

    /// Takes bytes up to the end of a line; the rest is given back.
    fn feed_line<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let here = &bytes[..end.map_or(bytes.len(), |at| at + 1)];
        let rest = &bytes[here.len()..];
        self.head_bytes += here.len();
        let most = if matches!(self.state, State::ChunkSize | State::ChunkEnd) { CHUNK_LINE } else { HEAD };
        if self.head_bytes > most {
            self.nonsense(if most == HEAD { "a head of more than 64 KiB" } else { "a chunk that begins with a line of more than 4 KiB" });
            return rest;
        }
        self.line.extend_from_slice(here);
        // Another protocol need not end its lines for us to see that it is one.
        if self.state == State::StatusLine && !could_be_http(&self.line) {
            self.nonsense("what came is not HTTP");
            return rest;
        }
        if end.is_some() {
            let mut line = std::mem::take(&mut self.line);
            line.pop();
            match line.last() {
                Some(b'\r') => drop(line.pop()),
                _ => self.odd.note("a line that ends without a carriage return"),
            }
            self.take_line(&line);
            line.clear();
            self.line = line;
        }
        rest
    }

    fn take_line(&mut self, line: &[u8]) {
        match self.state {
            State::StatusLine if line.is_empty() => self.odd.note("an empty line before the status line"),
            State::StatusLine => match status_line(line, &mut self.odd) {
                Some(found) => {
                    self.status_line = Some(found);
                    self.state = State::Fields;
                }
                None => self.nonsense("a status line that is none"),
            },
            State::Fields => self.field_line(line),
            State::ChunkSize => {
                self.head_bytes = 0;
                self.state = match chunk_size(line, &mut self.odd) {
                    Some(0) => State::Trailers,
                    Some(left) => State::ChunkData { left },
                    None => return self.nonsense("a chunk size that is no number"),
                };
            }
            State::ChunkEnd if line.is_empty() => {
                self.head_bytes = 0;
                self.state = State::ChunkSize;
            }
            State::ChunkEnd => self.nonsense("a chunk that is longer than its size"),
            State::Trailers if line.is_empty() => self.state = State::Over,
            State::Trailers => {}
            State::Content { .. } | State::ChunkData { .. } | State::UntilClose | State::UntilSilence | State::Over | State::Nonsense => {}
        }
    }

    fn field_line(&mut self, line: &[u8]) {
        let continues = matches!(line.first(), Some(b' ' | b'\t')) && !line.trim_ascii().is_empty();
        if continues {
            self.odd.note("a header continued on the next line");
            if let Some(last) = &mut self.last_field {
                last.push(b' ');
                last.extend_from_slice(line.trim_ascii());
            }
            return;
        }
        if let Some(mut last) = self.last_field.take() {
            if last.contains(&b'\r') {
                self.odd.note("a carriage return inside a line");
                last.iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b' ');
            }
            field(&last, &mut self.headers, &mut self.odd);
        }
        if line.is_empty() {
            return self.head_ends();
        }
        self.fields += 1;
        match self.fields > FIELDS {
            true => self.nonsense("a head of more than 256 fields"),
            false => self.last_field = Some(line.to_vec()),
        }
    }

    fn head_ends(&mut self) {
        let (status, version) = self.status_line.as_ref().map_or((0, Version::HTTP_11), |(status, version, _)| (*status, *version));
        self.head_bytes = 0;
        if (100..200).contains(&status) && status != 101 {
            self.interim.push(status);
            self.status_line = None;
            self.headers.clear();
            self.fields = 0;
            self.state = State::StatusLine;
            if self.interim.len() > INTERIM {
                self.nonsense("interim answers without end");
            }
            return;
        }
        self.state = match framing(&self.method, status, version, &self.headers, &mut self.odd) {
            Framing::Nothing | Framing::Length(0) => State::Over,
            Framing::Length(left) => State::Content { left },
            Framing::Chunked => State::ChunkSize,
            Framing::Close => State::UntilClose,
            Framing::Unknown => State::UntilSilence,
        };
    }

    fn take(&mut self, content: &[u8]) {
        self.content += content.len() as u64;
        let room = self.keep.saturating_sub(self.body.len());
        self.body.extend_from_slice(&content[..content.len().min(room)]);
    }

    fn nonsense(&mut self, why: &'static str) {
        self.odd.note(why);
        // A head that was read whole stays known, what was broken came after it.
        if matches!(self.state, State::StatusLine | State::Fields) {
            self.status_line = None;
        }
        self.state = State::Nonsense;
    }
}

/// So many bytes, or all there are, and the rest.
fn split(bytes: &[u8], most: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(most).map_or(bytes.len(), |most| most.min(bytes.len())))
}

/// Whether this can be, or become, the beginning of a status line, after empty lines.
fn could_be_http(line: &[u8]) -> bool {
    let known = b"HTTP/";
    match line {
        [] | b"\r" | b"\n" | b"\r\n" => true,
        line => line.len() >= known.len() && line.starts_with(known) || known.starts_with(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, bytes: &[u8], end: End) -> Understood {
        let mut answer = Answer::new(method, 1 << 20);
        answer.feed(bytes);
        answer.finish(end)
    }

    /// What is compared: the ending, the body, its size with surplus, and what was odd.
    fn came_to(method: &str, bytes: &str, end: End) -> (Ending, String, u64, Vec<&'static str>) {
        let found = read(method, bytes.as_bytes(), end);
        (found.ending, String::from_utf8_lossy(&found.body).into_owned(), found.body_bytes, found.oddities)
    }

    const OK: Ending = Ending::Answered(200);
    const CUT: fn(u64) -> Ending = |received| Ending::Failed(Failure::BodyCutShort { received, reset: false });
    const NONSENSE: Ending = Ending::Failed(Failure::BadProtocol);

    #[test]
    fn answers_in_order_are_read_without_a_complaint() {
        for (what, method, bytes, end, body) in [
            ("a length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", End::Silent, "abc"),
            ("an empty body", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", End::Silent, ""),
            ("no reason phrase", "GET", "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", End::Silent, "x"),
            ("closed after it", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", End::Closed, "abc"),
            ("HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\n\r\nabc", End::Closed, "abc"),
            ("chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", End::Silent, "abc"),
            (
                "upper-case sizes",
                "GET",
                "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
                End::Silent,
                "0123456789",
            ),
            (
                "extensions and trailers",
                "GET",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3;a=b\r\nabc\r\n0;last\r\nX-Sum: 1\r\n\r\n",
                End::Silent,
                "abc",
            ),
            ("leading zeros", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n000\r\n\r\n", End::Silent, "abc"),
            ("HEAD has a length and no body", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", End::Silent, ""),
            (
                "early hints before it",
                "GET",
                "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                End::Silent,
                "",
            ),
            (
                "a zero-length field, tabs and empty values",
                "GET",
                "HTTP/1.1 200 OK\r\nX-A:\r\nX-B:\t b\t\r\nContent-Length:1\r\n\r\nx",
                End::Silent,
                "x",
            ),
            ("bytes beyond ASCII in a value", "GET", "HTTP/1.1 200 OK\r\nX-A: caf\u{e9}\r\nContent-Length: 0\r\n\r\n", End::Silent, ""),
        ] {
            let size = body.len() as u64;
            assert_eq!(came_to(method, bytes, end), (OK, body.to_owned(), size, Vec::new()), "{what}");
        }
    }

    #[test]
    fn odd_answers_are_understood_as_far_as_they_can_be_and_the_oddity_is_said() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let in_chunks = |rest: &str| format!("{chunked}{rest}");
        for (bytes, end, ending, body, size, oddities) in [
            (
                "HTTP/1.1 200 OK\nContent-Length: 1\n\nx".to_owned(),
                End::Silent,
                OK,
                "x",
                1,
                &["a line that ends without a carriage return"][..],
            ),
            ("\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into(), End::Silent, OK, "", 0, &["an empty line before the status line"]),
            ("HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n".into(), End::Silent, OK, "", 0, &["more than one space in the status line"]),
            (
                "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n".into(),
                End::Silent,
                OK,
                "",
                0,
                &["a status line without the space after the status"],
            ),
            ("HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n".into(), End::Silent, OK, "", 0, &["an HTTP version other than 1.0 and 1.1"]),
            (
                "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n".into(),
                End::Silent,
                OK,
                "",
                0,
                &["a header continued on the next line"],
            ),
            (
                "HTTP/1.1 200 OK\r\n X-A: b\r\nContent-Length: 0\r\n\r\n".into(),
                End::Silent,
                OK,
                "",
                0,
                &["a header continued on the next line"],
            ),
            ("HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n".into(), End::Silent, OK, "", 0, &["a header line without a colon"]),
            (
                "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx".into(),
                End::Silent,
                OK,
                "x",
                1,
                &["white space before the colon of a header"],
            ),
            ("HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 0\r\n\r\n".into(), End::Silent, OK, "", 0, &["a header without a name"]),
            (
                "HTTP/1.1 200 OK\r\nX A(: a\r\nContent-Length: 0\r\n\r\n".into(),
                End::Silent,
                OK,
                "",
                0,
                &["a header name with characters it must not have"],
            ),
            (
                "HTTP/1.1 200 OK\r\nX-A: a\u{0}b\r\nContent-Length: 0\r\n\r\n".into(),
                End::Silent,
                OK,
                "",
                0,
                &["a header value with control characters"],
            ),
            (
                "HTTP/1.1 200 OK\r\nX-A: a\rb\r\nContent-Length: 0\r\n\r\n".into(),
                End::Silent,
                OK,
                "",
                0,
                &["a carriage return inside a line"],
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx".into(),
                End::Silent,
                OK,
                "x",
                1,
                &["Content-Length more than once"],
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx".into(), End::Silent, OK, "x", 1, &["Content-Length more than once"]),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 1\r\n\r\nabc".into(),
                End::Silent,
                OK,
                "a",
                3,
                &["Content-Length values that differ"],
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc".into(), End::Silent, OK, "abc", 3, &["a Content-Length that is no number"]),
            ("HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc".into(), End::Silent, OK, "abc", 3, &["a Content-Length that is no number"]),
            ("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nabc".into(), End::Closed, OK, "abc", 3, &["a Content-Length that is no number"]),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc".into(),
                End::Closed,
                OK,
                "abc",
                3,
                &["a Content-Length that is no number"],
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n".into(),
                End::Silent,
                OK,
                "x",
                1,
                &["Content-Length beside Transfer-Encoding"],
            ),
            (
                "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n".into(),
                End::Closed,
                OK,
                "x",
                1,
                &["Transfer-Encoding in an answer of HTTP/1.0"],
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nxyz".into(),
                End::Closed,
                OK,
                "xyz",
                3,
                &["chunked is not the last transfer coding, or stands there twice"],
            ),
            (in_chunks("1 \r\nx\r\n0\r\n\r\n"), End::Silent, OK, "x", 1, &["white space around a chunk size"]),
            (in_chunks("1\nx\n0\n\n"), End::Silent, OK, "x", 1, &["a line that ends without a carriage return"]),
            (in_chunks("zz\r\n"), End::Silent, NONSENSE, "", 0, &["a chunk size that is no number"]),
            (in_chunks("-1\r\n"), End::Silent, NONSENSE, "", 0, &["a chunk size that is no number"]),
            (in_chunks("0x1\r\nx\r\n0\r\n\r\n"), End::Silent, NONSENSE, "", 0, &["a chunk size that is no number"]),
            (in_chunks("\r\n"), End::Silent, NONSENSE, "", 0, &["a chunk size that is no number"]),
            (in_chunks("ffffffffffffffff1\r\n"), End::Silent, NONSENSE, "", 0, &["a chunk size that is no number"]),
            (in_chunks("1\r\nxy\r\n"), End::Silent, NONSENSE, "x", 1, &["a chunk that is longer than its size"]),
            (in_chunks("ffffffffffffffff\r\nxy"), End::Closed, CUT(2), "xy", 2, &[]),
            (in_chunks("1\r\nx\r\n"), End::Closed, CUT(1), "x", 1, &[]),
            (in_chunks("1\r\nx\r\n0\r\n"), End::Closed, CUT(1), "x", 1, &[]),
            (in_chunks("0\r\n\r\nmore"), End::Silent, OK, "", 4, &[]),
            ("SSH-2.0-OpenSSH_9.2".into(), End::Silent, NONSENSE, "", 0, &["what came is not HTTP"]),
            ("<html>".into(), End::Closed, NONSENSE, "", 0, &["what came is not HTTP"]),
            ("HTTP/1.1 OK\r\n".into(), End::Closed, NONSENSE, "", 0, &["a status line that is none"]),
            ("HTTP/1.1 2000 OK\r\n".into(), End::Closed, NONSENSE, "", 0, &["a status line that is none"]),
            ("HTTP/1.1 20 OK\r\n".into(), End::Closed, NONSENSE, "", 0, &["a status line that is none"]),
            ("HTTP/one 200 OK\r\n".into(), End::Closed, NONSENSE, "", 0, &["a status line that is none"]),
        ] {
            assert_eq!(came_to("GET", &bytes, end), (ending, body.to_owned(), size, oddities.to_vec()), "{bytes:?}");
        }
    }

    #[test]
    fn what_follows_the_message_is_surplus() {
        for (method, bytes, size, oddities) in [
            ("HEAD", "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc", 3, &[][..]),
            ("HEAD", "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 5, &[]),
            ("GET", "HTTP/1.1 204 No Content\r\n\r\nabc", 3, &[]),
            ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc", 3, &[]),
            ("GET", "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nabc", 3, &[]),
            ("GET", "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\na\r\n", 1, &["an empty line behind the message"]),
            (
                "GET",
                "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\naHTTP/1.1 400 Bad Request\r\n\r\n",
                1,
                &["another answer behind this one"],
            ),
        ] {
            let found = read(method, bytes.as_bytes(), End::Silent);
            assert_eq!((found.body_bytes, found.oddities.as_slice()), (size, oddities), "{bytes:?}");
            assert!(matches!(found.ending, Ending::Answered(_)), "{bytes:?}");
        }
    }

    #[test]
    fn an_answer_that_ends_too_soon_says_where() {
        let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 10\r\n\r\n";
        for (bytes, end, failure) in [
            ("", End::Closed, Failure::Closed),
            ("HTTP/1.1 20", End::Closed, Failure::Closed),
            ("", End::Reset, Failure::Reset),
            (&head[..40], End::Reset, Failure::Reset),
            (&head[..40], End::OutOfTime, Failure::TimedOut(Phase::FirstByte)),
            ("HTTP/1.1 100 Continue\r\n\r\n", End::Closed, Failure::Closed),
            (&format!("{head}abcd"), End::Closed, Failure::BodyCutShort { received: 4, reset: false }),
            (&format!("{head}abcd"), End::Reset, Failure::BodyCutShort { received: 4, reset: true }),
            (&format!("{head}abcd"), End::OutOfTime, Failure::TimedOut(Phase::Total)),
            (&format!("{head}abcd"), End::Spoiled, Failure::Tls),
            ("HTTP/1.1 200 OK\r\n\r\nabc", End::Reset, Failure::BodyCutShort { received: 3, reset: true }),
        ] {
            let found = read("GET", bytes.as_bytes(), end);
            assert_eq!(found.ending, Ending::Failed(failure), "{bytes:?} {end:?}");
            assert_eq!(found.status_line.is_some(), bytes.contains("\r\n\r\n") && !bytes.contains("100"), "{bytes:?}");
            assert!(!found.body_complete);
        }
    }

    #[test]
    fn the_cuts_between_pieces_change_nothing() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nX-A: b\r\n\tc\r\nX-A: \rd\r\nTransfer-Encoding: chunked\r\n\r\n4;x\r\nabcd\r\n1\r\ne\r\n0\r\nX-T: 1\r\n\r\nsurplus";
        let whole = format!("{:?}", read("GET", bytes, End::Silent));
        assert!(whole.contains("\"b c\"") && whole.contains("surplus: 7") && whole.contains("interim: [100]"), "{whole}");
        for cut in 1..bytes.len() {
            let mut answer = Answer::new("GET", 1 << 20);
            answer.feed(&bytes[..cut]);
            answer.feed(&bytes[cut..]);
            assert_eq!(format!("{:?}", answer.finish(End::Silent)), whole, "cut at {cut}");
        }
        let mut answer = Answer::new("GET", 1 << 20);
        bytes.iter().for_each(|byte| answer.feed(&[*byte]));
        assert_eq!(format!("{:?}", answer.finish(End::Silent)), whole);
    }

    #[test]
    fn a_head_without_end_is_given_up_at_its_limits() {
        let fields: String = (0..300).map(|n| format!("X-{n}: {n}\r\n")).collect();
        let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(20);
        let long = format!("X-A: {}\r\n", "a".repeat(70_000));
        let folds = format!("X-A: b\r\n{}", " c\r\n".repeat(20_000));
        let trailers = format!("Transfer-Encoding: chunked\r\n\r\n0\r\n{}", "X-A: b\r\n".repeat(20_000));
        let extension = format!("Transfer-Encoding: chunked\r\n\r\n1;{}", "x".repeat(5_000));
        for (bytes, why) in [
            (format!("HTTP/1.1 200 OK\r\n{fields}"), "a head of more than 256 fields"),
            (format!("HTTP/1.1 200 OK\r\n{long}"), "a head of more than 64 KiB"),
            (format!("HTTP/1.1 200 OK\r\n{folds}"), "a head of more than 64 KiB"),
            (format!("HTTP/1.1 200 OK\r\n{trailers}"), "a head of more than 64 KiB"),
            (format!("HTTP/1.1 200 OK\r\n{extension}"), "a chunk that begins with a line of more than 4 KiB"),
            ("\r\n".repeat(40_000), "a head of more than 64 KiB"),
            (interim, "interim answers without end"),
        ] {
            let found = read("GET", bytes.as_bytes(), End::OutOfTime);
            assert_eq!(found.ending, NONSENSE, "{why}");
            assert_eq!(found.oddities.last(), Some(&why));
        }
    }

    #[test]
    fn a_body_is_kept_up_to_its_limit_and_counted_beyond_it() {
        let mut answer = Answer::new("GET", 4);
        answer.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcdef");
        let found = answer.finish(End::TooMuch);
        assert_eq!((found.ending, found.body.as_slice(), found.body_complete), (OK, &b"abcd"[..], false));
        assert_eq!(found.body_bytes, 10, "where we gave up, nothing is known to be missing");
    }
}
