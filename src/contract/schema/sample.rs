//! A value that fits a schema: what the document shows, else the smallest that its keywords ask for.
//!
//! Made by proposing and judging: for every schema a few candidates are put together (what is wished for, what the
//! document shows, what `const` and `enum` list, what the bounds allow), alternatives are tried in order, and the first
//! candidate that the judge lets pass is taken. Not every schema that can be met is met: `None` says that none was found.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::fit::Run;
use super::node::{Logic, Node, NodeIx, ObjectRules, Tree, Types};
use super::text;
use crate::contract::json::Document;

/// Candidates judged for one sample at most.
const TRIED: usize = 4_000;
/// Values inside each other at most: a schema that demands itself without end has no sample.
const DEEPEST: usize = 24;
/// Combinations of alternatives tried for one value.
const CHOICES: usize = 24;
/// Listed values tried for one value.
const LISTED: usize = 64;
/// Items or members added to reach a smallest number.
const ADDED: usize = 64;

/// A value that fits the schema at `root`, as near as possible to the wish.
pub(super) fn make(tree: &Tree, root: NodeIx, wish: Option<&Value>) -> Option<Value> {
    Maker { tree, left: TRIED }.value(&[root], wish, 0)
}

struct Maker<'s> {
    tree: &'s Tree,
    left: usize,
}

impl<'s> Maker<'s> {
    /// A value that fits all of these schemas.
    fn value(&mut self, all: &[NodeIx], wish: Option<&Value>, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        if let Some(wish) = wish.filter(|wish| self.fits(all, wish)) {
            return Some(wish.clone());
        }
        // With the members that are wished for, whatever the alternatives; only then without.
        let wished = wish.and_then(Value::as_object);
        wished.and_then(|wished| self.first(all, |maker, nodes| maker.near(nodes, wished, depth))).or_else(|| {
            self.first(all, |maker, nodes| {
                let mut candidates = maker.any(nodes, depth);
                // The whole stays an object, where one was wished for.
                candidates.retain(|candidate| wished.is_none() || depth > 0 || candidate.is_object());
                candidates
            })
        })
    }

    /// The first candidate that fits, alternative by alternative.
    fn first(&mut self, all: &[NodeIx], candidates: impl Fn(&mut Self, &[&'s Node]) -> Vec<Value>) -> Option<Value> {
        for choice in 0..CHOICES {
            let mut picked = Picked { choice, nodes: BTreeSet::new() };
            all.iter().for_each(|ix| picked.add(self.tree, *ix));
            if picked.choice > 0 {
                // There are no more combinations.
                return None;
            }
            let nodes: Vec<&'s Node> = picked.nodes.iter().map(|ix| self.tree.node(*ix)).collect();
            let found = candidates(self, &nodes).into_iter().find(|candidate| self.fits(all, candidate));
            if found.is_some() || self.left == 0 {
                return found;
            }
        }
        None
    }

    fn fits(&mut self, all: &[NodeIx], value: &Value) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        let text = value.to_string();
        let Ok(document) = Document::read(text.as_bytes()) else { return false };
        let mut run = Run::new(self.tree);
        all.iter().all(|ix| run.fits(*ix, document.value())) && run.unjudged.is_none()
    }

    /// Objects that have what is wished for, before what the document shows.
    fn near(&mut self, nodes: &[&'s Node], wished: &Map<String, Value>, depth: usize) -> Vec<Value> {
        let shown = nodes.iter().find_map(|node| node.sample.as_ref()?.as_object()).cloned().unwrap_or_default();
        let both: Map<String, Value> = shown.into_iter().chain(wished.clone()).collect();
        [&both, wished].into_iter().filter_map(|wished| self.object(nodes, wished, depth)).collect()
    }

    /// What might fit schemas that all hold: what the document shows and lists, then what the keywords allow.
    fn any(&mut self, nodes: &[&'s Node], depth: usize) -> Vec<Value> {
        let mut candidates: Vec<Value> = Vec::new();
        candidates.extend(nodes.iter().filter_map(|node| node.sample.as_deref().cloned()));
        for values in nodes.iter().flat_map(|node| &node.values) {
            candidates.extend(values.first.clone());
            candidates.extend(values.texts.iter().take(LISTED).map(|text| Value::from(&**text)));
            candidates.extend(values.others.iter().take(LISTED).cloned());
        }
        for kind in kinds(nodes) {
            match kind {
                "object" => candidates.extend(self.object(nodes, &Map::new(), depth)),
                "array" => candidates.extend(self.array(nodes, depth)),
                "string" => candidates.extend(texts(self.tree, nodes)),
                "integer" | "number" => candidates.extend(numbers(nodes)),
                "boolean" => candidates.extend([Value::Bool(false), Value::Bool(true)]),
                _ => candidates.push(Value::Null),
            }
        }
        candidates
    }

    /// An object with the members that are asked for, and those that are wished for and allowed.
    fn object(&mut self, nodes: &[&'s Node], wished: &Map<String, Value>, depth: usize) -> Option<Value> {
        let rules: Vec<&'s ObjectRules> = nodes.iter().filter_map(|node| node.object.as_deref()).collect();
        let mut required: BTreeSet<&str> = rules.iter().flat_map(|rules| rules.required.iter().map(|name| &**name)).collect();
        let wanted = |required: &BTreeSet<&str>, name: &str| required.contains(name) || wished.contains_key(name);
        loop {
            let dependent = rules.iter().flat_map(|rules| rules.dependent.iter()).filter(|(name, _)| wanted(&required, name));
            let more: Vec<&str> = dependent.flat_map(|(_, names)| names.iter().map(|name| &**name)).collect();
            let before = required.len();
            required.extend(more);
            if required.len() == before {
                break;
            }
        }
        let mut members = Map::new();
        for (name, value) in wished {
            let all = self.schemas_of(&rules, name)?;
            let made = self.value(&all, Some(value), depth + 1);
            // What is only wished for may stay away.
            match made {
                Some(made) => drop(members.insert(name.clone(), made)),
                None if required.contains(name.as_str()) => return None,
                None => {}
            }
        }
        for name in required {
            if !members.contains_key(name) {
                let all = self.schemas_of(&rules, name)?;
                members.insert(name.to_owned(), self.value(&all, None, depth + 1)?);
            }
        }
        let least = rules.iter().map(|rules| rules.min).max().unwrap_or(0);
        let known = rules.iter().flat_map(|rules| rules.properties.iter().map(|(name, _)| name.to_string()));
        let invented = (0..ADDED).map(|number| format!("x{number}"));
        for name in known.chain(invented) {
            if members.len() >= least {
                break;
            }
            if !members.contains_key(&name)
                && let Some(all) = self.schemas_of(&rules, &name)
                && let Some(value) = self.value(&all, None, depth + 1)
            {
                members.insert(name, value);
            }
        }
        Some(Value::Object(members))
    }

    /// The schemas that a member of this name must fit; `None` where there is too much to look at.
    fn schemas_of(&mut self, rules: &[&'s ObjectRules], name: &str) -> Option<Vec<NodeIx>> {
        let mut run = Run::new(self.tree);
        let mut all = Vec::new();
        for rules in rules {
            let own = rules.property(name);
            let patterns: Vec<NodeIx> =
                rules.patterns.iter().filter(|(pattern, _)| run.matches(*pattern, name)).map(|(_, ix)| *ix).collect();
            let others = rules.others.filter(|_| own.is_none() && patterns.is_empty());
            all.extend(own.into_iter().chain(patterns).chain(others));
        }
        run.unjudged.is_none().then_some(all)
    }

    /// An array with as many items as are asked for.
    fn array(&mut self, nodes: &[&'s Node], depth: usize) -> Vec<Value> {
        let rules = || nodes.iter().filter_map(|node| node.array.as_deref());
        let contains: Vec<(NodeIx, usize)> =
            rules().filter_map(|rules| rules.contains.map(|contains| (contains.item, contains.min))).collect();
        let least = rules().map(|rules| rules.min).chain(contains.iter().map(|(_, min)| *min)).max().unwrap_or(0).min(ADDED);
        let unique = rules().any(|rules| rules.unique);
        let mut made = Vec::new();
        for with_contained in [true, false] {
            let mut items: Vec<Value> = Vec::new();
            for ix in 0..least {
                let mut all: Vec<NodeIx> = rules().filter_map(|rules| rules.first.get(ix).copied().or(rules.rest)).collect();
                all.extend(contains.iter().filter(|(_, min)| with_contained && ix < *min).map(|(item, _)| *item));
                let wishes = [Value::from(ix), Value::from(format!("{ix}"))];
                let item = match unique && ix > 0 {
                    true => wishes.iter().filter_map(|wish| self.value(&all, Some(wish), depth + 1)).find(|item| !items.contains(item)),
                    false => self.value(&all, None, depth + 1),
                };
                items.extend(item);
            }
            made.push(Value::Array(items));
        }
        made
    }
}

/// The schemas that hold together once of every list of alternatives one is picked.
struct Picked {
    /// Which alternatives: a number in a mixed base, the first lists first.
    choice: usize,
    nodes: BTreeSet<NodeIx>,
}

impl Picked {
    fn add(&mut self, tree: &Tree, ix: NodeIx) {
        if !self.nodes.insert(ix) {
            return;
        }
        for logic in &tree.node(ix).logic {
            match logic {
                Logic::Reference(one) => self.add(tree, *one),
                Logic::All(all) => all.iter().for_each(|one| self.add(tree, *one)),
                Logic::Any(all) | Logic::One(all) => {
                    let one = all[self.choice % all.len()];
                    self.choice /= all.len();
                    self.add(tree, one);
                }
                Logic::If { condition, then, otherwise } => {
                    let chosen = if self.choice.is_multiple_of(2) { *otherwise } else { Some(*condition).filter(|_| then.is_some()) };
                    let with = if self.choice.is_multiple_of(2) { None } else { *then };
                    self.choice /= 2;
                    chosen.into_iter().chain(with).for_each(|one| self.add(tree, one));
                }
                Logic::Not(_) | Logic::With(..) => {}
            }
        }
    }
}

/// The types that all allow, those that any has rules for first.
fn kinds(nodes: &[&Node]) -> Vec<&'static str> {
    let allowed = |name: &str| {
        nodes.iter().all(|node| {
            let own = |types: Types| types.has(name) || (name == "integer" && types.has("number"));
            !node.never && node.types.is_none_or(own)
        })
    };
    let has_rules = |name: &str| {
        nodes.iter().any(|node| match name {
            "object" => node.object.is_some(),
            "array" => node.array.is_some(),
            "string" => node.text.is_some(),
            "integer" | "number" => node.number.is_some(),
            _ => false,
        })
    };
    let mut kinds: Vec<&str> =
        ["string", "object", "integer", "number", "array", "boolean", "null"].into_iter().filter(|name| allowed(name)).collect();
    kinds.sort_by_key(|name| !has_rules(name));
    kinds
}

/// Numbers at the bounds, and the next multiples.
fn numbers(nodes: &[&Node]) -> Vec<Value> {
    let rules = || nodes.iter().filter_map(|node| node.number.as_deref());
    let bounds = rules().flat_map(|rules| {
        [
            rules.minimum,
            rules.above.map(|bound| bound.floor() + 1.0),
            rules.maximum,
            rules.below.map(|bound| bound.ceil() - 1.0),
            rules.above.map(|bound| bound + 0.5),
        ]
    });
    let mut numbers: Vec<f64> = [0.0, 1.0].into_iter().chain(bounds.flatten()).collect();
    let rounded: Vec<f64> = numbers.iter().flat_map(|number| [number.ceil(), number.floor()]).collect();
    numbers.extend(rounded);
    for step in rules().filter_map(|rules| rules.multiple_of) {
        let multiples: Vec<f64> = numbers.iter().map(|number| (number / step).ceil() * step).collect();
        numbers.extend(multiples.into_iter().chain([step]));
    }
    if let (Some(low), Some(high)) = (rules().filter_map(|rules| rules.above).next(), rules().filter_map(|rules| rules.below).next()) {
        numbers.push(f64::midpoint(low, high));
    }
    numbers.into_iter().map(number).collect()
}

/// Whole numbers as such: `2`, not `2.0`.
fn number(number: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT { Value::from(number as i64) } else { Value::from(number) }
}

/// Texts by format, by pattern, and of the shortest length.
fn texts(tree: &Tree, nodes: &[&Node]) -> Vec<Value> {
    const LONGEST: usize = 64 * 1024;
    let rules = || nodes.iter().filter_map(|node| node.text.as_deref());
    let least = rules().map(|rules| rules.min).max().unwrap_or(0).clamp(1, LONGEST);
    let most = rules().filter_map(|rules| rules.max).min().unwrap_or(LONGEST);
    let formats = rules().filter_map(|rules| rules.format.map(|format| format.sample().to_owned()));
    let patterns = rules().filter_map(|rules| rules.pattern).filter_map(|pattern| text::matching(&tree.pattern(pattern).written, least));
    let plain = ["-", "a", "A", "0"].map(|letter| letter.repeat(least.min(most)));
    formats.chain(patterns).chain(plain).map(Value::from).collect()
}
