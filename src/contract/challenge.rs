//! H04 and H05: how a client may sign in, as an answer says it.

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};

use crate::contract::Level;
use crate::contract::check::{Blame, Case, Found, quoted, text_of};

const PATH: &str = "header:WWW-Authenticate";

/// Looks at the challenges of an answer that has some.
pub(super) fn check(case: &Case<'_, '_>, found: &mut Found) {
    let mut seen = Seen { documented: documented_scheme(case), ..Seen::default() };
    for value in case.response.headers.get_all(WWW_AUTHENTICATE) {
        let text = text_of(value.as_bytes());
        if let Err(fault) = read(&text, &mut |part| seen.tell(part)) {
            found.add("H04", Level::Must, || Blame {
                path: PATH.to_owned(),
                expected: "challenges: a scheme, then parameters name=\"value\" separated by commas".to_owned(),
                actual: format!("{}: {fault}", quoted(&text)),
                cause: fault.to_owned(),
                source: None,
            });
            return;
        }
    }
    fits(case, &seen, found);
}

/// What the challenges of one answer say.
#[derive(Default)]
struct Seen<'s> {
    /// The scheme the contract shows.
    documented: Option<&'s str>,
    has_documented: bool,
    in_bearer: bool,
    bearer: bool,
    bearer_error: bool,
}

impl Seen<'_> {
    fn tell(&mut self, part: Part<'_>) {
        match part {
            Part::Scheme(scheme) => {
                self.in_bearer = scheme.eq_ignore_ascii_case("bearer");
                self.bearer |= self.in_bearer;
                self.has_documented |= self.documented.is_some_and(|documented| documented.eq_ignore_ascii_case(scheme));
            }
            Part::Parameter(name) => self.bearer_error |= self.in_bearer && name.eq_ignore_ascii_case("error"),
        }
    }
}

/// The scheme of the challenge that the contract shows.
fn documented_scheme<'c>(case: &Case<'c, '_>) -> Option<&'c str> {
    let header = case.headers.iter().find(|header| header.name == WWW_AUTHENTICATE)?;
    header.sample.as_deref()?.split([' ', ',']).next()
}

/// H05. That `error` belongs to a token which was sent is asked for by RFC 6750 §3 alone.
fn fits(case: &Case<'_, '_>, seen: &Seen<'_>, found: &mut Found) {
    let blame = |expected: String, actual: &str, cause: &str| Blame {
        path: PATH.to_owned(),
        expected,
        actual: actual.to_owned(),
        cause: cause.to_owned(),
        source: case.headers.iter().find(|header| header.name == WWW_AUTHENTICATE).map(|header| header.source.clone()),
    };
    if let Some(documented) = seen.documented.filter(|_| !seen.has_documented) {
        found.add("H05", Level::Expected, || blame(format!("the scheme {documented}"), "other schemes only", "another scheme"));
    }
    if case.status() != 401 || !seen.bearer {
        return;
    }
    let sent = case.request.headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
    let token = sent.is_some_and(|value| value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer ")));
    if token && !seen.bearer_error {
        let expected = || "error=\"invalid_token\", for a token was sent".to_owned();
        found.add("H05", Level::Rfc, || blame(expected(), "Bearer without error", "no error for a bad token"));
    } else if sent.is_none() && seen.bearer_error {
        let expected = || "no error, for nothing was sent".to_owned();
        found.add("H05", Level::Rfc, || blame(expected(), "Bearer with error", "error without a token"));
    }
}

/// A piece of a list of challenges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'t> {
    /// A new challenge begins.
    Scheme(&'t str),
    /// The name of one of its parameters.
    Parameter(&'t str),
}

/// Reads a list of challenges, `Basic realm="a", Bearer error="x", Negotiate dG9r`, and tells its parts.
///
/// Source: RFC 9110 §11.2 to §11.6.1 and §5.6.1 (empty elements of a list are no mistake of the reader's).
///
/// # Errors
/// Says what is wrong.
fn read<'t>(text: &'t str, told: &mut dyn FnMut(Part<'t>)) -> Result<(), &'static str> {
    let mut rest = Rest(text);
    let mut any = false;
    while !rest.skip(&[' ', '\t', ',']).is_empty() {
        let scheme = rest.token();
        if scheme.is_empty() {
            return Err("no scheme where a challenge begins");
        }
        if rest.peek() == Some('=') {
            return Err("a parameter without a scheme");
        }
        told(Part::Scheme(scheme));
        any = true;
        rest.parameters(told)?;
    }
    if any { Ok(()) } else { Err("no challenge") }
}

/// The text that is not read yet.
struct Rest<'t>(&'t str);

impl<'t> Rest<'t> {
    fn peek(&self) -> Option<char> {
        self.0.chars().next()
    }

    fn skip(&mut self, chars: &[char]) -> &'t str {
        self.0 = self.0.trim_start_matches(chars);
        self.0
    }

    fn take(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let end = self.0.find(|c| !fits(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn token(&mut self) -> &'t str {
        self.take(is_token)
    }

    /// Whether the element of the list ends here.
    fn ends(&mut self) -> bool {
        matches!(self.skip(&[' ', '\t']).chars().next(), None | Some(','))
    }

    /// What follows a scheme: nothing, a token68, or parameters, up to the comma before the next challenge.
    fn parameters(&mut self, told: &mut dyn FnMut(Part<'t>)) -> Result<(), &'static str> {
        let spaced = self.0.starts_with([' ', '\t']);
        if self.ends() {
            return Ok(());
        }
        if !spaced {
            return Err("no space after the scheme");
        }
        let begin = self.0;
        let token68 = self.take(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
        self.take(|c| c == '=');
        if !token68.is_empty() && self.ends() {
            return Ok(());
        }
        self.0 = begin;
        loop {
            let name = self.token();
            self.skip(&[' ', '\t']);
            if name.is_empty() || self.peek() != Some('=') {
                return Err("a parameter without a value");
            }
            self.0 = &self.0[1..];
            self.skip(&[' ', '\t']);
            self.value()?;
            told(Part::Parameter(name));
            if !self.ends() {
                return Err("no comma between two parameters");
            }
            let mut ahead = Rest(self.0);
            ahead.skip(&[' ', '\t', ',']);
            let next = Rest(ahead.0).0;
            let more = !ahead.token().is_empty() && ahead.skip(&[' ', '\t']).starts_with('=');
            if !more {
                return Ok(());
            }
            self.0 = next;
        }
    }

    fn value(&mut self) -> Result<(), &'static str> {
        if let Some(inside) = self.0.strip_prefix('"') {
            let mut escaped = false;
            let end = inside.find(|c| {
                let closes = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                closes
            });
            self.0 = &inside[end.ok_or("a quoted text that does not end")? + 1..];
            return Ok(());
        }
        if self.token().is_empty() { Err("a parameter without a value") } else { Ok(()) }
    }
}

/// Source: RFC 9110 §5.6.2.
pub(super) fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Result<String, &'static str> {
        let mut parts = Vec::new();
        read(text, &mut |part| {
            parts.push(match part {
                Part::Scheme(scheme) => scheme.to_owned(),
                Part::Parameter(name) => format!(".{name}"),
            });
        })?;
        Ok(parts.join(" "))
    }

    #[test]
    fn challenges_are_read_in_every_form_that_http_has() {
        for (text, expected) in [
            ("Bearer", "Bearer"),
            ("Bearer realm=\"api\"", "Bearer .realm"),
            ("bearer realm = api , error=\"invalid_token\"", "bearer .realm .error"),
            ("Basic realm=\"a, \\\"b\\\" = c\", charset=\"UTF-8\"", "Basic .realm .charset"),
            (
                "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
                "Newauth .realm .type .title Basic .realm",
            ),
            ("Negotiate dG9rZW4=, Basic", "Negotiate Basic"),
            ("Negotiate, NTLM", "Negotiate NTLM"),
            (", ,Bearer , ", "Bearer"),
            ("Bearer a=b, c=d, Digest x", "Bearer .a .c Digest"),
        ] {
            assert_eq!(parts(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_challenge_says_why() {
        for (text, why) in [
            ("", "no challenge"),
            (" , ", "no challenge"),
            ("\"Bearer\"", "no scheme where a challenge begins"),
            ("realm=\"api\"", "a parameter without a scheme"),
            ("Bearer, error=\"x\"", "a parameter without a scheme"),
            ("Bearer realm=\"api", "a quoted text that does not end"),
            ("Bearer realm=\"api\" error=\"x\"", "no comma between two parameters"),
            ("Bearer realm=, error=\"x\"", "a parameter without a scheme"), // `realm=` is a token68,
            ("Bearer realm \"api\"", "a parameter without a value"),
            ("Bearer: realm=\"api\"", "no space after the scheme"),
            ("Bearer realm=ü", "a parameter without a value"),
        ] {
            assert_eq!(parts(text), Err(why), "{text}");
        }
    }
}
