//! P01–P03: whether the message itself is in order, as far as a client that stops where HTTP says can see it.

use http::Method;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use crate::contract::Level;
use crate::contract::check::{Blame, Found};
use crate::wire::{Failure, ResponseFacts};

/// Looks at the framing of an answer.
pub(super) fn answer(method: &Method, response: &ResponseFacts<'_>, found: &mut Found) {
    let bytes = response.body_bytes;
    let length = response.headers.get(CONTENT_LENGTH);
    if *method == Method::HEAD {
        if bytes > 0 {
            found.add("P01", Level::Must, || blame("no content after HEAD", format!("{bytes} bytes"), "content"));
        }
        return;
    }
    match response.status {
        204 | 205 | 304 if bytes > 0 => {
            found.add("P02", Level::Must, || blame(&format!("no content with {}", response.status), format!("{bytes} bytes"), "content"));
        }
        204 if length.is_some() => {
            found.add("P02", Level::Must, || Blame {
                path: "header:Content-Length".to_owned(),
                ..blame("no Content-Length with 204", "a Content-Length".to_owned(), "content-length")
            });
        }
        204 | 205 | 304 => {}
        _ => {
            let declared = length.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
            if let Some(declared) = declared.filter(|&declared| declared != bytes && !response.headers.contains_key(TRANSFER_ENCODING)) {
                found.add("P03", Level::Must, || {
                    blame(&format!("{declared} bytes, as Content-Length says"), format!("{bytes} bytes"), "length")
                });
            }
        }
    }
}

/// Looks at an answer that ended too soon.
pub(super) fn failure(failure: Failure, found: &mut Found) {
    if let Failure::BodyCutShort { received, reset } = failure {
        let how = if reset { "connection reset" } else { "connection closed" };
        found.add("P03", Level::Must, || blame("the whole body", format!("{how} after {received} bytes of it"), how));
    }
}

fn blame(expected: &str, actual: String, cause: &str) -> Blame {
    Blame { path: "body".to_owned(), expected: expected.to_owned(), actual, cause: cause.to_owned(), source: None }
}
