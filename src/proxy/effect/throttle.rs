//! A limit in front of the target: who has spent it is refused, and every answer says what is left.

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Version, request};

use super::respond::{self, Made};
use crate::contract::{Answer, Circumstances};
use crate::fault::{Effect, Limiter, Respond, Told};
use crate::id::RuleIx;
use crate::proxy::attempt::Proxy;
use crate::proxy::identity::Identity;
use crate::record::Unfired;
use crate::throttle::{Standing, dialect};

/// The answer to a request that the limit has no room for.
///
/// # Errors
/// Says why it cannot be made, for want of a contract or of a status.
///
/// The Retry-After of a documented error names the same instant as its reset; it is up to a second longer than the wait
/// that would do, never shorter. Its form is the plan's.
pub(in crate::proxy) fn refusal(
    proxy: &Proxy,
    identity: &Identity,
    rule: RuleIx,
    limiter: &Limiter,
    standing: &Standing,
    head: &request::Parts,
) -> Result<Made, Unfired> {
    let now = now(proxy);
    let wait_s = dialect::retry_after_s(standing, now);
    let tell = |headers: &mut HeaderMap| {
        let Some(dialect) = limiter.dialect else { return };
        dialect.write(limiter.allowance, standing, now, headers);
    };
    let (right, mutation) = match &limiter.refusal {
        Respond::Wrong { answer, mutation } => (&**answer, Some(*mutation)),
        right => (right, None),
    };
    let (answer, row) = match right {
        Respond::Error { row, retry_after_form, .. } => {
            let (contract, terms) = proxy.settings.contract.as_ref().ok_or(Unfired::NoContract)?;
            let circumstances = Circumstances {
                limit: Some(u64::from(standing.limit)),
                remaining: Some(0),
                retry_after_s: Some(wait_s),
                ..respond::circumstances(proxy, identity, *row, now, None, *retry_after_form)
            };
            let Answer { status, mut headers, body } = respond::dated(contract.compose(*row, &circumstances), now);
            let composed = headers.get(RETRY_AFTER).cloned();
            tell(&mut headers);
            if let Some(composed) = composed {
                headers.insert(RETRY_AFTER, composed);
            }
            let answer = Answer { status, headers, body };
            respond::inspect(proxy, contract, terms, rule, head, &answer, now);
            (answer, Some(*row))
        }
        Respond::Literal { status, headers, body } => {
            let mut headers = headers.clone();
            headers.entry(RETRY_AFTER).or_insert(HeaderValue::from(wait_s));
            tell(&mut headers);
            (Answer { status: *status, headers, body: body.clone() }, None)
        }
        // One mutation is all that an answer can have.
        Respond::Wrong { .. } => return Err(Unfired::Unfit),
    };
    match mutation {
        Some(mutation) => respond::mutated(proxy, mutation, answer, row, &head.method, head.version == Version::HTTP_2),
        None => Made::sound(answer),
    }
}

/// Says on the answer to a request that was let pass what it left of the limit.
pub(in crate::proxy) fn tell(proxy: &Proxy, told: &Told, headers: &mut HeaderMap) {
    let rules = proxy.rules();
    let Some(Effect::Limiter(limiter)) = rules.rules.get(told.rule.at()).map(|rule| &rule.effect) else { return };
    if let Some(dialect) = limiter.dialect {
        dialect.write(limiter.allowance, &told.standing, now(proxy), headers);
    }
}

fn now(proxy: &Proxy) -> i64 {
    proxy.settings.clock.unix_us(proxy.settings.clock.now())
}
