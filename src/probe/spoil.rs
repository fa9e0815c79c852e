//! A valid request, and one mistake: the request that is sent.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value as Json, json};

use super::member;
use super::request::{Valid, Wire, WireBody, carries_credentials};
use super::verify::verify;
use super::{CANARY, Detail, Mistake, Probe};
use crate::plan::ProbeSettings;
use crate::seed::Draw;

/// How long a query or header of the two mistakes about length is.
pub const LONG: usize = 16 * 1024;
/// Stands where bytes go that no JSON writer would write.
const MARK: &str = "brownout-mark";

/// Why a probe has no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// The valid request has nothing that this mistake could be made in.
    NoRoom(&'static str),
    /// The mistake did not survive: the request that would be sent is not wrong.
    NotWrong(String),
}

/// Makes the probe's mistake in a valid request, and verifies that it is still there.
///
/// `draw` decides random parts. For [`Mistake::UnknownId`], `valid` is filled with an id of nothing already, and `genuine`
/// is the same request with the captured id.
///
/// # Errors
/// Where there is no room for the mistake, or where it did not survive.
pub fn spoil(probe: &Probe, valid: &Valid, genuine: &Valid, settings: &ProbeSettings, draw: Draw) -> Result<Wire, Unwritten> {
    let mut wire = valid.as_wire();
    let no_room = Unwritten::NoRoom;
    match probe.mistake {
        Mistake::TruncatedJson => {
            let cut = (1..valid.body.len()).rev().find(|&at| valid.body[at - 1] != b'}' && at <= valid.body.len().div_ceil(2));
            wire.body = WireBody::Bytes(valid.body[..cut.ok_or(no_room("the body is too short to be cut"))?].to_vec());
        }
        Mistake::WrongRoot => wire.body = WireBody::Bytes(b"\"brownout\"".to_vec()),
        Mistake::WrongType | Mistake::MissingField | Mistake::BadEnum | Mistake::OutOfRange | Mistake::TooLong => {
            wire.body = WireBody::Bytes(without_member(probe, valid, settings)?);
        }
        Mistake::NulByte => wire.body = WireBody::Bytes(marked(valid, b"\0").ok_or(no_room("the body has no text member"))?),
        Mistake::InvalidUtf8 => wire.body = WireBody::Bytes(marked(valid, b"\xc3\x28").ok_or(no_room("the body has no text member"))?),
        Mistake::DuplicateKey => wire.body = WireBody::Bytes(doubled(valid).ok_or(no_room("the body is no object with members"))?),
        Mistake::EmptyBody => wire.body = WireBody::Bytes(Vec::new()),
        Mistake::NoCredentials => wire.headers.retain(|(name, _)| !carries_credentials(name)),
        Mistake::WrongScheme | Mistake::GarbageToken | Mistake::ExpiredToken | Mistake::UnsignedToken => {
            credentials(probe, &mut wire, settings, draw)?
        }
        Mistake::ForeignIdentity => {
            let Detail::Identity(ix) = probe.detail else { return Err(no_room("the plan has no other identity")) };
            dress(&mut wire, settings, ix);
        }
        Mistake::UnknownId | Mistake::Hooked | Mistake::Documented | Mistake::Burst | Mistake::CreatedTwice => {}
        Mistake::UnknownRoute => {
            let parent = valid.path().rsplit_once('/').map_or("", |(parent, _)| parent);
            wire.target = format!("{parent}/brownout-{:012x}", draw.bits() >> 16);
        }
        Mistake::WrongMethod => {
            let Detail::Method(method) = probe.detail else { return Err(no_room("every method is documented")) };
            wire.method = method.to_owned();
            wire.body = if ["POST", "PUT", "PATCH"].contains(&method) { WireBody::Bytes(b"{}".to_vec()) } else { WireBody::None };
        }
        Mistake::UnknownMethod => wire.method = "BROWNOUT".to_owned(),
        Mistake::NotAcceptable => wire.set("accept", "application/x-none"),
        Mistake::StalePrecondition => wire.set("if-match", format!("\"brownout-{:012x}\"", draw.bits() >> 16)),
        Mistake::AnnouncedTooLarge => {
            wire.body = WireBody::Declared { length: settings.max_body.0, bytes: Vec::new() };
            wire.expect_continue = true;
        }
        Mistake::TooLarge => {
            // White space after it makes JSON larger and not wrong in another way (RFC 8259 §2).
            let size = usize::try_from(settings.max_body.0).unwrap_or(usize::MAX).max(valid.body.len());
            let mut body = valid.body.clone();
            body.resize(size, b' ');
            wire.body = WireBody::Bytes(body);
        }
        Mistake::LongQuery => {
            let joint = if wire.target.contains('?') { '&' } else { '?' };
            wire.target = format!("{}{joint}brownout={}", wire.target, "x".repeat(LONG));
        }
        Mistake::LongHeader => wire.set("x-probe-padding", "x".repeat(LONG)),
        Mistake::UnknownContentType => wire.set("content-type", "application/x-none"),
        Mistake::MissingContentType => wire.remove("content-type"),
        Mistake::UnknownEncoding => wire.set("content-encoding", "x-none"),
        Mistake::AbsurdRange => wire.set("range", "bytes=999999999999-"),
        Mistake::UnknownExpectation => wire.set("expect", "x-none"),
    }
    verify(probe, genuine, &wire, settings).map_err(Unwritten::NotWrong)?;
    Ok(wire)
}

/// Puts an identity's headers in the place of the plan's credentials.
pub(super) fn dress(wire: &mut Wire, settings: &ProbeSettings, identity: usize) {
    let Some(identity) = settings.identities.get(identity) else { return };
    wire.headers.retain(|(name, _)| !carries_credentials(name));
    for (name, value) in &identity.headers {
        wire.set(name.as_str(), value.as_bytes());
    }
}

/// The body with one member changed or left out.
fn without_member(probe: &Probe, valid: &Valid, settings: &ProbeSettings) -> Result<Vec<u8>, Unwritten> {
    let mut body: Json = serde_json::from_slice(&valid.body).map_err(|_| Unwritten::NoRoom("the body is not JSON"))?;
    let rule = probe.rule(settings);
    let way = probe.way(settings).ok_or(Unwritten::NoRoom("no member is named"))?;
    let absent = Unwritten::NoRoom("the request has no such member");
    let now = member::get(&body, &way).ok_or(absent.clone())?;
    let value = match probe.mistake {
        Mistake::MissingField => {
            member::remove(&mut body, &way);
            return Ok(body.to_string().into_bytes());
        }
        Mistake::WrongType => match now {
            Json::Array(_) | Json::Object(_) => json!("brownout"),
            _ => json!([["brownout"]]),
        },
        Mistake::BadEnum => json!(CANARY),
        Mistake::TooLong => json!("x".repeat(rule.and_then(|rule| rule.max_len).unwrap_or(0) + 1)),
        _ => out_of_range(rule.and_then(|rule| rule.min), rule.and_then(|rule| rule.max), now.is_i64() || now.is_u64()),
    };
    if member::set(&mut body, &way, value) { Ok(body.to_string().into_bytes()) } else { Err(absent) }
}

/// A number just outside a range, whole where the valid one is.
fn out_of_range(min: Option<f64>, max: Option<f64>, whole: bool) -> Json {
    let value = match (max, min) {
        (Some(max), _) => max + 1.0,
        (None, Some(min)) => min - 1.0,
        (None, None) => f64::from(u32::MAX),
    };
    if whole && value.abs() < 9e15 { json!(value.round() as i64) } else { json!(value) }
}

/// The body with some bytes inside its first text member that no JSON writer would write there.
fn marked(valid: &Valid, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body: Json = serde_json::from_slice(&valid.body).ok()?;
    let name = body.as_object()?.iter().find(|(_, value)| value.is_string())?.0.clone();
    member::set(&mut body, &[name], json!(MARK));
    let text = body.to_string().into_bytes();
    let at = text.windows(MARK.len()).position(|window| window == MARK.as_bytes())?;
    Some([&text[..at], bytes, &text[at + MARK.len()..]].concat())
}

/// The body with its first member written twice, with different values.
fn doubled(valid: &Valid) -> Option<Vec<u8>> {
    let body: Json = serde_json::from_slice(&valid.body).ok()?;
    let (name, value) = body.as_object()?.iter().next()?;
    let text = body.to_string();
    Some(format!("{{{}:{},{}", json!(name), value, &text[1..]).into_bytes())
}

fn credentials(probe: &Probe, wire: &mut Wire, settings: &ProbeSettings, draw: Draw) -> Result<(), Unwritten> {
    if let (Mistake::ExpiredToken, Detail::Identity(ix)) = (probe.mistake, &probe.detail) {
        dress(wire, settings, *ix);
        return Ok(());
    }
    let found = wire.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let Some((name, value)) = found.map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned())) else {
        return Err(Unwritten::NoRoom("the credentials are not in Authorization"));
    };
    let scheme = value.split_once(' ').map_or("Bearer", |(scheme, _)| scheme).to_owned();
    let value = match probe.mistake {
        Mistake::WrongScheme if scheme.eq_ignore_ascii_case("basic") => "Bearer YnJvd25vdXQ".to_owned(),
        Mistake::WrongScheme => "Basic YnJvd25vdXQ6YnJvd25vdXQ=".to_owned(),
        Mistake::GarbageToken => format!("{scheme} {CANARY}{:016x}", draw.bits()),
        Mistake::ExpiredToken => format!("{scheme} {}", token("HS256", 1_000_000_000, &draw.bits().to_be_bytes())),
        _ => format!("{scheme} {}", token("none", 4_102_444_800, b"")),
    };
    wire.set(&name, value);
    Ok(())
}

/// A JWT (RFC 7519) of this algorithm that expires at this second of the Unix epoch.
fn token(algorithm: &str, expires: u64, signature: &[u8]) -> String {
    let head = json!({ "alg": algorithm, "typ": "JWT" }).to_string();
    let claims = json!({ "sub": "brownout", "exp": expires }).to_string();
    format!("{}.{}.{}", BASE64.encode(head), BASE64.encode(claims), BASE64.encode(signature))
}

/// An id of the same form that means nothing: what stands before the last `_` is kept, as are hyphens; digits become
/// digits, hexadecimal text hexadecimal text, other letters letters of their case.
pub fn random_like(id: &str, draw: Draw) -> String {
    let kept = id.rfind('_').filter(|&at| id.len() - at > 4).map_or(0, |at| at + 1);
    let rest = &id[kept..];
    if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()) {
        // Longer than any that was given out.
        let number = 1_000_000_000 + draw.below(9_000_000_000 - 1_000_000_000);
        return format!("{}{number}", &id[..kept]);
    }
    let hexadecimal = rest.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let other = |(ix, c): (usize, char)| {
        let draw = draw.with(ix as u64);
        let letter = |first: u8| char::from(first + draw.below(26) as u8);
        match c {
            _ if hexadecimal && c.is_ascii_hexdigit() => char::from_digit(draw.below(16) as u32, 16).unwrap_or('0'),
            '0'..='9' => char::from(b'0' + draw.below(10) as u8),
            'a'..='z' => letter(b'a'),
            'A'..='Z' => letter(b'A'),
            other => other,
        }
    };
    let random: String = rest.chars().enumerate().map(other).collect();
    format!("{}{random}", &id[..kept])
}
