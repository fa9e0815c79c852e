//! H03, H06–H10: what HTTP itself says about the head of an error answer, whatever the contract says.
//!
//! Where the contract names a header, it decides how firmly its presence is asked for; where it is silent, an absent one
//! is worth a remark and no more. A value that is there and wrong counts in full.

use http::Method;

use crate::contract::challenge::is_token;
use crate::contract::check::{Blame, Case, Found, quoted, text_of};
use crate::contract::head::Known;
use crate::contract::{Header, Kind, Level, challenge};
use crate::severity::Severity;

/// Looks at the head of an error answer.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    repeated(case, found);
    if !case.is_error() {
        return;
    }
    for &known in companions(case.status()) {
        if !case.head.has(known) {
            absent(case, known, found);
        }
    }
    // An origin with a clock sends one (RFC 9110 §6.6.1), unless the server itself is in trouble.
    if case.status() < 500 && !case.head.has(Known::Date) {
        absent(case, Known::Date, found);
    }
    if case.head.has(Known::WwwAuthenticate) {
        challenge::check(case, found);
    }
    if case.status() == 405 && case.head.has(Known::Allow) {
        allow(case, found);
    }
    disclosure(case, found);
    sniffing(case, found);
}

/// The check that an absent header fails: H01 where HTTP has nothing to say about it.
pub(super) fn absence_check(known: Option<Known>, status: u16) -> &'static str {
    match (known, status) {
        (Some(Known::WwwAuthenticate), 401) => "H04",
        (Some(Known::Allow), 405) => "H06",
        (Some(Known::ProxyAuthenticate), 407) | (Some(Known::ContentRange), 416) | (Some(Known::Upgrade), 426) => "H08",
        (Some(Known::ContentTypeOptions), 400..) => "H10",
        (Some(Known::Date), 400..) => "T03",
        _ => "H01",
    }
}

/// Whether the contract says anything about a header of this answer.
pub(super) fn is_named(case: &Case<'_, '_>, known: Known) -> bool {
    case.named().any(|(_, named)| named.known == Some(known))
}

/// Whether a header of the contract has one value, and no list of them.
pub(super) fn is_single(header: &Header, known: Option<Known>) -> bool {
    header.role.is_some() || header.kind == Kind::Integer || known.is_some_and(Known::is_single)
}

/// What belongs to a status. Source: RFC 9110 §15.5.2, §15.5.6, §15.5.8, §15.5.17, §15.5.22.
const fn companions(status: u16) -> &'static [Known] {
    match status {
        401 => &[Known::WwwAuthenticate],
        405 => &[Known::Allow],
        407 => &[Known::ProxyAuthenticate],
        416 => &[Known::ContentRange],
        426 => &[Known::Upgrade],
        _ => &[],
    }
}

/// H04, H06, H08: said by the header checks where the contract names the header.
fn absent(case: &Case<'_, '_>, known: Known, found: &mut Found) {
    if !is_named(case, known) {
        let expected = || format!("to be there on a {}", case.status());
        found.add(absence_check(Some(known), case.status()), Level::Rfc, || {
            blame(known, expected(), "no such header".to_owned(), "missing")
        });
    }
}

/// H03.
fn repeated(case: &Case<'_, '_>, found: &mut Found) {
    let twice = |name: &str| Blame {
        path: format!("header:{name}"),
        expected: "one value".to_owned(),
        actual: "several fields of this name".to_owned(),
        cause: "repeated".to_owned(),
        source: None,
    };
    let framing = |known: &Known| case.is_error() || *known == Known::ContentLength;
    for known in case.head.repeated().filter(|known| known.is_single()).filter(framing) {
        found.add("H03", Level::Must, || twice(known.shown()));
    }
    let of_contract = |known: Option<Known>| matches!(known, None | Some(Known::XRequestId));
    for (header, named) in case.named().filter(|(header, named)| of_contract(named.known) && is_single(header, None)) {
        let again = || case.response.headers.get_all(&header.name).iter().nth(1).is_some();
        if named.value.is_some() && named.known.map_or_else(again, |known| case.head.is_repeated(known)) {
            found.add("H03", Level::Must, || Blame { source: Some(header.source.clone()), ..twice(&header.shown) });
        }
    }
}

/// H07.
fn allow(case: &Case<'_, '_>, found: &mut Found) {
    let fields = || case.response.headers.get_all(http::header::ALLOW).iter().map(|value| text_of(value.as_bytes()));
    let mut listed: Vec<String> = Vec::new();
    for text in fields() {
        listed.extend(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned));
    }
    let wrong = |expected: &str, actual: String, cause: &str| blame(Known::Allow, expected.to_owned(), actual, cause);
    if let Some(name) = listed.iter().find(|name| !name.chars().all(is_token)) {
        return found.add("H07", Level::Must, || wrong("methods, separated by commas", quoted(name), "no method"));
    }
    let has = |method: &Method| listed.iter().any(|name| name == method.as_str());
    if has(case.request.method) {
        let actual = || format!("{} is listed, and was refused", case.request.method);
        return found.add("H07", Level::Must, || wrong("methods that are allowed here", actual(), "lists the refused method"));
    }
    let documented = case.contract.operations_at(case.request.path).filter_map(|one| one.operation.method.as_ref());
    let documented: Vec<&Method> = documented.filter(|method| !is_common(method.as_str()) && *method != case.request.method).collect();
    if let Some(missing) = documented.iter().find(|method| !has(method)) {
        let actual = || format!("{missing} is not listed");
        found.add("H07", Level::Must, || wrong("every documented method of this path", actual(), "lacks a documented method"));
    } else if let Some(more) = listed.iter().find(|name| !is_common(name) && !documented.iter().any(|method| method.as_str() == *name))
        && !documented.is_empty()
    {
        let actual = || format!("{more}, too");
        found.add_as("H07", Severity::Info, Level::Must, || {
            wrong("the documented methods of this path", actual(), "lists an undocumented method")
        });
    }
}

/// Methods that servers add by themselves.
fn is_common(method: &str) -> bool {
    matches!(method, "HEAD" | "OPTIONS")
}

/// H09: a remark, for it is not wrong.
fn disclosure(case: &Case<'_, '_>, found: &mut Found) {
    for known in [Known::Server, Known::PoweredBy] {
        if let Some(text) = case.head.text(known).filter(|text| has_version(text)) {
            found.add("H09", Level::Rfc, || blame(known, "no version".to_owned(), quoted(text), "a version"));
        }
    }
}

/// Whether a text has a version: a digit after a slash (`nginx/1`, `PHP/v8`), or two numbers with a point between.
fn has_version(text: &str) -> bool {
    let bytes = text.as_bytes();
    if !bytes.iter().any(u8::is_ascii_digit) {
        return false;
    }
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).any(|at| match bytes[at] {
        b'/' => digit(at + 1) || (bytes.get(at + 1) == Some(&b'v') && digit(at + 2)),
        b'.' => at > 0 && digit(at - 1) && digit(at + 1),
        _ => false,
    })
}

/// H10. Only `nosniff` does anything (WHATWG Fetch, "determine nosniff").
fn sniffing(case: &Case<'_, '_>, found: &mut Found) {
    const KNOWN: Known = Known::ContentTypeOptions;
    if !case.head.has(KNOWN) {
        absent(case, KNOWN, found);
    } else if let Some(text) = case.head.text(KNOWN).filter(|text| !text.eq_ignore_ascii_case("nosniff")) {
        found.add("H10", Level::Must, || blame(KNOWN, "nosniff".to_owned(), quoted(text), "another value"));
    }
}

fn blame(known: Known, expected: String, actual: String, cause: &str) -> Blame {
    Blame { path: format!("header:{}", known.shown()), expected, actual, cause: cause.to_owned(), source: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_names() {
        for (text, has) in [
            ("nginx/1.25.3", true),
            ("PHP/8", true),
            ("gws/v2", true),
            ("Kestrel 7.0", true),
            ("nginx", false),
            ("Express", false),
            ("ASP.NET", false),
            ("cloudflare", false),
            ("a.b/c.", false),
            ("HTTP2", false),
        ] {
            assert_eq!(has_version(text), has, "{text}");
        }
    }
}
