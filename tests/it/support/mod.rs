//! What several tests need: golden files.

pub mod contract;
pub mod golden;
