//! See `src/report`.
