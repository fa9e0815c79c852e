//! The reason phrases of a status: the one RFC 9110 gives, and those that documents still use.

/// Every phrase that names the status; the first is RFC 9110's. Empty for a status nobody registered.
///
/// Source: RFC 9110 §15; RFC 7231 and RFC 2616 for the older spellings of 413, 414, 416; RFC 4918 for 422.
pub fn phrases(status: u16) -> &'static [&'static str] {
    match status {
        302 => &["Found", "Moved Temporarily"],
        413 => &["Content Too Large", "Payload Too Large", "Request Entity Too Large"],
        414 => &["URI Too Long", "Request-URI Too Long"],
        416 => &["Range Not Satisfiable", "Requested Range Not Satisfiable"],
        422 => &["Unprocessable Content", "Unprocessable Entity"],
        _ => single(status),
    }
}

/// The phrase that RFC 9110 gives a status, or its registration.
pub fn phrase_of(status: u16) -> Option<&'static str> {
    phrases(status).first().copied()
}

/// Whether the text is a reason phrase of the status.
pub fn names(status: u16, text: &str) -> bool {
    phrases(status).contains(&text)
}

fn single(status: u16) -> &'static [&'static str] {
    macro_rules! table {
        ($($code:literal $phrase:literal,)*) => {
            match status { $($code => &[$phrase],)* _ => &[] }
        };
    }
    table! {
        100 "Continue", 101 "Switching Protocols", 102 "Processing", 103 "Early Hints",
        200 "OK", 201 "Created", 202 "Accepted", 203 "Non-Authoritative Information", 204 "No Content",
        205 "Reset Content", 206 "Partial Content", 207 "Multi-Status", 208 "Already Reported", 226 "IM Used",
        300 "Multiple Choices", 301 "Moved Permanently", 303 "See Other", 304 "Not Modified", 305 "Use Proxy",
        307 "Temporary Redirect", 308 "Permanent Redirect",
        400 "Bad Request", 401 "Unauthorized", 402 "Payment Required", 403 "Forbidden", 404 "Not Found",
        405 "Method Not Allowed", 406 "Not Acceptable", 407 "Proxy Authentication Required", 408 "Request Timeout",
        409 "Conflict", 410 "Gone", 411 "Length Required", 412 "Precondition Failed", 415 "Unsupported Media Type",
        417 "Expectation Failed", 418 "I'm a teapot", 421 "Misdirected Request", 423 "Locked", 424 "Failed Dependency",
        425 "Too Early", 426 "Upgrade Required", 428 "Precondition Required", 429 "Too Many Requests",
        431 "Request Header Fields Too Large", 451 "Unavailable For Legal Reasons",
        500 "Internal Server Error", 501 "Not Implemented", 502 "Bad Gateway", 503 "Service Unavailable",
        504 "Gateway Timeout", 505 "HTTP Version Not Supported", 506 "Variant Also Negotiates",
        507 "Insufficient Storage", 508 "Loop Detected", 510 "Not Extended", 511 "Network Authentication Required",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_spellings_name_the_same_status() {
        for (status, phrase) in
            [(413, "Payload Too Large"), (413, "Content Too Large"), (422, "Unprocessable Entity"), (422, "Unprocessable Content")]
        {
            assert!(names(status, phrase), "{phrase}");
        }
        assert!(!names(404, "not found") && !names(400, "Not Found") && phrases(599).is_empty());
    }
}
