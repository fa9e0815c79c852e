//! See `src/contract`.

mod checks;
mod compose;
mod hostile;
mod shipped;
