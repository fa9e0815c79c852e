//! `[vars]`: the only way from the environment into a plan.

use std::collections::BTreeMap;

use super::LoadOptions;
use crate::plan::file::{Part, Table, Value, Variables, View, pieces};
use crate::plan::problem::{Place, Problem, Problems};
use crate::secret::Secrets;

/// Names that only have a value during the run, beside `data.NAME.FIELD`.
pub const BUILT_IN: [&str; 3] = ["run.id", "arrival", "uuid"];

/// The variables of a plan and their values.
#[derive(Default)]
pub struct Vars {
    all: BTreeMap<String, Var>,
}

struct Var {
    /// `None`: it has none, which has been reported.
    value: Option<String>,
    secret: bool,
    place: Place,
}

impl Vars {
    /// Reads `[vars]`; `--set` goes before the environment, and the environment before the default.
    pub fn lower(table: Option<Table<'_>>, options: &LoadOptions<'_>, problems: &Problems) -> Vars {
        let mut vars = Vars::default();
        for (name, value) in table.iter().flat_map(Table::entries) {
            if !is_name(&name) {
                let problem = Problem::at(value.key_place(), format!("`{name}` is no name for a variable"));
                problems.add(problem.help("a name is made of letters, digits, `_` and `-`"));
            }
            let (value, secret, place) = variable(&name, &value, options);
            vars.all.insert(name, Var { value, secret, place });
        }
        for (name, _) in options.set.iter().filter(|(name, _)| !vars.all.contains_key(name)) {
            let problem = Problem::nowhere(format!("`--set {name}=…`: the plan has no variable `{name}`"));
            problems.add(problem.did_you_mean(name, vars.all.keys().map(String::as_str)));
        }
        vars
    }

    /// Where a variable is declared.
    pub fn place(&self, name: &str) -> Option<&Place> {
        self.all.get(name).map(|var| &var.place)
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    /// The secrets among them.
    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        for (name, var) in self.all.iter().filter(|(_, var)| var.secret) {
            secrets.declare(name, var.value.as_deref().unwrap_or(""));
        }
        secrets
    }

    /// What is masked in the report: `vars.token`.
    pub fn redactions(&self) -> Vec<String> {
        self.all.iter().filter(|(_, var)| var.secret).map(|(name, _)| format!("vars.{name}")).collect()
    }

    /// A plan's text with its variables replaced by their values, and secrets by their names.
    pub fn normalise(&self, text: &str) -> String {
        let replaced = pieces(text).fold(String::with_capacity(text.len()), |mut out, piece| {
            match piece {
                Part::Text(text) | Part::Open(text) => out.push_str(text),
                Part::Name(name) => match self.all.get(name) {
                    Some(Var { secret: false, value: Some(value), .. }) => out.push_str(value),
                    _ => out.push_str(&format!("${{{name}}}")),
                },
            }
            out
        });
        self.secrets().mask(&replaced).into_owned()
    }
}

impl Variables for Vars {
    fn value(&self, name: &str) -> Result<String, Option<Problem>> {
        if let Some(var) = self.all.get(name) {
            return var.value.clone().ok_or(None);
        }
        if BUILT_IN.contains(&name) || name.starts_with("data.") {
            let problem = Problem::nowhere(format!("`${{{name}}}` has a value only during the run, and this is read before it"));
            return Err(Some(problem.help("it can stand in a step's request, headers and body")));
        }
        Err(Some(undeclared(name, self.names())))
    }
}

/// A name that nobody declared.
pub fn undeclared<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Problem {
    let problem = Problem::nowhere(format!("`${{{name}}}` is not declared"));
    match super::super::nearest(name, known) {
        Some(meant) => problem.help(format!("did you mean `${{{meant}}}`?")),
        None => problem.help(format!("declare it: `[vars]` and `{name} = {{ default = … }}` or `{{ env = \"NAME\" }}`")),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn variable(name: &str, value: &Value<'_>, options: &LoadOptions<'_>) -> (Option<String>, bool, Place) {
    let set = options.set.iter().rev().find(|(set, _)| set == name).map(|(_, value)| value.clone());
    let View::Table(table) = value.view() else {
        return (set.or_else(|| scalar(value)), false, value.key_place());
    };
    let env = table.string("env");
    let default = table.take("default");
    let default_text = default.as_ref().and_then(scalar);
    let required = table.boolean("required").unwrap_or(false);
    let secret = table.boolean("secret").unwrap_or(false);
    let limits = (number(&table, "min"), number(&table, "max"));
    if let (true, Some(default)) = (required, &default) {
        default.refuse::<()>(format!("`{name}` is required and has a default"), "leave one of them out");
    }
    if let (Some(low), Some(high)) = limits
        && low > high
    {
        value.refuse::<()>(format!("`min` of `{name}` is larger than its `max`"), "swap them");
    }
    // An empty environment variable is how a CI system passes a secret that is not set.
    let from_env = env.as_deref().and_then(|env| (options.env)(env)).filter(|text| !text.is_empty());
    let (text, origin) = match (set, from_env) {
        (Some(set), _) => (Some(set), "--set"),
        (None, Some(env)) => (Some(env), "the environment"),
        (None, None) => (default_text, "its default"),
    };
    // A default of the wrong kind has been reported already.
    if text.is_none() && default.is_none() {
        unset(name, value, env.as_deref(), secret);
    }
    let text = text.filter(|text| within(name, text, origin, limits, secret, value));
    table.finish();
    (text, secret, value.key_place())
}

fn unset(name: &str, value: &Value<'_>, env: Option<&str>, secret: bool) {
    let what = format!("{} `{name}` is required and has no value", if secret { "the secret" } else { "the variable" });
    let problem = Problem::at(value.key_place(), what);
    value.problems().add(match env {
        Some(env) => problem.help(format!("set the environment variable `{env}`, or pass `--set {name}=…`")),
        None => problem.help(format!("pass `--set {name}=…`, or give it a `default`")),
    });
}

fn within(name: &str, text: &str, origin: &str, limits: (Option<f64>, Option<f64>), secret: bool, value: &Value<'_>) -> bool {
    let (low, high) = (limits.0.unwrap_or(f64::NEG_INFINITY), limits.1.unwrap_or(f64::INFINITY));
    if limits == (None, None) || text.parse::<f64>().is_ok_and(|number| (low..=high).contains(&number)) {
        return true;
    }
    let shown = if secret { "a secret" } else { text };
    let range = match limits {
        (Some(low), Some(high)) => format!("a number from {low} to {high}"),
        (Some(low), None) => format!("a number of at least {low}"),
        _ => format!("a number of at most {high}"),
    };
    value.refuse::<()>(format!("`{name}` must be {range}, and {origin} says `{shown}`"), "change the value or the limits");
    false
}

fn number(table: &Table<'_>, key: &'static str) -> Option<f64> {
    table.number(key, f64::MIN..=f64::MAX)
}

/// A text, a number or a truth value, as text.
fn scalar(value: &Value<'_>) -> Option<String> {
    match value.view() {
        View::String(text) => Some(text.to_owned()),
        View::Integer(whole) => Some(whole.to_string()),
        View::Float(number) => Some(number.to_string()),
        View::Boolean(truth) => Some(truth.to_string()),
        _ => value.refuse(format!("`{}` must be a string or a number, and this is {}", value.key(), value.kind()), "write \"…\" or 40"),
    }
}
