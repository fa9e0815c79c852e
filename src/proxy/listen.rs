//! The proxy's thread: accepts connections, speaks HTTP on each, and ends in order.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::ProxySettings;
use super::attempt::{self, Proxy};
use super::control::{Control, Ending, Order};
use super::counters::Counters;
use super::effect;
use super::socket::{ClientStream, LetGo, Socket};
use super::upstream::Upstream;
use crate::clock::{Timer, thread_cpu};
use crate::record::ProxyTally;
use crate::units::Micros;

/// How long answers under way may take to finish once the proxy is to stop.
const GRACE: Micros = Micros::from_secs(1);
/// How often heads that take too long and connections that grow old are looked for.
const ROUND: Micros = Micros::from_secs(1);
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
    settings: ProxySettings,
    stopped: oneshot::Receiver<()>,
    ready: mpsc::SyncSender<std::io::Result<()>>,
) -> ProxyTally {
    let started = TcpListener::from_std(listener).and_then(|listener| Ok((listener, Timer::start(settings.clock)?)));
    let (listener, timer) = match started {
        Ok(started) => started,
        Err(error) => {
            let _ = ready.send(Err(error));
            return ProxyTally::default();
        }
    };
    let upstream =
        Upstream::new(settings.connector.clone(), timer.clone(), settings.connect_timeout, settings.keep_alive, settings.idle_timeout);
    let counters = RefCell::new(Counters::new(&settings.faults));
    let proxy = Rc::new(Proxy { settings, timer: timer.clone(), counters, upstream: Rc::new(upstream) });
    let open = Rc::new(RefCell::new(Open::default()));
    let _ = ready.send(Ok(()));
    tokio::select! {
        biased;
        _ = stopped => {}
        () = accept(&proxy, &open, &listener) => {}
        () = look_after(&proxy, &open) => {}
    }
    drop(listener);
    wind_down(&timer, &open).await;
    proxy.counters.borrow_mut().finish(&proxy.settings.faults, thread_cpu().unwrap_or_default())
}

async fn accept(proxy: &Rc<Proxy>, open: &Rc<RefCell<Open>>, listener: &TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // What is passed on is written as it comes: waiting for more would add the peer's delayed ACK.
                let _ = stream.set_nodelay(true);
                tokio::task::spawn_local(converse(Rc::clone(proxy), Registered::new(proxy, open), stream));
            }
            Err(_) => proxy.timer.sleep(PAUSE).await,
        }
    }
}

/// Ends what takes too long: request heads, and connections to the target that nobody uses.
async fn look_after(proxy: &Rc<Proxy>, open: &Rc<RefCell<Open>>) {
    loop {
        proxy.timer.sleep(ROUND).await;
        proxy.upstream.tidy();
        let limit = proxy.timer.clock().now() - proxy.settings.head_timeout;
        for control in open.borrow().controls.values().filter(|control| control.head_overdue(limit)) {
            control.order(Order::Abort);
        }
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

/// Speaks HTTP with one client until either side ends it.
async fn converse(proxy: Rc<Proxy>, registered: Registered, stream: TcpStream) {
    let control = &registered.control;
    let service = service_fn(|request| attempt::serve(Rc::clone(&proxy), Rc::clone(control), request));
    let socket = TokioIo::new(Socket::new(ClientStream::Plain(stream), proxy.settings.clock, Rc::clone(control)));
    let mut connection = http1::Builder::new().auto_date_header(false).preserve_header_case(true).serve_connection(socket, service);
    let mut winding_down = false;
    let finished = std::future::poll_fn(|cx| {
        match control.orders(cx) {
            Order::Abort => return Poll::Ready(false),
            Order::WindDown if !winding_down => {
                winding_down = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            Order::WindDown | Order::GoOn => {}
        }
        Pin::new(&mut connection).poll(cx).map(|_| true)
    });
    if !finished.await {
        return;
    }
    let parts = connection.into_parts();
    let client = LetGo { stream: parts.io.into_inner().into_stream(), unread: parts.read_buf };
    let ending = control.take_ending();
    // What waits for the client alone is not waited for.
    let limit = if matches!(ending, Ending::Hold | Ending::HalfClose) { Order::WindDown } else { Order::Abort };
    tokio::select! {
        biased;
        () = control.until(limit) => {}
        () = effect::carry_out(ending, client, &proxy.timer) => {}
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
        let control = Rc::new(Control::new());
        let mut list = open.borrow_mut();
        let number = list.next;
        list.next += 1;
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
