//! `format`, asserted for those formats that clients rely on. Formats of other names say nothing here.

use core::net::{Ipv4Addr, Ipv6Addr};

/// A format that is held against texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    DateTime,
    Date,
    Time,
    Email,
    Uri,
    UriReference,
    Uuid,
    Ipv4,
    Ipv6,
    Hostname,
}

impl Format {
    const NAMES: [(&str, Format); 10] = [
        ("date-time", Format::DateTime),
        ("date", Format::Date),
        ("time", Format::Time),
        ("email", Format::Email),
        ("uri", Format::Uri),
        ("uri-reference", Format::UriReference),
        ("uuid", Format::Uuid),
        ("ipv4", Format::Ipv4),
        ("ipv6", Format::Ipv6),
        ("hostname", Format::Hostname),
    ];

    pub(super) fn named(name: &str) -> Option<Format> {
        Format::NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    pub(super) fn name(self) -> &'static str {
        Format::NAMES.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }

    /// A text in this format.
    pub(super) fn sample(self) -> &'static str {
        match self {
            Format::DateTime => "2026-01-01T00:00:00Z",
            Format::Date => "2026-01-01",
            Format::Time => "00:00:00Z",
            Format::Email => "a@example.com",
            Format::Uri => "https://example.com/",
            Format::UriReference => "/",
            Format::Uuid => "00000000-0000-4000-8000-000000000000",
            Format::Ipv4 => "192.0.2.1",
            Format::Ipv6 => "2001:db8::1",
            Format::Hostname => "example.com",
        }
    }

    /// Whether a text is in this format.
    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            Format::DateTime => is_date_time(text),
            Format::Date => is_date(text),
            Format::Time => is_time(text),
            Format::Email => is_email(text),
            Format::Uri => is_uri(text, true),
            Format::UriReference => is_uri(text, false),
            Format::Uuid => is_uuid(text),
            Format::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Format::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Format::Hostname => is_hostname(text),
        }
    }
}

/// RFC 3339 §5.6, `date-time`.
fn is_date_time(text: &str) -> bool {
    text.is_ascii() && text.len() >= 20 && matches!(text.as_bytes()[10], b'T' | b't') && is_date(&text[..10]) && is_time(&text[11..])
}

/// RFC 3339 §5.6, `full-date`: a day that there is.
fn is_date(text: &str) -> bool {
    let b = text.as_bytes();
    let shape =
        b.len() == 10 && b.iter().enumerate().all(|(at, byte)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() });
    if !shape {
        return false;
    }
    let number = |range: std::ops::Range<usize>| b[range].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// RFC 3339 §5.6, `full-time`. A leap second is one only where it is 23:59:60 in UTC.
fn is_time(text: &str) -> bool {
    let b = text.as_bytes();
    let two = |at: usize| -> Option<i32> {
        let part = b.get(at..at + 2).filter(|part| part.iter().all(u8::is_ascii_digit))?;
        Some(i32::from(part[0] - b'0') * 10 + i32::from(part[1] - b'0'))
    };
    let colon = |at: usize| b.get(at) == Some(&b':');
    let (Some(hour), Some(minute), Some(second)) = (two(0), two(3), two(6)) else { return false };
    if !(colon(2) && colon(5) && hour < 24 && minute < 60 && second <= 60) {
        return false;
    }
    let mut at = 8;
    if b.get(at) == Some(&b'.') {
        let digits = b[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        at += 1 + digits;
        if digits == 0 {
            return false;
        }
    }
    let offset = match b.get(at) {
        Some(b'Z' | b'z') if b.len() == at + 1 => 0,
        Some(sign @ (b'+' | b'-')) if b.len() == at + 6 && colon(at + 3) => match (two(at + 1), two(at + 4)) {
            (Some(hours @ 0..24), Some(minutes @ 0..60)) => (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 },
            _ => return false,
        },
        _ => return false,
    };
    second < 60 || (hour * 60 + minute - offset).rem_euclid(24 * 60) == 24 * 60 - 1
}

/// RFC 5321 §4.1.2, `Mailbox`, in ASCII.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    let dots = !(local.starts_with('.') || local.ends_with('.') || local.contains(".."));
    let local = if quoted { is_quoted(&local[1..local.len() - 1]) } else { !local.is_empty() && dots && local.bytes().all(atom) };
    let literal = domain.strip_prefix('[').and_then(|domain| domain.strip_suffix(']'));
    local
        && match literal {
            Some(address) => match address.strip_prefix("IPv6:") {
                Some(address) => address.parse::<Ipv6Addr>().is_ok(),
                None => address.parse::<Ipv4Addr>().is_ok(),
            },
            None => is_hostname(domain),
        }
}

fn is_quoted(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if bytes.next().is_some_and(|byte| (32..=126).contains(&byte)) => {}
            b'"' | b'\\' => return false,
            32..=126 => {}
            _ => return false,
        }
    }
    true
}

/// RFC 3986 §3 (`URI`, with a scheme) or §4.1 (`URI-reference`).
fn is_uri(text: &str, absolute: bool) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    if !text.bytes().all(allowed) || !percent_encoded(text) {
        return false;
    }
    let (rest, fragment) = text.split_once('#').map_or((text, ""), |(rest, fragment)| (rest, fragment));
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, query)| (rest, query));
    if fragment.contains(['#', '[', ']']) || query.contains(['[', ']']) {
        return false;
    }
    let scheme = rest.split_once(':').filter(|(scheme, _)| !scheme.contains('/'));
    let rest = match scheme {
        Some((scheme, rest)) => {
            let first = scheme.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
            if !first || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
                return false;
            }
            rest
        }
        None if absolute => return false,
        None => rest,
    };
    match rest.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            is_authority(authority) && !path.contains(['[', ']'])
        }
        None => !rest.contains(['[', ']']),
    }
}

/// Every `%` begins the code of a byte.
fn percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|part| part.as_bytes().get(..2).is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit)))
}

/// RFC 3986 §3.2.
fn is_authority(text: &str) -> bool {
    let host = match text.rsplit_once('@') {
        Some((user, host)) if !user.contains(['@', '[', ']']) => host,
        Some(_) => return false,
        None => text,
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').is_some_and(|(address, port)| {
            let future = address.starts_with(['v', 'V']) && address.contains('.');
            (future || address.parse::<Ipv6Addr>().is_ok()) && (port.is_empty() || port.strip_prefix(':').is_some_and(digits))
        }),
        None => {
            let (name, port) = host.split_once(':').unwrap_or((host, ""));
            !name.contains(['[', ']']) && digits(port)
        }
    }
}

/// RFC 4122 §3, of any version.
fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    let fits = |(at, byte): (usize, u8)| if dashes.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// RFC 1123 §2.1: letters, digits and hyphens, 63 a label, 253 in all. Two hyphens after two letters are for `xn--` alone
/// (RFC 5891 §4.2.3.1); what such a label decodes to is not looked at.
fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
            && (label.get(2..4) != Some("--") || label.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("xn")))
    };
    (1..=253).contains(&text.len()) && text.split('.').all(label)
}
