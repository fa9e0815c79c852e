//! A target that plays a script: for every connection a list of acts, on real sockets, remembering what it was sent.
//!
//! ```ignore
//! let upstream = Upstream::play(vec![vec![Act::ReadRequest, Act::write(ok("hello")), Act::Close]]);
//! // … connect to upstream.address() …
//! assert_eq!(upstream.requests().len(), 1);
//! ```
//! The k-th connection plays the k-th script; the last script is played again for all further connections.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What a scripted target does next on a connection.
#[derive(Clone, Debug)]
pub enum Act {
    /// Reads one request head, up to the empty line.
    ReadHead,
    /// Reads one request: its head, and as much body as `Content-Length` or its chunks say.
    ReadRequest,
    /// Writes these bytes.
    Write(Vec<u8>),
    /// Writes these bytes again and again until the client hangs up.
    WriteForever(Vec<u8>),
    /// Does nothing for this long.
    Wait(Duration),
    /// Reads until the client hangs up.
    WaitForClose,
    /// Closes in order: what was written arrives, then the end.
    Close,
    /// Resets the connection (RST).
    Reset,
    /// Goes back to the first act, on the same connection, until the client hangs up.
    Again,
}

impl Act {
    /// Writes text or bytes.
    pub fn write(bytes: impl AsRef<[u8]>) -> Act {
        Act::Write(bytes.as_ref().to_vec())
    }
}

/// A complete answer with a body.
pub fn answer(status: &str, body: &str) -> Act {
    Act::write(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Which connection it came on, from 0.
    pub connection: usize,
    /// Request line and header fields, up to and without the empty line.
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.trim())
    }
}

/// What a scripted target has seen.
#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    open: usize,
    most_open: usize,
    requests: Vec<Received>,
}

/// A target that plays a script; it stops when dropped.
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
}

/// A connection, encrypted or not.
trait Line: Read + Write + Send {
    fn socket(&self) -> &TcpStream;
}

impl Line for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Line for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    fn socket(&self) -> &TcpStream {
        &self.sock
    }
}

impl Upstream {
    /// A target on a free port of the loopback interface. There must be at least one script.
    pub fn play(scripts: Vec<Vec<Act>>) -> Upstream {
        Upstream::start(None, scripts)
    }

    /// The same behind TLS; acts begin after the handshake, which may fail.
    pub fn play_tls(config: Arc<rustls::ServerConfig>, scripts: Vec<Vec<Act>>) -> Upstream {
        Upstream::start(Some(config), scripts)
    }

    /// Answers every request on every connection the same way, keeping connections open.
    pub fn always(act: Act) -> Upstream {
        Upstream::play(vec![vec![Act::ReadRequest, act, Act::Again]])
    }

    fn start(tls: Option<Arc<rustls::ServerConfig>>, scripts: Vec<Vec<Act>>) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let (shared, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        thread::spawn(move || {
            for (index, socket) in listener.incoming().flatten().enumerate() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                {
                    let mut seen = shared.lock().expect("no panic while locked");
                    seen.connections += 1;
                    seen.open += 1;
                    seen.most_open = seen.most_open.max(seen.open);
                }
                let script = scripts[index.min(scripts.len() - 1)].clone();
                let (seen, tls) = (Arc::clone(&shared), tls.clone());
                thread::spawn(move || {
                    let _ = socket.set_nodelay(true);
                    let line: Box<dyn Line> = match tls {
                        None => Box::new(socket),
                        Some(config) => {
                            let session = rustls::ServerConnection::new(config).expect("a server configuration");
                            Box::new(rustls::StreamOwned::new(session, socket))
                        }
                    };
                    // A client that hangs up ends the script.
                    let _ = perform(line, &script, index, &seen);
                    seen.lock().expect("no panic while locked").open -= 1;
                });
            }
        });
        Upstream { address, seen, stop }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.seen.lock().expect("no panic while locked").connections
    }

    /// The most connections that were open at a time.
    pub fn most_open(&self) -> usize {
        self.seen.lock().expect("no panic while locked").most_open
    }

    /// The requests read so far, in the order they were read.
    pub fn requests(&self) -> Vec<Received> {
        self.seen.lock().expect("no panic while locked").requests.clone()
    }

    /// Waits until every connection is closed; panics after ten seconds.
    pub fn wait_until_idle(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.seen.lock().expect("no panic while locked").open > 0 {
            assert!(Instant::now() < deadline, "a connection is still open after ten seconds");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The listener looks at `stop` after the next connection: here it is.
        let _ = TcpStream::connect(self.address);
    }
}

/// A port of the loopback interface on which nobody listens.
pub fn refused_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

fn perform(mut line: Box<dyn Line>, script: &[Act], connection: usize, seen: &Mutex<Seen>) -> io::Result<()> {
    let mut at = 0;
    while let Some(act) = script.get(at) {
        at += 1;
        match act {
            Act::ReadHead | Act::ReadRequest => {
                let whole = matches!(act, Act::ReadRequest);
                let request = read_request(line.as_mut(), connection, whole)?;
                seen.lock().expect("no panic while locked").requests.push(request);
            }
            Act::Write(bytes) => {
                line.write_all(bytes)?;
                line.flush()?;
            }
            Act::WriteForever(bytes) => loop {
                line.write_all(bytes)?;
            },
            Act::Wait(span) => thread::sleep(*span),
            Act::WaitForClose => {
                io::copy(&mut line, &mut io::sink())?;
            }
            Act::Close => return close(line),
            Act::Reset => return reset(line.socket()),
            Act::Again => at = 0,
        }
    }
    close(line)
}

fn read_request(line: &mut dyn Line, connection: usize, whole: bool) -> io::Result<Received> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        line.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len() - 4]).into_owned();
    let mut request = Received { connection, head, body: Vec::new() };
    if whole && request.header("transfer-encoding").is_some() {
        read_chunks(line, &mut request.body)?;
    } else if whole {
        let length = request.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        request.body = vec![0; length];
        line.read_exact(&mut request.body)?;
    }
    Ok(request)
}

fn read_chunks(line: &mut dyn Line, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let size = read_line(line)?;
        let size = usize::from_str_radix(&size, 16).map_err(|_| io::Error::other(size))?;
        let start = body.len();
        body.resize(start + size, 0);
        line.read_exact(&mut body[start..])?;
        while !read_line(line)?.is_empty() {}
        if size == 0 {
            return Ok(());
        }
    }
}

fn read_line(line: &mut dyn Line) -> io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n") {
        let mut byte = [0];
        line.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&bytes[..bytes.len() - 2]).into_owned())
}

/// Ends our side and takes what the client still sends, so that nothing unread turns the close into a reset.
fn close(mut line: Box<dyn Line>) -> io::Result<()> {
    line.flush()?;
    line.socket().shutdown(std::net::Shutdown::Write)?;
    line.socket().set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut socket = line.socket();
    io::copy(&mut socket, &mut io::sink()).map(|_| ())
}

fn reset(socket: &TcpStream) -> io::Result<()> {
    // The standard library cannot set SO_LINGER; tokio can, within a runtime.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _within = runtime.enter();
    let socket = socket.try_clone()?;
    socket.set_nonblocking(true)?;
    tokio::net::TcpStream::from_std(socket)?.set_zero_linger()
}
