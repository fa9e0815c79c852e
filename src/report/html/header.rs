//! The top of the page: verdict, why, and the facts of the run.

use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number;
use crate::report::wording::{self, NAME, SENTENCE};

/// Writes the header.
pub fn render(html: &mut Html, report: &Report) {
    html.tag("header").class("top").with(|html| {
        html.tag("div").with(|html| {
            verdict(html, report);
            html.tag("h1").text(&line(&report.plan.name, NAME));
            html.newline();
            html.tag("p").class("why").text(&number::kept_together(&line(&report.verdict.headline, SENTENCE)));
            html.newline();
            banners(html, report);
            facts(html, report);
            contents(html, report);
        });
    });
    html.newline();
}

fn verdict(html: &mut Html, report: &Report) {
    let sign = wording::status(report.verdict.status);
    let class = match sign.tone {
        wording::Tone::Good => "verdict good",
        wording::Tone::Bad => "verdict bad",
        _ => "verdict doubtful",
    };
    html.tag("span").class(class).attr("id", "verdict").text(&format!("{} {}", sign.icon, sign.word));
    if !report.run.complete {
        html.tag("span").class("verdict doubtful").text("INCOMPLETE");
    }
    html.newline();
}

/// What must be known before any number is read.
fn banners(html: &mut Html, report: &Report) {
    if !report.verdict.invalid.is_empty() {
        html.tag("div").class("banner").attr("role", "alert").with(|html| {
            html.tag("p").with(|html| {
                html.tag("b").text("This run is not to be believed.");
                html.text(" No gate was decided.");
            });
            html.tag("ul").with(|html| {
                for reason in report.verdict.invalid.iter().take(20) {
                    html.tag("li").text(&line(reason, SENTENCE));
                }
            });
        });
        html.newline();
    }
    if let Some(why) = wording::incomplete(report) {
        html.tag("div").class("banner doubtful").attr("role", "alert").with(|html| {
            html.tag("p").with(|html| {
                html.tag("b").text("Incomplete.");
                html.text(" ");
                html.text(&why);
            });
        });
        html.newline();
    }
}

/// One line: where, when, how long, from which seed, against which contract, by which version.
fn facts(html: &mut Html, report: &Report) {
    let run = &report.run;
    html.tag("p").class("facts").with(|html| {
        html.tag("b").text(&line(&report.target.base_url, NAME));
        if let Some(embedded) = &report.target.embedded {
            let preset = embedded.strip_prefix("embedded ").unwrap_or(embedded);
            html.text(&format!(" (embedded, {})", line(preset, NAME)));
        }
        separate(html);
        html.text(&wording::wall_clock(&run.started_at));
        separate(html);
        html.tag("b").fact("/run/duration_ms", run.duration_ms).text(&number::span(run.duration_ms.saturating_mul(1000)));
        separate(html);
        html.text("seed ");
        html.tag("b").fact("/run/seed", run.seed).text(&run.seed.to_string());
        if let Some(contract) = &report.contract {
            separate(html);
            html.text("contract ");
            html.tag("b").text(&line(&format!("{} {}", contract.name, contract.version), NAME));
            html.text(&format!(", {}", profile(contract.profile)));
        }
        if let Some(commit) = run.ci.as_ref().and_then(|ci| ci.commit.as_deref()) {
            separate(html);
            html.text("commit ");
            html.tag("b").text(&line(commit, 12));
        }
        for (key, value) in run.labels.iter().take(8) {
            separate(html);
            html.text(&format!("{} {}", line(key, 40), line(value, 60)));
        }
        separate(html);
        html.text(&format!("{} {}", line(&report.tool.name, 40), line(&report.tool.version, 40)));
        separate(html);
        html.text("exit ");
        html.tag("b").fact("/run/exit_code", run.exit_code).text(&run.exit_code.to_string());
    });
    html.newline();
}

fn separate(html: &mut Html) {
    html.text(" · ");
}

const fn profile(profile: crate::contract::Profile) -> &'static str {
    match profile {
        crate::contract::Profile::Core => "core",
        crate::contract::Profile::Strict => "strict",
        crate::contract::Profile::Companion => "companion",
    }
}

fn contents(html: &mut Html, report: &Report) {
    let (load, probes) = (!report.is_battery(), !report.probes.is_empty());
    let sections = [
        ("#gates", "Gates", true),
        ("#client", "Client", report.session().is_some()),
        ("#timeline", "What happened", load),
        ("#contract", "Contract", true),
        ("#probes", "Probes", probes),
        ("#findings", "Findings", true),
        ("#retries", "Retries", load),
        ("#latency", "Latency", load),
        ("#faults", "Faults", load),
        ("#quality", "Data quality", true),
        ("#appendix", "Appendix", true),
    ];
    html.tag("nav").attr("aria-label", "Sections").with(|html| {
        for (anchor, title, _) in sections.into_iter().filter(|(_, _, there)| *there) {
            html.tag("a").attr("href", anchor).text(title);
            html.text(" ");
        }
    });
    html.newline();
}
