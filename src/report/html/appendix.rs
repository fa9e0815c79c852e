//! The appendix: the plan, the environment, the words, and what lies beside the report.

use super::table::{cell, more, numbers, row, table, words};
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number;
use crate::report::wording::{NAME, SENTENCE};
use crate::report::{EndedBy, Report};

/// Bytes of the plan that are shown.
const PLAN: usize = 64 * 1024;
const ROWS: usize = 200;

/// Writes the section.
pub fn render(html: &mut Html, report: &Report) {
    environment(html, report);
    plan(html, report);
    glossary(html);
    artifacts(html, report);
}

fn pair(html: &mut Html, name: &str, value: &str) {
    if !value.is_empty() {
        html.tag("dt").text(name);
        html.tag("dd").text(value);
    }
}

fn environment(html: &mut Html, report: &Report) {
    let (run, target) = (&report.run, &report.target);
    html.tag("dl").class("pairs").with(|html| {
        pair(html, "run", &line(&run.id, NAME));
        pair(html, "from, to", &line(&format!("{} to {}", run.started_at, run.finished_at), NAME));
        pair(html, "ended by", ended_by(run.ended_by));
        pair(html, "path", &line(&target.path.join(" → "), SENTENCE));
        pair(html, "target", &line(&target.base_url, SENTENCE));
        pair(html, "services", &line(&target.services.join(", "), SENTENCE));
        pair(html, "HTTP", &line(&target.http_versions.join(", "), NAME));
        pair(html, "answered by", &line(&target.responders.join(", "), SENTENCE));
        pair(html, "clock skew", &target.clock_skew_ms.map(|ms| format!("{ms} ms")).unwrap_or_default());
        let memory = run.host.mem_mb.map(|mb| format!(", {} MB", number::count(mb))).unwrap_or_default();
        pair(html, "machine", &line(&format!("{}, {} CPUs{memory}", run.host.os, run.host.cpus), SENTENCE));
        let commit = report.tool.commit.as_deref().map(|commit| format!(" ({commit})")).unwrap_or_default();
        pair(html, "tool", &line(&format!("{} {}{commit}", report.tool.name, report.tool.version), NAME));
        pair(html, "arrivals digest", &line(&run.arrivals_digest, NAME));
        pair(html, "decisions digest", &line(&run.decisions_digest, NAME));
        if let Some(ci) = &run.ci {
            let parts =
                [Some(ci.provider.as_str()), ci.branch.as_deref(), ci.change.as_deref(), ci.commit.as_deref(), ci.run_url.as_deref()];
            pair(html, "CI", &line(&parts.into_iter().flatten().collect::<Vec<_>>().join(" · "), SENTENCE));
        }
        for (key, value) in run.labels.iter().take(ROWS) {
            pair(html, &line(&format!("label {key}"), 60), &line(value, SENTENCE));
        }
    });
    html.newline();
}

const fn ended_by(ended: EndedBy) -> &'static str {
    match ended {
        EndedBy::Schedule => "its schedule",
        EndedBy::Sigint => "a signal from the keyboard (SIGINT)",
        EndedBy::Sigterm => "a signal of the system (SIGTERM)",
        EndedBy::AbortGate => "a gate that aborts",
        EndedBy::TargetLost => "the loss of its target",
        EndedBy::Internal => "an internal error",
    }
}

fn plan(html: &mut Html, report: &Report) {
    let plan = &report.plan;
    html.tag("details").with(|html| {
        html.tag("summary").text("The plan, as it was run");
        html.tag("p").class("muted").text(&line(&format!("{} · sha256 {}", plan.path, plan.sha256), SENTENCE));
        if !plan.redactions.is_empty() {
            html.tag("p").class("muted").text(&line(&format!("Masked: {}", plan.redactions.join(", ")), SENTENCE));
        }
        html.tag("pre").with(|html| html.text_up_to(&plan.normalised, PLAN));
    });
    html.newline();
}

fn glossary(html: &mut Html) {
    let words = [
        ("arrival", "the start of a session: one pass through a scenario's steps, at a time computed from the seed"),
        ("exchange", "one logical request, with all attempts it took"),
        ("attempt", "one request on the wire"),
        ("response", "from the moment an exchange was due to its final outcome, back-off included"),
        ("service", "from the start of one attempt to its end"),
        ("lag", "how late the generator started what was due; it is part of response, never hidden"),
        ("judged", "stages whose numbers count; a warm-up does not"),
        ("amplification", "attempts per exchange: the load that retrying adds"),
        ("goodput", "exchanges that came out well, of those offered"),
        ("injected", "made by brownout's own fault proxy, never counted against the target"),
        ("conformant", "seen from the target itself, and every check passed"),
        ("synthetic only", "seen, but only as brownout's own injected answer: says nothing of the target"),
        ("inconclusive", "too few samples, or an interval that spans the limit: neither pass nor fail"),
        ("invalid", "the run's own measurement cannot be believed; no gate is decided"),
    ];
    html.tag("details").with(|html| {
        html.tag("summary").text("What the words mean");
        html.tag("dl").class("pairs").with(|html| words.iter().for_each(|(word, meaning)| pair(html, word, meaning)));
    });
    html.newline();
}

fn artifacts(html: &mut Html, report: &Report) {
    if report.artifacts.is_empty() {
        return;
    }
    html.tag("h3").text("Beside this report");
    table(html, "Files beside this report", &[words("file"), words("kind"), numbers("size"), words("sha256")], |html| {
        for artifact in report.artifacts.iter().take(ROWS) {
            row(html, |html| {
                html.tag("th").attr("scope", "row").text(&line(&artifact.path, NAME));
                cell(html, "", &line(&artifact.media_type, NAME));
                cell(html, "num", &number::bytes(artifact.bytes));
                html.tag("td").with(|html| html.tag("code").text(&line(&artifact.sha256, 64)));
            });
        }
    });
    more(html, report.artifacts.len(), ROWS, "files");
}
