//! What conforms in an unusual way raises nothing: a check that cries wolf is switched off.

use brownout::contract::{Contract, Profile};

use crate::support::contract::read;
use crate::support::raw::{Sample, Section, sections};

fn shop() -> Contract {
    read("shop.toml", include_str!("answers/shop.toml")).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn answers_that_conform_in_an_unusual_way_raise_nothing_in_any_profile() {
    let contract = shop();
    let mut wrong = Vec::new();
    for Section { name, request, answers } in sections(include_str!("answers/unusual.http")) {
        assert!(!answers.is_empty(), "{name}");
        for sample in answers {
            for profile in [Profile::Core, Profile::Strict, Profile::Companion] {
                let found = sample.violations(&contract, &request, profile);
                wrong.extend(found.iter().map(|one| format!("line {} ({name}, {profile:?}): {one:?}", sample.line)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_content_coding_is_a_remark_at_most() {
    let contract = shop();
    let text = "#### gzip\nGET /v1/orders/o1\n\n++++\n404\n…\nContent-Encoding: gzip\n\n⟨1f 8b 08 00 00 00 00 00⟩\n";
    let sections = sections(text);
    let sample: &Sample = &sections[0].answers[0];
    let found = sample.violations(&contract, &sections[0].request, Profile::Companion);
    let found: Vec<String> = found.iter().map(|one| format!("{} {}: {}", one.check, one.severity, one.cause)).collect();
    assert_eq!(found, ["B02 info: encoded: not judged"]);
}
