//! `[load]`: when requests start.

use super::target::span;
use super::{distinct, few};
use crate::arrival::{Process, Segment};
use crate::id::StageIx;
use crate::plan::file::{Table, Value};
use crate::plan::problem::Problem;
use crate::plan::{AtLimit, LONGEST, Load, Shape, Stage};
use crate::units::{Micros, Offset, Rate, three_digits};

/// Rates above this are slips of the pen.
const FASTEST: f64 = 1_000_000.0;
/// Levels of a stair at most.
const MOST_LEVELS: f64 = 1_000.0;

/// Reads `[load]`; `None` where it is missing or a stage has problems.
pub fn lower(table: Option<Table<'_>>, root: &Table<'_>) -> Option<Load> {
    let Some(table) = table else {
        let problem = Problem::at(root.place(), "`[load]` is missing");
        root.problems().add(problem.help("say when requests start: `[[load.stage]]` with `name`, `for` and `rate`"));
        return None;
    };
    let process = table.one_of("arrivals", &[("poisson", Process::Poisson), ("even", Process::Even)]).unwrap_or(Process::Poisson);
    let max_in_flight = table.whole("max_in_flight", 1..=1_000_000);
    let at_limit = table.one_of("at_limit", &[("drop", AtLimit::Drop), ("queue", AtLimit::Queue)]).unwrap_or(AtLimit::Drop);
    let drain = span(&table, "drain", Micros::from_secs(10));
    let tables = few(table.tables("stage"), "load.stage");
    if tables.is_empty() {
        let problem = Problem::at(table.place(), "[load] has no stage");
        table.problems().add(problem.help("add `[[load.stage]]` with `name`, `for` and `rate` or `users`"));
    }
    let stages = finished(stages(&tables, stage), tables, table)?;
    let max_in_flight = max_in_flight.unwrap_or_else(|| default_in_flight(&stages));
    Some(Load { process, max_in_flight, at_limit, drain, stages })
}

/// Reads the `[load]` of a plan whose client is not ours: stages divide the session, and nothing is started in them.
pub fn phases(table: Table<'_>) -> Option<Load> {
    let tables = few(table.tables("stage"), "load.stage");
    if tables.is_empty() {
        let problem = Problem::at(table.place(), "[load] has no stage");
        table.problems().add(problem.help("add `[[load.stage]]` with `name` and `for`, or remove `[load]`"));
    }
    let stages = finished(stages(&tables, phase), tables, table)?;
    Some(Load { process: Process::Even, max_in_flight: 1, at_limit: AtLimit::Drop, drain: Micros::ZERO, stages })
}

/// The stages, where there are any and they end within a week; reports keys that nobody asked for.
fn finished(stages: Option<Vec<Stage>>, tables: Vec<Table<'_>>, table: Table<'_>) -> Option<Vec<Stage>> {
    let place = table.place();
    let problems = table.problems();
    tables.into_iter().for_each(Table::finish);
    table.finish();
    let stages = stages.filter(|stages| !stages.is_empty())?;
    let whole = stages.iter().fold(Micros::ZERO, |whole, stage| whole + stage.length);
    if whole > LONGEST {
        problems.add(Problem::at(place, format!("the stages last {whole} in all")).help("a week is the most"));
    }
    Some(stages)
}

/// Four seconds' worth of the highest rate, or all users: enough for a slow target, small enough for memory.
fn default_in_flight(stages: &[Stage]) -> u32 {
    let peak = |stage: &Stage| match &stage.shape {
        Shape::Open(segments) => 4.0 * segments.iter().map(|s| s.from.get().max(s.to.get())).fold(0.0, f64::max),
        Shape::Closed { users } => f64::from(*users),
    };
    stages.iter().map(peak).fold(64.0, f64::max).min(100_000.0).ceil() as u32
}

fn stages(tables: &[Table<'_>], stage: impl Fn(&Table<'_>, StageIx, Offset) -> Option<Stage>) -> Option<Vec<Stage>> {
    let mut start = Offset::START;
    let mut seen = Vec::new();
    let mut all = Some(Vec::new());
    for (index, table) in tables.iter().enumerate() {
        let stage = stage(table, StageIx::from(index), start);
        if let (Some(stage), Some(name)) = (&stage, table.take("name")) {
            distinct(&mut seen, "stage", &stage.name, name.place(), table.problems());
            start = start + stage.length;
        }
        match (stage, &mut all) {
            (Some(stage), Some(all)) => all.push(stage),
            _ => all = None,
        }
    }
    all
}

fn stage(table: &Table<'_>, index: StageIx, start: Offset) -> Option<Stage> {
    let (name, length) = span_of(table);
    let judged = table.boolean("judged").unwrap_or(true);
    let (rate, users) = (table.take("rate"), table.take("users"));
    // Without a length, the shape is read for its own problems only.
    let span = length.unwrap_or(Micros::from_secs(1));
    let shape = match (&rate, &users) {
        (Some(rate), None) => open(rate, index, start, span),
        (None, Some(users)) => users.whole(1..=100_000).map(|users| (Shape::Closed { users }, format!("{users} users"))),
        _ => {
            let problem = Problem::at(table.place(), "a stage has exactly one of `rate` and `users`");
            table.problems().add(problem.help("rate = \"40/s\" starts requests on time, users = 50 waits for each answer"));
            None
        }
    };
    let (shape, spec) = shape?;
    Some(Stage { name: name?, judged, start, length: length?, shape, spec })
}

/// A stage in which nothing is started.
fn phase(table: &Table<'_>, _: StageIx, start: Offset) -> Option<Stage> {
    let (name, length) = span_of(table);
    let judged = table.boolean("judged").unwrap_or(true);
    for value in ["rate", "users"].into_iter().filter_map(|key| table.take(key)) {
        let problem = Problem::at(value.key_place(), "the plan has no scenario, so nothing can be started");
        table.problems().add(problem.help("remove it: the requests come from the client; or add `[[scenario]]`"));
    }
    let spec = "as the client comes".to_owned();
    Some(Stage { name: name?, judged, start, length: length?, shape: Shape::Open(Vec::new()), spec })
}

/// The name and the length of a stage.
fn span_of(table: &Table<'_>) -> (Option<String>, Option<Micros>) {
    let name = table.required("name").and_then(|name| name.string());
    let length = table.required("for").and_then(|value| match value.parsed::<Micros>()? {
        Micros::ZERO => value.refuse("a stage of no length", "write for example `30s`"),
        length => Some(length),
    });
    (name, length)
}

/// `40/s` holds, `a -> b` ramps, `a -> b by c` is stairs.
fn open(value: &Value<'_>, stage: StageIx, start: Offset, length: Micros) -> Option<(Shape, String)> {
    let text = match value.kind() {
        "a string" => value.string()?,
        _ => return value.parsed::<Rate>().map(|_| (Shape::Open(Vec::new()), String::new())),
    };
    let rate = |part: &str| match part.trim().parse::<Rate>() {
        Ok(rate) if rate.get() <= FASTEST => Some(rate),
        Ok(rate) => {
            let problem = Problem::at(value.place_of(part.trim()), format!("{rate} is more than anything could send"));
            value.problems().add(problem.help("1 000 000/s is the most"));
            None
        }
        Err(said) => {
            let (what, help) = said.split_once("; ").unwrap_or((&said, "write for example `40/s`"));
            let problem = Problem::at(value.place_of(part.trim()), what);
            value.problems().add(problem.help(help));
            None
        }
    };
    let (from, rest) = text.split_once("->").map_or((text.as_str(), None), |(from, rest)| (from, Some(rest)));
    let (to, by) = rest.map_or((from, None), |rest| rest.split_once(" by ").map_or((rest, None), |(to, by)| (to, Some(by))));
    let (from, to, by) = (rate(from), rest.map_or(Some(None), |_| rate(to).map(Some)), by.map_or(Some(None), |by| rate(by).map(Some)));
    let (from, to, by) = (from?, to?, by?);
    let segment = |start: Offset, length: Micros, from: Rate, to: Rate| Segment { stage, start, length, from, to };
    match (to, by) {
        (None, _) => Some((Shape::Open(vec![segment(start, length, from, from)]), from.to_string())),
        (Some(to), None) => Some((Shape::Open(vec![segment(start, length, from, to)]), format!("{from} -> {to}"))),
        (Some(to), Some(by)) => {
            let levels = levels(value, from, to, by)?;
            let edge = |index: usize| length.scale(index as f64 / levels.len() as f64);
            let step =
                |(index, &level): (usize, &Rate)| segment(start + edge(index), edge(index + 1).saturating_sub(edge(index)), level, level);
            Some((Shape::Open(levels.iter().enumerate().map(step).collect()), format!("{from} -> {to} by {by}")))
        }
    }
}

/// The rates of a stair; its last level is its end, even where the step does not divide the way.
fn levels(value: &Value<'_>, from: Rate, to: Rate, by: Rate) -> Option<Vec<Rate>> {
    let way = to.get() - from.get();
    let steps = (way.abs() / by.get() - 1e-9).ceil();
    if by.get() <= 0.0 || steps < 1.0 {
        return value.refuse("these stairs have no step", "write for example `10/s -> 50/s by 10/s`");
    }
    if steps >= MOST_LEVELS {
        return value.refuse(format!("these stairs have {} steps", three_digits(steps)), "make the steps larger");
    }
    let level = |k: u32| match f64::from(k) >= steps {
        true => Some(to),
        false => Rate::per_second(from.get() + way.signum() * by.get() * f64::from(k)),
    };
    (0..=steps as u32).map(level).collect()
}
