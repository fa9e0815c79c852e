//! See `src/proxy`.
