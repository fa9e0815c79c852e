//! An embedded server that runs for one test, asked by a foreign client, every answer held to the contract.

use std::net::TcpListener;
use std::sync::Arc;

use brownout::clock::Clock;
use brownout::contract::{Contract, Profile, Terms, Violation};
use brownout::plan::Limits;
use brownout::secret::Secrets;
use brownout::seed::Seed;
use brownout::severity::Severity;
use brownout::target::{RunningTarget, TargetSettings, start};
use brownout::units::Micros;
use brownout::wire::{RequestFacts, ResponseFacts};
use http::{HeaderMap, HeaderName, Method};

use super::client::{Answer, Client};

/// A server and a connection to it.
pub struct Served {
    pub contract: Arc<Contract>,
    pub target: RunningTarget,
    pub client: Client,
    /// The token of the last request.
    token: String,
}

/// What a plan or a user would write.
pub struct Wish<'w> {
    pub preset: &'w str,
    pub limits: Limits,
    /// As the contract says, or none at all.
    pub latency: bool,
}

impl Wish<'_> {
    /// The strict server, without limits, as fast as it can be.
    pub const STRICT: Wish<'static> = Wish { preset: "strict", limits: Limits::Off, latency: false };
}

impl Served {
    /// Serves a contract.
    pub fn new(mut contract: Contract, wish: &Wish<'_>) -> Served {
        if let Some(server) = contract.server.as_mut().filter(|_| !wish.latency).map(Arc::make_mut) {
            server.latency = None;
            server.routes.iter_mut().for_each(|route| route.latency = None);
        }
        let contract = Arc::new(contract);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (preset, limits) = (wish.preset.to_owned(), wish.limits);
        let settings = TargetSettings { contract: Arc::clone(&contract), preset, limits, seed: Seed(7), clock: Clock::new() };
        let target = start(listener, settings).expect("it starts");
        let client = Client::connect(target.addr);
        Served { contract, target, client, token: String::new() }
    }

    /// Asks with a token; a body is JSON unless it is empty.
    pub fn ask(&mut self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        token.clone_into(&mut self.token);
        let mut headers = vec![("Content-Type", "application/json")];
        headers.extend((!token.is_empty()).then_some(("Authorization", bearer.as_str())));
        self.client.send(method, path, &headers, body.as_bytes())
    }

    /// What is wrong with an answer under a profile, remarks included.
    pub fn violations(&self, method: &str, path: &str, answer: &Answer, profile: Profile) -> Vec<Violation> {
        let terms = Terms { profile, undocumented: Severity::High, secrets: Arc::new(Secrets::default()) };
        let bearer = format!("Bearer {}", self.token).parse().expect("a value");
        let host = (HeaderName::from_static("host"), "127.0.0.1".parse().expect("a value"));
        let mut sent: HeaderMap = [host].into_iter().collect();
        if !self.token.is_empty() {
            sent.insert(http::header::AUTHORIZATION, bearer);
        }
        let method: Method = method.parse().expect("a method");
        let path = path.split('?').next().unwrap_or(path);
        let request = RequestFacts { method: &method, path, query: None, headers: &sent, body: b"" };
        let clock = Clock::new();
        let response = ResponseFacts {
            status: answer.status,
            headers: &answer.headers,
            body: &answer.body,
            body_complete: true,
            body_bytes: answer.body.len() as u64,
            received_at_unix_us: clock.unix_us(clock.now()),
            round_trip: Micros::from_millis(5),
        };
        let judged = self.contract.check(&terms, &request, &response);
        // Which token was sent is not known here: H05.
        judged.violations.into_iter().filter(|violation| violation.check != "H05").collect()
    }

    /// Panics where an answer does not conform under all three profiles.
    pub fn assert_conforms(&self, method: &str, path: &str, answer: &Answer) {
        for profile in [Profile::Core, Profile::Strict, Profile::Companion] {
            let wrong = self.violations(method, path, answer, profile);
            assert!(wrong.is_empty(), "{method} {path} in profile {profile:?}: {wrong:#?}\n{answer:?}\n{}", answer.text());
        }
    }
}
