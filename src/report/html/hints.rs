//! What was done with the server's Retry-After (M11).

use super::bars::{self, Bar};
use super::figure::{Figure, empty, figure};
use crate::report::Report;
use crate::report::markup::Html;
use crate::report::number;
use crate::report::palette::Ink;

/// Writes the figure.
pub fn render(html: &mut Html, report: &Report) {
    let hint = &report.retries.retry_after;
    if hint.seen == 0 {
        let why = "No answer with a Retry-After was followed by another attempt.";
        empty(html, "retry-after", "Retry-After", why);
        return;
    }
    let bar = |name: &str, n: u64, ink| Bar {
        name: name.to_owned(),
        value: n as f64,
        shown: format!("{} · {}", number::count(n), number::share_of(n, hint.seen)),
        ink,
    };
    let bars = [bar("obeyed", hint.obeyed, Ink::Ok), bar("came early", hint.early, Ink::Fail), bar("came late", hint.late, Ink::Warn)];
    let lead = match hint.early {
        0 => format!(
            "No retry came before the time the server had given; {} of {} came on time.",
            number::count(hint.obeyed),
            number::count(hint.seen)
        ),
        early => format!("{} of {} retries came before the time the server had given.", number::count(early), number::count(hint.seen)),
    };
    let rest = match hint.early_max_us {
        0 => String::new(),
        us => format!("The earliest came {} too early.", number::span(us)),
    };
    let about = Figure { id: "retry-after", title: "Retry-After", lead: &lead, rest: &rest, width: bars::WIDTH, height: bars::height(3) };
    figure(html, &about, |svg| bars::draw(svg, &bars), |_| ());
}
