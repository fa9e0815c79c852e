//! Is the request that would be sent still wrong? Decided by reading it again, not by trusting who wrote it.
//!
//! A mistake can be lost on its way to the wire: a list put into a query becomes the text of its item, a member that was
//! never there cannot be missing, a token that happens to be the right one is no garbage. Such a request would be
//! answered in order, and the server blamed for it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::Value as Json;

use super::member;
use super::request::{Valid, Wire, WireBody, carries_credentials};
use super::spoil::LONG;
use super::{Detail, Mistake, Probe};
use crate::plan::ProbeSettings;

/// Methods that a server may know (RFC 9110 §9, RFC 5789, and those of WebDAV and its kin in the IANA registry).
const METHODS: [&str; 22] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "CONNECT",
    "OPTIONS",
    "TRACE",
    "PATCH",
    "COPY",
    "LOCK",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "SEARCH",
    "UNLOCK",
    "BIND",
    "MKCOL",
    "REPORT",
    "QUERY",
    "LINK",
    "PURGE",
];

/// Confirms that a request has its probe's mistake; `valid` is the request as it should be.
///
/// # Errors
/// Says why it is not wrong.
pub fn verify(probe: &Probe, valid: &Valid, wire: &Wire, settings: &ProbeSettings) -> Result<(), String> {
    let said = |wrong: bool, why: &str| if wrong { Ok(()) } else { Err(why.to_owned()) };
    let body = wire.bytes();
    let parsed = || serde_json::from_slice::<Json>(body);
    match probe.mistake {
        Mistake::TruncatedJson => {
            said(matches!(parsed(), Err(error) if error.is_eof()), "the cut body is still JSON, or wrong in another way")
        }
        Mistake::WrongRoot => said(matches!(parsed(), Ok(Json::String(_))), "the body is not a JSON text"),
        Mistake::WrongType | Mistake::MissingField | Mistake::BadEnum | Mistake::OutOfRange | Mistake::TooLong => {
            changed_member(probe, valid, body, settings)
        }
        Mistake::NulByte => said(body.contains(&0) && std::str::from_utf8(body).is_ok() && parsed().is_err(), "the body has no bare NUL"),
        Mistake::InvalidUtf8 => said(std::str::from_utf8(body).is_err(), "the body is UTF-8"),
        Mistake::DuplicateKey => said(member::has_duplicates(body) == Some(true), "no member is there twice"),
        Mistake::EmptyBody => said(body.is_empty() && is_json(wire), "there is a body, or none was announced"),
        Mistake::NoCredentials => {
            let had = valid.headers.iter().any(|(name, _)| carries_credentials(name));
            said(had && !wire.headers.iter().any(|(name, _)| carries_credentials(name)), "the request carries credentials, or never did")
        }
        Mistake::WrongScheme => {
            let (now, before) = (authorization(wire), authorization(&valid.as_wire()));
            said(now.zip(before).is_some_and(|(now, before)| !now.0.eq_ignore_ascii_case(&before.0)), "the scheme is the right one")
        }
        Mistake::GarbageToken => said(is_unknown_token(valid, wire, settings), "the token is somebody's"),
        Mistake::ExpiredToken if matches!(probe.detail, Detail::Identity(_)) => {
            said(differs(valid, wire), "the credentials are the plan's own")
        }
        Mistake::ExpiredToken => {
            let expired = claim(wire, 1).and_then(|claims| claims.get("exp")?.as_u64()).is_some_and(|at| at < 1_500_000_000);
            said(expired && is_unknown_token(valid, wire, settings), "the token has not expired")
        }
        Mistake::UnsignedToken => {
            let unsigned = claim(wire, 0).is_some_and(|head| head.get("alg") == Some(&Json::from("none")));
            let bare = authorization(wire).is_some_and(|(_, token)| token.ends_with('.'));
            said(unsigned && bare && is_unknown_token(valid, wire, settings), "the token is signed")
        }
        Mistake::ForeignIdentity => said(differs(valid, wire), "the credentials are the plan's own"),
        Mistake::UnknownId => {
            let (now, before) = (path(&wire.target), valid.path());
            said(
                now != before && now.split('/').count() == before.split('/').count() && !now.contains("//"),
                "the id is the one that exists, or none",
            )
        }
        Mistake::UnknownRoute => {
            said(path(&wire.target) != valid.path() && wire.target.contains("brownout-"), "the path is one that is served")
        }
        Mistake::WrongMethod => said(wire.method != valid.method && METHODS.contains(&wire.method.as_str()), "the method is the right one"),
        Mistake::UnknownMethod => said(!METHODS.contains(&wire.method.as_str()) && is_token(&wire.method), "the method is a known one"),
        Mistake::NotAcceptable => only(wire, "accept", b"application/x-none"),
        Mistake::StalePrecondition => {
            said(wire.header("if-match").is_some_and(|tag| tag.starts_with(b"\"brownout-")), "there is no If-Match")
        }
        Mistake::CreatedTwice => said(wire.method == "POST" && !body.is_empty(), "this request creates nothing"),
        Mistake::AnnouncedTooLarge => {
            let larger = matches!(&wire.body, WireBody::Declared { length, bytes } if *length >= LARGE && bytes.is_empty());
            said(larger && wire.expect_continue, "what is announced is no large body")
        }
        Mistake::TooLarge => said(body.len() as u64 >= LARGE && parsed().is_ok(), "the body is not large, or wrong in another way"),
        Mistake::LongQuery => said(wire.target.len() >= LONG && wire.target.contains('?'), "the query is not long"),
        Mistake::LongHeader => said(wire.headers.iter().any(|(_, value)| value.len() >= LONG), "no header is long"),
        Mistake::UnknownContentType => only(wire, "content-type", b"application/x-none"),
        Mistake::MissingContentType => said(wire.header("content-type").is_none() && !body.is_empty(), "the type is said, or of nothing"),
        Mistake::UnknownEncoding => only(wire, "content-encoding", b"x-none"),
        Mistake::AbsurdRange => only(wire, "range", b"bytes=999999999999-"),
        Mistake::UnknownExpectation => only(wire, "expect", b"x-none"),
        // What the contract or the plan spells out is wrong because they say so.
        Mistake::Hooked | Mistake::Documented | Mistake::Burst => Ok(()),
    }
}

/// No API takes JSON of more than a megabyte without saying so.
const LARGE: u64 = 1 << 20;

fn changed_member(probe: &Probe, valid: &Valid, body: &[u8], settings: &ProbeSettings) -> Result<(), String> {
    let before: Json = serde_json::from_slice(&valid.body).map_err(|_| "the valid body is not JSON")?;
    let now: Json = serde_json::from_slice(body).map_err(|_| "the body is not JSON any more")?;
    let rule = probe.rule(settings);
    let way = probe.way(settings).ok_or("no member is named")?;
    let (Some(before), now) = (member::get(&before, &way), member::get(&now, &way)) else {
        return Err("the valid request has no such member".to_owned());
    };
    let Some(rule) = rule else {
        return match now {
            Some(now) if probe.mistake == Mistake::WrongType && member::kind(now) != member::kind(before) => Ok(()),
            _ => Err("the member has the type it had".to_owned()),
        };
    };
    let wrong = match (probe.mistake, now) {
        (Mistake::MissingField, None) => rule.required,
        (Mistake::BadEnum, Some(Json::String(text))) => !rule.one_of.is_empty() && !rule.one_of.contains(text),
        (Mistake::OutOfRange, Some(number)) => {
            number.as_f64().is_some_and(|number| rule.min.is_some_and(|min| number < min) || rule.max.is_some_and(|max| number > max))
        }
        (Mistake::TooLong, Some(Json::String(text))) => rule.max_len.is_some_and(|most| text.chars().count() > most),
        _ => false,
    };
    if wrong { Ok(()) } else { Err("the member is within its rule".to_owned()) }
}

fn only(wire: &Wire, name: &str, value: &[u8]) -> Result<(), String> {
    let mut found = wire.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (Some((_, only)), None) if only == value => Ok(()),
        _ => Err(format!("`{name}` is not what it should be, or there twice")),
    }
}

fn path(target: &str) -> &str {
    target.split('?').next().unwrap_or(target)
}

fn is_token(method: &str) -> bool {
    !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_json(wire: &Wire) -> bool {
    wire.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().windows(4).any(|four| four == b"json"))
}

/// Scheme and token.
fn authorization(wire: &Wire) -> Option<(String, String)> {
    let value = std::str::from_utf8(wire.header("authorization")?).ok()?;
    let (scheme, token) = value.split_once(' ')?;
    Some((scheme.to_owned(), token.to_owned()))
}

/// Whether the credentials are others than the valid request's.
fn differs(valid: &Valid, wire: &Wire) -> bool {
    let of = |headers: &[(String, Vec<u8>)]| {
        let mut found: Vec<Vec<u8>> =
            headers.iter().filter(|(name, _)| carries_credentials(name)).map(|(_, value)| value.clone()).collect();
        found.sort_unstable();
        found
    };
    of(&valid.headers) != of(&wire.headers)
}

/// Whether the token is neither the valid request's nor an identity's of the plan.
fn is_unknown_token(valid: &Valid, wire: &Wire, settings: &ProbeSettings) -> bool {
    let Some(now) = wire.header("authorization") else { return false };
    let of_identities = settings.identities.iter().flat_map(|identity| &identity.headers).map(|(_, value)| value.as_bytes());
    valid.header("authorization").into_iter().chain(of_identities).all(|known| known != now)
}

/// The head (0) or the claims (1) of a JWT.
fn claim(wire: &Wire, part: usize) -> Option<Json> {
    let (_, token) = authorization(wire)?;
    serde_json::from_slice(&BASE64.decode(token.split('.').nth(part)?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::probed::Credentials;
    use crate::id::{ScenarioIx, StepIx};
    use crate::plan::probe::{FieldRule, Identity};
    use crate::probe::{From, Needs, Unwritten, random_like, spoil};
    use crate::record::How;
    use crate::seed::Seed;

    fn valid() -> Valid {
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        Valid {
            method: "POST".to_owned(),
            target: "/v1/conversations/conv_a1b2c3d4/items?limit=5".to_owned(),
            headers: vec![header("host", "h"), header("authorization", "Bearer right-token"), header("content-type", "application/json")],
            body: br#"{"role":"user","content":"hello","count":3,"tags":["a"],"nested":{"a":1}}"#.to_vec(),
        }
    }

    fn settings() -> ProbeSettings {
        let rule = |name: &str| FieldRule { name: name.to_owned(), ..FieldRule::default() };
        ProbeSettings {
            identities: vec![Identity { name: "other".into(), headers: vec![(http::header::AUTHORIZATION, "Bearer other-token".into())] }],
            fields: vec![
                FieldRule { required: true, one_of: vec!["user".into(), "system".into()], ..rule("role") },
                FieldRule { min: Some(1.0), max: Some(50.0), ..rule("count") },
                FieldRule { max_len: Some(10), ..rule("content") },
            ],
            ..ProbeSettings::default()
        }
    }

    fn probe(mistake: Mistake) -> Probe {
        Probe {
            id: mistake.word().to_owned(),
            operation: String::new(),
            from: From::Step(ScenarioIx(0), StepIx(0)),
            mistake,
            detail: match mistake {
                Mistake::WrongType => Detail::Member(vec!["content".into()]),
                Mistake::MissingField | Mistake::BadEnum => Detail::Rule(0),
                Mistake::OutOfRange => Detail::Rule(1),
                Mistake::TooLong => Detail::Rule(2),
                Mistake::WrongMethod => Detail::Method("PUT"),
                Mistake::ForeignIdentity => Detail::Identity(0),
                _ => Detail::None,
            },
            aims: Vec::new(),
            accept: Vec::new(),
            tolerated: false,
            client_fault: true,
            field: None,
            canary: None,
            credentials: Credentials::Good,
            needs: Needs::default(),
            how: How::Probe,
            hook: None,
            requests: 1,
        }
    }

    /// Mistakes that are wrong because somebody says so, and the second of two equal requests.
    const TRUSTED: [Mistake; 4] = [Mistake::Hooked, Mistake::Documented, Mistake::Burst, Mistake::CreatedTwice];

    #[test]
    fn every_mistake_is_made_and_confirmed_and_never_confirmed_in_the_valid_request() {
        let (valid, settings, draw) = (valid(), settings(), Seed(1).draw("x"));
        for mistake in Mistake::ALL {
            let probe = probe(mistake);
            let with = match mistake {
                Mistake::UnknownId => {
                    Valid { target: valid.target.replace("conv_a1b2c3d4", &random_like("conv_a1b2c3d4", draw)), ..valid.clone() }
                }
                _ => valid.clone(),
            };
            let wire = spoil(&probe, &with, &valid, &settings, draw).unwrap_or_else(|error| panic!("{mistake:?}: {error:?}"));
            assert_eq!(verify(&probe, &valid, &wire, &settings), Ok(()), "{mistake:?}");
            if !TRUSTED.contains(&mistake) {
                assert_ne!(wire, valid.as_wire(), "{mistake:?}");
                assert!(verify(&probe, &valid, &valid.as_wire(), &settings).is_err(), "{mistake:?} is seen in a valid request");
            }
        }
    }

    #[test]
    fn a_mistake_that_does_not_survive_is_not_sent() {
        let draw = Seed(1).draw("x");
        let not_wrong = |mistake, valid: &Valid, settings: &ProbeSettings| spoil(&probe(mistake), valid, valid, settings, draw).err();
        let mut lenient = settings();
        lenient.fields[0] = FieldRule { name: "role".into(), one_of: vec!["<brownout>".into()], ..FieldRule::default() };
        lenient.fields[1] = FieldRule { name: "count".into(), ..FieldRule::default() };
        let nowhere = Valid { body: br#"{"other":1}"#.to_vec(), ..valid() };
        let anonymous = Valid { headers: vec![("content-type".into(), b"application/json".to_vec())], ..valid() };
        let texted = Valid { headers: Vec::new(), ..valid() };
        let cases = [
            ("the value is one of those allowed", not_wrong(Mistake::BadEnum, &valid(), &lenient)),
            ("the member is not required", not_wrong(Mistake::MissingField, &valid(), &lenient)),
            ("the number has no range", not_wrong(Mistake::OutOfRange, &valid(), &lenient)),
            ("there is no such member", not_wrong(Mistake::BadEnum, &nowhere, &settings())),
            ("there were no credentials to leave out", not_wrong(Mistake::NoCredentials, &anonymous, &settings())),
            ("there is no scheme to change", not_wrong(Mistake::WrongScheme, &anonymous, &settings())),
            ("nobody announced JSON", not_wrong(Mistake::EmptyBody, &texted, &settings())),
            ("the id is the genuine one", not_wrong(Mistake::UnknownId, &valid(), &settings())),
            ("a number cut short is a number", not_wrong(Mistake::TruncatedJson, &Valid { body: b"12".to_vec(), ..valid() }, &settings())),
        ];
        for (why, error) in cases {
            assert!(matches!(error, Some(Unwritten::NotWrong(_) | Unwritten::NoRoom(_))), "{why}: {error:?}");
        }
    }

    #[test]
    fn a_random_id_has_the_form_of_the_true_one() {
        let draw = Seed(9).draw("x");
        for id in ["conv_a1B2c3", "0b44b1c2-3f6e-4a1d-9c55-0123456789ab", "user_123456"] {
            let other = random_like(id, draw);
            assert_ne!(other, id);
            let shape = |id: &str| id.chars().map(|c| if c.is_ascii_alphanumeric() { 'a' } else { c }).collect::<String>();
            if !id.starts_with("user") {
                assert_eq!(shape(&other), shape(id));
            }
            assert_eq!(other.split('_').next().filter(|_| id.contains('_')), id.split('_').next().filter(|_| id.contains('_')));
        }
        assert!(random_like("42", draw).parse::<u64>().is_ok_and(|number| number >= 1_000_000_000), "no number that was given out");
    }
}
