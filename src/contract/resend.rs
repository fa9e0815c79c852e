//! A request that can be sent again: whole in memory, with placeholders for its secrets in a report.
//!
//! [`Sent`] is the request as it went out, secrets included; it is never written anywhere. [`Resend`] is what a report
//! keeps of it: every secret is a `$NAME` that the plan can fill in again. What cannot be brought back to the very same
//! bytes that way is left out, and said to be.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};

use crate::contract::leak;
use crate::secret::{Secrets, Spelling};
use crate::wire::{OWN_HEADERS, RequestFacts};

/// Bytes of one value at most: of the target, a header, the body.
pub const LONGEST: usize = 64 * 1024;
/// Header fields that whoever sends a request makes anew.
const MADE_ANEW: [&str; 4] = ["connection", "content-length", "keep-alive", "transfer-encoding"];

/// How a secret may be spelled in a path or query, the most likely first.
const IN_PATHS: [Spelling; 3] = [Spelling::UrlText, Spelling::Url, Spelling::Raw];

/// A request as it was sent, secrets included.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    pub method: Method,
    /// Path and query, as on the request line.
    pub target: String,
    /// Without those that whoever sends it makes anew, and without our own.
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Nothing but its size: what is in it is nobody's business.
impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sent({} bytes)", self.size())
    }
}

impl Sent {
    /// The request, unless one of its values is longer than 64 KiB.
    pub fn of(request: &RequestFacts<'_>) -> Option<Sent> {
        let target = place(request);
        let headers: HeaderMap = kept(request.headers).map(|(name, value)| (name.clone(), value.clone())).collect();
        let short = target.len() <= LONGEST && request.body.len() <= LONGEST && headers.values().all(|value| value.len() <= LONGEST);
        short.then(|| Sent { method: request.method.clone(), target: target.into_owned(), headers, body: request.body.to_vec() })
    }

    /// The bytes it takes.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        self.target.len() + headers + self.body.len()
    }

    /// The path without the query, and the query.
    pub fn path_and_query(&self) -> (&str, Option<&str>) {
        self.target.split_once('?').map_or((self.target.as_str(), None), |(path, query)| (path, Some(query)))
    }

    /// The request as checks look at it.
    pub fn facts(&self) -> RequestFacts<'_> {
        let (path, query) = self.path_and_query();
        RequestFacts { method: &self.method, path, query, headers: &self.headers, body: &self.body }
    }
}

/// A request as a report keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resend {
    pub method: String,
    pub path_and_query: String,
    /// Names and values, in the order they were sent in.
    pub headers: Vec<(String, String)>,
    /// The body, where it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body, where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// The placeholders in it: `$TOKEN`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// How secrets are spelled in path and query, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_spelling: Option<Spelling>,
    /// How secrets are spelled in the body, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_spelling: Option<Spelling>,
    /// Headers whose value stands in the plan and nowhere else: `authorization`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_plan: Vec<String>,
    /// The step that sent it, as reports name it: whose headers these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The probe that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// Why it is not all there and cannot be sent again from the report; `null` where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// Why a request of a report cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// The report does not hold all of it.
    #[error("{0}")]
    LeftOut(String),
    /// It needs a secret that the plan does not declare.
    #[error("the request holds {0}, and the plan declares no such secret")]
    UnknownSecret(String),
    /// The plan does not spell out the value of a header.
    #[error("the plan does not say what stands in the header {0} before it is run")]
    NotInPlan(String),
    /// It is no request that we could have sent: somebody has changed the report.
    #[error("the request in the report is none: {0}")]
    Malformed(&'static str),
}

impl Resend {
    /// What a report keeps of a request; `authority` is the target's own, which need not be written down.
    pub fn of(request: &RequestFacts<'_>, authority: &str, secrets: &Secrets) -> Resend {
        let mut keeper = Keeper { secrets, used: Vec::new(), from_plan: Vec::new(), left_out: None };
        let (path_and_query, path_spelling) = keeper.keep(&place(request), &IN_PATHS, "the path");
        let mut headers = Vec::new();
        for (name, value) in
            kept(request.headers).filter(|(name, value)| *name != http::header::HOST || value.as_bytes() != authority.as_bytes())
        {
            match std::str::from_utf8(value.as_bytes()) {
                Ok(value) => headers.push((name.to_string(), keeper.keep_header(name.as_str(), value))),
                Err(_) => keeper.leave_out(format!("the header {name} is not text")),
            }
        }
        let (mut body, mut body_base64, mut body_spelling) = (None, None, None);
        match std::str::from_utf8(request.body) {
            Ok("") => {}
            Ok(text) => {
                let (kept, spelling) = keeper.keep(text, spellings_in(text), "the body");
                (body, body_spelling) = (Some(kept), spelling);
            }
            Err(_) if request.body.len() > LONGEST => keeper.leave_out(too_long("the body")),
            Err(_) if keeper.has_secret(request.body) => {
                keeper.leave_out("the body holds a secret and is not text".to_owned());
            }
            Err(_) => body_base64 = Some(STANDARD.encode(request.body)),
        }
        let Keeper { used, from_plan, left_out, .. } = keeper;
        if left_out.is_some() {
            (body, body_base64) = (None, None);
        }
        let method = request.method.to_string();
        Resend {
            method,
            path_and_query,
            headers,
            body,
            body_base64,
            secrets: used,
            path_spelling,
            body_spelling,
            from_plan,
            operation: None,
            probe: None,
            left_out,
        }
    }

    /// The request itself, with the secrets of the plan in place of their names; `spelled_out` is asked for the value of a
    /// header that stands in the plan and nowhere else.
    ///
    /// # Errors
    /// Where something is missing, or the report has been tampered with.
    pub fn refill(&self, secrets: &Secrets, spelled_out: impl Fn(&HeaderName) -> Option<HeaderValue>) -> Result<Sent, Unsendable> {
        if let Some(why) = &self.left_out {
            return Err(Unsendable::LeftOut(why.clone()));
        }
        if let Some(unknown) = self.secrets.iter().find(|name| !secrets.declares(name)) {
            return Err(Unsendable::UnknownSecret(unknown.chars().filter(|c| !c.is_control()).take(64).collect()));
        }
        let fill = |text: &str, spelling| if self.secrets.is_empty() { text.to_owned() } else { secrets.refill(text, spelling) };
        let method = Method::from_bytes(self.method.as_bytes()).map_err(|_| Unsendable::Malformed("its method is no token"))?;
        let target = fill(&self.path_and_query, self.path_spelling.unwrap_or(Spelling::Url));
        if !target.starts_with('/') || target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(Unsendable::Malformed("its target is no path"));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Unsendable::Malformed("a header has no valid name"))?;
            let value = match self.from_plan.iter().any(|from_plan| name == from_plan.as_str()) {
                true => spelled_out(&name).ok_or_else(|| Unsendable::NotInPlan(name.to_string()))?,
                false => HeaderValue::from_bytes(fill(value, Spelling::Header).as_bytes())
                    .map_err(|_| Unsendable::Malformed("a header has no valid value"))?,
            };
            if !is_made_anew(&name) {
                headers.try_append(name, value).map_err(|_| Unsendable::Malformed("it has too many headers"))?;
            }
        }
        let body = match (&self.body, &self.body_base64) {
            (Some(text), _) => fill(text, self.body_spelling.unwrap_or(Spelling::Raw)).into_bytes(),
            (None, Some(text)) => STANDARD.decode(text).map_err(|_| Unsendable::Malformed("its body is no base64"))?,
            (None, None) => Vec::new(),
        };
        Ok(Sent { method, target, headers, body })
    }

    /// The bytes it takes.
    pub(super) fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.path_and_query.len() + headers + self.body.as_ref().or(self.body_base64.as_ref()).map_or(0, String::len)
    }
}

/// Writes values down, as long as all of them can be brought back.
struct Keeper<'s> {
    secrets: &'s Secrets,
    used: Vec<String>,
    from_plan: Vec<String>,
    left_out: Option<String>,
}

impl Keeper<'_> {
    fn leave_out(&mut self, why: String) {
        self.left_out.get_or_insert(why);
    }

    /// The text with placeholders, and how they are to be spelled where there are any.
    fn keep(&mut self, text: &str, spellings: &[Spelling], what: &str) -> (String, Option<Spelling>) {
        if text.len() > LONGEST {
            self.leave_out(too_long(what));
            return (String::new(), None);
        }
        self.keep_masked(text, &self.secrets.mask(text), spellings, what)
    }

    fn keep_header(&mut self, name: &str, value: &str) -> String {
        if value.len() > LONGEST {
            self.leave_out(too_long(&format!("the header {name}")));
            return String::new();
        }
        let masked = self.secrets.mask_header(name, value);
        if Secrets::is_credential(name) && self.secrets.refill(&masked, Spelling::Header) != value {
            // No secret of the plan, but most likely in its text: only the plan can bring it back.
            self.from_plan.push(name.to_owned());
            return masked.into_owned();
        }
        self.keep_masked(value, &masked, &[Spelling::Header], &format!("the header {name}")).0
    }

    fn keep_masked(&mut self, text: &str, masked: &str, spellings: &[Spelling], what: &str) -> (String, Option<Spelling>) {
        let shown = leak::mask(masked).into_owned();
        if shown != masked {
            self.leave_out(format!("{what} holds a credential that the plan does not declare as a secret"));
        } else if masked != text {
            self.used.extend(self.secrets.placeholders(masked).filter(|name| !self.used.contains(name)).collect::<Vec<_>>());
            let brings_back = |spelling: &&Spelling| self.secrets.refill(masked, **spelling) == text;
            match spellings.iter().find(brings_back) {
                Some(spelling) => return (shown, Some(*spelling)),
                None => self.leave_out(format!("{what} holds a credential that the plan's secrets cannot bring back")),
            }
        } else if self.secrets.placeholders(text).next().is_some() {
            self.leave_out(format!("{what} holds the very text that stands for a secret"));
        }
        (shown, None)
    }

    fn has_secret(&self, body: &[u8]) -> bool {
        let text = String::from_utf8_lossy(body);
        let masked = self.secrets.mask(&text);
        masked != text || leak::mask(&text) != text
    }
}

fn too_long(what: &str) -> String {
    format!("{what} is longer than 64 KiB")
}

/// Path and query as they stood on the request line.
pub(super) fn place<'r>(request: &RequestFacts<'r>) -> Cow<'r, str> {
    match request.query {
        Some(query) => Cow::Owned(format!("{}?{query}", request.path)),
        None => Cow::Borrowed(request.path),
    }
}

fn kept(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    headers.iter().filter(|(name, _)| !is_made_anew(name))
}

fn is_made_anew(name: &HeaderName) -> bool {
    MADE_ANEW.contains(&name.as_str()) || name.as_str().starts_with(OWN_HEADERS)
}

/// How a secret may be spelled in a body, the most likely first.
fn spellings_in(body: &str) -> &'static [Spelling] {
    match body.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => &[Spelling::Json, Spelling::Raw, Spelling::Url],
        _ => &[Spelling::Raw, Spelling::Url, Spelling::Json],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.declare("token", "s3cr3t/\"value\"");
        secrets.declare("api-key", "k3y-k3y-k3y");
        secrets
    }

    fn sent(target: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Sent {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).expect("a value")))
            .collect();
        Sent { method: Method::POST, target: target.to_owned(), headers, body: body.to_vec() }
    }

    fn kept_of(request: &Sent) -> Resend {
        Resend::of(&request.facts(), "api.test", &secrets())
    }

    #[test]
    fn a_request_comes_back_to_the_very_same_bytes() {
        for request in [
            sent("/v1/x?page=2", &[("accept", "text/html")], b""),
            sent("/v1/x", &[("content-type", "application/json")], "{\"a\":\"\u{e9}\"}".as_bytes()),
            sent("/v1/x", &[], b"\x00\xff\xfe"),
            sent("/v1/x?key=k3y-k3y-k3y", &[("authorization", "Bearer k3y-k3y-k3y"), ("x-api-key", "s3cr3t/\"value\"")], b""),
            sent("/v1/s3cr3t%2F%22value%22/x", &[("content-type", "application/json")], br#"{"t":"s3cr3t/\"value\"","u":"k3y-k3y-k3y"}"#),
            sent("/v1/x", &[("content-type", "application/x-www-form-urlencoded")], b"a=s3cr3t%2F%22value%22&b=c"),
            sent("/?a=s3cr3t/%22value%22", &[], b""),
            sent("/v1/x", &[("content-type", "text/plain")], b"it is s3cr3t/\"value\"."),
        ] {
            let kept = kept_of(&request);
            let text = serde_json::to_string(&kept).expect("only string keys");
            assert!(!text.contains("s3cr3t") && !text.contains("k3y-"), "{text}");
            let read: Resend = serde_json::from_str(&text).expect("what was written");
            assert_eq!(
                read.refill(&secrets(), |_| None).map(|sent| (sent.target, sent.headers, sent.body)),
                Ok((request.target, request.headers, request.body)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_brought_back_is_left_out_and_said_to_be() {
        let long = "x".repeat(LONGEST + 1);
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghijklmnop";
        for (request, why) in [
            (sent(&format!("/{long}"), &[], b""), "the path is longer than 64 KiB"),
            (sent("/", &[], long.as_bytes()), "the body is longer than 64 KiB"),
            (sent("/", &[("x-a", &long)], b""), "the header x-a is longer than 64 KiB"),
            (sent("/", &[], jwt.as_bytes()), "the body holds a credential that the plan does not declare as a secret"),
            (sent("/", &[], b"\xff k3y-k3y-k3y"), "the body holds a secret and is not text"),
            (sent("/?a=$TOKEN", &[], b""), "the path holds the very text that stands for a secret"),
            (sent("/?a=s3cr3t%2f%22value%22", &[], b""), "the path holds a credential that the plan's secrets cannot bring back"),
        ] {
            let kept = kept_of(&request);
            assert_eq!(kept.left_out.as_deref(), Some(why));
            assert_eq!(kept.refill(&secrets(), |_| None), Err(Unsendable::LeftOut(why.to_owned())));
            let text = serde_json::to_string(&kept).expect("only string keys");
            assert!(!text.contains("k3y-k3y") && !text.contains("abcdefghijklmnop"), "{text}");
        }
        assert!(Sent::of(&sent("/", &[], long.as_bytes()).facts()).is_none());
    }

    #[test]
    fn a_credential_that_is_no_secret_of_the_plan_is_asked_of_its_text() {
        for (name, value, shown) in [("cookie", "sid=4711", "$SECRET"), ("authorization", "Bearer undeclared", "Bearer $TOKEN")] {
            let request = sent("/", &[(name, value)], b"");
            let kept = kept_of(&request);
            assert_eq!((kept.headers[0].1.as_str(), kept.from_plan.as_slice()), (shown, &[name.to_owned()][..]));
            assert_eq!(kept.refill(&secrets(), |_| None), Err(Unsendable::NotInPlan(name.to_owned())));
            let again = kept.refill(&secrets(), |asked| (asked == name).then(|| value.parse().expect("a value")));
            assert_eq!(again.map(|sent| sent.headers), Ok(request.headers));
        }
    }

    #[test]
    fn the_targets_own_host_and_what_frames_a_body_are_made_anew() {
        let headers =
            [("host", "api.test"), ("content-length", "3"), ("x-brownout-exchange", "r/1"), ("connection", "close"), ("accept", "*/*")];
        assert_eq!(kept_of(&sent("/", &headers, b"")).headers, [("accept".to_owned(), "*/*".to_owned())]);
        assert_eq!(kept_of(&sent("/", &[("host", "other.test")], b"")).headers.len(), 1);
    }

    #[test]
    fn a_report_that_was_tampered_with_is_refused() {
        let kept = Resend { method: "GET".to_owned(), path_and_query: "/".to_owned(), ..Resend::default() };
        let header = |name: &str, value: &str| Resend { headers: vec![(name.to_owned(), value.to_owned())], ..kept.clone() };
        assert!(kept.refill(&secrets(), |_| None).is_ok());
        for (resend, why) in [
            (Resend { method: "G ET".to_owned(), ..kept.clone() }, "its method is no token"),
            (Resend { path_and_query: "http://evil.test/".to_owned(), ..kept.clone() }, "its target is no path"),
            (Resend { path_and_query: "/ HTTP/1.1\r\nx: y".to_owned(), ..kept.clone() }, "its target is no path"),
            (header("a b", "c"), "a header has no valid name"),
            (header("a", "b\r\nc: d"), "a header has no valid value"),
            (Resend { body_base64: Some("?".to_owned()), ..kept.clone() }, "its body is no base64"),
        ] {
            assert_eq!(resend.refill(&secrets(), |_| None), Err(Unsendable::Malformed(why)));
        }
        let unknown = Resend { secrets: vec!["$OTHER".to_owned()], ..kept.clone() };
        assert_eq!(unknown.refill(&secrets(), |_| None), Err(Unsendable::UnknownSecret("$OTHER".to_owned())));
    }
}
