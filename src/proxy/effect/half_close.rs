//! A connection whose one side is closed: the client reads its end and may go on writing.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::hold;

/// Closes our side and takes in what the client sends until it closes its own.
pub(in crate::proxy) async fn half_close(mut stream: TcpStream) {
    if stream.shutdown().await.is_ok() {
        hold::hold(stream).await;
    }
}
