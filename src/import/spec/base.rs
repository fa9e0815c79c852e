//! Where an API is served: `servers` and `basePath` become paths, and paths become path patterns.

use serde_json::Value;

use super::super::dialect::Dialect;
use super::super::library::Spot;

/// Base paths at most.
const MOST: usize = 16;

/// The base paths of a document, without a slash at their end; at least one.
pub(super) fn of(root: &Spot<'_>, dialect: Dialect) -> Vec<String> {
    match dialect {
        Dialect::Swagger2 => vec![tidy(root.text("basePath").unwrap_or(""))],
        _ => servers(root).unwrap_or_else(|| vec![String::new()]),
    }
}

/// The base paths that a path or an operation has of its own (3.x).
pub(super) fn own(spot: &Spot<'_>, dialect: Dialect) -> Option<Vec<String>> {
    if dialect == Dialect::Swagger2 { None } else { servers(spot) }
}

fn servers(spot: &Spot<'_>) -> Option<Vec<String>> {
    let mut bases: Vec<String> = Vec::new();
    for server in spot.value.get("servers")?.as_array()?.iter().take(MOST) {
        let base = server.get("url").and_then(Value::as_str).map(|url| path_of(&filled(url, server)))?;
        if !bases.contains(&base) {
            bases.push(base);
        }
    }
    (!bases.is_empty()).then_some(bases)
}

/// A server's URL with the defaults of its variables.
fn filled(url: &str, server: &Value) -> String {
    let mut filled = url.to_owned();
    for (name, variable) in server.get("variables").and_then(Value::as_object).into_iter().flatten().take(MOST) {
        if let Some(default) = variable.get("default").and_then(Value::as_str) {
            filled = filled.replace(&format!("{{{name}}}"), default);
        }
    }
    filled
}

/// The path of a URL, relative or absolute.
fn path_of(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or("");
    match url.split_once("://").map(|(_, rest)| rest).or_else(|| url.strip_prefix("//")) {
        Some(rest) => tidy(rest.find('/').map_or("", |at| &rest[at..])),
        None => tidy(url.trim_start_matches('.')),
    }
}

fn tidy(path: &str) -> String {
    let path = path.trim().trim_matches('/');
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

/// A path of a document as a path pattern. A segment that is a variable keeps its name; one that only has a variable
/// in it becomes any segment, and AWS's `{rest+}` any rest.
pub(in super::super) fn pattern(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or("");
    let mut segments: Vec<String> = path.split('/').map(segment).collect();
    if let Some(at) = segments.iter().position(|segment| segment == "**") {
        segments.truncate(at + 1);
    }
    segments.join("/")
}

fn segment(segment: &str) -> String {
    let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    match name {
        Some(name) if name.ends_with('+') => "**".to_owned(),
        Some(name) if !name.is_empty() && !name.contains(['{', '}', '*']) => segment.to_owned(),
        Some(_) => "*".to_owned(),
        None if segment.contains(['{', '}', '*']) => "*".to_owned(),
        None => segment.to_owned(),
    }
}

/// A path or pattern without the names of its variables: two that are equal match the same requests.
pub(super) fn nameless(path: &str) -> String {
    let mut nameless = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        nameless.push_str(before);
        nameless.push('*');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    nameless + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn servers_become_base_paths() {
        let document = json!({ "servers": [
            { "url": "https://{host}/{version}/", "variables": { "version": { "default": "v1" } } },
            { "url": "https://sandbox.example.com/v1" },
            { "url": "/beta" },
            { "url": "https://example.com" },
        ] });
        let root = Spot { file: 0, pointer: String::new(), value: &document };
        assert_eq!(of(&root, Dialect::OpenApi30), ["/v1", "/beta", ""]);
        let old = json!({ "basePath": "/v2/" });
        let root = Spot { file: 0, pointer: String::new(), value: &old };
        assert_eq!(of(&root, Dialect::Swagger2), ["/v2"]);
        assert_eq!(of(&root, Dialect::OpenApi31), [""]);
    }

    #[test]
    fn paths_become_patterns() {
        for (path, wanted) in [
            ("/pets/{id}", "/pets/{id}"),
            ("/compare/{base}...{head}", "/compare/*"),
            ("/files/{name}.json", "/files/*"),
            ("/list?action=x", "/list"),
            ("/{proxy+}", "/**"),
            ("/a/**/b", "/a/*/b"),
            ("/odd{", "/*"),
        ] {
            assert_eq!(pattern(path), wanted);
            crate::wire::PathPattern::new(wanted).expect("a path pattern");
        }
        assert_eq!(nameless("/a/{b}/c"), nameless("/a/{d}/c"));
        assert_eq!(nameless("/a/{b}.csv?x"), "/a/*.csv?x");
    }
}
