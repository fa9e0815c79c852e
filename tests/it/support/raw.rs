//! Answers as they stand in `tests/it/contract/answers/` and `src/contract/catalogue/answers.http`: raw HTTP, a few abbreviations, and what is to be found in them.

use std::sync::Arc;

use brownout::contract::probed::{Credentials, ProbeFacts, existence_oracle};
use brownout::contract::stream::StreamJudge;
use brownout::contract::{Contract, Judged, Profile, Terms, Violation};
use brownout::secret::Secrets;
use brownout::severity::Severity;
use brownout::units::Micros;
use brownout::wire::{Ending, Failure, Phase, RequestFacts, ResponseFacts, SseRule, StreamFacts};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::contract::NOW_US;

/// The headers that `…` stands for.
const USUAL: [&str; 4] =
    ["Content-Type: application/json", "Date: Sun, 22 Nov 2026 12:00:00 GMT", "Cache-Control: no-store", "X-Content-Type-Options: nosniff"];

/// One check or case, and its answers.
pub struct Section {
    /// What stands after `####`.
    pub name: String,
    pub request: Request,
    pub answers: Vec<Sample>,
}

/// The request that all answers of a section are answers to.
pub struct Request {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub probe: Option<String>,
}

/// An answer of the file.
pub struct Sample {
    /// `high: missing`, or nothing where the answer is in order.
    pub expected: String,
    pub line: usize,
    what: What,
    probe: Option<String>,
}

enum What {
    Answer { status: u16, headers: HeaderMap, body: Vec<u8> },
    Failure(Failure),
    Oracle(u16, u16),
}

/// Reads a file of answers.
pub fn sections(text: &str) -> Vec<Section> {
    let lines: Vec<(usize, &str)> = text.lines().enumerate().map(|(ix, line)| (ix + 1, line)).collect();
    let begins = |line: &str| line.strip_prefix("#### ").map(str::to_owned);
    let mut sections: Vec<Section> = Vec::new();
    let mut rest = lines.as_slice();
    while let Some(((line, text), after)) = rest.split_first() {
        rest = after;
        if let Some(name) = begins(text) {
            let (head, after) = rest.split_at(rest.iter().position(|(_, text)| text.is_empty()).expect("an empty line"));
            sections.push(Section { name, request: request(head), answers: Vec::new() });
            rest = after;
        } else if let Some(mark) = text.strip_prefix("++++").or_else(|| text.strip_prefix("---- ")) {
            let next = |text: &str| text.starts_with("++++") || text.starts_with("----") || text.starts_with("####");
            let (own, after) = rest.split_at(rest.iter().position(|(_, text)| next(text)).unwrap_or(rest.len()));
            let lines: Vec<&str> = own.iter().map(|(_, text)| *text).collect();
            let section = sections.last_mut().expect("an answer stands in a section");
            section.answers.push(sample(mark.to_owned(), *line, &lines));
            rest = after;
        }
    }
    sections
}

fn request(head: &[(usize, &str)]) -> Request {
    let (method, path) = head[0].1.split_once(' ').expect("a method and a path");
    let mut request = Request { method: method.parse().expect("a method"), path: path.to_owned(), headers: HeaderMap::new(), probe: None };
    for (_, line) in &head[1..] {
        match line.strip_prefix("probe: ") {
            Some(probe) => request.probe = Some(probe.to_owned()),
            None => header(&mut request.headers, line),
        }
    }
    request
}

fn sample(expected: String, line: usize, lines: &[&str]) -> Sample {
    let end = lines.iter().position(|text| text.is_empty()).unwrap_or(lines.len());
    let (head, body) = (&lines[..end], lines.get(end + 1..).unwrap_or_default().join("\n"));
    let mut sample = Sample { expected, line, what: What::Failure(Failure::Reset), probe: None };
    if let Some(failure) = head[0].strip_prefix("failure: ") {
        sample.what = What::Failure(match failure {
            "cut" => Failure::BodyCutShort { received: 10, reset: false },
            "timeout" => Failure::TimedOut(Phase::Total),
            "refused" => Failure::Refused,
            "reset" => Failure::Reset,
            other => panic!("line {line}: no failure {other}"),
        });
        return sample;
    }
    if let Some((missing, forbidden)) = head[0].strip_prefix("oracle: ").and_then(|both| both.split_once(' ')) {
        sample.what = What::Oracle(missing.parse().expect("a status"), forbidden.parse().expect("a status"));
        return sample;
    }
    let mut headers = HeaderMap::new();
    for text in &head[1..] {
        match (*text, text.strip_prefix("probe: ")) {
            ("…", _) => USUAL.iter().for_each(|usual| header(&mut headers, usual)),
            (_, Some(probe)) => sample.probe = Some(probe.to_owned()),
            (text, None) => header(&mut headers, text),
        }
    }
    let status = head[0].parse().unwrap_or_else(|_| panic!("line {line}: `{}` is no status", head[0]));
    sample.what = What::Answer { status, headers, body: bytes(body.trim_end_matches('\n')) };
    sample
}

fn header(headers: &mut HeaderMap, line: &str) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("`{line}` is no header"));
    headers.append(
        name.to_ascii_lowercase().parse::<HeaderName>().expect("a header name"),
        HeaderValue::from_bytes(&bytes(value.trim())).expect("a header value"),
    );
}

/// A text with `⟨ef bb bf⟩` as bytes and `⟨100×a⟩` repeated.
fn bytes(text: &str) -> Vec<u8> {
    let mut parts = text.split('⟨');
    let mut bytes = parts.next().unwrap_or("").as_bytes().to_vec();
    for part in parts {
        let (inside, after) = part.split_once('⟩').expect("⟨ is closed");
        match inside.split_once('×') {
            Some((count, what)) => bytes.extend(what.repeat(count.parse().expect("a number")).into_bytes()),
            None => bytes.extend(inside.split(' ').map(|byte| u8::from_str_radix(byte, 16).expect("a byte in hex"))),
        }
        bytes.extend(after.as_bytes());
    }
    bytes
}

impl Sample {
    /// What is wrong with it in a profile.
    pub fn violations(&self, contract: &Contract, request: &Request, profile: Profile) -> Vec<Violation> {
        let terms = Terms { profile, undocumented: Severity::High, secrets: Arc::new(Secrets::default()) };
        let facts = RequestFacts { method: &request.method, path: &request.path, query: None, headers: &request.headers, body: b"" };
        let (status, headers, body) = match &self.what {
            What::Failure(failure) => return contract.check_failure(&terms, &facts, *failure),
            What::Oracle(missing, forbidden) => return existence_oracle(*missing, *forbidden).into_iter().collect(),
            What::Answer { status, headers, body } => (*status, headers, body),
        };
        let response = ResponseFacts {
            status,
            headers,
            body,
            body_complete: true,
            body_bytes: body.len() as u64,
            received_at_unix_us: NOW_US,
            round_trip: Micros::from_millis(40),
        };
        let probe = self.probe.as_deref().or(request.probe.as_deref());
        match probe.map(probed) {
            None => {
                let mut judged = contract.check(&terms, &facts, &response);
                if headers.get("content-type").is_some_and(|kind| kind == "text/event-stream") {
                    hear(contract, &terms, body, &mut judged);
                }
                judged.violations
            }
            Some(Probed { accept, client_fault, field, canary, credentials }) => {
                let probe = ProbeFacts { accept: &accept, client_fault, field, canary, credentials };
                contract.check_probe(&terms, &facts, &response, &probe).violations
            }
        }
    }
}

/// Tells the events of a stream to its judge.
fn hear(contract: &Contract, terms: &Terms, body: &[u8], judged: &mut Judged<'_>) {
    const DONE: &str = "[DONE]";
    let text = std::str::from_utf8(body).expect("events are text");
    let events: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let mut judge = StreamJudge::new(contract, terms);
    events.iter().filter(|event| **event != DONE).for_each(|event| judge.event(event.as_bytes()));
    let rule = SseRule { done: Some(DONE.to_owned()), max_gap: None };
    let facts = StreamFacts { events: events.len() as u64, terminated: events.last() == Some(&DONE), ..StreamFacts::default() };
    judge.finish(&rule, &facts, Ending::Answered(200), judged);
}

struct Probed<'t> {
    accept: Vec<u16>,
    client_fault: bool,
    field: Option<&'t str>,
    canary: Option<&'t str>,
    credentials: Credentials,
}

fn probed(text: &str) -> Probed<'_> {
    let mut probed = Probed { accept: Vec::new(), client_fault: false, field: None, canary: None, credentials: Credentials::Good };
    for word in text.split(' ') {
        match word.split_once('=').unwrap_or((word, "")) {
            ("accept", list) => probed.accept = list.split(',').map(|status| status.parse().expect("a status")).collect(),
            ("client-fault", _) => probed.client_fault = true,
            ("field", field) => probed.field = Some(field),
            ("canary", canary) => probed.canary = Some(canary),
            ("credentials", "weak") => probed.credentials = Credentials::Weak,
            ("credentials", "none") => probed.credentials = Credentials::None,
            ("credentials", "bad") => probed.credentials = Credentials::Bad,
            _ => panic!("`{word}` says nothing about a probe"),
        }
    }
    probed
}
