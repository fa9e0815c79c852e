//! Fields and headers as the clauses of a contract file.

use serde_json::Value;

use super::super::fields::Field;
use super::super::roles;
use super::super::spec::HeaderDoc;
use super::text::{key, number, quoted};
use crate::contract::Role;

/// The lines of an object's members; members of members are dotted keys below them. `refines`: what is not required is
/// said, since the envelope that is extended may require it.
pub(super) fn fields_lines(above: &str, fields: &[Field], refines: bool) -> String {
    let mut text = String::new();
    for field in fields {
        let name = format!("{above}.{}", key(&field.name));
        let clauses = clauses(field, refines);
        let guessed = if field.role.is_some() { " # role guessed from its name" } else { "" };
        match field.fields.is_empty() {
            true => text += &format!("{name} = {{ {} }}{guessed}\n", joined(&clauses)),
            false => {
                for (word, value) in &clauses {
                    text += &format!("{name}.{word} = {value}\n");
                }
                text += &fields_lines(&format!("{name}.fields"), &field.fields, refines);
            }
        }
    }
    text
}

fn clauses(field: &Field, refines: bool) -> Vec<(&'static str, String)> {
    let mut clauses = vec![("type", quoted(field.kind))];
    if field.required || refines {
        clauses.push(("required", field.required.to_string()));
    }
    if field.nullable {
        clauses.push(("nullable", "true".to_owned()));
    }
    let optional = [
        ("pattern", field.pattern.as_deref().map(quoted)),
        ("min", field.min.map(number)),
        ("max", field.max.map(number)),
        ("min_len", field.min_len.map(|least| least.to_string())),
        ("min_items", field.min_items.map(|least| least.to_string())),
        ("one_of", list(&field.one_of)),
        ("format", field.format.map(quoted)),
        ("role", field.role.map(|role| quoted(role.word()))),
    ];
    clauses.extend(optional.into_iter().filter_map(|(word, value)| Some((word, value?))));
    clauses
}

fn list(words: &[String]) -> Option<String> {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    (!words.is_empty()).then(|| format!("[{}]", words.join(", ")))
}

fn joined(clauses: &[(&str, String)]) -> String {
    clauses.iter().map(|(word, value)| format!("{word} = {value}")).collect::<Vec<_>>().join(", ")
}

/// The line of a header; `None` where nothing is said that could be checked.
pub(super) fn header_line(header: &HeaderDoc) -> Option<String> {
    let schema = &header.schema;
    let role = roles::of_header(&header.name);
    let text = |name: &str| schema.get(name).and_then(Value::as_str);
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64).filter(|number| number.abs() <= 1e15).map(number);
    let mut clauses: Vec<(&str, String)> = Vec::new();
    let whole = text("type") == Some("integer");
    if whole {
        clauses.push(("type", quoted("integer")));
    }
    if header.required {
        clauses.push(("required", "true".to_owned()));
    }
    let words: Vec<String> =
        schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let least = schema.get("minLength").and_then(Value::as_u64).filter(|least| (1..=1_000_000).contains(least));
    let format = match (text("format"), role) {
        (Some("date-time"), _) => Some(quoted("rfc3339")),
        (Some("uri"), _) => Some(quoted("uri")),
        (_, Some(Role::RetryAfter)) if whole => Some(quoted("delay-seconds")),
        _ => None,
    };
    let optional = [
        ("pattern", text("pattern").map(quoted)),
        ("min", bound("minimum")),
        ("max", bound("maximum")),
        ("min_len", least.map(|least| least.to_string())),
        ("one_of", list(&words)),
        ("format", format),
        ("unit", header.unit.filter(|_| role == Some(Role::Reset)).map(quoted)),
        ("role", role.map(|role| quoted(role.word()))),
    ];
    clauses.extend(optional.into_iter().filter_map(|(word, value)| Some((word, value?))));
    if clauses.is_empty() {
        return None;
    }
    let guessed = if role.is_some() { " # role guessed from its name" } else { "" };
    Some(format!("headers.{} = {{ {} }}{guessed}\n", key(&header.name), joined(&clauses)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn header(name: &str, required: bool, schema: Value, unit: Option<&'static str>) -> Option<String> {
        header_line(&HeaderDoc { name: name.to_owned(), required, schema, unit })
    }

    #[test]
    fn headers_say_what_can_be_checked() {
        assert_eq!(header("Link", false, json!({ "type": "string" }), None), None);
        assert_eq!(header("Link", true, json!(true), None).as_deref(), Some("headers.Link = { required = true }\n"));
        assert_eq!(
            header("Retry-After", false, json!({ "type": "integer", "minimum": 0 }), None).as_deref(),
            Some(
                "headers.Retry-After = { type = \"integer\", min = 0, format = \"delay-seconds\", role = \"retry-after\" } # role guessed from its name\n"
            )
        );
        assert_eq!(
            header("X-RateLimit-Reset", false, json!({ "type": "integer" }), Some("epoch-seconds")).as_deref(),
            Some(
                "headers.X-RateLimit-Reset = { type = \"integer\", unit = \"epoch-seconds\", role = \"reset\" } # role guessed from its name\n"
            )
        );
    }

    #[test]
    fn members_of_members_stand_below_them() {
        let inner = vec![Field { required: true, role: Some(Role::Code), ..Field::new("code", "string") }];
        let fields = [Field { required: true, fields: inner, ..Field::new("error", "object") }];
        assert_eq!(
            fields_lines("fields", &fields, false),
            "fields.error.type = \"object\"\nfields.error.required = true\n\
             fields.error.fields.code = { type = \"string\", required = true, role = \"code\" } # role guessed from its name\n"
        );
    }
}
