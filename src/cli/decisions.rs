//! `brownout check --explain`: what would be done to the first requests, from the same functions that a run uses.

use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::fault::log::{Entry, Names, Verdict};
use crate::fault::{Action, Ledger, Level, Sighting, key_of};
use crate::id::{AttemptNumber, RuleIx, StepIx};
use crate::plan::{Place, Plan};
use crate::units::Micros;
use crate::workload::{Memory, Request, Visit, Visits, Workload};

const HEADS: [&str; 6] = ["arrival", "at", "step", "attempt", "fault", "what"];

/// The decisions about the plan's first arrivals as a table, with what they leave out.
pub fn explain(plan: &Arc<Plan>, arrivals: usize) -> String {
    if plan.faults.rules.is_empty() {
        return "The plan has no faults: nothing is done to any request.\n".to_owned();
    }
    let visits: Vec<Visit> = Visits::new(plan).take(arrivals).collect();
    if visits.is_empty() {
        return "The plan has no arrivals of its own: what is done depends on whoever sends the requests.\n".to_owned();
    }
    let (level, because) = plan.level();
    let mut teller = Teller {
        plan,
        workload: Workload::new(plan, "explain", &authority(plan)),
        ledger: plan.faults.ledger(),
        names: plan.log_names(),
        rows: vec![HEADS.map(str::to_owned)],
    };
    visits.iter().for_each(|visit| teller.visit(visit));
    let mut text = format!("what is done to the first {} arrivals with seed {}, level {}\n", visits.len(), plan.seed.0, level.word());
    text.push_str(&table(&teller.rows));
    let mut notes = vec!["an attempt follows where a retry policy allows one more after a fault".to_owned()];
    if plan.scenarios.iter().any(|scenario| scenario.steps.len() > 1) {
        notes.push("later steps are taken to come at once, without what they take from earlier answers".to_owned());
    }
    if let Some((rule, why)) = because.filter(|_| level > Level::Exact) {
        notes.push(format!("a run may come out otherwise: the fault `{rule}` {why}"));
    }
    for note in notes {
        text.push_str(&format!("  {note}\n"));
    }
    text
}

fn authority(plan: &Plan) -> String {
    match &plan.target.place {
        Place::Url(url) => url.host_str().unwrap_or_default().to_owned(),
        Place::Embedded(_) => "127.0.0.1".to_owned(),
    }
}

struct Teller<'p> {
    plan: &'p Plan,
    workload: Workload,
    ledger: Ledger,
    names: Names,
    rows: Vec<[String; 6]>,
}

impl Teller<'_> {
    fn visit(&mut self, visit: &Visit) {
        let scenario = &self.plan.scenarios[visit.scenario.at()];
        let attempts = scenario.policy.map_or(1, |policy| self.plan.policies[policy.at()].attempts);
        for (index, step) in scenario.steps.iter().enumerate() {
            for attempt in 1..=attempts {
                let (number, index) = (AttemptNumber(attempt), StepIx::from(index));
                let request = self.workload.request(visit, index, &Memory::default());
                let seen = sighting(visit, index, number, &step.method, &request);
                let decision = self.plan.faults.decide(&seen, &mut self.ledger);
                let (rule, again) = (decision.as_ref().map(|d| d.rule), decision.is_some_and(|d| matches!(d.action, Action::Fault(_))));
                let entry = self.ledger.entry().copied();
                let (fault, what) = entry.map_or_else(|| ("-".to_owned(), "passes".to_owned()), |entry| self.told(&entry));
                let at = format!("{:.3} s", visit.at.0.as_secs_f64());
                self.rows.push([visit.arrival.to_string(), at, step.operation.clone(), attempt.to_string(), fault, what]);
                if let Some(rule) = rule.filter(|rule: &RuleIx| self.plan.faults.rules[rule.at()].max_active.is_some()) {
                    self.ledger.ended(rule);
                }
                if !again {
                    break;
                }
            }
        }
    }

    fn told(&self, entry: &Entry) -> (String, String) {
        let Some((rule, words)) = self.names.rules.get(entry.rule.at()) else { return Default::default() };
        let what = words.get(usize::from(entry.element)).map_or("passes", String::as_str);
        let waits = |delay: Option<Micros>, when: &str| delay.map(|delay| format!(", {when} {delay}")).unwrap_or_default();
        match entry.verdict {
            Verdict::Spared => ("-".to_owned(), "passes".to_owned()),
            Verdict::Passed => (rule.clone(), "passes".to_owned()),
            Verdict::HeldBack => (rule.clone(), "passes: one too many at once".to_owned()),
            Verdict::Disturbed => {
                let (before, after) = (waits(entry.delay, "after a delay of"), waits(entry.delay_after, "held up for"));
                (rule.clone(), format!("{what}{before}{after}"))
            }
        }
    }
}

/// The attempt as the proxy would see it.
fn sighting<'a>(visit: &Visit, step: StepIx, attempt: AttemptNumber, method: &'a Method, request: &'a Request<'_>) -> Sighting<'a> {
    let headers: &HeaderMap = &request.headers;
    Sighting {
        scenario: visit.scenario,
        step,
        arrival: visit.arrival,
        ordinal: visit.ordinal,
        overall: visit.arrival,
        attempt,
        at: visit.at,
        method,
        path: request.path.path(),
        query: request.path.query().unwrap_or_default(),
        headers,
        body: Some(&request.body[..request.body.len().min(crate::fault::BODY_LIMIT)]),
        key: key_of(headers),
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        now: visit.at,
    }
}

/// Columns as wide as their widest cell.
fn table(rows: &[[String; 6]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("  {}\n", cells.join("   ").trim_end())
    };
    rows.iter().map(line).collect()
}
