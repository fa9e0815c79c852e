//! What the proxy can do to an attempt, one file each. None of them decides anything.

pub(super) mod cut;
pub(super) mod delay;
pub(super) mod reset;
pub(super) mod respond;
