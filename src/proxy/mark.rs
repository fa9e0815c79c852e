//! The rule that touches an attempt: whether it has been done, told to the counters once.

use std::rc::Rc;

use super::attempt::Proxy;
use super::identity::Identity;
use crate::id::RuleIx;
use crate::record::Unfired;
use crate::wire::Failure;

/// A rule that is to be done to an attempt.
///
/// It counts as fired when it is done on the wire, at least in part, and once only: a delay before a reset is one
/// hit. Dropped unfired it counts as nothing: then the client left, or the run ended, before.
pub(super) struct Mark {
    proxy: Rc<Proxy>,
    pub(super) rule: RuleIx,
    fired: bool,
}

impl Mark {
    pub(super) fn new(proxy: &Rc<Proxy>, rule: RuleIx) -> Mark {
        Mark { proxy: Rc::clone(proxy), rule, fired: false }
    }

    /// It has been done.
    pub(super) fn fire(&mut self) {
        if !self.fired {
            self.fired = true;
            self.proxy.counters.borrow_mut().fired(self.rule);
        }
    }

    /// It cannot be done, for this reason; if a part of it was done already, that stands.
    pub(super) fn unfired(&self, why: Unfired) {
        if !self.fired {
            self.proxy.counters.borrow_mut().unfired(self.rule, why);
        }
    }

    /// The target's answer broke off, or never came: that is noted, with the rule if it had been done before.
    pub(super) fn upstream_failed(&self, identity: Identity, failure: Failure) {
        self.unfired(Unfired::NoAnswer);
        self.proxy.upstream_failed(Some(identity), self.done(), failure);
    }

    /// The rule, where it has been done.
    pub(super) fn done(&self) -> Option<RuleIx> {
        self.fired.then_some(self.rule)
    }
}

/// However the attempt ends, it is disturbed no longer.
impl Drop for Mark {
    fn drop(&mut self) {
        if let Ok(mut counters) = self.proxy.counters.try_borrow_mut() {
            counters.ledger.ended(self.rule);
        }
    }
}
