//! A request as bytes: what is given, and what frames it.

use super::{RawBody, RawHeader, RawRequest};

/// The head of a request, its empty line included.
pub(super) fn head(request: &RawRequest<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    for part in [request.method, " ", request.target, " HTTP/1.1\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
    let mut field = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    };
    request.headers.iter().for_each(|(name, value)| field(name, value));
    if let Some((name, value)) = framing(request.body)
        && !names(request.headers, "content-length")
        && !names(request.headers, "transfer-encoding")
    {
        field(name, value.as_bytes());
    }
    if request.expect_continue && !names(request.headers, "expect") {
        field("Expect", b"100-continue");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// The header that a body needs.
fn framing(body: RawBody<'_>) -> Option<(&'static str, String)> {
    match body {
        RawBody::None | RawBody::Unframed(_) => None,
        RawBody::Bytes(bytes) | RawBody::Slow { bytes, .. } => Some(("Content-Length", bytes.len().to_string())),
        RawBody::Declared { length, .. } => Some(("Content-Length", length.to_string())),
        RawBody::Chunked(_) => Some(("Transfer-Encoding", "chunked".to_owned())),
    }
}

fn names(headers: &[RawHeader<'_>], name: &str) -> bool {
    headers.iter().any(|(given, _)| given.trim().eq_ignore_ascii_case(name))
}
