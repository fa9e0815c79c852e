//! Values that must never be seen again: masked wherever a report, a log or a curl line could show them.
//!
//! A value is secret because the plan declares it (`secret = true`) or because it stood in a header that
//! carries credentials by its nature. Masking replaces the value by the variable's name, `$TOKEN`, so that a
//! curl line stays usable by someone who has the secret.

use std::borrow::Cow;
use std::sync::OnceLock;

use memchr::{memchr3, memmem};
use regex::bytes::Regex;

use serde::{Deserialize, Serialize};

/// Header fields whose whole value is a credential, in lower case.
const CREDENTIAL_HEADERS: [&str; 7] =
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-auth-token"];

/// Values shorter than this are not searched for in text: masking every `a` would hide the report, not the secret.
const SHORTEST: usize = 4;
/// Values shorter than this are not looked for in answers: they are words that any text may hold.
const SHORTEST_SEARCHED: usize = 8;
/// Values that are looked for one by one.
const FEW: usize = 4;

/// The secrets of one run.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    values: Vec<(String, String)>,
    /// All values that are looked for in answers, compiled when the first answer comes.
    finder: OnceLock<Finder>,
}

/// Several values that are looked for at once.
#[derive(Clone, Debug)]
enum Finder {
    /// One search for each: with a few it is the quickest.
    Few(Vec<memmem::Finder<'static>>),
    Many(Regex),
}

impl Finder {
    fn of<'v>(values: impl Iterator<Item = &'v str> + Clone) -> Finder {
        let many = if values.clone().nth(FEW).is_some() {
            let values: Vec<String> = values.clone().map(regex::escape).collect();
            Regex::new(&values.join("|")).ok()
        } else {
            None
        };
        many.map_or_else(|| Finder::Few(values.map(|value| memmem::Finder::new(value).into_owned()).collect()), Finder::Many)
    }

    fn finds_any(&self, hay: &[u8]) -> bool {
        match self {
            Finder::Few(values) => values.iter().any(|value| value.find(hay).is_some()),
            Finder::Many(values) => values.is_match(hay),
        }
    }
}

impl Secrets {
    /// Declares a value; `name` is shown in its place as `$NAME`.
    ///
    /// White space around it is no part of the secret: it is what `echo` leaves behind, and not sent in a header.
    pub fn declare(&mut self, name: &str, value: &str) {
        let value = value.trim();
        if value.len() >= SHORTEST {
            let shown = format!("${}", name.to_uppercase().replace('-', "_"));
            self.values.push((value.to_owned(), shown));
            // Longest first, so that a secret that contains another is masked whole.
            self.values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
            self.finder = OnceLock::new();
        }
    }

    /// The declared values, longest first, for checks that look for them in answers.
    pub fn values(&self) -> impl Iterator<Item = &str> + Clone {
        self.values.iter().map(|(value, _)| value.as_str())
    }

    /// The length of the shortest value that is looked for in answers, in bytes.
    pub fn shortest_searched(&self) -> Option<usize> {
        self.searched().map(str::len).last()
    }

    /// Whether bytes of an answer hold a declared value of eight bytes or more, however it is spelled.
    pub fn are_in(&self, hay: &[u8]) -> bool {
        self.stand_in(hay) || (may_be_encoded(hay) && self.searched().any(|value| is_encoded_in(hay, value)))
    }

    /// The same for values as they are.
    pub fn stand_in(&self, hay: &[u8]) -> bool {
        self.finder.get_or_init(|| Finder::of(self.searched())).finds_any(hay)
    }

    fn searched(&self) -> impl Iterator<Item = &str> + Clone {
        self.values().filter(|value| value.len() >= SHORTEST_SEARCHED)
    }

    /// The text with every secret replaced by its name, also where it is spelled otherwise: percent-encoded, or escaped
    /// as in JSON or HTML, any number of times over.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.values.iter().fold(Cow::Borrowed(text), |text, (value, shown)| match replaced(&text, value, shown) {
            Some(masked) => Cow::Owned(masked),
            None => text,
        })
    }

    /// Whether a secret is shown by this name: `$TOKEN`.
    pub fn declares(&self, shown: &str) -> bool {
        self.values.iter().any(|(_, name)| name == shown)
    }

    /// The names in a text that stand for secrets, each time they do.
    pub fn placeholders(&self, text: &str) -> impl Iterator<Item = String> {
        let found: Vec<String> =
            text.match_indices('$').filter_map(|(at, _)| self.named(&text[at..])).map(|(_, shown)| shown.to_owned()).collect();
        found.into_iter()
    }

    /// The text with every name of a secret replaced by its value again, spelled as its surroundings want it.
    ///
    /// The opposite of [`mask`](Secrets::mask), as far as there is one: whoever needs the very same text compares.
    pub fn refill(&self, text: &str, spelling: Spelling) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            filled.push_str(&rest[..at]);
            match self.named(&rest[at..]) {
                Some((value, shown)) => {
                    spelling.write(value, &mut filled);
                    rest = &rest[at + shown.len()..];
                }
                None => {
                    filled.push('$');
                    rest = &rest[at + 1..];
                }
            }
        }
        filled + rest
    }

    /// The secret whose name a text begins with: the longest such name.
    fn named(&self, text: &str) -> Option<(&str, &str)> {
        let named = self.values.iter().filter(|(_, shown)| text.starts_with(shown.as_str()));
        named.max_by_key(|(_, shown)| shown.len()).map(|(value, shown)| (value.as_str(), shown.as_str()))
    }

    /// Whether a header carries credentials by its nature.
    pub fn is_credential(name: &str) -> bool {
        CREDENTIAL_HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The part of a header's value that must not be shown; empty where the header carries no credentials.
    pub fn credential<'t>(name: &str, value: &'t str) -> &'t str {
        if !CREDENTIAL_HEADERS.contains(&name) {
            return "";
        }
        let scheme = if name.ends_with("authorization") { value.bytes().position(|byte| byte == b' ') } else { None };
        scheme.map_or(value, |end| &value[end + 1..])
    }

    /// The value of a header, masked; one that carries credentials is replaced whole, except for its scheme.
    ///
    /// What a declared secret leaves of a credential is replaced too: a cookie beside it is one as well.
    pub fn mask_header<'t>(&self, name: &str, value: &'t str) -> Cow<'t, str> {
        let name = name.to_ascii_lowercase();
        if !CREDENTIAL_HEADERS.contains(&name.as_str()) {
            return self.mask(value);
        }
        if let Some((_, shown)) = self.values.iter().find(|(declared, _)| declared == value) {
            return Cow::Owned(shown.clone());
        }
        // Only these begin with a scheme (RFC 9110 §11.4); the first word of a cookie is a credential itself.
        match value.split_once(' ').filter(|_| name.ends_with("authorization")) {
            Some((scheme, credential)) => {
                let declared = self.values.iter().find(|(declared, _)| declared == credential);
                Cow::Owned(format!("{} {}", self.mask(scheme), declared.map_or("$TOKEN", |(_, shown)| shown)))
            }
            None => Cow::Borrowed("$SECRET"),
        }
    }
}

/// How a value is written into its surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spelling {
    /// Percent-encoded but for what RFC 3986 §2.3 calls unreserved.
    Url,
    /// Percent-encoded only where it could not stand on a request line.
    UrlText,
    /// Inside a JSON string.
    Json,
    /// Without control characters.
    Header,
    /// As it is.
    Raw,
}

impl Spelling {
    fn write(self, value: &str, into: &mut String) {
        match self {
            Spelling::Raw => into.push_str(value),
            Spelling::Header => into.extend(value.chars().filter(|c| !c.is_ascii_control())),
            Spelling::Url => value.bytes().for_each(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => into.push(char::from(byte)),
                _ => into.push_str(&format!("%{byte:02X}")),
            }),
            Spelling::UrlText => value.bytes().for_each(|byte| match byte {
                b'!'..=b'~' if !b"\"<>\\^`{|}".contains(&byte) => into.push(char::from(byte)),
                _ => into.push_str(&format!("%{byte:02X}")),
            }),
            Spelling::Json => {
                let quoted = serde_json::to_string(value).expect("a text is JSON");
                into.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
    }
}

/// Whether bytes hold a value, as it is or in any other spelling: percent-encoded, or escaped as in JSON or HTML.
pub fn is_spelled_in(hay: &[u8], value: &str) -> bool {
    memmem::find(hay, value.as_bytes()).is_some() || is_encoded_in(hay, value)
}

/// Bytes without a percent sign, backslash or ampersand have no spelling of anything but its own.
fn may_be_encoded(hay: &[u8]) -> bool {
    memchr3(b'%', b'\\', b'&', hay).is_some()
}

/// The same for spellings other than its own.
fn is_encoded_in(hay: &[u8], value: &str) -> bool {
    if !may_be_encoded(hay) {
        return false;
    }
    let text = String::from_utf8_lossy(hay);
    let begins = |at: &usize| matches!(text.as_bytes()[*at], b'%' | b'\\' | b'&') || text[*at..].chars().next() == value.chars().next();
    starts(&text).filter(begins).any(|at| [true, false].iter().any(|percent| after_spelling(&text[at..], value, *percent).is_some()))
}

/// Where a spelling may start: at any character, but inside a run of backslashes at its first only, which stands for all.
fn starts(text: &str) -> impl Iterator<Item = usize> {
    let mut before = ' ';
    text.char_indices().filter_map(move |(at, c)| {
        let inside = c == '\\' && before == '\\';
        before = c;
        (!inside).then_some(at)
    })
}

/// The text with every spelling of a value replaced; `None` where there is none.
fn replaced(text: &str, value: &str, shown: &str) -> Option<String> {
    let (mut masked, mut kept_to) = (String::new(), 0);
    for at in starts(text) {
        if at < kept_to {
            continue;
        }
        let here = &text[at..];
        if let Some(rest) =
            here.strip_prefix(value).or_else(|| [true, false].iter().find_map(|percent| after_spelling(here, value, *percent)))
        {
            masked.push_str(&text[kept_to..at]);
            masked.push_str(shown);
            kept_to = text.len() - rest.len();
        }
    }
    (kept_to > 0).then(|| masked + &text[kept_to..])
}

/// What follows a spelling of the value at the beginning of a text. A `%` is the beginning of an encoded byte or just a
/// `%`: one or the other throughout.
fn after_spelling<'t>(text: &'t str, value: &str, percent: bool) -> Option<&'t str> {
    let mut before = ' ';
    value.chars().try_fold(text, |rest, c| {
        // A run of backslashes is taken whole, since escapes may be escaped again.
        let again = c == '\\' && before == '\\';
        before = c;
        let after = after_percent(rest, c).filter(|_| percent).or_else(|| after_character(rest, c));
        if again { after.or(Some(rest)) } else { after }
    })
}

/// What follows one character of a secret, as it is, or escaped in JSON or HTML.
fn after_character(text: &str, c: char) -> Option<&str> {
    let bare = text.trim_start_matches('\\');
    let escaped = bare.len() < text.len();
    if c == '\\' && escaped {
        return Some(bare);
    }
    let utf16 = escaped.then(|| after_utf16(bare, c)).flatten();
    utf16
        .or_else(|| ENTITIES.iter().filter(|(of, _)| *of == c).find_map(|(_, entity)| text.strip_prefix(entity)))
        .or_else(|| LETTERS.iter().filter(|(of, _)| escaped && *of == c).find_map(|(_, letter)| bare.strip_prefix(*letter)))
        .or_else(|| bare.strip_prefix(c))
        .or_else(|| (c == ' ').then(|| text.strip_prefix('+')).flatten())
        // A header has no room for control characters: there they are left out.
        .or_else(|| c.is_control().then_some(text))
}

/// What HTML and XML write for a character.
const ENTITIES: [(char, &str); 8] =
    [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('"', "&#34;"), ('\'', "&#39;"), ('\'', "&#x27;"), ('\'', "&apos;")];

/// What JSON writes after a backslash for a control character.
const LETTERS: [(char, char); 5] = [('\n', 'n'), ('\r', 'r'), ('\t', 't'), ('\u{8}', 'b'), ('\u{c}', 'f')];

/// What follows the percent-encoded bytes of a character.
fn after_percent(text: &str, c: char) -> Option<&str> {
    c.encode_utf8(&mut [0; 4]).bytes().try_fold(text, |rest, expected| {
        let (value, rest) = rest.strip_prefix('%').and_then(|digits| hex(digits, 2))?;
        (value == u32::from(expected)).then_some(rest)
    })
}

/// What follows `u00e9` and the like, the first backslash being read already; two of them for characters beyond U+FFFF.
fn after_utf16(text: &str, c: char) -> Option<&str> {
    c.encode_utf16(&mut [0; 2]).iter().try_fold(text, |rest, expected| {
        let (value, rest) = rest.trim_start_matches('\\').strip_prefix('u').and_then(|digits| hex(digits, 4))?;
        (value == u32::from(*expected)).then_some(rest)
    })
}

/// A number of so many hexadecimal digits, and what follows it.
fn hex(text: &str, digits: usize) -> Option<(u32, &str)> {
    let number = text.get(..digits).filter(|number| number.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((u32::from_str_radix(number, 16).ok()?, &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_secret_is_replaced_by_its_name_wherever_it_stands() {
        let mut secrets = Secrets::default();
        secrets.declare("token", "s3cr3t-value");
        assert_eq!(secrets.mask("a s3cr3t-value b"), "a $TOKEN b");
        assert_eq!(secrets.mask_header("X-Custom", "s3cr3t-value"), "$TOKEN");
        assert_eq!(secrets.mask_header("Authorization", "Bearer s3cr3t-value"), "Bearer $TOKEN");
    }

    #[test]
    fn a_credential_header_is_masked_even_when_nobody_declared_it() {
        assert_eq!(Secrets::default().mask_header("authorization", "Basic dTpw"), "Basic $TOKEN");
        assert_eq!(Secrets::default().mask_header("Cookie", "sid=1"), "$SECRET");
        assert_eq!(Secrets::default().mask_header("accept", "text/html"), "text/html");
    }

    #[test]
    fn a_secret_is_found_however_it_is_spelled() {
        let mut secrets = Secrets::default();
        secrets.declare("token", "a/b+\"c\\d\\\\e <é𝄞\nz%25\n");
        for spelling in [
            "a/b+\"c\\d\\\\e <é𝄞\nz%25",
            "a%2Fb%2b%22c%5Cd%5c%5Ce%20%3c%C3%A9%F0%9D%84%9E%0Az%2525",
            "a%2Fb%2B%22c%5Cd%5C%5Ce+<%C3%A9%F0%9D%84%9E%0Az%2525",
            r#"a/b+\"c\\d\\\\e <é𝄞\nz%25"#,
            r#"a\/b+\"c\\d\\\\e \u003C\u00E9\ud834\uDD1E\nz%25"#,
            r#"a\/b+\\\"c\\\\d\\\\\\\\e \\u003c\\u00e9\\ud834\\udd1e\\nz%25"#,
            "a/b+&quot;c\\d\\\\e &lt;é𝄞\nz%25",
            "a/b+\"c\\d\\\\e <é𝄞z%25",
        ] {
            assert_eq!(secrets.mask(&format!("x{spelling}y")), "x$TOKENy", "{spelling}");
        }
        for other in ["a/b+\"c\\d\\\\e <é𝄞\nz%2", "a%2", "%", "\\", "a\\u00", "é%C3"] {
            assert_eq!(secrets.mask(other), other);
        }
    }

    #[test]
    fn a_line_break_that_came_with_a_secret_is_no_part_of_it() {
        let mut secrets = Secrets::default();
        secrets.declare("token", "s3cr3t-value\n");
        assert_eq!(secrets.mask("s3cr3t-value"), "$TOKEN");
        secrets.declare("blank", " \n\n   \n");
        assert_eq!(secrets.values().count(), 1, "nothing but white space is no secret");
    }

    #[test]
    fn a_secret_within_a_longer_secret_leaves_no_remainder() {
        let mut secrets = Secrets::default();
        secrets.declare("short", "abcd");
        secrets.declare("long", "abcdefgh");
        assert_eq!(secrets.mask("abcdefgh"), "$LONG");
    }

    #[test]
    fn of_a_credential_header_nothing_is_shown_but_its_scheme() {
        let mut secrets = Secrets::default();
        secrets.declare("key", "s3cr3t-value");
        assert_eq!(secrets.mask_header("Cookie", "sid=4711; theme=dark"), "$SECRET");
        assert_eq!(secrets.mask_header("Set-Cookie", "sid=4711; Path=/; HttpOnly"), "$SECRET");
        assert_eq!(secrets.mask_header("X-Api-Key", "first second"), "$SECRET");
        assert_eq!(secrets.mask_header("X-Api-Key", "s3cr3t-value"), "$KEY");
        assert_eq!(secrets.mask_header("Cookie", "key=s3cr3t-value; sid=4711"), "$SECRET");
        assert_eq!(secrets.mask_header("Authorization", "Token s3cr3t-value:4711"), "Token $TOKEN");
    }

    #[test]
    fn a_secret_is_masked_where_it_stands_escaped() {
        let mut secrets = Secrets::default();
        secrets.declare("key", r#"p/w "x""#);
        assert_eq!(secrets.mask("/login?key=p%2Fw%20%22x%22&a=1"), "/login?key=$KEY&a=1");
        assert_eq!(secrets.mask(r#"{"key":"p/w \"x\""}"#), r#"{"key":"$KEY"}"#);
    }

    #[test]
    fn a_few_secrets_and_many_are_found_alike_and_short_ones_are_not_looked_for() {
        for declared in 1..=2 * FEW {
            let values: Vec<String> = (0..declared).map(|n| format!("s3cr3t/{n}-value")).collect();
            let mut secrets = Secrets::default();
            secrets.declare("short", "word");
            values.iter().enumerate().for_each(|(n, value)| secrets.declare(&format!("k{n}"), value));
            assert_eq!(secrets.shortest_searched(), Some(values[0].len()));
            for value in &values {
                let (plain, escaped) = (format!("it is {value}."), format!("it is {}.", value.replace('/', "%2F")));
                assert!(secrets.are_in(plain.as_bytes()) && secrets.stand_in(plain.as_bytes()), "{declared} {value}");
                assert!(secrets.are_in(escaped.as_bytes()) && !secrets.stand_in(escaped.as_bytes()), "{declared} {value}");
            }
            assert!(!secrets.are_in(b"s3cr3t/-value, a word, 100 %") && !secrets.are_in(b""));
        }
    }
}
