//! Why a value does not fit: the walk that is made only where it does not, and tells each misfit.
//!
//! Of several alternatives none of which fits, only the closest is spoken about: the one that the value meant, by its
//! discriminating member, else the one with the fewest misfits, else the one that got furthest.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::Misfit;
use super::fit::{Run, length_fits};
use super::node::{ArrayRules, Logic, Node, NodeIx, NumberRules, ObjectRules, TextRules, Types, Unevaluated};
use super::number::is_multiple;
use super::path::{InstancePath, Part};
use crate::contract::check::{quoted, shown};
use crate::contract::json::{Items, Json, Members};

/// Misfits told of one value at most.
pub(super) const MOST: usize = 8;

/// Tells why a value does not fit.
pub(super) struct Blame<'b, 's> {
    pub(super) run: &'b mut Run<'s>,
    pub(super) left: usize,
    pub(super) tell: &'b mut dyn FnMut(&Misfit<'_>),
}

impl<'s> Blame<'_, 's> {
    /// Tells all misfits of a value that does not fit a schema.
    pub(super) fn node(&mut self, ix: NodeIx, value: Json<'_>, path: &InstancePath<'_>) {
        if self.left > 0 && self.run.enter() {
            self.keywords(self.run.tree.node(ix), value, path);
        }
        self.run.leave();
    }

    fn keywords(&mut self, node: &'s Node, value: Json<'_>, path: &InstancePath<'_>) {
        if node.never {
            return self.misfit(node, "", "false", path, "nothing here".to_owned(), shown(value));
        }
        if let Some(types) = node.types.filter(|types| !types.fits(value)) {
            // Whatever else is asked, it is asked of another type.
            return self.misfit(node, "/type", "type", path, types.words(), value.kind().to_owned());
        }
        for values in &node.values {
            if !self.run.is_one_of(values, value) {
                let at = if values.keyword == "const" { "/const" } else { "/enum" };
                self.misfit(node, at, values.keyword, path, values.words(), shown(value));
            }
        }
        match value {
            Json::Text(text) => node.text.iter().for_each(|rules| self.text(node, rules, text, path)),
            Json::Number(number) => node.number.iter().for_each(|rules| self.number(node, rules, number, path)),
            Json::Object(members) => node.object.iter().for_each(|rules| self.object(node, rules, members, path)),
            Json::Array(items) => node.array.iter().for_each(|rules| self.array(node, rules, items, path)),
            Json::Null | Json::Bool(_) => {}
        }
        node.logic.iter().for_each(|logic| self.logic(node, logic, value, path));
        if let Some(rules) = &node.unevaluated {
            self.unevaluated(node, rules, value, path);
        }
    }

    fn text(&mut self, node: &Node, rules: &TextRules, text: &str, path: &InstancePath<'_>) {
        if !length_fits(rules, text) {
            let count = text.chars().count();
            let actual = format!("{count} characters: {}", quoted(text));
            match rules.max {
                Some(max) if count > max => self.misfit(node, "/maxLength", "maxLength", path, format!("at most {max} characters"), actual),
                _ => self.misfit(node, "/minLength", "minLength", path, format!("at least {} characters", rules.min), actual),
            }
        }
        if let Some(pattern) = rules.pattern.filter(|pattern| !self.run.matches(*pattern, text)) {
            let written: String = self.run.tree.pattern(pattern).written.chars().take(120).collect();
            self.misfit(node, "/pattern", "pattern", path, format!("a text that matches {written}"), quoted(text));
        }
        if let Some(format) = rules.format.filter(|format| !format.fits(text)) {
            self.misfit(node, "/format", "format", path, format!("a text in the format {}", format.name()), quoted(text));
        }
    }

    fn number(&mut self, node: &Node, rules: &NumberRules, number: f64, path: &InstancePath<'_>) {
        let mut bound = |keyword: &'static str, at: &str, fails: bool, words: String| {
            if fails {
                self.misfit(node, at, keyword, path, words, shown(Json::Number(number)));
            }
        };
        if let Some(limit) = rules.minimum {
            bound("minimum", "/minimum", number < limit, format!("at least {limit}"));
        }
        if let Some(limit) = rules.maximum {
            bound("maximum", "/maximum", number > limit, format!("at most {limit}"));
        }
        if let Some(limit) = rules.above {
            bound("exclusiveMinimum", "/exclusiveMinimum", number <= limit, format!("more than {limit}"));
        }
        if let Some(limit) = rules.below {
            bound("exclusiveMaximum", "/exclusiveMaximum", number >= limit, format!("less than {limit}"));
        }
        if let Some(step) = rules.multiple_of {
            bound("multipleOf", "/multipleOf", !is_multiple(number, step), format!("a multiple of {step}"));
        }
    }

    fn object(&mut self, node: &'s Node, rules: &'s ObjectRules, members: Members<'_>, path: &InstancePath<'_>) {
        let has = |name: &str| members.get(name).is_some();
        for name in rules.required.iter().filter(|name| !has(name)) {
            let expected = self.wanted(rules, name);
            self.misfit(node, "/required", "required", &path.member(name), expected, "no such member".to_owned());
        }
        for (name, required) in rules.dependent.iter().filter(|(name, _)| has(name)) {
            for missing in required.iter().filter(|name| !has(name)) {
                let expected = format!("{}, since there is {}", self.wanted(rules, missing), quoted(name));
                self.misfit(node, "/dependentRequired", "dependentRequired", &path.member(missing), expected, "no such member".to_owned());
            }
        }
        let count = || format!("{} members", members.len());
        if members.len() < rules.min {
            self.misfit(node, "/minProperties", "minProperties", path, format!("at least {} members", rules.min), count());
        }
        if let Some(max) = rules.max.filter(|max| members.len() > *max) {
            self.misfit(node, "/maxProperties", "maxProperties", path, format!("at most {max} members"), count());
        }
        for (name, value) in members.iter() {
            if self.left == 0 {
                return;
            }
            self.member(node, rules, name, value, path);
        }
    }

    /// What a member that is missing would have to be.
    fn wanted(&self, rules: &ObjectRules, name: &str) -> String {
        let types = rules.property(name).and_then(|ix| self.types(ix, 0));
        types.map_or_else(|| "a value".to_owned(), Types::words)
    }

    /// The types that a schema names, itself or through what it refers to.
    fn types(&self, ix: NodeIx, depth: usize) -> Option<Types> {
        let node = self.run.tree.node(ix);
        let through = |logic: &Logic| if let Logic::Reference(one) = logic { self.types(*one, depth + 1) } else { None };
        node.types.or_else(|| node.logic.iter().filter(|_| depth < 8).find_map(through))
    }

    fn member(&mut self, node: &'s Node, rules: &'s ObjectRules, name: &str, value: Json<'_>, path: &InstancePath<'_>) {
        if let Some(own) = rules.property(name) {
            self.unless_fits(own, value, &path.member(name));
        }
        let any = path.inside(Part::AnyMember);
        for (pattern, ix) in &rules.patterns {
            if self.run.matches(*pattern, name) {
                self.unless_fits(*ix, value, &any);
            }
        }
        if let Some(others) = rules.others.filter(|_| !self.run.is_known(rules, name)) {
            self.left_over(node, others, ("/additionalProperties", "additionalProperties"), quoted(name), value, &any);
        }
        if rules.names.is_some_and(|names| !self.run.fits(names, Json::Text(name))) {
            self.misfit(node, "/propertyNames", "propertyNames", &any, "a name that fits `propertyNames`".to_owned(), quoted(name));
        }
    }

    /// A part that only `additional…` or `unevaluated…` speaks about: where it forbids it, it is that keyword's misfit.
    fn left_over(
        &mut self,
        node: &Node,
        rule: NodeIx,
        (at, keyword): (&str, &'static str),
        named: String,
        value: Json<'_>,
        path: &InstancePath<'_>,
    ) {
        match self.run.tree.node(rule).never {
            true => self.misfit(node, at, keyword, path, "only what the schema names".to_owned(), named),
            false => self.unless_fits(rule, value, path),
        }
    }

    fn array(&mut self, node: &'s Node, rules: &'s ArrayRules, items: Items<'_>, path: &InstancePath<'_>) {
        let count = || format!("{} items", items.len());
        if items.len() < rules.min {
            self.misfit(node, "/minItems", "minItems", path, format!("at least {} items", rules.min), count());
        }
        if let Some(max) = rules.max.filter(|max| items.len() > *max) {
            self.misfit(node, "/maxItems", "maxItems", path, format!("at most {max} items"), count());
        }
        if let Some(contains) = rules.contains.filter(|contains| !self.run.contains(contains, items)) {
            let fitting = self.run.counted(&contains, items);
            let (at, keyword, words) = match contains.max {
                Some(max) if fitting > max => ("/maxContains", "maxContains", format!("at most {max} items that fit `contains`")),
                _ if contains.min == 1 => ("/contains", "contains", "an item that fits `contains`".to_owned()),
                _ => ("/minContains", "minContains", format!("at least {} items that fit `contains`", contains.min)),
            };
            self.misfit(node, at, keyword, path, words, format!("{fitting} of {} items fit", items.len()));
        }
        if let Some((early, late)) = if rules.unique { self.run.twice(items) } else { None } {
            let actual = format!("items {} and {} are the same", early + 1, late + 1);
            self.misfit(node, "/uniqueItems", "uniqueItems", path, "items that differ".to_owned(), actual);
        }
        let any = path.inside(Part::Item);
        for (ix, item) in items.iter().enumerate() {
            if self.left == 0 {
                return;
            }
            let own = rules.first.get(ix).copied();
            match (own, rules.rest) {
                (Some(rule), _) => self.unless_fits(rule, item, &any),
                (None, Some(rule)) => self.left_over(node, rule, ("/items", "items"), format!("item {}", ix + 1), item, &any),
                (None, None) => {}
            }
        }
    }

    fn logic(&mut self, node: &'s Node, logic: &'s Logic, value: Json<'_>, path: &InstancePath<'_>) {
        match logic {
            Logic::Reference(one) => self.unless_fits(*one, value, path),
            Logic::All(all) => all.iter().for_each(|one| self.unless_fits(*one, value, path)),
            Logic::Any(all) if !all.iter().any(|one| self.run.fits(*one, value)) => {
                self.closest(node, ("/anyOf", "anyOf"), all, value, path)
            }
            Logic::One(all) => {
                let fitting: Vec<usize> = (0..all.len()).filter(|&ix| self.run.fits(all[ix], value)).take(2).collect();
                match fitting.as_slice() {
                    [] => self.closest(node, ("/oneOf", "oneOf"), all, value, path),
                    [first, second] => {
                        let actual = format!("it fits the alternatives {} and {}", first + 1, second + 1);
                        self.misfit(node, "/oneOf", "oneOf", path, format!("exactly one of {} alternatives", all.len()), actual);
                    }
                    _ => {}
                }
            }
            Logic::Not(one) if self.run.fits(*one, value) => {
                self.misfit(node, "/not", "not", path, "what does not fit the schema under `not`".to_owned(), shown(value));
            }
            Logic::Any(_) | Logic::Not(_) => {}
            Logic::If { condition, then, otherwise } => {
                let chosen = if self.run.fits(*condition, value) { then } else { otherwise };
                chosen.iter().for_each(|chosen| self.unless_fits(*chosen, value, path));
            }
            Logic::With(name, one) => {
                if value.get(name).is_some() {
                    self.unless_fits(*one, value, path);
                }
            }
        }
    }

    /// None of several alternatives fits: the misfits of the closest.
    fn closest(&mut self, node: &Node, (at, keyword): (&str, &'static str), all: &[NodeIx], value: Json<'_>, path: &InstancePath<'_>) {
        let scored = all.iter().map(|&one| (self.score(one, value, path), one));
        let best = scored.collect::<Vec<_>>().into_iter().min_by_key(|(score, _)| *score);
        let before = self.left;
        match best {
            // An alternative of another type says nothing that the list of alternatives does not.
            Some((score, one)) if !score.other_type && self.run.unjudged.is_none() => self.node(one, value, path),
            _ => {}
        }
        if self.left == before {
            let kinds = self.kinds(all);
            let expected = if kinds.is_empty() { format!("one of {} alternatives", all.len()) } else { kinds };
            self.misfit(node, at, keyword, path, expected, shown(value));
        }
    }

    /// The types that alternatives are of, where all say so.
    fn kinds(&self, all: &[NodeIx]) -> String {
        let types: Option<Vec<String>> = all.iter().map(|ix| self.types(*ix, 0).map(Types::words)).collect();
        let mut words = String::new();
        for word in types.unwrap_or_default() {
            if !words.contains(&word) {
                let _ = write!(words, "{}{word}", if words.is_empty() { "" } else { " or " });
            }
        }
        words
    }

    fn score(&mut self, one: NodeIx, value: Json<'_>, path: &InstancePath<'_>) -> Score {
        let (mut score, depth) = (Score::default(), path.depth());
        let mut tell = |misfit: &Misfit<'_>| score.note(misfit, depth);
        let mut scorer = Blame { run: &mut *self.run, left: 4 * MOST, tell: &mut tell };
        scorer.node(one, value, path);
        score
    }

    fn unevaluated(&mut self, node: &'s Node, rules: &Unevaluated, value: Json<'_>, path: &InstancePath<'_>) {
        match value {
            Json::Object(members) => {
                let Some(rule) = rules.properties else { return };
                for (name, member) in members.iter() {
                    if !self.run.is_evaluated_member(node, value, name) && !self.run.fits(rule, member) {
                        let what = ("/unevaluatedProperties", "unevaluatedProperties");
                        self.left_over(node, rule, what, quoted(name), member, &path.inside(Part::AnyMember));
                    }
                }
            }
            Json::Array(items) => {
                let Some(rule) = rules.items else { return };
                for (ix, item) in items.iter().enumerate() {
                    if !self.run.is_evaluated_item(node, value, ix, item) && !self.run.fits(rule, item) {
                        let what = ("/unevaluatedItems", "unevaluatedItems");
                        self.left_over(node, rule, what, format!("item {}", ix + 1), item, &path.inside(Part::Item));
                    }
                }
            }
            _ => {}
        }
    }

    fn unless_fits(&mut self, ix: NodeIx, value: Json<'_>, path: &InstancePath<'_>) {
        if self.left > 0 && !self.run.fits(ix, value) && self.run.unjudged.is_none() {
            self.node(ix, value, path);
        }
    }

    fn misfit(&mut self, node: &Node, at: &str, keyword: &'static str, path: &InstancePath<'_>, expected: String, actual: String) {
        if self.left == 0 || self.run.unjudged.is_some() {
            return;
        }
        self.left -= 1;
        let schema_path = format!("{}{at}", node.at);
        (self.tell)(&Misfit { instance_path: *path, schema_path: &schema_path, keyword, expected: &expected, actual: &actual });
    }
}

/// How far a value is from an alternative; less is closer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    /// It is not even of the right type.
    other_type: bool,
    /// A member by which alternatives are told apart has another value.
    not_meant: bool,
    misfits: usize,
    deepest: Reverse<usize>,
}

impl Score {
    fn note(&mut self, misfit: &Misfit<'_>, base: usize) {
        let depth = misfit.instance_path.depth() - base;
        self.other_type |= depth == 0 && misfit.keyword == "type";
        self.not_meant |= depth <= 1 && matches!(misfit.keyword, "const" | "enum");
        self.misfits += 1;
        self.deepest = Reverse(self.deepest.0.max(depth));
    }
}
