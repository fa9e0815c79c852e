//! The fault-injecting proxy: between the generator, or any other client, and the target.
//!
//! It forwards every request and every answer as they are and carries out what [`FaultRules`] decide; it decides
//! nothing itself. With no rule firing, status, headers, their case, and body bytes pass unchanged, as they
//! come, with back-pressure both ways. What belongs to a single hop does not pass (RFC 9110 §7.6.1, RFC 9112):
//! the HTTP version, `Connection` and what it names, and how a body is framed, so that an answer whose end is
//! the end of the target's connection reaches the client in chunks. The order of header fields of different
//! names, which carries no meaning (RFC 9110 §5.3), may change where one is removed.
//!
//! A failure between proxy and target is mirrored to the client as the same failure, never as an invented 502:
//! what was reset is reset, what was cut is cut, and where there was never a connection ours is closed; what
//! really happened stands on the [`Board`] before the client can see anything. On HTTP/2 it is the stream that
//! ends so: reset with CANCEL for a reset, with INTERNAL_ERROR for a cut.
//!
//! Clients speak HTTP/1.1 or HTTP/2, plain or under TLS ([`Downstream`]); the target is spoken to in whatever its
//! connector negotiates. What two parsers might read differently is answered 400 and goes nowhere (`guard`). An
//! upgrade that the target agrees to, to a WebSocket for one, becomes a tunnel. As a forward proxy
//! ([`ForwardProxy`]) it also serves clients that know it by `HTTP_PROXY`, and ends their tunnels itself, so that
//! rules apply inside them.
//!
//! Requests without our identity headers, or with another run's, are strangers. Beside a run of the plan's own
//! generator they are forwarded and counted, nothing more. In a session ([`SessionSettings`], `brownout proxy`) they
//! are the clients: a [`Lineage`](crate::lineage::Lineage) finds out which attempt of which exchange each of them is,
//! rules apply to them, their answers are held to the contract, and a control API may change the rules meanwhile.
//!
//! The way of a request: `listen` accepts, `converse` finds out what is spoken, `socket` with `guard` and `frames`
//! watches the bytes, `attempt` recognises the request (`identity`, `session`) and asks for a decision, `effect` carries
//! it out or `forward`, `upload` and `relay` pass it on through `routes`, `passage` and `upstream`; `control` says how
//! the connection ends.
//!
//! One thread, one runtime: no attempt is sent from one thread to another, and none waits for a lock that is held for
//! longer than it takes to note a fact (the recorder of a session); a thread of its own writes the decision log.

mod api;
mod attempt;
mod authority;
mod control;
mod converse;
mod counters;
mod descriptors;
mod effect;
mod forward;
mod frames;
mod guard;
mod identity;
mod journal;
mod listen;
mod mark;
mod passage;
mod peek;
mod relay;
mod routes;
mod session;
mod socket;
mod tls;
mod tunnel;
mod upload;
mod upstream;
mod watched;

pub use self::journal::LogSettings;

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;

pub use self::api::{ApiSettings, NewRules, TOKEN_HEADER};
pub use self::authority::Authority;
pub use self::descriptors::raise_descriptor_limit;
pub use self::session::{PLACES, SessionRecorder, SessionSettings};
pub use self::tls::{BadTls, Downstream, ForwardProxy, HttpVersions, ServerTls};
use crate::client::Connector;
use crate::clock::Clock;
use crate::contract::{Contract, Terms};
use crate::fault::FaultRules;
use crate::record::{Board, ProxyTally};
use crate::units::Micros;

/// What the proxy needs to know.
pub struct ProxySettings {
    /// Makes the connections to the target.
    pub connector: Connector,
    pub faults: FaultRules,
    /// Where every decision is written down; nowhere without it.
    pub log: Option<LogSettings>,
    /// What injected errors are made from, and held to: strictly, whatever profile the terms name. Without it a
    /// rule that answers with a documented error never fires.
    pub contract: Option<(Arc<Contract>, Terms)>,
    /// Written in `Host` in place of what a client says that takes the proxy for the target; `None`: left as it is.
    pub host: Option<http::HeaderValue>,
    /// Do not tell the client what was injected.
    pub stealth: bool,
    /// Requests that name another run are strangers.
    pub run_id: String,
    pub board: Arc<Board>,
    pub clock: Clock,
    /// For a connection to the target, its TLS handshake included.
    pub connect_timeout: Micros,
    /// From the first byte of a request to the end of its head.
    pub head_timeout: Micros,
    /// Whether connections to the target are used again.
    pub keep_alive: bool,
    /// A connection to the target that was idle for this long is closed and not used again.
    pub idle_timeout: Micros,
    /// How clients speak to the proxy.
    pub downstream: Downstream,
    /// Whether it is a forward proxy too: by default clients name it, and it stands for the target.
    pub forward: Option<ForwardProxy>,
    /// Treats strangers as clients: rules apply to them, and what becomes of them is recorded. Without it they are
    /// forwarded and counted, nothing more.
    pub session: Option<SessionSettings>,
}

/// A proxy at work.
pub struct RunningProxy {
    /// Where it listens.
    pub addr: SocketAddr,
    /// How many descriptors the process may have, if the system says: two for every connection through the proxy.
    pub descriptors: Option<u64>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<ProxyTally>,
}

/// Starts the proxy on a thread of its own; it listens when this returns.
///
/// # Errors
/// Where the system gives no thread, runtime or timer, or the listener cannot be used.
pub fn start(listener: std::net::TcpListener, settings: ProxySettings) -> std::io::Result<RunningProxy> {
    let addr = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let (stop, stopped) = oneshot::channel();
    let (ready, readiness) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn(move || {
        let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = ready.send(Err(error));
                return ProxyTally::default();
            }
        };
        runtime.block_on(listen::run(listener, addr, settings, stopped, ready))
    })?;
    match readiness.recv() {
        Ok(Ok(())) => Ok(RunningProxy { addr, descriptors: raise_descriptor_limit(), stop, thread }),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(std::io::Error::other("the proxy's thread ended before it listened")),
    }
}

impl RunningProxy {
    /// Stops listening, lets answers under way finish for up to a second, and returns what was counted.
    pub fn stop(self) -> ProxyTally {
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
