//! The text of a document, with a name to show and lines that can be counted.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::contract::Source;

/// Documents larger than this are not read: a plan or contract is written by people.
pub const LARGEST: usize = 8 * 1024 * 1024;

/// The text of one document.
pub struct SourceText {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

impl SourceText {
    /// A text that is already at hand; `name` is what messages call it.
    pub fn new(name: &str, text: impl Into<String>) -> Arc<SourceText> {
        let text = text.into();
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Arc::new(SourceText { name: name.to_owned(), text, line_starts })
    }

    /// Reads a file; `name` is what messages call it. At most [`LARGEST`] bytes are read, whatever the file is.
    ///
    /// # Errors
    /// Says why it cannot be read as text, for the author of whatever named the file.
    pub fn read(path: &Path, name: &str) -> Result<Arc<SourceText>, String> {
        let bytes = read_bounded(path, LARGEST)?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(SourceText::new(name, text)),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let line = 1 + error.as_bytes()[..good].iter().filter(|&&b| b == b'\n').count();
                Err(format!("line {line} is not UTF-8 text"))
            }
        }
    }

    /// What messages call the document.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of the file, to which the files it names are relative; none for what is built in.
    pub fn folder(&self) -> Option<&Path> {
        (!self.name.ends_with("(built in)")).then(|| Path::new(&self.name).parent().unwrap_or(Path::new("")))
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line of a byte, from 1; the last line for a byte past the end.
    pub fn line_of(&self, at: usize) -> u32 {
        u32::try_from(self.line_starts.partition_point(|&start| start <= at)).unwrap_or(u32::MAX)
    }

    /// The column of a byte in characters, from 1.
    pub fn column_of(&self, at: usize) -> u32 {
        let start = self.line_starts[self.line_of(at) as usize - 1];
        let before = self.text.get(start..at.min(self.text.len())).unwrap_or("");
        u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX)
    }

    /// The place of a line and a column in bytes, both from 1; the end of the text where it has no such line.
    pub(super) fn place_at(&self, line: usize, column: usize) -> Range<usize> {
        let start = self.line_starts.get(line.saturating_sub(1)).map_or(self.text.len(), |start| start + column.saturating_sub(1));
        let at = (0..=start.min(self.text.len())).rev().find(|&at| self.text.is_char_boundary(at)).unwrap_or(0);
        at..at
    }

    /// The bytes of a line, from 1, without its indentation and its line break; empty past the last line.
    pub fn span_of_line(&self, line: u32) -> Range<usize> {
        let Some(&start) = self.line_starts.get((line as usize).saturating_sub(1)) else { return self.text.len()..self.text.len() };
        let line = self.text[start..].lines().next().unwrap_or("");
        let indentation = line.len() - line.trim_start().len();
        start + indentation..start + line.trim_end().len().max(indentation)
    }

    /// File and line of a span, as contracts keep them for every clause.
    pub fn source_of(&self, span: &Range<usize>) -> Source {
        Source { file: self.name.clone(), line: self.line_of(span.start) }
    }

    /// The bytes of the lines that a span touches, line breaks excluded at the end.
    pub(super) fn lines_around(&self, span: &Range<usize>) -> Range<usize> {
        let first = self.line_of(span.start) as usize - 1;
        let last = self.line_of(span.end.saturating_sub(1).max(span.start)) as usize - 1;
        let end = self.line_starts.get(last + 1).map_or(self.text.len(), |&next| next - 1);
        let end = if self.text[..end].ends_with('\r') { end - 1 } else { end };
        self.line_starts[first]..end.max(self.line_starts[first])
    }
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceText({}, {} bytes)", self.name, self.text.len())
    }
}

/// The bytes of a file of at most `limit` bytes.
pub(super) fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>, String> {
    let missing = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission to read it is denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder, not a file".to_owned(),
        _ => format!("it cannot be read: {error}"),
    };
    let mut bytes = Vec::new();
    File::open(path).map_err(missing)?.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(missing)?;
    match bytes.len() > limit {
        true => Err(format!("it is larger than {}", crate::units::Size(limit as u64))),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_at_their_line_and_column() {
        let source = SourceText::new("a.toml", "a = 1\nü = 2\n");
        assert_eq!((source.line_of(0), source.column_of(0)), (1, 1));
        assert_eq!((source.line_of(5), source.column_of(5)), (1, 6));
        assert_eq!((source.line_of(6), source.column_of(6)), (2, 1));
        let two = source.text().find('2').expect("it is there");
        assert_eq!((source.line_of(two), source.column_of(two)), (2, 5));
        assert_eq!((source.line_of(999), source.column_of(999)), (3, 1));
        assert_eq!(&source.text()[source.span_of_line(2)], "ü = 2");
        assert_eq!((source.span_of_line(3), source.span_of_line(9)), (13..13, 13..13));
        assert_eq!(&source.text()[source.lines_around(&(two..two + 1))], "ü = 2");
        assert_eq!(source.source_of(&(two..two)), Source { file: "a.toml".into(), line: 2 });
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let read = |path: &str| SourceText::read(Path::new(path), path).unwrap_err();
        assert_eq!(read("no/such/file"), "there is no such file");
        assert_eq!(read("src"), "it is a folder, not a file");
        let dir = std::env::temp_dir().join(format!("brownout-source-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (binary, large) = (dir.join("binary"), dir.join("large"));
        std::fs::write(&binary, b"a = 1\nb = \"\xff\"").unwrap();
        std::fs::write(&large, vec![b'#'; LARGEST + 1]).unwrap();
        assert_eq!(SourceText::read(&binary, "x").unwrap_err(), "line 2 is not UTF-8 text");
        assert_eq!(SourceText::read(&large, "x").unwrap_err(), "it is larger than 8 MiB");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
