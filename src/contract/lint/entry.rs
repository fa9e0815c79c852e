//! Q02: entries that can never be the one that is meant. Q03: one cause that is documented with two statuses.

use std::collections::BTreeMap;

use crate::contract::lint::{Lint, listed, name};
use crate::contract::{Contract, Row, Statuses};
use crate::id::ServiceIx;

/// Rows of one status and code of which every pair is compared.
const COMPARED: usize = 500;

/// A meaning, with whose it is: service and operation.
type Cause = (String, Option<ServiceIx>, Option<String>);

/// Q02. Two entries with one key are no contract; here are those that are the same in all but their spelling, those that
/// overlap without either being more specific, and those that no request can reach.
pub(super) fn twice(contract: &Contract) -> Vec<Lint> {
    let mut lints = Vec::new();
    lints.extend(services(contract));
    lints.extend(contract.rows.iter().filter_map(|row| elsewhere(contract, row)));
    let mut groups: BTreeMap<(Option<ServiceIx>, Statuses, &str), Vec<&Row>> = BTreeMap::new();
    for row in contract.rows.iter().filter(|row| row.operation.is_some()) {
        groups.entry((row.service, row.statuses, &row.code)).or_default().push(row);
    }
    groups.values().for_each(|rows| lints.extend(overlapping(rows)));
    lints.sort_by_key(|lint| lint.contract_ref.line);
    lints
}

fn overlapping(rows: &[&Row]) -> Vec<Lint> {
    let mut lints = Vec::new();
    let mut shapes: BTreeMap<String, &Row> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        let Some(own) = &row.operation else { continue };
        if let Some(first) = shapes.get(&own.shape()) {
            let message = format!("can never be the one that is meant: line {} documents the same requests", first.source.line);
            lints.push(Lint::of_row("Q02", row, message));
            continue;
        }
        let rival = rows[..at.min(COMPARED)]
            .iter()
            .find(|other| other.operation.as_ref().is_some_and(|other| other.rank() == own.rank() && other.overlaps(own)));
        if let Some(first) = rival {
            let message =
                format!("some requests are also those of line {}, and neither is more specific: that line counts", first.source.line);
            lints.push(Lint::of_row("Q02", row, message));
        }
        shapes.insert(own.shape(), row);
    }
    lints
}

/// An operation at a path that belongs to another service.
fn elsewhere(contract: &Contract, row: &Row) -> Option<Lint> {
    let (own, operation) = (row.service?, row.operation.as_ref()?);
    // A service that answers tell of, or that has hosts, may be at any path.
    let told = |service: ServiceIx| contract.services[service.at()].when.is_some() || !contract.services[service.at()].hosts.is_empty();
    let other = contract.service_of(&operation.a_path()).filter(|other| *other != own && !told(own) && !told(*other))?;
    let other = &contract.services[other.at()].id;
    Some(Lint::of_row("Q02", row, format!("can never be the one that is meant: {} belongs to {other}", operation.path.as_str())))
}

/// Services whose every path is another's before them.
fn services(contract: &Contract) -> Vec<Lint> {
    let mut lints = Vec::new();
    for (at, service) in contract.services.iter().enumerate().filter(|(_, service)| service.when.is_none()) {
        let hides = |other: &&crate::contract::Service| {
            other.when.is_none() && other.hosts == service.hosts && service.paths.iter().all(|path| other.paths.contains(path))
        };
        if let Some(first) = contract.services[..at].iter().find(hides) {
            let message = format!("{} is no request's service: all its paths are {}'s", service.id, first.id);
            lints.push(Lint { check: "Q02", message, entry: None, contract_ref: service.source.clone() });
        }
    }
    lints
}

/// Q03: by code, within a service and the general rows; then by meaning, where the same requests may get either.
pub(super) fn two_statuses(contract: &Contract) -> Vec<Lint> {
    let mut lints = Vec::new();
    let mut codes: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    let mut meanings: BTreeMap<Cause, Vec<&Row>> = BTreeMap::new();
    for row in contract.rows.iter().filter(|row| row.deviation.is_none() && row.statuses.exact().is_some()) {
        if !row.any_code {
            codes.entry(&row.code).or_default().push(row);
        }
        let operation = row.operation.as_ref().map(|operation| operation.shape());
        meanings.entry((row.meaning.to_lowercase(), row.service, operation)).or_default().push(row);
    }
    for rows in codes.values() {
        let meets = |a: &Row, b: &Row| a.service == b.service || a.service.is_none() || b.service.is_none();
        let pair = rows.iter().enumerate().find_map(|(at, row)| {
            let other = rows[..at.min(COMPARED)].iter().find(|other| other.statuses != row.statuses && meets(row, other))?;
            Some((*row, *other))
        });
        if let Some((row, first)) = pair {
            lints.push(Lint::of_row("Q03", row, format!("the same code has status {} at line {}", first.statuses, first.source.line)));
        }
    }
    for ((meaning, ..), rows) in &meanings {
        let mut statuses: Vec<Statuses> = rows.iter().map(|row| row.statuses).collect();
        statuses.dedup();
        let one_code = rows.iter().all(|row| row.code == rows[0].code && !row.any_code);
        if let ([_, _, ..], [first, .., last], false) = (statuses.as_slice(), rows.as_slice(), one_code) {
            let message = format!("{} says `{}` as well, at line {} ({})", name(first), cut(meaning), first.source.line, listed(&statuses));
            lints.push(Lint::of_row("Q03", last, message));
        }
    }
    lints.sort_by_key(|lint| lint.contract_ref.line);
    lints
}

fn cut(meaning: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = meaning.chars().take(SHOWN).collect();
    if meaning.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
