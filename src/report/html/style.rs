//! The style sheet: one file of rules, and the palette as variables and chart classes for both themes.

use crate::report::palette::Ink;

const RULES: &str = include_str!("style.css");

/// The whole style sheet.
pub fn sheet() -> String {
    let dark = "@media screen and (prefers-color-scheme:dark)";
    format!(
        ":root{{color-scheme:light dark;{}}}\n{dark}{{:root{{{}}}}}\n@media print{{:root{{color-scheme:light}}}}\n{dark}{{{}}}\n{RULES}",
        variables(Ink::light),
        variables(Ink::dark),
        chart_classes()
    )
}

fn variables(colour: fn(Ink) -> &'static str) -> String {
    Ink::ALL.into_iter().map(|ink| format!("--{}:{};", ink.name(), colour(ink))).collect()
}

/// In the light the presentation attributes are right already.
fn chart_classes() -> String {
    Ink::ALL.into_iter().map(|ink| format!(".f-{0}{{fill:{1}}}.s-{0}{{stroke:{1}}}", ink.name(), ink.dark())).collect()
}
