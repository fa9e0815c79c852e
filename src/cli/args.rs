//! The command line: what may be asked of brownout.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::units::Micros;

/// Load, faults and contracts in one run: is what your API says about errors true, and do clients make an outage worse?
#[derive(Debug, Parser)]
#[command(name = "brownout", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 pass · 1 a gate failed · 2 bad usage or plan · 3 target or setup failed · \
4 the run is invalid · 5 inconclusive · 70 internal error · 130/143 interrupted (the report is still written)";

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a plan: load, faults, checks, report
    Run(RunArgs),
    /// Provoke every documented error with a bounded battery of wrong requests; no load
    Probe(RunArgs),
    /// Stand between a client and the target: faults and checks for any program; no load
    Proxy(ProxyArgs),
    /// Check plans and predict what a run can show, or check contracts; sends nothing
    Check(CheckArgs),
    /// Serve a contract: the reference server alone, for client teams to develop against
    Serve(ServeArgs),
    /// Render report.json again, in any format
    Report(ReportArgs),
    /// Send the request of a finding once more: fixed, or still failing?
    Replay(ReplayArgs),
    /// Explain a check: what it demands, why, the source, and how to mend what it finds
    Explain(ExplainArgs),
    /// Make a contract to be reviewed out of an API description
    #[command(subcommand)]
    Import(ImportCommand),
}

/// `brownout import`
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Import Swagger 2.0, OpenAPI 3.0 or 3.1, JSON or YAML; nothing is fetched
    Openapi(ImportArgs),
}

/// Options that change what a plan says.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Set a variable of the plan: --set rate=80 (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Use another seed than the plan's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Use this target instead of the plan's; its host must be in allow_hosts
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
}

/// `brownout run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The plan
    pub plan: PathBuf,
    #[command(flatten)]
    pub change: PlanArgs,
    /// The run's own folder, instead of the plan's report.dir
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write into a folder that holds a report already
    #[arg(long)]
    pub force: bool,
    /// An earlier report.json, instead of the plan's contract.baseline: its findings are known, others are new
    #[arg(long, value_name = "REPORT")]
    pub baseline: Option<PathBuf>,
    /// A faults.jsonl of an earlier run: decide every attempt as it did; what it does not know passes
    #[arg(long, value_name = "LOG")]
    pub faults: Option<PathBuf>,
    /// Show no progress, and of the verdict one line
    #[arg(long, short)]
    pub quiet: bool,
    /// Put a label into the report: --label build=1234 (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub label: Vec<(String, String)>,
}

/// `brownout proxy`
#[derive(Debug, Args)]
#[command(after_help = "The client is told where the proxy is by BROWNOUT_URL in its environment, and by {url} in its arguments.\n\
Exit codes: as of `run`; 3 if the client cannot be started. The client's own code is reported, not passed on.")]
pub struct ProxyArgs {
    /// The plan; it needs no scenario and no load
    pub plan: PathBuf,
    /// The client and its arguments, after `--`; without one the proxy listens until Ctrl-C
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
    /// End the session after this long, whatever the client does: --for 5m
    #[arg(long = "for", value_name = "SPAN", value_parser = super::proxy::length)]
    pub length: Option<Micros>,
    #[command(flatten)]
    pub change: PlanArgs,
    /// The session's own folder, instead of the plan's report.dir
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write into a folder that holds a report already
    #[arg(long)]
    pub force: bool,
    /// Say nothing while it goes on, and of the verdict one line
    #[arg(long, short)]
    pub quiet: bool,
    /// Put a label into the report: --label build=1234 (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub label: Vec<(String, String)>,
}

/// `brownout check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The plans; a contract is checked by itself
    #[arg(required = true)]
    pub plans: Vec<PathBuf>,
    #[command(flatten)]
    pub change: PlanArgs,
    /// Show the plan with variables replaced and secrets masked
    #[arg(long)]
    pub print: bool,
    /// Show what would be done to the first requests, attempt by attempt
    #[arg(long, conflicts_with = "print")]
    pub explain: bool,
    /// With --explain: how many arrivals
    #[arg(short = 'n', default_value_t = 20, value_name = "ARRIVALS", requires = "explain")]
    pub arrivals: u32,
}

/// `brownout serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The contract file, or the name of a built-in one (jan-server)
    pub contract: PathBuf,
    /// Where to listen; loopback unless you say otherwise
    #[arg(long, default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    pub listen: String,
    /// How the server behaves: strict, or a preset of the contract that breaks it in one place
    #[arg(long, default_value = "strict")]
    pub preset: String,
    /// Rate limits: off, documented, or a factor such as x100
    #[arg(long, default_value = "documented")]
    pub limits: String,
    /// Decides latencies
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `brownout report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A report.json
    pub file: PathBuf,
    /// Where to write; beside the file unless you say otherwise
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What to write; everything unless you say otherwise, `text` prints the verdict (may be repeated)
    #[arg(long, value_enum)]
    pub format: Vec<Rendering>,
}

/// `brownout replay`
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 fixed · 1 still fails · 2 bad usage, report or plan · 3 target or setup failed · 5 cannot tell")]
pub struct ReplayArgs {
    /// A report.json, or the folder it is in
    pub report: PathBuf,
    /// The id of a finding, or as much of it as no other finding has
    pub finding: String,
    /// The plan, where it is not where the report says: for the target, its secrets, and the contract
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<PathBuf>,
    #[command(flatten)]
    pub change: PlanArgs,
}

/// `brownout import openapi`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The OpenAPI document
    pub spec: PathBuf,
    /// Where to write the contract; to standard output unless you say otherwise
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long)]
    pub force: bool,
    /// The form of the report on what the document leaves open
    #[arg(long, value_enum, default_value = "text")]
    pub report: ReportForm,
    /// Read the files that the document refers to, as far as they lie in its folder
    #[arg(long)]
    pub follow_files: bool,
}

/// A form of the report on a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    Text,
    Json,
}

/// `brownout explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Checks by id or name (R04, reset-vs-body); without any, all of them are listed
    #[arg(value_name = "CHECK")]
    pub checks: Vec<String>,
}

/// A form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rendering {
    Html,
    Junit,
    Markdown,
    Hgrm,
    Text,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn settings_are_pairs_and_a_value_may_hold_an_equals_sign() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(pair("a").is_err() && pair("=b").is_err());
    }
}
