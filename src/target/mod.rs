//! The embedded reference server: a contract, served.
//!
//! It behaves as the `[server]` part of a contract file says, for a plan with `embedded = "…"` and for `brownout
//! serve`. The engine in here knows routes, items, rules, rate limits and triggers, and no product: the same code
//! serves any API whose contract has that part. Its error answers are composed by the contract, so that what it
//! sends is described by what it is checked against.
//!
//! A request goes through `visit`: its way, early triggers, token, rate limit, role, the items of its path, its
//! body, its members, late triggers, the act. It shares a core with the proxy and is kept cheap: routes are a tree
//! built once, shapes are bytes with holes, buckets are an array.
//!
//! Memory is bounded: bodies while they are read, items by number (`keep`, 10 000 unless the file says otherwise) and
//! by bytes (16 MiB for each resource), the oldest going first; uploads are counted and not kept.

mod act;
mod answer;
mod body;
mod facts;
mod field;
mod framing;
mod limits;
mod listen;
mod refusal;
mod router;
mod spoil;
mod store;
mod visit;

use std::cell::RefCell;
use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

use self::limits::Limiter;
use self::router::Router;
use self::store::Store;
use crate::clock::{Clock, Timer};
use crate::contract::Contract;
use crate::contract::server::Limits;
use crate::contract::server::{AnswerPart, Change, STRICT, Server};
use crate::seed::Seed;

/// What is served, and how.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// It must have a `[server]` part.
    pub contract: Arc<Contract>,
    /// One of [`presets`].
    pub preset: String,
    /// Whether rate limits are enforced.
    pub limits: Limits,
    /// Latencies and ids are drawn from it.
    pub seed: Seed,
    pub clock: Clock,
}

/// The presets that a contract's server has; `strict` is the first. Empty where it has no server.
pub fn presets(contract: &Contract) -> Vec<String> {
    let own = |server: &Arc<Server>| server.presets.iter().map(|preset| preset.name.clone()).collect::<Vec<_>>();
    contract.server.as_ref().map(|server| std::iter::once(STRICT.to_owned()).chain(own(server)).collect()).unwrap_or_default()
}

/// A server that runs on a thread of its own until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningTarget {
    /// Where it listens.
    pub addr: SocketAddr,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

/// Starts serving on a listener.
///
/// # Errors
/// Where the contract has no server or no such preset, or the system gives no thread or timer.
pub fn start(listener: TcpListener, settings: TargetSettings) -> std::io::Result<RunningTarget> {
    let addr = listener.local_addr()?;
    let parts = Parts::of(&settings)?;
    let (stop, stopped) = watch::channel(false);
    let (ready, started) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name("target".to_owned()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error))),
        };
        tokio::task::LocalSet::new().block_on(&runtime, async move {
            let timer = match Timer::start(settings.clock) {
                Ok(timer) => timer,
                Err(error) => return drop(ready.send(Err(error))),
            };
            let _ = ready.send(Ok(()));
            // An error here is one of registering the listener, after which nothing can be served.
            let _ = listen::listen(listener, Rc::new(Api::new(settings, parts)), timer, stopped).await;
        });
    })?;
    started.recv().map_err(|_| Error::other("the target's thread ended at once"))??;
    Ok(RunningTarget { addr, stop, thread })
}

impl RunningTarget {
    /// Stops accepting, lets requests that are being answered end (a second at most), and waits for the thread.
    pub fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.thread.join();
    }
}

/// What the settings name, found in the contract.
struct Parts {
    server: Arc<Server>,
    changes: Vec<Change>,
}

impl Parts {
    fn of(settings: &TargetSettings) -> std::io::Result<Parts> {
        let invalid = |what: String| Error::new(ErrorKind::InvalidInput, what);
        let name = &settings.contract.name;
        let server = settings.contract.server.clone().ok_or_else(|| invalid(format!("the contract `{name}` has no [server] part")))?;
        let preset = server.presets.iter().find(|preset| preset.name == settings.preset);
        let changes = match preset {
            Some(preset) => preset.changes.clone(),
            None if settings.preset == STRICT => Vec::new(),
            None => return Err(invalid(format!("the server of `{name}` has no preset `{}`", settings.preset))),
        };
        Ok(Parts { server, changes })
    }
}

/// One server: what it was told, and what it keeps.
struct Api {
    contract: Arc<Contract>,
    server: Arc<Server>,
    router: Router,
    changes: Vec<Change>,
    seed: Seed,
    clock: Clock,
    state: RefCell<State>,
}

/// What changes from request to request. Borrowed for as long as one decision takes, never across a wait.
struct State {
    store: Store,
    limiter: Limiter,
    requests: u64,
    /// Ids given out.
    ids: u64,
}

impl Api {
    fn new(settings: TargetSettings, parts: Parts) -> Api {
        let Parts { server, changes } = parts;
        let limiter = Limiter::new(&server, settings.limits);
        let state = State { store: Store::new(&server.resources), limiter, requests: 0, ids: 0 };
        Api {
            router: Router::new(&server.routes),
            contract: settings.contract,
            server,
            changes,
            seed: settings.seed,
            clock: settings.clock,
            state: RefCell::new(state),
        }
    }

    /// Whether its preset breaks the framing of answers.
    fn breaks_framing(&self) -> bool {
        self.changes.iter().any(|change| change.part == AnswerPart::Framing)
    }
}
