//! Retries: what repeating cost, what it saved, and whether the server's hints were kept.

use super::table::{cell, count, fact, more, numbers, row, table, words};
use super::{attempts, backoff, hints, waterfall};
use crate::analysis::PolicyFacts;
use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number;
use crate::report::wording::{NAME, counted};

const ROWS: usize = 60;

/// Writes the section.
pub fn render(html: &mut Html, report: &Report) {
    let retries = &report.retries;
    if retries.exchanges == 0 {
        html.tag("p").text("No exchange was begun, so nothing was repeated.");
        return;
    }
    html.tag("p").text(&intro(report));
    html.tag("div").class("two").with(|html| {
        attempts::render(html, report);
        hints::render(html, report);
    });
    policies(html, report);
    backoff::render(html, report);
    waterfall::render(html, report);
}

fn intro(report: &Report) -> String {
    let retries = &report.retries;
    let attempts = format!("{} took {}", counted(retries.exchanges, "exchange"), counted(retries.attempts, "attempt"));
    let saved = &retries.success_after_retry;
    let mended = match saved.touched {
        0 => "no exchange met a failure".to_owned(),
        touched => format!("of {} that met a failure {} still came out well", number::count(touched), number::count(saved.recovered)),
    };
    let goodput = match retries.goodput.ratio {
        Some(ratio) => format!(
            " Goodput: {} useful of {} offered, {}.",
            number::rate(retries.goodput.ok_per_s),
            number::rate(retries.goodput.offered_per_s),
            number::share(ratio)
        ),
        None => String::new(),
    };
    format!("{attempts}; {mended}.{goodput}")
}

fn policies(html: &mut Html, report: &Report) {
    let policies = &report.retries.by_policy;
    if policies.is_empty() {
        html.tag("p").class("muted").text(match report.is_session() {
            true => "Whether and when a failed attempt was repeated is the client's own doing.",
            false => "The plan has no retry policy: every failure was final.",
        });
        return;
    }
    let heads = [
        words("policy"),
        numbers("exchanges"),
        numbers("attempts"),
        numbers("amplification"),
        numbers("most attempts"),
        numbers("met a failure"),
        numbers("recovered"),
        numbers("Retry-After obeyed"),
        numbers("came early"),
        numbers("refused by budget"),
    ];
    table(html, "Retry policies", &heads, |html| {
        for (at, policy) in policies.iter().enumerate().take(ROWS) {
            row(html, |html| one(html, at, policy));
        }
    });
    more(html, policies.len(), ROWS, "policies");
}

fn one(html: &mut Html, at: usize, policy: &PolicyFacts) {
    let pointer = |key: &str| format!("/retries/by_policy/{at}/{key}");
    html.tag("th").attr("scope", "row").with(|html| {
        html.text(&line(&policy.name, NAME));
        html.tag("div").class("sub").text(&line(&policy.spec, 200));
    });
    count(html, &pointer("exchanges"), policy.exchanges);
    count(html, &pointer("attempts"), policy.attempts);
    match policy.amplification {
        Some(value) => fact(html, &pointer("amplification"), value, &number::factor(Some(value))),
        None => cell(html, "num muted", number::NOTHING),
    }
    count(html, &pointer("max_attempts"), u64::from(policy.max_attempts));
    count(html, &pointer("touched"), policy.touched);
    let share = policy.success_ratio.map(|ratio| format!(" ({})", number::share(ratio))).unwrap_or_default();
    fact(html, &pointer("recovered"), policy.recovered, &format!("{}{share}", number::count(policy.recovered)));
    fact(
        html,
        &pointer("hints/obeyed"),
        policy.hints.obeyed,
        &format!("{} of {}", number::count(policy.hints.obeyed), number::count(policy.hints.seen)),
    );
    count(html, &pointer("hints/early"), policy.hints.early);
    count(html, &pointer("budget_refused"), policy.budget_refused);
}
