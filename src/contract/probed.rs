//! S05, S06, B10, B11, P05, P06, L06: an answer to a request that was wrong on purpose, judged by one who knows what was
//! wrong with it.
//!
//! The statuses that would do come from the contract; a list that is built in stands in only where the contract is silent.

use http::HeaderName;
use http::header::{
    ACCEPT, ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_LENGTH, EXPECT, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, RANGE, TRANSFER_ENCODING,
};

use crate::contract::check::{Blame, Found, quoted};
use crate::contract::json::Document;
use crate::contract::{Contract, Judged, Level, Profile, Terms, Violation, pointer};
use crate::severity::Severity;
use crate::wire::{RequestFacts, ResponseFacts};

/// What is known about a request that was sent to be refused.
#[derive(Clone, Copy, Debug)]
pub struct ProbeFacts<'a> {
    /// Statuses that would do: of the contract's row, else of the built-in list for this kind of mistake. Empty: any error.
    pub accept: &'a [u16],
    /// Whether the mistake is the client's own: a 5xx is then high, a 2xx an accepted mistake (S06).
    pub client_fault: bool,
    /// The request member that was broken, as a dotted path without indices (B10).
    pub field: Option<&'a str>,
    /// Text planted in the request that must not come back raw (B11).
    pub canary: Option<&'a str>,
    /// Whether the credentials sent are good (P06).
    pub credentials: Credentials,
}

/// What the credentials of a request are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Credentials {
    /// Those of the plan.
    #[default]
    Good,
    /// Valid, and not enough for this operation.
    Weak,
    /// None were sent.
    None,
    /// Wrong, expired, or not credentials at all.
    Bad,
}

impl Contract {
    /// Holds the answer to a probe to the contract, and to what its request was wrong about: what [`Contract::check`]
    /// finds, then S05, S06, B10, B11, P05 and P06.
    pub fn check_probe<'a>(
        &self,
        terms: &Terms,
        request: &RequestFacts<'_>,
        response: &ResponseFacts<'a>,
        probe: &ProbeFacts<'_>,
    ) -> Judged<'a> {
        let mut judged = self.check(terms, request, response);
        let mut found = Found::new(terms.profile);
        status(probe, response.status, &mut found);
        precondition(request, response.status, &mut found);
        if let Some(field) = probe.field.filter(|_| (400..500).contains(&response.status)) {
            pointer(field, response.body, &mut found);
        }
        if let Some(canary) = probe.canary {
            reflection(canary, response, &mut found);
        }
        judged.violations.append(&mut found.violations);
        judged
    }
}

/// L06: what a missing and a forbidden resource are answered with, compared. Only refusals tell anything.
pub fn existence_oracle(missing: u16, forbidden: u16) -> Option<Violation> {
    let refuses = |status| matches!(status, 400 | 403 | 404 | 410);
    if missing == forbidden || !refuses(missing) || !refuses(forbidden) {
        return None;
    }
    let mut found = Found::new(Profile::Core);
    found.add("L06", Level::Must, || Blame {
        path: "status".to_owned(),
        expected: format!("{missing}, as for what does not exist"),
        actual: format!("{forbidden} for what exists"),
        cause: "tells what exists".to_owned(),
        source: None,
    });
    found.violations.pop()
}

/// S05, S06, P06: one of them at most, for they have one cause.
fn status(probe: &ProbeFacts<'_>, status: u16, found: &mut Found) {
    let fits = if probe.accept.is_empty() { status >= 400 } else { probe.accept.contains(&status) };
    if fits {
        return;
    }
    let accepted = probe.accept.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ");
    let expected = if accepted.is_empty() { "an error".to_owned() } else { accepted };
    let blame = |cause: &str| Blame {
        path: "status".to_owned(),
        expected: expected.clone(),
        actual: status.to_string(),
        cause: cause.to_owned(),
        source: None,
    };
    match (status, probe.credentials) {
        (200..=299, _) if probe.client_fault => found.add("S06", Level::Must, || blame("accepted")),
        (401, Credentials::Good | Credentials::Weak) => found.add("P06", Level::Must, || blame("401 to valid credentials")),
        (403, Credentials::None | Credentials::Bad) => found.add("P06", Level::Must, || blame("403 without valid credentials")),
        (500.., _) if probe.client_fault => found.add_as("S05", Severity::High, Level::Must, || blame("a server error")),
        _ => found.add("S05", Level::Must, || blame("another status")),
    }
}

/// P05. Source: RFC 9110 §13.1, §14.2, §10.1.1, §12.5, §15.5.14, §15.5.16.
fn precondition(request: &RequestFacts<'_>, status: u16, found: &mut Found) {
    let has = |names: &[HeaderName]| names.iter().any(|name| request.headers.contains_key(name));
    let has_payload = || {
        let announced = request.headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
        !request.body.is_empty() || announced || has(&[TRANSFER_ENCODING])
    };
    let (there, lacking) = match status {
        406 => (has(&[ACCEPT, ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE]), "an Accept header"),
        412 => (has(&[IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_RANGE]), "a condition"),
        413 | 415 => (has_payload(), "a payload"),
        416 => (has(&[RANGE]), "a Range header"),
        417 => (has(&[EXPECT]), "an Expect header"),
        _ => return,
    };
    if !there {
        found.add("P05", Level::Must, || Blame {
            path: "status".to_owned(),
            expected: format!("{status} only to a request with {lacking}"),
            actual: format!("{status} to a request without {lacking}"),
            cause: format!("without {lacking}"),
            source: None,
        });
    }
}

/// B10, where the error names a field at all.
fn pointer(field: &str, body: &[u8], found: &mut Found) {
    let Ok(document) = Document::read(body) else { return };
    let named = pointer::named_fields(document.value());
    if named.is_empty() || named.iter().any(|name| pointer::names_field(name, field)) {
        return;
    }
    found.add("B10", Level::Must, || Blame {
        path: "$".to_owned(),
        expected: format!("{}, the field that is wrong", quoted(field)),
        actual: quoted(&named.join(", ")),
        cause: "another field".to_owned(),
        source: None,
    });
}

/// B11: the very bytes that were planted. An echo that is escaped for where it stands has other bytes.
fn reflection(canary: &str, response: &ResponseFacts<'_>, found: &mut Found) {
    let mut tell = |path: String, cause: &str| {
        found.add("B11", Level::Must, || Blame {
            path,
            expected: "the text of the request escaped, or not at all".to_owned(),
            actual: format!("{}, raw", quoted(canary)),
            cause: cause.to_owned(),
            source: None,
        });
    };
    let holds = |bytes: &[u8]| !canary.is_empty() && bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
    if holds(response.body) {
        tell("body".to_owned(), "in the body");
    }
    for (name, value) in response.headers {
        // A line break that was let through has made a header of the rest.
        let made = canary.split(['\r', '\n']).skip(1).filter_map(|line| line.split_once(':'));
        let mut made = made.filter(|(planted, _)| name.as_str().eq_ignore_ascii_case(planted.trim()));
        if holds(value.as_bytes()) {
            tell(format!("header:{name}"), "in a header");
        } else if made.any(|(_, rest)| value.as_bytes() == rest.trim().as_bytes()) {
            tell(format!("header:{name}"), "as a header of its own");
        }
    }
}
