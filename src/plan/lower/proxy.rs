//! `[proxy]` and `[client]`: the fault proxy as its client sees it, and the client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use http::HeaderName;

use super::target::{pem_file, span};
use crate::fault::Level;
use crate::lineage::Identify;
use crate::plan::file::{Table, Value, View};
use crate::plan::problem::Problem;
use crate::plan::proxy::{ClientProgram, ProxySettings, ProxyTls};
use crate::plan::{HttpVersion, LONGEST, Load, Shape, Stage};
use crate::units::{Micros, Offset};

/// What a plan without scenarios is about.
pub struct Lowered {
    /// `None` where the plan has neither `[proxy]` nor `[client]`.
    pub settings: Option<ProxySettings>,
    pub client: Option<ClientProgram>,
}

/// Reads `[proxy]` and `[client]`.
pub fn lower(proxy: Option<Table<'_>>, client: Option<Table<'_>>, folder: &Path) -> Lowered {
    let mut settings = proxy.map(|table| settings(table, folder));
    let client = client.map(|table| {
        let (client, listen) = program(table);
        let settings = settings.get_or_insert_with(ProxySettings::default);
        match listen {
            Some((value, address)) if settings.listen.is_some_and(|known| known != address) => {
                let problem = value.problem("the client is to connect to one place, and [proxy] listens at another");
                value.problems().add(problem.help("remove one of the two `listen`"));
            }
            Some((_, address)) => settings.listen = Some(address),
            None => {}
        }
        client
    });
    Lowered { settings, client }
}

/// What stands in for `[load]` in a plan whose client is not ours: one stage without arrivals, as long as the session.
pub fn session(client: Option<&ClientProgram>) -> Load {
    let length = client.and_then(|client| client.length).unwrap_or(LONGEST);
    let stage = Stage {
        name: "session".to_owned(),
        judged: true,
        start: Offset::START,
        length,
        shape: Shape::Open(Vec::new()),
        spec: "as the client comes".to_owned(),
    };
    Load {
        process: crate::arrival::Process::Even,
        max_in_flight: 1,
        at_limit: crate::plan::AtLimit::Drop,
        drain: Micros::ZERO,
        stages: vec![stage],
    }
}

fn settings(table: Table<'_>, folder: &Path) -> ProxySettings {
    let usual = ProxySettings::default();
    let exposed = table.boolean("expose").unwrap_or(false);
    let listen = table.take("listen").and_then(|value| address(&value, exposed));
    let versions = [("1.1", HttpVersion::Http1), ("2", HttpVersion::Http2), ("auto", HttpVersion::Auto)];
    let http = table.one_of("http", &versions).unwrap_or(usual.http);
    let tls = table.take("tls").and_then(|value| tls(&value, folder));
    let forward = table.boolean("forward").unwrap_or(false);
    let stealth = table.boolean("stealth").unwrap_or(false);
    let levels = Level::ALL.map(|level| (level.word(), level));
    let repeatable = table.one_of("repeatable", &levels).unwrap_or(usual.repeatable);
    let identify = identify(&table);
    let control = table.take("control").and_then(|value| control(&value));
    let select_by_header = table.boolean("select_by_header").unwrap_or(false);
    if stealth && select_by_header {
        let problem = Problem::at(table.place(), "a proxy that hides what it does takes no orders from requests");
        table.problems().add(problem.help("remove `stealth` or `select_by_header`"));
    }
    table.finish();
    ProxySettings { listen, http, tls, forward, stealth, repeatable, identify, control, select_by_header }
}

/// `127.0.0.1:8400`; elsewhere than on the loopback only with the author's consent.
fn address(value: &Value<'_>, exposed: bool) -> Option<SocketAddr> {
    let text = value.string()?;
    let address = match text.parse::<SocketAddr>() {
        Ok(address) => address,
        Err(_) => match text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
            Some(port) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            None => return value.refuse(format!("`{text}` is not ADDRESS:PORT"), "write for example `127.0.0.1:8400`"),
        },
    };
    if !address.ip().is_loopback() && !exposed {
        return value.refuse(
            format!("`{text}` opens a way to the target for whoever can reach this machine"),
            "listen on 127.0.0.1, or say that this is meant: `expose = true` in [proxy]",
        );
    }
    Some(address)
}

fn tls(value: &Value<'_>, folder: &Path) -> Option<ProxyTls> {
    let View::Table(table) = value.view() else {
        return match value.string()?.as_str() {
            "generated" => Some(ProxyTls::Generated),
            text => value.refuse(
                format!("`{text}` is no certificate"),
                "write \"generated\" for an authority of this run's own, or { cert = \"server.pem\", key = \"server.key\" }",
            ),
        };
    };
    let cert = table.required("cert").and_then(|value| pem_file(&value, folder));
    let key = table.required("key").and_then(|value| pem_file(&value, folder));
    table.finish();
    Some(ProxyTls::Given { cert: cert?, key: key? })
}

/// `["header:Idempotency-Key", "fingerprint"]`, and `identify_within`.
fn identify(table: &Table<'_>) -> Identify {
    let usual = Identify { within: span(table, "identify_within", Identify::default().within), ..Identify::default() };
    let Some(value) = table.take("identify") else { return usual };
    let mut identify = Identify { fingerprint: false, ..usual };
    for item in value.list().unwrap_or_default() {
        let Some(text) = item.string() else { continue };
        match text.strip_prefix("header:").map(|name| HeaderName::from_bytes(name.trim().as_bytes())) {
            Some(Ok(name)) => identify.headers.push(name),
            None if text == "fingerprint" => identify.fingerprint = true,
            _ => {
                let what = format!("`{text}` is no way to recognise a request");
                item.refuse::<()>(what, "write \"header:NAME\" for a header that stays the same over retries, or \"fingerprint\"");
            }
        }
    }
    identify
}

/// `true` for a free port, or a loopback address.
fn control(value: &Value<'_>) -> Option<SocketAddr> {
    match value.view() {
        View::Boolean(true) => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)),
        View::Boolean(false) => None,
        _ => {
            let address = address(value, true)?;
            if !address.ip().is_loopback() {
                return value.refuse(
                    "the control API serves this machine alone",
                    "write `true` for any free port, or for example `127.0.0.1:8474`",
                );
            }
            Some(address)
        }
    }
}

/// `[client]`, and where it wants the proxy to listen.
fn program(table: Table<'_>) -> (ClientProgram, Option<(Value<'_>, SocketAddr)>) {
    let command = match table.take("command") {
        Some(value) => command(&value),
        None => Vec::new(),
    };
    let listen = table.take("listen").and_then(|value| {
        let address = address(&value, false)?;
        Some((value, address))
    });
    let length = table.take("for").and_then(|value| match value.parsed::<Micros>()? {
        Micros::ZERO => value.refuse("a session of no length", "write for example `5m`"),
        length if length > LONGEST => value.refuse("a session of more than a week", "write for example `5m`"),
        length => Some(length),
    });
    table.not_yet("expect");
    table.finish();
    (ClientProgram { command, length }, listen)
}

fn command(value: &Value<'_>) -> Vec<String> {
    let words: Vec<String> = value.list().unwrap_or_default().iter().filter_map(Value::string).collect();
    if words.first().is_none_or(String::is_empty) {
        value.refuse::<()>("a command without a program", "write for example [\"python3\", \"app.py\", \"{url}\"]");
    }
    words
}
