//! See `src/import`.

mod bad;
mod command;
mod documents;
mod judged;
mod words;

use brownout::contract::Contract;
use brownout::import::{self, Imported};

use crate::support::contract::read;

/// A public document of `tests/data/openapi`; where they are from stands in the README there.
fn document(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/openapi").join(name);
    std::fs::read(path).expect("a document")
}

/// The documents that are kept.
const DOCUMENTS: [&str; 5] =
    ["petstore-2.0.json", "petstore-3.0.yaml", "dialogporten-3.0.json", "azure-openai-3.0.json", "galaxy-3.1.yaml"];

fn imported(name: &str, text: &[u8]) -> Imported {
    import::openapi(name, text, None).unwrap_or_else(|problems| panic!("{name}: {problems:?}"))
}

/// The problems of a document, as the command shows them.
fn problems(name: &str, text: &[u8]) -> String {
    let problems = import::openapi(name, text, None).expect_err("problems");
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// What was imported, as a contract.
fn contract(imported: &Imported) -> Contract {
    read("imported.toml", &imported.toml).unwrap_or_else(|problems| panic!("{problems}\n{}", imported.toml))
}
