//! The same plan and seed decide the same faults, as often as the plan says.

use http::{HeaderMap, Method};

use brownout::fault::{
    Action, After, BodyMatcher, Decision, Effect, Element, Fault, FaultRule, FaultRules, Ledger, Limiter, Per, Requests, Respond, Rest,
    RuleCount, Sighting, Trigger, Window,
};
use brownout::id::{AttemptNumber, RuleIx, ScenarioIx, StepIx};
use brownout::seed::{Distribution, Seed};
use brownout::throttle::{Algorithm, Allowance};
use brownout::units::{Micros, Offset, Ratio};
use brownout::wire::PathPattern;

/// An attempt, by what decisions depend on.
#[derive(Clone, Copy)]
struct At {
    scenario: u16,
    step: u16,
    arrival: u64,
    ordinal: u64,
    attempt: u32,
    at: Offset,
}

/// The first attempt of the first step of an arrival, in a run with one scenario.
fn arrival(number: u64) -> At {
    At { scenario: 0, step: 0, arrival: number, ordinal: number, attempt: 1, at: Offset::micros(number) }
}

fn seen<'a>(at: At, method: &'a Method, headers: &'a HeaderMap) -> Sighting<'a> {
    Sighting {
        scenario: ScenarioIx(at.scenario),
        step: StepIx(at.step),
        arrival: at.arrival,
        ordinal: at.ordinal,
        overall: at.arrival,
        attempt: AttemptNumber(at.attempt),
        at: at.at,
        method,
        path: "/v1/conversations",
        query: "",
        headers,
        body: None,
        key: 0,
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        now: at.at,
    }
}

/// What the rules decide: the rule and its delay, and a number for the whole decision.
fn decide(rules: &FaultRules, at: At) -> (Option<(u16, Option<Micros>)>, u64) {
    let headers = HeaderMap::new();
    let seen = seen(at, &Method::POST, &headers);
    let decision = rules.decide(&seen, &mut rules.ledger());
    (decision.as_ref().map(|decision| (decision.rule.0, decision.delay)), rules.fingerprint(&seen, decision.as_ref()))
}

/// What became of every rule.
fn counts(rules: &FaultRules, ledger: &Ledger) -> Vec<RuleCount> {
    rules.rules.iter().enumerate().map(|(ix, rule)| ledger.count(RuleIx::from(ix), rule)).collect()
}

fn fires(rules: &FaultRules, at: At) -> bool {
    decide(rules, at).0.is_some()
}

fn rule(name: &str, trigger: Trigger) -> FaultRule {
    FaultRule { trigger, ..FaultRule::new(name, Effect::Fault(Fault::Reset { after: After::Nothing })) }
}

fn of(rules: Vec<FaultRule>) -> FaultRules {
    FaultRules::new(Seed(42), rules)
}

fn share(text: &str) -> Ratio {
    text.parse().expect("a share")
}

#[test]
fn decisions_are_frozen_so_that_a_seed_means_the_same_in_every_version() {
    let mut slow = rule("slow", Trigger::Chance(share("20%")));
    slow.delay = Some(Distribution::Uniform { min: Micros(1_000), max: Micros(2_000) });
    let exact = FaultRule { per: Per::Exchange, ..rule("exact", Trigger::Exactly(share("10%"))) };
    let rules = of(vec![slow, exact]);
    let decided: Vec<(u64, u16, u64)> =
        (0..60).filter_map(|k| decide(&rules, arrival(k)).0.map(|(rule, delay)| (k, rule, delay.map_or(0, |delay| delay.0)))).collect();
    assert_eq!(decided, FROZEN);
    let sum = (0..60).fold(0u64, |sum, k| sum.wrapping_add(decide(&rules, arrival(k)).1));
    assert_eq!(sum, FROZEN_DIGEST);
}
const FROZEN: [(u64, u16, u64); 12] = [
    (1, 1, 0),
    (10, 0, 1889),
    (15, 0, 1951),
    (17, 0, 1090),
    (27, 1, 0),
    (34, 1, 0),
    (36, 0, 1266),
    (38, 0, 1259),
    (39, 0, 1515),
    (44, 1, 0),
    (50, 0, 1235),
    (53, 1, 0),
];
const FROZEN_DIGEST: u64 = 15_446_547_141_590_093_601;

#[test]
fn every_trigger_says_yes_to_what_it_names() {
    let retry = |number, attempt| At { attempt, ..arrival(number) };
    for (trigger, per, at, expected, why) in [
        (Trigger::Always, Per::Attempt, arrival(3), true, "always"),
        (Trigger::Always, Per::Attempt, retry(3, 9), true, "always, retries too"),
        (Trigger::Chance(Ratio::ONE), Per::Attempt, arrival(3), true, "a certain coin"),
        (Trigger::Chance(Ratio::ZERO), Per::Attempt, arrival(3), false, "a coin that never falls"),
        (Trigger::Every(5), Per::Attempt, arrival(3), false, "the 4th arrival is not a 5th"),
        (Trigger::Every(5), Per::Attempt, arrival(4), true, "the 5th is"),
        (Trigger::Every(5), Per::Attempt, arrival(9), true, "the 10th too"),
        (Trigger::Every(5), Per::Attempt, retry(4, 2), false, "per attempt: a retry is not a further arrival"),
        (Trigger::Every(5), Per::Exchange, retry(4, 2), true, "per exchange: all attempts of the 5th"),
        (Trigger::Every(1), Per::Attempt, arrival(0), true, "every single one"),
        (Trigger::Every(0), Per::Attempt, arrival(0), false, "every 0th is none"),
        (Trigger::FirstAttempts(2), Per::Exchange, retry(7, 1), true, "the first of two"),
        (Trigger::FirstAttempts(2), Per::Exchange, retry(7, 2), true, "the second of two"),
        (Trigger::FirstAttempts(2), Per::Exchange, retry(7, 3), false, "the third"),
        (Trigger::Exactly(Ratio::ONE), Per::Exchange, retry(7, 2), true, "all exactly, retries too"),
        (Trigger::Exactly(Ratio::ONE), Per::Attempt, retry(7, 2), false, "all arrivals exactly, but no retry"),
        (Trigger::Exactly(Ratio::ZERO), Per::Exchange, arrival(7), false, "exactly none"),
    ] {
        let rules = of(vec![FaultRule { per, ..rule("r", trigger) }]);
        assert_eq!(fires(&rules, at), expected, "{why}");
    }
}

#[test]
fn a_coin_falls_as_often_as_its_chance() {
    let rules = of(vec![rule("coin", Trigger::Chance(share("30%")))]);
    let n = 20_000;
    let hits = (0..n).filter(|&k| fires(&rules, arrival(k))).count() as f64;
    // Five standard deviations of a binomial count.
    assert!((hits - 0.3 * n as f64).abs() < 5.0 * (0.21 * n as f64).sqrt(), "{hits}");
}

#[test]
fn an_exact_share_is_exact_in_every_scenario_and_step() {
    let rules = of(vec![FaultRule { per: Per::Exchange, ..rule("exact", Trigger::Exactly(share("15%"))) }]);
    for (scenario, step) in [(0, 0), (1, 0), (1, 3)] {
        let hits = |n: u64| {
            // Arrivals of other scenarios lie between: what counts is the number within the scenario.
            (0..n).filter(|&k| fires(&rules, At { scenario, step, arrival: 3 * k + 1, ordinal: k, ..arrival(k) })).count()
        };
        assert_eq!((hits(20), hits(200), hits(2_000)), (3, 30, 300), "scenario {scenario}, step {step}");
    }
}

#[test]
fn an_exact_share_holds_to_within_one_block_at_each_end_of_a_window() {
    let (from, to) = (Offset::micros(1_007), Offset::micros(8_013));
    let mut windowed = FaultRule { per: Per::Exchange, ..rule("exact", Trigger::Exactly(share("10%"))) };
    windowed.windows = vec![Window::between(from, to)];
    let hits = (0..10_000).filter(|&k| fires(&of(vec![windowed.clone()]), arrival(k))).count() as f64;
    assert!((hits - 700.6).abs() <= 2.0, "{hits} of 7 006 arrivals");
}

#[test]
fn a_window_is_open_from_its_start_up_to_its_end() {
    let mut windowed = rule("w", Trigger::Always);
    let window = |start, end| Window::between(Offset::micros(start), Offset::micros(end));
    windowed.windows = vec![window(10, 20), window(30, 40)];
    let rules = of(vec![windowed]);
    let open: Vec<u64> = (0..50).filter(|&k| fires(&rules, arrival(k))).collect();
    assert_eq!(open, (10..20).chain(30..40).collect::<Vec<_>>());
}

#[test]
fn the_unit_of_a_draw_is_disturbed_or_spared_as_one() {
    let decided = |per, at: At| fires(&of(vec![FaultRule { per, ..rule("unit", Trigger::Chance(share("50%"))) }]), at);
    let alike = |per, group: &[At]| group.iter().all(|&at| decided(per, at) == decided(per, group[0]));
    let attempts = |k| (1..=8).map(|attempt| At { attempt, ..arrival(k) }).collect::<Vec<_>>();
    let of_step = |step| (0..64).map(|k| At { step, ..arrival(k) }).collect::<Vec<_>>();
    assert!((0..64).any(|k| !alike(Per::Attempt, &attempts(k))), "attempts are drawn one by one");
    assert!((0..64).all(|k| alike(Per::Exchange, &attempts(k))), "an exchange is drawn once");
    assert!(!alike(Per::Exchange, &of_step(0)), "but every exchange for itself");
    assert!((0..16).all(|step| alike(Per::Route, &of_step(step))), "a route is drawn once");
    assert!((0..16).any(|step| decided(Per::Route, of_step(step)[0]) != decided(Per::Route, of_step(0)[0])), "but every route for itself");
    assert!((0..16).all(|step| alike(Per::Global, &[of_step(step)[0], arrival(9)])), "the run is drawn once");
}

#[test]
fn a_rule_added_before_another_or_moved_changes_no_draw_of_it() {
    let coin = rule("coin", Trigger::Chance(share("30%")));
    let never = rule("never", Trigger::Chance(Ratio::ZERO));
    let (alone, joined) = (of(vec![coin.clone()]), of(vec![never, coin]));
    for k in 0..1_000 {
        assert_eq!(fires(&alone, arrival(k)), fires(&joined, arrival(k)), "{k}");
    }
}

#[test]
fn rules_of_another_name_or_seed_draw_for_themselves() {
    let hits = |name: &str, seed| {
        let rules = FaultRules::new(Seed(seed), vec![rule(name, Trigger::Chance(share("50%")))]);
        (0..256).map(|k| fires(&rules, arrival(k))).collect::<Vec<_>>()
    };
    assert_eq!(hits("a", 1), hits("a", 1));
    assert_ne!(hits("a", 1), hits("b", 1));
    assert_ne!(hits("a", 1), hits("a", 2));
}

#[test]
fn the_order_of_asking_changes_nothing() {
    let rules = of(vec![
        rule("coin", Trigger::Chance(share("20%"))),
        FaultRule { per: Per::Exchange, ..rule("exact", Trigger::Exactly(share("10%"))) },
        rule("seventh", Trigger::Every(7)),
    ]);
    let forwards: Vec<_> = (0..500).map(|k| decide(&rules, arrival(k))).collect();
    let mut backwards: Vec<_> = (0..500).rev().map(|k| decide(&rules, arrival(k))).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
}

#[test]
fn the_first_rule_that_fires_wins_and_those_after_it_are_not_looked_at() {
    let mut elsewhere = rule("elsewhere", Trigger::Always);
    elsewhere.matcher.path = Some(PathPattern::new("/other/**").expect("a pattern"));
    let mut closed = rule("closed", Trigger::Always);
    closed.windows = vec![Window::between(Offset::micros(500), Offset::micros(600))];
    let rules = of(vec![
        elsewhere,
        closed,
        rule("never", Trigger::Chance(Ratio::ZERO)),
        rule("wins", Trigger::Always),
        rule("late", Trigger::Always),
    ]);
    let (headers, mut ledger) = (HeaderMap::new(), rules.ledger());
    let decision = rules.decide(&seen(arrival(1), &Method::POST, &headers), &mut ledger);
    assert_eq!(decision.map(|decision| decision.rule), Some(RuleIx(3)));
    let counts: Vec<(u64, u64)> = counts(&rules, &ledger).iter().map(|count| (count.eligible, count.planned)).collect();
    assert_eq!(counts, [(0, 0), (0, 0), (1, 0), (1, 1), (0, 0)]);
}

#[test]
fn a_sequence_gives_every_attempt_its_element_and_repeats_the_last() {
    let literal = |status| Respond::Literal { status, headers: HeaderMap::new(), body: Vec::new() };
    let word = |decision: Option<Decision<'_>>| match decision.map(|decision| (decision.action, decision.delay)) {
        None => "pass".to_owned(),
        Some((Action::Fault(Fault::Respond(Respond::Literal { status, .. })), _)) => status.to_string(),
        Some((Action::Fault(Fault::Reset { .. }), _)) => "reset".to_owned(),
        Some((Action::Forward, delay)) => format!("delay {}", delay.expect("a delay").0),
        Some(other) => format!("{other:?}"),
    };
    let play = |elements: Vec<Element>| {
        let mut sequence = rule("blip", Trigger::Always);
        sequence.effect = Effect::Sequence(elements);
        let (rules, headers) = (of(vec![sequence, rule("after", Trigger::Always)]), HeaderMap::new());
        (1..=5)
            .map(|attempt| word(rules.decide(&seen(At { attempt, ..arrival(1) }, &Method::GET, &headers), &mut rules.ledger())))
            .collect::<Vec<_>>()
    };
    let pause = Element::Delay(Distribution::Fixed(Micros(7)));
    assert_eq!(
        play(vec![
            Element::Fault(Fault::Respond(literal(503))),
            Element::Fault(Fault::Reset { after: After::Nothing }),
            pause,
            Element::Pass
        ]),
        ["503", "reset", "delay 7", "pass", "pass"],
        "a pass ends the search: the rule after it does not fire"
    );
    assert_eq!(play(vec![Element::Fault(Fault::Respond(literal(503)))]), ["503"; 5]);
    assert_eq!(play(vec![]), ["pass"; 5], "an empty sequence does nothing");
}

#[test]
fn a_sequence_selects_an_exchange_once_whatever_its_unit() {
    let mut sequence = rule("blip", Trigger::Chance(share("50%")));
    sequence.effect = Effect::Sequence(vec![Element::Fault(Fault::Reset { after: After::Nothing })]);
    let rules = of(vec![sequence]);
    for k in 0..64 {
        let attempts: Vec<bool> = (1..=6).map(|attempt| fires(&rules, At { attempt, ..arrival(k) })).collect();
        assert!(attempts.iter().all(|&fired| fired == attempts[0]), "{k}: {attempts:?}");
    }
}

#[test]
fn delays_are_drawn_for_every_attempt_and_do_not_depend_on_the_coin() {
    let mut slow = rule("slow", Trigger::Always);
    slow.delay = Some(Distribution::Uniform { min: Micros(0), max: Micros(1_000_000) });
    let always = of(vec![slow.clone()]);
    let delay = |rules: &FaultRules, at| decide(rules, at).0.and_then(|(_, delay)| delay);
    assert_ne!(delay(&always, arrival(1)), delay(&always, At { attempt: 2, ..arrival(1) }));
    let sometimes = of(vec![FaultRule { trigger: Trigger::Chance(share("50%")), ..slow }]);
    let mean = (0..2_000).filter_map(|k| delay(&sometimes, arrival(k))).map(|delay| delay.0 as f64);
    let (sum, n) = mean.fold((0.0, 0.0), |(sum, n), delay| (sum + delay, n + 1.0));
    // Were the coin's draw used again, only the shorter half of the delays would be seen.
    assert!((sum / n - 500_000.0).abs() < 40_000.0, "{}", sum / n);
    for k in 0..200 {
        let (one, other) = (delay(&always, arrival(k)), delay(&sometimes, arrival(k)));
        assert!(other.is_none() || one == other, "{k}");
    }
}

#[test]
fn fingerprints_tell_decisions_apart() {
    let slow = |us| {
        let mut slow = rule("slow", Trigger::Always);
        slow.delay = Some(Distribution::Fixed(Micros(us)));
        slow
    };
    let cut = FaultRule { effect: Effect::Fault(Fault::Cut { after: After::Headers }), ..rule("cut", Trigger::Always) };
    let mut all: Vec<u64> = [vec![], vec![rule("reset", Trigger::Always)], vec![cut], vec![slow(1)], vec![slow(2)]]
        .into_iter()
        .map(|rules| decide(&of(rules), arrival(1)).1)
        .collect();
    all.extend([decide(&of(vec![]), arrival(2)).1, decide(&of(vec![]), At { step: 1, ..arrival(1) }).1]);
    let total = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), total);
}

/// The numbers of the requests, from 1, for which a rule fires, of so many first attempts in a row.
fn hits_in_a_row(rule: FaultRule, n: u64, of: impl Fn(u64) -> At) -> (Vec<u64>, RuleCount) {
    let rules = self::of(vec![rule]);
    let (headers, mut ledger) = (HeaderMap::new(), rules.ledger());
    let hit = |k: &u64| rules.decide(&seen(of(*k), &Method::GET, &headers), &mut ledger).is_some();
    let hits = (0..n).filter(hit).map(|k| k + 1).collect();
    (hits, counts(&rules, &ledger)[0])
}

#[test]
fn a_window_counts_the_requests_that_match_and_no_others() {
    let mut counted = rule("counted", Trigger::Always);
    counted.windows[0].requests = Some(Requests { from: 10, to: 13 });
    counted.matcher.scenarios = vec![ScenarioIx(1)];
    let (hits, count) = hits_in_a_row(counted, 60, |k| At { scenario: (k % 2) as u16, ..arrival(k) });
    assert_eq!(hits, [22, 24, 26], "of every second request that matches the 11th to the 13th");
    assert_eq!((count.eligible, count.planned), (3, 3));
}

#[test]
fn the_chance_of_a_ramp_grows_over_its_window() {
    let mut ramp = rule("ramp", Trigger::Ramp(Ratio::ZERO, Ratio::ONE));
    ramp.windows = vec![Window::between(Offset::START, Offset::micros(20_000))];
    let (hits, _) = hits_in_a_row(ramp, 20_000, arrival);
    let of_quarter = |q: u64| hits.iter().filter(|&&hit| hit / 5_000 == q).count() as f64 / 5_000.0;
    for (quarter, expected) in [(0, 0.125), (1, 0.375), (2, 0.625), (3, 0.875)] {
        assert!((of_quarter(quarter) - expected).abs() < 0.03, "quarter {quarter}: {}", of_quarter(quarter));
    }
}

#[test]
fn a_delay_goes_in_a_straight_line_from_one_span_to_another() {
    let mut slow = rule("slow", Trigger::Always);
    slow.effect = Effect::DelayOnly;
    slow.delay_ramp = Some((Micros(100), Micros(300)));
    slow.windows = vec![Window::between(Offset::START, Offset::micros(1_000))];
    let rules = of(vec![slow]);
    let delay = |k| decide(&rules, arrival(k)).0.and_then(|(_, delay)| delay).map(|delay| delay.0);
    assert_eq!([0, 250, 500, 999].map(delay), [Some(100), Some(150), Some(200), Some(300)]);
}

#[test]
fn a_sequence_over_more_than_an_exchange_goes_on_with_every_request_that_is_hit() {
    let word = |action: Option<Action<'_>>| match action {
        None => ".",
        Some(Action::Fault(Fault::Cut { .. })) => "c",
        Some(_) => "r",
    };
    let play = |per, rest, requests: &[(u16, u64, u32)]| {
        let elements = vec![
            Element::Fault(Fault::Reset { after: After::Nothing }),
            Element::Pass,
            Element::Fault(Fault::Cut { after: After::Nothing }),
        ];
        let sequence = FaultRule { per, rest, effect: Effect::Sequence(elements), ..rule("s", Trigger::Always) };
        let (rules, headers) = (of(vec![sequence]), HeaderMap::new());
        let mut ledger = rules.ledger();
        let words = requests.iter().map(|&(step, key, attempt)| {
            let at = At { step, attempt, ..arrival(0) };
            let seen = Sighting { key, ..seen(at, &Method::GET, &headers) };
            word(rules.decide(&seen, &mut ledger).map(|decision| decision.action))
        });
        let words: String = words.collect();
        (words, counts(&rules, &ledger)[0].unreached)
    };
    let two_routes = [(0, 1, 1), (0, 2, 1), (1, 1, 1), (1, 2, 1), (0, 1, 1), (0, 2, 1)];
    for (per, rest, expected, why) in [
        (Per::Global, Rest::RepeatLast, ("r.cccc", 0), "over the run, the last repeats"),
        (Per::Global, Rest::Pass, ("r.c...", 0), "over the run, then it passes"),
        (Per::Route, Rest::Pass, ("r.r.c.", 1), "every route has its own; the second is not over"),
        (Per::Key, Rest::Pass, ("rr..cc", 0), "every caller has its own"),
        (Per::Exchange, Rest::Pass, ("rrrrrr", 12), "every first attempt begins anew"),
    ] {
        let (words, unreached) = play(per, rest, &two_routes);
        assert_eq!((words.as_str(), unreached), expected, "{why}");
    }
    let attempts = [(0, 1, 1), (0, 1, 2), (0, 1, 3), (0, 1, 4)];
    assert_eq!(play(Per::Exchange, Rest::RepeatLast, &attempts), ("r.cc".to_owned(), 0));
    assert_eq!(play(Per::Exchange, Rest::Pass, &attempts), ("r.c.".to_owned(), 0));
    assert_eq!(play(Per::Exchange, Rest::Pass, &attempts[..2]), ("r.".to_owned(), 1));
}

#[test]
fn one_attempt_too_many_at_once_passes_and_is_counted() {
    let limited = FaultRule { max_active: Some(2), ..rule("limited", Trigger::Always) };
    let rules = of(vec![limited, rule("after", Trigger::Always)]);
    let (headers, mut ledger) = (HeaderMap::new(), rules.ledger());
    let hit = |ledger: &mut Ledger| rules.decide(&seen(arrival(1), &Method::GET, &headers), ledger).map(|decision| decision.rule.0);
    assert_eq!([hit(&mut ledger), hit(&mut ledger), hit(&mut ledger)], [Some(0), Some(0), None], "no other rule takes its place");
    ledger.ended(RuleIx(0));
    assert_eq!([hit(&mut ledger), hit(&mut ledger)], [Some(0), None]);
    let count = counts(&rules, &ledger)[0];
    assert_eq!((count.eligible, count.planned, count.held_back), (5, 5, 2));
}

#[test]
fn a_draw_by_key_disturbs_or_spares_a_caller_as_one() {
    let rules = of(vec![FaultRule { per: Per::Key, ..rule("unlucky", Trigger::Chance(share("50%"))) }]);
    let headers = HeaderMap::new();
    let fires = |key, k| {
        let seen = Sighting { key, ..seen(arrival(k), &Method::GET, &headers) };
        rules.decide(&seen, &mut rules.ledger()).is_some()
    };
    assert!((1..32).all(|key| (0..20).all(|k| fires(key, k) == fires(key, 0))));
    let unlucky = (1..65).filter(|&key| fires(key, 0)).count();
    assert!((16..49).contains(&unlucky), "{unlucky}");
}

#[test]
fn a_body_is_read_only_where_a_rule_that_may_fire_asks_for_it() {
    let mut by_body = rule("by body", Trigger::Always);
    by_body.matcher.methods = vec![Method::POST];
    by_body.matcher.body = Some(BodyMatcher { contains: b"hit".to_vec(), ..BodyMatcher::default() });
    by_body.windows = vec![Window::between(Offset::START, Offset::micros(10))];
    let rules = of(vec![rule("never", Trigger::Chance(Ratio::ZERO)), by_body]);
    let headers = HeaderMap::new();
    let wants = |method: &Method, k| rules.wants_body(&seen(arrival(k), method, &headers));
    assert!(wants(&Method::POST, 9) && !wants(&Method::POST, 10) && !wants(&Method::GET, 9));
    let fires = |body| {
        let seen = Sighting { body, ..seen(arrival(1), &Method::POST, &headers) };
        rules.decide(&seen, &mut rules.ledger()).is_some()
    };
    assert!(fires(Some(b"a hit".as_slice())) && !fires(Some(b"a miss".as_slice())) && !fires(None));
}

#[test]
fn a_limiter_refuses_whoever_has_spent_it_in_turn_or_by_order() {
    let limiter = Limiter {
        algorithm: Algorithm::TokenBucket,
        allowance: Allowance { limit: 2, window: Micros::from_secs(60) },
        cost: 1,
        key: Vec::new(),
        dialect: None,
        refusal: Respond::Literal { status: 429, headers: HeaderMap::new(), body: Vec::new() },
    };
    let headers = HeaderMap::new();
    let limit = FaultRule::new("limit", Effect::Limiter(Box::new(limiter)));
    let rules = of(vec![limit, rule("after", Trigger::Every(2))]);
    let (mut ledger, seen) = (rules.ledger(), |k| seen(arrival(k), &Method::GET, &headers));
    let mut decided = |ordered, k| {
        let decision = match ordered {
            true => rules.ordered(RuleIx(0), &seen(k), &mut ledger),
            false => rules.decide(&seen(k), &mut ledger),
        };
        (decision.map(|decision| (decision.rule.0, matches!(decision.action, Action::Refuse(..)))), ledger.take_told().is_some())
    };
    assert_eq!(decided(false, 1), (Some((1, false)), true), "let pass, and hit by the rule after it");
    assert_eq!(decided(true, 2), (None, true), "whoever asks for the limiter spends from it");
    assert_eq!(decided(true, 4), (Some((0, true)), false), "and is refused when it is spent");
    assert_eq!(decided(false, 6), (Some((0, true)), false), "as others are");
    assert_eq!(counts(&rules, &ledger)[0].planned, 2);
}

#[test]
fn a_rule_that_was_switched_off_does_nothing_by_order_either() {
    let headers = HeaderMap::new();
    let mut off = rule("off", Trigger::Always);
    off.windows.clear();
    let rules = of(vec![off]);
    assert!(rules.ordered(RuleIx(0), &seen(arrival(1), &Method::GET, &headers), &mut rules.ledger()).is_none());
}
