//! Why a request is refused, and the answer that says so.

use http::header::{ALLOW, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::Value as Json;

use super::Api;
use super::answer::AnswerBody;
use super::facts::{Facts, Why};
use super::field::Flaw;
use crate::contract::server::Mistake;
use crate::contract::{Circumstances, Role};
use crate::id::RowIx;
use crate::seed::Distribution;

/// A documented error on its way to a client.
#[derive(Clone, Debug, Default)]
pub struct Refusal {
    pub row: RowIx,
    /// What is wrong with the members of the request.
    pub flaws: Vec<Flaw>,
    /// The kind of thing that is missing, taken or another's, and its id.
    pub resource: Option<String>,
    pub id: Option<String>,
    /// The role that is missing.
    pub role: Option<String>,
    pub retry_after_s: Option<u64>,
    pub message: Option<String>,
    /// How long the answer takes beside its latency.
    pub delay: Option<Distribution>,
    /// Whether to ask for a token.
    pub challenge: bool,
    /// The methods that would do.
    pub allow: Vec<Method>,
}

/// What came of a step, or why there is no next one.
pub type Refused<T> = Result<T, Box<Refusal>>;

impl Refusal {
    /// This refusal as the end of a step.
    pub fn err<T>(self) -> Refused<T> {
        Err(Box::new(self))
    }

    /// A refusal that needs no more words.
    pub fn new(row: RowIx) -> Refusal {
        Refusal { row, ..Refusal::default() }
    }

    /// A refusal because of one member.
    pub fn because(row: RowIx, mistake: Mistake, field: &str, issue: &str) -> Refusal {
        Refusal::flawed(vec![Flaw { mistake, row, field: field.to_owned(), issue: issue.to_owned(), refers: None }])
    }

    /// A refusal because of members: the first says which error it is, the others of the same error are told with it.
    /// Flaws must not be empty.
    pub fn flawed(mut flaws: Vec<Flaw>) -> Refusal {
        let row = flaws.first().map(|flaw| flaw.row).unwrap_or_default();
        flaws.retain(|flaw| flaw.row == row);
        Refusal { flaws, ..Refusal::new(row) }
    }

    /// Whether this answer shows that a rate limit is used up.
    pub fn is_of_a_limit(&self, api: &Api) -> bool {
        let row = api.contract.row(self.row);
        let has =
            |role| row.envelope.headers.iter().any(|h| h.role == Some(role)) || row.envelope.fields.iter().any(|f| f.role == Some(role));
        row.status == 429 && has(Role::RetryAfter) && self.retry_after_s.is_some()
    }

    /// The answer, composed by the contract.
    pub fn answer(&self, api: &Api, facts: &Facts<'_>, unique: u64) -> Response<AnswerBody> {
        let circumstances = Circumstances {
            now_unix_us: facts.now_unix_s.saturating_mul(1_000_000),
            unique,
            retry_after_s: self.retry_after_s,
            limit: facts.allowance.map(|shown| shown.limit.into()),
            remaining: facts.allowance.map(|shown| shown.remaining.into()),
            message: self.message.as_deref(),
            fields: self.explained(api, facts),
            ..Circumstances::default()
        };
        let composed = api.contract.compose(self.row, &circumstances);
        let mut response = Response::new(AnswerBody::whole(composed.body));
        *response.status_mut() = StatusCode::from_u16(composed.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = composed.headers;
        if let Some(challenge) = api.server.auth.as_ref().and_then(|auth| auth.challenge_to(facts.headers)).filter(|_| self.challenge) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
        }
        let methods: Vec<&str> = self.allow.iter().map(Method::as_str).collect();
        let allow = HeaderValue::from_str(&methods.join(", ")).ok().filter(|_| !methods.is_empty());
        response.headers_mut().extend(allow.map(|allow| (ALLOW, allow)));
        response
    }

    /// The members of the error body that say more.
    fn explained<'a>(&self, api: &'a Api, facts: &Facts<'_>) -> Vec<(&'a str, Json)> {
        let status = api.contract.row(self.row).status;
        let mut fields = Vec::new();
        for explain in api.server.explain.iter().filter(|explain| explain.status == status) {
            let told = match explain.each {
                false => self.with_why(api, facts, self.flaws.first()).value(&explain.shape),
                true => {
                    let each = self.flaws.iter().filter_map(|flaw| self.with_why(api, facts, Some(flaw)).value(&explain.shape));
                    Some(each.collect::<Vec<Json>>()).filter(|each| !each.is_empty()).map(Json::Array)
                }
            };
            fields.extend(told.map(|told| (explain.name.as_str(), told)));
        }
        fields
    }

    /// What is known, and what is wrong.
    fn with_why<'f>(&'f self, api: &'f Api, facts: &Facts<'f>, flaw: Option<&'f Flaw>) -> Facts<'f> {
        let referred = flaw.and_then(|flaw| flaw.refers.as_ref());
        let resource = referred.map(|(resource, _)| api.server.resources[*resource].name.as_str());
        let why = Why {
            field: flaw.map(|flaw| flaw.field.as_str()),
            issue: flaw.map(|flaw| flaw.issue.as_str()),
            resource: self.resource.as_deref().or(resource),
            id: self.id.as_deref().or(referred.map(|(_, id)| id.as_str())),
            role: self.role.as_deref(),
        };
        Facts { status: api.contract.row(self.row).status, why, ..*facts }
    }
}
