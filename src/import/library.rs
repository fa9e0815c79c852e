//! The document with the files it refers to, and how to get from a `$ref` to what it means.
//!
//! All files are read before anything is looked up, so that looking up is pure. A reference to another host is never
//! followed; one to another file only where the caller reads files.

use std::collections::HashSet;

use serde_json::Value;

use super::{Place, Problem, ReadBeside, document, pointer, words};

/// Files beside the document at most.
const MOST_FILES: usize = 500;
/// References that lead from one to the next at most.
const LONGEST_CHAIN: usize = 64;

/// The document and the files it refers to.
pub(super) struct Library {
    files: Vec<File>,
    /// Why the files that could not be read could not.
    unread: Vec<(String, String)>,
    follows: bool,
}

struct File {
    /// Relative to the folder of the document.
    name: String,
    value: Value,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Spot<'l> {
    pub(super) file: usize,
    pub(super) pointer: String,
    pub(super) value: &'l Value,
}

/// Why a reference leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Nothing stands there: the document is incomplete, which is told in the report.
    Dangling { to: String, at: String },
    /// It must not or cannot be followed: the document is not usable.
    Refused(Problem),
}

impl Library {
    /// Reads the document, and the files it refers to where `beside` reads them.
    pub(super) fn open(name: &str, text: &[u8], beside: Option<ReadBeside<'_>>) -> Result<Library, Problem> {
        let first = File { name: name.to_owned(), value: document::read(name, text)? };
        let mut library = Library { files: vec![first], unread: Vec::new(), follows: beside.is_some() };
        if let Some(read) = beside {
            library.gather(read, text.len())?;
        }
        Ok(library)
    }

    fn gather(&mut self, read: ReadBeside<'_>, bytes: usize) -> Result<(), Problem> {
        let (mut at, mut bytes) = (0, bytes);
        while at < self.files.len() {
            for name in files_named_in(&self.files[at].value, &self.files[at].name) {
                let known = self.files.iter().any(|file| file.name == name) || self.unread.iter().any(|(unread, _)| *unread == name);
                if known {
                    continue;
                }
                match read(&name) {
                    Err(why) => self.unread.push((name, why)),
                    Ok(text) => {
                        bytes = bytes.saturating_add(text.len());
                        if bytes > document::LARGEST || self.files.len() >= MOST_FILES {
                            let what = "the document refers to too many or too large files".to_owned();
                            return Err(Problem { what, place: Place::Pointer(name), help: "import a part of it".to_owned() });
                        }
                        let value = document::read(&name, &text)?;
                        self.files.push(File { name, value });
                    }
                }
            }
            at += 1;
        }
        Ok(())
    }

    /// The whole document.
    pub(super) fn root(&self) -> Spot<'_> {
        Spot { file: 0, pointer: String::new(), value: &self.files[0].value }
    }

    /// The file's name.
    pub(super) fn file(&self, file: usize) -> &str {
        &self.files[file].name
    }

    /// The place of a spot, as comments and messages show it: `spec.json#/paths/~1pets`.
    pub(super) fn shown(&self, spot: &Spot<'_>) -> String {
        self.place(spot.file, &spot.pointer)
    }

    fn place(&self, file: usize, pointer: &str) -> String {
        format!("{}#{pointer}", self.files[file].name)
    }

    /// What a spot means: itself, or what its `$ref` refers to, over as many references as it takes.
    pub(super) fn follow<'l>(&'l self, spot: Spot<'l>) -> Result<Spot<'l>, Broken> {
        let mut here = spot;
        let mut seen: Vec<(usize, String)> = Vec::new();
        while let Some(reference) = here.value.get("$ref") {
            let at = self.place(here.file, &pointer::join(&here.pointer, "$ref"));
            let refuse =
                |what: String, help: &str| Broken::Refused(Problem { what, place: Place::Pointer(at.clone()), help: help.to_owned() });
            let Some(text) = reference.as_str() else {
                return Err(refuse("`$ref` is not a text".to_owned(), "a reference is written like \"#/components/responses/NotFound\""));
            };
            let key = (here.file, here.pointer.clone());
            if seen.contains(&key) {
                return Err(refuse(
                    format!("`{}` leads back to itself and never to a value", words::reference(text)),
                    "refer to the value itself",
                ));
            }
            if seen.len() >= LONGEST_CHAIN {
                return Err(refuse(format!("more than {LONGEST_CHAIN} references lead from one to the next"), ""));
            }
            seen.push(key);
            here = self.target(here.file, text, &at)?;
        }
        Ok(here)
    }

    /// What stands at the end of one reference.
    fn target<'l>(&'l self, from: usize, reference: &str, at: &str) -> Result<Spot<'l>, Broken> {
        let refuse =
            |what: String, help: &str| Err(Broken::Refused(Problem { what, place: Place::Pointer(at.to_owned()), help: help.to_owned() }));
        let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let file = match beside(&self.files[from].name, path) {
            Named::Same => Some(from),
            Named::Remote => {
                let help = "brownout fetches nothing: save it beside the document, refer to the file, and import with --follow-files";
                return refuse(format!("remote reference, not fetched: `{}`", words::reference(reference)), help);
            }
            Named::Outside => {
                return refuse(
                    format!("`{}` leaves the folder of the document", words::reference(reference)),
                    "only files inside that folder are read",
                );
            }
            Named::File(name) => {
                let known = self.files.iter().position(|file| file.name == name);
                if known.is_none() && !self.follows {
                    return refuse(
                        format!("another file, not read: `{}`", words::reference(reference)),
                        "import with --follow-files to read the files beside it",
                    );
                }
                if let Some((_, why)) = self.unread.iter().find(|(unread, _)| *unread == name).filter(|_| known.is_none()) {
                    return refuse(format!("the file `{}` cannot be read: {why}", words::reference(&name)), "");
                }
                known
            }
        };
        let dangling = || Broken::Dangling { to: words::reference(reference), at: at.to_owned() };
        let file = file.ok_or_else(dangling)?;
        let pointer = pointer::percent_decoded(fragment);
        let value = pointer::find(&self.files[file].value, &pointer).ok_or_else(dangling)?;
        Ok(Spot { file, pointer, value })
    }
}

impl<'l> Spot<'l> {
    /// A member.
    pub(super) fn member(&self, name: &str) -> Option<Spot<'l>> {
        let value = self.value.get(name)?;
        Some(Spot { file: self.file, pointer: pointer::join(&self.pointer, name), value })
    }

    /// Members in the order of their names; none where it is no object.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'l str, Spot<'l>)> + use<'l> {
        let (file, pointer) = (self.file, self.pointer.clone());
        let members = self.value.as_object().into_iter().flatten();
        members.map(move |(name, value)| (name.as_str(), Spot { file, pointer: pointer::join(&pointer, name), value }))
    }

    /// Items; none where it is no list.
    pub(super) fn items(&self) -> impl Iterator<Item = Spot<'l>> + use<'l> {
        let (file, pointer) = (self.file, self.pointer.clone());
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(move |(at, value)| Spot { file, pointer: format!("{pointer}/{at}"), value })
    }

    /// A member that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&'l str> {
        self.value.get(name)?.as_str()
    }

    /// Whether it is an object.
    pub(super) fn is_object(&self) -> bool {
        self.value.is_object()
    }
}

/// What the part of a reference before `#` names.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Same,
    File(String),
    Remote,
    Outside,
}

/// A path, relative to the file that names it, as a path relative to the document's folder.
fn beside(from: &str, path: &str) -> Named {
    if path.is_empty() {
        return Named::Same;
    }
    let scheme = path.split_once(':').is_some_and(|(scheme, _)| !scheme.contains('/'));
    if scheme || path.starts_with("//") {
        return Named::Remote;
    }
    let path = pointer::percent_decoded(path);
    if path.starts_with('/') || path.contains(['\\', '\0', ':']) {
        return Named::Outside;
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                if steps.pop().is_none() {
                    return Named::Outside;
                }
            }
            step => steps.push(step),
        }
    }
    let name = steps.join("/");
    if name == from { Named::Same } else { Named::File(name) }
}

/// The files that the references of a document name, each once.
fn files_named_in(document: &Value, own: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![document];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                open.extend(members.values());
                let path = members.get("$ref").and_then(Value::as_str).map(|text| text.split('#').next().unwrap_or(""));
                if let Some(Named::File(name)) = path.map(|path| beside(own, path))
                    && seen.insert(name.clone())
                {
                    names.push(name);
                }
            }
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(text: &str) -> Library {
        Library::open("spec.json", text.as_bytes(), None).expect("a document")
    }

    fn followed(text: &str) -> Result<Value, Broken> {
        let library = library(text);
        let start = library.root().member("start").expect("a start");
        library.follow(start).map(|spot| spot.value.clone())
    }

    #[test]
    fn references_are_followed_over_escapes_and_chains() {
        assert_eq!(followed(r##"{"start":{"$ref":"#/a~1b/%7Bid%7D"},"a/b":{"{id}":{"$ref":"#/c"}},"c":7}"##), Ok(Value::from(7)));
        assert_eq!(followed(r#"{"start":7}"#), Ok(Value::from(7)));
    }

    #[test]
    fn a_reference_that_leads_nowhere_says_where_it_stands() {
        let Err(Broken::Dangling { to, at }) = followed(r##"{"start":{"$ref":"#/nothing"}}"##) else { panic!("dangling") };
        assert_eq!((to.as_str(), at.as_str()), ("#/nothing", "spec.json#/start/$ref"));
    }

    #[test]
    fn references_that_must_not_be_followed_are_refused_with_their_place() {
        for (reference, said) in [
            ("https://example.com/a.json#/x", "remote reference, not fetched"),
            ("//example.com/a.json", "remote reference, not fetched"),
            ("other.json#/x", "another file, not read"),
            ("../other.json", "leaves the folder"),
            ("/etc/passwd", "leaves the folder"),
            ("a/../../other.json", "leaves the folder"),
            ("#/start", "leads back to itself"),
        ] {
            let Err(Broken::Refused(problem)) = followed(&format!(r#"{{"start":{{"$ref":"{reference}"}}}}"#)) else {
                panic!("{reference} is refused")
            };
            assert!(problem.what.contains(said), "{problem}");
            assert_eq!(problem.place, Place::Pointer("spec.json#/start/$ref".to_owned()));
        }
        let Err(Broken::Refused(problem)) = followed(r##"{"start":{"$ref":"#/b"},"b":{"$ref":"#/c"},"c":{"$ref":"#/b"}}"##) else {
            panic!("a circle")
        };
        assert!(problem.what.contains("leads back to itself"), "{problem}");
    }

    #[test]
    fn files_beside_are_read_once_and_only_inside_the_folder() {
        let mut asked = Vec::new();
        let mut read = |name: &str| {
            asked.push(name.to_owned());
            match name {
                "schemas/a.json" => Ok(br##"{"x":{"$ref":"b.json#/y"},"up":{"$ref":"../spec.json#/end"}}"##.to_vec()),
                "schemas/b.json" => Ok(br##"{"y":{"$ref":"./a.json#/up"}}"##.to_vec()),
                _ => Err("no such file".to_owned()),
            }
        };
        let text = br##"{"start":{"$ref":"schemas/a.json#/x"},"end":5,"lost":{"$ref":"gone.json"},"out":{"$ref":"../x.json"}}"##;
        let library = Library::open("spec.json", text, Some(&mut read)).expect("a document");
        let at = |name: &str| library.follow(library.root().member(name).expect("a member"));
        assert_eq!(at("start").map(|spot| spot.value.clone()), Ok(Value::from(5)));
        assert!(matches!(at("lost"), Err(Broken::Refused(problem)) if problem.what.contains("no such file")));
        assert!(matches!(at("out"), Err(Broken::Refused(problem)) if problem.what.contains("leaves the folder")));
        asked.sort();
        assert_eq!(asked, ["gone.json", "schemas/a.json", "schemas/b.json"]);
    }
}
