//! See `src/contract`.

mod catalogue;
mod checks;
mod compose;
mod envelopes;
mod file;
mod hostile;
mod hostile_schema;
mod ledger;
mod lint;
mod schema;
mod shipped;
mod unusual;
