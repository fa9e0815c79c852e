//! `match`: which requests a rule looks at.

use http::{HeaderName, Method};

use super::{Surroundings, one_or_many};
use crate::fault::{BodyMatcher, Matcher};
use crate::id::ScenarioIx;
use crate::plan::file::{Table, Value, View};
use crate::plan::lower::resolve;
use crate::wire::PathPattern;

pub(super) fn matcher(table: Table<'_>, around: &Surroundings<'_>) -> Option<Matcher> {
    let methods: Vec<Option<Method>> = one_or_many(&table, "method").iter().map(method).collect();
    let path = table.take("path").map(|value| match PathPattern::new(&value.string()?) {
        Ok(pattern) => Some(pattern),
        Err(what) => value.refuse(what, "`*` is one segment, `**` any rest: `/v1/conversations**`"),
    });
    let headers: Vec<Option<(HeaderName, String)>> = table.table("header").iter().flat_map(Table::entries).map(header).collect();
    let query: Vec<Option<(String, String)>> =
        table.table("query").iter().flat_map(Table::entries).map(|(name, value)| Some((name, value.string()?))).collect();
    let body = table.take("body").map(|value| body(&value));
    let names = around.names.scenarios.iter().map(|(name, _)| name.as_str());
    let scenario =
        |value: &Value<'_>| resolve(value.place(), value.problems(), "scenario", &value.string()?, names.clone()).map(ScenarioIx::from);
    let scenarios: Vec<Option<ScenarioIx>> = one_or_many(&table, "scenario").iter().map(scenario).collect();
    table.finish();
    Some(Matcher {
        methods: methods.into_iter().collect::<Option<_>>()?,
        path: path.map_or(Some(None), |path| path.map(Some))?,
        headers: headers.into_iter().collect::<Option<_>>()?,
        scenarios: scenarios.into_iter().collect::<Option<_>>()?,
        query: query.into_iter().collect::<Option<_>>()?,
        body: body.map_or(Some(None), |body| body.map(Some))?,
    })
}

fn method(value: &Value<'_>) -> Option<Method> {
    let text = value.string()?;
    match text.parse::<Method>() {
        Ok(method) if text.bytes().all(|b| b.is_ascii_uppercase()) => Some(method),
        _ => value.refuse(format!("`{text}` is not a method"), "methods are written in capitals: \"POST\""),
    }
}

fn header((name, value): (String, Value<'_>)) -> Option<(HeaderName, String)> {
    let glob = value.string();
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(header) => Some((header, glob?)),
        Err(_) => value.refuse(format!("`{name}` is not the name of a header"), "write for example `X-Tenant`"),
    }
}

/// `"these bytes"` or `{ contains = "these bytes", json = { "model" = "small-*", "messages.0.role" = "user" } }`.
fn body(value: &Value<'_>) -> Option<BodyMatcher> {
    let body = match value.view() {
        View::Table(table) => {
            let contains = table.take("contains").map(|value| value.string());
            let json: Vec<Option<(Vec<String>, String)>> = table.table("json").iter().flat_map(Table::entries).map(member).collect();
            table.finish();
            let contains = contains.map_or(Some(None), |text| text.map(Some))?.unwrap_or_default();
            BodyMatcher { contains: contains.into_bytes(), json: json.into_iter().collect::<Option<_>>()? }
        }
        _ => BodyMatcher { contains: value.string()?.into_bytes(), json: Vec::new() },
    };
    if body == BodyMatcher::default() {
        return value.refuse(
            "a body of which nothing is asked",
            "write what it contains, `body = \"…\"`, or a member, `body = { json = { model = \"small-*\" } }`",
        );
    }
    Some(body)
}

/// A member of a JSON document by its path, and the glob for its value.
fn member((name, value): (String, Value<'_>)) -> Option<(Vec<String>, String)> {
    let glob = match value.view() {
        View::String(_) => value.string()?,
        View::Integer(number) => number.to_string(),
        View::Float(number) => serde_json::Number::from_f64(number)?.to_string(),
        View::Boolean(truth) => truth.to_string(),
        _ => {
            return value.refuse(
                format!("`{name}` is compared with one value"),
                "a glob (\"small-*\"), a number or a truth; of nested members the path: \"messages.0.role\"",
            );
        }
    };
    Some((name.split('.').map(str::to_owned).collect(), glob))
}
