//! I01, I02, I04, T01, T02: which request an answer belongs to, and when it was made.

use crate::contract::check::{Blame, Case, Found, Moment, header_text, quoted};
use crate::contract::header::said;
use crate::contract::json::Json;
use crate::contract::{Field, Level, Role, instant};
use crate::units::Micros;

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
    request_ids_agree(case, found);
    timestamp_is_now(case, found);
}

/// The request id of the body, where no other answer may have it; an echo of the request's own id is no duplicate.
pub(super) fn unique_id<'c>(case: &Case<'c, '_>) -> Option<&'c str> {
    let field = case.fields.iter().find(|field| field.role == Some(Role::RequestId) && field.rule.unique)?;
    let Json::Text(id) = case.body?.get(&field.name)? else { return None };
    let echoed = case.headers.iter().filter(|header| header.role == Some(Role::RequestId));
    let mut sent = echoed.filter_map(|header| header_text(case.request_headers, &header.name));
    (!sent.any(|own| own == id)).then_some(id)
}

/// I04.
fn request_ids_agree(case: &Case<'_, '_>, found: &mut Found) {
    let Some((field, Json::Text(body))) = field_of(case, Role::RequestId) else { return };
    let Some(header) = case.headers.iter().find(|header| header.role == Some(Role::RequestId)) else { return };
    let Some(text) = case.header(&header.name).filter(|text| text.trim() != body) else { return };
    found.add("I04", Level::Must, || Blame {
        path: format!("header:{}", header.shown),
        expected: format!("{}, as $.{} says", quoted(body), field.name),
        actual: quoted(&text),
        cause: "differs".to_owned(),
        source: Some(header.source.clone()),
    });
}

/// T02: only against the Date header, for two clocks of one server must agree and ours need not.
fn timestamp_is_now(case: &Case<'_, '_>, found: &mut Found) {
    let Some((field, Json::Text(text))) = field_of(case, Role::Timestamp) else { return };
    let Some((at, date)) = instant::rfc3339(text).zip(Moment::dated(case.response.headers)) else { return };
    let allowed = field.rule.near_date.unwrap_or(Micros::from_secs(5));
    let off = at.saturating_sub(date.us).unsigned_abs();
    if off > allowed.0 {
        found.add("T02", Level::Must, || Blame {
            path: format!("$.{}", field.name),
            expected: format!("within {allowed} of the Date header"),
            actual: format!("{}, {} from it", quoted(text), Micros(off)),
            cause: if at < date.us { "before Date" } else { "after Date" }.to_owned(),
            source: Some(field.source.clone()),
        });
    }
}

fn field_of<'c>(case: &Case<'c, '_>, role: Role) -> Option<(&'c Field, Json<'c>)> {
    let field = case.fields.iter().find(|field| field.role == Some(role))?;
    Some((field, said(case, field)?))
}
