//! The probes: what was wrong with each request, and what it was answered with. What is worth a look stands open.

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
    let mut probes: Vec<(usize, &ProbeFacts)> = report.probes.iter().enumerate().collect();
    probes.sort_by_key(|(_, probe)| wording::probe_weight(probe));
    let (quiet, open): (Vec<_>, Vec<_>) = probes.into_iter().partition(|(_, probe)| wording::probe_is_fine(probe));
    if !open.is_empty() {
        rows(html, "Probes to look at", &open);
    }
    if !quiet.is_empty() {
        html.tag("details").with(|html| {
            let what = if open.is_empty() { "All probes" } else { "Probes that came out as they should" };
            html.tag("summary").text(&format!("{what} ({})", quiet.len()));
            rows(html, what, &quiet);
        });
    }
}

fn rows(html: &mut Html, label: &str, probes: &[(usize, &ProbeFacts)]) {
    let heads = [words("verdict"), words("what is wrong"), words("request"), words("answer"), numbers("sent")];
    table(html, label, &heads, |html| {
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
    html.tag("td").with(|html| {
        html.text(&wording::probe_answer(probe));
        if let Some(wanted) = wording::probe_wanted(probe) {
            html.tag("div").class("sub").text(&wanted);
        }
    });
    count(html, &format!("/probes/{at}/sent"), u64::from(probe.sent));
}
