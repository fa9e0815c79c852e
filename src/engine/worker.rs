//! One worker: a thread with its own runtime, timer, transport, lanes and recorder.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, watch};

use crate::client::Transport;
use crate::clock::{Timer, thread_cpu};
use crate::plan::Plan;
use crate::record::{Board, Glance, Outcome, Recorder};
use crate::retry::Budget;
use crate::units::{Micros, Offset};
use crate::workload::{Visit, Workload};

use super::lane::{Lane, Shares};
use super::session::Room;
use super::{InFlight, Loose, Setup, Stop, WorkerResult, WorkerUse, pacer, session};

/// What a worker's thread is started with.
pub(super) struct Job {
    pub(super) setup: Setup,
    pub(super) worker: u32,
    pub(super) workers: u32,
    pub(super) stop: watch::Receiver<Stop>,
    pub(super) glances: Arc<Vec<Mutex<Glance>>>,
    pub(super) in_flight: Arc<InFlight>,
}

/// Everything the tasks of one worker share. Not `Send`: nothing here is locked.
pub(super) struct Worker<R> {
    pub(super) plan: Arc<Plan>,
    pub(super) run_id: String,
    pub(super) workload: Workload,
    pub(super) index: u32,
    pub(super) workers: u32,
    pub(super) timer: Timer,
    pub(super) transport: Transport,
    pub(super) board: Option<Arc<Board>>,
    pub(super) recorder: RefCell<R>,
    /// By policy.
    pub(super) budgets: RefCell<Vec<Option<Budget>>>,
    /// Lanes of open stages, made when first needed, and those of them that are free.
    lanes: RefCell<Vec<Rc<Lane>>>,
    free: RefCell<Vec<usize>>,
    shares: Shares,
    /// Lanes of closed stages, by user.
    closed: Vec<Rc<Lane>>,
    sessions: Cell<usize>,
    /// Connections made for attempts that have ended.
    pub(super) connections: Cell<u64>,
    /// Told when a session ends.
    ended: Notify,
    stop: watch::Receiver<Stop>,
    in_flight: Arc<InFlight>,
}

/// How often a worker shows its running totals.
const GLANCE: Micros = Micros::from_millis(250);

/// The body of a worker's thread.
pub(super) fn run<R: Recorder + 'static>(job: Job, recorder: R) -> std::io::Result<WorkerResult<R>> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let glances = Arc::clone(&job.glances);
    let (worker, digest, how, ended_at, used) = runtime.block_on(async move {
        let clock = job.setup.clock;
        let timer = Timer::start(clock)?;
        let transport = (job.setup.transports)(&timer, job.worker, job.workers)?;
        let worker = Rc::new(Worker::new(job, timer, transport, recorder));
        let watch = tokio::task::spawn_local(show(Rc::clone(&worker), glances));
        // The clock stands at zero until the run begins: the first tick is the starting shot.
        let _ = worker.until(Offset::micros(1)).await;
        let before = thread_cpu();
        let (digest, how) = conduct(&worker).await;
        watch.abort();
        let ended_at = clock.now();
        let cpu = thread_cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
        let used = WorkerUse { cpu, wall: ended_at.since(Offset::START), connections_made: 0 };
        Ok::<_, std::io::Error>((worker, digest, how, ended_at, used))
    })?;
    // Dropping the tasks closes their connections and leaves what they had open in the lanes.
    drop(runtime);
    let connections_made = worker.connections.get();
    let loose = worker.cut(how, ended_at);
    let worker = Rc::into_inner(worker).expect("the tasks that shared the worker are gone");
    Ok(WorkerResult {
        recorder: worker.recorder.into_inner(),
        loose,
        used: WorkerUse { connections_made, ..used },
        ended_at,
        arrivals_digest: digest,
    })
}

/// The run as one worker goes through it: schedule, then drain.
async fn conduct<R: Recorder + 'static>(worker: &Rc<Worker<R>>) -> (u64, Outcome) {
    let closed = tokio::task::spawn_local({
        let worker = Rc::clone(worker);
        async move { pacer::closed_stages(&worker).await }
    });
    let digest = pacer::pace(worker).await;
    let end = worker.plan.schedule_end();
    let _ = worker.until(end).await;
    // Where arrivals queued beyond the end, the drain has begun then.
    let deadline = worker.timer.clock().now().min(end) + worker.plan.load.drain;
    let drained = worker.timer.within(deadline, async {
        let _ = closed.await;
        worker.idle_or_cut().await;
    });
    let _ = drained.await;
    let how = if worker.stopped() == Stop::No { Outcome::InFlightAtEnd } else { Outcome::Cancelled };
    (digest, how)
}

/// Publishes the running totals every quarter of a second: the only word that leaves a worker while it runs.
async fn show<R: Recorder + 'static>(worker: Rc<Worker<R>>, glances: Arc<Vec<Mutex<Glance>>>) {
    loop {
        worker.timer.sleep(GLANCE).await;
        let glance = worker.recorder.borrow().glance();
        if let Ok(mut place) = glances[worker.index as usize].lock() {
            *place = glance;
        }
    }
}

impl<R: Recorder + 'static> Worker<R> {
    fn new(job: Job, timer: Timer, transport: Transport, recorder: R) -> Worker<R> {
        let Job { setup, worker, workers, stop, in_flight, .. } = job;
        let shares = Shares::of(&setup.plan, worker, workers);
        let slot = |index: usize| u32::try_from(shares.before + index).expect("fewer than 2³² sessions at once");
        Worker {
            workload: Workload::new(&setup.plan, &setup.run_id, &setup.authority),
            budgets: RefCell::new(setup.plan.policies.iter().map(|policy| policy.budget.map(|rule| Budget::new(rule, workers))).collect()),
            plan: setup.plan,
            run_id: setup.run_id,
            index: worker,
            workers,
            timer,
            transport,
            board: setup.board,
            recorder: RefCell::new(recorder),
            lanes: RefCell::default(),
            free: RefCell::default(),
            closed: (0..shares.closed).map(|user| Lane::new(slot(shares.open + user))).collect(),
            shares,
            sessions: Cell::new(0),
            connections: Cell::new(0),
            ended: Notify::new(),
            stop,
            in_flight,
        }
    }

    /// How the run has been asked to stop.
    pub(super) fn stopped(&self) -> Stop {
        *self.stop.borrow()
    }

    /// Waits for a moment of the run; false if the run is stopped before it.
    pub(super) async fn until(&self, deadline: Offset) -> bool {
        let mut stop = self.stop.clone();
        let asked = async { stop.wait_for(|stop| *stop != Stop::No).await.is_ok() };
        self.timer.within(deadline, asked).await.is_none() && self.stopped() == Stop::No
    }

    /// Gives the visit to a free lane; false if there is none.
    pub(super) fn begin(self: &Rc<Self>, visit: Visit) -> bool {
        let free = self.free.borrow_mut().pop();
        let lane = match free {
            Some(index) => Rc::clone(&self.lanes.borrow()[index]),
            None => match self.new_lane() {
                Some(lane) => lane,
                None => return false,
            },
        };
        self.session_begins();
        lane.give(visit);
        true
    }

    fn new_lane(self: &Rc<Self>) -> Option<Rc<Lane>> {
        let mut lanes = self.lanes.borrow_mut();
        let index = lanes.len();
        if index == self.shares.open {
            return None;
        }
        let lane = Lane::new(u32::try_from(self.shares.before + index).expect("fewer than 2³² sessions at once"));
        lanes.push(Rc::clone(&lane));
        let (worker, own) = (Rc::clone(self), Rc::clone(&lane));
        tokio::task::spawn_local(async move {
            let mut room = Room::default();
            loop {
                let visit = own.next().await;
                session::play(&worker, &own, &mut room, visit).await;
                worker.free.borrow_mut().push(index);
                worker.session_ends();
            }
        });
        Some(lane)
    }

    /// Plays one session of a user of a closed stage.
    pub(super) async fn play_closed(&self, visit: Visit, user: u32, room: &mut Room) {
        let lane = &self.closed[(user / self.workers) as usize];
        self.session_begins();
        session::play(self, lane, room, visit).await;
        self.session_ends();
    }

    fn session_begins(&self) {
        self.sessions.set(self.sessions.get() + 1);
        self.in_flight.begin();
    }

    fn session_ends(&self) {
        self.sessions.set(self.sessions.get() - 1);
        self.in_flight.end();
        self.ended.notify_one();
    }

    /// Waits until an arrival would find a lane; false if the run is stopped, or this moment comes, before.
    pub(super) async fn lane_free(&self, at_most_until: Offset) -> bool {
        let mut stop = self.stop.clone();
        while self.stopped() == Stop::No && self.timer.clock().now() < at_most_until {
            if !self.free.borrow().is_empty() || self.lanes.borrow().len() < self.shares.open {
                return true;
            }
            let change = async {
                tokio::select! {
                    () = self.ended.notified() => {}
                    _ = stop.changed() => {}
                }
            };
            let _ = self.timer.within(at_most_until, change).await;
        }
        false
    }

    /// Waits until no session is open, or the run is to be cut off at once.
    async fn idle_or_cut(&self) {
        let mut stop = self.stop.clone();
        while self.sessions.get() > 0 && self.stopped() != Stop::Cut {
            tokio::select! {
                () = self.ended.notified() => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// What is open in the lanes after their tasks are gone. A session that its lane had not begun was never started.
    fn cut(&self, how: Outcome, at: Offset) -> Vec<Loose> {
        for visit in self.lanes.borrow().iter().filter_map(|lane| lane.take()) {
            self.recorder.borrow_mut().unstarted(visit.stage, visit.at);
        }
        self.lanes.borrow().iter().chain(&self.closed).filter_map(|lane| lane.cut(how, at)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::path::Path;

    use allocation_counter::measure;

    use super::*;
    use crate::analysis::Tally;
    use crate::client::{ClientSettings, Connector, Destination, Direct, HttpVersion, Outbound, TlsSettings};
    use crate::clock::Clock;
    use crate::plan::LoadOptions;
    use crate::plan::source::SourceText;
    use crate::units::Size;

    /// A documented 429 that is true for the next hour.
    fn answer() -> String {
        let now = jiff::Timestamp::now();
        let at = now + jiff::SignedDuration::from_hours(1);
        let body = format!(
            r#"{{"error":"Too Many Requests","code":"RATE_LIMIT_EXCEEDED","message":"Too many requests","limit":60,"remaining":0,"reset_at":"{}","retry_after":3600}}"#,
            at.strftime("%FT%TZ")
        );
        format!(
            "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 3600\r\nX-RateLimit-Limit: 60\r\n\
             X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {}\r\nDate: {}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nContent-Length: {}\r\n\r\n{body}",
            at.as_second(),
            now.strftime("%a, %d %b %Y %T GMT"),
            body.len()
        )
    }

    /// A target on threads of its own, whose allocations are not counted here.
    fn target() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for mut socket in listener.incoming().flatten() {
                let answer = answer();
                std::thread::spawn(move || {
                    let mut request = [0; 4096];
                    while socket.read(&mut request).is_ok_and(|read| read > 0) && socket.write_all(answer.as_bytes()).is_ok() {}
                });
            }
        });
        address
    }

    fn direct(address: SocketAddr, timer: &Timer) -> std::io::Result<Transport> {
        let url = url::Url::parse(&format!("http://{address}")).expect("a URL");
        let destination = Destination::of(&url, None).expect("a destination");
        let tls = TlsSettings::default();
        let resolved = std::pin::pin!(Connector::resolve(&destination, &tls, HttpVersion::Http1, timer.clock()));
        // An address needs no look-up: it is there at the first poll.
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(connector) = resolved.poll(&mut context) else { panic!("an address has to be looked up") };
        let settings = ClientSettings {
            connections: 1,
            streams: 1,
            keep_alive: true,
            idle_timeout: Micros::from_secs(30),
            connect: Micros::from_secs(5),
            first_byte: Micros::from_secs(5),
            total: Micros::from_secs(5),
            keep_body: Size(64 * 1024),
        };
        Ok(Transport::Direct(Direct::new(connector.expect("a connector"), settings, timer.clone())))
    }

    /// Allocations and exchanges of one worker with one user, everything judged and recorded.
    fn played(address: SocketAddr, milliseconds: u64) -> (u64, u64) {
        let text = format!(
            "plan = 1\nname = \"t\"\nseed = 1\n[target]\nurl = \"http://{address}\"\n[[scenario]]\nname = \"s\"\n[[scenario.step]]\n\
             request = \"GET /v1/models\"\nexpect = {{ status = [429] }}\n[load]\n[[load.stage]]\nname = \"c\"\nfor = \"{milliseconds}ms\"\n\
             users = 1\n[contract]\nfile = \"plans/contracts/jan-server.toml\"\nprofile = \"strict\"\n"
        );
        let plan = Plan::from_source(&SourceText::new("plan.toml", text), Path::new("."), &LoadOptions::default());
        let plan = Arc::new(plan.unwrap_or_else(|problems| panic!("{}", problems.render(false))));
        let clock = Clock::new();
        let setup = Setup {
            plan: Arc::clone(&plan),
            run_id: "run-1".to_owned(),
            authority: address.to_string(),
            clock,
            board: None,
            workers: 1,
            transports: Arc::new(move |timer, _, _| direct(address, timer)),
        };
        let (_stop, stop) = watch::channel(Stop::No);
        let glances = Arc::new(vec![Mutex::default()]);
        let job = Job { setup, worker: 0, workers: 1, stop, glances, in_flight: Arc::default() };
        let tally = Tally::new(&plan, clock.unix_us(Offset::START));
        let mut exchanges = 0;
        let allocations = measure(|| {
            let recorder = run(job, tally).expect("a worker").recorder;
            let glance = recorder.glance();
            assert_eq!((glance.not_ok, glance.attempts), (0, glance.ok), "every answer is a 429, and expected");
            exchanges = glance.ok;
        });
        (allocations.count_total, exchanges)
    }

    /// Allocations of the transport alone for so many requests.
    fn sent(address: SocketAddr, requests: u64) -> u64 {
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).expect("a runtime");
        let mut headers = http::HeaderMap::new();
        headers.insert("host", address.to_string().parse().expect("a value"));
        let send = async {
            let transport = direct(address, &Timer::start(Clock::new()).expect("a timer")).expect("a transport");
            let (path, mut kept) = ("/v1/models".parse().expect("a path"), Vec::new());
            for _ in 0..requests {
                let (method, body) = (&http::Method::GET, &bytes::Bytes::new());
                let outbound = Outbound { method, path: &path, headers: &headers, body, keep_success_body: false, stream: None };
                assert_eq!(transport.send(&outbound, &mut kept).await.ending.status(), Some(429));
            }
        };
        measure(|| runtime.block_on(send)).count_total
    }

    /// Nothing is allocated for an exchange by engine, contract and analysis together; the fraction is hyper's read buffer,
    /// which comes now and then, and histograms that grow.
    const OURS: f64 = 0.5;

    #[test]
    fn an_exchange_allocates_little_beyond_what_its_transport_does() {
        let address = target();
        // The first run compiles patterns and fills caches.
        let _ = played(address, 100);
        let (few, many) = (played(address, 100), played(address, 400));
        let exchanges = many.1 - few.1;
        assert!(exchanges > 100, "{exchanges} exchanges say nothing");
        let whole = (many.0 - few.0) as f64 / exchanges as f64;
        let alone = (sent(address, 1_100) - sent(address, 100)) as f64 / 1_000.0;
        assert!(whole <= alone + OURS, "{whole} allocations per exchange, where the transport alone makes {alone}");
    }
}
