//! The run on one clock: load offered and achieved, errors by class, latency, stages and faults.

use super::figure::{Figure, empty, figure};
use super::table::{cell, more, numbers, row, table};
use crate::analysis::{FaultFacts, WindowFacts};
use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number;
use crate::report::palette::Ink;
use crate::report::scale::Scale;
use crate::report::series::{Series, peak, thinned};
use crate::report::svg::{Anchor, Area, Label, Path, Stroke, Svg, fitted, text_width};
use crate::report::wording;

const WIDTH: f64 = 1056.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 1016.0;
/// Where stage names stand.
const STAGES: f64 = 14.0;
/// Where the first row of fault names stands; a second and third follow.
const NAMES: f64 = 34.0;
const NAME_ROWS: usize = 3;
const NAME_STEP: f64 = 15.0;
const LANE: f64 = 100.0;
const GAP: f64 = 34.0;
/// Rows of the table behind the figure.
const ROWS: usize = 240;

/// Writes the timeline.
pub fn render(html: &mut Html, report: &Report) {
    html.tag("p").text(
        "One clock for load, faults and latency. Shaded: faults that brownout injected; one that was open all the time is named at the top.",
    );
    let Some(series) = Series::of(report) else {
        empty(html, "timeline-figure", "There is nothing to draw.", why_empty(report));
        return;
    };
    let lanes = Lanes::new(report, &series);
    let (lead, rest) = findings(report, &series);
    let about =
        Figure { id: "timeline-figure", title: "Run timeline", lead: &lead, rest: &rest, width: WIDTH, height: lanes.bottom + 30.0 };
    figure(html, &about, |svg| draw(svg, report, &series, &lanes), |html| numbers_behind(html, report));
}

fn why_empty(report: &Report) -> &'static str {
    match report.accounting.scheduled {
        0 if report.is_session() => "No request came from the client.",
        0 => "No request was due: the schedule held no arrivals.",
        _ => "The run ended before its first interval was complete.",
    }
}

/// Where everything stands.
struct Lanes {
    x: Scale,
    /// Rows of fault names in use.
    names: Vec<(usize, f64, String)>,
    load: f64,
    errors: f64,
    latency: f64,
    bottom: f64,
}

impl Lanes {
    fn new(report: &Report, series: &Series<'_>) -> Lanes {
        let last = series.end().unwrap_or_default();
        let stages = report.stages.iter().map(|stage| stage.end_ms).max().unwrap_or_default();
        let x = Scale::linear((0.0, last.max(stages as f64)), (LEFT, RIGHT));
        let names = place_names(report, &x);
        let rows = names.iter().map(|(row, ..)| row + 1).max().unwrap_or(0);
        let load = NAMES + 24.0 + rows as f64 * NAME_STEP;
        let errors = load + LANE + GAP;
        let latency = errors + LANE + GAP;
        Lanes { x, names, load, errors, latency, bottom: latency + LANE + 8.0 }
    }
}

/// Gives each window's name a row where it hides no other; a window without room stays unnamed (the table names it).
fn place_names(report: &Report, x: &Scale) -> Vec<(usize, f64, String)> {
    let mut windows: Vec<(u64, &FaultFacts)> =
        report.faults.iter().flat_map(|fault| fault.windows.iter().map(move |window| (window.start_ms, fault))).take(60).collect();
    windows.sort_by_key(|(start, _)| *start);
    let (mut ends, mut names) = ([f64::MIN; NAME_ROWS], Vec::new());
    for (start, fault) in windows {
        let from = x.place(start as f64) + 5.0;
        let Some(name) = fitted(&line(&fault.name, 32), 11.0, (RIGHT - from).max(90.0)) else { continue };
        let from = from.min(RIGHT - text_width(&name, 11.0));
        if let Some(row) = (0..NAME_ROWS).find(|&row| ends[row] < from) {
            ends[row] = from + text_width(&name, 11.0) + 10.0;
            names.push((row, from, name));
        }
    }
    names
}

/// What the figure shows, in words: the lead, and the rest.
fn findings(report: &Report, series: &Series<'_>) -> (String, String) {
    let account = &report.accounting;
    let started = format!("{} of {} arrivals started", number::count(account.started), number::count(account.scheduled));
    let lead = match account.scheduled {
        n if report.is_session() => format!("The client began {}.", wording::counted(n, "exchange")),
        0 => "No arrival was due.".to_owned(),
        1 if account.started == 1 => "The schedule was kept: its one arrival started.".to_owned(),
        scheduled if account.started == scheduled => format!("The schedule was kept: all {} arrivals started.", number::count(scheduled)),
        _ => format!("The schedule was not kept in full: {started}."),
    };
    let mut rest = Vec::new();
    let errors: Vec<Option<f64>> = sum(&series.per_second("error_answers"), &series.per_second("failed"));
    match peak(&errors) {
        Some((at, most)) if most > 0.0 => {
            let when = at_moment(report, &series.rate_steps(), at);
            rest.push(format!("Errors that no retry mended peaked at {}{when}.", number::rate(most)));
        }
        _ if account.exchanges > 0 => rest.push("No error reached the user of the client.".to_owned()),
        _ => {}
    }
    if let Some((at, slowest)) = peak(&series.column("p99_us")) {
        rest.push(format!("p99 peaked at {}{}.", number::span(slowest as u64), at_moment(report, &series.steps(), at)));
    }
    rest.extend(recoveries(report));
    (lead, rest.join(" "))
}

/// How long each fault was felt after it had ended; those that were not are told together.
fn recoveries(report: &Report) -> Vec<String> {
    let known = report.faults.iter().filter_map(|fault| Some((line(&fault.name, 40), fault.recovery_ms?))).take(6);
    let (at_once, later): (Vec<_>, Vec<_>) = known.partition(|(_, ms)| *ms == 0);
    let back = |name: &str, when: &str| format!("After {name} the run was back in its earlier band {when}.");
    let mut told: Vec<String> =
        later.iter().map(|(name, ms)| back(name, &format!("within {}", number::span(ms.saturating_mul(1000))))).collect();
    if !at_once.is_empty() {
        let names: Vec<&str> = at_once.iter().map(|(name, _)| name.as_str()).collect();
        told.push(back(&names.join(" and "), "at once"));
    }
    told
}

/// ` at 7 s, while quota was open`
fn at_moment(report: &Report, steps: &[f64], at: usize) -> String {
    let start = steps[at].max(0.0);
    let middle = (start + steps[at + 1]) / 2.0;
    let inside = |window: &WindowFacts| (window.start_ms as f64..=window.end_ms as f64).contains(&middle);
    // That it was open says nothing where it always was.
    let open = |fault: &&FaultFacts| fault.windows.iter().any(|window| inside(window) && !spans_all(report, window));
    let names: Vec<String> = report.faults.iter().filter(open).take(2).map(|fault| line(&fault.name, 40)).collect();
    match names.is_empty() {
        true => format!(" at {}", number::moment(start as u64)),
        false => format!(" at {}, while {} was open", number::moment(start as u64), names.join(" and ")),
    }
}

/// Whether a window was open from the first moment to the last.
fn spans_all(report: &Report, window: &WindowFacts) -> bool {
    let end = report.stages.iter().map(|stage| stage.end_ms).max().unwrap_or(report.run.duration_ms);
    window.start_ms == 0 && window.end_ms >= end
}

fn sum(a: &[Option<f64>], b: &[Option<f64>]) -> Vec<Option<f64>> {
    a.iter().zip(b).map(|(a, b)| (a.is_some() || b.is_some()).then(|| a.unwrap_or_default() + b.unwrap_or_default())).collect()
}

fn draw(svg: &mut Svg<'_>, report: &Report, series: &Series<'_>, lanes: &Lanes) {
    svg.hatch("tl-fault", Ink::Band, 0.35, "rotate(45)");
    svg.hatch("tl-failed", Ink::Paper, 0.55, "rotate(-45)");
    stages(svg, report, lanes);
    bands(svg, report, lanes);
    load(svg, series, lanes, !report.is_session());
    errors(svg, series, lanes);
    latency(svg, series, lanes);
    for (row, x, name) in &lanes.names {
        svg.label((*x, NAMES + 10.0 + *row as f64 * NAME_STEP), Label::small(Ink::Band).bold(), name);
    }
    for tick in lanes.x.round_ticks(8.0) {
        let x = lanes.x.place(tick);
        svg.label((x, lanes.bottom + 18.0), Label::small(Ink::Muted).anchored(Anchor::Middle), &number::moment(tick as u64));
    }
}

fn stages(svg: &mut Svg<'_>, report: &Report, lanes: &Lanes) {
    for stage in report.stages.iter().take(60) {
        let (from, to) = (lanes.x.place(stage.start_ms as f64), lanes.x.place(stage.end_ms as f64));
        svg.line((from, 4.0), (from, lanes.bottom), Stroke::thin(Ink::Line));
        let suffix = if stage.judged { "" } else { " (not judged)" };
        if let Some(name) = fitted(&format!("{}{suffix}", line(&stage.name, 40)), 11.0, to - from - 8.0) {
            svg.label((from + 5.0, STAGES), Label::small(Ink::Muted), &name);
        }
    }
}

fn bands(svg: &mut Svg<'_>, report: &Report, lanes: &Lanes) {
    let windows = report.faults.iter().flat_map(|fault| &fault.windows);
    for window in windows.filter(|window| !spans_all(report, window)).take(200) {
        let (from, to) = (lanes.x.place(window.start_ms as f64), lanes.x.place(window.end_ms as f64));
        let area = Area { x: from, y: NAMES - 4.0, width: (to - from).max(1.0), height: lanes.bottom - NAMES + 4.0 };
        svg.rect(area, Ink::Band, 0.06, 0.0);
        svg.hatched(area, "tl-fault");
        svg.line((from, area.y), (from, lanes.bottom), Stroke::thin(Ink::Band));
        svg.line((to, area.y), (to, lanes.bottom), Stroke::thin(Ink::Band));
    }
}

/// The grid and the name of a lane whose axis is `y`.
fn grid(svg: &mut Svg<'_>, top: f64, name: &str, y: &Scale, shown: impl Fn(f64) -> String) {
    svg.label((0.0, top - 10.0), Label::small(Ink::Text).bold(), name);
    for tick in y.ticks() {
        let at = y.place(tick);
        svg.line((LEFT, at), (RIGHT, at), Stroke::thin(Ink::Grid));
        svg.label((LEFT - 8.0, at + 4.0), Label::small(Ink::Muted).anchored(Anchor::End), &shown(tick));
    }
}

/// A label beside the end of a line, in the right margin.
fn end_label(svg: &mut Svg<'_>, y: f64, ink: Ink, text: &str) {
    svg.label((RIGHT + 6.0, y + 4.0), Label::small(ink), text);
}

/// What was due and what was started; a client of somebody else's has no schedule.
fn load(svg: &mut Svg<'_>, series: &Series<'_>, lanes: &Lanes, scheduled: bool) {
    let (offered, achieved) = (series.per_second("scheduled"), series.per_second("started"));
    let highest = peak(&offered).into_iter().chain(peak(&achieved)).map(|(_, most)| most).fold(0.0, f64::max);
    let y = Scale::from_zero(highest, (lanes.load + LANE, lanes.load));
    grid(svg, lanes.load, if scheduled { "arrivals per second" } else { "exchanges begun per second" }, &y, number_of);
    let nothing = vec![Some(0.0); achieved.len()];
    let steps = series.rate_steps();
    let done = Curve::new(&steps, lanes, &achieved);
    svg.fill(&done.area(&y, &nothing, &achieved), Ink::Accent, 0.14);
    done.draw(svg, &y, &achieved, Stroke::data(Ink::Accent));
    if !scheduled {
        return;
    }
    Curve::new(&steps, lanes, &offered).draw(svg, &y, &offered, Stroke { ink: Ink::Text, width: 1.2, dash: Some("4 3") });
    legend(svg, lanes.load, &[("offered", Ink::Text, Mark::Dashed), ("started", Ink::Accent, Mark::Line)]);
}

fn errors(svg: &mut Svg<'_>, series: &Series<'_>, lanes: &Lanes) {
    let (answers, failed) = (series.per_second("error_answers"), series.per_second("failed"));
    let (injected, retries) = (series.per_second("injected"), series.per_second("retries"));
    let total = sum(&answers, &failed);
    let highest = [&total, &injected, &retries].into_iter().filter_map(|values| peak(values)).map(|(_, most)| most).fold(0.0, f64::max);
    let y = Scale::from_zero(highest, (lanes.errors + LANE, lanes.errors));
    grid(svg, lanes.errors, "errors and retries per second", &y, number_of);
    if highest == 0.0 {
        svg.label((LEFT + 8.0, lanes.errors + LANE / 2.0), Label::small(Ink::Muted), "no error, no retry, nothing injected");
        return;
    }
    let nothing = vec![Some(0.0); total.len()];
    let steps = series.rate_steps();
    let curve = Curve::new(&steps, lanes, &total);
    svg.fill(&curve.area(&y, &nothing, &answers), Ink::Warn, 1.0);
    let top = curve.area(&y, &answers, &total);
    svg.fill(&top, Ink::Fail, 1.0);
    svg.hatched_path(&top, "tl-failed");
    Curve::new(&steps, lanes, &injected).draw(svg, &y, &injected, Stroke { ink: Ink::Band, width: 1.6, dash: None });
    Curve::new(&steps, lanes, &retries).draw(svg, &y, &retries, Stroke { ink: Ink::Text, width: 1.2, dash: Some("1.5 3") });
    let marks = [
        ("final error answers", Ink::Warn, Mark::Area),
        ("no answer", Ink::Fail, Mark::Hatched),
        ("injected", Ink::Band, Mark::Line),
        ("retries", Ink::Text, Mark::Dotted),
    ];
    legend(svg, lanes.errors, &marks);
}

fn latency(svg: &mut Svg<'_>, series: &Series<'_>, lanes: &Lanes) {
    let (half, slow) = (series.column("p50_us"), series.column("p99_us"));
    let positive = |value: &&f64| **value > 0.0;
    let known: Vec<f64> = half.iter().chain(&slow).flatten().filter(positive).copied().collect();
    if known.is_empty() {
        svg.label((0.0, lanes.latency - 10.0), Label::small(Ink::Text).bold(), "response time");
        svg.label(
            (LEFT + 8.0, lanes.latency + LANE / 2.0),
            Label::small(Ink::Muted),
            "no exchange succeeded, so there is no response time to draw",
        );
        return;
    }
    let (low, high) = known.iter().fold((f64::MAX, 0f64), |(low, high), &value| (low.min(value), high.max(value)));
    let y = Scale::log(low, high, (lanes.latency + LANE, lanes.latency));
    grid(svg, lanes.latency, "response time (log)", &y, |us| number::span(us as u64));
    let steps = series.steps();
    let (fast, late) = (Curve::new(&steps, lanes, &half), Curve::new(&steps, lanes, &slow));
    late.draw(svg, &y, &slow, Stroke::data(Ink::Fail));
    fast.draw(svg, &y, &half, Stroke::data(Ink::Accent));
    let end = |values: &[Option<f64>]| values.iter().rev().flatten().next().map(|&value| y.place(value));
    if let (Some(p50), Some(p99)) = (end(&half), end(&slow)) {
        let apart = (p50 - p99).max(13.0) - (p50 - p99);
        end_label(svg, p50 + apart / 2.0, Ink::Accent, "p50");
        end_label(svg, p99 - apart / 2.0, Ink::Fail, "p99");
    }
}

fn number_of(value: f64) -> String {
    crate::units::three_digits(value)
}

/// How a series is drawn.
#[derive(Clone, Copy)]
enum Mark {
    Line,
    Dashed,
    Dotted,
    Area,
    Hatched,
}

/// The names of a lane's series, right above it.
fn legend(svg: &mut Svg<'_>, top: f64, marks: &[(&str, Ink, Mark)]) {
    let width = |name: &str| 16.0 + 6.0 + text_width(name, 9.6) + 14.0;
    let mut x = RIGHT + 14.0 - marks.iter().map(|(name, ..)| width(name)).sum::<f64>();
    let y = top - 14.0;
    for &(name, ink, mark) in marks {
        svg.label((x + 22.0, y + 4.0), Label::small(Ink::Muted), name);
        let swatch = Area { x, y: y - 5.0, width: 16.0, height: 10.0 };
        match mark {
            Mark::Line => svg.line((x, y), (x + 16.0, y), Stroke::data(ink)),
            Mark::Dashed => svg.line((x, y), (x + 16.0, y), Stroke::data(ink).dashed("4 3")),
            Mark::Dotted => svg.line((x, y), (x + 16.0, y), Stroke::data(ink).dashed("1.5 3")),
            Mark::Area => svg.rect(swatch, ink, 1.0, 2.0),
            Mark::Hatched => {
                svg.rect(swatch, ink, 1.0, 2.0);
                svg.hatched(swatch, "tl-failed");
            }
        }
        x += width(name);
    }
}

/// One series along the time axis, thinned where it is long. An interval is a flat step from its beginning to its
/// end, so that nothing seems to begin before it did.
struct Curve {
    places: Vec<usize>,
    /// Beginning and end of each place, in the drawing.
    spans: Vec<(f64, f64)>,
}

impl Curve {
    /// `steps` has the beginning of each value's step and the end of the last.
    fn new(steps: &[f64], lanes: &Lanes, values: &[Option<f64>]) -> Curve {
        let places = thinned(values);
        let end = |nth: usize| places.get(nth + 1).map_or(steps[places[nth] + 1], |&next| steps[next]);
        let spans = places.iter().enumerate().map(|(nth, &at)| (lanes.x.place(steps[at]), lanes.x.place(end(nth)))).collect();
        Curve { places, spans }
    }

    /// Draws a line, broken where a value is missing.
    fn draw(&self, svg: &mut Svg<'_>, y: &Scale, values: &[Option<f64>], stroke: Stroke) {
        let (mut path, mut pen) = (Path::default(), false);
        for (&at, &(from, to)) in self.places.iter().zip(&self.spans) {
            if let Some(value) = values[at] {
                let y = y.place(value);
                if pen {
                    path.to(from, y)
                } else {
                    path.start(from, y)
                }
                path.to(to, y);
            }
            pen = values[at].is_some();
        }
        svg.stroke(&path, stroke);
    }

    /// The area between two series; missing values count as nothing.
    fn area(&self, y: &Scale, below: &[Option<f64>], above: &[Option<f64>]) -> Path {
        let height = |values: &[Option<f64>], at: usize| y.place(values[at].unwrap_or_default());
        let mut path = Path::default();
        for (&at, &(from, to)) in self.places.iter().zip(&self.spans) {
            let y = height(above, at);
            if path.is_empty() {
                path.start(from, y)
            } else {
                path.to(from, y)
            }
            path.to(to, y);
        }
        for (&at, &(from, to)) in self.places.iter().zip(&self.spans).rev() {
            let y = height(below, at);
            path.to(to, y);
            path.to(from, y);
        }
        path.close();
        path
    }
}

/// The columns that the table shows, by their names in `report.json`, and what they mean.
const COLUMNS: [(&str, &str); 12] = [
    ("t_ms", "from"),
    ("scheduled", "due"),
    ("started", "started"),
    ("ok", "ok"),
    ("error_answers", "error answers"),
    ("failed", "no answer"),
    ("attempts", "attempts"),
    ("retries", "retries"),
    ("injected", "injected"),
    ("in_flight", "in flight"),
    ("p50_us", "p50"),
    ("p99_us", "p99"),
];

/// The numbers behind the figure.
fn numbers_behind(html: &mut Html, report: &Report) {
    let series = &report.timeseries;
    html.tag("details").with(|html| {
        html.tag("summary").text("The numbers behind this figure");
        let length = number::span(series.interval_ms.saturating_mul(1000));
        let session = report.is_session();
        let explained = match session {
            true => "counts are per row, in the figure per second; latency is counted when the exchange began.",
            false => "counts are per row, in the figure per second; load is counted when it started, latency when it was due.",
        };
        html.tag("p").class("muted").text(&format!("One row is {length}; {explained}"));
        let place = |name: &str| series.columns.iter().position(|column| column == name);
        let columns: Vec<_> = COLUMNS
            .iter()
            .filter(|(name, _)| !session || *name != "scheduled")
            .filter_map(|&(name, head)| Some((name, head, place(name)?)))
            .collect();
        let heads: Vec<_> = columns.iter().map(|&(_, head, _)| numbers(head)).collect();
        table(html, "The timeline in numbers", &heads, |html| {
            for values in series.data.iter().take(ROWS) {
                row(html, |html| {
                    for &(name, _, place) in &columns {
                        cell(html, "num", &value(name, values.get(place).copied().flatten()));
                    }
                });
            }
        });
        more(html, series.data.len(), ROWS, "rows");
    });
}

fn value(column: &str, value: Option<f64>) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else { return number::NOTHING.to_owned() };
    let whole = value.max(0.0) as u64;
    match column {
        "t_ms" => number::moment(whole),
        "p50_us" | "p99_us" => number::span(whole),
        _ => number::count(whole),
    }
}
