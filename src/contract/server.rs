//! The `[server]` part of a contract file: what the embedded target serves. Values only; `target` acts on them.

/// Everything the embedded target needs beside the contract's rows.
#[derive(Clone, Debug)]
pub struct Server {}
