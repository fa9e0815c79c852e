//! `chance`, `every`, `first_attempts`, `always`, `per`, `after` and `max_active`: which of the requests that match
//! are hit.

use super::ramp::Ramp;
use crate::fault::{Per, Rest, Trigger};
use crate::plan::file::{Table, Value, View};
use crate::plan::problem::Problem;
use crate::units::Ratio;

pub(super) fn trigger(table: &Table<'_>) -> Option<Trigger> {
    let (chance, every) = (table.take("chance"), table.take("every"));
    let (first, always) = (table.take("first_attempts"), table.take("always"));
    let given: Vec<&Value<'_>> = [&chance, &every, &first, &always].into_iter().flatten().collect();
    if let [a, b, ..] = given[..] {
        let problem = Problem::at(b.key_place(), format!("a fault has one trigger, and this one has `{}` and `{}`", a.key(), b.key()));
        table.problems().add(problem.also(a.key_place(), "the first one").help("remove one of them"));
        return None;
    }
    if let Some(value) = chance {
        let View::Table(exact) = value.view() else { return chance_of(&value) };
        let share = exact.required("exactly").and_then(|value| value.parsed::<Ratio>());
        exact.finish();
        return share.map(Trigger::Exactly);
    }
    if let Some(value) = every {
        return value.whole(1..=u64::MAX).map(Trigger::Every);
    }
    if let Some(value) = first {
        return value.whole(1..=1_000).map(Trigger::FirstAttempts);
    }
    match always.map(|value| (value.boolean(), value)) {
        Some((Some(false), value)) => value.refuse("a fault that never fires", "remove `always`, or the fault"),
        Some((None, _)) => None,
        _ => Some(Trigger::Always),
    }
}

/// `"10%"`, or `"0% -> 50%"`.
fn chance_of(value: &Value<'_>) -> Option<Trigger> {
    let Ramp { from, to } = value.parsed::<Ramp<Ratio>>()?;
    Some(to.map_or(Trigger::Chance(from), |to| Trigger::Ramp(from, to)))
}

pub(super) fn per(table: &Table<'_>, trigger: Trigger, sequence: bool) -> Option<Per> {
    let by_exchange = matches!(trigger, Trigger::Exactly(_) | Trigger::FirstAttempts(_));
    let Some(value) = table.take("per") else {
        return Some(if by_exchange || sequence { Per::Exchange } else { Per::Attempt });
    };
    let words = [("attempt", Per::Attempt), ("exchange", Per::Exchange), ("key", Per::Key), ("route", Per::Route), ("global", Per::Global)];
    match value.one_of(&words)? {
        Per::Attempt if sequence => {
            value.refuse("an attempt is too short for a sequence", "count over the `exchange`, a `key`, a `route`, or `global`")
        }
        per if by_exchange && !sequence && per != Per::Exchange => {
            value.refuse("an exact share and `first_attempts` are drawn per exchange", "write `per = \"exchange\"`, or leave it out")
        }
        Per::Key if !sequence && matches!(trigger, Trigger::Every(_)) => value.refuse(
            "`every` counts arrivals, and those of a scenario's step are not counted by key",
            "write `per = \"exchange\"`, or a `sequence`",
        ),
        per => Some(per),
    }
}

/// `after = "pass"`: what becomes of a sequence that is over.
pub(super) fn rest(table: &Table<'_>, sequence: bool) -> Option<Rest> {
    let Some(value) = table.take("after") else { return Some(Rest::default()) };
    let rest = value.one_of(&[("pass", Rest::Pass), ("repeat_last", Rest::RepeatLast)])?;
    match sequence {
        true => Some(rest),
        false => value.refuse("`after` says what follows a sequence, and there is none", "remove it, or write a `sequence`"),
    }
}

/// `max_active = 10`: how many attempts are disturbed at once.
pub(super) fn max_active(table: &Table<'_>) -> Option<Option<u32>> {
    table.take("max_active").map_or(Some(None), |value| value.whole(1..=1_000_000).map(Some))
}
