//! JSON Pointers (RFC 6901), alone and as the fragment of a reference.

use serde_json::Value;

/// `pointer` with one more step.
pub(super) fn join(pointer: &str, step: &str) -> String {
    if step.contains(['~', '/']) {
        return format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"));
    }
    format!("{pointer}/{step}")
}

/// The last step, unescaped; empty for the whole document.
pub(super) fn last(pointer: &str) -> String {
    unescape(pointer.rsplit_once('/').map_or("", |(_, step)| step))
}

/// The value at a pointer.
pub(super) fn find<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    value.pointer(pointer)
}

/// `%7B` in a reference stands for `{` (RFC 3986 §2.1); text that is not UTF-8 after that stays as it is.
pub(super) fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        let code =
            pair.filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit())).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match code {
            Some(code) if byte == b'%' => {
                decoded.push(code);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_escaped_and_read_back() {
        let pointer = join(&join("", "paths"), "/v1/{id}~x");
        assert_eq!(pointer, "/paths/~1v1~1{id}~0x");
        assert_eq!(last(&pointer), "/v1/{id}~x");
        let document = serde_json::json!({ "paths": { "/v1/{id}~x": 7 } });
        assert_eq!(find(&document, &pointer), Some(&Value::from(7)));
    }

    #[test]
    fn fragments_are_percent_decoded_where_they_can_be() {
        for (given, decoded) in [("/a%7Bid%7D", "/a{id}"), ("/100%", "/100%"), ("/%zz%4", "/%zz%4"), ("/%ff", "/%ff"), ("/%c3%bc", "/ü")] {
            assert_eq!(percent_decoded(given), decoded);
        }
    }
}
