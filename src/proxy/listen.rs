//! The proxy's thread: accepts connections, speaks HTTP on each, and ends in order.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::attempt::Proxy;
use super::control::{Control, Order};
use super::converse::converse;
use super::counters::Counters;
use super::effect;
use super::journal::Journal;
use super::routes::Routes;
use super::session::Session;
use super::upstream::Upstream;
use super::{ProxySettings, api};
use crate::clock::{Timer, thread_cpu};
use crate::id::RuleIx;
use crate::record::ProxyTally;
use crate::units::{Micros, Offset};

/// How long answers under way may take to finish once the proxy is to stop.
const GRACE: Micros = Micros::from_secs(1);
/// How often heads that take too long and connections that grow old are looked for.
const ROUND: Micros = Micros::from_secs(1);
/// How often there is something new to be shown of a session.
const SHOW_EVERY: Micros = Micros::from_millis(250);
/// The pause after the system refused to accept: most often no descriptor is free.
const PAUSE: Micros = Micros::from_millis(10);

/// The connections that are open, by their number.
#[derive(Default)]
struct Open {
    next: u64,
    controls: HashMap<u64, Rc<Control>>,
}

/// Runs the proxy until it is told to stop, or until nobody is left to tell it.
pub(super) async fn run(
    listener: std::net::TcpListener,
    addr: SocketAddr,
    settings: ProxySettings,
    stopped: oneshot::Receiver<()>,
    ready: mpsc::SyncSender<std::io::Result<()>>,
) -> ProxyTally {
    let started = TcpListener::from_std(listener).and_then(|listener| {
        let journal = settings.log.clone().map(Journal::start).transpose()?;
        Ok((listener, Timer::start(settings.clock)?, journal))
    });
    let (listener, timer, journal) = match started {
        Ok(started) => started,
        Err(error) => {
            let _ = ready.send(Err(error));
            return ProxyTally::default();
        }
    };
    let upstream =
        Upstream::new(settings.connector.clone(), timer.clone(), settings.connect_timeout, settings.keep_alive, settings.idle_timeout);
    let routes = Routes::new(Rc::new(upstream), settings.forward.clone(), addr, settings.connect_timeout);
    let counters = RefCell::new(Counters::new(&settings.faults).logged(journal));
    let tls = settings.downstream.tls.as_ref().map(|tls| TlsAcceptor::from(tls.config(settings.downstream.http)));
    let mut settings = settings;
    let (session, api) = settings.session.take().map(Session::new).unzip();
    let rules = RefCell::new(Rc::new(settings.faults.clone()));
    let proxy = Rc::new(Proxy { session, rules, settings, timer: timer.clone(), counters, routes, tls });
    let open = Rc::new(RefCell::new(Open::default()));
    let _ = ready.send(Ok(()));
    tokio::select! {
        biased;
        _ = stopped => {}
        () = accept(&proxy, &open, listener) => {}
        () = look_after(&proxy, &open) => {}
        () = api::serve(&proxy, api.flatten()) => {}
        () = show(&proxy) => {}
    }
    if let Some(session) = &proxy.session {
        session.ending();
    }
    wind_down(&timer, &open).await;
    let session = proxy.session.as_ref().map(Session::finish);
    ProxyTally { session, ..proxy.counters.borrow_mut().finish(&proxy.rules(), thread_cpu().unwrap_or_default()) }
}

/// Accepts connections, but for the windows in which they are refused; the rules may change meanwhile.
async fn accept(proxy: &Rc<Proxy>, open: &Rc<RefCell<Open>>, mut listener: TcpListener) {
    loop {
        let now = proxy.timer.clock().now();
        let (rule, window) = match effect::refuse::next(&proxy.rules(), now) {
            Some((rule, window)) if window.start <= now => (rule, window),
            next => {
                let until = next.map_or(now + ROUND, |(_, window)| window.start.min(now + ROUND));
                proxy.timer.within(until, welcome(proxy, open, &listener)).await;
                continue;
            }
        };
        listener = match refuse(proxy, open, listener, rule, window.end).await {
            Ok(listener) => listener,
            // Without a socket there is nothing to accept on until the end.
            Err(_) => std::future::pending().await,
        };
    }
}

async fn welcome(proxy: &Rc<Proxy>, open: &Rc<RefCell<Open>>, listener: &TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(proxy, open, stream, peer.ip()),
            Err(_) => proxy.timer.sleep(PAUSE).await,
        }
    }
}

fn admit(proxy: &Rc<Proxy>, open: &Rc<RefCell<Open>>, stream: TcpStream, address: IpAddr) {
    // What is passed on is written as it comes: waiting for more would add the peer's delayed ACK.
    let _ = stream.set_nodelay(true);
    let registered = Registered::new(proxy, open);
    registered.control.comes_from(address);
    let conversation = converse(Rc::clone(proxy), Rc::clone(&registered.control), stream);
    tokio::task::spawn_local(async move {
        let _registered = registered;
        conversation.await;
    });
}

/// Closes the listener for a while. Answers under way are finished; requests that come on connections made before
/// are known to the proxy, and reset by the rule.
async fn refuse(
    proxy: &Rc<Proxy>,
    open: &Rc<RefCell<Open>>,
    listener: TcpListener,
    rule: RuleIx,
    end: Offset,
) -> std::io::Result<TcpListener> {
    let addr = listener.local_addr()?;
    proxy.counters.borrow_mut().ledger.strikes(rule);
    // Those who wait to be accepted would be reset.
    while let Some(Ok((stream, peer))) = std::future::poll_fn(|cx| Poll::Ready(ready_now(listener.poll_accept(cx)))).await {
        admit(proxy, open, stream, peer.ip());
    }
    drop(listener);
    proxy.counters.borrow_mut().fired(rule);
    effect::refuse::until(end, addr, &proxy.timer).await
}

fn ready_now<T>(poll: Poll<T>) -> Option<T> {
    if let Poll::Ready(value) = poll { Some(value) } else { None }
}

/// Ends what takes too long, requests on their way in and connections to the target that nobody uses, and lets
/// clients' connections doze that are silent.
async fn look_after(proxy: &Rc<Proxy>, open: &Rc<RefCell<Open>>) {
    loop {
        proxy.timer.sleep(ROUND).await;
        proxy.routes.tidy();
        if let Some(session) = &proxy.session {
            session.look_after(proxy.timer.clock().now());
        }
        let (now, patience) = (proxy.timer.clock().now(), proxy.settings.head_timeout);
        let (limit, silence) = (now - patience, proxy.settings.downstream.silence);
        for control in open.borrow().controls.values() {
            if control.is_overdue(limit) {
                control.order(Order::Abort);
            }
            match control.silent_for(now) {
                // It has not even heard that it is to end.
                Some(span) if span > silence + patience => control.order(Order::Abort),
                Some(span) if span > silence => control.order(Order::WindDown),
                _ => {}
            }
            control.look_after();
        }
    }
}

/// Lets the session show what there is, a few times a second.
async fn show(proxy: &Proxy) {
    let Some(session) = &proxy.session else { return std::future::pending().await };
    loop {
        proxy.timer.sleep(SHOW_EVERY).await;
        session.show();
    }
}

async fn wind_down(timer: &Timer, open: &Rc<RefCell<Open>>) {
    let deadline = timer.clock().now() + GRACE;
    open.borrow().controls.values().for_each(|control| control.order(Order::WindDown));
    while !open.borrow().controls.is_empty() {
        if timer.clock().now() >= deadline {
            open.borrow().controls.values().for_each(|control| control.order(Order::Abort));
        }
        timer.sleep(Micros::from_millis(1)).await;
    }
}

/// A connection's place among those that are open; given up when dropped, by a panic too.
struct Registered {
    number: u64,
    control: Rc<Control>,
    open: Rc<RefCell<Open>>,
    proxy: Rc<Proxy>,
}

impl Registered {
    fn new(proxy: &Rc<Proxy>, open: &Rc<RefCell<Open>>) -> Registered {
        let control = Rc::new(Control::new(proxy.settings.clock));
        let mut list = open.borrow_mut();
        let number = list.next;
        list.next += 1;
        control.numbered(number);
        list.controls.insert(number, Rc::clone(&control));
        Registered { number, control, open: Rc::clone(open), proxy: Rc::clone(proxy) }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.open.borrow_mut().controls.remove(&self.number);
        if std::thread::panicking()
            && let Ok(mut counters) = self.proxy.counters.try_borrow_mut()
        {
            counters.panicked();
        }
    }
}
