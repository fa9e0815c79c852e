//! What the report says of rate limiters: advertised, documented, measured, and whether that can be told.

use super::{EstimateFacts, LimiterFacts, WaitFacts};
use crate::contract::limiter::{Estimate, Measured};
use crate::units::rate_interval;

/// One limiter's facts.
pub fn facts(measured: &Measured) -> LimiterFacts {
    let verdict = &measured.verdict;
    let waits = measured.waits;
    let (low, high) = rate_interval(waits.refused_again, waits.kept);
    LimiterFacts {
        operation: measured.operation.clone(),
        seen_by: if measured.probed { "probe" } else { "load" }.to_owned(),
        requests: measured.requests,
        refused: measured.refused,
        advertised_limit: measured.advertised_limit,
        reset_units: measured.reset_units.iter().map(|unit| unit.words().to_owned()).collect(),
        documented_limit: measured.documented_limit,
        documented_window_ms: measured.documented_window.map(|window| window.0 / 1_000),
        algorithm: verdict.algorithm.map(|algorithm| algorithm.word().to_owned()),
        fits: verdict.fits.iter().map(|algorithm| algorithm.word().to_owned()).collect(),
        reason: verdict.reason.clone(),
        capacity: verdict.capacity.map(estimate),
        per_second: verdict.per_second.map(estimate),
        window_ms: verdict.window_us.map(|us| estimate(Estimate { low: us.low / 1e3, best: us.best / 1e3, high: us.high / 1e3 })),
        experiment: verdict
            .experiment
            .as_ref()
            .map(|experiment| format!("{}: {} requests in {}", experiment.why, experiment.requests(), experiment.lasts())),
        waits: WaitFacts {
            kept: waits.kept,
            refused_again: waits.refused_again,
            ci: (waits.kept > 0).then_some([low, high]),
            overlong: waits.overlong,
        },
    }
}

fn estimate(estimate: Estimate) -> EstimateFacts {
    EstimateFacts { low: estimate.low, best: estimate.best, high: estimate.high }
}
