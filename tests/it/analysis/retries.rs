//! Retries and faults: amplification, hints, recovery, and what a gate's scope takes in.

use brownout::gate::Decision;
use brownout::wire::Failure;

use super::heard::{Run, answered, failed, plan};

const POLICY: &str = "[retry.sdk]\nattempts = 4\non = [429, 503]\nbackoff = { constant = \"100ms\" }\n";
const FAULT: &str = "[[fault]]\nname = \"outage\"\nduring = { stage = \"steady\", from = \"10s\", for = \"5s\" }\n\
                     respond = { status = 503, body = \"\" }\n";

fn with(gates: &[(&str, &str)]) -> String {
    let gates = gates.iter().map(|(require, scope)| format!("[[gate]]\nrequire = \"{require}\"\n{scope}\n"));
    format!("{POLICY}{FAULT}{}", gates.collect::<String>())
}

#[test]
fn attempts_recoveries_and_hints_are_counted_per_exchange() {
    let mut run = Run::new(plan(POLICY));
    run.seconds(0..30, |k| match k % 10 {
        // Asked to wait a second: one obeys, one comes back early, one late.
        0 => vec![answered(429, 10).asking(1), answered(200, 10).after(1_000)],
        1 => vec![answered(429, 10).asking(1), answered(200, 10).after(100)],
        2 => vec![answered(429, 10).asking(1), answered(200, 10).after(1_500)],
        3 => vec![answered(503, 10), failed(Failure::Reset, 10).after(100), answered(503, 10).after(100), answered(503, 10).after(100)],
        4 => vec![answered(404, 10)],
        _ => vec![answered(200, 10)],
    });
    let analysis = run.finish();
    let retries = &analysis.retries;
    assert_eq!((retries.exchanges, retries.attempts), (1_200, 1_200 + 3 * 120 + 3 * 120));
    assert_eq!(retries.amplification, Some(1.6));
    let by_attempts: Vec<(u32, u64)> = retries.attempts_per_exchange.iter().map(|count| (count.attempts, count.exchanges)).collect();
    assert_eq!(by_attempts, [(1, 720), (2, 360), (4, 120)]);
    let success = &retries.success_after_retry;
    assert_eq!((success.touched, success.recovered, success.ratio), (600, 360, Some(0.6)));
    let hints = &retries.retry_after;
    assert_eq!((hints.seen, hints.obeyed, hints.early, hints.late, hints.early_max_us), (360, 120, 120, 120, 900_000));
    let policy = &retries.by_policy[0];
    assert_eq!((policy.name.as_str(), policy.max_attempts, policy.hints.early), ("sdk", 4, 120));
    let first = &retries.backoff[0];
    assert_eq!((first.retry, first.waits_us.n, first.hinted_us.n, first.waits_us.max), (1, 120, 360, Some(100_000)));
    assert_eq!(analysis.metrics.by_failure[0].kind, "reset");
    assert_eq!(retries.goodput.ratio, Some(960.0 / 1_200.0));
    let answers: u64 = analysis.metrics.by_status_code.iter().map(|count| count.count).sum();
    assert_eq!(answers + analysis.metrics.by_failure[0].count, analysis.metrics.overall.attempts, "every attempt ended somehow");
}

#[test]
fn waterfalls_are_few_and_show_the_most_attempts_the_slowest_and_the_recovered() {
    let mut run = Run::new(plan(POLICY));
    run.seconds(0..30, |k| match k {
        500 => vec![answered(429, 10).asking(1), answered(429, 10).after(1_000), answered(503, 10).after(5), answered(200, 3).after(9)],
        600 => vec![answered(200, 5_000)],
        _ if k % 3 == 0 => vec![answered(503, 1), answered(200, 1).after(100)],
        _ => vec![answered(200, 10)],
    });
    let waterfalls = run.finish().retries.waterfalls;
    assert_eq!(waterfalls.len(), 12);
    let first = &waterfalls[0];
    assert_eq!((first.exchange.as_str(), first.chosen.as_str(), first.attempts.len()), ("500.0", "most attempts", 4));
    assert_eq!(first.attempts[0].asked_until_us, Some(1_010_000));
    assert_eq!((first.attempts[1].start_us, first.attempts[1].ending.as_str()), (1_010_000, "429"));
    assert!(waterfalls.iter().any(|waterfall| waterfall.exchange == "600.0" && waterfall.chosen == "slowest"));
    let mut names: Vec<&str> = waterfalls.iter().map(|waterfall| waterfall.exchange.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 12, "no exchange twice");
}

#[test]
fn gates_read_what_their_scope_takes_in() {
    let gates = [
        ("error.rate < 1%", "where = { fault = \"none\" }"),
        ("error.rate < 60%", "where = { fault = \"outage\" }"),
        ("error.rate > 90%", "where = { touched_by = \"outage\" }"),
        ("retry.amplification < 1.1", "where = { fault = \"none\" }"),
        ("retry.max_attempts <= 2", ""),
        ("response.p95 < 50ms", "where = { outcome = \"error\" }"),
        ("fault.fired(outage) >= 5", ""),
    ];
    let mut run = Run::new(plan(&with(&gates)));
    // From 10 to 15 s every second exchange is touched, twice, and fails.
    run.seconds(0..30, |k| match k {
        400..600 if k % 2 == 0 => vec![answered(503, 10).injected(0), answered(503, 10).after(100).injected(0)],
        _ => vec![answered(200, 10)],
    });
    let analysis = run.finish();
    let read: Vec<(u64, Decision)> = analysis.verdict.gates.iter().map(|gate| (gate.n, gate.decision)).collect();
    use Decision::{Fail, Pass};
    assert_eq!(
        read,
        [(1_100, Pass), (200, Pass), (100, Pass), (1_100, Pass), (1_200, Pass), (100, Fail), (40, Pass)],
        "{:#?}",
        analysis.verdict
    );
    let fault = &analysis.faults[0];
    assert_eq!((fault.attempts_touched, fault.exchanges_touched, fault.fired), (200, 100, 10));
    assert_eq!((fault.windows[0].start_ms, fault.windows[0].end_ms, fault.effect.as_str()), (10_000, 15_000, "respond"));
}

#[test]
fn recovery_is_measured_from_the_end_of_the_fault() {
    let gates = [("recovery.time < 5s", ""), ("recovery.time < 2s", "")];
    let mut run = Run::new(plan(&with(&gates)));
    // The fault ends at 15 s; the target needs until 18 s.
    run.seconds(0..30, |k| vec![answered(if (400..720).contains(&k) { 503 } else { 200 }, 10)]);
    let analysis = run.finish();
    // From 17.75 s on, 190 of 200 exchanges of five seconds are ok.
    assert_eq!(analysis.faults[0].recovery_ms, Some(2_750));
    let decisions: Vec<_> = analysis.verdict.gates.iter().map(|gate| (gate.actual, gate.decision)).collect();
    assert_eq!(decisions, [(Some(2_750_000.0), Decision::Pass), (Some(2_750_000.0), Decision::Fail)]);
}

#[test]
fn a_run_that_never_recovers_fails_a_short_limit_and_leaves_a_long_one_open() {
    let gates = [("recovery.time < 5s", ""), ("recovery.time < 60s", "")];
    let mut run = Run::new(plan(&with(&gates)));
    run.seconds(0..30, |k| vec![answered(if k >= 400 { 503 } else { 200 }, 10)]);
    let analysis = run.finish();
    assert_eq!(analysis.faults[0].recovery_ms, None);
    let decisions: Vec<_> = analysis.verdict.gates.iter().map(|gate| gate.decision).collect();
    assert_eq!(decisions, [Decision::Fail, Decision::Inconclusive], "{:?}", analysis.verdict.gates);
    assert_eq!(analysis.verdict.gates[1].ci, None, "JSON has no infinity");
}

#[test]
fn a_sequence_touches_each_attempt_that_it_disturbed() {
    let fault = "[[fault]]\nname = \"blip\"\nper = \"exchange\"\nsequence = [{ status = 503, body = \"\" }, \"reset\", \"pass\"]\n";
    let mut run = Run::new(plan(&format!("{POLICY}{fault}")));
    run.exchange(100, &[answered(503, 1).injected(0)]);
    run.exchange(200, &[answered(503, 1).injected(0), failed(Failure::Reset, 1).after(100).injected(0), answered(200, 1).after(100)]);
    let fault = run.finish().faults.remove(0);
    assert_eq!((fault.exchanges_touched, fault.attempts_touched, fault.effect.as_str()), (2, 3, "sequence"));
}
