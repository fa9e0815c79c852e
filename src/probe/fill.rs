//! Requests that a contract or a plan spells out: their `${…}` filled in, their credentials put on.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::request::{Valid, carries_credentials};
use crate::contract::provoke::{Ask, AskBody, Found, Who};
use crate::plan::ProbeSettings;
use crate::seed::Draw;
use crate::workload::uuid;

/// A value that was captured is cut here: a hostile answer must not fill the memory or the next request.
const LONGEST_CAPTURE: usize = 8 * 1024;
/// A text filled in is no longer than this.
const LONGEST: usize = 16 << 20;

/// What fills the places of a probe's texts.
#[derive(Clone, Debug)]
pub struct Filling<'f> {
    pub run_id: std::borrow::Cow<'f, str>,
    /// Decides `${uuid}`: one for the whole probe.
    pub draw: Draw,
    /// What its preparations captured.
    pub captured: BTreeMap<String, String>,
}

/// The request of an ask. `usual` are the headers every request of the plan carries, `Host` among them; `prefix` is the
/// path that the target's URL ends with.
///
/// # Errors
/// Where it wants an identity that the plan does not have: its name.
pub fn fill(
    ask: &Ask,
    filling: &Filling<'_>,
    usual: &[(String, Vec<u8>)],
    prefix: &str,
    settings: &ProbeSettings,
) -> Result<Valid, String> {
    let identity = match &ask.who {
        Who::Plan | Who::Nobody => None,
        Who::Named(name) => Some(settings.identities.iter().find(|identity| identity.name == *name).ok_or_else(|| name.clone())?),
    };
    let mut headers: Vec<(String, Vec<u8>)> = usual.to_vec();
    if ask.who != Who::Plan {
        headers.retain(|(name, _)| !carries_credentials(name));
    }
    let mut set = |name: &str, value: Vec<u8>| {
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        headers.push((name.to_owned(), value));
    };
    for (name, value) in identity.iter().flat_map(|identity| &identity.headers) {
        set(name.as_str(), value.clone().into_bytes());
    }
    let body = match &ask.body {
        AskBody::None => Vec::new(),
        AskBody::Json(json) => {
            set("content-type", b"application/json".to_vec());
            filling.json(json).to_string().into_bytes()
        }
        AskBody::Text(text) => filling.text(text).into_bytes(),
        AskBody::Bytes(bytes) => bytes.clone(),
        AskBody::Filled(size) => vec![b'x'; usize::try_from(size.0).unwrap_or(0)],
    };
    for (name, value) in &ask.headers {
        // A line break in a value would be another header.
        set(name, filling.text(value).bytes().filter(|byte| *byte >= 0x20 && *byte != 0x7f).collect());
    }
    Ok(Valid { method: ask.method.clone(), target: format!("{prefix}{}", filling.url(&ask.target)), headers, body })
}

impl Filling<'_> {
    /// Keeps a value of an answer; false where it is not there.
    pub fn keep(&mut self, name: &str, found: &Found, headers: &http::HeaderMap, body: &[u8]) -> bool {
        let value = match found {
            Found::Header(name) => headers.get(name.as_str()).and_then(|value| value.to_str().ok()).map(str::to_owned),
            Found::Json(way) => serde_json::from_slice::<Json>(body).ok().and_then(|json| member(&json, way)),
        };
        value
            .map(|mut value| {
                value.truncate(value.floor_char_boundary(LONGEST_CAPTURE));
                self.captured.insert(name.to_owned(), value);
            })
            .is_some()
    }

    fn json(&self, json: &Json) -> Json {
        match json {
            Json::String(text) => Json::String(self.text(text)),
            Json::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Json::Object(members) => {
                members.iter().map(|(name, member)| (name.clone(), self.json(member))).collect::<serde_json::Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }

    fn text(&self, text: &str) -> String {
        self.with(text, |value, out| out.push_str(value))
    }

    /// What is filled in is percent-encoded, so that it stays one segment or one value.
    fn url(&self, text: &str) -> String {
        let filled = self.with(text, |value, out| {
            for byte in value.bytes() {
                match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
                    _ => out.push_str(&format!("%{byte:02X}")),
                }
            }
        });
        // The author's own text may hold what no request line can.
        filled.bytes().fold(String::with_capacity(filled.len()), |mut out, byte| {
            match byte {
                b'!'..=b'~' => out.push(char::from(byte)),
                _ => out.push_str(&format!("%{byte:02X}")),
            }
            out
        })
    }

    fn with(&self, text: &str, put: impl Fn(&str, &mut String)) -> String {
        let mut out = String::with_capacity(text.len());
        let mut pieces = text.split("${");
        out.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            match piece.split_once('}') {
                Some((name, rest)) => {
                    put(&self.value(name), &mut out);
                    out.push_str(rest);
                }
                None => out.push_str(piece),
            }
        }
        out.truncate(out.floor_char_boundary(LONGEST));
        out
    }

    fn value(&self, name: &str) -> String {
        match name {
            "uuid" => uuid(self.draw),
            "run.id" => self.run_id.to_string(),
            _ => match name.strip_prefix("x:").and_then(|count| count.parse::<usize>().ok()) {
                Some(count) => "x".repeat(count.min(LONGEST)),
                None => self.captured.get(name).cloned().unwrap_or_default(),
            },
        }
    }
}

fn member(json: &Json, way: &[String]) -> Option<String> {
    let found = way.iter().try_fold(json, |value, name| match value {
        Json::Array(items) => items.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    })?;
    match found {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn captured_values_stay_values_wherever_they_are_put() {
        let mut filling = Filling { run_id: "r".into(), draw: Seed(1).draw("x"), captured: BTreeMap::new() };
        let body = br#"{"data":[{"id":"a/b c\r\nX: 1"}]}"#;
        assert!(filling.keep("id", &Found::Json(vec!["data".into(), "0".into(), "id".into()]), &http::HeaderMap::new(), body));
        assert!(!filling.keep("no", &Found::Json(vec!["nothing".into()]), &http::HeaderMap::new(), body));
        let ask = Ask {
            method: "GET".into(),
            target: "/v1/${id}?x=${x:3}".into(),
            headers: vec![("X-Id".into(), "${id}".into())],
            body: AskBody::Json(serde_json::json!({ "a": ["${id}", 1] })),
            who: Who::Nobody,
        };
        let usual = vec![("authorization".to_owned(), b"Bearer t".to_vec()), ("host".to_owned(), b"h".to_vec())];
        let valid = fill(&ask, &filling, &usual, "/api", &ProbeSettings::default()).expect("filled");
        assert_eq!(valid.target, "/api/v1/a%2Fb%20c%0D%0AX%3A%201?x=xxx");
        assert_eq!(valid.header("x-id"), Some(&b"a/b cX: 1"[..]));
        assert_eq!(valid.header("authorization"), None);
        assert_eq!(valid.body, br#"{"a":["a/b c\r\nX: 1",1]}"#);
    }

    #[test]
    fn an_identity_that_the_plan_does_not_have_is_named() {
        let filling = Filling { run_id: "r".into(), draw: Seed(1).draw("x"), captured: BTreeMap::new() };
        let ask = Ask { who: Who::Named("admin".into()), ..Ask::default() };
        assert_eq!(fill(&ask, &filling, &[], "", &ProbeSettings::default()), Err("admin".to_owned()));
    }
}
