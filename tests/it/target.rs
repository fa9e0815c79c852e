//! See `src/target`.
