//! `report.html`: one page for people, complete without scripts and without a network.
//!
//! Read from the top it answers: did it pass and why; what happened when; what of the contract was seen and what
//! is wrong; how failures were repeated; how slow it was; can the numbers be believed. One file per section or
//! figure. Every number is a value of `report.json`, or computed from such values in the place where it is shown;
//! elements that show a value carry its place (`data-at`, a JSON pointer) and the value (`data-value`).

mod appendix;
mod attempts;
mod backoff;
mod bars;
mod client;
mod coverage;
mod curves;
mod faults;
mod figure;
mod findings;
mod gates;
mod header;
mod hints;
mod latency;
mod limiters;
mod probes;
mod quality;
mod retries;
mod statuses;
mod style;
mod table;
mod tiles;
mod timeline;
mod waterfall;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::Report;
use super::escape::line;
use super::markup::Html;
use super::wording::{self, NAME};

/// A page may not be larger than this; with more to show, fewer samples are shown.
const LARGEST: usize = 3_000_000;

/// How much of the findings is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Detail {
    findings: usize,
    /// Findings with all their samples; the others show one.
    in_full: usize,
}

/// The page.
pub fn render(report: &Report) -> String {
    let page = page(report, Detail { findings: 200, in_full: 20 });
    if page.len() <= LARGEST {
        return page;
    }
    self::page(report, Detail { findings: 50, in_full: 0 })
}

fn page(report: &Report, detail: Detail) -> String {
    let mut html = Html::document();
    html.tag("html").attr("lang", "en").with(|html| {
        html.newline();
        head(html, report);
        html.tag("body").with(|html| body(html, report, detail));
    });
    html.newline();
    html.into_string()
}

fn head(html: &mut Html, report: &Report) {
    let sheet = style::sheet();
    let hash = STANDARD.encode(Sha256::digest(sheet.as_bytes()));
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
    html.tag("head").with(|html| {
        html.newline();
        html.tag("meta").attr("charset", "utf-8").leaf();
        html.tag("meta").attr("http-equiv", "Content-Security-Policy").attr("content", &policy).leaf();
        html.tag("meta").attr("name", "viewport").attr("content", "width=device-width, initial-scale=1").leaf();
        html.tag("meta").attr("name", "color-scheme").attr("content", "light dark").leaf();
        html.tag("meta").attr("name", "referrer").attr("content", "no-referrer").leaf();
        html.newline();
        let sign = wording::status(report.verdict.status);
        html.tag("title").text(&format!("{} {}: {}", sign.icon, sign.word, line(&report.plan.name, NAME)));
        html.newline();
        html.style(&sheet);
    });
    html.newline();
}

fn body(html: &mut Html, report: &Report, detail: Detail) {
    html.tag("a").class("skip").attr("href", "#report").text("Skip to the report");
    header::render(html, report);
    html.tag("main").attr("id", "report").with(|html| {
        html.newline();
        section(html, "gates", "Gates", |html| gates::render(html, report));
        tiles::render(html, report);
        let session = report.session();
        if let Some(session) = &session {
            section(html, "client", "Client", |html| client::render(html, report, session));
        }
        if !report.is_battery() {
            section(html, "timeline", "What happened", |html| {
                timeline::render(html, report);
                // With a client of somebody else's they stand beside it.
                if session.is_none() {
                    statuses::render(html, report);
                }
            });
        }
        section(html, "contract", "Contract", |html| coverage::render(html, report));
        if !report.probes.is_empty() {
            section(html, "probes", "Probes", |html| probes::render(html, report));
        }
        section(html, "findings", "Findings", |html| findings::render(html, report, detail));
        if !report.is_battery() {
            section(html, "retries", "Retries", |html| retries::render(html, report));
            section(html, "latency", "Latency", |html| latency::render(html, report));
            section(html, "faults", "Faults", |html| faults::render(html, report));
        }
        section(html, "quality", "Data quality", |html| quality::render(html, report));
        section(html, "appendix", "Appendix", |html| appendix::render(html, report));
        html.tag("footer")
            .text("Everything on this page is in report.json, which lies beside it. The page needs no network and no scripts.");
    });
}

fn section(html: &mut Html, id: &'static str, title: &'static str, inner: impl FnOnce(&mut Html)) {
    html.tag("section").attr("id", id).attr("aria-labelledby", &format!("{id}-h")).with(|html| {
        html.tag("h2").attr("id", &format!("{id}-h")).text(title);
        html.newline();
        inner(html);
    });
    html.newline();
}
