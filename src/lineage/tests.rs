use super::*;

/// A client's requests, told to a lineage one by one.
struct Told {
    lineage: Lineage,
    now: u64,
}

impl Told {
    fn new(identify: Identify) -> Told {
        Told { lineage: Lineage::new(identify), now: 0 }
    }

    fn usual() -> Told {
        Told::new(Identify::default())
    }

    /// A request so many milliseconds later.
    fn after(&mut self, ms: u64, headers: &[(&'static str, &str)], body: u64) -> Joined {
        self.now += ms * 1_000;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a value"));
        }
        self.lineage.join(&Sighted {
            at: Offset::micros(self.now),
            method: &Method::POST,
            authority: "h",
            path: "/v1/chat",
            query: None,
            headers: &map,
            body,
            connection: 1,
        })
    }

    fn ended(&mut self, joined: Joined, status: Option<u16>) {
        self.lineage.ended(joined.exchange, Offset::micros(self.now), Came::of(status), None);
    }
}

#[test]
fn a_request_that_looks_the_same_after_a_failure_is_the_next_attempt() {
    let mut told = Told::usual();
    let first = told.after(0, &[], 7);
    told.ended(first, Some(503));
    let second = told.after(500, &[], 7);
    assert_eq!((second.exchange, second.attempt, second.basis), (first.exchange, AttemptNumber(2), Basis::Fingerprint));
    told.ended(second, Some(200));
    let third = told.after(10, &[], 7);
    assert_ne!(third.exchange.number, first.exchange.number, "the one before has what it wanted");
    assert_eq!((third.attempt, third.ordinal), (AttemptNumber::FIRST, 1));
}

#[test]
fn polls_that_are_answered_are_exchanges_of_their_own() {
    let mut told = Told::usual();
    for n in 0..50 {
        let poll = told.after(2_000, &[], 7);
        assert_eq!((poll.exchange.number, poll.attempt), (n, AttemptNumber::FIRST));
        told.ended(poll, Some(200));
    }
    assert_eq!(told.lineage.open(), 0);
}

#[test]
fn another_body_or_a_failure_too_long_ago_is_another_exchange() {
    let mut told = Told::usual();
    let first = told.after(0, &[], 7);
    told.ended(first, Some(503));
    assert_eq!(told.after(500, &[], 8).attempt, AttemptNumber::FIRST, "another body");
    assert_eq!(told.after(36_000, &[], 7).attempt, AttemptNumber::FIRST, "after the window");
}

#[test]
fn a_hint_and_the_last_gap_make_the_window_longer() {
    let mut told = Told::usual();
    let first = told.after(0, &[], 7);
    told.lineage.ended(first.exchange, Offset::START, Came::Badly, Some(Micros::from_secs(300)));
    let second = told.after(300_500, &[], 7);
    assert_eq!(second.attempt, AttemptNumber(2));
    told.ended(second, Some(503));
    assert_eq!(told.after(1_000_000, &[], 7).attempt, AttemptNumber(3), "four times the gap before");
}

#[test]
fn two_at_once_that_look_the_same_are_two_and_their_retries_are_marked() {
    let mut told = Told::usual();
    let (a, b) = (told.after(0, &[], 7), told.after(1, &[], 7));
    assert_ne!(a.exchange, b.exchange);
    told.ended(a, Some(503));
    told.ended(b, Some(503));
    let (c, d) = (told.after(100, &[], 7), told.after(1, &[], 7));
    assert_eq!((c.exchange, c.ambiguous, c.confidence), (a.exchange, true, Confidence::Low));
    assert_eq!((d.exchange, d.ambiguous), (b.exchange, true));
}

#[test]
fn a_key_names_the_exchange_whatever_else_differs() {
    for (name, values, basis) in [
        ("idempotency-key", ["\"k-1\"", "k-1"], Basis::IdempotencyKey),
        ("amz-sdk-invocation-id", ["u", "u"], Basis::AmzInvocation),
        ("x-goog-api-client", ["gl-python/3 gccl-invocation-id/u", "gl-python/3 gccl-invocation-id/u gccl/2"], Basis::GcclInvocation),
        ("x-ms-client-request-id", ["u", "u"], Basis::MsClientRequest),
    ] {
        let mut told = Told::usual();
        let first = told.after(0, &[(name, values[0])], 7);
        told.ended(first, Some(503));
        let second = told.after(100_000, &[(name, values[1])], 8);
        assert_eq!((second.exchange, second.attempt, second.basis), (first.exchange, AttemptNumber(2), basis), "{name}");
        assert!(second.changed && second.stated.is_some() && second.stated == first.stated, "{name}: the body differs, the key does not");
        assert_ne!(told.after(1, &[(name, "other-gccl-invocation-id/v")], 7).exchange.number, first.exchange.number, "{name}");
    }
}

#[test]
fn a_retry_count_joins_the_one_that_counted_one_less_and_zero_always_begins() {
    let mut told = Told::usual();
    let count = |n: &'static str| [("x-stainless-retry-count", n)];
    let first = told.after(0, &count("0"), 7);
    told.ended(first, Some(429));
    let fresh = told.after(10, &count("0"), 7);
    assert_ne!(fresh.exchange, first.exchange, "zero begins");
    told.ended(fresh, Some(200));
    let second = told.after(500, &count("1"), 7);
    assert_eq!((second.exchange, second.attempt, second.basis), (first.exchange, AttemptNumber(2), Basis::RetryCount));
    told.ended(second, Some(429));
    assert_eq!(told.after(500, &count("2"), 7).attempt, AttemptNumber(3));
}

#[test]
fn a_request_id_is_believed_once_it_stayed_the_same_over_a_known_retry() {
    let mut told = Told::usual();
    let id = |id: &'static str| [("x-request-id", id)];
    for (first, second) in [("a", "a"), ("b", "b")] {
        let before = told.after(10, &id(first), 7);
        told.ended(before, Some(503));
        let after = told.after(10, &id(second), 7);
        assert_eq!(after.exchange, before.exchange);
        told.ended(after, Some(200));
    }
    let (one, two) = (told.after(10, &id("c"), 7), told.after(1, &id("d"), 7));
    told.ended(one, Some(503));
    told.ended(two, Some(503));
    let retry = told.after(10, &id("d"), 7);
    assert_eq!((retry.exchange, retry.basis, retry.confidence), (two.exchange, Basis::RequestId, Confidence::High));

    let mut minting = Told::usual();
    let before = minting.after(0, &id("a"), 7);
    minting.ended(before, Some(503));
    let after = minting.after(10, &id("b"), 7);
    assert_eq!((after.exchange, after.basis), (before.exchange, Basis::Fingerprint), "one per attempt says nothing");
}

#[test]
fn a_trace_narrows_what_looks_the_same() {
    let mut told = Told::usual();
    let trace = |digit: &str| format!("00-{}-00f067aa0ba902b7-01", digit.repeat(32));
    let (a, b) = (told.after(0, &[("traceparent", &trace("a"))], 7), told.after(1, &[("traceparent", &trace("b"))], 7));
    told.ended(a, Some(503));
    told.ended(b, Some(503));
    assert_eq!(told.after(10, &[("traceparent", &trace("b"))], 7).exchange, b.exchange);
}

#[test]
fn what_the_author_names_is_believed_and_nothing_else() {
    let identify = Identify { headers: vec![HeaderName::from_static("x-job")], fingerprint: false, ..Identify::default() };
    let mut told = Told::new(identify);
    let first = told.after(0, &[("x-job", "1"), ("idempotency-key", "k")], 7);
    told.ended(first, Some(503));
    assert_eq!(told.after(10, &[("x-job", "1"), ("idempotency-key", "l")], 9).exchange, first.exchange);
    let lone = told.after(10, &[("idempotency-key", "k")], 7);
    told.ended(lone, Some(503));
    assert_eq!((lone.basis, told.after(10, &[("idempotency-key", "k")], 7).attempt), (Basis::Alone, AttemptNumber::FIRST));
}

#[test]
fn a_session_without_failures_has_one_attempt_for_every_exchange_whatever_it_sends() {
    let mut told = Told::usual();
    for n in 0..5_000u64 {
        let joined = told.after(n % 3, &[("x-request-id", "same")], n % 5);
        assert_eq!(joined.attempt, AttemptNumber::FIRST);
        told.ended(joined, Some(if n % 2 == 0 { 200 } else { 302 }));
    }
    assert_eq!(std::iter::from_fn(|| told.lineage.next_closed()).count(), 5_000);
}

#[test]
fn memory_is_bounded_and_the_quietest_is_closed_first() {
    let mut told = Told::usual();
    for n in 0..3 * MOST_OPEN as u64 {
        let joined = told.after(1, &[], n);
        told.ended(joined, Some(503));
    }
    assert!((MOST_OPEN * 15 / 16..=MOST_OPEN).contains(&told.lineage.open()));
    assert_eq!(told.lineage.next_closed().map(|exchange| exchange.number), Some(0));
    told.lineage.expire(Offset::micros(told.now + 40_000_000));
    assert_eq!((told.lineage.open(), told.lineage.latest.len()), (0, 0));
    told.after(1, &[], 1);
}

#[test]
fn an_end_that_is_told_too_late_is_about_nothing() {
    let mut told = Told::usual();
    let first = told.after(0, &[], 7);
    told.lineage.close_all();
    let second = told.after(1, &[], 8);
    assert_eq!(second.exchange.place, first.exchange.place);
    told.ended(first, Some(200));
    assert_eq!(told.lineage.open(), 1);
}

#[test]
fn exchanges_under_way_are_never_closed_for_want_of_room() {
    let mut told = Told::usual();
    let all: Vec<Joined> = (0..3 * MOST_OPEN as u64).map(|n| told.after(1, &[], n)).collect();
    assert_eq!((told.lineage.open(), std::iter::from_fn(|| told.lineage.next_closed()).count()), (3 * MOST_OPEN, 0));
    all.iter().for_each(|joined| told.ended(*joined, Some(503)));
    // Now that nobody waits for them, memory is given back as others come.
    for n in 0..3 * MOST_OPEN as u64 {
        let joined = told.after(0, &[("idempotency-key", &n.to_string())], 7);
        told.ended(joined, Some(503));
    }
    assert!(told.lineage.open() <= MOST_OPEN, "{}", told.lineage.open());
    assert_eq!(told.lineage.busy, 0);
}

#[test]
fn an_exchange_that_is_closed_with_attempts_under_way_is_over_with_the_last_of_them() {
    let mut told = Told::usual();
    let key = [("idempotency-key", "k")];
    let (first, hedge) = (told.after(0, &key, 7), told.after(1, &key, 7));
    assert_eq!(first.exchange, hedge.exchange);
    told.ended(first, Some(503));
    told.lineage.close(first.exchange);
    let next = told.after(1, &key, 7);
    assert_ne!(next.exchange.number, first.exchange.number, "nothing joins it any more");
    assert_eq!(std::iter::from_fn(|| told.lineage.next_closed()).count(), 0);
    told.ended(hedge, Some(503));
    assert_eq!(
        std::iter::from_fn(|| told.lineage.next_closed()).map(|exchange| exchange.number).collect::<Vec<_>>(),
        [first.exchange.number]
    );
    told.ended(next, Some(200));
    assert_eq!((told.lineage.open(), told.lineage.latest.len(), told.lineage.busy), (0, 0, 0));
}
