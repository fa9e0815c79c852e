//! `[[gate]]`: what the run must come to.

use super::contract::Lowered as ContractLowered;
use super::fault::one_or_many;
use super::{Names, distinct, resolve};
use crate::gate::{FaultScope, Gate, Latency, Metric, Op, OutcomeScope, Point, Scope, Unit};
use crate::id::{RuleIx, ScenarioIx, StageIx, StepIx};
use crate::plan::Load;
use crate::plan::file::{Table, Value};
use crate::plan::problem::Problem;
use crate::severity::Severity;
use crate::units::{Micros, Rate, Ratio};

const LATENCIES: [(&str, Latency); 5] = [
    ("response", Latency::Response),
    ("service", Latency::Service),
    ("session", Latency::Session),
    ("first_byte", Latency::FirstByte),
    ("lag", Latency::Lag),
];
const POINTS: [(&str, Point); 7] = [
    ("p50", Point::Quantile(0.5)),
    ("p90", Point::Quantile(0.9)),
    ("p95", Point::Quantile(0.95)),
    ("p99", Point::Quantile(0.99)),
    ("p999", Point::Quantile(0.999)),
    ("max", Point::Max),
    ("mean", Point::Mean),
];
/// The metrics without a part of their own to choose.
const PLAIN: [(&str, Metric); 11] = [
    ("error.rate", Metric::ErrorRate),
    ("drop.rate", Metric::DropRate),
    ("goodput", Metric::Goodput),
    ("throughput", Metric::Throughput),
    ("contract.coverage", Metric::ContractCoverage),
    ("contract.conformance", Metric::ContractConformance),
    ("retry.amplification", Metric::RetryAmplification),
    ("retry.early", Metric::RetryEarly),
    ("retry.max_attempts", Metric::RetryMaxAttempts),
    ("retry.success", Metric::RetrySuccess),
    ("recovery.time", Metric::RecoveryTime),
];
const OPS: [(&str, Op); 6] = [("<=", Op::Le), (">=", Op::Ge), ("==", Op::Eq), ("!=", Op::Ne), ("<", Op::Lt), (">", Op::Gt)];

/// What a gate may refer to.
struct Surroundings<'s> {
    names: &'s Names,
    rules: &'s [String],
    load: Option<&'s Load>,
    contract: &'s ContractLowered,
}

/// Reads all gates; `None` where one has problems.
pub fn lower(
    tables: Vec<Table<'_>>,
    names: &Names,
    rules: &[String],
    load: Option<&Load>,
    contract: &ContractLowered,
) -> Option<Vec<Gate>> {
    let around = Surroundings { names, rules, load, contract };
    let mut seen = Vec::new();
    let mut all = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let name = table.take("name");
        let text = name.as_ref().and_then(|name| name.string());
        if let (Some(text), Some(name)) = (&text, &name) {
            distinct(&mut seen, "gate", text, name.place(), table.problems());
        }
        all.push(gate(&table, index + 1, text, &around));
        table.finish();
    }
    all.into_iter().collect()
}

fn gate(table: &Table<'_>, number: usize, name: Option<String>, around: &Surroundings<'_>) -> Option<Gate> {
    let require = table.required("require");
    let rule = require.as_ref().and_then(|value| requirement(value, around));
    let scope = match table.table("where") {
        Some(table) => scope(table, around),
        None => Some((Scope::default(), String::new())),
    };
    let (over, abort) = (table.take("over"), table.take("abort"));
    let span = over.as_ref().map(|value| value.parsed::<Micros>());
    let aborts = abort.as_ref().and_then(|value| value.boolean()).unwrap_or(false);
    let abort_over = match (span, aborts) {
        (None, false) => Some(None),
        (Some(span), true) => span.map(Some),
        (Some(_), false) => {
            let place = over.map_or(table.place(), |value| value.key_place());
            table
                .problems()
                .add(Problem::at(place, "`over` without `abort = true`").help("`over` is the span an abort gate looks back on"));
            None
        }
        (None, true) => {
            let place = abort.map_or(table.place(), |value| value.key_place());
            table.problems().add(Problem::at(place, "`abort` needs the span to look back on").help("add for example `over = \"10s\"`"));
            None
        }
    };
    let (metric, op, limit, require_text) = rule?;
    if let (true, Some(value)) = (aborts && !matches!(metric, Metric::ErrorRate | Metric::DropRate), &require) {
        return value.refuse("only error.rate and drop.rate can end a run early", "remove `abort` and `over`");
    }
    let (scope, scope_words) = scope?;
    let name = name.unwrap_or_else(|| require_text.clone());
    Some(Gate { id: format!("g{number}"), name, require: require_text, metric, op, limit, scope, scope_words, abort_over: abort_over? })
}

/// `METRIC[(ARG)] OP VALUE`
fn requirement(value: &Value<'_>, around: &Surroundings<'_>) -> Option<(Metric, Op, f64, String)> {
    let text = value.string()?;
    let after_argument = text.rfind(')').map_or(0, |end| end + 1);
    // The leftmost operator, and of two at one place the longer, which stands first in the list.
    let found = OPS.iter().filter_map(|(sign, op)| text[after_argument..].find(sign).map(|at| (at + after_argument, *sign, *op)));
    let Some((at, sign, op)) = found.min_by_key(|&(at, sign, _)| (at, std::cmp::Reverse(sign.len()))) else {
        return value.refuse(format!("`{text}` compares nothing"), "write `METRIC OP VALUE`: `response.p99 < 900ms`");
    };
    let (name, limit) = (text[..at].trim(), text[at + sign.len()..].trim());
    let metric = metric(value, name, around)?;
    let limit = limit_of(value, name, metric, limit)?;
    Some((metric, op, limit, text))
}

fn metric(value: &Value<'_>, text: &str, around: &Surroundings<'_>) -> Option<Metric> {
    let (name, argument) = match text.split_once('(') {
        Some((name, argument)) => (name.trim(), argument.trim().strip_suffix(')').map(str::trim)),
        None => (text, None),
    };
    let severity = |argument: Option<&str>| match argument.unwrap_or_default().parse::<Severity>() {
        Ok(severity) => Some(severity),
        Err(_) => value.refuse(format!("`{text}` needs a severity"), format!("write `{name}(high)`: info, low, medium, high or critical")),
    };
    let metric = match name {
        "contract.violations" => severity(argument).map(Metric::ContractViolations),
        "contract.findings" => severity(argument).map(Metric::ContractFindings),
        "fault.fired" => {
            let rules = around.rules.iter().map(String::as_str);
            let argument = argument.unwrap_or_default();
            resolve(value.place_of(argument), value.problems(), "fault", argument, rules).map(RuleIx::from).map(Metric::FaultFired)
        }
        _ => {
            let plain = PLAIN.iter().find(|(known, _)| *known == name).map(|(_, metric)| *metric);
            let metric = plain.or_else(|| latency(name)).filter(|_| argument.is_none());
            if metric.is_none() {
                unknown(value, text, name);
            }
            metric
        }
    }?;
    possible(value, text, metric, around).then_some(metric)
}

fn latency(name: &str) -> Option<Metric> {
    let (kind, point) = name.split_once('.')?;
    let kind = LATENCIES.iter().find(|(known, _)| *known == kind)?.1;
    let point = POINTS.iter().find(|(known, _)| *known == point)?.1;
    Some(Metric::Latency(kind, point))
}

fn unknown(value: &Value<'_>, text: &str, name: &str) {
    let latencies = LATENCIES.iter().flat_map(|(kind, _)| POINTS.iter().map(move |(point, _)| format!("{kind}.{point}")));
    let mut known: Vec<String> = PLAIN.iter().map(|(name, _)| (*name).to_owned()).collect();
    known.extend(["contract.violations(high)", "contract.findings(high)", "fault.fired(NAME)"].map(str::to_owned));
    let shown = known.join(", ");
    known.extend(latencies);
    let problem = Problem::at(value.place_of(text), format!("there is no metric `{text}`"));
    value.problems().add(match super::super::nearest(name, known.iter().map(String::as_str)) {
        Some(meant) => problem.help(format!("did you mean `{meant}`?")),
        None => problem
            .help(format!("metrics are {shown}"))
            .help("and of response, service, session, first_byte and lag: .p50 .p90 .p95 .p99 .p999 .max .mean"),
    });
}

/// A metric that this plan cannot have a value for is refused now, and not found inconclusive after the run.
fn possible(value: &Value<'_>, text: &str, metric: Metric, around: &Surroundings<'_>) -> bool {
    let of_contract = matches!(
        metric,
        Metric::ContractViolations(_) | Metric::ContractFindings(_) | Metric::ContractCoverage | Metric::ContractConformance
    );
    if of_contract && matches!(around.contract, ContractLowered::Absent) {
        value.refuse::<()>(format!("`{text}` needs a contract, and the plan names none"), "add `[contract]` with `file = \"…\"`");
        return false;
    }
    if metric == Metric::RecoveryTime && around.rules.is_empty() {
        value.refuse::<()>("there is no fault to recover from", "add a `[[fault]]`, or remove this gate");
        return false;
    }
    true
}

/// The unit in which a metric's limit is written, and kept.
fn unit(metric: Metric) -> Unit {
    match metric {
        Metric::Latency(..) | Metric::RecoveryTime => Unit::Us,
        Metric::ErrorRate
        | Metric::DropRate
        | Metric::Goodput
        | Metric::ContractCoverage
        | Metric::ContractConformance
        | Metric::RetryEarly
        | Metric::RetrySuccess => Unit::Ratio,
        Metric::ContractViolations(_) | Metric::ContractFindings(_) | Metric::RetryMaxAttempts | Metric::FaultFired(_) => Unit::Count,
        Metric::Throughput => Unit::PerS,
        Metric::RetryAmplification => Unit::None,
    }
}

fn limit_of(value: &Value<'_>, name: &str, metric: Metric, text: &str) -> Option<f64> {
    let number = || text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let read = match unit(metric) {
        Unit::Us => text.parse::<Micros>().map(|span| span.0 as f64),
        Unit::Ratio => text.parse::<Ratio>().map(Ratio::get),
        Unit::PerS => text.parse::<Rate>().map(Rate::get),
        Unit::Count => number().filter(|number| number.fract() == 0.0).ok_or(format!("`{text}` is not a count; write a whole number")),
        Unit::None => number().ok_or(format!("`{text}` is not a number; write for example `1.5`")),
    };
    read.or_else(|said| {
        let (what, help) = said.split_once("; ").unwrap_or((&said, "write another limit"));
        let problem = Problem::at(value.place_of(text), format!("the limit of `{name}`: {what}"));
        value.problems().add(problem.help(help));
        Err(())
    })
    .ok()
}

/// `where = { scenario, step, stage, outcome, fault, touched_by }` and the same in words.
fn scope(table: Table<'_>, around: &Surroundings<'_>) -> Option<(Scope, String)> {
    let mut words = Vec::new();
    let scenarios = scenarios(&table, around, &mut words);
    let steps = steps(&table, around, scenarios.as_deref().unwrap_or_default(), &mut words);
    let stages = stages(&table, around, &mut words);
    let outcomes = [("ok", OutcomeScope::Ok), ("error", OutcomeScope::Error), ("any", OutcomeScope::Any)];
    let outcome = table.take("outcome").map(|value| value.one_of(&outcomes));
    match outcome.flatten() {
        Some(OutcomeScope::Error) => words.push("errors".to_owned()),
        Some(OutcomeScope::Any) => words.push("any outcome".to_owned()),
        _ => {}
    }
    let fault = fault_scope(&table, around, &mut words);
    table.finish();
    let scope = Scope {
        scenarios: scenarios?,
        steps: steps?,
        stages: stages?,
        outcome: outcome.map_or(Some(OutcomeScope::default()), |outcome| outcome)?,
        fault: fault?,
    };
    Some((scope, words.join(" · ")))
}

fn scenarios(table: &Table<'_>, around: &Surroundings<'_>, words: &mut Vec<String>) -> Option<Vec<ScenarioIx>> {
    let names = around.names.scenarios.iter().map(|(name, _)| name.as_str());
    let one = |value: &Value<'_>| {
        let name = value.string()?;
        let index = resolve(value.place(), value.problems(), "scenario", &name, names.clone())?;
        words.push(name);
        Some(ScenarioIx::from(index))
    };
    one_or_many(table, "scenario").iter().map(one).collect::<Vec<_>>().into_iter().collect()
}

/// Steps by their name within the given scenarios, or as `scenario/step`.
fn steps(
    table: &Table<'_>,
    around: &Surroundings<'_>,
    scenarios: &[ScenarioIx],
    words: &mut Vec<String>,
) -> Option<Vec<(ScenarioIx, StepIx)>> {
    let all = |inside: &dyn Fn(ScenarioIx) -> bool| {
        let scenarios = around.names.scenarios.iter().enumerate().filter(|(index, _)| inside(ScenarioIx::from(*index)));
        let steps = scenarios.flat_map(|(scenario, (name, steps))| {
            steps.iter().enumerate().map(move |(step, of)| (name.as_str(), of.as_str(), (ScenarioIx::from(scenario), StepIx::from(step))))
        });
        steps.collect::<Vec<_>>()
    };
    let mut found = Some(Vec::new());
    for value in one_or_many(table, "step") {
        let wanted = value.string();
        let near = all(&|scenario| scenarios.is_empty() || scenarios.contains(&scenario));
        let fits = |(scenario, step, _): &&(&str, &str, (ScenarioIx, StepIx))| {
            wanted.as_deref().is_some_and(|wanted| *step == wanted || format!("{scenario}/{step}") == wanted)
        };
        let steps: Vec<(ScenarioIx, StepIx)> = near.iter().filter(fits).map(|(_, _, index)| *index).collect();
        if let (true, Some(wanted)) = (steps.is_empty(), &wanted) {
            let problem = value.problem(format!("there is no step `{wanted}` here"));
            value.problems().add(problem.did_you_mean(wanted, near.iter().map(|(_, step, _)| *step)));
        }
        words.extend(wanted);
        match (steps.is_empty(), &mut found) {
            (false, Some(found)) => found.extend(steps),
            _ => found = None,
        }
    }
    found
}

fn stages(table: &Table<'_>, around: &Surroundings<'_>, words: &mut Vec<String>) -> Option<Vec<StageIx>> {
    let names = around.names.stages.iter().map(|(name, _)| name.as_str());
    let one = |value: &Value<'_>| {
        let name = value.string()?;
        if !around.names.stages_known || around.load.is_none() {
            return None;
        }
        let index = resolve(value.place(), value.problems(), "stage", &name, names.clone())?;
        if !around.names.stages[index].1 {
            return value.refuse(format!("the stage `{name}` is not judged"), "remove its `judged = false`, or choose another stage");
        }
        words.push(name);
        Some(StageIx::from(index))
    };
    one_or_many(table, "stage").iter().map(one).collect::<Vec<_>>().into_iter().collect()
}

fn fault_scope(table: &Table<'_>, around: &Surroundings<'_>, words: &mut Vec<String>) -> Option<FaultScope> {
    let (fault, touched) = (table.take("fault"), table.take("touched_by"));
    let rule = |value: &Value<'_>| {
        let name = value.string()?;
        let index = resolve(value.place(), value.problems(), "fault", &name, around.rules.iter().map(String::as_str))?;
        Some((RuleIx::from(index), name))
    };
    match (fault, touched) {
        (None, None) => Some(FaultScope::Any),
        (Some(value), None) if value.raw()? == "none" => {
            words.push("no fault".to_owned());
            Some(FaultScope::Untouched)
        }
        (Some(value), None) => rule(&value).map(|(index, name)| {
            words.push(format!("during {name}"));
            FaultScope::During(index)
        }),
        (None, Some(value)) => rule(&value).map(|(index, name)| {
            words.push(format!("touched by {name}"));
            FaultScope::TouchedBy(index)
        }),
        (Some(_), Some(value)) => value.refuse("a gate has one of `fault` and `touched_by`", "remove one of them"),
    }
}
