//! Runs that never happened: a plan from its text, and exchanges told to its recorder as a worker would.

use std::path::Path;
use std::sync::Arc;

use brownout::analysis::{Analysis, RunFacts, Tally};
use brownout::contract::Judged;
use brownout::id::{AttemptNumber, ExchangeId, PolicyIx, RuleIx, ScenarioIx, StepIx};
use brownout::plan::source::SourceText;
use brownout::plan::{LoadOptions, Plan};
use brownout::record::{Answered, Attempt, Exchange, Outcome, ProxyNote, ProxyTally, Recorder};
use brownout::units::{Micros, Offset};
use brownout::wire::{Ending, Failure, RequestFacts, ResponseFacts, RetryAfter, Stamps};
use http::{HeaderMap, Method};

/// The wall clock at the run's zero.
pub const UNIX_US_AT_ZERO: i64 = 1_795_370_400_000_000;

/// A plan: one scenario `s` of one step `get`, thirty judged seconds at 40/s, and what is added.
pub fn plan(more: &str) -> Arc<Plan> {
    plan_with("[[load.stage]]\nname = \"steady\"\nfor = \"30s\"\nrate = \"40/s\"\n", more)
}

/// The same with other stages.
pub fn plan_with(stages: &str, more: &str) -> Arc<Plan> {
    let text = format!(
        "plan = 1\nname = \"test\"\nseed = 5\n[target]\nurl = \"http://127.0.0.1:9\"\n[[scenario]]\nname = \"s\"\n\
         [[scenario.step]]\nname = \"get\"\nrequest = \"GET /v1/things\"\n[load]\narrivals = \"even\"\n{stages}\n{more}"
    );
    let source = SourceText::new("test.toml", text.clone());
    match Plan::from_source(&source, Path::new("."), &LoadOptions::default()) {
        Ok(plan) => Arc::new(plan),
        Err(problems) => panic!("{}\n{text}", problems.render(false)),
    }
}

/// A run being told.
pub struct Run {
    pub plan: Arc<Plan>,
    pub tally: Tally,
    arrivals: u64,
    seen: u64,
}

/// One attempt: when it began after the one before ended, how long it took, how it ended.
#[derive(Clone, Copy)]
pub struct Try {
    pub after: Micros,
    pub took: Micros,
    pub ending: Ending,
    pub asked: Option<RetryAfter>,
    pub rule: Option<RuleIx>,
}

/// An attempt that begins at once and is answered after so many milliseconds.
pub const fn answered(status: u16, took_ms: u64) -> Try {
    Try { after: Micros::ZERO, took: Micros::from_millis(took_ms), ending: Ending::Answered(status), asked: None, rule: None }
}

/// An attempt that fails after so many milliseconds.
pub const fn failed(failure: Failure, took_ms: u64) -> Try {
    Try { ending: Ending::Failed(failure), ..answered(0, took_ms) }
}

impl Try {
    /// Begins so many milliseconds after the attempt before.
    pub const fn after(self, ms: u64) -> Try {
        Try { after: Micros::from_millis(ms), ..self }
    }

    /// Asks the client to stay away for so many seconds.
    pub const fn asking(self, seconds: u64) -> Try {
        Try { asked: Some(RetryAfter::Delay(Micros::from_secs(seconds))), ..self }
    }

    fn attempt(&self, number: u32, started_at: Offset) -> Attempt {
        let ended_at = started_at + self.took;
        Attempt {
            number: AttemptNumber(number),
            stamps: Stamps {
                started_at,
                ready_at: Some(started_at),
                first_byte_at: self.ending.status().map(|_| ended_at),
                ended_at,
                ..Stamps::default()
            },
            ending: self.ending,
            sent: true,
            proxy: self.rule.map(|rule| ProxyNote {
                attempt: AttemptNumber(number),
                rule: Some(rule),
                forwarded: false,
                failure: None,
                upstream: None,
            }),
            asked_to_wait: self.asked,
            waited: (number > 1).then_some(self.after),
        }
    }

    /// Was touched by a rule.
    pub const fn injected(self, rule: u16) -> Try {
        Try { rule: Some(RuleIx(rule)), ..self }
    }
}

impl Run {
    pub fn new(plan: Arc<Plan>) -> Run {
        Run { tally: Tally::new(&plan, UNIX_US_AT_ZERO), plan, arrivals: 0, seen: 0 }
    }

    /// One arrival of one exchange, scheduled so many milliseconds into the run; its last attempt decides.
    pub fn exchange(&mut self, at_ms: u64, tries: &[Try]) {
        self.exchange_at(Offset(Micros::from_millis(at_ms)), tries, &Judged::default());
    }

    /// The same, with what the contract said of its last answer.
    pub fn judged(&mut self, at_ms: u64, tries: &[Try], judged: &Judged<'_>) {
        self.exchange_at(Offset(Micros::from_millis(at_ms)), tries, judged);
    }

    fn exchange_at(&mut self, at: Offset, tries: &[Try], judged: &Judged<'_>) {
        let stage = self.plan.stage_at(at);
        let id = self.begun(at);
        let mut now = at;
        let mut attempts = Vec::new();
        for (number, one) in (1..).zip(tries) {
            let started_at = now + one.after;
            now = started_at + one.took;
            let attempt = one.attempt(number, started_at);
            self.tell(&id, &attempt, (number as usize == tries.len()).then_some(judged));
            attempts.push(attempt);
            self.seen += 1;
        }
        let outcome = match tries.last().map(|last| last.ending) {
            Some(Ending::Answered(status)) if (200..400).contains(&status) => Outcome::Ok,
            Some(Ending::Answered(status)) => Outcome::ErrorAnswer(status),
            Some(Ending::Failed(failure)) if failure.is_timeout() => Outcome::TimedOut,
            Some(Ending::Failed(failure)) => Outcome::Failed(failure),
            Some(Ending::Unfinished) => Outcome::InFlightAtEnd,
            None => Outcome::Cancelled,
        };
        self.tally.exchange(&Exchange {
            id,
            stage,
            policy: self.plan.scenarios[0].policy.or((!self.plan.policies.is_empty()).then_some(PolicyIx(0))),
            path: "/v1/things",
            method: &Method::GET,
            outcome,
            ended_at: now,
            attempts: &attempts,
            skipped_steps: 0,
            stream: None,
            budget_refused: false,
        });
        self.tally.session(stage, at, now, outcome == Outcome::Ok);
    }

    fn begun(&mut self, at: Offset) -> ExchangeId {
        let id = ExchangeId {
            arrival: self.arrivals,
            ordinal: self.arrivals,
            scenario: ScenarioIx(0),
            step: StepIx(0),
            scheduled_at: at,
            slot: (self.arrivals % 7) as u32,
        };
        self.arrivals += 1;
        self.tally.started(self.plan.stage_at(at), at, at);
        id
    }

    /// One arrival of this worker whose exchange is cut off after its first attempt: the end of it is told to the
    /// tally into which this one has been merged.
    pub fn cut_off(mut self, at_ms: u64, one: &Try, judged: &Judged<'_>, all: &mut Run) {
        let at = Offset(Micros::from_millis(at_ms));
        let (id, stage, attempt) = (self.begun(at), self.plan.stage_at(at), one.attempt(1, at));
        self.tell(&id, &attempt, Some(judged));
        all.tally.merge(self.tally);
        all.tally.exchange(&Exchange {
            id,
            stage,
            policy: None,
            path: "/v1/things",
            method: &Method::GET,
            outcome: Outcome::InFlightAtEnd,
            ended_at: self.plan.schedule_end(),
            attempts: &[attempt],
            skipped_steps: 0,
            stream: None,
            budget_refused: false,
        });
    }

    fn tell(&mut self, id: &ExchangeId, attempt: &Attempt, judged: Option<&Judged<'_>>) {
        let headers = HeaderMap::new();
        let request = RequestFacts { method: &Method::GET, path: "/v1/things", query: None, headers: &headers, body: b"" };
        let response = attempt.ending.status().map(|status| ResponseFacts {
            status,
            headers: &headers,
            body: b"",
            body_complete: true,
            body_bytes: 0,
            received_at_unix_us: UNIX_US_AT_ZERO + attempt.stamps.ended_at.0.0 as i64,
            round_trip: Micros(1),
        });
        let nothing = Judged::default();
        self.tally.answered(&Answered {
            exchange: id,
            stage: self.plan.stage_at(id.scheduled_at),
            attempt: attempt.number,
            at: attempt.stamps.ended_at,
            ending: attempt.ending,
            request: &request,
            response: response.as_ref(),
            judged: Some(judged.unwrap_or(&nothing)),
            injected: attempt.proxy.and_then(|note| note.rule),
        });
    }

    /// Forty exchanges in each of these seconds, evenly, one after the other answered as `answer` says.
    pub fn seconds(&mut self, seconds: std::ops::Range<u64>, mut answer: impl FnMut(u64) -> Vec<Try>) {
        for k in seconds.start * 40..seconds.end * 40 {
            self.exchange(k * 25 + 12, &answer(k));
        }
    }

    /// The analysis of a run that went to the end of its schedule.
    pub fn finish(self) -> Analysis {
        let facts = self.facts();
        self.tally.finish(&self.plan, &facts)
    }

    /// What the shell would add: a healthy generator, and no proxy unless the plan has faults.
    pub fn facts(&self) -> RunFacts {
        let proxy = (!self.plan.faults.rules.is_empty()).then(|| ProxyTally {
            seen: self.seen,
            rules: vec![
                brownout::record::RuleTally { eligible: 40, planned: 10, fired: 10, ..Default::default() };
                self.plan.faults.rules.len()
            ],
            ..ProxyTally::default()
        });
        RunFacts {
            ended_at: self.plan.schedule_end() + Micros::from_millis(20),
            proxy,
            workers: 1,
            generator_cpu: Some(0.2),
            peak_rss_bytes: Some(20_000_000),
            connections_made: 8,
            peak_in_flight: 12,
            ..RunFacts::default()
        }
    }
}
