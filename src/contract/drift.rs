//! How alike the errors of one service are, over a run: their structure (X01), their names (B13), their timestamps (T04).
//!
//! **Drift** is what a client written for one error of a service cannot read in another: one member with two types, or the
//! code or the message in two places. A member that is sometimes absent is no drift, nor is `null` in its place, nor what
//! the contract itself documents in several forms. An answer that breaks the documented structure is blamed for that
//! already (B02, B03) and is only counted in the table of shapes.
//!
//! A structure is taken apart once for each shape. Names and timestamps are read of a part of the answers: the first 16
//! of each kind, and then one in a second; for what is the same in every answer, a part shows it.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::evidence::Evidence;
use crate::contract::findings::{RunFinding, Sighting};
use crate::contract::json::{Document, Json};
use crate::contract::shape::{self, Shape};
use crate::contract::{Contract, Field, Kind, Role, Violation, catalogue};
use crate::id::{RowIx, ServiceIx};
use crate::severity::Severity;
use crate::units::{Micros, Offset};

/// Shapes told apart at most.
const SHAPES: usize = 128;
/// Documented errors whose names and timestamps are compared, at most.
const KINDS: usize = 512;
/// Answers of one kind that are all read; later ones once a second.
const ALL_READ: u64 = 16;
const READ_EVERY: Micros = Micros::from_secs(1);
/// Names that one code may have: a few spellings are not yet unstable.
pub const NAMES: usize = 3;
/// Names kept of one code, and characters of each.
const NAMES_KEPT: usize = 8;
const NAME_LENGTH: usize = 80;
/// Timestamps remembered of one code.
const STAMPS: usize = 16;
/// Equal timestamps this far apart are frozen: no clock has a resolution of ten seconds.
pub const FAR_APART: Micros = Micros::from_secs(10);

/// What was seen of the errors of a run; of constant size.
#[derive(Clone, Debug, Default)]
pub struct Drift {
    shapes: BTreeMap<(Option<ServiceIx>, Shape), Seen>,
    /// Answers whose shape did not fit any more.
    overflow: u64,
    kinds: BTreeMap<Key, Texts>,
}

/// Errors that ought to be alike: one documented error, or one status of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    row: Option<RowIx>,
    service: Option<ServiceIx>,
    status: u16,
}

/// One shape of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub words: String,
    pub count: u64,
    pub first_at: Offset,
    pub last_at: Offset,
    pub statuses: BTreeSet<u16>,
    /// Of an answer whose structure is as documented: its places and types.
    anatomy: Option<Anatomy>,
    evidence: Evidence,
}

/// The places of one structure that a client has to know.
#[derive(Clone, Debug, Default, PartialEq)]
struct Anatomy {
    code_at: Option<String>,
    message_at: Option<String>,
    /// Members of the body, and of the object that holds code or message.
    members: Vec<(String, &'static str)>,
}

/// Names and timestamps of one kind of error.
#[derive(Clone, Debug, Default)]
struct Texts {
    seen: u64,
    read_at: Offset,
    /// By the member that has it.
    names: BTreeMap<&'static str, BTreeSet<String>>,
    /// When each timestamp was first seen, the oldest first.
    stamps: Vec<(String, Offset)>,
    /// Answers whose timestamp had been seen long before, when, and one of them.
    frozen: u64,
    frozen_at: Option<(Offset, Offset)>,
    sample: Option<(String, Evidence)>,
    last_at: Offset,
}

impl Drift {
    /// Takes down one error answer of the origin; `sample` writes down the few that are kept.
    pub fn note(&mut self, contract: &Contract, sighting: &Sighting<'_>, sample: impl Fn() -> Evidence) {
        let Some(response) = sighting.response.filter(|response| response.status >= 400) else { return };
        let Some(shape) = sighting.judged.shape else { return };
        let new = self.shape(contract, sighting, shape, &sample);
        self.texts(contract, sighting, response.status, new, &sample);
    }

    /// Returns the document where it had to be read.
    fn shape(&mut self, contract: &Contract, sighting: &Sighting<'_>, shape: Shape, sample: &impl Fn() -> Evidence) -> bool {
        let (judged, status) = (sighting.judged, sighting.response.map_or(0, |response| response.status));
        let key = (judged.service, shape);
        if !self.shapes.contains_key(&key) {
            if self.shapes.len() >= SHAPES {
                self.overflow += 1;
                return false;
            }
            let Some(seen) = Seen::of(contract, sighting, sample) else { return false };
            self.shapes.insert(key, seen);
        }
        let Some(seen) = self.shapes.get_mut(&key) else { return false };
        seen.count += 1;
        seen.last_at = seen.last_at.max(sighting.at);
        seen.first_at = seen.first_at.min(sighting.at);
        if seen.statuses.len() < NAMES_KEPT {
            seen.statuses.insert(status);
        }
        seen.count == 1
    }

    fn texts(&mut self, contract: &Contract, sighting: &Sighting<'_>, status: u16, new: bool, sample: &impl Fn() -> Evidence) {
        let judged = sighting.judged;
        let key = Key { row: judged.row, service: judged.service, status };
        if self.kinds.len() >= KINDS && !self.kinds.contains_key(&key) {
            return;
        }
        let texts = self.kinds.entry(key).or_default();
        texts.seen += 1;
        texts.last_at = texts.last_at.max(sighting.at);
        let due = texts.seen <= ALL_READ || sighting.at.since(texts.read_at) >= READ_EVERY || new;
        let Some(response) = sighting.response.filter(|_| due) else { return };
        texts.read_at = sighting.at;
        let Ok(document) = Document::read(response.body) else { return };
        texts.read(fields(contract, judged.row), document.value(), sighting.at, sample);
    }

    /// Every shape, by service, the most frequent first.
    pub fn shapes(&self) -> Vec<(Option<ServiceIx>, &Seen)> {
        let mut all: Vec<_> = self.shapes.iter().map(|((service, _), seen)| (*service, seen)).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.count.cmp(&a.1.count)).then_with(|| a.1.words.cmp(&b.1.words)));
        all
    }

    /// Answers whose shape is not in the table, because there were too many.
    pub fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Joins what another worker saw.
    pub fn merge(&mut self, other: Drift) {
        for (key, theirs) in other.shapes {
            let full = self.shapes.len() >= SHAPES;
            match self.shapes.get_mut(&key) {
                Some(mine) => mine.merge(theirs),
                None if full => self.overflow += theirs.count,
                None => {
                    self.shapes.insert(key, theirs);
                }
            }
        }
        self.overflow += other.overflow;
        for (key, theirs) in other.kinds {
            let full = self.kinds.len() >= KINDS;
            match self.kinds.get_mut(&key) {
                Some(mine) => mine.merge(theirs),
                None if full => {}
                None => {
                    self.kinds.insert(key, theirs);
                }
            }
        }
    }

    /// What the whole run shows: X01, B13, T04.
    pub fn conclude(&self, contract: &Contract) -> Vec<RunFinding> {
        let services: BTreeSet<Option<ServiceIx>> = self.shapes.keys().map(|(service, _)| *service).collect();
        let drifts = services.into_iter().flat_map(|service| self.drift_of(contract, service));
        let texts = self.kinds.iter().flat_map(|(key, texts)| [texts.unstable(contract, *key), texts.frozen(contract, *key)]);
        drifts.chain(texts.flatten()).collect()
    }

    fn drift_of(&self, contract: &Contract, service: Option<ServiceIx>) -> Vec<RunFinding> {
        let own = || self.shapes.iter().filter(|((of, _), _)| *of == service).filter_map(|(_, seen)| Some((seen, seen.anatomy.as_ref()?)));
        let code = Variants::of(own().filter_map(|(seen, anatomy)| Some((anatomy.code_at.as_deref()?, seen))));
        let message = Variants::of(own().filter_map(|(seen, anatomy)| Some((anatomy.message_at.as_deref()?, seen))));
        let mut found = Vec::new();
        found.extend(code.finding(service, "$", "the code in one place", "code moves"));
        found.extend(message.finding(service, "$", "the message in one place", "message moves"));
        let members: BTreeSet<&str> = own().flat_map(|(_, anatomy)| anatomy.members.iter().map(|(path, _)| path.as_str())).collect();
        for path in members {
            let of_path =
                |anatomy: &Anatomy| anatomy.members.iter().find(|(at, kind)| at == path && *kind != "null").map(|(_, kind)| *kind);
            let types = Variants::of(own().filter_map(|(seen, anatomy)| Some((of_path(anatomy)?, seen))));
            if !is_documented_in_forms(contract, service, path) {
                found.extend(types.finding(service, path, "one type wherever it is sent", "type differs"));
            }
        }
        found
    }
}

impl Seen {
    fn of(contract: &Contract, sighting: &Sighting<'_>, sample: &impl Fn() -> Evidence) -> Option<Seen> {
        let response = sighting.response?;
        let document = Document::read(response.body).ok()?;
        let broken = sighting.judged.violations.iter().any(|violation| matches!(violation.check, "B02" | "B03" | "B04" | "B05"));
        Some(Seen {
            words: shape::words(document.value()),
            count: 0,
            first_at: sighting.at,
            last_at: sighting.at,
            statuses: BTreeSet::new(),
            anatomy: (!broken).then(|| Anatomy::of(fields(contract, sighting.judged.row), document.value())),
            evidence: sample(),
        })
    }

    fn merge(&mut self, other: Seen) {
        self.count += other.count;
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
        self.statuses.extend(other.statuses);
        // One shape may be in order with one code and not with another.
        self.anatomy = self.anatomy.take().or(other.anatomy);
    }
}

/// Where envelopes that are not documented usually have their code, and their message.
const CODES: [&[&str]; 5] = [&["code"], &["error", "code"], &["error_code"], &["errorCode"], &["error", "type"]];
const MESSAGES: [&[&str]; 6] = [&["message"], &["error", "message"], &["detail"], &["error_description"], &["msg"], &["description"]];

impl Anatomy {
    fn of(fields: &[Field], body: Json<'_>) -> Anatomy {
        let place = |role: Role, usual: &[&[&str]]| {
            let documented = place_of(fields, role).into_iter();
            let usual = usual.iter().map(|path| path.iter().map(|name| (*name).to_owned()).collect());
            documented.chain(usual).find(|path: &Vec<String>| is_scalar(body.at(path)))
        };
        let (code, message) = (place(Role::Code, &CODES), place(Role::Message, &MESSAGES));
        let mut members = Vec::new();
        add_members(body, "$", &mut members);
        let inner: BTreeSet<&str> =
            [&code, &message].into_iter().flatten().filter(|path| path.len() == 2).map(|path| path[0].as_str()).collect();
        for name in inner {
            if let Some(object) = body.get(name) {
                add_members(object, &format!("$.{name}"), &mut members);
            }
        }
        let words = |path: Option<Vec<String>>| path.map(|path| format!("$.{}", path.join(".")));
        Anatomy { code_at: words(code), message_at: words(message), members }
    }
}

/// Members looked at of one object.
const MEMBERS: usize = 64;

fn add_members(object: Json<'_>, at: &str, members: &mut Vec<(String, &'static str)>) {
    if let Json::Object(own) = object {
        members.extend(own.iter().take(MEMBERS).map(|(name, value)| (format!("{at}.{}", name.escape_debug()), value.type_word())));
    }
}

fn is_scalar(value: Option<Json<'_>>) -> bool {
    matches!(value, Some(Json::Text(_) | Json::Number(_)))
}

/// Where documented fields have a role: at the top, or one level below.
fn place_of(fields: &[Field], role: Role) -> Option<Vec<String>> {
    fields.iter().find_map(|field| match field.role == Some(role) {
        true => Some(vec![field.name.clone()]),
        false => {
            let inner = field.fields.iter().find(|inner| inner.role == Some(role))?;
            Some(vec![field.name.clone(), inner.name.clone()])
        }
    })
}

fn fields(contract: &Contract, row: Option<RowIx>) -> &[Field] {
    match row {
        Some(row) => &contract.row(row).envelope.fields,
        None => contract.envelopes.first().map_or(&[], |envelope| &envelope.fields),
    }
}

/// Whether the contract itself gives a member several types, or none in particular.
fn is_documented_in_forms(contract: &Contract, service: Option<ServiceIx>, path: &str) -> bool {
    let rows = contract.rows.iter().filter(|row| row.service.is_none() || row.service == service);
    let named = |fields: &[Field]| fields.iter().find(|field| path.strip_prefix("$.") == Some(field.name.as_str())).map(|field| field.kind);
    let mut kinds: Vec<Kind> = rows.filter_map(|row| named(&row.envelope.fields)).collect();
    kinds.dedup();
    kinds.contains(&Kind::Any) || kinds.windows(2).any(|pair| pair[0] != pair[1])
}

/// What differs from one shape to the next, with how many answers had each form.
struct Variants<'s>(BTreeMap<String, (u64, &'s Seen)>);

impl<'s> Variants<'s> {
    fn of<'t>(all: impl Iterator<Item = (&'t str, &'s Seen)>) -> Variants<'s> {
        let mut variants: BTreeMap<String, (u64, &Seen)> = BTreeMap::new();
        for (form, seen) in all {
            variants.entry(form.to_owned()).or_insert((0, seen)).0 += seen.count;
        }
        Variants(variants)
    }

    /// X01, where there is more than one: it counts the answers that are not of the commonest form.
    fn finding(&self, service: Option<ServiceIx>, path: &str, expected: &str, cause: &str) -> Option<RunFinding> {
        if self.0.len() < 2 {
            return None;
        }
        let mut forms: Vec<(&String, u64, &Seen)> = self.0.iter().map(|(form, (count, seen))| (form, *count, *seen)).collect();
        forms.sort_by_key(|(form, count, _)| (std::cmp::Reverse(*count), (*form).clone()));
        let words: Vec<String> = forms.iter().take(6).map(|(form, count, _)| format!("{form} in {count}")).collect();
        let rest = &forms[1..];
        Some(RunFinding {
            violation: violation("X01", path, expected.to_owned(), format!("{} answers", words.join(", ")), cause),
            service,
            count: rest.iter().map(|(_, count, _)| count).sum(),
            first_at: rest.iter().map(|(_, _, seen)| seen.first_at).min().unwrap_or_default(),
            last_at: rest.iter().map(|(_, _, seen)| seen.last_at).max().unwrap_or_default(),
            evidence: forms.iter().take(3).map(|(_, _, seen)| seen.evidence.clone()).collect(),
            ..RunFinding::default()
        })
    }
}

impl Texts {
    fn read(&mut self, fields: &[Field], body: Json<'_>, at: Offset, sample: &impl Fn() -> Evidence) {
        for member in ["error", "title"] {
            let Some(name) = body.get(member).and_then(Json::text) else { continue };
            let names = self.names.entry(member).or_default();
            if names.len() < NAMES_KEPT {
                names.insert(name.chars().take(NAME_LENGTH).collect());
            }
            if names.len() == NAMES + 1 && self.sample.is_none() {
                self.sample = Some((member.to_owned(), sample()));
            }
        }
        let path = place_of(fields, Role::Timestamp).unwrap_or_else(|| vec!["timestamp".to_owned()]);
        let Some(stamp) = body.at(&path).and_then(Json::text).filter(|text| text.len() <= NAME_LENGTH) else { return };
        match self.stamps.iter().find(|(known, _)| known == stamp) {
            Some(&(_, first)) if at.since(first) >= FAR_APART => {
                self.frozen += 1;
                self.frozen_at = Some((self.frozen_at.map_or(first, |(begin, _)| begin.min(first)), at));
                if self.sample.is_none() {
                    self.sample = Some((path.join("."), sample()));
                }
            }
            Some(_) => {}
            None => {
                if self.stamps.len() >= STAMPS {
                    self.stamps.remove(0);
                }
                self.stamps.push((stamp.to_owned(), at));
            }
        }
    }

    fn merge(&mut self, other: Texts) {
        self.seen += other.seen;
        self.last_at = self.last_at.max(other.last_at);
        for (member, theirs) in other.names {
            let mine = self.names.entry(member).or_default();
            mine.extend(theirs.into_iter().take(NAMES_KEPT));
        }
        for (stamp, at) in other.stamps {
            let full = self.stamps.len() >= 2 * STAMPS;
            match self.stamps.iter_mut().find(|(known, _)| *known == stamp) {
                Some((_, mine)) => {
                    let (first, last) = ((*mine).min(at), (*mine).max(at));
                    if last.since(first) >= FAR_APART {
                        self.frozen += 1;
                        self.frozen_at = Some((self.frozen_at.map_or(first, |(begin, _)| begin.min(first)), last));
                    }
                    *mine = first;
                }
                None if full => {}
                None => self.stamps.push((stamp, at)),
            }
        }
        self.frozen += other.frozen;
        self.frozen_at = match (self.frozen_at, other.frozen_at) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (mine, theirs) => mine.or(theirs),
        };
        self.sample = self.sample.take().or(other.sample);
    }

    /// B13.
    fn unstable(&self, contract: &Contract, key: Key) -> Option<RunFinding> {
        let (member, names) = self.names.iter().find(|(_, names)| names.len() > NAMES)?;
        // Without a code there is nothing that ought to have one name.
        contract.rows.get(key.row?.at()).filter(|row| !row.any_code)?;
        let shown: Vec<String> = names.iter().take(4).map(|name| crate::contract::check::quoted(name)).collect();
        let found = violation(
            "B13",
            &format!("$.{member}"),
            "one name for one code".to_owned(),
            format!("{} and more: {}", NAMES, shown.join(", ")),
            "many names",
        );
        Some(self.finding(contract, key, found, (names.len() - 1) as u64, (Offset::START, self.last_at)))
    }

    /// T04.
    fn frozen(&self, contract: &Contract, key: Key) -> Option<RunFinding> {
        let (first, last) = self.frozen_at?;
        let member = place_of(fields(contract, key.row), Role::Timestamp).map_or_else(|| "timestamp".to_owned(), |path| path.join("."));
        let found = violation(
            "T04",
            &format!("$.{member}"),
            "the time of its own answer".to_owned(),
            format!("the same timestamp in answers {} apart", last.since(first)),
            "frozen",
        );
        Some(self.finding(contract, key, found, self.frozen, (first, last)))
    }

    fn finding(&self, contract: &Contract, key: Key, violation: Violation, count: u64, at: (Offset, Offset)) -> RunFinding {
        RunFinding {
            violation,
            service: key.service,
            row: key.row,
            status: Some(key.status),
            code: key.row.map(|row| contract.row(row)).filter(|row| !row.any_code).map(|row| row.code.clone()),
            count,
            first_at: at.0,
            last_at: at.1,
            evidence: self.sample.iter().map(|(_, sample)| sample.clone()).collect(),
            ..RunFinding::default()
        }
    }
}

/// A violation that only the whole run shows.
pub(super) fn violation(check: &'static str, path: &str, expected: String, actual: String, cause: &str) -> Violation {
    Violation {
        check,
        severity: catalogue::find(check).map_or(Severity::Medium, |check| check.severity),
        instance_path: path.to_owned(),
        expected,
        actual,
        cause: cause.to_owned(),
        contract_ref: None,
    }
}
