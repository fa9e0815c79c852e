//! Bytes that no HTTP library would write, in place of an answer.

use tokio::io::AsyncWriteExt;

use super::carry_out;
use crate::clock::Timer;
use crate::proxy::control::Ending;
use crate::proxy::socket::LetGo;

/// An answer as raw bytes.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct RawAnswer {
    /// Status line and header fields, with the empty line unless that is what is wrong with it.
    pub(in crate::proxy) head: Vec<u8>,
    /// What follows it.
    pub(in crate::proxy) body: Vec<u8>,
    /// How the connection ends afterwards.
    pub(in crate::proxy) then: Ending,
}

/// Writes the bytes and ends the connection.
pub(in crate::proxy) async fn write(answer: RawAnswer, mut client: LetGo, timer: &Timer) {
    let RawAnswer { head, body, then } = answer;
    if client.stream.write_all(&head).await.is_ok() && client.stream.write_all(&body).await.is_ok() && client.stream.flush().await.is_ok() {
        carry_out(then, client, timer).await;
    }
}
