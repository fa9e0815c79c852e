//! Horizontal bars with their names and numbers: the plainest of charts.

use crate::report::palette::Ink;
use crate::report::svg::{Anchor, Area, Label, Svg, fitted};

/// One bar.
pub struct Bar {
    pub name: String,
    pub value: f64,
    pub shown: String,
    pub ink: Ink,
}

/// The width of a drawing that shares its row with another.
pub const WIDTH: f64 = 520.0;
const NAMES: f64 = 132.0;
const NUMBERS: f64 = 104.0;
const STEP: f64 = 28.0;

/// The height that so many bars need.
pub fn height(bars: usize) -> f64 {
    bars as f64 * STEP + 6.0
}

/// Draws bars from the top.
pub fn draw(svg: &mut Svg<'_>, bars: &[Bar]) {
    let longest = bars.iter().map(|bar| bar.value).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    for (nth, bar) in bars.iter().enumerate() {
        let y = 4.0 + nth as f64 * STEP;
        let name = fitted(&bar.name, 12.0, NAMES - 8.0).unwrap_or_default();
        svg.label((NAMES - 8.0, y + 15.0), Label { size: 12.0, ..Label::small(Ink::Text).anchored(Anchor::End) }, &name);
        let room = WIDTH - NAMES - NUMBERS;
        let width = if bar.value > 0.0 { (bar.value / longest * room).max(2.0) } else { 0.0 };
        svg.rect(Area { x: NAMES, y, width, height: 20.0 }, bar.ink, 1.0, 3.0);
        svg.label((NAMES + width + 8.0, y + 15.0), Label { size: 12.0, ..Label::small(Ink::Muted) }, &bar.shown);
    }
}
