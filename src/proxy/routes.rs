//! Where requests go: to the target, and from a forward proxy to the hosts that clients may name.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::uri::{Authority, Scheme};
use http::{Uri, request};
use tokio_rustls::TlsAcceptor;

use super::tls::{ForwardProxy, HttpVersions, ServerTls};
use super::upstream::Upstream;
use crate::client::tls::TlsSettings;
use crate::client::{Connector, Destination, HttpVersion};
use crate::units::Micros;
use crate::wire::Failure;

/// So many hosts have connections kept for them at a time.
const HOSTS: usize = 256;

/// A scheme and an authority (RFC 9110 §4.3.1), the port left out where it is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) tls: bool,
    authority: Authority,
}

impl Origin {
    pub(super) fn new(tls: bool, authority: &Authority) -> Origin {
        let usual = if tls { 443 } else { 80 };
        let authority = match authority.port_u16() {
            Some(port) if port == usual => Authority::try_from(authority.host()).unwrap_or_else(|_| authority.clone()),
            _ => authority.clone(),
        };
        Origin { tls, authority }
    }

    /// The origin that a request line names, if it does.
    fn named_by(uri: &Uri) -> Option<Origin> {
        uri.scheme().zip(uri.authority()).map(|(scheme, authority)| Origin::new(*scheme == Scheme::HTTPS, authority))
    }

    /// The host without brackets.
    pub(super) fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    fn url(&self) -> Option<url::Url> {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority).parse().ok()
    }

    /// Whether it is this socket.
    fn is(&self, addr: SocketAddr) -> bool {
        !self.tls && self.authority.port_u16() == Some(addr.port()) && self.host().parse() == Ok(addr.ip())
    }
}

/// Why a request goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// The host is none of those that may be named.
    Forbidden,
    Failed(Failure),
}

/// Where requests go.
pub(super) struct Routes {
    target: Rc<Upstream>,
    forward: Option<ForwardProxy>,
    /// Where the proxy listens: a client that names it means the target.
    own: SocketAddr,
    connect_timeout: Micros,
    others: RefCell<HashMap<Origin, Rc<Upstream>>>,
    /// What the proxy shows itself with inside tunnels to a host.
    acceptors: RefCell<HashMap<String, TlsAcceptor>>,
}

impl Routes {
    pub(super) fn new(target: Rc<Upstream>, forward: Option<ForwardProxy>, own: SocketAddr, connect_timeout: Micros) -> Routes {
        Routes { target, forward, own, connect_timeout, others: RefCell::default(), acceptors: RefCell::default() }
    }

    /// The settings of a forward proxy, if it is one.
    pub(super) fn forward(&self) -> Option<&ForwardProxy> {
        self.forward.as_ref()
    }

    /// Whether requests to an origin are passed on.
    pub(super) fn permits(&self, origin: &Origin) -> bool {
        self.is_target(origin) || self.forward.as_ref().is_some_and(|forward| (forward.allow)(origin.host()))
    }

    fn is_target(&self, origin: &Origin) -> bool {
        let connector = self.target.connector();
        origin.is(self.own) || *origin == Origin::new(connector.is_tls(), &connector.authority())
    }

    /// Where a request goes: where its line says, or else where its connection leads. To a reverse proxy all go to the target.
    ///
    /// # Errors
    /// Where its host may not be named, or cannot be found.
    pub(super) async fn of(&self, head: &request::Parts, connection: Option<Origin>) -> Result<Rc<Upstream>, NoRoute> {
        let Some(forward) = &self.forward else { return Ok(Rc::clone(&self.target)) };
        // On HTTP/2 every request names its origin; only a tunnel leads anywhere else than to the target.
        let named = if head.version == http::Version::HTTP_2 { None } else { Origin::named_by(&head.uri) };
        let Some(origin) = named.or(connection) else { return Ok(Rc::clone(&self.target)) };
        if !self.permits(&origin) {
            return Err(NoRoute::Forbidden);
        }
        if self.is_target(&origin) {
            return Ok(Rc::clone(&self.target));
        }
        if let Some(known) = self.others.borrow().get(&origin) {
            return Ok(Rc::clone(known));
        }
        let upstream = Rc::new(self.target.elsewhere(Box::pin(self.connector(&origin, forward)).await.map_err(NoRoute::Failed)?));
        let mut others = self.others.borrow_mut();
        if others.len() >= HOSTS {
            others.clear();
        }
        others.insert(origin, Rc::clone(&upstream));
        Ok(upstream)
    }

    async fn connector(&self, origin: &Origin, forward: &ForwardProxy) -> Result<Connector, Failure> {
        let destination = origin.url().and_then(|url| Destination::of(&url, None).ok()).ok_or(Failure::Unresolved)?;
        let tls = TlsSettings { ca: forward.ca.as_deref(), ..TlsSettings::default() };
        let version = if origin.tls { HttpVersion::Auto } else { HttpVersion::Http1 };
        let timer = self.target.timer();
        let resolved = Connector::resolve(&destination, &tls, version, timer.clock());
        match timer.within(timer.clock().now() + self.connect_timeout, resolved).await {
            Some(Ok(connector)) => Ok(connector),
            Some(Err(_)) => Err(Failure::Unresolved),
            None => Err(Failure::TimedOut(crate::wire::Phase::Connect)),
        }
    }

    /// TLS with a certificate for a host that a tunnel was made to.
    pub(super) fn stand_in_for(&self, host: &str, http: HttpVersions) -> Option<TlsAcceptor> {
        let forward = self.forward.as_ref()?;
        let mut acceptors = self.acceptors.borrow_mut();
        if acceptors.len() >= HOSTS {
            acceptors.clear();
        }
        let vouched = || TlsAcceptor::from(ServerTls::vouched(Arc::clone(&forward.authority), host).config(http));
        Some(acceptors.entry(host.to_owned()).or_insert_with(vouched).clone())
    }

    /// Closes connections that nobody uses any more.
    pub(super) fn tidy(&self) {
        self.target.tidy();
        self.others.borrow().values().for_each(|upstream| upstream.tidy());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_port_where_it_is_the_schemes_own() {
        let of = |tls, text: &str| Origin::new(tls, &text.parse().expect("an authority"));
        assert_eq!(of(true, "a.test:443"), of(true, "a.test"));
        assert_ne!(of(true, "a.test:80"), of(true, "a.test"));
        assert_ne!(of(true, "a.test"), of(false, "a.test"));
        assert_eq!(of(false, "[::1]:80").host(), "::1");
        assert!(of(false, "127.0.0.1:8400").is("127.0.0.1:8400".parse().expect("an address")));
        assert!(!of(false, "127.0.0.1:8401").is("127.0.0.1:8400".parse().expect("an address")));
    }
}
