//! Latency by percentile: x is log10(1/(1−q)), so that each nine gets the same room.
//!
//! A curve ends where its samples do: a quantile that less than one sample lies above is not drawn.

use hdrhistogram::Histogram;

use super::figure::{Figure, figure};
use crate::report::markup::Html;
use crate::report::number;
use crate::report::palette::Ink;
use crate::report::scale::Scale;
use crate::report::svg::{Anchor, Label, Path, Stroke, Svg, fitted, text_width};

/// One distribution to draw.
pub struct Curve {
    pub name: String,
    pub ink: Ink,
    pub dash: Option<&'static str>,
    pub histogram: Histogram<u64>,
}

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 292.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 258.0;
/// 99.99 %.
const NINES: f64 = 4.0;
const STEPS: u32 = 160;

/// Writes a figure of at least one curve.
pub fn render(html: &mut Html, id: &'static str, title: &str, (lead, rest): (&str, &str), curves: &[Curve]) {
    let about = Figure { id, title, lead, rest, width: WIDTH, height: HEIGHT };
    figure(html, &about, |svg| draw(svg, curves), |_| ());
}

/// The value at a place of the x axis.
fn value_at(histogram: &Histogram<u64>, nines: f64) -> f64 {
    histogram.value_at_quantile(1.0 - 10f64.powf(-nines)) as f64
}

/// Where a curve ends: one sample lies at or above.
fn end(histogram: &Histogram<u64>) -> f64 {
    (histogram.len() as f64).log10().clamp(0.0, NINES)
}

fn draw(svg: &mut Svg<'_>, curves: &[Curve]) {
    let low = curves.iter().map(|curve| value_at(&curve.histogram, 0.0)).fold(f64::MAX, f64::min);
    let high = curves.iter().map(|curve| value_at(&curve.histogram, end(&curve.histogram))).fold(0.0, f64::max);
    let longest = curves.iter().map(|curve| text_width(&curve.name, 10.0)).fold(80.0, f64::max).min(156.0);
    let right = WIDTH - longest - 12.0;
    let (x, y) = (Scale::linear((0.0, NINES), (LEFT, right)), Scale::log(low, high, (BOTTOM, TOP)));
    for (nines, name) in [(0.0, "0 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9 %"), (4.0, "99.99 %")] {
        svg.line((x.place(nines), TOP), (x.place(nines), BOTTOM), Stroke::thin(Ink::Grid));
        svg.label((x.place(nines), BOTTOM + 18.0), Label::small(Ink::Muted).anchored(Anchor::Middle), name);
    }
    for tick in y.ticks() {
        svg.line((LEFT, y.place(tick)), (right, y.place(tick)), Stroke::thin(Ink::Grid));
        svg.label((LEFT - 8.0, y.place(tick) + 4.0), Label::small(Ink::Muted).anchored(Anchor::End), &number::span(tick as u64));
    }
    let mut labels = Vec::new();
    for curve in curves {
        let last = end(&curve.histogram);
        let mut path = Path::default();
        for step in 0..=STEPS {
            let nines = last * f64::from(step) / f64::from(STEPS);
            let point = (x.place(nines), y.place(value_at(&curve.histogram, nines)));
            if step == 0 { path.start(point.0, point.1) } else { path.to(point.0, point.1) }
        }
        svg.stroke(&path, Stroke { ink: curve.ink, width: 1.9, dash: curve.dash });
        let tip = (x.place(last), y.place(value_at(&curve.histogram, last)));
        svg.dot(tip, 2.5, curve.ink);
        labels.push((tip, curve));
    }
    name_curves(svg, labels, right);
}

/// Writes the names in the margin at the height of the tips, moved apart where they would touch.
fn name_curves(svg: &mut Svg<'_>, mut labels: Vec<((f64, f64), &Curve)>, right: f64) {
    labels.sort_by(|a, b| a.0.1.total_cmp(&b.0.1));
    let below = labels.len() as f64 * 14.0;
    let mut free = TOP;
    for (nth, (tip, curve)) in labels.into_iter().enumerate() {
        let room = BOTTOM - below + (nth as f64 + 1.0) * 14.0;
        let at = tip.1.max(free).min(room.max(free));
        free = at + 14.0;
        if tip.0 < right - 2.0 {
            svg.line((tip.0 + 5.0, tip.1), (right + 2.0, at), Stroke::thin(Ink::Line).dashed("1 3"));
        }
        svg.label((right + 6.0, at + 4.0), Label::small(curve.ink), &fitted(&curve.name, 10.0, WIDTH - right - 4.0).unwrap_or_default());
    }
}
