//! Findings looked at once more: each one's request sent alone, straight to the target, and judged.
//!
//! This is not load: requests go one after another, each on a connection of its own, past the fault proxy, and nothing
//! of it enters the run's numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::Method;
use http::header::HOST;

use crate::client::{Connector, RawBody, RawClient, RawLimits, RawReply, RawRequest, RawTimeouts};
use crate::clock::Clock;
use crate::contract::Judged;
use crate::contract::findings::Finding;
use crate::contract::replay::{self, Answer, Replayed, Wanted};
use crate::contract::resend::Sent;
use crate::plan::{ContractUse, Plan, Timeouts};
use crate::units::Micros;
use crate::wire::Ending;

/// Findings sent again at the end of a run, at most; the worst come first.
pub const MOST: usize = 50;
/// How long that may take in all.
pub const WITHIN: Micros = Micros::from_secs(10);
/// How long one of them may take.
const EACH: Micros = Micros::from_secs(3);
/// How long is listened for more after the end of a message, where that is what the finding is about, and else.
const LINGER: Micros = Micros::from_millis(50);
const GLIMPSE: Micros = Micros::from_millis(2);

/// Sends requests again, one at a time.
#[derive(Clone)]
pub struct Replayer {
    connector: Connector,
    clock: Clock,
    timeouts: Timeouts,
}

/// What was sent and what came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub replayed: Replayed,
    pub reply: RawReply,
}

impl Replayer {
    /// A replayer straight to this target.
    pub fn new(connector: &Connector, clock: Clock, timeouts: Timeouts) -> Replayer {
        Replayer { connector: connector.clone(), clock, timeouts }
    }

    /// The same for many findings after a run: none of them may take long.
    fn in_a_hurry(&self, left: Micros) -> Replayer {
        let Timeouts { connect, first_byte, total } = self.timeouts;
        let each = EACH.min(left);
        let timeouts = Timeouts { connect: connect.min(each), first_byte: first_byte.min(each), total: total.min(each) };
        Replayer { timeouts, ..self.clone() }
    }

    /// Sends one request again, and says what that means for its finding.
    pub async fn look(&self, used: &ContractUse, wanted: &Wanted<'_>, sent: &Sent) -> Seen {
        let linger = if wanted.check.starts_with('P') { LINGER } else { GLIMPSE };
        let reply = self.send(sent, linger).await;
        let request = sent.facts();
        let response = reply.facts();
        let judged = match (reply.ending, &response) {
            (Ending::Answered(_), Some(response)) => used.contract.check(&used.terms, &request, response),
            (Ending::Failed(failure), _) => Judged {
                service: used.contract.service_for(&request),
                violations: used.contract.check_failure(&used.terms, &request, failure),
                ..Judged::default()
            },
            _ => Judged::default(),
        };
        let answer = Answer { request: &request, ending: reply.ending, response: response.as_ref(), judged: &judged };
        let replayed = replay::judge(&used.contract, wanted, &answer);
        Seen { replayed, reply }
    }

    async fn send(&self, sent: &Sent, linger: Micros) -> RawReply {
        let Timeouts { connect, first_byte, total } = self.timeouts;
        let timeouts = RawTimeouts { connect, first_byte, total, linger, ..RawTimeouts::default() };
        let limits = RawLimits { keep_body: usize::try_from(Plan::KEPT_BODY.0).unwrap_or(usize::MAX), ..RawLimits::default() };
        let client = RawClient::new(&self.connector, self.clock, timeouts, limits);
        let authority = client.authority();
        let own_host = (!sent.headers.contains_key(HOST)).then_some((Cow::from("host"), Cow::from(authority.as_bytes())));
        let given = sent.headers.iter().map(|(name, value)| (Cow::from(name.as_str()), Cow::from(value.as_bytes())));
        let headers: Vec<_> = own_host.into_iter().chain(given).collect();
        let about_content = [Method::POST, Method::PUT, Method::PATCH].contains(&sent.method);
        let body = if sent.body.is_empty() && !about_content { RawBody::None } else { RawBody::Bytes(&sent.body) };
        let request = RawRequest { method: sent.method.as_str(), target: &sent.target, headers: &headers, body, expect_continue: false };
        client.send(&request).await
    }

    /// Sends the requests of these findings again, in their order; what each came to, by its id.
    ///
    /// At most [`MOST`] of them and for [`WITHIN`]; the others cannot be told, and why.
    pub async fn look_at_all(&self, used: &ContractUse, findings: &[&Finding]) -> BTreeMap<String, Replayed> {
        let until = self.clock.now() + WITHIN;
        let mut seen = BTreeMap::new();
        let mut sent_again = 0;
        for finding in findings.iter().filter(|finding| replay::is_candidate(finding)) {
            let wanted = Wanted::of(finding);
            let left = until.since(self.clock.now());
            let replayed = match (replay::undecidable(&wanted), &finding.replayable) {
                (Some(said), _) => said,
                (None, None) => Replayed::cannot_tell("its request was too large to be kept"),
                (None, Some(_)) if sent_again >= MOST => Replayed::cannot_tell("fifty worse findings were sent again, and no more are"),
                (None, Some(_)) if left == Micros::ZERO => Replayed::cannot_tell("there was no time left to send it again"),
                (None, Some(sent)) => {
                    sent_again += 1;
                    self.in_a_hurry(left).look(used, &wanted, sent).await.replayed
                }
            };
            seen.insert(finding.id.clone(), replayed);
        }
        seen
    }
}

/// What the findings of a run that was interrupted are told.
pub fn skipped(findings: &[&Finding]) -> BTreeMap<String, Replayed> {
    let candidates = findings.iter().filter(|finding| replay::is_candidate(finding));
    candidates.map(|finding| (finding.id.clone(), Replayed::cannot_tell("the run was cut short, and nothing more was sent"))).collect()
}
