//! Which requests a rule looks at.

use std::cell::Cell;
use std::fmt;

use http::HeaderMap;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Matcher, Sighting};
use crate::seed::Seed;

/// How much of a body is looked at, in bytes. What lies beyond is forwarded unread.
pub const BODY_LIMIT: usize = 64 * 1024;

/// What must stand in the body of a request; everything asked for must hold within its first [`BODY_LIMIT`] bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyMatcher {
    /// These bytes, anywhere; empty: nothing is asked for.
    pub contains: Vec<u8>,
    /// The members of a JSON document, by path from its root, and the globs that their values match. A value that is
    /// no string is compared as it is written (`true`, `7`, `null`); an object or an array matches nothing.
    pub json: Vec<(Vec<String>, String)>,
}

/// Who asks, as a number that says nothing about the secret: what stands in `Authorization`, or else `X-Api-Key`.
/// 0 where neither is there.
pub fn key_of(headers: &HeaderMap) -> u64 {
    // A walk over the few that a request has costs less than two lookups by hash.
    let first = |name: &str| headers.iter().find(|(known, _)| known.as_str() == name).map(|(_, value)| value);
    let Some(value) = first("authorization").or_else(|| first("x-api-key")) else { return 0 };
    value.as_bytes().chunks(8).fold(Seed(0).draw("key"), |key, part| key.with(word(part))).bits().max(1)
}

/// Up to eight bytes as one number.
fn word(part: &[u8]) -> u64 {
    part.iter().fold(part.len() as u64, |word, &byte| word << 8 | u64::from(byte))
}

impl Matcher {
    /// Whether everything the matcher asks for holds; one that asks for nothing matches everything.
    ///
    /// Of a repeated header or name of the query, any one value may be the one that fits. Without a body that was
    /// read, what is asked of it does not hold.
    pub fn matches(&self, seen: &Sighting<'_>) -> bool {
        self.matches_head(seen) && self.body.as_ref().is_none_or(|body| seen.body.is_some_and(|bytes| body.matches(bytes)))
    }

    /// Whether everything holds that is asked of the request's head.
    pub(super) fn matches_head(&self, seen: &Sighting<'_>) -> bool {
        let header = |name, glob: &String| seen.headers.get_all(name).iter().any(|value| fits(glob.as_bytes(), value.as_bytes()));
        (self.methods.is_empty() || self.methods.contains(seen.method))
            && (self.scenarios.is_empty() || self.scenarios.contains(&seen.scenario))
            && self.path.as_ref().is_none_or(|pattern| pattern.matches(seen.path))
            && self.headers.iter().all(|(name, glob)| header(name, glob))
            && self.query.iter().all(|(name, glob)| in_query(seen.query, name, glob))
    }
}

/// Whether a name of the query has a value that fits; a name without `=` has the empty value.
fn in_query(query: &str, name: &str, glob: &str) -> bool {
    query.split('&').any(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Decoded(key.as_bytes()).eq(name.bytes()) && fits_each(glob.as_bytes(), Decoded(value.as_bytes()))
    })
}

/// The bytes of a part of a query (application/x-www-form-urlencoded, WHATWG URL §5.1): `+` is a space, `%41` an `A`; a
/// `%` that begins nothing stands for itself.
#[derive(Clone)]
struct Decoded<'q>(&'q [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let (byte, rest) = match *self.0 {
            [b'%', high, low, ref rest @ ..] if digit(high).is_some() && digit(low).is_some() => {
                (digit(high).unwrap_or(0) << 4 | digit(low).unwrap_or(0), rest)
            }
            [b'+', ref rest @ ..] => (b' ', rest),
            [byte, ref rest @ ..] => (byte, rest),
            [] => return None,
        };
        self.0 = rest;
        Some(byte)
    }
}

/// Whether `text` fits `glob`, in which `*` stands for any run of bytes, none included.
fn fits(glob: &[u8], text: &[u8]) -> bool {
    fits_each(glob, text.iter().copied())
}

/// The last `*` seen is the only one worth going back to: time is at most the product of the two lengths.
fn fits_each(glob: &[u8], mut text: impl Iterator<Item = u8> + Clone) -> bool {
    let mut g = 0;
    let mut star = None;
    loop {
        let mut rest = text.clone();
        let Some(byte) = rest.next() else { break };
        if glob.get(g) == Some(&b'*') {
            g += 1;
            star = Some((g, text.clone()));
        } else if glob.get(g) == Some(&byte) {
            (g, text) = (g + 1, rest);
        } else if let Some((after, taken)) = &mut star {
            taken.next();
            (g, text) = (*after, taken.clone());
        } else {
            return false;
        }
    }
    glob[g..].iter().all(|&byte| byte == b'*')
}

// === impl BodyMatcher ===

impl BodyMatcher {
    /// Whether everything asked for is in what the body begins with.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        memchr::memmem::find(bytes, &self.contains).is_some() && self.json.iter().all(|(path, glob)| member_fits(bytes, path, glob))
    }
}

/// Whether the member at this path is there, before the document ends, breaks off or breaks, with a value that fits.
fn member_fits(bytes: &[u8], path: &[String], glob: &str) -> bool {
    let found = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // What comes after the member does not matter, nor whether it is sound.
    let _ = Sought { path, glob, found: &found }.deserialize(&mut reader);
    found.get()
}

/// Looks for a member without keeping anything of the document.
#[derive(Clone, Copy)]
struct Sought<'s> {
    path: &'s [String],
    glob: &'s str,
    found: &'s Cell<bool>,
}

impl Sought<'_> {
    fn scalar(self, text: &str) {
        if self.path.is_empty() && fits(self.glob.as_bytes(), text.as_bytes()) {
            self.found.set(true);
        }
    }

    fn number(self, number: impl Into<serde_json::Number>) {
        if self.path.is_empty() {
            self.scalar(&number.into().to_string());
        }
    }
}

impl<'de> DeserializeSeed<'de> for Sought<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sought<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.number(value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.number(value);
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if let Some(number) = serde_json::Number::from_f64(value) {
            self.number(number);
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.scalar(value);
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar("null");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(here) = map.next_key_seed(Named(self.path.first()))? {
            match self.path {
                [_, rest @ ..] if here => map.next_value_seed(Sought { path: rest, ..self })?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let place = self.path.first().and_then(|part| part.parse::<usize>().ok());
        for index in 0.. {
            let there = match self.path {
                [_, rest @ ..] if place == Some(index) => list.next_element_seed(Sought { path: rest, ..self })?.is_some(),
                _ => list.next_element::<IgnoredAny>()?.is_some(),
            };
            if !there {
                break;
            }
        }
        Ok(())
    }
}

/// Whether a member's name is this one, without keeping it.
struct Named<'s>(Option<&'s String>);

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Named<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        Ok(self.0.is_some_and(|sought| sought == name))
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::id::{AttemptNumber, ScenarioIx, StepIx};
    use crate::units::Offset;
    use crate::wire::PathPattern;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn a_glob_fits_whole_values_only() {
        for (glob, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("Bearer *", "Bearer abc", true),
            ("Bearer *", "Basic abc", false),
            ("*json", "application/json", true),
            ("*json", "application/json; charset=utf-8", false),
            ("*json*", "application/json; charset=utf-8", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a**c", "ac", true),
        ] {
            assert_eq!(fits(glob.as_bytes(), text.as_bytes()), expected, "{glob} against {text}");
        }
    }

    #[test]
    fn a_glob_of_many_stars_does_not_explode() {
        assert!(!fits("*a".repeat(40).as_bytes(), "b".repeat(20_000).as_bytes()));
    }

    fn seen<'a>(scenario: u16, method: &'a Method, path: &'a str, headers: &'a HeaderMap) -> Sighting<'a> {
        Sighting {
            scenario: ScenarioIx(scenario),
            step: StepIx(0),
            arrival: 0,
            ordinal: 0,
            overall: 0,
            attempt: AttemptNumber::FIRST,
            at: Offset::START,
            method,
            path,
            query: "",
            headers,
            body: None,
            key: 0,
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            now: Offset::START,
        }
    }

    #[test]
    fn everything_asked_for_must_hold() {
        let matcher = Matcher {
            methods: vec![Method::POST, Method::PUT],
            path: Some(PathPattern::new("/v1/chat/**").expect("a pattern")),
            headers: vec![(http::header::ACCEPT, "*json*".into()), (http::HeaderName::from_static("x-team"), "blue".into())],
            scenarios: vec![ScenarioIx(1)],
            ..Matcher::default()
        };
        let blue = headers(&[("accept", "application/json"), ("x-team", "blue")]);
        let red = headers(&[("accept", "application/json"), ("x-team", "red")]);
        for (scenario, method, path, headers, expected, why) in [
            (1, Method::POST, "/v1/chat/completions", &blue, true, "all hold"),
            (1, Method::PUT, "/v1/chat/completions", &blue, true, "the other method"),
            (0, Method::POST, "/v1/chat/completions", &blue, false, "another scenario"),
            (1, Method::GET, "/v1/chat/completions", &blue, false, "another method"),
            (1, Method::POST, "/v1/models", &blue, false, "another path"),
            (1, Method::POST, "/v1/chat/completions", &red, false, "another value"),
            (1, Method::POST, "/v1/chat/completions", &headers(&[("x-team", "blue")]), false, "a header missing"),
        ] {
            assert_eq!(matcher.matches(&seen(scenario, &method, path, headers)), expected, "{why}");
        }
        assert!(Matcher::default().matches(&seen(9, &Method::GET, "/", &HeaderMap::new())), "nothing asked for");
    }

    #[test]
    fn any_value_of_a_repeated_header_may_fit() {
        let matcher = Matcher { headers: vec![(http::HeaderName::from_static("x-tag"), "b*".into())], ..Matcher::default() };
        assert!(matcher.matches(&seen(0, &Method::GET, "/", &headers(&[("x-tag", "alpha"), ("x-tag", "beta")]))));
    }

    #[test]
    fn a_name_of_the_query_has_a_value_that_fits_once_both_are_decoded() {
        for (query, name, glob, expected) in [
            ("stream=true", "stream", "true", true),
            ("a=1&stream=true", "stream", "t*", true),
            ("stream=false&stream=true", "stream", "true", true),
            ("xstream=true", "stream", "true", false),
            ("stream", "stream", "", true),
            ("stream=", "stream", "true", false),
            ("", "stream", "*", false),
            ("q=a+b%2Fc", "q", "a b/c", true),
            ("filter%5Bname%5D=x", "filter[name]", "x", true),
            ("q=100%", "q", "100%", true),
            ("q=%zz", "q", "%zz", true),
            ("q=%4", "q", "%4", true),
        ] {
            let (headers, method) = (HeaderMap::new(), Method::GET);
            let matcher = Matcher { query: vec![(name.to_owned(), glob.to_owned())], ..Matcher::default() };
            let seen = Sighting { query, ..seen(0, &method, "/", &headers) };
            assert_eq!(matcher.matches(&seen), expected, "{name} = {glob} in `{query}`");
        }
    }

    #[test]
    fn what_is_asked_of_a_body_stands_in_what_it_begins_with() {
        let json = |path: &str, glob: &str| BodyMatcher {
            json: vec![(path.split('.').map(str::to_owned).collect(), glob.to_owned())],
            ..BodyMatcher::default()
        };
        let text = |text: &str| BodyMatcher { contains: text.as_bytes().to_vec(), ..BodyMatcher::default() };
        let body = r#"{"other": {"model": "x"}, "model": "jan-nano", "n": 7, "t": 0.5, "stream": true, "user": null,
            "messages": [{"role": "system"}, {"role": "us\u0065r"}], "after": 1}"#;
        for (matcher, expected) in [
            (text("jan-nano"), true),
            (text("nothing of it"), false),
            (BodyMatcher::default(), true),
            (json("model", "jan-*"), true),
            (json("model", "gpt-*"), false),
            (json("other.model", "x"), true),
            (json("other", "*"), false),
            (json("n", "7"), true),
            (json("t", "0.5"), true),
            (json("stream", "true"), true),
            (json("user", "null"), true),
            (json("messages.1.role", "user"), true),
            (json("messages.2.role", "*"), false),
            (json("messages.first.role", "*"), false),
            (json("absent", "*"), false),
        ] {
            assert_eq!(matcher.matches(body.as_bytes()), expected, "{matcher:?}");
        }
        let cut = &body.as_bytes()[..80];
        assert!(
            json("model", "jan-*").matches(cut) && !json("after", "1").matches(cut),
            "a body that breaks off is read as far as it goes"
        );
        for hostile in ["", "[", "nonsense", "\u{0}", &"[".repeat(60_000)] {
            assert!(!json("model", "*").matches(hostile.as_bytes()), "{}", &hostile[..hostile.len().min(9)]);
        }
    }

    #[test]
    fn callers_are_told_apart_by_their_credentials() {
        let of = |pairs: &[(&'static str, &str)]| key_of(&headers(pairs));
        assert_eq!(of(&[("accept", "a")]), 0);
        assert_eq!(of(&[("authorization", "Bearer a"), ("accept", "x")]), of(&[("authorization", "Bearer a"), ("x-api-key", "k")]));
        let mut all =
            vec![of(&[]), of(&[("authorization", "Bearer a")]), of(&[("authorization", "Bearer b")]), of(&[("x-api-key", "Bearer")])];
        all.extend([of(&[("x-api-key", "12345678")]), of(&[("x-api-key", "123456789")]), of(&[("x-api-key", "1234567")])]);
        let different: std::collections::BTreeSet<u64> = all.iter().copied().collect();
        assert_eq!(different.len(), all.len());
    }
}
