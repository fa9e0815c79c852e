//! The gates: what was demanded, what was measured, how sure that is, and what it came to.

use super::table::{cards, cell, more, numbers, row, sign, words};
use crate::analysis::GateFacts;
use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::{Html, Tag};
use crate::report::number;
use crate::report::wording::{self, NAME, SENTENCE};

/// Rows shown.
const ROWS: usize = 200;

/// Writes the gates.
pub fn render(html: &mut Html, report: &Report) {
    let gates = wording::gates_by_weight(report);
    if gates.is_empty() {
        html.tag("p").text("The plan has no gates, so nothing was decided: the run only measured. A [[gate]] in the plan turns a number below into a verdict.");
        return;
    }
    html.tag("p").text(&intro(report));
    let heads = [
        words("decision"),
        words("gate"),
        numbers("limit"),
        numbers("actual"),
        numbers("95 % interval"),
        numbers("n"),
        words("where, why"),
    ];
    cards(html, "Gates", &heads, |html| {
        for (at, gate) in gates.iter().take(ROWS) {
            row(html, |html| one(html, *at, gate));
        }
    });
    more(html, gates.len(), ROWS, "gates");
}

fn intro(report: &Report) -> String {
    let lag = &report.data_quality.generator.lag_us;
    let precise = "Decided on the interval, not on the point; facts, such as a count, on their value.";
    match lag.p99 {
        Some(p99) => format!("{precise} The generator was at most {} late (p99).", number::span(p99)),
        None => precise.to_owned(),
    }
}

fn one(html: &mut Html, at: usize, gate: &GateFacts) {
    sign(html, wording::decision(gate.decision));
    html.tag("th").attr("scope", "row").with(|html| {
        if gate.name == gate.require {
            html.tag("code").text(&line(&gate.require, NAME));
        } else {
            html.text(&line(&gate.name, NAME));
            html.tag("div").class("sub").with(|html| html.tag("code").text(&line(&gate.require, NAME)));
        }
    });
    let at = |key: &str| format!("/verdict/gates/{at}/{key}");
    named(html, "limit").with(|html| html.tag("span").fact(&at("limit"), gate.limit).text(&wording::limit(gate)));
    named(html, "actual").with(|html| match gate.actual {
        Some(actual) => html.tag("b").fact(&at("actual"), actual).text(&wording::actual(gate)),
        None => html.text(number::NOTHING),
    });
    named(html, "95 % interval").with(|html| match gate.ci {
        Some([low, _]) => html.tag("span").fact(&at("ci/0"), low).text(&wording::interval(gate)),
        None => html.text(number::NOTHING),
    });
    named(html, "n").with(|html| html.tag("span").fact(&at("n"), gate.n).text(&number::count(gate.n)));
    cell(html, "muted", &number::kept_together(&line(&wording::where_and_why(gate), SENTENCE)));
}

/// A cell that carries the name of its column, for the narrow screen that has no head row.
fn named<'h>(html: &'h mut Html, column: &'static str) -> Tag<'h> {
    html.tag("td").class("num").attr("data-column", column)
}
