//! A body that comes slowly: a piece at a time, as if the line were narrow.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::Frame;

use super::course::{Hands, Next, Step, pass};
use crate::clock::Sleep;
use crate::fault::Pace;
use crate::units::{Micros, Offset};

/// Holds a body back to a pace.
///
/// Byte *n* leaves when a line of that width would have carried it, *n · every / bytes* after the head, or later if
/// the target is slower than that: what the line could have carried meanwhile is not made up for.
pub(in crate::proxy) struct Slow {
    pace: Pace,
    /// Until when the line is taken by what has passed.
    taken: Option<Offset>,
    wait: Option<(Offset, Sleep)>,
    /// The next piece has waited.
    waited: bool,
    fired: bool,
    next: Option<Next>,
}

impl Slow {
    pub(in crate::proxy) fn new(pace: Pace) -> Slow {
        Slow { pace, taken: None, wait: None, waited: false, fired: false, next: None }
    }

    pub(super) fn feed(&mut self, next: Next) {
        self.next = Some(next);
    }

    pub(super) fn poll(&mut self, hands: &Hands<'_>, cx: &mut Context<'_>) -> Poll<Step> {
        let taken = *self.taken.get_or_insert_with(|| hands.timer.clock().now());
        let piece = match &self.next {
            None => return Poll::Ready(Step::More),
            Some(Next::Frame(frame)) if frame.is_data() => self.pace.bytes.min(frame.data_ref().map_or(0, |data| data.len() as u64)),
            Some(_) if self.fired => return Poll::Ready(pass(self.next.take())),
            // A body that ends before a byte of it came is slow to end.
            Some(_) => self.pace.bytes,
        };
        if !self.waited {
            let pace = self.pace;
            let (due, sleep) = self.wait.get_or_insert_with(|| {
                let now = hands.timer.clock().now();
                let span = span(pace, piece);
                // From when the line is free, so that late wakes do not add up.
                let due = if now < taken + span { taken + span } else { now + span };
                (due, hands.timer.until(due))
            });
            ready!(Pin::new(sleep).poll(cx));
            self.taken = Some(*due);
            (self.wait, self.waited) = (None, true);
            if !self.fired {
                self.fired = true;
                return Poll::Ready(Step::Fired);
            }
        }
        self.waited = false;
        Poll::Ready(self.piece(piece))
    }

    /// Passes the beginning of what was fed.
    fn piece(&mut self, length: u64) -> Step {
        match self.next.take() {
            Some(Next::Frame(frame)) if frame.is_data() => {
                let mut data = frame.into_data().unwrap_or_default();
                let piece = data.split_to(usize::try_from(length).unwrap_or(usize::MAX).min(data.len()));
                if !data.is_empty() {
                    self.next = Some(Next::Frame(Frame::data(data)));
                }
                Step::Pass(Frame::data(piece))
            }
            other => pass(other),
        }
    }
}

/// How long the line is taken by a piece.
fn span(pace: Pace, piece: u64) -> Micros {
    let span = u128::from(pace.every.0) * u128::from(piece) / u128::from(pace.bytes.max(1));
    Micros(u64::try_from(span).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_takes_the_line_as_long_as_it_is() {
        let pace = Pace { bytes: 200, every: Micros::from_millis(20) };
        for (piece, span_us) in [(200, 20_000), (100, 10_000), (1, 100), (0, 0)] {
            assert_eq!(span(pace, piece), Micros(span_us), "{piece}");
        }
        assert_eq!(span(Pace { bytes: 1, every: Micros::HOUR }, u64::MAX), Micros(u64::MAX));
    }
}
