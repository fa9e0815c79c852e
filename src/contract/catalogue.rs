//! What every check demands, why, and where that comes from. Ids are stable: suppressions and reports refer to them.

pub mod example;
mod texts;

use crate::severity::Severity;

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// `R04`; never reused.
    pub id: &'static str,
    /// `reset-vs-body`.
    pub name: &'static str,
    /// Of a violation, unless level, profile or status make it milder.
    pub severity: Severity,
    /// What has to be known to decide it.
    pub kind: Kind,
    /// What is wrong where it is violated, in a few words.
    pub complaint: &'static str,
    /// What is demanded, in one line.
    pub rule: &'static str,
    /// Why it matters to a client.
    pub rationale: &'static str,
    /// An RFC, a public document, or brownout's own rule.
    pub source: &'static str,
    /// What to change.
    pub how_to_fix: &'static str,
}

/// What has to be known to decide a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One answer, or one attempt without an answer.
    OneAnswer,
    /// The answers of a run, compared.
    WholeRun,
    /// One answer, and what was wrong on purpose with its request.
    Probe,
    /// The contract document alone: decided by `brownout check`, without traffic.
    Document,
}

/// Every check of this version, by group.
pub const ALL: &[Check] = texts::ALL;

/// The ids as numbers: looked up for every violation.
const KEYS: [u32; ALL.len()] = {
    let mut keys = [0; ALL.len()];
    let mut ix = 0;
    while ix < ALL.len() {
        keys[ix] = key(ALL[ix].id);
        ix += 1;
    }
    keys
};

/// The check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    let wanted = key(id);
    KEYS.iter().position(|&key| key == wanted).and_then(|ix| ALL.get(ix))
}

/// Whether a violation says something about the server as a whole, whichever error it answers: one finding for each
/// service, instead of one for each error.
pub fn is_of_the_server(id: &str) -> bool {
    matches!(id, "H09" | "H10" | "T03")
}

/// A number for an id of three bytes; 0, which no id has, for anything else.
const fn key(id: &str) -> u32 {
    match id.as_bytes() {
        [group, tens, ones] => u32::from_be_bytes([0, *group, *tens, *ones]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_unique_and_every_check_is_explained() {
        let mut ids: Vec<&str> = ALL.iter().flat_map(|check| [check.id, check.name]).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 2 * ALL.len());
        for check in ALL {
            for text in [check.rule, check.rationale, check.source, check.how_to_fix] {
                assert!(text.len() > 5 && !text.ends_with('.') && text.len() < 140, "{}: {text}", check.id);
            }
        }
        assert_eq!(find("R04").map(|check| (check.name, check.severity)), Some(("reset-vs-body", Severity::High)));
        assert_eq!(find("Z99"), None);
    }
}
