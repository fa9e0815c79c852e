//! Bytes that no HTTP library would write, in place of an answer.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::response;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use super::carry_out;
use crate::client::failure::inside_the_body;
use crate::clock::Timer;
use crate::proxy::control::Ending;
use crate::proxy::identity::Identity;
use crate::proxy::mark::Mark;
use crate::proxy::relay::ending_of;
use crate::proxy::socket::{ClientStream, LetGo};
use crate::proxy::upstream::Lease;

/// A line in the place of a chunk's size that is no number (RFC 9112 §7.1: 1*HEXDIG).
const NO_SIZE: &[u8] = b"not-a-size\r\n";

/// An answer as raw bytes.
#[derive(Debug)]
pub(in crate::proxy) struct RawAnswer {
    /// Status line and header fields, with the empty line unless that is what is wrong with it.
    pub(in crate::proxy) head: Vec<u8>,
    /// What follows it.
    pub(in crate::proxy) body: RawBody,
    /// How the connection ends afterwards.
    pub(in crate::proxy) then: Ending,
}

/// What follows a raw head.
#[derive(Debug)]
pub(in crate::proxy) enum RawBody {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The target's body as it comes, wrongly framed.
    Relayed(Box<Relayed>),
}

/// How a body is framed, wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Framing {
    /// By this length, which is not its own.
    Length(u64),
    /// In chunks, up to so many bytes; then comes one whose size is no number.
    ChunksUpTo(u64),
}

/// The target's body on its way past hyper.
pub(in crate::proxy) struct Relayed {
    pub(in crate::proxy) framing: Framing,
    pub(in crate::proxy) body: Incoming,
    pub(in crate::proxy) lease: Lease,
    pub(in crate::proxy) identity: Identity,
    pub(in crate::proxy) mark: Mark,
}

impl fmt::Debug for Relayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relayed").field("framing", &self.framing).finish_non_exhaustive()
    }
}

/// Writes the bytes and ends the connection.
pub(in crate::proxy) async fn write(answer: RawAnswer, mut client: LetGo, timer: &Timer) {
    let RawAnswer { head, body, then } = answer;
    if client.stream.write_all(&head).await.is_err() {
        return;
    }
    let written = match body {
        RawBody::Bytes(bytes) => client.stream.write_all(&bytes).await.map(|()| then),
        RawBody::Relayed(relayed) => relayed.write(&mut client.stream).await.map(|failed| failed.unwrap_or(then)),
    };
    if let Ok(ending) = written
        && client.stream.flush().await.is_ok()
    {
        carry_out(ending, client, timer).await;
    }
}

/// The status line and the fields of a head as HTTP/1.1 writes them (RFC 9112 §2.1), up to where its framing is to follow.
pub(in crate::proxy) fn unframed(head: &response::Parts) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    let reason = head.status.canonical_reason().unwrap_or_default();
    let _ = write!(bytes, "HTTP/1.1 {} {reason}\r\n", head.status.as_u16());
    for (name, value) in &head.headers {
        let _ = write!(bytes, "{name}: ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The same with the framing that it claims.
pub(in crate::proxy) fn head(head: &response::Parts, framing: Framing) -> Vec<u8> {
    let mut bytes = unframed(head);
    let _ = match framing {
        Framing::Length(length) => write!(bytes, "content-length: {length}\r\n\r\n"),
        Framing::ChunksUpTo(_) => write!(bytes, "transfer-encoding: chunked\r\n\r\n"),
    };
    bytes
}

impl Relayed {
    /// Writes the body as it comes. How the connection ends if the target broke off; an error where the client left.
    async fn write(mut self, client: &mut ClientStream) -> io::Result<Option<Ending>> {
        let mut left = match self.framing {
            Framing::Length(_) => {
                client.flush().await?;
                self.mark.fire();
                u64::MAX
            }
            Framing::ChunksUpTo(left) => left,
        };
        let mut passed = 0;
        while left > 0 {
            let frame = poll_fn(|cx| match client_left(client, cx) {
                true => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
                false => self.lease.poll_frame(&mut self.body, cx).map(Ok::<_, io::Error>),
            });
            let data = match frame.await? {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    let failure = inside_the_body(&error).after(passed);
                    self.mark.upstream_failed(self.identity, failure);
                    return Ok(Some(ending_of(failure)));
                }
                None => break,
            };
            let data = data.slice(..data.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            left -= data.len() as u64;
            passed += data.len() as u64;
            self.piece(client, &data).await?;
        }
        if matches!(self.framing, Framing::ChunksUpTo(_)) {
            client.write_all(NO_SIZE).await?;
            client.flush().await?;
            self.mark.fire();
        } else {
            self.lease.give_back();
        }
        Ok(None)
    }

    async fn piece(&self, client: &mut ClientStream, data: &Bytes) -> io::Result<()> {
        match self.framing {
            _ if data.is_empty() => {}
            Framing::Length(_) => client.write_all(data).await?,
            Framing::ChunksUpTo(_) => {
                client.write_all(format!("{:x}\r\n", data.len()).as_bytes()).await?;
                client.write_all(data).await?;
                client.write_all(b"\r\n").await?;
            }
        }
        client.flush().await
    }
}

/// Whether the client has gone away; what it sends meanwhile is taken in.
fn client_left(client: &mut ClientStream, cx: &mut Context<'_>) -> bool {
    let mut unread = [0; 1024];
    loop {
        let mut unread = ReadBuf::new(&mut unread);
        match Pin::new(&mut *client).poll_read(cx, &mut unread) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) if !unread.filled().is_empty() => {}
            Poll::Ready(_) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_claims_the_framing_it_is_told_to() {
        let (parts, ()) = http::Response::builder().status(201).header("x-a", "1").body(()).expect("a response").into_parts();
        assert_eq!(head(&parts, Framing::Length(7)), b"HTTP/1.1 201 Created\r\nx-a: 1\r\ncontent-length: 7\r\n\r\n");
        assert_eq!(head(&parts, Framing::ChunksUpTo(0)), b"HTTP/1.1 201 Created\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n");
    }
}
