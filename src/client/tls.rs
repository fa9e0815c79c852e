//! TLS towards a target: which roots are trusted, which certificate is shown, which protocols are offered.
//!
//! One crypto provider serves the whole process, reqwest included. Roots are those of the platform, plus the
//! plan's own (`tls.ca`), so that a staging target with a private CA needs no change to the machine.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{HttpVersion, SetupError};

/// TLS towards the target, as the plan gives it; PEM throughout.
#[derive(Clone, Copy, Debug, Default)]
pub struct TlsSettings<'a> {
    /// Roots trusted besides those of the platform; may hold several.
    pub ca: Option<&'a [u8]>,
    /// The client's certificate chain, its own first; needs `key`.
    pub cert: Option<&'a [u8]>,
    /// The private key of `cert`.
    pub key: Option<&'a [u8]>,
    /// The name asked for (SNI) and verified, instead of the URL's host.
    pub server_name: Option<&'a str>,
}

/// The process's one crypto provider, installed by whoever asks first.
pub fn provider() -> Arc<CryptoProvider> {
    if CryptoProvider::get_default().is_none() {
        // Another thread may have been faster: then its provider, the same one, is used.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    Arc::clone(CryptoProvider::get_default().expect("a provider is installed by now"))
}

/// What a connection to the target presents and accepts.
///
/// # Errors
/// Where a certificate or key cannot be used, or nothing at all is trusted.
pub fn client_config(settings: &TlsSettings<'_>, version: HttpVersion) -> Result<ClientConfig, SetupError> {
    let provider = provider();
    let roots = settings.ca.map(|pem| certificates(pem, "tls.ca")).transpose()?.unwrap_or_default();
    let own_roots = !roots.is_empty();
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(|error| {
        if own_roots { SetupError::Certificate { key: "tls.ca", reason: error.to_string() } } else { SetupError::NoRoots }
    })?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match (settings.cert, settings.key) {
        (None, None) => builder.with_no_client_auth(),
        (cert, key) => {
            let missing = |key| SetupError::Certificate { key, reason: "the other half of a client certificate is missing".to_owned() };
            let chain = certificates(cert.ok_or_else(|| missing("tls.cert"))?, "tls.cert")?;
            let key = key.ok_or_else(|| missing("tls.key"))?;
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|error| SetupError::Certificate { key: "tls.key", reason: error.to_string() })?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| SetupError::Certificate { key: "tls.cert", reason: error.to_string() })?
        }
    };
    config.alpn_protocols = match version {
        HttpVersion::Http1 => vec![b"http/1.1".to_vec()],
        HttpVersion::Http2 => vec![b"h2".to_vec()],
        HttpVersion::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(config)
}

/// All certificates of a PEM file; at least one.
fn certificates(pem: &[u8], key: &'static str) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let bad = |reason: String| SetupError::Certificate { key, reason };
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| bad(error.to_string()))?;
    if found.is_empty() { Err(bad("no `BEGIN CERTIFICATE` in it".to_owned())) } else { Ok(found) }
}
