//! See `src/retry`.
