//! From the errors of the HTTP library, the TLS library and the system to the failures of our own vocabulary.
//!
//! Errors come wrapped in one another. The innermost one that says something decides: the library at the top
//! knows that the connection ended, the system at the bottom knows that it was reset.

use std::error::Error;
use std::io::{self, ErrorKind};

use hyper::client::conn::TrySendError;

use crate::wire::Failure;

/// How the body of an answer broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The connection ended inside it.
    Cut { reset: bool },
    /// Its framing is not HTTP, or its encryption is spoiled.
    Malformed(Failure),
}

impl Broken {
    /// The failure of an attempt whose body broke off after this many bytes.
    pub(crate) fn after(self, received: u64) -> Failure {
        match self {
            Broken::Cut { reset } => Failure::BodyCutShort { received, reset },
            Broken::Malformed(failure) => failure,
        }
    }
}

/// Why no head of an answer came on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unanswered {
    pub(super) failure: Failure,
    /// Whether the request, or a part of it, was written.
    pub(super) sent: bool,
}

/// hyper gives a request back if it never began to write it.
impl<T> From<TrySendError<T>> for Unanswered {
    fn from(error: TrySendError<T>) -> Unanswered {
        Unanswered { failure: before_the_head(error.error()), sent: error.message().is_none() }
    }
}

/// Why a body broke off.
pub(crate) fn inside_the_body(error: &(dyn Error + 'static)) -> Broken {
    match before_the_head(error) {
        Failure::Closed => Broken::Cut { reset: false },
        Failure::Reset => Broken::Cut { reset: true },
        other => Broken::Malformed(other),
    }
}

/// Why there is no answer, for an error after the connection was made.
pub(crate) fn before_the_head(error: &(dyn Error + 'static)) -> Failure {
    chain(error).filter_map(meaning).last().unwrap_or(Failure::Reset)
}

/// The errors wrapped in one another, outermost first.
pub(super) fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'e (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>() {
            // `source` of an I/O error skips the error it wraps.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// What one error of a chain says by itself; `None` where it only wraps another.
fn meaning(error: &(dyn Error + 'static)) -> Option<Failure> {
    if error.is::<rustls::Error>() {
        return Some(Failure::Tls);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return of_io(error);
    }
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        return of_h2(error);
    }
    error.downcast_ref::<hyper::Error>().and_then(of_hyper)
}

fn of_io(error: &io::Error) -> Option<Failure> {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::NotConnected | ErrorKind::TimedOut => Some(Failure::Reset),
        // The HTTP/2 library has this kind, and a text, for a peer that hung up; the system has it, without one, for a write after a reset.
        ErrorKind::BrokenPipe if error.get_ref().is_some() => Some(Failure::Closed),
        ErrorKind::BrokenPipe => Some(Failure::Reset),
        ErrorKind::UnexpectedEof => Some(Failure::Closed),
        ErrorKind::InvalidData | ErrorKind::InvalidInput => Some(Failure::BadProtocol),
        _ => None,
    }
}

fn of_h2(error: &h2::Error) -> Option<Failure> {
    let in_order = error.reason() == Some(h2::Reason::NO_ERROR);
    match () {
        () if error.is_library() => Some(Failure::BadProtocol),
        () if error.is_go_away() && in_order => Some(Failure::Closed),
        () if error.is_go_away() || error.is_reset() => Some(Failure::Reset),
        () => error.get_io().and_then(of_io),
    }
}

fn of_hyper(error: &hyper::Error) -> Option<Failure> {
    match () {
        () if error.is_incomplete_message() => Some(Failure::Closed),
        () if error.is_parse() => Some(Failure::BadProtocol),
        () if error.is_canceled() || error.is_closed() => Some(Failure::Closed),
        // Bytes from the target before we asked for any: an error without a predicate, and without a source.
        () if error.source().is_none() => Some(Failure::BadProtocol),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_error_that_says_something_decides() {
        let reset = io::Error::other(io::Error::from(ErrorKind::ConnectionReset));
        assert_eq!(before_the_head(&reset), Failure::Reset);
        let alert = io::Error::new(ErrorKind::InvalidData, rustls::Error::DecryptError);
        assert_eq!(before_the_head(&alert), Failure::Tls);
    }

    #[test]
    fn a_body_ends_cut_reset_or_spoiled() {
        assert_eq!(inside_the_body(&io::Error::from(ErrorKind::UnexpectedEof)), Broken::Cut { reset: false });
        assert_eq!(inside_the_body(&io::Error::from(ErrorKind::ConnectionReset)), Broken::Cut { reset: true });
        assert_eq!(inside_the_body(&io::Error::from(ErrorKind::InvalidInput)), Broken::Malformed(Failure::BadProtocol));
        assert_eq!(Broken::Cut { reset: true }.after(7), Failure::BodyCutShort { received: 7, reset: true });
    }
}
