//! Moments as answers write them: RFC 3339, HTTP-date, Unix time. All become microseconds since the Unix epoch.
//!
//! Reading never guesses: a text that is not exactly in the format is not a moment. Writing never fails: what lies
//! outside the years the formats can express is moved to their edge.

use std::time::{Duration, UNIX_EPOCH};

/// 9999-12-30T00:00:00Z, the last day that every format and library here can express.
const LATEST_S: i64 = 253_402_128_000;
const DAY_S: i64 = 86_400;

/// Reads RFC 3339 with an offset (`2025-12-23T12:05:00Z`, `…:00.25+01:00`); `None` for anything else.
///
/// Source: RFC 3339 §5.6. ISO 8601 forms outside it (no offset, a blank for the `T` is read by some parsers) are refused.
pub(super) fn rfc3339(text: &str) -> Option<i64> {
    utc_second(text.as_bytes()).or_else(|| any_rfc3339(text))
}

/// The form that is written most: `2025-12-23T12:05:00Z`.
fn utc_second(text: &[u8]) -> Option<i64> {
    let b: &[u8; 20] = text.try_into().ok()?;
    let marks = b[4] == b'-' && b[7] == b'-' && b[10] == b'T' && b[13] == b':' && b[16] == b':' && b[19] == b'Z';
    let two = |at: usize| two_digits(b, at);
    let day = days(two(0)? * 100 + two(2)?, two(5)?, two(8)?)?;
    let second = second_of_day(two(11)?, two(14)?, two(17)?)?;
    marks.then_some((day * DAY_S + second) * 1_000_000)
}

/// The number of two digits at a place of a text that is long enough.
#[inline]
fn two_digits(text: &[u8], at: usize) -> Option<i32> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i32::from(tens) * 10 + i32::from(ones))
}

fn any_rfc3339(text: &str) -> Option<i64> {
    let b = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| b.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let number = |range: std::ops::Range<usize>| b[range].iter().fold(0, |number, digit| number * 10 + i32::from(digit - b'0'));
    let at = |index: usize, any: &[u8]| b.get(index).is_some_and(|byte| any.contains(byte));
    let date = digits(0..4) && at(4, b"-") && digits(5..7) && at(7, b"-") && digits(8..10);
    let time = at(10, b"Tt") && digits(11..13) && at(13, b":") && digits(14..16) && at(16, b":") && digits(17..19);
    if !(date && time) {
        return None;
    }
    let mut rest = 19;
    let mut nanoseconds = 0;
    if at(rest, b".") {
        let fraction = b[rest + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if fraction == 0 {
            return None;
        }
        // Digits beyond nanoseconds say nothing to us.
        let read = fraction.min(9);
        nanoseconds = number(rest + 1..rest + 1 + read) * 10_i32.pow(9 - read as u32);
        rest += 1 + fraction;
    }
    let zulu = at(rest, b"Zz") && b.len() == rest + 1;
    let offset = at(rest, b"+-") && digits(rest + 1..rest + 3) && at(rest + 3, b":") && digits(rest + 4..rest + 6) && b.len() == rest + 6;
    let east = match (zulu, offset) {
        (true, _) => 0,
        (_, true) if number(rest + 1..rest + 3) > 23 || number(rest + 4..rest + 6) > 59 => return None,
        (_, true) => (number(rest + 1..rest + 3) * 60 + number(rest + 4..rest + 6)) * if at(rest, b"-") { -60 } else { 60 },
        _ => return None,
    };
    let day = days(number(0..4), number(5..7), number(8..10))?;
    let second = second_of_day(number(11..13), number(14..16), number(17..19))? - i64::from(east);
    Some((day * DAY_S + second) * 1_000_000 + i64::from(nanoseconds) / 1_000)
}

/// Days from 1970-01-01 to a date; `None` where there is no such date.
///
/// Years begin in March here, so that a leap day is the last of its year; 400 of them have 146 097 days (Hinnant,
/// "chrono-compatible low-level date algorithms", `days_from_civil`).
fn days(year: i32, month: i32, day: i32) -> Option<i64> {
    let in_order = (1..=12).contains(&month) && day >= 1 && (day <= 28 || day <= last_day(year, month));
    if !in_order {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(i64::from(era) * 146_097 + i64::from(day_of_era) - 719_468)
}

/// How many days a month has.
const fn last_day(year: i32, month: i32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Seconds since midnight. A leap second is the second before it: Unix time has none.
fn second_of_day(hour: i32, minute: i32, second: i32) -> Option<i64> {
    let known = hour < 24 && minute < 60 && second <= 60;
    known.then(|| i64::from(hour * 3_600 + minute * 60 + second.min(59)))
}

/// Reads any of the three forms of HTTP-date. Source: RFC 9110 §5.6.7.
pub(super) fn http_date(text: &str) -> Option<i64> {
    fixdate(text.as_bytes()).or_else(|| any_http_date(text))
}

/// The form that is written today: `Tue, 23 Dec 2025 12:05:00 GMT`. The name of the day is not looked at.
pub(super) fn fixdate(text: &[u8]) -> Option<i64> {
    let b: &[u8; 29] = text.try_into().ok()?;
    let marks = &b[3..5] == b", " && b[7] == b' ' && b[11] == b' ' && b[16] == b' ' && b[19] == b':' && b[22] == b':';
    let two = |at: usize| two_digits(b, at);
    let day = days(two(12)? * 100 + two(14)?, month(&b[8..11])?, two(5)?)?;
    let second = second_of_day(two(17)?, two(20)?, two(23)?).filter(|_| marks && b[25..] == *b" GMT")?;
    u64::try_from(day * DAY_S + second).ok().and_then(|since| i64::try_from(since * 1_000_000).ok())
}

/// The number of a month, from its name.
fn month(name: &[u8]) -> Option<i32> {
    Some(match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

fn any_http_date(text: &str) -> Option<i64> {
    let since = httpdate::parse_http_date(text.trim()).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok()
}

/// Writes a moment in UTC and whole seconds: `2025-12-23T12:05:00Z`.
pub(super) fn to_rfc3339(unix_s: i64) -> String {
    jiff::Timestamp::from_second(unix_s.clamp(0, LATEST_S)).map(|moment| moment.to_string()).unwrap_or_default()
}

/// Writes an IMF-fixdate: `Tue, 23 Dec 2025 12:05:00 GMT`.
pub(super) fn to_http_date(unix_s: i64) -> String {
    let seconds = u64::try_from(unix_s.clamp(0, LATEST_S)).unwrap_or(0);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_is_read_in_all_its_forms_and_no_other_form_is() {
        let noon = 1_766_491_500_000_000;
        for (text, us) in [
            ("2025-12-23T12:05:00Z", noon),
            ("2025-12-23t12:05:00z", noon),
            ("2025-12-23T13:05:00+01:00", noon),
            ("2025-12-23T12:05:00.25Z", noon + 250_000),
            ("2025-12-23T12:05:00.250000000000Z", noon + 250_000),
            ("2025-12-23T12:05:00-00:00", noon),
            ("2025-12-23T11:50:00-00:15", noon),
            ("2024-02-29T23:59:60Z", 1_709_251_199_000_000),
        ] {
            assert_eq!(rfc3339(text), Some(us), "{text}");
        }
        for text in [
            "2025-12-23T12:05:00",
            "2025-12-23 12:05:00Z",
            "2025-12-23",
            "20251223T120500Z",
            "1766491500",
            "",
            "2025-13-23T12:05:00Z",
            "2025-02-29T12:05:00Z",
            "2025-12-23T24:05:00Z",
            "2025-12-23T12:05:61Z",
            "2025-12-23T12:05:00+24:00",
            "2025-12-23T12:05:00+01:60",
            "2025-12-23T12:05:00.5+01:0",
            "2025-12-23T12:05:00.Z",
            "2025-12-23T12:05:00+01",
            "2025-12-23T12:05:00Z[UTC]",
            "２025-12-23T12:05:00Z",
            "2025-12-23T12:05:00Zé",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn days_are_counted_as_another_library_counts_them() {
        for day in (-800_000..2_900_000).step_by(97) {
            let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::ToSpan::days(day)).ok();
            let Some(date) = date.filter(|date| date.year() >= 0) else { continue };
            let (year, month) = (i32::from(date.year()), i32::from(date.month()));
            assert_eq!(days(year, month, i32::from(date.day())), Some(i64::from(day)), "{date}");
            assert_eq!(days(year, month, i32::from(date.days_in_month()) + 1), None, "{date}");
        }
        for second in (0..4_000_000_000i64).step_by(7_654_321) {
            let text = to_http_date(second);
            assert_eq!((fixdate(text.as_bytes()), any_http_date(&text)), (Some(second * 1_000_000), Some(second * 1_000_000)), "{text}");
        }
        for text in [
            "Tue, 31 Feb 2026 12:05:00 GMT",
            "Tue, 23 Dec 2025 24:05:00 GMT",
            "Tue, 23 Dec 2025 12:05:00 UTC",
            "Tue, 23 dec 2025 12:05:00 GMT",
        ] {
            assert_eq!(fixdate(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back_and_the_far_future_is_moved_to_the_edge() {
        assert_eq!(to_rfc3339(1_766_491_500), "2025-12-23T12:05:00Z");
        assert_eq!(to_http_date(1_766_491_500), "Tue, 23 Dec 2025 12:05:00 GMT");
        for s in [i64::MIN, -1, 0, 1_766_491_500, i64::MAX] {
            assert_eq!(rfc3339(&to_rfc3339(s)), http_date(&to_http_date(s)), "{s}");
        }
    }
}
