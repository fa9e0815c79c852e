//! `[[fault]]`: which requests are disturbed, when, and how.

mod effect;
mod limiter;
mod matcher;
mod ramp;
mod respond;
mod stream;
mod trigger;
mod window;
mod words;

use super::contract::Lowered as ContractLowered;
use super::{Names, distinct, spread};
use crate::fault::{Effect, FaultRule, Level, Matcher};
use crate::id::ServiceIx;
use crate::plan::file::{Table, Value, View};
use crate::plan::{Load, Plan};

/// What a fault may refer to.
struct Surroundings<'s> {
    names: &'s Names,
    load: Option<&'s Load>,
    contract: &'s ContractLowered,
    /// The service that the rule's path belongs to, for codes that several services have.
    service: Option<ServiceIx>,
}

/// A rule written in JSON, as TOML.
pub fn from_json(text: &str) -> Result<String, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let value = if value.get("fault").is_some() { value } else { serde_json::json!({ "fault": [value] }) };
    toml::to_string(&value).map_err(|error| error.to_string())
}

/// Reads all rules in file order; `None` for those with problems, whose names count all the same.
pub fn lower(tables: Vec<Table<'_>>, names: &Names, load: Option<&Load>, contract: &ContractLowered) -> Vec<(String, Option<FaultRule>)> {
    let mut seen = Vec::new();
    let one = |table: Table<'_>| {
        let name = table.required("name");
        let text = name.as_ref().and_then(|name| name.string()).unwrap_or_default();
        if let Some(name) = name.filter(|_| !text.is_empty()) {
            distinct(&mut seen, "fault", &text, name.place(), table.problems());
        }
        let rule = rule(&table, &text, Surroundings { names, load, contract, service: None });
        table.finish();
        (text, rule)
    };
    tables.into_iter().map(one).collect()
}

fn rule(table: &Table<'_>, name: &str, mut around: Surroundings<'_>) -> Option<FaultRule> {
    effect::of_connection(table);
    let matcher = match table.table("match") {
        Some(table) => matcher::matcher(table, &around),
        None => Some(Matcher::default()),
    };
    if let (ContractLowered::Sound(using), Some(path)) = (around.contract, matcher.as_ref().and_then(|m| m.path.as_ref())) {
        around.service = using.contract.service_of(path.as_str().split(['*', '{']).next().unwrap_or_default());
    }
    let windows = window::windows(table, &around);
    let (delay, delay_ramp) = match table.take("delay") {
        Some(value) if ramp::is_ramp(&value) => (None, Some(ramp::delay(&value))),
        other => (other.map(|value| spread::lower(&value)), None),
    };
    let effect = effect::effect(table, delay.is_some() || delay_ramp.is_some(), &around);
    effect::of_windows(table, effect.as_ref(), windows.as_deref());
    let trigger = trigger::trigger(table);
    if let Some(Effect::Limiter(_)) = effect {
        limiter::alone(table, trigger, delay.is_some() || delay_ramp.is_some());
    }
    let sequence = matches!(effect, Some(Effect::Sequence(_)));
    let per = trigger.and_then(|trigger| trigger::per(table, trigger, sequence));
    let rest = trigger::rest(table, sequence);
    let max_active = trigger::max_active(table);
    let delay = delay.map_or(Some(None), |delay| delay.map(Some))?;
    let delay_ramp = delay_ramp.map_or(Some(None), |ramp| ramp.map(Some))?;
    let (matcher, windows, trigger, per, effect) = (matcher?, windows?, trigger?, per?, effect?);
    let (rest, max_active) = (rest?, max_active?);
    let mut rule = FaultRule { matcher, windows, trigger, per, delay, delay_ramp, rest, max_active, ..FaultRule::new(name, effect) };
    rule.words = words::done_in_words(&rule, &around);
    rule.spec = words::in_words(&rule, &around);
    Some(rule)
}

/// The items of an array, or the one value that stands in its place.
pub fn one_or_many<'t>(table: &Table<'t>, key: &'static str) -> Vec<Value<'t>> {
    match table.take(key) {
        Some(value) => match value.view() {
            View::List(items) => items,
            _ => vec![value],
        },
        None => Vec::new(),
    }
}

/// Holds the plan to the level that it promises: a rule that cannot keep it is named.
pub fn promise(plan: &Plan, promised: Level, value: &Value<'_>) {
    let (kept, because) = plan.level();
    let Some((rule, why)) = because.filter(|_| kept > promised) else { return };
    let problem = value.problem(format!("faults that repeat `{}` are promised, and the fault `{rule}` {why}", promised.word()));
    value.problems().add(problem.help(format!("write `repeatable = \"{}\"`, or change the fault", kept.word())));
}
