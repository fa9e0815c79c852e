//! A document of any version → one model of its operations and their error answers.

mod answer;
mod base;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::Value;

use super::defect::{Defect, Kind};
use super::dialect::{Dialect, Rewriter};
use super::library::{Broken, Library, Spot};
use super::{Place, Problem, schema, words};
use crate::contract::schema::{Schema, SchemaProblem};

pub(super) use self::answer::{Answer, Body, HeaderDoc, has_success};
pub(super) use self::base::pattern;

/// Problems that are told at most.
const MOST_PROBLEMS: usize = 20;
/// Operations at most: a contract has no more rows.
const MOST_OPERATIONS: usize = 10_000;
/// Error responses at most.
const MOST_ANSWERS: usize = 200_000;
/// What to do about more than that.
pub(super) const TOO_MANY: &str = "import it in parts: a copy of the document for each service, with only its `paths`";

const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// What a document says, as far as errors are concerned.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) title: String,
    pub(super) version: String,
    /// `OpenAPI 3.0.3`
    pub(super) written_as: String,
    pub(super) operations: Vec<Operation>,
    /// Every distinct error schema, in the order in which they were met.
    pub(super) schemas: Vec<ErrorSchema>,
    pub(super) defects: Vec<Defect>,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: String,
    /// As a path pattern, with the base in front.
    pub(super) path: String,
    /// The paths under which the API is served, the first one is in `path`.
    pub(super) bases: Vec<String>,
    pub(super) place: String,
    /// Whether it needs credentials.
    pub(super) secured: bool,
    /// Whether its path names a resource.
    pub(super) templated: bool,
    pub(super) statuses: Vec<Status>,
    /// Its errors.
    pub(super) answers: Vec<Answer>,
}

impl Operation {
    /// Its answers without those that may be no error.
    pub(super) fn errors(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(|answer| !answer.ambiguous)
    }
}

/// The key of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Status {
    Exact(u16),
    Class(u8),
    Default,
}

/// A schema of errors.
#[derive(Debug)]
pub(super) struct ErrorSchema {
    /// Of its component, else its title, else nothing.
    pub(super) name: Option<String>,
    /// Rewritten, its references written out where that stays small.
    pub(super) value: Value,
    /// Where it stands.
    pub(super) place: String,
    /// As it will be held against answers.
    pub(super) compiled: Schema,
}

impl Status {
    fn read(key: &str) -> Option<Status> {
        if key == "default" {
            return Some(Status::Default);
        }
        let bytes = key.as_bytes();
        if let [class @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] = bytes {
            return Some(Status::Class(class - b'0'));
        }
        let number: u16 = key.parse().ok().filter(|_| bytes.len() == 3)?;
        (100..=599).contains(&number).then_some(Status::Exact(number))
    }

    /// Whether an answer of this status is an error.
    pub(super) const fn is_error(self) -> bool {
        match self {
            Status::Exact(status) => status >= 400,
            Status::Class(class) => class >= 4,
            Status::Default => true,
        }
    }

    /// Whether it documents this status in particular, or its class.
    pub(super) const fn covers(self, status: u16) -> bool {
        match self {
            Status::Exact(exact) => exact == status,
            Status::Class(class) => class as u16 == status / 100,
            Status::Default => false,
        }
    }
}

/// As in a contract: `404`, `"4xx"`, `"default"`.
impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Status::Exact(status) => write!(f, "{status}"),
            Status::Class(class) => write!(f, "\"{class}xx\""),
            Status::Default => f.write_str("\"default\""),
        }
    }
}

/// Reads a document; the problems make it unusable, whatever else could be read.
pub(super) fn read(library: &Library) -> (Option<Api>, Vec<Problem>) {
    let root = library.root();
    let (dialect, written_as) = match version(library, &root) {
        Ok(version) => version,
        Err(problem) => return (None, vec![problem]),
    };
    let mut reader = Reader {
        library,
        dialect,
        rewriter: Rewriter::new(library, dialect),
        schemas: Vec::new(),
        known: HashMap::new(),
        defects: Vec::new(),
        problems: Vec::new(),
        produces: produces(&root),
    };
    let operations = reader.operations(&root);
    let info = root.member("info");
    let info = |name: &str| info.as_ref().and_then(|info| info.value.get(name)).map(plain).unwrap_or_default();
    let title = match words::first_line(&info("title"), 120) {
        title if title.is_empty() => "untitled API".to_owned(),
        title => title,
    };
    let version = words::first_line(&info("version"), 60);
    let Reader { rewriter, schemas, mut defects, mut problems, .. } = reader;
    problems.extend(rewriter.problems);
    problems.truncate(MOST_PROBLEMS);
    defects.extend(rewriter.defects);
    (Some(Api { title, version, written_as, operations, schemas, defects }), problems)
}

/// Which version the document is of.
fn version(library: &Library, root: &Spot<'_>) -> Result<(Dialect, String), Problem> {
    let problem = |what: String, place: &str| {
        let place = Place::Pointer(format!("{}#{place}", library.file(0)));
        Err(Problem { what, place, help: "name a Swagger 2.0 or OpenAPI 3 document".to_owned() })
    };
    if !root.is_object() {
        return problem("this is no OpenAPI document: it is not an object".to_owned(), "");
    }
    let said = |name: &str| root.value.get(name).map(plain);
    match (said("swagger"), said("openapi")) {
        (Some(version), None) if version == "2.0" || version == "2" => Ok((Dialect::Swagger2, "Swagger 2.0".to_owned())),
        (_, Some(version)) if version == "3.0" || version.starts_with("3.0.") => Ok((Dialect::OpenApi30, written_as(&version))),
        (_, Some(version)) if ["3.1", "3.2"].iter().any(|known| version == *known || version.starts_with(&format!("{known}."))) => {
            Ok((Dialect::OpenApi31, written_as(&version)))
        }
        (Some(version), None) => problem(format!("Swagger {} cannot be imported", words::first_line(&version, 20)), "/swagger"),
        (_, Some(version)) => problem(format!("OpenAPI {} cannot be imported", words::first_line(&version, 20)), "/openapi"),
        (None, None) => problem("this is no OpenAPI document: it has neither `openapi` nor `swagger`".to_owned(), ""),
    }
}

fn written_as(version: &str) -> String {
    format!("OpenAPI {}", words::first_line(version, 20))
}

/// A scalar as text: YAML reads `2.0` as a number.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 => format!("{float:.1}"),
            _ => number.to_string(),
        },
        _ => String::new(),
    }
}

/// The media types of 2.0, of the whole document or of an operation.
fn produces(spot: &Spot<'_>) -> Option<Vec<String>> {
    let types = spot.value.get("produces")?.as_array()?;
    Some(types.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

struct Reader<'l> {
    library: &'l Library,
    dialect: Dialect,
    rewriter: Rewriter<'l>,
    schemas: Vec<ErrorSchema>,
    /// Schemas by what they say.
    known: HashMap<String, usize>,
    defects: Vec<Defect>,
    problems: Vec<Problem>,
    produces: Option<Vec<String>>,
}

impl<'l> Reader<'l> {
    fn problem(&mut self, spot: &Spot<'l>, what: impl Into<String>, help: &str) {
        if self.problems.len() <= MOST_PROBLEMS {
            let place = Place::Pointer(self.library.shown(spot));
            self.problems.push(Problem { what: what.into(), place, help: help.to_owned() });
        }
    }

    /// What a spot refers to; a broken reference is written down.
    fn followed(&mut self, spot: Spot<'l>) -> Option<Spot<'l>> {
        match self.library.follow(spot) {
            Ok(spot) => Some(spot),
            Err(Broken::Dangling { to, at }) => {
                self.defects.push(Defect::new(Kind::Unresolved, at, format!("`{to}`")));
                None
            }
            Err(Broken::Refused(problem)) => {
                if self.problems.len() <= MOST_PROBLEMS && !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
                None
            }
        }
    }

    fn operations(&mut self, root: &Spot<'l>) -> Vec<Operation> {
        let Some(paths) = root.member("paths").filter(Spot::is_object) else {
            self.problem(root, "the document has no `paths`", "operations and their errors stand there");
            return Vec::new();
        };
        // Counted before anything is read: what is too much is to be said at once.
        let all: usize = paths.members().map(|(_, item)| item.members().filter(|(name, _)| METHODS.contains(name)).count()).sum();
        if all > MOST_OPERATIONS {
            let what = format!("{}: a contract has at most {}", words::count(all, "operation"), words::thousands(MOST_OPERATIONS));
            self.problem(&paths, what, TOO_MANY);
            return Vec::new();
        }
        let bases = base::of(root, self.dialect);
        let security = root.value.get("security").cloned();
        let mut operations = Vec::new();
        let mut count = 0;
        let mut known: HashMap<(String, String), (String, String)> = HashMap::new();
        for (path, spot) in paths.members().filter(|(path, _)| !path.starts_with("x-")) {
            if !path.starts_with('/') {
                self.problem(
                    &spot,
                    format!("`{}` is no path: it does not begin with `/`", words::first_line(path, 80)),
                    "a path is written like `/pets/{id}`",
                );
                continue;
            }
            let Some(item) = self.followed(spot) else { continue };
            if !item.is_object() {
                self.problem(&item, "a path without an object of operations", "`get`, `post`… stand in it");
                continue;
            }
            let bases = base::own(&item, self.dialect).unwrap_or_else(|| bases.clone());
            for (method, spot) in self.methods(&item) {
                if !spot.is_object() {
                    self.problem(&spot, "an operation that is no object", "`responses` stand in it");
                    continue;
                }
                let bases = base::own(&spot, self.dialect).unwrap_or_else(|| bases.clone());
                let first = bases.first().map_or("", String::as_str);
                let pattern = base::pattern(&format!("{first}{path}"));
                let place = self.library.shown(&spot);
                let own = base::nameless(&format!("{first}{path}"));
                match known.entry((method.clone(), base::nameless(&pattern))) {
                    Entry::Vacant(free) => _ = free.insert((own, place.clone())),
                    Entry::Occupied(taken) => {
                        let (other, first) = taken.get();
                        self.defects.push(match *other == own {
                            true => Defect::new(Kind::Duplicate, place, format!("the same requests as {first}")),
                            false => Defect::new(Kind::Indistinct, place, format!("its requests look like those of {first}")),
                        });
                        continue;
                    }
                }
                if operations.len() >= MOST_OPERATIONS {
                    self.problem(&spot, format!("more than {} operations", words::thousands(MOST_OPERATIONS)), TOO_MANY);
                    return operations;
                }
                let secured = secured(spot.value.get("security").or(security.as_ref()));
                let templated = path.contains('{');
                let (statuses, answers) = self.answers(&spot);
                count += answers.len();
                if count > MOST_ANSWERS {
                    self.problem(&spot, format!("more than {} error responses", words::thousands(MOST_ANSWERS)), TOO_MANY);
                    return operations;
                }
                operations.push(Operation { method, path: pattern, bases, place, secured, templated, statuses, answers });
            }
        }
        operations
    }

    /// The operations of a path: the usual methods, and those of 3.2.
    fn methods(&mut self, item: &Spot<'l>) -> Vec<(String, Spot<'l>)> {
        let usual = item.members().filter(|(name, _)| METHODS.contains(name)).map(|(name, spot)| (name.to_ascii_uppercase(), spot));
        let more = item.member("additionalOperations");
        let token = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        let more = more.iter().flat_map(Spot::members).filter(|(name, _)| token(name)).map(|(name, spot)| (name.to_owned(), spot));
        usual.chain(more.collect::<Vec<_>>()).collect()
    }

    fn answers(&mut self, operation: &Spot<'l>) -> (Vec<Status>, Vec<Answer>) {
        let mut statuses = Vec::new();
        let mut answers = Vec::new();
        let produces = produces(operation).or_else(|| self.produces.clone());
        let Some(responses) = operation.member("responses") else { return (statuses, answers) };
        if !responses.is_object() {
            self.problem(&responses, "`responses` is no object", "it has a member for each status");
            return (statuses, answers);
        }
        for (key, spot) in responses.members().filter(|(key, _)| !key.starts_with("x-") && *key != "$ref") {
            let Some(status) = Status::read(key) else {
                let what = format!("`{}` is no status", words::first_line(key, 40));
                self.problem(&spot, what, "a status is 100 to 599, a class such as `4XX`, or `default`");
                continue;
            };
            statuses.push(status);
            if status.is_error() {
                let place = self.library.shown(&spot);
                let Some(response) = self.followed(spot) else { continue };
                if !response.is_object() {
                    self.problem(&response, "a response that is no object", "`description`, `content` and `headers` stand in it");
                    continue;
                }
                answers.push(self.answer(status, place, &response, produces.as_deref()));
            }
        }
        statuses.sort_unstable();
        statuses.dedup();
        answers.sort_by_key(|answer| answer.status);
        // Without a documented success the default documents it, too: nothing is known of its errors then.
        if !answer::has_success(&statuses) {
            answers.iter_mut().filter(|answer| answer.status == Status::Default).for_each(|answer| {
                (answer.body, answer.ambiguous) = (Body::Undocumented, true);
            });
        }
        (statuses, answers)
    }

    /// The schema without the keywords that cannot be compiled: the same code will hold answers to it.
    fn compiled(&mut self, mut value: Value, spot: &Spot<'l>) -> (Value, Schema) {
        const ROUNDS: usize = 8;
        for _ in 0..ROUNDS {
            match Schema::compile(&schema::bare(&value)) {
                Ok(schema) => return (value, schema),
                Err(problems) => {
                    for SchemaProblem { pointer, what } in problems {
                        let detail = format!("{what} (at {pointer})");
                        self.defects.push(Defect::new(Kind::Uncheckable, self.library.shown(spot), detail));
                        remove(&mut value, &pointer);
                    }
                }
            }
        }
        let anything = Schema::compile(&Value::Bool(true)).expect("`true` is a schema");
        (Value::Bool(true), anything)
    }

    /// The index of an error schema; equal ones are one.
    fn error_schema(&mut self, spot: &Spot<'l>) -> usize {
        let rewritten = self.rewriter.schema(spot);
        let merged = schema::merged(&schema::inlined(&rewritten));
        let (value, compiled) = self.compiled(merged, spot);
        let key = schema::bare(&value).to_string();
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let referred = spot.text("$ref").map(|text| super::pointer::percent_decoded(text.rsplit('/').next().unwrap_or("")));
        let file = |name: &String| {
            name.rsplit_once('.').filter(|(_, ending)| ["json", "yaml", "yml"].contains(ending)).map(|(stem, _)| stem.to_owned())
        };
        let referred = referred.map(|name| file(&name).unwrap_or(name));
        let component = component_of(&spot.pointer);
        let title = value.get("title").and_then(Value::as_str).map(str::to_owned);
        let place = self.library.follow(spot.clone()).map_or_else(|_| self.library.shown(spot), |spot| self.library.shown(&spot));
        let schema = ErrorSchema { name: referred.or(title).or(component), value, place, compiled };
        self.schemas.push(schema);
        self.known.insert(key, self.schemas.len() - 1);
        self.schemas.len() - 1
    }
}

/// The name of the shared response that a schema stands in; a number says nothing.
fn component_of(pointer: &str) -> Option<String> {
    let rest = pointer.strip_prefix("/components/responses/").or_else(|| pointer.strip_prefix("/responses/"))?;
    let name = super::pointer::last(&format!("/{}", rest.split('/').next().unwrap_or("")));
    (!name.is_empty() && !name.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

/// Takes a keyword out of a schema; the whole schema where that is at fault.
fn remove(schema: &mut Value, pointer: &str) {
    let Some((above, name)) = pointer.rsplit_once('/') else {
        *schema = Value::Bool(true);
        return;
    };
    match schema.pointer_mut(above) {
        Some(Value::Object(members)) => _ = members.remove(&super::pointer::last(&format!("/{name}"))),
        Some(Value::Array(items)) => {
            if let Some(item) = name.parse().ok().and_then(|at: usize| items.get_mut(at)) {
                *item = Value::Bool(true);
            }
        }
        _ => *schema = Value::Bool(true),
    }
}

/// Whether credentials are needed: `[]` and `[{}]` say that they are not.
fn secured(security: Option<&Value>) -> bool {
    let Some(Value::Array(ways)) = security else { return false };
    !ways.is_empty() && ways.iter().all(|way| way.as_object().is_some_and(|way| !way.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_as_they_are_written() {
        for (key, status) in [
            ("404", Some(Status::Exact(404))),
            ("4XX", Some(Status::Class(4))),
            ("5xx", Some(Status::Class(5))),
            ("default", Some(Status::Default)),
            ("99", None),
            ("600", None),
            ("0404", None),
            ("+44", None),
            ("abc", None),
            ("6XX", None),
            ("", None),
        ] {
            assert_eq!(Status::read(key), status, "{key}");
        }
    }

    #[test]
    fn security_may_be_optional() {
        for (security, needed) in [("null", false), ("[]", false), ("[{}]", false), ("[{},{\"k\":[]}]", false), ("[{\"k\":[]}]", true)] {
            assert_eq!(secured(Some(&serde_json::from_str(security).expect("JSON"))), needed, "{security}");
        }
    }
}
