//! Rate limiters: what they say, what is documented of them, what they do; and the shapes of error bodies.

use super::table::{cell, count, more, numbers, row, table, words};
use crate::analysis::{ContractFacts, LimiterFacts};
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number::{self, NOTHING};
use crate::report::wording::{self, NAME, SENTENCE};

/// Rows shown of each table.
const ROWS: usize = 60;

/// Writes both tables; nothing where there is nothing to say.
pub fn render(html: &mut Html, contract: &ContractFacts) {
    if !contract.limiters.is_empty() {
        limiters(html, contract);
    }
    if !contract.shapes.is_empty() {
        shapes(html, contract);
    }
}

fn limiters(html: &mut Html, contract: &ContractFacts) {
    html.tag("h3").text("Rate limiters");
    html.tag("p").class("muted").text(
        "An algorithm is named only where it alone explains which requests were admitted. Intervals hold every value that explains them as well.",
    );
    let heads = [
        words("operation"),
        numbers("requests"),
        numbers("refused"),
        words("says"),
        words("documented"),
        words("does"),
        words("waits kept"),
        words("evidence"),
    ];
    table(html, "Rate limiters", &heads, |html| {
        for (at, limiter) in contract.limiters.iter().enumerate().take(ROWS) {
            row(html, |html| one(html, at, limiter));
        }
    });
    more(html, contract.limiters.len(), ROWS, "limiters");
}

fn one(html: &mut Html, at: usize, limiter: &LimiterFacts) {
    html.tag("th").attr("scope", "row").with(|html| {
        html.tag("code").text(&line(&limiter.operation, NAME));
        html.text(&format!(" ({})", line(&limiter.seen_by, 10)));
    });
    count(html, &format!("/contract/limiters/{at}/requests"), limiter.requests);
    count(html, &format!("/contract/limiters/{at}/refused"), limiter.refused);
    cell(html, "", &says(limiter));
    cell(html, "", &documented(limiter));
    cell(html, "", &wording::does(limiter));
    cell(html, "", &waits(limiter));
    let experiment = limiter.experiment.as_deref().map(|experiment| format!(" It would tell: {experiment}.")).unwrap_or_default();
    cell(html, "muted", &line(&format!("{}.{experiment}", limiter.reason), SENTENCE));
}

fn says(limiter: &LimiterFacts) -> String {
    let limit = limiter.advertised_limit.map(|limit| format!("limit {}", number::count(limit)));
    let units = (!limiter.reset_units.is_empty()).then(|| format!("resets as {}", line(&limiter.reset_units.join(" or "), NAME)));
    let parts: Vec<String> = [limit, units].into_iter().flatten().collect();
    if parts.is_empty() { NOTHING.to_owned() } else { parts.join(", ") }
}

fn documented(limiter: &LimiterFacts) -> String {
    let per = limiter.documented_window_ms.map(|ms| format!(" per {}", number::span(ms.saturating_mul(1_000)))).unwrap_or_default();
    limiter.documented_limit.map_or_else(|| NOTHING.to_owned(), |limit| format!("{}{per}", number::count(limit)))
}

fn waits(limiter: &LimiterFacts) -> String {
    let waits = limiter.waits;
    if waits.kept == 0 {
        return NOTHING.to_owned();
    }
    format!("{}, {} refused again", number::count(waits.kept), number::count(waits.refused_again))
}

fn shapes(html: &mut Html, contract: &ContractFacts) {
    html.tag("details").with(|html| {
        html.tag("summary").text(&format!("Shapes of error bodies ({})", contract.shapes.len()));
        table(html, "Shapes of error bodies", &[words("service"), words("statuses"), numbers("answers"), words("shape")], |html| {
            for (at, shape) in contract.shapes.iter().enumerate().take(ROWS) {
                row(html, |html| {
                    html.tag("th").attr("scope", "row").text(&line(shape.service.as_deref().unwrap_or("any service"), NAME));
                    cell(html, "", &shape.statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(", "));
                    count(html, &format!("/contract/shapes/{at}/count"), shape.count);
                    html.tag("td").with(|html| html.tag("code").text(&line(&shape.shape, SENTENCE)));
                });
            }
        });
        more(html, contract.shapes.len(), ROWS, "shapes");
    });
    html.newline();
}
