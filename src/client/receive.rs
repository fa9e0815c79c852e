//! Reading the rest of an answer, once its head is there: the same for every transport.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::failure::Broken;
use super::sse::EventStream;
use super::{Head, Outbound, Reply};
use crate::clock::Timer;
use crate::units::Offset;
use crate::wire::{Ending, Failure, Phase, Stamps, StreamFacts};

/// Where the pieces of a body come from.
pub(super) trait Pieces {
    /// The next piece; `None` at the end of the body.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>>;
}

/// One attempt under way: what is known of it so far.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) stamps: Stamps,
    pub(super) sent: bool,
    /// When its time runs out.
    pub(super) limit: Offset,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Complete,
    Broken(Broken),
    /// Nothing came any more; the stream had told its end at this moment, if it had.
    OutOfTime(Option<Offset>),
}

impl Attempt {
    pub(super) fn new(started_at: Offset, limit: Offset) -> Attempt {
        Attempt { stamps: Stamps { started_at, ..Stamps::default() }, sent: false, limit }
    }

    /// Nothing came of it.
    pub(super) fn failed(mut self, failure: Failure, now: Offset) -> Reply {
        self.stamps.ended_at = now;
        Reply {
            stamps: self.stamps,
            ending: Ending::Failed(failure),
            sent: self.sent,
            head: None,
            body_bytes: 0,
            body_complete: false,
            stream: None,
        }
    }

    /// Reads the body after `head`; also says whether it was read to its end, so that the connection can be used again.
    pub(super) async fn read(
        mut self,
        head: Head,
        pieces: &mut impl Pieces,
        request: &Outbound<'_>,
        keep: u64,
        timer: &Timer,
        kept: &mut Vec<u8>,
    ) -> (Reply, bool) {
        self.stamps.first_byte_at = Some(head.at);
        let is_error = head.status >= 400;
        let keep = if is_error || request.keep_success_body { keep } else { 0 };
        let stream = request.stream.filter(|_| !is_error);
        let mut events = stream.map(|listening| EventStream::new(listening, self.stamps.started_at, head.at));
        let (mut body_bytes, mut waited) = (0, false);
        let end = read_pieces(pieces, timer, self.limit, &mut events, &mut waited, |piece| {
            body_bytes += piece.len() as u64;
            let room = usize::try_from(keep).unwrap_or(usize::MAX).saturating_sub(kept.len());
            kept.extend_from_slice(&piece[..piece.len().min(room)]);
        })
        .await;
        let now = if waited { timer.clock().now() } else { head.at };
        let terminated_at = if let End::OutOfTime(at) = end { at } else { None };
        self.stamps.ended_at = terminated_at.unwrap_or(now);
        let complete = end == End::Complete;
        let ending = match end {
            End::Complete | End::OutOfTime(Some(_)) => Ending::Answered(head.status),
            End::OutOfTime(None) => Ending::Failed(Failure::TimedOut(Phase::Total)),
            End::Broken(broken) => Ending::Failed(broken.after(body_bytes)),
        };
        let reply = Reply {
            stamps: self.stamps,
            ending,
            sent: true,
            head: Some(head),
            body_bytes,
            body_complete: complete && kept.len() as u64 == body_bytes,
            stream: events.map(|events| -> StreamFacts { events.finish(now, complete) }),
        };
        (reply, complete)
    }
}

/// Takes every piece; `waited` is set unless the whole body was there at once, together with its head.
async fn read_pieces(
    pieces: &mut impl Pieces,
    timer: &Timer,
    limit: Offset,
    events: &mut Option<EventStream<'_>>,
    waited: &mut bool,
    mut take: impl FnMut(&[u8]),
) -> End {
    let mut first = true;
    loop {
        let silent_until = events.as_ref().and_then(EventStream::silent_until);
        let deadline = silent_until.map_or(limit, |until| until.min(limit));
        let next = std::future::poll_fn(|cx| {
            let piece = pieces.poll_piece(cx);
            *waited |= piece.is_pending();
            piece
        });
        let piece = timer.within(deadline, next).await;
        let piece = match piece {
            None => return End::OutOfTime(events.as_ref().and_then(EventStream::terminated_at)),
            Some(None) => return End::Complete,
            Some(Some(Err(broken))) => return End::Broken(broken),
            Some(Some(Ok(piece))) => piece,
        };
        take(&piece);
        // One piece that came with the head is the usual case, and the clock need not be asked for it. A target
        // that never ends its body could keep us here for good, always with a next piece at hand.
        if !first || *waited || events.is_some() {
            *waited = true;
            let now = timer.clock().now();
            if let Some(events) = events {
                events.feed(&piece, now);
            }
            if now >= limit {
                return End::OutOfTime(events.as_ref().and_then(EventStream::terminated_at));
            }
        }
        first = false;
    }
}
