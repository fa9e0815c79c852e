//! See `src/contract`.

mod checks;
mod compose;
mod cost;
mod file;
mod hostile;
mod leaks;
mod ledger;
mod lint;
mod schema;
mod shipped;
mod streams;
