//! A limit in front of any target: kept, told on every answer, and kind to clients that obey.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use brownout::fault::{Effect, FaultRule, KeyPart, Limiter, Respond, RetryAfterForm};
use brownout::throttle::dialect::Dialect;
use brownout::throttle::{Algorithm, Allowance};
use brownout::units::Micros;

use super::rig::{Rig, held, identity, rule};
use crate::support::contract::shipped;
use crate::support::upstream::{Upstream, answer};

fn limiter(limit: u32, window_ms: u64, key: Vec<KeyPart>, dialect: Option<Dialect>) -> Limiter {
    let row = shipped().row_named("RATE_LIMIT_EXCEEDED", None).expect("a documented code");
    Limiter {
        algorithm: Algorithm::TokenBucket,
        allowance: Allowance { limit, window: Micros::from_millis(window_ms) },
        cost: 1,
        key,
        dialect,
        refusal: Respond::Error { row, retry_after: None, retry_after_form: RetryAfterForm::Seconds },
    }
}

fn limited(limiter: Limiter) -> Vec<FaultRule> {
    vec![rule("the limit", Effect::Limiter(Box::new(limiter)))]
}

fn ok() -> Upstream {
    Upstream::always(answer("200 OK", "fine"))
}

fn get(arrival: u64, header: &str) -> String {
    format!("GET /v1/models HTTP/1.1\r\nHost: api.example.test\r\n{header}{}\r\n", identity(arrival, 1))
}

#[test]
fn whoever_has_spent_the_limit_is_refused_with_a_conforming_answer() {
    let upstream = ok();
    let rules = limited(limiter(2, 20_000, Vec::new(), None));
    let rig = Rig::with(upstream.address(), rules, |settings| settings.contract = held(shipped()));
    let statuses: Vec<u16> = (0..3).map(|arrival| rig.ask(&get(arrival, "")).status()).collect();
    assert_eq!(statuses, [200, 200, 429]);
    let refused = rig.ask(&get(3, ""));
    assert_eq!((refused.header("x-ratelimit-limit"), refused.header("x-ratelimit-remaining")), (Some("2"), Some("0")));
    let wait: u64 = refused.header("retry-after").expect("a wait").parse().expect("seconds");
    assert!((8..=11).contains(&wait), "one of two in twenty seconds: {wait}");
    assert!(refused.header("x-brownout-injected").is_some_and(|injected| injected.starts_with("the limit;")));
    let tally = rig.stop();
    assert_eq!((tally.rules[0].eligible, tally.rules[0].planned, tally.rules[0].fired, tally.forwarded), (4, 2, 2, 2));
    assert!(tally.infidelities.is_empty(), "{:?}", tally.infidelities);
}

#[test]
fn the_same_numbers_stand_on_answers_that_pass() {
    let upstream = ok();
    let rules = limited(limiter(3, 60_000, Vec::new(), Some(Dialect::RateLimit07)));
    let rig = Rig::with(upstream.address(), rules, |settings| settings.contract = held(shipped()));
    let told: Vec<_> = (0..4)
        .map(|arrival| {
            let answer = rig.ask(&get(arrival, ""));
            (answer.status(), answer.header("ratelimit-remaining").map(str::to_owned), answer.header("retry-after").is_some())
        })
        .collect();
    let expected = [(200, "2", false), (200, "1", false), (200, "0", false), (429, "0", true)];
    assert_eq!(told, expected.map(|(status, remaining, waits)| (status, Some(remaining.to_owned()), waits)));
}

#[test]
fn keys_are_kept_apart_and_not_kept() {
    let upstream = ok();
    let key = vec![KeyPart::Header(http::header::AUTHORIZATION)];
    let rig = Rig::with(upstream.address(), limited(limiter(1, 60_000, key, None)), |settings| settings.contract = held(shipped()));
    let asked = ["Authorization: Bearer a\r\n", "Authorization: Bearer a\r\n", "Authorization: Bearer b\r\n", "", ""];
    let statuses: Vec<u16> = asked.iter().enumerate().map(|(arrival, header)| rig.ask(&get(arrival as u64, header)).status()).collect();
    assert_eq!(statuses, [200, 429, 200, 200, 429]);
}

#[test]
fn a_client_that_waits_as_long_as_it_was_told_is_admitted() {
    let upstream = ok();
    for (dialect, wait) in [
        (None, "retry-after"),
        (Some(Dialect::Azure), "retry-after-ms"),
        (Some(Dialect::XRateLimitEpoch), "x-ratelimit-reset"),
        (Some(Dialect::OpenAi), "x-ratelimit-reset-requests"),
    ] {
        // One permit every 300 ms.
        let rules = limited(limiter(1, 300, Vec::new(), dialect));
        let rig = Rig::with(upstream.address(), rules, |settings| settings.contract = held(shipped()));
        for round in 0..2 {
            assert_eq!(rig.ask(&get(2 * round, "")).status(), 200, "{wait}");
            let refused = rig.ask(&get(2 * round + 1, ""));
            let heard = Instant::now();
            assert_eq!(refused.status(), 429, "{wait}");
            let told = refused.header(wait).expect("a hint");
            let pause = match wait {
                "retry-after" => Duration::from_secs(told.parse().expect("seconds")),
                "retry-after-ms" => Duration::from_millis(told.parse().expect("milliseconds")),
                "x-ratelimit-reset-requests" => {
                    let ms = told.strip_suffix("ms").map(|ms| ms.parse().expect("milliseconds"));
                    Duration::from_millis(ms.unwrap_or(0))
                }
                _ => {
                    let reset = UNIX_EPOCH + Duration::from_secs(told.parse().expect("a Unix time"));
                    reset.duration_since(SystemTime::now()).unwrap_or_default()
                }
            };
            assert!(pause <= Duration::from_secs(2), "{wait}: {pause:?}");
            std::thread::sleep(pause.saturating_sub(heard.elapsed()));
        }
        assert_eq!(rig.ask(&get(9, "")).status(), 200, "{wait}");
    }
}
