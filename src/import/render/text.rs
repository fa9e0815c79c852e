//! The scalars of TOML 1.0.

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

/// A number; whole ones without a point.
pub(super) fn number(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_inside_their_quotes() {
        assert_eq!(quoted("a\"b\\c\n\u{1}\u{7f}ü"), r#""a\"b\\c\n\u0001\u007Fü""#);
        assert_eq!(key("a-b_1"), "a-b_1");
        assert_eq!((key("a.b"), key("")), ("\"a.b\"".to_owned(), "\"\"".to_owned()));
        assert_eq!(literal("{\"a\": \"'''\u{7f}\"}"), "'''\n{\"a\": \"\\u0027\\u0027'\\u007f\"}\n'''");
        assert_eq!((number(3.0), number(-0.5)), ("3".to_owned(), "-0.5".to_owned()));
    }
}
