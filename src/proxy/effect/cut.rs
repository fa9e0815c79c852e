//! A connection that is closed in order, too early: the client's next read says that there is no more.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clock::Timer;
use crate::units::Micros;

/// How long the client may take to close its side.
const PATIENCE: Micros = Micros::from_secs(1);

/// Closes the connection in order and takes in what the client is still sending.
///
/// A socket that is closed with bytes unread sends RST (RFC 2525 §2.17), which would be another fault than the
/// one decided.
pub(in crate::proxy) async fn close(mut stream: TcpStream, timer: &Timer) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut unread = [0; 4096];
    let taken_in = async { while stream.read(&mut unread).await.is_ok_and(|n| n > 0) {} };
    timer.within(timer.clock().now() + PATIENCE, taken_in).await;
}
