//! See `src/analysis`.
