//! The lines of an answer's head: what can be understood is, and what is odd about it is said.

use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::answer::Oddities;

/// Header fields of one answer at most.
pub(super) const FIELDS: usize = 256;
/// Bytes kept of a reason phrase.
const REASON: usize = 256;

/// Status, version and reason of a status line; `None` where it is none.
///
/// Source: RFC 9112 §4. The reason may be missing, and the space before it.
pub(super) fn status_line(line: &[u8], odd: &mut Oddities) -> Option<(u16, Version, String)> {
    let rest = line.strip_prefix(b"HTTP/")?;
    let at = rest.iter().position(|byte| *byte == b' ')?;
    let version = match &rest[..at] {
        b"1.1" => Version::HTTP_11,
        b"1.0" => Version::HTTP_10,
        [b'0'..=b'9'] | [b'0'..=b'9', b'.', b'0'..=b'9'] => {
            odd.note("an HTTP version other than 1.0 and 1.1");
            Version::HTTP_11
        }
        _ => return None,
    };
    let rest = &rest[at..];
    let trimmed = rest.trim_ascii_start();
    if rest.len() - trimmed.len() > 1 {
        odd.note("more than one space in the status line");
    }
    let (digits, reason) = trimmed.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) || !matches!(reason.first(), None | Some(b' ')) {
        return None;
    }
    if reason.is_empty() {
        odd.note("a status line without the space after the status");
    }
    let status = digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    let reason = reason.get(1..).unwrap_or_default();
    Some((status, version, String::from_utf8_lossy(&reason[..reason.len().min(REASON)]).into_owned()))
}

/// Adds one field line, its continuation lines joined already. What a `HeaderMap` cannot hold is left out, and noted.
pub(super) fn field(line: &[u8], headers: &mut HeaderMap, odd: &mut Oddities) {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        odd.note("a header line without a colon");
        return;
    };
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let trimmed = name.trim_ascii_end();
    if trimmed.len() < name.len() {
        odd.note("white space before the colon of a header");
    }
    let Ok(name) = HeaderName::from_bytes(trimmed) else {
        odd.note(if trimmed.is_empty() { "a header without a name" } else { "a header name with characters it must not have" });
        return;
    };
    match HeaderValue::from_bytes(value) {
        Ok(value) => drop(headers.append(name, value)),
        Err(_) => odd.note("a header value with control characters"),
    }
}

/// How the end of a message is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// It has no content, whatever its headers say.
    Nothing,
    Length(u64),
    Chunked,
    /// The connection is closed after it.
    Close,
    /// Its headers make no sense: when the connection is closed, or nothing more comes.
    Unknown,
}

/// How the end of an answer is found.
///
/// Source: RFC 9112 §6.3. Where lengths differ, the smallest is waited for: what comes after it is surplus.
pub(super) fn framing(request_method: &str, status: u16, version: Version, headers: &HeaderMap, odd: &mut Oddities) -> Framing {
    let tunnel = request_method == "CONNECT" && (200..300).contains(&status);
    if request_method == "HEAD" || matches!(status, 101 | 204 | 304) || tunnel {
        return Framing::Nothing;
    }
    let mut codings = headers.get_all("transfer-encoding").iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut chunked_before = false;
    let last = codings.by_ref().map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty()).fold(None, |last: Option<&[u8]>, coding| {
        chunked_before |= last.is_some_and(is_chunked);
        Some(coding)
    });
    let Some(last) = last else { return by_length(headers, odd) };
    if version == Version::HTTP_10 {
        odd.note("Transfer-Encoding in an answer of HTTP/1.0");
    }
    if headers.contains_key("content-length") {
        odd.note("Content-Length beside Transfer-Encoding");
    }
    match () {
        () if chunked_before => {
            odd.note("chunked is not the last transfer coding, or stands there twice");
            if is_chunked(last) { Framing::Chunked } else { Framing::Close }
        }
        () if is_chunked(last) => Framing::Chunked,
        () => Framing::Close,
    }
}

fn is_chunked(coding: &[u8]) -> bool {
    coding.eq_ignore_ascii_case(b"chunked")
}

fn by_length(headers: &HeaderMap, odd: &mut Oddities) -> Framing {
    let values = headers.get_all("content-length").iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let lengths: Vec<Option<u64>> = values.map(|value| length(value.trim_ascii())).collect();
    let Some(first) = lengths.first() else { return Framing::Close };
    if lengths.contains(&None) {
        odd.note("a Content-Length that is no number");
        return Framing::Unknown;
    }
    if lengths.len() > 1 {
        let same = lengths.iter().all(|length| length == first);
        odd.note(if same { "Content-Length more than once" } else { "Content-Length values that differ" });
    }
    lengths.into_iter().flatten().min().map_or(Framing::Close, Framing::Length)
}

/// A number of decimal digits and nothing else, not even a sign.
fn length(text: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

/// The size in a chunk's first line; `None` where it is none.
///
/// Source: RFC 9112 §7.1. An extension after `;` is passed over.
pub(super) fn chunk_size(line: &[u8], odd: &mut Oddities) -> Option<u64> {
    let size = line.split(|byte| *byte == b';').next().unwrap_or(line);
    let trimmed = size.trim_ascii();
    if trimmed.len() < size.len() {
        odd.note("white space around a chunk size");
    }
    let digits = std::str::from_utf8(trimmed).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u64::from_str_radix(digits, 16).ok()
}
