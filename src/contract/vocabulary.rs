//! R14: an answer that speaks of its limit in two vocabularies, `X-RateLimit-*` and that of the draft standard.
//!
//! Source: draft-ietf-httpapi-ratelimit-headers, versions 03 (`RateLimit-Limit`, `-Remaining`, `-Reset`), 07 (`RateLimit:
//! limit=10, remaining=4, reset=2`) and 08 on (`RateLimit: "default";r=4;t=2`); the reset is in seconds from now.

use crate::contract::check::{Blame, Case, Found, SECOND_US, quoted};
use crate::contract::head::Known;
use crate::contract::{Format, Level, ratelimit};

/// Looks at the limits of an answer that has them twice.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    let Some(draft) = Draft::of(case) else { return };
    for (of_draft, known) in [(draft.limit, Known::XRateLimitLimit), (draft.remaining, Known::XRateLimitRemaining)] {
        let Some((said, other)) = of_draft.zip(case.head.text(known).and_then(leading)) else { continue };
        if said != other {
            found.add("R14", Level::Must, || blame(known, said.to_string(), other.to_string()));
        }
    }
    if let Some((in_s, text)) = draft.reset.zip(case.head.text(Known::XRateLimitReset))
        && !same_reset(case, in_s, text)
    {
        found.add("R14", Level::Must, || blame(Known::XRateLimitReset, format!("{in_s} s from now"), quoted(text)));
    }
}

/// What the draft's fields say.
#[derive(Default)]
struct Draft {
    limit: Option<u64>,
    remaining: Option<u64>,
    /// Seconds from now.
    reset: Option<u64>,
}

impl Draft {
    fn of(case: &Case<'_, '_>) -> Option<Draft> {
        let known = |known: Known| case.head.text(known).and_then(leading);
        let mut draft = match case.head.text(Known::RateLimit) {
            Some(text) => Draft::read(text),
            None => Draft::default(),
        };
        draft.limit = draft.limit.or_else(|| known(Known::RateLimitLimit));
        draft.remaining = draft.remaining.or_else(|| known(Known::RateLimitRemaining));
        draft.reset = draft.reset.or_else(|| known(Known::RateLimitReset));
        (draft.limit.is_some() || draft.remaining.is_some() || draft.reset.is_some()).then_some(draft)
    }

    /// The one-field forms. Of several policies nobody can say which the other vocabulary means: nothing is read.
    fn read(text: &str) -> Draft {
        let mut draft = Draft::default();
        for part in text.split([',', ';']) {
            let Some((name, value)) = part.split_once('=') else { continue };
            let slot = match name.trim() {
                "limit" => &mut draft.limit,
                "remaining" | "r" => &mut draft.remaining,
                "reset" | "t" => &mut draft.reset,
                _ => continue,
            };
            if slot.is_some() {
                return Draft::default();
            }
            *slot = leading(value.trim());
        }
        draft
    }
}

/// The number that a value begins with: `100` of `100, 100;w=60`.
fn leading(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok().filter(|_| !text[end..].starts_with('.'))
}

/// Whether a reset is so many seconds from now, in its declared unit, or, where none is, in any.
fn same_reset(case: &Case<'_, '_>, in_s: u64, text: &str) -> bool {
    let Some(now) = case.now else { return true };
    let wanted = now.us.saturating_add_unsigned(in_s.saturating_mul(SECOND_US.unsigned_abs()));
    let header = case.named().find(|(_, named)| named.known == Some(Known::XRateLimitReset));
    let declared = header.and_then(|(header, _)| header.rule.format);
    let fits = |format: Format| {
        ratelimit::moment(text, format, case.now).is_none_or(|us| us.abs_diff(wanted) <= (SECOND_US + now.slack_us).unsigned_abs())
    };
    match declared {
        Some(format) => fits(format),
        None => ratelimit::UNITS.iter().any(|&(_, format)| ratelimit::moment(text, format, case.now).is_some() && fits(format)),
    }
}

fn blame(known: Known, said: String, actual: String) -> Blame {
    Blame {
        path: format!("header:{}", known.shown()),
        expected: format!("{said}, as RateLimit says"),
        actual,
        cause: "differs".to_owned(),
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_draft_is_read_unless_it_is_ambiguous() {
        let read = |text| {
            let Draft { limit, remaining, reset } = Draft::read(text);
            (limit, remaining, reset)
        };
        assert_eq!(read("limit=100, remaining=50, reset=30"), (Some(100), Some(50), Some(30)));
        assert_eq!(read("\"default\";r=50;t=30"), (None, Some(50), Some(30)));
        assert_eq!(read("\"burst\";r=5;t=1, \"daily\";r=900;t=3600"), (None, None, None));
        assert_eq!(
            [leading("100, 100;w=60"), leading("1.5"), leading("x"), leading("99999999999999999999999")],
            [Some(100), None, None, None]
        );
    }
}
