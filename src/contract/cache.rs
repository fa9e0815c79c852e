//! C01 and C02: whether an error may be kept and answered to somebody else, or later.

use http::Method;
use http::header::CACHE_CONTROL;

use crate::contract::check::{Blame, Case, Found, SECOND_US, text_of};
use crate::contract::head::Known;
use crate::contract::standard;
use crate::contract::{Level, Role, instant};
use crate::severity::Severity;

/// Looks at what an answer says about caches.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    rates_of_another(case, found);
    match case.status() {
        401 | 403 | 429 | 500.. => kept(case, found),
        _ => {}
    }
    if matches!(case.status(), 404 | 405 | 410 | 414 | 501) {
        kept_by_guess(case, found);
    }
}

/// C01: freshness that is stated, or `public`. Source: RFC 9111 §3, §4.2.1, §5.2.2.
fn kept(case: &Case<'_, '_>, found: &mut Found) {
    if !case.head.has(Known::CacheControl) && !case.head.has(Known::Expires) {
        return;
    }
    let directives = Directives::of(case);
    let cause = match directives {
        Directives { never: true, .. } => return,
        Directives { seconds: Some(seconds), .. } if seconds > 0 => "fresh for a time",
        Directives { seconds: Some(_), .. } => return,
        Directives { public: true, .. } => "public",
        _ if expires_later(case) => "fresh for a time",
        _ => return,
    };
    found.add("C01", Level::Must, || Blame {
        path: "header:Cache-Control".to_owned(),
        expected: format!("no-store, or nothing that lets a {} be kept", case.status()),
        actual: cause.to_owned(),
        cause: cause.to_owned(),
        source: None,
    });
}

/// C01, mildly: caches may keep these for as long as they see fit. Source: RFC 9110 §15.1, RFC 9111 §4.2.2.
fn kept_by_guess(case: &Case<'_, '_>, found: &mut Found) {
    let asked_to_read = matches!(*case.request.method, Method::GET | Method::HEAD);
    let told = case.head.has(Known::CacheControl) || case.head.has(Known::Expires);
    if asked_to_read && !told && !standard::is_named(case, Known::CacheControl) {
        found.add_as("C01", Severity::Low, Level::Rfc, || Blame {
            path: "header:Cache-Control".to_owned(),
            expected: "no-store, or how long it may be kept".to_owned(),
            actual: "no such header".to_owned(),
            cause: "missing".to_owned(),
            source: None,
        });
    }
}

/// C02.
fn rates_of_another(case: &Case<'_, '_>, found: &mut Found) {
    let Some(age) = case.head.text(Known::Age).and_then(|text| text.parse::<u64>().ok()).filter(|&age| age > 0) else { return };
    let of_contract = || {
        let mut rates = case.headers.iter().filter(|header| matches!(header.role, Some(Role::Limit | Role::Remaining | Role::Reset)));
        rates.find(|header| case.response.headers.contains_key(&header.name)).map(|header| header.shown.as_str())
    };
    let Some(name) = case.head.rate().map(Known::shown).or_else(of_contract) else { return };
    found.add("C02", Level::Must, || Blame {
        path: format!("header:{name}"),
        expected: "no rate limit on an answer from a cache".to_owned(),
        actual: format!("a rate limit, and an Age of {age} s"),
        cause: "on a cached answer".to_owned(),
        source: None,
    });
}

/// What the Cache-Control fields say together.
#[derive(Clone, Copy, Default)]
struct Directives {
    /// It is not kept, or not used without asking.
    never: bool,
    public: bool,
    /// For how long it is fresh, where that is said.
    seconds: Option<u64>,
}

impl Directives {
    fn of(case: &Case<'_, '_>) -> Directives {
        let mut all = Directives::default();
        for value in case.response.headers.get_all(CACHE_CONTROL) {
            text_of(value.as_bytes()).split(',').for_each(|directive| all.add(directive.trim()));
        }
        all
    }

    fn add(&mut self, directive: &str) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let is = |known: &str| name.trim_end().eq_ignore_ascii_case(known);
        if is("no-store") || (is("no-cache") && value.is_empty()) {
            self.never = true;
        } else if is("public") {
            self.public = true;
        } else if is("max-age") || is("s-maxage") {
            // The longer of the two: one cache or the other keeps it.
            self.seconds = value.trim().trim_matches('"').parse().ok().max(self.seconds);
        }
    }
}

fn expires_later(case: &Case<'_, '_>) -> bool {
    let expires = case.head.text(Known::Expires).and_then(instant::http_date);
    let now = case.head.date_us.or(case.now.map(|now| now.us));
    expires.zip(now).is_some_and(|(expires, now)| expires > now.saturating_add(SECOND_US))
}
