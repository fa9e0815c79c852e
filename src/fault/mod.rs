//! Which request is disturbed, and how: the decision, pure and keyed, that the proxy carries out.
//!
//! A [`FaultRule`] matches requests inside its windows, draws from the seed, and names an effect. A draw is a
//! function of (seed, rule, scenario, step, arrival, attempt) alone, never of the order in which tasks run. A rule is
//! known to the seed by its *name*, so that a rule added before it, or moved, changes no draw of it. What a decision
//! may depend on besides, the clock, the number of requests before it, what is spent of a limit, is kept in `active`
//! and `limiter`; how far a rule's decisions repeat all the same is its [`Level`]. What was decided goes into a `log`,
//! which another run can follow.
//!
//! What each trigger says yes to stands at the head of `trigger.rs`. An `exactly` is exact over the arrivals of one
//! (scenario, step): over any first *n* of them the hits differ from the share of *n* by less than one block, and a
//! window cuts at most one block at each of its ends. It is not exact for a later step that some sessions never reach,
//! nor where `match` looks at something that differs between arrivals of one step. In a session with somebody else's
//! client a route takes the place of scenario and step, and the number of the exchange that of the arrival.

mod active;
mod effect;
mod kind;
mod level;
mod limiter;
pub mod log;
mod matcher;
pub mod mutation;
mod trigger;
mod window;

use std::sync::Arc;

use http::{HeaderMap, Method};

pub use self::active::{Followed, Ledger, RuleCount};
pub use self::kind::{After, EventData, Fault, Pace, Respond, RetryAfterForm, StreamFault};
pub use self::level::{Course, Level};
pub use self::limiter::{KeyPart, Limiter, Told};
pub use self::log::Script;
pub use self::matcher::{BODY_LIMIT, BodyMatcher, key_of};
pub use self::window::{Requests, Window};

use crate::id::{AttemptNumber, RuleIx, ScenarioIx, StepIx};
use crate::seed::{Distribution, Seed};
use crate::throttle::Standing;
use crate::units::{Micros, Offset, Ratio};
use crate::wire::PathPattern;

/// All fault rules of a plan, in file order: the first that fires wins.
#[derive(Clone, Debug)]
pub struct FaultRules {
    pub seed: Seed,
    pub rules: Vec<FaultRule>,
    /// Decisions of an earlier run, which are taken instead of those that windows and draws would make.
    pub script: Option<Arc<Script>>,
}

/// One `[[fault]]` of the plan.
#[derive(Clone, Debug)]
pub struct FaultRule {
    pub name: String,
    pub matcher: Matcher,
    /// Open stretches of the run, half-open `[start, end)`, resolved from stages; empty only where the rule was switched off.
    pub windows: Vec<Window>,
    pub trigger: Trigger,
    pub per: Per,
    pub delay: Option<Distribution>,
    /// Instead of `delay`: from the first to the second, in a straight line over each window.
    pub delay_ramp: Option<(Micros, Micros)>,
    pub effect: Effect,
    /// What becomes of a sequence that is over.
    pub rest: Rest,
    /// At most so many attempts are disturbed at once; one more passes.
    pub max_active: Option<u32>,
    /// The rule in words, for the report (`30% of POST /v1/conversations**: RATE_LIMIT_EXCEEDED, Retry-After 2 s`).
    pub spec: String,
    /// What it does in words, one for every element of a sequence (`429 RATE_LIMIT_EXCEEDED`, `reset`, `pass`).
    pub words: Vec<String>,
}

/// Which requests a rule looks at; an empty list matches everything.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    pub methods: Vec<Method>,
    /// `*` is one segment, `**` any rest.
    pub path: Option<PathPattern>,
    /// All must hold: the header is present and its value matches the glob.
    pub headers: Vec<(http::HeaderName, String)>,
    /// All must hold: the query has this name with a value that matches the glob, both percent-decoded.
    pub query: Vec<(String, String)>,
    pub body: Option<BodyMatcher>,
    pub scenarios: Vec<ScenarioIx>,
}

/// The unit of a draw: what is disturbed or spared as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Every request on the wire by itself. What counts arrivals (`every`, `exactly`) hits the first attempt alone.
    Attempt,
    /// All attempts of a logical request alike.
    Exchange,
    /// All requests of one caller alike: those with the same credentials.
    Key,
    /// All requests of one step of one scenario alike.
    Route,
    /// All requests of the run alike; what counts arrivals counts those of all scenarios.
    Global,
}

/// When a matching request inside a window is disturbed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trigger {
    Always,
    /// A coin for every unit.
    Chance(Ratio),
    /// A coin for every unit whose chance goes from the first to the second, in a straight line over each window.
    Ramp(Ratio, Ratio),
    /// Exactly this share of arrivals, by permuted blocks.
    Exactly(Ratio),
    /// Every n-th arrival of its (scenario, step).
    Every(u64),
    /// The first n attempts of every exchange.
    FirstAttempts(u32),
}

/// What a rule does to the requests it hits.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Nothing but the rule's delay.
    DelayOnly,
    Fault(Fault),
    /// Attempt n of the exchange takes element n. Over a route, a key or the run, the n-th request that is hit does.
    Sequence(Vec<Element>),
    /// Whoever has spent a limit is refused; others pass.
    Limiter(Box<Limiter>),
}

/// What becomes of requests for which a sequence has no element left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rest {
    /// They take the last element again.
    #[default]
    RepeatLast,
    Pass,
}

/// One element of a sequence.
#[derive(Clone, Debug)]
pub enum Element {
    Pass,
    Fault(Fault),
    Delay(Distribution),
}

/// One attempt as the proxy sees it, before anything is done.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    pub scenario: ScenarioIx,
    pub step: StepIx,
    /// The arrival's number over the whole run, from 0.
    pub arrival: u64,
    /// The arrival's number among those of its scenario, from 0: what `every` and `exactly` count.
    pub ordinal: u64,
    /// The exchange's number over all of the run or session, from 0: what `every` counts with `per = "global"`. The
    /// same as `arrival`, but for a client that is not ours, whose `arrival` is what its draws depend on.
    pub overall: u64,
    pub attempt: AttemptNumber,
    /// What windows are compared with: the scheduled start for first attempts, the proxy's clock for retries.
    pub at: Offset,
    pub method: &'a Method,
    /// Without its query.
    pub path: &'a str,
    /// Without its question mark; empty where there is none.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    /// What the body begins with: up to [`BODY_LIMIT`] bytes. `None` where it was not read: see
    /// [`FaultRules::wants_body`].
    pub body: Option<&'a [u8]>,
    /// Who asks: [`key_of`] the credentials; 0 where there are none.
    pub key: u64,
    /// The client's address.
    pub address: core::net::IpAddr,
    /// The proxy's clock, which limits are kept by.
    pub now: Offset,
}

/// What is to be done to one attempt.
#[derive(Clone, Debug)]
pub struct Decision<'r> {
    pub rule: RuleIx,
    pub delay: Option<Micros>,
    /// How long the answer waits once the target has given it.
    pub delay_after: Option<Micros>,
    pub action: Action<'r>,
}

/// The part of a decision that is not a delay.
#[derive(Clone, Copy, Debug)]
pub enum Action<'r> {
    Forward,
    Fault(&'r Fault),
    /// Refused, for the limit is spent.
    Refuse(&'r Limiter, Standing),
}

impl FaultRules {
    /// Rules that decide by themselves.
    pub const fn new(seed: Seed, rules: Vec<FaultRule>) -> FaultRules {
        FaultRules { seed, rules, script: None }
    }

    /// The first rule in file order that fires for this attempt.
    ///
    /// `None` where the attempt is left alone: no rule fired, or a sequence came to its `pass`, or one more would
    /// have been too many at once; the latter two end the search as well. Rules after the one that fired are not
    /// looked at, and not counted. Where a rule limits how many are active at once, the attempt counts as such until
    /// [`Ledger::ended`].
    pub fn decide(&self, seen: &Sighting<'_>, ledger: &mut Ledger) -> Option<Decision<'_>> {
        ledger.open(seen);
        if let Some(script) = &self.script {
            return self.follow(script, seen, ledger);
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.effect.is_of_handshake() || !rule.open_at(seen.at) || !rule.matches(seen) {
                continue;
            }
            let ix = RuleIx::from(index);
            let Some(progress) = ledger.admit(ix, rule, seen.at) else { continue };
            ledger.eligible(ix);
            if !rule.says_yes(self.seed, seen, progress) {
                continue;
            }
            match &rule.effect {
                // Whoever it lets pass, other rules may disturb.
                Effect::Limiter(limiter) => match limited(ix, limiter, seen, ledger) {
                    Some(refused) => return Some(refused),
                    None => continue,
                },
                _ => return self.done(ix, rule, seen, progress, ledger),
            }
        }
        None
    }

    /// What a rule does to an attempt that asks for it by name, whatever the rule matches and whenever it is open; one
    /// that was switched off has no window left, and does nothing.
    pub fn ordered(&self, ix: RuleIx, seen: &Sighting<'_>, ledger: &mut Ledger) -> Option<Decision<'_>> {
        let rule = self.rules.get(ix.at()).filter(|rule| !rule.effect.is_of_handshake() && !rule.windows.is_empty())?;
        ledger.open(seen);
        ledger.eligible(ix);
        match &rule.effect {
            Effect::Limiter(limiter) => limited(ix, limiter, seen, ledger),
            _ => self.done(ix, rule, seen, 0.0, ledger),
        }
    }

    fn done<'r>(
        &'r self,
        ix: RuleIx,
        rule: &'r FaultRule,
        seen: &Sighting<'_>,
        progress: f64,
        ledger: &mut Ledger,
    ) -> Option<Decision<'r>> {
        let element = rule.element_at(ledger.place(ix, rule, seen));
        let Some((action, delay)) = rule.done_by(element) else {
            ledger.passed(ix, element);
            return None;
        };
        if !ledger.planned(ix, element, rule.max_active) {
            return None;
        }
        let delay = match (delay, rule.delay_ramp) {
            (Some(spread), _) => Some(spread.sample(rule.delay_draw(self.seed, seen))),
            (None, Some((from, to))) => Some(window::between(from, to, progress)),
            (None, None) => None,
        };
        let delay_after = action.delay_after().map(|spread| spread.sample(rule.delay_after_draw(self.seed, seen)));
        ledger.delayed(delay, delay_after);
        Some(Decision { rule: ix, delay, delay_after, action })
    }

    /// What the script says about this attempt; one that it does not know passes.
    fn follow(&self, script: &Script, seen: &Sighting<'_>, ledger: &mut Ledger) -> Option<Decision<'_>> {
        let about = (seen.arrival, seen.scenario.0, seen.step.0, seen.attempt.0);
        let Some((place, entry)) = script.about(about) else {
            let of_mine = |rule: &FaultRule| !rule.effect.is_of_handshake() && rule.open_at(seen.at) && rule.matches(seen);
            ledger.unknown(self.rules.iter().any(of_mine));
            return None;
        };
        let rule = self.rules.get(entry.rule.at())?;
        ledger.follow(place, entry, self.rules.len(), rule.max_active.is_some());
        if let (Effect::Limiter(limiter), log::Verdict::Disturbed) = (&rule.effect, entry.verdict) {
            return Some(Decision { rule: entry.rule, delay: None, delay_after: None, action: Action::Refuse(limiter, limiter.empty()) });
        }
        let (action, _) = rule.done_by(usize::from(entry.element)).filter(|_| entry.verdict == log::Verdict::Disturbed)?;
        Some(Decision { rule: entry.rule, delay: entry.delay, delay_after: entry.delay_after, action })
    }

    /// An empty ledger for these rules.
    pub fn ledger(&self) -> Ledger {
        Ledger::new(self)
    }

    /// Whether a rule that may fire for this request asks what is in its body, so that it must be read first.
    pub fn wants_body(&self, seen: &Sighting<'_>) -> bool {
        let wants = |rule: &FaultRule| rule.matcher.body.is_some() && rule.open_at(seen.at) && rule.matcher.matches_head(seen);
        self.script.is_none() && self.rules.iter().any(wants)
    }

    /// The first rule in file order that refuses connections at some moment between these two.
    pub fn refusing_between(&self, from: Offset, to: Offset) -> Option<RuleIx> {
        let open = |rule: &FaultRule| rule.windows.iter().any(|window| window.start <= to && from < window.end);
        let refuses = |rule: &FaultRule| matches!(rule.effect, Effect::Fault(Fault::Refuse)) && open(rule);
        self.rules.iter().position(refuses).map(RuleIx::from)
    }

    /// The first rule in file order that makes TLS handshakes fail at this moment.
    pub fn failing_tls_at(&self, at: Offset) -> Option<RuleIx> {
        let fails = |rule: &FaultRule| matches!(rule.effect, Effect::Fault(Fault::TlsFailure)) && rule.open_at(at);
        self.rules.iter().position(fails).map(RuleIx::from)
    }

    /// What was decided about an attempt as one number; the sum of many does not depend on their order.
    ///
    /// Equal plans and seeds give equal sums over equal attempts: `run.decisions_digest`.
    pub fn fingerprint(&self, seen: &Sighting<'_>, decision: Option<&Decision<'_>>) -> u64 {
        let who = Seed(0).draw("decision").with(seen.arrival).with(u64::from(seen.scenario.0)).with(u64::from(seen.step.0));
        let Some(decision) = decision else { return who.bits() };
        let (kind, detail) = decision.action.word();
        let delay = decision.delay.map_or(0, |delay| delay.0.saturating_add(1));
        let what = who.with(u64::from(decision.rule.0)).with(kind).with(detail).with(delay);
        decision.delay_after.map_or(what, |delay| what.with(delay.0)).bits()
    }
}

/// What a limiter decides: `None` where it lets the request pass.
fn limited<'r>(ix: RuleIx, limiter: &'r Limiter, seen: &Sighting<'_>, ledger: &mut Ledger) -> Option<Decision<'r>> {
    let standing = ledger.refuses(ix, limiter, seen)?;
    ledger.planned(ix, 0, None);
    Some(Decision { rule: ix, delay: None, delay_after: None, action: Action::Refuse(limiter, standing) })
}

impl FaultRule {
    /// A rule that does this to every request, at any time: what the plan does not say.
    pub fn new(name: &str, effect: Effect) -> FaultRule {
        FaultRule {
            name: name.to_owned(),
            matcher: Matcher::default(),
            windows: vec![Window::between(Offset::START, Offset(Micros(u64::MAX)))],
            trigger: Trigger::Always,
            per: Per::Attempt,
            delay: None,
            delay_ramp: None,
            effect,
            rest: Rest::RepeatLast,
            max_active: None,
            spec: String::new(),
            words: Vec::new(),
        }
    }

    /// Whether the rule looks at this request at all, whenever it comes.
    pub fn matches(&self, seen: &Sighting<'_>) -> bool {
        self.matcher.matches(seen)
    }

    /// Whether the rule may fire at this moment, as far as time goes.
    pub fn open_at(&self, at: Offset) -> bool {
        self.windows.iter().any(|window| window.holds(at))
    }
}
