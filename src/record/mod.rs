//! The facts of a run: attempts, exchanges, and who hears of them.
//!
//! The engine writes down what happened by calling a [`Recorder`]; analysis is one. Every worker has its own, so
//! that nothing is locked or sent per attempt, and they are merged at the end.

mod session;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::contract::Judged;
use crate::contract::compared::During;
use crate::contract::limiter::Trail;
use crate::id::{AttemptNumber, ExchangeId, PolicyIx, ProbeIx, RowIx, RuleIx, StageIx};
use crate::units::{Micros, Offset};
pub use session::{KEPT_ATTEMPTS, Observed, SessionTally};

pub use crate::wire::StreamFacts;
use crate::wire::{Ending, Failure, Phase, RequestFacts, ResponseFacts, RetryAfter, Stamps};

/// One request on the wire.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub number: AttemptNumber,
    pub stamps: Stamps,
    pub ending: Ending,
    /// Whether any byte of the request was written.
    pub sent: bool,
    /// What the proxy did, where it is in the path and saw the attempt.
    pub proxy: Option<ProxyNote>,
    /// When the server said to come back.
    pub asked_to_wait: Option<RetryAfter>,
    /// The back-off the policy chose before this attempt; `None` for the first.
    pub waited: Option<Micros>,
}

/// How a logical request came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The status is in the step's `expect`.
    Ok,
    /// Answered with another status.
    ErrorAnswer(u16),
    /// No complete answer, for another reason than time.
    Failed(Failure),
    TimedOut,
    /// Cut by a signal or an abort gate.
    Cancelled,
    /// Cut by the end of the drain.
    InFlightAtEnd,
}

/// One logical request, with its attempts in order.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    pub id: ExchangeId,
    pub stage: StageIx,
    pub policy: Option<PolicyIx>,
    /// Path of the request, without its query.
    pub path: &'a str,
    pub method: &'a http::Method,
    pub outcome: Outcome,
    /// When the outcome was known.
    pub ended_at: Offset,
    /// Empty only where it was cancelled before its first attempt began.
    pub attempts: &'a [Attempt],
    /// Steps of the session that come after this one and are skipped because of its outcome.
    pub skipped_steps: u32,
    /// For SSE: events seen, and whether the stream ended with its terminator.
    pub stream: Option<StreamFacts>,
    /// The retry budget said no.
    pub budget_refused: bool,
}

/// One answer, judged, as it is told to the recorder right after it came.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    pub exchange: &'a ExchangeId,
    pub stage: StageIx,
    pub attempt: AttemptNumber,
    pub at: Offset,
    /// How the attempt ended: an answer that was cut short has a head and no status that counts.
    pub ending: Ending,
    pub request: &'a RequestFacts<'a>,
    /// Absent where the attempt failed and only the failure could be judged.
    pub response: Option<&'a ResponseFacts<'a>>,
    /// Absent where the plan names no contract.
    pub judged: Option<&'a Judged<'a>>,
    /// The rule that made this answer, or spoiled it.
    pub injected: Option<RuleIx>,
}

/// How an answer was brought about that no load asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// By a request that is wrong on purpose.
    Probe,
    /// By a hook that put the target into a state in which the request fails.
    Hook,
}

/// One answer to a probe, judged.
#[derive(Clone, Copy, Debug)]
pub struct Probed<'a> {
    pub probe: ProbeIx,
    /// The probe's name in reports: the same in every run.
    pub name: &'a str,
    /// What was asked: method and path pattern.
    pub operation: &'a str,
    /// When the answer, or the failure, was there.
    pub at: Offset,
    pub how: How,
    /// What else was going on: the same probe may be sent to an idle target and to a busy one.
    pub during: During,
    pub request: &'a RequestFacts<'a>,
    /// Absent where the request failed and only the failure could be judged.
    pub response: Option<&'a ResponseFacts<'a>>,
    /// Absent where the plan names no contract.
    pub judged: Option<&'a Judged<'a>>,
    /// Whether this answer and others to the same probe may be compared: a probe that changes the target's state, or
    /// is refused by a limiter on purpose, is not the same question twice.
    pub repeatable: bool,
}

/// Who is told what happened. One per worker, merged at the end.
pub trait Recorder {
    /// An arrival that was started, after this much delay.
    fn started(&mut self, stage: StageIx, scheduled_at: Offset, started_at: Offset);
    /// An arrival that met `max_in_flight` and was not sent.
    fn dropped(&mut self, stage: StageIx, scheduled_at: Offset);
    /// An arrival that was scheduled and never started: the run ended before.
    fn unstarted(&mut self, stage: StageIx, scheduled_at: Offset);
    /// An answer, judged (or a failure, judged).
    fn answered(&mut self, answered: &Answered<'_>);
    /// An exchange that has ended.
    fn exchange(&mut self, exchange: &Exchange<'_>);
    /// A session that has ended: all its steps, or up to the first that was not ok.
    fn session(&mut self, stage: StageIx, scheduled_at: Offset, ended_at: Offset, ok: bool);
    /// An answer to a probe, judged (or a failure, judged).
    fn probed(&mut self, _probed: &Probed<'_>) {}
    /// Somebody tries to bring this documented error about: if it is never seen, it is unreached.
    fn tried(&mut self, _row: RowIx) {}
    /// What a limiter answered to a burst, a trickle, or to somebody who waited.
    fn limited(&mut self, _trail: &Trail) {}
    /// An attempt of a client that is not ours, as the proxy saw it.
    fn observed(&mut self, _observed: &Observed) {}
    /// What to show while running.
    fn glance(&self) -> Glance;
}

/// Running totals of one worker, for progress and abort gates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    pub started: u64,
    pub dropped: u64,
    pub ok: u64,
    pub not_ok: u64,
    pub attempts: u64,
    pub in_flight: u64,
    /// p99 of the response time of ok exchanges so far.
    pub p99: Option<Micros>,
}

/// What the proxy did to one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyNote {
    pub attempt: AttemptNumber,
    /// The rule that fired, or is about to.
    pub rule: Option<RuleIx>,
    /// Whether the target was asked.
    pub forwarded: bool,
    /// How the attempt failed between proxy and target: what the generator saw is only its mirror image. Of a
    /// body cut short, how much arrived is the generator's to say; here it is zero.
    pub failure: Option<Failure>,
    /// The status that the target gave an attempt which a rule touched: what the client may never have heard of.
    pub upstream: Option<u16>,
}

/// Where the proxy notes what it did to the attempt in flight of each session, resets included.
///
/// A reset has no header that could tell. Every session has a slot of its own for as long as it lasts, and one
/// attempt at a time, so a single atomic word is enough: no lock, no channel, no allocation per attempt.
#[derive(Debug)]
pub struct Board {
    slots: Vec<AtomicU64>,
}

const ATTEMPT: u64 = (1 << 12) - 1;
const RULE_SHIFT: u32 = 12;
const RULE: u64 = (1 << 14) - 1;
const FORWARDED: u64 = 1 << 26;
const NOTED: u64 = 1 << 27;
const FAILURE_SHIFT: u32 = 28;
const UPSTREAM_SHIFT: u32 = 32;
const UPSTREAM: u64 = (1 << 10) - 1;
/// From here on, whose slot it is.
const OWNER_SHIFT: u32 = 42;

/// Failures in the order of their codes on the board, from 1; 0 is none.
const FAILURES: [Failure; 11] = [
    Failure::Unresolved,
    Failure::Refused,
    Failure::Tls,
    Failure::TimedOut(Phase::Connect),
    Failure::TimedOut(Phase::FirstByte),
    Failure::TimedOut(Phase::Total),
    Failure::Reset,
    Failure::Closed,
    Failure::BodyCutShort { received: 0, reset: false },
    Failure::BodyCutShort { received: 0, reset: true },
    Failure::BadProtocol,
];

fn failure_code(failure: Failure) -> u64 {
    let failure = match failure {
        Failure::BodyCutShort { reset, .. } => Failure::BodyCutShort { received: 0, reset },
        other => other,
    };
    FAILURES.iter().position(|&known| known == failure).map_or(0, |index| index as u64 + 1)
}

impl Board {
    /// A board for this many sessions at once.
    pub fn new(sessions: usize) -> Board {
        Board { slots: (0..sessions).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Notes what was done to an attempt; called before anything reaches the client.
    ///
    /// A client that gave up may have gone on to another attempt, or its session to another exchange, while the
    /// proxy was still busy with this one: then the note comes too late to be about anything and is dropped.
    pub fn note(&self, exchange: &ExchangeId, note: ProxyNote) {
        let Some(word) = self.slots.get(exchange.slot as usize) else { return };
        let rule = note.rule.map_or(0, |rule| u64::from(rule.0) + 1);
        let forwarded = if note.forwarded { FORWARDED } else { 0 };
        let failure = note.failure.map_or(0, failure_code);
        let upstream = note.upstream.map_or(0, u64::from) & UPSTREAM;
        let attempt = u64::from(note.attempt.0) & ATTEMPT;
        let done = failure << FAILURE_SHIFT | upstream << UPSTREAM_SHIFT | (rule & RULE) << RULE_SHIFT;
        let new = owner(exchange) | NOTED | forwarded | done | attempt;
        let in_time = |now: u64| now == 0 || (now >> OWNER_SHIFT == new >> OWNER_SHIFT && now & ATTEMPT <= attempt);
        // What is refused is dropped.
        let _ = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| in_time(now).then_some(new));
    }

    /// What was done to this attempt of the exchange that has the slot; `None` if the proxy has not seen it.
    pub fn read(&self, slot: u32, attempt: AttemptNumber) -> Option<ProxyNote> {
        let word = self.slots.get(slot as usize)?.load(Ordering::Acquire);
        let rule = (word >> RULE_SHIFT & RULE) as u16;
        let upstream = (word >> UPSTREAM_SHIFT & UPSTREAM) as u16;
        (word & NOTED != 0 && word & ATTEMPT == u64::from(attempt.0) & ATTEMPT).then(|| ProxyNote {
            attempt,
            rule: rule.checked_sub(1).map(RuleIx),
            forwarded: word & FORWARDED != 0,
            failure: FAILURES.get(((word >> FAILURE_SHIFT & 0xf) as usize).wrapping_sub(1)).copied(),
            upstream: (upstream > 0).then_some(upstream),
        })
    }

    /// Gives the slot to an exchange that begins: what was noted is forgotten, and only this exchange is noted.
    pub fn claim(&self, exchange: &ExchangeId) {
        if let Some(word) = self.slots.get(exchange.slot as usize) {
            word.store(owner(exchange), Ordering::Release);
        }
    }
}

/// What tells the exchanges of one slot apart, in place: different for two that follow one another.
fn owner(exchange: &ExchangeId) -> u64 {
    let number = exchange.arrival.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> OWNER_SHIFT;
    number.wrapping_add(u64::from(exchange.step.0)) << OWNER_SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(arrival: u64, slot: u32) -> ExchangeId {
        let (scenario, step) = (crate::id::ScenarioIx(0), crate::id::StepIx(0));
        ExchangeId { arrival, ordinal: arrival, scenario, step, scheduled_at: Offset::START, slot }
    }

    #[test]
    fn a_note_is_read_by_the_attempt_it_is_about_and_by_no_other() {
        let board = Board::new(2);
        let note = ProxyNote { attempt: AttemptNumber(2), rule: Some(RuleIx(0)), forwarded: true, failure: None, upstream: Some(201) };
        board.note(&exchange(7, 1), note);
        assert_eq!(board.read(1, AttemptNumber(2)), Some(note));
        assert_eq!(board.read(1, AttemptNumber(1)), None);
        assert_eq!(board.read(0, AttemptNumber(2)), None);
        board.claim(&exchange(8, 1));
        assert_eq!(board.read(1, AttemptNumber(2)), None);
    }

    #[test]
    fn a_note_that_comes_too_late_is_about_nothing() {
        let board = Board::new(1);
        let note = |attempt, rule| ProxyNote { attempt: AttemptNumber(attempt), rule, forwarded: true, failure: None, upstream: None };
        board.claim(&exchange(7, 0));
        board.note(&exchange(7, 0), note(2, None));
        board.note(&exchange(7, 0), note(1, Some(RuleIx(3))));
        assert_eq!(board.read(0, AttemptNumber(2)), Some(note(2, None)), "the attempt before it is over");
        board.claim(&exchange(8, 0));
        board.note(&exchange(7, 0), note(1, Some(RuleIx(3))));
        assert_eq!(board.read(0, AttemptNumber(1)), None, "the exchange before it is over");
        board.note(&exchange(8, 0), note(1, None));
        assert_eq!(board.read(0, AttemptNumber(1)), Some(note(1, None)));
    }

    #[test]
    fn every_failure_comes_back_as_what_it_was_but_for_the_bytes_received() {
        let board = Board::new(1);
        let note = |failure| ProxyNote { attempt: AttemptNumber(1), rule: None, forwarded: true, failure, upstream: None };
        for failure in FAILURES {
            board.note(&exchange(0, 0), note(Some(failure)));
            assert_eq!(board.read(0, AttemptNumber(1)), Some(note(Some(failure))));
        }
        board.note(&exchange(0, 0), note(Some(Failure::BodyCutShort { received: 77, reset: true })));
        assert_eq!(board.read(0, AttemptNumber(1)), Some(note(Some(Failure::BodyCutShort { received: 0, reset: true }))));
    }

    #[test]
    fn a_slot_outside_the_board_is_ignored() {
        let board = Board::new(1);
        board.note(&exchange(0, 9), ProxyNote { attempt: AttemptNumber(1), rule: None, forwarded: false, failure: None, upstream: None });
        assert_eq!(board.read(9, AttemptNumber(1)), None);
    }
}

/// What the proxy counted by itself, to be compared with what the generator sent.
#[derive(Clone, Debug, Default)]
pub struct ProxyTally {
    /// Attempts whose head arrived.
    pub seen: u64,
    /// Attempts for which the target was asked.
    pub forwarded: u64,
    /// Attempts that were asked for without our identity headers, or with forged ones.
    pub strangers: u64,
    /// By rule.
    pub rules: Vec<RuleTally>,
    /// Answers of ours that do not conform to the contract, by rule (X05): must stay empty.
    pub infidelities: Vec<Infidelity>,
    /// Failures between proxy and target.
    pub upstream_failures: u64,
    /// From the request forwarded to the head of the target's answer, in microseconds.
    pub upstream_us: Option<hdrhistogram::Histogram<u64>>,
    /// Order-free sum over the decisions about first attempts of first steps.
    pub decisions_digest: u64,
    /// Connections that a defect of ours ended: must stay zero.
    pub panics: u64,
    /// CPU time of the proxy's thread.
    pub cpu: Micros,
    /// What a session with an external client came to.
    pub session: Option<SessionTally>,
    /// What became of the decision log, where there is one.
    pub log: Option<LogFacts>,
    /// How the run and the decisions of an earlier one fit together, where it followed them.
    pub followed: Option<Followed>,
}

impl ProxyTally {
    /// Whether a rule was done to any attempt: who is not answered then has not been failed by the target.
    pub fn disturbed(&self) -> bool {
        self.rules.iter().any(|rule| rule.fired > 0)
    }
}

/// What became of the decision log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFacts {
    /// Attempts that have a line.
    pub lines: u64,
    /// Attempts that have none: the log was long enough, its writer was behind, or the disk took no more.
    pub missing: u64,
    /// What the system said, where the file could not be written.
    pub error: Option<String>,
}

/// How a run and the decisions that it follows fit together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Attempts about which a decision is known.
    pub known: u64,
    /// Attempts about which none is, though a rule of the plan is open for them and matches: they passed.
    pub unknown: u64,
    /// Decisions for which no attempt came.
    pub unmet: u64,
}

/// The counters of one fault rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleTally {
    pub eligible: u64,
    pub planned: u64,
    pub fired: u64,
    /// Planned, and passed since one more would have been too many at once.
    pub held_back: u64,
    /// Elements of sequences for which no request came.
    pub unreached: u64,
    /// Requests that shared a limit with others for want of room for more keys.
    pub crowded: u64,
    /// Planned and not fired, by reason. What is left between planned and fired is clients that left, or the run's
    /// end, before it could be done.
    pub unfired: [u64; Unfired::ALL.len()],
    /// Answers of the target that the client never heard of.
    pub lost: u64,
    /// Those of them with a status of success (2xx): what the target did, it did.
    pub lost_successes: u64,
}

/// Why a fault that was decided was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unfired {
    /// The answer was over before the strike: there was nothing left to break.
    OverBefore,
    /// The client's connection speaks another version of HTTP than the one that has this fault.
    OtherHttp,
    /// The answer declared no length that could be wrong.
    NoLength,
    /// The answer was no stream of events that could be read.
    NoEvents,
    /// There was no contract to make the answer from, or the answer could not be made.
    NoContract,
    /// The target did not answer: its failure was passed on as it was.
    NoAnswer,
    /// The answer had nothing that could be wrong in the way it should have been.
    Unfit,
    /// The answer was too long, or of no known end, to be taken in whole.
    TooLong,
}

impl Unfired {
    pub const ALL: [Unfired; 8] = [
        Unfired::OverBefore,
        Unfired::OtherHttp,
        Unfired::NoLength,
        Unfired::NoEvents,
        Unfired::NoContract,
        Unfired::NoAnswer,
        Unfired::Unfit,
        Unfired::TooLong,
    ];

    /// The reason in words, for the report.
    pub const fn words(self) -> &'static str {
        match self {
            Unfired::OverBefore => "the answer was over before",
            Unfired::OtherHttp => "the connection speaks another version of HTTP",
            Unfired::NoLength => "the answer declared no length",
            Unfired::NoEvents => "the answer was no readable stream of events",
            Unfired::NoContract => "the contract gave no such answer",
            Unfired::NoAnswer => "the target did not answer",
            Unfired::Unfit => "nothing of the answer could be wrong in that way",
            Unfired::TooLong => "the answer was too long to be taken in whole",
        }
    }
}

/// An injected answer that violates the contract: a defect of the tool or the plan, never of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Infidelity {
    pub rule: RuleIx,
    pub check: &'static str,
    pub cause: String,
    pub count: u64,
}
