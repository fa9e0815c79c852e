//! I01, I02, I04, I05, T01–T03: which request an answer belongs to, and when it was made.

use std::borrow::Cow;

use http::HeaderName;

use crate::contract::check::{Blame, Case, Found, SECOND_US, header_text, quoted, text_of};
use crate::contract::head::Known;
use crate::contract::header::{said, trimmed, typed};
use crate::contract::json::Json;
use crate::contract::{Field, Format, Header, Level, Role, Source, instant, role};
use crate::units::Micros;

/// What the Date of an answer may be off by, in microseconds.
const SKEW_US: i64 = 5 * SECOND_US;

/// The check that an absent member fails.
pub(super) fn missing_check(role: Option<Role>) -> &'static str {
    if role == Some(Role::RequestId) { "I01" } else { "B03" }
}

/// The check that a value fails which does not match its pattern.
pub(super) fn value_check(role: Option<Role>) -> &'static str {
    if role == Some(Role::RequestId) { "I02" } else { "B03" }
}

/// The check that a value fails which is not in its format.
pub(super) fn format_check(role: Option<Role>) -> &'static str {
    if role == Some(Role::Timestamp) { "T01" } else { "B03" }
}

/// Looks at what header and body say of the same thing.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    let answered = case.header_with(Role::RequestId);
    request_ids_agree(case, answered.as_ref(), found);
    request_id_echoed(case, answered.as_ref(), found);
    timestamp_is_now(case, found);
    date_is_now(case, found);
}

/// The request id of the body, where no other answer may have it; an echo of the request's own id is no duplicate.
pub(super) fn unique_id<'c>(case: &Case<'c, '_>) -> Option<&'c str> {
    let (_, Some(Json::Text(id))) = case.values.member(Role::RequestId).filter(|(field, _)| field.rule.unique)? else { return None };
    let echoed = case.headers.iter().filter(|header| header.role == Some(Role::RequestId));
    let mut sent = echoed.filter_map(|header| header_text(case.request.headers, &header.name));
    (!sent.any(|own| own == id)).then_some(id)
}

/// The header that has the request id, and what it says.
type Answered<'a, 'c> = Option<&'a (&'c Header, Option<Cow<'c, str>>)>;

/// I04.
fn request_ids_agree(case: &Case<'_, '_>, answered: Answered<'_, '_>, found: &mut Found) {
    let Some((header, Some(text))) = answered else { return };
    let Some((field, Json::Text(body))) = said(case, Role::RequestId).filter(|(_, body)| body.text() != Some(trimmed(text))) else {
        return;
    };
    found.add("I04", Level::Must, || Blame {
        path: format!("header:{}", header.shown),
        expected: format!("{}, as {} says", quoted(body), role::path(case.fields, field)),
        actual: quoted(text),
        cause: "differs".to_owned(),
        source: Some(header.source.clone()),
    });
}

/// I05, where the contract says echo and the request had an id to echo.
fn request_id_echoed(case: &Case<'_, '_>, answered: Answered<'_, '_>, found: &mut Found) {
    let header = answered.map(|(header, _)| *header);
    let field = case.values.member(Role::RequestId).map(|(field, _)| field).filter(|field| field.rule.echo);
    let echoing = answered.filter(|(header, _)| header.rule.echo);
    if echoing.is_none() && field.is_none() {
        return;
    }
    let usual = HeaderName::from_static("x-request-id");
    let Some(sent) = case.request.headers.get(header.map_or(&usual, |header| &header.name)) else { return };
    let sent = text_of(sent.as_bytes());
    let mut told = |path: String, said: &str, source: &Source| {
        if said.trim() != sent.trim() {
            found.add("I05", Level::Must, || Blame {
                path,
                expected: format!("{}, as the request says", quoted(&sent)),
                actual: quoted(said),
                cause: "another id".to_owned(),
                source: Some(source.clone()),
            });
        }
    };
    if let Some((header, said)) = echoing.and_then(|(header, text)| Some((header, text.as_deref()?))) {
        told(format!("header:{}", header.shown), said, &header.source);
    } else if let Some((field, Json::Text(said))) = field.and_then(|_| said(case, Role::RequestId)) {
        told(role::path(case.fields, field), said, &field.source);
    }
}

/// T03, of a Date that is there. Whatever the way took, an answer is made between the request and the answer's arrival;
/// one from a cache, its Age before. Source: RFC 9110 §6.6.1, RFC 9111 §5.1.
fn date_is_now(case: &Case<'_, '_>, found: &mut Found) {
    if !case.is_error() || case.now.is_none() || !case.head.has(Known::Date) {
        return;
    }
    let age = case.head.text(Known::Age).and_then(|age| age.parse::<i64>().ok()).unwrap_or(0).saturating_mul(SECOND_US);
    let arrived = case.response.received_at_unix_us;
    let way = i64::try_from(case.response.round_trip.0).unwrap_or(i64::MAX / 4);
    let cause = match case.head.date_us.map(|us| us.saturating_add(age)) {
        None => "no HTTP-date",
        Some(us) if us > arrived.saturating_add(SKEW_US) => "ahead of our clock",
        Some(us) if us < arrived.saturating_sub(way).saturating_sub(SKEW_US) => "behind our clock",
        Some(_) => return,
    };
    let Some(text) = case.head.text(Known::Date) else { return };
    found.add("T03", Level::Must, || Blame {
        path: "header:Date".to_owned(),
        expected: format!("within 5 s of {}", instant::to_http_date(arrived.div_euclid(SECOND_US))),
        actual: quoted(text),
        cause: cause.to_owned(),
        source: None,
    });
}

/// T02: only against the Date header, for two clocks of one server must agree and ours need not.
fn timestamp_is_now(case: &Case<'_, '_>, found: &mut Found) {
    let in_form = |field: &Field| matches!(field.rule.format, None | Some(Format::Rfc3339));
    let Some((field, Json::Text(text))) = typed(case, Role::Timestamp).filter(|(field, _)| in_form(field)) else { return };
    let Some((at, date)) = instant::rfc3339(text).zip(case.head.date_us) else { return };
    let allowed = field.rule.near_date.unwrap_or(Micros::from_secs(5));
    let off = at.saturating_sub(date).unsigned_abs();
    if off > allowed.0 {
        found.add("T02", Level::Must, || Blame {
            path: role::path(case.fields, field),
            expected: format!("within {allowed} of the Date header"),
            actual: format!("{}, {} from it", quoted(text), Micros(off)),
            cause: if at < date { "before Date" } else { "after Date" }.to_owned(),
            source: Some(field.source.clone()),
        });
    }
}
