//! See `src/fault`.
