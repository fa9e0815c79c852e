//! What a session with a client that is not ours was: `extra.session` of the report.

use serde::{Deserialize, Serialize};

use super::Report;

/// The key of `extra`.
const KEY: &str = "session";

/// A session of `brownout proxy`, beside what reports of any run hold. What a report does not say counts as nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionFacts {
    /// The base URL that the client was given; empty where the proxy never listened.
    pub listen: String,
    /// Whether it served as a forward proxy too.
    pub forward: bool,
    /// What the draws about the client's requests were made of: `exact`, `ordinal`, `realtime`.
    pub repeatable: String,
    pub client: ClientFacts,
    pub connections: u64,
    /// Attempts that the client left before it had an answer.
    pub client_left: u64,
    /// In the order of their first appearance.
    pub routes: Vec<RouteFacts>,
    /// By what attempts were counted to their exchanges, the strongest first.
    pub recognised: Vec<RecognisedFacts>,
    /// Retries, by how sure it is that they are.
    pub confidence: ConfidenceFacts,
    /// Retries of which it is not sure to which of several like exchanges they belong.
    pub ambiguous: u64,
    /// Retries that named their exchange as before and sent another body.
    pub changed: u64,
    /// Exchanges that were cut into several since they had more attempts than are kept.
    pub split: u64,
}

/// The client's program, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientFacts {
    /// Empty where somebody else started it.
    pub command: Vec<String>,
    /// `by-itself`, `time-bound`, `interrupted`, `never-started`, `not-ours`, `unknown`
    pub ended: String,
    pub exit_code: Option<i64>,
    pub signal: Option<i64>,
}

/// Method and path, without what names one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteFacts {
    pub route: String,
    pub exchanges: u64,
}

/// Attempts that were recognised by one kind of evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecognisedFacts {
    pub basis: String,
    pub first: u64,
    pub retries: u64,
}

/// Retries by confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfidenceFacts {
    pub exact: u64,
    pub high: u64,
    pub medium: u64,
    pub low: u64,
}

impl ConfidenceFacts {
    /// Retries of any confidence.
    pub fn all(self) -> u64 {
        [self.exact, self.high, self.medium, self.low].iter().fold(0, |sum, n| sum.saturating_add(*n))
    }
}

impl ClientFacts {
    /// `ended with code 7`; nothing of a client that is somebody else's, or of which nothing is said.
    pub fn in_words(&self) -> Option<String> {
        match (self.ended.as_str(), self.exit_code, self.signal) {
            (_, Some(code), _) => Some(format!("ended with code {code}")),
            (_, _, Some(signal)) => Some(format!("was ended by signal {signal}")),
            ("time-bound", ..) => Some("was ended when its time was over".to_owned()),
            ("never-started", ..) => Some("could not be started".to_owned()),
            ("interrupted", ..) => Some("was interrupted".to_owned()),
            _ => None,
        }
    }

    /// Whether it ended as a program should.
    pub fn is_well(&self) -> bool {
        self.exit_code == Some(0) || self.in_words().is_none()
    }
}

impl Report {
    /// Whether the load was that of a client that is not ours.
    pub fn is_session(&self) -> bool {
        self.extra.contains_key(KEY)
    }

    /// What the session was, where the report is of one and can be read.
    pub fn session(&self) -> Option<SessionFacts> {
        SessionFacts::deserialize(self.extra.get(KEY)?).ok()
    }

    /// Says that the report is of a session.
    pub fn set_session(&mut self, facts: &SessionFacts) {
        let facts = serde_json::to_value(facts).expect("names, words and counts are JSON");
        self.extra.insert(KEY.to_owned(), facts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_client_is_told_in_words_where_it_is_known() {
        let ended = |ended: &str, exit_code, signal| ClientFacts { ended: ended.to_owned(), exit_code, signal, ..ClientFacts::default() };
        for (client, words, well) in [
            (ended("by-itself", Some(0), None), Some("ended with code 0"), true),
            (ended("by-itself", Some(7), None), Some("ended with code 7"), false),
            (ended("by-itself", None, Some(9)), Some("was ended by signal 9"), false),
            (ended("time-bound", None, None), Some("was ended when its time was over"), false),
            (ended("interrupted", None, None), Some("was interrupted"), false),
            (ended("not-ours", None, None), None, true),
            (ClientFacts::default(), None, true),
        ] {
            assert_eq!((client.in_words().as_deref(), client.is_well()), (words, well), "{client:?}");
        }
    }

    #[test]
    fn what_an_older_report_does_not_say_counts_as_nothing() {
        let read: SessionFacts = serde_json::from_str(r#"{ "client": { "ended": "never-started" }, "weather": 1 }"#).unwrap();
        assert_eq!((read.client.ended.as_str(), read.connections, read.routes.len()), ("never-started", 0, 0));
    }
}
