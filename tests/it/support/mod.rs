//! What several tests need: a foreign HTTP client, contracts, golden files, an embedded server, a target that plays a script.

pub mod client;
pub mod contract;
pub mod golden;
pub mod served;
pub mod upstream;
