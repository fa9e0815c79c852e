//! What a document leaves open or says wrongly, each with its place: the raw material of the quality report.

/// A kind of defect; in the order in which the report shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Untyped,
    AcceptsAnything,
    AcceptsEmpty,
    NotJson,
    NoErrors,
    DefaultOnly,
    No401,
    No404,
    No429,
    No5xx,
    RetryAfterUndeclared,
    ChallengeUndeclared,
    NoCode,
    CodesOpen,
    ManyShapes,
    Unresolved,
    Uncheckable,
    Contradiction,
    Duplicate,
    Indistinct,
    ExampleMisfit,
}

/// All kinds with their ids in the JSON form, and what they mean.
pub(super) const KINDS: [(Kind, &str, &str); 21] = [
    (Kind::Untyped, "untyped", "error responses without a schema"),
    (Kind::AcceptsAnything, "accepts-anything", "error schemas that any JSON fits"),
    (Kind::AcceptsEmpty, "accepts-empty", "error schemas that `{}` fits"),
    (Kind::NotJson, "not-json", "error responses of another type than JSON"),
    (Kind::NoErrors, "no-errors", "operations without any error response"),
    (Kind::DefaultOnly, "default-only", "operations whose errors are only `default`"),
    (Kind::No401, "no-401", "operations with security, but without 401"),
    (Kind::No404, "no-404", "operations on templated paths, but without 404"),
    (Kind::No429, "no-429", "operations without 429 (`default` does not count)"),
    (Kind::No5xx, "no-5xx", "operations without 500 or any other server error"),
    (Kind::RetryAfterUndeclared, "no-retry-after", "429 and 503 that do not declare Retry-After"),
    (Kind::ChallengeUndeclared, "no-challenge", "401 that do not declare WWW-Authenticate"),
    (Kind::NoCode, "no-code", "error schemas without a code for programs"),
    (Kind::CodesOpen, "codes-open", "error schemas whose codes are not enumerated"),
    (Kind::ManyShapes, "many-shapes", "shapes of errors beyond the most common one"),
    (Kind::Unresolved, "unresolved", "references that lead nowhere"),
    (Kind::Uncheckable, "uncheckable", "keywords that cannot be held against an answer"),
    (Kind::Contradiction, "contradiction", "places that contradict themselves"),
    (Kind::Duplicate, "duplicate", "operations documented twice"),
    (Kind::Indistinct, "indistinct", "operations left out: a path cannot tell them from others"),
    (Kind::ExampleMisfit, "example-misfit", "examples that do not fit their own schema"),
];

/// A defect with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Defect {
    pub(super) kind: Kind,
    /// `spec.json#/paths/~1pets`, or the name of an operation.
    pub(super) place: String,
    /// More about it; may be empty.
    pub(super) detail: String,
}

impl Defect {
    pub(super) fn new(kind: Kind, place: impl Into<String>, detail: impl Into<String>) -> Defect {
        Defect { kind, place: place.into(), detail: detail.into() }
    }
}
