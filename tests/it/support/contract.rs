//! The contract that is compiled in, and others from text.

use std::sync::Arc;

use brownout::contract::Contract;
use brownout::plan::contract_file;
use brownout::plan::problem::Problems;
use brownout::plan::source::SourceText;

/// The shipped contract.
pub fn shipped() -> Contract {
    let name = contract_file::shipped_name();
    let text = contract_file::shipped(name).expect("it is compiled in");
    read(&format!("plans/contracts/{name}"), text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The contract of a text, or what is wrong with it.
pub fn read(name: &str, text: &str) -> Result<Contract, String> {
    let problems = Problems::new();
    let source: Arc<SourceText> = SourceText::new(name, text);
    contract_file::lower(&source, &problems).ok_or_else(|| problems.render(false))
}
