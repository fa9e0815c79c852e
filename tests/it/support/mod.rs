//! What several tests need: golden files.

pub mod golden;
pub mod sample_report;
