//! `[probe]`: how the documented errors are provoked.

use std::path::Path;

use http::HeaderName;

use super::contract::Lowered as ContractLowered;
use super::vars::Vars;
use super::{Names, distinct, few, resolve};
use crate::id::{RowIx, StageIx};
use crate::plan::contract_file::probe::{Around, ask, spec};
use crate::plan::file::{Table, Value, View};
use crate::plan::probe::{Aim, FieldRule, Hook, Identity, Mistake, ProbeSettings};
use crate::plan::problem::Problem;
use crate::units::{Micros, Rate, Size};

/// What the target consents to by being where it is.
#[derive(Clone, Copy)]
pub struct Implied {
    /// It is on this machine: probes may write.
    pub writes: bool,
    /// It is ours alone: its limits may be used up.
    pub floods: bool,
}

/// What `[probe]` may refer to.
struct Known<'k> {
    around: Around<'k>,
    contract: &'k ContractLowered,
    /// `scenario/step`
    operations: Vec<String>,
    hooks: Vec<String>,
}

/// Reads `[probe]`; `None` where it is missing.
pub fn lower(
    table: Option<Table<'_>>,
    names: &Names,
    contract: &ContractLowered,
    vars: &Vars,
    folder: &Path,
    implied: Implied,
) -> Option<ProbeSettings> {
    let table = table?;
    let usual = ProbeSettings::default();
    let mut settings = ProbeSettings {
        max_requests: table.whole("max_requests", 1..=100_000).unwrap_or(usual.max_requests),
        rate: rate(&table).unwrap_or(usual.rate),
        timeout: span(&table, "timeout", usual.timeout),
        max_time: span(&table, "max_time", usual.max_time),
        max_body: table.parsed::<Size>("max_body").unwrap_or(usual.max_body),
        writes: table.boolean("writes").unwrap_or(implied.writes),
        floods: table.boolean("floods").unwrap_or(implied.floods),
        repeat: table.whole("repeat", 1..=10).unwrap_or(usual.repeat),
        identities: identities(table.table("identity")),
        skip: skipped(&table),
        ..usual
    };
    (settings.idle, settings.during) = during(&table, names);
    if matches!(contract, ContractLowered::Absent) {
        let problem = Problem::at(table.place(), "[probe] provokes the errors of a contract, and the plan names none");
        table.problems().add(problem.help("add `[contract]` with `file = \"…\"`"));
    }
    let operations = names.scenarios.iter().flat_map(|(scenario, steps)| steps.iter().map(move |step| format!("{scenario}/{step}")));
    let identities: Vec<String> = settings.identities.iter().map(|identity| identity.name.clone()).collect();
    let mut known = Known {
        around: Around { folder: Some(folder), vars: Some(vars), identities: Some(&identities) },
        contract,
        operations: operations.collect(),
        hooks: Vec::new(),
    };
    settings.public = table.list("public").iter().filter_map(|value| operation(value, &known)).collect();
    settings.hooks = hooks(table.table("hook"), &known, settings.writes);
    known.hooks = settings.hooks.iter().map(|hook| hook.name.clone()).collect();
    settings.aims = aims(few(table.tables("aim"), "probe.aim"), &known, &settings);
    settings.fields = few(table.tables("field"), "probe.field").into_iter().filter_map(|table| field(table, &known)).collect();
    table.finish();
    Some(settings)
}

fn rate(table: &Table<'_>) -> Option<Rate> {
    let value = table.take("rate")?;
    match value.parsed::<Rate>()? {
        rate if rate.get() > 0.0 => Some(rate),
        _ => value.refuse("at this rate no probe is ever sent", "write for example `rate = \"20/s\"`"),
    }
}

fn span(table: &Table<'_>, key: &'static str, usual: Micros) -> Micros {
    let Some(value) = table.take(key) else { return usual };
    match value.parsed::<Micros>() {
        Some(Micros::ZERO) => value.refuse("no answer comes in no time", "write for example `10s`").unwrap_or(usual),
        Some(span) => span,
        None => usual,
    }
}

fn identities(table: Option<Table<'_>>) -> Vec<Identity> {
    let one = |(name, value): (String, Value<'_>)| {
        let table = value.table()?;
        let mut headers = Vec::new();
        for (header, value) in table.required("headers").and_then(|headers| headers.table()).iter().flat_map(Table::entries) {
            match HeaderName::from_bytes(header.as_bytes()) {
                Ok(header) => headers.push((header, value.string().unwrap_or_default())),
                Err(_) => {
                    value.refuse(format!("`{header}` is no name of a header"), "a name has letters, digits and hyphens").unwrap_or(())
                }
            }
        }
        table.finish();
        Some(Identity { name, headers })
    };
    table.iter().flat_map(Table::entries).filter_map(one).collect()
}

fn skipped(table: &Table<'_>) -> Vec<Mistake> {
    let words = Mistake::ALL.map(|mistake| (mistake.word(), mistake));
    table.list("skip").iter().filter_map(|value| value.one_of(&words)).collect()
}

/// `["idle", "load"]`, or names of stages; `load` is every judged stage.
fn during(table: &Table<'_>, names: &Names) -> (bool, Vec<StageIx>) {
    let Some(value) = table.take("during") else { return (true, Vec::new()) };
    let (mut idle, mut stages) = (false, Vec::new());
    for value in value.list().unwrap_or_default() {
        match value.string().as_deref() {
            Some("idle") => idle = true,
            Some("load") => {
                stages.extend(names.stages.iter().enumerate().filter(|(_, (_, judged))| *judged).map(|(ix, _)| StageIx::from(ix)))
            }
            Some(name) if names.stages_known => {
                let known = names.stages.iter().map(|(name, _)| name.as_str()).chain(["idle", "load"]);
                stages.extend(resolve(value.place(), table.problems(), "stage", name, known).map(StageIx::from));
            }
            _ => {}
        }
    }
    stages.sort_unstable();
    stages.dedup();
    (idle, stages)
}

fn operation(value: &Value<'_>, known: &Known<'_>) -> Option<String> {
    let name = value.string()?;
    let names = known.operations.iter().map(String::as_str);
    resolve(value.place(), value.problems(), "step", &name, names).map(|_| name)
}

fn hooks(table: Option<Table<'_>>, known: &Known<'_>, writes: bool) -> Vec<Hook> {
    let one = |(name, value): (String, Value<'_>)| {
        let table = value.table()?;
        let side = |key| {
            let table = table.required(key).and_then(|value| value.table())?;
            let ask = ask(&table, &known.around, &[]);
            table.finish();
            ask
        };
        let (on, off) = (side("on"), side("off"));
        table.finish();
        if !writes {
            let problem = Problem::at(value.key_place(), format!("the hook `{name}` changes the target's state"));
            value.problems().add(problem.help("if it may, say so: `writes = true` in [probe]"));
        }
        Some(Hook { name, on: on?, off: off? })
    };
    table.iter().flat_map(Table::entries).filter_map(one).collect()
}

fn aims(tables: Vec<Table<'_>>, known: &Known<'_>, settings: &ProbeSettings) -> Vec<Aim> {
    let mut seen = Vec::new();
    let mut all = Vec::new();
    for table in tables {
        let row = table.required("row");
        if let Some((name, row)) = row.as_ref().and_then(|row| Some((row.string()?, row))) {
            distinct(&mut seen, "aim", &name, row.place(), table.problems());
        }
        let ix = row.as_ref().and_then(|row| row_of(row, known));
        let hook = table.take("hook").map(|value| {
            let name = value.string()?;
            resolve(value.place(), value.problems(), "hook", &name, known.hooks.iter().map(String::as_str))
        });
        let spec = spec(&table, &known.around);
        if let Some(spec) = &spec {
            let problem = match (spec.burst.is_some() && !settings.floods, spec.writes && !settings.writes) {
                (true, _) => Some(("this burst uses up a limit of the target", "if it may, say so: `floods = true` in [probe]")),
                (_, true) => Some(("this probe changes the target's state", "if it may, say so: `writes = true` in [probe]")),
                _ => None,
            };
            if let Some((what, help)) = problem {
                table.problems().add(Problem::at(table.place(), what).help(help));
            }
        }
        table.finish();
        if let (Some(row), Some(spec), Some(hook)) = (ix, spec, hook.map_or(Some(None), |hook| hook.map(Some))) {
            all.push(Aim { row, spec, hook });
        }
    }
    all
}

/// A row by its key (`*/*/409/X`), or by its code where that is enough.
fn row_of(value: &Value<'_>, known: &Known<'_>) -> Option<RowIx> {
    let name = value.string()?;
    let ContractLowered::Sound(using) = known.contract else { return None };
    let contract = &using.contract;
    if let Some(ix) = contract.rows.iter().position(|row| row.key == name) {
        return Some(RowIx::from(ix));
    }
    match contract.row_named(&name, None) {
        Ok(row) => Some(row),
        Err(near) => {
            let problem = value.problem(format!("the contract documents no error `{name}`"));
            let keys = contract.rows.iter().map(|row| row.key.as_str());
            value.problems().add(if near.is_empty() {
                problem.did_you_mean(&name, keys)
            } else {
                problem.help(format!("it has {}", near.join(", ")))
            });
            None
        }
    }
}

fn field(table: Table<'_>, known: &Known<'_>) -> Option<FieldRule> {
    let operation = table.required("step").and_then(|value| operation(&value, known));
    let name = table.required("name").and_then(|value| value.string());
    let listed = table.list("one_of");
    let one_of = listed.iter().filter_map(|value| match value.view() {
        View::String(_) => value.string(),
        _ => value.refuse("`one_of` lists texts", "write for example [\"user\", \"assistant\"]"),
    });
    let rule = FieldRule {
        operation: String::new(),
        name: String::new(),
        required: table.boolean("required").unwrap_or(false),
        one_of: one_of.collect(),
        min: table.number("min", -1e15..=1e15),
        max: table.number("max", -1e15..=1e15),
        max_len: table.whole("max_len", 0..=16 << 20),
    };
    table.finish();
    Some(FieldRule { operation: operation?, name: name?, ..rule })
}
