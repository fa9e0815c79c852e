//! How many attempts an exchange took (M1).

use super::bars::{self, Bar};
use super::figure::{Figure, empty, figure};
use crate::report::Report;
use crate::report::markup::Html;
use crate::report::number;
use crate::report::palette::Ink;

/// Bars drawn; the last one gathers the rest.
const BARS: usize = 8;

/// Writes the figure.
pub fn render(html: &mut Html, report: &Report) {
    let counts = &report.retries.attempts_per_exchange;
    let all: u64 = counts.iter().map(|count| count.exchanges).sum();
    if all == 0 {
        empty(html, "attempts", "Attempts per exchange", "No exchange was finished.");
        return;
    }
    let mut bars: Vec<(String, u64, bool)> = Vec::new();
    for (nth, count) in counts.iter().enumerate() {
        match bars.last_mut() {
            Some((name, exchanges, _)) if nth >= BARS => {
                *exchanges += count.exchanges;
                *name = format!("{} or more", counts[BARS - 1].attempts);
            }
            _ => bars.push((attempts(count.attempts), count.exchanges, count.attempts > 1)),
        }
    }
    let bars: Vec<Bar> = bars
        .into_iter()
        .map(|(name, n, repeated)| Bar {
            name,
            value: n as f64,
            shown: format!("{} · {}", number::count(n), number::share_of(n, all)),
            ink: if repeated { Ink::Warn } else { Ink::Accent },
        })
        .collect();
    let once: u64 = counts.iter().filter(|count| count.attempts == 1).map(|count| count.exchanges).sum();
    let lead = format!("{} of exchanges needed one attempt.", number::share_of(once, all));
    let most = counts.iter().filter(|count| count.exchanges > 0).map(|count| count.attempts).max().unwrap_or_default();
    let rest = format!("Amplification {}; the most for one exchange was {most}.", number::factor(report.retries.amplification));
    let about = Figure {
        id: "attempts",
        title: "Attempts per exchange",
        lead: &lead,
        rest: &rest,
        width: bars::WIDTH,
        height: bars::height(bars.len()),
    };
    figure(html, &about, |svg| bars::draw(svg, &bars), |_| ());
}

fn attempts(n: u32) -> String {
    if n == 1 { "1 attempt".to_owned() } else { format!("{n} attempts") }
}
