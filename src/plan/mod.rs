//! TOML text → [`Plan`], or every problem in it.
//!
//! A plan is read by our own walker over the TOML document, so that every value keeps its place in the file and
//! all problems are found at once. What leaves this module is complete: variables are replaced, names are
//! indices, stages and windows are offsets, errors are rows of the contract. Nothing later can find a fault in it.

pub mod contract_file;
pub mod file;
pub mod forecast;
mod level;
mod lower;
mod nearest;
pub mod probe;
pub mod problem;
pub mod proxy;
pub mod server_file;
pub mod source;
mod unfit;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Method};

use crate::arrival::{Process, Segment};
use crate::contract::baseline::Baseline;
use crate::contract::{Contract, Terms};
use crate::fault::FaultRules;
use crate::gate::Gate;
use crate::id::{PolicyIx, ScenarioIx, StageIx};
use crate::retry::RetryPolicy;
use crate::secret::Secrets;
use crate::seed::{Distribution, Seed};
use crate::units::{Micros, Offset, Ratio, Size};
use crate::wire::SseRule;

pub use crate::contract::server::Limits;
pub use lower::{LoadOptions, read_baseline};
pub use nearest::nearest;
pub use probe::ProbeSettings;
pub use problem::Problems;
pub use proxy::{ClientProgram, ProxySettings, ProxyTls};

/// What a run or a session may last at most: a week. One of which nobody has said how long it lasts is taken to last so long.
pub const LONGEST: Micros = Micros(7 * 24 * Micros::HOUR.0);

/// Everything a run does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The path as the user gave it.
    pub path: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    pub name: String,
    pub seed: Seed,
    pub target: Target,
    pub scenarios: Vec<Scenario>,
    pub data: Vec<DataSet>,
    pub load: Load,
    pub contract: Option<ContractUse>,
    pub faults: FaultRules,
    /// Whether the fault proxy is in the path: the plan has `[[fault]]`, `[client]` or `[proxy]`.
    pub proxy: Option<ProxySettings>,
    /// `[client]`: a program whose requests are the load, in place of the plan's own generator.
    pub client: Option<ClientProgram>,
    /// `[probe]`: how documented errors are provoked, where the plan says so.
    pub probe: Option<ProbeSettings>,
    /// Whether the requests are those of clients that are not ours.
    pub foreign: bool,
    pub policies: Vec<RetryPolicy>,
    pub gates: Vec<Gate>,
    pub validity: Validity,
    pub report: ReportSettings,
    pub secrets: Arc<Secrets>,
    /// The plan's text with variables replaced and secrets masked, for the report.
    pub normalised: String,
    /// What was masked: `vars.token`.
    pub redactions: Vec<String>,
}

/// Where requests go, and the fence around it.
#[derive(Clone, Debug)]
pub struct Target {
    pub place: Place,
    /// Host patterns (`127.0.0.1`, `*.staging.example.com`); loopback and embedded are implicitly allowed.
    pub allow_hosts: Vec<String>,
    pub http: HttpVersion,
    pub transport: TransportKind,
    pub connections: Connections,
    pub timeouts: Timeouts,
    /// Sent with every request.
    pub headers: Vec<(HeaderName, Template)>,
    pub tls: TlsSettings,
    /// Whether requests that write may be sent: the plan says so, or the target is on this machine.
    pub writes: bool,
    /// Connect here instead of to the URL's host and port.
    pub connect_to: Option<String>,
}

impl Target {
    /// Whether a host that somebody else names may be sent to: this target's own, one of `allow_hosts`, or with `loopback`
    /// one of this machine.
    pub fn allows(&self, host: &str, loopback: bool) -> bool {
        let own = matches!(&self.place, Place::Url(url) if url.host_str().is_some_and(|own| own.eq_ignore_ascii_case(host)));
        own || lower::is_allowed(host, &self.allow_hosts, loopback)
    }
}

/// The target itself.
#[derive(Clone, Debug)]
pub enum Place {
    /// `scheme://host[:port]`, with an optional path prefix.
    Url(url::Url),
    /// The embedded reference server, serving the plan's contract.
    Embedded(Embedded),
}

/// `embedded = "strict"` or `{ preset, limits }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    pub preset: String,
    pub limits: Limits,
}

/// The HTTP version spoken to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    Http1,
    Http2,
    /// HTTP/2 where TLS negotiates it, else HTTP/1.1.
    Auto,
}

/// Which client sends the measured requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportKind {
    Direct,
    Reqwest,
}

/// How connections are used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connections {
    /// Sockets at most, over all workers.
    pub max: u32,
    /// False: one connection per request.
    pub keep_alive: bool,
    pub idle_timeout: Micros,
}

/// How long an attempt may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timeouts {
    pub connect: Micros,
    pub first_byte: Micros,
    pub total: Micros,
}

/// TLS towards the target.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// PEM bundle of further trusted roots.
    pub ca: Option<Vec<u8>>,
    /// PEM client certificate chain and key.
    pub cert: Option<Vec<u8>>,
    pub key: Option<Vec<u8>>,
    pub server_name: Option<String>,
}

/// What one kind of user does.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    /// Its share of the arrivals; 0 is never drawn.
    pub weight: u32,
    pub policy: Option<PolicyIx>,
    pub steps: Vec<Step>,
}

/// One logical request of a scenario.
#[derive(Clone, Debug)]
pub struct Step {
    /// The name, or the request line as written.
    pub name: String,
    /// `scenario/step` as shown in reports.
    pub operation: String,
    pub method: Method,
    /// Path and query.
    pub path: Template,
    pub headers: Vec<(HeaderName, Template)>,
    pub body: Option<Template>,
    /// Statuses that are ok; 200–399 by default.
    pub expect: Vec<StatusRange>,
    pub captures: Vec<Capture>,
    /// The pause after this step.
    pub think: Option<Distribution>,
    pub stream: Option<SseRule>,
}

/// Statuses from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    pub first: u16,
    pub last: u16,
}

/// A value kept from an answer for later steps.
#[derive(Clone, Debug)]
pub struct Capture {
    pub name: String,
    /// The session's slot it is stored in.
    pub slot: usize,
    pub from: CaptureFrom,
}

/// Where a captured value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureFrom {
    /// `json:$.data.id`
    Json(Vec<JsonStep>),
    /// `header:Location`
    Header(HeaderName),
}

/// One step of a JSON path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonStep {
    Member(String),
    Index(usize),
}

/// Text with places to fill in, compiled to byte pieces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    pub pieces: Vec<Piece>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Text(Bytes),
    Fill(Fill, Escape),
}

/// What fills a place.
#[derive(Clone, Debug, PartialEq)]
pub enum Fill {
    /// A captured value, by its slot in the session.
    Capture(usize),
    /// A field of this arrival's row of a data set.
    Data {
        set: usize,
        field: usize,
    },
    RunId,
    Arrival,
    /// A seeded UUID; the number tells several in one plan apart.
    Uuid(u64),
}

/// How a value is written into its surroundings, so that hostile data stays data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Inside a JSON string.
    Json,
    /// Percent-encoded, for a path segment or a query value.
    Url,
    /// A header value: control bytes are dropped.
    Header,
    /// As it is.
    Raw,
}

/// Rows of values for templates.
#[derive(Clone, Debug)]
pub struct DataSet {
    pub name: String,
    pub fields: Vec<String>,
    /// Row-major; every row has `fields.len()` values. Never empty.
    pub rows: Vec<Vec<Bytes>>,
    pub pick: Pick,
}

/// Which row an arrival gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Row k mod n.
    Sequential,
    /// A new permutation for every round.
    Shuffle,
    /// Drawn with replacement.
    Random,
    /// Each row at most once; a plan that expects more arrivals than rows is refused.
    Unique,
}

/// When requests start.
#[derive(Clone, Debug)]
pub struct Load {
    pub process: Process,
    /// Sessions begun and not ended, at most.
    pub max_in_flight: u32,
    pub at_limit: AtLimit,
    /// How long in-flight work may go on after the schedule's end.
    pub drain: Micros,
    /// In order of time, without gaps.
    pub stages: Vec<Stage>,
}

/// What happens to an arrival when `max_in_flight` sessions are going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtLimit {
    /// Counted, never sent.
    Drop,
    /// Waits; the wait is part of its response time.
    Queue,
}

/// A named stretch of load.
#[derive(Clone, Debug)]
pub struct Stage {
    pub name: String,
    pub judged: bool,
    pub start: Offset,
    pub length: Micros,
    pub shape: Shape,
    /// The load as written: `5/s -> 40/s`, `50 users`.
    pub spec: String,
}

/// The load of a stage.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Arrivals at a rate; stairs and ramps are several segments.
    Open(Vec<Segment>),
    /// Users who wait for the answer before they begin again.
    Closed { users: u32 },
}

/// The contract answers are held to.
#[derive(Clone, Debug)]
pub struct ContractUse {
    pub contract: Arc<Contract>,
    pub terms: Terms,
    /// An earlier report, whose findings are known.
    pub baseline: Option<Arc<Baseline>>,
}

/// Beyond these the run is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validity {
    pub schedule_lag_p99: Micros,
    pub dropped: Ratio,
    pub generator_cpu: Ratio,
}

impl Default for Validity {
    fn default() -> Validity {
        let ratio = |value| Ratio::new(value).expect("a share");
        Validity { schedule_lag_p99: Micros::from_millis(2), dropped: ratio(0.001), generator_cpu: ratio(0.85) }
    }
}

/// What is written, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportSettings {
    /// With `${run.id}` still in it; relative to the current folder.
    pub dir: String,
    pub formats: Vec<Format>,
}

/// A kind of output; report.json is always written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Html,
    Junit,
    Markdown,
    Hgrm,
}

impl Plan {
    /// Whether the plan has a load of its own: without one, it is for `brownout proxy`.
    pub fn has_load(&self) -> bool {
        !self.scenarios.is_empty()
    }

    /// When the schedule ends.
    pub fn schedule_end(&self) -> Offset {
        self.load.stages.last().map_or(Offset::START, |stage| stage.start + stage.length)
    }

    /// The stage at a moment of the schedule; the last one after its end.
    pub fn stage_at(&self, at: Offset) -> StageIx {
        let later = self.load.stages.partition_point(|stage| stage.start <= at);
        StageIx::from(later.saturating_sub(1))
    }

    /// The scenario of an arrival, drawn by weight.
    pub fn scenario_of(&self, arrival: u64) -> ScenarioIx {
        let total: u64 = self.scenarios.iter().map(|s| u64::from(s.weight)).sum();
        let mut drawn = self.seed.draw("scenario").with(arrival).below(total);
        for (ix, scenario) in self.scenarios.iter().enumerate() {
            match drawn.checked_sub(u64::from(scenario.weight)) {
                None => return ScenarioIx::from(ix),
                Some(rest) => drawn = rest,
            }
        }
        ScenarioIx(0)
    }

    /// Bodies of answers are kept up to this size for checks and captures; the rest is counted and thrown away.
    pub const KEPT_BODY: Size = Size(1024 * 1024);
}
