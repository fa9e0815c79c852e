//! The contract's own examples are held to the contract.

use brownout::contract::lint::Lint;

use crate::support::contract::{read, shipped};

#[test]
fn the_shipped_contract_has_exactly_one_warning_the_reset_header_of_its_429() {
    let contract = shipped();
    assert_eq!(contract.examples.len(), 10);
    assert!(contract.examples.iter().all(|example| example.row.is_some()));
    let lints = contract.lint();
    let [Lint { check, message, contract_ref }] = lints.as_slice() else { panic!("{lints:#?}") };
    assert_eq!(*check, "Q01");
    assert_eq!(
        message,
        "the example of 429 RATE_LIMIT_EXCEEDED fails its own check R04: header:X-RateLimit-Reset must be the moment of $.reset_at, \
         2025-12-23T12:05:00Z, and is 1703331900, which is 2023-12-23T11:45:00Z, 63159600 s earlier"
    );
    let text = brownout::plan::contract_file::shipped("contracts/jan-server.toml").expect("compiled in");
    let line = text.lines().nth(contract_ref.line as usize - 1).expect("the line");
    assert_eq!(line, "X-RateLimit-Reset     = \"1703331900\"");
    assert_eq!(contract_ref.file, "plans/contracts/jan-server.toml");
}

#[test]
fn an_example_that_breaks_its_rules_is_named_and_examples_can_be_ignored() {
    let text = |examples: &str| {
        format!(
            "name = \"t\"\nexamples = \"{examples}\"\n[envelope.e.fields]\ncode = {{ required = true }}\nmessage = {{ required = true }}\n\
             [[error]]\nstatus = 400\ncode = \"A\"\n[error.example]\nbody = '''{{\"code\": \"A\"}}'''\n\
             [[example]]\nstatus = 400\nbody = \"not JSON\"\n"
        )
    };
    let lints = read("t.toml", &text("lint")).expect("a contract").lint();
    let short: Vec<(String, u32)> = lints.into_iter().map(|lint| (lint.message, lint.contract_ref.line)).collect();
    assert_eq!(
        short,
        [
            ("the example of 400 A fails its own check B03: $.message must be a string, and is no such member".to_owned(), 9),
            ("the example of 400 fails its own check B02: $ must be one JSON object, and is no JSON (8 bytes)".to_owned(), 11),
        ]
    );
    assert_eq!(read("t.toml", &text("ignore")).expect("a contract").lint(), []);
}
