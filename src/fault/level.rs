//! How far the decisions of a rule are the same in every run: what a plan promises, and what its rules come to.

use super::{Effect, Fault, FaultRule, Per, Trigger, Window};
use crate::units::Offset;

/// What is the same when a plan is run again, from the strictest to the loosest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The same attempts meet the same faults.
    #[default]
    Exact,
    /// The same number of requests meets the same faults, whichever of them come first.
    Ordinal,
    /// What is met depends on the moment as well.
    Realtime,
}

/// What decides, besides the rule, how far its decisions repeat.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// The best there is, with this source of requests: [`Level::Exact`] with our own generator.
    pub best: Level,
    /// No request comes after this.
    pub end: Offset,
    /// Whether the rule meets requests whose moment is not in the schedule: retries, later steps, rounds of users,
    /// requests of somebody else's client.
    pub unscheduled: bool,
}

impl Level {
    /// Every level, the strictest first.
    pub const ALL: [Level; 3] = [Level::Exact, Level::Ordinal, Level::Realtime];

    /// The word in plans and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Level::Exact => "exact",
            Level::Ordinal => "ordinal",
            Level::Realtime => "realtime",
        }
    }
}

impl FaultRule {
    /// How far this rule's decisions repeat, and why no further; the reason goes on after the rule's name.
    pub fn level(&self, course: &Course) -> (Level, &'static str) {
        let whole = |window: &Window| window.start == Offset::START && window.end >= course.end;
        let by_time = |window: &Window| window.requests.is_none_or(|requests| requests.to == u64::MAX);
        let ramps = matches!(self.trigger, Trigger::Ramp(..)) || self.delay_ramp.is_some();
        let timed = !self.windows.iter().any(whole) || (ramps && self.windows.iter().any(by_time));
        let counted_sequence = matches!(self.effect, Effect::Sequence(_)) && matches!(self.per, Per::Key | Per::Route | Per::Global);
        let own = if self.max_active.is_some() {
            (Level::Realtime, "limits how many attempts are disturbed at once, which depends on how long they take")
        } else if matches!(self.effect, Effect::Fault(Fault::Refuse | Fault::TlsFailure)) {
            (Level::Realtime, "strikes connections, and when they are made depends on the moment")
        } else if matches!(self.effect, Effect::Limiter(_)) {
            (Level::Realtime, "refuses whoever has spent a limit, which depends on when requests come")
        } else if timed && course.unscheduled {
            (Level::Realtime, "compares its window with the clock for retries and other requests that no schedule holds")
        } else if self.windows.iter().any(|window| window.requests.is_some()) {
            (Level::Ordinal, "counts requests in the order in which they come")
        } else if counted_sequence {
            (Level::Ordinal, "has a sequence over requests in the order in which they come")
        } else {
            (Level::Exact, "")
        };
        if own.0 >= course.best { own } else { (course.best, "meets requests of a client that is not ours") }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Element, Requests};
    use super::*;
    use crate::units::Ratio;

    #[test]
    fn the_level_is_that_of_the_loosest_thing_a_rule_depends_on() {
        let end = Offset::micros(1_000);
        let own = Course { best: Level::Exact, end, unscheduled: false };
        let retried = Course { unscheduled: true, ..own };
        let foreign = Course { best: Level::Ordinal, ..retried };
        let plain = FaultRule::new("r", Effect::Fault(Fault::BlackHole));
        let with = |change: fn(&mut FaultRule)| {
            let mut rule = plain.clone();
            change(&mut rule);
            rule
        };
        let windowed = with(|rule| rule.windows = vec![Window::between(Offset::START, Offset::micros(10))]);
        let counting = with(|rule| rule.windows[0].requests = Some(Requests { from: 0, to: 9 }));
        let ramp = with(|rule| rule.trigger = Trigger::Ramp(Ratio::ZERO, Ratio::ONE));
        let limited = with(|rule| rule.max_active = Some(3));
        let sequence = with(|rule| (rule.effect, rule.per) = (Effect::Sequence(vec![Element::Pass]), Per::Exchange));
        let global = with(|rule| (rule.effect, rule.per) = (Effect::Sequence(vec![Element::Pass]), Per::Global));
        let refusing = with(|rule| {
            (rule.effect, rule.windows) = (Effect::Fault(Fault::Refuse), vec![Window::between(Offset::START, Offset::micros(10))])
        });
        for (rule, course, expected, why) in [
            (&plain, own, Level::Exact, "a draw"),
            (&plain, retried, Level::Exact, "a draw, for retries too"),
            (&plain, foreign, Level::Ordinal, "a draw for a stranger"),
            (&windowed, own, Level::Exact, "a window over what is scheduled"),
            (&windowed, retried, Level::Realtime, "a window over retries"),
            (&counting, own, Level::Ordinal, "a window that counts"),
            (&ramp, own, Level::Exact, "a ramp over what is scheduled"),
            (&ramp, retried, Level::Realtime, "a ramp over retries"),
            (&limited, own, Level::Realtime, "so many at once"),
            (&sequence, retried, Level::Exact, "a sequence of an exchange"),
            (&global, own, Level::Ordinal, "a sequence over the run"),
            (&refusing, own, Level::Realtime, "connections"),
        ] {
            let (level, reason) = rule.level(&course);
            assert_eq!((level, reason.is_empty()), (expected, expected == Level::Exact), "{why}");
        }
    }
}
