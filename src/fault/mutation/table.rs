//! Every mutation of this version, by what it is about.

use http::HeaderName;
use http::header::{CONTENT_TYPE, DATE, SERVER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};

use super::{Mutation, change};
use crate::contract::Role;
use crate::contract::draft::{self, Draft, Edit, Framing};

fn lose(draft: &mut Draft<'_>, name: &HeaderName) -> Option<()> {
    draft::header(&mut draft.headers, name, Edit::Remove)
}

const fn row(
    name: &'static str,
    expects: &'static [&'static str],
    about: &'static str,
    change: fn(&mut Draft<'_>) -> Option<()>,
) -> Mutation {
    Mutation::new(name, expects, about, change)
}

/// Every mutation of this version.
pub static ALL: &[Mutation] = &[
    // status and code
    row("undocumented-status", &["S01"], "the status is 418", |it| {
        it.restatus(418);
        Some(())
    }),
    row("unregistered-status", &["S01", "S07"], "the status is 567, which nobody registered", |it| {
        it.restatus(567);
        Some(())
    }),
    row("unknown-code", &["S02"], "the code is one that nobody documents", |it| change::code(it, it.unknown_code())),
    row("code-of-another-status", &["S03"], "the code belongs to another status", |it| change::code(it, it.code_of_another_status())),
    row("code-of-another-service", &["S04"], "the code belongs to another service", |it| change::code(it, it.code_of_another_service())),
    row("status-mismatch", &["S09"], "the body says another status than the status line", change::other_status_inside),
    row("wrong-phrase", &["S10"], "the body calls the status something else", change::other_phrase),
    row("success-that-apologises", &["S08"], "the error comes with status 200", change::apology),
    row("redirect-to-sign-in", &["P07"], "302 to a page to sign in at", change::to_sign_in),
    // body
    row("empty-body", &["B01"], "there is no body", change::empty),
    row("truncated-json", &["B02"], "the JSON ends five bytes too soon, and the length agrees", change::truncated),
    row("invalid-json", &["B02"], "the JSON has single quotes", change::single_quotes),
    row("deep-nesting", &["B02"], "the JSON is nested 200 deep", change::nested),
    row("missing-member", &["B03"], "a required member is missing", change::missing_member),
    row("wrong-type-member", &["B03"], "a required text is a number", change::wrong_type),
    row("duplicate-members", &["B07"], "the code stands twice", change::twice),
    row("invalid-utf8", &["B06"], "the message is in Latin-1", change::latin1),
    row("utf16-body", &["B06"], "the JSON is in UTF-16", change::utf16),
    row("byte-order-mark", &["B06"], "a byte order mark stands before the JSON", change::marked),
    row("oversized-body", &["B12"], "the body has 17 KiB", change::large),
    row("bad-gzip", &["B02"], "the body is called gzip and is not", change::called_gzip),
    row("truncated-gzip", &["B02"], "the body is gzip that ends twelve bytes too soon", change::truncated_gzip),
    row("placeholder-value", &["B09"], "the message is `undefined`", |it| change::text(it, "undefined")),
    row("missing-content-type", &["B04"], "there is no Content-Type", |it| lose(it, &CONTENT_TYPE)),
    row("wrong-content-type", &["B04"], "the JSON is called plain text", |it| it.set(CONTENT_TYPE, "text/plain")),
    row("page-called-json", &["B05"], "an HTML page is called JSON", change::page_called_json),
    row("gateway-html-page", &["B02", "B04"], "a 502, 503 or 504 page of a gateway, and nothing of the API", change::gateway_page),
    // headers
    row("drop-limit", &["H01"], "the header with the limit is missing", |it| it.edit(Role::Limit, Edit::Remove)),
    row("drop-remaining", &["H01"], "the header with what remains is missing", |it| it.edit(Role::Remaining, Edit::Remove)),
    row("drop-reset", &["H01"], "the header with the reset is missing", |it| it.edit(Role::Reset, Edit::Remove)),
    row("drop-date", &["T03"], "there is no Date", |it| lose(it, &DATE)),
    row("malformed-limit", &["H02"], "the header with the limit is a word", |it| it.edit(Role::Limit, Edit::Set("many"))),
    row("missing-www-authenticate", &["H04"], "there is no challenge", |it| lose(it, &WWW_AUTHENTICATE)),
    row("malformed-www-authenticate", &["H04"], "the challenge cannot be read", |it| {
        lose(it, &WWW_AUTHENTICATE)?;
        it.set(WWW_AUTHENTICATE, "realm=api, Bearer")
    }),
    row("version-disclosure", &["H09"], "Server names a version", |it| it.set(SERVER, "gateway/1.25.3")),
    row("missing-nosniff", &["H10"], "there is no X-Content-Type-Options", |it| lose(it, &X_CONTENT_TYPE_OPTIONS)),
    // when to come back
    row("drop-retry-after", &["R01"], "there is no Retry-After", |it| it.edit(Role::RetryAfter, Edit::Remove)),
    row("duplicate-retry-after", &["H03"], "Retry-After stands twice, with two values", |it| {
        let other = (it.wait_s().unwrap_or(1) + 5).to_string();
        it.edit(Role::RetryAfter, Edit::Repeat(&other))
    }),
    row("retry-after-list", &["R02"], "Retry-After is two values in one field", |it| change::wait_from(it, |s| format!("{s}, {}", s + 5))),
    row("retry-after-fraction", &["R02"], "Retry-After has a fraction", |it| change::wait_from(it, |s| format!("{s}.5"))),
    row("retry-after-negative", &["R02"], "Retry-After is negative", |it| change::wait_from(it, |s| format!("-{}", s.max(1)))),
    row("retry-after-word", &["R02"], "Retry-After is a word", |it| change::wait(it, "soon")),
    row("retry-after-empty", &["R02"], "Retry-After is empty", |it| change::wait(it, "")),
    row("retry-after-unit", &["R02"], "Retry-After has a unit", |it| change::wait_from(it, |s| format!("{s}s"))),
    row("retry-after-quoted", &["R02"], "Retry-After stands in quotes", |it| change::wait_from(it, |s| format!("\"{s}\""))),
    row("retry-after-iso-date", &["R02"], "Retry-After is an ISO 8601 date", |it| change::wait(it, &it.rfc3339(it.wait_s().unwrap_or(1)))),
    row("retry-after-zone-date", &["R02"], "Retry-After is a date whose zone is +0000", |it| {
        change::wait(it, &it.http_date(it.wait_s().unwrap_or(1)).replace("GMT", "+0000"))
    }),
    row("retry-after-past-date", &["R03", "R05"], "Retry-After is a date an hour ago", |it| change::wait(it, &it.http_date(-3_600))),
    row("retry-after-zero", &["R03", "R05"], "Retry-After is 0, the body's stays", |it| change::wait(it, "0")),
    row("retry-after-milliseconds", &["R03"], "Retry-After counts milliseconds", |it| change::wait_from(it, |s| format!("{s}000"))),
    row("retry-after-epoch", &["R03"], "Retry-After is a Unix time", |it| {
        let now = it.now_s();
        change::wait_from(it, |s| now.saturating_add(s).to_string())
    }),
    row("retry-after-huge", &["R03"], "Retry-After has twenty digits", |it| change::wait(it, "99999999999999999999")),
    row("retry-after-vs-body", &["R03"], "Retry-After is half a minute more than the body says", |it| {
        it.path_of(Role::RetryAfter)?;
        it.edit(Role::RetryAfter, Edit::Shift(30))
    }),
    row("retry-before-reset", &["R05"], "the client is asked back at once, long before the reset", |it| {
        it.name_of(Role::Reset)?;
        change::both(it, Role::RetryAfter, 0)
    }),
    row("reset-in-milliseconds", &["R04"], "the reset header counts milliseconds", change::reset_in_milliseconds),
    row("reset-in-the-past", &["R09"], "the limit was reset an hour ago", change::reset_in_the_past),
    row("remaining-above-limit", &["R06", "R07"], "more remains than the limit", |it| {
        change::both(it, Role::Remaining, change::limit(it).saturating_mul(10))
    }),
    row("remaining-not-zero", &["R07"], "something remains of a limit that refused", |it| change::both(it, Role::Remaining, 1)),
    row("limit-vs-body", &["R08"], "the body has another limit than the header", |it| it.member_of(Role::Limit, Edit::Shift(1))),
    row("two-vocabularies", &["R14"], "RateLimit-Remaining says otherwise than X-RateLimit-Remaining", change::two_vocabularies),
    // identity and time
    row("missing-request-id", &["I01"], "there is no request id", |it| it.member_of(Role::RequestId, Edit::Remove)),
    row("malformed-request-id", &["I02"], "the request id has another form", |it| it.member_of(Role::RequestId, Edit::Set("no id".into()))),
    row("request-ids-differ", &["I04"], "the request id in the header is not the body's", change::request_ids_differ),
    row("timestamp-without-offset", &["T01"], "the timestamp has no offset", |it| {
        it.member_of(Role::Timestamp, Edit::Set("2026-11-22 10:00:00".into()))
    }),
    row("stale-timestamp", &["T02"], "the timestamp is an hour old", |it| it.member_of(Role::Timestamp, Edit::Shift(-3_600))),
    row("stale-date", &["T03"], "Date is an hour old", |it| draft::header(&mut it.headers, &DATE, Edit::Shift(-3_600))),
    // leaks
    row("leak-stack-trace", &["L01"], "the message is a stack trace", |it| {
        change::text(
            it,
            "Traceback (most recent call last):\n  File \"/app/server.py\", line 88, in handle\n  File \"/app/model.py\", line 12, in run\nRuntimeError: out of memory",
        )
    }),
    row("leak-exception", &["L02"], "the message names the class of an exception", |it| {
        change::text(it, "TypeError: a number was expected")
    }),
    row("leak-database", &["L03"], "the message is the database's", |it| {
        change::text(it, "duplicate key value violates unique constraint \"users_email_key\" (SQLSTATE 23505)")
    }),
    row("leak-private-key", &["L04"], "the message has the beginning of a private key", |it| {
        change::text(it, "cannot sign with -----BEGIN PRIVATE KEY-----")
    }),
    row("leak-internal-address", &["L05"], "the message says which machine did not answer", |it| {
        change::text(it, "connect to 10.12.0.7:5432 failed")
    }),
    // caches
    row("cacheable-error", &["C01"], "caches may keep the error and give it to others", change::cacheable),
    row("rate-limit-from-cache", &["C02"], "a cache repeats a rate limit half a minute later", change::from_cache),
    // the message itself
    row("wrong-content-length-long", &["P03"], "Content-Length is 64 bytes more than the body", change::too_short).breaks_framing(&[]),
    row("wrong-content-length-short", &["B02"], "Content-Length is 16 bytes less than the body", change::too_long).breaks_framing(&["P03"]),
    row("truncated-chunked", &["P03"], "a body in chunks ends without its last chunk", |it| change::framed(it, Framing::Unended))
        .breaks_framing(&[]),
    row("malformed-chunk", &["P08"], "a chunk's size is no number", |it| change::framed(it, Framing::BadChunk)).breaks_framing(&[]),
    row("body-on-204", &["P02"], "204 with a Content-Length and a body", change::body_on_204).breaks_framing(&[]),
    row("body-after-head", &[], "the answer to HEAD has a body", change::body_after_head).breaks_framing(&["P01"]),
    // streams
    row("error-inside-200-stream", &["S12"], "a stream that began with 200 has the error inside", change::error_in_stream).in_stream(),
    row("stream-without-terminator", &["P09"], "a stream ends without its last event", change::unterminated_stream).in_stream(),
];
