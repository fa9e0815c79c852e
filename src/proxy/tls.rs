//! What the proxy is towards its clients: HTTP versions, TLS, and whether it goes by names.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::authority::{Authority, Vouching};
use crate::client::tls::provider;
use crate::units::Micros;

/// How the proxy is spoken to.
#[derive(Clone, Debug)]
pub struct Downstream {
    pub http: HttpVersions,
    /// TLS on the listener; without it connections are plain.
    pub tls: Option<ServerTls>,
    /// For so long a connection may hold memory and do nothing: one of HTTP/2 without a stream, a tunnel through which nothing
    /// passes, one whose TLS handshake nobody begins. An idle connection of HTTP/1.1 holds next to nothing, and stays.
    pub silence: Micros,
}

impl Downstream {
    /// The usual [`silence`](Downstream::silence): longer than WebSockets are usually silent for.
    pub const SILENCE: Micros = Micros::from_secs(600);
}

impl Default for Downstream {
    fn default() -> Downstream {
        Downstream { http: HttpVersions::default(), tls: None, silence: Downstream::SILENCE }
    }
}

/// The HTTP versions that clients may speak: without TLS told apart by their first bytes, with TLS agreed upon by ALPN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpVersions {
    #[default]
    Both,
    Http1,
    Http2,
}

impl HttpVersions {
    /// The protocols offered in a TLS handshake, best first.
    fn alpn(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            HttpVersions::Both => &[b"h2", b"http/1.1"],
            HttpVersions::Http1 => &[b"http/1.1"],
            HttpVersions::Http2 => &[b"h2"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }
}

/// What the proxy shows to clients that insist on TLS. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerTls {
    certificates: Arc<dyn ResolvesServerCert>,
}

/// A certificate or key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTls {
    #[error("no `BEGIN CERTIFICATE` in it")]
    NoCertificate,
    #[error("{0}")]
    Unusable(String),
}

impl ServerTls {
    /// A given certificate chain, the server's own first, and its private key; PEM both.
    ///
    /// # Errors
    /// Where either cannot be read, or they do not belong together.
    pub fn given(cert: &[u8], key: &[u8]) -> Result<ServerTls, BadTls> {
        let unusable = |error: rustls::pki_types::pem::Error| BadTls::Unusable(error.to_string());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(cert).collect::<Result<_, _>>().map_err(unusable)?;
        if chain.is_empty() {
            return Err(BadTls::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(unusable)?;
        let certified = CertifiedKey::from_der(chain, key, &provider())?;
        Ok(ServerTls { certificates: Arc::new(SingleCertAndKey::from(certified)) })
    }

    /// Certificates of a session's own authority, for whatever name a client asks for, or for this one.
    pub fn vouched(authority: Arc<Authority>, otherwise: &str) -> ServerTls {
        ServerTls { certificates: Arc::new(Vouching { authority, otherwise: otherwise.to_owned() }) }
    }

    /// The handshake's settings.
    pub(super) fn config(&self, http: HttpVersions) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider speaks TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.certificates));
        config.alpn_protocols = http.alpn();
        Arc::new(config)
    }
}

/// The proxy as a forward proxy: requests and tunnels to hosts that clients name (RFC 9110 §3.7), by `HTTP_PROXY`.
#[derive(Clone)]
pub struct ForwardProxy {
    /// Whether requests to a host are passed on; any other is refused. Told without brackets and port.
    pub allow: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Shows itself as the hosts that clients make tunnels to, so that rules apply inside of them.
    pub authority: Arc<Authority>,
    /// Roots trusted besides those of the platform when connecting to such hosts; PEM.
    pub ca: Option<Vec<u8>>,
}

impl fmt::Debug for ForwardProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardProxy").finish_non_exhaustive()
    }
}

impl From<rcgen::Error> for BadTls {
    fn from(error: rcgen::Error) -> BadTls {
        BadTls::Unusable(error.to_string())
    }
}

impl From<rustls::Error> for BadTls {
    fn from(error: rustls::Error) -> BadTls {
        BadTls::Unusable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_or_no_key_is_said_to_be_so() {
        assert_eq!(ServerTls::given(b"hello", b"").map(|_| ()), Err(BadTls::NoCertificate));
        let authority = Authority::generate(1_795_000_000_000_000).expect("an authority");
        let other = rcgen::KeyPair::generate().expect("a key").serialize_pem();
        for (key, why) in [("hello", "no key"), (other.as_str(), "the key of another certificate")] {
            let refused = ServerTls::given(authority.pem().as_bytes(), key.as_bytes());
            assert!(matches!(refused, Err(BadTls::Unusable(_))), "{why}: {refused:?}");
        }
    }
}
