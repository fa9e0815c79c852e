//! S11, S12, P09: what an event stream says, event by event.
//!
//! Whoever reads the stream feeds the data of each event as it comes; nothing of it is kept but what was found wrong.

use crate::contract::{Contract, Terms, Violation};
use crate::wire::{RequestFacts, SseRule};

/// The judge of one event stream. An event in order takes no allocation.
#[derive(Debug)]
pub struct StreamJudge<'c> {
    contract: &'c Contract,
    violations: Vec<Violation>,
}

impl<'c> StreamJudge<'c> {
    /// A judge of a stream that has just begun, with a success status.
    pub fn new(contract: &'c Contract) -> StreamJudge<'c> {
        StreamJudge { contract, violations: Vec::new() }
    }

    /// Hears the data of one event; the terminator is none.
    pub fn event(&mut self, data: &[u8]) {
        let _ = (data, self.contract);
    }

    /// What was wrong with the stream, in all: to be added to what [`Contract::check`] finds in its head.
    pub fn finish(self, terms: &Terms, request: &RequestFacts<'_>, rule: &SseRule, terminated: bool) -> Vec<Violation> {
        let _ = (terms, request, rule, terminated);
        self.violations
    }
}
