//! Requests that are wrong on purpose, and what each of them should be answered with.
//!
//! A [`Probe`] is one mistake in one request. [`battery`] lists those that a plan and its contract call for: the row's own
//! `probe` where it has one, else mistakes made in the valid requests of the plan's scenarios. [`Probe::write`] makes the
//! request from a valid one, and verifies after serialisation that the mistake is still in it: a mistake that did not
//! survive is not sent. Nothing is sent here; `engine::probing` does that.

use crate::contract::probed::Credentials;
use crate::id::{RowIx, ScenarioIx, StepIx};
use crate::record::How;

/// One request that is wrong on purpose.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The same in every run of the plan: `chat/create:truncated-json`, `row:*/*/409/RESOURCE_ALREADY_EXISTS`.
    pub id: String,
    /// Method and path as the plan or the contract writes them.
    pub operation: String,
    pub from: From,
    pub mistake: Mistake,
    /// The documented errors it may bring about.
    pub aims: Vec<RowIx>,
    /// Statuses that would do.
    pub accept: Vec<u16>,
    /// Whether a server may also take the request as it is: then a success is no mistake of its own.
    pub tolerated: bool,
    /// The member that is broken, as a dotted path without indices.
    pub field: Option<String>,
    /// Text in the request that must not come back raw.
    pub canary: Option<String>,
    pub credentials: Credentials,
    pub needs: Needs,
    pub how: How,
    /// The plan's hook that is on meanwhile.
    pub hook: Option<usize>,
}

/// What a probe is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum From {
    /// The valid request of a step, with a mistake in it.
    Step(ScenarioIx, StepIx),
    /// The request that the contract's row spells out.
    Row(RowIx),
    /// The request that the plan's `[[probe.aim]]` spells out, by its place in the plan.
    Aim(usize),
}

/// What a probe needs the author's consent for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// It changes the target's state.
    pub writes: bool,
    /// It uses up a limit.
    pub floods: bool,
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mistake {
    TruncatedJson,
    WrongRoot,
    WrongType,
    MissingField,
    BadEnum,
    OutOfRange,
    TooLong,
    NulByte,
    InvalidUtf8,
    DuplicateKey,
    EmptyBody,
    NoCredentials,
    WrongScheme,
    GarbageToken,
    ExpiredToken,
    UnsignedToken,
    ForeignIdentity,
    UnknownId,
    UnknownRoute,
    WrongMethod,
    UnknownMethod,
    NotAcceptable,
    StalePrecondition,
    CreatedTwice,
    AnnouncedTooLarge,
    TooLarge,
    LongQuery,
    LongHeader,
    UnknownContentType,
    MissingContentType,
    UnknownEncoding,
    AbsurdRange,
    UnknownExpectation,
    /// What a row's own `probe` says.
    Documented,
    /// Again and again, until it is refused.
    Burst,
}

/// A request, ready for the wire: nothing in it is tidied any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    pub method: String,
    /// Path and query, as they are sent.
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: WireBody,
    pub expect_continue: bool,
}

/// The body of a request on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WireBody {
    #[default]
    None,
    Bytes(Vec<u8>),
    /// A `Content-Length` larger than what is sent.
    Declared {
        length: u64,
        bytes: Vec<u8>,
    },
}
