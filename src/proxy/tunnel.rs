//! Bytes that pass both ways and are not looked at: an upgraded connection (RFC 9110 §7.8), such as a WebSocket.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, copy_bidirectional};

use super::effect::reset;
use super::socket::LetGo;
use crate::client::Stream;
use crate::clock::Timer;

/// The target's end of a tunnel.
pub(super) struct FarEnd {
    pub(super) stream: Stream,
    /// What the target has sent already.
    pub(super) unread: Bytes,
}

/// Carries bytes until both sides have closed, or one is reset: then the other is too.
pub(super) async fn carry(mut client: LetGo, mut target: FarEnd, timer: &Timer) {
    if let Err(error) = both_ways(&mut client, &mut target).await
        && error.kind() == io::ErrorKind::ConnectionReset
    {
        let _ = target.stream.socket().set_zero_linger();
        drop(target);
        reset::reset(client.stream.into_socket(), timer).await;
    }
}

async fn both_ways(client: &mut LetGo, target: &mut FarEnd) -> io::Result<()> {
    target.stream.write_all(&std::mem::take(&mut client.unread)).await?;
    client.stream.write_all(&std::mem::take(&mut target.unread)).await?;
    copy_bidirectional(&mut client.stream, &mut target.stream).await.map(|_| ())
}
