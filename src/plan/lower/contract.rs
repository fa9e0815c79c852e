//! `[contract]`: the documented errors every answer is held to.

use std::path::Path;
use std::sync::Arc;

use crate::contract::baseline::Baseline;
use crate::contract::{Profile, Terms};
use crate::plan::file::{Table, Value};
use crate::plan::problem::Problems;
use crate::plan::source::{SourceText, read_bounded};
use crate::plan::{ContractUse, contract_file};
use crate::secret::Secrets;
use crate::severity::Severity;

/// What became of `[contract]`.
pub enum Lowered {
    /// The plan names none.
    Absent,
    /// It has problems, which are reported; whatever refers to it is not to be reported again.
    Broken,
    /// It can be used.
    Sound(ContractUse),
}

impl Lowered {
    /// The contract, if it can be used.
    pub fn sound(self) -> Option<ContractUse> {
        match self {
            Lowered::Sound(using) => Some(using),
            Lowered::Absent | Lowered::Broken => None,
        }
    }
}

/// Reads `[contract]` and the file it names.
pub fn lower(table: Option<Table<'_>>, folder: &Path, secrets: &Arc<Secrets>) -> Lowered {
    let Some(table) = table else { return Lowered::Absent };
    let file = table.required("file");
    let profiles = [("core", Profile::Core), ("strict", Profile::Strict), ("companion", Profile::Companion)];
    let profile = table.one_of("profile", &profiles).unwrap_or(Profile::Core);
    let undocumented = table.one_of("undocumented", &Severity::ALL.map(|severity| (severity.word(), severity))).unwrap_or(Severity::High);
    let baseline = table.take("baseline").map(|value| baseline_of(&value, folder));
    let problems = table.problems();
    table.finish();
    let contract = file.and_then(|file| source(&file, folder)).and_then(|source| read(&source, problems));
    match contract.filter(|_| baseline.as_ref().is_none_or(Option::is_some)) {
        Some(contract) => {
            let terms = Terms { profile, undocumented, secrets: Arc::clone(secrets) };
            Lowered::Sound(ContractUse { contract: Arc::new(contract), terms, baseline: baseline.flatten().map(Arc::new) })
        }
        None => Lowered::Broken,
    }
}

/// The report that `baseline` names, beside the plan.
fn baseline_of(value: &Value<'_>, folder: &Path) -> Option<Baseline> {
    let name = value.string()?;
    match read_baseline(&folder.join(&name)) {
        Ok(baseline) => Some(Baseline { path: name, ..baseline }),
        Err(why) => value.refuse(format!("the baseline `{name}`: {why}"), "write the path of an earlier report.json, relative to the plan"),
    }
}

/// Reports larger than this are not read.
const LARGEST_REPORT: usize = 64 * 1024 * 1024;

/// Reads the findings of an earlier `report.json`.
///
/// # Errors
/// Says why there is none, for whoever named the file.
pub fn read_baseline(path: &Path) -> Result<Baseline, String> {
    let bytes = read_bounded(path, LARGEST_REPORT)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    Baseline::read(text, &path.display().to_string())
}

fn read(source: &Arc<SourceText>, problems: &Problems) -> Option<crate::contract::Contract> {
    contract_file::lower(source, problems)
}

/// The file beside the plan, or else the contract of that name that is compiled in.
fn source(file: &Value<'_>, folder: &Path) -> Option<Arc<SourceText>> {
    let name = file.string()?;
    let path = folder.join(&name);
    let why = match SourceText::read(&path, &path.display().to_string()) {
        Ok(source) => return Some(source),
        Err(why) => why,
    };
    match contract_file::shipped(&name).filter(|_| !path.exists()) {
        Some(text) => Some(SourceText::new(&format!("{name} (built in)"), text)),
        None => file.refuse(format!("the contract file `{}`: {why}", path.display()), "files are relative to the plan that names them"),
    }
}
