//! Answers whose bytes disagree with what HTTP/1.1 says about them (RFC 9112 §6), written out.

use std::io::Write;

use http::response;

use super::raw::{RawAnswer, RawBody, unframed};
use crate::contract::draft::Framing;
use crate::proxy::control::Ending;

/// In the place of a chunk's size: no number in any base.
const NO_SIZE: &[u8] = b"not-a-size\r\n";

/// The answer with its framing broken; a connection that sent it is at its end.
pub(in crate::proxy) fn answer(head: &response::Parts, body: &[u8], framing: Framing) -> RawAnswer {
    let mut raw = unframed(head);
    let _ = match framing {
        Framing::Unended | Framing::BadChunk => write!(raw, "transfer-encoding: chunked\r\n"),
        Framing::Sound | Framing::Content => write!(raw, "content-length: {}\r\n", body.len()),
        Framing::LengthOffBy(by) => write!(raw, "content-length: {}\r\n", (body.len() as u64).saturating_add_signed(by)),
    };
    raw.extend_from_slice(b"connection: close\r\n\r\n");
    RawAnswer { head: raw, body: RawBody::Bytes(framed(body, framing)), then: Ending::Cut }
}

/// The body as it is sent.
fn framed(body: &[u8], framing: Framing) -> Vec<u8> {
    let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    match framing {
        Framing::Sound | Framing::Content | Framing::LengthOffBy(_) => body.to_vec(),
        Framing::Unended => chunk(body),
        Framing::BadChunk => {
            // An empty chunk would be the last one.
            let (begun, rest) = body.split_at((body.len() / 2).max(1).min(body.len()));
            [&chunk(begun), NO_SIZE, rest, b"\r\n0\r\n\r\n"].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(framing: Framing) -> String {
        let (head, ()) = http::Response::builder().status(429).header("retry-after", "2").body(()).unwrap().into_parts();
        let raw = answer(&head, b"{\"a\":1}", framing);
        let RawBody::Bytes(body) = raw.body else { panic!("bytes") };
        String::from_utf8([raw.head, body].concat()).unwrap()
    }

    #[test]
    fn every_broken_framing_is_written_as_it_is_meant() {
        let start = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 2\r\n";
        let end = "connection: close\r\n\r\n";
        for (framing, head, body) in [
            (Framing::LengthOffBy(64), "content-length: 71\r\n", "{\"a\":1}"),
            (Framing::LengthOffBy(-3), "content-length: 4\r\n", "{\"a\":1}"),
            (Framing::LengthOffBy(-99), "content-length: 0\r\n", "{\"a\":1}"),
            (Framing::Content, "content-length: 7\r\n", "{\"a\":1}"),
            (Framing::Unended, "transfer-encoding: chunked\r\n", "7\r\n{\"a\":1}\r\n"),
            (Framing::BadChunk, "transfer-encoding: chunked\r\n", "3\r\n{\"a\r\nnot-a-size\r\n\":1}\r\n0\r\n\r\n"),
        ] {
            assert_eq!(written(framing), format!("{start}{head}{end}{body}"), "{framing:?}");
        }
    }
}
