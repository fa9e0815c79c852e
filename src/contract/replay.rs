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
    /// Another answer came, none, or the request cannot be sent again.
    CannotTell,
    /// One request more, alone, says nothing about what was found.
    NotApplicable,
}

impl Outcome {
    /// A stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Reproduced => "reproduced",
            Outcome::NotReproduced => "not-reproduced",
            Outcome::CannotTell => "cannot-tell",
            Outcome::NotApplicable => "not-applicable",
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

    /// There is nothing to send, because of this.
    pub fn not_applicable(reason: impl Into<String>) -> Replayed {
        Replayed { outcome: Outcome::NotApplicable, reason: reason.into() }
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
    /// Its instance path: where in the answer it was.
    pub place: &'a str,
}

impl<'a> Wanted<'a> {
    /// A finding of this run.
    pub fn of(finding: &'a Finding) -> Wanted<'a> {
        Wanted {
            id: &finding.id,
            check: finding.check,
            status: finding.status,
            code: finding.code.as_deref(),
            place: &finding.instance_path,
        }
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
/// Where such a stream's forbidden text (S11) was seen.
const IN_AN_EVENT: &str = "event";

/// What is to be said of a finding that one more request cannot decide, whatever the answer; `None` where it can.
pub fn undecidable(wanted: &Wanted<'_>) -> Option<Replayed> {
    let check = wanted.check;
    let Some(known) = catalogue::find(check) else {
        return Some(Replayed::cannot_tell(format!("this version knows no check {check}")));
    };
    match known.kind {
        Kind::WholeRun => {
            let why = format!("{check} compares the answers of a whole run, and one answer alone cannot show it");
            Some(Replayed::not_applicable(why))
        }
        Kind::Document => Some(Replayed::not_applicable(format!("{check} is about the contract document, and no request can show it"))),
        Kind::Probe => {
            Some(Replayed::cannot_tell(format!("{check} is judged by what a probe broke on purpose: run `brownout probe` again")))
        }
        Kind::OneAnswer if ABOUT_A_STREAM.contains(&check) || wanted.place == IN_AN_EVENT => {
            Some(Replayed::cannot_tell(format!("{check} is seen only while a stream's events come")))
        }
        Kind::OneAnswer => None,
    }
}

/// What is to be said of a finding that was made at the end of a run, or by probes alone, where nothing is sent again.
pub fn without_sending(check: &str, only_probes: bool) -> Option<Replayed> {
    let wanted = Wanted { id: "", check, status: None, code: None, place: "" };
    let of_the_run = undecidable(&wanted).filter(|said| said.outcome == Outcome::NotApplicable);
    let alone = || Replayed::not_applicable("it was found without load: probes are sent one at a time");
    of_the_run.or_else(|| only_probes.then(alone))
}

/// What an answer says about a finding.
pub fn judge(contract: &Contract, wanted: &Wanted<'_>, answer: &Answer<'_>) -> Replayed {
    if let Some(said) = undecidable(wanted) {
        return said;
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

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;
    use crate::contract::{Circumstances, Profile, Terms};
    use crate::plan::contract_file;
    use crate::plan::problem::Problems;
    use crate::plan::source::SourceText;
    use crate::severity::Severity;
    use crate::units::Micros;

    fn shipped() -> Contract {
        let name = contract_file::shipped_name();
        let text = contract_file::shipped(name).expect("it is compiled in");
        contract_file::lower(&SourceText::new(name, text), &Problems::new()).expect("it is sound")
    }

    /// What an answer says about a finding; `id` is made up unless the finding is to be the answer's own.
    struct Trial<'c> {
        contract: &'c Contract,
        status: u16,
        headers: HeaderMap,
        body: Vec<u8>,
    }

    impl<'c> Trial<'c> {
        fn of(contract: &'c Contract, code: &str) -> Trial<'c> {
            let row = contract.row_named(code, None).expect("a documented error");
            let now = Circumstances { now_unix_us: 1_795_348_800_000_000, retry_after_s: Some(30), ..Circumstances::default() };
            let answer = contract.compose(row, &now);
            Trial { contract, status: answer.status, headers: answer.headers, body: answer.body }
        }

        /// Calls with the answer, and the ids of the findings that it makes.
        fn with<T>(&self, then: impl FnOnce(&Answer<'_>, Vec<(&'static str, String)>) -> T) -> T {
            let terms = Terms { profile: Profile::Core, undocumented: Severity::High, secrets: std::sync::Arc::default() };
            let none = HeaderMap::new();
            let request = RequestFacts { method: &Method::GET, path: "/v1/conversations", query: None, headers: &none, body: b"" };
            let response = ResponseFacts {
                status: self.status,
                headers: &self.headers,
                body: &self.body,
                body_complete: true,
                body_bytes: self.body.len() as u64,
                received_at_unix_us: 1_795_348_800_000_000,
                round_trip: Micros(1),
            };
            let judged = self.contract.check(&terms, &request, &response);
            let answer = Answer { request: &request, ending: Ending::Answered(self.status), response: Some(&response), judged: &judged };
            let place = Place::Load { stage: StageIx(1), scenario: ScenarioIx(2), step: StepIx(3) };
            let sighting = Sighting {
                at: Offset::START,
                place,
                open_faults: &[],
                injected: None,
                request: &request,
                response: Some(&response),
                judged: &judged,
            };
            let ids = judged.violations.iter().map(|v| (v.check, format!("{:016x}", identity(self.contract, &sighting, v)))).collect();
            then(&answer, ids)
        }

        fn says(&self, wanted: &Wanted<'_>) -> (Outcome, String) {
            self.with(|answer, _| {
                let replayed = judge(self.contract, wanted, answer);
                (replayed.outcome, replayed.reason)
            })
        }
    }

    fn wanted<'a>(check: &'a str, status: u16, code: Option<&'a str>) -> Wanted<'a> {
        Wanted { id: "0123456789abcdef", check, status: (status > 0).then_some(status), code, place: "body" }
    }

    #[test]
    fn the_same_finding_is_reproduced_wherever_in_the_run_it_was_made() {
        let contract = shipped();
        let mut limited = Trial::of(&contract, "RATE_LIMIT_EXCEEDED");
        limited.headers.insert("x-ratelimit-reset", HeaderValue::from_static("1"));
        let (check, id) = limited.with(|_, ids| ids.into_iter().find(|(check, _)| *check == "R04").expect("a wrong reset"));
        let wanted = Wanted { id: &id, check, status: Some(429), code: Some("RATE_LIMIT_EXCEEDED"), place: "header:X-RateLimit-Reset" };
        assert_eq!(limited.says(&wanted).0, Outcome::Reproduced);
        let in_order = Trial::of(&contract, "RATE_LIMIT_EXCEEDED").says(&wanted);
        assert_eq!(in_order.0, Outcome::NotReproduced, "{}", in_order.1);
    }

    #[test]
    fn another_answer_than_the_findings_own_decides_only_where_the_status_was_the_fault() {
        let contract = shipped();
        let missing = Trial::of(&contract, "CONVERSATION_NOT_FOUND");
        for (wanted, outcome, because) in [
            (wanted("B03", 404, Some("CONVERSATION_NOT_FOUND")), Outcome::NotReproduced, "in order"),
            (wanted("B02", 404, None), Outcome::NotReproduced, "in order"),
            (wanted("B03", 404, Some("OTHER")), Outcome::CannotTell, "the finding is about 404 OTHER"),
            (wanted("R04", 429, Some("RATE_LIMIT_EXCEEDED")), Outcome::CannotTell, "it may take a burst"),
            (wanted("B03", 500, Some("INTERNAL_ERROR")), Outcome::CannotTell, "load or a fault"),
            (wanted("H02", 200, None), Outcome::CannotTell, "what was there before"),
            (wanted("S01", 418, None), Outcome::NotReproduced, "a documented error"),
            (wanted("S08", 200, Some("CONVERSATION_NOT_FOUND")), Outcome::NotReproduced, "a documented error"),
            (wanted("P08", 0, None), Outcome::NotReproduced, "a whole answer"),
            (wanted("I03", 404, None), Outcome::NotApplicable, "whole run"),
            (wanted("S06", 200, None), Outcome::CannotTell, "brownout probe"),
            (wanted("Q01", 404, None), Outcome::NotApplicable, "the contract document"),
            (wanted("S12", 200, None), Outcome::CannotTell, "stream"),
            (wanted("Z99", 404, None), Outcome::CannotTell, "no check Z99"),
        ] {
            let (said, reason) = missing.says(&wanted);
            assert!(said == outcome && reason.contains(because), "{wanted:?}: {said:?}, {reason}");
        }
        let limited = Trial::of(&contract, "RATE_LIMIT_EXCEEDED").says(&wanted("H02", 200, None));
        assert!(limited.0 == Outcome::CannotTell && limited.1.contains("still limiting"), "{limited:?}");
    }

    #[test]
    fn no_answer_tells_nothing_unless_that_was_the_finding() {
        let contract = shipped();
        let trial = Trial::of(&contract, "CONVERSATION_NOT_FOUND");
        let (reset, cut) = (Failure::Reset, Failure::BodyCutShort { received: 4, reset: false });
        for (failure, reason) in [(reset, "no answer: connection reset"), (cut, "body cut short after 4 bytes")] {
            let replayed = trial.with(|answer, _| {
                let nothing = Judged::default();
                let answer = Answer { ending: Ending::Failed(failure), judged: &nothing, ..*answer };
                judge(&contract, &wanted("B03", 404, Some("CONVERSATION_NOT_FOUND")), &answer)
            });
            assert_eq!(replayed, Replayed::cannot_tell(reason));
        }
    }
}
