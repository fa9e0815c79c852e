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
    pub skip: Vec<Mistake>,
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

macro_rules! mistakes {
    ($count:literal: $($(#[$doc:meta])* $name:ident $word:literal $what:literal,)*) => {
        /// What is wrong with a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mistake {
            $($(#[$doc])* $name,)*
        }

        impl Mistake {
            /// All of them, in the order in which they are made.
            pub const ALL: [Mistake; $count] = [$(Mistake::$name,)*];

            /// The word of plans and reports.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Mistake::$name => $word,)*
                }
            }

            /// What it is, for people.
            pub const fn what(self) -> &'static str {
                match self {
                    $(Mistake::$name => $what,)*
                }
            }
        }
    };
}

mistakes! { 36:
    TruncatedJson "truncated-json" "JSON that ends in the middle",
    WrongRoot "wrong-root" "a JSON text where an object or array belongs",
    WrongType "wrong-type" "a member of another JSON type",
    MissingField "missing-field" "a required member left out",
    BadEnum "bad-enum" "a value that is none of those allowed",
    OutOfRange "out-of-range" "a number outside its range",
    TooLong "too-long" "a text longer than allowed",
    NulByte "nul-byte" "a NUL byte inside a JSON string",
    InvalidUtf8 "invalid-utf8" "bytes that are not UTF-8 inside a JSON string",
    DuplicateKey "duplicate-key" "a member that is there twice",
    EmptyBody "empty-body" "no body where JSON is announced",
    NoCredentials "no-credentials" "no credentials",
    WrongScheme "wrong-scheme" "credentials of another scheme",
    GarbageToken "garbage-token" "a token that is none",
    ExpiredToken "expired-token" "a token that has expired",
    UnsignedToken "unsigned-token" "a JWT with `alg: none`",
    ForeignIdentity "foreign-identity" "somebody else's resource",
    UnknownId "unknown-id" "a well-formed id of nothing",
    UnknownRoute "unknown-route" "a path that nobody serves",
    WrongMethod "wrong-method" "a method that this path does not have",
    UnknownMethod "unknown-method" "a method that does not exist",
    NotAcceptable "not-acceptable" "only a media type that does not exist is accepted",
    StalePrecondition "stale-precondition" "If-Match with a stale tag",
    CreatedTwice "created-twice" "the same thing created twice",
    AnnouncedTooLarge "announced-too-large" "an oversized body, announced and not sent",
    TooLarge "too-large" "bodies of doubled size, up to the cap",
    LongQuery "long-query" "a query of 16 KiB",
    LongHeader "long-header" "a header of 16 KiB",
    UnknownContentType "unknown-content-type" "a body of a type that does not exist",
    MissingContentType "missing-content-type" "a body whose type is not said",
    UnknownEncoding "unknown-encoding" "a body of an unknown content coding",
    AbsurdRange "absurd-range" "a range behind the end",
    UnknownExpectation "unknown-expectation" "an expectation that nobody knows",
    /// The request itself is in order: a hook makes it fail.
    Hooked "hooked" "a valid request while a hook is on",
    /// What a row's own `probe` says.
    Documented "documented" "what the contract or the plan spells out",
    /// Again and again, until it is refused.
    Burst "burst" "the same request until it is refused",
}
