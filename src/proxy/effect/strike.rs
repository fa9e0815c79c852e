//! A body that ends early, and its connection with it: after so many bytes, or before what would complete it.

use http_body::Frame;

use super::course::{Next, Step};
use crate::proxy::control::Ending;

/// A fault that ends the body early.
pub(in crate::proxy) struct Strike {
    /// Bytes of the body that still pass.
    left: u64,
    ending: Option<Ending>,
    /// Whether the body is sent in chunks, however the target framed it.
    in_chunks: bool,
    next: Option<Next>,
}

impl Strike {
    /// Ends the connection so after so many bytes of the body.
    pub(in crate::proxy) fn after(bytes: u64, ending: Ending) -> Strike {
        Strike { left: bytes, ending: Some(ending), in_chunks: false, next: None }
    }

    /// Sends the body in chunks, and closes the connection in order after so many bytes of it, all of them if there
    /// are fewer: the last chunk (RFC 9112 §7.1) is missing.
    pub(in crate::proxy) fn without_last_chunk(after: Option<u64>) -> Strike {
        Strike { left: after.unwrap_or(u64::MAX), ending: Some(Ending::Cut), in_chunks: true, next: None }
    }

    pub(super) fn in_chunks(&self) -> bool {
        self.in_chunks
    }

    pub(super) fn feed(&mut self, next: Next) {
        self.next = Some(next);
    }

    pub(super) fn next(&mut self) -> Step {
        if self.left > 0 {
            match self.next.take() {
                None => return Step::More,
                Some(Next::Frame(frame)) if frame.is_data() => {
                    let mut data = frame.into_data().unwrap_or_default();
                    data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
                    self.left -= data.len() as u64;
                    return Step::Pass(Frame::data(data));
                }
                // The body is shorter than hoped: it ends here, before what would complete it.
                Some(Next::Frame(_) | Next::End) => {}
            }
        }
        self.ending.take().map_or(Step::Finish, Step::End)
    }
}
