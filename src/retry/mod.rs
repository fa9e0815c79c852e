//! Whether a failed attempt may be repeated, and when: the policy, pure, that the engine carries out.
//!
//! [`RetryPolicy::after`] is a function of the [`Situation`] alone. What it depends on beyond the attempt (the
//! jitter's draw, the wall clock, the wait before) is handed in, so that a table can hold every case. The one
//! thing with a memory, the [`Budget`], is asked separately, after the policy has said to wait.

mod backoff;
mod budget;
mod conditions;

use std::ops::RangeInclusive;

use http::{HeaderName, Method};

pub use self::budget::Budget;
use crate::id::AttemptNumber;
use crate::seed::Draw;
use crate::units::{Micros, Ratio};
use crate::wire::{Ending, RetryAfter};

/// One `[retry.NAME]` of the plan.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    pub name: String,
    /// Attempts, not retries: 1 never repeats.
    pub attempts: u32,
    pub on: Conditions,
    pub backoff: Backoff,
    pub jitter: Jitter,
    pub retry_after: HintUse,
    pub methods: Methods,
    /// The header that carries one key over all attempts of an exchange.
    pub idempotency_header: Option<HeaderName>,
    pub budget: Option<BudgetRule>,
    /// The policy in words, for the report.
    pub spec: String,
}

/// What is worth repeating.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    pub statuses: Vec<u16>,
    /// 1 to 5, for `"5xx"`.
    pub classes: Vec<u8>,
    pub refused: bool,
    pub unresolved: bool,
    pub tls: bool,
    /// All failures before the request is written.
    pub connect: bool,
    pub reset: bool,
    pub cut: bool,
    pub timeout: bool,
    pub protocol: bool,
}

/// The wait before retry k (k from 1), before jitter and cap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Backoff {
    /// `base`
    Constant { base: Micros },
    /// `base + (k − 1) · step`, at most `cap`
    Linear { base: Micros, step: Micros, cap: Option<Micros> },
    /// `base · factor^(k − 1)`, at most `cap`
    Exponential { base: Micros, factor: f64, cap: Option<Micros> },
}

/// How the wait is spread (Brooker, *Exponential Backoff and Jitter*, AWS Architecture Blog, 2015).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    None,
    /// `U(0, wait)`
    Full,
    /// `wait/2 + U(0, wait/2)`
    Equal,
    /// `min(cap, U(base, 3 · previous wait))`
    Decorrelated,
}

/// What a server's Retry-After does to the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintUse {
    /// It replaces the back-off.
    Honour,
    Ignore,
    /// The larger of the two.
    AtLeast,
}

/// Which methods may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Idempotent ones (RFC 9110 §9.2.2), and any request that carries the policy's idempotency key.
    Idempotent,
    Any,
}

/// How many retries may be made for so many first attempts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetRule {
    /// Retries per first attempt.
    pub ratio: Ratio,
    /// Retries per second that are always allowed.
    pub min_per_second: f64,
}

/// What the policy says after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Repeat after this wait.
    Wait(Micros),
    /// Do not repeat.
    Stop(StopReason),
}

/// Why an exchange is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The attempt was a success, or its failure is not on the policy's list.
    NotRetryable,
    /// The policy's attempts are used up.
    AttemptsUsedUp,
    /// The method may not be repeated, and no idempotency key was sent.
    MethodNotIdempotent,
    /// The budget allows no retry now.
    BudgetUsedUp,
}

/// What a decision depends on beside the policy.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    pub attempt: AttemptNumber,
    pub ending: Ending,
    pub method: &'a http::Method,
    pub has_idempotency_key: bool,
    /// The server's word, if the answer had one.
    pub hint: Option<RetryAfter>,
    /// The wall clock now, for a hint that is a date.
    pub now_unix_us: i64,
    /// The wait before this attempt; `None` for the first (decorrelated jitter grows from it).
    pub previous_wait: Option<Micros>,
    /// Decides the jitter.
    pub draw: Draw,
}

impl RetryPolicy {
    /// Whether to repeat after this attempt, and after what wait, counted from the attempt's end.
    ///
    /// The order of the reasons to stop is the order of the questions: is this worth repeating at all, may it
    /// be repeated, is there an attempt left. The budget is asked separately.
    pub fn after(&self, situation: &Situation<'_>) -> Decision {
        if !self.on.include(situation.ending) {
            return Decision::Stop(StopReason::NotRetryable);
        }
        if !self.may_repeat(situation) {
            return Decision::Stop(StopReason::MethodNotIdempotent);
        }
        if situation.attempt.0 >= self.attempts {
            return Decision::Stop(StopReason::AttemptsUsedUp);
        }
        let backoff = || self.backoff.wait(self.jitter, situation.attempt.0, situation.previous_wait, situation.draw);
        let hint = situation.hint.map(|hint| hinted_wait(hint, situation.now_unix_us));
        Decision::Wait(match (self.retry_after, hint) {
            (HintUse::Ignore, _) | (_, None) => backoff(),
            (HintUse::Honour, Some(hint)) => hint,
            (HintUse::AtLeast, Some(hint)) => hint.max(backoff()),
        })
    }

    /// What the wait after this attempt may be where the server gave no hint: what a gap is compared with.
    ///
    /// Meaningful whether or not the policy allows another attempt.
    pub fn permitted_wait(&self, attempt: AttemptNumber) -> RangeInclusive<Micros> {
        self.backoff.range(self.jitter, attempt.0)
    }

    /// Repeating is safe where nothing was sent, where the method promises it, or where a key makes it so.
    fn may_repeat(&self, situation: &Situation<'_>) -> bool {
        let unsent = matches!(situation.ending, Ending::Failed(failure) if failure.before_the_request());
        unsent || self.methods == Methods::Any || situation.has_idempotency_key || is_idempotent(situation.method)
    }
}

/// Whether repeating a request with this method has the effect of sending it once (RFC 9110 §9.2.2).
pub fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE].contains(method)
}

/// The wait the server asked for, from now; none where its time has passed.
fn hinted_wait(hint: RetryAfter, now_unix_us: i64) -> Micros {
    match hint {
        RetryAfter::Delay(span) => span,
        RetryAfter::Date(unix_us) => Micros(u64::try_from(unix_us.saturating_sub(now_unix_us)).unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::wire::{Failure, Phase};

    fn policy(on: &[&str]) -> RetryPolicy {
        let mut conditions = Conditions::default();
        for word in on {
            conditions.add(word).expect(word);
        }
        RetryPolicy {
            name: "p".to_owned(),
            attempts: 4,
            on: conditions,
            backoff: Backoff::Exponential { base: Micros::from_millis(250), factor: 2.0, cap: Some(Micros::from_secs(8)) },
            jitter: Jitter::None,
            retry_after: HintUse::Honour,
            methods: Methods::Idempotent,
            idempotency_header: None,
            budget: None,
            spec: String::new(),
        }
    }

    fn after(ending: Ending) -> Situation<'static> {
        Situation {
            attempt: AttemptNumber::FIRST,
            ending,
            method: &Method::GET,
            has_idempotency_key: false,
            hint: None,
            now_unix_us: 1_000_000_000,
            previous_wait: None,
            draw: Seed(1).draw("jitter"),
        }
    }

    const TOO_MANY: Ending = Ending::Answered(429);

    #[test]
    fn what_is_not_on_the_list_is_not_repeated() {
        let policy = policy(&["429", "5xx", "connect", "reset"]);
        for (ending, repeated) in [
            (Ending::Answered(200), false),
            (Ending::Answered(404), false),
            (Ending::Answered(429), true),
            (Ending::Answered(507), true),
            (Ending::Failed(Failure::Refused), true),
            (Ending::Failed(Failure::TimedOut(Phase::Connect)), true),
            (Ending::Failed(Failure::TimedOut(Phase::Total)), false),
            (Ending::Failed(Failure::Reset), true),
            (Ending::Failed(Failure::Closed), false),
        ] {
            let decision = policy.after(&after(ending));
            assert_eq!(decision != Decision::Stop(StopReason::NotRetryable), repeated, "{ending:?}");
        }
    }

    #[test]
    fn attempts_are_counted_and_not_retries() {
        let policy = policy(&["429"]);
        let nth = |n| policy.after(&Situation { attempt: AttemptNumber(n), ..after(TOO_MANY) });
        assert_eq!(nth(3), Decision::Wait(Micros::from_secs(1)));
        assert_eq!(nth(4), Decision::Stop(StopReason::AttemptsUsedUp));
        assert_eq!(nth(5), Decision::Stop(StopReason::AttemptsUsedUp));
    }

    #[test]
    fn a_method_that_is_not_idempotent_needs_a_key_or_a_request_never_sent() {
        let policy = policy(&["429", "connect", "reset"]);
        let post = |ending| Situation { method: &Method::POST, ..after(ending) };
        let refused = policy.after(&post(TOO_MANY));
        assert_eq!(refused, Decision::Stop(StopReason::MethodNotIdempotent));
        assert_eq!(policy.after(&post(Ending::Failed(Failure::Reset))), refused, "it may have been carried out");
        let keyed = Situation { has_idempotency_key: true, ..post(TOO_MANY) };
        assert_eq!(policy.after(&keyed), Decision::Wait(Micros::from_millis(250)));
        assert_eq!(policy.after(&post(Ending::Failed(Failure::Refused))), Decision::Wait(Micros::from_millis(250)));
        let any = RetryPolicy { methods: Methods::Any, ..policy };
        assert_eq!(any.after(&post(TOO_MANY)), Decision::Wait(Micros::from_millis(250)));
    }

    #[test]
    fn idempotent_methods_are_those_of_rfc_9110() {
        for (method, idempotent) in [
            (Method::GET, true),
            (Method::HEAD, true),
            (Method::OPTIONS, true),
            (Method::TRACE, true),
            (Method::PUT, true),
            (Method::DELETE, true),
            (Method::POST, false),
            (Method::PATCH, false),
            (Method::CONNECT, false),
        ] {
            assert_eq!(is_idempotent(&method), idempotent, "{method}");
        }
    }

    #[test]
    fn a_hint_replaces_the_back_off_raises_it_or_is_ignored() {
        let hint = |span_ms| Some(RetryAfter::Delay(Micros::from_millis(span_ms)));
        for (use_of_it, asked_ms, waited_ms) in [
            (HintUse::Honour, 2_000, 2_000),
            (HintUse::Honour, 0, 0),
            (HintUse::AtLeast, 2_000, 2_000),
            (HintUse::AtLeast, 100, 250),
            (HintUse::Ignore, 2_000, 250),
        ] {
            let policy = RetryPolicy { retry_after: use_of_it, ..policy(&["429"]) };
            let decision = policy.after(&Situation { hint: hint(asked_ms), ..after(TOO_MANY) });
            assert_eq!(decision, Decision::Wait(Micros::from_millis(waited_ms)), "{use_of_it:?} {asked_ms}");
        }
    }

    #[test]
    fn a_date_is_that_instant_on_the_wall_clock_and_a_past_one_is_now() {
        let policy = policy(&["429"]);
        for (date, waited) in [(1_001_500_000, 1_500_000), (1_000_000_000, 0), (0, 0), (i64::MIN, 0)] {
            let decision = policy.after(&Situation { hint: Some(RetryAfter::Date(date)), ..after(TOO_MANY) });
            assert_eq!(decision, Decision::Wait(Micros(waited)), "{date}");
        }
    }

    #[test]
    fn every_wait_without_a_hint_lies_in_the_range_the_policy_permits() {
        for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
            let policy = RetryPolicy { jitter, attempts: 6, ..policy(&["429"]) };
            for k in 0..500 {
                let mut previous_wait = None;
                for n in 1..6 {
                    let draw = Seed(2).draw("jitter").with(k).with(u64::from(n));
                    let decision = policy.after(&Situation { attempt: AttemptNumber(n), previous_wait, draw, ..after(TOO_MANY) });
                    let Decision::Wait(wait) = decision else { panic!("attempt {n} of 6 is repeated") };
                    assert!(policy.permitted_wait(AttemptNumber(n)).contains(&wait), "{jitter:?} {n} {wait}");
                    previous_wait = Some(wait);
                }
            }
        }
    }
}
