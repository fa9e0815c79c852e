//! What a fault makes of an answer that the target gave: decided from its head, before any of it passes.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, Version, response};
use hyper::body::{Body, Incoming};

use super::course::{Course, Whole};
use super::raw::Framing;
use super::slow_body::Slow;
use super::stall::Stall;
use super::stream::Events;
use super::strike::Strike;
use crate::fault::{After, Fault};
use crate::id::RowIx;
use crate::proxy::control::Ending;
use crate::record::Unfired;

/// The code with which a stream of HTTP/2 is reset (RFC 9113 §7: INTERNAL_ERROR).
pub(in crate::proxy) const INTERNAL_ERROR: u32 = 2;

/// What becomes of an answer.
pub(in crate::proxy) enum Turn {
    /// The client never hears of it.
    Lose(Ending),
    /// Its body takes this course.
    Course(Course),
    /// It is written by us, framed in a way that is wrong.
    Raw(Framing),
}

/// The facts about an answer on which it depends.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct Given {
    /// What the client's connection speaks.
    pub(in crate::proxy) version: Version,
    /// The answer ends with its head.
    bodiless: bool,
    /// How long its body is, where that is known.
    length: Option<u64>,
    /// It is a stream of events that can be read.
    is_events: bool,
}

impl Given {
    pub(in crate::proxy) fn of(head: &response::Parts, body: &Incoming, version: Version) -> Given {
        let bodiless = body.is_end_stream();
        Given { version, bodiless, length: body.size_hint().exact().filter(|_| !bodiless), is_events: is_events(&head.headers) }
    }
}

/// A stream of events that is not compressed.
fn is_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    let essence = kind.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let plain = headers.get_all(CONTENT_ENCODING).iter().chain(headers.get_all(TRANSFER_ENCODING).iter());
    essence.eq_ignore_ascii_case(b"text/event-stream")
        && plain.into_iter().all(|coding| [&b"identity"[..], b"chunked"].iter().any(|known| coding.as_bytes().eq_ignore_ascii_case(known)))
}

/// What the fault does to the answer.
///
/// # Errors
/// Why it cannot be done: the answer then passes as it is.
pub(in crate::proxy) fn turn(fault: &Fault, given: &Given, body_of: impl FnOnce(RowIx) -> Option<Vec<u8>>) -> Result<Turn, Unfired> {
    // A complete answer is not broken.
    let reaches = |after: u64| match given.bodiless || given.length.is_some_and(|length| after >= length) {
        true => Err(Unfired::OverBefore),
        false => Ok(after),
    };
    let only = |version: Version| if given.version == version { Ok(()) } else { Err(Unfired::OtherHttp) };
    let strike = |after: After, ending| {
        let after = reaches(after.bytes().unwrap_or(0))?;
        Ok(Turn::Course(Course::Strike(Strike::after(after, ending))))
    };
    match fault {
        Fault::DropAfterUpstream => Ok(Turn::Lose(Ending::Cut)),
        Fault::ResetAfterUpstream => Ok(Turn::Lose(Ending::Reset)),
        Fault::Reset { after } => strike(*after, Ending::Reset),
        Fault::Cut { after } => strike(*after, Ending::Cut),
        Fault::HalfClose { after } => {
            // A stream of HTTP/2 that is half closed is one that has ended.
            if given.version == Version::HTTP_2 { Err(Unfired::OtherHttp) } else { strike(*after, Ending::HalfClose) }
        }
        Fault::ResetStream { after } => only(Version::HTTP_2).and_then(|()| strike(*after, Ending::ResetStream(INTERNAL_ERROR))),
        Fault::GoAway | Fault::RefusedStream => Err(Unfired::OtherHttp),
        Fault::SlowBody(pace) => reaches(0).map(|_| Turn::Course(Course::Slow(Slow::new(*pace)))),
        Fault::Stall { after, lasting } => reaches(after.0).map(|after| Turn::Course(Course::Stall(Stall::new(after, *lasting)))),
        Fault::TruncateChunked { after } => {
            only(Version::HTTP_11)?;
            // All of the body may pass: it is the last chunk that does not.
            reaches(after.map_or(0, |after| after.0))?;
            Ok(Turn::Course(Course::Strike(Strike::without_last_chunk(after.map(|after| after.0)))))
        }
        Fault::ContentLength { off_by } => {
            only(Version::HTTP_11)?;
            reaches(0)?;
            let declared = given.length.ok_or(Unfired::NoLength)?.saturating_add_signed(*off_by);
            Ok(Turn::Raw(Framing::Length(declared)))
        }
        Fault::BadChunk { after } => {
            only(Version::HTTP_11)?;
            reaches(after.0).map(|after| Turn::Raw(Framing::ChunksUpTo(after)))
        }
        Fault::Stream(stream) if given.is_events && !given.bodiless => {
            Events::new(stream, body_of).map(|events| Turn::Course(Course::Events(Box::new(events)))).ok_or(Unfired::NoContract)
        }
        Fault::Stream(_) => Err(Unfired::NoEvents),
        Fault::Respond(_) => Err(Unfired::NoContract),
        // It takes the whole of the answer, and not its head alone.
        Fault::Corrupt(_) => Err(Unfired::Unfit),
        // The answer has waited already; the others leave none.
        Fault::DelayAfterUpstream(_) | Fault::BlackHole | Fault::Refuse | Fault::TlsFailure => {
            Ok(Turn::Course(Course::Whole(Whole::default())))
        }
    }
}

/// Removes the framing of the target's answer, where ours is to be another.
pub(in crate::proxy) fn unframe(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    headers.remove(TRANSFER_ENCODING);
}
