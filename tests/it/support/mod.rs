//! What several tests need: contracts, clients, golden files, recorders, servers, targets that play a script.

pub mod certificates;
pub mod client;
pub mod contract;
pub mod golden;
pub mod notes;
pub mod sample_report;
pub mod served;
pub mod upstream;
