//! How the process ends: one code per kind of outcome, by a fixed precedence.

use crate::analysis::Status;
use crate::report::EndedBy;

/// The exit codes, an interface: CI scripts depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Every gate passed, or there were none.
    Pass = 0,
    /// A gate failed.
    Fail = 1,
    /// Bad usage, plan or contract: nothing was sent.
    Usage = 2,
    /// The target or our surroundings were not usable.
    Setup = 3,
    /// The run is not to be believed; no gate was decided.
    Invalid = 4,
    /// A gate could not be decided.
    Inconclusive = 5,
    /// A defect of brownout itself.
    Internal = 70,
    /// SIGINT.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// The code of a run: internal, interrupted, target or setup, invalid, failed, inconclusive, pass, in this order.
    pub fn of_run(status: Status, ended_by: EndedBy, any_answer: bool, arrivals: bool) -> Exit {
        match (ended_by, status) {
            (EndedBy::Internal, _) => Exit::Internal,
            (EndedBy::Sigint, _) => Exit::Interrupted,
            (EndedBy::Sigterm, _) => Exit::Terminated,
            (EndedBy::TargetLost, _) | (_, Status::Error) => Exit::Setup,
            _ if arrivals && !any_answer => Exit::Setup,
            (_, Status::Invalid) => Exit::Invalid,
            (EndedBy::AbortGate, _) | (_, Status::Fail) => Exit::Fail,
            (_, Status::Inconclusive) => Exit::Inconclusive,
            (_, Status::Pass) => Exit::Pass,
        }
    }
}

impl Exit {
    /// The code of a run whose report could not be written: what comes before 3 stays.
    pub fn without_report(self) -> Exit {
        match self {
            Exit::Internal | Exit::Interrupted | Exit::Terminated => self,
            _ => Exit::Setup,
        }
    }

    const ALL: [Exit; 9] = [
        Exit::Pass,
        Exit::Fail,
        Exit::Usage,
        Exit::Setup,
        Exit::Invalid,
        Exit::Inconclusive,
        Exit::Internal,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    /// The exit with this code; internal where no exit has it.
    pub fn from_code(code: u8) -> Exit {
        Exit::ALL.into_iter().find(|exit| *exit as u8 == code).unwrap_or(Exit::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_report_is_an_error_of_the_setup_unless_something_worse_happened() {
        assert_eq!([Exit::Pass, Exit::Fail, Exit::Invalid, Exit::Inconclusive].map(Exit::without_report), [Exit::Setup; 4]);
        assert_eq!(Exit::Interrupted.without_report(), Exit::Interrupted);
        assert_eq!(Exit::Internal.without_report(), Exit::Internal);
    }

    #[test]
    fn codes_follow_their_precedence() {
        for (status, ended_by, any_answer, arrivals, code) in [
            (Status::Pass, EndedBy::Schedule, true, true, 0),
            (Status::Fail, EndedBy::Schedule, true, true, 1),
            (Status::Inconclusive, EndedBy::Schedule, true, true, 5),
            (Status::Invalid, EndedBy::Schedule, true, true, 4),
            (Status::Invalid, EndedBy::Schedule, false, true, 3),
            (Status::Inconclusive, EndedBy::Schedule, false, false, 5),
            (Status::Error, EndedBy::Schedule, false, false, 3),
            (Status::Fail, EndedBy::AbortGate, true, true, 1),
            (Status::Fail, EndedBy::Sigint, true, true, 130),
            (Status::Invalid, EndedBy::Sigterm, false, true, 143),
            (Status::Pass, EndedBy::Internal, true, true, 70),
        ] {
            assert_eq!(Exit::of_run(status, ended_by, any_answer, arrivals) as u8, code, "{status:?} {ended_by:?}");
        }
    }
}
