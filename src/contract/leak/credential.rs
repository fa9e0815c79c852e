//! L04: credentials in an answer, our own and others'. A value is never shown, only what it is.

use std::borrow::Cow;
use std::ptr;
use std::sync::LazyLock;

use http::HeaderMap;
use http::header::COOKIE;
use regex::Captures;

use crate::contract::check::Case;
use crate::contract::head::Known;
use crate::contract::leak::pattern::Forms;
use crate::secret::{Secrets, is_spelled_in};
use crate::wire::OWN_HEADERS;

/// Credentials shorter than this are words that any text may hold.
const SHORTEST: usize = 8;
/// The same for the value of one cookie: many are settings.
const SHORTEST_COOKIE: usize = 16;

/// Credentials that anyone knows by their form, and what they are.
pub(super) static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    Forms::new(&[
        ("a JSON Web Token", r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
        ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[A-Za-z0-9+/=\s]*"),
        ("a cloud access key", r"(?-u:\b)(?:AKIA|ASIA)[0-9A-Z]{16}(?-u:\b)"),
        (
            "an API key",
            r"(?-u:\b)(?:AIza[0-9A-Za-z_-]{35}|[sr]k_live_[0-9A-Za-z]{16,}|gh[opusr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{40,}|xox[abprs]-[0-9A-Za-z-]{10,}|glpat-[0-9A-Za-z_-]{20}|sk-(?:proj-|ant-)?[0-9A-Za-z]{20,}[0-9A-Za-z_-]*|SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}|npm_[0-9A-Za-z]{36}|hf_[0-9A-Za-z]{30,})",
        ),
        ("a URI with a password", r"(?-u:\b)[a-z][a-z0-9+.-]*://[^\s/:@\x22']+:[^\s/@\x22']+@[0-9A-Za-z_.-]"),
        (
            "a connection string with a password",
            r"(?-u:\b)(?i:host|server|data source|user(?: id)?|uid|dbname)=[^;\s\x22']+[; ][^\n\x22']*(?i:password|passwd|pwd)=[^\s;&\x22']+",
        ),
        ("an Authorization header", r"(?i:authorization: ?(?:basic|bearer)) [A-Za-z0-9+/=._~-]{12,}"),
    ])
});

/// A text with every secret of a known form replaced by what it is.
pub(in crate::contract) fn mask(text: &str) -> Cow<'_, str> {
    FORMS.any().replace_all(text, |captures: &Captures<'_>| format!("[{}]", FORMS.name_of(&captures[0]).unwrap_or("a secret")))
}

/// Whether the answer shows a credential of ours: one that the plan declares, or one that the request carried.
///
/// A Date field that is a date has no room for a credential: it is not searched.
pub(super) fn is_ours(case: &Case<'_, '_>, body: &[u8]) -> bool {
    let Case { head, response, .. } = case;
    let secrets = &case.terms.secrets;
    let dated = head.value(Known::Date).filter(|_| head.date_us.is_some());
    let in_headers = |longer_than: usize, holds: &dyn Fn(&[u8]) -> bool| {
        // Most heads have no value as long as that.
        let any_may = head.longest >= longer_than || dated.is_none();
        any_may
            && response.headers.iter().any(|(name, value)| {
                let may = value.len() >= longer_than && !dated.is_some_and(|date| ptr::eq(date, value));
                may && !name.as_str().starts_with(OWN_HEADERS) && holds(value.as_bytes())
            })
    };
    // A body without a mark has no spelling of anything but its own.
    let are_in_body = || if case.look.marked { secrets.are_in(body) } else { secrets.stand_in(body) };
    let shortest = secrets.shortest_searched();
    if shortest.is_some_and(|shortest| are_in_body() || in_headers(shortest, &|value| secrets.are_in(value))) {
        return true;
    }
    any_sent(case.request.headers, &mut |credential| {
        let holds = |hay: &[u8]| is_spelled_in(hay, credential);
        !secrets.values().any(|declared| declared == credential) && (holds(body) || in_headers(credential.len(), &holds))
    })
}

/// Whether any credential of a request is such a one: what follows the scheme, each value of a cookie, the whole of other
/// fields.
fn any_sent(request: &HeaderMap, such: &mut dyn FnMut(&str) -> bool) -> bool {
    let mut fits = |value: &str, shortest: usize| value.trim_ascii().len() >= shortest && such(value.trim_ascii());
    request.iter().any(|(name, value)| {
        if !Secrets::is_credential(name.as_str()) {
            return false;
        }
        // What is not ASCII is not searched for. (A field has no control characters.)
        let text = value.as_bytes().is_ascii().then(|| str::from_utf8(value.as_bytes()).unwrap_or_default());
        let credential = text.map_or("", |text| Secrets::credential(name.as_str(), text));
        if name != COOKIE {
            return fits(credential, SHORTEST);
        }
        credential.split(';').any(|part| fits(part.split_once('=').map_or(part, |(_, value)| value), SHORTEST_COOKIE))
    })
}
