//! B10: which member of a request an error names, in the spellings that APIs use.
//!
//! `user.address.zip`, `user[address][zip]`, `items[0].price`, `/user/address/zip` (RFC 6901), `#/user/zip`, `zip`, and an
//! array of segments. Names are compared without case, underscores and hyphens: a request member `max_tokens` may well be
//! called `maxTokens`.

use crate::contract::json::Json;

/// Members that name a field wherever they stand.
const NAMING: [&str; 11] =
    ["field", "fieldName", "field_name", "param", "parameter", "pointer", "property", "propertyName", "instancePath", "loc", "attribute"];
/// Members that do so only inside an item of a list: elsewhere they name other things (the path of the request).
const NAMING_IN_ITEMS: [&str; 2] = ["path", "name"];
/// Words that stand before the path of a member, and are no part of it.
const PREFIXES: [&str; 3] = ["$", "#", "body"];
/// Levels and items that are looked at.
const LEVELS: usize = 6;
const ITEMS: usize = 100;

/// Every name of a field in an error body, as written.
pub(super) fn named_fields(body: Json<'_>) -> Vec<String> {
    let mut names = Vec::new();
    collect(body, false, 0, &mut names);
    names
}

/// Whether a name means the field: the whole path, its end, or an object around it.
pub(super) fn names_field(name: &str, field: &str) -> bool {
    let (name, field) = (segments(name), segments(field));
    !name.is_empty() && (name.last() == field.last() || field.starts_with(&name))
}

fn collect(value: Json<'_>, in_item: bool, level: usize, names: &mut Vec<String>) {
    if level > LEVELS || names.len() > ITEMS {
        return;
    }
    match value {
        Json::Object(members) => {
            for (name, value) in members.iter() {
                if NAMING.contains(&name) || (in_item && NAMING_IN_ITEMS.contains(&name)) {
                    names.extend(spelled(value));
                }
                collect(value, in_item, level + 1, names);
            }
        }
        Json::Array(items) => items.iter().take(ITEMS).for_each(|item| collect(item, true, level + 1, names)),
        _ => {}
    }
}

/// A name: a text, or a list of segments. One that names nothing, such as the empty pointer, is left out.
fn spelled(value: Json<'_>) -> Option<String> {
    let text = match value {
        Json::Text(text) => text.to_owned(),
        Json::Array(items) => items.iter().filter_map(Json::text).collect::<Vec<_>>().join("."),
        _ => return None,
    };
    (!segments(&text).is_empty()).then_some(text)
}

/// The segments of a path in lower case, without indices, prefixes and what joins words.
fn segments(path: &str) -> Vec<String> {
    let path = path.replace("~1", ".").replace("~0", "~");
    let parts = path.split(['.', '/', '[', ']', '"', '\'']).map(str::trim).filter(|part| !part.is_empty());
    let named = parts.filter(|part| !part.bytes().all(|byte| byte.is_ascii_digit()) && *part != "*");
    let plain = |part: &str| part.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect::<String>();
    let mut segments: Vec<String> = named.map(plain).collect();
    let prefixes = segments.iter().take_while(|segment| PREFIXES.contains(&segment.as_str())).count();
    // A field may itself be called `body`.
    segments.drain(..prefixes.min(segments.len().saturating_sub(1)));
    segments.retain(|segment| !matches!(segment.as_str(), "$" | "#"));
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::json::Document;

    #[test]
    fn a_field_is_named_in_many_spellings() {
        for (name, field, same) in [
            ("title", "title", true),
            ("user.address.zip", "user.address.zip", true),
            ("user[address][zip]", "user.address.zip", true),
            ("items[3].price", "items.price", true),
            ("/user/address/zip", "user.address.zip", true),
            ("#/items/0/price", "items.price", true),
            ("$.user.zip", "user.zip", true),
            ("body.title", "title", true),
            ("body", "body", true),
            ("zip", "user.address.zip", true),
            ("user.address", "user.address.zip", true),
            ("maxTokens", "max_tokens", true),
            ("Max-Tokens", "max_tokens", true),
            ("address", "user.address.zip", false),
            ("model", "title", false),
            ("", "title", false),
            ("#", "title", false),
            ("/0", "items.price", false),
        ] {
            assert_eq!(names_field(name, field), same, "{name} {field}");
        }
    }

    #[test]
    fn names_are_found_where_errors_have_them() {
        for (body, expected) in [
            (r#"{"details":{"field":"a"}}"#, "a"),
            (r#"{"errors":[{"field":"a"},{"pointer":"/b/0"}]}"#, "a /b/0"),
            (r#"{"error":{"param":"model","path":"/v1/x"}}"#, "model"),
            (r#"{"detail":[{"loc":["body","user",0,"zip"]}]}"#, "body.user.zip"),
            (r#"{"errors":[{"source":{"pointer":"/data/attributes/title"}}]}"#, "/data/attributes/title"),
            (r#"{"invalid-params":[{"name":"age"}],"name":"x","path":"/y"}"#, "age"),
            (r#"{"error":{"param":null},"errors":[{"instancePath":""}]}"#, ""),
        ] {
            let document = Document::read(body.as_bytes()).expect("JSON");
            assert_eq!(named_fields(document.value()).join(" "), expected, "{body}");
        }
    }
}
