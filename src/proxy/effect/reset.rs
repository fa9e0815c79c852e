//! A connection that is reset: the client's next read fails with "connection reset by peer".

use tokio::net::TcpStream;

/// Resets the connection: a socket closed with a linger time of zero sends RST and not FIN (POSIX `SO_LINGER`).
///
/// What was written before must have left: a reset discards what the kernel still holds.
pub(in crate::proxy) fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
    drop(stream);
}
