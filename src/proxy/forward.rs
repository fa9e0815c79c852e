//! What passes from one hop to the next, and what does not.

use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};
use http::request;
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri, Version};

/// Makes a request that was received into the request that is sent on. Returns the protocols that the client would
/// change to: an upgrade is an agreement of both hops, and stays in the head.
pub(super) fn onward(head: &mut request::Parts) -> Option<HeaderValue> {
    let upgrade = upgrade(head);
    if head.version == Version::HTTP_2 {
        join_cookies(&mut head.headers);
    }
    head.version = Version::HTTP_11;
    // A request line may name the whole URI (RFC 9112 §3.2.2); to an origin it names the path, and its authority
    // overrules the field that says the same.
    if let Some(authority) = head.uri.authority() {
        if let Ok(host) = HeaderValue::from_str(without_user(authority.as_str())) {
            head.headers.insert(HOST, host);
        }
        head.uri = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")).into();
    }
    strip(&mut head.headers);
    if let Some(protocols) = &upgrade {
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(UPGRADE, protocols.clone());
    }
    upgrade
}

fn without_user(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// The protocols that a request would change to. HTTP/2 is not among them: it is agreed upon per hop, and an
/// upgrade to it would carry requests past every rule.
fn upgrade(head: &request::Parts) -> Option<HeaderValue> {
    let protocols = head.headers.get(UPGRADE).filter(|_| head.version == Version::HTTP_11)?;
    let named = head.headers.get_all(CONNECTION).iter().any(|value| names(value, "upgrade"));
    (named && !names(protocols, "h2c")).then(|| protocols.clone())
}

fn names(list: &HeaderValue, word: &str) -> bool {
    list.as_bytes().split(|&byte| byte == b',').any(|name| name.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// HTTP/2 may send cookies one by one; to HTTP/1.1 they are one field (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    if let (Some(_), Some(_)) = (crumbs.next(), crumbs.next()) {
        let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
            headers.insert(COOKIE, cookie);
        }
    }
}

/// Removes the fields that belong to one hop (RFC 9110 §7.6.1), and a length that the framing overrules
/// (RFC 9112 §6.3). `TE: trailers` stays, since trailers pass.
pub(super) fn strip(headers: &mut HeaderMap) {
    // Most heads have none of these: one walk over the names costs less than to look for each.
    let (mut connection, mut others) = (false, false);
    for name in headers.keys() {
        match name.as_str() {
            "connection" => connection = true,
            "keep-alive" | "proxy-connection" | "upgrade" | "te" | "transfer-encoding" => others = true,
            _ => {}
        }
    }
    if connection {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    if !others {
        return;
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
        .map(<[u8]>::trim_ascii)
        // It is removed in any case.
        .filter(|name| !name.eq_ignore_ascii_case(b"keep-alive"))
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .filter(|name| ![CONTENT_LENGTH, TRANSFER_ENCODING, HOST, TE, CONNECTION].contains(name))
        .collect()
}

/// The URI of a request for HTTP/2, which carries the authority in it and not in `Host`.
pub(super) fn absolute(head: &mut request::Parts, tls: bool) {
    for name in [CONNECTION, UPGRADE] {
        head.headers.remove(name);
    }
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

    fn sent_on(request: http::request::Builder) -> (String, HeaderMap, Option<HeaderValue>) {
        let (mut head, ()) = request.body(()).expect("a request").into_parts();
        let upgrade = onward(&mut head);
        (head.uri.to_string(), head.headers, upgrade)
    }

    #[test]
    fn an_absolute_request_line_becomes_a_path_and_overrules_the_host() {
        let (uri, headers, _) = sent_on(http::Request::builder().uri("http://u:p@other.test:81/a?b=1").header("host", "h"));
        assert_eq!((uri.as_str(), headers[HOST].as_bytes()), ("/a?b=1", &b"other.test:81"[..]));
        let (uri, ..) = sent_on(http::Request::builder().uri("http://other.test"));
        assert_eq!(uri, "/");
    }

    #[test]
    fn an_upgrade_is_kept_unless_it_is_to_http_2_or_nobody_said_that_it_is_one() {
        for (connection, protocols, kept) in [
            ("Upgrade", "websocket", true),
            ("keep-alive, Upgrade", "foo/2, bar", true),
            ("Upgrade, HTTP2-Settings", "h2c", false),
            ("Upgrade", "websocket, H2C", false),
            ("close", "websocket", false),
        ] {
            let (_, headers, upgrade) = sent_on(http::Request::builder().header("connection", connection).header("upgrade", protocols));
            assert_eq!(upgrade.is_some(), kept, "{connection} {protocols}");
            assert_eq!((headers.contains_key(UPGRADE), headers.contains_key(CONNECTION)), (kept, kept), "{connection} {protocols}");
        }
        let old = http::Request::builder().version(Version::HTTP_10).header("connection", "upgrade").header("upgrade", "x");
        assert_eq!(sent_on(old).2, None, "HTTP/1.0 has no upgrades");
    }

    #[test]
    fn what_http_2_says_in_its_own_way_is_said_as_http_1_1_does() {
        let request =
            http::Request::builder().version(Version::HTTP_2).uri("https://a.test/x").header("cookie", "a=1").header("cookie", "b=2");
        let (uri, headers, _) = sent_on(request);
        assert_eq!((uri.as_str(), headers[HOST].as_bytes(), headers[COOKIE].as_bytes()), ("/x", &b"a.test"[..], &b"a=1; b=2"[..]));
        assert_eq!(headers.get_all(COOKIE).iter().count(), 1);
    }
}
