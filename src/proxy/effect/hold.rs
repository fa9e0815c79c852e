//! A connection on which nothing is said any more.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Says nothing until the client goes away; what it still sends is taken in.
pub(in crate::proxy) async fn hold(mut stream: TcpStream) {
    let mut unread = [0; 4096];
    while stream.read(&mut unread).await.is_ok_and(|n| n > 0) {}
}
