//! What the events of a stream say, handed to the judge as they come.

use std::cell::RefCell;

use crate::client::Ear;
use crate::contract::stream::StreamJudge;
use crate::plan::ContractUse;

/// The judge of one attempt's event stream, listening.
#[derive(Debug)]
pub(super) struct Events<'c>(RefCell<StreamJudge<'c>>);

impl<'c> Events<'c> {
    /// Of a stream that is about to be asked for.
    pub(super) fn new(used: &'c ContractUse) -> Events<'c> {
        Events(RefCell::new(StreamJudge::new(&used.contract, &used.terms)))
    }

    /// What the judge has heard.
    pub(super) fn heard(self) -> StreamJudge<'c> {
        self.0.into_inner()
    }
}

impl Ear for Events<'_> {
    fn event(&self, data: &[u8]) {
        self.0.borrow_mut().event(data);
    }
}
