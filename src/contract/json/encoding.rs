//! How the bytes of a body become text.

use std::borrow::Cow;

/// The encoding of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    /// UTF-8 that begins with a byte order mark.
    Utf8WithMark,
    /// UTF-16, either byte order.
    Utf16,
    /// Anything else: bytes of it are shown as U+FFFD.
    Other,
}

impl Encoding {
    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Utf8WithMark => "a byte order mark",
            Encoding::Utf16 => "UTF-16",
            Encoding::Other => "bytes that are not UTF-8",
        }
    }
}

/// The text of a body, borrowed where it is UTF-8.
///
/// A JSON text begins with an ASCII character, so that a NUL among its first two bytes means UTF-16 (RFC 4627 §3).
pub(super) fn text_of(body: &[u8]) -> (Cow<'_, str>, Encoding) {
    let utf16 = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let text: String = char::decode_utf16(units).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        (Cow::Owned(text), Encoding::Utf16)
    };
    match body {
        [0xff, 0xfe, rest @ ..] => return utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return utf16(rest, u16::from_be_bytes),
        [1..=0xff, 0, _, _, ..] => return utf16(body, u16::from_le_bytes),
        [0, 1..=0xff, _, _, ..] => return utf16(body, u16::from_be_bytes),
        _ => {}
    }
    let (rest, encoding) = match body.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (rest, Encoding::Utf8WithMark),
        None => (body, Encoding::Utf8),
    };
    match std::str::from_utf8(rest) {
        Ok(text) => (Cow::Borrowed(text), encoding),
        Err(_) => (String::from_utf8_lossy(rest), Encoding::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_known_by_its_bytes() {
        let text = "{\"a\": \"é𝄞\"}";
        let wide = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let marked = |mark: &[u8], rest: &[u8]| [mark, rest].concat();
        for (body, encoding) in [
            (text.as_bytes().to_vec(), Encoding::Utf8),
            (marked(b"\xef\xbb\xbf", text.as_bytes()), Encoding::Utf8WithMark),
            (wide(u16::to_le_bytes), Encoding::Utf16),
            (wide(u16::to_be_bytes), Encoding::Utf16),
            (marked(b"\xff\xfe", &wide(u16::to_le_bytes)), Encoding::Utf16),
            (marked(b"\xfe\xff", &wide(u16::to_be_bytes)), Encoding::Utf16),
        ] {
            assert_eq!(text_of(&body), (Cow::Borrowed(text), encoding));
        }
        assert_eq!(text_of(b"{\"a\": \"\xe9\"}"), (Cow::Borrowed("{\"a\": \"\u{fffd}\"}"), Encoding::Other));
        assert_eq!(text_of(b""), (Cow::Borrowed(""), Encoding::Utf8));
    }
}
