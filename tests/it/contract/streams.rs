//! Event streams that began as a success, judged event by event (S11, S12, P09), and successes that apologise (S11).

use brownout::contract::stream::StreamJudge;
use brownout::contract::{Contract, Judged, Profile, Terms};
use brownout::severity::Severity;
use brownout::wire::{Ending, Failure, SseRule, StreamFacts};
use serde_json::json;

use crate::support::contract::{Trial, now, read, shipped};

/// The shipped contract, with texts that no success may have.
fn apologetic() -> Contract {
    let text = r#"
name = "t"
[stream]
must_not_match = ["(?i)I'm sorry, something went wrong", "^upstream error"]
[envelope.e.fields]
code = { required = true }
message = { required = true }
[[error]]
status = 500
code = "BROKEN"
"#;
    read("t.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn judged(contract: &Contract, events: &[&str], terminated: bool, ending: Ending) -> Vec<String> {
    let terms = Terms { profile: Profile::Strict, undocumented: Severity::High, secrets: Default::default() };
    let mut judge = StreamJudge::new(contract, &terms);
    events.iter().for_each(|event| judge.event(event.as_bytes()));
    let facts = StreamFacts { events: events.len() as u64, terminated, ..StreamFacts::default() };
    let rule = SseRule { done: Some("[DONE]".to_owned()), max_gap: None };
    let mut judged = Judged::default();
    judge.finish(&rule, &facts, ending, &mut judged);
    judged.violations.into_iter().map(|v| format!("{} {} {}: {}", v.check, v.severity, v.instance_path, v.cause)).collect()
}

#[test]
fn what_the_events_of_a_success_must_not_say_is_found_once() {
    let contract = apologetic();
    let chunk = r#"{"id":"c1","choices":[{"delta":{"content":"the error code is 7"},"finish_reason":null}]}"#;
    let apology = r#"{"choices":[{"delta":{"content":"I'm sorry, something went wrong."}}]}"#;
    let documented = r#"{"code":"BROKEN","message":"out of memory"}"#;
    let object = r#" {"error":{"message":"overloaded","type":"server_error"}}"#;
    let ok = Ending::Answered(200);
    let s11 = "S11 high event: (?i)I'm sorry, something went wrong";
    for (events, expected) in [
        (vec![chunk, chunk, "plain text", "", r#"{"error":null}"#, r#"{"code":"BROKEN"}"#], vec![]),
        (vec![chunk, apology, apology], vec![s11]),
        (vec![chunk, documented, documented], vec!["S12 high event: an error of the contract"]),
        (vec![chunk, object], vec!["S12 high event: an error object"]),
        (vec!["upstream error: 503", "it says: upstream error"], vec!["S11 high event: ^upstream error"]),
        (vec![apology, object], vec![s11, "S12 high event: an error object"]),
    ] {
        assert_eq!(judged(&contract, &events, true, ok), expected, "{events:?}");
    }
}

#[test]
fn a_stream_without_its_terminator_is_unterminated_only_where_it_ended_in_order() {
    let contract = shipped();
    assert_eq!(judged(&contract, &["a"], false, Ending::Answered(200)), ["P09 high stream: no terminator"]);
    assert_eq!(judged(&contract, &["a"], true, Ending::Answered(200)), [""; 0]);
    let cut = Ending::Failed(Failure::BodyCutShort { received: 1, reset: true });
    assert_eq!(judged(&contract, &["a"], false, cut), [""; 0], "that is P03");
}

#[test]
fn a_success_body_that_apologises_is_found_and_an_error_may_apologise() {
    let contract = apologetic();
    let of = |status: u16, body: &str| Trial::of(&contract, "BROKEN", &now()).status(status).body(body.as_bytes()).found();
    let apology = r#"{"answer":"i'm sorry, something went wrong"}"#;
    assert_eq!(of(200, apology), ["S11 high body: (?i)I'm sorry, something went wrong"]);
    assert_eq!(of(200, r#"{"answer":"sorry to hear that"}"#), [""; 0]);
    let error = Trial::of(&contract, "BROKEN", &now()).member("message", Some(json!("I'm sorry, something went wrong")));
    assert_eq!(error.found(), [""; 0]);
}

#[test]
fn events_in_order_take_no_allocation_however_many_there_are() {
    let contract = apologetic();
    let terms = Terms { profile: Profile::Strict, undocumented: Severity::High, secrets: Default::default() };
    let mut judge = StreamJudge::new(&contract, &terms);
    let chunk = br#"{"id":"c1","choices":[{"delta":{"content":"the error code is 7"},"finish_reason":null}]}"#;
    // The first event makes the regular expressions' caches.
    judge.event(chunk);
    let taken = allocation_counter::measure(|| (0..1_000).for_each(|_| judge.event(chunk)));
    assert_eq!(taken.count_total, 0);
}
