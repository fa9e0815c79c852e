//! From what all workers heard, and what only the shell knows, to the analysis of the run.

use std::collections::BTreeMap;

use super::accounting::{Counts, identity_problems};
use super::latencies::{Apart, ENCODING, summary_of};
use super::readings::{Reading, Surroundings, lasted, read};
use super::tally::{Heard, Tally, Times};
use super::verdict::{Evidence, decide};
use super::{
    Accounting, Analysis, DataQuality, GeneratorFacts, Goodput, HistogramFacts, MetricSet, Metrics, NamedMetrics, Retries, StageFacts,
    WaiverFacts, faults, timeline,
};
use crate::contract::Contract;
use crate::gate::{Unit, count_words, value_words};
use crate::id::StageIx;
use crate::plan::{AtLimit, Plan, Shape, TransportKind};
use crate::record::ProxyTally;
use crate::units::{Micros, Offset};

/// What only the shell knows about a run.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// Whether it ended before its schedule did: by a signal, by a gate, or because the target was lost.
    pub interrupted: bool,
    /// Whether a gate stopped it.
    pub aborted: bool,
    /// When the last worker was done.
    pub ended_at: Offset,
    /// What the proxy counted, where it was in the path.
    pub proxy: Option<ProxyTally>,
    pub workers: u32,
    /// Share of its threads' time the generator used.
    pub generator_cpu: Option<f64>,
    pub peak_rss_bytes: Option<u64>,
    pub connections_made: u64,
    pub peak_in_flight: u64,
    /// What became of the probes, where the run has probes and no load.
    pub only_probes: Option<ProbesAlone>,
    /// What ended the battery before every probe had its turn, where a bound of the plan did.
    pub battery_cut: Option<&'static str>,
    /// What broke inside: workers that could not start or panicked. Such a run is not to be believed.
    pub broken: Vec<String>,
}

/// A battery without load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbesAlone {
    /// Requests sent, valid ones and preparations included.
    pub requests: u64,
    /// Of them, answered.
    pub answered: u64,
    /// What the others came to, as a sentence fragment; empty where all were answered.
    pub silence: String,
}

impl ProbesAlone {
    /// Why nothing can be said of the target: no request was answered, or none was sent.
    pub fn nothing_heard(&self) -> Option<String> {
        match (self.requests, self.answered) {
            (0, _) => Some("no probe was sent".to_owned()),
            (1, 0) => Some(format!("the only request was not answered: {}", self.silence)),
            (requests, 0) => Some(format!("none of {} requests was answered: {}", count_words(requests), self.silence)),
            _ => None,
        }
    }
}

impl Tally {
    /// The analysis of the run, once every worker's tally has been merged into this one.
    ///
    /// `plan` is the plan it was made for.
    pub fn finish(mut self, plan: &Plan, run: &RunFacts) -> Analysis {
        let concluded = self.conformance.conclude(plan);
        self.measures.iter_mut().for_each(|measure| measure.outside(0, &concluded));
        let contract = plan.contract.as_ref().map(|used| used.contract.as_ref());
        let total = self.total();
        let accounting = total.accounting(run.proxy.as_ref(), plan.target.transport);
        let (contract_facts, findings, suppressions) = self.conformance.facts(plan);
        let without_success = self.without_success(contract);
        let around = Surroundings {
            plan,
            proxy: run.proxy.as_ref(),
            contract: contract_facts.as_ref(),
            timeline: &self.timeline,
            ended_at: run.ended_at,
            without_success: &without_success,
        };
        let readings: Vec<Reading> = self
            .measures
            .iter()
            .enumerate()
            .map(|(ix, measure)| read(measure, &around, plan.seed.draw("bootstrap").with(ix as u64)))
            .collect();
        let judged = self.judged_total();
        let seconds = self.judged_seconds(run.ended_at);
        let mut data_quality = self.data_quality(run, &around, &accounting);
        data_quality.warnings.extend(suppressions.iter().filter_map(expired));
        let evidence = Evidence {
            plan,
            interrupted: run.interrupted,
            only_probes: run.only_probes.as_ref(),
            battery_cut: run.battery_cut,
            aborted: run.aborted,
            ended_at: run.ended_at,
            invalid: self.problems(run, &around, &accounting),
            accounting: &accounting,
            judged: &judged.counts,
            retries: &self.retries.all,
            without_success: without_success.iter().flatten().next().map(String::as_str),
            contract: contract_facts.as_ref(),
            findings: &findings,
        };
        Analysis {
            verdict: decide(&evidence, readings),
            stages: self.stage_facts(),
            faults: faults::facts(&self.touched, &around),
            decisions: faults::decisions(&around),
            metrics: self.metrics(run, contract, &judged, seconds),
            histograms: self.histograms(&judged),
            timeseries: timeline::columns(&self.timeline),
            retries: self.retry_facts(&judged.counts, seconds),
            contract: contract_facts,
            findings,
            suppressions,
            data_quality,
            accounting,
        }
    }

    fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.stages.iter().for_each(|stage| total.merge(&stage.counts));
        total
    }

    /// Judged stages together.
    fn judged_total(&self) -> Heard {
        let mut total = Heard::default();
        for stage in self.stages.iter().filter(|stage| stage.judged) {
            total.counts.merge(&stage.counts);
            total.times.merge(&stage.times);
        }
        total
    }

    fn judged_seconds(&self, ended_at: Offset) -> f64 {
        let judged = self.plan.load.stages.iter().filter(|stage| stage.judged);
        judged.map(|stage| lasted(stage.start, stage.length, ended_at).as_secs_f64()).sum()
    }

    /// By stage: what judged stages were answered in which no exchange was ok.
    fn without_success(&self, contract: Option<&Contract>) -> Vec<Option<String>> {
        let stages = self.stages.iter().enumerate();
        stages
            .map(|(ix, stage)| {
                let ended = stage.counts.exchanges - stage.counts.cancelled;
                let none = stage.judged && ended > 0 && stage.counts.ok == 0;
                none.then(|| self.answers.dominant(contract, StageIx::from(ix)).unwrap_or_else(|| "no attempt was answered".to_owned()))
            })
            .collect()
    }

    fn stage_facts(&self) -> Vec<StageFacts> {
        let stages = self.plan.load.stages.iter().zip(&self.stages);
        stages
            .map(|(stage, heard)| StageFacts {
                name: stage.name.clone(),
                judged: stage.judged,
                start_ms: stage.start.as_millis(),
                end_ms: (stage.start + stage.length).as_millis(),
                load: stage.spec.clone(),
                offered: heard.counts.scheduled(),
                started: heard.counts.started,
            })
            .collect()
    }

    fn metrics(&self, run: &RunFacts, contract: Option<&Contract>, judged: &Heard, seconds: f64) -> Metrics {
        let stages = self.plan.load.stages.iter().zip(&self.stages).map(|(stage, heard)| {
            let seconds = lasted(stage.start, stage.length, run.ended_at).as_secs_f64();
            NamedMetrics { name: stage.name.clone(), metrics: metric_set(&heard.counts, &heard.times, seconds) }
        });
        let steps = self.plan.scenarios.iter().flat_map(|scenario| &scenario.steps);
        let operations = steps.zip(self.operations.iter().flatten());
        let operations = operations
            .map(|(step, heard)| NamedMetrics { name: step.operation.clone(), metrics: metric_set(&heard.counts, &heard.times, seconds) });
        Metrics {
            overall: metric_set(&judged.counts, &judged.times, seconds),
            by_stage: stages.collect(),
            by_operation: operations.collect(),
            by_status_code: self.answers.by_status_code(contract),
            by_failure: self.answers.by_failure(),
            session_us: self.session.summaries(),
            upstream_us: run.proxy.as_ref().and_then(|proxy| proxy.upstream_us.as_ref()).map(summary_of),
        }
    }

    fn histograms(&self, judged: &Heard) -> Vec<HistogramFacts> {
        let open = self.plan.load.stages.iter().filter(|stage| stage.judged).all(|stage| matches!(stage.shape, Shape::Open(_)));
        let mut all = Vec::new();
        let times = &judged.times;
        for (kind, apart, corrected) in [
            ("response", &times.response, open),
            ("service", &times.service, false),
            ("first_byte", &times.first_byte, false),
            ("lag", &times.lag, false),
            ("session", &self.session, open),
        ] {
            histograms_of(&mut all, "judged", kind, apart, corrected);
        }
        for (stage, heard) in self.plan.load.stages.iter().zip(&self.stages).filter(|(stage, _)| stage.judged) {
            histograms_of(&mut all, &stage.name, "response", &heard.times.response, matches!(stage.shape, Shape::Open(_)));
        }
        let steps = self.plan.scenarios.iter().flat_map(|scenario| scenario.steps.iter().enumerate());
        for ((step_ix, step), heard) in steps.zip(self.operations.iter().flatten()) {
            histograms_of(&mut all, &step.operation, "response", &heard.times.response, open && step_ix == 0);
        }
        all
    }

    fn retry_facts(&self, judged: &Counts, seconds: f64) -> Retries {
        let all = &self.retries.all;
        let offered = judged.exchanges + judged.skipped_steps + judged.dropped + judged.unstarted;
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Retries {
            exchanges: all.exchanges,
            attempts: all.attempts,
            amplification: all.amplification(),
            attempts_per_exchange: self.retries.attempts_per_exchange(),
            success_after_retry: all.success(),
            goodput: Goodput {
                ok_per_s: per_second(judged.ok),
                offered_per_s: per_second(offered),
                ratio: (offered > 0).then(|| judged.ok as f64 / offered as f64),
            },
            retry_after: all.hints(),
            by_policy: self.retries.by_policy(&self.plan),
            backoff: self.retries.backoff(&self.plan),
            waterfalls: self.gallery.shown(&self.plan, self.unix_us_at_zero),
        }
    }

    /// Why the run is not to be believed.
    fn problems(&self, run: &RunFacts, around: &Surroundings<'_>, accounting: &Accounting) -> Vec<String> {
        let mut problems = run.broken.clone();
        problems.extend(identity_problems(accounting).into_iter().map(|line| format!("the accounts do not come out even: {line}")));
        problems.extend(self.late());
        let dropped = accounting.dropped as f64 / accounting.scheduled.max(1) as f64;
        if dropped > self.plan.validity.dropped.get() {
            let (share, limit) = (value_words(dropped, Unit::Ratio), self.plan.validity.dropped);
            let of = count_words(accounting.scheduled);
            problems.push(format!("{share} of {of} arrivals were dropped at max_in_flight; the limit is {limit}"));
        }
        if let Some(cpu) = run.generator_cpu.filter(|cpu| *cpu > self.plan.validity.generator_cpu.get()) {
            let limit = self.plan.validity.generator_cpu;
            problems.push(format!("the generator used {} of its threads' time; the limit is {limit}", value_words(cpu, Unit::Ratio)));
        }
        problems.extend(faults::never_fired(around));
        problems
    }

    /// Whether arrivals were started too late. With `at_limit = "queue"` waiting is the plan's own wish.
    fn late(&self) -> Option<String> {
        let limit = self.plan.validity.schedule_lag_p99;
        let p99 = Micros(self.lag.quantile(0.99)?);
        let enough = self.lag.n() >= FEWEST_FOR_LAG && self.plan.load.at_limit == AtLimit::Drop;
        (enough && p99 > limit).then(|| format!("arrivals were started late: p99 of the schedule lag is {p99}; the limit is {limit}"))
    }

    fn data_quality(&self, run: &RunFacts, around: &Surroundings<'_>, accounting: &Accounting) -> DataQuality {
        let saturated = self.stages.iter().map(|stage| stage.times.saturated()).sum::<u64>() + self.session.saturated();
        let [findings, undocumented, request_ids] = self.conformance.left_out();
        let truncated = [
            ("bodies", self.truncated_bodies),
            ("codes", self.answers.other_codes),
            ("findings", findings),
            ("undocumented", undocumented),
            ("request_ids", request_ids),
        ];
        let truncated: BTreeMap<String, u64> =
            truncated.into_iter().filter(|(_, count)| *count > 0).map(|(what, count)| (what.to_owned(), count)).collect();
        DataQuality {
            generator: GeneratorFacts {
                workers: run.workers,
                transport: transport_word(self.plan.target.transport).to_owned(),
                lag_us: self.lag.summary(),
                wait_us: self.wait.summary(),
                cpu: run.generator_cpu,
                peak_rss_bytes: run.peak_rss_bytes,
                connections_made: run.connections_made,
                saturated_samples: saturated,
                peak_in_flight: run.peak_in_flight,
            },
            dropped: accounting.dropped,
            skipped_validations: request_ids,
            truncated,
            warnings: self.warnings(run, around, accounting),
        }
    }

    fn warnings(&self, run: &RunFacts, around: &Surroundings<'_>, accounting: &Accounting) -> Vec<String> {
        let mut warnings = faults::unmet(around);
        warnings.extend(faults::log_warnings(around));
        warnings.extend(faults::crowded(around));
        warnings.extend(faults::not_found(&self.touched, around));
        if let Some(proxy) = around.proxy {
            if proxy.strangers > 0 {
                warnings.push(format!("{} attempts reached the proxy without our identity", count_words(proxy.strangers)));
            }
            for infidelity in &proxy.infidelities {
                let rule = self.plan.faults.rules.get(infidelity.rule.at()).map_or("", |rule| &rule.name);
                let (check, cause, count) = (infidelity.check, &infidelity.cause, count_words(infidelity.count));
                warnings.push(format!("{count} answers injected by `{rule}` violate the contract themselves ({check}: {cause})"));
            }
        }
        if accounting.hidden_resends > 0 {
            warnings.push(format!("the transport sent {} attempts again by itself", count_words(accounting.hidden_resends)));
        }
        if self.plan.load.at_limit == AtLimit::Queue
            && let Some(p99) = self.lag.quantile(0.99).map(Micros).filter(|p99| *p99 > self.plan.validity.schedule_lag_p99)
        {
            warnings.push(format!("arrivals waited in the queue for a place: p99 {p99}, part of every response time"));
        }
        if run.only_probes.is_none() && !self.stages.iter().any(|stage| stage.judged) {
            warnings.push("no stage is judged: overall figures are empty".to_owned());
        }
        warnings
    }
}

/// Said of a waiver that does not apply any more.
fn expired(waiver: &WaiverFacts) -> Option<String> {
    let place = format!("{}:{}", waiver.contract_ref.file, waiver.contract_ref.line);
    waiver.expired.then(|| format!("the waiver of {} at {place} expired on {}: it does not apply", waiver.check, waiver.expires))
}

/// p99 of fewer arrivals is their maximum: one late start would condemn a run.
const FEWEST_FOR_LAG: u64 = 100;

const fn transport_word(transport: TransportKind) -> &'static str {
    match transport {
        TransportKind::Direct => "direct",
        TransportKind::Reqwest => "reqwest",
    }
}

fn metric_set(counts: &Counts, times: &Times, seconds: f64) -> MetricSet {
    MetricSet {
        exchanges: counts.exchanges,
        attempts: counts.attempts,
        ok: counts.ok,
        error_answers: counts.error_answers,
        failed: counts.failed,
        timed_out: counts.timed_out,
        rate_per_s: if seconds > 0.0 { counts.exchanges as f64 / seconds } else { 0.0 },
        response_us: times.response.summaries(),
        service_us: times.service.summaries(),
        first_byte_us: times.first_byte.summaries(),
        lag_us: times.lag.summaries(),
    }
}

/// The histograms of one kind; none where nothing was recorded.
fn histograms_of(all: &mut Vec<HistogramFacts>, scope: &str, kind: &str, apart: &Apart, co_corrected: bool) {
    for (outcome, latencies) in [("ok", &apart.ok), ("error", &apart.error)] {
        let Some(data) = latencies.encoded() else { continue };
        all.push(HistogramFacts {
            id: format!("{scope}.{kind}.{outcome}"),
            scope: scope.to_owned(),
            kind: kind.to_owned(),
            outcome: outcome.to_owned(),
            unit: "us".to_owned(),
            encoding: ENCODING.to_owned(),
            co_corrected,
            data,
        });
    }
}
