//! The faults: what was to be done, what was done, whom it touched, and how long it was felt.

use super::table::{cell, count, more, numbers, row, table, words};
use crate::analysis::{DecisionFacts, FaultFacts, FollowedFacts, LogLines, MutationFacts};
use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number;
use crate::report::wording::{self, NAME};

const ROWS: usize = 100;
const MUTATIONS: usize = 20;

/// Writes the section.
pub fn render(html: &mut Html, report: &Report) {
    if report.faults.is_empty() {
        html.tag("p").text("The plan has no faults: every answer is the target's own.");
        return;
    }
    html.tag("p").text("Every decision is drawn from the seed and recorded in the attempt it touched. Planned: the draw said yes; fired: done on the wire.");
    let heads = [
        words("fault"),
        words("open"),
        words("repeats"),
        numbers("eligible"),
        numbers("planned"),
        numbers("fired"),
        numbers("unreached"),
        numbers("held back"),
        numbers("attempts touched"),
        numbers("exchanges touched"),
        numbers("recovered after"),
        numbers("own defects"),
    ];
    table(html, "Faults", &heads, |html| {
        for (at, fault) in report.faults.iter().enumerate().take(ROWS) {
            row(html, |html| one(html, at, fault));
        }
    });
    more(html, report.faults.len(), ROWS, "faults");
    if let Some(decisions) = &report.decisions {
        html.tag("p").text(&decided(decisions));
    }
}

/// How far the decisions repeat, and where they stand, in sentences.
fn decided(decisions: &DecisionFacts) -> String {
    let mut text = format!("Level {}.", wording::repeats(decisions));
    match &decisions.log {
        Some(LogLines { error: Some(error), .. }) => {
            text.push_str(&format!(" The log of decisions could not be written: {}.", line(error, 200)))
        }
        Some(LogLines { lines, missing: 0, .. }) => {
            text.push_str(&format!(" All decisions are in faults.jsonl, in {} lines.", number::count(*lines)))
        }
        Some(LogLines { lines, missing, .. }) => {
            let (lines, missing) = (number::count(*lines), number::count(*missing));
            text.push_str(&format!(" faults.jsonl was cut: {lines} attempts have a line, {missing} have none."));
        }
        None => {}
    }
    if let Some(FollowedFacts { known, unknown, unmet }) = decisions.followed {
        let [known, unknown, unmet] = [known, unknown, unmet].map(number::count);
        text.push_str(&format!(
            " The run followed a log: it knew {known} attempts, {unknown} it did not know, and {unmet} of its lines found no attempt."
        ));
    }
    text
}

fn one(html: &mut Html, at: usize, fault: &FaultFacts) {
    let pointer = |key: &str| format!("/faults/{at}/{key}");
    html.tag("th").attr("scope", "row").with(|html| {
        html.text(&line(&fault.name, NAME));
        html.tag("div").class("sub").text(&format!("{}: {}", line(&fault.effect, 24), line(&fault.spec, 200)));
        for mutation in fault.mutations.iter().take(MUTATIONS) {
            html.tag("div").class("sub").text(&found(mutation));
        }
        if let Some(upstream) = &fault.upstream {
            html.tag("div").class("sub").text(&wording::lost(*upstream));
        }
        for unfired in fault.unfired.iter().take(8) {
            html.tag("div").class("sub").text(&format!("not fired: {} × {}", number::count(unfired.count), line(&unfired.why, 80)));
        }
    });
    cell(html, "", &windows(fault));
    cell(html, "", &line(&fault.level, 24));
    let counts = [
        ("eligible", fault.eligible),
        ("planned", fault.planned),
        ("fired", fault.fired),
        ("unreached", fault.unreached),
        ("held_back", fault.held_back),
        ("attempts_touched", fault.attempts_touched),
        ("exchanges_touched", fault.exchanges_touched),
    ];
    for (key, n) in counts {
        count(html, &pointer(key), n);
    }
    match fault.recovery_ms {
        Some(ms) => html.tag("td").class("num").fact(&pointer("recovery_ms"), ms).text(&recovered(ms)),
        None => cell(html, "num muted", number::NOTHING),
    }
    count(html, &pointer("fidelity_findings"), fault.fidelity_findings);
}

/// What became of answers that were wrong on purpose.
fn found(mutation: &MutationFacts) -> String {
    let name = line(&mutation.name, 60);
    match &mutation.expects[..] {
        [] => format!("{name}: nothing that a run could see"),
        expects => {
            let by = line(&expects.join(" and "), 60);
            let others: Vec<&str> = mutation.others.keys().map(String::as_str).collect();
            let others = if others.is_empty() { String::new() } else { format!("; also {}", line(&others.join(", "), 100)) };
            format!("{name}: found by {by} in {}{others}", wording::answers(mutation.seen))
        }
    }
}

fn recovered(ms: u64) -> String {
    if ms == 0 { "at once".to_owned() } else { number::span(ms.saturating_mul(1000)) }
}

fn windows(fault: &FaultFacts) -> String {
    let shown = fault
        .windows
        .iter()
        .take(6)
        .map(|window| format!("{}\u{a0}–\u{a0}{}", number::moment(window.start_ms), number::moment(window.end_ms)));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    match fault.windows.len() {
        0 => text.push_str("never"),
        n if n > 6 => text.push_str(&format!(" and {} more", n - 6)),
        _ => {}
    }
    text
}
