//! Names out of other people's text: printable, short, fit for a key.

use std::collections::{HashMap, HashSet};

/// The text without control characters, which must not reach a terminal or break a comment.
pub(super) fn printable(text: &str) -> String {
    let hostile = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if hostile(c) { ' ' } else { c }).collect()
}

/// The first line, at most `most` characters long.
pub(super) fn first_line(text: &str, most: usize) -> String {
    let line = text.trim().lines().next().unwrap_or("").trim();
    let mut cut: String = printable(line).chars().take(most).collect();
    if line.chars().nth(most).is_some() {
        cut.push('…');
    }
    cut
}

/// A reference as it may be shown: without the credentials that a URL may hold in front of its host or in its query.
pub(super) fn reference(text: &str) -> String {
    const LONGEST: usize = 300;
    let (address, fragment) = text.split_once('#').map_or((text, None), |(address, fragment)| (address, Some(fragment)));
    let (place, query) = address.split_once('?').map_or((address, None), |(place, query)| (place, Some(query)));
    let place = match place.split_once("//") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = host.rsplit_once('@').map_or_else(|| host.to_owned(), |(_, host)| format!("…@{host}"));
            format!("{scheme}//{host}{path}")
        }
        None => place.to_owned(),
    };
    let query = query.map(|_| "?…").unwrap_or_default();
    // A pointer names a place; anything else behind `#` may be a token.
    let fragment = match fragment {
        Some(pointer) if pointer.is_empty() || pointer.starts_with('/') || query.is_empty() => format!("#{pointer}"),
        Some(_) => "#…".to_owned(),
        None => String::new(),
    };
    first_line(&format!("{place}{query}{fragment}"), LONGEST)
}

/// A name in the style of an id: lower case, words joined by hyphens; `other` where nothing is left.
pub(super) fn slug(text: &str, other: &str) -> String {
    const LONGEST: usize = 40;
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            // `Bob's` is one word.
            '\'' | '’' => {}
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
        if slug.len() > LONGEST {
            // Not in the middle of a word, where there are several.
            slug.truncate(slug.trim_end_matches('-').rfind('-').unwrap_or(LONGEST));
            break;
        }
    }
    let slug = slug.trim_matches('-');
    if slug.is_empty() { other.to_owned() } else { slug.to_owned() }
}

/// A name as it stands, without what a key cannot show: `Error`, `api.v1.Status`.
pub(super) fn name(text: &str, other: &str) -> String {
    const LONGEST: usize = 60;
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name: String = text.chars().map(|c| if sound(c) { c } else { '-' }).take(LONGEST).collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { other.to_owned() } else { name.to_owned() }
}

/// Names that are given once.
#[derive(Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    next: HashMap<String, usize>,
}

impl Names {
    /// `base`, or `base-2`, `base-3`… the first that is not taken.
    pub(super) fn give(&mut self, base: &str) -> String {
        let mut name = base.to_owned();
        while !self.taken.insert(name.clone()) {
            let next = self.next.entry(base.to_owned()).or_insert(2);
            name = format!("{base}-{next}");
            *next += 1;
        }
        name
    }
}

/// `1 operation`, `2 operations`.
pub(super) fn count(n: usize, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", thousands(n)),
    }
}

/// `12,345`.
pub(super) fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_fit_for_keys() {
        assert_eq!(slug("  The Pet Store API (v2)!", "api"), "the-pet-store-api-v2");
        assert_eq!(slug("日本", "api"), "api");
        assert_eq!(slug("GitHub's official OpenAPI spec + extension 42", "api"), "githubs-official-openapi-spec-extension");
        assert!(slug(&"x y".repeat(100), "api").len() <= 40);
        assert_eq!(name("io.k8s.Status", "e"), "io.k8s.Status");
        assert_eq!(name("«»", "e"), "e");
        let mut names = Names::default();
        assert_eq!(["a", "a-2", "a", "a"].map(|base| names.give(base)), ["a", "a-2", "a-3", "a-4"]);
    }

    #[test]
    fn hostile_text_becomes_one_printable_line() {
        assert_eq!(first_line("one\u{1b}[31m\ntwo", 80), "one [31m");
        assert_eq!(first_line("\n\n  long enough  ", 4), "long…");
    }

    #[test]
    fn a_reference_is_shown_without_credentials() {
        for (text, shown) in [
            ("https://u:p@example.com/x.yaml?token=t&b=1#/a/b", "https://…@example.com/x.yaml?…#/a/b"),
            ("//u:p@x@example.com", "//…@example.com"),
            ("https://example.com/a@b/x.yaml#/a", "https://example.com/a@b/x.yaml#/a"),
            ("errors.yaml?sig=s#anchor", "errors.yaml?…#…"),
            ("errors.yaml#Anchor", "errors.yaml#Anchor"),
            ("#/components/schemas/A", "#/components/schemas/A"),
        ] {
            assert_eq!(reference(text), shown);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(1, "operation"), "1 operation");
        assert_eq!(count(1_234_567, "operation"), "1,234,567 operations");
    }
}
