//! The verdict on the terminal: about ten lines that say what happened and why it passed or failed.

use super::Report;
use super::escape::line;
use super::number::{self, NOTHING};
use super::session::SessionFacts;
use super::wording::{self, NAME, SENTENCE, Tone};
use crate::analysis::{FaultFacts, FindingFacts, GateFacts, LimiterFacts};
use crate::contract::replay::Outcome;
use crate::gate::Decision;
use crate::severity::Severity;

/// Gates shown where all passed; the others are counted.
const GATES: usize = 3;
/// Gates shown at most, where more than that did not pass.
const TROUBLED_GATES: usize = 8;

/// The verdict in lines, each ended; `colour` adds ANSI colours to the words that carry the verdict.
pub fn render(report: &Report, colour: bool) -> String {
    let paint = Paint(colour);
    let mut out = String::new();
    let sign = wording::status(report.verdict.status);
    let verdict = paint.bold(sign.tone, &format!("{} {}", sign.icon, sign.word));
    push(&mut out, &format!("{verdict}  {}", line(&report.plan.name, NAME)));
    for part in wrapped(&line(&report.verdict.headline, SENTENCE), 96) {
        push(&mut out, &format!("  {part}"));
    }
    for reason in report.verdict.invalid.iter().take(3) {
        push(&mut out, &format!("  {} {}", paint.bold(Tone::Bad, "!"), line(reason, SENTENCE)));
    }
    if let Some(why) = wording::incomplete(report) {
        push(&mut out, &format!("  {} {why}", paint.bold(Tone::Doubtful, "!")));
    }
    out.push('\n');
    gates(&mut out, report, paint);
    for (name, fact) in facts(report) {
        push(&mut out, &format!("  {}  {fact}", paint.quiet(&format!("{name:<8}"))));
    }
    number::plain(&out)
}

/// A sentence in lines of at most about `width` characters, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && last.chars().count() + word.chars().count() >= width {
            lines.push(word.to_owned());
        } else {
            let gap = if last.is_empty() { "" } else { " " };
            last.push_str(gap);
            last.push_str(word);
        }
    }
    lines
}

fn push(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

/// The gates as a table: decision, name, requirement, actual, interval or reason.
fn gates(out: &mut String, report: &Report, paint: Paint) {
    let gates = wording::gates_by_weight(report);
    let troubled = gates.iter().filter(|(_, gate)| gate.decision != Decision::Pass).count();
    let (shown, rest) = gates.split_at(gates.len().min(troubled.clamp(GATES, TROUBLED_GATES)));
    let cells: Vec<[String; 4]> = shown.iter().map(|(_, gate)| row(gate)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    for ((_, gate), [name, require, actual, why]) in shown.iter().zip(&cells) {
        let sign = wording::decision(gate.decision);
        let decision = paint.bold(sign.tone, &format!("{} {:<12}", sign.icon, sign.word));
        let (name, require) = (pad(name, widths[0]), pad(require, widths[1]));
        let actual = format!("{}{actual}", " ".repeat(widths[2] - actual.chars().count()));
        push(out, &format!("  {decision}  {name}  {require}  {actual}  {}", paint.quiet(why)));
    }
    if gates.is_empty() {
        push(out, "  no gates in the plan: nothing was decided");
    } else if !rest.is_empty() {
        let more = if rest.len() == 1 { "gate" } else { "gates" };
        let passed = rest.iter().all(|(_, gate)| gate.decision == Decision::Pass);
        push(out, &format!("  … and {} more {more}{}, in the report", rest.len(), if passed { " that passed" } else { "" }));
    }
    out.push('\n');
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.chars().count())))
}

fn row(gate: &GateFacts) -> [String; 4] {
    let name = if gate.name == gate.require { String::new() } else { line(&gate.name, 40) };
    let interval = gate.ci.map(|ci| number::interval(ci, gate.unit));
    let reason = line(&wording::where_and_why(gate), 90);
    // what passed needs no more words than its interval
    let why = match (interval, gate.decision) {
        (Some(interval), Decision::Pass) => interval,
        (Some(interval), _) => format!("{interval}  {reason}"),
        (None, _) => reason,
    };
    [name, line(&gate.require, 60), number::plain(&wording::actual(gate)), why]
}

/// What happened, a line for each subject.
fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(session) = report.session() {
        facts.push(("client", client(report, &session)));
    } else if report.accounting.scheduled > 0 || report.probes.is_empty() {
        facts.push(("load", load(report)));
    }
    if !report.probes.is_empty() {
        facts.push(("probes", wording::probes(&report.probes)));
    }
    if !report.metrics.by_failure.is_empty() {
        facts.push(("failed", failures(report)));
    }
    if report.retries.attempts > report.retries.exchanges || !report.retries.by_policy.is_empty() {
        facts.push(("retries", retries(report)));
    }
    if !report.faults.is_empty() {
        facts.extend(faults(report));
    }
    if let Some(contract) = contract(report) {
        facts.push(("contract", contract));
    }
    if let Some(missing) = missing(report) {
        facts.push(("not seen", missing));
    }
    // What load met by chance and nobody asked about stands on the page.
    let told = |limiter: &&LimiterFacts| limiter.algorithm.is_some() || limiter.seen_by == "probe";
    for limiter in report.contract.iter().flat_map(|contract| &contract.limiters).filter(told).take(3) {
        let operation = line(&limiter.operation, 60);
        let why = if limiter.algorithm.is_none() { format!(" · {}", line(&limiter.reason, 160)) } else { String::new() };
        facts.push(("limiter", format!("{operation} · {}{why}", wording::does(limiter))));
    }
    if let Some(baseline) = report.contract.as_ref().and_then(|contract| contract.baseline.as_ref()) {
        let (new, known) = (number::count(baseline.new), number::count(baseline.known));
        facts.push(("baseline", format!("{new} new · {known} known · {} not seen again", number::count(baseline.fixed.len() as u64))));
    }
    let waived = report.findings.iter().filter(|finding| finding.waiver.is_some()).count() as u64;
    if waived > 0 {
        facts.push(("waived", wording::counted(waived, "finding")));
    }
    facts.extend(worst(report));
    facts
}

/// The worst finding, and others that were sent again alone, with what came of that; of the rest only how many they are.
fn worst(report: &Report) -> Vec<(&'static str, String)> {
    const SHOWN: usize = 4;
    let findings = wording::findings_by_weight(report);
    let bad = |finding: &FindingFacts| finding.severity >= Severity::Medium && finding.waiver.is_none();
    let told = findings.iter().enumerate().filter(|(at, (_, one))| *at == 0 || bad(one) && alone(one).is_some());
    let shown: Vec<&FindingFacts> = told.map(|(_, (_, one))| *one).take(SHOWN).collect();
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    for finding in &shown {
        let (check, title) = (line(&finding.check, 8), line(&finding.title, 160));
        let alone = alone(finding).map(|outcome| format!(" · sent alone: {outcome}")).unwrap_or_default();
        let text = format!("{check} {} · {title} · {}{alone}", finding.severity, wording::answers(finding.count));
        lines.push((if lines.is_empty() { "worst" } else { "" }, text));
    }
    let more = (findings.len() - shown.len()) as u64;
    if more > 0 && shown.len() > 1 {
        lines.push(("", format!("and {}, in the report", wording::counted(more, "more finding"))));
    }
    lines
}

/// What came of sending a finding's request again, where it could be.
fn alone(finding: &FindingFacts) -> Option<&'static str> {
    let replay = finding.isolated_replay.as_ref().filter(|replay| replay.outcome != Outcome::NotApplicable);
    replay.map(|replay| wording::replayed(replay.outcome))
}

/// What somebody else's client did, and how it ended.
fn client(report: &Report, session: &SessionFacts) -> String {
    let ended = session.client.in_words().map(|ended| format!("{ended} · ")).unwrap_or_default();
    let left = match session.client_left {
        0 => String::new(),
        n => format!(" · left {} before the answer", wording::counted(n, "attempt")),
    };
    format!("{ended}{}{left}", outcomes(report))
}

fn load(report: &Report) -> String {
    let account = &report.accounting;
    let started = format!("{} of {} arrivals started", number::count(account.started), number::count(account.scheduled));
    format!("{started} · {}", outcomes(report))
}

/// `99.8 % of 1 381 judged exchanges ok · p50 11.4 ms · p99 1.16 s`
fn outcomes(report: &Report) -> String {
    let overall = &report.metrics.overall;
    let latency = &overall.response_us.ok;
    let ok = match overall.exchanges {
        0 => "no judged exchange".to_owned(),
        n => format!("{} of {} ok", number::share_of(overall.ok, n), wording::counted(n, "judged exchange")),
    };
    let span = number::span_or_nothing;
    format!("{ok} · p50 {} · p99 {}", span(latency.p50), span(latency.p99))
}

fn failures(report: &Report) -> String {
    let kinds = report.metrics.by_failure.iter().take(4);
    let words: Vec<String> =
        kinds.map(|failure| format!("{} {}", wording::counted(failure.count, "attempt"), line(&failure.kind, 24))).collect();
    words.join(" · ")
}

fn retries(report: &Report) -> String {
    let retries = &report.retries;
    let (saved, hint) = (&retries.success_after_retry, &retries.retry_after);
    let mut text = format!("{} attempts per exchange", retries.amplification.map_or(NOTHING.to_owned(), |a| format!("{a:.2}")));
    text.push_str(&format!(" · {} of {} disturbed exchanges recovered", number::count(saved.recovered), number::count(saved.touched)));
    if hint.seen > 0 {
        text.push_str(&format!(" · Retry-After obeyed {} of {}", number::count(hint.obeyed), number::count(hint.seen)));
    }
    text
}

/// What each fault did, what of spoilt answers nobody found, and how far it would be the same again.
fn faults(report: &Report) -> Vec<(&'static str, String)> {
    const SHOWN: usize = 4;
    let mut words: Vec<String> = report.faults.iter().take(SHOWN).map(fault).collect();
    if report.faults.len() > SHOWN {
        words.push(format!("{} more", report.faults.len() - SHOWN));
    }
    let mut lines = vec![("faults", words.join(" · "))];
    let all = report.faults.iter();
    let missed: Vec<String> = all.flat_map(|fault| wording::not_found(fault, report)).collect();
    if let Some(first) = missed.first() {
        let more = if missed.len() > 1 { format!(" · {} more", missed.len() - 1) } else { String::new() };
        lines.push(("missed", format!("{first}{more}")));
    }
    // A run that is not to be believed need not be repeated.
    if let Some(decisions) = report.decisions.as_ref().filter(|_| report.verdict.invalid.is_empty()) {
        lines.push(("repeats", line(&wording::repeats(decisions), 240)));
    }
    lines
}

/// `slow 12 times`, `lost 3 of 5 times (2 not fired: the client left; 3 answers lost, 2 of them carried out by the target)`
fn fault(fault: &FaultFacts) -> String {
    let fired = number::count(fault.fired);
    let times = if fault.fired == 1 && fault.planned == 1 { "time" } else { "times" };
    let of = if fault.planned == fault.fired { String::new() } else { format!(" of {}", number::count(fault.planned)) };
    let why = fault.unfired.first().map(|first| {
        let count: u64 = fault.unfired.iter().map(|unfired| unfired.count).fold(0, u64::saturating_add);
        let others = if fault.unfired.len() > 1 { ", mostly" } else { "" };
        format!("{} not fired{others}: {}", number::count(count), line(&first.why, 60))
    });
    let lost = fault.upstream.filter(|upstream| upstream.answered > 0).map(wording::lost);
    let counted = |n: u64, what: &str| (n > 0).then(|| format!("{} {what}", number::count(n)));
    let notes: Vec<String> =
        [why, counted(fault.held_back, "held back"), counted(fault.unreached, "unreached"), lost].into_iter().flatten().collect();
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
    format!("{} {fired}{of} {times}{notes}", line(&fault.name, 40))
}

fn contract(report: &Report) -> Option<String> {
    let coverage = report.contract.as_ref()?.coverage;
    let seen = wording::covered(coverage);
    let findings = match report.findings.len() as u64 {
        0 => "no findings".to_owned(),
        n => wording::counted(n, "finding"),
    };
    Some(format!("{seen}, {} of them conformant · {findings}", number::count(coverage.conformant)))
}

/// What was not seen, and why: the first few.
fn missing(report: &Report) -> Option<String> {
    const SHOWN: usize = 4;
    let missing = wording::missing(report.contract.as_ref()?);
    let words = missing.iter().take(SHOWN).map(|entry| {
        let code = line(&entry.code, 40);
        format!("{} {code} ({})", entry.status, wording::state(entry.state).word)
    });
    let mut words: Vec<String> = words.collect();
    if missing.len() > SHOWN {
        words.push(format!("{} more", missing.len() - SHOWN));
    }
    (!words.is_empty()).then(|| words.join(" · "))
}

/// Colours, or none.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn bold(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "1;32",
            Tone::Doubtful => "1;33",
            Tone::Bad => "1;31",
            Tone::Quiet => "2",
        };
        self.code(code, text)
    }

    fn quiet(self, text: &str) -> String {
        if text.is_empty() { String::new() } else { self.code("2", text) }
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
