//! The texts of the catalogue, by group: S status and code, B body, H header, R retry and rate limit, I identity, T time,
//! L leak, P protocol, C cache, X the whole run, Q the document.

use crate::contract::catalogue::{Check, Kind};
use crate::severity::Severity;

macro_rules! checks {
    ($($id:literal $name:literal $severity:ident $kind:ident $complaint:literal $rule:literal $rationale:literal $source:literal $fix:literal;)*) => {
        pub(super) const ALL: &[Check] = &[$(Check {
            id: $id, name: $name, severity: Severity::$severity, kind: Kind::$kind,
            complaint: $complaint, rule: $rule, rationale: $rationale, source: $source, how_to_fix: $fix,
        },)*];
    };
}

checks! {
    "S01" "status-undocumented" High OneAnswer
        "the status is not documented"
        "the status is one that the contract lists for this service"
        "a client cannot be written for a status that nobody announced"
        "Microsoft REST API Guidelines: error codes are part of the contract; brownout's own rule for statuses"
        "document the status, or answer with one that is documented";
    "S02" "code-undocumented" High OneAnswer
        "the error code is not documented"
        "the error code is one that the contract lists"
        "clients branch on codes; an unknown one falls into their default branch"
        "Microsoft REST API Guidelines: error codes are part of the contract"
        "document the code, or send the documented one";
    "S03" "code-status-mismatch" High OneAnswer
        "the code comes with a status it is not documented for"
        "a documented code comes with its documented status"
        "retry rules hang on the status: a code on the wrong one is repeated, or given up, wrongly"
        "Google AIP-193: the same error has the same status and code"
        "send the code with the status it is documented with";
    "S04" "code-foreign-service" Medium OneAnswer
        "the code belongs to another service"
        "the code is not one that only another service documents"
        "the reader of this service's documentation does not find it"
        "brownout's own rule"
        "use this service's own code, or document the code here, too";
    "S05" "probe-unexpected-status" Medium Probe
        "a mistake made on purpose is answered with another status"
        "a request that is wrong on purpose gets a status for that mistake; a 5xx is high, since the mistake is the client's"
        "a client that makes the same mistake repeats it, or blames the server"
        "RFC 9110 §15.5, §15.6; the contract's rows, else the usual statuses of the mistake"
        "refuse the request before it is worked on, with the documented status";
    "S06" "invalid-accepted" High Probe
        "an invalid request is accepted"
        "a request that is wrong on purpose is not answered with a success"
        "bad data is stored, and its writer is told that all is well"
        "RFC 9110 §15.3; OWASP Input Validation"
        "check the request against its schema, and refuse it";
    "S07" "status-nonstandard" Medium OneAnswer
        "the status is not registered"
        "the status is registered with IANA, or the contract lists it"
        "libraries treat what they do not know as the x00 of its class, or not at all"
        "RFC 9110 §15, §16.2; IANA HTTP Status Code Registry"
        "answer with a registered status, and tell the cases apart by the error code";
    "S08" "success-with-error-body" High OneAnswer
        "a success carries an error body"
        "a success status does not carry an error body"
        "clients, caches and monitoring see a success"
        "RFC 9110 §15.3"
        "answer with the error's status";
    "S09" "status-body-mismatch" Medium OneAnswer
        "the body names another status than the answer's"
        "a status number in the body is the status of the answer"
        "clients that read the body and those that read the status do different things"
        "RFC 9457 §3.1.2; Google AIP-193"
        "derive both from one value, and keep proxies from changing the status";
    "S10" "error-phrase-mismatch" Low OneAnswer
        "the body names another status than the answer's"
        "the body's name of the error is the reason phrase of its status (older spellings are accepted)"
        "two names for one status in one answer mislead people who read it"
        "RFC 9110 §15; brownout's own rule for the body"
        "send the status's reason phrase";
    "S11" "success-apology" High OneAnswer
        "a success says that it failed"
        "a success body or event has none of the texts that the contract forbids (must_not_match)"
        "it counts as a success everywhere, and the person reads an apology"
        "brownout's own rule; the contract names the texts"
        "answer with an error";
    "S12" "error-in-stream" High OneAnswer
        "a stream that began as a success carries an error"
        "an event stream with a success status has no error body among its events"
        "the status was sent before the error was known: clients, retries and monitoring see a success"
        "RFC 9110 §15.3; brownout's own rule for event streams"
        "find errors before the head is sent; document the event for those that come later";
    "B01" "body-missing" High OneAnswer
        "there is no body"
        "an error answer has a body (HEAD aside)"
        "without it a client has no code, and a person no explanation"
        "RFC 9110 §15.5"
        "send the documented error body";
    "B02" "body-unparseable" High OneAnswer
        "the body cannot be read as JSON"
        "the body of an error is one whole JSON value in UTF-8"
        "a client that parses it fails with a second error that hides the first"
        "RFC 8259 §2, §8.1"
        "serialise the body with a JSON library, and let no proxy in between replace it";
    "B03" "body-schema" High OneAnswer
        "the body is not as documented"
        "members are there as the contract asks, of the right type, within bounds"
        "a client written after the document reads something else, or nothing"
        "JSON Schema 2020-12; the contract"
        "send the member as documented, or correct the document";
    "B04" "content-type" Medium OneAnswer
        "the content type is missing or not the documented one"
        "Content-Type is there and is the documented type (a charset parameter and +json types are fine)"
        "clients choose their parser by it"
        "RFC 9110 §8.3"
        "set Content-Type to the documented type";
    "B05" "content-type-lies" High OneAnswer
        "the content type and the body contradict each other"
        "the body is what Content-Type says"
        "usually a default page of a proxy: the error documented is not the one that was sent"
        "RFC 9110 §8.3"
        "make the component that answered send the documented body";
    "B06" "charset" Low OneAnswer
        "the JSON is not plain UTF-8"
        "JSON is sent in UTF-8, without a byte order mark, and its charset parameter says nothing else"
        "a parser may refuse a byte order mark, and reads another charset as rubbish"
        "RFC 8259 §8.1, §11"
        "encode the body as UTF-8 without a byte order mark";
    "B07" "duplicate-keys" Medium OneAnswer
        "a member is there twice"
        "the names within an object are unique"
        "parsers keep the first, the last or both: two clients read two different errors"
        "RFC 8259 §4"
        "serialise the body with a JSON library, from one object";
    "B08" "unknown-member" Info OneAnswer
        "a member is not in the contract"
        "the body has no member that the contract does not name, where the contract is closed"
        "what is not documented becomes relied upon"
        "brownout's own rule; open by default"
        "document the member, or remove it";
    "B09" "placeholder-value" Medium OneAnswer
        "a placeholder was never filled in"
        "values are values: not blank, null, undefined, an unfilled template, [object Object], NaN or a note to oneself"
        "people are shown it, and support searches the logs for an id that nobody logged"
        "brownout's own rule"
        "fill the value in, or leave the member out";
    "B10" "field-pointer" Medium Probe
        "the error does not name the field that is wrong"
        "a field named in an error is the one that was wrong (dotted, bracketed or as a JSON pointer)"
        "a form marks another input, or none"
        "RFC 9457 §3 (pointer); brownout's own rule"
        "name the field by its path in the request";
    "B11" "reflects-input" Medium Probe
        "the error repeats the request's text raw"
        "markup and line breaks of a request do not come back unescaped"
        "what one client sends is run in the browser of another, or forges lines of a log"
        "OWASP Cross Site Scripting Prevention; OWASP Log Injection"
        "leave the value out, or escape it";
    "B12" "body-too-large" Low OneAnswer
        "the error is too large"
        "the body of an error has at most 16 KiB"
        "errors come in floods, and clients cut what they log of them"
        "brownout's own rule"
        "send what a client needs, and log the rest";
    "B13" "message-unstable" Low WholeRun
        "one code has many names"
        "the error or title member is the same for every answer with one code"
        "it cannot be looked up, translated or grouped by"
        "RFC 9457 §3.1.3"
        "keep the name, and put what differs into the message or details";
    "H01" "header-missing" Medium OneAnswer
        "a header is missing"
        "a header that the contract asks for is there"
        "clients that rely on it have to guess"
        "the contract; RFC 9110 where its level is rfc"
        "send the header";
    "H02" "header-malformed" Medium OneAnswer
        "a header cannot be read"
        "the value of a header has its documented type and format, also where the header is optional"
        "a client that parses it fails, or reads another value"
        "RFC 9110 §5.5; the contract"
        "send the value in its documented form, once";
    "H03" "header-repeated" Medium OneAnswer
        "a header that may be there once is there twice"
        "a field whose value is no list is sent once"
        "clients take the first, the last or both joined by a comma, which is neither"
        "RFC 9110 §5.3, §5.5"
        "let one component set the header";
    "H04" "www-authenticate" Medium OneAnswer
        "the challenge of a 401 is missing or cannot be read"
        "a 401 has WWW-Authenticate with challenges; a malformed one counts in full, a missing one as the contract asks"
        "a client does not learn how to sign in"
        "RFC 9110 §11.6.1, §15.5.2"
        "send WWW-Authenticate: Bearer, or the scheme that is used, with its parameters as name=\"value\"";
    "H05" "challenge-scheme" Low OneAnswer
        "the challenge does not fit the request"
        "the scheme is the one that the contract shows; Bearer says error=\"…\" where a token was refused, and not where none was sent"
        "a client cannot tell whether to refresh its token or to ask for one"
        "RFC 6750 §3, §3.1"
        "send error=\"invalid_token\" for a bad token, and the bare challenge without one";
    "H06" "allow-missing" Medium OneAnswer
        "a 405 does not say what is allowed"
        "a 405 has Allow; a missing one counts as the contract asks"
        "a client does not learn which methods there are"
        "RFC 9110 §10.2.1, §15.5.6"
        "send Allow with the methods of the resource";
    "H07" "allow-wrong" Medium OneAnswer
        "Allow does not say what is allowed"
        "Allow is a list of methods without the refused one, and has those that the contract documents (HEAD and OPTIONS aside)"
        "a client tries what is refused, or never tries what would work"
        "RFC 9110 §10.2.1"
        "derive Allow from the routes";
    "H08" "companion-header" Low OneAnswer
        "the header that belongs to the status is missing"
        "407 has Proxy-Authenticate, 426 Upgrade, 416 Content-Range; a missing one counts as the contract asks"
        "the status says that something else is needed, and not what"
        "RFC 9110 §11.7.1, §14.4, §15.5.8, §15.5.17, §15.5.22"
        "send the header";
    "H09" "version-disclosure" Low OneAnswer
        "a header names the version of the software"
        "Server and X-Powered-By name no version; it counts as info"
        "an attacker looks up what is known about it"
        "OWASP Secure Headers Project; RFC 9110 §10.2.4"
        "remove the version";
    "H10" "nosniff" Low OneAnswer
        "the error may be sniffed as another type"
        "X-Content-Type-Options is nosniff; a missing one counts as the contract asks"
        "a browser may run what a text in the error looks like"
        "WHATWG Fetch, X-Content-Type-Options; OWASP REST Security"
        "send X-Content-Type-Options: nosniff";
    "R01" "retry-after-missing" High OneAnswer
        "Retry-After is missing"
        "an answer that asks for patience says for how long"
        "clients guess: too early adds load, too late loses time"
        "RFC 9110 §10.2.3; RFC 6585 §4"
        "send Retry-After in whole seconds";
    "R02" "retry-after-format" Medium OneAnswer
        "Retry-After is neither seconds nor a date"
        "Retry-After is a whole number of seconds, not negative, or an HTTP-date"
        "clients ignore what they cannot read, and come back at once"
        "RFC 9110 §10.2.3"
        "send whole seconds";
    "R03" "retry-after-vs-body" High OneAnswer
        "Retry-After contradicts the body"
        "Retry-After and the body name the same wait (± 1 s)"
        "clients read one or the other, and half of them come at the wrong time"
        "the contract; brownout's own rule: an answer does not contradict itself"
        "derive both from one value";
    "R04" "reset-vs-body" High OneAnswer
        "the reset header contradicts the body"
        "the reset header, in its declared unit, and the body's reset name the same moment (± 1 s)"
        "a wrong unit or zone sends clients away for years, or lets them come back at once"
        "the contract; brownout's own rule: an answer does not contradict itself"
        "derive both from one instant, and send the header in the declared unit";
    "R05" "retry-before-reset" Medium OneAnswer
        "Retry-After ends before the limit resets"
        "a client that waits as long as it is told does not come before the limit resets"
        "it is refused again, although it obeyed"
        "draft-ietf-httpapi-ratelimit-headers: Retry-After should not be earlier than the reset"
        "round Retry-After up to the reset";
    "R06" "remaining-gt-limit" Medium OneAnswer
        "remaining and limit contradict each other"
        "0 ≤ remaining ≤ limit"
        "clients that pace themselves by it divide by nonsense"
        "brownout's own rule"
        "send what is left of the limit that is sent";
    "R07" "remaining-nonzero-429" Low OneAnswer
        "refused, although requests remain"
        "nothing remains where the limit was hit"
        "a client that looks at what remains goes on sending"
        "draft-ietf-httpapi-ratelimit-headers; low, since the draft demands no correlation"
        "send 0";
    "R08" "limit-or-remaining-vs-body" Medium OneAnswer
        "the limit headers contradict the body"
        "limit and remaining are equal in header and body"
        "one of the two is wrong, and nobody knows which"
        "the contract; brownout's own rule: an answer does not contradict itself"
        "derive both from one value";
    "R09" "reset-implausible" Medium OneAnswer
        "the reset lies in the past or beyond the window"
        "the reset is neither in the past nor beyond the declared window"
        "a past reset invites a storm; one too far off is a wrong unit or clock"
        "brownout's own rule"
        "send the instant at which the next request is admitted";
    "R10" "remaining-not-monotonic" Low WholeRun
        "what remains rises inside a window"
        "remaining does not rise before the reset, for one identity"
        "a client that paces itself by it is too slow or too fast"
        "draft-ietf-httpapi-ratelimit-headers"
        "count in one place, or document the window";
    "R11" "retry-after-dishonest" High WholeRun
        "a client that waited as it was told is refused again"
        "after the wait that was asked for, the same request is admitted"
        "clients that obey lose the time and gain nothing: they learn not to obey"
        "RFC 9110 §10.2.3; brownout's own rule"
        "compute the wait from the bucket that refused";
    "R12" "retry-after-overlong" Info WholeRun
        "a client that came back earlier was admitted"
        "the wait that is asked for is no longer than needed"
        "obedient clients wait in vain"
        "brownout's own rule"
        "round the wait up to the second in which a request is admitted";
    "R13" "limit-vs-documented" Medium WholeRun
        "the limit is not the documented one"
        "the limit an operation advertises is the one its documentation names"
        "clients are paced by the document and refused by the server"
        "the contract; brownout's own rule"
        "correct the limit or the document";
    "R14" "dual-vocabulary" Low OneAnswer
        "RateLimit and X-RateLimit contradict each other"
        "where both vocabularies are sent they say the same (± 1 s)"
        "two clients of one server pace themselves differently"
        "draft-ietf-httpapi-ratelimit-headers; brownout's own rule: an answer does not contradict itself"
        "derive both from one value, or send one";
    "I01" "request-id-missing" Medium OneAnswer
        "the request id is missing"
        "a request id is there where the contract asks for one"
        "nobody can find the failure in the logs"
        "the contract"
        "send the id under which the request was logged";
    "I02" "request-id-format" Medium OneAnswer
        "the request id has another form"
        "the request id has its documented form"
        "tools that collect ids do not recognise it"
        "the contract"
        "send the id in its documented form";
    "I03" "request-id-duplicate" High WholeRun
        "the request id was used before"
        "no two requests are answered with the same request id"
        "an id that names two requests names none: it is often a constant or a cached answer"
        "brownout's own rule; echoes of the client's own id are not counted"
        "make a new id for each request";
    "I04" "request-id-header-body" Medium OneAnswer
        "the request id differs between header and body"
        "header and body name the same request id"
        "support looks for the one, logs have the other"
        "brownout's own rule: an answer does not contradict itself"
        "derive both from one value";
    "I05" "request-id-not-echoed" Low OneAnswer
        "the request id that was sent does not come back"
        "where the contract says echo, the answer has the request's own id"
        "the client's log and the server's cannot be brought together"
        "the contract"
        "take the id of the request over, or document that it is replaced";
    "T01" "timestamp-format" Medium OneAnswer
        "the timestamp cannot be read"
        "the timestamp is RFC 3339 with an offset"
        "without an offset it names no moment"
        "RFC 3339 §5.6"
        "send UTC with a Z";
    "T02" "timestamp-vs-date" Medium OneAnswer
        "the timestamp is not the time of the answer"
        "the timestamp is within 5 s of the Date header"
        "the answer is cached, the clock is wrong, or the value is a constant"
        "RFC 9110 §6.6.1; the tolerance is brownout's own"
        "stamp the error when it happens, on a synchronised clock";
    "T03" "date-missing-or-skewed" Low OneAnswer
        "Date is missing or wrong"
        "Date is there on 4xx (a missing one is info), can be read, and lies within 5 s of the exchange"
        "ages, dates and resets are computed from it"
        "RFC 9110 §6.6.1; the tolerance is brownout's own"
        "let the HTTP library send Date, and synchronise the clock";
    "T04" "timestamp-frozen" Medium WholeRun
        "answers far apart in time have one timestamp"
        "the timestamp of an error is that of its own answer"
        "the error is a constant or comes from a cache: it tells of another failure"
        "brownout's own rule"
        "stamp each error when it happens, and let none be stored";
    "L01" "stack-trace" Critical OneAnswer
        "a stack trace leaks"
        "an error answer shows no stack trace"
        "it tells an attacker versions, paths and where to aim"
        "RFC 9457 §5; OWASP Improper Error Handling"
        "log the trace, and answer with a request id";
    "L02" "exception-or-debug-page" High OneAnswer
        "an exception or a debug page leaks"
        "an error answer names no exception class of a language and is no framework's debug page"
        "it tells an attacker what the server is made of, and a person nothing"
        "RFC 9457 §5; OWASP Improper Error Handling"
        "turn debugging off, and map exceptions to documented errors";
    "L03" "sql-or-driver" High OneAnswer
        "a database statement or a driver's message leaks"
        "an error answer shows no SQL and no message of a database driver"
        "it tells an attacker of tables and of places where statements can be changed"
        "OWASP Improper Error Handling; OWASP SQL Injection Prevention"
        "map database errors to documented ones, and log the statement";
    "L04" "secret" Critical OneAnswer
        "a secret leaks"
        "an error answer shows no credential: not ours, no token, key, or URI with a password"
        "answers are logged, cached and pasted into tickets"
        "OWASP API Security Top 10; RFC 9457 §5"
        "remove the value from the answer, and revoke it";
    "L05" "internal-address" Medium OneAnswer
        "an internal address or path leaks"
        "an error answer shows no private address, cluster name or path of the server"
        "it is a map of what lies behind the gateway"
        "RFC 1918; OWASP Improper Error Handling"
        "log the address, and answer without it";
    "L06" "existence-oracle" Info Probe
        "the status tells whether a forbidden resource exists"
        "what is forbidden and what is missing are answered with one status"
        "a stranger can find out which ids exist"
        "RFC 9110 §15.5.4; Google AIP-211"
        "answer 404 for both, or document that existence is no secret";
    "P01" "head-has-body" High OneAnswer
        "an answer to HEAD has a body"
        "an answer to HEAD has no content"
        "on a kept connection it becomes the beginning of the next answer"
        "RFC 9110 §9.3.2"
        "send the headers alone";
    "P02" "no-content-has-body" High OneAnswer
        "an answer that must be empty has a body"
        "204, 205 and 304 have no content, and 204 has no Content-Length"
        "on a kept connection it becomes the beginning of the next answer"
        "RFC 9110 §8.6, §15.3.5, §15.3.6, §15.4.5"
        "send no body, or another status";
    "P03" "length-mismatch" High OneAnswer
        "the body is shorter than announced"
        "the body is as long as Content-Length says"
        "a client that trusts it waits for the rest, or takes a part for the whole"
        "RFC 9112 §6.3, §8"
        "send the whole body, and let the HTTP library count";
    "P04" "declared-not-implemented" Medium OneAnswer
        "a documented operation is refused as unknown"
        "405 and 501 do not answer an operation that the contract documents"
        "the document promises what the server does not have"
        "RFC 9110 §15.5.6, §15.6.2; the contract"
        "implement the operation, or remove it from the document";
    "P05" "semantic-precondition" Low Probe
        "the status speaks of something that the request does not have"
        "412 answers a condition, 406 an Accept, 413 and 415 a payload, 416 a Range, 417 an Expect"
        "a client looks for a mistake that it did not make"
        "RFC 9110 §12.5.1, §13.1, §14.2, §15.5"
        "answer with the status of the mistake that was made";
    "P06" "authn-vs-authz" Medium Probe
        "who is asking and what they may do are confused"
        "good credentials are not answered with 401, and 403 answers nobody without credentials"
        "a client signs in again and again, or never tries"
        "RFC 9110 §15.5.2, §15.5.4"
        "answer 401 where credentials are missing or bad, 403 where they do not suffice";
    "P07" "redirect-for-error" Medium OneAnswer
        "a redirect to a login page stands for an error"
        "where 401 or 403 is documented, it is not a redirect to a page to sign in at"
        "a client follows it and takes the page for its answer, with status 200"
        "RFC 9110 §15.4, §15.5.2; brownout's own rule"
        "answer API requests with 401";
    "P08" "no-response" Medium OneAnswer
        "there is no answer"
        "a request that was received is answered: no reset, no silence, no bytes that are not HTTP"
        "a client cannot know whether it was done, and has no error to act on"
        "RFC 9110 §15.6; RFC 9112 §9.5; brownout's own rule"
        "answer with 503 or 504 before the connection is given up";
    "P09" "stream-unterminated" High OneAnswer
        "a stream ends without its terminator"
        "an event stream ends with the event that the plan or the contract names"
        "a part is taken for the whole"
        "WHATWG HTML, server-sent events; the plan or the contract"
        "send the terminator, or an error event before the stream is closed";
    "C01" "error-cacheable" High OneAnswer
        "the error may be stored and answered to others"
        "401, 403, 429 and 5xx are neither public nor fresh for a time; a GET answered 404, 405, 410, 414, 501 has Cache-Control (else info)"
        "an error that is over, or another person's, is answered from a cache"
        "RFC 9110 §15.1; RFC 9111 §3, §4.2.2"
        "send Cache-Control: no-store";
    "C02" "ratelimit-on-cached" Low OneAnswer
        "an answer from a cache says how much remains"
        "an answer with an Age above 0 has no rate limit headers"
        "the numbers are those of another request, at another time"
        "draft-ietf-httpapi-ratelimit-headers; RFC 9111 §5.1"
        "keep caches from storing the headers";
    "X01" "envelope-drift" Medium WholeRun
        "one service answers errors in several shapes"
        "the errors of one service have one structure"
        "a client needs a parser for each of them, and learns so in production"
        "brownout's own rule"
        "make every component answer with the documented envelope";
    "X02" "differs-under-load" High WholeRun
        "the error is another one under load or under a fault"
        "one request is answered alike when the target is idle, under load and under faults"
        "clients were tested against an idle server"
        "brownout's own rule"
        "find what answers under load: a gateway, a pool, a default page";
    "X03" "nondeterministic" Medium WholeRun
        "one request is answered differently when repeated"
        "the same request to an idle target gets the same status, code and shape"
        "no client can be written for it"
        "brownout's own rule"
        "find the replicas that differ, or the state that leaks between requests";
    "X04" "responder-unknown" Info WholeRun
        "nobody knows who answered"
        "an error can be attributed to the origin or the gateway"
        "an error of the gateway is looked for in the service, and the other way round"
        "brownout's own rule"
        "let each component sign its errors: an envelope, a Via or Server header";
    "X05" "injector-infidelity" High WholeRun
        "brownout's own answer breaks the contract"
        "an answer that brownout made conforms to the contract"
        "a wrong fake tests nothing; it is a defect of the plan or the tool, never of the target"
        "brownout's own rule"
        "correct the fault's values in the plan, or report it";
    "X06" "coverage-below-gate" High WholeRun
        "too few documented errors were seen"
        "the share of documented errors that were seen is what the gate asks for"
        "errors nobody has seen are errors nobody has tested"
        "brownout's own rule"
        "provoke the missing ones, or exclude them with a reason";
    "Q01" "example-fails-own-check" Info Document
        "the document's example fails its own check"
        "the contract's own examples pass its own checks"
        "clients are written after examples"
        "brownout's own rule"
        "correct the example in the document";
    "Q02" "duplicate-entry" Info Document
        "an error is documented twice"
        "each service, operation, status and code is documented once"
        "one of the two is not looked at, and readers do not know which"
        "brownout's own rule"
        "merge the entries";
    "Q03" "same-cause-two-statuses" Info Document
        "one code is documented with two statuses"
        "one code has one status within a service"
        "clients that branch on either do different things"
        "Google AIP-193: the same error has the same status and code"
        "keep one status, or give the second its own code";
    "Q04" "schema-accepts-anything" Info Document
        "the documented body accepts anything"
        "the schema of an error requires a member"
        "an empty object conforms: the check says nothing"
        "brownout's own rule"
        "mark what clients rely on as required";
    "Q05" "undocumented-common-status" Info Document
        "a status that every API has is not documented"
        "401, 405, 429 and 500 are documented"
        "they will be answered, and nobody knows how they look"
        "RFC 9110 §15; brownout's own rule"
        "document the status";
    "Q06" "retry-contradiction" Info Document
        "what is said about repeating contradicts the status"
        "errors of the client are not repeated unchanged (408, 425, 429 and declared ones aside)"
        "clients repeat what cannot succeed, or give up what would"
        "RFC 9110 §15.5; RFC 6585 §4"
        "correct the retry class, or the status";
    "Q07" "undeclared-deviation" Info Document
        "the document deviates from HTTP and does not say so"
        "a status that the RFCs suggest otherwise has a declared deviation"
        "readers take it for a mistake, and correct it in their clients"
        "RFC 9110 §15"
        "use the suggested status, or declare the deviation";
}
