//! R03–R09: the equations between what an answer says about limits in one place and in another.
//!
//! Two values that are both there are compared in every profile: an answer may not contradict itself. Each may be off by one
//! second, for both are rounded; where our own clock stands in for the Date header, by half a round trip more. An
//! equation whose values are not all there, or not readable, is not decided: their absence and their form are the
//! business of other checks.

use crate::contract::check::{Blame, Case, Found, Moment, SECOND_US, quoted};
use crate::contract::header::{digits, said, trimmed, typed};
use crate::contract::json::Json;
use crate::contract::{Field, Format, Header, Level, Role, Source, instant, role};

/// The units that resets come in.
pub(super) const UNITS: [(&str, Format); 5] = [
    ("Unix time in seconds", Format::EpochSeconds),
    ("Unix time in milliseconds", Format::EpochMillis),
    ("seconds from now", Format::DeltaSeconds),
    ("an ISO 8601 date", Format::Rfc3339),
    ("an HTTP-date", Format::HttpDate),
];
/// A reset later than this is another unit, or a clock gone wrong, whatever the window.
const FAR_US: i64 = 366 * 86_400 * SECOND_US;
/// How far off a reset may be for a unit to be the one that was meant, where no window is declared.
const USUAL_US: i64 = 86_400 * SECOND_US;

/// Looks at the limits of an answer.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    let rates = Rates::of(case);
    if rates.nothing() {
        return;
    }
    waits_agree(case, &rates, found);
    let resets_agree = resets_agree(case, &rates, found);
    counts_agree(&rates, found);
    remaining(case, &rates, found);
    // Where the two resets differ, nobody knows which one is meant: one cause is one finding.
    if resets_agree {
        reset_in_time(case, &rates, found);
    }
}

/// One value, where it stands, and the line that names it.
#[derive(Clone)]
struct Said<'c, T> {
    value: T,
    path: Place<'c>,
    source: &'c Source,
    tolerance_us: i64,
}

impl<'c, T> Said<'c, T> {
    fn in_header(header: &'c Header, value: T) -> Said<'c, T> {
        let tolerance_us = header.rule.tolerance.map_or(SECOND_US, |tolerance| i64::try_from(tolerance.0).unwrap_or(i64::MAX));
        Said { value, path: Place::Header(&header.shown), source: &header.source, tolerance_us }
    }
}

#[derive(Clone, Copy)]
enum Place<'c> {
    Header(&'c str),
    Member(&'c [Field], &'c Field),
}

impl Place<'_> {
    fn words(self) -> String {
        match self {
            Place::Header(name) => format!("header:{name}"),
            Place::Member(fields, field) => role::path(fields, field),
        }
    }

    fn name(self) -> String {
        match self {
            Place::Header(name) => name.to_owned(),
            Place::Member(fields, field) => role::path(fields, field),
        }
    }
}

/// When the server says to come back.
#[derive(Clone, Copy)]
enum Wait {
    /// Microseconds from the answer.
    For(i64),
    /// A moment, in microseconds since the Unix epoch.
    Until(i64),
}

/// The values of one kind, in the header and in the body.
struct Pair<'c, T> {
    header: Option<Said<'c, T>>,
    body: Option<Said<'c, T>>,
}

impl<'c, T> Pair<'c, T> {
    /// Whichever there is, the header first: it is what clients read.
    fn either(&self) -> Option<&Said<'c, T>> {
        self.header.as_ref().or(self.body.as_ref())
    }

    fn both(&self) -> Option<(&Said<'c, T>, &Said<'c, T>)> {
        self.header.as_ref().zip(self.body.as_ref())
    }
}

struct Rates<'c> {
    limit: Pair<'c, f64>,
    remaining: Pair<'c, f64>,
    reset: Pair<'c, i64>,
    wait: Pair<'c, Wait>,
    /// The header's text where it is not in its declared unit.
    unread_reset: Option<Said<'c, String>>,
}

impl<'c> Rates<'c> {
    fn of(case: &Case<'c, '_>) -> Rates<'c> {
        let mut rates = Rates {
            limit: Pair { header: None, body: member(case, Role::Limit, whole) },
            remaining: Pair { header: None, body: member(case, Role::Remaining, whole) },
            reset: Pair { header: None, body: member(case, Role::Reset, |json, format| body_moment(json, format, case.now)) },
            wait: Pair { header: None, body: member(case, Role::RetryAfter, body_wait) },
            unread_reset: None,
        };
        let mut seen = [false; Role::COUNT];
        for (header, named) in case.named() {
            // Of several headers with one role the first counts, whether it was sent or not.
            let Some(role) = header.role.filter(|role| !std::mem::replace(&mut seen[*role as usize], true)) else { continue };
            if let Some(text) = named.text() {
                rates.header(case.now, role, header, trimmed(&text));
            }
        }
        rates
    }

    fn header(&mut self, now: Option<Moment>, role: Role, header: &'c Header, text: &str) {
        match role {
            Role::Limit => self.limit.header = number(text).map(|number| Said::in_header(header, number)),
            Role::Remaining => self.remaining.header = number(text).map(|number| Said::in_header(header, number)),
            Role::RetryAfter => self.wait.header = wait(text).map(|wait| Said::in_header(header, wait)),
            Role::Reset => match moment(text, header.rule.format.unwrap_or(Format::EpochSeconds), now) {
                Some(moment) => self.reset.header = Some(Said::in_header(header, moment)),
                None => self.unread_reset = Some(Said::in_header(header, text.to_owned())),
            },
            _ => {}
        }
    }

    fn nothing(&self) -> bool {
        self.limit.either().is_none()
            && self.remaining.either().is_none()
            && self.reset.either().is_none()
            && self.wait.either().is_none()
            && self.unread_reset.is_none()
    }
}

/// R03.
fn waits_agree(case: &Case<'_, '_>, rates: &Rates<'_>, found: &mut Found) {
    let Some((header, body)) = rates.wait.both() else { return };
    let (Some((told, slack)), Wait::For(said)) = (from_now(header.value, case.now), body.value) else { return };
    if told.saturating_sub(said).saturating_abs() > header.tolerance_us.max(slack) {
        found.add("R03", Level::Must, || Blame {
            path: header.path.words(),
            expected: format!("{} s, as {} says", seconds(said), body.path.name()),
            actual: format!("{} s", seconds(told)),
            cause: "differs".to_owned(),
            source: Some(header.source.clone()),
        });
    }
}

/// R04. Says whether the resets can be relied on.
fn resets_agree(case: &Case<'_, '_>, rates: &Rates<'_>, found: &mut Found) -> bool {
    let Some(body) = &rates.reset.body else { return true };
    let (path, source, text, tolerance, actual) = match (&rates.reset.header, &rates.unread_reset) {
        (Some(header), _) => {
            let off = header.value.saturating_sub(body.value);
            if off.saturating_abs() <= header.tolerance_us {
                return true;
            }
            let text = reset_text(case).unwrap_or_default();
            let late = if off > 0 { "later" } else { "earlier" };
            let actual = format!(
                "{text}, which is {}, {} s {late}",
                instant::to_rfc3339(header.value.div_euclid(SECOND_US)),
                seconds(off.saturating_abs())
            );
            (header.path, header.source, text, header.tolerance_us, actual)
        }
        (None, Some(header)) => (header.path, header.source, header.value.clone(), header.tolerance_us, quoted(&header.value)),
        (None, None) => return true,
    };
    let fitting = unit_that_fits(&text, body.value, tolerance, case.now);
    found.add("R04", Level::Must, || Blame {
        path: path.words(),
        expected: format!("the moment of {}, {}", body.path.name(), instant::to_rfc3339(body.value.div_euclid(SECOND_US))),
        actual: fitting.map_or_else(|| actual.clone(), |unit| format!("{actual}; it would fit as {unit}")),
        cause: fitting.map_or_else(|| "differs".to_owned(), |unit| format!("fits as {unit}")),
        source: Some(source.clone()),
    });
    false
}

/// The unit in which a reset header would agree with the body.
fn unit_that_fits(text: &str, wanted_us: i64, tolerance_us: i64, now: Option<Moment>) -> Option<&'static str> {
    let fits = |us: i64| us.saturating_sub(wanted_us).saturating_abs() <= tolerance_us;
    UNITS.iter().find(|&&(_, format)| moment(text, format, now).is_some_and(fits)).map(|&(unit, _)| unit)
}

/// The unit in which a reset header alone would be a moment soon to come.
fn plausible_unit(text: &str, now: Moment, within_us: i64) -> Option<&'static str> {
    let fits = |us: i64| (-now.slack_us..=within_us.saturating_add(now.slack_us)).contains(&us.saturating_sub(now.us));
    UNITS.iter().find(|&&(_, format)| moment(text, format, Some(now)).is_some_and(fits)).map(|&(unit, _)| unit)
}

/// R08: limit and remaining, in header and body.
fn counts_agree(rates: &Rates<'_>, found: &mut Found) {
    for pair in [&rates.limit, &rates.remaining] {
        let Some((header, body)) = pair.both().filter(|(header, body)| header.value != body.value) else { continue };
        found.add("R08", Level::Must, || Blame {
            path: header.path.words(),
            expected: format!("{}, as {} says", body.value, body.path.name()),
            actual: header.value.to_string(),
            cause: "differs".to_owned(),
            source: Some(header.source.clone()),
        });
    }
}

/// R06 and R07.
fn remaining(case: &Case<'_, '_>, rates: &Rates<'_>, found: &mut Found) {
    for (limit, remaining) in [(&rates.limit.header, &rates.remaining.header), (&rates.limit.body, &rates.remaining.body)] {
        let Some(remaining) = remaining else { continue };
        let above = limit.as_ref().filter(|limit| remaining.value > limit.value);
        if remaining.value < 0.0 || above.is_some() {
            found.add("R06", Level::Must, || Blame {
                path: remaining.path.words(),
                expected: above.map_or_else(|| "0 or more".to_owned(), |limit| format!("at most {}, the limit", limit.value)),
                actual: remaining.value.to_string(),
                cause: if above.is_some() { "above the limit" } else { "negative" }.to_owned(),
                source: Some(remaining.source.clone()),
            });
        }
    }
    if let Some(left) = rates.remaining.either().filter(|left| case.status() == 429 && left.value > 0.0) {
        found.add("R07", Level::Must, || Blame {
            path: left.path.words(),
            expected: "0 on a 429".to_owned(),
            actual: left.value.to_string(),
            cause: "not 0".to_owned(),
            source: Some(left.source.clone()),
        });
    }
}

/// R05 and R09. A reset that is no moment at all says nothing about a wait.
fn reset_in_time(case: &Case<'_, '_>, rates: &Rates<'_>, found: &mut Found) {
    let Some(reset) = rates.reset.either() else { return };
    if let Some(now) = case.now
        && !is_plausible(case, rates, reset, now, found)
    {
        return;
    }
    let used_up = case.status() == 429 || rates.remaining.either().is_some_and(|left| left.value == 0.0);
    if let Some(wait) = rates.wait.either().filter(|_| used_up)
        && let Some((until, slack)) = until(wait.value, case.now)
        && until < reset.value.saturating_sub(slack)
    {
        found.add("R05", Level::Must, || Blame {
            path: wait.path.words(),
            expected: format!("not before the reset of {}, {}", reset.path.name(), instant::to_rfc3339(reset.value.div_euclid(SECOND_US))),
            actual: format!("{} s before it", seconds(reset.value.saturating_sub(until))),
            cause: "before the reset".to_owned(),
            source: Some(wait.source.clone()),
        });
    }
}

/// R09. Says whether the reset is a moment in its declared unit at all.
fn is_plausible(case: &Case<'_, '_>, rates: &Rates<'_>, reset: &Said<'_, i64>, now: Moment, found: &mut Found) -> bool {
    let off = reset.value.saturating_sub(now.us);
    let (past, far) = (off < -now.slack_us, off > FAR_US);
    if !past && !far {
        // The window of a limit is what sibling documents claim.
        let beyond = |window: &i64| off > window.saturating_add(now.slack_us);
        if found.holds(Level::Companion)
            && let Some(window) = window(case).filter(beyond)
        {
            found.add("R09", Level::Companion, || Blame {
                path: reset.path.words(),
                expected: format!("within the window of {} s", seconds(window)),
                actual: format!("in {} s", seconds(off)),
                cause: "beyond the window".to_owned(),
                source: Some(reset.source.clone()),
            });
        }
        return true;
    }
    let text = if rates.reset.header.is_some() { reset_text(case) } else { None };
    let fitting = text.and_then(|text| plausible_unit(&text, now, window(case).unwrap_or(USUAL_US)));
    let when = if past { format!("{} s ago", seconds(off.saturating_neg())) } else { format!("in {} s", seconds(off)) };
    found.add("R09", Level::Must, || Blame {
        path: reset.path.words(),
        expected: if past { "a moment to come" } else { "a moment within a year" }.to_owned(),
        actual: fitting.map_or_else(|| when.clone(), |unit| format!("{when}; it would fit as {unit}")),
        cause: fitting.map_or_else(|| if past { "in the past" } else { "years ahead" }.to_owned(), |unit| format!("fits as {unit}")),
        source: Some(reset.source.clone()),
    });
    false
}

/// The wait from now, and how far off it may be.
fn from_now(wait: Wait, now: Option<Moment>) -> Option<(i64, i64)> {
    match wait {
        Wait::For(span) => Some((span, 0)),
        Wait::Until(at) => now.map(|now| (at.saturating_sub(now.us), now.slack_us)),
    }
}

/// The moment at which the wait is over, and how far off it may be.
fn until(wait: Wait, now: Option<Moment>) -> Option<(i64, i64)> {
    match wait {
        Wait::For(span) => now.map(|now| (now.us.saturating_add(span), now.slack_us)),
        Wait::Until(at) => Some((at, SECOND_US)),
    }
}

fn member<'c, T>(case: &Case<'c, '_>, role: Role, read: impl Fn(Json<'_>, Option<Format>) -> Option<T>) -> Option<Said<'c, T>> {
    // A moment is read in its format, which need not be looked at before.
    let (field, value) = if role == Role::Reset { typed(case, role)? } else { said(case, role)? };
    let value = read(value, field.rule.format)?;
    Some(Said { value, path: Place::Member(case.fields, field), source: &field.source, tolerance_us: SECOND_US })
}

fn whole(json: Json<'_>, _: Option<Format>) -> Option<f64> {
    match json {
        Json::Number(number) => Some(number),
        Json::Text(text) => number(text),
        _ => None,
    }
}

fn number(text: &str) -> Option<f64> {
    digits(text).or_else(|| text.parse().ok()).map(|whole| whole as f64)
}

fn wait(text: &str) -> Option<Wait> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Wait::For(digits(text).unwrap_or(i64::MAX).saturating_mul(SECOND_US)));
    }
    instant::http_date(text).map(Wait::Until)
}

fn body_wait(json: Json<'_>, _: Option<Format>) -> Option<Wait> {
    match json {
        // A cast from float to integer saturates.
        Json::Number(number) => Some(Wait::For((number * 1e6) as i64)),
        Json::Text(text) => wait(text),
        _ => None,
    }
}

/// A moment written in a format.
pub(super) fn moment(text: &str, format: Format, now: Option<Moment>) -> Option<i64> {
    match format {
        Format::Rfc3339 => instant::rfc3339(text),
        Format::HttpDate => instant::http_date(text),
        Format::EpochSeconds | Format::Uri => Some(digits(text)?.saturating_mul(SECOND_US)),
        Format::EpochMillis => Some(digits(text)?.saturating_mul(1_000)),
        Format::DeltaSeconds | Format::DelaySeconds => Some(now?.us.saturating_add(digits(text)?.saturating_mul(SECOND_US))),
    }
}

fn body_moment(json: Json<'_>, format: Option<Format>, now: Option<Moment>) -> Option<i64> {
    match json {
        Json::Text(text) => moment(text, format.unwrap_or(Format::Rfc3339), now),
        Json::Number(number) if number >= 0.0 => moment(&format!("{number:.0}"), format.unwrap_or(Format::EpochSeconds), now),
        _ => None,
    }
}

fn reset_text(case: &Case<'_, '_>) -> Option<String> {
    case.header_with(Role::Reset)?.1.map(|text| text.trim().to_owned())
}

fn window(case: &Case<'_, '_>) -> Option<i64> {
    let fields = case.fields.iter().filter_map(|field| field.rule.window);
    let headers = case.headers.iter().filter_map(|header| header.rule.window);
    fields.chain(headers).min().and_then(|window| i64::try_from(window.0).ok())
}

/// Microseconds as seconds, without a fraction where there is none.
fn seconds(us: i64) -> String {
    let (whole, rest) = (us / SECOND_US, (us % SECOND_US).unsigned_abs());
    if rest == 0 { whole.to_string() } else { format!("{:.3}", us as f64 / 1e6) }
}
