//! The scalars of TOML 1.0, and JSON laid out for people.

use serde_json::Value;

/// A key, quoted where it is not bare.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if bare { name.to_owned() } else { quoted(name) }
}

/// A basic string.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// JSON as a literal string of several lines. What TOML would not take literally is written as JSON escapes.
pub(super) fn literal(json: &str) -> String {
    let json = json.replace("''", "\\u0027\\u0027");
    let json: String =
        json.chars().map(|c| if c.is_control() && c != '\n' { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }).collect();
    format!("'''\n{json}\n'''")
}

/// JSON for people: what fits on a line stands on one.
pub(super) fn pretty(value: &Value) -> String {
    let mut text = String::new();
    lay_out(value, 0, &mut text);
    text
}

fn lay_out(value: &Value, indent: usize, text: &mut String) {
    const WIDTH: usize = 110;
    let line = on_one_line(value);
    let inner = " ".repeat(indent + 2);
    let (open, close) = match value {
        _ if indent + line.len() <= WIDTH => return text.push_str(&line),
        Value::Array(items) => {
            text.push_str("[\n");
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { ",\n" } else { "" });
                text.push_str(&inner);
                lay_out(item, indent + 2, text);
            }
            ("", "]")
        }
        Value::Object(members) => {
            text.push_str("{\n");
            for (at, (name, value)) in members.iter().enumerate() {
                text.push_str(if at > 0 { ",\n" } else { "" });
                text.push_str(&format!("{inner}{}: ", Value::from(name.as_str())));
                lay_out(value, indent + 2, text);
            }
            ("", "}")
        }
        _ => (line.as_str(), ""),
    };
    text.push_str(open);
    if !close.is_empty() {
        text.push_str(&format!("\n{}{close}", " ".repeat(indent)));
    }
}

/// With a space after each comma and colon.
fn on_one_line(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(on_one_line).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), on_one_line(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// A number; whole ones without a point.
pub(super) fn number(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_laid_out_by_what_fits_on_a_line() {
        let long = "x".repeat(60);
        let value = serde_json::json!({ "a": [1, "\"", {}], "b": [long, long], "c": { "d": null } });
        let text = pretty(&value);
        assert_eq!(text.lines().next(), Some("{"));
        assert!(text.contains("\n  \"a\": [1, \"\\\"\", {}],\n  \"b\": [\n    \"xx"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }

    #[test]
    fn hostile_texts_stay_inside_their_quotes() {
        assert_eq!(quoted("a\"b\\c\n\u{1}\u{7f}ü"), r#""a\"b\\c\n\u0001\u007Fü""#);
        assert_eq!(key("a-b_1"), "a-b_1");
        assert_eq!((key("a.b"), key("")), ("\"a.b\"".to_owned(), "\"\"".to_owned()));
        assert_eq!(literal("{\"a\": \"'''\u{7f}\"}"), "'''\n{\"a\": \"\\u0027\\u0027'\\u007f\"}\n'''");
        assert_eq!((number(3.0), number(-0.5)), ("3".to_owned(), "-0.5".to_owned()));
    }
}
