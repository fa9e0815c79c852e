//! A stream of server-sent events that goes wrong: cut, without its last event, or with an error inside.

mod scan;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;

use self::scan::{Scan, data_of};
use super::course::{Hands, Next, Step, pass};
use crate::clock::Sleep;
use crate::fault::{EventData, StreamFault};
use crate::id::RowIx;
use crate::proxy::control::Ending;
use crate::units::Micros;

/// An event that is this much longer than the one that is left out cannot be it.
const LEEWAY: usize = 1024;

/// Changes a stream of events while it passes.
pub(in crate::proxy) struct Events {
    change: Change,
    state: State,
    scan: Scan,
    next: Option<Next>,
}

enum Change {
    /// Cuts after so many more events.
    CutAfter(u32),
    CutAt {
        time: Micros,
        sleep: Option<Sleep>,
    },
    /// Leaves out the event with this data; keeps what has come of the event under way.
    Drop {
        data: Vec<u8>,
        event: BytesMut,
        too_long: bool,
    },
    /// Puts these bytes in after so many more events.
    Insert {
        before: u32,
        event: Bytes,
    },
}

enum State {
    Passing,
    /// The connection is to end.
    Cut,
    /// The error is to pass.
    Inserted,
    /// It passed, and may not have left yet.
    Leaving,
    /// The event that ends the stream was left out.
    Dropped,
    Over,
}

impl Events {
    /// What a fault does to a stream; `None` where the contract gives no body for its error.
    pub(in crate::proxy) fn new(fault: &StreamFault, body_of: impl FnOnce(RowIx) -> Option<Vec<u8>>) -> Option<Events> {
        let change = match fault {
            StreamFault::CutAfterEvents(events) => Change::CutAfter(*events),
            StreamFault::CutAfterTime(time) => Change::CutAt { time: *time, sleep: None },
            StreamFault::DropDone(data) => Change::Drop { data: data.clone().into_bytes(), event: BytesMut::new(), too_long: false },
            StreamFault::ErrorEvent { at, event, data } => {
                let data = match data {
                    EventData::Error(row) => body_of(*row)?,
                    EventData::Literal(text) => text.clone().into_bytes(),
                };
                Change::Insert { before: at.saturating_sub(1), event: written(event.as_deref(), &String::from_utf8_lossy(&data)) }
            }
        };
        let state = match change {
            Change::CutAfter(0) => State::Cut,
            Change::Insert { before: 0, .. } => State::Inserted,
            _ => State::Passing,
        };
        Some(Events { change, state, scan: Scan::default(), next: None })
    }

    pub(super) fn changes_length(&self) -> bool {
        matches!(self.change, Change::Drop { .. } | Change::Insert { .. })
    }

    pub(super) fn feed(&mut self, next: Next) {
        self.next = Some(next);
    }

    pub(super) fn poll(&mut self, hands: &Hands<'_>, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            match &self.state {
                State::Passing => {}
                State::Cut => return Poll::Ready(Step::End(Ending::Cut)),
                State::Inserted => {
                    self.state = State::Leaving;
                    let Change::Insert { event, .. } = &self.change else { continue };
                    return Poll::Ready(Step::Pass(Frame::data(event.clone())));
                }
                State::Leaving => {
                    ready!(hands.control.poll_flushed(cx));
                    self.state = State::Over;
                    return Poll::Ready(Step::Fired);
                }
                State::Dropped => {
                    self.state = State::Over;
                    return Poll::Ready(Step::Fired);
                }
                State::Over => return Poll::Ready(Step::Finish),
            }
            if let Change::CutAt { time, sleep } = &mut self.change {
                let sleep = sleep.get_or_insert_with(|| hands.timer.sleep(*time));
                if Pin::new(sleep).poll(cx).is_ready() {
                    self.state = State::Cut;
                    continue;
                }
            }
            match self.next.take() {
                None => return Poll::Ready(Step::More),
                Some(Next::Frame(frame)) if frame.is_data() => {
                    let passing = self.edit(frame.into_data().unwrap_or_default());
                    if !passing.is_empty() {
                        return Poll::Ready(Step::Pass(Frame::data(passing)));
                    }
                }
                Some(end) => {
                    if let Change::Drop { event, .. } = &mut self.change
                        && !event.is_empty()
                    {
                        let rest = event.split().freeze();
                        self.next = Some(end);
                        return Poll::Ready(Step::Pass(Frame::data(rest)));
                    }
                    return Poll::Ready(pass(Some(end)));
                }
            }
        }
    }

    /// What of these bytes passes.
    fn edit(&mut self, mut data: Bytes) -> Bytes {
        let Events { change, state, scan, .. } = self;
        let (left, then) = match change {
            Change::CutAt { .. } => return data,
            Change::Drop { data: dropped, event, too_long } => return without(dropped, event, too_long, scan, state, data),
            Change::CutAfter(left) => (left, State::Cut),
            Change::Insert { before, .. } => (before, State::Inserted),
        };
        let mut at = 0;
        while let Some((end, is_event)) = scan.empty_line(&data[at..]) {
            at += end;
            *left -= u32::from(is_event);
            if *left == 0 {
                data.truncate(at);
                *state = then;
                break;
            }
        }
        data
    }
}

/// What passes of a stream up to the event that is left out.
fn without(dropped: &[u8], event: &mut BytesMut, too_long: &mut bool, scan: &mut Scan, state: &mut State, mut data: Bytes) -> Bytes {
    let mut passing = BytesMut::new();
    while let Some((end, _)) = scan.empty_line(&data) {
        event.extend_from_slice(&data.split_to(end));
        if !*too_long && data_of(event) == dropped {
            *state = State::Dropped;
            return passing.freeze();
        }
        passing.extend_from_slice(&event.split());
        *too_long = false;
    }
    event.extend_from_slice(&data);
    if *too_long || event.len() > dropped.len() + LEEWAY {
        *too_long = true;
        passing.extend_from_slice(&event.split());
    }
    passing.freeze()
}

/// An event as it stands in a stream; several lines of data are several fields (HTML standard §9.2.6).
fn written(name: Option<&str>, data: &str) -> Bytes {
    let mut text = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    for line in data.split(['\n', '\r']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\n\ndata: 1\n\ndata: 2\r\n\r\nevent: x\ndata: 3\n\ndata: [DONE]\n\ndata: 4\n\n";

    /// What passes, in pieces of each length.
    fn passes(fault: &StreamFault) -> String {
        let mut results: Vec<String> = Vec::new();
        for length in [1, 2, 3, 7, STREAM.len()] {
            let mut events = Events::new(fault, |_| None).expect("no row");
            let mut passed = Vec::new();
            for piece in STREAM.as_bytes().chunks(length) {
                if !matches!(events.state, State::Passing) {
                    break;
                }
                passed.extend_from_slice(&events.edit(Bytes::copy_from_slice(piece)));
            }
            results.push(String::from_utf8(passed).expect("text"));
        }
        assert!(results.iter().all(|one| one.trim_end() == results[0].trim_end()), "{results:?}");
        results.remove(results.len() - 1)
    }

    #[test]
    fn a_stream_is_cut_after_whole_events_however_it_arrives() {
        for (events, passed) in [(1, ": hello\n\ndata: 1\n\n"), (2, ": hello\n\ndata: 1\n\ndata: 2\r\n\r\n"), (9, STREAM)] {
            assert_eq!(passes(&StreamFault::CutAfterEvents(events)), passed, "{events}");
        }
    }

    #[test]
    fn the_event_that_ends_a_stream_is_left_out_and_what_follows_it() {
        assert_eq!(passes(&StreamFault::DropDone("[DONE]".to_owned())), STREAM.split("data: [DONE]").next().expect("a beginning"));
    }

    #[test]
    fn an_error_is_the_event_of_its_number() {
        let error = |at| StreamFault::ErrorEvent { at, event: Some("error".to_owned()), data: EventData::Literal("a\nb".to_owned()) };
        assert_eq!(passes(&error(2)), ": hello\n\ndata: 1\n\n");
        assert_eq!(&written(Some("error"), "a\nb")[..], b"event: error\ndata: a\ndata: b\n\n");
        assert!(matches!(Events::new(&error(1), |_| None).expect("no row").state, State::Inserted), "before anything");
    }
}
