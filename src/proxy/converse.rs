//! One client's connection, from its first byte to its end: TLS, the version of HTTP, and what follows HTTP.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::uri::Authority;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::attempt::{self, Proxy};
use super::control::{Control, Ending, Next, Order};
use super::effect;
use super::routes::Origin;
use super::socket::{ClientStream, LetGo, Rewound, Socket};
use super::tls::HttpVersions;
use super::tunnel;
use super::upstream::Local;
use crate::units::Micros;

/// A connection whose first bytes may be those of HTTP/2 or not is looked at again after this long.
const PAUSE: Micros = Micros::from_millis(1);
/// What a client that speaks HTTP/2 sends first begins with this (RFC 9113 §3.4); no method of HTTP/1.1 does.
const PREFACE: [u8; 3] = *b"PRI";
/// The first byte of a TLS handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
/// Bytes that wait to be sent, per stream of HTTP/2.
const SEND_BUFFER: usize = 64 * 1024;
/// Octets of a head on HTTP/2, as its fields are counted there.
const HEAD: u32 = 64 * 1024;

/// How HTTP ended on a connection.
enum Over {
    /// The connection is gone, or is to be.
    Gone,
    /// There is nothing to do: it rests without buffers until something comes.
    Resting(ClientStream),
    LetGo(LetGo),
}

/// Speaks with one client until either side ends it.
///
/// What takes much memory is boxed, and given up while the client is silent.
pub(super) async fn converse(proxy: Rc<Proxy>, control: Rc<Control>, socket: TcpStream) {
    let begun = match &proxy.tls {
        None => Some(ClientStream::Plain(socket)),
        Some(tls) => match unless(&control, Order::Abort, Box::pin(effect::tls_failure::unless_failing(&proxy, socket))).await.flatten() {
            Some(socket) => Box::pin(greet(&proxy, &control, tls, Rewound { first: Bytes::new(), socket })).await,
            None => None,
        },
    };
    let Some(mut stream) = begun else { return };
    loop {
        let over = match version(&proxy, &control, &stream).await {
            None => return,
            Some(Version::Http2) => Box::pin(speak_http2(&proxy, &control, stream)).await,
            Some(Version::Http1) => loop {
                match Box::pin(speak_http1(&proxy, &control, stream)).await {
                    Over::Resting(resting) => stream = resting,
                    over => break over,
                }
                if !something_comes(&control, &stream).await {
                    return;
                }
            },
        };
        let Over::LetGo(client) = over else { return };
        match control.take_next() {
            None => return Box::pin(end(&proxy, &control, client)).await,
            Some(Next::Tunnel(far_end)) => {
                let carried = Box::pin(tunnel::carry(client, far_end, &proxy.timer, proxy.settings.downstream.silence));
                return unless(&control, Order::Abort, carried).await.unwrap_or_default();
            }
            Some(Next::Origin(authority)) => match Box::pin(stand_in(&proxy, &control, client, authority)).await {
                Some(inside) => stream = inside,
                None => return,
            },
        }
    }
}

/// Waits for something unless the connection is told to end: then `None`.
async fn unless<T>(control: &Control, order: Order, waited_for: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = control.until(order) => None,
        done = waited_for => Some(done),
    }
}

/// The same, for what a client has to do within the time it has for a request head.
async fn in_time<T>(proxy: &Proxy, control: &Control, waited_for: impl Future<Output = T>) -> Option<T> {
    let deadline = proxy.timer.clock().now() + proxy.settings.head_timeout;
    unless(control, Order::WindDown, proxy.timer.within(deadline, waited_for)).await.flatten()
}

/// The same, for what a client may take its time to begin.
async fn in_silence<T>(proxy: &Proxy, control: &Control, waited_for: impl Future<Output = T>) -> Option<T> {
    let deadline = proxy.timer.clock().now() + proxy.settings.downstream.silence;
    unless(control, Order::WindDown, proxy.timer.within(deadline, waited_for)).await.flatten()
}

/// Whether something came, and not the end of the proxy.
async fn something_comes(control: &Control, stream: &ClientStream) -> bool {
    unless(control, Order::WindDown, stream.socket().readable()).await.is_some_and(|readable| readable.is_ok())
}

/// The TLS handshake, once the client begins it.
async fn greet(proxy: &Proxy, control: &Control, tls: &TlsAcceptor, socket: Rewound) -> Option<ClientStream> {
    if socket.first.is_empty() {
        in_silence(proxy, control, socket.socket.readable()).await?.ok()?;
    }
    let stream = in_time(proxy, control, tls.accept(socket)).await?.ok()?;
    Some(ClientStream::Tls(Box::new(stream)))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

/// The version of HTTP that the client speaks: agreed upon under TLS, and else seen from what it sends first, which
/// stays where it is. `None` where it sends nothing and goes.
async fn version(proxy: &Proxy, control: &Control, stream: &ClientStream) -> Option<Version> {
    let socket = match (stream, proxy.settings.downstream.http) {
        (ClientStream::Tls(stream), HttpVersions::Both) => {
            let agreed = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            return Some(if agreed { Version::Http2 } else { Version::Http1 });
        }
        (_, HttpVersions::Http1) => return Some(Version::Http1),
        (_, HttpVersions::Http2) => return Some(Version::Http2),
        (ClientStream::Plain(socket), HttpVersions::Both) => socket,
    };
    let mut first = [0; PREFACE.len()];
    let mut deadline = None;
    loop {
        let n = unless(control, Order::WindDown, socket.peek(&mut first)).await?.ok()?;
        match n {
            0 => return None,
            n if first[..n] != PREFACE[..n] => return Some(Version::Http1),
            n if n == PREFACE.len() => return Some(Version::Http2),
            _ => {}
        }
        let now = proxy.timer.clock().now();
        if *deadline.get_or_insert(now + proxy.settings.head_timeout) < now {
            return None;
        }
        proxy.timer.sleep(PAUSE).await;
    }
}

/// Speaks HTTP/1.1 until it is over on this connection, or the client has been silent for long.
async fn speak_http1(proxy: &Rc<Proxy>, control: &Rc<Control>, stream: ClientStream) -> Over {
    let service = service_fn(|request| attempt::serve(Rc::clone(proxy), Rc::clone(control), request));
    let socket = TokioIo::new(Socket::guarded(stream, Rc::clone(control)));
    let mut connection = http1::Builder::new().auto_date_header(false).preserve_header_case(true).serve_connection(socket, service);
    let mut winding_down = false;
    let finished = std::future::poll_fn(|cx| {
        match control.orders(cx) {
            Order::Abort => return Poll::Ready(None),
            Order::WindDown if !winding_down => {
                winding_down = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            Order::WindDown => {}
            Order::GoOn if control.falls_asleep() => return Poll::Ready(Some(None)),
            Order::GoOn => {}
        }
        Pin::new(&mut connection).poll(cx).map(|result| Some(Some(result)))
    });
    let Some(finished) = finished.await else { return Over::Gone };
    let parts = connection.into_parts();
    let client = LetGo { stream: parts.io.into_inner().into_stream(), unread: parts.read_buf };
    match finished {
        None if client.unread.is_empty() => Over::Resting(client.stream),
        // It was silent, and what came was no request: there is nothing to wait for.
        None => Over::Gone,
        Some(result) => {
            if result.is_err() || control.is_arriving() {
                control.end_in_order();
            }
            Over::LetGo(client)
        }
    }
}

/// Speaks HTTP/2 until the connection ends.
async fn speak_http2(proxy: &Rc<Proxy>, control: &Rc<Control>, stream: ClientStream) -> Over {
    let service = service_fn(|request| attempt::serve(Rc::clone(proxy), Rc::new(Control::stream(control)), request));
    control.multiplexes();
    let socket = TokioIo::new(Socket::multiplexed(stream, Rc::clone(control)));
    let mut builder = http2::Builder::new(Local);
    builder.auto_date_header(false).max_send_buf_size(SEND_BUFFER).max_header_list_size(HEAD);
    let mut connection = builder.serve_connection(socket, service);
    let mut winding_down = false;
    let given_up = std::future::poll_fn(|cx| {
        match control.orders(cx) {
            Order::Abort => return Poll::Ready(None),
            Order::WindDown if !winding_down => {
                winding_down = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            Order::WindDown | Order::GoOn => {}
        }
        // Between two frames another can follow. Where it can at once, the stream that the fault struck is not even
        // reset: the connection's end says enough.
        if let Some(code) = control.giving_up().filter(|_| control.is_settled()) {
            return Poll::Ready(Some(code));
        }
        if Pin::new(&mut connection).poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        match control.giving_up() {
            Some(code) if control.is_settled() => Poll::Ready(Some(code)),
            _ => Poll::Pending,
        }
    });
    let given_up = given_up.await;
    drop(connection);
    let (Some(code), Some(mut stream)) = (given_up, control.take_released()) else { return Over::Gone };
    match stream.write_all(&go_away(control.last_stream(), code)).await {
        Ok(()) => Over::LetGo(LetGo { stream, unread: Bytes::new() }),
        Err(_) => Over::Gone,
    }
}

/// The frame that ends a connection of HTTP/2 (RFC 9113 §6.8).
fn go_away(last_stream: u32, code: u32) -> Vec<u8> {
    let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
    frame.extend_from_slice(&last_stream.to_be_bytes());
    frame.extend_from_slice(&code.to_be_bytes());
    frame
}

/// Ends a connection as its control says.
async fn end(proxy: &Proxy, control: &Control, client: LetGo) {
    let ending = control.take_ending();
    // What waits for the client alone is not waited for.
    let limit = if matches!(ending, Ending::HalfClose) { Order::WindDown } else { Order::Abort };
    unless(control, limit, effect::carry_out(ending, client, &proxy.timer)).await.unwrap_or_default();
}

/// The inside of a tunnel that ends in the proxy: TLS with a certificate for the host it was made to, or plain.
async fn stand_in(proxy: &Proxy, control: &Control, client: LetGo, authority: Authority) -> Option<ClientStream> {
    let LetGo { stream, unread } = client;
    let mut first = [0];
    match unread.first() {
        Some(byte) => first[0] = *byte,
        None => {
            in_silence(proxy, control, stream.socket().peek(&mut first)).await?.ok().filter(|&n| n > 0)?;
        }
    }
    let tls = first[0] == HANDSHAKE;
    let origin = Origin::new(tls, &authority);
    if !proxy.routes.permits(&origin) {
        return None;
    }
    let stand_in = proxy.routes.stand_in_for(origin.host(), proxy.settings.downstream.http)?;
    control.lead_to(origin);
    match (stream, tls) {
        (ClientStream::Plain(socket), true) => greet(proxy, control, &stand_in, Rewound { first: unread, socket }).await,
        (ClientStream::Plain(socket), false) if unread.is_empty() => Some(ClientStream::Plain(socket)),
        // TLS within TLS, or a client that would not wait for our answer before it spoke plainly.
        _ => None,
    }
}
