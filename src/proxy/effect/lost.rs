//! An answer that the client never hears of: the target has done what it was asked to do.

use std::future::poll_fn;

use hyper::body::Incoming;

use crate::clock::Timer;
use crate::proxy::upstream::Lease;
use crate::units::Micros;

/// How long the rest of an answer may take before it is lost; streams last longer.
const PATIENCE: Micros = Micros::from_secs(1);

/// Takes in the rest of the target's answer, so that the target believes that it was heard.
pub(in crate::proxy) async fn take_in(mut body: Incoming, mut lease: Lease, timer: &Timer) {
    let whole = async {
        loop {
            match poll_fn(|cx| lease.poll_frame(&mut body, cx)).await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return false,
                None => return true,
            }
        }
    };
    if timer.within(timer.clock().now() + PATIENCE, whole).await == Some(true) {
        lease.give_back();
    }
}
