//! A plan is carried out and accounted for, to the last arrival. See `src/engine`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use brownout::client::{ClientSettings, Connector, Destination, Direct, HttpVersion, TlsSettings, Transport};
use brownout::clock::Clock;
use brownout::engine::{self, Ran, Running, Setup, Stop};
use brownout::plan::source::SourceText;
use brownout::plan::{LoadOptions, Plan};
use brownout::record::Outcome;
use brownout::units::{Micros, Offset, Size};
use brownout::wire::{Ending, Failure};
use brownout::workload::Visits;

use crate::support::notes::{Noted, Notes};
use crate::support::upstream::{Act, Upstream, answer};

/// A plan against this target, with these further lines.
fn plan(target: &Upstream, lines: &str) -> Arc<Plan> {
    let text = format!("plan = 1\nname = \"test\"\nseed = 7\n{}\n", lines.replace("TARGET", &format!("http://{}", target.address())));
    let source = SourceText::new("plan.toml", text);
    match Plan::from_source(&source, Path::new("."), &LoadOptions::default()) {
        Ok(plan) => Arc::new(plan),
        Err(problems) => panic!("{}", problems.render(false)),
    }
}

fn start(plan: &Arc<Plan>, target: &Upstream, workers: u32) -> (Running<Notes>, Clock) {
    let url = url::Url::parse(&format!("http://{}", target.address())).expect("a URL");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let clock = Clock::starting_in(Micros::from_millis(60));
    let connector = runtime
        .block_on(Connector::resolve(
            &Destination::of(&url, None).expect("a destination"),
            &TlsSettings::default(),
            HttpVersion::Http1,
            clock,
        ))
        .expect("a connector");
    let timeouts = plan.target.timeouts;
    let settings = ClientSettings {
        connections: 64,
        streams: 1,
        keep_alive: true,
        idle_timeout: Micros::from_secs(30),
        connect: timeouts.connect,
        first_byte: timeouts.first_byte,
        total: timeouts.total,
        keep_body: Size(64 * 1024),
    };
    let setup = Setup {
        plan: Arc::clone(plan),
        run_id: "run-1".to_owned(),
        authority: "api.test".to_owned(),
        clock,
        board: None,
        workers,
        transports: Arc::new(move |timer, _, _| Ok(Transport::Direct(Direct::new(connector.clone(), settings, timer.clone())))),
    };
    (engine::start(&setup, Notes::default).expect("workers"), clock)
}

/// Everything that was heard, what was cut off included.
fn heard(ran: Ran<Notes>) -> Notes {
    let mut all = Notes::default();
    for notes in ran.recorders {
        all.started.extend(notes.started);
        all.dropped += notes.dropped;
        all.unstarted += notes.unstarted;
        all.answered += notes.answered;
        all.checks.extend(notes.checks);
        all.exchanges.extend(notes.exchanges);
        all.sessions.extend(notes.sessions);
    }
    for loose in ran.loose {
        loose.record(None, &mut all);
    }
    all
}

fn run(plan: &Arc<Plan>, target: &Upstream, workers: u32) -> Notes {
    heard(start(plan, target, workers).0.join())
}

const ONE_GET: &str = r#"
[target]
url = "TARGET"
timeouts = { connect = "2s", first_byte = "5s", total = "5s" }
[[scenario]]
name = "get"
  [[scenario.step]]
  request = "GET /thing?q=1"
"#;

fn one_get(load: &str) -> String {
    format!("{ONE_GET}\n{load}")
}

#[test]
fn every_scheduled_arrival_is_started_on_time_whatever_the_number_of_workers() {
    let target = Upstream::always(answer("200 OK", "{}"));
    let plan = plan(&target, &one_get("[load]\nmax_in_flight = 64\n[[load.stage]]\nname = \"s\"\nfor = \"600ms\"\nrate = \"200/s\""));
    let scheduled: Vec<Offset> = Visits::new(&plan).map(|visit| visit.at).collect();
    assert!(scheduled.len() > 80);
    for workers in [1, 3] {
        let notes = run(&plan, &target, workers);
        let mut started: Vec<Offset> = notes.started.iter().map(|(_, scheduled, _)| *scheduled).collect();
        started.sort_unstable();
        assert_eq!(started, scheduled, "{workers} workers");
        assert_eq!(notes.outcomes(|outcome| outcome == Outcome::Ok), scheduled.len());
        assert_eq!((notes.dropped, notes.unstarted), (0, 0));
        let mut lag: Vec<u64> = notes.started.iter().map(|(_, scheduled, started)| started.since(*scheduled).0).collect();
        lag.sort_unstable();
        assert!(lag[lag.len() / 2] < 20_000, "the median arrival was {} µs late", lag[lag.len() / 2]);
        assert!(notes.exchanges.iter().all(|exchange| exchange.path == "/thing"));
    }
    let request = &target.requests()[0];
    assert!(request.head.starts_with("GET /thing?q=1 HTTP/1.1\r\n"), "{}", request.head);
    assert_eq!(request.header("host"), Some("api.test"));
    assert_eq!(request.header("x-brownout-exchange"), None, "identity is told to the proxy alone");
}

#[test]
fn the_same_plan_gives_the_same_digest_and_another_seed_another() {
    let target = Upstream::always(answer("200 OK", "{}"));
    let load = one_get("[load]\nmax_in_flight = 64\n[[load.stage]]\nname = \"s\"\nfor = \"200ms\"\nrate = \"100/s\"");
    let one = plan(&target, &load);
    let mut other = (*one).clone();
    other.seed.0 += 1;
    let digest = |plan: &Arc<Plan>, workers| start(plan, &target, workers).0.join().arrivals_digest;
    let first = digest(&one, 1);
    assert_eq!(first, digest(&one, 2));
    assert_ne!(first, digest(&Arc::new(other), 1));
}

#[test]
fn an_arrival_that_finds_every_lane_taken_is_dropped_and_counted() {
    let target = Upstream::always(Act::Wait(Duration::from_secs(2)));
    let plan = plan(
        &target,
        &one_get(
            "[load]\narrivals = \"even\"\nmax_in_flight = 5\nat_limit = \"drop\"\ndrain = \"100ms\"\n[[load.stage]]\nname = \"s\"\nfor = \"500ms\"\nrate = \"100/s\"",
        ),
    );
    let ran = start(&plan, &target, 1).0.join();
    assert_eq!(ran.peak_in_flight, 5);
    let notes = heard(ran);
    assert_eq!((notes.started.len(), notes.dropped), (5, 45));
    assert_eq!(notes.outcomes(|outcome| outcome == Outcome::InFlightAtEnd), 5, "the drain was shorter than the answers");
    for exchange in &notes.exchanges {
        assert_eq!(exchange.attempts.len(), 1);
        assert_eq!(exchange.attempts[0].ending, Ending::Unfinished);
    }
}

#[test]
fn an_arrival_that_has_to_queue_counts_from_its_scheduled_start() {
    let slow = vec![Act::ReadRequest, Act::Wait(Duration::from_millis(30)), answer("200 OK", "{}"), Act::Again];
    let target = Upstream::play(vec![slow]);
    let plan = plan(
        &target,
        &one_get(
            "[load]\narrivals = \"even\"\nmax_in_flight = 1\nat_limit = \"queue\"\n[[load.stage]]\nname = \"s\"\nfor = \"300ms\"\nrate = \"50/s\"",
        ),
    );
    let notes = run(&plan, &target, 1);
    assert_eq!(notes.dropped, 0);
    assert_eq!(notes.started.len() + notes.unstarted, 15, "what never got its turn is counted too");
    let last = notes.exchanges.last().expect("an exchange");
    let response = last.ended_at.since(last.id.scheduled_at);
    assert!(response >= Micros::from_millis(100), "the queue is part of the response time: {response}");
}

#[test]
fn a_queue_before_a_target_that_hangs_ends_with_the_drain() {
    let target = Upstream::always(Act::Wait(Duration::from_secs(20)));
    let plan = plan(
        &target,
        &one_get(
            "[load]\narrivals = \"even\"\nmax_in_flight = 2\nat_limit = \"queue\"\ndrain = \"200ms\"\n[[load.stage]]\nname = \"s\"\nfor = \"300ms\"\nrate = \"50/s\"",
        ),
    );
    let (running, clock) = start(&plan, &target, 1);
    let notes = heard(running.join());
    assert!(clock.now() < Offset(Micros::from_secs(4)), "it waited for more than the drain: {:?}", clock.now());
    assert_eq!((notes.started.len(), notes.unstarted), (2, 13));
}

#[test]
fn what_was_begun_at_the_moment_of_the_cut_is_accounted_for() {
    let target = Upstream::always(Act::Wait(Duration::from_secs(20)));
    // More arrivals than can be started in time: the worker is busy beginning sessions when it is told to stop.
    let plan = plan(
        &target,
        &one_get("[load]\narrivals = \"even\"\nmax_in_flight = 2000\n[[load.stage]]\nname = \"s\"\nfor = \"50ms\"\nrate = \"1000000/s\""),
    );
    let (running, clock) = start(&plan, &target, 1);
    while clock.now() < Offset(Micros::from_millis(3)) {
        std::thread::yield_now();
    }
    running.stop(Stop::Cut);
    let notes = heard(running.join());
    assert_eq!(notes.started.len() + notes.dropped + notes.unstarted, 50_000);
    assert_eq!(notes.exchanges.len(), notes.started.len(), "a session that was started has an exchange");
}

#[test]
fn users_of_a_closed_stage_do_not_wait_for_those_whom_the_stage_before_holds() {
    let held = vec![Act::ReadRequest, Act::Wait(Duration::from_secs(3)), answer("200 OK", "{}")];
    let quick = vec![Act::ReadRequest, Act::Wait(Duration::from_millis(20)), answer("200 OK", "{}"), Act::Again];
    let target = Upstream::play(vec![held, quick]);
    let stages =
        "[load]\n[[load.stage]]\nname = \"few\"\nfor = \"200ms\"\nusers = 1\n[[load.stage]]\nname = \"more\"\nfor = \"500ms\"\nusers = 3";
    let notes = run(&plan(&target, &one_get(stages)), &target, 1);
    let second = notes.started.iter().filter(|(_, scheduled_at, _)| *scheduled_at >= Offset(Micros::from_millis(200))).count();
    assert!(second >= 4, "the second stage has two users of its own: {second}");
}

#[test]
fn users_of_a_closed_stage_wait_for_their_answer() {
    let slow = vec![Act::ReadRequest, Act::Wait(Duration::from_millis(20)), answer("200 OK", "{}"), Act::Again];
    let target = Upstream::play(vec![slow]);
    let plan = plan(&target, &one_get("[load]\n[[load.stage]]\nname = \"users\"\nfor = \"300ms\"\nusers = 3"));
    for workers in [1, 2] {
        let ran = start(&plan, &target, workers).0.join();
        assert_eq!(ran.peak_in_flight, 3);
        let notes = heard(ran);
        assert!((9..=45).contains(&notes.started.len()), "{}", notes.started.len());
        assert_eq!(notes.outcomes(|outcome| outcome == Outcome::Ok), notes.started.len());
    }
}

#[test]
fn a_stop_ends_the_arrivals_and_lets_what_is_in_flight_finish() {
    let slow = vec![Act::ReadRequest, Act::Wait(Duration::from_millis(150)), answer("200 OK", "{}"), Act::Again];
    let target = Upstream::play(vec![slow]);
    let plan = plan(
        &target,
        &one_get("[load]\narrivals = \"even\"\nmax_in_flight = 50\n[[load.stage]]\nname = \"s\"\nfor = \"30s\"\nrate = \"40/s\""),
    );
    let (running, clock) = start(&plan, &target, 1);
    while clock.now() < Offset(Micros::from_millis(300)) {
        std::thread::sleep(Duration::from_millis(5));
    }
    running.stop(Stop::Drain);
    let notes = heard(running.join());
    assert!(clock.now() < Offset(Micros::from_secs(10)));
    assert_eq!(notes.started.len() + notes.unstarted, 1_200);
    assert_eq!(notes.outcomes(|outcome| outcome == Outcome::Ok), notes.started.len(), "nothing was cut off");
}

#[test]
fn a_second_stop_cuts_off_what_is_in_flight_and_it_is_still_recorded() {
    let target = Upstream::always(Act::Wait(Duration::from_secs(20)));
    let plan = plan(
        &target,
        &one_get(
            "[load]\narrivals = \"even\"\nmax_in_flight = 50\ndrain = \"30s\"\n[[load.stage]]\nname = \"s\"\nfor = \"30s\"\nrate = \"40/s\"",
        ),
    );
    let (running, clock) = start(&plan, &target, 2);
    while clock.now() < Offset(Micros::from_millis(300)) {
        std::thread::sleep(Duration::from_millis(5));
    }
    running.stop(Stop::Drain);
    running.stop(Stop::Cut);
    let notes = heard(running.join());
    assert!(clock.now() < Offset(Micros::from_secs(5)), "it did not wait for the drain");
    assert!(notes.started.len() > 5);
    assert_eq!(notes.outcomes(|outcome| outcome == Outcome::Cancelled), notes.started.len());
    assert_eq!(notes.started.len() + notes.unstarted, 1_200);
}

const RETRIED: &str = r#"
[target]
url = "TARGET"
[[scenario]]
name = "get"
retry = "sdk"
  [[scenario.step]]
  request = "GET /thing"
[retry.sdk]
attempts = 3
on = [429, "5xx", "reset"]
backoff = { constant = "10ms", jitter = "none" }
retry_after = "honour"
[load]
arrivals = "even"
[[load.stage]]
name = "s"
for = "100ms"
rate = "10/s"
"#;

fn only(notes: &Notes) -> &Noted {
    assert_eq!(notes.exchanges.len(), 1);
    &notes.exchanges[0]
}

#[test]
fn a_policy_repeats_what_it_lists_and_waits_as_long_as_the_server_says() {
    let refused = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    let script = vec![
        Act::ReadRequest,
        Act::write("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
        Act::ReadRequest,
        Act::write(refused),
        Act::ReadRequest,
        answer("200 OK", "{}"),
        Act::WaitForClose,
    ];
    let target = Upstream::play(vec![script]);
    let notes = run(&plan(&target, RETRIED), &target, 1);
    let exchange = only(&notes);
    assert_eq!(exchange.outcome, Outcome::Ok);
    assert_eq!(notes.answered, 3, "every answer is told, not only the last");
    let endings: Vec<Ending> = exchange.attempts.iter().map(|attempt| attempt.ending).collect();
    assert_eq!(endings, [Ending::Answered(503), Ending::Answered(429), Ending::Answered(200)]);
    let gap = |n: usize| exchange.attempts[n].stamps.started_at.since(exchange.attempts[n - 1].stamps.ended_at);
    assert!((10_000..100_000).contains(&gap(1).0), "the back-off: {}", gap(1));
    assert!((1_000_000..1_200_000).contains(&gap(2).0), "the server's word: {}", gap(2));
    assert_eq!(exchange.attempts[2].waited, Some(Micros::from_secs(1)));
}

#[test]
fn attempts_end_with_the_policy_and_the_last_answer_is_the_outcome() {
    let target = Upstream::always(answer("500 Internal Server Error", "{}"));
    let notes = run(&plan(&target, RETRIED), &target, 1);
    assert_eq!(only(&notes).outcome, Outcome::ErrorAnswer(500));
    assert_eq!(only(&notes).attempts.len(), 3);
    assert_eq!(target.requests().len(), 3, "and no further request was hidden");
}

#[test]
fn a_failure_that_the_policy_does_not_list_is_not_repeated() {
    let target = Upstream::play(vec![vec![Act::ReadRequest, Act::Close]]);
    let notes = run(&plan(&target, RETRIED), &target, 1);
    assert_eq!(only(&notes).outcome, Outcome::Failed(Failure::Closed));
    assert_eq!(only(&notes).attempts.len(), 1);
}

#[test]
fn a_budget_that_is_used_up_ends_the_exchange_and_says_so() {
    let target = Upstream::always(answer("500 Internal Server Error", "{}"));
    let lines = RETRIED
        .replace("retry_after = \"honour\"", "budget = { ratio = \"10%\", min_per_second = 1 }")
        .replace("rate = \"10/s\"", "rate = \"200/s\"");
    let notes = run(&plan(&target, &lines), &target, 1);
    let retries: usize = notes.exchanges.iter().map(|exchange| exchange.attempts.len() - 1).sum();
    assert!((1..=4).contains(&retries), "20 exchanges earn two retries, and one is always free: {retries}");
    assert!(notes.exchanges.iter().filter(|exchange| exchange.budget_refused).count() >= 15);
}

const TWO_STEPS: &str = r#"
[target]
url = "TARGET"
[[scenario]]
name = "chat"
  [[scenario.step]]
  request = "POST /things"
  json = { title = "t-${arrival}" }
  capture = { id = "json:$.data.id" }
  [[scenario.step]]
  request = "GET /things/${id}"
[load]
arrivals = "even"
[[load.stage]]
name = "s"
for = "100ms"
rate = "10/s"
"#;

#[test]
fn a_later_step_uses_what_an_earlier_one_captured() {
    let script = vec![
        Act::ReadRequest,
        answer("201 Created", r#"{"data":{"id":"a/b c"}}"#),
        Act::ReadRequest,
        answer("200 OK", "{}"),
        Act::WaitForClose,
    ];
    let target = Upstream::play(vec![script]);
    let notes = run(&plan(&target, TWO_STEPS), &target, 1);
    let requests = target.requests();
    assert_eq!(String::from_utf8_lossy(&requests[0].body), r#"{"title":"t-0"}"#);
    assert!(requests[1].head.starts_with("GET /things/a%2Fb%20c HTTP/1.1\r\n"), "{}", requests[1].head);
    assert_eq!(notes.exchanges.len(), 2);
    assert!(notes.sessions[0].2, "the session is ok");
    let later = &notes.exchanges[1];
    assert!(later.id.scheduled_at >= notes.exchanges[0].ended_at, "a later step is due when the earlier one has ended");
}

#[test]
fn a_session_ends_where_a_step_is_not_ok_or_its_answer_lacks_what_is_needed() {
    for (status, body) in [("500 Internal Server Error", "{}"), ("201 Created", r#"{"data":{}}"#)] {
        let target = Upstream::always(answer(status, body));
        let notes = run(&plan(&target, TWO_STEPS), &target, 1);
        assert_eq!(only(&notes).skipped_steps, 1, "{status}");
        assert!(!notes.sessions[0].2, "{status}");
    }
}

#[test]
fn a_target_that_stalls_is_felt_by_those_who_arrived_meanwhile() {
    // One connection, so that a stall of 400 ms holds up everyone behind it: response time says so, service time
    // of the others does not.
    let mut script = vec![Act::ReadRequest, Act::Wait(Duration::from_millis(400)), answer("200 OK", "{}")];
    script.extend([Act::ReadRequest, answer("200 OK", "{}")].into_iter().cycle().take(2 * 60));
    script.push(Act::WaitForClose);
    let target = Upstream::play(vec![script]);
    let plan = plan(
        &target,
        &one_get(
            "[load]\narrivals = \"even\"\nmax_in_flight = 1\nat_limit = \"queue\"\n[[load.stage]]\nname = \"s\"\nfor = \"600ms\"\nrate = \"100/s\"",
        ),
    );
    let notes = run(&plan, &target, 1);
    let response: Vec<Micros> = notes.exchanges.iter().map(|e| e.ended_at.since(e.id.scheduled_at)).collect();
    let service: Vec<Micros> =
        notes.exchanges.iter().map(|e| e.attempts[0].stamps.ended_at.since(e.attempts[0].stamps.started_at)).collect();
    let slow = |times: &[Micros]| times.iter().filter(|time| **time > Micros::from_millis(100)).count();
    assert!(slow(&response) >= 25, "about 30 arrivals waited for more than 100 ms: {}", slow(&response));
    assert!(slow(&service) <= 3, "only the stalled attempt itself was slow: {}", slow(&service));
}

const ONE_STREAM: &str = r#"
[target]
url = "TARGET"
timeouts = { connect = "2s", first_byte = "5s", total = "5s" }
[contract]
file = "contracts/jan-server.toml"
profile = "core"
[[scenario]]
name = "stream"
  [[scenario.step]]
  request = "POST /v1/chat/completions"
  stream = { sse = { done = "[DONE]" } }
[load]
arrivals = "even"
[[load.stage]]
name = "s"
for = "100ms"
rate = "10/s"
"#;

#[test]
fn what_a_stream_says_is_judged_with_its_answer() {
    let error = r#"{"error":{"message":"overloaded"}}"#;
    for (events, expected) in [
        ("data: {\"x\":1}\n\ndata: [DONE]\n\n".to_owned(), vec![]),
        (format!("data: {{\"x\":1}}\n\ndata: {error}\n\ndata: [DONE]\n\n"), vec!["S12"]),
        ("data: {\"x\":1}\n\n".to_owned(), vec!["P09"]),
        (format!("data: {error}\n\n"), vec!["S12", "P09"]),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {}\r\n\r\n", events.len());
        let target = Upstream::always(Act::write(format!("{head}{events}")));
        let notes = run(&plan(&target, ONE_STREAM), &target, 1);
        assert_eq!(notes.checks, [expected], "{events}");
    }
}
