//! What several tests need: golden files, and a target that plays a script.

pub mod golden;
pub mod upstream;
