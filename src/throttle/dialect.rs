//! How a server tells of its limits in headers: the same numbers in the spellings that clients meet.
//!
//! | word | headers | reset |
//! |---|---|---|
//! | `x-ratelimit` | `X-RateLimit-Limit`, `-Remaining`, `-Reset` | seconds from now |
//! | `x-ratelimit-epoch` | the same | Unix time |
//! | `ratelimit-07` | `RateLimit-Limit`, `-Remaining`, `-Reset` (draft-ietf-httpapi-ratelimit-headers-07 and before) | seconds from now |
//! | `ratelimit-10` | `RateLimit-Policy: "p";q=100;w=60`, `RateLimit: "p";r=0;t=12` (draft 10) | seconds from now |
//! | `openai` | `x-ratelimit-limit-requests`, `-remaining-requests`, `-reset-requests` | a duration, `6m0s` |
//! | `anthropic` | `anthropic-ratelimit-requests-limit`, `-remaining`, `-reset` | RFC 3339 |
//! | `azure` | `x-ratelimit-limit-requests`, `-remaining-requests`; `retry-after-ms`, `x-ms-retry-after-ms` where refused | none |
//!
//! Every one of them says `Retry-After` in whole seconds where a request was refused, and no reset is later than that.
//! What is rounded is rounded up: never does a client that obeys come too early.

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Allowance, Standing};

/// A spelling of limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    XRateLimit,
    XRateLimitEpoch,
    RateLimit07,
    RateLimit10,
    OpenAi,
    Anthropic,
    Azure,
}

impl Dialect {
    /// Every dialect with its word in plans.
    pub const WORDS: [(&'static str, Dialect); 7] = [
        ("x-ratelimit", Dialect::XRateLimit),
        ("x-ratelimit-epoch", Dialect::XRateLimitEpoch),
        ("ratelimit-07", Dialect::RateLimit07),
        ("ratelimit-10", Dialect::RateLimit10),
        ("openai", Dialect::OpenAi),
        ("anthropic", Dialect::Anthropic),
        ("azure", Dialect::Azure),
    ];

    /// Writes into the headers of an answer what its request left of the limit, over whatever stood there.
    pub fn write(self, allowance: Allowance, standing: &Standing, now_unix_us: i64, headers: &mut HeaderMap) {
        let mut say = |name: &'static str, text: String| {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        let (limit, remaining) = (allowance.limit.to_string(), standing.remaining.to_string());
        let reset_in_s = standing.reset_in().0.div_ceil(1_000_000);
        let reset_s = reset_unix_s(standing, now_unix_us);
        match self {
            Dialect::XRateLimit | Dialect::XRateLimitEpoch => {
                say("x-ratelimit-limit", limit);
                say("x-ratelimit-remaining", remaining);
                say("x-ratelimit-reset", if self == Dialect::XRateLimit { reset_in_s.to_string() } else { reset_s.to_string() });
            }
            Dialect::RateLimit07 => {
                say("ratelimit-limit", limit);
                say("ratelimit-remaining", remaining);
                say("ratelimit-reset", reset_in_s.to_string());
            }
            Dialect::RateLimit10 => {
                say("ratelimit-policy", format!("\"default\";q={limit};w={}", allowance.window.0.div_ceil(1_000_000)));
                say("ratelimit", format!("\"default\";r={remaining};t={reset_in_s}"));
            }
            Dialect::OpenAi => {
                say("x-ratelimit-limit-requests", limit);
                say("x-ratelimit-remaining-requests", remaining);
                say("x-ratelimit-reset-requests", duration(standing.reset_in().0.div_ceil(1_000)));
            }
            Dialect::Anthropic => {
                say("anthropic-ratelimit-requests-limit", limit);
                say("anthropic-ratelimit-requests-remaining", remaining);
                say("anthropic-ratelimit-requests-reset", rfc3339(reset_s));
            }
            Dialect::Azure => {
                say("x-ratelimit-limit-requests", limit);
                say("x-ratelimit-remaining-requests", remaining);
                if !standing.admitted {
                    let wait_ms = standing.wait.0.div_ceil(1_000).to_string();
                    say("retry-after-ms", wait_ms.clone());
                    say("x-ms-retry-after-ms", wait_ms);
                }
            }
        }
        if !standing.admitted {
            let wait_s = if self.tells_instants() { retry_after_s(standing, now_unix_us) } else { standing.retry_after_s() };
            headers.insert(RETRY_AFTER, HeaderValue::from(wait_s));
        }
    }

    /// Whether the reset is a point in time, to which the Retry-After beside it must not be earlier.
    const fn tells_instants(self) -> bool {
        matches!(self, Dialect::XRateLimitEpoch | Dialect::Anthropic)
    }
}

/// The reset as Unix time in whole seconds, rounded up.
pub fn reset_unix_s(standing: &Standing, now_unix_us: i64) -> i64 {
    ceil_s(now_unix_us.saturating_add_unsigned(standing.reset_in().0))
}

/// The Retry-After beside a reset that is a point in time: whole seconds from the second that it is now, up to a second
/// longer than the [shortest](Standing::retry_after_s) that would do. Both then name the same instant.
pub fn retry_after_s(standing: &Standing, now_unix_us: i64) -> u64 {
    let admitted_s = ceil_s(now_unix_us.saturating_add_unsigned(standing.wait.0));
    u64::try_from(admitted_s - now_unix_us.div_euclid(1_000_000)).unwrap_or(0).max(u64::from(!standing.admitted))
}

fn ceil_s(unix_us: i64) -> i64 {
    unix_us.div_euclid(1_000_000) + i64::from(unix_us.rem_euclid(1_000_000) > 0)
}

/// `0s`, `120ms`, `1.5s`, `6m0s`, `1h0m0s`: a duration as Go prints it, in milliseconds.
fn duration(ms: u64) -> String {
    let (hours, minutes, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms % 60_000);
    if hours == 0 && minutes == 0 && ms > 0 && ms < 1_000 {
        return format!("{ms}ms");
    }
    let fraction = format!("{:03}", ms % 1_000);
    let fraction = fraction.trim_end_matches('0');
    let seconds = if fraction.is_empty() { format!("{}s", ms / 1_000) } else { format!("{}.{fraction}s", ms / 1_000) };
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

fn rfc3339(unix_s: i64) -> String {
    jiff::Timestamp::from_second(unix_s).unwrap_or(jiff::Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Micros;

    /// 2026-11-22T12:00:00.9Z
    const NOW: i64 = 1_795_348_800_900_000;

    fn written(dialect: Dialect, standing: &Standing) -> Vec<String> {
        let allowance = Allowance { limit: 100, window: Micros::from_secs(60) };
        let mut headers = HeaderMap::new();
        dialect.write(allowance, standing, NOW, &mut headers);
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("printable ASCII"))).collect();
        lines.sort();
        lines
    }

    fn refused(wait_ms: u64) -> Standing {
        Standing { admitted: false, limit: 100, remaining: 0, wait: Micros::from_millis(wait_ms), whole_in: Micros::from_secs(60) }
    }

    #[test]
    fn a_refusal_is_told_in_every_dialect() {
        let told: Vec<(&str, Vec<String>)> =
            Dialect::WORDS.iter().map(|&(word, dialect)| (word, written(dialect, &refused(12_250)))).collect();
        let expected: [(&str, &[&str]); 7] = [
            ("x-ratelimit", &["retry-after: 13", "x-ratelimit-limit: 100", "x-ratelimit-remaining: 0", "x-ratelimit-reset: 13"]),
            (
                "x-ratelimit-epoch",
                &["retry-after: 14", "x-ratelimit-limit: 100", "x-ratelimit-remaining: 0", "x-ratelimit-reset: 1795348814"],
            ),
            ("ratelimit-07", &["ratelimit-limit: 100", "ratelimit-remaining: 0", "ratelimit-reset: 13", "retry-after: 13"]),
            ("ratelimit-10", &["ratelimit-policy: \"default\";q=100;w=60", "ratelimit: \"default\";r=0;t=13", "retry-after: 13"]),
            (
                "openai",
                &[
                    "retry-after: 13",
                    "x-ratelimit-limit-requests: 100",
                    "x-ratelimit-remaining-requests: 0",
                    "x-ratelimit-reset-requests: 12.25s",
                ],
            ),
            (
                "anthropic",
                &[
                    "anthropic-ratelimit-requests-limit: 100",
                    "anthropic-ratelimit-requests-remaining: 0",
                    "anthropic-ratelimit-requests-reset: 2026-11-22T12:00:14Z",
                    "retry-after: 14",
                ],
            ),
            (
                "azure",
                &[
                    "retry-after-ms: 12250",
                    "retry-after: 13",
                    "x-ms-retry-after-ms: 12250",
                    "x-ratelimit-limit-requests: 100",
                    "x-ratelimit-remaining-requests: 0",
                ],
            ),
        ];
        for ((word, told), (expected_word, expected)) in told.iter().zip(expected) {
            assert_eq!((*word, told.iter().map(String::as_str).collect::<Vec<_>>().as_slice()), (expected_word, expected));
        }
    }

    #[test]
    fn an_admission_is_told_without_a_retry_after_and_until_the_limit_is_whole() {
        let admitted = Standing { admitted: true, limit: 100, remaining: 7, wait: Micros::ZERO, whole_in: Micros::from_millis(55_801) };
        assert_eq!(
            written(Dialect::XRateLimit, &admitted),
            ["x-ratelimit-limit: 100", "x-ratelimit-remaining: 7", "x-ratelimit-reset: 56"]
        );
        for (_, dialect) in Dialect::WORDS {
            assert!(written(dialect, &admitted).iter().all(|line| !line.contains("retry-after")), "{dialect:?}");
        }
    }

    #[test]
    fn no_rounding_sends_a_client_back_too_early() {
        for wait_us in [1, 99_999, 100_000, 100_001, 999_999, 1_000_000, 1_100_001, 59_999_999] {
            for now in [NOW, NOW - 900_000, NOW + 99_999, NOW + 100_000] {
                let standing = Standing { wait: Micros(wait_us), ..refused(0) };
                let admitted_us = now + wait_us as i64;
                let reset = reset_unix_s(&standing, now);
                assert!(reset * 1_000_000 >= admitted_us && (reset - 1) * 1_000_000 < admitted_us);
                let wait_s = retry_after_s(&standing, now) as i64;
                assert!(now + wait_s * 1_000_000 >= reset * 1_000_000, "a Retry-After is not earlier than the reset");
                assert!(wait_s <= wait_us as i64 / 1_000_000 + 2);
            }
        }
    }

    #[test]
    fn durations_are_written_as_go_does() {
        let written = [0, 1, 120, 999, 1_000, 1_500, 59_999, 60_000, 360_000, 3_600_000, 5_025_250].map(duration);
        assert_eq!(written, ["0s", "1ms", "120ms", "999ms", "1s", "1.5s", "59.999s", "1m0s", "6m0s", "1h0m0s", "1h23m45.25s"]);
    }
}
