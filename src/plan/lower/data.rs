//! `[data.NAME]`: rows of values for templates, from a file or written into the plan.

use std::path::Path;

use bytes::Bytes;

use crate::plan::file::{Table, Value, View};
use crate::plan::problem::Problem;
use crate::plan::source::read_bounded;
use crate::plan::{DataSet, Pick};

/// Data files larger than this are not read.
const LARGEST: usize = 64 * 1024 * 1024;

/// Fields and rows, as they were found.
struct Rows {
    fields: Vec<String>,
    rows: Vec<Vec<Bytes>>,
}

/// Reads all data sets; the second list names those that have problems.
pub fn lower(table: Option<Table<'_>>, folder: &Path) -> (Vec<DataSet>, Vec<String>) {
    let (mut sound, mut broken) = (Vec::new(), Vec::new());
    for (name, value) in table.iter().flat_map(Table::entries) {
        let set = value.table().and_then(|table| {
            let set = data_set(&name, &table, folder);
            table.finish();
            set
        });
        match set {
            Some(set) => sound.push(set),
            None => broken.push(name),
        }
    }
    (sound, broken)
}

fn data_set(name: &str, table: &Table<'_>, folder: &Path) -> Option<DataSet> {
    let words = [("sequential", Pick::Sequential), ("shuffle", Pick::Shuffle), ("random", Pick::Random), ("unique", Pick::Unique)];
    let pick = table.one_of("pick", &words).unwrap_or(Pick::Sequential);
    let rows = match (table.take("file"), table.take("rows")) {
        (Some(file), None) => from_file(&file, folder),
        (None, Some(rows)) => inline(&rows),
        _ => {
            let problem = Problem::at(table.place(), format!("{} needs exactly one of `file` and `rows`", table.shown()));
            table.problems().add(problem.help("file = \"data/prompts.csv\", or rows = [{ title = \"…\" }]"));
            None
        }
    }?;
    if rows.rows.is_empty() {
        let problem = Problem::at(table.place(), format!("the data set `{name}` has no rows"));
        table.problems().add(problem.help("give it at least one row"));
        return None;
    }
    Some(DataSet { name: name.to_owned(), fields: rows.fields, rows: rows.rows, pick })
}

fn from_file(file: &Value<'_>, folder: &Path) -> Option<Rows> {
    let name = file.string()?;
    let refuse = |why: String| file.refuse(format!("the data file `{name}`: {why}"), "files are relative to the plan that names them");
    let bytes = match read_bounded(&folder.join(&name), LARGEST) {
        Ok(bytes) => bytes,
        Err(why) => return refuse(why),
    };
    let read = match Path::new(&name).extension().and_then(|ending| ending.to_str()) {
        Some("csv") => csv_rows(&bytes),
        Some("jsonl" | "ndjson") => json_lines(&bytes),
        _ => Err("its name must end in .csv or .jsonl".to_owned()),
    };
    read.or_else(|why| refuse(why).ok_or(())).ok()
}

fn csv_rows(bytes: &[u8]) -> Result<Rows, String> {
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let fields = reader.headers().map_err(|error| csv_error(&error))?.iter().map(str::to_owned).collect();
    let mut rows = Vec::new();
    for record in reader.byte_records() {
        let record = record.map_err(|error| csv_error(&error))?;
        rows.push(record.iter().map(Bytes::copy_from_slice).collect());
    }
    Ok(Rows { fields, rows })
}

fn csv_error(error: &csv::Error) -> String {
    let line = error.position().map_or(1, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line} has {len} fields, and the first line {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => format!("line {line} is not UTF-8 text"),
        _ => format!("line {line} is not CSV"),
    }
}

fn json_lines(bytes: &[u8]) -> Result<Rows, String> {
    let mut found: Option<Rows> = None;
    for (index, line) in bytes.split(|&b| b == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let number = index + 1;
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(line).map_err(|error| format!("line {number} is not a JSON object: {error}"))?;
        let rows = found.get_or_insert_with(|| Rows { fields: object.keys().cloned().collect(), rows: Vec::new() });
        let field = |name: &String| match object.get(name) {
            Some(serde_json::Value::String(text)) => Ok(Bytes::from(text.clone())),
            Some(other) => Ok(Bytes::from(other.to_string())),
            None => Err(format!("line {number} has no `{name}`, and the first line has")),
        };
        let row = rows.fields.iter().map(field).collect::<Result<_, _>>()?;
        rows.rows.push(row);
    }
    Ok(found.unwrap_or(Rows { fields: Vec::new(), rows: Vec::new() }))
}

fn inline(rows: &Value<'_>) -> Option<Rows> {
    let tables = rows.tables();
    let fields: Vec<String> = tables.first().map(|row| row.entries().into_iter().map(|(name, _)| name).collect()).unwrap_or_default();
    let mut sound = true;
    let mut all = Vec::new();
    for row in &tables {
        let entries = row.entries();
        for field in fields.iter().filter(|field| !row.has(field)) {
            row.problems().add(Problem::at(row.place(), format!("this row has no `{field}`, and the first row has")));
            sound = false;
        }
        for (name, value) in entries.iter().filter(|(name, _)| !fields.contains(name)) {
            row.problems().add(Problem::at(value.key_place(), format!("the first row has no `{name}`")));
            sound = false;
        }
        let text = |field: &String| entries.iter().find(|(name, _)| name == field).and_then(|(_, value)| cell(value));
        match fields.iter().map(text).collect::<Option<Vec<Bytes>>>() {
            Some(cells) => all.push(cells),
            None => sound = false,
        }
    }
    sound.then_some(Rows { fields, rows: all })
}

fn cell(value: &Value<'_>) -> Option<Bytes> {
    match value.view() {
        View::String(_) => value.string().map(Bytes::from),
        View::Integer(whole) => Some(Bytes::from(whole.to_string())),
        View::Float(number) => Some(Bytes::from(number.to_string())),
        View::Boolean(truth) => Some(Bytes::from(truth.to_string())),
        _ => value.refuse(format!("`{}` must be a string or a number, and this is {}", value.key(), value.kind()), "write \"…\" or 40"),
    }
}
