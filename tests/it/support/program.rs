//! Clients that are not ours: programs of the machine, where it has them.

use std::io::ErrorKind;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; -1 where a signal ended it.
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs curl: quietly, with errors shown, for at most twenty seconds, and without the settings and proxies of whoever
/// runs the tests. `None`, with a line that says so, where there is none.
pub fn curl(args: &[&str]) -> Option<Ran> {
    run("curl", &[&["-q", "-sS", "--max-time", "20", "--noproxy", ""], args].concat())
}

/// Runs a program of Python's own library; its arguments are `sys.argv[1:]`.
pub fn python(program: &str, args: &[&str]) -> Option<Ran> {
    run("python3", &[&["-I", "-c", program], args].concat())
}

fn run(program: &str, args: &[&str]) -> Option<Ran> {
    let mut command = Command::new(program);
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    match command.args(args).output() {
        Ok(output) => Some(Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let _ = writeln!(std::io::stderr(), "not shown with {program}: there is none on this machine");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

/// A file that is gone when dropped.
pub struct Scrap(PathBuf);

impl Scrap {
    /// A file of this name, with this in it.
    pub fn new(name: &str, text: &[u8]) -> Scrap {
        let path = std::env::temp_dir().join(format!("brownout-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("a temporary file");
        Scrap(path)
    }

    pub fn path(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }
}

impl Drop for Scrap {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
