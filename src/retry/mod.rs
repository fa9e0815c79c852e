//! Whether a failed attempt may be repeated, and when: the policy, pure, that the engine carries out.

use http::HeaderName;

use crate::id::AttemptNumber;
use crate::seed::Draw;
use crate::units::{Micros, Offset, Ratio};
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
    /// Whether to repeat after this attempt, and after what wait. The budget is asked separately.
    pub fn after(&self, _situation: &Situation<'_>) -> Decision {
        todo!()
    }
}

/// The state of a retry budget: what it has earned and spent (one per worker; see Finagle's and tower's budgets).
#[derive(Clone, Debug)]
pub struct Budget {
    pub rule: BudgetRule,
    pub state: f64,
    pub refilled_at: Offset,
}

impl Budget {
    pub fn new(_rule: BudgetRule, _workers: u32, _now: Offset) -> Budget {
        todo!()
    }
    pub fn first_attempt(&mut self, _now: Offset) {
        todo!()
    }
    pub fn spend(&mut self, _now: Offset) -> bool {
        todo!()
    }
}
