//! Who answered: the origin, a gateway in front of it, our own injector, or nobody.
//!
//! What the contract says of its gateways is certain. Of gateways it does not name, a few are known by the pages they make
//! themselves: that is likely, and never more. What is neither is the origin's, unless the contract has gateways and the
//! error is in no documented form: then nobody can say. X04 counts what is not certain.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, SERVER};

use crate::contract::Contract;
use crate::contract::drift::violation;
use crate::contract::evidence::Evidence;
use crate::contract::findings::{Confidence, Responder, RunFinding, Sighting};
use crate::units::Offset;

/// What the Server header of a gateway begins with, and its name.
const GATEWAYS: [(&str, &str); 9] = [
    ("nginx", "nginx"),
    ("openresty", "OpenResty"),
    ("envoy", "Envoy"),
    ("istio-envoy", "Envoy"),
    ("cloudflare", "Cloudflare"),
    ("awselb", "an AWS load balancer"),
    ("cloudfront", "CloudFront"),
    ("varnish", "Varnish"),
    ("kong", "Kong"),
];

/// Who gave an answer, and how sure that is.
pub fn of(sighting: &Sighting<'_>) -> (Responder, Confidence) {
    match (sighting.injected, sighting.response) {
        (Some(_), _) => (Responder::Injector, Confidence::Certain),
        (None, None) => (Responder::Transport, Confidence::Certain),
        (None, Some(_)) if sighting.judged.gateway.is_some() => (Responder::Gateway, Confidence::Certain),
        (None, Some(_)) if looks_like(sighting).is_some() => (Responder::Gateway, Confidence::Likely),
        (None, Some(_)) => (Responder::Origin, Confidence::Certain),
    }
}

/// The gateway that an error looks like: it is no error of the contract, and has the page and the name of one.
fn looks_like(sighting: &Sighting<'_>) -> Option<&'static str> {
    let response = sighting.response.filter(|_| is_unknown(sighting))?;
    let page = response.body.is_empty() || is_text(response.headers, response.body);
    let server = response.headers.get(SERVER)?.to_str().ok()?.to_ascii_lowercase();
    let known = GATEWAYS.iter().find(|(name, _)| server.starts_with(name)).filter(|_| page)?;
    Some(known.1)
}

/// Whether an answer is an error that carries nothing of any documented one.
fn is_unknown(sighting: &Sighting<'_>) -> bool {
    let judged = sighting.judged;
    let error = sighting.response.is_some_and(|response| response.status >= 400);
    error
        && sighting.injected.is_none()
        && judged.gateway.is_none()
        && judged.row.is_none()
        && judged.code.is_none()
        && judged.shape.is_none()
}

fn is_text(headers: &HeaderMap, body: &[u8]) -> bool {
    let typed = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let typed = typed.is_some_and(|value| value.starts_with("text/"));
    typed || body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

/// How many errors nobody can attribute; of constant size.
#[derive(Clone, Debug, Default)]
pub struct Unattributed {
    errors: u64,
    unknown: u64,
    by_likeness: BTreeMap<&'static str, u64>,
    first_at: Option<Offset>,
    last_at: Offset,
    sample: Option<Evidence>,
}

impl Unattributed {
    /// Takes down one answer.
    pub fn note(&mut self, contract: &Contract, sighting: &Sighting<'_>, sample: impl Fn() -> Evidence) {
        let error = sighting.injected.is_none() && sighting.response.is_some_and(|response| response.status >= 400);
        self.errors += u64::from(error);
        let head = *sighting.request.method == http::Method::HEAD;
        if head || !is_unknown(sighting) {
            return;
        }
        let likeness = looks_like(sighting);
        if likeness.is_none() && !contract.services.iter().any(|service| service.gateway) {
            return;
        }
        self.unknown += 1;
        self.first_at = Some(self.first_at.map_or(sighting.at, |first| first.min(sighting.at)));
        self.last_at = self.last_at.max(sighting.at);
        if let Some(name) = likeness {
            *self.by_likeness.entry(name).or_default() += 1;
        }
        if self.sample.is_none() {
            self.sample = Some(sample());
        }
    }

    /// Joins what another worker saw.
    pub fn merge(&mut self, other: Unattributed) {
        self.errors += other.errors;
        self.unknown += other.unknown;
        for (name, count) in other.by_likeness {
            *self.by_likeness.entry(name).or_default() += count;
        }
        self.first_at = [self.first_at, other.first_at].into_iter().flatten().min();
        self.last_at = self.last_at.max(other.last_at);
        self.sample = self.sample.take().or(other.sample);
    }

    /// X04, where there are any.
    pub fn conclude(&self) -> Option<RunFinding> {
        let first_at = self.first_at?;
        let share = 100.0 * self.unknown as f64 / self.errors.max(1) as f64;
        let likely = self.by_likeness.iter().map(|(name, count)| format!("{count} look like {name}")).collect::<Vec<_>>();
        let likely = if likely.is_empty() { String::new() } else { format!("; {}", likely.join(", ")) };
        Some(RunFinding {
            violation: violation(
                "X04",
                "$",
                "errors that say who made them".to_owned(),
                format!("{} of {} errors ({share:.1} %) cannot be attributed{likely}", self.unknown, self.errors),
                "unattributed",
            ),
            count: self.unknown,
            first_at,
            last_at: self.last_at,
            evidence: self.sample.iter().cloned().collect(),
            ..RunFinding::default()
        })
    }
}
