//! Each effect, as the client meets it.

use std::time::{Duration, Instant};

use http::HeaderMap;

use super::rig::{Broken, Rig, get, held, identity, rule, wait_until};
use crate::support::contract::shipped;
use crate::support::upstream::{Act, Upstream, answer};
use brownout::fault::{After, Effect, Element, Fault, FaultRule, Respond, RetryAfterForm, Trigger, Window};
use brownout::id::{RowIx, RuleIx};
use brownout::seed::Distribution;
use brownout::units::{Micros, Offset, Ratio, Size};

fn literal(status: u16) -> Respond {
    let mut headers = HeaderMap::new();
    headers.insert("x-odd", "1".parse().expect("a value"));
    Respond::Literal { status, headers, body: b"not today".to_vec() }
}

fn responding(name: &str, status: u16) -> FaultRule {
    rule(name, Effect::Fault(Fault::Respond(literal(status))))
}

fn row(code: &str) -> RowIx {
    shipped().row_named(code, None).expect("a documented code")
}

#[test]
fn a_literal_answer_is_the_proxys_own_and_the_target_sees_nothing() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![responding("teapot", 418)]);
    let answer = rig.ask(&get(5, 2));
    assert_eq!(answer.head, "HTTP/1.1 418 I'm a teapot\r\nx-odd: 1\r\nx-brownout-injected: teapot;attempt=2\r\ncontent-length: 9");
    assert_eq!(answer.body, b"not today");
    let note = rig.noted(5, 2).expect("it was seen");
    assert_eq!((note.rule, note.forwarded, note.failure), (Some(RuleIx(0)), false, None));
    assert_eq!(upstream.connections(), 0);
    let tally = rig.stop();
    assert_eq!((tally.seen, tally.forwarded), (1, 0));
    assert_eq!((tally.rules[0].eligible, tally.rules[0].planned, tally.rules[0].fired), (1, 1, 1));
}

#[test]
fn a_connection_lives_on_after_an_answer_of_ours_even_to_an_upload() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let mut only_posts = responding("busy", 503);
    only_posts.matcher.methods = vec![http::Method::POST];
    let rig = Rig::new(upstream.address(), vec![only_posts]);
    let mut client = rig.connect();
    let body = "x".repeat(500_000);
    for arrival in 0..3 {
        let upload = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{}\r\n{body}", body.len(), identity(arrival, 1));
        assert_eq!(client.ask(&upload).status(), 503);
        assert_eq!(client.ask(&get(arrival, 1)).status(), 200);
    }
}

#[test]
fn a_documented_error_conforms_to_its_contract() {
    let effect = |form| {
        Effect::Fault(Fault::Respond(Respond::Error {
            row: row("RATE_LIMIT_EXCEEDED"),
            retry_after: Some(Micros(1_500_000)),
            retry_after_form: form,
        }))
    };
    let mut dated = rule("dated", effect(RetryAfterForm::Date));
    dated.matcher.methods = vec![http::Method::HEAD];
    let rig =
        Rig::with("127.0.0.1:9".parse().expect("an address"), vec![dated, rule("quota", effect(RetryAfterForm::Seconds))], |settings| {
            settings.contract = held(shipped());
        });
    let first = rig.ask(&get(1, 1));
    assert_eq!(first.status(), 429);
    assert_eq!(first.header("retry-after"), Some("2"), "rounded up: a client that obeys must not be early");
    assert!(String::from_utf8_lossy(&first.body).contains("RATE_LIMIT_EXCEEDED"));
    assert!(first.header("date").is_some());
    let dated = rig.ask(&get(3, 1).replacen("GET", "HEAD", 1));
    assert!(httpdate::parse_http_date(dated.header("retry-after").expect("a hint")).is_ok(), "{dated:?}");
    let tally = rig.stop();
    assert_eq!(tally.infidelities, [], "what we inject is held to the contract, strictly");
    assert_eq!(tally.rules[1].fired, 1);
}

#[test]
fn every_documented_error_conforms_when_it_is_injected() {
    let contract = shipped();
    let rules = (0..contract.rows.len()).map(|row| {
        let respond = Respond::Error { row: RowIx::from(row), retry_after: None, retry_after_form: RetryAfterForm::Seconds };
        let mut rule = rule(&contract.rows[row].code, Effect::Fault(Fault::Respond(respond)));
        rule.matcher.headers = vec![(http::HeaderName::from_static("x-row"), row.to_string())];
        rule
    });
    let rules: Vec<FaultRule> = rules.collect();
    let rig = Rig::with("127.0.0.1:9".parse().expect("an address"), rules, |settings| settings.contract = held(shipped()));
    let mut client = rig.connect();
    for (number, row) in contract.rows.iter().enumerate() {
        let path = row.service.map_or("/v1/anything".to_owned(), |service| {
            contract.services[service.at()].paths[0].as_str().replace("**", "").replace('*', "x")
        });
        let head = |attempt| {
            format!("POST {path} HTTP/1.1\r\nHost: h\r\nx-row: {number}\r\nContent-Length: 0\r\n{}\r\n", identity(number as u64, attempt))
        };
        let answer = client.ask(&head(1));
        assert_eq!(answer.status(), row.status, "{}", row.code);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(row.status == 304 || text.contains(&row.code), "{}: {text}", row.code);
        let again = client.ask(&head(2));
        let unique = text.contains("request_id");
        assert!(!unique || again.body != answer.body, "{}: every answer has a request id of its own", row.code);
    }
    assert_eq!(rig.stop().infidelities, []);
}

#[test]
fn a_documented_error_without_a_contract_does_not_fire() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let respond = Respond::Error { row: RowIx(0), retry_after: None, retry_after_form: RetryAfterForm::Seconds };
    let rig = Rig::new(upstream.address(), vec![rule("quota", Effect::Fault(Fault::Respond(respond)))]);
    let answer = rig.ask(&get(1, 1));
    assert_eq!((answer.status(), answer.header("x-brownout-injected")), (200, None));
    assert_eq!(rig.noted(1, 1).map(|note| (note.rule, note.forwarded)), Some((None, true)));
    assert_eq!(rig.stop().rules[0].fired, 0);
}

#[test]
fn a_stealthy_proxy_tells_the_board_and_not_the_client() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let mut delayed = rule("slow", Effect::DelayOnly);
    delayed.delay = Some(Distribution::Fixed(Micros(10)));
    delayed.matcher.methods = vec![http::Method::HEAD];
    let rig = Rig::with(upstream.address(), vec![delayed, responding("busy", 503)], |settings| settings.stealth = true);
    assert_eq!(rig.ask(&get(1, 1)).header("x-brownout-injected"), None);
    assert_eq!(rig.ask(&get(2, 1).replacen("GET", "HEAD", 1)).header("x-brownout-injected"), None);
    assert_eq!(rig.noted(1, 1).and_then(|note| note.rule), Some(RuleIx(1)));
    assert_eq!(rig.noted(2, 1).and_then(|note| note.rule), Some(RuleIx(0)));
}

#[test]
fn a_rules_name_that_is_no_header_value_is_shown_as_far_as_it_can_be() {
    let rig = Rig::new("127.0.0.1:9".parse().expect("an address"), vec![responding("zu viel\nübermut", 503)]);
    assert_eq!(rig.ask(&get(1, 1)).header("x-brownout-injected"), Some("zu viel__bermut;attempt=1"));
}

#[test]
fn a_delayed_request_arrives_late_and_its_answer_says_so() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let mut slow = rule("slow", Effect::DelayOnly);
    slow.delay = Some(Distribution::Fixed(Micros::from_millis(80)));
    let rig = Rig::new(upstream.address(), vec![slow]);
    let mut client = rig.connect();
    for arrival in 0..3 {
        let before = Instant::now();
        let answer = client.ask(&get(arrival, 1));
        let took = before.elapsed();
        assert_eq!((answer.status(), answer.header("x-brownout-injected")), (200, Some("slow;attempt=1")));
        assert!((80..400).contains(&took.as_millis()), "exact downwards, generous upwards: {took:?}");
    }
    let note = rig.noted(1, 1).expect("it was seen");
    assert_eq!((note.rule, note.forwarded), (Some(RuleIx(0)), true));
    assert_eq!(rig.stop().rules[0].fired, 3);
}

#[test]
fn a_client_that_gives_up_during_a_delay_is_not_passed_on() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let mut slow = rule("slow", Effect::DelayOnly);
    slow.delay = Some(Distribution::Fixed(Micros::from_millis(150)));
    let rig = Rig::new(upstream.address(), vec![slow]);
    let mut client = rig.connect();
    std::io::Write::write_all(&mut client.socket, get(1, 1).as_bytes()).expect("a socket");
    wait_until("the attempt is seen", || rig.noted(1, 1).is_some());
    drop(client);
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(rig.noted(1, 1).map(|note| (note.rule, note.forwarded)), Some((Some(RuleIx(0)), false)));
    let tally = rig.stop();
    assert_eq!((tally.forwarded, tally.rules[0].planned, tally.rules[0].fired), (0, 1, 0));
}

#[test]
fn a_reset_before_the_request_is_forwarded_is_a_reset() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let rig = Rig::new(upstream.address(), vec![rule("gone", Effect::Fault(Fault::Reset { after: After::Nothing }))]);
    for arrival in 0..20 {
        let answer = rig.ask(&get(arrival, 1));
        assert_eq!((answer.head.as_str(), answer.broken), ("", Some(Broken::Reset)));
        assert_eq!(rig.noted(arrival as u32, 1).map(|note| (note.rule, note.forwarded)), Some((Some(RuleIx(0)), false)));
    }
    assert_eq!(upstream.connections(), 0);
    assert_eq!(rig.stop().rules[0].fired, 20);
}

#[test]
fn a_body_ends_after_so_many_bytes_by_reset_or_by_close() {
    let sized = format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{}", "x".repeat(100_000));
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n{}\r\n0\r\n\r\n", "x".repeat(100_000));
    for (target, framing) in [(&sized, "a length"), (&chunked, "chunks")] {
        let upstream = Upstream::always(Act::write(target));
        for after in [1, 2_048, 60_000, 99_999] {
            for (effect, broken) in [
                (Effect::Fault(Fault::Reset { after: After::Bytes(Size(after)) }), Broken::Reset),
                (Effect::Fault(Fault::Cut { after: After::Bytes(Size(after)) }), Broken::Closed),
            ] {
                let rig = Rig::new(upstream.address(), vec![rule("broken", effect)]);
                for arrival in 0..5 {
                    let answer = rig.ask(&get(arrival, 1));
                    assert_eq!((answer.status(), answer.body.len() as u64), (200, after), "{framing}, {broken:?} after {after}");
                    assert_eq!(answer.broken.as_ref(), Some(&broken), "{framing}, {broken:?} after {after}");
                    assert_eq!(answer.header("x-brownout-injected"), Some("broken;attempt=1"));
                    let length = answer.header("content-length");
                    assert!(framing != "a length" || length == Some("100000"), "the declared length is kept: {length:?}");
                    let note = rig.noted(arrival as u32, 1).expect("it was seen");
                    assert_eq!((note.rule, note.forwarded, note.failure), (Some(RuleIx(0)), true, None));
                }
                assert_eq!(rig.stop().rules[0].fired, 5);
            }
        }
    }
}

#[test]
fn a_cut_after_nothing_shows_the_head_alone() {
    let upstream = Upstream::always(answer("200 OK", "hello"));
    let rig = Rig::new(upstream.address(), vec![rule("cut", Effect::Fault(Fault::Cut { after: After::Headers }))]);
    let answer = rig.ask(&get(1, 1));
    assert_eq!((answer.status(), answer.body.len(), answer.broken), (200, 0, Some(Broken::Closed)));
}

#[test]
fn a_large_body_loses_nothing_of_what_passes_before_a_reset() {
    let body = "x".repeat(4_000_000);
    let upstream = Upstream::always(answer("200 OK", &body));
    let rig = Rig::new(upstream.address(), vec![rule("reset", Effect::Fault(Fault::Reset { after: After::Bytes(Size(3_000_000)) }))]);
    for pause in [0, 300] {
        let mut client = rig.connect();
        std::io::Write::write_all(&mut client.socket, get(1, 1).as_bytes()).expect("a socket");
        std::thread::sleep(Duration::from_millis(pause));
        let answer = client.read(false);
        assert_eq!((answer.body.len(), answer.broken), (3_000_000, Some(Broken::Reset)), "read after {pause} ms");
    }
}

#[test]
fn a_complete_answer_is_not_cut() {
    let upstream = Upstream::always(answer("200 OK", "hello"));
    for after in [5, 6, 1_000] {
        let rig = Rig::new(upstream.address(), vec![rule("cut", Effect::Fault(Fault::Cut { after: After::Bytes(Size(after)) }))]);
        let answer = rig.ask(&get(1, 1));
        assert_eq!((answer.body.as_slice(), answer.broken, answer.head.contains("injected")), (&b"hello"[..], None, false));
        assert_eq!(rig.noted(1, 1).map(|note| (note.rule, note.forwarded)), Some((None, true)), "it was not touched after all");
        let tally = rig.stop();
        assert_eq!((tally.rules[0].planned, tally.rules[0].fired), (1, 0), "{after}");
    }
}

#[test]
fn a_body_of_unknown_length_that_is_too_short_is_cut_before_its_end() {
    let upstream = Upstream::always(Act::write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
    let rig = Rig::new(upstream.address(), vec![rule("cut", Effect::Fault(Fault::Cut { after: After::Bytes(Size(1_000)) }))]);
    let answer = rig.ask(&get(1, 1));
    assert_eq!((answer.body.as_slice(), answer.broken), (&b"hello"[..], Some(Broken::Closed)));
    assert_eq!(rig.stop().rules[0].fired, 1);
}

#[test]
fn a_cut_upload_is_a_cut_and_not_a_reset() {
    let upstream = Upstream::play(vec![vec![Act::ReadHead, answer("200 OK", &"x".repeat(1_000)), Act::WaitForClose]]);
    let rig = Rig::new(upstream.address(), vec![rule("cut", Effect::Fault(Fault::Cut { after: After::Bytes(Size(10)) }))]);
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n{}\r\n", identity(1, 1));
    let answer = rig.ask(&format!("{head}{}", "x".repeat(200_000)));
    assert_eq!((answer.body.len(), answer.broken), (10, Some(Broken::Closed)));
}

#[test]
fn the_first_rule_that_fires_wins() {
    let never = FaultRule { trigger: Trigger::Chance(Ratio::ZERO), ..responding("never", 500) };
    let rules = vec![never, responding("first", 502), responding("second", 503)];
    let rig = Rig::new("127.0.0.1:9".parse().expect("an address"), rules);
    let answer = rig.ask(&get(1, 1));
    assert_eq!((answer.status(), answer.header("x-brownout-injected")), (502, Some("first;attempt=1")));
    let tally = rig.stop();
    let counts: Vec<_> = tally.rules.iter().map(|rule| (rule.eligible, rule.planned, rule.fired)).collect();
    assert_eq!(counts, [(1, 0, 0), (1, 1, 1), (0, 0, 0)]);
}

#[test]
fn a_sequence_goes_on_from_attempt_to_attempt() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let elements = vec![
        Element::Fault(Fault::Respond(literal(503))),
        Element::Fault(Fault::Reset { after: After::Nothing }),
        Element::Delay(Distribution::Fixed(Micros::from_millis(30))),
        Element::Pass,
    ];
    let rig = Rig::new(upstream.address(), vec![rule("blip", Effect::Sequence(elements))]);
    let seen: Vec<_> = (1..=5).map(|attempt| rig.ask(&get(3, attempt))).collect();
    assert_eq!(seen.iter().map(|answer| answer.status()).collect::<Vec<_>>(), [503, 0, 200, 200, 200]);
    assert_eq!(seen[1].broken, Some(Broken::Reset));
    let told: Vec<_> = seen.iter().map(|answer| answer.header("x-brownout-injected")).collect();
    assert_eq!(told, [Some("blip;attempt=1"), None, Some("blip;attempt=3"), None, None]);
    assert_eq!(rig.stop().rules[0].fired, 3);
}

#[test]
fn first_attempts_look_at_the_schedule_and_retries_at_the_clock() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    // The schedule of these requests says 1 µs; the clock is far beyond that.
    let mut early = responding("early", 503);
    early.windows = vec![Window::between(Offset::START, Offset::micros(2))];
    let mut late = responding("late", 504);
    late.windows = vec![Window::between(Offset::micros(2), Offset(Micros::HOUR))];
    let rig = Rig::new(upstream.address(), vec![early, late]);
    assert_eq!(rig.ask(&get(1, 1)).status(), 503);
    assert_eq!(rig.ask(&get(1, 2)).status(), 504);
}

#[test]
fn the_same_exchanges_meet_the_same_faults_whatever_their_order() {
    let upstream = Upstream::always(answer("200 OK", "ok"));
    let share = |text: &str| text.parse::<Ratio>().expect("a share");
    let rules = || {
        vec![
            FaultRule { trigger: Trigger::Chance(share("20%")), ..responding("coin", 503) },
            FaultRule { trigger: Trigger::Exactly(share("10%")), per: brownout::fault::Per::Exchange, ..responding("exact", 429) },
            FaultRule { trigger: Trigger::Every(7), ..rule("seventh", Effect::Fault(Fault::Reset { after: After::Nothing })) },
        ]
    };
    let outcome = |threads: u64| {
        let rig = Rig::new(upstream.address(), rules());
        let addr = rig.addr;
        let mut outcomes: Vec<(u64, u16, u16)> = std::thread::scope(|scope| {
            let work = |thread: u64| {
                move || {
                    let mine = (0..500u64).map(|k| (k * 7 + 3) % 500).filter(|k| k % threads == thread);
                    let ask = |k, attempt| super::rig::Client::connect(addr).ask(&get(k, attempt)).status();
                    mine.map(|k| (k, ask(k, 1), ask(k, 2))).collect::<Vec<_>>()
                }
            };
            let handles: Vec<_> = (0..threads).map(|thread| scope.spawn(work(thread))).collect();
            handles.into_iter().flat_map(|handle| handle.join().expect("a client")).collect()
        });
        outcomes.sort_unstable();
        (outcomes, rig.stop())
    };
    let ((alone, tally), (together, other)) = (outcome(1), outcome(8));
    assert_eq!(alone, together);
    assert_eq!(tally.decisions_digest, other.decisions_digest);
    assert_eq!(tally.rules, other.rules);
    assert!([429, 503, 0].iter().all(|&status| alone.iter().any(|outcome| outcome.1 == status)), "every rule has fired");
}
