//! The control API of a session: what it is doing, and other rules while it goes on. On the loopback, off by default.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /state` | the clock, the stage, counters, rules |
//! | `GET /rules` | the rules alone |
//! | `POST /rules` | adds a rule: a `[[fault]]` table of a plan, as TOML or JSON; it comes last |
//! | `DELETE /rules/NAME` | ends a rule for good |
//! | `POST /rules/NAME/enable`, `…/disable` | |
//! | `POST /reset` | counters shown here begin at zero again; the report's do not |
//! | `POST /stages/NAME` | the session goes on at the beginning of this stage |
//! | `GET /exchanges/ID` | the attempts of an exchange, of those that ended last |
//!
//! Every request needs the token that is printed at the start, as `x-brownout-token`: a web page cannot send it without
//! being allowed to first, and it never is. What names another host than this one, or comes from a page, is refused.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::attempt::Proxy;
use crate::fault::{Effect, Fault, FaultRule, Window};
use crate::id::RuleIx;
use crate::units::{Micros, Offset};

/// A rule is no longer than this.
const LARGEST: usize = 64 * 1024;
/// Requests to this API take no longer.
const PATIENCE: Micros = Micros::from_secs(10);
/// Rules at most, those of the plan included.
const MOST_RULES: usize = 1_000;
/// The header that carries the token.
pub const TOKEN_HEADER: &str = "x-brownout-token";

/// The control API as it is to be.
pub struct ApiSettings {
    /// On the loopback.
    pub listener: std::net::TcpListener,
    pub token: String,
    pub rules: Arc<dyn NewRules>,
}

/// Where rules come from while a session goes on.
pub trait NewRules: Send + Sync {
    /// Reads a rule.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn read(&self, text: &str) -> Result<FaultRule, String>;
}

/// The API at work.
pub(super) struct Api {
    token: String,
    addr: SocketAddr,
    new: Arc<dyn NewRules>,
    /// What was counted of each rule when counters were reset: eligible, planned, fired.
    since: std::cell::RefCell<Vec<[u64; 3]>>,
    /// Rules that are switched off, with the windows they had; `None` for those ended for good.
    off: std::cell::RefCell<Vec<(RuleIx, Option<Vec<Window>>)>>,
}

/// Serves the API for as long as it is polled.
pub(super) async fn serve(proxy: &Rc<Proxy>, settings: Option<ApiSettings>) {
    let Some(ApiSettings { listener, token, rules }) = settings else { return std::future::pending().await };
    let addr = listener.local_addr();
    let listener = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
    // It was bound before: what could be wrong with it has been said.
    let (Ok(listener), Ok(addr)) = (listener, addr) else { return std::future::pending().await };
    let api = Rc::new(Api { token, addr, new: rules, since: Default::default(), off: Default::default() });
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            proxy.timer.sleep(Micros::from_millis(10)).await;
            continue;
        };
        let (api, proxy) = (Rc::clone(&api), Rc::downgrade(proxy));
        let Some(timer) = proxy.upgrade().map(|proxy| proxy.timer.clone()) else { return };
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| {
                let (api, proxy) = (Rc::clone(&api), proxy.upgrade());
                async move {
                    let answer = match proxy {
                        Some(proxy) => api.answer(&proxy, request).await,
                        None => Err(refusal(StatusCode::SERVICE_UNAVAILABLE, "the session is over")),
                    };
                    Ok::<_, std::convert::Infallible>(answer.unwrap_or_else(Answer::from))
                }
            });
            let deadline = timer.clock().now() + PATIENCE;
            let connection = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
            // Whether the client was still there at the end is its own business.
            let _ = timer.within(deadline, connection).await;
        });
    }
}

type Answer = Response<Full<Bytes>>;

fn answer(status: StatusCode, value: &Value) -> Answer {
    let mut response = Response::new(Full::from(format!("{value:#}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

/// Why something is not done.
struct Refused {
    status: StatusCode,
    why: String,
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Answer {
        answer(refused.status, &json!({ "error": refused.why }))
    }
}

fn refusal(status: StatusCode, why: &str) -> Refused {
    Refused { status, why: why.to_owned() }
}

impl Api {
    async fn answer(&self, proxy: &Rc<Proxy>, request: Request<Incoming>) -> Result<Answer, Refused> {
        self.admits(request.headers())?;
        let (head, body) = request.into_parts();
        let path = decoded(head.uri.path());
        let parts: Vec<&str> = path.split('/').skip(1).filter(|part| !part.is_empty()).collect();
        let done = |value: Value| Ok(answer(StatusCode::OK, &value));
        match (head.method.clone(), &parts[..]) {
            (Method::GET, ["state"]) => done(self.state(proxy)),
            (Method::GET, ["rules"]) => done(self.rules(proxy)),
            (Method::POST, ["rules"]) => {
                let body = Limited::new(body, LARGEST).collect().await;
                let body = body.map_err(|_| refusal(StatusCode::PAYLOAD_TOO_LARGE, "a rule is at most 64 KiB of text"))?.to_bytes();
                let text = std::str::from_utf8(&body).map_err(|_| refusal(StatusCode::BAD_REQUEST, "this is not UTF-8"))?;
                self.add(proxy, text)
            }
            (Method::DELETE, ["rules", name]) => self.switch(proxy, name, Switch::End),
            (Method::POST, ["rules", name, "enable"]) => self.switch(proxy, name, Switch::On),
            (Method::POST, ["rules", name, "disable"]) => self.switch(proxy, name, Switch::Off),
            (Method::POST, ["reset"]) => {
                *self.since.borrow_mut() = counted(proxy);
                done(self.state(proxy))
            }
            (Method::POST, ["stages", name]) => {
                match proxy.session.as_ref().is_some_and(|session| session.jump(name, proxy.timer.clock().now())) {
                    true => done(self.state(proxy)),
                    false => Err(refusal(StatusCode::NOT_FOUND, &format!("there is no stage `{name}`"))),
                }
            }
            (Method::GET, ["exchanges", id]) => {
                let seen = id.parse().ok().zip(proxy.session.as_ref()).and_then(|(id, session)| session.exchange(id));
                let seen = seen.ok_or_else(|| refusal(StatusCode::NOT_FOUND, "no attempt of this exchange is among those kept"))?;
                done(seen)
            }
            (Method::GET | Method::POST | Method::DELETE, _) => {
                Err(refusal(StatusCode::NOT_FOUND, "there is nothing here; see `GET /state`"))
            }
            _ => Err(refusal(StatusCode::METHOD_NOT_ALLOWED, "GET, POST or DELETE")),
        }
    }

    /// Whether the request comes from somebody who has read the token, and not from a web page.
    fn admits(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text("host").unwrap_or_default();
        let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
        if !matches!(name, "127.0.0.1" | "localhost" | "[::1]") || port.parse() != Ok(self.addr.port()) {
            return Err(refusal(StatusCode::MISDIRECTED_REQUEST, "this is not the host that was asked for"));
        }
        if headers.contains_key(header::ORIGIN) || text("sec-fetch-site").is_some_and(|site| site != "none") {
            return Err(refusal(StatusCode::FORBIDDEN, "web pages have no business here"));
        }
        match text(TOKEN_HEADER) {
            Some(token) if token == self.token => Ok(()),
            _ => Err(refusal(StatusCode::UNAUTHORIZED, "the token that was printed at the start goes into x-brownout-token")),
        }
    }

    fn add(&self, proxy: &Rc<Proxy>, text: &str) -> Result<Answer, Refused> {
        let rule = self.new.read(text).map_err(|why| refusal(StatusCode::UNPROCESSABLE_ENTITY, &why))?;
        if self.find(proxy, &rule.name).is_some() {
            return Err(refusal(StatusCode::CONFLICT, &format!("there is a rule `{}` already", rule.name)));
        }
        if proxy.rules().rules.len() >= MOST_RULES {
            return Err(refusal(StatusCode::CONFLICT, "there are a thousand rules already"));
        }
        if let Effect::Fault(fault @ (Fault::Refuse | Fault::TlsFailure)) = &rule.effect {
            let why = format!("`{}` strikes connections and not requests: such a rule belongs in the plan", fault.kind());
            return Err(refusal(StatusCode::UNPROCESSABLE_ENTITY, &why));
        }
        proxy.counters.borrow_mut().added(&rule);
        if let Some(session) = &proxy.session {
            session.rule_added(&rule);
        }
        proxy.change_rules(|rules| rules.push(rule));
        Ok(answer(StatusCode::CREATED, &self.rules(proxy)))
    }

    fn switch(&self, proxy: &Rc<Proxy>, name: &str, how: Switch) -> Result<Answer, Refused> {
        let ix = self.find(proxy, name).ok_or_else(|| refusal(StatusCode::NOT_FOUND, &format!("there is no rule `{name}`")))?;
        let mut off = self.off.borrow_mut();
        let known = off.iter().position(|(rule, _)| *rule == ix);
        proxy.change_rules(|rules| {
            let windows = &mut rules[ix.at()].windows;
            match (how, known) {
                (Switch::On, Some(at)) => *windows = off.swap_remove(at).1.unwrap_or_default(),
                (Switch::Off, None) => off.push((ix, Some(std::mem::take(windows)))),
                (Switch::End, None) => {
                    windows.clear();
                    off.push((ix, None));
                }
                (Switch::End, Some(at)) => off[at].1 = None,
                (Switch::On, None) | (Switch::Off, Some(_)) => {}
            }
        });
        drop(off);
        Ok(answer(StatusCode::OK, &self.rules(proxy)))
    }

    /// The rule of this name that has not been ended.
    fn find(&self, proxy: &Proxy, name: &str) -> Option<RuleIx> {
        let off = self.off.borrow();
        let ended = |ix: RuleIx| off.iter().any(|(rule, windows)| *rule == ix && windows.is_none());
        let rules = proxy.rules();
        let found = rules.rules.iter().enumerate().map(|(index, rule)| (RuleIx::from(index), rule));
        found.filter(|(ix, rule)| rule.name == name && !ended(*ix)).map(|(ix, _)| ix).next()
    }

    fn state(&self, proxy: &Proxy) -> Value {
        let now = proxy.timer.clock().now();
        let session = proxy.session.as_ref().map(|session| session.state(now)).unwrap_or_default();
        json!({ "at_ms": now.since(Offset::START).as_millis(), "session": session, "rules": self.rules(proxy) })
    }

    fn rules(&self, proxy: &Proxy) -> Value {
        let (since, off) = (self.since.borrow(), self.off.borrow());
        let rules = proxy.rules();
        let shown = rules.rules.iter().enumerate().zip(counted(proxy)).filter_map(|((index, rule), counts)| {
            let state = off.iter().find(|(ix, _)| ix.at() == index);
            if matches!(state, Some((_, None))) {
                return None;
            }
            let before = since.get(index).copied().unwrap_or_default();
            let [eligible, planned, fired] = [0, 1, 2].map(|of| counts[of].saturating_sub(before[of]));
            Some(json!({
                "name": rule.name, "spec": rule.spec, "enabled": state.is_none(),
                "eligible": eligible, "planned": planned, "fired": fired,
            }))
        });
        shown.collect()
    }
}

#[derive(Clone, Copy)]
enum Switch {
    On,
    Off,
    End,
}

/// What was counted of each rule so far: eligible, planned, fired.
fn counted(proxy: &Proxy) -> Vec<[u64; 3]> {
    let (rules, counters) = (proxy.rules(), proxy.counters.borrow());
    rules.rules.iter().enumerate().map(|(index, rule)| counters.of(RuleIx::from(index), rule)).collect()
}

/// A path with `%20` and the like replaced.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = |byte: u8| (byte as char).to_digit(16);
        match (first, after) {
            (b'%', [a, b, after @ ..]) if hex(*a).is_some() && hex(*b).is_some() => {
                bytes.push((hex(*a).unwrap_or(0) * 16 + hex(*b).unwrap_or(0)) as u8);
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_and_umlauts_are_read_from_a_path() {
        assert_eq!(decoded("/rules/slow%20answers/enable"), "/rules/slow answers/enable");
        assert_eq!(decoded("/r%C3%BCcken/100%/%zz"), "/rücken/100%/%zz");
    }
}
