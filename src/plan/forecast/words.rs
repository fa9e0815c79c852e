//! A forecast as `check` prints it.

use std::fmt;

use super::{Forecast, GateForecast, Outlook};
use crate::gate::count_words;

/// Aligned text, ending with a line break.
impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of schedule, about {} requests", self.length, count(self.exchanges))?;
        table(
            f,
            "stages",
            &["", "load", "arrivals", "peak in flight", ""],
            self.stages.iter().map(|stage| {
                let notes = [(!stage.judged).then_some("not judged"), stage.may_meet_limit.then_some("may meet max_in_flight")];
                vec![
                    stage.name.clone(),
                    format!("{} for {}", stage.spec, stage.length),
                    count(stage.arrivals),
                    count(stage.in_flight.ceil()),
                    notes.into_iter().flatten().collect::<Vec<_>>().join(", "),
                ]
            }),
        )?;
        let known = if self.response_declared { "as the embedded target declares" } else { "an assumption" };
        writeln!(f, "  in flight is arrivals times duration (Little's law), an answer taking {}: {known}", self.response)?;
        table(
            f,
            "faults",
            &["", "expected hits", "of", "retries at most", ""],
            self.faults.iter().map(|fault| {
                let rare = if fault.drawn && fault.hits < 5.0 { format!("{}; may not fire", fault.spec) } else { fault.spec.clone() };
                let foreseen = |number: f64| if fault.drawn { count(number) } else { "?".to_owned() };
                vec![fault.name.clone(), foreseen(fault.hits), count(fault.eligible), foreseen(fault.worst_retries), rare]
            }),
        )?;
        match &self.repeats {
            Some((level, why)) if why.is_empty() => writeln!(f, "  the faults repeat: {} (the same attempts meet the same)", level.word())?,
            Some((level, why)) => writeln!(f, "  the faults repeat: {}; {why}", level.word())?,
            None => {}
        }
        table(
            f,
            "gates",
            &["", "expected samples", "needed", "", ""],
            self.gates.iter().map(|gate| {
                let samples = gate.samples.map_or("?".to_owned(), count);
                vec![gate.require.clone(), samples, count_words(gate.needed), outlook(gate), gate.scope_words.clone()]
            }),
        )
    }
}

fn outlook(gate: &GateForecast) -> String {
    let verdict = match gate.outlook {
        Outlook::Enough => "can be decided",
        Outlook::Perhaps => "may be inconclusive: hardly enough",
        Outlook::TooFew => "WILL BE INCONCLUSIVE: too few",
        Outlook::Unknown => "depends on the target",
    };
    match gate.outlook {
        Outlook::Perhaps | Outlook::TooFew => format!("{verdict} {}", gate.unit),
        Outlook::Enough | Outlook::Unknown => verdict.to_owned(),
    }
}

fn count(value: f64) -> String {
    count_words(value.round().clamp(0.0, 1e18) as u64)
}

/// A headed table with columns as wide as their widest cell; numbers to the right. Nothing where there are no rows.
fn table(f: &mut fmt::Formatter<'_>, title: &str, heads: &[&str; 5], rows: impl Iterator<Item = Vec<String>>) -> fmt::Result {
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let head: Vec<String> = std::iter::once(title.to_owned()).chain(heads[1..].iter().map(|head| (*head).to_owned())).collect();
    let width = |column: usize| {
        let widest = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        widest.max(head[column].chars().count().saturating_sub(if column == 0 { 2 } else { 0 }))
    };
    let widths: Vec<usize> = (0..5).map(width).collect();
    let numeric = |column: usize| rows.iter().all(|row| row[column].chars().all(|c| c.is_ascii_digit() || c == ' ' || c == '?'));
    let line = |cells: &[String], indent: usize| {
        let cell = |(column, text): (usize, &String)| {
            let width = widths[column] + if column == 0 { 2 - indent } else { 0 };
            if numeric(column) { format!("{text:>width$}") } else { format!("{text:<width$}") }
        };
        let text = cells.iter().enumerate().map(cell).collect::<Vec<_>>().join("   ");
        format!("{}{}", " ".repeat(indent), text.trim_end())
    };
    writeln!(f, "\n{}", line(&head, 0))?;
    rows.iter().try_for_each(|row| writeln!(f, "{}", line(row, 2)))
}
