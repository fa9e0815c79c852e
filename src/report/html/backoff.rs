//! How long the client waited before each retry, of its own accord and on the server's word.

use super::figure::{Figure, empty, figure};
use super::table::{cell, count, numbers, row, span, table, words};
use crate::analysis::{BackoffFacts, Summary};
use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number;
use crate::report::palette::Ink;
use crate::report::scale::Scale;
use crate::report::svg::{Anchor, Area, Label, Stroke, Svg, fitted};
use crate::report::wording::NAME;

const WIDTH: f64 = 1056.0;
const LEFT: f64 = 230.0;
const RIGHT: f64 = 940.0;
const STEP: f64 = 26.0;
/// Rows drawn; the table has them too.
const ROWS: usize = 24;

/// One row: the waits of one kind before retry number so-and-so.
struct Row<'a> {
    name: String,
    waits: &'a Summary,
    hinted: bool,
}

/// Writes the figure with its table.
pub fn render(html: &mut Html, report: &Report) {
    let rows: Vec<Row<'_>> = report.retries.backoff.iter().flat_map(rows_of).collect();
    if rows.is_empty() {
        empty(html, "backoff", "Waits before a retry", "No attempt was repeated, so there was no wait.");
        return;
    }
    let drawn = &rows[..rows.len().min(ROWS)];
    let (lead, rest) = findings(drawn);
    let height = drawn.len() as f64 * STEP + 44.0;
    let about = Figure { id: "backoff", title: "Waits before a retry", lead: &lead, rest: &rest, width: WIDTH, height };
    figure(html, &about, |svg| draw(svg, drawn), |html| numbers_behind(html, report));
}

fn rows_of(facts: &BackoffFacts) -> impl Iterator<Item = Row<'_>> {
    [(&facts.waits_us, false), (&facts.hinted_us, true)].into_iter().filter(|(waits, _)| waits.n > 0).map(|(waits, hinted)| Row {
        name: format!("{} · retry {}{}", line(&facts.policy, 24), facts.retry, if hinted { " · hinted" } else { "" }),
        waits,
        hinted,
    })
}

fn findings(rows: &[Row<'_>]) -> (String, String) {
    let own: Vec<u64> = rows.iter().filter(|row| !row.hinted).filter_map(|row| row.waits.p50).collect();
    let lead = match own.as_slice() {
        [] => "Every wait followed the server's hint.".to_owned(),
        [only] => format!("The client's own wait was {} at the median.", number::span(*only)),
        [first, .., last] if last > first => {
            format!("The client's own waits grew from {} to {} at the median.", number::span(*first), number::span(*last))
        }
        _ => "The client's own waits did not grow from one retry to the next.".to_owned(),
    };
    (lead, "Thin: shortest to longest; thick: to the 95th percentile from the shortest; tick: median. Log scale.".to_owned())
}

fn draw(svg: &mut Svg<'_>, rows: &[Row<'_>]) {
    let low = rows.iter().filter_map(|row| row.waits.min).min().unwrap_or(1);
    let high = rows.iter().filter_map(|row| row.waits.max).max().unwrap_or(1);
    let bottom = 8.0 + rows.len() as f64 * STEP;
    let x = Scale::log(low as f64 * 0.8, high as f64 * 1.25, (LEFT, RIGHT));
    for tick in x.ticks() {
        let at = x.place(tick);
        svg.line((at, 4.0), (at, bottom), Stroke::thin(Ink::Grid));
        svg.label((at, bottom + 18.0), Label::small(Ink::Muted).anchored(Anchor::Middle), &number::span(tick as u64));
    }
    for (nth, row) in rows.iter().enumerate() {
        let y = 8.0 + (nth as f64 + 0.5) * STEP;
        let ink = if row.hinted { Ink::Band } else { Ink::Accent };
        let name = fitted(&row.name, 12.0, LEFT - 16.0).unwrap_or_default();
        svg.label((LEFT - 12.0, y + 4.0), Label { size: 12.0, ..Label::small(Ink::Text).anchored(Anchor::End) }, &name);
        let point = |us: Option<u64>| us.map(|us| x.place(us as f64)).unwrap_or(LEFT);
        let (min, p50, p95, max) = (point(row.waits.min), point(row.waits.p50), point(row.waits.p95), point(row.waits.max));
        svg.line((min, y), (max, y), Stroke::thin(ink));
        svg.rect(Area { x: min, y: y - 4.0, width: (p95 - min).max(2.0), height: 8.0 }, ink, 0.45, 2.0);
        svg.line((p50, y - 8.0), (p50, y + 8.0), Stroke { ink, width: 2.5, dash: None });
        let n = format!("{} · n {}", number::span_or_nothing(row.waits.p50), number::count(row.waits.n));
        svg.label((RIGHT + 8.0, y + 4.0), Label::small(Ink::Muted), &n);
    }
}

fn numbers_behind(html: &mut Html, report: &Report) {
    let heads = [
        words("policy"),
        numbers("retry"),
        words("wait"),
        numbers("n"),
        numbers("shortest"),
        numbers("p50"),
        numbers("p95"),
        numbers("longest"),
    ];
    html.tag("details").with(|html| {
        html.tag("summary").text("The numbers behind this figure");
        table(html, "Waits before a retry", &heads, |html| {
            for (at, facts) in report.retries.backoff.iter().enumerate().take(60) {
                for (kind, word, waits) in [("waits_us", "own", &facts.waits_us), ("hinted_us", "hinted", &facts.hinted_us)] {
                    if waits.n > 0 {
                        row(html, |html| one(html, &format!("/retries/backoff/{at}/{kind}"), facts, word, waits));
                    }
                }
            }
        });
    });
}

fn one(html: &mut Html, pointer: &str, facts: &BackoffFacts, word: &str, waits: &Summary) {
    html.tag("th").attr("scope", "row").text(&line(&facts.policy, NAME));
    cell(html, "num", &facts.retry.to_string());
    cell(html, "", word);
    count(html, &format!("{pointer}/n"), waits.n);
    for (key, value) in [("min", waits.min), ("p50", waits.p50), ("p95", waits.p95), ("max", waits.max)] {
        span(html, &format!("{pointer}/{key}"), value);
    }
}
