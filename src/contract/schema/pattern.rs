//! `pattern` in the words of ECMA-262, run by an engine whose time is linear in the text.
//!
//! The two dialects differ in places that matter: `\d` and `\w` are ASCII in ECMA-262, `.` stops at four line ends, a
//! `[` within a class is itself. What is written is translated, letter by letter. Look-arounds and back-references have
//! no linear-time meaning and are refused, where the schema is read and not where an answer is judged.

use regex::{Regex, RegexBuilder};

/// A pattern's compiled size at most, in bytes.
const LARGEST: usize = 1 << 20;
/// A pattern's length at most, in bytes.
const LONGEST: usize = 4 * 1024;
/// ECMA-262 `\s`: white space and line ends.
const SPACE: &str = r"\t\n\x0B\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}";

/// Compiles a pattern as JSON Schema means it: unanchored, in Unicode.
///
/// # Errors
/// What keeps it from being run, for people.
pub(super) fn compile(written: &str) -> Result<Regex, String> {
    if written.len() > LONGEST {
        return Err(format!("a pattern of {} bytes; {LONGEST} are the most", written.len()));
    }
    let translated = Translation { rest: written.chars().peekable(), out: String::with_capacity(written.len() + 16) }.run()?;
    RegexBuilder::new(&translated).size_limit(LARGEST).dfa_size_limit(LARGEST).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            format!("a pattern that grows beyond {LARGEST} bytes when it is compiled; shorten its repetitions")
        }
        error => {
            let said = error.to_string();
            format!("not a regular expression: {}", said.lines().last().unwrap_or("").trim_start_matches("error: "))
        }
    })
}

struct Translation<'p> {
    rest: std::iter::Peekable<std::str::Chars<'p>>,
    out: String,
}

impl Translation<'_> {
    fn run(mut self) -> Result<String, String> {
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '.' => self.out.push_str(r"[^\n\r\x{2028}\x{2029}]"),
                '(' => self.group()?,
                '{' if !self.is_repetition() => self.out.push_str(r"\{"),
                c => self.out.push(c),
            }
        }
        Ok(self.out)
    }

    /// What follows an opening bracket.
    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        let mut ahead = self.rest.clone();
        match (ahead.next(), ahead.next(), ahead.next()) {
            (Some('?'), Some('=' | '!'), _) => Err("a look-ahead, which no engine runs in linear time".to_owned()),
            (Some('?'), Some('<'), Some('=' | '!')) => Err("a look-behind, which no engine runs in linear time".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether a brace begins `{2}`, `{2,}` or `{2,3}`; any other is itself.
    fn is_repetition(&self) -> bool {
        let inside: String = self.rest.clone().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
        let closed = self.rest.clone().nth(inside.len()) == Some('}');
        let (from, to) = inside.split_once(',').unwrap_or((&inside, ""));
        closed && !from.is_empty() && !to.contains(',')
    }

    /// A class, from after its opening bracket.
    fn class(&mut self) -> Result<(), String> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        if self.rest.next_if_eq(&']').is_some() {
            // `[]` is nothing, `[^]` is anything.
            self.out.push_str(if negated { r"[\s\S]" } else { r"[^\s\S]" });
            return Ok(());
        }
        self.out.push_str(if negated { "[^" } else { "[" });
        loop {
            match self.rest.next() {
                None => return Err("not a regular expression: unclosed character class".to_owned()),
                Some(']') => {
                    self.out.push(']');
                    return Ok(());
                }
                Some('\\') => self.escape(true)?,
                // Themselves in ECMA-262, set operations elsewhere.
                Some(c @ ('[' | '&' | '~')) => self.out.extend(['\\', c]),
                Some('-') if self.rest.peek() == Some(&'-') => self.out.push_str(r"\-"),
                Some(c) => self.out.push(c),
            }
        }
    }

    /// An escape, from after its backslash.
    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let bracket = |set: &str| if in_class { set.to_owned() } else { format!("[{set}]") };
        let piece = match self.rest.next() {
            None => return Err("not a regular expression: it ends in a backslash".to_owned()),
            Some('d') => bracket("0-9"),
            Some('w') => bracket("A-Za-z0-9_"),
            Some('s') => bracket(SPACE),
            // A negated set stands within a class as a class of its own.
            Some('D') => "[^0-9]".to_owned(),
            Some('W') => "[^A-Za-z0-9_]".to_owned(),
            Some('S') => format!("[^{SPACE}]"),
            Some('b') if in_class => r"\x08".to_owned(),
            Some('b') => r"(?-u:\b)".to_owned(),
            Some('B') if !in_class => r"(?-u:\B)".to_owned(),
            Some('0') if !self.rest.peek().is_some_and(char::is_ascii_digit) => r"\x00".to_owned(),
            Some('0'..='9') if !in_class => return Err("a back-reference, which no engine runs in linear time".to_owned()),
            Some('k') if self.rest.peek() == Some(&'<') => return Err("a back-reference, which no engine runs in linear time".to_owned()),
            Some('c') => self.control()?,
            Some('u') => self.unicode()?,
            Some(c @ ('n' | 'r' | 't' | 'v' | 'f' | 'x')) => format!("\\{c}"),
            Some(c @ ('p' | 'P')) => self.property(c)?,
            Some(c) if c.is_ascii_alphanumeric() => return Err(format!("not a regular expression: `\\{c}` is no escape of ECMA-262")),
            // Whatever stands for itself.
            Some(c) => regex::escape(c.encode_utf8(&mut [0; 4])),
        };
        self.out.push_str(&piece);
        Ok(())
    }

    /// `\p{Letter}`.
    fn property(&mut self, letter: char) -> Result<String, String> {
        let name: String = match self.rest.next() {
            Some('{') => self.rest.by_ref().take_while(|c| *c != '}').collect(),
            _ => return Err("not a regular expression: `\\p` wants the name of a property in braces".to_owned()),
        };
        Ok(format!("\\{letter}{{{name}}}"))
    }

    /// `\cJ`.
    fn control(&mut self) -> Result<String, String> {
        let letter = self.rest.next().filter(char::is_ascii_alphabetic);
        let letter = letter.ok_or_else(|| "not a regular expression: `\\c` wants a letter".to_owned())?;
        Ok(format!("\\x{:02x}", (letter as u8) % 32))
    }

    /// `\u00e9`, `\u{1f600}`, or the two halves of a character beyond the sixteen bits.
    fn unicode(&mut self) -> Result<String, String> {
        let wrong = || "not a regular expression: `\\u` wants the number of a character".to_owned();
        if self.rest.next_if_eq(&'{').is_some() {
            let digits: String = self.rest.by_ref().take_while(|c| *c != '}').collect();
            let number = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
            return number.map(|c| format!("\\x{{{:x}}}", c as u32)).ok_or_else(wrong);
        }
        let first = self.four_digits().ok_or_else(wrong)?;
        let number = match first {
            0xd800..=0xdbff => {
                let second = (self.rest.next() == Some('\\') && self.rest.next() == Some('u')).then(|| self.four_digits()).flatten();
                let low = second.filter(|low| (0xdc00..=0xdfff).contains(low)).ok_or_else(wrong)?;
                0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00)
            }
            other => other,
        };
        char::from_u32(number).map(|c| format!("\\x{{{:x}}}", c as u32)).ok_or_else(wrong)
    }

    fn four_digits(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |number, _| Some(number * 16 + self.rest.next()?.to_digit(16)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_ecma_262_says() {
        for (pattern, text, expected) in [
            (r"^\d+$", "42", true),
            (r"^\d+$", "٤٢", false),
            (r"^\w+$", "é", false),
            (r"^[\w-]+$", "a-b", true),
            (r"^[^\s]+$", "a\u{a0}b", false),
            (r"^\S+$", "a\u{feff}b", false),
            (r"^[\S]+$", "ab", true),
            (r"^.$", "\u{2028}", false),
            (r"^.$", "😀", true),
            (r"^[[]x$", "[x", true),
            (r"^[a&&b]+$", "a&b", true),
            (r"^[a--]$", "-", true),
            (r"^[^]$", "\n", true),
            (r"x[]", "x", false),
            (r"^a{,3}$", "a{,3}", true),
            (r"^{x}$", "{x}", true),
            (r"^a{2,3}$", "aaa", true),
            (r"^\u00e9\u{1F600}\uD83D\uDE00$", "é😀😀", true),
            (r"^\cJ$", "\n", true),
            (r"^\/\-\<\>\é$", "/-<>é", true),
            (r"\bfoo\b", "é foo.", true),
            (r"^\p{L}+$", "äß", true),
            (r"^\p{Letter}\P{Letter}$", "é!", true),
            (r"^[\p{Script=Greek}]+$", "αβ", true),
            (r"^(?<year>\d{4})$", "2026", true),
            ("es", "expression is found anywhere: yes", true),
            (r"^[\b]$", "\u{8}", true),
            (r"^[\d\D]$", "x", true),
        ] {
            let regex = compile(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}"));
            assert_eq!(regex.is_match(text), expected, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn what_has_no_linear_time_is_refused_in_words() {
        for (pattern, said) in [
            ("^(?=x)y", "look-ahead"),
            ("^(?!x)y", "look-ahead"),
            ("(?<=x)y", "look-behind"),
            ("(?<!x)y", "look-behind"),
            (r"(a)\1", "back-reference"),
            (r"(?<n>a)\k<n>", "back-reference"),
            ("a(", "not a regular expression"),
            ("[a", "unclosed"),
            ("a\\", "backslash"),
            (r"^\Afoo\Z", "no escape"),
            ("((((a{1000}){1000}){1000}){1000})", "shorten"),
            (&"a".repeat(5_000), "5000 bytes"),
        ] {
            let why = compile(pattern).expect_err(pattern);
            assert!(why.contains(said), "{why}");
        }
    }
}
