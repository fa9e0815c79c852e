//! See `src/plan`.
