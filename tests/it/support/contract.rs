//! The contract that is compiled in, and others from text.

use std::sync::Arc;

use brownout::contract::{Answer, Circumstances, Contract, Profile, Terms, Violation};
use brownout::plan::contract_file;
use brownout::plan::problem::Problems;
use brownout::plan::source::SourceText;
use brownout::secret::Secrets;
use brownout::severity::Severity;
use brownout::units::Micros;
use brownout::wire::{RequestFacts, ResponseFacts};
use http::{HeaderMap, HeaderValue, Method};

/// The shipped contract.
pub fn shipped() -> Contract {
    let name = contract_file::shipped_name();
    let text = contract_file::shipped(name).expect("it is compiled in");
    read(&format!("plans/contracts/{name}"), text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The contract of a text, or what is wrong with it.
pub fn read(name: &str, text: &str) -> Result<Contract, String> {
    let problems = Problems::new();
    let source: Arc<SourceText> = SourceText::new(name, text);
    contract_file::lower(&source, &problems).ok_or_else(|| problems.render(false))
}

/// Composed answers are made at this moment: 2026-11-22T12:00:00.9Z.
pub const NOW_US: i64 = 1_795_348_800_900_000;

/// One answer to one request, held to a contract.
pub struct Trial<'c> {
    pub contract: &'c Contract,
    pub profile: Profile,
    pub method: Method,
    pub path: String,
    pub request_headers: HeaderMap,
    pub secrets: Secrets,
    pub answer: Answer,
    /// The bytes that arrived; the body's own where `None`.
    pub body_bytes: Option<u64>,
    pub body_complete: bool,
    pub round_trip: Micros,
}

impl<'c> Trial<'c> {
    /// An answer to `GET path`, in profile companion.
    pub fn new(contract: &'c Contract, path: &str, answer: Answer) -> Trial<'c> {
        Trial {
            contract,
            profile: Profile::Companion,
            method: Method::GET,
            path: path.to_owned(),
            request_headers: HeaderMap::new(),
            secrets: Secrets::default(),
            answer,
            body_bytes: None,
            body_complete: true,
            round_trip: Micros::from_millis(40),
        }
    }

    /// The answer composed for a row, named as a plan names it, on a path of its service.
    pub fn of(contract: &'c Contract, name: &str, circumstances: &Circumstances<'_>) -> Trial<'c> {
        let row = contract.row_named(name, None).unwrap_or_else(|near| panic!("{name} is no row; {near:?}"));
        let path = match contract.row(row).service.map(|ix| contract.services[ix.at()].id.as_str()) {
            Some("response-api") => "/v1/responses",
            Some("media-api") => "/v1/media/upload",
            Some("mcp-tools") => "/v1/mcp/tools/x/execute",
            _ => "/v1/conversations",
        };
        Trial::new(contract, path, contract.compose(row, circumstances))
    }

    /// The answer as the client saw it.
    pub fn response(&self) -> ResponseFacts<'_> {
        ResponseFacts {
            status: self.answer.status,
            headers: &self.answer.headers,
            body: &self.answer.body,
            body_complete: self.body_complete,
            body_bytes: self.body_bytes.unwrap_or(self.answer.body.len() as u64),
            received_at_unix_us: NOW_US + 30_000,
            round_trip: self.round_trip,
        }
    }

    /// What is wrong with it.
    pub fn violations(&self) -> Vec<Violation> {
        let terms = Terms { profile: self.profile, undocumented: Severity::High, secrets: Arc::new(self.secrets.clone()) };
        let request = RequestFacts { method: &self.method, path: &self.path, query: None, headers: &self.request_headers, body: b"" };
        self.contract.check(&terms, &request, &self.response()).violations
    }

    /// The same in short: `R04 high header:X-RateLimit-Reset: differs`.
    pub fn found(&self) -> Vec<String> {
        let short = |v: Violation| format!("{} {} {}: {}", v.check, v.severity, v.instance_path, v.cause);
        self.violations().into_iter().map(short).collect()
    }

    /// Changes a member of the body, or removes it.
    pub fn member(mut self, name: &str, value: Option<serde_json::Value>) -> Trial<'c> {
        let mut body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&self.answer.body).expect("an object");
        match value {
            Some(value) => body.insert(name.to_owned(), value),
            None => body.remove(name),
        };
        self.answer.body = serde_json::to_vec(&body).expect("JSON");
        self
    }

    /// Changes a header, or removes it.
    pub fn header(mut self, name: &'static str, value: Option<&str>) -> Trial<'c> {
        match value {
            Some(value) => self.answer.headers.insert(name, HeaderValue::from_str(value).expect("a header value")),
            None => self.answer.headers.remove(name),
        };
        self
    }

    /// Replaces the body.
    pub fn body(mut self, body: &[u8]) -> Trial<'c> {
        self.answer.body = body.to_vec();
        self
    }

    /// Replaces the status.
    pub fn status(mut self, status: u16) -> Trial<'c> {
        self.answer.status = status;
        self
    }

    /// Sends it to another path.
    pub fn at(mut self, path: &str) -> Trial<'c> {
        path.clone_into(&mut self.path);
        self
    }

    /// Holds it to another profile.
    pub fn held_to(mut self, profile: Profile) -> Trial<'c> {
        self.profile = profile;
        self
    }
}

/// Circumstances at [`NOW_US`].
pub fn now() -> Circumstances<'static> {
    Circumstances { now_unix_us: NOW_US, unique: 7, ..Circumstances::default() }
}
