//! The guard against requests that two parsers would read differently (request smuggling).
//!
//! It reads a client's bytes before the HTTP library does and knows four things of HTTP/1: lines, which fields say
//! how a body is framed, how long a body is, and chunks. What it refuses: both lengths, several, or one that is not
//! a plain number (RFC 9112 §6.3), a transfer coding other than `chunked`, folded lines (§5.2), a line that does
//! not end in CR LF, CR or NUL anywhere else (§2.2, RFC 9110 §5.5), no `Host` or several (§3.2), chunks with
//! anything but digits before their extension, and fields of the head in a trailer. All else is left to the library.
//!
//! The byte at which bytes are refused is turned into NUL, which no parser of heads or chunks takes: the library
//! answers 400 and closes, and no head that was refused ever reaches it whole.

use memchr::{memchr, memchr2};

/// Lines are remembered up to here, where they come in pieces: enough for every field that is looked at.
const REMEMBERED: usize = 256;
/// A chunk's size in digits: fifteen of them are more than anybody can send.
const SIZE_DIGITS: usize = 15;

/// Reads along with one client.
#[derive(Debug, Default)]
pub(super) struct Guard {
    at: At,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// How long that line is so far.
    length: usize,
    /// Whether it ends in CR so far.
    carriage: bool,
    head: Framing,
}

/// Where in the client's bytes the guard is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Before a request line; empty lines are skipped (RFC 9112 §2.2).
    #[default]
    Start,
    Fields,
    /// So many bytes of a body with a length are still to come.
    Body(u64),
    ChunkSize,
    Chunk(u64),
    /// After the bytes of a chunk.
    ChunkCarriage,
    ChunkFeed,
    Trailers,
    /// Not HTTP any more.
    Tunnel,
    Refused,
}

/// What a head says about the body.
#[derive(Clone, Copy, Debug, Default)]
struct Framing {
    connect: bool,
    /// HTTP/1.1 demands a host and permits chunks.
    modern: bool,
    length: Option<u64>,
    chunked: bool,
    hosts: u32,
}

/// What of a request is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    /// Nothing: what was read ends where a request ends.
    Nothing,
    Head,
    Body,
}

/// Two parsers might read it differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ambiguous;

impl Guard {
    /// Reads on. Returns how many bytes may go on to the library; if they are fewer, the last of them was spoiled.
    pub(super) fn inspect(&mut self, bytes: &mut [u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            match self.step(&bytes[done..]) {
                Ok(n) => done += n,
                Err((n, Ambiguous)) => {
                    self.at = At::Refused;
                    bytes[done + n] = 0;
                    return done + n + 1;
                }
            }
        }
        done
    }

    /// Whether something was refused: nothing may be read any more.
    pub(super) fn has_refused(&self) -> bool {
        self.at == At::Refused
    }

    /// What of a request is still to come.
    pub(super) fn pending(&self) -> Pending {
        match self.at {
            At::Start if self.length == 0 => Pending::Nothing,
            At::Start | At::Fields => Pending::Head,
            At::Body(_) | At::ChunkSize | At::Chunk(_) | At::ChunkCarriage | At::ChunkFeed | At::Trailers => Pending::Body,
            At::Tunnel | At::Refused => Pending::Nothing,
        }
    }

    /// Reads some bytes: how many, or which one is refused.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, (usize, Ambiguous)> {
        match self.at {
            At::Body(left) => {
                let (n, left) = skip(left, bytes);
                self.at = if left == 0 { At::Start } else { At::Body(left) };
                Ok(n)
            }
            At::Chunk(left) => {
                let (n, left) = skip(left, bytes);
                self.at = if left == 0 { At::ChunkCarriage } else { At::Chunk(left) };
                Ok(n)
            }
            At::ChunkCarriage if bytes[0] == b'\r' => {
                self.at = At::ChunkFeed;
                Ok(1)
            }
            At::ChunkFeed if bytes[0] == b'\n' => {
                self.at = At::ChunkSize;
                Ok(1)
            }
            At::ChunkCarriage | At::ChunkFeed | At::Refused => Err((0, Ambiguous)),
            At::Tunnel => Ok(bytes.len()),
            At::Start | At::Fields | At::ChunkSize | At::Trailers => self.part_of_line(bytes),
        }
    }

    /// Reads up to the end of a line.
    fn part_of_line(&mut self, bytes: &[u8]) -> Result<usize, (usize, Ambiguous)> {
        let end = memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        if self.carriage && !part.is_empty() {
            return Err((0, Ambiguous));
        }
        // CR may only stand before LF; at the end of what has come so far, that is to be seen.
        if let Some(odd) = memchr2(b'\r', 0, part)
            && (part[odd] == 0 || odd + 1 < part.len())
        {
            return Err((odd, Ambiguous));
        }
        let carriage = part.last() == Some(&b'\r');
        let Some(end) = end else {
            self.remember(part);
            self.carriage = carriage;
            return Ok(bytes.len());
        };
        if !(carriage || self.carriage) {
            return Err((end, Ambiguous));
        }
        let text = &part[..part.len() - usize::from(carriage)];
        let judged = if self.length == 0 {
            // However a line came, in one piece or many, the same of it is looked at.
            self.line_ends(&text[..text.len().min(REMEMBERED)], text.len())
        } else {
            self.remember(text);
            let line = std::mem::take(&mut self.line);
            let length = self.length - usize::from(self.carriage);
            self.line_ends(&line[..line.len().min(length)], length)
        };
        (self.length, self.carriage) = (0, false);
        judged.map(|()| end + 1).map_err(|ambiguous| (end, ambiguous))
    }

    fn remember(&mut self, part: &[u8]) {
        let room = REMEMBERED.saturating_sub(self.line.len());
        self.line.extend_from_slice(&part[..part.len().min(room)]);
        self.length += part.len();
    }

    /// A line is complete; of a long one only the beginning may be known.
    fn line_ends(&mut self, line: &[u8], length: usize) -> Result<(), Ambiguous> {
        match self.at {
            At::Start if length == 0 => Ok(()),
            At::Start => {
                self.head = Framing {
                    connect: line.starts_with(b"CONNECT "),
                    // Where the end of a long line is not known, it is taken for modern, the stricter reading.
                    modern: line.len() < length || !line.ends_with(b"HTTP/1.0"),
                    ..Framing::default()
                };
                self.at = At::Fields;
                Ok(())
            }
            At::Fields if length == 0 => {
                self.at = self.head.what_follows()?;
                Ok(())
            }
            At::Fields => self.head.field(line, length),
            At::ChunkSize => {
                self.at = match chunk_size(line)? {
                    0 => At::Trailers,
                    size => At::Chunk(size),
                };
                Ok(())
            }
            At::Trailers if length == 0 => {
                self.at = At::Start;
                Ok(())
            }
            At::Trailers => match Field::of(line) {
                Field::Other => Ok(()),
                _ => Err(Ambiguous),
            },
            At::Body(_) | At::Chunk(_) | At::ChunkCarriage | At::ChunkFeed | At::Tunnel | At::Refused => {
                unreachable!("these have no lines")
            }
        }
    }
}

fn skip(left: u64, bytes: &[u8]) -> (usize, u64) {
    let n = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    (n, left - n as u64)
}

/// The fields that the guard looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Folded,
    Length,
    Coding,
    Host,
    Other,
}

impl Field {
    fn of(line: &[u8]) -> Field {
        let named = |name: &str| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()));
        match line.first() {
            Some(b' ' | b'\t') => Field::Folded,
            Some(b'c' | b'C') if named("content-length:") => Field::Length,
            Some(b't' | b'T') if named("transfer-encoding:") => Field::Coding,
            Some(b'h' | b'H') if named("host:") => Field::Host,
            _ => Field::Other,
        }
    }
}

impl Framing {
    fn field(&mut self, line: &[u8], length: usize) -> Result<(), Ambiguous> {
        let field = Field::of(line);
        if field != Field::Other && field != Field::Host && line.len() < length {
            return Err(Ambiguous);
        }
        let value = line.iter().position(|&byte| byte == b':').map_or(&[][..], |colon| line[colon + 1..].trim_ascii());
        match field {
            Field::Folded => return Err(Ambiguous),
            Field::Host => self.hosts += 1,
            Field::Length if self.length.is_some() || self.chunked => return Err(Ambiguous),
            Field::Length => self.length = Some(number(value).ok_or(Ambiguous)?),
            Field::Coding if self.length.is_some() || self.chunked || !value.eq_ignore_ascii_case(b"chunked") => return Err(Ambiguous),
            Field::Coding => self.chunked = true,
            Field::Other => {}
        }
        Ok(())
    }

    /// Where the guard is after the head.
    fn what_follows(self) -> Result<At, Ambiguous> {
        if self.hosts > 1 || self.modern && self.hosts == 0 || self.chunked && !self.modern {
            return Err(Ambiguous);
        }
        Ok(match self {
            Framing { connect: true, .. } => At::Tunnel,
            Framing { chunked: true, .. } => At::ChunkSize,
            Framing { length: Some(length @ 1..), .. } => At::Body(length),
            _ => At::Start,
        })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

fn chunk_size(line: &[u8]) -> Result<u64, Ambiguous> {
    let digits = memchr(b';', line).map_or(line, |end| &line[..end]);
    if digits.is_empty() || digits.len() > SIZE_DIGITS || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(Ambiguous);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| Ambiguous)?;
    u64::from_str_radix(digits, 16).map_err(|_| Ambiguous)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What reaches the library of these bytes, given to the guard in pieces of this size.
    fn through(text: &str, piece: usize) -> (String, Pending) {
        let mut guard = Guard::default();
        let mut bytes = text.as_bytes().to_vec();
        let mut passed = Vec::new();
        for part in bytes.chunks_mut(piece) {
            let n = guard.inspect(part);
            passed.extend_from_slice(&part[..n]);
            if guard.has_refused() {
                return (String::from_utf8_lossy(&passed).into_owned(), Pending::Nothing);
            }
        }
        (String::from_utf8_lossy(&passed).into_owned(), guard.pending())
    }

    #[test]
    fn requests_that_can_be_read_in_one_way_only_pass_unchanged() {
        let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "p".repeat(600), "v".repeat(600));
        for (text, pending, why) in [
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", Pending::Nothing, "no body"),
            ("\r\nGET / HTTP/1.0\r\n\r\n", Pending::Nothing, "an old client, and an empty line before"),
            (
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\na\nb\0cGET / HTTP/1.1\r\nHost: h\r\n\r\n",
                Pending::Nothing,
                "any body",
            ),
            ("POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 9\r\n\r\nab", Pending::Body, "within a body"),
            (
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\n\r\n\0\r\n0\r\nX: 1\r\n\r\nGET",
                Pending::Head,
                "chunks, a trailer, and the next head",
            ),
            ("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n\x16\x03\x01\r\0", Pending::Nothing, "a tunnel"),
            ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", Pending::Body, "within a chunk"),
            (long.as_str(), Pending::Nothing, "long lines"),
        ] {
            for piece in [1, 2, 3, 7, 10_000] {
                assert_eq!(through(text, piece), (text.to_owned(), pending), "{why}, in pieces of {piece}");
            }
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_spoiled_where_it_shows() {
        let head = "POST / HTTP/1.1\r\nHost: h\r\n";
        let long = format!("Content-Length: {}5\r\n", " ".repeat(600));
        for (rest, left, why) in [
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "Content-Length: 5\r\nTransfer-Encoding: chunked\r", "both"),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r", "both"),
            ("Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "Content-Length: 5\r\nContent-Length: 5\r", "two lengths"),
            ("Content-Length: 5, 5\r\n\r\n", "Content-Length: 5, 5\r", "a list of lengths"),
            ("Content-Length: +5\r\n\r\n", "Content-Length: +5\r", "a sign"),
            ("Content-Length: \r\n\r\n", "Content-Length: \r", "an empty length"),
            ("Content-Length: 99999999999999999999\r\n\r\n", "Content-Length: 99999999999999999999\r", "a length beyond all"),
            (long.as_str(), &long[..long.len() - 1], "a length too far away"),
            ("Transfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding: gzip, chunked\r", "another coding"),
            ("Transfer-Encoding: xchunked\r\n\r\n", "Transfer-Encoding: xchunked\r", "no coding"),
            ("X: 1\r\n folded\r\n\r\n", "X: 1\r\n folded\r", "a folded line"),
            ("X: 1\nY: 2\r\n\r\n", "X: 1", "a bare LF"),
            ("X: 1\rY: 2\r\n\r\n", "X: 1", "a bare CR"),
            ("X: 1\r\r\n\r\n", "X: 1", "two CR"),
            ("X: 1\u{0}\r\n\r\n", "X: 1", "a NUL"),
            ("Host: other\r\n\r\n", "Host: other\r\n\r", "two hosts"),
            ("Transfer-Encoding: chunked\r\n\r\n5 \r\nhello", "Transfer-Encoding: chunked\r\n\r\n5 \r", "a blank after the size"),
            ("Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello", "Transfer-Encoding: chunked\r\n\r\n0x5\r", "a prefix"),
            ("Transfer-Encoding: chunked\r\n\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n\r", "no size"),
            ("Transfer-Encoding: chunked\r\n\r\n5\nhello", "Transfer-Encoding: chunked\r\n\r\n5", "LF after the size"),
            ("Transfer-Encoding: chunked\r\n\r\n2\r\nhello", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe", "a chunk too long"),
            ("Transfer-Encoding: chunked\r\n\r\n2\r\nhe\n", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe", "LF after a chunk"),
            (
                "Transfer-Encoding: chunked\r\n\r\n0\r\nHost: x\r\n\r\n",
                "Transfer-Encoding: chunked\r\n\r\n0\r\nHost: x\r",
                "a host in a trailer",
            ),
        ] {
            for piece in [1, 2, 5, 10_000] {
                let (passed, _) = through(&format!("{head}{rest}"), piece);
                let shown = passed.strip_prefix(head).unwrap_or_else(|| panic!("{why}: {passed:?}"));
                assert!(shown.ends_with('\0'), "{why}, in pieces of {piece}: {shown:?}");
                // Where a byte tells only later that it was wrong, a CR or so more has passed.
                let shown = shown.trim_end_matches('\0').trim_end_matches('\r');
                assert_eq!(shown, left.trim_end_matches('\r'), "{why}, in pieces of {piece}");
            }
        }
        for (text, why) in [
            ("GET / HTTP/1.1\r\n\r\n", "no host"),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "chunks before there were any"),
            ("GET / HTTP/1.1\nHost: h\n\n", "bare LF throughout"),
        ] {
            assert!(through(text, 10_000).0.ends_with('\0'), "{why}");
        }
    }
}
