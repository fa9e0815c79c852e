//! Numbers → documents: one [`Report`], and renderers that only format it.
//!
//! `report.json` is the report itself; every other output is rendered from it and shows no number that is not
//! in it, so that `brownout report FILE` makes every view again from that file alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::analysis::{
    Accounting, Analysis, ContractFacts, DataQuality, FaultFacts, FindingFacts, HistogramFacts, Metrics, Retries, StageFacts, Timeseries,
    Verdict,
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
    pub metrics: Metrics,
    pub histograms: Vec<HistogramFacts>,
    pub timeseries: Timeseries,
    pub retries: Retries,
    /// `{}` where the plan names no contract.
    pub contract: Option<ContractFacts>,
    pub probes: Vec<serde_json::Value>,
    pub findings: Vec<FindingFacts>,
    pub comparison: Option<serde_json::Value>,
    pub data_quality: DataQuality,
    pub suppressions: Vec<serde_json::Value>,
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
            metrics: analysis.metrics,
            histograms: analysis.histograms,
            timeseries: analysis.timeseries,
            retries: analysis.retries,
            contract: analysis.contract,
            probes: Vec::new(),
            findings: analysis.findings,
            comparison: None,
            data_quality: analysis.data_quality,
            suppressions: Vec::new(),
            artifacts: Vec::new(),
            extra: BTreeMap::new(),
        }
    }
}
