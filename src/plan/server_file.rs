//! The `[server]` part of a contract file → [`Server`], or every problem in it.
//!
//! Names become indices and rows of the contract here, so that the server that acts on them never looks one up. The
//! language in short; every key but those marked `!` may be left out:
//!
//! ```toml
//! [server]
//! max_body = "1MiB"                       # JSON bodies; longer is the mistake `too_large`
//! latency  = { lognormal = { median = "4ms", p99 = "25ms" } }   # or { fixed }, { uniform }; none: no wait
//! limit    = 100                          # cost units per window where a route does not say; none: no limit
//! algorithm = "token-bucket"              # or fixed-window, sliding-window: how limits are counted
//! window   = "60s"                        # what they are counted over
//!
//! [server.auth]                           # none: everything is open
//! header = "Authorization"                # the usual one
//! scheme = "Bearer"                       # "" where the header is the token
//! challenge = 'Bearer realm="api"'        # WWW-Authenticate
//! rejection = 'Bearer realm="api", error="invalid_token"'   # the same, to a token that is not good
//! overseer = "admin"                      # a role that may see what others own
//! users = [{ name = "ann", token = "…", roles = ["user"] }]     # name!, token!
//!
//! [server.errors]                         # which documented error a mistake is: malformed!, no_route!, internal!, and
//! malformed = "INVALID_REQUEST"           # unauthorized! with auth, limited! with limits; all words: `Mistake::ALL`
//!
//! [server.headers]                        # on every answer where what they name is known
//! X-RateLimit-Limit = "${limit}"
//!
//! [server.success]                        # bodies of successes; a route's `answer` replaces them
//! item = { data = "${item}" }
//! list = { data = "${items}", next = "${cursor}" }
//!
//! [server.page]                           # size, max, limit and cursor (names of parameters), partial (a status)
//!
//! [server.explain.422]                    # members of the error bodies of one status; a list is repeated for each flaw
//! errors = [{ field = "${field}", message = "${issue}" }]
//!
//! [server.resource.thing]                 # prefix, within, owned, singular, unique, created, updated, also, items, keep,
//! unique = ["title"]                      # quota, errors: see `contract::server::Resource`
//!
//! [[server.route]]
//! request = "POST /things"                # `{thing}` in a path is looked up in the resource of that name
//! kind = "collection"                     # collection: GET lists, POST creates; item: GET, PATCH, DELETE; action; sse; upload
//! resource = "thing"                      # items: the last one of the path, unless said
//! limit = 100                             # and cost = 2 or "per-mib", role, auth = false, latency, max_body, status, text
//! body.title = { type = "string", required = true, min_len = 1, max_len = 200, errors = { length = "TOO_LONG" } }
//! query.sort = { one_of = ["up", "down"] }    # also: min, max, max_text, format, refers = "resource", fields = { … }
//! errors = { duplicate = "TITLE_TAKEN" }  # narrower than the resource's, which are narrower than the server's
//! answer = { id = "${id}", title = "${body.title}" }
//! # sse: stream = { when = "body.stream", frame = { … }, last = { … }, done = "[DONE]", gap = … }, one frame for each word of `text`
//! # upload: types = […], max_size = "10MB", stores = { size = "${size}" };  action: removes = { thing = "body.ids" }
//!
//! [[server.trigger]]                      # the first that applies wins; on state alone it comes before everything else
//! when = { "switch/maintenance.on" = true }   # body.x, query.x, header.x, thing.x (of the path's), thing/id.x
//! on = ["/things**"]                      # and except; none: everywhere
//! error = "UNAVAILABLE"                   # and delay, retry_after, message
//!
//! [server.preset.late-reset]              # `strict` is the server as it is
//! about = "…"
//! changes = [{ header = "X-RateLimit-Reset", shift = 3600, statuses = [429] }]    # or member, part; shift, remove, set…
//! ```

mod act;
mod errors;
mod field;
mod preset;
mod shape;

use std::cell::RefCell;
use std::collections::HashSet;

use http::{HeaderName, HeaderValue, Method};
use serde_json::{Map, Value as Json};

use self::errors::{Declared, Level};
use super::file::{Table, Value, View};
use super::lower::spread;
use super::problem::{Problem, Problems};
use crate::contract::Contract;
use crate::contract::limiter::Algorithm;
use crate::contract::server::{Auth, Counting, Mistake, Page, PathItem, Resource, Route, Server, User};
use crate::contract::server::{Cost, Explain, Shape, Trigger};
use crate::id::RowIx;
use crate::units::{Micros, Size};
use crate::wire::PathPattern;

/// Rate limits are at most this many cost units per window, by default a minute: what is more than a million a second is no limit.
const LARGEST_LIMIT: u32 = 60_000_000;

/// What limits are counted over: from a millisecond, so that levels fit, to a day.
fn window(table: &Table<'_>) -> Option<Micros> {
    let value = table.take("window")?;
    let span: Micros = value.parsed()?;
    match (Micros(1_000)..=Micros::from_secs(86_400)).contains(&span) {
        true => Some(span),
        false => value.refuse(format!("a window of {span} is out of range"), "write a span from 1ms to 24h"),
    }
}

/// Lowers a contract file's `[server]` table. The contract is complete but for its server. `None` where something is wrong.
pub fn lower(table: Table<'_>, contract: &Contract) -> Option<Server> {
    let problems = table.problems();
    let before = problems.errors();
    let names = table.table("resource").map(|resources| resources.entries()).unwrap_or_default();
    let lowering = Lowering {
        contract,
        problems,
        names: names.iter().map(|(name, _)| name.clone()).collect(),
        resource_errors: names.iter().map(|(_, value)| resource_errors(value)).collect(),
        errors: table.table("errors").map(errors::declared).unwrap_or_default(),
        told: RefCell::default(),
    };
    let resources: Vec<Resource> = names.iter().filter_map(|(name, value)| lowering.resource(name, value)).collect();
    let auth = table.table("auth").and_then(|auth| lowering.auth(auth));
    let algorithms = Algorithm::ALL.map(|algorithm| (algorithm.word(), algorithm));
    let counting = Counting {
        algorithm: table.one_of("algorithm", &algorithms).unwrap_or(Algorithm::TokenBucket),
        window: window(&table).unwrap_or(Micros::from_secs(60)),
    };
    let defaults = Defaults { limit: table.whole("limit", 1..=LARGEST_LIMIT), auth: auth.is_some() };
    let routes: Vec<Route> = table.tables("route").into_iter().filter_map(|route| lowering.route(route, &defaults)).collect();
    let success = table.table("success");
    let shape_of =
        |key: &'static str, usual: Shape| success.as_ref().and_then(|s| s.take(key)).and_then(|v| lowering.json_shape(&v)).unwrap_or(usual);
    let (item, list) = (shape_of("item", shape::whole_item()), shape_of("list", shape::whole_list()));
    if let Some(success) = success {
        success.finish();
    }
    let server = Server {
        max_body: table.parsed("max_body").unwrap_or(Size(1024 * 1024)),
        latency: table.take("latency").and_then(|value| spread::lower(&value)),
        headers: lowering.headers(&table),
        item,
        list,
        page: page(&table),
        explain: lowering.explain(&table),
        triggers: table.tables("trigger").into_iter().filter_map(|trigger| lowering.trigger(trigger, &routes)).collect(),
        presets: lowering.presets(&table),
        errors: lowering.errors(&[&lowering.errors], None),
        tells_methods: lowering.errors.has(Mistake::Method),
        auth,
        resources,
        routes,
        limit: defaults.limit,
        counting,
    };
    lowering.demand(&table, &server);
    table.finish();
    (problems.errors() == before).then_some(server)
}

/// What a lowering of one file needs everywhere.
struct Lowering<'a> {
    contract: &'a Contract,
    problems: &'a Problems,
    names: Vec<String>,
    resource_errors: Vec<Declared>,
    errors: Declared,
    /// Places of which a problem with an error's name was told already: one name serves many routes.
    told: RefCell<HashSet<(usize, String)>>,
}

/// What routes have where they do not say.
struct Defaults {
    limit: Option<u32>,
    auth: bool,
}

impl Lowering<'_> {
    fn resource_named(&self, value: &Value<'_>) -> Option<usize> {
        let name = value.string()?;
        let known = self.names.iter().position(|known| *known == name);
        if known.is_none() {
            let problem = value.problem(format!("there is no [server.resource.{name}]"));
            value.problems().add(problem.did_you_mean(&name, self.names.iter().map(String::as_str)));
        }
        known
    }

    fn resource(&self, name: &str, value: &Value<'_>) -> Option<Resource> {
        let table = value.table()?;
        let _ = table.take("errors"); // read before, for the routes
        let items: Vec<_> = table.list("items").iter().filter_map(|item| stored_item(item)).collect();
        let resource = Resource {
            name: name.to_owned(),
            prefix: table.string("prefix").unwrap_or_default(),
            within: table.take("within").and_then(|value| self.resource_named(&value)),
            owned: table.boolean("owned").unwrap_or(false),
            singular: table.boolean("singular").unwrap_or(false),
            unique: table.list("unique").iter().filter_map(Value::string).collect(),
            created: table.string("created"),
            updated: table.string("updated"),
            also: table.take("also").and_then(|value| object(&value)).unwrap_or_default(),
            keep: table.whole("keep", 1..=1_000_000usize).unwrap_or(10_000).max(items.len()),
            items,
            quota: table.parsed("quota"),
        };
        table.finish();
        Some(resource)
    }

    fn auth(&self, table: Table<'_>) -> Option<Auth> {
        let header = table.take("header").map_or(Some(http::header::AUTHORIZATION), |value| header_name(&value));
        let sent = |value: Value<'_>| {
            let text = value.string()?;
            HeaderValue::from_str(&text).ok().or_else(|| value.refuse(format!("`{text}` cannot be a header's value"), "use visible ASCII"))
        };
        let challenge = table.take("challenge").and_then(sent);
        let rejection = table.take("rejection").and_then(sent);
        let mut users: Vec<User> = Vec::new();
        for user in table.tables("users") {
            let name = user.required("name").and_then(|value| value.string());
            let token = user.required("token").and_then(|value| value.string());
            let roles = user.list("roles").iter().filter_map(Value::string).collect();
            user.finish();
            if let (Some(name), Some(token)) = (name, token) {
                users.push(User { name, token, roles });
            }
        }
        let auth = Auth {
            header: header?,
            scheme: table.string("scheme").unwrap_or_else(|| "Bearer".to_owned()),
            challenge,
            rejection,
            users,
            overseer: table.string("overseer"),
        };
        table.finish();
        Some(auth)
    }

    fn route(&self, table: Table<'_>, defaults: &Defaults) -> Option<Route> {
        let request = table.required("request")?;
        let text = request.string()?;
        let (method, path) = request_line(&request, &text)?;
        let service = self.contract.service_of(path.as_str());
        let declared = table.table("errors").map(errors::declared).unwrap_or_default();
        let items = self.path_items(&request, &path, service, &declared);
        let act = self.act(&table, &method, &items);
        let mut levels: Vec<&Declared> = vec![&declared];
        levels.extend(act.as_ref().and_then(act::subject).map(|resource| &self.resource_errors[resource]));
        levels.push(&self.errors);
        let errors = self.errors(&levels, service);
        let level = Level { levels: &levels, service, outer: &errors };
        let limit = table.whole("limit", 1..=LARGEST_LIMIT).or(defaults.limit);
        let route = Route {
            auth: table.boolean("auth").unwrap_or(defaults.auth),
            role: table.string("role"),
            limit,
            cost: table.take("cost").map_or(Some(Cost::Units(1)), |value| cost(&value)).unwrap_or(Cost::Units(1)),
            latency: table.take("latency").and_then(|value| spread::lower(&value)),
            max_body: table.parsed("max_body"),
            body: table.table("body").map(|body| self.fields(&body, &level)).unwrap_or_default(),
            query: table.table("query").map(|query| self.fields(&query, &level)).unwrap_or_default(),
            status: table.whole("status", 200..=299u16).unwrap_or(act.as_ref().map_or(200, act::usual_status)),
            answer: table.take("answer").and_then(|value| self.json_shape(&value)),
            text: table.string("text").unwrap_or_default(),
            request: text,
            method,
            path,
            service,
            items: items.into_iter().flatten().collect(),
            act: act?,
            errors,
        };
        table.finish();
        Some(route)
    }

    /// The items that a path's `{names}` stand for; `None` for a name that is no resource.
    fn path_items(
        &self,
        request: &Value<'_>,
        path: &PathPattern,
        service: Option<crate::id::ServiceIx>,
        declared: &Declared,
    ) -> Vec<Option<PathItem>> {
        let mut items = Vec::new();
        path.captures(path.as_str(), |name, _| {
            let resource = self.names.iter().position(|known| known == name);
            if resource.is_none() {
                let problem = Problem::at(request.place_of(name), format!("`{{{name}}}` is no resource of [server.resource]"));
                request.problems().add(problem.did_you_mean(name, self.names.iter().map(String::as_str)));
            }
            items.push(resource.map(|resource| {
                let errors = self.errors(&[declared, &self.resource_errors[resource], &self.errors], service);
                PathItem { resource, absent: errors.row(Mistake::Absent), forbidden: errors.row(Mistake::Forbidden) }
            }));
        });
        items
    }

    fn headers(&self, table: &Table<'_>) -> Vec<(HeaderName, Shape)> {
        let entries = table.table("headers").map(|headers| headers.entries()).unwrap_or_default();
        entries.iter().filter_map(|(_, value)| Some((header_name_of(value, value.key())?, self.text_shape(value)?))).collect()
    }

    /// `[server.explain.404]`: members of the error bodies of one status.
    fn explain(&self, table: &Table<'_>) -> Vec<Explain> {
        let statuses = table.table("explain").map(|explain| explain.entries()).unwrap_or_default();
        let mut found = Vec::new();
        for (key, value) in &statuses {
            let Some(status) = key.parse().ok().filter(|status| (400..=599).contains(status)) else {
                let problem = Problem::at(value.key_place(), format!("`{key}` is no status of an error"));
                value.problems().add(problem.help("write for example [server.explain.404]"));
                continue;
            };
            let members = value.table().map(|members| members.entries()).unwrap_or_default();
            found.extend(members.into_iter().filter_map(|(name, value)| self.explain_one(status, name, &value)));
        }
        found
    }

    fn explain_one(&self, status: u16, name: String, value: &Value<'_>) -> Option<Explain> {
        match value.view() {
            View::List(items) => match items.as_slice() {
                [one] => Some(Explain { status, name, shape: self.json_shape(one)?, each: true }),
                _ => {
                    value.refuse(format!("`{name}` is a list of {}", items.len()), "write one; it is repeated for each thing that is wrong")
                }
            },
            _ => Some(Explain { status, name, shape: self.json_shape(value)?, each: false }),
        }
    }

    fn trigger(&self, table: Table<'_>, routes: &[Route]) -> Option<Trigger> {
        let when = table.required("when").and_then(|value| value.table()).map(|when| when.entries()).unwrap_or_default();
        let when: Vec<_> = when.iter().filter_map(|(key, value)| Some((self.lookup(key, &value.key_place())?, json(value)))).collect();
        let error = table.required("error").and_then(|value| Some((value.string()?, value.place())));
        let (on, except) = (patterns(&table, "on"), patterns(&table, "except"));
        let applies = |path: &str| (on.is_empty() || on.iter().any(|p| p.matches(path))) && !except.iter().any(|p| p.matches(path));
        let row = |service| error.as_ref().and_then(|(name, place)| self.row(name, place, service));
        let early = when.iter().all(|(lookup, _)| act::is_state(lookup));
        let rows: Vec<Option<RowIx>> =
            routes.iter().map(|route| applies(route.path.as_str()).then(|| row(route.service)).flatten()).collect();
        if !early && rows.iter().all(Option::is_none) && error.is_some() {
            table.problems().add(Problem::at(table.place(), "this trigger applies to no route").help("see its `on` and `except`"));
        }
        let trigger = Trigger {
            elsewhere: if early && on.is_empty() { row(None) } else { None },
            early,
            rows,
            when,
            delay: table.take("delay").and_then(|value| spread::lower(&value)),
            retry_after_s: table.parsed::<Micros>("retry_after").map(|span| span.0.div_ceil(1_000_000)),
            message: table.string("message"),
        };
        table.finish();
        Some(trigger)
    }

    /// What must be declared for the server to have an answer to everything.
    fn demand(&self, table: &Table<'_>, server: &Server) {
        let limited = server.limit.is_some() || server.routes.iter().any(|route| route.limit.is_some());
        for (word, mistake, needed) in [
            ("malformed", Mistake::Malformed, true),
            ("no_route", Mistake::NoRoute, true),
            ("internal", Mistake::Internal, true),
            ("unauthorized", Mistake::Unauthorized, server.auth.is_some()),
            ("limited", Mistake::Limited, limited),
        ] {
            if needed && !self.errors.has(mistake) {
                let problem = Problem::at(table.place(), format!("`{word}` is missing in [server.errors]"));
                table.problems().add(problem.help(format!("say which documented error it is: {word} = \"…\"")));
            }
        }
    }
}

fn resource_errors(value: &Value<'_>) -> Declared {
    let View::Table(table) = value.view() else { return Declared::default() };
    table.table("errors").map(errors::declared).unwrap_or_default()
}

fn request_line(value: &Value<'_>, text: &str) -> Option<(Method, PathPattern)> {
    let help = "write for example `GET /v1/things/{thing}`";
    let Some((method, path)) = text.split_once(' ') else { return value.refuse(format!("`{text}` is no method and path"), help) };
    let Ok(method) = method.parse::<Method>() else { return value.refuse(format!("`{method}` is no method"), help) };
    match PathPattern::new(path.trim()) {
        Ok(_) if path.contains('*') => value.refuse(format!("`{path}` has a wildcard"), "a route's path has `{names}` of resources only"),
        Ok(pattern) => Some((method, pattern)),
        Err(said) => value.refuse(said, help),
    }
}

fn patterns(table: &Table<'_>, key: &'static str) -> Vec<PathPattern> {
    let read = |value: &Value<'_>| {
        let text = value.string()?;
        PathPattern::new(&text).map_or_else(|said| value.refuse(said, "write for example `/v1/things/**`"), Some)
    };
    table.list(key).iter().filter_map(read).collect()
}

fn cost(value: &Value<'_>) -> Option<Cost> {
    match value.view() {
        View::String("per-mib") => Some(Cost::PerMebibyte),
        View::Integer(_) => value.whole(1..=1_000_000u32).map(Cost::Units),
        _ => value.refuse("a cost is a whole number or \"per-mib\"", "for example `cost = 2`"),
    }
}

fn page(table: &Table<'_>) -> Page {
    let usual = Page { size: 20, max: 100, limit: "limit".to_owned(), cursor: "cursor".to_owned(), partial: 200 };
    let Some(table) = table.table("page") else { return usual };
    let page = Page {
        size: table.whole("size", 1..=1_000usize).unwrap_or(usual.size),
        max: table.whole("max", 1..=1_000usize).unwrap_or(usual.max),
        limit: table.string("limit").unwrap_or(usual.limit),
        cursor: table.string("cursor").unwrap_or(usual.cursor),
        partial: table.whole("partial", 200..=299u16).unwrap_or(usual.partial),
    };
    table.finish();
    page
}

fn header_name(value: &Value<'_>) -> Option<HeaderName> {
    header_name_of(value, &value.string()?)
}

fn header_name_of(value: &Value<'_>, text: &str) -> Option<HeaderName> {
    text.parse().map_or_else(|_| value.refuse(format!("`{text}` cannot be the name of a header"), "for example X-Request-Id"), Some)
}

fn stored_item(value: &Value<'_>) -> Option<Map<String, Json>> {
    let item = object(value)?;
    match item.get("id") {
        Some(Json::String(_)) => Some(item),
        _ => value.refuse("an item needs an `id`, a string", "for example { id = \"first\" }"),
    }
}

fn object(value: &Value<'_>) -> Option<Map<String, Json>> {
    value.table()?;
    match json(value) {
        Json::Object(members) => Some(members),
        _ => None,
    }
}

/// A TOML value as JSON, texts as they are.
fn json(value: &Value<'_>) -> Json {
    match value.view() {
        View::String(text) => Json::from(text),
        View::Integer(whole) => i64::try_from(whole).map_or(Json::from(whole as f64), Json::from),
        View::Float(number) => Json::from(number),
        View::Boolean(truth) => Json::from(truth),
        View::Datetime(date) => Json::from(date),
        View::List(items) => items.iter().map(json).collect(),
        View::Table(table) => table.entries().iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}
