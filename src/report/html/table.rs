//! Tables: heads, rows of cells, and how many rows there is room for.

use std::fmt::Display;

use crate::report::markup::Html;
use crate::report::number;
use crate::report::wording::Sign;

/// A column's head.
#[derive(Clone, Copy)]
pub struct Head {
    pub text: &'static str,
    pub numeric: bool,
}

/// A column of text.
pub const fn words(text: &'static str) -> Head {
    Head { text, numeric: false }
}

/// A column of numbers, set to the right.
pub const fn numbers(text: &'static str) -> Head {
    Head { text, numeric: true }
}

/// Writes a table that scrolls by itself where it is too wide; `label` is read to those who cannot see it.
pub fn table(html: &mut Html, label: &str, heads: &[Head], rows: impl FnOnce(&mut Html)) {
    sized(html, "", label, heads, rows);
}

/// Writes the gates: on a narrow screen each row becomes a small card.
pub fn cards(html: &mut Html, label: &str, heads: &[Head], rows: impl FnOnce(&mut Html)) {
    sized(html, "cards", label, heads, rows);
}

/// Writes a table no wider than its contents.
pub fn snug(html: &mut Html, label: &str, heads: &[Head], rows: impl FnOnce(&mut Html)) {
    sized(html, "snug", label, heads, rows);
}

fn sized(html: &mut Html, class: &'static str, label: &str, heads: &[Head], rows: impl FnOnce(&mut Html)) {
    let scroll = html.tag("div").class("scroll").attr("tabindex", "0").attr("role", "group").attr("aria-label", label);
    scroll.with(|html| {
        // cellpadding and align are for the places that show a page without its style sheet
        html.tag("table").class(class).attr("aria-label", label).attr("cellpadding", "4").with(|html| {
            html.tag("thead").attr("align", "left").with(|html| {
                html.tag("tr").with(|html| {
                    for head in heads {
                        html.tag("th").attr("scope", "col").class(if head.numeric { "num" } else { "" }).text(head.text);
                    }
                });
            });
            html.tag("tbody").attr("align", "left").with(rows);
        });
    });
    html.newline();
}

/// Writes one row.
pub fn row(html: &mut Html, cells: impl FnOnce(&mut Html)) {
    html.tag("tr").with(cells);
    html.newline();
}

/// A cell of text.
pub fn cell(html: &mut Html, class: &'static str, text: &str) {
    html.tag("td").class(class).text(text);
}

/// A cell with a number of `report.json`: where it stands there, its value, and how it is shown.
pub fn fact(html: &mut Html, pointer: &str, value: impl Display, shown: &str) {
    html.tag("td").class("num").fact(pointer, value).text(shown);
}

/// A cell with a count of `report.json`.
pub fn count(html: &mut Html, pointer: &str, n: u64) {
    fact(html, pointer, n, &number::count(n));
}

/// A cell with a span of `report.json` that may be missing.
pub fn span(html: &mut Html, pointer: &str, us: Option<u64>) {
    match us {
        Some(us) => fact(html, pointer, us, &number::span(us)),
        None => cell(html, "num muted", number::NOTHING),
    }
}

/// A sign and its word.
pub fn sign(html: &mut Html, sign: Sign) {
    html.tag("td").with(|html| {
        html.tag("span").class("mark").with(|html| {
            html.tag("span").class(sign.tone.class()).text(&format!("{} {}", sign.icon, sign.word));
        });
    });
}

/// A row that heads a group of rows.
pub fn group(html: &mut Html, columns: usize, text: &str) {
    html.tag("tr").class("group").with(|html| {
        html.tag("th").attr("scope", "rowgroup").attr("colspan", &columns.to_string()).text(text);
    });
    html.newline();
}

/// Says how many are not shown.
pub fn more(html: &mut Html, all: usize, shown: usize, what: &str) {
    if all > shown {
        let rest = number::count((all - shown) as u64);
        html.tag("p").class("muted").text(&format!("… and {rest} more {what} in report.json."));
    }
}
