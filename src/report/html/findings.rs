//! Findings: one card is one thing to fix.

use super::Detail;
use super::coverage::place;
use super::table::more;
use crate::analysis::{Evidence, FindingFacts};
use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number;
use crate::report::wording::{self, NAME, SENTENCE};
use crate::severity::Severity;

/// Bytes of a request, an answer or a command that are shown.
const SAMPLE: usize = 2048;

/// Writes the cards, the worst first.
pub(super) fn render(html: &mut Html, report: &Report, detail: Detail) {
    let findings = wording::findings_by_weight(report);
    if findings.is_empty() {
        html.tag("p").text(why_none(report));
        baseline(html, report);
        waivers(html, report);
        return;
    }
    html.tag("p").text("Grouped by cause, the worst first. Values of secrets are masked.");
    for (nth, (at, finding)) in findings.iter().take(detail.findings).enumerate() {
        let samples = if nth < detail.in_full { 3 } else { 1 };
        card(html, *at, finding, samples);
    }
    more(html, findings.len(), detail.findings, "findings");
    baseline(html, report);
    waivers(html, report);
}

/// What became of an earlier report's findings.
fn baseline(html: &mut Html, report: &Report) {
    let Some(baseline) = report.contract.as_ref().and_then(|contract| contract.baseline.as_ref()) else { return };
    html.tag("h3").text("Against the baseline");
    html.tag("p").text(&format!(
        "{} new, {} known, {} of the baseline not seen again. The baseline is {} (run {}).",
        number::count(baseline.new),
        number::count(baseline.known),
        number::count(baseline.fixed.len() as u64),
        line(&baseline.path, NAME),
        line(&baseline.run, NAME)
    ));
    if baseline.fixed.is_empty() {
        return;
    }
    html.tag("ul").with(|html| {
        for fixed in baseline.fixed.iter().take(60) {
            let state = if fixed.state == "fixed" { "fixed" } else { "no such answer came" };
            html.tag("li").text(&format!("{} {} {}: {state}", line(&fixed.check, 16), fixed.severity, line(&fixed.title, SENTENCE)));
        }
    });
    more(html, baseline.fixed.len(), 60, "findings");
}

/// The contract's waivers, with what they cover.
fn waivers(html: &mut Html, report: &Report) {
    if report.suppressions.is_empty() {
        return;
    }
    html.tag("h3").text("Waivers");
    html.tag("ul").with(|html| {
        for waiver in report.suppressions.iter().take(60) {
            let state = match (waiver.expired, waiver.findings) {
                (true, _) => format!("expired on {}: it does not apply", line(&waiver.expires, 16)),
                (false, 0) => format!("covers nothing of this run; until {}", line(&waiver.expires, 16)),
                (false, n) => format!(
                    "{}, {}; until {}",
                    wording::counted(n, "finding"),
                    wording::answers(waiver.violations),
                    line(&waiver.expires, 16)
                ),
            };
            html.tag("li").text(&format!("{}: {} ({state})", line(&waiver.check, 16), line(&waiver.reason, SENTENCE)));
        }
    });
    more(html, report.suppressions.len(), 60, "waivers");
}

fn why_none(report: &Report) -> &'static str {
    match &report.contract {
        None => "The plan names no contract, so no answer was held to one.",
        Some(contract) if contract.inspected + contract.inspected_injected == 0 => "No answer came, so none could be inspected.",
        Some(_) => "Every inspected answer was as documented.",
    }
}

fn card(html: &mut Html, at: usize, finding: &FindingFacts, samples: usize) {
    let class = match finding.severity {
        Severity::Critical | Severity::High => "finding bad",
        Severity::Medium => "finding doubtful",
        Severity::Low | Severity::Info => "finding",
    };
    html.tag("article").class(class).attr("id", &format!("finding-{at}")).with(|html| {
        title(html, finding);
        html.tag("dl").with(|html| {
            pair(html, "expected", &finding.expected);
            pair(html, "got", &finding.actual);
            html.tag("dt").text("where");
            html.tag("dd").with(|html| met(html, finding));
            html.tag("dt").text("when");
            html.tag("dd").with(|html| when(html, at, finding));
            if let Some(waiver) = &finding.waiver {
                pair(html, "waived", waiver);
            }
            if !finding.how_to_fix.is_empty() {
                pair(html, "fix", &finding.how_to_fix);
            }
            if let Some(sources) = sources(finding) {
                pair(html, "source", &sources);
            }
        });
        if let Some(first) = finding.evidence.first().filter(|first| !first.curl.is_empty()) {
            // not <pre>: without a style sheet a long command must wrap, too
            html.tag("p").class("command").with(|html| html.tag("code").with(|html| html.text_up_to(&first.curl, SAMPLE)));
        }
        evidence(html, &finding.evidence, samples);
    });
    html.newline();
}

fn title(html: &mut Html, finding: &FindingFacts) {
    html.tag("h3").with(|html| {
        let tone = match finding.severity {
            Severity::Critical | Severity::High => "chip bad",
            Severity::Medium => "chip doubtful",
            Severity::Low | Severity::Info => "chip",
        };
        chip(html, "chip", &finding.check);
        chip(html, tone, finding.severity.word());
        match finding.responder.as_str() {
            "injector" => chip(html, "chip injected", "brownout's own answer"),
            // The target itself, as most findings are.
            "origin" => {}
            other => chip(html, "chip", other),
        }
        if finding.confidence == "likely" {
            chip(html, "chip", "likely");
        }
        if let Some(baseline) = &finding.baseline {
            chip(html, "chip", baseline);
        }
        html.text(&line(&finding.title, SENTENCE));
    });
    html.newline();
}

fn chip(html: &mut Html, class: &'static str, text: &str) {
    html.tag("span").class(class).text(&line(text, 24));
    html.text(" ");
}

fn pair(html: &mut Html, name: &'static str, text: &str) {
    html.tag("dt").text(name);
    html.tag("dd").text(&line(text, 1000));
}

fn met(html: &mut Html, finding: &FindingFacts) {
    html.text(&line(&wording::met_where(finding), SENTENCE));
    if !finding.instance_path.is_empty() {
        html.text(" · ");
        html.tag("code").text(&line(&finding.instance_path, NAME));
    }
    if !finding.operations.is_empty() {
        html.text(&format!(" · in {}", listed(&finding.operations)));
    }
    if !finding.probes.is_empty() {
        html.text(&format!(" · probe {}", listed(&finding.probes)));
    }
    if let Some(source) = &finding.contract_ref {
        html.text(&format!(" · documented at {}", place(source)));
    }
}

fn when(html: &mut Html, at: usize, finding: &FindingFacts) {
    html.tag("b").fact(&format!("/findings/{at}/count"), finding.count).text(&wording::answers(finding.count));
    html.text(&format!(", {}", wording::met_when(finding)));
    if !finding.stages.is_empty() {
        html.text(&format!(" · stage {}", listed(&finding.stages)));
    }
    match finding.faults.is_empty() {
        true => html.text(" · no fault was open"),
        false => html.text(&format!(" · while {} was open", listed(&finding.faults))),
    }
    if let Some(replay) = &finding.isolated_replay {
        html.text(&format!(" · Idle replay: {}", line(&wording::idle_replay(replay), SENTENCE)));
    }
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(6).map(|name| line(name, 60)).collect::<Vec<_>>().join(", ");
    if names.len() > 6 { format!("{shown} and {} more", names.len() - 6) } else { shown }
}

fn sources(finding: &FindingFacts) -> Option<String> {
    (!finding.sources.is_empty())
        .then(|| finding.sources.iter().take(6).map(|source| line(source, SENTENCE)).collect::<Vec<_>>().join("; "))
}

fn evidence(html: &mut Html, samples: &[Evidence], most: usize) {
    let shown = &samples[..samples.len().min(most)];
    if shown.is_empty() {
        return;
    }
    html.tag("details").with(|html| {
        html.tag("summary").text(&wording::counted(shown.len() as u64, "sample"));
        for sample in shown {
            html.tag("p").class("muted").text(&format!("At {}:", number::moment(sample.at_ms)));
            html.tag("pre").with(|html| html.text_up_to(&sample.request, SAMPLE));
            html.tag("pre").with(|html| html.text_up_to(&sample.response, SAMPLE));
        }
    });
}
