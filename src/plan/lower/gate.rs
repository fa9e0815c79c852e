//! `[[gate]]`: what the run must come to.

use super::contract::Lowered as ContractLowered;
use super::fault::one_or_many;
use super::{Names, distinct, resolve};
use crate::gate::{FaultScope, Gate, Metric, Op, OutcomeScope, ParseError, Scope, parse};
use crate::id::{RuleIx, ScenarioIx, StageIx, StepIx};
use crate::plan::file::{Table, Value};
use crate::plan::problem::Problem;
use crate::plan::{Load, nearest};
use crate::units::Micros;

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
    let narrowing = table.take("where");
    let scope = match narrowing.as_ref().and_then(|value| value.table()) {
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
    if let Some(narrowing) = &narrowing {
        let keys: &[&str] = if aborts { &[] } else { metric.narrowed_by() };
        let what = if aborts { "a gate that ends a run early".to_owned() } else { format!("`{}`", metric.word()) };
        narrowed(narrowing, keys, &what)?;
    }
    let (scope, scope_words) = scope?;
    let name = name.unwrap_or_else(|| require_text.clone());
    Some(Gate { id: format!("g{number}"), name, require: require_text, metric, op, limit, scope, scope_words, abort_over: abort_over? })
}

/// A key of `where` that the metric would silently ignore is refused at its place.
fn narrowed(narrowing: &Value<'_>, keys: &[&str], what: &str) -> Option<()> {
    let table = narrowing.table()?;
    let mut sound = Some(());
    for (key, value) in table.entries() {
        if Metric::NARROWING.contains(&key.as_str()) && !keys.contains(&key.as_str()) {
            let help = match keys {
                [] => "it is judged on the whole run: remove this key".to_owned(),
                keys => format!("it can be narrowed by {}", keys.join(", ")),
            };
            table.problems().add(Problem::at(value.key_place(), format!("{what} cannot be narrowed by `{key}`")).help(help));
            sound = None;
        }
    }
    sound
}

fn requirement(value: &Value<'_>, around: &Surroundings<'_>) -> Option<(Metric, Op, f64, String)> {
    let text = value.string()?;
    let rule = |name: &str| around.rules.iter().position(|known| known == name).map(RuleIx::from);
    match parse(&text, &rule) {
        Ok((metric, op, limit)) => possible(value, metric, around).then_some((metric, op, limit, text)),
        Err(ParseError { message, help }) => {
            // The message quotes the part that is wrong; point at it.
            let part = message.split('`').nth(1).unwrap_or_default().to_owned();
            let place = if part.is_empty() { value.place() } else { value.place_of(&part) };
            let (what, first_help) = message.split_once("; ").map_or((message.as_str(), None), |(what, help)| (what, Some(help)));
            let problem = first_help.into_iter().fold(Problem::at(place, what), Problem::help);
            let fault = text.contains("fault.fired").then(|| nearest(&part, around.rules.iter().map(String::as_str))).flatten();
            value.problems().add(match fault {
                Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                None => problem.help(help),
            });
            None
        }
    }
}

/// A metric that this plan cannot have a value for is refused now, and not found inconclusive after the run.
fn possible(value: &Value<'_>, metric: Metric, around: &Surroundings<'_>) -> bool {
    if metric.is_of_contract() && matches!(around.contract, ContractLowered::Absent) {
        value
            .refuse::<()>(format!("`{}` needs a contract, and the plan names none", metric.word()), "add `[contract]` with `file = \"…\"`");
        return false;
    }
    if metric == Metric::RecoveryTime && around.rules.is_empty() {
        value.refuse::<()>("there is no fault to recover from", "add a `[[fault]]`, or remove this gate");
        return false;
    }
    true
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
