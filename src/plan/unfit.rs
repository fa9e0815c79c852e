//! Faults that can never be done, whatever requests come: the connection that they need is none that the proxy speaks.

use super::{HttpVersion, Plan};
use crate::fault::{Effect, Element, Fault};

/// How the proxy is spoken to.
#[derive(Clone, Copy)]
struct Hop {
    http: HttpVersion,
    tls: bool,
    /// By the plan's own generator, which leaves nothing to choose.
    own: bool,
}

impl Plan {
    /// The faults that can never be done, each with the reason: for requests of the plan's own generator, or else of a client.
    pub fn unfit_faults(&self, own: bool) -> Vec<String> {
        let settings = self.proxy.as_ref().filter(|_| !own);
        let hop = Hop {
            http: settings.map_or(if own { HttpVersion::Http1 } else { HttpVersion::Auto }, |proxy| proxy.http),
            tls: settings.is_some_and(|proxy| proxy.tls.is_some()),
            own,
        };
        let all = self.faults.rules.iter().flat_map(|rule| {
            let faults: Vec<&Fault> = match &rule.effect {
                Effect::Fault(fault) => vec![fault],
                Effect::Sequence(elements) => {
                    elements.iter().filter_map(|element| if let Element::Fault(fault) = element { Some(fault) } else { None }).collect()
                }
                Effect::DelayOnly | Effect::Limiter(_) => Vec::new(),
            };
            let mut said: Vec<String> = Vec::new();
            for (fault, why) in faults.into_iter().filter_map(|fault| Some((fault, hop.spares(fault)?))) {
                let what = format!("the fault `{}` can never do `{}`: {why}", rule.name, fault.kind());
                if !said.contains(&what) {
                    said.push(what);
                }
            }
            said
        });
        all.collect()
    }
}

impl Hop {
    /// Why the fault cannot be done here, if it cannot.
    fn spares(self, fault: &Fault) -> Option<&'static str> {
        let (http1, http2) = (matches!(self.http, HttpVersion::Http1), matches!(self.http, HttpVersion::Http2));
        Some(match fault {
            Fault::TlsFailure if self.own => "the plan's own generator speaks to the proxy without TLS; only `brownout proxy` has it",
            Fault::TlsFailure if !self.tls => "the proxy has no TLS: give it `tls` in [proxy]",
            Fault::GoAway | Fault::RefusedStream | Fault::ResetStream { .. } if self.own => {
                "the plan's own generator speaks HTTP/1.1 to the proxy, and this is a thing of HTTP/2; only `brownout proxy` has it"
            }
            Fault::GoAway | Fault::RefusedStream | Fault::ResetStream { .. } if http1 => {
                "it is a thing of HTTP/2, and [proxy] says `http = \"1.1\"`"
            }
            Fault::TruncateChunked { .. } | Fault::BadChunk { .. } | Fault::ContentLength { .. } | Fault::HalfClose { .. } if http2 => {
                "it is a thing of HTTP/1.1, and [proxy] says `http = \"2\"`"
            }
            _ => return None,
        })
    }
}
