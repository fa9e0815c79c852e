//! The identity: every arrival, exchange and attempt is somewhere, or the run is not to be believed.

use super::Accounting;
use crate::gate::count_words;
use crate::plan::TransportKind;
use crate::record::{Exchange, Outcome, ProxyTally};

/// What was counted, all stages together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub started: u64,
    pub dropped: u64,
    pub unstarted: u64,
    pub exchanges: u64,
    pub first_steps: u64,
    pub later_steps: u64,
    pub skipped_steps: u64,
    pub ok: u64,
    pub error_answers: u64,
    pub failed: u64,
    pub timed_out: u64,
    pub cancelled: u64,
    pub in_flight_at_end: u64,
    pub attempts: u64,
    pub retries: u64,
    pub never_sent: u64,
}

impl Counts {
    /// Counts one exchange. One that was cut off before its first attempt began counts as one attempt never sent.
    pub fn exchange(&mut self, exchange: &Exchange<'_>) {
        self.exchanges += 1;
        *if exchange.id.step.0 == 0 { &mut self.first_steps } else { &mut self.later_steps } += 1;
        self.skipped_steps += u64::from(exchange.skipped_steps);
        *match exchange.outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::ErrorAnswer(_) => &mut self.error_answers,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::TimedOut => &mut self.timed_out,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::InFlightAtEnd => &mut self.in_flight_at_end,
        } += 1;
        self.attempts += exchange.attempts.len().max(1) as u64;
        self.retries += exchange.attempts.iter().filter(|attempt| attempt.number.0 > 1).count() as u64;
        let unsent = exchange.attempts.iter().filter(|attempt| !attempt.sent).count();
        self.never_sent += if exchange.attempts.is_empty() { 1 } else { unsent as u64 };
    }

    pub fn merge(&mut self, other: &Counts) {
        self.started += other.started;
        self.dropped += other.dropped;
        self.unstarted += other.unstarted;
        self.exchanges += other.exchanges;
        self.first_steps += other.first_steps;
        self.later_steps += other.later_steps;
        self.skipped_steps += other.skipped_steps;
        self.ok += other.ok;
        self.error_answers += other.error_answers;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
        self.cancelled += other.cancelled;
        self.in_flight_at_end += other.in_flight_at_end;
        self.attempts += other.attempts;
        self.retries += other.retries;
        self.never_sent += other.never_sent;
    }

    /// Arrivals the schedule held.
    pub const fn scheduled(&self) -> u64 {
        self.started + self.dropped + self.unstarted
    }

    /// The report's table. What the `reqwest` transport sent beyond our attempts are its hidden resends.
    pub fn accounting(&self, proxy: Option<&ProxyTally>, transport: TransportKind) -> Accounting {
        let seen = proxy.map(|proxy| proxy.seen);
        let surplus = seen.map_or(0, |seen| (seen + self.never_sent).saturating_sub(self.attempts));
        Accounting {
            scheduled: self.scheduled(),
            started: self.started,
            dropped: self.dropped,
            unstarted: self.unstarted,
            later_steps: self.later_steps,
            skipped_steps: self.skipped_steps,
            exchanges: self.exchanges,
            ok: self.ok,
            error_answers: self.error_answers,
            failed: self.failed,
            timed_out: self.timed_out,
            cancelled: self.cancelled,
            in_flight_at_end: self.in_flight_at_end,
            attempts: self.attempts,
            retries: self.retries,
            seen_by_proxy: seen,
            never_sent: self.never_sent,
            hidden_resends: if transport == TransportKind::Reqwest { surplus } else { 0 },
        }
    }
}

/// The lines of the identity that do not come out even, in words; none for a run that may be believed.
pub fn identity_problems(counts: &Accounting) -> Vec<String> {
    let outcomes = counts.ok + counts.error_answers + counts.failed + counts.timed_out + counts.cancelled + counts.in_flight_at_end;
    let mut lines = vec![
        ("arrivals scheduled", counts.scheduled, "started, dropped or unstarted", counts.started + counts.dropped + counts.unstarted),
        ("exchanges", counts.exchanges, "first and later steps of started sessions", counts.started + counts.later_steps),
        ("exchanges", counts.exchanges, "outcomes", outcomes),
        ("attempts", counts.attempts, "exchanges and retries", counts.exchanges + counts.retries),
    ];
    if let Some(seen) = counts.seen_by_proxy {
        let wire = seen.saturating_sub(counts.hidden_resends) + counts.never_sent;
        lines.push(("attempts", counts.attempts, "seen by the proxy or never sent", wire));
    }
    let uneven = lines.into_iter().filter(|(_, left, _, right)| left != right);
    uneven.map(|(what, left, parts, right)| format!("{} {what}, but {} {parts}", count_words(left), count_words(right))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even() -> Accounting {
        Accounting {
            scheduled: 100,
            started: 90,
            dropped: 7,
            unstarted: 3,
            later_steps: 40,
            exchanges: 130,
            ok: 100,
            error_answers: 20,
            failed: 4,
            timed_out: 3,
            cancelled: 2,
            in_flight_at_end: 1,
            attempts: 150,
            retries: 20,
            seen_by_proxy: Some(145),
            never_sent: 5,
            ..Accounting::default()
        }
    }

    #[test]
    fn what_comes_out_even_is_no_problem() {
        assert_eq!(identity_problems(&even()), Vec::<String>::new());
        assert_eq!(identity_problems(&Accounting::default()), Vec::<String>::new());
        let without_proxy = Accounting { seen_by_proxy: None, never_sent: 77, ..even() };
        assert_eq!(identity_problems(&without_proxy), Vec::<String>::new());
    }

    #[test]
    fn every_line_of_the_identity_can_be_broken() {
        for (broken, problem) in [
            (Accounting { scheduled: 101, ..even() }, "101 arrivals scheduled, but 100 started, dropped or unstarted"),
            (Accounting { later_steps: 39, ..even() }, "130 exchanges, but 129 first and later steps of started sessions"),
            (Accounting { ok: 99, ..even() }, "130 exchanges, but 129 outcomes"),
            (Accounting { retries: 21, ..even() }, "150 attempts, but 151 exchanges and retries"),
            (Accounting { seen_by_proxy: Some(1_146), ..even() }, "150 attempts, but 1 151 seen by the proxy or never sent"),
        ] {
            assert_eq!(identity_problems(&broken), [problem]);
        }
    }

    #[test]
    fn what_a_transport_that_resends_sent_beyond_our_attempts_is_told_apart() {
        let proxy = ProxyTally { seen: 12, ..ProxyTally::default() };
        let counts = Counts { started: 10, exchanges: 10, first_steps: 10, ok: 10, attempts: 10, ..Counts::default() };
        let reqwest = counts.accounting(Some(&proxy), TransportKind::Reqwest);
        assert_eq!((reqwest.hidden_resends, identity_problems(&reqwest)), (2, vec![]));
        let direct = counts.accounting(Some(&proxy), TransportKind::Direct);
        assert_eq!(identity_problems(&direct).len(), 1);
    }
}
