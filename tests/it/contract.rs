//! See `src/contract`.

mod shipped;
