//! From what a gate's accumulator holds to a value with an interval, or to the reason why there is none.

use super::ContractFacts;
use super::measures::{Measure, Slot};
use super::series::Series;
use super::statistics::{Batch, effective_size, mean_interval, percentile_ranks, rate_interval, ratio_interval};
use super::timeline::{Band, Interval, Recovery};
use crate::gate::{Measured, Metric, Point};
use crate::id::RuleIx;
use crate::plan::Plan;
use crate::record::ProxyTally;
use crate::seed::Draw;
use crate::units::{Micros, Offset};

/// What a reading may need beyond its own accumulator.
pub struct Surroundings<'a> {
    pub plan: &'a Plan,
    pub proxy: Option<&'a ProxyTally>,
    pub contract: Option<&'a ContractFacts>,
    pub timeline: &'a Series<Interval>,
    /// When the last worker was done.
    pub ended_at: Offset,
    /// By stage: what was answered where no exchange was ok.
    pub without_success: &'a [Option<String>],
}

/// A value, or why there is none.
pub type Reading = Result<Measured, String>;

/// What a gate is judged on. `draw` decides resamples.
pub fn read(measure: &Measure, around: &Surroundings<'_>, draw: Draw) -> Reading {
    let Measure { n, hits, .. } = *measure;
    let share = if n == 0 { 0.0 } else { hits as f64 / n as f64 };
    match measure.metric {
        Metric::Latency(_, point) => latency(measure, around, point),
        Metric::ErrorRate | Metric::DropRate | Metric::Goodput | Metric::RetryEarly | Metric::RetrySuccess => {
            Ok(Measured { interval: Some(rate_interval(hits, n)), ..value(measure, share) })
        }
        Metric::RetryAmplification => {
            let batches = batches(measure, around, |slot| slot.sum);
            ratio(value(measure, share), ratio_interval(&batches, draw))
        }
        Metric::Throughput => throughput(measure, around, draw),
        Metric::RetryMaxAttempts => Ok(value(measure, measure.most as f64)),
        Metric::ContractViolations(_) | Metric::ContractNewViolations(_) => Ok(value(measure, hits as f64)),
        Metric::ContractFindings(_) | Metric::ContractNewFindings(_) => Ok(value(measure, measure.findings.len() as f64)),
        Metric::ContractCoverage | Metric::ContractCoverageAbsolute | Metric::ContractConformance => coverage(measure, around),
        Metric::RecoveryTime => recovery_time(measure, around),
        Metric::FaultFired(rule) => fault_fired(measure, around, rule),
    }
}

/// A fact, until an interval is added.
fn value(measure: &Measure, value: f64) -> Measured {
    Measured { value, interval: None, n: measure.n, n_eff: None, needed: measure.metric.needed() }
}

fn ratio(measured: Measured, interval: Option<(f64, f64)>) -> Reading {
    if measured.n == 0 || interval.is_some() {
        return Ok(Measured { interval, ..measured });
    }
    Err("the judged time is too short to see how much it varies".to_owned())
}

fn latency(measure: &Measure, around: &Surroundings<'_>, point: Point) -> Reading {
    if measure.filter.reads_ok()
        && let Some(answer) = measure.filter.stages().find_map(|stage| around.without_success.get(stage)?.as_ref())
    {
        return Err(format!("no exchange was ok: {answer}"));
    }
    let n = measure.n;
    let Some(max) = measure.times.max() else { return Ok(value(measure, 0.0)) };
    match point {
        Point::Max => Ok(value(measure, max as f64)),
        Point::Mean => {
            let (mean, deviation) = (measure.times.mean().unwrap_or_default(), measure.times.deviation());
            let batches = batches(measure, around, |slot| slot.sum);
            let n_eff = effective_size(&batches, n, |_| deviation * deviation, |_| 0.0);
            let interval = mean_interval(mean, deviation, n_eff.unwrap_or(n));
            Ok(Measured { interval: Some(interval), n_eff, ..value(measure, mean) })
        }
        Point::Quantile(q) => {
            let at = measure.times.quantile(q).unwrap_or_default();
            let batches = batches(measure, around, |slot| slot.times.above(at) as f64);
            let variance = |p: f64| p * (1.0 - p);
            let n_eff = effective_size(&batches, n, variance, |p| (1.0 - 6.0 * variance(p)) / variance(p));
            let interval = percentile_interval(measure, q, n_eff.unwrap_or(n).min(n));
            Ok(Measured { interval: Some(interval), n_eff, ..value(measure, at as f64) })
        }
    }
}

/// The times at the order statistics that enclose the quantile; open sides reach to zero and to the maximum.
fn percentile_interval(measure: &Measure, q: f64, n: u64) -> (f64, f64) {
    let (low, high) = percentile_ranks(n, q);
    let at = |rank: u64| measure.times.around(rank as f64 / n as f64);
    let low = low.and_then(at).map_or(0, |(low, _)| low);
    let high = high.and_then(at).map(|(_, high)| high).or(measure.times.max()).unwrap_or_default();
    (low as f64, high as f64)
}

fn throughput(measure: &Measure, around: &Surroundings<'_>, draw: Draw) -> Reading {
    let stages = measure.filter.stages().filter_map(|ix| around.plan.load.stages.get(ix));
    let seconds: f64 = stages.map(|stage| lasted(stage.start, stage.length, around.ended_at).as_secs_f64()).sum();
    if seconds <= 0.0 {
        return Ok(value(measure, 0.0));
    }
    let interval = measure.slots.interval();
    let mut completed: Vec<f64> = measure.slots.iter().map(|(_, slot)| slot.sum).collect();
    let end = around.plan.schedule_end().0.min(around.ended_at.0);
    completed.resize((end.0 / interval.0) as usize, 0.0);
    let segments = Segments::new(around.plan);
    let slots = completed.iter().enumerate().filter_map(|(index, sum)| {
        let start = Offset::micros(index as u64 * interval.0);
        let inside = measure.filter.stage(around.plan.stage_at(start + Micros(interval.0 / 2)));
        inside.then(|| Batch { segment: segments.of(start, interval).0, n: interval.as_secs_f64(), sum: *sum })
    });
    let batches = grouped(slots.collect(), interval);
    ratio(value(measure, measure.hits as f64 / seconds), ratio_interval(&batches, draw))
}

/// How long a stage lasted in a run that ended when it did.
pub fn lasted(start: Offset, length: Micros, ended_at: Offset) -> Micros {
    ended_at.since(start).min(length)
}

fn coverage(measure: &Measure, around: &Surroundings<'_>) -> Reading {
    let facts = around.contract.ok_or("the plan names no contract")?.coverage;
    let (part, whole) = match measure.metric {
        Metric::ContractConformance => (facts.conformant, facts.seen),
        Metric::ContractCoverageAbsolute => (facts.absolute_seen, facts.absolute_total),
        _ => (facts.seen, facts.in_scope),
    };
    Ok(Measured { n: whole, ..value(measure, if whole == 0 { 0.0 } else { part as f64 / whole as f64 }) })
}

fn fault_fired(measure: &Measure, around: &Surroundings<'_>, rule: RuleIx) -> Reading {
    let proxy = around.proxy.ok_or("the fault proxy was not in the path")?;
    let tally = proxy.rules.get(rule.at()).copied().unwrap_or_default();
    Ok(Measured { n: tally.eligible, ..value(measure, tally.fired as f64) })
}

fn recovery_time(measure: &Measure, around: &Surroundings<'_>) -> Reading {
    let ends = outages(around.plan, measure.filter.rule());
    let recoveries: Vec<Recovery> = ends.into_iter().filter_map(|end| recovery_after(around, end)).collect();
    let time = |recovery: &Recovery| match recovery {
        Recovery::After(time) | Recovery::NotWithin(time) => time.0,
    };
    let Some(worst) = recoveries.iter().map(time).max() else {
        return Err("no load followed the end of a fault, so no recovery could be seen".to_owned());
    };
    // A run that had not recovered when its load ended took at least that long.
    let open = recoveries.iter().filter(|recovery| matches!(recovery, Recovery::NotWithin(_))).map(time).max();
    let interval = open.map(|_| (worst as f64, f64::INFINITY));
    Ok(Measured { interval, n: recoveries.len() as u64, ..value(measure, worst as f64) })
}

/// When the run was back in its band after this moment (M38).
pub fn recovery_after(around: &Surroundings<'_>, fault_end: Offset) -> Option<Recovery> {
    let windows = around.plan.faults.rules.iter().flat_map(|rule| &rule.windows);
    let first = windows.map(|window| window.start).min()?;
    let end = Offset(around.plan.schedule_end().0.min(around.ended_at.0));
    Band::before(around.timeline, first, end).recovery(around.timeline, fault_end)
}

/// The ends of outages: stretches in which one fault after the other was open, all rules together or one alone.
fn outages(plan: &Plan, rule: Option<RuleIx>) -> Vec<Offset> {
    let rules = plan.faults.rules.iter().enumerate().filter(|(ix, _)| rule.is_none_or(|rule| rule.at() == *ix));
    let mut windows: Vec<_> = rules.flat_map(|(_, rule)| rule.windows.iter().map(|window| (window.start, window.end))).collect();
    windows.sort_unstable();
    let mut ends: Vec<Offset> = Vec::new();
    for (start, end) in windows {
        match ends.last_mut() {
            Some(last) if start <= *last => *last = (*last).max(end),
            _ => ends.push(end),
        }
    }
    ends
}

/// Stretches of the run in which the plan changes nothing: same stage, same open faults.
struct Segments {
    boundaries: Vec<Offset>,
}

impl Segments {
    fn new(plan: &Plan) -> Segments {
        let stages = plan.load.stages.iter().map(|stage| stage.start);
        let windows = plan.faults.rules.iter().flat_map(|rule| &rule.windows).flat_map(|window| [window.start, window.end]);
        let mut boundaries: Vec<Offset> = stages.chain(windows).collect();
        boundaries.sort_unstable();
        boundaries.dedup();
        Segments { boundaries }
    }

    /// The segment of an interval's middle, and whether the interval lies within it.
    fn of(&self, start: Offset, interval: Micros) -> (u32, bool) {
        let before = |at: Offset| self.boundaries.partition_point(|boundary| *boundary <= at) as u32;
        let last = start + interval.saturating_sub(Micros(1));
        (before(start + Micros(interval.0 / 2)), before(start) == before(last))
    }
}

/// The sums of what a measure's intervals hold, those that straddle a change of the plan left out.
fn batches(measure: &Measure, around: &Surroundings<'_>, sum: impl Fn(&Slot) -> f64) -> Vec<Batch> {
    let segments = Segments::new(around.plan);
    let interval = measure.slots.interval();
    let slots = measure.slots.iter().filter(|(_, slot)| slot.n > 0).filter_map(|(start, slot)| {
        let (segment, within) = segments.of(start, interval);
        within.then(|| Batch { segment, n: f64::from(slot.n), sum: sum(slot) })
    });
    grouped(slots.collect(), interval)
}

/// Neighbours of one segment together, so that a batch lasts a second or, of a long run, a thirtieth of it; of
/// less than ten seconds, one interval.
fn grouped(slots: Vec<Batch>, interval: Micros) -> Vec<Batch> {
    let all = slots.len() as u64 * interval.0;
    let length = if all < 10_000_000 { interval.0 } else { (all / 30).max(1_000_000) };
    let size = (length.div_ceil(interval.0)).max(1) as usize;
    let segments = slots.chunk_by(|a, b| a.segment == b.segment);
    let groups = segments.flat_map(|segment| segment.chunks(size)).map(|group| Batch {
        segment: group[0].segment,
        n: group.iter().map(|slot| slot.n).sum(),
        sum: group.iter().map(|slot| slot.sum).sum(),
    });
    groups.collect()
}
