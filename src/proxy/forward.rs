//! What passes from one hop to the next, and what does not.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::request;
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri, Version};

/// Makes a request that was received into the request that is sent on.
pub(super) fn onward(head: &mut request::Parts) {
    head.version = Version::HTTP_11;
    // A request line may name the whole URI (RFC 9112 §3.2.2); to an origin it names the path.
    if head.uri.scheme().is_some() {
        head.uri = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")).into();
    }
    strip(&mut head.headers);
}

/// Removes the fields that belong to one hop (RFC 9110 §7.6.1), and a length that the framing overrules
/// (RFC 9112 §6.3). `TE: trailers` stays, since trailers pass.
pub(super) fn strip(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, UPGRADE] {
        headers.remove(name);
    }
    if headers.get(TE).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"trailers")) {
        headers.remove(TE);
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
}

/// Of several lengths that an answer without a body speaks of (to HEAD, or 304), the first passes: hyper writes one.
pub(super) fn keep_one_length(headers: &mut HeaderMap) {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    if let (Some(first), Some(_)) = (lengths.next(), lengths.next()) {
        let first = first.clone();
        headers.insert(CONTENT_LENGTH, first);
    }
}

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// The fields that `Connection` names, but for those that no sender may name there.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let names = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    names
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| ![CONTENT_LENGTH, TRANSFER_ENCODING, HOST, TE, CONNECTION].contains(name))
        .collect()
}

/// The URI of a request for HTTP/2, which carries the authority in it and not in `Host`.
pub(super) fn absolute(head: &mut request::Parts, tls: bool) {
    let Some(host) = head.headers.remove(HOST) else { return };
    let scheme = if tls { "https" } else { "http" };
    let path = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    if let Ok(uri) = Uri::builder().scheme(scheme).authority(host.as_bytes()).path_and_query(path).build() {
        head.uri = uri;
    }
    head.version = Version::HTTP_2;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(pairs: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        strip(&mut headers);
        headers.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn what_belongs_to_one_hop_does_not_pass() {
        for (pairs, left, why) in [
            (&[("host", "h"), ("accept", "*/*")][..], &["host", "accept"][..], "nothing to remove"),
            (&[("connection", "keep-alive"), ("keep-alive", "timeout=5"), ("host", "h")], &["host"], "the classic pair"),
            (&[("connection", "close, X-Hop"), ("x-hop", "1"), ("host", "h")], &["host"], "a field that Connection names"),
            (&[("connection", "upgrade"), ("upgrade", "websocket"), ("host", "h")], &["host"], "an upgrade"),
            (&[("connection", "content-length, host"), ("host", "h"), ("content-length", "3")], &["content-length", "host"], "never these"),
            (&[("te", "trailers"), ("host", "h")], &["te", "host"], "trailers do pass"),
            (&[("te", "gzip"), ("host", "h")], &["host"], "other transfer codings do not"),
            (&[("content-length", "3"), ("transfer-encoding", "chunked")], &["transfer-encoding"], "two framings"),
        ] {
            let mut found = stripped(pairs);
            found.sort();
            let mut left: Vec<_> = left.iter().map(ToString::to_string).collect();
            left.sort();
            assert_eq!(found, left, "{why}");
        }
    }

    #[test]
    fn an_absolute_request_line_becomes_a_path() {
        let request = http::Request::builder().uri("http://other.test/a?b=1").body(()).expect("a request");
        let (mut head, ()) = request.into_parts();
        onward(&mut head);
        assert_eq!(head.uri.to_string(), "/a?b=1");
    }
}
