//! Public documents of every version become contracts that can be read, and reports that say what they leave open.

use std::fmt::Write;

use super::{DOCUMENTS, contract, document, imported};
use crate::support::golden::assert_golden;

#[test]
fn public_documents_become_contracts_whose_entries_all_have_a_source() {
    for name in DOCUMENTS {
        let imported = imported(name, &document(name));
        let contract = contract(&imported);
        assert_eq!(contract.rows.len(), imported.quality.entries, "{name}");
        assert_eq!(contract.operations.len(), imported.quality.operations, "{name}");
        let blocks = imported.toml.split("\n\n").filter(|block| block.contains("[[")).count();
        let sources = imported.toml.matches(&format!("# source: {name}#/paths/")).count();
        assert!(blocks > 0 && sources >= blocks, "{name}: {sources} sources for {blocks} entries");
        assert!(!imported.toml.contains("TODO"), "{name}");
    }
}

#[test]
fn the_same_document_becomes_the_same_contract_wherever_it_lies() {
    let text = document("galaxy-3.1.yaml");
    assert_eq!(imported("a.yaml", &text).toml, imported("a.yaml", &text).toml);
    let here = env!("CARGO_MANIFEST_DIR");
    assert!(!imported("a.yaml", &text).toml.contains(here), "no path of this machine");
}

#[test]
fn contracts_and_reports_of_small_documents_read_as_reviewed() {
    for name in ["petstore-2.0.json", "galaxy-3.1.yaml", "azure-openai-3.0.json"] {
        let imported = imported(name, &document(name));
        assert_golden(&format!("import/{name}.toml"), &imported.toml);
        assert_golden(&format!("import/{name}.txt"), &imported.quality.text());
    }
}

#[test]
fn the_reports_of_public_documents_say_what_was_seen() {
    let mut lines = String::new();
    for name in DOCUMENTS {
        let quality = imported(name, &document(name)).quality;
        let _ = writeln!(lines, "{name}\n  {}", quality.summary());
        let told = include_str!("../../../README.md").contains(&format!("| {} | {} |", quality.summary(), quality.entries));
        assert!(told, "the README says what is seen of {name}: {}", quality.summary());
        let json: serde_json::Value = serde_json::from_str(&quality.json()).expect("JSON");
        assert_eq!(json["operations"], quality.operations);
        for found in json["defects"].as_array().expect("a list") {
            let places = found["places"].as_array().map_or(0, Vec::len);
            assert!(places > 0 && places <= 20, "{name}: {found}");
        }
    }
    assert_golden("import/summaries.txt", &lines);
}
