//! Numbers → documents: one [`Report`], and renderers that only format it.
//!
//! `report.json` is the report itself; every other output is rendered from it and shows no number that is not
//! in it, so that `brownout report FILE` makes every view again from that file alone.

pub mod escape;
pub mod hgrm;
pub mod histogram;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
mod markup;
pub mod number;
mod palette;
mod scale;
mod series;
pub mod session;
mod svg;
pub mod text;
mod wording;

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use sha2::{Digest, Sha256};

use crate::analysis::{
    Accounting, Analysis, ContractFacts, DataQuality, DecisionFacts, FaultFacts, FindingFacts, HistogramFacts, Metrics, Retries,
    StageFacts, Timeseries, Verdict, WaiverFacts,
};

/// The version of the report's structure; additions bump the minor number.
pub const SCHEMA_VERSION: &str = "1.0.0";

/// The one result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub schema_version: String,
    /// `run`
    pub kind: String,
    pub tool: Tool,
    pub run: Run,
    pub plan: PlanFacts,
    pub target: TargetFacts,
    pub verdict: Verdict,
    pub accounting: Accounting,
    pub stages: Vec<StageFacts>,
    pub faults: Vec<FaultFacts>,
    /// How far the faults repeat, and where each decision stands; `null` where the plan has none.
    #[serde(default)]
    pub decisions: Option<DecisionFacts>,
    pub metrics: Metrics,
    pub histograms: Vec<HistogramFacts>,
    pub timeseries: Timeseries,
    pub retries: Retries,
    /// `{}` where the plan names no contract.
    #[serde(serialize_with = "json::write_contract", deserialize_with = "json::read_contract")]
    pub contract: Option<ContractFacts>,
    pub probes: Vec<ProbeFacts>,
    pub findings: Vec<FindingFacts>,
    pub comparison: Option<serde_json::Value>,
    pub data_quality: DataQuality,
    /// The contract's waivers, and what they cover.
    pub suppressions: Vec<WaiverFacts>,
    pub artifacts: Vec<Artifact>,
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// Which tool made the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    pub name: String,
    pub version: String,
    pub commit: Option<String>,
}

/// When and where the run was, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub id: String,
    /// RFC 3339.
    pub started_at: String,
    pub finished_at: String,
    pub duration_ms: u64,
    pub seed: u64,
    /// False for an interrupted or aborted run.
    pub complete: bool,
    pub ended_by: EndedBy,
    pub exit_code: u8,
    pub labels: BTreeMap<String, String>,
    pub arrivals_digest: String,
    pub decisions_digest: String,
    pub host: Host,
    pub ci: Option<Ci>,
}

/// What ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    Schedule,
    Sigint,
    Sigterm,
    AbortGate,
    TargetLost,
    Internal,
}

/// The machine the generator ran on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub os: String,
    pub cpus: u32,
    pub mem_mb: Option<u64>,
}

/// The CI job, where its environment says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ci {
    pub provider: String,
    pub run_url: Option<String>,
    pub commit: Option<String>,
    pub branch: Option<String>,
    pub change: Option<String>,
}

/// Which plan was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFacts {
    pub path: String,
    pub sha256: String,
    pub name: String,
    pub normalised: String,
    pub redactions: Vec<String>,
}

/// What was tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    pub base_url: String,
    /// `embedded strict`, or null.
    pub embedded: Option<String>,
    pub services: Vec<String>,
    pub http_versions: Vec<String>,
    pub clock_skew_ms: Option<i64>,
    pub responders: Vec<String>,
    /// `client → proxy → target`: what was in the path.
    pub path: Vec<String>,
}

/// One request that was wrong on purpose, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeFacts {
    /// The same in every run of the plan.
    pub id: String,
    /// The kind of mistake, a word.
    pub mistake: String,
    /// The same for people.
    pub what: String,
    /// Method and path, as the plan or the contract writes them.
    pub operation: String,
    /// The documented error it is aimed at, the first where it may be several; `null` where it is at none in particular.
    pub target_entry: Option<String>,
    /// Statuses that would do; empty: any error.
    pub accept: Vec<u16>,
    /// `probe` | `hook`
    pub how: String,
    /// How often it was sent.
    pub sent: u32,
    /// When the answer was there, in milliseconds since the battery began; `null` where nothing was sent.
    pub at_ms: Option<u64>,
    /// `expected` | `unexpected` | `accepted` | `tolerated` | `limited` | `no-answer` | `not-sent`
    pub outcome: String,
    pub status: Option<u16>,
    pub code: Option<String>,
    /// The documented error that was answered.
    pub answered_entry: Option<String>,
    /// Why it was not sent, or not answered.
    pub reason: Option<String>,
}

/// A file beside report.json that is not rendered from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    pub path: String,
    pub media_type: String,
    pub bytes: u64,
    pub sha256: String,
}

/// What only the shell knows about a run, to be joined with its analysis.
#[derive(Clone, Debug)]
pub struct Setting {
    pub tool: Tool,
    pub run: Run,
    pub plan: PlanFacts,
    pub target: TargetFacts,
}

impl Report {
    /// Whether there was no load and was not to be any: the battery of probes alone.
    pub fn is_battery(&self) -> bool {
        !self.probes.is_empty() && self.accounting.scheduled == 0
    }

    /// The report of a run: where and how it was made, joined with what was found out.
    pub fn new(setting: Setting, analysis: Analysis) -> Report {
        Report {
            schema_version: SCHEMA_VERSION.to_owned(),
            kind: "run".to_owned(),
            tool: setting.tool,
            run: setting.run,
            plan: setting.plan,
            target: setting.target,
            verdict: analysis.verdict,
            accounting: analysis.accounting,
            stages: analysis.stages,
            faults: analysis.faults,
            decisions: analysis.decisions,
            metrics: analysis.metrics,
            histograms: analysis.histograms,
            timeseries: analysis.timeseries,
            retries: analysis.retries,
            contract: analysis.contract,
            probes: Vec::new(),
            findings: analysis.findings,
            comparison: None,
            data_quality: analysis.data_quality,
            suppressions: analysis.suppressions,
            artifacts: Vec::new(),
            extra: BTreeMap::new(),
        }
    }
}

impl Artifact {
    /// The entry of a file that may be too large to be read at once.
    ///
    /// # Errors
    /// What the system says while it is read.
    pub fn of_file(path: &str, media_type: &str, mut file: impl std::io::Read) -> std::io::Result<Artifact> {
        let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; 64 * 1024]);
        loop {
            match file.read(&mut piece)? {
                0 => break,
                read => {
                    hash.update(&piece[..read]);
                    bytes += read as u64;
                }
            }
        }
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Artifact { path: path.to_owned(), media_type: media_type.to_owned(), bytes, sha256 })
    }

    /// The entry of a file that is written beside report.json.
    pub fn of(path: &str, media_type: &str, bytes: &[u8]) -> Artifact {
        Artifact { path: path.to_owned(), media_type: media_type.to_owned(), bytes: bytes.len() as u64, sha256: sha256(bytes) }
    }
}

/// A kind of output. `report.json` is always among the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Html,
    Junit,
    Markdown,
    Hgrm,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 5] = [Format::Json, Format::Html, Format::Junit, Format::Markdown, Format::Hgrm];

    /// The word used in plans and commands.
    pub const fn word(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Html => "html",
            Format::Junit => "junit",
            Format::Markdown => "markdown",
            Format::Hgrm => "hgrm",
        }
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Format, String> {
        let known = Format::ALL.into_iter().find(|format| format.word() == text);
        known.ok_or_else(|| format!("`{text}` is not a report format; write json, html, junit, markdown or hgrm"))
    }
}

/// The name of the file that lists the hashes of the others, in the form `sha256sum --check` reads.
pub const SUMS: &str = "SHA256SUMS";

/// The files of a report in these formats, each with its name, `report.json` first and [`SUMS`] last.
///
/// The same report gives the same bytes each time; nothing is read or written here.
pub fn files(report: &Report, formats: &[Format]) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("report.json".to_owned(), json::render(report))];
    for format in Format::ALL.into_iter().filter(|format| formats.contains(format)) {
        match format {
            Format::Json => {}
            Format::Html => files.push(("report.html".to_owned(), html::render(report))),
            Format::Junit => files.push(("junit.xml".to_owned(), junit::render(report))),
            Format::Markdown => files.push(("summary.md".to_owned(), markdown::render(report))),
            Format::Hgrm => files.extend(hgrm::render(report)),
        }
    }
    let sums = files.iter().map(|(name, text)| format!("{}  {name}\n", sha256(text.as_bytes()))).collect();
    files.push((SUMS.to_owned(), sums));
    files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}

/// The SHA-256 of some bytes, in hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
