//! `chance`, `every`, `first_attempts`, `always` and `per`: which of the requests that match are hit.

use crate::fault::{Per, Trigger};
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
        let View::Table(exact) = value.view() else { return value.parsed().map(Trigger::Chance) };
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

pub(super) fn per(table: &Table<'_>, trigger: Trigger, sequence: bool) -> Option<Per> {
    let by_exchange = sequence || matches!(trigger, Trigger::Exactly(_) | Trigger::FirstAttempts(_));
    let Some(value) = table.take("per") else {
        return Some(if by_exchange { Per::Exchange } else { Per::Attempt });
    };
    let words = [("attempt", Per::Attempt), ("exchange", Per::Exchange), ("route", Per::Route), ("global", Per::Global)];
    match value.one_of(&words)? {
        per if by_exchange && per != Per::Exchange => value.refuse(
            "a sequence, an exact share and `first_attempts` are drawn per exchange",
            "write `per = \"exchange\"`, or leave it out",
        ),
        per => Some(per),
    }
}
