//! The summary for job pages and review comments: verdict first, at most 60 KB.
//!
//! Text from outside is written as entities wherever Markdown could take it for a mark, a link or a mention.

use super::Report;
use super::escape::{markdown as safe, push_html};
use super::number::{self, NOTHING};
use super::wording::{self, NAME, SENTENCE};
use crate::analysis::{ContractFacts, FindingFacts, Summary};

/// The largest summary; a comment takes 64 KB, a job page more.
const BUDGET: usize = 60_000;
/// Room for the lines that say what was left out.
const RESERVE: usize = 400;

/// The summary.
pub fn render(report: &Report) -> String {
    let mut page = Page::default();
    page.push(&heading(report));
    page.push(&gates(report));
    page.push(&glance(report));
    page.rows("Findings", findings(report));
    page.rows("Contract", contract(report));
    page.rows("Latency", vec![latency(report)]);
    page.rows("Accounting", vec![accounting(report)]);
    page.finish()
}

/// Text that stops before the budget and counts what it left out.
#[derive(Default)]
struct Page {
    out: String,
    left_out: usize,
}

impl Page {
    fn push(&mut self, text: &str) {
        if self.out.len() + text.len() + RESERVE <= BUDGET {
            self.out.push_str(text);
        } else {
            self.left_out += 1;
        }
    }

    /// A folded section, as many of its pieces as there is room for.
    fn rows(&mut self, title: &str, pieces: Vec<String>) {
        if pieces.iter().all(String::is_empty) {
            return;
        }
        self.out.push_str(&format!("\n<details><summary>{title}</summary>\n\n"));
        for piece in pieces {
            self.push(&piece);
        }
        self.out.push_str("\n</details>\n");
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            self.out.push_str(&format!("\n{} more pieces are in report.html and report.json.\n", self.left_out));
        }
        number::plain(&self.out)
    }
}

fn heading(report: &Report) -> String {
    let sign = wording::status(report.verdict.status);
    let mut out = format!("## {} {}: {}\n\n", sign.icon, sign.word, safe(&report.plan.name, NAME));
    out.push_str(&format!("{}\n\n", safe(&report.verdict.headline, SENTENCE)));
    for reason in report.verdict.invalid.iter().take(10) {
        out.push_str(&format!("> **Not to be believed:** {}\n\n", safe(reason, SENTENCE)));
    }
    if let Some(why) = wording::incomplete(report) {
        out.push_str(&format!("> **Incomplete.** {why}\n\n"));
    }
    let run = &report.run;
    let target = safe(report.target.embedded.as_deref().unwrap_or(&report.target.base_url), NAME);
    let (start, length) = (safe(&wording::wall_clock(&run.started_at), NAME), number::span(run.duration_ms.saturating_mul(1000)));
    out.push_str(&format!("{target} · {start} · {length} · seed {} · exit {}\n\n", run.seed, run.exit_code));
    out
}

fn gates(report: &Report) -> String {
    if report.verdict.gates.is_empty() {
        return "No gates in the plan: nothing was decided.\n\n".to_owned();
    }
    let mut out = "| decision | gate | limit | actual | 95 % interval | n | where, why |\n|---|---|---|---:|---:|---:|---|\n".to_owned();
    let gates = wording::gates_by_weight(report);
    for (_, gate) in gates.iter().take(30) {
        let sign = wording::decision(gate.decision);
        let cells = [
            format!("{} {}", sign.icon, sign.word),
            safe(&gate.name, NAME),
            safe(&gate.require, NAME),
            wording::actual(gate),
            wording::interval(gate),
            number::count(gate.n),
            safe(&wording::where_and_why(gate), SENTENCE),
        ];
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    if gates.len() > 30 {
        out.push_str(&format!("\n… and {} more gates in report.html.\n", gates.len() - 30));
    }
    out.push('\n');
    out
}

fn glance(report: &Report) -> String {
    let (overall, retries) = (&report.metrics.overall, &report.retries);
    let mut parts = vec![
        format!("**{}** of {} judged exchanges ok", number::share_of(overall.ok, overall.exchanges), number::count(overall.exchanges)),
        format!("p99 **{}**", number::span_or_nothing(overall.response_us.ok.p99)),
        format!("retry amplification **{}**", number::factor(retries.amplification)),
    ];
    if let Some(contract) = &report.contract {
        let coverage = contract.coverage;
        let absolute = match (coverage.absolute_seen, coverage.absolute_total) {
            same if same == (coverage.seen, coverage.in_scope) => String::new(),
            (seen, total) => format!(" (absolute **{seen}/{total}**)"),
        };
        let seen = format!("**{}/{}** documented errors seen{absolute}", coverage.seen, coverage.in_scope);
        parts.push(format!("{seen}, **{}** conformant", coverage.conformant));
    }
    if !report.probes.is_empty() {
        parts.push(wording::probes(&report.probes));
    }
    format!("{}\n", parts.join(" · "))
}

fn findings(report: &Report) -> Vec<String> {
    wording::findings_by_weight(report).into_iter().map(|(_, finding)| one_finding(finding)).collect()
}

fn one_finding(finding: &FindingFacts) -> String {
    let title = safe(&finding.title, SENTENCE);
    let stands = finding.baseline.as_deref().map(|stands| format!(" · {}", safe(stands, 16))).unwrap_or_default();
    let mut out = format!("**{} · {}{stands} · {title}**  \n", safe(&finding.check, 16), finding.severity);
    if let Some(waiver) = &finding.waiver {
        out.push_str(&format!("waived: {}  \n", safe(waiver, SENTENCE)));
    }
    let place = safe(&wording::met_where(finding), NAME);
    let (count, when) = (wording::answers(finding.count), wording::met_when(finding));
    out.push_str(&format!("expected {}; got {}  \n", safe(&finding.expected, SENTENCE), safe(&finding.actual, SENTENCE)));
    out.push_str(&format!("{count} of {place}, {when}  \n"));
    if let Some(replay) = &finding.isolated_replay {
        out.push_str(&format!("Idle replay: {}  \n", safe(&wording::idle_replay(replay), SENTENCE)));
    }
    if !finding.how_to_fix.is_empty() {
        out.push_str(&format!("{}  \n", safe(&finding.how_to_fix, SENTENCE)));
    }
    if let Some(evidence) = finding.evidence.first() {
        out.push_str("<pre>");
        // a blank line would end the block in some renderers
        let mut command = String::new();
        push_html(&mut command, &evidence.curl.replace("\n\n", "\n \n"), 1000);
        // no mention and no link, and still the same text where it is copied from
        out.push_str(&command.replace('@', "&#64;").replace("://", ":&#47;/"));
        out.push_str("</pre>\n");
    }
    out.push('\n');
    out
}

fn contract(report: &Report) -> Vec<String> {
    let Some(contract) = &report.contract else { return Vec::new() };
    let mut pieces = vec!["| service | status | code | state | n |\n|---|---:|---|---|---:|\n".to_owned()];
    pieces.extend(contract.entries.iter().map(|entry| {
        let (service, code, sign) = (safe(wording::service(entry), NAME), safe(&entry.code, NAME), wording::state(entry.state));
        format!("| {service} | {} | {code} | {} {} | {} |\n", entry.status, sign.icon, sign.word, number::count(entry.count))
    }));
    pieces.push(missing(contract));
    pieces.push(undocumented(contract));
    pieces
}

/// What was not seen, and why.
fn missing(contract: &ContractFacts) -> String {
    const SHOWN: usize = 60;
    let missing = wording::missing(contract);
    let lines = missing.iter().take(SHOWN).map(|entry| {
        let (service, code) = (safe(wording::service(entry), NAME), safe(&entry.code, NAME));
        let why = entry.reason.as_deref().map(|reason| format!(": {}", safe(reason, SENTENCE))).unwrap_or_default();
        format!("- {}: {} {code} ({service}){why}\n", wording::state(entry.state).word, entry.status)
    });
    let more = match missing.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!("- … and {n} more that were not seen\n"),
    };
    format!("\n{}{more}", lines.collect::<String>())
}

fn undocumented(contract: &ContractFacts) -> String {
    let shown = contract.undocumented.iter().take(20).map(|seen| {
        let code = safe(seen.code.as_deref().unwrap_or("without a code"), NAME);
        format!("- undocumented: {} {code}, {}\n", seen.status, wording::answers(seen.count))
    });
    let lines: String = shown.collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

fn latency(report: &Report) -> String {
    let mut out = "| operation | outcome | n | p50 | p95 | p99 | max |\n|---|---|---:|---:|---:|---:|---:|\n".to_owned();
    let overall = &report.metrics.overall.response_us;
    let judged = [("judged run".to_owned(), overall)];
    let operations = report.metrics.by_operation.iter().take(60).map(|named| (safe(&named.name, NAME), &named.metrics.response_us));
    for (name, latency) in judged.into_iter().chain(operations) {
        for (outcome, summary) in [("ok", &latency.ok), ("error", &latency.error)] {
            if summary.n > 0 || (outcome == "ok" && std::ptr::eq(latency, overall)) {
                out.push_str(&format!("| {name} | {outcome} | {} |\n", points(summary)));
            }
        }
    }
    out
}

fn points(summary: &Summary) -> String {
    let point = number::span_or_nothing;
    let cells = [number::count(summary.n), point(summary.p50), point(summary.p95), point(summary.p99), point(summary.max)];
    cells.join(" | ")
}

fn accounting(report: &Report) -> String {
    let a = &report.accounting;
    let proxy = a.seen_by_proxy.map_or_else(|| NOTHING.to_owned(), number::count);
    let n = number::count;
    [
        format!(
            "- arrivals: scheduled {} = started {} + dropped {} + unstarted {}\n",
            n(a.scheduled),
            n(a.started),
            n(a.dropped),
            n(a.unstarted)
        ),
        format!(
            "- exchanges: {} = ok {} + error answers {} + failed {} + timed out {} + cancelled {} + in flight at end {}\n",
            n(a.exchanges),
            n(a.ok),
            n(a.error_answers),
            n(a.failed),
            n(a.timed_out),
            n(a.cancelled),
            n(a.in_flight_at_end)
        ),
        format!("- attempts: {} = exchanges {} + retries {}; the proxy saw {proxy}\n", n(a.attempts), n(a.exchanges), n(a.retries)),
    ]
    .concat()
}
