//! A frozen hash over parts of a request: the same in every version, so that draws keyed by it are too.

use crate::seed::Seed;

/// FNV-1a over bytes, mixed at the end. Of equal parts it is equal; parts are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// A digest of nothing yet, for one purpose.
    pub fn new(purpose: u8) -> Digest {
        Digest(0xcbf2_9ce4_8422_2325).byte(purpose)
    }

    /// Adds one part.
    #[must_use]
    pub fn with(self, part: &[u8]) -> Digest {
        self.bytes(part).byte(0xff).byte(0x00)
    }

    /// Adds bytes without ending a part.
    #[must_use]
    pub fn bytes(self, part: &[u8]) -> Digest {
        part.iter().fold(self, |digest, byte| digest.byte(*byte))
    }

    fn byte(self, byte: u8) -> Digest {
        Digest((self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// The number.
    pub fn finish(self) -> u64 {
        Seed(self.0).draw("").bits()
    }
}

/// The digest of a body as sent; of multipart without its boundary, which differs in every attempt.
pub fn body(content_type: Option<&[u8]>, body: &[u8]) -> u64 {
    let empty = Digest::new(b'b');
    let Some(boundary) = content_type.and_then(boundary) else { return empty.with(body).finish() };
    let mut digest = empty;
    let mut rest = body;
    while let Some(at) = memchr::memmem::find(rest, boundary) {
        digest = digest.bytes(&rest[..at]);
        rest = &rest[at + boundary.len()..];
    }
    digest.with(rest).finish()
}

/// The boundary that a multipart type names; one too short to be told from content does not count.
fn boundary(content_type: &[u8]) -> Option<&[u8]> {
    let multipart = content_type.get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"));
    let at = memchr::memmem::find(content_type, b"boundary=").filter(|_| multipart)? + b"boundary=".len();
    let rest = content_type.get(at..)?;
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    let end = rest.iter().position(|byte| matches!(byte, b'"' | b';' | b' ')).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|boundary| boundary.len() >= 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_apart_and_the_number_is_frozen() {
        assert_ne!(Digest::new(0).with(b"ab").with(b"c").finish(), Digest::new(0).with(b"a").with(b"bc").finish());
        assert_ne!(Digest::new(0).with(b"a").finish(), Digest::new(1).with(b"a").finish());
        assert_eq!(Digest::new(0).with(b"a").finish(), Digest::new(0).with(b"a").finish());
    }

    #[test]
    fn a_multipart_body_is_the_same_under_another_boundary() {
        let part = |boundary: &str| {
            let kind = format!("multipart/form-data; boundary={boundary}");
            let text = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--{boundary}--\r\n");
            body(Some(kind.as_bytes()), text.as_bytes())
        };
        assert_eq!(part("----f00dcafe01"), part("----f00dcafe02"));
        assert_ne!(body(Some(b"application/json"), b"----f00dcafe01"), body(Some(b"application/json"), b"----f00dcafe02"));
    }
}
