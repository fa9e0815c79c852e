//! What was answered: attempts by status and code, and those without an answer by kind.

use super::table::{cell, count, more, numbers, row, table, words};
use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number;
use crate::report::wording::NAME;

const ROWS: usize = 60;

/// Writes both tables, folded.
pub fn render(html: &mut Html, report: &Report) {
    let metrics = &report.metrics;
    if metrics.by_status_code.is_empty() && metrics.by_failure.is_empty() {
        return;
    }
    html.tag("details").with(|html| {
        html.tag("summary").text("What was answered, by status and code");
        html.tag("div").class("two").with(|html| {
            html.tag("div").with(|html| answers(html, report));
            html.tag("div").with(|html| failures(html, report));
        });
    });
    html.newline();
}

fn answers(html: &mut Html, report: &Report) {
    let all = &report.metrics.by_status_code;
    let heads = [numbers("status"), words("code"), words("service"), numbers("attempts"), numbers("of them injected")];
    table(html, "Answers by status and code", &heads, |html| {
        for (at, answer) in all.iter().enumerate().take(ROWS) {
            row(html, |html| {
                html.tag("th").attr("scope", "row").class("num").text(&answer.status.to_string());
                html.tag("td").with(|html| html.tag("code").text(&line(answer.code.as_deref().unwrap_or(number::NOTHING), NAME)));
                cell(html, "", &line(answer.service.as_deref().unwrap_or(number::NOTHING), NAME));
                count(html, &format!("/metrics/by_status_code/{at}/count"), answer.count);
                count(html, &format!("/metrics/by_status_code/{at}/injected"), answer.injected);
            });
        }
    });
    more(html, all.len(), ROWS, "statuses and codes");
}

fn failures(html: &mut Html, report: &Report) {
    let all = &report.metrics.by_failure;
    if all.is_empty() {
        html.tag("p").class("muted").text("Every attempt was answered.");
        return;
    }
    let heads = [words("no answer because"), numbers("attempts"), numbers("of them injected")];
    table(html, "Attempts without an answer", &heads, |html| {
        for (at, failure) in all.iter().enumerate().take(ROWS) {
            row(html, |html| {
                html.tag("th").attr("scope", "row").text(&line(&failure.kind, NAME));
                count(html, &format!("/metrics/by_failure/{at}/count"), failure.count);
                count(html, &format!("/metrics/by_failure/{at}/injected"), failure.injected);
            });
        }
    });
    more(html, all.len(), ROWS, "kinds");
}
