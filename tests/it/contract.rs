//! See `src/contract`.

mod catalogue;
mod checks;
mod compose;
mod file;
mod hostile;
mod ledger;
mod lint;
mod shipped;
mod unusual;
