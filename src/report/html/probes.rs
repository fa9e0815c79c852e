//! The probes: what was wrong with each request, what it was aimed at, and what it was answered with.

use super::table::{cell, count, more, numbers, row, sign, table, words};
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::wording::{self, NAME, SENTENCE};
use crate::report::{ProbeFacts, Report};

const ROWS: usize = 300;

/// Writes the section.
pub fn render(html: &mut Html, report: &Report) {
    html.tag("p").text(&format!(
        "Requests that are wrong on purpose, sent before any load and past the fault proxy: {}. “Tolerated”: the target took the request as \
         it is, which it may. What a probe should be answered with comes from the contract.",
        wording::probes(&report.probes)
    ));
    let heads = [
        words("verdict"),
        words("what is wrong"),
        words("request"),
        words("aimed at"),
        words("answer"),
        words("would do"),
        numbers("sent"),
    ];
    let mut probes: Vec<(usize, &ProbeFacts)> = report.probes.iter().enumerate().collect();
    probes.sort_by_key(|(_, probe)| wording::probe_weight(probe));
    table(html, "Probes", &heads, |html| {
        for (at, probe) in probes.iter().take(ROWS) {
            row(html, |html| one(html, *at, probe));
        }
    });
    more(html, probes.len(), ROWS, "probes");
}

fn one(html: &mut Html, at: usize, probe: &ProbeFacts) {
    sign(html, wording::probe(probe));
    html.tag("td").with(|html| {
        html.text(&line(&probe.what, SENTENCE));
        html.tag("div").class("sub").text(&line(&probe.id, NAME));
    });
    cell(html, "", &line(&probe.operation, NAME));
    cell(html, "", &probe.target_entry.as_deref().map_or_else(|| "–".to_owned(), |key| line(key, NAME)));
    cell(html, "", &wording::probe_answer(probe));
    let statuses: Vec<String> = probe.accept.iter().map(u16::to_string).collect();
    cell(html, "", &if statuses.is_empty() { "any error".to_owned() } else { statuses.join(", ") });
    count(html, &format!("/probes/{at}/sent"), u64::from(probe.sent));
}
