//! Forms by which a leak is known, each with a name for people.

use regex::Regex;

/// Matches of one form that are looked at: most answers that have an exempt one have no other.
const LOOKED_AT: usize = 16;

/// Several forms: whether any matches is asked first, and most texts end there.
pub(super) struct Forms {
    any: Regex,
    each: Vec<(&'static str, Regex)>,
}

impl Forms {
    /// Compiles a table of names and patterns.
    ///
    /// Words and word boundaries in patterns are ASCII (`(?-u:\b)`): a Unicode boundary would take the regex engine off its
    /// fast path for every body with an umlaut in it.
    pub(super) fn new(table: &[(&'static str, &str)]) -> Forms {
        let each = table.iter().map(|&(what, pattern)| (what, compiled(pattern))).collect();
        let grouped: Vec<String> = table.iter().map(|(_, pattern)| format!("(?:{pattern})")).collect();
        Forms { any: compiled(&grouped.join("|")), each }
    }

    /// Any of the forms.
    pub(super) fn any(&self) -> &Regex {
        &self.any
    }

    /// What a text is that is of one of the forms.
    pub(super) fn name_of(&self, text: &str) -> Option<&'static str> {
        self.each.iter().find(|(_, form)| form.is_match(text)).map(|(what, _)| *what)
    }

    /// The first match of each form that counts, at most one of each name.
    pub(super) fn found<'t>(&self, text: &'t str, counts: impl Fn(&str, regex::Match<'t>) -> bool) -> Vec<(&'static str, &'t str)> {
        let mut found: Vec<(&'static str, &str)> = Vec::new();
        if !self.any.is_match(text) {
            return found;
        }
        for (what, form) in &self.each {
            if found.iter().any(|(known, _)| known == what) {
                continue;
            }
            let hit = form.find_iter(text).take(LOOKED_AT).find(|hit| counts(what, *hit));
            found.extend(hit.map(|hit| (*what, hit.as_str())));
        }
        found
    }
}

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are regular expressions")
}
