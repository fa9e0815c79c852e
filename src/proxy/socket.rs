//! A client's connection as the proxy holds it: plain or encrypted, watched while HTTP is spoken on it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::control::Control;
use super::frames::Frames;
use super::guard::{Guard, Pending};
use crate::client::MaybeTls;

/// The bytes of a client's connection.
pub(super) type ClientStream = MaybeTls<TlsStream<Rewound>>;

/// A connection that hyper has let go of.
#[derive(Debug)]
pub(super) struct LetGo {
    pub(super) stream: ClientStream,
    /// What the client has sent and nobody has looked at: the beginning of a pipelined request, or of a tunnel.
    pub(super) unread: Bytes,
}

impl ClientStream {
    /// The socket below.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            ClientStream::Plain(socket) => socket,
            ClientStream::Tls(stream) => &stream.get_ref().0.socket,
        }
    }

    /// The socket below, for what happens below TLS.
    pub(super) fn into_socket(self) -> TcpStream {
        match self {
            ClientStream::Plain(socket) => socket,
            ClientStream::Tls(stream) => stream.into_inner().0.socket,
        }
    }
}

/// A socket whose first bytes were read before; they come first.
#[derive(Debug)]
pub(super) struct Rewound {
    pub(super) first: Bytes,
    pub(super) socket: TcpStream,
}

/// Who looks at what comes before the HTTP library reads it.
enum Watch {
    /// On HTTP/1.1, where it may be refused.
    Requests(Guard),
    /// On HTTP/2, which has one reading only.
    Frames(Frames),
}

/// A client's connection while HTTP is spoken on it.
pub(super) struct Socket {
    /// Gone only when dropped.
    stream: Option<ClientStream>,
    watch: Watch,
    control: Rc<Control>,
}

impl Socket {
    /// A connection that speaks HTTP/1.1.
    pub(super) fn guarded(stream: ClientStream, control: Rc<Control>) -> Socket {
        Socket { stream: Some(stream), watch: Watch::Requests(Guard::default()), control }
    }

    /// A connection that speaks HTTP/2. When dropped it is released to its control.
    pub(super) fn multiplexed(stream: ClientStream, control: Rc<Control>) -> Socket {
        Socket { stream: Some(stream), watch: Watch::Frames(Frames::new()), control }
    }

    pub(super) fn into_stream(mut self) -> ClientStream {
        self.stream.take().expect("a socket has its stream until it is dropped")
    }

    fn stream(&mut self) -> Pin<&mut ClientStream> {
        Pin::new(self.stream.as_mut().expect("a socket has its stream until it is dropped"))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if matches!(self.watch, Watch::Frames(_))
            && let Some(stream) = self.stream.take()
        {
            self.control.release(stream);
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let socket = &mut *self;
        if socket.control.has_refused() {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = socket.stream().poll_read(cx, buf);
        if read.is_pending() {
            socket.control.starved();
        } else if buf.filled().len() > before && !socket.control.is_changing() {
            let passed = socket.watch.inspect(&mut buf.filled_mut()[before..], &socket.control);
            buf.set_filled(before + passed);
        }
        read
    }
}

impl Watch {
    /// Looks at bytes; returns how many of them may go on to the HTTP library.
    fn inspect(&mut self, bytes: &mut [u8], control: &Control) -> usize {
        match self {
            Watch::Requests(guard) => {
                let passed = guard.inspect(bytes);
                control.received(guard.pending());
                if guard.has_refused() {
                    control.refuse();
                }
                passed
            }
            Watch::Frames(frames) => {
                if frames.inspect(bytes) {
                    control.received(Pending::Nothing);
                }
                control.received(frames.pending());
                bytes.len()
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.control.writes();
        self.stream().poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.control.writes();
        self.stream().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(ClientStream::is_write_vectored)
    }

    /// hyper calls this when its own buffer is empty: what it was given so far has been written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.stream().poll_flush(cx);
        if flushed.is_ready() {
            self.control.has_flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl AsyncRead for Rewound {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buf);
        }
        let n = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first.split_to(n));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
