//! How a documented error is provoked: the request of its row's `probe`.

/// A request that is wrong on purpose, as a contract writes it.
#[derive(Clone, Debug)]
pub struct ProbeSpec;
