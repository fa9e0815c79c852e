//! How a documented error is provoked: the requests of its row's `probe`, as a contract or a plan writes them.
//!
//! Texts may hold `${name}`: `uuid` (seeded, the same throughout one probe), `run.id`, `x:N` (the letter x, N times), or
//! what an earlier request of the same probe captured. They are filled in when the probe is sent.

use crate::contract::Source;
use crate::units::Size;

/// A request that is wrong on purpose, with what has to be done before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbeSpec {
    /// Sent before it, in order; each must be answered with a status below 400.
    pub setup: Vec<Preparation>,
    /// The request; `None` only with a burst, which then repeats a request of the plan's scenarios.
    pub request: Option<Ask>,
    /// How often it is sent; the last answer is the one that counts. At least 1.
    pub repeat: u32,
    /// Sent again and again until it is refused.
    pub burst: Option<Burst>,
    /// Statuses that would do beside the row's own.
    pub accept: Vec<u16>,
    /// The member that is broken, as a dotted path without indices.
    pub field: Option<String>,
    /// Whether it changes the target's state, and so needs consent.
    pub writes: bool,
    pub source: Source,
}

/// A request sent before a probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Preparation {
    pub ask: Ask,
    /// How often. At least 1.
    pub times: u32,
    /// Names for later texts, and where in the last answer their values are.
    pub captures: Vec<(String, Found)>,
}

/// Where in an answer a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// `json:$.data.id`: the members on the way; whole numbers are indices where an array is met.
    Json(Vec<String>),
    /// `header:Location`
    Header(String),
}

/// One request as it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: AskBody,
    pub who: Who,
}

/// The body of a request as it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AskBody {
    #[default]
    None,
    /// Sent as `application/json` unless the headers say otherwise.
    Json(serde_json::Value),
    Text(String),
    /// The content of a file, as it is.
    Bytes(Vec<u8>),
    /// So many bytes of the letter x.
    Filled(Size),
}

/// Whose credentials a request carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Who {
    /// Those of the plan's requests.
    #[default]
    Plan,
    /// Nobody's.
    Nobody,
    /// An identity of the plan: `weak`, `expired`, `admin`.
    Named(String),
}

/// A request repeated until it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Requests at most.
    pub budget: u32,
    /// The status that ends it.
    pub stop_on: u16,
    /// Whether to wait as long as the refusal says, and to look whether that was true.
    pub recover: bool,
    /// Whether to go on until it shows which kind of limiter it is: three of its windows, four times its limit.
    pub tell: bool,
}

impl ProbeSpec {
    /// The identities it uses, beside the plan's own.
    pub fn identities(&self) -> impl Iterator<Item = &str> {
        self.asks().filter_map(|ask| match &ask.who {
            Who::Named(name) => Some(name.as_str()),
            Who::Plan | Who::Nobody => None,
        })
    }

    /// Requests it takes at most, without the wait for recovery.
    pub fn requests(&self) -> u32 {
        let before: u32 = self.setup.iter().map(|preparation| preparation.times).sum();
        before.saturating_add(self.burst.map_or(self.repeat.max(1), |burst| burst.budget))
    }

    fn asks(&self) -> impl Iterator<Item = &Ask> {
        self.setup.iter().map(|preparation| &preparation.ask).chain(&self.request)
    }
}

impl Ask {
    /// Whether its method is one that only reads (RFC 9110 §9.2.1).
    pub fn reads(&self) -> bool {
        ["GET", "HEAD", "OPTIONS", "TRACE"].contains(&self.method.as_str())
    }
}

/// The names in a text's `${…}`, in order.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_text_are_what_stands_in_its_places() {
        assert_eq!(names("/v1/${id}/items/${uuid}?x=${x:40}").collect::<Vec<_>>(), ["id", "uuid", "x:40"]);
        assert_eq!(names("nothing ${open").count(), 0);
    }

    #[test]
    fn a_probe_takes_its_preparations_and_its_repeats() {
        let setup = vec![Preparation { ask: Ask::default(), times: 11, captures: Vec::new() }];
        let spec = ProbeSpec { setup, repeat: 2, ..ProbeSpec::default() };
        assert_eq!(spec.requests(), 13);
        assert_eq!(ProbeSpec::default().requests(), 1);
        let burst = Some(Burst { budget: 200, stop_on: 429, recover: true, tell: false });
        assert_eq!(ProbeSpec { burst, ..ProbeSpec::default() }.requests(), 200);
    }
}
