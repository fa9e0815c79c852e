//! Answers that are wrong by name: what is changed, and which check of the contract has to notice.
//!
//! The same list is two suites: negative controls of our own checks, each of which must find what it is for, and trials
//! for clients, which meet in it what real servers and gateways do to them.

mod change;
mod table;

use std::fmt;

pub use self::table::ALL;
use crate::contract::draft::Draft;
use crate::seed::Seed;

/// One way in which an answer can be wrong.
#[derive(Clone, Copy)]
pub struct Mutation {
    /// The word of plans and reports; never reused.
    pub name: &'static str,
    /// What it changes, in a few words.
    pub about: &'static str,
    /// The checks that find it in a run, all of them, on an error for which it is meant.
    pub expects: &'static [&'static str],
    /// The checks that beside them find it where a client looks at every byte, as probes and replays do. What an ordinary
    /// client's library never shows it, a run cannot judge.
    pub bytewise: &'static [&'static str],
    /// Whether only a step that reads a `stream` can notice.
    pub in_stream: bool,
    /// Whether it breaks the framing of HTTP/1.1, so that HTTP/2 has no such answer.
    pub http1_only: bool,
    change: fn(&mut Draft<'_>) -> Option<()>,
}

impl Mutation {
    const fn new(
        name: &'static str,
        expects: &'static [&'static str],
        about: &'static str,
        change: fn(&mut Draft<'_>) -> Option<()>,
    ) -> Mutation {
        Mutation { name, about, expects, bytewise: &[], in_stream: false, http1_only: false, change }
    }

    const fn breaks_framing(mut self, bytewise: &'static [&'static str]) -> Mutation {
        self.http1_only = true;
        self.bytewise = bytewise;
        self
    }

    const fn in_stream(mut self) -> Mutation {
        self.in_stream = true;
        self
    }

    /// The mutation of this name.
    pub fn named(name: &str) -> Option<&'static Mutation> {
        ALL.iter().find(|mutation| mutation.name == name)
    }

    /// The mutations that a check has to find.
    pub fn found_by(check: &str) -> impl Iterator<Item = &'static Mutation> {
        ALL.iter().filter(move |mutation| mutation.expects.iter().chain(mutation.bytewise).any(|known| *known == check))
    }

    /// The name as a number, for the digest of decisions.
    pub(super) fn word(&self) -> u64 {
        Seed(0).draw(self.name).bits()
    }

    /// Changes the answer; `None` where it has nothing that could be wrong in this way.
    ///
    /// An answer that was not changed may have been changed in part: it is to be thrown away.
    pub fn apply(&self, draft: &mut Draft<'_>) -> Option<()> {
        (self.change)(draft)
    }
}

impl fmt::Debug for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A mutation is its name.
impl PartialEq for Mutation {
    fn eq(&self, other: &Mutation) -> bool {
        self.name == other.name
    }
}

impl Eq for Mutation {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::draft::Framing;
    use crate::contract::{Answer, catalogue};

    #[test]
    fn every_mutation_has_a_name_of_its_own_and_a_check_that_finds_it() {
        let mut names: Vec<&str> = ALL.iter().map(|mutation| mutation.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for Mutation { name, about, expects, bytewise, in_stream, http1_only, .. } in ALL {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
            assert!(!about.ends_with('.') && about.len() > 10 && about.len() < 110 && !about.contains('|'), "{name}: {about}");
            assert!(!expects.is_empty() || !bytewise.is_empty(), "{name}");
            assert!(bytewise.is_empty() || *http1_only, "{name}");
            assert!(!(*in_stream && *http1_only), "{name}");
            for check in expects.iter().chain(*bytewise) {
                assert!(catalogue::find(check).is_some_and(|check| check.kind == catalogue::Kind::OneAnswer), "{name}: {check}");
            }
        }
    }

    #[test]
    fn no_answer_is_too_odd_to_be_tried() {
        let odd: [&[u8]; 9] = [
            b"",
            b"{}",
            b"[]",
            b"{\"code\":[]}",
            b"{\"a\":{\"b\":1}}",
            b"\xff\xfe{",
            b"{\"message\":\"x\"",
            b"null",
            b"                    {",
        ];
        let texts = ["", "1", "-9223372036854775808", "99999999999999999999", "soon", "Sun, 22 Nov 2026 12:00:00 GMT"];
        let texts = &texts;
        for (mutation, body, text) in
            ALL.iter().flat_map(|m| odd.iter().flat_map(move |body| texts.iter().map(move |text| (m, body, text))))
        {
            let names = ["retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-request-id", "date"];
            let headers = names.iter().map(|name| (name.parse().unwrap(), text.parse().unwrap())).collect();
            for now in [0, i64::MAX, i64::MIN] {
                let answer = Answer { status: 429, headers: http::HeaderMap::clone(&headers), body: body.to_vec() };
                let mut draft = Draft::new(answer, None, None, now);
                let changed = mutation.apply(&mut draft);
                assert!(changed.is_none() || mutation.http1_only || draft.framing == Framing::Sound, "{mutation:?}");
            }
        }
    }

    /// What is not here has a reason.
    #[test]
    fn every_check_of_one_answer_has_a_mutation_that_it_must_find() {
        const NONE: [(&str, &str); 9] = [
            ("S11", "a text that the contract forbids is the contract's own"),
            ("B08", "a member that the contract does not know is fine unless the contract says otherwise"),
            ("H05", "which scheme belongs to a challenge is the contract's own"),
            ("H06", "a contract without a 405 has no Allow to lose"),
            ("H07", "a contract without a 405 has no Allow to spoil"),
            ("H08", "for 407, 416 and 426, which few contracts have"),
            ("I05", "few contracts ask for an echo"),
            ("P04", "a documented operation that answers 501 is no mutation of an answer"),
            ("P05", "a condition that the request did not make is no mutation of an answer"),
        ];
        for check in catalogue::ALL.iter().filter(|check| check.kind == catalogue::Kind::OneAnswer) {
            let found = Mutation::found_by(check.id).next().is_some();
            let excused = NONE.iter().any(|(id, _)| *id == check.id);
            assert!(found != excused, "{} {}", check.id, check.name);
        }
    }
}
