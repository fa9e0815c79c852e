//! Why a target cannot be talked to at all, found before the first request is sent, and what to do about it.

use std::net::SocketAddr;

use rustls::{AlertDescription, CertificateError};

use crate::units::Micros;

/// A target that cannot be reached as the plan says. [`help`](SetupError::help) says what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SetupError {
    /// The URL, or `connect_to`, does not name a place to connect to.
    #[error("`{text}` is not a target: {reason}")]
    NotATarget { text: String, reason: String },
    /// A certificate or key of the plan cannot be used.
    #[error("`target.{key}` cannot be used: {reason}")]
    Certificate { key: &'static str, reason: String },
    /// The platform trusts nobody, and the plan names no CA.
    #[error("this system has no trusted root certificates")]
    NoRoots,
    /// The host name did not resolve.
    #[error("`{host}` does not resolve: {reason}")]
    Unresolved { host: String, reason: String },
    /// No address accepted a connection; the reason is the last one's.
    #[error("cannot connect to {address} ({host}): {reason}")]
    Refused { host: String, address: SocketAddr, reason: String },
    /// No address answered in time.
    #[error("no connection to {address} ({host}) within {within}")]
    TimedOut { host: String, address: SocketAddr, within: Micros },
    /// A connection was made, and no TLS handshake came of it in time.
    #[error("no TLS handshake with {address} ({host}) within {within}")]
    HandshakeTimedOut { host: String, address: SocketAddr, within: Micros },
    /// The certificate's issuer is not trusted.
    #[error("the certificate of `{name}` is not issued by anyone trusted here")]
    UntrustedIssuer { name: String },
    /// The certificate is for other names.
    #[error("the certificate presented is not valid for `{name}`: {reason}")]
    WrongName { name: String, reason: String },
    /// The target wants a certificate from us, or another one.
    #[error("the target did not accept our client certificate, or wants one: {reason}")]
    ClientCertificate { reason: String },
    /// What answers does not speak TLS.
    #[error("what answers at {address} ({host}) does not speak TLS")]
    NotTls { host: String, address: SocketAddr },
    /// The handshake failed for another reason.
    #[error("TLS handshake with `{name}` failed: {reason}")]
    Tls { name: String, reason: String },
    /// The plan wants HTTP/2 and the target did not agree to it.
    #[error("`{name}` did not agree to HTTP/2")]
    NoHttp2 { name: String },
    /// The reqwest transport cannot do what the plan asks.
    #[error("the reqwest transport cannot be used: {reason}")]
    Transport { reason: String },
}

impl SetupError {
    /// What the user can do about it, as a sentence.
    pub fn help(&self) -> &'static str {
        match self {
            SetupError::NotATarget { .. } => "Write `http://host:port` or `https://host:port`; `connect_to` is `host:port`.",
            SetupError::Certificate { .. } => {
                "Give PEM files: `tls.ca` with the CA's certificate, `tls.cert` and `tls.key` together for a client certificate."
            }
            SetupError::NoRoots => "Install the system's CA bundle, or give the target's CA as `target.tls.ca`.",
            SetupError::Unresolved { .. } => "Check the name, or say where to connect with `target.connect_to`.",
            SetupError::Refused { .. } | SetupError::TimedOut { .. } => {
                "Check that the target is running and that host and port are right."
            }
            SetupError::UntrustedIssuer { .. } => "If the target has a private CA, give its certificate as `target.tls.ca`.",
            SetupError::WrongName { .. } => "Use a name the certificate is for, or give one of them as `target.tls.server_name`.",
            SetupError::ClientCertificate { .. } => "Give a certificate the target accepts as `target.tls.cert` and `target.tls.key`.",
            SetupError::NotTls { .. } | SetupError::HandshakeTimedOut { .. } => {
                "If the target speaks plain HTTP, write `http://` in the URL."
            }
            SetupError::Tls { .. } => "Check which TLS versions and certificates the target offers.",
            SetupError::NoHttp2 { .. } => "Leave `target.http` at its default, or enable HTTP/2 on the target.",
            SetupError::Transport { .. } => "Leave `target.transport` at its default.",
        }
    }

    /// The failure of a TLS handshake, by what the user can do about it.
    pub(super) fn handshake(error: &std::io::Error, name: &str, host: &str, address: SocketAddr) -> SetupError {
        let (name, reason) = (name.to_owned(), error.to_string());
        let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
            return SetupError::Tls { name, reason };
        };
        match tls {
            // A bad signature is an issuer of a trusted name with another key: a private CA that was made anew.
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                SetupError::UntrustedIssuer { name }
            }
            rustls::Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
                SetupError::WrongName { name, reason: tls.to_string() }
            }
            rustls::Error::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnknownCA
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRevoked
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::AccessDenied
                | AlertDescription::DecryptError,
            ) => SetupError::ClientCertificate { reason: tls.to_string() },
            rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) | rustls::Error::NoApplicationProtocol => {
                SetupError::NoHttp2 { name }
            }
            rustls::Error::InvalidMessage(_) => SetupError::NotTls { host: host.to_owned(), address },
            _ => SetupError::Tls { name, reason: tls.to_string() },
        }
    }
}
