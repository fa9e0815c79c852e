//! `[probe]` of a plan: how far the battery of wrong requests may go, as whom, and what it cannot know by itself.

use http::HeaderName;

use crate::contract::provoke::{Ask, ProbeSpec};
use crate::id::{RowIx, StageIx};
use crate::units::{Micros, Rate, Size};

/// How the documented errors are provoked.
#[derive(Clone, Debug)]
pub struct ProbeSettings {
    /// Requests at most, preparations and repeats included.
    pub max_requests: u32,
    /// Requests per second at most; a burst is exempt.
    pub rate: Rate,
    /// One request may take so long.
    pub timeout: Micros,
    /// The whole battery may take so long.
    pub max_time: Micros,
    /// The largest body that may be sent or announced.
    pub max_body: Size,
    /// Consent to probes that change the target's state: preparations, creating twice, hooks.
    pub writes: bool,
    /// Consent to probes that use up a limit.
    pub floods: bool,
    /// How often the idle battery is sent: twice shows answers that change by themselves (X03).
    pub repeat: u32,
    /// Whether the battery is sent before the load.
    pub idle: bool,
    /// Stages during which the same probes are sent once more (X02).
    pub during: Vec<StageIx>,
    /// Operations (`scenario/step`) that need no credentials.
    pub public: Vec<String>,
    /// Kinds of mistake that are not to be made.
    pub skip: Vec<String>,
    pub identities: Vec<Identity>,
    pub hooks: Vec<Hook>,
    /// What brings about which documented error at this target, in place of what the contract says.
    pub aims: Vec<Aim>,
    /// What is known about members of requests.
    pub fields: Vec<FieldRule>,
}

/// Somebody else's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub name: String,
    /// Sent in place of the plan's headers of these names.
    pub headers: Vec<(HeaderName, String)>,
}

/// Puts the target into a state, and out of it again.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    pub name: String,
    pub on: Ask,
    /// Sent whenever `on` was, whatever happened in between.
    pub off: Ask,
}

/// What brings about one documented error.
#[derive(Clone, Debug)]
pub struct Aim {
    pub row: RowIx,
    pub spec: ProbeSpec,
    /// The hook that is on meanwhile.
    pub hook: Option<usize>,
}

/// What is known about one member of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldRule {
    /// `scenario/step`
    pub operation: String,
    /// Dotted path, without indices.
    pub name: String,
    pub required: bool,
    pub one_of: Vec<String>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub max_len: Option<usize>,
}

impl Default for ProbeSettings {
    fn default() -> ProbeSettings {
        ProbeSettings {
            max_requests: 500,
            rate: Rate::per_second(20.0).expect("a rate"),
            timeout: Micros::from_secs(10),
            max_time: Micros::from_secs(300),
            max_body: Size(16 << 20),
            writes: false,
            floods: false,
            repeat: 1,
            idle: true,
            during: Vec::new(),
            public: Vec::new(),
            skip: Vec::new(),
            identities: Vec::new(),
            hooks: Vec::new(),
            aims: Vec::new(),
            fields: Vec::new(),
        }
    }
}
