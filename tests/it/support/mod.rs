//! What several tests need: golden files, targets that play a script, clients, recorders.

pub mod certificates;
pub mod client;
pub mod contract;
pub mod golden;
pub mod markup;
pub mod notes;
pub mod program;
pub mod raw;
pub mod sample_report;
pub mod served;
pub mod shell;
pub mod upstream;
