//! The header fields that HTTP itself defines and checks look at, found in one pass over the head of an answer.
//!
//! Looking each of them up by name would cost more than all checks together; what is found here is a reference each.

use http::{HeaderMap, HeaderValue};

use crate::contract::instant;
use crate::contract::name::is_same;

macro_rules! known {
    ($($(#[$doc:meta])* $variant:ident $lower:literal $shown:literal,)*) => {
        /// A header field that checks look at.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::contract) enum Known { $($(#[$doc])* $variant,)* }

        impl Known {
            const ALL: &[Known] = &[$(Known::$variant,)*];

            /// The name as documents write it.
            pub(super) const fn shown(self) -> &'static str {
                match self { $(Known::$variant => $shown,)* }
            }

            /// The name as HTTP libraries have it.
            const fn lower(self) -> &'static str {
                match self { $(Known::$variant => $lower,)* }
            }
        }
    };
}

known! {
    Age "age" "Age",
    Allow "allow" "Allow",
    CacheControl "cache-control" "Cache-Control",
    ContentEncoding "content-encoding" "Content-Encoding",
    ContentLength "content-length" "Content-Length",
    ContentLocation "content-location" "Content-Location",
    ContentRange "content-range" "Content-Range",
    ContentType "content-type" "Content-Type",
    ContentTypeOptions "x-content-type-options" "X-Content-Type-Options",
    Date "date" "Date",
    ETag "etag" "ETag",
    Expires "expires" "Expires",
    LastModified "last-modified" "Last-Modified",
    Location "location" "Location",
    PoweredBy "x-powered-by" "X-Powered-By",
    ProxyAuthenticate "proxy-authenticate" "Proxy-Authenticate",
    RateLimit "ratelimit" "RateLimit",
    RateLimitLimit "ratelimit-limit" "RateLimit-Limit",
    RateLimitRemaining "ratelimit-remaining" "RateLimit-Remaining",
    RateLimitReset "ratelimit-reset" "RateLimit-Reset",
    RetryAfter "retry-after" "Retry-After",
    Server "server" "Server",
    TransferEncoding "transfer-encoding" "Transfer-Encoding",
    Upgrade "upgrade" "Upgrade",
    WwwAuthenticate "www-authenticate" "WWW-Authenticate",
    /// Not of HTTP, but of most contracts.
    XRequestId "x-request-id" "X-Request-Id",
    XRateLimitLimit "x-ratelimit-limit" "X-RateLimit-Limit",
    XRateLimitRemaining "x-ratelimit-remaining" "X-RateLimit-Remaining",
    XRateLimitReset "x-ratelimit-reset" "X-RateLimit-Reset",
}

const COUNT: usize = Known::ALL.len();

/// The known fields by [`slot`], each alone in its own: a name is compared with one of them at most.
const SLOTS: [Option<Known>; 64] = {
    let mut slots = [None; 64];
    let mut ix = 0;
    while ix < COUNT {
        let at = slot(Known::ALL[ix].lower().as_bytes());
        assert!(slots[at].is_none(), "two known fields share a slot: choose other factors");
        slots[at] = Some(Known::ALL[ix]);
        ix += 1;
    }
    slots
};

/// A number that no two known names share.
const fn slot(name: &[u8]) -> usize {
    let length = name.len();
    if length < 3 { 0 } else { (length * 7 + name[length - 3] as usize * 15 + name[length / 2] as usize) % 64 }
}

impl Known {
    /// Which of them a name in lower case is.
    pub(super) fn of(name: &str) -> Option<Known> {
        SLOTS[slot(name.as_bytes())].filter(|known| is_same(known.lower(), name))
    }

    /// Whether its value is no list, so that it may be there once (RFC 9110 §5.3).
    pub(super) const fn is_single(self) -> bool {
        matches!(
            self,
            Known::Age
                | Known::ContentLength
                | Known::ContentLocation
                | Known::ContentRange
                | Known::ContentType
                | Known::Date
                | Known::ETag
                | Known::Expires
                | Known::LastModified
                | Known::Location
                | Known::RateLimitLimit
                | Known::RateLimitRemaining
                | Known::RateLimitReset
                | Known::RetryAfter
                | Known::XRateLimitLimit
                | Known::XRateLimitRemaining
                | Known::XRateLimitReset
        )
    }

    /// Whether it says how much of a limit is left, in any of the vocabularies that are in use.
    pub(super) const fn is_rate(self) -> bool {
        matches!(
            self,
            Known::RateLimit
                | Known::RateLimitLimit
                | Known::RateLimitRemaining
                | Known::RateLimitReset
                | Known::XRateLimitLimit
                | Known::XRateLimitRemaining
                | Known::XRateLimitReset
        )
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The known fields of one answer: of a repeated one the first.
#[derive(Clone, Debug, Default)]
pub struct Head<'h> {
    fields: [Option<&'h HeaderValue>; COUNT],
    /// A bit for each that is there again.
    repeated: u32,
    /// The Date field, in microseconds since the Unix epoch, where it can be read.
    pub(super) date_us: Option<i64>,
    /// The bytes of the longest value but that of the first Date.
    pub(super) longest: usize,
}

impl<'h> Head<'h> {
    pub(super) fn of(headers: &'h HeaderMap) -> Head<'h> {
        let mut head = Head { fields: [None; COUNT], repeated: 0, date_us: None, longest: 0 };
        for (name, value) in headers {
            let known = Known::of(name.as_str());
            match known.map(|known| (known, &mut head.fields[known as usize])) {
                Some((known, free @ None)) => {
                    *free = Some(value);
                    if known == Known::Date {
                        continue;
                    }
                }
                Some((known, Some(_))) => head.repeated |= known.bit(),
                None => {}
            }
            head.longest = head.longest.max(value.len());
        }
        head.date_us = head.date();
        head
    }

    /// The field as it came; of a repeated one the first.
    pub(super) fn value(&self, known: Known) -> Option<&'h HeaderValue> {
        self.fields[known as usize]
    }

    /// Whether it is there more than once.
    pub(super) const fn is_repeated(&self, known: Known) -> bool {
        self.repeated & known.bit() != 0
    }

    /// Whether it is there.
    pub(super) fn has(&self, known: Known) -> bool {
        self.fields[known as usize].is_some()
    }

    /// Its value, without white space around it; `None` where it is absent or not text.
    pub(super) fn text(&self, known: Known) -> Option<&'h str> {
        self.fields[known as usize]?.to_str().ok().map(str::trim_ascii)
    }

    /// The Date field as a moment. Most are seen to be dates without being read as text before: but for the day, every byte
    /// of one counts.
    fn date(&self) -> Option<i64> {
        let bytes = self.value(Known::Date)?.as_bytes();
        let usual = if bytes.iter().take(3).all(u8::is_ascii_graphic) { instant::fixdate(bytes) } else { None };
        usual.or_else(|| self.text(Known::Date).and_then(instant::http_date))
    }

    /// Those that are there more than once.
    pub(super) fn repeated(&self) -> impl Iterator<Item = Known> {
        let repeated = self.repeated;
        let known: &[Known] = if repeated == 0 { &[] } else { Known::ALL };
        known.iter().copied().filter(move |known| repeated & known.bit() != 0)
    }

    /// The first that says how much of a limit is left.
    pub(super) fn rate(&self) -> Option<Known> {
        Known::ALL.iter().copied().find(|&known| known.is_rate() && self.has(known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_fields_are_found_whatever_else_is_there_and_the_first_of_two_counts() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-else", "1"), ("age", " 5 "), ("age", "6"), ("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("allow", "GET")] {
            headers.append(name, value.parse().unwrap());
        }
        let head = Head::of(&headers);
        assert_eq!((head.text(Known::Age), head.has(Known::Allow), head.has(Known::ETag)), (Some("5"), true, false));
        assert_eq!(head.repeated().collect::<Vec<_>>(), [Known::Age]);
        assert_eq!((head.date_us, head.rate()), (Some(784_111_777_000_000), None));
    }

    #[test]
    fn every_known_field_has_a_bit_and_its_own_name() {
        const { assert!(COUNT <= 32) };
        for &known in Known::ALL {
            assert_eq!(Known::of(&known.shown().to_ascii_lowercase()), Some(known));
        }
    }
}
