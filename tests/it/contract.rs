//! See `src/contract`.
