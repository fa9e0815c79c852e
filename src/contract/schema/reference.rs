//! `$ref`: where in the same document it leads. Other documents are never fetched.

use std::collections::BTreeMap;

use serde_json::Value;

/// Where a reference leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A JSON Pointer (RFC 6901).
    Pointer(String),
    /// An `$anchor`.
    Anchor(String),
}

/// Reads a reference. `base` is the root's `$id`, which it may spell out.
///
/// # Errors
/// Where it leads out of the document, for people.
pub(super) fn place(written: &str, base: &str) -> Result<Target, String> {
    let (document, fragment) = written.split_once('#').unwrap_or((written, ""));
    if !document.is_empty() && document != base && !is_relative_to(document, base) {
        return Err(format!("`{written}` is remote, and is not fetched: copy what it means into this document's `$defs`"));
    }
    let fragment = decoded(fragment).ok_or_else(|| format!("`{written}` has an escape that is no UTF-8"))?;
    Ok(match fragment.is_empty() || fragment.starts_with('/') {
        true => Target::Pointer(fragment),
        false => Target::Anchor(fragment),
    })
}

/// Whether a relative reference names the root's own document: the last part of its `$id`.
fn is_relative_to(document: &str, base: &str) -> bool {
    !document.contains(':') && !document.contains('/') && base.rsplit_once('/').is_some_and(|(_, last)| last == document)
}

/// A name as a step of a JSON Pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A fragment without its percent codes.
fn decoded(fragment: &str) -> Option<String> {
    let mut parts = fragment.split('%');
    let mut bytes = parts.next().unwrap_or("").as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok())?;
        bytes.push(code);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// Keywords whose value is a schema.
const ONE: [&str; 12] = [
    "additionalProperties",
    "propertyNames",
    "items",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedProperties",
    "unevaluatedItems",
    "contentSchema",
    "additionalItems",
];
/// Keywords whose value is a list of schemas.
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value is an object of schemas.
const NAMED: [&str; 5] = ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];

/// The places of all `$anchor`s, where there is a schema and not just data that looks like one.
pub(super) fn anchors(document: &Value) -> BTreeMap<&str, String> {
    let mut found = BTreeMap::new();
    let mut queue = vec![(String::new(), document)];
    while let Some((at, value)) = queue.pop() {
        let Value::Object(map) = value else { continue };
        let names = ["$anchor", "$dynamicAnchor"].iter().filter_map(|keyword| map.get(*keyword)?.as_str());
        // Draft 7 wrote an anchor as an `$id` that is a fragment.
        let old = map.get("$id").and_then(|id| id.as_str()?.strip_prefix('#'));
        for name in names.chain(old) {
            found.entry(name).or_insert_with(|| at.clone());
        }
        for (keyword, value) in map {
            let inside = format!("{at}/{}", escaped(keyword));
            match value {
                Value::Object(_) if ONE.contains(&keyword.as_str()) => queue.push((inside, value)),
                Value::Array(all) if LIST.contains(&keyword.as_str()) => {
                    queue.extend(all.iter().enumerate().map(|(ix, value)| (format!("{inside}/{ix}"), value)));
                }
                Value::Object(named) if NAMED.contains(&keyword.as_str()) => {
                    queue.extend(named.iter().map(|(name, value)| (format!("{inside}/{}", escaped(name)), value)));
                }
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_to_places_of_the_same_document() {
        let pointer = |at: &str| Ok(Target::Pointer(at.to_owned()));
        for (written, expected) in [
            ("#", pointer("")),
            ("#/$defs/a~1b", pointer("/$defs/a~1b")),
            ("#/$defs/a%25b%22c", pointer("/$defs/a%b\"c")),
            ("https://example.com/error.json#/$defs/x", pointer("/$defs/x")),
            ("error.json", pointer("")),
            ("#code", Ok(Target::Anchor("code".to_owned()))),
        ] {
            assert_eq!(place(written, "https://example.com/error.json"), expected, "{written}");
        }
        for remote in ["other.json", "https://example.com/other.json#/a", "file:///etc/passwd", "urn:x"] {
            let why = place(remote, "https://example.com/error.json").expect_err(remote);
            assert!(why.contains("remote, and is not fetched"), "{why}");
        }
        assert!(place("#/%ff", "").is_err() && place("#/%zz", "").is_err() && place("#/%", "").is_err());
    }

    #[test]
    fn anchors_are_those_of_schemas_and_not_of_data() {
        let document = serde_json::json!({
            "$defs": { "a/b": { "$anchor": "here" }, "c": { "$id": "#old" } },
            "enum": [{ "$anchor": "data" }],
            "anyOf": [{ "$dynamicAnchor": "there" }],
        });
        let found = anchors(&document);
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [("here", "/$defs/a~1b".to_owned()), ("old", "/$defs/c".to_owned()), ("there", "/anyOf/0".to_owned())]
        );
    }
}
