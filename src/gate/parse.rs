//! `METRIC[(ARG)] OP VALUE`: a requirement as a plan writes it.

use super::{Latency, Metric, Op, Point, Unit};
use crate::id::RuleIx;
use crate::severity::Severity;
use crate::units::{Micros, Rate, Ratio};

/// Why a requirement was not understood, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong, quoting the part it is about.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Reads a requirement: `response.p99 < 900ms`, `contract.violations(high) == 0`, `fault.fired(quota) >= 5`.
///
/// `resolve_fault` finds a rule of the plan by its name, for `fault.fired(NAME)`. The limit is in the metric's
/// unit: microseconds, a ratio, a count, or per second.
///
/// # Errors
/// Where a part is missing or means nothing; metrics are answered with the nearest known name.
pub fn parse(text: &str, resolve_fault: &dyn Fn(&str) -> Option<RuleIx>) -> Result<(Metric, Op, f64), ParseError> {
    let (metric, argument, rest) = split(text.trim())?;
    let metric = metric_named(metric, argument, resolve_fault)?;
    let (op, value) = operator(rest)?;
    Ok((metric, op, limit(metric, value)?))
}

/// The names of all metrics, those with an argument shown with one, for messages and completions.
pub fn metric_names() -> Vec<String> {
    let latencies = Latency::ALL.iter().flat_map(|latency| Point::WORDS.iter().map(move |point| format!("{}.{point}", latency.word())));
    latencies.chain(OTHERS.iter().map(|(name, argument)| format!("{name}{argument}"))).collect()
}

const OTHERS: [(&str, &str); 17] = [
    ("error.rate", ""),
    ("drop.rate", ""),
    ("goodput", ""),
    ("throughput", ""),
    ("contract.violations", "(SEVERITY)"),
    ("contract.findings", "(SEVERITY)"),
    ("contract.new_violations", "(SEVERITY)"),
    ("contract.new_findings", "(SEVERITY)"),
    ("contract.coverage", ""),
    ("contract.coverage_absolute", ""),
    ("contract.conformance", ""),
    ("retry.amplification", ""),
    ("retry.early", ""),
    ("retry.max_attempts", ""),
    ("retry.success", ""),
    ("recovery.time", ""),
    ("fault.fired", "(NAME)"),
];

const FORM: &str = "write METRIC OP VALUE, for example `response.p99 < 900ms` or `error.rate <= 1%`";

fn error<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, ParseError> {
    Err(ParseError { message: message.into(), help: help.into() })
}

/// The metric's name, its argument, and the rest from the operator on. An argument may hold any character.
fn split(text: &str) -> Result<(&str, Option<&str>, &str), ParseError> {
    let end = text.find(|c: char| c.is_whitespace() || "(<>=!".contains(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return error(format!("`{text}` names no metric"), FORM);
    }
    let Some(after) = rest.trim_start().strip_prefix('(') else { return Ok((name, None, rest.trim_start())) };
    match after.rsplit_once(')') {
        Some((argument, rest)) => Ok((name, Some(argument.trim()), rest.trim_start())),
        None => error(format!("the parenthesis after `{name}` is not closed"), format!("write `{name}(…)` and then the operator")),
    }
}

fn metric_named(name: &str, argument: Option<&str>, resolve_fault: &dyn Fn(&str) -> Option<RuleIx>) -> Result<Metric, ParseError> {
    let metric = match name {
        "contract.violations" => return Ok(Metric::ContractViolations(severity(name, argument)?)),
        "contract.findings" => return Ok(Metric::ContractFindings(severity(name, argument)?)),
        "contract.new_violations" => return Ok(Metric::ContractNewViolations(severity(name, argument)?)),
        "contract.new_findings" => return Ok(Metric::ContractNewFindings(severity(name, argument)?)),
        "fault.fired" => return Ok(Metric::FaultFired(fault(argument, resolve_fault)?)),
        "error.rate" => Metric::ErrorRate,
        "drop.rate" => Metric::DropRate,
        "goodput" => Metric::Goodput,
        "throughput" => Metric::Throughput,
        "contract.coverage" => Metric::ContractCoverage,
        "contract.coverage_absolute" => Metric::ContractCoverageAbsolute,
        "contract.conformance" => Metric::ContractConformance,
        "retry.amplification" => Metric::RetryAmplification,
        "retry.early" => Metric::RetryEarly,
        "retry.max_attempts" => Metric::RetryMaxAttempts,
        "retry.success" => Metric::RetrySuccess,
        "recovery.time" => Metric::RecoveryTime,
        _ => latency(name)?,
    };
    match argument {
        None => Ok(metric),
        Some(argument) => error(format!("`{name}` takes no argument"), format!("leave out `({argument})`")),
    }
}

fn latency(name: &str) -> Result<Metric, ParseError> {
    let found = name.split_once('.').and_then(|(latency, point)| {
        let latency = Latency::ALL.into_iter().find(|known| known.word() == latency)?;
        Some(Metric::Latency(latency, Point::named(point)?))
    });
    found.map_or_else(|| error(format!("there is no metric `{name}`"), known_metrics(name)), Ok)
}

fn severity(name: &str, argument: Option<&str>) -> Result<Severity, ParseError> {
    let Some(argument) = argument else {
        return error(format!("`{name}` needs a severity"), format!("write `{name}(high)`: this severity or worse"));
    };
    argument.parse().or_else(|message: String| error(message, format!("write for example `{name}(high)`: this severity or worse")))
}

fn fault(argument: Option<&str>, resolve_fault: &dyn Fn(&str) -> Option<RuleIx>) -> Result<RuleIx, ParseError> {
    let Some(name) = argument else {
        return error("`fault.fired` needs the name of a fault", "write `fault.fired(NAME)`, with the name of a [[fault]]");
    };
    let unquoted = name.trim_matches(['"', '\'']);
    let found = resolve_fault(name).or_else(|| resolve_fault(unquoted));
    found.map_or_else(|| error(format!("there is no fault named `{unquoted}`"), "name one of the plan's [[fault]] tables"), Ok)
}

fn operator(text: &str) -> Result<(Op, &str), ParseError> {
    for op in [Op::Le, Op::Ge, Op::Eq, Op::Ne, Op::Lt, Op::Gt] {
        if let Some(value) = text.strip_prefix(op.word()) {
            return Ok((op, value.trim()));
        }
    }
    let help = "write one of < <= > >= == !=";
    if text.is_empty() {
        return error("there is no operator", FORM);
    }
    let shown: String = text.chars().take_while(|c| !c.is_whitespace()).take(20).collect();
    error(format!("`{shown}` is not an operator"), help)
}

fn limit(metric: Metric, text: &str) -> Result<f64, ParseError> {
    if text.is_empty() {
        return error("there is no value to compare with", FORM);
    }
    let name = metric.word();
    let help = |example: &str| format!("`{name}` is compared with {example}");
    match metric.unit() {
        Unit::Us => text.parse().map(|span: Micros| span.0 as f64).or_else(|m| error(m, help("a span of time, such as `900ms`"))),
        Unit::Ratio => text.parse().map(Ratio::get).or_else(|m| error(m, help("a share, such as `1%`"))),
        Unit::PerS => text.parse().map(Rate::get).or_else(|m| error(m, help("a rate, such as `40/s`"))),
        Unit::Count => match text.parse::<u64>() {
            Ok(count) => Ok(count as f64),
            Err(_) => error(format!("`{text}` is not a count"), help("a whole number, such as `0`")),
        },
        Unit::None => match text.parse::<f64>() {
            Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
            _ => error(format!("`{text}` is not a number"), help("a number, such as `1.5`")),
        },
    }
}

/// What to say of a metric that does not exist: the nearest ones, else how all are named.
fn known_metrics(wanted: &str) -> String {
    let names = metric_names();
    let near = names.iter().map(|name| (distance(wanted, name.split('(').next().unwrap_or(name)), name));
    match near.min_by_key(|(distance, _)| *distance) {
        Some((distance, name)) if distance <= 1 + wanted.chars().count() / 4 => format!("did you mean `{name}`?"),
        _ => {
            let latencies: Vec<&str> = Latency::ALL.iter().map(|latency| latency.word()).collect();
            let others: Vec<String> = OTHERS.iter().map(|(name, argument)| format!("{name}{argument}")).collect();
            format!("metrics are {}, each with .{}; {}", latencies.join(", "), Point::WORDS.join(" ."), others.join(", "))
        }
    }
}

/// The number of letters to insert, delete or replace (Levenshtein), of names that are cut at 64 letters.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Metric, Op, f64), ParseError> {
        parse(text, &|name| match name {
            "quota" => Some(RuleIx(0)),
            "a (b) < c" => Some(RuleIx(1)),
            _ => None,
        })
    }

    #[test]
    fn requirements_are_read_into_metric_operator_and_limit() {
        for (text, metric, op, limit) in [
            ("response.p99 < 900ms", Metric::Latency(Latency::Response, Point::Quantile(0.99)), Op::Lt, 900_000.0),
            ("first_byte.max<=2s", Metric::Latency(Latency::FirstByte, Point::Max), Op::Le, 2e6),
            ("session.mean < 1m30s", Metric::Latency(Latency::Session, Point::Mean), Op::Lt, 9e7),
            ("lag.p999 < 2ms", Metric::Latency(Latency::Lag, Point::Quantile(0.999)), Op::Lt, 2_000.0),
            ("error.rate < 1%", Metric::ErrorRate, Op::Lt, 0.01),
            ("goodput >= 0.95", Metric::Goodput, Op::Ge, 0.95),
            ("throughput > 600/min", Metric::Throughput, Op::Gt, 10.0),
            ("contract.violations(high) == 0", Metric::ContractViolations(Severity::High), Op::Eq, 0.0),
            ("contract.findings( low ) != 3", Metric::ContractFindings(Severity::Low), Op::Ne, 3.0),
            ("retry.amplification < 1.6", Metric::RetryAmplification, Op::Lt, 1.6),
            ("recovery.time < 15s", Metric::RecoveryTime, Op::Lt, 15e6),
            ("fault.fired(quota) >= 5", Metric::FaultFired(RuleIx(0)), Op::Ge, 5.0),
            ("fault.fired(a (b) < c) >= 5", Metric::FaultFired(RuleIx(1)), Op::Ge, 5.0),
        ] {
            assert_eq!(read(text), Ok((metric, op, limit)), "{text}");
        }
    }

    #[test]
    fn every_metric_that_is_listed_is_read() {
        for name in metric_names() {
            let name = name.replace("SEVERITY", "info").replace("NAME", "quota");
            let values = ["1s", "1", "1/s"];
            assert!(values.iter().any(|value| read(&format!("{name} < {value}")).is_ok()), "{name}");
        }
        assert_eq!(metric_names().len(), 5 * 7 + 17);
    }

    #[test]
    fn what_is_not_understood_is_named_and_answered_with_what_to_write() {
        for (text, message, help) in [
            ("respones.p99 < 1s", "there is no metric `respones.p99`", "did you mean `response.p99`?"),
            ("response.p98 < 1s", "there is no metric `response.p98`", "did you mean `response.p90`?"),
            ("contract.violation(high) == 0", "there is no metric `contract.violation`", "did you mean `contract.violations(SEVERITY)`?"),
            (
                "contract.violations == 0",
                "`contract.violations` needs a severity",
                "write `contract.violations(high)`: this severity or worse",
            ),
            ("fault.fired(blip) > 0", "there is no fault named `blip`", "name one of the plan's [[fault]] tables"),
            ("error.rate(high) < 1%", "`error.rate` takes no argument", "leave out `(high)`"),
            ("error.rate = 1%", "`=` is not an operator", "write one of < <= > >= == !="),
            ("error.rate", "there is no operator", FORM),
            ("error.rate <", "there is no value to compare with", FORM),
            ("< 1%", "`< 1%` names no metric", FORM),
            (
                "contract.findings(high == 0",
                "the parenthesis after `contract.findings` is not closed",
                "write `contract.findings(…)` and then the operator",
            ),
            (
                "response.p99 < 900",
                "`900` has no unit; write for example `900ms` or `900s`",
                "`response.p99` is compared with a span of time, such as `900ms`",
            ),
            ("error.rate < 101%", "`101%` is not between 0 % and 100 %", "`error.rate` is compared with a share, such as `1%`"),
            ("retry.max_attempts <= 3.5", "`3.5` is not a count", "`retry.max_attempts` is compared with a whole number, such as `0`"),
            ("retry.amplification < NaN", "`NaN` is not a number", "`retry.amplification` is compared with a number, such as `1.5`"),
        ] {
            assert_eq!(read(text), Err(ParseError { message: message.to_owned(), help: help.to_owned() }), "{text}");
        }
        let all = read("weather < 1").expect_err("no such metric").help;
        assert!(all.starts_with("metrics are response, service, session, first_byte, lag, each with .p50 .p90"), "{all}");
    }

    #[test]
    fn a_severity_that_does_not_exist_is_answered_with_those_that_do() {
        let error = read("contract.violations(awful) == 0").expect_err("no severity");
        assert_eq!(error.message, "`awful` is not a severity; write info, low, medium, high or critical");
    }
}
