//! The changes that take more than a line.

use http::HeaderName;
use http::header::{AGE, CACHE_CONTROL, CONTENT_ENCODING, DATE, LOCATION};
use serde_json::Value;

use crate::contract::draft::{self, Draft, Edit, Framing};
use crate::contract::server::Encoding;
use crate::contract::{Role, phrase_of};

/// Bytes that a body lacks, or has too many.
const OFF: i64 = 64;
/// Deeper than any parser with a limit goes, and small.
const DEEP: usize = 200;
/// More than an error has to say.
const LARGE: usize = 17 * 1024;

pub(super) fn wait(draft: &mut Draft<'_>, text: &str) -> Option<()> {
    draft.edit(Role::RetryAfter, Edit::Set(text))
}

/// A Retry-After that is made of the one there was; one second where that is no number.
pub(super) fn wait_from(draft: &mut Draft<'_>, text: impl Fn(i64) -> String) -> Option<()> {
    let text = text(draft.wait_s().unwrap_or(1));
    wait(draft, &text)
}

/// The same number in header and body, where both have it.
pub(super) fn both(draft: &mut Draft<'_>, role: Role, number: i64) -> Option<()> {
    let header = draft.edit(role, Edit::Set(&number.to_string()));
    let member = draft.member_of(role, Edit::Set(Value::from(number)));
    header.or(member)
}

pub(super) fn limit(draft: &Draft<'_>) -> i64 {
    draft.name_of(Role::Limit).and_then(|name| draft.text(&name)?.parse().ok()).unwrap_or(100)
}

/// All moments of the limit, so many seconds later.
fn shift_reset(draft: &mut Draft<'_>, by_s: i64) -> Option<()> {
    let of_header = if draft.counts_millis(Role::Reset) { by_s * 1_000 } else { by_s };
    let header = draft.edit(Role::Reset, Edit::Shift(of_header));
    let member = draft.member_of(Role::Reset, Edit::Shift(by_s));
    header.or(member)
}

pub(super) fn reset_in_the_past(draft: &mut Draft<'_>) -> Option<()> {
    // Seconds from now cannot be in the past.
    let text = draft.name_of(Role::Reset).and_then(|name| Some(draft.text(&name)?.to_owned()));
    if text.is_some_and(|text| text.parse::<i64>().is_ok_and(|number| number < 100_000_000)) {
        return None;
    }
    shift_reset(draft, -3_600)
}

pub(super) fn reset_in_milliseconds(draft: &mut Draft<'_>) -> Option<()> {
    let name = draft.name_of(Role::Reset).filter(|_| !draft.counts_millis(Role::Reset))?;
    let seconds: i64 = draft.text(&name)?.parse().ok()?;
    draft.set(name, &seconds.checked_mul(1_000)?.to_string())
}

/// What a cache repeats half a minute later, consistent in itself.
pub(super) fn from_cache(draft: &mut Draft<'_>) -> Option<()> {
    const AGE_S: i64 = 30;
    draft.name_of(Role::Limit).or_else(|| draft.name_of(Role::Remaining))?;
    draft::header(&mut draft.headers, &DATE, Edit::Shift(-AGE_S))?;
    draft.set(AGE, &AGE_S.to_string())?;
    let _ = shift_reset(draft, -AGE_S);
    let _ = draft.member_of(Role::Timestamp, Edit::Shift(-AGE_S));
    Some(())
}

pub(super) fn cacheable(draft: &mut Draft<'_>) -> Option<()> {
    matches!(draft.status, 401 | 403 | 429 | 500..).then_some(())?;
    draft.set(CACHE_CONTROL, "public, max-age=60")
}

/// What the other vocabulary says of the same remainder.
pub(super) fn two_vocabularies(draft: &mut Draft<'_>) -> Option<()> {
    let name = draft.name_of(Role::Remaining).filter(|name| name == "x-ratelimit-remaining")?;
    let left: i64 = draft.text(&name)?.parse().ok()?;
    draft.set(HeaderName::from_static("ratelimit-remaining"), &(left + 7).to_string())
}

pub(super) fn request_ids_differ(draft: &mut Draft<'_>) -> Option<()> {
    draft.path_of(Role::RequestId)?;
    let name = draft.name_of(Role::RequestId).unwrap_or(HeaderName::from_static("x-request-id"));
    draft.set(name, "req_of_another_answer")
}

pub(super) fn code(draft: &mut Draft<'_>, code: Option<String>) -> Option<()> {
    draft.member_of(Role::Code, Edit::Set(Value::from(code?)))
}

pub(super) fn text(draft: &mut Draft<'_>, text: &str) -> Option<()> {
    draft.message(Edit::Set(Value::from(text)))
}

pub(super) fn missing_member(draft: &mut Draft<'_>) -> Option<()> {
    let path = draft.required()?;
    draft.member(&path, Edit::Remove)
}

pub(super) fn wrong_type(draft: &mut Draft<'_>) -> Option<()> {
    let path = draft.required()?;
    let wrong = if draft.value(&path)?.is_string() { Value::from(7) } else { Value::from("seven") };
    draft.member(&path, Edit::Set(wrong))
}

pub(super) fn other_status_inside(draft: &mut Draft<'_>) -> Option<()> {
    let said = if draft.status == 500 { 400 } else { 500 };
    let path = draft.status_path();
    draft.member(&path, Edit::Set(Value::from(said)))
}

pub(super) fn other_phrase(draft: &mut Draft<'_>) -> Option<()> {
    let path = draft.phrase_path()?;
    draft.member(&path, Edit::Set(Value::from("Oops")))
}

pub(super) fn twice(draft: &mut Draft<'_>) -> Option<()> {
    let path = draft.path_of(Role::Code).or_else(|| draft.path_of(Role::Message))?;
    let value = draft.value(&path)?;
    draft.member(&path, Edit::Repeat(value))
}

/// Pages and objects are told apart by their first byte.
fn object<'d>(draft: &'d Draft<'_>) -> Option<&'d [u8]> {
    let body = draft.body.trim_ascii();
    (body.first() == Some(&b'{') && body.len() > 16).then_some(body)
}

pub(super) fn truncated(draft: &mut Draft<'_>) -> Option<()> {
    let body = object(draft)?;
    draft.body = body[..body.len() - 5].to_vec();
    Some(())
}

/// As a language prints its own dictionaries.
pub(super) fn single_quotes(draft: &mut Draft<'_>) -> Option<()> {
    draft.body = object(draft)?.iter().map(|&byte| if byte == b'"' { b'\'' } else { byte }).collect();
    Some(())
}

pub(super) fn latin1(draft: &mut Draft<'_>) -> Option<()> {
    text(draft, "déjà refusé")?;
    draft.body = draft::encoded(std::str::from_utf8(&draft.body).ok()?, Encoding::Latin1);
    Some(())
}

pub(super) fn utf16(draft: &mut Draft<'_>) -> Option<()> {
    draft.body = draft::encoded(std::str::from_utf8(object(draft)?).ok()?, Encoding::Utf16);
    Some(())
}

pub(super) fn marked(draft: &mut Draft<'_>) -> Option<()> {
    draft.body = [b"\xef\xbb\xbf", object(draft)?].concat();
    Some(())
}

pub(super) fn nested(draft: &mut Draft<'_>) -> Option<()> {
    let rest = &object(draft)?[1..];
    let nest = format!("{{\"nested\":{}{},", "[".repeat(DEEP), "]".repeat(DEEP));
    draft.body = [nest.as_bytes(), rest].concat();
    Some(())
}

pub(super) fn large(draft: &mut Draft<'_>) -> Option<()> {
    let rest = &object(draft)?[1..];
    draft.body = [b"{", " ".repeat(LARGE).as_bytes(), rest].concat();
    Some(())
}

pub(super) fn empty(draft: &mut Draft<'_>) -> Option<()> {
    if draft.body.is_empty() {
        return None;
    }
    draft.body.clear();
    Some(())
}

/// The page of a gateway that knows nothing of the API: none of its headers, none of its members.
pub(super) fn gateway_page(draft: &mut Draft<'_>) -> Option<()> {
    if !(502..=504).contains(&draft.status) {
        draft.status = draft.documented_of(&[502, 504, 503])?;
    }
    let date = draft.headers.remove(DATE);
    draft.headers.clear();
    draft.headers.extend(date.map(|date| (DATE, date)));
    let page = page(draft.status);
    draft.become_page("text/html", page);
    Some(())
}

pub(super) fn page_called_json(draft: &mut Draft<'_>) -> Option<()> {
    draft.body = page(draft.status).into_bytes();
    Some(())
}

fn page(status: u16) -> String {
    let phrase = phrase_of(status).unwrap_or("Error");
    let title = format!("{status} {phrase}");
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>the gateway had no answer</center>\r\n</body>\r\n</html>\r\n"
    )
}

pub(super) fn to_sign_in(draft: &mut Draft<'_>) -> Option<()> {
    draft.status = 302;
    draft.set(LOCATION, "/login")
}

pub(super) fn apology(draft: &mut Draft<'_>) -> Option<()> {
    object(draft)?;
    draft.status = 200;
    draft.headers.remove(draft.name_of(Role::RetryAfter).unwrap_or(http::header::RETRY_AFTER));
    Some(())
}

/// A stream that began well. Its data are of no API in particular.
fn stream(draft: &mut Draft<'_>, events: &[&str]) -> Option<()> {
    draft.status = 200;
    draft.headers.remove(draft.name_of(Role::RetryAfter).unwrap_or(http::header::RETRY_AFTER));
    let text: String = events.iter().map(|data| format!("data: {data}\n\n")).collect();
    draft.become_page("text/event-stream", text);
    Some(())
}

const BEGINNING: [&str; 2] = ["{\"text\":\"Once\"}", "{\"text\":\" upon\"}"];

pub(super) fn error_in_stream(draft: &mut Draft<'_>) -> Option<()> {
    let error = std::str::from_utf8(object(draft)?).ok()?.replace(['\r', '\n'], " ");
    stream(draft, &[BEGINNING[0], BEGINNING[1], &error, "[DONE]"])
}

pub(super) fn unterminated_stream(draft: &mut Draft<'_>) -> Option<()> {
    stream(draft, &BEGINNING)
}

pub(super) fn framed(draft: &mut Draft<'_>, framing: Framing) -> Option<()> {
    object(draft)?;
    draft.framing = framing;
    Some(())
}

pub(super) fn too_short(draft: &mut Draft<'_>) -> Option<()> {
    framed(draft, Framing::LengthOffBy(OFF))
}

pub(super) fn too_long(draft: &mut Draft<'_>) -> Option<()> {
    framed(draft, Framing::LengthOffBy(-16))
}

pub(super) fn body_on_204(draft: &mut Draft<'_>) -> Option<()> {
    framed(draft, Framing::Content)?;
    draft.status = 204;
    Some(())
}

pub(super) fn body_after_head(draft: &mut Draft<'_>) -> Option<()> {
    if draft.to_head == Some(false) {
        return None;
    }
    framed(draft, Framing::Content)
}

pub(super) fn called_gzip(draft: &mut Draft<'_>) -> Option<()> {
    object(draft)?;
    draft.set(CONTENT_ENCODING, "gzip")
}

pub(super) fn truncated_gzip(draft: &mut Draft<'_>) -> Option<()> {
    let packed = draft::gzip(object(draft)?);
    draft.body = packed[..packed.len() - 12].to_vec();
    draft.set(CONTENT_ENCODING, "gzip")
}
