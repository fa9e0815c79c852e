//! Reading requests: bounded while they are read, whatever their head says.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::clock::Timer;
use crate::units::Micros;

/// A request whose body does not end within this time is answered as if it were not readable.
const LONGEST_READ: Micros = Micros::from_secs(30);
/// What follows a body that is too long is read and thrown away up to this, so that its sender gets to see the answer.
const LONGEST_DRAIN: u64 = 64 * 1024 * 1024;
/// The beginning of an upload that is kept to find the media type of its first part.
const KEPT_OF_UPLOAD: usize = 4 * 1024;

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    TooLarge,
    /// Its sender broke off, or took too long.
    BrokenOff,
}

/// All bytes of a body of at most `limit` bytes.
pub async fn read(head: &Parts, body: Incoming, limit: u64, timer: &Timer) -> Result<Vec<u8>, Unread> {
    // A length is only a promise: memory is given for what arrives.
    let mut bytes = Vec::with_capacity(declared(head).unwrap_or(0).min(limit).min(16 * 1024) as usize);
    each_chunk(head, body, limit, timer, |chunk| bytes.extend_from_slice(chunk)).await?;
    Ok(bytes)
}

/// The size of an upload of at most `limit` bytes, and the media type of what it holds, in lower case.
pub async fn count(head: &Parts, body: Incoming, limit: u64, timer: &Timer) -> Result<(u64, String), Unread> {
    let (mut size, mut beginning) = (0u64, Vec::new());
    each_chunk(head, body, limit, timer, |chunk| {
        size += chunk.len() as u64;
        let wanted = KEPT_OF_UPLOAD.saturating_sub(beginning.len()).min(chunk.len());
        beginning.extend_from_slice(&chunk[..wanted]);
    })
    .await?;
    let declared = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    Ok((size, media_type(declared, &beginning)))
}

async fn each_chunk(head: &Parts, mut body: Incoming, limit: u64, timer: &Timer, mut found: impl FnMut(&[u8])) -> Result<(), Unread> {
    if declared(head).is_some_and(|length| length > limit) && head.headers.contains_key(EXPECT) {
        return Err(Unread::TooLarge); // its sender asked before sending, and has its answer
    }
    let mut seen = 0u64;
    let reading = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Unread::BrokenOff)?;
            let Some(chunk) = frame.data_ref() else { continue };
            seen += chunk.len() as u64;
            match seen {
                seen if seen <= limit => found(chunk),
                seen if seen > LONGEST_DRAIN.max(limit) => break,
                _ => {}
            }
        }
        if seen > limit { Err(Unread::TooLarge) } else { Ok(()) }
    };
    timer.within(timer.clock().now() + LONGEST_READ, reading).await.unwrap_or(Err(Unread::BrokenOff))
}

/// The length that the head declares.
fn declared(head: &Parts) -> Option<u64> {
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body that nobody wants, so that its sender gets to see the answer and the connection can go on.
pub async fn discard(head: &Parts, body: Incoming, timer: &Timer) {
    if !body.is_end_stream() && !head.headers.contains_key(EXPECT) {
        // Whether it was long or broken off is all the same.
        let _ = each_chunk(head, body, LONGEST_DRAIN, timer, |_| ()).await;
    }
}

/// The essence of a media type; of a form's first file, or first part, where the upload is a form.
fn media_type(declared: &str, beginning: &[u8]) -> String {
    let essence = essence(declared);
    if essence != "multipart/form-data" {
        return essence;
    }
    // Part heads are text; what follows them need not be.
    let text = String::from_utf8_lossy(beginning);
    let heads = text.split("\r\n\r\n").map(|block| block.rsplit_once("--").map_or(block, |(_, head)| head).to_ascii_lowercase());
    let type_of = |head: &String| head.lines().find_map(|line| Some(self::essence(line.strip_prefix("content-type:")?)));
    heads.into_iter().find_map(|head| type_of(&head)).unwrap_or_default()
}

fn essence(value: &str) -> String {
    value.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_of_an_upload_is_its_own_or_that_of_the_forms_first_file() {
        let form = b"--x1\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--x1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/PNG\r\n\r\n\xff\xfe\x00";
        assert_eq!(media_type("multipart/form-data; boundary=x1", form), "image/png");
        assert_eq!(media_type("Image/JPEG; q=1", b""), "image/jpeg");
        assert_eq!(media_type("multipart/form-data; boundary=x1", b"--x1\r\n\r\nno head"), "");
        assert_eq!(media_type("", b"\x89PNG"), "");
    }
}
