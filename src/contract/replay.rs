//! What it means that a finding's request was sent once more, alone.
//!
//! A finding made under load may be an effect of the load. Its request is sent again when nothing else is under way, and
//! the answer is held to the contract as before: the finding is *reproduced* if the very same one is made again, *not
//! reproduced* if the same error comes and is in order, and where another answer comes, nobody can tell.

use serde::{Deserialize, Serialize};

use crate::contract::catalogue::{self, Kind};
use crate::contract::findings::{Finding, Place, Responder, Sighting, identity, shown_code};
use crate::contract::{Contract, Judged, Violation};
use crate::id::{ScenarioIx, StageIx, StepIx};
use crate::units::Offset;
use crate::wire::{Ending, Failure, RequestFacts, ResponseFacts};

/// What sending a request again said about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The same finding was made again.
    Reproduced,
    /// The same error came, and was in order.
    NotReproduced,
    /// Another answer came, none, or the finding takes more than one request.
    CannotTell,
}

impl Outcome {
    /// A stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Reproduced => "reproduced",
            Outcome::NotReproduced => "not-reproduced",
            Outcome::CannotTell => "cannot-tell",
        }
    }
}

/// An outcome, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    pub outcome: Outcome,
    /// One sentence fragment.
    pub reason: String,
}

impl Replayed {
    /// Nobody can tell, because of this.
    pub fn cannot_tell(reason: impl Into<String>) -> Replayed {
        Replayed { outcome: Outcome::CannotTell, reason: reason.into() }
    }
}

/// The finding that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The fingerprint.
    pub id: &'a str,
    pub check: &'a str,
    /// `None` where there was no complete answer.
    pub status: Option<u16>,
    /// As a finding shows it.
    pub code: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// A finding of this run.
    pub fn of(finding: &'a Finding) -> Wanted<'a> {
        Wanted { id: &finding.id, check: finding.check, status: finding.status, code: finding.code.as_deref() }
    }
}

/// Whether a finding is one that is sent again at the end of a run.
pub fn is_candidate(finding: &Finding) -> bool {
    finding.responder != Responder::Injector
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub request: &'a RequestFacts<'a>,
    pub ending: Ending,
    /// The head and what came of the body, even if that broke off.
    pub response: Option<&'a ResponseFacts<'a>>,
    pub judged: &'a Judged<'a>,
}

/// Checks whose finding is about the status itself: another documented error instead is what was asked for.
const ABOUT_THE_STATUS: [&str; 9] = ["S01", "S02", "S03", "S04", "S07", "S08", "P04", "P07", "P08"];
/// Checks that read the events of a stream while they come.
const ABOUT_A_STREAM: [&str; 2] = ["S12", "P09"];

/// Why a finding cannot be decided by one more request, whatever the answer; `None` where it can.
pub fn undecidable(wanted: &Wanted<'_>) -> Option<String> {
    let check = wanted.check;
    let Some(known) = catalogue::find(check) else { return Some(format!("this version knows no check {check}")) };
    match known.kind {
        Kind::WholeRun => Some(format!("{check} compares the answers of a whole run, and one answer alone cannot show it")),
        Kind::Probe => Some(format!("{check} is judged by what a probe broke on purpose: run `brownout probe` again")),
        Kind::Document => Some(format!("{check} is about the contract document, and no request can show it")),
        Kind::OneAnswer if ABOUT_A_STREAM.contains(&check) => Some(format!("{check} is seen only while a stream's events come")),
        Kind::OneAnswer => None,
    }
}

/// What an answer says about a finding.
pub fn judge(contract: &Contract, wanted: &Wanted<'_>, answer: &Answer<'_>) -> Replayed {
    if let Some(why) = undecidable(wanted) {
        return Replayed::cannot_tell(why);
    }
    if answer.judged.violations.iter().any(|violation| is_wanted(contract, wanted, answer, violation)) {
        return Replayed { outcome: Outcome::Reproduced, reason: format!("{}, and it is the same again", came(answer)) };
    }
    let whole = answer.response.filter(|_| matches!(answer.ending, Ending::Answered(_)));
    match (whole, wanted.status) {
        (None, _) => Replayed::cannot_tell(unanswered(answer.ending)),
        (Some(_), None) => in_order(answer, "this time there was a whole answer"),
        (Some(response), Some(status)) => {
            let about_the_status = ABOUT_THE_STATUS.contains(&wanted.check);
            let documented = response.status >= 400 && answer.judged.row.is_some();
            let code = answer.judged.code.as_deref().map(|code| shown_code(answer.judged.row, code));
            match (response.status == status, wanted.code) {
                _ if about_the_status && documented => in_order(answer, "a documented error"),
                // Where no code could be read and now one can, something has been put right.
                (true, None) => in_order(answer, "in order in this respect"),
                (true, Some(wanted)) if code.as_deref() == Some(wanted) => in_order(answer, "in order in this respect"),
                _ => another(wanted, answer),
            }
        }
    }
}

/// Whether a violation belongs to the finding.
fn is_wanted(contract: &Contract, wanted: &Wanted<'_>, answer: &Answer<'_>, violation: &Violation) -> bool {
    let place = Place::Load { stage: StageIx(0), scenario: ScenarioIx(0), step: StepIx(0) };
    let Answer { request, response, judged, .. } = *answer;
    let sighting = Sighting { at: Offset::START, place, open_faults: &[], injected: None, request, response, judged };
    violation.check == wanted.check && format!("{:016x}", identity(contract, &sighting, violation)) == wanted.id
}

fn in_order(answer: &Answer<'_>, how: &str) -> Replayed {
    let others = answer.judged.violations.len();
    let others = match others {
        0 => String::new(),
        1 => ", with one other violation".to_owned(),
        n => format!(", with {n} other violations"),
    };
    Replayed { outcome: Outcome::NotReproduced, reason: format!("{}: {how}{others}", came(answer)) }
}

fn another(wanted: &Wanted<'_>, answer: &Answer<'_>) -> Replayed {
    let about = [wanted.status.map(|status| status.to_string()), wanted.code.map(str::to_owned)];
    let about = about.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let limited = answer.response.is_some_and(|response| response.status == 429);
    let hint = match wanted.status {
        _ if limited => "; the target is still limiting",
        Some(429) => "; it may take a burst to bring that about",
        Some(500..) => "; it may take load or a fault to bring that about",
        _ => "; the request may depend on what was there before",
    };
    Replayed::cannot_tell(format!("{}, and the finding is about {about}{hint}", came(answer)))
}

/// What came, in words.
fn came(answer: &Answer<'_>) -> String {
    let (Some(response), Ending::Answered(_)) = (answer.response, answer.ending) else { return unanswered(answer.ending) };
    let code = answer.judged.row.and(answer.judged.code.as_deref()).map(|code| format!(" {code}")).unwrap_or_default();
    format!("the answer was {}{code}", response.status)
}

fn unanswered(ending: Ending) -> String {
    match ending {
        Ending::Failed(failure @ Failure::BodyCutShort { .. }) => failure.to_string(),
        Ending::Failed(failure) => format!("no answer: {failure}"),
        Ending::Answered(_) | Ending::Unfinished => "no answer".to_owned(),
    }
}
