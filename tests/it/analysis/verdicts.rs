//! The verdict: its precedence, what makes a run invalid, and what it says of itself.

use std::borrow::Cow;

use brownout::analysis::{Analysis, RunFacts, Status};
use brownout::contract::{Judged, Violation};
use brownout::gate::Decision;
use brownout::record::{Recorder, RuleTally};
use brownout::severity::Severity;
use brownout::units::{Micros, Offset};
use brownout::wire::Failure;

use super::heard::{Run, answered, failed, plan};
use crate::support::golden::assert_golden;

const GATES: &str = "[[gate]]\nname = \"in time\"\nrequire = \"response.p95 < 50ms\"\n[[gate]]\nrequire = \"error.rate < 1%\"\n";
const FAULT: &str = "[[fault]]\nname = \"outage\"\nchance = \"10%\"\nrespond = { status = 503, body = \"\" }\n";

fn healthy(more: &str) -> Run {
    let mut run = Run::new(plan(more));
    run.seconds(0..30, |k| vec![answered(200, 1 + k * 37 % 20)]);
    run
}

fn finished(run: Run, change: impl FnOnce(&mut RunFacts)) -> Analysis {
    let mut facts = run.facts();
    change(&mut facts);
    run.tally.finish(&run.plan, &facts)
}

#[test]
fn every_gate_passed_is_a_pass() {
    let verdict = healthy(GATES).finish().verdict;
    assert_eq!((verdict.status, verdict.invalid.len()), (Status::Pass, 0), "{verdict:?}");
    assert_eq!(verdict.gates[0].name, "in time");
}

#[test]
fn coverage_that_was_not_reached_before_a_run_was_cut_short_is_inconclusive() {
    let gate = "[contract]\nfile = \"jan-server.toml\"\n[[gate]]\nrequire = \"contract.coverage >= 92%\"\n";
    let decision = |interrupted: bool| {
        let gates = finished(healthy(gate), |facts| facts.interrupted = interrupted).verdict.gates;
        (gates[0].decision, gates[0].reason.ends_with("and the run was cut short"))
    };
    assert_eq!(decision(false), (Decision::Fail, false));
    assert_eq!(decision(true), (Decision::Inconclusive, true));
}

#[test]
fn without_gates_a_run_passes_and_says_that_nothing_was_decided() {
    let verdict = healthy("").finish().verdict;
    assert_eq!(verdict.status, Status::Pass);
    assert!(verdict.headline.starts_with("There are no gates: nothing was decided."), "{}", verdict.headline);
}

#[test]
fn a_wrong_token_is_no_green_run_and_is_named() {
    for gates in [GATES, "", "[[gate]]\nrequire = \"response.p95 < 50ms\"\nwhere = { outcome = \"any\" }\n"] {
        let mut run = Run::new(plan(gates));
        for k in 0..1_200 {
            let judged = Judged { code: Some(Cow::Borrowed("INVALID_TOKEN")), ..Judged::default() };
            run.judged(k * 25 + 12, &[answered(401, 2)], &judged);
        }
        let verdict = run.finish().verdict;
        assert_ne!(verdict.status, Status::Pass, "{verdict:?}");
        if let Some(latency) = verdict.gates.first() {
            assert_eq!(latency.decision, Decision::Inconclusive);
            assert_eq!(latency.reason, "no exchange was ok: every answer was 401 INVALID_TOKEN");
        } else {
            assert!(verdict.headline.starts_with("Nothing succeeded: every answer was 401 INVALID_TOKEN."), "{}", verdict.headline);
        }
    }
}

#[test]
fn a_target_that_refuses_is_named_too() {
    let mut run = Run::new(plan("[[gate]]\nrequire = \"response.p95 < 50ms\"\n"));
    run.seconds(0..30, |_| vec![failed(Failure::Refused, 1)]);
    assert!(!run.tally.any_answer() && run.tally.any_arrival());
    let verdict = run.finish().verdict;
    assert_eq!(verdict.gates[0].reason, "no exchange was ok: every attempt ended with `refused`");
    assert_eq!(verdict.status, Status::Inconclusive);
}

#[test]
fn no_arrivals_leave_every_gate_open() {
    let run = Run::new(plan(GATES));
    let verdict = run.finish().verdict;
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(verdict.gates.iter().all(|gate| gate.decision == Decision::Inconclusive && gate.reason == "nothing was sent"));
    assert_eq!(verdict.headline, "Nothing was sent: the schedule held no arrivals.");
}

#[test]
fn a_run_that_is_not_to_be_believed_decides_nothing() {
    let late = |run: &mut Run| {
        for k in 0..200 {
            let at = Offset(Micros::from_millis(k * 25));
            run.tally.started(run.plan.stage_at(at), at, at + Micros::from_millis(5));
        }
    };
    let dropped = |run: &mut Run| {
        for k in 0..5 {
            let at = Offset(Micros::from_millis(k * 25));
            run.tally.dropped(run.plan.stage_at(at), at);
        }
    };
    type Change = (&'static str, &'static str, fn(&mut Run), fn(&mut RunFacts));
    let changes: [Change; 6] = [
        ("", "arrivals were started late: p99 of the schedule lag is 5 ms; the limit is 2 ms", late, |_| {}),
        ("", "0.41 % of 1 205 arrivals were dropped at max_in_flight; the limit is 0.1 %", dropped, |_| {}),
        ("", "the generator used 97 % of its threads' time; the limit is 85 %", |_| {}, |facts| facts.generator_cpu = Some(0.97)),
        ("", "a worker panicked", |_| {}, |facts| facts.broken.push("a worker panicked".to_owned())),
        (
            FAULT,
            "the accounts do not come out even: 1 200 attempts, but 1 190 seen by the proxy or never sent",
            |_| {},
            |facts| {
                facts.proxy.as_mut().expect("a proxy").seen -= 10;
            },
        ),
        (
            FAULT,
            "the fault `outage` never fired, though about 120 hits were to be expected",
            |_| {},
            |facts| {
                facts.proxy.as_mut().expect("a proxy").rules[0] = RuleTally { eligible: 1_200, ..RuleTally::default() };
            },
        ),
    ];
    for (more, problem, tell, change) in changes {
        let mut run = healthy(&format!("{GATES}{more}"));
        tell(&mut run);
        let verdict = finished(run, change).verdict;
        assert_eq!(verdict.status, Status::Invalid, "{problem}: {verdict:?}");
        assert!(verdict.invalid.iter().any(|line| line == problem), "{problem}: {:?}", verdict.invalid);
        assert!(verdict.gates.iter().all(|gate| gate.decision == Decision::NotDecided));
        assert!(verdict.headline.starts_with("The run is not to be believed: "), "{}", verdict.headline);
    }
}

#[test]
fn a_limit_that_nobody_spent_is_nothing_wrong() {
    let limiter = "[[fault]]\nname = \"roomy\"\nlimiter = { gcra = { rate = \"90/s\", burst = 90 }, status = 429 }\n";
    let run = healthy(limiter);
    let analysis = finished(run, |facts| {
        facts.proxy.as_mut().expect("a proxy").rules[0] = RuleTally { eligible: 1_200, crowded: 3, ..RuleTally::default() };
    });
    assert_eq!((analysis.verdict.status, analysis.verdict.invalid.len()), (Status::Pass, 0));
    let shared = "3 requests had to share a limit of the fault `roomy`, which has too many keys to keep all apart";
    assert_eq!(analysis.data_quality.warnings, [shared]);
}

#[test]
fn a_rule_that_met_nothing_is_a_warning() {
    let run = healthy(FAULT);
    let analysis = finished(run, |facts| facts.proxy.as_mut().expect("a proxy").rules[0] = RuleTally::default());
    assert_eq!(analysis.verdict.status, Status::Pass);
    assert_eq!(analysis.data_quality.warnings, ["the fault `outage` met no request: nothing in its windows matches it"]);
}

#[test]
fn violations_count_where_they_are_the_targets_own() {
    let gates = "[contract]\nfile = \"plans/contracts/jan-server.toml\"\n[[gate]]\nrequire = \"contract.violations(high) == 0\"\n\
                 [[gate]]\nrequire = \"contract.findings(low) <= 1\"\n[[gate]]\nrequire = \"contract.violations(critical) == 0\"\n";
    let mut run = Run::new(plan(gates));
    let violation = |severity, cause: &str| Violation {
        check: "R04",
        severity,
        instance_path: "header:X-RateLimit-Reset".to_owned(),
        expected: "an instant".to_owned(),
        actual: "another".to_owned(),
        cause: cause.to_owned(),
        contract_ref: None,
    };
    let judged = Judged { violations: vec![violation(Severity::High, "late"), violation(Severity::Info, "shape")], ..Judged::default() };
    for k in 0..1_200 {
        match k % 100 {
            0 => run.judged(k * 25 + 12, &[answered(429, 2)], &judged),
            1 => run.judged(k * 25 + 12, &[answered(429, 2).injected(0)], &judged),
            _ => run.exchange(k * 25 + 12, &[answered(200, 2)]),
        }
    }
    let gates = run.finish().verdict.gates;
    let reasons: Vec<&str> = gates.iter().map(|gate| gate.reason.as_str()).collect();
    assert_eq!(reasons, ["12 in 1 188 answers; 0 is required", "1 in 1 188 answers, at or below 1", "0 in 1 188 answers"]);
    assert_eq!(gates[0].severity, Some(Severity::High));
}

#[test]
fn violations_of_an_exchange_that_was_cut_off_count_too() {
    let gate = "[contract]\nfile = \"plans/contracts/jan-server.toml\"\n[[gate]]\nrequire = \"contract.violations(high) == 0\"\n";
    let (worker, mut all) = (Run::new(plan(gate)), healthy(gate));
    let violation = Violation {
        check: "R04",
        severity: Severity::High,
        instance_path: "header:X-RateLimit-Reset".to_owned(),
        expected: "an instant".to_owned(),
        actual: "another".to_owned(),
        cause: "late".to_owned(),
        contract_ref: None,
    };
    worker.cut_off(12, &answered(429, 2).asking(3_600), &Judged { violations: vec![violation], ..Judged::default() }, &mut all);
    let gates = all.finish().verdict.gates;
    assert_eq!(gates[0].decision, Decision::Fail, "{}", gates[0].reason);
}

#[test]
fn hostile_codes_are_cut_and_only_so_many_told_apart() {
    let mut run = Run::new(plan(""));
    for k in 0..1_000 {
        let code = format!("{k}\u{0}\u{1b}[31m{}", "x".repeat(5_000));
        let judged = Judged { code: Some(Cow::Owned(code)), ..Judged::default() };
        run.judged(k * 25 + 12, &[answered(500, 2)], &judged);
    }
    let analysis = run.finish();
    let counts = &analysis.metrics.by_status_code;
    assert!(counts.len() <= 101, "{}", counts.len());
    assert_eq!(counts[0].code.as_deref(), Some("(other codes)"));
    assert!(counts.iter().all(|count| count.code.as_ref().is_some_and(|code| code.len() <= 80 && !code.contains(char::is_control))));
    assert_eq!(counts.iter().map(|count| count.count).sum::<u64>(), 1_000);
    assert_eq!(analysis.data_quality.truncated.get("codes"), Some(&900));
}

#[test]
fn an_abort_gate_that_stopped_the_run_failed() {
    let gates = format!("{GATES}[[gate]]\nrequire = \"error.rate < 50%\"\nover = \"10s\"\nabort = true\n");
    let mut run = Run::new(plan(&gates));
    run.seconds(0..12, |k| vec![answered(if k > 300 { 500 } else { 200 }, 2)]);
    let verdict = finished(run, |facts| (facts.aborted, facts.ended_at) = (true, Offset(Micros::from_secs(12)))).verdict;
    assert_eq!((verdict.status, verdict.gates[2].decision), (Status::Fail, Decision::Fail));
    assert_eq!(verdict.gates[2].reason, "it stopped the run after 12 s");
    assert!(verdict.headline.starts_with("Stopped by a gate after 12 s of 30 s."), "{}", verdict.headline);
}

#[test]
fn headlines_say_what_happened_and_what_decided() {
    let mut headlines = String::new();
    let mut say = |of: &str, analysis: Analysis| {
        headlines.push_str(&format!("{of}\n    {:?}: {}\n", analysis.verdict.status, analysis.verdict.headline));
    };
    say("all gates pass", healthy(GATES).finish());
    say("no gates", healthy("").finish());
    let mut run = Run::new(plan(GATES));
    run.seconds(0..30, |k| match k % 10 {
        0 => vec![answered(503, 10), answered(200, 10).after(100)],
        1 => vec![answered(503, 10), answered(503, 10).after(100)],
        _ => vec![answered(200, 10)],
    });
    say("two gates fail", run.finish());
    let mut run = Run::new(plan(GATES));
    run.seconds(0..30, |k| vec![answered(if k % 110 == 0 { 500 } else { 200 }, 10)]);
    say("one gate is open", run.finish());
    let mut run = Run::new(plan(GATES));
    run.seconds(0..30, |_| vec![answered(401, 2)]);
    say("every answer is 401", run.finish());
    say("nothing was sent", Run::new(plan(GATES)).finish());
    say("the generator is starved", finished(healthy(GATES), |facts| facts.generator_cpu = Some(0.99)));
    let mut run = Run::new(plan(GATES));
    run.seconds(0..9, |k| vec![answered(200, 1 + k % 20)]);
    say("interrupted", finished(run, |facts| (facts.interrupted, facts.ended_at) = (true, Offset(Micros::from_millis(9_200)))));
    assert_golden("analysis/headlines.txt", &headlines);
}

#[test]
fn the_analysis_survives_being_written_and_read() {
    let analysis = healthy(&format!("{GATES}{FAULT}")).finish();
    let text = serde_json::to_string(&analysis).expect("JSON");
    let back: Analysis = serde_json::from_str(&text).expect("our own JSON");
    assert_eq!(back, analysis);
    assert!(text.len() < 120_000, "{} bytes", text.len());
}
