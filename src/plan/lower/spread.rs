//! How a span is drawn: `"1s"`, `{ fixed }`, `{ uniform = { min, max } }`, `{ lognormal = { median, p95 } }`.

use crate::plan::file::{Table, Value, View};
use crate::plan::problem::Problem;
use crate::seed::Distribution;
use crate::units::Micros;

/// Reads a distribution of spans of at most an hour.
pub fn lower(value: &Value<'_>) -> Option<Distribution> {
    let spread = match value.view() {
        View::Table(table) => kind(&table),
        _ => value.parsed().map(Distribution::Fixed),
    }?;
    let longest = match spread {
        Distribution::Fixed(span) => span,
        Distribution::Uniform { max, .. } => max,
        Distribution::LogNormal { median, .. } => median,
    };
    match longest <= Micros::HOUR {
        true => Some(spread),
        false => value.refuse(format!("{longest} is too long to wait"), "an hour is the most"),
    }
}

/// The distribution in words.
pub fn in_words(spread: &Distribution) -> String {
    match spread {
        Distribution::Fixed(span) => span.to_string(),
        Distribution::Uniform { min, max } => format!("{min} to {max}"),
        Distribution::LogNormal { median, .. } => format!("about {median}, log-normal"),
    }
}

fn kind(table: &Table<'_>) -> Option<Distribution> {
    let (fixed, uniform, lognormal) = (table.take("fixed"), table.table("uniform"), table.table("lognormal"));
    let spread = match (&fixed, &uniform, &lognormal) {
        (Some(span), None, None) => span.parsed().map(Distribution::Fixed),
        (None, Some(uniform), None) => between(uniform),
        (None, None, Some(lognormal)) => skewed(lognormal),
        _ => {
            let problem = Problem::at(table.place(), format!("`{}` needs one of `fixed`, `uniform` and `lognormal`", table.path()));
            table.problems().add(problem.help("for example { lognormal = { median = \"400ms\", p95 = \"2s\" } }"));
            None
        }
    };
    for inner in [uniform, lognormal].into_iter().flatten() {
        inner.finish();
    }
    spread
}

fn between(table: &Table<'_>) -> Option<Distribution> {
    let min: Option<Micros> = table.required("min").and_then(|value| value.parsed());
    let max: Option<Micros> = table.required("max").and_then(|value| value.parsed());
    let (min, max) = (min?, max?);
    if max < min {
        let problem = Problem::at(table.place(), format!("`max` ({max}) is smaller than `min` ({min})"));
        table.problems().add(problem.help("swap them"));
        return None;
    }
    Some(Distribution::Uniform { min, max })
}

fn skewed(table: &Table<'_>) -> Option<Distribution> {
    let median: Option<Micros> = table.required("median").and_then(|value| value.parsed());
    let upper = [("p90", 0.90), ("p95", 0.95), ("p99", 0.99)].map(|(key, share)| (key, share, table.take(key)));
    let mut given = upper.iter().filter_map(|(key, share, value)| Some((key, *share, value.as_ref()?)));
    let (Some((key, share, value)), None) = (given.next(), given.next()) else {
        let problem = Problem::at(table.place(), "a log-normal needs its median and exactly one of p90, p95 and p99");
        table.problems().add(problem.help("for example { median = \"400ms\", p95 = \"2s\" }"));
        return None;
    };
    let (median, high): (Micros, Micros) = (median?, value.parsed()?);
    let spread = Distribution::log_normal(median, share, high);
    if spread.is_none() {
        value.refuse::<()>(format!("`{key}` ({high}) must not be smaller than the median ({median}), which must not be zero"), "swap them");
    }
    spread
}
