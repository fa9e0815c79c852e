//! Many operations × statuses → the fewest entries that say the same: services, envelopes, rows.
//!
//! Where several operations of a service answer a status in the same way, that is one row of the service; an operation
//! has a row of its own only where it differs. What an operation documents at all stands in its `[[operation]]` entry,
//! so that nothing is lost by folding.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fields::{self, Field};
use super::roles;
use super::schema::{self, Codes};
use super::spec::{Answer, Api, Body, HeaderDoc, Status};
use super::{ready, words};
use crate::contract::Role;

/// Codes of one status that get rows of their own at most.
const MOST_CODES: usize = 50;

/// The entries of a contract.
pub(super) struct Folded {
    pub(super) services: Vec<Service>,
    /// The most common first: it is what an undocumented error is held to.
    pub(super) envelopes: Vec<Envelope>,
    pub(super) rows: Vec<Row>,
}

/// A part of the API under its own base paths.
pub(super) struct Service {
    pub(super) id: String,
    pub(super) bases: Vec<String>,
    /// Indices of its operations.
    pub(super) operations: Vec<usize>,
}

/// A shape that answers share.
pub(super) struct Envelope {
    pub(super) name: String,
    pub(super) body: Body,
    /// The members on two levels, with roles guessed.
    pub(super) outline: Vec<Field>,
    /// The ready envelope that it is one of.
    pub(super) ready: Option<&'static str>,
    /// How many answers have it.
    pub(super) answers: usize,
    /// Codes that the schema names.
    pub(super) codes: Option<Codes>,
    /// Whether the codes belong to one status, by whatever schemas it is documented: then they are rows.
    single_status: bool,
}

/// One entry.
pub(super) struct Row {
    pub(super) service: usize,
    /// None: every operation of the service that documents the status.
    pub(super) operation: Option<usize>,
    pub(super) status: Status,
    /// None: any code.
    pub(super) code: Option<String>,
    pub(super) envelope: usize,
    pub(super) headers: Vec<HeaderDoc>,
    pub(super) meaning: String,
    /// Where the first of the answers stands.
    pub(super) place: String,
    /// How many answers it stands for.
    pub(super) answers: usize,
}

/// Folds what a document says.
pub(super) fn fold(api: &Api) -> Folded {
    let services = services(api);
    let (envelopes, of_body) = envelopes(api);
    let mut rows = Vec::new();
    for (at, service) in services.iter().enumerate() {
        let mut by_status: BTreeMap<Status, Vec<(usize, &Answer)>> = BTreeMap::new();
        for &operation in &service.operations {
            for answer in &api.operations[operation].answers {
                by_status.entry(answer.status).or_default().push((operation, answer));
            }
        }
        for occurrences in by_status.values() {
            let of = OfService { at, operations: &service.operations, api, envelopes: &envelopes, of_body: &of_body };
            of.rows(occurrences, &mut rows);
        }
    }
    Folded { services, envelopes, rows }
}

/// Operations under the same paths are one service, and so are those that share one of several.
fn services(api: &Api) -> Vec<Service> {
    let mut services: Vec<Service> = Vec::new();
    for (at, operation) in api.operations.iter().enumerate() {
        let mut joined = Service { id: String::new(), bases: operation.bases.clone(), operations: vec![at] };
        let shares = |service: &Service| service.bases.iter().any(|base| operation.bases.contains(base));
        let (same, others): (Vec<Service>, Vec<Service>) = services.into_iter().partition(shares);
        for service in same {
            joined.bases.extend(service.bases);
            joined.operations.extend(service.operations);
        }
        services = others;
        services.push(joined);
    }
    for service in &mut services {
        service.operations.sort_unstable();
        // The first operation's paths first.
        let first = service.operations.first().map(|&at| api.operations[at].bases.clone()).unwrap_or_default();
        service.bases.sort_by_key(|base| (first.iter().position(|known| known == base).unwrap_or(usize::MAX), base.clone()));
        service.bases.dedup();
    }
    services.sort_by_key(|service| (std::cmp::Reverse(service.operations.len()), service.operations.first().copied()));
    let mut names = words::Names::default();
    for (at, service) in services.iter_mut().enumerate() {
        let base = match at {
            0 => words::slug(&api.title, "api"),
            _ => words::slug(service.bases.first().map_or("", String::as_str), "root"),
        };
        service.id = names.give(&base);
    }
    services
}

fn envelopes(api: &Api) -> (Vec<Envelope>, HashMap<&Body, usize>) {
    let mut met: Vec<(&Body, usize, BTreeSet<Status>)> = Vec::new();
    let mut at: HashMap<&Body, usize> = HashMap::new();
    for answer in api.operations.iter().flat_map(|operation| &operation.answers) {
        let ix = *at.entry(&answer.body).or_insert(met.len());
        match met.get_mut(ix) {
            Some((_, answers, statuses)) => {
                *answers += 1;
                statuses.insert(answer.status);
            }
            None => met.push((&answer.body, 1, BTreeSet::from([answer.status]))),
        }
    }
    // What says something comes before what says nothing, and the most common first.
    met.sort_by_key(|(body, answers, _)| (rank(body), std::cmp::Reverse(*answers)));
    let mut envelopes: Vec<Envelope> = Vec::new();
    let mut names = words::Names::default();
    for (body, answers, statuses) in &met {
        let name = names.give(&name_of(api, body, statuses));
        envelopes.push(envelope(api, name, body, *answers, statuses.len() == 1));
    }
    // The same codes at several statuses are those of the API, however often they are written out.
    let mut statuses_of: HashMap<Vec<String>, BTreeSet<Status>> = HashMap::new();
    for (envelope, (_, _, statuses)) in envelopes.iter().zip(&met) {
        if let Some(words) = envelope.codes.as_ref().map(Codes::sorted) {
            statuses_of.entry(words).or_default().extend(statuses);
        }
    }
    for envelope in &mut envelopes {
        let known = envelope.codes.as_ref().and_then(|codes| statuses_of.get(&codes.sorted()));
        envelope.single_status &= known.is_none_or(|statuses| statuses.len() == 1);
    }
    let at = met.iter().enumerate().map(|(ix, (body, ..))| (*body, ix)).collect();
    (envelopes, at)
}

const fn rank(body: &Body) -> u8 {
    match body {
        Body::Json { schema: Some(_), .. } => 0,
        Body::Json { schema: None, .. } => 1,
        Body::Undocumented => 2,
        Body::Other { .. } => 3,
    }
}

fn name_of(api: &Api, body: &Body, statuses: &BTreeSet<Status>) -> String {
    match body {
        Body::Undocumented => "undocumented".to_owned(),
        Body::Json { schema: None, .. } => "untyped".to_owned(),
        Body::Other { media } => words::slug(media, "other"),
        Body::Json { schema: Some(ix), .. } => match &api.schemas[*ix].name {
            Some(name) => words::name(name, "error"),
            None => statuses.first().map_or("error".to_owned(), |status| words::slug(&format!("error-{status}"), "error")),
        },
    }
}

fn envelope(api: &Api, name: String, body: &Body, answers: usize, single_status: bool) -> Envelope {
    let (media, schema) = match body {
        Body::Json { media, schema: Some(ix) } => (media.as_str(), Some(&api.schemas[*ix].value)),
        Body::Json { media, schema: None } => (media.as_str(), None),
        Body::Other { .. } | Body::Undocumented => ("", None),
    };
    let mut outline = schema.map(fields::outline).unwrap_or_default();
    roles::guess(&mut outline);
    if let Some(schema) = schema {
        roles::guess_code(&mut outline, |path| schema::codes(schema, path).map_or(0, |codes| codes.words.len()));
    }
    let ready = ready::recognised(media, &outline);
    let codes = roles::path_of(&outline, Role::Code).and_then(|path| schema::codes(schema?, &path));
    Envelope { name, body: body.clone(), outline, ready, answers, codes, single_status }
}

/// What is looked at when the rows of a service are made.
struct OfService<'a> {
    at: usize,
    operations: &'a [usize],
    api: &'a Api,
    envelopes: &'a [Envelope],
    of_body: &'a HashMap<&'a Body, usize>,
}

/// Answers that are the same, with their operations.
struct Group<'a> {
    key: (usize, String),
    members: Vec<(usize, &'a Answer)>,
}

impl<'a> OfService<'a> {
    /// The rows of one status.
    fn rows(&self, occurrences: &[(usize, &'a Answer)], rows: &mut Vec<Row>) {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut known: HashMap<(usize, String), usize> = HashMap::new();
        for &(operation, answer) in occurrences {
            if answer.ambiguous {
                self.push(Some(operation), answer.status, &[(operation, answer)], rows);
                continue;
            }
            let key = self.key(answer);
            let at = *known.entry(key.clone()).or_insert(groups.len());
            match groups.get_mut(at) {
                Some(group) => group.members.push((operation, answer)),
                None => groups.push(Group { key, members: vec![(operation, answer)] }),
            }
        }
        // The first of the largest groups stands for the service, if it is more than one operation's word.
        let most = groups.iter().map(|group| group.members.len()).max().unwrap_or(0);
        // What is said of a whole class must be said by most, or it would excuse the others.
        let all = self.operations.len();
        let enough = match occurrences[0].1.status {
            Status::Exact(_) => most > 1 || all == 1,
            Status::Class(_) | Status::Default => most * 2 > all,
        };
        let general = groups.iter().position(|group| group.members.len() == most && enough);
        if let Some(at) = general {
            let others = self.covered_otherwise(&groups[at], occurrences);
            if others.len() < most {
                let group = groups.remove(at);
                let status = group.members[0].1.status;
                self.push(None, status, &group.members, rows);
                others.iter().for_each(|member| self.push(Some(member.0), status, std::slice::from_ref(member), rows));
            }
        }
        for member in groups.iter().flat_map(|group| &group.members) {
            self.push(Some(member.0), member.1.status, std::slice::from_ref(member), rows);
        }
    }

    fn key(&self, answer: &Answer) -> (usize, String) {
        (self.of_body[&answer.body], format!("{:?}", answer.headers))
    }

    /// Operations (in order, as the occurrences are) that document the status only by a class or `default`, and another answer: a row of the service would
    /// come before those, since it is more exact.
    fn covered_otherwise(&self, general: &Group<'a>, occurrences: &[(usize, &'a Answer)]) -> Vec<(usize, &'a Answer)> {
        let status = general.members[0].1.status;
        let wider = |answer: &&Answer| match (status, answer.status) {
            (Status::Exact(exact), Status::Class(class)) => exact / 100 == u16::from(class),
            (Status::Exact(_) | Status::Class(_), Status::Default) => true,
            _ => false,
        };
        let silent = self.operations.iter().filter(|&operation| occurrences.binary_search_by_key(operation, |(known, _)| *known).is_err());
        // The answers of an operation are in the order of their statuses: a class comes before the default.
        let covered = silent.filter_map(|&operation| Some((operation, self.api.operations[operation].answers.iter().find(wider)?)));
        covered.filter(|(_, answer)| self.key(answer) != general.key).collect()
    }

    fn push(&self, operation: Option<usize>, status: Status, members: &[(usize, &Answer)], rows: &mut Vec<Row>) {
        let Some((_, first)) = members.first() else { return };
        let envelope = self.of_body[&first.body];
        let (codes, any) = codes(&self.envelopes[envelope], members);
        let row = |code: Option<String>, meaning: String| Row {
            service: self.at,
            operation,
            status,
            code,
            envelope,
            headers: first.headers.clone(),
            meaning,
            place: first.place.clone(),
            answers: members.len(),
        };
        let meaning = usual_meaning(members);
        let alone = codes.len() == 1 && !any;
        rows.extend(codes.into_iter().map(|code| row(Some(code), if alone { meaning.clone() } else { String::new() })));
        if any {
            rows.push(row(None, meaning));
        }
    }
}

/// The codes of these answers, and whether there may be others.
fn codes(envelope: &Envelope, members: &[(usize, &Answer)]) -> (Vec<String>, bool) {
    if let Some(codes) = envelope.codes.as_ref().filter(|codes| envelope.single_status && codes.words.len() <= MOST_CODES) {
        return (codes.words.clone(), codes.open);
    }
    // What examples show is not all there is.
    let shown: BTreeSet<String> = match roles::path_of(&envelope.outline, Role::Code) {
        None => BTreeSet::new(),
        Some(path) => {
            let examples = members.iter().flat_map(|(_, answer)| &answer.examples);
            let at = |value: &serde_json::Value| path.iter().try_fold(value, |value, name| value.get(name))?.as_str().map(str::to_owned);
            let like_a_code = |code: &String| !code.is_empty() && code.len() <= 80 && !code.chars().any(char::is_whitespace);
            examples.filter_map(|example| at(&example.value)).filter(like_a_code).collect()
        }
    };
    if shown.len() > MOST_CODES { (Vec::new(), true) } else { (shown.into_iter().collect(), true) }
}

/// What most of the answers say about themselves; the first of those that are equally common.
fn usual_meaning(members: &[(usize, &Answer)]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (_, answer) in members.iter().filter(|(_, answer)| !answer.meaning.is_empty()) {
        let at = *known.entry(&answer.meaning).or_insert(counts.len());
        match counts.get_mut(at) {
            Some((_, count)) => *count += 1,
            None => counts.push((&answer.meaning, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    counts.iter().find(|(_, count)| *count == most).map(|(meaning, _)| (*meaning).to_owned()).unwrap_or_default()
}
