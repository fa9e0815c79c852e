//! The contract: which documented errors were seen and conform, which are missing, and what is not documented.

use super::limiters;
use super::table::{Head, cell, count, group, more, numbers, row, sign, table, words};
use crate::analysis::{ContractFacts, EntryFacts, EntryState};
use crate::contract::Source;
use crate::report::Report;
use crate::report::escape::line;
use crate::report::markup::Html;
use crate::report::number;
use crate::report::wording::{self, NAME, SENTENCE};

/// Rows shown of each table.
const ROWS: usize = 300;
/// Columns of the matrix.
const STATUSES: usize = 24;

/// Writes the section.
pub fn render(html: &mut Html, report: &Report) {
    let Some(contract) = &report.contract else {
        html.tag("p").text("The plan names no contract, so no answer was held to one. A [contract] part in the plan checks every error answer against its documentation.");
        return;
    };
    html.tag("p").text(&intro(contract));
    if contract.entries.is_empty() {
        html.tag("p").class("empty").text("The contract documents no errors, so there is nothing to cover.");
    } else {
        matrix(html, contract);
        named(html, contract);
        entries(html, contract);
    }
    undocumented(html, contract);
    limiters::render(html, contract);
    lints(html, contract);
}

fn intro(contract: &ContractFacts) -> String {
    let found = contract.coverage;
    let seen = format!("{}, {} conformant.", wording::covered(found), number::count(found.conformant));
    let inspected = number::count(contract.inspected);
    let own = match contract.inspected_injected {
        0 => String::new(),
        n => format!(" and {} of our own", number::count(n)),
    };
    format!(
        "{seen} {inspected} answers of the target{own} were inspected, none sampled. What only brownout's own injector produced does not count."
    )
}

/// Services by statuses; each sign is one documented error.
fn matrix(html: &mut Html, contract: &ContractFacts) {
    let mut statuses: Vec<u16> = contract.entries.iter().map(|entry| entry.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses.truncate(STATUSES);
    let services = wording::services(&contract.entries);
    let scroll =
        html.tag("div").class("scroll").attr("tabindex", "0").attr("role", "group").attr("aria-label", "Coverage by service and status");
    scroll.with(|html| {
        html.tag("table").class("matrix").attr("aria-label", "Coverage by service and status").attr("cellpadding", "4").with(|html| {
            html.tag("thead").attr("align", "left").with(|html| {
                html.tag("tr").with(|html| {
                    html.tag("th").attr("scope", "col").text("service");
                    for status in &statuses {
                        html.tag("th").attr("scope", "col").text(&status.to_string());
                    }
                });
            });
            html.tag("tbody").attr("align", "left").with(|html| {
                for service in services.iter().take(40) {
                    row(html, |html| {
                        html.tag("th").attr("scope", "row").text(&line(service.unwrap_or("any service"), NAME));
                        for status in &statuses {
                            let here = |entry: &&EntryFacts| entry.service.as_deref() == *service && entry.status == *status;
                            html.tag("td").with(|html| contract.entries.iter().filter(here).take(8).for_each(|entry| mark(html, entry)));
                        }
                    });
                }
            });
        });
    });
    html.newline();
    legend(html, contract);
}

fn mark(html: &mut Html, entry: &EntryFacts) {
    let sign = wording::state(entry.state);
    let meaning = format!("{}: {}", line(&entry.code, NAME), sign.word);
    html.tag("span").class("mark").with(|html| {
        html.tag("span").class(sign.tone.class()).attr("role", "img").attr("aria-label", &meaning).attr("title", &meaning).text(sign.icon);
    });
}

fn legend(html: &mut Html, contract: &ContractFacts) {
    let states = [
        EntryState::Conformant,
        EntryState::Violating,
        EntryState::SyntheticOnly,
        EntryState::NeedsHook,
        EntryState::Unreached,
        EntryState::NotTried,
        EntryState::Excluded,
    ];
    html.tag("p").class("legend").with(|html| {
        for state in states {
            let n = contract.entries.iter().filter(|entry| entry.state == state).count();
            if n > 0 {
                let sign = wording::state(state);
                html.tag("span").with(|html| {
                    html.tag("span").class(sign.tone.class()).text(sign.icon);
                    html.text(&format!(" {} {n}", sign.word));
                });
                html.text(" ");
            }
        }
    });
    html.newline();
}

/// The documented errors that need attention, by name: violated ones, and those the target was not seen to answer with.
fn named(html: &mut Html, contract: &ContractFacts) {
    let those = |wanted: fn(EntryState) -> bool| contract.entries.iter().filter(|entry| wanted(entry.state)).collect::<Vec<_>>();
    let violating = those(|state| state == EntryState::Violating);
    let missing = those(|state| !wording::seen(state) && state != EntryState::Excluded);
    list(html, "Violating", &violating);
    list(html, "Not seen from the target", &missing);
    list(html, "Excluded", &those(|state| state == EntryState::Excluded));
    if missing.is_empty() {
        html.tag("p").text("Every documented error in scope was seen.");
    }
}

fn list(html: &mut Html, title: &str, entries: &[&EntryFacts]) {
    if entries.is_empty() {
        return;
    }
    html.tag("p").with(|html| {
        html.tag("b").text(&format!("{title} ({}): ", entries.len()));
        for (nth, entry) in entries.iter().take(40).enumerate() {
            html.text(if nth == 0 { "" } else { ", " });
            html.tag("code").text(&format!("{} {}", entry.status, line(&entry.code, NAME)));
            if let Some(service) = &entry.service {
                html.text(&format!(" ({})", line(service, NAME)));
            }
        }
        html.text(if entries.len() > 40 { ", …" } else { "." });
    });
    html.newline();
}

fn entries(html: &mut Html, contract: &ContractFacts) {
    let heads = [
        numbers("status"),
        words("code"),
        words("state"),
        words("seen by"),
        numbers("answers"),
        numbers("injected"),
        numbers("findings"),
        words("why, where documented"),
    ];
    html.tag("details").with(|html| {
        html.tag("summary").text(&format!("All {} with their counts", wording::counted(contract.entries.len() as u64, "documented error")));
        rows(html, contract, &heads);
        more(html, contract.entries.len(), ROWS, "documented errors");
    });
    html.newline();
}

fn rows(html: &mut Html, contract: &ContractFacts, heads: &[Head]) {
    table(html, "Documented errors", heads, |html| {
        for service in wording::services(&contract.entries) {
            let own = || contract.entries.iter().enumerate().take(ROWS).filter(|(_, entry)| entry.service.as_deref() == service);
            if own().next().is_none() {
                continue;
            }
            let seen = own().filter(|(_, entry)| wording::seen(entry.state)).count();
            group(html, heads.len(), &format!("{}: {seen} of {} seen", line(service.unwrap_or("any service"), NAME), own().count()));
            for (at, entry) in own() {
                row(html, |html| one(html, at, entry));
            }
        }
    });
}

fn one(html: &mut Html, at: usize, entry: &EntryFacts) {
    cell(html, "num", &entry.status.to_string());
    html.tag("th").attr("scope", "row").with(|html| html.tag("code").text(&line(&entry.code, NAME)));
    sign(html, wording::state(entry.state));
    let seen = if entry.how_seen.is_empty() { number::NOTHING.to_owned() } else { line(&entry.how_seen.join(", "), NAME) };
    cell(html, "", &seen);
    count(html, &format!("/contract/entries/{at}/count"), entry.count);
    count(html, &format!("/contract/entries/{at}/injected"), entry.injected);
    count(html, &format!("/contract/entries/{at}/findings"), entry.findings);
    let place = entry.contract_ref.as_ref().map(place).unwrap_or_default();
    let reason = line(entry.reason.as_deref().unwrap_or_default(), SENTENCE);
    let both: Vec<&str> = [reason.as_str(), place.as_str()].into_iter().filter(|text| !text.is_empty()).collect();
    cell(html, "muted", &both.join(" · "));
}

/// `jan-server.toml:112`: the file's own name and the line.
pub fn place(source: &Source) -> String {
    let name = source.file.rsplit('/').next().unwrap_or_default();
    format!("{}:{}", line(name, NAME), source.line)
}

fn undocumented(html: &mut Html, contract: &ContractFacts) {
    if contract.undocumented.is_empty() {
        html.tag("p").text("Nothing undocumented was answered.");
        return;
    }
    html.tag("p").with(|html| {
        html.tag("b").text("Answered but not documented: ");
        for (at, seen) in contract.undocumented.iter().enumerate().take(20) {
            html.text(if at == 0 { "" } else { ", " });
            html.tag("code").text(&format!("{} {}", seen.status, line(seen.code.as_deref().unwrap_or("without a code"), NAME)));
            if let Some(service) = &seen.service {
                html.text(&format!(" ({})", line(service, NAME)));
            }
            html.text(" ");
            html.tag("span")
                .fact(&format!("/contract/undocumented/{at}/count"), seen.count)
                .text(&format!("{}×", number::count(seen.count)));
        }
        html.text(".");
    });
    more(html, contract.undocumented.len(), 20, "kinds of answer");
}

fn lints(html: &mut Html, contract: &ContractFacts) {
    if contract.lints.is_empty() {
        return;
    }
    html.tag("h3").text("Wrong in the contract document itself");
    html.tag("p").class("muted").text("These never enter the verdict on a live answer.");
    table(html, "Contract lints", &[words("check"), words("what"), words("where")], |html| {
        for lint in contract.lints.iter().take(ROWS) {
            row(html, |html| {
                html.tag("th").attr("scope", "row").text(&line(&lint.check, NAME));
                cell(html, "", &line(&lint.message, SENTENCE));
                cell(html, "left muted", &place(&lint.contract_ref));
            });
        }
    });
    more(html, contract.lints.len(), ROWS, "lints");
}
