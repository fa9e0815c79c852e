//! The proxy as clients know it by `HTTP_PROXY`: it serves whom the plan allows, inside tunnels too.

use std::sync::Arc;

use super::rig::{Broken, Rig, identity, rule};
use crate::support::certificates;
use crate::support::program::{Scrap, curl, python};
use crate::support::upstream::{Upstream, answer};
use brownout::clock::Clock;
use brownout::fault::{Effect, Fault, FaultRule, Respond};
use brownout::proxy::{Authority, ForwardProxy};

/// A forward proxy before a target; hosts named `localhost` and `127.0.0.1` may be named too.
fn forward(target: &Upstream, rules: Vec<FaultRule>, ca: Option<String>) -> (Rig, Scrap) {
    let clock = Clock::new();
    let authority = Arc::new(Authority::generate(clock.unix_us(clock.now())).expect("an authority"));
    let scrap = Scrap::new(&format!("forward-{}.pem", target.address().port()), authority.pem().as_bytes());
    let rig = Rig::with(target.address(), rules, |settings| {
        let allow = Arc::new(|host: &str| ["localhost", "127.0.0.1"].contains(&host));
        settings.forward = Some(ForwardProxy { allow, authority, ca: ca.map(String::into_bytes) });
    });
    (rig, scrap)
}

#[test]
fn a_request_goes_where_its_line_says() {
    let (target, other) = (Upstream::always(answer("200 OK", "target")), Upstream::always(answer("200 OK", "other")));
    let (rig, _ca) = forward(&target, vec![], None);
    let proxy = format!("http://{}", rig.addr);
    for (url, shown) in [
        (format!("http://{}/a?b", target.address()), "target 200"),
        (format!("http://{}/a?b", other.address()), "other 200"),
        (format!("http://localhost:{}/a?b", other.address().port()), "other 200"),
        (format!("http://{}/a?b", rig.addr), "target 200"),
    ] {
        let Some(ran) = curl(&["--proxy", &proxy, "-w", " %{http_code}", &url]) else { return };
        assert_eq!((ran.out.as_str(), ran.code), (shown, 0), "{url}: {}", ran.err);
    }
    let seen = &other.requests()[1];
    assert_eq!(seen.head.lines().next(), Some("GET /a?b HTTP/1.1"));
    assert_eq!(seen.header("host"), Some(format!("localhost:{}", other.address().port()).as_str()));
    assert_eq!(seen.header("proxy-connection"), None);
    // Without a proxy in mind, a request goes to the target.
    assert_eq!(rig.ask("GET / HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n").body, b"target");
}

#[test]
fn a_host_that_may_not_be_named_is_refused_before_a_packet_is_sent() {
    let target = Upstream::always(answer("200 OK", "target"));
    let (rig, _ca) = forward(&target, vec![], None);
    let answer = rig.ask("GET http://other.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n");
    assert_eq!(answer.status(), 403);
    assert_eq!(String::from_utf8_lossy(&answer.body), "this host is not among those that the plan allows\n");
    let mut client = rig.connect();
    assert_eq!(client.ask("CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n").status(), 403);
    assert_eq!(client.byte(), Err(Broken::Closed));
    assert_eq!(rig.ask("CONNECT other.test HTTP/1.1\r\nHost: other.test\r\n\r\n").status(), 400);
    assert_eq!(target.requests().len(), 0);
}

#[test]
fn a_host_that_does_not_answer_is_a_closed_connection() {
    let target = Upstream::always(answer("200 OK", "target"));
    let (rig, _ca) = forward(&target, vec![], None);
    let refused = crate::support::upstream::refused_address();
    let answer = rig.ask(&format!("GET http://{refused}/ HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert_eq!((answer.head.as_str(), answer.broken), ("", Some(Broken::Closed)));
}

#[test]
fn a_tunnel_ends_in_the_proxy_so_that_rules_apply_inside_it() {
    let maker = certificates::Authority::new("behind");
    let target = Upstream::always(answer("200 OK", "target"));
    let secure = Upstream::play_tls(
        maker.server("localhost", &["http/1.1"], None),
        vec![vec![crate::support::upstream::Act::ReadRequest, answer("200 OK", "secure"), crate::support::upstream::Act::Again]],
    );
    let mut busy = rule(
        "busy",
        Effect::Fault(Fault::Respond(Respond::Literal { status: 503, headers: http::HeaderMap::new(), body: b"busy".to_vec() })),
    );
    busy.matcher.methods = vec![http::Method::PUT];
    let (rig, ca) = forward(&target, vec![busy], Some(maker.pem()));
    let (proxy, url) = (format!("http://{}", rig.addr), format!("https://localhost:{}/x", secure.address().port()));
    for (options, shown, why) in [(&["--http1.1"][..], "secure 1.1", "HTTP/1.1 inside"), (&["--http2"], "secure 2", "HTTP/2 inside")] {
        let told = ["--proxy", &proxy, "--cacert", ca.path(), "-w", " %{http_version}", &url];
        let Some(ran) = curl(&[options, &told].concat()) else { return };
        assert_eq!((ran.out.as_str(), ran.code), (shown, 0), "{why}: {}", ran.err);
    }
    assert_eq!(secure.requests()[0].header("host"), Some(format!("localhost:{}", secure.address().port()).as_str()));
    let own = identity(1, 1);
    let own: Vec<&str> = own.lines().flat_map(|line| ["-H", line]).collect();
    let ran = curl(&[&own[..], &["-X", "PUT", "--proxy", &proxy, "--cacert", ca.path(), "-w", " %{http_code}", &url]].concat());
    assert_eq!(ran.expect("curl was there").out, "busy 503", "a rule inside the tunnel");
    assert_eq!(secure.requests().len(), 2);
    let program = "
import http.client, ssl, sys
c = http.client.HTTPSConnection('127.0.0.1', int(sys.argv[1]), timeout=20, context=ssl.create_default_context(cafile=sys.argv[2]))
c.set_tunnel('localhost', int(sys.argv[3]))
for _ in range(2):
    c.request('POST', '/y', body=b'hello'); r = c.getresponse(); print(r.status, r.read().decode())
";
    let ports = [rig.addr.port(), secure.address().port()].map(|port| port.to_string());
    let Some(ran) = python(program, &[&ports[0], ca.path(), &ports[1]]) else { return };
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), ["200 secure"; 2], "{}", ran.err);
}

#[test]
fn a_tunnel_may_be_plain_inside() {
    let (target, other) = (Upstream::always(answer("200 OK", "target")), Upstream::always(answer("200 OK", "other")));
    let (rig, _ca) = forward(&target, vec![], None);
    let (proxy, url) = (format!("http://{}", rig.addr), format!("http://{}/x", other.address()));
    let Some(ran) = curl(&["--proxytunnel", "--proxy", &proxy, &url, &url]) else { return };
    assert_eq!((ran.out.as_str(), ran.code), ("otherother", 0), "{}", ran.err);
}
