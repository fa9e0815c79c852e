//! Making connections: addresses pinned once, TCP, TLS, each phase timed.
//!
//! A name is resolved once, at the start: resolving it for every connection would measure the resolver and move
//! the load between machines in the middle of a run. A [`Connector`] is shared by all workers and by the fault
//! proxy; it makes connections and keeps none.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::uri::Authority;
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::stream::Stream;
use super::tls::{TlsSettings, client_config};
use super::{HttpVersion, SetupError};
use crate::clock::Clock;
use crate::units::Micros;
use crate::wire::{ConnectTimes, Failure};

/// Where connections go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Whether the scheme is `https`.
    pub tls: bool,
    /// The URL's host, without brackets: verified by TLS unless `server_name` says otherwise.
    pub host: String,
    /// The URL's port, or its scheme's.
    pub port: u16,
    /// Connect to this host and port instead.
    pub connect_to: Option<(String, u16)>,
}

impl Destination {
    /// The destination of a URL; `connect_to` is `host:port`, `[::1]:443` for an IPv6 address.
    ///
    /// # Errors
    /// Where the scheme is neither `http` nor `https`, or either text names no host.
    pub fn of(url: &Url, connect_to: Option<&str>) -> Result<Destination, SetupError> {
        let refused = |text: &str, reason: &str| SetupError::NotATarget { text: text.to_owned(), reason: reason.to_owned() };
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(refused(url.as_str(), "its scheme is neither http nor https")),
        };
        let host = url.host().ok_or_else(|| refused(url.as_str(), "it names no host"))?;
        let port = url.port_or_known_default().ok_or_else(|| refused(url.as_str(), "it names no port"))?;
        let connect_to =
            connect_to.map(|text| host_and_port(text).ok_or_else(|| refused(text, "`connect_to` is a host and a port"))).transpose()?;
        Ok(Destination { tls, host: without_brackets(&host), port, connect_to })
    }

    /// `host:port`, without the port where it is the scheme's own.
    fn authority(&self) -> Result<Authority, SetupError> {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let default = if self.tls { 443 } else { 80 };
        let text = if self.port == default { host } else { format!("{host}:{}", self.port) };
        Authority::try_from(text.as_str()).map_err(|error| SetupError::NotATarget { text, reason: error.to_string() })
    }

    /// The host and port that are resolved and connected to.
    fn place(&self) -> (&str, u16) {
        self.connect_to.as_ref().map_or((self.host.as_str(), self.port), |(host, port)| (host.as_str(), *port))
    }
}

fn without_brackets(host: &Host<&str>) -> String {
    match host {
        Host::Domain(name) => (*name).to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    }
}

fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = Host::parse(host).ok()?;
    Some((
        without_brackets(&match &host {
            Host::Domain(name) => Host::Domain(name.as_str()),
            Host::Ipv4(address) => Host::Ipv4(*address),
            Host::Ipv6(address) => Host::Ipv6(*address),
        }),
        port,
    ))
}

/// Makes connections to one destination. Cheap to clone; shared by all threads.
#[derive(Clone)]
pub struct Connector {
    clock: Clock,
    shared: Arc<Shared>,
}

struct Shared {
    /// The host connected to, for messages.
    host: String,
    authority: Authority,
    /// Pinned for the run; never empty.
    addresses: Vec<SocketAddr>,
    /// The address that answered last: tried first.
    preferred: AtomicUsize,
    resolve: Micros,
    version: HttpVersion,
    tls: Option<Secured>,
    /// Whether the last connection spoke HTTP/2; what is expected where none was made yet.
    http2: AtomicBool,
}

struct Secured {
    connector: TlsConnector,
    config: Arc<rustls::ClientConfig>,
    name: ServerName<'static>,
}

/// A connection, before its first byte.
#[derive(Debug)]
pub struct Connected {
    pub stream: Stream,
    /// Whether HTTP/2 is spoken on it: negotiated, or by prior knowledge.
    pub http2: bool,
}

impl Connector {
    /// A connector with its addresses resolved and pinned, and its certificates loaded. Nothing is connected yet.
    ///
    /// # Errors
    /// Where the name does not resolve or a certificate cannot be used.
    pub async fn resolve(
        destination: &Destination,
        tls: &TlsSettings<'_>,
        version: HttpVersion,
        clock: Clock,
    ) -> Result<Connector, SetupError> {
        let tls = destination.tls.then(|| Secured::new(destination, tls, version)).transpose()?;
        let (host, port) = destination.place();
        let before = clock.now();
        let unresolved = |reason: String| SetupError::Unresolved { host: host.to_owned(), reason };
        let found = tokio::net::lookup_host((host, port)).await.map_err(|error| unresolved(error.to_string()))?;
        let mut addresses: Vec<SocketAddr> = Vec::new();
        found.for_each(|address| {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        });
        if addresses.is_empty() {
            return Err(unresolved("it has no address".to_owned()));
        }
        let resolve = clock.now().since(before);
        let shared = Shared {
            host: host.to_owned(),
            authority: destination.authority()?,
            addresses,
            preferred: AtomicUsize::new(0),
            resolve,
            version,
            tls,
            http2: AtomicBool::new(version == HttpVersion::Http2),
        };
        Ok(Connector { clock, shared: Arc::new(shared) })
    }

    /// The same connector on another clock: what it has learnt about its addresses stays known to both.
    pub fn on(&self, clock: Clock) -> Connector {
        Connector { clock, shared: Arc::clone(&self.shared) }
    }

    /// A connector to the same place that agrees to HTTP/1.1 only.
    pub fn http1(&self) -> Connector {
        let shared = &*self.shared;
        let tls = shared.tls.as_ref().map(|tls| {
            let mut config = rustls::ClientConfig::clone(&tls.config);
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            let config = Arc::new(config);
            Secured { connector: TlsConnector::from(Arc::clone(&config)), config, name: tls.name.clone() }
        });
        let shared = Shared {
            host: shared.host.clone(),
            authority: shared.authority.clone(),
            addresses: shared.addresses.clone(),
            preferred: AtomicUsize::new(shared.preferred.load(Ordering::Relaxed)),
            resolve: shared.resolve,
            version: HttpVersion::Http1,
            tls,
            http2: AtomicBool::new(false),
        };
        Connector { clock: self.clock, shared: Arc::new(shared) }
    }

    /// The pinned addresses; never empty.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.shared.addresses
    }

    /// What connections present and accept; `None` for plain TCP.
    pub(super) fn tls_config(&self) -> Option<&Arc<rustls::ClientConfig>> {
        self.shared.tls.as_ref().map(|tls| &tls.config)
    }

    /// The name that TLS asks for and verifies.
    pub(super) fn tls_name(&self) -> Option<&ServerName<'static>> {
        self.shared.tls.as_ref().map(|tls| &tls.name)
    }

    /// The HTTP version asked for.
    pub(super) fn version(&self) -> HttpVersion {
        self.shared.version
    }

    /// The target's own authority, for requests that name no host.
    pub fn authority(&self) -> Authority {
        self.shared.authority.clone()
    }

    /// Whether connections are encrypted.
    pub fn is_tls(&self) -> bool {
        self.shared.tls.is_some()
    }

    /// Whether the next connection is expected to speak HTTP/2; known for sure after a preflight.
    pub fn expects_http2(&self) -> bool {
        self.shared.http2.load(Ordering::Relaxed)
    }

    /// Connects once, TLS included, and closes again; no request is sent. The address that answered is tried first from then on.
    ///
    /// # Errors
    /// Says which phase failed and why. `within` bounds every address's TCP connect, and TLS.
    pub async fn preflight(&self, within: Micros) -> Result<ConnectTimes, SetupError> {
        let shared = &*self.shared;
        let mut times = ConnectTimes { new: true, resolve: shared.resolve, ..ConnectTimes::default() };
        let (socket, address) = self.first_that_answers(within, &mut times).await?;
        let Some(tls) = &shared.tls else { return Ok(times) };
        let before = self.clock.now();
        let timed_out = || SetupError::HandshakeTimedOut { host: shared.host.clone(), address, within };
        let name = tls.name.to_str();
        let explain = |error: &std::io::Error| SetupError::handshake(error, &name, &shared.host, address);
        let mut stream = tokio::time::timeout(within.as_duration(), tls.connector.connect(tls.name.clone(), socket))
            .await
            .map_err(|_| timed_out())?
            .map_err(|error| explain(&error))?;
        times.tls = self.clock.now().since(before);
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        if shared.version == HttpVersion::Http2 && !http2 {
            return Err(SetupError::NoHttp2 { name: name.into_owned() });
        }
        shared.http2.store(http2, Ordering::Relaxed);
        // In TLS 1.3 our side is done before the target has looked at our certificate: listen for its complaint.
        match tokio::time::timeout(COMPLAINT.as_duration(), stream.read_u8()).await {
            Ok(Err(error)) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => Err(explain(&error)),
            _ => Ok(times),
        }
    }

    /// A TCP connection to the first pinned address that accepts one.
    async fn first_that_answers(&self, within: Micros, times: &mut ConnectTimes) -> Result<(TcpStream, SocketAddr), SetupError> {
        let shared = &*self.shared;
        let mut problem = None;
        for (index, &address) in shared.addresses.iter().enumerate() {
            let before = self.clock.now();
            let host = shared.host.clone();
            match tokio::time::timeout(within.as_duration(), TcpStream::connect(address)).await {
                Ok(Ok(socket)) => {
                    times.connect = self.clock.now().since(before);
                    shared.preferred.store(index, Ordering::Relaxed);
                    return Ok((socket, address));
                }
                Ok(Err(error)) => problem = Some(SetupError::Refused { host, address, reason: error.to_string() }),
                Err(_) => problem = Some(SetupError::TimedOut { host, address, within }),
            }
        }
        Err(problem.expect("there is at least one address"))
    }

    /// Makes a connection; what each phase took is written into `times` as soon as it is over.
    ///
    /// There is no time limit in here: the caller drops the future when its time has run out.
    ///
    /// # Errors
    /// Only failures before any request: refused, timed out by the system, TLS.
    pub async fn connect(&self, times: &mut ConnectTimes) -> Result<Connected, Failure> {
        let shared = &*self.shared;
        times.new = true;
        let begun = self.clock.now();
        let socket = self.tcp().await?;
        let connected_at = self.clock.now();
        times.connect = connected_at.since(begun);
        let Some(tls) = &shared.tls else {
            return Ok(Connected { stream: Stream::Plain(socket), http2: shared.version == HttpVersion::Http2 });
        };
        let stream = tls.connector.connect(tls.name.clone(), socket).await.map_err(|_| Failure::Tls)?;
        times.tls = self.clock.now().since(connected_at);
        let http2 = match stream.get_ref().1.alpn_protocol() {
            Some(protocol) => protocol == b"h2",
            None => shared.version == HttpVersion::Http2,
        };
        if http2 != self.expects_http2() {
            shared.http2.store(http2, Ordering::Relaxed);
        }
        Ok(Connected { stream: Stream::Tls(Box::new(stream)), http2 })
    }

    /// A TCP connection to the address that answered last, or else to the next one that does.
    async fn tcp(&self) -> Result<TcpStream, Failure> {
        let shared = &*self.shared;
        let (count, first) = (shared.addresses.len(), shared.preferred.load(Ordering::Relaxed));
        let mut failure = Failure::Refused;
        for turn in 0..count {
            let index = (first + turn) % count;
            match TcpStream::connect(shared.addresses[index]).await {
                Ok(socket) => {
                    if turn > 0 {
                        shared.preferred.store(index, Ordering::Relaxed);
                    }
                    // A request is written whole: waiting for more to send would only add the peer's delayed ACK.
                    let _ = socket.set_nodelay(true);
                    return Ok(socket);
                }
                Err(error) => failure = unconnected(&error),
            }
        }
        Err(failure)
    }
}

/// How long a target may take to complain about our certificate after the handshake.
const COMPLAINT: Micros = Micros::from_millis(100);

/// Why no connection could be made.
pub(super) fn unconnected(error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::TimedOut => Failure::TimedOut(crate::wire::Phase::Connect),
        _ => Failure::Refused,
    }
}

impl Secured {
    fn new(destination: &Destination, settings: &TlsSettings<'_>, version: HttpVersion) -> Result<Secured, SetupError> {
        let name = settings.server_name.unwrap_or(&destination.host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| SetupError::NotATarget { text: name.to_owned(), reason: error.to_string() })?;
        let config = Arc::new(client_config(settings, version)?);
        Ok(Secured { connector: TlsConnector::from(Arc::clone(&config)), config, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str, connect_to: Option<&str>) -> Result<Destination, SetupError> {
        Destination::of(&url.parse().expect("a URL"), connect_to)
    }

    #[test]
    fn a_url_gives_host_port_and_scheme() {
        let plain = of("http://example.test/api", None).expect("a destination");
        assert_eq!((plain.tls, plain.place()), (false, ("example.test", 80)));
        let secure = of("https://[::1]:8443", None).expect("a destination");
        assert_eq!((secure.tls, secure.place()), (true, ("::1", 8443)));
    }

    #[test]
    fn connect_to_changes_where_and_not_whom() {
        let moved = of("https://api.example.test", Some("[::1]:9")).expect("a destination");
        assert_eq!((moved.place(), moved.host.as_str()), (("::1", 9), "api.example.test"));
    }

    #[test]
    fn what_names_no_place_is_refused_with_what_to_write() {
        assert!(of("ftp://example.test", None).unwrap_err().to_string().contains("neither http nor https"));
        for text in ["10.0.0.7", "10.0.0.7:", "10.0.0.7:http", ":80", "host:0", "a b:80"] {
            assert!(of("http://example.test", Some(text)).unwrap_err().to_string().contains("host and a port"), "{text}");
        }
    }

    #[test]
    fn what_a_preflight_learnt_is_known_on_another_clock() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let alive = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let gone = std::net::TcpListener::bind("127.0.0.1:0").and_then(|closed| closed.local_addr()).expect("a free port");
        let addresses = vec![gone, alive.local_addr().expect("an address")];
        runtime.block_on(async {
            let destination = of("http://127.0.0.1", None).expect("a destination");
            let resolved = Connector::resolve(&destination, &TlsSettings::default(), HttpVersion::Http1, Clock::new()).await;
            let shared = Arc::into_inner(resolved.expect("a literal address").shared).expect("nobody else has it");
            let connector = Connector { clock: Clock::new(), shared: Arc::new(Shared { addresses, ..shared }) };
            connector.preflight(Micros::from_secs(2)).await.expect("one of the two answers");
            let of_the_run = connector.on(Clock::starting_in(Micros::from_secs(1)));
            assert_eq!(of_the_run.shared.preferred.load(Ordering::Relaxed), 1, "the address that answered is tried first");
        });
    }
}
