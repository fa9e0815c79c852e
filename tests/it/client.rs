//! See `src/client`.
