//! Waivers: findings that are known, each with a reason and a day on which that is over.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::contract::Source;

/// A finding that is known and accepted until a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// The id of a check of the catalogue: `H04`.
    pub check: &'static str,
    /// The rows it is about, as a key whose parts may be `*` or end with one: `*/*/401/*`. None: any.
    pub entry: Option<String>,
    /// The one finding it is about, by its id. None: any of the check.
    pub finding: Option<String>,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it is (UTC).
    pub expires: Date,
    pub source: Source,
}

impl Waiver {
    /// Whether its last day is over, at a moment in microseconds since the Unix epoch.
    pub fn is_over(&self, now_unix_us: i64) -> bool {
        let today = jiff::Timestamp::from_microsecond(now_unix_us).unwrap_or_default().to_zoned(TimeZone::UTC).date();
        today > self.expires
    }

    /// Whether it is about a finding: of this check, in the row with this key (`service/operation/status/code`), with this id.
    ///
    /// Whether it is still in force is for [`Waiver::is_over`] to say.
    pub fn covers(&self, check: &str, key: &str, finding: &str) -> bool {
        self.check == check
            && self.finding.as_deref().is_none_or(|id| id == finding)
            && self.entry.as_deref().is_none_or(|entry| fits(entry, key))
    }
}

/// Whether a key fits a key whose parts may be `*`, or end with it.
pub(crate) fn fits(entry: &str, key: &str) -> bool {
    let part = |wanted: &str, part: &str| wanted.strip_suffix('*').map_or(wanted == part, |stem| part.starts_with(stem));
    match (parts(entry), parts(key)) {
        (Some(wanted), Some(given)) => wanted.iter().zip(given).all(|(wanted, given)| part(wanted, given)),
        _ => false,
    }
}

/// Service, operation, status and code of a key.
///
/// An operation has slashes of its own, and so has a code that is a URI: what tells them apart is the last part that
/// can only be a status, else the last but one.
pub(crate) fn parts(key: &str) -> Option<[&str; 4]> {
    let (service, rest) = key.split_once('/')?;
    let (operation, rest) = match rest.strip_prefix("*/") {
        Some(rest) => ("*", rest),
        None => rest.split_at_checked(start_of_status(rest)?).map(|(operation, rest)| (operation.trim_end_matches('/'), rest))?,
    };
    let (status, code) = rest.split_once('/')?;
    let whole = [service, operation, status, code];
    whole.iter().all(|part| !part.is_empty()).then_some(whole)
}

/// Where the status begins after an operation.
fn start_of_status(rest: &str) -> Option<usize> {
    let starts = || rest.match_indices('/').map(|(at, _)| at + 1);
    let part = |at: usize| rest[at..].split_once('/').map(|(part, _)| part);
    let is_status =
        |part: &str| part == "default" || (part.len() == 3 && (part.ends_with("xx") || part.bytes().all(|b| b.is_ascii_digit())));
    let certain = starts().rfind(|&at| part(at).is_some_and(is_status));
    certain.or_else(|| starts().rfind(|&at| part(at).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiver(entry: Option<&str>, finding: Option<&str>) -> Waiver {
        Waiver {
            check: "H04",
            entry: entry.map(str::to_owned),
            finding: finding.map(str::to_owned),
            reason: "API-123".to_owned(),
            expires: "2026-12-31".parse().expect("a date"),
            source: Source::default(),
        }
    }

    #[test]
    fn a_waiver_holds_to_the_end_of_its_last_day() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().expect("a moment").as_microsecond();
        let waiver = waiver(None, None);
        assert!(!waiver.is_over(at("2026-12-31T23:59:59Z")));
        assert!(waiver.is_over(at("2027-01-01T00:00:00Z")));
    }

    #[test]
    fn a_waiver_covers_its_check_in_its_rows_and_its_finding() {
        let key = "llm-api/GET /v1/models/{id}/404/MODEL_NOT_FOUND";
        for (entry, finding, covers) in [
            (None, None, true),
            (Some("*/*/404/*"), None, true),
            (Some("llm-api/GET /v1/*/404/*"), None, true),
            (Some("llm-api/*/404/MODEL_*"), None, true),
            (Some("media-api/*/404/*"), None, false),
            (Some("*/*/401/*"), None, false),
            (None, Some("f1"), true),
            (None, Some("f2"), false),
        ] {
            assert_eq!(waiver(entry, finding).covers("H04", key, "f1"), covers, "{entry:?} {finding:?}");
        }
        assert!(!waiver(None, None).covers("H05", key, "f1"));
    }

    #[test]
    fn a_key_has_four_parts_whatever_its_operation() {
        assert_eq!(parts("*/*/401/*"), Some(["*", "*", "401", "*"]));
        assert_eq!(parts("a/GET /x/y/4xx/C"), Some(["a", "GET /x/y", "4xx", "C"]));
        assert_eq!(parts("a/*/404/https://example.com/x"), Some(["a", "*", "404", "https://example.com/x"]));
        assert_eq!(parts("a/GET /x/*/*/*"), Some(["a", "GET /x/*", "*", "*"]));
        for broken in ["401", "", "a/b", "a/b/", "//", "a//404/X", "*/*/404/"] {
            assert_eq!(parts(broken), None, "{broken}");
        }
    }
}
