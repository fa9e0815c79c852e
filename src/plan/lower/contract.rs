//! `[contract]`: the documented errors every answer is held to.

use std::path::Path;
use std::sync::Arc;

use crate::contract::{Profile, Terms};
use crate::plan::file::{Table, Value};
use crate::plan::problem::Problems;
use crate::plan::source::SourceText;
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
    let problems = table.problems();
    table.finish();
    let contract = file.and_then(|file| source(&file, folder)).and_then(|source| read(&source, problems));
    match contract {
        Some(contract) => {
            let terms = Terms { profile, undocumented, secrets: Arc::clone(secrets) };
            Lowered::Sound(ContractUse { contract: Arc::new(contract), terms })
        }
        None => Lowered::Broken,
    }
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
