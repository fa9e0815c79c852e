//! What several tests need: golden files.

pub mod golden;
