//! Drawing on top of [`Html`]: lines, boxes, paths and labels whose colours work without a style sheet.
//!
//! Colours stand in presentation attributes (the light palette) beside a class through which the style sheet
//! darkens them; see `palette`.

use super::markup::{Html, Tag, tenth};
use super::palette::Ink;

/// A drawing being written.
pub struct Svg<'h> {
    html: &'h mut Html,
}

/// Where a label's text begins, relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// The look of a label.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    pub ink: Ink,
    pub size: f64,
    pub anchor: Anchor,
    pub bold: bool,
}

impl Label {
    /// A small label at the start of its point.
    pub const fn small(ink: Ink) -> Label {
        Label { ink, size: 11.0, anchor: Anchor::Start, bold: false }
    }

    /// The same label, placed otherwise.
    pub const fn anchored(self, anchor: Anchor) -> Label {
        Label { anchor, ..self }
    }

    /// The same label in bold.
    pub const fn bold(self) -> Label {
        Label { bold: true, ..self }
    }
}

/// A rectangle.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// The look of a line.
#[derive(Clone, Copy, Debug)]
pub struct Stroke {
    pub ink: Ink,
    pub width: f64,
    pub dash: Option<&'static str>,
}

impl Stroke {
    /// A hairline.
    pub const fn thin(ink: Ink) -> Stroke {
        Stroke { ink, width: 1.0, dash: None }
    }

    /// A line that carries data.
    pub const fn data(ink: Ink) -> Stroke {
        Stroke { ink, width: 1.8, dash: None }
    }

    /// The same line, dashed.
    pub const fn dashed(self, dash: &'static str) -> Stroke {
        Stroke { dash: Some(dash), ..self }
    }
}

impl<'h> Svg<'h> {
    /// Draws into this piece of HTML; the caller has opened `<svg>`.
    pub fn new(html: &'h mut Html) -> Svg<'h> {
        Svg { html }
    }

    /// Defines a hatch to fill with; `id` must be unique in the page.
    pub fn hatch(&mut self, id: &'static str, ink: Ink, opacity: f64, angle: &'static str) {
        self.html.tag("defs").with(|html| {
            let pattern = html.tag("pattern").attr("id", id).attr("width", "6").attr("height", "6");
            pattern.attr("patternUnits", "userSpaceOnUse").attr("patternTransform", angle).with(|html| {
                let line = html.tag("line").attr("x1", "0").attr("y1", "0").attr("x2", "0").attr("y2", "6");
                let line = line.attr("stroke", ink.light()).attr("class", &stroke_class(ink));
                line.attr("stroke-opacity", &opacity.to_string()).leaf();
            });
        });
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        let tag = self.html.tag("line").at("x1", from.0).at("y1", from.1).at("x2", to.0).at("y2", to.1);
        let tag = tag.attr("stroke", stroke.ink.light()).attr("class", &stroke_class(stroke.ink));
        let tag = if stroke.width == 1.0 { tag } else { tag.at("stroke-width", stroke.width) };
        match stroke.dash {
            Some(dash) => tag.attr("stroke-dasharray", dash).leaf(),
            None => tag.leaf(),
        }
    }

    /// A filled rectangle with round corners (`radius` 0 for square ones).
    pub fn rect(&mut self, area: Area, ink: Ink, opacity: f64, radius: f64) {
        let tag = self.html.tag("rect").at("x", area.x).at("y", area.y).at("width", area.width.max(0.0)).at("height", area.height.max(0.0));
        let tag = tag.attr("fill", ink.light()).attr("class", &fill_class(ink));
        let tag = if opacity < 1.0 { tag.attr("fill-opacity", &opacity.to_string()) } else { tag };
        if radius > 0.0 { tag.at("rx", radius).leaf() } else { tag.leaf() }
    }

    /// A rectangle filled with a hatch.
    pub fn hatched(&mut self, area: Area, hatch: &'static str) {
        let tag = self.html.tag("rect").at("x", area.x).at("y", area.y).at("width", area.width.max(0.0)).at("height", area.height.max(0.0));
        tag.attr("fill", &format!("url(#{hatch})")).leaf();
    }

    /// A path that is only a line.
    pub fn stroke(&mut self, path: &Path, stroke: Stroke) {
        if path.is_empty() {
            return;
        }
        let tag = self.html.tag("path");
        let tag = path.write(tag).attr("fill", "none").attr("stroke", stroke.ink.light()).attr("class", &stroke_class(stroke.ink));
        let tag = tag.at("stroke-width", stroke.width).attr("stroke-linejoin", "round").attr("stroke-linecap", "round");
        match stroke.dash {
            Some(dash) => tag.attr("stroke-dasharray", dash).leaf(),
            None => tag.leaf(),
        }
    }

    /// A filled path.
    pub fn fill(&mut self, path: &Path, ink: Ink, opacity: f64) {
        if path.is_empty() {
            return;
        }
        let tag = self.html.tag("path");
        let tag = path.write(tag).attr("fill", ink.light()).attr("class", &fill_class(ink));
        if opacity < 1.0 { tag.attr("fill-opacity", &opacity.to_string()).leaf() } else { tag.leaf() }
    }

    /// A path filled with a hatch.
    pub fn hatched_path(&mut self, path: &Path, hatch: &'static str) {
        if !path.is_empty() {
            let tag = self.html.tag("path");
            path.write(tag).attr("fill", &format!("url(#{hatch})")).leaf();
        }
    }

    /// A dot.
    pub fn dot(&mut self, at: (f64, f64), radius: f64, ink: Ink) {
        let tag = self.html.tag("circle").at("cx", at.0).at("cy", at.1).at("r", radius);
        tag.attr("fill", ink.light()).attr("class", &fill_class(ink)).leaf();
    }

    /// A small triangle whose tip points down to `at`.
    pub fn marker(&mut self, at: (f64, f64), ink: Ink) {
        let mut path = Path::default();
        path.start(at.0, at.1);
        path.to(at.0 + 4.0, at.1 - 6.0);
        path.to(at.0 - 4.0, at.1 - 6.0);
        path.close();
        self.fill(&path, ink, 1.0);
    }

    /// A label.
    pub fn label(&mut self, at: (f64, f64), look: Label, text: &str) {
        let tag = self.html.tag("text").at("x", at.0).at("y", at.1).at("font-size", look.size);
        let tag = if look.bold { tag.attr("font-weight", "600") } else { tag };
        let tag = match look.anchor {
            Anchor::Start => tag,
            Anchor::Middle => tag.attr("text-anchor", "middle"),
            Anchor::End => tag.attr("text-anchor", "end"),
        };
        tag.attr("fill", look.ink.light()).attr("class", &fill_class(look.ink)).text(text);
    }
}

/// A path being drawn, from numbers only.
#[derive(Clone, Debug, Default)]
pub struct Path {
    d: String,
    points: usize,
}

impl Path {
    /// Moves to a point without drawing.
    pub fn start(&mut self, x: f64, y: f64) {
        self.command('M', x, y);
    }

    /// Draws a line to a point.
    pub fn to(&mut self, x: f64, y: f64) {
        self.command('L', x, y);
    }

    /// Draws a line back to the beginning.
    pub fn close(&mut self) {
        self.d.push('Z');
    }

    /// Whether nothing was drawn.
    pub const fn is_empty(&self) -> bool {
        self.points == 0
    }

    fn command(&mut self, command: char, x: f64, y: f64) {
        self.d.push(command);
        self.d.push_str(&tenth(x));
        self.d.push(',');
        self.d.push_str(&tenth(y));
        self.points += 1;
    }

    fn write<'h>(&self, tag: Tag<'h>) -> Tag<'h> {
        tag.drawing(&self.d)
    }
}

/// About how wide a text of this size is, generously.
pub fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.6
}

/// A text cut so that it fits into a width; `None` where not even four characters do.
pub fn fitted(text: &str, size: f64, width: f64) -> Option<String> {
    let room = (width / (size * 0.6)).floor().max(0.0) as usize;
    match text.chars().count() {
        n if n <= room => Some(text.to_owned()),
        _ if room >= 4 => Some(text.chars().take(room - 1).chain(['…']).collect()),
        _ => None,
    }
}

fn fill_class(ink: Ink) -> String {
    format!("f-{}", ink.name())
}

fn stroke_class(ink: Ink) -> String {
    format!("s-{}", ink.name())
}
