//! What stands between the generator and the target: the embedded server, the fault proxy, the connections.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use url::Url;

use crate::client::{ClientSettings, Connector, Destination, Direct, HttpVersion, Reqwest, SetupError, TlsSettings, Transport};
use crate::clock::Clock;
use crate::engine::{Setup, Transports};
use crate::plan::{self, Place, Plan, ProxyTls, TransportKind};
use crate::proxy::{
    self, ApiSettings, Authority, BadTls, ForwardProxy, HttpVersions, NewRules, PLACES, RunningProxy, ServerTls, SessionRecorder,
    SessionSettings,
};
use crate::record::{Board, ProxyTally};
use crate::target::{self, RunningTarget, TargetSettings};
use crate::units::Micros;

/// Threads get this long to be ready before the first arrival is due.
const LEAD: Micros = Micros::from_millis(150);
/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 32;
/// How long a request may take to bring the proxy its head.
const HEAD_TIMEOUT: Micros = Micros::from_secs(30);

/// Everything a run goes through, at work.
pub struct Rig {
    pub clock: Clock,
    pub base_url: String,
    pub authority: String,
    /// `generator → fault proxy → target`
    pub path: Vec<String>,
    pub workers: u32,
    pub board: Option<Arc<Board>>,
    pub transports: Transports,
    /// Straight to the target, past the proxy.
    pub direct: Connector,
    proxy: Option<RunningProxy>,
    target: Option<RunningTarget>,
}

/// Where a client that is not ours finds the proxy.
pub struct Gate {
    /// What it takes for the target's base URL.
    pub url: String,
    /// Scheme and address alone.
    pub origin: String,
    /// Whether it serves as a forward proxy too.
    pub forward: bool,
    /// PEM certificate of the authority that vouches for it.
    pub ca: Option<String>,
    /// Where the control API is, and its token.
    pub control: Option<(SocketAddr, String)>,
}

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// The target cannot be reached, or what is needed to reach it cannot be used.
    #[error("{0}")]
    Target(SetupError),
    /// The proxy cannot listen where the plan says.
    #[error("cannot listen on {wanted}: {error}")]
    Listen { wanted: SocketAddr, error: std::io::Error },
    /// The proxy's own certificate cannot be used.
    #[error("the proxy's certificate: {0}")]
    Certificate(BadTls),
    /// The system gives no socket or thread.
    #[error("{what}: {error}")]
    System { what: &'static str, error: std::io::Error },
}

impl RigError {
    /// What to do.
    pub fn help(&self) -> &str {
        match self {
            RigError::Target(error) => error.help(),
            RigError::Listen { .. } => "choose another `listen` in [proxy], or leave it out for any free port",
            RigError::Certificate(_) => "give `cert` and `key` that belong together, or write tls = \"generated\"",
            RigError::System { .. } => "look at the limits of this machine (ulimit -n, ulimit -u) and try again",
        }
    }
}

impl From<SetupError> for RigError {
    fn from(error: SetupError) -> RigError {
        RigError::Target(error)
    }
}

fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> RigError {
    move |error| RigError::System { what, error }
}

impl Rig {
    /// Looks whether the target can be reached, then starts what the plan asks for. No request is sent. Decisions about
    /// faults are logged into the folder, where there is one.
    ///
    /// # Errors
    /// Where the target does not resolve, connect or complete a TLS handshake, or the system gives no socket.
    pub async fn raise(plan: &Arc<Plan>, run_id: &str, folder: Option<&Path>) -> Result<Rig, RigError> {
        let (mut rig, connector) = Rig::before_the_target(plan, LEAD).await?;
        if let Some(settings) = &plan.proxy {
            rig.stand_between(plan, run_id, settings, connector, folder).await?;
        }
        rig.path.push(rig.last_stop());
        Ok(rig)
    }

    /// The same for a client that is not ours: the proxy listens where the plan says, and `recorder` is told what it sees.
    ///
    /// # Errors
    /// As [`Rig::raise`], and where the proxy cannot listen there, or its certificate cannot be used.
    pub async fn stand_alone(
        plan: &Arc<Plan>,
        run_id: &str,
        recorder: impl FnOnce(&Rig) -> Box<dyn SessionRecorder>,
        rules: Arc<dyn NewRules>,
        folder: &Path,
    ) -> Result<(Rig, Gate), RigError> {
        let usual = plan::ProxySettings::default();
        let asked = plan.proxy.as_ref().unwrap_or(&usual);
        let wanted = asked.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = TcpListener::bind(wanted).map_err(|error| RigError::Listen { wanted, error })?;
        // A client may come at once: its first waits are measured, too.
        let (mut rig, connector) = Rig::before_the_target(plan, Micros::ZERO).await?;
        let board = Arc::new(Board::new(PLACES));
        let (api, control) = api(asked.control, rules)?.unzip();
        let mut settings = proxy_settings(plan, run_id, asked, connector, board, rig.clock);
        // Where rules can be added later, there is something to be logged then.
        settings.log = (!plan.faults.rules.is_empty() || asked.control.is_some()).then(|| fault_log(plan, folder));
        settings.host = rig.authority.parse().ok();
        settings.session = Some(SessionSettings {
            identify: asked.identify.clone(),
            repeatable: asked.repeatable,
            recorder: recorder(&rig),
            stages: plan.load.stages.iter().map(|stage| (stage.name.clone(), stage.start)).collect(),
            select_by_header: asked.select_by_header,
            api,
        });
        let ca = downstream(plan, asked, wanted, rig.clock, &mut settings)?;
        let running = proxy::start(listener, settings).map_err(system("the fault proxy could not start"))?;
        let origin = format!("{}://{}", if asked.tls.is_some() { "https" } else { "http" }, shown(running.addr));
        let prefix = Url::parse(&rig.base_url).map_or_else(|_| String::new(), |url| url.path().trim_end_matches('/').to_owned());
        rig.proxy = Some(running);
        rig.path.push("fault proxy".to_owned());
        rig.path.push(rig.last_stop());
        Ok((rig, Gate { url: format!("{origin}{prefix}"), origin, forward: asked.forward, ca, control }))
    }

    /// What the path ends in.
    fn last_stop(&self) -> String {
        if self.target.is_some() { "embedded target".to_owned() } else { self.authority.clone() }
    }

    /// Looks whether the target can be reached, and starts an embedded one. The run begins so long after that; until then its
    /// clock shows nothing.
    async fn before_the_target(plan: &Arc<Plan>, lead: Micros) -> Result<(Rig, Connector), RigError> {
        let (url, server) = match &plan.target.place {
            Place::Url(url) => (url.clone(), None),
            Place::Embedded(_) => {
                let listener = loopback()?;
                let address = listener.local_addr().map_err(system("the embedded target's address"))?;
                (Url::parse(&format!("http://{address}")).expect("an address is a URL's host"), Some(listener))
            }
        };
        let destination = Destination::of(&url, plan.target.connect_to.as_deref())?;
        let (tls, version) = (tls(plan), version(plan));
        let connector = Connector::resolve(&destination, &tls, version, Clock::new()).await?;
        if server.is_none() {
            connector.preflight(plan.target.timeouts.connect).await?;
        }
        // The run begins once all that may take long is over, and with what the preflight learnt.
        let clock = Clock::starting_in(lead);
        let connector = connector.on(clock);
        let target = server.map(|listener| start_target(plan, listener, clock)).transpose()?;
        let places = plan.target.connections.max.min(plan.load.max_in_flight);
        let workers = workers(target.is_some() || plan.proxy.is_some(), places);
        let rig = Rig {
            clock,
            base_url: url.as_str().trim_end_matches('/').to_owned(),
            authority: authority(&url),
            path: vec!["generator".to_owned()],
            workers,
            board: None,
            transports: transports(plan, connector.clone()),
            direct: connector.clone(),
            proxy: None,
            target,
        };
        Ok((rig, connector))
    }

    /// Puts the fault proxy in the path.
    async fn stand_between(
        &mut self,
        plan: &Arc<Plan>,
        run_id: &str,
        settings: &plan::ProxySettings,
        upstream: Connector,
        folder: Option<&Path>,
    ) -> Result<(), RigError> {
        let board = Arc::new(Board::new(Setup::sessions(plan, self.workers)));
        let mut settings = proxy_settings(plan, run_id, settings, upstream, Arc::clone(&board), self.clock);
        settings.log = folder.filter(|_| !plan.faults.rules.is_empty()).map(|folder| fault_log(plan, folder));
        let running = proxy::start(loopback()?, settings).map_err(system("the fault proxy could not start"))?;
        let url = Url::parse(&format!("http://{}", running.addr)).expect("an address is a URL's host");
        let hop = Connector::resolve(&Destination::of(&url, None)?, &TlsSettings::default(), HttpVersion::Http1, self.clock).await?;
        self.transports = transports(plan, hop);
        self.board = Some(board);
        self.proxy = Some(running);
        self.path.push("fault proxy".to_owned());
        Ok(())
    }

    /// Takes the proxy down, after the generator; what it counted.
    pub fn lower_proxy(&mut self) -> Option<ProxyTally> {
        self.proxy.take().map(RunningProxy::stop)
    }

    /// Takes the embedded target down, after the proxy.
    pub fn lower_target(&mut self) {
        if let Some(target) = self.target.take() {
            target.stop();
        }
    }
}

/// What the proxy needs to know, whoever its clients are.
fn proxy_settings(
    plan: &Plan,
    run_id: &str,
    settings: &plan::ProxySettings,
    connector: Connector,
    board: Arc<Board>,
    clock: Clock,
) -> proxy::ProxySettings {
    proxy::ProxySettings {
        connector,
        faults: plan.faults.clone(),
        contract: plan.contract.as_ref().map(|used| (Arc::clone(&used.contract), used.terms.clone())),
        stealth: settings.stealth,
        run_id: run_id.to_owned(),
        board,
        clock,
        connect_timeout: plan.target.timeouts.connect,
        head_timeout: HEAD_TIMEOUT,
        keep_alive: plan.target.connections.keep_alive,
        idle_timeout: plan.target.connections.idle_timeout,
        downstream: proxy::Downstream::default(),
        forward: None,
        session: None,
        host: None,
        log: None,
    }
}

/// How a client that is not ours speaks to the proxy; the certificate of the authority made for it, where there is one.
fn downstream(
    plan: &Arc<Plan>,
    asked: &plan::ProxySettings,
    listen: SocketAddr,
    clock: Clock,
    settings: &mut proxy::ProxySettings,
) -> Result<Option<String>, RigError> {
    settings.downstream.http = match asked.http {
        plan::HttpVersion::Auto => HttpVersions::Both,
        plan::HttpVersion::Http1 => HttpVersions::Http1,
        plan::HttpVersion::Http2 => HttpVersions::Http2,
    };
    let authority = match asked.forward || asked.tls == Some(ProxyTls::Generated) {
        true => Some(Arc::new(Authority::generate(clock.unix_us(clock.now())).map_err(RigError::Certificate)?)),
        false => None,
    };
    settings.downstream.tls = match (&asked.tls, &authority) {
        (Some(ProxyTls::Given { cert, key }), _) => Some(ServerTls::given(cert, key).map_err(RigError::Certificate)?),
        (Some(ProxyTls::Generated), Some(authority)) => Some(ServerTls::vouched(Arc::clone(authority), &shown(listen).ip().to_string())),
        _ => None,
    };
    if let Some(authority) = authority.as_ref().filter(|_| asked.forward) {
        let (fenced, here) = (Arc::clone(plan), listen.ip().is_loopback());
        let allow = move |host: &str| fenced.target.allows(host, here);
        settings.forward = Some(ForwardProxy { allow: Arc::new(allow), authority: Arc::clone(authority), ca: plan.target.tls.ca.clone() });
    }
    Ok(authority.map(|authority| authority.pem()))
}

/// The file in the report's folder that holds every decision about a fault.
pub const FAULT_LOG: &str = "faults.jsonl";

/// Attempts that have a line in the log: some 400 MB of text.
const MOST_LINES: u64 = 2_000_000;

fn fault_log(plan: &Plan, folder: &Path) -> proxy::LogSettings {
    proxy::LogSettings { path: folder.join(FAULT_LOG), head: plan.log_head(), names: plan.log_names(), most: MOST_LINES }
}

/// Where the control API listens, and the token that it asks for.
type Control = (SocketAddr, String);

/// The control API, where the plan wants one, and what a user must know of it.
fn api(wanted: Option<SocketAddr>, rules: Arc<dyn NewRules>) -> Result<Option<(ApiSettings, Control)>, RigError> {
    let Some(wanted) = wanted else { return Ok(None) };
    let listener = TcpListener::bind(wanted).map_err(|error| RigError::Listen { wanted, error })?;
    let address = listener.local_addr().map_err(system("the control API's address"))?;
    let token = format!("{:032x}", crate::seed::unguessable());
    Ok(Some((ApiSettings { listener, token: token.clone(), rules }, (address, token))))
}

/// How a client on this machine names an address that is listened on.
fn shown(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        listen.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    listen
}

fn loopback() -> Result<TcpListener, RigError> {
    TcpListener::bind(("127.0.0.1", 0)).map_err(system("no free port on the loopback"))
}

fn start_target(plan: &Plan, listener: TcpListener, clock: Clock) -> Result<RunningTarget, RigError> {
    let (Place::Embedded(embedded), Some(used)) = (&plan.target.place, &plan.contract) else {
        unreachable!("an embedded target serves the plan's contract, and a plan without one is refused")
    };
    let settings = TargetSettings {
        contract: Arc::clone(&used.contract),
        preset: embedded.preset.clone(),
        limits: embedded.limits,
        seed: plan.seed,
        clock,
    };
    target::start(listener, settings).map_err(system("the embedded target could not start"))
}

/// One thread per core; where proxy or embedded target run in this process, one core is left to them. No more than
/// there are connections and sessions to share: every worker has at least one of each.
fn workers(company: bool, places: u32) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let workers = if company { cores - 1 } else { cores };
    workers.min(places).max(1)
}

fn authority(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    }
}

fn tls(plan: &Plan) -> TlsSettings<'_> {
    let tls = &plan.target.tls;
    TlsSettings { ca: tls.ca.as_deref(), cert: tls.cert.as_deref(), key: tls.key.as_deref(), server_name: tls.server_name.as_deref() }
}

fn version(plan: &Plan) -> HttpVersion {
    match plan.target.http {
        plan::HttpVersion::Http1 => HttpVersion::Http1,
        plan::HttpVersion::Http2 => HttpVersion::Http2,
        plan::HttpVersion::Auto => HttpVersion::Auto,
    }
}

fn transports(plan: &Plan, connector: Connector) -> Transports {
    let (kind, connections, timeouts) = (plan.target.transport, plan.target.connections, plan.target.timeouts);
    Arc::new(move |timer, worker, workers| {
        let share = connections.max / workers + u32::from(worker < connections.max % workers);
        let settings = ClientSettings {
            connections: share.max(1),
            streams: STREAMS,
            keep_alive: connections.keep_alive,
            idle_timeout: connections.idle_timeout,
            connect: timeouts.connect,
            first_byte: timeouts.first_byte,
            total: timeouts.total,
            keep_body: Plan::KEPT_BODY,
        };
        match kind {
            TransportKind::Direct => Ok(Transport::Direct(Direct::new(connector.clone(), settings, timer.clone()))),
            TransportKind::Reqwest => Reqwest::new(&connector, settings, timer.clone())
                .map(Transport::Reqwest)
                .map_err(|error| std::io::Error::other(error.to_string())),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_with_one_connection_has_one_worker() {
        assert_eq!(workers(false, 1), 1);
        assert_eq!(workers(true, 1), 1);
        assert!(workers(false, 256) >= workers(true, 256));
    }
}
