//! What several tests need: golden files, certificates, and a target that plays a script.

pub mod certificates;
pub mod golden;
pub mod upstream;
