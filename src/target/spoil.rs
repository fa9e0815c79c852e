//! What a preset does to an answer that was in order.

use std::collections::VecDeque;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::Value as Json;

use super::answer::AnswerBody;
use super::facts::Facts;
use super::framing::{FRAMING_HEADER, word};
use crate::contract::draft;
use crate::contract::server::{AnswerPart, Change, Edit, Shape};

/// Makes the changes that apply to this answer. `number` is the request's, from 0.
pub fn spoil(changes: &[Change], path: &str, number: u64, facts: &Facts<'_>, response: &mut Response<AnswerBody>) {
    let status = response.status().as_u16();
    let applies = |change: &&Change| {
        (change.statuses.is_empty() || change.statuses.contains(&status))
            && (change.on.is_empty() || change.on.iter().any(|pattern| pattern.matches(path)))
            && (number + 1).is_multiple_of(change.every)
    };
    for change in changes.iter().filter(applies) {
        let set = |shape: &Shape| facts.value(shape);
        match (&change.part, &change.edit) {
            (AnswerPart::Status, Edit::Set(shape)) => {
                if let Some(status) = set(shape).and_then(|code| StatusCode::from_u16(u16::try_from(code.as_u64()?).ok()?).ok()) {
                    *response.status_mut() = status;
                }
            }
            (AnswerPart::Header(name), edit) => header(response.headers_mut(), name, edit, &set),
            (AnswerPart::Member(path), edit) => member(response.body_mut(), path, edit, &set),
            (AnswerPart::Body, edit) => body(response, edit, &set),
            (AnswerPart::Stream, edit) => stream(response.body_mut(), edit, &set),
            (AnswerPart::Framing, Edit::Frame(framing)) => {
                response.headers_mut().insert(FRAMING_HEADER, HeaderValue::from_static(word(*framing)));
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            (AnswerPart::Status | AnswerPart::Framing, _) => {} // refused when the file was read
        }
    }
}

/// The edit with its value filled in; `None` where that is not known now.
fn filled(edit: &Edit, set: &dyn Fn(&Shape) -> Option<Json>) -> Option<draft::Edit<Json>> {
    Some(match edit {
        Edit::Remove => draft::Edit::Remove,
        Edit::Set(shape) => draft::Edit::Set(set(shape)?),
        Edit::Repeat(shape) => draft::Edit::Repeat(set(shape)?),
        Edit::Shift(by) => draft::Edit::Shift(*by),
        Edit::Cut(_) | Edit::Encode(_) | Edit::Frame(_) => return None,
    })
}

fn header(headers: &mut HeaderMap, name: &HeaderName, edit: &Edit, set: &dyn Fn(&Shape) -> Option<Json>) {
    let shown = |value: Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let text;
    let edit = match filled(edit, set) {
        None => return,
        Some(draft::Edit::Remove) => draft::Edit::Remove,
        Some(draft::Edit::Shift(by)) => draft::Edit::Shift(by),
        Some(draft::Edit::Set(value)) => {
            text = shown(value);
            draft::Edit::Set(text.as_str())
        }
        Some(draft::Edit::Repeat(value)) => {
            text = shown(value);
            draft::Edit::Repeat(text.as_str())
        }
    };
    draft::header(headers, name, edit);
}

fn member(body: &mut AnswerBody, path: &[String], edit: &Edit, set: &dyn Fn(&Shape) -> Option<Json>) {
    let AnswerBody::Whole(Some(bytes)) = &*body else { return };
    if let Some(changed) = filled(edit, set).and_then(|edit| draft::member(bytes, path, edit)) {
        *body = AnswerBody::whole(changed);
    }
}

fn body(response: &mut Response<AnswerBody>, edit: &Edit, set: &dyn Fn(&Shape) -> Option<Json>) {
    let bytes = match response.body() {
        AnswerBody::Whole(bytes) => bytes.clone().unwrap_or_default(),
        AnswerBody::Events(_) => return,
    };
    let changed = match edit {
        Edit::Set(shape) => match set(shape) {
            Some(Json::String(text)) => text.into_bytes(),
            Some(value) => value.to_string().into_bytes(),
            None => return,
        },
        Edit::Remove => {
            response.headers_mut().remove(CONTENT_TYPE);
            Vec::new()
        }
        Edit::Cut(least) => bytes[..bytes.len().saturating_sub(*least)].to_vec(),
        Edit::Encode(encoding) => draft::encoded(&String::from_utf8_lossy(&bytes), *encoding),
        Edit::Shift(_) | Edit::Repeat(_) | Edit::Frame(_) => return,
    };
    *response.body_mut() = AnswerBody::whole(changed);
}

fn stream(body: &mut AnswerBody, edit: &Edit, set: &dyn Fn(&Shape) -> Option<Json>) {
    let AnswerBody::Events(events) = body else { return };
    match edit {
        Edit::Remove => {
            events.left.pop_back();
        }
        Edit::Set(shape) => {
            if let Some(value) = set(shape) {
                before_last(&mut events.left, Bytes::from(format!("data: {value}\n\n")));
            }
        }
        _ => {}
    }
}

fn before_last(events: &mut VecDeque<Bytes>, event: Bytes) {
    let last = events.len().saturating_sub(1);
    events.insert(last, event);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::server::Part;
    use crate::target::store::Store;
    use serde_json::json;

    fn shape(value: &Json) -> Shape {
        Shape { parts: vec![Part::Text(value.to_string().into_bytes().into())] }
    }

    fn changed(part: AnswerPart, edit: Edit, statuses: &[u16]) -> (u16, Option<String>, String) {
        let body = AnswerBody::whole(br#"{"a":1,"b":{"c":"2026-11-22T10:00:00Z"}}"#.to_vec());
        let mut response = Response::builder().status(429).header("x-reset", "100").header("x-other", "z").body(body).unwrap();
        let change = Change { part, edit, statuses: statuses.to_vec(), on: Vec::new(), every: 1 };
        let (store, headers) = (Store::new(&[]), HeaderMap::new());
        let facts = Facts::bare(&store, &headers);
        spoil(&[change], "/", 0, &facts, &mut response);
        let header = response.headers().get("x-reset").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let AnswerBody::Whole(body) = response.into_body() else { panic!("a body") };
        (status, header, String::from_utf8_lossy(&body.unwrap_or_default()).into_owned())
    }

    #[test]
    fn a_change_is_made_to_the_part_it_names_and_no_other() {
        let header = || AnswerPart::Header("x-reset".parse().unwrap());
        let member = |path: &str| AnswerPart::Member(path.split('.').map(str::to_owned).collect());
        let same = r#"{"a":1,"b":{"c":"2026-11-22T10:00:00Z"}}"#;
        for (part, edit, status, reset, body) in [
            (header(), Edit::Shift(3600), 429, Some("3700"), same),
            (header(), Edit::Remove, 429, None, same),
            (header(), Edit::Set(shape(&json!(7))), 429, Some("7"), same),
            (AnswerPart::Status, Edit::Set(shape(&json!(418))), 418, Some("100"), same),
            (member("a"), Edit::Shift(-2), 429, Some("100"), r#"{"a":-1,"b":{"c":"2026-11-22T10:00:00Z"}}"#),
            (member("b.c"), Edit::Shift(3600), 429, Some("100"), r#"{"a":1,"b":{"c":"2026-11-22T11:00:00Z"}}"#),
            (member("b"), Edit::Remove, 429, Some("100"), r#"{"a":1}"#),
            (member("z.y"), Edit::Remove, 429, Some("100"), same),
            (member("a"), Edit::Repeat(shape(&json!("x"))), 429, Some("100"), r#"{"a":"x","a":1,"b":{"c":"2026-11-22T10:00:00Z"}}"#),
            (AnswerPart::Body, Edit::Set(shape(&json!("<html>"))), 429, Some("100"), "<html>"),
            (AnswerPart::Body, Edit::Cut(2), 429, Some("100"), r#"{"a":1,"b":{"c":"2026-11-22T10:00:00Z""#),
            (AnswerPart::Body, Edit::Remove, 429, Some("100"), ""),
        ] {
            let what = format!("{part:?} {edit:?}");
            assert_eq!(changed(part, edit, &[429]), (status, reset.map(str::to_owned), body.to_owned()), "{what}");
        }
        assert_eq!(changed(header(), Edit::Remove, &[503]), (429, Some("100".to_owned()), same.to_owned()), "of other statuses only");
    }
}
