//! See `src/contract`.

mod checks;
mod compose;
mod file;
mod hostile;
mod ledger;
mod lint;
mod schema;
mod shipped;
