//! Members of JSON bodies, by the names on the way to them.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value as Json;

/// The member at the end of a way; of an array on the way, its first item.
pub fn get<'j>(json: &'j Json, way: &[String]) -> Option<&'j Json> {
    way.iter().try_fold(json, |value, name| first(value).get(name))
}

/// Puts a value in the member's place. False where there is no such member.
pub fn set(json: &mut Json, way: &[String], value: Json) -> bool {
    match slot(json, way) {
        Some(slot) => {
            *slot = value;
            true
        }
        None => false,
    }
}

/// Takes the member out. False where there is no such member.
pub fn remove(json: &mut Json, way: &[String]) -> bool {
    let Some((last, before)) = way.split_last() else { return false };
    let object = if before.is_empty() { Some(json) } else { slot(json, before) };
    object.map(first_mut).and_then(Json::as_object_mut).is_some_and(|object| object.remove(last).is_some())
}

/// A dotted path as a way: `messages.role`.
pub fn way(dotted: &str) -> Vec<String> {
    dotted.split('.').filter(|name| name.parse::<usize>().is_err()).map(|name| name.trim_end_matches("[]").to_owned()).collect()
}

/// What a JSON type is called; whole and other numbers are one type, since a server may read either.
pub fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// Whether the object that a text begins with has a member twice. `None` where it is not one JSON object.
pub fn has_duplicates(text: &[u8]) -> Option<bool> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
            let mut names = Vec::new();
            while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                names.push(name);
            }
            Ok(names)
        }
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let mut names = reader.deserialize_map(Names).ok()?;
    reader.end().ok()?;
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    Some(names.len() < all)
}

fn first(value: &Json) -> &Json {
    value.as_array().and_then(|items| items.first()).unwrap_or(value)
}

fn first_mut(value: &mut Json) -> &mut Json {
    if value.as_array().is_some_and(|items| !items.is_empty()) { &mut value[0] } else { value }
}

fn slot<'j>(json: &'j mut Json, way: &[String]) -> Option<&'j mut Json> {
    way.iter().try_fold(json, |value, name| first_mut(value).get_mut(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_found_replaced_and_removed_through_arrays() {
        let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] });
        let role = way("messages.0.role");
        assert_eq!(role, ["messages", "role"]);
        assert_eq!(get(&body, &role), Some(&json!("user")));
        assert!(set(&mut body, &role, json!(5)));
        assert_eq!(get(&body, &role).map(kind), Some("number"));
        assert!(remove(&mut body, &role) && !remove(&mut body, &role));
        assert_eq!(body, json!({ "model": "m", "messages": [{ "content": "x" }] }));
        assert!(!set(&mut body, &way("nothing.here"), json!(1)));
    }

    #[test]
    fn a_member_that_is_there_twice_is_seen_and_text_that_is_no_object_is_not_judged() {
        assert_eq!(has_duplicates(br#"{"a":1,"b":2,"a":3}"#), Some(true));
        assert_eq!(has_duplicates(br#"{"a":{"a":1},"b":2}"#), Some(false));
        assert_eq!(has_duplicates(br#"{"a":1"#), None);
        assert_eq!(has_duplicates(b"[1]"), None);
    }
}
