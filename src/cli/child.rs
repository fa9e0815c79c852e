//! A client that is started by us: in a process group of its own, so that nothing of it outlives the session.

use std::io::IsTerminal;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::units::Micros;

/// How long a client that is asked to end may take before it is killed.
const GRACE: Micros = Micros::from_secs(3);
/// How often is looked whether it has ended.
const LOOK_EVERY: Micros = Micros::from_millis(20);

/// A client at work.
pub struct Program {
    child: Child,
    /// Its process group: the number of its first process.
    group: u32,
    ended: Option<ExitStatus>,
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
        let child = command.spawn()?;
        let group = child.id();
        Ok(Program { child, group, ended: None })
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

    /// Ends it and everything it started in its group; whether there was anything left to end.
    pub async fn end(&mut self) -> bool {
        let alone = self.left().is_some();
        let others = self.signal(Signal::Ask);
        if alone && !others {
            return false;
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
        true
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
    }
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
