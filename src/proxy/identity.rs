//! Which attempt of which exchange a request is: our own headers, read and removed.

use http::HeaderMap;

use crate::id::{AttemptNumber, ExchangeId};
use crate::wire::{ATTEMPT_HEADER, EXCHANGE_HEADER, OWN_HEADERS};

/// An attempt of this run's generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) exchange: ExchangeId,
    pub(super) attempt: AttemptNumber,
    /// The exchange's number over all of the run or session.
    pub(super) overall: u64,
}

/// Reads the identity that a request claims and removes every header of ours: none is ever sent to a target.
///
/// `None` for a stranger: a request that claims none, a malformed one, or another run's.
pub(super) fn take(headers: &mut HeaderMap, run_id: &str) -> Option<Identity> {
    if !headers.keys().any(|name| name.as_str().starts_with(OWN_HEADERS)) {
        return None;
    }
    let identity = read(headers, run_id);
    // Removing moves the last field into the gap; ours come last, so that the others keep their order.
    while let Some(ours) = headers.keys().find(|name| name.as_str().starts_with(OWN_HEADERS)).cloned() {
        headers.remove(&ours);
    }
    identity
}

fn read(headers: &HeaderMap, run_id: &str) -> Option<Identity> {
    let (run, exchange) = only(headers, EXCHANGE_HEADER)?.rsplit_once('/')?;
    if run != run_id {
        return None;
    }
    let attempt: u32 = only(headers, ATTEMPT_HEADER)?.parse().ok()?;
    let exchange: ExchangeId = exchange.parse().ok()?;
    (attempt > 0).then_some(Identity { exchange, attempt: AttemptNumber(attempt), overall: exchange.arrival })
}

/// The value of a header that stands there exactly once.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    value.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ScenarioIx, StepIx};
    use crate::units::Offset;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, http::HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn an_attempt_of_this_run_is_known() {
        let mut map = headers(&[("host", "h"), (EXCHANGE_HEADER, "run-1/9.4.1.2.500.3"), (ATTEMPT_HEADER, "2"), ("content-length", "0")]);
        let exchange =
            ExchangeId { arrival: 9, ordinal: 4, scenario: ScenarioIx(1), step: StepIx(2), scheduled_at: Offset::micros(500), slot: 3 };
        assert_eq!(take(&mut map, "run-1"), Some(Identity { exchange, attempt: AttemptNumber(2), overall: 9 }));
        assert_eq!(map.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["host", "content-length"]);
    }

    #[test]
    fn strangers_are_not_known_and_our_headers_are_removed_from_them_too() {
        for (pairs, why) in [
            (&[("host", "h")][..], "no identity"),
            (&[(EXCHANGE_HEADER, "run-2/9.4.1.2.500.3"), (ATTEMPT_HEADER, "1")], "another run"),
            (&[(EXCHANGE_HEADER, "run-1/9.4.1.2.500"), (ATTEMPT_HEADER, "1")], "an exchange that is none"),
            (&[(EXCHANGE_HEADER, "run-1/9.4.1.2.500.3")], "no attempt"),
            (&[(EXCHANGE_HEADER, "run-1/9.4.1.2.500.3"), (ATTEMPT_HEADER, "0")], "attempt zero"),
            (&[(EXCHANGE_HEADER, "run-1/9.4.1.2.500.3"), (ATTEMPT_HEADER, "one")], "an attempt that is no number"),
            (&[(EXCHANGE_HEADER, "run-1/9.4.1.2.500.3"), (EXCHANGE_HEADER, "run-1/9.4.1.2.500.4"), (ATTEMPT_HEADER, "1")], "two exchanges"),
            (&[(EXCHANGE_HEADER, "run-1"), (ATTEMPT_HEADER, "1"), ("x-brownout-injected", "x")], "no exchange, and another header of ours"),
        ] {
            let mut map = headers(pairs);
            assert_eq!(take(&mut map, "run-1"), None, "{why}");
            assert!(map.keys().all(|name| !name.as_str().starts_with(OWN_HEADERS)), "{why}");
        }
    }
}
