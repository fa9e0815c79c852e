//! An OpenAPI document → the text of a contract file, to be reviewed, and how good the document is.
//!
//! Swagger 2.0, OpenAPI 3.0, 3.1 and 3.2, as JSON or YAML. What a document says about errors is read into one model
//! ([`spec`]), every schema is rewritten to JSON Schema 2020-12 once ([`dialect`]), equal answers become one envelope
//! and one row ([`fold`]), and [`render`] writes them in the words of contract files, with the place of each. What had
//! to be guessed says so. [`quality`] counts what the document leaves open: a contract can only be as good as that.
//!
//! This module is pure: text in, text out. Nothing is fetched; other files are read only by whoever calls, and only
//! where asked. Documents come from anywhere: their size, depth and number of values are bounded, and so is the work.

mod defect;
mod dialect;
mod document;
mod fields;
mod fold;
mod library;
mod pointer;
pub mod quality;
mod ready;
mod render;
mod roles;
mod schema;
mod spec;
mod words;

use std::fmt;

pub use self::quality::Quality;

/// What became of a document.
#[derive(Clone, Debug)]
pub struct Imported {
    /// A contract file.
    pub toml: String,
    /// What the document leaves open.
    pub quality: Quality,
}

/// Why a document cannot be imported, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, for its author; a sentence without its full stop.
    pub what: String,
    pub place: Place,
    /// What to do about it; empty where there is nothing to say.
    pub help: String,
}

/// A place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where its text could not be read.
    Line { file: String, line: usize, column: usize },
    /// Where its meaning is at fault: `spec.json#/paths/~1pets`.
    Pointer(String),
}

/// As in a compiler's message: what, where, what now.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", words::printable(&self.what))?;
        match &self.place {
            Place::Line { file, line, column } => write!(f, " --> {}:{line}:{column}", words::printable(file))?,
            Place::Pointer(pointer) => write!(f, " --> {}", words::printable(pointer))?,
        }
        if !self.help.is_empty() {
            write!(f, "\n  = help: {}", words::printable(&self.help))?;
        }
        Ok(())
    }
}

/// Reads a file beside the document, by its path relative to the document's folder (`schemas/error.json`).
pub type ReadBeside<'r> = &'r mut dyn FnMut(&str) -> Result<Vec<u8>, String>;

/// Imports an OpenAPI document. `name` is its file name without a folder; `beside` reads the files that it refers to,
/// `None` refuses them.
///
/// # Errors
/// Everything that makes it unusable, in the order in which it was met; never empty.
pub fn openapi(name: &str, text: &[u8], beside: Option<ReadBeside<'_>>) -> Result<Imported, Vec<Problem>> {
    let library = library::Library::open(name, text, beside).map_err(|problem| vec![problem])?;
    let (api, problems) = spec::read(&library);
    match api {
        Some(api) if problems.is_empty() => render::imported(&api, &library, text).map_err(|problem| vec![problem]),
        _ => Err(problems),
    }
}
