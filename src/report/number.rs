//! Numbers for people: the one place where a report decides how a number looks.
//!
//! Thousands are set apart by a narrow no-break space and a unit by a no-break space, so that no number is torn
//! at the end of a line. What cannot be shown (no samples, not finite) is an en dash.

use crate::gate::Unit;
use crate::units::{Micros, Size, three_digits};

/// What stands where there is no number.
pub const NOTHING: &str = "–";

const THIN: char = '\u{202f}';
const NO_BREAK: &str = "\u{a0}";

/// A whole number: `7 148`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * THIN.len_utf8());
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(THIN);
        }
        text.push(digit);
    }
    text
}

/// A span of microseconds: `412 ms`, `1.38 s`.
pub fn span(us: u64) -> String {
    if us == 0 {
        return format!("0{NO_BREAK}s");
    }
    Micros(us).to_string().replace(' ', NO_BREAK)
}

/// A span that may be missing.
pub fn span_or_nothing(us: Option<u64>) -> String {
    us.map_or_else(|| NOTHING.to_owned(), span)
}

/// A share from 0 to 1: `98.7 %`. A share that is not quite all, or not quite nothing, never reads as if it were.
pub fn share(ratio: f64) -> String {
    if !ratio.is_finite() {
        return NOTHING.to_owned();
    }
    let percent = ratio * 100.0;
    let text = match three_digits(percent) {
        text if text == "0" && percent > 0.0 => format!("<{NO_BREAK}0.01"),
        text if text == "100" && percent < 100.0 => match format!("{percent:.2}") {
            closer if closer == "100.00" => format!(">{NO_BREAK}99.99"),
            closer => closer,
        },
        text => text,
    };
    format!("{text}{NO_BREAK}%")
}

/// `part` of `whole` as a share; nothing of nothing is no number.
pub fn share_of(part: u64, whole: u64) -> String {
    if whole == 0 { NOTHING.to_owned() } else { share(part as f64 / whole as f64) }
}

/// Events per second: `39.9/s`.
pub fn rate(per_second: f64) -> String {
    if per_second.is_finite() { format!("{}/s", digits(per_second)) } else { NOTHING.to_owned() }
}

/// A multiple: `1.38×`.
pub fn factor(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(|| NOTHING.to_owned(), |value| format!("{}×", digits(value)))
}

/// A number of bytes: `24 KiB`.
pub fn bytes(n: u64) -> String {
    Size(n).to_string().replace(' ', NO_BREAK)
}

/// A moment of the run, from its beginning: `12.4 s`, from a minute on `1:05`.
pub fn moment(ms: u64) -> String {
    match ms {
        0..60_000 => format!("{}{NO_BREAK}s", three_digits(ms as f64 / 1e3)),
        _ => format!("{}:{:02}", ms / 60_000, ms / 1_000 % 60),
    }
}

/// A value of a gate in its unit.
pub fn in_unit(value: f64, unit: Unit) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    match unit {
        Unit::Us => span(value.max(0.0).round() as u64),
        Unit::Ratio => share(value),
        Unit::Count => count(value.max(0.0).round() as u64),
        Unit::PerS => rate(value),
        Unit::None => digits(value),
    }
}

/// The two ends of an interval, the unit only once where it is the same: `398 … 431 ms`.
pub fn interval([low, high]: [f64; 2], unit: Unit) -> String {
    let (low, high) = (in_unit(low, unit), in_unit(high, unit));
    let shortened = match (low.rsplit_once(NO_BREAK), high.rsplit_once(NO_BREAK)) {
        (Some((value, left)), Some((_, right))) if left == right => value.to_owned(),
        _ => low,
    };
    format!("{shortened}{NO_BREAK}…{NO_BREAK}{high}")
}

/// A sentence whose numbers keep together, thousands and unit included, wherever a line ends.
pub fn kept_together(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(' ') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let word = after.split([' ', ',', ';', '.', ')']).next().unwrap_or_default();
        let belongs = matches!(word, "%" | "…" | "µs" | "ms" | "s" | "min" | "h") || word.starts_with(|c: char| c.is_ascii_digit());
        kept.push_str(before);
        kept.push_str(if belongs && before.ends_with(|c: char| c.is_ascii_digit() || c == '…') { NO_BREAK } else { " " });
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// The same text with ordinary spaces, for terminals and plain files.
pub fn plain(text: &str) -> String {
    text.replace([THIN, '\u{a0}'], " ")
}

fn digits(value: f64) -> String {
    if value.abs() >= 1000.0 { count(value.abs().round() as u64) } else { three_digits(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart_and_units_kept_with_their_number() {
        for (n, text) in [(0, "0"), (999, "999"), (7_148, "7 148"), (1_000_000, "1 000 000")] {
            assert_eq!(plain(&count(n)), text);
        }
        assert_eq!(span(412_000), "412\u{a0}ms");
        assert_eq!(plain(&moment(12_400)), "12.4 s");
        assert_eq!(moment(65_900), "1:05");
    }

    #[test]
    fn a_share_that_is_not_quite_all_or_nothing_never_reads_so() {
        for (ratio, text) in [
            (0.0, "0 %"),
            (0.000_04, "< 0.01 %"),
            (0.0004, "0.04 %"),
            (0.987, "98.7 %"),
            (0.9996, "99.96 %"),
            (0.999_999, "> 99.99 %"),
            (1.0, "100 %"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(plain(&share(ratio)), text, "{ratio}");
        }
        assert_eq!(share_of(0, 0), NOTHING);
    }

    #[test]
    fn numbers_in_a_sentence_keep_together() {
        assert_eq!(kept_together("98.2 % of 2 708 in 3 min, not 5"), "98.2\u{a0}% of 2\u{a0}708 in 3\u{a0}min, not 5");
        assert_eq!(kept_together("0 … 2.4 % of"), "0\u{a0}…\u{a0}2.4\u{a0}% of");
        assert_eq!(kept_together(" a  b "), " a  b ");
    }

    #[test]
    fn an_interval_names_its_unit_once_where_both_ends_share_it() {
        assert_eq!(plain(&interval([398e3, 431e3], Unit::Us)), "398 … 431 ms");
        assert_eq!(plain(&interval([980e3, 1_200e3], Unit::Us)), "980 ms … 1.2 s");
        assert_eq!(plain(&interval([0.044, 0.089], Unit::Ratio)), "4.4 … 8.9 %");
        assert_eq!(plain(&interval([1.36, 1.41], Unit::None)), "1.36 … 1.41");
    }
}
