//! `[target]`: where requests go, and the fence around it.

use std::net::IpAddr;
use std::path::Path;

use http::{HeaderName, Method};
use url::Url;

use super::probe::Implied;
use super::template::Scope;
use super::{LoadOptions, contract, scenario};
use crate::contract::server::STRICT;
use crate::plan::file::{Table, Value, View};
use crate::plan::problem::{Place, Problem, Problems};
use crate::plan::source::read_bounded;
use crate::plan::{
    Connections, Embedded, Escape, HttpVersion, Limits, Place as At, Target, Template, Timeouts, TlsSettings, TransportKind,
};
use crate::units::{Micros, Ratio};

/// Certificates and keys larger than this are not read.
const LARGEST_PEM: usize = 1024 * 1024;

/// The target with what later checks need of it.
pub struct Lowered {
    /// The target; `None` where it has problems.
    pub target: Option<Target>,
    /// Whether it is on this machine, as far as can be told.
    local: bool,
    /// `writes = true`: its author consents to requests that write.
    writes: bool,
    /// Where the target is named.
    place: Place,
}

impl Lowered {
    /// What the target consents to by being where it is: on this machine it may be written to, and an embedded one is
    /// ours alone.
    pub fn implied(&self) -> Implied {
        let embedded = matches!(&self.target, Some(Target { place: At::Embedded(_), .. }));
        Implied { writes: self.local, floods: embedded }
    }
}

/// Reads `[target]`; `None` where it is missing.
pub fn lower(table: Option<Table<'_>>, scope: &Scope<'_>, folder: &Path, options: &LoadOptions<'_>, root: &Table<'_>) -> Option<Lowered> {
    if root.has("writes")
        && let Some(value) = root.take("writes")
    {
        root.problems().add(Problem::at(value.key_place(), "`writes` belongs in [target]").help("move it under `[target]`"));
    }
    let Some(table) = table else {
        let problem = Problem::at(root.place(), "`[target]` is missing");
        root.problems().add(problem.help("say where to send: `[target]` with `url = \"…\"` or `embedded = \"strict\"`"));
        return None;
    };
    let allow_hosts = table.list("allow_hosts").iter().filter_map(host_pattern).collect::<Vec<String>>();
    let (place, loopback) = site(&table, options, &allow_hosts);
    let versions = [("1.1", HttpVersion::Http1), ("2", HttpVersion::Http2), ("auto", HttpVersion::Auto)];
    let http = table.one_of("http", &versions).unwrap_or(HttpVersion::Http1);
    let transports = [("direct", TransportKind::Direct), ("reqwest", TransportKind::Reqwest)];
    let transport = table.one_of("transport", &transports).unwrap_or(TransportKind::Direct);
    let connections = connections(table.table("connections"));
    let timeouts = timeouts(table.table("timeouts"));
    let headers = headers(table.table("headers"), scope);
    let tls = tls(table.table("tls"), folder);
    let connect_to = table.take("connect_to").and_then(|value| connect_to(&value, &allow_hosts));
    let writes = table.boolean("writes").unwrap_or(false);
    table.not_yet("unix");
    table.not_yet("via");
    let place_of_table = table.place();
    table.finish();
    let local = loopback && connect_to.as_deref().is_none_or(to_loopback);
    let target = place.zip(headers).map(|(place, headers)| Target {
        place,
        allow_hosts,
        http,
        transport,
        connections,
        timeouts,
        headers,
        tls,
        writes: writes || local,
        connect_to,
    });
    Some(Lowered { target, local, writes, place: place_of_table })
}

/// A plan whose steps may change something needs its author's consent, unless the target is here on this machine.
pub fn consent(lowered: &Lowered, scenarios: &[scenario::Lowered], root: &Table<'_>) {
    if lowered.local || lowered.writes {
        return;
    }
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS];
    let writing = scenarios.iter().flat_map(|scenario| &scenario.requests).find(|(method, _)| !reads.contains(method));
    if let Some((method, place)) = writing {
        let problem = Problem::at(place.clone(), format!("this step sends {method} to a target that is not on this machine"));
        let problem = problem.also(lowered.place.clone(), "this target");
        root.problems().add(problem.help("if it may be written to, say so: `writes = true` in [target]"));
    }
}

/// The embedded target serves the plan's contract, so there must be one with a `[server]` part, and the preset in it.
pub fn served(lowered: &Lowered, contract: &contract::Lowered, root: &Table<'_>) {
    let Some(Target { place: At::Embedded(embedded), .. }) = &lowered.target else { return };
    let at_target = |what: &str| Problem::at(lowered.place.clone(), what);
    let problem = match contract {
        contract::Lowered::Broken => return,
        contract::Lowered::Absent => at_target("the embedded target serves the plan's contract, and the plan names none")
            .help("add `[contract]` with `file = \"…\"`"),
        contract::Lowered::Sound(using) => match &using.contract.server {
            None => at_target("the embedded target needs a contract with a `[server]` part")
                .help(format!("`{}` has none; name another contract or a `url`", using.contract.source.file)),
            Some(server) => {
                let presets = server.presets.iter().map(|preset| preset.name.as_str()).chain([STRICT]);
                if presets.clone().any(|preset| preset == embedded.preset) {
                    return;
                }
                at_target(&format!("the contract's server has no preset `{}`", embedded.preset)).did_you_mean(&embedded.preset, presets)
            }
        },
    };
    root.problems().add(problem);
}

/// Whether a host name or address means this machine.
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn to_loopback(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(host, _)| is_loopback(host))
}

/// The place, and whether it is on this machine: known for a host that is not allowed, too.
fn site(table: &Table<'_>, options: &LoadOptions<'_>, allow_hosts: &[String]) -> (Option<At>, bool) {
    let (url, embedded) = (table.take("url"), table.take("embedded"));
    let host_is_here = |text: &str| Url::parse(text).ok().is_none_or(|url| url.host_str().is_none_or(is_loopback));
    let named = match (&url, &embedded) {
        // With `--target`, the URL is not used, and its variables need no value.
        (Some(_), None) if options.target_override.is_some() => (None, true),
        (Some(url), None) => match url.string() {
            Some(text) => {
                let refuse = |problem: Problem| table.problems().add(Problem { place: Some(url.place()), ..problem });
                (site_url(&text, allow_hosts).map_err(refuse).ok(), host_is_here(&text))
            }
            None => (None, true),
        },
        (None, Some(embedded)) => (embedded_target(embedded).map(At::Embedded), true),
        _ => {
            let problem = Problem::at(table.place(), "[target] needs exactly one of `url` and `embedded`");
            table.problems().add(problem.help("url = \"https://…\" for a server of yours, embedded = \"strict\" for the built-in one"));
            (None, true)
        }
    };
    match &options.target_override {
        None => named,
        Some(text) => {
            let refuse = |problem: Problem| {
                table.problems().add(Problem { what: format!("`--target {text}`: {}", problem.what), ..problem });
            };
            (site_url(text, allow_hosts).map_err(refuse).ok(), host_is_here(text))
        }
    }
}

fn site_url(text: &str, allow_hosts: &[String]) -> Result<At, Problem> {
    let example = "a target is `http://HOST:PORT` or `https://HOST`, with a path prefix if all requests share one";
    let refuse = |what: String| Err(Problem::nowhere(what).help(example));
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return refuse(format!("`{text}` is not a URL: {error}")),
    };
    let Some(host) = url.host_str() else { return refuse(format!("`{text}` has no host")) };
    if !matches!(url.scheme(), "http" | "https") {
        return refuse(format!("`{}` is not http or https", url.scheme()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("a target has no `?…` or `#…`; these belong to the steps".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Problem::nowhere("a target has no user and password in it").help("send them in `headers`, from a secret variable"));
    }
    allowed(host, allow_hosts)?;
    Ok(At::Url(url))
}

/// Whether a host in small letters is one of these, or below a `*.` of these.
pub fn fits(host: &str, allow_hosts: &[String]) -> bool {
    allow_hosts.iter().any(|pattern| match pattern.strip_prefix("*.") {
        Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => *pattern == host,
    })
}

/// Nothing is sent to a host that the plan does not allow.
fn allowed(host: &str, allow_hosts: &[String]) -> Result<(), Problem> {
    let host = host.to_ascii_lowercase();
    if is_loopback(&host) || fits(&host, allow_hosts) {
        return Ok(());
    }
    let problem = Problem::nowhere(format!("the host `{host}` is outside `allow_hosts`; nothing may be sent to it"));
    let more: Vec<String> = allow_hosts.iter().map(|host| format!("\"{host}\", ")).collect();
    Err(problem.help(format!("if it is yours to load, allow it: allow_hosts = [{}\"{host}\"]", more.concat())))
}

fn host_pattern(value: &Value<'_>) -> Option<String> {
    let pattern = value.string()?.to_ascii_lowercase();
    let rest = pattern.strip_prefix("*.").unwrap_or(&pattern);
    let sound =
        !rest.is_empty() && (rest.parse::<IpAddr>().is_ok() || rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._[]:".contains(c)));
    let port = rest.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':'));
    if !sound || port {
        return value.refuse(
            format!("`{pattern}` is not a host"),
            "a host is written without scheme and port: `api.example.com`, `*.example.com`, `127.0.0.1`",
        );
    }
    // Addresses in version 6 stand in brackets in a URL.
    Some(if rest.contains(':') && !rest.starts_with('[') { format!("[{rest}]") } else { pattern })
}

fn embedded_target(value: &Value<'_>) -> Option<Embedded> {
    match value.view() {
        View::Table(table) => {
            let preset = table.required("preset").and_then(|value| value.string());
            let limits = table.take("limits").and_then(|value| limits(&value)).unwrap_or(Limits::Off);
            table.finish();
            Some(Embedded { preset: preset?, limits })
        }
        _ => value.string().map(|preset| Embedded { preset, limits: Limits::Off }),
    }
}

fn limits(value: &Value<'_>) -> Option<Limits> {
    match value.string()?.parse() {
        Ok(limits) => Some(limits),
        Err(why) => value.refuse::<Limits>(why, "write \"off\", \"documented\" or a factor such as \"x100\""),
    }
}

fn connections(table: Option<Table<'_>>) -> Connections {
    let mut connections = Connections { max: 256, keep_alive: true, idle_timeout: Micros::from_secs(30) };
    let Some(table) = table else { return connections };
    connections.max = table.whole("max", 1..=50_000).unwrap_or(connections.max);
    connections.keep_alive = table.one_of("reuse", &[("keep-alive", true), ("none", false)]).unwrap_or(true);
    connections.idle_timeout = span(&table, "idle_timeout", connections.idle_timeout);
    table.finish();
    connections
}

fn timeouts(table: Option<Table<'_>>) -> Timeouts {
    let mut timeouts = Timeouts { connect: Micros::from_secs(2), first_byte: Micros::from_secs(10), total: Micros::from_secs(30) };
    let Some(table) = table else { return timeouts };
    timeouts.connect = span(&table, "connect", timeouts.connect);
    timeouts.total = span(&table, "total", timeouts.total);
    timeouts.first_byte = span(&table, "first_byte", timeouts.first_byte.min(timeouts.total));
    if timeouts.first_byte > timeouts.total || timeouts.connect > timeouts.total {
        let what = format!("`total` ({}) is shorter than `connect` or `first_byte`, which it includes", timeouts.total);
        table.problems().add(Problem::at(table.place(), what).help("make `total` the longest"));
    }
    table.finish();
    timeouts
}

/// A span that must not be zero, and is at most an hour.
pub fn span(table: &Table<'_>, key: &'static str, default: Micros) -> Micros {
    let Some(value) = table.take(key) else { return default };
    match value.parsed::<Micros>() {
        Some(span) if span == Micros::ZERO || span > Micros::HOUR => {
            value.refuse(format!("`{key}` must be longer than nothing and at most an hour"), "write for example `10s`").unwrap_or(default)
        }
        span => span.unwrap_or(default),
    }
}

/// Headers of requests, templates in their values. `None` after problems.
pub fn headers(table: Option<Table<'_>>, scope: &Scope<'_>) -> Option<Vec<(HeaderName, Template)>> {
    let header = |(name, value): (String, Value<'_>)| {
        let name = header_name(&name, value.key_place(), value.problems());
        let template = scope.compile(&value, Escape::Header);
        let visible = |template: &Template| {
            template.pieces.iter().all(|piece| match piece {
                crate::plan::Piece::Text(text) => http::HeaderValue::from_bytes(text).is_ok(),
                crate::plan::Piece::Fill(..) => true,
            })
        };
        if template.as_ref().is_some_and(|template| !visible(template)) {
            return value.refuse("a header's value has no line breaks or control bytes", "write it on one line");
        }
        Some((name?, template?))
    };
    let all: Vec<_> = table.iter().flat_map(Table::entries).map(header).collect();
    all.into_iter().collect()
}

/// A header that a plan may set.
pub fn header_name(text: &str, place: Place, problems: &Problems) -> Option<HeaderName> {
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        problems.add(Problem::at(place, format!("`{text}` is not the name of a header")).help("write for example `X-Tenant`"));
        return None;
    };
    let ours = ["content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect"];
    if ours.contains(&name.as_str()) || name.as_str().starts_with(crate::wire::OWN_HEADERS) {
        problems.add(Problem::at(place, format!("the header `{text}` is set by brownout itself")).help("remove it"));
        return None;
    }
    Some(name)
}

fn tls(table: Option<Table<'_>>, folder: &Path) -> TlsSettings {
    let Some(table) = table else { return TlsSettings::default() };
    let pem = |key| table.take(key).and_then(|value| pem_file(&value, folder));
    let settings = TlsSettings { ca: pem("ca"), cert: pem("cert"), key: pem("key"), server_name: table.string("server_name") };
    if table.has("cert") != table.has("key") {
        let problem = Problem::at(table.place(), "a client certificate needs both `cert` and `key`");
        table.problems().add(problem.help("cert = \"client.pem\", key = \"client.key\""));
    }
    table.finish();
    settings
}

/// A PEM file that the plan names.
pub fn pem_file(value: &Value<'_>, folder: &Path) -> Option<Vec<u8>> {
    let name = value.string()?;
    match read_bounded(&folder.join(&name), LARGEST_PEM) {
        Ok(bytes) if bytes.windows(11).any(|window| window == b"-----BEGIN ") => Some(bytes),
        Ok(_) => value.refuse(format!("`{name}` is not a PEM file"), "it must have a line `-----BEGIN …-----`"),
        Err(why) => value.refuse(format!("the file `{name}`: {why}"), "files are relative to the plan that names them"),
    }
}

fn connect_to(value: &Value<'_>, allow_hosts: &[String]) -> Option<String> {
    let text = value.string()?;
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok().filter(|&port| port > 0)?)));
    let Some((host, _)) = parts.filter(|(host, _)| !host.is_empty() && !host.contains('/')) else {
        return value.refuse(format!("`{text}` is not HOST:PORT"), "write for example `10.0.0.7:8443`");
    };
    match allowed(host, allow_hosts) {
        Ok(()) => Some(text),
        Err(problem) => {
            value.problems().add(Problem { place: Some(value.place()), ..problem });
            None
        }
    }
}

/// A share, if the key is there.
pub fn share(table: &Table<'_>, key: &'static str, default: Ratio) -> Ratio {
    table.parsed(key).unwrap_or(default)
}
