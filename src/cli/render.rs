//! `brownout report`: every view again, from report.json alone.

use std::path::Path;

use crate::report::{self, Format};

use super::args::{Rendering, ReportArgs};
use super::folder::Folder;
use super::{Exit, terminal};

/// Renders a report again.
pub fn render(args: &ReportArgs) -> Exit {
    let shown = args.file.display();
    let read = std::fs::read(&args.file).map_err(|error| format!("cannot read {shown}: {error}"));
    let report = read.and_then(|bytes| report::json::read(&bytes).map_err(|error| format!("{shown}: {error}")));
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            terminal::error(&error);
            terminal::help("name a report.json that `brownout run` has written");
            return Exit::Usage;
        }
    };
    if args.format.contains(&Rendering::Text) {
        terminal::print(&report::text::render(&report, terminal::colour_out()));
    }
    let formats = formats(&args.format);
    if formats.is_empty() {
        return Exit::Pass;
    }
    let beside = args.file.parent().unwrap_or(Path::new("."));
    // A list of hashes is of all views of a run, beside them; a part of them makes no new one.
    let whole = args.format.is_empty() && args.out.is_none();
    let wanted = |name: &str| name != "report.json" && (whole || name != report::SUMS);
    // The folder holds a report by its nature: it is the one that is rendered again.
    let written = Folder::create(args.out.as_deref().unwrap_or(beside), true).and_then(|folder| {
        report::files(&report, &formats).into_iter().filter(|(name, _)| wanted(name)).try_for_each(|(name, bytes)| {
            folder.write(&name, &bytes)?;
            terminal::say(&format!("wrote {}", folder.path().join(&name).display()));
            Ok(())
        })
    });
    match written {
        Ok(()) => Exit::Pass,
        Err(error) => {
            terminal::error(&error.to_string());
            Exit::Setup
        }
    }
}

fn formats(asked: &[Rendering]) -> Vec<Format> {
    let all = [Rendering::Html, Rendering::Junit, Rendering::Markdown, Rendering::Hgrm];
    let asked = if asked.is_empty() { &all[..] } else { asked };
    asked
        .iter()
        .filter_map(|rendering| match rendering {
            Rendering::Html => Some(Format::Html),
            Rendering::Junit => Some(Format::Junit),
            Rendering::Markdown => Some(Format::Markdown),
            Rendering::Hgrm => Some(Format::Hgrm),
            Rendering::Text => None,
        })
        .collect()
}
