//! Latency: corrected quantiles have their closed form, success and error stay apart, gates know how sure they are.

use brownout::analysis::Analysis;
use brownout::gate::Decision;
use brownout::record::Recorder;
use brownout::units::{Micros, Offset};
use brownout::wire::{Failure, Phase};

use super::heard::{Run, answered, failed, plan, plan_with};

/// A target that answers in 1 ms, but for a full stall: what comes in it is answered at its end.
fn stalled(stall_ms: std::ops::Range<u64>) -> impl Fn(u64) -> u64 {
    move |at_ms| if stall_ms.contains(&at_ms) { stall_ms.end - at_ms } else { 1 }
}

#[test]
fn quantiles_through_a_full_stall_have_their_closed_form() {
    // MEASUREMENT.md: the corrected quantile q is max(0, S − T(1 − q)), with S = 1.4 s and T = 30 s.
    let mut run = Run::new(plan_with("[[load.stage]]\nname = \"steady\"\nfor = \"30s\"\nrate = \"1000/s\"\n", ""));
    let took = stalled(10_000..11_400);
    for at_ms in 0..30_000 {
        run.exchange(at_ms, &[answered(200, took(at_ms))]);
    }
    let analysis = run.finish();
    let response = &analysis.metrics.overall.response_us.ok;
    assert_eq!(response.n, 30_000);
    for (q, actual) in [(0.95, response.p95), (0.99, response.p99), (0.999, response.p999)] {
        let expected = (1.4f64 - 30.0 * (1.0 - q)).max(0.0);
        let actual = actual.expect("samples") as f64 / 1e6;
        // One arrival interval of 1 ms, and three digits.
        assert!((actual - expected).abs() < 0.003, "q = {q}: {actual} s against {expected} s");
    }
    assert_eq!(response.max, Some(1_400_000));
    let corrected: Vec<(&str, bool)> =
        analysis.histograms.iter().filter(|h| h.scope == "judged").map(|h| (h.id.as_str(), h.co_corrected)).collect();
    assert!(corrected.contains(&("judged.response.ok", true)) && corrected.contains(&("judged.service.ok", false)), "{corrected:?}");
}

#[test]
fn the_slowest_moments_of_one_stall_are_one_event_to_a_gate() {
    let mut run = Run::new(plan("[[gate]]\nrequire = \"response.p99 < 500ms\"\n[[gate]]\nrequire = \"response.p50 < 500ms\"\n"));
    let took = stalled(10_000..11_400);
    run.seconds(0..30, |k| vec![answered(200, took(k * 25 + 12))]);
    let analysis = run.finish();
    let [p99, p50] = &analysis.verdict.gates[..] else { panic!("two gates") };
    assert!(p99.actual > Some(500_000.0), "{p99:?}");
    assert_eq!(p99.decision, Decision::Inconclusive, "{}", p99.reason);
    assert!(p99.n_eff.expect("seen over 30 s") < 368 && p99.reason.contains("that depend on each other"), "{p99:?}");
    assert_eq!((p50.decision, p50.n), (Decision::Pass, 1_200), "{}", p50.reason);
}

#[test]
fn a_percentile_is_judged_on_the_order_statistics_around_it() {
    let gates = "[[gate]]\nrequire = \"response.p95 < 100ms\"\n[[gate]]\nrequire = \"response.p95 < 96ms\"\n[[gate]]\nrequire = \"response.p95 < 80ms\"\n\
                 [[gate]]\nrequire = \"response.p999 < 1s\"\n";
    let mut run = Run::new(plan(gates));
    // Spread evenly from 1 to 100 ms, in an order that no second prefers.
    run.seconds(0..30, |k| vec![answered(200, 1 + k * 37 % 100)]);
    let gates = run.finish().verdict.gates;
    let decisions: Vec<Decision> = gates.iter().map(|gate| gate.decision).collect();
    assert_eq!(decisions, [Decision::Pass, Decision::Inconclusive, Decision::Fail, Decision::Inconclusive], "{gates:?}");
    let [low, high] = gates[0].ci.expect("an interval");
    assert!(low <= 95_000.0 && 95_000.0 <= high && high - low < 4_000.0, "{low} … {high}");
    assert_eq!(gates[3].reason, "needs 3 688 exchanges, had 1 200");
}

#[test]
fn fast_errors_do_not_flatter_and_timeouts_are_lower_bounds() {
    let mut run = Run::new(plan(""));
    run.seconds(0..30, |k| match k % 4 {
        0 => vec![answered(503, 1)],
        1 => vec![failed(Failure::TimedOut(Phase::Total), 500)],
        _ => vec![answered(200, 80)],
    });
    let analysis = run.finish();
    let overall = &analysis.metrics.overall;
    assert_eq!((overall.ok, overall.error_answers, overall.timed_out), (600, 300, 300));
    assert_eq!((overall.response_us.ok.min, overall.response_us.ok.n), (Some(80_000), 600));
    assert_eq!((overall.response_us.error.n, overall.response_us.error.censored), (600, 300));
    assert_eq!(overall.response_us.error.max, Some(500_000));
}

#[test]
fn warm_up_is_shown_and_not_judged() {
    let stages = "[[load.stage]]\nname = \"warm-up\"\nfor = \"10s\"\nrate = \"40/s\"\njudged = false\n\
                  [[load.stage]]\nname = \"steady\"\nfor = \"20s\"\nrate = \"40/s\"\n";
    let mut run = Run::new(plan_with(stages, "[[gate]]\nrequire = \"error.rate < 1%\"\n"));
    run.seconds(0..30, |k| vec![answered(if k < 400 { 500 } else { 200 }, 5)]);
    let analysis = run.finish();
    assert_eq!(analysis.verdict.gates[0].decision, Decision::Pass, "{:?}", analysis.verdict.gates);
    assert_eq!((analysis.metrics.overall.exchanges, analysis.metrics.by_stage[0].metrics.error_answers), (800, 400));
    assert_eq!(analysis.accounting.exchanges, 1_200);
    assert_eq!(analysis.metrics.by_status_code.iter().map(|count| count.count).sum::<u64>(), 800, "judged answers");
}

#[test]
fn a_later_start_is_lag_and_part_of_the_response() {
    let mut run = Run::new(plan(""));
    run.seconds(0..30, |_| vec![answered(200, 10).after(30)]);
    let overall = run.finish().metrics.overall;
    assert_eq!(overall.lag_us.ok.p50.map(|us| us / 1_000), Some(30));
    assert_eq!(overall.response_us.ok.max, Some(40_000));
    assert_eq!(overall.service_us.ok.max, Some(10_000));
}

#[test]
fn workers_together_say_what_one_would() {
    let told = || {
        let mut run = Run::new(plan("[[gate]]\nrequire = \"response.p95 < 1s\"\n[[gate]]\nrequire = \"throughput > 1/s\"\n"));
        run.seconds(0..30, |k| vec![answered(200, 1 + k * 37 % 100)]);
        run
    };
    let one = told();
    let (mut first, second) = (Run::new(plan_of(&one)), told());
    first.tally.merge(second.tally);
    let facts = one.facts();
    let (together, one) = (first.tally.finish(&first.plan, &facts), one.finish());
    let json = |analysis: &Analysis| serde_json::to_value(analysis).expect("JSON");
    for (part, value) in json(&one).as_object().expect("an object") {
        assert_eq!(json(&together)[part], *value, "{part}");
    }
}

fn plan_of(run: &Run) -> std::sync::Arc<brownout::plan::Plan> {
    std::sync::Arc::clone(&run.plan)
}

#[test]
fn a_run_of_days_keeps_its_time_axis_short() {
    let mut run = Run::new(plan_with("[[load.stage]]\nname = \"long\"\nfor = \"48h\"\nrate = \"1/min\"\n", ""));
    for minute in 0..48 * 60 {
        run.exchange(minute * 60_000, &[answered(200, 5)]);
    }
    let series = run.finish().timeseries;
    assert!(series.data.len() <= 1_800, "{}", series.data.len());
    assert_eq!(series.interval_ms, 128_000);
    let ok: f64 = series.data.iter().filter_map(|row| row[3]).sum();
    assert_eq!(ok, 2_880.0);
}

#[test]
fn progress_shows_counts_and_p99_so_far() {
    let mut run = Run::new(plan(""));
    assert_eq!(run.tally.glance().p99, None);
    run.seconds(0..5, |k| vec![answered(if k % 10 == 0 { 500 } else { 200 }, 20)]);
    run.tally.dropped(run.plan.stage_at(Offset::START), Offset::START);
    let glance = run.tally.glance();
    assert_eq!((glance.started, glance.dropped, glance.ok, glance.not_ok, glance.attempts), (200, 1, 180, 20, 200));
    let p99 = glance.p99.expect("ok exchanges");
    assert!((Micros(20_000)..Micros(20_300)).contains(&p99), "{p99}");
}
