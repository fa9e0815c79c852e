//! Every check that needs one answer, or the answer to a probe, has answers that pass it and answers that fail it alone.

use std::collections::BTreeSet;

use brownout::contract::catalogue::{ALL, Kind, find};
use brownout::contract::{Contract, Profile};

use crate::support::contract::read;
use crate::support::raw::{Section, sections};

const ANSWERS: &str = include_str!("../../../src/contract/catalogue/answers.http");

fn shop() -> Contract {
    read("shop.toml", include_str!("answers/shop.toml")).unwrap_or_else(|problems| panic!("{problems}"))
}

fn table() -> Vec<Section> {
    sections(ANSWERS)
}

#[test]
fn every_check_passes_what_conforms_and_finds_what_does_not_and_nothing_else() {
    let contract = shop();
    let mut wrong = Vec::new();
    for section in table() {
        for sample in &section.answers {
            let found = sample.violations(&contract, &section.request, Profile::Companion);
            let found: Vec<String> = found.iter().map(|one| format!("{} {}: {}", one.check, one.severity, one.cause)).collect();
            let expected = if sample.expected.is_empty() { String::new() } else { format!("{} {}", section.name, sample.expected) };
            if found.join(" | ") != expected {
                wrong.push(format!("line {}: expected `{expected}`, found `{}`", sample.line, found.join(" | ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_check_of_an_answer_or_a_probe_is_without_answers_of_both_kinds() {
    let table = table();
    for check in ALL.iter().filter(|check| matches!(check.kind, Kind::OneAnswer | Kind::Probe)) {
        let section = table.iter().find(|section| section.name == check.id).unwrap_or_else(|| panic!("{} has no answers", check.id));
        let conforming = section.answers.iter().filter(|sample| sample.expected.is_empty()).count();
        assert!(conforming > 0 && conforming < section.answers.len(), "{}", check.id);
    }
    let names: BTreeSet<&str> = table.iter().map(|section| section.name.as_str()).collect();
    assert_eq!(names.len(), table.len(), "a check has its answers in one place");
    assert!(names.iter().all(|name| find(name).is_some()), "{names:?}");
}

#[test]
fn what_is_in_order_is_so_in_every_profile() {
    let contract = shop();
    for section in table() {
        for sample in section.answers.iter().filter(|sample| sample.expected.is_empty()) {
            for profile in [Profile::Core, Profile::Strict] {
                assert_eq!(sample.violations(&contract, &section.request, profile), [], "line {}", sample.line);
            }
        }
    }
}
