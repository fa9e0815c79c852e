//! In which unit a limiter writes its resets: the one in which all of them make sense.
//!
//! A reset makes sense where it is not in the past and not further off than a day; where a wait is asked for as well, it
//! ends about then. Small numbers fit as a delta and large ones as an epoch, but zero, or a wait of milliseconds that looks
//! like one of seconds, may fit as several: then no unit is claimed.

use super::Observation;
use crate::contract::instant;

/// A unit of resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    EpochSeconds,
    EpochMillis,
    DeltaSeconds,
    DeltaMillis,
    HttpDate,
    Rfc3339,
}

impl Unit {
    /// Every unit that is told apart.
    pub const ALL: [Unit; 6] =
        [Unit::EpochSeconds, Unit::EpochMillis, Unit::DeltaSeconds, Unit::DeltaMillis, Unit::HttpDate, Unit::Rfc3339];

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Unit::EpochSeconds => "Unix time in seconds",
            Unit::EpochMillis => "Unix time in milliseconds",
            Unit::DeltaSeconds => "seconds from now",
            Unit::DeltaMillis => "milliseconds from now",
            Unit::HttpDate => "an HTTP-date",
            Unit::Rfc3339 => "an ISO 8601 date",
        }
    }

    /// The moment a text means in this unit, in microseconds since the Unix epoch.
    pub fn read(self, text: &str, now_unix_us: i64) -> Option<i64> {
        let number = || -> Option<f64> {
            let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            text.parse::<f64>().ok().filter(|number| plain && number.is_finite())
        };
        // A cast from float to integer saturates.
        let micros = |factor: f64| number().map(|number| (number * factor) as i64);
        match self {
            Unit::EpochSeconds => micros(1e6),
            Unit::EpochMillis => micros(1e3),
            Unit::DeltaSeconds => micros(1e6).map(|delta| now_unix_us.saturating_add(delta)),
            Unit::DeltaMillis => micros(1e3).map(|delta| now_unix_us.saturating_add(delta)),
            Unit::HttpDate => instant::http_date(text),
            Unit::Rfc3339 => instant::rfc3339(text),
        }
    }
}

/// No reset is further off.
const FURTHEST_US: i64 = 24 * 3_600 * 1_000_000;
/// Both sides round to whole seconds, and the answer took its time.
const SLACK_US: i64 = 2_000_000;

/// The units in which every reset makes sense; none where there is no reset at all.
pub fn units_that_fit<'o>(observations: impl Iterator<Item = &'o Observation> + Clone) -> Vec<Unit> {
    let mut resets = observations.filter(|seen| seen.reset.is_some()).peekable();
    if resets.peek().is_none() {
        return Vec::new();
    }
    Unit::ALL.into_iter().filter(|unit| resets.clone().all(|seen| makes_sense(*unit, seen))).collect()
}

fn makes_sense(unit: Unit, seen: &Observation) -> bool {
    let Some(at) = seen.reset.as_deref().and_then(|text| unit.read(text, seen.unix_us)) else { return false };
    let off = at.saturating_sub(seen.unix_us);
    if !(-SLACK_US..=FURTHEST_US).contains(&off) {
        return false;
    }
    // Who is refused is told to come back at the reset, or later, but not in another order of magnitude.
    let wait = seen.wait_us().filter(|_| !seen.admitted()).map(|wait| i64::try_from(wait).unwrap_or(i64::MAX));
    wait.is_none_or(|wait| {
        off <= wait.saturating_mul(100).saturating_add(SLACK_US) && wait <= off.saturating_mul(100).saturating_add(SLACK_US)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_766_491_500;

    fn seen(reset: &str, retry_after: Option<&str>) -> Observation {
        Observation {
            status: if retry_after.is_some() { 429 } else { 200 },
            reset: Some(reset.to_owned()),
            retry_after: retry_after.map(str::to_owned),
            unix_us: NOW_S * 1_000_000,
            ..Observation::default()
        }
    }

    #[test]
    fn the_unit_is_the_one_in_which_every_reset_makes_sense() {
        for (resets, unit) in [
            (["1766491530", "1766491560"], Unit::EpochSeconds),
            (["1766491530000", "1766491512000"], Unit::EpochMillis),
            (["Tue, 23 Dec 2025 12:05:30 GMT", "Tue, 23 Dec 2025 12:05:10 GMT"], Unit::HttpDate),
            (["2025-12-23T12:05:30Z", "2025-12-23T13:05:30+01:00"], Unit::Rfc3339),
        ] {
            let all: Vec<_> = resets.iter().map(|reset| seen(reset, None)).collect();
            assert_eq!(units_that_fit(all.iter()), [unit], "{resets:?}");
        }
    }

    #[test]
    fn a_delta_is_seconds_or_milliseconds_and_the_wait_that_is_asked_for_tells_which() {
        let plain = [seen("30", None), seen("12", None)];
        assert_eq!(units_that_fit(plain.iter()), [Unit::DeltaSeconds, Unit::DeltaMillis], "nothing tells them apart");
        let seconds = [seen("30", None), seen("290", Some("290"))];
        assert_eq!(units_that_fit(seconds.iter()), [Unit::DeltaSeconds]);
        let millis = [seen("30000", None), seen("29500", Some("30"))];
        assert_eq!(units_that_fit(millis.iter()), [Unit::DeltaMillis]);
    }

    #[test]
    fn what_makes_no_sense_in_any_unit_fits_none() {
        for reset in ["-5", "soon", "", "1766400000", "99999999999999999999", "NaN", "1e9"] {
            assert_eq!(units_that_fit([seen(reset, None)].iter()), [], "{reset}");
        }
        assert_eq!(units_that_fit([Observation::default()].iter()), []);
    }
}
