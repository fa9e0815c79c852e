//! A look at what the body of a request begins with, for rules that ask for it; nothing of it is lost or changed.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::upload::Upload;
use crate::clock::Timer;
use crate::fault::BODY_LIMIT;
use crate::units::Micros;

/// Reads up to [`BODY_LIMIT`] bytes, and no longer than `patience` for what does not come; what was read, and the
/// whole body as it is to be sent on.
///
/// # Errors
/// Where the client goes away before.
pub(super) async fn peek(mut body: Incoming, patience: Option<(&Timer, Micros)>) -> hyper::Result<(Bytes, Upload)> {
    let deadline = patience.map(|(timer, patience)| (timer, timer.clock().now() + patience));
    let (mut read, mut length) = (VecDeque::new(), 0);
    while length < BODY_LIMIT && !body.is_end_stream() {
        let frame = match deadline {
            Some((timer, deadline)) => match timer.within(deadline, body.frame()).await {
                Some(frame) => frame,
                None => break,
            },
            None => body.frame().await,
        };
        let Some(frame) = frame else { break };
        let frame = frame?;
        length += frame.data_ref().map_or(0, Bytes::len);
        read.push_back(frame);
    }
    let mut data = read.iter().filter_map(|frame| frame.data_ref());
    let looked_at = match (data.next(), data.next()) {
        (Some(only), None) => only.slice(..only.len().min(BODY_LIMIT)),
        _ => joined(read.iter().filter_map(|frame| frame.data_ref())),
    };
    Ok((looked_at, Upload::after(read, body)))
}

fn joined<'b>(pieces: impl Iterator<Item = &'b Bytes>) -> Bytes {
    let mut whole = BytesMut::new();
    for piece in pieces {
        whole.extend_from_slice(&piece[..piece.len().min(BODY_LIMIT - whole.len())]);
    }
    whole.freeze()
}
