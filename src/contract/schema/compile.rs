//! A document → the compiled form, or what is wrong with it.
//!
//! Only what can be reached from the root is read. Schemas are compiled from a queue and found again by their place, so
//! that recursive `$ref`s need neither recursion here nor expansion. Everything is bounded: a contract comes from outside.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde_json::{Map, Value};

use super::format::Format;
use super::node::{
    ArrayRules, Contains, Logic, Names, Node, NodeIx, NumberRules, ObjectRules, Pattern, PatternIx, TextRules, Tree, Types, Unevaluated,
    Values,
};
use super::{SchemaProblem, cycle, pattern, reference};

/// Schemas at most.
const NODES: usize = 20_000;
/// Values of all `enum`s and `const`s at most.
const VALUES: usize = 20_000;
/// Different patterns at most.
const PATTERNS: usize = 200;
/// Steps of a pointer from the root to a schema at most.
const DEEPEST: usize = 256;
/// Problems told at most.
const PROBLEMS: usize = 16;

/// Keywords of older drafts and of other dialects that would be passed over in silence, and what to write instead.
const REFUSED: [(&str, &str); 9] = [
    ("$recursiveRef", "`$recursiveRef` is of draft 2019-09: write `$ref` or `$dynamicRef`"),
    ("dependencies", "`dependencies` is of draft 7: write `dependentRequired` or `dependentSchemas`"),
    ("additionalItems", "`additionalItems` is of draft 2019-09: write `prefixItems` and `items`"),
    ("divisibleBy", "`divisibleBy` is of draft 3: write `multipleOf`"),
    ("disallow", "`disallow` is of draft 3: write `not`"),
    ("extends", "`extends` is of draft 3: write `allOf`"),
    ("nullable", "`nullable` is of OpenAPI 3.0: write `\"type\": [\"string\", \"null\"]`"),
    ("$recursiveAnchor", "`$recursiveAnchor` is of draft 2019-09: write `$dynamicAnchor`"),
    ("id", "`id` is of draft 4: write `$id`"),
];

/// Compiles the schema that stands at `pointer`.
pub(super) fn compile(document: &Value, pointer: &str) -> Result<Tree, Vec<SchemaProblem>> {
    let mut compiler = Compiler {
        document,
        base: document.get("$id").and_then(Value::as_str).map_or("", |id| id.trim_end_matches('#')),
        index: HashMap::new(),
        queue: VecDeque::new(),
        nodes: Vec::new(),
        patterns: Vec::new(),
        pattern_index: HashMap::new(),
        anchors: None,
        values: 0,
        over: false,
        problems: Vec::new(),
    };
    match document.pointer(pointer) {
        Some(root) => compiler.schema(pointer.to_owned(), root),
        None => return Err(vec![SchemaProblem { pointer: pointer.to_owned(), what: "there is nothing at this place".to_owned() }]),
    };
    compiler.run();
    if compiler.problems.is_empty() {
        cycle::check(&compiler.nodes, &mut compiler.problems);
    }
    let Compiler { nodes, patterns, problems, .. } = compiler;
    let members = root_members(&nodes);
    if problems.is_empty() { Ok(Tree { nodes, patterns, members }) } else { Err(problems) }
}

struct Compiler<'d> {
    document: &'d Value,
    /// The root's `$id`, which `$ref`s may spell out.
    base: &'d str,
    /// Schemas by their place.
    index: HashMap<String, NodeIx>,
    queue: VecDeque<(NodeIx, String, &'d Value)>,
    nodes: Vec<Node>,
    patterns: Vec<Pattern>,
    pattern_index: HashMap<&'d str, PatternIx>,
    /// Places by `$anchor`, once one is asked for.
    anchors: Option<BTreeMap<&'d str, String>>,
    values: usize,
    /// Too much to be read on.
    over: bool,
    problems: Vec<SchemaProblem>,
}

/// A schema object, and where it stands.
struct Object<'d> {
    at: String,
    map: &'d Map<String, Value>,
}

impl Object<'_> {
    fn place(&self, keyword: &str) -> String {
        format!("{}/{}", self.at, reference::escaped(keyword))
    }
}

impl<'d> Compiler<'d> {
    fn run(&mut self) {
        while let Some((ix, at, value)) = self.queue.pop_front() {
            let node = self.node(at, value);
            self.nodes[ix.0 as usize] = node;
            if self.over || self.problems.len() >= PROBLEMS {
                return;
            }
        }
    }

    /// The index of the schema at a place; what it says is read later.
    fn schema(&mut self, at: String, value: &'d Value) -> NodeIx {
        if let Some(known) = self.index.get(&at) {
            return *known;
        }
        let too_much = match () {
            () if self.nodes.len() >= NODES => Some(format!("more than {NODES} schemas")),
            () if at.matches('/').count() > DEEPEST => Some(format!("nested more than {DEEPEST} deep")),
            () => None,
        };
        if let Some(what) = too_much {
            self.problem(String::new(), what);
            self.over = true;
            return NodeIx(0);
        }
        let ix = NodeIx(u32::try_from(self.nodes.len()).expect("fewer schemas than the most"));
        self.nodes.push(Node::default());
        self.index.insert(at.clone(), ix);
        self.queue.push_back((ix, at, value));
        ix
    }

    fn problem(&mut self, pointer: String, what: impl Into<String>) {
        let problem = SchemaProblem { pointer, what: what.into() };
        if self.problems.len() < PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn node(&mut self, at: String, value: &'d Value) -> Node {
        let map = match value {
            Value::Object(map) => map,
            Value::Bool(all) => return Node { at: at.into(), never: !all, ..Node::default() },
            _ => {
                self.problem(at, "a schema is an object, `true` or `false`");
                return Node::default();
            }
        };
        let object = Object { at, map };
        self.refuse(&object);
        Node {
            never: false,
            types: self.types(&object),
            values: ["const", "enum"].into_iter().filter_map(|keyword| self.values(&object, keyword)).collect(),
            text: self.text(&object),
            number: self.number_rules(&object),
            object: self.object(&object),
            array: self.array(&object),
            logic: self.logic(&object),
            unevaluated: self.unevaluated(&object),
            sample: sample(map),
            at: object.at.into(),
        }
    }

    /// What would otherwise be passed over, or mean something else than was meant.
    fn refuse(&mut self, object: &Object<'d>) {
        for (keyword, what) in REFUSED {
            let written = object.map.get(keyword);
            let old_id = |value: &&Value| keyword != "id" || value.is_string();
            if written.filter(old_id).is_some() {
                self.problem(object.place(keyword), what);
            }
        }
        let nested = object.map.get("$id").and_then(Value::as_str).filter(|id| !object.at.is_empty() && !id.starts_with('#'));
        if nested.is_some() {
            self.problem(object.place("$id"), "an `$id` of its own below the root: references would lead elsewhere than they seem to");
        }
    }

    fn types(&mut self, object: &Object<'d>) -> Option<Types> {
        let value = object.map.get("type")?;
        let names = match value {
            Value::Array(names) => names.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut types = Types::default();
        for name in names {
            if !name.as_str().is_some_and(|name| types.add(name)) {
                let shown: String = name.to_string().chars().take(40).collect();
                self.problem(
                    object.place("type"),
                    format!("{shown} is no JSON type: null, boolean, integer, number, string, array, object"),
                );
            }
        }
        Some(types)
    }

    fn values(&mut self, object: &Object<'d>, keyword: &'static str) -> Option<Values> {
        let value = object.map.get(keyword)?;
        let all = match value {
            _ if keyword == "const" => std::slice::from_ref(value),
            Value::Array(all) => all.as_slice(),
            _ => {
                self.problem(object.place(keyword), "`enum` must be a list of values");
                return None;
            }
        };
        self.values += all.len();
        if self.values > VALUES {
            self.problem(object.place(keyword), format!("more than {VALUES} values in all `enum`s"));
            return None;
        }
        let mut texts: Vec<Box<str>> = all.iter().filter_map(Value::as_str).map(Box::from).collect();
        texts.sort_unstable();
        texts.dedup();
        let others = all.iter().filter(|value| !value.is_string()).cloned().collect();
        Some(Values { keyword, texts: texts.into(), others, first: all.first().cloned() })
    }

    fn text(&mut self, object: &Object<'d>) -> Option<Box<TextRules>> {
        let (min, max) = (self.count(object, "minLength"), self.count(object, "maxLength"));
        let pattern = match object.map.get("pattern") {
            None => None,
            Some(Value::String(written)) => self.pattern(object.place("pattern"), written),
            Some(_) => self.refused(object, "pattern", "`pattern` must be a text"),
        };
        let format = object.map.get("format").and_then(Value::as_str).and_then(Format::named);
        let rules = TextRules { min: min.unwrap_or(0), max, pattern, format };
        (rules.min > 0 || max.is_some() || pattern.is_some() || format.is_some()).then(|| Box::new(rules))
    }

    fn pattern(&mut self, at: String, written: &'d str) -> Option<PatternIx> {
        if let Some(known) = self.pattern_index.get(written) {
            return Some(*known);
        }
        if self.patterns.len() >= PATTERNS {
            self.problem(at, format!("more than {PATTERNS} different patterns"));
            return None;
        }
        match pattern::compile(written) {
            Ok(regex) => {
                let ix = PatternIx(u32::try_from(self.patterns.len()).expect("fewer patterns than the most"));
                self.patterns.push(Pattern { written: written.into(), regex });
                self.pattern_index.insert(written, ix);
                Some(ix)
            }
            Err(why) => {
                self.problem(at, why);
                None
            }
        }
    }

    fn number_rules(&mut self, object: &Object<'d>) -> Option<Box<NumberRules>> {
        let rules = NumberRules {
            minimum: self.number(object, "minimum"),
            maximum: self.number(object, "maximum"),
            above: self.number(object, "exclusiveMinimum"),
            below: self.number(object, "exclusiveMaximum"),
            multiple_of: self.number(object, "multipleOf"),
        };
        if rules.multiple_of.is_some_and(|step| step <= 0.0) {
            self.problem(object.place("multipleOf"), "`multipleOf` must be more than 0");
        }
        let any = [rules.minimum, rules.maximum, rules.above, rules.below, rules.multiple_of].iter().any(Option::is_some);
        any.then(|| Box::new(rules))
    }

    fn object(&mut self, object: &Object<'d>) -> Option<Box<ObjectRules>> {
        let mut properties: Vec<(Box<str>, NodeIx)> =
            self.named(object, "properties").into_iter().map(|(name, ix)| (Box::from(name), ix)).collect();
        properties.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut patterns = Vec::new();
        for (written, ix) in self.named(object, "patternProperties") {
            let at = format!("{}/{}", object.place("patternProperties"), reference::escaped(written));
            patterns.extend(self.pattern(at, written).map(|pattern| (pattern, ix)));
        }
        let rules = ObjectRules {
            properties: properties.into(),
            patterns: patterns.into(),
            others: self.child(object, "additionalProperties"),
            names: self.child(object, "propertyNames"),
            required: object.map.get("required").map(|names| self.names(object.place("required"), names)).unwrap_or_default(),
            dependent: self.dependent(object),
            min: self.count(object, "minProperties").unwrap_or(0),
            max: self.count(object, "maxProperties"),
        };
        let any = !rules.properties.is_empty()
            || !rules.patterns.is_empty()
            || !rules.required.is_empty()
            || !rules.dependent.is_empty()
            || rules.others.is_some()
            || rules.names.is_some()
            || rules.min > 0
            || rules.max.is_some();
        any.then(|| Box::new(rules))
    }

    fn dependent(&mut self, object: &Object<'d>) -> Box<[(Box<str>, Names)]> {
        match object.map.get("dependentRequired") {
            None => Box::default(),
            Some(Value::Object(map)) => {
                let place = object.place("dependentRequired");
                let one = |(name, names): (&String, &Value)| {
                    (Box::from(name.as_str()), self.names(format!("{place}/{}", reference::escaped(name)), names))
                };
                map.iter().map(one).collect()
            }
            Some(_) => self.refused(object, "dependentRequired", "`dependentRequired` must be an object").unwrap_or_default(),
        }
    }

    fn array(&mut self, object: &Object<'d>) -> Option<Box<ArrayRules>> {
        if object.map.get("items").is_some_and(Value::is_array) {
            return self.refused(object, "items", "a list of schemas is of draft 2019-09: write `prefixItems`");
        }
        let contains = self.child(object, "contains");
        let min = self.count(object, "minContains").unwrap_or(1);
        let max = self.count(object, "maxContains");
        let rules = ArrayRules {
            first: self.list(object, "prefixItems"),
            rest: self.child(object, "items"),
            contains: contains.map(|item| Contains { item, min, max }),
            min: self.count(object, "minItems").unwrap_or(0),
            max: self.count(object, "maxItems"),
            unique: self.truth(object, "uniqueItems"),
        };
        let any = !rules.first.is_empty()
            || rules.rest.is_some()
            || rules.contains.is_some()
            || rules.min > 0
            || rules.max.is_some()
            || rules.unique;
        any.then(|| Box::new(rules))
    }

    fn logic(&mut self, object: &Object<'d>) -> Box<[Logic]> {
        let mut logic = Vec::new();
        for keyword in ["$ref", "$dynamicRef"] {
            logic.extend(self.reference(object, keyword).map(Logic::Reference));
        }
        let (all, any, one) = (self.list(object, "allOf"), self.list(object, "anyOf"), self.list(object, "oneOf"));
        let lists = [Logic::All(all), Logic::Any(any), Logic::One(one)];
        logic.extend(lists.into_iter().filter(|list| !list.targets().is_empty()));
        logic.extend(self.child(object, "not").map(Logic::Not));
        let (condition, then, otherwise) = (self.child(object, "if"), self.child(object, "then"), self.child(object, "else"));
        logic.extend(condition.map(|condition| Logic::If { condition, then, otherwise }));
        logic.extend(self.named(object, "dependentSchemas").into_iter().map(|(name, ix)| Logic::With(name.into(), ix)));
        logic.into()
    }

    fn unevaluated(&mut self, object: &Object<'d>) -> Option<Box<Unevaluated>> {
        let rules = Unevaluated { properties: self.child(object, "unevaluatedProperties"), items: self.child(object, "unevaluatedItems") };
        (rules.properties.is_some() || rules.items.is_some()).then(|| Box::new(rules))
    }

    /// `$ref` and `$dynamicRef`: with one `$id` in the document they lead to the same place.
    fn reference(&mut self, object: &Object<'d>, keyword: &str) -> Option<NodeIx> {
        let value = object.map.get(keyword)?;
        let Some(written) = value.as_str() else {
            return self.refused(object, keyword, "a reference must be a text");
        };
        let document = self.document;
        let found = reference::place(written, self.base).and_then(|target| match target {
            reference::Target::Pointer(at) => Ok(at),
            reference::Target::Anchor(name) => {
                let anchors = self.anchors.get_or_insert_with(|| reference::anchors(document));
                anchors.get(name.as_str()).cloned().ok_or_else(|| format!("there is no `$anchor` `{name}` in this document"))
            }
        });
        let found = found.and_then(|at| match document.pointer(&at) {
            Some(schema @ (Value::Object(_) | Value::Bool(_))) => Ok((at, schema)),
            Some(_) => Err(format!("`{written}` leads to something that is no schema")),
            None => Err(format!("`{written}` leads nowhere in this document")),
        });
        match found {
            Ok((at, schema)) => Some(self.schema(at, schema)),
            Err(why) => {
                self.problem(object.place(keyword), why);
                None
            }
        }
    }

    fn child(&mut self, object: &Object<'d>, keyword: &str) -> Option<NodeIx> {
        object.map.get(keyword).map(|value| self.schema(object.place(keyword), value))
    }

    /// A list of schemas.
    fn list(&mut self, object: &Object<'d>, keyword: &str) -> Box<[NodeIx]> {
        match object.map.get(keyword) {
            None => Box::default(),
            Some(Value::Array(all)) if !all.is_empty() => {
                all.iter().enumerate().map(|(ix, value)| self.schema(format!("{}/{ix}", object.place(keyword)), value)).collect()
            }
            Some(_) => {
                let what = format!("`{keyword}` must be a list of schemas, one at least");
                self.refused(object, keyword, &what).unwrap_or_default()
            }
        }
    }

    /// Schemas by name.
    fn named(&mut self, object: &Object<'d>, keyword: &str) -> Vec<(&'d str, NodeIx)> {
        match object.map.get(keyword) {
            None => Vec::new(),
            Some(Value::Object(map)) => {
                let place = object.place(keyword);
                map.iter()
                    .map(|(name, value)| (name.as_str(), self.schema(format!("{place}/{}", reference::escaped(name)), value)))
                    .collect()
            }
            Some(_) => {
                let what = format!("`{keyword}` must be an object of schemas");
                self.refused(object, keyword, &what).unwrap_or_default()
            }
        }
    }

    /// Names of members.
    fn names(&mut self, at: String, value: &Value) -> Names {
        let names = value.as_array().map(|names| names.iter().map(|name| name.as_str().map(Box::from)).collect::<Option<Vec<_>>>());
        match names.flatten() {
            Some(mut names) => {
                names.sort_unstable();
                names.dedup();
                names.into()
            }
            None => {
                self.problem(at, "a list of names was wanted; draft 3's `\"required\": true` is no longer one");
                Box::default()
            }
        }
    }

    /// A whole number from 0; 2.0 is one.
    fn count(&mut self, object: &Object<'d>, keyword: &str) -> Option<usize> {
        let value = object.map.get(keyword)?;
        let whole = value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0);
        match whole {
            Some(number) => Some(number as usize),
            None => self.refused(object, keyword, &format!("`{keyword}` must be a whole number from 0")),
        }
    }

    fn number(&mut self, object: &Object<'d>, keyword: &str) -> Option<f64> {
        let value = object.map.get(keyword)?;
        match value {
            Value::Bool(_) => self.refused(object, keyword, &format!("`{keyword}` as true or false is of draft 4: write the bound itself")),
            _ => value.as_f64().or_else(|| self.refused(object, keyword, &format!("`{keyword}` must be a number"))),
        }
    }

    fn truth(&mut self, object: &Object<'d>, keyword: &str) -> bool {
        match object.map.get(keyword) {
            None => false,
            Some(Value::Bool(truth)) => *truth,
            Some(_) => self.refused(object, keyword, &format!("`{keyword}` must be true or false")).unwrap_or_default(),
        }
    }

    fn refused<T>(&mut self, object: &Object<'d>, keyword: &str, what: &str) -> Option<T> {
        self.problem(object.place(keyword), what);
        None
    }
}

/// The names that the root, and what it applies in place, give to members.
fn root_members(nodes: &[Node]) -> BTreeSet<Box<str>> {
    let (mut names, mut seen, mut queue) = (BTreeSet::new(), BTreeSet::new(), vec![NodeIx(0)]);
    while let Some(ix) = queue.pop() {
        let Some(node) = nodes.get(ix.0 as usize).filter(|_| seen.insert(ix)) else { continue };
        names.extend(node.object.iter().flat_map(|rules| rules.properties.iter().map(|(name, _)| name.clone())));
        queue.extend(node.logic.iter().flat_map(Logic::targets));
    }
    names
}

/// What a document shows for a value.
fn sample(map: &Map<String, Value>) -> Option<Box<Value>> {
    let first = map.get("examples").and_then(|all| all.as_array()?.first());
    first.or_else(|| map.get("example")).or_else(|| map.get("default")).cloned().map(Box::new)
}
