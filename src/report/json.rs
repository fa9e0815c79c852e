//! `report.json`: the report itself, written and read back.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Report, SCHEMA_VERSION};
use crate::analysis::ContractFacts;

/// The report as JSON: indented, keys in the order of the structure, a newline at the end.
pub fn render(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report has only string keys");
    text.push('\n');
    text
}

/// Why a file cannot be read as a report. The user can name another file, or use a newer brownout.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON at all.
    #[error("not a report: the file is not JSON ({0})")]
    NotJson(serde_json::Error),
    /// JSON, but not of ours.
    #[error("not a report of brownout: {0}")]
    NotOurs(String),
    /// Written by a brownout whose reports are built otherwise.
    #[error("the report has structure version {found}, and this brownout reads {SCHEMA_VERSION}: use the version that wrote it")]
    OtherVersion {
        /// The version the file states.
        found: String,
    },
    /// Ours, but something is missing or of the wrong type.
    #[error("the report is damaged: {0}")]
    Damaged(serde_json::Error),
}

/// What every report begins with.
#[derive(Deserialize)]
struct Beginning {
    schema_version: Option<String>,
    kind: Option<String>,
}

/// Reads a report.
///
/// # Errors
/// Where the file is not a report, is damaged, or has a structure newer than this version knows.
pub fn read(bytes: &[u8]) -> Result<Report, ReadError> {
    if bytes.trim_ascii_start().first().is_some_and(|first| b"[\"0123456789".contains(first)) {
        return Err(ReadError::NotOurs("it is not a JSON object".to_owned()));
    }
    let beginning: Beginning = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => ReadError::NotOurs(error.to_string()),
        _ => ReadError::NotJson(error),
    })?;
    let found = beginning.schema_version.ok_or_else(|| ReadError::NotOurs("it has no `schema_version`".to_owned()))?;
    match beginning.kind.as_deref() {
        Some("run") => {}
        Some(other) => return Err(ReadError::NotOurs(format!("its kind is {other:?}, not \"run\""))),
        None => return Err(ReadError::NotOurs("it has no `kind`".to_owned())),
    }
    let (ours, theirs) = (Version::of(SCHEMA_VERSION), Version::of(&found));
    let Some(theirs) = theirs else {
        return Err(ReadError::NotOurs(format!("its `schema_version` {found:?} is not a version")));
    };
    if ours.is_none_or(|ours| theirs.major != ours.major) {
        return Err(ReadError::OtherVersion { found });
    }
    serde_json::from_slice(bytes).map_err(|error| match ours.is_some_and(|ours| theirs.minor > ours.minor) {
        // Additions are ignored where they can be; a value we do not know cannot.
        true => ReadError::OtherVersion { found },
        false => ReadError::Damaged(error),
    })
}

#[derive(Clone, Copy)]
struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    fn of(text: &str) -> Option<Version> {
        let mut parts = text.split('.').map(str::parse);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(_)), None) => Some(Version { major, minor }),
            _ => None,
        }
    }
}

/// Writes no contract as `{}`, so that the key always holds an object.
pub(super) fn write_contract<S: Serializer>(contract: &Option<ContractFacts>, to: S) -> Result<S::Ok, S::Error> {
    match contract {
        Some(facts) => facts.serialize(to),
        None => serde_json::Map::new().serialize(to),
    }
}

/// Reads `{}` as no contract.
pub(super) fn read_contract<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ContractFacts>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    match value.as_object() {
        Some(object) if object.is_empty() => Ok(None),
        _ => serde_json::from_value(value).map(Some).map_err(D::Error::custom),
    }
}
