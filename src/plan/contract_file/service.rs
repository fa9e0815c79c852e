//! `[service.X]`: whose errors a contract documents, and by what an answer is known to be theirs.

use http::HeaderName;

use super::clause::compiled;
use super::envelope::Envelopes;
use super::{MOST, one_or_more, source_of, suggest};
use crate::contract::{HostPattern, Service, When};
use crate::id::ServiceIx;
use crate::plan::file::{Table, Value, View};
use crate::plan::problem::Problem;
use crate::wire::PathPattern;

/// Services in file order.
pub(super) fn services(root: &Table<'_>, envelopes: &Envelopes<'_>) -> Vec<Service> {
    let Some(table) = root.table("service") else { return Vec::new() };
    let entries = table.entries();
    if let Some((_, value)) = entries.get(MOST) {
        value.refuse::<()>(format!("more than {MOST} services"), "split the contract");
    }
    entries.into_iter().take(MOST).filter_map(|(id, value)| service(id, &value, envelopes)).collect()
}

/// The service that a value names.
pub(super) fn service_ix(value: &Value<'_>, services: &[Service]) -> Option<ServiceIx> {
    let id = value.string()?;
    let found = services.iter().position(|service| service.id == id).map(ServiceIx::from);
    if found.is_none() {
        suggest(value, value.problem(format!("there is no service `{id}`")), &id, services.iter().map(|service| service.id.as_str()));
    }
    found
}

fn service(id: String, value: &Value<'_>, envelopes: &Envelopes<'_>) -> Option<Service> {
    if id.is_empty() || id.contains(['/', '*']) {
        let problem = Problem::at(value.key_place(), format!("`{id}` is not a service's id"));
        value.problems().add(problem.help("it is a part of every key `service/operation/status/code`: neither empty nor with `/` or `*`"));
    }
    let table = value.table()?;
    let title = table.string("title").unwrap_or_else(|| id.clone());
    let when = table.take("when").map(|value| when(&value));
    let envelope = table.take("envelope").and_then(|value| envelopes.index(&value));
    let gateway = table.take("gateway").and_then(|value| Some((value.boolean()?, value.place())));
    if let (Some((true, place)), None) = (&gateway, &when) {
        let problem = Problem::at(place.clone(), "nothing tells the answers of this gateway from the origin's");
        table.problems().add(problem.help("add `when = { header = \"Via\", matches = \"kong\" }`"));
    }
    let matching = if when.is_some() { table.take("match") } else { table.required("match") };
    let (paths, hosts) = matching.and_then(|value| value.table()).map(matched).unwrap_or_default();
    table.finish();
    let source = source_of(&value.key_place());
    Some(Service { source, id, title, paths, hosts, when: when.flatten(), envelope, gateway: gateway.is_some_and(|(gateway, _)| gateway) })
}

/// `match = { path, host }`: a host alone means all its paths.
fn matched(table: Table<'_>) -> (Vec<PathPattern>, Vec<HostPattern>) {
    let host = table.take("host");
    let hosts: Vec<HostPattern> = host.iter().flat_map(one_or_more).filter_map(|value| said(&value, HostPattern::new)).collect();
    let path = if host.is_some() { table.take("path") } else { table.required("path") };
    let paths = match &path {
        Some(path) => one_or_more(path).iter().filter_map(|value| said(value, PathPattern::new)).collect(),
        None => PathPattern::new("/**").into_iter().collect(),
    };
    for list in [&host, &path].into_iter().flatten().filter(|value| matches!(value.view(), View::List(items) if items.is_empty())) {
        list.refuse::<()>(format!("`{}` is empty: nothing would match", list.key()), "name one at least");
    }
    table.finish();
    (paths, hosts)
}

/// What a text stands for, or what is wrong with it.
fn said<T>(value: &Value<'_>, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
    match read(&value.string()?) {
        Ok(read) => Some(read),
        Err(said) => value.refuse(said, "a path pattern is `/v1/**` or `/v1/*/items`, a host `api.example.com` or `*.example.com`"),
    }
}

fn when(value: &Value<'_>) -> Option<When> {
    let table = value.table()?;
    let header = table.required("header").and_then(|value| {
        let name = value.string()?;
        let help = "letters, digits and hyphens";
        name.parse::<HeaderName>().map_or_else(|_| value.refuse(format!("`{name}` is not a header name"), help), Some)
    });
    let matches = table.required("matches").and_then(|value| compiled(&value));
    table.finish();
    Some(When { header: header?, matches: matches? })
}
