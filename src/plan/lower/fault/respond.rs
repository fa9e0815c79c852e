//! `respond`: an answer of the contract's, or one written out, or one of them made wrong by name; `corrupt`.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Surroundings;
use crate::contract::draft::Draft;
use crate::contract::{Answer, Circumstances, Contract};
use crate::fault::mutation::{self, Mutation};
use crate::fault::{Respond, RetryAfterForm};
use crate::plan::file::{Table, Value};
use crate::plan::lower::contract::Lowered as ContractLowered;
use crate::plan::problem::Problem;
use crate::units::Micros;

/// A moment in microseconds since the Unix epoch, for answers that are only tried: 2026-11-22, noon.
const SOME_DAY: i64 = 1_795_348_800_000_000;

/// `{ error, retry_after, retry_after_form }` or `{ status, headers, body }`, either with a `mutation`.
pub(super) fn respond(table: Table<'_>, around: &Surroundings<'_>) -> Option<Respond> {
    let mutation = table.take("mutation");
    let respond = match (table.take("error"), table.take("status")) {
        (Some(error), None) => documented(&table, &error, around),
        (None, Some(status)) => literal(&table, &status),
        _ => {
            let problem = Problem::at(table.place(), "an injected answer is an `error` of the contract or a `status`");
            table
                .problems()
                .add(problem.help("{ error = \"CODE\", retry_after = \"2s\" } or { status = 503, headers = {…}, body = \"…\" }"));
            None
        }
    };
    table.finish();
    match mutation {
        Some(value) => wrong(&value, named(&value)?, respond?, around),
        None => respond,
    }
}

/// The mutation that a value names.
pub(super) fn named(value: &Value<'_>) -> Option<&'static Mutation> {
    let name = value.string()?;
    let known = Mutation::named(&name);
    if known.is_none() {
        let problem = value.problem(format!("there is no mutation `{name}`"));
        value.problems().add(problem.did_you_mean(&name, mutation::ALL.iter().map(|mutation| mutation.name)));
    }
    known
}

/// An answer made wrong, if there is anything in it that can be wrong in this way.
fn wrong(value: &Value<'_>, mutation: &'static Mutation, answer: Respond, around: &Surroundings<'_>) -> Option<Respond> {
    let (contract, row, sample) = match (&answer, around.contract) {
        (Respond::Error { row, retry_after, .. }, ContractLowered::Sound(using)) => {
            let retry_after_s = retry_after.map(|wait| wait.0.div_ceil(1_000_000));
            let given = Circumstances { now_unix_us: SOME_DAY, retry_after_s, ..Circumstances::default() };
            (Some(&*using.contract), Some(*row), using.contract.compose(*row, &given))
        }
        (Respond::Literal { status, headers, body }, _) => {
            (None, None, Answer { status: *status, headers: headers.clone(), body: body.clone() })
        }
        _ => return None,
    };
    let mut draft = Draft::new(sample, contract, row, SOME_DAY);
    if mutation.apply(&mut draft).is_none() {
        return value.refuse(
            format!("`{}` cannot be made of this answer, in which nothing can be wrong in that way", mutation.name),
            format!("it means that {}: choose another error, or another mutation", mutation.about),
        );
    }
    Some(Respond::Wrong { answer: Box::new(answer), mutation })
}

pub(super) fn documented(table: &Table<'_>, error: &Value<'_>, around: &Surroundings<'_>) -> Option<Respond> {
    let forms = [("seconds", RetryAfterForm::Seconds), ("date", RetryAfterForm::Date), ("milliseconds", RetryAfterForm::Milliseconds)];
    let retry_after_form = table.one_of("retry_after_form", &forms).unwrap_or_default();
    let retry_after = table.take("retry_after").map(|value| match value.parsed::<Micros>()? {
        wait if wait.0 % 1_000_000 != 0 && retry_after_form != RetryAfterForm::Milliseconds => value.refuse(
            format!("`Retry-After` counts whole seconds, and this is {wait}"),
            "write for example `2s`, or say retry_after_form = \"milliseconds\"",
        ),
        wait => Some(wait),
    });
    let name = error.string()?;
    let using = match around.contract {
        ContractLowered::Sound(using) => using,
        ContractLowered::Broken => return None,
        ContractLowered::Absent => {
            return error.refuse(
                "an error is injected by its name in the contract, and the plan names no contract",
                "add [contract], or write { status = … }",
            );
        }
    };
    let row = match using.contract.row_named(&name, around.service) {
        Ok(row) => row,
        Err(candidates) => {
            let contract = &using.contract.name;
            let ambiguous = candidates.iter().any(|candidate| candidate.ends_with(&format!("/{name}")) || *candidate == name);
            let problem = match ambiguous {
                true => error
                    .problem(format!("the contract `{contract}` has several errors `{name}`"))
                    .help(format!("say which: {}", candidates.join(", "))),
                false if name == "*" => error
                    .problem("a row for any code is named by its key")
                    .help("write `service/operation/status/*`, as the contract's report and `*/*/5xx/*` have it"),
                false => {
                    error.problem(format!("the contract `{contract}` has no error `{name}`")).did_you_mean(&name, codes(&using.contract))
                }
            };
            error.problems().add(problem);
            return None;
        }
    };
    if let Some(why) = using.contract.why_not_composed(row) {
        return error.refuse(
            format!("no answer can be made for `{name}` that fits its schema: {why}"),
            "give the schema `examples`, or write { status = …, headers = {…}, body = \"…\" }",
        );
    }
    Some(Respond::Error { row, retry_after: retry_after.map_or(Some(None), |wait| wait.map(Some))?, retry_after_form })
}

fn codes(contract: &Contract) -> impl Iterator<Item = &str> {
    let mut codes: Vec<&str> = contract.rows.iter().filter(|row| !row.any_code).map(|row| row.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.into_iter()
}

fn literal(table: &Table<'_>, status: &Value<'_>) -> Option<Respond> {
    let status = status.whole(200..=599);
    let body = table.string("body").unwrap_or_default().into_bytes();
    let mut headers = HeaderMap::new();
    let mut sound = true;
    for (name, value) in table.table("headers").iter().flat_map(Table::entries) {
        let text = value.string();
        let pair = text.as_ref().and_then(|text| Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(text).ok()?)));
        match pair {
            Some((name, value)) => _ = headers.append(name, value),
            None => {
                sound = false;
                if text.is_some() {
                    value.refuse::<()>(format!("`{name}` cannot be sent as a header"), "names are tokens, values stand on one line");
                }
            }
        }
    }
    let status = status?;
    sound.then_some(Respond::Literal { status, headers, body })
}
