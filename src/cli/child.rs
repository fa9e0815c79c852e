//! A client that is started by us: in a process group of its own, so that nothing of it outlives the session.
//!
//! What leaves the group (`setsid`, as daemons do) is found on Linux as well: whoever loses its parent becomes a child of ours
//! (`PR_SET_CHILD_SUBREAPER`, prctl(2)), and is ended with the rest.

use std::io::IsTerminal;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::units::Micros;

/// How long a client that is asked to end may take before it is killed.
const GRACE: Micros = Micros::from_secs(3);
/// Children of children that are followed, where each has left its parent.
#[cfg(target_os = "linux")]
const MOST_GENERATIONS: usize = 1_000;
/// How often is looked whether it has ended.
const LOOK_EVERY: Micros = Micros::from_millis(20);

/// A client at work.
pub struct Program {
    child: Child,
    /// Its process group: the number of its first process.
    group: u32,
    ended: Option<ExitStatus>,
    /// Children of ours that are none of its doing.
    before: Vec<i32>,
}

/// How a client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// By itself, with this code.
    Exit(i32),
    /// By a signal.
    Signal(i32),
}

impl Program {
    /// Starts a program with these variables in its environment. What it prints goes where ours goes.
    ///
    /// # Errors
    /// Where there is no such program, or it may not be started.
    pub fn start(command: &[String], variables: &[(String, String)]) -> std::io::Result<Program> {
        let Some((program, arguments)) = command.split_first() else {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "no program is named"));
        };
        let mut command = Command::new(program);
        command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
        // In a group of its own it could not read from the terminal: it would be stopped instead.
        if std::io::stdin().is_terminal() {
            command.stdin(Stdio::null());
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let before = adopt();
        let child = command.spawn()?;
        let group = child.id();
        Ok(Program { child, group, ended: None, before })
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.group
    }

    /// How it ended, if it has.
    pub fn left(&mut self) -> Option<Left> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended.map(Left::of)
    }

    /// Ends it and everything it started; whether there was anything left to end.
    pub async fn end(&mut self) -> bool {
        let alone = self.left().is_some();
        let others = self.signal(Signal::Ask);
        if alone && !others {
            return self.end_strays();
        }
        let mut waited = Micros::ZERO;
        while waited < GRACE && (self.left().is_none() || self.signal(Signal::Look)) {
            tokio::time::sleep(LOOK_EVERY.as_duration()).await;
            waited += LOOK_EVERY;
        }
        self.signal(Signal::Kill);
        if self.left().is_none() {
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
        self.end_strays();
        true
    }

    /// Kills what has left the group, and what that leaves behind; whether there was any.
    #[cfg(target_os = "linux")]
    fn end_strays(&mut self) -> bool {
        use rustix::process::{Pid, Signal as Number, WaitOptions, kill_process, waitpid};
        let mut any = false;
        // Every one that ends may hand its own children over to us.
        for _ in 0..MOST_GENERATIONS {
            let known = |child: &i32| self.before.contains(child) || u32::try_from(*child) == Ok(self.group);
            let strays: Vec<Pid> = children().into_iter().filter(|child| !known(child)).filter_map(Pid::from_raw).collect();
            if strays.is_empty() {
                break;
            }
            for stray in strays {
                // What has ended already only waits to be asked how.
                any |= matches!(waitpid(Some(stray), WaitOptions::NOHANG), Ok(None));
                if kill_process(stray, Number::KILL).is_ok() {
                    let _ = waitpid(Some(stray), WaitOptions::empty());
                }
            }
        }
        any
    }

    #[cfg(not(target_os = "linux"))]
    fn end_strays(&mut self) -> bool {
        false
    }

    #[cfg(target_os = "linux")]
    fn signal(&self, signal: Signal) -> bool {
        use rustix::process::{Pid, Signal as Number, kill_process_group, test_kill_process_group};
        let Some(group) = i32::try_from(self.group).ok().and_then(Pid::from_raw) else { return false };
        match signal {
            Signal::Look => test_kill_process_group(group),
            Signal::Ask => kill_process_group(group, Number::TERM),
            Signal::Kill => kill_process_group(group, Number::KILL),
        }
        .is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn signal(&self, _: Signal) -> bool {
        false
    }
}

impl Drop for Program {
    /// Whatever happens to the session, its client does not outlive it.
    fn drop(&mut self) {
        if self.left().is_none() {
            self.signal(Signal::Kill);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        self.end_strays();
    }
}

/// Makes this process the parent of whatever its descendants leave behind; the children that it has already.
#[cfg(target_os = "linux")]
fn adopt() -> Vec<i32> {
    // A kernel that will not leaves us with the group alone.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    children()
}

#[cfg(not(target_os = "linux"))]
fn adopt() -> Vec<i32> {
    Vec::new()
}

/// The children of this process (proc(5)); none where that cannot be read.
#[cfg(target_os = "linux")]
fn children() -> Vec<i32> {
    let own = std::process::id();
    let of = |entry: std::io::Result<std::fs::DirEntry>| {
        let process: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name stands in parentheses, and may hold some; the state and the parent come after the last.
        let parent: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        (parent == own).then_some(process)
    };
    std::fs::read_dir("/proc").map(|all| all.filter_map(of).collect()).unwrap_or_default()
}

/// What a process group is told.
#[derive(Clone, Copy)]
enum Signal {
    /// Nothing: is anybody there?
    Look,
    Ask,
    Kill,
}

impl Left {
    fn of(status: ExitStatus) -> Left {
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Left::Signal(signal);
        }
        Left::Exit(status.code().unwrap_or(-1))
    }

    /// `ended with code 7`
    pub fn in_words(self) -> String {
        match self {
            Left::Exit(code) => format!("ended with code {code}"),
            Left::Signal(signal) => format!("was ended by signal {signal}"),
        }
    }
}
