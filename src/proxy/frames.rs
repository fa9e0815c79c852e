//! Reads along with a client of HTTP/2, to know whether it keeps others waiting in the middle of something.

use super::guard::Pending;

/// Octets of what a client sends before its first frame (RFC 9113 §3.4).
const PREFACE: u32 = 24;
/// Octets of a frame's head (§4.1).
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
/// The flag of a frame that ends the fields of a head (§6.2).
const END_HEADERS: u8 = 4;

/// Where in the frames of one client its bytes have come to.
#[derive(Debug)]
pub(super) struct Frames {
    /// The head of the frame at hand, as far as it has come.
    head: [u8; HEAD],
    known: usize,
    /// Octets of the frame, or of the preface, that are still to come.
    left: u32,
    /// Whether a frame with the rest of a request's fields has to follow.
    fields: bool,
    /// Whether anything has come.
    begun: bool,
}

impl Frames {
    pub(super) fn new() -> Frames {
        Frames { head: [DATA; HEAD], known: 0, left: PREFACE, fields: false, begun: false }
    }

    /// Reads on. Returns whether a frame was completed.
    pub(super) fn inspect(&mut self, mut bytes: &[u8]) -> bool {
        let mut completed = false;
        self.begun |= !bytes.is_empty();
        while !bytes.is_empty() {
            if self.left > 0 {
                let n = bytes.len().min(self.left as usize);
                self.left -= u32::try_from(n).unwrap_or(self.left);
                bytes = &bytes[n..];
            } else {
                self.head[self.known] = bytes[0];
                self.known += 1;
                bytes = &bytes[1..];
                if self.known < HEAD {
                    continue;
                }
                self.known = 0;
                self.left = u32::from_be_bytes([0, self.head[0], self.head[1], self.head[2]]);
                if [HEADERS, CONTINUATION].contains(&self.head[3]) {
                    self.fields = self.head[4] & END_HEADERS == 0;
                }
            }
            completed |= self.left == 0;
        }
        completed
    }

    /// What of a request, or of anything else, is still to come.
    pub(super) fn pending(&self) -> Pending {
        match self.left {
            0 if self.known == 0 && !self.fields => Pending::Nothing,
            _ if !self.begun => Pending::Nothing,
            1.. if self.head[3] == DATA => Pending::Body,
            _ => Pending::Head,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unfinished_is_known_at_every_byte() {
        let frame = |length: u8, kind, flags| [0, 0, length, kind, flags, 0, 0, 0, 1];
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(0, 4, 0)); // settings
        bytes.extend([&frame(2, HEADERS, 0)[..], b"xx", &frame(1, CONTINUATION, END_HEADERS), b"x", &frame(3, DATA, 1), b"abc"].concat());
        let finished = [0, 24 + 9, 24 + 9 + 11 + 10, 24 + 9 + 11 + 10 + 12];
        let mut frames = Frames::new();
        for at in 0..=bytes.len() {
            assert_eq!(frames.pending() == Pending::Nothing, finished.contains(&at) || at == 24, "after {at} bytes");
            frames.inspect(&bytes[at..(at + 1).min(bytes.len())]);
        }
        let mut frames = Frames::new();
        assert!(frames.inspect(&bytes[..bytes.len() - 1]));
        assert_eq!(frames.pending(), Pending::Body);
        assert!(frames.inspect(b"c"));
    }
}
