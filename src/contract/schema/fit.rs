//! Whether a value fits: one walk over it, no allocation, a bounded number of steps.

use serde_json::Value;

use super::node::{ArrayRules, Contains, Logic, Node, NodeIx, NumberRules, ObjectRules, TextRules, Tree, Values};
use super::number::is_multiple;
use crate::contract::json::{Items, Json, Members};

/// Steps one judgement may take: a schema held to a value is one, a name looked for is one, 64 bytes of a text held to a
/// pattern are one. Some 10 ms in all; an ordinary answer takes a few dozen.
pub(super) const STEPS: u32 = 1 << 17;
/// Schemas one inside another, in-place ones included: each takes a piece of the stack.
const DEEPEST: u32 = 512;
/// Bytes of text that count as one step.
const BYTES: usize = 64;

/// One judgement under way.
pub(super) struct Run<'s> {
    pub(super) tree: &'s Tree,
    left: u32,
    depth: u32,
    /// Once there is a reason, what is answered means nothing any more.
    pub(super) unjudged: Option<Unjudged>,
}

/// Why nothing can be said about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unjudged {
    /// The steps did not suffice.
    TooCostly,
    /// What is not kept of it may have what is looked for.
    TooLarge,
}

/// A part of a value that `unevaluated…` asks about.
#[derive(Clone, Copy)]
enum Part<'p> {
    Member(&'p str),
    Item(usize, Json<'p>),
}

impl<'s> Run<'s> {
    pub(super) fn new(tree: &'s Tree) -> Run<'s> {
        Run { tree, left: STEPS, depth: 0, unjudged: None }
    }

    /// Takes steps; false where there are no more.
    pub(super) fn spend(&mut self, steps: usize) -> bool {
        match u32::try_from(steps).ok().and_then(|steps| self.left.checked_sub(steps)) {
            Some(left) => self.left = left,
            None => self.give_up(Unjudged::TooCostly),
        }
        self.unjudged.is_none()
    }

    fn give_up(&mut self, why: Unjudged) {
        self.unjudged.get_or_insert(why);
    }

    /// Goes a schema deeper; false where that is too deep, or too costly.
    pub(super) fn enter(&mut self) -> bool {
        self.depth += 1;
        if self.depth > DEEPEST {
            self.give_up(Unjudged::TooCostly);
        }
        self.spend(1)
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Whether a value fits a schema.
    pub(super) fn fits(&mut self, ix: NodeIx, value: Json<'_>) -> bool {
        let fits = self.enter() && self.node(self.tree.node(ix), value);
        self.leave();
        fits
    }

    fn node(&mut self, node: &'s Node, value: Json<'_>) -> bool {
        !node.never
            && node.types.is_none_or(|types| types.fits(value))
            && node.values.iter().all(|values| self.is_one_of(values, value))
            && self.rules(node, value)
            && node.logic.iter().all(|logic| self.logic(logic, value))
            && self.unevaluated(node, value)
    }

    /// The rules for the type that the value is of.
    fn rules(&mut self, node: &'s Node, value: Json<'_>) -> bool {
        match value {
            Json::Text(text) => node.text.as_ref().is_none_or(|rules| self.text(rules, text)),
            Json::Number(number) => node.number.as_ref().is_none_or(|rules| number_fits(rules, number)),
            Json::Object(members) => node.object.as_ref().is_none_or(|rules| self.object(rules, members)),
            Json::Array(items) => node.array.as_ref().is_none_or(|rules| self.array(rules, items)),
            Json::Null | Json::Bool(_) => true,
        }
    }

    /// Whether a value is one of those listed.
    pub(super) fn is_one_of(&mut self, values: &Values, value: Json<'_>) -> bool {
        match value {
            Json::Text(text) => values.texts.binary_search_by(|known| (**known).cmp(text)).is_ok(),
            _ => values.others.iter().any(|known| self.is_value(known, value)),
        }
    }

    fn is_value(&mut self, known: &Value, value: Json<'_>) -> bool {
        if !self.spend(1) {
            return false;
        }
        match (known, value) {
            (Value::Null, Json::Null) => true,
            (Value::Bool(known), Json::Bool(truth)) => *known == truth,
            (Value::Number(known), Json::Number(number)) => known.as_f64() == Some(number),
            (Value::String(known), Json::Text(text)) => known == text,
            (Value::Array(known), Json::Array(items)) => {
                known.len() == items.len() && known.iter().zip(items.iter()).all(|(known, item)| self.is_value(known, item))
            }
            (Value::Object(known), Json::Object(members)) => {
                known.len() == members.len()
                    && known.iter().all(|(name, known)| value.get(name).is_some_and(|value| self.is_value(known, value)))
            }
            _ => false,
        }
    }

    fn text(&mut self, rules: &TextRules, text: &str) -> bool {
        length_fits(rules, text)
            && rules.format.is_none_or(|format| format.fits(text))
            && rules.pattern.is_none_or(|pattern| self.matches(pattern, text))
    }

    /// Whether a text matches a pattern.
    pub(super) fn matches(&mut self, pattern: super::node::PatternIx, text: &str) -> bool {
        self.spend(text.len() / BYTES) && self.tree.pattern(pattern).regex.is_match(text)
    }

    fn object(&mut self, rules: &'s ObjectRules, members: Members<'_>) -> bool {
        members.len() >= rules.min
            && rules.max.is_none_or(|max| members.len() <= max)
            && self.has_all(members, &rules.required)
            && rules.dependent.iter().all(|(name, required)| !self.has(members, name) || self.has_all(members, required))
            && members.iter().all(|(name, value)| self.member(rules, name, value))
    }

    /// Whether an object has a member.
    pub(super) fn has(&mut self, members: Members<'_>, name: &str) -> bool {
        let found = self.spend(1) && members.get(name).is_some();
        if !found && members.iter().count() < members.len() {
            self.give_up(Unjudged::TooLarge);
        }
        found
    }

    fn has_all(&mut self, members: Members<'_>, names: &[Box<str>]) -> bool {
        names.iter().all(|name| self.has(members, name))
    }

    fn member(&mut self, rules: &'s ObjectRules, name: &str, value: Json<'_>) -> bool {
        let own = rules.property(name);
        let mut known = own.is_some();
        if own.is_some_and(|own| !self.fits(own, value)) {
            return false;
        }
        for (pattern, ix) in &rules.patterns {
            if self.matches(*pattern, name) {
                known = true;
                if !self.fits(*ix, value) {
                    return false;
                }
            }
        }
        rules.others.is_none_or(|others| known || self.fits(others, value))
            && rules.names.is_none_or(|names| self.fits(names, Json::Text(name)))
    }

    /// Whether `properties` or `patternProperties` speak about a member.
    pub(super) fn is_known(&mut self, rules: &'s ObjectRules, name: &str) -> bool {
        rules.property(name).is_some() || rules.patterns.iter().any(|(pattern, _)| self.matches(*pattern, name))
    }

    fn array(&mut self, rules: &'s ArrayRules, items: Items<'_>) -> bool {
        items.len() >= rules.min
            && rules.max.is_none_or(|max| items.len() <= max)
            && items
                .iter()
                .enumerate()
                .all(|(ix, item)| rules.first.get(ix).copied().or(rules.rest).is_none_or(|rule| self.fits(rule, item)))
            && rules.contains.is_none_or(|contains| self.contains(&contains, items))
            && (!rules.unique || self.twice(items).is_none())
    }

    /// How many items fit, as far as it matters.
    pub(super) fn counted(&mut self, contains: &Contains, items: Items<'_>) -> usize {
        let enough = contains.max.map_or(contains.min, |max| max.saturating_add(1).max(contains.min));
        let mut count = 0;
        for item in items.iter() {
            if count >= enough || self.unjudged.is_some() {
                break;
            }
            count += usize::from(self.fits(contains.item, item));
        }
        count
    }

    pub(super) fn contains(&mut self, contains: &Contains, items: Items<'_>) -> bool {
        let count = self.counted(contains, items);
        if count < contains.min && items.iter().count() < items.len() {
            self.give_up(Unjudged::TooLarge);
        }
        count >= contains.min && contains.max.is_none_or(|max| count <= max)
    }

    /// Two items that are the same value.
    pub(super) fn twice(&mut self, items: Items<'_>) -> Option<(usize, usize)> {
        for (late, item) in items.iter().enumerate() {
            if let Some(early) = items.iter().take(late).position(|other| self.same(other, item)) {
                return Some((early, late));
            }
        }
        None
    }

    fn same(&mut self, a: Json<'_>, b: Json<'_>) -> bool {
        if !self.spend(1) {
            return false;
        }
        match (a, b) {
            (Json::Array(ours), Json::Array(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs.iter()).all(|(ours, theirs)| self.same(ours, theirs))
            }
            (Json::Object(ours), Json::Object(theirs)) => {
                ours.len() == theirs.len()
                    && self.spend(ours.len())
                    && ours.iter().all(|(name, ours)| theirs.get(name).is_some_and(|theirs| self.same(ours, theirs)))
            }
            (Json::Null, Json::Null) => true,
            (Json::Bool(ours), Json::Bool(theirs)) => ours == theirs,
            (Json::Number(ours), Json::Number(theirs)) => ours == theirs,
            (Json::Text(ours), Json::Text(theirs)) => ours == theirs,
            _ => false,
        }
    }

    fn logic(&mut self, logic: &'s Logic, value: Json<'_>) -> bool {
        match logic {
            Logic::Reference(target) => self.fits(*target, value),
            Logic::All(all) => all.iter().all(|one| self.fits(*one, value)),
            Logic::Any(all) => all.iter().any(|one| self.fits(*one, value)),
            Logic::One(all) => all.iter().filter(|one| self.fits(**one, value)).take(2).count() == 1,
            Logic::Not(one) => !self.fits(*one, value),
            Logic::If { condition, then, otherwise } => {
                let chosen = if self.fits(*condition, value) { then } else { otherwise };
                chosen.is_none_or(|chosen| self.fits(chosen, value))
            }
            Logic::With(name, one) => !matches!(value, Json::Object(members) if self.has(members, name)) || self.fits(*one, value),
        }
    }

    fn unevaluated(&mut self, node: &'s Node, value: Json<'_>) -> bool {
        let Some(rules) = &node.unevaluated else { return true };
        match value {
            Json::Object(members) => rules.properties.is_none_or(|rule| {
                members.iter().all(|(name, member)| self.is_evaluated_member(node, value, name) || self.fits(rule, member))
            }),
            Json::Array(items) => rules.items.is_none_or(|rule| {
                items.iter().enumerate().all(|(ix, item)| self.is_evaluated_item(node, value, ix, item) || self.fits(rule, item))
            }),
            _ => true,
        }
    }

    /// Whether a keyword beside `unevaluatedProperties` has spoken about a member of a value that fits all of them.
    pub(super) fn is_evaluated_member(&mut self, node: &'s Node, whole: Json<'_>, name: &str) -> bool {
        self.speaks_beside(node, whole, Part::Member(name))
    }

    /// The same for an item and `unevaluatedItems`.
    pub(super) fn is_evaluated_item(&mut self, node: &'s Node, whole: Json<'_>, ix: usize, item: Json<'_>) -> bool {
        self.speaks_beside(node, whole, Part::Item(ix, item))
    }

    /// Whether a schema that the whole fits says anything about a part of it. Instead of collecting annotations while a
    /// value is judged, as the specification describes it, the question is asked for each part when it matters.
    fn speaks(&mut self, ix: NodeIx, whole: Json<'_>, part: Part<'_>) -> bool {
        let node = self.tree.node(ix);
        let unevaluated = node.unevaluated.as_ref().is_some_and(|rules| match part {
            Part::Member(_) => rules.properties.is_some(),
            Part::Item(..) => rules.items.is_some(),
        });
        let speaks = self.enter() && (unevaluated || self.speaks_beside(node, whole, part));
        self.leave();
        speaks
    }

    fn speaks_beside(&mut self, node: &'s Node, whole: Json<'_>, part: Part<'_>) -> bool {
        let own = match part {
            Part::Member(name) => node.object.as_ref().is_some_and(|rules| rules.others.is_some() || self.is_known(rules, name)),
            Part::Item(ix, item) => node.array.as_ref().is_some_and(|rules| {
                rules.rest.is_some() || ix < rules.first.len() || rules.contains.is_some_and(|contains| self.fits(contains.item, item))
            }),
        };
        own || node.logic.iter().any(|logic| match logic {
            Logic::Reference(one) => self.speaks(*one, whole, part),
            Logic::All(all) => all.iter().any(|one| self.speaks(*one, whole, part)),
            Logic::Any(all) | Logic::One(all) => all.iter().any(|one| self.fits(*one, whole) && self.speaks(*one, whole, part)),
            // What is said within a `not` is taken back.
            Logic::Not(_) => false,
            Logic::If { condition, then, otherwise } => match self.fits(*condition, whole) {
                true => self.speaks(*condition, whole, part) || then.is_some_and(|then| self.speaks(then, whole, part)),
                false => otherwise.is_some_and(|otherwise| self.speaks(otherwise, whole, part)),
            },
            Logic::With(name, one) => matches!(whole, Json::Object(members) if self.has(members, name)) && self.speaks(*one, whole, part),
        })
    }
}

/// Whether a text is as long as it must be.
pub(super) fn length_fits(rules: &TextRules, text: &str) -> bool {
    // A character has one byte to four: most texts need not be counted.
    let surely = text.len() / 4 >= rules.min && rules.max.is_none_or(|max| text.len() <= max);
    let count = if surely { return true } else { text.chars().count() };
    count >= rules.min && rules.max.is_none_or(|max| count <= max)
}

fn number_fits(rules: &NumberRules, number: f64) -> bool {
    rules.minimum.is_none_or(|bound| number >= bound)
        && rules.maximum.is_none_or(|bound| number <= bound)
        && rules.above.is_none_or(|bound| number > bound)
        && rules.below.is_none_or(|bound| number < bound)
        && rules.multiple_of.is_none_or(|step| is_multiple(number, step))
}
