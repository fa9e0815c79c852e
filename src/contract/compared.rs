//! The same question asked more than once: answers to one probe, or to one step, in different phases of a run.
//!
//! X02 is an answer that differs under load or faults from the one an idle target gave; X03 one that differs although
//! nothing else was going on. Both compare status, code and shape, never texts or values.

/// What was going on when an answer was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum During {
    /// Nothing but the request itself.
    Idle,
    /// Other requests.
    Load,
    /// Other requests, while a fault was open.
    Fault,
}

impl During {
    /// A stable word for reports.
    pub const fn word(self) -> &'static str {
        match self {
            During::Idle => "idle",
            During::Load => "load",
            During::Fault => "fault",
        }
    }
}
