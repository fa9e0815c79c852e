//! Connections: accepting them, serving both HTTP versions on each, ending them in order.

use std::convert::Infallible;
use std::net::TcpListener;
use std::rc::Rc;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_local};

use super::Api;
use super::framing::Framed;
use super::visit::answer;
use crate::clock::Timer;
use crate::units::Micros;

/// How long requests may take that are being answered when the server is told to stop.
const LAST_WORDS: Micros = Micros::from_secs(1);
/// The pause after an accept that failed, for want of descriptors perhaps.
const BREATHER: Micros = Micros::from_millis(10);

/// Serves until `stop` says so, or nobody is left who could say it.
pub async fn listen(listener: TcpListener, api: Rc<Api>, timer: Timer, mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    let stopped = stop.clone();
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn_local(serve(stream, Rc::clone(&api), timer.clone(), stopped.clone()));
                    while connections.try_join_next().is_some() {}
                }
                Err(_) => timer.sleep(BREATHER).await,
            },
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    timer.within(timer.clock().now() + LAST_WORDS, all_ended).await;
    Ok(())
}

async fn serve(stream: TcpStream, api: Rc<Api>, timer: Timer, stop: watch::Receiver<bool>) {
    // Without it an answer in two writes can wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    match api.breaks_framing() {
        true => converse(Framed::new(stream), api, timer, stop).await,
        false => converse(stream, api, timer, stop).await,
    }
}

async fn converse<S>(stream: S, api: Rc<Api>, timer: Timer, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let (api, timer) = (Rc::clone(&api), timer.clone());
        async move { Ok::<_, Infallible>(answer(&api, &timer, request).await) }
    });
    let server = auto::Builder::new(LocalTasks);
    let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
    // How a connection ends is its client's business: there is nobody to tell.
    let ended = tokio::select! {
        _ = connection.as_mut() => true,
        _ = stop.wait_for(|stop| *stop) => false,
    };
    if !ended {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// Runs what a connection spawns on the thread that serves it.
#[derive(Clone, Copy)]
struct LocalTasks;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalTasks {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}
