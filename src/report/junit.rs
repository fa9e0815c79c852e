//! `junit.xml`: the gates are one suite; each service of the contract is one, its documented errors the cases; the probes
//! are one.
//!
//! A probe whose mistake was taken as if it were in order, or answered with another error or not at all, is a failure. A violated error is a failure with its findings; an error that was never seen is skipped, with the reason. A
//! gate that could not be decided is an error, so that no CI shows it as passed. Escape sequences and control
//! bytes do not reach the file.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::escape::{line, lines};
use super::number;
use super::wording::{self, NAME, SENTENCE};
use super::{ProbeFacts, Report};
use crate::analysis::{ContractFacts, EntryFacts, EntryState, FindingFacts, GateFacts};
use crate::gate::Decision;
use crate::severity::Severity;

/// Findings written in full.
const FINDINGS: usize = 200;
/// Findings written in full with the probe that made them.
const FINDINGS_OF_ONE: usize = 5;

/// The document.
pub fn render(report: &Report) -> String {
    let mut document = Document::new(format!("brownout: {}", line(&report.plan.name, NAME)));
    document.set_time(Duration::from_millis(report.run.duration_ms));
    document.add_test_suite(gates(report));
    let mut findings = wording::findings_by_weight(report).into_iter().map(|(_, finding)| finding).take(FINDINGS).collect::<Vec<_>>();
    if let Some(contract) = &report.contract {
        for service in wording::services(&contract.entries) {
            document.add_test_suite(service_suite(contract, service, &mut findings));
        }
    }
    if !findings.is_empty() {
        document.add_test_suite(others(&findings));
    }
    if !report.probes.is_empty() {
        document.add_test_suite(probes(report));
    }
    let mut text = document.to_string().expect("a document of strings is written to memory");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    number::plain(&text)
}

/// The gates, and the run's own validity as a first case.
fn gates(report: &Report) -> TestSuite {
    let mut suite = TestSuite::new("gates");
    suite.add_test_case(validity(report));
    for gate in &report.verdict.gates {
        suite.add_test_case(gate_case(gate));
    }
    suite
}

fn validity(report: &Report) -> TestCase {
    let reasons: Vec<String> = report.verdict.invalid.iter().take(20).map(|reason| line(reason, SENTENCE)).collect();
    let incomplete = wording::incomplete(report);
    let status = match (reasons.is_empty(), incomplete) {
        (true, None) => TestCaseStatus::success(),
        (true, Some(why)) => not_passed(NonSuccessKind::Error, "incomplete", &why, ""),
        (false, _) => not_passed(NonSuccessKind::Error, "invalid", &reasons[0], &reasons.join("\n")),
    };
    case("the run is complete and its numbers can be believed", "gates", status)
}

fn gate_case(gate: &GateFacts) -> TestCase {
    let message = format!("{}: actual {}, limit {}", line(&gate.require, NAME), wording::actual(gate), wording::limit(gate));
    let body = format!(
        "95 % interval {}, n {}. {}",
        wording::interval(gate),
        number::count(gate.n),
        line(&wording::where_and_why(gate), SENTENCE)
    );
    let status = match gate.decision {
        Decision::Pass => TestCaseStatus::success(),
        Decision::Fail => not_passed(NonSuccessKind::Failure, "gate", &message, &body),
        Decision::Inconclusive => not_passed(NonSuccessKind::Error, "inconclusive", &message, &body),
        Decision::NotDecided => not_passed(NonSuccessKind::Error, "not-decided", &message, &body),
    };
    let mut case = case(&line(&gate.name, NAME), "gates", status);
    if gate.decision == Decision::Pass {
        case.set_system_out(format!("{message}. {body}"));
    }
    case
}

/// The documented errors of one service; takes the findings that belong to them out of `findings`.
fn service_suite(contract: &ContractFacts, service: Option<&str>, findings: &mut Vec<&FindingFacts>) -> TestSuite {
    let name = format!("contract {}: {}", line(&contract.name, NAME), line(service.unwrap_or("any service"), NAME));
    let mut suite = TestSuite::new(name.clone());
    for entry in contract.entries.iter().filter(|entry| entry.service.as_deref() == service) {
        let belongs = |finding: &&FindingFacts| wording::belongs(finding, entry, &contract.entries);
        let own: Vec<&FindingFacts> = findings.iter().copied().filter(belongs).collect();
        findings.retain(|finding| !belongs(finding));
        suite.add_test_case(entry_case(entry, &own, &name));
    }
    suite
}

fn entry_case(entry: &EntryFacts, findings: &[&FindingFacts], suite: &str) -> TestCase {
    let sign = wording::state(entry.state);
    let seen = format!("{}: {} of the target, {} injected", sign.word, wording::answers(entry.count), number::count(entry.injected));
    let body: String = findings.iter().map(|finding| described(finding)).collect();
    let status = match entry.state {
        EntryState::Conformant => TestCaseStatus::success(),
        EntryState::Violating if is_waived(findings) => {
            let mut status = TestCaseStatus::skipped();
            let why = findings.iter().find_map(|finding| finding.waiver.as_deref()).unwrap_or_default();
            status.set_message(format!("{seen}; waived: {}", line(why, SENTENCE)));
            status
        }
        EntryState::Violating => {
            let message = findings.first().map_or_else(|| seen.clone(), |finding| titled(finding));
            not_passed(NonSuccessKind::Failure, "contract", &message, &body)
        }
        _ => {
            let mut status = TestCaseStatus::skipped();
            let reason = entry.reason.as_deref().map(|reason| format!("; {}", line(reason, SENTENCE))).unwrap_or_default();
            status.set_message(format!("{seen}{reason}"));
            status
        }
    };
    let mut case = case(&format!("{} {}", entry.status, line(&entry.code, NAME)), suite, status);
    if entry.state != EntryState::Violating {
        case.set_system_out(format!("{seen}\n{body}"));
    }
    case
}

/// What became of each probe.
fn probes(report: &Report) -> TestSuite {
    let mut suite = TestSuite::new("probes");
    for probe in &report.probes {
        suite.add_test_case(probe_case(probe, report));
    }
    suite
}

fn probe_case(probe: &ProbeFacts, report: &Report) -> TestCase {
    let sign = wording::probe(probe);
    let wanted = wording::probe_wanted(probe).map(|wanted| format!("; {wanted}")).unwrap_or_default();
    let came = format!("{}: {}{wanted}", sign.word, wording::probe_answer(probe));
    let found: Vec<&FindingFacts> = report.findings.iter().filter(|finding| finding.probes.contains(&probe.id)).collect();
    let skipped = |why: String| {
        let mut status = TestCaseStatus::skipped();
        status.set_message(why);
        status
    };
    let status = match probe.outcome.as_str() {
        "accepted" | "no-answer" | "unexpected" if is_waived(&found) => {
            let why = found.iter().find_map(|finding| finding.waiver.as_deref()).unwrap_or_default();
            skipped(format!("{came}; waived: {}", line(why, SENTENCE)))
        }
        "accepted" | "no-answer" | "unexpected" => {
            let body: String = found.iter().take(FINDINGS_OF_ONE).map(|finding| described(finding)).collect();
            not_passed(NonSuccessKind::Failure, "probe", &came, &body)
        }
        "limited" | "not-sent" => skipped(came.clone()),
        _ => TestCaseStatus::success(),
    };
    let passed = matches!(status, TestCaseStatus::Success { .. });
    let mut case = case(&line(&probe.id, NAME), "probes", status);
    if passed {
        case.set_system_out(format!("{}. {came}", line(&probe.what, NAME)));
    }
    case
}

/// Whether everything that would fail is waived.
fn is_waived(findings: &[&FindingFacts]) -> bool {
    let mut bad = findings.iter().filter(|finding| finding.severity >= Severity::Medium).peekable();
    bad.peek().is_some() && bad.all(|finding| finding.waiver.is_some())
}

/// Findings that belong to no documented error: undocumented answers, broken transport, our own injector.
fn others(findings: &[&FindingFacts]) -> TestSuite {
    let mut suite = TestSuite::new("other findings");
    for finding in findings {
        let status = match finding.severity {
            _ if finding.waiver.is_some() => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(format!("waived: {}", line(finding.waiver.as_deref().unwrap_or_default(), SENTENCE)));
                status
            }
            Severity::Info | Severity::Low => TestCaseStatus::success(),
            _ => not_passed(NonSuccessKind::Failure, "contract", &titled(finding), &described(finding)),
        };
        let mut case = case(&format!("{} {}", titled(finding), line(&wording::met_where(finding), NAME)), "other findings", status);
        if finding.severity <= Severity::Low {
            case.set_system_out(described(finding));
        }
        suite.add_test_case(case);
    }
    suite
}

fn titled(finding: &FindingFacts) -> String {
    format!("{} {}: {}", line(&finding.check, 16), finding.severity, line(&finding.title, SENTENCE))
}

fn described(finding: &FindingFacts) -> String {
    let mut text = format!("{}\n", titled(finding));
    text.push_str(&format!("expected: {}\nactual: {}\n", lines(&finding.expected, 1000), lines(&finding.actual, 1000)));
    text.push_str(&format!(
        "{}, {}; answered by: {}\n",
        wording::answers(finding.count),
        wording::met_when(finding),
        line(&finding.responder, 40)
    ));
    if let Some(evidence) = finding.evidence.first() {
        text.push_str(&format!("{}\n", lines(&evidence.curl, 2000)));
    }
    if !finding.how_to_fix.is_empty() {
        text.push_str(&format!("fix: {}\n", lines(&finding.how_to_fix, 1000)));
    }
    text
}

fn case(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

fn not_passed(kind: NonSuccessKind, of: &str, message: &str, body: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(of).set_message(message);
    if !body.is_empty() {
        status.set_description(body);
    }
    status
}
