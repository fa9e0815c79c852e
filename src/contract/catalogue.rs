//! What every check demands, why, and where that comes from. Ids are stable: suppressions and reports refer to them.

use crate::severity::Severity;

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// `R04`; never reused.
    pub id: &'static str,
    /// `reset-vs-body`.
    pub name: &'static str,
    /// Of a violation, unless level, profile or status make it milder.
    pub severity: Severity,
    /// What is wrong where it is violated, in a few words.
    pub complaint: &'static str,
    /// What is demanded, in one line.
    pub rule: &'static str,
    /// Why it matters to a client.
    pub rationale: &'static str,
    /// An RFC, a public document, or brownout's own rule.
    pub source: &'static str,
    /// What to change.
    pub how_to_fix: &'static str,
}

/// The check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    ALL.iter().find(|check| check.id == id)
}

macro_rules! checks {
    ($($id:literal $name:literal $severity:ident $complaint:literal $rule:literal $rationale:literal $source:literal $fix:literal;)*) => {
        /// Every check of this version, by group.
        pub const ALL: &[Check] = &[$(Check {
            id: $id, name: $name, severity: Severity::$severity, complaint: $complaint, rule: $rule, rationale: $rationale, source: $source, how_to_fix: $fix,
        },)*];
    };
}

checks! {
    "S01" "status-undocumented" High
        "the status is not documented"
        "the status is one that the contract lists for this service"
        "a client cannot be written for a status that nobody announced"
        "Microsoft REST API Guidelines: error codes are part of the contract; brownout's own rule for statuses"
        "document the status, or answer with one that is documented";
    "S02" "code-undocumented" High
        "the error code is not documented"
        "the error code is one that the contract lists"
        "clients branch on codes; an unknown one falls into their default branch"
        "Microsoft REST API Guidelines: error codes are part of the contract"
        "document the code, or send the documented one";
    "S03" "code-status-mismatch" High
        "the code comes with a status it is not documented for"
        "a documented code comes with its documented status"
        "retry rules hang on the status: a code on the wrong one is repeated, or given up, wrongly"
        "Google AIP-193: the same error has the same status and code"
        "send the code with the status it is documented with";
    "S04" "code-foreign-service" Medium
        "the code belongs to another service"
        "the code is not one that only another service documents"
        "the reader of this service's documentation does not find it"
        "brownout's own rule"
        "use this service's own code, or document the code here, too";
    "S08" "success-with-error-body" High
        "a success carries an error body"
        "a success status does not carry an error body"
        "clients, caches and monitoring see a success"
        "RFC 9110 §15.3"
        "answer with the error's status";
    "S10" "error-phrase-mismatch" Low
        "the body names another status than the answer's"
        "the body's name of the error is the reason phrase of its status (older spellings are accepted)"
        "two names for one status in one answer mislead people who read it"
        "RFC 9110 §15; brownout's own rule for the body"
        "send the status's reason phrase";
    "B01" "body-missing" High
        "there is no body"
        "an error answer has a body (HEAD aside)"
        "without it a client has no code, and a person no explanation"
        "RFC 9110 §15.5"
        "send the documented error body";
    "B02" "body-unparseable" High
        "the body is not JSON"
        "the body of an error is one whole JSON value in UTF-8"
        "a client that parses it fails with a second error that hides the first"
        "RFC 8259 §2, §8.1"
        "serialise the body with a JSON library, and let no proxy in between replace it";
    "B03" "body-schema" High
        "the body is not as documented"
        "members are there as the contract asks, of the right type, within bounds"
        "a client written after the document reads something else, or nothing"
        "JSON Schema 2020-12; the contract"
        "send the member as documented, or correct the document";
    "B04" "content-type" Medium
        "the content type is missing or not the documented one"
        "Content-Type is there and is the documented type (a charset parameter and +json types are fine)"
        "clients choose their parser by it"
        "RFC 9110 §8.3"
        "set Content-Type to the documented type";
    "B05" "content-type-lies" High
        "the content type and the body contradict each other"
        "the body is what Content-Type says"
        "usually a default page of a proxy: the error documented is not the one that was sent"
        "RFC 9110 §8.3"
        "make the component that answered send the documented body";
    "B08" "unknown-member" Info
        "a member is not in the contract"
        "the body has no member that the contract does not name, where the contract is closed"
        "what is not documented becomes relied upon"
        "brownout's own rule; open by default"
        "document the member, or remove it";
    "H01" "header-missing" Medium
        "a header is missing"
        "a header that the contract asks for is there"
        "clients that rely on it have to guess"
        "the contract; RFC 9110 where its level is rfc"
        "send the header";
    "H02" "header-malformed" Medium
        "a header cannot be read"
        "the value of a header has its documented type and format, also where the header is optional"
        "a client that parses it fails, or reads another value"
        "RFC 9110 §5.5; the contract"
        "send the value in its documented form, once";
    "R01" "retry-after-missing" High
        "Retry-After is missing"
        "an answer that asks for patience says for how long"
        "clients guess: too early adds load, too late loses time"
        "RFC 9110 §10.2.3; RFC 6585 §4"
        "send Retry-After in whole seconds";
    "R02" "retry-after-format" Medium
        "Retry-After is neither seconds nor a date"
        "Retry-After is a whole number of seconds, not negative, or an HTTP-date"
        "clients ignore what they cannot read, and come back at once"
        "RFC 9110 §10.2.3"
        "send whole seconds";
    "R03" "retry-after-vs-body" High
        "Retry-After contradicts the body"
        "Retry-After and the body name the same wait (± 1 s)"
        "clients read one or the other, and half of them come at the wrong time"
        "the contract; brownout's own rule: an answer does not contradict itself"
        "derive both from one value";
    "R04" "reset-vs-body" High
        "the reset header contradicts the body"
        "the reset header, in its declared unit, and the body's reset name the same moment (± 1 s)"
        "a wrong unit or zone sends clients away for years, or lets them come back at once"
        "the contract; brownout's own rule: an answer does not contradict itself"
        "derive both from one instant, and send the header in the declared unit";
    "R05" "retry-before-reset" Medium
        "Retry-After ends before the limit resets"
        "a client that waits as long as it is told does not come before the limit resets"
        "it is refused again, although it obeyed"
        "draft-ietf-httpapi-ratelimit-headers: Retry-After should not be earlier than the reset"
        "round Retry-After up to the reset";
    "R06" "remaining-gt-limit" Medium
        "remaining and limit contradict each other"
        "0 ≤ remaining ≤ limit"
        "clients that pace themselves by it divide by nonsense"
        "brownout's own rule"
        "send what is left of the limit that is sent";
    "R07" "remaining-nonzero-429" Low
        "refused, although requests remain"
        "nothing remains where the limit was hit"
        "a client that looks at what remains goes on sending"
        "draft-ietf-httpapi-ratelimit-headers; low, since the draft demands no correlation"
        "send 0";
    "R08" "limit-or-remaining-vs-body" Medium
        "the limit headers contradict the body"
        "limit and remaining are equal in header and body"
        "one of the two is wrong, and nobody knows which"
        "the contract; brownout's own rule: an answer does not contradict itself"
        "derive both from one value";
    "R09" "reset-implausible" Medium
        "the reset lies in the past or beyond the window"
        "the reset is neither in the past nor beyond the declared window"
        "a past reset invites a storm; one too far off is a wrong unit or clock"
        "brownout's own rule"
        "send the instant at which the next request is admitted";
    "I01" "request-id-missing" Medium
        "the request id is missing"
        "a request id is there where the contract asks for one"
        "nobody can find the failure in the logs"
        "the contract"
        "send the id under which the request was logged";
    "I02" "request-id-format" Medium
        "the request id has another form"
        "the request id has its documented form"
        "tools that collect ids do not recognise it"
        "the contract"
        "send the id in its documented form";
    "I03" "request-id-duplicate" High
        "the request id was used before"
        "no two requests are answered with the same request id"
        "an id that names two requests names none: it is often a constant or a cached answer"
        "brownout's own rule; echoes of the client's own id are not counted"
        "make a new id for each request";
    "I04" "request-id-header-body" Medium
        "the request id differs between header and body"
        "header and body name the same request id"
        "support looks for the one, logs have the other"
        "brownout's own rule: an answer does not contradict itself"
        "derive both from one value";
    "T01" "timestamp-format" Medium
        "the timestamp cannot be read"
        "the timestamp is RFC 3339 with an offset"
        "without an offset it names no moment"
        "RFC 3339 §5.6"
        "send UTC with a Z";
    "T02" "timestamp-vs-date" Medium
        "the timestamp is not the time of the answer"
        "the timestamp is within 5 s of the Date header"
        "the answer is cached, the clock is wrong, or the value is a constant"
        "RFC 9110 §6.6.1; the tolerance is brownout's own"
        "stamp the error when it happens, on a synchronised clock";
    "L01" "stack-trace" Critical
        "a stack trace leaks"
        "an error answer shows no stack trace"
        "it tells an attacker versions, paths and where to aim"
        "RFC 9457 §5; OWASP Improper Error Handling"
        "log the trace, and answer with a request id";
    "L04" "secret" Critical
        "a secret leaks"
        "an error answer shows no credential: not ours, no token, key, or URI with a password"
        "answers are logged, cached and pasted into tickets"
        "OWASP API Security Top 10; RFC 9457 §5"
        "remove the value from the answer, and revoke it";
    "P01" "head-has-body" High
        "an answer to HEAD has a body"
        "an answer to HEAD has no content"
        "on a kept connection it becomes the beginning of the next answer"
        "RFC 9110 §9.3.2"
        "send the headers alone";
    "P02" "no-content-has-body" High
        "an answer that must be empty has a body"
        "204, 205 and 304 have no content, and 204 has no Content-Length"
        "on a kept connection it becomes the beginning of the next answer"
        "RFC 9110 §8.6, §15.3.5, §15.3.6, §15.4.5"
        "send no body, or another status";
    "P03" "length-mismatch" High
        "the body is shorter than announced"
        "the body is as long as Content-Length says"
        "a client that trusts it waits for the rest, or takes a part for the whole"
        "RFC 9112 §6.3, §8"
        "send the whole body, and let the HTTP library count";
    "X05" "injector-infidelity" High
        "brownout's own answer breaks the contract"
        "an answer that brownout made conforms to the contract"
        "a wrong fake tests nothing; it is a defect of the plan or the tool, never of the target"
        "brownout's own rule"
        "correct the fault's values in the plan, or report it";
    "Q01" "example-fails-own-check" Info
        "the document's example fails its own check"
        "the contract's own examples pass its own checks"
        "clients are written after examples"
        "brownout's own rule"
        "correct the example in the document";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_unique_and_every_check_is_explained() {
        let mut ids: Vec<&str> = ALL.iter().flat_map(|check| [check.id, check.name]).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 2 * ALL.len());
        for check in ALL {
            for text in [check.rule, check.rationale, check.source, check.how_to_fix] {
                assert!(text.len() > 5 && !text.ends_with('.') && text.len() < 140, "{}: {text}", check.id);
            }
        }
        assert_eq!(find("R04").map(|check| (check.name, check.severity)), Some(("reset-vs-body", Severity::High)));
        assert_eq!(find("Z99"), None);
    }
}
