//! What a route does: its `kind`.

use http::Method;

use super::Lowering;
use crate::contract::server::{Act, Lookup, PathItem, Stream, Upload};
use crate::plan::file::{Table, Value};
use crate::plan::lower::spread;
use crate::plan::problem::Problem;
use crate::units::Size;

#[derive(Clone, Copy)]
enum RouteKind {
    Collection,
    Item,
    Action,
    Sse,
    Upload,
}

const KINDS: [(&str, RouteKind); 5] = [
    ("collection", RouteKind::Collection),
    ("item", RouteKind::Item),
    ("action", RouteKind::Action),
    ("sse", RouteKind::Sse),
    ("upload", RouteKind::Upload),
];

/// The resource that an act is about.
pub(super) const fn subject(act: &Act) -> Option<usize> {
    match act {
        Act::List(resource) | Act::Create(resource) | Act::Read(resource) | Act::Update(resource) | Act::Delete(resource) => {
            Some(*resource)
        }
        Act::Upload(upload) => Some(upload.resource),
        Act::Answer { removes: Some((resource, _)) } => Some(*resource),
        Act::Answer { removes: None } | Act::Stream(_) => None,
    }
}

/// The status of a success, where the route does not say.
pub(super) const fn usual_status(act: &Act) -> u16 {
    match act {
        Act::Create(_) | Act::Upload(_) => 201,
        _ => 200,
    }
}

/// Whether a value is one of the server's own, which no request changes by asking.
pub(super) const fn is_state(lookup: &Lookup) -> bool {
    matches!(lookup, Lookup::Fixed(..))
}

impl Lowering<'_> {
    pub(super) fn act(&self, table: &Table<'_>, method: &Method, items: &[Option<PathItem>]) -> Option<Act> {
        let kind = table.required("kind");
        let named = table.take("resource").and_then(|value| self.resource_named(&value));
        let last = items.last().copied().flatten().map(|item| item.resource);
        let unfit = |value: &Value<'_>, what: &str| {
            value.problems().add(value.problem(format!("{method} on {what}")).help("see the kinds: collection, item, action, sse, upload"));
        };
        let need = |resource: Option<usize>| {
            if resource.is_none() && !items.iter().any(Option::is_none) && !table.has("resource") {
                table
                    .problems()
                    .add(Problem::at(table.place(), "`resource` is missing").help("say which [server.resource] this route is about"));
            }
            resource
        };
        let kind = kind?;
        match kind.one_of(&KINDS)? {
            RouteKind::Collection => match *method {
                Method::GET => need(named).map(Act::List),
                Method::POST => need(named).map(Act::Create),
                _ => {
                    unfit(&kind, "a collection has no meaning: GET lists, POST creates");
                    None
                }
            },
            RouteKind::Item => match *method {
                Method::GET => need(named.or(last)).map(Act::Read),
                Method::PATCH | Method::PUT | Method::POST => need(named.or(last)).map(Act::Update),
                Method::DELETE => need(named.or(last)).map(Act::Delete),
                _ => {
                    unfit(&kind, "an item has no meaning: GET reads, PATCH, PUT and POST change, DELETE deletes");
                    None
                }
            },
            RouteKind::Action => Some(Act::Answer { removes: self.removes(table) }),
            RouteKind::Sse => self.stream(table).map(Act::Stream),
            RouteKind::Upload => {
                let types = table.list("types").iter().filter_map(|value| value.string()).map(|name| name.to_ascii_lowercase()).collect();
                let max_size = table.parsed("max_size").unwrap_or(Size(10_000_000));
                let stores = table.take("stores").and_then(|value| self.json_shape(&value));
                Some(Act::Upload(Upload { resource: need(named)?, types, max_size, stores }))
            }
        }
    }

    /// `removes = { conversation = "body.ids" }`
    fn removes(&self, table: &Table<'_>) -> Option<(usize, Lookup)> {
        let entries = table.table("removes")?.entries();
        let (name, value) = entries.first()?;
        let resource = self.names.iter().position(|known| known == name);
        let Some(resource) = resource else {
            let problem = Problem::at(value.key_place(), format!("there is no [server.resource.{name}]"));
            value.problems().add(problem.did_you_mean(name, self.names.iter().map(String::as_str)));
            return None;
        };
        let text = value.string()?;
        Some((resource, self.lookup(&text, &value.place())?))
    }

    fn stream(&self, table: &Table<'_>) -> Option<Stream> {
        let stream = table.required("stream").and_then(|value| value.table())?;
        let when = stream.take("when").and_then(|value| self.lookup(&value.string()?, &value.place()));
        let frame = stream.required("frame").and_then(|value| self.json_shape(&value));
        let last = stream.take("last").and_then(|value| self.json_shape(&value));
        let (done, gap) = (stream.string("done"), stream.take("gap").and_then(|value| spread::lower(&value)));
        stream.finish();
        Some(Stream { when, frame: frame?, last, done, gap })
    }
}
