//! Q05: statuses that every API answers with sooner or later, and that are documented nowhere.

use std::collections::BTreeMap;

use crate::contract::lint::{Lint, listed};
use crate::contract::{Contract, Service, Source, Statuses};
use crate::id::ServiceIx;

/// Services that lack the same statuses are told together; a service behind a header is somebody else's.
pub(super) fn lint(contract: &Contract) -> Vec<Lint> {
    if contract.rows.is_empty() {
        return Vec::new();
    }
    let own = || contract.services.iter().enumerate().filter(|(_, service)| !service.gateway);
    let mut lacking: BTreeMap<Vec<u16>, Vec<&Service>> = BTreeMap::new();
    for (ix, service) in own() {
        let missing = missing(contract, Some(ServiceIx::from(ix)));
        if !missing.is_empty() {
            lacking.entry(missing).or_default().push(service);
        }
    }
    if own().next().is_none() {
        let missing = missing(contract, None);
        return if missing.is_empty() { Vec::new() } else { vec![of(&missing, "", contract.rows[0].source.clone())] };
    }
    let all = own().count();
    let words = |services: &[&Service]| match services.len() {
        n if n == all && n > 1 => " for any of the services".to_owned(),
        _ => format!(" for {}", listed(&services.iter().map(|service| service.id.as_str()).collect::<Vec<_>>())),
    };
    lacking.into_iter().map(|(missing, services)| of(&missing, &words(&services), services[0].source.clone())).collect()
}

fn of(missing: &[u16], whose: &str, contract_ref: Source) -> Lint {
    let verb = if missing.len() == 1 { "is" } else { "are" };
    Lint { check: "Q05", message: format!("{} {verb} not documented{whose}", listed(missing)), entry: None, contract_ref }
}

/// 401 is missed only where something is forbidden, or where another part of the API has it.
fn missing(contract: &Contract, service: Option<ServiceIx>) -> Vec<u16> {
    let of_service = |whose: Option<ServiceIx>| service.is_none() || whose.is_none() || whose == service;
    let guarded = contract.rows.iter().any(|row| [401, 403].into_iter().any(|status| row.statuses == Statuses::Exact(status)));
    let documented = |status: u16| {
        contract.rows.iter().any(|row| of_service(row.service) && row.statuses.holds(status))
            || contract.operations.iter().any(|one| of_service(one.service) && one.statuses.iter().any(|statuses| statuses.holds(status)))
            || contract.deviation_of(status).is_some()
    };
    [401, 405, 429, 500].into_iter().filter(|&status| (status != 401 || guarded) && !documented(status)).collect()
}
