//! Reports to render: one of a plausible run of twenty seconds, simulated from a seed, and its odd relatives.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use brownout::analysis::*;
use brownout::contract::{Profile, Source};
use brownout::gate::{Decision, Unit};
use brownout::report::session::{ClientFacts, ConfidenceFacts, RecognisedFacts, RouteFacts, SessionFacts};
use brownout::report::{Ci, EndedBy, Host, PlanFacts, Report, Run, Setting, TargetFacts, Tool};
use brownout::seed::{Distribution, Seed};
use brownout::severity::Severity;
use brownout::units::Micros;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

const SEED: Seed = Seed(20_261_122);
const SECONDS: usize = 20;
const END: u64 = 20_000_000;

/// Stages: name, judged, from, to (µs), load as written.
const STAGES: [(&str, bool, u64, u64, &str); 3] = [
    ("warm-up", false, 0, 4_000_000, "10/s -> 60/s"),
    ("steady", true, 4_000_000, 15_000_000, "60/s"),
    ("recovery", true, 15_000_000, 20_000_000, "60/s"),
];

/// Faults: name, from, to, chance, status.
const FAULTS: [(&str, u64, u64, f64, u16); 2] =
    [("quota", 6_000_000, 9_000_000, 0.30, 429), ("overload", 10_500_000, 12_500_000, 0.35, 503)];

/// Operations: name, share of arrivals, median and p95 of one attempt.
const OPERATIONS: [(&str, f64, u64, u64); 4] = [
    ("chat/create", 0.45, 18_000, 52_000),
    ("chat/read back", 0.0, 7_000, 19_000),
    ("stream/complete", 0.25, 84_000, 190_000),
    ("models/list", 0.30, 4_000, 12_000),
];

struct Attempt {
    started: u64,
    ended: u64,
    status: u16,
    injected: Option<usize>,
    asked_until: Option<u64>,
}

struct Exchange {
    number: u64,
    operation: usize,
    due: u64,
    lag: u64,
    attempts: Vec<Attempt>,
}

impl Exchange {
    fn ended(&self) -> u64 {
        self.attempts.last().expect("an exchange has an attempt").ended
    }
    fn ok(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| attempt.status < 400)
    }
    fn stage(&self) -> usize {
        STAGES.iter().position(|(_, _, from, to, _)| (*from..*to).contains(&self.due)).unwrap_or(STAGES.len() - 1)
    }
    fn judged(&self) -> bool {
        STAGES[self.stage()].1
    }
}

fn rate_at(us: u64) -> f64 {
    if us < 4_000_000 { 10.0 + 50.0 * us as f64 / 4e6 } else { 60.0 }
}

fn simulate() -> (Vec<Exchange>, u64) {
    let (mut exchanges, mut at, mut arrivals) = (Vec::new(), 0, 0);
    loop {
        at += (SEED.draw("gap").with(arrivals).exponential() * 1e6 / rate_at(at)) as u64;
        if at >= END {
            return (exchanges, arrivals);
        }
        let mut pick = SEED.draw("mix").with(arrivals).unit();
        let operation = OPERATIONS.iter().position(|(_, share, ..)| {
            pick -= share;
            pick < 0.0
        });
        let first = exchange(exchanges.len() as u64, operation.unwrap_or(3), at);
        let follow = first.operation == 0 && first.ok();
        let next = first.ended() + 1_200;
        exchanges.push(first);
        if follow {
            exchanges.push(exchange(exchanges.len() as u64, 1, next));
        }
        arrivals += 1;
    }
}

fn exchange(number: u64, operation: usize, due: u64) -> Exchange {
    let (_, _, median, p95) = OPERATIONS[operation];
    let shape = Distribution::log_normal(Micros(median), 0.95, Micros(p95)).expect("p95 lies above the median");
    let lag = 40 + SEED.draw("lag").with(number).below(160);
    let (mut attempts, mut at) = (Vec::new(), due + lag);
    for nth in 0..4u64 {
        let draw = SEED.draw("attempt").with(number).with(nth);
        let fault = FAULTS.iter().position(|(name, from, to, chance, _)| {
            let matches = *name == "overload" || operation == 0;
            matches && (*from..*to).contains(&at) && draw.with(7).unit() < *chance
        });
        let own_limit = operation == 2 && (7_000_000..8_000_000).contains(&at) && draw.with(8).unit() < 0.4;
        let status = match fault {
            Some(fault) => FAULTS[fault].4,
            None if own_limit => 429,
            None => 200,
        };
        let took = if fault.is_some() { 600 + draw.with(3).below(900) } else { shape.sample(draw.with(1)).0 };
        let hint = if status == 429 { Some(at + took + 1_000_000) } else { None };
        attempts.push(Attempt { started: at, ended: at + took, status, injected: fault, asked_until: hint });
        if status == 200 || nth == 3 {
            break;
        }
        let ceiling = 100_000u64 << nth;
        let own = (draw.with(5).unit() * ceiling as f64) as u64;
        // one retry in twenty is too early, so that the figure has something to show
        let early = draw.with(9).unit() < 0.05;
        at = match hint {
            Some(_) if early => at + took + 640_000 + own,
            Some(until) => until + 300 + draw.with(6).below(900),
            None => at + took + own,
        };
    }
    Exchange { number, operation, due, lag, attempts }
}

fn histogram(samples: impl Iterator<Item = u64>) -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("within bounds");
    samples.for_each(|us| histogram.saturating_record(us.max(1)));
    histogram
}

fn summary(histogram: &Histogram<u64>) -> Summary {
    if histogram.is_empty() {
        return Summary::default();
    }
    let at = |quantile| Some(histogram.value_at_quantile(quantile));
    Summary {
        n: histogram.len(),
        min: Some(histogram.min()),
        mean: Some(histogram.mean().round() as u64),
        p50: at(0.5),
        p90: at(0.9),
        p95: at(0.95),
        p99: at(0.99),
        p999: at(0.999),
        max: Some(histogram.max()),
        censored: 0,
    }
}

fn facts(scope: &str, kind: &str, outcome: &str, histogram: &Histogram<u64>) -> HistogramFacts {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("written to memory");
    HistogramFacts {
        id: format!("{scope}/{kind}/{outcome}"),
        scope: scope.to_owned(),
        kind: kind.to_owned(),
        outcome: outcome.to_owned(),
        unit: "us".to_owned(),
        encoding: "hdr-v2-deflate-b64".to_owned(),
        co_corrected: false,
        data: STANDARD.encode(bytes),
    }
}

fn response(exchanges: &[&Exchange], ok: bool) -> Histogram<u64> {
    histogram(exchanges.iter().filter(|exchange| exchange.ok() == ok).map(|exchange| exchange.ended() - exchange.due))
}

fn service(exchanges: &[&Exchange], ok: bool) -> Histogram<u64> {
    let attempts = exchanges.iter().flat_map(|exchange| &exchange.attempts);
    histogram(attempts.filter(|attempt| (attempt.status < 400) == ok).map(|attempt| attempt.ended - attempt.started))
}

fn metrics_of(exchanges: &[&Exchange], seconds: f64) -> MetricSet {
    let both = |of: fn(&[&Exchange], bool) -> Histogram<u64>| ByOutcome {
        ok: summary(&of(exchanges, true)),
        error: summary(&of(exchanges, false)),
    };
    let ok = exchanges.iter().filter(|exchange| exchange.ok()).count() as u64;
    let first_byte = |ok: bool| {
        let attempts = exchanges.iter().flat_map(|exchange| &exchange.attempts).filter(|attempt| (attempt.status < 400) == ok);
        summary(&histogram(attempts.map(|attempt| (attempt.ended - attempt.started) * 9 / 10)))
    };
    MetricSet {
        exchanges: exchanges.len() as u64,
        attempts: exchanges.iter().map(|exchange| exchange.attempts.len() as u64).sum(),
        ok,
        error_answers: exchanges.len() as u64 - ok,
        failed: 0,
        timed_out: 0,
        rate_per_s: (exchanges.len() as f64 / seconds * 100.0).round() / 100.0,
        response_us: both(response),
        service_us: both(service),
        first_byte_us: ByOutcome { ok: first_byte(true), error: first_byte(false) },
        lag_us: ByOutcome { ok: summary(&histogram(exchanges.iter().map(|exchange| exchange.lag))), error: Summary::default() },
    }
}

fn metrics(all: &[Exchange]) -> Metrics {
    let judged: Vec<&Exchange> = all.iter().filter(|exchange| exchange.judged()).collect();
    let by_stage = STAGES.iter().enumerate().map(|(nth, (name, _, from, to, _))| {
        let own: Vec<&Exchange> = all.iter().filter(|exchange| exchange.stage() == nth).collect();
        NamedMetrics { name: (*name).to_owned(), metrics: metrics_of(&own, (to - from) as f64 / 1e6) }
    });
    let by_operation = OPERATIONS.iter().enumerate().map(|(nth, (name, ..))| {
        let own: Vec<&Exchange> = judged.iter().copied().filter(|exchange| exchange.operation == nth).collect();
        NamedMetrics { name: (*name).to_owned(), metrics: metrics_of(&own, 16.0) }
    });
    let status = |status: u16, code: Option<&str>, service: Option<&str>| {
        let attempts: Vec<&Attempt> =
            all.iter().flat_map(|exchange| &exchange.attempts).filter(|attempt| attempt.status == status).collect();
        let injected = attempts.iter().filter(|attempt| attempt.injected.is_some()).count() as u64;
        StatusCount { status, code: code.map(str::to_owned), service: service.map(str::to_owned), count: attempts.len() as u64, injected }
    };
    Metrics {
        overall: metrics_of(&judged, 16.0),
        by_stage: by_stage.collect(),
        by_operation: by_operation.collect(),
        by_status_code: vec![
            status(200, None, None),
            status(429, Some("RATE_LIMIT_EXCEEDED"), Some("llm-api")),
            status(503, Some("SERVICE_UNAVAILABLE"), Some("llm-api")),
        ],
        by_failure: vec![],
        session_us: ByOutcome { ok: summary(&response(&judged, true)), error: summary(&response(&judged, false)) },
        upstream_us: Some(summary(&service(&judged, true))),
    }
}

fn timeseries(all: &[Exchange]) -> Timeseries {
    let columns = [
        "t_ms",
        "scheduled",
        "started",
        "ok",
        "error_answers",
        "failed",
        "attempts",
        "retries",
        "injected",
        "in_flight",
        "p50_us",
        "p99_us",
    ];
    let data = (0..SECONDS as u64).map(|second| {
        let within = |us: u64| us / 1_000_000 == second;
        let count = |n: usize| Some(n as f64);
        let due: Vec<&Exchange> = all.iter().filter(|exchange| within(exchange.due)).collect();
        let first = due.iter().filter(|exchange| exchange.operation != 1).count();
        let attempts: Vec<(usize, &Attempt)> =
            all.iter().flat_map(|exchange| exchange.attempts.iter().enumerate()).filter(|(_, attempt)| within(attempt.started)).collect();
        let ended = |ok: bool| all.iter().filter(|exchange| within(exchange.ended()) && exchange.ok() == ok).count();
        let latency = response(&due, true);
        let end = (second + 1) * 1_000_000;
        vec![
            Some((second * 1000) as f64),
            count(first),
            count(first),
            count(ended(true)),
            count(ended(false)),
            count(0),
            count(attempts.len()),
            count(attempts.iter().filter(|(nth, _)| *nth > 0).count()),
            count(attempts.iter().filter(|(_, attempt)| attempt.injected.is_some()).count()),
            count(all.iter().filter(|exchange| exchange.due < end && exchange.ended() >= end).count()),
            (!latency.is_empty()).then(|| latency.value_at_quantile(0.5) as f64),
            (!latency.is_empty()).then(|| latency.value_at_quantile(0.99) as f64),
        ]
    });
    Timeseries { interval_ms: 1000, columns: columns.map(str::to_owned).to_vec(), data: data.collect() }
}

fn retries(all: &[Exchange]) -> Retries {
    let attempts: u64 = all.iter().map(|exchange| exchange.attempts.len() as u64).sum();
    let touched: Vec<&Exchange> = all.iter().filter(|exchange| exchange.attempts.iter().any(|attempt| attempt.status >= 400)).collect();
    let recovered = touched.iter().filter(|exchange| exchange.ok()).count() as u64;
    let pairs = || all.iter().flat_map(|exchange| exchange.attempts.windows(2).enumerate());
    let hinted: Vec<(u64, u64)> = pairs().filter_map(|(_, pair)| Some((pair[0].asked_until?, pair[1].started))).collect();
    let early = hinted.iter().filter(|(until, came)| came + 1000 < *until).count() as u64;
    let hints = HintFacts {
        seen: hinted.len() as u64,
        obeyed: hinted.len() as u64 - early,
        early,
        late: 0,
        early_max_us: hinted.iter().map(|(until, came)| until.saturating_sub(*came)).max().unwrap_or(0),
    };
    let backoff = (0..3).map(|retry| {
        let waits = |with_hint: bool| {
            let own = pairs().filter(|(nth, pair)| *nth == retry && pair[0].asked_until.is_some() == with_hint);
            summary(&histogram(own.map(|(_, pair)| pair[1].started - pair[0].ended)))
        };
        BackoffFacts { policy: "sdk".to_owned(), retry: retry as u32 + 1, waits_us: waits(false), hinted_us: waits(true) }
    });
    let amplification = Some((attempts as f64 / all.len() as f64 * 10_000.0).round() / 10_000.0);
    let ratio = |part: u64, whole: usize| Some((part as f64 / whole as f64 * 10_000.0).round() / 10_000.0);
    let ok = all.iter().filter(|exchange| exchange.ok()).count() as u64;
    Retries {
        exchanges: all.len() as u64,
        attempts,
        amplification,
        attempts_per_exchange: (1..=4)
            .map(|n| AttemptsCount {
                attempts: n,
                exchanges: all.iter().filter(|exchange| exchange.attempts.len() == n as usize).count() as u64,
            })
            .collect(),
        success_after_retry: SuccessAfterRetry { touched: touched.len() as u64, recovered, ratio: ratio(recovered, touched.len()) },
        goodput: Goodput { ok_per_s: ok as f64 / 20.0, offered_per_s: all.len() as f64 / 20.0, ratio: ratio(ok, all.len()) },
        retry_after: hints.clone(),
        by_policy: vec![PolicyFacts {
            name: "sdk".to_owned(),
            spec: "4 attempts on 429, 5xx, connect, reset, timeout; exponential from 100 ms ×2 to 2 s, full jitter; honours Retry-After"
                .to_owned(),
            exchanges: all.len() as u64,
            attempts,
            amplification,
            max_attempts: 4,
            touched: touched.len() as u64,
            recovered,
            success_ratio: ratio(recovered, touched.len()),
            hints,
            budget_refused: 0,
        }],
        backoff: backoff.collect(),
        waterfalls: waterfalls(&touched),
    }
}

fn waterfalls(touched: &[&Exchange]) -> Vec<Waterfall> {
    let slowest = touched.iter().max_by_key(|exchange| exchange.ended() - exchange.due);
    let most = touched.iter().rev().max_by_key(|exchange| exchange.attempts.len());
    let early = touched
        .iter()
        .find(|exchange| exchange.attempts.windows(2).any(|pair| pair[0].asked_until.is_some_and(|until| pair[1].started + 1000 < until)));
    let recovered = touched.iter().rev().find(|exchange| exchange.ok() && exchange.attempts.len() == 3);
    let chosen = [("slowest", slowest), ("most attempts", most), ("came early", early), ("recovered", recovered)];
    chosen.into_iter().filter_map(|(why, exchange)| Some(waterfall(exchange?, why))).collect()
}

fn waterfall(exchange: &Exchange, why: &str) -> Waterfall {
    Waterfall {
        exchange: exchange.number.to_string(),
        operation: OPERATIONS[exchange.operation].0.to_owned(),
        chosen: why.to_owned(),
        scheduled_ms: exchange.due / 1000,
        outcome: if exchange.ok() { "ok" } else { "error" }.to_owned(),
        attempts: exchange
            .attempts
            .iter()
            .map(|attempt| WaterfallAttempt {
                start_us: attempt.started - exchange.due,
                end_us: attempt.ended - exchange.due,
                ending: attempt.status.to_string(),
                injected: attempt.injected.map(|fault| FAULTS[fault].0.to_owned()),
                asked_until_us: attempt.asked_until.map(|until| until - exchange.due),
            })
            .collect(),
    }
}

fn decisions() -> DecisionFacts {
    DecisionFacts {
        level: "realtime".to_owned(),
        reason: Some(
            "the fault `brownout` compares its window with the clock for retries and other requests that no schedule holds".to_owned(),
        ),
        log: Some(LogLines { lines: 1_234, missing: 0, error: None }),
        followed: None,
    }
}

fn faults(all: &[Exchange]) -> Vec<FaultFacts> {
    let specs = ["30 % of POST /v1/conversations** answer RATE_LIMIT_EXCEEDED, retry_after 1s", "35 % of all answer SERVICE_UNAVAILABLE"];
    FAULTS
        .iter()
        .enumerate()
        .map(|(nth, (name, from, to, chance, _))| {
            let fired = all.iter().flat_map(|exchange| &exchange.attempts).filter(|attempt| attempt.injected == Some(nth)).count() as u64;
            let touched =
                all.iter().filter(|exchange| exchange.attempts.iter().any(|attempt| attempt.injected == Some(nth))).count() as u64;
            FaultFacts {
                id: format!("f{}", nth + 1),
                name: (*name).to_owned(),
                effect: "respond".to_owned(),
                spec: specs[nth].to_owned(),
                windows: vec![WindowFacts { start_ms: from / 1000, end_ms: to / 1000 }],
                eligible: (fired as f64 / chance) as u64,
                planned: fired,
                fired,
                unfired: Vec::new(),
                upstream: None,
                unreached: 0,
                held_back: 0,
                level: "realtime".to_owned(),
                attempts_touched: fired,
                exchanges_touched: touched,
                recovery_ms: Some(if nth == 0 { 1_000 } else { 0 }),
                fidelity_findings: 0,
                mutations: vec![],
            }
        })
        .collect()
}

/// The documented errors: service, status, code, state (c, v, s, h, u, n), how seen, answers, line.
#[rustfmt::skip]
const ENTRIES: [(&str, u16, &str, char, &str, u64, u32); 28] = [
    ("", 400, "INVALID_REQUEST", 'c', "load", 12, 112),
    ("", 401, "INVALID_TOKEN", 'c', "load", 9, 131),
    ("", 403, "INSUFFICIENT_PERMISSION", 'c', "load", 8, 146),
    ("", 404, "RESOURCE_NOT_FOUND", 'c', "load", 11, 160),
    ("", 409, "RESOURCE_ALREADY_EXISTS", 'c', "load", 7, 178),
    ("", 422, "VALIDATION_FAILED", 'c', "load", 6, 190),
    ("", 429, "RATE_LIMIT_EXCEEDED", 'u', "", 0, 204),
    ("", 500, "INTERNAL_ERROR", 'c', "load", 3, 231),
    ("", 503, "SERVICE_UNAVAILABLE", 's', "fault", 0, 244),
    ("llm-api", 404, "CONVERSATION_NOT_FOUND", 'c', "load", 10, 260),
    ("llm-api", 404, "MESSAGE_NOT_FOUND", 'n', "", 0, 266),
    ("llm-api", 400, "MODEL_NOT_AVAILABLE", 'c', "load", 5, 272),
    ("llm-api", 400, "CONTEXT_LENGTH_EXCEEDED", 'c', "load", 4, 278),
    ("llm-api", 429, "RATE_LIMIT_EXCEEDED", 'v', "load,fault", 0, 284),
    ("llm-api", 422, "INVALID_PARAMETERS", 'c', "load", 6, 290),
    ("response-api", 500, "GENERATION_FAILED", 'c', "load", 2, 296),
    ("response-api", 504, "TIMEOUT", 'n', "", 0, 302),
    ("response-api", 502, "MODEL_ERROR", 'c', "load", 2, 308),
    ("response-api", 429, "QUOTA_EXCEEDED", 'h', "", 0, 314),
    ("media-api", 413, "FILE_TOO_LARGE", 'c', "load", 4, 320),
    ("media-api", 400, "UNSUPPORTED_FORMAT", 'c', "load", 5, 326),
    ("media-api", 507, "STORAGE_FULL", 'h', "", 0, 332),
    ("media-api", 500, "UPLOAD_FAILED", 'n', "", 0, 338),
    ("mcp-tools", 404, "TOOL_NOT_FOUND", 'c', "load", 6, 344),
    ("mcp-tools", 403, "TOOL_DISABLED", 'c', "load", 3, 350),
    ("mcp-tools", 500, "EXECUTION_FAILED", 'c', "load", 2, 356),
    ("mcp-tools", 504, "TIMEOUT", 'n', "", 0, 362),
    ("mcp-tools", 422, "INVALID_PARAMETERS", 'v', "load", 5, 368),
];

fn source(line: u32) -> Source {
    Source { file: "plans/contracts/jan-server.toml".to_owned(), line }
}

fn contract(own_429: u64, injected_429: u64, injected_503: u64, inspected: u64) -> ContractFacts {
    let entry = |&(service, status, code, state, how, count, at): &(&str, u16, &str, char, &str, u64, u32)| {
        let (state, reason) = match state {
            'c' => (EntryState::Conformant, None),
            'v' => (EntryState::Violating, None),
            's' => (EntryState::SyntheticOnly, Some("only the injector produced it")),
            'h' => (EntryState::NeedsHook, Some("needs a hook: quota")),
            'u' => (EntryState::Unreached, Some("llm-api's own row was met instead")),
            _ => (EntryState::NotTried, Some("no step of the plan provokes it")),
        };
        let limited = code == "RATE_LIMIT_EXCEEDED" && service == "llm-api";
        EntryFacts {
            key: format!("{}/*/{status}/{code}", if service.is_empty() { "*" } else { service }),
            service: (!service.is_empty()).then(|| service.to_owned()),
            status,
            code: code.to_owned(),
            state,
            how_seen: how.split(',').filter(|how| !how.is_empty()).map(str::to_owned).collect(),
            count: if limited { own_429 } else { count },
            injected: match (limited, status) {
                (true, _) => injected_429,
                (_, 503) => injected_503,
                _ => 0,
            },
            findings: u64::from(state == EntryState::Violating),
            reason: reason.map(str::to_owned),
            contract_ref: Some(source(at)),
        }
    };
    let entries: Vec<EntryFacts> = ENTRIES.iter().map(entry).collect();
    let conformant = entries.iter().filter(|entry| entry.state == EntryState::Conformant).count() as u64;
    ContractFacts {
        name: "jan-server".to_owned(),
        version: "0.0.14".to_owned(),
        profile: Profile::Core,
        sources: vec!["plans/contracts/jan-server.toml".to_owned()],
        coverage: CoverageFacts { in_scope: 28, seen: conformant + 2, conformant, absolute_total: 28, absolute_seen: conformant + 2 },
        entries,
        undocumented: vec![UndocumentedFacts { status: 405, code: None, service: Some("media-api".to_owned()), count: 2 }],
        lints: vec![LintFacts {
            check: "Q01".to_owned(),
            message: "the 429 example fails its own check: X-RateLimit-Reset is 2023-12-23 11:45 UTC, reset_at is 2025-12-23 12:05 UTC"
                .to_owned(),
            contract_ref: source(221),
        }],
        shapes: shapes(own_429),
        limiters: vec![limiter(own_429)],
        baseline: None,
        inspected,
        inspected_injected: injected_429 + injected_503,
    }
}

fn shapes(own_429: u64) -> Vec<ShapeFacts> {
    let standard = "$.code: string, $.error: string, $.message: string";
    let shape = |shape: &str, count, statuses: &[u16]| ShapeFacts {
        service: Some("llm-api".to_owned()),
        shape: shape.to_owned(),
        count,
        statuses: statuses.to_vec(),
    };
    vec![shape(standard, 25, &[400, 404, 422]), shape(&format!("{standard}, $.limit: number, $.reset_at: string"), own_429, &[429])]
}

fn limiter(own_429: u64) -> LimiterFacts {
    LimiterFacts {
        operation: "POST /v1/chat/completions".to_owned(),
        seen_by: "load".to_owned(),
        requests: 640,
        refused: own_429,
        advertised_limit: Some(50),
        reset_units: vec!["Unix time in seconds".to_owned()],
        documented_limit: Some(60),
        documented_window_ms: Some(60_000),
        algorithm: Some("token-bucket".to_owned()),
        fits: vec!["token-bucket".to_owned()],
        reason: "a token bucket explains all of 640 decisions; a sliding window is wrong about 41, a fixed window is wrong about 77"
            .to_owned(),
        capacity: Some(EstimateFacts { low: 49.0, best: 50.0, high: 51.0 }),
        per_second: Some(EstimateFacts { low: 0.82, best: 0.83, high: 0.84 }),
        window_ms: None,
        experiment: None,
        waits: WaitFacts { kept: 12, refused_again: 1, ci: Some([0.015, 0.354]), overlong: 0 },
    }
}

fn finding(id: &str, check: &str, severity: Severity, title: &str) -> FindingFacts {
    FindingFacts {
        id: id.to_owned(),
        check: check.to_owned(),
        severity,
        confidence: "certain".to_owned(),
        title: title.to_owned(),
        expected: String::new(),
        actual: String::new(),
        instance_path: String::new(),
        contract_ref: None,
        service: None,
        status: None,
        code: None,
        operations: vec![],
        count: 1,
        first_at_ms: 0,
        last_at_ms: 0,
        stages: vec!["steady".to_owned()],
        faults: vec![],
        responder: "origin".to_owned(),
        isolated_replay: None,
        evidence: vec![],
        how_to_fix: String::new(),
        sources: vec![],
        baseline: None,
        waiver: None,
        probes: vec![],
    }
}

fn findings(own_429: u64) -> Vec<FindingFacts> {
    vec![
        FindingFacts {
            expected: "a reply that is documented for media-api".to_owned(),
            actual: "405 without a code".to_owned(),
            instance_path: "status".to_owned(),
            service: Some("media-api".to_owned()),
            status: Some(405),
            operations: vec!["mistakes/wrong method".to_owned()],
            count: 2,
            first_at_ms: 5_210,
            last_at_ms: 13_870,
            how_to_fix: "document 405, or answer 404 RESOURCE_NOT_FOUND".to_owned(),
            sources: vec!["brownout's own rule".to_owned()],
            evidence: vec![Evidence {
                at_ms: 5_210,
                request: "PUT /v1/media HTTP/1.1\nauthorization: Bearer ***\n".to_owned(),
                response: "HTTP/1.1 405 Method Not Allowed\nallow: GET, POST\ncontent-length: 0\n".to_owned(),
                curl: "curl -i -X PUT \"$BASE_URL/v1/media\" -H \"Authorization: Bearer $TOKEN\"".to_owned(),
                replay: None,
            }],
            ..finding("9c1d", "S01", Severity::Medium, "405 is answered but not documented")
        },
        FindingFacts {
            expected: "X-RateLimit-Reset to be the second that reset_at names, to within 1 s".to_owned(),
            actual: "X-RateLimit-Reset: 1795374190 is 17:43:10 UTC; reset_at says 2026-11-22T18:43:10Z. The value that would fit is 1795377790".to_owned(),
            instance_path: "header:X-RateLimit-Reset".to_owned(),
            contract_ref: Some(source(288)),
            service: Some("llm-api".to_owned()),
            status: Some(429),
            code: Some("RATE_LIMIT_EXCEEDED".to_owned()),
            operations: vec!["stream/complete".to_owned()],
            count: own_429,
            first_at_ms: 7_012,
            last_at_ms: 7_981,
            faults: vec!["quota".to_owned()],
            how_to_fix: "compute the header and the field from one instant, and state the header in seconds since 1970 UTC".to_owned(),
            sources: vec!["the contract's 429 section".to_owned(), "draft-ietf-httpapi-ratelimit-headers §4".to_owned()],
            evidence: vec![Evidence {
                at_ms: 7_012,
                request: "POST /v1/chat/completions HTTP/1.1\nauthorization: Bearer ***\ncontent-type: application/json\n\n{\"model\":\"jan-v1\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}".to_owned(),
                response: "HTTP/1.1 429 Too Many Requests\ncontent-type: application/json\nretry-after: 1\nx-ratelimit-limit: 100\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 1795374190\n\n{\"error\":\"Too Many Requests\",\"code\":\"RATE_LIMIT_EXCEEDED\",\"message\":\"Rate limit used up\",\"limit\":100,\"remaining\":0,\"reset_at\":\"2026-11-22T18:43:10Z\",\"retry_after\":1}".to_owned(),
                curl: "curl -i -X POST \"$BASE_URL/v1/chat/completions\" -H \"Authorization: Bearer $TOKEN\" -H \"Content-Type: application/json\" -d '{\"model\":\"jan-v1\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'".to_owned(),
                replay: None,
            }],
            ..finding("4f1e", "R04", Severity::High, "The reset header contradicts the body")
        },
        FindingFacts {
            expected: "errors[] with at least one {field, message, code}".to_owned(),
            actual: "no member errors".to_owned(),
            instance_path: "$.errors".to_owned(),
            contract_ref: Some(source(371)),
            service: Some("mcp-tools".to_owned()),
            status: Some(422),
            code: Some("INVALID_PARAMETERS".to_owned()),
            operations: vec!["mistakes/tool parameters".to_owned()],
            count: 5,
            first_at_ms: 4_655,
            last_at_ms: 18_102,
            stages: vec!["steady".to_owned(), "recovery".to_owned()],
            how_to_fix: "list each refused parameter in errors[]".to_owned(),
            sources: vec!["the contract's 422 section".to_owned()],
            ..finding("77aa", "B03", Severity::Medium, "errors[] is missing")
        },
        FindingFacts {
            expected: "the reason phrase of 422".to_owned(),
            actual: "\"Validation error\"".to_owned(),
            instance_path: "$.error".to_owned(),
            contract_ref: Some(source(190)),
            service: Some("llm-api".to_owned()),
            status: Some(422),
            code: Some("VALIDATION_FAILED".to_owned()),
            operations: vec!["mistakes/validation".to_owned()],
            count: 6,
            first_at_ms: 4_120,
            last_at_ms: 19_004,
            confidence: "likely".to_owned(),
            ..finding("b0b0", "S10", Severity::Low, "error is not the reason phrase")
        },
    ]
}

struct GateLine<'a> {
    name: &'a str,
    require: &'a str,
    scope: Option<&'a str>,
    op: &'a str,
    limit: f64,
    actual: Option<f64>,
    unit: Unit,
    ci: Option<[f64; 2]>,
    n: u64,
    decision: Decision,
    reason: &'a str,
}

fn gates(metrics: &Metrics, retries: &Retries, own_429: u64, inspected: u64) -> Vec<GateFacts> {
    let p99 = metrics.overall.response_us.ok.p99.map(|us| us as f64);
    let lines = [
        GateLine {
            name: "p99 under load",
            require: "response.p99 < 2s",
            scope: Some("steady, recovery"),
            op: "<",
            limit: 2e6,
            actual: p99,
            unit: Unit::Us,
            ci: p99.map(|p99| [p99 * 0.94, p99 * 1.07]),
            n: metrics.overall.response_us.ok.n,
            decision: Decision::Pass,
            reason: "the interval lies below the limit",
        },
        GateLine {
            name: "nothing lies",
            require: "contract.violations(high) == 0",
            scope: None,
            op: "==",
            limit: 0.0,
            actual: Some(own_429 as f64),
            unit: Unit::Count,
            ci: None,
            n: inspected,
            decision: Decision::Fail,
            reason: "R04: the reset header contradicts the body",
        },
        GateLine {
            name: "no retry storm",
            require: "retry.amplification < 1.6",
            scope: None,
            op: "<",
            limit: 1.6,
            actual: retries.amplification,
            unit: Unit::None,
            ci: retries.amplification.map(|a| [a - 0.02, a + 0.03]),
            n: retries.exchanges,
            decision: Decision::Pass,
            reason: "",
        },
        GateLine {
            name: "Retry-After obeyed",
            require: "retry.early < 1%",
            scope: None,
            op: "<",
            limit: 0.01,
            actual: Some((retries.retry_after.early as f64 / retries.retry_after.seen as f64 * 1e4).round() / 1e4),
            unit: Unit::Ratio,
            ci: Some([0.008, 0.092]),
            n: retries.retry_after.seen,
            decision: Decision::Inconclusive,
            reason: "the interval spans the limit: more retries are needed to decide",
        },
        GateLine {
            name: "recovery.time < 5s",
            require: "recovery.time < 5s",
            scope: None,
            op: "<",
            limit: 5e6,
            actual: Some(1e6),
            unit: Unit::Us,
            ci: None,
            n: 2,
            decision: Decision::Pass,
            reason: "the worst of 2 outages",
        },
    ];
    let gate = |(at, line): (usize, GateLine<'_>)| GateFacts {
        id: format!("g{}", at + 1),
        name: line.name.to_owned(),
        require: line.require.to_owned(),
        scope: line.scope.map(str::to_owned),
        metric: line.require.split(' ').next().unwrap_or_default().to_owned(),
        op: line.op.to_owned(),
        limit: line.limit,
        actual: line.actual,
        unit: line.unit,
        ci: line.ci,
        n: line.n,
        n_eff: None,
        decision: line.decision,
        reason: line.reason.to_owned(),
        severity: None,
    };
    lines.into_iter().enumerate().map(gate).collect()
}

fn setting(exit_code: u8) -> Setting {
    Setting {
        tool: Tool { name: "brownout".to_owned(), version: "0.1.0".to_owned(), commit: Some("0f3c9ab".to_owned()) },
        run: Run {
            id: "20261122-180405-4b2f".to_owned(),
            started_at: "2026-11-22T18:04:05.120Z".to_owned(),
            finished_at: "2026-11-22T18:04:26.004Z".to_owned(),
            duration_ms: 20_884,
            seed: SEED.0,
            complete: true,
            ended_by: EndedBy::Schedule,
            exit_code,
            labels: BTreeMap::from([("release".to_owned(), "0.0.14-rc2".to_owned())]),
            arrivals_digest: "a91c5d0e77b2f461".to_owned(),
            decisions_digest: "03be9d2f5c1aa870".to_owned(),
            host: Host { os: "Linux 6.8".to_owned(), cpus: 2, mem_mb: Some(7_937) },
            ci: Some(Ci {
                provider: "github".to_owned(),
                run_url: None,
                commit: Some("5f2d8a1c90b7".to_owned()),
                branch: Some("main".to_owned()),
                change: None,
            }),
        },
        plan: PlanFacts {
            path: "plans/quickstart.toml".to_owned(),
            sha256: "7d1f0c2a9be84c55a1f20c7e1f4b8d3390a6d1bb02c8f0f3e1d27c44b5a69e10".to_owned(),
            name: "Does the client survive a quota and an overload?".to_owned(),
            normalised: "plan = 1\nname = \"Does the client survive a quota and an overload?\"\nseed = 20261122\n\n[target]\nembedded = \"strict\"\nheaders = { Authorization = \"Bearer ***\" }\n\n[[load.stage]]\nname = \"warm-up\"\nfor = \"4s\"\nrate = \"10/s -> 60/s\"\njudged = false\n".to_owned(),
            redactions: vec!["target.headers.Authorization".to_owned()],
        },
        target: TargetFacts {
            base_url: "http://127.0.0.1:41873".to_owned(),
            embedded: Some("embedded strict".to_owned()),
            services: ["llm-api", "response-api", "media-api", "mcp-tools"].map(str::to_owned).to_vec(),
            http_versions: vec!["1.1".to_owned()],
            clock_skew_ms: Some(0),
            responders: vec!["brownout-target".to_owned()],
            path: ["client", "proxy", "target"].map(str::to_owned).to_vec(),
        },
    }
}

fn accounting(all: &[Exchange], arrivals: u64) -> Accounting {
    let ok = all.iter().filter(|exchange| exchange.ok()).count() as u64;
    let (exchanges, attempts) = (all.len() as u64, all.iter().map(|exchange| exchange.attempts.len() as u64).sum::<u64>());
    Accounting {
        scheduled: arrivals,
        started: arrivals,
        dropped: 0,
        unstarted: 0,
        later_steps: exchanges - arrivals,
        skipped_steps: all.iter().filter(|exchange| exchange.operation == 0 && !exchange.ok()).count() as u64,
        exchanges,
        ok,
        error_answers: exchanges - ok,
        attempts,
        retries: attempts - exchanges,
        seen_by_proxy: Some(attempts),
        ..Accounting::default()
    }
}

/// A run of about twenty seconds that failed by one gate.
pub fn realistic() -> Report {
    let (all, arrivals) = simulate();
    let (metrics, retries) = (metrics(&all), retries(&all));
    let limited = &metrics.by_status_code[1];
    let (own_429, injected_429) = (limited.count - limited.injected, limited.injected);
    let inspected = metrics.by_status_code.iter().map(|status| status.count - status.injected).sum();
    let judged: Vec<&Exchange> = all.iter().filter(|exchange| exchange.judged()).collect();
    let mut histograms = vec![
        facts("judged", "response", "ok", &response(&judged, true)),
        facts("judged", "response", "error", &response(&judged, false)),
        facts("judged", "service", "ok", &service(&judged, true)),
        facts("judged", "service", "error", &service(&judged, false)),
    ];
    for (nth, (name, ..)) in STAGES.iter().enumerate() {
        let own: Vec<&Exchange> = all.iter().filter(|exchange| exchange.stage() == nth).collect();
        histograms.push(facts(name, "response", "ok", &response(&own, true)));
    }
    let lag = metrics.overall.lag_us.ok.clone();
    let analysis = Analysis {
        decisions: Some(decisions()),
        suppressions: vec![],
        verdict: Verdict {
            status: Status::Fail,
            headline: format!(
                "One of five gates failed: {own_429} answers broke the contract badly (R04: the reset header contradicts the body). The client came through both faults, and p99 held."
            ),
            invalid: vec![],
            gates: gates(&metrics, &retries, own_429, inspected),
        },
        accounting: accounting(&all, arrivals),
        stages: STAGES
            .iter()
            .map(|(name, judged, from, to, load)| {
                let offered = all.iter().filter(|exchange| exchange.operation != 1 && (*from..*to).contains(&exchange.due)).count() as u64;
                StageFacts {
                    name: (*name).to_owned(),
                    judged: *judged,
                    start_ms: from / 1000,
                    end_ms: to / 1000,
                    load: (*load).to_owned(),
                    offered,
                    started: offered,
                }
            })
            .collect(),
        faults: faults(&all),
        timeseries: timeseries(&all),
        contract: Some(contract(own_429, injected_429, metrics.by_status_code[2].injected, inspected)),
        findings: findings(own_429),
        data_quality: DataQuality {
            generator: GeneratorFacts {
                workers: 1,
                transport: "direct".to_owned(),
                lag_us: lag,
                wait_us: summary(&histogram(all.iter().map(|exchange| 4 + exchange.number % 23))),
                cpu: Some(0.081),
                peak_rss_bytes: Some(29_360_128),
                connections_made: 24,
                saturated_samples: 0,
                peak_in_flight: 22,
            },
            ..DataQuality::default()
        },
        metrics,
        histograms,
        retries,
    };
    let mut report = Report::new(setting(1), analysis);
    report.artifacts.push(brownout::report::Artifact::of("run.log", "text/plain", b"started\n"));
    report
}

/// A run in which nothing was due: no contract, no faults, no gates.
pub fn empty() -> Report {
    let analysis = Analysis {
        decisions: None,
        suppressions: vec![],
        verdict: Verdict {
            status: Status::Inconclusive,
            headline: "No request was due: the schedule held no arrivals.".to_owned(),
            invalid: vec![],
            gates: vec![],
        },
        accounting: Accounting::default(),
        stages: vec![],
        faults: vec![],
        metrics: Metrics::default(),
        histograms: vec![],
        timeseries: Timeseries::default(),
        retries: Retries::default(),
        contract: None,
        findings: vec![],
        data_quality: DataQuality::default(),
    };
    let mut report = Report::new(setting(5), analysis);
    report.plan.name = "nothing due".to_owned();
    report
}

/// A run of a single exchange that succeeded.
pub fn one_sample() -> Report {
    let mut report = empty();
    let histogram = histogram([4_321].into_iter());
    let one = ByOutcome { ok: summary(&histogram), error: Summary::default() };
    report.plan.name = "one request".to_owned();
    report.verdict.status = Status::Pass;
    report.verdict.headline = "The only request succeeded. The plan has no gates.".to_owned();
    report.accounting =
        Accounting { scheduled: 1, started: 1, exchanges: 1, ok: 1, attempts: 1, seen_by_proxy: None, ..Accounting::default() };
    report.stages = vec![StageFacts {
        name: "once".to_owned(),
        judged: true,
        start_ms: 0,
        end_ms: 1000,
        load: "1/s".to_owned(),
        offered: 1,
        started: 1,
    }];
    report.metrics.overall =
        MetricSet { exchanges: 1, attempts: 1, ok: 1, rate_per_s: 1.0, response_us: one.clone(), service_us: one, ..MetricSet::default() };
    report.histograms = vec![facts("judged", "response", "ok", &histogram), facts("judged", "service", "ok", &histogram)];
    let columns = ["t_ms", "scheduled", "started", "ok", "p50_us", "p99_us"];
    let row = [0.0, 1.0, 1.0, 1.0, 4_321.0, 4_321.0];
    report.timeseries = Timeseries { interval_ms: 1000, columns: columns.map(str::to_owned).to_vec(), data: vec![row.map(Some).to_vec()] };
    report.retries.exchanges = 1;
    report.retries.attempts = 1;
    report.retries.amplification = Some(1.0);
    report.retries.attempts_per_exchange = vec![AttemptsCount { attempts: 1, exchanges: 1 }];
    report
}

/// The realistic run, interrupted in its second stage.
pub fn interrupted() -> Report {
    let mut report = realistic();
    report.run.complete = false;
    report.run.ended_by = EndedBy::Sigint;
    report.run.exit_code = 130;
    report.run.duration_ms = 8_240;
    report.timeseries.data.truncate(8);
    report.verdict.status = Status::Inconclusive;
    report.verdict.headline = "Interrupted in stage steady; gates were judged on what was measured until then.".to_owned();
    report
}

/// The realistic run, made by a generator that could not keep up.
pub fn invalid() -> Report {
    let mut report = realistic();
    report.verdict.status = Status::Invalid;
    report.run.exit_code = 4;
    report.verdict.headline = "The generator fell behind its schedule, so no gate was decided.".to_owned();
    report.verdict.invalid = vec![
        "schedule lag p99 was 38 ms; the plan allows 2 ms".to_owned(),
        "112 arrivals (9.4 %) were dropped; the plan allows 0.1 %".to_owned(),
    ];
    for gate in &mut report.verdict.gates {
        gate.decision = Decision::NotDecided;
        gate.reason = "the run is invalid".to_owned();
    }
    report.accounting.dropped = 112;
    report.accounting.scheduled += 112;
    report.data_quality.dropped = 112;
    report.data_quality.warnings = vec!["the generator's thread used 97 % of a core".to_owned()];
    report
}

/// A run whose target was never there: every attempt failed.
pub fn target_down() -> Report {
    let mut report = one_sample();
    report.plan.name = "target down".to_owned();
    report.run.exit_code = 3;
    report.verdict.status = Status::Error;
    report.verdict.headline = "The target refused every connection.".to_owned();
    report.accounting.ok = 0;
    report.accounting.failed = 1;
    report.metrics.overall = MetricSet { exchanges: 1, attempts: 1, failed: 1, ..MetricSet::default() };
    report.metrics.by_failure = vec![FailureCount { kind: "refused".to_owned(), count: 1, injected: 0 }];
    report.histograms.clear();
    report.timeseries.columns = ["t_ms", "scheduled", "started", "failed"].map(str::to_owned).to_vec();
    report.timeseries.data = vec![[0.0, 1.0, 1.0, 1.0].map(Some).to_vec()];
    report
}

/// The strings with which hostile targets and plans try their luck.
pub const HOSTILE: [&str; 6] = [
    "</script><img src=x onerror=alert(1)>",
    "\"'><svg/onload=alert(2)>&amp;",
    "\u{202e}gpj.exe\u{2066} \u{feff}",
    "a\0b\u{1b}[31mred\u{1b}]8;;http://evil\u{7}\r\n\u{9b}2J",
    "|`code`|**b** @everyone [x](http://evil) <details>\n\n# h\n]]>",
    "<!--#exec--><style>*{display:none}</style><base href=//evil>",
];

/// The realistic run with hostile text in every string, a megabyte of it in some.
/// What `brownout proxy` makes: a client of somebody else's, and faults that did not do all that was planned.
pub fn session() -> Report {
    let mut report = realistic();
    report.plan.name = "What does somebody else's client make of it?".to_owned();
    let route = |operation: &NamedMetrics| RouteFacts { route: operation.name.clone(), exchanges: operation.metrics.exchanges };
    let by = |basis: &str, first, retries| RecognisedFacts { basis: basis.to_owned(), first, retries };
    report.set_session(&SessionFacts {
        listen: "http://127.0.0.1:8400".to_owned(),
        forward: false,
        repeatable: "ordinal".to_owned(),
        client: ClientFacts {
            command: vec!["python3".to_owned(), "client.py".to_owned()],
            ended: "by-itself".to_owned(),
            exit_code: Some(3),
            signal: None,
        },
        connections: 12,
        client_left: 2,
        routes: report.metrics.by_operation.iter().map(route).collect(),
        recognised: vec![by("idempotency-key", 900, 90), by("fingerprint", 481, 18)],
        confidence: ConfidenceFacts { exact: 90, high: 8, medium: 6, low: 4 },
        ambiguous: 3,
        changed: 1,
        split: 0,
    });
    report.decisions = Some(DecisionFacts {
        level: "ordinal".to_owned(),
        reason: Some("the fault `quota` meets requests of a client that is not ours".to_owned()),
        ..decisions()
    });
    let [quota, overload] = &mut report.faults[..] else { unreachable!("the sample has two faults") };
    quota.mutations =
        vec![MutationFacts { name: "no-request-id".to_owned(), expects: vec!["E01".to_owned()], seen: 0, others: BTreeMap::new() }];
    (overload.planned, overload.held_back, overload.unreached) = (overload.fired + 3, 4, 5);
    let unfired = |why: &str, count| UnfiredFacts { why: why.to_owned(), count };
    overload.unfired = vec![unfired("the client left, or the run ended, before", 2), unfired("something else", 1)];
    overload.upstream = Some(UpstreamFacts { answered: 12, succeeded: 11 });
    report
}

pub fn hostile() -> Report {
    let mut value = serde_json::to_value(session()).expect("a report is JSON");
    poison(&mut value, "", &mut 0);
    serde_json::from_value(value).expect("still a report")
}

fn poison(value: &mut serde_json::Value, key: &str, nth: &mut usize) {
    use serde_json::Value;
    // closed sets of words, and what a figure needs to be drawn at all
    const KEPT: [&str; 11] =
        ["schema_version", "kind", "status", "ended_by", "unit", "decision", "severity", "state", "profile", "columns", "data"];
    const DRAWN: [&str; 3] = ["scope", "outcome", "encoding"];
    match value {
        Value::String(text) if !(KEPT.contains(&key) || DRAWN.contains(&key) && text.len() < 20) => {
            let hostile = HOSTILE[*nth % HOSTILE.len()];
            let times = if nth.is_multiple_of(101) { 1_000_000 / hostile.len() } else { 1 };
            *text = hostile.repeat(times);
            *nth += 1;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, key, nth)),
        Value::Object(map) if key == "labels" => {
            let entries = std::mem::take(map);
            map.extend(entries.into_iter().map(|(_, value)| (HOSTILE[0].to_owned(), value)));
        }
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| poison(value, key, nth)),
        _ => {}
    }
}

/// The realistic run with ten thousand findings.
pub fn ten_thousand_findings() -> Report {
    let mut report = realistic();
    let some = report.findings.clone();
    report.findings = (0..10_000).map(|nth| FindingFacts { id: format!("n{nth}"), ..some[nth % some.len()].clone() }).collect();
    report
}
