//! The `errors` tables: which documented error each mistake is.

use super::Lowering;
use crate::contract::server::{Errors, Mistake};
use crate::id::{RowIx, ServiceIx};
use crate::plan::file::Table;
use crate::plan::problem::{Place, Problem};

/// One `errors` table: mistakes with the names of their errors.
#[derive(Default)]
pub(super) struct Declared(Vec<(Mistake, String, Place)>);

impl Declared {
    pub(super) fn has(&self, mistake: Mistake) -> bool {
        self.find(mistake).is_some()
    }

    fn find(&self, mistake: Mistake) -> Option<(&str, &Place)> {
        self.0.iter().find(|(known, ..)| *known == mistake).map(|(_, name, place)| (name.as_str(), place))
    }
}

/// Where a table of fields stands: the `errors` tables around it, innermost first, and what they come to.
pub(super) struct Level<'l> {
    pub(super) levels: &'l [&'l Declared],
    pub(super) service: Option<ServiceIx>,
    pub(super) outer: &'l Errors,
}

pub(super) fn declared(table: Table<'_>) -> Declared {
    let mut found = Vec::new();
    for (word, value) in table.entries() {
        match Mistake::ALL.iter().find(|(known, _)| *known == word) {
            Some((_, mistake)) => found.extend(value.string().map(|name| (*mistake, name, value.place()))),
            None => {
                let problem = Problem::at(value.key_place(), format!("`{word}` is no mistake that a client can make"));
                value.problems().add(problem.did_you_mean(&word, Mistake::ALL.iter().map(|(known, _)| *known)));
            }
        }
    }
    Declared(found)
}

impl Lowering<'_> {
    /// The rows of all mistakes: the innermost table that has the word itself, else the word that stands in for it.
    pub(super) fn errors(&self, levels: &[&Declared], service: Option<ServiceIx>) -> Errors {
        let mut rows = Errors::default();
        for (_, mistake) in Mistake::ALL {
            let mut at = Some(mistake);
            while let Some(word) = at {
                if let Some((name, place)) = levels.iter().find_map(|level| level.find(word)) {
                    rows.0[mistake as usize] = self.row(name, place, service).unwrap_or_default();
                    break;
                }
                at = word.stands_in();
            }
        }
        rows
    }

    /// The row that an error's name means on a route of this service; a problem at most once for each place.
    pub(super) fn row(&self, name: &str, place: &Place, service: Option<ServiceIx>) -> Option<RowIx> {
        let candidates = match self.contract.row_named(name, service) {
            Ok(row) => return Some(row),
            Err(candidates) => candidates,
        };
        if self.told.borrow_mut().insert((place.span.start, name.to_owned())) {
            let known = self.contract.rows.iter().any(|row| row.code == name);
            let what = if known { "could be one of several documented errors here" } else { "is no documented error" };
            self.problems
                .add(Problem::at(place.clone(), format!("`{name}` {what}")).did_you_mean(name, candidates.iter().map(String::as_str)));
        }
        None
    }
}
