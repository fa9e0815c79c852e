//! Policies wait as long as they say: policies as plans write them, carried through whole exchanges without a clock.

use std::path::Path;

use brownout::id::AttemptNumber;
use brownout::plan::source::SourceText;
use brownout::plan::{LoadOptions, Plan};
use brownout::retry::{Budget, Decision, RetryPolicy, Situation, StopReason};
use brownout::seed::Seed;
use brownout::units::{Micros, Offset};
use brownout::wire::{Ending, Failure, RetryAfter};
use http::Method;

/// The policy `p` of a plan with these keys.
fn policy(keys: &str) -> RetryPolicy {
    let text = format!(
        "plan = 1\nname = \"t\"\nseed = 1\n[target]\nurl = \"http://127.0.0.1:9\"\n[[scenario]]\nname = \"s\"\nretry = \"p\"\n\
         [[scenario.step]]\nrequest = \"GET /\"\n[load]\n[[load.stage]]\nname = \"a\"\nfor = \"1s\"\nrate = \"1/s\"\n[retry.p]\n{keys}\n"
    );
    match Plan::from_source(&SourceText::new("t.toml", text), Path::new("."), &LoadOptions::default()) {
        Ok(plan) => plan.policies.into_iter().next().expect("one policy"),
        Err(problems) => panic!("{}", problems.render(false)),
    }
}

/// One exchange whose attempts all end like this: the waits in milliseconds, and why it stopped.
fn carry_through(policy: &RetryPolicy, arrival: u64, ending: Ending, hint: Option<RetryAfter>) -> (Vec<u64>, StopReason) {
    let (mut waits, mut previous_wait) = (Vec::new(), None);
    for number in 1.. {
        let situation = Situation {
            attempt: AttemptNumber(number),
            ending,
            method: &Method::GET,
            has_idempotency_key: false,
            hint,
            now_unix_us: 0,
            previous_wait,
            draw: Seed(9).draw("jitter").with(arrival).with(u64::from(number)),
        };
        match policy.after(&situation) {
            Decision::Wait(wait) => {
                waits.push(wait.as_millis());
                previous_wait = Some(wait);
            }
            Decision::Stop(reason) => return (waits, reason),
        }
    }
    unreachable!("a policy stops")
}

const REFUSED: Ending = Ending::Answered(503);

#[test]
fn waits_of_a_plan_are_those_it_wrote() {
    for (keys, waits) in [
        (
            "attempts = 5\non = [503]\nbackoff = { exponential = { base = \"250ms\", factor = 2.0, cap = \"1s\" } }",
            vec![250, 500, 1_000, 1_000],
        ),
        ("attempts = 4\non = [\"5xx\"]\nbackoff = { linear = { base = \"100ms\", step = \"50ms\" } }", vec![100, 150, 200]),
        ("attempts = 3\non = [503]\nbackoff = { constant = \"70ms\" }", vec![70, 70]),
        ("attempts = 1\non = [503]\nbackoff = { constant = \"70ms\" }", vec![]),
    ] {
        assert_eq!(carry_through(&policy(keys), 0, REFUSED, None), (waits, StopReason::AttemptsUsedUp), "{keys}");
    }
}

#[test]
fn jitter_keeps_clients_apart_and_within_the_permitted_waits() {
    for jitter in ["full", "equal", "decorrelated"] {
        let keys = format!(
            "attempts = 4\non = [503]\nbackoff = {{ exponential = {{ base = \"100ms\", factor = 2.0, cap = \"2s\" }}, jitter = \"{jitter}\" }}"
        );
        let policy = policy(&keys);
        let all: Vec<Vec<u64>> = (0..200).map(|arrival| carry_through(&policy, arrival, REFUSED, None).0).collect();
        for retry in 0..3 {
            let mut waits: Vec<u64> = all.iter().map(|waits| waits[retry]).collect();
            let range = policy.permitted_wait(AttemptNumber(retry as u32 + 1));
            assert!(waits.iter().all(|wait| (range.start().as_millis()..=range.end().as_millis()).contains(wait)), "{jitter} {range:?}");
            waits.sort_unstable();
            waits.dedup();
            assert!(waits.len() > 30, "{jitter}: retry {retry} of 200 clients comes at only {} moments", waits.len());
        }
        assert_eq!(all[7], carry_through(&policy, 7, REFUSED, None).0, "the same client waits the same again");
    }
}

#[test]
fn a_server_that_asks_for_time_is_given_it() {
    let keys = "attempts = 3\non = [429, \"connect\"]\nbackoff = { constant = \"70ms\" }\nretry_after = \"honour\"";
    let hint = Some(RetryAfter::Delay(Micros::from_secs(2)));
    assert_eq!(carry_through(&policy(keys), 0, Ending::Answered(429), hint).0, [2_000, 2_000]);
    assert_eq!(carry_through(&policy(keys), 0, Ending::Failed(Failure::Refused), None).0, [70, 70]);
    assert_eq!(carry_through(&policy(keys), 0, Ending::Answered(503), hint), (vec![], StopReason::NotRetryable));
}

#[test]
fn a_budget_keeps_a_total_outage_from_multiplying_the_load() {
    let keys = "attempts = 4\non = [503]\nbackoff = { constant = \"70ms\" }\nbudget = { ratio = \"20%\", min_per_second = 1 }";
    let policy = policy(keys);
    let mut budget = Budget::new(policy.budget.expect("a budget"), 1);
    let (mut attempts, exchanges) = (0u64, 6_000u64);
    for k in 0..exchanges {
        // A hundred exchanges a second, for a minute.
        let now = Offset(Micros::from_millis(k * 10));
        budget.earn(now);
        let (retries, _) = carry_through(&policy, k, REFUSED, None);
        attempts += 1 + retries.iter().take_while(|_| budget.spend(now)).count() as u64;
    }
    let amplification = attempts as f64 / exchanges as f64;
    // 20 % of the first attempts and one a second; four attempts each would be fourfold.
    assert!((1.18..1.22).contains(&amplification), "{amplification}");
}
