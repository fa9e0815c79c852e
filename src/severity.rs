//! How bad a finding is: one order of severity for contract checks, gates and reports.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How bad a violation is; the order is the order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// All of them, the mildest first.
    pub const ALL: [Severity; 5] = [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// The word used in plans and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Severity {
    type Err = String;
    fn from_str(text: &str) -> Result<Severity, String> {
        let known = Severity::ALL.into_iter().find(|severity| severity.word() == text);
        known.ok_or_else(|| format!("`{text}` is not a severity; write info, low, medium, high or critical"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_read_back_and_order_from_info_to_critical() {
        for severity in Severity::ALL {
            assert_eq!(severity.word().parse(), Ok(severity));
        }
        assert!(Severity::Critical > Severity::High && Severity::Low > Severity::Info);
        assert!("awful".parse::<Severity>().unwrap_err().contains("medium"));
    }
}
