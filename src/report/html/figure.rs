//! A figure: the finding in words, the drawing, and the numbers behind it.

use crate::report::markup::Html;
use crate::report::svg::Svg;

/// What stands around a drawing.
pub struct Figure<'a> {
    /// Unique in the page.
    pub id: &'static str,
    /// What is drawn.
    pub title: &'a str,
    /// What it shows, in bold: the finding.
    pub lead: &'a str,
    /// The rest of the caption.
    pub rest: &'a str,
    pub width: f64,
    pub height: f64,
}

/// Writes a figure; `numbers` adds what stands below the drawing.
pub fn figure(html: &mut Html, about: &Figure<'_>, draw: impl FnOnce(&mut Svg<'_>), numbers: impl FnOnce(&mut Html)) {
    html.tag("figure").attr("id", about.id).with(|html| {
        caption(html, about.lead, about.rest);
        let scroll = html.tag("div").class("scroll").attr("tabindex", "0").attr("role", "group").attr("aria-label", about.title);
        scroll.with(|html| {
            let (title, description) = (format!("{}-title", about.id), format!("{}-desc", about.id));
            let size = if about.width > 700.0 { "fig wide" } else { "fig half" };
            let svg = html.tag("svg").class(size).attr("viewBox", &format!("0 0 {} {}", about.width, about.height));
            let svg = svg.at("width", about.width).at("height", about.height);
            let svg = svg.attr("role", "img").attr("aria-labelledby", &format!("{title} {description}"));
            svg.with(|html| {
                html.tag("title").attr("id", &title).text(about.title);
                html.tag("desc").attr("id", &description).text(&format!("{} {}", about.lead, about.rest));
                draw(&mut Svg::new(html));
            });
        });
        numbers(html);
    });
    html.newline();
}

/// Writes a figure that has nothing to draw and says why.
pub fn empty(html: &mut Html, id: &'static str, title: &str, why: &str) {
    html.tag("figure").attr("id", id).with(|html| {
        caption(html, title, "");
        html.tag("p").class("empty").text(why);
    });
    html.newline();
}

fn caption(html: &mut Html, lead: &str, rest: &str) {
    html.tag("figcaption").with(|html| {
        html.tag("b").text(lead);
        if !rest.is_empty() {
            html.text(" ");
            html.text(rest);
        }
    });
}
