//! Server-sent events, as far as a load test looks at them: how many, how soon, how long the silences, whether finished.
//!
//! The parser takes the stream as it arrives, cut anywhere, and follows the HTML standard (§9.2.6): lines end in
//! LF, CR or CRLF, a leading byte order mark is skipped, comments are ignored, several `data` lines are joined.
//! It keeps at most one line and one event, each up to a bound, whatever the target sends.

use super::{Ear, Listening};
use crate::units::Offset;
use crate::wire::{SseRule, StreamFacts};

/// Lines and events are kept up to this size; what is longer is counted and cannot be the terminator.
const LONGEST: usize = 64 * 1024;

/// Watches one stream of events.
#[derive(Debug)]
pub(super) struct EventStream<'a> {
    rule: &'a SseRule,
    ear: Option<&'a dyn Ear>,
    parser: Parser,
    facts: StreamFacts,
    started_at: Offset,
    last_sign_at: Offset,
    terminated_at: Option<Offset>,
}

impl<'a> EventStream<'a> {
    /// A stream whose head arrived at `head_at`, in an attempt begun at `started_at`.
    pub(super) fn new(listening: Listening<'a>, started_at: Offset, head_at: Offset) -> EventStream<'a> {
        let Listening { rule, ear } = listening;
        let facts = StreamFacts::default();
        EventStream { rule, ear, parser: Parser::default(), facts, started_at, last_sign_at: head_at, terminated_at: None }
    }

    /// Takes what arrived at `now`.
    pub(super) fn feed(&mut self, chunk: &[u8], now: Offset) {
        let done = self.rule.done.as_deref().map(str::as_bytes);
        let EventStream { ear, parser, facts, started_at, last_sign_at, terminated_at, .. } = self;
        parser.feed(chunk, |data| {
            if terminated_at.is_some() {
                return;
            }
            if done.is_some() && data == done {
                *terminated_at = Some(now);
            } else {
                facts.events += 1;
                facts.first_event.get_or_insert(now.since(*started_at));
                if let Some((ear, data)) = ear.zip(data) {
                    ear.event(data);
                }
            }
            facts.longest_gap = facts.longest_gap.max(now.since(*last_sign_at));
            *last_sign_at = now;
        });
    }

    /// When the silence becomes too long.
    pub(super) fn silent_until(&self) -> Option<Offset> {
        self.rule.max_gap.filter(|_| self.terminated_at.is_none()).map(|gap| self.last_sign_at + gap)
    }

    /// When the terminating event arrived.
    pub(super) fn terminated_at(&self) -> Option<Offset> {
        self.terminated_at
    }

    /// What the stream came to; `in_order` says whether its body ended as HTTP wants it.
    pub(super) fn finish(mut self, now: Offset, in_order: bool) -> StreamFacts {
        self.facts.terminated = self.terminated_at.is_some() || (self.rule.done.is_none() && in_order);
        if !self.facts.terminated {
            self.facts.longest_gap = self.facts.longest_gap.max(now.since(self.last_sign_at));
        }
        self.facts
    }
}

/// An incremental parser of `text/event-stream`.
#[derive(Debug, Default)]
struct Parser {
    line: Bounded,
    data: Bounded,
    /// The event has a `data` field.
    has_data: bool,
    /// The last byte was a CR: a LF right after it belongs to the same line end.
    after_cr: bool,
    /// The first line is over.
    begun: bool,
}

impl Parser {
    /// Calls `event` with the data of every event completed by this chunk; `None` where it was too long to keep.
    fn feed(&mut self, mut chunk: &[u8], mut event: impl FnMut(Option<&[u8]>)) {
        if self.after_cr && !chunk.is_empty() {
            self.after_cr = false;
            chunk = chunk.strip_prefix(b"\n").unwrap_or(chunk);
        }
        while let Some(end) = chunk.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.line.push(&chunk[..end]);
            self.end_line(&mut event);
            let rest = &chunk[end + 1..];
            chunk = match (chunk[end], rest.first()) {
                (b'\r', Some(b'\n')) => &rest[1..],
                (b'\r', None) => {
                    self.after_cr = true;
                    rest
                }
                _ => rest,
            };
        }
        self.line.push(chunk);
    }

    fn end_line(&mut self, event: &mut impl FnMut(Option<&[u8]>)) {
        let mut line = self.line.bytes.as_slice();
        if !self.begun {
            self.begun = true;
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() && !self.line.overflowed {
            if self.has_data {
                event((!self.data.overflowed).then_some(self.data.bytes.as_slice()));
            }
            self.has_data = false;
            self.data.clear();
        } else {
            let colon = line.iter().position(|byte| *byte == b':');
            let (field, value) = colon.map_or((line, &[][..]), |at| (&line[..at], &line[at + 1..]));
            if field == b"data" {
                if self.has_data {
                    self.data.push(b"\n");
                }
                self.has_data = true;
                self.data.push(value.strip_prefix(b" ").unwrap_or(value));
                self.data.overflowed |= self.line.overflowed;
            }
        }
        self.line.clear();
    }
}

/// Bytes kept up to [`LONGEST`].
#[derive(Debug, Default)]
struct Bounded {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl Bounded {
    fn push(&mut self, bytes: &[u8]) {
        let room = LONGEST - self.bytes.len();
        self.overflowed |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.overflowed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Micros;

    fn events_of(chunks: &[&[u8]]) -> Vec<Option<String>> {
        let (mut parser, mut seen) = (Parser::default(), Vec::new());
        for chunk in chunks {
            parser.feed(chunk, |data| seen.push(data.map(|data| String::from_utf8_lossy(data).into_owned())));
        }
        seen
    }

    fn data(events: &[&str]) -> Vec<Option<String>> {
        events.iter().map(|data| Some((*data).to_owned())).collect()
    }

    #[test]
    fn events_are_read_whatever_ends_their_lines() {
        for (text, what) in [
            ("data: a\n\ndata: b\n\n", "LF"),
            ("data: a\r\n\r\ndata: b\r\n\r\n", "CRLF"),
            ("data: a\r\rdata: b\r\r", "CR"),
            ("\u{feff}data: a\n\ndata: b\n\n", "a byte order mark"),
            (": hello\ndata:a\nid: 7\nretry: 10\n\nevent: x\ndata: b\n\n", "comments and other fields"),
            ("event: only\n\n\n\ndata: a\n\n: \n\ndata: b\n\ndata: never finished", "events without data, and an unfinished one"),
        ] {
            assert_eq!(events_of(&[text.as_bytes()]), data(&["a", "b"]), "{what}");
        }
    }

    #[test]
    fn the_cuts_between_chunks_change_nothing() {
        let text = b"\xef\xbb\xbfdata: one\r\ndata: two\r\n\r\n:ping\r\n\r\ndata\r\n\r\ndata: [DONE]\r\n\r\n";
        let whole = events_of(&[text]);
        assert_eq!(whole, data(&["one\ntwo", "", "[DONE]"]));
        for cut in 1..text.len() {
            assert_eq!(events_of(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(events_of(&bytes), whole);
    }

    #[test]
    fn a_huge_line_is_counted_and_not_kept() {
        let mut parser = Parser::default();
        let mut seen = Vec::new();
        parser.feed(b"data: ", |_| ());
        for _ in 0..100 {
            parser.feed(&[b'x'; 10_000], |_| ());
        }
        parser.feed(b"\n\ndata: after\n\n", |data| seen.push(data.map(<[u8]>::len)));
        assert_eq!(seen, [None, Some(5)]);
        assert!(parser.line.bytes.capacity() <= 2 * LONGEST && parser.data.bytes.capacity() <= 2 * LONGEST);
    }

    #[test]
    fn a_stream_tells_its_first_event_its_silences_and_its_end() {
        let rule = SseRule { done: Some("[DONE]".to_owned()), max_gap: Some(Micros(10)) };
        let mut stream = EventStream::new(Listening { rule: &rule, ear: None }, Offset::micros(100), Offset::micros(150));
        assert_eq!(stream.silent_until(), Some(Offset::micros(160)));
        stream.feed(b"data: a\n\n", Offset::micros(155));
        stream.feed(b": still here\n\n", Offset::micros(160));
        assert_eq!(stream.silent_until(), Some(Offset::micros(165)), "a comment is not an event");
        stream.feed(b"data: b\n\ndata: [DONE]\n\ndata: late\n\n", Offset::micros(175));
        assert_eq!((stream.silent_until(), stream.terminated_at()), (None, Some(Offset::micros(175))));
        let facts = stream.finish(Offset::micros(500), true);
        assert_eq!(facts, StreamFacts { events: 2, first_event: Some(Micros(55)), longest_gap: Micros(20), terminated: true });
    }

    #[test]
    fn a_stream_that_falls_silent_is_not_terminated() {
        let rule = SseRule { done: Some("[DONE]".to_owned()), max_gap: None };
        let mut stream = EventStream::new(Listening { rule: &rule, ear: None }, Offset::START, Offset::START);
        stream.feed(b"data: a\n\ndata: [DONE]", Offset::micros(5));
        let facts = stream.finish(Offset::micros(95), true);
        assert_eq!((facts.terminated, facts.longest_gap), (false, Micros(90)));
        let open = SseRule { done: None, max_gap: None };
        let ended = |in_order| {
            EventStream::new(Listening { rule: &open, ear: None }, Offset::START, Offset::START).finish(Offset::START, in_order).terminated
        };
        assert_eq!((ended(true), ended(false)), (true, false), "without a terminator, the end of the body is one");
    }
}
