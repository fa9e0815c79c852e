//! What can be done to one attempt, one kind each; how it is done stands in the proxy.
//!
//! | where it strikes | kinds |
//! |---|---|
//! | the connection, before any request | `Refuse`, `TlsFailure` |
//! | the request, which the target never sees | `Respond`, `BlackHole`, `GoAway`, `RefusedStream`, and what ends after `Nothing` |
//! | the moment the target has answered | `DelayAfterUpstream`, `DropAfterUpstream`, `ResetAfterUpstream` |
//! | the answer on its way | all others |

use http::HeaderMap;

use super::mutation::Mutation;
use crate::id::RowIx;
use crate::seed::Distribution;
use crate::units::{Micros, Size};

/// What is done to an attempt.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answered by the proxy; the target never sees it.
    Respond(Respond),
    /// The target's own answer, taken in whole and made wrong.
    Corrupt(&'static Mutation),
    /// The connection is reset.
    Reset { after: After },
    /// The connection is closed in order.
    Cut { after: After },
    /// Our side of the connection is closed, the other stays open until the client leaves.
    HalfClose { after: After },
    /// The answer waits, once the target has given it.
    DelayAfterUpstream(Distribution),
    /// The answer's body comes slowly.
    SlowBody(Pace),
    /// The answer's body stops after so many bytes, for a time or until the client leaves.
    Stall { after: Size, lasting: Option<Micros> },
    /// The request is read, and nothing is ever said.
    BlackHole,
    /// Connections are refused: nobody listens. On connections that were made before, requests are reset.
    Refuse,
    /// TLS handshakes fail with an alert.
    TlsFailure,
    /// A body in chunks ends in order without its last chunk: after all of the body, or after so many bytes of it.
    TruncateChunked { after: Option<Size> },
    /// The declared length is wrong by so many bytes, the body is whole.
    ContentLength { off_by: i64 },
    /// After so many bytes of the body comes a chunk whose size is no number.
    BadChunk { after: Size },
    /// A stream of events goes wrong.
    Stream(StreamFault),
    /// The target has answered, the client never hears of it: its connection is closed in order.
    DropAfterUpstream,
    /// The target has answered, the client never hears of it: its connection is reset.
    ResetAfterUpstream,
    /// HTTP/2: the connection is given up (GOAWAY, nothing of it was processed).
    GoAway,
    /// HTTP/2: the stream is refused (RST_STREAM with REFUSED_STREAM): the request was not processed.
    RefusedStream,
    /// HTTP/2: the stream is reset (RST_STREAM with INTERNAL_ERROR), the connection lives on.
    ResetStream { after: After },
}

/// An answer made by the proxy.
#[derive(Clone, Debug)]
pub enum Respond {
    /// A documented error: the contract supplies status, body and headers.
    Error { row: RowIx, retry_after: Option<Micros>, retry_after_form: RetryAfterForm },
    /// As written in the plan, wrong on purpose where the author wants it.
    Literal { status: u16, headers: HeaderMap, body: Vec<u8> },
    /// One of the two above, made wrong by name.
    Wrong { answer: Box<Respond>, mutation: &'static Mutation },
}

/// How an injected Retry-After is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RetryAfterForm {
    #[default]
    Seconds,
    Date,
    /// `retry-after-ms` and `x-ms-retry-after-ms`, beside a Retry-After in whole seconds, rounded up.
    Milliseconds,
}

/// How far an answer gets before its connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Not at all: the request is not even passed on.
    Nothing,
    /// Up to the end of its head.
    Headers,
    /// Up to so many bytes of its body; none is the same as the head.
    Bytes(Size),
}

/// How slowly a body comes: a piece of at most `bytes` each time `every` has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// At least one.
    pub bytes: u64,
    pub every: Micros,
}

/// What goes wrong in a stream of server-sent events (HTML standard §9.2); comments are no events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFault {
    /// The connection is closed in order after so many events.
    CutAfterEvents(u32),
    /// The connection is closed in order so long after the head.
    CutAfterTime(Micros),
    /// The event with this data, and what follows it, is left out; the body ends as HTTP wants it.
    DropDone(String),
    /// The event of this number, from 1, is an error; the body ends after it as HTTP wants it.
    ErrorEvent { at: u32, event: Option<String>, data: EventData },
}

/// What an injected event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventData {
    /// The body of a documented error.
    Error(RowIx),
    Literal(String),
}

impl After {
    /// Bytes of the body that pass; `None` where not even the head does.
    pub const fn bytes(self) -> Option<u64> {
        match self {
            After::Nothing => None,
            After::Headers => Some(0),
            After::Bytes(Size(bytes)) => Some(bytes),
        }
    }
}

impl Pace {
    /// A piece each fiftieth of a second, or a byte each time one is due.
    ///
    /// `None` for no bytes per second, and for more than 2⁴⁰.
    pub fn of_rate(bytes_per_second: u64) -> Option<Pace> {
        if bytes_per_second == 0 || bytes_per_second > 1 << 40 {
            return None;
        }
        let bytes = (bytes_per_second / 50).max(1);
        Some(Pace { bytes, every: Micros(bytes * 1_000_000 / bytes_per_second) })
    }
}

impl Fault {
    /// The plan's word for it: the key that stands in `[[fault]]`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Fault::Respond(_) => "respond",
            Fault::Corrupt(_) => "corrupt",
            Fault::Reset { .. } => "reset",
            Fault::Cut { .. } => "cut",
            Fault::HalfClose { .. } => "half_close",
            Fault::DelayAfterUpstream(_) => "delay_after_upstream",
            Fault::SlowBody(_) => "slow_body",
            Fault::Stall { .. } => "stall",
            Fault::BlackHole => "black_hole",
            Fault::Refuse => "refuse",
            Fault::TlsFailure => "tls_failure",
            Fault::TruncateChunked { .. } => "truncate_chunked",
            Fault::ContentLength { .. } => "content_length",
            Fault::BadChunk { .. } => "bad_chunk",
            Fault::Stream(_) => "stream",
            Fault::DropAfterUpstream => "drop_after_upstream",
            Fault::ResetAfterUpstream => "reset_after_upstream",
            Fault::GoAway => "goaway",
            Fault::RefusedStream => "refused_stream",
            Fault::ResetStream { .. } => "reset_stream",
        }
    }

    /// The mutation that the answer shows.
    pub const fn mutation(&self) -> Option<&'static Mutation> {
        match self {
            Fault::Respond(respond) => respond.mutation(),
            Fault::Corrupt(mutation) => Some(mutation),
            _ => None,
        }
    }

    /// Whether the target answers and the client never hears of it.
    pub const fn loses_the_answer(&self) -> bool {
        matches!(self, Fault::DropAfterUpstream | Fault::ResetAfterUpstream)
    }

    /// The fault as two numbers for the digest of decisions: its kind, and what distinguishes it from its like.
    pub(super) fn word(&self) -> (u64, u64) {
        match self {
            Fault::Respond(respond) => respond.word(),
            Fault::Corrupt(mutation) => (26, mutation.word()),
            Fault::Reset { after } => (4, after.word()),
            Fault::Cut { after } => (5, after.word()),
            Fault::HalfClose { after } => (6, after.word()),
            // How long is part of the decision, not of the fault.
            Fault::DelayAfterUpstream(_) => (7, 0),
            Fault::SlowBody(pace) => (8, pace.every.0 << 32 ^ pace.bytes),
            Fault::Stall { after, lasting } => (9, lasting.map_or(0, |span| span.0 + 1) << 32 ^ after.0),
            Fault::BlackHole => (10, 0),
            Fault::Refuse => (11, 0),
            Fault::TlsFailure => (12, 0),
            Fault::TruncateChunked { after } => (13, after.map_or(0, |after| after.0 + 1)),
            Fault::ContentLength { off_by } => (14, off_by.cast_unsigned()),
            Fault::BadChunk { after } => (15, after.0),
            Fault::Stream(StreamFault::CutAfterEvents(events)) => (16, u64::from(*events)),
            Fault::Stream(StreamFault::CutAfterTime(time)) => (17, time.0),
            Fault::Stream(StreamFault::DropDone(_)) => (18, 0),
            Fault::Stream(StreamFault::ErrorEvent { at, data, .. }) => {
                let row = if let EventData::Error(row) = data { u64::from(row.0) + 1 } else { 0 };
                (19, row << 32 | u64::from(*at))
            }
            Fault::DropAfterUpstream => (20, 0),
            Fault::ResetAfterUpstream => (21, 0),
            Fault::GoAway => (22, 0),
            Fault::RefusedStream => (23, 0),
            Fault::ResetStream { after } => (24, after.word()),
        }
    }
}

impl Respond {
    /// The mutation that is made of the answer.
    pub const fn mutation(&self) -> Option<&'static Mutation> {
        match self {
            Respond::Wrong { mutation, .. } => Some(mutation),
            Respond::Error { .. } | Respond::Literal { .. } => None,
        }
    }

    fn word(&self) -> (u64, u64) {
        match self {
            Respond::Error { row, retry_after, .. } => (2, u64::from(row.0) << 40 | retry_after.map_or(0, |span| span.0 & 0xff_ffff_ffff)),
            Respond::Literal { status, .. } => (3, u64::from(*status)),
            Respond::Wrong { answer, mutation } => {
                let (kind, detail) = answer.word();
                (25, detail ^ kind << 56 ^ mutation.word())
            }
        }
    }
}

impl After {
    const fn word(self) -> u64 {
        match self {
            After::Nothing => 0,
            After::Headers => 1,
            After::Bytes(Size(bytes)) => bytes.saturating_add(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_pieces_that_add_up_to_it() {
        for (rate, bytes, every) in
            [(10_240, 204, 19_921), (50, 1, 20_000), (10, 1, 100_000), (1, 1, 1_000_000), (1_000_000, 20_000, 20_000)]
        {
            assert_eq!(Pace::of_rate(rate), Some(Pace { bytes, every: Micros(every) }), "{rate}");
        }
        assert_eq!(Pace::of_rate(0), None);
        assert_eq!(Pace::of_rate(u64::MAX), None);
    }
}
