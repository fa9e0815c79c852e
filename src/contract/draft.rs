//! An answer before it is sent, to be changed by what its parts are for: so a change fits any contract.
//!
//! Where the answer was made from a row, the row says which header or member has a role; where it was not, whatever
//! envelope of the contract names one that is there; and where nothing does, the usual names are looked for.

mod edit;

use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

pub use self::edit::{Edit, encoded, header, member};
pub use crate::contract::coding::gzip;
use crate::contract::{Answer, Contract, Envelope, Field, Format, Header, Level, Role, Row, instant, phrase, role};
use crate::id::RowIx;

/// How the bytes of an answer disagree with what HTTP/1.1 says about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Not at all.
    #[default]
    Sound,
    /// Content-Length is by so much more, or less, than what is sent; then the connection ends.
    LengthOffBy(i64),
    /// Content where there must be none: after HEAD, with 204.
    Content,
    /// In chunks, the last one missing.
    Unended,
    /// In chunks, one of which has a size that is no number.
    BadChunk,
}

/// An answer before it is sent.
#[derive(Clone, Debug)]
pub struct Draft<'c> {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub framing: Framing,
    /// Whether it answers a HEAD; nobody knows before there is a request.
    pub to_head: Option<bool>,
    contract: Option<&'c Contract>,
    row: Option<&'c Row>,
    now_s: i64,
}

impl<'c> Draft<'c> {
    /// An answer of this contract, made from this row, at this moment in microseconds since the Unix epoch.
    pub fn new(answer: Answer, contract: Option<&'c Contract>, row: Option<RowIx>, now_unix_us: i64) -> Draft<'c> {
        let Answer { status, headers, body } = answer;
        let row = contract.zip(row).map(|(contract, row)| contract.row(row));
        Draft { status, headers, body, framing: Framing::Sound, to_head: None, contract, row, now_s: now_unix_us.div_euclid(1_000_000) }
    }

    /// Seconds since the Unix epoch.
    pub fn now_s(&self) -> i64 {
        self.now_s
    }

    /// The moment so many seconds from now as an HTTP-date.
    pub fn http_date(&self, in_s: i64) -> String {
        instant::to_http_date(self.now_s.saturating_add(in_s))
    }

    /// The moment so many seconds from now by RFC 3339.
    pub fn rfc3339(&self, in_s: i64) -> String {
        instant::to_rfc3339(self.now_s.saturating_add(in_s))
    }

    // ── headers

    /// The name of a header that is there and has this role.
    pub fn name_of(&self, role: Role) -> Option<HeaderName> {
        let of = |header: &&Header| header.role == Some(role) && self.headers.contains_key(&header.name);
        let named = self.envelopes().find_map(|envelope| envelope.headers.iter().find(of));
        let usual = || usual_header(role).filter(|name| self.headers.contains_key(name));
        named.map(|header| header.name.clone()).or_else(usual)
    }

    /// The text of a header; of several fields the first.
    pub fn text(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Sets a header, whether it was there or not.
    pub fn set(&mut self, name: HeaderName, text: &str) -> Option<()> {
        header(&mut self.headers, &name, Edit::Set(text))
    }

    /// Changes the header with a role; `None` where there is none.
    pub fn edit(&mut self, role: Role, edit: Edit<&str>) -> Option<()> {
        let name = self.name_of(role)?;
        header(&mut self.headers, &name, edit)
    }

    /// The seconds of a Retry-After that has them.
    pub fn wait_s(&self) -> Option<i64> {
        self.text(&self.name_of(Role::RetryAfter)?)?.parse().ok()
    }

    /// Whether the header with this role counts in milliseconds, as the contract has it.
    pub fn counts_millis(&self, role: Role) -> bool {
        self.row.is_some_and(|row| {
            row.envelope.headers.iter().any(|header| header.role == Some(role) && header.rule.format == Some(Format::EpochMillis))
        })
    }

    // ── members

    /// The path of a member that is there and has this role.
    pub fn path_of(&self, role: Role) -> Option<Vec<String>> {
        let body = self.json()?;
        let named = self.envelopes().find_map(|envelope| {
            let field = role::of(&envelope.fields, role)?;
            let path = role::path(&envelope.fields, field);
            let path: Vec<String> = path.split('.').skip(1).map(str::to_owned).collect();
            at(&body, &path).map(|_| path)
        });
        let usual = || {
            let path = vec![role.word().replace('-', "_")];
            at(&body, &path).map(|_| path)
        };
        named.or_else(usual)
    }

    /// The path of a member at the top that the contract has a use for.
    pub fn path_where(&self, fits: impl Fn(&Field) -> bool) -> Option<Vec<String>> {
        let body = self.json()?;
        let field = self.envelopes().find_map(|envelope| {
            let there = |field: &&Field| fits(field) && body.get(&field.name).is_some();
            envelope.fields.iter().find(there)
        })?;
        Some(vec![field.name.clone()])
    }

    /// What the body says at a path.
    pub fn value(&self, path: &[String]) -> Option<Value> {
        at(&self.json()?, path).cloned()
    }

    /// Changes a member; `None` where the body is no object, or has nothing there to change.
    pub fn member(&mut self, path: &[String], edit: Edit<Value>) -> Option<()> {
        self.body = member(&self.body, path, edit)?;
        Some(())
    }

    /// Changes the member with a role; `None` where there is none.
    pub fn member_of(&mut self, role: Role, edit: Edit<Value>) -> Option<()> {
        let path = self.path_of(role)?;
        self.member(&path, edit)
    }

    /// Changes the text for people: the member with that role, else any text at the top that is no code.
    pub fn message(&mut self, edit: Edit<Value>) -> Option<()> {
        let code = self.path_of(Role::Code);
        let any = || {
            let body = self.json()?;
            let texts = body.as_object()?.iter().filter(|(_, value)| value.is_string()).map(|(name, _)| vec![name.clone()]);
            texts.into_iter().find(|path| Some(path) != code.as_ref())
        };
        let path = self.path_of(Role::Message).or_else(any)?;
        self.member(&path, edit)
    }

    /// The path of a member that must be there, and whose absence is nothing but that: the message, where that is one.
    pub fn required(&self) -> Option<Vec<String>> {
        let message = self.path_of(Role::Message);
        let demanded = |field: &Field| field.level == Level::Must && !matches!(field.role, Some(Role::Code | Role::RequestId));
        let of_message = |path: &Vec<String>| {
            path.len() == 1 && self.envelopes().any(|envelope| envelope.fields.iter().any(|f| f.name == path[0] && demanded(f)))
        };
        message.filter(of_message).or_else(|| self.path_where(demanded))
    }

    // ── the whole

    /// Replaces the body and says what it is.
    pub fn become_page(&mut self, content_type: &'static str, body: String) {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body.into_bytes();
    }

    /// Changes the status, and the phrase in the body that names it.
    pub fn restatus(&mut self, status: u16) {
        let phrase = phrase::phrases(status).first().copied();
        let named = self.path_where(|field| field.rule.is_reason_phrase);
        if let Some((path, phrase)) = named.zip(phrase) {
            let _ = self.member(&path, Edit::Set(Value::from(phrase)));
        }
        self.status = status;
    }

    /// The path of the member that names the status in words.
    pub fn phrase_path(&self) -> Option<Vec<String>> {
        self.path_where(|field| field.rule.is_reason_phrase)
    }

    /// The status member's path, where the contract has one; `$.status` elsewhere.
    pub fn status_path(&self) -> Vec<String> {
        self.path_where(|field| field.rule.is_status).unwrap_or_else(|| vec!["status".to_owned()])
    }

    /// A status that is documented and is not this one's neighbour: the first of these, else the last.
    pub fn documented_of(&self, wanted: &[u16]) -> Option<u16> {
        let service = self.row.and_then(|row| row.service);
        let documents = |status: &u16| {
            self.contract.is_some_and(|contract| {
                contract.rows.iter().any(|row| row.statuses.holds(*status) && (row.service.is_none() || row.service == service))
            })
        };
        wanted.iter().copied().find(documents).or(wanted.first().copied())
    }

    /// A code that the same service has for other statuses only.
    pub fn code_of_another_status(&self) -> Option<String> {
        let (contract, own) = (self.contract?, self.row?);
        let candidates = contract.rows.iter().filter(|row| !row.any_code && (row.service.is_none() || row.service == own.service));
        let mut fitting = candidates.filter(|row| {
            let same = contract.rows.iter().filter(|other| other.code == row.code);
            same.clone().all(|other| !other.statuses.holds(self.status))
        });
        fitting.next().map(|row| row.code.clone())
    }

    /// A code that only another service has, for this status.
    pub fn code_of_another_service(&self) -> Option<String> {
        let (contract, own) = (self.contract?, self.row?);
        let foreign = |row: &&Row| {
            let same = contract.rows.iter().filter(|other| other.code == row.code);
            !row.any_code
                && row.statuses.holds(self.status)
                && same.clone().all(|other| other.service.is_some() && other.service != own.service)
        };
        own.service?;
        contract.rows.iter().find(foreign).map(|row| row.code.clone())
    }

    /// A code that nobody documents, in the spelling of the one that is there.
    pub fn unknown_code(&self) -> Option<String> {
        let code = self.value(&self.path_of(Role::Code)?)?;
        let code = code.as_str()?;
        let join = if code.contains('-') { "-" } else { "_" };
        let word = if code.chars().any(char::is_lowercase) { "elsewhere" } else { "ELSEWHERE" };
        Some(format!("{code}{join}{word}"))
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Those that may describe the answer, the likeliest first.
    fn envelopes(&self) -> impl Iterator<Item = &'c Envelope> {
        let (row, contract) = (self.row, self.contract);
        let rest = contract.into_iter().filter(move |_| row.is_none());
        let rest = rest.flat_map(|contract| contract.envelopes.iter().chain(contract.rows.iter().map(|row| &row.envelope)));
        row.map(|row| &row.envelope).into_iter().chain(rest)
    }
}

fn at<'v>(body: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(body, |value, name| value.as_object()?.get(name))
}

/// The header that usually has a role.
fn usual_header(role: Role) -> Option<HeaderName> {
    Some(match role {
        Role::RetryAfter => RETRY_AFTER,
        Role::Timestamp => DATE,
        Role::Limit => HeaderName::from_static("x-ratelimit-limit"),
        Role::Remaining => HeaderName::from_static("x-ratelimit-remaining"),
        Role::Reset => HeaderName::from_static("x-ratelimit-reset"),
        Role::RequestId => HeaderName::from_static("x-request-id"),
        Role::Code | Role::Message => return None,
    })
}
