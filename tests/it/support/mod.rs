//! What several tests need: golden files, sample reports, a reader of tags.

pub mod golden;
pub mod markup;
pub mod sample_report;
