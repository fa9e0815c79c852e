//! Single exchanges, attempt by attempt.

use super::figure::{Figure, empty, figure};
use super::table::{cell, numbers, row, table, words};
use crate::analysis::{Waterfall, WaterfallAttempt};
use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number;
use crate::report::palette::Ink;
use crate::report::scale::Scale;
use crate::report::svg::{Anchor, Area, Label, Stroke, Svg, fitted, text_width};
use crate::report::wording::NAME;

const WIDTH: f64 = 1056.0;
const LEFT: f64 = 230.0;
const RIGHT: f64 = 1020.0;
const STEP: f64 = 54.0;
/// Exchanges drawn.
const ROWS: usize = 8;
/// Attempts drawn of one exchange.
const ATTEMPTS: usize = 24;

/// Writes the figure.
pub fn render(html: &mut Html, report: &Report) {
    let shown = &chosen(&report.retries.waterfalls)[..];
    if shown.is_empty() {
        empty(html, "waterfall", "Exchanges, attempt by attempt", "No exchange took more than one attempt.");
        return;
    }
    let exchanges = if shown.len() == 1 { "One exchange".to_owned() } else { format!("{} exchanges", shown.len()) };
    let lead = format!("{exchanges}, attempt by attempt.");
    let early = shown.iter().filter(|exchange| earliest(exchange).is_some()).count();
    let kept = match early {
        0 => "no attempt shown came before it".to_owned(),
        n => format!("in {n} of them an attempt came before it"),
    };
    let kept = format!("▼ is the earliest time the server had allowed; {kept}. * was injected by brownout.");
    let height = shown.len() as f64 * STEP + 34.0;
    let about = Figure { id: "waterfall", title: "Exchanges, attempt by attempt", lead: &lead, rest: &kept, width: WIDTH, height };
    figure(html, &about, |svg| draw(svg, shown), |html| numbers_behind(html, shown));
}

/// At most [`ROWS`] exchanges, as many for each reason they were chosen for.
fn chosen(all: &[Waterfall]) -> Vec<&Waterfall> {
    let turn = |at: usize| all[..at].iter().filter(|earlier| earlier.chosen == all[at].chosen).count();
    let mut places: Vec<usize> = (0..all.len().min(200)).collect();
    places.sort_by_key(|&at| (turn(at), at));
    places.truncate(ROWS);
    places.sort_unstable();
    places.into_iter().map(|at| &all[at]).collect()
}

/// The first attempt that came more than a millisecond before the server had allowed.
fn earliest(exchange: &Waterfall) -> Option<&WaterfallAttempt> {
    exchange
        .attempts
        .windows(2)
        .find(|pair| pair[0].asked_until_us.is_some_and(|until| pair[1].start_us + 1000 < until))
        .map(|pair| &pair[1])
}

fn draw(svg: &mut Svg<'_>, shown: &[&Waterfall]) {
    let drawn = |exchange: &&Waterfall| exchange.attempts.iter().take(ATTEMPTS).map(|attempt| attempt.end_us).max().unwrap_or_default();
    let end = shown.iter().map(drawn).max().unwrap_or_default();
    let x = Scale::linear((0.0, end.max(1) as f64), (LEFT, RIGHT));
    let bottom = shown.len() as f64 * STEP + 8.0;
    for tick in x.round_ticks(8.0) {
        let at = x.place(tick);
        svg.line((at, 4.0), (at, bottom), Stroke::thin(Ink::Grid));
        svg.label((at, bottom + 18.0), Label::small(Ink::Muted).anchored(Anchor::Middle), &ticked(tick));
    }
    for (nth, exchange) in shown.iter().enumerate() {
        one(svg, exchange, &x, 8.0 + nth as f64 * STEP);
    }
}

fn ticked(us: f64) -> String {
    if us == 0.0 { "0".to_owned() } else { number::span(us as u64) }
}

fn one(svg: &mut Svg<'_>, exchange: &Waterfall, x: &Scale, top: f64) {
    let look = Label { size: 12.0, ..Label::small(Ink::Text).anchored(Anchor::End) };
    let name = format!("{} {}", line(&exchange.operation, 40), line(&exchange.exchange, 16));
    svg.label((LEFT - 14.0, top + 20.0), look, &fitted(&name, 12.0, LEFT - 16.0).unwrap_or_default());
    let chosen = format!("{} · from {}", line(&exchange.chosen, 30), number::moment(exchange.scheduled_ms));
    svg.label(
        (LEFT - 14.0, top + 35.0),
        Label::small(Ink::Muted).anchored(Anchor::End),
        &fitted(&chosen, 11.0, LEFT - 16.0).unwrap_or_default(),
    );
    let attempts = &exchange.attempts[..exchange.attempts.len().min(ATTEMPTS)];
    let Some(last) = attempts.last() else { return };
    svg.line((x.place(0.0), top + 17.0), (x.place(last.end_us as f64), top + 17.0), Stroke::thin(Ink::Line).dashed("2 3"));
    for attempt in attempts {
        let (from, to) = (x.place(attempt.start_us as f64), x.place(attempt.end_us as f64));
        let width = (to - from).max(6.0);
        svg.rect(Area { x: from, y: top + 7.0, width, height: 20.0 }, ink_of(&attempt.ending), 1.0, 3.0);
        if let Some(until) = attempt.asked_until_us {
            svg.marker((x.place(until as f64), top + 5.0), Ink::Band);
        }
    }
    name_endings(svg, attempts, x, top + 40.0);
}

/// Writes how attempts ended below their bars: the last one always, the others where there is room.
fn name_endings(svg: &mut Svg<'_>, attempts: &[WaterfallAttempt], x: &Scale, y: f64) {
    let named = |attempt: &WaterfallAttempt| {
        let mark = if attempt.injected.is_some() { "*" } else { "" };
        (x.place(attempt.start_us as f64), format!("{}{mark}", line(&attempt.ending, 20)))
    };
    let Some((last, others)) = attempts.split_last() else { return };
    let (mut free, (end, last)) = (f64::MIN, named(last));
    svg.label((end, y), Label::small(Ink::Muted), &last);
    for (from, ending) in others.iter().map(named) {
        let to = from + text_width(&ending, 10.0) + 3.0;
        if from >= free && to <= end {
            svg.label((from, y), Label::small(Ink::Muted), &ending);
            free = to;
        }
    }
}

fn ink_of(ending: &str) -> Ink {
    match ending.as_bytes() {
        [b'2' | b'3', _, _] => Ink::Ok,
        [b'4', _, _] => Ink::Warn,
        _ => Ink::Fail,
    }
}

fn numbers_behind(html: &mut Html, shown: &[&Waterfall]) {
    html.tag("details").with(|html| {
        html.tag("summary").text("The numbers behind this figure");
        html.tag("p")
            .class("muted")
            .text("Times are from the moment the exchange was due; that of a client of somebody else's is due when it comes.");
        let heads = [
            words("exchange"),
            numbers("attempt"),
            numbers("from"),
            numbers("to"),
            words("ended"),
            words("injected by"),
            numbers("asked to wait until"),
        ];
        table(html, "Exchanges, attempt by attempt", &heads, |html| {
            for exchange in shown {
                for (nth, attempt) in exchange.attempts.iter().enumerate().take(ATTEMPTS) {
                    row(html, |html| {
                        let name = format!("{} {}", line(&exchange.operation, 60), line(&exchange.exchange, 24));
                        html.tag("th").attr("scope", "row").text(&name);
                        cell(html, "num", &(nth + 1).to_string());
                        cell(html, "num", &number::span(attempt.start_us));
                        cell(html, "num", &number::span(attempt.end_us));
                        cell(html, "", &line(&attempt.ending, NAME));
                        cell(html, "", &line(attempt.injected.as_deref().unwrap_or(number::NOTHING), NAME));
                        cell(html, "num", &number::span_or_nothing(attempt.asked_until_us));
                    });
                }
            }
        });
    });
}
