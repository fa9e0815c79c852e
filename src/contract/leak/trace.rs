//! L01: lines of stack traces, in the ways that languages write them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::contract::json::Json;
use crate::contract::leak::pattern::Forms;

/// One line of a stack trace.
static FRAME: LazyLock<Forms> = LazyLock::new(|| {
    Forms::new(&[
        (
            "Java",
            r"(?-u:\b)at [0-9A-Za-z_$.<>/@-]+\((?:[0-9A-Za-z_$]+\.(?:java|kt|scala|groovy|clj):[0-9]+|Native Method|Unknown Source|<generated>)\)",
        ),
        ("Python", r#"File "[^"\n]+", line [0-9]+"#),
        ("Node", r"(?-u:\b)at (?:[^\n()]+ \()?(?:file://|node:|webpack:|[A-Za-z]:\\|/)[^\n()\s]+:[0-9]+:[0-9]+\)?"),
        ("Go", r"[0-9A-Za-z_./@~+-]+\.go:[0-9]+(?-u:\b)"),
        (".NET", r"(?-u:\b)at [^\n(]+\([^\n)]*\) in [^\n]+:line [0-9]+"),
        (".NET without files", r"(?m)^ {1,8}at [A-Za-z_][0-9A-Za-z_.`+<>\[\],]*\.[0-9A-Za-z_<>`.|]+\([^()\n]*\)\s*$"),
        ("Ruby", r"[0-9A-Za-z_./-]+\.rb:[0-9]+:in "),
        ("PHP", r"#[0-9]+ [^\n]+\.php\([0-9]+\)"),
        ("PHP", r"[0-9A-Za-z_./\\-]+\.php on line [0-9]+"),
        ("Rust", r"(?-u:\b)at [^\s]+\.rs:[0-9]+:[0-9]+"),
        ("any", r"[0-9A-Za-z_./\\-]+\.(?:java|kt|py|js|ts|mjs|cjs|cs|php|rb|rs|cc|cpp|exs?):[0-9]+(?-u:\b)"),
    ])
});

/// The words with which a stack trace begins or goes on.
static TROUBLE: LazyLock<Forms> = LazyLock::new(|| {
    Forms::new(&[
        ("Python", r"Traceback \(most recent"),
        ("a class", r"(?-u:\b)[0-9A-Za-z_]*(?:Error|Exception|Panic)(?-u:\b)(?:: |$|\n)"),
        ("a panic", r"(?i)(?-u:\b)panic(?:ked)?(?-u:\b)"),
        ("a cause", r"(?i)caused by"),
        ("a trace", r"(?i)stack ?trace"),
        ("unhandled", r"(?i)unhandled|uncaught|fatal error"),
        ("Go", r"goroutine [0-9]+ \["),
    ])
});

/// Whether a text holds two lines of a stack trace with a word of trouble, or three without.
pub(super) fn is_in(text: &str, json: Option<Json<'_>>) -> bool {
    let mut taken_apart = String::new();
    if let Some(json) = json {
        recombined(json, &mut taken_apart);
    }
    let frames = |text: &str| FRAME.any().find_iter(text).take(3).count();
    let frames = frames(text) + frames(&taken_apart);
    frames >= 3 || (frames == 2 && TROUBLE.any().is_match(text))
}

/// Frames taken apart, `{"file": "a.py", "line": 3}`, put together again as `a.py:3`.
fn recombined(json: Json<'_>, into: &mut String) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| recombined(item, into)),
        Json::Object(members) => {
            let named = |names: &[&str]| names.iter().find_map(|name| json.get(name));
            if let (Some(Json::Text(file)), Some(Json::Number(line))) =
                (named(&["file", "filename", "fileName"]), named(&["line", "lineno", "lineNumber"]))
            {
                let _ = writeln!(into, "{file}:{line}");
            }
            members.iter().for_each(|(_, value)| recombined(value, into));
        }
        _ => {}
    }
}
