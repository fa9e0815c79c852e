//! Each effect to the byte and to the millisecond, as a raw socket sees it, and curl, and Python's http.client.

mod connections;
mod framing;
mod http2;
mod judges;
mod streams;
mod timing;

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use super::rig::{Broken, Client};
use brownout::record::{ProxyTally, Unfired};

/// A connection's bytes as they came, with the time of each read since the request, and how it ended.
pub struct Seen {
    pub pieces: Vec<(Duration, Vec<u8>)>,
    pub end: Option<Broken>,
}

impl Seen {
    /// Sends a request and reads until the connection ends, or until it has been silent for this long.
    pub fn of(client: &mut Client, request: &str, silence: Duration) -> Seen {
        let begun = Instant::now();
        client.socket.write_all(request.as_bytes()).expect("a socket");
        client.socket.set_read_timeout(Some(silence)).expect("a socket");
        let (mut pieces, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        let end = loop {
            match client.socket.read(&mut buffer) {
                Ok(0) => break Some(Broken::Closed),
                Ok(n) => pieces.push((begun.elapsed(), buffer[..n].to_vec())),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break Some(Broken::Reset),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break None,
                Err(error) => panic!("{error}"),
            }
        };
        Seen { pieces, end }
    }

    /// Everything that came.
    pub fn bytes(&self) -> String {
        self.pieces.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect()
    }

    /// Head and body, as they stood on the wire.
    pub fn parts(&self) -> (String, String) {
        let bytes = self.bytes();
        let (head, body) = bytes.split_once("\r\n\r\n").unwrap_or((&bytes, ""));
        (head.to_owned(), body.to_owned())
    }

    /// When so many bytes had come.
    pub fn when(&self, bytes: usize) -> Duration {
        let mut come = 0;
        let piece = self.pieces.iter().find(|(_, piece)| {
            come += piece.len();
            come >= bytes
        });
        piece.unwrap_or_else(|| panic!("only {come} bytes came")).0
    }
}

/// How often a rule was not done for this reason.
pub fn unfired(tally: &ProxyTally, why: Unfired) -> u64 {
    let place = Unfired::ALL.iter().position(|&one| one == why).expect("a reason");
    tally.rules[0].unfired[place]
}
