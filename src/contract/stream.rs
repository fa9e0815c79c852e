//! S11, S12, P09: what an event stream says, event by event, and what no success may say.
//!
//! Whoever reads a stream tells the data of each event as it comes, however long the stream is; nothing of it is kept but
//! what was found wrong. Where the stream's own answer is judged, what its events said is added to that.

use regex::Regex;

use crate::contract::check::{Blame, Found, quoted};
use crate::contract::json::{Document, Json};
use crate::contract::{Contract, Judged, Level, Terms, Violation, status};
use crate::wire::{Ending, SseRule, StreamFacts};

/// Bytes of a body or an event that are searched for forbidden texts.
const SEARCHED: usize = 256 * 1024;
/// An event longer than this is no error.
const LONGEST_ERROR: usize = 64 * 1024;
/// Bytes of a pattern that tell causes apart.
const SHOWN: usize = 60;

/// The judge of one event stream with a success status. An event in order takes no allocation.
#[derive(Debug)]
pub struct StreamJudge<'c> {
    contract: &'c Contract,
    found: Found,
}

impl<'c> StreamJudge<'c> {
    /// A judge of a stream that has just begun.
    pub fn new(contract: &'c Contract, terms: &Terms) -> StreamJudge<'c> {
        StreamJudge { contract, found: Found::new(terms.profile) }
    }

    /// Hears the data of one event; the terminator is none.
    pub fn event(&mut self, data: &[u8]) {
        forbidden(&self.contract.forbidden_texts, "event", data, &mut self.found);
        if self.found.has("S12") {
            return;
        }
        if let Some(what) = error_in(self.contract, data) {
            self.found.add("S12", Level::Must, || Blame {
                path: "event".to_owned(),
                expected: "events of a success".to_owned(),
                actual: format!("{what}: {}", quoted(&String::from_utf8_lossy(&data[..data.len().min(400)]))),
                cause: what.to_owned(),
                source: None,
            });
        }
    }

    /// The stream is over; adds what was wrong with it to the judgement of its answer.
    ///
    /// A stream that was cut, or fell silent, is a failure, and not a stream without its terminator (P09).
    pub fn finish(mut self, rule: &SseRule, facts: &StreamFacts, ending: Ending, judged: &mut Judged<'_>) {
        let in_order = matches!(ending, Ending::Answered(_));
        if let Some(done) = rule.done.as_deref().filter(|_| in_order && !facts.terminated) {
            self.found.add("P09", Level::Must, || Blame {
                path: "stream".to_owned(),
                expected: format!("{} as the last event", quoted(done)),
                actual: format!("the end, after {} events", facts.events),
                cause: "no terminator".to_owned(),
                source: None,
            });
        }
        for violation in self.found.violations {
            // A forbidden text may have been seen in the whole body already.
            let known = |other: &Violation| other.check == violation.check && other.cause == violation.cause;
            if !judged.violations.iter().any(known) {
                judged.violations.push(violation);
            }
        }
    }
}

/// S11: a text that the contract forbids in successes.
pub(super) fn forbidden(texts: &[Regex], place: &str, said: &[u8], found: &mut Found) {
    if texts.is_empty() || said.is_empty() {
        return;
    }
    let said = &said[..said.len().min(SEARCHED)];
    let Some(said) = said.utf8_chunks().next().map(|chunk| chunk.valid()) else { return };
    for text in texts {
        let Some(hit) = text.find(said) else { continue };
        found.add("S11", Level::Must, || Blame {
            path: place.to_owned(),
            expected: format!("a success without a text that matches {text}"),
            actual: quoted(hit.as_str()),
            cause: text.as_str().chars().take(SHOWN).collect(),
            source: None,
        });
    }
}

/// What kind of error the data of an event is: the contract's own, or an object `error` that explains itself.
fn error_in(contract: &Contract, data: &[u8]) -> Option<&'static str> {
    // Most events have neither word in them: they are not parsed.
    let object = data.trim_ascii_start().first() == Some(&b'{') && data.len() <= LONGEST_ERROR;
    if !object || !(status::names_code(contract, data) || memchr::memmem::find(data, b"\"error\"").is_some()) {
        return None;
    }
    let document = Document::read(data).ok()?;
    let json = document.value();
    if status::is_error(contract, json) {
        return Some("an error of the contract");
    }
    match json.get("error")? {
        Json::Object(error) if error.get("message").is_some() || error.get("code").is_some() => Some("an error object"),
        _ => None,
    }
}
