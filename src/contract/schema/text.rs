//! A short text that matches a pattern, for the patterns that contracts have: letters, classes, groups, repetitions.

use std::iter::Peekable;
use std::str::Chars;

/// Characters of a text at most.
const LONGEST: usize = 4 * 1024;
/// Letters tried where a class excludes some, or is too odd to be read.
const TRIED: [char; 8] = ['a', 'A', '0', '_', '-', '.', ' ', '/'];

/// A text that probably matches; the caller judges it. Open repetitions are taken often enough to reach `least`
/// characters. `None` where the pattern is of another kind.
pub(super) fn matching(pattern: &str, least: usize) -> Option<String> {
    let once = Writer { rest: pattern.chars().peekable(), open: 0, written: 0 }.alternatives()?;
    let missing = least.saturating_sub(once.chars().count());
    if missing == 0 {
        return Some(once);
    }
    Writer { rest: pattern.chars().peekable(), open: missing, written: 0 }.alternatives()
}

struct Writer<'p> {
    rest: Peekable<Chars<'p>>,
    /// Characters that the next open repetition adds.
    open: usize,
    /// Characters written in all, groups that were thrown away included.
    written: usize,
}

impl Writer<'_> {
    /// The first of the alternatives up to the end of a group; the others are read over.
    fn alternatives(&mut self) -> Option<String> {
        let first = self.sequence()?;
        while self.rest.next_if_eq(&'|').is_some() {
            let open = std::mem::take(&mut self.open);
            self.sequence()?;
            self.open = open;
        }
        Some(first)
    }

    fn sequence(&mut self) -> Option<String> {
        let mut text = String::new();
        while let Some(c) = self.rest.next_if(|c| !matches!(c, '|' | ')')) {
            let piece = match c {
                '^' | '$' => continue,
                '(' => self.group()?,
                '[' => self.class()?.to_string(),
                '.' => "a".to_owned(),
                '\\' => self.escape()?.map(String::from).unwrap_or_default(),
                c => c.to_string(),
            };
            let times = self.times()?;
            self.written += piece.len() * times;
            if self.written > LONGEST {
                return None;
            }
            text.push_str(&piece.repeat(times));
        }
        Some(text)
    }

    fn group(&mut self) -> Option<String> {
        if self.rest.next_if_eq(&'?').is_some() {
            match self.rest.next()? {
                ':' => {}
                '<' => while self.rest.next()? != '>' {},
                _ => return None,
            }
        }
        let inside = self.alternatives()?;
        self.rest.next_if_eq(&')').map(|_| inside)
    }

    /// How often the piece just read is repeated: as seldom as allowed.
    fn times(&mut self) -> Option<usize> {
        let (least, is_open) = match self.rest.peek() {
            Some('*') => (0, true),
            Some('+') => (1, true),
            Some('?') => (0, false),
            Some('{') => return self.counted(),
            _ => return Some(1),
        };
        self.rest.next();
        self.rest.next_if_eq(&'?');
        Some(least + if is_open { std::mem::take(&mut self.open) } else { 0 })
    }

    /// `{2}`, `{2,}`, `{2,5}`.
    fn counted(&mut self) -> Option<usize> {
        self.rest.next();
        let inside: String = self.rest.by_ref().take_while(|c| *c != '}').collect();
        self.rest.next_if_eq(&'?');
        let (least, most) = inside.split_once(',').unwrap_or((&inside, &inside));
        let least: usize = least.parse().ok()?;
        let most: usize = if most.is_empty() { LONGEST } else { most.parse().ok()? };
        let more = self.open.min(most.saturating_sub(least));
        self.open -= more;
        Some(least + more)
    }

    /// A letter of a class.
    fn class(&mut self) -> Option<char> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut ranges: Vec<(char, char)> = Vec::new();
        loop {
            let from = match self.rest.next()? {
                ']' => break,
                '\\' => self.escape()??,
                c => c,
            };
            let mut ahead = self.rest.clone();
            let is_range = ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']');
            let to = match is_range {
                true => {
                    self.rest.next();
                    match self.rest.next()? {
                        '\\' => self.escape()??,
                        c => c,
                    }
                }
                false => from,
            };
            ranges.push((from, to));
        }
        match negated {
            false => ranges.first().map(|(from, _)| *from),
            true => TRIED.into_iter().find(|c| !ranges.iter().any(|(from, to)| (from..=to).contains(&c))),
        }
    }

    /// A letter for what follows a backslash; `Some(None)` where that is no letter but a place.
    fn escape(&mut self) -> Option<Option<char>> {
        Some(Some(match self.rest.next()? {
            'd' => '0',
            'w' => 'a',
            's' => ' ',
            'D' | 'S' => 'a',
            'W' => '-',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' | 'B' => return Some(None),
            'u' | 'x' | 'c' | 'p' | 'P' | 'k' | '0'..='9' => return None,
            c => c,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_for_the_patterns_that_contracts_have() {
        for pattern in [
            "^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$",
            "^req_[0-9a-f]{16}$",
            r"^\d{4}-\d{2}-\d{2}$",
            "^(foo|bar)?-x$",
            "^[^a-z]+$",
            r"^https?:\/\/[\w.-]+\/?$",
            "^(?:a|b){2,}(?<year>[0-9]{4})$",
            r"[\w.+-]+@[\w-]+\.[\w.-]+",
            r"^\S+( \S+)+$",
            "",
        ] {
            let regex = super::super::pattern::compile(pattern).expect("a pattern");
            for least in [0, 1, 30] {
                let text = matching(pattern, least).unwrap_or_else(|| panic!("{pattern}"));
                assert!(regex.is_match(&text), "{pattern}: {text:?}");
            }
        }
        assert_eq!(matching("^[A-Z]+$", 5), Some("AAAAA".to_owned()));
        assert_eq!(matching(r"^\p{L}$", 1), None);
        assert_eq!(matching("((((a{900}){900}){900}){900})", 1), None);
    }
}
