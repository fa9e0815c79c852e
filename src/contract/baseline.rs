//! The findings of an earlier report: what is known already, so that a gate can ask for what is new.
//!
//! Only findings are read, by their ids, which are the same in every run. The file is somebody's: its size is bounded by
//! who reads it, its texts are cut here, and what is not a report is refused with the reason.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::severity::Severity;

/// Findings read at most: more than any report holds.
const MOST: usize = 10_000;
/// Characters of a text.
const LONGEST: usize = 400;

/// The findings of an earlier report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// The file as it was named.
    pub path: String,
    /// The run it is of.
    pub run: String,
    /// By id.
    pub known: BTreeMap<String, Known>,
}

/// One finding of an earlier report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub check: String,
    pub severity: Severity,
    pub title: String,
    pub service: Option<String>,
    pub status: Option<u16>,
    pub code: Option<String>,
}

/// What is read of a report; anything else in it is skipped.
#[derive(Deserialize)]
struct Document {
    kind: String,
    run: Run,
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Run {
    id: String,
}

#[derive(Deserialize)]
struct Finding {
    id: String,
    check: String,
    severity: Severity,
    title: String,
    responder: String,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    baseline: Option<String>,
}

impl Baseline {
    /// Reads the text of a `report.json`. What brownout's own injector did is no finding about the target.
    ///
    /// # Errors
    /// Says why it is no report, for whoever named the file.
    pub fn read(text: &str, path: &str) -> Result<Baseline, String> {
        let document: Document = serde_json::from_str(text).map_err(|error| format!("it is not a report.json of brownout: {error}"))?;
        if document.kind != "run" {
            return Err(format!("it is not the report of a run: its kind is `{}`", cut(&document.kind, 40)));
        }
        if document.findings.len() > MOST {
            return Err(format!("it has {} findings; at most {MOST} are read", document.findings.len()));
        }
        let mut known = BTreeMap::new();
        for finding in document.findings {
            if finding.id.len() != 16 || !finding.id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(format!("`{}` is not the id of a finding", cut(&finding.id, 40)));
            }
            if finding.responder != "injector" && finding.baseline.as_deref() != Some("fixed") {
                let text = |text: Option<String>| text.map(|text| cut(&text, LONGEST));
                let about = Known {
                    check: cut(&finding.check, 16),
                    severity: finding.severity,
                    title: cut(&finding.title, LONGEST),
                    service: text(finding.service),
                    status: finding.status,
                    code: text(finding.code),
                };
                known.insert(finding.id, about);
            }
        }
        Ok(Baseline { path: path.to_owned(), run: cut(&document.run.id, 80), known })
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(findings: &str) -> String {
        format!(r#"{{"kind":"run","schema_version":"1.0.0","run":{{"id":"r1","seed":7}},"findings":[{findings}],"extra":{{}}}}"#)
    }

    fn finding(id: &str, more: &str) -> String {
        format!(r#"{{"id":"{id}","check":"R04","severity":"high","title":"t","responder":"origin"{more}}}"#)
    }

    #[test]
    fn findings_are_read_by_id_but_for_our_own_and_those_that_were_fixed() {
        let known = finding("00000000000000aa", r#","status":429,"code":"X","service":"a","baseline":"known""#);
        let fixed = finding("00000000000000ab", r#","baseline":"fixed""#);
        let own = finding("00000000000000ac", "").replace("origin", "injector");
        let read = Baseline::read(&report(&[known, fixed, own].join(",")), "base.json").expect("a report");
        assert_eq!((read.run.as_str(), read.path.as_str()), ("r1", "base.json"));
        assert_eq!(read.known.keys().collect::<Vec<_>>(), ["00000000000000aa"]);
        assert_eq!(read.known["00000000000000aa"].status, Some(429));
    }

    #[test]
    fn what_is_not_a_report_is_refused_with_the_reason() {
        let deep = "[".repeat(100_000);
        for (text, why) in [
            ("", "it is not a report.json of brownout: EOF while parsing"),
            ("[]", "it is not a report.json of brownout: "),
            ("{\"kind\":\"run\"}", "it is not a report.json of brownout: missing field"),
            (deep.as_str(), "it is not a report.json of brownout: "),
            (&report("").replace("\"run\",\"schema", "\"profile\",\"schema"), "it is not the report of a run: its kind is `profile`"),
            (&report(&finding("../../etc/passwd", "")), "`../../etc/passwd` is not the id of a finding"),
            (&report(&finding("00000000000000aa", "").replace("high", "awful")), "it is not a report.json of brownout: unknown variant"),
        ] {
            let said = Baseline::read(text, "x").expect_err(text);
            assert!(said.starts_with(why), "{said}");
        }
        let many = vec![finding("00000000000000aa", ""); MOST + 1].join(",");
        assert_eq!(Baseline::read(&report(&many), "x"), Err(format!("it has {} findings; at most {MOST} are read", MOST + 1)));
    }
}
