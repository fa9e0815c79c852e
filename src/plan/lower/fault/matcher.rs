//! `match`: which requests a rule looks at.

use http::{HeaderName, Method};

use super::{Surroundings, one_or_many};
use crate::fault::Matcher;
use crate::id::ScenarioIx;
use crate::plan::file::{Table, Value};
use crate::plan::lower::resolve;
use crate::wire::PathPattern;

pub(super) fn matcher(table: Table<'_>, around: &Surroundings<'_>) -> Option<Matcher> {
    let methods: Vec<Option<Method>> = one_or_many(&table, "method").iter().map(method).collect();
    let path = table.take("path").map(|value| match PathPattern::new(&value.string()?) {
        Ok(pattern) => Some(pattern),
        Err(what) => value.refuse(what, "`*` is one segment, `**` any rest: `/v1/conversations**`"),
    });
    let headers: Vec<Option<(HeaderName, String)>> = table.table("header").iter().flat_map(Table::entries).map(header).collect();
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
        ..Matcher::default()
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
