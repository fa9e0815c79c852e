//! The answer on its way out: its body, the changes of a preset, and what shields the server from its own mistakes.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use serde_json::Value as Json;

use crate::clock::{Sleep, Timer};
use crate::contract::server::{AnswerPart, Change, Edit};
use crate::seed::{Distribution, Draw};

/// The body of an answer.
pub enum AnswerBody {
    /// All of it, until it was handed over.
    Whole(Option<Bytes>),
    Events(Events),
}

/// Server-sent events, each after its pause.
pub struct Events {
    pub left: VecDeque<Bytes>,
    pub gap: Option<Distribution>,
    pub draw: Draw,
    pub timer: Timer,
    pub pause: Option<Sleep>,
}

impl AnswerBody {
    /// A body that is there at once.
    pub fn whole(bytes: Vec<u8>) -> AnswerBody {
        AnswerBody::Whole((!bytes.is_empty()).then(|| Bytes::from(bytes)))
    }
}

impl Events {
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(pause) = &mut self.pause {
            ready!(Pin::new(pause).poll(cx));
            self.pause = None;
        }
        let event = self.left.pop_front();
        if let Some(gap) = self.gap.filter(|_| !self.left.is_empty()) {
            self.pause = Some(self.timer.sleep(gap.sample(self.draw.with(self.left.len() as u64))));
        }
        Poll::Ready(event)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let data = match self.get_mut() {
            AnswerBody::Whole(bytes) => bytes.take(),
            AnswerBody::Events(events) => ready!(events.next(cx)),
        };
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Whole(bytes) => bytes.is_none(),
            AnswerBody::Events(events) => events.left.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            AnswerBody::Events(_) => SizeHint::default(),
        }
    }
}

/// Makes the changes of a preset to an answer.
pub fn change(changes: &[Change], response: &mut Response<AnswerBody>) {
    let status = response.status().as_u16();
    for change in changes.iter().filter(|change| change.statuses.is_empty() || change.statuses.contains(&status)) {
        match &change.part {
            AnswerPart::Header(name) => change_header(response.headers_mut(), name, &change.edit),
            AnswerPart::Member(name) => change_member(response.body_mut(), name, &change.edit),
        }
    }
}

fn change_header(headers: &mut HeaderMap, name: &http::HeaderName, edit: &Edit) {
    let changed = match edit {
        Edit::Shift(by) => {
            headers.get(name).and_then(|value| value.to_str().ok()?.parse::<i64>().ok()).map(|number| number.saturating_add(*by).into())
        }
        Edit::Set(Json::String(text)) => HeaderValue::from_str(text).ok(),
        Edit::Set(value) => HeaderValue::from_str(&value.to_string()).ok(),
        Edit::Remove => {
            headers.remove(name);
            None
        }
    };
    if let Some(value) = changed {
        headers.insert(name, value);
    }
}

fn change_member(body: &mut AnswerBody, name: &str, edit: &Edit) {
    let AnswerBody::Whole(Some(bytes)) = body else { return };
    let Ok(Json::Object(mut members)) = serde_json::from_slice::<Json>(bytes) else { return };
    match edit {
        Edit::Shift(by) => {
            if let Some(number) = members.get(name).and_then(Json::as_i64) {
                members.insert(name.to_owned(), Json::from(number.saturating_add(*by)));
            }
        }
        Edit::Remove => {
            members.remove(name);
        }
        Edit::Set(value) => {
            members.insert(name.to_owned(), value.clone());
        }
    }
    *body = AnswerBody::whole(Json::Object(members).to_string().into_bytes());
}

/// The output of a future, or `None` where it panicked.
pub async fn unharmed<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn response() -> Response<AnswerBody> {
        let body = AnswerBody::whole(br#"{"a":1,"b":"x"}"#.to_vec());
        Response::builder().status(429).header("x-reset", "100").header("x-other", "z").body(body).unwrap()
    }

    fn changed(part: AnswerPart, edit: Edit, statuses: &[u16]) -> (Option<String>, Json) {
        let mut response = response();
        change(&[Change { part, edit, statuses: statuses.to_vec() }], &mut response);
        let header = response.headers().get("x-reset").map(|value| value.to_str().unwrap().to_owned());
        let AnswerBody::Whole(Some(body)) = response.into_body() else { panic!("a body") };
        (header, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn a_preset_changes_the_part_it_names_and_no_other() {
        let header = || AnswerPart::Header("x-reset".parse().unwrap());
        let member = |name: &str| AnswerPart::Member(name.to_owned());
        let same = json!({ "a": 1, "b": "x" });
        let kept = Some("100".to_owned());
        assert_eq!(changed(header(), Edit::Shift(3600), &[]), (Some("3700".into()), same.clone()));
        assert_eq!(changed(header(), Edit::Shift(3600), &[503]), (kept.clone(), same.clone()));
        assert_eq!(changed(header(), Edit::Remove, &[429]), (None, same.clone()));
        assert_eq!(changed(header(), Edit::Set(json!(7)), &[]), (Some("7".into()), same));
        assert_eq!(changed(member("a"), Edit::Shift(-2), &[]), (kept.clone(), json!({ "a": -1, "b": "x" })));
        assert_eq!(changed(member("b"), Edit::Shift(1), &[]), (kept.clone(), json!({ "a": 1, "b": "x" })));
        assert_eq!(changed(member("b"), Edit::Remove, &[]), (kept.clone(), json!({ "a": 1 })));
        assert_eq!(changed(member("c"), Edit::Set(json!(null)), &[]), (kept, json!({ "a": 1, "b": "x", "c": null })));
    }

    #[test]
    fn a_panic_inside_a_future_is_its_end_and_nothing_more() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ended = runtime.block_on(unharmed(async {
            tokio::task::yield_now().await;
            assert!(std::hint::black_box(false), "on purpose");
        }));
        assert_eq!(ended, None);
        assert_eq!(runtime.block_on(unharmed(async { 7 })), Some(7));
    }
}
