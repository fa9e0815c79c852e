//! Changes to the parts of an answer, known by their places: a header by its name, a member by its path.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::contract::instant;
use crate::contract::server::Encoding;

/// What is done to one part.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit<V> {
    Remove,
    Set(V),
    /// Once more, with this value; a member stands before the one there was.
    Repeat(V),
    /// A number by so much, a moment by so many seconds.
    Shift(i64),
}

/// Changes a header; `None` where there is nothing to remove or shift, or where the value is none of a header.
pub fn header(headers: &mut HeaderMap, name: &HeaderName, edit: Edit<&str>) -> Option<()> {
    match edit {
        Edit::Remove => headers.remove(name).map(drop),
        Edit::Set(text) => {
            headers.insert(name, HeaderValue::from_str(text).ok()?);
            Some(())
        }
        Edit::Repeat(text) => {
            headers.append(name, HeaderValue::from_str(text).ok()?);
            Some(())
        }
        Edit::Shift(by) => {
            let shifted = shifted(headers.get(name)?.to_str().ok()?, by)?;
            headers.insert(name, HeaderValue::from_str(&shifted).ok()?);
            Some(())
        }
    }
}

/// A body with a member changed; `None` where the body is no object, or has nothing at this place to change.
pub fn member(body: &[u8], path: &[String], edit: Edit<Value>) -> Option<Vec<u8>> {
    let Ok(Value::Object(mut members)) = serde_json::from_slice::<Value>(body) else { return None };
    let (name, above) = path.split_last()?;
    let within = above.iter().try_fold(&mut members, |members, name| members.get_mut(name)?.as_object_mut())?;
    match edit {
        Edit::Remove => _ = within.remove(name)?,
        Edit::Set(value) => _ = within.insert(name.clone(), value),
        Edit::Repeat(value) => return Some(twice(&members, name, &value)),
        Edit::Shift(by) => shift(within.get_mut(name)?, by)?,
    }
    Some(Value::Object(members).to_string().into_bytes())
}

fn shift(value: &mut Value, by: i64) -> Option<()> {
    *value = match value.as_i64() {
        Some(number) => Value::from(number.saturating_add(by)),
        None => Value::from(shifted(value.as_str()?, by)?),
    };
    Some(())
}

/// A number by so much, a date in its own format by so many seconds.
fn shifted(text: &str, by: i64) -> Option<String> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.saturating_add(by).to_string());
    }
    let second = |us: i64| us.div_euclid(1_000_000).saturating_add(by);
    let date = instant::rfc3339(text).map(|us| instant::to_rfc3339(second(us)));
    date.or_else(|| instant::http_date(text).map(|us| instant::to_http_date(second(us))))
}

/// An object that begins with a member it has, or will have, once more. No JSON library writes that.
fn twice(members: &Map<String, Value>, name: &str, value: &Value) -> Vec<u8> {
    let rest = Value::Object(members.clone()).to_string();
    let comma = if members.is_empty() { "" } else { "," };
    format!("{{{}:{value}{comma}{}", Value::from(name), &rest[1..]).into_bytes()
}

/// A text in an encoding that JSON must not have; characters that Latin-1 does not have become question marks.
pub fn encoded(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        Encoding::Utf16 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_member_is_changed_where_it_stands_and_nowhere_else() {
        let body = br#"{"a":1,"b":{"c":"2026-11-22T10:00:00Z"}}"#;
        let changed = |path: &str, edit| {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            member(body, &path, edit).map(|body| String::from_utf8(body).unwrap())
        };
        for (path, edit, expected) in [
            ("a", Edit::Shift(-2), Some(r#"{"a":-1,"b":{"c":"2026-11-22T10:00:00Z"}}"#)),
            ("b.c", Edit::Shift(3600), Some(r#"{"a":1,"b":{"c":"2026-11-22T11:00:00Z"}}"#)),
            ("b", Edit::Remove, Some(r#"{"a":1}"#)),
            ("b.c", Edit::Set(json!(7)), Some(r#"{"a":1,"b":{"c":7}}"#)),
            ("a", Edit::Repeat(json!("x")), Some(r#"{"a":"x","a":1,"b":{"c":"2026-11-22T10:00:00Z"}}"#)),
            ("z.y", Edit::Remove, None),
            ("z", Edit::Remove, None),
            ("b", Edit::Shift(1), None),
        ] {
            let what = format!("{path} {edit:?}");
            assert_eq!(changed(path, edit).as_deref(), expected, "{what}");
        }
        assert_eq!(member(b"[]", &["a".to_owned()], Edit::Remove), None);
    }

    #[test]
    fn a_date_is_shifted_in_its_own_format() {
        assert_eq!(shifted("100", 3_600).as_deref(), Some("3700"));
        assert_eq!(shifted("Sun, 22 Nov 2026 12:00:00 GMT", -60).as_deref(), Some("Sun, 22 Nov 2026 11:59:00 GMT"));
        assert_eq!(shifted("2026-11-22T12:00:00Z", 1).as_deref(), Some("2026-11-22T12:00:01Z"));
        assert_eq!(shifted("soon", 1), None);
        assert_eq!(shifted(&i64::MAX.to_string(), 1), Some(i64::MAX.to_string()));
    }

    #[test]
    fn characters_are_encoded_as_json_must_not_be() {
        assert_eq!(encoded("é", Encoding::Latin1), [0xe9]);
        assert_eq!(encoded("é{", Encoding::Utf16), [0, 0xe9, 0, b'{']);
    }
}
