//! An answer on its way to a stranger, watched: when it began, what passed, how it ended.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};

use super::control::{Control, Ended};
use super::relay::AnswerBody;
use super::session::Met;

/// A body and the attempt that it answers.
pub(super) struct Watched {
    body: AnswerBody,
    met: Met,
    control: std::rc::Rc<Control>,
}

/// What became of a stranger's request, on its way to the client.
pub(super) fn watch(
    answer: Result<Response<AnswerBody>, Ended>,
    mut met: Met,
    control: &std::rc::Rc<Control>,
) -> Result<Response<AnswerBody>, Ended> {
    match answer {
        Ok(response) => {
            let (head, body) = response.into_parts();
            met.answered(head.status.as_u16(), &head.headers);
            let watched = Watched { body, met, control: std::rc::Rc::clone(control) };
            Ok(Response::from_parts(head, AnswerBody::Watched(Box::new(watched))))
        }
        Err(ended) => {
            met.cut(control.told());
            // What has been decided is carried out now: the attempt ends with its connection or stream.
            control.keep(met);
            Err(ended)
        }
    }
}

impl Watched {
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.met.passed(data);
                }
                // From here on it is hyper's, which asks no further once a body of known length is complete: a moment later
                // than this would make the wait before a retry look shorter than it was.
                if self.body.is_end_stream() || self.met.is_complete() {
                    self.met.complete();
                }
            }
            Some(Err(_)) => self.met.cut(self.control.told()),
            None => self.met.complete(),
        }
        Poll::Ready(frame)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.body.is_end_stream() || self.met.is_complete() {
            self.met.complete();
        }
    }
}
