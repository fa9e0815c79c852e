//! S01–S04, S07–S10: whether status and code are documented, and for whom.

use crate::contract::check::{Blame, Case, Found, quoted, shown};
use crate::contract::json::{Document, Json};
use crate::contract::{Contract, Field, Level, Role, Row, Source, Statuses, phrase, role, stream};

/// A success body longer than this is no error in disguise, and is not read.
const LONGEST_DISGUISE: usize = 64 * 1024;
/// Statuses or services named in a message.
const NAMED: usize = 6;

/// Looks at status and code.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    unregistered(case, found);
    if !case.is_error() {
        success(case, found);
        return;
    }
    number_in_body(case, found);
    if case.contract.is_silent_about(case.asked) {
        return;
    }
    let status = case.status();
    let undocumented = case.terms.undocumented;
    let documented = case.contract.documents(case.asked, status);
    if !documented {
        found.add_as("S01", undocumented, Level::Must, || status_blame(case));
    }
    let (Some(code), None) = (case.code, case.row) else { return };
    let rows: Vec<&Row> = case.contract.rows.iter().filter(|row| row.code == code).collect();
    if rows.is_empty() {
        found.add_as("S02", undocumented, Level::Must, || code_blame(case, "a documented code".to_owned(), "undocumented", None));
        return;
    }
    // Of a status that nobody documents S01 has said it already: one cause is one finding.
    if documented && rows.iter().all(|row| !row.statuses.holds(status)) {
        let source = rows.first().map(|row| row.source.clone());
        let expected = || format!("{code} with status {}", listed(rows.iter().map(|row| row.statuses.to_string())));
        found.add("S03", Level::Must, || Blame { path: "status".to_owned(), ..code_blame(case, expected(), "other status", source) });
    }
    if !rows.iter().any(|row| case.asked.may_be(row)) {
        let source = rows.first().map(|row| row.source.clone());
        let owners = rows.iter().filter_map(|row| row.service).map(|ix| case.contract.services[ix.at()].id.clone());
        found.add("S04", Level::Must, || code_blame(case, format!("{code} from {} only", listed(owners)), "other service", source));
    }
}

/// S10: the name of the status in the body.
pub(super) fn phrase(status: u16, field: &Field, at: &dyn Fn() -> String, value: Json<'_>, found: &mut Found) {
    let phrases = phrase::phrases(status);
    let Some(text) = value.text().filter(|text| !phrases.is_empty() && !phrase::names(status, text)) else { return };
    found.add("S10", field.rule.level, || Blame {
        path: at(),
        expected: listed(phrases.iter().map(|phrase| quoted(phrase))),
        actual: quoted(text),
        cause: "not the reason phrase".to_owned(),
        source: Some(field.source.clone()),
    });
}

/// S09, where the contract says that a member is the status.
pub(super) fn is_the_status(case: &Case<'_, '_>, field: &Field, at: &dyn Fn() -> String, value: Json<'_>, found: &mut Found) {
    let status = f64::from(case.status());
    let said = match value {
        Json::Number(number) => Some(number),
        Json::Text(text) => text.parse().ok(),
        _ => None,
    };
    if said != Some(status) {
        found.add("S09", Level::Must, || Blame {
            path: at(),
            expected: format!("{status}, the status"),
            actual: shown(value),
            cause: "another status".to_owned(),
            source: Some(field.source.clone()),
        });
    }
}

/// S03, where the contract pairs the values of a member with statuses; B03, where it is none of these values.
pub(super) fn goes_with(case: &Case<'_, '_>, field: &Field, at: &dyn Fn() -> String, text: &str, found: &mut Found) {
    let own = field.rule.statuses.iter().filter(|(word, _)| word == text).map(|(_, status)| *status);
    let own: Vec<u16> = own.collect();
    let blame = |path: String, expected: String, cause: &str| Blame {
        path,
        expected,
        actual: format!("{} with status {}", quoted(text), case.status()),
        cause: cause.to_owned(),
        source: Some(field.source.clone()),
    };
    if own.is_empty() && !found.has("S02") {
        let words = field.rule.statuses.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().join(", ");
        found.add("B03", Level::Must, || blame(at(), format!("one of {words}"), "enum"));
    } else if !own.is_empty() && !own.contains(&case.status()) && !found.has("S03") {
        let statuses = listed(own.iter().map(u16::to_string));
        found.add("S03", Level::Must, || blame("status".to_owned(), format!("{text} with status {statuses}"), "other status"));
    }
}

/// S07: neither registered nor listed. A class or a default that holds it lists nothing in particular.
fn unregistered(case: &Case<'_, '_>, found: &mut Found) {
    let status = case.status();
    if !phrase::phrases(status).is_empty() {
        return;
    }
    let exact = Statuses::Exact(status);
    let contract = case.contract;
    let listed = contract.rows.iter().any(|row| row.statuses == exact)
        || contract.other_statuses.contains(&status)
        || contract.operations.iter().any(|operation| operation.statuses.contains(&exact));
    if !listed {
        found.add("S07", Level::Must, || Blame {
            path: "status".to_owned(),
            expected: "a registered status".to_owned(),
            actual: status.to_string(),
            cause: "unregistered".to_owned(),
            source: None,
        });
    }
}

/// S09, where errors usually name their status. A number that is no status is a number of another kind.
fn number_in_body(case: &Case<'_, '_>, found: &mut Found) {
    let Some(Json::Object(members)) = case.body else { return };
    for (name, value) in members.iter() {
        match (name, value) {
            ("status" | "statusCode" | "status_code" | "httpStatus", _) => same_number(case, value, &|| format!("$.{name}"), found),
            ("error", Json::Object(inner)) => {
                let named = inner.iter().filter(|(name, _)| matches!(*name, "status" | "code" | "statusCode" | "status_code"));
                named.for_each(|(name, value)| same_number(case, value, &|| format!("$.error.{name}"), found));
            }
            ("errors", Json::Array(items)) => {
                // JSON:API: a status in digits for each error. Several errors may have several.
                let only = items.iter().next().filter(|_| items.len() == 1).and_then(|item| item.get("status"));
                only.into_iter().for_each(|value| same_number(case, value, &|| "$.errors[].status".to_owned(), found));
            }
            _ => {}
        }
    }
}

fn same_number(case: &Case<'_, '_>, value: Json<'_>, at: &dyn Fn() -> String, found: &mut Found) {
    let number = match value {
        Json::Number(number) => Some(number),
        Json::Text(text) if text.len() == 3 => text.parse().ok(),
        _ => None,
    };
    let Some(number) = number.filter(|number| (100.0..600.0).contains(number) && *number != f64::from(case.status())) else { return };
    found.add("S09", Level::Must, || Blame {
        path: at(),
        expected: format!("{}, the status", case.status()),
        actual: number.to_string(),
        cause: "another status".to_owned(),
        source: None,
    });
}

fn success(case: &Case<'_, '_>, found: &mut Found) {
    if case.status() >= 200 && !case.contract.documents_success(case.asked, case.status()) {
        found.add_as("S01", case.terms.undocumented, Level::Must, || status_blame(case));
    }
    if (200..300).contains(&case.status()) {
        stream::forbidden(&case.contract.forbidden_texts, "body", case.response.body, found);
    }
    if (200..300).contains(&case.status()) && is_error_body(case) {
        found.add("S08", Level::Must, || Blame {
            path: "$".to_owned(),
            expected: "an error status with an error body".to_owned(),
            actual: format!("{} with an error body", case.status()),
            cause: "error body".to_owned(),
            source: None,
        });
    }
}

/// Whether the body of a success is an error. Most do not have the word in them: they are not parsed.
fn is_error_body(case: &Case<'_, '_>) -> bool {
    let body = case.response.body;
    let named = body.len() <= LONGEST_DISGUISE && names_code(case.contract, body);
    named && Document::read(body).is_ok_and(|document| is_error(case.contract, document.value()))
}

/// Whether bytes hold the name of the member that the code of an error stands in.
pub(super) fn names_code(contract: &Contract, bytes: &[u8]) -> bool {
    code_of(contract).is_some_and(|code| memchr::memmem::find(bytes, code.name.as_bytes()).is_some())
}

/// Whether a value has everything that an error must have, with a documented code.
pub(super) fn is_error(contract: &Contract, json: Json<'_>) -> bool {
    let Some(base) = contract.envelopes.first() else { return false };
    let code = code_of(contract).and_then(|code| role::value(&base.fields, code, json)).and_then(Json::text);
    code.is_some_and(|code| contract.rows.iter().any(|row| row.code == code))
        && base.fields.iter().filter(|field| field.level == Level::Must).all(|field| json.get(&field.name).is_some())
}

fn code_of(contract: &Contract) -> Option<&Field> {
    role::of(&contract.envelopes.first()?.fields, Role::Code)
}

fn status_blame(case: &Case<'_, '_>) -> Blame {
    let mut documented: Vec<Statuses> = if case.is_error() {
        case.contract.rows.iter().filter(|row| case.asked.may_be(row)).map(|row| row.statuses).collect()
    } else {
        case.contract.other_statuses.iter().map(|status| Statuses::Exact(*status)).collect()
    };
    let listed = case.contract.operations_of(case.asked).flat_map(|operation| operation.statuses.iter().copied());
    documented.extend(listed.filter(|statuses| (statuses.example() >= 400) == case.is_error()));
    documented.sort_unstable();
    documented.dedup();
    Blame {
        path: "status".to_owned(),
        expected: format!("one of {}", documented.iter().map(Statuses::to_string).collect::<Vec<_>>().join(", ")),
        actual: case.status().to_string(),
        cause: "undocumented".to_owned(),
        source: None,
    }
}

fn code_blame(case: &Case<'_, '_>, expected: String, cause: &str, source: Option<Source>) -> Blame {
    let actual = format!("{} with status {}", quoted(case.code.unwrap_or("")), case.status());
    Blame { path: code_path(case.fields), expected, actual, cause: cause.to_owned(), source }
}

/// Where the code stands: `$.code`.
fn code_path(fields: &[Field]) -> String {
    role::of(fields, Role::Code).map_or_else(|| "$".to_owned(), |field| role::path(fields, field))
}

fn listed(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    words.dedup();
    let more = if words.len() > NAMED { " …" } else { "" };
    words.truncate(NAMED);
    format!("{}{more}", words.join(" or "))
}
