//! See `src/contract`.

mod catalogue;
mod checks;
mod compose;
mod cost;
mod envelopes;
mod file;
mod hostile;
mod hostile_schema;
mod language;
mod leaks;
mod ledger;
mod lint;
mod runlevel;
mod schema;
mod shipped;
mod streams;
mod unusual;
