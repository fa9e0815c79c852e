//! Where a part of a contract applies: at which hosts, to which requests, to which statuses, to whose answers.
//!
//! Every kind of scope has a rank, so that the most specific entry can win: an operation before a service before any,
//! an exact status before a class before the default, a code before any code.

use http::{HeaderMap, HeaderName, Method};
use regex::Regex;

use crate::contract::Source;
use crate::id::ServiceIx;
use crate::units::Micros;
use crate::wire::PathPattern;

/// Which requests an entry is about: `GET /v1/models/{id}`, or `* /v1/**` for any method.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// None: any method.
    pub method: Option<Method>,
    pub path: PathPattern,
}

impl Operation {
    /// Reads `METHOD /path/{pattern}`; the method is `*` for any.
    ///
    /// # Errors
    /// Says what is wrong, for the author of a contract.
    pub fn new(text: &str) -> Result<Operation, String> {
        let Some((method, path)) = text.split_once(' ') else {
            return Err(format!("`{text}` is not an operation: it has a method and a path"));
        };
        let method = match method {
            "*" => None,
            word if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') => {
                Some(Method::from_bytes(word.as_bytes()).map_err(|_| format!("`{word}` is not a method"))?)
            }
            word => return Err(format!("`{word}` is not a method: methods are upper case, `*` is any")),
        };
        Ok(Operation { method, path: PathPattern::new(path.trim_start())? })
    }

    /// Whether a request is one of this operation; a HEAD is a GET whose body is not sent (RFC 9110 §9.3.2).
    pub fn matches(&self, method: &Method, path: &str) -> bool {
        self.takes(method) && self.path.matches(path)
    }

    /// A path that fits it.
    pub(super) fn a_path(&self) -> String {
        let filled = |segment: &str| if is_wild(segment) { "x".to_owned() } else { segment.trim_end_matches("**").to_owned() };
        self.path.as_str().split('/').map(filled).collect::<Vec<_>>().join("/")
    }

    /// Its method and segments, the names of wild ones dropped.
    pub(super) fn shape(&self) -> String {
        self.segments().fold(self.method.as_ref().map_or("*", Method::as_str).to_owned(), |shape, segment| shape + "/" + segment)
    }

    /// Whether a request can be one of both, as far as segments tell (`**` aside).
    pub(super) fn overlaps(&self, other: &Operation) -> bool {
        let methods = self.method.is_none() || other.method.is_none() || self.method == other.method;
        let (mine, theirs): (Vec<&str>, Vec<&str>) = (self.segments().collect(), other.segments().collect());
        methods && mine.len() == theirs.len() && mine.iter().zip(&theirs).all(|(a, b)| a == b || *a == "*" || *b == "*")
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.path.as_str().split('/').skip(1).map(|segment| if is_wild(segment) { "*" } else { segment })
    }

    /// How specific it is: the longer the literal text of its path the more, and a named method before any.
    pub(super) fn rank(&self) -> usize {
        self.path.literal_prefix() * 2 + usize::from(self.method.is_some())
    }

    fn takes(&self, method: &Method) -> bool {
        let Some(own) = &self.method else { return true };
        own == method || (own == Method::GET && method == Method::HEAD)
    }
}

fn is_wild(segment: &str) -> bool {
    segment == "*" || (segment.starts_with('{') && segment.ends_with('}'))
}

/// As it is written in a contract.
impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method.as_ref().map_or("*", Method::as_str), self.path.as_str())
    }
}

/// Which statuses a row documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statuses {
    /// One.
    Exact(u16),
    /// A class, by its first digit: `Class(4)` is 400 to 499.
    Class(u8),
    /// Whatever error no other row documents; it counts as documented, and never as a documented 429.
    Default,
}

impl Statuses {
    /// Whether a status is one of these. The default is about errors only: 400 to 599.
    pub const fn holds(self, status: u16) -> bool {
        match self {
            Statuses::Exact(exact) => exact == status,
            Statuses::Class(class) => class as u16 == status / 100,
            Statuses::Default => status >= 400 && status < 600,
        }
    }

    /// The status to answer with where one has to be chosen: the general one of a class, 500 for the default.
    pub const fn example(self) -> u16 {
        match self {
            Statuses::Exact(exact) => exact,
            Statuses::Class(class) => class as u16 * 100,
            Statuses::Default => 500,
        }
    }

    /// The only status, if there is only one.
    pub const fn exact(self) -> Option<u16> {
        match self {
            Statuses::Exact(exact) => Some(exact),
            Statuses::Class(_) | Statuses::Default => None,
        }
    }

    /// How specific it is: an exact status before a class before the default (as in OpenAPI).
    pub(super) const fn rank(self) -> usize {
        match self {
            Statuses::Exact(_) => 2,
            Statuses::Class(_) => 1,
            Statuses::Default => 0,
        }
    }
}

/// As it is written in a contract: `404`, `4xx`, `default`.
impl std::fmt::Display for Statuses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Statuses::Exact(status) => write!(f, "{status}"),
            Statuses::Class(class) => write!(f, "{class}xx"),
            Statuses::Default => f.write_str("default"),
        }
    }
}

/// An operation that the API documents, with what it may answer: for H07, P04 and the coverage of what is not documented.
#[derive(Clone, Debug)]
pub struct DocumentedOperation {
    pub operation: Operation,
    /// None: the service of its path.
    pub service: Option<ServiceIx>,
    /// What it may answer, successes included; empty where the contract does not say.
    pub statuses: Vec<Statuses>,
    /// The documented rate limit, in requests per window (R13).
    pub limit: Option<u64>,
    /// What the limit is counted over; None: the contract does not say.
    pub window: Option<Micros>,
    pub source: Source,
}

/// A host name, or `*.` and the end of one; the port is no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern(String);

impl HostPattern {
    /// A name such as `media.example.com`, or `*.example.com` for everything under it.
    ///
    /// # Errors
    /// Says what is wrong, for the author of a contract.
    pub fn new(text: &str) -> Result<HostPattern, String> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        match !name.is_empty() && name.chars().all(sound) {
            true => Ok(HostPattern(text.to_ascii_lowercase())),
            false => Err(format!("`{text}` is not a host: write `api.example.com` or `*.example.com`, without scheme and path")),
        }
    }

    /// As written, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a Host header names it, whatever its port.
    pub fn matches(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
            _ => host,
        };
        match self.0.strip_prefix('*') {
            Some(end) => {
                name.len() > end.len() && name.is_char_boundary(name.len() - end.len()) && {
                    name[name.len() - end.len()..].eq_ignore_ascii_case(end)
                }
            }
            None => name.eq_ignore_ascii_case(&self.0),
        }
    }
}

/// By what an answer tells who made it: a header, and what its value must contain.
#[derive(Clone, Debug)]
pub struct When {
    pub header: HeaderName,
    pub matches: Regex,
}

impl When {
    /// Whether an answer says so; of a repeated header any value may.
    pub fn holds(&self, headers: &HeaderMap) -> bool {
        headers
            .get_all(&self.header)
            .iter()
            .any(|value| std::str::from_utf8(value.as_bytes()).is_ok_and(|text| self.matches.is_match(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_a_method_and_a_path_pattern() {
        let item = Operation::new("GET /v1/models/{id}").unwrap();
        assert_eq!(item.to_string(), "GET /v1/models/{id}");
        assert!(item.matches(&Method::GET, "/v1/models/m1") && item.matches(&Method::HEAD, "/v1/models/m1"));
        assert!(!item.matches(&Method::POST, "/v1/models/m1") && !item.matches(&Method::GET, "/v1/models"));
        let any = Operation::new("* /v1/**").unwrap();
        assert!(any.matches(&Method::PATCH, "/v1/x") && any.rank() < item.rank());
        for wrong in ["/v1", "get /v1", "GET v1", "GET", "", " /v1", "G€T /v1", "GET /a/**/b"] {
            assert!(Operation::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn statuses_are_one_a_class_or_the_rest() {
        for (statuses, status, holds) in [
            (Statuses::Exact(404), 404, true),
            (Statuses::Exact(404), 405, false),
            (Statuses::Class(4), 499, true),
            (Statuses::Class(4), 500, false),
            (Statuses::Default, 503, true),
            (Statuses::Default, 302, false),
        ] {
            assert_eq!(statuses.holds(status), holds, "{statuses} {status}");
        }
        assert_eq!([Statuses::Class(5), Statuses::Default].map(Statuses::example), [500, 500]);
    }

    #[test]
    fn a_host_is_known_whatever_its_port_and_case() {
        let under = HostPattern::new("*.Example.com").unwrap();
        assert!(under.matches("api.example.COM:8443") && !under.matches("example.com") && !under.matches("badexample.com"));
        let here = HostPattern::new("[::1]").unwrap();
        assert!(here.matches("[::1]") && here.matches("[::1]:80"));
        for wrong in ["", "*.", "https://example.com", "a b", "ü.example"] {
            assert!(HostPattern::new(wrong).is_err(), "{wrong}");
        }
        assert!(!under.matches("ü") && !under.matches(""));
    }
}
