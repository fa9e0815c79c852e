//! See `src/engine`.
