//! A limit that really holds in front of the target: who is refused is what was spent, not what was drawn.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use http::{HeaderMap, HeaderName};

use super::{Respond, Sighting};
use crate::id::RuleIx;
use crate::throttle::dialect::Dialect;
use crate::throttle::{Algorithm, Allowance, Standing};
use crate::units::Micros;

/// `limiter = { … }` of a rule.
#[derive(Clone, Debug)]
pub struct Limiter {
    pub algorithm: Algorithm,
    pub allowance: Allowance,
    /// What one request spends.
    pub cost: u32,
    /// What is kept apart; with nothing named, all requests share one count.
    pub key: Vec<KeyPart>,
    /// How answers tell of the limit, those of the target too; `None`: only the refusal does, as its contract says.
    pub dialect: Option<Dialect>,
    /// How a request is refused.
    pub refusal: Respond,
}

/// Part of what a limit is kept apart by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// The values of a header, or that it is not there.
    Header(HeaderName),
    /// The client's address, without its port.
    Address,
    /// The route: a step of a scenario.
    Route,
}

/// What a limiter that let a request pass has to say on the answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub rule: RuleIx,
    pub standing: Standing,
}

impl Limiter {
    /// How a request fares that comes just when everything has been spent.
    pub(super) fn empty(&self) -> Standing {
        let Allowance { limit, window } = self.allowance;
        let wait = Micros((window.0 * u64::from(self.cost)).div_ceil(u64::from(limit)));
        Standing { admitted: false, limit, remaining: 0, wait, whole_in: window }
    }

    /// Whose count the request spends from. What it is made of, credentials perhaps, cannot be had back from it.
    pub fn key_of(&self, seen: &Sighting<'_>) -> u64 {
        let mut hasher = DefaultHasher::new();
        for part in &self.key {
            match part {
                KeyPart::Header(name) => values(seen.headers, name, &mut hasher),
                KeyPart::Address => seen.address.hash(&mut hasher),
                KeyPart::Route => (seen.scenario, seen.step).hash(&mut hasher),
            }
        }
        hasher.finish()
    }
}

fn values(headers: &HeaderMap, name: &HeaderName, hasher: &mut DefaultHasher) {
    let mut count = 0_u64;
    for value in headers.get_all(name) {
        value.as_bytes().hash(hasher);
        count += 1;
    }
    count.hash(hasher);
}
