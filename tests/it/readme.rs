//! The reference in README.md says what the code does: its examples are read by it, its tables list what it has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use brownout::contract::catalogue;
use brownout::fault::mutation;
use brownout::gate::metric_names;
use brownout::plan::source::SourceText;
use brownout::plan::{LoadOptions, Plan};
use regex::Regex;

use crate::support::contract;

const README: &str = concat!("\n", include_str!("../../README.md"));

/// The text from a heading to the next one of its rank.
fn section(heading: &str) -> &'static str {
    let start = README.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("there is no `## {heading}`")) + 1;
    let end = README[start + 3..].find("\n## ").map_or(README.len(), |end| start + 3 + end);
    &README[start..end]
}

/// The TOML blocks that begin so.
fn blocks(beginning: &str) -> Vec<&'static str> {
    let fenced = README.split("\n```toml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or(rest));
    fenced.filter(|block| block.starts_with(beginning)).collect()
}

/// The cells of every row of a table with these columns.
fn table(section: &'static str, header: &str) -> Vec<Vec<&'static str>> {
    let rows = section.split_once(header).unwrap_or_else(|| panic!("there is no table {header}")).1;
    let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// A folder with the files that the examples name; removed at its end.
struct Beside(PathBuf);

impl Beside {
    fn new(test: &str) -> Beside {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("readme-{test}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("data")).expect("a folder");
        for (name, text) in [
            ("ca.pem", "-----BEGIN CERTIFICATE-----\n"),
            ("client.pem", "-----BEGIN CERTIFICATE-----\n"),
            ("client.key", "-----BEGIN PRIVATE KEY-----\n"),
            ("data/prompts.csv", "title,text\na,b\n"),
        ] {
            std::fs::write(folder.join(name), text).expect("a file");
        }
        Beside(folder)
    }

    fn load(&self, text: &str) -> Plan {
        let loaded = Plan::from_source(&SourceText::new("README.md", text), &self.0, &LoadOptions::default());
        loaded.unwrap_or_else(|problems| panic!("{}\n{text}", problems.render(false)))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_plan_of_the_readme_is_one() {
    let beside = Beside::new("plans");
    let plans: Vec<&str> = ["# plan", "plan = 1"].into_iter().flat_map(blocks).collect();
    assert!(!plans.is_empty());
    for plan in plans {
        beside.load(plan);
    }
}

#[test]
fn every_part_of_a_plan_is_one_with_the_usual_rest() {
    const REST: [(&str, &str); 4] = [
        ("target", "[target]\nurl = \"http://127.0.0.1:8000\"\n"),
        ("scenario", "[[scenario]]\nname = \"chat\"\n[[scenario.step]]\nname = \"complete\"\nrequest = \"GET /\"\n"),
        ("load", "[[load.stage]]\nname = \"steady\"\nfor = \"10s\"\nrate = \"10/s\"\n"),
        ("contract", "[contract]\nfile = \"jan-server.toml\"\n"),
    ];
    let beside = Beside::new("parts");
    let parts = blocks("# part of a plan");
    assert!(parts.len() >= 6, "{}", parts.len());
    for part in parts {
        let rest = REST.iter().filter(|(name, _)| !part.contains(&format!("\n[{name}]")) && !part.contains(&format!("\n[[{name}]]")));
        let rest: String = rest.map(|(_, text)| *text).collect();
        beside.load(&format!("plan = 1\nname = \"part\"\n{part}\n{rest}"));
    }
}

#[test]
fn every_contract_of_the_readme_is_one_and_its_examples_conform_to_it() {
    let contracts = blocks("# contract");
    assert!(contracts.len() >= 2, "{}", contracts.len());
    for text in contracts {
        let read = contract::read("README.md", text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        // Small as they are, they do not document every common status.
        let lints: Vec<_> = read.lint().into_iter().filter(|lint| lint.check != "Q05").collect();
        assert_eq!(lints, [], "{text}");
    }
    assert!(blocks("# contract").iter().any(|text| contract::read("README.md", text).is_ok_and(|read| read.server.is_some())));
}

#[test]
fn the_checks_are_those_of_the_catalogue() {
    let shown = table(section("Checks"), "| id | name | severity | what it demands | source |");
    let known = catalogue::ALL.iter().map(|check| vec![check.id, check.name, check.severity.word(), check.rule, check.source]);
    assert_eq!(shown, known.collect::<Vec<_>>());
}

#[test]
fn the_mutations_are_those_of_the_table() {
    let shown = table(section("Plan reference"), "| mutation | what is wrong | found by | only |");
    let known = mutation::ALL.iter().map(|mutation| {
        let bytewise = mutation.bytewise.iter().map(|check| format!("({check})"));
        let found: Vec<String> = mutation.expects.iter().map(|check| (*check).to_owned()).chain(bytewise).collect();
        let only = match (mutation.http1_only, mutation.in_stream) {
            (true, _) => "HTTP/1.1",
            (_, true) => "streams",
            _ => "",
        };
        vec![format!("`{}`", mutation.name), mutation.about.to_owned(), found.join(", "), only.to_owned()]
    });
    assert_eq!(shown, known.collect::<Vec<_>>());
}

#[test]
fn the_metrics_are_those_that_gates_know() {
    let rows = table(section("Plan reference"), "| metric | unit | what it reads | how it is decided | samples needed |");
    let expanded = |name: &str| match name.split_once(".{") {
        Some((latency, points)) => points.trim_end_matches('}').split(',').map(|point| format!("{latency}.{point}")).collect(),
        None => vec![name.to_owned()],
    };
    let shown: Vec<String> = rows.iter().flat_map(|row| expanded(row[0].trim_matches('`'))).collect();
    assert_eq!(shown, metric_names());
}

/// Every key that the readers in these files ask a table for.
fn keys(files: &[PathBuf]) -> BTreeSet<String> {
    let asked = r#"\.(?:take|required|not_yet|string|boolean|whole|number|parsed|one_of|table|tables|list|has)\("([a-z0-9_]+)""#;
    let helped = r#"(?:span|share|one_or_many|number|patterns|shape_of|pem)\((?:&?table, )?"([a-z0-9_]+)""#;
    let patterns = [asked, helped].map(|pattern| Regex::new(pattern).expect("a regular expression"));
    let mut found = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("a source file");
        let code = text.split("#[cfg(test)]").next().unwrap_or(&text);
        for pattern in &patterns {
            found.extend(pattern.captures_iter(code).map(|found| found[1].to_owned()));
        }
    }
    found
}

/// The words of a section that stand in code: in backticks or in an example.
fn words_in_code(section: &str) -> BTreeSet<&str> {
    let code = section.split('`').skip(1).step_by(2);
    code.flat_map(|code| code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))).filter(|word| !word.is_empty()).collect()
}

fn assert_all_are_told(name: &str, at_least: usize, files: &[PathBuf]) {
    let (keys, told) = (keys(files), words_in_code(section(name)));
    assert!(keys.len() >= at_least, "the search is out of step with the code: {keys:?}");
    let untold: Vec<&String> = keys.iter().filter(|key| !told.contains(key.as_str())).collect();
    assert!(untold.is_empty(), "`{name}` does not tell of {untold:?}");
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan").join(folder);
    let (mut files, mut folders) = (Vec::new(), vec![folder]);
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        let (inner, found): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
        folders.extend(inner);
        files.extend(found);
    }
    files
}

#[test]
fn every_key_of_a_plan_is_told() {
    assert_all_are_told("Plan reference", 90, &rust_files("lower"));
}

#[test]
fn every_key_of_a_contract_is_told() {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan");
    let mut files = vec![plan.join("contract_file.rs"), plan.join("server_file.rs")];
    files.extend(rust_files("contract_file"));
    files.extend(rust_files("server_file"));
    assert_all_are_told("Contract files", 80, &files);
}
