//! A rule in words, for the report.

use http::Method;

use super::Surroundings;
use crate::fault::{
    After, Effect, Element, EventData, Fault, FaultRule, KeyPart, Limiter, Matcher, Per, Respond, Rest, StreamFault, Trigger,
};
use crate::plan::lower::contract::Lowered as ContractLowered;
use crate::plan::lower::spread;
use crate::throttle::{Algorithm, Allowance};
use crate::units::Size;
use crate::wire::PathPattern;

/// What a rule does, one text for every element of a sequence: `429 RATE_LIMIT_EXCEEDED, Retry-After 2 s`.
pub(super) fn done_in_words(rule: &FaultRule, around: &Surroundings<'_>) -> Vec<String> {
    match &rule.effect {
        Effect::DelayOnly => vec![delay_in_words(rule).unwrap_or_default()],
        Effect::Limiter(limiter) => vec![limiter_in_words(limiter, around)],
        Effect::Fault(fault) => vec![fault_in_words(fault, around)],
        Effect::Sequence(elements) => {
            let words = elements.iter().map(|element| match element {
                Element::Pass => "pass".to_owned(),
                Element::Fault(fault) => fault_in_words(fault, around),
                Element::Delay(delay) => format!("delay {}", spread::in_words(delay)),
            });
            words.collect()
        }
    }
}

fn delay_in_words(rule: &FaultRule) -> Option<String> {
    let ramp = rule.delay_ramp.map(|(from, to)| format!("delay {from} -> {to}"));
    rule.delay.as_ref().map(|delay| format!("delay {}", spread::in_words(delay))).or(ramp)
}

/// `30 % of POST /v1/conversations**: 429 RATE_LIMIT_EXCEEDED, Retry-After 2 s`
pub(super) fn in_words(rule: &FaultRule, around: &Surroundings<'_>) -> String {
    if let Effect::Fault(fault @ (Fault::Refuse | Fault::TlsFailure)) = &rule.effect {
        return format!("connections: {}", fault_in_words(fault, around));
    }
    let mut what: Vec<String> = delay_in_words(rule).into_iter().collect();
    match rule.effect {
        Effect::DelayOnly => {}
        Effect::Fault(_) | Effect::Limiter(_) => what.extend(rule.words.iter().cloned()),
        Effect::Sequence(_) => what.push(sequence_in_words(rule)),
    }
    let share = match rule.trigger {
        Trigger::Always => "all".to_owned(),
        Trigger::Chance(share) => share.to_string(),
        Trigger::Ramp(from, to) => format!("{from} -> {to}"),
        Trigger::Exactly(share) => format!("exactly {share}"),
        Trigger::Every(n) => format!("every {n}th"),
        Trigger::FirstAttempts(n) => format!("the first {n} attempts"),
    };
    let most = rule.max_active.map(|most| format!(", at most {most} at once")).unwrap_or_default();
    format!("{share} of {}: {}{most}", looked_at_in_words(&rule.matcher, around), what.join(", "))
}

fn sequence_in_words(rule: &FaultRule) -> String {
    let over = match rule.per {
        Per::Attempt | Per::Exchange => "",
        Per::Key => " by key",
        Per::Route => " by route",
        Per::Global => " over all",
    };
    let then = if rule.rest == Rest::Pass { " → pass" } else { "" };
    format!("{}{then}{over}", rule.words.join(" → "))
}

fn looked_at_in_words(matcher: &Matcher, around: &Surroundings<'_>) -> String {
    let methods = matcher.methods.iter().map(Method::as_str).collect::<Vec<_>>().join("|");
    let path = matcher.path.as_ref().map_or("", PathPattern::as_str).to_owned();
    let scenarios = matcher.scenarios.iter().map(|ix| around.names.scenarios[ix.at()].0.as_str()).collect::<Vec<_>>().join("|");
    let mut of = vec![methods, path];
    // What stands in headers, queries and bodies may be nobody else's business.
    of.extend(matcher.query.iter().map(|(name, _)| format!("?{name}")));
    of.extend(matcher.headers.iter().map(|(name, _)| format!("with {name}")));
    of.extend(matcher.body.is_some().then(|| "by body".to_owned()));
    of.push(scenarios);
    of.retain(|part| !part.is_empty());
    if of.is_empty() { "requests".to_owned() } else { of.join(" ") }
}

/// `token bucket of 20 in 1s by authorization, else 429 RATE_LIMIT_EXCEEDED`
fn limiter_in_words(limiter: &Limiter, around: &Surroundings<'_>) -> String {
    let kept = match limiter.algorithm {
        Algorithm::TokenBucket => "token bucket",
        Algorithm::Gcra => "GCRA",
        Algorithm::FixedWindow => "fixed window",
        Algorithm::SlidingWindow => "sliding window",
    };
    let parts = limiter.key.iter().map(|part| match part {
        KeyPart::Header(name) => name.as_str(),
        KeyPart::Address => "address",
        KeyPart::Route => "route",
    });
    let parts: Vec<&str> = parts.collect();
    let by = if parts.is_empty() { String::new() } else { format!(" by {}", parts.join(" and ")) };
    let Allowance { limit, window } = limiter.allowance;
    format!("{kept} of {limit} in {window}{by}, else {}", respond_in_words(&limiter.refusal, around))
}

fn fault_in_words(fault: &Fault, around: &Surroundings<'_>) -> String {
    match fault {
        Fault::Respond(respond) => respond_in_words(respond, around),
        Fault::Corrupt(mutation) => format!("the answer with {}", mutation.name),
        Fault::Reset { after } => ended_in_words("reset", *after),
        Fault::Cut { after } => ended_in_words("cut", *after),
        Fault::HalfClose { after } => ended_in_words("half close", *after),
        Fault::ResetStream { after } => ended_in_words("stream reset", *after),
        Fault::DelayAfterUpstream(spread) => format!("delay {} after upstream", spread::in_words(spread)),
        Fault::SlowBody(pace) => format!("body in pieces of {} every {}", Size(pace.bytes), pace.every),
        Fault::Stall { after, lasting } => {
            let lasting = lasting.map(|span| format!(" for {span}")).unwrap_or_default();
            format!("stall after {after}{lasting}")
        }
        Fault::BlackHole => "silence".to_owned(),
        Fault::Refuse => "refused".to_owned(),
        Fault::TlsFailure => "handshake failure".to_owned(),
        Fault::TruncateChunked { after: None } => "chunks without the last one".to_owned(),
        Fault::TruncateChunked { after: Some(after) } => format!("chunks that end after {after}"),
        Fault::ContentLength { off_by } => format!("Content-Length off by {off_by:+}"),
        Fault::BadChunk { after } => format!("a malformed chunk after {after}"),
        Fault::Stream(stream) => stream_in_words(stream, around),
        Fault::DropAfterUpstream => "answer of upstream dropped".to_owned(),
        Fault::ResetAfterUpstream => "answer of upstream lost by reset".to_owned(),
        Fault::GoAway => "GOAWAY".to_owned(),
        Fault::RefusedStream => "REFUSED_STREAM".to_owned(),
    }
}

fn stream_in_words(stream: &StreamFault, around: &Surroundings<'_>) -> String {
    match (stream, around.contract) {
        (StreamFault::CutAfterEvents(events), _) => format!("stream cut after {events} events"),
        (StreamFault::CutAfterTime(time), _) => format!("stream cut after {time}"),
        (StreamFault::DropDone(done), _) => format!("stream without {done}"),
        (StreamFault::ErrorEvent { at, data: EventData::Error(row), .. }, ContractLowered::Sound(using)) => {
            format!("event {at} of the stream is {}", using.contract.rows[row.at()].code)
        }
        (StreamFault::ErrorEvent { at, .. }, _) => format!("event {at} of the stream is an error"),
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
        (Respond::Wrong { answer, mutation }, _) => format!("{}, {}", respond_in_words(answer, around), mutation.name),
    }
}

fn ended_in_words(verb: &str, after: After) -> String {
    match after {
        After::Nothing => verb.to_owned(),
        After::Headers => format!("{verb} after the headers"),
        After::Bytes(size) => format!("{verb} after {size}"),
    }
}
