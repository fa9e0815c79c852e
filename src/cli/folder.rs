//! The run's own folder: made before anything is sent, written to so that nothing is ever half there.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A folder that exists and can be written to.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

/// Why there is no such folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Somebody's report is in it.
    #[error("{0} already holds a report.json; choose another --out, or add --force to replace it")]
    HoldsReport(PathBuf),
    /// The system says no.
    #[error("cannot write to the report folder {path}: {error}; choose another with --out")]
    NotWritable { path: PathBuf, error: std::io::Error },
    /// It could be written to once, and cannot any more: a full disk, a lost mount.
    #[error("cannot write {path}: {error}")]
    NotWritten { path: PathBuf, error: std::io::Error },
}

impl Folder {
    /// Makes the folder, and shows that a file can be written into it.
    ///
    /// # Errors
    /// Where it holds a report already and `force` is not set, or cannot be made or written to.
    pub fn create(path: &Path, force: bool) -> Result<Folder, FolderError> {
        if !force && path.join("report.json").exists() {
            return Err(FolderError::HoldsReport(path.to_owned()));
        }
        let not_writable = |error| FolderError::NotWritable { path: path.to_owned(), error };
        std::fs::create_dir_all(path).map_err(not_writable)?;
        let probe = path.join(".brownout-probe");
        std::fs::write(&probe, b"?").and_then(|()| std::fs::remove_file(&probe)).map_err(not_writable)?;
        Ok(Folder { path: path.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file whole: under another name first, so that a full disk leaves no half of it.
    ///
    /// # Errors
    /// What the system says, with the file's name.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let (path, draft) = (self.path.join(name), self.path.join(format!(".{name}.part")));
        let written = std::fs::File::create(&draft).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.and_then(|()| std::fs::rename(&draft, &path)).map_err(|error| {
            // The draft is of no use to anyone; if it cannot be removed either, there is nothing more to say.
            let _ = std::fs::remove_file(&draft);
            FolderError::NotWritten { path, error }
        })
    }
}
