//! Bytes that pass both ways and are not looked at: an upgraded connection (RFC 9110 §7.8), such as a WebSocket.

use std::cell::Cell;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy_bidirectional};

use super::effect::reset;
use super::socket::LetGo;
use crate::client::Stream;
use crate::clock::Timer;
use crate::units::Micros;

/// The target's end of a tunnel.
pub(super) struct FarEnd {
    pub(super) stream: Stream,
    /// What the target has sent already.
    pub(super) unread: Bytes,
}

/// Carries bytes until both sides have closed, or one is reset: then the other is too. Where nothing has passed for this long,
/// both are closed.
pub(super) async fn carry(mut client: LetGo, mut target: FarEnd, timer: &Timer, silence: Micros) {
    if let Err(error) = both_ways(&mut client, &mut target, timer, silence).await
        && error.kind() == io::ErrorKind::ConnectionReset
    {
        let _ = target.stream.socket().set_zero_linger();
        drop(target);
        reset::reset(client.stream.into_socket(), timer).await;
    }
}

async fn both_ways(client: &mut LetGo, target: &mut FarEnd, timer: &Timer, silence: Micros) -> io::Result<()> {
    let moved = Cell::new(false);
    let mut carried = pin!(async {
        let (to_target, to_client) = (std::mem::take(&mut client.unread), std::mem::take(&mut target.unread));
        let mut client = Noticed { stream: &mut client.stream, moved: &moved };
        let mut target = Noticed { stream: &mut target.stream, moved: &moved };
        target.write_all(&to_target).await?;
        client.write_all(&to_client).await?;
        copy_bidirectional(&mut client, &mut target).await.map(|_| ())
    });
    loop {
        match timer.within(timer.clock().now() + silence, carried.as_mut()).await {
            Some(done) => return done,
            None if moved.take() => {}
            None => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// A stream of which is noticed whether anything passes.
struct Noticed<'s, S> {
    stream: &'s mut S,
    moved: &'s Cell<bool>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noticed<'_, S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut *self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.moved.set(true);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noticed<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream).poll_write(cx, bytes);
        if written.is_ready() {
            self.moved.set(true);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_shutdown(cx)
    }
}
