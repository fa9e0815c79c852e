//! A preset breaks what it says, and nothing else; what is named wrongly is refused before anything is served.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;

use brownout::clock::Clock;
use brownout::contract::Profile;
use brownout::plan::Limits;
use brownout::seed::Seed;
use brownout::target::{TargetSettings, presets, start};

use crate::support::contract::shipped;
use crate::support::served::{Served, Wish};

const USER: &str = "user-token";

/// Everything that is wrong with a walk through the server's errors, as (profile, place) pairs.
fn walk(preset: &str) -> BTreeSet<(Profile, String)> {
    let mut served = Served::new(shipped(), &Wish { preset, limits: Limits::Documented, ..Wish::STRICT });
    let mut wrong = BTreeSet::new();
    let bulk = ("POST", "/v1/conversations/bulk-delete", r#"{"ids":["x"]}"#);
    let requests = [
        ("GET", "/v1/conversations", ""),
        ("POST", "/v1/conversations", "{}"),
        ("GET", "/v1/conversations/none", ""),
        ("POST", "/v1/responses", r#"{"model":"fail-generation","input":"x"}"#),
        ("POST", "/v1/responses", r#"{"model":"over-quota","input":"x"}"#),
        ("POST", "/v1/chat/completions", r#"{"model":"upstream-down","messages":[{"role":"user","content":"x"}]}"#),
    ];
    let mut statuses = Vec::new();
    for (method, path, body) in requests.into_iter().chain([bulk; 6]) {
        let answer = served.ask(method, path, USER, body);
        statuses.push(answer.status);
        for profile in [Profile::Core, Profile::Strict, Profile::Companion] {
            wrong.extend(served.violations(method, path, &answer, profile).into_iter().map(|violation| (profile, violation.instance_path)));
        }
    }
    assert_eq!(statuses, [200, 400, 404, 500, 429, 503, 200, 200, 200, 200, 200, 429]);
    wrong
}

#[test]
fn strict_conforms_under_every_profile() {
    assert_eq!(walk("strict"), BTreeSet::new());
}

#[test]
fn broken_reset_is_strict_but_for_that_header() {
    let wrong = walk("broken-reset");
    let places: BTreeSet<&str> = wrong
        .iter()
        .map(|(_, place)| place.to_ascii_lowercase())
        .map(|place| if place == "header:x-ratelimit-reset" { "reset" } else { "other" })
        .collect();
    assert_eq!(places, BTreeSet::from(["reset"]), "{wrong:?}");
    let profiles: BTreeSet<Profile> = wrong.into_iter().map(|(profile, _)| profile).collect();
    assert_eq!(profiles, BTreeSet::from([Profile::Core, Profile::Strict, Profile::Companion]), "an answer may not contradict itself");
}

#[test]
fn silent_limits_say_nothing_of_when_to_come_back() {
    let wrong = walk("silent-limits");
    assert!(!wrong.is_empty() && wrong.iter().all(|(_, place)| place.eq_ignore_ascii_case("header:retry-after")), "{wrong:?}");
}

#[test]
fn presets_are_named_and_an_unknown_one_is_refused() {
    let contract = Arc::new(shipped());
    assert_eq!(presets(&contract)[..3], ["strict", "broken-reset", "silent-limits"]);
    let mut bare = shipped();
    bare.server = None;
    assert!(presets(&bare).is_empty());
    let refused = |contract: Arc<brownout::contract::Contract>, preset: &str| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let settings = TargetSettings { contract, preset: preset.to_owned(), limits: Limits::Off, seed: Seed(1), clock: Clock::new() };
        start(listener, settings).expect_err("it is refused").to_string()
    };
    assert_eq!(refused(contract, "strikt"), "the server of `Jan Server API errors` has no preset `strikt`");
    assert_eq!(refused(Arc::new(bare), "strict"), "the contract `Jan Server API errors` has no [server] part");
}
