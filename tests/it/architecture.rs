//! The module table of `src/lib.rs` holds.
