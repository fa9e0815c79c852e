//! A rule in words, for the report.

use http::Method;

use super::Surroundings;
use crate::fault::{Effect, Element, Fault, Matcher, Respond, Trigger};
use crate::plan::lower::contract::Lowered as ContractLowered;
use crate::plan::lower::spread;
use crate::seed::Distribution;
use crate::units::Size;
use crate::wire::PathPattern;

/// `30 % of POST /v1/conversations**: RATE_LIMIT_EXCEEDED, Retry-After 2 s`
pub(super) fn in_words(
    matcher: &Matcher,
    trigger: Trigger,
    delay: Option<&Distribution>,
    effect: &Effect,
    around: &Surroundings<'_>,
) -> String {
    let mut what: Vec<String> = delay.iter().map(|delay| format!("delay {}", spread::in_words(delay))).collect();
    match effect {
        Effect::DelayOnly => {}
        Effect::Fault(fault) => what.push(fault_in_words(fault, around)),
        Effect::Sequence(elements) => {
            let words = elements.iter().map(|element| match element {
                Element::Pass => "pass".to_owned(),
                Element::Fault(fault) => fault_in_words(fault, around),
                Element::Delay(delay) => format!("delay {}", spread::in_words(delay)),
            });
            what.push(words.collect::<Vec<_>>().join(" → "));
        }
    }
    let share = match trigger {
        Trigger::Always => "all".to_owned(),
        Trigger::Chance(share) => share.to_string(),
        Trigger::Ramp(from, to) => format!("{from} to {to}"),
        Trigger::Exactly(share) => format!("exactly {share}"),
        Trigger::Every(n) => format!("every {n}th"),
        Trigger::FirstAttempts(n) => format!("the first {n} attempts"),
    };
    let methods = matcher.methods.iter().map(Method::as_str).collect::<Vec<_>>().join("|");
    let path = matcher.path.as_ref().map_or("", PathPattern::as_str);
    let scenarios = matcher.scenarios.iter().map(|ix| around.names.scenarios[ix.at()].0.as_str()).collect::<Vec<_>>().join("|");
    let of: Vec<&str> = [methods.as_str(), path, scenarios.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
    let of = if of.is_empty() { "requests".to_owned() } else { of.join(" ") };
    format!("{share} of {of}: {}", what.join(", "))
}

fn fault_in_words(fault: &Fault, around: &Surroundings<'_>) -> String {
    match fault {
        Fault::Respond(respond) => respond_in_words(respond, around),
        Fault::Reset { after } => cut_in_words("reset", *after),
        Fault::Cut { after } => cut_in_words("cut", *after),
    }
}

fn respond_in_words(respond: &Respond, around: &Surroundings<'_>) -> String {
    match (respond, around.contract) {
        (Respond::Error { row, retry_after, .. }, ContractLowered::Sound(using)) => {
            let row = &using.contract.rows[row.at()];
            let hint = retry_after.map(|wait| format!(", Retry-After {wait}")).unwrap_or_default();
            if row.any_code { format!("{}{hint}", row.status) } else { format!("{} {}{hint}", row.status, row.code) }
        }
        (Respond::Error { .. }, _) => "an error".to_owned(),
        (Respond::Literal { status, .. }, _) => status.to_string(),
    }
}

fn cut_in_words(verb: &str, after: Size) -> String {
    if after == Size(0) { verb.to_owned() } else { format!("{verb} after {after}") }
}
