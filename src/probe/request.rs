//! Requests before and after a mistake was made in them.

use crate::secret::Secrets;
use crate::workload::Request;

/// A valid request, as a step sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Valid {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// `Host` included, nothing about the body's framing.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// A request, ready for the wire: nothing in it is tidied any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    pub method: String,
    /// Path and query, as they are sent.
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: WireBody,
    pub expect_continue: bool,
}

/// The body of a request on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WireBody {
    #[default]
    None,
    Bytes(Vec<u8>),
    /// A `Content-Length` larger than what is sent.
    Declared {
        length: u64,
        bytes: Vec<u8>,
    },
}

impl Valid {
    /// The request of a step.
    pub fn of(method: &http::Method, request: &Request<'_>) -> Valid {
        let headers = request.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        Valid {
            method: method.as_str().to_owned(),
            target: request.path.as_str().to_owned(),
            headers: headers.collect(),
            body: request.body.to_vec(),
        }
    }

    /// The path without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or(&self.target)
    }

    /// The value of a header; the first where there are several.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    /// As it is, on the wire.
    pub fn as_wire(&self) -> Wire {
        let takes_body = !self.body.is_empty() || ["POST", "PUT", "PATCH"].contains(&self.method.as_str());
        Wire {
            method: self.method.clone(),
            target: self.target.clone(),
            headers: self.headers.clone(),
            body: if takes_body { WireBody::Bytes(self.body.clone()) } else { WireBody::None },
            expect_continue: false,
        }
    }
}

impl Wire {
    /// The value of a header; the first where there are several.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    /// Replaces all headers of a name by one.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Removes all headers of a name.
    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// The bytes of the body that are sent.
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            WireBody::None => &[],
            WireBody::Bytes(bytes) | WireBody::Declared { bytes, .. } => bytes,
        }
    }
}

/// Whether a header carries credentials by its nature.
pub fn carries_credentials(name: &str) -> bool {
    !Secrets::credential(&name.to_ascii_lowercase(), "a b").is_empty()
}
