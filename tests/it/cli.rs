//! See `src/cli`.
//!
//! Every test starts the command in a folder of its own; targets are scripts on real sockets.

mod baseline;
mod check;
mod decisions;
mod defects;
mod explain;
mod folders;
mod limiters;
mod proxy;
mod quiet;
mod rendering;
mod repeat;
mod replay;
mod secrets;
mod serve;
mod signals;
mod targets;
mod transports;
mod verdicts;

use brownout::analysis::identity_problems;
use brownout::report::Report;

use crate::support::upstream::{Act, Upstream, answer};

/// The contract that is shipped, for plans that lie anywhere.
const CONTRACT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/contracts/jan-server.toml");

/// A short plan in the parts that tests change: half a second of twenty requests a second, no gate, and limits of
/// validity that hold on a loaded machine.
struct Draft {
    target: String,
    step: String,
    load: String,
    more: String,
    formats: &'static str,
}

impl Draft {
    /// A plan whose target is this, as written in `[target]`.
    fn of(target: &str) -> Draft {
        Draft {
            target: format!("{target}\ntimeouts = {{ connect = \"1s\", first_byte = \"1s\", total = \"1s\" }}\n"),
            step: "request = \"GET /v1/models/catalogs\"\n".to_owned(),
            load: "arrivals = \"even\"\ndrain = \"2s\"\n[[load.stage]]\nname = \"steady\"\nfor = \"500ms\"\nrate = \"20/s\"\n".to_owned(),
            more: String::new(),
            formats: "\"html\", \"json\", \"junit\", \"markdown\", \"hgrm\"",
        }
    }

    /// A plan against a scripted target.
    fn at(upstream: &Upstream) -> Draft {
        Draft::of(&format!("url = \"http://{}\"", upstream.address()))
    }

    /// A plan against the embedded target, as a user of it.
    fn embedded() -> Draft {
        Draft::of("embedded = \"strict\"").target("headers = { Authorization = \"Bearer user-token\" }").contract()
    }

    /// More lines of `[target]`.
    fn target(mut self, lines: &str) -> Draft {
        self.target += &format!("{lines}\n");
        self
    }

    /// The one step.
    fn step(mut self, lines: &str) -> Draft {
        self.step = format!("{lines}\n");
        self
    }

    /// `[load]` and its stages.
    fn load(mut self, lines: &str) -> Draft {
        self.load = format!("{lines}\n");
        self
    }

    /// One stage named `steady`.
    fn steady(self, length: &str, rate: &str) -> Draft {
        self.load(&format!("drain = \"2s\"\n[[load.stage]]\nname = \"steady\"\nfor = \"{length}\"\nrate = \"{rate}\""))
    }

    /// The shipped contract.
    fn contract(self) -> Draft {
        self.more(&format!("[contract]\nfile = \"{CONTRACT}\"\nprofile = \"core\""))
    }

    /// A gate.
    fn gate(self, require: &str) -> Draft {
        self.more(&format!("[[gate]]\nrequire = \"{require}\""))
    }

    /// Further tables.
    fn more(mut self, tables: &str) -> Draft {
        self.more += &format!("{tables}\n");
        self
    }

    /// The plan's text.
    fn text(&self) -> String {
        let Draft { target, step, load, more, formats } = self;
        let validity = if more.contains("[validity]") { "" } else { "[validity]\nschedule_lag_p99 = \"10s\"\ngenerator_cpu = \"100%\"\n" };
        format!(
            "plan = 1\nname = \"Shell\"\nseed = 7\n\n[target]\n{target}\n[[scenario]]\nname = \"s\"\n[[scenario.step]]\n{step}\n[load]\n{load}\n{more}\n{validity}[report]\ndir = \"reports/${{run.id}}\"\nformats = [{formats}]\n"
        )
    }
}

/// A target that answers every request with an empty 200.
fn sound() -> Upstream {
    Upstream::always(answer("200 OK", ""))
}

/// A target that takes every request and never answers.
fn silent() -> Upstream {
    Upstream::play(vec![vec![Act::ReadRequest, Act::WaitForClose]])
}

/// Panics where an arrival, exchange or attempt is lost.
#[track_caller]
fn assert_accounts(report: &Report) {
    assert_eq!(identity_problems(&report.accounting), Vec::<String>::new(), "{:?}", report.accounting);
}
