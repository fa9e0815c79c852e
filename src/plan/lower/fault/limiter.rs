//! `limiter`: a limit that really holds in front of the target.

use super::respond::respond;
use super::{Surroundings, one_or_many};
use crate::fault::{KeyPart, Limiter, Trigger};
use crate::plan::file::{Table, Value};
use crate::plan::problem::Problem;
use crate::throttle::dialect::Dialect;
use crate::throttle::{Algorithm, Allowance};
use crate::units::{Micros, Rate};

/// Cost units per window, and units at once, are at most so many: levels must fit into 64 bits.
const MOST_UNITS: u64 = 1_000_000;
/// What is given back may take from a millisecond to a day.
const WINDOWS: (Micros, Micros) = (Micros::from_millis(1), Micros::from_secs(86_400));

/// `{ token_bucket | gcra | fixed_window | sliding_window, key, cost, dialect, error | status }`
pub(super) fn limiter(value: &Value<'_>, around: &Surroundings<'_>) -> Option<Limiter> {
    let table = value.table()?;
    let kept = kept(&table);
    let key: Vec<Option<KeyPart>> = one_or_many(&table, "key").iter().map(key_part).collect();
    let key: Option<Vec<KeyPart>> = key.into_iter().collect();
    let cost = table.take("cost").map_or(Some(1), |cost| cost.whole(1..=MOST_UNITS));
    let dialect = table.one_of("dialect", &Dialect::WORDS);
    let refusal = respond(table, around);
    let (algorithm, allowance) = kept?;
    let cost = u32::try_from(cost?).ok()?;
    if cost > allowance.limit {
        let what = format!("a request costs {cost}, and the limit is {}: only an untouched limit admits one", allowance.limit);
        return value.refuse(what, "lower the `cost`, or raise the limit");
    }
    Some(Limiter { algorithm, allowance, cost, key: key?, dialect, refusal: refusal? })
}

/// Refuses what cannot stand beside a limiter: who is hit is decided by what was spent.
pub(super) fn alone(table: &Table<'_>, trigger: Option<Trigger>, delayed: bool) {
    let what = match trigger {
        Some(Trigger::Always) if delayed => "a `delay`",
        Some(Trigger::Always) | None => return,
        Some(_) => "a trigger",
    };
    let problem = Problem::at(table.place(), format!("a limiter refuses whoever has spent the limit, and this fault has {what} too"));
    table.problems().add(problem.help("write two faults"));
}

/// The one algorithm that is named, and its numbers.
fn kept(table: &Table<'_>) -> Option<(Algorithm, Allowance)> {
    let words = [
        ("token_bucket", Algorithm::TokenBucket),
        ("gcra", Algorithm::Gcra),
        ("fixed_window", Algorithm::FixedWindow),
        ("sliding_window", Algorithm::SlidingWindow),
    ];
    let mut given = words.iter().filter_map(|(word, algorithm)| Some((table.take(word)?, *algorithm)));
    let Some((value, algorithm)) = given.next() else {
        let problem = Problem::at(table.place(), "a limiter needs an algorithm");
        table.problems().add(problem.help(
            "one of token_bucket = { rate = \"20/s\", burst = 20 }, gcra (the same), fixed_window = { limit = 100, window = \"1m\" } and sliding_window (the same)",
        ));
        return None;
    };
    if let Some((second, _)) = given.next() {
        let what = format!("a limiter has one algorithm, and this one has `{}` and `{}`", value.key(), second.key());
        table.problems().add(Problem::at(second.key_place(), what).also(value.key_place(), "the first one").help("remove one of them"));
        return None;
    }
    let numbers = value.table()?;
    let allowance = match algorithm {
        Algorithm::TokenBucket | Algorithm::Gcra => by_rate(&numbers),
        Algorithm::FixedWindow | Algorithm::SlidingWindow => by_window(&numbers),
    };
    numbers.finish();
    Some((algorithm, allowance?))
}

/// `{ rate = "20/s", burst = 20 }`: the burst comes back in the time that the rate needs for it.
fn by_rate(numbers: &Table<'_>) -> Option<Allowance> {
    let rate_value = numbers.required("rate");
    let rate = rate_value.as_ref().and_then(|rate| rate.parsed::<Rate>());
    let burst = numbers.required("burst").and_then(|burst| burst.whole(1..=MOST_UNITS));
    let (rate, burst) = (rate?, u32::try_from(burst?).ok()?);
    // A float as an integer saturates; a rate of zero has no end.
    let window = Micros((f64::from(burst) / rate.get() * 1e6).round() as u64);
    if window < WINDOWS.0 || window > WINDOWS.1 {
        return rate_value?.refuse(
            format!("a burst of {burst} at {rate} comes back in {window}: from 1 ms to a day can be kept"),
            "raise the burst with the rate, or lower both",
        );
    }
    Some(Allowance { limit: burst, window })
}

/// `{ limit = 100, window = "1m" }`
fn by_window(numbers: &Table<'_>) -> Option<Allowance> {
    let limit = numbers.required("limit").and_then(|limit| limit.whole(1..=MOST_UNITS));
    let window_value = numbers.required("window");
    let window = window_value.as_ref().and_then(|window| window.parsed::<Micros>());
    let (limit, window) = (u32::try_from(limit?).ok()?, window?);
    if window < WINDOWS.0 || window > WINDOWS.1 {
        return window_value?.refuse(format!("a window of {window}"), "windows last from 1ms to 24h");
    }
    Some(Allowance { limit, window })
}

/// `global`, `address`, `route`, `header:Authorization`.
fn key_part(value: &Value<'_>) -> Option<KeyPart> {
    let text = value.string()?;
    if let Some(name) = text.strip_prefix("header:") {
        return match name.parse() {
            Ok(name) => Some(KeyPart::Header(name)),
            Err(_) => value.refuse(format!("`{name}` is not the name of a header"), "write for example \"header:Authorization\""),
        };
    }
    match text.as_str() {
        "address" => Some(KeyPart::Address),
        "route" => Some(KeyPart::Route),
        _ => value.refuse(
            format!("`{text}` is nothing that limits are kept apart by"),
            "one of \"address\", \"route\" and \"header:NAME\", or a list of them; without `key` all requests share one limit",
        ),
    }
}
