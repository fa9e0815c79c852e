//! What one violating answer looked like: request, answer, and a curl line, with secrets masked.
//!
//! Whatever a target sends ends up in reports, tickets and terminals: secrets are replaced before anything is cut, control
//! characters are made visible, and a curl line can be pasted into a shell without running what a target made up.

use std::fmt::Write as _;

use http::HeaderMap;

use crate::contract::findings::Place;
use crate::contract::resend::{Resend, place};
use crate::contract::{Violation, leak};
use crate::secret::Secrets;
use crate::units::Offset;
use crate::wire::{OWN_HEADERS, RequestFacts, ResponseFacts};

/// Bytes of each text, at most.
pub const LONGEST: usize = 8 * 1024;
/// Bytes of a body that are looked at; the rest is counted.
const LOOKED_AT: usize = 16 * 1024;
/// A body longer than this is not part of a command line.
const LONGEST_ARGUMENT: usize = 4 * 1024;

/// One sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub at: Offset,
    /// The request as sent, masked.
    pub request: String,
    /// The answer as it came, masked; at most 8 KiB.
    pub response: String,
    /// A command that sends the request again; secrets are shell variables.
    pub curl: String,
    /// The request for `brownout replay`, secrets by their names.
    pub resend: Resend,
    /// Where in the run it stands, where that is known.
    pub place: Option<Place>,
}

impl Evidence {
    /// Writes down one sample. `base_url` is the target's scheme and authority.
    pub fn of(
        at: Offset,
        base_url: &str,
        request: &RequestFacts<'_>,
        response: Option<&ResponseFacts<'_>>,
        violation: &Violation,
        secrets: &Secrets,
    ) -> Evidence {
        let mask = Mask(secrets);
        let line = format!("{} {}", request.method, mask.text(&place(request)));
        let response = match response {
            Some(response) => answer(response, secrets),
            None => format!("(no complete answer: {})", mask.text(&violation.actual)),
        };
        let size = request.body.len() as u64;
        let request_text = mask.message(&line, request.headers, request.body, size);
        let authority = base_url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
        let resend = Resend::of(request, authority, secrets);
        Evidence { at, request: request_text, response, curl: mask.curl(base_url, request), resend, place: None }
    }

    /// The bytes it takes.
    pub(super) fn size(&self) -> usize {
        self.request.len() + self.response.len() + self.curl.len() + self.resend.size()
    }
}

/// Text with secrets masked and control characters visible.
pub fn masked(text: &str, secrets: &Secrets) -> String {
    Mask(secrets).text(text)
}

/// An answer as it came, masked; at most 8 KiB.
pub fn answer(response: &ResponseFacts<'_>, secrets: &Secrets) -> String {
    let line = format!("{} {}", response.status, crate::contract::phrase::phrases(response.status).first().unwrap_or(&""));
    Mask(secrets).message(line.trim_end(), response.headers, response.body, response.body_bytes)
}

struct Mask<'s>(&'s Secrets);

impl Mask<'_> {
    fn text(&self, text: &str) -> String {
        visible(&leak::mask(&self.0.mask(text)))
    }

    fn message(&self, line: &str, headers: &HeaderMap, body: &[u8], size: u64) -> String {
        let mut text = format!("{line}\n");
        for (name, value) in headers.iter().filter(|(name, _)| !name.as_str().starts_with(OWN_HEADERS)) {
            let value = bytes_to_text(value.as_bytes());
            let value = self.0.mask_header(name.as_str(), &value);
            let _ = writeln!(text, "{name}: {}", visible(&leak::mask(&value)));
            if text.len() > LONGEST / 2 {
                text.push_str("… (more headers)\n");
                break;
            }
        }
        text.push('\n');
        let shown = &body[..body.len().min(LOOKED_AT)];
        let mut masked = self.text(&bytes_to_text(shown));
        // Where the body was cut, a secret may have been cut with it: its beginning must not show either.
        let unsafe_end = if shown.len() < body.len() { self.longest_secret() } else { 0 };
        let room = LONGEST.saturating_sub(text.len() + 40);
        let safe = masked.len().saturating_sub(unsafe_end);
        cut(&mut masked, room.min(safe));
        text.push_str(&masked);
        if shown.len() < body.len() || (body.len() as u64) < size || masked.len() + 40 >= room {
            let _ = write!(text, "\n… ({size} bytes in all)");
        }
        text
    }

    /// The bytes of the longest spelling: an escape of JSON takes six for one.
    fn longest_secret(&self) -> usize {
        6 * self.0.values().map(str::len).max().unwrap_or(0)
    }

    fn curl(&self, base_url: &str, request: &RequestFacts<'_>) -> String {
        let mut line = "curl -sS -i".to_owned();
        match request.method.as_str() {
            "GET" => {}
            "HEAD" => line.push_str(" --head"),
            method => {
                let _ = write!(line, " -X {}", argument(method));
            }
        }
        let mut notes = Vec::new();
        for (name, value) in request.headers {
            let skipped = ["host", "content-length", "connection", "transfer-encoding"].contains(&name.as_str());
            if skipped || name.as_str().starts_with(OWN_HEADERS) || line.len() >= LONGEST {
                continue;
            }
            if value.len() > LONGEST_ARGUMENT {
                let _ = write!(line, " -H @{name}.header");
                notes.push(format!("{name}: {} bytes, not shown", value.len()));
                continue;
            }
            let value = bytes_to_text(value.as_bytes());
            let _ = write!(line, " -H {}", argument(&format!("{name}: {}", self.0.mask_header(name.as_str(), &value))));
        }
        if !request.body.is_empty() {
            match std::str::from_utf8(request.body) {
                Ok(body) if body.len() <= LONGEST_ARGUMENT && !body.chars().any(is_hidden) => {
                    let _ = write!(line, " --data-raw {}", argument(&self.0.mask(body)));
                }
                _ => {
                    line.push_str(" --data-binary @body");
                    notes.push(format!("{} bytes, not shown", request.body.len()));
                }
            }
        }
        let place = place(request);
        if place.len() > LONGEST_ARGUMENT {
            let _ = write!(line, " {}\"$(cat path)\"", argument(base_url));
            notes.push(format!("path: {} bytes, not shown", place.len()));
        } else {
            let _ = write!(line, " {}", argument(&format!("{base_url}{}", self.0.mask(&place))));
        }
        if !notes.is_empty() {
            let _ = write!(line, "   # {}", notes.join("; "));
        }
        line
    }
}

/// One argument of a shell command. Without a `$` it stands in single quotes, where nothing is expanded; else in double
/// quotes, where only plain variables (`$TOKEN`) are left to be expanded and everything else is escaped.
fn argument(text: &str) -> String {
    let text: String = text.chars().map(|c| if is_hidden(c) { '?' } else { c }).collect();
    if !text.contains('$') {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut quoted = String::with_capacity(text.len() + 8);
    quoted.push('"');
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let variable = c == '$' && rest.peek().is_some_and(|next| next.is_ascii_uppercase());
        if matches!(c, '"' | '\\' | '`') || (c == '$' && !variable) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// The bytes as text, those that are none as `\xFF`.
fn bytes_to_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text
}

/// The text with control characters, and those that change the direction or the look of text, written out.
fn visible(text: &str) -> String {
    if !text.chars().any(is_hidden) {
        return text.to_owned();
    }
    text.chars().fold(String::with_capacity(text.len() + 16), |mut shown, c| {
        if is_hidden(c) {
            shown.extend(c.escape_default())
        } else {
            shown.push(c)
        }
        shown
    })
}

/// Control characters but for line breaks and tabs; bidirectional and zero-width characters; line separators.
fn is_hidden(c: char) -> bool {
    let changes_look = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    (c.is_control() && c != '\n' && c != '\t') || changes_look
}

fn cut(text: &mut String, at: usize) {
    let at = (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    text.truncate(at);
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method};

    use super::*;

    fn violation() -> Violation {
        let text = || "connection closed after 10 bytes of it".to_owned();
        Violation {
            check: "P03",
            severity: crate::severity::Severity::High,
            instance_path: "body".into(),
            expected: String::new(),
            actual: text(),
            cause: "cut".into(),
            contract_ref: None,
        }
    }

    fn evidence(method: Method, headers: &[(&'static str, &[u8])], body: &[u8], answer: &[u8]) -> Evidence {
        let mut secrets = Secrets::default();
        secrets.declare("token", "s3cr3t-value");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value).expect("a header value"));
        }
        let request = RequestFacts { method: &method, path: "/v1/x", query: Some("page=2&key=s3cr3t-value"), headers: &map, body };
        let none = HeaderMap::new();
        let response = ResponseFacts {
            status: 500,
            headers: &none,
            body: answer,
            body_complete: true,
            body_bytes: answer.len() as u64,
            received_at_unix_us: 0,
            round_trip: crate::units::Micros(0),
        };
        Evidence::of(Offset::START, "http://127.0.0.1:1", &request, Some(&response), &violation(), &secrets)
    }

    #[test]
    fn secrets_are_masked_in_request_answer_and_curl_line() {
        let headers: [(&str, &[u8]); 3] =
            [("authorization", b"Bearer s3cr3t-value"), ("x-brownout-exchange", b"1/2"), ("content-type", b"application/json")];
        let found = evidence(Method::POST, &headers, b"{\"t\":\"s3cr3t-value\"}", b"{\"echo\":\"s3cr3t-value\"}");
        assert_eq!(
            found.request,
            "POST /v1/x?page=2&key=$TOKEN\nauthorization: Bearer $TOKEN\ncontent-type: application/json\n\n{\"t\":\"$TOKEN\"}"
        );
        assert_eq!(found.response, "500 Internal Server Error\n\n{\"echo\":\"$TOKEN\"}");
        assert_eq!(
            found.curl,
            "curl -sS -i -X 'POST' -H \"authorization: Bearer $TOKEN\" -H 'content-type: application/json' --data-raw \"{\\\"t\\\":\\\"$TOKEN\\\"}\" \"http://127.0.0.1:1/v1/x?page=2&key=$TOKEN\""
        );
    }

    #[test]
    fn what_a_target_made_up_is_not_run_by_a_shell() {
        assert_eq!(
            argument("it's $(reboot) `id` \"q\" \\ $TOKEN ${X} $1"),
            "\"it's \\$(reboot) \\`id\\` \\\"q\\\" \\\\ $TOKEN \\${X} \\$1\""
        );
        assert_eq!(argument("it's !x `id`"), "'it'\\''s !x `id`'");
        assert_eq!(argument("a\u{1b}[2Jb"), "'a?[2Jb'");
    }

    #[test]
    fn control_and_direction_characters_are_written_out() {
        let found = evidence(Method::GET, &[("x-a", b"a\xffb")], b"", "{\"m\":\"\u{1b}[31m\u{202e}x\u{0}\"}\n".as_bytes());
        assert!(found.response.ends_with("{\"m\":\"\\u{1b}[31m\\u{202e}x\\u{0}\"}\n"), "{}", found.response);
        assert!(found.request.contains("x-a: a\\xFFb"), "{}", found.request);
        assert!(
            evidence(Method::POST, &[], b"\x00\x01", b"")
                .curl
                .contains("--data-binary @body \"http://127.0.0.1:1/v1/x?page=2&key=$TOKEN\"   # 2 bytes")
        );
    }

    #[test]
    fn values_too_long_for_a_command_are_files() {
        let long = "h".repeat(70_000);
        let found = evidence(Method::POST, &[("x-long", long.as_bytes()), ("x-odd", b"a   # b")], long.as_bytes(), b"");
        assert!(found.curl.len() < LONGEST, "{}", found.curl.len());
        assert!(found.curl.contains(" -H @x-long.header -H 'x-odd: a   # b' --data-binary @body \"http"), "{}", found.curl);
        assert!(found.curl.ends_with("   # x-long: 70000 bytes, not shown; 70000 bytes, not shown"), "{}", found.curl);
        assert!(found.resend.left_out.is_some_and(|why| why.contains("longer than 64 KiB")));
    }

    #[test]
    fn a_long_body_is_cut_after_masking_so_that_no_half_of_a_secret_shows() {
        for offset in 0..40 {
            let body = format!("{}{}", "x".repeat(offset), "s3cr3t-value ".repeat(4_000));
            let found = evidence(Method::GET, &[], b"", body.as_bytes());
            assert!(found.response.len() <= LONGEST, "{}", found.response.len());
            assert!(!found.response.contains("s3c"), "{offset}");
            assert!(found.response.ends_with(&format!("… ({} bytes in all)", body.len())));
        }
    }

    #[test]
    fn tokens_and_passwords_that_nobody_declared_are_masked_by_their_form() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghijklmnop";
        let found = evidence(Method::GET, &[], b"", format!("{{\"a\":\"{jwt}\",\"b\":\"postgres://u:hunter22@db/x\"}}").as_bytes());
        assert!(found.response.contains("[a JSON Web Token]") && found.response.contains("[a URI with a password]"), "{}", found.response);
        assert!(!found.response.contains("hunter22") && !found.response.contains("abcdefghijklmnop"));
    }
}
