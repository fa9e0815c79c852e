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
fn a_content_coding_is_a_remark_unless_the_bytes_are_not_in_it() {
    let contract = shop();
    let found = |bytes: &str| {
        let text = format!("#### gzip\nGET /v1/orders/o1\n\n++++\n404\n…\nContent-Encoding: gzip\n\n⟨{bytes}⟩\n");
        let sections = sections(&text);
        let sample: &Sample = &sections[0].answers[0];
        let found = sample.violations(&contract, &sections[0].request, Profile::Companion);
        found.iter().map(|one| format!("{} {}: {}", one.check, one.severity, one.cause)).collect::<Vec<_>>()
    };
    let whole = "1f 8b 08 00 00 00 00 00 00 ff 01 02 00 fd ff 7b 7d 43 bf a6 a3 02 00 00 00";
    assert_eq!(found(whole), ["B02 info: encoded: not judged"]);
    assert_eq!(found(&whole[..whole.len() - 6]), ["B02 high: gzip that ends too soon"]);
    assert_eq!(found(&whole.replace("7b 7d", "7b 7e")), ["B02 high: gzip that is spoiled"]);
    assert_eq!(found("7b 7d"), ["B02 high: no gzip"]);
}
