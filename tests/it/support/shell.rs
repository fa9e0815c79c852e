//! The command itself, started as a user would start it: in a folder of its own, with nothing of the environment.

use std::ffi::OsStr;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use brownout::report::Report;

/// Nothing a test starts may go on for longer; generous, since the machine may be loaded.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of a test's own, removed at its end; commands are started in it.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("brownout-cli-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }

    /// One with a plan in it, `plan.toml`.
    pub fn with_plan(plan: &str) -> Folder {
        let folder = Folder::new();
        folder.put("plan.toml", plan);
        folder
    }

    /// Puts a file into it.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.at(name), bytes).expect("a file can be written");
    }

    /// The path of something in it.
    pub fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The bytes of a file in it.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.at(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The text of a file in it.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).expect("text")
    }

    /// The report in `run/`, which must be whole.
    pub fn report(&self) -> Report {
        brownout::report::json::read(&self.bytes("run/report.json")).expect("a whole report")
    }

    /// The command line `brownout …`, to be started here.
    pub fn brownout<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Line {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
        command.args(args).current_dir(&self.0).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Line { command }
    }

    /// `brownout run plan.toml --out run`
    pub fn run(&self) -> Line {
        self.brownout(["run", "plan.toml", "--out", "run"])
    }

    /// `brownout check plan.toml`
    pub fn check(&self) -> Line {
        self.brownout(["check", "plan.toml"])
    }

    /// Every byte of every file below `name`, with the file's name.
    pub fn all_bytes(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.at(name)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => found.push((path.clone(), std::fs::read(&path).expect("a file"))),
                }
            }
        }
        found
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A command line that is ready to be started.
pub struct Line {
    command: Command,
}

impl Line {
    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Line {
        self.command.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Line {
        self.command.env(name, value);
        self
    }

    /// Standard output goes to nobody: it is a pipe whose other end is closed.
    pub fn into_closed_pipe(mut self) -> Line {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        self.command.stdout(writer);
        self
    }

    /// The same with standard error.
    pub fn with_errors_into_closed_pipe(mut self) -> Line {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        self.command.stderr(writer);
        self
    }

    /// Starts it.
    pub fn start(mut self) -> Started {
        let mut child = self.command.spawn().expect("the command starts");
        // What is left of the command holds our ends of its pipes.
        drop(self);
        let stdout = child.stdout.take().map(Heard::listen).unwrap_or_default();
        let stderr = child.stderr.take().map(Heard::listen).unwrap_or_default();
        Started { child: Some(child), stdout, stderr }
    }

    /// Starts it and waits for its end.
    pub fn ended(self) -> Ended {
        self.start().ended()
    }
}

/// What came through a pipe so far.
#[derive(Default)]
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    listener: Option<JoinHandle<()>>,
}

impl Heard {
    fn listen(mut pipe: impl Read + Send + 'static) -> Heard {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let heard = Arc::clone(&bytes);
        let listener = spawn(move || {
            let mut some = [0; 4096];
            while let Ok(n @ 1..) = pipe.read(&mut some) {
                heard.lock().expect("no panic while locked").extend_from_slice(&some[..n]);
            }
        });
        Heard { bytes, listener: Some(listener) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no panic while locked")).into_owned()
    }

    fn whole(mut self) -> String {
        if let Some(listener) = self.listener.take() {
            listener.join().expect("no panic");
        }
        self.so_far()
    }
}

/// A command under way; killed if the test ends first.
pub struct Started {
    child: Option<Child>,
    stdout: Heard,
    stderr: Heard,
}

impl Started {
    /// Waits until standard error holds this text.
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |started| started.stderr.so_far().contains(text));
    }

    /// What it has said on standard error so far.
    pub fn said(&self) -> String {
        self.stderr.so_far()
    }

    /// Waits until standard output holds this text; what it holds then.
    pub fn wait_for_output(&mut self, text: &str) -> String {
        self.wait_until(text, |started| started.stdout.so_far().contains(text));
        self.stdout.so_far()
    }

    /// Waits until something is so; panics with what was said where the command ends first, or patience does.
    pub fn wait_until(&mut self, what: &str, is_so: impl Fn(&Started) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("its state"));
            let (out, err) = (self.stdout.so_far(), self.stderr.so_far());
            assert!(ended.is_none() || is_so(self), "it ended ({ended:?}) before {what:?}\n{out}\n{err}");
            assert!(Instant::now() < deadline, "no {what:?} in {PATIENCE:?}\n{out}\n{err}");
            sleep(Duration::from_millis(2));
        }
    }

    /// Sends a signal by its name: `INT`, `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("it was started").id();
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().expect("a shell");
        assert!(sent.success(), "the signal {name} could not be sent");
    }

    /// Waits for its end.
    pub fn ended(self) -> Ended {
        let ended = self.ended_with_colour();
        let escapes = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
        assert!(!escapes(&ended.stdout) && !escapes(&ended.stderr), "control characters in {ended:?}");
        ended
    }

    /// Waits for its end; what it writes may hold escapes, since they were asked for.
    pub fn ended_with_colour(mut self) -> Ended {
        let mut child = self.child.take().expect("it was started");
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().expect("its state") {
                break status;
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                panic!("not ended in {PATIENCE:?}\n{}\n{}", self.stdout.so_far(), self.stderr.so_far());
            }
            sleep(Duration::from_millis(2));
        };
        let (stdout, stderr) = (std::mem::take(&mut self.stdout).whole(), std::mem::take(&mut self.stderr).whole());
        let ended = Ended { code: status.code().unwrap_or(-1), stdout, stderr };
        ended.assert_sane();
        ended
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// What holds of every end: no panic, no internal error.
    fn assert_sane(&self) {
        assert!(![-1, 70, 101].contains(&self.code), "{self}");
        assert!(!self.stderr.contains("panicked") && !self.stderr.contains("internal error:"), "{self}");
    }

    /// Panics with everything that was said where the exit code is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Ended {
        assert!(self.code == code, "exit code {code} was expected: {self}");
        self
    }

    /// Panics where standard error does not say this.
    #[track_caller]
    pub fn says(self, text: &str) -> Ended {
        assert!(self.stderr.contains(text), "{text:?} is not said: {self}");
        self
    }

    /// Panics where standard output does not hold this.
    #[track_caller]
    pub fn prints(self, text: &str) -> Ended {
        assert!(self.stdout.contains(text), "{text:?} is not printed: {self}");
        self
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}\n--- stdout\n{}\n--- stderr\n{}\n---", self.code, self.stdout, self.stderr)
    }
}

/// Does the same with every item at once, each on a thread of its own: runs mostly wait. Panics where one of them does.
pub fn at_once<T: Send>(items: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.into_iter().map(|item| scope.spawn(move || work(item))).collect();
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}
