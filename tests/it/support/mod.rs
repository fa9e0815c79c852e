//! What several tests need: a foreign HTTP client, contracts, golden files, a server.

pub mod client;
pub mod contract;
pub mod golden;
pub mod served;
