//! A connection that is reset: the client's next read fails with "connection reset by peer".

use std::io;

use tokio::net::TcpStream;

use crate::clock::Timer;
use crate::units::Micros;

/// How long the client may take to read what was sent before the reset.
const PATIENCE: Micros = Micros::from_secs(5);

/// Resets the connection: a socket closed with a linger time of zero sends RST and not FIN (POSIX `SO_LINGER`).
///
/// A reset discards what the kernel still holds, so what was written before it must have left first.
pub(in crate::proxy) async fn reset(stream: TcpStream, timer: &Timer) {
    let _ = stream.set_zero_linger();
    timer.within(timer.clock().now() + PATIENCE, drained(stream)).await;
}

/// Waits until the kernel has sent everything that was written, and closes the socket.
///
/// With `TCP_NOTSENT_LOWAT` at 1 a socket is writable only when no byte is unsent (tcp(7)). Readiness is looked
/// at anew because what is known of it is from before.
#[cfg(target_os = "linux")]
async fn drained(stream: TcpStream) -> io::Result<()> {
    socket2::SockRef::from(&stream).set_tcp_notsent_lowat(1)?;
    TcpStream::from_std(stream.into_std()?)?.writable().await
}

#[cfg(not(target_os = "linux"))]
async fn drained(_stream: TcpStream) -> io::Result<()> {
    Ok(())
}
