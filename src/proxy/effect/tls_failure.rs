//! A TLS handshake that fails: the client hears an alert in place of a certificate.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::cut;
use crate::clock::Timer;
use crate::proxy::attempt::Proxy;
use crate::units::Micros;

/// How long the client may take to begin the handshake.
const PATIENCE: Micros = Micros::from_secs(5);

/// An alert record: fatal, handshake_failure (RFC 8446 §6, RFC 5246 §7.2).
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// Gives the connection back where no rule makes handshakes fail now; else says that its handshake has failed, and
/// closes it in order.
pub(in crate::proxy) async fn unless_failing(proxy: &Proxy, stream: TcpStream) -> Option<TcpStream> {
    let Some(rule) = proxy.rules().failing_tls_at(proxy.timer.clock().now()) else { return Some(stream) };
    proxy.counters.borrow_mut().ledger.strikes(rule);
    if fail(stream, &proxy.timer).await {
        proxy.counters.borrow_mut().fired(rule);
    }
    None
}

/// Waits for the client to begin; `true` where it was told.
async fn fail(mut stream: TcpStream, timer: &Timer) -> bool {
    let told = async {
        let mut hello = [0; 4096];
        stream.read(&mut hello).await.is_ok_and(|n| n > 0) && stream.write_all(&ALERT).await.is_ok()
    };
    let told = timer.within(timer.clock().now() + PATIENCE, told).await == Some(true);
    cut::close(stream, timer).await;
    told
}
