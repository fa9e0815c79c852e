//! `[validity]` and `[report]`: when a run is to be believed, and what is written about it.

use super::target::{share, span};
use crate::plan::file::{Part, Table, Value, pieces};
use crate::plan::problem::Problem;
use crate::plan::{Format, ReportSettings, Validity};

/// Reads `[validity]`.
pub fn validity(table: Option<Table<'_>>) -> Validity {
    let usual = Validity::default();
    let Some(table) = table else { return usual };
    let validity = Validity {
        schedule_lag_p99: span(&table, "schedule_lag_p99", usual.schedule_lag_p99),
        dropped: share(&table, "dropped", usual.dropped),
        generator_cpu: share(&table, "generator_cpu", usual.generator_cpu),
    };
    table.finish();
    validity
}

/// Reads `[report]`; `json` is always among the formats.
pub fn report(table: Option<Table<'_>>) -> ReportSettings {
    let mut report = ReportSettings { dir: "reports/${run.id}".to_owned(), formats: vec![Format::Json, Format::Html, Format::Hgrm] };
    let Some(table) = table else { return report };
    if let Some(dir) = table.take("dir").and_then(|dir| folder_name(&dir)) {
        report.dir = dir;
    }
    if let Some(formats) = table.take("formats") {
        report.formats = formats.list().unwrap_or_default().iter().filter_map(format).collect();
        report.formats.insert(0, Format::Json);
        let mut seen = Vec::new();
        report.formats.retain(|format| !seen.contains(format) && (seen.push(*format), true).1);
    }
    table.finish();
    report
}

/// The folder's name: variables are replaced now, `${run.id}` is left for the run.
fn folder_name(dir: &Value<'_>) -> Option<String> {
    let mut name = String::new();
    for piece in pieces(dir.raw()?) {
        match piece {
            Part::Name("run.id") => name.push_str("${run.id}"),
            Part::Name(variable) => name.push_str(&dir.expand(&format!("${{{variable}}}"))?),
            Part::Text(text) | Part::Open(text) => name.push_str(text),
        }
    }
    match name.is_empty() {
        true => dir.refuse("the report needs a folder", "write for example \"reports/${run.id}\""),
        false => Some(name),
    }
}

fn format(value: &Value<'_>) -> Option<Format> {
    let words =
        [("json", Format::Json), ("html", Format::Html), ("junit", Format::Junit), ("markdown", Format::Markdown), ("hgrm", Format::Hgrm)];
    if value.raw()? == "hlog" {
        let problem = Problem::at(value.place(), "the format `hlog` is not supported in this version");
        value.problems().add(problem.help("remove it; `hgrm` has the same distribution"));
        return None;
    }
    value.one_of(&words)
}
