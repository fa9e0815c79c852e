//! Which documented error is meant: by a path, by what an answer says, by a name in a plan.

use std::collections::HashSet;

use http::Method;
use http::header::HOST as HOST_FIELD;

use crate::contract::name::is_same;
use crate::contract::{Contract, DocumentedOperation, Field, Role, Row, Statuses, body, role};
use crate::id::{RowIx, ServiceIx};
use crate::wire::{RequestFacts, ResponseFacts};

/// A named host is worth more than the longest path.
const HOST: usize = 1 << 32;
/// Suggestions for a name nobody knows, at most.
const SUGGESTIONS: usize = 5;

impl Contract {
    /// The service a path belongs to: the longest literal prefix wins, then file order.
    pub fn service_of(&self, path: &str) -> Option<ServiceIx> {
        self.service_at(None, path)
    }

    /// The service that a request is for: one that names its host before one that names none, then the longest literal
    /// prefix of the path, then file order. Of an unknown host any may be meant.
    pub fn service_at(&self, host: Option<&str>, path: &str) -> Option<ServiceIx> {
        let mut best: Option<(usize, usize)> = None;
        for (ix, service) in self.services.iter().enumerate() {
            let named = match (host, service.hosts.as_slice()) {
                (_, []) | (None, _) => 0,
                (Some(host), hosts) if hosts.iter().any(|pattern| pattern.matches(host)) => 1,
                _ => continue,
            };
            for pattern in &service.paths {
                let rank = named * HOST + pattern.literal_prefix();
                if best.is_none_or(|(known, _)| rank > known) && pattern.matches(path) {
                    best = Some((rank, ix));
                }
            }
        }
        best.map(|(_, ix)| ServiceIx::from(ix))
    }

    /// The documented operations a path belongs to: of those whose pattern fits it, the ones with the longest literal
    /// prefix (`/v1/models/featured` before `/v1/models/{id}`). None where the contract lists no operations.
    pub fn operations_at<'c>(&'c self, path: &'c str) -> impl Iterator<Item = &'c DocumentedOperation> + 'c {
        let prefix = |one: &DocumentedOperation| one.operation.path.literal_prefix();
        let fitting = self.operations.iter().filter(move |one| one.operation.path.matches(path));
        let longest = fitting.clone().map(prefix).max();
        fitting.filter(move |one| Some(prefix(one)) == longest)
    }

    /// The service that a request is for, by its Host header and its path.
    pub fn service_for(&self, request: &RequestFacts<'_>) -> Option<ServiceIx> {
        // Most contracts tell services by their paths alone.
        let by_host = self.services.iter().any(|service| !service.hosts.is_empty());
        let host = if by_host { request.headers.get(HOST_FIELD).and_then(|host| host.to_str().ok()) } else { None };
        self.service_at(host, request.path)
    }

    /// Whose rows an answer to a request is looked up in, before the answer is known.
    pub(super) fn asked_of<'r>(&self, request: &RequestFacts<'r>) -> Asked<'r> {
        Asked { service: self.service_for(request), gateway: None, request: Some((request.method, request.path)) }
    }

    /// Whose rows an answer is looked up in: some answers tell who made them.
    pub(super) fn asked<'r>(&self, request: &RequestFacts<'r>, response: &ResponseFacts<'_>) -> Asked<'r> {
        let mut asked = self.asked_of(request);
        for (ix, service) in self.services.iter().enumerate() {
            if service.when.as_ref().is_some_and(|when| when.holds(response.headers)) {
                let own = if service.gateway { &mut asked.gateway } else { &mut asked.service };
                *own = Some(ServiceIx::from(ix));
                break;
            }
        }
        asked
    }

    /// The service with this id.
    pub fn service_named(&self, id: &str) -> Option<ServiceIx> {
        self.services.iter().position(|service| service.id == id).map(ServiceIx::from)
    }

    /// The row that an error of this service, status and code falls under, whatever its operation: the service's own, else
    /// the general one; an exact status before a class before the default.
    ///
    /// Where the service is not known (a path outside all of them) and there is no general row, any service's counts:
    /// what cannot be attributed cannot be held against anyone.
    pub fn row_of(&self, service: Option<ServiceIx>, status: u16, code: &str) -> Option<RowIx> {
        self.row_for(Asked { service, gateway: None, request: None }, status, Some(code))
    }

    /// The most specific row that an error falls under: by its status (exact, class, default), then by whose it is
    /// (operation, service, any), then by its code (this one, any); then file order.
    ///
    /// An error whose code is not known falls under rows for any code only.
    pub(super) fn row_for(&self, asked: Asked<'_>, status: u16, code: Option<&str>) -> Option<RowIx> {
        let mut best: Option<((usize, usize, bool), RowIx)> = None;
        let rows = self.index.rows_of(status);
        for &ix in if code.is_some() { &rows.all } else { &rows.open } {
            let row = self.row(ix);
            if (row.any_code || code.is_some_and(|code| is_same(code, &row.code))) && asked.may_be(row) {
                let rank = row.rank(asked);
                if best.is_none_or(|(known, _)| rank > known) {
                    best = Some((rank, ix));
                }
            }
        }
        best.map(|(_, ix)| ix)
    }

    /// The rows of a status, in file order.
    pub(super) fn rows_of(&self, status: u16) -> impl Iterator<Item = &Row> {
        self.index.rows_of(status).all.iter().map(|&ix| self.row(ix))
    }

    /// Makes ready what answers are looked up in: to be called when rows or envelopes were changed.
    pub fn reindex(&mut self) {
        for row in self.rows.iter_mut().filter(|row| !row.any_code) {
            know_sound(&mut row.envelope.fields, &row.code);
        }
        self.index = Index::of(self);
    }

    /// Whether the contract lists an error status for whoever answered; where it is silent about them, it has nothing
    /// against any.
    pub(super) fn documents(&self, asked: Asked<'_>, status: u16) -> bool {
        self.is_silent_about(asked) || self.rows_of(status).any(|row| asked.may_be(row)) || self.operation_lists(asked, status)
    }

    /// Whether it lists a success or redirect status; a contract that lists none has nothing against any.
    pub(super) fn documents_success(&self, asked: Asked<'_>, status: u16) -> bool {
        let open = self.other_statuses.is_empty() && self.operations_of(asked).all(|operation| operation.statuses.is_empty());
        open || self.other_statuses.contains(&status) || self.operation_lists(asked, status)
    }

    /// Whether it says nothing about the statuses and codes of whoever answered: a gateway of which only the shape is known.
    pub(super) fn is_silent_about(&self, asked: Asked<'_>) -> bool {
        asked.gateway.is_some() && !self.rows.iter().any(|row| row.service == asked.gateway)
    }

    /// The documented operations that a request is one of; none for a request that is not known.
    pub(super) fn operations_of<'c>(&'c self, asked: Asked<'c>) -> impl Iterator<Item = &'c DocumentedOperation> {
        let of_service = move |one: &&DocumentedOperation| one.service.is_none() || asked.service.is_none() || one.service == asked.service;
        asked.request.into_iter().flat_map(move |(method, path)| {
            self.operations_at(path).filter(of_service).filter(move |one| one.operation.matches(method, path))
        })
    }

    fn operation_lists(&self, asked: Asked<'_>, status: u16) -> bool {
        self.operations_of(asked).any(|operation| operation.statuses.iter().any(|statuses| statuses.holds(status)))
    }

    /// Why a status is used otherwise than HTTP means it, where the contract says so.
    pub fn deviation_of(&self, status: u16) -> Option<&str> {
        self.deviations.iter().find(|deviation| deviation.status == status).map(|deviation| deviation.reason.as_str())
    }

    /// The row with this index.
    pub fn row(&self, ix: RowIx) -> &Row {
        &self.rows[ix.at()]
    }

    /// The row a plan means by an error code alone, by `service/CODE`, or by its whole key; `Err` lists what it could have
    /// meant. A row for any code has no name but its key.
    ///
    /// A code alone means the row of `service` where one is given, then the general row, then the only row there is.
    ///
    /// # Errors
    /// Where no row has the code, or several services have it and none is named: the names that would do, the most likely first.
    pub fn row_named(&self, name: &str, service: Option<ServiceIx>) -> Result<RowIx, Vec<String>> {
        if let Some(ix) = self.rows.iter().position(|row| row.key == name) {
            return Ok(RowIx::from(ix));
        }
        let has = |code: &str| self.rows.iter().any(|row| row.code == code);
        let (service, code, named) = match name.split_once('/').filter(|_| !has(name)) {
            None => (service, name, false),
            Some((id, code)) => (self.service_named(id), code, true),
        };
        let with_code: Vec<usize> = (0..self.rows.len()).filter(|&ix| !self.rows[ix].any_code && self.rows[ix].code == code).collect();
        // Of rows for several operations none is the one meant; the row for any operation is.
        let of = |wanted: Option<ServiceIx>| {
            let own: Vec<usize> = with_code.iter().copied().filter(|&ix| self.rows[ix].service == wanted).collect();
            let general = own.iter().copied().find(|&ix| self.rows[ix].operation.is_none());
            general.or(own.first().copied().filter(|_| own.len() == 1))
        };
        let known_service = service.is_some() || !named;
        let found = match service {
            Some(_) => of(service).or_else(|| of(None)),
            None => of(None).or(if with_code.len() == 1 { with_code.first().copied() } else { None }),
        };
        match found {
            Some(ix) if known_service => Ok(RowIx::from(ix)),
            _ if with_code.is_empty() => Err(self.codes_like(code)),
            _ => Err(with_code.iter().map(|&ix| self.name_of(ix)).collect()),
        }
    }

    /// How a plan names a row: its code, with the service in front where it has one.
    fn name_of(&self, ix: usize) -> String {
        let row = &self.rows[ix];
        let same = |other: &&Row| other.code == row.code && other.service == row.service;
        if row.any_code || self.rows.iter().filter(same).count() > 1 {
            return row.key.clone();
        }
        row.service.map_or_else(|| row.code.clone(), |service| format!("{}/{}", self.services[service.at()].id, row.code))
    }

    fn codes_like(&self, code: &str) -> Vec<String> {
        let wanted = code.to_ascii_uppercase().replace('-', "_");
        let mut near: Vec<(usize, usize)> = (0..self.rows.len())
            .filter(|&ix| !self.rows[ix].any_code)
            .map(|ix| (distance(&wanted, &self.rows[ix].code), ix))
            .filter(|&(distance, ix)| distance <= self.rows[ix].code.len() / 3)
            .collect();
        near.sort_unstable();
        near.truncate(SUGGESTIONS);
        near.into_iter().map(|(_, ix)| self.name_of(ix)).collect()
    }
}

/// Lets the member for the code know that the row's own code is in order, if it is.
fn know_sound(fields: &mut [Field], code: &str) {
    for field in fields {
        if field.role == Some(Role::Code) {
            field.rule.sound = None;
            field.rule.sound = body::is_sound(field, code).then(|| code.to_owned());
        }
        know_sound(&mut field.fields, code);
    }
}

/// What every error is looked up in, made once for a contract.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// The statuses that rows name, each with all rows that hold it.
    exact: Vec<(u16, RowsOf)>,
    /// The rows of all other statuses, by the first digit; the last are of none.
    classes: [RowsOf; 11],
    /// Where envelopes have the error code, each place once.
    pub(super) codes: Vec<Vec<String>>,
}

/// The rows that hold a status, in file order.
#[derive(Clone, Debug, Default)]
struct RowsOf {
    all: Box<[RowIx]>,
    /// Those for any code.
    open: Box<[RowIx]>,
}

impl RowsOf {
    fn holding(contract: &Contract, holds: impl Fn(Statuses) -> bool) -> RowsOf {
        let all: Box<[RowIx]> = (0..contract.rows.len()).filter(|&ix| holds(contract.rows[ix].statuses)).map(RowIx::from).collect();
        RowsOf { open: all.iter().copied().filter(|&ix| contract.row(ix).any_code).collect(), all }
    }
}

impl Index {
    fn of(contract: &Contract) -> Index {
        let mut named: Vec<u16> = contract.rows.iter().filter_map(|row| row.statuses.exact()).collect();
        named.sort_unstable();
        named.dedup();
        let mut codes: Vec<Vec<String>> = contract.envelopes.iter().filter_map(|envelope| role::code_place(&envelope.fields)).collect();
        let mut known = HashSet::new();
        codes.retain(|code| known.insert(code.clone()));
        let of_class = |class: usize| {
            RowsOf::holding(contract, |statuses| class < 10 && statuses.exact().is_none() && statuses.holds(class as u16 * 100))
        };
        Index {
            exact: named.into_iter().map(|status| (status, RowsOf::holding(contract, |statuses| statuses.holds(status)))).collect(),
            classes: std::array::from_fn(of_class),
            codes,
        }
    }

    /// Statuses have three digits; of any other the contract has no row but by name.
    fn rows_of(&self, status: u16) -> &RowsOf {
        match self.exact.binary_search_by_key(&status, |(named, _)| *named) {
            Ok(at) => &self.exact[at].1,
            Err(_) => &self.classes[usize::from(status / 100).min(10)],
        }
    }
}

/// Whose answer is looked up, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked<'r> {
    /// The service the request was for. None: a path outside all of them.
    pub(super) service: Option<ServiceIx>,
    /// The gateway that answered in its place.
    pub(super) gateway: Option<ServiceIx>,
    /// Method and path. None: unknown, any operation may be meant.
    pub(super) request: Option<(&'r Method, &'r str)>,
}

impl Asked<'_> {
    /// The path of the request; empty where it is not known.
    pub(super) fn path(&self) -> &str {
        self.request.map_or("", |(_, path)| path)
    }

    /// Whose answer it is.
    pub(super) fn responder(&self) -> Option<ServiceIx> {
        self.gateway.or(self.service)
    }

    /// Whether a row may be about the answer: a gateway has its own rows and no general ones; of an unknown service any may.
    pub(super) fn may_be(&self, row: &Row) -> bool {
        let service = match self.gateway {
            Some(_) => row.service == self.gateway,
            None => row.service.is_none() || self.service.is_none() || row.service == self.service,
        };
        service && self.is_operation_of(row)
    }

    fn is_operation_of(&self, row: &Row) -> bool {
        match (&row.operation, self.request) {
            (Some(operation), Some((method, path))) => operation.matches(method, path),
            _ => true,
        }
    }
}

impl Row {
    /// How specific the row is: status, whose it is, code. Of a service that is not known the general row is the one meant;
    /// so it is of an operation that is not known.
    fn rank(&self, asked: Asked<'_>) -> (usize, usize, bool) {
        let operation = self.operation.as_ref().map_or(0, |operation| 2 + operation.rank());
        let own = match (self.service, asked.responder()) {
            (Some(_), Some(_)) | (None, None) => 1,
            _ => 0,
        };
        let known = asked.request.is_some() || self.operation.is_none();
        (self.statuses.rank(), if known { 1 + own + operation } else { 0 }, !self.any_code)
    }
}

/// How many single letters have to be changed, added or removed (Levenshtein 1966).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
