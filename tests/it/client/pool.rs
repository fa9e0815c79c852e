//! The number of connections is exact, waiting for one is seen, and a dead one costs no attempt.

use std::time::Duration;

use brownout::client::ClientSettings;
use brownout::units::Micros;
use brownout::wire::{Ending, Failure, Phase};

use super::{direct, get, on_a_worker, settings};
use crate::support::upstream::{Act, Upstream, answer};

#[test]
fn one_request_after_another_uses_one_connection() {
    let upstream = Upstream::always(answer("200 OK", "hello"));
    on_a_worker(async {
        let transport = direct(upstream.address(), settings()).await;
        for n in 0..50 {
            let (reply, _) = get(&transport).await;
            assert_eq!((reply.ending, reply.stamps.connect.new), (Ending::Answered(200), n == 0));
        }
    });
    assert_eq!((upstream.connections(), upstream.requests().len()), (1, 50));
}

#[test]
fn the_connection_used_last_is_used_next() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, Act::Wait(Duration::from_millis(20)), answer("200 OK", ""), Act::Again]]);
    on_a_worker(async {
        let transport = direct(upstream.address(), settings()).await;
        tokio::join!(get(&transport), get(&transport));
        for _ in 0..3 {
            get(&transport).await;
        }
    });
    let used: Vec<usize> = upstream.requests().iter().map(|request| request.connection).collect();
    assert!(used[2] == used[3] && used[3] == used[4], "{used:?}");
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn without_keep_alive_every_request_has_its_own_connection() {
    let upstream = Upstream::always(answer("200 OK", "hello"));
    on_a_worker(async {
        let transport = direct(upstream.address(), ClientSettings { keep_alive: false, ..settings() }).await;
        for _ in 0..5 {
            assert!(get(&transport).await.0.stamps.connect.new);
        }
    });
    assert_eq!(upstream.connections(), 5);
    upstream.wait_until_idle();
}

#[test]
fn a_connection_the_target_closes_after_its_answer_is_not_used_again() {
    for ending in ["Connection: close\r\n", ""] {
        let last = Act::write(format!("HTTP/1.1 200 OK\r\n{ending}Content-Length: 2\r\n\r\nok"));
        let upstream = Upstream::play(vec![vec![Act::ReadRequest, last, Act::Close]]);
        on_a_worker(async {
            let transport = direct(upstream.address(), settings()).await;
            for _ in 0..4 {
                let (reply, _) = get(&transport).await;
                assert_eq!((reply.ending, reply.stamps.connect.new), (Ending::Answered(200), true));
                // Long enough for the end of the connection to arrive, if it was not announced.
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        assert_eq!((upstream.connections(), upstream.requests().len()), (4, 4), "every request arrived once");
    }
}

#[test]
fn a_connection_that_dies_after_the_write_is_an_outcome_and_not_tried_again() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, answer("200 OK", ""), Act::ReadRequest, Act::Reset]]);
    on_a_worker(async {
        let transport = direct(upstream.address(), settings()).await;
        assert_eq!(get(&transport).await.0.ending, Ending::Answered(200));
        let (reply, _) = get(&transport).await;
        assert_eq!((reply.ending, reply.sent), (Ending::Failed(Failure::Reset), true));
    });
    assert_eq!((upstream.connections(), upstream.requests().len()), (1, 2));
}

#[test]
fn an_idle_connection_past_its_time_is_closed() {
    let upstream = Upstream::always(answer("200 OK", ""));
    on_a_worker(async {
        let transport = direct(upstream.address(), ClientSettings { idle_timeout: Micros::from_millis(20), ..settings() }).await;
        get(&transport).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(get(&transport).await.0.stamps.connect.new);
    });
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn no_more_connections_are_open_than_allowed_and_the_wait_is_seen() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, Act::Wait(Duration::from_millis(40)), answer("200 OK", ""), Act::Again]]);
    on_a_worker(async {
        let transport = direct(upstream.address(), ClientSettings { connections: 2, ..settings() }).await;
        let attempts: Vec<_> = (0..6)
            .map(|_| {
                let transport = transport.clone();
                tokio::task::spawn_local(async move { get(&transport).await.0 })
            })
            .collect();
        let mut waits = Vec::new();
        for attempt in attempts {
            let reply = attempt.await.expect("an attempt");
            assert_eq!(reply.ending, Ending::Answered(200));
            waits.push(reply.stamps.ready_at.expect("it got one").since(reply.stamps.started_at));
        }
        assert!(waits.is_sorted_by(|a, b| a.0 / 20_000 <= b.0 / 20_000), "first come, first served: {waits:?}");
        assert!(waits[4].0 >= 80_000 && waits[5].0 >= 80_000, "two rounds of 40 ms before them: {waits:?}");
    });
    assert_eq!((upstream.most_open(), upstream.connections()), (2, 2));
}

#[test]
fn who_waits_in_vain_for_a_connection_has_sent_nothing() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, Act::WaitForClose]]);
    on_a_worker(async {
        let settings = ClientSettings { connections: 1, total: Micros::from_millis(100), ..settings() };
        let transport = direct(upstream.address(), settings).await;
        let spawn = || {
            let transport = transport.clone();
            tokio::task::spawn_local(async move { get(&transport).await.0 })
        };
        let first = spawn();
        tokio::time::sleep(Duration::from_millis(30)).await;
        // The first gives its place up at 100 ms, the next uses it until 130 ms, and then the last has no time left.
        let (_next, last) = (spawn(), spawn());
        assert_eq!(first.await.expect("an attempt").ending, Ending::Failed(Failure::TimedOut(Phase::FirstByte)));
        let last = last.await.expect("an attempt");
        assert_eq!((last.ending, last.sent), (Ending::Failed(Failure::TimedOut(Phase::Connect)), false));
        let wait = last.stamps.ended_at.since(last.stamps.started_at);
        assert!((100_000..2_000_000).contains(&wait.0), "{wait}");
    });
}

#[test]
fn an_attempt_that_is_dropped_closes_its_connection_and_frees_its_place() {
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, Act::WaitForClose], vec![Act::ReadRequest, answer("200 OK", "")]]);
    on_a_worker(async {
        let transport = direct(upstream.address(), ClientSettings { connections: 1, ..settings() }).await;
        let dropped = tokio::time::timeout(Duration::from_millis(50), get(&transport)).await;
        assert!(dropped.is_err());
        assert_eq!(get(&transport).await.0.ending, Ending::Answered(200));
    });
    assert_eq!(upstream.connections(), 2);
}
