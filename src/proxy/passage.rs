//! The way of one request from a client to where it goes: opened, taken, and what comes of it besides an answer.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, UPGRADE};
use http::{Method, Request, Response, StatusCode, Version, request, response};

use super::attempt::Proxy;
use super::control::{Control, Ended, Ending, Next};
use super::forward;
use super::relay::AnswerBody;
use super::routes::{NoRoute, Origin};
use super::upload::Upload;
use super::upstream::{Lease, Reply, Upstream};
use crate::wire::Failure;

/// The way of one request.
pub(super) struct Passage {
    upstream: Rc<Upstream>,
    /// The protocols that the client would change to.
    upgrade: Option<HeaderValue>,
}

/// Why a request is not passed on, or has no answer.
pub(super) enum Astray {
    /// The client is told so by the proxy itself.
    Answered(Box<Response<AnswerBody>>),
    /// There is nothing to be said: the connection ends.
    Ended(Ended),
    /// It failed between the proxy and the target.
    Failed(Failure),
}

impl Astray {
    fn answered(response: Response<AnswerBody>) -> Astray {
        Astray::Answered(Box::new(response))
    }
}

impl Passage {
    /// Finds where a request goes, and makes its head what is sent there.
    pub(super) async fn open(proxy: &Proxy, control: &Control, head: &mut request::Parts) -> Result<Passage, Astray> {
        if head.method == Method::CONNECT {
            return Err(connect(proxy, control, head));
        }
        let upstream = proxy.routes.of(head, control.origin()).await.map_err(|reason| match reason {
            NoRoute::Forbidden => Astray::answered(said(StatusCode::FORBIDDEN, "this host is not among those that the plan allows\n")),
            NoRoute::Failed(failure) => Astray::Failed(failure),
        })?;
        let reverse = control.origin().is_none() && (head.version == Version::HTTP_2 || head.uri.authority().is_none());
        let upgrade = forward::onward(head);
        // A client that asks the proxy names the proxy; the target may have many names, and must hear its own.
        if let Some(host) = proxy.settings.host.as_ref().filter(|_| reverse || proxy.routes.forward().is_none()) {
            head.headers.insert(HOST, host.clone());
        }
        Ok(Passage { upstream, upgrade })
    }

    /// Sends the request and waits for the head of its answer.
    pub(super) async fn send(&self, control: &Control, request: Request<Upload>) -> Result<Reply, Astray> {
        match Rc::clone(&self.upstream).send(request).await {
            Ok(reply) if reply.response.status() == StatusCode::SWITCHING_PROTOCOLS && self.upgrade.is_none() => {
                Err(Astray::Failed(Failure::BadProtocol))
            }
            Ok(reply) => Ok(reply),
            // The body that the target waited for was none.
            Err(_) if control.has_refused() => Err(Astray::answered(closing(said(StatusCode::BAD_REQUEST, "")))),
            // It is the client that failed, and not the target.
            Err(_) if control.has_stalled() => Err(Astray::Ended(control.end(Ending::Reset))),
            Err(failure) => Err(Astray::Failed(failure)),
        }
    }

    /// The target agrees to change the protocol: from here on bytes pass.
    pub(super) fn switch(control: &Control, mut head: response::Parts, lease: Lease) -> Result<Response<AnswerBody>, Ended> {
        let protocol = head.headers.get(UPGRADE).cloned();
        forward::strip(&mut head.headers);
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(protocol) = protocol {
            head.headers.insert(UPGRADE, protocol);
        }
        // A client that has not waited for the answer has had its bytes read as HTTP.
        let Some(far_end) = lease.into_tunnel().filter(|_| !control.has_refused()) else { return Err(control.end(Ending::Cut)) };
        control.follow(Next::Tunnel(far_end));
        control.answered();
        Ok(Response::from_parts(head, AnswerBody::Made(Bytes::new())))
    }
}

/// What becomes of a request whose body came to no end: it is refused where it is no body, and else its client is gone.
pub(super) fn without_body(control: &Control) -> Result<Response<AnswerBody>, Ended> {
    if control.has_refused() {
        control.answered();
        return Ok(closing(said(StatusCode::BAD_REQUEST, "")));
    }
    Err(control.end(Ending::Cut))
}

/// A tunnel is made to hosts that may be named, and ends in the proxy, so that rules apply inside it.
fn connect(proxy: &Proxy, control: &Control, head: &request::Parts) -> Astray {
    // A reverse proxy has no answer to that, and an HTTP/2 stream cannot become a connection.
    let Some(authority) = head.uri.authority().filter(|_| proxy.routes.forward().is_some() && !control.is_http2()) else {
        return Astray::Ended(control.end(Ending::Cut));
    };
    if authority.port_u16().is_none() {
        return Astray::answered(closing(said(StatusCode::BAD_REQUEST, "a tunnel is made to a host and a port\n")));
    }
    if ![true, false].map(|tls| Origin::new(tls, authority)).iter().any(|origin| proxy.routes.permits(origin)) {
        return Astray::answered(closing(said(StatusCode::FORBIDDEN, "this host is not among those that the plan allows\n")));
    }
    control.follow(Next::Origin(authority.clone()));
    Astray::answered(Response::new(AnswerBody::Made(Bytes::new())))
}

fn said(status: StatusCode, why: &'static str) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::Made(Bytes::from_static(why.as_bytes())));
    *response.status_mut() = status;
    if !why.is_empty() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    response
}

fn closing(mut response: Response<AnswerBody>) -> Response<AnswerBody> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
