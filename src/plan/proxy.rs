//! `[proxy]` and `[client]` of a plan: where the fault proxy listens, what it speaks, whom it serves.

use std::net::SocketAddr;

use super::HttpVersion;
use crate::fault::Level;
use crate::lineage::Identify;
use crate::units::Micros;

/// `[proxy]`; the default is what a plan with `[[fault]]` and without `[proxy]` has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxySettings {
    /// Where clients connect; a free port on the loopback where the plan does not say. Used by `brownout proxy`: with
    /// the plan's own generator the proxy always has a loopback port of its own.
    pub listen: Option<SocketAddr>,
    /// What is spoken towards the client; `Auto` takes either, by preface or, under TLS, by ALPN.
    pub http: HttpVersion,
    /// TLS towards the client.
    pub tls: Option<ProxyTls>,
    /// Whether it serves as a forward proxy too (`HTTP_PROXY`), for the hosts that the plan allows.
    pub forward: bool,
    /// Do not tell the client what was injected.
    pub stealth: bool,
    /// What the draws about a client's requests are made of, and with that how far they repeat: its own identifiers, which
    /// must be the same in every run; the number of the exchange within its route, the same whatever their interleaving
    /// (the default); or its number in order of coming, over all routes.
    pub repeatable: Level,
    /// How attempts of one logical request are recognised.
    pub identify: Identify,
    /// Where the control API listens, always on the loopback; off by default.
    pub control: Option<SocketAddr>,
    /// Whether a request may name the rule that is to hit it (`x-brownout-fault: NAME`).
    pub select_by_header: bool,
}

/// What the proxy shows a client that speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyTls {
    /// A certificate for the name the client asks for, by an authority made for this run.
    Generated,
    /// PEM certificate chain and key.
    Given { cert: Vec<u8>, key: Vec<u8> },
}

/// `[client]`: a program whose requests are the load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientProgram {
    /// The program and its arguments, in which `{url}` stands for the proxy's address; empty where the client is
    /// started by somebody else.
    pub command: Vec<String>,
    /// How long the session may last; until the client ends where the plan does not say.
    pub length: Option<Micros>,
}

impl Default for ProxySettings {
    fn default() -> ProxySettings {
        ProxySettings {
            listen: None,
            http: HttpVersion::Auto,
            tls: None,
            forward: false,
            stealth: false,
            repeatable: Level::Ordinal,
            identify: Identify::default(),
            control: None,
            select_by_header: false,
        }
    }
}
