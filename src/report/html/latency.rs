//! Latency: by percentile, and as a table per stage and operation, success and error apart.

use std::cmp::Reverse;

use super::curves::{self, Curve};
use super::figure::empty;
use super::table::{Head, cell, count, group, more, numbers, row, table, words};
use crate::analysis::{ByOutcome, MetricSet, NamedMetrics, Summary};
use crate::report::Report;
use crate::report::escape::line;
use crate::report::histogram::{JUDGED, find};
use crate::report::markup::Html;
use crate::report::number;
use crate::report::palette::Ink;
use crate::report::wording::{self, NAME};

/// Stages and operations in the table.
const ROWS: usize = 80;

/// Writes the section.
pub fn render(html: &mut Html, report: &Report) {
    html.tag("p").text(match report.is_session() {
        true => "At the proxy. Response runs from the head of the first attempt to the final outcome, the client's waits included; what lies before and after it is not seen. Service is one attempt. Errors never count among successes.",
        false => "Response runs from the moment a request was due to its final outcome, back-off included: what a user would have felt. Service is one attempt on the wire. Errors never count among successes.",
    });
    html.tag("div").class("two").with(|html| {
        by_kind(html, report);
        by_scope(html, report);
    });
    all(html, report);
}

/// Response against service, and errors, of the judged stages.
fn by_kind(html: &mut Html, report: &Report) {
    let wanted = [
        ("response", "ok", "response", Ink::Accent, None),
        ("service", "ok", "one attempt", Ink::Ok, Some("5 3")),
        ("response", "error", "errors", Ink::Fail, Some("2 3")),
    ];
    let curves: Vec<Curve> = wanted
        .into_iter()
        .filter_map(|(kind, outcome, name, ink, dash)| {
            Some(Curve { name: name.to_owned(), ink, dash, histogram: find(report, JUDGED, kind, outcome)? })
        })
        .collect();
    if curves.is_empty() {
        empty(html, "curves-kind", "Latency by percentile", "No judged exchange ended, so there are no samples.");
        return;
    }
    let (lead, rest) = kind_findings(&report.metrics.overall, report.is_session());
    curves::render(html, "curves-kind", "Latency by percentile, judged stages", (&lead, &rest), &curves);
}

fn kind_findings(overall: &MetricSet, session: bool) -> (String, String) {
    let (response, service) = (&overall.response_us.ok, &overall.service_us.ok);
    let (Some(felt), Some(wire)) = (response.p99, service.p99) else {
        return ("No judged exchange succeeded.".to_owned(), "Drawn is how long the errors took.".to_owned());
    };
    let numbers = format!("p99 response is {}, one attempt {}.", number::span(felt), number::span(wire));
    match felt as f64 / wire.max(1) as f64 {
        ratio if session => match ratio > 1.1 {
            true => (numbers, "The difference is the client's waits and repeated attempts.".to_owned()),
            false => (numbers, "They agree within 10 %: next to nothing was repeated.".to_owned()),
        },
        ratio if ratio > 1.1 => {
            (numbers, "The difference is back-off and repeated attempts, a late start (lag) or a wait for a connection.".to_owned())
        }
        _ => (numbers, "They agree within 10 %: no time was lost between being due and being sent.".to_owned()),
    }
}

/// Looks of the curves that are compared.
const LOOKS: [(Ink, Option<&str>); 6] = [
    (Ink::Muted, Some("2 3")),
    (Ink::Accent, None),
    (Ink::Ok, Some("5 3")),
    (Ink::Fail, None),
    (Ink::Band, Some("5 3")),
    (Ink::Text, None),
];

/// Response of ok exchanges, a curve for each stage, or for each operation where stages have no histograms.
fn by_scope(html: &mut Html, report: &Report) {
    let stages = compared(report, report.stages.iter().map(|stage| stage.name.as_str()));
    let (what, curves) = if stages.len() >= 2 { ("stage", stages) } else { ("operation", compared(report, busiest(report).into_iter())) };
    if curves.len() < 2 {
        empty(html, "curves-scope", "Response by percentile, compared", "There are not two stages or operations with samples to compare.");
        return;
    }
    let at = |curve: &Curve| curve.histogram.value_at_quantile(0.99);
    let slowest = curves.iter().max_by_key(|curve| at(curve)).expect("at least two curves");
    let fastest = curves.iter().min_by_key(|curve| at(curve)).expect("at least two curves");
    let ratio = at(slowest) as f64 / at(fastest).max(1) as f64;
    let lead = if what == "operation" {
        format!("{} was the slowest: p99 response {}.", slowest.name, number::span(at(slowest)))
    } else if ratio < 1.1 {
        format!("Every {what} was alike: p99 response about {}.", number::span(at(slowest)))
    } else {
        format!("The slowest 1 % took {} longer in {} than in {}.", number::factor(Some(ratio)), slowest.name, fastest.name)
    };
    let title = format!("Response by percentile, by {what}");
    let rest = match curves.len() {
        n if what == "operation" && n < report.metrics.by_operation.len() => "Successful exchanges only; the operations with most of them.",
        _ => "Successful exchanges only.",
    };
    curves::render(html, "curves-scope", &title, (&lead, rest), &curves);
}

/// The operations with the most successful exchanges, in plan order.
fn busiest(report: &Report) -> Vec<&str> {
    let operations = &report.metrics.by_operation;
    let mut places: Vec<usize> = (0..operations.len()).collect();
    places.sort_by_key(|&at| (Reverse(operations[at].metrics.response_us.ok.n), at));
    places.truncate(LOOKS.len());
    places.sort_unstable();
    places.into_iter().map(|at| operations[at].name.as_str()).collect()
}

fn compared<'a>(report: &Report, scopes: impl Iterator<Item = &'a str>) -> Vec<Curve> {
    let found = scopes.filter_map(|scope| Some((line(scope, 40), find(report, scope, "response", "ok")?)));
    found.zip(LOOKS).map(|((name, histogram), (ink, dash))| Curve { name, ink, dash, histogram }).collect()
}

/// Samples below which a percentile may not be judged (two-sided 95 %, distribution-free).
const NEEDED: [(&str, u64); 4] = [("p90", 36), ("p95", 72), ("p99", 368), ("p999", 3688)];

const HEADS: [Head; 11] = [
    words("what"),
    words("outcome"),
    numbers("n"),
    numbers("shortest"),
    numbers("mean"),
    numbers("p50"),
    numbers("p90"),
    numbers("p95"),
    numbers("p99"),
    numbers("p99.9"),
    numbers("longest"),
];

/// Operations that stand in the open; more are folded.
const OPEN: usize = 8;

fn all(html: &mut Html, report: &Report) {
    let metrics = &report.metrics;
    table(html, "Latency", &HEADS, |html| {
        group(html, HEADS.len(), "judged stages together");
        let overall = [
            ("response", "response_us", &metrics.overall.response_us),
            ("one attempt (service)", "service_us", &metrics.overall.service_us),
            ("first byte", "first_byte_us", &metrics.overall.first_byte_us),
            ("start after due (lag)", "lag_us", &metrics.overall.lag_us),
        ];
        // Nobody was late for what no schedule holds, and a session of one request is that request.
        let session = report.is_session();
        for (name, key, latency) in overall.into_iter().filter(|(_, key, _)| !session || *key != "lag_us") {
            both(html, name, &format!("/metrics/overall/{key}"), latency, key == "response_us");
        }
        if !session {
            both(html, "whole session", "/metrics/session_us", &metrics.session_us, false);
        }
        if let Some(upstream) = &metrics.upstream_us {
            one(html, "proxy to target, head", "all", "/metrics/upstream_us", upstream);
        }
        scopes(html, "response by stage", "by_stage", &metrics.by_stage);
        if metrics.by_operation.len() <= OPEN {
            scopes(html, "response by operation", "by_operation", &metrics.by_operation);
        }
    });
    more(html, metrics.by_stage.len(), ROWS, "stages");
    html.tag("p")
        .class("muted")
        .text("† fewer samples than it takes to judge this percentile with 95 % confidence (p90 36, p95 72, p99 368, p99.9 3688).");
    if metrics.by_operation.len() > OPEN {
        html.tag("details").with(|html| {
            html.tag("summary").text(&format!("Response of each of {}", wording::counted(metrics.by_operation.len() as u64, "operation")));
            table(html, "Response by operation", &HEADS, |html| {
                scopes(html, "response by operation", "by_operation", &metrics.by_operation)
            });
            more(html, metrics.by_operation.len(), ROWS, "operations");
        });
    }
}

fn scopes(html: &mut Html, title: &str, key: &str, all: &[NamedMetrics]) {
    if !all.is_empty() {
        group(html, HEADS.len(), title);
    }
    for (at, named) in all.iter().enumerate().take(ROWS) {
        both(html, &line(&named.name, NAME), &format!("/metrics/{key}/{at}/response_us"), &named.metrics.response_us, true);
    }
}

fn both(html: &mut Html, name: &str, pointer: &str, latency: &ByOutcome, even_if_empty: bool) {
    if latency.ok.n > 0 || even_if_empty {
        one(html, name, "ok", &format!("{pointer}/ok"), &latency.ok);
    }
    if latency.error.n > 0 {
        one(html, name, "error", &format!("{pointer}/error"), &latency.error);
    }
}

fn one(html: &mut Html, name: &str, outcome: &str, pointer: &str, summary: &Summary) {
    row(html, |html| {
        html.tag("th").attr("scope", "row").text(name);
        let censored = match summary.censored {
            0 => outcome.to_owned(),
            n => format!("{outcome}, {} cut by a timeout", number::count(n)),
        };
        cell(html, if outcome == "error" { "bad" } else { "muted" }, &censored);
        count(html, &format!("{pointer}/n"), summary.n);
        let points = [
            ("min", summary.min),
            ("mean", summary.mean),
            ("p50", summary.p50),
            ("p90", summary.p90),
            ("p95", summary.p95),
            ("p99", summary.p99),
            ("p999", summary.p999),
            ("max", summary.max),
        ];
        for (key, value) in points {
            point(html, &format!("{pointer}/{key}"), key, value, summary.n);
        }
    });
}

fn point(html: &mut Html, pointer: &str, key: &str, value: Option<u64>, n: u64) {
    let Some(us) = value else { return cell(html, "num muted", number::NOTHING) };
    let few = NEEDED.iter().any(|&(point, needed)| point == key && n < needed);
    let (class, mark) = if few { ("num few", "\u{2009}†") } else { ("num", "") };
    html.tag("td").class(class).fact(pointer, us).text(&format!("{}{mark}", number::span(us)));
}
