//! The run at a glance: six numbers.

use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::{Html, Tag};
use crate::report::number::{self, NOTHING};
use crate::report::wording;

/// Writes the tiles.
pub fn render(html: &mut Html, report: &Report) {
    html.tag("ul").class("tiles").attr("aria-label", "At a glance").with(|html| {
        if report.is_battery() {
            probes(html, report);
        } else {
            success(html, report);
            latency(html, report);
            amplification(html, report);
        }
        coverage(html, report);
        worst(html, report);
    });
    html.newline();
}

fn tile(html: &mut Html, value: &str, facts: impl FnOnce(Tag<'_>) -> Tag<'_>, meaning: &str) {
    html.tag("li").class("tile").with(|html| {
        facts(html.tag("b")).text(value);
        html.tag("div").text(meaning);
    });
    html.newline();
}

/// Where no load was sent, its numbers say nothing.
fn probes(html: &mut Html, report: &Report) {
    let open = report.probes.iter().filter(|probe| !wording::probe_is_fine(probe)).count();
    let of = format!("of {} to be looked at", wording::counted(report.probes.len() as u64, "probe"));
    tile(html, &number::count(open as u64), |tag| tag, &of);
}

fn success(html: &mut Html, report: &Report) {
    let overall = &report.metrics.overall;
    let of = format!("of {} succeeded", wording::counted(overall.exchanges, "judged exchange"));
    let share = number::share_of(overall.ok, overall.exchanges);
    tile(html, &share, |tag| tag.fact("/metrics/overall/ok", overall.ok).attr("data-of", "/metrics/overall/exchanges"), &of);
}

fn latency(html: &mut Html, report: &Report) {
    let ok = &report.metrics.overall.response_us.ok;
    match ok.p99 {
        Some(p99) => {
            let p50 = number::span_or_nothing(ok.p50);
            let meaning = format!("p99 response of those that succeeded; half within {p50}");
            tile(html, &number::span(p99), |tag| tag.fact("/metrics/overall/response_us/ok/p99", p99), &meaning);
        }
        None => tile(html, NOTHING, |tag| tag, "p99 response: no judged exchange succeeded"),
    }
}

fn amplification(html: &mut Html, report: &Report) {
    let retries = &report.retries;
    match retries.amplification {
        Some(value) => {
            let attempts = wording::counted(retries.attempts, "attempt");
            let meaning = format!("retry amplification: {attempts} for {}", wording::counted(retries.exchanges, "exchange"));
            tile(html, &number::factor(Some(value)), |tag| tag.fact("/retries/amplification", value), &meaning);
        }
        None => tile(html, NOTHING, |tag| tag, "retry amplification: no exchange was begun"),
    }
}

fn coverage(html: &mut Html, report: &Report) {
    let Some(contract) = &report.contract else {
        tile(html, NOTHING, |tag| tag, "documented errors seen: the plan names no contract");
        tile(html, NOTHING, |tag| tag, "conformant: the plan names no contract");
        return;
    };
    let found = contract.coverage;
    let seen = format!("{}/{}", number::count(found.seen), number::count(found.in_scope));
    tile(html, &seen, |tag| tag.fact("/contract/coverage/seen", found.seen), "documented errors seen");
    let conformant = format!("{}/{}", number::count(found.conformant), number::count(found.seen));
    tile(html, &conformant, |tag| tag.fact("/contract/coverage/conformant", found.conformant), "of those seen are conformant");
}

fn worst(html: &mut Html, report: &Report) {
    match wording::findings_by_weight(report).first() {
        Some((_, finding)) => {
            let others = match report.findings.len() as u64 {
                1 => "the one finding".to_owned(),
                n => format!("worst of {}", wording::counted(n, "finding")),
            };
            tile(
                html,
                finding.severity.word(),
                |tag| tag,
                &format!("{others}: {}, {}", line(&finding.check, 8), wording::answers(finding.count)),
            );
        }
        None if report.contract.is_none() => tile(html, NOTHING, |tag| tag, "findings: no answer was held to a contract"),
        None => tile(html, "none", |tag| tag, "findings: every inspected answer was as documented"),
    }
}
