//! The client of a session: what it was, how it ended, what it was answered, and how its attempts were told apart.

use super::bars::{self, Bar};
use super::figure::{Figure, empty, figure};
use super::statuses;
use super::table::{cell, count, more, numbers, row, snug, span, table, words};
use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number::{self, share_of};
use crate::report::palette::Ink;
use crate::report::session::SessionFacts;
use crate::report::wording::{NAME, SENTENCE, counted};

const ROWS: usize = 60;
/// Routes that stand in the open; more are folded.
const OPEN: usize = 8;
/// Bars drawn; the last one gathers the rest.
const BARS: usize = 8;

/// Writes the section.
pub fn render(html: &mut Html, report: &Report, session: &SessionFacts) {
    html.tag("p").with(|html| intro(html, report, session));
    html.tag("div").class("two").with(|html| {
        answers(html, report);
        told_apart(html, session);
    });
    routes(html, report, session);
}

fn intro(html: &mut Html, report: &Report, session: &SessionFacts) {
    let listen = line(&session.listen, NAME);
    match (&session.client.command[..], session.client.in_words()) {
        ([], None) if listen.is_empty() => html.text("The proxy never listened."),
        ([], _) => html.text(&format!("Whoever came to {listen} was the client; brownout did not start it.")),
        (command, ended) => {
            html.tag("code").text(&line(&command.join(" "), SENTENCE));
            html.text(" ");
            let tone = if session.client.is_well() { "good" } else { "bad" };
            html.tag("b").class(tone).text(ended.as_deref().unwrap_or("was the client"));
            html.text(if listen.is_empty() { "." } else { "; it was told to use " });
            if !listen.is_empty() {
                html.text(&format!("{listen}{}.", if session.forward { ", as a forward proxy too" } else { "" }));
            }
        }
    }
    let account = &report.accounting;
    let (exchanges, attempts) = (counted(account.exchanges, "exchange"), counted(account.attempts, "attempt"));
    html.text(&format!(" Seen from the proxy: {exchanges}, {attempts}, {}.", counted(session.connections, "connection")));
    if session.client_left > 0 {
        html.text(&format!(" The client left {} before it had its answer.", counted(session.client_left, "attempt")));
    }
}

/// What the client was answered, attempt by attempt.
fn answers(html: &mut Html, report: &Report) {
    let metrics = &report.metrics;
    let mut by_status: Vec<(u16, u64, u64)> = Vec::new();
    for answer in &metrics.by_status_code {
        match by_status.iter_mut().find(|(status, ..)| *status == answer.status) {
            Some((_, count, injected)) => (*count, *injected) = (*count + answer.count, *injected + answer.injected),
            None => by_status.push((answer.status, answer.count, answer.injected)),
        }
    }
    by_status.sort_unstable();
    let statuses = by_status.iter().map(|&(status, count, injected)| {
        let ink = match status {
            100..=399 => Ink::Ok,
            400..=499 => Ink::Warn,
            _ => Ink::Fail,
        };
        (status.to_string(), count, injected, ink)
    });
    let failures = metrics.by_failure.iter().map(|failure| (line(&failure.kind, 24), failure.count, failure.injected, Ink::Fail));
    let all: Vec<(String, u64, u64, Ink)> = statuses.chain(failures).collect();
    if all.is_empty() {
        empty(html, "client-answers", "Answers to the client", "The client sent nothing, so nothing was answered.");
        return;
    }
    let total: u64 = all.iter().map(|(_, count, ..)| count).sum();
    let injected: u64 = all.iter().map(|(_, _, injected, _)| injected).sum();
    let well: u64 = by_status.iter().filter(|(status, ..)| *status < 400).map(|(_, count, _)| count).sum();
    let lead = format!("{} of {} were answered well.", share_of(well, total), counted(total, "attempt"));
    let rest = match injected {
        0 => "Every answer is the target's own.".to_owned(),
        n => format!("Brownout had a hand in {}.", number::count(n)),
    };
    let bar = |(name, count, injected, ink): (String, u64, u64, Ink)| {
        let made = if injected > 0 { format!(", {} injected", number::count(injected)) } else { String::new() };
        Bar { name, value: count as f64, shown: format!("{}{made}", number::count(count)), ink }
    };
    let bars: Vec<Bar> = all.into_iter().take(BARS).map(bar).collect();
    let about = Figure {
        id: "client-answers",
        title: "Answers to the client",
        lead: &lead,
        rest: &rest,
        width: bars::WIDTH,
        height: bars::height(bars.len()),
    };
    figure(html, &about, |svg| bars::draw(svg, &bars), |html| statuses::render(html, report));
}

/// How sure it is which attempts are retries of which.
fn told_apart(html: &mut Html, session: &SessionFacts) {
    let sure = session.confidence;
    let all = sure.all();
    let title = "How retries were recognised";
    if all == 0 {
        let why = "No request was taken for a repetition of another: each began an exchange.";
        empty(html, "client-retries", title, why);
        return;
    }
    let bar = |name: &str, n: u64, ink| Bar { name: name.to_owned(), value: n as f64, shown: number::count(n), ink };
    let bars = [
        bar("exact", sure.exact, Ink::Ok),
        bar("high", sure.high, Ink::Accent),
        bar("medium", sure.medium, Ink::Warn),
        bar("low", sure.low, Ink::Fail),
    ];
    let retries = if all == 1 { "retry" } else { "retries" };
    let (certain, doubtful) = (sure.exact.saturating_add(sure.high), sure.low.saturating_add(sure.medium));
    let lead = format!("Of {} {retries} {} {} sure.", number::count(all), number::count(certain), if certain == 1 { "is" } else { "are" });
    let mut rest = match doubtful {
        0 => "The client's own headers, or a failure right before, say so.".to_owned(),
        _ => "The others look like a request that went before; a header that names the exchange would settle it.".to_owned(),
    };
    let notes = [
        (session.ambiguous, "could belong to several exchanges"),
        (session.changed, "named their exchange and sent another body"),
        (session.split, "exchanges were cut, for more attempts than are kept"),
    ];
    for (n, what) in notes.into_iter().filter(|(n, _)| *n > 0) {
        rest.push_str(&format!(" {} {what}.", number::count(n)));
    }
    let about = Figure { id: "client-retries", title, lead: &lead, rest: &rest, width: bars::WIDTH, height: bars::height(bars.len()) };
    figure(html, &about, |svg| bars::draw(svg, &bars), |html| evidence(html, session));
}

/// The numbers behind it: by what attempts were counted to their exchanges.
fn evidence(html: &mut Html, session: &SessionFacts) {
    html.tag("details").with(|html| {
        html.tag("summary").text("By what attempts were recognised");
        let heads = [words("evidence"), numbers("first attempts"), numbers("retries")];
        snug(html, "By what attempts were recognised", &heads, |html| {
            for (at, by) in session.recognised.iter().enumerate().take(ROWS) {
                row(html, |html| {
                    html.tag("th").attr("scope", "row").text(&line(&by.basis, NAME));
                    count(html, &format!("/extra/session/recognised/{at}/first"), by.first);
                    count(html, &format!("/extra/session/recognised/{at}/retries"), by.retries);
                });
            }
        });
    });
    html.newline();
}

fn routes(html: &mut Html, report: &Report, session: &SessionFacts) {
    let all = &session.routes;
    match all.len() {
        0 => {}
        n if n <= OPEN => routes_table(html, report, session),
        n => html.tag("details").with(|html| {
            html.tag("summary").text(&format!("What the client asked for, by {}", counted(n as u64, "route")));
            routes_table(html, report, session);
        }),
    }
}

fn routes_table(html: &mut Html, report: &Report, session: &SessionFacts) {
    let heads = [
        words("route"),
        numbers("exchanges"),
        numbers("attempts"),
        numbers("ok"),
        numbers("error answers"),
        numbers("no answer"),
        numbers("timed out"),
        numbers("p50"),
        numbers("longest"),
    ];
    table(html, "What the client asked for", &heads, |html| {
        for (at, route) in session.routes.iter().enumerate().take(ROWS) {
            row(html, |html| {
                html.tag("th").attr("scope", "row").with(|html| html.tag("code").text(&line(&route.route, NAME)));
                count(html, &format!("/extra/session/routes/{at}/exchanges"), route.exchanges);
                let found = report.metrics.by_operation.iter().enumerate().find(|(_, operation)| operation.name == route.route);
                let Some((nth, operation)) = found else {
                    return (0..heads.len() - 2).for_each(|_| cell(html, "num muted", number::NOTHING));
                };
                let (of, at) = (&operation.metrics, |key: &str| format!("/metrics/by_operation/{nth}/{key}"));
                count(html, &at("attempts"), of.attempts);
                count(html, &at("ok"), of.ok);
                count(html, &at("error_answers"), of.error_answers);
                count(html, &at("failed"), of.failed);
                count(html, &at("timed_out"), of.timed_out);
                span(html, &at("response_us/ok/p50"), of.response_us.ok.p50);
                span(html, &at("response_us/ok/max"), of.response_us.ok.max);
            });
        }
    });
    more(html, session.routes.len(), ROWS, "routes");
}
