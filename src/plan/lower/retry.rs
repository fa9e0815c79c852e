//! `[retry.NAME]`: client retry policies.

use super::spread;
use super::target::header_name;
use crate::plan::file::{Table, Value, View};
use crate::plan::problem::Problem;
use crate::retry::{Backoff, BudgetRule, Conditions, HintUse, Jitter, Methods, RetryPolicy};
use crate::seed::Distribution;
use crate::units::{Micros, Ratio};

/// Policies with more attempts than this are slips of the pen.
const MOST_ATTEMPTS: u32 = 100;

/// Reads all policies, sorted by name; `None` for those with problems, whose names count all the same.
pub fn lower(table: Option<Table<'_>>) -> Vec<(String, Option<RetryPolicy>)> {
    let mut entries = table.iter().flat_map(Table::entries).collect::<Vec<_>>();
    entries.truncate(super::MOST);
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    entries.into_iter().map(|(name, value)| (name.clone(), value.table().and_then(|table| policy(name, table)))).collect()
}

fn policy(name: String, table: Table<'_>) -> Option<RetryPolicy> {
    let attempts = table.required("attempts").and_then(|value| value.whole(1..=MOST_ATTEMPTS));
    let on = conditions(&table, attempts);
    let backoff = backoff(&table, attempts);
    let hints = [("honour", HintUse::Honour), ("ignore", HintUse::Ignore), ("at-least", HintUse::AtLeast)];
    let retry_after = table.one_of("retry_after", &hints).unwrap_or(HintUse::Honour);
    let methods = table.one_of("methods", &[("idempotent", Methods::Idempotent), ("any", Methods::Any)]).unwrap_or(Methods::Idempotent);
    let idempotency_header = table.table("idempotency").and_then(|idempotency| {
        let header = idempotency.required("header");
        let header = header.and_then(|value| header_name(&value.string()?, value.place(), value.problems()));
        idempotency.finish();
        header
    });
    let budget = table.table("budget").and_then(budget);
    for key in ["breaker", "fallback", "refresh"] {
        table.not_yet(key);
    }
    table.finish();
    let (attempts, on, (backoff, jitter)) = (attempts?, on?, backoff?);
    let spec = in_words(attempts, backoff, jitter, retry_after, budget);
    Some(RetryPolicy { name, attempts, on, backoff, jitter, retry_after, methods, idempotency_header, budget, spec })
}

fn conditions(table: &Table<'_>, attempts: Option<u32>) -> Option<Conditions> {
    let mut on = Conditions::default();
    let items = match (table.take("on"), attempts) {
        (Some(value), _) => value.list()?,
        (None, Some(1)) => Vec::new(),
        (None, _) => {
            let problem = Problem::at(table.place(), format!("{} does not say what is worth repeating", table.shown()));
            table.problems().add(problem.help("for example: on = [429, \"5xx\", \"connect\", \"reset\", \"timeout\"]"));
            return None;
        }
    };
    let sound: Vec<Option<()>> = items.iter().map(|item| condition(item, &mut on)).collect();
    sound.into_iter().collect::<Option<()>>().map(|()| on)
}

fn condition(value: &Value<'_>, on: &mut Conditions) -> Option<()> {
    let View::String(_) = value.view() else {
        on.statuses.push(value.whole(100..=599)?);
        return Some(());
    };
    let word = value.string()?;
    if let Some(class) = word.strip_suffix("xx").and_then(|class| class.parse().ok()).filter(|class| (1..=5).contains(class)) {
        on.classes.push(class);
        return Some(());
    }
    if let Ok(status) = word.parse::<u16>()
        && (100..=599).contains(&status)
    {
        on.statuses.push(status);
        return Some(());
    }
    let flag = match word.as_str() {
        "refused" => &mut on.refused,
        "unresolved" => &mut on.unresolved,
        "tls" => &mut on.tls,
        "connect" => &mut on.connect,
        "reset" => &mut on.reset,
        "cut" => &mut on.cut,
        "timeout" => &mut on.timeout,
        "protocol" => &mut on.protocol,
        _ => {
            let words = ["connect", "refused", "unresolved", "tls", "reset", "cut", "timeout", "protocol", "5xx"];
            let problem = value.problem(format!("`{word}` is nothing that can be repeated"));
            value.problems().add(problem.did_you_mean(&word, words));
            return None;
        }
    };
    *flag = true;
    Some(())
}

fn backoff(table: &Table<'_>, attempts: Option<u32>) -> Option<(Backoff, Jitter)> {
    let Some(value) = table.take("backoff") else {
        if attempts == Some(1) {
            return Some((Backoff::Constant { base: Micros::ZERO }, Jitter::None));
        }
        let problem = Problem::at(table.place(), format!("{} does not say how long to wait", table.shown()));
        let example = "for example: backoff = { exponential = { base = \"250ms\", factor = 2.0, cap = \"8s\" }, jitter = \"full\" }";
        table.problems().add(problem.help(example));
        return None;
    };
    let table = value.table()?;
    let words = [("none", Jitter::None), ("full", Jitter::Full), ("equal", Jitter::Equal), ("decorrelated", Jitter::Decorrelated)];
    let jitter = table.one_of("jitter", &words).unwrap_or(Jitter::None);
    let (exponential, linear, constant) = (table.table("exponential"), table.table("linear"), table.take("constant"));
    let backoff = match (exponential, linear, constant) {
        (Some(table), None, None) => exponential_of(table),
        (None, Some(table), None) => linear_of(table),
        (None, None, Some(constant)) => match spread::lower(&constant) {
            Some(Distribution::Fixed(base)) => Some(Backoff::Constant { base }),
            Some(_) => constant.refuse("a constant back-off is one span", "constant = \"1s\", and `jitter` spreads it"),
            None => None,
        },
        _ => value.refuse("`backoff` needs one of `exponential`, `linear` and `constant`", "for example { constant = \"1s\" }"),
    };
    table.finish();
    Some((backoff?, jitter))
}

fn exponential_of(table: Table<'_>) -> Option<Backoff> {
    let base = base(&table);
    let factor = table.number("factor", 1.0..=100.0).unwrap_or(2.0);
    let cap = cap(&table, base);
    table.finish();
    Some(Backoff::Exponential { base: base?, factor, cap: cap? })
}

fn linear_of(table: Table<'_>) -> Option<Backoff> {
    let base = base(&table);
    let step = table.required("step").and_then(|value| value.parsed());
    let cap = cap(&table, base);
    table.finish();
    Some(Backoff::Linear { base: base?, step: step?, cap: cap? })
}

fn base(table: &Table<'_>) -> Option<Micros> {
    let value = table.required("base")?;
    match value.parsed::<Micros>()? {
        base if base > Micros::HOUR => value.refuse("a back-off of more than an hour", "write for example `250ms`"),
        base => Some(base),
    }
}

/// The outer `None` is a problem, the inner one no cap.
fn cap(table: &Table<'_>, base: Option<Micros>) -> Option<Option<Micros>> {
    let Some(value) = table.take("cap") else { return Some(None) };
    let cap = value.parsed::<Micros>()?;
    match base {
        Some(base) if cap < base => value.refuse(format!("`cap` ({cap}) is smaller than `base` ({base})"), "swap them"),
        _ => Some(Some(cap)),
    }
}

fn budget(table: Table<'_>) -> Option<BudgetRule> {
    let ratio: Option<Ratio> = table.required("ratio").and_then(|value| value.parsed());
    let min_per_second = table.number("min_per_second", 0.0..=1_000_000.0).unwrap_or(0.0);
    table.finish();
    Some(BudgetRule { ratio: ratio?, min_per_second })
}

/// `4 attempts · exponential 250 ms × 2, at most 8 s, full jitter · honours Retry-After`
fn in_words(attempts: u32, backoff: Backoff, jitter: Jitter, hint: HintUse, budget: Option<BudgetRule>) -> String {
    let at_most = |cap: Option<Micros>| cap.map(|cap| format!(", at most {cap}")).unwrap_or_default();
    let wait = match backoff {
        Backoff::Constant { base } => format!("constant {base}"),
        Backoff::Linear { base, step, cap } => format!("linear {base} + {step}{}", at_most(cap)),
        Backoff::Exponential { base, factor, cap } => format!("exponential {base} × {factor}{}", at_most(cap)),
    };
    let jitter = match jitter {
        Jitter::None => "no jitter",
        Jitter::Full => "full jitter",
        Jitter::Equal => "equal jitter",
        Jitter::Decorrelated => "decorrelated jitter",
    };
    let hint = match hint {
        HintUse::Honour => "honours Retry-After",
        HintUse::Ignore => "ignores Retry-After",
        HintUse::AtLeast => "waits at least Retry-After",
    };
    let budget = budget.map(|budget| format!(" · budget {}", budget.ratio)).unwrap_or_default();
    let noun = if attempts == 1 { "attempt" } else { "attempts" };
    format!("{attempts} {noun} · {wait}, {jitter} · {hint}{budget}")
}
