//! What a preset does to an answer that was in order.

use std::collections::VecDeque;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value as Json};

use super::answer::AnswerBody;
use super::facts::{Facts, rfc3339};
use super::framing::{FRAMING_HEADER, word};
use crate::contract::server::{AnswerPart, Change, Edit, Encoding, Shape};

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

fn header(headers: &mut HeaderMap, name: &HeaderName, edit: &Edit, set: &dyn Fn(&Shape) -> Option<Json>) {
    let shown = |value: Json| match value {
        Json::String(text) => HeaderValue::from_str(&text).ok(),
        value => HeaderValue::from_str(&value.to_string()).ok(),
    };
    match edit {
        Edit::Shift(by) => {
            let number = headers.get(name).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
            if let Some(number) = number {
                headers.insert(name, number.saturating_add(*by).into());
            }
        }
        Edit::Remove => {
            headers.remove(name);
        }
        Edit::Set(shape) => {
            if let Some(value) = set(shape).and_then(shown) {
                headers.insert(name, value);
            }
        }
        Edit::Repeat(shape) => {
            if let Some(value) = set(shape).and_then(shown) {
                headers.append(name, value);
            }
        }
        Edit::Cut(_) | Edit::Encode(_) | Edit::Frame(_) => {}
    }
}

fn member(body: &mut AnswerBody, path: &[String], edit: &Edit, set: &dyn Fn(&Shape) -> Option<Json>) {
    let AnswerBody::Whole(Some(bytes)) = body else { return };
    let Ok(Json::Object(mut members)) = serde_json::from_slice::<Json>(bytes) else { return };
    let Some((name, above)) = path.split_last() else { return };
    let Some(within) = above.iter().try_fold(&mut members, |members, name| members.get_mut(name)?.as_object_mut()) else { return };
    match edit {
        Edit::Shift(by) => {
            if let Some(value) = within.get_mut(name) {
                shift(value, *by);
            }
        }
        Edit::Remove => {
            within.remove(name);
        }
        Edit::Set(shape) => {
            let Some(value) = set(shape) else { return };
            within.insert(name.clone(), value);
        }
        Edit::Repeat(shape) => {
            let Some(value) = set(shape) else { return };
            *body = AnswerBody::whole(twice(&members, name, &value));
            return;
        }
        Edit::Cut(_) | Edit::Encode(_) | Edit::Frame(_) => return,
    }
    *body = AnswerBody::whole(Json::Object(members).to_string().into_bytes());
}

/// A number by so much, a moment by so many seconds.
fn shift(value: &mut Json, by: i64) {
    if let Some(number) = value.as_i64() {
        *value = Json::from(number.saturating_add(by));
    } else if let Some(at) = value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()) {
        *value = Json::from(rfc3339(at.as_second().saturating_add(by)));
    }
}

/// An object that begins with a member it has, or will have, once more. No JSON library writes that.
fn twice(members: &Map<String, Json>, name: &str, value: &Json) -> Vec<u8> {
    let rest = Json::Object(members.clone()).to_string();
    let comma = if members.is_empty() { "" } else { "," };
    format!("{{{}:{value}{comma}{}", Json::from(name), &rest[1..]).into_bytes()
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
        Edit::Encode(encoding) => encoded(&String::from_utf8_lossy(&bytes), *encoding),
        Edit::Shift(_) | Edit::Repeat(_) | Edit::Frame(_) => return,
    };
    *response.body_mut() = AnswerBody::whole(changed);
}

/// Characters that Latin-1 does not have become question marks.
fn encoded(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        Encoding::Utf16 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    }
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

    #[test]
    fn characters_are_encoded_as_json_must_not_be() {
        assert_eq!(encoded("é", Encoding::Latin1), [0xe9]);
        assert_eq!(encoded("é{", Encoding::Utf16), [0, 0xe9, 0, b'{']);
    }
}
