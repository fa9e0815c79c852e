//! The same request until a limiter refuses it, the wait it asks for, and whether somebody else is let through meanwhile.

use http::HeaderMap;

use super::post::Pace;
use super::round::Round;
use crate::client::RawReply;
use crate::contract::limiter::{Experiment, Leg, Observation, Step, Trail, documented};
use crate::contract::provoke::{Ask, Burst, Who};
use crate::contract::{Role, Row};
use crate::probe::{Wire, carries_credentials};
use crate::record::Recorder;
use crate::units::Micros;
use crate::wire::Ending;

/// A refusal that asks for a longer wait than this is not waited for.
const LONGEST_WAIT: Micros = Micros::from_secs(65);

/// The window of a limit whose contract does not say.
const USUAL_WINDOW: Micros = Micros::from_secs(60);

impl<R: Recorder> Round<'_, '_, R> {
    /// Sends until refused, then looks whether what the refusal said is true.
    pub(super) async fn burst(&mut self, ix: usize, wire: &Wire, burst: Burst) {
        let mut trail = Trail { operation: self.operation(ix).to_owned(), observations: Vec::new() };
        let swift = self.probing.swift.clone();
        let mut last = None;
        let mut times = 0;
        while times < burst.budget {
            let Some(reply) = self.post.send_by(&swift, wire, Pace::AtOnce).await else { break };
            times += 1;
            trail.observations.push((Step::Burst, self.observation(ix, &reply, 0)));
            let refused = matches!(reply.ending, Ending::Answered(status) if status == burst.stop_on);
            let failed = matches!(reply.ending, Ending::Failed(_));
            last = Some(reply);
            if refused || failed {
                break;
            }
        }
        let refusal = last.as_ref().filter(|reply| matches!(reply.ending, Ending::Answered(status) if status == burst.stop_on));
        let wait = refusal.and_then(|reply| self.wait_of(reply));
        let is_refused = refusal.is_some();
        self.take(ix, wire, last, times);
        if is_refused && burst.recover {
            self.somebody_else(ix, wire, &mut trail).await;
        }
        if is_refused && burst.tell {
            self.tell(ix, wire, burst, &mut trail).await;
        } else if is_refused && burst.recover {
            self.after_the_wait(ix, wire, wait, &mut trail).await;
        }
        self.recorder.limited(&trail);
    }

    /// One request of another identity: a limit of one is no limit of all.
    async fn somebody_else(&mut self, ix: usize, wire: &Wire, trail: &mut Trail) {
        if !self.probing.settings.identities.iter().any(|identity| identity.name == "other") {
            return;
        }
        // Only the credentials are the other's.
        let dressed = self.fill(
            &Ask { method: wire.method.clone(), target: "/".into(), who: Who::Named("other".into()), ..Ask::default() },
            &self.nothing(),
        );
        let Ok(dressed) = dressed else { return };
        let mut other = wire.clone();
        other.headers.retain(|(name, _)| !carries_credentials(name));
        other.headers.extend(dressed.headers.into_iter().filter(|(name, _)| carries_credentials(name)));
        if let Some(reply) = self.post.send(&other, Pace::AtOnce).await {
            trail.observations.push((Step::Burst, self.observation(ix, &reply, 1)));
        }
    }

    /// One request after the wait that was asked for.
    async fn after_the_wait(&mut self, ix: usize, wire: &Wire, wait: Option<Micros>, trail: &mut Trail) {
        let Some(wait) = wait else { return };
        if wait > LONGEST_WAIT || wait > self.post.time_left() {
            let operation = self.operation(ix).to_owned();
            self.warnings.push(format!("`{operation}` asks to wait {wait} after its limit: too long to look whether that is true"));
            return;
        }
        if self.post.pause(wait).await
            && let Some(reply) = self.post.send(wire, Pace::AtOnce).await
        {
            trail.observations.push((Step::Waited, self.observation(ix, &reply, 0)));
        }
    }

    /// What shows which kind of limiter it is: the rest of an experiment whose first burst is over.
    async fn tell(&mut self, ix: usize, wire: &Wire, burst: Burst, trail: &mut Trail) {
        let admitted = trail.observations.iter().filter(|(_, seen)| seen.identity == 0 && seen.admitted()).count() as u64;
        let own = self.row(ix).into_iter().flat_map(|row| &row.envelope.fields).find_map(|field| field.rule.window);
        let contract = self.probing.plan.contract.as_ref();
        let window = own.or_else(|| documented(&contract?.contract, self.operation(ix)).1);
        let experiment = Experiment::telling(admitted, window.unwrap_or(USUAL_WINDOW));
        for (number, leg) in experiment.legs.iter().enumerate() {
            match *leg {
                // The first burst is over with its first refusal; what is left of it is what follows that.
                Leg::Burst { beyond, .. } if number == 0 => {
                    for _ in 0..beyond {
                        let Some(reply) = self.post.send(wire, Pace::AtOnce).await else { return };
                        trail.observations.push((Step::Burst, self.observation(ix, &reply, 0)));
                    }
                }
                Leg::Rest(span) => {
                    self.post.pause(span).await;
                }
                Leg::Burst { most, beyond } => {
                    let mut left = beyond;
                    for _ in 0..most.min(burst.budget) {
                        let Some(reply) = self.post.send(wire, Pace::AtOnce).await else { return };
                        let seen = self.observation(ix, &reply, 0);
                        let refused = !seen.admitted();
                        trail.observations.push((Step::Burst, seen));
                        match (refused, left.checked_sub(1)) {
                            (true, None) => break,
                            (true, Some(fewer)) => left = fewer,
                            (false, _) => {}
                        }
                    }
                }
                Leg::Trickle { every, lasts } => {
                    let clock = self.probing.clock;
                    let begun = clock.now();
                    for number in 0..lasts.0 / every.0.max(1) {
                        let due = begun + Micros(every.0 * number);
                        if !self.post.pause(due.since(clock.now())).await {
                            return;
                        }
                        let Some(reply) = self.post.send(wire, Pace::AtOnce).await else { return };
                        trail.observations.push((Step::Trickle, self.observation(ix, &reply, 0)));
                    }
                }
            }
        }
    }

    fn observation(&self, ix: usize, reply: &RawReply, identity: u16) -> Observation {
        let Some(head) = &reply.head else {
            return Observation {
                sent_at: reply.stamps.started_at,
                at: reply.stamps.ended_at,
                identity,
                cost: 1,
                ..Observation::default()
            };
        };
        let row = self.row(ix);
        let text = |role: Role, usual: &[&str]| said(&head.headers, row, role, usual);
        let number = |role, usual| text(role, usual).and_then(|text| text.trim().parse().ok());
        let date = head.headers.get(http::header::DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        let date = date.and_then(|date| i64::try_from(date.duration_since(std::time::UNIX_EPOCH).ok()?.as_micros()).ok());
        Observation {
            sent_at: reply.stamps.started_at,
            at: head.at,
            identity,
            status: head.status,
            cost: 1,
            limit: number(Role::Limit, &["x-ratelimit-limit", "ratelimit-limit"]),
            remaining: number(Role::Remaining, &["x-ratelimit-remaining", "ratelimit-remaining"]),
            reset: text(Role::Reset, &["x-ratelimit-reset", "ratelimit-reset"]),
            retry_after: text(Role::RetryAfter, &["retry-after"]),
            unix_us: date.unwrap_or(head.received_at_unix_us),
        }
    }
}

/// The value of the header that has a role in the row, else of one that usually has it.
fn said(headers: &HeaderMap, row: Option<&Row>, role: Role, usual: &[&str]) -> Option<String> {
    let declared =
        row.into_iter().flat_map(|row| &row.envelope.headers).filter(|header| header.role == Some(role)).map(|header| header.name.as_str());
    let value = declared.chain(usual.iter().copied()).find_map(|name| headers.get(name))?;
    value.to_str().ok().map(str::to_owned)
}
