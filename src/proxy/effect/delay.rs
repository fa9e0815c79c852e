//! A request that waits before it is passed on or answered.

use crate::clock::Timer;
use crate::units::Micros;

/// Waits on the same kind of timer as the pacer: never less, and as little more as the machine allows.
pub(in crate::proxy) async fn wait(timer: &Timer, delay: Micros) {
    timer.sleep(delay).await;
}
