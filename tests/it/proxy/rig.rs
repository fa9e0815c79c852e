//! A proxy before a scripted target, and a client that speaks raw HTTP to it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use brownout::client::{Connector, Destination, HttpVersion, TlsSettings};
use brownout::clock::Clock;
use brownout::contract::{Contract, Terms};
use brownout::fault::{Effect, FaultRule, FaultRules};
use brownout::id::{AttemptNumber, ExchangeId, ScenarioIx, StepIx};
use brownout::proxy::{self, ProxySettings, RunningProxy};
use brownout::record::{Board, ProxyNote, ProxyTally};
use brownout::seed::Seed;
use brownout::units::{Micros, Offset};

/// The name of the run in these tests.
pub const RUN: &str = "2026-run";

/// A proxy at work, and what it shares with its maker.
pub struct Rig {
    pub board: Arc<Board>,
    pub addr: SocketAddr,
    proxy: RunningProxy,
}

impl Rig {
    /// A proxy before this target, with these rules.
    pub fn new(target: SocketAddr, rules: Vec<FaultRule>) -> Rig {
        Rig::with(target, rules, |_| {})
    }

    /// The same with other settings.
    pub fn with(target: SocketAddr, rules: Vec<FaultRule>, change: impl FnOnce(&mut ProxySettings)) -> Rig {
        let clock = Clock::new();
        let board = Arc::new(Board::new(1_000));
        let mut settings = ProxySettings {
            connector: connector(target, HttpVersion::Http1, clock),
            faults: FaultRules::new(Seed(7), rules),
            log: None,
            contract: None,
            host: None,
            stealth: false,
            session: None,
            run_id: RUN.to_owned(),
            board: Arc::clone(&board),
            clock,
            connect_timeout: Micros::from_secs(2),
            head_timeout: Micros::from_secs(30),
            keep_alive: true,
            idle_timeout: Micros::from_secs(60),
            downstream: proxy::Downstream::default(),
            forward: None,
        };
        change(&mut settings);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let proxy = proxy::start(listener, settings).expect("a proxy");
        Rig { board, addr: proxy.addr, proxy }
    }

    /// A new connection to the proxy.
    pub fn connect(&self) -> Client {
        Client::connect(self.addr)
    }

    /// One request on a connection of its own.
    pub fn ask(&self, request: &str) -> Answer {
        self.connect().ask(request)
    }

    /// What the board says about an attempt.
    pub fn noted(&self, slot: u32, attempt: u32) -> Option<ProxyNote> {
        self.board.read(slot, AttemptNumber(attempt))
    }

    pub fn stop(self) -> ProxyTally {
        self.proxy.stop()
    }
}

/// What connects to a target.
pub fn connector(target: SocketAddr, version: HttpVersion, clock: Clock) -> Connector {
    let url = format!("http://{target}").parse().expect("a URL");
    let destination = Destination::of(&url, None).expect("a destination");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(Connector::resolve(&destination, &TlsSettings::default(), version, clock)).expect("a literal address")
}

/// A rule that fires for everything; change what matters to the test.
pub fn rule(name: &str, effect: Effect) -> FaultRule {
    FaultRule { spec: name.to_owned(), ..FaultRule::new(name, effect) }
}

/// The strictest terms there are.
pub fn held(contract: Contract) -> Option<(Arc<Contract>, Terms)> {
    let terms =
        Terms { profile: brownout::contract::Profile::Core, undocumented: brownout::severity::Severity::High, secrets: Arc::default() };
    Some((Arc::new(contract), terms))
}

/// The identity headers of an attempt of arrival `arrival`, in a session that has the slot of the same number.
pub fn identity(arrival: u64, attempt: u32) -> String {
    let exchange = ExchangeId {
        arrival,
        ordinal: arrival,
        scenario: ScenarioIx(0),
        step: StepIx(0),
        scheduled_at: Offset::micros(1),
        slot: u32::try_from(arrival).expect("few arrivals"),
    };
    format!("x-brownout-exchange: {RUN}/{exchange}\r\nx-brownout-attempt: {attempt}\r\n")
}

/// A GET of an attempt.
pub fn get(arrival: u64, attempt: u32) -> String {
    format!("GET /v1/models HTTP/1.1\r\nHost: api.example.test\r\n{}\r\n", identity(arrival, attempt))
}

/// A client that speaks raw HTTP.
pub struct Client {
    pub socket: TcpStream,
}

/// An answer as it came, or as much of it as came.
#[derive(Debug)]
pub struct Answer {
    /// Status line and header fields, without the empty line; empty where no head came.
    pub head: String,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// How reading ended before the answer was complete.
    pub broken: Option<Broken>,
}

/// How a connection ended too early.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    Closed,
    Reset,
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Client {
        let socket = TcpStream::connect(addr).expect("a listener");
        socket.set_nodelay(true).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        Client { socket }
    }

    pub fn ask(&mut self, request: &str) -> Answer {
        // A proxy that resets before it has read everything is a fault under test, not a problem.
        let _ = self.socket.write_all(request.as_bytes());
        self.read(request.starts_with("HEAD"))
    }

    /// Reads one answer.
    pub fn read(&mut self, to_head: bool) -> Answer {
        let mut answer = Answer { head: String::new(), body: Vec::new(), broken: None };
        answer.broken = self.read_into(&mut answer, to_head).err();
        answer
    }

    fn read_into(&mut self, answer: &mut Answer, to_head: bool) -> Result<(), Broken> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.byte()?);
        }
        answer.head = String::from_utf8_lossy(&head[..head.len() - 4]).into_owned();
        if to_head || [204, 304].contains(&answer.status()) {
            return Ok(());
        }
        if answer.header("transfer-encoding").is_some() {
            return self.chunks(&mut answer.body);
        }
        match answer.header("content-length").map(str::parse) {
            Some(Ok(length)) => self.exactly(length, &mut answer.body),
            _ => panic!("an answer without a length: {}", answer.head),
        }
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> Result<(), Broken> {
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).expect("a chunk size");
            self.exactly(size, body)?;
            if size == 0 {
                // Trailers are kept behind the body, for the tests that want them.
                loop {
                    let line = self.line()?;
                    if line.is_empty() {
                        return Ok(());
                    }
                    body.extend_from_slice(format!("[{line}]").as_bytes());
                }
            }
            self.line()?;
        }
    }

    fn line(&mut self) -> Result<String, Broken> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.byte()?);
        }
        Ok(String::from_utf8_lossy(&line[..line.len() - 2]).into_owned())
    }

    pub fn byte(&mut self) -> Result<u8, Broken> {
        let mut byte = Vec::new();
        self.exactly(1, &mut byte)?;
        Ok(byte[0])
    }

    fn exactly(&mut self, length: usize, into: &mut Vec<u8>) -> Result<(), Broken> {
        let end = into.len() + length;
        let mut piece = vec![0; 64 * 1024];
        while into.len() < end {
            let wanted = (end - into.len()).min(piece.len());
            match self.socket.read(&mut piece[..wanted]) {
                Ok(0) => return Err(Broken::Closed),
                Ok(n) => into.extend_from_slice(&piece[..n]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(Broken::Reset),
                Err(error) => panic!("{error}"),
            }
        }
        Ok(())
    }
}

/// Waits until it is so; panics after ten seconds.
pub fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !so() {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
