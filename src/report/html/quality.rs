//! Whether the numbers can be believed: the generator's own health, and where every request went.

use super::table::{cell, fact, numbers, row, snug, words};
use crate::analysis::Accounting;
use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number::{self, count as n};
use crate::report::wording::{NAME, SENTENCE, counted};

/// Writes the section.
pub fn render(html: &mut Html, report: &Report) {
    html.tag("p").text(&intro(report));
    warnings(html, report);
    identity(html, report);
    if report.is_session() {
        html.tag("p").class("muted").text(&own_memory(report));
    } else {
        generator(html, report);
    }
}

/// What there is to say of ourselves where the client is not ours.
fn own_memory(report: &Report) -> String {
    let peak = report.data_quality.generator.peak_rss_bytes;
    let memory = peak.map(|bytes| format!(" The proxy's process took {} of memory at most.", number::bytes(bytes))).unwrap_or_default();
    format!("No generator was at work, so there is no lag, no wait for a connection and no CPU of its own to tell of.{memory}")
}

fn intro(report: &Report) -> String {
    if !report.verdict.invalid.is_empty() {
        return "The run is invalid: the reasons stand at the top of the page.".to_owned();
    }
    let quality = &report.data_quality;
    if report.is_session() {
        let unchecked = match quality.skipped_validations {
            0 => "Every complete answer",
            _ => "Not every answer",
        };
        return format!(
            "A session has no schedule, so no arrival can be late or dropped. {unchecked} was held to the contract, if there is one."
        );
    }
    let dropped = match quality.dropped {
        0 => "No arrival was dropped".to_owned(),
        dropped => format!("Dropped: {}", counted(dropped, "arrival")),
    };
    let unchecked = match quality.skipped_validations {
        0 => "every answer was checked",
        _ => "some answers were not checked",
    };
    format!("{dropped}, {unchecked}. What the generator itself did to the numbers stands here.")
}

fn warnings(html: &mut Html, report: &Report) {
    let quality = &report.data_quality;
    let cut =
        quality.truncated.iter().filter(|(_, n)| **n > 0).map(|(what, count)| format!("{}: {} cut short", line(what, NAME), n(*count)));
    let skipped = (quality.skipped_validations > 0).then(|| format!("{} answers were not checked", n(quality.skipped_validations)));
    let all: Vec<String> = quality.warnings.iter().map(|text| line(text, SENTENCE)).chain(cut).chain(skipped).collect();
    if all.is_empty() {
        return;
    }
    html.tag("div").class("banner doubtful").with(|html| {
        html.tag("p").with(|html| html.tag("b").text("Worth knowing"));
        html.tag("ul").with(|html| all.iter().take(40).for_each(|text| html.tag("li").text(text)));
    });
    html.newline();
}

/// The accounting identity, written out with its numbers.
fn identity(html: &mut Html, report: &Report) {
    html.tag("h3").text("Where every request went");
    let a = &report.accounting;
    html.tag("ul").class("sum").with(|html| {
        if !report.is_session() {
            sum(html, "arrivals scheduled", a.scheduled, &[("started", a.started), ("dropped", a.dropped), ("unstarted", a.unstarted)]);
            sum(html, "exchanges", a.exchanges, &[("started", a.started), ("later steps", a.later_steps)]);
        }
        sum(html, "exchanges", a.exchanges, &outcomes(a));
        sum(html, "attempts", a.attempts, &[("exchanges", a.exchanges), ("retries", a.retries)]);
        match a.seen_by_proxy {
            Some(seen) => {
                sum(html, "attempts", a.attempts + a.hidden_resends, &[("seen by the proxy", seen), ("never sent", a.never_sent)])
            }
            None => html.tag("li").class("muted").text("The proxy was not in the path, so attempts on the wire were not counted twice."),
        }
    });
    if a.skipped_steps > 0 {
        html.tag("p").class("muted").text(&format!(
            "Skipped, since an earlier step of the same session did not succeed: {}.",
            counted(a.skipped_steps, "later step")
        ));
    }
    if a.hidden_resends > 0 {
        html.tag("p").class("muted").text(&format!(
            "Sent again by the transport itself: {} (counted above, on the left).",
            counted(a.hidden_resends, "hidden resend")
        ));
    }
}

fn outcomes(a: &Accounting) -> [(&'static str, u64); 6] {
    [
        ("ok", a.ok),
        ("error answers", a.error_answers),
        ("failed", a.failed),
        ("timed out", a.timed_out),
        ("cancelled", a.cancelled),
        ("in flight at the end", a.in_flight_at_end),
    ]
}

fn sum(html: &mut Html, name: &str, whole: u64, parts: &[(&str, u64)]) {
    let total = parts.iter().fold(0u64, |total, (_, part)| total.saturating_add(*part));
    html.tag("li").with(|html| {
        html.text(&format!("{name} "));
        html.tag("b").text(&n(whole));
        html.text(if total == whole { " = " } else { " ≠ " });
        let terms: Vec<String> = parts.iter().map(|(name, part)| format!("{name}\u{a0}{}", n(*part))).collect();
        html.text(&format!("{} ", terms.join(" + ")));
        match total == whole {
            true => html.tag("span").class("good").text("✓"),
            false => html.tag("span").class("bad").text(&format!("✗ {} are missing from the account", n(whole.abs_diff(total)))),
        }
    });
    html.newline();
}

fn generator(html: &mut Html, report: &Report) {
    html.tag("h3").text("The generator's own health");
    let facts = &report.data_quality.generator;
    let at = |key: &str| format!("/data_quality/generator/{key}");
    snug(html, "The generator's own health", &[words("what"), numbers("value"), words("meaning")], |html| {
        let mut one = |name: &str, key: &str, value: Option<(String, String)>, meaning: &str| {
            row(html, |html| {
                html.tag("th").attr("scope", "row").text(name);
                match value {
                    Some((value, shown)) => fact(html, &at(key), value, &shown),
                    None => cell(html, "num muted", number::NOTHING),
                }
                cell(html, "muted", meaning);
            });
        };
        let span = |us: Option<u64>| us.map(|us| (us.to_string(), number::span(us)));
        let count = |value: u64| Some((value.to_string(), n(value)));
        one("lag p50", "lag_us/p50", span(facts.lag_us.p50), "how late a request was started, after it was due");
        one("lag p99", "lag_us/p99", span(facts.lag_us.p99), "beyond the plan's limit the run is invalid");
        one("lag, largest", "lag_us/max", span(facts.lag_us.max), "");
        one("wait p99", "wait_us/p99", span(facts.wait_us.p99), "for a connection: pool, name, connect, TLS");
        one("CPU", "cpu", facts.cpu.map(|cpu| (cpu.to_string(), number::share(cpu))), "share of its threads' time the generator used");
        one(
            "memory",
            "peak_rss_bytes",
            facts.peak_rss_bytes.map(|bytes| (bytes.to_string(), number::bytes(bytes))),
            "largest resident size",
        );
        one("workers", "workers", count(u64::from(facts.workers)), &line(&format!("transport {}", facts.transport), NAME));
        one("connections made", "connections_made", count(facts.connections_made), "");
        one("most in flight", "peak_in_flight", count(facts.peak_in_flight), "sessions begun and not ended");
        one("saturated samples", "saturated_samples", count(facts.saturated_samples), "longer than the hour that histograms hold");
    });
}
