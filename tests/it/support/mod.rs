//! What several tests need: golden files, and a target that plays a script.

pub mod contract;
pub mod golden;
pub mod upstream;
