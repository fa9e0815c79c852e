//! What can be done to one attempt, one kind each; how it is done stands in the proxy.

use http::HeaderMap;

use crate::id::RowIx;
use crate::units::{Micros, Size};

/// What is done to an attempt.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answered by the proxy; the target never sees it.
    Respond(Respond),
    /// The connection is reset after so many bytes of the target's answer body (0: before the request is forwarded).
    Reset { after: Size },
    /// The connection is closed in order after so many bytes of the target's answer body.
    Cut { after: Size },
}

/// An answer made by the proxy.
#[derive(Clone, Debug)]
pub enum Respond {
    /// A documented error: the contract supplies status, body and headers.
    Error { row: RowIx, retry_after: Option<Micros>, retry_after_form: RetryAfterForm },
    /// As written in the plan, wrong on purpose where the author wants it.
    Literal { status: u16, headers: HeaderMap, body: Vec<u8> },
}

/// How an injected Retry-After is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RetryAfterForm {
    #[default]
    Seconds,
    Date,
}

impl Fault {
    /// The plan's word for it: the key that stands in `[[fault]]`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Fault::Respond(_) => "respond",
            Fault::Reset { .. } => "reset",
            Fault::Cut { .. } => "cut",
        }
    }

    /// The fault as two numbers for the digest of decisions: its kind, and what distinguishes it from its like.
    pub(super) fn word(&self) -> (u64, u64) {
        match self {
            Fault::Respond(Respond::Error { row, retry_after, .. }) => {
                (2, u64::from(row.0) << 40 | retry_after.map_or(0, |span| span.0 & 0xff_ffff_ffff))
            }
            Fault::Respond(Respond::Literal { status, .. }) => (3, u64::from(*status)),
            Fault::Reset { after } => (4, after.0),
            Fault::Cut { after } => (5, after.0),
        }
    }
}
