//! Which documented error is meant: by a path, by what an answer says, by a name in a plan.

use crate::contract::{Contract, DocumentedOperation, Row};
use crate::id::{RowIx, ServiceIx};

/// Suggestions for a name nobody knows, at most.
const SUGGESTIONS: usize = 5;

impl Contract {
    /// The service a path belongs to: the longest literal prefix wins, then file order.
    pub fn service_of(&self, path: &str) -> Option<ServiceIx> {
        let mut best: Option<(usize, usize)> = None;
        for (ix, service) in self.services.iter().enumerate() {
            for pattern in &service.paths {
                if best.is_none_or(|(length, _)| pattern.literal_prefix() > length) && pattern.matches(path) {
                    best = Some((pattern.literal_prefix(), ix));
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

    /// The service with this id.
    pub fn service_named(&self, id: &str) -> Option<ServiceIx> {
        self.services.iter().position(|service| service.id == id).map(ServiceIx::from)
    }

    /// The row that an error of this service, status and code falls under: the service's own, else the general one.
    ///
    /// Where the service is not known (a path outside all of them) and there is no general row, any service's counts:
    /// what cannot be attributed cannot be held against anyone.
    pub fn row_of(&self, service: Option<ServiceIx>, status: u16, code: &str) -> Option<RowIx> {
        let fits = |row: &&(usize, &Row)| row.1.status == status && row.1.code == code;
        let rows = || self.rows.iter().enumerate();
        let own = service.and_then(|service| rows().find(|row| fits(&row) && row.1.service == Some(service)));
        let general = || rows().find(|row| fits(&row) && row.1.service.is_none());
        let any = || rows().find(|row| fits(&row) && service.is_none());
        own.or_else(general).or_else(any).map(|(ix, _)| RowIx::from(ix))
    }

    /// The row with this index.
    pub fn row(&self, ix: RowIx) -> &Row {
        &self.rows[ix.at()]
    }

    /// The row a plan means by an error code alone, or by `service/CODE`; `Err` lists what it could have meant.
    ///
    /// A code alone means the row of `service` where one is given, then the general row, then the only row there is.
    ///
    /// # Errors
    /// Where no row has the code, or several services have it and none is named: the names that would do, the most likely first.
    pub fn row_named(&self, name: &str, service: Option<ServiceIx>) -> Result<RowIx, Vec<String>> {
        let (service, code, named) = match name.split_once('/') {
            None => (service, name, false),
            Some((id, code)) => (self.service_named(id), code, true),
        };
        let with_code: Vec<usize> = (0..self.rows.len()).filter(|&ix| self.rows[ix].code == code).collect();
        let of = |wanted: Option<ServiceIx>| with_code.iter().copied().find(|&ix| self.rows[ix].service == wanted);
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
        row.service.map_or_else(|| row.code.clone(), |service| format!("{}/{}", self.services[service.at()].id, row.code))
    }

    fn codes_like(&self, code: &str) -> Vec<String> {
        let wanted = code.to_ascii_uppercase().replace('-', "_");
        let mut near: Vec<(usize, usize)> = (0..self.rows.len())
            .map(|ix| (distance(&wanted, &self.rows[ix].code), ix))
            .filter(|&(distance, ix)| distance <= self.rows[ix].code.len() / 3)
            .collect();
        near.sort_unstable();
        near.truncate(SUGGESTIONS);
        near.into_iter().map(|(_, ix)| self.name_of(ix)).collect()
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
