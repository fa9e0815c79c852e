//! Which probes a plan and its contract call for.
//!
//! Decided before anything is sent: templates are filled with nothing captured, only to see what their requests are made
//! of. What the contract or the plan spells out comes after the mistakes in steps, and bursts come last, since they use up
//! limits that others need.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value as Json;

use super::aim::{accept, aims, is_of, tolerated};
use super::member;
use super::request::{Valid, carries_credentials};
use super::{CANARY, Detail, From, Mistake, Needs, Probe};
use crate::contract::probed::Credentials;
use crate::contract::provoke::{ProbeSpec, Who};
use crate::contract::{Contract, Provoke, Statuses};
use crate::id::{RowIx, ScenarioIx, ServiceIx, StageIx, StepIx};
use crate::plan::{Fill, Piece, Plan, ProbeSettings, Step};
use crate::record::How;
use crate::units::Offset;
use crate::workload::{Memory, Visit, Workload};

/// Members of one body that are given another type at most.
const WRONG_TYPES: usize = 4;

/// What is to be sent, and what nothing will be sent for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Battery {
    /// In the order in which they are sent.
    pub probes: Vec<Probe>,
    /// Documented errors that nothing is aimed at.
    pub unprovoked: Vec<Unprovoked>,
    /// Steps that are sent in order, as they are, to learn what a valid answer is.
    pub steps: u32,
    /// Probes that are left out for want of consent, with what they would need.
    pub refused: Vec<(String, Needs)>,
}

/// A documented error that nothing is aimed at, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unprovoked {
    pub row: RowIx,
    pub why: String,
}

impl Battery {
    /// Requests it takes at most, once.
    pub fn requests(&self) -> u32 {
        self.probes.iter().map(|probe| probe.requests).fold(self.steps, u32::saturating_add)
    }

    /// Whether anything is aimed at a documented error.
    pub fn aims_at(&self, row: RowIx) -> bool {
        self.probes.iter().any(|probe| probe.aims.contains(&row))
    }
}

/// The probes of a plan; empty without a contract.
pub fn battery(plan: &Arc<Plan>, settings: &ProbeSettings) -> Battery {
    let Some(used) = &plan.contract else { return Battery::default() };
    let mut making = Making { plan, settings, contract: &used.contract, seen: HashSet::new(), all: Vec::new() };
    let steps = making.steps();
    let bodies: Vec<Look> = steps.iter().filter(|look| making.seen.insert(look.name.clone())).cloned().collect();
    for look in &bodies {
        making.bodies(look);
        making.resources(look);
        making.access(look);
    }
    making.once_per_service(&bodies);
    making.spelled_out(&bodies);
    let mut all = making.all;
    all.retain(|probe| !settings.skip.contains(&probe.mistake));
    all.sort_by_key(|probe| (matches!(probe.from, From::Row(_) | From::Aim(_)), probe.needs.floods));
    let (probes, refused): (Vec<Probe>, Vec<Probe>) =
        all.into_iter().partition(|probe| (settings.writes || !probe.needs.writes) && (settings.floods || !probe.needs.floods));
    let mut battery = Battery {
        probes,
        unprovoked: Vec::new(),
        steps: u32::try_from(steps.len()).unwrap_or(u32::MAX),
        refused: refused.iter().map(|probe| (probe.id.clone(), probe.needs)).collect(),
    };
    battery.unprovoked = unprovoked(&used.contract, settings, &battery, &refused);
    battery
}

/// Why nothing is aimed at some rows.
fn unprovoked(contract: &Contract, settings: &ProbeSettings, battery: &Battery, refused: &[Probe]) -> Vec<Unprovoked> {
    let why = |ix: RowIx| {
        let row = contract.row(ix);
        if let Some(probe) = refused.iter().find(|probe| probe.aims.contains(&ix)) {
            let key = if probe.needs.floods { "floods" } else { "writes" };
            return format!("it needs consent: `{key} = true` in [probe]");
        }
        let spec = settings.aims.iter().find(|aim| aim.row == ix).map(|aim| &aim.spec).or(row.probe.as_ref());
        let stranger =
            spec.and_then(|spec| spec.identities().find(|name| settings.identities.iter().all(|identity| identity.name != *name)));
        if let Some(name) = stranger {
            return format!("it needs credentials: `[probe.identity.{name}]`");
        }
        match &row.provoke {
            Some(Provoke::Hook(Some(name))) => format!("it needs the hook `{name}`: `[probe.hook.{name}]`"),
            Some(Provoke::Hook(None)) => "only a hook in the target can bring it about".to_owned(),
            Some(Provoke::Fault(_)) => "only a fault behind the target can bring it about".to_owned(),
            Some(Provoke::None) => "the contract says that nothing brings it about".to_owned(),
            None | Some(Provoke::Probe) => "no request of this plan can be made wrong in this way; the row could have a `probe`".to_owned(),
        }
    };
    let rows = (0..contract.rows.len()).map(RowIx::from);
    let open = rows.filter(|&ix| contract.row(ix).excluded.is_none() && !battery.aims_at(ix));
    open.map(|row| Unprovoked { row, why: why(row) }).collect()
}

/// A step, looked at.
#[derive(Clone)]
struct Look {
    at: (ScenarioIx, StepIx),
    /// `scenario/step`
    name: String,
    /// Method and path as the plan writes it, captures as `{}`.
    operation: String,
    valid: Valid,
    json: Option<Json>,
    service: Option<ServiceIx>,
    /// Slots of captures in the path.
    slots: Vec<usize>,
    protected: bool,
}

struct Making<'p> {
    plan: &'p Arc<Plan>,
    settings: &'p ProbeSettings,
    contract: &'p Contract,
    seen: HashSet<String>,
    all: Vec<Probe>,
}

impl Making<'_> {
    fn steps(&self) -> Vec<Look> {
        let workload = Workload::new(self.plan, "", "");
        let scenarios = self.plan.scenarios.iter().enumerate();
        scenarios
            .flat_map(|(s, scenario)| {
                scenario.steps.iter().enumerate().map(move |(ix, step)| (ScenarioIx::from(s), StepIx::from(ix), step))
            })
            .map(|(scenario, ix, step)| {
                let visit = Visit { arrival: 0, ordinal: 0, scenario, stage: StageIx(0), at: Offset::START };
                let valid = Valid::of(&step.method, &workload.request(&visit, ix, &Memory::default()));
                self.look((scenario, ix), step, valid)
            })
            .collect()
    }

    fn look(&self, at: (ScenarioIx, StepIx), step: &Step, valid: Valid) -> Look {
        let slots = step.path.pieces.iter().filter_map(|piece| match piece {
            Piece::Fill(Fill::Capture(slot), _) => Some(*slot),
            _ => None,
        });
        let public = self.settings.public.contains(&step.operation);
        Look {
            at,
            name: step.operation.clone(),
            operation: format!("{} {}", step.method, shown(step)),
            json: serde_json::from_slice::<Json>(&valid.body).ok().filter(|json| json.is_object() || json.is_array()),
            service: self.contract.service_of(valid.path()),
            slots: slots.collect(),
            protected: !public && valid.headers.iter().any(|(name, _)| carries_credentials(name)),
            valid,
        }
    }

    /// Mistakes in bodies.
    fn bodies(&mut self, look: &Look) {
        if look.json.is_some() {
            for mistake in [Mistake::TruncatedJson, Mistake::WrongRoot, Mistake::EmptyBody] {
                self.add(look, mistake, Detail::None, None);
            }
            if look.json.as_ref().and_then(Json::as_object).is_some_and(|object| object.values().any(Json::is_string)) {
                self.add(look, Mistake::NulByte, Detail::None, None);
                self.add(look, Mistake::InvalidUtf8, Detail::None, None);
            }
            if look.json.as_ref().and_then(Json::as_object).is_some_and(|object| !object.is_empty()) {
                self.add(look, Mistake::DuplicateKey, Detail::None, None);
            }
            let typed = look.json.as_ref().and_then(Json::as_object).into_iter().flatten();
            // An object may be free in form, and null may be anything.
            let plain = typed.filter(|(_, value)| !value.is_object() && !value.is_null()).take(WRONG_TYPES);
            for name in plain.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
                self.add(look, Mistake::WrongType, Detail::Member(vec![name.clone()]), Some(&name));
            }
            for ix in 0..self.settings.fields.len() {
                self.rule(look, ix);
            }
        }
        if !look.valid.body.is_empty() {
            for mistake in [Mistake::UnknownContentType, Mistake::MissingContentType, Mistake::UnknownEncoding] {
                self.add(look, mistake, Detail::None, None);
            }
        }
    }

    /// What the plan knows about a member.
    fn rule(&mut self, look: &Look, ix: usize) {
        let rule = &self.settings.fields[ix];
        let present = look.json.as_ref().is_some_and(|json| member::get(json, &member::way(&rule.name)).is_some());
        if rule.operation != look.name || !present {
            return;
        }
        let name = rule.name.clone();
        let kinds = [
            (Mistake::MissingField, rule.required),
            (Mistake::BadEnum, !rule.one_of.is_empty()),
            (Mistake::OutOfRange, rule.min.is_some() || rule.max.is_some()),
            (Mistake::TooLong, rule.max_len.is_some()),
        ];
        for (mistake, _) in kinds.into_iter().filter(|(_, known)| *known) {
            self.add(look, mistake, Detail::Rule(ix), Some(&name));
        }
    }

    /// Mistakes in who asks.
    fn access(&mut self, look: &Look) {
        if look.protected {
            self.add(look, Mistake::NoCredentials, Detail::None, None);
        }
        let stranger = ["other", "weak"].iter().find_map(|name| self.identity(name));
        // Somebody else's request may be granted by mistake: it must not be one that changes anything.
        let harmless = look.valid.method == "GET" && !look.slots.is_empty() && look.protected;
        if let Some(identity) = stranger.filter(|_| harmless) {
            self.add(look, Mistake::ForeignIdentity, Detail::Identity(identity), None);
        }
    }

    /// Mistakes in what is asked for.
    fn resources(&mut self, look: &Look) {
        for slot in look.slots.clone() {
            self.add(look, Mistake::UnknownId, Detail::Slot(slot), None);
        }
        if ["PUT", "PATCH"].contains(&look.valid.method.as_str()) && !look.slots.is_empty() {
            self.add(look, Mistake::StalePrecondition, Detail::None, None);
        }
        if look.valid.method == "POST" && look.json.is_some() && look.slots.is_empty() {
            // Only where somebody says that things here can be there already.
            let accept = accept(Mistake::CreatedTwice, self.contract, look.service);
            if !aims(&accept, self.contract, look.service, look.valid.path(), self.settings).is_empty() {
                self.add(look, Mistake::CreatedTwice, Detail::None, None);
            }
        }
        if look.slots.is_empty() && self.seen.insert(format!("methods of {}", look.valid.path())) {
            let method = self.undocumented_method(look.valid.path()).unwrap_or("TRACE");
            self.add(look, Mistake::WrongMethod, Detail::Method(method), None);
        }
    }

    /// A method that the contract lists other operations for, but not this: without such a list nothing can be known.
    fn undocumented_method(&self, path: &str) -> Option<&'static str> {
        let here: Vec<_> =
            self.contract.operations.iter().map(|entry| &entry.operation).filter(|operation| operation.path.matches(path)).collect();
        if here.is_empty() || here.iter().any(|operation| operation.method.is_none()) {
            return None;
        }
        let planned = |method: &str| {
            self.plan.scenarios.iter().flat_map(|scenario| &scenario.steps).any(|step| step.method == method && shown(step) == path)
        };
        let documented = |method: &str| here.iter().any(|operation| operation.method.as_ref().is_some_and(|known| known == method));
        ["PUT", "PATCH", "DELETE", "POST"].into_iter().find(|method| !documented(method) && !planned(method))
    }

    /// Mistakes that a service has one answer to, whatever the operation: sent to one that only reads, if there is one.
    fn once_per_service(&mut self, looks: &[Look]) {
        let mut services: Vec<Option<ServiceIx>> = looks.iter().map(|look| look.service).collect();
        services.sort_unstable();
        services.dedup();
        for service in services {
            let of = || looks.iter().filter(|look| look.service == service);
            let reading = of()
                .find(|look| look.valid.method == "GET" && look.slots.is_empty())
                .or_else(|| of().find(|look| look.valid.method == "GET"));
            let Some(look) = reading.or_else(|| of().next()) else { continue };
            for mistake in [Mistake::UnknownRoute, Mistake::UnknownMethod, Mistake::NotAcceptable] {
                self.add(look, mistake, Detail::None, None);
            }
            if look.valid.method == "GET" {
                for mistake in [Mistake::LongQuery, Mistake::LongHeader, Mistake::AbsurdRange, Mistake::UnknownExpectation] {
                    self.add(look, mistake, Detail::None, None);
                }
            }
            if let Some(look) = of().find(|look| look.protected && look.valid.header("authorization").is_some()) {
                let expired = self.identity("expired").map_or(Detail::None, Detail::Identity);
                for (mistake, detail) in [
                    (Mistake::WrongScheme, Detail::None),
                    (Mistake::GarbageToken, Detail::None),
                    (Mistake::ExpiredToken, expired),
                    (Mistake::UnsignedToken, Detail::None),
                ] {
                    self.add(look, mistake, detail, None);
                }
            }
            if let Some(look) = of().find(|look| look.json.is_some()) {
                self.add(look, Mistake::AnnouncedTooLarge, Detail::None, None);
                self.add(look, Mistake::TooLarge, Detail::None, None);
            }
        }
    }

    fn identity(&self, name: &str) -> Option<usize> {
        self.settings.identities.iter().position(|identity| identity.name == name)
    }

    /// Adds a mistake in a step's request.
    fn add(&mut self, look: &Look, mistake: Mistake, detail: Detail, field: Option<&str>) {
        let accept = accept(mistake, self.contract, look.service);
        let told_apart = match &detail {
            Detail::Member(way) => format!(":{}", way.join(".")),
            Detail::Rule(ix) => format!(":{}", self.settings.fields[*ix].name),
            Detail::Slot(slot) if look.slots.len() > 1 => format!(":{}", look.slots.iter().position(|one| one == slot).unwrap_or(0) + 1),
            _ => String::new(),
        };
        let credentials = match mistake {
            Mistake::NoCredentials => Credentials::None,
            Mistake::WrongScheme | Mistake::GarbageToken | Mistake::ExpiredToken | Mistake::UnsignedToken => Credentials::Bad,
            Mistake::ForeignIdentity => Credentials::Weak,
            _ => Credentials::Good,
        };
        let unsafe_method = matches!(detail, Detail::Method(method) if method != "TRACE");
        self.all.push(Probe {
            id: format!("{}:{}{told_apart}", look.name, mistake.word()),
            operation: look.operation.clone(),
            from: From::Step(look.at.0, look.at.1),
            mistake,
            detail,
            aims: aims(&accept, self.contract, look.service, look.valid.path(), self.settings),
            accept,
            tolerated: tolerated(mistake),
            client_fault: true,
            field: field.map(str::to_owned),
            canary: matches!(mistake, Mistake::GarbageToken | Mistake::BadEnum).then_some(CANARY),
            credentials,
            needs: Needs { writes: mistake == Mistake::CreatedTwice || unsafe_method, floods: mistake == Mistake::TooLarge },
            how: How::Probe,
            hook: None,
            requests: if mistake == Mistake::CreatedTwice { 2 } else { 1 },
        });
    }

    /// What rows and `[[probe.aim]]` spell out, and valid requests while a hook is on.
    fn spelled_out(&mut self, looks: &[Look]) {
        for ix in (0..self.contract.rows.len()).map(RowIx::from) {
            let row = self.contract.row(ix);
            let aim = self.settings.aims.iter().position(|aim| aim.row == ix);
            let named = match &row.provoke {
                Some(Provoke::Hook(Some(name))) => self.settings.hooks.iter().position(|hook| hook.name == *name),
                _ => None,
            };
            let hook = aim.and_then(|aim| self.settings.aims[aim].hook).or(named);
            let spec = aim.map(|aim| &self.settings.aims[aim].spec).or(row.probe.as_ref());
            let stays_out = row.excluded.is_some() || (matches!(row.provoke, Some(Provoke::Hook(_))) && hook.is_none() && spec.is_none());
            let of_row = || looks.iter().filter(|look| is_of(row, look.service, self.contract));
            // A request that needs nothing captured, and reads if possible.
            let simple = || of_row().filter(|look| look.slots.is_empty()).min_by_key(|look| look.valid.method != "GET");
            match spec {
                _ if stays_out => {}
                Some(spec) => {
                    let from = aim.map_or(From::Row(ix), From::Aim);
                    let (from, operation) = match (&spec.request, spec.burst.and_then(|_| simple())) {
                        (Some(ask), _) => (from, format!("{} {}", ask.method, ask.target)),
                        (None, Some(look)) => (From::Step(look.at.0, look.at.1), look.operation.clone()),
                        (None, None) => continue,
                    };
                    self.spell(ix, spec, from, operation, hook);
                }
                None => {
                    if let (Some(hook), Some(look)) = (hook, simple()) {
                        let (from, operation) = (From::Step(look.at.0, look.at.1), look.operation.clone());
                        self.spell(ix, &ProbeSpec { repeat: 1, ..ProbeSpec::default() }, from, operation, Some(hook));
                    }
                }
            }
        }
    }

    fn spell(&mut self, ix: RowIx, spec: &ProbeSpec, from: From, operation: String, hook: Option<usize>) {
        if spec.identities().any(|name| self.identity(name).is_none()) {
            return;
        }
        let row = self.contract.row(ix);
        let mistake = match (spec.burst, &spec.request) {
            (Some(_), _) => Mistake::Burst,
            (None, None) => Mistake::Hooked,
            (None, Some(_)) => Mistake::Documented,
        };
        let accept = match row.statuses {
            Statuses::Exact(status) => std::iter::once(status).chain(spec.accept.iter().copied()).collect(),
            Statuses::Class(_) | Statuses::Default => spec.accept.clone(),
        };
        let credentials = match spec.request.as_ref().map(|ask| &ask.who) {
            Some(Who::Nobody) => Credentials::None,
            Some(Who::Named(name)) if name == "weak" => Credentials::Weak,
            Some(Who::Named(name)) if name == "expired" => Credentials::Bad,
            // An error about who asks is no contradiction to credentials that are good for something else.
            _ if row.status == 403 => Credentials::Weak,
            _ => Credentials::Good,
        };
        self.all.push(Probe {
            id: format!("row:{}", row.key),
            operation,
            from,
            mistake,
            detail: Detail::None,
            aims: vec![ix],
            accept,
            tolerated: false,
            client_fault: row.status < 500 && hook.is_none() && mistake != Mistake::Burst,
            field: spec.field.clone(),
            canary: None,
            credentials,
            needs: Needs { writes: spec.writes || hook.is_some(), floods: spec.burst.is_some() },
            how: if hook.is_some() { How::Hook } else { How::Probe },
            hook,
            requests: spec.requests(),
        });
    }
}

/// The path of a step as the plan writes it, what is filled in shown as `{}`.
fn shown(step: &Step) -> String {
    step.path.pieces.iter().fold(String::new(), |mut path, piece| {
        match piece {
            Piece::Text(text) => path.push_str(&String::from_utf8_lossy(text)),
            Piece::Fill(..) => path.push_str("{}"),
        }
        path
    })
}
