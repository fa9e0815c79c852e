//! A limit in front of the target: what an answer says of it, to whoever was refused and to whoever was let pass.

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue};

use crate::contract::Circumstances;
use crate::fault::{Effect, Limiter, Told};
use crate::proxy::attempt::Proxy;
use crate::throttle::{Standing, dialect};
use crate::units::Micros;

/// A limit that had no room for a request.
pub(in crate::proxy) struct Spent<'l> {
    limiter: &'l Limiter,
    standing: Standing,
    now_unix_us: i64,
    /// The Retry-After that names the same instant as the reset: up to a second longer than the wait that would do, never
    /// shorter.
    wait_s: u64,
}

impl<'l> Spent<'l> {
    pub(in crate::proxy) fn new(limiter: &'l Limiter, standing: Standing, now_unix_us: i64) -> Spent<'l> {
        Spent { limiter, standing, now_unix_us, wait_s: dialect::retry_after_s(&standing, now_unix_us) }
    }

    /// Until the limit has room for such a request again.
    pub(super) fn wait(&self) -> Micros {
        self.standing.wait
    }

    /// The circumstances of a documented refusal: the limit's own numbers in place of what the plan or the document has.
    pub(super) fn among<'c>(&self, usual: Circumstances<'c>) -> Circumstances<'c> {
        Circumstances { limit: Some(u64::from(self.standing.limit)), remaining: Some(0), retry_after_s: Some(self.wait_s), ..usual }
    }

    /// Tells of the limit on an answer that has its Retry-After already.
    pub(super) fn tell_beside(&self, headers: &mut HeaderMap) {
        let composed = headers.get(RETRY_AFTER).cloned();
        self.tell(headers);
        if let Some(composed) = composed {
            headers.insert(RETRY_AFTER, composed);
        }
    }

    /// Tells of the limit on an answer that was written without knowing of it.
    pub(super) fn tell_from_scratch(&self, headers: &mut HeaderMap) {
        headers.entry(RETRY_AFTER).or_insert(HeaderValue::from(self.wait_s));
        self.tell(headers);
    }

    fn tell(&self, headers: &mut HeaderMap) {
        if let Some(dialect) = self.limiter.dialect {
            dialect.write(self.limiter.allowance, &self.standing, self.now_unix_us, headers);
        }
    }
}

/// Says on the answer to a request that was let pass what it left of the limit.
pub(in crate::proxy) fn tell(proxy: &Proxy, told: &Told, headers: &mut HeaderMap) {
    let rules = proxy.rules();
    let Some(Effect::Limiter(limiter)) = rules.rules.get(told.rule.at()).map(|rule| &rule.effect) else { return };
    if let Some(dialect) = limiter.dialect {
        dialect.write(limiter.allowance, &told.standing, proxy.unix_us(), headers);
    }
}
