//! `[[operation]]`, and the operations and statuses that rows name.

use super::service::service_ix;
use super::{MOST, source_of};
use crate::contract::{DocumentedOperation, Operation, Service, Statuses};
use crate::plan::file::{Table, Value, View};
use crate::plan::problem::Problem;
use crate::units::Micros;

/// Documented operations in file order.
pub(super) fn operations(root: &Table<'_>, services: &[Service]) -> Vec<DocumentedOperation> {
    let tables = root.tables("operation");
    if let Some(table) = tables.get(MOST) {
        table.problems().add(Problem::at(table.place(), format!("more than {MOST} operations")).help("split the contract"));
    }
    tables.into_iter().take(MOST).filter_map(|table| documented(table, services)).collect()
}

fn documented(table: Table<'_>, services: &[Service]) -> Option<DocumentedOperation> {
    let operation = table.required("request").and_then(|value| operation(&value));
    let service = table.take("service").map(|value| service_ix(&value, services));
    let statuses = table.list("statuses").iter().filter_map(|value| statuses(value, 100)).collect();
    let limit = table.take("limit").map(|value| value.whole(1..=u32::MAX).map(u64::from));
    let window = table.take("window").map(|value| value.parsed::<Micros>());
    let source = source_of(&table.place());
    table.finish();
    let optional = |read: Option<Option<u64>>| read.map_or(Some(None), |read| read.map(Some));
    Some(DocumentedOperation {
        operation: operation?,
        service: service.map_or(Some(None), |named| named.map(Some))?,
        statuses,
        limit: optional(limit)?,
        window: window.map_or(Some(None), |read| read.map(Some))?,
        source,
    })
}

/// `GET /v1/models/{id}`
pub(super) fn operation(value: &Value<'_>) -> Option<Operation> {
    match Operation::new(&value.string()?) {
        Ok(operation) => Some(operation),
        Err(said) => value.refuse(said, "write `GET /v1/models/{id}`, or `* /v1/**` for any method"),
    }
}

/// `404`, `"4xx"` or `"default"`; `least` is the first status that makes sense here.
pub(super) fn statuses(value: &Value<'_>, least: u16) -> Option<Statuses> {
    let View::String(text) = value.view() else {
        return match value.view() {
            View::Integer(_) => value.whole(least..=599).map(Statuses::Exact),
            _ => value.refuse(
                format!("`{}` must be a status, a class or `default`, and this is {}", value.key(), value.kind()),
                "write `404`, `\"4xx\"` or `\"default\"`",
            ),
        };
    };
    let class = text.strip_suffix("xx").or(text.strip_suffix("XX")).and_then(|class| class.parse::<u8>().ok());
    match class.filter(|&class| u16::from(class) * 100 >= least && class <= 5) {
        Some(class) => Some(Statuses::Class(class)),
        None if text == "default" => Some(Statuses::Default),
        None if text.parse::<u16>().is_ok() => value.refuse(format!("`{text}` is a number"), format!("write it without quotes: `{text}`")),
        None => {
            let known = if least < 400 { vec!["1xx", "2xx", "3xx", "4xx", "5xx", "default"] } else { vec!["4xx", "5xx", "default"] };
            value.problems().add(value.problem(format!("`{text}` is no status")).did_you_mean(text, known));
            None
        }
    }
}
