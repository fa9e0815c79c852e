//! Messages that break HTTP/1.1's framing, for checks that only a client can make that looks at bytes.
//!
//! No HTTP library sends such messages. The answer is marked by a header of our own, and where the connection writes it, the
//! mark is taken out and the bytes are changed. A connection that sent one is at its end: nothing after it could be read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::contract::server::Framing;

/// Marks an answer whose framing is to be broken; never leaves the server.
pub const FRAMING_HEADER: http::HeaderName = http::HeaderName::from_static("x-brownout-framing");
/// What there is too much of.
const SURPLUS: &[u8] = b"{\"surplus\":true}";
/// By how much a body is shorter than it says.
const LACKING: usize = 64;

/// The mark's value.
pub const fn word(framing: Framing) -> &'static str {
    match framing {
        Framing::Content => "content",
        Framing::Short => "short",
        Framing::Long => "long",
    }
}

/// A connection that breaks the framing of marked answers.
pub struct Framed<S> {
    inner: S,
    /// Bytes of a changed answer that are still to be written.
    left: Vec<u8>,
}

impl<S> Framed<S> {
    /// Wraps a connection.
    pub const fn new(inner: S) -> Framed<S> {
        Framed { inner, left: Vec::new() }
    }
}

impl<S: AsyncWrite + Unpin> Framed<S> {
    fn write_left(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.left.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.left))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.left.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.write_left(cx))?;
        match broken(bytes) {
            None => Pin::new(&mut self.inner).poll_write(cx, bytes),
            Some(changed) => {
                self.left = changed;
                // What is not written now is written before anything else.
                if let Poll::Ready(Err(error)) = self.write_left(cx) {
                    return Poll::Ready(Err(error));
                }
                Poll::Ready(Ok(bytes.len()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_left(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_left(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    /// Head and body then arrive in one piece: that is what [`broken`] looks at.
    fn is_write_vectored(&self) -> bool {
        false
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

/// The answer with its framing broken, where it is marked.
fn broken(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mark = head.split("\r\n").find_map(|line| line.strip_prefix(FRAMING_HEADER.as_str())?.strip_prefix(": "))?;
    let mut changed = String::with_capacity(head.len());
    for line in head.trim_end_matches("\r\n").split("\r\n").filter(|line| !line.starts_with(FRAMING_HEADER.as_str())) {
        match line.strip_prefix("content-length: ").and_then(|length| length.parse::<usize>().ok()) {
            Some(length) if mark == word(Framing::Short) => changed.push_str(&format!("content-length: {}", length + LACKING)),
            _ => changed.push_str(line),
        }
        changed.push_str("\r\n");
    }
    changed.push_str("\r\n");
    let surplus = if mark == word(Framing::Short) { &b""[..] } else { SURPLUS };
    Some([changed.as_bytes(), &bytes[end..], surplus].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_answer_is_changed_and_its_mark_taken_out() {
        let plain = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nx-a: b\r\n\r\n{}";
        assert_eq!(broken(plain.as_bytes()), None);
        let marked = |framing| plain.replace("x-a: b\r\n", &format!("x-a: b\r\nx-brownout-framing: {}\r\n", word(framing)));
        let text = |framing| String::from_utf8(broken(marked(framing).as_bytes()).unwrap()).unwrap();
        assert_eq!(text(Framing::Short), plain.replace(": 2", ": 66"));
        assert_eq!(text(Framing::Long), format!("{plain}{{\"surplus\":true}}"));
        assert_eq!(text(Framing::Content), text(Framing::Long));
    }
}
