//! `brownout import openapi`: a contract to be reviewed out of an OpenAPI document, and how good the document is.

use std::path::{Path, PathBuf};

use crate::import::{self, Imported, Problem};
use crate::plan::source::SourceText;
use crate::plan::{Problems, contract_file};

use super::args::{ImportArgs, ReportForm};
use super::{Exit, terminal};

/// Imports a document. Whatever keeps it from becoming a contract is bad usage: nothing is written then.
pub fn import(args: &ImportArgs) -> Exit {
    match imported(args).and_then(|imported| write(args, &imported)) {
        Ok(()) => Exit::Pass,
        Err(Failure { messages, exit }) => {
            messages.iter().for_each(|message| terminal::error(message));
            exit
        }
    }
}

struct Failure {
    messages: Vec<String>,
    exit: Exit,
}

impl Failure {
    fn usage(message: String) -> Failure {
        Failure { messages: vec![message], exit: Exit::Usage }
    }
}

fn imported(args: &ImportArgs) -> Result<Imported, Failure> {
    let shown = args.spec.display();
    let text = std::fs::read(&args.spec).map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    let name = args.spec.file_name().map_or_else(|| "document".to_owned(), |name| name.to_string_lossy().into_owned());
    let folder = args.spec.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let mut beside = |file: &str| read_beside(&folder, file);
    let beside: Option<import::ReadBeside<'_>> = if args.follow_files { Some(&mut beside) } else { None };
    let imported = import::openapi(&name, &text, beside)
        .map_err(|problems| Failure { messages: problems.iter().map(Problem::to_string).collect(), exit: Exit::Usage })?;
    proven(&imported.toml)?;
    Ok(imported)
}

/// Reads a file inside the document's folder: links that lead out of it are refused, too.
fn read_beside(folder: &Path, file: &str) -> Result<Vec<u8>, String> {
    let inside = std::fs::canonicalize(folder).map_err(|error| error.to_string())?;
    let path = std::fs::canonicalize(folder.join(file)).map_err(|error| error.to_string())?;
    if !path.starts_with(&inside) {
        return Err("it leads out of the folder of the document".to_owned());
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

/// What was made must be a contract; if it is not, that is our mistake and not the document's.
fn proven(toml: &str) -> Result<(), Failure> {
    let problems = Problems::new();
    match contract_file::lower(&SourceText::new("the imported contract", toml), &problems) {
        Some(_) => Ok(()),
        None => Err(Failure {
            messages: vec![format!(
                "the imported contract cannot be read; this is a defect of brownout, please report it with the document:\n{problems}"
            )],
            exit: Exit::Internal,
        }),
    }
}

/// The contract into its file and the report to standard output; without a file the contract to standard output and
/// the report to standard error.
fn write(args: &ImportArgs, imported: &Imported) -> Result<(), Failure> {
    let report = match args.report {
        ReportForm::Text => imported.quality.text(),
        ReportForm::Json => imported.quality.json(),
    };
    let Some(out) = &args.out else {
        terminal::print(&imported.toml);
        terminal::say(report.trim_end());
        return Ok(());
    };
    put(out, &imported.toml, args.force)?;
    terminal::print(&report);
    terminal::say(&format!("wrote {}", out.display()));
    Ok(())
}

fn put(out: &PathBuf, text: &str, force: bool) -> Result<(), Failure> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let written = options.open(out).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let help = if error.kind() == std::io::ErrorKind::AlreadyExists { "; --force overwrites it" } else { "" };
        Failure::usage(format!("cannot write {}: {error}{help}", out.display()))
    })
}
