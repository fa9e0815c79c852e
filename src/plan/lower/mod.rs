//! TOML → [`Plan`]: one file per noun of the plan, all problems collected on the way.
//!
//! Parts are lowered in the order in which they need each other: variables, then what is sent (data, policies,
//! scenarios), then when (load), then what is held against it (contract, faults, gates). A part with a problem is
//! left out or replaced by a default, so that the parts after it are read too; names that cannot be resolved only
//! because of an earlier problem are not reported again.

mod contract;
mod data;
mod fault;
mod gate;
mod load;
mod probe;
mod proxy;
mod report;
mod retry;
mod scenario;
pub(super) mod spread;
mod target;
mod template;
mod vars;

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

pub use self::contract::read_baseline;
use super::file::{Document, Reading, Table};
use super::problem::{Place, Problem, Problems};
use super::source::SourceText;
use super::{Pick, Piece, Plan, ProxySettings, Shape};
use crate::fault::{FaultRule, FaultRules, Level};
use crate::secret::Secrets;
use crate::seed::Seed;

/// The version of the plan format.
const FORMAT: i64 = 1;
/// Of anything a plan lists, at most so many.
const MOST: usize = 1_000;

/// What decides about a plan beside its text.
pub struct LoadOptions<'o> {
    /// `--set name=value`, in order; the last one wins.
    pub set: Vec<(String, String)>,
    /// The environment: only variables that `[vars]` names are asked for.
    pub env: &'o dyn Fn(&str) -> Option<String>,
    /// `--target URL`: replaces `url` or `embedded`.
    pub target_override: Option<String>,
    /// `--seed N`.
    pub seed_override: Option<u64>,
}

impl Default for LoadOptions<'_> {
    fn default() -> Self {
        LoadOptions { set: Vec::new(), env: &|_| None, target_override: None, seed_override: None }
    }
}

impl Plan {
    /// Reads a plan and the files it names. Nothing is sent, and nothing but files is touched.
    ///
    /// # Errors
    /// All problems of the plan, of the files it names and of the options at once.
    pub fn load(path: &Path, options: &LoadOptions<'_>) -> Result<Plan, Problems> {
        let problems = Problems::new();
        let shown = path.display().to_string();
        match SourceText::read(path, &shown) {
            Ok(source) => Plan::from_source(&source, path.parent().unwrap_or(Path::new("")), options),
            Err(why) => {
                let problem = Problem::nowhere(format!("the plan `{shown}`: {why}"));
                problems.add(problem.help("name a plan file, for example `brownout run plans/quickstart.toml`"));
                Err(problems)
            }
        }
    }

    /// Reads one `[[fault]]` table that is no part of the plan's file, as TOML or as JSON, with what the plan knows.
    ///
    /// # Errors
    /// All problems of it at once.
    pub fn read_fault(&self, text: &str) -> Result<FaultRule, Problems> {
        let problems = Problems::new();
        let json = text.trim_start().starts_with('{');
        let text = match (json, text.contains("[[fault]]")) {
            (true, _) => fault::from_json(text),
            (false, true) => Ok(text.to_owned()),
            (false, false) => Ok(format!("[[fault]]\n{text}")),
        };
        let text = match text {
            Ok(text) => text,
            Err(why) => {
                problems.add(Problem::nowhere(format!("this is no rule in JSON: {why}")).help("write {\"name\": \"…\", \"reset\": true}"));
                return Err(problems);
            }
        };
        let source = SourceText::new("fault", &text);
        let contract = self.contract.clone().map_or(contract::Lowered::Absent, contract::Lowered::Sound);
        let names = Names {
            scenarios: Vec::new(),
            stages: self.load.stages.iter().map(|stage| (stage.name.clone(), stage.judged)).collect(),
            stages_known: true,
        };
        let rules = Document::parse(&source, &problems).map(|document| {
            let root = document.root(Reading::new(&problems));
            let rules = fault::lower(few(root.tables("fault"), "fault"), &names, Some(&self.load), &contract);
            root.finish();
            rules
        });
        match rules.map(|mut rules| (rules.len(), rules.pop())) {
            Some((1, Some((_, Some(rule))))) if problems.errors() == 0 => Ok(rule),
            Some((count, _)) if count != 1 && problems.errors() == 0 => {
                problems.add(Problem::nowhere(format!("this has {count} rules")).help("send one `[[fault]]` at a time"));
                Err(problems)
            }
            _ => Err(problems),
        }
    }

    /// Reads a plan whose text is at hand; files it names are relative to `folder`.
    ///
    /// # Errors
    /// As [`Plan::load`].
    pub fn from_source(source: &Arc<SourceText>, folder: &Path, options: &LoadOptions<'_>) -> Result<Plan, Problems> {
        let problems = Problems::new();
        let document = Document::parse(source, &problems);
        if document.as_ref().is_some_and(super::contract_file::is_contract) {
            let place = Place { source: Arc::clone(source), span: source.span_of_line(1) };
            let problem = Problem::at(place, "this is a contract, and a plan is expected");
            let name = Path::new(source.name()).file_name().unwrap_or_default().to_string_lossy().into_owned();
            problems.add(problem.help(format!("name it in a plan: `[contract]` with `file = \"{name}\"`")));
            return Err(problems);
        }
        let plan = document.and_then(|document| lower(&document, source, folder, options, &problems));
        match plan {
            Some(plan) if problems.errors() == 0 => Ok(plan),
            _ => Err(problems),
        }
    }
}

fn lower(document: &Document<'_>, source: &Arc<SourceText>, folder: &Path, options: &LoadOptions<'_>, problems: &Problems) -> Option<Plan> {
    let plain = document.root(Reading::new(problems));
    let vars = vars::Vars::lower(plain.table("vars"), options, problems);
    let secrets = Arc::new(vars.secrets());
    problems.hide(&secrets);
    let root = document.root(Reading::with(problems, &vars));
    root.take("vars");
    let (name, seed) = head(&root, options);

    let (data, broken_data) = data::lower(root.table("data"), folder);
    let uuids = Cell::new(0);
    let scope = template::Scope { vars: &vars, data: &data, broken_data: &broken_data, captured: &[], elsewhere: &[], uuids: &uuids };
    let target = target::lower(root.table("target"), &scope, folder, options, &root);
    let policies = retry::lower(root.table("retry"));
    let policy_names: Vec<String> = policies.iter().map(|(name, _)| name.clone()).collect();
    let promised = root.table("proxy").and_then(|proxy| proxy.take("repeatable"));
    let stranger = proxy::lower(root.table("proxy"), root.table("client"), folder);
    // Without scenarios the requests come from a client that is not ours, if the plan speaks of one.
    let passive = stranger.settings.is_some() && !root.has("scenario");
    let scenarios = match passive {
        true => Vec::new(),
        false => scenario::lower(&root, &policy_names, &scope, folder),
    };
    let load = match (passive, root.table("load")) {
        (true, None) => Some(proxy::session(stranger.client.as_ref())),
        (true, Some(table)) => load::phases(table),
        (false, table) => load::lower(table, &root),
    };
    if let (Some(_), false, Some(client)) = (&stranger.client, passive, root.take("client")) {
        let problem = Problem::at(client.key_place(), "the plan has scenarios and a client: two that send requests");
        root.problems().add(problem.help("remove `[client]`, or the scenarios; `brownout proxy PLAN -- CMD` starts a client for any plan"));
    }
    let contract = contract::lower(root.table("contract"), folder, &secrets);
    let names = Names::new(&scenarios, load.as_ref());
    let rules = fault::lower(few(root.tables("fault"), "fault"), &names, load.as_ref(), &contract);
    let rule_names: Vec<String> = rules.iter().map(|(name, _)| name.clone()).collect();
    let gates = gate::lower(few(root.tables("gate"), "gate"), &names, &rule_names, load.as_ref(), &contract);
    let validity = report::validity(root.table("validity"));
    let report = report::report(root.table("report"));
    let implied = target.as_ref().map_or(probe::Implied { writes: true, floods: true }, target::Lowered::implied);
    let probe = probe::lower(root.table("probe"), &names, &contract, &vars, folder, implied);
    root.not_yet("extends");

    if let Some(target) = &target {
        target::consent(target, &scenarios, &root);
        target::served(target, &contract, &root);
    }
    if let Some(load) = &load {
        unique_rows(&data, load, &root);
    }
    root.finish();

    let rules: Vec<FaultRule> = rules.into_iter().map(|(_, rule)| rule).collect::<Option<_>>()?;
    let proxy = stranger.settings.or_else(|| (!rules.is_empty()).then(ProxySettings::default));
    let mut plan = Plan {
        path: source.name().to_owned(),
        sha256: Sha256::digest(source.text().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect(),
        name,
        seed,
        target: target?.target?,
        scenarios: scenarios.into_iter().map(|lowered| lowered.scenario).collect::<Option<_>>()?,
        data,
        load: load?,
        contract: contract.sound(),
        faults: FaultRules::new(seed, rules),
        proxy,
        client: stranger.client,
        probe,
        foreign: passive,
        policies: policies.into_iter().map(|(_, policy)| policy).collect::<Option<_>>()?,
        gates: gates?,
        validity,
        report,
        redactions: vars.redactions(),
        normalised: vars.normalise(source.text()),
        secrets,
    };
    hide_credentials(&mut plan);
    if let Some((declared, value)) = promised.and_then(|value| Some((level_word(&value)?, value))) {
        fault::promise(&plan, declared, &value);
    }
    Some(plan)
}

/// The level that `[proxy] repeatable` names; another word has been refused already.
fn level_word(value: &super::file::Value<'_>) -> Option<Level> {
    Level::ALL.into_iter().find(|level| value.raw() == Some(level.word()))
}

/// Masks credentials that the plan itself spells out in headers: nobody has declared them, and a report travels further than a plan.
fn hide_credentials(plan: &mut Plan) {
    let steps = plan.scenarios.iter().flat_map(|scenario| &scenario.steps);
    let mut literal = Secrets::default();
    for (name, template) in plan.target.headers.iter().chain(steps.flat_map(|step| &step.headers)) {
        if let [Piece::Text(text)] = &template.pieces[..] {
            literal.declare("secret", Secrets::credential(name.as_str(), &String::from_utf8_lossy(text)));
        }
    }
    for (name, text) in plan.probe.iter().flat_map(|probe| &probe.identities).flat_map(|identity| &identity.headers) {
        literal.declare("secret", Secrets::credential(name.as_str(), text));
    }
    plan.normalised = literal.mask(&plan.normalised).into_owned();
}

/// `plan`, `name` and `seed`.
fn head(root: &Table<'_>, options: &LoadOptions<'_>) -> (String, Seed) {
    if let Some(version) = root.required("plan") {
        match version.whole(0..=i64::MAX) {
            Some(FORMAT) | None => {}
            Some(_) => version.refuse("this version of brownout reads plans of format 1", "write `plan = 1`").unwrap_or_default(),
        }
    }
    let name = root.required("name").and_then(|name| name.string()).unwrap_or_default();
    let seed = root.whole("seed", 0..=u64::MAX).unwrap_or(1);
    (name, Seed(options.seed_override.unwrap_or(seed)))
}

fn unique_rows(data: &[super::DataSet], load: &super::Load, root: &Table<'_>) {
    let expected: f64 = load.stages.iter().map(|stage| stage.expected_arrivals().unwrap_or(f64::INFINITY)).sum();
    for set in data.iter().filter(|set| set.pick == Pick::Unique) {
        // Four standard deviations of a Poisson count above its mean.
        let arrivals = expected + 4.0 * expected.sqrt();
        if arrivals > set.rows.len() as f64 {
            let place = root.table("data").and_then(|data| data.entries().into_iter().find(|(name, _)| *name == set.name));
            let place = place.map_or(root.place(), |(_, value)| value.key_place());
            let rows = set.rows.len();
            let what = match expected.is_finite() {
                true => format!("`{}` has {rows} rows to be used once each, and up to {arrivals:.0} arrivals are expected", set.name),
                false => format!("`{}` has {rows} rows to be used once each, and a stage with `users` may start any number", set.name),
            };
            root.problems().add(Problem::at(place, what).help("add rows, or pick them otherwise: `pick = \"shuffle\"`"));
        }
    }
}

/// What later parts refer to by name.
struct Names {
    /// Scenarios with the names of their steps.
    scenarios: Vec<(String, Vec<String>)>,
    /// Stages, and whether each is judged.
    stages: Vec<(String, bool)>,
    /// Whether names of stages can be trusted to be all there.
    stages_known: bool,
}

impl Names {
    fn new(scenarios: &[scenario::Lowered], load: Option<&super::Load>) -> Names {
        Names {
            scenarios: scenarios.iter().map(|lowered| (lowered.name.clone(), lowered.steps.clone())).collect(),
            stages: load.iter().flat_map(|load| &load.stages).map(|stage| (stage.name.clone(), stage.judged)).collect(),
            stages_known: load.is_some(),
        }
    }
}

/// The index of a name among known ones, or a problem with the nearest known one.
fn resolve<'k>(place: Place, problems: &Problems, noun: &str, name: &str, known: impl Iterator<Item = &'k str> + Clone) -> Option<usize> {
    let index = known.clone().position(|known| known == name);
    if index.is_none() {
        problems.add(Problem::at(place, format!("there is no {noun} `{name}`")).did_you_mean(name, known));
    }
    index
}

/// Refuses a name that was given before.
fn distinct(seen: &mut Vec<(String, Place)>, noun: &str, name: &str, place: Place, problems: &Problems) {
    if let Some((_, first)) = seen.iter().find(|(known, _)| known == name) {
        let problem = Problem::at(place, format!("there are two {noun}s named `{name}`"));
        problems.add(problem.also(first.clone(), "the first one").help("names are how faults, gates and reports tell them apart"));
    } else {
        seen.push((name.to_owned(), place));
    }
}

/// Whether a host is one of these, or with `loopback` this machine.
pub(super) fn is_allowed(host: &str, allow_hosts: &[String], loopback: bool) -> bool {
    target::fits(&host.to_ascii_lowercase(), allow_hosts) || (loopback && target::is_loopback(host))
}

/// No more of anything than a person would write: indices are small numbers.
fn few<'t>(mut tables: Vec<Table<'t>>, noun: &str) -> Vec<Table<'t>> {
    if let Some(first) = tables.get(MOST) {
        first.problems().add(Problem::at(first.place(), format!("a plan has at most {MOST} of `{noun}`")));
        tables.truncate(MOST);
    }
    tables
}

impl super::Stage {
    /// How many arrivals the schedule is expected to hold; `None` for a closed stage.
    pub fn expected_arrivals(&self) -> Option<f64> {
        match &self.shape {
            Shape::Open(segments) => Some(segments.iter().map(crate::arrival::Segment::expected).sum()),
            Shape::Closed { .. } => None,
        }
    }
}
